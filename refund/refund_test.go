package refund_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"testing"

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
		assert.Equal(t, raw.String(), raw.LogValue().String())
		text, err := raw.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, raw.String(), string(text))
	}
}

// The words are stored by others, so a changed one must fail here.
func TestStatuses(t *testing.T) {
	for status, word := range map[refund.Status]string{
		refund.StatusSucceeded: "succeeded", refund.StatusPending: "pending", refund.StatusNeedsAction: "needs_action",
		refund.StatusUnknown: "", refund.StatusFailed: "failed", refund.StatusCanceled: "canceled", refund.StatusExpired: "expired",
	} {
		assert.Equal(t, word, string(status))
	}
}

func TestRefundPrintsWithoutItsAnswer(t *testing.T) {
	r := refund.Refund{ID: "7", Amount: refund.MustParseMoney("10.00", "AUD"), ProviderStatus: "odd", Raw: refund.Raw("jane@example.com")}
	assert.NotContains(t, r.String(), "jane")
	assert.Contains(t, r.String(), "odd", "a status that nobody knows is the provider's word")
	assert.Contains(t, r.String(), "10.00 AUD")
}
