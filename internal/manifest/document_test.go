package manifest

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// samples are one valid document of each kind and how it is read; testdata has
// them as they are stored, so that no change of the format goes unnoticed.
func samples(t testing.TB) map[string]sample {
	t.Helper()
	mapping, err := DigestOfMapping(userpool.Mapping{Rules: []userpool.Rule{{Drop: "custom:old"}}})
	if err != nil {
		t.Fatal(err)
	}
	// Made up: what real bytes compress to is up to the version of Go.
	ref := PartRef{
		Key: "gen-1/shards/all/1/part-00000.jsonl.gz", Count: 2, Bytes: 321, SHA256: DigestOf([]byte("stored")),
		ContentBytes: 667, ContentSHA256: DigestOf([]byte("content")),
	}
	precedence := 0
	open, err := NewCheckpoint(origin, all, noon).Advance("token==", noon, ref)
	if err != nil {
		t.Fatal(err)
	}
	failed, err := open.Fail(fault.Denied, "the export role refuses", noon)
	if err != nil {
		t.Fatal(err)
	}
	complete, err := open.Advance("", noon)
	if err != nil {
		t.Fatal(err)
	}
	commit, err := complete.Commit(1, noon)
	if err != nil {
		t.Fatal(err)
	}
	empty, err := NewCheckpoint(origin, groups, noon).Advance("", noon)
	if err != nil {
		t.Fatal(err)
	}
	noMembers, err := empty.Commit(0, noon)
	if err != nil {
		t.Fatal(err)
	}
	generation := Generation{Origin: origin, Shards: []Shard{all, groups}, Why: "counts_disagree", Opened: noon}
	closed, err := generation.Close(
		map[string]Commit{"all": commit, "groups": noMembers},
		map[string]DocumentRef{"all": {"gen-1/shards/all/commit.json", DigestOf([]byte("a"))}, "groups": {"gen-1/shards/groups/commit.json", DigestOf([]byte("g"))}},
		&DocumentRef{"gen-1/groups.json", DigestOf([]byte("groups"))}, 1, noon)
	if err != nil {
		t.Fatal(err)
	}
	plan := Plan{
		Run: "2026-11-prod", Source: Pool{"111111111111", "eu-west-1", "eu-west-1_aaaa"}, Target: Pool{Region: "eu-central-1", ID: "eu-central-1_bbbb"},
		MappingSHA256: mapping, Estimate: 2, Created: noon, CreatedBy: "arn:aws:sts::222222222222:assumed-role/plan-seeding/x",
		Shards: []Shard{{"0", Profiles, `sub ^= "0"`}, groups},
	}
	return map[string]sample{
		"plan":       {plan, func(b []byte) (any, error) { return DecodePlan(b) }},
		"generation": {generation, func(b []byte) (any, error) { return DecodeGeneration(b) }},
		"checkpoint": {open, func(b []byte) (any, error) { return DecodeCheckpoint(b) }},
		"failed":     {failed, func(b []byte) (any, error) { return DecodeCheckpoint(b) }},
		"commit":     {commit, func(b []byte) (any, error) { return DecodeCommit(b) }},
		"manifest":   {closed, func(b []byte) (any, error) { return DecodeManifest(b) }},
		"groups": {Groups{Origin: origin, Groups: []Group{{Name: "admins", Description: "<all>", Precedence: &precedence}, {Name: "users"}}, Listed: noon},
			func(b []byte) (any, error) { return DecodeGroups(b) }},
	}
}

type sample struct {
	doc interface {
		stored
		Encode() ([]byte, error)
	}
	read func([]byte) (any, error)
}

// TestDocumentsAreStoredAsEver fails when the bytes of a document change. With
// POOLFERRY_UPDATE=1 it writes testdata instead; a change of what version 1
// looks like is a version 2.
func TestDocumentsAreStoredAsEver(t *testing.T) {
	for name, s := range samples(t) {
		data, err := s.doc.Encode()
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name+".json")
		if os.Getenv("POOLFERRY_UPDATE") != "" {
			if err := os.WriteFile(golden, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(data)); diff != "" {
			t.Errorf("%s (-stored +now):\n%s", name, diff)
		}
		got, err := s.read(want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(any(s.doc), got); diff != "" {
			t.Errorf("%s (-written +read):\n%s", name, diff)
		}
	}
}

func TestDocumentsAreReadStrictly(t *testing.T) {
	for name, s := range samples(t) {
		data, err := s.doc.Encode()
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for what, tt := range map[string]struct{ text, want string }{
			"newer":          {strings.Replace(text, `"version":1`, `"version":2`, 1), "is of version 2, this poolferry knows version 1"},
			"newer, unknown": {`{"version":7,"anything":"else"}`, "is of version 7"},
			"no version":     {strings.Replace(text, `"version":1,`, ``, 1), "has no version"},
			"null version":   {strings.Replace(text, `"version":1`, `"version":null`, 1), "has no version"},
			"unknown member": {strings.Replace(text, `"version":1`, `"version":1,"password":"x"`, 1), `the member "password"`},
			"deeper":         {strings.Replace(text, `}`, `,"more":1}`, 1), `the member "more"`},
			"twice":          {strings.Replace(text, `"version":1`, `"version":1,"run":"other"`, 1), "not as poolferry writes it"},
			"other case":     {strings.Replace(text, `"run"`, `"Run"`, 1), "not as poolferry writes it"},
			"spaces":         {strings.Replace(text, `:`, `: `, 1), "not as poolferry writes it"},
			"torn":           {text[:len(text)/2], "torn or foreign"},
			"no line feed":   {strings.TrimSpace(text), "not as poolferry writes it"},
			"more":           {text + "{}", "torn or foreign"},
			"empty":          {"", "torn or foreign"},
			"array":          {"[]", "torn or foreign"},
			"null":           {"null", "no version"},
			"no UTF-8":       {strings.Replace(text, `"2026-11-prod"`, "\"\xff\"", 1), "not valid UTF-8"},
			"wrong type":     {strings.Replace(text, `"2026-11-prod"`, "7", 1), "wrong type"},
			"no run":         {strings.Replace(text, `"2026-11-prod"`, `""`, 1), "run"},
			"other zone":     {strings.Replace(text, `12:00:00Z`, `13:00:00+01:00`, 1), "not in UTC"},
		} {
			_, err := s.read([]byte(tt.text))
			wantInvalid(t, name+", "+what, err, tt.want)
		}
	}
}

// What is wrong in itself is neither written nor read.
func TestDocumentsAreChecked(t *testing.T) {
	docs := samples(t)
	_, ref := writePart(t, header, ann(1))
	plan, generation := docs["plan"].doc.(Plan), docs["generation"].doc.(Generation)
	checkpoint, failed := docs["checkpoint"].doc.(Checkpoint), docs["failed"].doc.(Checkpoint)
	commit, closed, listed := docs["commit"].doc.(Commit), docs["manifest"].doc.(Manifest), docs["groups"].doc.(Groups)
	tests := []struct {
		name string
		doc  interface{ Encode() ([]byte, error) }
		want string
	}{
		{"run", changed(plan, func(p *Plan) { p.Run = "../x" }), `run "../x"`},
		{"pool", changed(plan, func(p *Plan) { p.Source.ID = "" }), "source"},
		{"mapping", changed(plan, func(p *Plan) { p.MappingSHA256 = "abc" }), "mapping_sha256"},
		{"estimate", changed(plan, func(p *Plan) { p.Estimate = -1 }), "estimate -1"},
		{"no shards", changed(plan, func(p *Plan) { p.Shards = nil }), "shards are missing"},
		{"shard id", changed(plan, func(p *Plan) { p.Shards = []Shard{{ID: "a/b", Content: Profiles}} }), `"a/b"`},
		{"shard content", changed(plan, func(p *Plan) { p.Shards = []Shard{{ID: "a"}} }), "content"},
		{"shard twice", changed(plan, func(p *Plan) { p.Shards = []Shard{all, all} }), "twice"},
		{"created", changed(plan, func(p *Plan) { p.Created = time.Time{} }), "created is missing"},
		{"zone", changed(plan, func(p *Plan) { p.Created = noon.In(time.FixedZone("x", 60)) }), "not in UTC"},
		{"generation", changed(generation, func(g *Generation) { g.Generation = 0 }), "generation 0"},
		{"attempt", changed(checkpoint, func(c *Checkpoint) { c.Attempt = 0 }), "attempt 0"},
		{"state", changed(checkpoint, func(c *Checkpoint) { c.State = "done" }), `state "done"`},
		{"parts", changed(checkpoint, func(c *Checkpoint) { c.Parts = nil }), "parts are missing"},
		{"count", changed(checkpoint, func(c *Checkpoint) { c.Count = 7 }), "count 7"},
		{"part key", changed(checkpoint, func(c *Checkpoint) { c.Parts = []PartRef{{}} }), `key ""`},
		{"part twice", changed(checkpoint, func(c *Checkpoint) { c.Parts = append(c.Parts[:1:1], c.Parts[0]) }), "twice"},
		{"part size", changed(checkpoint, func(c *Checkpoint) {
			big := ref
			big.Bytes = MaxBytes + 1
			c.Parts = []PartRef{big}
		}), "impossible"},
		{"complete with cursor", changed(checkpoint, func(c *Checkpoint) { c.State = Complete }), "has a cursor"},
		{"open without cursor", changed(checkpoint, func(c *Checkpoint) { c.Cursor = "" }), "no cursor"},
		{"failed without failure", changed(failed, func(c *Checkpoint) { c.Failure = nil }), "failure"},
		{"open with failure", changed(failed, func(c *Checkpoint) { c.State = Open }), "failure"},
		{"repeats", changed(commit, func(c *Commit) { c.Repeats = 2 }), "repeats 2"},
		{"profiles", changed(closed, func(m *Manifest) { m.Profiles++ }), "profiles 2"},
		{"members", changed(closed, func(m *Manifest) { m.Members++ }), "members 1"},
		{"no commits", changed(closed, func(m *Manifest) { m.Shards = nil }), "shards are missing"},
		{"commit twice", changed(closed, func(m *Manifest) { m.Shards = append(m.Shards[:1:1], m.Shards[0]) }), "twice"},
		{"commit digest", changed(closed, func(m *Manifest) { m.Shards = []Committed{{ID: "all", Content: Profiles}} }), "shards[0]"},
		{"groups reference", changed(closed, func(m *Manifest) { m.Groups = &DocumentRef{} }), "key"},
		{"no groups", changed(listed, func(g *Groups) { g.Groups = nil }), "groups are missing"},
		{"group order", changed(listed, func(g *Groups) { g.Groups = []Group{{Name: "b"}, {Name: "a"}} }), `"a" is not behind "b"`},
		{"group text", changed(listed, func(g *Groups) { g.Groups = []Group{{Name: "b", Description: "\xff"}} }), "UTF-8"},
	}
	for _, tt := range tests {
		if _, err := tt.doc.Encode(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func changed[T any](doc T, change func(*T)) T {
	change(&doc)
	return doc
}

func TestDigestOfMapping(t *testing.T) {
	seen := map[Digest]bool{}
	for _, m := range []userpool.Mapping{
		{}, {Rules: []userpool.Rule{{Drop: "a"}}}, {Rules: []userpool.Rule{{Lower: "a"}}}, {Rules: []userpool.Rule{{Drop: "a"}, {Drop: "b"}}},
	} {
		d, err := DigestOfMapping(m)
		if again, _ := DigestOfMapping(m); err != nil || seen[d] || again != d || d.Check("x") != nil {
			t.Errorf("%v: got %s, %v", m, d, err)
		}
		seen[d] = true
	}
}

func TestCursorsDoNotPrint(t *testing.T) {
	const token = "CAIS-token"
	c := Checkpoint{Cursor: token}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "cursor", c.Cursor)
	printed := fmt.Sprint(c.Cursor) + fmt.Sprintf("%v %+v %#v %s %q %x", c, c, c, c.Cursor, c.Cursor, c.Cursor) + log.String()
	if strings.Contains(printed, token) || strings.Contains(printed, fmt.Sprintf("%x", token)) {
		t.Errorf("printed: %s", printed)
	}
}

func FuzzDocuments(f *testing.F) {
	docs := samples(f)
	for _, s := range docs {
		data, err := s.doc.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, s := range docs {
			got, err := s.read(data)
			if err != nil {
				if fault.KindOf(err) != fault.Invalid {
					t.Errorf("%s: %v is of kind %s", name, err, fault.KindOf(err))
				}
				continue
			}
			again, err := got.(interface{ Encode() ([]byte, error) }).Encode()
			if err != nil || !bytes.Equal(again, data) {
				t.Errorf("%s: written again it is %q (%v)", name, again, err)
			}
		}
	})
}
