package refundtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	toyURL  = "https://toy.example/refunds"
	theBody = "r1 10.00 AUD"
)

// counter counts what it is asked and answers theBody.
type counter struct{ asked atomic.Int64 }

func (c *counter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	c.asked.Add(1)
	_, _ = io.Copy(w, strings.NewReader(theBody)) //nolint:errcheck // cannot fail in memory
}

func post(t *testing.T, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, toyURL, body)
	require.NoError(t, err)
	return req
}

// send does what a client does, and returns the status and how reading the body ended.
func send(rt http.RoundTripper, req *http.Request) (status int, body string, err error) {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // in memory
	got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(got), err
}

func TestFaults(t *testing.T) {
	type expectation struct {
		acted  int64
		status int // 0: no answer
		broken bool
	}
	want := map[Fault]expectation{
		"":                      {acted: 1, status: 200},
		StaleRead:               {acted: 1, status: 200},
		DialError:               {broken: true},
		ResetBeforeWrite:        {broken: true},
		LostAnswer:              {acted: 1, broken: true},
		NoAnswer:                {acted: 1, broken: true},
		ResetMidBody:            {acted: 1, status: 200, broken: true},
		Truncated:               {acted: 1, status: 200},
		Garbage:                 {acted: 1, status: 200},
		HTMLBlockPage:           {status: 403},
		ServerErrorAfterCommit:  {acted: 1, status: 502},
		ServerErrorBeforeCommit: {status: 503},
		Throttle:                {status: 429},
		ThrottleForever:         {status: 429},
		SlowDrip:                {acted: 1, status: 200, broken: true},
		HugeBody:                {acted: 1, status: 200},
		Redirect:                {status: 307},
		DuplicateDelivery:       {acted: 1, broken: true},

		HTMLRefusalAfterCommit:      {acted: 1, status: 403},
		HTMLUnauthorizedAfterCommit: {acted: 1, status: 401},
		HTMLNotFoundAfterCommit:     {acted: 1, status: 404},
		EmptyRefusalAfterCommit:     {acted: 1, status: 400},
		ForeignRefusalAfterCommit:   {acted: 1, status: 403},
	}
	for _, f := range Faults() {
		assert.Contains(t, want, f)
	}
	for f, want := range want {
		t.Run(string(f), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var provider counter
				n := NewNetwork(InMemory(&provider))
				n.Inject(f)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				status, body, err := send(n, post(t, strings.NewReader("{}")).WithContext(ctx))
				assert.Equal(t, want.acted, provider.asked.Load())
				assert.Equal(t, want.status, status)
				assert.Equal(t, want.broken, err != nil, err)
				assert.Equal(t, f == "" || f == StaleRead, body == theBody, "only a healthy network delivers the answer")
			})
		})
	}
}

func TestInjectComesBeforeAlways(t *testing.T) {
	n := NewNetwork(InMemory(&counter{}))
	n.Always(Throttle)
	n.Inject(HTMLBlockPage, "")
	n.Inject(ServerErrorBeforeCommit)
	next := func(method string) int {
		req := post(t, nil)
		req.Method = method
		status, _, err := send(n, req)
		require.NoError(t, err)
		return status
	}
	assert.Equal(t, 403, next(http.MethodPost))
	assert.Equal(t, 200, next(http.MethodGet), "reads pass and use nothing up")
	assert.Equal(t, 200, next(http.MethodPost), "the empty fault lets one pass")
	assert.Equal(t, 503, next(http.MethodPut))
	for range 3 {
		assert.Equal(t, 429, next(http.MethodPost))
	}
	n.Always("")
	assert.Equal(t, 200, next(http.MethodPost), "healed")
}

func TestRequestsRecords(t *testing.T) {
	n := NewNetwork(InMemory(&counter{}))
	n.Inject(DialError)
	write, read := post(t, nil), post(t, nil)
	read.Method = http.MethodGet
	_, _, err := send(n, write)
	require.Error(t, err)
	_, _, err = send(n, read)
	require.NoError(t, err)
	got := n.Requests()
	assert.Equal(t, []*http.Request{write, read}, got)
	got[0] = nil
	assert.Equal(t, []*http.Request{write, read}, n.Requests(), "the caller has a copy")
}

// As E1 of net/http does: request.go, isReplayable.
func TestDuplicateDelivery(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*http.Request)
		acted  int64
	}{
		"no key":            {func(*http.Request) {}, 1},
		"key":               {func(r *http.Request) { r.Header.Set("Idempotency-Key", "k") }, 2},
		"other key":         {func(r *http.Request) { r.Header.Set("X-Idempotency-Key", "k") }, 2},
		"no way to replay":  {func(r *http.Request) { r.Header.Set("Idempotency-Key", "k"); r.GetBody = nil }, 1},
		"idempotent method": {func(r *http.Request) { r.Method = http.MethodOptions }, 2},
		"no body":           {func(r *http.Request) { r.Header.Set("Idempotency-Key", "k"); r.Body, r.GetBody = nil, nil }, 2},
		"body fails to come": {func(r *http.Request) {
			r.Method, r.GetBody = http.MethodHead, func() (io.ReadCloser, error) { return nil, io.EOF }
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var provider counter
			n := NewNetwork(InMemory(&provider))
			n.Inject(DuplicateDelivery)
			req := post(t, strings.NewReader("{}"))
			tt.change(req)
			_, body, err := send(n, req)
			assert.Equal(t, tt.acted, provider.asked.Load())
			assert.Equal(t, tt.acted == 2, err == nil && body == theBody, err)
		})
	}
}

// What fails below the network is passed on, and is not replaced by the fault.
func TestFaultsOnABrokenTransport(t *testing.T) {
	broken := errors.New("broken")
	for name, next := range map[string]transportFunc{
		"no answer": func(*http.Request) (*http.Response, error) { return nil, broken },
		"no body": func(*http.Request) (*http.Response, error) {
			return &http.Response{Body: io.NopCloser(iotest.ErrReader(broken))}, nil
		},
	} {
		for _, f := range []Fault{"", LostAnswer, Garbage} {
			n := NewNetwork(next)
			n.Inject(f)
			_, _, err := send(n, post(t, nil))
			require.ErrorIs(t, err, broken, "%s, %s", name, f)
		}
	}
	n := NewNetwork(transportFunc(func(*http.Request) (*http.Response, error) { return nil, broken }))
	n.Inject(DuplicateDelivery)
	_, _, err := send(n, post(t, nil))
	assert.ErrorIs(t, err, broken)
}

// A client that looks whether a byte went out sees the same as over net/http.
func TestFaultsAreTraced(t *testing.T) {
	for f, wantConn := range map[Fault]bool{DialError: false, ResetBeforeWrite: true, Throttle: true, LostAnswer: true, "": true} {
		t.Run(string(f), func(t *testing.T) {
			n := NewNetwork(InMemory(&counter{}))
			n.Inject(f)
			var asked, got bool
			req := post(t, nil)
			_, _, _ = send(n, req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{ //nolint:errcheck // some fail
				GetConn: func(string) { asked = true },
				GotConn: func(httptrace.GotConnInfo) { got = true },
			})))
			assert.True(t, asked)
			assert.Equal(t, wantConn, got)
		})
	}
}

func TestSlowDripEndsForThePatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(InMemory(&counter{}))
		n.Inject(SlowDrip)
		began := time.Now()
		_, body, err := send(n, post(t, nil))
		require.NoError(t, err)
		assert.Equal(t, theBody, body)
		assert.Equal(t, time.Duration(len(theBody))*30*time.Second, time.Since(began))
	})
}

func TestInMemoryLetsTheHandlerGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Bool
		rt := InMemory(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-time.After(time.Minute)
			assert.NoError(t, r.Context().Err())
			done.Store(true)
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, _, err := send(rt, post(t, nil).WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(began), "the client is not kept waiting")
		assert.False(t, done.Load())
		<-time.After(time.Minute)
		assert.True(t, done.Load())
	})
}

func TestInMemoryIsAServer(t *testing.T) {
	var provider counter
	rt := InMemory(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, "{}", string(body))
		assert.Equal(t, "toy.example", r.Host)
		assert.Equal(t, "/refunds", r.RequestURI)
		assert.NotEmpty(t, r.RemoteAddr)
		assert.Equal(t, "v", r.Header.Get("x-lower"), "a server sees canonical names")
		provider.ServeHTTP(w, r)
	}))
	req := post(t, strings.NewReader("{}"))
	req.Header = http.Header{"x-lower": {"v"}} // as a careless client may set it
	req.Host = ""
	status, body, err := send(rt, req)
	require.NoError(t, err)
	assert.Equal(t, 200, status)
	assert.Equal(t, theBody, body)
}

func TestInMemoryDoesNotAskInVain(t *testing.T) {
	var provider counter
	rt := InMemory(&provider)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := send(rt, post(t, nil).WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)

	_, _, err = send(rt, post(t, iotest.ErrReader(io.ErrUnexpectedEOF)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Zero(t, provider.asked.Load())
}

func TestServeTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var provider counter
		baseURL, rt, stop := serveTLS(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.NotNil(t, r.TLS)
			provider.ServeHTTP(w, r)
		}))
		client := &http.Client{Transport: rt}
		get := func(url string) error {
			resp, err := client.Get(url)
			if err != nil {
				return err
			}
			body, err := io.ReadAll(resp.Body)
			assert.Equal(t, theBody, string(body))
			return errors.Join(err, resp.Body.Close())
		}
		for range 3 {
			require.NoError(t, get(baseURL+"/refunds"))
		}
		require.Error(t, get("https://"+redirectHost), "the certificate is for one host")
		assert.EqualValues(t, 3, provider.asked.Load())
		stop()
		require.ErrorIs(t, get(baseURL), net.ErrClosed)
	})
}

func TestPipeListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := l.dial(ctx, "tcp", "anywhere")
		require.ErrorIs(t, err, context.DeadlineExceeded, "nobody accepts")

		go func() {
			conn, err := l.Accept()
			assert.NoError(t, err)
			_, err = fmt.Fprint(conn, theBody)
			assert.NoError(t, errors.Join(err, conn.Close()))
		}()
		conn, err := l.dial(t.Context(), "tcp", "anywhere")
		require.NoError(t, err)
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.Equal(t, theBody, string(got))

		require.NoError(t, l.Close())
		require.NoError(t, l.Close(), "closing twice is no panic")
		_, err = l.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = l.dial(t.Context(), "tcp", "anywhere")
		require.ErrorIs(t, err, net.ErrClosed)
	})
}
