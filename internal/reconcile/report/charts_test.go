package report

import (
	"math"
	"testing"
	"time"

	"poolferry/internal/reconcile/forecast"
	"poolferry/internal/reconcile/progress"
)

func TestThinKeepsEndsAndShape(t *testing.T) {
	var points []progress.Point
	for i := range 5000 {
		p := point(0, i, 5000-i)
		p.Ended = now.Add(time.Duration(i*i) * time.Minute) // ever rarer
		points = append(points, p)
	}
	thinned := thin(points, drawnPoints)
	if len(thinned) > drawnPoints || len(thinned) < drawnPoints/2 {
		t.Errorf("%d points are drawn", len(thinned))
	}
	first, last := thinned[0], thinned[len(thinned)-1]
	if moved(first) != 0 || moved(last) != 4999 {
		t.Errorf("drawn from %d to %d moved", moved(first), moved(last))
	}
	for i, p := range thinned[1:] {
		if !p.Ended.After(thinned[i].Ended) {
			t.Fatalf("point %d is out of order", i+1)
		}
	}
	if same := thin(points[:drawnPoints], drawnPoints); len(same) != drawnPoints {
		t.Errorf("%d of few points are drawn", len(same))
	}
	burst := make([]progress.Point, 300) // all at one time
	if one := thin(burst, drawnPoints); len(one) > drawnPoints {
		t.Errorf("%d of a burst are drawn", len(one))
	}
}

func TestCurve(t *testing.T) {
	partial := point(-5, 1, 1)
	partial.Partial = []string{"stale"}
	points := []progress.Point{point(-10, 0, 1000), partial, point(0, 500, 500)}
	look := func(f forecast.Forecast) *curve {
		return curveOf(View{Now: now, History: progress.History{Points: points}, Forecast: f})
	}
	tests := []struct {
		name     string
		forecast forecast.Forecast
		line     float64 // percent at its end
		mark     bool
		band     bool
		low      float64 // lower percent at the end of the band
	}{
		{"in sight", forecast.Forecast{State: forecast.OnCourse, Earliest: day(8), Expected: day(10), Latest: day(20)}, 100, true, true, 100},
		{"far", forecast.Forecast{State: forecast.OnCourse, Earliest: day(200), Expected: day(300), Latest: day(400)}, 55, false, true, 53.75},
		{"open", forecast.Forecast{State: forecast.Slowing, Earliest: day(8), Expected: day(10)}, 100, true, true, 50},
		{"flattens", forecast.Forecast{State: forecast.Slowing, PerDay: 200, Remaining: 200}, 80, false, false, 0},
		{"flat", forecast.Forecast{State: forecast.Stalled}, 50, false, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := look(tt.forecast)
			o := c.Forecast
			if len(c.Points) != 2 || len(c.Partial) != 1 || o == nil {
				t.Fatalf("curve %+v", c)
			}
			if end := o.Line[len(o.Line)-1]; math.Abs(end[1]-tt.line) > 0.5 || int64(end[0]) > c.Domain[1] {
				t.Errorf("the line ends at %v of %v, want %v %%", end, c.Domain, tt.line)
			}
			if (o.Mark != nil) != tt.mark || len(o.Band) > 0 != tt.band {
				t.Fatalf("mark %v, band %v", o.Mark, o.Band)
			}
			if tt.band {
				if begin := o.Band[0]; begin != [3]float64{float64(points[2].Ended.Unix()), 50, 50} {
					t.Errorf("the band begins at %v", begin)
				}
				if end := o.Band[len(o.Band)-1]; math.Abs(end[1]-tt.low) > 0.5 {
					t.Errorf("the band ends at %v, want from %v %%", end, tt.low)
				}
			}
		})
	}
	if c := look(forecast.Forecast{State: forecast.TooEarly}); c.Forecast != nil {
		t.Error("a forecast is drawn although it is too early for one")
	}
	if c := curveOf(View{Now: now, History: progress.History{Points: points[:2]}}); c != nil {
		t.Errorf("one whole run is drawn: %+v", c)
	}
}

func TestRise(t *testing.T) {
	for _, tt := range []struct{ after, length, height, slope, least, most float64 }{
		{0, 100, 50, 1, 0, 0},
		{100, 100, 50, 1, 50, 50},
		{50, 100, 50, 0.5, 25, 25},   // the slope is just what it takes
		{50, 100, 50, 0, 25, 25},     // no slope is known
		{50, 100, 50, 0.1, 25, 25},   // too flat for a decay
		{50, 100, 50, 1, 30, 45},     // steeper at first
		{1, 100, 50, 1, 0.95, 1},     // and that is how it begins
		{50, 100, 50, 1e9, 49.9, 50}, // all at once
		{1, 0, 50, 1, 50, 50},
	} {
		if got := rise(tt.after, tt.length, tt.height, tt.slope); got < tt.least-1e-3 || got > tt.most+1e-3 {
			t.Errorf("rise(%v, %v, %v, %v) = %v, want %v to %v", tt.after, tt.length, tt.height, tt.slope, got, tt.least, tt.most)
		}
	}
}

func TestMovesByWeek(t *testing.T) {
	var days []forecast.Day
	for n := range drawnDays + 10 {
		days = append(days, forecast.Day{Date: day(n - drawnDays - 9), Moved: 1})
	}
	m := movesOf(View{Now: now, Forecast: forecast.Forecast{Daily: days}})
	total := 0
	for i, row := range m.Rows {
		total += row[1].(int)
		if start := time.Unix(row[0].(int64), 0).UTC(); start.Weekday() != time.Monday {
			t.Errorf("bar %d begins on %s", i, start)
		}
		if open := i == len(m.Rows)-1; row[3] != open {
			t.Errorf("bar %d is not over: %v", i, row[3])
		}
	}
	if m.Days != 7 || total != len(days) {
		t.Errorf("%d days a bar, %d moves, want %d", m.Days, total, len(days))
	}
	m = movesOf(View{Now: now, Forecast: forecast.Forecast{Daily: days[len(days)-10:]}})
	if m.Days != 1 || m.Rows[5][2] != nil || m.Rows[6][2] != 1.0 || m.Rows[9][2] != nil {
		t.Errorf("means of %v", m.Rows)
	}
	if m := movesOf(View{Now: now}); m != nil {
		t.Errorf("moves of nothing: %+v", m)
	}
}
