package afterpay_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// TestDecodeRefund has every shape of a 201 that the sheet knows, the recorded ones included.
func TestDecodeRefund(t *testing.T) {
	request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD")}
	for name, tt := range map[string]struct {
		body       string
		id         string
		amount     string
		refunded   time.Time
		unreadable bool
	}{
		// recorded by solidus_afterpay, credit/valid
		"recorded, without the fields that were not sent": {
			body: `{"amount":{"amount":"10.00","currency":"USD"},"refundId":"1934419","refundedAt":"2021-08-25T14:56:33.753Z"}`,
			id:   "1934419", amount: "10.00 USD", refunded: time.Date(2021, 8, 25, 14, 56, 33, 753e6, time.UTC),
		},
		"all fields echoed": {
			body: `{"requestId":"` + wire.UUID("afterpay", "k") + `","amount":{"amount":"10.00","currency":"USD"},"merchantReference":"k","refundMerchantReference":"k","refundId":"7","refundedAt":"2021-08-25T14:56:33Z"}`,
			id:   "7", amount: "10.00 USD", refunded: time.Date(2021, 8, 25, 14, 56, 33, 0, time.UTC),
		},
		"another requestId":          {body: `{"refundId":"7","requestId":"r","merchantReference":"k"}`, unreadable: true},
		"another merchantReference":  {body: `{"refundId":"7","merchantReference":"k2"}`, unreadable: true},
		"one decimal":                {body: `{"refundId":"7","amount":{"amount":"10.0","currency":"USD"}}`, id: "7", amount: "10.00 USD"},
		"amount as a number":         {body: `{"refundId":"7","amount":{"amount":10.00,"currency":"USD"}}`, id: "7", amount: "10.00 USD"},
		"no amount":                  {body: `{"refundId":"7"}`, id: "7", amount: "no amount"},
		"null members":               {body: `{"refundId":"7","requestId":null,"amount":null,"refundedAt":null}`, id: "7", amount: "no amount"},
		"unknown members":            {body: `{"refundId":"7","status":"NEW","nested":{"a":[1]}}`, id: "7", amount: "no amount"},
		"a date that is none":        {body: `{"refundId":"7","refundedAt":"yesterday"}`, id: "7", amount: "no amount"},
		"another amount":             {body: `{"refundId":"7","amount":{"amount":"9.00","currency":"USD"}}`, unreadable: true},
		"another currency":           {body: `{"refundId":"7","amount":{"amount":"10.00","currency":"AUD"}}`, unreadable: true},
		"amount without digits":      {body: `{"refundId":"7","amount":{"currency":"USD"}}`, unreadable: true},
		"amount null":                {body: `{"refundId":"7","amount":{"amount":null,"currency":"USD"}}`, unreadable: true},
		"amount with binary noise":   {body: `{"refundId":"7","amount":{"amount":10.000000000000002,"currency":"USD"}}`, id: "7", amount: "10.00 USD"},
		"amount that is none":        {body: `{"refundId":"7","amount":{"amount":"ten","currency":"USD"}}`, unreadable: true},
		"amount of absurd size":      {body: `{"refundId":"7","amount":{"amount":"1e2000000","currency":"USD"}}`, unreadable: true},
		"amount that is no object":   {body: `{"refundId":"7","amount":10}`, unreadable: true},
		"amount that is empty":       {body: `{"refundId":"7","amount":{}}`, unreadable: true},
		"refundId as a number":       {body: `{"refundId":1934419,"merchantReference":"k"}`, id: "1934419", amount: "no amount"},
		"refundId as an object":      {body: `{"refundId":{}}`, unreadable: true},
		"no refundId":                {body: `{"amount":{"amount":"10.00","currency":"USD"}}`, unreadable: true},
		"empty body":                 {body: ``, unreadable: true},
		"HTML":                       {body: `<html><title>Welcome</title></html>`, unreadable: true},
		"cut off":                    {body: `{"refundId":"7","amount":{"amou`, unreadable: true},
		"a string instead of object": {body: `"ok"`, unreadable: true},
		"null":                       {body: `null`, unreadable: true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config()
			cfg.Currency = "USD"
			cfg.Transport = &wiretest.Transport{Status: http.StatusCreated, Body: tt.body}
			client, err := afterpay.New(cfg)
			require.NoError(t, err)
			got, err := client.Refund(t.Context(), request)
			if tt.unreadable {
				require.Error(t, err)
				_, err := client.CreateRefund(t.Context(), "1", afterpay.RefundRequest{
					RequestID: wire.UUID("afterpay", "k"), MerchantReference: "k", Amount: request.Amount,
				})
				assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "natively too")
				assert.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "201 was said: money has probably moved")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.id, got.ID)
			assert.Equal(t, tt.amount, got.Amount.String())
			assert.Equal(t, tt.refunded, got.CreatedAt)
			assert.Equal(t, refund.StatusSucceeded, got.Status)
			assert.Equal(t, tt.body, string(got.Raw))
		})
	}
}

// TestDecodePayment reads a payment as solidus_afterpay recorded it (find_payment/valid, abridged), with the members of
// newer pages.
func TestDecodePayment(t *testing.T) {
	body := `{"id":"100101768366","token":"002.5lolqagfb8v2j2r3","status":"APPROVED","created":"2021-08-25T14:50:00.000Z",
		"originalAmount":{"amount":"100.00","currency":"USD"},"openToCaptureAmount":{"amount":"0.00","currency":"USD"},
		"paymentState":"CAPTURED","merchantReference":"R1","agreements":[],"merchantPortalOrderUrl":"https://portal.example",
		"refunds":[{"amount":{"amount":"10.00","currency":"USD"},"refundId":"1xUMgHuj1jjX1bYsQRYhUjVK9Gz","refundedAt":"2021-08-25T14:56:33.753Z"}],
		"orderDetails":{"consumer":{"email":"x"},"items":[]},
		"events":[{"id":"1xU","created":"2021-08-25T14:50:00.000Z","expires":"2021-09-01T14:50:00.000Z","type":"AUTH_APPROVED","amount":{"amount":"100.00","currency":"USD"},"paymentEventMerchantReference":null},
			{"id":"1xV","created":"2021-08-25T14:51:00.000Z","expires":null,"type":"BRAND_NEW","amount":{"amount":"100.00","currency":"USD"}}]}`
	got, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body}).RetrievePayment(t.Context(), "100101768366")
	require.NoError(t, err)
	assert.Equal(t, afterpay.StateCaptured, got.PaymentState)
	assert.Equal(t, afterpay.PaymentApproved, got.Status)
	require.Len(t, got.Refunds, 1)
	assert.Empty(t, got.Refunds[0].MerchantReference)
	assert.Equal(t, refund.MustParseMoney("10.00", "USD"), got.Refunds[0].Amount.Common())
	require.Len(t, got.Events, 2)
	assert.Equal(t, time.Date(2021, 9, 1, 14, 50, 0, 0, time.UTC), got.Events[0].Expires.Time)
	assert.Nil(t, got.Events[1].Expires)
	assert.Equal(t, afterpay.EventType("BRAND_NEW"), got.Events[1].Type)
	assert.JSONEq(t, `{"consumer":{"email":"x"},"items":[]}`, string(got.OrderDetails))

	body = `{"id":"1","refunds":[],"events":[7,null,{"id":"1xU","type":"VOIDED","amount":7}],"events":"no list"}`
	got, err = newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: body}).RetrievePayment(t.Context(), "1")
	require.NoError(t, err)
	assert.NotNil(t, got.Refunds, "there are none, which is known")
	assert.Equal(t, []afterpay.Event{{}, {}, {ID: "1xU", Type: afterpay.EventVoided, Amount: &afterpay.Money{}}}, got.Events)

	for _, unreadable := range []string{"", "<html>", "{}", "[]", `{"id":7}`, `{"id":{}}`, `{"id":"2","refunds":[]}`} {
		_, err := newClient(t, &wiretest.Transport{Status: http.StatusOK, Body: unreadable}).RetrievePayment(t.Context(), "1")
		require.ErrorIs(t, err, refund.ErrUnexpected, unreadable)
		assert.Equal(t, refund.OutcomeRejected, refund.OutcomeOf(err), "a read moves no money")
	}
}

// FuzzResponses lets any bytes be the answer to a refund and to the payment that is read to resolve it. Nothing may
// panic, and a 201 is a success or unknown, never a refusal.
func FuzzResponses(f *testing.F) {
	f.Add(201, `{"amount":{"amount":"10.00","currency":"AUD"},"refundId":"1934419","refundedAt":"2021-08-25T14:56:33.753Z"}`)
	f.Add(200, `{"id":"1","refunds":[{"refundId":"1","merchantReference":"k","amount":{"amount":"10.0","currency":"AUD"}}],"events":[{"type":"VOIDED"}]}`)
	f.Add(422, `{"errorCode":"invalid_amount","errorId":"c7585eb6f53f5af5","message":"no","httpStatusCode":422}`)
	f.Add(201, `{"refundId":"1","amount":{"amount":"1e999999999","currency":"AUD"}}`)
	digits, deep, members := strings.Repeat("9", 50_000), strings.Repeat("[", 50_000), strings.Repeat(`"x":1,`, 10_000)
	f.Add(201, `{"refundId":"1","amount":{"amount":"`+digits+`","currency":"AUD"}}`)
	f.Add(200, `{"id":"1","originalAmount":{"amount":`+digits+`},"refunds":[]}`)
	f.Add(200, `{"id":"1","refunds":`+deep)
	f.Add(200, `{`+members+`"id":"1","refunds":[]}`)
	f.Add(422, `{"errorCode":"invalid_amount","message":"`+digits+`"}`)
	f.Add(200, `{"results":[{"id":"1"}],"totalResults":1}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		cfg := config()
		cfg.Retry.MaxAttempts = 1
		cfg.Transport = &wiretest.Transport{Status: status, Body: body}
		client, err := afterpay.New(cfg)
		require.NoError(t, err)
		request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "AUD")}
		if _, err = client.Refund(t.Context(), request); err != nil && status < 400 {
			require.Equal(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
		}
		old := refund.Attempt{Request: request, FirstSent: time.Now().Add(-48 * time.Hour), LastSent: time.Now().Add(-48 * time.Hour), Tries: 1}
		if got, err := client.Resolve(t.Context(), old); err != nil {
			require.Equal(t, refund.Resolution{}, got)
		}
		for got, err := range client.Refunds(t.Context(), refund.Query{Order: request.Order}) {
			require.Equal(t, err == nil, got != nil)
		}
		for got, err := range client.ListPayments(t.Context(), afterpay.PaymentFilter{IncludeNextLink: true}) {
			require.Equal(t, err == nil, got != nil)
		}
	})
}
