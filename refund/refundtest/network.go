package refundtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Fault is something that goes wrong between the client and the provider.
type Fault string

// The faults. "Acted" says whether the provider has processed the request when the fault strikes.
const (
	DialError               Fault = "dial error"                 // not acted: the connection is refused
	ResetBeforeWrite        Fault = "reset before write"         // not acted: the connection dies before a byte is written
	LostAnswer              Fault = "lost answer"                // acted: the connection dies before the response
	NoAnswer                Fault = "no answer"                  // acted: nothing comes back until the client gives up
	ResetMidBody            Fault = "reset mid body"             // acted: the connection dies half-way through the response
	Truncated               Fault = "truncated"                  // acted: the response ends early, but cleanly
	Garbage                 Fault = "garbage"                    // acted: the response's body is not JSON
	HTMLBlockPage           Fault = "html block page"            // not acted: something in front answers 403 in HTML
	ServerErrorAfterCommit  Fault = "server error after commit"  // acted: something in front answers 502
	ServerErrorBeforeCommit Fault = "server error before commit" // not acted: something in front answers 503
	// HTMLRefusalAfterCommit: acted; a filter blocks the response, and answers 403 in HTML instead.
	HTMLRefusalAfterCommit Fault = "html refusal after commit"
	// HTMLUnauthorizedAfterCommit: acted; a filter answers 401 in HTML.
	HTMLUnauthorizedAfterCommit Fault = "html unauthorized after commit"
	// HTMLNotFoundAfterCommit: acted; a filter answers 404 in HTML.
	HTMLNotFoundAfterCommit Fault = "html not found after commit"
	// EmptyRefusalAfterCommit: acted; something in front answers 400 without a body.
	EmptyRefusalAfterCommit Fault = "empty refusal after commit"
	// ForeignRefusalAfterCommit: acted; a gateway answers 403 with a JSON envelope of its own (RFC 9457).
	ForeignRefusalAfterCommit Fault = "foreign refusal after commit"
	Throttle                  Fault = "throttle"         // not acted: 429, come back in a second
	ThrottleForever           Fault = "throttle forever" // not acted: 429, come back tomorrow
	SlowDrip                  Fault = "slow drip"        // acted: the response comes a byte in 30 s
	HugeBody                  Fault = "huge body"        // acted: the response does not end for 256 MiB
	Redirect                  Fault = "redirect"         // not acted: 307 to another host
	// DuplicateDelivery: acted; the pooled connection dies before the response, and the request is delivered again if
	// net/http would do so by itself (request.go, isReplayable).
	DuplicateDelivery Fault = "duplicate delivery"
	// StaleRead is no fault of the network but of the provider: reads show an old state. See Simulator.SetReadLag.
	StaleRead Fault = "stale read"
)

// Faults returns all faults of the network, which is all but StaleRead.
func Faults() []Fault {
	return []Fault{
		DialError, ResetBeforeWrite, LostAnswer, NoAnswer, ResetMidBody, Truncated, Garbage, HTMLBlockPage,
		ServerErrorAfterCommit, ServerErrorBeforeCommit, Throttle, ThrottleForever, SlowDrip, HugeBody, Redirect,
		DuplicateDelivery, HTMLRefusalAfterCommit, HTMLUnauthorizedAfterCommit, HTMLNotFoundAfterCommit, EmptyRefusalAfterCommit,
		ForeignRefusalAfterCommit,
	}
}

// substitute is what is answered in the provider's place.
type substitute struct {
	status            int
	contentType, body string
}

// substitutes returns the answers that hide the provider's own after it acted.
func substitutes() map[Fault]substitute {
	return map[Fault]substitute{
		ServerErrorAfterCommit:      {http.StatusBadGateway, "text/html", "<html><title>502 Bad Gateway</title></html>"},
		HTMLRefusalAfterCommit:      {http.StatusForbidden, "text/html", blockPage},
		HTMLUnauthorizedAfterCommit: {http.StatusUnauthorized, "text/html", blockPage},
		HTMLNotFoundAfterCommit:     {http.StatusNotFound, "text/html", blockPage},
		EmptyRefusalAfterCommit:     {http.StatusBadRequest, "text/plain", ""},
		ForeignRefusalAfterCommit:   {http.StatusForbidden, "application/problem+json", problemJSON},
	}
}

// Network is an http.RoundTripper that fails on purpose. Faults strike writes, which are all methods but GET; reads pass,
// unless they are broken altogether. Safe for concurrent use.
type Network struct {
	next http.RoundTripper

	mu        sync.Mutex
	queue     []Fault
	always    Fault
	readsDown bool
	gateway   gateway // nil for none
	requests  []*http.Request
	last      time.Time   // when the last of them was handed over
	writes    int         // how many of them were writes
	lost      []time.Time // see trail
	flooded   bool        // more of a HugeBody was read than any response needs
}

// NewNetwork makes a network without faults in front of next.
func NewNetwork(next http.RoundTripper) *Network { return &Network{next: next} }

// Inject lets the next writes meet faults, one each. An empty Fault lets one pass.
func (n *Network) Inject(faults ...Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queue = append(n.queue, faults...)
}

// Always lets every write meet f, once the injected ones are used up. The empty Fault heals the network.
func (n *Network) Always(f Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.always = f
}

// BreakReads lets every read be answered with 503, until it is called with false.
func (n *Network) BreakReads(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.readsDown = down
}

// Requests returns the requests that the client has handed over, reads and those that met a fault included. Their
// bodies have been read.
func (n *Network) Requests() []*http.Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.requests)
}

// idle returns how long ago the last request was handed over.
func (n *Network) idle() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Since(n.last)
}

// trail is what went out in some span of time.
type trail struct {
	writes int
	lost   []time.Time // when writes reached the provider whose response was lost or spoiled
}

func (n *Network) mark() trail {
	n.mu.Lock()
	defer n.mu.Unlock()
	return trail{n.writes, slices.Clone(n.lost)}
}

// since returns what went out since the mark.
func (n *Network) since(mark trail) trail {
	now := n.mark()
	return trail{now.writes - mark.writes, now.lost[len(mark.lost):]}
}

func (n *Network) fault(req *http.Request) Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requests, n.last = append(n.requests, req), time.Now()
	if req.Method == http.MethodGet {
		if n.readsDown {
			return ServerErrorBeforeCommit
		}
		return ""
	}
	n.writes++
	f := n.always
	if len(n.queue) > 0 {
		f, n.queue = n.queue[0], n.queue[1:]
	}
	if acted(f) || f == "" && n.gateway != nil {
		n.lost = append(n.lost, n.last)
	}
	return f
}

// acted reports whether the provider processes a request that meets f, and its response is lost or spoiled.
func acted(f Fault) bool {
	switch f {
	case LostAnswer, NoAnswer, ResetMidBody, Truncated, Garbage, ServerErrorAfterCommit, SlowDrip, HugeBody, DuplicateDelivery,
		HTMLRefusalAfterCommit, HTMLUnauthorizedAfterCommit, HTMLNotFoundAfterCommit, EmptyRefusalAfterCommit, ForeignRefusalAfterCommit:
		return true
	case DialError, ResetBeforeWrite, HTMLBlockPage, ServerErrorBeforeCommit, Throttle, ThrottleForever, Redirect, StaleRead:
	}
	return false
}

// RoundTrip implements http.RoundTripper.
func (n *Network) RoundTrip(req *http.Request) (*http.Response, error) {
	f := n.fault(req)
	switch f {
	case "", StaleRead:
		return n.pass(req)
	case DialError:
		trace(req, false)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case ResetBeforeWrite:
		trace(req, true)
		return nil, &net.OpError{Op: "write", Net: "tcp", Err: syscall.ECONNRESET}
	case HTMLBlockPage:
		return answer(req, http.StatusForbidden, "text/html", blockPage), nil
	case ServerErrorBeforeCommit:
		return answer(req, http.StatusServiceUnavailable, "text/html", "<html><title>503 Service Unavailable</title></html>"), nil
	case Throttle, ThrottleForever:
		resp := answer(req, http.StatusTooManyRequests, "text/plain", "slow down")
		resp.Header.Set("Retry-After", map[Fault]string{Throttle: "1", ThrottleForever: "86400"}[f])
		return resp, nil
	case Redirect:
		resp := answer(req, http.StatusTemporaryRedirect, "text/plain", "")
		resp.Header.Set("Location", "https://"+redirectHost+req.URL.Path)
		return resp, nil
	case DuplicateDelivery:
		return n.deliverTwice(req)
	default: // the provider acts first
	}
	resp, body, err := whole(n.pass(req))
	if err != nil {
		return nil, err
	}
	if s, ok := substitutes()[f]; ok {
		return response(req, s.status, s.contentType, s.body), nil
	}
	switch f {
	case LostAnswer:
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	case NoAnswer:
		<-req.Context().Done()
		return nil, req.Context().Err()
	case ResetMidBody:
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]),
			failing{&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}}))
	case Truncated:
		setBody(resp, body[:len(body)/2])
	case Garbage:
		setBody(resp, []byte("\x00\xff{{{ "+canaryPerson))
	case SlowDrip:
		resp.Body = io.NopCloser(&drip{req: req, rest: body})
	case HugeBody:
		resp.Body = io.NopCloser(io.LimitReader(&flood{network: n}, 256<<20))
		resp.ContentLength = -1
		resp.Header.Del("Content-Length")
	default:
	}
	return resp, nil
}

// whole reads the body of a response.
func whole(resp *http.Response, err error) (*http.Response, []byte, error) {
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(resp.Body)
	return resp, body, errors.Join(err, resp.Body.Close())
}

// setBody replaces the body of a response, which has been read.
func setBody(resp *http.Response, body []byte) {
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = -1
	resp.Header.Del("Content-Length")
}

// deliverTwice is what net/http does to a request on a pooled connection that dies.
func (n *Network) deliverTwice(req *http.Request) (*http.Response, error) {
	replayable := req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
	default:
		_, a := req.Header["Idempotency-Key"]
		_, b := req.Header["X-Idempotency-Key"]
		replayable = replayable && (a || b)
	}
	resp, err := n.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close() //nolint:errcheck // the response is lost
	if !replayable {
		return nil, io.EOF
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	return n.next.RoundTrip(again)
}

const (
	redirectHost = "elsewhere.example"
	canaryPerson = "jane.canary@example.com"
	blockPage    = "<html><head><title>Attention Required! | Network</title></head><body>Sorry, " + canaryPerson +
		", you have been blocked</body></html>"
	problemJSON = `{"type":"about:blank","title":"Forbidden","status":403,"detail":"blocked for ` + canaryPerson + `"}`
)

// answer takes a request in the provider's place, and answers it.
func answer(req *http.Request, status int, contentType, body string) *http.Response {
	drain(req)
	trace(req, true)
	return response(req, status, contentType, body)
}

func response(req *http.Request, status int, contentType, body string) *http.Response {
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", contentType)
	rec.WriteHeader(status)
	_, _ = rec.WriteString(body) //nolint:errcheck // cannot fail
	resp := rec.Result()
	resp.Request = req
	return resp
}

func drain(req *http.Request) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body) //nolint:errcheck // nobody looks at it
		_ = req.Body.Close()                 //nolint:errcheck // nobody looks at it
	}
}

// trace reports to httptrace, as net/http does, that a connection is wanted and, if got, that there is one.
func trace(req *http.Request, got bool) {
	hooks := httptrace.ContextClientTrace(req.Context())
	if hooks == nil {
		return
	}
	if hooks.GetConn != nil {
		hooks.GetConn(req.URL.Host)
	}
	if got && hooks.GotConn != nil {
		hooks.GotConn(httptrace.GotConnInfo{})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// flood yields spaces, and tells the network when too many of them have been read.
type flood struct {
	network *Network
	n       int
}

func (f *flood) Read(p []byte) (int, error) {
	for n := copy(p, " "); n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
	f.n += len(p)
	if f.n > 16<<20 {
		f.network.mu.Lock()
		defer f.network.mu.Unlock()
		f.network.flooded = true
	}
	return len(p), nil
}

// drip yields a byte in 30 s, until the request's context ends.
type drip struct {
	req  *http.Request
	rest []byte
}

func (d *drip) Read(p []byte) (int, error) {
	if len(d.rest) == 0 {
		return 0, io.EOF
	}
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	select {
	case <-d.req.Context().Done():
		return 0, d.req.Context().Err()
	case <-timer.C:
	}
	p[0] = d.rest[0]
	d.rest = d.rest[1:]
	return 1, nil
}

// InMemory is a transport that calls h, without a network: the fastest way to use a simulator.
func InMemory(h http.Handler) http.RoundTripper { return inMemory{h} }

type inMemory struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper. A handler that takes longer than the request's context goes on alone, as a
// server would.
func (m inMemory) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close() //nolint:errcheck // it has been read
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	trace(req, true)
	in := req.Clone(context.WithoutCancel(req.Context()))
	in.RequestURI = req.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1234"
	in.Body = io.NopCloser(bytes.NewReader(body))
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	in.Header = http.Header{}
	for name, values := range req.Header { // a server sees canonical names
		in.Header[http.CanonicalHeaderKey(name)] = values
	}
	rec := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.handler.ServeHTTP(rec, in)
	}()
	select {
	case <-done:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	resp := rec.Result()
	resp.Request = req
	return resp, nil
}
