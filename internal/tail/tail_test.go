package tail_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/scan"
	"poolferry/internal/store"
	"poolferry/internal/store/storetest"
	"poolferry/internal/tail"
	"poolferry/internal/userpool"
)

var serial []manifest.Shard = scan.Serial()

func unzip(t *testing.T, data []byte) []byte {
	t.Helper()
	return must(io.ReadAll(must(gzip.NewReader(bytes.NewReader(data)))))
}

func rowsOf(t *testing.T, data []byte) (rows []tail.OutcomeRow) {
	t.Helper()
	for line := range bytes.Lines(unzip(t, data)) {
		var row tail.OutcomeRow
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

func TestPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t,
			user(1, "a", verdict.NotSignedIn), user(2, "a", verdict.NotSignedIn, byPhone), user(3, "a", verdict.NotSignedIn, unverified),
			user(4, "a", verdict.Disabled), user(5, "a", verdict.Disabled, excluded), user(6, "a", verdict.Federated, excluded),
			user(7, "a", verdict.MFA, func(u *reconcile.PendingUser) { u.User.Username = "a b" }),
			user(8, "a", verdict.Vanished, func(u *reconcile.PendingUser) { u.Verdict = verdict.MissingInSource }))
		w.people.excluded = []verdict.Reason{verdict.Disabled, verdict.Unconfirmed}
		w.options.Limits = tail.Limits{Rows: 2, Bytes: 1 << 20, Characters: 1000}
		choice := tail.Choice{Import: []verdict.Reason{verdict.NotSignedIn, verdict.Disabled}, Exclude: []verdict.Reason{verdict.MFA}}
		p, err := w.tail(nil).Plan(t.Context(), choice)
		if err != nil {
			t.Fatal(err)
		}
		none := map[tail.Refusal]int{}
		want := []tail.Group{
			{Reason: verdict.Federated, Choice: tail.Wait, Excluded: 1, Refused: none},
			{Reason: verdict.Disabled, Choice: tail.Import, Pending: 1, Excluded: 1, Fit: 2, Refused: none, Email: 2},
			{Reason: verdict.MFA, Choice: tail.Leave, Pending: 1, Refused: map[tail.Refusal]int{tail.RefusedNoUsername: 1}},
			{Reason: verdict.NotSignedIn, Choice: tail.Import, Pending: 3, Fit: 2, Refused: map[tail.Refusal]int{tail.RefusedNoContact: 1}, Email: 1, SMS: 1},
		}
		if diff := cmp.Diff(want, p.Reasons); diff != "" {
			t.Error(diff)
		}
		if p.Rows != 4 || p.Files != 2 || p.Email != 3 || p.SMS != 1 || p.NoCode != 0 || p.Reconciliation != whole || p.Bytes < 200 {
			t.Errorf("%+v", p)
		}
		if diff := cmp.Diff([]verdict.Reason{verdict.Unconfirmed, verdict.MFA}, p.Exclude); diff != "" {
			t.Errorf("excluded: %s", diff)
		}
		if again := must(w.tail(nil).Plan(t.Context(), choice)); !cmp.Equal(p, again) {
			t.Errorf("the same plan is another: %s", cmp.Diff(p, again))
		}
		if len(w.memory.Keys()) != 1 || len(w.people.excluded) != 2 {
			t.Errorf("a plan that was only looked at has left %v, %v", w.memory.Keys(), w.people.excluded)
		}
		if back := must(w.tail(nil).Plan(t.Context(), tail.Choice{Wait: []verdict.Reason{verdict.Disabled}})); !slices.Equal(back.Exclude, []verdict.Reason{verdict.Unconfirmed}) || back.Rows != 0 {
			t.Errorf("%+v", back)
		}
		created, err := w.tail(nil).Create(t.Context(), tailID, p)
		if err != nil || created.ID != tailID || !slices.Equal(w.people.excluded, p.Exclude) {
			t.Errorf("%v, %v", w.people.excluded, err)
		}
		time.Sleep(time.Minute)
		if again, err := w.tail(nil).Create(t.Context(), tailID, p); err != nil || !again.Created.Equal(created.Created) {
			t.Errorf("created again: %v, %v", again.Created, err)
		}
		p.Rows--
		p.Email--
		if _, err := w.tail(nil).Create(t.Context(), tailID, p); fault.KindOf(err) != fault.Conflict {
			t.Errorf("another plan: %v", err)
		}
	})
}

func TestPlanRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		not := []verdict.Reason{verdict.NotSignedIn}
		for name, tt := range map[string]struct {
			choice tail.Choice
			change func(*world)
			kind   fault.Kind
			want   string
		}{
			"federated users":     {tail.Choice{Import: []verdict.Reason{verdict.Federated}}, nil, fault.Invalid, "import \"federated\""},
			"no reason":           {tail.Choice{Exclude: []verdict.Reason{"x"}}, nil, fault.Invalid, "exclude \"x\""},
			"two choices":         {tail.Choice{Import: not, Exclude: not}, nil, fault.Invalid, "there is a choice for it already"},
			"old reconciliation":  {tail.Choice{Import: not}, func(w *world) { w.people.ended = time.Now().Add(-25 * time.Hour) }, fault.Conflict, "reconcile-1, ended 25h0m0s ago"},
			"nothing is verified": {tail.Choice{Import: not}, func(w *world) { w.pool.settings.AutoVerified = nil }, fault.Invalid, "verifies neither"},
			"no legacy sub":       {tail.Choice{Import: not}, func(w *world) { w.pool.settings.Header = []string{"email", "cognito:username", "cognito:mfa_enabled"} }, fault.Invalid, "no column custom:legacy_sub"},
		} {
			w := newWorld(t, user(1, "a", verdict.NotSignedIn))
			if tt.change != nil {
				tt.change(w)
			}
			if _, err := w.tail(nil).Plan(t.Context(), tt.choice); fault.KindOf(err) != tt.kind || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
		}
	})
}

// TestImport goes all the way, over several files, a retry among them.
func TestImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, crowd(60)...)
		w.options.Limits = tail.Limits{Rows: 13, Bytes: 1 << 20, Characters: 1000}
		p := w.begin()
		// The third job stops half-way.
		started := 0
		w.pool.end = func(j *job) {
			if started++; started != 3 {
				w.pool.run(j)
				return
			}
			columns := strings.Split(j.file[0], ",")
			for n, line := range j.file[1:6] {
				w.pool.line(j, columns, n, line)
			}
			j.State, j.Message = tail.JobFailed, "Too many users have failed or been skipped during the import."
		}
		out, err := execute(t.Context(), w.tail(nil), func(o tail.ImportOutput) { time.Sleep(time.Duration(o.Wait) * time.Second) })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w.truth(), w.outcomes()); diff != "" {
			t.Error(diff)
		}
		sum := map[string]int{}
		for _, outcome := range w.outcomes() {
			kind, _, _ := strings.Cut(outcome, ":")
			sum[kind]++
		}
		want := tail.CloseOutput{Run: runID, ID: tailID, Complete: true, Files: p.Files + 1, Imported: sum["imported"], Failed: sum["failed"] + sum["refused"]}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Error(diff)
		}
		if p.Rows != sum["imported"]+sum["failed"] || p.Files != 4 || len(w.pool.jobs) != 5 {
			t.Errorf("plan: %d rows, %d files; %d jobs", p.Rows, p.Files, len(w.pool.jobs))
		}
		for name, n := range w.pool.created {
			if n != 1 {
				t.Errorf("%s was created %d times", name, n)
			}
		}
		if got := w.people.recorded(); len(got) != sum["imported"] || len(slices.Compact(got)) != sum["imported"] {
			t.Errorf("%d are recorded as imported, want %d", len(got), sum["imported"])
		}
		last := w.records[len(w.records)-1]
		if len(w.records) != 5 || last.Left != 0 || w.records[0].Left != p.Rows-13 {
			t.Errorf("records: %+v", w.records)
		}
		// Nothing of a URL is anywhere.
		for _, key := range w.memory.Keys() {
			if data := must(w.memory.Get(t.Context(), key)).Body; bytes.Contains(data, []byte("signature")) {
				t.Errorf("%s holds a URL", key)
			}
		}
		// Closing and opening again changes nothing.
		again, err := execute(t.Context(), w.tail(nil), nil)
		if diff := cmp.Diff(out, again); diff != "" || err != nil || len(w.pool.jobs) != 5 {
			t.Errorf("%v %s", err, diff)
		}
		status := must(w.tail(nil).Status(t.Context(), ""))
		if status.Plan.ID != tailID || status.State.Closed.IsZero() || status.Lease.Released.IsZero() || status.State.Totals().Left != 0 {
			t.Errorf("%+v", status)
		}
		var retry bytes.Buffer
		rows, err := w.tail(nil).Retry(t.Context(), tailID, &retry)
		lines := strings.Split(strings.TrimSpace(retry.String()), "\n")
		if err != nil || rows != sum["failed"] || len(lines) != rows+1 || lines[0] != strings.Join(header, ",") || strings.Count(retry.String(), "false,bad") != rows {
			t.Errorf("%d rows, %v:\n%s", rows, err, retry.String())
		}
	})
}

// TestFiles: limits, and files that end because their time does, are no matter to
// anybody.
func TestFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		limits tail.Limits
		time   time.Duration
		files  int // 0 for those of the plan
	}{
		"rows":     {tail.Limits{Rows: 7, Bytes: 1 << 20, Characters: 1000}, 0, 0},
		"bytes":    {tail.Limits{Rows: 1000, Bytes: 900, Characters: 1000}, 0, 0},
		"one each": {tail.Limits{Rows: 1000, Bytes: 1, Characters: 1000}, 0, 0},
		"time":     {tail.Limits{Rows: 1000, Bytes: 1 << 20, Characters: 1000}, time.Nanosecond, 4},
		"all":      {tail.DefaultLimits(), 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, crowd(40)...)
			w.options.Limits, w.options.WriteTime = tt.limits, tt.time
			began := time.Now()
			w.now = func() time.Time { began = began.Add(time.Millisecond); return began }
			p := w.begin()
			if _, err := execute(t.Context(), w.tail(nil), nil); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			s, _, err := w.store(w.memory).LoadTail(t.Context(), tailID)
			want := p.Files
			if tt.files > 0 {
				want = tt.files
			}
			if err != nil || len(s.Files) != want {
				t.Errorf("%s: %d files, want %d, %v", name, len(s.Files), want, err)
			}
			var bytes int64
			for _, f := range s.Files {
				if f.Rows == 0 {
					continue
				}
				lines := w.csvOf(f.File)
				size := int64(len(strings.Join(lines, "\n")) + 1)
				file := must(w.store(w.memory).ReadTailFile(t.Context(), tailID, f.File))
				if len(lines) != f.Rows+1 || lines[0] != strings.Join(header, ",") || size != file.Bytes || f.Rows > tt.limits.Rows || f.Rows > 1 && size > tt.limits.Bytes {
					t.Errorf("%s: file %d has %d lines and %d bytes: %+v", name, f.File, len(lines), size, file)
				}
				bytes += size
			}
			if tt.files == 0 && bytes != p.Bytes {
				t.Errorf("%s: %d bytes, planned were %d", name, bytes, p.Bytes)
			}
			if diff := cmp.Diff(w.truth(), w.outcomes()); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		})
	}
}

// TestDies kills an execution at every call of the bucket, of Cognito, of the
// upload and of the log, before it and after it. Another one goes on at once, and
// the end is the same.
func TestDies(t *testing.T) {
	calls := 0
	for _, after := range []bool{false, true} {
		for n, survived := 1, false; !survived; n += storetest.Stride() {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, crowd(30)...)
				w.options.Limits = tail.Limits{Rows: 9, Bytes: 1 << 20, Characters: 1000}
				w.begin()
				started := 0
				w.pool.end = func(j *job) { // the first job stops half-way
					if started++; started > 1 {
						w.pool.run(j)
						return
					}
					columns := strings.Split(j.file[0], ",")
					for n, line := range j.file[1:4] {
						w.pool.line(j, columns, n, line)
					}
					j.State = tail.JobStopped
				}
				wait := func(o tail.ImportOutput) { time.Sleep(time.Duration(o.Wait) * time.Second) }
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				m := storetest.NewMortal(n, after, cancel)
				out, err := execute(ctx, w.tail(m), wait)
				if survived = !m.Dead(); !survived {
					calls++
					out, err = execute(t.Context(), w.tail(nil), wait)
				}
				if err != nil || !out.Complete {
					t.Fatalf("killed at call %d, after %v: %v", n, after, err)
				}
				if diff := cmp.Diff(w.truth(), w.outcomes()); diff != "" {
					t.Errorf("killed at call %d, after %v: %s", n, after, diff)
				}
				for name, times := range w.pool.created {
					if times != 1 {
						t.Errorf("killed at call %d, after %v: %s was created %d times", n, after, name, times)
					}
				}
				starts := 0
				for _, j := range w.pool.jobs {
					starts += j.start
				}
				if starts != 4 {
					t.Errorf("killed at call %d, after %v: %d jobs were started, want 4", n, after, starts)
				}
				if got := w.people.recorded(); len(slices.Compact(got)) != len(w.pool.created) || len(got) != len(w.pool.created) {
					t.Errorf("killed at call %d, after %v: %d recorded, %d created", n, after, len(got), len(w.pool.created))
				}
				if s := must(w.tail(nil).Status(t.Context(), tailID)); s.Lease.Released.IsZero() || s.State.Closed.IsZero() {
					t.Errorf("killed at call %d: %+v", n, s.Lease)
				}
			})
		}
	}
	if calls*storetest.Stride() < 150 {
		t.Errorf("%d calls: the world is too small", calls)
	}
}

// TestStepsTwiceAtOnce runs each step twice at once.
func TestStepsTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, crowd(30)...)
		w.options.Limits = tail.Limits{Rows: 9, Bytes: 1 << 20, Characters: 1000}
		w.options.Recorder = nil
		w.begin()
		of := w.tail(nil)
		twice := func(do func() error) {
			t.Helper()
			var group errgroup.Group
			for range 2 {
				group.Go(do)
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		in := tail.ImportInput{Run: runID, ID: tailID}
		for range 20 {
			twice(func() error {
				_, err := of.Open(t.Context(), tail.OpenInput{Run: runID, ID: tailID, Execution: "arn"})
				return err
			})
			twice(func() error {
				_, err := of.Write(t.Context(), tail.WriteInput(in))
				return err
			})
		}
		for range 60 {
			twice(func() error { _, err := of.Import(t.Context(), in); return err })
		}
		if _, err := of.Close(t.Context(), tail.CloseInput{Run: runID, ID: tailID}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w.truth(), w.outcomes()); diff != "" {
			t.Error(diff)
		}
		for name, n := range w.pool.created {
			if n != 1 {
				t.Errorf("%s was created %d times", name, n)
			}
		}
	})
}

// TestTroubles: what can be wrong with a job, and what becomes of its lines.
func TestTroubles(t *testing.T) {
	patient := func(o tail.ImportOutput) { time.Sleep(time.Duration(o.Wait) * time.Second) }
	for name, tt := range map[string]struct {
		change func(w *world)
		step   func(w *world, o tail.ImportOutput)
		want   func(w *world) map[string]string // nil for the truth
		jobs   int
	}{
		"URLs are too old":            {change: func(w *world) { w.pool.stale = 3 }, jobs: 4},
		"another pool's job":          {change: func(w *world) { w.pool.busy = true }, step: func(w *world, o tail.ImportOutput) { w.pool.busy = w.pool.busy && o.State != tail.StepBusy }, jobs: 1},
		"the log comes late":          {change: func(w *world) { w.pool.slow = 20 }, jobs: 1},
		"the header counts":           {change: func(w *world) { w.pool.first = 2 }, jobs: 1},
		"counting begins at 0":        {change: func(w *world) { w.pool.first = 0 }, jobs: 1},
		"it counts from who knows":    {change: func(w *world) { w.pool.first = 7 }, want: notBelieved, jobs: 3},
		"the log never comes":         {change: func(w *world) { w.pool.mute = true }, want: notBelieved, jobs: 3},
		"the first job expires":       {change: func(w *world) { w.pool.end = once(func(j *job) { j.State = tail.JobExpired }, w.pool.run) }, jobs: 2},
		"the first job fails at once": {change: func(w *world) { w.pool.end = once(func(j *job) { j.State = tail.JobFailed }, w.pool.run) }, jobs: 2},
		"every job fails at once": {change: func(w *world) { w.pool.end = func(j *job) { j.State = tail.JobFailed } },
			want: func(w *world) map[string]string { return w.all("failed", "failed") }, jobs: 3},
		"a job of the name is there": {change: func(w *world) {
			must(w.pool.CreateJob(w.t.Context(), "poolferry-"+runID+"-"+tailID+"-00000-1", logRole))
		}, jobs: 1},
		"all have moved": {change: func(w *world) {
			for _, u := range w.people.users {
				w.pool.users[u.User.Username] = string(u.Sub)
			}
		}, want: func(w *world) map[string]string { return w.all("skipped", "failed") }, jobs: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, crowd(30)...)
			w.begin()
			tt.change(w)
			out, err := execute(t.Context(), w.tail(nil), func(o tail.ImportOutput) {
				if tt.step != nil {
					tt.step(w, o)
				}
				patient(o)
			})
			if err != nil || !out.Complete || out.Left != 0 {
				t.Fatalf("%s: %+v, %v", name, out, err)
			}
			want := w.truth()
			if tt.want != nil {
				want = tt.want(w)
			}
			if diff := cmp.Diff(want, w.outcomes()); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if len(w.pool.jobs) != tt.jobs {
				t.Errorf("%s: %d jobs, want %d", name, len(w.pool.jobs), tt.jobs)
			}
		})
	}
}

// once does one thing first, and another ever after.
func once(first, then func(*job)) func(*job) {
	done := false
	return func(j *job) {
		if !done {
			done = true
			first(j)
			return
		}
		then(j)
	}
}

// all is the truth, with other words for who is imported and who fails.
func (w *world) all(imported, failed string) map[string]string {
	all := w.truth()
	for sub, outcome := range all {
		switch outcome {
		case "imported":
			all[sub] = imported
		case "failed":
			all[sub] = failed
		}
	}
	return all
}

// notBelieved is what is known where no log says anything that can be relied on:
// nobody is said to be imported, and nobody's failure is laid at another's door.
func notBelieved(w *world) map[string]string { return w.all("failed", "failed") }

// TestCountersLeaveNoDoubt: where the log never comes and everybody was imported,
// that is known all the same.
func TestCountersLeaveNoDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, user(1, "a", verdict.NotSignedIn), user(2, "a", verdict.NotSignedIn))
		w.begin()
		w.pool.mute = true
		out, err := execute(t.Context(), w.tail(nil), func(o tail.ImportOutput) { time.Sleep(time.Duration(o.Wait) * time.Second) })
		if err != nil || out.Imported != 2 || len(w.pool.jobs) != 1 {
			t.Errorf("%+v, %v, %d jobs", out, err, len(w.pool.jobs))
		}
	})
}

// TestCountersOfOthers: nor is there any doubt where nobody was imported.
func TestCountersOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for outcome, name := range map[string]string{"skipped": "there", "failed": "bad"} {
			w := newWorld(t, user(1, name, verdict.NotSignedIn), user(2, name, verdict.NotSignedIn))
			for _, u := range w.people.users {
				if outcome == "skipped" {
					w.pool.users[u.User.Username] = string(u.Sub)
				}
			}
			w.begin()
			w.pool.mute = true
			if _, err := execute(t.Context(), w.tail(nil), func(o tail.ImportOutput) { time.Sleep(time.Duration(o.Wait) * time.Second) }); err != nil {
				t.Fatal(err)
			}
			for sub, got := range w.outcomes() {
				if got != outcome || len(w.pool.jobs) != 1 {
					t.Errorf("%s is %s, want %s; %d jobs", sub, got, outcome, len(w.pool.jobs))
				}
			}
		}
	})
}

// TestUnknownAreTriedAgain: of a second attempt, who is there was created by the
// first, as far as is known.
func TestUnknownAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, crowd(20)...)
		w.begin()
		w.pool.end = once(func(j *job) { w.pool.run(j); j.lines = nil }, w.pool.run)
		out, err := execute(t.Context(), w.tail(nil), func(o tail.ImportOutput) { time.Sleep(time.Duration(o.Wait) * time.Second) })
		if err != nil || out.Imported != 0 || out.Skipped != len(w.pool.created) || !out.Complete {
			t.Errorf("%+v, %v", out, err)
		}
		if got := w.people.recorded(); len(got) != len(w.pool.created) {
			t.Errorf("%d recorded, %d created", len(got), len(w.pool.created))
		}
	})
}

// TestLeases: one import at a time, none beside a reconciliation, and who was
// killed does not keep its own next execution waiting.
func TestLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, crowd(20)...)
		p := w.begin()
		of := w.tail(nil)
		if _, err := of.Create(t.Context(), "other", p); err != nil {
			t.Fatal(err)
		}
		open := func(id, execution string) tail.OpenOutput {
			t.Helper()
			return must(of.Open(t.Context(), tail.OpenInput{Run: runID, ID: id, Execution: execution}))
		}
		reconciliation := reconcile.Lease{Run: runID, ID: "reconcile-2", Execution: "arn", Taken: time.Now().UTC(), Until: time.Now().UTC().Add(time.Hour)}
		tag := must(w.store(w.memory).SwapLease(t.Context(), reconciliation, ""))
		if out := open(tailID, "arn"); !out.Held || out.Holder.ID != "reconcile-2" {
			t.Errorf("%+v", out)
		}
		if _, held, err := of.Lease(t.Context()); held || err != nil {
			t.Errorf("%v %v", held, err)
		}
		reconciliation.Released = time.Now().UTC()
		must(w.store(w.memory).SwapLease(t.Context(), reconciliation, tag))
		if out := open(tailID, "arn"); out.Held || out.Holder.ID != tailID || out.Rows != p.Rows || out.Files != p.Files {
			t.Errorf("%+v", out)
		}
		if lease, held, err := of.Lease(t.Context()); !held || lease.ID != tailID || err != nil {
			t.Errorf("%+v %v %v", lease, held, err)
		}
		if out := open(tailID, "another"); out.Held {
			t.Errorf("its own next execution: %+v", out)
		}
		if out := open("other", "arn"); !out.Held || out.Holder.ID != tailID {
			t.Errorf("%+v", out)
		}
		if _, err := of.Write(t.Context(), tail.WriteInput{Run: runID, ID: "other"}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "lease lost") {
			t.Errorf("%v", err)
		}
		// Steps keep the lease.
		time.Sleep(tail.DefaultLeaseTime / 2)
		must(of.Write(t.Context(), tail.WriteInput{Run: runID, ID: tailID}))
		time.Sleep(tail.DefaultLeaseTime * 3 / 4)
		if out := open("other", "arn"); !out.Held {
			t.Errorf("%+v", out)
		}
		time.Sleep(tail.DefaultLeaseTime)
		if out := open("other", "arn"); out.Held {
			t.Errorf("%+v", out)
		}
		if _, err := of.Import(t.Context(), tail.ImportInput{Run: runID, ID: tailID}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v", err)
		}
	})
}

// TestFailure: an import that has failed is taken up again where it was.
func TestFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, crowd(20)...)
		w.begin()
		of := w.tail(nil)
		must(of.Open(t.Context(), tail.OpenInput{Run: runID, ID: tailID, Execution: "arn"}))
		if _, err := of.Import(t.Context(), tail.ImportInput{Run: runID, ID: tailID}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("before its files are written: %v", err)
		}
		must(of.Write(t.Context(), tail.WriteInput{Run: runID, ID: tailID}))
		if _, err := of.Close(t.Context(), tail.CloseInput{Run: runID, ID: tailID}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("before anybody has an outcome: %v", err)
		}
		out, err := of.Close(t.Context(), tail.CloseInput{Run: runID, ID: tailID, Failure: "ann@example.com said no"})
		if err != nil || out.Complete || out.Left == 0 {
			t.Errorf("%+v, %v", out, err)
		}
		if s := must(of.Status(t.Context(), tailID)); s.State.Failure != "unknown" || s.Lease.Released.IsZero() {
			t.Errorf("%+v", s.State)
		}
		if out, err = execute(t.Context(), of, nil); err != nil || !out.Complete {
			t.Errorf("%+v, %v", out, err)
		}
		if s := must(of.Status(t.Context(), tailID)); s.State.Failure != "" {
			t.Errorf("%+v", s.State)
		}
		// A failure that comes late changes nothing.
		late, err := of.Close(t.Context(), tail.CloseInput{Run: runID, ID: tailID, Failure: "States.Timeout"})
		if diff := cmp.Diff(out, late); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	})
}

// TestJobsAreWornOut: where no job can be given its file the import fails, and goes
// on when somebody who has seen to it takes it up.
func TestJobsAreWornOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, crowd(20)...)
		w.begin()
		w.pool.stale = 8
		of := w.tail(nil)
		if _, err := execute(t.Context(), of, nil); fault.KindOf(err) != fault.Unavailable || len(w.pool.jobs) != 5 {
			t.Fatalf("%v, %d jobs", err, len(w.pool.jobs))
		}
		must(of.Close(t.Context(), tail.CloseInput{Run: runID, ID: tailID, Failure: "Unavailable"}))
		if _, err := execute(t.Context(), of, nil); err != nil {
			t.Fatalf("taken up again: %v, %d jobs", err, len(w.pool.jobs))
		}
		if diff := cmp.Diff(w.truth(), w.outcomes()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestForgottenPlace: where the user whom the next file begins behind was forgotten,
// nobody is left out.
func TestForgottenPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, crowd(40)...)
		w.options.Limits = tail.Limits{Rows: 7, Bytes: 1 << 20, Characters: 1000}
		w.begin()
		of := w.tail(nil)
		must(of.Open(t.Context(), tail.OpenInput{Run: runID, ID: tailID, Execution: "arn"}))
		must(of.Write(t.Context(), tail.WriteInput{Run: runID, ID: tailID}))
		key := "runs/" + runID + "/tail/" + tailID + "/files/00000.json"
		file := must(w.store(w.memory).ReadTailFile(t.Context(), tailID, 0))
		if file.Next == nil || file.Next.Sub == "" {
			t.Fatalf("%+v", file)
		}
		object := must(w.memory.Get(t.Context(), key))
		must(w.memory.Put(t.Context(), key, bytes.Replace(object.Body, []byte(file.Next.Sub), []byte(userpool.Forgotten), 1), store.Condition{}))
		if _, err := execute(t.Context(), of, nil); err != nil {
			t.Fatal(err)
		}
		imported := 0
		for _, outcome := range w.truth() {
			if outcome == "imported" {
				imported++
			}
		}
		if len(w.pool.created) != imported {
			t.Errorf("%d were created, want %d", len(w.pool.created), imported)
		}
	})
}

// TestLaterDecisionsStand: an import that goes on does not decide again what people
// have decided otherwise since.
func TestLaterDecisionsStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, crowd(20)...)
		of := w.tail(nil)
		p := must(of.Plan(t.Context(), tail.Choice{Import: []verdict.Reason{verdict.NotSignedIn}, Exclude: []verdict.Reason{verdict.Unconfirmed}}))
		must(of.Create(t.Context(), tailID, p))
		w.people.excluded = nil // whoever made the plan died before
		must(of.Open(t.Context(), tail.OpenInput{Run: runID, ID: tailID, Execution: "arn"}))
		if !slices.Equal(w.people.excluded, p.Exclude) {
			t.Errorf("excluded: %v", w.people.excluded)
		}
		w.people.excluded = []verdict.Reason{verdict.Disabled}
		must(of.Close(t.Context(), tail.CloseInput{Run: runID, ID: tailID, Failure: "States.Timeout"}))
		if _, err := execute(t.Context(), of, nil); err != nil || !slices.Equal(w.people.excluded, []verdict.Reason{verdict.Disabled}) {
			t.Errorf("excluded: %v, %v", w.people.excluded, err)
		}
	})
}

// TestStepsRefuse what is not theirs.
func TestStepsRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, crowd(20)...)
		w.begin()
		of := w.tail(nil)
		for _, id := range []string{"", "a/b", strings.Repeat("x", 41)} {
			if _, err := of.Open(t.Context(), tail.OpenInput{Run: runID, ID: id}); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%q: %v", id, err)
			}
		}
		for _, err := range []error{
			errOf(of.Open(t.Context(), tail.OpenInput{Run: "other", ID: tailID})), errOf(of.Write(t.Context(), tail.WriteInput{Run: "other", ID: tailID})),
			errOf(of.Import(t.Context(), tail.ImportInput{Run: "other", ID: tailID})), errOf(of.Close(t.Context(), tail.CloseInput{Run: "other", ID: tailID})),
			errOf(of.Write(t.Context(), tail.WriteInput{Run: runID, ID: tailID})), // not opened
		} {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%v", err)
			}
		}
		if _, err := of.Open(t.Context(), tail.OpenInput{Run: runID, ID: "nobody"}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v", err)
		}
		w.options.LogRoleARN = ""
		if _, err := w.tail(nil).Open(t.Context(), tail.OpenInput{Run: runID, ID: tailID}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "import_log_role_arn") {
			t.Errorf("%v", err)
		}
		w.options.LogRoleARN = logRole
		w.pool.settings.Header = append(w.pool.settings.Header, "custom:new")
		if _, err := execute(t.Context(), w.tail(nil), nil); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "other attributes") {
			t.Errorf("%v", err)
		}
		if _, err := newWorld(t).tail(nil).Status(t.Context(), ""); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v", err)
		}
	})
}

func errOf[V any](_ V, err error) error { return err }

// TestNobodyToImport: a plan that only excludes is done at once.
func TestNobodyToImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, user(1, "a", verdict.NotSignedIn))
		w.options.LogRoleARN = ""
		p := must(w.tail(nil).Plan(t.Context(), tail.Choice{Exclude: []verdict.Reason{verdict.NotSignedIn}}))
		must(w.tail(nil).Create(t.Context(), tailID, p))
		out, err := execute(t.Context(), w.tail(nil), nil)
		if err != nil || !out.Complete || len(w.pool.jobs) != 0 || out.Imported != 0 || !slices.Equal(w.people.excluded, []verdict.Reason{verdict.NotSignedIn}) {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

// TestDisabledStay: somebody who is disabled could choose a password and sign in as
// soon as they are imported, so nobody is by another reason's name, and by that of
// all reasons together.
func TestDisabledStay(t *testing.T) {
	if slices.Contains(tail.All(), verdict.Disabled) || !slices.Contains(tail.Importable(), verdict.Disabled) || len(tail.All()) != len(tail.Importable())-1 {
		t.Errorf("all is %v", tail.All())
	}
	synctest.Test(t, func(t *testing.T) {
		off := func(u *reconcile.PendingUser) { u.User.Enabled = false }
		w := newWorld(t, user(1, "a", verdict.Unconfirmed, off), user(2, "a", verdict.Unconfirmed), user(3, "a", verdict.Disabled, off))
		p := must(w.tail(nil).Plan(t.Context(), tail.Choice{Import: tail.All()}))
		want := []tail.Group{
			{Reason: verdict.Disabled, Choice: tail.Wait, Pending: 1, Fit: 1, Refused: map[tail.Refusal]int{}, Email: 1},
			{Reason: verdict.Unconfirmed, Choice: tail.Import, Pending: 2, Fit: 1, Refused: map[tail.Refusal]int{tail.RefusedDisabled: 1}, Email: 1},
		}
		if diff := cmp.Diff(want, p.Reasons); diff != "" || p.Rows != 1 {
			t.Errorf("%d rows: %s", p.Rows, diff)
		}
		if all := must(w.tail(nil).Plan(t.Context(), tail.Choice{Import: tail.Importable()})); all.Rows != 3 {
			t.Errorf("asked for by name: %+v", all)
		}
		must(w.tail(nil).Create(t.Context(), tailID, p))
		must(w.tail(nil).Open(t.Context(), tail.OpenInput{Run: runID, ID: tailID, Execution: "arn"}))
		if out := must(w.tail(nil).Write(t.Context(), tail.WriteInput{Run: runID, ID: tailID})); out.Rows != 1 || out.More {
			t.Errorf("%+v", out)
		}
	})
}
