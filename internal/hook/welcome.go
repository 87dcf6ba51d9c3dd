package hook

import (
	"context"
	"sync"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/trigger/envelope"
	"poolferry/internal/userpool"
)

// WelcomeBudget is how long a sign-in may have to wait for its groups.
const WelcomeBudget = 2 * time.Second

// Pending finds the rows of those who had not arrived; lookup.Lookup does.
type Pending interface {
	Pending(ctx context.Context, sub userpool.Sub) (row reconcile.PendingRow, known bool, err error)
}

// Groups are the groups of the target pool. Errors have a kind of package fault.
type Groups interface {
	// Add puts a user into a group (AdminAddUserToGroup). It is no error where the
	// user is there; it is of kind fault.NotFound where there is no such group, or
	// no such user.
	Add(ctx context.Context, username, group string) error
	// Create makes a group as the source has it (CreateGroup). It is no error where
	// there is one.
	Create(ctx context.Context, group string) error
}

// WelcomeOptions configure a Welcomer.
type WelcomeOptions struct {
	PoolID   string // of the target pool
	Rules    userpool.GroupRules
	Pending  Pending
	Groups   Groups
	Recorder Recorder
	Now      func() time.Time
}

// Welcomer puts users who have just moved into their groups. The migration
// trigger cannot: while it runs there is no user. It is safe for concurrent use.
type Welcomer struct {
	o WelcomeOptions

	mu     sync.Mutex
	done   map[userpool.Sub]bool
	resume time.Time // until then nobody is looked up
}

// pause is how long nobody is looked up after a look-up that failed: a bucket
// that does not answer is to cost one sign-in its time, not all of them.
const pause = 15 * time.Second

// mostDone bounds how many users are remembered to be done, with some hundred
// bytes each. Beyond it a user may be put into the groups once more.
const mostDone = 100_000

// NewWelcomer returns a Welcomer.
func NewWelcomer(o WelcomeOptions) *Welcomer {
	return &Welcomer{o: o, done: map[userpool.Sub]bool{}}
}

// welcomeEvent is a PostAuthentication event, as far as there is need to know it
// (Cognito Developer Guide, post authentication Lambda trigger).
type welcomeEvent struct {
	envelope.Header
	Request struct {
		UserAttributes attributes `json:"userAttributes"`
	} `json:"request"`
}

// Handle takes a PostAuthentication event, and returns it as it was received. It
// never returns an error: what is missed here is done by settling, later.
func (w *Welcomer) Handle(ctx context.Context, payload []byte) ([]byte, error) {
	if w.o.Rules.Mode == userpool.GroupsNone {
		return payload, nil
	}
	var event welcomeEvent
	if envelope.Read("sign-in", payload, &event) == nil && event.UserPoolID == w.o.PoolID {
		w.welcome(ctx, event)
	}
	return payload, nil
}

func (w *Welcomer) welcome(ctx context.Context, event welcomeEvent) {
	start := w.o.Now()
	a := event.Request.UserAttributes
	record := Welcome{At: start, LegacySub: userpool.Sub(a[userpool.AttrLegacySub]), Sub: userpool.Sub(a[userpool.AttrSub])}
	if record.LegacySub == "" || event.UserName == "" || !w.wants(record.LegacySub, start) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, WelcomeBudget)
	defer cancel()
	row, known, err := w.o.Pending.Pending(ctx, record.LegacySub)
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound: // nothing is reconciled yet
		return
	case err != nil:
		w.rest()
	case !known:
		return
	default:
		groups := w.o.Rules.Apply(row.Groups)
		if len(groups) == 0 {
			return
		}
		err = w.add(ctx, event.UserName, groups, &record)
	}
	record.Outcome = Welcomed
	if err != nil {
		record.Outcome, record.Code = WelcomeFailed, string(fault.KindOf(err))
	} else {
		w.setDone(record.LegacySub)
	}
	record.Took = w.o.Now().Sub(start)
	w.o.Recorder.RecordWelcome(ctx, record)
}

// add puts a user into groups, and makes those that are not there. It goes on
// after an error and returns the first.
func (w *Welcomer) add(ctx context.Context, username string, groups []string, record *Welcome) (first error) {
	for _, group := range groups {
		err := w.o.Groups.Add(ctx, username, group)
		if err != nil && fault.KindOf(err) == fault.NotFound {
			if err = w.o.Groups.Create(ctx, group); err == nil {
				err = w.o.Groups.Add(ctx, username, group)
			}
		}
		if err != nil {
			record.Missed = append(record.Missed, group)
			if first == nil {
				first = err
			}
			continue
		}
		record.Groups = append(record.Groups, group)
	}
	return first
}

// wants reports whether there is anything left to find out about a user.
func (w *Welcomer) wants(sub userpool.Sub, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.done[sub] && !now.Before(w.resume)
}

func (w *Welcomer) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resume = w.o.Now().Add(pause)
}

func (w *Welcomer) setDone(sub userpool.Sub) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.done) >= mostDone {
		clear(w.done)
	}
	w.done[sub] = true
}
