package afterpay_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/afterpay"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// TestErrors has every documented status and code, and what is met beside them.
func TestErrors(t *testing.T) {
	const (
		html  = "\x00html"
		empty = "\x00empty"
	)
	covered := map[string]bool{}
	for _, tt := range []struct {
		status  int
		code    string
		kind    error
		outcome refund.Outcome
		advice  refund.Advice
	}{
		{400, "invalid_json", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{401, "unauthorized", refund.ErrUnauthorized, refund.OutcomeRejected, refund.AdviceFix},
		{402, "invalid_token", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{412, "invalid_token", refund.ErrNotRefundable, refund.OutcomeRejected, refund.AdviceStop}, // recorded 2019, 2021
		{403, "forbidden", refund.ErrForbidden, refund.OutcomeRejected, refund.AdviceFix},
		{404, "not_found", refund.ErrOrderNotFound, refund.OutcomeRejected, refund.AdviceFix}, // recorded, 412 is documented
		{405, "method_not_allowed", refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{406, "error", refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{409, "", refund.ErrInFlight, refund.OutcomeUnknown, refund.AdviceResolve},
		{409, empty, refund.ErrInFlight, refund.OutcomeUnknown, refund.AdviceResolve},
		{410, "payment_captured", refund.ErrNotRefundable, refund.OutcomeRejected, refund.AdviceStop},
		{412, "precondition_failed", refund.ErrNotRefundable, refund.OutcomeRejected, refund.AdviceStop},
		{412, "error", refund.ErrNotRefundable, refund.OutcomeRejected, refund.AdviceStop},
		{412, "invalid_state", refund.ErrNotRefundable, refund.OutcomeRejected, refund.AdviceStop},
		{412, "payment_voided", refund.ErrNotRefundable, refund.OutcomeRejected, refund.AdviceStop},
		{412, "payment_expired", refund.ErrNotRefundable, refund.OutcomeRejected, refund.AdviceStop},
		{415, "error", refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{422, "invalid_amount", refund.ErrAmountExceeded, refund.OutcomeRejected, refund.AdviceFix},
		{422, "invalid_object", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{422, "unsupported_currency", refund.ErrCurrencyMismatch, refund.OutcomeRejected, refund.AdviceFix},
		{422, "refund_timelimit_exceeded", refund.ErrWindowExpired, refund.OutcomeRejected, refund.AdviceStop},
		{422, "error", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{422, "a_new_code", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{500, "error", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, empty, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		// Not in Afterpay's own body: something in front answers, and nothing is known.
		{400, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{400, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{401, html, refund.ErrUnauthorized, refund.OutcomeUnknown, refund.AdviceResolve},
		{401, empty, refund.ErrUnauthorized, refund.OutcomeUnknown, refund.AdviceResolve},
		{403, html, refund.ErrForbidden, refund.OutcomeUnknown, refund.AdviceResolve},
		{403, empty, refund.ErrForbidden, refund.OutcomeUnknown, refund.AdviceResolve},
		{404, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{404, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{405, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{405, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{406, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{406, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{410, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{410, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{412, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{412, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{415, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{415, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{422, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{422, empty, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		// In no documented table: nothing is known.
		{302, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{402, "another", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{408, empty, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{413, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{418, html, refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{429, html, refund.ErrRateLimited, refund.OutcomeUnknown, refund.AdviceResolve},
		{502, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{503, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{504, html, refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
	} {
		covered[tt.code] = true
		t.Run(fmt.Sprintf("%d %q", tt.status, tt.code), func(t *testing.T) {
			code := tt.code
			body := fmt.Sprintf(`{"errorCode":%q,"errorId":"c7585eb6f53f5af5","message":"in words","httpStatusCode":%d}`, tt.code, tt.status)
			switch tt.code {
			case html:
				code, body = "", `<html><title>Attention Required!</title></html>`
			case empty:
				code, body = "", ""
			}
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, &wiretest.Transport{
					Status: tt.status, Body: body, Header: http.Header{"Http-Correlation-Id": {"correlation-1"}},
				})
				_, err := client.Refund(t.Context(), refund.Request{
					IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "AUD"),
				})
				require.ErrorIs(t, err, tt.kind)
				var e *refund.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, tt.outcome, e.Outcome)
				assert.Equal(t, tt.advice, e.Advice())
				assert.Equal(t, code, e.Code)
				assert.Equal(t, tt.status, e.HTTPStatus)
				assert.Equal(t, "correlation-1", e.RequestID)
				assert.Equal(t, body, string(e.Raw))
				assert.Equal(t, code != "", afterpay.HasCode(err, "x", afterpay.ErrorCode(code)) && code != "")

				// The same answer to a read never makes anything unknown.
				_, err = client.RetrievePayment(t.Context(), "1")
				require.Error(t, err)
				assert.NotEqual(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
			})
		})
	}
	for _, code := range wiretest.Constants(t, "errors.go", "ErrorCode") {
		assert.True(t, covered[code], "no row for code %q", code)
	}
}

func TestHasCode(t *testing.T) {
	ours := &refund.Error{Provider: "afterpay", Code: "invalid_amount"}
	assert.True(t, afterpay.HasCode(fmt.Errorf("wrapped: %w", ours), afterpay.CodeNotFound, afterpay.CodeInvalidAmount))
	assert.False(t, afterpay.HasCode(ours, afterpay.CodeNotFound))
	assert.False(t, afterpay.HasCode(ours))
	assert.False(t, afterpay.HasCode(&refund.Error{Provider: "instant", Code: "invalid_amount"}, afterpay.CodeInvalidAmount))
	assert.False(t, afterpay.HasCode(errors.New("invalid_amount"), afterpay.CodeInvalidAmount))
	assert.False(t, afterpay.HasCode(nil, afterpay.CodeInvalidAmount))
}
