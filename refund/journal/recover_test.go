package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
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

// TestRecoverWaitsForTheLease: a process may still be sending. When the lease is over it is not, but it may have sent
// until then.
func TestRecoverWaitsForTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: applied}
		b := newBench(t, f)
		began := time.Now()
		b.crash(t, "k")
		pass(15*time.Minute - 1)
		assert.Equal(t, journal.Summary{}, b.recover(t))
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, refund.ErrInFlight)
		got, err := b.resolver(t).Resolve(t.Context(), refund.Attempt{Request: request("k")})
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		e := b.entry(t, "k")
		assert.Equal(t, e.Lease, got.NotBefore)
		assert.Empty(t, f.asked())

		e.Version, e.Due = e.Version+1, time.Now() // the lease is what counts
		require.NoError(t, b.store.Update(t.Context(), e))
		assert.Equal(t, journal.Summary{}, b.recover(t))

		pass(1)
		b.wrap(t, f) // the new process
		assert.Equal(t, journal.Summary{Resolved: 1}, b.recover(t))
		require.Len(t, f.asked(), 1)
		a := f.asked()[0]
		assert.Equal(t, refund.Attempt{Request: request("k"), FirstSent: began, LastSent: began.Add(15 * time.Minute), Tries: 1}, a)
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
		assert.Equal(t, 1, f.sent())
		assert.Equal(t, journal.Summary{}, b.recover(t), "what is finished is not looked at")
	})
}

// TestDeadSenderCountsFromTheEndOfItsLease: an absence that is believed earlier pays twice.
func TestDeadSenderCountsFromTheEndOfItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lag = 5 * time.Minute
		f := &fake{resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			if until := a.LastSent.Add(lag); time.Now().Before(until) {
				return refund.Resolution{NotBefore: until, Why: "reads lag"}, nil
			}
			return absent(ctx, a)
		}}
		b := newBench(t, f)
		b.crash(t, "k")
		pass(15 * time.Minute)
		assert.Equal(t, journal.Summary{Waiting: 1}, b.recover(t))
		e := b.entry(t, "k")
		assert.Equal(t, time.Now().Add(lag), e.Due, "not before the provider says so, although the backoff is shorter")
		assert.Equal(t, time.Now(), e.LastSent)
		pass(lag - 1)
		assert.Equal(t, journal.Summary{}, b.recover(t))
		pass(1)
		assert.Equal(t, journal.Summary{Resolved: 1}, b.recover(t))
		assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
	})
}

// TestRepeatAfterCrashResolvesFirst: and sends only what is known not to be there.
func TestRepeatAfterCrashResolvesFirst(t *testing.T) {
	for name, resolve := range map[string]func(context.Context, refund.Attempt) (refund.Resolution, error){"applied": applied, "absent": absent} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{resolve: resolve}
			b := newBench(t, f)
			b.crash(t, "k")
			pass(time.Hour)
			got, err := b.ask(t, "k")
			require.NoError(t, err)
			assert.Equal(t, "r-k", got.ID)
			assert.Equal(t, map[string]int{"applied": 1, "absent": 2}[name], f.sent())
		})
	}
}

// TestCrashDuringResolve: a resolver may have sent the request again until the end of its lease.
func TestCrashDuringResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		requireError(t, err, refund.OutcomeUnknown)
		pass(time.Hour)
		f.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { panic("killed") }
		require.Panics(t, func() { b.recover(t) })
		e := b.entry(t, "k")
		assert.Equal(t, journal.StateUnknown, e.State)
		assert.Equal(t, time.Now().Add(15*time.Minute), e.Lease)

		f.resolve = applied
		assert.Equal(t, journal.Summary{}, b.recover(t))
		pass(15 * time.Minute)
		assert.Equal(t, journal.Summary{Resolved: 1}, b.recover(t))
		assert.Equal(t, e.Lease, f.asked()[1].LastSent)
		assert.Equal(t, e.FirstSent, f.asked()[1].FirstSent)
	})
}

// TestLostResolve: a repeat by Resolve that is lost as well widens what is known of the attempt, and never narrows it.
func TestLostResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		requireError(t, err, refund.OutcomeUnknown)
		first := b.entry(t, "k")

		pass(time.Hour)
		var sent time.Time
		f.resolve = func(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
			sent = time.Now()
			pass(time.Second)
			return refund.Resolution{}, &refund.Error{Provider: "fake", Err: errWire, Attempt: refund.Attempt{
				Request: a.Request, FirstSent: sent, LastSent: sent, Tries: a.Tries + 1, // forgets the first one
			}}
		}
		sum, err := b.journal.Recover(t.Context())
		require.ErrorIs(t, err, errWire)
		assert.Equal(t, journal.Summary{Waiting: 1}, sum)
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateUnknown, first.FirstSent, sent, 2}, []any{e.State, e.FirstSent, e.LastSent, e.Tries})

		pass(time.Hour)
		f.resolve = func(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
			return refund.Resolution{}, &refund.Error{Provider: "fake", Attempt: refund.Attempt{
				Request: a.Request, FirstSent: first.FirstSent.Add(-1), LastSent: first.LastSent, Tries: 1,
			}}
		}
		_, err = b.journal.Recover(t.Context())
		require.Error(t, err)
		e = b.entry(t, "k")
		assert.Equal(t, []any{first.FirstSent.Add(-1), sent, 2}, []any{e.FirstSent, e.LastSent, e.Tries})

		pass(6 * time.Hour)
		f.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { return refund.Resolution{}, errWire } // a read
		_, err = b.journal.Recover(t.Context())
		require.ErrorIs(t, err, errWire)
		assert.Equal(t, e.LastSent, b.entry(t, "k").LastSent)
	})
}

// TestResolveOutcomes: what each answer makes of an unknown entry.
func TestResolveOutcomes(t *testing.T) {
	var at time.Time
	with := func(s refund.Status) refund.Resolution {
		return refund.Resolution{Verdict: refund.VerdictApplied, Refund: made(request("k"), s), Why: "w"}
	}
	for name, tt := range map[string]struct {
		answer  refund.Resolution
		state   journal.State
		verdict refund.Verdict
	}{
		"succeeded":           {with(refund.StatusSucceeded), journal.StateSucceeded, refund.VerdictApplied},
		"pending":             {with(refund.StatusPending), journal.StatePending, refund.VerdictApplied},
		"failed":              {with(refund.StatusFailed), journal.StateFailed, refund.VerdictApplied},
		"canceled":            {with(refund.StatusCanceled), journal.StateCanceled, refund.VerdictApplied},
		"expired":             {with(refund.StatusExpired), journal.StateExpired, refund.VerdictApplied},
		"not applied":         {refund.Resolution{Verdict: refund.VerdictNotApplied, Why: "w"}, journal.StateNotSent, refund.VerdictNotApplied},
		"hopeless":            {refund.Resolution{Why: "w"}, journal.StateNeedsReview, refund.VerdictUndetermined},
		"later":               {refund.Resolution{NotBefore: at.Add(1), Why: "w"}, journal.StateUnknown, refund.VerdictUndetermined},
		"applied, not shown":  {refund.Resolution{Verdict: refund.VerdictApplied, Why: "w"}, journal.StateUnknown, refund.VerdictUndetermined},
		"a verdict of 2 to 1": {refund.Resolution{Verdict: 7, Why: "w"}, journal.StateUnknown, refund.VerdictUndetermined},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{refund: lose, resolve: answers(tt.answer)}
			b := newBench(t, f)
			_, err := b.ask(t, "k")
			re := errorOf(t, err, refund.OutcomeUnknown)
			got, err := b.resolver(t).Resolve(t.Context(), re.Attempt)
			require.NoError(t, err)
			assert.Equal(t, tt.verdict, got.Verdict)
			assert.Equal(t, tt.verdict == refund.VerdictApplied, got.Refund != nil)
			assert.Equal(t, tt.state == journal.StateUnknown, !got.NotBefore.IsZero(), "zero is for a person")
			assert.Equal(t, "w", got.Why)
			e := b.entry(t, "k")
			assert.Equal(t, tt.state, e.State)
			assert.Equal(t, "w", e.Note)
			assert.True(t, e.Lease.IsZero())

			again, err := b.resolver(t).Resolve(t.Context(), re.Attempt)
			require.NoError(t, err)
			assert.Equal(t, got.Verdict, again.Verdict)
			if tt.state != journal.StateUnknown {
				assert.Len(t, f.asked(), 1, "the record answers")
			}
		})
	}
}

// TestResolveOfARejectedKey: the record says that nothing moved.
func TestResolveOfARejectedKey(t *testing.T) {
	f := &fake{refund: fails(refund.OutcomeRejected)}
	b := newBench(t, f)
	_, err := b.ask(t, "k")
	require.Error(t, err)
	got, err := b.resolver(t).Resolve(t.Context(), refund.Attempt{Request: request("k")})
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictNotApplied, got.Verdict)
	assert.Empty(t, f.asked())
}

// TestResolveAdoptsAnAttempt that the journal does not have: it is no proof that nothing was sent.
func TestResolveAdoptsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: answers(refund.Resolution{NotBefore: time.Now(), Why: "w"})}
		b := newBench(t, f)
		sent := time.Now()
		pass(time.Hour)
		a := refund.Attempt{Request: request("k"), FirstSent: sent, LastSent: sent, Tries: 2, Snapshot: "before"}
		got, err := b.resolver(t).Resolve(t.Context(), a)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		assert.Equal(t, []refund.Attempt{a}, f.asked())
		_, err = b.ask(t, "other")
		require.ErrorIs(t, err, journal.ErrOrderBusy)

		f.resolve = applied
		pass(time.Minute)
		assert.Equal(t, journal.Summary{Resolved: 1}, b.recover(t))
		assert.Zero(t, f.sent())
		assert.Equal(t, []string{">unknown", "unknown>succeeded"}, b.transitions())

		_, err = b.resolver(t).Resolve(t.Context(), refund.Attempt{})
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
	})
}

// TestResolveWithoutTheStore: the outcome stays as unknown as it was, with the caller's attempt.
func TestResolveWithoutTheStore(t *testing.T) {
	f := &fake{refund: lose, resolve: applied}
	b := newBench(t, f)
	_, err := b.ask(t, "k")
	attempt := errorOf(t, err, refund.OutcomeUnknown).Attempt
	resolve := func(attempt refund.Attempt) refund.Attempt {
		t.Helper()
		_, err := b.resolver(t).Resolve(t.Context(), attempt)
		require.ErrorIs(t, err, errStore)
		return errorOf(t, err, refund.OutcomeUnknown).Attempt
	}
	b.store.breaks("get")
	assert.Equal(t, attempt, resolve(attempt))
	b.store.breaks("update")
	resolve(attempt)
	assert.Empty(t, f.asked(), "without a lease nothing is asked")
	b.store.breaks("insert")
	other := attempt
	other.Request.IdempotencyKey = "other"
	assert.Equal(t, other, resolve(other))

	b.store.breaks()
	f.resolve = func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
		b.store.breaks("update")
		return applied(ctx, a)
	}
	resolve(attempt)
	assert.Equal(t, journal.StateUnknown, b.entry(t, "k").State, "found, but not recorded")
}

// TestResolveCannotAsk: the error of the provider comes through, and the entry stays.
func TestResolveCannotAsk(t *testing.T) {
	f := &fake{refund: lose}
	b := newBench(t, f)
	_, err := b.ask(t, "k")
	attempt := errorOf(t, err, refund.OutcomeUnknown).Attempt
	f.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { return refund.Resolution{}, errWire }
	_, err = b.resolver(t).Resolve(t.Context(), attempt)
	requireErrorIs(t, err, errWire)
	_, err = b.ask(t, "k")
	requireErrorIs(t, err, errWire)
	assert.Equal(t, journal.StateUnknown, b.entry(t, "k").State)
}

// TestResolveIsRecordedThoughNobodyWaits for the answer any more.
func TestResolveIsRecordedThoughNobodyWaits(t *testing.T) {
	f := &fake{refund: lose}
	b := newBench(t, f)
	_, err := b.ask(t, "k")
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	f.resolve = func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
		cancel()
		return applied(ctx, a)
	}
	_, err = b.client.Refund(ctx, request("k"))
	require.NoError(t, err)
	assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
}

// TestOneRefundForOneKey: a refund that is another key's does not make this one paid. A dead process left a snapshot that
// lagged, so that the comparison finds the other.
func TestOneRefundForOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, f)
		_, err := b.ask(t, "a")
		require.NoError(t, err)
		b.crash(t, "b")
		pass(time.Hour)
		f.resolve = answers(refund.Resolution{Verdict: refund.VerdictApplied, Refund: made(request("a"), refund.StatusSucceeded), Why: "one new"})
		assert.Equal(t, journal.Summary{NeedsReview: 1}, b.recover(t))
		assert.Equal(t, journal.StateNeedsReview, b.entry(t, "b").State)

		require.NoError(t, b.decide("b", refund.VerdictUndetermined))
		b.store.hook = func(op string) {
			if op == "entries" && len(f.asked()) == 2 {
				b.store.breaks("entries")
			}
		}
		_, err = b.resolver(t).Resolve(t.Context(), refund.Attempt{Request: request("b")})
		require.ErrorIs(t, err, errStore)
		assert.Equal(t, journal.StateUnknown, b.entry(t, "b").State)
	})
}

// TestWithoutAnId there is nothing to compare: Instant's refunds have none.
func TestWithoutAnId(t *testing.T) {
	f := &fake{refund: func(context.Context, refund.Request) (*refund.Refund, error) {
		return &refund.Refund{Status: refund.StatusSucceeded}, nil
	}}
	b := newBench(t, f)
	_, err := b.ask(t, "a")
	require.NoError(t, err)
	f.refund = lose
	_, err = b.ask(t, "b")
	require.Error(t, err)
	f.resolve = answers(refund.Resolution{Verdict: refund.VerdictApplied, Refund: &refund.Refund{Status: refund.StatusSucceeded}})
	_, err = b.ask(t, "b")
	require.NoError(t, err)
}

// TestBackoff: one step for each look, then a person.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose}
		b := newBench(t, f)
		b.opts.Backoff = []time.Duration{time.Second, time.Minute, time.Hour}
		b.wrap(t, f)
		_, err := b.ask(t, "k")
		require.Error(t, err)
		for i, wait := range []time.Duration{time.Second, time.Second, time.Minute, time.Hour} {
			assert.Equal(t, time.Now().Add(wait), b.entry(t, "k").Due)
			pass(wait - 1)
			assert.Equal(t, journal.Summary{}, b.recover(t))
			pass(1)
			want := journal.Summary{Waiting: 1}
			if i == 3 {
				want = journal.Summary{NeedsReview: 1}
			}
			assert.Equal(t, want, b.recover(t))
		}
		assert.Equal(t, journal.StateNeedsReview, b.entry(t, "k").State)
		assert.True(t, b.entry(t, "k").Due.IsZero())
		assert.Len(t, f.asked(), 4)
		assert.Equal(t, []string{">sending", "sending>unknown", "unknown>needs_review"}, b.transitions(), "a look is no transition")
		assert.Equal(t, journal.Summary{}, b.recover(t), "a person decides now")
		_, err = b.ask(t, "k")
		requireErrorIs(t, err, journal.ErrNeedsReview)
		assert.Len(t, f.asked(), 4)
		assert.Equal(t, 1, f.sent())
	})
}

// TestDefaultBackoff takes more than five days of outage to leave an entry to a person.
func TestDefaultBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: func(context.Context, refund.Attempt) (refund.Resolution, error) {
			return refund.Resolution{}, errWire
		}}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		require.Error(t, err)
		began := time.Now()
		for b.entry(t, "k").State == journal.StateUnknown {
			pass(time.Until(b.entry(t, "k").Due))
			_, err := b.journal.Recover(t.Context())
			require.ErrorIs(t, err, errWire)
		}
		assert.Greater(t, time.Since(began), 5*24*time.Hour)
		assert.Len(t, f.asked(), 12)
	})
}

// TestImpatientCallers do not use up the backoff, and do not put the next look off.
func TestImpatientCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		require.Error(t, err)
		due := b.entry(t, "k").Due
		for range 100 {
			pass(time.Millisecond)
			_, err = b.ask(t, "k")
			requireError(t, err, refund.OutcomeUnknown)
		}
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateUnknown, 0, due}, []any{e.State, e.Checks, e.Due})

		later := time.Now().Add(time.Hour)
		f.resolve = answers(refund.Resolution{NotBefore: later})
		_, err = b.ask(t, "k")
		assert.Equal(t, time.Hour, errorOf(t, err, refund.OutcomeUnknown).RetryAfter)
		assert.Equal(t, later, b.entry(t, "k").Due)
	})
}

// TestWithoutResolver: a client that cannot be asked leaves it to a person.
func TestWithoutResolver(t *testing.T) {
	f := &fake{refund: lose}
	f.resolvedBy = refund.ResolvedByPerson
	b := newBenchOf(t, f, struct{ refund.Refunder }{f})
	_, err := b.ask(t, "k")
	attempt := errorOf(t, err, refund.OutcomeUnknown).Attempt
	got, err := b.resolver(t).Resolve(t.Context(), attempt)
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
	assert.True(t, got.NotBefore.IsZero())
	assert.Equal(t, journal.StateNeedsReview, b.entry(t, "k").State)
}

// TestDecide: what each decision makes of an entry that needs review.
func TestDecide(t *testing.T) {
	for verdict, state := range map[refund.Verdict]journal.State{
		refund.VerdictApplied: journal.StateSucceeded, refund.VerdictNotApplied: journal.StateNotSent,
		refund.VerdictUndetermined: journal.StateUnknown,
	} {
		t.Run(verdict.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{refund: lose, resolve: answers(refund.Resolution{Why: "look"})}
				b := newBench(t, f)
				_, err := b.ask(t, "k")
				require.Error(t, err)
				_, err = b.ask(t, "k")
				requireErrorIs(t, err, journal.ErrNeedsReview)

				before := b.entry(t, "k")
				for name, change := range map[string]func(*journal.Decision){
					"nobody":           func(d *journal.Decision) { d.Who = "" },
					"no reason":        func(d *journal.Decision) { d.Why = "" },
					"a verdict of 3":   func(d *journal.Decision) { d.Verdict = 7 },
					"no such provider": func(d *journal.Decision) { d.Provider = "other" },
					"no such account":  func(d *journal.Decision) { d.Account = "other" },
					"no such key":      func(d *journal.Decision) { d.Key = "other" },
				} {
					d := decision("k", verdict)
					change(&d)
					err := b.journal.Decide(t.Context(), d)
					require.Error(t, err, name)
					assert.Equal(t, strings.HasPrefix(name, "no such"), errors.Is(err, journal.ErrNoEntry), name)
				}
				b.store.breaks("update")
				require.ErrorIs(t, b.decide("k", verdict), errStore)
				b.store.breaks()
				assert.Equal(t, before, b.entry(t, "k"))

				require.NoError(t, b.decide("k", verdict))
				e := b.entry(t, "k")
				assert.Equal(t, state, e.State)
				assert.Contains(t, e.Note, "staff-7")
				assert.Contains(t, e.Note, "see ticket 12")
				moves := b.transitions()
				assert.Equal(t, "needs_review>"+string(state), moves[len(moves)-1])

				f.refund, f.resolve = nil, applied
				switch verdict {
				case refund.VerdictApplied:
					got, err := b.ask(t, "k")
					require.NoError(t, err)
					assert.Equal(t, refund.StatusSucceeded, got.Status)
					assert.Equal(t, 1, f.sent())
				case refund.VerdictNotApplied:
					_, err := b.ask(t, "k")
					require.NoError(t, err)
					assert.Equal(t, 2, f.sent())
				case refund.VerdictUndetermined:
					assert.Equal(t, journal.Summary{Resolved: 1}, b.recover(t))
					assert.Equal(t, 1, f.sent())
				}
			})
		})
	}
}

// TestDecideOnlyWhatIsOpen: nobody overrules what is known, or who works on it.
func TestDecideOnlyWhatIsOpen(t *testing.T) {
	decide := func(b *bench) error { return b.decide("k", refund.VerdictNotApplied) }
	for name, script := range map[string]func(context.Context, refund.Request) (*refund.Refund, error){
		"succeeded": nil,
		"pending":   pending,
		"failed": func(_ context.Context, r refund.Request) (*refund.Refund, error) {
			return made(r, refund.StatusFailed), nil
		},
		"canceled": func(_ context.Context, r refund.Request) (*refund.Refund, error) {
			return made(r, refund.StatusCanceled), nil
		},
		"expired": func(_ context.Context, r refund.Request) (*refund.Refund, error) {
			return made(r, refund.StatusExpired), nil
		},
		"rejected": fails(refund.OutcomeRejected),
		"not sent": fails(refund.OutcomeNotSent),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, &fake{refund: script})
			b.try(t, "k")
			before := b.entry(t, "k")
			require.ErrorIs(t, decide(b), journal.ErrIllegalTransition)
			assert.Equal(t, before, b.entry(t, "k"))
		})
	}
	t.Run("sending", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, &fake{})
			b.crash(t, "k")
			require.ErrorIs(t, decide(b), journal.ErrIllegalTransition)
			pass(time.Hour)
			require.ErrorIs(t, decide(b), journal.ErrIllegalTransition, "it has to be recovered first")
		})
	})
	t.Run("unknown", func(t *testing.T) {
		f := &fake{refund: lose}
		b := newBench(t, f)
		b.try(t, "k")
		f.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) {
			require.ErrorIs(t, decide(b), journal.ErrIllegalTransition, "a resolver may be sending it again")
			return refund.Resolution{NotBefore: time.Now()}, nil
		}
		_, err := b.ask(t, "k")
		requireError(t, err, refund.OutcomeUnknown)
		require.NoError(t, decide(b))
		assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
	})
}

// TestDecideWithoutClient: the order of a provider that is gone can be freed.
func TestDecideWithoutClient(t *testing.T) {
	b := newBench(t, &fake{refund: lose})
	b.try(t, "k")
	gone := journal.New(b.store, journal.Options{})
	require.NoError(t, gone.Decide(t.Context(), decision("k", refund.VerdictNotApplied)))
	assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
	b.refund = nil
	_, err := b.ask(t, "other")
	require.NoError(t, err)
}

// TestTwoDecide: the second one hears that the entry has changed.
func TestTwoDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: answers(refund.Resolution{Why: "look"})}
		b := newBench(t, f)
		b.try(t, "k")
		b.try(t, "k")
		b.store.hook = func(op string) {
			if op == "update" {
				pass(time.Second)
			}
		}
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i, verdict := range []refund.Verdict{refund.VerdictApplied, refund.VerdictNotApplied} {
			wg.Go(func() { errs[i] = b.decide("k", verdict) })
		}
		wg.Wait()
		assert.NotEqual(t, errs[0] == nil, errs[1] == nil)
		require.ErrorIs(t, errors.Join(errs...), journal.ErrStale)
	})
}

// TestTwoRecover: one of them resolves, the other leaves it alone.
func TestTwoRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			pass(time.Second)
			return applied(ctx, a)
		}}
		b := newBench(t, f)
		b.crash(t, "k")
		other := journal.New(b.store, b.opts)
		wrap(t, other, f)
		pass(time.Hour)
		b.store.hook = func(op string) {
			if op == "update" {
				pass(time.Second)
			}
		}
		var wg sync.WaitGroup
		sums := make([]journal.Summary, 3)
		for i, j := range []*journal.Journal{b.journal, other} {
			wg.Go(func() {
				var err error
				sums[i], err = j.Recover(t.Context())
				assert.NoError(t, err)
			})
		}
		wg.Go(func() {
			_, err := b.ask(t, "k")
			if err != nil {
				requireErrorIs(t, err, refund.ErrInFlight)
				return
			}
			sums[2].Resolved++
		})
		wg.Wait()
		assert.Equal(t, 1, sums[0].Resolved+sums[1].Resolved+sums[2].Resolved)
		assert.Len(t, f.asked(), 1)
	})
}

// TestRecoverGoesOn after entries that cannot be resolved.
func TestRecoverGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			switch a.Request.IdempotencyKey {
			case "a":
				return refund.Resolution{}, errWire
			case "b":
				return refund.Resolution{Why: "look"}, nil
			}
			return applied(ctx, a)
		}}
		b := newBench(t, f)
		gone := wrap(t, b.journal, &fake{name: "gone", refund: lose})
		for _, key := range []string{"a", "b", "c"} {
			req := request(key)
			req.Order.ID = key
			_, err := b.client.Refund(t.Context(), req)
			require.ErrorIs(t, err, errWire)
			_, err = gone.Refund(t.Context(), req)
			require.ErrorIs(t, err, errWire)
		}
		b.wrap(t, f) // a process without a client for the other provider
		pass(time.Hour)
		sum, err := b.journal.Recover(t.Context())
		require.ErrorIs(t, err, errWire)
		require.ErrorIs(t, err, journal.ErrNoClient)
		assert.Equal(t, journal.Summary{Resolved: 1, NeedsReview: 1, Waiting: 4}, sum)

		b.store.breaks("entries")
		_, err = b.journal.Recover(t.Context())
		require.ErrorIs(t, err, errStore)
		b.store.breaks()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = b.journal.Recover(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// TestRecoverStops when its context ends, and says so.
func TestRecoverStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{refund: lose})
		for _, key := range []string{"a", "b"} {
			req := request(key)
			req.Order.ID = key
			_, err := b.client.Refund(t.Context(), req)
			requireErrorIs(t, err, errWire)
		}
		pass(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		b.resolve = func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			cancel()
			return applied(ctx, a)
		}
		sum, err := b.journal.Recover(ctx)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, journal.Summary{Resolved: 1}, sum)
		assert.Equal(t, journal.StateUnknown, b.entry(t, "b").State)
		assert.Len(t, b.asked(), 1)
	})
}

// TestSync follows a pending refund to each of its ends.
func TestSync(t *testing.T) {
	for status, state := range map[refund.Status]journal.State{
		refund.StatusSucceeded: journal.StateSucceeded, refund.StatusFailed: journal.StateFailed,
		refund.StatusCanceled: journal.StateCanceled, refund.StatusExpired: journal.StateExpired,
	} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{refund: pending}
				now := refund.StatusPending
				r := &readable{fake: f, get: func(_ context.Context, ref refund.Ref) (*refund.Refund, error) {
					assert.Equal(t, refund.Ref{Order: request("k").Order, ID: "r-k"}, ref)
					return made(request("k"), now), nil
				}}
				b := newBenchOf(t, f, r)
				_, err := b.ask(t, "k")
				require.NoError(t, err)
				look := func(want journal.Summary) {
					t.Helper()
					sum, err := b.journal.Sync(t.Context())
					require.NoError(t, err)
					assert.Equal(t, want, sum)
				}
				look(journal.Summary{})
				pass(15 * time.Minute)
				look(journal.Summary{Waiting: 1})
				look(journal.Summary{})
				now = status
				pass(15 * time.Minute)
				look(journal.Summary{Resolved: 1})
				assert.Equal(t, state, b.entry(t, "k").State)
				got, err := b.ask(t, "k")
				require.NoError(t, err)
				assert.Equal(t, status, got.Status)
				assert.Equal(t, []string{">sending", "sending>pending", "pending>" + string(state)}, b.transitions())
				assert.False(t, b.entry(t, "k").State.Reserves() && state != journal.StateSucceeded)
			})
		})
	}
}

// TestSyncCannotRead: a refund that is not found, or not read, is as pending as before.
func TestSyncCannotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: func(context.Context, refund.Request) (*refund.Refund, error) {
			return &refund.Refund{Status: refund.StatusPending}, nil // without an id
		}}
		var problem error
		r := &readable{fake: f, get: func(context.Context, refund.Ref) (*refund.Refund, error) { return nil, problem }}
		b := newBenchOf(t, f, r)
		_, err := b.ask(t, "k")
		require.NoError(t, err)
		for _, problem = range []error{errWire, &refund.Error{Kind: refund.ErrOrderNotFound, Outcome: refund.OutcomeRejected}, nil} {
			pass(15 * time.Minute)
			sum, err := b.journal.Sync(t.Context())
			require.ErrorIs(t, err, problem)
			assert.Equal(t, journal.Summary{Waiting: 1}, sum)
			e := b.entry(t, "k")
			assert.Equal(t, journal.StatePending, e.State)
			assert.Equal(t, time.Now().Add(15*time.Minute), e.Due)
		}
		b.store.breaks("update")
		pass(15 * time.Minute)
		_, err = b.journal.Sync(t.Context())
		require.ErrorIs(t, err, errStore)
	})
}

// TestSyncWithoutGetter: what cannot be read is not polled, also when another process thought it could.
func TestSyncWithoutGetter(t *testing.T) {
	f := &fake{refund: pending}
	b := newBench(t, f)
	_, err := b.ask(t, "k")
	require.NoError(t, err)
	e := b.entry(t, "k")
	assert.True(t, e.Due.IsZero())
	e.Version, e.Due = e.Version+1, time.Now()
	require.NoError(t, b.store.Update(t.Context(), e))
	for _, waiting := range []int{1, 0} {
		sum, err := b.journal.Sync(t.Context())
		require.NoError(t, err)
		assert.Equal(t, journal.Summary{Waiting: waiting}, sum)
	}
	assert.Equal(t, journal.StatePending, b.entry(t, "k").State)
}

// TestRun recovers and syncs on schedule, goes on after errors, logs them, and ends with its context.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: func(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
			return refund.Resolution{Verdict: refund.VerdictApplied, Refund: made(a.Request, refund.StatusPending)}, nil
		}}
		r := &readable{fake: f, get: func(context.Context, refund.Ref) (*refund.Refund, error) {
			return made(request("k"), refund.StatusSucceeded), nil
		}}
		b := newBenchOf(t, f, r)
		var log bytes.Buffer
		b.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
		b.wrap(t, r)
		_, err := b.ask(t, "k")
		require.ErrorIs(t, err, errWire)

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		b.store.breaks("entries")
		go func() {
			defer close(done)
			b.journal.Run(ctx)
		}()
		synctest.Wait()
		assert.Equal(t, 2, strings.Count(log.String(), "level=WARN"), "Recover and Sync, at once")
		assert.Contains(t, log.String(), errStore.Error())
		b.store.breaks()
		pass(30*time.Second + 1)
		assert.Equal(t, journal.StatePending, b.entry(t, "k").State)
		pass(15*time.Minute + 30*time.Second)
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
		cancel()
		<-done
		assert.Equal(t, 2, strings.Count(log.String(), "\n"), "the end is no error")
	})
}

// TestRunInterval, without a logger.
func TestRunInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{})
		b.opts.Interval = time.Hour
		b.wrap(t, b.fake)
		b.store.breaks("entries")
		var mu sync.Mutex
		n := 0
		b.store.hook = func(string) {
			mu.Lock()
			defer mu.Unlock()
			n++
		}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Minute)
		defer cancel()
		b.journal.Run(ctx)
		assert.Equal(t, 6, n, "at once, after one hour and after two")
		assert.Equal(t, context.DeadlineExceeded, ctx.Err())
	})
}

// TestEntries selects by every field of a Filter, and stops when the caller does.
func TestEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, f)
		other := wrap(t, b.journal, &fake{name: "other"})
		began := time.Now()
		for i := range 3 {
			req := request(fmt.Sprintf("k%d", i))
			req.Order.ID = strconv.Itoa(i)
			if i == 2 {
				f.refund = lose
			}
			if _, err := b.client.Refund(t.Context(), req); i == 2 {
				require.ErrorIs(t, err, errWire)
			}
			pass(time.Second)
		}
		_, err := other.Refund(t.Context(), request("k0"))
		require.NoError(t, err)

		list := func(f journal.Filter) (got []string) {
			for e, err := range b.journal.Entries(t.Context(), f) {
				require.NoError(t, err)
				got = append(got, e.Provider+" "+e.Key)
			}
			return got
		}
		assert.Equal(t, []string{"fake k0", "fake k1", "other k0", "fake k2"}, list(journal.Filter{}), "by Due, then Created")
		assert.Equal(t, []string{"other k0"}, list(journal.Filter{Provider: "other"}))
		assert.Empty(t, list(journal.Filter{Provider: "other", Account: "nz"}))
		assert.Equal(t, []string{"fake k1", "other k0"}, list(journal.Filter{OrderKey: "1"}))
		assert.Equal(t, []string{"fake k2"}, list(journal.Filter{States: []journal.State{journal.StateUnknown, journal.StateNeedsReview}}))
		assert.Equal(t, []string{"fake k0"}, list(journal.Filter{Before: began.Add(time.Second)}))
		assert.Empty(t, list(journal.Filter{DueBy: time.Now()}))
		assert.Equal(t, []string{"fake k2"}, list(journal.Filter{DueBy: time.Now().Add(time.Minute)}))
		for e, err := range b.journal.Entries(t.Context(), journal.Filter{}) {
			require.NoError(t, err)
			assert.Equal(t, "k0", e.Key)
			break
		}
	})
}

// TestMemoryChecksVersions: the compare-and-set that everything rests on.
func TestMemoryChecksVersions(t *testing.T) {
	store := journal.NewMemory()
	e := journal.Entry{Provider: "fake", Key: "k", Order: refund.Order{ID: "1"}, State: journal.StateSending, Version: 1}
	require.ErrorIs(t, store.Update(t.Context(), e), journal.ErrStale)
	require.NoError(t, store.Insert(t.Context(), e))
	require.ErrorIs(t, store.Insert(t.Context(), e), journal.ErrKeyExists)
	require.ErrorIs(t, store.Update(t.Context(), e), journal.ErrStale)
	e.Version = 3
	require.ErrorIs(t, store.Update(t.Context(), e), journal.ErrStale)
	e.Version = 2
	require.NoError(t, store.Update(t.Context(), e))
	require.ErrorIs(t, store.Update(t.Context(), e), journal.ErrStale)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.Version = 3
	require.ErrorIs(t, store.Update(ctx, e), context.Canceled)
}

// TestPaidTwice: what was paid more than once is for a person, not a success like any other.
func TestPaidTwice(t *testing.T) {
	f := &fake{refund: lose, resolvedBy: refund.ResolvedByMarker}
	f.resolve = func(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
		one, two := made(a.Request, refund.StatusSucceeded), made(a.Request, refund.StatusSucceeded)
		two.ID = "r-2"
		return refund.Resolution{Verdict: refund.VerdictApplied, Refund: one, Duplicates: []*refund.Refund{two}, Why: "r-k, r-2"}, nil
	}
	b := newBench(t, f)
	_, err := b.ask(t, "k")
	_, err = b.resolver(t).Resolve(t.Context(), errorOf(t, err, refund.OutcomeUnknown).Attempt)
	require.NoError(t, err)
	e := b.entry(t, "k")
	assert.Equal(t, []any{journal.StateNeedsReview, "r-k, r-2"}, []any{e.State, e.Note})
}
