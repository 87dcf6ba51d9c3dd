package readiness

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"poolferry/internal/preflight"
	"poolferry/internal/reconcile/verdict"
)

// width is how wide lines are, as on a terminal of eighty columns.
const width = 80

// Report is what a preflight has found, for a person or, as JSON, for a program.
type Report struct{ preflight.Report }

// WriteText writes the report for a person. No user is named.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s: %s\n", r.Run, r.headline())
	if s := r.Staged; s != nil {
		fmt.Fprintf(&b, "  %-9s generation %d, %d users: %s\n", "staged", s.Generation, s.Users, outlookWords(s.Outlook))
	}
	if p := r.Profile; p != nil {
		fmt.Fprintf(&b, "  %-9s %s is configured, %s is right\n", "profile", p.Configured, p.Safe)
	}
	var last preflight.Severity
	for _, f := range r.Findings {
		if f.Severity != last {
			fmt.Fprintf(&b, "\n%s\n", strings.ToUpper(string(f.Severity)))
			last = f.Severity
		}
		write(&b, f)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) headline() string {
	if r.Blockers+r.Warnings == 0 {
		return "ready"
	}
	counts := fmt.Sprintf("%s, %s", count(r.Blockers, "blocker"), count(r.Warnings, "warning"))
	if r.Ready {
		return "can start, decide first: " + counts
	}
	return "not ready: " + counts
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func write(b *strings.Builder, f preflight.Finding) {
	fmt.Fprintf(b, "  %s  %s\n", f.Code, f.About)
	paragraph(b, "    ", f.Meaning)
	if f.Detail != "" {
		paragraph(b, "    = ", f.Detail)
	}
	for _, c := range f.Counts {
		paragraph(b, "    = ", fmt.Sprintf("%s: %s: %d", c.Attribute, c.Rule, c.Users))
	}
	paragraph(b, "    > ", f.Advice)
	if f.Line != "" {
		fmt.Fprintf(b, "      %s:\n        %s\n", f.Section, f.Line)
	}
}

// paragraph wraps text behind a margin, whose marker stands on the first line
// alone.
func paragraph(b *strings.Builder, margin, words string) {
	blank := strings.Repeat(" ", len(margin))
	for i, line := range strings.Split(text.WrapSoft(words, width-len(margin)), "\n") {
		if i > 0 {
			margin = blank
		}
		b.WriteString(strings.TrimRight(margin+strings.TrimRight(line, " "), " ") + "\n")
	}
}

// outlookWords tells what would become of users, the usual first.
func outlookWords(outlook map[string]int) string {
	var words []string
	for _, reason := range slices.SortedFunc(maps.Keys(outlook), func(a, b string) int {
		return slices.Index(order, verdict.Reason(a)) - slices.Index(order, verdict.Reason(b))
	}) {
		if n := outlook[reason]; reason == string(verdict.NotSignedIn) {
			words = append(words, fmt.Sprintf("%d can move", n))
		} else {
			words = append(words, fmt.Sprintf("%d %s", n, reason))
		}
	}
	return strings.Join(words, ", ")
}

// order is that of reasons, with those who can move first.
var order = append([]verdict.Reason{verdict.NotSignedIn}, verdict.PendingReasons()...)
