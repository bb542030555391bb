// Package lenient reads what providers answer when it is not quite what they document.
package lenient

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// Time reads a date: RFC 3339, or the same without an offset, with a space instead of T, without seconds or without a
// time of day. What has no offset is in zone. ok is false, and the time zero, if it is none of these.
func Time(text string, zone *time.Location) (t time.Time, ok bool) {
	text = strings.TrimSpace(text)
	if t, err := time.Parse(time.RFC3339, strings.Replace(text, " ", "T", 1)); err == nil {
		return t, true
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, strings.Replace(text, " ", "T", 1), zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// Text is the text of a JSON string, or of a number, such as an id that arrives as either. null and everything else
// is "".
func Text(data []byte) string {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // keeps the digits
	if err := decoder.Decode(&v); err != nil {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}
