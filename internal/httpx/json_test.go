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

// A number that takes minutes to convert is refused before anybody tries; the same digits in a text are none.
func TestAbsurdNumbers(t *testing.T) {
	t.Parallel()
	n, more := strings.Repeat("1", maxNumber), strings.Repeat("1", maxNumber+1)
	escaped := func(s, how string) string { return strings.ReplaceAll(s, "1", how) }
	for body, want := range map[string]bool{
		`{"total":` + n + `}`:                              false,
		`{"total":"` + n + `"}`:                            false,
		`{"total":` + more + `}`:                           true,
		`{"total":-` + n + `}`:                             true,
		`{"total":0.` + more + `}`:                         true,
		`{"total":1e` + n + `}`:                            true,
		`{"total":1E-` + n + `}`:                           true,
		`{"total":"` + more + `"}`:                         true,
		`{"total":"+` + n + `"}`:                           true,
		`{"total":".` + n + `"}`:                           true,
		`{"total":"1e` + n + `"}`:                          true,
		`{"total":"` + more + `x"}`:                        true, // converted up to the x
		`{"total":"` + more + ` "}`:                        true,
		`{"total":"` + escaped(more, `\u0031`) + `"}`:      true,
		`{"total":"` + escaped(more[1:], `\u0031`) + `1"}`: true,
		`{"total":"` + escaped(n, `\u0031`) + `"}`:         false,
		`{"total":"\u002b` + n + `"}`:                      true,
		`{"total":"\u002B` + n + `"}`:                      true,
		`{"` + more + `":1}`:                               true,
		`{"id":"` + more + `"}`:                            true, // no id either
		`{"id":"order ` + more + `"}`:                      false,
		`{"id":"\"` + more + `"}`:                          false,
		`{"id":"\\","total":` + more + `}`:                 true,
		`{"id":"\\\"` + more + `"}`:                        false,
		`{"id":"\u0020` + more + `"}`:                      false,
		`{"id":"\u0061","total":` + more + `}`:             true,
		`{"id":"\u0022` + more + `"}`:                      false,
		`{"id":"` + strings.Repeat("-", 100) + `"}`:        false,
		`{"id":"` + strings.Repeat("x1", 100) + `"}`:       false,
		`[` + strings.Repeat("1,", 100) + `1]`:             false,
		`[1,` + strings.Repeat(" ", 100) + more + `]`:      true,
	} {
		for pad := range maxNumber + 1 { // wherever it stands
			padded := strings.Repeat(" ", pad) + body
			require.Equal(t, want, absurd([]byte(padded)), "%q", padded)
		}
		if want {
			err := Unmarshal([]byte(body), new(any))
			require.Error(t, err, "%q", body)
			assert.NotContains(t, err.Error(), "1111")
		}
	}
	for _, broken := range []string{`{"`, `{"\`, `{"\u`, `{"\u00`, `{"\u003`, `{"a\`, `[-`} {
		require.NotPanics(t, func() { assert.False(t, absurd([]byte(broken)), "%q", broken) })
	}
}

// An absurd number in the response to a write leaves open what became of it.
func TestAbsurdNumberIsUnknown(t *testing.T) {
	t.Parallel()
	for _, status := range []int{201, 422} {
		for _, body := range []string{`{"total":` + strings.Repeat("9", 4<<10) + `}`, `{"list":[` + strings.Repeat("{},", maxEntries) + `{}]}`} {
			c := newClient(t, play(t, replies(status, body)), func(cfg *Config) {
				cfg.Classify = func(int, []byte) *Refusal {
					assert.Fail(t, "it would take its time")
					return nil
				}
			})
			e := failed(t.Context(), t, c, write(Pays))
			assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
			if status == 201 {
				assert.Equal(t, refund.ErrUnexpected, e.Kind)
			}
		}
	}
}

func TestCrowded(t *testing.T) {
	t.Parallel()
	entries := func(n int, entry string) string { return strings.TrimSuffix(strings.Repeat(entry+",", n), ",") }
	for name, tt := range map[string]struct {
		body string
		want bool
	}{
		"one list, as many as allowed": {"[" + entries(maxEntries, "{}") + "]", false},
		"one list, one too many":       {"[" + entries(maxEntries+1, "{}") + "]", true},
		"as long as they may be":       {"[" + entries(2*maxEntries, `"`+strings.Repeat("x", entrySize)+`"`) + "]", false},
		"nulls":                        {"[" + entries(maxEntries+1, "null") + "]", true},
		"lists in lists":               {entries(1, strings.Repeat("[", maxEntries+1)), true},
		"many lists":                   {`{"a":` + entries(maxEntries+1, `[{}],"a":[0]`) + "}", true},
		"members":                      {"{" + entries(2*maxEntries, `"a":1`) + "}", false},
		"members of an entry":          {"[{" + entries(2*maxEntries, `"a":1`) + "}]", false},
		"after an object":              {"[" + entries(maxEntries+1, `{"a":{}}`) + "]", true},
		"text":                         {`["` + entries(2*maxEntries, `\"[`) + `"]`, false},
		"ends without beginnings":      {strings.Repeat("]}", maxEntries) + entries(maxEntries+2, ""), false},
	} {
		assert.Equal(t, tt.want, crowded([]byte(tt.body)), name)
	}
}

// BenchmarkAbsurd is what every response pays.
func BenchmarkAbsurd(b *testing.B) {
	body := []byte(`{"refundId":"67890123","refundedAt":"2026-04-16T10:30:00.000Z","merchantReference":"9f0c",` +
		`"amount":{"amount":"10.00","currency":"AUD"},"requestId":"61cdad2d-8e10-42ec-a97b-8712dd7a8ca9",` +
		`"events":[{"id":"1OUR16OTqL4DgJ3ELlwKowU8v4L","created":"2026-04-16T10:30:00.000Z","type":"REFUNDED"}],"note":"left at the door"}`)
	for b.Loop() {
		if absurd(body) {
			b.Fatal("it is not")
		}
	}
	b.SetBytes(int64(len(body)))
}

// BenchmarkUnmarshalHostile takes 1 MiB of what costs the most. Each should take less than 50 ms.
func BenchmarkUnmarshalHostile(b *testing.B) {
	for name, body := range hostile() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_ = Unmarshal(body, new(sample)) //nolint:errcheck // how long it takes is the question
			}
		})
	}
}

// hostile has bodies of 1 MiB.
func hostile() map[string][]byte {
	fill := func(before, what, after string) []byte {
		n := (1<<20 - len(before) - len(after)) / len(what)
		return []byte(before + strings.Repeat(what, n) + after)
	}
	return map[string][]byte{
		"digits":            fill(`{"total":`, "9", `}`),
		"digits quoted":     fill(`{"total":"`, "9", `"}`),
		"digits and more":   fill(`{"total":"`, "9", `x"}`),
		"digits escaped":    fill(`{"total":"`, `\u0039`, `"}`),
		"fraction":          fill(`{"total":0.`, "9", `}`),
		"exponent":          fill(`{"total":1e`, "9", `}`),
		"many numbers":      fill(`{"a":[`, strings.Repeat("9", maxNumber)+",", `0]}`),
		"member again":      fill(`{`, `"total":1,`, `"id":""}`),
		"long, again":       fill(`{`, `"total":"1.`+strings.Repeat("9", maxNumber-2)+`",`, `"id":""}`),
		"nearly too long":   fill(`{"a":"`, strings.Repeat("9", maxNumber)+"x", `"}`),
		"empty entries":     fill(`{"inner":[`, `{},`, `{}]}`),
		"depth":             fill(``, `[`, ``),
		"objects":           fill(``, `{"a":`, ``),
		"escapes":           fill(`{"id":"`, `\u0020`, `"}`),
		"backslashes":       fill(`{"id":"`, `\\`, `"}`),
		"dashes":            fill(`{"id":"`, `-`, `"}`),
		"dashes, cut off":   fill(`{"id":"`, `-`, ``),
		"unknown members":   fill(`{`, `"x":{"y":[1]},`, `"id":""}`),
		"no JSON":           fill(`<html>`, `a@b.c `, ``),
		"no JSON, one word": fill(`<html>`, `&#64;`, ``),
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
	err := Unmarshal([]byte("<html>mail admin@waf.example</html>"), new(any))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "admin", "a webhook's body has no call that would redact it")
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
