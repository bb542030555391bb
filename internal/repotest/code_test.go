package repotest

import (
	"go/ast"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Somebody who has read one provider's folder has read all.
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

// The common side reads alike to the letter: the same functions, in the same order.
func TestRefundersHaveTheSameOrder(t *testing.T) {
	files := goFiles(t, repo())
	for _, provider := range providers(files) {
		for _, f := range files {
			if f.path == provider+"/refunder.go" {
				assert.Empty(t, outOfOrder(f), f.path)
			}
		}
	}
}

func TestRefundersHaveTheSameOrderCanFail(t *testing.T) {
	const must = "package x\nfunc Capabilities() {}\nfunc Refund() {}\nfunc native() {}\nfunc send() {}\n"
	for source, want := range map[string]int{
		must + "func Resolve() {}\nfunc common() {}\nfunc more() {}":                    0,
		must + "func look() {}\nfunc Refunds() {}\nfunc Resolve() {}\nfunc common() {}": 0,
		must + "func common() {}\nfunc Resolve() {}":                                    1,
		must + "func helper() {}\nfunc Resolve() {}\nfunc common() {}":                  0,
		"package x\nfunc Refund() {}":                                                   5,
	} {
		assert.Len(t, outOfOrder(snippet(t, "somepay/refunder.go", source)[0]), want, source)
	}
}

// outOfOrder returns what is wrong with the functions of a refunder.go. Others may stand between them, next to the one that
// uses them.
func outOfOrder(f *goFile) []string {
	order := []string{
		"Capabilities", "Refund", "native", "send", "look", "GetRefund", "Refunds", "CancelRefund", "Snapshot", "Resolve", "common",
	}
	required := []string{"Capabilities", "native", "send", "Resolve", "common"}
	var wrong []string
	last := -1
	for _, decl := range f.syntax.Decls {
		fun, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		required = slices.DeleteFunc(required, func(name string) bool { return name == fun.Name.Name })
		at := slices.Index(order, fun.Name.Name)
		if at < 0 {
			continue
		}
		if at < last {
			wrong = append(wrong, fun.Name.Name+" comes after "+order[last])
		}
		last = max(last, at)
	}
	for _, name := range required {
		wrong = append(wrong, name+" is missing")
	}
	return wrong
}

// A provider's tests and simulator know no other provider, so that a folder can be read, copied and removed alone.
func TestProvidersDoNotKnowEachOther(t *testing.T) {
	files := goFiles(t, repo())
	assert.Empty(t, acquaintances(files, providers(files)))
}

func TestProvidersDoNotKnowEachOtherCanFail(t *testing.T) {
	for imported, want := range map[string]int{"backd": 1, "backd/backdtest": 1, "afterpay": 0, "refund/refundtest": 0} {
		files := snippet(t, "afterpay/afterpaytest/x_test.go", "package x\nimport _ "+strconv.Quote(module+"/"+imported))
		assert.Len(t, acquaintances(files, []string{"afterpay", "backd"}), want, imported)
	}
}

func acquaintances(files []*goFile, providers []string) []string {
	var found []string
	for _, f := range files {
		own, _, _ := strings.Cut(f.folder, "/")
		if !slices.Contains(providers, own) {
			continue
		}
		for _, spec := range f.syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			other, ours := strings.CutPrefix(imported, module+"/")
			other, _, _ = strings.Cut(other, "/")
			if err == nil && ours && other != own && slices.Contains(providers, other) {
				found = append(found, f.at(spec)+" imports "+imported)
			}
		}
	}
	return found
}

// What no room is named after: who the provider is, where its facts are from, and that it passes the contract. The list of
// simulators is what programs and tests above the providers go by; the pages are for people.
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
		for _, page := range []string{"simulators/simulators.go", "README.md", "CHANGELOG.md", "refund/journal/doc.go"} {
			assert.Regexp(t, `\b`+provider+`(test)?\b`, readPage(t, repo(), page), "%s does not know %s", page, provider)
		}
	}
}

// tools/newprovider writes a folder whose facts are still to be filled in.
func TestFactsAreFilledIn(t *testing.T) {
	files := goFiles(t, repo())
	all := providers(files)
	for _, f := range files {
		if folder, _, _ := strings.Cut(f.path, "/"); slices.Contains(all, folder) {
			assert.Empty(t, missingFacts(f.source), f.path)
		}
	}
}

func TestFactsAreFilledInCanFail(t *testing.T) {
	assert.Len(t, missingFacts("const timeout = 70 // FACT: of which page?\nconst other = 1\n"), 1)
	assert.Empty(t, missingFacts("// In fact, this is a fact.\n"))
}

func missingFacts(source string) (missing []string) {
	for line := range strings.Lines(source) {
		if strings.Contains(line, "FACT:") {
			missing = append(missing, line)
		}
	}
	return missing
}

func TestRepositoryIsRead(t *testing.T) {
	// All of the above passes if nothing is found, so something must be.
	paths := []string{}
	for _, f := range goFiles(t, repo()) {
		paths = append(paths, f.path)
	}
	require.Subset(t, paths, []string{"refund/error.go", "internal/httpx/client.go", "internal/repotest/doc.go"})
	assert.Contains(t, providers(goFiles(t, repo())), "afterpay")
}
