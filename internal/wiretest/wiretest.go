// Package wiretest holds what the tests of all providers need to look at bytes: golden requests, and the constants of a
// source file.
package wiretest

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them") //nolint:gochecknoglobals // a flag

// Transport gives every request the same response, and keeps the requests.
type Transport struct {
	Status int
	Header http.Header // nil means JSON
	Body   string

	Dumps []string // the requests, as Golden files show them
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	text, err := dump(req)
	if err != nil {
		return nil, err
	}
	t.Dumps = append(t.Dumps, text)
	header := t.Header.Clone()
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	return &http.Response{
		StatusCode: t.Status, Header: header, Request: req,
		Body: io.NopCloser(strings.NewReader(t.Body)), ContentLength: int64(len(t.Body)),
	}, nil
}

// dump writes a request as it is sent: the line, the headers in alphabetical order, the body. The Go version, which
// User-Agents carry, is replaced.
func dump(req *http.Request) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", req.Method, req.URL)
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		for _, v := range req.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n%s\n", body)
	}
	return strings.ReplaceAll(b.String(), strings.TrimPrefix(runtime.Version(), "go"), "GOVERSION"), nil
}

// Golden compares got with testdata/name.golden. Run the test with -update to write it.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))), got)
}

// Constants returns the string constants of a type that a Go file of the package under test declares.
func Constants(t *testing.T, file, typ string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	var values []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != typ {
			return true
		}
		for _, v := range spec.Values {
			if lit, ok := v.(*ast.BasicLit); ok {
				value, err := strconv.Unquote(lit.Value)
				require.NoError(t, err)
				values = append(values, value)
			}
		}
		return true
	})
	require.NotEmpty(t, values, "%s declares no constants of type %s", file, typ)
	return values
}
