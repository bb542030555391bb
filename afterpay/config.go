package afterpay

import (
	"context"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const provider = "afterpay"

// The timeouts and limits. Those without a source are assumptions, see the package comment.
const (
	connectTimeout = 10 * time.Second // Create Refund page: open 10 s, read 70 s; reads: open 10 s, read 20 s
	writeTimeout   = 70 * time.Second
	readTimeout    = 20 * time.Second

	window    = 120 * 24 * time.Hour // Create Refund page
	keyLife   = 24 * time.Hour       // the shorter of two documented figures (idempotent-requests page)
	keyMargin = time.Hour

	maxOrderID         = 64
	maxToken           = 256
	maxReference       = 64  // refund object page; 85 elsewhere
	maxRefundReference = 128 // Create Refund page

	defaultLimit = 100 // payments per page
	maxLimit     = 250 // list-payments page
	maxList      = 16 << 20
)

// Environment selects Afterpay's host and goes with its own credentials.
type Environment string

// The environments. Both serve all regions; the credentials decide (developers.cash.app, API introduction).
const (
	Production Environment = "production" // https://global-api.afterpay.com
	Sandbox    Environment = "sandbox"    // https://global-api-sandbox.afterpay.com
)

// Config is what a Client needs. All fields but those of Options, TokenSource and EnforceWindow are required.
type Config struct {
	refund.Options

	Environment Environment
	// MerchantID and SecretKey are the credentials, one pair per region and environment.
	MerchantID string
	SecretKey  refund.Secret
	// TokenSource replaces SecretKey: the requests carry its bearer token.
	TokenSource TokenSource
	// Currency of the account: AUD, CAD, EUR, GBP, NZD or USD. Refunds in any other are refused before sending.
	Currency string

	// MerchantName, Platform and MerchantURL make the mandatory User-Agent. Platform is the shop system with its
	// version, such as "MyShop/3.1".
	MerchantName, Platform, MerchantURL string

	// EnforceWindow refuses a refund later than 120 days after Request.PurchasedAt with ErrWindowExpired before
	// sending. By default it is sent, because Afterpay refuses it safely itself, and time zones and contracts are
	// its business; if it is accepted all the same, Refund.Warnings says so.
	EnforceWindow bool
}

// TokenSource supplies OAuth2 access tokens. Safe for concurrent use; it caches and renews tokens itself. NewTokenSource
// makes one; one of your own is for tokens that a service of yours keeps.
//
// An error of it that is a *refund.Error keeps its kind, any other is ErrUnavailable: nothing is sent then.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
}

// Client refunds orders at Afterpay. Safe for concurrent use.
type Client struct {
	http          *httpx.Client
	caps          refund.Capabilities
	currency      string
	enforceWindow bool
}

// New checks cfg and makes a Client. No I/O, no reading of the environment. Every error is a *refund.Error of kind
// ErrInvalidRequest that names the field.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(httpx.Setup(provider, cfg.Options)); err != nil {
		return nil, err
	}
	header := http.Header{"Accept": {"application/json"}}
	var authorize func(context.Context, http.Header) error
	basic := httpx.Basic(cfg.MerchantID, cfg.SecretKey.Reveal())
	if cfg.TokenSource == nil {
		header["Authorization"] = []string{"Basic " + basic}
	} else {
		authorize = bearer(cfg.TokenSource)
	}
	client, err := httpx.New(httpx.Config{
		Provider:       provider,
		Options:        cfg.Options,
		BaseURL:        baseURL(cfg.Environment),
		ConnectTimeout: connectTimeout,
		WriteTimeout:   writeTimeout,
		ReadTimeout:    readTimeout,
		UserAgent:      cfg.userAgent(),
		Header:         header,
		Authorize:      authorize,
		Secrets:        []string{cfg.SecretKey.Reveal(), basic},
		RequestID:      []string{"Http-Correlation-Id", "Http_correlation_id"}, // recorded: solidus_afterpay
		Classify:       classify,
		InFlight:       http.StatusConflict,
	})
	if err != nil {
		return nil, err
	}
	c := &Client{http: client, currency: cfg.Currency, enforceWindow: cfg.EnforceWindow}
	c.caps = c.Capabilities()
	return c, nil
}

// CloseIdleConnections closes the connections that the client keeps for later calls, unless Options.Transport is the
// caller's own. The client stays usable.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

func baseURL(e Environment) string {
	if e == Sandbox {
		return "https://global-api-sandbox.afterpay.com"
	}
	return "https://global-api.afterpay.com"
}

// currencies of Afterpay's accounts: today's enum, and EUR of the older global page (Money object pages).
func currencies() []string { return []string{"AUD", "CAD", "EUR", "GBP", "NZD", "USD"} }

func (cfg *Config) check(op *httpx.Op) error {
	switch {
	case cfg.Environment != Production && cfg.Environment != Sandbox:
		return op.Invalid("Environment", "must be afterpay.Production or afterpay.Sandbox")
	case cfg.MerchantID == "":
		return op.Invalid("MerchantID", "is empty; Afterpay issues it with the secret key")
	case strings.ContainsAny(cfg.MerchantID, ":/();") || !httpx.VisibleASCII(cfg.MerchantID):
		return op.Invalid("MerchantID", "has a space or one of : / ( ) ;, which its place in the headers does not allow")
	case cfg.SecretKey.IsZero() && cfg.TokenSource == nil:
		return op.Invalid("SecretKey", "is empty; set it, or TokenSource for OAuth2")
	case !cfg.SecretKey.IsZero() && cfg.TokenSource != nil:
		return op.Invalid("SecretKey", "is set beside TokenSource; set one of them")
	case cfg.TokenSource != nil && httpx.IsNil(cfg.TokenSource):
		return op.Invalid("TokenSource", "holds nil; leave the field unset for SecretKey")
	case !slices.Contains(currencies(), cfg.Currency):
		return op.Invalid("Currency", "must be the account's: one of %s", strings.Join(currencies(), ", "))
	case !comment(cfg.MerchantName):
		return op.Invalid("MerchantName", "is empty or has one of ( ) ; /; the User-Agent needs it")
	case strings.Count(cfg.Platform, "/") != 1 || !comment(strings.Replace(cfg.Platform, "/", "", 1)) ||
		strings.HasPrefix(cfg.Platform, "/") || strings.HasSuffix(cfg.Platform, "/"):
		return op.Invalid("Platform", `must be name/version, such as "MyShop/3.1"; the User-Agent needs it`)
	}
	if u, err := url.Parse(cfg.MerchantURL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || !httpx.VisibleASCII(cfg.MerchantURL) {
		return op.Invalid("MerchantURL", `must be the shop's address, such as "https://shop.example"; the User-Agent needs it`)
	}
	return nil
}

// userAgent follows the documented pattern:
// <Module>/<version> (<Platform>/<version>; <System>/<version>; <Merchantname>/<merchantId>) <merchant URL>
// (developers.cash.app, request headers).
func (cfg *Config) userAgent() string {
	return "refund-go/" + httpx.Version +
		" (" + cfg.Platform + "; Go/" + strings.TrimPrefix(runtime.Version(), "go") + "; " + cfg.MerchantName + "/" + cfg.MerchantID + ") " + cfg.MerchantURL
}

// comment reports whether s can stand in the comment of a User-Agent: visible ASCII and spaces without its delimiters.
func comment(s string) bool {
	return !strings.ContainsAny(s, "();/") && httpx.VisibleASCII(strings.ReplaceAll(s, " ", ""))
}

func bearer(source TokenSource) func(context.Context, http.Header) error {
	return func(ctx context.Context, h http.Header) error {
		token, err := source.Token(ctx)
		if err != nil {
			return err
		}
		h["Authorization"] = []string{"Bearer " + token}
		return nil
	}
}
