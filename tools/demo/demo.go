// Package demo is the main job on made-up users: people sign in at a target
// pool that does not know them yet, and are expected to arrive there with their
// passwords, or to be refused for the right reason.
//
// Vocabulary: a visit is what one person does; an attempt is one name and
// password, or one forgotten password, at the target; a surprise is an attempt
// that ended otherwise than the person's kind says. The sweep at the end
// searches everything that was logged, stored or returned for passwords.
package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/cognito"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
	"poolferry/tools/demo/sweep"
	"poolferry/tools/rehearsal"
)

// Options says what to demonstrate.
type Options struct {
	Users   int
	Seed    uint64
	Shape   crowd.Shape
	Latency knobs.Latency
	Faults  string // as knobs.ParseFaults reads it
	Out     string // folder for logs and results; empty means none are kept
	Now     func() time.Time
}

// Talk hears how the demo goes on.
type Talk interface {
	Say(format string, args ...any)
	// Progress starts to count up to total; tick may be called concurrently.
	Progress(what string, total int) (tick, done func())
}

// waitsFaster shortens the pauses before a state machine's retries: nobody learns
// anything from waiting for them.
const waitsFaster = 20

// Concurrent clients. With latency most of them wait.
const (
	clients    = 16
	wanClients = 96
)

// demo is one demonstration under way.
type demo struct {
	ctx     context.Context // one demo lives as long as one call of Run
	options Options
	world   *rehearsal.World
	app     *cognito.App
	tally   *tally
	now     func() time.Time

	audit       *auditTrail
	functionLog *record
	requestLog  *record
	canaries    *sweep.Sweep
	leaks       *leaks

	signUps  SignUps
	own      int                   // users of the target who are nobody's from the source
	imported map[userpool.Sub]bool // by import jobs
	excluded bool                  // whoever is not there now
}

// Run demonstrates and returns what happened. Its error is ctx's where it was
// stopped; otherwise it could not demonstrate at all. Disappointments are in the
// Result.
func Run(ctx context.Context, o Options, talk Talk) (Result, error) {
	d, err := begin(ctx, o)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = d.world.Close() }()
	return d.run(talk)
}

// begin builds the world and learns its secrets.
func begin(ctx context.Context, o Options) (*demo, error) {
	if o.Users < 1 {
		return nil, fmt.Errorf("users: %d, want at least 1", o.Users)
	}
	d := &demo{
		ctx: ctx, options: o, tally: newTally(), now: o.Now,
		audit: newAuditTrail(), requestLog: &record{}, canaries: sweep.New(), leaks: &leaks{},
	}
	d.functionLog = &record{also: d.audit}
	var err error
	d.world, err = rehearsal.New(ctx, rehearsal.Options{
		Users: o.Users, Seed: o.Seed, Shape: o.Shape, Latency: o.Latency, Faults: o.Faults, Now: o.Now, Speed: waitsFaster, LeastOperator: true,
		FunctionLog: d.functionLog, RequestLog: d.requestLog,
		// Answers are searched as they go by: there are too many to keep.
		Tap: func(operation string, body []byte) { d.leaks.add(d.canaries.Data("answers of "+operation, body)) },
	})
	if err != nil {
		return nil, err
	}
	for _, p := range d.world.People {
		if err := know(d.canaries, p); err != nil {
			return nil, errors.Join(err, d.world.Close())
		}
	}
	if err := d.canaries.Add("the probe", d.world.ProbePassword()); err != nil {
		return nil, errors.Join(err, d.world.Close())
	}
	if d.app, err = d.world.App(ctx); err != nil {
		return nil, errors.Join(err, d.world.Close())
	}
	return d, nil
}

func (d *demo) run(talk Talk) (Result, error) {
	talk.Say("Source pool %s in %s with %d users, empty target pool %s in %s.", d.world.Source.PoolID, d.world.Source.Region,
		len(d.world.People), d.world.Target.PoolID, d.world.Target.Region)
	staged, err := d.seed(talk)
	if err != nil {
		return Result{}, err
	}
	visits := make([]*visit, len(d.world.People))
	for i, p := range d.world.People {
		visits[i] = &visit{demo: d, person: p}
	}
	reconciled, err := d.journey(visits, talk)
	if err != nil {
		return Result{}, err
	}
	tail, again, err := d.importTail(visits, talk)
	if err != nil {
		return Result{}, err
	}
	cut, err := d.cutOver(visits, talk)
	if err != nil {
		return Result{}, err
	}
	if err := d.ctx.Err(); err != nil {
		return Result{}, err
	}
	result := d.tally.result()
	result.Seeding, result.Reconciliation, result.SignUps, result.Tail, result.Cutover = staged, append(reconciled, again...), d.signUps, tail, cut
	result.Users.Source, result.Users.Target = d.world.Count()
	if n := len(result.Reconciliation); n > 0 {
		result.Complete = result.Reconciliation[n-1].Complete && cut.Done
	}
	if !result.Complete && d.options.Faults == "" {
		return Result{}, fmt.Errorf("the migration did not come to its end: %q", result.Surprises)
	}

	talk.Say("Searching logs, answers and stored users for %d passwords.", 3*len(d.world.People))
	files, err := d.world.Dump()
	if err != nil {
		return Result{}, err
	}
	files["function.log"], files["requests.log"] = d.functionLog.Bytes(), d.requestLog.Bytes()
	for name, data := range files {
		d.leaks.add(d.canaries.Data(name, data))
	}
	result.Finds = d.leaks.all()
	result.SecretsFound = len(result.Finds)
	if d.options.Out != "" {
		files["report.html"] = latestReport(files)
		if err := keep(d.options.Out, files, result); err != nil {
			return Result{}, err
		}
	}
	return result, d.ctx.Err()
}

// journey is the time in which people come by themselves. The first
// reconciliation is before anybody does: what it leaves is what guards names and
// welcomes people.
func (d *demo) journey(visits []*visit, talk Talk) ([]Reconciliation, error) {
	first, err := d.reconcile(talk, d.world.FireSchedule)
	if err != nil {
		return nil, err
	}
	d.register()
	d.firstVisits(visits, 1, "signing in at the target", talk)
	second, err := d.reconcile(talk, d.world.FireSchedule)
	if err != nil {
		return nil, err
	}
	d.firstVisits(visits, 2, "signing in later", talk)
	d.strangers()
	d.laterVisits(visits, talk)
	d.checkArrivals(visits)
	third, err := d.reconcile(talk, d.byHand)
	return slices.Concat(first, second, third), err
}

// know tells the sweep a person's secrets.
func know(canaries *sweep.Sweep, p crowd.Person) error {
	who := fmt.Sprintf("%s %d", p.Kind, p.Index)
	for _, secret := range []userpool.Secret{p.Password, p.Wrong, p.Fresh} {
		if err := canaries.Add(who, secret); err != nil {
			return err
		}
	}
	return nil
}

// each runs f for every visit, some at a time, until ctx ends.
func (d *demo) each(visits []*visit, f func(*visit)) {
	var g errgroup.Group
	g.SetLimit(clients)
	if d.options.Latency == knobs.WAN {
		g.SetLimit(wanClients)
	}
	for _, v := range visits {
		if d.ctx.Err() != nil {
			break
		}
		g.Go(func() error { f(v); return nil })
	}
	_ = g.Wait()
}

// firstVisits are those of the people of a wave.
func (d *demo) firstVisits(visits []*visit, number int, what string, talk Talk) {
	var coming []*visit
	for _, v := range visits {
		if wave(v.person) == number {
			coming = append(coming, v)
		}
	}
	tick, done := talk.Progress(what, len(coming))
	defer done()
	d.each(coming, func(v *visit) {
		v.arrive()
		tick()
	})
}

// strangers try names that nobody has, one for every hundred users.
func (d *demo) strangers() {
	var visits []*visit
	for i := range max(1, d.options.Users/100) {
		p := d.world.People[i%len(d.world.People)]
		p.Name, p.Kind, p.SendsCode = fmt.Sprintf("nobody-%d@example.org", i), "stranger", false
		visits = append(visits, &visit{demo: d, person: p})
	}
	d.each(visits, func(v *visit) {
		v.judge(v.signIn(v.person.Wrong), "unknown name", false, string(trigger.NotInSource))
	})
}

// laterVisits sign in everybody who has moved once more, and prove that the
// source is not asked again.
func (d *demo) laterVisits(visits []*visit, talk Talk) {
	var moved []*visit
	for _, v := range visits {
		if v.moved {
			moved = append(moved, v)
		}
	}
	askedSource, askedTrigger := d.world.SourceSignIns(), d.audit.count()
	tick, done := talk.Progress("signing in again", len(moved))
	defer done()
	d.each(moved, func(v *visit) {
		v.comeBack()
		tick()
	})
	if n := d.world.SourceSignIns() - askedSource; n != 0 {
		d.tally.surprise(fmt.Sprintf("later sign-ins asked the source pool %d times", n))
	}
	if n := d.audit.count() - askedTrigger; n != 0 {
		d.tally.surprise(fmt.Sprintf("later sign-ins called the trigger %d times", n))
	}
}

// checkArrivals compares the target pool with those who should be there. Where
// faults are injected, a user may have been created although the person was told
// otherwise (Cognito Developer Guide, import with a Lambda trigger).
func (d *demo) checkArrivals(visits []*visit) {
	own := 0
	expected := make(map[string]*visit, len(visits))
	for _, v := range visits {
		expected[string(v.person.User.Sub)] = v
	}
	for u := range d.world.Cognito.Users(d.world.Target.PoolID) {
		sub := u.Attributes[userpool.AttrLegacySub]
		if sub == "" {
			own++
			continue
		}
		v := expected[sub]
		delete(expected, sub)
		switch {
		case v == nil:
			d.tally.surprise("the target pool has a user who is nobody's, or twice: source sub " + sub)
		case !v.created && d.options.Faults == "":
			v.surprise("is in the target pool and should not be", answer{})
		}
	}
	if own != d.own {
		d.tally.surprise(fmt.Sprintf("the target pool has %d users who have registered there, not %d", own, d.own))
	}
	for _, v := range expected {
		if v.created {
			v.surprise("is not in the target pool and should be", answer{})
		}
	}
}

// keep writes the files and the result into a folder.
func keep(folder string, files map[string][]byte, result Result) (err error) {
	if files["result.json"], err = json.MarshalIndent(result, "", "  "); err != nil {
		return fmt.Errorf("keep the demo's files: %w", err)
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("keep the demo's files: %w", err)
	}
	for name, data := range files {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o750), os.WriteFile(file, data, 0o600)); err != nil {
			return fmt.Errorf("keep the demo's files: %w", err)
		}
	}
	return nil
}

// record keeps what is written to it and passes it on.
type record struct {
	also *auditTrail // nil for nobody
	mu   sync.Mutex
	buf  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	if r.also != nil {
		_, _ = r.also.Write(p)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

// Bytes returns what was written so far.
func (r *record) Bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.buf.Bytes())
}

// leaks collects finds.
type leaks struct {
	mu    sync.Mutex
	finds []sweep.Find
}

func (l *leaks) add(finds []sweep.Find) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finds = append(l.finds, finds...)
}

func (l *leaks) all() []sweep.Find {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.finds
}

// ErrDisappointed is the error of a demo whose expectations did not hold.
var ErrDisappointed = errors.New("the demo did not go as it should")
