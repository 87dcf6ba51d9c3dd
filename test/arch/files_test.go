package arch

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestRootFolder(t *testing.T) {
	allowed := []string{
		"go.mod", "go.sum", "README.md", "LICENSE", "Makefile",
		"lambdas", "statemachines", "infra", "tools", "test", "internal", "docs",
	}
	var seen []string
	for _, name := range files(t) {
		entry, _, _ := strings.Cut(name, "/")
		if strings.HasPrefix(entry, ".") || slices.Contains(allowed, entry) || slices.Contains(seen, entry) {
			continue
		}
		seen = append(seen, entry)
		t.Errorf("%s does not belong in the root folder, which holds %s and dotfiles", entry, strings.Join(allowed, ", "))
	}
}

// TestFoldersAreExplained: a folder of files that are not Go says in a table of
// its README what each of them is. The root, test data and dot folders need not.
func TestFoldersAreExplained(t *testing.T) {
	folders := map[string][]string{}
	for _, name := range files(t) {
		folder, base := path.Dir(name), path.Base(name)
		exempt := folder == "." || has(folder, func(e string) bool { return e == "testdata" || strings.HasPrefix(e, ".") })
		if !exempt && path.Ext(base) != ".go" && base != "README.md" && !strings.HasPrefix(base, ".") {
			folders[folder] = append(folders[folder], base)
		}
	}
	for folder, names := range folders {
		if !slices.Contains(files(t), folder+"/README.md") {
			t.Errorf("%s has no README.md: write one with a table that names %s", folder, strings.Join(names, ", "))
			continue
		}
		var table []string
		for line := range strings.Lines(read(t, folder+"/README.md")) {
			if strings.HasPrefix(line, "|") {
				table = append(table, line)
			}
		}
		for _, name := range names {
			if !slices.ContainsFunc(table, func(row string) bool { return strings.Contains(row, "`"+name+"`") }) {
				t.Errorf("%s/README.md has no table row that names `%s`", folder, name)
			}
		}
	}
}

// machinePath finds the paths of one machine. The words are in pieces so that
// this file does not find itself.
var machinePath = regexp.MustCompile(`(^|[^\w./-])(/(` + strings.Join([]string{"wo" + "rk", "ro" + "ot", "op" + "t"}, "|") + `)/|/(ho` + `me|Us` + `ers)/[\w.-]+/|\.\./sha` + `red/)`)

func TestNoMachinePaths(t *testing.T) {
	for _, sample := range []string{`"/op` + `t/x"`, "/wo" + "rk/main", "see ../sha" + "red/x.md", "/ho" + "me/ann/x"} {
		if !machinePath.MatchString(sample) {
			t.Errorf("%q is not found", sample)
		}
	}
	for _, sample := range []string{"https://example.com/wo" + "rk/", "arn:aws:iam::1:ro" + "ot", "net" + "wo" + "rk/x", "/aws/op" + "t/"} {
		if machinePath.MatchString(sample) {
			t.Errorf("%q is found", sample)
		}
	}
	grep(t, machinePath, "a path of one machine: make it relative, or take it from the environment")
}

var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)

func TestNothingIsLeftForLater(t *testing.T) {
	grep(t, unfinished, "work left for later: do it, or open an issue and say nothing here")
}

// grep reports every line of a tracked text file that matches.
func grep(t *testing.T, pattern *regexp.Regexp, why string) {
	t.Helper()
	for _, name := range files(t) {
		if path.Base(name) == "go.sum" || path.Base(name) == "package-lock.json" {
			continue // written by tools, full of hashes
		}
		number := 0
		for line := range strings.Lines(read(t, name)) {
			number++
			if found := pattern.FindString(line); found != "" {
				t.Errorf("%s:%d: %q is %s", name, number, strings.TrimSpace(found), why)
			}
		}
	}
}
