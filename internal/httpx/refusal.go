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

// Refusal is what a response that is no success says.
type Refusal struct {
	Kind    refund.Kind
	Outcome refund.Outcome
	Code    string // the provider's, verbatim
	Message string // the provider's; redacted and bounded before anybody sees it
}

// ByStatus is the reading of a response that no provider's table knows: the kind is what HTTP says, the outcome is
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
		return "the response is empty"
	}
	excerpt := string(body[:min(len(body), maxExcerpt)])
	return `the response is not the provider's JSON: "` + hide(excerpt, nil, len(excerpt)) + `"`
}

// Decode reads the response's JSON into v. A failure is r.Unreadable. The attempt has found no excess in it.
func (r *Result) Decode(v any) error {
	if problem := decode(r.Body, v); problem != "" {
		return r.Unreadable("%s", problem)
	}
	return nil
}

// maxNumber is the greatest length of a number in a response, as a literal or in a string. No amount comes near it, and an
// id of more digits is as absurd.
const maxNumber = 64

// A response may have maxEntries in its lists, or one for each entrySize of its bytes, whichever is more: an entry of two
// bytes becomes one of some hundred.
const (
	maxEntries = 8 << 10
	entrySize  = 128
)

// Unmarshal reads one JSON value, and says of anything else what it looks like. Unknown members are ignored, numbers
// keep their digits. A number longer than maxNumber makes the whole response unreadable: the time to convert it grows with
// the square of its length, beyond any context.
func Unmarshal(body []byte, v any) error {
	problem := excess(body)
	if problem == "" {
		problem = decode(body, v)
	}
	if problem != "" {
		return errors.New(mask(problem))
	}
	return nil
}

// decode is Unmarshal of a body without excess, for those who redact what it says.
func decode(body []byte, v any) (problem string) {
	if !looksLikeJSON(body) {
		return Excerpt(body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return "the response cannot be read: " + jsonProblem(err)
	}
	return ""
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

// excess returns why body would take more time and memory to read than its size says, or "".
func excess(body []byte) string {
	switch {
	case absurd(body):
		return "the response cannot be read: it has a number of more than " + strconv.Itoa(maxNumber) + " characters"
	case crowded(body):
		return "the response cannot be read: its lists have more entries than a response of its size can have"
	}
	return ""
}

// crowded reports whether the lists of body have more entries together than they may.
func crowded(body []byte) bool {
	limit := max(maxEntries, len(body)/entrySize)
	if bytes.Count(body, []byte(","))+bytes.Count(body, []byte("[")) <= limit {
		return false
	}
	entries := 0
	var lists []bool // whether what is open at each depth is a list
	for i := 0; i < len(body) && entries <= limit; i++ {
		switch body[i] {
		case '"':
			for i++; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
		case '[':
			lists = append(lists, true)
			entries++
		case '{':
			lists = append(lists, false)
		case ']', '}':
			lists = lists[:max(len(lists)-1, 0)]
		case ',':
			if len(lists) > 0 && lists[len(lists)-1] {
				entries++
			}
		}
	}
	return entries > limit
}

// absurd reports whether body has a number literal longer than maxNumber, or a string that begins with such a number: a
// decimal is converted up to the first byte that is none of a number.
func absurd(body []byte) bool {
	if bytes.Contains(body, []byte(`\u00`)) { // a digit may be written so
		return absurdToken(body)
	}
	// A longer run of such bytes covers one of these places. Only where there is one every token has to be looked at, to
	// tell a number from a part of a text.
	for i := maxNumber; i < len(body); i += maxNumber + 1 {
		if !inNumber[body[i]] {
			continue
		}
		from, to := i, i+1
		for from > 0 && inNumber[body[from-1]] {
			from--
		}
		for to < len(body) && inNumber[body[to]] {
			to++
		}
		if to-from > maxNumber {
			return absurdToken(body)
		}
		i = to
	}
	return false
}

// absurdToken is absurd by the tokens. Of what is not JSON it may say anything.
func absurdToken(body []byte) bool {
	for i := 0; i < len(body); i++ {
		switch {
		case body[i] == '"':
			n, digits := 0, false
			for i++; i < len(body); {
				c, size := unescape(body[i:])
				if !inNumber[c] {
					break
				}
				digits = digits || '0' <= c && c <= '9'
				i += size
				n++
			}
			if n > maxNumber && digits { // a line of dashes is none
				return true
			}
			for ; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
		case body[i] == '-' || '0' <= body[i] && body[i] <= '9':
			from := i
			for i < len(body) && inNumber[body[i]] {
				i++
			}
			if i-from > maxNumber {
				return true
			}
			i--
		}
	}
	return false
}

// unescape returns the byte that b begins with, within a string, and how many it is written with. An escape that cannot
// stand for a part of a number is returned as its backslash.
func unescape(b []byte) (c byte, size int) {
	if len(b) >= 6 && b[0] == '\\' && b[1] == 'u' {
		if n, err := strconv.ParseUint(string(b[2:6]), 16, 16); err == nil && n < 0x80 {
			return byte(n), 6
		}
	}
	return b[0], 1
}

// inNumber has the bytes of a number.
var inNumber = [256]bool{ //nolint:gochecknoglobals // read-only
	'0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true, '8': true, '9': true,
	'+': true, '-': true, '.': true, 'e': true, 'E': true,
}
