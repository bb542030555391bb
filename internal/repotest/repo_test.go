package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const module = "github.com/multirefund/refund-go"

// repo is the repository: tests run in their package's folder.
func repo() fs.FS { return os.DirFS("../..") }

// goFile is a parsed Go file. Path and folder are relative to the repository's root.
type goFile struct {
	path, folder string
	test         bool
	source       string
	syntax       *ast.File
	fset         *token.FileSet
}

// at names a place for whoever reads the failure.
func (f *goFile) at(node ast.Node) string {
	p := f.fset.Position(node.Pos())
	return p.String()
}

// text is the source of node.
func (f *goFile) text(node ast.Node) string {
	return f.source[f.fset.Position(node.Pos()).Offset:f.fset.Position(node.End()).Offset]
}

// goFiles parses all Go files of the repository, those of its nested modules included.
func goFiles(t *testing.T, repo fs.FS) []*goFile {
	t.Helper()
	var files []*goFile
	require.NoError(t, fs.WalkDir(repo, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if base == "testdata" || base == "vendor" || base != "." && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(base) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(repo, name)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		syntax, err := parser.ParseFile(fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, &goFile{
			path: name, folder: path.Dir(name), test: strings.HasSuffix(base, "_test.go"),
			source: string(source), syntax: syntax, fset: fset,
		})
		return nil
	}))
	require.NotEmpty(t, files)
	return files
}

// snippet is a repository of one file, to see a check fail.
func snippet(t *testing.T, name, source string) []*goFile {
	t.Helper()
	return goFiles(t, fstest.MapFS{name: {Data: []byte(source)}})
}

// providers are the top folders with a package of their own that is none of the shared ones.
func providers(files []*goFile) []string {
	var found []string
	for _, f := range files {
		top, rest, nested := strings.Cut(f.path, "/")
		if nested && !f.test && !strings.Contains(rest, "/") && !slices.Contains([]string{"refund", "internal", "examples", "simulators", "tools"}, top) {
			found = append(found, top)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// readPage returns a Markdown page without carriage returns.
func readPage(t *testing.T, repo fs.FS, name string) string {
	t.Helper()
	page, err := fs.ReadFile(repo, name)
	require.NoError(t, err, "%s has to be in the root of the repository", name)
	return strings.ReplaceAll(string(page), "\r\n", "\n")
}
