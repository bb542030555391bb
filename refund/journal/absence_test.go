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
	require.Equal(t, journal.Summary{Waiting: 1}, b.recover(t))
	e := b.entry(t, "k")
	require.Equal(t, []any{sent.Add(appears), time.Time{}, 1}, []any{e.Due, e.MissedAt, e.Checks}, "young: absence says nothing")
	pass(appears - 15*time.Second)
	require.Equal(t, journal.Summary{Waiting: 1}, b.recover(t))
	e = b.entry(t, "k")
	require.Equal(t, []any{journal.StateUnknown, time.Now(), time.Now().Add(apart), 1}, []any{e.State, e.MissedAt, e.Due, e.Checks})
	return b
}

// TestAbsenceTakesTwoLooks: the first miss is stored, the second look comes on time, whatever the backoff says, and only then
// it was not sent.
func TestAbsenceTakesTwoLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		first := b.entry(t, "k")
		pass(apart - 1)
		assert.Equal(t, journal.Summary{}, b.recover(t))
		pass(1)
		b.wrap(t, b.fake) // another process: what the first one saw is in the store
		assert.Equal(t, journal.Summary{Resolved: 1}, b.recover(t))
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateNotSent, true, 0}, []any{e.State, e.Due.IsZero(), e.Checks})
		asked := b.asked()
		require.Len(t, asked, 3)
		assert.Equal(t, first.MissedAt, asked[2].MissedAt)
		assert.Equal(t, first.LastSent, asked[2].LastSent, "a look does not make the attempt younger")
		assert.Equal(t, []string{">sending", "sending>unknown", "unknown>not_sent"}, b.transitions())

		b.refund = lose
		_, err := b.ask(t, "k")
		requireErrorIs(t, err, errWire)
		assert.True(t, b.entry(t, "k").MissedAt.IsZero(), "the miss was that of the attempt before")
	})
}

// TestSecondLookFindsIt: the miss was a read that lagged behind.
func TestSecondLookFindsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		b.resolve = applied
		pass(apart)
		assert.Equal(t, journal.Summary{Resolved: 1}, b.recover(t))
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
		_, err = b.journal.Recover(t.Context())
		require.ErrorIs(t, err, errWire)
		assert.Equal(t, 1, b.entry(t, "k").Checks, "the only one there is")

		f.resolve = missing
		pass(2 * appears)
		assert.Equal(t, journal.Summary{Waiting: 1}, b.recover(t))
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateUnknown, 1, time.Now().Add(apart)}, []any{e.State, e.Checks, e.Due})
		pass(apart)
		assert.Equal(t, journal.Summary{Resolved: 1}, b.recover(t))
		assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
	})
}

// TestSecondLookFails: the first miss stays, and the next look is a check again.
func TestSecondLookFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		first := b.entry(t, "k")
		b.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { return refund.Resolution{}, errWire }
		pass(apart)
		_, err := b.journal.Recover(t.Context())
		require.ErrorIs(t, err, errWire)
		e := b.entry(t, "k")
		assert.Equal(t, []any{journal.StateUnknown, first.MissedAt, 2, apart}, []any{e.State, e.MissedAt, e.Checks, time.Until(e.Due)})
		b.resolve = missing
		pass(apart)
		assert.Equal(t, journal.Summary{Resolved: 1}, b.recover(t))
		assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
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
		assert.Equal(t, journal.Summary{Waiting: 1}, b.recover(t))
		e := b.entry(t, "k")
		assert.Equal(t, []any{time.Time{}, time.Now(), 2, 2}, []any{e.MissedAt, e.LastSent, e.Tries, e.Checks})
		assert.Equal(t, time.Now().Add(appears), e.Due)

		b.resolve = missing
		pass(appears)
		assert.Equal(t, journal.Summary{Waiting: 1}, b.recover(t), "it takes two looks again")
		pass(apart)
		assert.Equal(t, journal.Summary{Resolved: 1}, b.recover(t))
	})
}

// TestDeathDuringTheSecondLook: it may have sent until the end of its lease, and the absence counts from there.
func TestDeathDuringTheSecondLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMissing(t)
		pass(apart)
		b.resolve = func(context.Context, refund.Attempt) (refund.Resolution, error) { panic("killed") }
		require.PanicsWithValue(t, "killed", func() { b.recover(t) })
		lease := b.entry(t, "k").Lease
		b.resolve = missing
		pass(15 * time.Minute)
		for i, want := range []journal.Summary{{Waiting: 1}, {Waiting: 1}, {Resolved: 1}} {
			assert.Equal(t, want, b.recover(t), i)
			if i < 2 {
				pass(time.Until(b.entry(t, "k").Due))
			}
		}
		assert.Equal(t, lease.Add(appears+apart), time.Now())
		assert.Equal(t, journal.StateNotSent, b.entry(t, "k").State)
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
		assert.Equal(t, asked, got.Attempt, "another call works on it")
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
			assert.Equal(t, journal.Summary{Waiting: 1}, b.recover(t))
		}
		for _, a := range f.asked() {
			assert.True(t, a.Answered)
		}
	})
}
