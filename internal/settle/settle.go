// Package settle gives users who have arrived in the target pool what the
// migration trigger cannot carry: their groups, the disabled flag, SMS as second
// factor. It knows neither AWS nor Step Functions; a state machine calls Step
// after each reconciliation for as long as there is more.
//
// Vocabulary: a row is what a reconciliation found to settle about one user; the
// queue is the rows of the reconciliations that are not worked off, the oldest
// first; a step is one call's worth of it; a row that failed is kept and tried
// again with the next reconciliation, and given up after MaxAttempts; to hold the
// queue is to be the one step that works on it, for as long as the holder shows
// that it is alive.
//
// What is settled is read at the target first and changed only where it differs,
// so that a row that is worked on twice changes nothing the second time. The
// target's copy wins in what people set there themselves: nobody is enabled, no
// second factor is replaced, and a group that only the target has is never
// touched.
package settle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/pace"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/scan"
	"poolferry/internal/userpool"
)

// Directory is the target pool, one request a call. Errors are of kind
// fault.NotFound where there is no such user.
type Directory interface {
	// GroupsOf lists the names of groups that a user is in.
	GroupsOf(ctx context.Context, username string, cursor manifest.Cursor) (scan.Page[string], error)
	// AddToGroup puts a user into a group; that they are in it is no error. The error
	// wraps userpool.ErrNoGroup where there is no such group.
	AddToGroup(ctx context.Context, username, group string) error
	// RemoveFromGroup takes a user out of a group; that they are not in it, or that
	// there is no such group, is no error.
	RemoveFromGroup(ctx context.Context, username, group string) error
	// CreateGroup makes a group. The error is of kind fault.AlreadyExists where there
	// is one of that name.
	CreateGroup(ctx context.Context, g manifest.Group) error
	// Disable keeps a user from signing in; that they are disabled is no error.
	Disable(ctx context.Context, username string) error
	// Factors reads which second factors a user has.
	Factors(ctx context.Context, username string) (Factors, error)
	// PreferSMS has a user asked for a code by SMS.
	PreferSMS(ctx context.Context, username string) error
}

// Factors are a user's second factors.
type Factors struct {
	Set           []string // SMS_MFA, SOFTWARE_TOKEN_MFA, EMAIL_OTP
	PhoneVerified bool     // there is a number, and it is verified
}

// Store keeps the objects of one run; store.Run says what its methods do.
type Store interface {
	ReadSettle(ctx context.Context) (State, string, error)
	SwapSettle(ctx context.Context, next State, tag string) (string, error)
	WriteUnsettled(ctx context.Context, of Kept, data []byte, ref reconcile.RowsRef) (reconcile.RowsRef, error)
	DeleteUnsettled(ctx context.Context, ref reconcile.RowsRef) error

	ReadRows(ctx context.Context, ref reconcile.RowsRef) ([]byte, error)
	LoadProgress(ctx context.Context) (progress.History, string, error)
	ReadSummary(ctx context.Context, id string) (reconcile.Summary, error)
	ReadBasis(ctx context.Context, id string) (reconcile.Basis, error)
	ReadGroups(ctx context.Context, of manifest.Origin) (manifest.Groups, manifest.DocumentRef, error)
}

// Recorder takes what is to be known of steps and of each change.
type Recorder interface {
	RecordChange(ctx context.Context, c Change)
	RecordStep(ctx context.Context, s StepRecord)
}

// Action is what was changed.
type Action string

// The actions.
const (
	GroupCreated Action = "group_created"
	GroupAdded   Action = "group_added"   // a user, to a group
	GroupRemoved Action = "group_removed" // a user, from a group
	Disabled     Action = "disabled"
	SMSPreferred Action = "sms_preferred"
)

// Change is one change of the target pool.
type Change struct {
	At        time.Time
	Action    Action
	LegacySub userpool.Sub // empty where it is about a group alone
	Sub       userpool.Sub
	Group     string // empty where it is about none
}

// StepRecord is what one step did.
type StepRecord struct {
	At             time.Time
	Reconciliation string
	Totals         // of the step
	Failed         int
	Left           int
	Throttled      int // requests that were turned away because of their rate
	Took           time.Duration
}

// Pace is how many requests per second may be sent, by category of requests.
type Pace struct {
	UserRead           float64
	UserUpdate         float64
	UserResourceRead   float64
	UserResourceUpdate float64
}

// poolUpdates is how many groups are made per second: a third of what Cognito
// allows for one operation on one pool (Cognito Developer Guide, quotas).
const poolUpdates = 5.0 / 3

// Options are what a Settle needs. What is marked optional has a default.
type Options struct {
	Run      string
	Groups   userpool.GroupRules
	Disabled bool // whether users are disabled
	MFA      bool // whether SMS is made their second factor

	Pace      Pace
	Workers   int           // optional: DefaultWorkers rows at a time
	Time      time.Duration // optional: DefaultTime, after which a step begins nothing new
	HoldTime  time.Duration // optional: DefaultHoldTime
	Directory Directory     // not needed for Status
	Store     Store
	Recorder  Recorder // optional
	Now       func() time.Time
	Random    func() float64 // optional: rand.Float64
}

// Defaults of Options.
const (
	DefaultWorkers  = 8
	DefaultTime     = 8 * time.Minute
	DefaultHoldTime = time.Minute
)

// MaxAttempts is how often a row is tried.
const MaxAttempts = 5

// Settle is the settling of one run. It is safe for concurrent use.
type Settle struct {
	o       Options
	budgets budgets
}

type budgets struct{ userRead, userUpdate, resourceRead, resourceUpdate, poolUpdate *pace.Budget }

// New returns the settling of a run. No call is made.
func New(o Options) *Settle {
	if o.Workers == 0 {
		o.Workers = DefaultWorkers
	}
	if o.Time == 0 {
		o.Time = DefaultTime
	}
	if o.HoldTime == 0 {
		o.HoldTime = DefaultHoldTime
	}
	if o.Recorder == nil {
		o.Recorder = silent{}
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	budget := func(name string, perSecond float64) *pace.Budget { return pace.New(name, perSecond, o.Now, o.Random) }
	return &Settle{o: o, budgets: budgets{
		userRead: budget("user_read", o.Pace.UserRead), userUpdate: budget("user_update", o.Pace.UserUpdate),
		resourceRead: budget("user_resource_read", o.Pace.UserResourceRead), resourceUpdate: budget("user_resource_update", o.Pace.UserResourceUpdate),
		poolUpdate: budget("user_pool_resource_update", poolUpdates),
	}}
}

type silent struct{}

func (silent) RecordChange(context.Context, Change)   {}
func (silent) RecordStep(context.Context, StepRecord) {}

// StepInput says after which reconciliation to settle.
type StepInput struct {
	Run string `json:"run"`
	ID  string `json:"id"`
}

// StepOutput says what a step did.
type StepOutput struct {
	Run     string `json:"run"`
	ID      string `json:"id"`
	Held    bool   `json:"held"`    // another step is at work, and this one has done nothing
	More    bool   `json:"more"`    // there is more to do
	Settled int    `json:"settled"` // rows of which nothing is left to do
	Changed int    `json:"changed"` // users about whom anything was changed
	Failed  int    `json:"failed"`  // rows to be tried again with the next reconciliation, or given up
	Left    int    `json:"left"`    // rows in the queue
	// Open says that somebody is to be settled yet, by this reconciliation or by the
	// next: there is more, or rows are to be tried again, or another step is at work.
	Open bool   `json:"open"`
	Why  string `json:"why"` // it is held, or has stopped before its time; in words
}

// Step adds the rows of all reconciliations that are not in the queue yet, that of
// the input among them, and works the queue off for Options.Time. Killed anywhere
// and called again it goes on: what was changed is found changed, and counted
// once.
//
// A step that finds the queue held waits until its holder shows that it is alive,
// Options.HoldTime at most. It takes over from one that does not.
//
// The error is of kind fault.Denied where a role refuses, and fault.Unavailable
// where the pool does not answer; the queue stays as it is and nothing is lost.
func (s *Settle) Step(ctx context.Context, in StepInput) (StepOutput, error) {
	if in.Run != s.o.Run {
		return StepOutput{}, fault.New(fault.Invalid, "run %q is not the run %q of this configuration", in.Run, s.o.Run)
	}
	if err := document.CheckID(in.ID); err != nil {
		return StepOutput{}, fault.New(fault.Invalid, "settle run %s: %w", in.Run, err)
	}
	out, err := s.step(ctx, in)
	if err != nil {
		return StepOutput{}, fmt.Errorf("settle run %s after reconciliation %s: %w", in.Run, in.ID, err)
	}
	return out, nil
}

func (s *Settle) step(ctx context.Context, in StepInput) (StepOutput, error) {
	began := s.o.Now().UTC()
	w, err := s.take(ctx, in.ID)
	if err == nil {
		if err = w.enqueue(ctx); err == nil {
			err = w.work(ctx)
		}
		err = w.release(ctx, err)
	}
	out := StepOutput{Run: in.Run, ID: in.ID, Settled: w.step.Settled, Changed: w.step.Changed, Failed: w.failed, Left: w.state.Left()}
	out.More = out.Left > 0
	out.Open = out.More || w.state.Failed.Count > 0
	record := StepRecord{
		At: began, Reconciliation: in.ID, Totals: w.step, Failed: w.failed, Left: out.Left, Throttled: w.throttled, Took: s.o.Now().Sub(began),
	}
	var h heldError
	switch {
	case errors.As(err, &h):
		return StepOutput{Run: in.Run, ID: in.ID, Held: true, Left: out.Left, Open: true, Why: h.Error()}, nil
	case is(err, fault.Throttled):
		out.Why, err = "throttled", nil
	}
	s.o.Recorder.RecordStep(ctx, record)
	return out, err
}

func is(err error, kind fault.Kind) bool { return err != nil && fault.KindOf(err) == kind }

// Status is how the settling of a run stands.
type Status struct {
	Updated time.Time `json:"updated"`
	Through string    `json:"through"`  // the last reconciliation whose rows were added
	Settled int       `json:"settled"`  // rows of which nothing is left to do
	Failed  int       `json:"failed"`   // rows that are tried again with the next reconciliation
	GivenUp int       `json:"given_up"` // rows that failed MaxAttempts times
	Left    int       `json:"left"`     // rows in the queue
	Totals  Totals    `json:"totals"`
	Holder  *Holder   `json:"holder,omitempty"`
}

// Status returns how the settling of the run stands. The error is of kind
// fault.NotFound where nothing was ever settled.
func (s *Settle) Status(ctx context.Context) (Status, error) {
	state, _, err := s.o.Store.ReadSettle(ctx)
	if err != nil {
		return Status{}, err
	}
	return Status{
		Updated: state.Updated, Through: state.Through.ID, Settled: state.Totals.Settled, Failed: state.Failed.Count, GivenUp: state.GivenUp.Count,
		Left: state.Left(), Totals: state.Totals, Holder: state.Holder,
	}, nil
}
