package scheduler

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // schedules have the same zones on every machine
	"unicode/utf8"

	"poolferry/internal/sandbox/scheduler/expression"
)

const (
	enabled  = "ENABLED"
	disabled = "DISABLED"
)

// schedule is a schedule. A change puts another one in its place; only the
// timer changes.
type schedule struct {
	account, region, name, arn string
	definition
	created, modified time.Time
	token             string    // client token of the creation
	request           string    // what was created, to tell a repeated request from another
	anchor            time.Time // of a rate without a StartDate

	rule  expression.Expression
	timer *time.Timer // to the next firing; nil where there is none; guarded by Service.mu
}

// definition is what a schedule is, in the words of the API. Without a value a
// member is not shown.
type definition struct {
	ActionAfterCompletion      string  `json:",omitempty"`
	Description                string  `json:",omitempty"`
	EndDate                    *stamp  `json:",omitempty"`
	FlexibleTimeWindow         *window `json:",omitempty"`
	ScheduleExpression         string  `json:",omitempty"`
	ScheduleExpressionTimezone string  `json:",omitempty"`
	StartDate                  *stamp  `json:",omitempty"`
	State                      string  `json:",omitempty"`
	Target                     *target `json:",omitempty"`
}

type window struct {
	MaximumWindowInMinutes *int   `json:",omitempty"`
	Mode                   string // OFF or FLEXIBLE
}

type target struct {
	Arn              string
	DeadLetterConfig *deadLetters `json:",omitempty"`
	Input            string       `json:",omitempty"`
	RetryPolicy      *retryPolicy `json:",omitempty"`
	RoleArn          string
}

type deadLetters struct {
	Arn string `json:",omitempty"`
}

type retryPolicy struct {
	MaximumEventAgeInSeconds *int `json:",omitempty"`
	MaximumRetryAttempts     *int `json:",omitempty"`
}

// stamp is a time as the API writes it: seconds since 1970, with a fraction.
type stamp struct{ time.Time }

// MarshalJSON writes milliseconds as a fraction.
func (t stamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

// UnmarshalJSON reads up to milliseconds.
func (t *stamp) UnmarshalJSON(text []byte) error {
	seconds, err := strconv.ParseFloat(string(text), 64)
	const farthest = 1 << 38 // some 8,700 years
	if err != nil || math.Abs(seconds) > farthest {
		return fmt.Errorf("no time")
	}
	t.Time = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	return nil
}

// equal compares two dates that may be missing.
func (t *stamp) equal(other *stamp) bool {
	if t == nil || other == nil {
		return t == other
	}
	return t.Equal(other.Time)
}

// Defaults of a retry policy, and the most that it can say (EventBridge
// Scheduler API reference, RetryPolicy).
const (
	maxRetries     = 185
	maxAge         = 24 * time.Hour
	minAge         = time.Minute
	maxWindow      = 1440 // minutes
	maxDescription = 512
	maxExpression  = 256
	maxZone        = 50
	oldestStart    = 5 * time.Minute // how far back a new StartDate may be
)

// complete gives members without a value the one that this means.
func (d *definition) complete() {
	fill := func(member *string, value string) {
		if *member == "" {
			*member = value
		}
	}
	fill(&d.ActionAfterCompletion, "NONE")
	fill(&d.ScheduleExpressionTimezone, "UTC")
	fill(&d.State, enabled)
	if d.Target.RetryPolicy == nil {
		d.Target.RetryPolicy = &retryPolicy{}
	}
	p := d.Target.RetryPolicy
	if p.MaximumEventAgeInSeconds == nil {
		p.MaximumEventAgeInSeconds = new(int(maxAge / time.Second))
	}
	if p.MaximumRetryAttempts == nil {
		p.MaximumRetryAttempts = new(maxRetries)
	}
	if q := d.Target.DeadLetterConfig; q != nil && q.Arn == "" {
		d.Target.DeadLetterConfig = nil
	}
}

var (
	nameShape    = regexp.MustCompile(`^[0-9a-zA-Z_.-]{1,64}$`)
	tokenShape   = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	roleShape    = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)
	machineShape = regexp.MustCompile(`^arn:aws:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[^:]+$`)
	queueShape   = regexp.MustCompile(`^arn:aws:sqs:[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9_-]+$`)
)

// check refuses what the API refuses, completes the rest and returns the rule.
// before is what the schedule was, empty where it is new; now is by the
// schedules' clock.
func (d *definition) check(before definition, now time.Time) (expression.Expression, error) {
	var none expression.Expression
	if err := d.checkMembers(); err != nil {
		return none, err
	}
	if err := d.Target.check(); err != nil {
		return none, err
	}
	d.complete()
	zone, err := time.LoadLocation(d.ScheduleExpressionTimezone)
	if err != nil || d.ScheduleExpressionTimezone == "Local" || len(d.ScheduleExpressionTimezone) > maxZone {
		return none, invalid("Invalid Schedule Expression Timezone %s.", d.ScheduleExpressionTimezone)
	}
	rule, err := expression.Parse(d.ScheduleExpression, zone)
	if err != nil {
		return none, invalid("Invalid Schedule Expression %s. %v", d.ScheduleExpression, err)
	}
	// Dates that were there before may lie in the past by now.
	same := d.ScheduleExpression == before.ScheduleExpression && d.ScheduleExpressionTimezone == before.ScheduleExpressionTimezone
	if !rule.Recurs() {
		if _, ahead := rule.Next(now, now); !ahead && !same {
			return none, invalid("Invalid Schedule Expression %s. The time is in the past.", d.ScheduleExpression)
		}
		return rule, nil // neither date means anything
	}
	if d.StartDate != nil && !d.StartDate.equal(before.StartDate) && d.StartDate.Before(now.Add(-oldestStart)) {
		return none, invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
	}
	if d.StartDate != nil && d.EndDate != nil && d.EndDate.Before(d.StartDate.Time) {
		return none, invalid("The EndDate you specify cannot be earlier than the StartDate.")
	}
	return rule, nil
}

func (d *definition) checkMembers() error {
	w := d.FlexibleTimeWindow
	switch {
	case w == nil:
		return missing("flexibleTimeWindow")
	case d.Target == nil:
		return missing("target")
	case d.ScheduleExpression == "" || len(d.ScheduleExpression) > maxExpression:
		return constraint("scheduleExpression", "length between 1 and %d", maxExpression)
	case utf8.RuneCountInString(d.Description) > maxDescription:
		return constraint("description", "length less than or equal to %d", maxDescription)
	case d.State != "" && d.State != enabled && d.State != disabled:
		return constraint("state", "enum value set: [ENABLED, DISABLED]")
	case d.ActionAfterCompletion != "" && d.ActionAfterCompletion != "NONE" && d.ActionAfterCompletion != "DELETE":
		return constraint("actionAfterCompletion", "enum value set: [NONE, DELETE]")
	case w.Mode != "OFF" && w.Mode != "FLEXIBLE":
		return constraint("flexibleTimeWindow.mode", "enum value set: [OFF, FLEXIBLE]")
	case (w.Mode == "FLEXIBLE") != (w.MaximumWindowInMinutes != nil):
		return invalid("MaximumWindowInMinutes must be specified where the mode of the FlexibleTimeWindow is FLEXIBLE, and there alone.")
	case w.MaximumWindowInMinutes != nil && (*w.MaximumWindowInMinutes < 1 || *w.MaximumWindowInMinutes > maxWindow):
		return constraint("flexibleTimeWindow.maximumWindowInMinutes", "value between 1 and %d", maxWindow)
	}
	return nil
}

func (t *target) check() error {
	switch {
	case t.Arn == "":
		return missing("target.arn")
	case !roleShape.MatchString(t.RoleArn):
		return constraint("target.roleArn", "the pattern of a role's ARN")
	case t.Input != "" && !json.Valid([]byte(t.Input)):
		return invalid("Input must be a valid JSON for a target of AWS Step Functions.")
	case t.DeadLetterConfig != nil && t.DeadLetterConfig.Arn != "" && !queueShape.MatchString(t.DeadLetterConfig.Arn):
		return constraint("target.deadLetterConfig.arn", "the pattern of a queue's ARN")
	}
	if p := t.RetryPolicy; p != nil {
		if n := p.MaximumRetryAttempts; n != nil && (*n < 0 || *n > maxRetries) {
			return constraint("target.retryPolicy.maximumRetryAttempts", "value between 0 and %d", maxRetries)
		}
		if n := p.MaximumEventAgeInSeconds; n != nil && (*n < int(minAge/time.Second) || *n > int(maxAge/time.Second)) {
			return constraint("target.retryPolicy.maximumEventAgeInSeconds", "value between %d and %d", minAge/time.Second, maxAge/time.Second)
		}
	}
	return nil
}

func missing(member string) error { return constraint(member, "must not be null") }

func constraint(member, format string, args ...any) error {
	want := fmt.Sprintf(format, args...)
	if !strings.HasPrefix(want, "must") {
		want = "must satisfy " + want
	}
	return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member %s", member, want)
}

// next is the first occurrence after a moment; ok is false where there is none.
// The last may be at the EndDate. A schedule for one time has neither date
// (EventBridge Scheduler API reference, CreateSchedule).
func (sc *schedule) next(after time.Time) (due time.Time, ok bool) {
	if !sc.rule.Recurs() {
		return sc.rule.Next(after, time.Time{})
	}
	anchor := sc.anchor
	if sc.StartDate != nil {
		anchor = sc.StartDate.Time
		if before := anchor.Add(-time.Nanosecond); after.Before(before) {
			after = before
		}
	}
	due, ok = sc.rule.Next(after, anchor)
	return due, ok && (sc.EndDate == nil || !due.After(sc.EndDate.Time))
}

// disarm stops the timer; Service.mu is held.
func (sc *schedule) disarm() {
	if sc.timer != nil {
		sc.timer.Stop()
		sc.timer = nil
	}
}
