package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/multirefund/refund-go/refund"
)

// Refusal is what an answer that is no success says.
type Refusal struct {
	Kind    refund.Kind
	Outcome refund.Outcome
	Code    string // the provider's, verbatim
	Message string // the provider's; redacted and bounded before anybody sees it
}

// ByStatus is the reading of an answer that no provider's table knows: the kind is what HTTP says, the outcome is
// unknown.
func ByStatus(status int, body []byte) *Refusal {
	r := &Refusal{Kind: refund.ErrUnexpected, Outcome: refund.OutcomeUnknown, Message: Excerpt(body)}
	switch status {
	case http.StatusUnauthorized:
		r.Kind = refund.ErrUnauthorized
	case http.StatusForbidden:
		r.Kind = refund.ErrForbidden
	case http.StatusTooManyRequests:
		r.Kind = refund.ErrRateLimited
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		r.Kind = refund.ErrUnavailable
	}
	return r
}

// Excerpt is what a message quotes of a body that is not the provider's JSON: enough to recognise a block page. It is
// for Refusal.Message and Unreadable, which redact it and then cut it to what anybody sees.
func Excerpt(body []byte) string {
	if len(body) == 0 {
		return "the answer is empty"
	}
	return `the answer is not the provider's JSON: "` + oneLine(string(body[:min(len(body), maxExcerpt)])) + `"`
}

// Decode reads the answer's JSON into v. A failure is r.Unreadable.
func (r *Result) Decode(v any) error {
	if err := Unmarshal(r.Body, v); err != nil {
		return r.Unreadable("%s", err)
	}
	return nil
}

// Unmarshal reads one JSON value, and says of anything else what it looks like. Unknown members are ignored, numbers
// keep their digits.
func Unmarshal(body []byte, v any) error {
	if !looksLikeJSON(body) {
		return errors.New(Excerpt(body))
	}
	if err := json.Unmarshal(body, v); err != nil {
		return errors.New("the answer cannot be read: " + jsonProblem(err))
	}
	return nil
}

// looksLikeJSON goes by the first byte: a proxy's page may carry any Content-Type.
func looksLikeJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && (body[0] == '{' || body[0] == '[')
}

// jsonProblem says what is wrong without quoting values, which may be personal data.
func jsonProblem(err error) string {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
		return "it is cut off or not JSON"
	case errors.As(err, &typ):
		return "member " + strconv.Quote(typ.Field) + " has an unexpected type"
	}
	return "a member has an unexpected value"
}
