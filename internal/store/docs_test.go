package store_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/manifest"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
)

// TestManifestPage runs the commands of docs/manifest.md on the manifest that
// the page speaks of, and compares what they print.
func TestManifestPage(t *testing.T) {
	for _, tool := range []string{"sh", "jq", "zcat", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%v: the examples of docs/manifest.md are not run", err)
		}
	}
	folder := download(t)
	page, err := os.ReadFile("../../docs/manifest.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range strings.Split(string(page), "```console\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		for _, example := range strings.Split("\n"+block, "\n$ ")[1:] {
			command, want, _ := strings.Cut(example, "\n")
			cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
			cmd.Dir = folder
			got, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v", command, err)
			}
			if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(string(got))); diff != "" {
				t.Errorf("%s (-page +printed):\n%s", command, diff)
			}
			n++
		}
	}
	if n < 10 {
		t.Errorf("the page has %d examples", n)
	}
}

// TestManifestPageHasEveryKey: each key is in one row of the page's tables, and
// each row has a key.
func TestManifestPageHasEveryKey(t *testing.T) {
	page, err := os.ReadFile("../../docs/manifest.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{} // by pattern, keys
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]*/[^`]*|[a-z]+\\.[a-z]+)` \\| [^|]* \\| [^|]* \\|$").FindAllStringSubmatch(string(page), -1) {
		rows[row[1]] = 0
	}
	placeholder := regexp.MustCompile(`\b[A-Z]+\b`) // such as G; they stand for anything but a folder
	for _, key := range store.Keys() {
		found := 0
		for pattern := range rows {
			quoted := placeholder.ReplaceAllString(strings.ReplaceAll(pattern, ".", `\.`), `[^/]+`)
			if regexp.MustCompile("^" + quoted + "$").MatchString(key) {
				rows[pattern]++
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s is in %d rows of docs/manifest.md", key, found)
		}
	}
	for pattern, keys := range rows {
		if keys == 0 {
			t.Errorf("docs/manifest.md: nothing is ever at %s", pattern)
		}
	}
}

// download writes the run of the page into a folder.
func download(t *testing.T) string {
	t.Helper()
	bucket := memory.New()
	run, g := begin(t, bucket)
	someone := func(n, name string, status userpool.Status, enabled bool) userpool.User {
		return userpool.User{
			Sub: userpool.Sub("5d3c6a1e-0000-4000-8000-00000000000" + n), Username: name, Status: status, Enabled: enabled,
			Attributes: userpool.Attributes{"email": name + "@example.com", "email_verified": "true"},
			Created:    time.Date(2024, 5, 1, 8, 0, 0, 0, time.UTC), Modified: noon,
		}
	}
	c := manifest.NewCheckpoint(g.Origin, all, noon)
	c = step(t)(c.Advance("token", noon, stage(t, run, c.NextPart(), someone("1", "ann", "CONFIRMED", true), someone("2", "ben", "CONFIRMED", true))))
	c = step(t)(c.Advance("", noon, stage(t, run, c.NextPart(), someone("2", "ben", "RESET_REQUIRED", true), someone("3", "cyd", "CONFIRMED", false))))
	in := manifest.NewCheckpoint(g.Origin, groups, noon)
	in = step(t)(in.Advance("", noon, stageMembers(t, run, in.NextPart(), someone("1", "", "", true).Sub, someone("2", "", "", true).Sub)))
	commits, refs := map[string]manifest.Commit{}, map[string]manifest.DocumentRef{}
	for i, c := range []manifest.Checkpoint{c, in} {
		swap(t, run, c, "")
		commit, err := c.Commit(1-i, noon)
		if err == nil {
			commits[c.Shard.ID], refs[c.Shard.ID], err = run.CommitShard(t.Context(), commit)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	first := 1
	listed, err := run.WriteGroups(t.Context(), manifest.Groups{
		Origin: g.Origin, Listed: noon, Groups: []manifest.Group{{Name: "admins", Description: "may do anything", Precedence: &first}},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := g.Close(commits, refs, &listed, 3, noon)
	if err == nil {
		_, err = run.WriteManifest(t.Context(), m)
	}
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, key := range bucket.Keys() {
		o, err := bucket.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(folder, strings.TrimPrefix(key, "runs/"+runID+"/"))
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, o.Body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func stageMembers(t *testing.T, run *store.Run, h manifest.Header, subs ...userpool.Sub) manifest.PartRef {
	t.Helper()
	var buf bytes.Buffer
	w, err := manifest.NewPartWriter(&buf, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range subs {
		if err := w.Member(manifest.Member{Group: "admins", Sub: sub}); err != nil {
			t.Fatal(err)
		}
	}
	ref, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if ref, err = run.WritePart(t.Context(), h, buf.Bytes(), ref); err != nil {
		t.Fatal(err)
	}
	return ref
}
