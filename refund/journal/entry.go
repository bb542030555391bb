package journal

import (
	"cmp"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// State is where a refund stands. The values are stored: they do not change.
type State string

// The states. See the package comment for how they follow one another.
const (
	StateSending     State = "sending"      // a process is asking the provider, or died while it did
	StateSucceeded   State = "succeeded"    // the provider has carried it out
	StatePending     State = "pending"      // the provider has accepted it; Sync follows it to its end
	StateFailed      State = "failed"       // accepted, and then failed at the provider
	StateCanceled    State = "canceled"     // accepted, and then taken back
	StateExpired     State = "expired"      // accepted, and then lapsed
	StateRejected    State = "rejected"     // refused: nothing moved, the same key may be sent again
	StateNotSent     State = "not_sent"     // nothing moved, the same key may be sent again
	StateUnknown     State = "unknown"      // money may have moved; only Resolve or Decide changes that
	StateNeedsReview State = "needs_review" // Resolve cannot tell; only Decide changes that
)

// Open reports whether money may have moved without anybody knowing: no other refund of the order is sent meanwhile.
func (s State) Open() bool { return s == StateSending || s == StateUnknown || s == StateNeedsReview }

// Reserves reports whether the amount counts as refunded when the rest of the order is reckoned.
func (s State) Reserves() bool { return s.Open() || s == StatePending || s == StateSucceeded }

// may reports whether an entry may go from s to next.
func (s State) may(next State) bool {
	switch s {
	case StateSending, StateUnknown:
		return next != StateSending && (next != StateNeedsReview || s == StateUnknown)
	case StateNeedsReview:
		return next == StateSucceeded || next == StateNotSent || next == StateUnknown
	case StatePending:
		return next == StatePending || next == StateSucceeded || next == StateFailed || next == StateCanceled || next == StateExpired
	case StateRejected, StateNotSent:
		return next == StateSending
	case StateSucceeded, StateFailed, StateCanceled, StateExpired:
	}
	return false
}

// ID names an entry: the same key at another account, or at another provider, is another refund.
type ID struct {
	Provider string `json:"provider"`
	Account  string `json:"account,omitzero"` // refund.Options.Account of the client; empty is a name too
	Key      string `json:"key"`              // the idempotency key
}

// String returns the ID in one word, for messages.
func (id ID) String() string { return id.Provider + "/" + id.Account + "/" + id.Key }

func (id ID) compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Provider, other.Provider), cmp.Compare(id.Account, other.Account), cmp.Compare(id.Key, other.Key))
}

// Entry is what the journal knows of one refund. It has no personal data: Request.Reason and Request.Metadata, the
// provider's bodies and messages are not stored.
type Entry struct {
	Provider string       `json:"provider"`
	Account  string       `json:"account,omitzero"`
	Key      string       `json:"key"` // the idempotency key; unique for the account
	Order    refund.Order `json:"order"`
	Amount   refund.Money `json:"amount"`
	Part     refund.Part  `json:"part,omitzero"`
	Line     string       `json:"line,omitzero"`

	State   State     `json:"state"`
	Version int64     `json:"version"`         // 1 for a new entry; every change adds 1
	Lease   time.Time `json:"lease,omitzero"`  // somebody works on it until then; zero if nobody does
	Due     time.Time `json:"due,omitzero"`    // when Recover or Sync looks at it next; zero means never
	Checks  int       `json:"checks,omitzero"` // how often Resolve could not tell

	// What refund.Attempt has.
	Snapshot  refund.Snapshot `json:"snapshot,omitzero"`
	Answered  bool            `json:"answered,omitzero"`
	FirstSent time.Time       `json:"first_sent,omitzero"`
	LastSent  time.Time       `json:"last_sent,omitzero"`
	Tries     int             `json:"tries,omitzero"`
	MissedAt  time.Time       `json:"missed_at,omitzero"`

	// What the provider said, as far as it did.
	RefundID       string       `json:"refund_id,omitzero"`
	Refunded       refund.Money `json:"refunded,omitzero"` // the amount that it stated; the zero Money if none
	ProviderStatus string       `json:"provider_status,omitzero"`
	RefundCreated  time.Time    `json:"refund_created,omitzero"`
	LocksAt        time.Time    `json:"locks_at,omitzero"`
	ExpiresAt      time.Time    `json:"expires_at,omitzero"`
	FailureReason  string       `json:"failure_reason,omitzero"`
	Kind           refund.Kind  `json:"kind,omitzero"` // of the last error; 0 if there was none
	Code           string       `json:"code,omitzero"` // of the last error

	// Note says what the state rests on: the Resolution's reason, or who decided and why.
	Note string `json:"note,omitzero"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// ID returns the entry's name.
func (e *Entry) ID() ID { return ID{e.Provider, e.Account, e.Key} }

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
func newEntry(id ID, req *refund.Request, now, lease time.Time) Entry {
	return Entry{
		Provider: id.Provider, Account: id.Account, Key: id.Key, Order: req.Order, Amount: req.Amount, Part: req.Part, Line: req.Line,
		State: StateSending, Version: 1, Lease: lease, Due: lease, FirstSent: now, Created: now, Updated: now,
	}
}

// same reports whether req asks for the refund that e is: everything that decides how much money moves, and where.
func (e *Entry) same(req *refund.Request) bool {
	return e.Order == req.Order && e.Amount == req.Amount && e.Part == req.Part && e.Line == req.Line
}

// attempt is what Resolve needs.
func (e *Entry) attempt() refund.Attempt {
	return refund.Attempt{
		Request: refund.Request{
			IdempotencyKey: e.Key, Order: e.Order, Amount: e.Amount, Part: e.Part, Line: e.Line,
		},
		Snapshot: e.Snapshot, Answered: e.Answered, FirstSent: e.FirstSent, LastSent: e.LastSent, Tries: max(e.Tries, 1),
		MissedAt: e.MissedAt,
	}
}

// refund is the result as it was recorded.
func (e *Entry) refund() *refund.Refund {
	status := map[State]refund.Status{
		StateSucceeded: refund.StatusSucceeded, StatePending: refund.StatusPending, StateFailed: refund.StatusFailed,
		StateCanceled: refund.StatusCanceled, StateExpired: refund.StatusExpired,
	}[e.State]
	return &refund.Refund{
		ID: e.RefundID, IdempotencyKey: e.Key, Provider: e.Provider, Account: e.Account, Order: e.Order, Amount: e.Refunded, Status: status,
		ProviderStatus: e.ProviderStatus, CreatedAt: e.RefundCreated, LocksAt: e.LocksAt, ExpiresAt: e.ExpiresAt,
		FailureReason: e.FailureReason, Replayed: true,
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
