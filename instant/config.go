package instant

import (
	"net/http"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const provider = "instant"

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
	// from the key, as instant-magento2 does. RefundOrder sends what its request says.
	NoIdempotencyKey bool

	// ResendToResolve lets Resolve send a refund once more whose request was never answered, with the same body and
	// key, 15 to 45 seconds after the first. By default nothing is ever sent again.
	//
	// The reasoning: for 60 seconds Instant refuses a second refund of the same order and amount. If the first request
	// was registered, the second is refused with POSSIBLE_DUPLICATE_REFUND, which tells that it was; if it was not, the
	// second makes the refund. This is an inference: no document promises it. It goes wrong
	//
	//   - if somebody else refunds the same amount of the same order within the minute before: that one answers for
	//     yours, which is then taken for made;
	//   - if the first request is still being processed after 15 seconds, and the guard does not see it yet, or if the
	//     second takes more than 10 seconds to arrive: both may be paid;
	//   - if the clocks of the processes that share an Attempt differ by seconds.
	//
	// An answer that leaves the outcome unknown, such as REFUND_FAILURE, is never followed by a second request: the
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
	if err := cfg.check(); err != nil {
		return nil, err
	}
	client, err := httpx.New(httpx.Config{
		Provider:       provider,
		Options:        cfg.Options,
		BaseURL:        baseURL(cfg.Environment),
		ConnectTimeout: connectTimeout,
		WriteTimeout:   writeTimeout,
		// No Accept: what a success answers with is not documented.
		Header: http.Header{
			"X-Instant-App-Auth": {cfg.AppAuth.Reveal()},
			"X-Instant-App-Id":   {cfg.AppID},
		},
		Secrets:  []string{cfg.AppAuth.Reveal()},
		Classify: classify,
	})
	if err != nil {
		return nil, err
	}
	return &Client{
		http: client, caps: capabilities(cfg.Currency), storeCode: cfg.StoreCode, currency: cfg.Currency,
		noKey: cfg.NoIdempotencyKey, resendToResolve: cfg.ResendToResolve,
	}, nil
}

func baseURL(e Environment) string {
	if e == Staging {
		return "https://staging.api.instant.one"
	}
	return "https://api.instant.one"
}

func (cfg *Config) check() error {
	bad := func(field, problem string) error { return httpx.Invalid(provider, "new", field, problem) }
	switch {
	case cfg.Environment != Production && cfg.Environment != Staging:
		return bad("Environment", "must be instant.Production or instant.Staging")
	case cfg.AppAuth.IsZero():
		return bad("AppAuth", "is empty; it is the value of X-Instant-App-Auth, which Instant issues")
	case !httpx.Word(cfg.AppAuth.Reveal()):
		return bad("AppAuth", "has a space or a character that is not visible ASCII; the header allows neither")
	case !httpx.Word(cfg.AppID):
		return bad("AppID", "is empty or has a space or a character that is not visible ASCII; it is the value of X-Instant-App-Id, which Instant issues")
	case !httpx.Word(cfg.StoreCode):
		return bad("StoreCode", "is empty or has a space or a character that is not visible ASCII; Instant issues it with the credentials")
	}
	if _, err := refund.MoneyFromMinor(0, cfg.Currency); err != nil {
		return bad("Currency", "must be the store's: an ISO 4217 code of three upper-case letters, such as AUD")
	}
	return nil
}

const (
	connectTimeout = 10 * time.Second // none is documented: this module's own
	writeTimeout   = 30 * time.Second // instant-magento2, Service/DoRequest.php
)
