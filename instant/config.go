package instant

import (
	"net/http"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const provider = "instant"

// The timeouts and limits. Those without a source are assumptions, see the package comment.
const (
	connectTimeout = 10 * time.Second
	writeTimeout   = 30 * time.Second // instant-magento2, Service/DoRequest.php

	// When Resolve may send a refund once more: the guard lasts 60 seconds (refunds page). It begins when the first request
	// was begun at the earliest, and that one may have left at any time until its attempt ended.
	resendFrom  = 15 * time.Second // after the attempt ended: the request is registered by then
	resendUntil = 45 * time.Second // after it began
	resendOver  = 50 * time.Second // after it began: not a byte later

	maxOrderID = 255 // characters
	maxKey     = 64
)

// Environment selects Instant's host and goes with its own credentials.
type Environment string

// The environments (refunds page).
const (
	Production Environment = "production" // https://api.instant.one
	Staging    Environment = "staging"    // https://staging.api.instant.one
)

// Config is what a Client needs. All fields but those of Options, NoIdempotencyKey and ResendToResolve are required.
type Config struct {
	refund.Options

	Environment Environment
	// AppAuth and AppID are the credentials, the values of the headers X-Instant-App-Auth and X-Instant-App-Id. Their
	// case counts. Instant's Customer Success Managers issue them, and the store code.
	AppAuth refund.Secret
	AppID   string
	// StoreCode is the store whose orders are refunded.
	StoreCode string
	// Currency of the store: an ISO 4217 code. The API has no field for it, so refunds in any other are refused
	// before sending.
	Currency string

	// NoIdempotencyKey leaves the header Idempotency-Key off the common Refund. By default it carries a UUID derived
	// from the key, as instant-magento2 does. CreateRefund sends what its request says.
	NoIdempotencyKey bool

	// ResendToResolve lets Resolve send a refund once more whose request got no response, with the same body and
	// key, from 15 seconds after the attempt ended until 45 seconds after it began. By default nothing is ever sent again.
	// An attempt that took more than 30 seconds is left to a person: a shorter AttemptTimeout leaves time to ask.
	//
	// The reasoning: for 60 seconds Instant refuses a second refund of the same order and amount. If the first request
	// was registered, the second is refused with POSSIBLE_DUPLICATE_REFUND, which tells that it was; if it was not, the
	// second makes the refund. This is an inference: no document promises it. It goes wrong
	//
	//   - if somebody else refunds the same amount of the same order within the minute before: that refund is then
	//     taken for yours;
	//   - if the first request is still being processed 15 seconds after its attempt ended, and the guard does not see it
	//     yet, or if the second takes more than 10 seconds to arrive: both may be paid;
	//   - if the clocks of the processes that share an Attempt differ by seconds.
	//
	// A response that leaves the outcome unknown, such as REFUND_FAILURE, is never followed by a second request: the
	// refusal of that one could be due to the failure.
	ResendToResolve bool
}

// Client refunds orders at Instant. Safe for concurrent use.
type Client struct {
	http            *httpx.Client
	caps            refund.Capabilities
	storeCode       string
	currency        string
	noKey           bool
	resendToResolve bool
}

// New checks cfg and makes a Client. No I/O, no reading of the environment. Every error is a *refund.Error of kind
// ErrInvalidRequest that names the field.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(httpx.Setup(provider, cfg.Options)); err != nil {
		return nil, err
	}
	client, err := httpx.New(httpx.Config{
		Provider:       provider,
		Options:        cfg.Options,
		BaseURL:        baseURL(cfg.Environment),
		ConnectTimeout: connectTimeout,
		WriteTimeout:   writeTimeout,
		// No Accept: the body of a success is not documented.
		Header: http.Header{
			"X-Instant-App-Auth": {cfg.AppAuth.Reveal()},
			"X-Instant-App-Id":   {cfg.AppID},
		},
		Secrets:          []string{cfg.AppAuth.Reveal()},
		Classify:         classify,
		FreshConnections: true, // an unknown outcome is a person's work
	})
	if err != nil {
		return nil, err
	}
	c := &Client{
		http: client, storeCode: cfg.StoreCode, currency: cfg.Currency,
		noKey: cfg.NoIdempotencyKey, resendToResolve: cfg.ResendToResolve,
	}
	c.caps = c.Capabilities()
	return c, nil
}

// CloseIdleConnections closes the connections that the client keeps for later calls, unless Options.Transport is the
// caller's own. The client stays usable.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

func baseURL(e Environment) string {
	if e == Staging {
		return "https://staging.api.instant.one"
	}
	return "https://api.instant.one"
}

func (cfg *Config) check(op *httpx.Op) error {
	switch {
	case cfg.Environment != Production && cfg.Environment != Staging:
		return op.Invalid("Environment", "must be instant.Production or instant.Staging")
	case cfg.AppAuth.IsZero():
		return op.Invalid("AppAuth", "is empty; it is the value of X-Instant-App-Auth, which Instant issues")
	case !httpx.VisibleASCII(cfg.AppAuth.Reveal()):
		return op.Invalid("AppAuth", "must be visible ASCII without spaces; it goes into a header")
	case !httpx.VisibleASCII(cfg.AppID):
		return op.Invalid("AppID", "must be visible ASCII without spaces; it is the value of X-Instant-App-Id, which Instant issues")
	case !httpx.VisibleASCII(cfg.StoreCode):
		return op.Invalid("StoreCode", "must be visible ASCII without spaces; Instant issues it with the credentials")
	}
	if _, ok := refund.Decimals(cfg.Currency); !ok {
		return op.Invalid("Currency", "must be the store's: an ISO 4217 code of three upper-case letters, such as AUD")
	}
	return nil
}
