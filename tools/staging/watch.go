package staging

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/seeding"
)

// Screen shows progress.
type Screen interface {
	// Show shows where the seeding stands; changed is false where only the
	// estimates moved.
	Show(p Progress, changed bool)

	// Say tells a line.
	Say(format string, args ...any)
}

// Watching is what Watch needs.
type Watching struct {
	// Look returns where the latest generation stands; its error is of kind
	// fault.NotFound where the run has no plan.
	Look       func(context.Context) (seeding.Status, error)
	Generation int // the least to wait for; 0 for whatever there is
	Interval   time.Duration
	Screen     Screen
	Now        func() time.Time
}

// patience is how long Watch waits for what an execution that was started this
// moment has to write first: plan and generation.
const patience = 2 * time.Minute

// tries is how many looks in a row may fail for a reason that passes.
const tries = 5

// Watch shows the progress of a seeding until it is no longer running, and
// returns where it then is. The error is that of the context where that ends
// first, of kind fault.NotFound where nothing appears.
func Watch(ctx context.Context, w Watching) (Progress, error) {
	v := &view{Watching: w, began: w.Now()}
	for {
		status, err := w.Look(ctx)
		if ctx.Err() != nil {
			return v.last, ctx.Err()
		}
		if done, err := v.see(status, err); done || err != nil {
			return v.last, err
		}
		select {
		case <-ctx.Done():
			return v.last, ctx.Err()
		case <-time.After(w.Interval):
		}
	}
}

// view is what was seen so far.
type view struct {
	Watching
	began   time.Time
	waiting bool // was told
	stalled bool // was told
	failed  int  // looks in a row
	samples []sample
	last    Progress
}

type sample struct {
	at       time.Time
	profiles int
}

func (v *view) see(status seeding.Status, err error) (done bool, _ error) {
	switch kind := fault.KindOf(err); {
	case err != nil && (kind == fault.Throttled || kind == fault.Unavailable):
		v.failed++
		if v.failed == tries {
			return true, err
		}
		v.Screen.Say("%v: trying again", err)
		return false, nil
	case err != nil && kind != fault.NotFound:
		return true, err
	case err == nil && status.Stopped && !status.Done:
	case err != nil || status.Generation < max(1, v.Generation):
		return v.wait(err)
	}
	v.failed = 0
	changed := v.last.Version == 0 || !reflect.DeepEqual(v.last.Status, status)
	v.last = v.progress(status)
	v.Screen.Show(v.last, changed)
	still := v.last.Stalled(v.Now())
	if still > 0 && !v.stalled {
		v.Screen.Say("Nothing has moved for %s: its execution may have ended. Started again, it goes on from the checkpoints.", Span(still))
	}
	v.stalled = still > 0
	return v.last.Standing != Running, nil
}

// wait is patient with what is not there yet.
func (v *view) wait(err error) (done bool, _ error) {
	what := "the plan"
	if err == nil {
		what = fmt.Sprintf("generation %d", max(1, v.Generation))
	}
	if v.Now().Sub(v.began) >= patience {
		return true, fault.New(fault.NotFound, "%s did not appear within %s: the execution has failed, or was not started", what, Span(patience))
	}
	if !v.waiting {
		v.Screen.Say("Waiting for %s, for %s at most.", what, Span(patience))
		v.waiting = true
	}
	return false, nil
}

// window is the time over which the rate is measured: checkpoints move at the
// end of batches, so that a shorter one would see jumps and rests.
const window = 2 * time.Minute

func (v *view) progress(status seeding.Status) Progress {
	p := NewProgress(status)
	now := v.Now()
	if status.Generation != v.last.Generation || status.Profiles < v.last.Profiles { // begun anew
		v.samples = nil
	}
	v.samples = append(v.samples, sample{now, status.Profiles})
	for len(v.samples) > 2 && now.Sub(v.samples[1].at) >= window {
		v.samples = v.samples[1:]
	}
	first := v.samples[0]
	took, staged := now.Sub(first.at).Seconds(), status.Profiles-first.profiles
	if took <= 0 || staged <= 0 || p.Standing == Done {
		return p
	}
	p.PerSecond = float64(staged) / took
	if left := status.Estimate - status.Profiles; left > 0 && p.Standing == Running {
		p.SecondsLeft = max(1, int(float64(left)/p.PerSecond))
	}
	return p
}
