package cutover

import (
	"context"
	"slices"
	"strings"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile/verdict"
)

// Choice is what people decide about a cut-over.
type Choice struct {
	Accept   []verdict.Reason // pending users of these reasons stay behind
	Unproven bool             // no probe has to sign in
}

// Plan is what a cut-over would change, and whether it may: the JSON object of
// cutover plan --json. Members are only ever added.
type Plan struct {
	Version   int             `json:"version"` // 1
	Run       string          `json:"run"`
	PoolID    string          `json:"pool_id"`
	At        time.Time       `json:"at"`
	ManagedBy string          `json:"managed_by,omitempty"` // terraform: it has to make the change
	Passed    bool            `json:"passed"`               // no gate is blocked
	Gates     []Gate          `json:"gates"`
	Subjects  []SubjectChange `json:"subjects"` // that change, or that something is to be said about

	accepted map[verdict.Reason]int
	unproven bool
	snapshot Snapshot
}

// SubjectChange is what changes about one subject.
type SubjectChange struct {
	Of      string   `json:"of"` // pool, factors or client ID
	Name    string   `json:"name,omitempty"`
	Changes []Change `json:"changes"` // never null
	Notes   []string `json:"notes,omitempty"`
}

// Names of subjects that are no client.
const (
	ofPool    = "pool"
	ofFactors = "factors"
)

func ofClient(id string) string { return "client " + id }

// Changes counts the fields that change.
func (p Plan) Changes() (n int) {
	for _, s := range p.Subjects {
		n += len(s.Changes)
	}
	return n
}

// Blocked lists the gates that are blocked.
func (p Plan) Blocked() (names []string) {
	for _, g := range p.Gates {
		if g.State == Blocked {
			names = append(names, g.Name)
		}
	}
	return names
}

// Plan looks at everything and changes nothing, but that the probe signs in.
func (c *Cutover) Plan(ctx context.Context, choice Choice) (Plan, error) {
	now := c.o.Now().UTC()
	p := Plan{Version: 1, Run: c.o.Run, PoolID: c.o.PoolID, At: now, unproven: choice.Unproven, Subjects: []SubjectChange{}}
	snapshot, names, err := c.look(ctx, now)
	if err != nil {
		return p, err
	}
	facts, err := c.facts(ctx, now, choice, snapshot)
	if err != nil {
		return p, err
	}
	p.Gates = Judge(facts)
	p.Passed = len(p.Blocked()) == 0
	if last, ok := facts.History.LastWhole(); ok {
		snapshot.Reconciliation = last.ID
		p.accepted, _ = facts.kept(last)
	}
	p.snapshot, p.ManagedBy = snapshot, c.managedBy(snapshot.Pool)
	for _, s := range c.subjects(snapshot) {
		change := SubjectChange{Of: s.of, Name: names[s.of], Changes: Diff(s.before, s.after), Notes: s.notes}
		if change.Changes == nil {
			change.Changes = []Change{}
		}
		if len(change.Changes)+len(change.Notes) > 0 {
			p.Subjects = append(p.Subjects, change)
		}
	}
	return p, nil
}

// look reads the settings of all subjects.
func (c *Cutover) look(ctx context.Context, now time.Time) (s Snapshot, names map[string]string, err error) {
	s = Snapshot{Run: c.o.Run, ID: c.o.NewID(), PoolID: c.o.PoolID, Taken: now, Clients: []ClientSnapshot{}}
	if s.Pool, err = c.o.Pool.ReadPool(ctx); err != nil {
		return s, nil, err
	}
	if s.Factors, err = c.o.Pool.ReadFactors(ctx); err != nil {
		return s, nil, err
	}
	clients, err := c.o.Pool.ReadClients(ctx)
	if err != nil {
		return s, nil, err
	}
	names = map[string]string{}
	for _, client := range clients {
		s.Clients = append(s.Clients, ClientSnapshot{client.ID, client.Settings})
		names[ofClient(client.ID)] = client.Name
	}
	slices.SortFunc(s.Clients, func(a, b ClientSnapshot) int { return strings.Compare(a.ID, b.ID) })
	return s, names, nil
}

// managedBy says who else changes the pool.
func (c *Cutover) managedBy(pool Settings) string {
	if c.o.ManagedBy != "" {
		return c.o.ManagedBy
	}
	return managedBy(pool)
}

func (c *Cutover) facts(ctx context.Context, now time.Time, choice Choice, snapshot Snapshot) (Facts, error) {
	f := Facts{Now: now, Accept: choice.Accept, StaleAfter: c.o.StaleAfter, Unproven: choice.Unproven, Probe: c.o.Probe}
	standing, err := c.o.Reconciled.Status(ctx)
	if err != nil {
		return f, err
	}
	f.History, f.Lease = standing.History, standing.Lease
	seeded, err := c.o.Seeded.Status(ctx, 0)
	switch {
	case err == nil:
		f.Seeding = &seeded
	case !is(err, fault.NotFound):
		return f, err
	}
	for _, worker := range []struct {
		of   Worker
		into *Activity
	}{{c.o.Settle, &f.Settle}, {c.o.Tail, &f.Tail}} {
		if worker.of == nil {
			continue
		}
		if *worker.into, err = worker.of.Activity(ctx); err != nil {
			return f, err
		}
	}
	sums, err := c.o.Metrics.Sums(ctx, now.Add(-ErrorWindow), now, MetricDecisions, MetricFailures)
	f.MetricsErr, f.Decisions, f.Failures = err, sums[MetricDecisions], sums[MetricFailures]
	if f.Probe != nil && !f.Unproven {
		f.ProbeFlow, f.ProbeErr = c.trial(ctx, snapshot)
	}
	return f, ctx.Err()
}

// trial signs the probe in before anything is changed: by the flow that goes
// away where the client has it, and so possibly moves it from the source.
func (c *Cutover) trial(ctx context.Context, snapshot Snapshot) (flow string, err error) {
	probe := c.o.Probe
	for _, client := range snapshot.Clients {
		if client.ID != probe.ClientID {
			continue
		}
		if takesPasswords(client.Settings) {
			_, err = c.o.Prober.SignInPassword(ctx, probe.ClientID, probe.Username, probe.Password)
			return "USER_PASSWORD_AUTH", err
		}
		_, err = c.o.Prober.SignInSRP(ctx, probe.ClientID, probe.Username, probe.Password)
		return "USER_SRP_AUTH", err
	}
	return "", fault.New(fault.NotFound, "pool %s has no client %s", c.o.PoolID, probe.ClientID)
}

// subject is one thing with settings of its own, before a cut-over and after it.
type subject struct {
	of            string
	before, after Settings
	notes         []string
	read          func(context.Context) (Settings, error)
	write         func(context.Context, Settings) error
}

// subjects are those of a snapshot in the order in which a cut-over changes them:
// the pool first, so that nobody is created while the clients change.
func (c *Cutover) subjects(s Snapshot) []subject {
	after, notes := c.o.Ours.detached(s.Pool)
	all := []subject{
		{of: ofPool, before: s.Pool, after: after, notes: notes, read: c.o.Pool.ReadPool, write: c.o.Pool.WritePool},
		{of: ofFactors, before: s.Factors, after: s.Factors, read: c.o.Pool.ReadFactors, write: c.o.Pool.WriteFactors},
	}
	for _, client := range s.Clients {
		after, notes := switched(client.Settings)
		all = append(all, subject{
			of: ofClient(client.ID), before: client.Settings, after: after, notes: notes,
			read:  func(ctx context.Context) (Settings, error) { return c.o.Pool.ReadClient(ctx, client.ID) },
			write: func(ctx context.Context, s Settings) error { return c.o.Pool.WriteClient(ctx, client.ID, s) },
		})
	}
	return all
}
