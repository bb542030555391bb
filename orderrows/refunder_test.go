package orderrows_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// bench is a simulator, a network in front of it, and a client.
type bench struct {
	sim    *orderrowstest.Simulator
	net    *refundtest.Network
	client *orderrows.Client
	order  refund.Order
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{sim: orderrowstest.New()}
	b.net = refundtest.NewNetwork(refundtest.InMemory(b.sim))
	b.client = newClient(t, b.net)
	b.order = b.sim.AddOrder(refund.MustParseMoney("100.00", "SEK"))
	return b
}

func (b *bench) request(key, amount string) refund.Request {
	return refund.Request{IdempotencyKey: key, Order: b.order, Amount: refund.MustParseMoney(amount, "SEK")}
}

// lose makes a refund whose answer meets a fault.
func (b *bench) lose(t *testing.T, req refund.Request, f refundtest.Fault) refund.Attempt {
	t.Helper()
	b.net.Inject(f)
	_, err := b.client.Refund(t.Context(), req)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, refund.OutcomeUnknown, e.Outcome)
	assert.Equal(t, 1, e.Attempt.Tries, "it is sent once")
	return e.Attempt
}

// resolve asks what became of an attempt, whenever asking again may help, until it does not.
func resolve(t *testing.T, client *orderrows.Client, a refund.Attempt) refund.Resolution {
	t.Helper()
	for range 20 {
		got, err := client.Resolve(t.Context(), a)
		require.NoError(t, err)
		if got.NotBefore.IsZero() {
			return got
		}
		a = got.Attempt
		<-time.After(time.Until(got.NotBefore))
	}
	require.Fail(t, "it is never known")
	return refund.Resolution{}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestKeyAfterACrash: a process died after the refund was made, before anybody knew. Another one sends the same key.
func TestKeyAfterACrash(t *testing.T) {
	b := newBench(t)
	req := b.request("k", "10.00")
	b.lose(t, req, refundtest.LostAnswer)
	later := newClient(t, refundtest.InMemory(b.sim))
	got, err := later.Refund(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, "k", got.IdempotencyKey)
	assert.Equal(t, req.Amount, got.Amount, "it was read, so that its amount is known")
	assert.Equal(t, refund.StatusPending, got.Status)
	assert.False(t, got.CreatedAt.IsZero())
	assert.True(t, got.Replayed)
	assert.Empty(t, got.Warnings)
	assert.Len(t, b.sim.Ledger(b.order), 1)

	// Without the look-up it is a second refund, which the look-up then tells of.
	again, err := newHastyClient(t, refundtest.InMemory(b.sim)).Refund(t.Context(), req)
	require.NoError(t, err)
	assert.False(t, again.Replayed)
	b.paidTwice(t, req)
}

// paidTwice checks that two refunds with the key of req are told of, and that nothing more is sent.
func (b *bench) paidTwice(t *testing.T, req refund.Request) {
	t.Helper()
	require.Len(t, b.sim.Ledger(b.order), 2)
	_, err := newClient(t, refundtest.InMemory(b.sim)).Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrDuplicate)
	assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
	got, err := b.client.Resolve(t.Context(), refund.Attempt{Request: req, Tries: 1})
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictApplied, got.Verdict)
	require.Len(t, got.Duplicates, 1, "a person has to look")
	assert.NotEqual(t, got.Refund.ID, got.Duplicates[0].ID)
	assert.Len(t, b.sim.Ledger(b.order), 2, "nothing was sent")
}

// TestSameKeyAtOnce: two that look before either has paid both pay. Only a journal closes that gap; here it is at least
// seen afterwards.
func TestSameKeyAtOnce(t *testing.T) {
	b := newBench(t)
	var looked, done sync.WaitGroup
	looked.Add(2)
	memory := refundtest.InMemory(b.sim)
	client := newClient(t, transportFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := memory.RoundTrip(r)
		if r.Method == http.MethodGet {
			looked.Done()
			looked.Wait()
		}
		return resp, err
	}))
	for range 2 {
		done.Go(func() {
			_, err := client.Refund(t.Context(), b.request("k", "10.00"))
			assert.NoError(t, err)
		})
	}
	done.Wait()
	b.paidTwice(t, b.request("k", "10.00"))
}

// TestDeniedRefundsWithTheKey: a denied refund pays nothing, so that it and another one are not two.
func TestDeniedRefundsWithTheKey(t *testing.T) {
	b := newBench(t)
	req := b.request("refund-1", "10.00")
	create := func(deny bool) string {
		native := nativeRequest()
		native.RefundsRequireApproval = true
		made, err := b.client.CreateRefund(t.Context(), 1001, native)
		require.NoError(t, err)
		_, err = b.client.SetApproval(t.Context(), 1001, made.RefundID, orderrows.RefundApproval{Approved: !deny})
		require.NoError(t, err)
		return made.RefundID
	}
	for _, step := range []struct {
		deny   bool
		status refund.Status
	}{{true, refund.StatusCanceled}, {true, refund.StatusCanceled}, {false, refund.StatusPending}, {true, refund.StatusPending}} {
		id := create(step.deny)
		got, err := b.client.Refund(t.Context(), req)
		require.NoError(t, err)
		assert.Equal(t, step.status, got.Status)
		assert.True(t, got.Replayed)
		if !step.deny {
			assert.Equal(t, id, got.ID)
		}
		resolved, err := b.client.Resolve(t.Context(), refund.Attempt{Request: req, Tries: 1})
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, resolved.Verdict)
		assert.Equal(t, got.ID, resolved.Refund.ID)
		assert.Empty(t, resolved.Duplicates)
	}
	create(false)
	b.paidTwice(t, req)
}

// TestKeyOfAnotherRefund: one key, two refunds is a mistake, and nothing is sent.
func TestKeyOfAnotherRefund(t *testing.T) {
	for name, change := range map[string]func(*bench, *refund.Request){
		"amount": func(_ *bench, r *refund.Request) { r.Amount = refund.MustParseMoney("9.99", "SEK") },
		"part":   func(_ *bench, r *refund.Request) { r.Part = refund.PartFee },
		"line":   func(b *bench, r *refund.Request) { r.Line = b.sim.AddRow(b.order, refund.MustParseMoney("5", "SEK")) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			req := b.request("k", "10.00")
			req.Part, req.Line = refund.PartShipping, "1002"
			_, err := b.client.Refund(t.Context(), req)
			require.NoError(t, err)
			attempt := refund.Attempt{Request: req}
			change(b, &attempt.Request)
			_, err = b.client.Refund(t.Context(), attempt.Request)
			require.ErrorIs(t, err, refund.ErrKeyReused)
			assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "the key may have been paid")
			assert.Equal(t, refund.AdviceFix, refund.AdviceOf(err))
			assert.Len(t, b.sim.Ledger(b.order), 1)

			got, err := b.client.Resolve(t.Context(), attempt)
			require.NoError(t, err)
			assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
			assert.True(t, got.NotBefore.IsZero(), "a person has to look")
		})
	}
}

// TestOtherCurrency: the API takes no currency, so that a refund in the wrong one would go through.
func TestOtherCurrency(t *testing.T) {
	const list = `{"Resource":[{"RefundId":"` + refundID + `","Reference":%q,"Currency":"NOK","RefundRows":[{"RefundAmount":10}]}]}`
	request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "SEK")}
	for reference, want := range map[string]struct {
		kind    error
		outcome refund.Outcome
	}{
		"k":     {refund.ErrKeyReused, refund.OutcomeUnknown},
		"other": {refund.ErrCurrencyMismatch, refund.OutcomeNotSent},
	} {
		wire := &wiretest.Transport{Status: http.StatusOK, Body: fmt.Sprintf(list, reference)}
		_, err := newClient(t, wire).Refund(t.Context(), request)
		require.ErrorIs(t, err, want.kind)
		assert.Equal(t, want.outcome, refund.OutcomeOf(err))
		assert.Len(t, wire.Dumps, 1, "only the look-up went out")
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "k", e.IdempotencyKey)
	}
	// In another currency, although no amount can be read.
	wire := &wiretest.Transport{Status: http.StatusOK, Body: `{"Resource":[{"RefundId":"r","Reference":"k","Currency":"NOK"}]}`}
	_, err := newClient(t, wire).Refund(t.Context(), request)
	require.ErrorIs(t, err, refund.ErrKeyReused)
}

// TestCurrencyOfTheOrder: only the refunds of an order tell its currency, and Resolve does not ask for it.
func TestCurrencyOfTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := orderrowstest.NewIn("SEK", "NOK")
		client, err := sim.Client(refund.Options{})
		require.NoError(t, err)
		order := sim.AddOrder(refund.MustParseMoney("100.00", "NOK"))
		request := func(key, amount, currency string) refund.Request {
			return refund.Request{IdempotencyKey: key, Order: order, Amount: refund.MustParseMoney(amount, currency)}
		}
		_, err = client.Refund(t.Context(), request("k1", "10.00", "SEK"))
		require.NoError(t, err, "nothing says that the order is in NOK")
		require.Equal(t, []refund.Money{refund.MustParseMoney("10.00", "NOK")}, sim.Ledger(order), "read in the order's currency")

		_, err = client.Refund(t.Context(), request("k1", "10.00", "SEK"))
		require.ErrorIs(t, err, refund.ErrKeyReused, "the refund with this key is of 10.00 NOK")
		_, err = client.Refund(t.Context(), request("k2", "10.00", "SEK"))
		require.ErrorIs(t, err, refund.ErrCurrencyMismatch)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
		assert.Equal(t, "Amount", e.Field)
		assert.Equal(t, "k2", e.IdempotencyKey)
		_, err = client.Refund(t.Context(), request("k3", "10.00", "NOK"))
		require.NoError(t, err)
		assert.Len(t, sim.Ledger(order), 2)

		// An attempt of before is not there, whatever the order's currency is.
		sent := time.Now()
		<-time.After(time.Hour)
		got := resolve(t, client, refund.Attempt{Request: request("k2", "10.00", "SEK"), FirstSent: sent, LastSent: sent, Tries: 1})
		assert.Equal(t, refund.VerdictNotApplied, got.Verdict)

		// Without the look-up nothing is compared.
		cfg := sim.Config()
		cfg.NoLookup = true
		hasty, err := orderrows.New(cfg)
		require.NoError(t, err)
		_, err = hasty.Refund(t.Context(), request("k4", "10.00", "SEK"))
		require.NoError(t, err)
		assert.Len(t, sim.Ledger(order), 3)
	})
}

// TestLookUpFindsWhatStatesLittle: what the list does not state cannot differ.
func TestLookUpFindsWhatStatesLittle(t *testing.T) {
	request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "SEK"), Part: refund.PartFee}
	for _, members := range []string{``, `,"Currency":"SEK","RefundedTotal":10`, `,"Currency":"SEK","RefundRows":[{"RefundType":3}]`} {
		wire := &wiretest.Transport{Status: http.StatusOK, Body: `{"Resource":[{"RefundId":"` + refundID + `","Reference":"k"` + members + `}]}`}
		got, err := newClient(t, wire).Refund(t.Context(), request)
		require.NoError(t, err, members)
		assert.Equal(t, refundID, got.ID)
		assert.Len(t, wire.Dumps, 1, "nothing was sent")
	}
}

// TestKeyOnAnotherAmount: whatever is stated of the amount must be this one, in whatever form.
func TestKeyOnAnotherAmount(t *testing.T) {
	request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "SEK")}
	for members, want := range map[string]refund.Verdict{
		`"Currency":"SEK","RefundRows":[{"RefundAmount":10}]`:                     refund.VerdictApplied,
		`"Currency":"SEK","RefundRows":[{"RefundAmount":9.99}]`:                   refund.VerdictUndetermined,
		`"Currency":"SEK","RefundRows":[{"RefundAmount":0}]`:                      refund.VerdictUndetermined,
		`"Currency":"SEK","RefundRows":[{"RefundAmount":10.001}]`:                 refund.VerdictUndetermined,
		`"Currency":"SEK","RefundRows":[{"RefundAmount":1e999}]`:                  refund.VerdictUndetermined,
		`"Currency":"SEK","RefundedTotal":9`:                                      refund.VerdictUndetermined,
		`"RefundRows":[{"RefundAmount":10}]`:                                      refund.VerdictApplied,
		`"RefundRows":[{"RefundAmount":9}]`:                                       refund.VerdictUndetermined,
		`"RefundRows":[{"RefundAmount":10},{"RefundAmount":1}],"RefundedTotal":9`: refund.VerdictUndetermined,
		`"Currency":"kronor","RefundRows":[{"RefundAmount":10}]`:                  refund.VerdictUndetermined,
		`"Currency":"SEK"`: refund.VerdictApplied,
	} {
		client := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: `{"Resource":[{"RefundId":"` + refundID + `","Reference":"k",` + members + `}]}`})
		got, err := client.Resolve(t.Context(), refund.Attempt{Request: request, LastSent: time.Now().Add(-48 * time.Hour), Tries: 1})
		require.NoError(t, err, members)
		assert.Equal(t, want, got.Verdict, members)
		assert.True(t, got.NotBefore.IsZero(), members)
	}
}

// TestLookUpFails: what cannot be looked up is not sent.
func TestLookUpFails(t *testing.T) {
	for name, body := range map[string]string{
		"no resource": changed, "null": `{"Resource":null}`, "not a list": created, "html": "<html>", "empty": "",
		"a refund without an id": `{"Resource":[{"Reference":"x"}]}`, "null entry": `{"Resource":[null]}`,
		"a refund of another order": `{"Resource":[{"RefundId":"r","OrderId":2}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			wire := &wiretest.Transport{Status: http.StatusOK, Body: body}
			_, err := newClient(t, wire).Refund(t.Context(), b.request("k", "10.00"))
			require.ErrorIs(t, err, refund.ErrUnexpected)
			assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
			assert.Len(t, wire.Dumps, 1)
		})
	}
	t.Run("no network", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			calls := 0
			client := newClient(t, transportFunc(func(r *http.Request) (*http.Response, error) {
				calls++
				assert.Equal(t, http.MethodGet, r.Method)
				return nil, syscall.ECONNRESET
			}))
			req := b.request("k", "10.00")
			req.Reason = "personal"
			_, err := client.Refund(t.Context(), req)
			require.ErrorIs(t, err, refund.ErrUnavailable)
			assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
			assert.Equal(t, 3, calls, "reads may be repeated")
			var e *refund.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "k", e.IdempotencyKey)
		})
	})
}

// TestBadBody: a 500 may follow a bad body and may not, so that it is resolved like any other.
func TestBadBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		req := b.request("k", "10.00")
		req.Line = "77"
		_, err := b.client.Refund(t.Context(), req)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
		assert.Contains(t, e.Message, "database error")
		assert.Equal(t, refund.VerdictNotApplied, resolve(t, b.client, e.Attempt).Verdict)
		assert.Empty(t, b.sim.Ledger(b.order))
	})
}

func TestRemarksOfASuccessAreAWarning(t *testing.T) {
	body := strings.Replace(created, "null", `["Author was cut."]`, 1)
	client := newHastyClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body})
	got, err := client.Refund(t.Context(), newBench(t).request("k", "1"))
	require.NoError(t, err)
	assert.Len(t, got.Warnings, 1)
	assert.NotContains(t, got.Warnings[0], "Author")
	assert.Equal(t, body, string(got.Raw))
}

func TestResolveFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.lose(t, b.request("k", "10.00"), refundtest.LostAnswer)
		sent := len(b.net.Requests())
		got, err := b.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Equal(t, "k", got.Refund.IdempotencyKey)
		assert.Equal(t, b.order, got.Refund.Order)
		assert.Len(t, b.net.Requests(), sent+1, "once found, it is found")
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestResolveDoesNotBelieveAbsenceAtOnce: reads may lag behind writes.
func TestResolveDoesNotBelieveAbsenceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.lose(t, b.request("k", "10.00"), refundtest.LostAnswer)
		b.sim.SetReadLag(50 * time.Minute)
		got, err := b.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		assert.True(t, got.NotBefore.After(time.Now()))
		assert.False(t, got.NotBefore.After(attempt.LastSent.Add(b.client.Capabilities().AbsenceAfter)))
		assert.Equal(t, refund.VerdictApplied, resolve(t, b.client, attempt).Verdict)
	})
}

// TestResolveReadsAbsenceTwice: one of several servers may be behind.
func TestResolveReadsAbsenceTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.lose(t, b.request("k", "10.00"), refundtest.LostAnswer)
		<-time.After(time.Hour)
		reads := 0
		memory := refundtest.InMemory(b.sim)
		client := newClient(t, transportFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := memory.RoundTrip(r)
			if reads++; reads == 1 {
				resp.Body = io.NopCloser(strings.NewReader(noneYet))
				resp.ContentLength = -1
			}
			return resp, err
		}))
		got, err := client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		assert.Equal(t, time.Now().Add(time.Minute), got.NotBefore)
		got, err = client.Resolve(t.Context(), got.Attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)

		attempt.Request.IdempotencyKey = "never-arrived"
		first, err := client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		again, err := client.Resolve(t.Context(), first.Attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, again.Verdict, "a minute has not passed")
		assert.Equal(t, first.NotBefore, again.NotBefore)
		assert.Equal(t, refund.VerdictNotApplied, resolve(t, client, again.Attempt).Verdict)
		assert.Equal(t, 5, reads-1, "one read each time that it is asked")
	})
}

// TestResolveUnmarkedIsForAPerson: a refund of the amount without a Reference may be the one that is looked for.
func TestResolveUnmarkedIsForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		native := nativeRequest()
		native.Reference = ""
		_, err := b.client.CreateRefund(t.Context(), 1001, native)
		require.NoError(t, err)
		attempt := b.lose(t, b.request("k", "10.00"), refundtest.ServerErrorBeforeCommit)
		got := resolve(t, b.client, attempt)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict, "asking again does not help")

		other := attempt
		other.Request.Amount = refund.MustParseMoney("10.01", "SEK")
		assert.Equal(t, refund.VerdictNotApplied, resolve(t, b.client, other).Verdict, "it is of another amount")

		<-time.After(48 * time.Hour)
		attempt = b.lose(t, b.request("k2", "10.00"), refundtest.ServerErrorBeforeCommit)
		assert.Equal(t, refund.VerdictNotApplied, resolve(t, b.client, attempt).Verdict, "it is older than the attempt, in any time zone")
	})
}

// TestResolveUnmarkedInAnyCurrency: only the number was sent, so that the order's currency may be another.
func TestResolveUnmarkedInAnyCurrency(t *testing.T) {
	long := time.Now().Add(-48 * time.Hour)
	attempt := refund.Attempt{
		Request:   refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "SEK")},
		FirstSent: long, LastSent: long, MissedAt: long.Add(2 * time.Hour), Tries: 1,
	}
	for members, want := range map[string]refund.Verdict{
		`"Currency":"SEK","RefundRows":[{"RefundAmount":10}]`:     refund.VerdictUndetermined,
		`"Currency":"NOK","RefundRows":[{"RefundAmount":10.0}]`:   refund.VerdictUndetermined,
		`"Currency":"kronor","RefundRows":[{"RefundAmount":9}]`:   refund.VerdictUndetermined,
		`"Currency":"NOK","RefundRows":[{"RefundAmount":9}]`:      refund.VerdictNotApplied,
		`"Currency":"SEK","RefundedTotal":10,"Reference":"other"`: refund.VerdictNotApplied,
	} {
		client := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: `{"Resource":[{"RefundId":"r",` + members + `}]}`})
		got, err := client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, want, got.Verdict, members)
		assert.True(t, got.NotBefore.IsZero(), members)
	}
}

// TestResolveUnmarkedInAnyZone: a date without an offset may be of any time zone, so that of the day before may be since.
func TestResolveUnmarkedInAnyZone(t *testing.T) {
	sent := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	attempt := refund.Attempt{
		Request:   refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "SEK")},
		FirstSent: sent, LastSent: sent, MissedAt: sent.Add(2 * time.Hour), Tries: 1,
	}
	for date, want := range map[string]refund.Verdict{
		"2026-01-09T11:00:00": refund.VerdictUndetermined,
		"2026-01-09T10:59:59": refund.VerdictNotApplied,
		"soon":                refund.VerdictUndetermined,
	} {
		list := `{"Resource":[{"RefundId":"r","CreatedOn":"` + date + `","Currency":"SEK","RefundRows":[{"RefundAmount":10}]}]}`
		got, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: list}).Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, want, got.Verdict, date)
	}
}

// TestResolveUnknownOrder: whoever asks with the credentials of another account must not be told that nothing moved.
func TestResolveUnknownOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.lose(t, b.request("k", "10.00"), refundtest.LostAnswer)
		other := newClient(t, refundtest.InMemory(orderrowstest.New()))
		assert.Equal(t, refund.VerdictUndetermined, resolve(t, other, attempt).Verdict)
		assert.Greater(t, time.Since(attempt.LastSent), other.Capabilities().AbsenceAfter-time.Second, "it was asked until it should be there")

		_, err := other.Refund(t.Context(), attempt.Request)
		require.ErrorIs(t, err, refund.ErrOrderNotFound, "before anything is sent it is an error")
		assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
	})
}

func TestResolveCannotAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.lose(t, b.request("k", "10.00"), refundtest.LostAnswer)
		for _, wire := range []*wiretest.Transport{
			{Status: http.StatusServiceUnavailable},
			{Status: http.StatusOK, Body: "<html>"},
			{Status: http.StatusNotFound, Body: "<html>"},
			{Status: http.StatusUnauthorized, Body: `{"Message":"Unauthorized"}`},
		} {
			got, err := newClient(t, wire).Resolve(t.Context(), attempt)
			var e *refund.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "as unknown as before")
			assert.Equal(t, attempt, e.Attempt)
			assert.Equal(t, "k", e.IdempotencyKey)
			assert.Equal(t, refund.Resolution{}, got)
		}
	})
}

func TestRefundsFilters(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	first, err := b.client.Refund(ctx, b.request("k1", "5.00"))
	require.NoError(t, err)
	b.sim.Advance(time.Hour)
	second, err := b.client.Refund(ctx, b.request("k2", "5.00"))
	require.NoError(t, err)
	_, err = b.client.SetAsProcessed(ctx, 1001, second.ID, orderrows.ProcessedRefund{})
	require.NoError(t, err)
	elsewhere := b.sim.AddOrder(refund.MustParseMoney("1.00", "SEK"))
	req := b.request("k3", "1.00")
	req.Order = elsewhere
	third, err := b.client.Refund(ctx, req)
	require.NoError(t, err)
	made, err := b.client.GetRefund(ctx, refund.Ref{Order: b.order, ID: second.ID})
	require.NoError(t, err)

	for name, tt := range map[string]struct {
		query refund.Query
		want  []string
	}{
		"of an order":          {refund.Query{Order: b.order}, []string{first.ID, second.ID}},
		"since, inclusive":     {refund.Query{Order: b.order, Since: made.CreatedAt}, []string{second.ID}},
		"until, exclusive":     {refund.Query{Order: b.order, Until: made.CreatedAt}, []string{first.ID}},
		"of a status":          {refund.Query{Order: b.order, Status: refund.StatusSucceeded}, []string{second.ID}},
		"all":                  {refund.Query{}, []string{first.ID, second.ID, third.ID}},
		"all since, inclusive": {refund.Query{Since: made.CreatedAt}, []string{second.ID, third.ID}},
		"all until, exclusive": {refund.Query{Until: made.CreatedAt}, []string{first.ID}},
		"all of a status":      {refund.Query{Status: refund.StatusPending}, []string{first.ID, third.ID}},
		"none":                 {refund.Query{Status: refund.StatusFailed}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for r, err := range b.client.Refunds(ctx, tt.query) {
				require.NoError(t, err)
				got = append(got, r.ID)
				if r.ID == third.ID {
					assert.Equal(t, elsewhere, r.Order)
				}
			}
			assert.Equal(t, tt.want, got)
		})
	}
	for _, err := range b.client.Refunds(ctx, refund.Query{}) {
		require.NoError(t, err)
		break
	}
	require.ErrorIs(t, drain(b.client.Refunds(ctx, refund.Query{Order: b.sim.UnknownOrder()})), refund.ErrOrderNotFound)
	_, err = b.client.GetRefund(ctx, refund.Ref{Order: b.order, ID: refundID})
	require.ErrorIs(t, err, refund.ErrOrderNotFound)
}

// TestRefundsOfUnknownDate: a listing must not hide what may have been paid.
func TestRefundsOfUnknownDate(t *testing.T) {
	const list = `{"Resource":[{"RefundId":"undated","OrderId":7},{"RefundId":"old","OrderId":7,"CreatedOn":"2020-01-02"}]}`
	client := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: list})
	for _, order := range []refund.Order{{}, {ID: "7"}} {
		var got []string
		for r, err := range client.Refunds(t.Context(), refund.Query{Order: order, Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}) {
			require.NoError(t, err)
			assert.Equal(t, "7", r.Order.ID)
			got = append(got, r.ID)
		}
		assert.Equal(t, []string{"undated"}, got)
	}
}

// TestForeignReferenceIsNoKey: refunds that others make have any text as Reference.
func TestForeignReferenceIsNoKey(t *testing.T) {
	for reference, want := range map[string]string{
		"": "", "refund-1": "refund-1", "RMA 4711": "", "å": "", "a b": "", strings.Repeat("k", 64): strings.Repeat("k", 64), strings.Repeat("k", 65): "",
	} {
		assert.Equal(t, want, common(t, fmt.Sprintf(`,"Reference":%q`, reference)).IdempotencyKey, reference)
	}
}

// TestWhoseResult: refunds and errors name the account, the operation and the key.
func TestWhoseResult(t *testing.T) {
	b := newBench(t)
	client, err := b.sim.Client(refund.Options{Account: "shop-se"})
	require.NoError(t, err)
	made, err := client.Refund(t.Context(), b.request("k", "10.00"))
	require.NoError(t, err)
	found, err := client.Refund(t.Context(), b.request("k", "10.00"))
	require.NoError(t, err)
	read, err := client.GetRefund(t.Context(), refund.Ref{Order: b.order, ID: made.ID})
	require.NoError(t, err)
	for _, r := range []*refund.Refund{made, found, read} {
		assert.Equal(t, "shop-se", r.Account)
		assert.Equal(t, "orderrows", r.Provider)
		assert.Equal(t, "k", r.IdempotencyKey)
	}
	bad, unknown := b.request("k2", "1"), b.request("k2", "1")
	bad.Order.ID, unknown.Order = "01", b.sim.UnknownOrder()
	for _, req := range []refund.Request{bad, unknown} {
		_, err = client.Refund(t.Context(), req)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, []string{"orderrows", "shop-se", "refund", "k2"}, []string{e.Provider, e.Account, e.Op, e.IdempotencyKey})
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	}
}
