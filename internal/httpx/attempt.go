package httpx

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// jsonType is shared by all requests; nobody writes to it.
var jsonType = []string{"application/json"} //nolint:gochecknoglobals // read-only

var (
	errTooLarge = errors.New("the answer is larger than allowed")
	errNoAnswer = errors.New("the transport returned neither an answer nor an error")
)

// exchange is what one Do has seen, over all of its attempts. It is also their context, so that whoever gets the
// context, as retryablehttp's hooks do, finds it.
type exchange struct {
	context.Context

	op   *Op
	call Call

	attempts int       // started
	tries    int       // of those, how many may have reached the provider
	first    time.Time // when the first of those began that was not refused: it may have taken effect, or may yet
	last     time.Time // when the last of those ended
	lost     bool      // an earlier attempt may have taken effect, and its answer says nothing about it

	// The last attempt.
	evidence evidence
	sent     bool  // it may have reached the provider
	err      error // the transport's
	status   int   // 0 without an answer
	header   http.Header
	body     []byte
	refusal  *Refusal // of an answer that is no success
}

// evidence is what the transport reported through httptrace. Hooks may run on other goroutines.
type evidence struct {
	asked   atomic.Bool // a connection was asked for: the transport reports
	gotConn atomic.Bool // and was handed over
	hooks   httptrace.ClientTrace
}

type exchangeKey struct{}

// Value implements context.Context.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) } //nolint:forcetypeassert // set by Do

// traced is the context of the attempts, with httptrace reporting to x.
func (x *exchange) traced() context.Context {
	x.evidence.hooks.GetConn = func(string) { x.evidence.asked.Store(true) }
	x.evidence.hooks.GotConn = func(httptrace.GotConnInfo) { x.evidence.gotConn.Store(true) }
	return httptrace.WithClientTrace(x, &x.evidence.hooks)
}

// maybeSent reports whether a byte of the request may have gone out. net/http writes on a goroutine of its own, so
// that once a connection has been handed over nothing can prove that it was not used. No evidence counts as sent.
func (x *exchange) maybeSent(err error) bool {
	if x.evidence.gotConn.Load() {
		return true
	}
	var op *net.OpError
	dial := errors.As(err, &op) && op.Op == "dial"
	return !dial && !x.evidence.asked.Load()
}

// attempts is the transport of one attempt: it bounds it in time and size, reads the whole answer, and notes what
// happened. It has no CloseIdleConnections on purpose.
type attempts struct {
	client *Client
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	if err := req.Context().Err(); err != nil {
		// It ended while credentials were fetched or a retry was due. The exchange stays as the last attempt left it.
		return nil, err //nolint:wrapcheck // wrapped once, in failure
	}
	began := time.Now()
	x.begin()
	ctx := req.Context()
	if t := a.client.timeout(&x.call); t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t)
		defer cancel()
	}
	req = req.WithContext(ctx)
	if !x.call.repeatable() {
		// With GetBody net/http itself repeats a request on a dead pooled connection, if it carries an
		// Idempotency-Key or the peer reset its HTTP/2 stream: below every retry setting. So it does without a
		// body; an empty one that it cannot rewind looks like any other.
		req.GetBody = nil
		if req.Body == nil {
			req.Body = io.NopCloser(strings.NewReader(""))
		}
	}
	resp, err := a.next.RoundTrip(req)
	if err == nil && resp == nil {
		err = errNoAnswer
	}
	if err == nil {
		x.status, x.header = resp.StatusCode, resp.Header
		x.body, err = readBody(resp, x.call.MaxBody)
		resp.Body = http.NoBody
	}
	x.end(began, err)
	a.client.log(req.Context(), x, began) //nolint:contextcheck // the request's own
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func readBody(resp *http.Response, limit int64) ([]byte, error) {
	if resp.Body == nil { // net/http's client allows it to a transport
		return nil, nil
	}
	defer resp.Body.Close() //nolint:errcheck // everything of use has been read
	if limit == 0 {
		limit = defaultMaxBody
	}
	if resp.ContentLength > limit {
		return nil, errTooLarge
	}
	if announced := resp.ContentLength; announced > 0 { // the usual answer: one slice, with room to see that nothing follows
		body := make([]byte, announced+1)
		n, err := io.ReadFull(resp.Body, body)
		switch {
		case err == nil:
			return nil, errTooLarge
		case int64(n) < announced:
			return nil, err //nolint:wrapcheck // wrapped once, in failure
		}
		return body[:announced], nil
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.LimitReader(resp.Body, limit+1)); err != nil {
		return nil, err //nolint:wrapcheck // wrapped once, in failure
	}
	if int64(b.Len()) > limit {
		return nil, errTooLarge
	}
	return b.Bytes(), nil
}

// begin forgets the attempt before, but for whether it may have taken effect.
func (x *exchange) begin() {
	x.lost = x.lost || x.unsettled()
	x.attempts++
	x.evidence.asked.Store(false)
	x.evidence.gotConn.Store(false)
	x.sent, x.err, x.status, x.header, x.body, x.refusal = false, nil, 0, nil, nil, nil
}

func (x *exchange) end(began time.Time, err error) {
	x.err = err
	x.sent = err == nil || x.status != 0 || x.maybeSent(err)
	if err == nil {
		x.refusal = x.op.client.cfg.Classify(x.status, x.body)
	}
	if !x.sent {
		return
	}
	x.tries++
	if x.refusal == nil || x.unsettled() {
		x.first, x.last = earliest(x.first, began), time.Now()
	}
}

// unsettled reports whether the last attempt may have taken effect without saying so.
func (x *exchange) unsettled() bool {
	if x.refusal != nil {
		return x.refusal.Outcome == refund.OutcomeUnknown
	}
	return x.err != nil && x.sent
}

// failure makes the error of a call that has no success to return. ended is the context's error, last what the retry
// loop returned.
func (x *exchange) failure(ended, last error) *refund.Error {
	e := x.op.fail(refund.ErrUnavailable, refund.OutcomeNotSent, "", "")
	e.HTTPStatus, e.Attempts, e.Raw = x.status, x.attempts, x.body
	e.RequestID, e.RetryAfter = x.requestID(), retryAfter(x.header)
	var message string
	switch {
	case x.refusal != nil:
		e.Kind, e.Outcome, e.Code, message = x.refusal.Kind, x.refusal.Outcome, x.refusal.Code, x.refusal.Message
	case errors.Is(x.err, errTooLarge):
		e.Kind, e.Outcome, e.Err, message = refund.ErrUnexpected, refund.OutcomeUnknown, x.err, x.err.Error()
	default:
		cause := x.err
		if cause == nil {
			cause = last
		}
		e.Err = unwrapURL(cause)
		if x.sent {
			e.Outcome = refund.OutcomeUnknown
		}
		if e.Err != nil {
			message = e.Err.Error()
		}
	}
	if ended != nil {
		e.Err = ended
	}
	if x.lost {
		// A refusal now may be our own success refusing us; so may anything else.
		e.Outcome = refund.OutcomeUnknown
	}
	e.Message = x.redact(message)
	x.settle(e)
	return e
}

// Unreadable is the error of a success that cannot be read: the provider probably did it.
func (r *Result) Unreadable(format string, args ...any) error {
	return r.unknown(refund.ErrUnexpected, format, args...)
}

// Conflict is the error of a success that shows another refund than the one asked for.
func (r *Result) Conflict(format string, args ...any) error {
	return r.unknown(refund.ErrConflict, format, args...)
}

func (r *Result) unknown(kind refund.Kind, format string, args ...any) error {
	x := r.exchange
	x.refusal = &Refusal{Kind: kind, Outcome: refund.OutcomeUnknown, Message: fmt.Sprintf(format, args...)}
	return x.failure(nil, nil)
}

// settle attaches the Attempt to an unknown outcome. A read's outcome is never unknown.
func (x *exchange) settle(e *refund.Error) {
	if x.call.Effect == Harmless {
		if e.Outcome == refund.OutcomeUnknown && x.status != 0 {
			e.Outcome = refund.OutcomeRejected
		} else if e.Outcome == refund.OutcomeUnknown {
			e.Outcome = refund.OutcomeNotSent
		}
		return
	}
	earlier := x.op.Attempt
	if earlier.Tries > 0 {
		e.Outcome = refund.OutcomeUnknown // what became of the earlier calls is not said by this one's failure
	}
	if e.Outcome != refund.OutcomeUnknown {
		return
	}
	e.Attempt = earlier
	e.Attempt.Tries += x.tries
	if !x.last.IsZero() {
		e.Attempt.FirstSent, e.Attempt.LastSent = earliest(earlier.FirstSent, x.first), x.last
	}
}

func (x *exchange) requestID() string {
	for _, name := range x.op.client.cfg.RequestID {
		if id := x.header.Get(name); id != "" && printable(id) {
			return id[:min(len(id), 128)]
		}
	}
	return ""
}

// unwrapURL strips net/http's *url.Error, which prints the URL.
func unwrapURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

func (c *Client) log(ctx context.Context, x *exchange, began time.Time) {
	logger := c.cfg.Options.Logger
	if logger == nil || !logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	logger.LogAttrs(ctx, slog.LevelDebug, "refund request",
		slog.String("provider", c.cfg.Provider), slog.String("account", c.cfg.Options.Account), slog.String("op", x.op.Name), slog.Int("attempt", x.attempts),
		slog.Int("status", x.status), slog.Duration("duration", time.Since(began)), slog.String("request_id", x.requestID()))
}

// hopeless reports a failure to connect that trying again will not change.
func hopeless(err error) bool {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	return errors.As(err, &dns) && dns.IsNotFound || errors.As(err, &cert)
}
