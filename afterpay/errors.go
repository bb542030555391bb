package afterpay

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

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

// HasCode reports whether err is Afterpay's answer with one of codes.
func HasCode(err error, codes ...ErrorCode) bool {
	var e *refund.Error
	return errors.As(err, &e) && e.Provider == provider && slices.Contains(codes, ErrorCode(e.Code))
}

// errorBody is the body of all errors. message may change at any time: nothing depends on it.
type errorBody struct {
	ErrorCode string `json:"errorCode"`
	ErrorID   string `json:"errorId"`
	Message   string `json:"message"`
}

// classify reads an answer. Nil means success.
func classify(status int, body []byte) *httpx.Refusal {
	if status >= 200 && status < 300 {
		return nil
	}
	r := httpx.ByStatus(status, body)
	var e errorBody
	if json.Unmarshal(body, &e) == nil && e.ErrorCode != "" {
		r.Code, r.Message = e.ErrorCode, e.Message
		if e.ErrorID != "" {
			r.Message += " (errorId " + e.ErrorID + ")"
		}
	}
	if kind, ok := refused(status, ErrorCode(r.Code)); ok {
		r.Kind, r.Outcome = kind, refund.OutcomeRejected
	} else if status == http.StatusConflict {
		r.Kind = refund.KindInFlight // the first request with this requestId is still running (API introduction)
	}
	return r
}

// refused is the table of answers which say that nothing was refunded. The statuses are documented, so that they count
// with a code that is not; any other status leaves the outcome unknown.
func refused(status int, code ErrorCode) (refund.Kind, bool) {
	switch status {
	case http.StatusBadRequest:
		return refund.KindInvalidRequest, true
	case http.StatusUnauthorized:
		return refund.KindUnauthorized, true
	case http.StatusPaymentRequired:
		return refund.KindInvalidRequest, code == CodeInvalidToken
	case http.StatusForbidden: // a block page of the network in front, met by afterpay/sdk-php 1.3.10
		return refund.KindForbidden, true
	case http.StatusNotFound: // documented as 412, recorded as 404 by solidus_afterpay
		return refund.KindOrderNotFound, true
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnsupportedMediaType:
		return refund.KindUnexpected, true
	case http.StatusGone, http.StatusPreconditionFailed:
		return refund.KindNotRefundable, true
	case http.StatusUnprocessableEntity:
		switch code {
		case CodeInvalidAmount:
			return refund.KindAmountExceeded, true
		case CodeUnsupportedCurrency:
			return refund.KindCurrencyMismatch, true
		case CodeRefundTimelimitExceeded:
			return refund.KindWindowExpired, true
		default:
			return refund.KindInvalidRequest, true
		}
	}
	return 0, false
}
