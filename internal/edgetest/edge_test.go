package edgetest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/simulators"
)

const (
	http1 = "http/1.1"
	http2 = "http/2"
)

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

// condition is one way for a network or a server to fail.
type condition struct {
	name string
	acts bool // the provider has acted, or will
	// strike handles a write in the provider's place.
	strike func(e *edge, w http.ResponseWriter, r *http.Request)
	// frames is what an HTTP/2 client gets instead of the response to the request on a stream, before the provider sees it
	// or, if it acts, after.
	frames func(stream uint32) [][]byte
	// patience is Options.AttemptTimeout; 0 means a time that no test takes.
	patience time.Duration
}

func (c *condition) protocols() []string {
	if c.frames != nil {
		return []string{http2}
	}
	return []string{http1, http2}
}

// act lets the provider process a request, and keeps the response.
func (e *edge) act(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	e.sim.ServeHTTP(rec, r.WithContext(context.WithoutCancel(r.Context())))
	return rec
}

// abort ends the connection, or the stream, without a response.
func abort() { panic(http.ErrAbortHandler) }

const short = 250 * time.Millisecond

func conditions() []condition {
	return []condition{
		{name: "closed before the provider acts", strike: func(*edge, http.ResponseWriter, *http.Request) { abort() }},
		{name: "closed after the provider acted", acts: true, strike: func(e *edge, _ http.ResponseWriter, r *http.Request) {
			e.act(r)
			abort()
		}},
		{name: "reset before the provider acts", strike: func(e *edge, _ http.ResponseWriter, _ *http.Request) {
			e.reset()
			abort()
		}},
		{name: "reset after the provider acted", acts: true, strike: func(e *edge, _ http.ResponseWriter, r *http.Request) {
			e.act(r)
			e.reset()
			abort()
		}},
		{name: "half a response", acts: true, strike: func(e *edge, w http.ResponseWriter, r *http.Request) {
			rec := e.act(r)
			body := rec.Body.Bytes()
			maps.Copy(w.Header(), rec.Header())
			w.Header().Set("Content-Length", strconv.Itoa(len(body)+8)) // even of nothing, there is a half
			w.WriteHeader(rec.Code)
			_, _ = w.Write(body[:len(body)/2])        //nolint:errcheck // cut off anyway
			_ = http.NewResponseController(w).Flush() //nolint:errcheck // cut off anyway
			abort()
		}},
		{name: "a late response", acts: true, patience: short, strike: func(e *edge, w http.ResponseWriter, r *http.Request) {
			rec := e.act(r)
			<-r.Context().Done()
			maps.Copy(w.Header(), rec.Header())
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes()) //nolint:errcheck // nobody listens
		}},
		{name: "a late act", acts: true, patience: short, strike: func(e *edge, _ http.ResponseWriter, r *http.Request) {
			late := buffered(r)
			<-r.Context().Done()
			e.act(late)
		}},

		{name: "GOAWAY", frames: func(s uint32) [][]byte { return [][]byte{goAway(s-1, noError)} }},
		{name: "GOAWAY after the provider acted", acts: true, frames: func(s uint32) [][]byte { return [][]byte{goAway(s-1, noError)} }},
		{name: "GOAWAY of everything after the provider acted", acts: true, frames: func(uint32) [][]byte { return [][]byte{goAway(0, noError)} }},
		{name: "GOAWAY for calm", frames: func(uint32) [][]byte { return [][]byte{goAway(0, enhanceYourCalm)} }},
		{name: "REFUSED_STREAM", frames: func(s uint32) [][]byte { return [][]byte{rstStream(s, refusedStream), goAway(s, noError)} }},
		{name: "REFUSED_STREAM after the provider acted", acts: true, frames: func(s uint32) [][]byte {
			return [][]byte{rstStream(s, refusedStream), goAway(s, noError)}
		}},
		{name: "INTERNAL_ERROR after the provider acted", acts: true, frames: func(s uint32) [][]byte {
			return [][]byte{rstStream(s, internalError), goAway(s, noError)}
		}},
		{name: "NO_ERROR after the provider acted", acts: true, frames: func(s uint32) [][]byte {
			return [][]byte{rstStream(s, noError), goAway(s, noError)}
		}},
	}
}

// buffered is r with a body that can be read when the client has gone.
func buffered(r *http.Request) *http.Request {
	body, _ := io.ReadAll(r.Body) //nolint:errcheck // what there is
	again := r.Clone(context.WithoutCancel(r.Context()))
	again.Body = io.NopCloser(bytes.NewReader(body))
	return again
}

// TestConditions: whatever fails, once or always, no refund is made twice, and none that was made is called rejected or
// not sent.
func TestConditions(t *testing.T) {
	for _, c := range conditions() {
		for _, protocol := range c.protocols() {
			for _, times := range []int32{1, 100} {
				for _, sim := range simulators.All() {
					t.Run(fmt.Sprintf("%s/%s/%d/%s", c.name, protocol, times, sim.Provider()), func(t *testing.T) {
						t.Parallel()
						e := newEdge(t, sim, protocol, &c)
						patience := c.patience
						if patience == 0 {
							patience = time.Minute
						}
						client := e.client(t, refund.Options{AttemptTimeout: patience})
						e.works(t, client) // which leaves a connection in the pool
						e.armed.Store(times)
						err := e.refund(t, client)
						if c.acts && times > 1 {
							assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "%v", err)
						}
						require.Less(t, e.armed.Load(), times, "the condition has struck")
						e.armed.Store(0)
						e.works(t, client)
					})
				}
			}
		}
	}
}

// refund refunds an order of its own, and compares what the client says with the ledger.
func (e *edge) refund(t *testing.T, client refund.Refunder) error {
	t.Helper()
	amount, err := refund.MoneyFromMinor(1000, e.sim.Currency())
	require.NoError(t, err)
	req := refund.Request{IdempotencyKey: refund.NewIdempotencyKey(), Order: e.sim.AddOrder(amount), Amount: amount}
	_, err = client.Refund(t.Context(), req)
	e.wait() // what arrives late counts too
	made := len(e.sim.Ledger(req.Order))
	assert.LessOrEqual(t, made, 1, "paid twice: %v", err)
	switch {
	case err == nil:
		assert.Equal(t, 1, made, "the client says that the refund was made")
	case refund.OutcomeOf(err) != refund.OutcomeUnknown:
		assert.Zero(t, made, "the client says that nothing moved: %v", err)
	}
	return err
}

// works expects a refund to go through. A busy machine may need longer than a short patience.
func (e *edge) works(t *testing.T, client refund.Refunder) {
	t.Helper()
	for range 5 {
		if e.refund(t, client) == nil {
			return
		}
	}
	require.Fail(t, "the network is well, and no refund goes through")
}

// TestBlackHole: a connection that dies without a word makes at most two outcomes unknown. Over HTTP/2 only pings can tell.
func TestBlackHole(t *testing.T) {
	for _, protocol := range []string{http1, http2} {
		for _, deaf := range []bool{true, false} {
			for _, sim := range simulators.All() {
				t.Run(fmt.Sprintf("%s/deaf %v/%s", protocol, deaf, sim.Provider()), func(t *testing.T) {
					t.Parallel()
					e := newEdge(t, sim, protocol, &condition{})
					client := e.client(t, refund.Options{AttemptTimeout: 4 * short, WrapTransport: impatient})
					e.works(t, client) // which leaves a connection in the pool
					e.blacken(deaf)
					unknown := 0
					for range 6 {
						err := e.refund(t, client)
						if err == nil {
							assert.LessOrEqual(t, unknown, 2)
							return
						}
						if refund.OutcomeOf(err) == refund.OutcomeUnknown {
							unknown++
						}
					}
					assert.Fail(t, "the client never leaves the dead connection")
				})
			}
		}
	}
}

// impatient shortens the pings of the module's own transport, not whether there are any.
func impatient(next http.RoundTripper) http.RoundTripper {
	pings := next.(*http.Transport).HTTP2
	if pings.SendPingTimeout > 0 && pings.PingTimeout > 0 {
		pings.SendPingTimeout, pings.PingTimeout = short/2, short/2
	}
	return next
}
