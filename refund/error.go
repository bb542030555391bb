package refund

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Outcome says whether money may have moved. It is the first thing to look at in an error. A read moves none: its errors
// are OutcomeRejected if the provider answered, else OutcomeNotSent.
type Outcome int

// The outcomes. An error that is not an *Error has the zero value, because nothing is known of it.
const (
	// OutcomeUnknown: the refund may have been paid. Resolve it before doing anything else; never
	// tell anybody that it failed.
	OutcomeUnknown Outcome = iota
	// OutcomeNotSent: the provider was never asked, or turned the request away before looking at it.
	// Nothing moved.
	OutcomeNotSent
	// OutcomeRejected: the provider looked at the request and refused it. Nothing moved.
	OutcomeRejected
)

// String returns the outcome in lower-case words.
func (o Outcome) String() string {
	switch o {
	case OutcomeUnknown:
		return "outcome unknown"
	case OutcomeNotSent:
		return "not sent"
	case OutcomeRejected:
		return "rejected"
	}
	return "Outcome(" + strconv.Itoa(int(o)) + ")"
}

// OutcomeOf returns the Outcome of the *Error in err's chain. Any other error, nil included, is
// OutcomeUnknown: ask only of a non-nil error.
func OutcomeOf(err error) Outcome {
	var e *Error
	if errors.As(err, &e) {
		return e.Outcome
	}
	return OutcomeUnknown
}

// Kind is the portable category of an error. The numbers are stable: they may be stored and counted.
type Kind int

// The kinds. Each has a sentinel for errors.Is.
const (
	KindUnexpected       Kind = 0  // an answer, or a failure, that fits nothing below
	KindInvalidRequest   Kind = 1  // a field is missing, malformed or not carried by this provider
	KindUnauthorized     Kind = 2  // wrong or missing credentials
	KindForbidden        Kind = 3  // right credentials without the right to do this, or a blocked caller
	KindOrderNotFound    Kind = 4  // the provider knows no such order (or, for reads, no such refund)
	KindNotRefundable    Kind = 5  // the order's state allows no refund
	KindAmountExceeded   Kind = 6  // more than what is left to refund
	KindCurrencyMismatch Kind = 7  // not the order's or the account's currency
	KindWindowExpired    Kind = 8  // past the provider's time limit for refunds
	KindDuplicate        Kind = 9  // the provider takes it for a repeat of an earlier refund
	KindConflict         Kind = 10 // another refund of the order is in the way
	KindLocked           Kind = 11 // the order's refund can no longer be changed
	KindInFlight         Kind = 12 // an earlier request with the same key is still being processed
	KindRateLimited      Kind = 13 // too many requests
	KindUnavailable      Kind = 14 // the provider could not be reached, or failed, or did not answer in time
)

// Sentinels for errors.Is, one for each Kind.
var (
	ErrUnexpected       = errors.New("unexpected answer")
	ErrInvalidRequest   = errors.New("invalid request")
	ErrUnauthorized     = errors.New("unauthorized")
	ErrForbidden        = errors.New("forbidden")
	ErrOrderNotFound    = errors.New("order not found")
	ErrNotRefundable    = errors.New("order not refundable")
	ErrAmountExceeded   = errors.New("amount exceeds what is left to refund")
	ErrCurrencyMismatch = errors.New("currency mismatch")
	ErrWindowExpired    = errors.New("refund window expired")
	ErrDuplicate        = errors.New("possible duplicate")
	ErrConflict         = errors.New("conflict with another refund")
	ErrLocked           = errors.New("refund locked")
	ErrInFlight         = errors.New("same refund still in flight")
	ErrRateLimited      = errors.New("rate limited")
	ErrUnavailable      = errors.New("provider unavailable")
)

// Sentinel returns the error that errors.Is finds in an *Error of this kind.
func (k Kind) Sentinel() error {
	switch k {
	case KindUnexpected:
		return ErrUnexpected
	case KindInvalidRequest:
		return ErrInvalidRequest
	case KindUnauthorized:
		return ErrUnauthorized
	case KindForbidden:
		return ErrForbidden
	case KindOrderNotFound:
		return ErrOrderNotFound
	case KindNotRefundable:
		return ErrNotRefundable
	case KindAmountExceeded:
		return ErrAmountExceeded
	case KindCurrencyMismatch:
		return ErrCurrencyMismatch
	case KindWindowExpired:
		return ErrWindowExpired
	case KindDuplicate:
		return ErrDuplicate
	case KindConflict:
		return ErrConflict
	case KindLocked:
		return ErrLocked
	case KindInFlight:
		return ErrInFlight
	case KindRateLimited:
		return ErrRateLimited
	case KindUnavailable:
		return ErrUnavailable
	}
	return ErrUnexpected
}

// String returns the kind in lower-case words.
func (k Kind) String() string { return k.Sentinel().Error() }

// Advice is what to do next about an error.
type Advice string

// The advices.
const (
	AdviceFix     Advice = "fix"     // correct the configuration and send the same key, or the request, which is then another refund with a key of its own
	AdviceWait    Advice = "wait"    // send the same key again later; Error.RetryAfter says when, if it is known
	AdviceRetry   Advice = "retry"   // send the same key again
	AdviceResolve Advice = "resolve" // find out what became of it (Resolver, or a person); until then nothing else
	AdviceStop    Advice = "stop"    // it will not work; a person decides
)

// Error is the only type of error that this module's clients return.
//
// Error and every formatting of it print no credential, no provider body and no personal data: Message is
// redacted and bounded, Raw and Attempt are never printed.
type Error struct {
	Provider string // "afterpay"; empty if no provider was involved
	Op       string // the operation, such as "refund" or "retrieve payment"
	Kind     Kind
	Outcome  Outcome // whether money may have moved; errors of reads are never OutcomeUnknown

	Field   string // the request or Config field at fault, such as "Order.ID"; empty if it is none
	Code    string // the provider's error code, verbatim
	Message string // what happened, in words; may change at any time

	HTTPStatus     int           // status of the last answer; 0 if there was none
	RequestID      string        // the provider's id of the exchange, to quote to its support
	IdempotencyKey string        // the key of the refund, so that nobody loses it
	RetryAfter     time.Duration // how long the provider asks to wait; 0 if it does not say
	Attempts       int           // requests handed to the network, retries included

	// Attempt is what Resolver.Resolve needs. Set if Outcome is OutcomeUnknown.
	Attempt Attempt `json:"-"`
	// Raw is the body of the last answer. It may hold personal data.
	Raw Raw `json:"-"`
	// Err is the cause, for errors.Is and errors.As: the context's error if it had ended, else the network's; nil if the
	// provider's answer is all there is.
	Err error
}

// maxInLine is the longest detail that Error prints in full: no key and no request id is longer.
const maxInLine = 128

// Error returns one line: what was tried, what became of it, why, and the ids to search for.
func (e *Error) Error() string {
	var b strings.Builder
	for _, part := range [...]string{e.Provider, e.Op} {
		if part != "" {
			b.WriteString(part)
			b.WriteString(": ")
		}
	}
	b.WriteString(e.Outcome.String())
	b.WriteString(": ")
	b.WriteString(e.Kind.String())
	if e.Field != "" {
		b.WriteString(": ")
		b.WriteString(e.Field)
	}
	if e.Message != "" {
		b.WriteString(": ")
		b.WriteString(e.Message)
	}
	sep := " ("
	detail := func(name, value string) {
		b.WriteString(sep)
		b.WriteString(name)
		b.WriteString(inLine(value))
		sep = ", "
	}
	if e.HTTPStatus != 0 {
		detail("HTTP ", strconv.Itoa(e.HTTPStatus))
	}
	if e.Code != "" {
		detail("code ", e.Code)
	}
	if e.IdempotencyKey != "" {
		detail("key ", e.IdempotencyKey)
	}
	if e.RequestID != "" {
		detail("request id ", e.RequestID)
	}
	if e.Attempts > 1 {
		detail("attempts ", strconv.Itoa(e.Attempts))
	}
	if e.RetryAfter > 0 {
		detail("retry after ", e.RetryAfter.String())
	}
	if sep == ", " {
		b.WriteByte(')')
	}
	return b.String()
}

// inLine returns a value that somebody else chose, quoted and cut if it would break the line.
func inLine(value string) string {
	if len(value) <= maxInLine && !strings.ContainsFunc(value, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return value
	}
	return quoteShort(value)
}

// GoString keeps %#v from printing bodies and requests.
func (e *Error) GoString() string { return "&refund.Error{" + strconv.Quote(e.Error()) + "}" }

// Is reports whether target is the sentinel of e's kind.
func (e *Error) Is(target error) bool { return target == e.Kind.Sentinel() }

// Unwrap returns the cause. Context errors stay reachable through it.
func (e *Error) Unwrap() error { return e.Err }

// Advice returns what to do next.
func (e *Error) Advice() Advice {
	if e.Outcome == OutcomeUnknown {
		return AdviceResolve
	}
	switch e.Kind {
	case KindInvalidRequest, KindUnauthorized, KindForbidden, KindOrderNotFound, KindAmountExceeded, KindCurrencyMismatch:
		return AdviceFix
	case KindConflict, KindLocked, KindInFlight, KindRateLimited:
		return AdviceWait
	case KindUnavailable:
		return AdviceRetry
	case KindUnexpected:
		if e.Outcome == OutcomeNotSent {
			return AdviceRetry
		}
	case KindNotRefundable, KindWindowExpired, KindDuplicate:
	}
	return AdviceStop
}

// invalid makes the error of a value refused before any I/O.
func invalid(field, format string, args ...any) *Error {
	return &Error{
		Kind: KindInvalidRequest, Outcome: OutcomeNotSent,
		Field: field, Message: fmt.Sprintf(format, args...),
	}
}
