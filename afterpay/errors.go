package afterpay

import (
	"encoding/json"
	"net/http"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/refund"
)

// ErrorCode is Afterpay's errorCode. Open: codes that nobody has seen before are kept verbatim in refund.Error.Code.
type ErrorCode string

// The documented codes, those of neighbouring operations included (developers.cash.app, errors; Create Refund page).
const (
	CodeInvalidJSON             ErrorCode = "invalid_json"              // 400
	CodeUnauthorized            ErrorCode = "unauthorized"              // 401
	CodeInvalidToken            ErrorCode = "invalid_token"             // 402, checkout only; recorded as 412
	CodeNotFound                ErrorCode = "not_found"                 // 404; on refunds too, where 412 is documented
	CodeMethodNotAllowed        ErrorCode = "method_not_allowed"        // 405
	CodeError                   ErrorCode = "error"                     // 406, 412, 415, 422, 500: the status tells
	CodePaymentCaptured         ErrorCode = "payment_captured"          // 410, capture and void only
	CodePreconditionFailed      ErrorCode = "precondition_failed"       // 412: unknown order, or not eligible for a refund
	CodeInvalidState            ErrorCode = "invalid_state"             // 412, capture only
	CodePaymentVoided           ErrorCode = "payment_voided"            // 412, capture only
	CodePaymentExpired          ErrorCode = "payment_expired"           // 412, capture only
	CodeInvalidAmount           ErrorCode = "invalid_amount"            // 422: more than is left to refund
	CodeInvalidObject           ErrorCode = "invalid_object"            // 422: bad Money, reference too long, wrong currency
	CodeUnsupportedCurrency     ErrorCode = "unsupported_currency"      // 422
	CodeRefundTimelimitExceeded ErrorCode = "refund_timelimit_exceeded" // 422: later than 120 days
)

// HasCode reports whether err is Afterpay's response with one of codes.
func HasCode(err error, codes ...ErrorCode) bool {
	return httpx.HasCode(err, provider, codes)
}

// errorBody is the body of all errors. message may change at any time: nothing depends on it.
type errorBody struct {
	ErrorCode string `json:"errorCode"`
	ErrorID   string `json:"errorId"`
	Message   string `json:"message"`
}

// classify reads a response. Nil means success. Only Afterpay's own body makes a refusal definite: a page, an empty body or
// another envelope comes from something in front, and may hide that Afterpay has acted.
func classify(status int, body []byte) *httpx.Refusal {
	if status >= 200 && status < 300 {
		return nil
	}
	r := httpx.ByStatus(status, body)
	if status == http.StatusConflict {
		r.Kind = refund.ErrInFlight // the first request with this requestId is still running (API introduction)
	}
	var e errorBody
	if json.Unmarshal(body, &e) != nil || e.ErrorCode == "" {
		return r
	}
	r.Code, r.Message = e.ErrorCode, e.Message
	if e.ErrorID != "" {
		r.Message += " (errorId " + e.ErrorID + ")"
	}
	if kind, ok := refused(status, ErrorCode(r.Code)); ok {
		r.Kind, r.Outcome = kind, refund.OutcomeRejected
	}
	return r
}

// refused is the table of responses which say that nothing was refunded. The statuses are documented, so that they count
// with a code that is not; any other status leaves the outcome unknown.
func refused(status int, code ErrorCode) (refund.Kind, bool) {
	switch status {
	case http.StatusBadRequest:
		return refund.ErrInvalidRequest, true
	case http.StatusUnauthorized:
		return refund.ErrUnauthorized, true
	case http.StatusPaymentRequired:
		return refund.ErrInvalidRequest, code == CodeInvalidToken
	case http.StatusForbidden: // not documented; the block page of the network in front has another body
		return refund.ErrForbidden, true
	case http.StatusNotFound: // documented as 412, recorded as 404 by solidus_afterpay
		return refund.ErrOrderNotFound, true
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnsupportedMediaType:
		return refund.ErrUnexpected, true
	case http.StatusGone, http.StatusPreconditionFailed:
		return refund.ErrNotRefundable, true
	case http.StatusUnprocessableEntity:
		switch code {
		case CodeInvalidAmount:
			return refund.ErrAmountExceeded, true
		case CodeUnsupportedCurrency:
			return refund.ErrCurrencyMismatch, true
		case CodeRefundTimelimitExceeded:
			return refund.ErrWindowExpired, true
		default:
			return refund.ErrInvalidRequest, true
		}
	}
	return 0, false
}
