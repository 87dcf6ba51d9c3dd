package workflow_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/workflow"
)

// tale is what an execution says, look by look; the last is said again.
type tale struct {
	looks    []line
	n        int
	describe []time.Time
}

type line struct {
	status workflow.Status
	states []string
	err    error
}

func (l *tale) Describe(context.Context, string) (workflow.Execution, error) {
	l.describe = append(l.describe, time.Now())
	now := l.looks[min(l.n, len(l.looks)-1)]
	l.n++
	return workflow.Execution{Status: now.status}, now.err
}

func (l *tale) Arrivals(_ context.Context, _ string, after int64) ([]workflow.Arrival, error) {
	var all []workflow.Arrival
	for _, look := range l.looks[:min(l.n, len(l.looks))] {
		for _, state := range look.states {
			all = append(all, workflow.Arrival{Event: int64(len(all) + 1), State: state})
		}
	}
	return all[after:], nil
}

func TestFollow(t *testing.T) {
	throttled, denied, own := fault.New(fault.Throttled, "slow down"), fault.New(fault.Denied, "no"), errors.New("seen enough")
	running := line{status: workflow.Running}
	tests := []struct {
		name   string
		looks  []line
		enough string // the state at which the one who sees has had enough
		states []string
		status workflow.Status
		err    error
		tries  int
	}{
		{
			"to its end", []line{{workflow.Running, []string{"A"}, nil}, running, {workflow.Succeeded, []string{"B", "C"}, nil}}, "",
			[]string{"A", "B", "C"}, workflow.Succeeded, nil, 3,
		},
		{"ended long ago", []line{{workflow.Aborted, []string{"A"}, nil}}, "", []string{"A"}, workflow.Aborted, nil, 1},
		{
			"a few failures", []line{running, {err: throttled}, {err: throttled}, {err: throttled}, {err: throttled}, running, {err: throttled},
				{workflow.TimedOut, []string{"A"}, nil}}, "",
			[]string{"A"}, workflow.TimedOut, nil, 8,
		},
		{"too many failures", []line{running, {err: throttled}}, "", nil, workflow.Running, throttled, 6},
		{"a failure that stays", []line{running, {err: denied}}, "", nil, workflow.Running, denied, 2},
		{"seen enough", []line{running, {workflow.Running, []string{"A", "B"}, nil}}, "B", []string{"A", "B"}, workflow.Running, own, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := &tale{looks: tt.looks}
				var states []string
				ended, err := workflow.FollowWith(t.Context(), told, "arn", time.Second, func(_ workflow.Execution, arrivals []workflow.Arrival) error {
					for _, a := range arrivals {
						if states = append(states, a.State); a.State == tt.enough {
							return own
						}
					}
					return nil
				})
				if !errors.Is(err, tt.err) || ended.Status != tt.status || !slices.Equal(states, tt.states) {
					t.Errorf("%s, %q, %v; want %s, %q, %v", ended.Status, states, err, tt.status, tt.states, tt.err)
				}
				if len(told.describe) != tt.tries {
					t.Errorf("%d looks, want %d", len(told.describe), tt.tries)
				}
				for i, at := range told.describe[1:] {
					if at.Sub(told.describe[i]) != time.Second {
						t.Errorf("look %d came %s after the one before", i+1, at.Sub(told.describe[i]))
					}
				}
			})
		})
	}
}

func TestFollowIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		told := &tale{looks: []line{{status: workflow.Running}}}
		now, err := workflow.FollowWith(ctx, told, "arn", time.Minute, func(workflow.Execution, []workflow.Arrival) error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) || now.Status != workflow.Running || len(told.describe) != 2 {
			t.Errorf("%+v after %d looks: %v", now, len(told.describe), err)
		}
	})
}
