package orderrows

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const provider = "orderrows"

// baseURL has no version and no environments: the credentials decide which of a merchant's environments is meant
// (OpenAPI document, servers).
const baseURL = "https://mgmtapi.geins.io"

// The timeouts and limits. No timeouts are documented.
const (
	connectTimeout = 10 * time.Second // assumption: this module's own
	writeTimeout   = 60 * time.Second // what the official SDK waits (sdk-api-mgmt-javascript, client)
	readTimeout    = 60 * time.Second

	maxText        = 1_000  // assumption: characters of a Reference, an Author, an ExternalId or an ApprovalDecidedBy
	maxDescription = 10_000 // assumption: characters

	maxList   = 16 << 20       // assumption: lists have no pages, and each refund carries the rows of its order
	zoneSlack = 24 * time.Hour // more than any two time zones differ by: dates may come without an offset
)

// Config is what a Client needs. All fields but those of Options and NoLookup are required.
type Config struct {
	refund.Options

	// User and Password are those of an API user, as Geins Merchant Center shows them.
	User     string
	Password refund.Secret
	// APIKey is the Management API key of the account. It is needed in addition to User and Password.
	APIKey refund.Secret
	// Currencies of the account's orders, in ISO 4217: one at least, each once. Refunds in any other are refused before
	// sending.
	//
	// The API takes amounts without a currency and reads them in the order's. What an order's currency is, only its
	// refunds tell: if one of them is in another currency than the request, the request is refused before sending, with
	// ErrCurrencyMismatch. An order without refunds tells nothing, and its first refund is not checked: 100.00 SEK asked
	// of an order in EUR are sent, and are 100.00 EUR to Geins.
	Currencies []string

	// NoLookup keeps Refund from reading the order's refunds before it sends. A repeat of the same key is then a second
	// refund, and no currency is compared with the order's. Set it only if a journal stands in front, or if the key has
	// been looked for already.
	NoLookup bool
}

// Client refunds orders through the Geins Management API. Safe for concurrent use.
type Client struct {
	http       *httpx.Client
	caps       refund.Capabilities
	currencies []string
	noLookup   bool
}

// New checks cfg and makes a Client. No I/O, no reading of the environment. Every error is a *refund.Error of kind
// ErrInvalidRequest that names the field.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(httpx.Setup(provider, cfg.Options)); err != nil {
		return nil, err
	}
	basic := httpx.Basic(cfg.User, cfg.Password.Reveal())
	client, err := httpx.New(httpx.Config{
		Provider:       provider,
		Options:        cfg.Options,
		BaseURL:        baseURL,
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
	c := &Client{http: client, currencies: slices.Clone(cfg.Currencies), noLookup: cfg.NoLookup}
	c.caps = c.Capabilities()
	return c, nil
}

// CloseIdleConnections closes the connections that the client keeps for later calls, unless Options.Transport is the
// caller's own. The client stays usable.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

func (cfg *Config) check(op *httpx.Op) error {
	switch {
	case cfg.User == "":
		return op.Invalid("User", "is empty; it is the name of an API user of Geins Merchant Center")
	case strings.Contains(cfg.User, ":"):
		return op.Invalid("User", "has a colon, which its place in the headers does not allow")
	case cfg.Password.IsZero():
		return op.Invalid("Password", "is empty; Geins Merchant Center issues it with the API user")
	case cfg.APIKey.IsZero():
		return op.Invalid("APIKey", "is empty; the API needs it in addition to the API user")
	case !httpx.VisibleASCII(cfg.APIKey.Reveal()):
		return op.Invalid("APIKey", "has a space or a character that is not ASCII, which a header does not allow")
	case len(cfg.Currencies) == 0:
		return op.Invalid("Currencies", `is empty; it must have the currencies of the account's orders, such as "SEK"`)
	}
	for i, currency := range cfg.Currencies {
		if _, ok := refund.Decimals(currency); !ok {
			return op.Invalid("Currencies", "has %.10q, which is not an ISO 4217 code, such as %q", currency, "SEK")
		}
		if slices.Contains(cfg.Currencies[:i], currency) {
			return op.Invalid("Currencies", "has %s twice", currency)
		}
	}
	return nil
}
