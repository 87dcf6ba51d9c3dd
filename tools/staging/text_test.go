package staging_test

import (
	"bytes"
	"testing"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/seeding"
	"poolferry/tools/golden"
	"poolferry/tools/staging"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func shard(id string, content manifest.Content, state seeding.ShardState, count, parts int) seeding.ShardStatus {
	s := seeding.ShardStatus{Shard: id, Content: content, State: state, Count: count, Parts: parts, Attempt: 1}
	if state != seeding.ShardWaiting {
		s.Updated = noon.Add(-90 * time.Second)
	}
	return s
}

func status(shards ...seeding.ShardStatus) seeding.Status {
	s := seeding.Status{
		Run: "2026-11-prod", Source: manifest.Pool{Account: "111122223333", Region: "eu-west-1", ID: "eu-west-1_old"},
		Target: manifest.Pool{Region: "eu-central-1", ID: "eu-central-1_new"}, Generation: 1, Estimate: 5000,
		Opened: noon.Add(-time.Hour), Updated: noon.Add(-90 * time.Second), Shards: shards, Failed: []seeding.FailedShard{},
	}
	for _, shard := range shards {
		switch shard.State {
		case seeding.ShardCommitted:
			s.Committed++
		case seeding.ShardFailed:
			s.Failed = append(s.Failed, seeding.FailedShard{Shard: shard.Shard, Kind: shard.Kind, Reason: shard.Reason})
		case seeding.ShardWaiting, seeding.ShardOpen, seeding.ShardComplete:
		}
		if shard.Content == manifest.Profiles {
			s.Profiles += shard.Count
		} else {
			s.Members += shard.Count
		}
		s.Parts += shard.Parts
	}
	return s
}

func broken(reason string) seeding.ShardStatus {
	s := shard("3", manifest.Profiles, seeding.ShardFailed, 40, 1)
	s.Kind, s.Reason, s.Attempt = fault.Denied, reason, 2
	return s
}

func TestStandings(t *testing.T) {
	waiting, committed := shard("0", manifest.Profiles, seeding.ShardWaiting, 0, 0), shard("1", manifest.Profiles, seeding.ShardCommitted, 9, 1)
	complete := shard("1", manifest.Profiles, seeding.ShardComplete, 9, 1)
	closed, halted := status(committed), status(waiting)
	closed.Done, halted.Stopped = true, true
	both := closed
	both.Stopped = true
	tests := []struct {
		name   string
		status seeding.Status
		want   staging.Standing
	}{
		{"nothing yet", seeding.Status{}, staging.Running},
		{"work", status(waiting, committed), staging.Running},
		{"to be closed", status(committed), staging.Running},
		{"closed", closed, staging.Done},
		{"stopped", halted, staging.Stopped},
		{"closed, then stopped", both, staging.Done},
		{"a failure and work", status(broken("directory: AccessDenied"), waiting), staging.Running},
		{"a failure and a commit to make", status(broken("directory: AccessDenied"), complete), staging.Running},
		{"a failure", status(broken("directory: AccessDenied"), committed), staging.Failed},
		{"a failure that has an answer", status(broken("filter_refused"), committed), staging.Running},
	}
	for _, tt := range tests {
		if got := staging.StandingOf(tt.status); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestStatusText(t *testing.T) {
	members := shard("groups", manifest.Members, seeding.ShardWaiting, 0, 0)
	running := staging.NewProgress(status(shard("0", manifest.Profiles, seeding.ShardOpen, 2000, 2), broken("directory: AccessDenied"), members))
	running.PerSecond, running.SecondsLeft = 123.456, 4210
	serial := status(shard("all", manifest.Profiles, seeding.ShardCommitted, 5003, 1))
	serial.Done, serial.Why, serial.Generation, serial.Estimate = true, "counts_disagree", 2, 5001
	unplanned := status()
	unplanned.Generation = 0
	for name, p := range map[string]staging.Progress{
		"running.txt": running, "done.txt": staging.NewProgress(serial), "opening.txt": staging.NewProgress(unplanned),
	} {
		var text bytes.Buffer
		if err := p.WriteText(&text, noon); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, name, text.Bytes())
	}
}

func TestPreviewText(t *testing.T) {
	pace := staging.Pace{PerSecond: 10, Concurrency: 8}
	half := status(shard("0", manifest.Profiles, seeding.ShardOpen, 2000, 2), broken("directory: AccessDenied"), shard("groups", manifest.Members, seeding.ShardWaiting, 0, 0))
	half.Stopped = true
	moving := status(shard("all", manifest.Profiles, seeding.ShardOpen, 2000, 2))
	proposal := seeding.Proposal{
		Plan:  manifest.Plan{Run: half.Run, Source: half.Source, Target: half.Target, Estimate: 20_000, Shards: make([]manifest.Shard, 16)},
		Pages: 349, Rate: 9.87654, Duration: 35400 * time.Millisecond,
	}
	for name, p := range map[string]staging.Preview{
		"preview-first.txt":    staging.First(proposal, pace),
		"preview-stopped.txt":  staging.GoOn(half, pace, noon),
		"preview-underway.txt": staging.GoOn(moving, pace, noon.Add(-80*time.Second)),
		"preview-next.txt":     staging.Next(moving, pace),
	} {
		var text bytes.Buffer
		if err := p.WriteText(&text, "example-staging"); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, name, text.Bytes())
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "less than 1s", 999 * time.Millisecond: "less than 1s", 1999 * time.Millisecond: "1s", 59 * time.Second: "59s",
		time.Minute: "1m00s", 3599 * time.Second: "59m59s", time.Hour: "1h00m", 25*time.Hour + 90*time.Second: "25h01m",
	} {
		if got := staging.Span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
