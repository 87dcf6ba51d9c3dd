package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/scan"
	"poolferry/internal/store"
	"poolferry/internal/userpool"
)

// finished is a place where everybody has moved, and one reconciliation has said
// so: the next one that is whole makes the migration complete.
func finished(t *testing.T, users int) *place {
	p := newPlace(t, newPool(people(users, employee)...), newPool())
	p.o.Shards = scan.ShardsSerial
	p.o.Limits = scan.Limits{Time: time.Minute, Lines: users/3 + 1, Bytes: 1 << 20}
	p.target.estimate = func(int) int { return 8 * (24 << 20) / 600 }
	p.target.pageSize = 5
	time.Sleep(time.Hour)
	p.seed(1)
	for i := range users {
		u := moved(person(i), i, time.Now())
		p.target.users[u.Sub] = u
	}
	if out := p.reconcile("first"); !out.Whole || out.Complete || out.Pending != 0 {
		t.Fatalf("%+v", out)
	}
	return p
}

// employee is a person in a group.
func employee(n int) userpool.User {
	u := person(n)
	u.Groups = []string{"staff"}
	return u
}

// keys are those of the objects whose key has some text in it, without the run.
func (p *place) keys(text string) (keys []string) {
	for _, key := range p.memory.Keys() {
		if strings.Contains(key, text) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		p.t.Fatalf("no object has %q in its key", text)
	}
	return keys
}

func (p *place) drop(text string) {
	p.t.Helper()
	if err := p.memory.Delete(p.t.Context(), p.keys(text)[0]); err != nil {
		p.t.Fatal(err)
	}
}

// damage changes a byte of an object, counted from its end where at is negative.
func (p *place) damage(text string, at int) {
	p.t.Helper()
	key := p.keys(text)[0]
	o, err := p.memory.Get(p.t.Context(), key)
	if err != nil {
		p.t.Fatal(err)
	}
	if at < 0 {
		at += len(o.Body)
	}
	o.Body[at] ^= 1
	if _, err := p.memory.Put(p.t.Context(), key, o.Body, store.Condition{}); err != nil {
		p.t.Fatal(err)
	}
}

// damageNames changes a byte of the last name bucket of a segment object.
func (p *place) damageNames(text string) {
	p.t.Helper()
	o := must(p.memory.Get(p.t.Context(), p.keys(text)[0]))
	p.damage(text, len(o.Body)-len(must(shuffle.FooterBytes(o.Body)))-20)
}

// TestNeverComplete breaks one thing at a time in the reconciliation that would
// make the migration complete, and wants it not to, but two whole ones later.
func TestNeverComplete(t *testing.T) {
	at := func(step string, do func(p *place)) func(*execution) {
		return func(e *execution) {
			done := false
			e.before = func(s, _ string) {
				if s == step && !done {
					done = true
					do(e.p)
				}
			}
		}
	}
	now := func(do func(p *place)) func(*execution) { return func(e *execution) { do(e.p) } }
	again := func(p *place) { p.seed(2) } // nothing of it is indexed yet
	imports := func(p *place) {
		var subs []userpool.Sub
		for sub := range p.source.users {
			subs = append(subs, sub)
		}
		if err := p.reconciliation().RecordImport(p.t.Context(), "tail-1", subs); err != nil {
			p.t.Fatal(err)
		}
	}
	imported := func(step string, harm func(p *place)) func(*execution) {
		return func(e *execution) {
			imports(e.p)
			at(step, harm)(e)
		}
	}
	type healing int
	const (
		byItself healing = iota
		bySeeding
		never // what was staged is lost, or who was known: only another run forgets them
	)
	cases := map[string]struct {
		harm  func(*execution)
		why   string // in the output
		heals healing
	}{
		"a part is damaged": {now(func(p *place) { again(p); p.damage("gen-2/shards/all/1/part-", 40) }), "failed", never},
		"a part is missing": {now(func(p *place) { again(p); p.drop("gen-2/shards/all/1/part-") }), "failed", never},
		"a commit is missing": {func(e *execution) {
			again(e.p)
			at("index", func(p *place) { p.drop("gen-2/shards/all/commit.json") })(e)
		}, "failed", never},
		"an index is missing":                         {at("match", func(p *place) { p.drop("gen-1/index-8/g00001-s000-i00000.json") }), "failed", byItself},
		"an index is damaged":                         {at("match", func(p *place) { p.damage("gen-1/index-8/g00001-s000-i00000.json", 60) }), "failed", bySeeding},
		"staged segment damaged":                      {at("compare", func(p *place) { p.damage("gen-1/index-8/g00001-s000-i00000-", 5) }), "buckets_missing", bySeeding},
		"staged footer damaged":                       {at("match", func(p *place) { p.damage("gen-1/index-8/g00001-s000-i00000-", -30) }), "failed", bySeeding},
		"staged segments missing":                     {at("compare", func(p *place) { p.drop("gen-1/index-8/g00001-s000-i00000-") }), "buckets_missing", bySeeding},
		"memberships missing":                         {now(func(p *place) { again(p); p.drop("gen-2/shards/groups/1/part-") }), "failed", never},
		"memberships damaged":                         {at("compare", func(p *place) { p.damage("gen-1/index-8/g00001-s001-i00000-", 5) }), "buckets_missing", bySeeding},
		"memberships without a footer":                {at("match", func(p *place) { p.damage("gen-1/index-8/g00001-s001-i00000-", -30) }), "failed", bySeeding},
		"imports damaged":                             {imported("match", func(p *place) { p.damage("imports/tail-1/", 30) }), "failed", never},
		"imported segments damaged":                   {imported("compare", func(p *place) { p.damage("reconcile/second/imported/", 5) }), "buckets_missing", byItself},
		"imported segments missing":                   {imported("compare", func(p *place) { p.drop("reconcile/second/imported/") }), "buckets_missing", byItself},
		"arrived segment damaged":                     {at("compare", func(p *place) { p.damage("reconcile/second/target/all/1/part-00001", 5) }), "buckets_missing", byItself},
		"arrived segments missing":                    {at("match", func(p *place) { p.drop("reconcile/second/target/all/1/part-00001") }), "failed", byItself},
		"names damaged":                               {at("match", func(p *place) { p.damageNames("reconcile/second/target/all/1/part-00001") }), "failed", byItself},
		"a scan is missing":                           {at("match", func(p *place) { p.drop("reconcile/second/target/all/scan.json") }), "failed", byItself},
		"the target refuses":                          {now(func(p *place) { p.target.failures = refusals(6) }), "failed", byItself},
		"the target turns away":                       {at("scan", func(p *place) { p.target.failures = refusals(6) }), "failed", byItself},
		"a plan is missing":                           {at("compare", func(p *place) { p.drop("reconcile/second/plans/00003.json") }), "buckets_missing", byItself},
		"a plan is damaged":                           {at("compare", func(p *place) { p.damage("reconcile/second/plans/00003.json", 70) }), "buckets_missing", byItself},
		"a result is missing":                         {at("close", func(p *place) { p.drop("reconcile/second/buckets/00005.json") }), "buckets_missing", byItself},
		"a result is damaged":                         {at("close", func(p *place) { p.damage("reconcile/second/buckets/00005.json", 80) }), "failed", byItself},
		"the match is missing":                        {at("close", func(p *place) { p.drop("reconcile/second/match.json") }), "not_matched", byItself},
		"a commit of the index is missing at the end": {at("close", func(p *place) { p.drop("gen-1/index-8/g00001-s000-i00000.json") }), "not_indexed", byItself},
		"a scan is missing at the end":                {at("close", func(p *place) { p.drop("reconcile/second/target/all/scan.json") }), "target_unread", byItself},
		"what the last one left is missing":           {now(func(p *place) { p.drop("reconcile/first/summary.json") }), "previous_missing", never},
		"the scan of the source is old":               {now(func(*place) { time.Sleep(25 * time.Hour) }), "stale", bySeeding},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := finished(t, 30)
				e := p.execution("second")
				c.harm(e)
				out, err := e.run()
				if err != nil {
					t.Fatal(err)
				}
				if out.Complete || out.NewlyComplete || out.Whole || !strings.Contains(out.Why, c.why) {
					t.Errorf("it said %+v, not why: %s", out, c.why)
				}
				status, err := p.reconciliation().Status(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if status.History.Complete() || len(status.History.Points) != 2 || status.Last == nil || status.Last.Complete || status.Lease.Released.IsZero() {
					t.Errorf("the history has %d points, complete %v; %+v", len(status.History.Points), status.History.Complete(), status.Lease)
				}
				p.target.failures = nil
				switch c.heals {
				case never:
					return
				case bySeeding:
					latest, err := p.store().LatestGeneration(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					p.seed(latest.Generation + 1)
				}
				for n, want := range []bool{false, true} {
					if out := p.reconcile(fmt.Sprintf("then-%d", n)); out.Complete != want || out.NewlyComplete != want || !out.Whole {
						t.Errorf("%d later: %+v", n+1, out)
					}
				}
			})
		})
	}
}

// refusals are answers that no repetition changes.
func refusals(n int) (errs []error) {
	for range n {
		errs = append(errs, fault.New(fault.Denied, "AccessDenied"))
	}
	return errs
}

// TestNotClosed: while a shard is not committed nothing is complete, though all
// of the others have moved.
func TestNotClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(people(40, person)...), newPool())
		p.seeding.Shards = "prefix"
		p.o.Shards = scan.ShardsSerial
		s, in := p.begin(1)
		for _, shard := range in.Shards[1:] {
			p.batches(s, in.Generation, shard.Shard)
		}
		for i := range 40 {
			u := moved(person(i), i, time.Now())
			p.target.users[u.Sub] = u
		}
		for _, id := range []string{"r1", "r2", "r3"} {
			out := p.reconcile(id)
			if out.Whole || out.Complete || !strings.Contains(out.Why, reconcile.PartialNotClosed) {
				t.Errorf("%s: %+v", id, out)
			}
		}
		summary, err := p.reconciliation().Summary(t.Context(), "r3")
		if err != nil || summary.Closed || len(summary.Missing) != 1 {
			t.Errorf("%+v, %v", summary, err)
		}
	})
}

// TestTargetCounts: prefixes that hide somebody make the reconciliation partial.
func TestTargetCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := finished(t, 64)
		p.o.Shards = scan.ShardsPrefix
		p.target.estimate = func(users int) int { return users }
		e := p.execution("second")
		e.before = func(step, _ string) {
			if step == "scan" {
				p.target.filter = forgetful
			}
		}
		out, err := e.run()
		if err != nil || out.Whole || out.Complete || !strings.Contains(out.Why, reconcile.PartialTargetCount) || out.Pending == 0 {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

// TestPartialCounts: what the buckets have must be what the manifest has.
func TestPartialCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := finished(t, 20)
		e := p.execution("second")
		e.before = func(step, _ string) {
			if step != "close" {
				return
			}
			c, err := p.store().ReadCompared(t.Context(), "second", 2)
			if err != nil {
				t.Fatal(err)
			}
			c.Staged++
			data := must(c.Encode())
			if _, err := p.memory.Put(t.Context(), p.keys("second/buckets/00002.json")[0], data, store.Condition{}); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := e.run(); err != nil || out.Whole || out.Complete || out.Why != reconcile.PartialCounts {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

// TestClaimsMissing: who was deferred and not decided about is not forgotten.
func TestClaimsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		step string
		do   func(p *place)
		why  string
	}{
		"a bucket is missing":       {"close", func(p *place) { p.drop("second/buckets/00001.json") }, reconcile.PartialUndecided},
		"claims are damaged":        {"close", func(p *place) { p.damage("second/claims/", 8) }, reconcile.PartialFailed},
		"claims are missing":        {"close", func(p *place) { p.drop("second/claims/") }, reconcile.PartialFailed},
		"the contested are damaged": {"compare", func(p *place) { p.damage("second/contested.bin", 12) }, reconcile.PartialBuckets},
		"the contested are missing": {"compare", func(p *place) { p.drop("second/contested.bin") }, reconcile.PartialBuckets},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := finished(t, 60)
				for sub, u := range p.target.users { // nobody by the trigger
					u.Attributes = u.Attributes.Clone()
					u.Attributes["email_verified"] = "true"
					delete(u.Attributes, userpool.AttrLegacySub)
					p.target.users[sub] = u
				}
				for sub, u := range p.source.users {
					u.Attributes = u.Attributes.Clone()
					u.Attributes["email_verified"] = "true"
					p.source.users[sub] = u
				}
				p.seed(2)
				e := p.execution("second")
				done := false
				e.before = func(step, _ string) {
					if step == c.step && !done {
						done = true
						c.do(p)
					}
				}
				out, err := e.run()
				if err != nil || out.Whole || out.Complete || !strings.Contains(out.Why, c.why) {
					t.Errorf("%+v, %v", out, err)
				}
				s, _ := p.said("second")
				if s.Joins != 0 {
					t.Errorf("%d were joined", s.Joins)
				}
				if out := p.reconcile("third"); !out.Whole || out.Percent != 100 {
					t.Errorf("then %+v", out)
				}
				if s, said := p.said("third"); s.Joins != 60 || len(said.IDMap) != 60 || said.IDMap[0].JoinedBy != "email" || said.IDMap[0].LegacyUsername == "" || said.IDMap[0].Username == "" {
					t.Errorf("%d joins, %+v", s.Joins, said.IDMap)
				}
			})
		})
	}
}

// TestMatchSaysWhy names what is missing.
func TestMatchSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(people(5, person)...), newPool(people(5, arrived)...))
		p.o.Shards = scan.ShardsSerial
		p.seed(0)
		_, basis := p.open("r1")
		r := p.reconciliation()
		match := func() reconcile.MatchOutput {
			t.Helper()
			out, err := r.Match(t.Context(), reconcile.MatchInput{Run: runID, ID: "r1"})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		if out := match(); out.Ready || out.GivenUp || out.Why != "not_indexed: item "+basis.Items[0].ID+", target_unread: shard all" {
			t.Errorf("%+v", out)
		}
		if _, err := r.Index(t.Context(), reconcile.IndexInput{Run: runID, ID: "r1", Item: basis.Items[0].ID}); err != nil {
			t.Fatal(err)
		}
		p.target.failures = refusals(1)
		if _, err := p.scanAll(t.Context(), r, "r1", []manifest.Shard{{ID: "all"}}); err != nil {
			t.Fatal(err)
		}
		if out := match(); out.Ready || !out.GivenUp || !strings.HasPrefix(out.Why, "target_failed: shard all: ") {
			t.Errorf("%+v", out)
		}
		if _, err := r.Compare(t.Context(), reconcile.CompareInput{Run: runID, ID: "r1"}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("compare before the match: %v", err)
		}
	})
}
