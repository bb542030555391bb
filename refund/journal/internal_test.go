package journal

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/multirefund/refund-go/refund"
)

func TestWhatStatesMean(t *testing.T) {
	for s, want := range map[State][4]bool{ // locks its order, does so where an order has one refund at a time, reserves, unfinished
		StateSending: {true, true, true, true}, StateUnknown: {true, true, true, true}, StateNeedsReview: {true, true, true, true},
		StateNotFound: {false, false, true, true}, StatePending: {false, true, true, true}, StateSucceeded: {false, false, true, false},
		StateFailed: {}, StateCanceled: {}, StateExpired: {}, StateRejected: {}, StateNotSent: {}, "": {},
	} {
		e := Entry{State: s}
		many, one := rules{}, rules{single: true}
		assert.Equal(t, want, [4]bool{many.locks(&e, time.Now()), one.locks(&e, time.Now()), s.Reserves(), s.Unfinished()}, s)
	}
	now := time.Now()
	e, one := Entry{State: StatePending, LocksAt: now}, rules{single: true}
	assert.False(t, one.locks(&e, now))
	assert.True(t, one.locks(&e, now.Add(-1)))
}

// evidence is what a state becomes when the provider shows the refund in a status, and why somebody should look.
type evidence struct {
	to        State
	attention Attention
}

// TestEvidence: what the provider shows beats what was judged, whatever the state; every unexpected direction is told.
func TestEvidence(t *testing.T) {
	statuses := []refund.Status{
		refund.StatusPending, refund.StatusSucceeded, refund.StatusFailed, refund.StatusCanceled, refund.StatusExpired,
	}
	as := func(attention ...Attention) (all []evidence) { // for each of statuses
		for i, status := range statuses {
			all = append(all, evidence{State(status), attention[min(i, len(attention)-1)]})
		}
		return all
	}
	judged := as(AttentionFoundLate, AttentionFoundLate, "")
	over := func(s State) []evidence { // a read that lags behind does not revive it
		all := as("", AttentionFoundLate, "")
		all[0].to = s
		return all
	}
	succeeded := as("", "", AttentionFailedLate)
	succeeded[0].to = StateSucceeded
	for from, want := range map[State][]evidence{
		StateSending: as(""), StateUnknown: as(""), StateNeedsReview: as(""), StatePending: as(""),
		StateNotFound: judged, StateNotSent: judged, StateRejected: judged,
		StateSucceeded: succeeded, StateFailed: over(StateFailed), StateCanceled: over(StateCanceled), StateExpired: over(StateExpired),
	} {
		for i, status := range statuses {
			for _, single := range []bool{false, true} {
				r := rules{backoff: defaultBackoff(), poll: defaultPoll, reads: true, single: single}
				now := time.Now()
				e := Entry{State: from, RefundID: "r", Created: now, Amount: refund.MustParseMoney("1.00", "AUD"), MissedAt: now, Lease: now}
				if from == StateNeedsReview {
					e.Attention = AttentionReview
				}
				got := r.shown(e, now, &refund.Refund{ID: "r", Status: status, Amount: e.Amount})
				shown := evidence{got.State, got.Attention}
				assert.Equal(t, want[i], shown, "%s shown as %s", from, status)
				assert.Equal(t, []any{"r", true, true}, []any{got.RefundID, got.Lease.IsZero(), got.MissedAt.IsZero()})
				assert.Equal(t, got.State == StatePending, !got.Due.IsZero())
				assert.Equal(t, single && got.State == StatePending, got.OrderLock)
			}
		}
	}
}

// TestAnotherRefund of the key: both have paid, or only one of them has.
func TestAnotherRefund(t *testing.T) {
	r := rules{backoff: defaultBackoff(), poll: defaultPoll}
	for _, from := range []State{StatePending, StateSucceeded} {
		for status, attention := range map[refund.Status]Attention{
			refund.StatusPending: AttentionPaidTwice, refund.StatusSucceeded: AttentionPaidTwice,
			refund.StatusFailed: "", refund.StatusCanceled: "", refund.StatusExpired: "",
		} {
			got := r.shown(Entry{State: from, RefundID: "r"}, time.Now(), &refund.Refund{ID: "second", Status: status})
			assert.Equal(t, []any{from, "r", attention}, []any{got.State, got.RefundID, got.Attention}, "%s, the other is %s", from, status)
		}
	}
	for _, from := range []State{StateFailed, StateCanceled, StateExpired} {
		for _, status := range []refund.Status{refund.StatusPending, refund.StatusSucceeded} {
			got := r.shown(Entry{State: from, RefundID: "r"}, time.Now(), &refund.Refund{ID: "second", Status: status})
			assert.Equal(t, []any{State(status), "second", AttentionFoundLate}, []any{got.State, got.RefundID, got.Attention})
		}
	}
	got := r.shown(Entry{State: StateUnknown}, time.Now(), &refund.Refund{ID: "r", Status: refund.StatusSucceeded},
		&refund.Refund{ID: "r", Status: refund.StatusSucceeded}, &refund.Refund{ID: "void", Status: refund.StatusFailed})
	assert.Equal(t, []any{StateSucceeded, Attention("")}, []any{got.State, got.Attention})
	got = r.shown(Entry{State: StateUnknown}, time.Now(), &refund.Refund{ID: "r", Status: refund.StatusSucceeded},
		&refund.Refund{ID: "second", Status: refund.StatusPending})
	assert.Equal(t, []any{StateSucceeded, AttentionPaidTwice}, []any{got.State, got.Attention})
	got = r.shown(got, time.Now(), &refund.Refund{ID: "r", Status: refund.StatusFailed})
	assert.Equal(t, AttentionPaidTwice, got.Attention, "until somebody has decided")
}

// TestAnotherAmount is not what was asked for: a person looks, and what is known stays.
func TestAnotherAmount(t *testing.T) {
	r := rules{backoff: defaultBackoff(), poll: defaultPoll}
	for _, from := range []State{
		StateSending, StateUnknown, StateNeedsReview, StateNotFound, StateNotSent, StateRejected, StatePending, StateSucceeded,
		StateFailed, StateCanceled, StateExpired,
	} {
		want := StateNeedsReview
		if from == StatePending || from == StateSucceeded {
			want = from
		}
		e := Entry{State: from, Amount: refund.MustParseMoney("1.00", "AUD")}
		got := r.shown(e, time.Now(), &refund.Refund{ID: "r", Status: refund.StatusSucceeded, Amount: refund.MustParseMoney("2.00", "AUD")})
		assert.Equal(t, []any{want, AttentionMismatch}, []any{got.State, got.Attention}, from)
	}
}

// TestAnswers: what the provider's answer makes of an entry in the hands of its sender. What was once judged absent, and is still
// looked for, stays so when nothing moves.
func TestAnswers(t *testing.T) {
	r := rules{backoff: defaultBackoff(), poll: defaultPoll}
	now := time.Now()
	first := Entry{State: StateSending, Step: StepSending, OrderLock: true, Lease: now, FirstSent: now, Created: now}
	missed := first
	missed.NotFoundAt, missed.Tries, missed.FirstSent = now.Add(-time.Minute), 1, now.Add(-2*time.Hour)
	given := first
	given.NotFoundAt, given.Looks = now.Add(-8*day), 3
	for outcome, want := range map[refund.Outcome][3]State{
		refund.OutcomeRejected: {StateRejected, StateNotFound, StateRejected},
		refund.OutcomeNotSent:  {StateNotSent, StateNotFound, StateNotSent},
		refund.OutcomeUnknown:  {StateUnknown, StateUnknown, StateUnknown},
	} {
		for i, e := range []Entry{first, missed, given} {
			got := r.answered(e, now, nil, &refund.Error{Outcome: outcome, Kind: refund.ErrLocked, Code: "no"})
			assert.Equal(t, []any{want[i], refund.ErrLocked, "no", Step(""), true}, []any{got.State, got.Kind, got.Code, got.Step, got.Lease.IsZero()})
			assert.Equal(t, outcome == refund.OutcomeUnknown, got.OrderLock)
			assert.Equal(t, outcome == refund.OutcomeUnknown, got.LastSent.Equal(now))
			assert.Equal(t, e.FirstSent, got.FirstSent)
		}
	}
}

// TestAgain: a key gets no younger with its second life.
func TestAgain(t *testing.T) {
	now := time.Now()
	sent := Entry{
		State: StateNotFound, FirstSent: now.Add(-day), LastSent: now.Add(-time.Hour), Tries: 2, Snapshot: "before", Answered: true,
		NotFoundAt: now, Looks: 1, Kind: refund.ErrLocked, Code: "no", Note: "why", Checks: 3, MissedAt: now,
	}
	got := again(sent, "me", now, now.Add(time.Minute), StepIntent)
	want := sent
	want.State, want.Step, want.OrderLock, want.Owner, want.Lease, want.Due = StateSending, StepIntent, true, "me", now.Add(time.Minute), now.Add(time.Minute)
	want.Answered, want.Kind, want.Code, want.Note, want.Checks, want.MissedAt = false, 0, "", "", 0, time.Time{}
	assert.Equal(t, want, got, "a look before it is sent needs the snapshot of what was sent")
	sent.NotFoundAt = time.Time{}
	assert.Empty(t, again(sent, "me", now, now, StepSending).Snapshot)
	sent.Tries = 0
	assert.Equal(t, now, again(sent, "me", now, now, StepSending).FirstSent, "nothing has gone out yet")
}

// TestLooks: what was judged absent is looked for after an hour, a day and a week, also after it was sent again.
func TestLooks(t *testing.T) {
	r := rules{backoff: defaultBackoff(), poll: defaultPoll, absenceAfter: time.Hour}
	now := time.Now()
	for _, state := range []State{StateNotFound, StateNotSent, StateRejected, StateFailed} {
		e := r.rest(Entry{State: state, NotFoundAt: now}, now, time.Time{})
		for i, after := range lookAfter() {
			assert.Equal(t, now.Add(after), e.Due)
			e = r.unseen(e, e.Due)
			if i < len(lookAfter())-1 {
				assert.Equal(t, state, e.State)
			}
		}
		if state == StateNotFound {
			state = StateNotSent
		}
		assert.Equal(t, []any{state, true, 3}, []any{e.State, e.Due.IsZero(), e.Looks})
	}
	assert.True(t, slices.IsSorted(lookAfter()))
}
