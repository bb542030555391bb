package journal

import (
	"time"

	"github.com/multirefund/refund-go/refund"
)

// State is where a refund stands. The values are stored: they do not change.
type State string

// The states. See the package comment for how they follow one another.
const (
	Sending     State = "sending"      // a process is asking the provider, or died while it did
	Succeeded   State = "succeeded"    // the provider has carried it out
	Pending     State = "pending"      // the provider has accepted it; Sync follows it to its end
	Failed      State = "failed"       // accepted, and then failed at the provider
	Canceled    State = "canceled"     // accepted, and then taken back
	Expired     State = "expired"      // accepted, and then lapsed
	Rejected    State = "rejected"     // refused: nothing moved, the same key may be sent again
	NotSent     State = "not sent"     // nothing moved, the same key may be sent again
	Unknown     State = "unknown"      // money may have moved; only Resolve or Decide changes that
	NeedsReview State = "needs review" // Resolve cannot tell; only Decide changes that
)

// Open reports whether money may have moved without anybody knowing: no other refund of the order is sent meanwhile.
func (s State) Open() bool { return s == Sending || s == Unknown || s == NeedsReview }

// Reserves reports whether the amount counts as refunded when the rest of the order is reckoned.
func (s State) Reserves() bool { return s.Open() || s == Pending || s == Succeeded }

// may reports whether an entry may go from s to next.
func (s State) may(next State) bool {
	switch s {
	case Sending, Unknown:
		return next != Sending && (next != NeedsReview || s == Unknown)
	case NeedsReview:
		return next == Succeeded || next == NotSent || next == Unknown
	case Pending:
		return next == Pending || next == Succeeded || next == Failed || next == Canceled || next == Expired
	case Rejected, NotSent:
		return next == Sending
	case Succeeded, Failed, Canceled, Expired:
	}
	return false
}

// Entry is what the journal knows of one refund. It has no personal data: Request.Reason and Request.Metadata, the
// provider's bodies and messages are not stored.
type Entry struct {
	Provider string
	Key      string // the idempotency key; unique for the provider
	Order    refund.Order
	Amount   refund.Money
	Part     refund.Part
	Line     string
	Baseline refund.Baseline

	State   State
	Version int64     // 1 for a new entry; every change adds 1
	Lease   time.Time // somebody works on it until then; zero if nobody does
	Due     time.Time // when Recover or Sync looks at it next; zero means never
	Checks  int       // how often Resolve could not tell

	FirstSent time.Time // see refund.Attempt
	LastSent  time.Time
	Tries     int

	// What the provider said, as far as it did.
	RefundID       string
	Refunded       refund.Money // the amount that it stated; the zero Money if none
	ProviderStatus string
	RefundCreated  time.Time
	LocksAt        time.Time
	ExpiresAt      time.Time
	FailureReason  string
	Kind           refund.Kind // of the last error
	Code           string      // of the last error

	// Note says what the state rests on: the Resolution's reason, or who decided and why.
	Note string

	Created, Updated time.Time
}

// OrderKey is what the one-refund-at-a-time rule goes by: the provider's id of the order, or else the invoice's or the
// merchant's.
func (e *Entry) OrderKey() string {
	switch {
	case e.Order.ID != "":
		return e.Order.ID
	case e.Order.InvoiceID != "":
		return "invoice:" + e.Order.InvoiceID
	}
	return "merchant:" + e.Order.MerchantID
}

// newEntry is the intent to send req.
func newEntry(provider string, req *refund.Request, now, lease time.Time) Entry {
	return Entry{
		Provider: provider, Key: req.IdempotencyKey, Order: req.Order, Amount: req.Amount, Part: req.Part, Line: req.Line,
		State: Sending, Version: 1, Lease: lease, Due: lease, FirstSent: now, Created: now, Updated: now,
	}
}

// same reports whether req asks for the refund that e is: everything that decides how much money moves, and where.
func (e *Entry) same(req *refund.Request) bool {
	a, b := e.Order, req.Order
	a.PurchasedAt, b.PurchasedAt = time.Time{}, time.Time{}
	return a == b && e.Amount == req.Amount && e.Part == req.Part && e.Line == req.Line
}

// attempt is what Resolve needs.
func (e *Entry) attempt() refund.Attempt {
	return refund.Attempt{
		Request: refund.Request{
			IdempotencyKey: e.Key, Order: e.Order, Amount: e.Amount, Part: e.Part, Line: e.Line,
		},
		Baseline: e.Baseline, FirstSent: e.FirstSent, LastSent: e.LastSent, Tries: max(e.Tries, 1),
	}
}

// refund is the result as it was recorded.
func (e *Entry) refund() *refund.Refund {
	status := map[State]refund.Status{
		Succeeded: refund.StatusSucceeded, Pending: refund.StatusPending, Failed: refund.StatusFailed,
		Canceled: refund.StatusCanceled, Expired: refund.StatusExpired,
	}[e.State]
	return &refund.Refund{
		ID: e.RefundID, IdempotencyKey: e.Key, Provider: e.Provider, Order: e.Order, Amount: e.Refunded, Status: status,
		ProviderStatus: e.ProviderStatus, CreatedAt: e.RefundCreated, LocksAt: e.LocksAt, ExpiresAt: e.ExpiresAt,
		FailureReason: e.FailureReason,
	}
}

// record takes over what the provider said of the refund.
func (e *Entry) record(r *refund.Refund) {
	e.RefundID, e.Refunded, e.ProviderStatus = r.ID, r.Amount, r.ProviderStatus
	e.RefundCreated, e.LocksAt, e.ExpiresAt, e.FailureReason = r.CreatedAt, r.LocksAt, r.ExpiresAt, r.FailureReason
	e.State = stateOf(r.Status)
}

// stateOf is the state of a refund that the provider has. What waits for somebody, or has a status that nobody knows, is
// followed like what is pending.
func stateOf(s refund.Status) State {
	switch s {
	case refund.StatusSucceeded:
		return Succeeded
	case refund.StatusFailed:
		return Failed
	case refund.StatusCanceled:
		return Canceled
	case refund.StatusExpired:
		return Expired
	case refund.StatusPending, refund.StatusNeedsAction:
	}
	return Pending
}
