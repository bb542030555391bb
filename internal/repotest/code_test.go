package repotest

import (
	"go/ast"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The arrows run one way, so that a reader of refund need not know a provider, nor a provider another.
func TestArrows(t *testing.T) {
	files := goFiles(t, repo())
	assert.Empty(t, wrongArrows(files, providers(files)))
}

func TestArrowsCanFail(t *testing.T) {
	for name, tt := range map[string]struct {
		file, imports string
		wrong         bool
	}{
		"refund imports inward":             {"refund/x.go", module + "/internal/httpx", true},
		"refund imports its own":            {"refund/x.go", module + "/refund/refundtest", true},
		"refund imports third party":        {"refund/x.go", "github.com/google/uuid", false},
		"suite imports a provider":          {"refund/refundtest/x.go", module + "/afterpay", true},
		"suite imports third party":         {"refund/refundtest/x.go", "github.com/stretchr/testify/assert", true},
		"suite imports refund":              {"refund/refundtest/x.go", module + "/refund", false},
		"suite imports the library":         {"refund/refundtest/x.go", "testing/synctest", false},
		"suite's tests import anything":     {"refund/refundtest/x_test.go", module + "/afterpay", false},
		"journal imports a provider":        {"refund/journal/x.go", module + "/afterpay", true},
		"journal imports refund":            {"refund/journal/x.go", module + "/refund", false},
		"store imports journal":             {"refund/journal/sqlstore/x.go", module + "/refund/journal", false},
		"httpx imports a provider":          {"internal/httpx/x.go", module + "/afterpay", true},
		"httpx imports refund":              {"internal/httpx/x.go", module + "/refund", false},
		"httpx imports the suite":           {"internal/httpx/x.go", module + "/refund/refundtest", true},
		"provider imports httpx":            {"afterpay/x.go", module + "/internal/httpx", false},
		"provider imports journal":          {"afterpay/x.go", module + "/refund/journal", true},
		"provider imports its simulator":    {"afterpay/x.go", module + "/afterpay/afterpaytest", true},
		"provider imports another":          {"afterpay/x.go", module + "/backd", true},
		"its tests import another":          {"afterpay/x_test.go", module + "/backd", true},
		"its tests import the suite":        {"afterpay/x_test.go", module + "/refund/refundtest", false},
		"simulator imports its provider":    {"afterpay/afterpaytest/x.go", module + "/afterpay", false},
		"simulator imports another's":       {"afterpay/afterpaytest/x.go", module + "/backd/backdtest", true},
		"programs import anything":          {"examples/x/main.go", module + "/backd", false},
		"even those of the house":           {"internal/x/main.go", module + "/backd", false},
		"a folder that nobody has ruled on": {"helpers/more/x.go", module + "/refund", true},
		"a name that only begins alike":     {"refund/x.go", module + "x/refund", false},
		"another helper imports a provider": {"internal/other/x.go", module + "/afterpay", true},
	} {
		t.Run(name, func(t *testing.T) {
			pkg := strings.TrimSuffix(path.Base(tt.file), ".go") // x, or main for a program
			files := snippet(t, tt.file, "package "+strings.TrimSuffix(pkg, "_test")+"\nimport _ "+strconv.Quote(tt.imports))
			assert.Equal(t, tt.wrong, len(wrongArrows(files, []string{"afterpay", "backd"})) > 0)
		})
	}
}

// wrongArrows returns the imports that DESIGN's arrows do not have.
func wrongArrows(files []*goFile, providers []string) []string {
	var wrong []string
	for _, f := range files {
		for _, spec := range f.syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err == nil && !arrow(f, imported, providers) {
				wrong = append(wrong, f.at(spec)+" imports "+imported)
			}
		}
	}
	return wrong
}

func arrow(f *goFile, imported string, providers []string) bool {
	target, own := strings.CutPrefix(imported, module+"/")
	own = own || imported == module
	first, _, _ := strings.Cut(imported, "/")
	standard := !own && !strings.Contains(first, ".")
	top, _, _ := strings.Cut(f.folder, "/")
	targetTop, _, _ := strings.Cut(target, "/")
	isProvider := slices.Contains(providers, top)

	// Of tests and simulators only one thing is asked.
	if isProvider && (f.test || f.folder != top) {
		return !own || targetTop == top || !slices.Contains(providers, targetTop)
	}
	if program := f.syntax.Name.Name == "main"; f.test || standard || program {
		return true
	}
	switch {
	case f.folder == "refund":
		return !own
	case f.in("refund/refundtest"):
		return target == "refund"
	case f.in("refund/journal"):
		return !own || target == "refund" || target == "refund/refundtest" || strings.HasPrefix(target+"/", "refund/journal/")
	case f.folder == "internal/httpx":
		return !own || target == "refund"
	case top == "internal":
		return !own || target == "refund" || targetTop == "internal"
	case isProvider:
		return !own || target == "refund" || targetTop == "internal"
	}
	return false // a new folder needs a rule
}

// Who reads the documentation on a web page sees no code.
func TestExportedIdentifiersAreDocumented(t *testing.T) {
	assert.Empty(t, undocumented(goFiles(t, repo())))
}

func TestExportedIdentifiersAreDocumentedCanFail(t *testing.T) {
	for _, bad := range []string{
		"func F() {}", "type T struct{}", "const C = 1", "var V int", "// C is not what is below.\n\nconst C = 1",
		"//nolint:all\nfunc F() {}", "type T[P any] struct{}", "const (\n\tA = 1\n\n\tb = 2\n)",
		"// T is documented.\ntype T struct{}\nfunc (*T) M() {}", "// T is documented.\ntype T[P any] struct{}\nfunc (t *T[P]) M() {}",
		"// T is documented.\ntype T[P, Q any] struct{}\nfunc (t T[P, Q]) M() {}",
	} {
		assert.Len(t, undocumented(snippet(t, "refund/x.go", "package x\n"+bad)), 1, bad)
	}
	for _, good := range []string{
		"// F does.\nfunc F() {}", "func f() {}", "type t struct{}", "// Cs are.\nconst (\n\tA = 1\n\tB = 2\n)",
		"const (\n\tA = 1 // one\n)", "// T is.\ntype T struct{ F int }", "var _ = 1", "type t struct{}\nfunc (*t) M() {}",
	} {
		assert.Empty(t, undocumented(snippet(t, "refund/x.go", "package x\n"+good)), good)
	}
	assert.Empty(t, undocumented(snippet(t, "refund/x_test.go", "package x\nfunc F() {}")))
}

// undocumented returns the exported identifiers without a comment. Fields and the methods of interfaces are left to
// judgement, methods of unexported types are documented by the interface that they are for.
func undocumented(files []*goFile) []string {
	var missing []string
	for _, f := range files {
		if f.test {
			continue
		}
		report := func(name *ast.Ident, docs ...*ast.CommentGroup) {
			if name.IsExported() && !slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return d.Text() != "" }) {
				missing = append(missing, f.at(name)+" "+name.Name)
			}
		}
		for _, decl := range f.syntax.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if exportedReceiver(decl) {
					report(decl.Name, decl.Doc)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						report(spec.Name, spec.Doc, decl.Doc, spec.Comment)
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							report(name, spec.Doc, decl.Doc, spec.Comment)
						}
					}
				}
			}
		}
	}
	return missing
}

// exportedReceiver reports whether decl is a function, or a method of an exported type.
func exportedReceiver(decl *ast.FuncDecl) bool {
	if decl.Recv == nil {
		return true
	}
	receiver := decl.Recv.List[0].Type
	for {
		switch t := receiver.(type) {
		case *ast.StarExpr:
			receiver = t.X
		case *ast.IndexExpr: // one type parameter
			receiver = t.X
		case *ast.IndexListExpr: // several
			receiver = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return true
		}
	}
}

func TestPackagesAreDocumented(t *testing.T) {
	documented := map[string]int{}
	for _, f := range goFiles(t, repo()) {
		if f.test {
			continue
		}
		documented[f.folder] += 0
		if f.syntax.Doc.Text() != "" {
			documented[f.folder]++
		}
	}
	for folder, comments := range documented {
		assert.Equal(t, 1, comments, "package comments of %s", folder)
	}
}

// Floats lose cents, init functions and package variables are state that a program did not ask for.
func TestNoFloatsNoInitNoState(t *testing.T) {
	assert.Empty(t, floatsAndState(goFiles(t, repo())))
}

func TestNoFloatsNoInitNoStateCanFail(t *testing.T) {
	for _, bad := range []string{
		"func init() {}", "var count int", "var a, b = 1, 2", "type t struct{ rate float64 }", "func f(x float32) {}",
		"var table = map[string]int{}", `var ErrX = fmt.Errorf("x")`, `var notErr = errors.New("x")`, "var errCount = 1", "var ErrX = other",
		"func f() { _ = float64(1) }", "func f(x complex128) {}", "var (\n\t_ = 1\n\tmutable = 2\n)", `var ErrA, ErrB = errors.New("a"), other`,
		"//nolint:gosec // other\nvar count int",
	} {
		assert.NotEmpty(t, floatsAndState(snippet(t, "refund/x.go", "package x\n"+bad)), bad)
	}
	for _, good := range []string{
		"const c = 1", "func Init() {}", "type t struct{}\nfunc (t) init() {}", `var ErrX = errors.New("x")`, `var errX = errors.New("x")`, "var _ I = T{}",
		"var (\n\tErrA = errors.New(\"a\")\n\tErrB = errors.New(\"b\")\n)", "var x = 1 //nolint:gochecknoglobals // why",
		"//nolint:gochecknoglobals // why\nvar x = 1", "//go:embed schema.sql\nvar schema string", "func f() { var local int; _ = local }",
	} {
		assert.Empty(t, floatsAndState(snippet(t, "refund/x.go", "package x\n"+good)), good)
	}
	const all = "package x\nfunc init() {}\nvar x float64"
	assert.Empty(t, floatsAndState(snippet(t, "refund/x_test.go", all)))
	assert.Empty(t, floatsAndState(snippet(t, "examples/x/main.go", all)))
}

func floatsAndState(files []*goFile) []string {
	floats := []string{"float32", "float64", "complex64", "complex128"}
	var found []string
	for _, f := range files {
		if f.test || f.in("examples") {
			continue
		}
		report := func(node ast.Node, what string) { found = append(found, f.at(node)+" "+what) }
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if ident, ok := n.(*ast.Ident); ok && slices.Contains(floats, ident.Name) {
				report(ident, ident.Name)
			}
			return true
		})
		for _, decl := range f.syntax.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil && decl.Name.Name == "init" {
					report(decl, "init")
				}
			case *ast.GenDecl:
				if decl.Tok != token.VAR || allowed(decl.Doc) {
					continue
				}
				for _, spec := range decl.Specs {
					if spec, ok := spec.(*ast.ValueSpec); ok && !immutable(spec) {
						report(spec, "var "+spec.Names[0].Name)
					}
				}
			}
		}
	}
	return found
}

// immutable reports whether a package variable is one that may be: blank, a sentinel, or marked.
func immutable(spec *ast.ValueSpec) bool {
	if allowed(spec.Doc) || allowed(spec.Comment) {
		return true
	}
	for i, name := range spec.Names {
		if name.Name == "_" {
			continue
		}
		if !strings.HasPrefix(strings.ToLower(name.Name), "err") || i >= len(spec.Values) {
			return false
		}
		call, ok := spec.Values[i].(*ast.CallExpr)
		if !ok {
			return false
		}
		fun, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		if pkg, ok := fun.X.(*ast.Ident); !ok || pkg.Name != "errors" || fun.Sel.Name != "New" {
			return false
		}
	}
	return true
}

// allowed looks for the marks. Embedded files are written by the compiler; the linter lets them pass as well.
func allowed(comments *ast.CommentGroup) bool {
	if comments == nil {
		return false
	}
	marks := regexp.MustCompile(`^//(go:embed |nolint:([a-z0-9]+,)*gochecknoglobals\b)`)
	return slices.ContainsFunc(comments.List, func(c *ast.Comment) bool { return marks.MatchString(c.Text) })
}

// A newcomer who has read one provider's folder has read all.
func TestProvidersHaveTheSameRooms(t *testing.T) {
	for _, provider := range providers(goFiles(t, repo())) {
		assert.Empty(t, missingRooms(repo(), provider), provider)
	}
}

func TestProvidersHaveTheSameRoomsCanFail(t *testing.T) {
	folder := fstest.MapFS{}
	for _, room := range rooms("somepay") {
		assert.Contains(t, missingRooms(folder, "somepay"), room)
		if path.Ext(room) == "" {
			room += "/file.go"
		}
		folder["somepay/"+room] = &fstest.MapFile{}
	}
	assert.Empty(t, missingRooms(folder, "somepay"))
}

func rooms(provider string) []string {
	return []string{
		"doc.go", "config.go", "client.go", "types.go", "errors.go", "refunder.go", "testdata", provider + "test",
		"client_test.go", "config_test.go", "conformance_test.go", "errors_test.go", "example_test.go", "refunder_test.go", "types_test.go",
	}
}

func missingRooms(repo fs.FS, provider string) []string {
	var missing []string
	for _, room := range rooms(provider) {
		name := path.Join(provider, room)
		info, err := fs.Stat(repo, name)
		if err == nil && info.IsDir() {
			// An empty folder does not survive a checkout.
			var entries []fs.DirEntry
			entries, err = fs.ReadDir(repo, name)
			if len(entries) == 0 {
				err = fs.ErrNotExist
			}
		}
		if err != nil || info.IsDir() != (path.Ext(room) == "") {
			missing = append(missing, room)
		}
	}
	return missing
}

// What no room is named after: who the provider is, where its facts are from, and that it passes the contract.
func TestProvidersSayWhatTheyRestOn(t *testing.T) {
	for _, provider := range providers(goFiles(t, repo())) {
		for file, words := range map[string][]string{
			"config.go":           {`provider = "` + provider + `"`},
			"doc.go":              {"# What is special", "# Which words move money", "# Sources", "# Assumptions"},
			"conformance_test.go": {"refundtest.Run("},
			"types_test.go":       {"func Fuzz"},
		} {
			source := readPage(t, repo(), provider+"/"+file)
			for _, word := range words {
				assert.Contains(t, source, word, "%s/%s", provider, file)
			}
		}
		for _, page := range []string{"README.md", "CHANGELOG.md", ".ci/run", "internal/gentable/main.go", "examples/quickstart/main.go", "refund/journal/doc.go"} {
			assert.Regexp(t, `\b`+provider+`\b`, readPage(t, repo(), page), "%s does not know %s", page, provider)
		}
	}
}

func TestRepositoryIsRead(t *testing.T) {
	// All of the above passes if nothing is found, so something must be.
	paths := []string{}
	for _, f := range goFiles(t, repo()) {
		paths = append(paths, f.path)
	}
	require.Subset(t, paths, []string{"refund/error.go", "internal/httpx/client.go", "internal/repotest/doc.go"})
}
