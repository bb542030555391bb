package httpx

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

func TestBaseURL(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // what comes of it; "" if it is refused
		"https://gateway.test":            "https://gateway.test/orders",
		"https://gateway.test/":           "https://gateway.test/orders",
		"https://gateway.test//":          "https://gateway.test/orders",
		"https://gateway.test:8443/a/b/":  "https://gateway.test:8443/a/b/orders",
		"https://gateway.test/a%2Fb":      "https://gateway.test/a%2Fb/orders",
		"HTTPS://gateway.test":            "https://gateway.test/orders",
		"http://localhost":                "http://localhost/orders",
		"http://localhost:8080/base":      "http://localhost:8080/base/orders",
		"http://127.0.0.1:8080":           "http://127.0.0.1:8080/orders",
		"http://127.1.2.3":                "http://127.1.2.3/orders",
		"http://[::1]:8080":               "http://[::1]:8080/orders",
		"http://[::1]":                    "http://[::1]/orders",
		"":                                testBase + "/orders",
		"https://pay_gateway.test":        "https://pay_gateway.test/orders",
		"https://xn--gteway-3fg.test":     "https://xn--gteway-3fg.test/orders",
		"https://gateway.test:65535":      "https://gateway.test:65535/orders",
		"https://gateway.test/a..b":       "https://gateway.test/a..b/orders",
		"https://*":                       "",
		"https://*.gateway.test":          "",
		"https://g\u0430teway.test":       "", // a Cyrillic letter
		"https://gateway.test:0":          "",
		"https://gateway.test:99999":      "",
		"https://gateway.test/..":         "",
		"https://gateway.test/a/../b":     "",
		"https://gateway.test/./a":        "",
		"http://gateway.test":             "",
		"http://localhost.gateway.test":   "",
		"http://127.0.0.1.gateway.test":   "",
		"http://10.0.0.1":                 "",
		"http://0.0.0.0":                  "",
		"http://[::2]":                    "",
		"http://":                         "",
		"https://":                        "",
		"https://:443":                    "",
		"https:///path":                   "",
		"https:gateway.test":              "",
		"ftp://gateway.test":              "",
		"file:///etc/passwd":              "",
		"gateway.test":                    "",
		"//gateway.test":                  "",
		"/path":                           "",
		" https://gateway.test":           "",
		"https://gateway.test\n":          "",
		"https://%zz":                     "",
		"https://user@gateway.test":       "",
		"https://user:pw@gateway.test":    "",
		"https://@gateway.test":           "",
		"https://gateway.test?a=b":        "",
		"https://gateway.test/?":          "",
		"https://gateway.test/path?":      "",
		"https://gateway.test#f":          "",
		"https://gateway.test/path#":      "",
		"http://localhost@gateway.test":   "",
		"http://gateway.test#@localhost/": "",
	}
	for base, want := range tests {
		var asked string
		cfg := Config{
			Provider: "test", BaseURL: testBase, Classify: func(int, []byte) *Refusal { return nil },
			Options: refund.Options{BaseURL: base, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked = r.URL.String()
				return answer(200, ""), nil
			})},
		}
		c, err := New(cfg)
		if want == "" {
			e := asError(t, err)
			assert.Equal(t, "BaseURL", e.Field, "%q", base)
			assert.Equal(t, refund.ErrInvalidRequest, e.Kind)
			assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
			assert.NotContains(t, e.Error(), "pw", "a password in a URL is not repeated")
			continue
		}
		require.NoError(t, err, "%q", base)
		_, err = do(t.Context(), c, &operation{Name: "list", Call: Call{Method: http.MethodGet, Path: []string{"orders"}}})
		require.NoError(t, err, "%q", base)
		assert.Equal(t, want, asked, "%q", base)
	}
}

func TestPathSegments(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // the escaped segment; "" if it is refused
		"plain-1_2.3~x":                   "plain-1_2.3~x",
		"a/b":                             "a%2Fb",
		"/":                               "%2F",
		"../..":                           "..%2F..",
		"...":                             "...",
		"..;":                             "..%3B",
		"%2e%2e":                          "%252e%252e",
		"%2F":                             "%252F",
		`a\b`:                             "a%5Cb",
		"a b":                             "a%20b",
		"a?b=c":                           "a%3Fb=c",
		"a#b":                             "a%23b",
		"a:b@c":                           "a:b@c",
		"token:x":                         "token:x",
		"zażółć/日本":                       "za%C5%BC%C3%B3%C5%82%C4%87%2F%E6%97%A5%E6%9C%AC",
		"\u0085\u202e":                    "%C2%85%E2%80%AE",
		"\xff":                            "%FF",
		strings.Repeat("x", 512):          strings.Repeat("x", 512),
		"":                                "",
		".":                               "",
		"..":                              "",
		"a\nb":                            "",
		"a\x00":                           "",
		"\t":                              "",
		"\x7f":                            "",
		"x\r\nHost: other":                "",
		strings.Repeat("x", 513):          "",
		strings.Repeat("a/../", 10<<10/5): "",
	}
	for id, want := range tests {
		var asked *url.URL
		c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = r.URL
			return answer(200, "{}"), nil
		}))
		_, err := do(t.Context(), c, &operation{Name: "read", Call: Call{Method: http.MethodGet, Path: []string{"orders", id, "refunds"}, Effect: Harmless}})
		if want == "" {
			e := asError(t, err)
			assert.Equal(t, refund.ErrInvalidRequest, e.Kind, "%.20q", id)
			assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
			assert.Nil(t, asked, "%.20q", id)
			continue
		}
		require.NoError(t, err, "%.20q", id)
		assert.Equal(t, "/base/orders/"+want+"/refunds", asked.EscapedPath())
		assert.Equal(t, "/base/orders/"+id+"/refunds", asked.Path)
		assert.Equal(t, "provider.test", asked.Host)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	query := url.Values{"since": {"2026-01-01T00:00:00+01:00"}, "id": {"a&b=c", "d e#f/?"}}
	var asked *url.URL
	c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = r.URL
		return answer(200, "{}"), nil
	}))
	call := read()
	call.Query = query
	_, err := do(t.Context(), c, call)
	require.NoError(t, err)
	assert.Equal(t, query, asked.Query())
	assert.Equal(t, "/base/orders/o-1", asked.Path)
	assert.Empty(t, asked.Fragment)
}

func TestBadMethodIsNotSent(t *testing.T) {
	t.Parallel()
	e := failed(t.Context(), t, newClient(t, play(t)), &operation{Name: "read", Call: Call{Method: "GET /"}})
	assert.Equal(t, refund.ErrInvalidRequest, e.Kind)
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	var seen []http.Header
	c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r.Header.Clone())
		return answer(200, "{}"), nil
	}), func(cfg *Config) {
		cfg.Header = http.Header{"Accept": {"application/json"}, "Authorization": {"Basic x"}}
		cfg.Authorize = func(_ context.Context, h http.Header) error {
			h["Authorization"] = []string{"Bearer y"}
			return nil
		}
	})
	_, err := do(t.Context(), c, write(Pays))
	require.NoError(t, err)
	_, err = do(t.Context(), c, read())
	require.NoError(t, err)
	assert.Equal(t, http.Header{
		"Accept": {"application/json"}, "Authorization": {"Bearer y"}, "idempotency-key": {testKey}, // see protect
		"Content-Type": {"application/json"}, "User-Agent": {"refund-go/" + Version},
	}, seen[0])
	assert.Equal(t, http.Header{
		"Accept": {"application/json"}, "Authorization": {"Bearer y"}, "Cache-Control": {"no-cache"}, "User-Agent": {"refund-go/" + Version},
	}, seen[1],
		"one call's headers are not the next one's")
}

func TestUserAgent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ prefix, own, want string }{
		{"", "", "refund-go/" + Version},
		{"shop/7", "", "shop/7 refund-go/" + Version},
		{"shop/7", "module/1 (x)", "shop/7 module/1 (x)"},
	} {
		var seen string
		c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			seen = r.UserAgent()
			return answer(200, "{}"), nil
		}), func(cfg *Config) { cfg.Options.UserAgent, cfg.UserAgent = tt.prefix, tt.own })
		_, err := do(t.Context(), c, read())
		require.NoError(t, err)
		assert.Equal(t, tt.want, seen)
	}
	_, err := New(Config{Provider: "test", BaseURL: testBase, Options: refund.Options{UserAgent: "a\nb"}})
	assert.Equal(t, "UserAgent", asError(t, err).Field)
}

func TestCredentialsAndIDs(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "MzI6YWJjZGVmZ2g=", Basic("32", "abcdefgh")) // Afterpay's documented example
	for s, want := range map[string]bool{"": false, "a b": false, "a\n": false, "é": false, "a-1_~!": true} {
		assert.Equal(t, want, VisibleASCII(s), s)
	}
}

// A header with a line break in it would be another header; net/http refuses it as well, but then it looks as if a
// request may have gone out.
func TestControlCharactersInHeaders(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"a\nb", "a\r\nX-Other: b", "a\x00", "a\x7f", "token\n"} {
		_, err := New(Config{Provider: "test", BaseURL: testBase, Header: http.Header{"X-Custom": {"fine", value}}})
		e := asError(t, err)
		assert.Equal(t, "X-Custom", e.Field, "%q", value)
		assert.Equal(t, refund.ErrInvalidRequest, e.Kind)

		call := write(Pays)
		call.Header = http.Header{"X-Custom": {value}}
		e = failed(t.Context(), t, newClient(t, &http.Transport{}), call)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome, "%q", value)
		assert.Equal(t, "X-Custom", e.Field)
		assert.Zero(t, e.Attempts)

		c := newClient(t, &http.Transport{}, func(cfg *Config) {
			cfg.Authorize = func(_ context.Context, h http.Header) error {
				h["Authorization"] = []string{"Bearer " + value}
				return nil
			}
		})
		e = failed(t.Context(), t, c, write(Pays))
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome, "%q", value)
		assert.Equal(t, "Authorization", e.Field)
		assert.NotContains(t, e.Error(), "token")
	}
}

func TestAuthorizeFails(t *testing.T) {
	t.Parallel()
	cause := errors.New("token endpoint said: s3cr3t-key is wrong for shop@example.com")
	c := newClient(t, play(t), func(cfg *Config) {
		cfg.Secrets = []string{"s3cr3t-key"}
		cfg.Authorize = func(context.Context, http.Header) error { return cause }
	})
	e := failed(t.Context(), t, c, write(Pays))
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	assert.Equal(t, refund.ErrUnavailable, e.Kind, "a source that fails is not one that refuses")
	assert.Equal(t, testKey, e.IdempotencyKey)
	require.ErrorIs(t, e, cause)
	assert.NotContains(t, e.Error(), "s3cr3t")
	assert.NotContains(t, e.Error(), "shop@")
	assert.Contains(t, e.Message, "token endpoint")
}

// Once for each call, however many attempts it takes.
func TestAuthorizeOnce(t *testing.T) {
	t.Parallel()
	asked := 0
	c := newClient(t, play(t, notSent, notSent, replies(200, "{}")), noWait, func(cfg *Config) {
		cfg.Authorize = func(context.Context, http.Header) error { asked++; return nil }
	})
	_, err := do(t.Context(), c, write(Pays))
	require.NoError(t, err)
	assert.Equal(t, 1, asked)
}
