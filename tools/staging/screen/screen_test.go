package screen

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vbauerster/mpb/v8"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/seeding"
	"poolferry/tools/staging"
)

func progress(generation, profiles, committed int) staging.Progress {
	shards := []seeding.ShardStatus{
		{Shard: "0", Content: manifest.Profiles, State: seeding.ShardOpen, Count: profiles, Attempt: 1},
		{Shard: "groups", Content: manifest.Members, State: seeding.ShardWaiting, Attempt: 1},
	}
	for i := range committed {
		shards[i].State = seeding.ShardCommitted
	}
	return staging.NewProgress(seeding.Status{
		Run: "2026-11-prod", Generation: generation, Estimate: 200, Profiles: profiles, Committed: committed,
		Shards: shards, Failed: []seeding.FailedShard{}, Done: committed == len(shards),
	})
}

func failed(p staging.Progress) staging.Progress {
	p.Shards[0].State, p.Shards[0].Kind, p.Shards[0].Reason, p.Shards[0].Attempt = seeding.ShardFailed, fault.Denied, "directory: AccessDenied", 2
	p.Failed, p.Standing = append(p.Failed, seeding.FailedShard{Shard: "0"}), staging.Failed
	return p
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	l := NewLines(&out, func() time.Time { return now })
	anew := progress(2, 0, 0)
	anew.Why = "counts_disagree"
	for _, step := range []struct {
		after   time.Duration
		p       staging.Progress
		changed bool
	}{
		{0, progress(1, 0, 0), true},
		{2 * time.Second, progress(1, 10, 0), true}, // too soon to only count
		{8 * time.Second, progress(1, 20, 0), true},
		{10 * time.Second, progress(1, 20, 0), false},
		{time.Second, progress(1, 200, 1), true},
		{time.Second, anew, true},
		{time.Second, failed(progress(2, 40, 0)), true},
		{time.Second, progress(2, 200, 2), true},
	} {
		now = now.Add(step.after)
		l.Show(step.p, step.changed)
	}
	want := `run 2026-11-prod, generation 1
running: 0 of about 200 users (0 %), 0 of 2 shards committed
running: 20 of about 200 users (10 %), 0 of 2 shards committed
running: 200 of about 200 users (99 %), 1 of 2 shards committed
run 2026-11-prod, generation 2, with shards that are not the plan's: counts_disagree
running: 0 of about 200 users (0 %), 0 of 2 shards committed
failed: 40 of about 200 users (20 %), 0 of 2 shards committed, 1 failed
done: 200 users, 2 shards, all committed
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRecords(t *testing.T) {
	var out, talk bytes.Buffer
	r := NewRecords(&out, &talk)
	p := progress(1, 20, 0)
	p.PerSecond, p.SecondsLeft = 4.5, 40
	r.Show(p, true)
	r.Show(p, false)
	r.Say("Waiting for %s.", "the plan")
	r.Show(progress(1, 200, 2), true)
	lines := strings.SplitAfter(out.String(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], `{"version":1,"standing":"running","run":"2026-11-prod",`) ||
		!strings.Contains(lines[0], `"users_per_second":4.5,"seconds_left":40}`) || !strings.Contains(lines[1], `"standing":"done"`) {
		t.Errorf("%s", out.String())
	}
	if talk.String() != "Waiting for the plan.\n" || r.Err() != nil {
		t.Errorf("%q, %v", talk.String(), r.Err())
	}
	broken := NewRecords(refuses{}, io.Discard)
	broken.Show(p, true)
	if broken.Err() == nil {
		t.Error("an error of a write is lost")
	}
}

type refuses struct{}

func (refuses) Write([]byte) (int, error) { return 0, errors.New("no space") }

// last is the frame that stays on the terminal.
func last(t *testing.T, out string) []string {
	t.Helper()
	frames := strings.Split(out, "\x1b[J")
	return strings.Split(strings.TrimRight(frames[len(frames)-1], "\n"), "\n")
}

func TestBars(t *testing.T) {
	var out bytes.Buffer
	b := newBars(&out, mpb.WithAutoRefresh(), mpb.WithWidth(120), mpb.WithRefreshRate(time.Millisecond))
	b.Say("Waiting for the plan.")
	b.Show(progress(1, 20, 0), true)
	b.Show(failed(progress(1, 100, 0)), true)
	b.Close()
	lines := last(t, out.String())
	if len(lines) != 3 || !strings.HasPrefix(out.String(), "Waiting for the plan.\n") {
		t.Fatalf("%q", out.String())
	}
	for i, want := range []string{"0 ", "groups ", "all "} {
		if !strings.HasPrefix(lines[i], want) || !strings.Contains(lines[i], "[") {
			t.Errorf("line %d: %q", i, lines[i])
		}
	}
	for i, want := range []string{
		"100 profiles, failed, attempt 2: directory: AccessDenied (Denied)", "0 members, waiting",
		"failed: 100 of about 200 users (50 %), 0 of 2 shards committed, 1 failed",
	} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d: %q, want %q", i, lines[i], want)
		}
	}
	out.Reset()
	b.Show(progress(1, 199, 0), true)
	b.Show(progress(1, 205, 1), true) // more than the pool said
	b.Show(progress(2, 20, 0), true)  // begun anew, with bars of its own
	b.Show(progress(2, 200, 2), true)
	b.Close()
	b.Close()
	lines = last(t, out.String())
	if len(lines) != 3 || !strings.Contains(lines[2], "done: 200 users, 2 shards, all committed") || strings.Contains(lines[0], "-]") {
		t.Errorf("%q", lines)
	}
	if !strings.Contains(out.String(), "205 profiles, committed") || !strings.Contains(out.String(), "run 2026-11-prod, generation 2") {
		t.Errorf("%q", out.String())
	}
}
