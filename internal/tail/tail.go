// Package tail imports those who never sign in: it plans who is to be imported
// and who is not waited for, writes the files of Cognito's CSV import jobs, runs
// one job after the other, and finds out what became of everybody. It knows
// neither AWS nor Step Functions; a state machine calls Open, then Write and
// Import as often as they want, then Close.
//
// Vocabulary: a choice is what people decide about a reason for which users are
// pending: wait, import or exclude; a plan is the choices, what they come to, and
// all that files are written by, fixed when the import is begun; a refusal is why
// a user can be in no file; a file is one CSV of at most as many users as a job
// takes, and beside it which line is whose; a job is Cognito's, and has a name
// that is that of its file; an outcome is what the job says of a line: imported,
// skipped, for there is such a user, or failed. Lines that have none go into
// another file, an attempt of their own, of which there are at most three.
//
// One import of a run works at a time, on a lease of its own. What a step leaves
// is written once, or moved by compare-and-swap, so that a step that is killed,
// repeated or run twice at once changes nothing: a file has one commit, a job is
// known before it is started, and outcomes are written down once, before anybody
// goes by them. Cognito itself creates nobody twice: who is there is skipped.
//
// Nothing that is returned, recorded or sent as a metric holds personal data, but
// for subs. Files do.
package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// Users are those of one reconciliation who are not in the target pool.
type Users interface {
	// Buckets returns how many buckets there are.
	Buckets(ctx context.Context) (int, error)
	// Users yields those of a bucket, with what was staged of them, by sub.
	Users(ctx context.Context, bucket int) iter.Seq2[reconcile.PendingUser, error]
}

// Reconciliations are those of the run.
type Reconciliations interface {
	// Summary returns the final word on a reconciliation; an empty id is the last
	// that was whole.
	Summary(ctx context.Context, id string) (reconcile.Summary, error)
	Decisions(ctx context.Context) (reconcile.Decisions, error)
	Exclude(ctx context.Context, reasons []verdict.Reason) (reconcile.Decisions, error)
	RecordImport(ctx context.Context, id string, subs []userpool.Sub) error
}

// Settings are what imports go by of the target pool, beside what a
// reconciliation knows of it.
type Settings struct {
	Name         string // as the group of its log has it
	AutoVerified []string
	Header       []string // columns of a file
	// Recovery is where codes are sent for a new password, the preferred first:
	// email, phone_number. Empty where only administrators can help.
	Recovery []string
	// DefaultEmail says that Cognito sends e-mail itself, fifty a day.
	DefaultEmail bool
}

// Pool is the target pool, as a place to import to. Its errors have kinds:
// fault.Conflict where a job cannot be started now, fault.NotFound where there is
// no such job, fault.Denied where a URL is not good any more.
type Pool interface {
	Settings(ctx context.Context) (Settings, error)
	// Header returns the columns of a file, as they are now.
	Header(ctx context.Context) ([]string, error)
	// Jobs yields the jobs of the pool, the last first.
	Jobs(ctx context.Context) iter.Seq2[Job, error]
	CreateJob(ctx context.Context, name, roleARN string) (Job, error)
	Job(ctx context.Context, id string) (Job, error)
	// Upload puts a file of so many bytes where a job reads it.
	Upload(ctx context.Context, url userpool.Secret, size int64, file io.Reader) error
	StartJob(ctx context.Context, id string) (Job, error)
	// Log yields the lines of a job's log; none where there is no log.
	Log(ctx context.Context, pool string, job Job) iter.Seq2[string, error]
}

// JobState is the status of a job.
type JobState string

// The statuses (Cognito API reference, UserImportJobType).
const (
	JobCreated    JobState = "Created"
	JobPending    JobState = "Pending"
	JobInProgress JobState = "InProgress"
	JobStopping   JobState = "Stopping"
	JobStopped    JobState = "Stopped"
	JobSucceeded  JobState = "Succeeded"
	JobFailed     JobState = "Failed"
	JobExpired    JobState = "Expired"
)

// active reports whether a job keeps others from starting.
func (s JobState) active() bool { return s == JobPending || s == JobInProgress || s == JobStopping }

// ended reports whether nothing more will happen. A status that nobody knows yet
// has not.
func (s JobState) ended() bool {
	return s == JobStopped || s == JobSucceeded || s == JobFailed || s == JobExpired
}

// Job is an import job of Cognito's.
type Job struct {
	ID, Name string
	State    JobState
	URL      userpool.Secret // where its file is put; good for a quarter of an hour
	Message  string          // of its end
	Imported int
	Skipped  int
	Failed   int
}

// Recorder takes what is to be known of an import.
type Recorder interface {
	// RecordFile takes a file whose outcomes are known, as a rule once.
	RecordFile(ctx context.Context, f FileRecord)
}

// FileRecord is what became of a file.
type FileRecord struct {
	At       time.Time
	File     int
	Imported int
	Skipped  int
	Failed   int
	Left     int // users of the whole import without an outcome yet
}

// Limits bound a file (Cognito Developer Guide, importing users from a CSV file).
type Limits struct {
	Rows       int   `json:"rows"`
	Bytes      int64 `json:"bytes"`
	Characters int   `json:"characters"` // of a row
}

// DefaultLimits are those of Cognito, but for the size: its hundred megabytes may
// be counted either way.
func DefaultLimits() Limits { return Limits{Rows: 500_000, Bytes: 90_000_000, Characters: 16_000} }

// Options are what a Tail needs. What is marked optional has a default.
type Options struct {
	Run        string
	LogRoleARN string // with which Cognito writes the log of jobs; plans need none

	MaxAge    time.Duration // optional: DefaultMaxAge; of the reconciliation that a plan goes by
	WriteTime time.Duration // optional: DefaultWriteTime; of one call of Write
	LeaseTime time.Duration // optional: DefaultLeaseTime
	Limits    Limits        // optional: DefaultLimits

	// Users returns those of a reconciliation.
	Users           func(reconciliation string) Users
	Reconciliations Reconciliations
	Pool            Pool
	Store           Store
	Recorder        Recorder // optional
	Now             func() time.Time
}

// Defaults of Options.
const (
	DefaultMaxAge    = 24 * time.Hour
	DefaultWriteTime = 5 * time.Minute
	DefaultLeaseTime = 20 * time.Minute // longer than any Lambda of a step
)

// Tail are the imports of one run. It is safe for concurrent use.
type Tail struct {
	o Options
}

// New returns the imports of a run. No call is made.
func New(o Options) *Tail {
	if o.MaxAge == 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.WriteTime == 0 {
		o.WriteTime = DefaultWriteTime
	}
	if o.LeaseTime == 0 {
		o.LeaseTime = DefaultLeaseTime
	}
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits()
	}
	if o.Recorder == nil {
		o.Recorder = silent{}
	}
	return &Tail{o: o}
}

type silent struct{}

func (silent) RecordFile(context.Context, FileRecord) {}

// ofRun refuses what is meant for another run, or has no id.
func (t *Tail) ofRun(verb, run, id string) error {
	if run != t.o.Run {
		return fault.New(fault.Invalid, "%s import of run %q: this configuration is of run %q", verb, run, t.o.Run)
	}
	if err := checkID(id); err != nil {
		return fault.New(fault.Invalid, "%s import of run %s: %w", verb, run, err)
	}
	return nil
}

// about says which import an error is about.
func (t *Tail) about(verb, id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s import %s of run %s: %w", verb, id, t.o.Run, err)
}

// idShape leaves room for the run and a number in the name of a job, which may
// have 128 characters.
var idShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

func checkID(id string) error {
	if !idShape.MatchString(id) {
		return fmt.Errorf("id %q: want 1 to 40 letters, digits, hyphens and underscores", id)
	}
	return nil
}

func is(err error, kind fault.Kind) bool { return err != nil && fault.KindOf(err) == kind }

var errMember = errors.New("a member is missing")
