package standing_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"poolferry/internal/cutover"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/seeding"
	"poolferry/internal/settle"
	"poolferry/tools/golden"
	"poolferry/tools/standing"
)

var noon = time.Date(2026, 12, 12, 12, 0, 0, 0, time.UTC)

// point is a whole reconciliation, so many days ago.
func point(id string, days, moved, pending int) progress.Point {
	ended := noon.AddDate(0, 0, -days).Add(-5 * time.Minute)
	p := progress.Point{
		ID: id, Started: ended.Add(-4 * time.Minute), Ended: ended, Generation: 2, Profiles: moved + pending + 300,
		Verdicts: map[verdict.Verdict]int{verdict.Migrated: moved, verdict.Pending: pending, verdict.Excluded: 300, verdict.TargetOnly: 12},
	}
	if pending > 0 {
		p.Reasons = map[verdict.Reason]int{verdict.NotSignedIn: pending - pending/10, verdict.Disabled: pending / 10}
		p.Findings = map[verdict.FindingKind]int{verdict.Drift: 7, verdict.SchemaViolation: 1234}
	}
	return p
}

func history(points ...progress.Point) progress.History {
	h := progress.New("2026-11-prod")
	for _, p := range points {
		h = h.Append(p)
	}
	return h
}

// months is a history that goes well.
func months() progress.History {
	h := progress.New("2026-11-prod")
	for day := range 20 {
		h = h.Append(point(fmt.Sprintf("reconcile-%02d", day), 19-day, 1000+400*day, 11400-400*day))
	}
	return h
}

func seeded(done bool) *seeding.Status {
	return &seeding.Status{
		Run: "2026-11-prod", Generation: 2, Opened: noon.Add(-7 * time.Hour), Updated: noon.Add(-6 * time.Hour), Done: done, Estimate: 12717,
		Profiles: 12700, Committed: 2, Failed: []seeding.FailedShard{},
		Shards: []seeding.ShardStatus{
			{Shard: "0", Content: manifest.Profiles, State: seeding.ShardCommitted}, {Shard: "3", Content: manifest.Profiles, State: seeding.ShardOpen},
		},
	}
}

func lease(until time.Time) *reconcile.Lease {
	return &reconcile.Lease{Run: "2026-11-prod", ID: "reconcile-z", Execution: "arn", Taken: noon.Add(-3 * time.Minute), Until: until}
}

func summaryOf(p progress.Point) *reconcile.Summary {
	return &reconcile.Summary{
		Run: "2026-11-prod", ID: p.ID, Started: p.Started, Ended: p.Ended, Generation: p.Generation, Closed: true, Missing: []string{},
		Profiles: p.Profiles, Verdicts: p.Verdicts, Findings: p.Findings, Critical: p.Critical, Percent: verdict.Percent(p.Verdicts),
		Reasons: reconcile.Counts{
			verdict.Migrated: {verdict.SignedIn: p.Verdicts[verdict.Migrated] - 40, verdict.MustReset: 40},
			verdict.Pending:  p.Reasons, verdict.Excluded: {verdict.Federated: 300}, verdict.TargetOnly: {verdict.Own: 12},
		},
		Partial: []string{}, TargetUsers: 8612, Joins: 3, Buckets: 4, Bytes: reconcile.Bytes{Manifest: 3 << 20, Read: 7 << 20, Written: 5 << 20},
		Stages: map[string]float64{reconcile.StepIndex: 3.25, reconcile.StepScan: 200, reconcile.StepClose: 1},
		IDMap: []reconcile.RowsRef{
			{Count: 5000, Format: reconcile.FormatJSONL}, {Count: 5000, Format: reconcile.FormatCSV}, {Count: 3600, Format: reconcile.FormatJSONL},
		},
		Pending: []reconcile.RowsRef{{Count: 4100, Format: reconcile.FormatJSONL}}, FindingRows: []reconcile.RowsRef{{Count: 1241, Format: reconcile.FormatJSONL}},
	}
}

func known(h progress.History) standing.Known {
	return standing.Known{Run: "2026-11-prod", Now: noon, Reconciled: reconcile.Standing{History: h}, Seeding: seeded(true)}
}

// states are a migration at times of its life.
func states() map[string]standing.Known {
	half := known(months())
	last, _ := half.Reconciled.History.Last()
	half.Summary = summaryOf(last)
	half.Reconciled.Lease = lease(noon.Add(9 * time.Minute))
	half.Settle = &settle.Status{Settled: 8400, Left: 188, Failed: 10, GivenUp: 2}

	fresh := known(progress.New("2026-11-prod"))
	fresh.Seeding = nil
	staged := known(progress.New("2026-11-prod"))
	staged.Seeding = seeded(false)
	staged.Seeding.Failed = []seeding.FailedShard{{Shard: "3", Reason: "throttled"}}
	ready := known(progress.New("2026-11-prod"))
	first := ready
	first.Reconciled.Lease = lease(noon.Add(time.Minute))

	broken := point("reconcile-y", 0, 0, 0)
	broken.Verdicts, broken.Failure, broken.Partial = nil, "Denied", []string{reconcile.PartialFailed}
	failed := known(months())
	failed.Reconciled.History = failed.Reconciled.History.Append(broken)
	failed.Reconciled.Lease = lease(noon.Add(-time.Hour))

	critical := point("reconcile-y", 0, 100, 50)
	critical.Findings[verdict.IdentityTaken], critical.Critical = 2, 2
	partial := point("reconcile-z", 0, 100, 50)
	partial.Partial = []string{reconcile.PartialStale, reconcile.PartialBuckets}

	stalled := progress.New("2026-11-prod")
	for day := range 30 {
		stalled = stalled.Append(point(fmt.Sprintf("reconcile-%02d", day), 29-day, min(1000+400*day, 5000), max(11400-400*day, 7400)))
	}
	complete := known(history(point("a", 1, 905, 0), point("b", 0, 905, 0)))
	complete.Settle = &settle.Status{Settled: 905}
	ended := func(state cutover.State) standing.Known {
		k := complete
		k.Cutover = &cutover.Journal{ID: "cutover-1", State: state, Updated: noon.Add(-time.Hour)}
		return k
	}
	return map[string]standing.Known{
		"half": half, "fresh": fresh, "staged": staged, "ready": ready, "first": first, "failed": failed,
		"critical": known(history(critical)), "partial": known(history(partial)), "stalled": known(stalled),
		"confirm": known(history(point("a", 1, 900, 5), point("b", 0, 905, 0))), "complete": complete,
		"cut-over": ended(cutover.CutOver), "cutting": ended(cutover.CuttingOver), "rolled": ended(cutover.RolledBack),
		"nobody": known(history(point("a", 0, 0, 0))),
	}
}

func TestStatus(t *testing.T) {
	tests := map[string]struct {
		next     []standing.Step
		troubled bool
		percent  float64 // -1: nothing was counted
	}{
		"half":     {[]standing.Step{standing.Wait}, false, 69.3},
		"fresh":    {[]standing.Step{standing.Seed}, false, -1},
		"staged":   {[]standing.Step{standing.Stage}, false, -1},
		"ready":    {[]standing.Step{standing.Reconcile}, false, -1},
		"first":    {[]standing.Step{standing.WaitForRun}, false, -1},
		"failed":   {[]standing.Step{standing.TakeOver, standing.Again}, true, 69.3},
		"critical": {[]standing.Step{standing.LookAt}, true, 66.6},
		"partial":  {[]standing.Step{standing.Again}, true, 66.6},
		"stalled":  {[]standing.Step{standing.Remind}, false, 40.3},
		"confirm":  {[]standing.Step{standing.Confirm}, false, 100},
		"complete": {[]standing.Step{standing.CutOver}, false, 100},
		"nobody":   {[]standing.Step{standing.Confirm}, false, 100},
		"cut-over": {[]standing.Step{standing.Afterwards}, false, 100},
		"cutting":  {[]standing.Step{standing.Finish}, false, 100},
		"rolled":   {[]standing.Step{standing.CutOver}, false, 100},
	}
	for name, k := range states() {
		t.Run(name, func(t *testing.T) {
			want, s := tests[name], standing.New(k)
			if got := s.Next(); !slices.Equal(got, want.next) || s.Troubled() != want.troubled || s.Complete != (name == "complete" || k.Cutover != nil) {
				t.Errorf("next %v, troubled %v, complete %v; want %+v", got, s.Troubled(), s.Complete, want)
			}
			data, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			var members map[string]any
			if err := json.Unmarshal(data, &members); err != nil || !strings.HasPrefix(string(data), `{"version":1,"run":"2026-11-prod","complete":`) {
				t.Fatalf("%v in %s", err, data)
			}
			for _, always := range []string{"forecast", "last_runs"} {
				if members[always] == nil {
					t.Errorf("no %s in %s", always, data)
				}
			}
			counted := want.percent >= 0
			for _, member := range []string{"percent", "verdicts", "reasons", "findings", "critical", "as_of", "moved", "to_move", "reconciliation"} {
				if (members[member] != nil) != counted {
					t.Errorf("%s in %s", member, data)
				}
			}
			if counted && members["percent"] != want.percent {
				t.Errorf("%v %%, want %v", members["percent"], want.percent)
			}
			var text bytes.Buffer
			if err := s.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			text.WriteString("\n" + s.Line() + "\n")
			golden.Check(t, "status-"+name+".txt", text.Bytes())
		})
	}
}

// TestSettled is the line of settling, and its object.
func TestSettled(t *testing.T) {
	for name, tt := range map[string]struct {
		status *settle.Status
		line   string
		object string
	}{
		"never": {},
		"done":  {&settle.Status{Settled: 1905}, "1,905 users", `{"settled":1905,"failed":0,"given_up":0,"left":0}`},
		"going on": {&settle.Status{Settled: 5, Left: 1200, Failed: 3}, "5 users, 1,200 to go, 3 failed and tried again later",
			`{"settled":5,"failed":3,"given_up":0,"left":1200}`},
		"some given up": {&settle.Status{Settled: 5, Failed: 3, GivenUp: 2}, "5 users, 5 failed, 2 of them for good", `{"settled":5,"failed":5,"given_up":2,"left":0}`},
		"given up":      {&settle.Status{Settled: 5, GivenUp: 2}, "5 users, 2 failed for good", `{"settled":5,"failed":2,"given_up":2,"left":0}`},
	} {
		k := known(history(point("a", 0, 905, 0)))
		k.Settle = tt.status
		s := standing.New(k)
		var text bytes.Buffer
		if err := s.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(text.String(), "  settled      "+tt.line+"\n"); got != (tt.status != nil) {
			t.Errorf("%s:\n%s", name, text.String())
		}
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(data, &members); err != nil || string(members["settle"]) != tt.object {
			t.Errorf("%s: %s, %v", name, members["settle"], err)
		}
	}
}

// TestReasons are those of the figures, which may not be those of the last run.
func TestReasons(t *testing.T) {
	k := states()["half"]
	s := standing.New(k)
	if s.Reasons[verdict.Migrated][verdict.MustReset] != 40 || s.Reasons[verdict.Pending][verdict.Disabled] != 380 {
		t.Errorf("with a summary: %v", s.Reasons)
	}
	k.Summary.ID = "another"
	if s = standing.New(k); len(s.Reasons) != 1 || s.Reasons[verdict.Pending][verdict.Disabled] != 380 {
		t.Errorf("with the summary of another: %v", s.Reasons)
	}
	partial := point("reconcile-z", 0, 1, 1)
	partial.Partial = []string{"stale"}
	k.Reconciled.History = k.Reconciled.History.Append(partial)
	if s = standing.New(k); s.ID != "reconcile-19" || s.LastRuns[0].ID != "reconcile-z" || s.LastRuns[0].State != standing.Partial || len(s.LastRuns) != 20 {
		t.Errorf("figures of %s, the last %+v of %d", s.ID, s.LastRuns[0], len(s.LastRuns))
	}
}

func TestLookText(t *testing.T) {
	last, _ := months().Last()
	whole := summaryOf(last)
	partial := summaryOf(last)
	partial.Partial, partial.Missing, partial.Stale = []string{reconcile.PartialStale, "unheard_of"}, []string{"3", "7"}, true
	failed := summaryOf(last)
	failed.Failure, failed.Partial = "Unread", []string{reconcile.PartialFailed}
	running := standing.RunningOf(lease(noon.Add(9*time.Minute)), noon)
	running.Stage = "Listing the target pool"
	ended := standing.RunningOf(lease(noon.Add(9*time.Minute)), noon)
	ended.Ended = "ABORTED"
	expired := standing.RunningOf(lease(noon.Add(-9*time.Minute)), noon)
	for name, look := range map[string]standing.Look{
		"whole":   {Outcome: standing.OutcomeOf(*whole)},
		"partial": {Outcome: standing.OutcomeOf(*partial)},
		"failed":  {Outcome: standing.OutcomeOf(*failed)},
		"running": {Running: running},
		"ended":   {Running: ended},
		"expired": {Running: expired, Outcome: standing.OutcomeOf(*whole)},
	} {
		look.Version, look.Run = 1, "2026-11-prod"
		var text bytes.Buffer
		if err := look.WriteText(&text, noon); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "look-"+name+".txt", text.Bytes())
	}
	o := standing.OutcomeOf(*whole)
	if o.Rows != (standing.Rows{IDMap: 8600, Pending: 4100, Findings: 1241}) || o.State != standing.Whole || o.Troubled() || o.Moved != 8600 || o.ToMove != 12400 {
		t.Errorf("%+v", o)
	}
	for _, s := range []*reconcile.Summary{partial, failed, {Critical: 1}} {
		if o := standing.OutcomeOf(*s); !o.Troubled() {
			t.Errorf("nobody looks at %+v", o)
		}
	}
}

// TestEveryWordHasAMeaning: what the comparison calls partial, an operator reads.
func TestEveryWordHasAMeaning(t *testing.T) {
	for _, word := range []string{
		reconcile.PartialNothingStaged, reconcile.PartialNotClosed, reconcile.PartialStale, reconcile.PartialIndex, reconcile.PartialTarget,
		reconcile.PartialFailedShard, reconcile.PartialTargetCount, reconcile.PartialPrevious, reconcile.PartialUnmatched,
		reconcile.PartialBuckets, reconcile.PartialCounts, reconcile.PartialUndecided, reconcile.PartialFailed,
	} {
		if said := standing.Because([]string{word}); said == strings.ReplaceAll(word, "_", " ") {
			t.Errorf("%s has no meaning", word)
		}
	}
	if said := standing.Because([]string{"and_more", reconcile.PartialBuckets}); said != "and more; some buckets were not compared" {
		t.Errorf("%q", said)
	}
}

func TestRunningOf(t *testing.T) {
	if standing.RunningOf(nil, noon) != nil {
		t.Error("nobody has no lease")
	}
	released := lease(noon.Add(time.Hour))
	released.Released = noon.Add(-time.Second)
	if standing.RunningOf(released, noon) != nil {
		t.Error("a lease that was given back is held")
	}
	for _, until := range []time.Duration{-time.Second, 0, time.Second} {
		if r := standing.RunningOf(lease(noon.Add(until)), noon); r == nil || r.Expired != (until <= 0) {
			t.Errorf("until %s: %+v", until, r)
		}
	}
}
