package instant

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/multirefund/refund-go/internal/httpx"
	"github.com/multirefund/refund-go/internal/wire"
	"github.com/multirefund/refund-go/refund"
)

// ErrorCode is Instant's error. Open: codes that nobody has seen before are kept verbatim in refund.Error.Code.
type ErrorCode string

// The documented codes (refunds page). All of them arrive with status 500.
const (
	CodeRefundFailure                    ErrorCode = "REFUND_FAILURE"                       // outcome unknown: a person asks Instant
	CodeInvalidAmountToRefund            ErrorCode = "INVALID_AMOUNT_TO_REFUND"             // not positive, or too small
	CodePossibleDuplicateRefund          ErrorCode = "POSSIBLE_DUPLICATE_REFUND"            // same order and amount within 60 s; see the package comment
	CodeRefundAmountGreaterThanAvailable ErrorCode = "REFUND_AMOUNT_GREATER_THAN_AVAILABLE" // more than is left to refund
	CodeNoEntityFound                    ErrorCode = "NO_ENTITY_FOUND"                      // no such displayOrderId
	CodeUnauthorized                     ErrorCode = "UNAUTHORIZED"                         // wrong X-Instant-App-Auth
	CodeInvalidCredentials               ErrorCode = "INVALID_CREDENTIALS"                  //nolint:gosec // wrong X-Instant-App-Id; a code, no credential
	CodeIntenralServerError              ErrorCode = "INTENRAL_SERVER_ERROR"                // outcome unknown; spelled like that
	CodeInternalServerError              ErrorCode = "INTERNAL_SERVER_ERROR"                // the same, should Instant mend it
)

// HasCode reports whether err is Instant's response with one of codes.
func HasCode(err error, codes ...ErrorCode) bool {
	return httpx.HasCode(err, provider, codes)
}

// errorBody is the body of all errors. message is free text: nothing depends on it, not even its type.
type errorBody struct {
	Error   string          `json:"error"`
	Message json.RawMessage `json:"message"`
}

// classify reads a response. Nil means success, which is 200 and no other status (refunds page, and
// instant-magento2, Service/DoRequest.php), with a body that says nothing of an error.
func classify(status int, body []byte) *httpx.Refusal {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if status == http.StatusOK && (len(body) == 0 || json.Valid(body) && !complains(body)) {
		return nil
	}
	r := httpx.ByStatus(status, body)
	var e errorBody
	if json.Unmarshal(body, &e) == nil && e.Error != "" {
		r.Code, r.Message = e.Error, wire.Text(e.Message)
	}
	if status < http.StatusBadRequest {
		return r
	}
	if kind, ok := refused(ErrorCode(r.Code)); ok {
		r.Kind, r.Outcome = kind, refund.OutcomeRejected
	} else if r.Code == string(CodePossibleDuplicateRefund) {
		// This request was refused, because of one before it. If that one had the same key, or was this one delivered
		// twice, the refund was made; Instant does not say.
		r.Kind = refund.ErrDuplicate
		r.Message = "Instant has refunded this amount of the order within the last 60 s; if that was an earlier request of " +
			"this key, the refund was made, else it was refused. " + r.Message
	}
	return r
}

// complains reports whether valid JSON says something of an error, at any depth and in every repetition of a member: an
// error or errors that is not null, false or empty, or a success that is false. Text counts as a complaint if it has the
// word in it. It takes time in proportion to the body: nothing is unmarshalled.
func complains(body []byte) bool {
	switch body[0] {
	case '"':
		return bytes.Contains(bytes.ToLower(body), []byte("error"))
	case 'f':
		return true // false
	}
	for i := 0; i < len(body); i++ {
		if body[i] != '"' {
			continue
		}
		text := body[i : i+stringEnd(body[i:])]
		i += len(text) - 1
		rest := bytes.TrimLeft(body[i+1:], " \t\r\n")
		if len(rest) == 0 || rest[0] != ':' { // not the name of a member
			continue
		}
		value := bytes.TrimLeft(rest[1:], " \t\r\n")
		switch name := wire.Text(text); {
		case strings.EqualFold(name, "error"), strings.EqualFold(name, "errors"):
			if !nothing(value) {
				return true
			}
		case strings.EqualFold(name, "success"):
			if value[0] == 'f' {
				return true
			}
		}
	}
	return false
}

// stringEnd is where the JSON string ends that text begins with, its quotes included.
func stringEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// nothing reports whether the JSON value at the beginning of text is null, false or empty.
func nothing(text []byte) bool {
	switch text[0] {
	case 'n', 'f':
		return true
	case '"':
		return text[1] == '"'
	case '[', '{':
		inner := bytes.TrimLeft(text[1:], " \t\r\n")
		return inner[0] == ']' || inner[0] == '}'
	}
	return false
}

// refused is the table of codes which say that nothing was refunded. The status is 500 for each and tells nothing.
// Left out are REFUND_FAILURE, for which Instant wants to be contacted, and the unexpected error in both spellings.
func refused(code ErrorCode) (refund.Kind, bool) {
	switch code {
	case CodeInvalidAmountToRefund:
		return refund.ErrInvalidRequest, true
	case CodeRefundAmountGreaterThanAvailable:
		return refund.ErrAmountExceeded, true
	case CodeNoEntityFound:
		return refund.ErrOrderNotFound, true
	case CodeUnauthorized, CodeInvalidCredentials:
		return refund.ErrUnauthorized, true
	case CodePossibleDuplicateRefund, CodeRefundFailure, CodeIntenralServerError, CodeInternalServerError:
	}
	return 0, false
}
