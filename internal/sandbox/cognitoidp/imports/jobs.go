// Package imports is the user import jobs of user pools: a CSV file is uploaded
// to a pre-signed URL, a job reads it in the background, and what became of each
// row is in a log stream of CloudWatch Logs, by line number.
//
// Vocabulary: a job is active from its start to its end, and an account has one
// active job at most; a row is a line behind the header; a verdict is what the log
// says of a row. Rules are those of the Developer Guide, importing users into user
// pools from a CSV file; no trigger runs and nobody becomes an active user.
package imports

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"poolferry/internal/sandbox/cognitoidp/account"
	"poolferry/internal/sandbox/cognitoidp/listing"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/wire"
)

// Destination is the log stream of a job.
type Destination struct {
	PoolARN         string // on whose behalf it is written
	RoleARN         string // in which Cognito writes
	Account, Region string
	Group, Stream   string
}

// Log opens a log stream. The error is that of a role that Cognito cannot assume
// or that may not write.
type Log func(Destination) (write func(messages []string) error, err error)

// Pace is how fast jobs are: AWS promises nothing.
type Pace struct {
	Pending       time.Duration // between the start of a job and its first row; 0 means 200 ms
	RowsPerSecond float64       // 0 means 2,000
}

// batch is how often a job shows progress and can be stopped.
const batch = 100 * time.Millisecond

// The states of a job.
const (
	stateCreated    = "Created"
	statePending    = "Pending"
	stateInProgress = "InProgress"
	stateStopping   = "Stopping"
	stateStopped    = "Stopped"
	stateSucceeded  = "Succeeded"
	stateFailed     = "Failed"
	stateExpired    = "Expired"
)

// Limits (Developer Guide; Cognito quotas page). A job that nobody starts expires
// after 24 to 48 hours: here after 24.
const (
	mostJobs   = 1000 // of a pool
	urlLife    = 15 * time.Minute
	createLife = 24 * time.Hour
)

// A job gives up when most rows of those that it has read failed or were skipped.
// AWS does not say what too many is; its own example has five of five.
const fewestBad = 5

const (
	messageTooMany = "Too many users have failed or been skipped during the import."
	messageStopped = "The Import Job was stopped by the developer."
)

// job is one import job; Jobs.mu guards what changes.
type job struct {
	id, name, role string
	pool           *pool.Pool
	created        time.Time

	state     string
	started   time.Time
	completed time.Time
	message   string
	counts    map[verdict]int
	file      []byte // that was uploaded, nil before and after
}

// Jobs are the import jobs of all pools. It is safe for concurrent use.
type Jobs struct {
	accounts *account.Accounts
	lists    *listing.Lists
	log      Log
	pace     Pace
	endpoint func(region string) string
	now      func() time.Time
	key      [32]byte // of the signatures of URLs

	life context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	mu     sync.Mutex
	byPool map[string][]*job // in the order of their creation
	active map[string]*job   // by account
}

// New returns Jobs of nobody. endpoint is the base URL to which files are
// uploaded; log is nil where there is no CloudWatch Logs, and then every job
// fails.
func New(accounts *account.Accounts, lists *listing.Lists, log Log, pace Pace, endpoint func(region string) string, now func() time.Time) *Jobs {
	if pace.Pending == 0 {
		pace.Pending = 200 * time.Millisecond
	}
	if pace.RowsPerSecond == 0 {
		pace.RowsPerSecond = 2000
	}
	j := &Jobs{accounts: accounts, lists: lists, log: log, pace: pace, endpoint: endpoint, now: now, byPool: map[string][]*job{}, active: map[string]*job{}}
	j.life, j.stop = context.WithCancel(context.Background())
	_, _ = rand.Read(j.key[:]) // never fails
	return j
}

// Close ends the jobs that are running and waits for them.
func (j *Jobs) Close() {
	j.stop()
	j.work.Wait()
}

// Wait waits until no job is active.
func (j *Jobs) Wait() { j.work.Wait() }

// Busy refuses to change a pool while a job fills it.
func (j *Jobs) Busy(p *pool.Pool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if at := j.active[p.Account]; at != nil && at.pool == p {
		return pool.Fail("UserImportInProgressException", "A user import job is in progress for user pool %s", p.ID)
	}
	return nil
}

// find returns a job of a pool, which may have expired; j.mu is held.
func (j *Jobs) find(p *pool.Pool, id string) (*job, error) {
	all := j.byPool[p.ID]
	i := slices.IndexFunc(all, func(a *job) bool { return a.id == id })
	if i < 0 {
		return nil, pool.Fail("ResourceNotFoundException", "User import job %s does not exist.", id)
	}
	all[i].expire(j.now())
	return all[i], nil
}

// expire ends a job that was created and never started.
func (a *job) expire(now time.Time) {
	if a.state == stateCreated && !now.Before(a.created.Add(createLife)) {
		a.state, a.file = stateExpired, nil
	}
}

// begin makes a job active, or says why it cannot be; j.mu is held.
func (j *Jobs) begin(a *job) error {
	precondition := func(format string, args ...any) error {
		return pool.Fail("PreconditionNotMetException", format, args...)
	}
	switch {
	case a.state != stateCreated:
		return precondition("User import job %s cannot be started: its status is %s", a.id, a.state)
	case a.file == nil:
		return precondition("No csv file was uploaded for %s", a.id)
	case len(a.pool.State().Settings.AutoVerifiedAttributes) == 0:
		return precondition("The user pool must have at least one auto verified attribute")
	case j.active[a.pool.Account] != nil:
		return precondition("Only one user import job can be active at a time per account")
	case j.life.Err() != nil:
		return wire.Errorf(http.StatusServiceUnavailable, "InternalErrorException", "The sandbox is closing")
	}
	a.state, a.started = statePending, j.now()
	j.active[a.pool.Account] = a
	file := a.file
	j.work.Go(func() { j.run(a, file) })
	return nil
}

// end ends an active job; j.mu is not held.
func (j *Jobs) end(a *job, state, message string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	a.state, a.message, a.completed, a.file = state, message, j.now(), nil
	delete(j.active, a.pool.Account)
}

// goes moves a job on to a state and reports whether it goes on: not where it was
// stopped, and then it has ended.
func (j *Jobs) goes(a *job, state string) bool {
	j.mu.Lock()
	stopped := a.state == stateStopping || j.life.Err() != nil
	if !stopped {
		a.state = state
	}
	j.mu.Unlock()
	if stopped {
		j.end(a, stateStopped, messageStopped)
	}
	return !stopped
}

// sleep returns early when the sandbox closes, which stops the job.
func (j *Jobs) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-j.life.Done():
	}
}

// run carries out a job.
func (j *Jobs) run(a *job, data []byte) {
	j.sleep(j.pace.Pending)
	if !j.goes(a, stateInProgress) {
		return
	}
	write, err := j.open(a)
	if err != nil {
		j.end(a, stateFailed, "The CloudWatch Logs role cannot be assumed or may not write the log.")
		return
	}
	f, err := open(data, Header(a.pool.State().Schema))
	if err != nil {
		j.end(a, stateFailed, "The CSV file could not be parsed: "+err.Error()+".")
		return
	}
	size := max(1, int(j.pace.RowsPerSecond*batch.Seconds()))
	var messages []string
	counts := map[verdict]int{}
	flush := func() (goes bool) {
		if err := write(messages); err != nil {
			j.end(a, stateFailed, "The CloudWatch Logs role may no longer write the log.")
			return false
		}
		j.mu.Lock()
		for v, n := range counts {
			a.counts[v] += n
		}
		bad, all := a.counts[failed]+a.counts[skipped], a.counts[failed]+a.counts[skipped]+a.counts[succeeded]
		j.mu.Unlock()
		if bad >= fewestBad && 2*bad > all {
			j.end(a, stateFailed, messageTooMany)
			return false
		}
		j.sleep(time.Duration(float64(len(messages)) / j.pace.RowsPerSecond * float64(time.Second)))
		messages = nil
		clear(counts)
		return j.goes(a, stateInProgress)
	}
	for number, line := range f.lines() {
		v, why := j.importRow(a.pool, f, line)
		messages = append(messages, fmt.Sprintf("[%s] Line Number %d - %s", v, number, why))
		counts[v]++
		if len(messages) == size && !flush() {
			return
		}
	}
	if len(messages) == 0 || flush() {
		j.end(a, stateSucceeded, "")
	}
}

// open opens the log of a job (Developer Guide, viewing the user pool import
// results).
func (j *Jobs) open(a *job) (func([]string) error, error) {
	if j.log == nil {
		return nil, fmt.Errorf("the sandbox has no CloudWatch Logs")
	}
	p := a.pool
	return j.log(Destination{PoolARN: p.ARN(), RoleARN: a.role, Account: p.Account, Region: p.Region,
		Group: "/aws/cognito/userpools/" + p.ID + "/" + p.State().Name, Stream: a.id + "/" + a.name})
}
