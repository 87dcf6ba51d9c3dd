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
	Whole     bool           `json:"whole"`    // nothing was missing when it counted
	Complete  bool           `json:"complete"` // nobody is left, and that was so in the run before
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
	if d.options.Faults == "" {
		d.checkSettled()
	}
	return runs, d.checkVerdicts(r, last)
}

func ofSummary(s reconcile.Summary) Reconciliation {
	out := Reconciliation{
		Percent: s.Percent, Migrated: s.Verdicts[verdict.Migrated], Pending: s.Verdicts[verdict.Pending], PendingBy: map[string]int{},
		Imported: s.Verdicts[verdict.Imported], Excluded: s.Verdicts[verdict.Excluded],
		Whole: s.Failure == "" && len(s.Partial) == 0, Complete: s.Complete,
	}
	for reason, n := range s.Reasons[verdict.Pending] {
		out.PendingBy[string(reason)] = n
	}
	for _, n := range s.Findings {
		out.Findings += n
	}
	return out
}

// census is a count of both pools that asks nobody of the product.
type census struct {
	source []userpool.User
	target map[userpool.Sub]userpool.User // by sub at the source
}

func (d *demo) count() census {
	c := census{slices.Collect(d.world.Cognito.Users(d.world.Source.PoolID)), map[userpool.Sub]userpool.User{}}
	for u := range d.world.Cognito.Users(d.world.Target.PoolID) {
		if legacy := u.Attributes[userpool.AttrLegacySub]; legacy != "" {
			c.target[userpool.Sub(legacy)] = u
		}
	}
	return c
}

// verdictOn is what a reconciliation should say about a user of the source.
func (d *demo) verdictOn(u userpool.User, c census) verdict.Verdict {
	there, arrived := c.target[u.Sub]
	switch {
	case arrived && d.imported[u.Sub] && there.Status == userpool.StatusResetRequired:
		return verdict.Imported
	case arrived:
		return verdict.Migrated
	case d.excluded || u.Status == userpool.StatusExternalProvider:
		return verdict.Excluded
	}
	return verdict.Pending
}

// checkVerdicts notes where a reconciliation says otherwise than a count of both
// pools: in numbers, and user by user in its list of who is pending.
func (d *demo) checkVerdicts(r *reconcile.Reconciliation, got Reconciliation) error {
	pools := d.count()
	want, pending, excluded := map[verdict.Verdict]int{}, map[userpool.Sub]bool{}, map[userpool.Sub]bool{}
	for _, u := range pools.source {
		v := d.verdictOn(u, pools)
		want[v]++
		switch v {
		case verdict.Pending:
			pending[u.Sub] = true
		case verdict.Excluded:
			excluded[u.Sub] = true
		}
	}
	if got.Migrated != want[verdict.Migrated] || got.Pending != want[verdict.Pending] || got.Excluded != want[verdict.Excluded] || got.Imported != want[verdict.Imported] {
		d.tally.surprise(fmt.Sprintf("reconciliation: %d migrated, %d pending, %d excluded, %d imported; the pools have %v",
			got.Migrated, got.Pending, got.Excluded, got.Imported, want))
	}
	explained := 0
	for _, n := range got.PendingBy {
		explained += n
	}
	if explained != got.Pending {
		d.tally.surprise(fmt.Sprintf("reconciliation: %d of %d pending users have a reason", explained, got.Pending))
	}
	for row, err := range r.Pending(d.ctx, "") {
		if err != nil {
			return err
		}
		if row.Verdict == verdict.Excluded {
			if row.Reason == "" || !excluded[row.Sub] {
				d.tally.surprise(fmt.Sprintf("reconciliation: %s is excluded by %q, and should not be, or is there twice", row.Sub, row.Reason))
			}
			delete(excluded, row.Sub)
		}
		if row.Verdict != verdict.Pending {
			continue
		}
		if !pending[row.Sub] {
			d.tally.surprise(fmt.Sprintf("reconciliation: %s is pending by %s, and should not be, or is there twice", row.Sub, row.Reason))
		}
		delete(pending, row.Sub)
	}
	for _, sub := range slices.Concat(slices.Sorted(maps.Keys(pending)), slices.Sorted(maps.Keys(excluded))) {
		d.tally.surprise(fmt.Sprintf("reconciliation: %s has not moved and is not in the list", sub))
	}
	return nil
}

// checkSettled notes users of the target who are not in the groups that they were
// in at the source.
func (d *demo) checkSettled() {
	pools := d.count()
	for _, u := range pools.source {
		there, arrived := pools.target[u.Sub]
		if arrived && !slices.Equal(slices.Sorted(slices.Values(u.Groups)), slices.Sorted(slices.Values(there.Groups))) {
			d.tally.surprise(fmt.Sprintf("settling: %s is in %d of %d groups", u.Sub, len(there.Groups), len(u.Groups)))
		}
	}
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
