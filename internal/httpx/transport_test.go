package httpx

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

// defaultTransport is the transport that c made for itself.
func defaultTransport(t *testing.T, c *Client) *http.Transport {
	t.Helper()
	a, ok := c.retry.HTTPClient.Transport.(attempts)
	require.True(t, ok)
	transport, ok := a.next.(*http.Transport)
	require.True(t, ok)
	return closing(t, transport)
}

func trusting(t *testing.T, c *Client, server *httptest.Server) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	defaultTransport(t, c).TLSClientConfig.RootCAs = roots
}

func TestDefaultTransportSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	var seen atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Proto)
		_, _ = io.WriteString(w, "{}") //nolint:errcheck // as far as it comes
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	c := newClient(t, nil, func(cfg *Config) { cfg.Options.BaseURL = server.URL })
	trusting(t, c, server)
	_, err := do(t.Context(), c, write(Pays))
	require.NoError(t, err)
	assert.Equal(t, "HTTP/2.0", seen.Load())
}

func TestDefaultTransportWantsTLS12(t *testing.T) {
	t.Parallel()
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.TLS = &tls.Config{MinVersion: version, MaxVersion: version}
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		c := newClient(t, nil, once, func(cfg *Config) { cfg.Options.BaseURL = server.URL })
		trusting(t, c, server)
		_, err := do(t.Context(), c, write(Pays))
		assert.Equal(t, ok, err == nil, "%s: %v", tls.VersionName(version), err)
		if err != nil {
			assert.Equal(t, refund.OutcomeNotSent, asError(t, err).Outcome)
		}
	}
}

// A proxy set for the whole machine is no reason to show it other people's money.
func TestDefaultTransportUsesNoProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was used") }))
	t.Cleanup(proxy.Close)
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	// net/http spares loopback hosts the proxy and reads the environment once, so that only the field is proof.
	assert.Nil(t, defaultTransport(t, newClient(t, nil)).Proxy)
}

// Bulk work keeps its connections: what was open for one burst serves the next.
func TestDefaultTransportKeepsConnections(t *testing.T) {
	t.Parallel()
	const workers = 64
	var opened atomic.Int32
	var together sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		together.Done()
		together.Wait()                // all at once, so that each needs a connection
		_, _ = io.WriteString(w, "{}") //nolint:errcheck // as far as it comes
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := newClient(t, nil, func(cfg *Config) { cfg.Options.BaseURL = server.URL })
	defaultTransport(t, c)
	for range 3 {
		together.Add(workers)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				_, err := do(t.Context(), c, write(Pays))
				assert.NoError(t, err)
			})
		}
		wg.Wait()
	}
	assert.EqualValues(t, workers, opened.Load())
}

func TestConnectTimeoutOfTheDefaultTransport(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ documented, set, want time.Duration }{
		{0, 0, defaultConnectTimeout},
		{4 * time.Second, 0, 4 * time.Second},
		{4 * time.Second, time.Second, time.Second},
		{4 * time.Second, -1, 0},
	} {
		c := newClient(t, nil, func(cfg *Config) {
			cfg.ConnectTimeout, cfg.Options.ConnectTimeout = tt.documented, tt.set
		})
		assert.Equal(t, tt.want, defaultTransport(t, c).TLSHandshakeTimeout)
	}
}

// A nil pointer in the interface is not nil, and would fail in the middle of the first refund.
func TestNilTransportPointerIsRefused(t *testing.T) {
	t.Parallel()
	for name, rt := range map[string]http.RoundTripper{"net/http": (*http.Transport)(nil), "another": (*httpmock.MockTransport)(nil)} {
		_, err := New(Config{Provider: "test", BaseURL: testBase, Options: refund.Options{Transport: rt}})
		e := asError(t, err)
		assert.Equal(t, "Transport", e.Field, name)
		assert.Equal(t, refund.ErrInvalidRequest, e.Kind, name)
	}
}

// What one call has seen is not another one's, for the race detector.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet {
			return notSent(r)
		}
		return answer(422, `{"code":"no"}`), nil
	}), once)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			_, err := do(t.Context(), c, write(Pays))
			assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))
			_, err = do(t.Context(), c, read())
			assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
		})
	}
	wg.Wait()
}

// What a middleware writes into a request's headers stays in that request.
func TestHeadersAreNotShared(t *testing.T) {
	t.Parallel()
	var seen []http.Header
	c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r.Header.Clone())
		for _, values := range r.Header {
			values[0] = "overwritten"
		}
		return answer(http.StatusOK, "{}"), nil
	}))
	for range 2 {
		_, err := do(t.Context(), c, write(Pays))
		require.NoError(t, err)
	}
	require.Len(t, seen, 2)
	assert.Equal(t, seen[0], seen[1])
	assert.NotEmpty(t, seen[0]["Content-Type"])
}

// A read is not to be answered by a cache: somebody may pay because of it.
func TestReadsAreNotCached(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]*operation{"no-cache": read(), "": write(Pays)} {
		c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			assert.Equal(t, name, r.Header.Get("Cache-Control"))
			return answer(http.StatusOK, "{}"), nil
		}))
		_, err := do(t.Context(), c, o)
		require.NoError(t, err)
	}
}
