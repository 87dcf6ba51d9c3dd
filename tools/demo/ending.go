package demo

import (
	"fmt"
	"strings"

	"poolferry/internal/cutover"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/tail"
	"poolferry/internal/userpool"
	"poolferry/statemachines"
)

// Tail is what became of those who did not come.
type Tail struct {
	Imported int `json:"imported"`
	Skipped  int `json:"skipped"` // they came while the import was being made
	Failed   int `json:"failed"`
}

// Cutover is how the migration was ended.
type Cutover struct {
	Done       bool `json:"done"`
	RolledBack bool `json:"rolled_back"` // once, as a rehearsal; then it was cut over again
	SRPSignIn  bool `json:"srp_sign_in"` // people sign in by SRP, and by password no more
}

// late says who comes after the import of the tail was planned, and is a user of
// the target before the file is read.
func late(p crowd.Person) bool { return wave(p) == 0 && p.Index%30 == 9 && p.Migrates() }

// returning says who comes back after the import.
const returning = 20

// importTail imports everybody who can be, and excludes whom that leaves. It
// returns the reconciliations in between.
func (d *demo) importTail(visits []*visit, talk Talk) (*Tail, []Reconciliation, error) {
	t, err := d.world.Tail(d.ctx)
	if err != nil {
		return nil, nil, err
	}
	plan, err := t.Plan(d.ctx, tail.Choice{Import: imported()})
	if err != nil {
		return nil, nil, err
	}
	if plan, err = t.Create(d.ctx, "tail-1", plan); err != nil {
		return nil, nil, err
	}
	talk.Say("Importing %d users who have not come, in %d files.", plan.Rows, plan.Files)
	var latecomers []*visit
	for _, v := range visits {
		if late(v.person) {
			latecomers = append(latecomers, v)
		}
	}
	d.each(latecomers, (*visit).arrive)
	result, err := d.runTail(t, plan.ID)
	if err != nil {
		return nil, nil, err
	}
	if come := howMany(latecomers, func(v *visit) bool { return v.created }); d.options.Faults == "" && result.Skipped != come {
		d.tally.surprise(fmt.Sprintf("tail: %d skipped, %d had come meanwhile", result.Skipped, come))
	}
	d.noteImported(visits, result)
	runs, err := d.reconcile(talk, d.byHand)
	if err != nil {
		return result, runs, err
	}
	d.welcomeBack(visits)
	// Who is left cannot be imported: people decide not to wait for them.
	left, err := d.pendingReasons()
	if err != nil {
		return result, runs, err
	}
	r, err := d.world.Reconciliation(d.ctx)
	if err != nil {
		return result, runs, err
	}
	if _, err := r.Exclude(d.ctx, left); err != nil {
		return result, runs, err
	}
	d.excluded = true
	for range 2 { // complete is said by two in a row
		more, err := d.reconcile(talk, d.byHand)
		runs = append(runs, more...)
		if err != nil {
			return result, runs, err
		}
	}
	return result, runs, nil
}

// imported are the reasons for which users are imported: all that can be, but
// for those whom an administrator has disabled and those who never confirmed.
func imported() (reasons []verdict.Reason) {
	for _, reason := range tail.Importable() {
		if reason != verdict.Disabled && reason != verdict.Unconfirmed {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// runTail runs the state machine of an import to its end.
func (d *demo) runTail(t *tail.Tail, id string) (*Tail, error) {
	workflows, err := d.world.Workflows(d.ctx)
	if err != nil {
		return nil, err
	}
	for range reconcileAttempts {
		if _, err := workflows.Start(d.ctx, statemachines.Tail, map[string]string{"run": d.world.Config.Run, "id": id}); err != nil {
			return nil, err
		}
		if err := d.world.States.Wait(d.ctx); err != nil {
			return nil, err
		}
		standing, err := t.Status(d.ctx, id)
		if err != nil {
			return nil, err
		}
		if standing.State == nil || standing.State.Closed.IsZero() {
			continue // a fault that was injected ended the execution
		}
		sum := standing.State.Totals()
		return &Tail{Imported: sum.Imported, Skipped: sum.Skipped, Failed: sum.Failed}, nil
	}
	d.tally.surprise("tail: the import has not come to an end")
	return &Tail{}, nil
}

// noteImported learns from the pools who was imported: those who are there and
// never came.
func (d *demo) noteImported(visits []*visit, result *Tail) {
	there := d.count().target
	d.imported = map[userpool.Sub]bool{}
	for _, v := range visits {
		if _, arrived := there[v.person.User.Sub]; arrived && !v.created {
			d.imported[v.person.User.Sub] = true
		}
	}
	if len(d.imported) != result.Imported && d.options.Faults == "" {
		d.tally.surprise(fmt.Sprintf("tail: %d imported, the pools have %d", result.Imported, len(d.imported)))
	}
}

func howMany(visits []*visit, is func(*visit) bool) (n int) {
	for _, v := range visits {
		if is(v) {
			n++
		}
	}
	return n
}

// welcomeBack has every other of those who were imported sign in, as far as there
// is anywhere to send a code to: the password that they type is not known, and
// they choose another one.
func (d *demo) welcomeBack(visits []*visit) {
	var back []*visit
	for _, v := range visits {
		if d.imported[v.person.User.Sub] && v.person.ResetMoves && v.person.Index/10%2 == 0 && len(back) < returning {
			back = append(back, v)
		}
	}
	if len(back) == 0 && d.options.Users >= 100 {
		d.tally.surprise("tail: nobody was imported who could come back")
	}
	d.each(back, func(v *visit) {
		v.created = true
		if a := v.signIn(v.person.Password); a.in || len(a.asked) > 0 {
			v.surprise("the old password after the import", a)
			return
		}
		v.moved = v.newPassword("after the import")
	})
}

// cutOver ends the migration, takes that back, and ends it again, and looks each
// time whether people can sign in as they should.
func (d *demo) cutOver(visits []*visit, talk Talk) (*Cutover, error) {
	if err := d.world.AddProbe(); err != nil {
		return nil, err
	}
	c, err := d.world.Cutover(d.ctx)
	if err != nil {
		return nil, err
	}
	out := &Cutover{}
	if out.Done, err = d.close(c); err != nil || !out.Done {
		return out, err
	}
	talk.Say("Cut over: triggers detached, app clients sign in by SRP.")
	out.SRPSignIn = d.signInAs(visits, true)

	back, err := c.PlanRollBack(d.ctx)
	if err == nil {
		err = c.BeginRollBack(d.ctx, back, operator, false)
	}
	var journal cutover.Journal
	if err == nil {
		journal, err = c.GoOn(d.ctx)
	}
	if err != nil {
		return out, err
	}
	out.RolledBack = journal.State == cutover.RolledBack && d.signInAs(visits, false)
	talk.Say("Rolled back: passwords and the trigger are there again.")

	if out.Done, err = d.close(c); err != nil {
		return out, err
	}
	out.SRPSignIn = out.SRPSignIn && d.signInAs(visits, true)
	return out, nil
}

// operator is who cuts over.
const operator = "demo"

// close cuts over, and reports whether that is done.
func (d *demo) close(c *cutover.Cutover) (bool, error) {
	plan, err := c.Plan(d.ctx, cutover.Choice{})
	if err != nil {
		return false, err
	}
	if !plan.Passed {
		if d.options.Faults == "" {
			d.tally.surprise("cut-over: gates are shut: " + strings.Join(plan.Blocked(), ", "))
		}
		return false, nil
	}
	if err := c.Begin(d.ctx, plan, operator); err != nil {
		return false, err
	}
	journal, err := c.GoOn(d.ctx)
	return journal.State == cutover.CutOver, err
}

// signInAs has some of those who have moved sign in by both flows, and reports
// whether each ended as it should: SRP works always, passwords before the
// cut-over.
func (d *demo) signInAs(visits []*visit, cut bool) bool {
	var some []*visit
	for _, v := range visits {
		if v.moved && len(v.person.User.MFA) == 0 && len(some) < returning {
			some = append(some, v)
		}
	}
	before := d.tally.errors()
	d.each(some, func(v *visit) {
		if err := v.world.SignInSRP(v.ctx, v.person.Name, v.password); (err == nil) != cut && fault.KindOf(err) != fault.Throttled {
			v.surprise(fmt.Sprintf("sign-in by SRP, cut over: %v", cut), answer{in: err == nil, err: err})
		}
		if a := v.signIn(v.password); a.in == cut {
			v.surprise(fmt.Sprintf("sign-in by password, cut over: %v", cut), a)
		}
	})
	return len(some) > 0 && d.tally.errors() == before
}

// pendingReasons are the reasons for which anybody is pending.
func (d *demo) pendingReasons() (reasons []verdict.Reason, err error) {
	r, err := d.world.Reconciliation(d.ctx)
	if err != nil {
		return nil, err
	}
	last, err := r.Summary(d.ctx, "")
	for reason := range last.Reasons[verdict.Pending] {
		reasons = append(reasons, reason)
	}
	return reasons, err
}
