package afterpay_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/afterpay/afterpaytest"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// newClient makes a client of the simulator's account on another transport.
func newClient(t testing.TB, rt http.RoundTripper) *afterpay.Client {
	t.Helper()
	client, err := afterpaytest.New().Client(refund.Options{Transport: rt})
	require.NoError(t, err)
	return client
}

func nativeRequest() afterpay.RefundRequest {
	return afterpay.RefundRequest{
		RequestID:         "0f5c2a4e-6e0c-4d3f-8a3b-6a2f1c9d7e11",
		MerchantReference: "refund-1",
		Amount:            refund.MustParseMoney("10.00", "AUD"),
	}
}

// TestWire compares every operation's request with its golden file.
func TestWire(t *testing.T) {
	ctx := t.Context()
	refundAnswer := `{"refundId":"1934419","refundedAt":"2021-08-25T14:56:33.753Z"}`
	for _, tt := range []struct {
		name, answer string
		call         func(*afterpay.Client) error
	}{
		{"refund", refundAnswer, func(c *afterpay.Client) error {
			_, err := c.Refund(ctx, refund.Request{
				IdempotencyKey: "refund-1", Order: refund.Order{ID: "100101768366"},
				Amount: refund.MustParseMoney("10.00", "AUD"), Reason: "does not travel",
			})
			return err
		}},
		{"create_refund", refundAnswer, func(c *afterpay.Client) error {
			req := nativeRequest()
			req.RefundMerchantReference = "settlement \"1\""
			_, err := c.CreateRefund(ctx, "100101768366", req)
			return err
		}},
		{"void_payment", `{"id":"100101768366"}`, func(c *afterpay.Client) error {
			_, err := c.VoidPayment(ctx, "100101768366", afterpay.VoidRequest{
				RequestID: "void-1", Amount: refund.MustParseMoney("10.5", "AUD"), Reason: afterpay.VoidCancelledItems,
			})
			return err
		}},
		{"void_payment_all", `{"id":"100101768366"}`, func(c *afterpay.Client) error {
			_, err := c.VoidPayment(ctx, "100101768366", afterpay.VoidRequest{RequestID: "void-1"})
			return err
		}},
		{"retrieve_payment", `{"id":"100101768366"}`, func(c *afterpay.Client) error {
			_, err := c.RetrievePayment(ctx, "100101768366")
			return err
		}},
		{"retrieve_payment_by_token", `{"id":"100101768366"}`, func(c *afterpay.Client) error {
			_, err := c.RetrievePaymentByToken(ctx, "002.5lolqagfb8v2j2r3")
			return err
		}},
		{"list_payments", `{"results":[]}`, func(c *afterpay.Client) error {
			return drain(c.ListPayments(ctx, afterpay.PaymentFilter{
				FromCreatedDate: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600)),
				ToCreatedDate:   time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC),
				IDs:             []string{"1", "2"}, Tokens: []string{"002.a"}, MerchantReferences: []string{"order 1"},
				Statuses: []afterpay.PaymentStatus{afterpay.PaymentApproved, afterpay.PaymentDeclined},
				OrderBy:  "totalAmount", Ascending: true, Limit: 250, Offset: 500,
			}))
		}},
		{"list_payments_by_cursor", `{"results":[]}`, func(c *afterpay.Client) error {
			return drain(c.ListPayments(ctx, afterpay.PaymentFilter{IncludeNextLink: true}))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wire := &wiretest.Transport{Status: http.StatusOK, Body: tt.answer}
			require.NoError(t, tt.call(newClient(t, wire)))
			require.Len(t, wire.Dumps, 1)
			wiretest.Golden(t, tt.name, wire.Dumps[0])
		})
	}
}

func drain[T any](seq func(func(T, error) bool)) error {
	var last error
	seq(func(_ T, err error) bool {
		last = err
		return true
	})
	return last
}

func TestCreateRefundChecksBeforeSending(t *testing.T) {
	long := strings.Repeat("r", 129)
	for field, change := range map[string]func(*afterpay.RefundRequest, *string){
		"Order.ID":                func(_ *afterpay.RefundRequest, id *string) { *id = "a/../b" },
		"RequestID":               func(r *afterpay.RefundRequest, _ *string) { r.RequestID = "" },
		"MerchantReference":       func(r *afterpay.RefundRequest, _ *string) { r.MerchantReference = "" },
		"RefundMerchantReference": func(r *afterpay.RefundRequest, _ *string) { r.RefundMerchantReference = long },
		"Amount":                  func(r *afterpay.RefundRequest, _ *string) { r.Amount = refund.Money{} },
		"Amount ":                 func(r *afterpay.RefundRequest, _ *string) { r.Amount = refund.MustParseMoney("-10.00", "AUD") },
		"Amount  ":                func(r *afterpay.RefundRequest, _ *string) { r.Amount = refund.MustParseMoney("0.00", "AUD") },
		"RequestID ":              func(r *afterpay.RefundRequest, _ *string) { r.RequestID = long[:65] },
		// encoding/json would make one text of all of these, and one refund of two.
		"RequestID  ":              func(r *afterpay.RefundRequest, _ *string) { r.RequestID = "r-\xff" },
		"MerchantReference ":       func(r *afterpay.RefundRequest, _ *string) { r.MerchantReference = "r-\xfe" },
		"RefundMerchantReference ": func(r *afterpay.RefundRequest, _ *string) { r.RefundMerchantReference = "r-\xff" },
	} {
		req, id := nativeRequest(), "100101768366"
		change(&req, &id)
		wire := &wiretest.Transport{Status: http.StatusCreated, Body: `{}`}
		_, err := newClient(t, wire).CreateRefund(t.Context(), id, req)
		var e *refund.Error
		require.ErrorAs(t, err, &e, field)
		assert.Equal(t, strings.TrimSpace(field), e.Field)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		assert.Empty(t, wire.Dumps)
	}
}

func TestVoidPaymentChecksBeforeSending(t *testing.T) {
	for field, change := range map[string]func(*afterpay.VoidRequest, *string){
		"Order.ID":    func(_ *afterpay.VoidRequest, id *string) { *id = "x" },
		"RequestID":   func(r *afterpay.VoidRequest, _ *string) { r.RequestID = "" },
		"RequestID ":  func(r *afterpay.VoidRequest, _ *string) { r.RequestID = strings.Repeat("r", 65) },
		"RequestID  ": func(r *afterpay.VoidRequest, _ *string) { r.RequestID = "r-\xff" },
		"Amount":      func(r *afterpay.VoidRequest, _ *string) { r.Amount = refund.MustParseMoney("0.00", "AUD") },
		"Amount ":     func(r *afterpay.VoidRequest, _ *string) { r.Amount = refund.MustParseMoney("-1.00", "AUD") },
		"Reason":      func(r *afterpay.VoidRequest, _ *string) { r.Reason = "changed his mind" },
	} {
		req, id := afterpay.VoidRequest{RequestID: "void-1"}, "1"
		change(&req, &id)
		wire := &wiretest.Transport{Status: http.StatusCreated, Body: `{"id":"1"}`}
		_, err := newClient(t, wire).VoidPayment(t.Context(), id, req)
		var e *refund.Error
		require.ErrorAs(t, err, &e, field)
		assert.Equal(t, strings.TrimSpace(field), e.Field)
		assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
		assert.Empty(t, wire.Dumps)
	}
}

// TestVoidPaymentResponses has the documented responses, and what says nothing.
func TestVoidPaymentResponses(t *testing.T) {
	for name, tt := range map[string]struct {
		status  int
		body    string
		kind    refund.Kind
		outcome refund.Outcome
	}{
		"unknown order":    {404, `{"errorCode":"not_found"}`, refund.ErrOrderNotFound, refund.OutcomeRejected},
		"captured":         {410, `{"errorCode":"payment_captured"}`, refund.ErrNotRefundable, refund.OutcomeRejected},
		"too much":         {422, `{"errorCode":"invalid_amount"}`, refund.ErrAmountExceeded, refund.OutcomeRejected},
		"recorded in 2020": {500, `{"errorCode":"error"}`, refund.ErrUnavailable, refund.OutcomeUnknown},
		"in flight":        {409, ``, refund.ErrInFlight, refund.OutcomeUnknown},
		"another payment":  {201, `{"id":"2"}`, refund.ErrConflict, refund.OutcomeUnknown},
		"no payment":       {201, `{}`, refund.ErrUnexpected, refund.OutcomeUnknown},
		"a page":           {404, `<html>`, refund.ErrUnexpected, refund.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, &wiretest.Transport{Status: tt.status, Body: tt.body})
				_, err := client.VoidPayment(t.Context(), "1", afterpay.VoidRequest{RequestID: "void-1"})
				require.ErrorIs(t, err, tt.kind)
				assert.Equal(t, tt.outcome, refund.OutcomeOf(err))
			})
		})
	}
}

func TestReadsCheckBeforeSending(t *testing.T) {
	wire := &wiretest.Transport{Status: http.StatusOK, Body: `{}`}
	c := newClient(t, wire)
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"RetrievePayment":  func() error { _, err := c.RetrievePayment(ctx, "x"); return err },
		"GetRefund, order": func() error { _, err := c.GetRefund(ctx, refund.Ref{ID: "1"}); return err },
		"GetRefund, id": func() error {
			_, err := c.GetRefund(ctx, refund.Ref{Order: refund.Order{ID: "1"}})
			return err
		},
		"Refunds": func() error { return drain(c.Refunds(ctx, refund.Query{})) },
		"Limit":   func() error { return drain(c.ListPayments(ctx, afterpay.PaymentFilter{Limit: 251})) },
		"Offset":  func() error { return drain(c.ListPayments(ctx, afterpay.PaymentFilter{Offset: -1})) },
		"IDs":     func() error { return drain(c.ListPayments(ctx, afterpay.PaymentFilter{IDs: []string{"1", "\xff"}})) },
		"Tokens":  func() error { return drain(c.ListPayments(ctx, afterpay.PaymentFilter{Tokens: []string{"\xff"}})) },
		"MerchantReferences": func() error {
			return drain(c.ListPayments(ctx, afterpay.PaymentFilter{MerchantReferences: []string{"\xff"}}))
		},
		"Statuses": func() error {
			return drain(c.ListPayments(ctx, afterpay.PaymentFilter{Statuses: []afterpay.PaymentStatus{"\xff"}}))
		},
		"OrderBy": func() error { return drain(c.ListPayments(ctx, afterpay.PaymentFilter{OrderBy: "\xff"})) },
		"cursor": func() error {
			return drain(c.ListPayments(ctx, afterpay.PaymentFilter{Offset: 1, IncludeNextLink: true}))
		},
	} {
		err := call()
		require.ErrorIs(t, err, refund.ErrInvalidRequest, name)
		assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err), name)
	}
	for _, token := range []string{"", ".", "..", "a b", "a/b", `a\b`, "a?b", "a#b", "a%2F", "a\nb", "é", "\xff", strings.Repeat("t", 257)} {
		_, err := c.RetrievePaymentByToken(ctx, token)
		require.ErrorIs(t, err, refund.ErrInvalidRequest, "token %q", token)
		assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
	}
	_, err := c.Resolve(ctx, refund.Attempt{})
	require.ErrorIs(t, err, refund.ErrInvalidRequest)
	assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "what became of it is as unknown as before")
	assert.Empty(t, wire.Dumps)
}

// TestListPayments pages through a simulator in both forms.
func TestListPayments(t *testing.T) {
	for name, filter := range map[string]afterpay.PaymentFilter{
		"by offset": {Limit: 7},
		"by cursor": {Limit: 7, IncludeNextLink: true},
		"one page":  {},
	} {
		t.Run(name, func(t *testing.T) {
			sim := afterpaytest.New()
			for range 23 {
				sim.AddOrder(refund.MustParseMoney("1.00", "AUD"))
			}
			client, err := sim.Client(refund.Options{})
			require.NoError(t, err)
			seq := client.ListPayments(t.Context(), filter)
			for range 2 { // ranging again asks again
				seen := map[string]bool{}
				for p, err := range seq {
					require.NoError(t, err)
					seen[p.ID] = true
				}
				assert.Len(t, seen, 23)
			}
		})
	}
}

func TestListPaymentsStopsAfterAnError(t *testing.T) {
	page := `{"totalResults":3,"results":[{"id":"1"}],"nextPageUrl":%q}`
	for name, tt := range map[string]struct {
		pages []string
		good  int
	}{
		"same cursor again":    {[]string{fmt.Sprintf(page, "https://x.example/v2/payments?cursor=a"), fmt.Sprintf(page, "https://x.example/v2/payments?cursor=a")}, 2},
		"empty page goes on":   {[]string{`{"results":[],"nextPageUrl":"https://x.example/?cursor=a"}`, fmt.Sprintf(page, ""), ""}, 1},
		"unreadable next page": {[]string{fmt.Sprintf(page, "https://x.example/?cursor=a"), `<html>`}, 1},
		"next page is no URL":  {[]string{fmt.Sprintf(page, "::")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			mock := httpmock.NewMockTransport()
			var answers []*http.Response
			for _, p := range tt.pages {
				if p != "" {
					answers = append(answers, httpmock.NewStringResponse(http.StatusOK, p))
				}
			}
			mock.RegisterResponder(http.MethodGet, "https://global-api-sandbox.afterpay.com/v2/payments",
				httpmock.ResponderFromMultipleResponses(answers))
			good, errs := 0, 0
			for _, err := range newClient(t, mock).ListPayments(t.Context(), afterpay.PaymentFilter{IncludeNextLink: true}) {
				if err != nil {
					errs++
					assert.NotEqual(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "a read moves no money")
				} else {
					good++
				}
			}
			assert.Equal(t, tt.good, good)
			if name == "empty page goes on" {
				assert.Zero(t, errs)
			} else {
				assert.Equal(t, 1, errs)
			}
		})
	}
}

// TestNextPageStaysHome: the credentials go nowhere but to the configured host, whatever nextPageUrl says.
func TestNextPageStaysHome(t *testing.T) {
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(httpmock.NewNotFoundResponder(t.Fatal))
	mock.RegisterResponder(http.MethodGet, "https://global-api-sandbox.afterpay.com/v2/payments?includeNextLink=true&limit=100",
		httpmock.NewStringResponder(http.StatusOK, `{"results":[{"id":"1"}],"nextPageUrl":"https://evil.example/steal?cursor=a"}`))
	mock.RegisterResponder(http.MethodGet, "https://global-api-sandbox.afterpay.com/v2/payments?cursor=a",
		httpmock.NewStringResponder(http.StatusOK, `{"results":[{"id":"2"}],"nextPageUrl":""}`))
	var ids []string
	for p, err := range newClient(t, mock).ListPayments(t.Context(), afterpay.PaymentFilter{IncludeNextLink: true}) {
		require.NoError(t, err)
		ids = append(ids, p.ID)
	}
	assert.Equal(t, []string{"1", "2"}, ids)
}

// TestWriteAmounts: an amount goes out as a string with all of its decimals.
func TestWriteAmounts(t *testing.T) {
	for in, want := range map[string]string{"10": "10.00", "10.5": "10.50", "0.01": "0.01"} {
		wire := &wiretest.Transport{Status: http.StatusCreated, Body: `{"refundId":"1"}`}
		req := nativeRequest()
		req.Amount = refund.MustParseMoney(in, "AUD")
		_, err := newClient(t, wire).CreateRefund(t.Context(), "100101768366", req)
		require.NoError(t, err)
		assert.Contains(t, wire.Dumps[0], `"amount":{"amount":"`+want+`","currency":"AUD"}`)
	}
}

type tokenFunc func(context.Context) (string, error)

func (f tokenFunc) Token(ctx context.Context) (string, error) { return f(ctx) }

func TestTokenSource(t *testing.T) {
	sim := afterpaytest.New()
	order := sim.AddOrder(refund.MustParseMoney("10.00", "AUD"))
	request := refund.Request{IdempotencyKey: "k", Order: order, Amount: refund.MustParseMoney("10.00", "AUD")}
	with := func(f tokenFunc) *afterpay.Client {
		cfg := sim.Config()
		cfg.SecretKey, cfg.TokenSource = refund.Secret{}, f
		client, err := afterpay.New(cfg)
		require.NoError(t, err)
		return client
	}
	down := errors.New("token endpoint is down")
	_, err := with(func(context.Context) (string, error) { return "", down }).Refund(t.Context(), request)
	require.ErrorIs(t, err, down)
	require.ErrorIs(t, err, refund.ErrUnavailable, "nobody refused the credentials")
	assert.Equal(t, refund.OutcomeNotSent, refund.OutcomeOf(err))
	assert.Empty(t, sim.Ledger(order))

	_, err = with(func(context.Context) (string, error) { return afterpaytest.Token, nil }).Refund(t.Context(), request)
	require.NoError(t, err)
	assert.Len(t, sim.Ledger(order), 1)
}

func TestPaymentOfAnotherToken(t *testing.T) {
	client := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: `{"id":"1","token":"002.b","refunds":[]}`})
	_, err := client.RetrievePaymentByToken(t.Context(), "002.b")
	require.NoError(t, err)
	_, err = client.RetrievePaymentByToken(t.Context(), "002.a")
	require.ErrorIs(t, err, refund.ErrUnexpected)
}
