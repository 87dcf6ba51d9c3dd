package census_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/seeding/census"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
)

const runID = "2026-11-prod"

var noon = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

// sub is a UUID that begins with a digit.
func sub(digit string, n int) userpool.Sub {
	return userpool.Sub(fmt.Sprintf("%s0000000-0000-4000-8000-%012d", digit, n))
}

func person(s userpool.Sub, name string) userpool.User {
	return userpool.User{
		Sub: s, Username: "u-" + string(s), Attributes: userpool.Attributes{"name": name}, Enabled: true,
		Status: userpool.StatusConfirmed, Created: noon, Modified: noon,
	}
}

// stage is a run in a bucket, written without package seeding.
type stage struct {
	t      *testing.T
	bucket *memory.Bucket
	run    *store.Run
	digest manifest.Digest
}

func newStage(t *testing.T) *stage {
	t.Helper()
	bucket := memory.New()
	s := &stage{t: t, bucket: bucket, run: store.NewRun(bucket, runID)}
	digest, err := s.run.WritePlan(t.Context(), manifest.Plan{
		Run: runID, Source: manifest.Pool{Region: "eu-west-1", ID: "eu-west-1_a"}, Target: manifest.Pool{Region: "eu-central-1", ID: "eu-central-1_b"},
		MappingSHA256: manifest.DigestOf(nil), Shards: []manifest.Shard{{ID: "all", Content: manifest.Profiles}}, Created: noon,
	})
	s.check(err)
	s.digest = digest
	return s
}

func (s *stage) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// slice is a shard and the parts that it gets.
type slice struct {
	shard   manifest.Shard
	users   [][]userpool.User
	members [][]manifest.Member
	repeats int
}

// generation writes a closed generation.
func (s *stage) generation(n int, slices ...slice) {
	s.t.Helper()
	ctx := s.t.Context()
	g := manifest.Generation{Origin: manifest.Origin{Run: runID, Generation: n, PlanSHA256: s.digest}, Opened: noon}
	groups := manifest.Groups{Origin: g.Origin, Groups: []manifest.Group{{Name: "staff"}, {Name: "vip"}}, Listed: noon}
	groupsRef, err := s.run.WriteGroups(ctx, groups)
	s.check(err)
	for _, slice := range slices {
		g.Shards = append(g.Shards, slice.shard)
	}
	_, err = s.run.OpenGeneration(ctx, g)
	s.check(err)
	commits, refs := map[string]manifest.Commit{}, map[string]manifest.DocumentRef{}
	for _, slice := range slices {
		c := manifest.NewCheckpoint(g.Origin, slice.shard, noon)
		var parts []manifest.PartRef
		add := func(write func(*manifest.PartWriter) error) {
			var buf bytes.Buffer
			h := c.PartHeader(len(parts))
			w, err := manifest.NewPartWriter(&buf, h)
			s.check(err)
			s.check(write(w))
			ref, err := w.Close()
			s.check(err)
			ref, err = s.run.WritePart(ctx, h, buf.Bytes(), ref)
			s.check(err)
			parts = append(parts, ref)
		}
		for _, users := range slice.users {
			add(func(w *manifest.PartWriter) error {
				for _, u := range users {
					s.check(w.Profile(u))
				}
				return nil
			})
		}
		for _, members := range slice.members {
			add(func(w *manifest.PartWriter) error {
				for _, m := range members {
					s.check(w.Member(m))
				}
				return nil
			})
		}
		c, err := c.Advance("", noon, parts...)
		s.check(err)
		if repeats, err := census.Repeats(ctx, s.run, c); err != nil || repeats != slice.repeats && slice.repeats >= 0 {
			s.t.Fatalf("shard %s: %d repeats, want %d: %v", slice.shard.ID, repeats, slice.repeats, err)
		}
		commit, err := c.Commit(max(slice.repeats, 0), noon)
		s.check(err)
		commits[slice.shard.ID], refs[slice.shard.ID] = commit, manifest.DocumentRef{}
		_, refs[slice.shard.ID], err = s.run.CommitShard(ctx, commit)
		s.check(err)
	}
	m, err := g.Close(commits, refs, &groupsRef, 7, noon)
	s.check(err)
	_, err = s.run.WriteManifest(ctx, m)
	s.check(err)
}

var (
	all     = manifest.Shard{ID: "all", Content: manifest.Profiles}
	members = manifest.Shard{ID: "groups", Content: manifest.Members}
)

func prefix(digit string) manifest.Shard {
	return manifest.Shard{ID: digit, Content: manifest.Profiles, Filter: manifest.PrefixFilter(digit)}
}

// ordinary is a generation with repeats and memberships.
func (s *stage) ordinary(n int) {
	s.t.Helper()
	ann, bob := sub("a", 1), sub("b", 1)
	s.generation(n,
		slice{shard: prefix("a"), users: [][]userpool.User{{person(ann, "1"), person(sub("a", 2), "1")}, {person(ann, "2")}}, repeats: 1},
		slice{shard: prefix("b"), users: [][]userpool.User{{person(bob, "1")}}},
		slice{shard: prefix("c")},
		slice{shard: members, members: [][]manifest.Member{{{Group: "staff", Sub: ann}, {Group: "staff", Sub: bob}}, {{Group: "staff", Sub: ann}, {Group: "vip", Sub: ann}}}, repeats: 1},
	)
}

func TestVerify(t *testing.T) {
	s := newStage(t)
	s.ordinary(1)
	got, err := census.Verify(t.Context(), s.run, 1)
	if err != nil || got.Err() != nil {
		t.Fatal(err, got.Err())
	}
	want := census.Report{Generation: 1, Shards: 4, Parts: 5, Profiles: 3, Members: 3, Repeats: 2, Groups: 2, Estimate: 7, Bytes: got.Bytes}
	if diff := cmp.Diff(want, got); diff != "" || got.Bytes == 0 {
		t.Error(diff)
	}
	if _, err := census.Verify(t.Context(), s.run, 2); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such generation: %v", err)
	}
	open := manifest.Generation{Origin: manifest.Origin{Run: runID, Generation: 2, PlanSHA256: s.digest}, Shards: []manifest.Shard{all}, Opened: noon}
	_, err = s.run.OpenGeneration(t.Context(), open)
	s.check(err)
	if _, err := census.Verify(t.Context(), s.run, 2); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "not closed yet") {
		t.Errorf("not closed: %v", err)
	}
}

// TestVerifyFindsEveryChange flips a bit in every byte of every part, and in
// many of every document, cuts every object at many lengths, and deletes every
// object. The finding names the object.
func TestVerifyFindsEveryChange(t *testing.T) {
	s := newStage(t)
	s.ordinary(1)
	for _, key := range s.bucket.Keys() {
		o, err := s.bucket.Get(t.Context(), key)
		s.check(err)
		stride := 5
		if strings.HasSuffix(key, ".gz") {
			stride = 1
		}
		for i := 0; i < len(o.Body); i += stride {
			flipped := bytes.Clone(o.Body)
			flipped[i] ^= 1
			s.put(key, flipped)
			s.wantFinding(key, fmt.Sprintf("flipped at byte %d", i))
			if i%7 == 0 {
				s.put(key, o.Body[:i])
				s.wantFinding(key, fmt.Sprintf("cut at byte %d", i))
			}
		}
		s.check(s.bucket.Delete(t.Context(), key))
		s.wantFinding(key, "deleted")
		s.put(key, o.Body)
	}
	if report, err := census.Verify(t.Context(), s.run, 1); err != nil || report.Err() != nil {
		t.Error(err, report.Err())
	}
}

func (s *stage) put(key string, body []byte) {
	s.t.Helper()
	_, err := s.bucket.Put(s.t.Context(), key, body, store.Condition{})
	s.check(err)
}

func (s *stage) wantFinding(key, what string) {
	s.t.Helper()
	report, err := census.Verify(s.t.Context(), s.run, 1)
	if err == nil {
		err = report.Err()
	}
	name := strings.TrimPrefix(key, "runs/"+runID+"/")
	switch name {
	case "plan.json", "gen-1/generation.json", "gen-1/manifest.json":
		// Nothing vouches for these but what they say of others, so the finding
		// may name one of those.
		if err == nil && !s.harmless() {
			s.t.Errorf("%s %s: found nothing", key, what)
		}
	default:
		if err == nil || !strings.Contains(err.Error(), name) {
			s.t.Errorf("%s %s: found %v", key, what, err)
		}
	}
}

// harmless reports whether only times and the pool's estimate were changed,
// which nothing else speaks of.
func (s *stage) harmless() bool {
	s.t.Helper()
	g, err := s.run.ReadGeneration(s.t.Context(), 1)
	s.check(err)
	m, err := s.run.ReadManifest(s.t.Context(), g.Origin)
	s.check(err)
	return !g.Opened.Equal(noon) || !m.Closed.Equal(noon) || m.Estimate != 7
}

// TestVerifyProves finds what digests alone do not: manifests that were written
// by somebody who was wrong.
func TestVerifyProves(t *testing.T) {
	ann := sub("a", 1)
	for want, slices := range map[string][]slice{
		"gen-1/shards/all/commit.json: it says 3 lines and 0 repeats, there are 3 and 1": {
			{shard: all, users: [][]userpool.User{{person(ann, "1"), person(sub("a", 2), "1")}, {person(ann, "2")}}, repeats: -1}},
		"belong into shard a": {{shard: prefix("a"), users: [][]userpool.User{{person(sub("b", 1), "1")}}}},
		"generation: 1 of its shards overlap": {
			{shard: all, users: [][]userpool.User{{person(ann, "1")}}}, {shard: prefix("a"), users: [][]userpool.User{{person(ann, "1")}}}},
		`members of the group "nobody's"`: {{shard: members, members: [][]manifest.Member{{{Group: "nobody's", Sub: ann}}}}},
	} {
		t.Run(want, func(t *testing.T) {
			s := newStage(t)
			s.generation(1, slices...)
			report, err := census.Verify(t.Context(), s.run, 1)
			if err != nil || report.Err() == nil || !strings.Contains(report.Err().Error(), want) {
				t.Errorf("%v, found %v", err, report.Err())
			}
			if fault.KindOf(report.Err()) != fault.Invalid {
				t.Errorf("kind %s", fault.KindOf(report.Err()))
			}
		})
	}
}

// TestVerifyCannotLook: trouble with the bucket is no finding.
func TestVerifyCannotLook(t *testing.T) {
	s := newStage(t)
	s.ordinary(1)
	for n := range 13 {
		bucket := failing{Bucket: s.bucket, left: &atomic.Int64{}}
		bucket.left.Store(int64(n))
		report, err := census.Verify(t.Context(), store.NewRun(bucket, runID), 1)
		if fault.KindOf(err) != fault.Unavailable || len(report.Problems) > 0 {
			t.Errorf("failing at call %d: %v, %v", n, err, report.Problems)
		}
	}
}

// failing answers so many calls of Get, and then no more.
type failing struct {
	*memory.Bucket
	left *atomic.Int64
}

func (f failing) Get(ctx context.Context, key string) (store.Object, error) {
	if f.left.Add(-1) < 0 {
		return store.Object{}, fault.New(fault.Unavailable, "get %s: down", key)
	}
	return f.Bucket.Get(ctx, key)
}

func TestDiff(t *testing.T) {
	a, b, c, d := sub("a", 1), sub("b", 1), sub("c", 1), userpool.Sub("no UUID")
	s := newStage(t)
	s.generation(1,
		slice{shard: prefix("a"), users: [][]userpool.User{{person(a, "old")}, {person(a, "same")}}, repeats: 1},
		slice{shard: prefix("b"), users: [][]userpool.User{{person(b, "old")}}},
		slice{shard: prefix("c"), users: [][]userpool.User{{person(c, "1")}}},
		slice{shard: members, members: [][]manifest.Member{{{Group: "staff", Sub: a}, {Group: "staff", Sub: b}}}},
	)
	s.generation(2, // in other shards, in another order
		slice{shard: all, users: [][]userpool.User{{person(d, "1"), person(b, "newer")}, {person(b, "new"), person(a, "same")}}, repeats: 1},
		slice{shard: members, members: [][]manifest.Member{{{Group: "staff", Sub: b}, {Group: "vip", Sub: b}}}},
	)
	want := []census.Change{
		{census.Removed, a, "staff"}, {census.Changed, b, ""}, {census.Added, b, "vip"}, {census.Removed, c, ""}, {census.Added, d, ""},
	}
	for _, most := range []int{1000, 3, 1} {
		got := s.changes(1, 2, most)
		if most < 1000 { // in rounds, so in another order
			index := map[census.Change]bool{}
			for _, c := range got {
				index[c] = true
			}
			if len(got) != len(want) {
				t.Errorf("%d at once: %v", most, got)
			}
			for _, c := range want {
				if !index[c] {
					t.Errorf("%d at once: %v is missing", most, c)
				}
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if got := s.changes(2, 2, 3); len(got) > 0 {
		t.Errorf("a generation differs from itself: %v", got)
	}
	for _, err := range census.Diff(t.Context(), s.run, 1, 3) {
		if fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
	}
	next, leave := iter.Pull2(census.Diff(t.Context(), s.run, 1, 2))
	if _, err, more := next(); err != nil || !more {
		t.Error(err)
	}
	leave() // whoever has seen enough may leave
}

func (s *stage) changes(from, to, most int) (all []census.Change) {
	s.t.Helper()
	for c, err := range census.DiffWith(s.t.Context(), s.run, from, to, most) {
		s.check(err)
		all = append(all, c)
	}
	return all
}

func TestDiffRefuses(t *testing.T) {
	s := newStage(t)
	s.ordinary(1)
	s.ordinary(2)
	for _, key := range s.bucket.Keys() {
		if strings.HasSuffix(key, "plan.json") || strings.HasSuffix(key, "checkpoint.json") || strings.HasSuffix(key, "groups.json") {
			continue // which it does not read
		}
		o, err := s.bucket.Get(t.Context(), key)
		s.check(err)
		o.Body[len(o.Body)/2] ^= 1
		s.put(key, o.Body)
		var found error
		for _, err := range census.Diff(t.Context(), s.run, 1, 2) {
			found = err
		}
		if fault.KindOf(found) != fault.Invalid || !strings.Contains(found.Error(), strings.TrimPrefix(key, "runs/"+runID+"/")) {
			t.Errorf("%s: %v", key, found)
		}
		o.Body[len(o.Body)/2] ^= 1
		s.put(key, o.Body)
	}
}
