package backd_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// bench is a simulator, a network in front of it, and a client.
type bench struct {
	sim    *backdtest.Simulator
	net    *refundtest.Network
	client *backd.Client
	order  refund.Order
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{sim: backdtest.New()}
	b.net = refundtest.NewNetwork(refundtest.InMemory(b.sim))
	b.client = newClient(t, b.net)
	b.order = b.sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
	return b
}

func (b *bench) request(key, amount string) refund.Request {
	return refund.Request{IdempotencyKey: key, Order: b.order, Amount: refund.MustParseMoney(amount, "USD")}
}

// ref names the order's active refund.
func (b *bench) ref() refund.Ref { return refund.Ref{Order: b.order} }

// lose makes a refund whose response is lost.
func (b *bench) lose(t *testing.T, req refund.Request) refund.Attempt {
	t.Helper()
	return b.fail(t, req, refundtest.LostAnswer)
}

func (b *bench) fail(t *testing.T, req refund.Request, fault refundtest.Fault) refund.Attempt {
	t.Helper()
	b.net.Inject(fault)
	_, err := b.client.Refund(t.Context(), req)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, refund.OutcomeUnknown, e.Outcome)
	return e.Attempt
}

// notSent checks an error of a refund that Backd was not asked for.
func notSent(t *testing.T, err, kind error) (got refund.Error) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	return *e
}

// writes counts the requests that were no reads.
func (b *bench) writes() (n int) {
	for _, r := range b.net.Requests() {
		if r.Method != http.MethodGet {
			n++
		}
	}
	return n
}

// nativeDelete makes an entry of b's history: a request that was made and deleted.
func (b *bench) nativeDelete(t *testing.T) {
	t.Helper()
	_, err := b.client.DeleteRefund(t.Context(), backd.DeleteRequest{BackdOrderID: b.order.ID, MerchantOrderID: b.order.MerchantID})
	require.NoError(t, err)
}

func (b *bench) nativeReplace(t *testing.T, amount string) {
	t.Helper()
	_, err := b.client.ReplaceRefund(t.Context(), backd.RefundRequest{
		BackdOrderID: b.order.ID, MerchantOrderID: b.order.MerchantID, RefundAmount: refund.MustParseMoney(amount, "USD"),
	})
	require.NoError(t, err)
}

// noon waits for noon in Chicago on a Monday.
func noon(t *testing.T) {
	t.Helper()
	zone := backd.LocksAt(time.Now()).Location()
	<-time.After(time.Until(time.Date(2000, 1, 3, 12, 0, 0, 0, zone)))
}

func TestRefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		b := newBench(t)
		got, err := b.client.Refund(t.Context(), b.request("k", "10.00"))
		require.NoError(t, err)
		assert.Equal(t, "2000-01-03 12:00:00/10.00", got.ID)
		assert.Equal(t, "k", got.IdempotencyKey)
		assert.Equal(t, refund.StatusPending, got.Status)
		assert.Equal(t, "draft", got.ProviderStatus)
		assert.True(t, got.CreatedAt.Equal(time.Now()))
		assert.Equal(t, 5*time.Hour, got.LocksAt.Sub(got.CreatedAt))
		assert.Empty(t, got.Warnings)
	})
}

// TestActiveRequestIsNotReplaced, whoever made it: a second POST would silently decline it.
func TestActiveRequestIsNotReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		b := newBench(t)
		_, err := b.client.Refund(t.Context(), b.request("first", "10.00"))
		require.NoError(t, err)
		for _, approve := range []bool{false, true} {
			if approve {
				b.sim.Approve(b.order)
			}
			for _, key := range []string{"first", "second"} {
				_, err := b.client.Refund(t.Context(), b.request(key, "20.00"))
				e := notSent(t, err, refund.ErrConflict)
				assert.Equal(t, refund.AdviceWait, e.Advice())
				assert.Equal(t, key, e.IdempotencyKey)
				assert.Contains(t, e.Message, "10.00 USD")
				assert.Contains(t, e.Message, "2000-01-03T17:00:00-06:00")
			}
		}
		<-time.After(5 * time.Hour) // 17:00
		_, err = b.client.Refund(t.Context(), b.request("first", "10.00"))
		e := notSent(t, err, refund.ErrLocked)
		assert.Contains(t, e.Message, "10.00 USD")
		assert.Contains(t, e.Message, "2000-01-03T17:00:00-06:00")

		b.sim.Pay(b.order) // whatever a paid request looks like: it is not declined
		_, err = b.client.Refund(t.Context(), b.request("first", "10.00"))
		notSent(t, err, refund.ErrLocked)
		assert.Equal(t, 1, b.writes())
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

func TestDeclinedRequestsAreNotInTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		b := newBench(t)
		b.nativeReplace(t, "10.00")
		b.nativeReplace(t, "20.00")
		b.nativeDelete(t)
		got, err := b.client.Refund(t.Context(), b.request("k", "10.00")) // within the second of the first, for its amount
		require.NoError(t, err)
		assert.Equal(t, "draft", got.ProviderStatus)
		assert.Empty(t, got.Warnings)
		assert.Equal(t, []refund.Money{refund.MustParseMoney("10.00", "USD")}, b.sim.Ledger(b.order))
	})
}

// TestWhenAnActiveRequestLocks: locked_at counts; without it, and it is documented, the rule does.
func TestWhenAnActiveRequestLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		for refunds, kind := range map[string]error{
			`{"amount":1,"status":"draft","create_date":"1999-12-01 10:00:00","locked_at":"2000-01-03 12:00:01"}`: refund.ErrConflict,
			`{"amount":1,"status":"draft","create_date":"2000-01-03 11:00:00","locked_at":"2000-01-03 12:00:00"}`: refund.ErrLocked,
			`{"amount":1,"status":"draft","create_date":"2000-01-03 11:00:00"}`:                                   refund.ErrConflict,
			`{"amount":1,"status":"draft","create_date":"1999-12-30 11:00:00","locked_at":"?"}`:                   refund.ErrLocked,
			`{"amount":1,"status":"draft","create_date":"1999-12-31 17:00:00","locked_at":""}`:                    refund.ErrConflict,
			`{"amount":1,"status":"DRAFT"}`: refund.ErrConflict,
			// The one that can still be replaced is the one to name.
			`{"amount":1,"status":"paid","locked_at":"1999-01-01"},{"amount":1,"status":"approved","locked_at":"2001-01-01"}`: refund.ErrConflict,
		} {
			wire := answers(order(refunds), "")
			_, err := newClient(t, wire).Refund(t.Context(), commonRequest("10.00"))
			require.ErrorIs(t, err, kind, refunds)
			assert.Empty(t, wire.write.Dumps)
		}
	})
}

func TestOrders(t *testing.T) {
	b := newBench(t)
	for _, status := range []backd.OrderStatus{backd.OrderTermsSelected, backd.OrderPlaced, backd.OrderRefund, "canceled", ""} {
		b.sim.SetOrderStatus(b.order, status)
		_, err := b.client.Refund(t.Context(), b.request("k", "10.00"))
		e := notSent(t, err, refund.ErrNotRefundable)
		assert.Equal(t, refund.AdviceStop, e.Advice())
	}
	b.sim.SetOrderStatus(b.order, backd.OrderConfirmed)

	_, err := b.client.Refund(t.Context(), b.request("k", "100.01"))
	assert.Equal(t, "Amount", notSent(t, err, refund.ErrAmountExceeded).Field)

	req := b.request("k", "10.00")
	req.Order.MerchantID = "another"
	_, err = b.client.Refund(t.Context(), req)
	assert.Equal(t, "Order.MerchantID", notSent(t, err, refund.ErrInvalidRequest).Field)

	req.Order = b.sim.UnknownOrder()
	_, err = b.client.Refund(t.Context(), req)
	notSent(t, err, refund.ErrOrderNotFound)
	b.sim.RefuseByStatus()
	_, err = b.client.Refund(t.Context(), req)
	notSent(t, err, refund.ErrOrderNotFound)
	assert.Zero(t, b.writes())

	for _, total := range []string{"null", "10.001", "1e99"} {
		wire := answers(strings.Replace(order(""), "9150", total, 1), "")
		_, err = newClient(t, wire).Refund(t.Context(), commonRequest("10.00"))
		notSent(t, err, refund.ErrNotRefundable)
		assert.Empty(t, wire.write.Dumps)
	}

	_, err = b.client.Refund(t.Context(), b.request("k", "100.00"))
	require.NoError(t, err)
}

// TestProcessDied: between the call and its record. Another process with the same key is refused.
func TestProcessDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.lose(t, b.request("k", "10.00")) // nobody keeps the attempt
		_, err := newClient(t, b.net).Refund(t.Context(), b.request("k", "10.00"))
		notSent(t, err, refund.ErrConflict)
		assert.Equal(t, 1, b.writes())
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// late holds writes back until as many reads have been answered.
type late struct {
	next http.RoundTripper
	gate *sync.WaitGroup
}

// RoundTrip implements http.RoundTripper.
func (l late) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		l.gate.Wait()
		return l.next.RoundTrip(req)
	}
	defer l.gate.Done()
	return l.next.RoundTrip(req)
}

// TestSameKeyAtTheSameTime: two clients that see no request both send. Backd lets the later one replace the earlier.
func TestSameKeyAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var gate, done sync.WaitGroup
		gate.Add(2)
		warnings := make(chan int, 2)
		for range 2 {
			client := newClient(t, late{b.net, &gate})
			done.Go(func() {
				got, err := client.Refund(t.Context(), b.request("k", "10.00"))
				if assert.NoError(t, err) {
					warnings <- len(got.Warnings)
				}
			})
		}
		done.Wait()
		assert.Equal(t, 2, b.writes())
		assert.Equal(t, []refund.Money{refund.MustParseMoney("10.00", "USD")}, b.sim.Ledger(b.order), "one is paid")
		assert.Equal(t, 1, <-warnings+<-warnings, "the later one says that it has replaced another")
	})
}

func TestResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		b := newBench(t)
		b.nativeReplace(t, "10.00") // history of the same amount
		b.nativeDelete(t)
		<-time.After(time.Minute)
		attempt := b.lose(t, b.request("k", "10.00"))
		assert.Equal(t, 1, attempt.Tries)
		assert.JSONEq(t, `[["10.00","2000-01-03 12:00:00","declined"]]`, string(attempt.Snapshot))
		writes := b.writes()
		for _, next := range []func(refund.Order){b.sim.Approve, b.sim.Pay, b.sim.Approve} { // the same entry in other states
			got, err := b.client.Resolve(t.Context(), attempt)
			require.NoError(t, err)
			require.Equal(t, refund.VerdictApplied, got.Verdict, got.Why)
			assert.Equal(t, "2000-01-03 12:01:00/10.00", got.Refund.ID)
			assert.Equal(t, "k", got.Refund.IdempotencyKey)
			assert.Equal(t, b.order, got.Refund.Order)
			next(b.order)
		}
		assert.Equal(t, writes, b.writes(), "resolving only reads")
	})
}

// settle asks what became of an attempt, as often and as late as Resolve says.
func settle(t *testing.T, client *backd.Client, a refund.Attempt) (got refund.Resolution) {
	t.Helper()
	for range 20 {
		var err error
		got, err = client.Resolve(t.Context(), a)
		require.NoError(t, err)
		if got.NotBefore.IsZero() {
			return got
		}
		require.Equal(t, refund.VerdictUndetermined, got.Verdict)
		<-time.After(time.Until(got.NotBefore))
		a = got.Attempt
	}
	require.Fail(t, "it is never settled")
	return got
}

func TestResolveNotApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.fail(t, b.request("k", "10.00"), refundtest.ServerErrorBeforeCommit)
		got := settle(t, b.client, attempt)
		assert.Equal(t, refund.VerdictNotApplied, got.Verdict, got.Why)
		assert.GreaterOrEqual(t, time.Since(attempt.LastSent), b.client.Capabilities().AbsenceAfter+time.Minute)

		_, err := b.client.Refund(t.Context(), attempt.Request)
		require.NoError(t, err)
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestResolveLooksTwice: what the first look does not show, the second may.
func TestResolveLooksTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		attempt := refund.Attempt{Request: commonRequest("10.00"), Snapshot: "[]", Tries: 1, LastSent: time.Now().Add(-2 * time.Hour)}
		empty := &wiretest.Transport{Status: http.StatusOK, Body: order("")}
		full := &wiretest.Transport{Status: http.StatusOK, Body: order(entry("10.00", "2026-04-16 10:30:00", "draft"))}
		got := settle(t, newClient(t, inTurn(empty, full)), attempt)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)

		client := newClient(t, inTurn(empty, &wiretest.Transport{Status: http.StatusNotFound}))
		got, err := client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		require.True(t, got.Attempt.MissedAt.Equal(time.Now()))
		<-time.After(time.Minute)
		missed := got.Attempt
		got, err = client.Resolve(t.Context(), missed)
		require.ErrorIs(t, err, refund.ErrOrderNotFound, "it was there when the snapshot was taken")
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		assert.Equal(t, refund.Resolution{}, got)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, missed, e.Attempt)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// inTurn lets each transport carry one request.
func inTurn(transports ...*wiretest.Transport) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		next := transports[0]
		transports = transports[1:]
		return next.RoundTrip(req)
	})
}

// TestResolveBySnapshot has what a look may show besides what was there before.
func TestResolveBySnapshot(t *testing.T) {
	const now = "2026-04-16 10:30:00"
	old, fits := entry("5.00", "2026-04-01 09:00:00", "declined"), entry("10.0", now, "draft")
	const before = `[["5.00","2026-04-01 09:00:00","declined"]]`
	for name, tt := range map[string]struct {
		snapshot refund.Snapshot
		read     string
		status   backd.OrderStatus // order_confirmed if it is empty
		verdict  refund.Verdict    // undetermined ones are for a person
		wait     bool              // while it is young, waiting may help
	}{
		"one that fits":                    {snapshot: before, read: old + "," + fits, verdict: refund.VerdictApplied},
		"one that fits, first":             {snapshot: before, read: fits + "," + old, verdict: refund.VerdictApplied},
		"one that fits, nothing before":    {snapshot: "[]", read: fits, verdict: refund.VerdictApplied},
		"one that fits, refunded":          {snapshot: "[]", read: fits, status: backd.OrderRefund, verdict: refund.VerdictApplied},
		"binary noise":                     {snapshot: "[]", read: entry("9.999999999999998", now, "draft"), verdict: refund.VerdictApplied},
		"approved meanwhile":               {snapshot: "[]", read: entry("10.00", now, "approved"), verdict: refund.VerdictApplied},
		"in a status that nobody has seen": {snapshot: "[]", read: entry("10.00", now, "executed"), verdict: refund.VerdictApplied},
		"the same, but for another second": {snapshot: `[["10.00","2026-04-16 10:29:59","declined"]]`, read: entry("10.00", "2026-04-16 10:29:59", "declined") + "," + fits, verdict: refund.VerdictApplied},
		"the same, in the same second":     {snapshot: `[["10.00","` + now + `","declined"]]`, read: fits + "," + entry("10.00", now, "declined"), verdict: refund.VerdictApplied},
		"two that fit, one in another status before": {
			snapshot: `[["10.00","` + now + `","draft"]]`, read: entry("10.00", now, "approved") + "," + entry("10.00", now, "approved"), verdict: refund.VerdictApplied,
		},
		"nothing new":                       {snapshot: before, read: old, verdict: refund.VerdictNotApplied, wait: true},
		"nothing at all":                    {snapshot: "[]", read: "", verdict: refund.VerdictNotApplied, wait: true},
		"only another status":               {snapshot: `[["10.00","` + now + `","draft"]]`, read: entry("10.00", now, "approved"), verdict: refund.VerdictNotApplied, wait: true},
		"declined, and active again":        {snapshot: `[["10.00","` + now + `","declined"]]`, read: fits, wait: true},
		"nothing new, refunded":             {snapshot: before, read: old, status: backd.OrderRefund, wait: true},
		"nothing new, canceled":             {snapshot: before, read: old, status: "canceled", wait: true},
		"another amount":                    {snapshot: before, read: old + "," + entry("9.00", now, "draft")},
		"no amount":                         {snapshot: before, read: old + "," + entry("null", now, "draft")},
		"declined":                          {snapshot: before, read: old + "," + entry("10.00", now, "declined")},
		"declined, spelled otherwise":       {snapshot: before, read: old + "," + entry("10.00", now, "DECLINE")},
		"two that fit":                      {snapshot: before, read: old + "," + fits + "," + fits},
		"one that fits, and another":        {snapshot: before, read: old + "," + fits + "," + entry("3.00", now, "declined")},
		"no snapshot":                       {snapshot: "", read: ""},
		"null for a snapshot":               {snapshot: "null", read: ""},
		"a snapshot of somebody else's":     {snapshot: `{"etag":1}`, read: fits},
		"one that fits, but others missing": {snapshot: before, read: fits, wait: true},
		"those from before missing":         {snapshot: before, read: "", wait: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body := strings.Replace(order(tt.read), "order_confirmed", string(cmp.Or(tt.status, backd.OrderConfirmed)), 1)
				wire := &wiretest.Transport{Status: http.StatusOK, Body: body}
				client := newClient(t, wire)
				attempt := refund.Attempt{Request: commonRequest("10.00"), Snapshot: tt.snapshot, Tries: 1, LastSent: time.Now()}
				got, err := client.Resolve(t.Context(), attempt)
				require.NoError(t, err)
				assert.Equal(t, tt.wait, !got.NotBefore.IsZero(), got.Why)
				if tt.wait {
					assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
				} else {
					assert.Equal(t, tt.verdict, got.Verdict)
				}

				got = settle(t, client, attempt)
				assert.Equal(t, tt.verdict, got.Verdict, got.Why)
				assert.Equal(t, tt.verdict == refund.VerdictApplied, got.Refund != nil)
				assert.NotEmpty(t, got.Why)
				if tt.verdict == refund.VerdictNotApplied {
					assert.Greater(t, time.Since(attempt.LastSent), time.Hour)
				}

				// When it was sent is not known: then absence proves nothing.
				attempt.LastSent = time.Time{}
				got = settle(t, client, attempt)
				assert.NotEqual(t, refund.VerdictNotApplied, got.Verdict)
			})
		})
	}
}

// TestResolveNeedsACompleteRead: an order without its list, another order, or one of somebody else's proves nothing.
func TestResolveNeedsACompleteRead(t *testing.T) {
	for name, body := range map[string]string{
		"no list":             `{"data":{"backd_order_id":"B1","merchant_order_id":"M1","status":"order_confirmed"},"status":{"error":false}}`,
		"null for a list":     strings.Replace(order(""), "[]", "null", 1),
		"another order":       strings.Replace(order(""), "B1", "B2", 1),
		"another merchant id": strings.Replace(order(""), "M1", "M2", 1),
		"an error's code":     strings.Replace(order(""), "200", "500", 1),
	} {
		wire := answers(body, order(entry("10.00", "2026-04-16 10:30:00", "draft")))
		client := newClient(t, wire)
		attempt := refund.Attempt{Request: commonRequest("10.00"), Snapshot: "[]", Tries: 1, LastSent: time.Now().Add(-2 * time.Hour)}
		got, err := client.Resolve(t.Context(), attempt)
		require.Error(t, err, name)
		assert.Equal(t, refund.Resolution{}, got)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), name)

		// Nor is anything paid, or taken back, because of it.
		_, err = client.Refund(t.Context(), commonRequest("10.00"))
		assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err), name)
		_, err = client.CancelRefund(t.Context(), refund.Ref{Order: attempt.Request.Order})
		assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err), name)
		_, err = client.Snapshot(t.Context(), attempt.Request)
		require.Error(t, err, name)
		require.Error(t, drain(client.Refunds(t.Context(), refund.Query{Order: attempt.Request.Order})), name)
		assert.Empty(t, wire.write.Dumps, name)
	}
}

// TestResolveDoesNotBelieveAbsenceAtOnce: reads may lag behind writes.
func TestResolveDoesNotBelieveAbsenceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		<-time.After(time.Hour)
		b.sim.SetReadLag(time.Minute)
		attempt := b.lose(t, b.request("k", "10.00"))
		got, err := b.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		require.True(t, got.NotBefore.After(time.Now()))
		assert.Equal(t, refund.VerdictApplied, settle(t, b.client, attempt).Verdict)
	})
}

// TestResolveWithSomebodyElse: the same request of somebody else, made while ours was lost on its way, is taken for
// ours. The package comment says so. Nothing is paid twice by it.
func TestResolveWithSomebodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.fail(t, b.request("k", "10.00"), refundtest.ServerErrorBeforeCommit)
		b.nativeReplace(t, "10.00")
		got, err := b.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestSnapshot: taken before the call by whoever keeps a journal.
func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		b := newBench(t)
		snapshot, err := b.client.Snapshot(t.Context(), b.request("k", "10.00"))
		require.NoError(t, err)
		assert.Equal(t, refund.Snapshot("[]"), snapshot)

		attempt := b.lose(t, b.request("k", "10.00"))
		assert.Equal(t, snapshot, attempt.Snapshot)
		// Another process knows no more than what was written down.
		got, err := newClient(t, b.net).Resolve(t.Context(), refund.Attempt{Request: b.request("k", "10.00"), Snapshot: snapshot, LastSent: time.Now()})
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)

		snapshot, err = b.client.Snapshot(t.Context(), b.request("k", "10.00"))
		require.NoError(t, err)
		assert.JSONEq(t, `[["10.00","2000-01-03 12:00:00","draft"]]`, string(snapshot))

		_, err = newClient(t, &wiretest.Transport{Status: http.StatusNotFound}).Snapshot(t.Context(), b.request("k", "10.00"))
		require.ErrorIs(t, err, refund.ErrOrderNotFound)
		assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))
	})
}

func TestGetRefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		b := newBench(t)
		made, err := b.client.Refund(t.Context(), b.request("k", "10.00"))
		require.NoError(t, err)
		ref := refund.Ref{Order: b.order, ID: made.ID}
		check := func(status refund.Status, word string) {
			t.Helper()
			got, err := b.client.GetRefund(t.Context(), ref)
			require.NoError(t, err)
			assert.Equal(t, made.ID, got.ID, "the id stays")
			assert.Equal(t, made.Amount, got.Amount)
			assert.Equal(t, made.CreatedAt, got.CreatedAt)
			assert.True(t, made.LocksAt.Equal(got.LocksAt))
			assert.Equal(t, status, got.Status)
			assert.Equal(t, word, got.ProviderStatus)
		}
		check(refund.StatusPending, "draft")
		b.sim.Approve(b.order)
		check(refund.StatusPending, "approved")
		b.nativeDelete(t)
		check(refund.StatusCanceled, "declined")
		b.nativeReplace(t, "10.00") // in the same second: the active one has the id now
		check(refund.StatusPending, "draft")
		b.sim.Pay(b.order)
		check("", string(backdtest.Paid))

		_, err = b.client.GetRefund(t.Context(), refund.Ref{Order: b.order, ID: "none"})
		require.ErrorIs(t, err, refund.ErrOrderNotFound)
		assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))
	})
}

func TestRefunds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		b := newBench(t)
		b.nativeReplace(t, "5.00")
		<-time.After(time.Hour)
		made, err := b.client.Refund(t.Context(), b.request("k", "10.00"))
		require.ErrorIs(t, err, refund.ErrConflict)
		require.Nil(t, made)
		b.nativeReplace(t, "10.00")
		const first, second = "2000-01-03 12:00:00/5.00", "2000-01-03 13:00:00/10.00"
		list := func(q refund.Query) (ids []string) {
			q.Order = refund.Order{ID: b.order.ID}
			for r, err := range b.client.Refunds(t.Context(), q) {
				require.NoError(t, err)
				ids = append(ids, r.ID)
			}
			return ids
		}
		now := time.Now()
		assert.Equal(t, []string{first, second}, list(refund.Query{}))
		assert.Equal(t, []string{second}, list(refund.Query{Since: now, Status: refund.StatusPending}))
		assert.Equal(t, []string{first}, list(refund.Query{Until: now}))
		assert.Equal(t, []string{first}, list(refund.Query{Status: refund.StatusCanceled}))
		assert.Empty(t, list(refund.Query{Since: now.Add(time.Second)}))
		assert.Empty(t, list(refund.Query{Status: refund.StatusSucceeded}))
	})
}

func TestCancelRefund(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		b := newBench(t)
		_, err := b.client.CancelRefund(t.Context(), b.ref())
		notSent(t, err, refund.ErrOrderNotFound)

		made, err := b.client.Refund(t.Context(), b.request("k", "10.00"))
		require.NoError(t, err)
		_, err = b.client.CancelRefund(t.Context(), refund.Ref{Order: b.order, ID: "2000-01-03 11:59:59/10.00"})
		e := notSent(t, err, refund.ErrOrderNotFound)
		assert.Equal(t, "ID", e.Field)
		assert.Contains(t, e.Message, made.ID)
		assert.Len(t, b.sim.Ledger(b.order), 1)

		got, err := b.client.CancelRefund(t.Context(), refund.Ref{Order: b.order, ID: made.ID})
		require.NoError(t, err)
		assert.Equal(t, made.ID, got.ID)
		assert.Equal(t, refund.StatusCanceled, got.Status)
		assert.Empty(t, b.sim.Ledger(b.order))

		_, err = b.client.Refund(t.Context(), b.request("k2", "10.00"))
		require.NoError(t, err)
		<-time.After(5 * time.Hour)
		writes := b.writes()
		_, err = b.client.CancelRefund(t.Context(), b.ref())
		notSent(t, err, refund.ErrLocked)
		assert.Equal(t, writes, b.writes())
		assert.Len(t, b.sim.Ledger(b.order), 1)

		_, err = b.client.CancelRefund(t.Context(), refund.Ref{Order: b.sim.UnknownOrder()})
		notSent(t, err, refund.ErrOrderNotFound)
	})
}

// TestCancelRefundWhoseAnswerIsLost: it is not sent again, because by then the active request may be another one.
func TestCancelRefundWhoseAnswerIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		b := newBench(t)
		_, err := b.client.Refund(t.Context(), b.request("k", "10.00"))
		require.NoError(t, err)
		b.net.Inject(refundtest.LostAnswer)
		_, err = b.client.CancelRefund(t.Context(), b.ref())
		require.Error(t, err)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		assert.Equal(t, 2, b.writes())
		assert.Empty(t, b.sim.Ledger(b.order))
		_, err = b.client.CancelRefund(t.Context(), b.ref())
		notSent(t, err, refund.ErrOrderNotFound)

		// Natively and on a dead pooled connection it is the same.
		b.nativeReplace(t, "10.00")
		b.net.Inject(refundtest.DuplicateDelivery)
		_, err = b.client.DeleteRefund(t.Context(), backd.DeleteRequest{BackdOrderID: b.order.ID, MerchantOrderID: b.order.MerchantID})
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		require.Error(t, err)
		assert.Empty(t, b.sim.Ledger(b.order))
	})
}

// TestNativeRefundWhoseAnswerIsLost is not sent again either: it might replace what somebody else has asked for since.
func TestNativeRefundWhoseAnswerIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for i, fault := range []refundtest.Fault{refundtest.LostAnswer, refundtest.ServerErrorAfterCommit, refundtest.DuplicateDelivery} {
			b.net.Inject(fault)
			_, err := b.client.ReplaceRefund(t.Context(), backd.RefundRequest{
				BackdOrderID: b.order.ID, MerchantOrderID: b.order.MerchantID, RefundAmount: refund.MustParseMoney("10.00", "USD"),
			})
			require.Error(t, err)
			assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
			assert.Equal(t, i+1, b.writes())
		}
	})
}

// TestReplaceLocked: what has locked, or will before a replacement may have arrived, is left alone.
func TestReplaceLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		b := newBench(t)
		replace := func() error {
			_, err := b.client.ReplaceRefund(t.Context(), backd.RefundRequest{
				BackdOrderID: b.order.ID, MerchantOrderID: b.order.MerchantID, RefundAmount: refund.MustParseMoney("20.00", "USD"),
			})
			return err
		}
		b.nativeReplace(t, "10.00")
		<-time.After(5*time.Hour - 2*time.Minute - time.Second)
		require.NoError(t, replace())
		writes := b.writes()
		<-time.After(time.Second) // two minutes before the lock
		e := notSent(t, replace(), refund.ErrLocked)
		assert.Contains(t, e.Message, "2000-01-03T17:00:00-06:00")
		<-time.After(2 * time.Minute)
		e = notSent(t, replace(), refund.ErrLocked)
		assert.Contains(t, e.Message, "2000-01-03T17:00:00-06:00")
		b.sim.Pay(b.order)
		notSent(t, replace(), refund.ErrLocked)
		assert.Equal(t, writes, b.writes())
		assert.Equal(t, []refund.Money{refund.MustParseMoney("20.00", "USD")}, b.sim.Ledger(b.order))
	})
}

// TestReplaceChecksTheOrder before anything is sent.
func TestReplaceChecksTheOrder(t *testing.T) {
	const at, later = "2026-04-16 10:30:00", `"create_date":"2026-04-16 10:30:00","locked_at":"2999-04-16 17:00:00"`
	for name, tt := range map[string]struct {
		read  string
		kind  error
		field string
	}{
		"a status that nobody has seen": {read: order(`{"amount":5,"status":"queued",` + later + `}`), kind: refund.ErrConflict},
		"two active":                    {read: order(entry("5.00", at, "draft") + "," + entry("6.00", at, "approved")), kind: refund.ErrConflict},
		"no time of the lock":           {read: order(`{"amount":5,"status":"draft"}`), kind: refund.ErrConflict},
		"the lock by the rule":          {read: order(`{"amount":5,"status":"draft","create_date":"1999-12-01 10:00:00"}`), kind: refund.ErrLocked},
		"not confirmed":                 {read: strings.Replace(order(""), "order_confirmed", "order_placed", 1), kind: refund.ErrNotRefundable},
		"refunded":                      {read: strings.Replace(order(""), "order_confirmed", "refund", 1), kind: refund.ErrNotRefundable},
		"more than the total":           {read: strings.Replace(order(""), "9150", "9.99", 1), kind: refund.ErrAmountExceeded, field: "RefundAmount"},
		"another merchant id":           {read: strings.Replace(order(""), "M1", "M2", 1), kind: refund.ErrInvalidRequest, field: "MerchantOrderID"},
		"another order":                 {read: strings.Replace(order(""), "B1", "B2", 1), kind: refund.ErrUnexpected},
		"no list":                       {read: strings.Replace(order(""), "[]", "null", 1), kind: refund.ErrUnexpected},
	} {
		wire := answers(tt.read, order(entry("10.00", at, "draft")))
		got, err := newClient(t, wire).ReplaceRefund(t.Context(), nativeRequest())
		assert.Nil(t, got, name)
		e := notSent(t, err, tt.kind)
		assert.Equal(t, tt.field, e.Field, name)
		assert.Empty(t, wire.write.Dumps, name)
	}
}

// TestReplaceNeedsProof: the former request declined, and one new active request of the amount.
func TestReplaceNeedsProof(t *testing.T) {
	const at, now = "2026-04-16 10:30:00", "2026-04-16 10:31:00"
	old, paid, made := entry("3.00", "2026-04-01 09:00:00", "declined"), entry("4.00", at, "paid"), entry("10.00", now, "draft")
	former, gone := entry("5.00", at, "draft"), entry("5.00", at, "declined")
	same, sameGone := entry("10.00", now, "approved"), entry("10.00", now, "declined")
	other := entry("7.00", now, "declined")
	for name, tt := range map[string]struct {
		read, write string
		declined    int
		kind        error // of OutcomeUnknown
	}{
		"the first":                         {read: order(old), write: order(old + "," + made)},
		"replaced":                          {read: order(old + "," + former), write: order(old + "," + gone + "," + made), declined: 1},
		"beside a paid one":                 {read: order(paid + "," + former), write: order(made + "," + gone + "," + paid), declined: 1},
		"by the same amount, in its second": {read: order(same), write: order(sameGone + "," + made), declined: 1},
		"another one in between":            {read: order(former), write: order(gone + "," + other + "," + made), declined: 2},
		"the former deleted in between":     {read: order(former), write: order(gone + "," + made), declined: 1},
		"the first, another in between":     {read: order(""), write: order(other + "," + made), declined: 1},
		"the former still active":           {read: order(former), write: order(former + "," + made), kind: refund.ErrUnexpected},
		"the former approved":               {read: order(former), write: order(entry("5.00", at, "approved") + "," + made), kind: refund.ErrUnexpected},
		"the former gone":                   {read: order(former), write: order(made), kind: refund.ErrUnexpected},
		"nothing new":                       {read: order(former), write: order(gone), kind: refund.ErrUnexpected},
		"nothing changed":                   {read: order(same), write: order(same), kind: refund.ErrUnexpected},
		"two new ones":                      {read: order(former), write: order(gone + "," + made + "," + made), kind: refund.ErrUnexpected},
		"another amount":                    {read: order(former), write: order(gone + "," + entry("9.00", now, "draft")), kind: refund.ErrConflict},
		"no amount":                         {read: order(former), write: order(gone + "," + entry("null", now, "draft")), kind: refund.ErrUnexpected},
		"another order":                     {read: order(former), write: strings.Replace(order(gone+","+made), "B1", "B2", 1), kind: refund.ErrUnexpected},
	} {
		got, err := newClient(t, answers(tt.read, tt.write)).ReplaceRefund(t.Context(), nativeRequest())
		if tt.kind != nil {
			assert.Nil(t, got, name)
			require.ErrorIs(t, err, tt.kind, name)
			assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, "10.00", got.Refund.Amount.StringFixed(2), name)
		assert.Equal(t, backd.RefundDraft, got.Refund.Status, name)
		assert.Len(t, got.Declined, tt.declined, name)
	}
}

// twice delivers every write twice, and hands back the second response. It stands on the way: the client's own transport does
// not see the second request.
type twice struct {
	next    http.RoundTripper
	between func()
}

// RoundTrip implements http.RoundTripper.
func (d twice) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		return d.next.RoundTrip(req)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	first, err := d.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if err := first.Body.Close(); err != nil {
		return nil, err
	}
	d.between()
	req = req.Clone(context.Background())
	req.Body = io.NopCloser(bytes.NewReader(body))
	return d.next.RoundTrip(req)
}

// TestDeliveredTwice: something on the way repeats the POST, at once or when the first one has locked or been paid. What is
// said of the second is never taken for what became of the refund.
func TestDeliveredTwice(t *testing.T) {
	for name, tt := range map[string]struct {
		between func(*bench)
		refused bool
	}{
		"at once":      {between: func(*bench) {}},
		"locked":       {between: func(b *bench) { b.sim.Advance(4 * 24 * time.Hour) }, refused: true},
		"paid":         {between: func(b *bench) { b.sim.Pay(b.order) }, refused: true},
		"in HTTP, too": {between: func(b *bench) { b.sim.Advance(4 * 24 * time.Hour); b.sim.RefuseByStatus() }, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				noon(t)
				b := newBench(t)
				client := newClient(t, twice{b.net, func() { tt.between(b) }})
				got, err := client.Refund(t.Context(), b.request("k", "10.00"))
				require.NoError(t, err, "it was made")
				assert.Equal(t, refund.MustParseMoney("10.00", "USD"), got.Amount)
				assert.Equal(t, "k", got.IdempotencyKey)
				assert.Len(t, got.Warnings, 1)
				assert.Len(t, b.sim.Ledger(b.order), 1)
				assert.Equal(t, 2, b.writes())

				b = newBench(t) // and natively
				b.nativeReplace(t, "5.00")
				client = newClient(t, twice{b.net, func() { tt.between(b) }})
				native, err := client.ReplaceRefund(t.Context(), backd.RefundRequest{
					BackdOrderID: b.order.ID, MerchantOrderID: b.order.MerchantID, RefundAmount: refund.MustParseMoney("10.00", "USD"),
				})
				assert.Equal(t, []refund.Money{refund.MustParseMoney("10.00", "USD")}, b.sim.Ledger(b.order))
				if tt.refused {
					require.ErrorIs(t, err, refund.ErrConflict)
					assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
					return
				}
				require.NoError(t, err)
				assert.Len(t, native.Declined, 2)
			})
		})
	}
}

// TestCancelDeliveredTwice: that there is nothing to take back is said because it has been taken back.
func TestCancelDeliveredTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon(t)
		b := newBench(t)
		b.nativeReplace(t, "10.00")
		_, err := newClient(t, twice{b.net, func() {}}).CancelRefund(t.Context(), b.ref())
		require.ErrorIs(t, err, refund.ErrConflict)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		assert.Empty(t, b.sim.Ledger(b.order))
	})
}

// TestCancelRefundNeedsProof: a success that does not show the request as declined cannot be believed.
func TestCancelRefundNeedsProof(t *testing.T) {
	active := entry("10.00", "2026-04-16 10:30:00", "draft")
	for name, answer := range map[string]string{
		"still active": order(active),
		"gone":         order(""),
		"another":      order(entry("10.00", "2026-04-16 10:30:01", "declined")),
		"no data":      `{"status":{"error":false}}`,
	} {
		_, err := newClient(t, answers(order(active), answer)).CancelRefund(t.Context(), refund.Ref{Order: refund.Order{ID: "B1", MerchantID: "M1"}})
		require.Error(t, err, name)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), name)
	}
}

// TestLockedMeanwhile: what locks between the look and the request is refused by Backd.
func TestLockedMeanwhile(t *testing.T) {
	b := newBench(t)
	b.nativeReplace(t, "10.00")
	b.sim.Advance(4 * 24 * time.Hour) // the provider's clock alone
	_, err := b.client.CancelRefund(t.Context(), b.ref())
	require.ErrorIs(t, err, refund.ErrConflict)
	assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))
	b.sim.RefuseByStatus()
	_, err = b.client.CancelRefund(t.Context(), b.ref())
	require.ErrorIs(t, err, refund.ErrConflict)
	assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))
	assert.Len(t, b.sim.Ledger(b.order), 1)
}
