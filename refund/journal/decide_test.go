package journal_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

// newReview is a bench whose refund of the key "k" needs review, and could have appeared by now.
func newReview(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, &fake{refund: lose, resolve: answers(refund.Resolution{Why: "look"})})
	_, err := b.ask(t, "k")
	require.Error(t, err)
	pass(time.Hour)
	_, err = b.ask(t, "k")
	requireErrorIs(t, err, journal.ErrNeedsReview)
	require.Equal(t, journal.AttentionReview, b.attention(t, "k"))
	return b
}

// TestDecide: what each decision makes of an entry that needs review.
func TestDecide(t *testing.T) {
	for verdict, state := range map[refund.Verdict]journal.State{
		refund.VerdictApplied: journal.StateSucceeded, refund.VerdictNotApplied: journal.StateNotSent,
		refund.VerdictUndetermined: journal.StateUnknown,
	} {
		t.Run(verdict.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newReview(t)
				before := b.entry(t, "k")
				for name, change := range map[string]func(*journal.Decision){
					"nobody":             func(d *journal.Decision) { d.Who = "" },
					"no reason":          func(d *journal.Decision) { d.Why = "" },
					"a verdict of 3":     func(d *journal.Decision) { d.Verdict = 7 },
					"a negative verdict": func(d *journal.Decision) { d.Verdict = -1 },
					"pending without id": func(d *journal.Decision) { d.Pending = true },
					"no such provider":   func(d *journal.Decision) { d.Provider = "other" },
					"no such account":    func(d *journal.Decision) { d.Account = "other" },
					"no such key":        func(d *journal.Decision) { d.Key = "other" },
				} {
					d := decision("k", verdict)
					change(&d)
					err := b.journal.Decide(t.Context(), d)
					require.Error(t, err, name)
					assert.Equal(t, strings.HasPrefix(name, "no such"), errors.Is(err, journal.ErrNoEntry), name)
					assert.Equal(t, !strings.HasPrefix(name, "no such"), errors.Is(err, journal.ErrDecision), name)
				}
				if verdict != refund.VerdictApplied {
					for _, change := range []func(*journal.Decision){
						func(d *journal.Decision) { d.RefundID = "r" },
						func(d *journal.Decision) { d.Pending, d.RefundID = true, "r" },
					} {
						d := decision("k", verdict)
						change(&d)
						require.ErrorIs(t, b.journal.Decide(t.Context(), d), journal.ErrDecision)
					}
				}
				b.store.breaks("update")
				require.ErrorIs(t, b.decide("k", verdict), errStore)
				b.store.breaks("get")
				require.ErrorIs(t, b.decide("k", verdict), errStore)
				b.store.breaks()
				assert.Equal(t, before, b.entry(t, "k"))

				require.NoError(t, b.decide("k", verdict))
				e := b.entry(t, "k")
				assert.Equal(t, []any{state, journal.Attention(""), "see ticket 12"}, []any{e.State, e.Attention, e.Note})
				events := b.events(t)
				assert.Equal(t, []any{
					journal.StateNeedsReview, state, "staff-7", "see ticket 12",
				}, []any{events[3].From, events[3].To, events[3].By, events[3].Note})
				for _, event := range events[:3] {
					assert.Empty(t, event.By, "the journal itself")
				}
				moves := b.transitions()
				assert.Equal(t, "needs_review>"+string(state), moves[len(moves)-1])

				b.refund = nil
				switch verdict {
				case refund.VerdictApplied:
					got, err := b.ask(t, "k")
					require.NoError(t, err)
					assert.Equal(t, refund.StatusSucceeded, got.Status)
					assert.Equal(t, 1, b.sent())
				case refund.VerdictNotApplied:
					_, err := b.ask(t, "other")
					require.NoError(t, err, "the order is free")
					_, err = b.ask(t, "k")
					require.NoError(t, err)
					assert.Equal(t, 3, b.sent())
					asked := b.asked()
					assert.True(t, asked[len(asked)-1].LookOnly, "it was looked for first")
				case refund.VerdictUndetermined:
					b.resolve = applied
					assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
					assert.Equal(t, 1, b.sent())
				}
			})
		})
	}
}

// TestDecideTooEarly: what may still appear is not called absent, unless somebody insists.
func TestDecideTooEarly(t *testing.T) {
	for name, absence := range map[string]time.Duration{"as the client says": 3 * time.Hour, "an hour if it does not": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{absence: absence, refund: lose}
				b := newBench(t, f)
				b.try(t, "k")
				pass(max(absence, time.Hour) - 1)
				require.ErrorIs(t, b.decide("k", refund.VerdictNotApplied), journal.ErrDecision)
				assert.Equal(t, journal.StateUnknown, b.entry(t, "k").State)
				pass(1)
				require.NoError(t, b.decide("k", refund.VerdictNotApplied))

				_, err := b.ask(t, "k")
				require.Error(t, err)
				d := decision("k", refund.VerdictNotApplied)
				d.Force = true
				require.NoError(t, b.journal.Decide(t.Context(), d))
				assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
			})
		})
	}
}

// TestDecideOnADeadSender: it may have sent until the end of its lease.
func TestDecideOnADeadSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{})
		b.crash(t, "k")
		pass(15*time.Minute - 1)
		d := decision("k", refund.VerdictNotApplied)
		d.Force = true
		require.ErrorIs(t, b.journal.Decide(t.Context(), d), journal.ErrLeased)
		pass(1)
		died := time.Now()
		pass(time.Hour - 1)
		require.ErrorIs(t, b.decide("k", refund.VerdictNotApplied), journal.ErrDecision)
		pass(1)
		require.NoError(t, b.decide("k", refund.VerdictNotApplied))
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateNotSent, died}, []any{e.State, e.LastSent})
	})
}

// TestDecideAnyState: a person may know better than what is recorded. Who follows a pending one needs its id.
func TestDecideAnyState(t *testing.T) {
	status := func(s refund.Status) func(context.Context, refund.Request) (*refund.Refund, error) {
		return func(_ context.Context, r refund.Request) (*refund.Refund, error) { return made(r, s), nil }
	}
	for name, script := range map[string]func(context.Context, refund.Request) (*refund.Refund, error){
		"succeeded": nil, "pending": pending, "failed": status(refund.StatusFailed), "canceled": status(refund.StatusCanceled),
		"expired": status(refund.StatusExpired), "rejected": fails(refund.OutcomeRejected), "not_sent": fails(refund.OutcomeNotSent),
		"unknown": lose, "not_found": lose,
	} {
		for _, want := range []journal.State{journal.StateSucceeded, journal.StatePending, journal.StateNotSent, journal.StateUnknown} {
			t.Run(name+" to "+string(want), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := &fake{refund: script}
					r := &readable{fake: f, get: func(context.Context, refund.Ref) (*refund.Refund, error) { return nil, errWire }}
					b := newBenchOf(t, f, r)
					b.try(t, "k")
					if name == "not_found" {
						b.lose(t, "k")
					}
					require.Equal(t, name, string(b.entry(t, "k").State))
					pass(time.Hour)
					d := map[journal.State]journal.Decision{
						journal.StateSucceeded: decision("k", refund.VerdictApplied), journal.StatePending: decision("k", refund.VerdictApplied),
						journal.StateNotSent: decision("k", refund.VerdictNotApplied), journal.StateUnknown: decision("k", refund.VerdictUndetermined),
					}[want]
					if d.Verdict == refund.VerdictApplied {
						d.RefundID, d.Pending = "r-dashboard", want == journal.StatePending
					}
					if want == journal.StateNotSent && (name == "succeeded" || name == "pending") {
						require.ErrorIs(t, b.journal.Decide(t.Context(), d), journal.ErrDecision, "what he has seen may be older than the record")
						d.Force = true
					}
					require.NoError(t, b.journal.Decide(t.Context(), d))
					e := b.entry(t, "k")
					assert.Equal(t, []any{want, journal.Attention(""), want == journal.StateUnknown}, []any{e.State, e.Attention, e.OrderLock})
					assert.True(t, e.Lease.IsZero())
					switch want {
					case journal.StateSucceeded:
						assert.Equal(t, "r-dashboard", e.RefundID)
					case journal.StatePending:
						assert.Equal(t, "r-dashboard", e.RefundID)
						assert.False(t, e.Due.IsZero() || e.Due.After(time.Now().Add(15*time.Minute)), "it is followed")
					case journal.StateNotSent:
						assert.Equal(t, []any{"", time.Now().Add(time.Hour)}, []any{e.RefundID, e.Due}, "it is looked for")
					default:
						assert.Equal(t, time.Now(), e.Due)
					}
				})
			})
		}
	}
}

// TestDecideDuringALook: who is resolving it may be sending it again.
func TestDecideDuringALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose}
		b := newBench(t, f)
		b.try(t, "k")
		pass(time.Hour)
		f.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) {
			require.ErrorIs(t, b.decide("k", refund.VerdictNotApplied), journal.ErrLeased)
			return refund.Resolution{NotBefore: time.Now()}, nil
		}
		_, err := b.ask(t, "k")
		requireError(t, err, refund.OutcomeUnknown)
		require.NoError(t, b.decide("k", refund.VerdictNotApplied))
		assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
	})
}

// TestDecideAgainstTheOrder: what would lock an order that another refund has is not decided.
func TestDecideAgainstTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: fails(refund.OutcomeRejected)}
		b := newBench(t, f)
		b.try(t, "a")
		f.refund = lose
		_, err := b.ask(t, "b")
		requireErrorIs(t, err, errWire)
		require.ErrorIs(t, b.decide("a", refund.VerdictUndetermined), journal.ErrOrderBusy)
		require.NoError(t, b.decide("a", refund.VerdictApplied))
	})
}

// TestDecideWithoutClient: the order of a provider that is gone can be freed.
func TestDecideWithoutClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose})
		b.try(t, "k")
		gone := journal.New(b.store, journal.Options{})
		require.ErrorIs(t, gone.Decide(t.Context(), decision("k", refund.VerdictNotApplied)), journal.ErrDecision)
		pass(time.Hour)
		require.NoError(t, gone.Decide(t.Context(), decision("k", refund.VerdictNotApplied)))
		assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
		b.refund = nil
		_, err := b.ask(t, "other")
		require.NoError(t, err)
	})
}

// TestTwoDecide: the last word counts, and the history has both.
func TestTwoDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newReview(t)
		b.store.hook = func(op string) {
			if op == "update" {
				pass(time.Second)
			}
		}
		var wg sync.WaitGroup
		for i, verdict := range []refund.Verdict{refund.VerdictNotApplied, refund.VerdictApplied} {
			wg.Go(func() {
				pass(time.Duration(i))
				require.NoError(t, b.decide("k", verdict))
			})
		}
		wg.Wait()
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
		var decided []journal.State
		for _, event := range b.events(t) {
			if event.By != "" {
				decided = append(decided, event.To)
			}
		}
		assert.Equal(t, []journal.State{journal.StateNotSent, journal.StateSucceeded}, decided)
	})
}

// TestDecideByWhatWasSeen: what somebody has not seen says nothing of what was sent after he looked.
func TestDecideByWhatWasSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose, resolve: absent, resolvedBy: refund.ResolvedByMarker})
		b.try(t, "k")
		b.lose(t, "k") // until looks have not found it
		d := decision("k", refund.VerdictNotApplied)
		d.Seen = time.Now()
		pass(time.Hour)
		b.try(t, "k") // somebody sends it again
		sent := b.entry(t, "k").LastSent
		require.True(t, sent.After(d.Seen))
		pass(3 * time.Hour)
		require.Equal(t, journal.StateUnknown, b.entry(t, "k").State)
		require.ErrorIs(t, b.journal.Decide(t.Context(), d), journal.ErrDecision)
		d.Seen = sent.Add(30 * time.Minute)
		require.ErrorIs(t, b.journal.Decide(t.Context(), d), journal.ErrDecision, "it may have appeared since")
		d.Seen = sent.Add(time.Hour)
		require.NoError(t, b.journal.Decide(t.Context(), d))
		assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
	})
}
