package repotest

import (
	"go/ast"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each dependency is one more that users have to trust, so that a new one needs a sentence.
func TestDependenciesAreExplained(t *testing.T) {
	mod, err := fs.ReadFile(repo(), "go.mod")
	require.NoError(t, err)
	required := requirements(string(mod))
	require.NotEmpty(t, required)
	assert.ElementsMatch(t, required, explained(readPage(t, repo(), "CONTRIBUTING.md")),
		"go.mod and the table under ## Dependencies in CONTRIBUTING.md")
}

func TestRequirements(t *testing.T) {
	assert.Equal(t, []string{"example.com/a", "example.com/b/v2", "example.com/c", "example.com/d"}, requirements(`module example.com/m

go 1.25.0

require example.com/a v1.0.0 // why

require (
	example.com/b/v2 v2.0.0
	// example.com/no v1.0.0
	example.com/c v1.0.0 // indirect
)

require (
	"example.com/d" v0.0.0-20260101000000-abcdefabcdef // indirect
)

replace example.com/x => ../x

exclude (
	example.com/y v1.0.0
)
`))
}

// requirements returns the modules that a go.mod requires.
func requirements(mod string) []string {
	var modules []string
	block := ""
	for line := range strings.Lines(mod) {
		line, _, _ = strings.Cut(line, "//")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == ")":
			block = ""
		case len(words) == 2 && words[1] == "(":
			block = words[0]
		case block == "require":
			modules = append(modules, strings.Trim(words[0], `"`))
		case block == "" && words[0] == "require" && len(words) > 1:
			modules = append(modules, strings.Trim(words[1], `"`))
		}
	}
	return modules
}

func TestExplained(t *testing.T) {
	assert.Equal(t, []string{"example.com/a", "example.com/b"}, explained("# Page\n\n| `example.com/no` | other table |\n\n"+
		"## Dependencies\n\nWords with `example.com/no`.\n\n| module | why |\n| --- | --- |\n| `example.com/a` | it reads `x` |\n"+
		"|`example.com/b`| why |\n| `example.com/unexplained` | |\n\n### More\n\n## Next\n\n| `example.com/no` | why |\n"))
}

// explained returns the modules in the table under the heading, those that have a reason.
func explained(page string) []string {
	var modules []string
	inside := false
	row := regexp.MustCompile("^\\|\\s*`([^`]+)`\\s*\\|\\s*[^|\\s]")
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "## ") {
			inside = line == "## Dependencies"
		}
		if m := row.FindStringSubmatch(line); inside && m != nil {
			modules = append(modules, m[1])
		}
	}
	return modules
}

// What README shows is compiled, run and compared with its output, as an Example.
func TestReadmeIsTested(t *testing.T) {
	blocks := goBlocks(readPage(t, repo(), "README.md"))
	require.NotEmpty(t, blocks, "README.md shows no Go")
	tested := examples(goFiles(t, repo()))
	for _, block := range blocks {
		assert.True(t, shown(block, tested), "no Example with an Output comment has these lines of README.md:\n%s", block)
	}
}

func TestReadmeIsTestedCanFail(t *testing.T) {
	tested := examples(snippet(t, "x/x_test.go", `package x

func Example() {
	client, err := afterpay.New(cfg) // no I/O

	if err != nil {
		panic(err)
	}
	fmt.Println(client)
	// Output:
	// x
}

func Example_notRun() {
	fmt.Println("never run")
}

func ExampleUnordered() {
	fmt.Println("in any order")
	// Unordered output: x
}

func helper() {
	fmt.Println("no example")
	// Output:
}
`))
	for block, want := range map[string]bool{
		"client, err := afterpay.New(cfg) // no I/O\nif err != nil {\n\tpanic(err)\n}\n": true,
		"  client,  err := afterpay.New(cfg)   // no I/O":                                true,
		"func Example() {\n\tclient, err := afterpay.New(cfg) // no I/O":                 true,
		`fmt.Println("in any order")`:                                                    true,
		"client, err := afterpay.New(cfg)":                                               false, // the line goes on
		"client, err := afterpay.New(other) // no I/O":                                   false,
		"if err != nil {\nfmt.Println(client)":                                           false, // lines are left out
		`fmt.Println("never run")`:                                                       false,
		`fmt.Println("no example")`:                                                      false,
		"":                                                                               false,
	} {
		assert.Equal(t, want, shown(block, tested), block)
	}
}

func TestGoBlocks(t *testing.T) {
	assert.Equal(t, []string{"a()\n\n\tb()\n", "c()\n", "d()\n"}, goBlocks("# Title\n```go\na()\n\n\tb()\n```\n"+
		"```sh\ngo test\n```\n~~~\n```go\nno()\n```\n~~~\n- item\n\n  ``` go\nc()\n  ```\n````go title\nd()\n````\n```\nplain\n```\n```golang\nno()\n```\n"))
}

// goBlocks returns the Go code of a Markdown page.
func goBlocks(page string) []string {
	var blocks []string
	prose(page, func(language, code string) {
		if language == "go" {
			blocks = append(blocks, code)
		}
	})
	return blocks
}

// prose returns a Markdown page without its fenced blocks, which go to block.
func prose(page string, block func(language, code string)) string {
	var text, code strings.Builder
	fence, language := "", ""
	opening := regexp.MustCompile("^\\s*(`{3,}|~{3,})\\s*([^\\s`]*)")
	for line := range strings.Lines(page) {
		m := opening.FindStringSubmatch(line)
		switch {
		case fence == "" && m != nil:
			fence, language = m[1], m[2]
		case fence == "":
			text.WriteString(line)
		case m != nil && m[2] == "" && strings.HasPrefix(m[1], fence):
			block(language, code.String())
			fence = ""
			code.Reset()
		default:
			code.WriteString(line)
		}
	}
	if fence != "" {
		block(language, code.String())
	}
	return text.String()
}

// examples returns the source of the Example functions that go test runs: those with an output to compare with.
func examples(files []*goFile) []string {
	var sources []string
	output := regexp.MustCompile(`(?i)^\s*(unordered )?output:`)
	for _, f := range files {
		for _, decl := range f.syntax.Decls {
			fun, ok := decl.(*ast.FuncDecl)
			if !ok || !f.test || fun.Recv != nil || fun.Body == nil || !strings.HasPrefix(fun.Name.Name, "Example") {
				continue
			}
			var last *ast.CommentGroup
			for _, group := range f.syntax.Comments {
				if fun.Body.Pos() < group.Pos() && group.End() < fun.Body.End() {
					last = group
				}
			}
			if last != nil && output.MatchString(last.Text()) {
				sources = append(sources, f.text(fun))
			}
		}
	}
	return sources
}

// shown reports whether the block's lines, but for white space, are in one of the sources, one after the other.
func shown(block string, sources []string) bool {
	wanted := normalise(block)
	for _, source := range sources {
		if wanted != "\n" && strings.Contains(normalise(source), wanted) {
			return true
		}
	}
	return false
}

// normalise makes white space single, drops empty lines and puts every line between line breaks.
func normalise(source string) string {
	var b strings.Builder
	b.WriteByte('\n')
	for line := range strings.Lines(source) {
		if words := strings.Fields(line); len(words) > 0 {
			b.WriteString(strings.Join(words, " ") + "\n")
		}
	}
	return b.String()
}

func TestLinks(t *testing.T) {
	pages, err := fs.Glob(repo(), "*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, page := range pages {
		for _, link := range relativeLinks(readPage(t, repo(), page)) {
			assert.True(t, leads(repo(), link), "%s links to %s, which does not exist", page, link)
		}
	}
}

func TestLinksCanFail(t *testing.T) {
	assert.Equal(t, []string{"a.md", "b/c.go#L1", "d%20e.md", "img.svg", "f (1).md", "g.md", "h.png", "i.md"}, relativeLinks(
		"[a](a.md), [b](b/c.go#L1 \"title\") and [d]( d%20e.md )\n![image](img.svg)\n[f](<f (1).md>)\n\n[ref]: g.md \"title\"\n"+
			"<img alt=\"\" src=\"h.png\">\n[![badge](https://example.com/x.svg)](i.md)\n"+
			"[web](https://example.com/no.md) [mail](mailto:no@example.com) [here](#no) `[code](no.md)`\n```md\n[block](no.md)\n```\n"))

	folder := fstest.MapFS{"a.md": {}, "b/c.go": {}, "d e.md": {}}
	for link, want := range map[string]bool{
		"a.md": true, "./a.md": true, "/a.md": true, "a.md#part": true, "a.md?raw=1": true, "b/c.go#L1": true, "b": true, "b/": true,
		"d%20e.md": true, "b/../a.md": true, "missing.md": false, "b/a.md": false, "../a.md": false, "A.md": false, "%zz": false,
	} {
		assert.Equal(t, want, leads(folder, link), link)
	}
}

// relativeLinks returns the targets of a page's links that are neither web addresses nor places on the page itself.
func relativeLinks(page string) []string {
	text := prose(page, func(string, string) {})
	text = regexp.MustCompile("`[^`\n]*`").ReplaceAllString(text, "")
	var links []string
	for _, m := range regexp.MustCompile(
		`\]\(\s*(?:<([^>\n]*)>|([^)\s]+))|(?m:^\s*\[[^\]\n]+\]:\s*(\S+))|(?:href|src)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		link := m[1] + m[2] + m[3] + m[4]
		if u, err := url.Parse(link); err == nil && (u.Scheme != "" || u.Host != "") || strings.HasPrefix(link, "#") {
			continue
		}
		links = append(links, link)
	}
	return links
}

// leads reports whether a link of a page in the root leads to a file or folder of the repository.
func leads(repo fs.FS, link string) bool {
	link, _, _ = strings.Cut(link, "#")
	link, _, _ = strings.Cut(link, "?")
	name, err := url.PathUnescape(link)
	if err != nil {
		return false
	}
	name = path.Clean(strings.TrimPrefix(name, "/"))
	_, err = fs.Stat(repo, name)
	return err == nil
}
