package refund_test

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

var (
	_ encoding.TextMarshaler   = refund.Secret{}
	_ encoding.TextUnmarshaler = (*refund.Secret)(nil)
	_ slog.LogValuer           = refund.Secret{}
	_ fmt.Formatter            = refund.Secret{}
)

// verbs are those that print a string or bytes.
var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%+q", "%#q", "%x", "%X", "% x", "%#x", "%d", "%100v", "%-100s", "%.3s"}

// wrongVerbs make fmt report a mistake and dump the value without asking its methods. Only a Secret is safe from that.
var wrongVerbs = []string{"%o", "%b", "%c", "%U", "%e", "%g", "%t", "%p", "%T", "%z"}

var handlers = map[string]func(io.Writer) slog.Handler{
	"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
	"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
}

// assertPrivate checks that text holds the hidden value in none of the notations that fmt and encoders have.
func assertPrivate(t *testing.T, text, hidden, where string, args ...any) {
	t.Helper()
	raw := []byte(hidden)
	decimal := make([]string, len(raw))
	for i, b := range raw {
		decimal[i] = strconv.Itoa(int(b))
	}
	for notation, form := range map[string]string{
		"plain": hidden, "hex": hex.EncodeToString(raw), "HEX": fmt.Sprintf("%X", raw), "spaced hex": fmt.Sprintf("% x", raw),
		"decimal": strings.Join(decimal, " "), "octal": strings.Trim(fmt.Sprintf("%o", raw), "[]"),
		"binary": strings.Trim(fmt.Sprintf("%b", raw), "[]"), "Go": strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", raw), "[]byte{"), "}"),
		"base64": base64.RawStdEncoding.EncodeToString(raw[:3]),
	} {
		assert.NotContains(t, text, form, "%s, %s", notation, fmt.Sprintf(where, args...))
	}
}

const credential = "private-credential-0815"

type config struct {
	Name   string
	Key    refund.Secret
	Ptr    *refund.Secret
	hidden refund.Secret
}

// secretIn has the credential everywhere a program may put it.
func secretIn() map[string]any {
	s := refund.NewSecret(credential)
	cfg := config{Name: "name", Key: s, Ptr: &s, hidden: s}
	return map[string]any{
		"value": s, "pointer": &s, "struct": cfg, "pointer to a struct": &cfg, "slice": []refund.Secret{s},
		"map": map[string]refund.Secret{"key": s}, "slice of structs": []config{cfg}, "any": []any{s, &s},
		"nested": struct{ outer struct{ inner *config } }{struct{ inner *config }{&cfg}},
		"hidden": struct{ hidden config }{cfg}, "error": fmt.Errorf("config %v", cfg),
	}
}

func TestSecretNeverPrints(t *testing.T) {
	for name, value := range secretIn() {
		t.Run(name, func(t *testing.T) {
			for _, verb := range slices.Concat(verbs, wrongVerbs) {
				assertPrivate(t, fmt.Sprintf(verb, value), credential, "%s", verb)
			}
			assertPrivate(t, fmt.Sprint(value)+fmt.Sprintln(value), credential, "Sprint")

			for handlerName, handler := range handlers {
				var log bytes.Buffer
				logger := slog.New(handler(&log))
				logger.Info("m", slog.Any("value", value), slog.Group("group", slog.Any("value", value)))
				logger.With(slog.Any("value", value)).Info("m")
				require.Contains(t, log.String(), "value")
				assertPrivate(t, log.String(), credential, "slog %s", handlerName)
			}
			if written, err := json.Marshal(value); err == nil {
				assertPrivate(t, string(written), credential, "JSON")
			}
			if written, err := xml.Marshal(value); err == nil {
				assertPrivate(t, string(written), credential, "XML")
			}
			var page bytes.Buffer
			require.NoError(t, template.Must(template.New("").Parse("{{.}}{{printf `%#v` .}}")).Execute(&page, value))
			assertPrivate(t, page.String(), credential, "template")
		})
	}
}

func TestSecretPrintsRedacted(t *testing.T) {
	for _, s := range []refund.Secret{refund.NewSecret(credential), {}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			assert.Equal(t, "[redacted]", fmt.Sprintf(verb, s), verb)
		}
		assert.Equal(t, "[redacted]", s.String())
		assert.Equal(t, "[redacted]", s.LogValue().String())
	}
}

// A placeholder that is read back would be a credential, so that a filled Secret is not marshalled at all.
func TestSecretIsNotMarshalled(t *testing.T) {
	s := refund.NewSecret(credential)
	text, err := s.MarshalText()
	require.Error(t, err)
	assert.Empty(t, text)
	assertPrivate(t, err.Error(), credential, "the error")
	for name, value := range map[string]any{
		"value": s, "pointer": &s, "struct": config{Key: s}, "pointer to a struct": &config{Ptr: &s}, "slice": []refund.Secret{s},
		"map": map[string]refund.Secret{"key": s}, "in JSON only by omitzero": struct {
			Key refund.Secret `json:"key,omitzero"`
		}{s},
	} {
		written, err := json.Marshal(value)
		require.Error(t, err, name)
		assert.Empty(t, written, name)
		assertPrivate(t, err.Error(), credential, "the error of %s", name)
	}
	written, err := xml.Marshal(config{Key: s})
	require.Error(t, err)
	assertPrivate(t, string(written)+err.Error(), credential, "XML")
}

func TestEmptySecretIsMarshalled(t *testing.T) {
	text, err := refund.Secret{}.MarshalText()
	require.NoError(t, err)
	assert.Empty(t, text)
	written, err := json.Marshal(config{Name: "n", Ptr: &refund.Secret{}})
	require.NoError(t, err)
	assert.JSONEq(t, `{"Name":"n","Key":"","Ptr":""}`, string(written))

	var back config
	require.NoError(t, json.Unmarshal(written, &back))
	assert.True(t, back.Key.IsZero())
	assert.True(t, back.Ptr.IsZero())
}

// recorder takes what a failed assertion would print.
type recorder struct{ printed strings.Builder }

func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(&r.printed, format, args...) }

// A failed assertion dumps and diffs both values with reflection, unexported fields included.
func TestSecretInFailedAssertions(t *testing.T) {
	for name, value := range secretIn() {
		t.Run(name, func(t *testing.T) {
			var r recorder
			assert.Equal(&r, config{Key: refund.NewSecret("other")}, value)
			assert.EqualValues(&r, "other", value)
			assert.Nil(&r, value)
			assert.Empty(&r, value)
			assert.Contains(&r, []any{value}, "other")
			assert.IsType(&r, "", value)
			require.NotEmpty(t, r.printed.String())
			assertPrivate(t, r.printed.String(), credential, "assertion")
		})
	}
}

func TestSecretReveal(t *testing.T) {
	s := refund.NewSecret(credential)
	assert.Equal(t, credential, s.Reveal())
	assert.False(t, s.IsZero())
	copied := s
	assert.Equal(t, credential, copied.Reveal())

	var zero refund.Secret
	assert.Empty(t, zero.Reveal())
	assert.True(t, zero.IsZero())
	assert.True(t, refund.NewSecret("").IsZero())
	assert.False(t, refund.NewSecret(" ").IsZero(), "nothing is trimmed")
}

func TestSecretUnmarshal(t *testing.T) {
	var cfg config
	require.NoError(t, json.Unmarshal([]byte(`{"Name":"n","Key":"`+credential+`","Ptr":"p"}`), &cfg))
	assert.Equal(t, credential, cfg.Key.Reveal())
	assert.Equal(t, "p", cfg.Ptr.Reveal())

	text := []byte("first")
	require.NoError(t, cfg.Key.UnmarshalText(text))
	copy(text, "XXXXX")
	assert.Equal(t, "first", cfg.Key.Reveal(), "the caller's buffer is not kept")
	require.Error(t, cfg.Key.UnmarshalText([]byte(cfg.Key.String())), "a redacted configuration was written back")
	assert.Equal(t, "first", cfg.Key.Reveal())
	require.NoError(t, cfg.Key.UnmarshalText(nil))
	assert.True(t, cfg.Key.IsZero())

	// The reader's own error must not quote the credential either.
	err := json.Unmarshal([]byte(`{"Key":{"`+credential+`":1}}`), &cfg)
	var typ *json.UnmarshalTypeError
	require.ErrorAs(t, err, &typ)
	assertPrivate(t, errors.Unwrap(fmt.Errorf("%w", err)).Error(), credential, "JSON error")
}

func TestSecretOmitzero(t *testing.T) {
	type file struct {
		Key refund.Secret `json:"key,omitzero"`
	}
	written, err := json.Marshal(file{})
	require.NoError(t, err)
	assert.JSONEq(t, `{}`, string(written))
}

func ExampleSecret() {
	key := refund.NewSecret("sk_live_1234")
	fmt.Printf("%v %+v %q\n", key, struct{ Key refund.Secret }{key}, key)
	// Output:
	// [redacted] {Key:[redacted]} [redacted]
}
