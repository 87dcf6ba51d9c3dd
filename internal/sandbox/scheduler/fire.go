package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/wire"
)

// arm sets the timer for the first occurrence after a moment; s.mu is held.
func (s *Service) arm(sc *schedule, after time.Time) (armed bool) {
	sc.disarm()
	if s.closed || sc.State != enabled {
		return false
	}
	due, ok := sc.next(after)
	if ok {
		sc.timer = time.AfterFunc(s.real(due.Sub(s.clock())), func() { s.occur(sc, due) })
	}
	return ok
}

// occur fires a schedule at its occurrence. Occurrences that passed while this
// process slept are left out.
func (s *Service) occur(sc *schedule, due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.schedules[sc.arn] != sc { // changed or deleted meanwhile
		return
	}
	after := due
	if now := s.clock(); now.After(due) {
		after = now
	}
	complete := !s.arm(sc, after)
	delay := time.Duration(0)
	if w := sc.FlexibleTimeWindow.MaximumWindowInMinutes; w != nil {
		delay = time.Duration(rand.Float64() * float64(*w) * float64(time.Minute)) //nolint:gosec // any moment will do
	}
	s.fire(sc, due, delay, func(error) { // given up or not
		if !complete || sc.ActionAfterCompletion != "DELETE" {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.schedules[sc.arn] == sc {
			s.remove(sc)
		}
	})
}

// fire delivers a firing in the background and calls ended afterwards, without
// an error where all copies were delivered; s.mu is held and s.closed is false.
func (s *Service) fire(sc *schedule, due time.Time, delay time.Duration, ended func(error)) {
	copies := 1
	if s.o.Inject().Duplicate {
		copies = 2
	}
	s.counts.Firings++
	s.counts.Copies += int64(copies - 1)
	each := make(chan error, copies)
	for range copies {
		s.work.Go(func() { each <- s.deliver(sc, due, delay) })
	}
	s.work.Go(func() {
		var err error
		for range copies {
			err = errors.Join(err, <-each)
		}
		ended(err)
	})
}

// Fire fires a schedule now, once and without its time window, as if it were
// due. It returns when the target was invoked, or with an error when it was
// given up; when ctx ends, attempts go on without it. The occurrences of the
// schedule stay as they are. A schedule that is not enabled does not fire.
func (s *Service) Fire(ctx context.Context, arn string) error {
	s.mu.Lock()
	sc := s.schedules[arn]
	switch {
	case s.closed:
		s.mu.Unlock()
		return errors.New("fire " + arn + ": the sandbox is closing")
	case sc == nil:
		s.mu.Unlock()
		return fmt.Errorf("fire %s: no such schedule", arn)
	case sc.State != enabled:
		s.mu.Unlock()
		return fmt.Errorf("fire %s: the schedule is %s", arn, sc.State)
	}
	done := make(chan error, 1)
	s.fire(sc, s.clock(), 0, func(err error) { done <- err })
	s.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("fire %s: %w", arn, ctx.Err())
	}
}

// Delays between attempts. AWS says that they grow exponentially and no more.
const (
	firstDelay   = time.Second
	longestDelay = 5 * time.Minute
)

// deliver makes attempts until one succeeds or the retry policy ends.
func (s *Service) deliver(sc *schedule, due time.Time, delay time.Duration) error {
	if err := knobs.Sleep(s.life, s.real(delay)); err != nil {
		return fmt.Errorf("fire %s: %w", sc.arn, err)
	}
	policy, begun := sc.Target.RetryPolicy, s.clock()
	maxAge := time.Duration(*policy.MaximumEventAgeInSeconds) * time.Second
	delay = firstDelay
	for attempt := 1; ; attempt++ {
		err := s.attempt(sc, due, attempt)
		if err == nil {
			return nil
		}
		if attempt > *policy.MaximumRetryAttempts || s.clock().Add(delay).Sub(begun) > maxAge {
			s.drop(sc)
			return fmt.Errorf("fire %s: given up after %d attempts: %w", sc.arn, attempt, err)
		}
		if err := knobs.Sleep(s.life, s.real(delay)); err != nil {
			return fmt.Errorf("fire %s: %w", sc.arn, err)
		}
		delay = min(2*delay, longestDelay)
	}
}

// attempt invokes the target once, as its role.
func (s *Service) attempt(sc *schedule, due time.Time, attempt int) error {
	s.count(func(c *Counts) { c.Attempts++ })
	err := s.invoke(sc, due, attempt)
	if err != nil {
		s.count(func(c *Counts) { c.TargetErrors++ })
	}
	return err
}

func (s *Service) invoke(sc *schedule, due time.Time, attempt int) error {
	role, err := s.assume(sc.Target.RoleArn)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"stateMachineArn": sc.Target.Arn, "input": sc.input(due, attempt)})
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	_, err = s.o.StepFunctions(s.life, &wire.Call{
		Operation: "StartExecution", Account: sc.account, Region: sc.region, Caller: role, RequestID: wire.NewID(), Body: body,
		Authorize: func(action, resource string) error { return s.o.Roles.Authorize(role, action, resource) },
	})
	return err
}

// assume opens a session of a role.
func (s *Service) assume(role string) (wire.Caller, error) {
	const life = 15 * time.Minute // one attempt
	credentials, err := s.o.Roles.Session(role, signingName+"-"+wire.NewID()[:8], life)
	if err != nil {
		return wire.Caller{}, err
	}
	caller, _, err := s.o.Roles.Lookup(credentials.AccessKeyID, credentials.SessionToken.Reveal())
	return caller, err
}

// drop gives a delivery up. The role must be allowed to send it to the
// dead-letter queue, which nobody reads here.
func (s *Service) drop(sc *schedule) {
	kept := false
	if q := sc.Target.DeadLetterConfig; q != nil {
		role, err := s.assume(sc.Target.RoleArn)
		kept = err == nil && s.o.Roles.Authorize(role, "sqs:SendMessage", q.Arn) == nil
	}
	s.count(func(c *Counts) {
		c.Dropped++
		if kept {
			c.DeadLetters++
		}
	})
}

func (s *Service) count(change func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.counts)
}

const instant = "2006-01-02T15:04:05Z" // how events write a time

// input is what the target gets: the schedule's text with its keywords replaced
// (EventBridge Scheduler User Guide, adding context attributes), or the event
// that stands for no text.
func (sc *schedule) input(due time.Time, attempt int) string {
	at, id := due.UTC().Format(instant), wire.NewID()
	if sc.Target.Input == "" {
		event, _ := json.Marshal(map[string]any{ // texts do not fail
			"version": "0", "id": id, "detail-type": "Scheduled Event", "source": "aws.scheduler", "account": sc.account,
			"time": at, "region": sc.region, "resources": []string{sc.arn}, "detail": "{}",
		})
		return string(event)
	}
	return strings.NewReplacer(
		"<aws.scheduler.schedule-arn>", sc.arn,
		"<aws.scheduler.scheduled-time>", at,
		"<aws.scheduler.execution-id>", strings.ReplaceAll(id, "-", "")[:16],
		"<aws.scheduler.attempt-number>", strconv.Itoa(attempt),
	).Replace(sc.Target.Input)
}
