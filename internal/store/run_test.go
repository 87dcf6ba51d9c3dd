package store_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
)

const runID = "2026-11-prod"

var (
	noon   = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	all    = manifest.Shard{ID: "all", Content: manifest.Profiles}
	groups = manifest.Shard{ID: "groups", Content: manifest.Members}
)

// begin writes plan and generation of a new run.
func begin(t *testing.T, bucket store.Bucket) (*store.Run, manifest.Generation) {
	t.Helper()
	run := store.NewRun(bucket, runID)
	plan := manifest.Plan{
		Run: runID, Source: manifest.Pool{Region: "eu-west-1", ID: "eu-west-1_a"}, Target: manifest.Pool{Region: "eu-central-1", ID: "eu-central-1_b"},
		MappingSHA256: manifest.DigestOf(nil), Shards: []manifest.Shard{all, groups}, Created: noon,
	}
	digest, err := run.WritePlan(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	g, err := run.OpenGeneration(t.Context(), manifest.Generation{
		Origin: manifest.Origin{Run: runID, Generation: 1, PlanSHA256: digest}, Shards: plan.Shards, Opened: noon,
	})
	if err != nil {
		t.Fatal(err)
	}
	return run, g
}

func person(sub string) userpool.User {
	return userpool.User{Sub: userpool.Sub(sub), Username: "u-" + sub, Attributes: userpool.Attributes{"name": sub}, Status: userpool.StatusConfirmed}
}

// stage writes a part of people.
func stage(t *testing.T, run *store.Run, h manifest.Header, people ...userpool.User) manifest.PartRef {
	t.Helper()
	var buf bytes.Buffer
	w, err := manifest.NewPartWriter(&buf, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range people {
		if err := w.Profile(u); err != nil {
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

func swap(t *testing.T, run *store.Run, c manifest.Checkpoint, tag string) string {
	t.Helper()
	tag, err := run.SwapCheckpoint(t.Context(), c, tag)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

func step(t *testing.T) func(manifest.Checkpoint, error) manifest.Checkpoint {
	return func(c manifest.Checkpoint, err error) manifest.Checkpoint {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// A run from plan to manifest, with a dead attempt on the way.
func TestRun(t *testing.T) {
	bucket := memory.New()
	run, g := begin(t, bucket)
	if _, _, err := run.LoadCheckpoint(t.Context(), g.Origin, all); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a checkpoint before the first: %v", err)
	}
	c := manifest.NewCheckpoint(g.Origin, all, noon)
	tag := swap(t, run, c, "")
	c = step(t)(c.Advance("t1", noon, stage(t, run, c.NextPart(), person("old"))))
	tag = swap(t, run, c, tag)
	c = step(t)(c.Restart(noon))
	tag = swap(t, run, c, tag)
	c = step(t)(c.Advance("t1", noon, stage(t, run, c.NextPart(), person("a"), person("b"))))
	tag = swap(t, run, c, tag)
	c = step(t)(c.Advance("", noon, stage(t, run, c.NextPart(), person("b"), person("c"))))
	swap(t, run, c, tag)
	empty := step(t)(manifest.NewCheckpoint(g.Origin, groups, noon).Advance("", noon))
	swap(t, run, empty, "")

	loaded, _, err := run.LoadCheckpoint(t.Context(), g.Origin, all)
	if diff := cmp.Diff(c, loaded); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	commits, refs := map[string]manifest.Commit{}, map[string]manifest.DocumentRef{}
	for i, c := range []manifest.Checkpoint{c, empty} {
		commit, err := c.Commit(1-i, noon)
		if err != nil {
			t.Fatal(err)
		}
		if commits[c.Shard.ID], refs[c.Shard.ID], err = run.CommitShard(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
		late := commit
		late.Committed = noon.Add(time.Hour)
		first, ref, err := run.CommitShard(t.Context(), late)
		if err != nil || ref != refs[c.Shard.ID] || !first.Committed.Equal(noon) {
			t.Errorf("committed twice: %v, %v, %v", first.Committed, ref, err)
		}
	}
	listed, err := run.WriteGroups(t.Context(), manifest.Groups{Origin: g.Origin, Groups: []manifest.Group{}, Listed: noon})
	if err != nil {
		t.Fatal(err)
	}
	m, err := g.Close(commits, refs, &listed, 3, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.WriteManifest(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if n, err := run.SweepShard(t.Context(), commits["all"]); n != 1 || err != nil {
		t.Errorf("swept %d: %v", n, err)
	}
	wantKeys(t, bucket, commits["all"])
	readBack(t, run, g)
}

// wantKeys spells out where everything is.
func wantKeys(t *testing.T, bucket *memory.Bucket, c manifest.Commit) {
	t.Helper()
	want := []string{
		"runs/2026-11-prod/gen-1/generation.json",
		"runs/2026-11-prod/gen-1/groups.json",
		"runs/2026-11-prod/gen-1/manifest.json",
		"runs/2026-11-prod/gen-1/shards/all/2/part-00000-" + string(c.Parts[0].SHA256[:12]) + ".jsonl.gz",
		"runs/2026-11-prod/gen-1/shards/all/2/part-00001-" + string(c.Parts[1].SHA256[:12]) + ".jsonl.gz",
		"runs/2026-11-prod/gen-1/shards/all/checkpoint.json",
		"runs/2026-11-prod/gen-1/shards/all/commit.json",
		"runs/2026-11-prod/gen-1/shards/groups/checkpoint.json",
		"runs/2026-11-prod/gen-1/shards/groups/commit.json",
		"runs/2026-11-prod/plan.json",
	}
	if diff := cmp.Diff(want, bucket.Keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// readBack follows the references from the plan to the lines.
func readBack(t *testing.T, run *store.Run, opened manifest.Generation) {
	t.Helper()
	_, digest, err := run.ReadPlan(t.Context())
	if err != nil || digest != opened.PlanSHA256 {
		t.Fatalf("plan %s: %v", digest, err)
	}
	g, err := run.LatestGeneration(t.Context())
	if diff := cmp.Diff(opened, g); err != nil || diff != "" {
		t.Fatalf("%v %s", err, diff)
	}
	m, err := run.ReadManifest(t.Context(), g.Origin)
	if err != nil || m.Profiles != 3 || m.Members != 0 {
		t.Fatalf("got %+v, %v", m, err)
	}
	if _, ref, err := run.ReadGroups(t.Context(), g.Origin); err != nil || ref != *m.Groups {
		t.Errorf("groups %v: %v", ref, err)
	}
	var subs []string
	for _, s := range m.Shards {
		shard, _ := g.Shard(s.ID)
		c, ref, err := run.ReadCommit(t.Context(), g.Origin, shard)
		if err != nil || ref != s.Commit || s.Proves(c) != nil {
			t.Fatalf("commit %v: %v", ref, err)
		}
		for i, p := range c.Parts {
			for u, err := range run.ReadProfiles(t.Context(), c.PartHeader(i), p) {
				if err != nil {
					t.Fatal(err)
				}
				subs = append(subs, string(u.Sub))
			}
		}
	}
	if got := strings.Join(subs, " "); got != "a b b c" {
		t.Errorf("got %s", got)
	}
}

func TestTheFirstStands(t *testing.T) {
	bucket := memory.New()
	run, g := begin(t, bucket)
	plan, _, err := run.ReadPlan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.WritePlan(t.Context(), plan); err != nil {
		t.Errorf("the same plan again: %v", err)
	}
	plan.Estimate++
	if _, err := run.WritePlan(t.Context(), plan); fault.KindOf(err) != fault.AlreadyExists {
		t.Errorf("another plan: %v", err)
	}
	other := g
	other.Shards = []manifest.Shard{all}
	if got, err := run.OpenGeneration(t.Context(), other); err != nil || !cmp.Equal(got, g) {
		t.Errorf("opened twice: %v, %v", got, err)
	}
	done := step(t)(manifest.NewCheckpoint(g.Origin, all, noon).Advance("", noon))
	commit, err := done.Commit(0, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := run.CommitShard(t.Context(), commit); err != nil {
		t.Fatal(err)
	}
	commit.Attempt = 2
	if _, _, err := run.CommitShard(t.Context(), commit); fault.KindOf(err) != fault.Conflict {
		t.Errorf("another commit: %v", err)
	}
	m := manifest.Manifest{Origin: g.Origin, Closed: noon, Shards: []manifest.Committed{{
		ID: "all", Content: manifest.Profiles, Commit: manifest.DocumentRef{Key: "k", SHA256: manifest.DigestOf(nil)},
	}}}
	if _, err := run.WriteManifest(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	late := m
	late.Closed, late.Estimate = noon.Add(time.Hour), 7
	if got, err := run.WriteManifest(t.Context(), late); err != nil || got.Estimate != 0 {
		t.Errorf("closed twice: %+v, %v", got, err)
	}
	m.Shards[0].Commit.Key = "l"
	if _, err := run.WriteManifest(t.Context(), m); fault.KindOf(err) != fault.Conflict {
		t.Errorf("another manifest: %v", err)
	}
}

// Documents of another run under our keys are not ours, nor is what is changed.
func TestForeignDocumentsAreRefused(t *testing.T) {
	bucket := memory.New()
	run, g := begin(t, bucket)
	c := step(t)(manifest.NewCheckpoint(g.Origin, all, noon).Advance("", noon))
	swap(t, run, c, "")
	commit, err := c.Commit(0, noon)
	if err != nil {
		t.Fatal(err)
	}
	_, ref, err := run.CommitShard(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.WriteGroups(t.Context(), manifest.Groups{Origin: g.Origin, Groups: []manifest.Group{}, Listed: noon}); err != nil {
		t.Fatal(err)
	}
	m := manifest.Manifest{Origin: g.Origin, Closed: noon, Shards: []manifest.Committed{{ID: "all", Content: manifest.Profiles, Commit: ref}}}
	if _, err := run.WriteManifest(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	const theirs = "2025-01-test"
	for _, key := range bucket.Keys() {
		o, err := bucket.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		moved := strings.Replace(key, runID, theirs, 1)
		if _, err := bucket.Put(t.Context(), moved, o.Body, store.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	of := g.Origin
	of.Run = theirs
	foreign := store.NewRun(bucket, theirs)
	_, _, planErr := foreign.ReadPlan(t.Context())
	_, genErr := foreign.LatestGeneration(t.Context())
	_, _, checkpointErr := foreign.LoadCheckpoint(t.Context(), of, all)
	_, _, commitErr := foreign.ReadCommit(t.Context(), of, all)
	_, manifestErr := foreign.ReadManifest(t.Context(), of)
	_, _, groupsErr := foreign.ReadGroups(t.Context(), of)
	for name, err := range map[string]error{
		"plan.json": planErr, "gen-1/generation.json": genErr, "gen-1/shards/all/checkpoint.json": checkpointErr,
		"gen-1/shards/all/commit.json": commitErr, "gen-1/manifest.json": manifestErr, "gen-1/groups.json": groupsErr,
	} {
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "runs/"+theirs+"/"+name) || !strings.Contains(err.Error(), runID) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestPartsThatAreNotThereOrElsewhere(t *testing.T) {
	bucket := memory.New()
	run, g := begin(t, bucket)
	h := manifest.NewCheckpoint(g.Origin, all, noon).NextPart()
	ref := stage(t, run, h, person("a"))
	read := func(h manifest.Header, ref manifest.PartRef) error {
		for _, err := range run.ReadProfiles(t.Context(), h, ref) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := read(h, ref); err != nil {
		t.Fatal(err)
	}
	second := h
	second.Part = 1
	if err := read(second, ref); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "is referred to where") {
		t.Errorf("in another place: %v", err)
	}
	bucket.FailNext(memory.Get, fault.Unavailable, 1)
	if err := read(h, ref); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("unavailable: %v", err)
	}
	key := "runs/" + runID + "/" + ref.Key
	if _, err := bucket.Put(t.Context(), key, []byte("something else"), store.Condition{}); err != nil {
		t.Fatal(err)
	}
	if err := read(h, ref); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), key) {
		t.Errorf("replaced: %v", err)
	}
	if err := bucket.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := read(h, ref); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), key+" is missing") {
		t.Errorf("missing: %v", err)
	}
	if _, err := run.WritePart(t.Context(), h, []byte("x"), ref); fault.KindOf(err) != fault.Internal {
		t.Errorf("a reference to other bytes: %v", err)
	}
}

// The SDK repeats a write whose answer was lost, and the repetition meets what
// the first has written.
func TestAWriteThatMeetsItself(t *testing.T) {
	bucket := memory.New()
	run, g := begin(t, bucket)
	c := manifest.NewCheckpoint(g.Origin, all, noon)
	for i := range 2 {
		tag := ""
		if i > 0 {
			_, tag, _ = run.LoadCheckpoint(t.Context(), g.Origin, all)
			c = step(t)(c.Advance("t1", noon))
		}
		bucket.LoseNext(memory.Put, fault.Unavailable, 1)
		if _, err := run.SwapCheckpoint(t.Context(), c, tag); fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("lost: %v", err)
		}
		again, err := run.SwapCheckpoint(t.Context(), c, tag)
		if err != nil {
			t.Fatalf("repeated: %v", err)
		}
		if _, now, err := run.LoadCheckpoint(t.Context(), g.Origin, all); err != nil || now != again {
			t.Errorf("the tag is %s, not %s: %v", now, again, err)
		}
		other := c
		other.Updated = noon.Add(time.Second)
		if _, err := run.SwapCheckpoint(t.Context(), other, tag); fault.KindOf(err) != fault.Conflict {
			t.Errorf("another's: %v", err)
		}
	}
}

func TestSweepStopsAtTrouble(t *testing.T) {
	bucket := memory.New()
	run, g := begin(t, bucket)
	stage(t, run, manifest.NewCheckpoint(g.Origin, all, noon).NextPart(), person("orphan"))
	done := step(t)(manifest.NewCheckpoint(g.Origin, all, noon).Advance("", noon))
	commit, err := done.Commit(0, noon)
	if err != nil {
		t.Fatal(err)
	}
	bucket.FailNext(memory.List, fault.Denied, 1)
	bucket.FailNext(memory.Delete, fault.Throttled, 1)
	for _, want := range []fault.Kind{fault.Denied, fault.Throttled} {
		if n, err := run.SweepShard(t.Context(), commit); n != 0 || fault.KindOf(err) != want {
			t.Errorf("swept %d: %v, want %s", n, err, want)
		}
	}
	if n, err := run.SweepShard(t.Context(), commit); n != 1 || err != nil {
		t.Errorf("swept %d: %v", n, err)
	}
}
