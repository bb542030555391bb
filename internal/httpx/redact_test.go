package httpx

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
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

	"github.com/multirefund/refund-go/refund"
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

// encodings are ways in which a provider, a proxy or a page may give back what it was sent.
func encodings(s string) map[string]string {
	each := func(format string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, format, c)
		}
		return b.String()
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	b64, b64url := base64.StdEncoding.EncodeToString, base64.URLEncoding.EncodeToString
	return map[string]string{
		"as it is":                  s,
		"upper case":                strings.ToUpper(s),
		"broken in two":             s[:5] + "\n " + s[5:],
		"query":                     url.QueryEscape(s),
		"path":                      url.PathEscape(s),
		"percent":                   each("%%%02x"),
		"percent, upper case":       each("%%%02X"),
		"percent, in part":          strings.ReplaceAll(s, "_", "%5f"),
		"percent, twice":            strings.ReplaceAll(each("%%%02x"), "%", "%25"),
		"HTML":                      html.EscapeString(s),
		"HTML, decimal":             each("&#%d;"),
		"HTML, three digits":        each("&#%03d;"),
		"HTML, hexadecimal":         each("&#x%x;"),
		"HTML, upper case":          each("&#X%X;"),
		"HTML, by name":             strings.NewReplacer("/", "&sol;", "+", "&plus;", "_", "&lowbar;", "&", "&amp;").Replace(s),
		"HTML, twice":               strings.ReplaceAll(each("&#%d;"), "&", "&amp;"),
		"JSON":                      string(quoted[1 : len(quoted)-1]),
		"JSON, slash":               strings.ReplaceAll(s, "/", `\/`),
		"JSON, escaped":             each(`\u%04x`),
		"JSON, upper case":          each(`\u%04X`),
		"JSON, in JSON":             strings.ReplaceAll(each(`\u%04x`), `\`, `\\`),
		"string of a language":      each(`\x%02x`),
		"hexadecimal":               hex.EncodeToString([]byte(s)),
		"hexadecimal, upper case":   strings.ToUpper(hex.EncodeToString([]byte(s))),
		"base64":                    b64([]byte(s)),
		"base64, without padding":   strings.TrimRight(b64([]byte(s)), "="),
		"base64url":                 b64url([]byte(s)),
		"base64 of user and it":     b64([]byte("user:" + s)),
		"base64 of a user and it":   b64([]byte("users:" + s)),
		"base64 of it and more":     b64([]byte("a user:" + s + ":more")),
		"base64url of user and it":  b64url([]byte("user:" + s)),
		"base64, in a query":        url.QueryEscape(b64([]byte(s))),
		"full width":                strings.Map(func(r rune) rune { return r - '!' + '！' }, s),
		"base64, broken in lines":   b64([]byte(s))[:8] + "\r\n" + b64([]byte(s))[8:],
		"percent, broken in lines":  each("%%%02x\n"),
		"percent and HTML, by turn": strings.NewReplacer("_", "&#95;", "/", "%2F", "+", `\u002b`).Replace(s),
	}
}

// canaries are in every place that a message could take one from.
const (
	secretCanary = "sk_live+Zq7/aB3?xY9~_w>2&"
	tokenCanary  = "eyJ_tok/en+0123456789-abc?&"
	reasonCanary = "Mrs. Kowalska's kettle & lid"
	noteCanary   = "call +48/600-700-800 <now>"
	nativeCanary = "author: Jan Nowak (kitchen)"
)

// canary is a client whose credentials, and a call whose texts, must not appear.
func canary(t *testing.T, rt http.RoundTripper, log io.Writer) (*Client, *operation) {
	t.Helper()
	c := newClient(t, rt, once, secrets(secretCanary), func(cfg *Config) {
		cfg.Authorize = func(_ context.Context, h http.Header) error {
			h.Set("Authorization", "Bearer "+tokenCanary)
			return nil
		}
		cfg.Options.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	call := write(Pays)
	call.Attempt.Request.Reason = reasonCanary
	call.Attempt.Request.Metadata = map[string]string{"note": noteCanary}
	call.Private = []string{nativeCanary}
	return c, call
}

func TestCanariesInEveryEncoding(t *testing.T) {
	t.Parallel()
	for what, value := range map[string]string{
		"secret": secretCanary, "token": tokenCanary, "reason": reasonCanary, "metadata": noteCanary, "native text": nativeCanary,
	} {
		for how, shown := range encodings(value) {
			t.Run(what+", "+how, func(t *testing.T) {
				t.Parallel()
				body, err := json.Marshal(map[string]string{"code": shown, "message": "before " + shown + " after"})
				require.NoError(t, err)
				for _, text := range []string{string(body), "<html>before " + shown + " after</html>"} {
					var out bytes.Buffer
					c, call := canary(t, play(t, func(*http.Request) (*http.Response, error) {
						return withHeader(answer(422, text), "X-Request-Id", strings.Join(strings.Fields(shown), "")), nil
					}), &out)

					e := failed(t.Context(), t, c, call)

					assert.Contains(t, e.Message, "before")
					assert.Contains(t, e.Message, "after", "and only the value is hidden")
					assert.Contains(t, e.Message, redacted)
					everywhere := printed(t, e) + out.String()
					for _, hidden := range []string{shown, strings.Join(strings.Fields(shown), ""), strings.Join(strings.Fields(shown), " ")} {
						assert.False(t, strings.Contains(everywhere, hidden), "%q in %.300q", hidden, everywhere) //nolint:testifylint // short when it fails
					}
					for piece := range strings.FieldsSeq(shown) { // nor most of it
						if len(piece) > 12 {
							assert.False(t, strings.Contains(everywhere, piece[3:len(piece)-3]), "of %q", piece) //nolint:testifylint // as above
						}
					}
				}
			})
		}
	}
}

// printed is everything that an error can be made to say.
func printed(t *testing.T, err error) string {
	t.Helper()
	var b strings.Builder
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&b, verb+"\n", e)
		}
		marshalled, problem := json.Marshal(e)
		require.NoError(t, problem)
		b.Write(marshalled)
	}
	slog.New(slog.NewJSONHandler(&b, nil)).Error("failed", slog.Any("err", err))
	slog.New(slog.NewTextHandler(&b, nil)).Error("failed", slog.Any("err", err))
	return b.String()
}

// An error of a transport or of a token source may quote the request: then it cannot be reached, only recognised.
func TestQuotedInACause(t *testing.T) {
	t.Parallel()
	const secret = "canary-secret"
	leak := func(h http.Header) error { return fmt.Errorf("cannot send %v: %w", h, io.ErrUnexpectedEOF) }
	transport := roundTrip(func(r *http.Request) (*http.Response, error) { return nil, leak(r.Header) })
	source := func(_ context.Context, h http.Header) error { return leak(h) }
	for name, c := range map[string]*Client{
		"transport": newClient(t, transport, once, func(cfg *Config) {
			cfg.Header, cfg.Secrets = http.Header{"Authorization": {"Basic " + secret}}, []string{secret}
		}),
		"token source": newClient(t, play(t), func(cfg *Config) {
			cfg.Header, cfg.Secrets, cfg.Authorize = http.Header{"X-Key": {secret}}, []string{secret}, source
		}),
	} {
		e := failed(t.Context(), t, c, write(Pays))
		require.ErrorIs(t, e, io.ErrUnexpectedEOF, name)
		assert.NotContains(t, printed(t, e), "canary", name)
	}
}

func TestAddressesAndCards(t *testing.T) {
	t.Parallel()
	x := &exchange{op: newClient(t, play(t)).Op("refund", refund.Attempt{})}
	for message, hidden := range map[string]string{
		"for anna@shop.example, sorry":                 "anna",
		"for <anna@shop.example>, sorry":               "shop",
		"for anna%40shop.example, sorry":               "anna",
		"for anna%2540shop.example, sorry":             "anna",
		"for anna&#64;shop.example, sorry":             "anna",
		"for anna&#x40;shop.example, sorry":            "shop",
		"for anna&commat;shop.example, sorry":          "anna",
		`for anna\u0040shop.example, sorry`:            "anna",
		"for anna＠shop.example, sorry":                 "anna",
		"for anna﹫shop.example, sorry":                 "anna",
		"for anna(at)shop.example, sorry":              "anna",
		"for anna (at) shop.example, sorry":            "anna",
		"for anna (at) shop.example , sorry":           "shop",
		"for anna  [AT]  shop.example, sorry":          "shop",
		"for anna @ shop.example, sorry":               "anna",
		"for a%20mail&#32;anna @shop.example, sorry":   "anna",
		"for card 4111111111111111, sorry":             "1111",
		"for card 4111 1111 1111 1111, sorry":          "1111",
		"for card 4111-1111-1111-1111, sorry":          "1111",
		"for card 4111%201111%201111%201111, sorry":    "1111",
		"for card ４１１１１１１１１１１１１１１１, sorry":             "１１１",
		"for order 123 4111 1111 1111 1111 end, sorry": "1111",
		"for card 378282246310005, sorry":              "2822",
		"for card 3782 822463 10005, sorry":            "822463",
		"for card 4222222222222, sorry":                "2222",
		"for card 6304000000000000000, sorry":          "0000",
	} {
		got := x.redact(message)
		assert.NotContains(t, got, hidden, "%q", message)
		assert.Contains(t, got, redacted, "%q", message)
		assert.Contains(t, got, "for ", "%q", message)
		assert.Contains(t, got, "sorry", "%q", message)
	}
	for _, message := range []string{
		"order 4111111111111112", "order 41111111111111111111", "order 411111111111", "on 2026-11-24 10:00:00", "at 100%, (attached)",
		"call 600 700 800", "61cdad2d-8e10-42ec-a97b-8712dd7a8ca9", "100% & more; \\ / %zz &#; &# &x; %", "(a t) tat at",
	} {
		assert.Equal(t, message, x.redact(message))
	}
}

// A code is compared by programs, and an id is what a provider's support asks for.
func TestClean(t *testing.T) {
	t.Parallel()
	attempt := refund.Attempt{Request: refund.Request{Reason: "refund", Metadata: map[string]string{"a": "kettle 12", "b": "order"}}}
	x := &exchange{op: newClient(t, play(t), secrets("sk", "sk_live_1")).Op("refund", attempt), obtained: []string{"Bearer tok-1", "tok-1"}}
	mark := redacted
	for value, want := range map[string]struct{ code, id string }{
		"":                                     {"", ""},
		"refund_not_found":                     {"refund_not_found", "refund_not_found"}, // a word of the reason is no secret
		"ORDER_LOCKED":                         {"ORDER_LOCKED", "ORDER_LOCKED"},
		"ask":                                  {"ask", "ask"},
		"4111111111111111":                     {"4111111111111111", "4111111111111111"}, // as likely an id
		"card 4111111111111111":                {"card " + mark, "card " + mark},
		"kettle%2012":                          {mark, mark},
		"id sk_live_1":                         {"id " + mark, ""},
		"Bearer tok-1":                         {mark, ""},
		"TOK-1":                                {mark, ""},
		"%74ok-1":                              {mark, ""},
		"a\nb\x00c":                            {"a bc", "a bc"},
		"x anna@shop.example":                  {"x " + mark, "x " + mark},
		strings.Repeat("r", 1000):              {strings.Repeat("r", maxCode), strings.Repeat("r", maxCode)},
		strings.Repeat("日", 100):               {strings.Repeat("日", maxCode/3), strings.Repeat("日", maxCode/3)},
		strings.Repeat("r", maxText+1):         {"", ""},
		strings.Repeat("r", 120) + "sk_live_1": {strings.Repeat("r", 120) + mark[:8], ""},
	} {
		assert.Equal(t, want.code, x.clean(value), "%.40q", value)
		assert.Equal(t, want.id, x.cleanID(value), "%.40q", value)
	}
}

// A message may be as large as a response, and neither time nor what it cuts may show anything.
func TestRedactionOfLargeMessages(t *testing.T) {
	t.Parallel()
	const secret = "sk_live_0123456789"
	x := &exchange{op: newClient(t, play(t), secrets(secret)).Op("refund", refund.Attempt{})}
	for n := range len(secret) { // everything before it vanishes, and the bound goes through it
		assert.NotContains(t, x.redact(strings.Repeat(" ", maxText-n)+secret), "sk_")
	}
	x.call.Private = []string{strings.Repeat("long ", maxText)}
	assert.NotContains(t, x.redact(strings.Repeat("long ", 2*maxText)), "long")
}

// BenchmarkRedact is what an error pays. Nothing else pays anything.
func BenchmarkRedact(b *testing.B) {
	c, err := New(Config{Provider: "test", BaseURL: testBase, Secrets: []string{secretCanary, Basic("user", secretCanary)}})
	if err != nil {
		b.Fatal(err)
	}
	x := &exchange{op: c.Op("refund", refund.Attempt{Request: refund.Request{Reason: reasonCanary}}), obtained: []string{tokenCanary}}
	for name, message := range map[string]string{
		"short":             "Refund amount is larger than what is left of the order",
		"page":              strings.Repeat("<p>blocked, ask anna&#64;shop.example</p> ", 100),
		"1 MiB of at":       strings.Repeat("@", 1<<20),
		"1 MiB of at words": strings.Repeat("@ ", 1<<19),
		"1 MiB of escapes":  strings.Repeat("%25", 1<<20/3),
		"1 MiB of digits":   strings.Repeat("4111 ", 1<<20/5),
		"1 MiB of brackets": strings.Repeat("(at)", 1<<18),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				x.redact(message)
			}
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
