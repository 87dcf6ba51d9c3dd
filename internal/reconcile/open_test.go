package reconcile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/scan"
	"poolferry/internal/seeding"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
)

const runID = "2026-11-prod"

// place is two pools and a bucket. Time is that of the synctest bubble.
type place struct {
	t              *testing.T
	source, target *pool
	bucket         store.Bucket
	memory         *memory.Bucket
	o              reconcile.Options // but for directory and store
	seeding        seeding.Options   // likewise
}

func newPlace(t *testing.T, source, target *pool) *place {
	bucket := memory.New()
	low := int64(1)
	p := &place{t: t, source: source, target: target, bucket: bucket, memory: bucket}
	p.o = reconcile.Options{
		Run:       runID,
		Source:    manifest.Pool{Account: "111122223333", Region: "eu-west-1", ID: "eu-west-1_old"},
		Target:    manifest.Pool{Region: "eu-central-1", ID: "eu-central-1_new"},
		MFA:       "verify",
		PerSecond: 1000, Bucket: "staging", Now: time.Now,
		Pool: settings{
			ID: "eu-central-1_new", Aliases: []string{"email"}, MFA: userpool.MFAOptional,
			Schema: userpool.Schema{"email": {Name: "email", Type: userpool.TypeString, Mutable: true, Required: true, Min: &low}, "sub": {Name: "sub", Type: userpool.TypeString}},
		},
	}
	p.seeding = seeding.Options{
		Run: runID, Source: p.o.Source, Target: p.o.Target, PerSecond: 1000, Shards: seeding.ShardsSerial, Now: time.Now,
	}
	return p
}

func (p *place) store() *store.Run { return store.NewRun(p.bucket, runID) }

// reconciliation is a process of its own: it shares nothing with others but the
// bucket.
func (p *place) reconciliation() *reconcile.Reconciliation {
	o := p.o
	o.Directory, o.Store = p.target, p.store()
	return reconcile.New(o)
}

// seed closes a generation: 0 for the latest.
func (p *place) seed(generation int) {
	p.t.Helper()
	s, in := p.begin(generation)
	for _, shard := range in.Shards {
		p.batches(s, in.Generation, shard.Shard)
	}
	out, err := s.Close(p.t.Context(), seeding.CloseInput{Run: runID, Generation: in.Generation})
	if err != nil || !out.Done {
		p.t.Fatalf("%+v, %v", out, err)
	}
}

// begin opens a generation.
func (p *place) begin(generation int) (*seeding.Seeding, seeding.PlanOutput) {
	p.t.Helper()
	o := p.seeding
	o.Directory, o.Store = source{p.source}, p.store()
	s := seeding.New(o)
	out, err := s.Plan(p.t.Context(), seeding.PlanInput{Run: runID, Generation: generation})
	if err != nil {
		p.t.Fatal(err)
	}
	return s, out
}

// batches commits a shard.
func (p *place) batches(s *seeding.Seeding, generation int, shard string) {
	p.t.Helper()
	for {
		out, err := s.Batch(p.t.Context(), seeding.BatchInput{Run: runID, Generation: generation, Shard: shard})
		if err != nil || out.Failed != "" {
			p.t.Fatalf("%+v, %v", out, err)
		}
		if !out.More {
			return
		}
	}
}

func input(id string) reconcile.OpenInput {
	return reconcile.OpenInput{Run: runID, ID: id, Execution: "arn:aws:states:eu-central-1:444455556666:execution:poolferry-reconcile:" + id}
}

// open opens a reconciliation that nobody stands in the way of.
func (p *place) open(id string) (reconcile.OpenOutput, reconcile.Basis) {
	p.t.Helper()
	out, err := p.reconciliation().Open(p.t.Context(), input(id))
	if err != nil || out.Held {
		p.t.Fatalf("open %s: %+v, %v", id, out, err)
	}
	basis, err := p.store().ReadBasis(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return out, basis
}

// items reads a list of items.
func (p *place) items(list reconcile.Items) (items []map[string]any) {
	p.t.Helper()
	o, err := p.memory.Get(p.t.Context(), list.Key)
	if err == nil {
		err = json.Unmarshal(o.Body, &items)
	}
	if err != nil || len(items) != list.Count {
		p.t.Fatalf("%s: %s, %v", list.Key, o.Body, err)
	}
	return items
}

// scanAll scans every shard to its end, round by round, as reconcile.asl.json has
// it.
func (p *place) scanAll(ctx context.Context, r *reconcile.Reconciliation, id string, shards []manifest.Shard) (outs map[string]reconcile.ScanOutput, err error) {
	outs = map[string]reconcile.ScanOutput{}
	for range 200 {
		more := false
		for _, shard := range shards {
			out, err := retried(ctx, func() (reconcile.ScanOutput, error) {
				return r.Scan(ctx, reconcile.ScanInput{Run: runID, ID: id, Shard: shard.ID})
			})
			if err != nil {
				return outs, err
			}
			outs[shard.ID] = out
			more = more || out.More || out.Lost
		}
		if !more {
			return outs, nil
		}
		time.Sleep(10 * time.Second)
	}
	return outs, fault.New(fault.Internal, "the scan does not end")
}

// retried calls as often as a state machine does.
func retried[Out any](ctx context.Context, call func() (Out, error)) (out Out, err error) {
	for range 4 {
		out, err = call()
		if kind := fault.KindOf(err); err == nil || ctx.Err() != nil || kind != fault.Throttled && kind != fault.Unavailable {
			return out, err
		}
		time.Sleep(5 * time.Second)
	}
	return out, err
}

// found reads what a scan has written: of several lines about a user, the last.
func (p *place) found(basis reconcile.Basis) map[userpool.Sub]userpool.User {
	p.t.Helper()
	users := map[userpool.Sub]userpool.User{}
	run := p.store()
	var parts []shuffle.Ref
	for _, shard := range basis.Target.Shards {
		s, _, err := run.LoadScan(p.t.Context(), basis.ID, shard)
		if err != nil || s.State != manifest.Complete {
			p.t.Fatalf("shard %s: %+v, %v", shard.ID, s, err)
		}
		parts = append(parts, s.Parts...)
	}
	for n := range basis.Buckets {
		bucket := shuffle.NewBucket(shuffle.Arrived)
		for _, part := range parts {
			o, err := p.memory.Get(p.t.Context(), "runs/"+runID+"/"+part.Key)
			if err != nil || manifest.DigestOf(o.Body) != part.SHA256 {
				p.t.Fatalf("%s: %v", part.Key, err)
			}
			footer, err := shuffle.ReadFooter(p.t.Context(), run.ReadRange, part.Key, part.Bytes, part.Footer, basis.Buckets+reconcile.NameBuckets(basis.Buckets))
			if err != nil {
				p.t.Fatal(err)
			}
			s := footer.Bucket(n)
			content, err := shuffle.Unpack(part.Key, s, o.Body[s.Offset:s.Offset+s.Length])
			if err == nil {
				err = bucket.Add(part.Key, s, content)
			}
			if err != nil {
				p.t.Fatal(err)
			}
		}
		for _, walk := range []*shuffle.Walk{bucket.Linked(), bucket.Unlinked()} {
			for {
				if _, ok := walk.Identity(); !ok {
					break
				}
				same, err := walk.Next()
				if err != nil {
					p.t.Fatal(err)
				}
				for _, u := range same {
					if _, twice := users[u.Sub]; twice {
						p.t.Errorf("%s is there twice", u.Sub)
					}
					users[u.Sub] = u
				}
			}
		}
	}
	return users
}

// wantAll checks that a scan has found the target pool as it is.
func (p *place) wantAll(basis reconcile.Basis) {
	p.t.Helper()
	if diff := cmp.Diff(p.target.users, p.found(basis)); diff != "" {
		p.t.Errorf("scanned users differ:\n%s", diff)
	}
}

func TestOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(people(100, person)...), newPool(people(70, arrived)...))
		p.seed(0)
		out, basis := p.open("r1")
		taken := p.lease().Taken
		want := reconcile.OpenOutput{
			Run: runID, ID: "r1", Holder: reconcile.Holder{ID: "r1", Since: taken, Until: taken.Add(leaseTime)}, StagingBucket: "staging",
			Index:       reconcile.Items{Key: "runs/2026-11-prod/reconcile/r1/items/index.json", Count: 1},
			Scan:        reconcile.Items{Key: "runs/2026-11-prod/reconcile/r1/items/scan.json", Count: 1},
			Compare:     reconcile.Items{Key: "runs/2026-11-prod/reconcile/r1/items/compare.json", Count: 1},
			Concurrency: reconcile.Concurrency{Index: 40, Scan: 1, Compare: 40}, Partial: []string{},
		}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for list, want := range map[reconcile.Items]map[string]any{
			out.Index:   {"run": runID, "id": "r1", "item": "g00001-s000-i00000"},
			out.Scan:    {"run": runID, "id": "r1", "shard": "all", "concurrency": 1.0},
			out.Compare: {"run": runID, "id": "r1", "bucket": 0.0},
		} {
			if diff := cmp.Diff([]map[string]any{want}, p.items(list)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", list.Key, diff)
			}
		}
		if basis.Staged == nil || basis.Staged.Profiles != 100 || basis.Staged.Generation != 1 || basis.Staged.Closed.IsZero() || basis.Previous != nil {
			t.Errorf("%+v", basis)
		}
		if diff := cmp.Diff(userpool.Pool(p.o.Pool.(settings)), basis.Target.Pool.Userpool()); diff != "" {
			t.Errorf("the pool's settings (-want +got):\n%s", diff)
		}
		if basis.Target.Estimate != 70 || basis.Target.Why != scan.WhySmallPool {
			t.Errorf("%+v", basis.Target)
		}
		// Called again: the same, though the world has moved.
		p.target.users = newPool(people(5000, arrived)...).users
		time.Sleep(time.Minute)
		again, standing := p.open("r1")
		if diff := cmp.Diff(out, again) + cmp.Diff(basis, standing); diff != "" {
			t.Errorf("(-first +again):\n%s", diff)
		}
	})
}

// TestStartSeeding: what a seeding looks like, what becomes of it and what is
// compared.
func TestStartSeeding(t *testing.T) {
	type outcome struct {
		Start      bool
		Generation int // to start with
		Why        string
		Basis      int // generation, 0 for none
		Profiles   int
		Partial    []string
	}
	prefixes := func(p *place) { p.seeding.Shards = seeding.ShardsPrefix }
	half := func(p *place) {
		prefixes(p)
		s, in := p.begin(0)
		for _, shard := range in.Shards[:8] {
			p.batches(s, in.Generation, shard.Shard)
		}
	}
	for name, c := range map[string]struct {
		given func(*place)
		later time.Duration
		want  outcome
	}{
		"nothing": {given: func(*place) {}, want: outcome{false, 0, "never_seeded", 0, 0, []string{"nothing_staged"}}},
		"begun":   {given: func(p *place) { p.begin(0) }, want: outcome{false, 0, "under_way", 0, 0, []string{"nothing_staged"}}},
		"begun, and left": {
			given: func(p *place) { p.begin(0) }, later: 5 * time.Minute,
			want: outcome{true, 0, "stalled", 0, 0, []string{"nothing_staged"}},
		},
		"half done":           {given: half, want: outcome{false, 0, "under_way", 1, 80, []string{"not_closed"}}},
		"half done, not long": {given: half, later: 5*time.Minute - time.Second, want: outcome{false, 0, "under_way", 1, 80, []string{"not_closed"}}},
		"half done, and left": {given: half, later: 5 * time.Minute, want: outcome{true, 0, "stalled", 1, 80, []string{"not_closed"}}},
		"failed": {
			given: func(p *place) {
				s, in := p.begin(0)
				p.source.failures = []error{fault.New(fault.Denied, "no")}
				if out, err := s.Batch(p.t.Context(), seeding.BatchInput{Run: runID, Generation: in.Generation, Shard: "all"}); err != nil || out.Failed == "" {
					p.t.Fatalf("%+v, %v", out, err)
				}
			}, later: 5 * time.Minute,
			want: outcome{true, 0, "stalled", 0, 0, []string{"nothing_staged"}},
		},
		"closed":                     {given: func(p *place) { p.seed(0) }, want: outcome{false, 0, "up_to_date", 1, 160, []string{}}},
		"closed, not stale":          {given: func(p *place) { p.seed(0) }, later: 24*time.Hour - time.Minute, want: outcome{false, 0, "up_to_date", 1, 160, []string{}}},
		"closed, stale":              {given: func(p *place) { p.seed(0) }, later: 25 * time.Hour, want: outcome{true, 2, "stale", 1, 160, []string{"stale"}}},
		"closed, next begun":         {given: func(p *place) { p.seed(0); p.begin(2) }, want: outcome{false, 0, "under_way", 1, 160, []string{}}},
		"closed, next left":          {given: func(p *place) { p.seed(0); p.begin(2) }, later: time.Hour, want: outcome{true, 0, "stalled", 1, 160, []string{}}},
		"closed, next left for long": {given: func(p *place) { p.seed(0); p.begin(2) }, later: 25 * time.Hour, want: outcome{true, 0, "stalled", 1, 160, []string{"stale"}}},
		"given up for a serial one": {
			given: func(p *place) {
				prefixes(p)
				p.source.filter = forgetful
				s, in := p.begin(0)
				for _, shard := range in.Shards {
					p.batches(s, in.Generation, shard.Shard)
				}
				out, err := s.Close(p.t.Context(), seeding.CloseInput{Run: runID, Generation: 1})
				if err != nil || out.Generation != 2 {
					p.t.Fatalf("%+v, %v", out, err)
				}
				p.seed(0)
			},
			want: outcome{false, 0, "up_to_date", 2, 160, []string{}},
		},
	} {
		for _, stopped := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", stopped ", stopped), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPlace(t, newPool(people(160, person)...), newPool())
					c.given(p)
					time.Sleep(c.later)
					want := c.want
					if stopped {
						if err := p.store().WriteStop(t.Context(), manifest.Stop{Run: runID, Stopped: time.Now().UTC()}); err != nil {
							t.Fatal(err)
						}
						if want.Start {
							want.Start, want.Generation, want.Why = false, 0, "stopped"
						}
					}
					out, basis := p.open("r1")
					got := outcome{Start: out.StartSeeding, Generation: out.SeedingGeneration, Why: basis.Seeding.Why, Partial: out.Partial}
					if basis.Staged != nil {
						got.Basis, got.Profiles = basis.Staged.Generation, basis.Staged.Profiles
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
					lines := 0
					for _, item := range basis.Items {
						lines += item.Lines
					}
					if lines != want.Profiles {
						t.Errorf("the items have %d lines", lines)
					}
				})
			})
		}
	}
}

// TestItemsStay: a shard that is committed later changes no item of those that
// were there, for their index is kept.
func TestItemsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(people(160, person)...), newPool())
		p.seeding.Shards = seeding.ShardsPrefix
		s, in := p.begin(0)
		known := map[string]reconcile.IndexItem{}
		for i, n := range []int{9, 3, 0, 15, 4} {
			p.batches(s, in.Generation, in.Shards[n].Shard)
			id := fmt.Sprint("r", i)
			_, basis := p.open(id)
			if len(basis.Items) != i+1 || len(basis.Staged.Missing) != 16-i-1 {
				t.Fatalf("%+v", basis)
			}
			for _, item := range basis.Items {
				if old, ok := known[item.ID]; ok && old != item {
					t.Errorf("%+v became %+v", old, item)
				}
				known[item.ID] = item
			}
			if err := p.reconciliation().Release(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if len(known) != 5 {
			t.Errorf("%q", slices.Sorted(maps.Keys(known)))
		}
	})
}

// TestWhoWasKnown: what was closed since the last whole reconciliation, and never
// compared by one.
func TestWhoWasKnown(t *testing.T) {
	whole := map[verdict.Verdict]int{verdict.Pending: 1}
	for name, c := range map[string]struct {
		points   []progress.Point // about r1 and r2, which compared generation 1 and 2
		previous *reconcile.Previous
		skipped  []int
	}{
		"nothing was compared":      {nil, nil, []int{1, 2, 3}},
		"nothing was whole":         {[]progress.Point{{ID: "r1", Generation: 1, Verdicts: whole, Partial: []string{"failed"}}, {ID: "r2", Generation: 2, Verdicts: whole, Partial: []string{"stale"}}}, nil, []int{1, 2, 3}},
		"the first was whole":       {[]progress.Point{{ID: "r1", Generation: 1, Verdicts: whole}, {ID: "r2", Generation: 2, Verdicts: whole, Partial: []string{"stale"}}}, &reconcile.Previous{ID: "r1", Generation: 1, Buckets: 1}, []int{2, 3}},
		"the second was whole":      {[]progress.Point{{ID: "r1", Generation: 1, Verdicts: whole}, {ID: "r2", Generation: 2, Verdicts: whole}}, &reconcile.Previous{ID: "r2", Generation: 2, Buckets: 1}, []int{3}},
		"what was whole is expired": {[]progress.Point{{ID: "r0", Generation: 2, Verdicts: whole}}, nil, []int{1, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t, newPool(people(50, person)...), newPool())
				for g := range 4 {
					p.seed(g + 1)
					time.Sleep(time.Minute)
					if g < 2 {
						id := fmt.Sprint("r", g+1)
						p.open(id)
						if err := p.reconciliation().Release(t.Context(), id); err != nil {
							t.Fatal(err)
						}
					}
				}
				p.begin(5) // and is not closed
				if c.points != nil {
					for i := range c.points {
						c.points[i].Started, c.points[i].Ended = time.Now().UTC(), time.Now().UTC()
					}
					if _, err := p.store().SwapProgress(t.Context(), progress.History{Run: runID, Points: c.points}, ""); err != nil {
						t.Fatal(err)
					}
				}
				_, basis := p.open("r3")
				var skipped []int
				var items []string
				for _, s := range basis.Skipped {
					skipped = append(skipped, s.Generation)
					items = append(items, fmt.Sprintf("g%05d-s000-i00000", s.Generation))
				}
				if diff := cmp.Diff(c.skipped, skipped) + cmp.Diff(c.previous, basis.Previous); diff != "" || basis.Staged.Generation != 4 {
					t.Errorf("generation %d (-want +got):\n%s", basis.Staged.Generation, diff)
				}
				var got []string
				for _, item := range basis.Items {
					got = append(got, item.ID)
				}
				if diff := cmp.Diff(append(items, "g00004-s000-i00000"), got); diff != "" {
					t.Errorf("items (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestIndexIsKept: what one reconciliation has indexed the next does not list.
func TestIndexIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(people(160, person)...), newPool())
		p.seeding.Shards = seeding.ShardsPrefix
		p.seed(0)
		out, basis := p.open("r1")
		if out.Index.Count != 16 {
			t.Fatalf("%+v", out.Index)
		}
		for _, item := range basis.Items {
			if _, err := p.reconciliation().Index(t.Context(), reconcile.IndexInput{Run: runID, ID: "r1", Item: item.ID}); err != nil {
				t.Fatal(err)
			}
		}
		if again, _ := p.open("r1"); again.Index != out.Index {
			t.Errorf("the list has changed: %+v", again.Index)
		}
		if err := p.reconciliation().Release(t.Context(), "r1"); err != nil {
			t.Fatal(err)
		}
		out, _ = p.open("r2")
		o, err := p.memory.Get(t.Context(), out.Index.Key)
		if err != nil || string(o.Body) != "[]\n" || out.Index.Count != 0 {
			t.Errorf("%+v: %s, %v", out.Index, o.Body, err)
		}
	})
}

// TestItemsOf: consecutive parts, all of them, of about 64 MiB.
func TestItemsOf(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		parts []int64 // MiB
		want  [][2]int
	}{
		"no parts":         {nil, nil},
		"one":              {[]int64{1}, [][2]int{{0, 1}}},
		"just enough":      {[]int64{32, 32, 1}, [][2]int{{0, 2}, {2, 1}}},
		"larger than all":  {[]int64{100, 1, 100}, [][2]int{{0, 1}, {1, 1}, {2, 1}}},
		"as batches leave": {slices.Repeat([]int64{8}, 20), [][2]int{{0, 8}, {8, 8}, {16, 4}}},
	} {
		commit := manifest.Commit{Origin: manifest.Origin{Run: runID, Generation: 3}, Shard: manifest.Shard{ID: "b", Content: manifest.Profiles}}
		for _, size := range c.parts {
			commit.Parts = append(commit.Parts, manifest.PartRef{Count: 7, ContentBytes: size * mib})
		}
		var got [][2]int
		for i, item := range reconcile.ItemsOf(commit, manifest.DocumentRef{Key: "k"}, 11) {
			got = append(got, [2]int{item.First, item.Parts})
			if item.ID != fmt.Sprintf("g00003-s011-i%05d", i) || item.Lines != item.Parts*7 || item.Commit.Key != "k" || item.Shard != commit.Shard {
				t.Errorf("%s: %+v", name, item)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestOpenRefuses: another configuration, another execution of the same name.
func TestOpenRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(people(10, person)...), newPool())
		p.seed(0)
		for name, c := range map[string]struct {
			change func(*reconcile.Options, *reconcile.OpenInput)
		}{
			"another run":     {func(_ *reconcile.Options, in *reconcile.OpenInput) { in.Run = "other" }},
			"an id with path": {func(_ *reconcile.Options, in *reconcile.OpenInput) { in.ID = "../r1" }},
			"no id":           {func(_ *reconcile.Options, in *reconcile.OpenInput) { in.ID = "" }},
			"another pool":    {func(o *reconcile.Options, _ *reconcile.OpenInput) { o.Target.ID = "eu-central-1_other" }},
			"another mapping": {func(o *reconcile.Options, _ *reconcile.OpenInput) {
				o.Mapping.Rules = []userpool.Rule{{Lower: "email"}}
			}},
		} {
			o, in := p.o, input("r1")
			o.Directory, o.Store = p.target, p.store()
			c.change(&o, &in)
			if out, err := reconcile.New(o).Open(t.Context(), in); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %+v, %v", name, out, err)
			}
		}
		p.open("r2")
		other := input("r2")
		other.Execution += "-again"
		if out, err := p.reconciliation().Open(t.Context(), other); fault.KindOf(err) != fault.Invalid {
			t.Errorf("another execution: %+v, %v", out, err)
		}
	})
}

func TestBucketsFor(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		staged, skipped int64
		users, want     int
	}{
		{0, 0, 0, 1},
		{16 * mib, 0, 0, 1},
		{16*mib + 1, 0, 0, 2},
		{16 * mib, 0, 16 * mib / 600, 1},
		{16 * mib, 1, 0, 2},
		{24 << 30, 0, 40_000_000, 2048},
		{6 << 30, 6 << 30, 10_000_000, 1024},
		{1 << 50, 0, 0, reconcile.MaxBuckets},
		{0, 0, 10_000_000, 256},
	} {
		if got := reconcile.BucketsFor(c.staged, c.skipped, c.users); got != c.want {
			t.Errorf("%d bytes, %d skipped, %d users: %d buckets, want %d", c.staged, c.skipped, c.users, got, c.want)
		}
	}
	for buckets, want := range map[int]int{1: 1, 8: 1, 16: 2, 1024: 128, 4096: 256} {
		if got := reconcile.NameBuckets(buckets); got != want {
			t.Errorf("%d buckets: %d name buckets, want %d", buckets, got, want)
		}
	}
}
