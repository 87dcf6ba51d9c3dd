package progress_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
)

var start = time.Date(2026, 1, 5, 3, 0, 0, 0, time.UTC)

// point is whole, with so many migrated and pending users.
func point(id string, ended time.Time, migrated, pending int) progress.Point {
	return progress.Point{
		ID: id, Started: ended.Add(-10 * time.Minute), Ended: ended, Generation: 2, Profiles: migrated + pending + 3,
		Verdicts: map[verdict.Verdict]int{verdict.Migrated: migrated, verdict.Pending: pending, verdict.Excluded: 3},
	}
}

func partial(p progress.Point, why ...string) progress.Point {
	p.Partial = why
	return p
}

func failed(p progress.Point, why string) progress.Point {
	p.Failure, p.Verdicts = why, nil
	return p
}

func ids(h progress.History) string {
	var all []string
	for _, p := range h.Points {
		all = append(all, p.ID)
	}
	return strings.Join(all, " ")
}

func TestGolden(t *testing.T) {
	p := point("run-2", start.Add(time.Hour), 2, 1)
	p.Reasons = map[verdict.Reason]int{verdict.NotSignedIn: 1}
	p.Findings, p.Critical = map[verdict.FindingKind]int{verdict.IdentityTaken: 1, verdict.Drift: 2}, 1
	h := progress.New("2026-prod").
		Append(failed(point("run-1", start, 0, 0), "scan target: shard 0a: throttled")).
		Append(p).
		Append(partial(point("run-3", start.Add(2*time.Hour), 3, 0), "basis_stale")).
		Append(point("run-4", start.Add(3*time.Hour), 3, 0)).
		Append(point("run-5", start.Add(4*time.Hour), 3, 0))
	got, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("testdata", "progress.json")
	if os.Getenv("POOLFERRY_UPDATE") != "" {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; POOLFERRY_UPDATE=1 writes it)\n%s", name, diff)
	}
	again, err := progress.Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h, again); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEmpty(t *testing.T) {
	h := progress.New("r")
	data, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := progress.Decode(data)
	if err != nil || again.Of("r") != nil || fault.KindOf(again.Of("x")) != fault.Invalid {
		t.Errorf("%v, %v", err, again.Of("r"))
	}
	if _, ok := again.Last(); ok || again.Complete() {
		t.Error("an empty history has a point, or is complete")
	}
	if _, ok := again.LastWhole(); ok {
		t.Error("an empty history has a whole point")
	}
	// A migration of nobody is done.
	empty := point("a", start, 0, 0)
	empty.Verdicts = nil
	h = h.Append(empty)
	empty.ID, empty.Ended = "b", start.Add(time.Hour)
	h = h.Append(empty)
	if last, _ := h.Last(); !h.Complete() || last.Percent != 100 || !last.Complete {
		t.Errorf("a migration of nobody: %+v", last)
	}
	if _, err := h.Encode(); err != nil {
		t.Error(err)
	}
}

func TestComplete(t *testing.T) {
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	done := func(n int) progress.Point { return point(fmt.Sprint(n), at(n), 5, 0) }
	open := func(n int) progress.Point { return point(fmt.Sprint(n), at(n), 4, 1) }
	tests := []struct {
		name   string
		points []progress.Point
		want   bool
	}{
		{"nothing", nil, false},
		{"one", []progress.Point{done(1)}, false},
		{"two", []progress.Point{done(1), done(2)}, true},
		{"one twice", []progress.Point{done(1), done(1)}, false},
		{"one is pending in the last", []progress.Point{done(1), done(2), open(3)}, false},
		{"one is pending in the one before", []progress.Point{open(1), done(2)}, false},
		{"the last is partial", []progress.Point{done(1), done(2), partial(done(3), "basis_stale")}, false},
		{"the one before is partial", []progress.Point{done(1), partial(done(2), "bucket_missing"), done(3)}, false},
		{"one failed between", []progress.Point{done(1), failed(done(2), "x"), done(3)}, false},
		{"long ago pending", []progress.Point{open(1), failed(done(2), "x"), done(3), done(4)}, true},
		{"appended out of order", []progress.Point{done(3), done(2), open(1)}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := progress.New("r")
			for _, p := range tt.points {
				h = h.Append(p)
			}
			if h.Complete() != tt.want {
				t.Errorf("complete: %v", h.Complete())
			}
			if last, ok := h.Last(); ok && last.Complete != tt.want {
				t.Errorf("the last point is complete: %v", last.Complete)
			}
		})
	}
}

func TestAppend(t *testing.T) {
	h := progress.New("r").Append(point("a", start, 1, 2)).Append(point("b", start.Add(time.Hour), 2, 1))
	again := h.Append(point("a", start, 1, 2))
	if diff := cmp.Diff(h, again); diff != "" {
		t.Errorf("appending a point twice changes something\n%s", diff)
	}
	if got := ids(h.Append(point("c", start.Add(30*time.Minute), 1, 2))); got != "a c b" {
		t.Errorf("order %q", got)
	}
	if ids(h) != "a b" {
		t.Errorf("appending has changed the history it was asked of: %q", ids(h))
	}
	for _, tt := range []struct {
		p    progress.Point
		want float64
	}{
		{point("x", start, 2, 1), 66.6}, {point("x", start, 0, 0), 100}, {failed(point("x", start, 2, 1), "why"), 0},
		{partial(point("x", start, 2, 1), "why"), 66.6}, {partial(failed(point("x", start, 1, 1), ""), "why"), 0},
	} {
		tt.p.Percent, tt.p.Complete = 12, true // not for the caller to say
		if last, _ := progress.New("r").Append(tt.p).Last(); last.Percent != tt.want || last.Complete {
			t.Errorf("%v %%, complete %v, want %v", last.Percent, last.Complete, tt.want)
		}
	}
	// Whatever is told, the document stays readable.
	wild := point("w", start.In(time.FixedZone("x", 3600)), 1, 1)
	wild.Ended = wild.Started.Add(-time.Hour)
	wild.Failure = strings.Repeat("é", 1000) + "\xff"
	for i := range 40 {
		wild.Partial = append(wild.Partial, fmt.Sprint(i, strings.Repeat("y", 1000)))
	}
	data, err := progress.New("r").Append(wild).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 3_000 {
		t.Errorf("%d bytes", len(data))
	}
	if _, err := progress.Decode(data); err != nil {
		t.Error(err)
	}
	if len(wild.Partial) != 40 {
		t.Error("appending has changed the point it was given")
	}
}

// full is a point with every count that there is.
func full(id string, ended time.Time) progress.Point {
	p := point(id, ended, 12_345_678, 1_234_567)
	p.Reasons, p.Findings = map[verdict.Reason]int{}, map[verdict.FindingKind]int{}
	for _, v := range verdict.Verdicts() {
		p.Verdicts[v] = 12_345_678
	}
	for _, r := range verdict.PendingReasons() {
		p.Reasons[r] = 1_234_567
	}
	for _, k := range verdict.FindingKinds() {
		p.Findings[k] = 123_456
	}
	return p
}

func TestThinning(t *testing.T) {
	tests := []struct {
		name  string
		every time.Duration
		days  int
	}{
		{"a year of hourly runs", time.Hour, 365},
		{"ten days of a run each minute", time.Minute, 10},
		{"twenty years of daily runs", 24 * time.Hour, 20 * 365},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := progress.New("2026-prod")
			end := start.AddDate(0, 0, tt.days)
			n := 0
			for at := start; at.Before(end); at = at.Add(tt.every) {
				p := full(fmt.Sprintf("reconcile-2026-prod-%06d", n), at)
				if n++; at.Before(end.Add(-20 * tt.every)) {
					// All at once takes less time than one after the other.
					h.Points = append(h.Points, progress.New("r").Append(p).Points[0])
					continue
				}
				h = h.Append(p)
			}
			data, err := h.Encode()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d runs: %d points, %d bytes", n, len(h.Points), len(data))
			if len(h.Points) > 2_000 || len(data) > 2<<20 {
				t.Errorf("%d points, %d bytes", len(h.Points), len(data))
			}
			if len(h.Points) < min(n, 365) && tt.every > time.Minute {
				t.Errorf("only %d points are left", len(h.Points))
			}
			if _, err := progress.Decode(data); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestThinningKeeps(t *testing.T) {
	h := progress.New("r")
	at := func(day, hour int) time.Time {
		return start.Truncate(24*time.Hour).AddDate(0, 0, day).Add(time.Duration(hour) * time.Hour)
	}
	h = h.Append(point("d0-a", at(0, 1), 1, 9)).Append(point("d0-b", at(0, 2), 2, 8)).Append(partial(point("d0-c", at(0, 3), 2, 8), "x"))
	h = h.Append(failed(point("d1-a", at(1, 1), 0, 0), "x")).Append(failed(point("d1-b", at(1, 2), 0, 0), "x"))
	h = h.Append(point("d2-a", at(2, 1), 1, 9)).Append(point("d2-b", at(2, 2), 1, 9))
	if got, want := ids(h), "d0-a d0-b d0-c d1-a d1-b d2-a d2-b"; got != want {
		t.Fatalf("recent points are thinned: %s", got)
	}
	h = h.Append(point("d62", at(62, 1), 3, 7))
	if got, want := ids(h), "d0-b d1-b d2-a d2-b d62"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
	h = h.Append(point("d70", at(70, 1), 3, 7))
	if got, want := ids(h), "d0-b d1-b d2-b d62 d70"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
	// The last whole point of a long trouble stays.
	for i := range 4_000 {
		p := failed(point(fmt.Sprint("f", i), at(71+i, 1), 0, 0), "x")
		if i < 3_990 {
			h.Points = append(h.Points, progress.New("r").Append(p).Points[0])
			continue
		}
		h = h.Append(p)
	}
	if last, ok := h.LastWhole(); !ok || last.ID != "d70" {
		t.Errorf("the last whole point is %q", last.ID)
	}
	if last, _ := h.Last(); last.ID != "f3999" || len(h.Points) > 2_000 {
		t.Errorf("the last of %d points is %q", len(h.Points), last.ID)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good, err := progress.New("r").Append(point("a", start, 2, 1)).Append(point("b", start.Add(time.Hour), 2, 1)).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := progress.Decode(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"version":                {`"version":1`, `"version":2`},
		"run":                    {`"run":"r"`, `"run":""`},
		"no points":              {`"points":[`, `"points":null,"x":[`},
		"one twice":              {`"id":"b"`, `"id":"a"`},
		"no id":                  {`"id":"b"`, `"id":""`},
		"percent":                {`"percent":66.6`, `"percent":66.7`},
		"negative":               {`"profiles":6`, `"profiles":-6`},
		"a verdict of its own":   {`"excluded":3`, `"exploded":3`},
		"a negative count":       {`"excluded":3`, `"excluded":-3`},
		"complete, with pending": {`"complete":false`, `"complete":true`},
		"wrong order":            {`2026-01-05T04:00:00Z`, `2026-01-05T02:55:00Z`},
		"another zone":           {`2026-01-05T04:00:00Z`, `2026-01-05T05:00:00+01:00`},
		"a member more":          {`"generation":2`, `"generation":2,"secret":1`},
		"another spelling":       {`"generation":2`, `"generation": 2`},
	} {
		t.Run(name, func(t *testing.T) {
			bad := bytes.Replace(good, []byte(change[0]), []byte(change[1]), 1)
			if bytes.Equal(bad, good) {
				t.Fatal("nothing was changed")
			}
			if _, err := progress.Decode(bad); fault.KindOf(err) != fault.Invalid {
				t.Errorf("error %v", err)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "progress.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add([]byte(`{"version":1,"run":"r","points":[]}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := progress.Decode(data)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("kind %s: %v", fault.KindOf(err), err)
			}
			return
		}
		again, err := h.Append(point("next", start, 1, 1)).Encode()
		if err != nil {
			t.Fatalf("a point more makes it unwritable: %v", err)
		}
		if _, err := progress.Decode(again); err != nil {
			t.Fatalf("a point more makes it unreadable: %v", err)
		}
	})
}
