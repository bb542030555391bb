package refund

import (
	"encoding/json"
	"errors"
	"net/http"
)

// HTTPStatus returns the status that a shop's own API should answer with when a refund ended in err.
//
//	status  when
//	200     err is nil
//	202     OutcomeUnknown: the refund may have been paid; the caller asks again later, with the same key
//	400     ErrInvalidRequest
//	404     ErrOrderNotFound
//	409     ErrConflict, ErrLocked, ErrInFlight, ErrDuplicate
//	422     ErrNotRefundable, ErrAmountExceeded, ErrCurrencyMismatch, ErrWindowExpired, and ErrKeyReused whatever its outcome
//	500     err is not an *Error: it did not come from a client
//	502     ErrUnauthorized, ErrForbidden, ErrUnexpected: the shop's own configuration, or the provider
//	503     ErrUnavailable, ErrRateLimited: set Retry-After if Error.RetryAfter says
//
// 422 for a reused key follows draft-ietf-httpapi-idempotency-key-header.
func HTTPStatus(err error) int {
	if err == nil {
		return http.StatusOK
	}
	var e *Error
	if !errors.As(err, &e) {
		return http.StatusInternalServerError
	}
	if e.Kind == ErrKeyReused {
		return http.StatusUnprocessableEntity
	}
	if e.Outcome == OutcomeUnknown {
		return http.StatusAccepted
	}
	switch e.Kind {
	case ErrInvalidRequest:
		return http.StatusBadRequest
	case ErrOrderNotFound:
		return http.StatusNotFound
	case ErrConflict, ErrLocked, ErrInFlight, ErrDuplicate:
		return http.StatusConflict
	case ErrNotRefundable, ErrAmountExceeded, ErrCurrencyMismatch, ErrWindowExpired:
		return http.StatusUnprocessableEntity
	case ErrUnavailable, ErrRateLimited:
		return http.StatusServiceUnavailable
	case ErrUnauthorized, ErrForbidden, ErrUnexpected, ErrKeyReused:
	}
	return http.StatusBadGateway
}

// ProblemJSON returns err as application/problem+json (RFC 9457), for the body that goes with HTTPStatus: status, title
// and detail, and the members of Error that tell a caller what to do. It has nothing secret, and nothing of an error
// that is not an *Error but its status. err must not be nil.
func ProblemJSON(err error) []byte {
	status := HTTPStatus(err)
	problem := struct {
		Title          string  `json:"title"`
		Status         int     `json:"status"`
		Detail         string  `json:"detail,omitzero"`
		Outcome        Outcome `json:"outcome"`
		Kind           Kind    `json:"kind"`
		Advice         Advice  `json:"advice"`
		Provider       string  `json:"provider,omitzero"`
		Account        string  `json:"account,omitzero"`
		IdempotencyKey string  `json:"idempotency_key,omitzero"`
		Field          string  `json:"field,omitzero"`
		Code           string  `json:"code,omitzero"`
		RequestID      string  `json:"request_id,omitzero"`
		RetryAfter     seconds `json:"retry_after_seconds,omitzero"`
	}{Title: http.StatusText(status), Status: status, Outcome: OutcomeOf(err), Kind: KindOf(err), Advice: AdviceOf(err)}
	var e *Error
	if errors.As(err, &e) {
		problem.Detail = e.Message
		if e.Kind != 0 {
			problem.Title = e.Kind.Error()
		}
		problem.Provider, problem.Account, problem.IdempotencyKey = e.Provider, e.Account, e.IdempotencyKey
		problem.Field, problem.Code, problem.RequestID, problem.RetryAfter = e.Field, e.Code, e.RequestID, seconds(e.RetryAfter)
	}
	body, _ := json.Marshal(problem) //nolint:errcheck,errchkjson // of words and numbers: it never fails
	return body
}
