package demo

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"poolferry/tools/demo/sweep"
)

// Result is what a demo ends with: the JSON object of the command line's
// contract. Members are only ever added.
type Result struct {
	Version int      `json:"version"`
	Users   Users    `json:"users"`
	Seeding *Seeding `json:"seeding,omitempty"`
	SignIns SignIns  `json:"sign_ins"`
	// Reconciliation has every run, the last one last.
	Reconciliation []Reconciliation `json:"reconciliation,omitempty"`
	SignUps        SignUps          `json:"sign_ups"`
	Tail           *Tail            `json:"tail,omitempty"`
	Cutover        *Cutover         `json:"cutover,omitempty"`
	SecretsFound   int              `json:"secrets_found"`
	// Complete says that every user of the source has moved, was imported or is
	// excluded, and that the migration was ended.
	Complete bool `json:"complete"`

	// Surprises and Finds say what is behind Errors and SecretsFound, for people.
	Surprises []string     `json:"-"`
	Finds     []sweep.Find `json:"-"`
	// Returned counts the later sign-ins of users who had moved already. They
	// are no part of SignIns, since the migration has no part in them.
	Returned int `json:"-"`
}

// Users counts the users of both pools at the end.
type Users struct {
	Source int `json:"source"`
	Target int `json:"target"`
}

// SignIns counts what was typed at the target under a name that it did not know
// yet: sign-ins and requests for a new password. Attempted is the sum of
// Migrated, Refused and Errors, and Refused that of RefusedBy.
type SignIns struct {
	Attempted int            `json:"attempted"`
	Migrated  int            `json:"migrated"`
	Refused   int            `json:"refused"`
	RefusedBy map[string]int `json:"refused_by"` // by the outcome in the trigger's audit trail
	Errors    int            `json:"errors"`     // results that should not have been
	P50       float64        `json:"p50_ms"`     // as the person at the target waits for it
	P95       float64        `json:"p95_ms"`
	P99       float64        `json:"p99_ms"`
}

// SignUps counts registrations at the target while people were still to come.
type SignUps struct {
	Refused int `json:"refused"` // under a name of somebody who had not moved yet
	Allowed int `json:"allowed"` // under a name of nobody's
}

// OK reports whether everything was as it should be.
func (r Result) OK() bool { return r.SignIns.Errors == 0 && r.SecretsFound == 0 }

// Outcomes returns the reasons for refusals, the most frequent first.
func (s SignIns) Outcomes() []string {
	return slices.SortedFunc(maps.Keys(s.RefusedBy), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.RefusedBy[b], s.RefusedBy[a]), cmp.Compare(a, b))
	})
}

// maxSurprises bounds the surprises that are kept with their text.
const maxSurprises = 50

// tally collects results from concurrent people.
type tally struct {
	mu        sync.Mutex
	signIns   SignIns
	returned  int
	surprises []string
	waits     []time.Duration
}

func newTally() *tally {
	return &tally{signIns: SignIns{RefusedBy: make(map[string]int)}}
}

func (t *tally) migrated(wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signIns.Attempted++
	t.signIns.Migrated++
	t.waits = append(t.waits, wait)
}

func (t *tally) refused(outcome string, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signIns.Attempted++
	t.signIns.Refused++
	t.signIns.RefusedBy[outcome]++
	t.waits = append(t.waits, wait)
}

// failed counts an attempt that ended otherwise than it should.
func (t *tally) failed(what string, wait time.Duration) {
	t.mu.Lock()
	t.signIns.Attempted++
	t.waits = append(t.waits, wait)
	t.mu.Unlock()
	t.surprise(what)
}

// surprise counts something else that should not have been.
func (t *tally) surprise(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signIns.Errors++
	if len(t.surprises) < maxSurprises {
		t.surprises = append(t.surprises, what)
	}
}

func (t *tally) returnedOnce() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.returned++
}

// errors counts so far what should not have been.
func (t *tally) errors() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.signIns.Errors
}

// result closes the count.
func (t *tally) result() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.signIns
	s.P50, s.P95, s.P99 = ms(Percentile(t.waits, 50)), ms(Percentile(t.waits, 95)), ms(Percentile(t.waits, 99))
	return Result{Version: 1, SignIns: s, Surprises: t.surprises, Returned: t.returned}
}

// Percentile returns the time under which p percent of the times lie (nearest
// rank); zero where there are none.
func Percentile(times []time.Duration, p float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// ms is d in milliseconds with one decimal.
func ms(d time.Duration) float64 { return math.Round(d.Seconds()*1e4) / 10 }
