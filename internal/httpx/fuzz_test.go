package httpx

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{
		"", "0", "1", "-1", "+1", "86400", "9223372036", "9223372037", "9223372036854775808", "-9223372036854775809",
		"Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 1926 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "1.5", "1e9", " 1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		wait := retryAfter(http.Header{"Retry-After": {value}})
		require.GreaterOrEqual(t, wait, time.Duration(0))
		resp := &http.Response{Header: http.Header{"Retry-After": {value}}}
		require.GreaterOrEqual(t, backoff(time.Second, time.Minute, 0, resp), time.Duration(0))
	})
}

// FuzzUnmarshal: whatever the response is, however absurd its sizes, the error quotes a bounded part of it, in valid UTF-8 and on one line.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{
		"", "{}", "[]", "null", "<html>", `{"id":1}`, `{"id":"x"`, "{\"id\":\"\xff\"}", `{"total":"1e999999999"}`, "\xff\xfe",
		`{"inner":{"count":1.5}}`, `{"amount":"x"}`,
	} {
		f.Add([]byte(s))
	}
	for _, body := range hostile() {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := Unmarshal(body, new(sample))
		c := newClient(t, roundTrip(replies(200, string(body))))
		res, doErr := do(t.Context(), c, write(Pays))
		if len(body) > defaultMaxBody {
			require.ErrorIs(t, doErr, errTooLarge)
			return
		}
		decodeErr := doErr
		if doErr == nil {
			decodeErr = res.Decode(new(sample))
		}
		require.Equal(t, err == nil, decodeErr == nil)
		if err == nil {
			return
		}
		e := asError(t, decodeErr)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
		assert.LessOrEqual(t, len(e.Message), maxMessage+len("…"))
		assert.True(t, utf8.ValidString(e.Error()))
		assert.NotContains(t, e.Error(), "\n")
	})
}

// FuzzRedact: no secret survives, wherever it stands.
func FuzzRedact(f *testing.F) {
	for _, s := range [][3]string{
		{"key ", "sk_live_0123456789", " is unknown"},
		{strings.Repeat("x", 290), "sk_live_0123456789", ""},
		{"\xff", "sk live  0123456789", "\x00"},
		{"", "p@ssw0rd", "@"},
		{"日本", "日本日本日本", "日本"},
		{"for ", "ĽUBOMÍR Žižka", ""},
		{"<html>\n", "a \"quoted\"\nsecret", "</html>"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, before, secret, after string) {
		check := func(message, shape string) {
			assert.LessOrEqual(t, len(message), maxMessage+len("…"), shape)
			assert.True(t, utf8.ValidString(message), shape)
			// What is left of it once it prints on one line; a part of the mark itself cannot be told apart.
			if bare := hide(secret, nil, len(secret)); len(bare) >= 8 && !strings.Contains(bare, redacted) &&
				!strings.ContainsAny(bare, "[]") && !strings.Contains(redacted, bare) {
				assert.NotContains(t, message, bare, shape)
				assert.NotContains(t, message, secret, shape)
			}
		}
		x := &exchange{op: newClient(t, play(t), secrets(secret)).Op("refund", refund.Attempt{})}
		check(x.redact(before+secret+after), "as a secret")
		check(x.redact(Excerpt([]byte(secret+after))), "in an excerpt")
		x.op = newClient(t, play(t)).Op("refund", refund.Attempt{Request: refund.Request{Reason: secret}})
		check(x.redact(before+secret+after), "as a reason")
		x.op.Attempt.Request = refund.Request{Metadata: map[string]string{"k": secret, "l": "other words"}}
		check(x.redact(before+secret+after), "as metadata")
	})
}

// FuzzPath: an id never leaves its segment.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"o-1", "a/b", "..", ".", "", "%2e%2e", "a?b", "a#b", "日本", "\xff", ":", "@", ";", "\\", "a\nb", " "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		var asked *url.URL
		c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = r.URL
			return answer(200, "{}"), nil
		}))
		call := &operation{Name: "read", Call: Call{
			Method: http.MethodGet, Path: []string{"orders", id, "refunds"}, Query: url.Values{"id": {id}}, Effect: Harmless,
		}}
		_, err := do(t.Context(), c, call)
		if err != nil {
			require.Equal(t, refund.ErrInvalidRequest, asError(t, err).Kind)
			require.Nil(t, asked)
			return
		}
		require.Equal(t, "provider.test", asked.Host)
		require.Nil(t, asked.User)
		require.Empty(t, asked.Fragment)
		require.Equal(t, id, asked.Query().Get("id"))
		segments := strings.Split(asked.EscapedPath(), "/")
		require.Len(t, segments, 5)
		require.Equal(t, []string{"", "base", "orders"}, segments[:3])
		require.Equal(t, "refunds", segments[4])
		got, err := url.PathUnescape(segments[3])
		require.NoError(t, err)
		require.Equal(t, id, got)
		require.NotContains(t, []string{"", ".", ".."}, got)
	})
}
