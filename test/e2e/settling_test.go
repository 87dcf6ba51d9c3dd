package e2e_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	scheduled "github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/userpool"
	"poolferry/statemachines"
	"poolferry/tools/rehearsal"
)

// TestUnsettledIsNotTheEnd: everybody has moved, and nobody can be settled. The
// schedule goes on, for only a reconciliation goes on with settling, and nobody is
// told that this is the end: users are to be disabled yet.
func TestUnsettledIsNotTheEnd(t *testing.T) {
	t.Parallel()
	w, err := rehearsal.New(t.Context(), rehearsal.Options{Seed: 8, Speed: 50, Now: time.Now, Faults: "lambda.settle-users=throttle:100%"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	_, err = w.Cognito.PutUser(w.Source.PoolID, cognitoidp.UserSpec{
		Username: "ann", Password: userpool.NewSecret("Canary-1!"), Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{"email": "ann@example.com", "email_verified": "true"}, Groups: []string{"members"},
	})
	if err != nil {
		t.Fatal(err)
	}
	preseed(t, w)
	if got, err := app(t, w).SignIn(t.Context(), "ann@example.com", userpool.NewSecret("Canary-1!"), nil); err != nil || !got.Done {
		t.Fatalf("%+v, %v", got, err)
	}
	for range 2 {
		execute(t, w, statemachines.Reconcile)
	}
	r, err := w.Reconciliation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status, err := r.Status(t.Context()); err != nil || status.Last == nil || !status.Last.Complete {
		t.Fatalf("%+v, %v", status.Last, err)
	}
	if n := len(w.Announcements()); n != 0 {
		t.Errorf("%d messages", n)
	}
	schedules := scheduler.NewFromConfig(aws.Config{
		Region: w.Target.Region, BaseEndpoint: &w.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(w.Target.Administrator.AccessKeyID, w.Target.Administrator.SecretAccessKey.Reveal(), ""),
	})
	name := "poolferry-" + w.Config.Run + "-reconcile"
	if s, err := schedules.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: &name}); err != nil || s.State != scheduled.ScheduleStateEnabled {
		t.Errorf("%+v, %v", s, err)
	}
}
