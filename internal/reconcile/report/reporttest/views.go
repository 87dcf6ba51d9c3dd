// Package reporttest has the views that the report is tested with and looked at:
// migrations at different times of their lives. Nothing in it is random.
package reporttest

import (
	"fmt"
	"math"
	"time"

	"poolferry/internal/manifest"
	"poolferry/internal/reconcile/forecast"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/report"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// Now is when all pages are made.
var Now = time.Date(2027, time.March, 12, 8, 5, 0, 0, time.UTC)

// Named is a view and what it is called in tests.
type Named struct {
	Name string
	View report.View
}

// Views returns a view for everything that a page can be.
func Views() []Named {
	return []Named{
		{"half-done", HalfDone()},
		{"complete", Complete()},
		{"stalled", Stalled()},
		{"partial", Partial()},
		{"first-run", FirstRun()},
		{"no-data", NoData()},
		{"hostile", Saying(Evil)},
		{"identities", Identities()},
		{"year", Year(10_000_000)},
	}
}

// migration is a view of a run whose share of moved users is a function of the
// days since its beginning.
type migration struct {
	users, days, perDay int // perDay: reconciliations
	share               func(day float64) float64
}

func (m migration) view() report.View {
	v := NoData()
	last := Now.Add(-time.Minute)
	excluded, vanished, own := m.users/80, m.users/400, m.users/60
	movable := m.users - excluded - vanished
	for i := range m.days*m.perDay + 1 {
		ended := last.Add(-time.Duration(m.days*m.perDay-i) * 24 * time.Hour / time.Duration(m.perDay))
		day := float64(i) / float64(m.perDay)
		moved := int(float64(movable) * m.share(day))
		pending := movable - moved
		p := progress.Point{
			ID: "r-" + ended.Format("20060102-1504"), Started: ended.Add(-4*time.Minute - time.Duration(i%37)*time.Second), Ended: ended,
			Generation: 2, Profiles: m.users,
			Verdicts: map[verdict.Verdict]int{
				verdict.Migrated: moved, verdict.Pending: pending, verdict.Excluded: excluded, verdict.MissingInSource: vanished, verdict.TargetOnly: own,
			},
			Percent: math.Floor(1000*float64(moved)/float64(movable)) / 10,
		}
		if pending > 0 {
			p.Reasons = reasons(pending)
			p.Findings = map[verdict.FindingKind]int{
				verdict.Drift: moved / 900, verdict.IdentityTaken: 1 + moved/9000, verdict.AliasCollision: 7, verdict.SchemaViolation: pending / 800, verdict.MFADowngrade: 31,
			}
			p.Critical = p.Findings[verdict.IdentityTaken]
		}
		if i%29 == 17 {
			p.Partial = []string{"manifest_stale"}
		}
		v.History.Points = append(v.History.Points, p)
	}
	v.Forecast.Daily = daily(v.History.Points)
	final, _ := v.History.Last()
	v.Reasons = map[verdict.Verdict]map[verdict.Reason]int{
		verdict.Migrated:        {verdict.SignedIn: final.Verdicts[verdict.Migrated] - 211, verdict.MustReset: 180, verdict.NotStaged: 31},
		verdict.Pending:         final.Reasons,
		verdict.Excluded:        {verdict.Federated: excluded},
		verdict.MissingInSource: {verdict.Vanished: vanished},
		verdict.TargetOnly:      {verdict.Own: own},
	}
	v.Seeding = report.Seeding{
		Generation: 2, Opened: Now.Add(-7 * time.Hour), Closed: Now.Add(-6*time.Hour - 12*time.Minute), Profiles: m.users, Estimate: m.users + 17,
		Shards: 17, Committed: 17,
	}
	return v
}

func reasons(pending int) map[verdict.Reason]int {
	temporary, unconfirmed, disabled, reset := pending/90, pending/18, pending/60, pending/35
	return map[verdict.Reason]int{
		verdict.TemporaryPassword: temporary, verdict.Unconfirmed: unconfirmed, verdict.Disabled: disabled, verdict.ResetRequired: reset,
		verdict.NotSignedIn: pending - temporary - unconfirmed - disabled - reset,
	}
}

// daily counts who moved on each day.
func daily(points []progress.Point) []forecast.Day {
	var days []forecast.Day
	before := points[0].Verdicts[verdict.Migrated]
	for _, p := range points[1:] {
		date := p.Ended.Truncate(24 * time.Hour)
		if len(days) == 0 || !days[len(days)-1].Date.Equal(date) {
			days = append(days, forecast.Day{Date: date})
		}
		days[len(days)-1].Moved += p.Verdicts[verdict.Migrated] - before
		before = p.Verdicts[verdict.Migrated]
	}
	return days
}

// wave makes fewer people sign in on some days of the week and at night.
func wave(day float64) float64 { return 0.06*math.Sin(2*math.Pi*day) + 0.35*math.Sin(2*math.Pi*day/7) }

// HalfDone is a migration on its way.
func HalfDone() report.View {
	v := migration{users: 49_006, days: 34, perDay: 4, share: func(day float64) float64 {
		return 1 - math.Exp(-(day+wave(day))/27.2)
	}}.view()
	v.Forecast.State, v.Forecast.PerDay = forecast.OnCourse, 612.4
	v.Forecast.Why = "The last two weeks brought 612 moves a day, and the rate falls by less than the days differ."
	v.Forecast.Earliest = time.Date(2027, time.March, 29, 0, 0, 0, 0, time.UTC)
	v.Forecast.Expected = time.Date(2027, time.April, 5, 0, 0, 0, 0, time.UTC)
	v.Forecast.Latest = time.Date(2027, time.April, 27, 0, 0, 0, 0, time.UTC)
	return v
}

// Complete is a migration that has ended.
func Complete() report.View {
	v := migration{users: 49_006, days: 61, perDay: 2, share: func(day float64) float64 {
		return math.Min(1, (1-math.Exp(-(day+wave(day))/14))*1.0202)
	}}.view()
	for i := range v.History.Points {
		v.History.Points[i].Complete = i >= len(v.History.Points)-2
	}
	v.Forecast.State = forecast.Complete
	return v
}

// Stalled is a migration that waiting does not end.
func Stalled() report.View {
	v := migration{users: 49_006, days: 90, perDay: 1, share: func(day float64) float64 { return 0.868 * (1 - math.Exp(-(day+wave(day))/16)) }}.view()
	v.Forecast.State, v.Forecast.PerDay, v.Forecast.Remaining = forecast.Slowing, 9.2, 6243
	v.Seeding.Stale, v.Seeding.Opened, v.Seeding.Closed = true, Now.Add(-75*time.Hour), Now.Add(-74*time.Hour)
	return v
}

// Partial is a migration whose last run is not to be believed, and whose seeding
// has failed.
func Partial() report.View {
	v := migration{users: 2_310, days: 5, perDay: 4, share: func(day float64) float64 { return (day + wave(day)/9) / 40 }}.view()
	points := v.History.Points
	last := &points[len(points)-1]
	last.Partial = []string{"shard_uncommitted", "bucket_missing"}
	last.Verdicts = map[verdict.Verdict]int{verdict.Migrated: 102, verdict.Pending: 811}
	last.Percent = 11.1
	points[len(points)-3].Partial, points[len(points)-3].Failure, points[len(points)-3].Verdicts = nil, "scan_denied", nil
	v.Forecast.State = forecast.TooEarly
	v.Seeding.Closed, v.Seeding.Committed = time.Time{}, 15
	v.Seeding.Failed = []report.FailedShard{{Shard: "profiles-a", Reason: "denied"}, {Shard: "members-staff", Reason: "throttled"}}
	return v
}

// FirstRun is a migration that was looked at once.
func FirstRun() report.View {
	v := migration{users: 480, perDay: 1, share: func(float64) float64 { return 0 }}.view()
	v.Forecast.State = forecast.TooEarly
	v.Reasons = nil
	return v
}

// NoData is a migration before its first run.
func NoData() report.View {
	return report.View{
		Now: Now, Run: "2027-03-prod",
		Source:   manifest.Pool{Region: "eu-west-1", ID: "eu-west-1_Kq3ZtR8aB"},
		Target:   manifest.Pool{Region: "eu-central-1", ID: "eu-central-1_9WmXcP2Ld"},
		History:  progress.History{Run: "2027-03-prod"},
		Forecast: forecast.Forecast{State: forecast.TooEarly},
	}
}

// Evil is what would run or break out of its place, were it not escaped.
const Evil = `</script><script>document.title="owned"</script><img src=x onerror=alert(1)>"'&amp;` + "`${1}` \u2028 -->{{.}}"

// Saying is a view with one text in the place of every text.
func Saying(text string) report.View {
	v := migration{users: 49_006, days: 12, perDay: 1, share: func(day float64) float64 { return day / 30 }}.view()
	v.Forecast.State, v.Forecast.PerDay, v.Forecast.Expected = forecast.OnCourse, 1600, Now.AddDate(0, 0, 18)
	v.Run = text
	v.Source, v.Target = manifest.Pool{Region: text, ID: text}, manifest.Pool{Region: text, ID: text}
	last := &v.History.Points[len(v.History.Points)-1]
	last.ID, last.Failure, last.Partial = text, text, []string{text}
	whole := &v.History.Points[len(v.History.Points)-2]
	whole.Reasons = map[verdict.Reason]int{verdict.Reason(text): whole.Verdicts[verdict.Pending]}
	whole.Findings = map[verdict.FindingKind]int{verdict.FindingKind(text): 3, verdict.Drift: 2}
	v.Reasons = map[verdict.Verdict]map[verdict.Reason]int{verdict.Pending: whole.Reasons}
	v.Forecast.Why = text
	v.Seeding.Failed = []report.FailedShard{{Shard: text, Reason: text}}
	v.Identities = []verdict.Finding{{
		Kind: verdict.FindingKind(text), Severity: verdict.Severity(text), SourceSub: userpool.Sub(text), TargetSub: userpool.Sub(text),
		Attributes: []string{text}, Detail: text,
	}}
	return v
}

// Identities is a view for the operator's own eyes.
func Identities() report.View {
	v := HalfDone()
	kinds := []verdict.FindingKind{verdict.IdentityTaken, verdict.Drift, verdict.MFADowngrade}
	for i := range report.MaxIdentities + 20 {
		kind := kinds[i%len(kinds)]
		f := verdict.Finding{
			Kind: kind, Severity: kind.Severity(), SourceSub: sub("51b2f0aa", i), TargetSub: sub("e29c41d7", i),
		}
		if kind == verdict.Drift {
			f.Attributes, f.Detail = []string{"email", "locale"}, "source_changed"
		}
		v.Identities = append(v.Identities, f)
	}
	return v
}

func sub(prefix string, i int) userpool.Sub {
	return userpool.Sub(fmt.Sprintf("%s-0c4e-4b1d-9a3f-%012x", prefix, 7919*i))
}

// Year is a large migration that was looked at for a year: every hour of the last
// sixty days and daily before, which is all that a history keeps. Its forecast is
// the real one.
func Year(users int) report.View {
	v := migration{users: users, days: 365, perDay: 24, share: func(day float64) float64 { return 0.97 * (1 - math.Exp(-(day+wave(day))/110)) }}.view()
	recent := len(v.History.Points) - 60*24
	var kept []progress.Point
	for i, p := range v.History.Points {
		if i >= recent || i%24 == 0 {
			kept = append(kept, p)
		}
	}
	v.History.Points = kept
	v.Forecast = forecast.From(kept, Now)
	return v
}
