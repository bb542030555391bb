// Newprovider writes the folder of a new provider: one where nothing deduplicates, and where the key is found in a reference.
//
//	go run -C tools ./newprovider -name paywell -currency EUR -amounts minor
//
// What it writes compiles, and fails its tests until every line marked FACT is filled in.
package main

import (
	"bytes"
	"embed"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed templates/*.tmpl
var templates embed.FS

const module = "github.com/multirefund/refund-go"

func main() {
	var p provider
	repo := flag.String("repo", "..", "the repository's root")
	flag.StringVar(&p.Name, "name", "", "the folder's and the package's name: lower-case letters and digits, never to change")
	flag.StringVar(&p.Title, "title", "", "the provider's name in prose; the capitalised name if empty")
	flag.StringVar(&p.Currency, "currency", "EUR", "a currency with two decimals that the provider refunds in")
	flag.StringVar(&p.Amounts, "amounts", "minor", "the units that the provider writes amounts in: minor or major")
	flag.Parse()
	if err := run(os.Stdout, *repo, p); err != nil {
		fmt.Fprintln(os.Stderr, "newprovider:", err)
		os.Exit(1)
	}
}

// provider is what the templates are filled in with.
type provider struct {
	Name, Title, Currency, Amounts string

	Other string // another currency
	Minor bool
}

func (p *provider) check() error {
	switch {
	case !regexp.MustCompile(`^[a-z][a-z0-9]*$`).MatchString(p.Name):
		return fmt.Errorf("-name %q: lower-case letters and digits are allowed, a letter first", p.Name)
	case !regexp.MustCompile(`^[A-Z]{3}$`).MatchString(p.Currency):
		return fmt.Errorf("-currency %q: it is not an ISO 4217 code", p.Currency)
	case p.Amounts != "minor" && p.Amounts != "major":
		return fmt.Errorf("-amounts %q: must be minor or major", p.Amounts)
	}
	if p.Title == "" {
		p.Title = strings.ToUpper(p.Name[:1]) + p.Name[1:]
	}
	p.Minor, p.Other = p.Amounts == "minor", "SEK"
	if p.Currency == p.Other {
		p.Other = "EUR"
	}
	return nil
}

// run writes the folder below repo, and says on out what is left to do.
func run(out io.Writer, repo string, p provider) error {
	if err := p.check(); err != nil {
		return err
	}
	files, err := render(&p)
	if err != nil {
		return err
	}
	folder := filepath.Join(repo, p.Name)
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s exists already", folder)
	}
	// testdata is for the golden requests, which the tests write when the facts are there.
	for _, dir := range []string{p.Name + "test", "testdata"} {
		if err := os.MkdirAll(filepath.Join(folder, dir), 0o750); err != nil {
			return err
		}
	}
	total := 0
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(folder, f.path), f.source, 0o600); err != nil {
			return err
		}
		facts := bytes.Count(f.source, []byte("FACT:"))
		total += facts
		fmt.Fprintf(out, "%s/%s: %d facts\n", p.Name, filepath.ToSlash(f.path), facts)
	}
	fmt.Fprintf(out, `
%d lines are marked FACT: and hold a placeholder. Next:

  1. grep -rn FACT: %[2]s, and fill in each: the client, the simulator and the tests, each from the documentation. Take the
     mark off, and name the source.
  2. go test ./%[2]s -run TestWire -update writes the golden requests. Read them.
  3. go test ./%[2]s/...
  4. Enter it in simulators/simulators.go, README.md, CHANGELOG.md and refund/journal/doc.go, and run
     go generate -C tools ./gentable.
`, total, p.Name)
	return nil
}

type file struct {
	path   string // below the provider's folder
	source []byte
}

func render(p *provider) ([]file, error) {
	all, err := template.New("").Delims("«", "»").ParseFS(templates, "templates/*.tmpl")
	if err != nil {
		return nil, err
	}
	var files []file
	for _, t := range all.Templates() {
		name, ok := strings.CutSuffix(t.Name(), ".tmpl")
		if !ok { // the empty one that holds the others
			continue
		}
		var b bytes.Buffer
		if err := t.Execute(&b, p); err != nil {
			return nil, err
		}
		source, err := format.Source(sortImports(b.Bytes()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if slices.Contains([]string{"simulator.go", "server.go", "wire.go"}, name) {
			name = filepath.Join(p.Name+"test", name)
		}
		files = append(files, file{name, source})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return files, nil
}

// sortImports sorts the module's own imports, whose order depends on the provider's name.
func sortImports(source []byte) []byte {
	own := regexp.MustCompile(`(?:\t"` + regexp.QuoteMeta(module) + `/[^"]+"\n)+`)
	return own.ReplaceAllFunc(source, func(block []byte) []byte {
		lines := strings.SplitAfter(strings.TrimSuffix(string(block), "\n"), "\n")
		slices.SortFunc(lines, func(a, b string) int { return strings.Compare(strings.TrimSpace(a), strings.TrimSpace(b)) })
		return []byte(strings.ReplaceAll(strings.Join(lines, "\n")+"\n", "\n\n", "\n"))
	})
}
