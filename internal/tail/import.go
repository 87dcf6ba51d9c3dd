package tail

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// ImportInput says which import to advance.
type ImportInput struct {
	Run string `json:"run"`
	ID  string `json:"id"`
}

// ImportOutput says how far the import is. It has all members always.
type ImportOutput struct {
	Run   string `json:"run"`
	ID    string `json:"id"`
	More  bool   `json:"more"`
	Wait  int    `json:"wait"`  // seconds until the next step makes sense
	File  int    `json:"file"`  // that is at work; the last where all are done
	State string `json:"state"` // one of Step…
}

// Words of ImportOutput.State.
const (
	StepCreated = "created" // a job has its file and waits to be started
	StepBusy    = "busy"    // another job of the account is active, or the job cannot be started yet
	StepRunning = "running" // the job is active
	StepLog     = "log"     // the job has ended, and its log is not complete yet
	StepAgain   = "again"   // the job could not be used: another takes its place
	StepDone    = "done"    // the outcomes of the file are known
	StepOver    = "over"    // those of all files are
)

// Waits between steps. A job is looked at the more often the sooner it may end;
// AWS says nothing of how fast jobs are.
const (
	busyWait    = 30 // seconds
	logWait     = 10
	leastWait   = 2
	longestWait = 300
	rowsPerWait = 1000 // of which one second passes
)

func waitFor(rows int) int { return min(max(rows/rowsPerWait, leastWait), longestWait) }

// tries is how many jobs a file may wear out that could not be given it, before
// somebody has to see to it.
const tries = 5

// Import takes the import one step further: it creates a job, gives it its file
// and starts it, looks at the one that is active, or writes down the outcomes of
// the one that has ended. A job is known in the bucket before it is started, and
// one of the file's name that is there already is taken: a step that is killed
// leaves no job behind that does anything. URLs to which files are put are in no
// state: the next step asks for it again.
func (t *Tail) Import(ctx context.Context, in ImportInput) (ImportOutput, error) {
	if err := t.ofRun("advance", in.Run, in.ID); err != nil {
		return ImportOutput{}, err
	}
	out, err := t.advance(ctx, in.ID)
	out.Run, out.ID = in.Run, in.ID
	return out, t.about("advance", in.ID, err)
}

func (t *Tail) advance(ctx context.Context, id string) (ImportOutput, error) {
	p, s, err := t.load(ctx, id)
	if err != nil {
		return ImportOutput{}, err
	}
	if !s.Written {
		return ImportOutput{}, fault.New(fault.Invalid, "its files are not all written")
	}
	n := s.current()
	if n < 0 {
		return ImportOutput{File: max(0, len(s.Files)-1), State: StepOver}, nil
	}
	f := s.Files[n]
	state, wait, err := t.step(ctx, p, f)
	if err != nil {
		return ImportOutput{}, fmt.Errorf("file %d: %w", n, err)
	}
	return ImportOutput{More: true, Wait: wait, File: n, State: state}, nil
}

// step takes a file one step further, and says how far that is.
func (t *Tail) step(ctx context.Context, p Plan, f FileState) (state string, wait int, err error) {
	if f.Rows == 0 {
		_, err = t.update(ctx, p.ID, f, func(_ *State, f *FileState) { f.Done = true })
		return StepDone, 0, err
	}
	var job Job
	if f.Job == nil {
		var busy bool
		if job, busy, err = t.create(ctx, p, f); err != nil {
			return "", 0, err
		}
		if busy {
			return StepBusy, busyWait, nil
		}
		look := &JobLook{ID: job.ID, Name: job.Name, State: job.State}
		done, err := t.update(ctx, p.ID, f, func(_ *State, f *FileState) { f.Job = look })
		if err != nil || !done {
			return StepCreated, 0, err // another step was first, and has a job
		}
		f.Job = look
	} else {
		job, err = t.o.Pool.Job(ctx, f.Job.ID)
		if is(err, fault.NotFound) {
			return t.again(ctx, p, f)
		}
		if err != nil {
			return "", 0, err
		}
	}
	switch {
	case job.State == JobCreated:
		return t.start(ctx, p, f, job)
	case job.State.ended():
		return t.end(ctx, p, f, job)
	}
	if f.Job.State != job.State {
		look := *f.Job
		look.State = job.State
		_, err = t.update(ctx, p.ID, f, func(_ *State, f *FileState) { f.Job = &look })
	}
	return StepRunning, waitFor(f.Rows), err
}

// create makes the job of a file, or finds it. busy is true where another job of
// the pool is active: those of other pools of the account, which count as well,
// show only when the job is to be started.
func (t *Tail) create(ctx context.Context, p Plan, f FileState) (job Job, busy bool, err error) {
	name := jobName(p, f)
	found := false
	for j, err := range t.o.Pool.Jobs(ctx) {
		switch {
		case err != nil:
			return job, false, err
		case j.Name == name && (!found || job.State == JobCreated && j.State != JobCreated):
			job, found = j, true // one that was started counts more than one that was not
		case j.Name != name && j.State.active():
			busy = true
		}
	}
	if found {
		return job, false, nil
	}
	if busy {
		return job, true, nil
	}
	if err := t.sameHeader(ctx, p); err != nil {
		return job, false, err
	}
	job, err = t.o.Pool.CreateJob(ctx, name, t.o.LogRoleARN)
	return job, false, err
}

// jobName is the same for every step that is about the file, and has at most 128
// characters.
func jobName(p Plan, f FileState) string {
	return fmt.Sprintf("poolferry-%s-%s-%05d-%d", p.Run, p.ID, f.File, f.Try)
}

// sameHeader refuses to go on where the pool has other attributes than when the
// files were written: Cognito would refuse them all.
func (t *Tail) sameHeader(ctx context.Context, p Plan) error {
	header, err := t.o.Pool.Header(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(slices.Sorted(slices.Values(header)), slices.Sorted(slices.Values(p.Target.Header))) {
		return fault.New(fault.Invalid, "pool %s has other attributes than when the import was planned: plan another for who is left", p.Target.Pool.ID)
	}
	return nil
}

// start gives a job its file, and starts it.
func (t *Tail) start(ctx context.Context, p Plan, f FileState, job Job) (string, int, error) {
	if !f.Job.Uploaded {
		if job.URL.Empty() {
			return t.again(ctx, p, f)
		}
		err := t.upload(ctx, p, f, job.URL)
		if is(err, fault.Denied) { // the quarter of an hour is over
			return t.again(ctx, p, f)
		}
		if err != nil {
			return "", 0, err
		}
		look := *f.Job
		look.Uploaded = true
		done, err := t.update(ctx, p.ID, f, func(_ *State, f *FileState) { f.Job = &look })
		if err != nil || !done {
			return StepCreated, 0, err
		}
	}
	_, err := t.o.Pool.StartJob(ctx, f.Job.ID)
	if is(err, fault.Conflict) {
		return StepBusy, busyWait, nil // or started by another step: the next look tells
	}
	if err != nil {
		return "", 0, err
	}
	return StepRunning, waitFor(f.Rows), nil
}

func (t *Tail) upload(ctx context.Context, p Plan, f FileState, url userpool.Secret) error {
	file, err := t.o.Store.ReadTailFile(ctx, p.ID, f.File)
	if err != nil {
		return err
	}
	data, err := t.o.Store.ReadTailObject(ctx, *file.CSV)
	if err != nil {
		return err
	}
	content, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return fault.New(fault.Invalid, "%s is not gzip: foreign", file.CSV.Key)
	}
	return t.o.Pool.Upload(ctx, url, file.Bytes, content)
}

// again gives a job up that was never started, for another one.
func (t *Tail) again(ctx context.Context, p Plan, f FileState) (string, int, error) {
	if f.Worn >= tries-1 {
		return "", 0, fault.New(fault.Unavailable, "%d jobs in a row could not be given the file: where the function is in a VPC, its way to S3 must be open to Cognito's bucket", tries)
	}
	_, err := t.update(ctx, p.ID, f, func(_ *State, f *FileState) { f.Job, f.Try, f.Worn = nil, f.Try+1, f.Worn+1 })
	return StepAgain, 0, err
}

// logPatience is how long after its end the log of a job may come.
const logPatience = 10 * time.Minute

// end writes down the outcomes of a job that has ended.
func (t *Tail) end(ctx context.Context, p Plan, f FileState, job Job) (string, int, error) {
	if f.Job.Ended.IsZero() || f.Job.State != job.State {
		look := *f.Job
		look.State, look.Ended = job.State, t.o.Now().UTC()
		done, err := t.update(ctx, p.ID, f, func(_ *State, f *FileState) { f.Job = &look })
		if err != nil || !done {
			return StepLog, 0, err
		}
		f.Job = &look
	}
	r, err := t.o.Store.ReadTailResults(ctx, p.ID, f.File)
	if is(err, fault.NotFound) {
		var late bool
		if r, late, err = t.results(ctx, p, f, job); err != nil {
			return "", 0, err
		}
		if late {
			return StepLog, logWait, nil
		}
		r, err = t.o.Store.WriteTailResults(ctx, r)
	}
	if err != nil {
		return "", 0, err
	}
	return t.settle(ctx, p, f, r)
}

// settle goes by the outcomes that stand: who was imported is recorded, and who
// has no outcome comes into another file.
func (t *Tail) settle(ctx context.Context, p Plan, f FileState, r Results) (string, int, error) {
	rows, err := t.outcomes(ctx, r)
	if err != nil {
		return "", 0, err
	}
	if err := t.o.Reconciliations.RecordImport(ctx, fmt.Sprintf("%s-%05d", p.ID, f.File), imported(f, rows)); err != nil {
		return "", 0, err
	}
	var retry *File
	if r.Left > 0 {
		next, err := t.retry(ctx, p, f, rows)
		if err != nil {
			return "", 0, err
		}
		retry = &next
	}
	left := 0
	done, err := t.update(ctx, p.ID, f, func(s *State, f *FileState) {
		f.Done, f.Imported, f.Skipped, f.Failed, f.Left = true, r.Imported, r.Skipped, r.Failed, r.Left
		if retry != nil {
			s.add(*retry)
		}
		left = s.Totals().Left
	})
	if err != nil {
		return "", 0, err
	}
	if done {
		t.o.Recorder.RecordFile(ctx, FileRecord{At: t.o.Now(), File: f.File, Imported: r.Imported, Skipped: r.Skipped, Failed: r.Failed, Left: left})
	}
	return StepDone, 0, nil
}

// imported are those whom the import has created, as far as anybody can know.
// Who is there already at a second attempt was as a rule created by the first,
// whose log does not say so.
func imported(f FileState, rows []OutcomeRow) []userpool.Sub {
	subs := []userpool.Sub{}
	for _, row := range rows {
		if row.Sub != string(userpool.Forgotten) && (row.Outcome == Imported || row.Outcome == Skipped && f.Attempt > 1) {
			subs = append(subs, userpool.Sub(row.Sub))
		}
	}
	return subs
}
