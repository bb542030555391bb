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
)

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
		sum, err := b.journal.Round(t.Context())
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
		_, err = b.journal.Round(t.Context())
		require.Error(t, err)
		e = b.entry(t, "k")
		assert.Equal(t, []any{first.FirstSent.Add(-1), sent, 2}, []any{e.FirstSent, e.LastSent, e.Tries})

		pass(6 * time.Hour)
		f.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { return refund.Resolution{}, errWire } // a read
		_, err = b.journal.Round(t.Context())
		require.ErrorIs(t, err, errWire)
		assert.Equal(t, e.LastSent, b.entry(t, "k").LastSent)
	})
}

// TestResolveOutcomes: what each answer makes of an unknown entry.
func TestResolveOutcomes(t *testing.T) {
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
		"not applied":         {refund.Resolution{Verdict: refund.VerdictNotApplied, Why: "w"}, journal.StateNotFound, refund.VerdictNotApplied},
		"hopeless":            {refund.Resolution{Why: "w"}, journal.StateNeedsReview, refund.VerdictUndetermined},
		"later":               {refund.Resolution{NotBefore: time.Unix(1, 0), Why: "w"}, journal.StateUnknown, refund.VerdictUndetermined},
		"applied, not shown":  {refund.Resolution{Verdict: refund.VerdictApplied, Why: "w"}, journal.StateNeedsReview, refund.VerdictUndetermined},
		"a verdict of 2 to 1": {refund.Resolution{Verdict: 7, Why: "w"}, journal.StateNeedsReview, refund.VerdictUndetermined},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{refund: lose, resolve: answers(tt.answer)}
				b := newBench(t, f)
				_, err := b.ask(t, "k")
				re := errorOf(t, err, refund.OutcomeUnknown)
				pass(time.Hour)
				got, err := b.resolver(t).Resolve(t.Context(), re.Attempt)
				require.NoError(t, err)
				looks := 1
				if tt.state == journal.StateNotFound {
					assert.Equal(t, []any{refund.VerdictUndetermined, time.Now().Add(time.Minute)}, []any{got.Verdict, got.NotBefore}, "it takes two")
					pass(time.Minute)
					got, err = b.resolver(t).Resolve(t.Context(), re.Attempt)
					require.NoError(t, err)
					looks++
				}
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
				assert.Len(t, f.asked(), looks, "the record answers")
			})
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
		want := a
		want.Known = []refund.Known{}
		assert.Equal(t, []refund.Attempt{want}, f.asked())
		_, err = b.ask(t, "other")
		require.ErrorIs(t, err, journal.ErrOrderBusy)

		f.resolve = applied
		pass(time.Minute)
		assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
		assert.Zero(t, f.sent())
		assert.Equal(t, []string{">unknown", "unknown>succeeded"}, b.transitions())

		_, err = b.resolver(t).Resolve(t.Context(), refund.Attempt{})
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
	})
}

// TestResolveWithoutTheStore: the outcome stays as unknown as it was, with the caller's attempt.
func TestResolveWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
		b.due(t, "k")
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
		b.store.breaks()
		f.resolve = applied
		pass(15 * time.Minute)
		assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
	})
}

// TestResolveCannotAsk: the error of the provider comes through, and the entry stays.
func TestResolveCannotAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		attempt := errorOf(t, err, refund.OutcomeUnknown).Attempt
		b.due(t, "k")
		f.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { return refund.Resolution{}, errWire }
		_, err = b.resolver(t).Resolve(t.Context(), attempt)
		requireErrorIs(t, err, errWire)
		b.due(t, "k")
		_, err = b.ask(t, "k")
		requireErrorIs(t, err, errWire)
		assert.Equal(t, journal.StateUnknown, b.entry(t, "k").State)
	})
}

// TestResolveIsRecordedThoughNobodyWaits for the answer any more.
func TestResolveIsRecordedThoughNobodyWaits(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *testing.T, *bench) error{
		"a repeat": func(ctx context.Context, _ *testing.T, b *bench) error {
			_, err := b.client.Refund(ctx, request("k"))
			return err
		},
		"Resolve": func(ctx context.Context, t *testing.T, b *bench) error {
			t.Helper()
			_, err := b.resolver(t).Resolve(ctx, refund.Attempt{Request: request("k")})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{refund: lose}
				b := newBench(t, f)
				_, err := b.ask(t, "k")
				require.Error(t, err)
				b.due(t, "k")
				ctx, cancel := context.WithCancel(t.Context())
				f.resolve = func(inner context.Context, a refund.Attempt) (refund.Resolution, error) {
					cancel()
					pass(time.Minute)
					require.NoError(t, inner.Err())
					return applied(inner, a)
				}
				began := time.Now()
				err = ask(ctx, t, b)
				assert.Zero(t, time.Since(began), "at once")
				requireErrorIs(t, err, refund.ErrInFlight)
				require.ErrorIs(t, err, context.Canceled)
				assert.Equal(t, "k", errorOf(t, err, refund.OutcomeUnknown).IdempotencyKey)
				pass(time.Minute)
				synctest.Wait()
				assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
			})
		})
	}
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
		assert.Equal(t, journal.Summary{Attention: 1}, b.round(t))
		assert.Equal(t, journal.StateNeedsReview, b.entry(t, "b").State)
		assert.Equal(t, []refund.Known{{Key: "a", RefundID: "r-a"}}, f.asked()[0].Known, "the client hears of the other")

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
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: func(context.Context, refund.Request) (*refund.Refund, error) {
			return &refund.Refund{Status: refund.StatusSucceeded}, nil
		}}
		b := newBench(t, f)
		_, err := b.ask(t, "a")
		require.NoError(t, err)
		f.refund = lose
		_, err = b.ask(t, "b")
		require.Error(t, err)
		b.due(t, "b")
		f.resolve = answers(refund.Resolution{Verdict: refund.VerdictApplied, Refund: &refund.Refund{Status: refund.StatusSucceeded}})
		_, err = b.ask(t, "b")
		require.NoError(t, err)
	})
}

// TestImpatientCallers do not use up the backoff, and do not put the next look off: until it is due nobody is asked.
func TestImpatientCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		require.Error(t, err)
		e := b.entry(t, "k")
		for range 100 {
			pass(time.Millisecond)
			_, err = b.ask(t, "k")
			re := errorOf(t, err, refund.OutcomeUnknown)
			assert.Equal(t, []any{time.Until(e.Due), refund.ErrUnavailable}, []any{re.RetryAfter, re.Kind}, "the last kind")
			got, err := b.resolver(t).Resolve(t.Context(), refund.Attempt{Request: request("k")})
			require.NoError(t, err)
			assert.Equal(t, []any{refund.VerdictUndetermined, e.Due}, []any{got.Verdict, got.NotBefore})
		}
		assert.Equal(t, e, b.entry(t, "k"))
		assert.Empty(t, f.asked())

		b.due(t, "k")
		later := time.Now().Add(time.Hour)
		f.resolve = answers(refund.Resolution{NotBefore: later})
		_, err = b.ask(t, "k")
		assert.Equal(t, time.Hour, errorOf(t, err, refund.OutcomeUnknown).RetryAfter)
		assert.Equal(t, later, b.entry(t, "k").Due)
	})
}

// TestWithoutResolver: a client that cannot be asked leaves it to a person.
func TestWithoutResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose}
		f.resolvedBy = refund.ResolvedByPerson
		b := newBenchOf(t, f, struct{ refund.Refunder }{f})
		_, err := b.ask(t, "k")
		attempt := errorOf(t, err, refund.OutcomeUnknown).Attempt
		b.due(t, "k")
		got, err := b.resolver(t).Resolve(t.Context(), attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictUndetermined, got.Verdict)
		assert.True(t, got.NotBefore.IsZero())
		assert.Equal(t, journal.StateNeedsReview, b.entry(t, "k").State)
	})
}
