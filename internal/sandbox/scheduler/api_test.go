package scheduler_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sameSchedule compares what GetSchedule shows.
var sameSchedule = cmp.Options{
	cmpopts.IgnoreFields(sdk.GetScheduleOutput{}, "ResultMetadata"),
	cmpopts.IgnoreUnexported(sdk.GetScheduleOutput{}, types.FlexibleTimeWindow{}, types.Target{}, types.RetryPolicy{}, types.DeadLetterConfig{}, middleware.Metadata{}),
}

// full is a schedule that has every member.
func (w *world) full() *sdk.CreateScheduleInput {
	in := w.input("full", "cron(0 3 * * ? *)")
	in.ActionAfterCompletion = types.ActionAfterCompletionDelete
	in.Description = aws.String("every night")
	in.StartDate, in.EndDate = aws.Time(w.begun.Add(48*time.Hour+250*time.Millisecond)), aws.Time(w.begun.Add(96*time.Hour))
	in.FlexibleTimeWindow = &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible, MaximumWindowInMinutes: aws.Int32(30)}
	in.GroupName, in.ScheduleExpressionTimezone, in.State = aws.String("default"), aws.String("Europe/Berlin"), types.ScheduleStateDisabled
	in.Target.DeadLetterConfig = &types.DeadLetterConfig{Arn: aws.String(queue)}
	in.Target.RetryPolicy = &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(3600), MaximumRetryAttempts: aws.Int32(0)}
	return in
}

func TestRoundTrip(t *testing.T) {
	bubble(t, func(w *world) {
		in := w.full()
		arn := w.create(in)
		want := &sdk.GetScheduleOutput{
			Arn: aws.String(scheduleARN + "full"), Name: in.Name, GroupName: in.GroupName, CreationDate: &w.begun, LastModificationDate: &w.begun,
			ActionAfterCompletion: in.ActionAfterCompletion, Description: in.Description, StartDate: in.StartDate, EndDate: in.EndDate,
			FlexibleTimeWindow: in.FlexibleTimeWindow, ScheduleExpression: in.ScheduleExpression, ScheduleExpressionTimezone: in.ScheduleExpressionTimezone,
			State: in.State, Target: in.Target,
		}
		if diff := cmp.Diff(want, w.get("full"), sameSchedule); diff != "" || arn != *want.Arn {
			w.t.Errorf("%s: %s", arn, diff)
		}
	})
}

// UpdateSchedule sets every member that it is not given back to its default.
func TestUpdateResets(t *testing.T) {
	bubble(t, func(w *world) {
		w.create(w.full())
		w.after(time.Hour)
		_, err := w.client.UpdateSchedule(w.t.Context(), &sdk.UpdateScheduleInput{
			Name: aws.String("full"), ScheduleExpression: aws.String("rate(2 days)"), FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
			Target: &types.Target{Arn: aws.String(machineARN + "work"), RoleArn: &w.role, RetryPolicy: &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(7)}},
		})
		w.must(err)
		want := &sdk.GetScheduleOutput{
			Arn: aws.String(scheduleARN + "full"), Name: aws.String("full"), GroupName: aws.String("default"),
			CreationDate: &w.begun, LastModificationDate: aws.Time(w.begun.Add(time.Hour)),
			ActionAfterCompletion: types.ActionAfterCompletionNone, State: types.ScheduleStateEnabled, // and no Description, StartDate, EndDate
			ScheduleExpression: aws.String("rate(2 days)"), ScheduleExpressionTimezone: aws.String("UTC"),
			FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
			Target: &types.Target{
				Arn: aws.String(machineARN + "work"), RoleArn: &w.role, // no Input, no DeadLetterConfig
				RetryPolicy: &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(86400), MaximumRetryAttempts: aws.Int32(7)},
			},
		}
		if diff := cmp.Diff(want, w.get("full"), sameSchedule); diff != "" {
			w.t.Error(diff)
		}
	})
}

func TestRefuses(t *testing.T) {
	const invalid, unsupported = "ValidationException", "SandboxUnsupported"
	tests := []struct {
		name       string
		change     func(*sdk.CreateScheduleInput)
		code, text string
	}{
		{"as it should be", func(*sdk.CreateScheduleInput) {}, "", ""},
		{"name", func(in *sdk.CreateScheduleInput) { in.Name = aws.String("a b") }, invalid, "'name'"},
		{"long name", func(in *sdk.CreateScheduleInput) { in.Name = aws.String(strings.Repeat("n", 65)) }, invalid, "'name'"},
		{"path as name", func(in *sdk.CreateScheduleInput) { in.Name = aws.String("a/b") }, invalid, "'name'"},
		{"token", func(in *sdk.CreateScheduleInput) { in.ClientToken = aws.String("a b") }, invalid, "'clientToken'"},
		{"group", func(in *sdk.CreateScheduleInput) { in.GroupName = aws.String("mine") }, "ResourceNotFoundException", "Schedule group mine does not exist."},
		{"expression", func(in *sdk.CreateScheduleInput) { in.ScheduleExpression = aws.String("cron(0 9 * * * *)") }, invalid, "Invalid Schedule Expression cron(0 9 * * * *)."},
		{"long expression", func(in *sdk.CreateScheduleInput) { in.ScheduleExpression = aws.String(strings.Repeat(" ", 257)) }, invalid, "'scheduleExpression'"},
		{"past", func(in *sdk.CreateScheduleInput) { in.ScheduleExpression = aws.String("at(1999-12-31T23:59:59)") }, invalid, "in the past"},
		{"zone", func(in *sdk.CreateScheduleInput) { in.ScheduleExpressionTimezone = aws.String("Mars/Olympus") }, invalid, "Timezone Mars/Olympus"},
		{"zone of this machine", func(in *sdk.CreateScheduleInput) { in.ScheduleExpressionTimezone = aws.String("Local") }, invalid, "Timezone Local"},
		{"description", func(in *sdk.CreateScheduleInput) { in.Description = aws.String(strings.Repeat("ä", 513)) }, invalid, "'description'"},
		{"long description", func(in *sdk.CreateScheduleInput) { in.Description = aws.String(strings.Repeat("ä", 512)) }, "", ""},
		{"state", func(in *sdk.CreateScheduleInput) { in.State = "ASLEEP" }, invalid, "'state'"},
		{"action", func(in *sdk.CreateScheduleInput) { in.ActionAfterCompletion = "KEEP" }, invalid, "'actionAfterCompletion'"},
		{"window mode", func(in *sdk.CreateScheduleInput) { in.FlexibleTimeWindow.Mode = "ON" }, invalid, "'flexibleTimeWindow.mode'"},
		{"window without minutes", func(in *sdk.CreateScheduleInput) { in.FlexibleTimeWindow.Mode = "FLEXIBLE" }, invalid, "MaximumWindowInMinutes"},
		{"minutes without window", func(in *sdk.CreateScheduleInput) { in.FlexibleTimeWindow.MaximumWindowInMinutes = aws.Int32(5) }, invalid, "MaximumWindowInMinutes"},
		{"long window", func(in *sdk.CreateScheduleInput) {
			in.FlexibleTimeWindow = &types.FlexibleTimeWindow{Mode: "FLEXIBLE", MaximumWindowInMinutes: aws.Int32(1441)}
		}, invalid, "between 1 and 1440"},
		{"old start", func(in *sdk.CreateScheduleInput) { in.StartDate = aws.Time(time.Now().Add(-301 * time.Second)) }, invalid, "The StartDate you specify cannot be earlier than 5 minutes ago."},
		{"recent start", func(in *sdk.CreateScheduleInput) { in.StartDate = aws.Time(time.Now().Add(-300 * time.Second)) }, "", ""},
		{"end before start", func(in *sdk.CreateScheduleInput) {
			in.StartDate, in.EndDate = aws.Time(time.Now().Add(2*time.Hour)), aws.Time(time.Now().Add(time.Hour))
		}, invalid, "EndDate"},
		{"retries", func(in *sdk.CreateScheduleInput) {
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(186)}
		}, invalid, "between 0 and 185"},
		{"age", func(in *sdk.CreateScheduleInput) {
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(59)}
		}, invalid, "between 60 and 86400"},
		{"input", func(in *sdk.CreateScheduleInput) { in.Target.Input = aws.String("hello") }, invalid, "JSON"},
		{"queue", func(in *sdk.CreateScheduleInput) {
			in.Target.DeadLetterConfig = &types.DeadLetterConfig{Arn: aws.String("letters")}
		}, invalid, "'target.deadLetterConfig.arn'"},
		{"no role", func(in *sdk.CreateScheduleInput) { in.Target.RoleArn = aws.String("schedule") }, invalid, "'target.roleArn'"},
		{"unknown role", func(in *sdk.CreateScheduleInput) {
			in.Target.RoleArn = aws.String("arn:aws:iam::" + account + ":role/nobody")
		}, invalid, "must allow AWS EventBridge Scheduler to assume the role"},
		{"role of another account", func(in *sdk.CreateScheduleInput) {
			in.Target.RoleArn = aws.String("arn:aws:iam::111122223333:role/theirs")
		}, "AccessDeniedException", "iam:PassRole on resource"},
		{"no target", func(in *sdk.CreateScheduleInput) { in.Target.Arn = aws.String("") }, invalid, "'target.arn'"},
		{"function", func(in *sdk.CreateScheduleInput) {
			in.Target.Arn = aws.String("arn:aws:lambda:" + region + ":" + account + ":function:f")
		}, unsupported, ":function:f"},
		{"universal target", func(in *sdk.CreateScheduleInput) {
			in.Target.Arn = aws.String("arn:aws:scheduler:::aws-sdk:sfn:startExecution")
		}, unsupported, "aws-sdk:sfn"},
		{"queue parameters", func(in *sdk.CreateScheduleInput) {
			in.Target.SqsParameters = &types.SqsParameters{MessageGroupId: aws.String("g")}
		}, unsupported, "SqsParameters"},
		{"key", func(in *sdk.CreateScheduleInput) {
			in.KmsKeyArn = aws.String("arn:aws:kms:" + region + ":" + account + ":key/k")
		}, unsupported, "KmsKeyArn"},
	}
	bubble(t, func(w *world) {
		for n, tt := range tests {
			in := w.input(fmt.Sprintf("s%d", n), "cron(0 9 * * ? *)")
			tt.change(in)
			_, err := w.client.CreateSchedule(w.t.Context(), in)
			if tt.code == "" && err != nil {
				w.t.Errorf("%s: %v", tt.name, err)
			}
			if tt.code != "" && !isRefused(err, tt.code, tt.text) {
				w.t.Errorf("%s: got %v, want %s: %s", tt.name, err, tt.code, tt.text)
			}
		}
	})
}

func TestTokensAndNames(t *testing.T) {
	bubble(t, func(w *world) {
		ctx, in := w.t.Context(), w.input("s", "cron(0 9 * * ? *)")
		in.ClientToken = aws.String("t1")
		if first, again := w.create(in), w.create(in); first != again {
			w.t.Errorf("%s and %s", first, again)
		}
		in.Description = aws.String("other")
		_, err := w.client.CreateSchedule(ctx, in)
		refused(w.t, err, "ConflictException", "same client token")
		in.ClientToken = nil // the SDK makes one
		_, err = w.client.CreateSchedule(ctx, in)
		refused(w.t, err, "ConflictException", "Schedule s already exists.")

		for _, name := range []string{"s", "none"} {
			for range 2 {
				_, err = w.client.DeleteSchedule(ctx, &sdk.DeleteScheduleInput{Name: &name, ClientToken: aws.String("d1")})
				if name == "s" {
					w.must(err)
				} else {
					refused(w.t, err, "ResourceNotFoundException", "Schedule none does not exist.")
				}
			}
		}
		_, err = w.client.DeleteSchedule(ctx, &sdk.DeleteScheduleInput{Name: aws.String("s")})
		refused(w.t, err, "ResourceNotFoundException", "Schedule s does not exist.")
		_, err = w.client.GetSchedule(ctx, &sdk.GetScheduleInput{Name: aws.String("s")})
		refused(w.t, err, "ResourceNotFoundException", "Schedule s does not exist.")
		_, err = w.client.GetSchedule(ctx, &sdk.GetScheduleInput{Name: aws.String("s"), GroupName: aws.String("g")})
		refused(w.t, err, "ResourceNotFoundException", "Schedule group g does not exist.")
		_, err = w.client.UpdateSchedule(ctx, &sdk.UpdateScheduleInput{Name: in.Name, ScheduleExpression: in.ScheduleExpression, FlexibleTimeWindow: in.FlexibleTimeWindow, Target: in.Target})
		refused(w.t, err, "ResourceNotFoundException", "Schedule s does not exist.")
		_, err = w.client.CreateScheduleGroup(ctx, &sdk.CreateScheduleGroupInput{Name: aws.String("g")})
		refused(w.t, err, "SandboxUnsupported", "/schedule-groups/g")
	})
}

func TestList(t *testing.T) {
	bubble(t, func(w *world) {
		var want []string
		for n := range 5 {
			in := w.input(fmt.Sprintf("s%d", n), "cron(0 9 * * ? *)")
			if n == 3 {
				in.State = types.ScheduleStateDisabled
			}
			want = append(want, w.create(in)+" "+string(in.State))
		}
		w.create(w.input("other", "rate(1 day)"))
		var got []string
		pages := sdk.NewListSchedulesPaginator(w.client, &sdk.ListSchedulesInput{MaxResults: aws.Int32(2), NamePrefix: aws.String("s"), GroupName: aws.String("default")})
		for pages.HasMorePages() {
			page, err := pages.NextPage(w.t.Context())
			w.must(err)
			for _, one := range page.Schedules {
				state := string(one.State)
				if one.State == types.ScheduleStateEnabled {
					state = "" // what was not said
				}
				got = append(got, *one.Arn+" "+state)
				if *one.GroupName != "default" || *one.Target.Arn != machineARN+"work" || !one.CreationDate.Equal(w.begun) || *one.Arn != scheduleARN+*one.Name {
					w.t.Errorf("listed %+v", one)
				}
			}
			if len(page.Schedules) > 2 {
				w.t.Errorf("a page of %d", len(page.Schedules))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			w.t.Error(diff)
		}
		off, err := w.client.ListSchedules(w.t.Context(), &sdk.ListSchedulesInput{State: types.ScheduleStateDisabled})
		w.must(err)
		if len(off.Schedules) != 1 || *off.Schedules[0].Name != "s3" {
			w.t.Errorf("%v", off.Schedules)
		}
		for text, in := range map[string]*sdk.ListSchedulesInput{
			"'maxResults'": {MaxResults: aws.Int32(101)}, "'state'": {State: "ASLEEP"},
		} {
			_, err := w.client.ListSchedules(w.t.Context(), in)
			refused(w.t, err, "ValidationException", text)
		}
		_, err = w.client.ListSchedules(w.t.Context(), &sdk.ListSchedulesInput{GroupName: aws.String("g")})
		refused(w.t, err, "ResourceNotFoundException", "g")
	})
}

func TestPermissions(t *testing.T) {
	bubble(t, func(w *world) {
		ctx, in := w.t.Context(), w.input("s", "cron(0 9 * * ? *)")
		w.create(in)
		everything, err := w.sandbox.IAM.AddUser(account, "others", allow(`"scheduler:*"`, `"`+scheduleARN+`other*"`), allow(`"iam:PassRole"`, `"*"`))
		w.must(err)
		client, _ := w.as(everything)
		const denied = "AccessDeniedException"
		_, err = client.GetSchedule(ctx, &sdk.GetScheduleInput{Name: in.Name})
		refused(w.t, err, denied, "scheduler:GetSchedule on resource: "+scheduleARN+"s because no identity-based policy")
		_, err = client.CreateSchedule(ctx, in)
		refused(w.t, err, denied, "scheduler:CreateSchedule on resource: "+scheduleARN+"s")
		_, err = client.DeleteSchedule(ctx, &sdk.DeleteScheduleInput{Name: in.Name})
		refused(w.t, err, denied, "scheduler:DeleteSchedule on resource: "+scheduleARN+"s")
		_, err = client.ListSchedules(ctx, nil)
		refused(w.t, err, denied, "scheduler:ListSchedules on resource: *")
		update := &sdk.UpdateScheduleInput{Name: in.Name, ScheduleExpression: in.ScheduleExpression, FlexibleTimeWindow: in.FlexibleTimeWindow, Target: in.Target}
		_, err = client.UpdateSchedule(ctx, update)
		refused(w.t, err, denied, "scheduler:UpdateSchedule on resource: "+scheduleARN+"s")

		handless, err := w.sandbox.IAM.AddUser(account, "handless", allow(`"scheduler:*"`, `"*"`))
		w.must(err)
		client, _ = w.as(handless)
		_, err = client.UpdateSchedule(ctx, update)
		refused(w.t, err, denied, "iam:PassRole on resource: "+w.role)
		in.Name = aws.String("s2")
		_, err = client.CreateSchedule(ctx, in)
		refused(w.t, err, denied, "iam:PassRole on resource: "+w.role)
	})
}
