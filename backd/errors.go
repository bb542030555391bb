package backd

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/lenient"
	"github.com/multirefund/refund-go/refund"
)

// ErrorCode is the status.type of an answer that is an error, verbatim. Backd documents no values, so that there are no
// constants.
type ErrorCode string

// HasCode reports whether err is Backd's answer with one of codes.
func HasCode(err error, codes ...ErrorCode) bool {
	var e *refund.Error
	return errors.As(err, &e) && e.Provider == provider && slices.Contains(codes, ErrorCode(e.Code))
}

// envelope is what an error needs of an answer.
type envelope struct {
	Data    json.RawMessage `json:"data"`
	Message json.RawMessage `json:"message"`
	Status  *ResponseStatus `json:"status"`
}

// classify reads an answer. Nil means success.
func classify(status int, body []byte) *httpx.Refusal {
	var e envelope
	ours := json.Unmarshal(body, &e) == nil && (e.Status != nil || e.Message != nil || e.Data != nil)
	refusal := e.Status != nil && e.Status.Error
	success := status >= 200 && status < 300
	if success && !refusal {
		return nil
	}
	if success {
		status = e.Status.Code // refused with HTTP 200: the only status that is documented
	} else {
		refusal = refusal && status >= 400
	}
	r := httpx.ByStatus(status, body)
	if ours {
		// Never an excerpt: the envelope may hold the whole order.
		if r.Message = lenient.Text(e.Message); r.Message == "" {
			r.Message = "Backd states an error without a message"
		}
		if e.Status != nil {
			r.Code = e.Status.Type
		}
	}
	if kind, ok := refused(status, refusal); ok {
		r.Kind, r.Outcome = kind, refund.OutcomeRejected
	}
	return r
}

// refused is the table of answers which say that nothing was done. Backd documents none: without its own word for it
// (status.error) only the statuses count that HTTP gives to what was not processed.
func refused(status int, stated bool) (refund.Kind, bool) {
	switch status {
	case http.StatusUnauthorized:
		return refund.KindUnauthorized, true
	case http.StatusForbidden:
		return refund.KindForbidden, true
	case http.StatusNotFound:
		return refund.KindOrderNotFound, true
	case http.StatusMethodNotAllowed:
		return refund.KindUnexpected, true
	}
	if !stated || status == http.StatusRequestTimeout || status >= 500 && status < 600 {
		return 0, false
	}
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return refund.KindInvalidRequest, true
	case http.StatusConflict: // the order is not as it was when it was read: trying again reads it again
		return refund.KindConflict, true
	case http.StatusTooManyRequests:
		return refund.KindRateLimited, true
	}
	return refund.KindUnexpected, true
}
