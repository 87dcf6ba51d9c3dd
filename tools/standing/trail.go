package standing

import (
	"context"
	"encoding/json"
	"fmt"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/workflow"
	"poolferry/tools/typeset"
)

// stage is a state of the state machine that is worth a word.
type stage struct {
	state, words string
	of           string // what is counted in it
}

// stages of the definition reconcile; its other states are quick and silent.
var stages = []stage{
	{"OpenReconciliation", "Opening: taking the lease, choosing what is compared", ""},
	{"StartSeeding", "Starting the seeding, which goes on beside the comparison", ""},
	{"IndexManifest", "Indexing the manifest", "pieces"},
	{"ScanTarget", "Listing the target pool", "shards"},
	{"MatchNames", "Looking for names that several users have", ""},
	{"NextRound", "Not everything is read yet: another round", ""},
	{"CompareBuckets", "Comparing bucket by bucket", "buckets"},
	{"CloseReconciliation", "Closing: adding up", ""},
	{"NotifyScheduled", "The migration is complete: sending the notification", ""},
	{"NotifyComplete", "The migration is complete: sending the notification", ""},
	{"DisableSchedule", "Disabling the schedule", ""},
	{"RecordFailure", "A step has failed: recording it", ""},
}

func stageOf(state string) (stage, bool) {
	for _, s := range stages {
		if s.state == state {
			return s, true
		}
	}
	return stage{}, false
}

// Scans are what has been read of a reconciliation's target pool; store.Run has
// them.
type Scans interface {
	ReadBasis(ctx context.Context, id string) (reconcile.Basis, error)
	LoadScan(ctx context.Context, id string, shard manifest.Shard) (reconcile.Scan, string, error)
}

// Screen shows a frame in the place of the one before, and tells lines.
type Screen interface {
	Show(frame, line string)
	Say(format string, args ...any)
}

// Trail tells how far a reconciliation is that is being followed.
type Trail struct {
	ID     string
	MapRun func(context.Context) (workflow.MapRun, error) // the latest of the execution
	Scans  Scans
	Screen Screen

	at    stage
	basis *reconcile.Basis
}

// See tells the stages that were entered, and how far the present one is.
func (t *Trail) See(ctx context.Context, arrivals []workflow.Arrival) error {
	for _, a := range arrivals {
		if s, ok := stageOf(a.State); ok {
			t.at = s
			t.Screen.Show("", "")
			t.Screen.Say("%s.", s.words)
		}
	}
	counts, err := t.count(ctx)
	switch kind := fault.KindOf(err); {
	case err != nil && (kind == fault.NotFound || kind == fault.Throttled || kind == fault.Unavailable || kind == fault.Denied):
		return nil // the stage is told; how far it is can be seen another time
	case err != nil:
		return err
	case counts != "":
		t.Screen.Show("  "+counts, "  "+counts)
	}
	return nil
}

// count says how far the present stage is; empty where there is nothing to
// count.
func (t *Trail) count(ctx context.Context) (string, error) {
	switch {
	case t.at.of == "":
		return "", nil
	case t.at.state == "ScanTarget":
		return t.scanned(ctx)
	}
	m, err := t.MapRun(ctx)
	if err != nil || m.Label != t.at.state || m.Items == 0 {
		return "", err
	}
	text := fmt.Sprintf("%s of %s %s", typeset.Number(m.Done), typeset.Number(m.Items), t.at.of)
	if m.Failed > 0 {
		text += fmt.Sprintf(", %s failed", typeset.Number(m.Failed))
	}
	return text, nil
}

// scanned counts users: a child of the Map ends after some minutes, whether its
// shard has or not.
func (t *Trail) scanned(ctx context.Context) (string, error) {
	if t.basis == nil {
		basis, err := t.Scans.ReadBasis(ctx, t.ID)
		if err != nil {
			return "", err
		}
		t.basis = &basis
	}
	users, done, failed := 0, 0, 0
	for _, shard := range t.basis.Target.Shards {
		at, _, err := t.Scans.LoadScan(ctx, t.ID, shard)
		if fault.KindOf(err) == fault.NotFound {
			continue // nothing was read yet
		}
		if err != nil {
			return "", err
		}
		users += at.Count
		switch at.State {
		case manifest.Complete:
			done++
		case manifest.Failed:
			failed++
		case manifest.Open:
		}
	}
	text := fmt.Sprintf("%s of about %s, %s of %s", typeset.Number(users), typeset.Count(t.basis.Target.Estimate, "user"), typeset.Number(done), typeset.Count(len(t.basis.Target.Shards), "shard"))
	if failed > 0 {
		text += fmt.Sprintf(", %s failed", typeset.Number(failed))
	}
	return text, nil
}

// StageOf returns what an execution that has entered these states is doing;
// empty where there is no word for it.
func StageOf(arrivals []workflow.Arrival) (words string) {
	for _, a := range arrivals {
		if s, ok := stageOf(a.State); ok {
			words = s.words
		}
	}
	return words
}

// HeldBy returns who held the lease when an execution wanted to begin; nil where
// it could begin. output is that of an execution that has succeeded.
func HeldBy(output string) (*Running, error) {
	var out struct {
		Held   bool             `json:"held"`
		Holder reconcile.Holder `json:"holder"`
	}
	if err := json.Unmarshal([]byte(output), &out); err != nil {
		return nil, fault.New(fault.Invalid, "the execution's output is not that of a reconciliation: %w", err)
	}
	if !out.Held {
		return nil, nil
	}
	return &Running{ID: out.Holder.ID, Since: out.Holder.Since, Until: out.Holder.Until}, nil
}
