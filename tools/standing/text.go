package standing

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/forecast"
	"poolferry/internal/reconcile/verdict"
	"poolferry/tools/staging"
	"poolferry/tools/typeset"
)

// shownRuns is how many reconciliations the screen has room for.
const shownRuns = 5

// WriteText writes the status for a person.
func (s Status) WriteText(w io.Writer) error {
	var b strings.Builder
	if s.Figures == nil {
		fmt.Fprintf(&b, "run %s: nothing was counted yet\n", s.Run)
	} else {
		s.answer(&b)
	}
	if s.Figures != nil {
		if s.Forecast.State != forecast.Complete {
			if s.Forecast.State != forecast.TooEarly {
				typeset.Row(&b, "rate", "%s", rate(s.Forecast.PerDay))
			}
			typeset.Row(&b, "end", "%s", End(s.Forecast))
			typeset.Row(&b, "", "%s", s.Forecast.Why)
		}
		asOf := fmt.Sprintf("%s, generation %d", moment(s.AsOf, s.now), s.Generation)
		if !s.Whole {
			asOf += "; that reconciliation is partial, so these are not all users"
		}
		typeset.Row(&b, "as of", "%s", asOf)
	}
	switch {
	case s.Seeding == nil:
		typeset.Row(&b, "seeding", "nothing is staged")
	case s.Seeding.Generation == 0:
		typeset.Row(&b, "seeding", "%s, no generation yet", s.Seeding.Standing)
	default:
		typeset.Row(&b, "seeding", "%s, generation %d: %s", s.Seeding.Standing, s.Seeding.Generation, s.Seeding.line())
	}
	if s.Settle != nil {
		typeset.Row(&b, "settled", "%s", s.Settle.line())
	}
	if s.Cutover != nil {
		typeset.Row(&b, "cut-over", "%s, %s", strings.ReplaceAll(string(s.Cutover.State), "-", " "), moment(s.Cutover.Updated, s.now))
	}
	if s.Running != nil {
		s.Running.row(&b, s.now)
	}
	if s.Figures != nil {
		countsTable(&b, s.Verdicts, s.Reasons, false)
		findingsTable(&b, s.Findings, false)
	}
	s.runsTable(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (s Seeding) line() string {
	if s.Standing == staging.Done {
		return fmt.Sprintf("%s, %s, all committed", typeset.Count(s.Profiles, "user"), typeset.Count(s.Shards, "shard"))
	}
	line := fmt.Sprintf("%s of about %s, %s of %s committed", typeset.Number(s.Profiles), typeset.Count(s.Estimate, "user"), typeset.Number(s.Committed), typeset.Count(s.Shards, "shard"))
	if n := len(s.Failed); n > 0 {
		line += fmt.Sprintf(", %s failed", typeset.Number(n))
	}
	return line
}

func (s Settle) line() string {
	line := typeset.Count(s.Settled, "user")
	if s.Left > 0 {
		line += fmt.Sprintf(", %s to go", typeset.Number(s.Left))
	}
	switch {
	case s.GivenUp == s.Failed && s.Failed > 0:
		line += fmt.Sprintf(", %s failed for good", typeset.Number(s.Failed))
	case s.GivenUp > 0:
		line += fmt.Sprintf(", %s failed, %s of them for good", typeset.Number(s.Failed), typeset.Number(s.GivenUp))
	case s.Failed > 0:
		line += fmt.Sprintf(", %s failed and tried again later", typeset.Number(s.Failed))
	}
	return line
}

// answer is the headline.
func (s Status) answer(b *strings.Builder) {
	switch {
	case s.Complete:
		fmt.Fprintf(b, "run %s: complete, everybody of %s is accounted for\n", s.Run, typeset.Count(s.Profiles, "user"))
	case s.ToMove == 0:
		fmt.Fprintf(b, "run %s: there is nobody to move\n", s.Run)
	default:
		fmt.Fprintf(b, "run %s: %s of %s have moved\n", s.Run, typeset.Number(s.Moved), typeset.Count(s.ToMove, "user"))
	}
	fmt.Fprintf(b, "  %s %s\n", bar(s.Percent), percent(s.Percent))
}

// Line is the status on one line, for a log.
func (s Status) Line() string {
	if s.Figures == nil {
		line := "nothing was counted yet"
		if s.Running != nil {
			line += ", " + s.Running.line()
		}
		return line
	}
	line := fmt.Sprintf("%s: %s of %s have moved, %s pending", percent(s.Percent), typeset.Number(s.Moved), typeset.Count(s.ToMove, "user"), typeset.Number(s.Verdicts[verdict.Pending]))
	if n := sum(s.Findings); n > 0 {
		line += ", " + typeset.Count(n, "finding")
	}
	if s.Critical > 0 {
		line += fmt.Sprintf(" (%s critical)", typeset.Number(s.Critical))
	}
	if last, ok := s.Last(); ok && last.State != Whole {
		line += ", the last reconciliation " + map[State]string{Partial: "is partial", Failed: "has failed"}[last.State]
	}
	if s.Complete {
		return line + ", complete"
	}
	if s.Forecast.PerDay > 0 {
		line += ", " + rate(s.Forecast.PerDay)
	}
	line += ", end: " + End(s.Forecast)
	if s.Running != nil {
		line += ", " + s.Running.line()
	}
	return line
}

func (r Running) line() string {
	if r.Expired {
		return r.ID + " has not given its lease back"
	}
	return r.ID + " is at work"
}

func (r Running) row(b *strings.Builder, now time.Time) {
	if r.Expired {
		typeset.Row(b, "running", "%s since %s; its lease ran out %s, and the next reconciliation takes over", r.ID, minute(r.Since), ago(r.Until, now))
	} else {
		typeset.Row(b, "running", "%s since %s; its lease runs for %s, unless it is renewed", r.ID, moment(r.Since, now), long(r.Until.Sub(now)))
	}
	switch {
	case r.Ended != "" && !r.Expired:
		typeset.Row(b, "", "its execution has ended (%s): the next one can begin when the lease runs out", r.Ended)
	case r.Stage != "":
		typeset.Row(b, "", "%s", r.Stage)
	}
}

// countsTable shows who stands where, and why; explained, with what that means.
func countsTable(b *strings.Builder, verdicts map[verdict.Verdict]int, reasons reconcile.Counts, explained bool) {
	t := typeset.Table(table.Row{"verdict", "users", "reason", "users"}, widest, 2, 4)
	if explained {
		t = typeset.Table(table.Row{"verdict", "users", "reason", "users", ""}, widest, 2, 4)
	}
	add := func(meaning string, cells ...any) {
		if explained {
			cells = append(cells, meaning)
		}
		t.AppendRow(cells)
	}
	for _, v := range verdict.Verdicts() {
		if verdicts[v] == 0 && v != verdict.Migrated && v != verdict.Pending {
			continue
		}
		name, users := string(v), typeset.Number(verdicts[v])
		for _, reason := range byCount(reasons[v]) {
			add(reason.Meaning(), name, users, reason, typeset.Number(reasons[v][reason]))
			name, users = "", ""
		}
		if len(reasons[v]) == 0 {
			add(v.Meaning(), name, users, "", "")
		}
	}
	render(b, t)
}

// findingsTable shows the kinds, the worst first; explained as countsTable.
func findingsTable(b *strings.Builder, findings map[verdict.FindingKind]int, explained bool) {
	t := typeset.Table(table.Row{"finding", "severity", "count"}, widest, 3)
	if explained {
		t = typeset.Table(table.Row{"finding", "severity", "count", ""}, widest, 3)
	}
	for _, kind := range kindsOf(findings) {
		cells := table.Row{kind, kind.Severity(), typeset.Number(findings[kind])}
		if explained {
			cells = append(cells, kind.Meaning())
		}
		t.AppendRow(cells)
	}
	if t.Length() > 0 {
		render(b, t)
	}
}

// kindsOf lists the kinds that there are, the worst first.
func kindsOf(findings map[verdict.FindingKind]int) []verdict.FindingKind {
	severities := verdict.Severities()
	rank := func(k verdict.FindingKind) int {
		if at := slices.Index(severities, k.Severity()); at >= 0 {
			return at
		}
		return len(severities) // of a kind that this version does not know
	}
	kinds := slices.DeleteFunc(byCount(findings), func(k verdict.FindingKind) bool { return findings[k] == 0 })
	slices.SortStableFunc(kinds, func(a, b verdict.FindingKind) int { return cmp.Compare(rank(a), rank(b)) })
	return kinds
}

func (s Status) runsTable(b *strings.Builder) {
	if len(s.LastRuns) == 0 {
		return
	}
	t := typeset.Table(table.Row{"ended", "took", "percent", "pending", "findings", "", "reconciliation"}, widest, 2, 3, 4, 5)
	for _, p := range s.LastRuns[:min(len(s.LastRuns), shownRuns)] {
		share, pending, findings, state := percent(p.Percent), typeset.Number(p.Pending), typeset.Number(p.Findings), string(p.State)
		if !p.counted && p.State != Whole {
			share, pending, findings = "-", "-", "-"
		}
		switch {
		case p.State == Failed:
			state = "failed: " + p.Failure
		case p.State == Partial:
			state = "partial: " + strings.Join(p.Partial, ", ")
		case p.Complete:
			state = "complete"
		}
		t.AppendRow(table.Row{minute(p.Ended), seconds(p.Ended.Sub(p.Started).Seconds()), share, pending, findings, state, p.ID})
	}
	render(b, t)
}

// WriteText writes what is known of a reconciliation for a person.
func (l Look) WriteText(w io.Writer, now time.Time) error {
	var b strings.Builder
	if l.Running != nil {
		fmt.Fprintf(&b, "run %s\n", l.Run)
		l.Running.row(&b, now)
	}
	if l.Outcome != nil {
		l.Outcome.text(&b, l.Run, now)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (o Outcome) text(b *strings.Builder, run string, now time.Time) {
	fmt.Fprintf(b, "reconciliation %s of run %s: %s\n", o.ID, run, o.State)
	typeset.Row(b, "ended", "%s; it took %s", moment(o.Ended, now), seconds(o.Ended.Sub(o.Started).Seconds()))
	if o.Failure != "" {
		typeset.Row(b, "failed", "%s; nothing was counted", o.Failure)
		return
	}
	if o.State == Partial {
		for _, word := range o.Partial {
			typeset.Row(b, "partial", "%s: %s", word, Because([]string{word}))
		}
	}
	if len(o.Missing) > 0 {
		typeset.Row(b, "missing", "shards %s of the manifest", strings.Join(o.Missing, ", "))
	}
	typeset.Row(b, "moved", "%s: %s of %s", percent(o.Percent), typeset.Number(o.Moved), typeset.Count(o.ToMove, "user"))
	typeset.Row(b, "compared", "%s of generation %d with %s of the target pool, in %s", typeset.Count(o.Profiles, "user"), o.Generation, typeset.Number(o.TargetUsers), typeset.Count(o.Buckets, "bucket"))
	if o.Joins > 0 {
		typeset.Row(b, "joined", "%s without custom:legacy_sub, by a name", typeset.Count(o.Joins, "user"))
	}
	typeset.Row(b, "bytes", "%s of manifest, %s read, %s written", size(o.Bytes.Manifest), size(o.Bytes.Read), size(o.Bytes.Written))
	if stages := o.stages(); stages != "" {
		typeset.Row(b, "stages", "%s", stages)
	}
	if o.Complete {
		typeset.Row(b, "complete", "everybody is accounted for, in two whole reconciliations in a row")
	}
	countsTable(b, o.Verdicts, o.Reasons, true)
	findingsTable(b, o.Findings, true)
}

func (o Outcome) stages() string {
	var said []string
	for _, step := range []string{reconcile.StepOpen, reconcile.StepIndex, reconcile.StepScan, reconcile.StepMatch, reconcile.StepCompare, reconcile.StepClose} {
		if took, ok := o.Stages[step]; ok {
			said = append(said, fmt.Sprintf("%s %s", step, seconds(took)))
		}
	}
	return strings.Join(said, ", ")
}

// widest is a table's last column, so that most tables fit a terminal.
const widest = 62

func render(b *strings.Builder, t table.Writer) { b.WriteString(t.Render() + "\n") }
