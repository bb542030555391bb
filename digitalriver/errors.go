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

// ErrorCode is Digital River's code of an error. Open: any other code is kept verbatim in refund.Error.Code. Not to be
// shown to shoppers.
type ErrorCode string

// The codes that a refund can meet. The documented list is that of the whole API; for refunds only invalid_parameter is
// documented (issuing refunds page), the others are those that fit its fields (OpenAPI document, introduction; metadata
// page).
const (
	CodeInvalidParameter     ErrorCode = "invalid_parameter" // the parameter tells: see ErrorDetail
	CodeMissingParameter     ErrorCode = "missing_parameter"
	CodeUnknownParameter     ErrorCode = "unknown_parameter"
	CodeAmountTooLarge       ErrorCode = "amount_too_large"
	CodeInvalidAmount        ErrorCode = "invalid_amount"
	CodeInvalidCurrency      ErrorCode = "invalid_currency"
	CodeCurrencyUnsupported  ErrorCode = "currency_unsupported"
	CodeInvalidMetadataKey   ErrorCode = "invalid_metadata_key"
	CodeInvalidMetadataValue ErrorCode = "invalid_metadata_value"
	CodeTooManyMetadataPairs ErrorCode = "too_many_metadata_pairs"
	CodeAPIKeyExpired        ErrorCode = "api_key_expired"
	CodeNotFound             ErrorCode = "not_found" // a type as well, 404
)

// The documented types that are worth a branch. A type stands in for the code of a response that has none.
const (
	CodeUnauthorized    ErrorCode = "unauthorized"      // 401
	CodeForbidden       ErrorCode = "forbidden"         // 403
	CodeConflict        ErrorCode = "conflict"          // 409
	CodeTooManyRequests ErrorCode = "too_many_requests" // 429
)

// HasCode reports whether err is Digital River's response with one of codes among its errors, or as its type if it has
// none.
func HasCode(err error, codes ...ErrorCode) bool {
	return httpx.HasCode(err, provider, codes) ||
		slices.ContainsFunc(Errors(err), func(d ErrorDetail) bool { return slices.Contains(codes, d.Code) })
}

// ErrorDetail is one of the errors that a response may have.
type ErrorDetail struct {
	Code      ErrorCode `json:"code"`
	Parameter string    `json:"parameter"` // by internal names, such as amountRequested
	Message   string    `json:"message"`   // may change at any time, and may quote what was sent
}

// Errors returns all errors of the response behind err; refund.Error has the first of them. Nil if err is not a response
// of Digital River's.
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

// ours reports whether a body is Digital River's and not that of something in front of it, which may have a type or errors
// too. Their types are named after the status (OpenAPI document).
func (b *errorBody) ours(status int) bool {
	named := strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
	return b.Type != "" && string(b.Type) == named ||
		slices.ContainsFunc(b.Errors, func(d ErrorDetail) bool { return d.Code != "" })
}

func (b *errorBody) message() string {
	var texts []string
	for _, d := range b.Errors {
		text := d.Message
		if text == "" {
			text = string(d.Code)
		}
		if d.Parameter != "" {
			text += " (parameter " + d.Parameter + ")"
		}
		if text = strings.TrimSpace(text); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "; ")
}

// classify reads a response. Nil means success.
func classify(status int, body []byte) *httpx.Refusal {
	if status >= 200 && status < 300 {
		return nil
	}
	r := httpx.ByStatus(status, body)
	if status == http.StatusConflict {
		r.Kind = refund.ErrConflict // no cause is documented, so the outcome stays unknown
	}
	var e errorBody
	if json.Unmarshal(body, &e) != nil || !e.ours(status) {
		return r
	}
	first := ErrorDetail{Code: e.Type}
	if len(e.Errors) > 0 && e.Errors[0].Code != "" {
		first = e.Errors[0]
	}
	r.Code, r.Message = string(first.Code), e.message()
	if kind, ok := refused(status, first); ok {
		r.Kind, r.Outcome = kind, refund.OutcomeRejected
	}
	return r
}

// refused is the table of responses which say that nothing was refunded. The statuses are documented, so they count with
// a code that is not; any other status leaves the outcome unknown.
func refused(status int, first ErrorDetail) (refund.Kind, bool) {
	switch status {
	case http.StatusBadRequest:
		return badRequest(first)
	case http.StatusUnauthorized:
		return refund.ErrUnauthorized, true
	case http.StatusForbidden:
		return refund.ErrForbidden, true
	case http.StatusNotFound: // of reads and updates
		return refund.ErrOrderNotFound, true
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable:
		return refund.ErrUnexpected, true
	case http.StatusTooManyRequests: // before anything that could act on it (rate limiting page)
		return refund.ErrRateLimited, true
	}
	return 0, false
}

// badRequest reads a 400.
func badRequest(first ErrorDetail) (kind refund.Kind, refused bool) {
	switch first.Code {
	case CodeInvalidParameter: // issuing refunds page; disputes page
		switch first.Parameter {
		case "amountRequested":
			return refund.ErrAmountExceeded, true
		case "currency":
			return refund.ErrCurrencyMismatch, true
		case "order":
			return refund.ErrNotRefundable, true
		}
	case CodeAmountTooLarge:
		return refund.ErrAmountExceeded, true
	case CodeInvalidCurrency, CodeCurrencyUnsupported:
		return refund.ErrCurrencyMismatch, true
	case CodeNotFound:
		return refund.ErrOrderNotFound, true
	case CodeAPIKeyExpired:
		return refund.ErrUnauthorized, true
	case "already_exists", "failed-request", "internal_error", "issuer_unavailable", "no_response", "unknown_error":
		return 0, false // they sound as if something had been done, or might have been
	case "account_closed", "card_expired", "card_limit_exceeded", "card_type_block", "card_velocity_exceeded", "charge_expired",
		"charge_not_capturable", "country_restricted", "declined", "do_not_honor", "fraud", "fraud_block", "insufficient_funds",
		"invalid_transaction_type", "issuer_invalid_card", "issuer_not_found", "limit_exceeded", "lost_stolen_card",
		"mid_limit_exceeded", "order_already_complete", "order_submit_failed", "payment_authorization_failed", "restricted_card",
		"restricted_update", "source_expired", "source_not_chargeable", "source_not_found", "stop_recurring",
		"voice_authorization_required":
		return refund.ErrNotRefundable, true
	default: // the request is at fault
	}
	return refund.ErrInvalidRequest, true
}
