package digitalriver

import (
	"net/http"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const (
	provider = "digitalriver"

	// DefaultVersion is the version of the API that this package is written for.
	DefaultVersion = "2021-03-23"
)

// Config is what a Client needs. There is one host: the key decides between test and live (API structure page).
type Config struct {
	refund.Options

	// APIKey is a secret key (sk_test_..., sk_...) or a restricted one that may write and read refunds and read
	// orders. Required.
	APIKey refund.Secret
	// Version is sent as DigitalRiver-Version, so that the answers do not depend on what the key is pinned to. Empty
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
}

// New checks cfg and makes a Client. No I/O, no reading of the environment. Every error is a *refund.Error of kind
// ErrInvalidRequest that names the field.
func New(cfg Config) (*Client, error) {
	if cfg.Version == "" {
		cfg.Version = DefaultVersion
	}
	if err := cfg.check(); err != nil {
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
	return &Client{http: client, caps: capabilities(cfg.NoLookup), noLookup: cfg.NoLookup}, nil
}

func (cfg *Config) check() error {
	bad := func(field, problem string) error { return httpx.Invalid(provider, "new", field, problem) }
	if cfg.APIKey.IsZero() {
		return bad("APIKey", "is empty; the Dashboard issues it")
	}
	if !httpx.Word(cfg.APIKey.Reveal()) {
		return bad("APIKey", "has a space or a character that a header does not allow")
	}
	if _, err := time.Parse(time.DateOnly, cfg.Version); err != nil {
		return bad("Version", "must be a date, such as "+DefaultVersion)
	}
	return nil
}

// No timeouts are documented: these are an usual one, and that of sfcc_link_digitalriver.
const (
	connectTimeout = 10 * time.Second
	writeTimeout   = 30 * time.Second
	readTimeout    = 30 * time.Second
)
