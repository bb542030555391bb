package digitalriver

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// ErrorCode is Digital River's code of an error. Open: codes that nobody has seen before are kept verbatim in
// refund.Error.Code. Not to be shown to shoppers.
type ErrorCode string

// The documented codes, which are those of the whole API: which of them refunds are answered with is documented for
// invalid_parameter only (OpenAPI document, introduction; issuing refunds page).
const (
	CodeAccountClosed                 ErrorCode = "account_closed"
	CodeAlreadyExists                 ErrorCode = "already_exists"
	CodeAmountTooLarge                ErrorCode = "amount_too_large"
	CodeAPIKeyExpired                 ErrorCode = "api_key_expired"
	CodeCardExpired                   ErrorCode = "card_expired"
	CodeCardLimitExceeded             ErrorCode = "card_limit_exceeded"
	CodeCardTypeBlock                 ErrorCode = "card_type_block"
	CodeCardVelocityExceeded          ErrorCode = "card_velocity_exceeded"
	CodeChargeExpired                 ErrorCode = "charge_expired"
	CodeChargeNotCapturable           ErrorCode = "charge_not_capturable"
	CodeCountryRestricted             ErrorCode = "country_restricted"
	CodeCreateOrderFailed             ErrorCode = "create-order-failed"
	CodeCurrencyUnsupported           ErrorCode = "currency_unsupported"
	CodeDeclined                      ErrorCode = "declined"
	CodeDoNotHonor                    ErrorCode = "do_not_honor"
	CodeEmailInvalid                  ErrorCode = "email_invalid"
	CodeFailedRequest                 ErrorCode = "failed-request"
	CodeFraud                         ErrorCode = "fraud"
	CodeFraudBlock                    ErrorCode = "fraud_block"
	CodeInvalidAddress                ErrorCode = "invalid_address"
	CodeInvalidAmount                 ErrorCode = "invalid_amount"
	CodeInvalidBoolean                ErrorCode = "invalid_boolean"
	CodeInvalidCardBin                ErrorCode = "invalid_card_bin"
	CodeInvalidCardNumber             ErrorCode = "invalid_card_number"
	CodeInvalidCurrency               ErrorCode = "invalid_currency"
	CodeInvalidEmpty                  ErrorCode = "invalid_empty"
	CodeInvalidExpirationDate         ErrorCode = "invalid_expiration_date"
	CodeInvalidFormat                 ErrorCode = "invalid_format"
	CodeInvalidInteger                ErrorCode = "invalid_integer"
	CodeInvalidMetadataKey            ErrorCode = "invalid_metadata_key"
	CodeInvalidMetadataValue          ErrorCode = "invalid_metadata_value"
	CodeInvalidParameter              ErrorCode = "invalid_parameter" // the parameter tells: see refused
	CodeInvalidPin                    ErrorCode = "invalid_pin"
	CodeInvalidQuantityAmount         ErrorCode = "invalid_quantity_amount"
	CodeInvalidSecurityCode           ErrorCode = "invalid_security_code"
	CodeInvalidShippingChoice         ErrorCode = "invalid_shipping_choice"
	CodeInvalidStringBlank            ErrorCode = "invalid_string_blank"
	CodeInvalidStringEmpty            ErrorCode = "invalid_string_empty"
	CodeInvalidTransactionType        ErrorCode = "invalid_transaction_type"
	CodeIssuerInvalidCard             ErrorCode = "issuer_invalid_card"
	CodeIssuerNotFound                ErrorCode = "issuer_not_found"
	CodeIssuerUnavailable             ErrorCode = "issuer_unavailable"
	CodeInsufficientFunds             ErrorCode = "insufficient_funds"
	CodeLimitExceeded                 ErrorCode = "limit_exceeded"
	CodeLostStolenCard                ErrorCode = "lost_stolen_card"
	CodeMethodNotAllowed              ErrorCode = "method_not_allowed" // a type as well, 405
	CodeMidLimitExceeded              ErrorCode = "mid_limit_exceeded"
	CodeMissingParameter              ErrorCode = "missing_parameter"
	CodeNoResponse                    ErrorCode = "no_response"
	CodeNotFound                      ErrorCode = "not_found" // a type as well, 404
	CodeOrderAlreadyComplete          ErrorCode = "order_already_complete"
	CodeOrderNotSubmitted             ErrorCode = "order_not_submitted" // 409, fulfillments of a disputed order only
	CodeOrderSubmitFailed             ErrorCode = "order_submit_failed"
	CodeOutOfInventory                ErrorCode = "out_of_inventory"
	CodePaymentAuthorizationFailed    ErrorCode = "payment_authorization_failed"
	CodePinTryExceeded                ErrorCode = "pin_try_exceeded"
	CodePlanNotActive                 ErrorCode = "plan_not_active"
	CodePostalCodeInvalid             ErrorCode = "postal_code_invalid"
	CodeQuantityTooLarge              ErrorCode = "quantity_too_large" // 409, returns only
	CodeRestrictedCard                ErrorCode = "restricted_card"
	CodeRestrictedUpdate              ErrorCode = "restricted_update"
	CodeSKUInactive                   ErrorCode = "sku_inactive"
	CodeSourceExpired                 ErrorCode = "source_expired"
	CodeSourceNotChargeable           ErrorCode = "source_not_chargeable"
	CodeSourceNotFound                ErrorCode = "source_not_found"
	CodeSourceStatusInvalidForSession ErrorCode = "source_status_invalid_for_session"
	CodeStopRecurring                 ErrorCode = "stop_recurring"
	CodeTaxIDInvalid                  ErrorCode = "tax_id_invalid"
	CodeTooManyMetadataPairs          ErrorCode = "too_many_metadata_pairs"
	CodeUnknownError                  ErrorCode = "unknown_error"
	CodeUnknownParameter              ErrorCode = "unknown_parameter"
	CodeVoiceAuthorizationRequired    ErrorCode = "voice_authorization_required"
)

// The documented types, which stand in for the code of an answer that has none (OpenAPI document).
const (
	CodeBadRequest          ErrorCode = "bad_request"           // 400
	CodeUnauthorized        ErrorCode = "unauthorized"          // 401
	CodeForbidden           ErrorCode = "forbidden"             // 403
	CodeNotAcceptable       ErrorCode = "not_acceptable"        // 406
	CodeRequestTimeout      ErrorCode = "request_timeout"       // 408
	CodeConflict            ErrorCode = "conflict"              // 409
	CodeTooManyRequests     ErrorCode = "too_many_requests"     // 429
	CodeInternalServerError ErrorCode = "internal_server_error" // 500
	CodeBadGateway          ErrorCode = "bad_gateway"           // 502
	CodeServiceUnavailable  ErrorCode = "service_unavailable"   // 503
	CodeGatewayTimeout      ErrorCode = "gateway_timeout"       // 504
)

// HasCode reports whether err is Digital River's answer with one of codes among its errors, or as its type if it has
// none.
func HasCode(err error, codes ...ErrorCode) bool {
	var e *refund.Error
	if !errors.As(err, &e) || e.Provider != provider {
		return false
	}
	return slices.Contains(codes, ErrorCode(e.Code)) ||
		slices.ContainsFunc(Errors(err), func(d ErrorDetail) bool { return slices.Contains(codes, d.Code) })
}

// ErrorDetail is one of the errors that an answer may have.
type ErrorDetail struct {
	Code      ErrorCode `json:"code"`
	Parameter string    `json:"parameter"` // by internal names, such as amountRequested
	Message   string    `json:"message"`   // may change at any time, and may quote what was sent
}

// Errors returns all errors of the answer behind err; refund.Error has the first of them. Nil if err is no answer of
// Digital River's.
func Errors(err error) []ErrorDetail {
	var e *refund.Error
	var body errorBody
	if !errors.As(err, &e) || e.Provider != provider || e.HTTPStatus < http.StatusBadRequest || json.Unmarshal(e.Raw, &body) != nil {
		return nil
	}
	return body.Errors
}

// errorBody is the body of all errors. Every member is optional.
type errorBody struct {
	Type   ErrorCode     `json:"type"`
	Errors []ErrorDetail `json:"errors"`
}

// classify reads an answer. Nil means success.
func classify(status int, body []byte) *httpx.Refusal {
	if status >= 200 && status < 300 {
		return nil
	}
	r := httpx.ByStatus(status, body)
	if status == http.StatusConflict {
		r.Kind = refund.KindConflict // no cause is documented, so that the outcome stays unknown
	}
	var e errorBody
	if json.Unmarshal(body, &e) != nil || e.Type == "" && len(e.Errors) == 0 {
		return r
	}
	first := ErrorDetail{Code: e.Type}
	var texts []string
	for i, d := range e.Errors {
		if i == 0 && d.Code != "" {
			first = d
		}
		texts = append(texts, strings.TrimSpace(d.Message+" (parameter "+d.Parameter+")"))
	}
	r.Code, r.Message = string(first.Code), strings.ReplaceAll(strings.Join(texts, "; "), " (parameter )", "")
	if kind, ok := refused(status, first); ok {
		r.Kind, r.Outcome = kind, refund.OutcomeRejected
	}
	return r
}

// refused is the table of answers which say that nothing was refunded. The statuses are documented, so that they count
// with a code that is not; any other status leaves the outcome unknown.
func refused(status int, first ErrorDetail) (refund.Kind, bool) {
	switch status {
	case http.StatusBadRequest:
		return badRequest(first)
	case http.StatusUnauthorized:
		return refund.KindUnauthorized, true
	case http.StatusForbidden:
		return refund.KindForbidden, true
	case http.StatusNotFound: // of reads and updates
		return refund.KindOrderNotFound, true
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable:
		return refund.KindUnexpected, true
	}
	return 0, false
}

// badRequest reads a 400. Codes that sound as if something had been done, or might have been, leave the outcome unknown.
func badRequest(first ErrorDetail) (kind refund.Kind, refused bool) {
	switch first.Code {
	case CodeInvalidParameter: // issuing refunds page; disputes page
		switch first.Parameter {
		case "amountRequested":
			return refund.KindAmountExceeded, true
		case "currency":
			return refund.KindCurrencyMismatch, true
		case "order":
			return refund.KindNotRefundable, true
		}
	case CodeAmountTooLarge:
		return refund.KindAmountExceeded, true
	case CodeInvalidCurrency, CodeCurrencyUnsupported:
		return refund.KindCurrencyMismatch, true
	case CodeNotFound:
		return refund.KindOrderNotFound, true
	case CodeAPIKeyExpired:
		return refund.KindUnauthorized, true
	case CodeAlreadyExists, CodeFailedRequest, CodeIssuerUnavailable, CodeNoResponse, CodeUnknownError:
		return 0, false
	case CodeAccountClosed, CodeCardExpired, CodeCardLimitExceeded, CodeCardTypeBlock, CodeCardVelocityExceeded, CodeChargeExpired,
		CodeChargeNotCapturable, CodeCountryRestricted, CodeDeclined, CodeDoNotHonor, CodeFraud, CodeFraudBlock,
		CodeInsufficientFunds, CodeInvalidTransactionType, CodeIssuerInvalidCard, CodeIssuerNotFound, CodeLimitExceeded,
		CodeLostStolenCard, CodeMidLimitExceeded, CodeOrderAlreadyComplete, CodeOrderSubmitFailed,
		CodePaymentAuthorizationFailed, CodeRestrictedCard, CodeRestrictedUpdate, CodeSourceExpired, CodeSourceNotChargeable,
		CodeSourceNotFound, CodeStopRecurring, CodeVoiceAuthorizationRequired:
		return refund.KindNotRefundable, true
	default: // the request is at fault
	}
	return refund.KindInvalidRequest, true
}
