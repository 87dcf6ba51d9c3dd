package artifact

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// module is this module's folder.
const module = "../../.."

// telltale is a function that tells all that a build may put into it.
const telltale = `package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

func main() {
	_, file, _, _ := runtime.Caller(0)
	info, _ := debug.ReadBuildInfo()
	os.Stdout.WriteString(file + "\n" + info.String())
}
`

// write makes a module of the telltale in a folder.
func write(t *testing.T, folder string, functions ...string) {
	t.Helper()
	files := map[string]string{"go.mod": "module example\n\ngo 1.26\n"}
	for _, name := range functions {
		files["lambdas/"+name+"/main.go"] = telltale
	}
	for name, text := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func build(t *testing.T, o Options) []Artifact {
	t.Helper()
	artifacts, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return artifacts
}

// Two machines that share nothing: folders, caches, version control and what
// people have in their environment all differ.
func TestReproducibleAnywhere(t *testing.T) {
	here, there := t.TempDir(), filepath.Join(t.TempDir(), "a", "clone")
	write(t, here, "tell-tale")
	write(t, there, "tell-tale")
	if git, err := exec.LookPath("git"); err == nil {
		for _, arguments := range [][]string{
			{"init", "-q"}, {"add", "."},
			{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "commit", "-qm", "a"},
			{"tag", "v1.2.3"},
		} {
			cmd := exec.Command(git, append([]string{"-C", there}, arguments...)...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("git %v: %v\n%s", arguments, err, out)
			}
		}
	}
	o := Options{Functions: []string{"tell-tale"}, Architectures: []string{"amd64"}}
	o.Module, o.Out = here, t.TempDir()
	first := build(t, o)
	o.Module, o.Out = there, t.TempDir()
	o.Env = []string{
		"GOCACHE=" + t.TempDir(), "GOTMPDIR=" + t.TempDir(), "GOFLAGS=-buildvcs=true -modcacherw",
		"GOAMD64=v3", "CGO_ENABLED=1", "GOOS=plan9", "GOFIPS140=latest",
	}
	second := build(t, o)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Error(diff)
	}
}

// The trigger as it is deployed, from here and from a copy of the module.
func TestReproducible(t *testing.T) {
	clone := t.TempDir()
	for _, folder := range []string{"internal", "lambdas"} {
		copyFolder(t, filepath.Join(module, folder), filepath.Join(clone, folder))
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(clone, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Module: module, Out: t.TempDir(), Functions: []string{"migrate-user"}, Architectures: []string{runtime.GOARCH}}
	first := build(t, o)
	o.Module, o.Out = clone, t.TempDir()
	second := build(t, o)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Error(diff)
	}
}

// copyFolder copies all but the folders of tools.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if entry.IsDir() {
			if strings.HasPrefix(entry.Name(), ".") { // a tool's
				return filepath.SkipDir
			}
			return os.MkdirAll(target, 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBuild(t *testing.T) {
	folder, out := t.TempDir(), filepath.Join(t.TempDir(), "dist")
	write(t, folder, "b-function", "a", "a-function")
	if err := errors.Join(os.MkdirAll(out, 0o755), os.WriteFile(filepath.Join(out, "mine.txt"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	functions, err := Functions(folder)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Module: folder, Out: out, Functions: functions, Architectures: Architectures}
	artifacts := build(t, o)
	var names []string
	for _, a := range artifacts {
		names = append(names, a.Name())
		packed, err := os.ReadFile(filepath.Join(out, a.Name()+".zip"))
		if err != nil {
			t.Fatal(err)
		}
		binary, err := os.Stat(filepath.Join(out, a.Name(), "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		if binary.Mode().Perm()&0o111 == 0 || binary.Size() != a.Binary || int64(len(packed)) != a.Package || fmt.Sprintf("%x", sha256.Sum256(packed)) != a.Digest {
			t.Errorf("%+v: binary %s of %d bytes, package of %d", a, binary.Mode(), binary.Size(), len(packed))
		}
	}
	if diff := cmp.Diff([]string{"a-arm64", "a-amd64", "a-function-arm64", "a-function-amd64", "b-function-arm64", "b-function-amd64"}, names); diff != "" {
		t.Error(diff)
	}
	var left []string
	for _, entry := range entries(t, out) {
		if !strings.HasPrefix(entry, "a-") && !strings.HasPrefix(entry, "b-") {
			left = append(left, entry)
		}
	}
	if diff := cmp.Diff([]string{"SHA256SUMS", "mine.txt"}, left); diff != "" {
		t.Errorf("beside the artifacts\n%s", diff)
	}
	checkSums(t, out, artifacts)

	// What does not build takes nothing away.
	before, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "lambdas", "a", "main.go"), []byte("package main\n\nfunc main() { nothing() }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), o); err == nil || !strings.Contains(err.Error(), "build for arm64") || !strings.Contains(err.Error(), "undefined: nothing") {
		t.Errorf("a broken function: %v", err)
	}
	after, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("digests after a build that failed: %v", err)
	}
	if names := entries(t, out); slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, ".") }) {
		t.Errorf("left over: %v", names)
	}
}

// checkSums has the digests checked by sha256sum where there is one.
func checkSums(t *testing.T, out string, artifacts []Artifact) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, a := range artifacts {
		want = append(want, a.Digest+"  "+a.Name()+".zip")
	}
	got := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if !slices.IsSortedFunc(got, func(a, b string) int { return strings.Compare(a[66:], b[66:]) }) {
		t.Errorf("not sorted by name:\n%s", text)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if program, err := exec.LookPath("sha256sum"); err == nil {
		cmd := exec.Command(program, "--check", "--strict", "SHA256SUMS")
		cmd.Dir = out
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

func entries(t *testing.T, folder string) []string {
	t.Helper()
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(list))
	for i, entry := range list {
		names[i] = entry.Name()
	}
	return names
}

func TestFunctions(t *testing.T) {
	got, err := Functions(module)
	if err != nil || !slices.Contains(got, "migrate-user") || !slices.Contains(got, "close-reconciliation") {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Functions(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of an empty folder: %v", err)
	}
}

func TestMainRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no module", []string{"-module", t.TempDir()}, "run it in the module's folder"},
		{"argument", []string{"migrate-user"}, `"migrate-user" is none`},
		{"flag", []string{"-fast"}, "not defined: -fast"},
		{"go command", []string{"-module", module, "-out", t.TempDir(), "-go", "no-such-go"}, "no-such-go"},
	} {
		var out bytes.Buffer
		if err := Main(t.Context(), tt.args, &out); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v does not say %q", tt.name, err, tt.want)
		}
	}
}

func TestWrite(t *testing.T) {
	var out strings.Builder
	err := Write(&out, []Artifact{
		{Function: "migrate-user", Architecture: "arm64", Binary: 12 << 20, Package: 4<<20 + 300<<10, Digest: strings.Repeat("0a", 32), Go: "go1.26.8"},
		{Function: "seed-batch", Architecture: "amd64", Binary: 900 << 10, Package: 99, Digest: strings.Repeat("ff", 32), Go: "go1.26.8"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.TrimSpace(line))
	}
	want := []string{
		"function      arch    binary      zip  sha256 of the zip",
		"migrate-user  arm64   12 MiB  4.3 MiB  0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
		"seed-batch    amd64  900 KiB     99 B  ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"2 packages, built with go1.26.8; another Go gives other digests.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
