package httpx

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/http"
	"reflect"
	"time"

	"github.com/multirefund/refund-go/refund"
)

const (
	// maxConns bounds the connections to a provider. A call that waits for one has sent nothing, which a burst of dials
	// cannot say.
	maxConns = 64
	// idleTimeout drops idle connections before the usual server does (60 s and more): a write on a connection that the
	// server has just closed is an unknown outcome.
	idleTimeout = 30 * time.Second
	// A connection that has died without a word is found within the sum of the two: until then every call on it ends
	// unknown.
	pingAfter   = 15 * time.Second
	pingTimeout = 5 * time.Second
)

// newTransport is the default transport.
func newTransport(connect time.Duration, opts *refund.Options) *http.Transport {
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 15 * time.Second}
	config := &tls.Config{}
	if opts.TLS != nil {
		config = opts.TLS.Clone()
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return &http.Transport{
		Proxy:                  opts.Proxy,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    connect,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxConnsPerHost:        maxConns,
		MaxIdleConnsPerHost:    maxConns,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// transport is what the attempts go through, and the part of it that this module owns.
func transport(connect time.Duration, opts *refund.Options) (next http.RoundTripper, own *http.Transport) {
	if next = opts.Transport; next == nil {
		own = newTransport(connect, opts)
		next = own
	}
	if opts.WrapTransport != nil {
		next = opts.WrapTransport(next)
	}
	return next, own
}

// watched reports whether net/http is below next.
func watched(next http.RoundTripper, own *http.Transport) bool {
	_, direct := next.(*http.Transport)
	return direct || own != nil
}

// CloseIdleConnections closes the connections that the default transport keeps for later calls. It does nothing to a
// transport of the caller's own.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// connectTimeout bounds dialing; 0 means no limit.
func connectTimeout(opts *refund.Options, documented time.Duration) time.Duration {
	return max(cmp.Or(opts.ConnectTimeout, documented, defaultConnectTimeout), 0)
}

// IsNil reports whether v is nil or holds nil, which is not == nil.
func IsNil(v any) bool {
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Chan, reflect.Slice, reflect.Interface:
		return rv.IsNil()
	default:
		return false
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
