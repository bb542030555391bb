package orderrows_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
	"github.com/multirefund/refund-go/refund/refundtest"
)

const (
	refundID = "6f1c3c1e-8f0a-4b52-9a3c-2f6b7f0d9a11"
	created  = `{"Resource":"` + refundID + `","Message":"Success.","Details":null}`
	changed  = `{"Message":"Success.","Details":null}`
	noneYet  = `{"Resource":[],"Message":"Success.","Details":null}`
)

// newClient makes a client of the simulator's account on another transport.
func newClient(t testing.TB, rt http.RoundTripper) *orderrows.Client {
	t.Helper()
	client, err := orderrowstest.New().Client(refund.Options{Transport: rt})
	require.NoError(t, err)
	return client
}

// newHastyClient makes one that does not look before it sends.
func newHastyClient(t testing.TB, rt http.RoundTripper) *orderrows.Client {
	t.Helper()
	cfg := orderrowstest.New().Config()
	cfg.Transport, cfg.NoLookup = rt, true
	client, err := orderrows.New(cfg)
	require.NoError(t, err)
	return client
}

func nativeRequest() orderrows.NewRefund {
	return orderrows.NewRefund{Reference: "refund-1", RefundAmount: refund.MustParseMoney("10.00", "SEK")}
}

// TestWire compares every operation's request with its golden file.
func TestWire(t *testing.T) {
	ctx := t.Context()
	east := time.FixedZone("", 3600)
	when := time.Date(2026, 1, 2, 4, 4, 5, 6e6, east)
	const one = `{"Resource":{"RefundId":"` + refundID + `"},"Message":"Success.","Details":null}`
	for _, tt := range []struct {
		name, answer string
		call         func(*orderrows.Client) error
	}{
		{"refund", created, func(c *orderrows.Client) error {
			_, err := c.Refund(ctx, refund.Request{
				IdempotencyKey: "refund-1", Order: refund.Order{ID: "1001"}, Amount: refund.MustParseMoney("10.00", "SEK"),
				Metadata: map[string]string{"does not": "travel"},
			})
			return err
		}},
		{"refund_of_a_line", created, func(c *orderrows.Client) error {
			_, err := c.Refund(ctx, refund.Request{
				IdempotencyKey: "refund-1", Order: refund.Order{ID: "1001"}, Amount: refund.MustParseMoney("0.01", "SEK"),
				Part: refund.PartReturnCost, Line: "2002", Reason: "too \"small\"",
			})
			return err
		}},
		{"create_refund", created, func(c *orderrows.Client) error {
			_, err := c.CreateRefund(ctx, 1001, orderrows.NewRefund{
				OrderRowID: 2002, Reference: "refund-1", Description: "broken", Author: "returns desk",
				RefundAmount: refund.MustParseMoney("1234567.5", "SEK"), RefundType: orderrows.TypeInvoiceFee,
				ToBalance: true, SkipRefundEvents: true, RefundsRequireApproval: true,
			})
			return err
		}},
		{"create_settled_refund", created, func(c *orderrows.Client) error {
			req := nativeRequest()
			req.Settled = true
			_, err := c.CreateRefund(ctx, 1001, req)
			return err
		}},
		{"retrieve_refund", one, func(c *orderrows.Client) error {
			_, err := c.RetrieveRefund(ctx, 1001, refundID)
			return err
		}},
		{"retrieve_order", `{"Refunds":[]}`, func(c *orderrows.Client) error {
			_, err := c.RetrieveOrder(ctx, 1001)
			return err
		}},
		{"list_refunds", noneYet, func(c *orderrows.Client) error {
			_, err := c.ListRefunds(ctx, 1001)
			return err
		}},
		{"query_refunds", noneYet, func(c *orderrows.Client) error {
			_, err := c.QueryRefunds(ctx, orderrows.RefundQuery{
				CreatedAfter: when, CreatedBefore: when, ApprovedAfter: when, ApprovedBefore: when, UpdatedAfter: when,
				UpdatedBefore:   when.Truncate(time.Second),
				IncludeStatuses: []orderrows.QueryStatus{orderrows.StatusAll, orderrows.StatusPendingApproval},
				ExcludeStatuses: []orderrows.QueryStatus{orderrows.StatusSent, orderrows.StatusApproved},
			})
			return err
		}},
		{"query_all_refunds", noneYet, func(c *orderrows.Client) error {
			_, err := c.QueryRefunds(ctx, orderrows.RefundQuery{})
			return err
		}},
		{"set_approval", changed, func(c *orderrows.Client) error {
			_, err := c.SetApproval(ctx, 1001, refundID, orderrows.RefundApproval{Approved: true, ApprovalDecidedBy: "finance", ApprovalDecidedOn: when})
			return err
		}},
		{"set_approval_denied", changed, func(c *orderrows.Client) error {
			_, err := c.SetApproval(ctx, 1001, refundID, orderrows.RefundApproval{})
			return err
		}},
		{"set_as_processed", changed, func(c *orderrows.Client) error {
			_, err := c.SetAsProcessed(ctx, 1001, refundID, orderrows.ProcessedRefund{ExternalID: "psp-1", Reference: "r", ProcessedOn: when})
			return err
		}},
		{"set_as_settled", changed, func(c *orderrows.Client) error {
			_, err := c.SetAsSettled(ctx, 1001, refundID, orderrows.SettledRefund{})
			return err
		}},
		{"set_row_as_settled", changed, func(c *orderrows.Client) error {
			_, err := c.SetRowAsSettled(ctx, 1001, refundID, 3003, orderrows.SettledRefund{SettledByAdminUserID: 7, SettledOn: when})
			return err
		}},
		{"delete_row", changed, func(c *orderrows.Client) error {
			_, err := c.DeleteRow(ctx, 1001, refundID, 3003)
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wire := &wiretest.Transport{Status: http.StatusOK, Body: tt.answer}
			require.NoError(t, tt.call(newHastyClient(t, wire)))
			require.Len(t, wire.Dumps, 1)
			wiretest.Golden(t, tt.name, wire.Dumps[0])
		})
	}
}

func TestCreateRefundChecksBeforeSending(t *testing.T) {
	for _, tt := range []struct {
		field  string
		change func(*orderrows.NewRefund, *int32)
	}{
		{"Order.ID", func(_ *orderrows.NewRefund, id *int32) { *id = 0 }},
		{"Order.ID", func(_ *orderrows.NewRefund, id *int32) { *id = -1 }},
		{"RefundAmount", func(r *orderrows.NewRefund, _ *int32) { r.RefundAmount = refund.Money{} }},
		{"RefundAmount", func(r *orderrows.NewRefund, _ *int32) { r.RefundAmount = refund.MustParseMoney("0", "SEK") }},
		{"RefundAmount", func(r *orderrows.NewRefund, _ *int32) { r.RefundAmount = refund.MustParseMoney("-10", "SEK") }},
		{"Reference", func(r *orderrows.NewRefund, _ *int32) { r.Reference = "r-\xff" }},
		{"Description", func(r *orderrows.NewRefund, _ *int32) { r.Description = "\xc3" }},
		{"Author", func(r *orderrows.NewRefund, _ *int32) { r.Author = "\xc3" }},
		{"Reference", func(r *orderrows.NewRefund, _ *int32) { r.Reference = strings.Repeat("é", 1_001) }},
		{"Description", func(r *orderrows.NewRefund, _ *int32) { r.Description = strings.Repeat("é", 10_001) }},
		{"Author", func(r *orderrows.NewRefund, _ *int32) { r.Author = strings.Repeat("é", 1_001) }},
		{"OrderRowID", func(r *orderrows.NewRefund, _ *int32) { r.OrderRowID = -1 }},
		{"RefundType", func(r *orderrows.NewRefund, _ *int32) { r.RefundType = 4 }},
		{"RefundType", func(r *orderrows.NewRefund, _ *int32) { r.RefundType = -1 }},
		{"RefundsRequireApproval", func(r *orderrows.NewRefund, _ *int32) { r.RefundsRequireApproval, r.Settled = true, true }},
	} {
		req, id := nativeRequest(), int32(1001)
		tt.change(&req, &id)
		wire := &wiretest.Transport{Status: http.StatusOK, Body: created}
		_, err := newClient(t, wire).CreateRefund(t.Context(), id, req)
		var e *refund.Error
		require.ErrorAs(t, err, &e, tt.field)
		assert.Equal(t, tt.field, e.Field)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		assert.Empty(t, wire.Dumps)
	}
	wire := &wiretest.Transport{Status: http.StatusOK, Body: created}
	req := nativeRequest()
	req.RefundAmount = refund.MustParseMoney("10.00", "NOK")
	_, err := newClient(t, wire).CreateRefund(t.Context(), 1001, req)
	require.ErrorIs(t, err, refund.ErrCurrencyMismatch)
	assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
	assert.Empty(t, wire.Dumps)
}

// TestTextsOfOtherWrites are checked too, and that of the common Refund.
func TestTextsOfOtherWrites(t *testing.T) {
	for _, bad := range []string{"\xff", strings.Repeat("é", 10_001)} {
		wire := &wiretest.Transport{Status: http.StatusOK, Body: created}
		c := newClient(t, wire)
		for field, call := range map[string]func() error{
			"ApprovalDecidedBy": func() error {
				_, err := c.SetApproval(t.Context(), 1001, refundID, orderrows.RefundApproval{ApprovalDecidedBy: bad})
				return err
			},
			"ExternalID": func() error {
				_, err := c.SetAsProcessed(t.Context(), 1001, refundID, orderrows.ProcessedRefund{ExternalID: bad})
				return err
			},
			"Reference": func() error {
				_, err := c.SetAsProcessed(t.Context(), 1001, refundID, orderrows.ProcessedRefund{Reference: bad})
				return err
			},
			"Reason": func() error {
				req := refund.Request{
					IdempotencyKey: "refund-1", Order: refund.Order{ID: "1001"}, Amount: refund.MustParseMoney("10.00", "SEK"), Reason: bad,
				}
				_, err := c.Refund(t.Context(), req)
				return err
			},
		} {
			err := call()
			var e *refund.Error
			require.ErrorAs(t, err, &e, field)
			assert.Equal(t, field, e.Field)
			assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
			require.ErrorIs(t, err, refund.ErrInvalidRequest)
		}
		assert.Empty(t, wire.Dumps)
	}
	// The longest that is allowed goes out as it is.
	req := nativeRequest()
	req.Reference, req.Description = strings.Repeat("é", 1_000), strings.Repeat("é", 10_000)
	wire := &wiretest.Transport{Status: http.StatusOK, Body: created}
	_, err := newClient(t, wire).CreateRefund(t.Context(), 1001, req)
	require.NoError(t, err)
	assert.Contains(t, wire.Dumps[0], `"`+req.Reference+`"`)
}

// TestIDsAreCheckedBeforeSending: above all an empty refund id, which would read the list, or a word in its place.
func TestIDsAreCheckedBeforeSending(t *testing.T) {
	ctx := t.Context()
	wire := &wiretest.Transport{Status: http.StatusOK, Body: changed}
	c := newClient(t, wire)
	invalid := func(field string, err error, what ...any) {
		t.Helper()
		var e *refund.Error
		require.ErrorAs(t, err, &e, what...)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
		assert.Equal(t, field, e.Field, what...)
	}
	byID := map[string]func(order int32, id string) error{
		"RetrieveRefund": func(o int32, id string) error { _, err := c.RetrieveRefund(ctx, o, id); return err },
		"SetApproval": func(o int32, id string) error {
			_, err := c.SetApproval(ctx, o, id, orderrows.RefundApproval{})
			return err
		},
		"SetAsProcessed": func(o int32, id string) error {
			_, err := c.SetAsProcessed(ctx, o, id, orderrows.ProcessedRefund{})
			return err
		},
		"SetAsSettled": func(o int32, id string) error {
			_, err := c.SetAsSettled(ctx, o, id, orderrows.SettledRefund{})
			return err
		},
		"SetRowAsSettled": func(o int32, id string) error {
			_, err := c.SetRowAsSettled(ctx, o, id, 1, orderrows.SettledRefund{})
			return err
		},
		"DeleteRow": func(o int32, id string) error { _, err := c.DeleteRow(ctx, o, id, 1); return err },
	}
	for name, call := range byID {
		for _, id := range []string{
			"", "List", ".", "..", "1", refundID + "/", "../" + refundID, "{" + refundID + "}", "urn:uuid:" + refundID,
			"6f1c3c1e8f0a4b529a3c2f6b7f0d9a11", "00000000-0000-0000-0000-000000000000",
		} {
			invalid("ID", call(1001, id), name, id)
			_, err := c.GetRefund(ctx, refund.Ref{Order: refund.Order{ID: "1001"}, ID: id})
			invalid("ID", err, id)
		}
		invalid("Order.ID", call(0, refundID), name)
	}
	_, err := c.SetRowAsSettled(ctx, 1001, refundID, 0, orderrows.SettledRefund{})
	invalid("RefundRowID", err)
	_, err = c.DeleteRow(ctx, 1001, refundID, -1)
	invalid("RefundRowID", err)
	_, err = c.ListRefunds(ctx, 0)
	invalid("Order.ID", err)
	for _, id := range []string{"", "0", "-1", "+1", "01", "1.0", "2147483648", "List", "1/2"} {
		order := refund.Order{ID: id, MerchantID: "m"}
		_, err = c.GetRefund(ctx, refund.Ref{Order: order, ID: refundID})
		invalid("Order.ID", err, id)
		invalid("Order.ID", drain(c.Refunds(ctx, refund.Query{Order: order})), id)
		_, err = c.Refund(ctx, refund.Request{IdempotencyKey: "k", Order: order, Amount: refund.MustParseMoney("1", "SEK")})
		invalid("Order.ID", err, id)
		if id != "" {
			_, err = c.Refund(ctx, refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Line: id, Amount: refund.MustParseMoney("1", "SEK")})
			invalid("Line", err, id)
		}
	}
	invoice := refund.Order{ID: "1", InvoiceID: "2"}
	_, err = c.GetRefund(ctx, refund.Ref{Order: invoice, ID: refundID})
	invalid("Order.InvoiceID", err)
	invalid("Order.InvoiceID", drain(c.Refunds(ctx, refund.Query{Order: invoice})))
	invalid("Order.InvoiceID", drain(c.Refunds(ctx, refund.Query{Order: refund.Order{InvoiceID: "2"}})))
	_, err = c.Refund(ctx, refund.Request{IdempotencyKey: "k", Order: invoice, Amount: refund.MustParseMoney("1", "SEK")})
	invalid("Order.InvoiceID", err)
	_, err = c.Resolve(ctx, refund.Attempt{})
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
	assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "what became of it is as unknown as before")
	assert.Empty(t, wire.Dumps)
}

func TestQueryRefundsChecksBeforeSending(t *testing.T) {
	for field, q := range map[string]orderrows.RefundQuery{
		"IncludeStatuses": {IncludeStatuses: []orderrows.QueryStatus{orderrows.StatusSent, 8}},
		"ExcludeStatuses": {ExcludeStatuses: []orderrows.QueryStatus{orderrows.StatusSent, orderrows.StatusAll}},
		"request":         {CreatedAfter: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		wire := &wiretest.Transport{Status: http.StatusOK, Body: noneYet}
		_, err := newClient(t, wire).QueryRefunds(t.Context(), q)
		var e *refund.Error
		require.ErrorAs(t, err, &e, field)
		assert.Equal(t, field, e.Field)
		assert.Empty(t, wire.Dumps)
	}
	wire := &wiretest.Transport{Status: http.StatusOK, Body: changed}
	_, err := newClient(t, wire).SetAsSettled(t.Context(), 1, refundID, orderrows.SettledRefund{SettledOn: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
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

// TestQueryIsRead: it is a POST, but moves nothing, and may be sent again.
func TestQueryIsRead(t *testing.T) {
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(httpmock.NewNotFoundResponder(t.Fatal))
	mock.RegisterResponder(http.MethodPost, "https://mgmtapi.geins.io/API/Refund/Query", httpmock.ResponderFromMultipleResponses([]*http.Response{
		httpmock.NewStringResponse(http.StatusServiceUnavailable, ""), httpmock.NewStringResponse(http.StatusOK, noneYet),
	}))
	client, err := orderrowstest.New().Client(refund.Options{Transport: mock, Retry: refund.RetryPolicy{MinDelay: -1, MaxDelay: -1}})
	require.NoError(t, err)
	got, err := client.QueryRefunds(t.Context(), orderrows.RefundQuery{})
	require.NoError(t, err)
	assert.Empty(t, got)
	assert.Equal(t, 2, mock.GetTotalCallCount())
}

// TestLife goes through the life of refunds in the API's own terms.
func TestLife(t *testing.T) {
	ctx := t.Context()
	sim := orderrowstest.New()
	order := sim.AddOrder(refund.MustParseMoney("100.00", "SEK"))
	id := int32(1001)
	require.Equal(t, "1001", order.ID)
	c, err := sim.Client(refund.Options{})
	require.NoError(t, err)
	create := func(change func(*orderrows.NewRefund)) string {
		req := nativeRequest()
		change(&req)
		got, err := c.CreateRefund(ctx, id, req)
		require.NoError(t, err)
		assert.Equal(t, "Success.", got.Message)
		assert.Empty(t, got.Details)
		return got.RefundID
	}
	status := func(refundID string) refund.Status {
		got, err := c.GetRefund(ctx, refund.Ref{Order: order, ID: refundID})
		require.NoError(t, err)
		return got.Status
	}
	query := func(statuses ...orderrows.QueryStatus) (ids []string) {
		found, err := c.QueryRefunds(ctx, orderrows.RefundQuery{IncludeStatuses: statuses})
		require.NoError(t, err)
		for i := range found {
			ids = append(ids, found[i].RefundID)
		}
		return ids
	}

	waiting := create(func(r *orderrows.NewRefund) { r.RefundsRequireApproval = true })
	assert.Equal(t, refund.StatusNeedsAction, status(waiting))
	assert.Equal(t, []string{waiting}, query(orderrows.StatusPendingApproval))
	assert.Empty(t, sim.Events(order), "it waits")
	_, err = c.SetAsProcessed(ctx, id, waiting, orderrows.ProcessedRefund{})
	require.ErrorIs(t, err, refund.ErrInvalidRequest, "it has to be approved before")
	assert.Len(t, orderrows.Details(err), 1)
	_, err = c.SetApproval(ctx, id, waiting, orderrows.RefundApproval{Approved: true, ApprovalDecidedBy: "finance"})
	require.NoError(t, err)
	assert.Equal(t, refund.StatusPending, status(waiting))
	assert.Equal(t, []string{waiting}, sim.Events(order))
	assert.Equal(t, []string{waiting}, query(orderrows.StatusApproved))
	_, err = c.SetAsProcessed(ctx, id, waiting, orderrows.ProcessedRefund{ExternalID: "psp-1"})
	require.NoError(t, err)
	assert.Equal(t, refund.StatusSucceeded, status(waiting))
	got, err := c.RetrieveRefund(ctx, id, waiting)
	require.NoError(t, err)
	assert.True(t, *got.Approved)
	assert.Equal(t, orderrows.Text("psp-1"), got.ExternalID)
	assert.True(t, got.RefundRows[0].Settled, "processed settles the rows")

	denied := create(func(r *orderrows.NewRefund) { r.RefundsRequireApproval = true })
	_, err = c.SetApproval(ctx, id, denied, orderrows.RefundApproval{})
	require.NoError(t, err)
	assert.Equal(t, refund.StatusCanceled, status(denied))
	_, err = c.SetAsSettled(ctx, id, denied, orderrows.SettledRefund{})
	require.ErrorIs(t, err, refund.ErrInvalidRequest)

	settled := create(func(r *orderrows.NewRefund) { r.Settled = true })
	assert.Equal(t, refund.StatusSucceeded, status(settled))
	_, err = c.SetApproval(ctx, id, settled, orderrows.RefundApproval{})
	require.ErrorIs(t, err, refund.ErrInvalidRequest, "it needs no approval")
	silent := create(func(r *orderrows.NewRefund) { r.SkipRefundEvents = true })
	assert.Equal(t, refund.StatusPending, status(silent))
	assert.Equal(t, []string{waiting}, sim.Events(order), "neither is told to whoever pays")

	got, err = c.RetrieveRefund(ctx, id, silent)
	require.NoError(t, err)
	row := got.RefundRows[0].RefundRowID
	assert.Len(t, sim.Ledger(order), 3)
	_, err = c.DeleteRow(ctx, id, silent, row)
	require.NoError(t, err)
	assert.Len(t, sim.Ledger(order), 2)
	assert.Equal(t, refund.StatusPending, status(silent), "nothing says that it never will be paid")
	_, err = c.DeleteRow(ctx, id, silent, row)
	require.ErrorIs(t, err, refund.ErrOrderNotFound)

	plain := create(func(*orderrows.NewRefund) {})
	got, err = c.RetrieveRefund(ctx, id, plain)
	require.NoError(t, err)
	_, err = c.SetRowAsSettled(ctx, id, plain, got.RefundRows[0].RefundRowID, orderrows.SettledRefund{SettledByAdminUserID: 7})
	require.NoError(t, err)
	assert.Equal(t, refund.StatusSucceeded, status(plain))
	_, err = c.DeleteRow(ctx, id, plain, got.RefundRows[0].RefundRowID)
	require.ErrorIs(t, err, refund.ErrInvalidRequest)

	_, err = c.SetAsSettled(ctx, id, silent, orderrows.SettledRefund{})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{waiting, denied, settled, silent, plain}, query())
	assert.Equal(t, []string{settled}, query(orderrows.StatusSettled)[1:], "processed ones are settled too")
	assert.Equal(t, []string{plain}, query(orderrows.StatusSettledManually))
	all, err := c.ListRefunds(ctx, id)
	require.NoError(t, err)
	assert.Len(t, all, 5)
}

// TestLostResponsesOfWrites: whatever writes is sent once, and unknown when its answer is lost, although the API acted.
func TestLostResponsesOfWrites(t *testing.T) {
	ctx := t.Context()
	sim := orderrowstest.New()
	order := sim.AddOrder(refund.MustParseMoney("100.00", "SEK"))
	network := refundtest.NewNetwork(refundtest.InMemory(sim))
	c := newClient(t, network)
	id := int32(1001)
	fresh := func() (refundID string, row int32) {
		req := nativeRequest()
		req.RefundsRequireApproval = true
		made, err := c.CreateRefund(ctx, id, req)
		require.NoError(t, err)
		got, err := c.RetrieveRefund(ctx, id, made.RefundID)
		require.NoError(t, err)
		return made.RefundID, got.RefundRows[0].RefundRowID
	}
	approve := func(refundID string) {
		_, err := c.SetApproval(ctx, id, refundID, orderrows.RefundApproval{Approved: true})
		require.NoError(t, err)
	}
	read := func(refundID string) *orderrows.Refund {
		got, err := c.RetrieveRefund(ctx, id, refundID)
		require.NoError(t, err)
		return got
	}
	for name, tt := range map[string]struct {
		call  func(refundID string, row int32) error
		acted func(refundID string) bool
	}{
		"CreateRefund": {
			func(string, int32) error { _, err := c.CreateRefund(ctx, id, nativeRequest()); return err },
			func(string) bool { return len(sim.Ledger(order)) > 1 },
		},
		"SetApproval": {
			func(r string, _ int32) error {
				_, err := c.SetApproval(ctx, id, r, orderrows.RefundApproval{Approved: true})
				return err
			},
			func(r string) bool { return *read(r).Approved },
		},
		"SetAsProcessed": {
			func(r string, _ int32) error {
				_, err := c.SetAsProcessed(ctx, id, r, orderrows.ProcessedRefund{})
				return err
			},
			func(r string) bool { return read(r).Processed },
		},
		"SetAsSettled": {
			func(r string, _ int32) error {
				_, err := c.SetAsSettled(ctx, id, r, orderrows.SettledRefund{})
				return err
			},
			func(r string) bool { return read(r).RefundRows[0].Settled },
		},
		"SetRowAsSettled": {
			func(r string, row int32) error {
				_, err := c.SetRowAsSettled(ctx, id, r, row, orderrows.SettledRefund{})
				return err
			},
			func(r string) bool { return read(r).RefundRows[0].Settled },
		},
		"DeleteRow": {
			func(r string, row int32) error { _, err := c.DeleteRow(ctx, id, r, row); return err },
			func(r string) bool { return len(read(r).RefundRows) == 0 },
		},
	} {
		for _, fault := range []refundtest.Fault{
			refundtest.LostAnswer, refundtest.ServerErrorAfterCommit, refundtest.Garbage, refundtest.DuplicateDelivery,
		} {
			t.Run(name+" "+string(fault), func(t *testing.T) {
				r, row := fresh()
				if name != "SetApproval" {
					approve(r)
				}
				before := len(network.Requests())
				network.Inject(fault)
				err := tt.call(r, row)
				require.Error(t, err)
				assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
				assert.Len(t, network.Requests(), before+1)
				assert.True(t, tt.acted(r))
			})
		}
	}
}
