// Package decide is the one rule of what reads say about a refund: before it is sent, and when its answer was lost.
// Providers say what a read shows, in a Look; what follows from it is decided here.
//
//	a read shows                            before sending              resolving
//	the refund                              return it, send nothing     applied
//	more than one refund with the key       unknown, ErrDuplicate       applied, with Resolution.Duplicates
//	something else in the refund's place    unknown, ErrKeyReused       for a person
//	nothing, soon after it was last sent    send                        undetermined, ask again
//	nothing, but it proves nothing          send                        undetermined, ask again or a person
//	nothing, but another that may be it     send                        for a person
//	nothing, for the first time since       send                        undetermined, ask again in a minute
//	nothing, again a minute later or more   send                        not applied
//	it cannot be read                       not sent                    unknown as before
package decide

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// Sighting is what one complete read shows of a refund. The zero value is absence.
type Sighting struct {
	// Refund is the refund itself: it has the key, or is the only one that was not there before, and its amount. Found sets
	// it where more than one can have the key.
	Refund *refund.Refund
	// Twice are further refunds like Refund: the key was paid more than once. Found adds them.
	Twice []*refund.Refund
	// Clash is what else is there in the refund's place, such as the key on a refund of another amount. It may stand beside
	// Refund.
	Clash string
	// Others are the order's other refunds, those that do not have the key. One of them may be the refund all the same.
	Others []Other
	// Doubt is why absence proves nothing, besides Others.
	Doubt string
	// Again is when the doubt may be gone; the zero time if only a person can tell.
	Again time.Time
}

// Other is a refund that does not have the key. Its Refund.CreatedAt is the latest time that it can have been made.
type Other struct {
	*refund.Refund

	// Marked says that something stands where a key does, be it a key or not.
	Marked bool
}

// Found adds a refund that has the key and the amount. One that pays nothing gives way to one that does, and is no second
// refund beside it.
func (s *Sighting) Found(r *refund.Refund) {
	const failed = "another refund with this key has failed"
	switch {
	case s.Refund == nil:
		s.Refund = r
		return
	case live(s.Refund) && live(r):
		s.Twice = append(s.Twice, r)
		return
	case live(r):
		s.Refund = r
	}
	if !slices.Contains(s.Refund.Warnings, failed) {
		s.Refund.Warnings = append(s.Refund.Warnings, failed)
	}
}

// live reports whether r has paid, or may pay yet.
func live(r *refund.Refund) bool {
	switch r.Status {
	case refund.StatusFailed, refund.StatusCanceled, refund.StatusExpired:
		return false
	default:
		return true
	}
}

// both names the refunds with the key, where there is more than one.
func (s *Sighting) both() string {
	ids := make([]string, 0, 1+len(s.Twice))
	for _, r := range append([]*refund.Refund{s.Refund}, s.Twice...) {
		ids = append(ids, fmt.Sprintf("%.64q", r.ID))
	}
	return "more than one refund carries the key: " + strings.Join(ids, ", ")
}

// doubt returns why absence proves nothing, and when the doubt may be gone; "" if it proves something.
func (s *Sighting) doubt(a *refund.Attempt) (why string, again time.Time) {
	for i := range s.Others {
		if o := &s.Others[i]; o.mayBe(a) {
			return fmt.Sprintf("refund %.64q may be this one without its marker: it states no other amount, and is not known to be another",
				o.ID), time.Time{}
		}
	}
	return s.Doubt, s.Again
}

// mayBe reports whether o may be the refund of a, although it does not have its key: the marker may have been left out, cut or
// changed. Only the number of the amount counts, which is all that some providers are sent.
func (o *Other) mayBe(a *refund.Attempt) bool {
	switch {
	case !live(o.Refund),
		!o.Amount.IsZero() && !o.Amount.Decimal().Equal(a.Request.Amount.Decimal()),
		!o.CreatedAt.IsZero() && o.CreatedAt.Before(Since(a)):
		return false
	case a.Known == nil:
		return !o.Marked
	}
	return !slices.ContainsFunc(a.Known, func(k refund.Known) bool {
		return k.RefundID != "" && k.RefundID == o.ID || k.Key != "" && k.Key == o.IdempotencyKey
	})
}

// Since is the earliest date that the refund of a can have at the provider. It is before all dates if it is not known when it
// was first sent.
func Since(a *refund.Attempt) time.Time { return a.FirstSent.Add(-clocks) }

// Look reads what the provider shows of o.Attempt.Request. It sends nothing, and a read that is not complete is an error.
type Look func(ctx context.Context, o *httpx.Op) (Sighting, error)

const (
	// apart is how long two reads have to be apart that agree on absence.
	apart = time.Minute
	// clocks is how far the provider's clock and ours may be apart.
	clocks = time.Hour
	// soonest is the shortest wait before a young refund is looked for again. The wait doubles with the refund's age.
	soonest = 10 * time.Second
)

// Before looks for an earlier refund of the key before anything is sent; nil if there is none. Its errors are
// OutcomeNotSent if looking failed, and OutcomeUnknown if the key was used for something else: it may have been paid.
func Before(ctx context.Context, o *httpx.Op, look Look) (*refund.Refund, error) {
	seen, err := look(ctx, o)
	switch {
	case err != nil:
		return nil, o.NotLooked(err)
	case len(seen.Twice) > 0:
		return nil, o.Unknown(refund.ErrDuplicate, "IdempotencyKey", "%s; nothing was sent", seen.both())
	case seen.Clash != "" && seen.Refund != nil:
		return nil, o.Unknown(refund.ErrDuplicate, "IdempotencyKey", "%s; nothing was sent", seen.Clash)
	case seen.Clash != "":
		return nil, o.Unknown(refund.ErrKeyReused, "IdempotencyKey", "%s; nothing was sent, a new refund needs a new key", seen.Clash)
	case seen.Refund != nil:
		seen.Refund.Replayed = true
	}
	return seen.Refund, nil
}

// After judges the error of a write at a provider that does not recognise a repeat: a refusal that the refund itself may have
// caused, because something on the way delivered the request twice, is looked up before it is believed. If the refund is
// there, it is returned; if looking fails, the outcome is unknown.
func After(ctx context.Context, o *httpx.Op, look Look, refused error) (*refund.Refund, error) {
	if refund.OutcomeOf(refused) != refund.OutcomeRejected {
		return nil, refused
	}
	switch refund.KindOf(refused) {
	case refund.ErrAmountExceeded, refund.ErrDuplicate, refund.ErrConflict, refund.ErrLocked, refund.ErrNotRefundable, refund.ErrUnexpected:
	default: // what is wrong with the request itself cannot be the refund's doing
		return nil, refused
	}
	o.Attempt = o.Sent()
	seen, err := look(ctx, o)
	doubt, _ := seen.doubt(&o.Attempt)
	switch {
	case err != nil || seen.Clash != "" || len(seen.Twice) > 0 || seen.Refund == nil && doubt != "":
		return nil, o.Unresolved(refused)
	case seen.Refund != nil:
		seen.Refund.Warnings = append(seen.Refund.Warnings, "the provider refused the request after it had made the refund: it was delivered twice")
		return seen.Refund, nil
	}
	return nil, refused
}

// Resolve finds out what became of o.Attempt. Absence counts only later than Op.AbsenceAfter after the last sending, and
// when two reads agree on it that are a minute apart: the first is kept in Resolution.Attempt.MissedAt.
func Resolve(ctx context.Context, o *httpx.Op, look Look) (refund.Resolution, error) {
	seen, err := look(ctx, o)
	if err != nil {
		return refund.Resolution{}, o.Unresolved(err)
	}
	return judge(&o.Attempt, o.AbsenceAfter(), &seen, time.Now()), nil
}

func judge(a *refund.Attempt, absenceAfter time.Duration, seen *Sighting, now time.Time) refund.Resolution {
	got := refund.Resolution{Attempt: *a}
	missed := a.MissedAt
	got.Attempt.MissedAt = time.Time{}
	settled := a.LastSent.Add(absenceAfter)
	doubt, again := seen.doubt(a)
	switch {
	case seen.Clash != "":
		got.Why = seen.Clash
	case len(seen.Twice) > 0:
		got.Verdict, got.Refund, got.Duplicates, got.Why = refund.VerdictApplied, seen.Refund, seen.Twice, seen.both()
	case seen.Refund != nil:
		got.Verdict, got.Refund, got.Why = refund.VerdictApplied, seen.Refund, "the provider shows it"
	case a.LastSent.IsZero():
		got.Why = "the provider does not show it, and when it was last sent is not known"
	case now.Before(settled):
		age := max(now.Sub(a.LastSent), soonest)
		got.NotBefore = earlier(now.Add(age), settled)
		got.Why = "the provider does not show it, but it may still appear"
	case doubt != "":
		got.NotBefore, got.Why = again, doubt
	case missed.Before(settled), missed.After(now): // the first miss since it should be there; one that is yet to come is a wrong clock's
		got.Attempt.MissedAt, got.NotBefore = now, now.Add(apart)
		got.Why = "the provider does not show it; a second look has to agree"
	case now.Sub(missed) < apart:
		got.Attempt.MissedAt, got.NotBefore = missed, missed.Add(apart)
		got.Why = "the provider does not show it; a second look, a minute after the first, has to agree"
	default:
		got.Verdict, got.Why = refund.VerdictNotApplied, "the provider does not show it, in two looks a minute apart"
	}
	return got
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
