package journal

import (
	"slices"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// rules are what the transitions of a client's entries go by. A transition is a pure function: it is given the entry, the
// time and what was learned, and returns the entry as it shall be. It neither reads nor writes. The package comment has the
// table that they make.
type rules struct {
	backoff      []time.Duration
	poll         time.Duration
	absenceAfter time.Duration
	reads        bool // a pending refund can be read
	marked       bool // refunds are found by their marker
	single       bool // an order has one refund at a time
}

const (
	day   = 24 * time.Hour
	week  = 7 * day
	apart = time.Minute // how long two looks have to be apart that agree on absence
	// maxPoll is the longest wait between two reads of a pending refund, and reviewLooks how often what needs review is
	// looked for, once a day.
	maxPoll     = day
	reviewLooks = 7
	// poisonAfter is how often the work on an entry may panic before somebody has to look.
	poisonAfter = 3
)

// lookAfter is when a refund is looked for again after it was judged not to have been made.
func lookAfter() []time.Duration { return []time.Duration{time.Hour, day, week} }

// lookDue is when e is looked for again because it was once judged absent; the zero time if it is not.
func (e *Entry) lookDue() time.Time {
	if after := lookAfter(); !e.NotFoundAt.IsZero() && e.Looks < len(after) {
		return e.NotFoundAt.Add(after[e.Looks])
	}
	return time.Time{}
}

// outstanding reports whether a refund of e may be at the provider, or still turn up there, without anybody knowing which.
func (e *Entry) outstanding() bool {
	return e.State == StateSending || e.State == StateUnknown || e.State == StateNeedsReview || !e.lookDue().IsZero()
}

// locks reports whether e keeps other refunds of its order from starting.
func (r *rules) locks(e *Entry, now time.Time) bool {
	switch e.State {
	case StateSending, StateUnknown, StateNeedsReview:
		return true
	case StatePending:
		return r.single && (e.LocksAt.IsZero() || now.Before(e.LocksAt))
	case StateNotFound, StateNotSent, StateRejected, StateSucceeded, StateFailed, StateCanceled, StateExpired:
	}
	return false
}

// fresh is the intent to refund req.
func fresh(id ID, req *refund.Request, owner string, now, lease time.Time, step Step) Entry {
	return Entry{
		Provider: id.Provider, Account: id.Account, Key: id.Key, Order: req.Order, Amount: req.Amount, Part: req.Part, Line: req.Line,
		State: StateSending, Step: step, OrderLock: true, Version: 1, Owner: owner, Lease: lease, Due: lease,
		FirstSent: now, Created: now, Updated: now,
	}
}

// again is the intent to send e once more, after nothing has moved. What earlier requests have left stays: one that was
// delayed may still arrive, or has, since its snapshot was taken.
func again(e Entry, owner string, now, lease time.Time, step Step) Entry {
	e.State, e.Step, e.OrderLock, e.Owner, e.Lease, e.Due = StateSending, step, true, owner, lease, lease
	e.Checks, e.MissedAt, e.Answered, e.Kind, e.Code, e.Note = 0, time.Time{}, false, 0, "", ""
	if e.NotFoundAt.IsZero() { // else an earlier request may still arrive: what is compared with is from before the first
		e.Snapshot = ""
	}
	if e.Tries == 0 { // nothing has gone out yet
		e.FirstSent = now
	}
	return e
}

// sending is e once its sender has all it needs, just before the first request.
func sending(e Entry, s refund.Snapshot) Entry {
	e.Step = StepSending
	if e.Snapshot == "" {
		e.Snapshot = s
	}
	return e
}

// claimed is e in the hands of owner. A lease that ended without a word of its owner may have been used until then.
func claimed(e Entry, owner string, now time.Time, lease time.Duration) Entry {
	if e.Lease.After(e.LastSent) {
		e.LastSent = e.Lease
	}
	e.Owner, e.Lease = owner, now.Add(lease)
	return e
}

// abandoned is a claimed e whose sender has died.
func (r *rules) abandoned(e Entry, now time.Time) Entry {
	if e.Step == StepIntent {
		return r.unmoved(e, now, StateNotSent, "its sender ended before anything was sent")
	}
	e.State, e.Step, e.Tries, e.Due = StateUnknown, "", max(e.Tries, 1), now
	return e
}

// answered is e after the provider's answer to its sender. got is the refund, or err says what went wrong.
func (r *rules) answered(e Entry, now time.Time, got *refund.Refund, err *refund.Error) Entry {
	if err == nil {
		e.Tries, e.LastSent = max(e.Tries, 1), later(e.LastSent, now)
		return r.shown(e, now, got)
	}
	e.Kind, e.Code = err.Kind, err.Code
	switch err.Outcome {
	case refund.OutcomeNotSent:
		return r.unmoved(e, now, StateNotSent, "")
	case refund.OutcomeRejected:
		return r.unmoved(e, now, StateRejected, "")
	case refund.OutcomeUnknown:
	}
	return r.unclear(e, now, &err.Attempt)
}

// unclear is e after a request of it had no answer that says what became of it.
func (r *rules) unclear(e Entry, now time.Time, a *refund.Attempt) Entry {
	e.sent(a, now)
	e.State, e.Checks = StateUnknown, 0
	return r.rest(e, now, now.Add(r.backoff[0]))
}

// unmoved is e after a call that has moved nothing. If it was once judged absent it still may turn up, and stays so.
func (r *rules) unmoved(e Entry, now time.Time, state State, note string) Entry {
	e.State, e.Note = state, note
	if !e.lookDue().IsZero() {
		e.State = StateNotFound
	}
	return r.rest(e, now, time.Time{})
}

// shown is e after the provider has shown its refund: to its sender, to a look, or to a person. It may be in any state:
// evidence beats verdict. more are further refunds that carry the key.
func (r *rules) shown(e Entry, now time.Time, got *refund.Refund, more ...*refund.Refund) Entry {
	if i := slices.IndexFunc(more, func(r *refund.Refund) bool { return live(stateOf(r.Status)) }); i >= 0 && !live(stateOf(got.Status)) {
		more = slices.Clone(more)
		got, more[i] = more[i], got // the one that pays is the one to know
	}
	from, to := e.State, stateOf(got.Status)
	another := live(from) && e.RefundID != "" && got.ID != "" && e.RefundID != got.ID
	switch {
	case got.Amount != refund.Money{} && got.Amount != e.Amount:
		if !live(from) {
			e.State = StateNeedsReview
		}
		e.attend(AttentionMismatch, "the provider shows refund "+got.ID+" of "+got.Amount.String())
		return r.rest(e, now, time.Time{})
	case another && !live(to): // it has come to nothing, and the one that is known has not
	case another:
		e.attend(AttentionPaidTwice, "the provider has refunds "+e.RefundID+" and "+got.ID)
	case from == StateSucceeded && to == StatePending, from.over() && to == StatePending && e.RefundID == got.ID:
		// a read that lags behind
	default:
		e.record(got)
		switch {
		case (from == StateNotFound || from == StateNotSent || from == StateRejected || from.over()) && live(to):
			e.attend(AttentionFoundLate, "the provider shows it although it was "+string(from))
		case from == StateSucceeded && to.over():
			e.attend(AttentionFailedLate, "the provider says "+string(to)+" of a refund that had succeeded")
		case from == StateNeedsReview && e.Attention == AttentionReview:
			e.Attention = ""
		}
	}
	for _, other := range more {
		if other.ID != e.RefundID && live(stateOf(other.Status)) {
			e.attend(AttentionPaidTwice, "the provider has refunds "+e.RefundID+" and "+other.ID)
		}
	}
	e.Checks, e.MissedAt = 0, time.Time{}
	return r.rest(e, now, time.Time{})
}

// missed is an unknown e after a look that shows nothing. That counts only when it should have appeared, and when a second
// look agrees; even then it may turn up later, so that it is looked for again.
func (r *rules) missed(e Entry, now time.Time, why string) Entry {
	settled := e.LastSent.Add(r.absenceAfter)
	switch {
	case e.LastSent.IsZero():
		return r.undetermined(e, now, time.Time{}, "the provider does not show it, and when it was last sent is not known")
	case now.Before(settled):
		return r.undetermined(e, now, settled, "the provider does not show it, but it may still appear")
	case e.MissedAt.Before(settled), e.MissedAt.After(now):
		e.MissedAt, e.Note = now, "the provider does not show it; a second look has to agree"
		return r.rest(e, now, now.Add(apart))
	case now.Before(e.MissedAt.Add(apart)):
		return r.rest(e, now, e.MissedAt.Add(apart))
	}
	e.State, e.Note, e.Checks, e.MissedAt, e.NotFoundAt, e.Looks = StateNotFound, why, 0, time.Time{}, now, 0
	return r.rest(e, now, time.Time{})
}

// undetermined is an unknown e after a look that does not tell. The zero notBefore means that asking again will not help.
func (r *rules) undetermined(e Entry, now, notBefore time.Time, why string) Entry {
	e.Note = why
	if notBefore.IsZero() {
		return r.review(e, now)
	}
	if !e.MissedAt.IsZero() && notBefore.After(now) { // the second look belongs to the first
		return r.rest(e, now, notBefore)
	}
	return r.failed(e, now, notBefore, why)
}

// failed is an unknown e that could not be looked for, or whose look did not tell yet.
func (r *rules) failed(e Entry, now, notBefore time.Time, why string) Entry {
	e.Note = why
	if e.Checks >= len(r.backoff) {
		return r.review(e, now)
	}
	e.Checks++
	return r.rest(e, now, later(now.Add(r.backoff[e.Checks-1]), notBefore))
}

func (r *rules) review(e Entry, now time.Time) Entry {
	e.State, e.Checks = StateNeedsReview, 0
	e.attend(AttentionReview, e.Note)
	return r.rest(e, now, time.Time{})
}

// looked is e after one of the looks that go on after a verdict.
func looked(e Entry, now time.Time) Entry {
	if due := e.lookDue(); !due.IsZero() && !due.After(now) {
		e.Looks++
	}
	return e
}

// unseen is e after a look, of those that go on after a verdict, that shows nothing new.
func (r *rules) unseen(e Entry, now time.Time) Entry {
	if e.State == StateNeedsReview {
		e.Checks++
		return r.rest(e, now, time.Time{})
	}
	e = looked(e, now)
	e.Checks = 0
	if e.State == StateNotFound && e.lookDue().IsZero() {
		e.State = StateNotSent
	}
	if due := e.lookDue(); !due.IsZero() && !due.After(now) { // nobody was there when it was due: one read does not stand for two
		return r.rest(e, now, now.Add(apart))
	}
	return r.rest(e, now, time.Time{})
}

// doubted is e after a look, of those that go on after a verdict, that shows what only a person can judge: another refund that
// may be this one, too.
func (r *rules) doubted(e Entry, now time.Time, why string) Entry {
	if e.State != StateNeedsReview { // also over another reason, such as that it was found late: this one may be a second payment
		e.attend(AttentionReview, why)
	}
	return r.unseen(e, now)
}

// putOff is e after work that could not be done: it is tried again after a while.
func (r *rules) putOff(e Entry, now time.Time, why string, poison bool) Entry {
	wait := r.backoff[min(e.Checks, len(r.backoff)-1)]
	e.Checks++
	if e.Attention == "" { // otherwise Note is why somebody has to look
		e.Note = why
	}
	if poison && e.Checks >= poisonAfter {
		e.attend(AttentionPoison, why)
	}
	return r.rest(e, now, now.Add(wait))
}

// orphaned is an overdue e of an account that nobody has a client for.
func (r *rules) orphaned(e Entry, now time.Time) Entry {
	e.attend(AttentionNoClient, "nobody has had a client for its account for a day")
	e = r.rest(e, now, now.Add(day))
	e.Due = now.Add(day)
	return e
}

// decided is e as a person says that it is.
func (r *rules) decided(e Entry, now time.Time, d *Decision) Entry {
	e.Attention, e.Note, e.Checks, e.MissedAt, e.Due = "", d.Why, 0, time.Time{}, time.Time{}
	due := time.Time{}
	switch d.Verdict {
	case refund.VerdictApplied:
		e.State = StateSucceeded
		if d.Pending {
			e.State = StatePending
		}
		if d.RefundID != "" {
			e.RefundID = d.RefundID
		}
	case refund.VerdictNotApplied: // as far as anybody can see: it is looked for like what a look did not find
		e.State, e.RefundID, e.NotFoundAt, e.Looks = StateNotSent, "", now, 0
	case refund.VerdictUndetermined:
		e.State, due = StateUnknown, now
	}
	return r.rest(e, now, due)
}

// rest gives e back: nobody works on it. due is when there is work on it; if it is the zero time, its state says.
func (r *rules) rest(e Entry, now, due time.Time) Entry {
	e.Lease, e.OrderLock = time.Time{}, r.locks(&e, now)
	look := e.lookDue()
	if !due.IsZero() && !look.After(now) { // it has been put off
		look = time.Time{}
	}
	if e.State != StateSending {
		e.Step = ""
	}
	if due.IsZero() {
		switch e.State {
		case StatePending:
			due = r.pollDue(&e, now)
		case StateNeedsReview:
			if e.Checks < reviewLooks {
				due = now.Add(day)
			}
		case StateSending, StateUnknown, StateNotFound, StateNotSent, StateRejected, StateSucceeded, StateFailed, StateCanceled, StateExpired:
		}
	}
	if stuck := e.Created.Add(week); e.State == StatePending {
		switch {
		case now.Before(stuck):
			due = earliest(due, stuck)
		case !e.Due.IsZero() && !e.Due.After(stuck) && e.Attention == "":
			// Once: its work was due by then for the last time, so that somebody who has decided to wait is not asked again.
			e.attend(AttentionStuck, "it has been pending for a week")
		}
	}
	e.Due = earliest(due, look)
	if e.State == StateUnknown || e.State == StateNeedsReview { // their own looks come first
		e.Due = due
	}
	return e
}

// pollDue is when a pending e is read. The longer it has been pending the longer that is; but an order that it locks is to be
// free at once.
func (r *rules) pollDue(e *Entry, now time.Time) time.Time {
	if !r.reads {
		return r.unlocks(e, now)
	}
	wait := min(max(r.poll, now.Sub(e.Created)/8), maxPoll)
	return earliest(now.Add(wait), r.unlocks(e, now))
}

// young reports whether a pending e is looked for by its marker instead of being read. That costs the same, and shows what no
// read of a refund does: a second one, if something on the way delivered the request twice.
func (r *rules) young(e *Entry, now time.Time) bool {
	return r.marked && now.Before(e.LastSent.Add(r.absenceAfter))
}

// unlocks is when a pending e stops to lock its order; the zero time if it does not, or does so only when it ends.
func (r *rules) unlocks(e *Entry, now time.Time) time.Time {
	if r.single && e.LocksAt.After(now) {
		return e.LocksAt
	}
	return time.Time{}
}

// attend makes a a reason to look. What was paid twice stays so until somebody has decided, and that the work does not get on
// hides no other reason.
func (e *Entry) attend(a Attention, note string) {
	switch {
	case e.Attention == AttentionPaidTwice && a != AttentionPaidTwice:
	case e.Attention != "" && (a == AttentionStuck || a == AttentionPoison || a == AttentionNoClient):
	default:
		e.Attention, e.Note = a, note
	}
}

// sent takes over when requests went out. An Attempt without times leaves what is safe: from the intent until now. What
// earlier requests have left only widens: a first request does not get younger, a last one not older.
func (e *Entry) sent(a *refund.Attempt, now time.Time) {
	if !a.FirstSent.IsZero() && (e.Tries == 0 || a.FirstSent.Before(e.FirstSent)) {
		e.FirstSent = a.FirstSent
	}
	last := a.LastSent
	if last.IsZero() {
		last = now
	}
	e.LastSent = later(e.LastSent, last)
	e.Tries = max(a.Tries, e.Tries, 1)
	if a.Snapshot != "" && e.NotFoundAt.IsZero() {
		e.Snapshot = a.Snapshot // closer to the request than the journal's own
	}
	e.Answered = e.Answered || a.Answered
	e.MissedAt = a.MissedAt
}

// record takes over what the provider said of the refund.
func (e *Entry) record(r *refund.Refund) {
	if r.ID != "" {
		e.RefundID = r.ID
	}
	e.Refunded, e.ProviderStatus = r.Amount, r.ProviderStatus
	e.RefundCreated, e.LocksAt, e.ExpiresAt, e.FailureReason = r.CreatedAt, r.LocksAt, r.ExpiresAt, r.FailureReason
	e.State = stateOf(r.Status)
}

// stateOf is the state of a refund that the provider has. What waits for somebody, or has a status that nobody knows, is
// followed like what is pending.
func stateOf(s refund.Status) State {
	switch s {
	case refund.StatusSucceeded:
		return StateSucceeded
	case refund.StatusFailed:
		return StateFailed
	case refund.StatusCanceled:
		return StateCanceled
	case refund.StatusExpired:
		return StateExpired
	case refund.StatusPending, refund.StatusNeedsAction, refund.StatusUnknown:
	}
	return StatePending
}

// live reports whether a refund in state s has paid, or will.
func live(s State) bool { return s == StatePending || s == StateSucceeded }

// over reports whether a refund in state s was made and has come to nothing.
func (s State) over() bool {
	return slices.Contains([]State{StateFailed, StateCanceled, StateExpired}, s)
}

// made reports whether the provider has, or had, the refund of an entry in state s.
func (s State) made() bool { return live(s) || s.over() }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// earliest returns the earliest of times that is not zero.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
