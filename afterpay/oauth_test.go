package afterpay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// endpoint is a token endpoint: after 10 s it gives tokens t1, t2 and so on, unless it is told otherwise.
type endpoint struct {
	calls  atomic.Int32
	status atomic.Int32
	body   atomic.Value
}

func (e *endpoint) RoundTrip(req *http.Request) (*http.Response, error) {
	n := e.calls.Add(1)
	select {
	case <-time.After(10 * time.Second):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	status, body := int(e.status.Load()), fmt.Sprintf(`{"access_token":"t%d","token_type":"Bearer","expires_in":86399}`, n)
	if status == 0 {
		status = http.StatusOK
	}
	if told, ok := e.body.Load().(string); ok && told != "" {
		body = told
	}
	return &http.Response{
		StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: req,
		Header: http.Header{"Location": {"https://evil.example/"}},
	}, nil
}

func tokens(t *testing.T, rt http.RoundTripper) afterpay.TokenSource {
	t.Helper()
	cfg := config()
	cfg.Transport = rt
	source, err := afterpay.NewTokenSource(cfg)
	require.NoError(t, err)
	return source
}

// TestTokenRequest compares with the authentication page.
func TestTokenRequest(t *testing.T) {
	for env, host := range map[afterpay.Environment]string{
		afterpay.Production: "https://merchant-auth.afterpay.com", afterpay.Sandbox: "https://merchant-auth-sandbox.afterpay.com",
	} {
		wire := &wiretest.Transport{Status: http.StatusOK, Body: `{"access_token":"t","expires_in":86399,"token_type":"Bearer"}`}
		cfg := config()
		cfg.Environment, cfg.Transport = env, wire
		source, err := afterpay.NewTokenSource(cfg)
		require.NoError(t, err)
		got, err := source.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "t", got)
		wiretest.Golden(t, "token", strings.Replace(wire.Dumps[0], host, "https://HOST", 1))
	}
}

func TestTokenIsKeptAndRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		source := tokens(t, e)
		began := time.Now()
		get := func() string {
			got, err := source.Token(t.Context())
			require.NoError(t, err)
			return got
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { assert.Equal(t, "t1", get()) })
		}
		wg.Wait()
		assert.EqualValues(t, 1, e.calls.Load(), "one fetch for all")
		<-time.After(time.Until(began.Add(86399*time.Second - 5*time.Minute - time.Second)))
		assert.Equal(t, "t1", get())
		<-time.After(time.Second)
		assert.Equal(t, "t2", get(), "before the first expires")

		// While the endpoint is down, the token before serves, and the endpoint is left alone for some time.
		<-time.After(86399*time.Second - 5*time.Minute)
		e.status.Store(http.StatusServiceUnavailable)
		assert.Equal(t, "t2", get())
		assert.Equal(t, "t2", get())
		assert.EqualValues(t, 3, e.calls.Load())
		<-time.After(5 * time.Minute)
		_, err := source.Token(t.Context())
		require.ErrorIs(t, err, refund.ErrUnavailable, "it has expired")
	})
}

// TestTokenFailure: who waits for a fetch that fails does not ask again, and whose own context ends takes nobody along.
func TestTokenFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.status.Store(http.StatusInternalServerError)
		source := tokens(t, e)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := source.Token(t.Context())
				assert.ErrorIs(t, err, refund.ErrUnavailable)
			})
		}
		wg.Wait()
		assert.EqualValues(t, 1, e.calls.Load())

		e.status.Store(http.StatusOK)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wg.Go(func() {
			_, err := source.Token(short)
			assert.ErrorIs(t, err, refund.ErrUnavailable) //nolint:testifylint // require must not be used on another goroutine
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		synctest.Wait()
		got, err := source.Token(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "t3", got)
		wg.Wait()
	})
}

func TestTokenErrors(t *testing.T) {
	const secret = "abcdefgh"
	for name, tt := range map[string]struct {
		status int
		body   string
		kind   refund.Kind
	}{
		"invalid_client, 401":   {401, `{"error":"invalid_client","error_description":"` + secret + `"}`, refund.ErrUnauthorized},
		"invalid_client, 400":   {400, `{"error":"invalid_client"}`, refund.ErrUnauthorized},
		"another error":         {400, `{"error":"invalid_scope"}`, refund.ErrUnavailable},
		"a page":                {401, `<html>` + secret, refund.ErrUnavailable},
		"invalid_client of 500": {500, `{"error":"invalid_client"}`, refund.ErrUnavailable},
		"too many":              {429, ``, refund.ErrUnavailable},
		"a redirect":            {307, ``, refund.ErrUnavailable},
		"no token":              {200, `{"token_type":"Bearer"}`, refund.ErrUnavailable},
		"no bearer":             {200, `{"access_token":"t","token_type":"mac"}`, refund.ErrUnavailable},
		"no header's text":      {200, `{"access_token":"t\r\nX: y"}`, refund.ErrUnavailable},
		"not JSON":              {200, `access_token=` + secret, refund.ErrUnavailable},
		"endless":               {200, strings.Repeat(" ", 1<<20) + `{"access_token":"t"}`, refund.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{}
				e.status.Store(int32(tt.status))
				e.body.Store(tt.body)
				source := tokens(t, e)
				cfg := config()
				cfg.SecretKey, cfg.TokenSource, cfg.Transport = refund.Secret{}, source, e
				client, err := afterpay.New(cfg)
				require.NoError(t, err)
				_, err = client.Refund(t.Context(), benchRequest())
				require.ErrorIs(t, err, tt.kind)
				assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
				assert.EqualValues(t, 1, e.calls.Load(), "neither a redirect nor the refund went out")
				assert.NotContains(t, fmt.Sprintf("%v %+v %#v %+v", err, err, err, source), secret)
			})
		})
	}
}

// TestTokenNetworkFailures: a cause is shown, a secret in it is not, and a dead endpoint is not waited for forever.
func TestTokenNetworkFailures(t *testing.T) {
	down := errors.New("connection refused")
	_, err := tokens(t, roundTrip(func(*http.Request) (*http.Response, error) { return nil, down })).Token(t.Context())
	require.ErrorIs(t, err, down)
	require.ErrorIs(t, err, refund.ErrUnavailable)

	leak := roundTrip(func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(req.Body)
		require.NoError(t, err)
		return nil, errors.New("cannot send " + string(body))
	})
	_, err = tokens(t, leak).Token(t.Context())
	require.ErrorIs(t, err, refund.ErrUnavailable)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)), "abcdefgh")

	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		hang := roundTrip(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		_, err := tokens(t, hang).Token(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(began))
	})
}

func TestTokenWithoutALifeServesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.body.Store(`{"access_token":"t","expires_in":null}`)
		source := tokens(t, e)
		for range 2 {
			_, err := source.Token(t.Context())
			require.NoError(t, err)
		}
		assert.EqualValues(t, 2, e.calls.Load())
	})
}

func TestNewTokenSourceNamesTheField(t *testing.T) {
	for field, change := range map[string]func(*afterpay.Config){
		"SecretKey":   func(c *afterpay.Config) { c.SecretKey = refund.Secret{} },
		"TokenSource": func(c *afterpay.Config) { c.TokenSource = tokenFunc(nil) },
		"BaseURL":     func(c *afterpay.Config) { c.BaseURL = "http://merchant-auth.afterpay.com" },
		"Transport":   func(c *afterpay.Config) { c.Transport = (*http.Transport)(nil) },
	} {
		cfg := config()
		change(&cfg)
		source, err := afterpay.NewTokenSource(cfg)
		assert.Nil(t, source)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, field, e.Field)
	}
}

// TestRefundWithTokens refunds at the simulator with tokens of its endpoint.
func TestRefundWithTokens(t *testing.T) {
	sim := afterpaytest.New()
	cfg := sim.Config()
	source, err := afterpay.NewTokenSource(cfg)
	require.NoError(t, err)
	cfg.TokenSource, cfg.SecretKey = source, refund.Secret{}
	client, err := afterpay.New(cfg)
	require.NoError(t, err)
	order := sim.AddOrder(refund.MustParseMoney("10.00", "AUD"))
	_, err = client.Refund(t.Context(), refund.Request{IdempotencyKey: "k", Order: order, Amount: refund.MustParseMoney("10.00", "AUD")})
	require.NoError(t, err)
	assert.Len(t, sim.Ledger(order), 1)
}
