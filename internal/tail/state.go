package tail

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
)

// Object refers to an object and proves its bytes.
type Object struct {
	reconcile.Stored
	Count int `json:"count"` // lines
}

// Kind is what the lines of an object are.
type Kind string

// The kinds of objects, and their formats.
const (
	CSVRows     Kind = "csv"     // what Cognito reads, the header included, which does not count
	SubLines    Kind = "lines"   // JSON: which line is whose
	RefusedRows Kind = "refused" // JSON: who was left out, and why
	OutcomeRows Kind = "results" // JSON: what became of each line
)

// Line says whose a line of a file is. The first behind the header is 1.
type Line struct {
	Line int    `json:"line"`
	Sub  string `json:"sub"`
}

// Refused is a user who is in no file.
type Refused struct {
	Sub    string  `json:"sub"`
	Reason Refusal `json:"reason"`
}

// Outcome is what became of a line.
type Outcome string

// The outcomes. A line without an outcome is left, for the next attempt, or has
// failed where it was the last.
const (
	Imported Outcome = "imported"
	Skipped  Outcome = "skipped" // there is a user of the name: moved meanwhile, as a rule
	Failed   Outcome = "failed"
	Left     Outcome = "left"
)

// OutcomeRow is what became of a user.
type OutcomeRow struct {
	Line    int     `json:"line"`
	Sub     string  `json:"sub"`
	Outcome Outcome `json:"outcome"`
	Why     string  `json:"why,omitempty"` // of those who failed: what Cognito says, or NoOutcome
}

// NoOutcome is why users have failed of whom no job has said anything.
const NoOutcome = "no_outcome"

// Cursor is a place among the users of a reconciliation.
type Cursor struct {
	Bucket int    `json:"bucket"`
	Sub    string `json:"sub"` // whom the place is behind; empty for the beginning of the bucket
}

// File is the final word on what is in a file. It is written once.
type File struct {
	Version document.V1     `json:"version"`
	Run     string          `json:"run"`
	ID      string          `json:"id"`
	File    int             `json:"file"`
	Of      int             `json:"of"`      // the file whose lines it tries again; its own number for the first attempt
	Attempt int             `json:"attempt"` // from 1
	Rows    int             `json:"rows"`
	Bytes   int64           `json:"bytes"` // of the CSV
	CSV     *Object         `json:"csv,omitempty"`
	Lines   *Object         `json:"lines,omitempty"`
	Refused *Object         `json:"refused,omitempty"`
	Why     map[Refusal]int `json:"why"`            // users are refused
	Next    *Cursor         `json:"next,omitempty"` // where the next file begins; nil where there is none
}

func (f File) check() error {
	switch {
	case f.Run == "" || f.Why == nil:
		return errMember
	case f.File < 0 || f.Of < 0 || f.Of > f.File || f.Attempt < 1 || f.Attempt > attempts || (f.Attempt == 1) != (f.Of == f.File):
		return fmt.Errorf("file %d, of %d, attempt %d do not fit each other", f.File, f.Of, f.Attempt)
	case f.Rows < 0 || f.Bytes < 0 || (f.Rows > 0) != (f.CSV != nil) || (f.Rows > 0) != (f.Lines != nil):
		return errors.New("rows, bytes and objects do not fit each other")
	case f.CSV != nil && (f.CSV.Count != f.Rows || f.Lines.Count != f.Rows):
		return errors.New("its objects have another number of rows")
	case f.Next != nil && f.Next.Bucket < 0:
		return errors.New("the next file begins nowhere")
	}
	refused := 0
	for _, n := range f.Why {
		refused += n
	}
	if (refused > 0) != (f.Refused != nil) || f.Refused != nil && f.Refused.Count != refused {
		return errors.New("it has another number of refusals")
	}
	return checkID(f.ID)
}

// OfImport returns an error of kind fault.Invalid unless f is a file of an import.
func (f File) OfImport(run, id string, file int) error {
	if f.Run != run || f.ID != id || f.File != file {
		return fault.New(fault.Invalid, "file is %d of import %q of run %q, not %d of %q of %q", f.File, f.ID, f.Run, file, id, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (f File) Encode() ([]byte, error) { return document.Encode("file of an import", f, f.check) }

// DecodeFile reads the final word on a file.
func DecodeFile(data []byte) (f File, err error) {
	err = document.Decode("file of an import", data, &f, File.check)
	return f, err
}

// Results are the final word on what became of a file. They are written once.
type Results struct {
	Version  document.V1 `json:"version"`
	Run      string      `json:"run"`
	ID       string      `json:"id"`
	File     int         `json:"file"`
	Job      string      `json:"job"`
	JobState JobState    `json:"job_state"`
	Message  string      `json:"message,omitempty"` // of the job's end
	Imported int         `json:"imported"`
	Skipped  int         `json:"skipped"`
	Failed   int         `json:"failed"`
	Left     int         `json:"left"`
	Rows     Object      `json:"rows"`
}

// OfImport returns an error of kind fault.Invalid unless r are results of an
// import.
func (r Results) OfImport(run, id string, file int) error {
	if r.Run != run || r.ID != id || r.File != file {
		return fault.New(fault.Invalid, "results are of file %d of import %q of run %q, not of %d of %q of %q", r.File, r.ID, r.Run, file, id, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (r Results) Encode() ([]byte, error) { return document.Encode("results of a file", r, r.check) }

// DecodeResults reads the final word on what became of a file.
func DecodeResults(data []byte) (r Results, err error) {
	err = document.Decode("results of a file", data, &r, Results.check)
	return r, err
}

func (r Results) check() error {
	switch {
	case r.Run == "" || r.Job == "" || r.JobState == "":
		return errMember
	case r.File < 0 || min(r.Imported, r.Skipped, r.Failed, r.Left) < 0:
		return errors.New("a count is below 0")
	case r.Rows.Count != r.Imported+r.Skipped+r.Failed+r.Left:
		return errors.New("it has another number of rows")
	}
	return checkID(r.ID)
}

// State is how far an import is. It moves by compare-and-swap only.
type State struct {
	Version document.V1 `json:"version"`
	Run     string      `json:"run"`
	ID      string      `json:"id"`
	Opened  time.Time   `json:"opened"`
	Updated time.Time   `json:"updated"`
	Written bool        `json:"written"` // all files of first attempts are there
	Files   []FileState `json:"files"`   // in the order of their numbers
	Closed  time.Time   `json:"closed,omitzero"`
	// Failure is the error with which an execution has ended; empty since another
	// one has taken the import up.
	Failure string `json:"failure,omitempty"`
}

// FileState is how far a file is.
type FileState struct {
	File     int      `json:"file"`
	Of       int      `json:"of"`
	Attempt  int      `json:"attempt"`
	Rows     int      `json:"rows"`
	Refused  int      `json:"refused"`
	Try      int      `json:"try"`            // number of the job in its name; more than one where a job could not be used
	Worn     int      `json:"worn,omitempty"` // jobs that could not be used since somebody has taken the import up
	Job      *JobLook `json:"job,omitempty"`
	Done     bool     `json:"done"`
	Imported int      `json:"imported"`
	Skipped  int      `json:"skipped"`
	Failed   int      `json:"failed"`
	Left     int      `json:"left"` // into another file
}

// JobLook is what is known of a file's job.
type JobLook struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	State    JobState  `json:"state"` // when it was last looked at
	Uploaded bool      `json:"uploaded"`
	Ended    time.Time `json:"ended,omitzero"` // first seen
}

// current is the index of the first file that is not done, -1 where all are.
func (s State) current() int {
	return slices.IndexFunc(s.Files, func(f FileState) bool { return !f.Done })
}

// Loose returns the id of a job that has its file and is not known to have ended:
// whoever is in the file may be created yet. It is empty where there is none.
func (s State) Loose() (job string) {
	for _, f := range s.Files {
		if !f.Done && f.Job != nil && f.Job.Uploaded && f.Job.Ended.IsZero() {
			return f.Job.ID
		}
	}
	return ""
}

// Totals are what became of everybody.
type Totals struct {
	Rows     int `json:"rows"`    // in files, each user once
	Refused  int `json:"refused"` // in none
	Imported int `json:"imported"`
	Skipped  int `json:"skipped"`
	Failed   int `json:"failed"` // the refused are not among them
	Left     int `json:"left"`   // without an outcome yet
}

// Totals adds up.
func (s State) Totals() (sum Totals) {
	for _, f := range s.Files {
		if f.Attempt == 1 {
			sum.Rows += f.Rows
			sum.Refused += f.Refused
		}
		if !f.Done {
			sum.Left += f.Rows
		}
		sum.Imported += f.Imported
		sum.Skipped += f.Skipped
		sum.Failed += f.Failed
	}
	return sum
}

// Of returns an error of kind fault.Invalid unless s is the state of an import.
func (s State) Of(run, id string) error {
	if s.Run != run || s.ID != id {
		return fault.New(fault.Invalid, "state is of import %q of run %q, not of %q of %q", s.ID, s.Run, id, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (s State) Encode() ([]byte, error) { return document.Encode("state of an import", s, s.check) }

// DecodeState reads the state of an import.
func DecodeState(data []byte) (s State, err error) {
	err = document.Decode("state of an import", data, &s, State.check)
	return s, err
}

func (s State) check() error {
	if s.Run == "" || s.Files == nil {
		return errMember
	}
	for i, f := range s.Files {
		switch {
		case f.File != i || f.Of < 0 || f.Of > i || f.Attempt < 1 || f.Attempt > attempts || f.Try < 1:
			return fmt.Errorf("files[%d]: number, attempt or try are wrong", i)
		case min(f.Rows, f.Refused, f.Worn, f.Imported, f.Skipped, f.Failed, f.Left) < 0:
			return fmt.Errorf("files[%d]: a count is below 0", i)
		case f.Done && f.Imported+f.Skipped+f.Failed+f.Left != f.Rows:
			return fmt.Errorf("files[%d]: somebody has no outcome", i)
		case !f.Done && f.Imported+f.Skipped+f.Failed+f.Left != 0:
			return fmt.Errorf("files[%d]: it is not done and has outcomes", i)
		case f.Job != nil && (f.Job.ID == "" || f.Job.Name == ""):
			return fmt.Errorf("files[%d]: its job has no id", i)
		}
	}
	return errors.Join(checkID(s.ID), document.CheckTime("opened", s.Opened), document.CheckTime("updated", s.Updated), s.checkEnd())
}

func (s State) checkEnd() error {
	if s.Closed.IsZero() {
		return nil
	}
	if !s.Written || s.current() >= 0 {
		return errors.New("it is closed and not done")
	}
	return document.CheckTime("closed", s.Closed)
}
