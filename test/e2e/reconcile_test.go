package e2e_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox/crowd"
	"poolferry/statemachines"
	"poolferry/tools/rehearsal"
)

// listed reads a whole pool through the AWS API: per sub the status and the
// legacy sub.
func listed(t *testing.T, site rehearsal.Site, endpoint string) map[string]types.UserType {
	t.Helper()
	users := map[string]types.UserType{}
	pages := cip.NewListUsersPaginator(operator(site, endpoint), &cip.ListUsersInput{UserPoolId: &site.PoolID, Limit: aws.Int32(60)})
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
	o.Now, o.Speed = time.Now, 50
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
	w, r := halfDone(t, rehearsal.Options{Users: 260, Seed: 5})
	execute(t, w, statemachines.Reconcile)
	source, target := listed(t, w.Source, w.Endpoint), listed(t, w.Target, w.Endpoint)
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
	}
}

// TestTwoReconciliationsAtOnce: one works, the other says who does.
func TestTwoReconciliationsAtOnce(t *testing.T) {
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
