package httpx

import (
	"cmp"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	redacted      = "[redacted]"
	maxMessage    = 300
	maxExcerpt    = 4 << 10 // more than maxMessage, so that redaction sees whole values
	minRedactable = 4       // shorter values would blank out ordinary words
)

// redact makes a message fit to be logged: one bounded line without credentials, without the request's free text and
// without what looks like an e-mail address.
func (x *exchange) redact(message string) string {
	var hide []string
	for _, s := range x.op.client.private().secrets {
		if s = oneLine(s); s != "" {
			hide = append(hide, s)
		}
	}
	request := &x.op.Attempt.Request
	for _, s := range append(slices.Collect(maps.Values(request.Metadata)), request.Reason) {
		if s = oneLine(s); len(s) >= minRedactable {
			hide = append(hide, s)
		}
	}
	// The longest first, so that none is spared because a part of it is gone already; and before the cut, which
	// would leave the half of one.
	slices.SortFunc(hide, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	message = oneLine(message)
	for _, s := range hide {
		message = strings.ReplaceAll(message, s, redacted)
	}
	return cut(message, maxMessage)
}

// oneLine folds white space, drops what does not print and hides e-mail addresses.
func oneLine(s string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(s) {
		if strings.Contains(word, "@") {
			word = redacted
		}
		gap := b.Len() > 0
		for _, r := range word {
			if r == utf8.RuneError || !unicode.IsPrint(r) {
				continue
			}
			if gap {
				b.WriteByte(' ')
				gap = false
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

// cut shortens valid UTF-8 to limit bytes and a mark.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
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

// unprintable returns the name of a header that has a control character, or "".
func unprintable(h http.Header) string {
	for name, values := range h {
		if !printable(name) || slices.ContainsFunc(values, func(v string) bool { return !printable(v) }) {
			return name
		}
	}
	return ""
}

// nilInterface reports whether v holds a nil pointer, which is not == nil.
func nilInterface(v any) bool {
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}
