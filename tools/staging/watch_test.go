package staging_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/seeding"
	"poolferry/tools/staging"
)

// tape is a screen that remembers.
type tape struct{ lines []string }

func (t *tape) Show(p staging.Progress, changed bool) {
	t.lines = append(t.lines, fmt.Sprintf("%t %s %d at %.0f/s, %d s", changed, p.Standing, p.Profiles, p.PerSecond, p.SecondsLeft))
}

func (t *tape) Say(format string, args ...any) {
	t.lines = append(t.lines, fmt.Sprintf(format, args...))
}

// looks are answers, the last of which is given for ever.
func looks(answers ...func() (seeding.Status, error)) func(context.Context) (seeding.Status, error) {
	return func(context.Context) (seeding.Status, error) {
		next := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		return next()
	}
}

func at(generation, profiles int, change ...func(*seeding.Status)) func() (seeding.Status, error) {
	return func() (seeding.Status, error) {
		s := seeding.Status{
			Run: "r", Generation: generation, Estimate: 1000, Profiles: profiles, Updated: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
			Shards: []seeding.ShardStatus{{Shard: "all", State: seeding.ShardOpen}},
		}
		for _, c := range change {
			c(&s)
		}
		return s, nil
	}
}

func fails(kind fault.Kind) func() (seeding.Status, error) {
	return func() (seeding.Status, error) { return seeding.Status{}, fault.New(kind, "%s", kind) }
}

func done(s *seeding.Status)    { s.Done, s.Profiles = true, 1000 }
func stopped(s *seeding.Status) { s.Stopped = true }
func failed(s *seeding.Status) {
	s.Shards[0].State, s.Failed = seeding.ShardFailed, []seeding.FailedShard{{Shard: "all"}}
}

func TestWatch(t *testing.T) {
	tests := []struct {
		name       string
		looks      func(context.Context) (seeding.Status, error)
		generation int
		want       []string
		kind       fault.Kind // of the error
	}{
		{"to the end", looks(at(1, 0), at(1, 0), at(1, 100), at(1, 400), at(1, 0, done)), 0, []string{
			"true running 0 at 0/s, 0 s", "false running 0 at 0/s, 0 s",
			"true running 100 at 5/s, 180 s", "true running 400 at 13/s, 45 s", "true done 1000 at 0/s, 0 s",
		}, ""},
		{"over already", looks(at(1, 0, done)), 0, []string{"true done 1000 at 0/s, 0 s"}, ""},
		{"stopped", looks(at(1, 10), at(1, 20, stopped)), 0, []string{"true running 10 at 0/s, 0 s", "true stopped 20 at 1/s, 0 s"}, ""},
		{"stopped before it began", looks(at(0, 0, stopped)), 0, []string{"true stopped 0 at 0/s, 0 s"}, ""},
		{"failed", looks(at(1, 10, failed)), 0, []string{"true failed 10 at 0/s, 0 s"}, ""},
		{
			"begun this moment", looks(fails(fault.NotFound), at(0, 0), at(1, 5), at(1, 5, done)), 0,
			[]string{"Waiting for the plan, for 2m00s at most.", "true running 5 at 0/s, 0 s", "true done 1000 at 0/s, 0 s"}, "",
		},
		{
			"the next generation", looks(at(1, 0, done), at(2, 5), at(2, 0, done)), 2,
			[]string{"Waiting for generation 2, for 2m00s at most.", "true running 5 at 0/s, 0 s", "true done 1000 at 0/s, 0 s"}, "",
		},
		{"nothing ever", looks(fails(fault.NotFound)), 0, []string{"Waiting for the plan, for 2m00s at most."}, fault.NotFound},
		{
			"begun anew", looks(at(1, 100), at(1, 200), at(1, 50), at(1, 60), at(2, 60), at(2, 0, done)), 0, []string{
				"true running 100 at 0/s, 0 s", "true running 200 at 10/s, 80 s", "true running 50 at 0/s, 0 s",
				"true running 60 at 1/s, 940 s", "true running 60 at 0/s, 0 s", "true done 1000 at 0/s, 0 s",
			}, "",
		},
		{
			"passing trouble", looks(fails(fault.Throttled), fails(fault.Unavailable), at(1, 1), at(1, 0, done)), 0,
			[]string{"Throttled: trying again", "Unavailable: trying again", "true running 1 at 0/s, 0 s", "true done 1000 at 0/s, 0 s"}, "",
		},
		{
			"trouble that stays", looks(fails(fault.Unavailable)), 0,
			[]string{"Unavailable: trying again", "Unavailable: trying again", "Unavailable: trying again", "Unavailable: trying again"}, fault.Unavailable,
		},
		{"trouble that is no use to wait for", looks(fails(fault.Denied)), 0, nil, fault.Denied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := &tape{}
				_, err := staging.Watch(t.Context(), staging.Watching{
					Look: tt.looks, Generation: tt.generation, Interval: 10 * time.Second, Screen: seen, Now: time.Now,
				})
				if (err != nil) != (tt.kind != "") || err != nil && fault.KindOf(err) != tt.kind {
					t.Errorf("got %v, want kind %q", err, tt.kind)
				}
				if diff := cmp.Diff(tt.want, seen.lines); diff != "" {
					t.Errorf("seen (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWatchTellsOfAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &tape{}
		began := time.Now()
		moved := func(s *seeding.Status) { s.Updated = began }
		again := func(s *seeding.Status) { s.Updated = time.Now() }
		_, err := staging.Watch(t.Context(), staging.Watching{
			Look:     looks(at(1, 10, moved), at(1, 10, moved), at(1, 10, moved), at(1, 10, moved), at(1, 11, again), at(1, 0, done)),
			Interval: 2 * time.Minute, Screen: seen, Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"true running 10 at 0/s, 0 s", "false running 10 at 0/s, 0 s", "false running 10 at 0/s, 0 s", "false running 10 at 0/s, 0 s",
			"Nothing has moved for 6m00s: its execution may have ended. Started again, it goes on from the checkpoints.",
			"true running 11 at 0/s, 118680 s", "true done 1000 at 0/s, 0 s",
		}
		if diff := cmp.Diff(want, seen.lines); diff != "" {
			t.Errorf("seen (-want +got):\n%s", diff)
		}
	})
}

func TestWatchIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := staging.Watch(ctx, staging.Watching{Look: looks(at(1, 0)), Interval: time.Hour, Screen: &tape{}, Now: time.Now})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
