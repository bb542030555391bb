package httpx

import (
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	redacted      = "[redacted]"
	maxMessage    = 300
	minRedactable = 4 // shorter values would blank out ordinary words
)

// redact makes a message fit to be logged: one bounded line without credentials, without the request's free text and
// without what looks like an e-mail address.
func (c *Client) redact(message string, call *Call) string {
	for _, s := range c.private().secrets {
		message = strings.ReplaceAll(message, s, redacted)
	}
	request := &call.Attempt.Request
	if len(request.Reason) >= minRedactable {
		message = strings.ReplaceAll(message, request.Reason, redacted)
	}
	for _, v := range request.Metadata {
		if len(v) >= minRedactable {
			message = strings.ReplaceAll(message, v, redacted)
		}
	}
	return oneLine(message, maxMessage)
}

// oneLine folds white space, drops what does not print, hides e-mail addresses and cuts.
func oneLine(s string, limit int) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(s) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if strings.Contains(word, "@") {
			word = redacted
		}
		for _, r := range word {
			if r != utf8.RuneError && unicode.IsPrint(r) {
				b.WriteRune(r)
			}
		}
		if b.Len() > limit {
			break
		}
	}
	out := b.String()
	if len(out) <= limit {
		return out
	}
	for limit > 0 && !utf8.RuneStart(out[limit]) {
		limit--
	}
	return out[:limit] + "…"
}

// printable reports whether s is free of control characters.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// nilInterface reports whether v holds a nil pointer, which is not == nil.
func nilInterface(v any) bool {
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}
