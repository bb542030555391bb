package instant_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/instant"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// signed checks that err is about field, was not sent, and is signed in full.
func signed(t *testing.T, err error, op, key, field string, kind refund.Kind) {
	t.Helper()
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, refund.Error{
		Provider: "instant", Account: "au-1", Op: op, IdempotencyKey: key,
		Kind: kind, Outcome: refund.OutcomeNotSent, Field: field, Message: e.Message,
	}, *e)
	assert.NotEmpty(t, e.Message)
}

// TestInvalidRequestsAreSigned: what is wrong with a request returns before anything is sent, with everything that is
// needed to find the request again.
func TestInvalidRequestsAreSigned(t *testing.T) {
	type tests []struct {
		field  string
		kind   refund.Kind
		change func(*refund.Request)
	}
	money := refund.MustParseMoney
	all := tests{
		{"IdempotencyKey", refund.ErrInvalidRequest, func(r *refund.Request) { r.IdempotencyKey = "" }},
		{"IdempotencyKey", refund.ErrInvalidRequest, func(r *refund.Request) { r.IdempotencyKey = "a b" }},
		{"IdempotencyKey", refund.ErrInvalidRequest, func(r *refund.Request) { r.IdempotencyKey = strings.Repeat("k", 65) }},
		{"Order", refund.ErrInvalidRequest, func(r *refund.Request) { r.Order = refund.Order{} }},
		{"Order.InvoiceID", refund.ErrInvalidRequest, func(r *refund.Request) { r.Order.InvoiceID = "invoice-1" }},
		{"Amount", refund.ErrInvalidRequest, func(r *refund.Request) { r.Amount = refund.Money{} }},
		{"Amount", refund.ErrInvalidRequest, func(r *refund.Request) { r.Amount = money("0", "AUD") }},
		{"Amount", refund.ErrInvalidRequest, func(r *refund.Request) { r.Amount = money("-1", "AUD") }},
		{"Amount", refund.ErrCurrencyMismatch, func(r *refund.Request) { r.Amount = money("1", "JPY") }},
		{"Amount", refund.ErrAmountExceeded, func(r *refund.Request) { r.Captured = money("9.99", "AUD") }},
		{"Captured", refund.ErrInvalidRequest, func(r *refund.Request) { r.Captured = money("10", "NZD") }},
		{"Part", refund.ErrInvalidRequest, func(r *refund.Request) { r.Part = refund.PartShipping }},
		{"Line", refund.ErrInvalidRequest, func(r *refund.Request) { r.Line = "1" }},
	}
	for _, id := range []string{
		"", ".", "..", "1/../2", "./2", "1/..", " ", " 1", "1 ", "1\t2", "1\n2", "1\x002", "1\u00a02", "1\u200b2", "\u202e1", "1\x7f2",
		"r-\xff", strings.Repeat("1", 256), strings.Repeat("é", 256),
	} {
		all = append(all, tests{{"Order.ID", refund.ErrInvalidRequest, func(r *refund.Request) {
			r.Order = refund.Order{ID: id, MerchantID: "shop-1"}
		}}}...)
	}
	wire := &wiretest.Transport{Status: http.StatusOK}
	client := newClient(t, wire, func(cfg *instant.Config) { cfg.Account, cfg.ResendToResolve = "au-1", true })
	for _, tt := range all {
		req := request("key-1", "10.00")
		tt.change(&req)
		_, err := client.Refund(t.Context(), req)
		signed(t, err, "refund", req.IdempotencyKey, tt.field, tt.kind)

		attempt := refund.Attempt{Request: req, FirstSent: time.Now().Add(-20 * time.Second), LastSent: time.Now(), Tries: 1}
		got, err := client.Resolve(t.Context(), attempt)
		assert.Equal(t, refund.Resolution{}, got)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "it was sent once, by somebody")
		assert.Equal(t, attempt, e.Attempt)
		assert.Equal(t, []string{"instant", "au-1", "resolve", req.IdempotencyKey, tt.field},
			[]string{e.Provider, e.Account, e.Op, e.IdempotencyKey, e.Field})
		assert.Equal(t, tt.kind, e.Kind)
	}
	assert.Empty(t, wire.Dumps)
}

// TestInvalidNativeRequestsAreSigned: a native call has no common key.
func TestInvalidNativeRequestsAreSigned(t *testing.T) {
	long := strings.Repeat("r", 65)
	wire := &wiretest.Transport{Status: http.StatusOK}
	client := newClient(t, wire, func(cfg *instant.Config) { cfg.Account = "au-1" })
	money := refund.MustParseMoney
	for _, tt := range []struct {
		field  string
		kind   refund.Kind
		change func(*instant.RefundRequest)
	}{
		{"DisplayOrderID", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.DisplayOrderID = "" }},
		{"DisplayOrderID", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.DisplayOrderID = "a/../b" }},
		{"DisplayOrderID", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.DisplayOrderID = strings.Repeat("1", 256) }},
		{"DisplayOrderID", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.DisplayOrderID = ".." }},
		{"DisplayOrderID", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.DisplayOrderID = "1001 " }},
		{"DisplayOrderID", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.DisplayOrderID = "r-\xff" }},
		{"StoreCode", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.StoreCode = "a b" }},
		{"IdempotencyKey", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.IdempotencyKey = "a\nb" }},
		{"IdempotencyKey", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.IdempotencyKey = long }},
		{"AmountToRefund", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.AmountToRefund = refund.Money{} }},
		{"AmountToRefund", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.AmountToRefund = money("0", "AUD") }},
		{"AmountToRefund", refund.ErrInvalidRequest, func(r *instant.RefundRequest) { r.AmountToRefund = money("-10.99", "AUD") }},
		{"AmountToRefund", refund.ErrCurrencyMismatch, func(r *instant.RefundRequest) { r.AmountToRefund = money("10.99", "NZD") }},
	} {
		req := nativeRequest()
		tt.change(&req)
		_, err := client.CreateRefund(t.Context(), req)
		signed(t, err, "create refund", "", tt.field, tt.kind)
	}
	assert.Empty(t, wire.Dumps)

	req := nativeRequest() // the limits themselves are allowed
	req.DisplayOrderID, req.IdempotencyKey = strings.Repeat("é", 255), long[:64]
	_, err := client.CreateRefund(t.Context(), req)
	require.NoError(t, err)
}

// TestOrderIDs: an id is a JSON string and no path, so that whatever a shop shows to its customers arrives as it is.
func TestOrderIDs(t *testing.T) {
	for _, id := range []string{
		"ORD/2024/001", `a\b?c%d#e&f`, "ORD 2024 001", "bestellung-äöü", "注文番号-42", "№ 7", `"quoted"`, "<b>", "..1", "1...2", "a..b/c", "🛒1",
		strings.Repeat("é", 255),
	} {
		var body []byte
		client := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			body, _ = io.ReadAll(r.Body) //nolint:errcheck // the body would show
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
		}))
		req := request("k", "10.00")
		req.Order.ID = id
		got, err := client.Refund(t.Context(), req)
		require.NoError(t, err, id)
		assert.Equal(t, req.Order, got.Order)
		var sent map[string]any
		require.NoError(t, json.Unmarshal(body, &sent))
		assert.Equal(t, id, sent["displayOrderId"])
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
