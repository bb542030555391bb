package httpx

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/multirefund/refund-go/refund"
)

// Effect is what a call does, which decides whether it may reach the provider more than once.
type Effect int

// The effects.
const (
	Pays     Effect = iota // it moves money whenever it arrives: once a byte may have gone out, it is not sent again
	PaysOnce               // it moves money, and the provider documents that it recognises a repeat
	Harmless               // it moves no money: it may be repeated, and none of its errors is OutcomeUnknown
)

// Call is one request.
type Call struct {
	Method string
	Path   []string // segments, not escaped
	Query  url.Values
	Header http.Header // besides Config.Header
	Body   any         // written as JSON; nil for none
	Form   url.Values  // the body if Body is nil

	Effect  Effect
	MaxBody int64 // greatest size of a response; 0 means 1 MiB
	// Private is free text of a native request, which no message may quote. That of Op.Attempt is private anyway.
	Private []string
}

func (call *Call) repeatable() bool { return call.Effect != Pays }

// body is what the call sends, and its type.
func (call *Call) body() (body []byte, contentType string, err error) {
	if call.Body == nil {
		return []byte(call.Form.Encode()), "application/x-www-form-urlencoded", nil
	}
	body, err = json.Marshal(call.Body)
	return body, "application/json", err //nolint:wrapcheck // wrapped once, in Do
}

// Result is a response that Config.Classify took for a success.
type Result struct {
	Status int
	Body   []byte

	exchange *exchange
}

// Do makes a call. Every error is a *refund.Error.
func (o *Op) Do(ctx context.Context, call Call) (*Result, error) {
	c := o.client
	if c == nil {
		return nil, o.Invalid("Client", "was not made with New")
	}
	if ctx == nil {
		return nil, o.Invalid("ctx", "is nil; use context.Background()")
	}
	x := &exchange{Context: ctx, op: o, call: call}
	if err := ctx.Err(); err != nil {
		return nil, x.notSent(refund.ErrUnavailable, "", err, "the context had ended before anything was sent")
	}
	target, problem := c.url(&x.call)
	if problem != "" {
		return nil, x.notSent(refund.ErrInvalidRequest, "path", nil, problem)
	}
	body, contentType, err := x.call.body()
	if err != nil {
		return nil, x.notSent(refund.ErrInvalidRequest, "request", err, "cannot be written as JSON: "+err.Error())
	}
	req, err := http.NewRequestWithContext(x, call.Method, target, nil) //nolint:contextcheck // x is a context around ctx
	if err != nil {
		return nil, x.notSent(refund.ErrInvalidRequest, "path", nil, "the request could not be built")
	}
	req.Header = c.private().header.Clone() // a middleware may write to its values
	maps.Copy(req.Header, call.Header)
	if call.Effect == Harmless && call.Method == http.MethodGet {
		req.Header["Cache-Control"] = []string{"no-cache"} // somebody may pay because of what a cache says
	}
	if c.cfg.Authorize != nil {
		if err := c.cfg.Authorize(ctx, req.Header); err != nil {
			return nil, x.unauthorized(err)
		}
		for _, value := range req.Header["Authorization"] {
			_, token, _ := strings.Cut(value, " ")
			x.obtained = append(x.obtained, value, token)
		}
	}
	// net/http would refuse it too, but so that it looks like a request that may have gone out.
	if name := unprintable(req.Header); name != "" {
		return nil, x.notSent(refund.ErrInvalidRequest, name, nil, "has a control character; a header carries printable text only")
	}
	retryable := &retryablehttp.Request{Request: req}
	if len(body) > 0 {
		req.Header["Content-Type"] = []string{contentType}
		if err := retryable.SetBody(body); err != nil {
			return nil, x.notSent(refund.ErrInvalidRequest, "", err, "the request could not be built")
		}
	}
	// The response's body was read by the attempt: there is nothing to close. Whatever is returned here, the
	// exchange knows more.
	_, err = c.retry.Do(retryable) //nolint:bodyclose // see above
	if x.refusal == nil && x.err == nil && x.tries > 0 {
		if x.evidence.twice.Load() && !call.repeatable() {
			return nil, x.unknown(refund.ErrUnexpected, "a second connection was used for one request: the provider may have got it twice")
		}
		return &Result{Status: x.status, Body: x.body, exchange: x}, nil
	}
	return nil, x.failure(ctx.Err(), err)
}

// url joins the base and the escaped segments, so that no id from a caller can leave its segment.
func (c *Client) url(call *Call) (target, problem string) {
	var b strings.Builder
	b.Grow(len(c.base) + 64)
	b.WriteString(c.base)
	for _, segment := range call.Path {
		if segment == "" || segment == "." || segment == ".." || !printable(segment) || len(segment) > 512 {
			return "", "an id is empty, too long, a dot segment or has a control character"
		}
		b.WriteByte('/')
		b.WriteString(url.PathEscape(segment))
	}
	if len(call.Query) > 0 {
		b.WriteByte('?')
		b.WriteString(call.Query.Encode())
	}
	return b.String(), ""
}

// notSent is the error of a call that ends before anything is sent. What became of earlier calls for the same refund is
// as unknown as before.
func (x *exchange) notSent(kind refund.Kind, field string, err error, message string) error {
	e := x.op.fail(kind, refund.OutcomeNotSent, field, "%s", x.redact(message))
	e.Err = err
	if x.op.Attempt.Tries > 0 && x.call.Effect != Harmless {
		e.Outcome, e.Attempt = refund.OutcomeUnknown, x.op.Attempt
	}
	return e
}

// unauthorized is the error of credentials that could not be obtained: nothing was sent. Only a source that says so was
// refused; any other failure is that of a service which may answer the next time.
func (x *exchange) unauthorized(err error) error {
	kind := refund.ErrUnavailable
	if k := refund.KindOf(err); k != 0 {
		kind = k
	}
	err = unwrapURL(err)
	return x.notSent(kind, "", x.veil(err), "the credentials could not be obtained: "+err.Error())
}

// earliest returns a, or b if a is zero.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}
