package journal_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/journal"
)

const (
	appears = time.Hour   // how long after it was sent a refund may still appear
	apart   = time.Minute // between two looks that have to agree
)

// missing is what a resolver does whose provider does not show the refund.
func missing(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
	now, settled := time.Now(), a.LastSent.Add(appears)
	got := refund.Resolution{Attempt: a, Why: "not there"}
	missed := a.MissedAt
	got.Attempt.MissedAt = time.Time{}
	switch {
	case now.Before(settled):
		got.NotBefore = settled
	case missed.Before(settled):
		got.Attempt.MissedAt, got.NotBefore = now, now.Add(apart)
	case now.Sub(missed) < apart:
		got.Attempt.MissedAt, got.NotBefore = missed, missed.Add(apart)
	default:
		got.Verdict = refund.VerdictNotApplied
	}
	return got, nil
}

// newMissing is a bench whose refund of the key "k" was missed once.
func newMissing(t *testing.T) *bench {
	t.Helper()
	f := &fake{refund: lose, resolve: missing}
	b := newBench(t, f)
	sent := time.Now()
	_, err := b.ask(t, "k")
	requireErrorIs(t, err, errWire)
	pass(15 * time.Second)
	require.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
	e := b.entry(t, "k")
	require.Equal(t, []any{sent.Add(appears), time.Time{}, 1}, []any{e.Due, e.MissedAt, e.Checks}, "young: absence says nothing")
	pass(appears - 15*time.Second)
	require.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
	e = b.entry(t, "k")
	require.Equal(t, []any{journal.StateUnknown, time.Now(), time.Now().Add(apart), 1}, []any{e.State, e.MissedAt, e.Due, e.Checks})
	return b
}

// TestAbsenceTakesTwoLooks: the first miss is stored, the second look comes on time, whatever the backoff says, and only then
// it is taken for absent.
func TestAbsenceTakesTwoLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		first := b.entry(t, "k")
		pass(apart - 1)
		assert.Equal(t, journal.Summary{}, b.round(t))
		pass(1)
		b.wrap(t, b.fake) // another process: what the first one saw is in the store
		assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateNotFound, time.Now().Add(time.Hour), 0, time.Now()}, []any{e.State, e.Due, e.Checks, e.NotFoundAt})
		assert.Equal(t, []any{false, journal.Attention("")}, []any{e.OrderLock, e.Attention})
		asked := b.asked()
		require.Len(t, asked, 3)
		assert.Equal(t, first.MissedAt, asked[2].MissedAt)
		assert.Equal(t, first.LastSent, asked[2].LastSent, "a look does not make the attempt younger")
		assert.Equal(t, []string{">sending", "sending>unknown", "unknown>not_found"}, b.transitions())

		b.refund = lose
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, errWire)
		e = b.entry(t, "k")
		assert.True(t, e.MissedAt.IsZero(), "the miss was that of the attempt before")
		assert.Equal(t, []any{first.FirstSent, time.Now()}, []any{e.FirstSent, e.LastSent}, "the key does not get younger")
	})
}

// TestSecondLookFindsIt: the miss was a read that lagged behind.
func TestSecondLookFindsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		b.resolve = applied
		pass(apart)
		assert.Equal(t, journal.Summary{Settled: 1}, b.round(t))
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
		assert.Equal(t, 1, b.sent())
	})
}

// TestSecondLookIsNoCheck: it takes place though the backoff is used up.
func TestSecondLookIsNoCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose, resolve: missing}
		b := newBench(t, f)
		b.opts.Backoff = []time.Duration{2 * appears}
		b.wrap(t, f)
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, errWire)
		f.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { return refund.Resolution{}, errWire }
		pass(2 * appears)
		_, err = b.journal.Round(t.Context())
		require.ErrorIs(t, err, errWire)
		assert.Equal(t, 1, b.entry(t, "k").Checks, "the only one there is")

		f.resolve = missing
		pass(2 * appears)
		assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateUnknown, 1, time.Now().Add(apart)}, []any{e.State, e.Checks, e.Due})
		pass(apart)
		assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
		assert.Equal(t, journal.StateNotFound, b.entry(t, "k").State)
	})
}

// TestSecondLookFails: the first miss stays, and the next look is a check again.
func TestSecondLookFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		first := b.entry(t, "k")
		b.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { return refund.Resolution{}, errWire }
		pass(apart)
		_, err := b.journal.Round(t.Context())
		require.ErrorIs(t, err, errWire)
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateUnknown, first.MissedAt, 2, apart}, []any{e.State, e.MissedAt, e.Checks, time.Until(e.Due)})
		b.resolve = missing
		pass(apart)
		assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
		assert.Equal(t, journal.StateNotFound, b.entry(t, "k").State)
	})
}

// TestImpatientCallersDoNotMakeTheSecondLook: nor put it off.
func TestImpatientCallersDoNotMakeTheSecondLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		first := b.entry(t, "k")
		for range 5 {
			pass(apart / 10)
			_, err := b.ask(t, "k")
			re := errorOf(t, err, refund.OutcomeUnknown)
			assert.Len(t, b.asked(), 2)
			assert.Equal(t, first.MissedAt, re.Attempt.MissedAt)
			assert.Equal(t, time.Until(first.Due), re.RetryAfter)
			e := b.entry(t, "k")
			want := []any{journal.StateUnknown, first.MissedAt, first.Due, first.Checks}
			assert.Equal(t, want, []any{e.State, e.MissedAt, e.Due, e.Checks})
		}
		assert.Equal(t, 1, b.sent())
		b.refund = nil
		pass(apart / 2)
		got, err := b.ask(t, "k")
		require.NoError(t, err, "the caller's look is the second one")
		assert.False(t, got.Replayed)
		assert.Equal(t, 2, b.sent())
	})
}

// TestMissIsForgotten when the provider, asked once more, has another reason to wait.
func TestMissIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		b.resolve = func(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
			a.MissedAt, a.LastSent, a.Tries = time.Time{}, time.Now(), a.Tries+1 // it was sent again
			return refund.Resolution{Attempt: a, NotBefore: time.Now().Add(appears), Why: "sent again"}, nil
		}
		pass(apart)
		assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
		e := b.entry(t, "k")
		assert.Equal(t, []any{time.Time{}, time.Now(), 2, 2}, []any{e.MissedAt, e.LastSent, e.Tries, e.Checks})
		assert.Equal(t, time.Now().Add(appears), e.Due)

		b.resolve = missing
		pass(appears)
		assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t), "it takes two looks again")
		pass(apart)
		assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
	})
}

// TestDeathDuringTheSecondLook: it may have sent until the end of its lease, and the absence counts from there.
func TestDeathDuringTheSecondLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		pass(apart)
		b.resolve = goexit
		b.round(t)
		lease := b.entry(t, "k").Lease
		b.resolve = missing
		pass(15 * time.Minute)
		for i, want := range []journal.Summary{{Waiting: 1}, {Waiting: 1}, {Waiting: 1}} {
			assert.Equal(t, want, b.round(t), i)
			if i < 2 {
				pass(time.Until(b.entry(t, "k").Due))
			}
		}
		assert.Equal(t, lease.Add(appears+apart), time.Now())
		assert.Equal(t, journal.StateNotFound, b.entry(t, "k").State)
	})
}

// TestResolutionCarriesTheAttempt: callers who keep it themselves ask again with what the journal knows.
func TestResolutionCarriesTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		got, err := b.resolver(t).Resolve(t.Context(), refund.Attempt{Request: request("k")})
		require.NoError(t, err)
		e := b.entry(t, "k")
		assert.Equal(t, []any{refund.VerdictUndetermined, e.Due}, []any{got.Verdict, got.NotBefore})
		assert.Equal(t, refund.Attempt{
			Request: request("k"), FirstSent: e.FirstSent, LastSent: e.LastSent, Tries: 1, MissedAt: e.MissedAt,
		}, got.Attempt)
		pass(apart)
		got, err = b.resolver(t).Resolve(t.Context(), got.Attempt)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictNotApplied, got.Verdict)

		b.crash(t, "k")
		asked := refund.Attempt{Request: request("k"), Snapshot: "the caller's"}
		got, err = b.resolver(t).Resolve(t.Context(), asked)
		require.NoError(t, err)
		assert.Equal(t, []any{refund.VerdictUndetermined, time.Now().Add(30 * time.Second)}, []any{got.Verdict, got.NotBefore}, "another call works on it")
		assert.Equal(t, []any{e.FirstSent, e.Snapshot}, []any{got.Attempt.FirstSent, got.Attempt.Snapshot}, "the journal's own")
	})
}

// TestAdoptedAttempt: what the caller's own looks have shown is taken over.
func TestAdoptedAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{resolve: missing}
		b := newBench(t, f)
		sent := time.Now()
		pass(2 * appears)
		a := refund.Attempt{Request: request("k"), FirstSent: sent, LastSent: sent, Tries: 2, Answered: true, MissedAt: time.Now()}
		pass(apart)
		got, err := b.resolver(t).Resolve(t.Context(), a)
		require.NoError(t, err)
		assert.Equal(t, refund.VerdictNotApplied, got.Verdict)
		a.Known = []refund.Known{}
		assert.Equal(t, []refund.Attempt{a}, f.asked())
	})
}

// TestAdoptedAttemptWithoutTimes: that nobody knows when it was sent is taken for a sending now, and for one long ago.
func TestAdoptedAttemptWithoutTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{resolve: missing})
		got, err := b.resolver(t).Resolve(t.Context(), refund.Attempt{Request: request("k")})
		require.NoError(t, err)
		assert.Equal(t, []any{refund.VerdictUndetermined, time.Now().Add(appears)}, []any{got.Verdict, got.NotBefore})
		e := b.entry(t, "k")
		assert.Equal(t, []any{time.Time{}, time.Now(), 1}, []any{e.FirstSent, e.LastSent, e.Tries})
	})
}

// TestAnsweredIsKept: it is stored with the attempt, and nothing takes it back.
func TestAnsweredIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: func(ctx context.Context, req refund.Request) (*refund.Refund, error) {
			_, err := lose(ctx, req)
			re := errorOf(t, err, refund.OutcomeUnknown)
			re.Attempt.Answered = true
			return nil, re
		}}
		f.resolve = func(_ context.Context, a refund.Attempt) (refund.Resolution, error) {
			a.Answered = false
			return refund.Resolution{Attempt: a, NotBefore: time.Now().Add(time.Hour)}, nil
		}
		b := newBench(t, f)
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, errWire)
		for range 2 {
			assert.True(t, b.entry(t, "k").Answered)
			pass(time.Hour)
			assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
		}
		for _, a := range f.asked() {
			assert.True(t, a.Answered)
		}
	})
}

// TestNotFound: it does not lock its order, and the key may be sent again by a repeat. Looks that must not send go on for a week.
func TestNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		b.lose(t, "k")
		judged := time.Now()
		b.refund, b.resolve = nil, absent
		_, err := b.ask(t, "other")
		require.NoError(t, err)
		looked := len(b.asked())
		for i, after := range []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} {
			e := b.entry(t, "k")
			assert.Equal(t, []any{journal.StateNotFound, judged.Add(after)}, []any{e.State, e.Due})
			assert.True(t, e.State.Reserves())
			pass(time.Until(e.Due) - 1)
			assert.Equal(t, journal.Summary{}, b.round(t))
			pass(1)
			b.round(t)
			asked := b.asked()
			require.Len(t, asked, looked+i+1)
			assert.True(t, asked[looked+i].LookOnly)
		}
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateNotSent, true}, []any{e.State, e.Due.IsZero()})
		assert.Equal(t, 2, b.sent())
	})
}

// TestLookFails: a look that could not be made is made again, and none is left out.
func TestLookFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		b.lose(t, "k")
		b.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { return refund.Resolution{}, errWire }
		b.due(t, "k")
		_, err := b.journal.Round(t.Context())
		require.ErrorIs(t, err, errWire)
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateNotFound, 0, journal.Attention("")}, []any{e.State, e.Looks, e.Attention})
		b.resolve = absent
		b.due(t, "k")
		assert.Equal(t, journal.Summary{Waiting: 1}, b.round(t))
		e = b.entry(t, "k")
		assert.Equal(t, []any{journal.StateNotFound, 1, e.NotFoundAt.Add(24 * time.Hour)}, []any{e.State, e.Looks, e.Due})
	})
}

// TestFoundLate: a look that goes on after the verdict finds it. That is recorded, and somebody is called.
func TestFoundLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		b.lose(t, "k")
		b.resolve = applied
		b.due(t, "k")
		assert.Equal(t, journal.Summary{Attention: 1}, b.round(t))
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateSucceeded, journal.AttentionFoundLate, "r-k"}, []any{e.State, e.Attention, e.RefundID})
		got, err := b.ask(t, "k")
		require.NoError(t, err)
		assert.True(t, got.Replayed)
		assert.Equal(t, 1, b.sent())
	})
}

// TestFoundBeforeItIsSentAgain: the look before the repeat has what was before the first request, and what it finds is not sent.
func TestFoundBeforeItIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{refund: lose}
		snapshots := 0
		c := &comparing{fake: f, snapshot: func(context.Context, refund.Request) (refund.Snapshot, error) {
			snapshots++
			return "before", nil
		}}
		b := newBenchOf(t, f, c)
		b.try(t, "k")
		b.lose(t, "k")
		f.refund, f.resolve = nil, applied
		got, err := b.ask(t, "k")
		require.NoError(t, err)
		assert.Equal(t, []any{"r-k", true}, []any{got.ID, got.Replayed})
		assert.Equal(t, []int{1, 1}, []int{f.sent(), snapshots})
		asked := f.asked()
		last := asked[len(asked)-1]
		assert.Equal(t, []any{refund.Snapshot("before"), true}, []any{last.Snapshot, last.LookOnly})
		assert.Equal(t, journal.StateSucceeded, b.entry(t, "k").State)
	})
}

// TestNotSentAgainWithoutALook: what cannot be looked for is not sent again, and stays what it was.
func TestNotSentAgainWithoutALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		b.lose(t, "k")
		b.refund = nil
		b.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { return refund.Resolution{}, errWire }
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, errWire)
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateNotFound, e.NotFoundAt.Add(time.Hour), false}, []any{e.State, e.Due, e.OrderLock})
		assert.Equal(t, 1, b.sent())
		b.resolve = absent
		_, err = b.ask(t, "k")
		require.NoError(t, err)
		assert.Equal(t, 2, b.sent())
	})
}

// TestDoubtBeforeItIsSentAgain: what the looks have not found is not sent again while the provider shows something that a person has
// to tell apart. Once he has, it is.
func TestDoubtBeforeItIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		b.lose(t, "k")
		b.refund = nil
		b.resolve = answers(refund.Resolution{Why: "a refund of this amount has lost its reference"})
		_, err := b.ask(t, "k")
		requireError(t, err, refund.OutcomeUnknown)
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateUnknown, true, 1}, []any{e.State, e.OrderLock, b.sent()})
		b.due(t, "k")
		assert.Equal(t, journal.Summary{Attention: 1}, b.round(t))
		_, err = b.ask(t, "k")
		requireErrorIs(t, err, journal.ErrNeedsReview)
		pass(time.Hour)
		require.NoError(t, b.decide("k", refund.VerdictNotApplied))
		_, err = b.ask(t, "k")
		require.NoError(t, err)
		assert.Equal(t, 2, b.sent())
	})
}

// TestNotFoundAndTheOrderIsBusy: it may have been paid all the same. When the order is free it may be sent again.
func TestNotFoundAndTheOrderIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		b.lose(t, "k")
		b.refund = lose
		_, err := b.ask(t, "other")
		requireErrorIs(t, err, errWire)
		_, err = b.ask(t, "k")
		requireErrorIs(t, err, journal.ErrOrderBusy)
		re := errorOf(t, err, refund.OutcomeUnknown)
		assert.Contains(t, re.Message, "other")
		assert.Equal(t, time.Until(b.entry(t, "other").Due), re.RetryAfter)
		assert.Equal(t, journal.StateNotFound, b.entry(t, "k").State)
		assert.Equal(t, 2, b.sent())
	})
}

// TestRepeatDuringALook: who looks for it may find it.
func TestRepeatDuringALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		b.lose(t, "k")
		b.resolve = func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			_, err := b.ask(t, "k")
			requireErrorIs(t, err, refund.ErrInFlight)
			return applied(ctx, a)
		}
		b.due(t, "k")
		assert.Equal(t, journal.Summary{Attention: 1}, b.round(t))
		assert.Equal(t, 1, b.sent())
	})
}

// TestLateLook: a look that has outlived its lease does not overwrite what others have found, unless it has found the refund.
func TestLateLook(t *testing.T) {
	for name, tt := range map[string]struct {
		late      func(context.Context, refund.Attempt) (refund.Resolution, error)
		state     journal.State
		attention journal.Attention
	}{
		"nothing": {answers(refund.Resolution{NotBefore: time.Unix(1, 0)}), journal.StateNotFound, ""},
		"an error": {
			func(context.Context, refund.Attempt) (refund.Resolution, error) { return refund.Resolution{}, errWire }, journal.StateNotFound, "",
		},
		"the refund": {applied, journal.StateSucceeded, journal.AttentionFoundLate},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{refund: lose, resolve: func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
					pass(3 * time.Hour) // heeds no deadline
					return tt.late(ctx, a)
				}}
				b := newBench(t, f)
				b.try(t, "k")
				b.due(t, "k")
				var wg sync.WaitGroup
				wg.Go(func() { _, _ = b.journal.Round(t.Context()) }) //nolint:errcheck // see the entry
				synctest.Wait()
				f.resolve = absent
				pass(15 * time.Minute)
				for b.entry(t, "k").State != journal.StateNotFound {
					b.other(t, f).round(t)
					b.due(t, "k")
				}
				wg.Wait()
				e := b.entry(t, "k")
				assert.Equal(t, []any{tt.state, tt.attention}, []any{e.State, e.Attention})
			})
		})
	}
}

// TestZombieOfABusyOrder: what a call has learned is recorded, whoever has its order by then.
func TestZombieOfABusyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := zombie(t, lose, func(*refund.Refund, error) {})
		b.refund = func(ctx context.Context, req refund.Request) (*refund.Refund, error) {
			if req.IdempotencyKey == "other" {
				return lose(ctx, req)
			}
			return nil, errWire
		}
		b.resolve = answers(refund.Resolution{NotBefore: time.Now().Add(24 * time.Hour)})
		_, err := b.ask(t, "other")
		requireErrorIs(t, err, errWire)
		pass(5 * time.Hour)
		require.NoError(t, b.journal.Shutdown(t.Context()))
		k, other := b.entry(t, "k"), b.entry(t, "other")
		assert.Equal(t, []any{journal.StateUnknown, false}, []any{k.State, k.OrderLock})
		assert.Equal(t, []any{journal.StateUnknown, true}, []any{other.State, other.OrderLock})
	})
}

// zombie is a bench whose refund of the key "k" is with a client that heeds no deadline and answers after four hours. Meanwhile
// it was looked for, and not found.
func zombie(t *testing.T, answer func(context.Context, refund.Request) (*refund.Refund, error), told func(*refund.Refund, error)) *bench {
	t.Helper()
	f := &fake{refund: func(ctx context.Context, req refund.Request) (*refund.Refund, error) {
		pass(4 * time.Hour)
		return answer(ctx, req)
	}}
	b := newBench(t, f)
	go func() { told(b.ask(t, "k")) }()
	synctest.Wait()
	pass(time.Second)
	b.lose(t, "k")
	f.refund, f.resolve = nil, absent
	return b
}

// TestZombie: the answer of a call that others have given up corrects what they thought, and calls somebody.
func TestZombie(t *testing.T) {
	made2 := func(_ context.Context, req refund.Request) (*refund.Refund, error) {
		got := made(req, refund.StatusSucceeded)
		got.ID = "second"
		return got, nil
	}
	slowly := func(ctx context.Context, req refund.Request) (*refund.Refund, error) {
		pass(2 * time.Minute)
		return made2(ctx, req)
	}
	first := func(_ context.Context, req refund.Request) (*refund.Refund, error) {
		return made(req, refund.StatusSucceeded), nil
	}
	for name, tt := range map[string]struct {
		answer, again func(context.Context, refund.Request) (*refund.Refund, error) // again is nil if it is not sent again
		when          time.Duration                                                 // before the zombie answers
		state         journal.State
		attention     journal.Attention
	}{
		"not found":               {answer: first, state: journal.StateSucceeded, attention: journal.AttentionFoundLate},
		"sent again":              {first, made2, time.Hour, journal.StateSucceeded, journal.AttentionPaidTwice},
		"being sent again":        {first, slowly, time.Minute, journal.StateSucceeded, journal.AttentionPaidTwice},
		"the same one":            {first, first, time.Hour, journal.StateSucceeded, ""},
		"sent again, and lost":    {first, lose, time.Second, journal.StateSucceeded, ""},
		"sent again, and refused": {first, fails(refund.OutcomeRejected), time.Second, journal.StateSucceeded, journal.AttentionFoundLate},
		"answers nothing":         {answer: lose, state: journal.StateUnknown},
		"answers nothing, the other one did": {
			lose, made2, time.Hour, journal.StateSucceeded, "",
		},
		"refused":                    {answer: fails(refund.OutcomeRejected), state: journal.StateNotFound},
		"refused, the other was not": {fails(refund.OutcomeRejected), made2, time.Hour, journal.StateSucceeded, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got *refund.Refund
				var err error
				began := time.Now()
				b := zombie(t, tt.answer, func(r *refund.Refund, e error) { got, err = r, e })
				if tt.again != nil {
					pass(4*time.Hour - tt.when - time.Since(began))
					b.refund = tt.again
					b.try(t, "k")
				}
				pass(4*time.Hour + time.Minute - time.Since(began))
				require.NoError(t, b.journal.Shutdown(t.Context()))
				assert.LessOrEqual(t, time.Since(began), 4*time.Hour+2*time.Minute, "nobody's lease is waited for longer than he needs it")
				synctest.Wait()
				e := b.entry(t, "k")
				assert.Equal(t, []any{tt.state, tt.attention}, []any{e.State, e.Attention})
				if tt.state != journal.StateSucceeded {
					require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
					return
				}
				if name == "being sent again" { // who works on it is waited for, longer than a caller is
					requireErrorIs(t, err, journal.ErrNotRecorded)
					assert.Equal(t, []string{"r-k", "second"}, []string{got.ID, e.RefundID})
					return
				}
				require.NoError(t, err)
				assert.Equal(t, tt.attention == journal.AttentionPaidTwice, len(got.Warnings) == 1)
				if tt.attention == journal.AttentionPaidTwice {
					assert.Equal(t, "second", e.RefundID, "the first that was recorded")
					assert.Contains(t, got.Warnings[0], "second")
				}
			})
		})
	}
}

// TestPaidTwiceIsFound by the looks, which belong to the key: they go on after it was sent again.
func TestPaidTwiceIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		b.lose(t, "k")
		b.refund, b.resolve = nil, absent
		_, err := b.ask(t, "k")
		require.NoError(t, err)
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateSucceeded, e.NotFoundAt.Add(time.Hour)}, []any{e.State, e.Due})
		b.resolve = func(ctx context.Context, a refund.Attempt) (refund.Resolution, error) {
			got, err := applied(ctx, a)
			other := *got.Refund
			other.ID = "late"
			got.Duplicates = []*refund.Refund{&other}
			return got, err
		}
		b.due(t, "k")
		assert.Equal(t, journal.Summary{Attention: 1}, b.round(t))
		e = b.entry(t, "k")
		assert.Equal(t, []any{journal.StateSucceeded, journal.AttentionPaidTwice, "r-k"}, []any{e.State, e.Attention, e.RefundID})
		assert.Contains(t, e.Note, "late")
		asked := b.asked()
		assert.True(t, asked[len(asked)-1].LookOnly)
		got, err := b.ask(t, "k")
		require.NoError(t, err)
		assert.Equal(t, []string{e.Note}, got.Warnings)
	})
}
