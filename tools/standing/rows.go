package standing

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/tools/typeset"
)

// FindingLine is a finding as a line of JSON.
type FindingLine struct {
	Version int `json:"version"` // 1
	verdict.Finding
}

// PendingLine is a user who is left, as a line of JSON.
type PendingLine struct {
	Version int `json:"version"` // 1
	reconcile.PendingRow
}

// lines are JSON objects, one on a line.
type lines struct {
	buffer *bufio.Writer
	json   *json.Encoder
}

func newLines(w io.Writer) lines {
	buffer := bufio.NewWriter(w)
	enc := json.NewEncoder(buffer)
	enc.SetEscapeHTML(false)
	return lines{buffer, enc}
}

// MostFindings is how many findings are shown in a table.
const MostFindings = 200

// Findings gathers findings for a person: the worst of them, and how many there
// are of each kind.
type Findings struct {
	most   int
	shown  map[verdict.Severity][]verdict.Finding // the first of each severity
	counts map[verdict.FindingKind]int
}

// NewFindings returns an empty gathering that shows so many.
func NewFindings(most int) *Findings {
	return &Findings{most: most, shown: map[verdict.Severity][]verdict.Finding{}, counts: map[verdict.FindingKind]int{}}
}

// Add adds a finding.
func (f *Findings) Add(finding verdict.Finding) {
	f.counts[finding.Kind]++
	if len(f.shown[finding.Severity]) < f.most {
		f.shown[finding.Severity] = append(f.shown[finding.Severity], finding)
	}
}

// WriteText writes the findings, and what to do about each kind.
func (f *Findings) WriteText(w io.Writer) error {
	var b strings.Builder
	total := sum(f.counts)
	if total == 0 {
		b.WriteString("there are no findings\n")
	}
	t := typeset.Table(table.Row{"finding", "severity", "source sub", "target sub", "attributes", ""}, widest)
	for _, severity := range verdict.Severities() {
		for _, finding := range f.shown[severity] {
			if t.Length() == f.most {
				break
			}
			t.AppendRow(table.Row{
				finding.Kind, finding.Severity, finding.SourceSub, finding.TargetSub, strings.Join(finding.Attributes, ", "), finding.Detail,
			})
		}
	}
	if t.Length() > 0 {
		render(&b, t)
	}
	if n := t.Length(); n < total {
		fmt.Fprintf(&b, "%s of %s findings are shown, the worst first; --json streams all of them, --kind and --severity choose\n", typeset.Number(n), typeset.Number(total))
	}
	for _, kind := range kindsOf(f.counts) {
		fmt.Fprintf(&b, "\n%s, %s of them (%s)\n  %s\n  %s\n", kind, typeset.Number(f.counts[kind]), kind.Severity(), kind.Meaning(), kind.Advice())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteFindings streams findings as JSON, one on a line.
func WriteFindings(w io.Writer, findings iter.Seq2[verdict.Finding, error]) error {
	return writeLines(w, findings, func(f verdict.Finding) any { return FindingLine{1, f} })
}

// WritePending streams who is left as JSON, one on a line.
func WritePending(w io.Writer, rows iter.Seq2[reconcile.PendingRow, error]) error {
	return writeLines(w, rows, func(r reconcile.PendingRow) any { return PendingLine{1, r} })
}

// writeLines writes what it has when an error ends the rows, and returns it.
func writeLines[Row any](w io.Writer, rows iter.Seq2[Row, error], line func(Row) any) (err error) {
	out := newLines(w)
	for row, broken := range rows {
		if err = broken; err == nil {
			err = out.json.Encode(line(row))
		}
		if err != nil {
			break
		}
	}
	if flushed := out.buffer.Flush(); err == nil {
		err = flushed
	}
	return err
}

// WritePendingText streams who is left for a person, and returns how many there
// are by reason.
func WritePendingText(w io.Writer, rows iter.Seq2[reconcile.PendingRow, error]) (reconcile.Counts, error) {
	out, counts := bufio.NewWriter(w), reconcile.Counts{}
	var err error
	for row, broken := range rows {
		if err = broken; err != nil {
			break
		}
		if counts[row.Verdict] == nil {
			counts[row.Verdict] = map[verdict.Reason]int{}
		}
		counts[row.Verdict][row.Reason]++
		if _, err = fmt.Fprintf(out, "%-36s  %-17s  %s\n", row.Sub, row.Verdict, row.Reason); err != nil {
			break
		}
	}
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	return counts, err
}

// Advise writes how many there are of each reason, and what to do about them.
func Advise(w io.Writer, counts reconcile.Counts) {
	for _, v := range verdict.Verdicts() {
		for _, reason := range byCount(counts[v]) {
			_, _ = fmt.Fprintf(w, "%s, %s: %s. %s %s\n", v, reason, typeset.Number(counts[v][reason]), reason.Meaning(), reason.Advice())
		}
	}
}

// Formats of an id map.
const (
	JSONL = "jsonl"
	CSV   = "csv"
)

// Formats lists the formats of an id map.
func Formats() []string { return []string{JSONL, CSV} }

// IDColumns are those of an id map as CSV, in order.
var IDColumns = []string{"legacy_sub", "sub", "legacy_username", "username", "verdict", "reason", "joined_by"}

// WriteIDMap streams an id map and returns how many rows it has written. What it
// has when an error ends the rows is written, so that nothing is cut within a
// row.
func WriteIDMap(w io.Writer, format string, rows iter.Seq2[reconcile.IDRow, error]) (n int, err error) {
	counted := func(yield func(reconcile.IDRow, error) bool) {
		for row, err := range rows {
			if err == nil {
				n++
			}
			if !yield(row, err) {
				return
			}
		}
	}
	if format == CSV {
		err = writeCSV(w, counted)
	} else {
		err = writeLines(w, counted, func(r reconcile.IDRow) any { return r })
	}
	return n, err
}

func writeCSV(w io.Writer, rows iter.Seq2[reconcile.IDRow, error]) error {
	out := csv.NewWriter(w)
	err := out.Write(IDColumns)
	for r, broken := range rows {
		if err == nil {
			err = broken
		}
		if err == nil {
			err = out.Write([]string{
				string(r.LegacySub), string(r.Sub), r.LegacyUsername, r.Username, string(r.Verdict), string(r.Reason), r.JoinedBy,
			})
		}
		if err != nil {
			break
		}
	}
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return err
}

// Identities returns all findings, the worst first.
func Identities(findings iter.Seq2[verdict.Finding, error]) ([]verdict.Finding, error) {
	var all []verdict.Finding
	for f, err := range findings {
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	severities := verdict.Severities()
	slices.SortStableFunc(all, func(a, b verdict.Finding) int {
		return cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity))
	})
	return all, nil
}
