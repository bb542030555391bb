package digitalriver_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/digitalriver/digitalrivertest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// bench is a simulator, a network in front of it, and a client.
type bench struct {
	sim    *digitalrivertest.Simulator
	net    *refundtest.Network
	client *digitalriver.Client
	order  refund.Order
}

func newBench(t *testing.T, change ...func(*digitalriver.Config)) *bench {
	t.Helper()
	b := &bench{sim: digitalrivertest.New()}
	b.net = refundtest.NewNetwork(refundtest.InMemory(b.sim))
	b.client = newClient(t, b.net, change...)
	b.order = b.sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
	return b
}

func (b *bench) request(key, amount string) refund.Request {
	return refund.Request{IdempotencyKey: key, Order: b.order, Amount: refund.MustParseMoney(amount, "USD")}
}

// lose makes a refund that meets a fault.
func (b *bench) lose(t *testing.T, req refund.Request, fault refundtest.Fault) refund.Attempt {
	t.Helper()
	b.net.Always(fault)
	defer b.net.Always("")
	_, err := b.client.Refund(t.Context(), req)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, refund.OutcomeUnknown, e.Outcome)
	return e.Attempt
}

// resolve waits until the attempt is old enough for absence to count, and resolves it.
func (b *bench) resolve(t *testing.T, attempt refund.Attempt) refund.Resolution {
	t.Helper()
	<-time.After(time.Until(attempt.LastSent.Add(5 * time.Minute)))
	got, err := b.client.Resolve(t.Context(), attempt)
	require.NoError(t, err)
	return got
}

func (b *bench) writes() (n int) {
	for _, req := range b.net.Requests() {
		if req.Method == http.MethodPost {
			n++
		}
	}
	return n
}

func TestResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.lose(t, b.request("k", "10.00"), refundtest.LostAnswer)
		assert.Equal(t, 1, attempt.Tries, "it is never sent again")
		got, err := b.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Equal(t, "k", got.Refund.IdempotencyKey)
		assert.Equal(t, attempt.Request.Amount, got.Refund.Amount)
		assert.Equal(t, refund.StatusPending, got.Refund.Status)

		never := b.lose(t, b.request("never", "10.00"), refundtest.ServerErrorBeforeCommit)
		got, err = b.client.Resolve(t.Context(), never)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict, "too early to believe in absence")
		assert.Equal(t, never.LastSent.Add(5*time.Minute), got.NotBefore)
		before := len(b.net.Requests())
		assert.Equal(t, refund.VerdictNotApplied, b.resolve(t, never).Verdict)
		assert.Len(t, b.net.Requests(), before+4, "two listings, and the order after each")
		assert.Equal(t, 2, b.writes())
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestResolveLooksForWhatIsHidden: the order knows of a refund that the list does not show.
func TestResolveLooksForWhatIsHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, tt := range map[string]struct {
			available string
			hidden    bool
		}{
			"all explained":            {`"capturedAmount":100,"availableToRefundAmount":95`, false},
			"too little for this one":  {`"capturedAmount":100,"availableToRefundAmount":85.01`, false},
			"enough for this one":      {`"capturedAmount":100,"availableToRefundAmount":85`, true},
			"not stated":               {`"capturedAmount":null,"availableToRefundAmount":85`, false},
			"in another currency":      {`"capturedAmount":100,"availableToRefundAmount":85,"currency":"AUD"`, false},
			"the list does not say it": {`"capturedAmount":100,"availableToRefundAmount":0`, false},
		} {
			list := `{"hasMore":false,"data":[{"id":"1","currency":"USD","amount":5,"state":"pending"},{"id":"2","currency":"USD","amount":50,"state":"failed"}]}`
			if strings.HasPrefix(name, "the list") {
				list = `{"hasMore":false,"data":[{"id":"1","currency":"USD","state":"pending"}]}`
			}
			client := newClient(t, byPath(map[string]string{"/refunds": list, "/orders/1": `{"id":"1","currency":"USD",` + tt.available + `}`}))
			request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")}
			got, err := client.Resolve(t.Context(), refund.Attempt{Request: request, LastSent: time.Now().Add(-time.Hour)})
			require.NoError(t, err, name)
			assert.Equal(t, tt.hidden, got.Verdict == refund.VerdictUndetermined, name)
			assert.Equal(t, tt.hidden, !got.NotBefore.IsZero(), name)

			got, err = client.Resolve(t.Context(), refund.Attempt{Request: request, LastSent: time.Now().Add(-25 * time.Hour)})
			require.NoError(t, err, name)
			assert.Equal(t, tt.hidden, got.Verdict == refund.VerdictUndetermined, name)
			assert.True(t, got.NotBefore.IsZero(), "after a day a person has to look")
		}
	})
}

// byPath answers by the path of a request, anything else with 404.
type byPath map[string]string

func (b byPath) RoundTrip(req *http.Request) (*http.Response, error) {
	status, body := http.StatusOK, b[req.URL.Path]
	if body == "" {
		status, body = http.StatusNotFound, `{"type":"not_found"}`
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

func TestResolveReadsTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		marked := `{"hasMore":false,"data":[{"id":"re_1","currency":"USD","amount":10,"metadata":{"idempotency_key":"k"}}]}`
		lists := []string{emptyList, marked}
		client := newClient(t, roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.URL.Path != "/refunds" {
				return byPath{}.RoundTrip(req) // the order is unknown: no reason to doubt
			}
			list := lists[0]
			lists = lists[1:]
			return byPath{"/refunds": list}.RoundTrip(req)
		}))
		got, err := client.Resolve(t.Context(), refund.Attempt{
			Request:  refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")},
			LastSent: time.Now().Add(-time.Hour),
		})
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict, "one stale listing is not believed")
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestResolveCannotAsk: a read that fails leaves everything as it was.
func TestResolveCannotAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")}
		attempt := refund.Attempt{Request: request, LastSent: time.Now().Add(-time.Hour)}
		for name, answers := range map[string]byPath{
			"no list":      {},
			"odd list":     {"/refunds": `{}`},
			"odd order":    {"/refunds": emptyList, "/orders/1": `<html>`},
			"a list again": {"/refunds": `{"hasMore":true,"data":[{"id":"1"}]}`},
		} {
			got, err := newClient(t, answers).Resolve(t.Context(), attempt)
			require.Error(t, err, name)
			assert.Equal(t, refund.Resolution{}, got, name)
			assert.NotEqual(t, refund.OutcomeUnknown, refund.OutcomeOf(err), name)
		}
	})
}

// TestAnotherProcess: a second client, which knows the key only, as after a crash between the call and its record.
func TestAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.lose(t, b.request("k", "10.00"), refundtest.LostAnswer)
		got, err := newClient(t, b.net).Refund(t.Context(), b.request("k", "10.00"))
		require.NoError(t, err)
		assert.Equal(t, "k", got.IdempotencyKey)
		assert.Equal(t, 1, b.writes())
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestSameKeyAtOnce: what looks at the same moment pays twice, as the documentation says; every call tells the truth,
// and the next one says that something is wrong.
func TestSameKeyAtOnce(t *testing.T) {
	b := newBench(t)
	var both sync.WaitGroup // have looked
	both.Add(2)
	client := newClient(t, roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := b.net.RoundTrip(req)
		if req.Method == http.MethodGet {
			both.Done()
			both.Wait()
		}
		return resp, err
	}))
	var calls sync.WaitGroup
	for range 2 {
		calls.Go(func() {
			_, err := client.Refund(t.Context(), b.request("k", "10.00"))
			assert.NoError(t, err)
		})
	}
	calls.Wait()
	assert.Len(t, b.sim.Ledger(b.order), 2)
	got, err := b.client.Refund(t.Context(), b.request("k", "10.00"))
	require.NoError(t, err)
	assert.Len(t, got.Warnings, 1)
	assert.Len(t, b.sim.Ledger(b.order), 2)
}

func TestLookUpReadsAllPages(t *testing.T) {
	b := newBench(t)
	first, err := b.client.Refund(t.Context(), b.request("k", "1.00"))
	require.NoError(t, err)
	for i := range 99 {
		req := nativeRequest()
		req.OrderID, req.Amount = digitalriver.ID(b.order.ID), number("0.01")
		if i%2 == 0 {
			req.Metadata = digitalriver.Metadata{"idempotency_key": []string{"k-", "K", "kk"}[i%3]}
		}
		_, err := b.client.CreateRefund(t.Context(), req)
		require.NoError(t, err)
	}
	_, err = b.client.Refund(t.Context(), b.request("one-more", "0.01")) // the first is on the second page now
	require.NoError(t, err)
	again, err := b.client.Refund(t.Context(), b.request("k", "1.00"))
	require.NoError(t, err)
	assert.Equal(t, first.ID, again.ID)
	assert.Len(t, b.sim.Ledger(b.order), 101)
}

func TestLookUpFindsAnotherRefund(t *testing.T) {
	b := newBench(t)
	shop := b.sim.AddPart(b.order, digitalriver.TypeShipping, refund.MustParseMoney("50.00", "USD"))
	made, err := b.client.Refund(t.Context(), b.request("order", "10.00"))
	require.NoError(t, err)
	line := b.request("line", "10.00")
	line.Line, line.Part = shop, refund.PartShipping
	_, err = b.client.Refund(t.Context(), line)
	require.NoError(t, err)
	for name, change := range map[string]func(*refund.Request){
		"amount":            func(r *refund.Request) { r.Amount = refund.MustParseMoney("9.00", "USD") },
		"currency":          func(r *refund.Request) { r.Amount = refund.MustParseMoney("10.00", "AUD") },
		"part":              func(r *refund.Request) { r.Part = refund.PartShipping },
		"line":              func(r *refund.Request) { r.Line = shop },
		"line's amount":     func(r *refund.Request) { *r = line; r.Amount = refund.MustParseMoney("9.00", "USD") },
		"line's part":       func(r *refund.Request) { *r = line; r.Part = refund.PartOrder },
		"another line":      func(r *refund.Request) { *r = line; r.Line = "8" },
		"order of the line": func(r *refund.Request) { *r = line; r.Line = "" },
	} {
		req := b.request("order", "10.00")
		change(&req)
		_, err := b.client.Refund(t.Context(), req)
		require.ErrorIs(t, err, refund.ErrConflict, name)
		assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err), name)
		got, err := b.client.Resolve(t.Context(), refund.Attempt{Request: req})
		require.NoError(t, err, name)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict, name)
		assert.True(t, got.NotBefore.IsZero(), "a person has to look")
	}
	assert.Equal(t, 2, b.writes())
	for key, req := range map[string]refund.Request{made.ID: b.request("order", "10.00"), "": line} {
		got, err := b.client.Refund(t.Context(), req)
		require.NoError(t, err)
		assert.Contains(t, got.ID, key)
	}

	// An answer that ignores the filter.
	client := newClient(t, byPath{"/refunds": `{"hasMore":false,"data":[{"id":"1","orderId":2,"currency":"USD","amount":10,"metadata":{"idempotency_key":7}}]}`})
	_, err = client.Refund(t.Context(), b.request("7", "10.00"))
	require.ErrorIs(t, err, refund.ErrConflict)
}

// TestLookUpFails: what cannot be looked up is not sent.
func TestLookUpFails(t *testing.T) {
	for name, wire := range map[string]*wiretest.Transport{
		"refused":    {Status: 403, Body: `{"type":"forbidden","errors":[{"message":"jane@example.com may not read secret words"}]}`},
		"unreadable": {Status: 200, Body: `{"data":[]}`},
		"odd":        {Status: 418, Body: ``},
		"a circle":   {Status: 200, Body: `{"hasMore":true,"data":[{"id":"1"}]}`},
	} {
		client := newClient(t, wire)
		req := refund.Request{
			IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD"), Reason: "secret words",
		}
		_, err := client.Refund(t.Context(), req)
		var e *refund.Error
		require.ErrorAs(t, err, &e, name)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome, name)
		assert.Equal(t, "k", e.IdempotencyKey, name)
		assert.NotContains(t, err.Error(), "jane", name)
		assert.NotContains(t, err.Error(), "secret words", name)
		for _, dump := range wire.Dumps {
			assert.True(t, strings.HasPrefix(dump, "GET "), name)
		}
	}
}

// TestLookUpPrefersWhatIsPaid: a key on two refunds, of which one has failed.
func TestLookUpPrefersWhatIsPaid(t *testing.T) {
	const list = `{"hasMore":false,"data":[{"id":"%s","state":"%s","metadata":{"idempotency_key":"k"}},{"id":"%s","state":"%s","metadata":{"idempotency_key":"k"}}]}`
	for _, body := range []string{fmt.Sprintf(list, "failed", "failed", "paid", "succeeded"), fmt.Sprintf(list, "paid", "pending", "failed", "expired")} {
		got, err := newClient(t, byPath{"/refunds": body}).Refund(t.Context(), refund.Request{
			IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD"),
		})
		require.NoError(t, err)
		assert.Equal(t, "paid", got.ID)
		assert.Len(t, got.Warnings, 1)
	}
}

func TestNoLookup(t *testing.T) {
	b := newBench(t, noLookup)
	assert.Equal(t, refund.RepeatRefundsAgain, b.client.Capabilities().Repeat)
	assert.Equal(t, refund.RepeatFound, newClient(t, b.net).Capabilities().Repeat)
	for range 2 {
		_, err := b.client.Refund(t.Context(), b.request("k", "10.00"))
		require.NoError(t, err)
	}
	assert.Len(t, b.net.Requests(), 2)
	assert.Len(t, b.sim.Ledger(b.order), 2)
}

func TestInvoices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		_, err := b.client.Refund(t.Context(), refund.Request{
			IdempotencyKey: "other", Order: b.order, Amount: refund.MustParseMoney("1.00", "USD"),
		})
		require.NoError(t, err)
		<-time.After(48 * time.Hour)
		order := b.order
		b.order = b.sim.Invoice(order)
		before := len(b.net.Requests())
		_, err = b.client.Refund(t.Context(), b.request("k", "10.00"))
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		assert.Len(t, b.net.Requests(), before)

		b.client = newClient(t, b.net, noLookup)
		attempt := b.lose(t, b.request("k", "10.00"), refundtest.LostAnswer)
		got := b.resolve(t, attempt)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Equal(t, b.order, got.Refund.Order)
		never := b.lose(t, b.request("never", "10.00"), refundtest.ServerErrorBeforeCommit)
		assert.Equal(t, refund.VerdictNotApplied, b.resolve(t, never).Verdict)
		assert.Contains(t, b.net.Requests()[len(b.net.Requests())-1].URL.Query(), "createdTime[gte]")
		assert.Len(t, b.sim.Ledger(order), 2)
	})
}

func TestRefundChecksBeforeSending(t *testing.T) {
	many := map[string]string{}
	for i := range 20 {
		many[strconv.Itoa(i)] = "x"
	}
	for name, change := range map[string]func(*refund.Request){
		"Order.ID: merchant only":  func(r *refund.Request) { r.Order = refund.Order{MerchantID: "m"} },
		"Order.ID: characters":     func(r *refund.Request) { r.Order.ID = "1 2" },
		"Order.InvoiceID: both":    func(r *refund.Request) { r.Order.InvoiceID = "1" },
		"Order.InvoiceID: look-up": func(r *refund.Request) { r.Order = refund.Order{InvoiceID: "1"} },
		"Order.InvoiceID: path":    func(r *refund.Request) { r.Order = refund.Order{InvoiceID: ".."} },
		"Part: fee of an order":    func(r *refund.Request) { r.Part = refund.PartFee },
		"Part: tax of a line":      func(r *refund.Request) { r.Line, r.Part = "7", refund.PartTax },
		"Part: return cost":        func(r *refund.Request) { r.Part = refund.PartReturnCost },
		"Line":                     func(r *refund.Request) { r.Line = "a/b" },
		"Reason":                   func(r *refund.Request) { r.Reason = strings.Repeat("r", 65) },
		"Metadata: many":           func(r *refund.Request) { r.Metadata = many },
		"Metadata: ours":           func(r *refund.Request) { r.Metadata = map[string]string{"idempotency_key": "x"} },
		"Metadata: long":           func(r *refund.Request) { r.Metadata = map[string]string{"k": strings.Repeat("v", 501)} },
	} {
		req := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")}
		change(&req)
		wire := &wiretest.Transport{Status: http.StatusCreated, Body: answer}
		_, err := newClient(t, wire).Refund(t.Context(), req)
		var e *refund.Error
		require.ErrorAs(t, err, &e, name)
		field, _, _ := strings.Cut(name, ":")
		assert.Equal(t, field, e.Field, name)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome, name)
		assert.Empty(t, wire.Dumps, name)
	}
}

// TestStates follows refunds over the clock.
func TestStates(t *testing.T) {
	b := newBench(t)
	hundred := refund.MustParseMoney("100.00", "USD")
	accept := func(fate digitalrivertest.Fate, key string) *refund.Refund {
		b.order = b.sim.AddOrder(hundred)
		b.sim.SetFate(b.order, fate)
		got, err := b.client.Refund(t.Context(), b.request(key, "100.00"))
		require.NoError(t, err)
		return got
	}
	read := func(r *refund.Refund) *refund.Refund {
		got, err := b.client.GetRefund(t.Context(), refund.Ref{Order: r.Order, ID: r.ID})
		require.NoError(t, err)
		assert.NotEmpty(t, got.Raw)
		return got
	}
	good, bad, failed := accept(digitalrivertest.Succeeds, "good"), accept(digitalrivertest.Fails, "bad"), accept(digitalrivertest.FailsAtOnce, "failed")
	asks, lapses := accept(digitalrivertest.NeedsInformation, "asks"), accept(digitalrivertest.NeedsInformation, "lapses")
	assert.Equal(t, refund.StatusPending, good.Status)
	assert.Equal(t, refund.StatusPending, bad.Status)
	assert.Equal(t, refund.StatusFailed, failed.Status)
	assert.Equal(t, "expired_or_canceled_card", failed.FailureReason)
	assert.Equal(t, refund.StatusNeedsAction, asks.Status)
	assert.WithinDuration(t, time.Now().Add(30*24*time.Hour), asks.ExpiresAt, time.Minute)
	b.sim.Inform(asks.Order)
	assert.Equal(t, refund.StatusPending, read(asks).Status)

	b.sim.Advance(25 * time.Hour)
	assert.Equal(t, refund.StatusSucceeded, read(good).Status)
	assert.Equal(t, refund.StatusFailed, read(bad).Status)
	assert.Equal(t, refund.StatusSucceeded, read(asks).Status)
	assert.Equal(t, refund.StatusNeedsAction, read(lapses).Status)
	b.sim.Advance(30 * 24 * time.Hour)
	assert.Equal(t, refund.StatusExpired, read(lapses).Status)

	// The same key is the same refund for ever; with a new one it is sent again, and the money is there.
	b.order = bad.Order
	again, err := b.client.Refund(t.Context(), b.request("bad", "100.00"))
	require.NoError(t, err)
	assert.Equal(t, bad.ID, again.ID)
	assert.Equal(t, refund.StatusFailed, again.Status)
	assert.Empty(t, b.sim.Ledger(b.order))
	b.sim.SetFate(b.order, digitalrivertest.Succeeds)
	again, err = b.client.Refund(t.Context(), b.request("new", "100.00"))
	require.NoError(t, err)
	assert.Equal(t, refund.StatusPending, again.Status)
}

func TestAvailableAmount(t *testing.T) {
	b := newBench(t)
	available := func() refund.Money {
		o, err := b.client.RetrieveOrder(t.Context(), digitalriver.ID(b.order.ID))
		require.NoError(t, err)
		return o.AvailableToRefund()
	}
	_, err := b.client.Refund(t.Context(), b.request("k", "40.00"))
	require.NoError(t, err)
	assert.Equal(t, refund.MustParseMoney("60.00", "USD"), available(), "pending refunds count")
	_, err = b.client.Refund(t.Context(), b.request("k2", "60.01"))
	require.ErrorIs(t, err, refund.ErrAmountExceeded)
	assert.True(t, digitalriver.HasCode(err, digitalriver.CodeInvalidParameter))

	// Only what was captured can be refunded, and nothing in a dispute.
	b.order = b.sim.AddDeferredOrder(refund.MustParseMoney("100.00", "USD"), refund.MustParseMoney("10.00", "USD"))
	_, err = b.client.Refund(t.Context(), b.request("k3", "10.01"))
	require.ErrorIs(t, err, refund.ErrAmountExceeded)
	b.sim.Capture(b.order, refund.MustParseMoney("0.01", "USD"))
	b.sim.SetDispute(b.order, true)
	_, err = b.client.Refund(t.Context(), b.request("k3", "10.01"))
	require.ErrorIs(t, err, refund.ErrNotRefundable)
	b.sim.SetDispute(b.order, false)
	_, err = b.client.Refund(t.Context(), b.request("k3", "10.01"))
	require.NoError(t, err)
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sim.SetRateLimit(1)
		_, err := b.client.Refund(t.Context(), b.request("k", "10.00")) // the look-up takes the first second
		require.NoError(t, err, "429 is waited out, for a write too")
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

func TestRefunds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var made []*refund.Refund
		for i := range 3 {
			<-time.After(time.Hour)
			got, err := b.client.Refund(t.Context(), b.request(fmt.Sprint("k", i), "1.00"))
			require.NoError(t, err)
			made = append(made, got)
		}
		<-time.After(22*time.Hour + time.Minute) // the first settles
		list := func(q refund.Query) (keys []string) {
			for r, err := range b.client.Refunds(t.Context(), q) {
				require.NoError(t, err)
				assert.Equal(t, b.order, r.Order)
				keys = append(keys, r.IdempotencyKey)
			}
			return keys
		}
		assert.Equal(t, []string{"k2", "k1", "k0"}, list(refund.Query{}))
		assert.Equal(t, []string{"k2", "k1", "k0"}, list(refund.Query{Order: b.order}))
		assert.Equal(t, []string{"k2", "k1"}, list(refund.Query{Since: made[1].CreatedAt}))
		assert.Equal(t, []string{"k2"}, list(refund.Query{Since: made[1].CreatedAt.Add(time.Nanosecond)}))
		assert.Equal(t, []string{"k0"}, list(refund.Query{Until: made[1].CreatedAt}))
		assert.Equal(t, []string{"k1", "k0"}, list(refund.Query{Until: made[1].CreatedAt.Add(time.Nanosecond)}))
		assert.Equal(t, []string{"k0"}, list(refund.Query{Order: b.order, Status: refund.StatusSucceeded}))
		assert.Equal(t, []string{"k2", "k1"}, list(refund.Query{Status: refund.StatusPending}))
		assert.Empty(t, list(refund.Query{Status: refund.StatusNeedsAction}))

		// A provider that ignores the filters.
		client := newClient(t, byPath{"/refunds": `{"hasMore":false,"data":[{"id":"1","orderId":"7","createdTime":"1999-01-01T00:00:00Z"},{"id":"2","invoiceId":"8"}]}`})
		var ids []string
		for r, err := range client.Refunds(t.Context(), refund.Query{Since: made[0].CreatedAt}) {
			require.NoError(t, err)
			ids = append(ids, r.ID)
			assert.Equal(t, refund.Order{InvoiceID: "8"}, r.Order)
		}
		assert.Equal(t, []string{"2"}, ids, "one without a date may be meant")
	})
}

func TestGetRefund(t *testing.T) {
	b := newBench(t)
	made, err := b.client.Refund(t.Context(), b.request("k", "1.00"))
	require.NoError(t, err)
	got, err := b.client.GetRefund(t.Context(), refund.Ref{ID: made.ID})
	require.NoError(t, err)
	assert.Equal(t, b.order, got.Order, "read from the refund")
	_, err = b.client.GetRefund(t.Context(), refund.Ref{ID: made.ID, Order: refund.Order{ID: "2"}})
	require.ErrorIs(t, err, refund.ErrOrderNotFound)
	_, err = b.client.GetRefund(t.Context(), refund.Ref{ID: "re_none"})
	require.ErrorIs(t, err, refund.ErrOrderNotFound)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, http.StatusNotFound, e.HTTPStatus)
}
