package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// version is the one that the nested modules require, and that the next release will have.
const version = "v0.1.0"

// shops are programs that need one of the modules and nothing else of this repository.
func shops() map[string]string {
	return map[string]string{
		".": `package main

import "github.com/multirefund/refund-go/afterpay"

func main() { _, _ = afterpay.New(afterpay.Config{}) }
`,
		"refund/journal/sqlstore": `package main

import (
	"context"

	"github.com/multirefund/refund-go/refund/journal"
	"github.com/multirefund/refund-go/refund/journal/sqlstore/postgres"
)

func main() {
	store, _ := postgres.Open(context.Background(), "")
	journal.New(store, journal.Options{})
}
`,
	}
}

// TestEachModuleCanBeFetchedAlone serves the modules as their tags will, and fetches each in a module of its own.
func TestEachModuleCanBeFetchedAlone(t *testing.T) {
	proxy := t.TempDir()
	require.NoError(t, run("../..", version, proxy))
	cached := strings.TrimSpace(command(t, ".", nil, "go", "env", "GOMODCACHE"))
	usual := strings.TrimSpace(command(t, ".", nil, "go", "env", "GOPROXY"))
	for _, folder := range folders() {
		t.Run(modulePath(folder), func(t *testing.T) {
			shop := t.TempDir()
			env := []string{
				"GOPROXY=" + strings.Join([]string{fileURL(proxy), fileURL(filepath.Join(cached, "cache", "download")), usual}, ","),
				"GONOSUMDB=" + root, "GONOSUMCHECK=1", "GOFLAGS=-mod=mod -modcacherw", "GOWORK=off", "GOMODCACHE=" + t.TempDir(),
			}
			command(t, shop, env, "go", "mod", "init", "shop.example/refunds")
			program, ok := shops()[folder]
			require.True(t, ok, "a program that needs the module")
			require.NoError(t, os.WriteFile(filepath.Join(shop, "main.go"), []byte(program), 0o600))
			command(t, shop, env, "go", "get", modulePath(folder)+"@"+version)
			command(t, shop, env, "go", "build", "-trimpath", "-o", os.DevNull, ".")
			used := command(t, shop, env, "go", "list", "-m", "all")
			assert.Contains(t, used, root+" "+version)
			assert.NotContains(t, used, root+" v0.0.0")
		})
	}
}

func TestCheckCanFail(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	write("LICENSE", "MIT")
	write("go.mod", "module "+root+"/x\n\ngo 1.25.0\n\nrequire "+root+" "+version+"\n")
	require.NoError(t, check(dir, version))
	require.Error(t, check(dir, "v0.2.0"), "it requires an older sibling")
	write("go.mod", "module "+root+"/x\n\ngo 1.25.0\n\nrequire "+root+" v0.0.0\n\nreplace "+root+" => ../..\n")
	require.Error(t, check(dir, version), "a replace directive helps nobody who fetches it")
	require.NoError(t, os.Remove(filepath.Join(dir, "LICENSE")))
	require.Error(t, check(dir, "v0.0.0"))
	for _, bad := range []string{"", "0.1.0", "v0.1", "latest"} {
		require.Error(t, run("../..", bad, ""), bad)
	}
	assert.Equal(t, []string{version, "refund/journal/sqlstore/" + version}, []string{tag(".", version), tag("refund/journal/sqlstore", version)})
}

func fileURL(dir string) string { return "file://" + filepath.ToSlash(dir) }

func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if assert.ErrorAs(t, err, &exit) {
			t.Log(string(exit.Stderr))
		}
		require.NoError(t, err, "%s %s", name, strings.Join(args, " "))
	}
	return string(out)
}
