package orderrows_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/orderrows"
	"github.com/multirefund/refund-go/orderrows/orderrowstest"
	"github.com/multirefund/refund-go/refund"
)

// TestErrors has every documented status, and what is met beside them. There are no codes.
func TestErrors(t *testing.T) {
	const (
		envelope = `{"Resource":null,"Message":"Bad Request.","Details":["RefundAmount is wrong.","Reference too."]}`
		bare     = `{"Message":"in words","Details":null}`
		unauth   = `{"Message":"Unauthorized"}`
		database = `{"Message":"A database error occured."}`
		html     = `<html><title>Attention Required!</title></html>`
		problem  = `{"type":"https://tools.ietf.org/html/rfc7231","title":"Not Found","status":404}`
	)
	for _, tt := range []struct {
		status  int
		body    string
		kind    error
		outcome refund.Outcome
		advice  refund.Advice
	}{
		{400, envelope, refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{400, bare, refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{400, `{"Details":"one text"}`, refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{401, unauth, refund.ErrUnauthorized, refund.OutcomeRejected, refund.AdviceFix},
		{404, envelope, refund.ErrOrderNotFound, refund.OutcomeRejected, refund.AdviceFix},
		{404, bare, refund.ErrOrderNotFound, refund.OutcomeRejected, refund.AdviceFix},
		// What usually means a bad body elsewhere is not a refusal of a refund.
		{500, database, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, envelope, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, "", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		// Transient to the vendor's own clients; that nothing was done is not documented.
		{429, bare, refund.ErrRateLimited, refund.OutcomeUnknown, refund.AdviceResolve},
		{429, html, refund.ErrRateLimited, refund.OutcomeUnknown, refund.AdviceResolve},
		// Not the API's own: nothing is known.
		{400, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{400, "null", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{400, "{}", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{401, html, refund.ErrUnauthorized, refund.OutcomeUnknown, refund.AdviceResolve},
		{401, "", refund.ErrUnauthorized, refund.OutcomeUnknown, refund.AdviceResolve},
		{404, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{404, problem, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		// In no documented table: nothing is known.
		{302, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{403, bare, refund.ErrForbidden, refund.OutcomeUnknown, refund.AdviceResolve},
		{403, html, refund.ErrForbidden, refund.OutcomeUnknown, refund.AdviceResolve},
		{405, "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{408, "", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{409, bare, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{415, "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{422, bare, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{502, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{503, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{504, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
	} {
		t.Run(fmt.Sprintf("%d %.30q", tt.status, tt.body), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := &wiretest.Transport{Status: tt.status, Body: tt.body, Header: http.Header{"Retry-After": {"60"}}}
				request := refund.Request{IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "SEK")}
				_, err := newHastyClient(t, wire).Refund(t.Context(), request)
				require.ErrorIs(t, err, tt.kind)
				var e *refund.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, tt.outcome, e.Outcome)
				assert.Equal(t, tt.advice, e.Advice())
				assert.Empty(t, e.Code, "there are none")
				assert.NotEmpty(t, e.Message)
				assert.Equal(t, tt.status, e.HTTPStatus)
				assert.Equal(t, time.Minute, e.RetryAfter)
				assert.Equal(t, 1, e.Attempts)
				assert.Equal(t, tt.body, string(e.Raw))

				// The same answer to the look-up: nothing has been sent.
				_, err = newClient(t, wire).Refund(t.Context(), request)
				require.ErrorIs(t, err, tt.kind)
				require.ErrorAs(t, err, &e)
				assert.Equal(t, refund.OutcomeNotSent, e.Outcome)
				assert.Equal(t, "k", e.IdempotencyKey)

				// The same answer to a read never makes anything unknown.
				_, err = newClient(t, wire).ListRefunds(t.Context(), 1)
				require.Error(t, err)
				assert.NotEqual(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
				_, err = newClient(t, wire).QueryRefunds(t.Context(), orderrows.RefundQuery{})
				require.Error(t, err)
				assert.NotEqual(t, refund.OutcomeUnknown, refund.OutcomeOf(err), "a POST, but a read")
			})
		})
	}
}

func TestDetails(t *testing.T) {
	for body, want := range map[string]orderrows.Messages{
		`{"Message":"m","Details":["a","b"]}`:        {"a", "b"},
		`{"Message":"m","Details":null}`:             nil,
		`{"Message":"m"}`:                            nil,
		`{"Message":"m","Details":"one"}`:            {"one"},
		`{"Message":"m","Details":{"Amount":["x"]}}`: nil,
		`{"Message":"m","Details":[1,null,"b",{}]}`:  {"1", "b"},
		`<html>`: nil,
		``:       nil,
	} {
		ours := &refund.Error{Provider: "orderrows", Raw: refund.Raw(body)}
		assert.Equal(t, want, orderrows.Details(fmt.Errorf("wrapped: %w", ours)), body)
		assert.Nil(t, orderrows.Details(&refund.Error{Provider: "afterpay", Raw: refund.Raw(body)}))
	}
	assert.Nil(t, orderrows.Details(errors.New("other")))
	assert.Nil(t, orderrows.Details(nil))
}

// TestEchoedSecretsAreNotPrinted: an error may quote what was sent.
func TestEchoedSecretsAreNotPrinted(t *testing.T) {
	const reason = "the shopper's own words"
	hidden := []string{orderrowstest.Password, orderrowstest.APIKey, "cmVmdW5kc0BzaG9wLmV4YW1wbGU6c2ltdWxhdGVkLXBhc3N3b3Jk", reason}
	wire := &wiretest.Transport{
		Status: http.StatusBadRequest, Body: `{"Message":"quoted","Details":["` + strings.Join(hidden, `","`) + `"]}`,
	}
	request := refund.Request{
		IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "SEK"), Reason: reason,
	}
	for _, client := range []*orderrows.Client{newClient(t, wire), newHastyClient(t, wire)} {
		_, err := client.Refund(t.Context(), request)
		require.ErrorIs(t, err, refund.ErrInvalidRequest)
		for _, secret := range hidden {
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret)
		}
	}
}

// TestErrorsHideTheTextsOfRequests, which the API's validation messages may quote.
func TestErrorsHideTheTextsOfRequests(t *testing.T) {
	const canary = "Canary O'Hara"
	wire := &wiretest.Transport{Status: http.StatusBadRequest, Body: `{"Resource":null,"Message":"not accepted: ` + canary + `","Details":["` + canary + ` is odd"]}`}
	c := newClient(t, wire)
	for name, call := range map[string]func() error{
		"Reference": func() error {
			req := nativeRequest()
			req.Reference = canary
			_, err := c.CreateRefund(t.Context(), 1001, req)
			return err
		},
		"Description": func() error {
			req := nativeRequest()
			req.Description = canary
			_, err := c.CreateRefund(t.Context(), 1001, req)
			return err
		},
		"Author": func() error {
			req := nativeRequest()
			req.Author = canary
			_, err := c.CreateRefund(t.Context(), 1001, req)
			return err
		},
		"ApprovalDecidedBy": func() error {
			_, err := c.SetApproval(t.Context(), 1001, refundID, orderrows.RefundApproval{ApprovalDecidedBy: canary})
			return err
		},
		"ExternalID": func() error {
			_, err := c.SetAsProcessed(t.Context(), 1001, refundID, orderrows.ProcessedRefund{ExternalID: canary})
			return err
		},
		"ProcessedRefund.Reference": func() error {
			_, err := c.SetAsProcessed(t.Context(), 1001, refundID, orderrows.ProcessedRefund{Reference: canary})
			return err
		},
	} {
		err := call()
		require.ErrorIs(t, err, refund.ErrInvalidRequest, name)
		assert.NotContains(t, err.Error(), "Canary", name)
		assert.Len(t, orderrows.Details(err), 1, name)
	}
	assert.Len(t, wire.Dumps, 6)
}
