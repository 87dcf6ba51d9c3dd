package hook

import (
	"context"
	"errors"
	"sync"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/trigger/envelope"
	"poolferry/internal/userpool"
)

// WelcomeBudget is how long a sign-in may have to wait for its groups.
const WelcomeBudget = 2 * time.Second

// Staged is what was staged of those who had not arrived; lookup.Lookup is.
type Staged interface {
	// Pending returns the row of somebody who had not arrived. The error is of kind
	// fault.NotFound where nothing is reconciled yet.
	Pending(ctx context.Context, sub userpool.Sub) (row reconcile.PendingRow, known bool, err error)
	// Groups returns the groups of the source; fault.NotFound where none were staged.
	Groups(ctx context.Context) (manifest.Groups, error)
}

// Directory is the target pool, one request a call.
type Directory interface {
	// AddToGroup puts a user into a group; that they are in it is no error. The error
	// wraps userpool.ErrNoGroup where there is no such group.
	AddToGroup(ctx context.Context, username, group string) error
	// CreateGroup makes a group. The error is of kind fault.AlreadyExists where there
	// is one of that name.
	CreateGroup(ctx context.Context, g manifest.Group) error
}

// WelcomeOptions configure a Welcomer.
type WelcomeOptions struct {
	PoolID    string // of the target pool
	Rules     userpool.GroupRules
	Staged    Staged
	Directory Directory
	Recorder  Recorder
	Now       func() time.Time
}

// Welcomer puts users who have just moved into their groups. The migration
// trigger cannot: while it runs there is no user. It is safe for concurrent use.
type Welcomer struct {
	o WelcomeOptions

	mu     sync.Mutex
	done   map[userpool.Sub]bool
	resume time.Time // until then nobody is welcomed
}

const (
	// pause is how long nobody is looked up after a look-up that failed: a bucket
	// that does not answer is to cost one sign-in its time, not all of them.
	pause = 15 * time.Second
	// breath is how long nobody is welcomed after a request was turned away because
	// of its rate, which settling and the pool's administrators share.
	breath = time.Second
)

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
	defer func() {
		// A function that dies fails the sign-in. What it died of may hold anything.
		if recover() != nil {
			w.rest(pause)
			record.Outcome, record.Code, record.Took = WelcomeFailed, string(fault.Internal), w.o.Now().Sub(start)
			w.o.Recorder.RecordWelcome(ctx, record)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, WelcomeBudget)
	defer cancel()
	row, known, err := w.o.Staged.Pending(ctx, record.LegacySub)
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound: // nothing is reconciled yet
		return
	case err != nil:
		w.rest(pause)
	case !known:
		return
	default:
		groups := w.o.Rules.Apply(row.Groups)
		if len(groups) == 0 {
			return
		}
		if err = w.add(ctx, event.UserName, groups, &record); err != nil && fault.KindOf(err) == fault.Throttled {
			w.rest(breath)
		}
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

// add puts a user into groups, and goes on after an error unless it says that the
// pool is busy. It returns the first.
func (w *Welcomer) add(ctx context.Context, username string, groups []string, record *Welcome) (first error) {
	for i, group := range groups {
		err := w.o.Directory.AddToGroup(ctx, username, group)
		if errors.Is(err, userpool.ErrNoGroup) {
			if err = w.create(ctx, group); err == nil {
				err = w.o.Directory.AddToGroup(ctx, username, group)
			}
		}
		if err == nil {
			record.Groups = append(record.Groups, group)
			continue
		}
		record.Missed = append(record.Missed, group)
		if first == nil {
			first = err
		}
		if fault.KindOf(err) == fault.Throttled {
			record.Missed = append(record.Missed, groups[i+1:]...)
			return first
		}
	}
	return first
}

// create makes a group as settling does. Another sign-in may have done so
// meanwhile.
func (w *Welcomer) create(ctx context.Context, name string) error {
	source, err := w.o.Staged.Groups(ctx)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	err = w.o.Directory.CreateGroup(ctx, source.TargetGroup(name, w.o.Rules))
	if err != nil && fault.KindOf(err) == fault.AlreadyExists {
		return nil
	}
	return err
}

// wants reports whether there is anything left to find out about a user.
func (w *Welcomer) wants(sub userpool.Sub, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.done[sub] && !now.Before(w.resume)
}

func (w *Welcomer) rest(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resume = w.o.Now().Add(d)
}

func (w *Welcomer) setDone(sub userpool.Sub) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.done) >= mostDone {
		clear(w.done)
	}
	w.done[sub] = true
}
