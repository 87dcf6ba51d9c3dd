package reconcile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/scan"
	"poolferry/internal/store"
	"poolferry/internal/store/storetest"
	"poolferry/internal/userpool"
)

func subsOf(n int) (subs []userpool.Sub) {
	for i := range n {
		subs = append(subs, userpool.Sub(fmt.Sprintf("%08x-0000-4000-8000-000000000000", i*2654435761&0xffffffff)))
	}
	return subs
}

// importedRows are the subs that are recorded as imported, sorted.
func (p *place) importedRows() (subs []userpool.Sub) {
	p.t.Helper()
	d := must(p.reconciliation().Decisions(p.t.Context()))
	for _, i := range d.Imports {
		for _, ref := range i.Rows {
			data := must(p.store().ReadRows(p.t.Context(), ref))
			for _, row := range must(reconcile.DecodeRows[reconcile.ImportRow](data, ref)) {
				subs = append(subs, row.Sub)
			}
		}
	}
	slices.Sort(subs)
	return subs
}

func TestExclude(t *testing.T) {
	p := newPlace(t, newPool(), newPool())
	r := p.reconciliation()
	if d, err := r.Decisions(t.Context()); err != nil || len(d.Exclude)+len(d.Imports) > 0 || d.Exclude == nil || d.Imports == nil {
		t.Errorf("nothing is decided: %+v, %v", d, err)
	}
	for _, c := range []struct{ reasons, want []verdict.Reason }{
		{[]verdict.Reason{verdict.NotSignedIn, verdict.Disabled, verdict.NotSignedIn}, []verdict.Reason{verdict.Disabled, verdict.NotSignedIn}},
		{[]verdict.Reason{verdict.MFA}, []verdict.Reason{verdict.MFA}},
		{nil, []verdict.Reason{}},
	} {
		for range 2 { // the second time nothing changes
			d, err := r.Exclude(t.Context(), c.reasons)
			if diff := gocmp.Diff(c.want, d.Exclude); err != nil || diff != "" {
				t.Errorf("%v: %v, %s", c.reasons, err, diff)
			}
			if got := must(r.Decisions(t.Context())); !slices.Equal(got.Exclude, c.want) || !got.Updated.Equal(d.Updated) {
				t.Errorf("%v: %+v stands, not %+v", c.reasons, got, d)
			}
		}
	}
	for _, reason := range []verdict.Reason{verdict.Vanished, verdict.SignedIn, "", "everybody"} {
		if _, err := r.Exclude(t.Context(), []verdict.Reason{verdict.Disabled, reason}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", reason, err)
		}
	}
	if d := must(r.Decisions(t.Context())); len(d.Exclude) > 0 {
		t.Errorf("what was refused stands: %v", d.Exclude)
	}
}

func TestRecordImport(t *testing.T) {
	p := newPlace(t, newPool(), newPool())
	r := p.reconciliation()
	record := func(id string, subs []userpool.Sub) error { return r.RecordImport(t.Context(), id, subs) }
	subs := subsOf(120_000)
	for _, err := range []error{
		record("tail-1", slices.Concat(subs, subs[:10])), record("tail-1", subs), record("tail-2", nil), record("tail-2", nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := slices.Sorted(slices.Values(subs))
	if got := p.importedRows(); !slices.Equal(got, want) {
		t.Errorf("%d are recorded, not %d", len(got), len(want))
	}
	d := must(r.Decisions(t.Context()))
	if len(d.Imports) != 2 || d.Imports[0].Count != len(subs) || len(d.Imports[0].Rows) != 4 || d.Imports[1].Count != 0 {
		t.Errorf("%+v", d.Imports)
	}
	for what, c := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"others under the id":  {record("tail-1", subs[1:]), fault.Conflict},
		"an id that is none":   {record("tail/1", subs), fault.Invalid},
		"somebody without sub": {record("tail-3", []userpool.Sub{"x", ""}), fault.Invalid},
		"more than a file has": {record("tail-3", subsOf(reconcile.MaxImport+1)), fault.Invalid},
	} {
		if fault.KindOf(c.err) != c.kind {
			t.Errorf("%s: %v", what, c.err)
		}
	}
	if got := must(r.Decisions(t.Context())); len(got.Imports) != 2 {
		t.Errorf("what was refused stands: %+v", got.Imports[2:])
	}
}

// TestDecisionsDie kills whoever decides at each call of the bucket; called again
// everything is decided once.
func TestDecisionsDie(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n, survived := 1, false; !survived; n += storetest.Stride() {
			p := newPlace(t, newPool(), newPool())
			ctx, cancel := context.WithCancel(t.Context())
			m := storetest.NewMortal(n, after, cancel)
			o := p.o
			o.Store = store.NewRun(m.Bucket(p.memory), runID)
			decide := func(ctx context.Context, r *reconcile.Reconciliation) error {
				_, err := r.Exclude(ctx, []verdict.Reason{verdict.NotSignedIn})
				return errors.Join(err, r.RecordImport(ctx, "tail-1", subsOf(40)), r.RecordImport(ctx, "tail-2", subsOf(3)))
			}
			err := decide(ctx, reconcile.New(o))
			if survived = !m.Dead(); survived && err != nil {
				t.Fatal(err)
			}
			if err := decide(t.Context(), p.reconciliation()); err != nil {
				t.Fatalf("killed at call %d, after %v: %v", n, after, err)
			}
			d := must(p.reconciliation().Decisions(t.Context()))
			if got := p.importedRows(); len(got) != 43 || len(d.Imports) != 2 || len(d.Exclude) != 1 {
				t.Errorf("killed at call %d, after %v: %d recorded, %+v", n, after, len(got), d)
			}
			cancel()
		}
	}
}

// rivalDecisions lets somebody else decide before decisions are swapped.
type rivalDecisions struct {
	store.Bucket
	left int
}

func (b *rivalDecisions) Put(ctx context.Context, key string, body []byte, when store.Condition) (string, error) {
	if strings.HasSuffix(key, "/decisions.json") && b.left > 0 {
		b.left--
		rival := reconcile.New(reconcile.Options{Run: runID, Store: store.NewRun(b.Bucket, runID), Now: time.Now})
		if err := rival.RecordImport(ctx, fmt.Sprintf("rival-%d", b.left), []userpool.Sub{"s"}); err != nil {
			return "", err
		}
	}
	return b.Bucket.Put(ctx, key, body, when)
}

// TestDecisionsAreSwapped: of several who decide at the same time nobody is lost.
func TestDecisionsAreSwapped(t *testing.T) {
	p := newPlace(t, newPool(), newPool())
	p.bucket = &rivalDecisions{p.memory, 4}
	if err := p.reconciliation().RecordImport(t.Context(), "tail-1", subsOf(3)); err != nil {
		t.Fatal(err)
	}
	d, err := p.reconciliation().Exclude(t.Context(), []verdict.Reason{verdict.Disabled})
	if err != nil || len(d.Imports) != 5 || len(d.Exclude) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	p.bucket = &rivalDecisions{p.memory, 100}
	if _, err := p.reconciliation().Exclude(t.Context(), nil); fault.KindOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
}

// TestEverybodyIsDone: pending users are imported or excluded, and then the
// migration is complete. Who was imported and has a new password has migrated.
func TestEverybodyIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newChronicle(t, newPool(people(30, employee)...), newPool()).place // whose target takes all attributes
		p.o.Shards = scan.ShardsSerial
		time.Sleep(time.Hour)
		p.seed(0)
		want := func(out reconcile.CloseOutput, complete bool, percent float64, verdicts map[verdict.Verdict]int) {
			t.Helper()
			s := must(p.reconciliation().Summary(t.Context(), out.ID))
			if diff := gocmp.Diff(verdicts, s.Verdicts); diff != "" || out.Complete != complete || s.Percent != percent || s.Percent != out.Percent {
				t.Errorf("%+v, %v percent: %s", out, s.Percent, diff)
			}
		}
		want(p.reconcile("r1"), false, 0, map[verdict.Verdict]int{verdict.Pending: 30})
		var subs []userpool.Sub
		for i := range 20 {
			u := moved(employee(i), i, time.Now())
			u.Status = userpool.StatusResetRequired
			p.target.users[u.Sub] = u
			subs = append(subs, employee(i).Sub)
		}
		e := p.execution("r2")
		e.before = func(step, _ string) { // what is decided later is for the next one
			if step != "index" && step != "scan" {
				return
			}
			if err := p.reconciliation().RecordImport(t.Context(), "tail-1", subs); err != nil {
				t.Error(err)
			}
		}
		want(must(e.run()), false, 66.6, map[verdict.Verdict]int{verdict.Migrated: 20, verdict.Pending: 10})
		want(p.reconcile("r3"), false, 66.6, map[verdict.Verdict]int{verdict.Imported: 20, verdict.Pending: 10})
		must(p.reconciliation().Exclude(t.Context(), []verdict.Reason{verdict.NotSignedIn}))
		want(p.reconcile("r4"), false, 100, map[verdict.Verdict]int{verdict.Imported: 20, verdict.Excluded: 10})
		for sub, u := range p.target.users {
			if strings.HasPrefix(string(sub), "0") {
				u.Status, u.Modified = userpool.StatusConfirmed, time.Now().UTC()
				p.target.users[sub] = u
			}
		}
		want(p.reconcile("r5"), true, 100, map[verdict.Verdict]int{verdict.Migrated: 2, verdict.Imported: 18, verdict.Excluded: 10})
		must(p.reconciliation().Exclude(t.Context(), nil)) // they may come after all
		want(p.reconcile("r6"), false, 66.6, map[verdict.Verdict]int{verdict.Migrated: 2, verdict.Imported: 18, verdict.Pending: 10})
		p.drop("imports/tail-1/") // has expired
		want(p.reconcile("r7"), false, 66.6, map[verdict.Verdict]int{verdict.Migrated: 20, verdict.Pending: 10})
		for n, rows := range map[string]int{"r1": 0, "r2": 20, "r3": 20, "r7": 20} { // all within the hour
			if _, said := p.said(n); len(said.Settle) != rows {
				t.Errorf("%s has %d to settle, not %d", n, len(said.Settle), rows)
			}
		}
		time.Sleep(2 * time.Hour)
		p.reconcile("r8")
		p.reconcile("r9")
		if s, said := p.said("r9"); len(said.Settle) > 0 || s.Settle == nil || len(said.Pending) != 10 || !slices.Equal(said.Pending[0].Groups, []string{"staff"}) {
			t.Errorf("%+v, %+v", said.Settle, said.Pending)
		}
		for _, key := range p.memory.Keys() {
			if strings.Contains(key, "/imported/") {
				t.Errorf("%s is left", key)
			}
		}
	})
}

// TestSettleAll: whoever takes away what the source lacks has to know of all who
// arrive.
func TestSettleAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(people(10, person)...), newPool())
		p.o.Shards = scan.ShardsSerial
		time.Sleep(time.Hour)
		p.seed(0)
		for i := range 6 {
			u := moved(person(i), i, time.Now())
			p.target.users[u.Sub] = u
		}
		for id, all := range map[string]bool{"some": false, "all": true} {
			p.o.SettleAll = all
			p.reconcile(id)
			if _, said := p.said(id); all != (len(said.Settle) == 6) || len(said.Settle) > 0 && len(said.Settle[0].Groups) > 0 {
				t.Errorf("%s: %+v", id, said.Settle)
			}
		}
	})
}

// TestGroupsUnknown: while memberships are missing nothing is to be settled, and
// what was not said then is said later.
func TestGroupsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, newPool(people(10, employee)...), newPool())
		p.o.Shards, p.o.SettleAll = scan.ShardsSerial, true
		s, in := p.begin(0)
		for i := range 6 {
			u := moved(employee(i), i, time.Now())
			p.target.users[u.Sub] = u
		}
		p.batches(s, in.Generation, "all")
		if out := p.reconcile("r1"); out.Whole {
			t.Errorf("%+v", out)
		}
		if s, said := p.said("r1"); s.Settle != nil || len(said.IDMap) != 6 || len(said.Pending[0].Groups) > 0 {
			t.Errorf("%+v, %+v", s.Settle, said)
		}
		p.seed(0)
		time.Sleep(3 * time.Hour)
		p.reconcile("r2")
		if _, said := p.said("r2"); len(said.Settle) != 6 || !slices.Equal(said.Settle[0].Groups, []string{"staff"}) {
			t.Errorf("%+v", said.Settle)
		}
		// One that says nothing of settling, as of an older poolferry, settles nobody.
		key := p.keys("reconcile/r2/summary.json")[0]
		summary := must(p.store().ReadSummary(t.Context(), "r2"))
		summary.Settle = nil
		data := must(summary.Encode())
		if bytes.Contains(data, []byte("settle")) {
			t.Errorf("%s", data)
		}
		must(p.memory.Put(t.Context(), key, data, store.Condition{}))
		p.reconcile("r3")
		if _, said := p.said("r3"); len(said.Settle) != 6 {
			t.Errorf("%+v", said.Settle)
		}
	})
}
