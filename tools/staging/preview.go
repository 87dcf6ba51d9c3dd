package staging

import (
	"fmt"
	"io"
	"strings"
	"time"

	"poolferry/internal/manifest"
	"poolferry/internal/seeding"
	"poolferry/tools/typeset"
)

// pageSize is the most that Cognito lists in a page (Cognito API reference,
// ListUsers).
const pageSize = 60

// Pace is what the configuration allows.
type Pace struct {
	PerSecond   float64 // requests to list users
	Concurrency int     // batches at a time
}

// Preview is what an operator is shown before a seeding is started.
type Preview struct {
	Run         string
	Generation  int
	Source      manifest.Pool
	Target      manifest.Pool
	Estimate    int // users, as the pool says
	Staged      int // of them, already
	Pages       int // to read, about
	Pace        Pace
	PerSecond   float64 // pages, as far as they are known to be slower than the pace
	Shards      int     // 0: not known yet
	Duration    time.Duration
	UnderWay    time.Duration // since when a seeding that seems to be running has last moved; 0: none
	WasStopped  bool          // the stop switch is set, and will be cleared
	FailedCount int           // shards that are taken up again
}

// First is the preview of a run that has no plan yet.
func First(proposal seeding.Proposal, pace Pace) Preview {
	plan := proposal.Plan
	return Preview{
		Run: plan.Run, Generation: 1, Source: plan.Source, Target: plan.Target, Estimate: plan.Estimate,
		Pages: proposal.Pages, Pace: pace, PerSecond: proposal.Rate, Shards: len(plan.Shards), Duration: proposal.Duration,
	}
}

// movedLately is how long after its last move a seeding counts as running.
const movedLately = time.Minute

// GoOn is the preview of going on with a generation that is not closed.
func GoOn(s seeding.Status, pace Pace, now time.Time) Preview {
	p := again(s, pace)
	p.Generation, p.Staged = max(1, s.Generation), s.Profiles
	p.WasStopped, p.FailedCount = s.Stopped, len(s.Failed)
	if still := now.Sub(s.Updated); StandingOf(s) == Running && still < movedLately {
		p.UnderWay = max(still, 1)
	}
	p.expect()
	return p
}

// Next is the preview of a generation that follows a closed one.
func Next(s seeding.Status, pace Pace) Preview {
	p := again(s, pace)
	p.Generation, p.WasStopped = s.Generation+1, s.Stopped
	p.expect()
	return p
}

func again(s seeding.Status, pace Pace) Preview {
	p := Preview{Run: s.Run, Source: s.Source, Target: s.Target, Estimate: s.Estimate, Pace: pace, PerSecond: pace.PerSecond}
	for _, shard := range s.Shards {
		if shard.Content == manifest.Profiles {
			p.Shards++
		}
	}
	return p
}

// expect counts what is left at full pace.
func (p *Preview) expect() {
	p.Pages = (max(0, p.Estimate-p.Staged) + pageSize - 1) / pageSize
	p.Duration = time.Duration(float64(p.Pages) / p.PerSecond * float64(time.Second))
}

// WriteText writes the preview for a person. bucket is that of the manifest.
func (p Preview) WriteText(w io.Writer, bucket string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Seeding of run %s, generation %d\n", p.Run, p.Generation)
	typeset.Row(&b, "reads", "source pool %s", poolText(p.Source))
	typeset.Row(&b, "writes", "the manifest, runs/%s in bucket %s", p.Run, bucket)
	typeset.Row(&b, "leaves alone", "target pool %s: nothing is written to the target pool", poolText(p.Target))
	users := fmt.Sprintf("about %d", p.Estimate)
	if p.Staged > 0 {
		users += fmt.Sprintf(", of whom %d are staged", p.Staged)
	}
	typeset.Row(&b, "users", "%s", users)
	typeset.Row(&b, "to read", "about %d pages of %d users", p.Pages, pageSize)
	pace := fmt.Sprintf("at most %g requests/s", p.Pace.PerSecond)
	if p.PerSecond < p.Pace.PerSecond {
		pace += fmt.Sprintf("; the pool's answers allow %.3g", p.PerSecond)
	}
	typeset.Row(&b, "pace", "%s", pace)
	if p.Shards > 0 {
		typeset.Row(&b, "shards", "%d, %d at a time", p.Shards, min(p.Shards, p.Pace.Concurrency))
	}
	typeset.Row(&b, "takes", "about %s, memberships in groups aside", Span(p.Duration))
	if p.FailedCount > 0 {
		typeset.Row(&b, "takes up", "%d failed shards", p.FailedCount)
	}
	if p.WasStopped {
		typeset.Row(&b, "clears", "the stop switch")
	}
	if p.UnderWay > 0 {
		typeset.Row(&b, "beware", "a seeding moved %s ago and seems to be running: two do no harm, but together take up to twice the pace", Span(p.UnderWay))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
