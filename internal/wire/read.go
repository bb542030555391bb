package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// Time reads a date: RFC 3339, or the same without an offset, with a space instead of T, without seconds or without a
// time of day. What has no offset is in zone. ok is false, and the time zero, if it is none of these.
func Time(text string, zone *time.Location) (t time.Time, ok bool) {
	text = strings.Replace(strings.TrimSpace(text), " ", "T", 1)
	if len(text) > len(time.DateOnly) && strings.ContainsAny(text[len(time.DateOnly):], "Z+-") { // an offset
		t, err := time.Parse(time.RFC3339, text)
		return t, err == nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// JSONTime is Time of a JSON value; the zero time if it is no date. The usual date costs no allocation.
func JSONTime(data []byte, zone *time.Location) time.Time {
	var t time.Time
	if t.UnmarshalJSON(data) == nil { // strict RFC 3339, and null
		return t
	}
	t, _ = Time(Text(data), zone)
	return t
}

// Text is the text of a JSON string, or of a number, such as an id that arrives as either. null and everything else
// is "".
func Text(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	switch c := data[0]; {
	case c == '"' && len(data) > 1 && bytes.IndexByte(data, '\\') < 0 && utf8.Valid(data): // nothing to unescape
		return string(data[1 : len(data)-1])
	case c == '"':
		var s string
		if json.Unmarshal(data, &s) != nil {
			return ""
		}
		return s
	case c == '-', c >= '0' && c <= '9':
		return string(data) // keeps the digits
	}
	return ""
}
