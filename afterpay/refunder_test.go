package afterpay_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// bench is a simulator, a network in front of it, and a client.
type bench struct {
	sim    *afterpaytest.Simulator
	net    *refundtest.Network
	client *afterpay.Client
	order  refund.Order
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{sim: afterpaytest.New()}
	b.net = refundtest.NewNetwork(refundtest.InMemory(b.sim))
	b.client = newClient(t, b.net)
	b.order = b.sim.AddOrder(refund.MustParseMoney("100.00", "AUD"))
	return b
}

func (b *bench) request(key, amount string) refund.Request {
	return refund.Request{IdempotencyKey: key, Order: b.order, Amount: refund.MustParseMoney(amount, "AUD")}
}

// lose makes a refund whose answers are all lost.
func (b *bench) lose(t *testing.T, req refund.Request) refund.Attempt {
	t.Helper()
	b.net.Always(refundtest.LostAnswer)
	defer b.net.Always("")
	_, err := b.client.Refund(t.Context(), req)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, refund.OutcomeUnknown, e.Outcome)
	return e.Attempt
}

func TestResolveWhileTheKeyIsYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.lose(t, b.request("k", "10.00"))
		assert.Equal(t, 3, attempt.Tries)
		got, err := b.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Equal(t, "k", got.Refund.IdempotencyKey)
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestResolveOldKeyOnlyReads: past its life the key protects nothing, and a repeat would be a second refund.
func TestResolveOldKeyOnlyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.lose(t, b.request("k", "10.00"))
		<-time.After(25 * time.Hour)
		got, err := b.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Equal(t, refund.MustParseMoney("10.00", "AUD"), got.Refund.Amount)
		assert.Len(t, b.sim.Ledger(b.order), 1, "the key is forgotten: sending it again would have paid twice")

		never := attempt
		never.Request.IdempotencyKey = "never-arrived"
		got, err = b.client.Resolve(t.Context(), never)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictNotApplied, got.Verdict)
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

func TestResolveWithoutTimesOnlyReads(t *testing.T) {
	b := newBench(t)
	got, err := b.client.Resolve(t.Context(), refund.Attempt{Request: b.request("k", "10.00")})
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictNotApplied, got.Verdict)
	assert.Empty(t, b.sim.Ledger(b.order))
}

// TestResolveDoesNotBelieveAbsenceAtOnce: reads lag behind writes.
func TestResolveDoesNotBelieveAbsenceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		<-time.After(time.Hour)
		attempt := b.lose(t, b.request("k", "10.00"))
		attempt.FirstSent = attempt.FirstSent.Add(-25 * time.Hour) // too old to be sent again
		b.sim.SetReadLag(time.Minute)
		got, err := b.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		require.True(t, got.NotBefore.After(time.Now()))

		<-time.After(time.Until(got.NotBefore))
		got, err = b.client.Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
	})
}

// TestResolveRefusedRepeat: a repeat that is refused says that the original was not made only if the payment agrees.
func TestResolveRefusedRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.net.Always(refundtest.ServerErrorBeforeCommit)
		_, err := b.client.Refund(t.Context(), b.request("lost", "60.00"))
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		b.net.Always("")
		_, err = b.client.Refund(t.Context(), b.request("other", "60.00"))
		require.NoError(t, err)

		got, err := b.client.Resolve(t.Context(), e.Attempt) // 422: no 60.00 are left
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		<-time.After(time.Until(got.NotBefore))
		got, err = b.client.Resolve(t.Context(), e.Attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictNotApplied, got.Verdict)
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestRefusalAfterALostAttempt: what refuses the second attempt may be the success of the first.
func TestRefusalAfterALostAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.net.Inject(refundtest.LostAnswer, refundtest.HTMLBlockPage)
		_, err := b.client.Refund(t.Context(), b.request("k", "10.00"))
		require.ErrorIs(t, err, refund.ErrForbidden)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

// TestResolveFailureKeepsTheAttempt: a repeat that is lost as well makes the attempt younger, not forgotten.
func TestResolveFailureKeepsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		attempt := b.lose(t, b.request("k", "10.00"))
		<-time.After(time.Hour)
		for _, fault := range []refundtest.Fault{refundtest.LostAnswer, refundtest.DialError, refundtest.HTMLBlockPage} {
			b.net.Always(fault)
			_, err := b.client.Resolve(t.Context(), attempt)
			var e *refund.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, refund.OutcomeUnknown, e.Outcome, fault)
			assert.Equal(t, attempt.FirstSent, e.Attempt.FirstSent, fault)
			assert.Equal(t, fault != refundtest.DialError, e.Attempt.LastSent.After(attempt.LastSent), fault)
			assert.Equal(t, attempt.Request.IdempotencyKey, e.Attempt.Request.IdempotencyKey)
		}
	})
}

func TestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.sim.SetProcessing(3 * time.Minute)
		_, err := b.client.Refund(t.Context(), b.request("k", "10.00")) // times out, and the repeats meet 409
		require.ErrorIs(t, err, refund.ErrInFlight)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, refund.OutcomeUnknown, e.Outcome)

		_, err = b.client.Resolve(t.Context(), e.Attempt)
		require.ErrorIs(t, err, refund.ErrInFlight)
		first := e.Attempt
		require.ErrorAs(t, err, &e)
		assert.Equal(t, first.FirstSent, e.Attempt.FirstSent)
		assert.True(t, e.Attempt.LastSent.After(first.LastSent), "it was sent again")
		<-time.After(3 * time.Minute)
		got, err := b.client.Resolve(t.Context(), e.Attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictApplied, got.Verdict)
		assert.Len(t, b.sim.Ledger(b.order), 1)
	})
}

func TestResolveAmbiguousIsForAPerson(t *testing.T) {
	const unmarked = `{"id":"1","refunds":[{"refundId":"9","refundedAt":"2021-08-25T14:56:33.753Z","amount":{"amount":"10.00","currency":"AUD"}}],"events":[%s]}`
	attempt := refund.Attempt{Request: refund.Request{
		IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "AUD"),
	}}
	client := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: fmt.Sprintf(unmarked, "")})
	got, err := client.Resolve(t.Context(), attempt)
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
	assert.True(t, got.NotBefore.IsZero(), "asking again does not help")

	// The same entry made by a void is none of ours.
	client = newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: fmt.Sprintf(unmarked, `{"id":"9","type":"VOIDED"}`)})
	got, err = client.Resolve(t.Context(), attempt)
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictNotApplied, got.Verdict)
}

func TestWindow(t *testing.T) {
	b := newBench(t)
	req := b.request("k", "10.00")
	req.Order.PurchasedAt = time.Now().Add(-121 * 24 * time.Hour)
	got, err := b.client.Refund(t.Context(), req)
	require.NoError(t, err, "the provider decides")
	assert.Len(t, got.Warnings, 1)

	req.IdempotencyKey, req.Order.PurchasedAt = "k2", time.Now().Add(-119*24*time.Hour)
	got, err = b.client.Refund(t.Context(), req)
	require.NoError(t, err)
	assert.Empty(t, got.Warnings)

	cfg := b.sim.Config()
	cfg.EnforceWindow, cfg.Transport = true, &wiretest.Transport{}
	strict, err := afterpay.New(cfg)
	require.NoError(t, err)
	req.Order.PurchasedAt = time.Now().Add(-121 * 24 * time.Hour)
	_, err = strict.Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrWindowExpired)
	assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))

	b.sim.Advance(121 * 24 * time.Hour)
	req.IdempotencyKey = "k3"
	_, err = b.client.Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrWindowExpired)
	assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))
}

func TestOrders(t *testing.T) {
	b := newBench(t)
	ten := refund.MustParseMoney("10.00", "AUD")
	req := b.request("k", "10.00")

	req.Order = b.sim.AddDeclinedOrder(ten)
	_, err := b.client.Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrNotRefundable)

	req.Order = b.sim.UnknownOrder()
	b.sim.AnswerUnknownWith404()
	_, err = b.client.Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrOrderNotFound)
	assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))

	// Only what was captured can be refunded.
	req.Order = b.sim.AddDeferredOrder(ten, refund.MustParseMoney("4.00", "AUD"))
	_, err = b.client.Refund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrAmountExceeded)
	assert.True(t, afterpay.HasCode(err, afterpay.CodeInvalidAmount))
}

// TestRefundsLeavesVoidsOut: they stand in the same list.
func TestRefundsLeavesVoidsOut(t *testing.T) {
	b := newBench(t)
	b.order = b.sim.AddDeferredOrder(refund.MustParseMoney("50.00", "AUD"), refund.MustParseMoney("20.00", "AUD"))
	b.sim.Void(b.order, refund.MustParseMoney("30.00", "AUD"))
	made, err := b.client.Refund(t.Context(), b.request("k", "5.00"))
	require.NoError(t, err)
	list := func(q refund.Query) (ids []string) {
		q.Order = b.order
		for r, err := range b.client.Refunds(t.Context(), q) {
			require.NoError(t, err)
			ids = append(ids, r.ID)
		}
		return ids
	}
	assert.Equal(t, []string{made.ID}, list(refund.Query{}))
	assert.Equal(t, []string{made.ID}, list(refund.Query{Since: made.CreatedAt, Status: refund.StatusSucceeded}))
	assert.Empty(t, list(refund.Query{Until: made.CreatedAt}))
	assert.Empty(t, list(refund.Query{Since: made.CreatedAt.Add(time.Second)}))
	assert.Empty(t, list(refund.Query{Status: refund.StatusPending}))

	p, err := b.client.RetrievePayment(t.Context(), b.order.ID)
	require.NoError(t, err)
	assert.Len(t, p.Refunds, 2)
	_, err = b.client.GetRefund(t.Context(), refund.Ref{Order: b.order, ID: "none"})
	require.ErrorIs(t, err, refund.ErrOrderNotFound)
}
