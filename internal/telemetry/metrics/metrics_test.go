package metrics_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/cloudwatch"
	"poolferry/internal/telemetry"
	"poolferry/internal/telemetry/metrics"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

const (
	account = "444455556666"
	region  = "eu-central-1"
)

var noon = time.Date(2026, 11, 21, 12, 7, 0, 0, time.UTC)

// serve starts a sandbox with CloudWatch and returns the environment of an
// operator who may do one thing.
func serve(t *testing.T, action string) (*cloudwatch.Service, func(string) (string, bool)) {
	t.Helper()
	service := cloudwatch.New(cloudwatch.Options{Account: account, Region: region, Now: func() time.Time { return noon }})
	box := sandbox.New(sandbox.Options{})
	if err := box.Register(service); err != nil {
		t.Fatal(err)
	}
	user, err := box.IAM.AddUser(account, "ops", fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":"*"}}`, action))
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := box.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	variables := map[string]string{"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": user.AccessKeyID, "AWS_SECRET_ACCESS_KEY": user.SecretAccessKey.Reveal()}
	return service, func(name string) (string, bool) { value, ok := variables[name]; return value, ok }
}

// TestSumsOfWhatTheTriggerWrites: the trigger's recorder writes, and the sums are
// of it.
func TestSumsOfWhatTheTriggerWrites(t *testing.T) {
	service, env := serve(t, "cloudwatch:GetMetricData")
	for run, outcomes := range map[string][]trigger.Outcome{
		"r1": {trigger.Migrated, trigger.Migrated, trigger.Throttled, trigger.RejectedCredentials, trigger.LockedOut},
		"r2": {trigger.Deadline},
	} {
		recorder := telemetry.NewRecorder(service, run, func() userpool.Secret { return userpool.Secret{} }, time.Now)
		for i, outcome := range outcomes {
			recorder.Record(t.Context(), trigger.Decision{At: noon.Add(-time.Duration(i) * 5 * time.Hour), Outcome: outcome, Total: time.Second})
		}
		recorder.Record(t.Context(), trigger.Decision{At: noon.Add(-26 * time.Hour), Outcome: trigger.Throttled})
	}
	m, err := metrics.New(t.Context(), region, "r1", env)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Sums(t.Context(), noon.Add(-24*time.Hour), noon.Add(time.Minute), "Decisions", "Failures", "Migrated", "Nothing")
	if err != nil {
		t.Fatal(err)
	}
	if want := (map[string]float64{"Decisions": 5, "Failures": 1, "Migrated": 2, "Nothing": 0}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRefused(t *testing.T) {
	_, env := serve(t, "cloudwatch:PutMetricData")
	m, err := metrics.New(t.Context(), region, "r1", env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Sums(t.Context(), noon.Add(-time.Hour), noon, "Decisions"); err == nil || fault.KindOf(err) != fault.Denied {
		t.Errorf("without the right: %v", err)
	}
	_, env = serve(t, "cloudwatch:GetMetricData")
	if m, err = metrics.New(t.Context(), region, "r1", env); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Sums(t.Context(), noon, noon.Add(-time.Hour), "Decisions"); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("a span that ends before it begins: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Sums(ctx, noon.Add(-time.Hour), noon, "Decisions"); err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("interrupted: %v", err)
	}
}
