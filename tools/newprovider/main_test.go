package main

import (
	"bytes"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGenerated: what is generated compiles, and fails the suite until its facts are filled in.
func TestGenerated(t *testing.T) {
	for _, p := range []provider{
		{Name: "paywell", Currency: "EUR", Amounts: "minor"},
		{Name: "zpay24", Title: "Z-Pay", Currency: "SEK", Amounts: "major"},
	} {
		t.Run(p.Amounts, func(t *testing.T) {
			repo := gen(t)
			var out bytes.Buffer
			require.NoError(t, run(&out, repo, p))

			facts := 0
			for path, source := range files(t, filepath.Join(repo, p.Name)) {
				facts += strings.Count(source, "FACT")
				formatted, err := format.Source([]byte(source))
				require.NoError(t, err, path)
				assert.Equal(t, string(formatted), source, path)
				assert.NotContains(t, source, "«", path)
			}
			printed := regexp.MustCompile(`(?m)^(\d+) lines`).FindStringSubmatch(out.String())
			require.NotNil(t, printed, out.String())
			assert.Equal(t, strconv.Itoa(facts), printed[1], "every FACT is marked alike and counted")

			text, err := goTool(t, repo, "vet", "./...")
			require.NoError(t, err, text)
			text, err = goTool(t, repo, "test", "./...")
			require.Error(t, err)
			assert.Contains(t, text, "--- FAIL: TestConformance/memory/full_refund")
			assert.NotContains(t, text, "panic")
		})
	}
}

// gen makes a module whose path is below the root's: such a one may import the root's internal packages.
func gen(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	source, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	mod := strings.Replace(string(source), "module "+module+"\n", "module "+module+"/gen\n", 1)
	require.NotEqual(t, string(source), mod)
	mod += "\nrequire " + module + " v0.1.0\n\nreplace " + module + " => " + strconv.Quote(root) + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600))
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o600))
	return dir
}

// goTool runs go in a module that a provider was generated into. The generated imports are of the root module: there, the
// provider is below its root.
func goTool(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	for path, source := range files(t, dir) {
		own := regexp.MustCompile(`"` + module + `/((?:paywell|zpay24)[^"]*)"`)
		require.NoError(t, os.WriteFile(path, own.ReplaceAll([]byte(source), []byte(`"`+module+`/gen/$1"`)), 0o600))
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// files are the Go files below a folder, by their paths.
func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		source, err := os.ReadFile(path)
		found[path] = string(source)
		return err
	}))
	require.NotEmpty(t, found)
	return found
}

func TestRooms(t *testing.T) {
	repo := t.TempDir()
	require.NoError(t, run(&bytes.Buffer{}, repo, provider{Name: "paywell", Currency: "EUR", Amounts: "minor"}))
	for _, room := range []string{
		"doc.go", "config.go", "client.go", "types.go", "errors.go", "refunder.go", "testdata",
		"client_test.go", "config_test.go", "conformance_test.go", "errors_test.go", "example_test.go", "refunder_test.go", "types_test.go",
		"paywelltest/simulator.go", "paywelltest/server.go", "paywelltest/wire.go",
	} {
		_, err := os.Stat(filepath.Join(repo, "paywell", room))
		assert.NoError(t, err)
	}
}

func TestRefuses(t *testing.T) {
	repo := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(repo, "taken"), 0o750))
	good := provider{Name: "paywell", Currency: "EUR", Amounts: "minor"}
	for what, change := range map[string]func(*provider){
		"no name":         func(p *provider) { p.Name = "" },
		"capitals":        func(p *provider) { p.Name = "PayWell" },
		"a path":          func(p *provider) { p.Name = "../paywell" },
		"a hyphen":        func(p *provider) { p.Name = "pay-well" },
		"a digit first":   func(p *provider) { p.Name = "1pay" },
		"a word of Go":    func(p *provider) { p.Name = "func" },
		"existing folder": func(p *provider) { p.Name = "taken" },
		"no currency":     func(p *provider) { p.Currency = "euro" },
		"other units":     func(p *provider) { p.Amounts = "cents" },
	} {
		p := good
		change(&p)
		var out bytes.Buffer
		require.Error(t, run(&out, repo, p), what)
		assert.Empty(t, out.String(), what)
	}
	entries, err := os.ReadDir(repo)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing was written")
}
