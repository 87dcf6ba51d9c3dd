package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/seeding"
	"poolferry/internal/seeding/census"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
	"poolferry/tools/golden"
	"poolferry/tools/inspect"
)

const runID = "2026-11-prod"

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// pool is a source pool of one page.
type pool struct {
	users  []userpool.User
	admins []userpool.Sub
}

func (p *pool) Describe(context.Context) (seeding.Description, error) {
	return seeding.Description{Users: len(p.users), Attributes: []string{"sub", "email"}}, nil
}

func (p *pool) ListUsers(context.Context, string, manifest.Cursor) (page seeding.Page[userpool.User], _ error) {
	for _, u := range p.users {
		u.Attributes = u.Attributes.Clone()
		page.Items = append(page.Items, u)
	}
	return page, nil
}

func (p *pool) ListGroups(context.Context, manifest.Cursor) (seeding.Page[manifest.Group], error) {
	return seeding.Page[manifest.Group]{Items: []manifest.Group{{Name: "admins"}}}, nil
}

func (p *pool) ListUsersInGroup(context.Context, string, manifest.Cursor) (seeding.Page[userpool.Sub], error) {
	return seeding.Page[userpool.Sub]{Items: p.admins}, nil
}

func sub(n int) userpool.Sub {
	return userpool.Sub(fmt.Sprintf("%x0000000-0000-4000-8000-%012d", n%16, n))
}

func person(n int) userpool.User {
	return userpool.User{
		Sub: sub(n), Username: fmt.Sprintf("person-%d", n), Enabled: true, Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{"email": fmt.Sprintf("person-%d@example.com", n), "name": "Ann\x1b[31m"},
		Created:    noon.AddDate(-1, 0, 0), Modified: noon,
	}
}

// staged is a run whose pool was staged once.
type staged struct {
	t      *testing.T
	pool   *pool
	bucket *memory.Bucket
	run    *store.Run
	s      *seeding.Seeding
}

func newStaged(t *testing.T) *staged {
	bucket := memory.New()
	w := &staged{t: t, pool: &pool{admins: []userpool.Sub{sub(2)}}, bucket: bucket, run: store.NewRun(bucket, runID)}
	for n := range 5 {
		w.pool.users = append(w.pool.users, person(n))
	}
	w.s = seeding.New(seeding.Options{
		Run: runID, CreatedBy: "arn:aws:sts::222233334444:assumed-role/poolferry/seeding",
		Source: manifest.Pool{Account: "111122223333", Region: "eu-west-1", ID: "eu-west-1_old"},
		Target: manifest.Pool{Region: "eu-central-1", ID: "eu-central-1_new"}, PerSecond: 1000,
		Directory: w.pool, Store: w.run, Now: func() time.Time { return noon },
	})
	return w
}

// stage stages a generation, but for the shards that are left out.
func (w *staged) stage(generation int, leave ...string) {
	w.t.Helper()
	ctx := w.t.Context()
	plan, err := w.s.Plan(ctx, seeding.PlanInput{Run: runID, Generation: generation})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, item := range plan.Shards {
		for more := true; more && !strings.Contains(strings.Join(leave, " "), item.Shard); {
			out, err := w.s.Batch(ctx, seeding.BatchInput{Run: runID, Generation: plan.Generation, Shard: item.Shard})
			if err != nil {
				w.t.Fatal(err)
			}
			more = out.More
		}
	}
	out, err := w.s.Close(ctx, seeding.CloseInput{Run: runID, Generation: plan.Generation})
	if err != nil || out.Done != (len(leave) == 0) {
		w.t.Fatalf("closed with %+v, %v", out, err)
	}
}

func TestInspect(t *testing.T) {
	w := newStaged(t)
	if _, err := inspect.Look(t.Context(), w.run, 0); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no plan: got %v", err)
	}
	w.stage(1)
	w.stage(2, "groups")
	for name, generation := range map[string]int{"inspect-closed": 1, "inspect-latest": 0} {
		found, err := inspect.Look(t.Context(), w.run, generation)
		if err != nil {
			t.Fatal(err)
		}
		var text, data bytes.Buffer
		enc := json.NewEncoder(&data)
		enc.SetIndent("", " ")
		if err := errors.Join(found.WriteText(&text), enc.Encode(found)); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, name+".txt", text.Bytes())
		golden.Check(t, name+".json", data.Bytes())
		for _, personal := range []string{"person-", "example.com", "Ann", string(sub(2))} {
			if strings.Contains(text.String()+data.String(), personal) {
				t.Errorf("%s shows %q", name, personal)
			}
		}
	}
	if _, err := inspect.Look(t.Context(), w.run, 3); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no generation 3: got %v", err)
	}
}

func TestProfile(t *testing.T) {
	w := newStaged(t)
	w.stage(1)
	g, err := w.run.ReadGeneration(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	found, err := inspect.Find(t.Context(), w.run, g, sub(2))
	if err != nil {
		t.Fatal(err)
	}
	want := person(2)
	if diff := cmp.Diff(want.Attributes, found.Attributes); diff != "" || found.Username != want.Username || found.Lines != 1 {
		t.Errorf("found %+v: %s", found, diff)
	}
	if diff := cmp.Diff([]string{"admins"}, found.Groups); diff != "" {
		t.Error(diff)
	}
	var text bytes.Buffer
	if err := found.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "profile.txt", text.Bytes())
	if strings.Contains(text.String(), "\x1b") {
		t.Error("a value reaches the terminal as it is")
	}
	if _, err := inspect.Find(t.Context(), w.run, g, "nobody"); !errors.Is(err, inspect.ErrNobody) {
		t.Errorf("nobody: got %v", err)
	}
}

func TestVerdict(t *testing.T) {
	w := newStaged(t)
	w.stage(1)
	report, err := census.Verify(t.Context(), w.run, 1)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := inspect.NewVerdict(runID, report).WriteText(&text); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "sound.txt", text.Bytes())

	g, _ := w.run.ReadGeneration(t.Context(), 1)
	commit, _, err := w.run.ReadCommit(t.Context(), g.Origin, g.Shards[0])
	if err != nil {
		t.Fatal(err)
	}
	key := commit.Parts[0].Key
	o, err := w.bucket.Get(t.Context(), "runs/"+runID+"/"+key)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(o.Body)
	damaged[len(damaged)/2] ^= 1
	if _, err := w.bucket.Put(t.Context(), "runs/"+runID+"/"+key, damaged, store.Condition{}); err != nil {
		t.Fatal(err)
	}
	if report, err = census.Verify(t.Context(), w.run, 1); err != nil {
		t.Fatal(err)
	}
	verdict := inspect.NewVerdict(runID, report)
	if verdict.Sound || len(verdict.Problems) != 1 || verdict.Problems[0].Object != key || !strings.Contains(verdict.Problems[0].Why, "changed or replaced") {
		t.Errorf("a changed byte of %s: %+v", key, verdict)
	}
	data, err := json.Marshal(verdict)
	if err != nil || !strings.HasPrefix(string(data), `{"version":1,"run":"2026-11-prod","generation":1,"sound":false,`) {
		t.Errorf("%s, %v", data, err)
	}
}

func TestDifference(t *testing.T) {
	w := newStaged(t)
	w.stage(1)
	w.pool.users = append(w.pool.users[1:], person(5), person(6))
	w.pool.users[0].Attributes["name"] = "Bea"
	w.pool.admins = []userpool.Sub{sub(3)}
	w.stage(2)
	for _, tt := range []struct {
		from, to int
		want     inspect.Difference
	}{
		{1, 1, inspect.Difference{}},
		{1, 2, inspect.Difference{Profiles: inspect.Counts{Added: 2, Removed: 1, Changed: 1}, Members: inspect.Counts{Added: 1, Removed: 1}}},
		{2, 1, inspect.Difference{Profiles: inspect.Counts{Added: 1, Removed: 2, Changed: 1}, Members: inspect.Counts{Added: 1, Removed: 1}}},
	} {
		var got inspect.Difference
		for change, err := range census.Diff(t.Context(), w.run, tt.from, tt.to) {
			if err != nil {
				t.Fatal(err)
			}
			got.Add(change)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || got.Same() != (tt.from == tt.to) {
			t.Errorf("%d to %d: %s", tt.from, tt.to, diff)
		}
	}
	d := inspect.Difference{Run: runID, From: 1, To: 2, Profiles: inspect.Counts{Added: 2, Removed: 1, Changed: 1}}
	var text bytes.Buffer
	if err := d.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "difference.txt", text.Bytes())
	data, err := json.Marshal(inspect.Change{Version: 1, Change: census.Change{Kind: census.Added, Sub: "s"}})
	if err != nil || string(data) != `{"version":1,"kind":"added","sub":"s"}` {
		t.Errorf("%s, %v", data, err)
	}
}
