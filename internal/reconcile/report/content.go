package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"poolferry/internal/reconcile/forecast"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
)

// content is all text and numbers of a page, in its order.
type content struct {
	View
	Title    string
	Last     string // when the latest reconciliation ended
	Made     string
	Answer   answer
	Notices  []notice
	Figures  []figure
	Whence   string // which reconciliation the figures are of
	Charts   charts
	Verdicts []verdictRow
	Pending  []item
	Findings []item
	Runs     []runRow
	Older    int // runs that are not in Runs
	Staging  staging
	Finds    []identityRow
	Hidden   int // findings with ids that are not in Finds
}

// answer is where the migration stands, in a word, a number and a sentence.
type answer struct {
	State, Tone string
	Percent     string // without the sign; empty while nothing was counted
	Width       float64
	Sentence    string
	More        string
}

type notice struct {
	Tone, Title, Text string
	Points            []string
	After             string
}

// figure is one key figure.
type figure struct{ Name, Value, Note string }

// verdictRow is one reason of a verdict.
type verdictRow struct {
	Verdict, Means string // empty but in the first row of a verdict
	Rows           int    // of that verdict, in its first row
	Reason, Users  string
}

// item is a reason or a kind of finding, with what to do about it.
type item struct {
	Name, Count, Share string
	Width              float64
	Severity, Tone     string
	Means, Do          string
}

// runRow is one reconciliation.
type runRow struct {
	ID, Time, Took, Percent, Pending, Findings, Result, Tone string
	Why                                                      []string
}

type staging struct {
	State, Tone string
	Facts       []figure
	Failed      []FailedShard
}

type identityRow struct{ Kind, Severity, Tone, Source, Target, Attributes, Detail string }

// shownRuns is how many reconciliations are listed one by one.
const shownRuns = 20

func newContent(v View) content {
	c := content{View: v, Title: "Migration " + v.Run, Made: minute(v.Now)}
	last, ran := v.History.Last()
	figures, counted := v.History.Figures()
	if ran {
		c.Last = minute(last.Ended)
	}
	c.Answer = answerOf(v, figures, counted)
	c.Notices = noticesOf(v, last, ran, figures, counted)
	if counted {
		c.Whence = "Figures of the reconciliation of " + minute(figures.Ended)
		c.Figures = keyFigures(v, figures)
		c.Verdicts = verdictRows(v.Reasons)
		c.Pending = pendingItems(figures)
		c.Findings = findingItems(figures)
	}
	c.Charts = chartsOf(v, figures, counted)
	c.Runs, c.Older = runRows(v.History.Points, v.Now)
	c.Staging = stagingOf(v)
	c.Finds, c.Hidden = identityRows(v.Identities)
	return c
}

// moved counts who no longer depends on the source pool.
func moved(p progress.Point) int {
	return p.Verdicts[verdict.Migrated] + p.Verdicts[verdict.Imported]
}

// toMove counts who has moved or still can.
func toMove(p progress.Point) int { return moved(p) + p.Verdicts[verdict.Pending] }

func answerOf(v View, p progress.Point, counted bool) answer {
	if !counted {
		return answer{State: "Nothing counted yet", Sentence: "No reconciliation has counted anybody yet.", More: "Start one with poolferry reconcile run, or wait for the schedule."}
	}
	pending, f := p.Verdicts[verdict.Pending], v.Forecast
	a := answer{
		Percent: strings.TrimSuffix(percent(p.Percent), nbsp+"%"), Width: p.Percent,
		Sentence: percent(p.Percent) + " of " + count(toMove(p), "user") + " have moved.",
	}
	switch {
	case v.History.Complete():
		a.State, a.Tone = "Complete", "good"
		a.Sentence = "Complete: every one of " + count(p.Profiles, "staged user") + " is accounted for."
		a.More = "Two whole reconciliations in a row found nobody pending. The cut-over can begin."
		return a
	case pending == 0 && toMove(p) == 0:
		a.State = "Nobody to move"
		a.Sentence = "There is nobody to move: no staged user is pending."
		return a
	case pending == 0:
		a.State, a.Tone = "To be confirmed", "good"
		a.Sentence = "All of " + count(toMove(p), "user") + " have moved."
		a.More = "One more whole reconciliation has to confirm it."
		return a
	case f.State == forecast.TooEarly:
		a.State = "Too early to tell"
		a.More = "It is too early to say when the rest will have moved."
	case !f.Expected.IsZero():
		a.State, a.Tone, a.More = "On course", "good", "At today’s rate"
		if f.State == forecast.Slowing {
			a.State, a.Tone, a.More = "Slowing down", "warn", "The rate is falling; if it goes on like that,"
		}
		a.More += " the rest will have moved by " + date(f.Expected, v.Now) + between(f, v.Now) + "."
	case left(f, pending) > 0:
		a.State, a.Tone = "Will not end by waiting", "bad"
		a.More = "The migration will not end by waiting: " + leftOver(f, pending) + " will be left."
	default:
		a.State = "End unknown"
		a.More = "It cannot be said when the rest will have moved."
	}
	return a
}

// left is how many users stay behind for ever, as far as can be told.
func left(f forecast.Forecast, pending int) int {
	if f.State == forecast.Stalled {
		return cmp.Or(f.Remaining, pending)
	}
	return f.Remaining
}

// leftOver says how many that is.
func leftOver(f forecast.Forecast, pending int) string {
	n := left(f, pending)
	if n >= pending {
		return "all " + count(pending, "pending user")
	}
	return "about " + count(about(n), "user")
}

// between is the range of a forecast, in brackets.
func between(f forecast.Forecast, now time.Time) string {
	switch {
	case f.Earliest.IsZero() && f.Latest.IsZero():
		return ""
	case f.Latest.IsZero():
		return " (not before " + date(f.Earliest, now) + "; how late cannot be said)"
	case f.Earliest.IsZero():
		return " (at the latest by " + date(f.Latest, now) + ")"
	case date(f.Earliest, now) == date(f.Latest, now):
		return ""
	}
	return " (between " + date(f.Earliest, now) + " and " + date(f.Latest, now) + ")"
}

func noticesOf(v View, last progress.Point, ran bool, figures progress.Point, counted bool) []notice {
	var all []notice
	if len(v.Identities) > 0 {
		all = append(all, notice{Tone: "bad", Title: "This page contains user ids",
			Text: "It was made with --with-identities for the operator’s own eyes. Do not pass it on; without that flag the page names nobody."})
	}
	if ran && !last.Whole() {
		n := notice{Tone: "warn", Title: "The last run is partial", Text: "Its figures are not those of all users, because of:"}
		if last.Failure != "" {
			n.Tone, n.Title, n.Text = "bad", "The last run failed", "It ended at "+minute(last.Ended)+" because of:"
			n.Points = append(n.Points, phrase(last.Failure))
		}
		for _, why := range last.Partial {
			n.Points = append(n.Points, phrase(why))
		}
		if counted && figures.Whole() {
			n.After = "This page shows the last whole run instead, of " + minute(figures.Ended) + "."
		}
		all = append(all, n)
	}
	return all
}

func keyFigures(v View, p progress.Point) []figure {
	f, pending := v.Forecast, p.Verdicts[verdict.Pending]
	open := 0
	for _, n := range p.Findings {
		open += n
	}
	all := []figure{
		{"Moved", number(moved(p)), "of " + number(toMove(p)) + " to move"},
		{"Still pending", number(pending), mostPending(p)},
	}
	rate := figure{"Moves per day", "–", "not known yet"}
	if f.State != forecast.TooEarly {
		rate.Value, rate.Note = number(int(f.PerDay+0.5)), "at today’s rate"
	}
	end := figure{"Expected end", "–", "cannot be told yet"}
	switch {
	case v.History.Complete():
		end.Value, end.Note = "Reached", "nobody is pending"
	case pending == 0:
		end.Value, end.Note = "Next run", "has to confirm it"
	case !f.Expected.IsZero():
		end.Value, end.Note = date(f.Expected, v.Now), "in "+count(int(f.Expected.Sub(v.Now)/(24*time.Hour)), "day")
	case left(f, pending) > 0:
		end.Value, end.Note = "Not by waiting", leftOver(f, pending)+" will be left"
	}
	findings := figure{"Open findings", number(open), "none is critical"}
	if open == 0 {
		findings.Note = "nothing to look at"
	} else if p.Critical > 0 {
		findings.Note = number(p.Critical) + " critical"
	}
	latest := figure{"Last run took", span(p.Ended.Sub(p.Started)), ""}
	if last, ok := v.History.Last(); ok {
		latest.Value, latest.Note = span(last.Ended.Sub(last.Started)), "ended "+ago(last.Ended, v.Now)
	}
	return append(all, rate, end, findings, latest)
}

// mostPending is the reason that most pending users have.
func mostPending(p progress.Point) string {
	reasons := byCount(p.Reasons)
	if len(reasons) == 0 || p.Verdicts[verdict.Pending] == 0 {
		return "nobody is left"
	}
	return "most: " + strings.ToLower(phrase(string(reasons[0])))
}

// byCount lists the keys of counts, the largest count first.
func byCount[K ~string](counts map[K]int) []K {
	return slices.SortedFunc(maps.Keys(counts), func(a, b K) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
}

// names and tones are how the verdicts are called and coloured.
var (
	names = map[verdict.Verdict]string{verdict.Migrated: "Moved", verdict.TargetOnly: "Target’s own"}
	tones = map[verdict.Verdict]string{verdict.Migrated: "good", verdict.Imported: "accent", verdict.Pending: "warn"}
)

func nameOf(v verdict.Verdict) string { return cmp.Or(names[v], phrase(string(v))) }

func verdictRows(reasons map[verdict.Verdict]map[verdict.Reason]int) []verdictRow {
	var rows []verdictRow
	for _, v := range verdict.Verdicts() {
		for i, reason := range byCount(reasons[v]) {
			row := verdictRow{Reason: phrase(string(reason)), Users: number(reasons[v][reason])}
			if i == 0 {
				row.Verdict, row.Means, row.Rows = nameOf(v), v.Meaning(), len(reasons[v])
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func pendingItems(p progress.Point) []item {
	var items []item
	for _, reason := range byCount(p.Reasons) {
		n := p.Reasons[reason]
		items = append(items, item{
			Name: phrase(string(reason)), Count: number(n), Share: share(n, p.Verdicts[verdict.Pending]),
			Width: width(n, p.Verdicts[verdict.Pending]), Means: reason.Meaning(), Do: reason.Advice(),
		})
	}
	return items
}

// width is the length of a bar in percent; what exists can be seen.
func width(part, whole int) float64 {
	if part == 0 || whole == 0 {
		return 0
	}
	return max(1, float64(1000*part/whole)/10)
}

func toneOf(s verdict.Severity) string {
	switch s {
	case verdict.Critical:
		return "bad"
	case verdict.Warning:
		return "warn"
	}
	return ""
}

// findingItems lists the worst first; what this version does not know comes last.
func findingItems(p progress.Point) []item {
	var items []item
	for _, severity := range append(verdict.Severities(), "") {
		for _, kind := range byCount(p.Findings) {
			if kind.Severity() == severity && p.Findings[kind] > 0 {
				items = append(items, item{
					Name: phrase(string(kind)), Count: number(p.Findings[kind]), Severity: phrase(string(severity)), Tone: toneOf(severity),
					Means: kind.Meaning(), Do: kind.Advice(),
				})
			}
		}
	}
	return items
}

func runRows(points []progress.Point, now time.Time) (rows []runRow, older int) {
	for _, p := range slices.Backward(points) {
		if len(rows) == shownRuns {
			return rows, len(points) - shownRuns
		}
		row := runRow{
			ID: p.ID, Time: moment(p.Ended, now), Took: span(p.Ended.Sub(p.Started)), Percent: "–", Pending: "–", Findings: "–",
			Result: "Whole", Tone: "good",
		}
		if len(p.Verdicts) > 0 {
			open := 0
			for _, n := range p.Findings {
				open += n
			}
			row.Percent, row.Pending, row.Findings = percent(p.Percent), number(p.Verdicts[verdict.Pending]), number(open)
		}
		switch {
		case p.Failure != "":
			row.Result, row.Tone = "Failed", "bad"
			row.Why = append(row.Why, phrase(p.Failure))
		case len(p.Partial) > 0:
			row.Result, row.Tone = "Partial", "warn"
		case p.Complete:
			row.Result = "Complete"
		}
		for _, why := range p.Partial {
			row.Why = append(row.Why, phrase(why))
		}
		rows = append(rows, row)
	}
	return rows, 0
}

func stagingOf(v View) staging {
	s := v.Seeding
	if s.Generation == 0 {
		return staging{State: "Not started", Tone: "warn"}
	}
	out := staging{State: "Complete and fresh", Tone: "good", Failed: s.Failed}
	end := figure{"Closed", "Still open", ""}
	if !s.Closed.IsZero() {
		end = figure{"Closed", minute(s.Closed), ""}
	}
	switch {
	case len(s.Failed) > 0:
		out.State, out.Tone = count(len(s.Failed), "shard")+" failed", "bad"
	case s.Closed.IsZero():
		out.State, out.Tone = "In progress", "warn"
	case s.Stale:
		out.State, out.Tone = "Stale", "warn"
	}
	out.Facts = []figure{
		{"Generation", number(s.Generation), ""},
		{"Opened", minute(s.Opened), ""},
		end,
		{"Age", span(v.Now.Sub(s.Opened).Truncate(time.Minute)), ""},
		{"Staged users", number(s.Profiles), ""},
		{"Source’s own estimate", "–", ""},
		{"Shards finished", number(s.Committed) + " of " + number(s.Shards), ""},
		{"Shards failed", number(len(s.Failed)), ""},
	}
	if s.Estimate > 0 {
		out.Facts[5].Value = number(s.Estimate)
	}
	return out
}

func identityRows(findings []verdict.Finding) (rows []identityRow, hidden int) {
	shown := findings[:min(len(findings), MaxIdentities)]
	for _, f := range shown {
		rows = append(rows, identityRow{
			Kind: phrase(string(f.Kind)), Severity: phrase(string(f.Severity)), Tone: toneOf(f.Severity),
			Source: string(f.SourceSub), Target: string(f.TargetSub), Attributes: strings.Join(f.Attributes, ", "), Detail: phrase(f.Detail),
		})
	}
	return rows, len(findings) - len(shown)
}
