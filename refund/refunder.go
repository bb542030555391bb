package refund

import (
	"context"
	"iter"
	"time"
)

// Refunder refunds orders at one account of one provider. Safe for concurrent use.
//
// Everything else that a client may be able to do is an interface of one method below. Capabilities names those that a
// client has, and As finds them.
type Refunder interface {
	// Refund asks the provider for req. A non-nil error is always an *Error; its Outcome says whether money may have
	// moved. A nil error means that the provider has the refund, not that it was paid: Refund.Status says that. An
	// invalid req returns before any I/O. The call is bounded by ctx; a ctx that ends while the request is under way
	// leaves OutcomeUnknown.
	Refund(ctx context.Context, req Request) (*Refund, error)
	// Capabilities describes the client. It does no I/O, and the result is the caller's own copy.
	Capabilities() Capabilities
}

// Getter reads one refund, to see how far it has got.
type Getter interface {
	// GetRefund returns the refund with ref.ID. A refund that the provider does not show is ErrOrderNotFound; reads may
	// lag behind writes.
	GetRefund(ctx context.Context, ref Ref) (*Refund, error)
}

// Lister lists refunds, including those made by others (dashboards, returns).
type Lister interface {
	// Refunds returns what q selects. The sequence is lazy, can be ranged over again (which asks anew), and ends after
	// its first error. A field of q that the provider cannot select by is an ErrInvalidRequest, not ignored. A refund
	// whose date is not known is within every span of time.
	Refunds(ctx context.Context, q Query) iter.Seq2[*Refund, error]
}

// Canceler takes back a refund that the provider has not paid yet.
type Canceler interface {
	// CancelRefund takes back the refund with ref.ID, or the one that can be taken back if ref.ID is empty and the
	// provider has only one for an order. An error with OutcomeUnknown leaves open whether it was taken back: read it.
	CancelRefund(ctx context.Context, ref Ref) (*Refund, error)
}

// Resolver finds out what became of a refund whose outcome is unknown.
type Resolver interface {
	// Resolve returns what became of a. It may send the same request again, where that cannot be a second refund, unless
	// a.LookOnly. An error means that the provider could not be asked: the outcome is as unknown as before, and if the
	// error carries an Attempt, that one replaces a. So does Resolution.Attempt.
	Resolve(ctx context.Context, a Attempt) (Resolution, error)
}

// Snapshotter reads what a later Resolve compares with, where Capabilities.ResolvedBy is ResolvedBySnapshot. Refund of such
// a client takes a snapshot of its own; a caller that must survive a crash takes one first and stores it.
type Snapshotter interface {
	// Snapshot returns the refunds that req's order has now.
	Snapshot(ctx context.Context, req Request) (Snapshot, error)
}

// Ref names one refund at the provider.
type Ref struct {
	Order Order
	ID    string // the provider's refund id
}

// Query selects refunds. The zero value of a field selects all.
type Query struct {
	Order  Order
	Since  time.Time // inclusive
	Until  time.Time // exclusive
	Status Status
}

// Snapshot is what a provider's refunds of an order looked like at some time. Opaque, printable, free of personal data;
// empty means that none was taken.
type Snapshot string

// Attempt is a refund that was sent and whose outcome is unknown.
type Attempt struct {
	Request  Request  `json:"request"`
	Snapshot Snapshot `json:"snapshot,omitzero"` // taken before it was sent
	// Answered says that the provider, or something in front of it, answered: asking once more would tell nothing new.
	Answered  bool      `json:"answered,omitzero"`
	FirstSent time.Time `json:"first_sent,omitzero"` // when the first request may have gone out
	LastSent  time.Time `json:"last_sent,omitzero"`  // when the last one may have
	Tries     int       `json:"tries,omitzero"`      // how many may have gone out
	// MissedAt is when a look first did not find the refund although it should have appeared by then. Absence counts only
	// when a second look, a minute later or more, agrees.
	MissedAt time.Time `json:"missed_at,omitzero"`
	// LookOnly forbids Resolve to send anything that could move money: what it finds comes from reads alone.
	LookOnly bool `json:"look_only,omitzero"`
	// Known are the other refunds of the order that the caller knows, all of them; nil means that it does not know. A marker
	// may be left out, cut or changed on its way: with Known, also if it is empty, any refund of the amount that nobody knows
	// may be this one, so that its absence proves nothing. Without it only one that has no marker at all may be.
	Known []Known `json:"known,omitzero"`
}

// Known is a refund that the caller knows, by its key, by the provider's id, or by both.
type Known struct {
	Key      string `json:"key,omitzero"`
	RefundID string `json:"refund_id,omitzero"`
}

// Resolution is what Resolve found.
type Resolution struct {
	Verdict Verdict `json:"verdict"`
	// Refund is the refund, if the verdict is VerdictApplied.
	Refund *Refund `json:"refund,omitzero"`
	// Duplicates are further refunds with the same key that have not failed: it was paid more than once, and a person has to
	// look. Which of them is Refund means nothing.
	Duplicates []*Refund `json:"duplicates,omitzero"`
	// NotBefore is when to ask again, if the verdict is VerdictUndetermined; the zero time means that asking again will
	// not help and a person has to look.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Attempt replaces the one that was asked about, if it is to be asked about again.
	Attempt Attempt `json:"attempt,omitzero"`
	// Why says in words what the verdict rests on.
	Why string `json:"why,omitzero"`
}

// Verdict is what became of an unknown refund.
type Verdict int

// The verdicts.
const (
	VerdictUndetermined Verdict = iota // still unknown
	VerdictApplied                     // the provider has the refund
	VerdictNotApplied                  // the provider does not have it: the same key may be sent again
)

// String returns the verdict in lower-case words.
func (v Verdict) String() string {
	switch v {
	case VerdictApplied:
		return "applied"
	case VerdictNotApplied:
		return "not applied"
	case VerdictUndetermined:
	}
	return "undetermined"
}

// MarshalText returns the verdict as one word: "undetermined", "applied" or "not_applied". It never fails.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(word(v)), nil }

// UnmarshalText reads what MarshalText writes.
func (v *Verdict) UnmarshalText(text []byte) error {
	for _, known := range []Verdict{VerdictUndetermined, VerdictApplied, VerdictNotApplied} {
		if word(known) == string(text) {
			*v = known
			return nil
		}
	}
	return invalid("Verdict", "%s is no verdict; it must be undetermined, applied or not_applied", quoteShort(text))
}
