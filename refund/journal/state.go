package journal

// State is where a refund stands. The words are stored: they do not change.
type State string

// The states. See the package comment for how they follow one another.
const (
	StateSending     State = "sending"      // a process is asking the provider, or died while it did
	StateUnknown     State = "unknown"      // money may have moved; a look, evidence or a person tells
	StateNeedsReview State = "needs_review" // money may have moved, and no look will tell: a person has to
	StateNotFound    State = "not_found"    // the provider does not show it, and it is still looked for; the key may be sent again
	StateNotSent     State = "not_sent"     // nothing moved; the key may be sent again
	StateRejected    State = "rejected"     // refused, so nothing moved; the key may be sent again
	StatePending     State = "pending"      // the provider has accepted it; it is followed to its end
	StateSucceeded   State = "succeeded"    // the provider has carried it out
	StateFailed      State = "failed"       // accepted, and then failed at the provider
	StateCanceled    State = "canceled"     // accepted, and then taken back
	StateExpired     State = "expired"      // accepted, and then lapsed
)

// Unfinished reports whether something is still to be found out or done.
func (s State) Unfinished() bool {
	switch s {
	case StateSending, StateUnknown, StateNeedsReview, StateNotFound, StatePending:
		return true
	case StateNotSent, StateRejected, StateSucceeded, StateFailed, StateCanceled, StateExpired:
	}
	return false
}

// Reserves reports whether the amount counts as refunded when the rest of the order is reckoned.
func (s State) Reserves() bool { return s.Unfinished() || s == StateSucceeded }

// Step is how far the sender of a refund got. The words are stored.
type Step string

// The steps.
const (
	StepIntent  Step = "intent"  // nothing has been sent, and nothing is until the step is StepSending
	StepSending Step = "sending" // it may have been sent
)

// Attention is why a person should look at an entry. The words are stored.
type Attention string

// The reasons. Entry.Note says more, and Events has what was said before.
const (
	AttentionReview     Attention = "needs_review" // only a person can tell what became of it
	AttentionPaidTwice  Attention = "paid_twice"   // the provider has two refunds of the key
	AttentionFoundLate  Attention = "found_late"   // it was judged not to have been made, or taken back, and is there
	AttentionFailedLate Attention = "failed_late"  // it was carried out, and then failed or was taken back
	AttentionMismatch   Attention = "mismatch"     // the provider's refund is of another amount
	AttentionStuck      Attention = "stuck"        // it has been pending for a week, or cannot be followed
	AttentionPoison     Attention = "poison"       // working on it fails in a way that repeating does not help
	AttentionNoClient   Attention = "no_client"    // nobody has a client for its account
)
