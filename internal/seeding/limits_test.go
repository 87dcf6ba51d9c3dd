package seeding_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"poolferry/internal/seeding"
	"poolferry/internal/userpool"
)

// TestBatchEnds: at each of its limits, or a page later.
func TestBatchEnds(t *testing.T) {
	for name, c := range map[string]struct {
		limits seeding.Limits
		pages  [2]int // at least, at most
	}{
		"time":  {seeding.Limits{Time: 5 * time.Second, Lines: 10_000, Bytes: 1 << 30}, [2]int{5, 5}},
		"lines": {seeding.Limits{Time: time.Hour, Lines: 180, Bytes: 1 << 30}, [2]int{3, 4}},
		"bytes": {seeding.Limits{Time: time.Hour, Lines: 10_000, Bytes: 200_000}, [2]int{3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, people(1000)...)
				for sub, u := range w.pool.users {
					u.Attributes["name"] = strings.Repeat("x", 1000)
					w.pool.users[sub] = u
				}
				w.o.Limits, w.pool.latency = c.limits, time.Second
				s, in := w.opened()
				out := w.batch(s, in)
				if pages := out.Count / 60; pages < c.pages[0] || pages > c.pages[1] || out.Parts != 1 {
					t.Errorf("%+v: %d pages", out, pages)
				}
				w.wantAll(w.seed())
			})
		})
	}
}

// recorder keeps what batches report.
type recorder struct {
	mu      sync.Mutex
	batches []seeding.BatchRecord
}

func (r *recorder) RecordBatch(_ context.Context, b seeding.BatchRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = append(r.batches, b)
}

func TestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, people(150)...)
		records := &recorder{}
		w.o.Recorder = records
		w.pool.latency = time.Second
		s, in := w.opened()
		w.pool.before = func(op operation, call int) {
			if op == listUsers && call == 4 {
				w.pool.failNext(op, "Throttled", 2)
			}
		}
		began := time.Now()
		w.batch(s, in)
		if len(records.batches) != 1 {
			t.Fatal(records.batches)
		}
		got := records.batches[0]
		if !got.At.Equal(began) || got.Shard != "all" || got.Lines != 150 || got.Pages != 3 || got.Throttled != 2 || got.Took < 5*time.Second {
			t.Errorf("%+v", got)
		}
		w.batch(s, in) // the commit reads no page
		if len(records.batches) != 1 {
			t.Error(records.batches)
		}
	})
}

// TestPaceIsShared: sixteen batches at a time are together as fast as one may
// be, and almost as fast.
func TestPaceIsShared(t *testing.T) {
	for _, concurrency := range []int{4, 16} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, people(10_000)...)
			w.o.Shards, w.o.PerSecond, w.o.Concurrency, w.pool.latency = seeding.ShardsPrefix, 30, concurrency, 20*time.Millisecond
			if _, err := w.seeding().Plan(t.Context(), seeding.PlanInput{Run: runID}); err != nil {
				t.Fatal(err)
			}
			var at []time.Time
			w.pool.before = func(op operation, _ int) {
				if op == listUsers {
					at = append(at, time.Now())
				}
			}
			w.wantAll(w.seed())
			slices.SortFunc(at, time.Time.Compare)
			took := at[len(at)-1].Sub(at[0])
			const batches = 16 // each has its first turn at once
			if least := time.Duration(float64(len(at)-batches) / 30 * float64(time.Second)); took < least {
				t.Errorf("%d pages in %s: faster than the pace, which takes %s", len(at), took, least)
			}
			if most := time.Duration(float64(len(at)) / 30 * float64(time.Second) * 1.25); took > most {
				t.Errorf("%d pages in %s: the pace takes %s", len(at), took, most)
			}
		})
	}
}

// TestGroupThatIsGone: a group that was deleted since it was listed has nobody.
func TestGroupThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.crowd(25)
		s, _ := w.opened()
		delete(w.pool.groups, "b")
		w.wantAll(w.seed())
		status, err := s.Status(t.Context(), 1)
		if err != nil || len(status.Shards) != 2 || status.Members != 17 {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

// TestGroupsWithAwkwardNames: a cursor holds a group's name.
func TestGroupsWithAwkwardNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.crowd(25)
		for _, name := range []string{`"quoted"`, "a b", "ünïcode 👩", `back\slash`, "line\nfeed", "|"} {
			if name != "|" { // which the directory's own tokens cannot hold
				w.pool.groups[name] = []userpool.Sub{person(1).Sub, person(2).Sub}
			}
		}
		w.pool.pageSize = 1
		w.wantAll(w.seed())
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.crowd(40)
		w.o.Limits.Lines = 1 << 10
		w.o.Shards = seeding.ShardsPrefix
		s := w.seeding()
		if _, err := s.Status(t.Context(), 0); err == nil {
			t.Error("a run without a plan has a status")
		}
		if _, err := s.Plan(t.Context(), seeding.PlanInput{Run: runID}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		began := time.Now()
		w.batch(s, seeding.BatchInput{Run: runID, Generation: 1, Shard: "0"})
		time.Sleep(time.Minute)
		w.batch(s, seeding.BatchInput{Run: runID, Generation: 1, Shard: "1"})
		w.batch(s, seeding.BatchInput{Run: runID, Generation: 1, Shard: "1"})
		status, err := s.Status(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(status.Shards) != 17 || status.Generation != 1 || status.Estimate != 40 || status.Done || status.Stopped || status.Committed != 1 ||
			status.Profiles != 6 || status.Parts != 2 || status.Updated.Sub(began) != time.Minute || status.Planned.IsZero() {
			t.Errorf("%+v", status)
		}
		for i, want := range []seeding.ShardState{seeding.ShardComplete, seeding.ShardCommitted, seeding.ShardWaiting} {
			if got := status.Shards[i]; got.State != want || got.Updated.IsZero() != (want == seeding.ShardWaiting) {
				t.Errorf("shard %d: %+v, want %s", i, got, want)
			}
		}
		if _, err := s.Sweep(t.Context(), 1); err == nil {
			t.Error("swept what is not closed")
		}
		w.wantAll(w.seed())
		if status, err = s.Status(t.Context(), 0); err != nil || !status.Done || status.Committed != 17 || status.Profiles != 40 || status.Members != 40 {
			t.Errorf("%+v, %v", status, err)
		}
	})
}
