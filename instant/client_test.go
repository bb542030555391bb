package instant_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/instant/instanttest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// newClient makes a client of the simulator's store on another transport.
func newClient(t testing.TB, rt http.RoundTripper, change ...func(*instant.Config)) *instant.Client {
	t.Helper()
	cfg := instanttest.New().Config()
	cfg.Transport = rt
	for _, f := range change {
		f(&cfg)
	}
	client, err := instant.New(cfg)
	require.NoError(t, err)
	return client
}

func request(key, amount string) refund.Request {
	return refund.Request{
		IdempotencyKey: key, Order: refund.Order{ID: "100000001"}, Amount: refund.MustParseMoney(amount, "AUD"),
	}
}

func nativeRequest() instant.RefundRequest {
	return instant.RefundRequest{AmountToRefund: refund.MustParseMoney("10.99", "AUD"), DisplayOrderID: "100000001"}
}

// TestWire compares every operation's request with its golden file.
func TestWire(t *testing.T) {
	ctx := t.Context()
	for _, tt := range []struct {
		name     string
		currency string
		noKey    bool
		call     func(*instant.Client) error
	}{
		{"refund", "AUD", false, func(c *instant.Client) error {
			req := request("refund-1", "10.90")
			req.Reason = "does not travel"
			_, err := c.Refund(ctx, req)
			return err
		}},
		{"refund_without_key", "AUD", true, func(c *instant.Client) error {
			_, err := c.Refund(ctx, request("refund-1", "0.05"))
			return err
		}},
		{"refund_zero_decimals", "JPY", false, func(c *instant.Client) error {
			req := request("refund-1", "1.00")
			req.Amount = refund.MustParseMoney("1000", "JPY")
			_, err := c.Refund(ctx, req)
			return err
		}},
		{"create_refund", "AUD", false, func(c *instant.Client) error {
			req := nativeRequest()
			req.StoreCode, req.DisplayOrderID, req.IdempotencyKey = "other_store", `AU-"1"`, "0F5C2A4E-6E0C-4D3F-8A3B-6A2F1C9D7E11"
			_, err := c.CreateRefund(ctx, req)
			return err
		}},
		{"create_refund_three_decimals", "KWD", false, func(c *instant.Client) error {
			req := nativeRequest()
			req.AmountToRefund = refund.MustParseMoney("100", "KWD")
			_, err := c.CreateRefund(ctx, req)
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wire := &wiretest.Transport{Status: http.StatusOK}
			client := newClient(t, wire, func(cfg *instant.Config) { cfg.Currency, cfg.NoIdempotencyKey = tt.currency, tt.noKey })
			require.NoError(t, tt.call(client))
			require.Len(t, wire.Dumps, 1)
			wiretest.Golden(t, tt.name, wire.Dumps[0])
		})
	}
}

// TestCreateRefund goes over TLS on loopback.
func TestCreateRefund(t *testing.T) {
	sim := instanttest.New()
	sim.SetSuccess("application/json", `{"refunded":true}`)
	order := sim.AddOrder(refund.MustParseMoney("20.00", "AUD"))
	opts, stop := refundtest.Serve(sim)
	defer stop()
	client, err := sim.Client(opts)
	require.NoError(t, err)
	req := nativeRequest()
	req.DisplayOrderID = order.ID
	got, err := client.CreateRefund(t.Context(), req)
	require.NoError(t, err)
	assert.JSONEq(t, `{"refunded":true}`, string(got.Body))
	_, err = client.CreateRefund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrDuplicate)
	req.StoreCode = "other_store"
	_, err = client.CreateRefund(t.Context(), req)
	require.ErrorIs(t, err, refund.ErrOrderNotFound)
	assert.Equal(t, []refund.Money{refund.MustParseMoney("10.99", "AUD")}, sim.Ledger(order))
}

// dyingServer answers the first request on a connection and reads the second, but closes the connection then: as a
// server does that dies after it has acted. It keeps the bytes of all requests.
type dyingServer struct {
	url string

	mu       sync.Mutex
	requests []string
}

func newDyingServer(t *testing.T) *dyingServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	s := &dyingServer{url: "http://" + listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

func (s *dyingServer) serve(conn net.Conn) {
	defer conn.Close() //nolint:errcheck // cut on purpose
	var raw bytes.Buffer
	reader := bufio.NewReader(io.TeeReader(conn, &raw))
	for n := range 2 {
		req, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body) //nolint:errcheck // the raw bytes are looked at
		s.mu.Lock()
		s.requests = append(s.requests, raw.String())
		s.mu.Unlock()
		raw.Reset()
		if n == 0 {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") //nolint:errcheck // the client would notice
		}
	}
}

func (s *dyingServer) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// TestNoReplayBelow: net/http repeats a POST with an Idempotency-Key by itself when its pooled connection dies, which
// would pay twice. Each refund has a connection of its own, so that none meets one that is about to die.
func TestNoReplayBelow(t *testing.T) {
	server := newDyingServer(t)
	pool := &http.Transport{}
	t.Cleanup(pool.CloseIdleConnections)
	client := newClient(t, pool, func(cfg *instant.Config) { cfg.BaseURL = server.url })
	for _, key := range []string{"first", "second", "third"} {
		_, err := client.Refund(t.Context(), request(key, "10.00"))
		require.NoError(t, err, "the server dies with the second request of a connection")
	}
	require.Len(t, server.seen(), 3)
	for _, raw := range server.seen() { // on the wire too the names are the documented ones, in lower case where net/http acts on them
		assert.Contains(t, raw, "\r\nX-Instant-App-Auth: "+instanttest.AppAuth+"\r\n")
		assert.Contains(t, raw, "\r\nX-Instant-App-Id: "+instanttest.AppID+"\r\n")
		assert.Contains(t, raw, "\r\nidempotency-key: ")
		assert.Contains(t, raw, "\r\nConnection: close\r\n")
	}

	// The danger is real: the same with net/http alone.
	server = newDyingServer(t)
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.url, strings.NewReader("{}"))
		require.NoError(t, err)
		req.Header.Set("Idempotency-Key", "k")
		resp, err := (&http.Client{Transport: pool}).Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	assert.Len(t, server.seen(), 3)
}
