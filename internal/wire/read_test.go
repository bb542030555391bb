package wire_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/multirefund/refund-go/internal/wire"
)

func TestTime(t *testing.T) {
	zone := time.FixedZone("", -5*3600)
	for in, want := range map[string]time.Time{
		"2021-08-25T14:56:33.753Z":      time.Date(2021, 8, 25, 14, 56, 33, 753e6, time.UTC),
		"2021-08-25T14:56:33+02:00":     time.Date(2021, 8, 25, 12, 56, 33, 0, time.UTC),
		"2021-08-25T14:56:33-04:00":     time.Date(2021, 8, 25, 18, 56, 33, 0, time.UTC),
		"2026-04-16 10:30:00":           time.Date(2026, 4, 16, 15, 30, 0, 0, time.UTC),
		"2026-04-16 10:30:00Z":          time.Date(2026, 4, 16, 10, 30, 0, 0, time.UTC),
		"2026-04-16T10:30:00.1234567":   time.Date(2026, 4, 16, 15, 30, 0, 123456700, time.UTC),
		" 2026-04-16T10:30 ":            time.Date(2026, 4, 16, 15, 30, 0, 0, time.UTC),
		"2026-04-16":                    time.Date(2026, 4, 16, 5, 0, 0, 0, time.UTC),
		"2021-08-25T14:56:33.753+00:00": time.Date(2021, 8, 25, 14, 56, 33, 753e6, time.UTC),
	} {
		got, ok := wire.Time(in, zone)
		assert.True(t, ok, in)
		assert.True(t, want.Equal(got), "%s: %s", in, got)
	}
	for _, in := range []string{"", "yesterday", "16.04.2026", "2026-13-01", "1776335400"} {
		got, ok := wire.Time(in, zone)
		assert.False(t, ok, in)
		assert.True(t, got.IsZero(), in)
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		`"a\"b"`: `a"b`, `12345678901234567890`: "12345678901234567890", `-1.50`: "-1.50", `null`: "", `true`: "", `{}`: "", ``: "", `[`: "",
		`"zażółć"`: "zażółć", "\"a\xffb\"": "a\ufffdb", `""`: "", `"`: "", `"a`: "", `"a\u00e9\n"`: "aé\n", `"10"`: "10",
	} {
		assert.Equal(t, want, wire.Text([]byte(in)), in)
	}
}

func TestJSONTime(t *testing.T) {
	zone := time.FixedZone("", -5*3600)
	for in, want := range map[string]time.Time{
		`"2021-08-25T14:56:33.753Z"`:  time.Date(2021, 8, 25, 14, 56, 33, 753e6, time.UTC),
		`"2021-08-25T14:56:33+02:00"`: time.Date(2021, 8, 25, 12, 56, 33, 0, time.UTC),
		`"2026-04-16 10:30:00"`:       time.Date(2026, 4, 16, 15, 30, 0, 0, time.UTC),
		`"2026-04-16"`:                time.Date(2026, 4, 16, 5, 0, 0, 0, time.UTC),
		`"2026\u002d04-16"`:           time.Date(2026, 4, 16, 5, 0, 0, 0, time.UTC),
		`null`:                        {}, `""`: {}, `"yesterday"`: {}, `1776335400`: {}, `{}`: {}, ``: {}, `"2026-13-01"`: {},
	} {
		got := wire.JSONTime([]byte(in), zone)
		assert.True(t, want.Equal(got), "%s: %s", in, got)
	}
}

func FuzzText(f *testing.F) {
	f.Add(`"a"`)
	f.Add(`1e5`)
	f.Add("\"a\xff\"")
	f.Add(`"2026-04-16"`)
	f.Fuzz(func(t *testing.T, in string) {
		got := wire.Text([]byte(in))
		wire.Time(in, time.UTC)
		wire.JSONTime([]byte(in), time.UTC)
		// A decoder hands over a value without the white space around it.
		var want string
		if in == strings.TrimSpace(in) && strings.HasPrefix(in, `"`) && json.Unmarshal([]byte(in), &want) == nil {
			assert.Equal(t, want, got)
		}
	})
}
