package refund

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Options are what every provider's Config has in common. The zero value is ready to use.
type Options struct {
	// Account is your own stable name of the merchant account behind the credentials: up to 64 of A-Z a-z 0-9 . _ : -.
	// It tells two accounts at one provider apart, in a journal, in errors and in metrics. Empty is a name too. Never
	// change it once a refund was made under it.
	Account string
	// AbsenceAfter is how long after it was last sent a refund that is not seen may still appear: proxies deliver late,
	// and reads lag. Only later, and in two reads a minute apart or more, does its absence count. 0 means an hour; it must
	// not be negative.
	AbsenceAfter time.Duration
	// Transport carries the requests. Nil means a pooled transport of this module's own: TLS 1.2 or newer, HTTP/2 with
	// pings, at most 64 connections, no proxy (nothing is read from the environment). It is used as it is and never closed.
	//
	// A replacement must return when the request's context ends. It must not repeat a request, must keep its context, and
	// must not rebuild it with a body that can be rewound: each makes a second refund possible that no setting here can
	// see. What it does not report through net/http/httptrace counts as sent, and a second connection for one attempt as a
	// second sending.
	Transport http.RoundTripper
	// WrapTransport returns a transport around next, for tracing and recording: next is Transport, or the module's own.
	// What Transport must not do, the result must not do either. Nil means next itself.
	WrapTransport func(next http.RoundTripper) http.RoundTripper
	// Proxy says which proxy a request goes through, for the module's own transport: http.ProxyURL makes such a function.
	// Nil means none.
	Proxy func(*http.Request) (*url.URL, error)
	// TLS configures the module's own transport: certificates of a client, authorities to trust. It is cloned; its least
	// version is 1.2. Nil means Go's defaults. With TLS 1.3 a server refuses a client's certificate only after the request
	// may have gone out: that outcome is unknown.
	TLS *tls.Config
	// BaseURL replaces the provider's address, for simulators and gateways: https, or http on a loopback host.
	// Empty means the provider's own.
	BaseURL string
	// UserAgent is put in front of the module's own User-Agent. Empty means nothing is.
	UserAgent string
	// Logger gets one Debug record for each attempt, with provider, operation, attempt, status, duration and
	// request id. Nil means no logging.
	Logger *slog.Logger
	// ConnectTimeout bounds dialing and the TLS handshake of the default transport; a Transport of your own has
	// its own. 0 means the provider's documented value, or 10 s; negative means no limit.
	ConnectTimeout time.Duration
	// AttemptTimeout bounds one attempt, from dialling to the last byte of the answer; the whole call is bounded
	// by its context. 0 means the provider's documented values, negative means no limit.
	AttemptTimeout time.Duration
	// Retry says how often and how long. What may be retried is not an option.
	Retry RetryPolicy
}

// RetryPolicy says how often a request that may be repeated is repeated, and how long to wait before.
type RetryPolicy struct {
	// MaxAttempts counts the first one too. 0 means 3; negative or 1 means no retries.
	MaxAttempts int
	// MinDelay is the range that the first wait is drawn from at random; the range doubles with each attempt, up to
	// MaxDelay. A Retry-After is obeyed up to MaxDelay; beyond it the call ends. 0 means 500 ms and 10 s; negative
	// means no wait.
	MinDelay, MaxDelay time.Duration
}
