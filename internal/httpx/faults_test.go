package httpx

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

// The measured faults of net/http and go-retryablehttp, each with money in it.

// listen serves each connection with serve until the test ends, and returns the URL and the number of connections.
func listen(t *testing.T, serve func(net.Conn)) (baseURL string, connections *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	connections = new(atomic.Int32)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			wg.Go(func() {
				defer conn.Close() //nolint:errcheck // cut on purpose
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		assert.NoError(t, listener.Close())
		wg.Wait()
	})
	return "http://" + listener.Addr().String(), connections
}

// closing makes the idle connections of a test's transport end with it.
func closing(t *testing.T, transport *http.Transport) *http.Transport {
	t.Helper()
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// E1: net/http itself repeats a request with an Idempotency-Key on a pooled connection that dies, although the
// provider may have acted.
func TestPooledConnectionThatDiesIsNotReplayed(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]*operation{
		"POST":            write(Pays),
		"POST, no body":   {Name: "refund", Call: Call{Method: http.MethodPost, Header: http.Header{"Idempotency-Key": {testKey}}}},
		"DELETE, no body": {Name: "refund", Call: Call{Method: http.MethodDelete, Header: http.Header{"X-Idempotency-Key": {testKey}}}},
		"GET that pays":   {Name: "read", Call: Call{Method: http.MethodGet}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var acted atomic.Int32
			baseURL, connections := listen(t, func(conn net.Conn) {
				in := bufio.NewReader(conn)
				for {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					if _, err := io.Copy(io.Discard, req.Body); err != nil {
						return
					}
					if acted.Add(1) > 1 {
						return // the answer is lost with the connection
					}
					if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
						return
					}
				}
			})
			c := newClient(t, closing(t, newTransport(0, &refund.Options{})), func(cfg *Config) { cfg.Options.BaseURL = baseURL })

			_, err := do(t.Context(), c, write(Pays))
			require.NoError(t, err)
			e := failed(t.Context(), t, c, call)

			assert.EqualValues(t, 2, acted.Load(), "the second call must arrive once")
			assert.EqualValues(t, 1, connections.Load(), "the second call must have found a pooled connection")
			assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
			assert.Equal(t, 1, e.Attempt.Tries)
			assert.Equal(t, 1, e.Attempts)
		})
	}
}

// E1 over HTTP/2: net/http repeats a request whose stream the peer resets with PROTOCOL_ERROR.
func TestResetStreamIsNotReplayed(t *testing.T) {
	t.Parallel()
	const (
		typeData, typeHeaders, typeReset, typeSettings = 0x0, 0x1, 0x3, 0x4
		endStream, ack                                 = 0x1, 0x1
		protocolError                                  = 1
	)
	for name, call := range map[string]*operation{
		"POST":            write(Pays),
		"DELETE, no body": {Name: "refund", Call: Call{Method: http.MethodDelete}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var acted atomic.Int32
			baseURL, _ := listen(t, func(conn net.Conn) {
				in := bufio.NewReader(conn)
				if _, err := io.CopyN(io.Discard, in, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
					return
				}
				frame := func(kind, flags byte, stream uint32, payload ...byte) bool {
					b := append([]byte{0, 0, byte(len(payload)), kind, flags}, binary.BigEndian.AppendUint32(nil, stream)...)
					_, err := conn.Write(append(b, payload...))
					return err == nil
				}
				if !frame(typeSettings, 0, 0) {
					return
				}
				var head [9]byte
				for {
					if _, err := io.ReadFull(in, head[:]); err != nil {
						return
					}
					length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
					if _, err := io.CopyN(io.Discard, in, length); err != nil {
						return
					}
					kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
					ok := true
					switch {
					case kind == typeSettings && flags&ack == 0:
						ok = frame(typeSettings, ack, 0)
					case (kind == typeData || kind == typeHeaders) && flags&endStream != 0:
						// Cutting the connection the second time ends what would go on for ever.
						ok = acted.Add(1) == 1 && frame(typeReset, 0, stream, 0, 0, 0, protocolError)
					}
					if !ok {
						return
					}
				}
			})
			var protocols http.Protocols
			protocols.SetUnencryptedHTTP2(true)
			transport := closing(t, &http.Transport{Protocols: &protocols})
			c := newClient(t, transport, func(cfg *Config) { cfg.Options.BaseURL = baseURL })

			e := failed(t.Context(), t, c, call)

			assert.EqualValues(t, 1, acted.Load())
			assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
			assert.Equal(t, 1, e.Attempt.Tries)
		})
	}
}

// E2: the last answer survives when the retries are used up.
func TestExhaustedRetriesKeepTheAnswer(t *testing.T) {
	t.Parallel()
	const body = `{"code":"backend_down","message":"try later"}`
	mock := canned(t, answer(502, "first"), answer(503, "second"),
		withHeader(answer(500, body), "X-Request-Id", "r-3"))
	c := newClient(t, mock, noWait)

	e := failed(t.Context(), t, c, write(PaysOnce))

	assert.Equal(t, 3, mock.GetTotalCallCount())
	assert.Equal(t, 500, e.HTTPStatus)
	assert.Equal(t, "backend_down", e.Code)
	assert.Contains(t, e.Message, "try later")
	assert.Equal(t, refund.Raw(body), e.Raw)
	assert.Equal(t, "r-3", e.RequestID)
	assert.Equal(t, 3, e.Attempts)
	assert.Equal(t, 3, e.Attempt.Tries)
	assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
	assert.NoError(t, e.Err, "the provider's answer is the cause")
}

// E3: a timeout of ours is no reason to pay again.
func TestTimeoutOfAWriteIsProcessedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var acted atomic.Int32
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close() //nolint:errcheck // a pipe
				in := bufio.NewReader(theirs)
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body) //nolint:errcheck // as far as it comes
				acted.Add(1)
				_, _ = in.ReadByte() //nolint:errcheck // until the client hangs up
			}()
			return ours, nil
		}}
		c := newClient(t, transport, func(cfg *Config) {
			cfg.Options.BaseURL = "http://127.0.0.1"
			cfg.ConnectTimeout, cfg.WriteTimeout = 10*time.Second, 70*time.Second
		})
		began := time.Now()

		e := failed(t.Context(), t, c, write(Pays))

		assert.Equal(t, 80*time.Second, time.Since(began))
		synctest.Wait()
		assert.EqualValues(t, 1, acted.Load())
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
		assert.Equal(t, refund.ErrUnavailable, e.Kind)
		assert.Equal(t, 1, e.Attempt.Tries)
		assert.ErrorIs(t, e, context.DeadlineExceeded)
	})
}

// E4: nobody sleeps for a day because a header says so.
func TestRetryAfterBeyondTheCapEndsTheCall(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		synctest.Test(t, func(t *testing.T) {
			mock := canned(t, withHeader(answer(status, ""), "Retry-After", "86400"))
			c := newClient(t, mock, throttledFirst)
			began := time.Now()

			e := failed(t.Context(), t, c, write(PaysOnce))

			assert.Zero(t, time.Since(began))
			assert.Equal(t, 24*time.Hour, e.RetryAfter)
			assert.Equal(t, 1, e.Attempts)
			assert.Equal(t, status, e.HTTPStatus)
		})
	}
}

func TestRetryAfterWithinTheCapIsObeyed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]func() string{
		"seconds": func() string { return "7" },
		"date":    func() string { return time.Now().Add(7 * time.Second).UTC().Format(http.TimeFormat) },
		"the cap": func() string { return "10" },
	} {
		synctest.Test(t, func(t *testing.T) {
			want := 7 * time.Second
			if name == "the cap" {
				want = defaultMaxDelay
			}
			rt := play(t, func(*http.Request) (*http.Response, error) {
				return withHeader(answer(503, ""), "Retry-After", value()), nil
			}, replies(200, "{}"))
			began := time.Now()

			_, err := do(t.Context(), newClient(t, rt), read())

			require.NoError(t, err, name)
			assert.Equal(t, want, time.Since(began), name)
		})
	}
}

// E5: a failed call leaves the application's idle connections alone.
func TestFailedCallKeepsTheCallersPool(t *testing.T) {
	t.Parallel()
	t.Run("not asked to", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			counter := &flushCounter{next: roundTrip(lost)}
			c := newClient(t, counter)
			mustFail(t.Context(), t, c, write(Pays))
			mustFail(t.Context(), t, c, read())
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond) // ends in the first wait
			defer cancel()
			mustFail(ctx, t, c, read())
			assert.Zero(t, counter.flushed)
		})
	})
	t.Run("over real connections", func(t *testing.T) {
		t.Parallel()
		var opened atomic.Int32
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				opened.Add(1)
			}
		}
		server.Start()
		t.Cleanup(server.Close)
		shared := closing(t, &http.Transport{})
		application := func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			require.NoError(t, err)
			resp, err := shared.RoundTrip(req)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
		}
		application()
		refused, _ := listen(t, func(net.Conn) {})
		mustFail(t.Context(), t, newClient(t, shared, func(cfg *Config) { cfg.Options.BaseURL = refused }), write(Pays))
		application()
		assert.EqualValues(t, 1, opened.Load(), "the application had to connect again")
	})
}

type flushCounter struct {
	next    http.RoundTripper
	flushed int
}

func (f *flushCounter) RoundTrip(r *http.Request) (*http.Response, error) { return f.next.RoundTrip(r) }
func (f *flushCounter) CloseIdleConnections()                             { f.flushed++ }

// E6: a redirect would carry the body and the credentials to whoever it names.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for name, target := range map[string]string{"another host": "", "not a URL": "https://%zz", "nowhere": "-"} {
			t.Run(http.StatusText(status)+", "+name, func(t *testing.T) {
				t.Parallel()
				var arrived, asked atomic.Int32
				other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
				t.Cleanup(other.Close)
				location := target
				if location == "" {
					location = other.URL
				}
				provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					asked.Add(1)
					if location != "-" {
						w.Header().Set("Location", location)
					}
					w.WriteHeader(status)
				}))
				t.Cleanup(provider.Close)
				c := newClient(t, closing(t, &http.Transport{}), func(cfg *Config) { cfg.Options.BaseURL = provider.URL })

				for _, effect := range []Effect{Pays, PaysOnce} {
					asked.Store(0)
					e := failed(t.Context(), t, c, write(effect))
					assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
					assert.Equal(t, status, e.HTTPStatus)
					assert.EqualValues(t, 1, asked.Load())
				}
				e := failed(t.Context(), t, c, read())
				assert.Equal(t, refund.OutcomeRejected, e.Outcome, "a read moves nothing")
				assert.Zero(t, arrived.Load())
			})
		}
	}
}

// A transport may return neither an answer nor an error, or an answer without a body.
func TestTransportThatReturnsNothing(t *testing.T) {
	t.Parallel()
	e := failed(t.Context(), t, newClient(t, play(t, fails(nil))), write(Pays))
	assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
	require.ErrorIs(t, e, errNoResponse)

	rt := play(t, func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 204}, nil })
	res, err := do(t.Context(), newClient(t, rt), write(Pays))
	require.NoError(t, err)
	assert.Empty(t, res.Body)
}
