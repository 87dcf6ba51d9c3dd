package tail

import (
	"bufio"
	"bytes"
	"context"
	"regexp"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// said is what a log says of a line.
type said struct {
	line    int
	outcome Outcome
	why     string // of those that failed
}

// logLine is how Cognito says it (Developer Guide, viewing the user pool import
// results).
var logLine = regexp.MustCompile(`^\s*\[(SUCCEEDED|SKIPPED|FAILED)\]\s+Line Number\s+(\d{1,9})\b(?:\s*-\s*(.*))?`)

// parseLog reads a line of a job's log; ok is false for any that is not about a
// row.
func parseLog(text string) (said, bool) {
	m := logLine.FindStringSubmatch(text)
	if m == nil {
		return said{}, false
	}
	line, err := strconv.Atoi(m[2])
	if err != nil {
		return said{}, false
	}
	switch m[1] {
	case "SUCCEEDED":
		return said{line: line, outcome: Imported}, true
	case "SKIPPED":
		return said{line: line, outcome: Skipped}, true
	}
	return said{line: line, outcome: Failed, why: sentence(m[3])}, true
}

// personal are addresses and numbers. AWS writes none into a log, as far as is
// known; what is kept of it must not hold any.
var personal = regexp.MustCompile(`\S+@\S+|\+?\d[\d ()-]{5,}\d`)

// mostWords bounds a sentence of Cognito's.
const mostWords = 200

// sentence is a text of Cognito's without what might be somebody's.
func sentence(text string) string {
	text = personal.ReplaceAllString(strings.ToValidUTF8(strings.TrimSpace(text), ""), "[…]")
	if runes := []rune(text); len(runes) > mostWords {
		text = string(runes[:mostWords]) + "…"
	}
	return text
}

// verdicts are the outcomes of a file's lines, by their place.
type verdicts struct {
	outcomes []Outcome
	why      map[int]string
	known    int // lines with an outcome
}

// place maps what a log says to the lines of a file.
//
// The first row behind the header is line 1: so count the mapping files of AWS's
// own reference architecture for exporting user profiles, and no page says
// otherwise. Should the header count some day, or counting begin at 0, the line
// behind the last, or the 0, gives it away. Where neither shows and line 1 is
// missing, nothing is believed: the lines go into another file, in which who is
// there already is skipped, rather than that somebody gets another's outcome.
func place(all []said, rows int) verdicts {
	v := verdicts{outcomes: make([]Outcome, rows), why: map[int]string{}}
	if len(all) == 0 {
		return v
	}
	least, most := all[0].line, all[0].line
	for _, s := range all {
		least, most = min(least, s.line), max(most, s.line)
	}
	var first int
	switch {
	case least >= 1 && most <= rows && least == 1:
		first = 1
	case least == 0 && most <= rows-1:
		first = 0
	case least >= 2 && most == rows+1:
		first = 2
	default:
		return v
	}
	for _, s := range all {
		at := s.line - first
		if v.outcomes[at] != "" {
			continue // said twice
		}
		v.outcomes[at], v.known = s.outcome, v.known+1
		if s.outcome == Failed {
			v.why[at] = s.why
		}
	}
	return v
}

// results finds out what became of a file's lines. late is true where the log is
// to be asked again.
func (t *Tail) results(ctx context.Context, p Plan, f FileState, job Job) (r Results, late bool, err error) {
	file, err := t.o.Store.ReadTailFile(ctx, p.ID, f.File)
	if err != nil {
		return r, false, err
	}
	var all []said
	if job.State != JobExpired {
		for text, err := range t.o.Pool.Log(ctx, p.Target.Name, job) {
			if err != nil {
				return r, false, err
			}
			if s, ok := parseLog(text); ok {
				all = append(all, s)
			}
		}
	}
	v := place(all, f.Rows)
	if v.known < min(job.Imported+job.Skipped+job.Failed, f.Rows) {
		if t.o.Now().Sub(f.Job.Ended) < logPatience {
			return r, true, nil
		}
		if all := job.all(f.Rows); all != "" {
			for at := range v.outcomes {
				v.outcomes[at] = all
			}
		}
	}
	r = Results{Run: p.Run, ID: p.ID, File: f.File, Job: job.ID, JobState: job.State, Message: sentence(job.Message)}
	r.Rows, err = t.writeOutcomes(ctx, f, file, v, &r)
	return r, false, err
}

// all returns the outcome of all rows of a job where its counters leave no doubt,
// empty where they do.
func (j Job) all(rows int) Outcome {
	switch {
	case j.Imported+j.Skipped+j.Failed != rows:
	case j.Imported == rows:
		return Imported
	case j.Skipped == rows:
		return Skipped
	case j.Failed == rows:
		return Failed
	}
	return ""
}

// writeOutcomes writes what became of each line, and counts it.
func (t *Tail) writeOutcomes(ctx context.Context, f FileState, file File, v verdicts, r *Results) (Object, error) {
	data, err := t.o.Store.ReadTailObject(ctx, *file.Lines)
	if err != nil {
		return Object{}, err
	}
	var rows packed
	count := 0
	err = unpack(data, *file.Lines, func(line Line) error {
		if line.Line != count+1 || count >= f.Rows {
			return fault.New(fault.Invalid, "%s: line %d is out of order: foreign", file.Lines.Key, line.Line)
		}
		row := OutcomeRow{Line: line.Line, Sub: line.Sub, Outcome: v.outcomes[count], Why: v.why[count]}
		switch {
		case row.Outcome == "" && f.Attempt < attempts:
			row.Outcome = Left
		case row.Outcome == "":
			row.Outcome, row.Why = Failed, NoOutcome
		}
		switch row.Outcome {
		case Imported:
			r.Imported++
		case Skipped:
			r.Skipped++
		case Failed:
			r.Failed++
		case Left:
			r.Left++
		}
		count++
		return rows.json(row)
	})
	if err != nil {
		return Object{}, err
	}
	packed, err := rows.close()
	if err != nil {
		return Object{}, err
	}
	return t.o.Store.WriteTailObject(ctx, file.ID, file.File, OutcomeRows, packed, count)
}

// outcomes reads what became of each line.
func (t *Tail) outcomes(ctx context.Context, r Results) (rows []OutcomeRow, err error) {
	data, err := t.o.Store.ReadTailObject(ctx, r.Rows)
	if err != nil {
		return nil, err
	}
	rows = make([]OutcomeRow, 0, r.Rows.Count)
	err = unpack(data, r.Rows, func(row OutcomeRow) error {
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// retry writes the file of those who have no outcome: the next number there is,
// which the state of the import has not given to anybody, since one step after
// the other adds one.
func (t *Tail) retry(ctx context.Context, p Plan, f FileState, rows []OutcomeRow) (File, error) {
	s, _, err := t.o.Store.LoadTail(ctx, p.ID)
	if err != nil {
		return File{}, err
	}
	for _, known := range s.Files {
		if known.Of == f.Of && known.Attempt == f.Attempt+1 {
			return t.o.Store.ReadTailFile(ctx, p.ID, known.File) // another step was first
		}
	}
	number := len(s.Files)
	standing, err := t.o.Store.ReadTailFile(ctx, p.ID, number)
	if err == nil && (standing.Of != f.Of || standing.Attempt != f.Attempt+1) {
		err = fault.New(fault.Conflict, "file %d is of other lines", number) // the state was read too early
	}
	if err == nil || !is(err, fault.NotFound) {
		return standing, err
	}
	d := newDraft(p)
	err = t.csvRows(ctx, p.ID, f.File, func(line int, text string) error {
		if line > len(rows) || rows[line-1].Outcome != Left {
			return nil
		}
		return d.add(userpool.Sub(rows[line-1].Sub), text)
	})
	if err != nil {
		return File{}, err
	}
	next := File{Run: p.Run, ID: p.ID, File: number, Of: f.Of, Attempt: f.Attempt + 1, Rows: d.room.rows, Why: map[Refusal]int{}}
	if err := t.store(ctx, d, &next); err != nil {
		return File{}, err
	}
	return t.o.Store.WriteTailFile(ctx, next)
}

// csvRows goes through the rows of a file, which are as they were written.
func (t *Tail) csvRows(ctx context.Context, id string, file int, each func(line int, text string) error) error {
	f, err := t.o.Store.ReadTailFile(ctx, id, file)
	if err != nil || f.CSV == nil {
		return err
	}
	data, err := t.o.Store.ReadTailObject(ctx, *f.CSV)
	if err != nil {
		return err
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return fault.New(fault.Invalid, "%s is not gzip: foreign", f.CSV.Key)
	}
	lines := bufio.NewScanner(zip)
	lines.Buffer(make([]byte, 0, 64<<10), 1<<20) // 16,000 characters are 64 KB
	for number := 0; lines.Scan(); number++ {
		if number == 0 {
			continue // the header
		}
		if err := each(number, lines.Text()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fault.New(fault.Invalid, "%s cannot be read: %w", f.CSV.Key, err)
	}
	return nil
}
