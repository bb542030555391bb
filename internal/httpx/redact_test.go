package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func secrets(values ...string) func(*Config) {
	return func(cfg *Config) { cfg.Secrets = values }
}

func TestRedaction(t *testing.T) {
	t.Parallel()
	const (
		secret = "sk_live_0123456789"
		reason = "Mrs. Kowalska's \"kettle\"\n  arrived   broken"
		phone  = "+48 600 700 800"
	)
	page := func(s string) roundTrip { return replies(502, "<html>\n"+s+"\n</html>") }
	refusal := func(s string) roundTrip {
		b, err := json.Marshal(map[string]string{"code": "x", "message": s})
		require.NoError(t, err)
		return replies(422, string(b))
	}
	tests := map[string]struct {
		step   roundTrip
		hidden []string
	}{
		"secret in a refusal":       {refusal("key " + secret + " is unknown"), []string{secret}},
		"secret in a page":          {page("key " + secret + " is unknown"), []string{secret}},
		"secret in an error":        {fails(errors.New("proxy: Basic " + secret)), []string{secret}},
		"secret twice":              {refusal(secret + secret), []string{secret, "sk_live"}},
		"secret with a zero width":  {refusal("sk_live_\u200b0123456789"), []string{secret}},
		"secret where a page cuts":  {page(strings.Repeat("x", 275) + secret), []string{"sk_live"}},
		"secret where it is cut":    {refusal(strings.Repeat("x", maxMessage-len("sk_live_")) + secret), []string{"sk_live"}},
		"secret within a secret":    {refusal("pre-" + secret + "-post"), []string{"pre-", "-post"}},
		"reason in a refusal":       {refusal("note: " + reason), []string{"Kowalska", "kettle", "broken"}},
		"reason in a page":          {page("note: " + reason), []string{"Kowalska", "kettle", "broken"}},
		"reason, folded by them":    {refusal(strings.Join(strings.Fields(reason), " ")), []string{"Kowalska", "kettle"}},
		"metadata in a refusal":     {refusal("call " + phone), []string{"600 700"}},
		"metadata in a page":        {page("call " + phone), []string{"600 700"}},
		"e-mail in a refusal":       {refusal("for <anna@shop.example>, sorry"), []string{"anna", "shop.example"}},
		"e-mail in a page":          {page("mailto:anna@shop.example"), []string{"anna", "shop.example"}},
		"URL in an error":           {fails(&url.Error{Op: "Post", URL: "https://provider.test/o-1?key=" + secret, Err: errReset}), []string{"https://", "o-1", secret}},
		"control characters":        {refusal("a\x1b[31mred\r\n\x00b"), []string{"\x1b", "\n", "\r", "\x00"}},
		"right to left and friends": {refusal("a\u202eb\u0085c\ufeffd"), []string{"\u202e", "\u0085", "\ufeff"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := write(Pays)
			call.Attempt.Request.Reason = reason
			call.Attempt.Request.Metadata = map[string]string{"phone": phone, "n": "e"}
			c := newClient(t, tt.step, once, secrets("", secret, "pre-"+secret+"-post"))
			e := failed(t.Context(), t, c, call)
			for _, shown := range []string{e.Message, e.Error(), fmt.Sprintf("%v %+v %#v %q", e, e, e, e)} {
				for _, s := range tt.hidden {
					assert.NotContains(t, shown, s)
				}
			}
			assert.NotEmpty(t, e.Message)
			assert.True(t, utf8.ValidString(e.Error()))
		})
	}
}

// What is not secret stays readable.
func TestRedactionSparesTheRest(t *testing.T) {
	t.Parallel()
	call := write(Pays)
	call.Attempt.Request.Reason = "a" // too short to be told from words
	call.Attempt.Request.Metadata = map[string]string{"x": "", "y": "is"}
	c := newClient(t, play(t, replies(422, `{"code":"x","message":"The  amount is\ttoo large: ä 日本"}`)), secrets(""))
	assert.Equal(t, "The amount is too large: ä 日本", failed(t.Context(), t, c, call).Message)
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{
		"ascii":     strings.Repeat("x", 10_000),
		"words":     strings.Repeat("word ", 10_000),
		"runes":     strings.Repeat("日", 10_000),
		"odd runes": "x" + strings.Repeat("日", 10_000),
		"invalid":   strings.Repeat("\xff\xfe日", 10_000),
		"addresses": strings.Repeat("@ ", 10_000),
		"secrets":   strings.Repeat("hush", 10_000),
	} {
		c := newClient(t, roundTrip(fails(errors.New(message))), once, secrets("hush"))
		e := failed(t.Context(), t, c, write(Pays))
		assert.LessOrEqual(t, len(e.Message), maxMessage+len("…"), name)
		assert.True(t, utf8.ValidString(e.Message), name)
		assert.NotContains(t, e.Message, "\n", name)
		assert.NotContains(t, e.Message, "hush", name)

		c = newClient(t, roundTrip(replies(503, message)), once)
		e = failed(t.Context(), t, c, write(Pays))
		assert.LessOrEqual(t, len(e.Message), maxMessage+len("…"), name)
		assert.True(t, utf8.ValidString(e.Message), name)
	}
}

// Formatting a client shows no credential either.
func TestClientHidesItsSecrets(t *testing.T) {
	t.Parallel()
	c := newClient(t, play(t), secrets("sk_live_1"), func(cfg *Config) {
		cfg.Header = http.Header{"Authorization": {"Basic c2tfbGl2ZV8x"}}
	})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		shown := fmt.Sprintf(verb, c)
		assert.NotContains(t, shown, "sk_live_1")
		assert.NotContains(t, shown, "c2tfbGl2ZV8x")
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	call := write(PaysOnce)
	call.Attempt.Request.Reason = "broken kettle"
	call.Body = json.RawMessage(`{"note":"anna@shop.example"}`)
	rt := play(t, lost, replies(503, `{"code":"down","message":"anna@shop.example"}`),
		func(*http.Request) (*http.Response, error) {
			return withHeader(answer(200, `{"id":"hidden"}`), "X-Other-Id", "r-9"), nil
		})
	c := newClient(t, rt, noWait, secrets("sk_live_1"), func(cfg *Config) {
		cfg.Options.Logger = logger
		cfg.Header = http.Header{"Authorization": {"Basic sk_live_1"}}
	})
	_, err := do(t.Context(), c, call)
	require.NoError(t, err)

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 3, "one record for each attempt")
	for i, line := range lines {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		for _, key := range []string{"time", "msg", "duration"} {
			assert.Contains(t, record, key)
			delete(record, key)
		}
		want := map[string]string{
			"level": "DEBUG", "provider": "test", "account": testAccount, "op": "refund", "attempt": strconv.Itoa(i + 1),
			"status": []string{"0", "503", "200"}[i], "request_id": []string{"", "", "r-9"}[i],
		}
		got := map[string]string{}
		for key, value := range record {
			got[key] = fmt.Sprint(value)
		}
		assert.Equal(t, want, got, "no other attribute")
	}
	for _, s := range []string{"kettle", "anna", "sk_live", "hidden", "o-1", "provider.test", testKey} {
		assert.NotContains(t, out.String(), s)
	}
}

func TestNothingIsLoggedAtInfo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := newClient(t, play(t, notSent, lost), noWait, func(cfg *Config) {
		cfg.Options.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	})
	mustFail(t.Context(), t, c, write(Pays))
	assert.Empty(t, out.String())
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ first, second, want string }{
		"first":     {"r-1", "r-2", "r-1"},
		"second":    {"", "r-2", "r-2"},
		"none":      {"", "", ""},
		"long":      {strings.Repeat("r", 1000), "", strings.Repeat("r", 128)},
		"unfit":     {"r\x00", "r-2", "r-2"},
		"all unfit": {"r\n", "\x7f", ""},
	} {
		rt := play(t, func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: 422, Header: http.Header{"X-Request-Id": {tt.first}, "X-Other-Id": {tt.second}},
				Body: io.NopCloser(strings.NewReader("{}")),
			}, nil
		})
		assert.Equal(t, tt.want, failed(t.Context(), t, newClient(t, rt), write(Pays)).RequestID, name)
	}
}
