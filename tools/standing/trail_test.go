package standing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/workflow"
	"poolferry/tools/standing"
)

// transcript is a screen that remembers.
type transcript struct{ lines []string }

func (t *transcript) Show(frame, _ string) {
	if frame != "" {
		t.lines = append(t.lines, frame)
	}
}

func (t *transcript) Say(format string, args ...any) {
	t.lines = append(t.lines, fmt.Sprintf(format, args...))
}

// scans are a target pool of three shards, of which one was not begun.
type scans struct{ err error }

func (s scans) ReadBasis(context.Context, string) (reconcile.Basis, error) {
	shards := []manifest.Shard{{ID: "0"}, {ID: "1"}, {ID: "2"}}
	return reconcile.Basis{Target: reconcile.Target{Estimate: 30_000, Shards: shards}}, nil
}

func (s scans) LoadScan(_ context.Context, _ string, shard manifest.Shard) (reconcile.Scan, string, error) {
	switch {
	case s.err != nil:
		return reconcile.Scan{}, "", s.err
	case shard.ID == "2":
		return reconcile.Scan{}, "", fault.New(fault.NotFound, "none")
	case shard.ID == "1":
		return reconcile.Scan{State: manifest.Failed, Count: 500}, "", nil
	}
	return reconcile.Scan{State: manifest.Complete, Count: 12_000}, "", nil
}

func TestTrail(t *testing.T) {
	var screen transcript
	run, err := workflow.MapRun{}, error(nil)
	trail := standing.Trail{
		ID: "a", Screen: &screen, Scans: scans{}, MapRun: func(context.Context) (workflow.MapRun, error) { return run, err },
	}
	see := func(states ...string) {
		t.Helper()
		var arrivals []workflow.Arrival
		for _, state := range states {
			arrivals = append(arrivals, workflow.Arrival{State: state})
		}
		if err := trail.See(t.Context(), arrivals); err != nil {
			t.Error(err)
		}
	}
	see("OpenReconciliation", "IsLeaseHeld")
	err = fault.New(fault.NotFound, "no Map Run yet")
	see("IndexManifest")
	err = nil
	run = workflow.MapRun{Label: "IndexManifest", Items: 1200, Done: 1100, Failed: 1}
	see()
	see("ScanTarget")
	run = workflow.MapRun{Label: "ScanTarget", Items: 3, Done: 3}
	see("MatchNames", "IsEverythingRead", "NextRound", "Breathe")
	see("IsThereToIndex", "ScanTarget", "MatchNames", "CompareBuckets")
	run = workflow.MapRun{Label: "CompareBuckets", Items: 8, Done: 2}
	see()
	see("CloseReconciliation")
	see("IsMigrationComplete", "ReadSchedule", "NotifyScheduled", "DisableSchedule", "Reconciled")
	want := []string{
		"Opening: taking the lease, choosing what is compared.",
		"Indexing the manifest.", "  1,100 of 1,200 pieces, 1 failed",
		"Listing the target pool.", "  12,500 of about 30,000 users, 1 of 3 shards, 1 failed",
		"Looking for names that several users have.", "Not everything is read yet: another round.",
		"Listing the target pool.", "Looking for names that several users have.", "Comparing bucket by bucket.", "  2 of 8 buckets",
		"Closing: adding up.", "The migration is complete: sending the notification.", "Disabling the schedule.",
	}
	if diff := cmp.Diff(want, screen.lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTrailIsPatient(t *testing.T) {
	for kind, patient := range map[fault.Kind]bool{fault.Throttled: true, fault.Unavailable: true, fault.Denied: true, fault.Invalid: false} {
		trail := standing.Trail{Screen: &transcript{}, Scans: scans{fault.New(kind, "no")}}
		if err := trail.See(t.Context(), []workflow.Arrival{{State: "ScanTarget"}}); (err == nil) != patient {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestStagesAreStates: every state that has words is in the definition.
func TestStagesAreStates(t *testing.T) {
	text, err := os.ReadFile("../../statemachines/reconcile.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	var definition struct{ States map[string]any }
	if err := json.Unmarshal(text, &definition); err != nil {
		t.Fatal(err)
	}
	known := 0
	for state := range definition.States {
		if standing.StageOf([]workflow.Arrival{{State: state}}) != "" {
			known++
		}
	}
	if known != standing.Stages {
		t.Errorf("%d of %d stages are states of the definition", known, standing.Stages)
	}
	if words := standing.StageOf([]workflow.Arrival{{State: "ScanTarget"}, {State: "IsEverythingRead"}}); words != "Listing the target pool" {
		t.Errorf("%q", words)
	}
}

func TestHeldBy(t *testing.T) {
	other, err := standing.HeldBy(`{"run":"r","held":true,"holder":{"id":"x","since":"2026-12-12T11:57:00Z","until":"2026-12-12T12:12:00Z"}}`)
	if err != nil || other == nil || other.ID != "x" || !other.Until.Equal(noon.Add(12*time.Minute)) || !other.Since.Equal(noon.Add(-3*time.Minute)) {
		t.Errorf("%+v, %v", other, err)
	}
	for _, output := range []string{`{"held":false,"holder":{"id":"me","since":"2026-12-12T11:57:00Z","until":"2026-12-12T12:12:00Z"}}`, `{"result":{"whole":true}}`} {
		if other, err := standing.HeldBy(output); other != nil || err != nil {
			t.Errorf("%s: %+v, %v", output, other, err)
		}
	}
	if _, err := standing.HeldBy("nothing"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no JSON: %v", err)
	}
}

func FuzzHeldBy(f *testing.F) {
	f.Add(`{"held":true,"holder":{"id":"x","since":"2026-12-12T11:57:00Z","until":"2026-12-12T12:12:00Z"}}`)
	f.Add(`{"held":false}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, output string) {
		other, err := standing.HeldBy(output)
		if err != nil && (other != nil || fault.KindOf(err) != fault.Invalid) || other != nil && !json.Valid([]byte(output)) {
			t.Errorf("%q: %+v, %v", output, other, err)
		}
	})
}

func TestWatch(t *testing.T) {
	throttled, denied, broken := fault.New(fault.Throttled, "slow down"), fault.New(fault.Denied, "no"), errors.New("no space")
	going, complete := standing.Status{Run: "r"}, standing.Status{Run: "r", Complete: true}
	type look struct {
		status standing.Status
		err    error
	}
	tests := []struct {
		name  string
		looks []look
		show  error
		err   error
		shown int
		said  int
		after time.Duration
	}{
		{"to the end", []look{{going, nil}, {going, nil}, {complete, nil}}, nil, nil, 3, 0, 2 * time.Minute},
		{"some failures", []look{{going, nil}, {going, throttled}, {going, throttled}, {complete, nil}}, nil, nil, 2, 2, 3 * time.Minute},
		{"too many failures", []look{{going, throttled}}, nil, throttled, 0, 4, 4 * time.Minute},
		{"a failure that stays", []look{{going, denied}}, nil, denied, 0, 0, 0},
		{"nobody can read it", []look{{going, nil}}, broken, broken, 1, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, n, shown, said := time.Now(), 0, 0, 0
				_, err := standing.Watch(t.Context(), standing.Watching{
					Interval: time.Minute,
					Look: func(context.Context) (standing.Status, error) {
						n++
						now := tt.looks[min(n, len(tt.looks))-1]
						return now.status, now.err
					},
					Show: func(standing.Status) error { shown++; return tt.show },
					Say:  func(string, ...any) { said++ },
				})
				if !errors.Is(err, tt.err) || shown != tt.shown || said != tt.said || time.Since(began) != tt.after {
					t.Errorf("%v, shown %d, said %d, after %s", err, shown, said, time.Since(began))
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		last, err := standing.Watch(ctx, standing.Watching{
			Interval: time.Minute, Look: func(context.Context) (standing.Status, error) { return going, nil },
			Show: func(standing.Status) error { return nil },
		})
		if !errors.Is(err, context.DeadlineExceeded) || last.Run != "r" {
			t.Errorf("interrupted: %+v, %v", last, err)
		}
	})
}

func TestLineHasNoBreak(t *testing.T) {
	for name, k := range states() {
		if line := standing.New(k).Line(); strings.Contains(line, "\n") || line == "" {
			t.Errorf("%s: %q", name, line)
		}
	}
}
