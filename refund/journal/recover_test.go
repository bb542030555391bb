package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// TestRecoverWaitsForTheLease: a process may still be sending. When the lease is over it is not, but it may have sent
// until then.
func TestRecoverWaitsForTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: applied}
		b := newBench(f)
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
		b.wrap(f) // the new process
		assert.Equal(t, journal.Summary{Resolved: 1}, b.recover(t))
		require.Len(t, f.asked(), 1)
		a := f.asked()[0]
		assert.Equal(t, refund.Attempt{Request: request("k"), FirstSent: began, LastSent: began.Add(15 * time.Minute), Tries: 1}, a)
		assert.Equal(t, journal.Succeeded, b.entry(t, "k").State)
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
		b := newBench(f)
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
		assert.Equal(t, journal.NotSent, b.entry(t, "k").State)
	})
}

// TestRepeatAfterCrashResolvesFirst: and sends only what is known not to be there.
func TestRepeatAfterCrashResolvesFirst(t *testing.T) {
	for name, resolve := range map[string]func(context.Context, refund.Attempt) (refund.Resolution, error){"applied": applied, "absent": absent} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{resolve: resolve}
			b := newBench(f)
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
		b := newBench(f)
		_, err := b.ask(t, "k")
		requireError(t, err, refund.OutcomeUnknown)
		pass(time.Hour)
		f.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { panic("killed") }
		require.Panics(t, func() { b.recover(t) })
		e := b.entry(t, "k")
		assert.Equal(t, journal.Unknown, e.State)
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
		b := newBench(f)
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
		assert.Equal(t, []any{journal.Unknown, first.FirstSent, sent, 2}, []any{e.State, e.FirstSent, e.LastSent, e.Tries})

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
		"succeeded":           {with(refund.StatusSucceeded), journal.Succeeded, refund.VerdictApplied},
		"pending":             {with(refund.StatusPending), journal.Pending, refund.VerdictApplied},
		"failed":              {with(refund.StatusFailed), journal.Failed, refund.VerdictApplied},
		"canceled":            {with(refund.StatusCanceled), journal.Canceled, refund.VerdictApplied},
		"expired":             {with(refund.StatusExpired), journal.Expired, refund.VerdictApplied},
		"not applied":         {refund.Resolution{Verdict: refund.VerdictNotApplied, Why: "w"}, journal.NotSent, refund.VerdictNotApplied},
		"hopeless":            {refund.Resolution{Why: "w"}, journal.NeedsReview, refund.VerdictUndetermined},
		"later":               {refund.Resolution{NotBefore: at.Add(1), Why: "w"}, journal.Unknown, refund.VerdictUndetermined},
		"applied, not shown":  {refund.Resolution{Verdict: refund.VerdictApplied, Why: "w"}, journal.Unknown, refund.VerdictUndetermined},
		"a verdict of 2 to 1": {refund.Resolution{Verdict: 7, Why: "w"}, journal.Unknown, refund.VerdictUndetermined},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{refund: lose, resolve: answers(tt.answer)}
			b := newBench(f)
			_, err := b.ask(t, "k")
			re := errorOf(t, err, refund.OutcomeUnknown)
			got, err := b.resolver(t).Resolve(t.Context(), re.Attempt)
			require.NoError(t, err)
			assert.Equal(t, tt.verdict, got.Verdict)
			assert.Equal(t, tt.verdict == refund.VerdictApplied, got.Refund != nil)
			assert.Equal(t, tt.state == journal.Unknown, !got.NotBefore.IsZero(), "zero is for a person")
			assert.Equal(t, "w", got.Why)
			e := b.entry(t, "k")
			assert.Equal(t, tt.state, e.State)
			assert.Equal(t, "w", e.Note)
			assert.True(t, e.Lease.IsZero())

			again, err := b.resolver(t).Resolve(t.Context(), re.Attempt)
			require.NoError(t, err)
			assert.Equal(t, got.Verdict, again.Verdict)
			if tt.state != journal.Unknown {
				assert.Len(t, f.asked(), 1, "the record answers")
			}
		})
	}
}

// TestResolveOfARejectedKey: the record says that nothing moved.
func TestResolveOfARejectedKey(t *testing.T) {
	f := &fake{refund: fails(refund.OutcomeRejected)}
	b := newBench(f)
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
		b := newBench(f)
		sent := time.Now()
		pass(time.Hour)
		a := refund.Attempt{Request: request("k"), FirstSent: sent, LastSent: sent, Tries: 2, Baseline: "before"}
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
	b := newBench(f)
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
	assert.Equal(t, journal.Unknown, b.entry(t, "k").State, "found, but not recorded")
}

// TestResolveCannotAsk: the error of the provider comes through, and the entry stays.
func TestResolveCannotAsk(t *testing.T) {
	f := &fake{refund: lose}
	b := newBench(f)
	_, err := b.ask(t, "k")
	attempt := errorOf(t, err, refund.OutcomeUnknown).Attempt
	f.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { return refund.Resolution{}, errWire }
	_, err = b.resolver(t).Resolve(t.Context(), attempt)
	requireErrorIs(t, err, errWire)
	_, err = b.ask(t, "k")
	requireErrorIs(t, err, errWire)
	assert.Equal(t, journal.Unknown, b.entry(t, "k").State)
}

// TestResolveIsRecordedThoughNobodyWaits for the answer any more.
func TestResolveIsRecordedThoughNobodyWaits(t *testing.T) {
	f := &fake{refund: lose}
	b := newBench(f)
	_, err := b.ask(t, "k")
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	f.resolve = func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
		cancel()
		return applied(ctx, a)
	}
	_, err = b.client.Refund(ctx, request("k"))
	require.NoError(t, err)
	assert.Equal(t, journal.Succeeded, b.entry(t, "k").State)
}

// TestOneRefundForOneKey: a refund that is another key's does not make this one paid. A dead process left a baseline that
// lagged, so that the comparison finds the other.
func TestOneRefundForOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(f)
		_, err := b.ask(t, "a")
		require.NoError(t, err)
		b.crash(t, "b")
		pass(time.Hour)
		f.resolve = answers(refund.Resolution{Verdict: refund.VerdictApplied, Refund: made(request("a"), refund.StatusSucceeded), Why: "one new"})
		assert.Equal(t, journal.Summary{NeedsReview: 1}, b.recover(t))
		assert.Equal(t, journal.NeedsReview, b.entry(t, "b").State)

		require.NoError(t, b.journal.Decide(t.Context(), "fake", "b", refund.VerdictUndetermined, "me", "again"))
		b.store.hook = func(op string) {
			if op == "entries" && len(f.asked()) == 2 {
				b.store.breaks("entries")
			}
		}
		_, err = b.resolver(t).Resolve(t.Context(), refund.Attempt{Request: request("b")})
		require.ErrorIs(t, err, errStore)
		assert.Equal(t, journal.Unknown, b.entry(t, "b").State)
	})
}

// TestWithoutAnId there is nothing to compare: Instant's refunds have none.
func TestWithoutAnId(t *testing.T) {
	f := &fake{refund: func(context.Context, refund.Request) (*refund.Refund, error) {
		return &refund.Refund{Status: refund.StatusSucceeded}, nil
	}}
	b := newBench(f)
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
		b := newBench(f)
		b.opts.Backoff = []time.Duration{time.Second, time.Minute, time.Hour}
		b.wrap(f)
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
		assert.Equal(t, journal.NeedsReview, b.entry(t, "k").State)
		assert.True(t, b.entry(t, "k").Due.IsZero())
		assert.Len(t, f.asked(), 4)
		assert.Equal(t, []string{">sending", "sending>unknown", "unknown>needs review"}, b.transitions(), "a look is no transition")
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
		b := newBench(f)
		_, err := b.ask(t, "k")
		require.Error(t, err)
		began := time.Now()
		for b.entry(t, "k").State == journal.Unknown {
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
		b := newBench(f)
		_, err := b.ask(t, "k")
		require.Error(t, err)
		due := b.entry(t, "k").Due
		for range 100 {
			pass(time.Millisecond)
			_, err = b.ask(t, "k")
			requireError(t, err, refund.OutcomeUnknown)
		}
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.Unknown, 0, due}, []any{e.State, e.Checks, e.Due})

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
	b := newBenchOf(f, struct{ refund.Refunder }{f})
	_, err := b.ask(t, "k")
	attempt := errorOf(t, err, refund.OutcomeUnknown).Attempt
	got, err := b.resolver(t).Resolve(t.Context(), attempt)
	require.NoError(t, err)
	assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
	assert.True(t, got.NotBefore.IsZero())
	assert.Equal(t, journal.NeedsReview, b.entry(t, "k").State)
}

// TestDecide: what each decision makes of an entry that needs review.
func TestDecide(t *testing.T) {
	for verdict, state := range map[refund.Verdict]journal.State{
		refund.VerdictApplied: journal.Succeeded, refund.VerdictNotApplied: journal.NotSent, refund.VerdictUndetermined: journal.Unknown,
	} {
		t.Run(verdict.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{refund: lose, resolve: answers(refund.Resolution{Why: "look"})}
				b := newBench(f)
				_, err := b.ask(t, "k")
				require.Error(t, err)
				_, err = b.ask(t, "k")
				requireErrorIs(t, err, journal.ErrNeedsReview)

				for _, bad := range [][2]string{{"", "because"}, {"me", ""}} {
					require.Error(t, b.journal.Decide(t.Context(), "fake", "k", verdict, bad[0], bad[1]))
				}
				require.Error(t, b.journal.Decide(t.Context(), "fake", "k", 7, "me", "because"))
				assert.Equal(t, journal.NeedsReview, b.entry(t, "k").State)
				require.ErrorIs(t, b.journal.Decide(t.Context(), "fake", "none", verdict, "me", "because"), journal.ErrNotFound)
				b.store.breaks("update")
				require.ErrorIs(t, b.journal.Decide(t.Context(), "fake", "k", verdict, "me", "because"), errStore)
				b.store.breaks()

				require.NoError(t, b.journal.Decide(t.Context(), "fake", "k", verdict, "op-7", "see ticket 12"))
				e := b.entry(t, "k")
				assert.Equal(t, state, e.State)
				assert.Contains(t, e.Note, "op-7")
				assert.Contains(t, e.Note, "see ticket 12")
				moves := b.transitions()
				assert.Equal(t, "needs review>"+string(state), moves[len(moves)-1])

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
	decide := func(b *bench) error {
		return b.journal.Decide(t.Context(), "fake", "k", refund.VerdictNotApplied, "me", "because")
	}
	for name, script := range map[string]func(context.Context, refund.Request) (*refund.Refund, error){
		"succeeded": nil,
		"pending": func(_ context.Context, r refund.Request) (*refund.Refund, error) {
			return made(r, refund.StatusPending), nil
		},
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
			b := newBench(&fake{refund: script})
			b.try(t, "k")
			before := b.entry(t, "k")
			require.ErrorIs(t, decide(b), journal.ErrIllegalTransition)
			assert.Equal(t, before, b.entry(t, "k"))
		})
	}
	t.Run("sending", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(&fake{})
			b.crash(t, "k")
			require.ErrorIs(t, decide(b), journal.ErrIllegalTransition)
			pass(time.Hour)
			require.ErrorIs(t, decide(b), journal.ErrIllegalTransition, "it has to be recovered first")
		})
	})
	t.Run("unknown", func(t *testing.T) {
		f := &fake{refund: lose}
		b := newBench(f)
		b.try(t, "k")
		f.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) {
			require.ErrorIs(t, decide(b), journal.ErrIllegalTransition, "a resolver may be sending it again")
			return refund.Resolution{NotBefore: time.Now()}, nil
		}
		_, err := b.ask(t, "k")
		requireError(t, err, refund.OutcomeUnknown)
		require.NoError(t, decide(b))
		assert.Equal(t, journal.NotSent, b.entry(t, "k").State)
	})
}

// TestTwoDecide: the second one hears that the entry has changed.
func TestTwoDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: answers(refund.Resolution{Why: "look"})}
		b := newBench(f)
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
			wg.Go(func() { errs[i] = b.journal.Decide(t.Context(), "fake", "k", verdict, "me", "because") })
		}
		wg.Wait()
		assert.NotEqual(t, errs[0] == nil, errs[1] == nil)
		require.ErrorIs(t, errors.Join(errs...), journal.ErrConflict)
	})
}

// TestTwoRecover: one of them resolves, the other leaves it alone.
func TestTwoRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			pass(time.Second)
			return applied(ctx, a)
		}}
		b := newBench(f)
		b.crash(t, "k")
		other := journal.New(b.store, b.opts)
		other.Wrap(f)
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
		b := newBench(f)
		gone := b.journal.Wrap(&fake{name: "gone", refund: lose})
		for _, key := range []string{"a", "b", "c"} {
			req := request(key)
			req.Order.ID = key
			_, err := b.client.Refund(t.Context(), req)
			require.ErrorIs(t, err, errWire)
			_, err = gone.Refund(t.Context(), req)
			require.ErrorIs(t, err, errWire)
		}
		b.wrap(f) // a process without a client for the other provider
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

// TestSync follows a pending refund to each of its ends.
func TestSync(t *testing.T) {
	for status, state := range map[refund.Status]journal.State{
		refund.StatusSucceeded: journal.Succeeded, refund.StatusFailed: journal.Failed,
		refund.StatusCanceled: journal.Canceled, refund.StatusExpired: journal.Expired,
	} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{refund: func(_ context.Context, req refund.Request) (*refund.Refund, error) {
					return made(req, refund.StatusPending), nil
				}}
				now := refund.StatusPending
				r := &readable{fake: f, get: func(_ context.Context, ref refund.Ref) (*refund.Refund, error) {
					assert.Equal(t, refund.Ref{Order: request("k").Order, ID: "r-k"}, ref)
					return made(request("k"), now), nil
				}}
				b := newBenchOf(f, r)
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
				assert.False(t, b.entry(t, "k").State.Reserves() && state != journal.Succeeded)
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
		b := newBenchOf(f, r)
		_, err := b.ask(t, "k")
		require.NoError(t, err)
		for _, problem = range []error{errWire, &refund.Error{Kind: refund.KindOrderNotFound, Outcome: refund.OutcomeRejected}, nil} {
			pass(15 * time.Minute)
			sum, err := b.journal.Sync(t.Context())
			require.ErrorIs(t, err, problem)
			assert.Equal(t, journal.Summary{Waiting: 1}, sum)
			e := b.entry(t, "k")
			assert.Equal(t, journal.Pending, e.State)
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
	f := &fake{refund: func(_ context.Context, req refund.Request) (*refund.Refund, error) {
		return made(req, refund.StatusPending), nil
	}}
	b := newBench(f)
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
	assert.Equal(t, journal.Pending, b.entry(t, "k").State)
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
		b := newBenchOf(f, r)
		var log bytes.Buffer
		b.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
		b.wrap(r)
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
		assert.Equal(t, journal.Pending, b.entry(t, "k").State)
		pass(15*time.Minute + 30*time.Second)
		assert.Equal(t, journal.Succeeded, b.entry(t, "k").State)
		cancel()
		<-done
		assert.Equal(t, 2, strings.Count(log.String(), "\n"), "the end is no error")
	})
}

// TestRunInterval, without a logger.
func TestRunInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(&fake{})
		b.opts.Interval = time.Hour
		b.wrap(b.fake)
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
		b := newBench(f)
		other := b.journal.Wrap(&fake{name: "other"})
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
		assert.Equal(t, []string{"fake k1", "other k0"}, list(journal.Filter{OrderKey: "1"}))
		assert.Equal(t, []string{"fake k2"}, list(journal.Filter{States: []journal.State{journal.Unknown, journal.NeedsReview}}))
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
	e := journal.Entry{Provider: "fake", Key: "k", Order: refund.Order{ID: "1"}, State: journal.Sending, Version: 1}
	require.ErrorIs(t, store.Update(t.Context(), e), journal.ErrConflict)
	require.NoError(t, store.Insert(t.Context(), e))
	require.ErrorIs(t, store.Insert(t.Context(), e), journal.ErrExists)
	require.ErrorIs(t, store.Update(t.Context(), e), journal.ErrConflict)
	e.Version = 3
	require.ErrorIs(t, store.Update(t.Context(), e), journal.ErrConflict)
	e.Version = 2
	require.NoError(t, store.Update(t.Context(), e))
	require.ErrorIs(t, store.Update(t.Context(), e), journal.ErrConflict)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.Version = 3
	require.ErrorIs(t, store.Update(ctx, e), context.Canceled)
}

// Abilities of a wrapped client.
type (
	lister   struct{}
	canceler struct{}
	getter   struct{}
)

func (getter) GetRefund(context.Context, refund.Ref) (*refund.Refund, error) { return nil, errWire }

func (lister) Refunds(context.Context, refund.Query) iter.Seq2[*refund.Refund, error] {
	return func(yield func(*refund.Refund, error) bool) { yield(nil, errWire) }
}

func (canceler) CancelRefund(context.Context, refund.Order) (*refund.Refund, error) {
	return nil, errWire
}

// TestAbilities: a journalled client can do what the client can, no more and no less; and it is always a Resolver.
func TestAbilities(t *testing.T) {
	type base struct{ refund.Refunder }
	f := base{&fake{}}
	for _, r := range []refund.Refunder{
		f,
		struct {
			base
			getter
		}{f, getter{}},
		struct {
			base
			lister
		}{f, lister{}},
		struct {
			base
			canceler
		}{f, canceler{}},
		struct {
			base
			getter
			lister
		}{f, getter{}, lister{}},
		struct {
			base
			getter
			canceler
		}{f, getter{}, canceler{}},
		struct {
			base
			lister
			canceler
		}{f, lister{}, canceler{}},
		struct {
			base
			getter
			lister
			canceler
		}{f, getter{}, lister{}, canceler{}},
	} {
		t.Run(fmt.Sprintf("%T", r), func(t *testing.T) {
			wrapped := journal.New(journal.NewMemory(), journal.Options{}).Wrap(r)
			_, ok := wrapped.(refund.Resolver)
			assert.True(t, ok)
			assert.Equal(t, "fake", wrapped.Capabilities().Provider)

			_, want := r.(refund.Getter)
			g, is := wrapped.(refund.Getter)
			require.Equal(t, want, is)
			if is {
				_, err := g.GetRefund(t.Context(), refund.Ref{})
				require.ErrorIs(t, err, errWire)
			}
			_, want = r.(refund.Lister)
			l, is := wrapped.(refund.Lister)
			require.Equal(t, want, is)
			if is {
				for _, err := range l.Refunds(t.Context(), refund.Query{}) {
					require.ErrorIs(t, err, errWire)
				}
			}
			_, want = r.(refund.Canceler)
			c, is := wrapped.(refund.Canceler)
			require.Equal(t, want, is)
			if is {
				_, err := c.CancelRefund(t.Context(), refund.Order{})
				require.ErrorIs(t, err, errWire)
			}
		})
	}
}

// afterpayBench is a journal around a real client, on a network that can fail.
type afterpayBench struct {
	sim     *afterpaytest.Simulator
	net     *refundtest.Network
	store   *flaky
	journal *journal.Journal
	client  refund.Refunder
	req     refund.Request
}

func newAfterpay(t *testing.T) *afterpayBench {
	t.Helper()
	b := &afterpayBench{sim: afterpaytest.New(), store: newFlaky()}
	b.net = refundtest.NewNetwork(refundtest.InMemory(b.sim))
	cfg := b.sim.Config()
	cfg.Transport = b.net
	client, err := afterpay.New(cfg)
	require.NoError(t, err)
	b.journal = journal.New(b.store, journal.Options{})
	b.client = b.journal.Wrap(client)
	b.req = refund.Request{
		IdempotencyKey: "k", Order: b.sim.AddOrder(refund.MustParseMoney("100.00", "AUD")), Amount: refund.MustParseMoney("10.00", "AUD"),
	}
	return b
}

func (b *afterpayBench) state(t *testing.T) journal.State {
	t.Helper()
	e, err := b.store.Store.Get(context.Background(), "afterpay", "k")
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
		e, err := b.store.Store.Get(t.Context(), "afterpay", "k")
		require.NoError(t, err)
		e.FirstSent, e.Version = e.FirstSent.Add(-25*time.Hour), e.Version+1 // too old to be sent again
		require.NoError(t, b.store.Update(t.Context(), e))
		for b.state(t) == journal.Unknown {
			pass(15 * time.Second)
			_, err := b.journal.Recover(t.Context())
			require.NoError(t, err)
		}
		assert.Equal(t, journal.Succeeded, b.state(t))
		assert.Len(t, b.sim.Ledger(b.req.Order), 1)
	})
}

// TestNotSentAndNotRecorded: the caller must not hear that nothing will move, because recovery sends it.
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
		b.store.breaks()
		pass(time.Hour)
		_, err = b.journal.Recover(t.Context())
		require.NoError(t, err)
		assert.Equal(t, journal.Succeeded, b.state(t))
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
						_, err := b.journal.Recover(t.Context())
						require.NoError(t, err)
					}
					require.NoError(t, err)
					assert.Equal(t, journal.Succeeded, b.state(t))
					assert.Len(t, b.sim.Ledger(b.req.Order), 1)
				})
			})
		}
	}
}
