package orderrows

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

// Details returns the API's validation messages carried by err. They are for people, may change at any time and may hold
// personal data. The API has no codes: portable is refund.Error.Kind alone.
func Details(err error) Messages {
	var e *refund.Error
	if !errors.As(err, &e) || e.Provider != provider {
		return nil
	}
	body, _ := readError(e.Raw)
	return body.details
}

// errorBody is the body of errors: the envelope without a Resource, or {"Message":"Unauthorized"} (sonora-agent-plugins).
type errorBody struct {
	message string
	details Messages
}

// readError reads the body of an error. ok is false if it is not the API's own.
func readError(body []byte) (e errorBody, ok bool) {
	var envelope struct {
		Message json.RawMessage
		Details Messages
	}
	if json.Unmarshal(body, &envelope) != nil {
		return errorBody{}, false
	}
	e = errorBody{wire.Text(envelope.Message), envelope.Details}
	return e, e.message != "" || len(e.details) > 0
}

// classify reads a response. Nil means success.
func classify(status int, body []byte) *httpx.Refusal {
	if status >= 200 && status < 300 {
		return nil
	}
	r := httpx.ByStatus(status, body)
	e, ok := readError(body)
	if !ok {
		return r
	}
	r.Message = strings.TrimPrefix(strings.Join(append([]string{e.message}, e.details...), "; "), "; ")
	if kind, ok := refused(status); ok {
		r.Kind, r.Outcome = kind, refund.OutcomeRejected
	}
	return r
}

// refused is the table of responses which say that nothing was refunded: those that are documented, or were seen, in the
// API's own envelope. A 500 is none of them: elsewhere in this API "A database error occured." usually means a bad body
// (sonora-agent-plugins, SKILL.md), but nobody says whether a refund was written before it occurred. Nor is a 429, which the
// vendor's own clients repeat: it is not documented that it is turned away before anything is done.
func refused(status int) (refund.Kind, bool) {
	switch status {
	case http.StatusBadRequest: // Creates refund page
		return refund.ErrInvalidRequest, true
	case http.StatusUnauthorized: // seen by the vendor: sonora-agent-plugins, SKILL.md
		return refund.ErrUnauthorized, true
	case http.StatusNotFound: // Creates refund page
		return refund.ErrOrderNotFound, true
	}
	return 0, false
}
