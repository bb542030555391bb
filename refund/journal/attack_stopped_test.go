package journal_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// A process that is stopped, by a suspended machine or a signal, does not hear its timers. What goes on when it wakes is a
// transport that has slept, with a context that has not ended.

// suspend stops the process that makes the next write, for d and just before that is sent.
func (w *wire) suspend(d time.Duration) {
	w.nextWrite(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		pass(d)
		return next.RoundTrip(req.WithContext(context.WithoutCancel(req.Context())))
	})
}

// stall stops it when it has already given the request to the network, which delivers it when the process wakes.
func (w *wire) stall(d time.Duration) {
	w.nextWrite(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		deliver := copies(req)
		pass(d)
		return next.RoundTrip(deliver())
	})
}

// call is a Refund that somebody waits for.
type call struct {
	done chan struct{}
	got  *refund.Refund
	err  error
}

func (s *scene) asks(t *testing.T, p *instance) *call {
	t.Helper()
	c := &call{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.got, c.err = p.client.Refund(t.Context(), s.req)
	}()
	synctest.Wait()
	return c
}

// TestSuspendedBeforeSending (5): a process that slept between looking and sending sends nothing, because the clock on the wall
// has gone on.
func TestSuspendedBeforeSending(t *testing.T) {
	for _, d := range []time.Duration{2 * time.Minute, 2 * time.Hour, 3 * 24 * time.Hour} {
		t.Run(d.String(), func(t *testing.T) {
			onStage(t, allVendors(), func(t *testing.T, s *scene) {
				s.wire.suspend(d)
				sleeper := s.asks(t, s.processes[0])
				s.only(s.start(t))
				s.work(t, 90*time.Minute)
				_, _ = s.refund(t) //nolint:errcheck // it may be in flight still, or for a person
				<-sleeper.done
				s.work(t, 9*24*time.Hour)
				assert.LessOrEqual(t, s.paid(), 1)
				s.honest(t)
			})
		})
	}
}

// TestStoppedWhileSending (1, 5): what a process hears when it wakes is proof. It is recorded whatever was judged meanwhile, and
// if others have paid again by then, both refunds are named.
func TestStoppedWhileSending(t *testing.T) {
	for name, again := range map[string]bool{"nobody asked again": false, "somebody asked again": true} {
		t.Run(name, func(t *testing.T) {
			onStage(t, readableVendors(), func(t *testing.T, s *scene) {
				s.wire.stall(3 * time.Hour)
				sleeper := s.asks(t, s.processes[0])
				s.only(s.start(t))
				s.work(t, 100*time.Minute)
				absent := s.entry(t).State == journal.StateNotFound // Afterpay has carried it out
				assert.Equal(t, s.sim.Provider() != "afterpay", absent)
				if again {
					_, err := s.refund(t)
					require.NoError(t, err)
				}
				<-sleeper.done
				synctest.Wait()
				assert.NotEqual(t, refund.OutcomeNotSent, refund.OutcomeOf(sleeper.err), "%v", sleeper.err)
				assert.NotEqual(t, refund.OutcomeRejected, refund.OutcomeOf(sleeper.err), "%v", sleeper.err)
				if sleeper.err == nil { // its answer is there at once, and not only when somebody looks again
					e := s.entry(t)
					assert.True(t, e.State == journal.StatePending || e.State == journal.StateSucceeded, e.State)
					s.honest(t)
				}
				s.work(t, 9*24*time.Hour)
				s.honest(t)
				assert.True(t, again || !absent || s.entry(t).Attention == journal.AttentionFoundLate)
			})
		})
	}
}

// TestZombieIsHeard (1): as above, for any client whose answer is plain.
func TestZombieIsHeard(t *testing.T) {
	for name, verdict := range map[string]func(*bench){
		"not sent, by a person": func(b *bench) {
			d := decision("k", refund.VerdictNotApplied)
			d.Force = true
			assert.NoError(t, b.journal.Decide(b.ctx, d))
		},
		"absent": func(b *bench) {
			b.resolve = absent
			for range 200 {
				_, _ = b.journal.Round(b.ctx) //nolint:errcheck // see the state
				pass(time.Minute)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, &fake{})
				wake := make(chan struct{})
				b.refund = func(_ context.Context, req refund.Request) (*refund.Refund, error) {
					<-wake
					return made(req, refund.StatusPending), nil
				}
				told := make(chan error)
				go func() {
					_, err := b.ask(t, "k")
					told <- err
				}()
				pass(16 * time.Minute) // its lease is over
				other := newBench(t, b.fake)
				other.store = b.store
				other.wrap(t, b.fake)
				verdict(other)
				e := other.entry(t, "k")
				require.Contains(t, []journal.State{journal.StateNotSent, journal.StateNotFound}, e.State)
				close(wake)
				require.NoError(t, <-told)
				e = other.entry(t, "k")
				assert.Equal(t, journal.StatePending, e.State)
				assert.Equal(t, "r-k", e.RefundID)
				assert.Equal(t, journal.AttentionFoundLate, e.Attention)
			})
		})
	}
}

// TestDecideCorrectsWhateverIsWrong (1, 18): who finds the refund in a dashboard can say so, whatever the journal says, and
// without a client.
func TestDecideCorrectsWhateverIsWrong(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *bench){
		"not sent": func(t *testing.T, b *bench) {
			b.refund = fails(refund.OutcomeNotSent)
			b.try(t, "k")
		},
		"rejected": func(t *testing.T, b *bench) {
			b.refund = fails(refund.OutcomeRejected)
			b.try(t, "k")
		},
		"pending": func(t *testing.T, b *bench) {
			b.refund = pending
			b.try(t, "k")
		},
		"unknown": func(t *testing.T, b *bench) {
			b.refund = lose
			b.try(t, "k")
		},
		"sending, and dead": func(t *testing.T, b *bench) {
			b.crash(t, "k")
			pass(16 * time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, &fake{})
				prepare(t, b)
				b.journal = journal.New(b.store, journal.Options{}) // it has no client
				d := decision("k", refund.VerdictApplied)
				d.RefundID = "r-9"
				require.NoError(t, b.journal.Decide(b.ctx, d))
				e := b.entry(t, "k")
				assert.Equal(t, journal.StateSucceeded, e.State)
				assert.Equal(t, "r-9", e.RefundID)
				assert.False(t, e.OrderLock, "the order is free")
				sent := b.sent()
				got, err := b.ask(t, "k")
				require.NoError(t, err)
				assert.True(t, got.Replayed)
				assert.Equal(t, sent, b.sent())
			})
		})
	}
}

// TestDecideTooEarly (14): what was sent a moment ago may still appear, so that nobody decides that it was not made; unless he
// says that he knows.
func TestDecideBeforeAbsenceCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose})
		b.try(t, "k")
		require.ErrorIs(t, b.decide("k", refund.VerdictNotApplied), journal.ErrDecision)
		assert.Equal(t, journal.StateUnknown, b.entry(t, "k").State)
		pass(59 * time.Minute)
		require.ErrorIs(t, b.decide("k", refund.VerdictNotApplied), journal.ErrDecision)
		pass(2 * time.Minute)
		require.NoError(t, b.decide("k", refund.VerdictNotApplied))

		b.try(t, "k")
		d := decision("k", refund.VerdictNotApplied)
		d.Force = true
		require.NoError(t, b.journal.Decide(b.ctx, d))
		assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
	})
}
