package refund_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

var (
	_ encoding.TextMarshaler = refund.Raw{}
	_ slog.LogValuer         = refund.Raw{}
	_ fmt.Formatter          = refund.Raw{}
)

const answer = `{"email":"private@example.com"}`

func TestRawNeverPrints(t *testing.T) {
	raw := refund.Raw(answer)
	got := refund.Refund{ID: "r1", Raw: raw}
	for name, value := range map[string]any{
		"value": raw, "pointer": &raw, "slice": []refund.Raw{raw}, "map": map[string]refund.Raw{"raw": raw},
		"refund": got, "pointer to a refund": &got, "refunds": []refund.Refund{got},
	} {
		t.Run(name, func(t *testing.T) {
			for _, verb := range verbs {
				assertPrivate(t, fmt.Sprintf(verb, value), "private", "%s", verb)
			}
			for handlerName, handler := range handlers {
				var log bytes.Buffer
				slog.New(handler(&log)).Info("m", slog.Any("value", value))
				assertPrivate(t, log.String(), "private", "slog %s", handlerName)
			}
			written, err := json.Marshal(value)
			require.NoError(t, err)
			assertPrivate(t, string(written), "private", "JSON")
		})
	}
	assert.Contains(t, string(raw), "private", "a conversion is the way to read it")
}

func TestRawSaysItsLength(t *testing.T) {
	for _, raw := range []refund.Raw{nil, {}, refund.Raw(answer)} {
		length := strconv.Itoa(len(raw))
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			assert.Contains(t, fmt.Sprintf(verb, raw), length, verb)
		}
		assert.Contains(t, raw.String(), length)
		assert.Equal(t, raw.String(), raw.GoString())
		assert.Equal(t, raw.String(), raw.LogValue().String())
		text, err := raw.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, raw.String(), string(text))
	}
}

func TestRefundJSON(t *testing.T) {
	want := refund.Refund{
		ID: "r1", IdempotencyKey: "key-1", Provider: "afterpay", Order: refund.Order{ID: "1001"},
		Amount: refund.MustParseMoney("10.99", "AUD"), Status: refund.StatusPending, ProviderStatus: "QUEUED",
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), FailureReason: "none", Warnings: []string{"late"},
		Raw: refund.Raw(answer),
	}
	written, err := json.Marshal(want)
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(written, &members))
	assert.NotContains(t, members, "Raw")

	// A journal may keep refunds: all the rest comes back.
	var got refund.Refund
	require.NoError(t, json.Unmarshal(written, &got))
	want.Raw = nil
	assert.Equal(t, want, got)
}

// The words are stored by others, so a changed one must fail here.
func TestStatuses(t *testing.T) {
	for status, word := range map[refund.Status]string{
		refund.StatusSucceeded: "succeeded", refund.StatusPending: "pending", refund.StatusNeedsAction: "needs_action",
		refund.StatusFailed: "failed", refund.StatusCanceled: "canceled", refund.StatusExpired: "expired",
	} {
		assert.Equal(t, word, string(status))
	}
}

func TestVerdict(t *testing.T) {
	var zero refund.Verdict
	assert.Equal(t, refund.VerdictUndetermined, zero, "who forgets to set it has decided nothing")
	assert.Equal(t, refund.VerdictUndetermined, refund.Resolution{}.Verdict)

	assert.Equal(t, "undetermined", refund.VerdictUndetermined.String())
	assert.Equal(t, "applied", refund.VerdictApplied.String())
	assert.Equal(t, "not applied", refund.VerdictNotApplied.String())
	for _, strange := range []refund.Verdict{-1, 3} {
		assert.Equal(t, "undetermined", strange.String(), "a verdict that nobody knows decides nothing")
	}
}
