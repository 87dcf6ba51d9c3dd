package erasure_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"poolferry/internal/erasure"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/seeding/census"
	"poolferry/internal/settle"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/tail"
	"poolferry/internal/userpool"
)

// TestForgetRefuses: nothing is changed where the person is not gone, or somebody
// else is at work.
func TestForgetRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := newWorld(t)
		full.fill()
		full.leave()
		there := func(where string) func(error) bool {
			return func(err error) bool {
				found, ok := errors.AsType[*erasure.ThereError](err)
				return ok && found.Where == where && strings.Contains(err.Error(), string(found.Sub))
			}
		}
		busy := func(words string) func(error) bool {
			return func(err error) bool {
				_, ok := errors.AsType[*erasure.BusyError](err)
				return ok && strings.Contains(err.Error(), words)
			}
		}
		now := time.Now().UTC()
		for name, tt := range map[string]struct {
			given func(*world)
			want  func(error) bool
		}{
			"still at the source": {func(w *world) { w.source.put(person(victim)) }, there("source")},
			"still at the target": {func(w *world) { w.target.put(moved(victim, now)) }, there("target")},
			"come back to the target under a new sub": {func(w *world) {
				u := moved(victim, now)
				u.Sub, u.Username = "b2f00000-3333-4000-8000-000000000003", "somebody-new"
				w.target.put(u) // the address is known from the manifest
			}, there("target")},
			"a reconciliation": {func(w *world) {
				out, err := w.reconciliation().Open(t.Context(), reconcile.OpenInput{Run: runID, ID: "fourth", Execution: "arn"})
				if err != nil || out.Held {
					t.Fatal(err)
				}
			}, func(err error) bool {
				held, ok := errors.AsType[*erasure.HeldError](err)
				return ok && held.ID == "fourth" && strings.Contains(err.Error(), "fourth")
			}},
			"a seeding": {func(w *world) { w.seed(3, false) }, busy("the seeding of generation 3")},
			"a settling": {func(w *world) {
				s, tag, err := w.run.ReadSettle(t.Context())
				w.check(err)
				s.Holder = &settle.Holder{ID: "second", Token: "x", Since: now, Until: time.Now().Add(time.Minute).UTC()}
				_, err = w.run.SwapSettle(t.Context(), s, tag)
				w.check(err)
			}, busy("settling after reconciliation second")},
			"an import that was opened this moment": {func(w *world) {
				lease := reconcile.Lease{Run: runID, ID: "tail-2", Execution: "arn", Taken: now, Until: now.Add(time.Minute)}
				_, err := w.run.SwapTailLease(t.Context(), lease, "")
				w.check(err)
			}, busy("import tail-2 of the tail")},
			"an import whose job may be at work": {func(w *world) {
				w.stopTail("tail-1", &tail.JobLook{ID: "import-7", Name: "n", State: tail.JobInProgress, Uploaded: true})
			}, busy("import tail-1 of the tail")},
			"a commit that was changed": {func(w *world) {
				key := "runs/" + runID + "/gen-1/shards/all/commit.json"
				o, err := w.memory.Get(t.Context(), key)
				w.check(err)
				_, err = w.memory.Put(t.Context(), key, []byte(strings.Replace(string(o.Body), `"committed":"2000-01-01T00:00:00`, `"committed":"2000-01-01T00:00:59`, 1)), store.Condition{})
				w.check(err)
			}, func(err error) bool {
				return fault.KindOf(err) == fault.Invalid && strings.Contains(err.Error(), "changed by somebody else")
			}},
			"a part that was changed": {func(w *world) {
				for _, key := range w.memory.Keys() {
					if strings.Contains(key, "/gen-2/shards/all/1/part-00000") {
						_, err := w.memory.Put(t.Context(), key, packed("{}\n"), store.Condition{})
						w.check(err)
					}
				}
			}, func(err error) bool {
				return fault.KindOf(err) == fault.Invalid && strings.Contains(err.Error(), "not what was written")
			}},
			"a bucket that is down": {func(w *world) { w.memory.FailNext(memory.ListVersions, fault.Unavailable, 1) },
				func(err error) bool { return fault.KindOf(err) == fault.Unavailable }},
		} {
			w := full.filled()
			w.source, w.target = newPool(), newPool()
			for _, u := range full.source.users {
				w.source.put(u)
			}
			tt.given(w)
			before, err := w.erasure(w.memory).Check(t.Context(), erasure.Person{Sub: person(victim).Sub})
			if err != nil && name != "a bucket that is down" {
				t.Fatalf("%s: %v", name, err)
			}
			if name == "a bucket that is down" {
				tt.given(w)
			}
			if _, err := w.erasure(w.memory).Forget(t.Context(), person(victim).Sub); err == nil || !tt.want(err) {
				t.Errorf("%s: got %v", name, err)
			}
			after, err := w.erasure(w.memory).Check(t.Context(), erasure.Person{Sub: person(victim).Sub})
			if err != nil || after.Receipt != nil || len(after.Traces) < len(before.Traces) {
				t.Errorf("%s: something was changed: %+v, %v", name, after, err)
			}
		}
		w := full.filled()
		before := w.state()
		for _, sub := range []userpool.Sub{"", "a/b", "../x", "x y"} {
			if _, err := w.erasure(w.memory).Forget(t.Context(), sub); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%q: %v", sub, err)
			}
		}
		if diff := gocmp.Diff(before, w.state()); diff != "" {
			t.Error(diff)
		}
	})
}

// slow is a bucket that takes a minute for each version, and four for each part.
type slow struct {
	store.Versioned
	looked func()
}

func (s slow) Get(ctx context.Context, key string) (store.Object, error) {
	if strings.Contains(key, "/part-") {
		time.Sleep(4 * time.Minute)
		s.looked()
	}
	return s.Versioned.Get(ctx, key)
}

func (s slow) GetVersion(ctx context.Context, key, id string) (store.Object, error) {
	time.Sleep(time.Minute)
	s.looked()
	return s.Versioned.GetVersion(ctx, key, id)
}

// TestKeepsTheLease: however long reading and searching take, nobody else begins.
func TestKeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fill()
		w.leave()
		var looks atomic.Int32
		_, err := w.erasure(slow{w.memory, func() {
			lease, _, err := w.run.ReadLease(t.Context())
			if n := looks.Add(1); err != nil || !lease.Held(time.Now()) {
				t.Errorf("look %d: %+v, %v", n, lease, err)
			}
		}}).Forget(t.Context(), person(victim).Sub)
		if n := looks.Load(); err != nil || n < 60 {
			t.Errorf("%d looks, %v", n, err)
		}
	})
}

// TestForgetAmidAnImport: one that nobody works on, and that may never end, keeps
// nobody from being forgotten; and it can be gone on with.
func TestForgetAmidAnImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, job := range map[string]*tail.JobLook{
			"no job":               nil,
			"a job without file":   {ID: "import-7", Name: "n", State: tail.JobCreated},
			"a job that has ended": {ID: "import-7", Name: "n", State: tail.JobExpired, Uploaded: true, Ended: time.Now().UTC()},
		} {
			w := newWorld(t)
			w.fill()
			w.leave()
			w.stopTail("tail-1", job)
			if _, err := w.erasure(w.memory).Forget(t.Context(), person(victim).Sub); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			f, err := w.run.ReadTailFile(t.Context(), "tail-1", 0)
			w.check(err)
			stored, err := w.run.ReadTailObject(t.Context(), *f.CSV)
			w.check(err)
			sheet, err := io.ReadAll(must(newUnzip(stored)))
			if err != nil || int64(len(sheet)) != f.Bytes || f.Rows != 3 || f.Next.Sub != string(userpool.Forgotten) {
				t.Errorf("%s: %d bytes, %+v, %v", name, len(sheet), f, err)
			}
		}
	})
}

// TestSomebodyElseMentionsThePerson: what others' attributes say is theirs, and
// said so.
func TestSomebodyElseMentionsThePerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for n := range 4 {
			u := person(n)
			u.Attributes["custom:manager"] = string(person(victim).Sub)
			w.source.put(u)
		}
		w.seed(1, true)
		w.leave()
		time.Sleep(time.Hour)
		_, err := w.erasure(w.memory).Forget(t.Context(), person(victim).Sub)
		found, ok := errors.AsType[*erasure.FoundError](err)
		if !ok || len(found.Traces) == 0 || !strings.Contains(err.Error(), "gen-1/shards/all/1/part-") {
			t.Fatalf("got %v", err)
		}
		checked, err := w.erasure(w.memory).Check(t.Context(), erasure.Person{Sub: person(victim).Sub})
		if err != nil || checked.Receipt != nil || checked.Traces[len(checked.Traces)-1].What != erasure.TraceNote {
			t.Errorf("%+v, %v", checked, err)
		}
		// Changed at the source and staged anew, with the generation before gone.
		report, err := census.Verify(t.Context(), w.run, 1)
		if err != nil || report.Err() != nil || report.Profiles != 3 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// TestForgetTheOnlyOne: parts, rows and lists of which nothing is left.
func TestForgetTheOnlyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.memory = memory.New() // without versioning
		w.run = store.NewRun(w.memory, runID)
		w.source.put(person(victim))
		w.seed(1, true)
		w.reconcile("first", true)
		w.target.put(moved(victim, time.Now()))
		w.reconcile("second", true)
		w.settle(victim)
		w.importTail("tail-1", 1, victim)
		w.leave()
		time.Sleep(time.Hour)
		if _, err := w.erasure(w.memory).Forget(t.Context(), person(victim).Sub); err != nil {
			t.Fatal(err)
		}
		report, err := census.Verify(t.Context(), w.run, 1)
		if err != nil || report.Err() != nil || report.Profiles != 0 || report.Members != 0 {
			t.Errorf("%+v, %v", report, err)
		}
		s, err := w.reconciliation().Summary(t.Context(), "second")
		if err != nil || len(s.IDMap) != 0 {
			t.Errorf("%+v, %v", s.IDMap, err)
		}
		if out := w.reconcile("afterwards", true); !out.Whole {
			t.Errorf("%+v", out)
		}
		if again, err := w.erasure(w.memory).Forget(t.Context(), person(victim).Sub); err != nil || again.Lines+again.Rewritten+again.Edited > 0 {
			t.Errorf("a second time: %+v, %v", again, err)
		}
	})
}

// TestForgetNobody: whoever is not there is forgotten, too.
func TestForgetNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fill()
		before := w.state()
		done, err := w.erasure(w.memory).Forget(t.Context(), "99999999-0000-4000-8000-000000000099")
		if err != nil || done.Lines+done.Rewritten+done.Edited > 0 {
			t.Errorf("%+v, %v", done, err)
		}
		after := w.state()
		for key := range before {
			if _, there := after[key]; !there && !strings.Contains(key, "/third/") && !strings.HasSuffix(key, " deleted") && strings.HasPrefix(key, "gen-") {
				t.Errorf("%s is gone", key)
			}
		}
		if out := w.reconcile("afterwards", true); out.Why != "" {
			t.Errorf("%+v", out)
		}
	})
}

// TestForgetTwo: somebody whose erasure was killed keeps their note while another
// one is forgotten.
func TestForgetTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fill()
		w.leave()
		other := person(5).Sub
		delete(w.source.users, other)
		delete(w.target.users, moved(5, time.Now()).Sub)
		w.memory.FailNext(memory.DeleteVersion, fault.Unavailable, 1)
		if _, err := w.erasure(w.memory).Forget(t.Context(), other); fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("got %v", err)
		}
		if _, err := w.erasure(w.memory).Forget(t.Context(), person(victim).Sub); err != nil {
			t.Fatal(err)
		}
		if _, err := w.erasure(w.memory).Forget(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		for _, p := range []erasure.Person{{Sub: other, Targets: []userpool.Sub{moved(5, time.Now()).Sub}}, {Sub: person(victim).Sub}} {
			if checked, err := w.erasure(w.memory).Check(t.Context(), p); err != nil || len(checked.Traces) > 0 || len(checked.Receipt.TargetSubsSHA256) == 0 {
				t.Errorf("%+v, %v", checked, err)
			}
		}
		if s, _, err := w.run.LoadTail(t.Context(), "tail-1"); err != nil || s.Totals() != (tail.Totals{Rows: 3, Imported: 3}) {
			t.Errorf("%+v, %v", s, err)
		}
	})
}
