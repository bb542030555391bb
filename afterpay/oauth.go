package afterpay

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
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
	tokenTimeout = 30 * time.Second  // assumption: connect 10 s and read 20 s, as for reads
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
// It keeps a token, renews it before it expires, and asks for one at a time. It uses Transport, WrapTransport, Proxy, TLS,
// UserAgent and AttemptTimeout of cfg's Options, follows no redirect and does not try again. With a BaseURL the endpoint is
// there.
//
// A token that Afterpay refuses before it expires is not replaced: make another source, as for another SecretKey.
//
// Its errors are OutcomeNotSent: ErrUnauthorized if the endpoint says invalid_client, else ErrUnavailable.
func NewTokenSource(cfg Config) (TokenSource, error) {
	op := httpx.Setup(provider, cfg.Options)
	if cfg.TokenSource != nil {
		return nil, op.Invalid("TokenSource", "is set; this makes one, from MerchantID and SecretKey")
	}
	if _, err := New(cfg); err != nil { // checks everything
		return nil, err
	}
	op.Name = "get token"
	host := "https://merchant-auth.afterpay.com"
	if cfg.Environment == Sandbox {
		host = "https://merchant-auth-sandbox.afterpay.com"
	}
	if cfg.BaseURL != "" {
		host = strings.TrimRight(cfg.BaseURL, "/")
	}
	timeout := tokenTimeout
	if cfg.AttemptTimeout > 0 {
		timeout = cfg.AttemptTimeout
	}
	return &clientCredentials{
		op: op, endpoint: host + "/v2/oauth2/token", merchantID: cfg.MerchantID, secretKey: cfg.SecretKey,
		agent: strings.TrimSpace(cfg.UserAgent + " " + cfg.userAgent()), timeout: timeout,
		client: &http.Client{
			Transport:     tokenTransport(&cfg.Options),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		turn: make(chan struct{}, 1),
	}, nil
}

// tokenTransport keeps no connection: a token is for a day.
func tokenTransport(opts *refund.Options) http.RoundTripper {
	next := opts.Transport
	if next == nil {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if opts.TLS != nil {
			config = opts.TLS.Clone()
		}
		config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
		next = &http.Transport{
			Proxy: opts.Proxy, TLSClientConfig: config, TLSHandshakeTimeout: connectTimeout, DisableKeepAlives: true,
			ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	if opts.WrapTransport != nil {
		next = opts.WrapTransport(next)
	}
	return next
}

// clientCredentials is the TokenSource of NewTokenSource.
type clientCredentials struct {
	op                          *httpx.Op
	endpoint, merchantID, agent string
	secretKey                   refund.Secret
	timeout                     time.Duration
	client                      *http.Client

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
		return "", c.failed(refund.ErrUnavailable, ctx.Err(), "the context ended while another call fetched a token")
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
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.merchantID}, "client_secret": {c.secretKey.Reveal()}, "scope": {tokenScope},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, c.failed(refund.ErrUnavailable, nil, "the request could not be built")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	began := time.Now()
	resp, err := c.client.Do(req)
	if err != nil {
		return token{}, c.unreachable(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // everything of use has been read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenBody))
	if err != nil {
		return token{}, c.unreachable(ctx, err)
	}
	return c.read(resp.StatusCode, body, began)
}

// read reads a response. Nothing of it is quoted. That of an error is not documented: OAuth 2 (RFC 6749, 5.2) has 400 or 401
// with invalid_client for credentials that are wrong.
func (c *clientCredentials) read(status int, body []byte, began time.Time) (token, error) {
	var got struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   text   `json:"expires_in"`
		Error       text   `json:"error"`
	}
	unreadable := json.Unmarshal(body, &got) != nil
	switch {
	case (status == http.StatusBadRequest || status == http.StatusUnauthorized) && got.Error == "invalid_client":
		return token{}, c.failed(refund.ErrUnauthorized, nil, "the token endpoint refused MerchantID and SecretKey")
	case status != http.StatusOK:
		return token{}, c.failed(refund.ErrUnavailable, nil, "the token endpoint answered with status "+strconv.Itoa(status))
	case unreadable, !httpx.VisibleASCII(got.AccessToken), got.TokenType != "" && !strings.EqualFold(got.TokenType, "Bearer"):
		return token{}, c.failed(refund.ErrUnavailable, nil, "the response of the token endpoint has no bearer token")
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

// unreachable is the error of a request that brought no response. A cause that quotes the secret, as a transport of the
// caller's own might, is dropped.
func (c *clientCredentials) unreachable(ctx context.Context, cause error) error {
	var wrapped *url.Error
	if errors.As(cause, &wrapped) {
		cause = wrapped.Err
	}
	if ended := ctx.Err(); ended != nil {
		return c.failed(refund.ErrUnavailable, ended, "the token endpoint did not answer in time")
	}
	if secret := c.secretKey.Reveal(); strings.Contains(cause.Error(), secret) || strings.Contains(cause.Error(), url.QueryEscape(secret)) {
		return c.failed(refund.ErrUnavailable, nil, "the token endpoint could not be reached")
	}
	return c.failed(refund.ErrUnavailable, cause, "the token endpoint could not be reached: "+cause.Error())
}

func (c *clientCredentials) failed(kind refund.Kind, cause error, message string) error {
	err := c.op.NotSent(kind, "", "%s", message)
	var e *refund.Error
	if errors.As(err, &e) {
		e.Err = cause
	}
	return err
}
