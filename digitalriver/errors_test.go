package digitalriver_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/digitalriver"
	"github.com/multirefund/refund-go/internal/wiretest"
	"github.com/multirefund/refund-go/refund"
)

// TestErrors has every documented status and code, and what is met beside them.
func TestErrors(t *testing.T) {
	const (
		html    = "\x00html"
		empty   = "\x00empty"
		foreign = "\x00foreign"
	)
	type row struct {
		status          int
		code, parameter string
		kind            error
		outcome         refund.Outcome
		advice          refund.Advice
	}
	rows := []row{
		{400, "bad_request", "", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{400, "invalid_parameter", "amountRequested", refund.ErrAmountExceeded, refund.OutcomeRejected, refund.AdviceFix},
		{400, "invalid_parameter", "percentRequested", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{400, "invalid_parameter", "currency", refund.ErrCurrencyMismatch, refund.OutcomeRejected, refund.AdviceFix},
		{400, "invalid_parameter", "order", refund.ErrNotRefundable, refund.OutcomeRejected, refund.AdviceStop},
		{400, "invalid_parameter", "another", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{400, "amount_too_large", "", refund.ErrAmountExceeded, refund.OutcomeRejected, refund.AdviceFix},
		{400, "invalid_currency", "", refund.ErrCurrencyMismatch, refund.OutcomeRejected, refund.AdviceFix},
		{400, "currency_unsupported", "", refund.ErrCurrencyMismatch, refund.OutcomeRejected, refund.AdviceFix},
		{400, "not_found", "", refund.ErrOrderNotFound, refund.OutcomeRejected, refund.AdviceFix},
		{400, "api_key_expired", "", refund.ErrUnauthorized, refund.OutcomeRejected, refund.AdviceFix},
		{400, "a_new_code", "", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix},
		{401, "unauthorized", "", refund.ErrUnauthorized, refund.OutcomeRejected, refund.AdviceFix},
		{401, "api_key_expired", "", refund.ErrUnauthorized, refund.OutcomeRejected, refund.AdviceFix},
		{403, "forbidden", "", refund.ErrForbidden, refund.OutcomeRejected, refund.AdviceFix},
		{404, "not_found", "", refund.ErrOrderNotFound, refund.OutcomeRejected, refund.AdviceFix},
		{405, "method_not_allowed", "", refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{406, "not_acceptable", "", refund.ErrUnexpected, refund.OutcomeRejected, refund.AdviceStop},
		{408, "request_timeout", "", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{409, "conflict", "", refund.ErrConflict, refund.OutcomeUnknown, refund.AdviceResolve},
		{409, "quantity_too_large", "", refund.ErrConflict, refund.OutcomeUnknown, refund.AdviceResolve},
		{409, "order_not_submitted", "", refund.ErrConflict, refund.OutcomeUnknown, refund.AdviceResolve},
		{409, empty, "", refund.ErrConflict, refund.OutcomeUnknown, refund.AdviceResolve},
		{429, "too_many_requests", "", refund.ErrRateLimited, refund.OutcomeRejected, refund.AdviceWait},
		{429, html, "", refund.ErrRateLimited, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, "internal_server_error", "", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, "invalid_parameter", "currency", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{500, empty, "", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{502, "bad_gateway", "", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{503, "service_unavailable", "", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		{504, "gateway_timeout", "", refund.ErrUnavailable, refund.OutcomeUnknown, refund.AdviceResolve},
		// Not Digital River's error object, or in no documented table: nothing is known.
		{302, html, "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{400, html, "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{400, empty, "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{401, html, "", refund.ErrUnauthorized, refund.OutcomeUnknown, refund.AdviceResolve},
		{403, html, "", refund.ErrForbidden, refund.OutcomeUnknown, refund.AdviceResolve},
		{400, foreign, "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{401, foreign, "", refund.ErrUnauthorized, refund.OutcomeUnknown, refund.AdviceResolve},
		{403, foreign, "", refund.ErrForbidden, refund.OutcomeUnknown, refund.AdviceResolve},
		{404, foreign, "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{413, html, "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{415, "bad_request", "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
		{422, "invalid_amount", "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve},
	}
	// They sound as if something had been done, or might have been.
	for _, code := range []string{"already_exists", "failed-request", "internal_error", "issuer_unavailable", "no_response", "unknown_error"} {
		rows = append(rows, row{400, code, "", refund.ErrUnexpected, refund.OutcomeUnknown, refund.AdviceResolve})
	}
	for _, code := range []string{
		"create-order-failed", "email_invalid", "invalid_address", "invalid_amount", "invalid_boolean", "invalid_card_bin", "invalid_card_number",
		"invalid_empty", "invalid_expiration_date", "invalid_format", "invalid_integer", "invalid_metadata_key", "invalid_metadata_value",
		"invalid_pin", "invalid_quantity_amount", "invalid_security_code", "invalid_shipping_choice", "invalid_string_blank",
		"invalid_string_empty", "method_not_allowed", "missing_parameter", "out_of_inventory", "pin_try_exceeded", "plan_not_active",
		"postal_code_invalid", "sku_inactive", "source_status_invalid_for_session", "tax_id_invalid", "too_many_metadata_pairs",
		"unknown_parameter",
	} {
		rows = append(rows, row{400, code, "", refund.ErrInvalidRequest, refund.OutcomeRejected, refund.AdviceFix})
	}
	for _, code := range []string{
		"account_closed", "card_expired", "card_limit_exceeded", "card_type_block", "card_velocity_exceeded", "charge_expired",
		"charge_not_capturable", "country_restricted", "declined", "do_not_honor", "fraud", "fraud_block", "insufficient_funds",
		"invalid_transaction_type", "issuer_invalid_card", "issuer_not_found", "limit_exceeded", "lost_stolen_card", "mid_limit_exceeded",
		"order_already_complete", "order_submit_failed", "payment_authorization_failed", "restricted_card", "restricted_update",
		"source_expired", "source_not_chargeable", "source_not_found", "stop_recurring", "voice_authorization_required",
	} {
		rows = append(rows, row{400, code, "", refund.ErrNotRefundable, refund.OutcomeRejected, refund.AdviceStop})
	}
	covered := map[string]bool{}
	for _, tt := range rows {
		covered[tt.code], covered[tt.parameter] = true, true
		t.Run(fmt.Sprintf("%d %q %s", tt.status, tt.code, tt.parameter), func(t *testing.T) {
			code := tt.code
			body := fmt.Sprintf(`{"type":"some_type","errors":[{"code":%q,"parameter":%q,"message":"in words"}]}`, tt.code, tt.parameter)
			switch tt.code {
			case html:
				code, body = "", `<html><title>Attention Required!</title></html>`
			case empty:
				code, body = "", ""
			case foreign: // RFC 9457, of a gateway
				code, body = "", `{"type":"about:blank","title":"No","status":403,"errors":[{"detail":"no"}]}`
			}
			synctest.Test(t, func(t *testing.T) {
				wire := &wiretest.Transport{Status: tt.status, Body: body, Header: http.Header{"X-Dr-Requestid": {"request-1"}}}
				_, err := newClient(t, unmoved{wire}, noLookup).Refund(t.Context(), refund.Request{
					IdempotencyKey: "k", Order: refund.Order{ID: "1"}, Amount: refund.MustParseMoney("10.00", "USD"),
				})
				require.ErrorIs(t, err, tt.kind)
				var e *refund.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, tt.outcome, e.Outcome)
				assert.Equal(t, tt.advice, e.Advice())
				assert.Equal(t, code, e.Code)
				assert.Equal(t, tt.status, e.HTTPStatus)
				assert.Equal(t, "request-1", e.RequestID)
				assert.Equal(t, body, string(e.Raw))
				assert.Equal(t, code != "", digitalriver.HasCode(err, "x", digitalriver.ErrorCode(code)) && code != "")

				// The same answer to a read or an update never makes anything unknown.
				client := newClient(t, wire, noLookup)
				_, err = client.RetrieveRefund(t.Context(), "re_1")
				require.Error(t, err)
				assert.NotEqual(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
				_, err = client.UpdateRefund(t.Context(), "re_1", digitalriver.Metadata{"a": "b"})
				require.Error(t, err)
				assert.NotEqual(t, refund.OutcomeUnknown, refund.OutcomeOf(err))
			})
		})
	}
	for _, code := range append(wiretest.Constants(t, "errors.go", "ErrorCode"), cases(t, "errors.go", "badRequest")...) {
		assert.True(t, covered[code], "no row for %q", code)
	}
}

// cases returns the codes and parameters that a function of a file switches by.
func cases(t *testing.T, file, function string) (values []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	for _, decl := range parsed.Decls {
		if f, ok := decl.(*ast.FuncDecl); !ok || f.Name.Name != function {
			continue
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			clause, ok := n.(*ast.CaseClause)
			if !ok {
				return true
			}
			for _, expr := range clause.List {
				if lit, ok := expr.(*ast.BasicLit); ok {
					value, err := strconv.Unquote(lit.Value)
					require.NoError(t, err)
					values = append(values, value)
				}
			}
			return true
		})
	}
	require.NotEmpty(t, values)
	return values
}

func TestSeveralErrors(t *testing.T) {
	body := `{"type":"bad_request","errors":[{"code":"missing_parameter","parameter":"currency","message":"a"},{"code":"invalid_amount","message":"b"}]}`
	_, err := newClient(t, &wiretest.Transport{Status: 400, Body: body}).RetrieveRefund(t.Context(), "re_1")
	var e *refund.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "missing_parameter", e.Code)
	assert.Equal(t, "a (parameter currency); b", e.Message)
	assert.True(t, digitalriver.HasCode(err, digitalriver.CodeInvalidAmount), "the second counts too")
	assert.Equal(t, []digitalriver.ErrorDetail{
		{Code: "missing_parameter", Parameter: "currency", Message: "a"}, {Code: "invalid_amount", Message: "b"},
	}, digitalriver.Errors(fmt.Errorf("wrapped: %w", err)))

	_, err = newClient(t, &wiretest.Transport{Status: 403, Body: `{"type":"forbidden"}`}).RetrieveRefund(t.Context(), "re_1")
	assert.True(t, digitalriver.HasCode(err, digitalriver.CodeForbidden), "the type stands in")
	assert.Empty(t, digitalriver.Errors(err))
	assert.Nil(t, digitalriver.Errors(errors.New("x")))
}

func TestHasCode(t *testing.T) {
	ours := &refund.Error{Provider: "digitalriver", Code: "invalid_amount"}
	assert.True(t, digitalriver.HasCode(fmt.Errorf("wrapped: %w", ours), digitalriver.CodeNotFound, digitalriver.CodeInvalidAmount))
	assert.False(t, digitalriver.HasCode(ours, digitalriver.CodeNotFound))
	assert.False(t, digitalriver.HasCode(ours))
	assert.False(t, digitalriver.HasCode(&refund.Error{Provider: "instant", Code: "invalid_amount"}, digitalriver.CodeInvalidAmount))
	assert.False(t, digitalriver.HasCode(errors.New("invalid_amount"), digitalriver.CodeInvalidAmount))
	assert.False(t, digitalriver.HasCode(nil, digitalriver.CodeInvalidAmount))
}

// unmoved passes writes on, and shows an order of which nothing was refunded.
type unmoved struct{ next http.RoundTripper }

func (u unmoved) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return u.next.RoundTrip(req)
	}
	body := `{"hasMore":false,"data":[]}`
	if strings.HasPrefix(req.URL.Path, "/orders/") {
		body = `{"id":"1","currency":"USD","capturedAmount":100,"availableToRefundAmount":100}`
	}
	return (&wiretest.Transport{Status: http.StatusOK, Body: body}).RoundTrip(req)
}
