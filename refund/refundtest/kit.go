package refundtest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/multirefund/refund-go/refund"
)

// Clock is the time of a simulator, and how far its reads lag behind. The zero value runs with time.Now, without lag.
// Simulators embed it. Safe for concurrent use.
type Clock struct {
	mu          sync.Mutex
	offset, lag time.Duration
}

// Now returns the simulator's time, in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset).UTC()
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// SetReadLag makes reads show the state as it was that long ago.
func (c *Clock) SetReadLag(lag time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lag = lag
}

// Visible reports whether reads show already what happened at a time.
func (c *Clock) Visible(at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !at.After(time.Now().Add(c.offset - c.lag))
}

// Connect completes the options of a simulator's client: without a Transport and a BaseURL it calls h in memory.
func Connect(h http.Handler, opts refund.Options) refund.Options {
	if opts.Transport == nil && opts.BaseURL == "" {
		opts.Transport = InMemory(h)
	}
	return opts
}

// Serve serves a simulator over TLS on a loopback port, and returns a client's options for it. Call stop when done.
func Serve(h http.Handler) (opts refund.Options, stop func()) {
	server := httptest.NewTLSServer(h)
	return refund.Options{BaseURL: server.URL, Transport: server.Client().Transport}, server.Close
}

// Respond writes a response as JSON.
func Respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errcheck,errchkjson // nothing to do about it
}

// Add returns a + b. It panics on what a test has set up wrong, such as two currencies in an order.
func Add(a, b refund.Money) refund.Money { return must(a.Add(b)) }

// Sub returns a - b. It panics like Add.
func Sub(a, b refund.Money) refund.Money { return must(a.Sub(b)) }

func must(m refund.Money, err error) refund.Money {
	if err != nil {
		panic(err)
	}
	return m
}
