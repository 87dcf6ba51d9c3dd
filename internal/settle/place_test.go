package settle_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/scan"
	"poolferry/internal/settle"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
)

const runID = "2026-11-prod"

// person is a user of the target pool.
type person struct {
	Groups   []string
	Disabled bool
	Factors  []string
	Verified bool // the phone number is
}

// people are a target pool in memory.
type people struct {
	mu     sync.Mutex
	users  map[string]*person
	groups map[string]manifest.Group
	asked  map[string]int // by operation
	waits  time.Duration  // that each answer takes
	// fails may refuse a request before anything is done.
	fails func(operation, username, group string) error
	pages int // groups on a page; 0 for all
}

func newPeople() *people {
	return &people{users: map[string]*person{}, groups: map[string]manifest.Group{}, asked: map[string]int{}, fails: func(string, string, string) error { return nil }}
}

func (p *people) ask(operation, username, group string, do func(*person) error) error {
	if p.waits > 0 {
		time.Sleep(p.waits)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[operation]++
	if err := p.fails(operation, username, group); err != nil {
		return err
	}
	user := p.users[username]
	if user == nil && username != "" {
		return fault.New(fault.NotFound, "%s: no such user", operation)
	}
	return do(user)
}

func (p *people) GroupsOf(_ context.Context, username string, cursor manifest.Cursor) (page scan.Page[string], err error) {
	err = p.ask("GroupsOf", username, "", func(u *person) error {
		from := 0
		_, _ = fmt.Sscan(string(cursor), &from)
		to := len(u.Groups)
		if p.pages > 0 && from+p.pages < to {
			to = from + p.pages
			page.Next = manifest.Cursor(fmt.Sprint(to))
		}
		page.Items = slices.Clone(u.Groups[from:to])
		return nil
	})
	return page, err
}

func (p *people) AddToGroup(_ context.Context, username, group string) error {
	return p.ask("AddToGroup", username, group, func(u *person) error {
		if _, ok := p.groups[group]; !ok {
			return fault.New(fault.Invalid, "add: %w", userpool.ErrNoGroup)
		}
		if !slices.Contains(u.Groups, group) {
			u.Groups = append(u.Groups, group)
			slices.Sort(u.Groups)
		}
		return nil
	})
}

func (p *people) RemoveFromGroup(_ context.Context, username, group string) error {
	return p.ask("RemoveFromGroup", username, group, func(u *person) error {
		u.Groups = slices.DeleteFunc(u.Groups, func(g string) bool { return g == group })
		return nil
	})
}

func (p *people) CreateGroup(_ context.Context, g manifest.Group) error {
	return p.ask("CreateGroup", "", g.Name, func(*person) error {
		if _, ok := p.groups[g.Name]; ok {
			return fault.New(fault.AlreadyExists, "create: it is there")
		}
		p.groups[g.Name] = g
		return nil
	})
}

func (p *people) Disable(_ context.Context, username string) error {
	return p.ask("Disable", username, "", func(u *person) error { u.Disabled = true; return nil })
}

func (p *people) Factors(_ context.Context, username string) (f settle.Factors, err error) {
	err = p.ask("Factors", username, "", func(u *person) error {
		f = settle.Factors{Set: slices.Clone(u.Factors), PhoneVerified: u.Verified}
		return nil
	})
	return f, err
}

func (p *people) PreferSMS(_ context.Context, username string) error {
	return p.ask("PreferSMS", username, "", func(u *person) error { u.Factors = []string{"SMS_MFA"}; return nil })
}

// log is a Recorder that remembers.
type log struct {
	mu      sync.Mutex
	changes []settle.Change
	steps   []settle.StepRecord
}

func (l *log) RecordChange(_ context.Context, c settle.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append(l.changes, c)
}
func (l *log) RecordStep(_ context.Context, s settle.StepRecord) { l.steps = append(l.steps, s) }

// said lists the changes in words, sorted.
func (l *log) said() []string {
	var said []string
	for _, c := range l.changes {
		said = append(said, fmt.Sprintf("%s %s %s %s", c.Action, c.LegacySub, c.Sub, c.Group))
	}
	slices.Sort(said)
	return said
}

// place is a run that is settled.
type place struct {
	t      *testing.T
	memory *memory.Bucket
	run    *store.Run
	people *people
	log    *log
	o      settle.Options
	source []manifest.Group
	noSMS  bool // the target does not ask for codes by SMS
}

func newPlace(t *testing.T) *place {
	p := &place{t: t, memory: memory.New(), people: newPeople(), log: &log{}}
	p.run = store.NewRun(p.memory, runID)
	p.o = settle.Options{
		Run: runID, Disabled: true, MFA: true, Directory: p.people, Store: p.run, Recorder: p.log, Now: time.Now, Random: func() float64 { return 0 },
		Pace: settle.Pace{UserRead: 1000, UserUpdate: 1000, UserResourceRead: 1000, UserResourceUpdate: 1000},
	}
	one, ten := 1, 10
	p.source = []manifest.Group{
		{Name: "admins", Description: "may do anything", Precedence: &one, RoleARN: "arn:aws:iam::111122223333:role/source"},
		{Name: "beta"}, {Name: "gold", Precedence: &ten}, {Name: "root", Description: "the same"}, {Name: "us-east-1_AbCdEf123_Google"},
	}
	return p
}

func (p *place) step(id string) settle.StepOutput {
	p.t.Helper()
	out, err := settle.New(p.o).Step(p.t.Context(), settle.StepInput{Run: runID, ID: id})
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *place) status() settle.Status {
	p.t.Helper()
	return must(settle.New(p.o).Status(p.t.Context()))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// digest is the plan's.
var digest = document.DigestOf(nil)

// reconciled leaves what a reconciliation leaves: rows, in one object for each
// list of them.
func (p *place) reconciled(id string, objects ...[]reconcile.SettleRow) {
	p.t.Helper()
	ctx, now := p.t.Context(), time.Now().UTC()
	origin := manifest.Origin{Run: runID, Generation: 1, PlanSHA256: digest}
	must(p.run.WriteGroups(ctx, manifest.Groups{Origin: origin, Groups: p.source, Listed: now}))
	must(p.run.WriteBasis(ctx, reconcile.Basis{
		Run: runID, ID: id, Execution: "arn", Opened: now, PlanSHA256: digest, Staged: &reconcile.Staged{Generation: 1, Opened: now, Missing: []string{}},
		Skipped: []reconcile.Staged{}, Items: []reconcile.IndexItem{}, Buckets: 64, Partial: []string{},
		Target: reconcile.Target{Shards: []manifest.Shard{{}}, Pool: reconcile.Pool{Schema: []reconcile.Attribute{}, SMSMFA: !p.noSMS}},
	}))
	s := reconcile.Summary{
		Run: runID, ID: id, Started: now, Ended: now, Missing: []string{}, Verdicts: map[verdict.Verdict]int{}, Reasons: reconcile.Counts{},
		Findings: map[verdict.FindingKind]int{}, Sample: []verdict.Finding{}, Partial: []string{}, Stages: map[string]float64{},
		IDMap: []reconcile.RowsRef{}, Pending: []reconcile.RowsRef{}, FindingRows: []reconcile.RowsRef{}, Settle: []reconcile.RowsRef{},
	}
	for i, rows := range objects {
		data := must(reconcile.EncodeRows(rows))
		ref := reconcile.RowsRef{Count: len(rows), Format: reconcile.FormatJSONL, Bucket: i, Of: 64}
		s.Settle = append(s.Settle, must(p.run.WriteRows(ctx, id, reconcile.SettleRows, i, data, ref)))
	}
	must(p.run.WriteSummary(ctx, s))
	p.point(s.Point())
}

// point adds to the history.
func (p *place) point(point progress.Point) {
	p.t.Helper()
	h, tag, err := p.run.LoadProgress(p.t.Context())
	if fault.KindOf(err) == fault.NotFound {
		h, err = progress.New(runID), nil
	}
	if err == nil {
		_, err = p.run.SwapProgress(p.t.Context(), h.Append(point), tag)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// arrive puts people into the target pool and returns their rows.
func (p *place) arrive(n int, groups ...string) []reconcile.SettleRow {
	var rows []reconcile.SettleRow
	for range n {
		name := fmt.Sprintf("u%04d", len(p.people.users))
		p.people.users[name] = &person{}
		rows = append(rows, row(name, groups...))
	}
	return rows
}

func row(name string, groups ...string) reconcile.SettleRow {
	return reconcile.SettleRow{LegacySub: userpool.Sub("old-" + name), Sub: userpool.Sub("new-" + name), Username: name, Groups: groups}
}

// wants compares the pool's users.
func (p *place) wants(want map[string]person) {
	p.t.Helper()
	got := map[string]person{}
	for name, u := range p.people.users {
		got[name] = *u
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("people (-want +got):\n%s", diff)
	}
}

// unsettled returns the rows that are kept.
func (p *place) unsettled() (rows map[string]settle.Unsettled) {
	p.t.Helper()
	rows = map[string]settle.Unsettled{}
	state, _, err := p.run.ReadSettle(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	for name, ref := range map[string]reconcile.RowsRef{"failed ": state.Failed, "given up ": state.GivenUp} {
		if ref.Count == 0 {
			continue
		}
		list := must(reconcile.DecodeRows[settle.Unsettled](must(p.run.ReadRows(p.t.Context(), ref)), ref))
		for _, row := range list {
			rows[name+row.Username] = row
		}
	}
	return rows
}
