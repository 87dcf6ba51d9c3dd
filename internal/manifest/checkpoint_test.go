package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
)

func TestAShardIsReadToItsEnd(t *testing.T) {
	c := NewCheckpoint(origin, all, noon)
	if got := c.NextPart(); got != header {
		t.Errorf("the first part is %+v", got)
	}
	_, one := writePart(t, c.NextPart(), ann(1), ann(2))
	c = must(c.Advance("t1", noon, one))(t)
	c = must(c.Advance("t2", noon))(t) // empty pages: no part
	_, two := writePart(t, c.NextPart(), ann(3))
	two.Key += "2"
	before := c
	c = must(c.Advance("", noon, two))(t)
	if c.State != Complete || c.Cursor != "" || c.Count != 3 || !cmp.Equal(c.Parts, []PartRef{one, two}) {
		t.Errorf("got %+v", c)
	}
	if len(before.Parts) != 1 || before.State != Open {
		t.Errorf("the checkpoint before was changed: %+v", before)
	}
	commit, err := c.Commit(1, noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := commit.Of(origin, all); err != nil || commit.Count != 3 || commit.PartHeader(1) != c.PartHeader(1) || c.PartHeader(1).Part != 1 {
		t.Errorf("got %+v, %v", commit, err)
	}
}

func TestAnExpiredCursorBeginsAnew(t *testing.T) {
	_, one := writePart(t, header, ann(1))
	c := must(NewCheckpoint(origin, all, noon).Advance("t1", noon, one))(t)
	failed := must(c.Fail(fault.Throttled, "gave up", noon))(t)
	for _, from := range []Checkpoint{c, failed} {
		again := must(from.Restart(noon))(t)
		want := NewCheckpoint(origin, all, noon)
		want.Attempt = 2
		if diff := cmp.Diff(want, again); diff != "" {
			t.Error(diff)
		}
	}
	if resumed := must(failed.Resume(noon))(t); !cmp.Equal(resumed, c) {
		t.Errorf("resumed: %+v", resumed)
	}
}

// What may follow what; everything else is a conflict.
func TestTransitions(t *testing.T) {
	open := must(NewCheckpoint(origin, all, noon).Advance("t", noon))(t)
	states := map[State]Checkpoint{Open: open, Failed: must(open.Fail(fault.Denied, "x", noon))(t), Complete: must(open.Advance("", noon))(t)}
	steps := map[string]struct {
		from []State
		step func(Checkpoint) (Checkpoint, error)
	}{
		"advance": {[]State{Open}, func(c Checkpoint) (Checkpoint, error) { return c.Advance("u", noon) }},
		"fail":    {[]State{Open}, func(c Checkpoint) (Checkpoint, error) { return c.Fail(fault.Denied, "x", noon) }},
		"resume":  {[]State{Failed}, func(c Checkpoint) (Checkpoint, error) { return c.Resume(noon) }},
		"restart": {[]State{Open, Failed}, func(c Checkpoint) (Checkpoint, error) { return c.Restart(noon) }},
		"commit": {[]State{Complete}, func(c Checkpoint) (Checkpoint, error) {
			_, err := c.Commit(0, noon)
			return c, err
		}},
	}
	for name, s := range steps {
		allowed := map[State]bool{}
		for _, from := range s.from {
			allowed[from] = true
		}
		for state, c := range states {
			next, err := s.step(c)
			switch {
			case allowed[state] && err != nil:
				t.Errorf("%s from %s: %v", name, state, err)
			case !allowed[state] && fault.KindOf(err) != fault.Conflict:
				t.Errorf("%s from %s: got %v, want a conflict", name, state, err)
			case err == nil:
				if _, err := next.Encode(); err != nil {
					t.Errorf("%s from %s: %v", name, state, err)
				}
			}
		}
	}
}

func TestWhoseIsIt(t *testing.T) {
	c := must(NewCheckpoint(origin, all, noon).Advance("", noon))(t)
	commit, err := c.Commit(0, noon)
	if err != nil {
		t.Fatal(err)
	}
	filtered := all
	filtered.Filter = `sub ^= "0"`
	other := origin
	other.Run = "other-run"
	for name, err := range map[string]error{
		"checkpoint of another run":   c.Of(other, all),
		"checkpoint of another shard": c.Of(origin, filtered),
		"commit of another run":       commit.Of(other, all),
		"commit of another shard":     commit.Of(origin, filtered),
		"another commit":              Committed{ID: "all", Content: Profiles, Count: 1}.Proves(commit),
	} {
		wantInvalid(t, name, err, "shard all")
	}
	if err := (Committed{ID: "all", Content: Profiles}).Proves(commit); err != nil {
		t.Error(err)
	}
	if origin.Same(origin) != nil || origin.Same(other) == nil {
		t.Error("an origin is not itself, or is another")
	}
	g := Generation{Origin: origin, Shards: []Shard{all, groups}, Opened: noon}
	if s, ok := g.Shard("groups"); !ok || s != groups {
		t.Errorf("got %v", s)
	}
	if _, ok := g.Shard("x"); ok {
		t.Error("there is no shard x")
	}
	if _, err := g.Close(map[string]Commit{"all": commit}, nil, nil, 0, noon); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a generation with a shard uncommitted: %v", err)
	}
	if _, err := g.Close(map[string]Commit{"all": commit, "groups": commit}, nil, nil, 0, noon); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a generation with another shard's commit: %v", err)
	}
}

func must(c Checkpoint, err error) func(*testing.T) Checkpoint {
	return func(t *testing.T) Checkpoint {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}
