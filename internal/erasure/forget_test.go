package erasure_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	gocmp "github.com/google/go-cmp/cmp"

	"poolferry/internal/erasure"
	"poolferry/internal/seeding/census"
	"poolferry/internal/store"
	"poolferry/internal/store/storetest"
)

// packedOrNot is what an object says, however it is packed, found the plain way.
func (w *world) everything() map[string][]byte {
	w.t.Helper()
	all := map[string][]byte{}
	for v, err := range w.memory.ListVersions(w.t.Context(), "") {
		w.check(err)
		if v.Marker {
			continue
		}
		o, err := w.memory.GetVersion(w.t.Context(), v.Key, v.ID)
		w.check(err)
		all[v.Key+"?"+v.ID] = o.Body
	}
	return all
}

func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fill()
		e := w.erasure(w.memory)
		p := erasure.Person{Sub: person(victim).Sub}
		before, err := e.Check(t.Context(), p)
		w.check(err)
		wantKinds(t, before.Traces)
		w.leave()
		done, err := e.Forget(t.Context(), p.Sub)
		if err != nil {
			if found, ok := errors.AsType[*erasure.FoundError](err); ok {
				t.Fatalf("%v: %+v", err, found.Traces)
			}
			t.Fatal(err)
		}
		t.Logf("%+v", done)
		w.wantForgotten()
	})
}

// filled is a run that the victim has left, in a bucket of its own for each test.
func (w *world) filled() *world {
	c := *w
	c.memory = w.memory.Clone()
	c.run = store.NewRun(c.memory, runID)
	return &c
}

// TestForgetDies kills the erasure before every call of the bucket, and after some,
// which comes to the same as before the next; begins it again, and wants the same
// end.
func TestForgetDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fill()
		w.leave()
		whole := w.filled()
		_, err := whole.erasure(whole.memory).Forget(t.Context(), person(victim).Sub)
		w.check(err)
		want := whole.state()
		calls := 0
		for _, after := range []bool{false, true} {
			step := storetest.Stride()
			if after {
				step = 11
			}
			for n, survived := 1, false; !survived; n += step {
				c := w.filled()
				ctx, cancel := context.WithCancel(t.Context())
				m := storetest.NewMortal(n, after, cancel)
				_, err := c.erasure(m.Versioned(c.memory)).Forget(ctx, person(victim).Sub)
				if survived = !m.Dead(); survived && err != nil {
					t.Fatal(err)
				}
				cancel()
				calls = max(calls, n)
				if _, err := c.erasure(c.memory).Forget(t.Context(), person(victim).Sub); err != nil {
					t.Fatalf("killed at call %d, after %v: %v", n, after, err)
				}
				if diff := gocmp.Diff(want, c.state()); diff != "" {
					t.Fatalf("killed at call %d, after %v (-want +got):\n%s", n, after, diff)
				}
				if n%37 == 1 {
					c.wantForgotten()
				}
			}
		}
		t.Logf("%d calls", calls)
	})
}

// wantKinds makes sure that the victim is in every kind that people are in.
func wantKinds(t *testing.T, traces []erasure.Trace) {
	t.Helper()
	in := map[string]bool{}
	for _, trace := range traces {
		for _, k := range erasure.KindsOf(trace.Key) {
			in[k.Pattern] = true
		}
	}
	for _, pattern := range []string{
		"gen-G/shards/S/A/part-N-D.jsonl.gz", "gen-G/index-P/ITEM-D.seg",
		"reconcile/ID/idmap/B-D.FORMAT.gz", "reconcile/ID/pending/B-D.jsonl.gz", "reconcile/ID/findings/B-D.jsonl.gz", "reconcile/ID/settle/B-D.jsonl.gz",
		"reconcile/ID/buckets/B.json", "reconcile/ID/summary.json", "reconcile/ID/target/S/A/part-N-D.seg", "reconcile/ID/maps/…", "reconcile/ID/imported/B-D.seg",
		"settle/KEPT-D.jsonl.gz", "imports/ID/B-D.jsonl.gz",
		"tail/ID/files/N.json", "tail/ID/csv/N-D.csv.gz", "tail/ID/lines/N-D.jsonl.gz", "tail/ID/results/N-D.jsonl.gz",
	} {
		if !in[pattern] {
			t.Errorf("the victim is in no object %s: the test proves nothing about it", pattern)
		}
	}
}

// wantForgotten makes sure that the victim is nowhere, and that what is left is
// whole.
func (w *world) wantForgotten() {
	t := w.t
	t.Helper()
	u := person(victim)
	for name, body := range w.everything() {
		if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
			body = unpacked(t, body)
		}
		for _, word := range []string{string(u.Sub), "2f00000-1111-4000-8000-000000000003", "a2f00000-2222-4000-8000-000000000003", "person-3", "moved-3", "moved-again"} {
			if bytes.Contains(body, []byte(word)) || strings.Contains(name, word) {
				t.Errorf("%s has %s", name, word)
			}
		}
	}
	checked, err := w.erasure(w.memory).Check(t.Context(), erasure.Person{Sub: u.Sub, Usernames: []string{u.Username, "moved-3"}})
	if err != nil || len(checked.Traces) > 0 || checked.Receipt == nil {
		t.Errorf("%+v, %v", checked, err)
	}
	for _, g := range []int{1, 2} {
		report, err := census.Verify(t.Context(), w.run, g)
		if err == nil {
			err = report.Err()
		}
		if err != nil || report.Profiles != 8 || report.Members != 16 {
			t.Errorf("generation %d: %+v, %v", g, report, err)
		}
	}
	for name := range w.state() {
		if strings.HasSuffix(name, " deleted") || strings.Contains(name, "forgetting/") {
			t.Errorf("left: %s", name)
		}
	}
	r := w.reconciliation()
	s, err := r.Summary(t.Context(), "second")
	w.check(err)
	n := 0
	for row, err := range r.IDMap(t.Context(), "second") {
		w.check(err)
		if row.LegacySub == u.Sub {
			t.Errorf("%+v", row)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d rows in the id map", n)
	}
	for _, ref := range s.IDMap {
		data, err := w.run.ReadRows(t.Context(), ref)
		w.check(err)
		if ref.Format == "csv.gz" {
			if records, err := csv.NewReader(bytes.NewReader(unpacked(t, data))).ReadAll(); err != nil || len(records) != 1+ref.Count {
				t.Errorf("%s: %d records, %v", ref.Key, len(records), err)
			}
		}
	}
	for _, err := range r.Findings(t.Context(), "second") {
		w.check(err)
	}
	for _, ref := range s.Settle {
		rows, err := r.ReadSettleRows(t.Context(), ref)
		if err != nil || len(rows) != ref.Count {
			t.Errorf("%s: %+v, %v", ref.Key, rows, err)
		}
	}
	decisions, err := r.Decisions(t.Context())
	if err != nil || len(decisions.Imports) != 1 || decisions.Imports[0].Count != 2 {
		t.Errorf("%+v, %v", decisions, err)
	}
	for _, id := range []string{"first", "second", "third"} {
		if _, err := w.run.ReadBasis(t.Context(), id); err != nil {
			t.Error(err)
		}
		if _, err := w.run.ReadCompared(t.Context(), id, 0); err != nil {
			t.Error(err)
		}
	}
	state, _, err := w.run.ReadSettle(t.Context())
	w.check(err)
	if data, err := w.run.ReadRows(t.Context(), state.Failed); err != nil || bytes.Count(unpacked(t, data), []byte("\n")) != 3 {
		t.Errorf("%+v, %v", state, err)
	}
	file, err := w.run.ReadTailFile(t.Context(), "tail-1", 0)
	w.check(err)
	data, err := w.run.ReadTailObject(t.Context(), *file.CSV)
	w.check(err)
	if diff := gocmp.Diff("cognito:username,name,email,custom:legacy_sub\nperson-2,Doe\\, 2,person-2@example.com,"+string(person(2).Sub)+
		"\n,,,\nperson-4,Doe\\, 4,person-4@example.com,"+string(person(4).Sub)+"\n", string(unpacked(t, data))); diff != "" {
		t.Error(diff)
	}
	results, err := w.run.ReadTailResults(t.Context(), "tail-1", 0)
	w.check(err)
	if _, err := w.run.ReadTailObject(t.Context(), results.Rows); err != nil {
		t.Error(err)
	}
	// The next reconciliation makes the index anew, is whole, and does not know them.
	out := w.reconcile("afterwards", true)
	s, err = r.Summary(t.Context(), "afterwards")
	w.check(err)
	if !out.Whole || s.Profiles != 8 || s.Verdicts["missing-in-source"] != 0 {
		t.Errorf("%+v, %+v", out, s)
	}
	checked, err = w.erasure(w.memory).Check(t.Context(), erasure.Person{Sub: u.Sub})
	if err != nil || len(checked.Traces) > 0 {
		t.Errorf("afterwards: %+v, %v", checked, err)
	}
}

func unpacked(t *testing.T, stored []byte) []byte {
	t.Helper()
	text, err := io.ReadAll(must(newUnzip(stored)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
