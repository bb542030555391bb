package httpx

import (
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

var (
	errTooLarge   = errors.New("the response is larger than allowed")
	errNoResponse = errors.New("the transport returned neither a response nor an error")
	errLate       = errors.New("the deadline had passed before anything was sent")
	errStuck      = errors.New("the transport did not return when its context had ended")
)

// patience is how long a transport may take to return once its context has ended. net/http takes no time, unless it is
// stuck: then the call ends without it.
const patience = time.Second

// exchange is what one Do has seen, over all of its attempts. It is also their context, so that whoever gets the
// context, as retryablehttp's hooks do, finds it.
type exchange struct {
	context.Context

	op       *Op
	call     Call
	obtained []string // credentials that were fetched for this call

	attempts int       // started
	tries    int       // of those, how many may have reached the provider
	first    time.Time // when the first of those began that was not refused: it may have taken effect, or may yet
	last     time.Time // when the last of those ended
	lost     bool      // an earlier attempt may have taken effect, and its response says nothing about it

	// The last attempt.
	evidence *evidence
	sent     bool  // it may have reached the provider
	err      error // the transport's
	status   int   // 0 without a response
	header   http.Header
	body     []byte
	refusal  *Refusal // of a response that is no success
}

// evidence is what is seen of one attempt from inside the transport, on whatever goroutine: what it reports through
// httptrace, and what it reads of the body.
type evidence struct {
	asked atomic.Bool  // a connection was asked for: the transport reports
	conns atomic.Int32 // handed over
	read  atomic.Bool  // the body was, or began to be
	late  atomic.Bool  // nothing of the body was given out, because the deadline had passed
	twice atomic.Bool  // a connection was handed over after the body had been read: a second sending
	hooks httptrace.ClientTrace
	guard guard
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

// traced is the context of an attempt, with httptrace reporting to e.
func (e *evidence) traced(ctx context.Context) context.Context {
	e.hooks.GetConn = func(string) { e.asked.Store(true) }
	e.hooks.GotConn = func(httptrace.GotConnInfo) {
		if e.conns.Add(1) > 1 && e.read.Load() {
			e.twice.Store(true)
		}
	}
	return httptrace.WithClientTrace(ctx, &e.hooks)
}

// maybeSent reports whether the provider may have got the request. net/http writes on a goroutine of its own, so once a
// connection has been handed over nothing can prove that it was not used, unless the body was withheld. A transport that
// reports nothing counts as one that has sent, whatever its error looks like.
func (e *evidence) maybeSent() bool {
	if e.late.Load() {
		return false
	}
	return e.conns.Load() > 0 || !e.asked.Load()
}

// guard is the body of a request. It notes that it was read, and gives out nothing once the deadline has passed: a process
// or a machine that was stopped in the meantime must not send when it wakes.
type guard struct {
	io.ReadCloser

	evidence *evidence
	deadline time.Time // by the wall clock, which goes on while a machine sleeps; zero if there is none
}

// Read implements io.Reader.
func (g *guard) Read(p []byte) (int, error) {
	if !g.evidence.read.Load() && passed(g.deadline) {
		g.evidence.late.Store(true)
		return 0, errLate
	}
	g.evidence.read.Store(true)
	return g.ReadCloser.Read(p) //nolint:wrapcheck // the body's own
}

// wall is t by the wall clock alone: the monotonic one stands still while a machine sleeps.
func wall(t time.Time) time.Time { return t.Round(0) }

// passed reports whether a deadline by the wall clock has passed.
func passed(deadline time.Time) bool {
	return !deadline.IsZero() && !wall(time.Now()).Before(deadline)
}

// attempts is the transport of one attempt: it bounds it in time and size, reads the whole response, and notes what
// happened. It has no CloseIdleConnections on purpose.
type attempts struct {
	client  *Client
	next    http.RoundTripper
	watched bool // net/http is below, which has been seen stuck beyond its context
}

// RoundTrip implements http.RoundTripper.
func (a attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	if err := req.Context().Err(); err != nil {
		// It ended while credentials were fetched or a retry was due. The exchange stays as the last attempt left it.
		return nil, err //nolint:wrapcheck // wrapped once, in failure
	}
	if end, ok := req.Context().Deadline(); ok && passed(wall(end)) {
		return nil, errLate // the process has slept, and its timers have not been heard yet
	}
	began := time.Now()
	x.begin()
	ctx := x.evidence.traced(req.Context())
	if t := a.client.timeout(&x.call); t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t)
		defer cancel()
	}
	req = req.WithContext(ctx)
	if x.call.Effect != Harmless {
		x.protect(req)
	}
	got := a.ask(req, x.call.MaxBody)
	if got.resp != nil {
		x.status, x.header, x.body = got.resp.StatusCode, got.resp.Header, got.body
	}
	x.end(began, got.err)
	a.client.log(req.Context(), x, began) //nolint:contextcheck // the request's own
	if got.err != nil {
		return nil, got.err
	}
	return got.resp, nil
}

// protect keeps a write from being sent more often, or later, than it may be.
func (x *exchange) protect(req *http.Request) {
	if !x.call.repeatable() {
		// With GetBody net/http itself repeats a request on a dead pooled connection, if it carries an
		// Idempotency-Key or the peer reset its HTTP/2 stream: below every retry setting. So it does without a
		// body; an empty one that it cannot rewind looks like any other. A middleware may rebuild the request with
		// one: net/http looks for the header by its canonical name only, and servers take any.
		req.GetBody = nil
		if req.Body == nil {
			req.Body = io.NopCloser(strings.NewReader(""))
		}
		for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
			if values := req.Header[name]; values != nil {
				delete(req.Header, name)
				req.Header[strings.ToLower(name)] = values
			}
		}
		req.Close = x.op.client.cfg.FreshConnections
	}
	g := &x.evidence.guard
	g.ReadCloser, g.evidence = req.Body, x.evidence
	if end, ok := req.Context().Deadline(); ok {
		g.deadline = wall(end)
	}
	req.Body = g
}

// received is what a transport has returned, read to its end.
type received struct {
	resp   *http.Response // without its body; nil if there was none
	body   []byte
	err    error
	panics any
}

// ask asks the transport. One that is watched is left behind if it does not return when its context has ended: two frames of
// a hostile HTTP/2 peer make net/http wait for itself, forever. Watching takes a goroutine, so another's transport, which
// Options obliges to return, is not.
func (a attempts) ask(req *http.Request, limit int64) received {
	if !a.watched {
		return a.receive(req, limit)
	}
	done := make(chan received, 1)
	go func() {
		var got received
		defer func() {
			got.panics = recover()
			done <- got
		}()
		got = a.receive(req, limit)
	}()
	var got received
	select {
	case got = <-done:
	case <-req.Context().Done():
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case got = <-done:
		case <-timer.C:
			return received{err: fmt.Errorf("%w: %w", errStuck, req.Context().Err())}
		}
	}
	if got.panics != nil {
		panic(got.panics) // the transport's own, where its caller expects it
	}
	return got
}

func (a attempts) receive(req *http.Request, limit int64) (got received) {
	resp, err := a.next.RoundTrip(req)
	switch {
	case resp == nil && err == nil:
		err = errNoResponse
	case err == nil:
		got.resp = resp
		got.body, err = readBody(resp, limit)
		resp.Body = http.NoBody
	case resp != nil && resp.Body != nil: // RoundTripper forbids it
		_ = resp.Body.Close() //nolint:errcheck // nobody reads it
	}
	got.err = err
	return got
}

// begin forgets the attempt before, but for whether it may have taken effect.
func (x *exchange) begin() {
	x.lost = x.lost || x.unsettled()
	x.attempts++
	x.evidence = &evidence{} // a transport that was left behind still reports to the old one
	x.sent, x.err, x.status, x.header, x.body, x.refusal = false, nil, 0, nil, nil, nil
}

func (x *exchange) end(began time.Time, err error) {
	x.err = err
	x.sent = err == nil || x.status != 0 || x.evidence.maybeSent()
	if err == nil {
		x.refusal = x.classify()
	}
	if !x.sent {
		return
	}
	x.tries++
	if x.call.Effect != Harmless {
		x.op.began = earliest(x.op.began, began)
	}
	twice := x.evidence.twice.Load() && !x.call.repeatable() // what this response says, it may not say of both
	if twice {
		x.tries++
		x.lost = true
	}
	if x.refusal == nil || x.unsettled() || twice {
		x.first, x.last = earliest(x.first, began), time.Now()
	}
}

// classify reads the response. One that Unmarshal refuses for its time and memory says nothing to Classify either.
func (x *exchange) classify() *Refusal {
	problem := excess(x.body)
	if problem == "" {
		return x.op.client.cfg.Classify(x.status, x.body)
	}
	r := ByStatus(x.status, nil)
	r.Message = problem
	return r
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
		e.Kind, e.Outcome, e.Code, message = x.refusal.Kind, x.refusal.Outcome, x.clean(x.refusal.Code), x.refusal.Message
	case errors.Is(x.err, errTooLarge):
		e.Kind, e.Outcome, e.Err, message = refund.ErrUnexpected, refund.OutcomeUnknown, x.err, x.err.Error()
	default:
		cause := x.err
		if cause == nil {
			cause = last
		}
		e.Err = x.veil(unwrapURL(cause))
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
	return r.exchange.unknown(refund.ErrUnexpected, format, args...)
}

// Conflict is the error of a success that shows another refund than the one asked for.
func (r *Result) Conflict(format string, args ...any) error {
	return r.exchange.unknown(refund.ErrConflict, format, args...)
}

// unknown is the error of a success that is none.
func (x *exchange) unknown(kind refund.Kind, format string, args ...any) error {
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
			return x.cleanID(id)
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
		slog.String("provider", c.cfg.Provider), slog.String("account", c.cfg.Options.Account), slog.String("op", x.op.Name),
		slog.Int("attempt", x.attempts), slog.Int("status", x.status), slog.Duration("duration", time.Since(began)),
		slog.String("request_id", x.requestID()))
}

// hopeless reports a failure to connect that trying again will not change.
func hopeless(err error) bool {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	return errors.As(err, &dns) && dns.IsNotFound || errors.As(err, &cert)
}
