package digitalriver

import (
	"net/http"
	"strings"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const provider = "digitalriver"

// DefaultVersion is the version of the API that this package is written for.
const DefaultVersion = "2021-03-23"

// The timeouts and limits. Those without a source are assumptions, see the package comment.
const (
	connectTimeout = 10 * time.Second
	writeTimeout   = 30 * time.Second // sfcc_link_digitalriver, reads included
	readTimeout    = 30 * time.Second

	rateLimit = 250 // per second and live key; test keys have 25 (rate limiting page)

	maxID     = 128
	maxReason = 64       // characters (Refunds reference page)
	maxPairs  = 20       // the metadata page has this and the next two
	maxKey    = 40       // characters
	maxValue  = 500      // characters
	maxLimit  = 100      // refunds per page (Refunds reference page)
	maxRead   = 16 << 20 // a page of refunds, or an order with all its items
	maxNumber = 64       // bytes of a number in a response

	recheck = 5 * time.Minute // until a refund that hides from the list is looked for again
	giveUp  = 24 * time.Hour  // after the last sending it is a person's
)

// Config is what a Client needs. There is one host: the key decides between test and live (API structure page).
type Config struct {
	refund.Options

	// APIKey is a secret key (sk_test_..., sk_...) or a restricted one that may write and read refunds and read
	// orders. Required.
	APIKey refund.Secret
	// Version is sent as DigitalRiver-Version, so that the responses do not depend on what the key is pinned to. Empty
	// means DefaultVersion; the format is YYYY-MM-DD.
	Version string
	// NoLookup keeps the common Refund from looking for the key before it pays: one GET less, and the same key
	// refunds again. For those who use a journal; required to refund an invoice.
	NoLookup bool
}

// Client refunds orders at Digital River. Safe for concurrent use.
type Client struct {
	http     *httpx.Client
	caps     refund.Capabilities
	noLookup bool
	test     bool
}

// New checks cfg and makes a Client. No I/O, no reading of the environment. Every error is a *refund.Error of kind
// ErrInvalidRequest that names the field.
func New(cfg Config) (*Client, error) {
	if cfg.Version == "" {
		cfg.Version = DefaultVersion
	}
	if err := cfg.check(httpx.Setup(provider, cfg.Options)); err != nil {
		return nil, err
	}
	client, err := httpx.New(httpx.Config{
		Provider:       provider,
		Options:        cfg.Options,
		BaseURL:        "https://api.digitalriver.com",
		ConnectTimeout: connectTimeout,
		WriteTimeout:   writeTimeout,
		ReadTimeout:    readTimeout,
		Header: http.Header{
			"Accept":               {"application/json"},
			"Authorization":        {"Bearer " + cfg.APIKey.Reveal()},
			"Digitalriver-Version": {cfg.Version},
		},
		Secrets:        []string{cfg.APIKey.Reveal()},
		RequestID:      []string{"X-Dr-Requestid"}, // OpenAPI document, introduction
		Classify:       classify,
		ThrottledFirst: true, // rate limiting page
	})
	if err != nil {
		return nil, err
	}
	c := &Client{http: client, noLookup: cfg.NoLookup, test: strings.HasPrefix(cfg.APIKey.Reveal(), "sk_test_")}
	c.caps = c.Capabilities()
	return c, nil
}

// CloseIdleConnections closes the connections that the client keeps for later calls, unless Options.Transport is the
// caller's own. The client stays usable.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

func (cfg *Config) check(op *httpx.Op) error {
	if cfg.APIKey.IsZero() {
		return op.Invalid("APIKey", "is empty; the Dashboard issues it")
	}
	if !httpx.VisibleASCII(cfg.APIKey.Reveal()) {
		return op.Invalid("APIKey", "has a space or a character that a header does not allow")
	}
	if _, err := time.Parse(time.DateOnly, cfg.Version); err != nil {
		return op.Invalid("Version", "must be a date, such as %s", DefaultVersion)
	}
	return nil
}
