package scheduler_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/scheduler"
	"poolferry/internal/sandbox/wire"
)

// The clock of a bubble begins at midnight UTC of 1 January 2000, a Saturday.
func TestOccurrences(t *testing.T) {
	hour := func(w *world, n float64) *time.Time {
		return aws.Time(w.begun.Add(time.Duration(n * float64(time.Hour))))
	}
	tests := []struct {
		name, expression string
		change           func(*world, *sdk.CreateScheduleInput)
		during           time.Duration
		want             []string
	}{
		{"rate begins at once", "rate(2 hours)", nil, 5 * time.Hour, []string{"0s", "2h0m0s", "4h0m0s"}},
		{"rate begins at its start", "rate(2 hours)", func(w *world, in *sdk.CreateScheduleInput) { in.StartDate = hour(w, 1) }, 4 * time.Hour, []string{"1h0m0s", "3h0m0s"}},
		{"rate ends", "rate(2 hours)", func(w *world, in *sdk.CreateScheduleInput) { in.EndDate = hour(w, 4) }, 24 * time.Hour, []string{"0s", "2h0m0s", "4h0m0s"}},
		{"cron", "cron(30 6 ? * SAT,MON *)", nil, 96 * time.Hour, []string{"6h30m0s", "54h30m0s"}},
		{"cron in a zone", "cron(30 6 * * ? *)", func(_ *world, in *sdk.CreateScheduleInput) {
			in.ScheduleExpressionTimezone = aws.String("Europe/Berlin")
		}, 24 * time.Hour, []string{"5h30m0s"}},
		{"cron between dates", "cron(0 * * * ? *)", func(w *world, in *sdk.CreateScheduleInput) { in.StartDate, in.EndDate = hour(w, 2.5), hour(w, 4.5) }, 24 * time.Hour, []string{"3h0m0s", "4h0m0s"}},
		{"once", "at(2000-01-01T07:00:10)", nil, 240 * time.Hour, []string{"7h0m10s"}},
		{"once, whatever the dates", "at(2000-01-01T07:00:00)", func(w *world, in *sdk.CreateScheduleInput) { in.StartDate, in.EndDate = hour(w, 20), hour(w, 10) }, 24 * time.Hour, []string{"7h0m0s"}},
		{"disabled", "rate(1 minute)", func(_ *world, in *sdk.CreateScheduleInput) { in.State = types.ScheduleStateDisabled }, time.Hour, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				in := w.input("s", tt.expression)
				if tt.change != nil {
					tt.change(w, in)
				}
				w.create(in)
				w.after(tt.during)
				if diff := cmp.Diff(tt.want, w.started()); diff != "" {
					w.t.Error(diff)
				}
				if got, want := w.scheduler.Counts(), int64(len(tt.want)); got != (scheduler.Counts{Firings: want, Attempts: want}) {
					w.t.Errorf("counted %+v", got)
				}
			})
		})
	}
}

func TestUpdateWhileItRuns(t *testing.T) {
	tests := []struct {
		name   string
		change func(*sdk.UpdateScheduleInput)
		want   []string // changed after 2½ hours
	}{
		{"description", func(in *sdk.UpdateScheduleInput) { in.Description = aws.String("x") }, []string{"0s", "1h0m0s", "2h0m0s", "3h0m0s", "4h0m0s"}},
		{"disabled", func(in *sdk.UpdateScheduleInput) { in.State = types.ScheduleStateDisabled }, []string{"0s", "1h0m0s", "2h0m0s"}},
		{"rate", func(in *sdk.UpdateScheduleInput) { in.ScheduleExpression = aws.String("rate(90 minutes)") }, []string{"0s", "1h0m0s", "2h0m0s", "2h30m0s", "4h0m0s"}},
		{"once", func(in *sdk.UpdateScheduleInput) { in.ScheduleExpression = aws.String("at(2000-01-01T04:00:00)") }, []string{"0s", "1h0m0s", "2h0m0s", "4h0m0s"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.create(w.input("s", "rate(1 hour)"))
				w.after(150 * time.Minute)
				w.update("s", tt.change)
				w.after(2 * time.Hour)
				if diff := cmp.Diff(tt.want, w.started()); diff != "" {
					w.t.Error(diff)
				}
			})
		})
	}
}

func TestEnableAndDelete(t *testing.T) {
	bubble(t, func(w *world) {
		in := w.input("s", "rate(1 hour)")
		in.State = types.ScheduleStateDisabled
		w.create(in)
		w.after(90 * time.Minute)
		w.update("s", func(in *sdk.UpdateScheduleInput) { in.State = types.ScheduleStateEnabled })
		w.after(90 * time.Minute)
		_, err := w.client.DeleteSchedule(w.t.Context(), &sdk.DeleteScheduleInput{Name: aws.String("s")})
		w.must(err)
		w.after(24 * time.Hour)
		if diff := cmp.Diff([]string{"1h30m0s", "2h30m0s"}, w.started()); diff != "" {
			w.t.Error(diff)
		}
	})
}

// A date or time that has passed by is no reason to refuse a change of
// something else.
func TestUpdateWithPastDates(t *testing.T) {
	bubble(t, func(w *world) {
		once, often := w.input("once", "at(2000-01-01T01:00:00)"), w.input("often", "rate(1 day)")
		often.StartDate = aws.Time(w.begun.Add(time.Hour))
		w.create(once)
		w.create(often)
		w.after(2 * time.Hour)
		for _, name := range []string{"once", "often"} {
			w.update(name, func(in *sdk.UpdateScheduleInput) { in.State = types.ScheduleStateDisabled })
		}
		_, err := w.client.UpdateSchedule(w.t.Context(), &sdk.UpdateScheduleInput{
			Name: often.Name, ScheduleExpression: often.ScheduleExpression, FlexibleTimeWindow: often.FlexibleTimeWindow, Target: often.Target,
			StartDate: aws.Time(w.begun.Add(30 * time.Minute)),
		})
		refused(w.t, err, "ValidationException", "earlier than 5 minutes ago")
	})
}

func TestFlexibleWindow(t *testing.T) {
	bubble(t, func(w *world) {
		in := w.input("s", "cron(0 * * * ? *)")
		in.FlexibleTimeWindow = &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible, MaximumWindowInMinutes: aws.Int32(20)}
		w.after(time.Second)
		w.create(in)
		w.after(24*time.Hour + 30*time.Minute)
		got, different := w.started(), map[time.Duration]bool{}
		for n, text := range got {
			at, err := time.ParseDuration(text)
			w.must(err)
			late := at - time.Duration(n+1)*time.Hour
			if late < 0 || late > 20*time.Minute {
				w.t.Errorf("firing %d at %s", n, at)
			}
			different[late] = true
		}
		if len(got) != 24 || len(different) < 2 {
			w.t.Errorf("started at %s", got)
		}
		if inputs := w.inputs(); inputs[0] != `{"at":"2000-01-01T01:00:00Z"}` { // the scheduled time, not that of the delivery
			w.t.Errorf("%v", inputs)
		}
	})
}

func TestActionAfterCompletion(t *testing.T) {
	bubble(t, func(w *world) {
		for name, expression := range map[string]string{"once": "at(2000-01-01T01:00:00)", "twice": "cron(0 1,2 1 1 ? 2000)", "ends": "rate(1 hour)", "kept": "at(2000-01-01T01:00:00)", "goes-on": "rate(1 hour)"} {
			in := w.input(name, expression)
			if name != "kept" {
				in.ActionAfterCompletion = types.ActionAfterCompletionDelete
			}
			if name == "ends" {
				in.EndDate = aws.Time(w.begun.Add(90 * time.Minute))
			}
			w.create(in)
		}
		names := func() string {
			out, err := w.client.ListSchedules(w.t.Context(), nil)
			w.must(err)
			var all []string
			for _, one := range out.Schedules {
				all = append(all, *one.Name)
			}
			return strings.Join(all, " ")
		}
		for _, want := range []string{"ends goes-on kept once twice", "goes-on kept twice", "goes-on kept"} {
			if got := names(); got != want {
				w.t.Errorf("after %s there are %s, want %s", time.Since(w.begun), got, want)
			}
			w.after(time.Hour)
		}
	})
}

// failing is a Step Functions that refuses the first calls and notes when it
// was called.
type failing struct {
	w     *world
	first int
	mu    sync.Mutex
	calls []string
	body  string // of the last
}

func (f *failing) serve(_ context.Context, call *wire.Call) (*wire.Reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, time.Since(f.w.begun).String())
	f.body = string(call.Body)
	if len(f.calls) <= f.first {
		return nil, wire.Errorf(500, "InternalFailure", "no")
	}
	return wire.JSONReply(map[string]string{})
}

func TestRetries(t *testing.T) {
	tests := []struct {
		name       string
		first      int // refusals
		retry, age int32
		queue      string
		want       []string // attempts
		counts     scheduler.Counts
	}{
		{"a few", 3, 185, 86400, "", []string{"0s", "1s", "3s", "7s"}, scheduler.Counts{Firings: 1, Attempts: 4, TargetErrors: 3}},
		{"attempts end", 100, 2, 86400, "", []string{"0s", "1s", "3s"}, scheduler.Counts{Firings: 1, Attempts: 3, TargetErrors: 3, Dropped: 1}},
		{"no retries", 100, 0, 86400, queue, []string{"0s"}, scheduler.Counts{Firings: 1, Attempts: 1, TargetErrors: 1, Dropped: 1, DeadLetters: 1}},
		{"queue that the role may not write to", 100, 0, 86400, queue + "2", []string{"0s"}, scheduler.Counts{Firings: 1, Attempts: 1, TargetErrors: 1, Dropped: 1}},
		{"too old", 100, 185, 60, "", []string{"0s", "1s", "3s", "7s", "15s", "31s"}, scheduler.Counts{Firings: 1, Attempts: 6, TargetErrors: 6, Dropped: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := &failing{first: tt.first}
			bubble(t, func(w *world) {
				target.w = w
				in := w.input("s", "at(2000-01-01T00:10:00)")
				in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: &tt.retry, MaximumEventAgeInSeconds: &tt.age}
				in.Target.Input = aws.String(`"<aws.scheduler.attempt-number>"`)
				if tt.queue != "" {
					in.Target.DeadLetterConfig = &types.DeadLetterConfig{Arn: &tt.queue}
				}
				w.begun = w.begun.Add(10 * time.Minute)
				w.create(in)
				w.after(48 * time.Hour)
				if diff := cmp.Diff(tt.want, target.calls); diff != "" {
					w.t.Error(diff)
				}
				if got := w.scheduler.Counts(); got != tt.counts {
					w.t.Errorf("counted %+v", got)
				}
				if want := fmt.Sprintf(`{"input":"\"%d\"","stateMachineArn":"%swork"}`, len(tt.want), machineARN); target.body != want {
					w.t.Errorf("the last attempt sent %s, want %s", target.body, want)
				}
			}, func(o *scheduler.Options) { o.StepFunctions = target.serve })
		})
	}
	t.Run("a day of retries", func(t *testing.T) {
		target := &failing{first: 1000}
		bubble(t, func(w *world) {
			target.w = w
			w.create(w.input("s", "at(2000-01-01T00:10:00)"))
			w.after(48 * time.Hour)
			if got := w.scheduler.Counts(); got.Attempts != 186 || got.Dropped != 1 {
				w.t.Errorf("counted %+v", got)
			}
		}, func(o *scheduler.Options) { o.StepFunctions = target.serve })
	})
}

// The role's own policies decide what a schedule can start.
func TestRoleOfTheTarget(t *testing.T) {
	bubble(t, func(w *world) {
		w.machine("other", `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`)
		for name, machine := range map[string]string{"denied": "other", "missing": "none"} {
			in := w.input(name, "rate(365 days)")
			in.Target.Arn = aws.String(machineARN + machine)
			in.StartDate = aws.Time(w.begun.Add(24 * time.Hour))
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(1)}
			err := w.scheduler.Fire(w.t.Context(), w.create(in))
			want := "given up after 2 attempts: AccessDeniedException: User: arn:aws:sts::" + account + ":assumed-role/schedule/scheduler-"
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "states:StartExecution on resource: "+*in.Target.Arn) {
				w.t.Errorf("%s: got %v, want %s", name, err, want)
			}
		}
	})
}

func TestDuplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults, err := knobs.ParseFaults("scheduler=duplicate:100%")
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, sandbox.Options{Faults: faults})
		in := w.input("s", "at(2000-01-01T01:00:00)")
		in.Target.Input = aws.String(`["<aws.scheduler.execution-id>"]`)
		w.create(in)
		w.after(2 * time.Hour)
		if diff := cmp.Diff([]string{"1h0m0s", "1h0m0s"}, w.started()); diff != "" {
			t.Error(diff)
		}
		if got := w.inputs(); len(got) != 2 || got[0] == got[1] {
			t.Errorf("both copies have the execution id %s", got)
		}
		if got := w.scheduler.Counts(); got != (scheduler.Counts{Firings: 1, Copies: 1, Attempts: 2}) {
			t.Errorf("counted %+v", got)
		}
	})
}

func TestFaultTargets(t *testing.T) {
	for spec, ok := range map[string]bool{
		"scheduler=duplicate:5%": true, "scheduler.GetSchedule=throttle:100%": true, "scheduler=error:5%": false, "scheduler.Fire=error:5%": false,
	} {
		faults, err := knobs.ParseFaults(spec)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, sandbox.Options{Faults: faults})
		if _, err := w.sandbox.Start("127.0.0.1:0"); (err == nil) != ok {
			t.Errorf("%s: %v", spec, err)
		}
		if spec == "scheduler.GetSchedule=throttle:100%" {
			_, err := w.client.GetSchedule(t.Context(), &sdk.GetScheduleInput{Name: aws.String("s")})
			refused(t, err, "ThrottlingException", "")
		}
	}
}

func TestFire(t *testing.T) {
	bubble(t, func(w *world) {
		ctx := w.t.Context()
		w.after(90 * time.Second)
		arn := w.create(w.input("s", "cron(0 1 * * ? *)"))
		w.must(w.scheduler.Fire(ctx, arn))
		w.after(2 * time.Hour)
		if diff := cmp.Diff([]string{"1m30s", "1h0m0s"}, w.started()); diff != "" {
			w.t.Error(diff)
		}
		if diff := cmp.Diff([]string{`{"at":"2000-01-01T00:01:30Z"}`, `{"at":"2000-01-01T01:00:00Z"}`}, w.inputs()); diff != "" {
			w.t.Error(diff)
		}
		w.update("s", func(in *sdk.UpdateScheduleInput) { in.State = types.ScheduleStateDisabled })
		if err := w.scheduler.Fire(ctx, arn); err == nil || err.Error() != "fire "+arn+": the schedule is DISABLED" {
			w.t.Errorf("got %v", err)
		}
		if err := w.scheduler.Fire(ctx, arn+"x"); err == nil || err.Error() != "fire "+arn+"x: no such schedule" {
			w.t.Errorf("got %v", err)
		}
		if got := w.scheduler.Counts().Firings; got != 2 {
			w.t.Errorf("%d firings", got)
		}
		w.must(w.scheduler.Close())
		if err := w.scheduler.Fire(ctx, arn); err == nil || !strings.Contains(err.Error(), "closing") {
			w.t.Errorf("got %v", err)
		}
	})
}

// Who waits for a firing can go; the attempts go on until the service closes.
func TestFireAndClose(t *testing.T) {
	target := &failing{first: 1000}
	bubble(t, func(w *world) {
		target.w = w
		in := w.input("s", "rate(1 minute)")
		in.StartDate = aws.Time(w.begun.Add(24 * time.Hour))
		arn := w.create(in)
		ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Second)
		defer cancel()
		if err := w.scheduler.Fire(ctx, arn); err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
			w.t.Errorf("got %v", err)
		}
		w.after(3 * time.Second)
		w.must(w.scheduler.Close())
		w.after(48 * time.Hour)
		if diff := cmp.Diff([]string{"0s", "1s", "3s"}, target.calls); diff != "" {
			w.t.Error(diff)
		}
		if got := w.scheduler.Counts(); got != (scheduler.Counts{Firings: 1, Attempts: 3, TargetErrors: 3}) {
			w.t.Errorf("counted %+v", got)
		}
	}, func(o *scheduler.Options) { o.StepFunctions = target.serve })
}

// With Speed the clock of the schedules runs ahead: occurrences, dates and
// delays keep their distances on it.
func TestSpeed(t *testing.T) {
	target := &failing{first: 1}
	bubble(t, func(w *world) {
		target.w = w
		in := w.input("s", "rate(1 hour)")
		in.EndDate = aws.Time(w.begun.Add(2 * time.Hour))
		w.create(in)
		w.after(90 * time.Second)
		w.create(w.input("t", "at(2000-01-01T02:00:00)"))
		if got := w.get("t").CreationDate.Sub(w.begun); got != 90*time.Minute {
			w.t.Errorf("created after %s", got)
		}
		w.after(10 * time.Minute)
		if diff := cmp.Diff([]string{"0s", "16.666666ms", "1m0s", "2m0s", "2m0s"}, target.calls); diff != "" {
			w.t.Error(diff)
		}
	}, func(o *scheduler.Options) { o.StepFunctions, o.Speed = target.serve, 60 })
}

func TestInput(t *testing.T) {
	target := &failing{}
	bubble(t, func(w *world) {
		target.w = w
		in := w.input("s", "at(2000-01-01T01:00:00)")
		in.Target.Input = aws.String(`{"schedule":"<aws.scheduler.schedule-arn>","at":"<aws.scheduler.scheduled-time>","attempt":"<aws.scheduler.attempt-number>","other":"<aws.scheduler.other>"}`)
		w.create(in)
		w.after(2 * time.Hour)
		want := `{"input":"{\"schedule\":\"` + scheduleARN + `s\",\"at\":\"2000-01-01T01:00:00Z\",\"attempt\":\"1\",\"other\":\"\u003caws.scheduler.other\u003e\"}","stateMachineArn":"` + machineARN + `work"}`
		if target.body != want {
			w.t.Errorf("sent %s, want %s", target.body, want)
		}
	}, func(o *scheduler.Options) { o.StepFunctions = target.serve })
	bubble(t, func(w *world) { // without a text: an event
		in := w.input("s", "at(2000-01-01T01:00:00)")
		in.Target.Input = nil
		w.create(in)
		w.after(2 * time.Hour)
		want := `"detail":"{}","detail-type":"Scheduled Event"`
		if got := w.inputs(); len(got) != 1 || !strings.Contains(got[0], want) || !strings.Contains(got[0], `"resources":["`+scheduleARN+`s"]`) || !strings.Contains(got[0], `"time":"2000-01-01T01:00:00Z"`) {
			w.t.Errorf("started with %s", got)
		}
	})
}
