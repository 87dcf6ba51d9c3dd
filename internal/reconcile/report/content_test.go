package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/reconcile/forecast"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
)

var now = time.Date(2027, time.March, 1, 12, 0, 0, 0, time.UTC)

func day(n int) time.Time { return now.AddDate(0, 0, n).Truncate(24 * time.Hour) }

func point(n, migrated, pending int) progress.Point {
	return progress.Point{
		Started: day(n), Ended: day(n).Add(time.Hour), Profiles: migrated + pending, Percent: verdict.Percent(map[verdict.Verdict]int{verdict.Migrated: migrated, verdict.Pending: pending}),
		Verdicts: map[verdict.Verdict]int{verdict.Migrated: migrated, verdict.Pending: pending},
	}
}

func TestAnswer(t *testing.T) {
	half := point(-1, 713, 287)
	failed, partial := point(0, 0, 0), point(0, 1, 9)
	failed.Verdicts, failed.Failure = nil, "lease_lost"
	partial.Partial = []string{"shard_missing"}
	tests := []struct {
		name     string
		points   []progress.Point
		forecast forecast.Forecast
		state    string
		want     string
	}{
		{"nothing", nil, forecast.Forecast{}, "Nothing counted yet",
			"No reconciliation has counted anybody yet. Start one with poolferry reconcile run, or wait for the schedule."},
		{"failed alone", []progress.Point{failed}, forecast.Forecast{}, "Nothing counted yet",
			"No reconciliation has counted anybody yet. Start one with poolferry reconcile run, or wait for the schedule."},
		{"partial alone", []progress.Point{partial}, forecast.Forecast{State: forecast.TooEarly}, "Too early to tell",
			"10.0 % of 10 users have moved. It is too early to say when the rest will have moved."},
		{"partial after whole", []progress.Point{half, partial}, forecast.Forecast{State: forecast.TooEarly}, "Too early to tell",
			"71.3 % of 1,000 users have moved. It is too early to say when the rest will have moved."},
		{"on course", []progress.Point{half}, forecast.Forecast{State: forecast.OnCourse, Earliest: day(1), Expected: day(13), Latest: day(400)}, "On course",
			"71.3 % of 1,000 users have moved. At today’s rate the rest will have moved by 14 March (between 2 March and 4 April 2028)."},
		{"open end", []progress.Point{half}, forecast.Forecast{State: forecast.Slowing, Earliest: day(1), Expected: day(13)}, "Slowing down",
			"71.3 % of 1,000 users have moved. The rate is falling; if it goes on like that, the rest will have moved by 14 March (not before 2 March; how late cannot be said)."},
		{"no beginning", []progress.Point{half}, forecast.Forecast{State: forecast.OnCourse, Expected: day(13), Latest: day(14)}, "On course",
			"71.3 % of 1,000 users have moved. At today’s rate the rest will have moved by 14 March (at the latest by 15 March)."},
		{"sure", []progress.Point{half}, forecast.Forecast{State: forecast.OnCourse, Earliest: day(13), Expected: day(13), Latest: day(13)}, "On course",
			"71.3 % of 1,000 users have moved. At today’s rate the rest will have moved by 14 March."},
		{"flattens", []progress.Point{half}, forecast.Forecast{State: forecast.Slowing, Remaining: 62}, "Will not end by waiting",
			"71.3 % of 1,000 users have moved. The migration will not end by waiting: about 62 users will be left."},
		{"stalled", []progress.Point{half}, forecast.Forecast{State: forecast.Stalled}, "Will not end by waiting",
			"71.3 % of 1,000 users have moved. The migration will not end by waiting: all 287 pending users will be left."},
		{"unknown", []progress.Point{half}, forecast.Forecast{State: forecast.Slowing}, "End unknown",
			"71.3 % of 1,000 users have moved. It cannot be said when the rest will have moved."},
		{"almost", []progress.Point{point(0, 99_999, 1)}, forecast.Forecast{State: forecast.TooEarly}, "Too early to tell",
			"99.9 % of 100,000 users have moved. It is too early to say when the rest will have moved."},
		{"done once", []progress.Point{half, point(0, 1000, 0)}, forecast.Forecast{State: forecast.Complete}, "To be confirmed",
			"All of 1,000 users have moved. One more whole reconciliation has to confirm it."},
		{"complete", []progress.Point{point(-1, 1000, 0), point(0, 1000, 0)}, forecast.Forecast{State: forecast.Complete}, "Complete",
			"Complete: every one of 1,000 staged users is accounted for. Two whole reconciliations in a row found nobody pending. The cut-over can begin."},
		{"empty pool", []progress.Point{point(0, 0, 0)}, forecast.Forecast{State: forecast.Complete}, "Nobody to move",
			"There is nobody to move: no staged user is pending. "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := newContent(View{Now: now, History: progress.History{Points: tt.points}, Forecast: tt.forecast}).Answer
			if text := strings.ReplaceAll(got.Sentence+" "+got.More, nbsp, " "); got.State != tt.state || text != tt.want {
				t.Errorf("%s: %q\nwant %s: %q", got.State, text, tt.state, tt.want)
			}
		})
	}
}

func TestNotices(t *testing.T) {
	whole, partial, failed := point(-1, 1, 1), point(0, 1, 9), point(0, 0, 0)
	partial.Partial = []string{"shard_missing", "a sentence of two-fold sense"}
	failed.Verdicts, failed.Failure = nil, "scan_denied"
	tests := []struct {
		name   string
		points []progress.Point
		want   []string
	}{
		{"whole", []progress.Point{partial, whole}, nil},
		{"partial", []progress.Point{whole, partial},
			[]string{"The last run is partial", "Shard missing", "A sentence of two-fold sense", "This page shows the last whole run instead, of 28 February 2027, 01:00 UTC."}},
		{"partial alone", []progress.Point{partial}, []string{"The last run is partial", "Shard missing", "A sentence of two-fold sense"}},
		{"failed", []progress.Point{failed}, []string{"The last run failed", "Scan denied"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, n := range newContent(View{Now: now, History: progress.History{Points: tt.points}}).Notices {
				got = append(append(got, n.Title), n.Points...)
				if n.After != "" {
					got = append(got, n.After)
				}
			}
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], nbsp, " ")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{number(10_000_017), "10,000,017"},
		{count(1, "user"), "1 user"},
		{count(0, "user"), "0 users"},
		{number(about(0)), "0"},
		{number(about(99)), "99"},
		{number(about(995)), "1,000"},
		{number(about(6_249)), "6,200"},
		{number(about(290_291)), "290,000"},
		{percent(99.99), "99.9 %"},
		{percent(100), "100 %"},
		{percent(28.7), "28.7 %"}, // 28.7*10 is a little less than 287
		{share(1, 3), "33.3 %"},
		{share(0, 0), ""},
		{remainder(2, 3), "66.7 %"},
		{remainder(1, 1_000_000), "0.1 %"},
		{remainder(0, 9), "0.0 %"},
		{remainder(287, 1000), "28.7 %"},
		{date(now, now), "1 March"},
		{date(now.AddDate(1, 0, 0), now), "1 March 2028"},
		{minute(time.Time{}), "–"},
		{moment(now.AddDate(-1, 0, 0), now), "1 Mar 2026, 12:00"},
		{span(400 * time.Millisecond), "under 1 s"},
		{span(59 * time.Second), "59 s"},
		{span(4*time.Minute + 12*time.Second), "4 min 12 s"},
		{span(2 * time.Hour), "2 h"},
		{span(51*time.Hour + 59*time.Minute), "2 d 3 h"},
		{ago(now.Add(-30*time.Second), now), "just now"},
		{ago(now.Add(-61*time.Second), now), "1 min ago"},
		{phrase("mfa_downgrade"), "MFA downgrade"},
		{phrase("missing-in-source"), "Missing in source"},
		{phrase(""), ""},
		{phrase("éclair-x of"), "Éclair-x of"},
	} {
		if got := strings.ReplaceAll(tt.got, nbsp, " "); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
