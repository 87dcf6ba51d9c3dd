package telemetry

import (
	"context"
	"io"
	"slices"
	"time"

	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

// Recorder writes every decision of the migration trigger as a metric line and
// an audit line. It is safe for concurrent use.
type Recorder struct {
	lines lines
	run   string
	key   func() userpool.Secret
	now   func() time.Time
}

var _ trigger.Recorder = (*Recorder)(nil)

// NewRecorder returns a Recorder for a run. w gets one Write per line, one after
// the other; where a logger writes to it too, w must be safe for concurrent use,
// as os.Stdout is. key returns the key of NameHash, or an empty one as long as it
// is not known. now is asked for the time of a decision that has none.
func NewRecorder(w io.Writer, run string, key func() userpool.Secret, now func() time.Time) *Recorder {
	return &Recorder{lines: lines{w: w}, run: run, key: key, now: now}
}

// Record writes the two lines of a decision.
func (r *Recorder) Record(ctx context.Context, d trigger.Decision) {
	if d.At.IsZero() {
		d.At = r.now()
	}
	if !slices.Contains(trigger.Outcomes(), d.Outcome) {
		d.Outcome = unrecognised // a closed list, so that metrics stay a handful
	}
	times := timesOf(d)
	r.lines.write(r.metrics(d, times))
	r.lines.write(r.audit(ctx, d, times))
}

// Metrics of every decision. Beside these there is one for each outcome, under
// the outcome's name. failures counts what is ours or AWS's to repair; a
// lock-out is the source's answer to wrong passwords and none of it.
var (
	decisions = metric{"Decisions", count}
	failures  = metric{"Failures", count}
	totalTime = metric{"TotalTime", milliseconds}
	ownTime   = metric{"OwnTime", milliseconds} // total, less the waits for AWS
)

// metrics counts the decision by outcome, and its times by run and by outcome.
func (r *Recorder) metrics(d trigger.Decision, times []timed) map[string]any {
	failed := 0.0
	if d.Outcome.Failed() && d.Outcome != trigger.LockedOut {
		failed = 1
	}
	counts := []datum{{decisions, 1}, {failures, failed}, {metric{string(d.Outcome), count}, 1}}
	own := d.Total
	var latencies []datum
	for _, t := range times {
		own -= t.took
		latencies = append(latencies, datum{t.metric, ms(t.took)})
	}
	latencies = append(latencies, datum{totalTime, ms(d.Total)}, datum{ownTime, ms(max(own, 0))})
	return metricLine(d.At, map[string]string{dimensionRun: r.run, dimensionOutcome: string(d.Outcome)},
		group{[][]string{{dimensionRun}}, counts},
		group{[][]string{{dimensionRun}, {dimensionRun, dimensionOutcome}}, latencies})
}

func (r *Recorder) audit(ctx context.Context, d trigger.Decision, times []timed) auditLine {
	line := auditLine{
		Audit: "decision", Time: d.At.UTC(), Run: r.run, TriggerSource: triggerSource(d.TriggerSource),
		Outcome: string(d.Outcome), Reason: codeWord(d.Reason), SourceSub: codeWord(string(d.Sub)),
		NameHash: NameHash(r.key(), d.Name), ClientID: codeWord(d.ClientID), RequestID: codeWord(requestID(ctx)),
		TotalMS: ms(d.Total), StepMS: map[string]float64{}, Dropped: codeWords(d.Dropped), Code: codeWord(d.Code),
	}
	for _, t := range times {
		line.StepMS[string(t.name)] = ms(t.took)
	}
	return line
}

// triggerSource lets the two known sources through.
func triggerSource(source string) string {
	switch source {
	case "", trigger.SourceAuthentication, trigger.SourceForgotPassword:
		return source
	}
	return unrecognised
}

// steps are the waits for AWS that are told apart, and their metrics. The last
// entry takes every other.
var steps = [...]struct {
	name   trigger.StepName
	metric metric
}{
	{trigger.StepTarget, metric{"TargetTime", milliseconds}},
	{trigger.StepAuthenticate, metric{"AuthenticateTime", milliseconds}},
	{trigger.StepChallenge, metric{"ChallengeTime", milliseconds}},
	{trigger.StepLookup, metric{"LookupTime", milliseconds}},
	{"other", metric{"OtherTime", milliseconds}},
}

// timed is one entry of steps and the time that it took in one decision.
type timed struct {
	name   trigger.StepName
	metric metric
	took   time.Duration
}

// timesOf returns the steps of a decision in the order of steps, each once.
func timesOf(d trigger.Decision) []timed {
	var took [len(steps)]time.Duration
	var seen [len(steps)]bool
	for _, step := range d.Steps {
		at := len(steps) - 1
		for i, s := range steps {
			if s.name == step.Name {
				at = i
			}
		}
		took[at] += step.Took
		seen[at] = true
	}
	var times []timed
	for i, s := range steps {
		if seen[i] {
			times = append(times, timed{s.name, s.metric, took[i]})
		}
	}
	return times
}
