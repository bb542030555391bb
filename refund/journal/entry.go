package journal

import (
	"cmp"
	"time"

	"github.com/multirefund/refund-go/refund"
)

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
// provider's bodies and messages are not stored. Times are the store's.
type Entry struct {
	Provider string       `json:"provider"`
	Account  string       `json:"account,omitzero"`
	Key      string       `json:"key"` // the idempotency key; unique for the account
	Order    refund.Order `json:"order"`
	Amount   refund.Money `json:"amount"`
	Part     refund.Part  `json:"part,omitzero"`
	Line     string       `json:"line,omitzero"`

	State State `json:"state"`
	Step  Step  `json:"step,omitzero"` // how far the sender got, while State is StateSending
	// OrderLock says that no other refund of the order may start.
	OrderLock bool `json:"order_lock,omitzero"`
	// Attention is why a person should look, empty if nobody has to. Decide ends it.
	Attention Attention `json:"attention,omitzero"`
	Version   int64     `json:"version"`         // 1 for a new entry; every change adds 1
	Owner     string    `json:"owner,omitzero"`  // the call that changed it last
	Lease     time.Time `json:"lease,omitzero"`  // Owner works on it until then; zero if nobody does
	Due       time.Time `json:"due,omitzero"`    // when Round has work on it; zero means never
	Checks    int       `json:"checks,omitzero"` // how often the work has come to nothing

	// What refund.Attempt has. FirstSent only gets older, and Tries only grows, over all lives of a key.
	Snapshot  refund.Snapshot `json:"snapshot,omitzero"`
	Answered  bool            `json:"answered,omitzero"`
	FirstSent time.Time       `json:"first_sent,omitzero"`
	LastSent  time.Time       `json:"last_sent,omitzero"`
	Tries     int             `json:"tries,omitzero"`
	MissedAt  time.Time       `json:"missed_at,omitzero"`

	// NotFoundAt is when it was last judged not to have been made, and Looks how often it has been looked for since.
	NotFoundAt time.Time `json:"not_found_at,omitzero"`
	Looks      int       `json:"looks,omitzero"`

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

	// Note says what the state rests on: the Resolution's reason, or why somebody decided.
	Note string `json:"note,omitzero"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// ID returns the entry's name.
func (e *Entry) ID() ID { return ID{e.Provider, e.Account, e.Key} }

// OrderKey is what the rules about an order go by: the provider's id of the order, or else the invoice's or the merchant's.
func (e *Entry) OrderKey() string { return orderKey(e.Order) }

func orderKey(o refund.Order) string {
	switch {
	case o.ID != "":
		return o.ID
	case o.InvoiceID != "":
		return "invoice:" + o.InvoiceID
	}
	return "merchant:" + o.MerchantID
}

// same reports whether req asks for the refund that e is: everything that decides how much money moves, and where.
func (e *Entry) same(req *refund.Request) bool {
	return e.OrderKey() == orderKey(req.Order) && e.Amount == req.Amount && e.Part == req.Part && e.Line == req.Line
}

// leased reports whether somebody works on e.
func (e *Entry) leased(now time.Time) bool { return e.Lease.After(now) }
