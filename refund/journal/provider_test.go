package journal_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// afterpayBench is a journal around a real client, on a network that can fail.
type afterpayBench struct {
	sim     *afterpaytest.Simulator
	net     *refundtest.Network
	store   *flaky
	bare    refund.Refunder
	journal *journal.Journal
	client  refund.Refunder
	req     refund.Request
}

func newAfterpay(t *testing.T) *afterpayBench {
	t.Helper()
	b := &afterpayBench{sim: afterpaytest.New(), store: newFlaky()}
	b.net = refundtest.NewNetwork(refundtest.InMemory(b.sim))
	client, err := b.sim.Refunder(refund.Options{Transport: b.net})
	require.NoError(t, err)
	b.bare = client
	b.journal = journal.New(b.store, journal.Options{})
	b.client = wrap(t, b.journal, client)
	b.req = refund.Request{
		IdempotencyKey: "k", Order: b.sim.AddOrder(refund.MustParseMoney("100.00", "AUD")), Amount: refund.MustParseMoney("10.00", "AUD"),
	}
	return b
}

func (b *afterpayBench) state(t *testing.T) journal.State {
	t.Helper()
	e, err := b.store.Store.Get(context.Background(), journal.ID{Provider: "afterpay", Key: "k"})
	require.NoError(t, err)
	return e.State
}

// TestOldKeyIsNotSentAgain: past the provider's key life a repeat would be a second refund.
func TestOldKeyIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAfterpay(t)
		b.net.Always(refundtest.LostAnswer)
		_, err := b.client.Refund(t.Context(), b.req)
		require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		for range 20 { // an outage, in which every hour somebody tries again
			pass(time.Hour)
			_, err := b.client.Refund(t.Context(), b.req)
			require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		}
		pass(5 * time.Hour) // since the last time; the first is what counts
		e, err := b.store.Store.Get(t.Context(), journal.ID{Provider: "afterpay", Key: "k"})
		require.NoError(t, err)
		pass(time.Until(e.Due))
		before := len(b.net.Requests())
		b.net.Always("")
		_, err = b.client.Refund(t.Context(), b.req)
		require.NoError(t, err)
		for _, r := range b.net.Requests()[before:] {
			assert.Equal(t, "GET", r.Method)
		}
		assert.Len(t, b.sim.Ledger(b.req.Order), 1)
	})
}

// TestAbsenceIsNotBelievedAtOnce: reads lag behind writes, and the writer may have died late.
func TestAbsenceIsNotBelievedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAfterpay(t)
		pass(time.Hour) // so that the order itself is old enough to be read
		b.sim.SetReadLag(4 * time.Minute)
		b.net.Always(refundtest.LostAnswer)
		_, err := b.client.Refund(t.Context(), b.req)
		require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		e, err := b.store.Store.Get(t.Context(), journal.ID{Provider: "afterpay", Key: "k"})
		require.NoError(t, err)
		e.FirstSent, e.Version = e.FirstSent.Add(-25*time.Hour), e.Version+1 // too old to be sent again
		results, err := b.store.Write(t.Context(), []journal.Change{{Entry: e}})
		require.NoError(t, err)
		require.NoError(t, results[0].Err)
		for b.state(t) == journal.StateUnknown {
			pass(15 * time.Second)
			_, err := b.journal.Round(t.Context())
			require.NoError(t, err)
		}
		assert.Equal(t, journal.StateSucceeded, b.state(t))
		assert.Len(t, b.sim.Ledger(b.req.Order), 1)
	})
}

// TestNotSentAndNotRecorded: the caller must not hear that nothing will move, because another process may send it.
func TestNotSentAndNotRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAfterpay(t)
		b.net.Always(refundtest.DialError)
		b.store.breaks("update")
		_, err := b.client.Refund(t.Context(), b.req)
		require.ErrorIs(t, err, journal.ErrNotRecorded)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		assert.Empty(t, b.sim.Ledger(b.req.Order))

		b.net.Always("")
		pass(time.Hour)
		other := journal.New(b.store.Store, journal.Options{})
		wrap(t, other, b.bare)
		_, err = other.Round(t.Context())
		require.NoError(t, err)
		assert.Equal(t, journal.StateSucceeded, b.state(t))
		b.store.breaks()
		require.NoError(t, b.journal.Shutdown(t.Context()))
		assert.Equal(t, journal.StateSucceeded, b.state(t))
		assert.Len(t, b.sim.Ledger(b.req.Order), 1)
	})
}

// TestStoreFailsAtEachStep of a refund whose answers are lost as well: the ledger has it once, and the journal says so.
func TestStoreFailsAtEachStep(t *testing.T) {
	for _, fault := range append(refundtest.Faults(), "") {
		for _, op := range []string{"insert", "insert lost", "update", "update lost", "get", ""} {
			t.Run(string(fault)+"/"+op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newAfterpay(t)
					b.net.Always(fault)
					b.store.breaks(op)
					got, err := b.client.Refund(t.Context(), b.req)
					paid := len(b.sim.Ledger(b.req.Order)) == 1
					if err == nil || got != nil {
						assert.True(t, paid)
					} else if refund.OutcomeOf(err) != refund.OutcomeUnknown {
						assert.False(t, paid)
						assert.Contains(t, []string{"", "get"}, op, "what is not recorded is not definite")
					}
					b.net.Always("")
					b.store.breaks()
					for range 100 {
						if _, err = b.client.Refund(t.Context(), b.req); err == nil {
							break
						}
						pass(time.Minute)
						_, err := b.journal.Round(t.Context())
						require.NoError(t, err)
					}
					require.NoError(t, err)
					require.NoError(t, b.journal.Shutdown(t.Context()))
					assert.Equal(t, journal.StateSucceeded, b.state(t))
					assert.Len(t, b.sim.Ledger(b.req.Order), 1)
				})
			})
		}
	}
}
