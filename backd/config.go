package backd

import (
	"net/http"
	"strings"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const provider = "backd"

// The timeouts and limits. Backd documents none: all are assumptions, see the package comment.
const (
	connectTimeout = 10 * time.Second
	writeTimeout   = 60 * time.Second
	readTimeout    = 20 * time.Second

	maxOrderID    = 128
	maxMerchantID = 128

	// lockMargin is how long before a request locks it is not replaced any more: longer than a write may take, and than
	// clocks usually differ by.
	lockMargin = 2 * time.Minute

	currency = "USD" // of all amounts
)

// Environment selects Backd's host and goes with its own pair of keys.
type Environment string

// The environments (api_auth page).
const (
	Production Environment = "production" // https://service.bnpl.backd.com
	Sandbox    Environment = "sandbox"    // https://sandbox.service.bnpl.backd.com
)

// Config is what a Client needs. All fields but those of Options are required.
type Config struct {
	refund.Options

	Environment Environment
	// PublicKey and SecretKey are the credentials, one pair per environment. Their form is not checked: the examples
	// of the documentation differ.
	PublicKey string
	SecretKey refund.Secret
}

// Client refunds orders at Backd. Safe for concurrent use.
type Client struct {
	http *httpx.Client
	caps refund.Capabilities
}

// New checks cfg and makes a Client. No I/O, no reading of the environment. Every error is a *refund.Error of kind
// ErrInvalidRequest that names the field.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(httpx.Setup(provider, cfg.Options)); err != nil {
		return nil, err
	}
	basic := httpx.Basic(cfg.PublicKey, cfg.SecretKey.Reveal())
	client, err := httpx.New(httpx.Config{
		Provider:       provider,
		Options:        cfg.Options,
		BaseURL:        baseURL(cfg.Environment),
		ConnectTimeout: connectTimeout,
		WriteTimeout:   writeTimeout,
		ReadTimeout:    readTimeout,
		Header: http.Header{
			"Accept":        {"application/json"},
			"Authorization": {"Basic " + basic}, // the public key is the user (api_auth page)
		},
		Secrets:  []string{cfg.SecretKey.Reveal(), basic},
		Classify: classify,
	})
	if err != nil {
		return nil, err
	}
	c := &Client{http: client}
	c.caps = c.Capabilities()
	return c, nil
}

// CloseIdleConnections closes the connections that the client keeps for later calls, unless Options.Transport is the
// caller's own. The client stays usable.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

func baseURL(e Environment) string {
	if e == Sandbox {
		return "https://sandbox.service.bnpl.backd.com"
	}
	return "https://service.bnpl.backd.com"
}

func (cfg *Config) check(op *httpx.Op) error {
	switch {
	case cfg.Environment != Production && cfg.Environment != Sandbox:
		return op.Invalid("Environment", "must be backd.Production or backd.Sandbox")
	case cfg.PublicKey == "":
		return op.Invalid("PublicKey", "is empty; Backd issues it with the secret key")
	case strings.Contains(cfg.PublicKey, ":") || !httpx.VisibleASCII(cfg.PublicKey):
		return op.Invalid("PublicKey", "has a space, a colon or a character that is not ASCII, which Basic authentication does not allow")
	case cfg.SecretKey.IsZero():
		return op.Invalid("SecretKey", "is empty; Backd issues it with the public key")
	}
	return nil
}
