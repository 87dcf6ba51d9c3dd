package forecast_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"poolferry/internal/reconcile/forecast"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
)

const day = 24 * time.Hour

var start = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)

// at makes a whole point; days after the start.
func at(days float64, migrated, pending int) progress.Point {
	ended := start.Add(time.Duration(days * float64(day)))
	return progress.Point{
		ID: fmt.Sprint(days), Started: ended.Add(-time.Minute), Ended: ended,
		Verdicts: map[verdict.Verdict]int{verdict.Migrated: migrated, verdict.Pending: pending},
	}
}

// along makes points at the given days of a curve of moved users, out of all.
func along(days []float64, all int, moved func(days float64) float64) (points []progress.Point) {
	for _, d := range days {
		n := min(all, int(math.Round(moved(d))))
		points = append(points, at(d, n, all-n))
	}
	return points
}

func every(step, until float64) (days []float64) {
	for i := 0; float64(i)*step <= until+1e-9; i++ {
		days = append(days, float64(i)*step)
	}
	return days
}

// decaying is the curve of a rate that starts with perDay and decays.
func decaying(perDay, decay float64) func(float64) float64 {
	return func(d float64) float64 { return perDay / decay * (1 - math.Exp(-decay*d)) }
}

func steady(perDay float64) func(float64) float64 {
	return func(d float64) float64 { return perDay * d }
}

func lastOf(points []progress.Point) time.Time { return points[len(points)-1].Ended }

// in is how many days after the start a date is.
func in(t time.Time) float64 { return t.Sub(start).Hours() / 24 }

func TestExactOnCurves(t *testing.T) {
	irregular := []float64{0, 0.2, 0.21, 1.9, 2, 4.5, 8, 8.01, 8.02, 9, 9.3, 12, 13.1, 14, 16.8, 20}
	tests := []struct {
		name      string
		days      []float64
		all       int
		curve     func(float64) float64
		state     forecast.State
		ends      float64 // days after the start; 0: never
		rate      float64 // at the last point
		remaining int
	}{
		{"steady, daily", every(1, 20), 100_000, steady(1_000), forecast.OnCourse, 100, 1_000, 0},
		{"steady, hourly", every(1.0/24, 20), 100_000, steady(1_000), forecast.OnCourse, 100, 1_000, 0},
		{"steady, irregular", irregular, 100_000, steady(1_000), forecast.OnCourse, 100, 1_000, 0},
		{"steady, weekly", every(7, 70), 1_000_000, steady(1_000), forecast.OnCourse, 1_000, 1_000, 0},
		{"steady, huge", every(1, 20), 1 << 50, steady(1 << 40), forecast.OnCourse, 1 << 10, 1 << 40, 0},
		{"decaying to the end, daily", every(1, 30), 18_000, decaying(1_000, 0.05), forecast.Slowing, 20 * math.Log(10), 1_000 * math.Exp(-1.5), 0},
		{"decaying short of the end, daily", every(1, 30), 25_000, decaying(1_000, 0.05), forecast.Slowing, 0, 1_000 * math.Exp(-1.5), 5_000},
		{"decaying short of the end, hourly", every(1.0/24, 30), 25_000, decaying(1_000, 0.05), forecast.Slowing, 0, 1_000 * math.Exp(-1.5), 5_000},
		{"decaying short of the end, irregular", irregular, 25_000, decaying(1_000, 0.05), forecast.Slowing, 0, 1_000 * math.Exp(-1), 5_000},
		{"decaying short of the end, weekly", every(7, 70), 25_000, decaying(1_000, 0.05), forecast.Slowing, 0, 1_000 * math.Exp(-3.5), 5_000},
		{"decaying fast", every(1, 7), 12_000, decaying(10_000, 1), forecast.Slowing, 0, 10_000 * math.Exp(-7), 2_000},
		{"decaying, huge", every(1, 30), 1 << 50, decaying(1e12, 0.05), forecast.Slowing, 0, 1e12 * math.Exp(-1.5), 1<<50 - 20e12},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			points := along(tt.days, tt.all, tt.curve)
			if tt.ends > 0 {
				if n := points[len(points)-1].Verdicts[verdict.Pending]; n == 0 {
					t.Fatal("the curve has ended already")
				}
			}
			f := forecast.From(points, lastOf(points))
			if f.State != tt.state {
				t.Fatalf("%s, want %s: %s", f.State, tt.state, f.Why)
			}
			if math.Abs(f.PerDay/tt.rate-1) > 0.03 {
				t.Errorf("%.1f a day, want %.1f", f.PerDay, tt.rate)
			}
			if math.Abs(float64(f.Remaining-tt.remaining)) > 0.02*float64(tt.remaining) {
				t.Errorf("%d remain, want %d: %s", f.Remaining, tt.remaining, f.Why)
			}
			switch {
			case tt.ends == 0 && !f.Expected.IsZero():
				t.Errorf("it never ends, but is expected after %.1f days", in(f.Expected))
			case tt.ends > 0 && math.Abs(in(f.Expected)-tt.ends) > 0.02*tt.ends:
				t.Errorf("expected after %.2f days, want %.2f", in(f.Expected), tt.ends)
			}
			check(t, f, lastOf(points))
			if sum := total(f); math.Abs(float64(sum-points[len(points)-1].Verdicts[verdict.Migrated])) > 0 {
				t.Errorf("%d moved by day, want %d", sum, points[len(points)-1].Verdicts[verdict.Migrated])
			}
		})
	}
}

func total(f forecast.Forecast) (sum int) {
	for _, d := range f.Daily {
		sum += d.Moved
	}
	return sum
}

// check holds for every forecast.
func check(t *testing.T, f forecast.Forecast, now time.Time) {
	t.Helper()
	for name, date := range map[string]time.Time{"earliest": f.Earliest, "expected": f.Expected, "latest": f.Latest} {
		if !date.IsZero() && date.Before(now) {
			t.Errorf("%s is in the past: %s before %s", name, date, now)
		}
	}
	switch {
	case f.Expected.IsZero() != f.Earliest.IsZero(), f.Expected.IsZero() && !f.Latest.IsZero():
		t.Errorf("dates do not go together: %s, %s, %s", f.Earliest, f.Expected, f.Latest)
	case f.Earliest.After(f.Expected), !f.Latest.IsZero() && f.Expected.After(f.Latest):
		t.Errorf("not in order: %s, %s, %s", f.Earliest, f.Expected, f.Latest)
	case f.State != forecast.OnCourse && f.State != forecast.Slowing && !f.Expected.IsZero():
		t.Errorf("%s has a date", f.State)
	case f.Remaining < 0 || math.IsNaN(f.PerDay) || math.IsInf(f.PerDay, 0) || f.PerDay < 0:
		t.Errorf("%d remain, %v a day", f.Remaining, f.PerDay)
	case (f.State == forecast.OnCourse || f.State == forecast.Slowing) && f.Expected.IsZero() != (f.Remaining > 0):
		t.Errorf("%s: date %s, and %d remain", f.State, f.Expected, f.Remaining)
	case f.Why == "" || strings.ContainsAny(f.Why, "%!") || strings.Contains(f.Why, "NaN"):
		t.Errorf("why: %q", f.Why)
	}
	for i, d := range f.Daily {
		if d.Moved < 0 || !d.Date.Equal(d.Date.Truncate(day)) || i > 0 && !d.Date.Equal(f.Daily[i-1].Date.Add(day)) {
			t.Errorf("day %d: %+v", i, d)
		}
	}
}

func TestStates(t *testing.T) {
	incomplete := at(5, 10, 990)
	incomplete.Partial = []string{"bucket_missing"}
	broken := at(6, 0, 0)
	broken.Failure, broken.Verdicts = "scan target: denied", nil
	imported := at(5, 100, 0)
	imported.Verdicts = map[verdict.Verdict]int{verdict.Migrated: 40, verdict.Imported: 60, verdict.Pending: 100}
	tests := []struct {
		name   string
		points []progress.Point
		want   forecast.State
		why    string // a part
	}{
		{"nothing", nil, forecast.TooEarly, "No reconciliation"},
		{"only a failure", []progress.Point{broken}, forecast.TooEarly, "No reconciliation"},
		{"one point", []progress.Point{at(0, 10, 90)}, forecast.TooEarly, "0.0 and 0"},
		{"one point, nobody pending", []progress.Point{at(0, 10, 0)}, forecast.Complete, "Nobody"},
		{"nobody at all", []progress.Point{at(0, 0, 0), at(1, 0, 0)}, forecast.Complete, "Nobody"},
		{"two at one time", []progress.Point{at(0, 10, 90), at(0, 50, 50)}, forecast.TooEarly, "so far"},
		{"two days", []progress.Point{at(0, 0, 1000), at(1, 100, 900), at(2, 200, 800)}, forecast.TooEarly, "2.0 and 200"},
		{"few moves", []progress.Point{at(0, 0, 1000), at(2, 10, 990), at(4, 19, 981)}, forecast.TooEarly, "4.0 and 19"},
		{"three days, twenty moves", []progress.Point{at(0, 0, 1000), at(3, 20, 980)}, forecast.OnCourse, "6.7 users a day"},
		{"nobody ever moved", []progress.Point{at(0, 0, 1000), at(1, 0, 1000), at(3, 0, 1000)}, forecast.Stalled, "3 days"},
		{"nobody moved for two days", []progress.Point{at(0, 0, 1000), at(1, 500, 500), at(3, 500, 500)}, forecast.OnCourse, ""},
		{"nobody moved for three days, hourly before", append(along(every(1.0/24, 5), 1000, steady(100)), at(8, 500, 500)), forecast.Stalled, "3 days"},
		{"nobody moved for four days, daily before", append(along(every(1, 5), 1000, steady(100)), at(9, 500, 500)), forecast.OnCourse, ""},
		{"nobody moved for five days, daily before", append(along(every(1, 5), 1000, steady(100)), at(10, 500, 500)), forecast.Stalled, "5 days"},
		{"partial points do not count", append(along(every(1, 4), 1000, steady(100)), incomplete, broken), forecast.OnCourse, "100 users a day"},
		{"imported users have moved", []progress.Point{at(0, 40, 160), imported}, forecast.OnCourse, "12 users a day"},
		{"the end is far away", along(every(1, 30), 1_000_000, steady(10)), forecast.OnCourse, "more than ten years"},
		{"fewer than before, once", []progress.Point{at(0, 0, 1000), at(1, 100, 900), at(2, 90, 910), at(3, 190, 810), at(4, 290, 710)}, forecast.OnCourse, "Once fewer"},
		{"fewer than before, twice", []progress.Point{at(0, 0, 1000), at(1, 100, 900), at(2, 90, 910), at(3, 190, 810), at(4, 180, 820), at(5, 290, 710)}, forecast.OnCourse, "2 times fewer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := start
			if len(tt.points) > 0 {
				now = lastOf(tt.points)
			}
			f := forecast.From(tt.points, now)
			if f.State != tt.want || !strings.Contains(f.Why, tt.why) {
				t.Errorf("%s: %s; want %s: %s", f.State, f.Why, tt.want, tt.why)
			}
			check(t, f, now)
		})
	}
}

func TestOverdue(t *testing.T) {
	points := along(every(1, 5), 600, steady(100))
	now := start.AddDate(0, 1, 0)
	f := forecast.From(points, now)
	if !f.Expected.Equal(now) || !f.Earliest.Equal(now) || !f.Latest.Equal(now) {
		t.Errorf("%s, %s, %s, want now, %s", f.Earliest, f.Expected, f.Latest, now)
	}
}

// TestNewProfilesAreNoMoves: people who sign up at the source make the end
// later, and the rate no higher.
func TestNewProfilesAreNoMoves(t *testing.T) {
	var points []progress.Point
	for d := range 15 {
		points = append(points, at(float64(d), 100*d, 10_000+50*d-100*d))
	}
	if f := forecast.From(points, lastOf(points)); math.Abs(f.PerDay-100) > 1 || total(f) != 1400 {
		t.Errorf("%.1f a day, %d in all", f.PerDay, total(f))
	}
}

// TestAfterThePeak: a start that was slow, or a campaign, says nothing of the
// end.
func TestAfterThePeak(t *testing.T) {
	fall := decaying(5_000, 0.08)
	moved := func(d float64) float64 {
		if d < 10 {
			return 100 * d
		}
		return 1_000 + fall(d-10)
	}
	points := along(every(1, 45), 80_000, moved)
	f := forecast.From(points, lastOf(points))
	if want := 80_000 - 1_000 - 5_000/0.08; f.State != forecast.Slowing || math.Abs(float64(f.Remaining)-want) > 0.03*want {
		t.Errorf("%s, %d remain, want about %.0f: %s", f.State, f.Remaining, want, f.Why)
	}
	if !strings.Contains(f.Why, "since 2026-03-1") || !strings.Contains(f.Why, "every 9 days") {
		t.Errorf("why: %s", f.Why)
	}
}

// TestRange: over many made-up migrations the end comes between the two dates
// about as often as promised, and decay is seen where it is and not where it is
// not.
func TestRange(t *testing.T) {
	const worlds = 400
	within, falsely := 0, 0
	for seed := range uint64(worlds) {
		r := rand.New(rand.NewPCG(seed, 5))
		const all, perDay = 6_000, 60
		moved, points := 0, []progress.Point{at(0, 0, all)}
		ended := 0.0
		for d := 1; ended == 0; d++ {
			if moved += chance(r, perDay); moved >= all {
				ended = float64(d)
			}
			if d <= 30 {
				points = append(points, at(float64(d), min(moved, all), all-min(moved, all)))
			}
		}
		f := forecast.From(points, lastOf(points))
		check(t, f, lastOf(points))
		if f.State == forecast.Slowing {
			falsely++
			continue
		}
		if in(f.Earliest) <= ended && ended-1 <= in(f.Latest) {
			within++
		}
	}
	t.Logf("of %d steady migrations %d were within the range, %d were taken for slowing", worlds, within, falsely)
	if within < worlds*7/10 || within > worlds*95/100 || falsely > worlds/12 {
		t.Errorf("of %d steady migrations %d were within the range, %d were taken for slowing", worlds, within, falsely)
	}
	seen := 0
	for seed := range uint64(worlds) {
		r := rand.New(rand.NewPCG(seed, 6))
		moved, points := 0, []progress.Point{at(0, 0, 6_000)}
		for d := 1; d <= 30; d++ {
			moved += chance(r, 200*math.Exp(-0.05*float64(d)))
			points = append(points, at(float64(d), moved, 6_000-moved))
		}
		if f := forecast.From(points, lastOf(points)); f.State == forecast.Slowing && f.Expected.IsZero() {
			seen++
		}
	}
	t.Logf("of %d slowing migrations %d were told", worlds, seen)
	if seen < worlds*95/100 {
		t.Errorf("of %d slowing migrations only %d were told", worlds, seen)
	}
}

// chance draws a count (Poisson) of a mean.
func chance(r *rand.Rand, mean float64) (n int) {
	for left := r.ExpFloat64(); left < mean; left += r.ExpFloat64() {
		n++
	}
	return n
}

// TestAnything: no history makes it panic or contradict itself, thinned or not.
func TestAnything(t *testing.T) {
	seen := map[forecast.State]int{}
	for seed := range uint64(2_000) {
		r := rand.New(rand.NewPCG(seed, 7))
		scale := math.Pow(10, float64(r.IntN(13)))
		all := int(scale * (1 + r.Float64()))
		gap := math.Pow(10, r.Float64()*5-4) // from seconds to ten days
		habit := r.IntN(5)
		moved, d := 0, 0.0
		h := progress.New("r")
		for range r.IntN(120) {
			switch d += gap * r.ExpFloat64(); habit {
			case 0: // nobody
			case 1: // anybody
				moved = r.IntN(all + 1)
			case 2: // a part of who is left
				moved += int(float64(all-moved) * r.Float64() * 0.2)
			case 3: // some
				moved = min(all, moved+r.IntN(1+all/100))
			case 4: // seldom one
				moved = min(all, moved+r.IntN(20)/19)
			}
			p := at(d, moved, all-moved)
			switch r.IntN(20) {
			case 0:
				p.Partial = []string{"x"}
			case 1:
				p.Failure = "x"
			case 2:
				p.Verdicts = nil
			}
			if h = h.Append(p); r.IntN(10) == 0 {
				h = h.Append(p)
			}
		}
		now := start.Add(time.Duration((d + r.NormFloat64()) * float64(day)))
		f := forecast.From(h.Points, now)
		if seen[f.State]++; t.Failed() {
			t.Fatalf("seed %d: %+v", seed-1, f)
		}
		check(t, f, now)
	}
	for _, state := range forecast.States() {
		if seen[state] == 0 {
			t.Errorf("no history was %s: this test does not try it", state)
		}
	}
}

// TestThinned: that days of long ago have one point each makes no difference.
func TestThinned(t *testing.T) {
	points := along(every(1.0/24, 100), 120_000, decaying(4_000, 0.04))
	h := progress.New("r")
	for i, p := range points {
		if i < len(points)-3 {
			h.Points = append(h.Points, p)
			continue
		}
		h = h.Append(p)
	}
	full, thin := forecast.From(points, lastOf(points)), forecast.From(h.Points, lastOf(points))
	if len(h.Points) >= len(points) {
		t.Fatal("nothing was thinned")
	}
	if full.State != thin.State || math.Abs(float64(full.Remaining-thin.Remaining)) > 0.01*float64(full.Remaining) {
		t.Errorf("full: %s; thinned: %s", full.Why, thin.Why)
	}
}

func BenchmarkFrom(b *testing.B) {
	points := along(every(0.2, 400), 1_000_000, decaying(4_000, 0.01))
	for b.Loop() {
		forecast.From(points, lastOf(points))
	}
}

// TestPeakDay: one day of many moves, such as an announcement, and a steady rate
// since are no decay.
func TestPeakDay(t *testing.T) {
	moved := func(d float64) float64 { return min(d, 1)*5_000 + max(0, d-1)*100 }
	points := along(every(1, 10), 20_000, moved)
	if f := forecast.From(points, lastOf(points)); f.State != forecast.OnCourse || math.Abs(f.PerDay-100) > 1 {
		t.Errorf("%s, %.1f a day: %s", f.State, f.PerDay, f.Why)
	}
}
