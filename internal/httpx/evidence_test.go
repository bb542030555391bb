package httpx

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

// What the transport reports decides whether a failure may be said to have moved nothing.
func TestEvidence(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	tests := map[string]struct {
		fail roundTrip
		want refund.Outcome
	}{
		"plain error, nothing reported":   {fails(errReset), refund.OutcomeUnknown},
		"plain dial error":                {fails(dial), refund.OutcomeUnknown}, // an error type alone proves nothing
		"wrapped dial error":              {fails(&url.Error{Op: "Post", URL: "https://x", Err: dial}), refund.OutcomeUnknown},
		"plain read error":                {fails(&net.OpError{Op: "read", Err: errReset}), refund.OutcomeUnknown},
		"plain write error":               {fails(&net.OpError{Op: "write", Err: errReset}), refund.OutcomeUnknown},
		"connection asked for, not given": {notSent, refund.OutcomeNotSent},
		"connection given":                {lost, refund.OutcomeUnknown},
		"dial error after a connection was given": {func(r *http.Request) (*http.Response, error) {
			_, err := lost(r) // a transport that repeats on its own
			return nil, errors.Join(err, dial)
		}, refund.OutcomeUnknown},
		"only GotConn reported": {func(r *http.Request) (*http.Response, error) {
			httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
			return nil, errReset
		}, refund.OutcomeUnknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := failed(t.Context(), t, newClient(t, tt.fail, once), write(Pays))
			assert.Equal(t, tt.want, e.Outcome)
			assert.Equal(t, refund.ErrUnavailable, e.Kind)
			assert.Equal(t, 1, e.Attempts)
			assert.Equal(t, testKey, e.IdempotencyKey)
			wantTries := 0
			if tt.want == refund.OutcomeUnknown {
				wantTries = 1
			}
			assert.Equal(t, wantTries, e.Attempt.Tries)

			e = failed(t.Context(), t, newClient(t, tt.fail, once), read())
			assert.Equal(t, refund.OutcomeNotSent, e.Outcome, "a read moves nothing")
			assert.Zero(t, e.Attempt)
		})
	}
}

// The evidence of one attempt says nothing of the next.
func TestEvidenceIsForgotten(t *testing.T) {
	t.Parallel()
	rt := play(t, notSent, fails(errReset))
	e := failed(t.Context(), t, newClient(t, rt, noWait), write(Pays))
	assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
	assert.Equal(t, 2, e.Attempts)
	assert.Equal(t, 1, e.Attempt.Tries)
}

func TestRefusedConnectionIsNotSent(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	c := newClient(t, nil, noWait, func(cfg *Config) { cfg.Options.BaseURL = "http://" + address })

	e := failed(t.Context(), t, c, write(Pays))

	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	assert.Equal(t, refund.ErrUnavailable, e.Kind)
	assert.Equal(t, 3, e.Attempts, "nothing was sent, so it may be tried again")
	var op *net.OpError
	assert.ErrorAs(t, e, &op)
}

func TestUnknownHostIsNotSent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		notFound bool
		attempts int
	}{
		"no such host":    {true, 1},
		"resolver is ill": {false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: name, IsNotFound: tt.notFound}}
			}}
			e := failed(t.Context(), t, newClient(t, transport, noWait), write(Pays))
			assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
			assert.Equal(t, tt.attempts, e.Attempts)
		})
	}
}

func TestUntrustedCertificateIsNotSent(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request arrived")
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c := newClient(t, nil, func(cfg *Config) { cfg.Options.BaseURL = server.URL })

	e := failed(t.Context(), t, c, write(Pays))

	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	assert.Equal(t, 1, e.Attempts, "the certificate will not be better the next time")
	var cert *tls.CertificateVerificationError
	assert.ErrorAs(t, e, &cert)
}

// A server that speaks no TLS, or none that is new enough.
func TestFailedHandshakeIsNotSent(t *testing.T) {
	t.Parallel()
	baseURL, _ := listen(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") //nolint:errcheck // as far as it comes
	})
	c := newClient(t, nil, noWait, func(cfg *Config) { cfg.Options.BaseURL = "https" + baseURL[len("http"):] })
	e := failed(t.Context(), t, c, write(Pays))
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	assert.Equal(t, 3, e.Attempts)
}

func TestConnectionCutBeforeAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	baseURL, connections := listen(t, func(net.Conn) {})
	c := newClient(t, nil, noWait, func(cfg *Config) { cfg.Options.BaseURL = baseURL })
	e := failed(t.Context(), t, c, write(Pays))
	assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
	assert.EqualValues(t, 1, connections.Load())
}

// A dial that takes too long has sent nothing, however the attempt ends.
func TestTimeoutWhileDialingIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{}) // a dial outlives the request it is for
		defer close(over)
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-over
			return nil, errReset
		}}
		c := newClient(t, transport, noWait, func(cfg *Config) { cfg.Options.AttemptTimeout = time.Second })
		began := time.Now()

		e := failed(t.Context(), t, c, write(Pays))

		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
		assert.Equal(t, 3, e.Attempts)
		assert.Equal(t, 3*time.Second, time.Since(began))
	})
}
