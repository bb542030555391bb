package refund

import (
	"context"
	"iter"
	"time"
)

// Refunder refunds orders at one provider. Safe for concurrent use.
type Refunder interface {
	// Refund asks the provider for req. A non-nil error is always an *Error; its Outcome says whether
	// money may have moved. An invalid req returns before any I/O. The call is bounded by ctx; a ctx that ends
	// while the request is under way leaves OutcomeUnknown.
	Refund(ctx context.Context, req Request) (*Refund, error)
	// Capabilities returns what this client can do. Static, no I/O.
	Capabilities() Capabilities
}

// Getter reads one refund: where has it got to? Implemented where the provider can be asked.
// A refund that the provider does not show is ErrOrderNotFound; reads may lag behind writes.
type Getter interface {
	GetRefund(ctx context.Context, ref Ref) (*Refund, error)
}

// Lister lists refunds, those made by others (dashboards, returns) included. The sequence is lazy, can be ranged
// over again (which asks anew), and ends after its first error.
type Lister interface {
	Refunds(ctx context.Context, q Query) iter.Seq2[*Refund, error]
}

// Canceler takes back a refund that the provider has not paid yet.
type Canceler interface {
	CancelRefund(ctx context.Context, order Order) (*Refund, error)
}

// Resolver finds out what became of a refund whose outcome is unknown. An error means that the provider could not
// be asked: the outcome is as unknown as before, and if the error carries an Attempt, that one replaces a.
type Resolver interface {
	Resolve(ctx context.Context, a Attempt) (Resolution, error)
}

// Baseliner reads what a later Resolve has to compare with. Only needed before Refund, where Capabilities.Resolve
// is ResolveByBaseline; Refund of such a client takes its own baseline if nobody else does.
type Baseliner interface {
	Baseline(ctx context.Context, req Request) (Baseline, error)
}

// Ref names one refund at the provider.
type Ref struct {
	Order Order
	ID    string // the provider's refund id
}

// Query selects refunds. Zero fields select everything that the provider lists; a field that the provider cannot
// select by is an ErrInvalidRequest, not ignored.
type Query struct {
	Order  Order
	Since  time.Time // inclusive
	Until  time.Time // exclusive
	Status Status
}

// Selects reports whether r is in q's time and has its status. The order is the provider's business.
func (q Query) Selects(r *Refund) bool {
	return (q.Since.IsZero() || !r.CreatedAt.Before(q.Since)) &&
		(q.Until.IsZero() || r.CreatedAt.Before(q.Until)) &&
		(q.Status == "" || q.Status == r.Status)
}

// Baseline is what a provider's refunds of an order looked like before sending. Opaque, printable, free of
// personal data; empty means none was taken.
type Baseline string

// Attempt is a refund that was sent and whose outcome is unknown.
type Attempt struct {
	Request   Request
	Baseline  Baseline
	FirstSent time.Time // when the first request may have gone out
	LastSent  time.Time // when the last one may have
	Tries     int       // how many may have gone out
}

// Resolution is the answer of Resolve.
type Resolution struct {
	Verdict Verdict
	// Refund is the refund, if the verdict is VerdictApplied.
	Refund *Refund
	// NotBefore is when it makes sense to ask again, if the verdict is VerdictUndetermined; the zero time means
	// that asking again will not help and a person has to look.
	NotBefore time.Time
	// Why says in words what the verdict rests on.
	Why string
}

// Verdict is what became of an unknown refund.
type Verdict int

// The verdicts.
const (
	VerdictUndetermined Verdict = iota // still unknown
	VerdictApplied                     // the provider has the refund
	VerdictNotApplied                  // the provider does not have it and will not: the same key may be sent again
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
