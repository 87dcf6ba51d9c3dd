package e2e_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/store"
	"poolferry/internal/userpool"
	"poolferry/tools/cli"
	"poolferry/tools/rehearsal"
)

// unseen are permissions that no call in the sandbox needs, by identity, * for any,
// and the beginning of their text, with the reason.
var unseen = map[string]string{
	"* logs:CreateLogStream on arn:aws:logs:eu-central-1:222222222222:log-group:/aws/lambda/":                "Lambda writes the log of a function in its name",
	"* logs:PutLogEvents on arn:aws:logs:eu-central-1:222222222222:log-group:/aws/lambda/":                   "the same",
	"poolferry-reconcile states:DescribeExecution":                                                           "Step Functions watches the children of a Distributed Map in the role's name",
	"poolferry-reconcile states:StopExecution":                                                               "Step Functions stops them in the role's name",
	"poolferry-reconcile s3:ListMultipartUploadParts":                                                        "Step Functions writes large results in the role's name",
	"poolferry-reconcile s3:AbortMultipartUpload":                                                            "Step Functions ends what it could not write in the role's name",
	"poolferry-reconcile s3:GetObject on arn:aws:s3:::poolferry-rehearsal/runs/rehearsal/reconcile/*/maps/*": "Step Functions reads what it has written in the role's name",
}

// rare are permissions that take an accident, which other tests have.
var rare = map[string]string{
	"poolferry-seed-batch s3:DeleteObject":      "a batch that came second and read something else (internal/seeding)",
	"poolferry-close-seeding s3:DeleteObject":   "a shard with parts of dead attempts (internal/seeding)",
	"poolferry-preseed states:StartExecution":   "a seeding of more users than an execution can stage (internal/seeding, tools/demo)",
	"poolferry-close-tail s3:ListBucket":        "an import whose state is gone (internal/tail)",
	"operator cognito-idp:SetUserPoolMfaConfig": "second factors that others have changed and a roll-back puts back (internal/cutover)",
}

// TestEveryPermissionIsUsed: after a migration from the first profile to the
// purge nobody has a permission that nothing has needed, nor has its operator, who
// types everything with no more than infra's policy. The login role, which takes
// users of every kind, has a test of its own in tools/demo.
func TestEveryPermissionIsUsed(t *testing.T) {
	t.Parallel()
	m := migrate(t, rehearsal.Options{
		// Dora cannot be disabled at first: what has failed is kept, tried again, and
		// then deleted. The seed has it so that it comes to that.
		Seed: 12, Faults: "target.AdminDisableUser=error:90%,lambda.compare-bucket=delay:300ms",
		Change: func(c *config.Config) { c.Settle.Groups.Mode = userpool.GroupsMirror },
	}, person("ann", inGroups("members")), person("ben", inGroups("members")), person("carl", inGroups("readers", "writers")),
		person("dora", disabled), person("emil", texted), person("early"))

	// Before anything is there, whoever looks for it has to be told so.
	if err := m.registers("stranger", "stranger@example.net"); cognito.Code(err) != "UserLambdaValidationException" {
		t.Errorf("a registration while nobody can say whose names are: %v", err)
	}
	m.moves("early")
	preseedBySchedule(t, m.World)
	m.types("seed status", cli.ExitDone)
	m.types("seed start --yes --generation new", cli.ExitDone)
	m.types("seed stop --yes", cli.ExitDone)
	m.types("seed start --yes", cli.ExitDone)
	m.types("seed watch --interval 100ms", cli.ExitDone)
	m.types("manifest verify", cli.ExitDone)
	m.types("reconcile run --interval 100ms", cli.ExitDone)
	m.hooksForget()

	if err := m.registers("stranger", "carl@example.com"); cognito.Code(err) != "UserLambdaValidationException" {
		t.Errorf("a registration under the name of somebody: %v", err)
	}
	if err := m.registers("stranger", "stranger@example.net"); err != nil {
		t.Errorf("a registration under a free name: %v", err)
	}
	m.moves("ann", "ben")
	m.resets("emil")
	_, err := administrator(m.Target, m.Endpoint).CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: &m.Target.PoolID, GroupName: aws.String("readers")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = administrator(m.Target, m.Endpoint).AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{
		UserPoolId: &m.Target.PoolID, Username: aws.String("ann"), GroupName: aws.String("readers"),
	})
	if err != nil {
		t.Fatal(err)
	}

	m.types("tail plan", cli.ExitDone)
	var begun struct{ ID, Execution string }
	if err := json.Unmarshal([]byte(m.types("tail start --import all,disabled --yes --json", cli.ExitDone)), &begun); err != nil {
		t.Fatal(err)
	}
	m.kill(begun.Execution)
	m.types("tail start --yes "+begun.ID, cli.ExitDone)
	m.types("tail watch --interval 100ms", cli.ExitDone)
	m.types("tail failures", cli.ExitDone)
	for runs := 0; runs < 2 || m.here()[subOf("dora")].Enabled; runs++ {
		if runs == 10 {
			t.Fatal("dora is never disabled")
		}
		m.types("reconcile run --interval 100ms", cli.ExitDone)
	}
	m.types("reconcile run --interval 100ms", cli.ExitDone)
	m.types("status", cli.ExitDone)
	if err := m.AddProbe(); err != nil {
		t.Fatal(err)
	}
	m.types("cutover --yes", cli.ExitDone)
	m.types("rollback --yes", cli.ExitDone)
	m.types("cutover --yes", cli.ExitDone)
	m.deletes("ben")
	m.types("forget --yes "+string(subOf("ben")), cli.ExitDone)
	m.types("reconcile run --interval 100ms", cli.ExitDone)
	m.types("forget --check "+string(subOf("ben")), cli.ExitDone)
	m.types("purge --yes --run rehearsal", cli.ExitDone)

	account, err := cognito.NewAccount(t.Context(), m.Target.Region, m.OperatorEnv())
	if err != nil {
		t.Fatal(err)
	}
	// As explain and preflight do.
	export := cognito.Role{ARN: m.Config.Source.ExportRoleARN, ExternalID: m.Config.Source.ExternalID, SessionName: "test"}
	if _, err := cognito.NewDirectory(account, m.Source.Region, m.Source.PoolID, export).ClientReads(t.Context(), m.Source.Client.ID); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, identity := range append(m.Roles(), m.OperatorARN()) {
		if identity == m.Config.Source.LoginRoleARN {
			continue
		}
		unused, err := m.Sandbox.IAM.Unused(identity)
		if err != nil {
			t.Fatal(err)
		}
		name := identity[strings.LastIndex(identity, "/")+1:]
		for _, permission := range unused {
			matches := func(start string) bool {
				who, what, _ := strings.Cut(start, " ")
				return (who == "*" || who == name) && strings.HasPrefix(permission, what)
			}
			if slices.ContainsFunc(slices.Collect(maps.Keys(rare)), matches) {
				continue
			}
			reasons := slices.DeleteFunc(slices.Collect(maps.Keys(unseen)), func(start string) bool { return !matches(start) })
			if len(reasons) == 0 {
				t.Errorf("%s never used %s", identity, permission)
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
