package httpx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/multirefund/refund-go/refund"
)

// Op is one operation of one call: it makes the requests, and it signs every error, so that each has the provider, the
// account, the operation and the key.
type Op struct {
	Provider string
	Account  string
	Name     string // such as "refund" or "retrieve payment"
	// Attempt is the common request behind the operation, with what earlier calls for it have left; the zero value if
	// there is none.
	Attempt refund.Attempt

	client *Client   // nil for Setup
	began  time.Time // when the first request went out
}

// Setup is the operation of making a client: it signs the errors of Config.
func Setup(provider string, opts refund.Options) *Op {
	return &Op{Provider: provider, Account: opts.Account, Name: "new"}
}

// Op begins an operation.
func (c *Client) Op(name string, attempt refund.Attempt) *Op {
	if c == nil { // of a client that was not made with New; Do says so
		return &Op{Name: name, Attempt: attempt}
	}
	return &Op{Provider: c.cfg.Provider, Account: c.cfg.Options.Account, Name: name, Attempt: attempt, client: c}
}

// Sent is the Attempt of a refund that went out, whatever was said of it.
func (o *Op) Sent() refund.Attempt {
	a := o.Attempt
	a.Tries, a.FirstSent, a.LastSent = max(a.Tries, 1), earliest(a.FirstSent, o.began), time.Now()
	return a
}

// AbsenceAfter is how long after it was last sent a refund that is not seen may still appear.
func (o *Op) AbsenceAfter() time.Duration { return o.client.absenceAfter }

// Invalid is the error of a value that is refused before anything is sent.
func (o *Op) Invalid(field, format string, args ...any) error {
	return o.NotSent(refund.ErrInvalidRequest, field, format, args...)
}

// NotSent is the error of an operation that ends before anything is sent. field may be empty.
func (o *Op) NotSent(kind refund.Kind, field, format string, args ...any) error {
	return o.fail(kind, refund.OutcomeNotSent, field, format, args...)
}

// CheckText refuses a text that is not valid UTF-8: encoding/json would change it silently, so that two texts could become
// one on the wire.
func (o *Op) CheckText(field, text string) error {
	if !utf8.ValidString(text) {
		return o.Invalid(field, "is not valid UTF-8")
	}
	return nil
}

// Absent is the error of a read that does not show what was asked for.
func (o *Op) Absent(format string, args ...any) error {
	return o.fail(refund.ErrOrderNotFound, refund.OutcomeRejected, "", format, args...)
}

// Unknown is the error of an operation that sends nothing, because the refund it would make may have been paid before.
func (o *Op) Unknown(kind refund.Kind, field, format string, args ...any) error {
	return o.fail(kind, refund.OutcomeUnknown, field, format, args...)
}

// Unresolved returns the error of a Resolve that could not ask: err, with the outcome as unknown as it was. An Attempt that
// err has already is younger, and stays.
func (o *Op) Unresolved(err error) error {
	e := o.as(err)
	e.Outcome = refund.OutcomeUnknown
	if e.Attempt.Tries == 0 {
		e.Attempt = o.Attempt
	}
	return e
}

// NotLooked returns the error of a look that failed before anything was sent.
func (o *Op) NotLooked(err error) error {
	e := o.as(err)
	e.Outcome, e.Attempt = refund.OutcomeNotSent, refund.Attempt{}
	e.Message = "nothing was sent, because reading before it failed: " + e.Message
	return e
}

// as returns err as an error of o that can be changed.
func (o *Op) as(err error) *refund.Error {
	var e *refund.Error
	if !errors.As(err, &e) {
		return o.fail(refund.ErrUnexpected, refund.OutcomeUnknown, "", "%v", err)
	}
	signed := *e
	signed.Provider, signed.Account, signed.Op, signed.IdempotencyKey = o.Provider, o.Account, o.Name, o.Attempt.Request.IdempotencyKey
	return &signed
}

// fail signs an error.
func (o *Op) fail(kind refund.Kind, outcome refund.Outcome, field, format string, args ...any) *refund.Error {
	return &refund.Error{
		Provider: o.Provider, Account: o.Account, Op: o.Name, Kind: kind, Outcome: outcome,
		IdempotencyKey: o.Attempt.Request.IdempotencyKey, Field: field, Message: fmt.Sprintf(format, args...),
	}
}

// Fetch makes a call and reads the response into a T. problem returns what keeps the T from being the response that was
// asked for, or "".
func Fetch[T any](ctx context.Context, o *Op, call Call, problem func(*T) string) (*T, *Result, error) {
	res, err := o.Do(ctx, call)
	if err != nil {
		return nil, nil, err
	}
	got := new(T)
	if err := res.Decode(got); err != nil {
		return nil, nil, err
	}
	if p := problem(got); p != "" {
		return nil, nil, res.Unreadable("%s", p)
	}
	return got, res, nil
}

// HasCode reports whether err is provider's response with one of codes.
func HasCode[C ~string](err error, provider string, codes []C) bool {
	var e *refund.Error
	return errors.As(err, &e) && e.Provider == provider && slices.Contains(codes, C(e.Code))
}

// MessageOf is the message of a *refund.Error, to be said again of another field.
func MessageOf(err error) string {
	var e *refund.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
