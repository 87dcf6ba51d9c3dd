package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// root is the module's folder, seen from this package.
const root = "../.."

const module = "poolferry/"

// goPackage is what go list says about a package.
type goPackage struct {
	ImportPath, Name, Dir                              string
	Standard                                           bool
	GoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
	Imports, Deps                                      []string
	Error                                              *struct{ Err string }
}

// path is the import path inside the module.
func (p goPackage) path() string { return strings.TrimPrefix(p.ImportPath, module) }

// file returns the path of one of the package's files from this folder.
func (p goPackage) file(name string) string {
	return filepath.Join(root, filepath.FromSlash(p.path()), name)
}

// list asks the go command once about all packages of the module and what they
// depend on.
var list = sync.OnceValues(func() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Dir,Standard,GoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles,Imports,Deps,Error", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.New("go list: " + stderr.String())
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if !p.Standard {
			all = append(all, p)
		}
	}
})

// packages are the module's packages.
func packages(t *testing.T) []goPackage {
	t.Helper()
	all, err := list()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("go list found no package")
	}
	for _, p := range all {
		if p.Error != nil {
			t.Fatalf("%s: %s", p.path(), p.Error.Err)
		}
	}
	return all
}

// tracked are the paths of all tracked files, from the module's folder, with
// slashes. Without git it is every file but those of tools and builds.
var tracked = sync.OnceValues(func() ([]string, error) {
	known, git := gitFiles()
	var names []string
	// The walk also tells the test cache which folders the result depends on.
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			switch {
			case entry.Name() == ".git", entry.Name() == "node_modules", rel == "bin", rel == "dist", rel == ".cache":
				return filepath.SkipDir
			}
			return nil
		}
		if !git || known[rel] {
			names = append(names, rel)
		}
		return nil
	})
	return names, err
})

// gitFiles are the files that git tracks or would, false outside of a checkout.
func gitFiles() (map[string]bool, bool) {
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		return nil, false
	}
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, false
	}
	known := map[string]bool{}
	for name := range strings.SplitSeq(string(out), "\x00") {
		known[name] = true
	}
	return known, true
}

func files(t *testing.T) []string {
	t.Helper()
	names, err := tracked()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, "go.mod") {
		t.Fatal("go.mod is not among the tracked files")
	}
	return names
}

// read returns the text of a tracked file, "" for one that is not text.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return ""
	}
	return string(data)
}

// isIn reports whether a slash path is a folder or in it.
func isIn(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }

// has reports whether one of the elements of a slash path is as wanted.
func has(name string, want func(element string) bool) bool {
	return slices.ContainsFunc(strings.Split(path.Clean(name), "/"), want)
}
