package refundtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing/synctest"
)

// serveTLS serves h with net/http over TLS on in-memory connections, which testing/synctest can wait for, and returns
// the server's URL, a transport that trusts it, and what ends both. It needs a bubble of testing/synctest.
func serveTLS(h http.Handler) (baseURL string, transport *http.Transport, stop func()) {
	listener := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := httptest.NewUnstartedServer(h)
	_ = srv.Listener.Close() //nolint:errcheck // the socket is not used
	srv.Listener = listener
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // connections are cut on purpose
	srv.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	transport = &http.Transport{
		DialContext:     listener.dial,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	return "https://" + listener.Addr().String(), transport, func() {
		// Both ends of a TLS connection write when they close. Writes to a net.Pipe wait for a reader, and httptest
		// closes under a lock, which keeps the bubble's clock from ending that wait: so one end after the other.
		synctest.Wait()
		transport.CloseIdleConnections()
		synctest.Wait()
		srv.Close()
	}
}

// pipeListener is a net.Listener whose connections are net.Pipes.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is one that the certificate of net/http/httptest is good for.
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
