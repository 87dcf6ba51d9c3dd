// Package staging tells an operator where the seeding of a run stands: what it
// is going to do, how far it is, and how long it will take.
//
// Vocabulary: a preview is what an operator is shown before anything is
// started; a standing is where a seeding is, in a word; progress is a standing
// with the rate at which it moves; a screen shows progress. An EXPRESS execution
// cannot be asked, so all of this comes from the manifest.
package staging

import (
	"fmt"
	"math"
	"time"

	"poolferry/internal/manifest"
	"poolferry/internal/seeding"
)

// Standing is where a seeding is, in a word.
type Standing string

// The standings.
const (
	Running Standing = "running" // there is work left, and nobody has stopped it
	Done    Standing = "done"    // the generation is closed
	Failed  Standing = "failed"  // what is left are shards that were given up
	Stopped Standing = "stopped" // the stop switch is set
)

// StandingOf says where a seeding is.
//
//	closed   stop switch   shards                            standing
//	yes      any           any                               done
//	no       set           any                               stopped
//	no       not set       one has work, or none is failed   running
//	no       not set       one failed for want of a filter   running
//	no       not set       others                            failed
func StandingOf(s seeding.Status) Standing {
	switch {
	case s.Done:
		return Done
	case s.Stopped:
		return Stopped
	case len(s.Failed) == 0:
		return Running
	}
	for _, shard := range s.Shards {
		switch shard.State {
		case seeding.ShardWaiting, seeding.ShardOpen, seeding.ShardComplete:
			return Running
		case seeding.ShardFailed:
			if seeding.WantsSerial(shard.Reason) {
				return Running
			}
		case seeding.ShardCommitted:
		}
	}
	return Failed
}

// Progress is where a seeding stands and how fast it moves. As JSON it is the
// contract of seed status and seed watch.
type Progress struct {
	Version  int      `json:"version"` // 1
	Standing Standing `json:"standing"`
	seeding.Status
	PerSecond   float64 `json:"users_per_second,omitempty"` // 0: not known
	SecondsLeft int     `json:"seconds_left,omitempty"`     // 0: not known, or none
}

// NewProgress returns the progress of a seeding of which the rate is not known.
func NewProgress(s seeding.Status) Progress {
	return Progress{Version: 1, Standing: StandingOf(s), Status: s}
}

// percent of the users that are staged, as far as the pool's estimate tells.
func (p Progress) percent() int {
	if p.Estimate == 0 || p.Done {
		return 100
	}
	return min(99, 100*p.Profiles/p.Estimate)
}

// Left is the time that remains at this rate; 0 where that is not known.
func (p Progress) Left() time.Duration { return time.Duration(p.SecondsLeft) * time.Second }

// Summary is the progress on one line.
func (p Progress) Summary() string {
	text := fmt.Sprintf("%d of about %d users (%d %%), %d of %d shards committed", p.Profiles, p.Estimate, p.percent(), p.Committed, len(p.Shards))
	if p.Done {
		text = fmt.Sprintf("%d users, %d shards, all committed", p.Profiles, len(p.Shards))
	}
	if n := len(p.Failed); n > 0 {
		text += fmt.Sprintf(", %d failed", n)
	}
	if p.PerSecond > 0 {
		text += fmt.Sprintf(", %.3g users/s", p.PerSecond)
	}
	if p.SecondsLeft > 0 {
		text += fmt.Sprintf(", %s left", Span(p.Left()))
	}
	return text
}

// Share is about how many users a shard of profiles has; 0 where that is not
// known, as of memberships. The digits that subs begin with are all as likely.
func (p Progress) Share(shard seeding.ShardStatus) int {
	n := 0
	for _, s := range p.Shards {
		if s.Content == manifest.Profiles {
			n++
		}
	}
	if shard.Content != manifest.Profiles {
		return 0
	}
	return (p.Estimate + n - 1) / n
}

// stalledAfter is longer than any batch, its retries included, needs.
const stalledAfter = 4 * time.Minute

// Stalled says since when nothing moved, though the seeding is running; 0 where
// it does move.
func (p Progress) Stalled(now time.Time) time.Duration {
	last := p.Updated
	if last.IsZero() {
		last = p.Opened
	}
	if still := now.Sub(last); p.Standing == Running && !last.IsZero() && still > stalledAfter {
		return still
	}
	return 0
}

// Span writes a duration as people say it: to the second below an hour, to the
// minute above.
func Span(d time.Duration) string {
	switch {
	case d < time.Second:
		return "less than 1s"
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", math.Floor(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
}
