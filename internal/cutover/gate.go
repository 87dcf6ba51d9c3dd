package cutover

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/seeding"
)

// GateState is how a gate was found.
type GateState string

// The states of a gate.
const (
	Passed  GateState = "passed"
	Warning GateState = "warning" // is shown, and keeps nobody
	Blocked GateState = "blocked"
)

// Gate is something that must hold before a cut-over.
type Gate struct {
	Name   string    `json:"name"`
	State  GateState `json:"state"`
	Found  string    `json:"found"`            // the evidence
	Advice string    `json:"advice,omitempty"` // unless it is passed
}

// The gates.
const (
	GateComplete  = "complete"   // everybody is accounted for
	GateAgree     = "agree"      // the last two reconciliations
	GateFresh     = "fresh"      // the last reconciliation
	GateFindings  = "findings"   // nothing critical is open
	GateErrorRate = "error_rate" // of the trigger
	GateQuiet     = "quiet"      // nothing else is at work
	GateSettled   = "settled"    // nobody waits to be settled
	GateProbe     = "probe"      // can sign in now
)

// Gates lists all gates in the order in which they are shown.
func Gates() []string {
	return []string{GateComplete, GateAgree, GateFresh, GateFindings, GateErrorRate, GateQuiet, GateSettled, GateProbe}
}

// MaxErrorRate is how many decisions of the trigger in a hundred may have failed
// in ErrorWindow.
const (
	MaxErrorRate = 1.0
	ErrorWindow  = 24 * time.Hour
)

// Facts are what the gates are judged by.
type Facts struct {
	Now        time.Time
	History    progress.History
	Lease      *reconcile.Lease
	Seeding    *seeding.Status // nil: nothing was ever planned
	Settle     Activity
	Tail       Activity
	Decisions  float64 // of the trigger, in ErrorWindow
	Failures   float64
	MetricsErr error // they could not be read
	Accept     []verdict.Reason
	StaleAfter time.Duration
	Unproven   bool // no probe is wanted
	Probe      *Probe
	ProbeFlow  string // how the probe has signed in now
	ProbeErr   error  // it could not
}

// Judge judges every gate.
func Judge(f Facts) []Gate {
	return []Gate{
		f.complete(), f.agree(), f.fresh(), f.findings(), f.errorRate(), f.quiet(), f.settled(), f.probe(),
	}
}

func passed(name, format string, args ...any) Gate {
	return Gate{Name: name, State: Passed, Found: fmt.Sprintf(format, args...)}
}

func blocked(name, advice, format string, args ...any) Gate {
	return Gate{name, Blocked, fmt.Sprintf(format, args...), advice}
}

const reconcileAgain = "Have the run reconciled: poolferry reconcile run."

// lastTwo are the last two reconciliations, older first; fewer where there are
// none.
func (f Facts) lastTwo() []progress.Point {
	return f.History.Points[max(0, len(f.History.Points)-2):]
}

// kept counts the pending users of a point whose reasons are accepted, and of all
// others.
func (f Facts) kept(p progress.Point) (accepted, others map[verdict.Reason]int) {
	accepted, others = map[verdict.Reason]int{}, map[verdict.Reason]int{}
	for reason, n := range p.Reasons {
		switch {
		case n == 0:
		case slices.Contains(f.Accept, reason):
			accepted[reason] = n
		default:
			others[reason] = n
		}
	}
	return accepted, others
}

func (f Facts) complete() Gate {
	last, ok := f.History.LastWhole()
	if !ok {
		return blocked(GateComplete, reconcileAgain, "there is no whole reconciliation")
	}
	accepted, others := f.kept(last)
	switch {
	case len(others) > 0:
		return blocked(GateComplete, "See poolferry reconcile pending; import or exclude them with poolferry tail plan, or leave them behind knowingly with --accept REASON,…",
			"%d users are pending in %s: %s", total(others), last.ID, counts(others))
	case len(accepted) > 0:
		return Gate{GateComplete, Warning, fmt.Sprintf("%d users are pending in %s, all for reasons that were accepted: %s", total(accepted), last.ID, counts(accepted)),
			"They stay behind: nothing moves them once the trigger is detached."}
	}
	return passed(GateComplete, "nobody is pending in %s: %d users of the source pool", last.ID, last.Profiles)
}

// agree wants two whole reconciliations in a row that come to the same end,
// because lists of users are eventually consistent. Fewer users may be pending in
// the second: they move until the last moment.
func (f Facts) agree() Gate {
	two := f.lastTwo()
	if len(two) < 2 {
		return blocked(GateAgree, reconcileAgain, "there are not two reconciliations")
	}
	for _, p := range two {
		if !p.Whole() {
			return blocked(GateAgree, reconcileAgain, "%s is not whole: %s", p.ID, cmpOr(p.Failure, strings.Join(p.Partial, ", ")))
		}
		if _, others := f.kept(p); len(others) > 0 {
			return blocked(GateAgree, reconcileAgain, "in %s users are pending: %s", p.ID, counts(others))
		}
	}
	for _, reason := range verdict.PendingReasons() {
		if before, after := two[0].Reasons[reason], two[1].Reasons[reason]; after > before {
			return blocked(GateAgree, "The source pool still gets users: see that nobody signs up there, and have the run reconciled twice.",
				"pending because of %s: %d in %s, %d in %s", reason, before, two[0].ID, after, two[1].ID)
		}
	}
	return passed(GateAgree, "%s and %s", two[0].ID, two[1].ID)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (f Facts) fresh() Gate {
	last, ok := f.History.LastWhole()
	if !ok {
		return blocked(GateFresh, reconcileAgain, "there is no whole reconciliation")
	}
	age := f.Now.Sub(last.Ended).Round(time.Minute)
	if age > f.StaleAfter {
		return blocked(GateFresh, reconcileAgain, "%s ended %v ago, at most %v are wanted", last.ID, age, f.StaleAfter)
	}
	return passed(GateFresh, "%s ended %v ago", last.ID, age)
}

func (f Facts) findings() Gate {
	last, ok := f.History.LastWhole()
	switch {
	case !ok:
		return blocked(GateFindings, reconcileAgain, "there is no whole reconciliation")
	case last.Critical > 0:
		return blocked(GateFindings, "See poolferry reconcile findings --severity critical.", "%d critical findings in %s", last.Critical, last.ID)
	}
	return passed(GateFindings, "none is critical in %s", last.ID)
}

func (f Facts) errorRate() Gate {
	rate := 0.0
	if f.Decisions > 0 {
		rate = 100 * f.Failures / f.Decisions
	}
	found := fmt.Sprintf("%.0f of %.0f decisions of the trigger failed in the last %v: %.2f %%", f.Failures, f.Decisions, ErrorWindow, rate)
	switch {
	case f.MetricsErr != nil:
		return blocked(GateErrorRate, "Allow cloudwatch:GetMetricData, or try again.", "the trigger's metrics could not be read: %v", f.MetricsErr)
	case rate > MaxErrorRate:
		return blocked(GateErrorRate, fmt.Sprintf("See the trigger's log: people could not move. At most %v %% are wanted.", MaxErrorRate), "%s", found)
	case f.Decisions == 0:
		return Gate{GateErrorRate, Warning, fmt.Sprintf("the trigger was not called in the last %v", ErrorWindow), "Nothing, if nobody is left to move. Otherwise see whether the app still reaches this pool."}
	}
	return passed(GateErrorRate, "%s", found)
}

func (f Facts) quiet() Gate {
	var at []string
	if s := f.Seeding; s != nil && s.Generation > 0 && !s.Done && !s.Stopped && len(s.Failed) == 0 {
		at = append(at, fmt.Sprintf("generation %d is being seeded", s.Generation))
	}
	if l := f.Lease; l != nil && l.Held(f.Now) {
		at = append(at, "reconciliation "+l.ID+" is at work")
	}
	if f.Settle.Active {
		at = append(at, strings.TrimSpace("users are being settled "+f.Settle.What))
	}
	if f.Tail.Active {
		at = append(at, strings.TrimSpace("the tail is being imported "+f.Tail.What))
	}
	if len(at) > 0 {
		return blocked(GateQuiet, "Wait until it has ended; schedules may be left on.", "%s", strings.Join(at, ", "))
	}
	return passed(GateQuiet, "no seeding, reconciliation, settling or import is at work")
}

func (f Facts) settled() Gate {
	if f.Settle.Left > 0 {
		return Gate{GateSettled, Warning, fmt.Sprintf("%d users wait for groups, the disabled flag or a second factor", f.Settle.Left), "The next reconciliation goes on with it, after the cut-over too."}
	}
	return passed(GateSettled, "nobody waits for groups, the disabled flag or a second factor")
}

func (f Facts) probe() Gate {
	switch {
	case f.Unproven:
		return Gate{GateProbe, Warning, "no sign-in will prove the cut-over, as was asked for", "Sign in by hand when it is done."}
	case f.Probe == nil:
		return blocked(GateProbe, "Create a user for it at the target and name it in the configuration, section cutover; or go without proof with --unproven.", "no probe is configured")
	case f.ProbeErr != nil:
		return blocked(GateProbe, "Correct the section cutover of the configuration: a probe that cannot sign in now proves nothing afterwards.", "the probe cannot sign in at client %s: %v", f.Probe.ClientID, f.ProbeErr)
	}
	return passed(GateProbe, "the probe has signed in at client %s by %s", f.Probe.ClientID, f.ProbeFlow)
}

func total(of map[verdict.Reason]int) (n int) {
	for _, more := range of {
		n += more
	}
	return n
}

func counts(of map[verdict.Reason]int) string {
	var all []string
	for _, reason := range slices.Sorted(maps.Keys(of)) {
		all = append(all, fmt.Sprintf("%s %d", reason, of[reason]))
	}
	return strings.Join(all, ", ")
}
