package edgetest_test

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// edge is a simulator on a real server, and what lies between it and the client.
type edge struct {
	sim    refundtest.Simulator
	server *httptest.Server
	addr   string // what the client dials

	armed atomic.Int32 // how many of the next writes the condition strikes

	mu    sync.Mutex
	busy  int       // handlers that have not returned
	idle  sync.Cond // busy is 0
	pipes []*pipe
	conns []net.Conn // all, to be closed in the end
}

// newEdge serves sim by a protocol, behind the condition.
func newEdge(t *testing.T, sim refundtest.Simulator, protocol string, c *condition) *edge {
	t.Helper()
	e := &edge{sim: sim}
	e.idle.L = &e.mu
	e.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.handling(1)
		defer e.handling(-1)
		if c.strike != nil && r.Method != http.MethodGet && e.strikes() {
			c.strike(e, w, r)
			return
		}
		sim.ServeHTTP(w, r)
	}))
	e.server.Config.ErrorLog = discard() // connections are cut on purpose
	e.server.EnableHTTP2 = protocol == http2
	e.server.StartTLS()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e.addr = front.Addr().String()
	go func() {
		for {
			conn, err := front.Accept()
			if err != nil {
				return
			}
			e.relay(conn, c)
		}
	}()
	t.Cleanup(func() {
		_ = front.Close() //nolint:errcheck // the test is over
		e.mu.Lock()
		for _, conn := range e.conns {
			_ = conn.Close() //nolint:errcheck // the test is over
		}
		e.mu.Unlock()
		e.server.Close()
	})
	return e
}

func (e *edge) handling(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy += n; e.busy == 0 {
		e.idle.Broadcast()
	}
}

// wait waits for the handlers to return.
func (e *edge) wait() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.busy > 0 {
		e.idle.Wait()
	}
}

func (e *edge) strikes() bool { return e.armed.Add(-1) >= 0 }

// client is a client with the module's own transport.
func (e *edge) client(t *testing.T, opts refund.Options) refund.Refunder {
	t.Helper()
	opts.Account, opts.BaseURL = "edge", "https://"+e.addr
	opts.TLS = e.server.Client().Transport.(*http.Transport).TLSClientConfig
	opts.Retry = refund.RetryPolicy{MinDelay: -1, MaxDelay: -1}
	client, err := e.sim.Refunder(opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		if c, ok := client.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	})
	return client
}

// relay connects conn with the server.
func (e *edge) relay(conn net.Conn, c *condition) {
	server, err := net.Dial("tcp", e.server.Listener.Addr().String())
	if err != nil {
		_ = conn.Close() //nolint:errcheck // the client sees it
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conns = append(e.conns, conn, server)
	if c.frames != nil {
		go e.relayFrames(conn, server, c)
		return
	}
	p := &pipe{client: conn, server: server}
	e.pipes = append(e.pipes, p)
	go p.copy(server, conn, &p.deaf)
	go p.copy(conn, server, &p.mute)
}

// reset kills every connection of the client's with a TCP reset.
func (e *edge) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.pipes {
		_ = p.client.(*net.TCPConn).SetLinger(0) //nolint:errcheck // it may be closed
		_ = p.client.Close()                     //nolint:errcheck // it may be closed
	}
}

// blacken lets every connection that there is swallow what comes from then on: responses, and requests too if deaf.
func (e *edge) blacken(deaf bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.pipes {
		p.mute.Store(true)
		p.deaf.Store(deaf)
	}
}

// pipe is a client's connection and the one to the server that it is relayed to.
type pipe struct {
	client, server net.Conn
	deaf, mute     atomic.Bool // swallows what the client says, what the server says
}

func (p *pipe) copy(to, from net.Conn, swallow *atomic.Bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if swallow.Load() { // the end of the connection too
			if err != nil {
				return
			}
			continue
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			_ = to.Close() //nolint:errcheck // it may be closed
			return
		}
	}
}

// The part of HTTP/2 (RFC 9113) that it takes to say no.
const (
	frameHeaders   = 0x1
	frameRSTStream = 0x3
	frameGoAway    = 0x7
	endStream      = 0x1 // a flag
	preface        = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

	noError         = 0x0
	internalError   = 0x2
	refusedStream   = 0x7
	enhanceYourCalm = 0xb
)

// frame is one HTTP/2 frame, with its header of 9 bytes.
type frame []byte

func readFrame(r io.Reader) (frame, error) {
	f := make(frame, 9)
	if _, err := io.ReadFull(r, f); err != nil {
		return nil, err
	}
	n := int(f[0])<<16 | int(f[1])<<8 | int(f[2])
	f = append(f, make([]byte, n)...)
	_, err := io.ReadFull(r, f[9:])
	return f, err
}

func (f frame) stream() uint32 { return binary.BigEndian.Uint32(f[5:]) &^ (1 << 31) }

// headers reports whether f begins a request or a response, and whether it ends it too.
func (f frame) headers() (begins, ends bool) { return f[3] == frameHeaders, f[4]&endStream != 0 }

func newFrame(kind byte, stream uint32, payload ...uint32) []byte {
	f := make([]byte, 9, 9+4*len(payload))
	f[2], f[3] = byte(4*len(payload)), kind
	binary.BigEndian.PutUint32(f[5:], stream)
	for _, n := range payload {
		f = binary.BigEndian.AppendUint32(f, n)
	}
	return f
}

func rstStream(stream, code uint32) []byte { return newFrame(frameRSTStream, stream, code) }

func goAway(last, code uint32) []byte { return newFrame(frameGoAway, 0, last, code) }

// relayFrames relays frame by frame, until a write comes that the condition strikes: one with a body, which reads have not. Then
// the client gets the condition's frames instead of the request's response, and nothing more: the two sides no longer agree on
// compressed headers.
func (e *edge) relayFrames(rawClient, rawServer net.Conn, c *condition) {
	trust := e.server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	trust.ServerName, trust.NextProtos = "127.0.0.1", []string{"h2"}
	client, server := tls.Server(rawClient, e.server.TLS), tls.Client(rawServer, trust)
	if errors.Join(client.Handshake(), server.Handshake()) != nil {
		return
	}
	var mu sync.Mutex // guards what follows, and writing to client
	struck := map[uint32]bool{}
	over := false
	greeted := make(chan struct{}) // the server's SETTINGS have to be the first that the client gets
	greet := sync.OnceFunc(func() { close(greeted) })
	answer := func(stream uint32) {
		over = true
		_, _ = client.Write(slices.Concat(c.frames(stream)...)) //nolint:errcheck // the client may be gone
	}
	go func() { // what the server says
		defer greet()
		for {
			f, err := readFrame(server)
			mu.Lock()
			begins := false
			if err == nil {
				begins, _ = f.headers()
			}
			switch {
			case over:
			case err != nil:
				_ = client.Close() //nolint:errcheck // it may be closed
			case begins && struck[f.stream()]:
				answer(f.stream())
			default:
				_, err = client.Write(f)
				greet()
			}
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	hello := make([]byte, len(preface))
	if _, err := io.ReadFull(client, hello); err != nil {
		return
	}
	if _, err := server.Write(hello); err != nil {
		return
	}
	for { // what the client says
		f, err := readFrame(client)
		if err != nil {
			_ = server.Close() //nolint:errcheck // it may be closed
			return
		}
		<-greeted
		mu.Lock()
		if begins, ends := f.headers(); begins && !ends && !over && e.strikes() {
			if c.acts {
				struck[f.stream()] = true
			} else {
				answer(f.stream())
			}
		}
		if !over {
			_, err = server.Write(f)
		}
		mu.Unlock()
		if err != nil {
			return
		}
	}
}
