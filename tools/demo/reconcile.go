package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/userpool"
	"poolferry/statemachines"
)

// Reconciliation is what one run of the reconcile state machine found.
type Reconciliation struct {
	Percent   float64        `json:"percent"`
	Migrated  int            `json:"migrated"`
	Pending   int            `json:"pending"`
	PendingBy map[string]int `json:"pending_by"` // reason: users
	Imported  int            `json:"imported"`
	Excluded  int            `json:"excluded"`
	Findings  int            `json:"findings"`
	Whole     bool           `json:"whole"` // nothing was missing when it counted
}

// wave says when a person comes for the first time: four of ten with the first
// wave, five with the second, and one stays away.
func wave(p crowd.Person) int {
	switch n := p.Index % 10; {
	case n < 4:
		return 1
	case n < 9:
		return 2
	}
	return 0
}

// reconcileAttempts is how often a reconciliation is repeated that was not whole
// because of injected faults. In a real migration the schedule does that.
const reconcileAttempts = 5

// reconcile has the state machine compare manifest and target pool, once by the
// hand of begin, and again where a fault kept it from being whole. It returns
// every run, and notes where the last one differs from a count of both pools.
func (d *demo) reconcile(talk Talk, begin func(context.Context) error) ([]Reconciliation, error) {
	r, err := d.world.Reconciliation(d.ctx)
	if err != nil {
		return nil, err
	}
	var runs []Reconciliation
	for range reconcileAttempts {
		if err := begin(d.ctx); err != nil {
			return nil, err
		}
		if err := d.world.States.Wait(d.ctx); err != nil {
			return nil, err
		}
		status, err := r.Status(d.ctx)
		if err != nil {
			return nil, err
		}
		if status.Last == nil {
			continue
		}
		runs = append(runs, ofSummary(*status.Last))
		if runs[len(runs)-1].Whole {
			break
		}
	}
	if len(runs) == 0 || !runs[len(runs)-1].Whole {
		d.tally.surprise(fmt.Sprintf("no reconciliation was whole: %+v", runs))
		return runs, nil
	}
	last := runs[len(runs)-1]
	talk.Say("Reconciled: %.1f %% have moved, %d are still to come, %d findings.", last.Percent, last.Pending, last.Findings)
	d.checkVerdicts(last)
	return runs, d.checkPending(r)
}

func ofSummary(s reconcile.Summary) Reconciliation {
	out := Reconciliation{
		Percent: s.Percent, Migrated: s.Verdicts[verdict.Migrated], Pending: s.Verdicts[verdict.Pending], PendingBy: map[string]int{},
		Imported: s.Verdicts[verdict.Imported], Excluded: s.Verdicts[verdict.Excluded],
		Whole: s.Failure == "" && len(s.Partial) == 0,
	}
	for reason, n := range s.Reasons[verdict.Pending] {
		out.PendingBy[string(reason)] = n
	}
	for _, n := range s.Findings {
		out.Findings += n
	}
	return out
}

// arrived are the subs at the source of those who are users of the target.
func (d *demo) arrived() map[userpool.Sub]bool {
	there := map[userpool.Sub]bool{}
	for u := range d.world.Cognito.Users(d.world.Target.PoolID) {
		there[userpool.Sub(u.Attributes[userpool.AttrLegacySub])] = true
	}
	return there
}

// checkVerdicts counts both pools itself and notes what the reconciliation says
// otherwise.
func (d *demo) checkVerdicts(got Reconciliation) {
	there := d.arrived()
	var want Reconciliation
	for u := range d.world.Cognito.Users(d.world.Source.PoolID) {
		switch {
		case there[u.Sub]:
			want.Migrated++
		case u.Status == userpool.StatusExternalProvider:
			want.Excluded++
		default:
			want.Pending++
		}
	}
	if got.Migrated != want.Migrated || got.Pending != want.Pending || got.Excluded != want.Excluded {
		d.tally.surprise(fmt.Sprintf("reconciliation: %d migrated, %d pending, %d excluded; the pools have %d, %d, %d",
			got.Migrated, got.Pending, got.Excluded, want.Migrated, want.Pending, want.Excluded))
	}
	explained := 0
	for _, n := range got.PendingBy {
		explained += n
	}
	if explained != got.Pending {
		d.tally.surprise(fmt.Sprintf("reconciliation: %d of %d pending users have a reason", explained, got.Pending))
	}
}

// checkPending compares the list of who is pending, name by name, with the
// pools.
func (d *demo) checkPending(r *reconcile.Reconciliation) error {
	there := d.arrived()
	want := map[userpool.Sub]bool{}
	for u := range d.world.Cognito.Users(d.world.Source.PoolID) {
		if !there[u.Sub] && u.Status != userpool.StatusExternalProvider {
			want[u.Sub] = true
		}
	}
	for row, err := range r.Pending(d.ctx, "") {
		if err != nil {
			return err
		}
		if row.Verdict != verdict.Pending {
			continue
		}
		if !want[row.Sub] {
			d.tally.surprise(fmt.Sprintf("reconciliation: %s is pending by %s, and should not be, or is there twice", row.Sub, row.Reason))
		}
		delete(want, row.Sub)
	}
	for _, sub := range slices.Sorted(maps.Keys(want)) {
		d.tally.surprise(fmt.Sprintf("reconciliation: %s is pending and not in the list", sub))
	}
	return nil
}

// byHand starts the reconciliation as an operator does, the schedule fires it.
func (d *demo) byHand(ctx context.Context) error {
	workflows, err := d.world.Workflows(ctx)
	if err != nil {
		return err
	}
	_, err = workflows.Start(ctx, statemachines.Reconcile, map[string]string{"run": d.world.Config.Run})
	return err
}

// latestReport is the report among the files of a world: that of the run, which
// the last reconciliation left.
func latestReport(files map[string][]byte) []byte {
	for name, data := range files {
		if strings.HasSuffix(name, "/report.html") && !strings.Contains(name, "/reconcile/") {
			return data
		}
	}
	return nil
}
