package stragglers

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"

	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/tail"
	"poolferry/tools/staging"
	"poolferry/tools/typeset"
)

// WriteText writes a plan for a person.
func (v View) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s, by reconciliation %s, which ended %s ago\n", v.Run, v.Reconciliation, staging.Span(time.Duration(v.AgeSeconds)*time.Second))
	if len(v.Reasons) == 0 {
		b.WriteString("nobody is left\n")
	} else {
		v.table(&b)
	}
	v.refusals(&b)
	if len(v.Exclude) > 0 {
		typeset.Row(&b, "excludes", "users who are %s, from the next reconciliation on", words(v.Exclude))
	}
	if v.Import.Users == 0 {
		typeset.Row(&b, "imports", "nobody")
	} else {
		typeset.Row(&b, "imports", "%s in %s, %s", typeset.Count(v.Import.Users, "user"), typeset.Count(v.Import.Files, "file"), humanize.Bytes(uint64(max(v.Import.Bytes, 0)))) //nolint:gosec // not negative
		typeset.Row(&b, "time", "about %s at %d users a second; AWS promises nothing", staging.Span(time.Duration(v.Import.Seconds)*time.Second), Pace)
		typeset.Row(&b, "cost now", "no active users, no messages")
		typeset.Row(&b, "afterwards", "each becomes active when coming back, and is sent a code: %s by e-mail, %s by SMS", typeset.Number(v.Import.Emails), typeset.Number(v.Import.SMS))
	}
	for _, warning := range v.Warnings {
		fmt.Fprintf(&b, "\n! %s: %s\n", typeset.Count(warning.Users, "user"), warning.Text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (v View) table(b *strings.Builder) {
	t := typeset.Table(table.Row{"reason", "choice", "pending", "excluded", "can be imported", "cannot"}, widest, 3, 4, 5, 6)
	for _, r := range v.Reasons {
		importable, refused := typeset.Number(r.Importable), 0
		for _, n := range r.Refused {
			refused += n
		}
		if r.Reason == verdict.Federated {
			importable, refused = "never", r.Pending+r.Excluded
		}
		t.AppendRow(table.Row{r.Reason, r.Choice, typeset.Number(r.Pending), typeset.Number(r.Excluded), importable, typeset.Number(refused)})
	}
	b.WriteString(t.Render() + "\n")
}

// refusals says why users cannot be imported.
func (v View) refusals(b *strings.Builder) {
	all := map[tail.Refusal]int{}
	for _, r := range v.Reasons {
		for why, n := range r.Refused {
			all[why] += n
		}
	}
	for _, why := range tail.Refusals() {
		if all[why] > 0 {
			fmt.Fprintf(b, "%s, %s: %s\n", why, typeset.Number(all[why]), why.Meaning())
		}
	}
}

// WriteText writes how far an import is for a person.
func (p Progress) WriteText(w io.Writer, now time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "import %s of run %s: %s\n", p.ID, p.Run, p.Standing)
	typeset.Row(&b, "planned", "%s, %s ago", typeset.Count(p.Planned, "user"), staging.Span(now.Sub(p.Created)))
	if p.Standing != Planned {
		typeset.Row(&b, "moved", "%s ago", staging.Span(now.Sub(p.Updated)))
		typeset.Row(&b, "outcomes", "%s", p.Line())
	}
	if p.Failure != "" {
		typeset.Row(&b, "failure", "%s", p.Failure)
	}
	if len(p.Files) > 0 {
		t := typeset.Table(table.Row{"file", "attempt", "rows", "imported", "skipped", "failed", "left", "job", ""}, widest, 1, 2, 3, 4, 5, 6, 7)
		for _, f := range p.Files {
			state := f.JobState
			if state == "" && f.Done {
				state = "empty"
			}
			attempt := fmt.Sprint(f.Attempt)
			if f.Of != f.File {
				attempt = fmt.Sprintf("%d of %d", f.Attempt, f.Of)
			}
			t.AppendRow(table.Row{f.File, attempt, typeset.Number(f.Rows), typeset.Number(f.Imported), typeset.Number(f.Skipped), typeset.Number(f.Failed), typeset.Number(f.Left), f.Job, state})
		}
		b.WriteString(t.Render() + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Line says in one line how many there are of each outcome.
func (p Progress) Line() string {
	line := fmt.Sprintf("%s imported, %s there already, %s failed, %s left", typeset.Number(p.Imported), typeset.Number(p.Skipped), typeset.Number(p.Failed+p.Refused), typeset.Number(p.Left))
	if !p.Written {
		line += fmt.Sprintf("; %s in %s so far", typeset.Count(p.Rows, "user"), typeset.Count(len(p.Files), "file"))
	}
	return line
}

// Shown is how many failures are shown in a table.
const Shown = 200

// WriteFailures writes failures for a person: the first of them, and how many
// there are of each reason.
func WriteFailures(w io.Writer, failures func(yield func(tail.Failure, error) bool)) (total int, err error) {
	var b strings.Builder
	counts := map[string]int{}
	t := typeset.Table(table.Row{"source sub", "reason", "file", "line", ""}, widest, 3, 4)
	for f, broken := range failures {
		if broken != nil {
			err = broken
			break
		}
		total++
		counts[f.Reason]++
		if t.Length() == Shown {
			continue
		}
		line := ""
		if f.Line > 0 {
			line = fmt.Sprint(f.Line)
		}
		t.AppendRow(table.Row{f.Sub, f.Reason, f.File, line, f.Detail})
	}
	if t.Length() > 0 {
		b.WriteString(t.Render() + "\n")
	}
	if total == 0 && err == nil {
		b.WriteString("nobody failed\n")
	}
	if total > t.Length() {
		fmt.Fprintf(&b, "%s of %s failures are shown; --json streams all of them\n", typeset.Number(t.Length()), typeset.Number(total))
	}
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "\n%s, %s: %s\n", reason, typeset.Number(counts[reason]), meaning(reason))
	}
	if _, broken := io.WriteString(w, b.String()); err == nil {
		err = broken
	}
	return total, err
}

func meaning(reason string) string {
	switch reason {
	case tail.RefusedByCognito:
		return "The import job refused the row; what it says is in the table."
	case tail.NoOutcome:
		return "Three jobs in a row have ended without a word about them. Plan another import."
	}
	return tail.Refusal(reason).Meaning()
}

const widest = 60

func words(reasons []verdict.Reason) string {
	var all []string
	for _, r := range reasons {
		all = append(all, string(r))
	}
	return strings.Join(all, ", ")
}
