package refund_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

func TestNewIdempotencyKey(t *testing.T) {
	const n = 1000
	keys := make([]string, n)
	seen := map[string]bool{}
	for i := range keys {
		key := refund.NewIdempotencyKey()
		id, err := uuid.Parse(key)
		require.NoError(t, err)
		require.EqualValues(t, 7, id.Version())
		require.LessOrEqual(t, len(key), refund.MaxKeyLength)
		req := validRequest()
		req.IdempotencyKey = key
		require.NoError(t, capable().Check(req))
		keys[i], seen[key] = key, true
	}
	assert.Len(t, seen, n, "no key is made twice")
	assert.True(t, slices.IsSorted(keys), "keys sort by time, even within a millisecond")
}

func TestNewIdempotencyKeyConcurrently(t *testing.T) {
	const workers, each = 8, 200
	var made sync.Map
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				_, again := made.LoadOrStore(refund.NewIdempotencyKey(), true)
				assert.False(t, again)
			}
		})
	}
	wg.Wait()
}

func TestRequestPrinting(t *testing.T) {
	req := validRequest()
	req.Reason = "private reason"
	req.Metadata = map[string]string{"private name": "private value"}

	assert.Equal(t, req.String(), fmt.Sprint(req))
	assert.Equal(t, req.String(), fmt.Sprintf("%#v", req))
	for _, want := range []string{req.IdempotencyKey, req.Order.ID, "10.99 AUD"} {
		assert.Contains(t, req.String(), want)
	}
	for name, value := range map[string]any{
		"request": req, "pointer": &req, "slice": []refund.Request{req}, "field": struct{ Request refund.Request }{req},
	} {
		for _, verb := range verbs {
			assertPrivate(t, fmt.Sprintf(verb, value), "private", "%s of %s", verb, name)
		}
	}
	for name, handler := range handlers {
		var log bytes.Buffer
		slog.New(handler(&log)).Info("refunding", slog.Any("request", req), slog.Any("pointer", &req))
		assert.Contains(t, log.String(), req.IdempotencyKey)
		assertPrivate(t, log.String(), "private", "slog %s", name)
	}
}

// The ids come from others, so they are quoted: a log has one line for each request.
func TestRequestPrintsOneLine(t *testing.T) {
	req := validRequest()
	req.Order.ID, req.IdempotencyKey = "1\n2", "3\r4"
	for _, verb := range verbs {
		text := fmt.Sprintf(verb, req)
		assert.NotContains(t, text, "\n")
		assert.NotContains(t, text, "\r")
	}
	assert.NotEmpty(t, refund.Request{}.String())
}
