package journal

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

func noon() time.Time { return time.Date(2026, 4, 16, 12, 0, 0, 0, time.UTC) }

func table() *rules {
	return &rules{backoff: defaultBackoff(), poll: defaultPoll, absenceAfter: time.Hour, reads: true}
}

// entryIn is an entry in a state, of which something may have been sent an hour and a bit ago. It is held.
func entryIn(state State) Entry {
	req := &refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "AUD")}
	created := noon().Add(-90 * time.Minute)
	e := fresh(ID{"fake", "", "k"}, req, "me", created, noon().Add(time.Minute), StepSending)
	e.State, e.Tries, e.LastSent, e.Due = state, 1, created, noon()
	e.OrderLock = table().locks(&e, noon())
	switch state {
	case StateSending:
	case StatePending, StateSucceeded, StateFailed, StateCanceled, StateExpired:
		e.Step, e.RefundID = "", "r-1"
	case StateNeedsReview:
		e.Step, e.Attention = "", AttentionReview
	case StateNotFound:
		e.Step, e.NotFoundAt = "", noon().Add(-time.Hour)
	case StateUnknown, StateNotSent, StateRejected:
		e.Step = ""
	}
	return e
}

func states() []State {
	return []State{
		StateSending, StateUnknown, StateNeedsReview, StateNotFound, StateNotSent, StateRejected, StatePending, StateSucceeded,
		StateFailed, StateCanceled, StateExpired,
	}
}

func provided(id string, status refund.Status) *refund.Refund {
	return &refund.Refund{ID: id, Status: status}
}

// What is shown of a refund is recorded whatever was thought before, and what nobody expected is for a person.
func TestShown(t *testing.T) {
	t.Parallel()
	const (
		pending, succeeded, failed, canceled, expired = refund.StatusPending, refund.StatusSucceeded, refund.StatusFailed,
			refund.StatusCanceled, refund.StatusExpired
	)
	for _, tt := range []struct {
		from      State
		shown     refund.Status
		to        State
		attention Attention
	}{
		{StateSending, pending, StatePending, ""},
		{StateSending, succeeded, StateSucceeded, ""},
		{StateSending, failed, StateFailed, ""},
		{StateSending, canceled, StateCanceled, ""},
		{StateSending, expired, StateExpired, ""},
		{StateSending, refund.StatusNeedsAction, StatePending, ""},
		{StateSending, refund.StatusUnknown, StatePending, ""},
		{StateUnknown, pending, StatePending, ""},
		{StateUnknown, succeeded, StateSucceeded, ""},
		{StateUnknown, failed, StateFailed, ""},
		{StateNeedsReview, pending, StatePending, ""},
		{StateNeedsReview, succeeded, StateSucceeded, ""},
		{StateNeedsReview, failed, StateFailed, ""},
		{StateNotFound, pending, StatePending, AttentionFoundLate},
		{StateNotFound, succeeded, StateSucceeded, AttentionFoundLate},
		{StateNotFound, failed, StateFailed, ""},
		{StateNotSent, pending, StatePending, AttentionFoundLate},
		{StateNotSent, succeeded, StateSucceeded, AttentionFoundLate},
		{StateNotSent, canceled, StateCanceled, ""},
		{StateRejected, pending, StatePending, AttentionFoundLate},
		{StateRejected, succeeded, StateSucceeded, AttentionFoundLate},
		{StatePending, pending, StatePending, ""},
		{StatePending, succeeded, StateSucceeded, ""},
		{StatePending, failed, StateFailed, ""},
		{StatePending, canceled, StateCanceled, ""},
		{StatePending, expired, StateExpired, ""},
		{StateSucceeded, pending, StateSucceeded, ""}, // a read that lags behind
		{StateSucceeded, succeeded, StateSucceeded, ""},
		{StateSucceeded, failed, StateFailed, AttentionFailedLate},
		{StateSucceeded, canceled, StateCanceled, AttentionFailedLate},
		{StateSucceeded, expired, StateExpired, AttentionFailedLate},
		{StateFailed, pending, StateFailed, ""},
		{StateFailed, succeeded, StateSucceeded, AttentionFoundLate},
		{StateFailed, failed, StateFailed, ""},
		{StateCanceled, pending, StateCanceled, ""},
		{StateCanceled, succeeded, StateSucceeded, AttentionFoundLate},
		{StateExpired, pending, StateExpired, ""},
		{StateExpired, succeeded, StateSucceeded, AttentionFoundLate},
	} {
		name := fmt.Sprintf("%s, shown %s", tt.from, tt.shown)
		got := table().shown(entryIn(tt.from), noon(), provided("r-1", tt.shown))
		assert.Equal(t, tt.to, got.State, name)
		assert.Equal(t, tt.attention, got.Attention, name)
		assert.Equal(t, "r-1", got.RefundID, name)
	}
}

// A second refund is paid twice if both are, and nothing but a decision takes that back.
func TestShownTwice(t *testing.T) {
	t.Parallel()
	for _, from := range []State{StatePending, StateSucceeded} {
		got := table().shown(entryIn(from), noon(), provided("r-2", refund.StatusSucceeded))
		assert.Equal(t, from, got.State)
		assert.Equal(t, "r-1", got.RefundID)
		assert.Equal(t, AttentionPaidTwice, got.Attention)
		assert.Contains(t, got.Note, "r-2")

		got = table().shown(got, noon(), provided("r-1", refund.StatusFailed))
		assert.Equal(t, AttentionPaidTwice, got.Attention)
		got = table().decided(got, noon(), &Decision{Verdict: refund.VerdictApplied, RefundID: "r-1", Why: "the other was taken back"})
		assert.Empty(t, got.Attention)

		got = table().shown(entryIn(from), noon(), provided("r-2", refund.StatusFailed))
		assert.Equal(t, from, got.State, "one that has come to nothing does not undo the one that is known")
	}
	for _, from := range []State{StateSending, StateUnknown, StateNotFound, StateNeedsReview} {
		got := table().shown(entryIn(from), noon(), provided("r-1", refund.StatusSucceeded), provided("r-2", refund.StatusPending))
		assert.Equal(t, StateSucceeded, got.State, from)
		assert.Equal(t, AttentionPaidTwice, got.Attention, from)

		got = table().shown(entryIn(from), noon(), provided("r-1", refund.StatusSucceeded), provided("r-2", refund.StatusFailed), provided("r-1", refund.StatusSucceeded))
		assert.NotEqual(t, AttentionPaidTwice, got.Attention, "%s: only one of them pays", from)

		got = table().shown(entryIn(from), noon(), provided("r-1", refund.StatusFailed), provided("r-2", refund.StatusSucceeded))
		assert.Equal(t, StateSucceeded, got.State, from)
		assert.Equal(t, "r-2", got.RefundID, from)
		assert.NotEqual(t, AttentionPaidTwice, got.Attention, from)
	}
}

// A refund of another amount is not what was asked for.
func TestShownOfAnotherAmount(t *testing.T) {
	t.Parallel()
	other := provided("r-1", refund.StatusSucceeded)
	other.Amount = refund.MustParseMoney("5.00", "AUD")
	for _, from := range states() {
		got := table().shown(entryIn(from), noon(), other)
		assert.Equal(t, AttentionMismatch, got.Attention, from)
		if from == StatePending || from == StateSucceeded {
			assert.Equal(t, from, got.State)
		} else {
			assert.Equal(t, StateNeedsReview, got.State, from)
		}
	}
	other.Amount = refund.Money{} // it states none
	assert.Equal(t, StateSucceeded, table().shown(entryIn(StateUnknown), noon(), other).State)
}

func TestAnswered(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[refund.Outcome]State{
		refund.OutcomeNotSent: StateNotSent, refund.OutcomeRejected: StateRejected, refund.OutcomeUnknown: StateUnknown,
	} {
		answer := &refund.Error{Outcome: outcome, Kind: refund.ErrConflict, Code: "no", Attempt: refund.Attempt{Tries: 2, LastSent: noon()}}
		got := table().answered(entryIn(StateSending), noon(), nil, answer)
		assert.Equal(t, want, got.State)
		assert.Equal(t, refund.ErrConflict, got.Kind)
		assert.Equal(t, "no", got.Code)

		before := entryIn(StateSending)
		before.NotFoundAt = noon().Add(-time.Hour) // an earlier life was judged absent, and may still turn up
		got = table().answered(before, noon(), nil, answer)
		if want != StateUnknown {
			want = StateNotFound
		}
		assert.Equal(t, want, got.State)
	}
	got := table().answered(entryIn(StateSending), noon(), provided("r-1", refund.StatusSucceeded), nil)
	assert.Equal(t, noon(), got.LastSent)
	assert.Positive(t, got.Tries)
}

// A sender that has died may have sent until its lease ended, unless it never got so far.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	dead := entryIn(StateSending)
	dead.Tries, dead.LastSent, dead.Lease = 0, time.Time{}, noon().Add(-time.Minute)
	got := table().abandoned(claimed(dead, "janitor", noon(), time.Minute), noon())
	assert.Equal(t, StateUnknown, got.State)
	assert.Equal(t, dead.Lease, got.LastSent)
	assert.Equal(t, 1, got.Tries)
	assert.True(t, got.OrderLock)

	dead.Step = StepIntent
	got = table().abandoned(claimed(dead, "janitor", noon(), time.Minute), noon())
	assert.Equal(t, StateNotSent, got.State)
	assert.Zero(t, got.Tries)
	assert.False(t, got.OrderLock)
}

// Absence counts late, and twice, and is looked into three more times.
func TestMissed(t *testing.T) {
	t.Parallel()
	r, e := table(), entryIn(StateUnknown)
	e.LastSent = noon()
	miss := func(after time.Duration) Entry { return r.missed(e, noon().Add(after), "not there") }

	got := miss(59 * time.Minute)
	assert.Equal(t, StateUnknown, got.State)
	assert.Zero(t, got.MissedAt, "it may still appear")
	assert.False(t, got.Due.Before(noon().Add(time.Hour)))

	e = miss(time.Hour)
	assert.Equal(t, StateUnknown, e.State)
	assert.Equal(t, noon().Add(time.Hour), e.MissedAt)
	assert.Equal(t, noon().Add(61*time.Minute), e.Due)

	assert.Equal(t, StateUnknown, miss(60*time.Minute+59*time.Second).State, "the second look has to be a minute later")
	e = miss(61 * time.Minute)
	require.Equal(t, StateNotFound, e.State)
	assert.False(t, e.OrderLock)
	assert.True(t, e.State.Reserves())
	verdict := noon().Add(61 * time.Minute)
	assert.Equal(t, verdict, e.NotFoundAt)

	for i, after := range []time.Duration{time.Hour, day, week} {
		require.Equal(t, StateNotFound, e.State, i)
		require.Equal(t, verdict.Add(after), e.Due, i)
		early := r.unseen(e, e.Due.Add(-time.Second))
		require.Equal(t, e.Due, early.Due, "it was not the look that is due")
		e = r.unseen(e, e.Due)
	}
	assert.Equal(t, StateNotSent, e.State)
	assert.Zero(t, e.Due)

	e = entryIn(StateNotFound)
	e.NotFoundAt = noon().Add(-2 * week) // nobody was there to look
	for i := range 2 {
		now := noon().Add(time.Duration(i) * apart)
		e = r.unseen(e, now)
		require.Equal(t, now.Add(apart), e.Due, "one read does not stand for two")
		require.Equal(t, StateNotFound, e.State)
	}
	assert.Equal(t, StateNotSent, r.unseen(e, e.Due).State)

	e = entryIn(StateUnknown)
	e.LastSent = time.Time{}
	assert.Equal(t, StateNeedsReview, r.missed(e, noon(), "not there").State, "nobody knows since when")

	e = entryIn(StateUnknown)
	e.MissedAt = noon().Add(-100 * time.Minute) // before it should have been there
	assert.Equal(t, noon(), r.missed(e, noon(), "not there").MissedAt)
	e.MissedAt = noon().Add(time.Hour) // by a clock that was wrong
	assert.Equal(t, noon(), r.missed(e, noon(), "not there").MissedAt)
}

// The looks belong to the key: they go on after it was sent again.
func TestLooksGoOn(t *testing.T) {
	t.Parallel()
	r := table()
	e := entryIn(StateNotFound)
	e = again(e, "me", noon(), noon().Add(time.Minute), StepIntent)
	e = r.answered(e, noon(), provided("r-1", refund.StatusSucceeded), nil)
	require.Equal(t, StateSucceeded, e.State)
	for range 3 {
		require.NotZero(t, e.Due)
		require.Equal(t, StateSucceeded, e.State)
		e = r.unseen(e, e.Due)
	}
	assert.Zero(t, e.Due)
	assert.Equal(t, StateSucceeded, e.State, "that it is not shown any more proves nothing")
}

func TestUndetermined(t *testing.T) {
	t.Parallel()
	r, e := table(), entryIn(StateUnknown)
	var waited []time.Duration
	for now := noon(); e.State == StateUnknown; now = e.Due {
		e = r.undetermined(e, now, now, "busy")
		if e.State == StateUnknown {
			waited = append(waited, e.Due.Sub(now))
		}
	}
	assert.Equal(t, defaultBackoff(), waited)
	assert.Equal(t, StateNeedsReview, e.State)
	assert.Equal(t, AttentionReview, e.Attention)
	assert.True(t, e.OrderLock)

	e = r.undetermined(entryIn(StateUnknown), noon(), noon().Add(time.Hour), "lags")
	assert.Equal(t, noon().Add(time.Hour), e.Due, "the provider says when")
	assert.Equal(t, StateNeedsReview, r.undetermined(entryIn(StateUnknown), noon(), time.Time{}, "ask a person").State)

	e = entryIn(StateUnknown)
	e.MissedAt = noon()
	e = r.undetermined(e, noon(), noon().Add(apart), "a second look has to agree")
	assert.Zero(t, e.Checks, "it belongs to the first")
}

// What needs review is looked for once a day for a week: then only a person helps.
func TestReviewIsLookedFor(t *testing.T) {
	t.Parallel()
	r := table()
	e := r.undetermined(entryIn(StateUnknown), noon(), time.Time{}, "ask a person")
	days := 0
	for now := noon(); !e.Due.IsZero(); now = now.Add(day) {
		days++
		require.Equal(t, now.Add(day), e.Due)
		e = r.unseen(e, e.Due)
	}
	assert.Equal(t, reviewLooks, days)
	assert.Equal(t, AttentionReview, e.Attention)
	assert.Equal(t, StateNeedsReview, e.State)
}

// A person may decide in any state, and what he decides is no more final than what a look says.
func TestDecided(t *testing.T) {
	t.Parallel()
	r := table()
	for _, from := range states() {
		e := entryIn(from)
		e.Attention = AttentionPaidTwice
		got := r.decided(e, noon(), &Decision{Verdict: refund.VerdictApplied, RefundID: "r-9", Why: "seen"})
		assert.Equal(t, StateSucceeded, got.State)
		assert.Equal(t, "r-9", got.RefundID)
		got = r.decided(e, noon(), &Decision{Verdict: refund.VerdictApplied, RefundID: "r-9", Pending: true, Why: "seen"})
		assert.Equal(t, StatePending, got.State)
		assert.NotZero(t, got.Due)
		got = r.decided(e, noon(), &Decision{Verdict: refund.VerdictNotApplied, Why: "not there"})
		assert.Equal(t, StateNotSent, got.State)
		assert.Equal(t, noon().Add(time.Hour), got.Due, "it is looked for all the same")
		assert.Empty(t, got.RefundID)
		got = r.decided(e, noon(), &Decision{Verdict: refund.VerdictUndetermined, Why: "ask"})
		assert.Equal(t, StateUnknown, got.State)
		assert.Equal(t, noon(), got.Due)
		for _, e := range []Entry{got} {
			assert.Empty(t, e.Attention)
			assert.Zero(t, e.Lease)
		}
	}
}

func TestLocksAndReserves(t *testing.T) {
	t.Parallel()
	several, single := table(), table()
	single.single = true
	for state, want := range map[State]struct{ locks, reserves, unfinished bool }{
		StateSending: {true, true, true}, StateUnknown: {true, true, true}, StateNeedsReview: {true, true, true},
		StateNotFound: {false, true, true}, StatePending: {false, true, true}, StateSucceeded: {false, true, false},
		StateNotSent: {}, StateRejected: {}, StateFailed: {}, StateCanceled: {}, StateExpired: {},
	} {
		e := entryIn(state)
		assert.Equal(t, want.locks, several.locks(&e, noon()), state)
		assert.Equal(t, want.locks || state == StatePending, single.locks(&e, noon()), state)
		assert.Equal(t, want.reserves, state.Reserves(), state)
		assert.Equal(t, want.unfinished, state.Unfinished(), state)
	}
	e := entryIn(StatePending)
	e.LocksAt = noon().Add(time.Minute)
	assert.True(t, single.locks(&e, noon()))
	assert.False(t, single.locks(&e, noon().Add(time.Minute)), "what has locked is not replaced any more")
	assert.Equal(t, e.LocksAt, single.rest(e, noon(), time.Time{}).Due, "the order is to be free then")
}

// The longer a refund is pending the rarer it is read; after a week somebody should look, once.
func TestPolling(t *testing.T) {
	t.Parallel()
	r := table()
	e := entryIn(StatePending)
	reads, attended := 0, 0
	for now := noon(); now.Before(noon().Add(30 * day)); now = e.Due {
		reads++
		e = r.shown(e, now, provided("r-1", refund.StatusPending))
		e.Updated = now
		require.True(t, e.Due.After(now))
		require.LessOrEqual(t, e.Due.Sub(now), day)
		if e.Attention != "" {
			require.Equal(t, AttentionStuck, e.Attention)
			attended++
			e = r.decided(e, now, &Decision{Verdict: refund.VerdictApplied, Pending: true, RefundID: "r-1", Why: "they are slow"})
			e.Updated = now
		}
	}
	assert.Equal(t, 1, attended)
	assert.Less(t, reads, 80)

	r.reads = false
	e = r.rest(entryIn(StatePending), noon(), time.Time{})
	require.Equal(t, e.Created.Add(week), e.Due)
	e = r.rest(e, e.Due, time.Time{})
	assert.Equal(t, AttentionStuck, e.Attention)
	assert.Zero(t, e.Due)
}

// What a later look cannot judge may be a second payment: it is for a person, whatever else he has to look at.
func TestDoubted(t *testing.T) {
	t.Parallel()
	for before, want := range map[Attention]Attention{
		"": AttentionReview, AttentionFoundLate: AttentionReview, AttentionStuck: AttentionReview, AttentionPaidTwice: AttentionPaidTwice,
	} {
		e := entryIn(StateSucceeded)
		e.Attention, e.NotFoundAt = before, noon().Add(-time.Hour)
		got := table().doubted(e, noon(), "several may be it")
		assert.Equal(t, want, got.Attention, before)
		assert.Equal(t, 1, got.Looks)
	}
}

func TestPutOff(t *testing.T) {
	t.Parallel()
	r := table()
	e := entryIn(StateNotFound)
	for i := range 20 {
		due := noon().Add(time.Duration(i) * day)
		e = r.putOff(e, due, "it panicked", true)
		require.True(t, e.Due.After(due))
		assert.Equal(t, i+1 >= poisonAfter, e.Attention == AttentionPoison)
		assert.Zero(t, e.Looks, "it was no look")
	}
	assert.Empty(t, r.putOff(entryIn(StatePending), noon(), "down", false).Attention)
}

// FirstSent only gets older, and Tries only grows, over all lives of a key; what was never sent has no age.
func TestLivesOfAKey(t *testing.T) {
	t.Parallel()
	r := table()
	sentAt := noon().Add(-time.Minute)
	e := r.answered(entryIn(StateSending), noon(), nil, &refund.Error{Attempt: refund.Attempt{FirstSent: sentAt, LastSent: sentAt, Tries: 3}})
	e.State = StateNotFound
	next := again(e, "me", noon().Add(week), noon().Add(week+time.Minute), StepSending)
	assert.Equal(t, e.FirstSent, next.FirstSent)
	assert.Equal(t, 3, next.Tries)
	next.sent(&refund.Attempt{FirstSent: noon().Add(week), Tries: 1}, noon().Add(week))
	assert.Equal(t, e.FirstSent, next.FirstSent)
	assert.Equal(t, 3, next.Tries)
	assert.Equal(t, noon().Add(week), next.LastSent)

	e.Tries = 0
	assert.Equal(t, noon().Add(week), again(e, "me", noon().Add(week), noon().Add(week+time.Minute), StepSending).FirstSent)
}

// Whatever happens to an entry, nobody works on it afterwards and its next work lies ahead: otherwise a round would never end,
// or nobody would ever look.
func TestWorkLiesAhead(t *testing.T) {
	t.Parallel()
	r := table()
	for _, from := range states() {
		after := map[string]Entry{
			"shown pending":   r.shown(looked(entryIn(from), noon()), noon(), provided("r-1", refund.StatusPending)),
			"shown succeeded": r.shown(looked(entryIn(from), noon()), noon(), provided("r-1", refund.StatusSucceeded)),
			"put off":         r.putOff(entryIn(from), noon(), "", false),
			"orphaned":        r.orphaned(entryIn(from), noon()),
		}
		switch from {
		case StateSending:
			after["not sent"] = r.answered(entryIn(from), noon(), nil, &refund.Error{Outcome: refund.OutcomeNotSent})
			after["unknown"] = r.answered(entryIn(from), noon(), nil, &refund.Error{})
		case StateUnknown:
			after["missed"] = r.missed(entryIn(from), noon(), "")
			after["failed"] = r.failed(entryIn(from), noon(), time.Time{}, "")
			after["undetermined"] = r.undetermined(entryIn(from), noon(), noon(), "")
			after["reviewed"] = r.undetermined(entryIn(from), noon(), time.Time{}, "")
		default:
			after["unseen"] = r.unseen(entryIn(from), noon())
		}
		for name, got := range after {
			name = string(from) + ", " + name
			assert.Zero(t, got.Lease, name)
			assert.True(t, got.Due.IsZero() || got.Due.After(noon()), "%s: %s is due %s", name, got.State, got.Due.Sub(noon()))
			if got.State.Unfinished() && got.State != StateNeedsReview {
				assert.NotZero(t, got.Due, name)
			}
			if got.State == StateNeedsReview {
				assert.NotEmpty(t, got.Attention, name)
			}
		}
	}
}
