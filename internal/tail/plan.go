package tail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
)

// What people choose for a reason.
const (
	Wait   = "wait"   // the default: who comes moves by signing in, for as long as the trigger is there
	Import = "import" // into the target pool, with a password to be chosen
	Leave  = "exclude"
)

// Choice is what people have decided, by reason. What is in no list waits; what
// was excluded before stays excluded unless it is imported or in Wait.
type Choice struct {
	Import  []verdict.Reason `json:"import"`
	Exclude []verdict.Reason `json:"exclude"`
	Wait    []verdict.Reason `json:"wait"`
}

// Importable lists the reasons that can be imported: all but federated users, who
// have no password that they could forget.
func Importable() []verdict.Reason {
	return slices.DeleteFunc(verdict.PendingReasons(), func(r verdict.Reason) bool { return r == verdict.Federated })
}

// All lists the reasons that are imported where somebody asks for all: those that
// can be, but for being disabled. An administrator has meant such a user not to
// sign in, and nothing keeps them from it between the import and the next step of
// settling. Who wants that says so.
func All() []verdict.Reason {
	return slices.DeleteFunc(Importable(), func(r verdict.Reason) bool { return r == verdict.Disabled })
}

func (c Choice) check() error {
	seen := map[verdict.Reason]bool{}
	for _, list := range []struct {
		name    string
		reasons []verdict.Reason
		of      []verdict.Reason
	}{{Import, c.Import, Importable()}, {Leave, c.Exclude, verdict.PendingReasons()}, {Wait, c.Wait, verdict.PendingReasons()}} {
		for _, reason := range list.reasons {
			switch {
			case !slices.Contains(list.of, reason):
				return fmt.Errorf("%s %q: want some of %v", list.name, reason, list.of)
			case seen[reason]:
				return fmt.Errorf("%s %q: there is a choice for it already", list.name, reason)
			}
			seen[reason] = true
		}
	}
	return nil
}

// normal is the choice in the order in which reasons are shown.
func (c Choice) normal() Choice {
	order := func(reasons []verdict.Reason) []verdict.Reason {
		in := []verdict.Reason{}
		for _, reason := range verdict.PendingReasons() {
			if slices.Contains(reasons, reason) {
				in = append(in, reason)
			}
		}
		return in
	}
	return Choice{order(c.Import), order(c.Exclude), order(c.Wait)}
}

// Plan is who is to be imported, what that comes to, and all that files are
// written by. The same reconciliation, the same choice and the same settings of
// the pool make the same plan, but for ID and Created.
type Plan struct {
	Version document.V1 `json:"version"`
	Run     string      `json:"run"`
	ID      string      `json:"id,omitempty"`     // of the import; empty while it is only looked at
	Created time.Time   `json:"created,omitzero"` // zero likewise
	// Reconciliation is the one that says who is pending. It ended at Reconciled.
	Reconciliation string    `json:"reconciliation"`
	Reconciled     time.Time `json:"reconciled"`
	Target         Target    `json:"target"`
	Choice         Choice    `json:"choice"`
	// Exclude are all reasons that people have excluded, once the import is begun.
	Exclude []verdict.Reason `json:"exclude"`
	Reasons []Group          `json:"reasons"` // with users, in the order in which they are shown
	Limits  Limits           `json:"limits"`
	Rows    int              `json:"rows"`  // of all files
	Files   int              `json:"files"` // at least: one ends early where its time does
	Bytes   int64            `json:"bytes"` // of all files, about
	// Email, SMS and NoCode are the users of the files by where a code is sent when
	// they come back; NoCode is for those to whom only an administrator can help.
	Email  int `json:"email"`
	SMS    int `json:"sms"`
	NoCode int `json:"no_code"`
}

// Target is the target pool as far as files are concerned.
type Target struct {
	Pool         reconcile.Pool `json:"pool"` // as the reconciliation found it
	Name         string         `json:"name"`
	AutoVerified []string       `json:"auto_verified"`
	Header       []string       `json:"header"`
	Recovery     []string       `json:"recovery"`
	DefaultEmail bool           `json:"default_email"`
}

// Group are the users of one reason.
type Group struct {
	Reason   verdict.Reason `json:"reason"`
	Choice   string         `json:"choice"`
	Pending  int            `json:"pending"`
	Excluded int            `json:"excluded"` // already
	// Fit is how many of both could be imported, and Refused how many could not, and
	// why. Of federated users nobody looks.
	Fit     int             `json:"fit"`
	Refused map[Refusal]int `json:"refused"`
	// Of those who fit: where a code would be sent.
	Email  int `json:"email"`
	SMS    int `json:"sms"`
	NoCode int `json:"no_code"`
}

// Users is how many users have the reason.
func (g Group) Users() int { return g.Pending + g.Excluded }

// Plan looks at everybody who is pending, and says what a choice would come to.
// Nothing is written. The reconciliation is the last whole one; the error is of
// kind fault.NotFound where there is none, and fault.Conflict where it is too old.
// It is fault.Invalid where the choice is, or where the target pool takes no
// import: it verifies nothing by itself, or lacks custom:legacy_sub.
func (t *Tail) Plan(ctx context.Context, c Choice) (Plan, error) {
	p, err := t.plan(ctx, c)
	if err != nil {
		return p, fmt.Errorf("plan an import of run %s: %w", t.o.Run, err)
	}
	return p, nil
}

func (t *Tail) plan(ctx context.Context, c Choice) (Plan, error) {
	p := Plan{Run: t.o.Run, Choice: c.normal(), Limits: t.o.Limits, Reasons: []Group{}}
	if err := c.check(); err != nil {
		return p, fault.New(fault.Invalid, "%w", err)
	}
	summary, err := t.o.Reconciliations.Summary(ctx, "")
	if err != nil {
		return p, err
	}
	p.Reconciliation, p.Reconciled = summary.ID, summary.Ended
	if age := t.o.Now().Sub(summary.Ended); age > t.o.MaxAge {
		return p, fault.New(fault.Conflict, "the last whole reconciliation, %s, ended %s ago, more than %s: who has moved since would be in the files",
			summary.ID, age.Round(time.Minute), t.o.MaxAge)
	}
	if p.Target, err = t.target(ctx, summary.ID); err != nil {
		return p, err
	}
	if p.Exclude, err = t.excluded(ctx, p.Choice); err != nil {
		return p, err
	}
	return p, t.count(ctx, &p)
}

// target puts together what files are written by.
func (t *Tail) target(ctx context.Context, reconciliation string) (Target, error) {
	basis, err := t.o.Store.ReadBasis(ctx, reconciliation)
	if err != nil {
		return Target{}, err
	}
	s, err := t.o.Pool.Settings(ctx)
	if err != nil {
		return Target{}, err
	}
	target := Target{Pool: basis.Target.Pool, Name: s.Name, AutoVerified: list(s.AutoVerified), Header: list(s.Header), Recovery: list(s.Recovery), DefaultEmail: s.DefaultEmail}
	switch {
	case len(s.AutoVerified) == 0:
		return target, fault.New(fault.Invalid, "pool %s verifies neither e-mail addresses nor phone numbers by itself: Cognito starts no import job there", target.Pool.ID)
	case target.check() != nil:
		return target, fault.New(fault.Invalid, "pool %s: %w", target.Pool.ID, target.check())
	}
	return target, nil
}

// list is a list that is never nil, and nobody else's.
func list[E any](in []E) []E { return append([]E{}, in...) }

// excluded is what people will have excluded.
func (t *Tail) excluded(ctx context.Context, c Choice) ([]verdict.Reason, error) {
	d, err := t.o.Reconciliations.Decisions(ctx)
	if err != nil {
		return nil, err
	}
	before := slices.DeleteFunc(slices.Clone(d.Exclude), func(r verdict.Reason) bool { return slices.Contains(c.Import, r) || slices.Contains(c.Wait, r) })
	return Choice{Exclude: append(before, c.Exclude...)}.normal().Exclude, nil
}

func (p Plan) rules() rules {
	return rules{pool: p.Target.Pool.Userpool(), header: p.Target.Header, autoVerified: p.Target.AutoVerified, recovery: p.Target.Recovery, limit: p.Limits.Characters,
		disabled: slices.Contains(p.Choice.Import, verdict.Disabled)}
}

// takes reports whether a user is to be imported.
func (p Plan) takes(row reconcile.PendingRow) bool {
	return counts(row) && slices.Contains(p.Choice.Import, row.Reason)
}

// counts reports whether somebody is there to be imported at all.
func counts(row reconcile.PendingRow) bool {
	return row.Verdict == verdict.Pending || row.Verdict == verdict.Excluded
}

func (p Plan) choiceOf(reason verdict.Reason) string {
	switch {
	case slices.Contains(p.Choice.Import, reason):
		return Import
	case slices.Contains(p.Exclude, reason):
		return Leave
	}
	return Wait
}

// count goes through all users.
func (t *Tail) count(ctx context.Context, p *Plan) error {
	users := t.o.Users(p.Reconciliation)
	buckets, err := users.Buckets(ctx)
	if err != nil {
		return err
	}
	groups := map[verdict.Reason]*Group{}
	made, open := p.rules(), room{limits: p.Limits, head: int64(len(p.rules().head()) + 1)}
	for bucket := range buckets {
		for u, err := range users.Users(ctx, bucket) {
			if err != nil {
				return err
			}
			if !counts(u.PendingRow) {
				continue
			}
			g := groups[u.Reason]
			if g == nil {
				g = &Group{Reason: u.Reason, Choice: p.choiceOf(u.Reason), Refused: map[Refusal]int{}}
				groups[u.Reason] = g
			}
			if u.Verdict == verdict.Excluded {
				g.Excluded++
			} else {
				g.Pending++
			}
			if u.Reason == verdict.Federated {
				continue
			}
			line, refused := made.take(u)
			if refused != "" {
				g.Refused[refused]++
				continue
			}
			g.Fit++
			switch made.sends(u.User) {
			case byEmail:
				g.Email++
			case bySMS:
				g.SMS++
			case byNone:
				g.NoCode++
			}
			if g.Choice != Import {
				continue
			}
			if !open.fits(line) {
				open = open.next()
			}
			open = open.with(line)
		}
	}
	p.Files, p.Bytes = open.files, open.total
	for _, reason := range verdict.PendingReasons() {
		g := groups[reason]
		if g == nil {
			continue
		}
		p.Reasons = append(p.Reasons, *g)
		if g.Choice == Import {
			p.Rows += g.Fit
			p.Email, p.SMS, p.NoCode = p.Email+g.Email, p.SMS+g.SMS, p.NoCode+g.NoCode
		}
	}
	return nil
}

// room is what is left in a file.
type room struct {
	limits Limits
	head   int64
	rows   int
	bytes  int64
	files  int
	total  int64
}

// fits reports whether there is room for a line; in an empty file there is for
// any.
func (r room) fits(line string) bool {
	return r.files > 0 && (r.rows == 0 || r.rows < r.limits.Rows && r.bytes+int64(len(line))+1 <= r.limits.Bytes)
}

// next is the room of another file.
func (r room) next() room {
	return room{limits: r.limits, head: r.head, bytes: r.head, files: r.files + 1, total: r.total + r.head}
}

func (r room) with(line string) room {
	r.rows++
	r.bytes += int64(len(line)) + 1
	r.total += int64(len(line)) + 1
	return r
}

// Create begins an import: it fixes the plan under an id, and excludes whom
// people have excluded from the next reconciliation on. Called again it changes
// nothing; the plan that stands is returned. The error is of kind fault.Conflict
// where another plan has the id.
func (t *Tail) Create(ctx context.Context, id string, p Plan) (Plan, error) {
	if err := t.ofRun("create", p.Run, id); err != nil {
		return p, err
	}
	p.ID, p.Created = id, t.o.Now().UTC()
	standing, err := t.o.Store.WriteTailPlan(ctx, p)
	if err == nil {
		same := standing
		same.Created = p.Created
		if a, b := mustEncode(same), mustEncode(p); a != b {
			err = fault.New(fault.Conflict, "another plan has this id")
		}
	}
	if err == nil {
		_, err = t.o.Reconciliations.Exclude(ctx, standing.Exclude)
	}
	return standing, t.about("create", id, err)
}

// mustEncode is for plans that were written: what cannot be encoded is nothing.
func mustEncode(p Plan) string {
	data, err := p.Encode()
	if err != nil {
		return ""
	}
	return string(data)
}

// Of returns an error of kind fault.Invalid unless p is the plan of an import.
func (p Plan) Of(run, id string) error {
	if p.Run != run || p.ID != id {
		return fault.New(fault.Invalid, "plan is of import %q of run %q, not of %q of %q", p.ID, p.Run, id, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (p Plan) Encode() ([]byte, error) { return document.Encode("plan of an import", p, p.check) }

// DecodePlan reads a plan.
func DecodePlan(data []byte) (p Plan, err error) {
	err = document.Decode("plan of an import", data, &p, Plan.check)
	return p, err
}

func (p Plan) check() error {
	switch {
	case p.Run == "" || p.Reconciliation == "" || p.Choice.Import == nil || p.Choice.Exclude == nil || p.Choice.Wait == nil || p.Exclude == nil || p.Reasons == nil:
		return errMember
	case p.Limits.Rows < 1 || p.Limits.Bytes < 1 || p.Limits.Characters < 1:
		return errors.New("a limit is below 1")
	case min(p.Rows, p.Files, p.Email, p.SMS, p.NoCode) < 0 || p.Bytes < 0:
		return errors.New("a count is below 0")
	case p.Email+p.SMS+p.NoCode != p.Rows || (p.Rows > 0) != (p.Files > 0):
		return errors.New("its counts do not fit each other")
	}
	for i, g := range p.Reasons {
		if g.Refused == nil || min(g.Pending, g.Excluded, g.Fit, g.Email, g.SMS, g.NoCode) < 0 || !slices.Contains(verdict.PendingReasons(), g.Reason) || !slices.Contains([]string{Wait, Import, Leave}, g.Choice) {
			return fmt.Errorf("reasons[%d]: reason, choice or counts are wrong", i)
		}
	}
	return errors.Join(checkID(p.ID), document.CheckTime("created", p.Created), document.CheckTime("reconciled", p.Reconciled), p.Choice.check(), p.Target.check())
}

func (target Target) check() error {
	if target.AutoVerified == nil || target.Header == nil || target.Recovery == nil || target.Pool.Schema == nil {
		return errMember
	}
	for _, column := range []string{columnUsername, columnMFA, "custom:legacy_sub"} {
		if !slices.Contains(target.Header, column) {
			return fmt.Errorf("its files have no column %s", column)
		}
	}
	return nil
}
