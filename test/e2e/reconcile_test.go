package e2e_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	scheduled "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/userpool"
	"poolferry/statemachines"
	"poolferry/tools/rehearsal"
)

// listed reads a whole pool through the AWS API: per sub the status and the
// legacy sub.
func listed(t *testing.T, site rehearsal.Site, endpoint string) map[string]types.UserType {
	t.Helper()
	users := map[string]types.UserType{}
	pages := cip.NewListUsersPaginator(administrator(site, endpoint), &cip.ListUsersInput{UserPoolId: &site.PoolID, Limit: aws.Int32(60)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Users {
			users[attribute(u, "sub")] = u
		}
	}
	return users
}

// groupsOf asks a pool for the groups of everybody, one by one: those who have any,
// sorted, by sub.
func groupsOf(t *testing.T, site rehearsal.Site, endpoint string, users map[string]types.UserType) map[string][]string {
	t.Helper()
	client, groups := administrator(site, endpoint), map[string][]string{}
	for sub, u := range users {
		out, err := client.AdminListGroupsForUser(t.Context(), &cip.AdminListGroupsForUserInput{UserPoolId: &site.PoolID, Username: u.Username})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range out.Groups {
			groups[sub] = append(groups[sub], *g.GroupName)
		}
		slices.Sort(groups[sub])
	}
	return groups
}

func attribute(u types.UserType, name string) string {
	for _, a := range u.Attributes {
		if *a.Name == name {
			return *a.Value
		}
	}
	return ""
}

// halfDone is a rehearsal in which everything is staged and a third of the people
// has tried to sign in.
func halfDone(t *testing.T, o rehearsal.Options) (*rehearsal.World, *reconcile.Reconciliation) {
	t.Helper()
	o.Now, o.Speed, o.LeastOperator = time.Now, 50, true
	w, err := rehearsal.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	execute(t, w, statemachines.Preseed)
	client := app(t, w)
	for _, p := range w.People {
		if p.Index%3 == 0 && p.Kind == crowd.Plain {
			if got, err := client.SignIn(t.Context(), p.Name, p.Password, nil); err != nil || !got.Done {
				t.Fatalf("%s %d: %+v, %v", p.Kind, p.Index, got, err)
			}
		}
	}
	r, err := w.Reconciliation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return w, r
}

func execute(t *testing.T, w *rehearsal.World, definition string) {
	t.Helper()
	workflows, err := w.Workflows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := workflows.Start(t.Context(), definition, map[string]string{"run": w.Config.Run}); err != nil {
		t.Fatal(err)
	}
	if err := w.States.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestReconciliationAgreesWithThePools counts both pools through the AWS API,
// user by user, and wants the reconciliation to say the same.
func TestReconciliationAgreesWithThePools(t *testing.T) {
	t.Parallel()
	w, r := halfDone(t, rehearsal.Options{Users: 260, Seed: 5})
	execute(t, w, statemachines.Reconcile)
	source, target := listed(t, w.Source, w.Endpoint), listed(t, w.Target, w.Endpoint)
	groups, settled := groupsOf(t, w.Source, w.Endpoint, source), 0
	arrived := map[string]string{}
	for sub, u := range target {
		arrived[attribute(u, "custom:legacy_sub")] = sub
	}
	want := map[verdict.Verdict]int{}
	for sub, u := range source {
		switch {
		case arrived[sub] != "":
			want[verdict.Migrated]++
		case u.UserStatus == types.UserStatusTypeExternalProvider:
			want[verdict.Excluded]++
		default:
			want[verdict.Pending]++
		}
	}
	status, err := r.Status(t.Context())
	if err != nil || status.Last == nil {
		t.Fatalf("%+v, %v", status, err)
	}
	if diff := cmp.Diff(want, status.Last.Verdicts); diff != "" {
		t.Errorf("verdicts (-the pools +the reconciliation):\n%s", diff)
	}
	percent := math.Floor(1000*float64(want[verdict.Migrated])/float64(want[verdict.Migrated]+want[verdict.Pending])) / 10
	if status.Last.Percent != percent || percent == 0 {
		t.Errorf("%v %%, want %v", status.Last.Percent, percent)
	}
	for row, err := range r.IDMap(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if got := arrived[string(row.LegacySub)]; got != string(row.Sub) {
			t.Errorf("id map: %s is %s, the pools say %s", row.LegacySub, row.Sub, got)
		}
		delete(arrived, string(row.LegacySub))
	}
	if len(arrived) > 0 {
		t.Errorf("id map: %d users are missing", len(arrived))
	}
	for row, err := range r.Pending(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if _, known := source[string(row.Sub)]; !known || row.Reason == "" || row.Reason.Meaning() == "" {
			t.Errorf("pending: %+v", row)
		}
		if diff := cmp.Diff(groups[string(row.Sub)], row.Groups); diff != "" {
			t.Errorf("groups of %s (-the pool +the reconciliation): %s", row.Sub, diff)
		}
		delete(groups, string(row.Sub))
	}
	for _, ref := range status.Last.Settle {
		rows, err := r.ReadSettleRows(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if diff := cmp.Diff(groups[string(row.LegacySub)], row.Groups); diff != "" {
				t.Errorf("to settle, groups of %s (-the pool +the reconciliation): %s", row.LegacySub, diff)
			}
			if got := *target[string(row.Sub)].Username; got != row.Username {
				t.Errorf("to settle: %s is %s at the target, not %s", row.LegacySub, got, row.Username)
			}
			delete(groups, string(row.LegacySub))
			settled++
		}
	}
	if len(groups) > 0 || settled == 0 {
		t.Errorf("%d users with groups are neither pending nor to be settled, %d are", len(groups), settled)
	}
}

// TestTwoReconciliationsAtOnce: one works, the other says who does.
func TestTwoReconciliationsAtOnce(t *testing.T) {
	t.Parallel()
	w, r := halfDone(t, rehearsal.Options{Users: 90, Seed: 6, Faults: "lambda.scan-target=delay:300ms"})
	workflows, err := w.Workflows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := workflows.Start(t.Context(), statemachines.Reconcile, map[string]string{"run": w.Config.Run}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.States.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	status, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(status.History.Points); n != 1 || !status.History.Points[0].Whole() {
		t.Errorf("%d points, %+v, want one that is whole", n, status.History.Points)
	}
}

// TestNeverCompleteWhereSomethingFails: a function that never runs leaves a
// reconciliation that is partial or failed, with the words for it, and after it
// one that is whole.
func TestNeverCompleteWhereSomethingFails(t *testing.T) {
	t.Parallel()
	for function, want := range map[string]string{
		"index-manifest": "Unread", "scan-target": "Unread", "match-names": "Lambda.TooManyRequestsException", "compare-bucket": "buckets_missing",
	} {
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			w, r := halfDone(t, rehearsal.Options{Users: 90, Seed: 7, Faults: "lambda." + function + "=throttle:100%"})
			execute(t, w, statemachines.Reconcile)
			status, err := r.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			last, ok := status.History.Last()
			if !ok || last.Whole() || last.Complete || last.Failure != want && !slices.Contains(last.Partial, want) {
				t.Errorf("%+v, want one that is not whole because of %s", last, want)
			}
			if status.Lease == nil || status.Lease.Released.IsZero() {
				t.Errorf("lease %+v was not given back", status.Lease)
			}
		})
	}
}

// preseed stages everything as an operator does.
func preseed(t *testing.T, w *rehearsal.World) {
	t.Helper()
	execute(t, w, statemachines.Preseed)
}

// everybodyMoved is a rehearsal in which everything is staged and everybody has
// moved.
func everybodyMoved(t *testing.T, people int, stage func(*testing.T, *rehearsal.World)) (*rehearsal.World, *reconcile.Reconciliation) {
	t.Helper()
	w, err := rehearsal.New(t.Context(), rehearsal.Options{Seed: 8, Speed: 50, Now: time.Now, LeastOperator: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	for i := range people {
		_, err := w.Cognito.PutUser(w.Source.PoolID, cognitoidp.UserSpec{
			Username: fmt.Sprintf("user-%02d", i), Password: userpool.NewSecret("Canary-1!"), Status: userpool.StatusConfirmed,
			Attributes: userpool.Attributes{"email": fmt.Sprintf("u%02d@example.com", i), "email_verified": "true"}, Groups: []string{"members"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stage(t, w)
	client := app(t, w)
	for i := range people {
		if got, err := client.SignIn(t.Context(), fmt.Sprintf("u%02d@example.com", i), userpool.NewSecret("Canary-1!"), nil); err != nil || !got.Done {
			t.Fatalf("user %d: %+v, %v", i, got, err)
		}
	}
	r, err := w.Reconciliation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return w, r
}

// TestCompletion: everybody has moved. The first reconciliation does not believe
// it yet, the second does, says so and disables the schedule; the third has
// nothing more to say.
func TestCompletion(t *testing.T) {
	t.Parallel()
	const people = 70
	w, r := everybodyMoved(t, people, preseed)
	schedules := scheduler.NewFromConfig(aws.Config{
		Region: w.Target.Region, BaseEndpoint: &w.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(w.Target.Administrator.AccessKeyID, w.Target.Administrator.SecretAccessKey.Reveal(), ""),
	})
	name := "poolferry-" + w.Config.Run + "-reconcile"
	before, err := schedules.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		complete bool
		messages int
		state    scheduled.ScheduleState
	}{{false, 0, scheduled.ScheduleStateEnabled}, {true, 1, scheduled.ScheduleStateDisabled}, {true, 1, scheduled.ScheduleStateDisabled}} {
		if i < 2 {
			if err := w.FireSchedule(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := w.States.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else {
			execute(t, w, statemachines.Reconcile)
		}
		status, err := r.Status(t.Context())
		if err != nil || status.Last == nil {
			t.Fatalf("%+v, %v", status, err)
		}
		if l := status.Last; l.Complete != want.complete || l.Percent != 100 || l.Verdicts[verdict.Migrated] != people {
			t.Errorf("reconciliation %d: %+v, want complete: %v", i+1, l, want.complete)
		}
		if n := len(w.Announcements()); n != want.messages {
			t.Errorf("reconciliation %d: %d messages, want %d", i+1, n, want.messages)
		}
		after, err := schedules.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: &name})
		if err != nil || after.State != want.state {
			t.Fatalf("reconciliation %d: schedule %+v, %v; want it %s", i+1, after, err, want.state)
		}
		after.State, after.LastModificationDate, after.ResultMetadata = before.State, before.LastModificationDate, before.ResultMetadata
		if diff := cmp.Diff(before, after, cmpopts.IgnoreUnexported(scheduler.GetScheduleOutput{}, scheduled.FlexibleTimeWindow{}, scheduled.Target{}, scheduled.RetryPolicy{}, middleware.Metadata{})); diff != "" {
			t.Errorf("the schedule lost something (-before +after):\n%s", diff)
		}
	}
}
