package store_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
)

// writer is one of several executions of the batches of one shard. It takes a
// step at a time, so that a test decides who goes when.
type writer struct {
	run   *store.Run
	pool  *shiftingPool
	of    manifest.Origin
	dice  *rand.Rand
	step  func(context.Context) error
	tag   string
	at    manifest.Checkpoint
	next  manifest.Cursor
	part  *manifest.PartRef
	reads int
}

// shiftingPool has the same users all the time, but reads none of them twice
// the same way: two executions of one batch never stage the same bytes.
type shiftingPool struct {
	users int
	reads int
}

func (w *writer) load(ctx context.Context) (err error) {
	w.at, w.tag, err = w.run.LoadCheckpoint(ctx, w.of, all)
	if fault.KindOf(err) == fault.NotFound {
		w.at, w.tag, err = manifest.NewCheckpoint(w.of, all, noon), "", nil
	}
	w.step = w.write
	return err
}

// write reads a batch of random length and stages it.
func (w *writer) write(ctx context.Context) error {
	if w.at.State == manifest.Complete {
		w.step = nil
		return nil
	}
	w.step = w.swap
	w.reads++
	from, _ := strconv.Atoi(string(w.at.Cursor)) // the first cursor is empty: 0
	to := min(from+w.dice.IntN(4), w.pool.users)
	w.next, w.part = manifest.Cursor(strconv.Itoa(to)), nil
	if to == w.pool.users {
		w.next = ""
	}
	if to == from { // a batch of empty pages
		return nil
	}
	var buf bytes.Buffer
	h := w.at.NextPart()
	part, err := manifest.NewPartWriter(&buf, h)
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		w.pool.reads++
		u := person(fmt.Sprintf("sub-%03d", i))
		u.Attributes["custom:read"] = strconv.Itoa(w.pool.reads)
		if err := part.Profile(u); err != nil {
			return err
		}
	}
	ref, err := part.Close()
	if err != nil {
		return err
	}
	ref, err = w.run.WritePart(ctx, h, buf.Bytes(), ref)
	w.part = &ref
	return err
}

func (w *writer) swap(ctx context.Context) error {
	w.step = w.load
	var parts []manifest.PartRef
	if w.part != nil {
		parts = append(parts, *w.part)
	}
	next, err := w.at.Advance(w.next, noon, parts...)
	if w.dice.IntN(20) == 0 { // the cursor has expired
		next, err = w.at.Restart(noon)
	}
	if err != nil {
		return err
	}
	_, err = w.run.SwapCheckpoint(ctx, next, w.tag)
	if fault.KindOf(err) == fault.Conflict {
		return nil // not the first: load again
	}
	return err
}

// Whatever the order in which several executions of a shard's batches take
// their steps, die, and lose answers: in the end every user is staged once, and
// what nobody refers to is swept.
func TestRivalsLeaveOneTruth(t *testing.T) {
	kinds := []fault.Kind{fault.Unavailable, fault.Throttled, fault.Conflict}
	for seed := range uint64(80) {
		dice := rand.New(rand.NewPCG(seed, 1))
		bucket := memory.New()
		run, g := begin(t, bucket)
		pool := &shiftingPool{users: dice.IntN(20)}
		writers := make([]*writer, 2+dice.IntN(3))
		for i := range writers {
			writers[i] = &writer{run: run, pool: pool, of: g.Origin, dice: dice}
			writers[i].step = writers[i].load
		}
		for running := len(writers); running > 0; {
			w := writers[dice.IntN(len(writers))]
			if w.step == nil {
				continue
			}
			switch dice.IntN(12) {
			case 0:
				w.step = w.load // killed, and started again
			case 1:
				bucket.LoseNext(memory.Put, kinds[dice.IntN(2)], 1)
			case 2:
				bucket.FailNext(memory.Put, kinds[dice.IntN(2)], 1)
			case 3:
				bucket.FailNext(memory.Get, kinds[dice.IntN(2)], 1)
			}
			if err := w.step(t.Context()); err != nil {
				w.step = w.load // a Lambda that failed is tried again
			}
			if w.step == nil {
				running--
			}
		}
		// Mishaps that met nobody are not for the reader.
		for _, op := range []memory.Operation{memory.Put, memory.Get} {
			drain(bucket, op)
		}
		checkOneTruth(t, seed, bucket, run, g, pool.users)
		if t.Failed() {
			return
		}
	}
}

// drain uses up what is left of planned mishaps.
func drain(bucket *memory.Bucket, op memory.Operation) {
	for ok := 0; ok < 20; ok++ {
		if op == memory.Put {
			_, _ = bucket.Put(context.Background(), "drain", nil, store.Condition{})
		} else {
			_, _ = bucket.Get(context.Background(), "drain")
		}
	}
	_ = bucket.Delete(context.Background(), "drain")
}

func checkOneTruth(t *testing.T, seed uint64, bucket *memory.Bucket, run *store.Run, g manifest.Generation, users int) {
	t.Helper()
	c, _, err := run.LoadCheckpoint(t.Context(), g.Origin, all)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	commit, err := c.Commit(0, noon)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if commit, _, err = run.CommitShard(t.Context(), commit); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if _, err := run.SweepShard(t.Context(), commit); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if got, want := len(bucket.Keys()), 4+len(commit.Parts); got != want { // plan, generation, checkpoint, commit
		t.Errorf("seed %d: %d objects are left, want %d: %q", seed, got, want, bucket.Keys())
	}
	n := 0
	for i, ref := range commit.Parts {
		for u, err := range run.ReadProfiles(t.Context(), commit.PartHeader(i), ref) {
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if want := userpool.Sub(fmt.Sprintf("sub-%03d", n)); u.Sub != want {
				t.Errorf("seed %d: %s is where %s belongs", seed, u.Sub, want)
			}
			n++
		}
	}
	if n != users || commit.Count != users {
		t.Errorf("seed %d: %d users staged and %d counted, the pool has %d", seed, n, commit.Count, users)
	}
}
