package backd

import (
	"encoding/json"
	"net/http"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

// ErrorCode is the status.type of a response that is an error, verbatim. Backd documents no values, so that there are no
// constants.
type ErrorCode string

// HasCode reports whether err is Backd's response with one of codes.
func HasCode(err error, codes ...ErrorCode) bool {
	return httpx.HasCode(err, provider, codes)
}

// errorBody is what an error needs of a response.
type errorBody struct {
	Data    json.RawMessage `json:"data"`
	Message json.RawMessage `json:"message"`
	Status  *ResponseStatus `json:"status"`
}

// classify reads a response. Nil means success.
func classify(status int, body []byte) *httpx.Refusal {
	var e errorBody
	ours := json.Unmarshal(body, &e) == nil && (e.Status != nil || e.Message != nil || e.Data != nil)
	stated := ours && e.Status != nil && e.Status.Error
	if status >= 200 && status < 300 {
		if !stated {
			return nil
		}
		status = e.Status.Code // refused with HTTP 200: the only status that is documented
		stated = !e.active()
	}
	r := httpx.ByStatus(status, body)
	if ours {
		// Never an excerpt: the envelope may hold the whole order.
		if r.Message = wire.Text(e.Message); r.Message == "" {
			r.Message = "Backd states an error without a message"
		}
		if e.Status != nil {
			r.Code = e.Status.Type
		}
	}
	if kind, ok := refused(status); ok && stated {
		r.Kind, r.Outcome = kind, refund.OutcomeRejected
	} else if status == http.StatusNotFound { // a page too, but it proves nothing about a refund
		r.Kind = refund.ErrOrderNotFound
	}
	return r
}

// active reports whether the order in the response has an active request: an error next to one contradicts itself.
func (e *errorBody) active() bool {
	var b orderBody
	_ = json.Unmarshal(e.Data, &b) //nolint:errcheck // what cannot be read shows nothing
	o := Order(b.plainOrder)
	return o.ActiveRefund() != nil
}

// refused is the table of responses which say that nothing was done, if Backd's own word (status.error) agrees. Backd
// documents none: status is HTTP's, or status.code where HTTP says 200. A code that is none of HTTP's is an error of
// Backd's own count.
func refused(status int) (refund.Kind, bool) {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return refund.ErrInvalidRequest, true
	case http.StatusUnauthorized:
		return refund.ErrUnauthorized, true
	case http.StatusForbidden:
		return refund.ErrForbidden, true
	case http.StatusNotFound:
		return refund.ErrOrderNotFound, true
	case http.StatusConflict: // the order is not as it was when it was read: trying again reads it again
		return refund.ErrConflict, true
	case http.StatusLocked:
		return refund.ErrLocked, true
	case http.StatusTooManyRequests:
		return refund.ErrRateLimited, true
	case http.StatusRequestTimeout:
		return 0, false
	}
	return refund.ErrUnexpected, status < 100 || status/100 == 4 || status >= 600
}
