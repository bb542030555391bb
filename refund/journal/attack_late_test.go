package journal_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// TestLateDelivery (4): a proxy or a frozen node holds a request for longer than a client waits. As long as it is shorter than
// AbsenceAfter, nobody calls the refund absent, so nobody sends it again.
func TestLateDelivery(t *testing.T) {
	for _, held := range []time.Duration{6 * time.Minute, 15 * time.Minute, 50 * time.Minute} {
		t.Run(held.String(), func(t *testing.T) {
			onStage(t, readableVendors(), func(t *testing.T, s *scene) {
				s.wire.hold(held)
				s.unclear(t)
				for range 40 { // and somebody asks again and again
					s.work(t, 3*time.Minute)
					_, _ = s.refund(t) //nolint:errcheck // it may be unknown still
				}
				s.work(t, 9*24*time.Hour)
				assert.Equal(t, 1, s.paid())
				s.honest(t)
				_, err := s.refund(t)
				assert.True(t, err == nil || s.entry(t).Attention != "", "%v", err)
				assert.Equal(t, 1, s.paid())
			})
		})
	}
}

// TestLaterThanAbsence (4): a request that arrives after it was judged absent and sent again is paid twice where the provider
// does not prevent it. Nothing can; but it is not silent.
func TestLaterThanAbsence(t *testing.T) {
	onStage(t, readableVendors(), func(t *testing.T, s *scene) {
		s.wire.hold(20 * time.Hour)
		s.unclear(t)
		s.workUntil(t, 10*time.Hour, func() bool {
			state := s.entry(t).State
			return state != journal.StateUnknown && state != journal.StateSending
		})
		_, err := s.refund(t)
		require.NoError(t, err)
		require.Equal(t, 1, s.paid())
		s.work(t, 9*24*time.Hour)
		s.honest(t)
	})
}

// TestLateAndNotRepeated (1): what was judged absent is looked for again, so that the money is found that moved later.
func TestLateAndNotRepeated(t *testing.T) {
	for _, held := range []time.Duration{20 * time.Hour, 6 * 24 * time.Hour} {
		t.Run(held.String(), func(t *testing.T) {
			onStage(t, map[string]vendor{"backd": backdVendor(), "digitalriver": digitalRiverVendor(), "orderrows": orderRowsVendor()},
				func(t *testing.T, s *scene) {
					s.wire.hold(held)
					s.unclear(t)
					s.workUntilState(t, 10*time.Hour, journal.StateNotFound)
					assert.Zero(t, s.paid())
					s.work(t, 9*24*time.Hour)
					assert.Equal(t, 1, s.paid())
					e := s.entry(t)
					assert.True(t, e.State == journal.StatePending || e.State == journal.StateSucceeded, e.State)
					assert.Equal(t, journal.AttentionFoundLate, e.Attention)
				})
		})
	}
}

// TestLateBeforeTheRepeat (4): what arrives after it was judged absent, and before it is sent again, is found before that. At
// Backd it is the snapshot of the first sending that tells.
func TestLateBeforeTheRepeat(t *testing.T) {
	onStage(t, readableVendors(), func(t *testing.T, s *scene) {
		s.wire.hold(3 * time.Hour)
		s.unclear(t)
		s.workUntil(t, 2*time.Hour, func() bool { return s.entry(t).State == journal.StateNotFound })
		pass(3 * time.Hour) // nobody works: the look of the first hour has yet to come
		got, err := s.refund(t)
		require.NoError(t, err)
		assert.NotEmpty(t, got.ID)
		assert.Equal(t, 1, s.paid())
		s.work(t, 9*24*time.Hour)
		assert.Equal(t, 1, s.paid())
		s.honest(t)
	})
}

// TestReadLag (4, 6): what was made is not shown for ten minutes, or for two hours.
func TestReadLag(t *testing.T) {
	for _, lag := range []time.Duration{10 * time.Minute, 50 * time.Minute, 2 * time.Hour} {
		t.Run(lag.String(), func(t *testing.T) {
			onStage(t, readableVendors(), func(t *testing.T, s *scene) {
				s.setReadLag(t, lag)
				s.net.Inject(refundtest.LostAnswer)
				s.unclear(t)
				require.Equal(t, 1, s.paid())
				for range 10 {
					s.work(t, 5*time.Minute)
					_, _ = s.refund(t) //nolint:errcheck // it may be unknown still
				}
				s.work(t, 9*24*time.Hour)
				if lag < time.Hour {
					assert.Equal(t, 1, s.paid())
				}
				s.honest(t)
			})
		})
	}
}

// TestReadLagBeyondAbsence (4): somebody asks again just when the refund is taken for absent, and its provider shows it later.
func TestReadLagBeyondAbsence(t *testing.T) {
	onStage(t, readableVendors(), func(t *testing.T, s *scene) {
		s.setReadLag(t, 2*time.Hour)
		s.net.Inject(refundtest.LostAnswer)
		s.unclear(t)
		s.workUntil(t, 90*time.Minute, func() bool { return s.entry(t).State == journal.StateNotFound })
		_, _ = s.refund(t) //nolint:errcheck // where nothing can prevent it, it pays twice
		s.work(t, 9*24*time.Hour)
		s.honest(t)
	})
}

// TestAbsenceOfAnybodysProvider (4): the journal itself does not believe in absence before its time, nor at the first look.
func TestAbsenceOfAnybodysProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose, resolve: absent})
		b.try(t, "k")
		sent := b.entry(t, "k").LastSent
		for b.entry(t, "k").State == journal.StateUnknown {
			pass(5 * time.Second)
			b.round(t)
		}
		e := b.entry(t, "k")
		assert.Equal(t, journal.StateNotFound, e.State)
		assert.GreaterOrEqual(t, e.NotFoundAt.Sub(sent), 61*time.Minute)
		asked := b.asked()
		assert.GreaterOrEqual(t, e.NotFoundAt.Sub(asked[len(asked)-1].MissedAt), time.Minute)
	})
}

// TestSkew (6): two machines of a shop differ by ten minutes, or by an hour, from each other and from the store. When a refund
// was sent is reckoned by the store's clock, so that it is as old for one as for the other.
func TestSkew(t *testing.T) {
	for _, skew := range [][3]time.Duration{
		{-10 * time.Minute, 0, 0},
		{10 * time.Minute, 0, 0},
		{-10 * time.Minute, 10 * time.Minute, 0},
		{0, 0, -10 * time.Minute},
		{0, 0, time.Hour},
		{-time.Hour, time.Hour, 24 * time.Hour},
	} {
		t.Run(skew[0].String()+", "+skew[1].String()+", store "+skew[2].String(), func(t *testing.T) {
			onStage(t, readableVendors(), func(t *testing.T, s *scene) {
				s.store.step(skew[2])
				s.processes = nil
				s.absence = 90 * time.Minute
				first, second := s.startOn(t, skew[0]), s.startOn(t, skew[1])
				s.setReadLag(t, 86*time.Minute) // less than that, but not than that and ten minutes off
				s.net.Inject(refundtest.LostAnswer)
				sent := time.Now().Add(skew[2])
				_, err := first.client.Refund(t.Context(), s.req)
				require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
				assert.WithinDuration(t, sent, s.entry(t).LastSent, 2*time.Minute)
				s.only(second)
				for range 95 {
					s.work(t, time.Minute)
					_, _ = s.refund(t) //nolint:errcheck // it may be unknown still
				}
				s.processes = []*instance{first, second}
				s.work(t, 9*24*time.Hour)
				assert.Equal(t, 1, s.paid())
				s.honest(t)
			})
		})
	}
}

// TestClockIsSet (6): the store's clock, or the machine's, is set while a refund is unknown. Nothing is taken for absent before
// its time has really passed.
func TestClockIsSet(t *testing.T) {
	for name, set := range map[string]func(*scene){
		"store forward": func(s *scene) { s.store.step(2 * time.Hour) },
		"store forward, while nobody works": func(s *scene) {
			s.store.step(2 * time.Hour)
			pass(40 * time.Second)
		},
		"store back":          func(s *scene) { s.store.step(-2 * time.Hour) },
		"store a day forward": func(s *scene) { s.store.step(25 * time.Hour) },
		"store a day forward, between two readings": func(s *scene) {
			pass(40 * time.Second)
			_, _ = s.processes[0].journal.Round(context.Background()) //nolint:errcheck // it reads the clock
			s.store.step(25 * time.Hour)
		},
		"machine forward": func(s *scene) { *s.processes[0].ahead += 2 * time.Hour },
		"machine back":    func(s *scene) { *s.processes[0].ahead -= 2 * time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, readableVendors(), func(t *testing.T, s *scene) {
				s.setReadLag(t, 12*time.Minute)
				s.net.Inject(refundtest.LostAnswer)
				s.unclear(t)
				s.work(t, time.Minute)
				set(s)
				for range 10 {
					s.work(t, time.Minute)
					_, _ = s.refund(t) //nolint:errcheck // it may be unknown still
				}
				assert.Equal(t, 1, s.paid())
				assert.NotContains(t, []journal.State{
					journal.StateNotFound, journal.StateNotSent, journal.StateRejected, journal.StateNeedsReview,
				}, s.entry(t).State, s.entry(t).Note)
				s.work(t, 9*24*time.Hour)
				assert.Equal(t, 1, s.paid())
				s.honest(t)
			})
		})
	}
}

// TestKeyLifeUnderSkew (6): Afterpay has forgotten a key after a day. A machine whose clock is behind, or was set back, does not
// take the key for younger than it is.
func TestKeyLifeUnderSkew(t *testing.T) {
	for name, skew := range map[string]func(*testing.T, *scene){
		"resolved by a clock that is behind": func(t *testing.T, s *scene) { s.only(s.startOn(t, -3*time.Hour)) },
		"set back meanwhile":                 func(_ *testing.T, s *scene) { *s.processes[0].ahead -= 3 * time.Hour },
		"resolved by a clock that is ahead":  func(t *testing.T, s *scene) { s.only(s.startOn(t, 3*time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, map[string]vendor{"afterpay": afterpayVendor()}, func(t *testing.T, s *scene) {
				s.net.Inject(refundtest.LostAnswer)
				s.unclear(t)
				skew(t, s)
				pass(25 * time.Hour)
				s.work(t, 9*24*time.Hour)
				assert.Equal(t, 1, s.paid())
				s.honest(t)
			})
		})
	}
}

// setReadLag lets reads be late, as they have always been.
func (s *scene) setReadLag(t *testing.T, lag time.Duration) {
	t.Helper()
	sim, ok := s.sim.(interface{ SetReadLag(time.Duration) })
	require.True(t, ok)
	sim.SetReadLag(lag)
}
