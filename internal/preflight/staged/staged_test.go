package staged

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// shelf is a manifest in memory: generations of shards of parts of users.
type shelf struct {
	generations []generation
	read        int
}

type generation struct {
	closed bool
	shards []shard
}

type shard struct {
	committed bool
	parts     [][]userpool.User
}

var _ Store = (*shelf)(nil)

func notThere() error { return fault.New(fault.NotFound, "there is none") }

func (s *shelf) LatestGeneration(ctx context.Context) (manifest.Generation, error) {
	if len(s.generations) == 0 {
		return manifest.Generation{}, notThere()
	}
	return s.ReadGeneration(ctx, len(s.generations))
}

func (s *shelf) ReadGeneration(_ context.Context, n int) (manifest.Generation, error) {
	g := manifest.Generation{Origin: manifest.Origin{Run: "r1", Generation: n}, Opened: time.Unix(int64(n), 0)}
	for i := range s.generations[n-1].shards {
		g.Shards = append(g.Shards, manifest.Shard{ID: fmt.Sprint(i), Content: manifest.Profiles})
	}
	g.Shards = append(g.Shards, manifest.Shard{ID: "groups", Content: manifest.Members})
	return g, nil
}

func (s *shelf) ReadManifest(_ context.Context, of manifest.Origin) (manifest.Manifest, error) {
	if !s.generations[of.Generation-1].closed {
		return manifest.Manifest{}, notThere()
	}
	return manifest.Manifest{}, nil
}

func (s *shelf) shard(of manifest.Origin, id string) shard {
	var n int
	_, _ = fmt.Sscan(id, &n)
	return s.generations[of.Generation-1].shards[n]
}

func (s *shelf) refs(of manifest.Origin, id string) (refs []manifest.PartRef) {
	for i, part := range s.shard(of, id).parts {
		refs = append(refs, manifest.PartRef{Key: fmt.Sprintf("%d/%s/%d", of.Generation, id, i), Count: len(part)})
	}
	return refs
}

func (s *shelf) ReadCommit(_ context.Context, of manifest.Origin, sh manifest.Shard) (manifest.Commit, manifest.DocumentRef, error) {
	if !s.shard(of, sh.ID).committed {
		return manifest.Commit{}, manifest.DocumentRef{}, notThere()
	}
	return manifest.Commit{Origin: of, Shard: sh, Parts: s.refs(of, sh.ID)}, manifest.DocumentRef{}, nil
}

func (s *shelf) LoadCheckpoint(_ context.Context, of manifest.Origin, sh manifest.Shard) (manifest.Checkpoint, string, error) {
	if len(s.shard(of, sh.ID).parts) == 0 {
		return manifest.Checkpoint{}, "", notThere()
	}
	return manifest.Checkpoint{Origin: of, Shard: sh, Parts: s.refs(of, sh.ID)}, "", nil
}

func (s *shelf) ReadProfiles(_ context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[userpool.User, error] {
	return func(yield func(userpool.User, error) bool) {
		s.read++
		for _, u := range s.shard(h.Origin, h.Shard).parts[h.Part] {
			if !yield(u, nil) {
				return
			}
		}
	}
}

// target has name, of up to five characters, and a code that cannot be changed.
var target = userpool.Schema{
	"custom:legacy_sub": {Name: "custom:legacy_sub", Type: userpool.TypeString, Mutable: true},
	"name":              {Name: "name", Type: userpool.TypeString, Mutable: true, Max: new(int64(5))},
	"custom:code":       {Name: "custom:code", Type: userpool.TypeNumber},
}

func rules() Rules {
	return Rules{
		Target: target,
		Names: func(u userpool.User) []Name {
			return []Name{{strings.ToLower(u.Username), u.Username}}
		},
		Outlook: func(u userpool.User) string { return string(u.Status) },
	}
}

func user(sub, username string, attributes ...string) userpool.User {
	u := userpool.User{Sub: userpool.Sub(sub), Username: username, Enabled: true, Status: userpool.StatusConfirmed, Attributes: userpool.Attributes{}}
	for i := 0; i < len(attributes); i += 2 {
		u.Attributes[attributes[i]] = attributes[i+1]
	}
	return u
}

func TestCheck(t *testing.T) {
	federated := user("f", "ANN")
	federated.Status = userpool.StatusExternalProvider
	s := &shelf{generations: []generation{{closed: true, shards: []shard{{committed: true, parts: [][]userpool.User{{
		user("1", "ann", "name", "Ann", "custom:code", "1"),
		user("2", "Ann", "name", "Annabelle"),
		user("3", "bob", "custom:code", "x", "name", "Roberto"),
		user("4", "cid", "custom:gone", "x"),
	}, {
		federated,
		user("5", "dan", "custom:code", "x"), // and later not
		user("5", "dan", "custom:code", "5"),
		user("6", "ANN"), // and later under another name
		user("6", "eve"),
	}}}}}}}
	r := rules()
	r.Known = map[string]bool{"custom:gone": true}
	got, err := Check(t.Context(), s, r)
	if err != nil {
		t.Fatal(err)
	}
	want := Result{
		Generation: 1, Opened: time.Unix(1, 0), Closed: true, Users: 7,
		Refused: Unfit{Users: 1, Counts: []Count{{"custom:code", userpool.RuleType, 1}}, Subs: []userpool.Sub{"3"}},
		Trimmed: Unfit{Users: 2, Counts: []Count{{"name", userpool.RuleLength, 2}}, Subs: []userpool.Sub{"2", "3"}},
		Outlook: map[string]int{"CONFIRMED": 6, "EXTERNAL_PROVIDER": 1},
		Shared:  Shared{Names: 1, ByCase: 1, Users: 2, Subs: []userpool.Sub{"1", "2"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if s.read != 4 {
		t.Errorf("%d parts read, want each of two twice", s.read)
	}
}

func TestChoice(t *testing.T) {
	one := func(committed bool, subs ...string) shard {
		s := shard{committed: committed}
		for _, sub := range subs {
			s.parts = append(s.parts, []userpool.User{user(sub, sub)})
		}
		return s
	}
	for name, tt := range map[string]struct {
		generations []generation
		generation  int
		closed      bool
		users       int
	}{
		"the latest closed one":  {[]generation{{true, []shard{one(true, "1")}}, {true, []shard{one(true, "1", "2")}}, {false, []shard{one(true, "1")}}}, 2, true, 2},
		"as far as the one came": {[]generation{{false, []shard{one(true, "1"), one(false, "2", "3"), one(false)}}}, 1, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Check(t.Context(), &shelf{generations: tt.generations}, rules())
			if err != nil || got.Generation != tt.generation || got.Closed != tt.closed || got.Users != tt.users {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	if _, err := Check(t.Context(), &shelf{}, rules()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of nothing: %v", err)
	}
}

// TestSubsAreBounded: counts are of all, subs are not.
func TestSubsAreBounded(t *testing.T) {
	var part []userpool.User
	for i := range MostSubs + 500 {
		part = append(part, user(fmt.Sprintf("%06d", i), fmt.Sprint("Same", i%2), "custom:code", "x"))
	}
	got, err := Check(t.Context(), &shelf{generations: []generation{{true, []shard{{true, [][]userpool.User{part}}}}}}, rules())
	if err != nil {
		t.Fatal(err)
	}
	if got.Refused.Users != len(part) || len(got.Refused.Subs) != MostSubs || got.Shared.Users != len(part) || len(got.Shared.Subs) != MostSubs || got.Shared.Names != 2 {
		t.Errorf("%d refused, %d listed; %d share %d names, %d listed", got.Refused.Users, len(got.Refused.Subs), got.Shared.Users, got.Shared.Names, len(got.Shared.Subs))
	}
}

// endless yields users without holding them.
type endless struct {
	shelf
	users int
	heap  uint64
}

func (e *endless) ReadProfiles(context.Context, manifest.Header, manifest.PartRef) iter.Seq2[userpool.User, error] {
	return func(yield func(userpool.User, error) bool) {
		for i := range e.users {
			if i == e.users-1 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				e.heap = max(e.heap, m.HeapAlloc)
			}
			if !yield(user(fmt.Sprintf("%032x", i), fmt.Sprintf("user%d", i)), nil) {
				return
			}
		}
	}
}

func (e *endless) ReadCommit(_ context.Context, of manifest.Origin, sh manifest.Shard) (manifest.Commit, manifest.DocumentRef, error) {
	return manifest.Commit{Origin: of, Shard: sh, Parts: []manifest.PartRef{{Count: e.users}}}, manifest.DocumentRef{}, nil
}

// TestMemory: what is held is the filters and one user in a hundred, which is far
// from all of them.
func TestMemory(t *testing.T) {
	held := func(users int) uint64 {
		e := &endless{shelf: shelf{generations: []generation{{true, []shard{{}}}}}, users: users}
		if got, err := Check(t.Context(), e, rules()); err != nil || got.Users != users || got.Shared.Users != 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		return e.heap
	}
	if few, many := held(1_000), held(200_000); many > few+24<<20 {
		t.Errorf("%d bytes for a thousand users, %d for 200,000", few, many)
	}
}

func TestFilter(t *testing.T) {
	f := newFilter(100_000)
	for i := range 100_000 {
		f.add(fmt.Sprint(i))
		if i%10 == 0 {
			f.add(fmt.Sprint(i))
		}
	}
	wrong := 0
	for i := range 100_000 {
		switch again := f.again(fmt.Sprint(i)); {
		case i%10 == 0 && !again:
			t.Fatalf("%d was there twice", i)
		case i%10 != 0 && again:
			wrong++
		}
	}
	if wrong > 2000 {
		t.Errorf("%d of 90,000 are taken for repeated", wrong)
	}
}

func BenchmarkCheck(b *testing.B) {
	var part []userpool.User
	for i := range 10_000 {
		part = append(part, user(fmt.Sprintf("%032x", i), fmt.Sprintf("user%d", i), "name", "Annabelle"))
	}
	s := &shelf{generations: []generation{{true, []shard{{true, [][]userpool.User{part}}}}}}
	for b.Loop() {
		if _, err := Check(b.Context(), s, rules()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(len(part))/b.Elapsed().Seconds(), "users/s")
}

// TestOrderDoesNotMatter: the same users in any order of parts, but for users with
// several lines.
func TestOrderDoesNotMatter(t *testing.T) {
	part := []userpool.User{user("1", "a", "custom:code", "x"), user("2", "A"), user("3", "b", "name", "longer"), user("4", "c")}
	first, err := Check(t.Context(), &shelf{generations: []generation{{true, []shard{{true, [][]userpool.User{part}}}}}}, rules())
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(part)
	second, err := Check(t.Context(), &shelf{generations: []generation{{true, []shard{{true, [][]userpool.User{part[:2], part[2:]}}}}}}, rules())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("(-first +second)\n%s", diff)
	}
}
