// Release checks that the modules can be tagged, and lays out what their tags will serve: a module proxy in a folder.
//
//	go run -C tools ./release -version v0.1.0 -proxy DIR
//
// RELEASING.md has the whole recipe. The test of this package fetches each module alone from such a proxy.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

// root is the path of the root module.
const root = "github.com/multirefund/refund-go"

// folders are those of the modules that are published, by their path in the repository. The root comes first: the others
// require it.
func folders() []string { return []string{".", "refund/journal/sqlstore"} }

func main() {
	version := flag.String("version", "", "the version that will be tagged, such as v0.1.0")
	proxy := flag.String("proxy", "", "a folder to lay the module proxy out in; empty: only check")
	repo := flag.String("repo", "..", "the checkout")
	flag.Parse()
	if err := run(*repo, *version, *proxy); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(repo, version, proxy string) error {
	if semver.Canonical(version) != version || version == "" {
		return fmt.Errorf("-version %q must be like v0.1.0", version)
	}
	for _, folder := range folders() {
		if err := check(filepath.Join(repo, folder), version); err != nil {
			return err
		}
		fmt.Println("tag", tag(folder, version))
		if proxy == "" {
			continue
		}
		if err := publish(filepath.Join(repo, folder), modulePath(folder), version, proxy); err != nil {
			return err
		}
	}
	return nil
}

// tag is the name of a module's tag: nested modules have their folder in front.
func tag(folder, version string) string { return path.Join(folder, version) }

func modulePath(folder string) string { return path.Join(root, folder) }

// check reports what keeps the module in dir from working for those who fetch it: replace directives do not count there, so
// it must require the versions of its siblings that will be tagged with it.
func check(dir, version string) error {
	name := filepath.Join(dir, "go.mod")
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := modfile.Parse(name, content, nil)
	if err != nil {
		return err
	}
	for _, r := range file.Require {
		for _, folder := range folders() {
			if r.Mod.Path == modulePath(folder) && r.Mod.Version != version {
				return fmt.Errorf("%s requires %s %s; it must require %s", name, r.Mod.Path, r.Mod.Version, version)
			}
		}
	}
	_, err = os.Stat(filepath.Join(dir, "LICENSE"))
	return err
}

// publish lays a module out as a proxy serves it (go.dev/ref/mod, GOPROXY protocol).
func publish(dir, modPath, version, proxy string) error {
	escaped, err := module.EscapePath(modPath)
	if err != nil {
		return err
	}
	target := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(target, 0o750); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Now().UTC()})
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"list": []byte(version + "\n"), version + ".info": info, version + ".mod": mod} {
		if err := os.WriteFile(filepath.Join(target, name), content, 0o600); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(target, version+".zip"))
	if err != nil {
		return err
	}
	return errors.Join(zip.CreateFromDir(archive, module.Version{Path: modPath, Version: version}, dir), archive.Close())
}
