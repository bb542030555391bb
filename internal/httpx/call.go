package httpx

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/multirefund/refund-go/refund"
)

// Replay states whether a call may reach the provider more than once.
type Replay int

// The values of Replay.
const (
	Never   Replay = iota // after a byte may have gone out, it is not sent again
	Allowed               // the provider documents that it deduplicates it
)

// Call is one operation.
type Call struct {
	Op     string
	Method string
	Path   []string // segments, not escaped
	Query  url.Values
	Header http.Header // beside Config.Header
	Body   []byte      // JSON

	Replay  Replay
	Read    bool  // moves no money: it may be repeated, and none of its errors is OutcomeUnknown
	MaxBody int64 // greatest size of an answer; 0 means 1 MiB

	// Attempt is the common request behind a write, with what earlier calls for it have left.
	Attempt refund.Attempt
}

func (call *Call) replayable() bool { return call.Read || call.Replay == Allowed }

// Result is an answer that Config.Classify took for a success.
type Result struct {
	Status int
	Body   []byte

	exchange *exchange
}

// Do makes a call. Every error is a *refund.Error.
func (c *Client) Do(ctx context.Context, call *Call) (*Result, error) {
	x := &exchange{Context: ctx, client: c, call: call}
	if err := ctx.Err(); err != nil {
		return nil, c.notSent(call, refund.KindUnavailable, err, "the context had ended before anything was sent")
	}
	target, problem := c.url(call)
	if problem != "" {
		return nil, c.notSent(call, refund.KindInvalidRequest, nil, problem)
	}
	req, err := http.NewRequestWithContext(x.traced(), call.Method, target, nil) //nolint:contextcheck // x is a context around ctx
	if err != nil {
		return nil, c.notSent(call, refund.KindInvalidRequest, nil, "the request could not be built")
	}
	maps.Copy(req.Header, c.private().header)
	maps.Copy(req.Header, call.Header)
	if c.cfg.Authorize != nil {
		if err := c.cfg.Authorize(ctx, req.Header); err != nil {
			return nil, c.notSent(call, refund.KindUnauthorized, err, "the credentials could not be obtained: "+err.Error())
		}
	}
	// net/http would refuse it too, but so that it looks like a request that may have gone out.
	if name := unprintable(req.Header); name != "" {
		e := c.notSent(call, refund.KindInvalidRequest, nil, "has a control character; a header carries printable text only")
		e.Field = name
		return nil, e
	}
	retryable := &retryablehttp.Request{Request: req}
	if len(call.Body) > 0 {
		req.Header["Content-Type"] = jsonType
		if err := retryable.SetBody(call.Body); err != nil {
			return nil, c.notSent(call, refund.KindInvalidRequest, err, "the request could not be built")
		}
	}
	// The answer's body was read by the attempt: there is nothing to close. Whatever is returned here, the
	// exchange knows more.
	_, err = c.retry.Do(retryable) //nolint:bodyclose // see above
	if x.refusal == nil && x.err == nil && x.tries > 0 {
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

func (c *Client) notSent(call *Call, kind refund.Kind, err error, message string) *refund.Error {
	e := &refund.Error{
		Provider: c.cfg.Provider, Op: call.Op, Kind: kind, Outcome: refund.OutcomeNotSent,
		IdempotencyKey: call.Attempt.Request.IdempotencyKey,
		Message:        c.redact(message, call), Err: err,
	}
	if call.Attempt.Tries > 0 && !call.Read { // an earlier call for the same refund went out: its fate is as unknown as before
		e.Outcome, e.Attempt = refund.OutcomeUnknown, call.Attempt
	}
	return e
}

// since returns the earlier of a, unless it is zero, and b.
func since(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}
