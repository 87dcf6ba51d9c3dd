package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// selectors lists the names after a dot in a Go file.
func selectors(t *testing.T, name string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			names = append(names, s.Sel.Name)
		}
		return true
	})
	return names
}

func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		names := p.GoFiles
		if len(names) == 0 { // tests only
			names = slices.Concat(p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles)
		}
		var comments []string
		for _, name := range names {
			file, err := parser.ParseFile(token.NewFileSet(), p.file(name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if file.Doc != nil {
				comments = append(comments, file.Doc.Text())
			}
		}
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command " + path.Base(p.path()) + " "
		}
		switch {
		case len(comments) == 0:
			t.Errorf("%s has no package comment: write one that begins with %q and fixes the package's words", p.path(), want)
		case len(comments) > 1:
			t.Errorf("%s has %d package comments: keep one", p.path(), len(comments))
		case !strings.HasPrefix(comments[0], want):
			t.Errorf("%s: the package comment does not begin with %q", p.path(), want)
		}
	}
}

func TestPackageNames(t *testing.T) {
	banned := []string{"util", "utils", "common", "types", "helper", "helpers", "model", "models", "misc", "base", "shared"}
	for _, p := range packages(t) {
		if slices.Contains(banned, p.Name) {
			t.Errorf("%s: name it after what is in it, not %q", p.path(), p.Name)
		}
	}
}

const mostMain = 60

func TestMainOnlyConnects(t *testing.T) {
	for _, p := range packages(t) {
		if p.Name == "main" {
			if n := lineCount(t, p, p.GoFiles); n > mostMain {
				t.Errorf("%s has %d lines, at most %d: main only connects, move the rest into a package with tests", p.path(), n, mostMain)
			}
		}
	}
}

// TestPackageSizes asserts nothing: go test -v shows the table.
func TestPackageSizes(t *testing.T) {
	for _, p := range packages(t) {
		t.Logf("%5d lines, %5d of tests  %s", lineCount(t, p, p.GoFiles), lineCount(t, p, slices.Concat(p.TestGoFiles, p.XTestGoFiles)), p.path())
	}
}

func lineCount(t *testing.T, p goPackage, names []string) (lines int) {
	t.Helper()
	for _, name := range names {
		data, err := os.ReadFile(p.file(name))
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(data, []byte("\n"))
	}
	return lines
}
