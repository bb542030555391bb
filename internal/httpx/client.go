package httpx

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
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
	defaultAbsenceAfter   = time.Hour
	maxAccount            = 64
)

// Config describes a provider: its host, timeouts and error table, together with the caller's Options.
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
	// FreshConnections sends every write over a connection of its own. A pooled connection that the server has just closed
	// makes an unknown outcome, and where that is a person's work it is worth a handshake.
	FreshConnections bool
	// ThrottledFirst says that the provider documents to turn a 429 away before looking at the request. It is then sent
	// again, if Classify knows the response for the provider's own.
	ThrottledFirst bool
}

// Client makes calls to one provider. Safe for concurrent use.
type Client struct {
	cfg     Config // without Header and Secrets
	private func() *private
	base    string          // without a trailing slash
	target  string          // the host of base
	own     *http.Transport // the default transport; nil if the caller has one

	absenceAfter time.Duration
	retry        *retryablehttp.Client
	policy       refund.RetryPolicy
	budget       budget
}

// private is what printing a client must not show. It is behind a closure, because fmt and the dumpers of test
// libraries reach into unexported fields.
type private struct {
	header  http.Header
	secrets []string
}

// New checks cfg and makes a Client. No I/O. Every error is a *refund.Error that names the field.
func New(cfg Config) (*Client, error) {
	o := Setup(cfg.Provider, cfg.Options)
	if problem := accountProblem(cfg.Options.Account); problem != "" {
		return nil, o.Invalid("Account", "%s", problem)
	}
	if cfg.Options.AbsenceAfter < 0 {
		return nil, o.Invalid("AbsenceAfter", "is negative; 0 means an hour")
	}
	hidden := &private{header: cfg.Header.Clone(), secrets: slices.DeleteFunc(slices.Clone(cfg.Secrets), func(s string) bool { return s == "" })}
	c := &Client{cfg: cfg, policy: policy(cfg.Options.Retry), private: func() *private { return hidden }}
	c.cfg.Header, c.cfg.Secrets = nil, nil
	c.budget.tokens.Store(budgetSize)
	base, problem := checkBaseURL(cfg.Options.BaseURL)
	if problem != "" {
		return nil, o.Invalid("BaseURL", "%s", problem)
	}
	if c.base = base; base == "" {
		c.base = cfg.BaseURL
	}
	if u, err := url.Parse(c.base); err == nil {
		c.target = u.Host
	}
	c.absenceAfter = cmp.Or(cfg.Options.AbsenceAfter, defaultAbsenceAfter)
	agent := strings.TrimSpace(cfg.Options.UserAgent + " " + cmp.Or(cfg.UserAgent, "refund-go/"+Version))
	if !printable(agent) {
		return nil, o.Invalid("UserAgent", "has a control character; a header carries printable text only")
	}
	if hidden.header == nil {
		hidden.header = http.Header{}
	}
	hidden.header["User-Agent"] = []string{agent}
	if name := unprintable(cfg.Header); name != "" {
		return nil, o.Invalid(name, "has a control character; a header carries printable text only")
	}
	if cfg.Options.Transport != nil && IsNil(cfg.Options.Transport) {
		return nil, o.Invalid("Transport", "holds nil; leave the field unset for the default transport")
	}
	if cfg.Options.Transport != nil && (cfg.Options.Proxy != nil || cfg.Options.TLS != nil) {
		return nil, o.Invalid("Transport", "is set, so Proxy and TLS would have no effect: they are for the default transport; set one or the other")
	}
	c.cfg.ConnectTimeout = connectTimeout(&cfg.Options, cfg.ConnectTimeout)
	var next http.RoundTripper
	if next, c.own = transport(c.cfg.ConnectTimeout, &cfg.Options); IsNil(next) {
		return nil, o.Invalid("WrapTransport", "returned nil; it must return a transport around the one it is given")
	}
	c.retry = &retryablehttp.Client{
		// Logger stays nil: it would print URLs. The transport has no CloseIdleConnections, so that a failed call
		// does not flush the pool of whoever else uses it.
		HTTPClient:   &http.Client{Transport: attempts{c, next, watched(next, c.own)}, CheckRedirect: neverFollow},
		RetryMax:     c.policy.MaxAttempts - 1,
		RetryWaitMin: c.policy.MinDelay,
		RetryWaitMax: c.policy.MaxDelay,
		CheckRetry:   checkRetry,
		Backoff:      backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return c, nil
}

// Describe completes caps with who the client is, and with when absence counts, where anything can be read.
func (c *Client) Describe(caps refund.Capabilities) refund.Capabilities {
	if c == nil { // of a client that was not made with New
		return caps
	}
	caps.Provider, caps.Account, caps.Target = c.cfg.Provider, c.cfg.Options.Account, c.target
	if caps.ResolvedBy != refund.ResolvedByPerson {
		caps.AbsenceAfter = c.absenceAfter
	}
	return caps
}

func neverFollow(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// timeout bounds one attempt of call; 0 means no limit.
func (c *Client) timeout(call *Call) time.Duration {
	if t := c.cfg.Options.AttemptTimeout; t != 0 {
		return max(t, 0)
	}
	answer := c.cfg.WriteTimeout
	if call.Effect == Harmless {
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
	case !plainHost(u.Hostname()):
		return "", "has a host with other characters than letters, digits, hyphens, underscores and dots; write an international name in its ASCII form"
	case !validPort(u.Port()):
		return "", "has a port that is not between 1 and 65535"
	case slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		return "", "has a dot segment in its path"
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback(u.Hostname()):
	default:
		return "", "must be https; http is allowed on a loopback host only"
	}
	return strings.TrimRight(base, "/"), ""
}

// plainHost reports whether host is an IP address, or a name that looks like no other.
func plainHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// accountProblem returns what is wrong with the name of an account, or "".
func accountProblem(name string) string {
	if len(name) > maxAccount {
		return "is longer than 64 characters"
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == ':', c == '-':
		default:
			return "has a character that is not one of A-Z a-z 0-9 . _ : -"
		}
	}
	return ""
}

// Basic is the credentials part of a Basic Authorization header.
func Basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// VisibleASCII reports whether s is visible ASCII without spaces and not empty, fit for a header or an id.
func VisibleASCII(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
