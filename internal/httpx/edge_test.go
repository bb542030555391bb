package httpx

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

// A process that was stopped between the start of a write and its first byte sends nothing when it wakes. The body is
// withheld, so the provider cannot have the request, whatever the transport says of its connection.
func TestLateWriteIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got atomic.Int32
		slept := roundTrip(func(r *http.Request) (*http.Response, error) {
			trace := httptrace.ContextClientTrace(r.Context())
			trace.GetConn("provider.test:443")
			trace.GotConn(httptrace.GotConnInfo{})
			<-time.After(2 * time.Minute) // the process is stopped: its timers are not heard
			n, err := io.ReadFull(r.Body, make([]byte, 1))
			got.Add(int32(n))
			return nil, err
		})
		c := newClient(t, nil, once, around(slept), func(cfg *Config) { cfg.WriteTimeout = time.Minute })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e := failed(ctx, t, c, write(Pays))
		<-time.After(2 * time.Minute)
		assert.Zero(t, got.Load(), "not a byte was given out")
		// The call ended before the transport did: what it will do is not known then. What counts is that it does nothing.
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
	})
}

// The same where the transport itself notices: nothing was sent, and that is known.
func TestLateBodyIsKnownToBeUnsent(t *testing.T) {
	t.Parallel()
	c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		trace := httptrace.ContextClientTrace(r.Context())
		trace.GetConn("provider.test:443")
		trace.GotConn(httptrace.GotConnInfo{})
		g, ok := r.Body.(*guard)
		require.True(t, ok)
		g.deadline = time.Now().Add(-time.Second) // the wall clock has gone on
		_, err := io.ReadAll(r.Body)
		return nil, err
	}), once, func(cfg *Config) { cfg.WriteTimeout = time.Minute })
	for _, effect := range []Effect{Pays, PaysOnce} {
		e := failed(t.Context(), t, c, write(effect))
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
		assert.ErrorIs(t, e, errLate)
	}
}

// A deadline that has passed by the wall clock counts, although no timer has fired.
func TestDeadlineThatNobodyHeard(t *testing.T) {
	t.Parallel()
	c := newClient(t, play(t))
	e := failed(asleep{t.Context()}, t, c, write(Pays))
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	assert.Zero(t, e.Attempts)
}

// asleep is a context whose deadline has passed while the process was stopped.
type asleep struct{ context.Context }

func (asleep) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

// A middleware that rebuilds the request gives net/http a body that it can rewind. It must not send it twice.
func TestRebuiltRequestIsNotReplayed(t *testing.T) {
	t.Parallel()
	var acted atomic.Int32
	server := newDying(t, &acted)
	plain := &http.Transport{}
	t.Cleanup(plain.CloseIdleConnections)
	rebuild := roundTrip(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		again, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		again.Header = r.Header
		return plain.RoundTrip(again)
	})
	c := newClient(t, rebuild, once, func(cfg *Config) { cfg.Options.BaseURL = server })
	_, err := do(t.Context(), c, write(Pays)) // leaves a pooled connection
	require.NoError(t, err)
	e := failed(t.Context(), t, c, write(Pays))
	assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
	assert.EqualValues(t, 2, acted.Load(), "once for each call")
}

// newDying serves one request of a connection, reads the next one, acts, and closes the connection without a response.
func newDying(t *testing.T, acted *atomic.Int32) (base string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() }) //nolint:errcheck // the test is over
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close() //nolint:errcheck // that is the point
				reader := bufio.NewReader(conn)
				for served := range 2 {
					req, err := http.ReadRequest(reader)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body) //nolint:errcheck // the request has arrived
					acted.Add(1)
					if served == 0 {
						_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") //nolint:errcheck // see the client
					}
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// A transport that hands over a second connection after the body was read has sent twice: no response, not even a success,
// says what became of both.
func TestSecondConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	twice := func(then roundTrip) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			trace := httptrace.ContextClientTrace(r.Context())
			trace.GetConn("a")
			trace.GotConn(httptrace.GotConnInfo{})
			if _, err := io.ReadAll(r.Body); err != nil {
				return nil, err
			}
			trace.GotConn(httptrace.GotConnInfo{})
			return then(r)
		}
	}
	for name, then := range map[string]roundTrip{"success": replies(200, "{}"), "refusal": replies(422, `{"code":"no"}`), "lost": fails(errReset)} {
		e := failed(t.Context(), t, newClient(t, twice(then), once), write(Pays))
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome, name)
		assert.Equal(t, 2, e.Attempt.Tries, name)
	}
	_, err := do(t.Context(), newClient(t, twice(replies(200, "{}")), once), write(PaysOnce))
	require.NoError(t, err, "the provider recognises the repeat")

	unread := roundTrip(func(r *http.Request) (*http.Response, error) { // net/http goes on if it has written nothing
		trace := httptrace.ContextClientTrace(r.Context())
		trace.GotConn(httptrace.GotConnInfo{})
		trace.GotConn(httptrace.GotConnInfo{})
		return answer(200, "{}"), nil
	})
	_, err = do(t.Context(), newClient(t, unread, once), write(Pays))
	assert.NoError(t, err, "nothing was read before the second connection")
}

// around puts a transport around the default one, which makes it watched.
func around(rt roundTrip) func(*Config) {
	return func(cfg *Config) {
		cfg.Options.WrapTransport = func(http.RoundTripper) http.RoundTripper { return rt }
	}
}

// A call ends when its deadline has passed, even if the transport does not return.
func TestStuckTransport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stuck := roundTrip(func(r *http.Request) (*http.Response, error) {
			httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
			<-release
			return nil, errors.New("too late for anybody")
		})
		c := newClient(t, nil, once, around(stuck), func(cfg *Config) { cfg.Options.AttemptTimeout = time.Minute })
		began := time.Now()
		e := failed(t.Context(), t, c, write(Pays))
		assert.Equal(t, time.Minute+patience, time.Since(began))
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
		require.ErrorIs(t, e, errStuck)
		require.ErrorIs(t, e, context.DeadlineExceeded)
		close(release)
	})
}

// A panic of the caller's own transport reaches the caller.
func TestPanicOfTheTransport(t *testing.T) {
	t.Parallel()
	panics := roundTrip(func(*http.Request) (*http.Response, error) { panic("the transport's own") })
	for _, c := range []*Client{newClient(t, panics), newClient(t, nil, around(panics))} {
		assert.PanicsWithValue(t, "the transport's own", func() {
			_, _ = do(t.Context(), c, write(Pays)) //nolint:errcheck // it does not return
		})
	}
}

// Where an unknown is a person's work no write goes over a connection that somebody may have closed meanwhile.
func TestFreshConnections(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{}") //nolint:errcheck // see the client
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := newClient(t, nil, func(cfg *Config) { cfg.Options.BaseURL, cfg.FreshConnections = server.URL, true })
	for range 3 {
		_, err := do(t.Context(), c, write(Pays))
		require.NoError(t, err)
	}
	assert.EqualValues(t, 3, conns.Load())
}

// The default transport takes the options that are for it, and finds dead connections.
func TestDefaultTransportOptions(t *testing.T) {
	t.Parallel()
	roots := &tls.Config{ServerName: "shop.example"}
	c := newClient(t, nil, func(cfg *Config) {
		cfg.Options.TLS = roots
		cfg.Options.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:9"})
	})
	require.NotNil(t, c.own)
	assert.Equal(t, "shop.example", c.own.TLSClientConfig.ServerName)
	assert.EqualValues(t, tls.VersionTLS12, c.own.TLSClientConfig.MinVersion)
	assert.Zero(t, roots.MinVersion, "the caller's own is not changed")
	assert.NotNil(t, c.own.Proxy)
	assert.Positive(t, c.own.HTTP2.SendPingTimeout)
	assert.Positive(t, c.own.HTTP2.PingTimeout)
	assert.Equal(t, maxConns, c.own.MaxConnsPerHost)

	e := failed(t.Context(), t, c, write(Pays)) // nothing listens at the proxy
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	c.CloseIdleConnections()

	newClient(t, play(t)).CloseIdleConnections() // a transport of the caller's own stays as it is
}

func TestWrapTransport(t *testing.T) {
	t.Parallel()
	var seen []string
	var mu sync.Mutex
	c := newClient(t, play(t, replies(200, "{}")), func(cfg *Config) {
		cfg.Options.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				seen = append(seen, r.Method)
				mu.Unlock()
				return next.RoundTrip(r)
			})
		}
	})
	_, err := do(t.Context(), c, read())
	require.NoError(t, err)
	assert.Equal(t, []string{http.MethodGet}, seen)
}

func TestCloseIdleConnections(t *testing.T) {
	t.Parallel()
	var dials atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{}") //nolint:errcheck // the client sees it
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			dials.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c, err := New(Config{Provider: "test", Options: refund.Options{BaseURL: server.URL}, Classify: func(int, []byte) *Refusal { return nil }})
	require.NoError(t, err)
	for want, before := range []func(){func() {}, func() {}, c.CloseIdleConnections} {
		before()
		_, err := do(t.Context(), c, read())
		require.NoError(t, err)
		assert.EqualValues(t, max(want, 1), dials.Load())
	}
}

func TestTransportOptionsThatDoNotGoTogether(t *testing.T) {
	t.Parallel()
	var none roundTrip
	for field, opts := range map[string]refund.Options{
		"Transport":     {Transport: none},
		"WrapTransport": {WrapTransport: func(http.RoundTripper) http.RoundTripper { return nil }},
	} {
		_, err := New(Config{Provider: "test", BaseURL: testBase, Options: opts})
		assert.Equal(t, field, asError(t, err).Field)
	}
	for _, opts := range []refund.Options{
		{Transport: play(t), TLS: &tls.Config{}},
		{Transport: play(t), Proxy: http.ProxyFromEnvironment},
	} {
		_, err := New(Config{Provider: "test", BaseURL: testBase, Options: opts})
		assert.Equal(t, "Transport", asError(t, err).Field)
	}
}

// A token source that was refused is unauthorized; its URL, which may hold a secret, is not printed.
func TestAuthorizeKinds(t *testing.T) {
	t.Parallel()
	leak := &url.Error{Op: "Post", URL: "https://auth.example/token?client_secret=canary", Err: context.DeadlineExceeded}
	for name, tt := range map[string]struct {
		err  error
		want refund.Kind
	}{
		"network": {leak, refund.ErrUnavailable},
		"refused": {&refund.Error{Kind: refund.ErrUnauthorized, Outcome: refund.OutcomeRejected, Message: "invalid_client"}, refund.ErrUnauthorized},
		"other":   {errors.New("no token"), refund.ErrUnavailable},
	} {
		c := newClient(t, play(t), func(cfg *Config) {
			cfg.Authorize = func(context.Context, http.Header) error { return tt.err }
		})
		e := failed(t.Context(), t, c, write(Pays))
		assert.Equal(t, tt.want, e.Kind, name)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome, name)
		for err := error(e); err != nil; err = errors.Unwrap(err) {
			assert.NotContains(t, err.Error(), "canary", name)
		}
	}
}

// What was put together wrongly is refused before anything is sent, and never in the middle of a refund.
func TestMisuse(t *testing.T) {
	t.Parallel()
	var none *Client
	assert.Equal(t, "x", none.Describe(refund.Capabilities{Provider: "x"}).Provider)
	none.CloseIdleConnections()
	e := failed(t.Context(), t, none, write(Pays))
	assert.Equal(t, []any{"Client", refund.OutcomeNotSent, testKey}, []any{e.Field, e.Outcome, e.IdempotencyKey})

	e = failed(nil, t, newClient(t, play(t)), write(Pays)) //nolint:staticcheck // that is the misuse
	assert.Equal(t, []any{"ctx", refund.OutcomeNotSent}, []any{e.Field, e.Outcome})

	for name, v := range map[string]any{
		"nil": nil, "pointer": (*http.Transport)(nil), "func": roundTrip(nil), "map": map[string]int(nil), "chan": (chan int)(nil),
	} {
		assert.True(t, IsNil(v), name)
	}
	for name, v := range map[string]any{"pointer": &http.Transport{}, "value": 0, "func": replies(200, ""), "text": ""} {
		assert.False(t, IsNil(v), name)
	}
}
