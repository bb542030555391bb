package httpx

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	redacted      = "[redacted]"
	maxMessage    = 300
	maxCode       = 128
	maxExcerpt    = 4 << 10 // more than maxMessage, so that redaction sees whole values
	minRedactable = 4       // shorter values would blank out ordinary words
)

// redact makes a message fit to be logged: one bounded line without credentials, without the request's free text and
// without what looks like an e-mail address or a card number, in the encodings that are usual. Nothing of it is done
// unless there is a message.
func (x *exchange) redact(message string) string {
	needles := x.needles()
	end := len(message)
	if end > maxText {
		// Of a value that this cuts in two the first half would not be found: what may be one is not shown.
		message, end = message[:maxText], maxText
		for _, n := range needles {
			end = min(end, maxText-12*n.size) // its longest encodings
		}
		if end <= 0 {
			return redacted
		}
	}
	spans, _ := find(message, needles, true)
	return cut(hide(message, spans, end), maxMessage)
}

// clean makes the provider's code fit to be logged: one bounded line with nothing in it that redact hides. Two things are
// spared, because a program compares codes and a person quotes ids: free text of a single plain word, and a number that
// passes for a card's.
func (x *exchange) clean(code string) string {
	code, _ = x.cleaned(code)
	return code
}

// cleanID is clean for the provider's id of a request. With a credential in it there is nothing left to quote: it is
// dropped.
func (x *exchange) cleanID(id string) string {
	id, secret := x.cleaned(id)
	if secret {
		return ""
	}
	return id
}

func (x *exchange) cleaned(value string) (clean string, secret bool) {
	if len(value) > maxText {
		return "", false
	}
	needles := slices.DeleteFunc(x.needles(), func(n needle) bool {
		return n.size < minRedactable || !n.secret && strings.Trim(n.forms[0], "abcdefghijklmnopqrstuvwxyz_-.") == ""
	})
	spans, secret := find(value, needles, strings.Trim(value, "0123456789") != "")
	value = hide(value, spans, len(value))
	return value[:boundary(value, maxCode)], secret
}

// veiled stands for an error whose text shows what no message may. errors.Is still knows it; nothing else of it is in reach.
type veiled struct {
	text string
	is   func(error) bool
}

// Error implements error.
func (v veiled) Error() string { return v.text }

// Is implements the method of errors.Is.
func (v veiled) Is(target error) bool { return v.is(target) }

// veil is err as it may be unwrapped: a transport or a token source may have quoted the request.
func (x *exchange) veil(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if spans, _ := find(text, x.needles(), true); len(spans) == 0 {
		return err
	}
	return veiled{x.redact(text), func(target error) bool { return errors.Is(err, target) }}
}

// needles returns what no message of this call may show.
func (x *exchange) needles() []needle {
	var all []needle
	secrets := x.obtained
	request := &x.op.Attempt.Request
	private := append(slices.Collect(maps.Values(request.Metadata)), request.Reason)
	private = append(private, x.call.Private...)
	if x.op.client != nil {
		secrets = slices.Concat(secrets, x.op.client.private().secrets)
	}
	for _, s := range secrets {
		if n := newNeedle(s, true); len(n.forms) > 0 {
			all = append(all, n)
		}
	}
	for _, s := range private {
		if n := newNeedle(s, false); len(n.forms) > 0 && len(n.forms[0]) >= minRedactable {
			all = append(all, n)
		}
	}
	return all
}

// mask is redact for what no call is known of, and of any length.
func mask(message string) string {
	spans, _ := find(message, nil, true)
	return hide(message, spans, len(message))
}

// hide folds white space, drops what does not print, and puts a mark in the place of each of spans. It ends at end.
func hide(message string, spans []span, end int) string {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	var b strings.Builder
	gap := false
	next, hidden := 0, 0 // the span that comes next, and up to where it is hidden
	for i := 0; i < end; {
		if next < len(spans) && spans[next].from <= i {
			if hidden <= i {
				if gap && b.Len() > 0 {
					b.WriteByte(' ')
				}
				gap = false
				b.WriteString(redacted)
			}
			hidden = max(hidden, spans[next].to)
			next++
			continue
		}
		r, size := utf8.DecodeRuneInString(message[i:])
		switch {
		case i < hidden:
		case unicode.IsSpace(r):
			gap = true
		case r == utf8.RuneError || !unicode.IsPrint(r):
		default:
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteString(message[i : i+size])
		}
		i += size
	}
	return b.String()
}

// cut shortens valid UTF-8 to limit bytes and a mark.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:boundary(s, limit)] + "…"
}

// boundary is where the last whole rune within limit bytes of s ends.
func boundary(s string, limit int) int {
	if len(s) <= limit {
		return len(s)
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return limit
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
