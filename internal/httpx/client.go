package httpx

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/multirefund/refund-go/refund"
)

// Version is the module's version, for User-Agents.
const Version = "0.1.0"

const (
	defaultMaxBody        = 1 << 20
	defaultConnectTimeout = 10 * time.Second
	defaultAttempts       = 3
	defaultMinDelay       = 500 * time.Millisecond
	defaultMaxDelay       = 10 * time.Second
)

// Config is what a provider's New tells about the provider, beside the user's own Options.
type Config struct {
	Provider string
	Options  refund.Options

	BaseURL        string        // the provider's address, without a trailing slash
	ConnectTimeout time.Duration // the documented ones; 0 means none is documented
	WriteTimeout   time.Duration // for the answer of a write, once connected
	ReadTimeout    time.Duration // for the answer of a read, once connected

	// UserAgent is the provider's own pattern; empty means the module's name and version. The user's prefix is put in
	// front of either.
	UserAgent string
	// Header goes with every request.
	Header http.Header
	// Authorize adds what has to be fetched first. Called once for each call; nil if Header has everything.
	Authorize func(context.Context, http.Header) error
	// Secrets are values that must never appear in a message.
	Secrets []string

	// RequestID names the headers that carry the provider's id of an exchange, first match wins.
	RequestID []string
	// Classify reads an answer by the provider's table of errors. Nil means success.
	Classify func(status int, body []byte) *Refusal
	// InFlight is the status which says that the same key is being processed; 0 if the provider has none.
	InFlight int
	// ThrottledFirst says that the provider documents to turn a 429 away before looking at the request.
	ThrottledFirst bool
}

// Client makes calls to one provider. Safe for concurrent use.
type Client struct {
	cfg     Config // without Header and Secrets
	private func() *private
	base    string
	retry   *retryablehttp.Client
	policy  refund.RetryPolicy
	budget  budget
}

// private is what printing a client must not show. It is behind a closure, because fmt and the dumpers of test
// libraries reach into unexported fields.
type private struct {
	header  http.Header
	secrets []string
}

// New checks cfg and makes a Client. No I/O. Every error is a *refund.Error that names the field.
func New(cfg Config) (*Client, error) {
	hidden := &private{header: cfg.Header.Clone(), secrets: slices.DeleteFunc(slices.Clone(cfg.Secrets), func(s string) bool { return s == "" })}
	c := &Client{cfg: cfg, policy: policy(cfg.Options.Retry), private: func() *private { return hidden }}
	c.cfg.Header, c.cfg.Secrets = nil, nil
	c.budget.tokens.Store(budgetSize)
	base, problem := checkBaseURL(cfg.Options.BaseURL)
	if problem != "" {
		return nil, Invalid(cfg.Provider, "new", "BaseURL", problem)
	}
	if c.base = base; base == "" {
		c.base = cfg.BaseURL
	}
	agent := strings.TrimSpace(cfg.Options.UserAgent + " " + cmp.Or(cfg.UserAgent, "refund-go/"+Version))
	if !printable(agent) {
		return nil, Invalid(cfg.Provider, "new", "UserAgent", "has a control character; a header carries printable text only")
	}
	if hidden.header == nil {
		hidden.header = http.Header{}
	}
	hidden.header["User-Agent"] = []string{agent}
	if name := unprintable(cfg.Header); name != "" {
		return nil, Invalid(cfg.Provider, "new", name, "has a control character; a header carries printable text only")
	}
	if nilInterface(cfg.Options.Transport) {
		return nil, Invalid(cfg.Provider, "new", "Transport", "holds a nil pointer; leave the field unset for the default transport")
	}
	connect := cfg.Options.ConnectTimeout
	if connect == 0 {
		connect = cfg.ConnectTimeout
	}
	if connect == 0 {
		connect = defaultConnectTimeout
	}
	next := cfg.Options.Transport
	if next == nil {
		next = newTransport(max(connect, 0))
	}
	c.cfg.ConnectTimeout = max(connect, 0)
	c.retry = &retryablehttp.Client{
		// Logger stays nil: it would print URLs. The transport has no CloseIdleConnections, so that a failed call
		// does not flush the pool of whoever else uses it.
		HTTPClient:   &http.Client{Transport: attempts{c, next}, CheckRedirect: neverFollow},
		RetryMax:     c.policy.MaxAttempts - 1,
		RetryWaitMin: c.policy.MinDelay,
		RetryWaitMax: c.policy.MaxDelay,
		CheckRetry:   checkRetry,
		Backoff:      backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return c, nil
}

// Provider returns the provider's name.
func (c *Client) Provider() string { return c.cfg.Provider }

func neverFollow(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// timeout bounds one attempt of call; 0 means no limit.
func (c *Client) timeout(call *Call) time.Duration {
	if t := c.cfg.Options.AttemptTimeout; t != 0 {
		return max(t, 0)
	}
	answer := c.cfg.WriteTimeout
	if call.Read {
		answer = c.cfg.ReadTimeout
	}
	if answer == 0 {
		return 0
	}
	return c.cfg.ConnectTimeout + answer
}

// checkBaseURL returns base without a trailing slash, or what is wrong with it.
func checkBaseURL(base string) (clean, problem string) {
	if base == "" {
		return "", ""
	}
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Hostname() == "":
		return "", "is not a URL; write it like https://host or https://host/path"
	case u.User != nil || strings.ContainsAny(base, "?#"): // an empty one too: it would swallow the path
		return "", "has credentials, a query or a fragment; only scheme, host and path are allowed"
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback(u.Hostname()):
	default:
		return "", "must be https; http is allowed on a loopback host only"
	}
	return strings.TrimRight(base, "/"), ""
}

// Invalid makes the error of a value refused before any I/O.
func Invalid(provider, op, field, problem string) *refund.Error {
	return &refund.Error{
		Provider: provider, Op: op, Kind: refund.KindInvalidRequest, Outcome: refund.OutcomeNotSent,
		Field: field, Message: problem,
	}
}

// Problem is the message of a *refund.Error, to be said again of another field.
func Problem(err error) string {
	var e *refund.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// Basic is the credentials part of a Basic Authorization header.
func Basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// Word reports whether s is visible ASCII without spaces, fit for a header or an id.
func Word(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
