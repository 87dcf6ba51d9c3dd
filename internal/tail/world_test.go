package tail_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/store/storetest"
	"poolferry/internal/tail"
	"poolferry/internal/userpool"
)

const (
	runID   = "2026-11-prod"
	whole   = "reconcile-1"
	logRole = "arn:aws:iam::444455556666:role/import-log"
)

var header = strings.Fields("name email email_verified phone_number phone_number_verified birthdate custom:legacy_sub cognito:mfa_enabled cognito:username")

// world is a run whose last reconciliation has left users, and a target pool.
type world struct {
	t       *testing.T
	memory  *memory.Bucket
	pool    *pool
	people  *people
	now     func() time.Time
	options tail.Options
	records []tail.FileRecord
}

func newWorld(t *testing.T, users ...reconcile.PendingUser) *world {
	w := &world{t: t, memory: memory.New(), pool: newPool(), now: time.Now}
	w.people = &people{users: users, buckets: 4, ended: time.Now()}
	w.options = tail.Options{Run: runID, LogRoleARN: logRole, Now: func() time.Time { return w.now() }, Recorder: w}
	w.put(t)
	return w
}

// put writes the basis of the reconciliation.
func (w *world) put(t testing.TB) {
	t.Helper()
	schema := []reconcile.Attribute{}
	for _, name := range []string{"birthdate", "custom:legacy_sub", "email", "email_verified", "name", "phone_number", "phone_number_verified"} {
		kind := userpool.TypeString
		if strings.HasSuffix(name, "_verified") {
			kind = userpool.TypeBoolean
		}
		schema = append(schema, reconcile.Attribute{Name: name, Type: string(kind), Mutable: true})
	}
	scans := reconcile.Basis{Run: runID, ID: whole, Execution: "arn", Opened: time.Now().UTC(), Skipped: []reconcile.Staged{}, Items: []reconcile.IndexItem{}, Partial: []string{}, Buckets: 4}
	scans.Target.Pool = reconcile.Pool{ID: "eu-west-1_New", Schema: schema, Aliases: []string{"email"}, MFA: "OFF"}
	scans.Target.Shards = serial
	if _, err := w.store(w.memory).WriteBasis(t.Context(), scans); err != nil {
		t.Fatal(err)
	}
}

func (w *world) store(b store.Bucket) *store.Run { return store.NewRun(b, runID) }

func (w *world) RecordFile(_ context.Context, f tail.FileRecord) { w.records = append(w.records, f) }

// tail returns the imports of the run, as a process has them that may die.
func (w *world) tail(m *storetest.Mortal) *tail.Tail {
	o := w.options
	var bucket store.Bucket = w.memory
	if m != nil {
		bucket = m.Bucket(w.memory)
	}
	o.Store = w.store(bucket)
	o.Pool = mortalPool{m, w.pool}
	o.Reconciliations = mortalRuns{m, w.people}
	o.Users = func(id string) tail.Users {
		if id != whole {
			w.t.Errorf("users of reconciliation %q", id)
		}
		return w.people
	}
	return tail.New(o)
}

// people are the users of a reconciliation, and what people have decided.
type people struct {
	mu       sync.Mutex
	users    []reconcile.PendingUser
	buckets  int
	ended    time.Time
	excluded []verdict.Reason
	imports  map[string][]userpool.Sub
}

func (p *people) Buckets(context.Context) (int, error) { return p.buckets, nil }

func (p *people) Users(_ context.Context, bucket int) iter.Seq2[reconcile.PendingUser, error] {
	return func(yield func(reconcile.PendingUser, error) bool) {
		for i, u := range p.users {
			if i%p.buckets == bucket && !yield(u, nil) {
				return
			}
		}
	}
}

func (p *people) Summary(context.Context, string) (reconcile.Summary, error) {
	return reconcile.Summary{ID: whole, Ended: p.ended.UTC()}, nil
}

func (p *people) Decisions(context.Context) (reconcile.Decisions, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return reconcile.Decisions{Exclude: slices.Clone(p.excluded)}, nil
}

func (p *people) Exclude(_ context.Context, reasons []verdict.Reason) (reconcile.Decisions, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.excluded = slices.Clone(reasons)
	return reconcile.Decisions{Exclude: p.excluded}, nil
}

// RecordImport refuses, as the real one does, to be told otherwise.
func (p *people) RecordImport(_ context.Context, id string, subs []userpool.Sub) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.imports[id]; ok {
		if len(known) != len(subs) {
			return fault.New(fault.Conflict, "%s is recorded with %d", id, len(known))
		}
		return nil
	}
	if p.imports == nil {
		p.imports = map[string][]userpool.Sub{}
	}
	p.imports[id] = slices.Clone(subs)
	return nil
}

// recorded are all who were recorded as imported, each as often as they were.
func (p *people) recorded() (subs []userpool.Sub) {
	for _, id := range slices.Sorted(maps.Keys(p.imports)) {
		subs = append(subs, p.imports[id]...)
	}
	slices.Sort(subs)
	return subs
}

type mortalRuns struct {
	*storetest.Mortal
	*people
}

func (m mortalRuns) Exclude(ctx context.Context, reasons []verdict.Reason) (d reconcile.Decisions, err error) {
	err = stepOf(m.Mortal, func() (err error) { d, err = m.people.Exclude(ctx, reasons); return err })
	return d, err
}

func (m mortalRuns) RecordImport(ctx context.Context, id string, subs []userpool.Sub) error {
	return stepOf(m.Mortal, func() error { return m.people.RecordImport(ctx, id, subs) })
}

func stepOf(m *storetest.Mortal, do func() error) error {
	if m == nil {
		return do()
	}
	return m.Step(do)
}

// pool is a target pool with import jobs. A job that was started ends when it is
// looked at next, unless it is held.
type pool struct {
	mu       sync.Mutex
	settings tail.Settings
	users    map[string]string // username → sub at the source
	jobs     []*job
	created  map[string]int // username → how often
	busy     bool           // another pool's job is active
	stale    int            // so many URLs are too old
	first    int            // number of the first line in the log
	mute     bool           // logs are empty
	slow     int            // so many looks at a log find none
	end      func(j *job)   // instead of reading the file
	uploads  int
}

type job struct {
	tail.Job
	file  []string
	lines []string
	start int // how often it was started
}

func newPool() *pool {
	return &pool{
		settings: tail.Settings{Name: "people-new", AutoVerified: []string{"email"}, Header: slices.Clone(header), Recovery: []string{"phone_number", "email"}},
		users:    map[string]string{}, created: map[string]int{}, first: 1,
	}
}

func (p *pool) Settings(context.Context) (tail.Settings, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings, nil
}

func (p *pool) Header(context.Context) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings.Header, nil
}

func (p *pool) Jobs(context.Context) iter.Seq2[tail.Job, error] {
	return func(yield func(tail.Job, error) bool) {
		p.mu.Lock()
		all := slices.Clone(p.jobs)
		p.mu.Unlock()
		slices.Reverse(all)
		for _, j := range all {
			if !yield(j.Job, nil) {
				return
			}
		}
	}
}

func (p *pool) CreateJob(_ context.Context, name, roleARN string) (tail.Job, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if roleARN != logRole || len(name) > 128 {
		return tail.Job{}, fault.New(fault.Invalid, "role %s, name %s", roleARN, name)
	}
	id := fmt.Sprintf("import-%d", len(p.jobs)+1)
	j := &job{Job: tail.Job{ID: id, Name: name, State: tail.JobCreated, URL: userpool.NewSecret("https://example.com/" + id + "?signature")}}
	p.jobs = append(p.jobs, j)
	return j.Job, nil
}

func (p *pool) find(id string) (*job, error) {
	i := slices.IndexFunc(p.jobs, func(j *job) bool { return j.ID == id })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "no job %s", id)
	}
	return p.jobs[i], nil
}

func (p *pool) Job(_ context.Context, id string) (tail.Job, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	j, err := p.find(id)
	if err != nil {
		return tail.Job{}, err
	}
	return j.Job, nil
}

func (p *pool) Upload(_ context.Context, url userpool.Secret, size int64, file io.Reader) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	data, err := io.ReadAll(file)
	if err != nil || int64(len(data)) != size {
		return fault.New(fault.Invalid, "%d bytes, not %d: %v", len(data), size, err)
	}
	if p.stale > 0 {
		p.stale--
		return fault.New(fault.Denied, "request has expired")
	}
	p.uploads++
	for _, j := range p.jobs {
		if j.URL.Equal(url) {
			j.file = strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
			return nil
		}
	}
	return fault.New(fault.Denied, "no such URL")
}

func (p *pool) StartJob(_ context.Context, id string) (tail.Job, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	j, err := p.find(id)
	if err != nil {
		return tail.Job{}, err
	}
	active := slices.ContainsFunc(p.jobs, func(j *job) bool { return j.State == tail.JobInProgress })
	if j.State != tail.JobCreated || j.file == nil || active || p.busy {
		return tail.Job{}, fault.New(fault.Conflict, "precondition not met")
	}
	j.State, j.start = tail.JobInProgress, j.start+1
	answer := j.Job
	if p.end != nil {
		p.end(j)
	} else {
		p.run(j)
	}
	return answer, nil
}

// run imports the file, line by line.
func (p *pool) run(j *job) {
	columns := strings.Split(j.file[0], ",")
	for n, line := range j.file[1:] {
		p.line(j, columns, n, line)
	}
	j.State = tail.JobSucceeded
}

func (p *pool) line(j *job, columns []string, n int, line string) {
	row := map[string]string{}
	for i, value := range strings.Split(line, ",") {
		row[columns[i]] = value
	}
	name := row["cognito:username"]
	said := "[SUCCEEDED] Line Number %d - The import succeeded."
	switch {
	case strings.HasPrefix(name, "bad"):
		j.Failed++
		said = "[FAILED] Line Number %d - An account with the given email already exists."
	case p.users[name] != "":
		j.Skipped++
		said = "[SKIPPED] Line Number %d - The user already exists."
	default:
		j.Imported++
		p.users[name] = row["custom:legacy_sub"]
		p.created[name]++
	}
	j.lines = append(j.lines, fmt.Sprintf(said, n+p.first))
}

func (p *pool) Log(_ context.Context, name string, of tail.Job) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if name != "people-new" {
			yield("", fault.New(fault.Invalid, "log of pool %q", name))
			return
		}
		j, err := p.find(of.ID)
		if err != nil {
			yield("", err)
			return
		}
		if p.slow > 0 {
			p.slow--
			return
		}
		if p.mute {
			return
		}
		for _, line := range append([]string{"Import started."}, j.lines...) {
			if !yield(line, nil) {
				return
			}
		}
	}
}

// mortalPool is the pool as a process has it that may die.
type mortalPool struct {
	*storetest.Mortal
	*pool
}

func (m mortalPool) Settings(ctx context.Context) (s tail.Settings, err error) {
	err = stepOf(m.Mortal, func() (err error) { s, err = m.pool.Settings(ctx); return err })
	return s, err
}

func (m mortalPool) Header(ctx context.Context) (header []string, err error) {
	err = stepOf(m.Mortal, func() (err error) { header, err = m.pool.Header(ctx); return err })
	return header, err
}

func (m mortalPool) Jobs(ctx context.Context) iter.Seq2[tail.Job, error] {
	return func(yield func(tail.Job, error) bool) {
		if err := stepOf(m.Mortal, func() error { return nil }); err != nil {
			yield(tail.Job{}, err)
			return
		}
		m.pool.Jobs(ctx)(yield)
	}
}

func (m mortalPool) CreateJob(ctx context.Context, name, role string) (j tail.Job, err error) {
	err = stepOf(m.Mortal, func() (err error) { j, err = m.pool.CreateJob(ctx, name, role); return err })
	return j, err
}

func (m mortalPool) Job(ctx context.Context, id string) (j tail.Job, err error) {
	err = stepOf(m.Mortal, func() (err error) { j, err = m.pool.Job(ctx, id); return err })
	return j, err
}

func (m mortalPool) Upload(ctx context.Context, url userpool.Secret, size int64, file io.Reader) error {
	return stepOf(m.Mortal, func() error { return m.pool.Upload(ctx, url, size, file) })
}

func (m mortalPool) StartJob(ctx context.Context, id string) (j tail.Job, err error) {
	err = stepOf(m.Mortal, func() (err error) { j, err = m.pool.StartJob(ctx, id); return err })
	return j, err
}

func (m mortalPool) Log(ctx context.Context, name string, of tail.Job) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := stepOf(m.Mortal, func() error { return nil }); err != nil {
			yield("", err)
			return
		}
		m.pool.Log(ctx, name, of)(yield)
	}
}

// user is somebody who is pending, whose name begins as it is said.
func user(n int, name string, reason verdict.Reason, change ...func(*reconcile.PendingUser)) reconcile.PendingUser {
	sub := userpool.Sub(fmt.Sprintf("5d3c6a1e-0000-4000-8000-%012d", n))
	u := reconcile.PendingUser{
		PendingRow: reconcile.PendingRow{Sub: sub, Verdict: verdict.Pending, Reason: reason},
		User: userpool.User{Sub: sub, Username: fmt.Sprintf("%s%d", name, n), Enabled: true, Status: userpool.StatusConfirmed,
			Attributes: userpool.Attributes{"email": fmt.Sprintf("%s%d@example.com", name, n), "email_verified": "true"}},
	}
	for _, c := range change {
		c(&u)
	}
	return u
}

func unverified(u *reconcile.PendingUser) { u.User.Attributes["email_verified"] = "false" }

func excluded(u *reconcile.PendingUser) { u.Verdict = verdict.Excluded }

func byPhone(u *reconcile.PendingUser) {
	u.User.Attributes["phone_number"], u.User.Attributes["phone_number_verified"] = "+15550100", "true"
}

// crowd is of so many people who have not signed in, and some of every other kind.
func crowd(n int) (all []reconcile.PendingUser) {
	for i := range n {
		switch {
		case i%11 == 3:
			all = append(all, user(i, "bad", verdict.NotSignedIn))
		case i%13 == 5:
			all = append(all, user(i, "u", verdict.NotSignedIn, unverified))
		case i%17 == 7:
			all = append(all, user(i, "u", verdict.Disabled))
		default:
			all = append(all, user(i, "u", verdict.NotSignedIn))
		}
	}
	return all
}

// must returns a value, or panics.
func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

const tailID = "tail-20261121T060000Z-4f1c"

// begin plans an import of those who have not signed in, and fixes it.
func (w *world) begin() tail.Plan {
	w.t.Helper()
	p, err := w.tail(nil).Plan(w.t.Context(), tail.Choice{Import: []verdict.Reason{verdict.NotSignedIn}})
	if err == nil {
		p, err = w.tail(nil).Create(w.t.Context(), tailID, p)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// execute does what the state machine does. wait is told of every step.
func execute(ctx context.Context, of *tail.Tail, wait func(tail.ImportOutput)) (out tail.CloseOutput, err error) {
	opened, err := of.Open(ctx, tail.OpenInput{Run: runID, ID: tailID, Execution: "arn"})
	if err != nil {
		return out, err
	}
	if opened.Held {
		return out, errHeld
	}
	for more := true; more; {
		written, err := of.Write(ctx, tail.WriteInput{Run: runID, ID: tailID})
		if err != nil {
			return out, err
		}
		more = written.More
	}
	for round := 0; ; round++ {
		step, err := of.Import(ctx, tail.ImportInput{Run: runID, ID: tailID})
		if err != nil {
			return out, err
		}
		if !step.More {
			break
		}
		if round > 200 {
			return out, errors.New("it never ends")
		}
		if wait != nil {
			wait(step)
		}
	}
	return of.Close(ctx, tail.CloseInput{Run: runID, ID: tailID})
}

var errHeld = errors.New("held")

// outcomes are what the import says of everybody, by sub.
func (w *world) outcomes() map[string]string {
	w.t.Helper()
	run, all := w.store(w.memory), map[string]string{}
	s, _, err := run.LoadTail(w.t.Context(), tailID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range s.Files {
		if f.Rows == 0 {
			continue
		}
		r := must(run.ReadTailResults(w.t.Context(), tailID, f.File))
		data := must(run.ReadTailObject(w.t.Context(), r.Rows))
		for _, row := range rowsOf(w.t, data) {
			if row.Outcome == tail.Left {
				continue
			}
			if all[row.Sub] != "" {
				w.t.Errorf("%s is %s and %s", row.Sub, all[row.Sub], row.Outcome)
			}
			all[row.Sub] = string(row.Outcome)
		}
	}
	for f, err := range w.tail(nil).Failures(w.t.Context(), tailID) {
		if err != nil {
			w.t.Fatal(err)
		}
		if f.Line == 0 {
			all[string(f.Sub)] = "refused: " + f.Reason
		} else if all[string(f.Sub)] != "failed" {
			w.t.Errorf("%s is %q and among the failures", f.Sub, all[string(f.Sub)])
		}
	}
	return all
}

// truth is what should have become of everybody.
func (w *world) truth() map[string]string {
	all := map[string]string{}
	for _, u := range w.people.users {
		switch {
		case u.Reason != verdict.NotSignedIn:
		case !u.User.Attributes.Verified("email"):
			all[string(u.Sub)] = "refused: no_verified_contact"
		case strings.HasPrefix(u.User.Username, "bad"):
			all[string(u.Sub)] = "failed"
		default:
			all[string(u.Sub)] = "imported"
		}
	}
	return all
}

// csvOf reads the CSV of a file.
func (w *world) csvOf(file int) []string {
	w.t.Helper()
	run := w.store(w.memory)
	f := must(run.ReadTailFile(w.t.Context(), tailID, file))
	lines := []string{}
	scanner := bufio.NewScanner(strings.NewReader(string(unzip(w.t, must(run.ReadTailObject(w.t.Context(), *f.CSV))))))
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines
}
