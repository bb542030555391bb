package httpx

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	minEncoded = 8 // shorter encodings would be found in ordinary words
	maxLayers  = 4 // the text as it is, and what it says once, twice and three times decoded
	maxText    = 64 << 10
)

// needle is a value that no message may show.
type needle struct {
	size   int      // of the value
	forms  []string // how it may be written, besides what view undoes
	apart  bool     // it may be broken by white space
	secret bool     // a credential
}

// newNeedle returns the needle of value. It has no forms if nothing of value prints.
func newNeedle(value string, secret bool) needle {
	plain := string(viewOf(value).text)
	n := needle{size: len(value), secret: secret, apart: len(plain) >= minEncoded || strings.ContainsFunc(value, unicode.IsSpace)}
	add := func(form string, least int) {
		if len(form) >= least {
			n.forms = append(n.forms, strings.Map(lower, form))
		}
	}
	add(plain, 1)
	if words := strings.Fields(value); len(words) > 1 {
		add(strings.Join(words, "+"), 1) // a query
	}
	add(hex.EncodeToString([]byte(value)), minEncoded)
	for shift := range 3 { // within a longer value, such as user:password, it is at one of three places
		whole := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), value...))
		from, to := (8*shift+5)/6, 8*(shift+len(value))/6 // the characters that the neighbours have no part in
		if from < to {
			add(whole[from:to], minEncoded)
			if strings.ContainsAny(whole[from:to], "+/") {
				add(strings.NewReplacer("+", "-", "/", "_").Replace(whole[from:to]), minEncoded)
			}
		}
	}
	return n
}

// lower is for ASCII alone, the same for what is searched and what is searched for.
func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}

// view is a text as it is searched: in lower case, without white space and what does not print. Each byte knows where in
// the message it comes from.
type view struct {
	text     []byte
	from, to []int
}

func (v *view) add(r rune, from, to int) {
	switch {
	case unicode.IsSpace(r) || !unicode.IsPrint(r):
		return
	case 'A' <= r && r <= 'Z':
		r = lower(r)
	case '！' <= r && r <= '～': // full width
		r = lower(r - ('！' - '!'))
	case r == '﹫':
		r = '@'
	}
	var b [utf8.UTFMax]byte
	for _, c := range b[:utf8.EncodeRune(b[:], r)] {
		v.byte(c, from, to)
	}
}

func (v *view) byte(c byte, from, to int) {
	v.text, v.from, v.to = append(v.text, c), append(v.from, from), append(v.to, to)
}

func viewOf(s string) *view {
	v := &view{text: make([]byte, 0, len(s)), from: make([]int, 0, len(s)), to: make([]int, 0, len(s))}
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError {
			v.add(r, i, i+size)
		}
		i += size
	}
	return v
}

// decode undoes one layer of URL, HTML and JSON escapes, whatever is mixed; nil if there is none.
func (v *view) decode() *view {
	if !bytes.ContainsAny(v.text, `%&\`) {
		return nil
	}
	out := &view{}
	found := false
	for i := 0; i < len(v.text); {
		r, size := decodeEscape(v.text[i:])
		if size == 0 {
			out.byte(v.text[i], v.from[i], v.to[i])
			i++
			continue
		}
		found = true
		from, to := v.from[i], v.to[i+size-1]
		if r >= utf8.RuneSelf && v.text[i] == '%' { // a byte of a longer rune
			out.byte(byte(r), from, to) //nolint:gosec // two hexadecimal digits
		} else {
			out.add(r, from, to)
		}
		i += size
	}
	if !found {
		return nil
	}
	return out
}

// decodeEscape returns what an escape at the beginning of b stands for, and its length; 0 if there is none.
func decodeEscape(b []byte) (r rune, size int) {
	number := func(from, to, base int) (rune, int) {
		if to > len(b) || from >= to {
			return 0, 0
		}
		n, err := strconv.ParseUint(string(b[from:to]), base, 16)
		if err != nil {
			return 0, 0
		}
		return rune(n), to
	}
	switch {
	case b[0] == '%':
		return number(1, 3, 16)
	case b[0] == '\\' && len(b) > 1:
		switch b[1] {
		case 'u':
			return number(2, 6, 16)
		case 'x':
			return number(2, 4, 16)
		case '/', '"', '\\', '\'':
			return rune(b[1]), 2
		}
	case bytes.HasPrefix(b, []byte("&#")):
		from, base := 2, 10
		if len(b) > 2 && b[2] == 'x' {
			from, base = 3, 16
		}
		to := from
		for to < len(b) && to < from+8 && strings.IndexByte("0123456789abcdef"[:base], b[to]) >= 0 {
			to++
		}
		r, size = number(from, to, base)
		if size > 0 && to < len(b) && b[to] == ';' { // which browsers do without
			size++
		}
		return r, size
	case b[0] == '&':
		end := bytes.IndexByte(b[:min(len(b), 9)], ';')
		if end < 0 {
			return 0, 0
		}
		switch string(b[1:end]) {
		case "amp":
			return '&', end + 1
		case "quot":
			return '"', end + 1
		case "apos":
			return '\'', end + 1
		case "lt":
			return '<', end + 1
		case "gt":
			return '>', end + 1
		case "nbsp":
			return ' ', end + 1
		case "commat":
			return '@', end + 1
		case "sol":
			return '/', end + 1
		case "plus":
			return '+', end + 1
		case "equals":
			return '=', end + 1
		case "colon":
			return ':', end + 1
		case "lowbar":
			return '_', end + 1
		}
	}
	return 0, 0
}

// span is a part of a message.
type span struct{ from, to int }

// find returns what of message is to be hidden, in no order, and whether a credential is in it.
func find(message string, needles []needle, cards bool) (spans []span, secret bool) {
	layer := viewOf(message)
	for range maxLayers {
		for _, n := range needles {
			for _, form := range n.forms {
				before := len(spans)
				spans = layer.find(spans, message, form, n.apart)
				secret = secret || n.secret && len(spans) > before
			}
		}
		spans = layer.addresses(spans, message)
		if cards {
			spans = layer.cards(spans)
		}
		if layer = layer.decode(); layer == nil {
			break
		}
	}
	return spans, secret
}

func (v *view) find(spans []span, message, form string, apart bool) []span {
	for at := 0; ; {
		n := bytes.Index(v.text[at:], []byte(form))
		if n < 0 {
			return spans
		}
		first, last := at+n, at+n+len(form)-1
		at = first + 1
		// A short one across two words is a coincidence.
		if s := (span{v.from[first], v.to[last]}); apart || !strings.ContainsFunc(message[s.from:s.to], unicode.IsSpace) {
			spans = append(spans, s)
			at = last + 1
		}
	}
}

// addresses adds the words around what may be the middle of an e-mail address.
func (v *view) addresses(spans []span, message string) []span {
	done := 0 // so that no word is looked through twice
	for i, c := range v.text {
		size := 0
		switch c {
		case '@':
			size = 1
		case '(', '[', '{':
			if i+4 <= len(v.text) && string(v.text[i+1:i+3]) == "at" && strings.IndexByte(")]}", v.text[i+3]) >= 0 {
				size = 4
			}
		}
		if size == 0 || v.from[i] < done || size == 4 && (v.from[i+1] != v.to[i] || v.from[i+2] != v.to[i+1] || v.from[i+3] != v.to[i+2]) {
			continue
		}
		s := span{v.from[i], v.to[i+size-1]}
		s.from = wordStart(message, s.from, v.from[i])
		s.to = wordEnd(message, s.to, v.to[i+size-1])
		spans = append(spans, s)
		done = s.to
	}
	return spans
}

// wordStart is where the word around at begins; if it begins there, where the one before does.
func wordStart(message string, at, mark int) int {
	if from := strings.LastIndexFunc(message[:at], unicode.IsSpace); from < 0 {
		return 0
	} else if _, size := utf8.DecodeRuneInString(message[from:]); from+size < mark {
		return from + size
	}
	before := strings.TrimRightFunc(message[:at], unicode.IsSpace)
	from := strings.LastIndexFunc(before, unicode.IsSpace)
	if from < 0 {
		return 0
	}
	_, size := utf8.DecodeRuneInString(before[from:])
	return from + size
}

// wordEnd is where the word around at ends; if it ends there, where the one after does.
func wordEnd(message string, at, mark int) int {
	end := strings.IndexFunc(message[at:], unicode.IsSpace)
	if end < 0 {
		return len(message)
	}
	if at+end > mark {
		return at + end
	}
	rest := strings.TrimLeftFunc(message[at:], unicode.IsSpace)
	begin := len(message) - len(rest)
	if end = strings.IndexFunc(rest, unicode.IsSpace); end < 0 {
		return len(message)
	}
	return begin + end
}

// cards adds the runs of 13 to 19 digits, in groups or not, that pass the check of card numbers.
func (v *view) cards(spans []span) []span {
	var groups []span // of v.text, each next to the one before
	flush := func() {
		for i := range groups {
			digits := make([]byte, 0, 19)
			for _, g := range groups[i:] {
				if len(digits)+g.to-g.from > 19 {
					break
				}
				digits = append(digits, v.text[g.from:g.to]...)
				if len(digits) >= 13 && luhn(digits) {
					spans = append(spans, span{v.from[groups[i].from], v.to[g.to-1]})
				}
			}
		}
		groups = groups[:0]
	}
	for i := 0; i < len(v.text); {
		if !digit(v.text[i]) {
			i++
			continue
		}
		g := span{i, i + 1}
		for g.to < len(v.text) && digit(v.text[g.to]) && v.from[g.to] == v.to[g.to-1] {
			g.to++
		}
		i = g.to
		if n := len(groups); n > 0 {
			between := v.text[groups[n-1].to:g.from]
			if len(between) > 1 || len(between) == 1 && between[0] != '-' {
				flush()
			}
		}
		if g.to-g.from < 3 { // of a date, or a count
			flush()
			continue
		}
		groups = append(groups, g)
	}
	flush()
	return spans
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// luhn is the check digit of ISO/IEC 7812-1, annex B.
func luhn(digits []byte) bool {
	sum := 0
	for i, c := range digits {
		n := int(c - '0')
		if (len(digits)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}
