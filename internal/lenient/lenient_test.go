package lenient_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/multirefund/refund-go/internal/lenient"
)

func TestTime(t *testing.T) {
	zone := time.FixedZone("", -5*3600)
	for in, want := range map[string]time.Time{
		"2021-08-25T14:56:33.753Z":      time.Date(2021, 8, 25, 14, 56, 33, 753e6, time.UTC),
		"2021-08-25T14:56:33+02:00":     time.Date(2021, 8, 25, 12, 56, 33, 0, time.UTC),
		"2026-04-16 10:30:00":           time.Date(2026, 4, 16, 15, 30, 0, 0, time.UTC),
		"2026-04-16 10:30:00Z":          time.Date(2026, 4, 16, 10, 30, 0, 0, time.UTC),
		"2026-04-16T10:30:00.1234567":   time.Date(2026, 4, 16, 15, 30, 0, 123456700, time.UTC),
		" 2026-04-16T10:30 ":            time.Date(2026, 4, 16, 15, 30, 0, 0, time.UTC),
		"2026-04-16":                    time.Date(2026, 4, 16, 5, 0, 0, 0, time.UTC),
		"2021-08-25T14:56:33.753+00:00": time.Date(2021, 8, 25, 14, 56, 33, 753e6, time.UTC),
	} {
		got, ok := lenient.Time(in, zone)
		assert.True(t, ok, in)
		assert.True(t, want.Equal(got), "%s: %s", in, got)
	}
	for _, in := range []string{"", "yesterday", "16.04.2026", "2026-13-01", "1776335400"} {
		got, ok := lenient.Time(in, zone)
		assert.False(t, ok, in)
		assert.True(t, got.IsZero(), in)
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		`"a\"b"`: `a"b`, `12345678901234567890`: "12345678901234567890", `-1.50`: "-1.50", `null`: "", `true`: "", `{}`: "", ``: "", `[`: "",
	} {
		assert.Equal(t, want, lenient.Text([]byte(in)), in)
	}
}

func FuzzText(f *testing.F) {
	f.Add(`"a"`)
	f.Add(`1e5`)
	f.Fuzz(func(_ *testing.T, in string) {
		lenient.Text([]byte(in))
		lenient.Time(in, time.UTC)
	})
}
