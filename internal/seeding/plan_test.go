package seeding_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/seeding"
	"poolferry/internal/userpool"
)

// TestChoosesShards is the table of propose.go.
func TestChoosesShards(t *testing.T) {
	for name, c := range map[string]struct {
		wanted      seeding.Sharding
		users       int
		filter      prefixes
		perSecond   float64
		concurrency int
		latency     time.Duration
		strange     bool // subs are no UUIDs
		why         string
	}{
		"large":                {wanted: seeding.ShardsAuto, users: 1500, perSecond: 30, latency: 100 * time.Millisecond},
		"configured":           {wanted: seeding.ShardsSerial, users: 1500, perSecond: 30, latency: 100 * time.Millisecond, why: "configured"},
		"small":                {wanted: seeding.ShardsAuto, users: 960, perSecond: 30, latency: 100 * time.Millisecond, why: "small_pool"},
		"not quite small":      {wanted: seeding.ShardsAuto, users: 961, perSecond: 30, latency: 100 * time.Millisecond},
		"pace is the limit":    {wanted: seeding.ShardsAuto, users: 1500, perSecond: 10, latency: 100 * time.Millisecond, why: "one_chain_uses_the_pace"},
		"latency is the limit": {wanted: seeding.ShardsAuto, users: 1500, perSecond: 11, latency: 100 * time.Millisecond},
		"slow":                 {wanted: seeding.ShardsAuto, users: 1500, perSecond: 0.1, latency: 5 * time.Second, why: "one_chain_uses_the_pace"},
		"one at a time":        {wanted: seeding.ShardsAuto, users: 1500, perSecond: 30, concurrency: 1, latency: time.Second, why: "one_chain_uses_the_pace"},
		"wanted small":         {wanted: seeding.ShardsPrefix, users: 5, perSecond: 1},
		"wanted empty":         {wanted: seeding.ShardsPrefix, users: 0, perSecond: 30, why: "filter_not_proven"},
		"refused":              {wanted: seeding.ShardsPrefix, users: 100, perSecond: 30, filter: refused, why: "filter_refused"},
		"refused, auto":        {wanted: seeding.ShardsAuto, users: 1500, perSecond: 30, filter: refused, latency: time.Second, why: "filter_refused"},
		"ignored":              {wanted: seeding.ShardsPrefix, users: 100, perSecond: 30, filter: ignored, why: "filter_not_honoured"},
		"unmatched":            {wanted: seeding.ShardsPrefix, users: 100, perSecond: 30, filter: unmatched, why: "filter_not_honoured"},
		"not UUIDs":            {wanted: seeding.ShardsPrefix, users: 100, perSecond: 30, strange: true, why: "filter_not_honoured"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				users := people(c.users)
				for i := range users {
					if c.strange {
						users[i].Sub = "S" + users[i].Sub
					}
				}
				w := newWorld(t, users...)
				w.o.Shards, w.o.PerSecond, w.pool.latency, w.pool.filter = c.wanted, c.perSecond, c.latency, c.filter
				if c.concurrency > 0 {
					w.o.Concurrency = c.concurrency
				}
				got, err := w.seeding().Propose(t.Context())
				if err != nil || got.Why != c.why {
					t.Fatalf("why %q, want %q: %v", got.Why, c.why, err)
				}
				want := 16
				if c.why != "" {
					want = 1
				}
				if len(got.Plan.Shards) != want || got.Latency != c.latency || got.Plan.Estimate != c.users {
					t.Errorf("%d shards, want %d; latency %s; estimate %d", len(got.Plan.Shards), want, got.Latency, got.Plan.Estimate)
				}
				if len(w.memory.Keys()) > 0 {
					t.Error("a proposal has written something")
				}
			})
		})
	}
}

func TestExpectation(t *testing.T) {
	for name, c := range map[string]struct {
		perSecond float64
		latency   time.Duration
		want      time.Duration
	}{
		"the pace is the limit":    {10, 200 * time.Millisecond, 18200 * time.Millisecond}, // 10,000/60 + 16 pages
		"latency is the limit":     {100, 400 * time.Millisecond, 4550 * time.Millisecond}, // 16 at a time
		"one chain has no latency": {20, 0, 8350 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, people(961)...)
			w.pool.estimate = func(int) int { return 10_000 }
			w.o.PerSecond, w.pool.latency = c.perSecond, c.latency
			got, err := w.seeding().Propose(t.Context())
			if err != nil || got.Duration.Round(50*time.Millisecond) != c.want {
				t.Errorf("%s: %s for %d pages at %g/s, want %s: %v", name, got.Duration, got.Pages, got.Rate, c.want, err)
			}
		})
	}
}

// TestPlanIsMadeOnce lets many plan at once, with pools that differ meanwhile.
func TestPlanIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, people(100)...)
		w.pool.latency = time.Second
		w.pool.groups["a"] = nil
		w.pool.before = func(operation, int) { // another plan, other groups, at every look
			w.pool.users[person(100+len(w.pool.users)).Sub] = person(100 + len(w.pool.users))
			w.pool.groups[string(person(len(w.pool.groups)).Sub)] = nil
		}
		var group errgroup.Group
		outs := make([]seeding.PlanOutput, 8)
		for i := range outs {
			group.Go(func() (err error) {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				outs[i], err = w.seeding().Plan(t.Context(), seeding.PlanInput{Run: runID})
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		for _, out := range outs[1:] {
			if out.Estimate != outs[0].Estimate || len(out.Shards) != 2 {
				t.Errorf("%+v, another one got %+v", out, outs[0])
			}
		}
	})
}

func TestPlanRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		in     seeding.PlanInput
		want   string
	}{
		"another run":         {in: seeding.PlanInput{Run: "other"}, want: `run "other" is not the run "2026-11-prod"`},
		"another source pool": {change: func(w *world) { w.o.Source.ID = "eu-west-1_x" }, want: "is for source pool eu-west-1_old"},
		"the same in another account": {
			change: func(w *world) { w.o.Source.Account = "999988887777" }, want: `of account "111122223333", the configuration has eu-west-1_old of account "999988887777"`},
		"another target pool": {change: func(w *world) { w.o.Target.ID = "eu-central-1_x" }, want: "begin a new run"},
		"another mapping": {
			change: func(w *world) { w.o.Mapping.Rules = []userpool.Rule{{Lower: "email"}} }, want: "the mapping has changed since the plan"},
		"a generation too far":    {in: seeding.PlanInput{Run: runID, Generation: 3}, want: "the latest is 1"},
		"one before it is closed": {in: seeding.PlanInput{Run: runID, Generation: 2}, want: "generation 1 is not closed, finish it first"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, people(100)...)
				first := seeding.PlanInput{Run: runID}
				if _, err := w.seeding().Plan(t.Context(), first); err != nil {
					t.Fatal(err)
				}
				if c.change != nil {
					c.change(w)
				}
				if c.in.Run == "" {
					c.in = first
				}
				wantError(t, c.want, func() error { _, err := w.seeding().Plan(t.Context(), c.in); return err })
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		wantError(t, "there is no generation 1", func() error {
			_, err := w.seeding().Plan(t.Context(), seeding.PlanInput{Run: runID, Generation: 2})
			return err
		})
	})
}

func wantError(t *testing.T, want string, call func() error) {
	t.Helper()
	if err := call(); err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error of kind Invalid with %q", err, want)
	}
}

func TestSecretLikeAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, person(0))
		w.pool.schema = append(w.pool.schema, "custom:old_hash", "custom:api_token")
		w.pool.users[person(0).Sub].Attributes["custom:old_hash"] = "$2b$12$abc"
		wantError(t, "never staged: custom:api_token, custom:old_hash; add a drop rule", func() error {
			_, err := w.seeding().Plan(t.Context(), seeding.PlanInput{Run: runID})
			return err
		})
		w.o.Mapping.Rules = []userpool.Rule{{Drop: "custom:old_hash"}, {Drop: "custom:api_token"}}
		out := w.seed()
		users, _ := w.staged(out.Generation)
		if _, staged := users[person(0).Sub].Attributes["custom:old_hash"]; staged || len(users) != 1 {
			t.Errorf("staged: %v", users)
		}
	})
}

// TestDroppedButCopied: what the mapping still needs is staged.
func TestDroppedButCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, person(0))
		w.pool.users[person(0).Sub].Attributes["custom:note"] = "gone"
		w.o.Mapping.Rules = []userpool.Rule{
			{Drop: "email"}, {Drop: "custom:note"}, {Copy: &userpool.Move{From: "email", To: "custom:contact"}},
		}
		users, _ := w.staged(w.seed().Generation)
		got := users[person(0).Sub].Attributes
		if got["email"] == "" || len(got) != 1 {
			t.Errorf("staged: %v", got)
		}
	})
}

func TestNextGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, people(70)...)
		w.seed()
		w.pool.users[person(70).Sub] = person(70)
		out, err := w.chain(w.seeding(), 2)
		if err != nil || !out.Done || out.Generation != 2 {
			t.Fatalf("%+v, %v", out, err)
		}
		w.wantAll(out)
		// Without a number it is the latest, which needs nothing.
		if out := w.seed(); out.Generation != 2 {
			t.Errorf("generation %d", out.Generation)
		}
		if first, _ := w.staged(1); len(first) != 70 {
			t.Errorf("generation 1 has %d users now", len(first))
		}
		if _, err := w.store().ReadManifest(t.Context(), manifest.Origin{Run: runID, Generation: 3, PlanSHA256: "x"}); fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
	})
}
