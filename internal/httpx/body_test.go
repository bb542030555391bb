package httpx

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/multirefund/refund-go/refund"
)

func bodyOf(t *testing.T, r *http.Request) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

// stream is a body that ends with err, and notes what is taken from it.
type stream struct {
	io.Reader
	end    error
	taken  int
	closed bool
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.taken += n
	if errors.Is(err, io.EOF) && s.end != nil {
		err = s.end
	}
	return n, err
}

func (s *stream) Close() error {
	s.closed = true
	return nil
}

// cutOff answers with a body that ends too early.
func cutOff(status int, body string) roundTrip {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: http.Header{}, ContentLength: -1,
			Body: &stream{Reader: strings.NewReader(body), end: io.ErrUnexpectedEOF},
		}, nil
	}
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		size, length int64
		call         *operation
		max          int64
		ok           bool
	}{
		"write, as large as allowed":    {defaultMaxBody, -1, write(Pays), 0, true},
		"write, streamed too large":     {defaultMaxBody + 1, -1, write(Pays), 0, false},
		"write, far too large":          {1 << 30, -1, write(Pays), 0, false},
		"write, announced too large":    {1 << 30, 1 << 30, write(Pays), 0, false},
		"read, default":                 {defaultMaxBody + 1, -1, read(), 0, false},
		"read, bound of the call":       {3 << 20, -1, read(), 4 << 20, true},
		"read, beyond bound of call":    {4<<20 + 1, -1, read(), 4 << 20, false},
		"read, smaller bound":           {11, -1, read(), 10, false},
		"announced, and exactly so":     {10, 10, read(), 10, true},
		"announced larger than allowed": {10, 1 << 40, read(), 10, false},
		"announced smaller, too large":  {11, 5, read(), 10, false},
		"announced smaller, by a lot":   {defaultMaxBody, 5, write(Pays), 0, true},
		"announced smaller, by a byte":  {10, 9, read(), 10, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := &stream{Reader: io.LimitReader(zeros{}, tt.size)}
			rt := play(t, func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: tt.length, Body: body}, nil
			})
			call := *tt.call
			call.MaxBody = tt.max
			limit := tt.max
			if limit == 0 {
				limit = defaultMaxBody
			}

			res, err := do(t.Context(), newClient(t, rt), &call)

			assert.True(t, body.closed)
			assert.LessOrEqual(t, int64(body.taken), limit+1, "memory is bounded")
			if tt.ok {
				require.NoError(t, err)
				assert.Len(t, res.Body, int(tt.size))
				return
			}
			e := asError(t, err)
			require.ErrorIs(t, e, errTooLarge)
			assert.Equal(t, refund.ErrUnexpected, e.Kind)
			assert.Equal(t, 200, e.HTTPStatus)
			if call.Effect == Harmless {
				assert.Equal(t, refund.OutcomeRejected, e.Outcome)
			} else {
				assert.Equal(t, refund.OutcomeUnknown, e.Outcome, "it was a success, of which nothing is known")
				assert.Equal(t, 1, e.Attempt.Tries)
			}
			if tt.length > limit {
				assert.Zero(t, body.taken, "what is announced as too large is not read")
			}
		})
	}
}

// What was announced is no reason to believe a body that did not end well, nor to refuse one that did.
func TestBodyEnds(t *testing.T) {
	t.Parallel()
	errMore := errors.New("server replied with more than declared Content-Length; truncated")
	tests := map[string]struct {
		body   string
		length int64
		end    error // nil for io.EOF
		want   error
	}{
		"as announced":                     {"{\"a\":1}", 7, nil, nil},
		"not announced":                    {"{}", -1, nil, nil},
		"empty, announced as such":         {"", 0, nil, nil},
		"replaced by a longer one":         {"{\"a\":1}", 2, nil, nil},
		"replaced where none was":          {"{}", 0, nil, nil},
		"shorter than announced":           {"{}", 3, nil, io.ErrUnexpectedEOF},
		"nothing of what was announced":    {"", 3, nil, io.ErrUnexpectedEOF},
		"an error before the end":          {"{", 2, errReset, errReset},
		"an error after what was said":     {"{}", 2, errMore, errMore},
		"cut off after what was said":      {"{}", 2, io.ErrUnexpectedEOF, io.ErrUnexpectedEOF},
		"an error after more than said":    {"{}  ", 2, errReset, errReset},
		"an error without an announced":    {"{}", -1, errReset, errReset},
		"an error instead of an empty one": {"", 0, errReset, errReset},
	}
	for name, tt := range tests {
		for how, reader := range map[string]io.Reader{
			"whole":           strings.NewReader(tt.body),
			"by the byte":     iotest.OneByteReader(strings.NewReader(tt.body)),
			"end with a byte": iotest.DataErrReader(strings.NewReader(tt.body)),
		} {
			body := &stream{Reader: reader, end: tt.end}
			got, err := readBody(&http.Response{ContentLength: tt.length, Body: body}, 0)
			require.ErrorIs(t, err, tt.want, "%s, %s", name, how)
			assert.True(t, body.closed)
			if tt.want == nil {
				assert.Equal(t, tt.body, string(got), "%s, %s", name, how)
			} else {
				assert.Nil(t, got, "%s, %s", name, how)
			}
		}
	}
}

// A reader that gives neither a byte nor an error would hold a worker forever, whatever the context says.
func TestBodyThatGivesNothing(t *testing.T) {
	t.Parallel()
	_, err := readBody(&http.Response{ContentLength: -1, Body: io.NopCloser(idle{})}, 0)
	require.ErrorIs(t, err, io.ErrNoProgress)
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// The usual response costs one slice.
func TestBodyAllocations(t *testing.T) { // not parallel: it counts
	text := strings.Repeat("x", 700)
	for name, length := range map[string]int64{"announced": 700, "not announced": -1} {
		reader := strings.NewReader(text)
		resp := &http.Response{ContentLength: length, Body: io.NopCloser(reader)}
		got := testing.AllocsPerRun(100, func() {
			reader.Reset(text)
			_, err := readBody(resp, 0)
			require.NoError(t, err)
		})
		if length > 0 {
			assert.LessOrEqual(t, got, 1.0, name)
		} else {
			assert.LessOrEqual(t, got, 3.0, name)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A success whose body does not arrive is probably one.
func TestBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"success": 201, "refusal": 422} {
		e := failed(t.Context(), t, newClient(t, play(t, cutOff(status, `{"code":"x"`))), write(Pays))
		assert.Equal(t, refund.OutcomeUnknown, e.Outcome, name)
		assert.Equal(t, status, e.HTTPStatus, name)
		require.ErrorIs(t, e, io.ErrUnexpectedEOF, name)
		assert.Empty(t, e.Code, name)
	}
}

func TestConnectionResetInTheBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"id":`) //nolint:errcheck // as far as it comes
		assert.NoError(t, http.NewResponseController(w).Flush())
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	c := newClient(t, closing(t, newTransport(0, &refund.Options{})), func(cfg *Config) { cfg.Options.BaseURL = server.URL })
	e := failed(t.Context(), t, c, write(Pays))
	assert.Equal(t, refund.OutcomeUnknown, e.Outcome)
	assert.Equal(t, 200, e.HTTPStatus)
	assert.Equal(t, 1, e.Attempts)
}

// The transport undoes gzip, so the limit is one of memory and not of the wire.
func TestCompressedBodyIsBounded(t *testing.T) {
	t.Parallel()
	bomb := gzipped(t, bytes.Repeat([]byte{' '}, 8<<20))
	require.Less(t, len(bomb), 64<<10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb) //nolint:errcheck // as far as it comes
	}))
	t.Cleanup(server.Close)
	c := newClient(t, closing(t, newTransport(0, &refund.Options{})), func(cfg *Config) { cfg.Options.BaseURL = server.URL })
	require.ErrorIs(t, failed(t.Context(), t, c, write(Pays)), errTooLarge)
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}
