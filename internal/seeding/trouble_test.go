package seeding_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/seeding"
	"poolferry/internal/userpool"
)

// TestUnreliablePrefixes: whatever the pool does with a filter, what is closed
// is complete.
func TestUnreliablePrefixes(t *testing.T) {
	for name, c := range map[string]struct {
		filter prefixes
		why    string
	}{
		"refused": {refused, ""}, "ignored": {ignored, ""}, "unmatched": {unmatched, ""}, // the probe sees it
		"refused once the probe is over": {broken, "filter_refused"},
		"ignored once the probe is over": {fickle, "filter_not_honoured"},
		"one shard is missing":           {forgetful, "counts_disagree"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, people(200)...)
				w.o.Shards, w.pool.filter = seeding.ShardsPrefix, c.filter
				w.pool.groups["a"] = []userpool.Sub{person(1).Sub}
				out := w.seed()
				w.wantAll(out)
				status, err := w.seeding().Status(t.Context(), 0)
				if err != nil || status.Why != c.why || out.Generation != 1 && c.why == "" {
					t.Errorf("generation %d, why %q, want %q: %v", out.Generation, status.Why, c.why, err)
				}
				if c.why == "" {
					return
				}
				// The next generation knows.
				again, err := w.chain(w.seeding(), 3)
				if err != nil || !again.Done || again.Generation != 3 {
					t.Fatalf("%+v, %v", again, err)
				}
				w.wantAll(again)
				// A latecomer of the generation that was given up finds the one that counts.
				late, err := w.seeding().Close(t.Context(), seeding.CloseInput{Run: runID, Generation: 1})
				if err != nil || late.Done || late.Generation != 2 {
					t.Errorf("%+v, %v", late, err)
				}
				plan, err := w.seeding().Plan(t.Context(), seeding.PlanInput{Run: runID, Generation: 1, Link: 7})
				if err != nil || plan.Generation != 3 || !plan.Done {
					t.Errorf("%+v, %v", plan, err)
				}
			})
		})
	}
}

// TestEstimateOff: the pool's estimate is not exact. Prefixes are not trusted
// then, and a serial shard reports the difference.
func TestEstimateOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, people(200)...)
		w.o.Shards = seeding.ShardsPrefix
		w.pool.estimate = func(users int) int { return users + 1 }
		out := w.seed()
		w.wantAll(out)
		if out.Generation != 2 || out.Estimate != 201 || out.Profiles != 200 {
			t.Errorf("%+v", out)
		}
	})
}

// TestLargePoolMayMove: above ten thousand users, one in a hundred.
func TestLargePoolMayMove(t *testing.T) {
	if testing.Short() {
		t.Skip("stages ten thousand users twice")
	}
	for more, generation := range map[int]int{110: 1, 120: 2} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, people(11_000)...)
			w.o.Shards = seeding.ShardsPrefix
			w.pool.estimate = func(users int) int { return users + more }
			out := w.seed()
			w.wantAll(out)
			if out.Generation != generation {
				t.Errorf("%d more: generation %d, want %d", more, out.Generation, generation)
			}
		})
	}
}

func TestShortAndEmptyPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.crowd(100)
		w.pool.pageSize, w.pool.empty = 1, 2
		w.wantAll(w.seed())
	})
}

// TestThrottled: sixteen batches under a quota of two requests per second.
func TestThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, people(1000)...)
		w.o.Shards, w.o.PerSecond, w.pool.perSec = seeding.ShardsPrefix, 10, 2
		w.pool.pageSize = 10
		began := time.Now()
		w.wantAll(w.seed())
		// 16 prefixes of 63 users, seven pages each, at 2/s take 56 s at least.
		if took := time.Since(began); took > 4*time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

func TestBurstsOfServerErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.crowd(100)
		w.pool.before = func(op operation, call int) {
			if call%7 == 3 {
				w.pool.failNext(op, fault.Unavailable, 4)
			}
		}
		w.wantAll(w.seed())
	})
}

// TestBucketTrouble: answers of the bucket fail, or are lost.
func TestBucketTrouble(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for n := 1; n < 12; n++ {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.crowd(25)
				w.o.Shards = seeding.ShardsSerial
				for range 6 { // n good calls, then a bad one
					if lost {
						w.memory.LoseNext("put", fault.Unavailable, 1)
					} else {
						w.memory.FailNext("put", fault.Unavailable, 1)
					}
					for range n {
						if out, err := w.link(w.seeding(), seeding.PlanInput{Run: runID}); err == nil && out.Done {
							break
						}
					}
				}
				w.wantAll(w.seed())
			})
		}
	}
}

// TestNothingReadIsAnError: the state machine waits longer then.
func TestNothingReadIsAnError(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Throttled, fault.Unavailable} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, people(100)...)
			s, in := w.opened()
			w.pool.failNext(listUsers, kind, 10_000)
			began := time.Now()
			_, err := s.Batch(t.Context(), in)
			if fault.KindOf(err) != kind {
				t.Errorf("got %v, want kind %s", err, kind)
			}
			if took := time.Since(began); took > 40*time.Second || took < 25*time.Second {
				t.Errorf("it took %s", took)
			}
			w.pool.failures[listUsers] = nil
			w.wantAll(w.seed())
		})
	}
}

// opened plans a serial seeding and returns its first batch.
func (w *world) opened() (*seeding.Seeding, seeding.BatchInput) {
	w.t.Helper()
	w.o.Shards = seeding.ShardsSerial
	s := w.seeding()
	if _, err := s.Plan(w.t.Context(), seeding.PlanInput{Run: runID}); err != nil {
		w.t.Fatal(err)
	}
	return s, seeding.BatchInput{Run: runID, Generation: 1, Shard: "all"}
}

// TestWhatWasReadIsWritten: throttling after the first page ends the batch, not
// its pages.
func TestWhatWasReadIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, people(200)...)
		s, in := w.opened()
		w.pool.before = func(op operation, _ int) {
			if op == listUsers && w.pool.calls[op] >= 5 { // two of the probe, two of the batch
				w.pool.failNext(op, fault.Throttled, 1)
			}
		}
		out, err := s.Batch(t.Context(), in)
		if err != nil || !out.More || out.Count != 120 || out.Parts != 1 {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

// TestCursorRefused restarts the shard, a bounded number of times; then a person
// has to look.
func TestCursorRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, people(200)...)
		_, in := w.opened()
		in.Concurrency = 1
		w.o.Limits = seeding.Limits{Time: time.Minute, Lines: 60, Bytes: 1 << 20}
		s := w.seeding()
		for attempt := 1; attempt <= 5; attempt++ {
			out := w.batch(s, in) // a page of four, and the next where it was on its way already
			if out.Attempt != attempt || out.Count != 60 && out.Count != 120 {
				t.Fatalf("attempt %d: %+v", attempt, out)
			}
			time.Sleep(time.Hour)
			if out = w.batch(s, in); (out.Failed == "") != (attempt < 5) {
				t.Fatalf("attempt %d: %+v", attempt, out)
			}
		}
		// Later links leave it alone, and the chain ends without a manifest.
		out, err := w.link(s, seeding.PlanInput{Run: runID, Link: 2})
		if err != nil || out.Done || out.Continue || len(out.Failed) != 1 || out.Failed[0].Reason != "cursor_refused" {
			t.Errorf("%+v, %v", out, err)
		}
		// A person takes it up, with as many attempts again.
		done := w.seed()
		w.wantAll(done)
		status, err := s.Status(t.Context(), 1)
		if err != nil || status.Shards[0].Attempt != 6 || status.Shards[0].State != seeding.ShardCommitted {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

func (w *world) batch(s *seeding.Seeding, in seeding.BatchInput) seeding.BatchOutput {
	w.t.Helper()
	out, err := s.Batch(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// TestForeignCursor: a cursor of another request restarts the shard.
func TestForeignCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.crowd(25)
		s, in := w.opened()
		run := w.store()
		g, err := run.ReadGeneration(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, shard := range g.Shards {
			fresh := manifest.NewCheckpoint(g.Origin, shard, time.Now())
			fresh.Cursor = "users x|1|y"
			if _, err := run.SwapCheckpoint(t.Context(), fresh, ""); err != nil {
				t.Fatal(err)
			}
			in.Shard = shard.ID
			if out := w.batch(s, in); out.Attempt != 2 || !out.More {
				t.Errorf("%+v", out)
			}
		}
		w.wantAll(w.seed())
	})
}

// TestCursorThatDoesNotMove would be read for ever.
func TestCursorThatDoesNotMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, people(100)...)
		w.o.Shards = seeding.ShardsSerial
		o := w.o
		o.Directory, o.Store = stuck{w.pool}, w.store()
		out, err := w.chain(seeding.New(o), 0)
		if err != nil || out.Done || len(out.Failed) != 1 || out.Failed[0].Reason != "cursor_not_moved" {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

type stuck struct{ *directory }

func (s stuck) ListUsers(ctx context.Context, filter string, cursor manifest.Cursor) (seeding.Page[userpool.User], error) {
	page, err := s.directory.ListUsers(ctx, filter, "")
	page.Next = "again"
	return page, err
}

// TestUsersMove: users are created, deleted and changed while the pool is read.
// Who was there all the time is staged, once, in no state that never was; nobody
// is staged who never was there.
func TestUsersMove(t *testing.T) {
	for _, shards := range []seeding.Sharding{seeding.ShardsSerial, seeding.ShardsPrefix} {
		synctest.Test(t, func(t *testing.T) {
			const all = 300
			w := newWorld(t, people(all)...)
			w.o.Shards, w.o.Limits = shards, seeding.Limits{Time: time.Minute, Lines: 40, Bytes: 1 << 20}
			w.pool.pageSize = 10
			born, gone := all, 0
			w.pool.before = func(op operation, call int) {
				switch {
				case op != listUsers || born > 2*all:
				case call%3 == 0:
					w.pool.users[person(born).Sub] = person(born)
					born++
				case call%3 == 1:
					delete(w.pool.users, person(gone).Sub)
					gone += 7
				default:
					u := w.pool.users[person(call%all).Sub]
					if u.Sub == "" {
						break
					}
					u.Attributes = userpool.Attributes{"email": "changed@example.com"}
					w.pool.users[u.Sub] = u
				}
			}
			out := w.seed()
			users, _ := w.staged(out.Generation)
			for n := range all {
				if _, staged := users[person(n).Sub]; !staged && (n%7 != 0 || n >= gone) {
					t.Errorf("person %d is missing", n)
				}
			}
			for sub, u := range users {
				if email := u.Attributes["email"]; email != "changed@example.com" && !strings.HasPrefix(email, "person-") {
					t.Errorf("%s: %v", sub, u)
				}
			}
			if out.Profiles != len(users) {
				t.Errorf("%d profiles, %d users", out.Profiles, len(users))
			}
		})
	}
}

// TestSomebodyComesUpAgain: within a page, within a batch, in a later batch. The
// later line counts, and each is counted once.
func TestSomebodyComesUpAgain(t *testing.T) {
	for name, pages := range map[string][][]int{
		"within a page":     {{0, 1, 0}, {2}},
		"within a batch":    {{0, 1}, {2, 0}, {0, 3}},
		"in a later batch":  {{0, 1}, {}, {2, 3}, {4, 5}, {6, 0}, {0}},
		"all of a page":     {{0, 1, 2}, {0, 1, 2}, {0, 1, 2}},
		"nobody is there":   {{}, {}, {}},
		"everybody, always": {{0, 0, 0}, {0}, {0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.o.Shards, w.o.Limits = seeding.ShardsSerial, seeding.Limits{Time: time.Minute, Lines: 6, Bytes: 1 << 20}
				o := w.o
				o.Directory, o.Store = script{w.pool, pages}, w.store()
				out, err := w.chain(seeding.New(o), 0)
				if err != nil || !out.Done {
					t.Fatalf("%+v, %v", out, err)
				}
				line := 0
				for _, page := range pages {
					for _, n := range page {
						u := person(n)
						u.Created = time.Unix(int64(line), 0).UTC()
						w.pool.users[u.Sub] = u
						line++
					}
				}
				w.wantAll(out)
			})
		})
	}
}

// script lists the same pages, whatever is asked. Created tells the lines about
// a user apart.
type script struct {
	*directory
	pages [][]int
}

func (s script) ListUsers(_ context.Context, _ string, cursor manifest.Cursor) (page seeding.Page[userpool.User], err error) {
	line := 0
	for i, numbers := range s.pages {
		here := len(cursor) == i
		for _, n := range numbers {
			if u := person(n); here {
				u.Created = time.Unix(int64(line), 0).UTC()
				page.Items = append(page.Items, u)
			}
			line++
		}
		if here && i+1 < len(s.pages) {
			page.Next = cursor + "x"
		}
	}
	return page, nil
}

// TestPersonMustAct: what no repetition heals is recorded, and a person can take
// the shard up again once it is repaired.
func TestPersonMustAct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.crowd(25)
		s, _ := w.opened()
		w.pool.failures[listUsers] = []error{denied{}}
		out, err := w.chain(s, 0)
		if err != nil || out.Done || len(out.Failed) != 1 || out.Failed[0] != (seeding.FailedShard{Shard: "all", Kind: fault.Denied, Reason: "directory: AccessDenied"}) {
			t.Fatalf("%+v, %v", out, err)
		}
		if out.Committed != 1 {
			t.Errorf("the other shard did not go on: %+v", out)
		}
		w.wantAll(w.seed())
	})
}

// denied is an error as the SDK has it, with a text that nobody may see.
type denied struct{}

func (denied) Error() string     { return "User: ann@example.com is not authorized" }
func (denied) ErrorCode() string { return "AccessDenied" }
func (d denied) Unwrap() error   { return &fault.Error{Kind: fault.Denied, Err: context.Canceled} }

// TestUnstageableUser: an attribute that the schema did not speak of.
func TestUnstageableUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, people(3)...)
		w.pool.users[person(1).Sub].Attributes["custom:session_token"] = "canary"
		out, err := w.chain(w.seeding(), 0)
		if err != nil || out.Done || len(out.Failed) != 1 || !strings.Contains(out.Failed[0].Reason, `attribute "custom:session_token" sounds like a secret`) {
			t.Errorf("%+v, %v", out, err)
		}
		for _, key := range w.memory.Keys() {
			if o, err := w.memory.Get(t.Context(), key); err != nil || strings.Contains(string(o.Body), "canary") {
				t.Errorf("%s: %v", key, err)
			}
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.crowd(100)
		s, in := w.opened()
		if out := w.batch(s, in); !out.More || out.Count == 0 {
			t.Fatalf("%+v", out)
		}
		for range 2 {
			if err := s.Stop(t.Context(), "ann"); err != nil {
				t.Fatal(err)
			}
		}
		calls := w.pool.calls[listUsers]
		if out := w.batch(s, in); out.More || !out.Stopped || out.Count == 0 {
			t.Errorf("%+v", out)
		}
		plan, err := s.Plan(t.Context(), seeding.PlanInput{Run: runID})
		if err != nil || !plan.Stopped || len(plan.Shards) > 0 {
			t.Errorf("%+v, %v", plan, err)
		}
		closed, err := s.Close(t.Context(), seeding.CloseInput{Run: runID, Generation: 1, Link: 3})
		if err != nil || !closed.Stopped || closed.Continue || closed.Done || closed.Link != 3 {
			t.Errorf("%+v, %v", closed, err)
		}
		if status, err := s.Status(t.Context(), 0); err != nil || !status.Stopped {
			t.Errorf("%+v, %v", status, err)
		}
		if w.pool.calls[listUsers] != calls {
			t.Error("it went on reading")
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantAll(w.seed())
	})
}

func TestFail(t *testing.T) {
	for name, want := range map[string]struct {
		kind   fault.Kind
		reason string
	}{
		"Throttled":                 {fault.Throttled, "batch_failed: Throttled"},
		"States.Timeout":            {fault.Unavailable, "batch_failed: States.Timeout"},
		"Runtime.ExitError":         {fault.Unavailable, "batch_failed: Runtime.ExitError"},
		"wrapError":                 {fault.Internal, "batch_failed: wrapError"},
		"no such ann@example.com !": {fault.Internal, "batch_failed: unrecognised"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, people(100)...)
			s, in := w.opened()
			for range 2 { // the second finds it done
				out, err := s.Fail(t.Context(), in, name)
				if err != nil || out.More || out.Failed != want.reason {
					t.Errorf("%s: %+v, %v", name, out, err)
				}
			}
			if out := w.batch(s, in); out.More || out.Failed != want.reason {
				t.Errorf("a batch went on: %+v", out)
			}
			status, err := s.Status(t.Context(), 0)
			if err != nil || status.Shards[0].State != seeding.ShardFailed || status.Shards[0].Kind != want.kind || len(status.Failed) != 1 {
				t.Errorf("%+v, %v", status, err)
			}
			w.wantAll(w.seed())
			if out, err := s.Fail(t.Context(), in, name); err != nil || out.Failed != "" {
				t.Errorf("a committed shard failed: %+v, %v", out, err)
			}
		})
	}
}

func TestBatchRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, in := w.opened()
		for want, change := range map[string]func(*seeding.BatchInput){
			`run "x" is not the run`:                            func(in *seeding.BatchInput) { in.Run = "x" },
			`generation 1 of run 2026-11-prod has no shard "7"`: func(in *seeding.BatchInput) { in.Shard = "7" },
		} {
			wrong := in
			change(&wrong)
			wantError(t, want, func() error { _, err := s.Batch(t.Context(), wrong); return err })
			wantError(t, want, func() error { _, err := s.Fail(t.Context(), wrong, "x"); return err })
		}
		in.Generation = 2
		if _, err := s.Batch(t.Context(), in); fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
	})
}

// TestDeadline: a batch leaves time to write what it has read.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, people(1000)...)
		s, in := w.opened()
		w.pool.latency = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		out, err := s.Batch(ctx, in)
		if err != nil || out.Count != 5*60 {
			t.Errorf("%+v, %v", out, err)
		}
	})
}
