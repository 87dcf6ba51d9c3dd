// Package cutover ends a migration, and takes that back: it detaches the
// migration's triggers from the target pool, switches the app clients from
// passwords to SRP, proves that people can sign in, and keeps what everything was
// like before. It knows no AWS.
//
// Vocabulary: a subject is the pool, its second factors, or one app client;
// settings are all that the API lets one set of a subject, under the API's names;
// a snapshot is the settings of all subjects before a cut-over, written once; the
// journal says how far the cut-over, or roll-back, of a run is, and moves by
// compare-and-swap; a gate is something that must hold before, with the evidence;
// the probe is a user of the target pool made for signing in by SRP afterwards;
// what is foreign was changed by somebody else since.
//
// AWS resets every setting that an update leaves out, and has no update that
// happens only if nothing else has changed. So all settings are read, compared
// with what they should be, written whole and read again, and what somebody else
// has changed is never written over.
package cutover

import (
	"context"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/seeding"
	"poolferry/internal/userpool"
)

// Client is an app client with its settings. Its secret is not among them.
type Client struct {
	ID       string
	Name     string
	Settings Settings
}

// Pool reads and writes the settings of the target pool. What is written
// replaces everything: a field that is not set is reset. Errors have kinds of
// package fault, NotFound for a client that is not there.
type Pool interface {
	ReadPool(ctx context.Context) (Settings, error)
	WritePool(ctx context.Context, s Settings) error
	ReadFactors(ctx context.Context) (Settings, error) // second factors
	WriteFactors(ctx context.Context, s Settings) error
	ReadClients(ctx context.Context) ([]Client, error)
	ReadClient(ctx context.Context, id string) (Settings, error)
	WriteClient(ctx context.Context, id string, s Settings) error
}

// Prober signs in as people do.
type Prober interface {
	// SignInSRP signs in by USER_SRP_AUTH. A challenge that comes once the password
	// is proven, such as that of a second factor, is returned: it proves the same.
	SignInSRP(ctx context.Context, clientID, name string, password userpool.Secret) (challenge string, err error)
	// SignInPassword is SignInSRP for USER_PASSWORD_AUTH.
	SignInPassword(ctx context.Context, clientID, name string, password userpool.Secret) (challenge string, err error)
	// TakesPasswords tries USER_PASSWORD_AUTH with a name that nobody has, and
	// reports whether the client has the flow.
	TakesPasswords(ctx context.Context, clientID string) (bool, error)
}

// Store keeps the objects of one run; store.Run says what its methods do.
type Store interface {
	WriteCutoverSnapshot(ctx context.Context, s Snapshot) (Snapshot, error)
	ReadCutoverSnapshot(ctx context.Context, id string) (Snapshot, error)
	ReadCutoverJournal(ctx context.Context) (Journal, string, error)
	SwapCutoverJournal(ctx context.Context, next Journal, tag string) (string, error)
}

// Reconciled tells of the run's reconciliations.
type Reconciled interface {
	Status(ctx context.Context) (reconcile.Standing, error)
}

// Seeded tells of the run's seeding.
type Seeded interface {
	Status(ctx context.Context, generation int) (seeding.Status, error)
}

// Worker tells of work on users beside: settling, or the import of the tail.
type Worker interface {
	Activity(ctx context.Context) (Activity, error)
}

// Activity is what a Worker is doing.
type Activity struct {
	Active bool
	Left   int    // users who wait for it
	What   string // such as the id of an import
}

// Metrics adds up the metrics of the run.
type Metrics interface {
	Sums(ctx context.Context, since, until time.Time, names ...string) (map[string]float64, error)
}

// The metrics of the migration trigger that tell its error rate.
const (
	MetricDecisions = "Decisions"
	MetricFailures  = "Failures"
)

// Probe says who signs in to prove that people can.
type Probe struct {
	Username string
	Password userpool.Secret
	ClientID string
}

// Options are what a Cutover needs. What is marked optional has a default.
type Options struct {
	Run       string
	PoolID    string
	Ours      Ours
	ManagedBy string // terraform where nobody else may change the pool; empty asks the pool's tags
	Probe     *Probe // nil: there is none

	Pool       Pool
	Prober     Prober
	Store      Store
	Reconciled Reconciled
	Seeded     Seeded
	Settle     Worker // optional: nothing is settled
	Tail       Worker // optional: nothing is imported
	Metrics    Metrics

	StaleAfter time.Duration // optional: DefaultStaleAfter
	Patience   time.Duration // optional: DefaultPatience
	Now        func() time.Time
	Sleep      func(ctx context.Context, d time.Duration) error // optional: of package time
	NewID      func() string                                    // of a cut-over
	Say        func(format string, args ...any)                 // optional: what is being done
}

// Defaults of Options.
const (
	DefaultStaleAfter = 24 * time.Hour   // of the last reconciliation
	DefaultPatience   = 60 * time.Second // until a change is seen everywhere
)

// pause is how long to wait before looking again.
const pause = 2 * time.Second

// Cutover is the cut-over of one run.
type Cutover struct {
	o Options
}

// New returns the cut-over of a run. No call is made.
func New(o Options) *Cutover {
	if o.StaleAfter == 0 {
		o.StaleAfter = DefaultStaleAfter
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	return &Cutover{o: o}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Journal returns how far the run's cut-over is; nil where there was never one.
func (c *Cutover) Journal(ctx context.Context) (*Journal, error) {
	j, _, err := c.o.Store.ReadCutoverJournal(ctx)
	if is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &j, nil
}

func is(err error, kind fault.Kind) bool { return err != nil && fault.KindOf(err) == kind }
