package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

const (
	testBase    = "https://provider.test/base" // a path of its own, so that absolute paths would show
	testKey     = "key-1"
	testAccount = "shop-au"
)

// roundTrip is a transport that may misbehave.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// newClient makes a client of a provider with a table of errors: a JSON body with a code is a refusal that it knows.
func newClient(t *testing.T, rt http.RoundTripper, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{
		Provider:  "test",
		Options:   refund.Options{Account: testAccount, Transport: rt},
		BaseURL:   testBase,
		RequestID: []string{"X-Request-Id", "X-Other-Id"},
		Classify: func(status int, body []byte) *Refusal {
			if status >= 200 && status < 300 {
				return nil
			}
			r := ByStatus(status, body)
			var e struct{ Code, Message string }
			if json.Unmarshal(body, &e) == nil && e.Code != "" {
				r.Code, r.Message = e.Code, e.Message
				if status < 500 && status != http.StatusTooManyRequests && status != http.StatusConflict {
					r.Kind, r.Outcome = refund.ErrNotRefundable, refund.OutcomeRejected
				}
			}
			return r
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	require.NoError(t, err)
	return c
}

// throttledFirst is a provider that documents its 429, and whose table knows it.
func throttledFirst(cfg *Config) {
	cfg.ThrottledFirst = true
	classify := cfg.Classify
	cfg.Classify = func(status int, body []byte) *Refusal {
		r := classify(status, body)
		if status == http.StatusTooManyRequests {
			r.Outcome = refund.OutcomeRejected
		}
		return r
	}
}

// throttledByPage is one whose 429 comes from something in front: the table does not know it.
func throttledByPage(cfg *Config) { cfg.ThrottledFirst = true }

func once(cfg *Config) { cfg.Options.Retry.MaxAttempts = 1 }

// noWait is for tests that are not about time.
func noWait(cfg *Config) { cfg.Options.Retry.MinDelay = -1 }

// operation is a call and the operation that makes it.
type operation struct {
	Call

	Name    string
	Attempt refund.Attempt
}

func do(ctx context.Context, c *Client, o *operation) (*Result, error) {
	return c.Op(o.Name, o.Attempt).Do(ctx, o.Call)
}

func write(effect Effect) *operation {
	return &operation{
		Name:    "refund",
		Attempt: refund.Attempt{Request: refund.Request{IdempotencyKey: testKey, Order: refund.Order{ID: "o-1"}}},
		Call: Call{
			Method: http.MethodPost, Path: []string{"orders", "o-1", "refunds"},
			Header: http.Header{"Idempotency-Key": {testKey}}, Body: json.RawMessage(`{"amount":1}`), Effect: effect,
		},
	}
}

func read() *operation {
	return &operation{Name: "read", Call: Call{Method: http.MethodGet, Path: []string{"orders", "o-1"}, Effect: Harmless}}
}

// failed makes a call that must fail.
func failed(ctx context.Context, t *testing.T, c *Client, o *operation) *refund.Error {
	t.Helper()
	res, err := do(ctx, c, o)
	require.Nil(t, res)
	return asError(t, err)
}

// mustFail is failed where how does not matter.
func mustFail(ctx context.Context, t *testing.T, c *Client, o *operation) {
	t.Helper()
	require.Error(t, failed(ctx, t, c, o))
}

func asError(t *testing.T, err error) *refund.Error {
	t.Helper()
	require.Error(t, err)
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	return e
}

// canned is a transport with these answers, in this order, and no others.
func canned(t *testing.T, answers ...*http.Response) *httpmock.MockTransport {
	t.Helper()
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(httpmock.NewNotFoundResponder(t.Fatal))
	all := httpmock.ResponderFromMultipleResponses(answers, t.Fatal)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		mock.RegisterResponder(method, `=~^https://provider\.test/base/orders/o-1`, all)
	}
	return mock
}

func answer(status int, body string) *http.Response { return httpmock.NewStringResponse(status, body) }

func withHeader(r *http.Response, name, value string) *http.Response {
	r.Header.Set(name, value)
	return r
}

// script is a transport with one step for each attempt. Another attempt fails the test.
type script struct {
	t     *testing.T
	steps []roundTrip
	at    []time.Time // when each attempt came
}

func play(t *testing.T, steps ...roundTrip) *script { return &script{t: t, steps: steps} }

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.at = append(s.at, time.Now())
	if len(s.at) > len(s.steps) {
		s.t.Errorf("attempt %d, of %d expected", len(s.at), len(s.steps))
		return nil, errors.New("unexpected attempt")
	}
	return s.steps[len(s.at)-1](r)
}

// replies answers.
func replies(status int, body string) roundTrip {
	return func(*http.Request) (*http.Response, error) { return answer(status, body), nil }
}

// fails returns an error without any evidence.
func fails(err error) roundTrip {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// notSent fails before a connection is there; lost fails after.
func notSent(r *http.Request) (*http.Response, error) {
	httptrace.ContextClientTrace(r.Context()).GetConn("provider.test:443")
	return nil, errReset
}

func lost(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GetConn("provider.test:443")
	trace.GotConn(httptrace.GotConnInfo{})
	return nil, errReset
}

// hangs gets a connection and then nothing until the context ends.
func hangs(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GetConn("provider.test:443")
	trace.GotConn(httptrace.GotConnInfo{})
	<-r.Context().Done()
	return nil, r.Context().Err()
}

var errReset = errors.New("connection reset by peer")
