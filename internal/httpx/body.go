package httpx

import (
	"errors"
	"io"
	"net/http"
)

const (
	minRead = 512 // the first slice for a response of unknown length
	maxIdle = 100 // reads in a row without a byte or an error, as in bufio
)

// readBody reads a response whole. What was announced is checked, not believed: a middleware may have put another body in
// its place. A body shorter than announced is an error, a longer one is read up to the limit.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	if resp.Body == nil { // net/http's client allows it to a transport
		return nil, nil
	}
	defer resp.Body.Close() //nolint:errcheck // everything of use has been read
	if limit == 0 {
		limit = defaultMaxBody
	}
	if resp.ContentLength > limit {
		return nil, errTooLarge // or it is shorter than announced: an error either way
	}
	// The usual response is read into one slice, with room to see that nothing follows.
	size := int64(minRead)
	if resp.ContentLength > 0 {
		size = resp.ContentLength + 1
	}
	body := make([]byte, 0, size)
	for idle := 0; idle < maxIdle; {
		n, err := resp.Body.Read(body[len(body):min(int64(cap(body)), limit+1)])
		body = body[:len(body)+n]
		if idle++; n > 0 {
			idle = 0
		}
		switch {
		case int64(len(body)) > limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			if int64(len(body)) < resp.ContentLength {
				return nil, io.ErrUnexpectedEOF
			}
			return body, nil
		case err != nil:
			return nil, err //nolint:wrapcheck // wrapped once, in failure
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
	return nil, io.ErrNoProgress
}
