package httpx

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

type sample struct {
	ID     string          `json:"id"`
	Amount json.Number     `json:"amount"`
	Total  decimal.Decimal `json:"total"`
	Inner  struct {
		Count int `json:"count"`
	} `json:"inner"`
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	var v sample
	require.NoError(t, Unmarshal([]byte(" \r\n\t{\"id\":\"x\",\"amount\":10.10,\"unknown\":[1],\"total\":\"1.50\"}\n"), &v))
	assert.Equal(t, "x", v.ID)
	assert.Equal(t, "10.10", v.Amount.String(), "numbers keep their digits")
	var list []int
	require.NoError(t, Unmarshal([]byte("[1,2]"), &list))
	assert.Equal(t, []int{1, 2}, list)

	for body, part := range map[string]string{
		"":                             "empty",
		" \n":                          "not the provider's JSON",
		"<html><h1>Blocked</h1>":       "<h1>Blocked</h1>",
		"null":                         "not the provider's JSON",
		"true":                         "not the provider's JSON",
		`"text"`:                       "not the provider's JSON",
		"\ufeff{}":                     "not the provider's JSON",
		`{"id":"x"`:                    "cut off",
		`{"id":"private",}`:            "cut off or not JSON",
		`{"id":"x"} trailing`:          "cut off or not JSON",
		`{"id":{"name":"private"}}`:    `"id"`,
		`{"inner":{"count":"secret"}}`: "inner.count",
		`{"total":"private"}`:          "unexpected value",
		`[{"id":"private"}]`:           "unexpected type",
	} {
		err := Unmarshal([]byte(body), new(sample))
		require.Error(t, err, "%q", body)
		assert.Contains(t, err.Error(), part, "%q", body)
		assert.NotContains(t, err.Error(), "private", "values may be personal data: %q", body)
		assert.NotContains(t, err.Error(), "secret", "%q", body)
	}
}

func TestLooksLikeJSON(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		"{": true, "[": true, "\t\r\n {": true,
		"": false, " ": false, "<": false, "x{": false, "\v{": false, "\x00{": false, "1": false,
	} {
		assert.Equal(t, want, looksLikeJSON([]byte(body)), "%q", body)
	}
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	assert.NotEmpty(t, Excerpt(nil))
	got := Excerpt([]byte("<html>\n  <h1>Access\x00 denied</h1>\n mail admin@waf.example"))
	assert.Contains(t, got, "<html> <h1>Access denied</h1> mail")
	assert.NotContains(t, got, "admin")
	assert.Less(t, len(Excerpt([]byte(strings.Repeat("x", 1<<20)))), 8<<10)
}

func TestByStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]refund.Kind{
		401: refund.ErrUnauthorized, 403: refund.ErrForbidden, 429: refund.ErrRateLimited,
		408: refund.ErrUnavailable, 500: refund.ErrUnavailable, 502: refund.ErrUnavailable,
		503: refund.ErrUnavailable, 504: refund.ErrUnavailable,
		400: refund.ErrUnexpected, 404: refund.ErrUnexpected, 302: refund.ErrUnexpected, 200: refund.ErrUnexpected,
		599: refund.ErrUnexpected,
	} {
		r := ByStatus(status, []byte("<html>"))
		assert.Equal(t, want, r.Kind, status)
		assert.Equal(t, refund.OutcomeUnknown, r.Outcome, "a status alone does not say that nothing moved")
		assert.Contains(t, r.Message, "<html>")
		assert.Empty(t, r.Code)
	}
}
