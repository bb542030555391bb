package backd_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/backd"
	"github.com/multirefund/refund-go/backd/backdtest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

// newClient makes a client of the simulator's account on another transport.
func newClient(t testing.TB, rt http.RoundTripper) *backd.Client {
	t.Helper()
	client, err := backdtest.New().Client(refund.Options{Transport: rt})
	require.NoError(t, err)
	return client
}

// split answers reads and writes differently.
type split struct{ read, write *wiretest.Transport }

// RoundTrip implements http.RoundTripper.
func (s split) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		return s.read.RoundTrip(req)
	}
	return s.write.RoundTrip(req)
}

// answers is a split of two bodies, both with status 200.
func answers(read, write string) split {
	return split{&wiretest.Transport{Status: http.StatusOK, Body: read}, &wiretest.Transport{Status: http.StatusOK, Body: write}}
}

// order is a response with the order with id B1, which has refunds.
func order(refunds string) string {
	return fmt.Sprintf(`{"data":{"backd_order_id":"B1","merchant_order_id":"M1","order_total":9150,"status":"order_confirmed","refunds":[%s]},`+
		`"message":"","status":{"type":"success","code":200,"error":false}}`, refunds)
}

// entry is a refund request within a response.
func entry(amount, created, status string) string {
	return fmt.Sprintf(`{"amount":%s,"create_date":%q,"status":%q,"locked_at":"2999-04-16 17:00:00"}`, amount, created, status)
}

func commonRequest(amount string) refund.Request {
	return refund.Request{
		IdempotencyKey: "refund-1", Order: refund.Order{ID: "B1", MerchantID: "M1"},
		Amount: refund.MustParseMoney(amount, "USD"), Reason: "does not travel",
	}
}

func nativeRequest() backd.RefundRequest {
	return backd.RefundRequest{BackdOrderID: "B1", MerchantOrderID: "M1", RefundAmount: refund.MustParseMoney("10.00", "USD")}
}

// TestWire compares every operation's requests with its golden file.
func TestWire(t *testing.T) {
	ctx := t.Context()
	const now = "2026-04-16 10:30:00"
	draft, declined := order(entry("10.00", now, "draft")), order(entry("10.00", now, "declined"))
	for _, tt := range []struct {
		name, read, write string
		requests          int
		call              func(*backd.Client) error
	}{
		{"refund", order(""), draft, 2, func(c *backd.Client) error {
			_, err := c.Refund(ctx, commonRequest("10.00"))
			return err
		}},
		{"replace_refund", strings.Replace(order(""), "M1", `2026/7 \"é\"`, 1), strings.Replace(draft, "M1", `2026/7 \"é\"`, 1), 2, func(c *backd.Client) error {
			req := nativeRequest()
			req.MerchantOrderID = `2026/7 "é"`
			_, err := c.ReplaceRefund(ctx, req)
			return err
		}},
		{"delete_refund", "", declined, 1, func(c *backd.Client) error {
			_, err := c.DeleteRefund(ctx, backd.DeleteRequest{BackdOrderID: "B1", MerchantOrderID: "M1"})
			return err
		}},
		{"cancel_refund", draft, declined, 2, func(c *backd.Client) error {
			_, err := c.CancelRefund(ctx, refund.Ref{Order: refund.Order{ID: "B1", MerchantID: "M1"}})
			return err
		}},
		{"find_order", strings.Replace(draft, "B1", "B:1@x;y,z", 1), "", 1, func(c *backd.Client) error {
			_, err := c.FindOrder(ctx, "B:1@x;y,z")
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wire := answers(tt.read, tt.write)
			require.NoError(t, tt.call(newClient(t, wire)))
			dumps := append(wire.read.Dumps, wire.write.Dumps...)
			require.Len(t, dumps, tt.requests)
			wiretest.Golden(t, tt.name, strings.Join(dumps, "\n"))
		})
	}
}

func TestWritesCheckBeforeSending(t *testing.T) {
	long := strings.Repeat("r", 129)
	for field, change := range map[string]func(*backd.RefundRequest){
		"BackdOrderID":       func(r *backd.RefundRequest) { r.BackdOrderID = "a/../b" },
		"BackdOrderID ":      func(r *backd.RefundRequest) { r.BackdOrderID = "" },
		"BackdOrderID  ":     func(r *backd.RefundRequest) { r.BackdOrderID = long },
		"BackdOrderID   ":    func(r *backd.RefundRequest) { r.BackdOrderID = ".." },
		"MerchantOrderID":    func(r *backd.RefundRequest) { r.MerchantOrderID = "" },
		"MerchantOrderID ":   func(r *backd.RefundRequest) { r.MerchantOrderID = long },
		"MerchantOrderID  ":  func(r *backd.RefundRequest) { r.MerchantOrderID = "a\nb" },
		"MerchantOrderID   ": func(r *backd.RefundRequest) { r.MerchantOrderID = "a\xff" },
		"RefundAmount":       func(r *backd.RefundRequest) { r.RefundAmount = refund.Money{} },
		"RefundAmount ":      func(r *backd.RefundRequest) { r.RefundAmount = refund.MustParseMoney("0.00", "USD") },
		"RefundAmount  ":     func(r *backd.RefundRequest) { r.RefundAmount = refund.MustParseMoney("-10.00", "USD") },
	} {
		req := nativeRequest()
		change(&req)
		wire := &wiretest.Transport{Status: http.StatusOK, Body: `{}`}
		client := newClient(t, wire)
		_, err := client.ReplaceRefund(t.Context(), req)
		invalid(t, field, err)
		if !strings.HasPrefix(field, "RefundAmount") {
			_, err = client.DeleteRefund(t.Context(), backd.DeleteRequest{BackdOrderID: req.BackdOrderID, MerchantOrderID: req.MerchantOrderID})
			invalid(t, field, err)
		}
		assert.Empty(t, wire.Dumps)
	}

	wire := &wiretest.Transport{Status: http.StatusOK, Body: `{}`}
	req := nativeRequest()
	req.RefundAmount = refund.MustParseMoney("10.00", "CAD")
	_, err := newClient(t, wire).ReplaceRefund(t.Context(), req)
	assert.Equal(t, "RefundAmount", notSent(t, err, refund.ErrCurrencyMismatch).Field)
	assert.Empty(t, wire.Dumps)
}

// invalid checks an error that names its field; spaces after it only tell cases apart.
func invalid(t *testing.T, field string, err error) {
	t.Helper()
	var e *refund.Error
	require.ErrorAs(t, err, &e, field)
	assert.Equal(t, strings.TrimSpace(field), e.Field)
	assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
	assert.ErrorIs(t, err, refund.ErrInvalidRequest)
}

func TestOthersCheckBeforeSending(t *testing.T) {
	wire := &wiretest.Transport{Status: http.StatusOK, Body: `{}`}
	c := newClient(t, wire)
	ctx := t.Context()
	half, invoice := refund.Order{ID: "B1"}, refund.Order{ID: "B1", MerchantID: "M1", InvoiceID: "I1"}
	with := func(order refund.Order) refund.Request {
		req := commonRequest("10.00")
		req.Order = order
		return req
	}
	for _, tt := range []struct {
		field string
		call  func() error
	}{
		{"backdOrderID", func() error { _, err := c.FindOrder(ctx, "a b"); return err }},
		{"Order.ID", func() error { _, err := c.GetRefund(ctx, refund.Ref{ID: "1"}); return err }},
		{"ID", func() error { _, err := c.GetRefund(ctx, refund.Ref{Order: half}); return err }},
		{"Order.ID", func() error { return drain(c.Refunds(ctx, refund.Query{})) }},
		{"Order.ID", func() error {
			_, err := c.CancelRefund(ctx, refund.Ref{Order: refund.Order{MerchantID: "M1"}})
			return err
		}},
		{"Order.MerchantID", func() error { _, err := c.CancelRefund(ctx, refund.Ref{Order: half}); return err }},
		{"Order.MerchantID", func() error { _, err := c.Refund(ctx, with(half)); return err }},
		{"Order.MerchantID", func() error { _, err := c.Snapshot(ctx, with(half)); return err }},
		{"Order.InvoiceID", func() error { _, err := c.Refund(ctx, with(invoice)); return err }},
		{"Order.InvoiceID", func() error { _, err := c.GetRefund(ctx, refund.Ref{Order: invoice, ID: "1"}); return err }},
		{"Order.InvoiceID", func() error { return drain(c.Refunds(ctx, refund.Query{Order: invoice})) }},
		{"Order.InvoiceID", func() error { _, err := c.CancelRefund(ctx, refund.Ref{Order: invoice}); return err }},
	} {
		invalid(t, tt.field, tt.call())
	}
	// What cannot be asked about is as unknown as before.
	for field, attempt := range map[string]refund.Attempt{
		"Order.MerchantID": {Request: with(half), Tries: 1},
		"IdempotencyKey":   {Tries: 1},
	} {
		got, err := c.Resolve(ctx, attempt)
		assert.Equal(t, refund.Resolution{}, got)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		var e *refund.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, field, e.Field)
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
		assert.Equal(t, attempt, e.Attempt)
	}
	assert.Empty(t, wire.Dumps)
}

func drain[T any](seq func(func(T, error) bool)) error {
	var last error
	seq(func(_ T, err error) bool {
		last = err
		return true
	})
	return last
}

// TestReplace is the native way to change an amount: the new total takes the place of the old request.
func TestReplace(t *testing.T) {
	sim := backdtest.New()
	opts, stop := refundtest.Serve(sim)
	defer stop()
	client, err := sim.Client(opts)
	require.NoError(t, err)
	placed := sim.AddOrder(refund.MustParseMoney("100.00", "USD"))
	sim.Advance(time.Until(backd.LocksAt(time.Now()))) // whenever this runs, requests are a day or more from their lock
	req := backd.RefundRequest{BackdOrderID: placed.ID, MerchantOrderID: placed.MerchantID}
	req.RefundAmount = refund.MustParseMoney("10.00", "USD")
	got, err := client.ReplaceRefund(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, "10.00", got.Refund.Amount.StringFixed(2))
	assert.Empty(t, got.Declined)

	req.RefundAmount = refund.MustParseMoney("12.50", "USD")
	got, err = client.ReplaceRefund(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, "12.50", got.Refund.Amount.StringFixed(2))
	assert.Equal(t, backd.RefundDraft, got.Refund.Status)
	require.Len(t, got.Declined, 1)
	assert.Equal(t, "10.00", got.Declined[0].Amount.StringFixed(2))
	assert.Equal(t, backd.RefundDeclined, got.Declined[0].Status)
	assert.Equal(t, placed.ID, got.Order.BackdOrderID)
	assert.Equal(t, []refund.Money{refund.MustParseMoney("12.50", "USD")}, sim.Ledger(placed))

	// The DELETE carries its body over a real connection too.
	deleted, err := client.DeleteRefund(t.Context(), backd.DeleteRequest{BackdOrderID: placed.ID, MerchantOrderID: placed.MerchantID})
	require.NoError(t, err)
	assert.Nil(t, deleted.Data.ActiveRefund())
	assert.Len(t, deleted.Data.Refunds, 2)
	assert.Empty(t, sim.Ledger(placed))

	_, err = client.DeleteRefund(t.Context(), backd.DeleteRequest{BackdOrderID: placed.ID, MerchantOrderID: placed.MerchantID})
	require.ErrorIs(t, err, refund.ErrConflict)
	assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err))
	assert.True(t, backd.HasCode(err, "error"))
}
