package e2e_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"poolferry/internal/cognito"
	"poolferry/internal/store"
	"poolferry/tools/rehearsal"
)

// unseen are permissions that no call in the sandbox needs, by the beginning of
// their text, with the reason.
var unseen = map[string]string{
	"logs:":                       "Lambda writes the log of a function in its name",
	"states:DescribeExecution":    "Step Functions watches the children of a Distributed Map in the role's name",
	"states:StopExecution":        "Step Functions stops them in the role's name",
	"s3:ListMultipartUploadParts": "Step Functions writes large results in the role's name",
	"s3:AbortMultipartUpload":     "Step Functions ends what it could not write in the role's name",
	"s3:GetObject on arn:aws:s3:::poolferry-rehearsal/runs/rehearsal/reconcile/*/maps/*": "Step Functions reads what it has written in the role's name",
}

// rare are permissions of one role that take an accident, which other tests have.
var rare = map[string]string{
	"poolferry-seed-batch s3:DeleteObject":    "a batch that came second and read something else (internal/seeding)",
	"poolferry-close-seeding s3:DeleteObject": "a shard with parts of dead attempts (internal/seeding)",
	"poolferry-preseed states:StartExecution": "a seeding of more users than an execution can stage (internal/seeding, tools/demo)",
}

// TestEveryPermissionIsUsed: after a migration from the first profile to the
// disabled schedule nobody has a permission that nothing has needed. The login
// role, which takes users of every kind, has a test of its own in tools/demo.
func TestEveryPermissionIsUsed(t *testing.T) {
	w, r := everybodyMoved(t, 3, preseedBySchedule)
	for complete := false; !complete; {
		if err := w.FireSchedule(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.States.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		status, err := r.Status(t.Context())
		if err != nil || len(status.History.Points) > 8 {
			t.Fatalf("%+v, %v", status.History.Points, err)
		}
		complete = status.History.Complete()
	}
	account, err := cognito.NewAccount(t.Context(), w.Target.Region, w.OperatorEnv())
	if err != nil {
		t.Fatal(err)
	}
	// As explain and preflight do.
	export := cognito.Role{ARN: w.Config.Source.ExportRoleARN, ExternalID: w.Config.Source.ExternalID, SessionName: "test"}
	if _, err := cognito.NewDirectory(account, w.Source.Region, w.Source.PoolID, export).ClientReads(t.Context(), w.Source.Client.ID); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, role := range w.Roles() {
		if role == w.Config.Source.LoginRoleARN {
			continue
		}
		unused, err := w.Sandbox.IAM.Unused(role)
		if err != nil {
			t.Fatal(err)
		}
		for _, permission := range unused {
			action, _, _ := strings.Cut(permission, " on ")
			if rare[role[strings.LastIndex(role, "/")+1:]+" "+action] != "" {
				continue
			}
			reasons := slices.DeleteFunc(slices.Collect(maps.Keys(unseen)), func(start string) bool { return !strings.HasPrefix(permission, start) })
			if len(reasons) == 0 {
				t.Errorf("%s never used %s", role, permission)
				continue
			}
			seen[reasons[0]] = true
		}
	}
	for start := range unseen {
		if !seen[start] {
			t.Errorf("%s: every role that has it used it, or none has it: take it off the list", start)
		}
	}
}

// preseedBySchedule makes the plan alone, as an operator whose computer died then.
// The reconciliation finds it, and starts the seeding.
func preseedBySchedule(t *testing.T, w *rehearsal.World) {
	t.Helper()
	seeder, err := w.Seeding(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	proposal, err := seeder.Propose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := store.OpenS3(t.Context(), store.S3Options{Bucket: w.Config.Staging.Bucket, Region: w.Target.Region, Env: w.OperatorEnv()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.NewRun(bucket, w.Config.Run).WritePlan(t.Context(), proposal.Plan); err != nil {
		t.Fatal(err)
	}
	if err := w.FireSchedule(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.States.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, err := seeder.Status(t.Context(), 0); err != nil || !status.Done {
		t.Fatalf("the reconciliation did not start the seeding: %+v, %v", status, err)
	}
}
