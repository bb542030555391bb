package journal_test

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// TestPaidKeyIsNeverCalledNotSent (2): whatever is wrong with the call, a key that was paid is not said to have moved nothing.
func TestPaidKeyIsNeverCalledNotSent(t *testing.T) {
	onStage(t, allVendors(), func(t *testing.T, s *scene) {
		_, err := s.refund(t)
		require.NoError(t, err)
		client := s.processes[0].client
		over, cancel := context.WithCancel(t.Context())
		cancel()
		named, another, more, invalid := s.req, s.req, s.req, s.req
		named.Order.MerchantID += "x"
		another.Order = s.sim.AddOrder(s.money("100.00"))
		more.Amount = s.money("10.01")
		invalid.Amount = refund.Money{}
		for what, call := range map[string]func() (*refund.Refund, error){
			"a context that is over":   func() (*refund.Refund, error) { return client.Refund(over, s.req) },
			"no context":               func() (*refund.Refund, error) { return client.Refund(nil, s.req) }, //nolint:staticcheck // it is wrong
			"the order named by more":  func() (*refund.Refund, error) { return client.Refund(t.Context(), named) },
			"another order":            func() (*refund.Refund, error) { return client.Refund(t.Context(), another) },
			"another amount":           func() (*refund.Refund, error) { return client.Refund(t.Context(), more) },
			"an amount that is absurd": func() (*refund.Refund, error) { return client.Refund(t.Context(), invalid) },
			"the same again":           func() (*refund.Refund, error) { return client.Refund(t.Context(), s.req) },
		} {
			got, err := call()
			if err == nil {
				assert.True(t, got.Replayed, what)
				assert.Contains(t, []string{"the order named by more", "the same again"}, what)
				continue
			}
			assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "%s: %v", what, err)
		}
		assert.Equal(t, 1, s.paid())
	})
}

// TestKeyReusedIsToBeFixed (2, F3): who follows the advice of a key that was used before does not try for ever.
func TestKeyReusedIsToBeFixed(t *testing.T) {
	b := newBench(t, &fake{})
	_, err := b.ask(t, "k")
	require.NoError(t, err)
	other := request("k")
	other.Amount = refund.MustParseMoney("10.01", "AUD")
	_, err = b.client.Refund(b.ctx, other)
	requireKeyReused(t, err)
}

// TestDecoratorIsDropped (7): the version that sent hid that its client takes snapshots, and died. That there is none does not
// say that nothing was sent.
func TestDecoratorIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, f)
		b.crash(t, "k")
		require.Equal(t, 1, f.sent())
		b.wrap(t, &comparing{fake: f, snapshot: func(context.Context, refund.Request) (refund.Snapshot, error) { return "now", nil }})
		for range 48 {
			pass(time.Hour)
			b.round(t)
		}
		assert.NotContains(t, []journal.State{journal.StateNotSent, journal.StateNotFound}, b.entry(t, "k").State)
		b.try(t, "k")
		assert.Equal(t, 1, f.sent())
	})
}

// TestDiedBeforeTheSnapshot (7): a sender that had not come to the request yet has sent nothing, and says so by the step.
func TestDiedBeforeTheSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBenchOf(t, f, &comparing{fake: f, snapshot: func(context.Context, refund.Request) (refund.Snapshot, error) {
			runtime.Goexit()
			return "", nil
		}})
		b.try(t, "k")
		b.wrap(t, f)
		pass(16 * time.Minute)
		b.round(t)
		assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
		assert.Zero(t, f.sent())
	})
}

// TestEmptySnapshot (7): one with which nothing can be compared is none, so nothing is sent.
func TestEmptySnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBenchOf(t, f, &comparing{fake: f, snapshot: func(context.Context, refund.Request) (refund.Snapshot, error) { return "", nil }})
		_, err := b.ask(t, "k")
		requireError(t, err, refund.OutcomeNotSent)
		assert.Zero(t, f.sent())
	})
}

// TestFirstSentOnlyGetsOlder (11): a key that was taken for absent and sent again is as old as it is: Afterpay has forgotten it
// when the journal thinks that it was first sent a moment ago.
func TestFirstSentOnlyGetsOlder(t *testing.T) {
	onStage(t, map[string]vendor{"afterpay": afterpayVendor()}, func(t *testing.T, s *scene) {
		s.net.Inject(refundtest.LostAnswer)
		s.unclear(t)
		first := s.entry(t).FirstSent
		d := journal.Decision{Provider: "afterpay", Key: s.req.IdempotencyKey, Verdict: refund.VerdictNotApplied, Force: true, Who: "staff-7", Why: "in error"}
		require.NoError(t, s.processes[0].journal.Decide(t.Context(), d))
		pass(22 * time.Hour)
		s.net.Always(refundtest.LostAnswer)
		_, _ = s.refund(t) //nolint:errcheck // found, or lost again
		assert.Equal(t, first, s.entry(t).FirstSent)
		pass(5 * time.Hour) // 27 hours after the first, 5 after the second
		s.net.Always("")
		s.work(t, 9*24*time.Hour)
		assert.Equal(t, 1, s.paid())
		s.honest(t)
	})
}

// TestLivesOfAKey (11): what earlier requests have left stays.
func TestLivesOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose, resolve: absent})
		b.try(t, "k")
		first := b.entry(t, "k")
		for life := 2; life < 5; life++ {
			for b.entry(t, "k").State != journal.StateNotFound {
				pass(time.Minute)
				b.round(t)
			}
			b.try(t, "k")
			e := b.entry(t, "k")
			require.Equal(t, journal.StateUnknown, e.State)
			assert.Equal(t, first.FirstSent, e.FirstSent)
			assert.True(t, e.LastSent.After(first.LastSent))
			assert.GreaterOrEqual(t, e.Tries, first.Tries)
		}
	})
}

// TestResendUnderSkew (12): Instant's guard lasts a minute. A process whose clock is ahead takes a refund for younger than it is;
// but its age goes by the store's clock.
func TestResendUnderSkew(t *testing.T) {
	v := vendor{
		simulator: func() refundtest.Simulator { return instanttest.New() },
		client: func(sim refundtest.Simulator, opts refund.Options) (refund.Refunder, error) {
			cfg := instanttest.New().Config()
			cfg.Options, cfg.ResendToResolve = refundtest.Connect(sim, opts), true
			return instant.New(cfg)
		},
	}
	for _, seconds := range []int{10, 30, 55, 600, -10, -30, -55, -600} {
		skew := time.Duration(seconds) * time.Second
		t.Run(skew.String(), func(t *testing.T) {
			for wait := 15 * time.Second; wait < 3*time.Minute; wait += 5 * time.Second {
				onStage(t, map[string]vendor{wait.String(): v}, func(t *testing.T, s *scene) {
					s.processes = nil
					first, second := s.startOn(t, skew), s.startOn(t, 0)
					s.net.Inject(refundtest.LostAnswer)
					_, err := first.client.Refund(t.Context(), s.req)
					require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
					pass(wait)
					_, _ = second.client.Refund(t.Context(), s.req) //nolint:errcheck // it may be for a person
					s.work(t, 24*time.Hour)
					assert.Equal(t, 1, s.paid())
					s.honest(t)
				})
			}
		})
	}
}

// TestSecondRefundAtBackd (15): the order of a pending refund is locked there, because a second one would replace it.
func TestSecondRefundAtBackd(t *testing.T) {
	onStage(t, map[string]vendor{"backd": backdVendor()}, func(t *testing.T, s *scene) {
		s.setReadLag(t, time.Minute)
		_, err := s.refund(t)
		require.NoError(t, err)
		pass(10 * time.Second)
		first := s.req
		s.req.IdempotencyKey, s.req.Amount = "key-2", s.money("20.00")
		_, err = s.refund(t)
		require.ErrorIs(t, err, journal.ErrOrderBusy)
		assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
		assert.Equal(t, []refund.Money{first.Amount}, s.sim.Ledger(s.req.Order))
		var re *refund.Error
		require.ErrorAs(t, err, &re)
		assert.Positive(t, re.RetryAfter)
		s.req = first
		s.work(t, 6*24*time.Hour)
		s.honest(t)
		assert.Empty(t, s.entry(t).Attention)
	})
}

// TestOrderIsFreeAgain (15): what cannot be replaced any more keeps nobody waiting.
func TestOrderIsFreeAgain(t *testing.T) {
	onStage(t, map[string]vendor{"backd": backdVendor()}, func(t *testing.T, s *scene) {
		got, err := s.refund(t)
		require.NoError(t, err)
		s.work(t, time.Until(got.LocksAt)+time.Hour)
		assert.False(t, s.entry(t).OrderLock)
	})
}

// TestCallerLeaves (F2): the request of a shop's customer ends with the tab of his browser. The refund goes on, and nobody has to
// look for it.
func TestCallerLeaves(t *testing.T) {
	onStage(t, allVendors(), func(t *testing.T, s *scene) {
		s.wire.nextWrite(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			pass(5 * time.Second)
			return next.RoundTrip(req)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.processes[0].client.Refund(ctx, s.req)
		assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		require.ErrorIs(t, err, refund.ErrInFlight)
		pass(10 * time.Second)
		got, err := s.refund(t)
		require.NoError(t, err)
		assert.True(t, got.Replayed)
		assert.Equal(t, 1, s.paid())
		assert.Empty(t, s.entry(t).Attention)
	})
}

// TestDoubleClick (F17, F22): who has to wait for another call is told how long, and that is not a lease.
func TestDoubleClick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: func(_ context.Context, req refund.Request) (*refund.Refund, error) {
			pass(5 * time.Second)
			return made(req, refund.StatusSucceeded), nil
		}})
		go b.try(t, "k")
		synctest.Wait()
		_, err := b.ask(t, "k")
		re := errorOf(t, err, refund.OutcomeUnknown)
		require.ErrorIs(t, err, refund.ErrInFlight)
		assert.Positive(t, re.RetryAfter)
		assert.LessOrEqual(t, re.RetryAfter, 30*time.Second)
		_, err = b.ask(t, "another")
		re = errorOf(t, err, refund.OutcomeNotSent)
		require.ErrorIs(t, err, journal.ErrOrderBusy)
		assert.Positive(t, re.RetryAfter)
		assert.LessOrEqual(t, re.RetryAfter, 30*time.Second)
		pass(10 * time.Second)
		e := b.entry(t, "k")
		assert.Equal(t, 1, e.Tries)
		assert.False(t, e.LastSent.Before(e.FirstSent), "it is known when it was sent")
	})
}
