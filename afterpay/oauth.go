package afterpay

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

const (
	tokenScope   = "merchant_api_v2" // authentication page
	tokenLife    = 24 * time.Hour    // authentication page: 86399 s; more than a day is not believed
	tokenMargin  = 5 * time.Minute   // assumption: a token is renewed that long before it expires
	tokenPause   = 30 * time.Second  // assumption: after a failure, while the token before is still good
	maxTokenBody = 64 << 10
)

// NewTokenSource makes a TokenSource that gets its tokens with the MerchantID and the SecretKey of cfg, by the client
// credentials grant of OAuth 2: POST https://merchant-auth.afterpay.com/v2/oauth2/token, or at merchant-auth-sandbox. It is
// for a Config with the same fields but SecretKey:
//
//	tokens, err := afterpay.NewTokenSource(cfg)
//	cfg.TokenSource, cfg.SecretKey = tokens, refund.Secret{}
//
// It keeps a token, renews it before it expires, and asks for one at a time, without trying again. It uses cfg's Options; with
// a BaseURL the endpoint is there.
//
// A token that Afterpay refuses before it expires is not replaced: make another source, as for another SecretKey.
//
// Its errors are ErrUnauthorized if the endpoint says invalid_client, else ErrUnavailable.
func NewTokenSource(cfg Config) (TokenSource, error) {
	op := httpx.Setup(provider, cfg.Options)
	if cfg.TokenSource != nil {
		return nil, op.Invalid("TokenSource", "is set; this makes one, from MerchantID and SecretKey")
	}
	if err := cfg.check(op); err != nil {
		return nil, err
	}
	opts := cfg.Options
	opts.Retry = refund.RetryPolicy{MaxAttempts: 1}
	client, err := httpx.New(httpx.Config{
		Provider:       provider,
		Options:        opts,
		BaseURL:        tokenURL(cfg.Environment),
		ConnectTimeout: connectTimeout,
		ReadTimeout:    readTimeout,
		UserAgent:      cfg.userAgent(),
		Header:         http.Header{"Accept": {"application/json"}},
		Secrets:        []string{cfg.SecretKey.Reveal()},
		Classify:       classifyToken,
	})
	if err != nil {
		return nil, err
	}
	return &clientCredentials{http: client, merchantID: cfg.MerchantID, secretKey: cfg.SecretKey, turn: make(chan struct{}, 1)}, nil
}

func tokenURL(e Environment) string {
	if e == Sandbox {
		return "https://merchant-auth-sandbox.afterpay.com"
	}
	return "https://merchant-auth.afterpay.com"
}

// clientCredentials is the TokenSource of NewTokenSource.
type clientCredentials struct {
	http       *httpx.Client
	merchantID string
	secretKey  refund.Secret

	turn chan struct{} // has an element while a token is being fetched
	mu   sync.Mutex
	held token
	last failure
}

type token struct {
	value            refund.Secret
	renewAt, expires time.Time
}

type failure struct {
	at  time.Time
	err error
}

// Token implements TokenSource.
func (c *clientCredentials) Token(ctx context.Context) (string, error) {
	began := time.Now()
	if held, ok := c.current(began); ok {
		return held, nil
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		_, err := c.fetch(ctx) // which says so, and sends nothing
		return "", err
	}
	if held, ok := c.current(time.Now()); ok {
		return held, nil
	}
	if err := c.since(began); err != nil {
		return "", err // of whoever had the turn: the endpoint was asked for all who waited
	}
	got, err := c.fetch(ctx)
	return c.keep(ctx, got, err)
}

// current returns the token that is held, unless it should be renewed first.
func (c *clientCredentials) current(now time.Time) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.value.Reveal(), now.Before(c.held.renewAt)
}

// since returns the failure of a fetch that ended after began.
func (c *clientCredentials) since(began time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.at.After(began) {
		return c.last.err
	}
	return nil
}

// keep holds what a fetch has brought. If it failed, the token before serves until it expires.
func (c *clientCredentials) keep(ctx context.Context, got token, err error) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil:
		c.held = got
	case now.Before(c.held.expires):
		c.held.renewAt = now.Add(tokenPause)
		if c.held.expires.Before(c.held.renewAt) {
			c.held.renewAt = c.held.expires
		}
	default:
		if ctx.Err() == nil { // else it is the failure of this caller alone
			c.last = failure{now, err}
		}
		return "", err
	}
	return c.held.value.Reveal(), nil
}

func (c *clientCredentials) fetch(ctx context.Context) (token, error) {
	began := time.Now()
	got, _, err := httpx.Fetch(ctx, c.http.Op("get token", refund.Attempt{}), httpx.Call{
		Method: http.MethodPost,
		Path:   []string{"v2", "oauth2", "token"},
		Form: url.Values{
			"grant_type": {"client_credentials"}, "client_id": {c.merchantID}, "client_secret": {c.secretKey.Reveal()}, "scope": {tokenScope},
		},
		Effect:  httpx.Harmless,
		MaxBody: maxTokenBody,
	}, (*tokenResponse).problem)
	if err != nil {
		var e *refund.Error
		if errors.As(err, &e) && e.Kind != refund.ErrUnauthorized {
			e.Kind = refund.ErrUnavailable // the endpoint may answer better the next time
		}
		return token{}, err
	}
	seconds, err := strconv.ParseInt(string(got.ExpiresIn), 10, 32)
	if err != nil {
		seconds = 0 // how long it is good is not known: it serves once
	}
	life := min(max(time.Duration(seconds)*time.Second, 0), tokenLife)
	return token{
		value: refund.NewSecret(got.AccessToken), expires: began.Add(life), renewAt: began.Add(life - min(tokenMargin, life/2)),
	}, nil
}

// tokenResponse is the response of the token endpoint.
type tokenResponse struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   text   `json:"expires_in"`
}

func (r *tokenResponse) problem() string {
	if !httpx.VisibleASCII(r.AccessToken) || r.TokenType != "" && !strings.EqualFold(r.TokenType, "Bearer") {
		return "the response has no bearer token"
	}
	return ""
}

// classifyToken reads a response of the token endpoint. That of an error is not documented: OAuth 2 (RFC 6749, 5.2) has 400
// or 401 with invalid_client for credentials that are wrong.
func classifyToken(status int, body []byte) *httpx.Refusal {
	if status == http.StatusOK {
		return nil
	}
	var got struct {
		Error text `json:"error"`
	}
	r := &httpx.Refusal{Kind: refund.ErrUnavailable, Outcome: refund.OutcomeRejected}
	if json.Unmarshal(body, &got) == nil && got.Error == "invalid_client" && (status == http.StatusBadRequest || status == http.StatusUnauthorized) {
		r.Kind, r.Code, r.Message = refund.ErrUnauthorized, string(got.Error), "MerchantID and SecretKey are refused"
	}
	return r
}
