package refund

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Outcome says whether money may have moved. Look at it first. A read moves no money: the Outcome of its errors is
// OutcomeRejected if the provider answered, else OutcomeNotSent.
type Outcome int

// The outcomes. An error that is not an *Error has the zero value, because nothing is known of it.
const (
	// OutcomeUnknown means that the refund may have been paid. Resolve it before anything else; never report it as
	// failed.
	OutcomeUnknown Outcome = iota
	// OutcomeNotSent means that nothing moved: the provider was never asked.
	OutcomeNotSent
	// OutcomeRejected means that nothing moved: the provider refused the request.
	OutcomeRejected
)

// String returns the outcome in lower-case words.
func (o Outcome) String() string {
	switch o {
	case OutcomeUnknown:
		return "unknown"
	case OutcomeNotSent:
		return "not sent"
	case OutcomeRejected:
		return "rejected"
	}
	return "Outcome(" + strconv.Itoa(int(o)) + ")"
}

// MarshalText returns the outcome as one word: "unknown", "not_sent" or "rejected". It never fails.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(word(o)), nil }

// UnmarshalText reads what MarshalText writes.
func (o *Outcome) UnmarshalText(text []byte) error {
	for _, known := range []Outcome{OutcomeUnknown, OutcomeNotSent, OutcomeRejected} {
		if word(known) == string(text) {
			*o = known
			return nil
		}
	}
	return invalid("Outcome", "%s is no outcome; it must be unknown, not_sent or rejected", quoteShort(text))
}

// word is how an enum is stored and marshalled: its String in one word.
func word(v fmt.Stringer) string { return strings.ReplaceAll(v.String(), " ", "_") }

// OutcomeOf returns the Outcome of the *Error in err's chain. Any other error, nil included, is
// OutcomeUnknown: ask only of a non-nil error.
func OutcomeOf(err error) Outcome {
	var e *Error
	if errors.As(err, &e) {
		return e.Outcome
	}
	return OutcomeUnknown
}

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

// AdviceOf returns the Advice of the *Error in err's chain. Any other error is AdviceResolve, as its outcome is unknown;
// ask only of a non-nil error.
func AdviceOf(err error) Advice {
	var e *Error
	if errors.As(err, &e) {
		return e.Advice()
	}
	return AdviceResolve
}

// Error is the only type of error that this module's clients return.
//
// Error and every formatting of it print no credential, no provider body and no personal data: Message is
// redacted and bounded, Raw and Attempt are never printed. As JSON it has the same members and no more.
type Error struct {
	Provider string `json:"provider,omitzero"` // "afterpay"; empty if no provider was involved
	Account  string `json:"account,omitzero"`  // Options.Account of the client
	Op       string `json:"op,omitzero"`       // the operation, such as "refund" or "retrieve payment"
	// Kind says what happened; see the constants.
	Kind Kind `json:"kind"`
	// Outcome says whether money may have moved. That of a read is never OutcomeUnknown.
	Outcome Outcome `json:"outcome"`

	Field   string `json:"field,omitzero"`   // the request or Config field at fault, such as "Order.ID"; empty if it is none
	Code    string `json:"code,omitzero"`    // the provider's error code
	Message string `json:"message,omitzero"` // what happened, in words; may change at any time

	HTTPStatus     int           `json:"http_status,omitzero"`     // status of the last response; 0 if there was none
	RequestID      string        `json:"request_id,omitzero"`      // the provider's id of the exchange, to quote to its support
	IdempotencyKey string        `json:"idempotency_key,omitzero"` // the key of the refund, so that nobody loses it
	RetryAfter     time.Duration `json:"-"`                        // how long the provider asks to wait; 0 if it does not say
	Attempts       int           `json:"attempts,omitzero"`        // requests handed to the network, retries included

	// Attempt is what Resolver.Resolve needs. Set if Outcome is OutcomeUnknown and the refund was sent.
	Attempt Attempt `json:"-"`
	// Raw is the body of the last response. It may hold personal data.
	Raw Raw `json:"-"`
	// Err is the cause, for errors.Is and errors.As: the context's error if it had ended, else the network's; nil if the
	// provider's response is all there is.
	Err error `json:"-"`
}

// maxInLine is the longest detail that Error prints in full: no key and no request id is longer.
const maxInLine = 128

// Error returns one line: what was tried, what became of it, why, and the ids to search for.
func (e *Error) Error() string {
	if e == nil { // %v of a nil *Error must not panic in a log
		return "<nil>"
	}
	var b strings.Builder
	if e.Provider != "" {
		b.WriteString(e.Provider)
		if e.Account != "" {
			b.WriteString("/" + e.Account)
		}
		b.WriteString(": ")
	}
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	if e.Outcome == OutcomeUnknown {
		b.WriteString("outcome ")
	}
	b.WriteString(e.Outcome.String())
	if e.Kind != 0 {
		b.WriteString(": " + e.Kind.Error())
	}
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
	if checkKey(e.IdempotencyKey) == nil { // a malformed one may be anything: it is not for a log
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

// Format prints Error for every verb, of a copy too: those that fmt asks no Error of would print the bodies and the cause.
func (e Error) Format(f fmt.State, verb rune) {
	text := e.Error()
	if verb == 'v' && f.Flag('#') {
		text = "&refund.Error{" + strconv.Quote(text) + "}"
	}
	_, _ = io.WriteString(f, text) //nolint:errcheck // fmt reports it to whoever called fmt
}

// Is reports whether target is e's Kind.
func (e *Error) Is(target error) bool {
	kind, ok := target.(Kind)
	return ok && kind == e.Kind && kind != 0
}

// Unwrap returns the cause. Context errors stay reachable through it.
func (e *Error) Unwrap() error { return e.Err }

// Advice returns what to do next.
func (e *Error) Advice() Advice {
	if e.Kind == ErrKeyReused { // whatever became of that key's refund: this one needs another
		return AdviceFix
	}
	if e.Outcome == OutcomeUnknown {
		return AdviceResolve
	}
	switch e.Kind {
	case ErrInvalidRequest, ErrUnauthorized, ErrForbidden, ErrOrderNotFound, ErrAmountExceeded, ErrCurrencyMismatch:
		return AdviceFix
	case ErrConflict, ErrLocked, ErrInFlight, ErrRateLimited:
		return AdviceWait
	case ErrUnavailable:
		return AdviceRetry
	case ErrUnexpected:
		if e.Outcome == OutcomeNotSent {
			return AdviceRetry
		}
	case ErrNotRefundable, ErrWindowExpired, ErrDuplicate, ErrKeyReused:
	}
	return AdviceStop
}

// invalid makes the error of a value refused before any I/O.
func invalid(field, format string, args ...any) *Error {
	return &Error{
		Kind: ErrInvalidRequest, Outcome: OutcomeNotSent,
		Field: field, Message: fmt.Sprintf(format, args...),
	}
}

// plainError has Error's members and none of its methods.
type plainError Error

// MarshalJSON writes the members in snake_case, kind and outcome as words, retry_after_seconds rounded up. It has
// neither Attempt nor Raw nor Err.
func (e Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct { //nolint:wrapcheck // it never fails
		plainError
		RetryAfter seconds `json:"retry_after_seconds,omitzero"`
	}{plainError(e), seconds(e.RetryAfter)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Error) UnmarshalJSON(data []byte) error {
	read := struct {
		*plainError
		RetryAfter seconds `json:"retry_after_seconds"`
	}{plainError: (*plainError)(e)}
	if err := json.Unmarshal(data, &read); err != nil {
		return err //nolint:wrapcheck // encoding/json's own, for encoding/json
	}
	e.RetryAfter = time.Duration(read.RetryAfter)
	return nil
}

// seconds is a duration as JSON has it: whole seconds, rounded up, so that nobody comes too early.
type seconds time.Duration

// MarshalJSON never fails.
func (s seconds) MarshalJSON() ([]byte, error) {
	whole := int64(s) / int64(time.Second)
	if time.Duration(s)%time.Second > 0 && whole < maxSeconds { // the provider may have asked for ever: it must be readable
		whole++
	}
	return strconv.AppendInt(nil, whole, 10), nil
}

// UnmarshalJSON reads whole seconds.
func (s *seconds) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil || n < 0 || n > maxSeconds {
		return invalid("seconds", "%s is not a whole number of seconds", quoteShort(data))
	}
	*s = seconds(n) * seconds(time.Second)
	return nil
}

// maxSeconds is the most that a time.Duration holds.
const maxSeconds = int64((1<<63 - 1) / time.Second)
