package orderrows

import (
	"net/http"
	"strings"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const provider = "orderrows"

// Config is what a Client needs. All fields but those of Options and NoLookup are required. There is no environment to
// choose: the credentials decide which of a merchant's environments is meant.
type Config struct {
	refund.Options

	// User and Password are those of an API user, as Geins Merchant Center shows them.
	User     string
	Password refund.Secret
	// APIKey is the Management API key of the account. It is needed beside User and Password.
	APIKey refund.Secret
	// Currency of the orders, in ISO 4217. The API takes amounts without one and reads them in the order's, so that
	// orders in another currency need a client of their own. Refunds in any other are refused before sending.
	Currency string

	// NoLookup keeps Refund from reading the order's refunds before it sends. A repeat of the same key is then a second
	// refund: set it only if a journal stands in front, or if the key has been looked for already.
	NoLookup bool
}

// Client refunds orders through the Geins Management API. Safe for concurrent use.
type Client struct {
	http     *httpx.Client
	caps     refund.Capabilities
	currency string
	noLookup bool
}

// New checks cfg and makes a Client. No I/O, no reading of the environment. Every error is a *refund.Error of kind
// ErrInvalidRequest that names the field.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	basic := httpx.Basic(cfg.User, cfg.Password.Reveal())
	client, err := httpx.New(httpx.Config{
		Provider:       provider,
		Options:        cfg.Options,
		BaseURL:        "https://mgmtapi.geins.io",
		ConnectTimeout: connectTimeout,
		WriteTimeout:   writeTimeout,
		ReadTimeout:    readTimeout,
		Header: http.Header{ // both credentials with every request (OpenAPI document, security)
			"Accept":        {"application/json"},
			"Authorization": {"Basic " + basic},
			"X-ApiKey":      {cfg.APIKey.Reveal()},
		},
		Secrets:  []string{cfg.Password.Reveal(), cfg.APIKey.Reveal(), basic},
		Classify: classify,
	})
	if err != nil {
		return nil, err
	}
	return &Client{http: client, caps: capabilities(cfg.Currency, cfg.NoLookup), currency: cfg.Currency, noLookup: cfg.NoLookup}, nil
}

func (cfg *Config) check() error {
	bad := func(field, problem string) error { return httpx.Invalid(provider, "new", field, problem) }
	switch {
	case cfg.User == "":
		return bad("User", "is empty; it is the name of an API user of Geins Merchant Center")
	case strings.Contains(cfg.User, ":"):
		return bad("User", "has a colon, which its place in the headers does not allow")
	case cfg.Password.IsZero():
		return bad("Password", "is empty; Geins Merchant Center issues it with the API user")
	case cfg.APIKey.IsZero():
		return bad("APIKey", "is empty; the API wants it beside the API user")
	case !httpx.Word(cfg.APIKey.Reveal()):
		return bad("APIKey", "has a space or a character that is not ASCII, which a header does not allow")
	}
	if _, err := refund.MoneyFromMinor(0, cfg.Currency); err != nil {
		return bad("Currency", `must be the orders' currency, in ISO 4217, such as "SEK"`)
	}
	return nil
}

// No timeouts are documented. 60 s is what the official JavaScript SDK waits (sdk-api-mgmt-javascript, client), 10 s to
// connect is this module's own.
const (
	connectTimeout = 10 * time.Second
	writeTimeout   = 60 * time.Second
	readTimeout    = 60 * time.Second
)
