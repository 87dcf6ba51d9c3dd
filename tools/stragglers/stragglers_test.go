package stragglers_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/tail"
	"poolferry/tools/golden"
	"poolferry/tools/stragglers"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func plan() tail.Plan {
	return tail.Plan{
		Run: "2026-11-prod", ID: "tail-1", Created: noon.Add(-time.Hour), Reconciliation: "reconcile-20261121T060000Z", Reconciled: noon.Add(-6 * time.Hour),
		Target: tail.Target{DefaultEmail: true}, Exclude: []verdict.Reason{verdict.Unconfirmed},
		Reasons: []tail.Group{
			{Reason: verdict.Federated, Choice: tail.Wait, Excluded: 1200, Refused: map[tail.Refusal]int{}},
			{Reason: verdict.Disabled, Choice: tail.Import, Pending: 300, Fit: 280, Refused: map[tail.Refusal]int{tail.RefusedNoContact: 20}, Email: 280},
			{Reason: verdict.Unconfirmed, Choice: tail.Leave, Pending: 4100, Refused: map[tail.Refusal]int{tail.RefusedNoContact: 4100}},
			{Reason: verdict.MFA, Choice: tail.Import, Pending: 9, Fit: 9, Refused: map[tail.Refusal]int{}, SMS: 9},
			{Reason: verdict.NotSignedIn, Choice: tail.Import, Pending: 610_000, Fit: 600_000, Refused: map[tail.Refusal]int{tail.RefusedNoContact: 9990, tail.RefusedSchema: 10}, Email: 400_000, SMS: 199_000, NoCode: 1000},
		},
		Rows: 600_289, Files: 3, Bytes: 180_000_000, Email: 400_280, SMS: 199_009, NoCode: 1000,
	}
}

func TestView(t *testing.T) {
	var out bytes.Buffer
	view := stragglers.ViewOf(plan(), noon)
	if err := view.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "plan.txt", out.Bytes())
	if view.AgeSeconds != 6*3600 || view.Import.Seconds != 12006 || view.Import.ActiveUsers != 0 || len(view.Warnings) != 4 {
		t.Errorf("%+v", view)
	}
	out.Reset()
	if err := stragglers.ViewOf(tail.Plan{Run: "2026-11-prod", Reconciled: noon}, noon).WriteText(&out); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "nobody.txt", out.Bytes())
	left := plan()
	left.Reasons = []tail.Group{{Reason: verdict.NotSignedIn, Choice: tail.Leave, Pending: 7, Excluded: 1}}
	if w := stragglers.ViewOf(left, noon).Warnings; len(w) != 3 || w[0].Warning != stragglers.WarnNotSignedIn || w[0].Users != 8 {
		t.Errorf("%+v", w)
	}
}

// TestUnnameableLog: of a pool with such a name nobody knows where the log is.
func TestUnnameableLog(t *testing.T) {
	for name, want := range map[string]int{"people-new_2.x": 0, "people new": 600_289, "people@example": 600_289, "": 0} {
		p, got := plan(), 0
		p.Target.Name = name
		for _, w := range stragglers.ViewOf(p, noon).Warnings {
			if w.Warning == stragglers.WarnLogName {
				got = w.Users
			}
		}
		if got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
}

func standing(change ...func(*tail.Standing)) tail.Standing {
	s := tail.Standing{Plan: plan(), State: &tail.State{
		Opened: noon.Add(-30 * time.Minute), Updated: noon.Add(-time.Minute), Written: true, Files: []tail.FileState{
			{File: 0, Attempt: 1, Rows: 300_000, Refused: 5, Try: 1, Done: true, Imported: 250_000, Skipped: 30_000, Failed: 10, Left: 19_990, Job: &tail.JobLook{ID: "import-1", Name: "n", State: tail.JobFailed}},
			{File: 1, Of: 1, Attempt: 1, Rows: 300_289, Try: 1, Job: &tail.JobLook{ID: "import-2", Name: "n", State: tail.JobCreated}},
			{File: 2, Of: 2, Attempt: 1, Try: 1, Done: true},
			{File: 3, Of: 0, Attempt: 2, Rows: 19_990, Try: 1},
		},
	}, Lease: &reconcile.Lease{ID: "tail-1", Until: noon.Add(time.Minute)}}
	for _, c := range change {
		c(&s)
	}
	return s
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := stragglers.ProgressOf(standing(), noon)
	if err := p.WriteText(&out, noon); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "running.txt", out.Bytes())
	if p.Rows != 600_289 || p.Left != 320_279 || p.Imported != 250_000 || p.Refused != 5 || len(p.Files) != 4 || p.Ended() {
		t.Errorf("%+v", p)
	}
	for name, tt := range map[string]struct {
		change func(*tail.Standing)
		want   stragglers.Standing
	}{
		"not opened":                 {func(s *tail.Standing) { s.State = nil }, stragglers.Planned},
		"held":                       {func(*tail.Standing) {}, stragglers.Running},
		"held by another":            {func(s *tail.Standing) { s.Lease.ID = "tail-2" }, stragglers.Stopped},
		"expired":                    {func(s *tail.Standing) { s.Lease.Until = noon }, stragglers.Stopped},
		"no lease":                   {func(s *tail.Standing) { s.Lease = nil }, stragglers.Stopped},
		"released":                   {func(s *tail.Standing) { s.Lease.Released = noon }, stragglers.Stopped},
		"failed":                     {func(s *tail.Standing) { s.Lease.Released, s.State.Failure = noon, "States.Timeout" }, stragglers.Failed},
		"failed, and taken up again": {func(s *tail.Standing) { s.State.Failure = "States.Timeout" }, stragglers.Running},
		"closed":                     {func(s *tail.Standing) { s.State.Closed = noon }, stragglers.Done},
	} {
		if got := stragglers.ProgressOf(standing(tt.change), noon).Standing; got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestFailures(t *testing.T) {
	all := []tail.Failure{{Sub: "s-1", Reason: "no_verified_contact"}, {Sub: "s-2", Reason: tail.RefusedByCognito, Detail: "An account with the given email already exists.", File: 1, Line: 7}, {Sub: "s-3", Reason: tail.NoOutcome, Line: 8}}
	yields := func(failures []tail.Failure, end error) func(func(tail.Failure, error) bool) {
		return func(yield func(tail.Failure, error) bool) {
			for _, f := range failures {
				if !yield(f, nil) {
					return
				}
			}
			if end != nil {
				yield(tail.Failure{}, end)
			}
		}
	}
	var out bytes.Buffer
	if n, err := stragglers.WriteFailures(&out, yields(all, nil)); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	golden.Check(t, "failures.txt", out.Bytes())
	out.Reset()
	if n, err := stragglers.WriteFailures(&out, yields(nil, nil)); n != 0 || err != nil || out.String() != "nobody failed\n" {
		t.Errorf("%d, %v, %s", n, err, out.String())
	}
	torn := errors.New("torn")
	if n, err := stragglers.WriteFailures(&out, yields(all[:1], torn)); n != 1 || !errors.Is(err, torn) {
		t.Errorf("%d, %v", n, err)
	}
	out.Reset()
	many := make([]tail.Failure, stragglers.Shown+1)
	if n, err := stragglers.WriteFailures(&out, yields(many, nil)); n != len(many) || err != nil || !bytes.Contains(out.Bytes(), []byte("200 of 201 failures are shown")) {
		t.Errorf("%d, %v", n, err)
	}
}

// TestWatch: each change is shown once, trouble that passes is lived with, and
// nobody waits for ever.
func TestWatch(t *testing.T) {
	type look struct {
		s   tail.Standing
		err error
	}
	at := func(minute int, change ...func(*tail.Standing)) tail.Standing {
		s := standing(change...)
		s.State.Updated = noon.Add(time.Duration(minute) * time.Minute)
		s.Lease.Until = noon.AddDate(100, 0, 0)
		return s
	}
	planned := tail.Standing{Plan: plan()}
	closed := at(3, func(s *tail.Standing) { s.State.Closed = noon })
	busy := fault.New(fault.Throttled, "slow down")
	for name, tt := range map[string]struct {
		looks []look
		shown int
		kind  fault.Kind // of the error, "" for none
	}{
		"to the end":          {[]look{{s: planned}, {s: at(1)}, {s: at(1)}, {s: at(2)}, {s: closed}}, 4, ""},
		"trouble passes":      {[]look{{err: busy}, {err: busy}, {s: at(1)}, {err: busy}, {err: busy}, {err: busy}, {s: closed}}, 2, ""},
		"trouble stays":       {[]look{{s: at(1)}, {err: busy}}, 1, fault.Throttled},
		"trouble for good":    {[]look{{err: fault.New(fault.Denied, "no")}}, 0, fault.Denied},
		"nobody begins":       {[]look{{s: planned}}, 1, fault.NotFound},
		"it was killed":       {[]look{{s: at(1, func(s *tail.Standing) { s.Lease.Released = noon })}}, 1, ""},
		"it had ended before": {[]look{{s: closed}}, 1, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			shown, n := 0, 0
			_, err := stragglers.Watch(t.Context(), stragglers.Watching{
				Interval: time.Second, Now: time.Now, Show: func(stragglers.Progress) error { shown++; return nil },
				Look: func(context.Context) (tail.Standing, error) {
					l := tt.looks[min(n, len(tt.looks)-1)]
					n++
					return l.s, l.err
				},
			})
			if shown != tt.shown || tt.kind == "" && err != nil || tt.kind != "" && fault.KindOf(err) != tt.kind {
				t.Errorf("%s: shown %d times, want %d; %v", name, shown, tt.shown, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := stragglers.Watch(ctx, stragglers.Watching{Interval: time.Hour, Now: time.Now, Show: func(stragglers.Progress) error { return nil },
		Look: func(context.Context) (tail.Standing, error) { return standing(), nil }}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
