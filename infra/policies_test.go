package infra

import (
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/config"
	"poolferry/internal/sandbox/iam"
)

const (
	sourceAccount = "111122223333"
	targetAccount = "444455556666"
	lambdaRole    = "arn:aws:iam::444455556666:role/poolferry-migrate-user"
	targetPool    = "arn:aws:cognito-idp:eu-west-1:444455556666:userpool/eu-west-1_ZyXwVu987"
	logGroup      = "arn:aws:logs:eu-west-1:444455556666:log-group:/aws/lambda/poolferry-migrate-user"
	stagingKey    = "arn:aws:kms:eu-west-1:444455556666:key/00000000-0000-4000-8000-000000000001"
	operationsKey = "arn:aws:kms:eu-west-1:444455556666:key/00000000-0000-4000-8000-000000000002"
	secretsKey    = "arn:aws:kms:eu-west-1:444455556666:key/00000000-0000-4000-8000-000000000003"
	topic         = "arn:aws:sns:eu-west-1:444455556666:poolferry-2026-11-prod"
	importLogRole = "arn:aws:iam::444455556666:role/poolferry-2026-11-prod-import-log"
	deadLetters   = "arn:aws:sqs:eu-west-1:444455556666:poolferry-2026-11-prod-schedule-dead-letters"
)

// values fills every policy for the migration of the sample configuration.
func values(t *testing.T) map[string]map[string]string {
	t.Helper()
	c, err := config.Load("../docs/poolferry.sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pool := map[string]string{"source_pool_arn": c.Source.PoolARN()}
	trust := map[string]string{
		"partition": "aws", "target_account": targetAccount,
		"lambda_role_arn": lambdaRole, "external_id": c.Source.ExternalID,
	}
	const functions, roles = "arn:aws:lambda:eu-west-1:444455556666:function:poolferry-", "arn:aws:iam::444455556666:role/poolferry-"
	return map[string]map[string]string{
		ExportTrust: {
			"partition": "aws", "target_account": targetAccount, "external_id": c.Source.ExternalID,
			"plan_seeding_role_arn": roles + "plan-seeding", "seed_batch_role_arn": roles + "seed-batch",
			"close_seeding_role_arn": roles + "close-seeding", "operator_arn": roles + "operator",
		},
		Seeding: {
			"export_role_arn": c.Source.ExportRoleARN, "staging_bucket_arn": "arn:aws:s3:::" + c.Staging.Bucket, "run": c.Run, "log_group_arn": logGroup,
		},
		StatesTrust: {"target_account": targetAccount},
		Preseed: {
			"plan_seeding_function_arn": functions + "plan-seeding", "seed_batch_function_arn": functions + "seed-batch",
			"close_seeding_function_arn": functions + "close-seeding",
			"state_machine_arn":          "arn:aws:states:eu-west-1:444455556666:stateMachine:poolferry-2026-11-prod-preseed",
		},
		LoginRole: pool, LoginRoleMFA: pool, ExportRole: pool,
		Reconciliation:      {"staging_bucket_arn": "arn:aws:s3:::" + c.Staging.Bucket, "run": c.Run, "log_group_arn": logGroup},
		ReconciliationSweep: {"staging_bucket_arn": "arn:aws:s3:::" + c.Staging.Bucket, "run": c.Run},
		TargetDirectory:     {"target_pool_arn": targetPool},
		TargetSettings:      {"target_pool_arn": targetPool},
		SeedingSweep:        {"staging_bucket_arn": "arn:aws:s3:::" + c.Staging.Bucket, "run": c.Run},
		Reconcile: {
			"open_reconciliation_function_arn": functions + "open-reconciliation", "index_manifest_function_arn": functions + "index-manifest",
			"scan_target_function_arn": functions + "scan-target", "match_names_function_arn": functions + "match-names",
			"compare_bucket_function_arn": functions + "compare-bucket", "close_reconciliation_function_arn": functions + "close-reconciliation",
			"settle_users_function_arn": functions + "settle-users",
			"state_machine_arn":         "arn:aws:states:eu-west-1:444455556666:stateMachine:poolferry-2026-11-prod-reconcile",
			"execution_arn":             "arn:aws:states:eu-west-1:444455556666:execution:poolferry-2026-11-prod-reconcile",
			"preseed_state_machine_arn": "arn:aws:states:eu-west-1:444455556666:stateMachine:poolferry-2026-11-prod-preseed",
			"staging_bucket_arn":        "arn:aws:s3:::" + c.Staging.Bucket, "run": c.Run,
			"topic_arn":         "arn:aws:sns:eu-west-1:444455556666:poolferry-2026-11-prod",
			"schedule_arn":      "arn:aws:scheduler:eu-west-1:444455556666:schedule/default/poolferry-2026-11-prod-reconcile",
			"schedule_role_arn": roles + "schedule",
		},
		SchedulerTrust:    {"target_account": targetAccount},
		ReconcileSchedule: {"reconcile_state_machine_arn": "arn:aws:states:eu-west-1:444455556666:stateMachine:poolferry-2026-11-prod-reconcile"},
		StagingBucket:     {"staging_bucket_arn": "arn:aws:s3:::" + c.Staging.Bucket, "staging_key_arn": stagingKey},
		StagingKey:        {"partition": "aws", "target_account": targetAccount},
		StagingKeyUse:     {"staging_key_arn": stagingKey, "region": c.Target.Region, "dns_suffix": "amazonaws.com"},
		StagingKeyRead:    {"staging_key_arn": stagingKey, "region": c.Target.Region, "dns_suffix": "amazonaws.com"},
		OperationsKey: {
			"partition": "aws", "target_account": targetAccount, "region": c.Target.Region, "dns_suffix": "amazonaws.com", "run": c.Run,
		},
		OperationsKeyUse:    {"operations_key_arn": operationsKey, "region": c.Target.Region, "dns_suffix": "amazonaws.com"},
		Topic:               {"topic_arn": topic, "partition": "aws", "target_account": targetAccount, "region": c.Target.Region, "run": c.Run},
		StatesLogging:       nil,
		ScheduleDeadLetters: {"dead_letters_arn": deadLetters},
		DeadLetters:         {"dead_letters_arn": deadLetters},
		Secrets:             {"secret_arn": "arn:aws:secretsmanager:eu-west-1:444455556666:secret:poolferry/name-key-AbCdEf"},
		SecretsKey:          {"secret_key_arn": secretsKey, "region": c.Target.Region, "dns_suffix": "amazonaws.com"},
		VPC:                 nil,
		LoginTrust:          trust, LambdaTrust: nil,
		MigrateUser: {"login_role_arn": c.Source.LoginRoleARN, "target_pool_arn": targetPool, "log_group_arn": logGroup},

		Settle: {
			"staging_bucket_arn": "arn:aws:s3:::" + c.Staging.Bucket, "run": c.Run, "log_group_arn": logGroup, "target_pool_arn": targetPool,
		},
		SettleRoles: {"group_role_arns": roles + "editors " + roles + "staff,readers"},
		WelcomeUser: {
			"staging_bucket_arn": "arn:aws:s3:::" + c.Staging.Bucket, "run": c.Run, "log_group_arn": logGroup, "target_pool_arn": targetPool,
		},
		GuardSignup: {"staging_bucket_arn": "arn:aws:s3:::" + c.Staging.Bucket, "run": c.Run, "log_group_arn": logGroup},
		LogsOnly:    {"log_group_arn": logGroup},
		TailJobs: {
			"target_pool_arn": targetPool, "import_log_role_arn": importLogRole,
			"pool_log_group_arn": "arn:aws:logs:eu-west-1:444455556666:log-group:/aws/cognito/userpools/eu-west-1_ZyXwVu987",
		},
		ImportLogTrust: {"target_account": targetAccount, "target_pool_arn": targetPool},
		ImportLog:      {"partition": "aws", "region": c.Target.Region, "target_account": targetAccount},
		Tail: {
			"open_tail_function_arn": functions + "open-tail", "write_tail_function_arn": functions + "write-tail",
			"import_tail_function_arn": functions + "import-tail", "close_tail_function_arn": functions + "close-tail",
			"topic_arn": topic,
		},
		Operator: {
			"export_role_arn": c.Source.ExportRoleARN, "staging_bucket_arn": "arn:aws:s3:::" + c.Staging.Bucket, "run": c.Run,
			"staging_key_arn": stagingKey, "region": c.Target.Region, "dns_suffix": "amazonaws.com", "target_pool_arn": targetPool,
			"preseed_state_machine_arn":   "arn:aws:states:eu-west-1:444455556666:stateMachine:poolferry-2026-11-prod-preseed",
			"reconcile_state_machine_arn": "arn:aws:states:eu-west-1:444455556666:stateMachine:poolferry-2026-11-prod-reconcile",
			"tail_state_machine_arn":      "arn:aws:states:eu-west-1:444455556666:stateMachine:poolferry-2026-11-prod-tail",
			"reconcile_execution_arn":     "arn:aws:states:eu-west-1:444455556666:execution:poolferry-2026-11-prod-reconcile",
			"reconcile_map_run_arn":       "arn:aws:states:eu-west-1:444455556666:mapRun:poolferry-2026-11-prod-reconcile",
			"tail_execution_arn":          "arn:aws:states:eu-west-1:444455556666:execution:poolferry-2026-11-prod-tail",
		},
		OperatorSMS: {"sms_role_arn": roles + "sms"},
	}
}

func render(t *testing.T, name string) []byte {
	t.Helper()
	doc, err := Render(name, values(t)[name])
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

var accountID = regexp.MustCompile(`\b[0-9]{12}\b`)

func TestEveryPolicyRenders(t *testing.T) {
	paths, err := fs.Glob(modules, "modules/*/policies/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range paths {
		name := strings.TrimSuffix(path.Base(p), ".json")
		names = append(names, name)
		template, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(template) {
			t.Errorf("%s: not JSON before it is filled", p)
		}
		if accountID.Match(template) {
			t.Errorf("%s: has an account id in it", p)
		}
		doc := render(t, name)
		if !json.Valid(doc) || strings.Contains(string(doc), "${") {
			t.Errorf("%s: %s", name, doc)
		}
		readme, err := os.ReadFile(path.Join(path.Dir(p), "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range placeholder.FindAllStringSubmatch(string(template), -1) {
			if !strings.Contains(string(readme), "`"+m[1]+"`") {
				t.Errorf("%s: README.md does not name the placeholder %s", p, m[1])
			}
		}
	}
	want := []string{LoginRole, LoginRoleMFA, LoginTrust, ExportRole, ExportTrust, LambdaTrust, MigrateUser, Seeding, StatesTrust, Preseed,
		Reconciliation, ReconciliationSweep, TargetDirectory, TargetSettings, SeedingSweep, Reconcile, SchedulerTrust, ReconcileSchedule,
		StagingBucket, StagingKey, StagingKeyUse, StagingKeyRead, OperationsKey, OperationsKeyUse, Topic, StatesLogging, ScheduleDeadLetters, DeadLetters,
		Secrets, SecretsKey, VPC, Settle, SettleRoles, WelcomeUser, GuardSignup, LogsOnly, TailJobs, ImportLogTrust, ImportLog, Tail, Operator, OperatorSMS}
	slices.Sort(want)
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("constants and files differ: %s", diff)
	}
}

func TestRenderRefuses(t *testing.T) {
	pool := "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_AbCdEf123"
	for want, in := range map[string]struct {
		name   string
		values map[string]string
	}{
		`there is no policy "nope"`:                         {"nope", nil},
		`policy login-role: no value for source_pool_arn`:   {LoginRole, nil},
		`policy login-role: has no placeholder other`:       {LoginRole, map[string]string{"source_pool_arn": pool, "other": "x"}},
		`policy export-role: no value for source_pool_arn`:  {ExportRole, map[string]string{"source_pool_arn": ""}},
		`policy login-role: source_pool_arn "*" has a wild`: {LoginRole, map[string]string{"source_pool_arn": "*"}},
		`policy login-role: source_pool_arn "${aws:Princip`: {LoginRole, map[string]string{"source_pool_arn": "${aws:PrincipalArn}"}},
	} {
		if _, err := Render(in.name, in.values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestRenderEscapes: a value cannot end the string that it stands in.
func TestRenderEscapes(t *testing.T) {
	const hostile = `x","Effect":"Deny<>&` + "\n"
	doc, err := Render(LoginRole, map[string]string{"source_pool_arn": hostile})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Statement []struct{ Effect, Resource string }
	}
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	if s := got.Statement[0]; s.Effect != "Allow" || s.Resource != hostile {
		t.Errorf("%+v", s)
	}
}

// TestRenderLists: a placeholder for several ARNs becomes as many strings, which
// end in nothing that a value holds.
func TestRenderLists(t *testing.T) {
	for given, want := range map[string][]string{
		"arn:aws:iam::1:role/a":                          {"arn:aws:iam::1:role/a"},
		"arn:aws:iam::1:role/a,b  arn:aws:iam::1:role/c": {"arn:aws:iam::1:role/a,b", "arn:aws:iam::1:role/c"},
		`a" "b`: {`a"`, `"b`},
	} {
		doc, err := Render(SettleRoles, map[string]string{"group_role_arns": given})
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Statement []struct{ Resource []string } }
		if err := json.Unmarshal(doc, &got); err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		if diff := cmp.Diff(want, got.Statement[0].Resource); diff != "" {
			t.Errorf("%s: %s", given, diff)
		}
	}
	if _, err := Render(SettleRoles, map[string]string{"group_role_arns": "arn:aws:iam::1:role/a arn:aws:iam::1:role/*"}); err == nil {
		t.Error("one of several may be a pattern")
	}
}

// TestRolesAllowWhatTheyAreFor assumes the roles as the sandbox evaluates them.
func TestRolesAllowWhatTheyAreFor(t *testing.T) {
	directory := iam.New(time.Now)
	addRole := func(account, name string, docs ...string) string {
		t.Helper()
		var policies [][]byte
		for _, doc := range docs {
			policies = append(policies, render(t, doc))
		}
		arn, err := directory.AddRole(account, name, policies[0], policies[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		return arn
	}
	login := addRole(sourceAccount, "poolferry-login", LoginTrust, LoginRole)
	loginMFA := addRole(sourceAccount, "poolferry-login-mfa", LoginTrust, LoginRole, LoginRoleMFA)
	export := addRole(sourceAccount, "poolferry-export", ExportTrust, ExportRole)
	function := addRole(targetAccount, "poolferry-migrate-user", LambdaTrust, MigrateUser)
	batch := addRole(targetAccount, "poolferry-seed-batch", LambdaTrust, Seeding)
	stranger := addRole(targetAccount, "stranger", LambdaTrust, MigrateUser)

	caller := func(role string) (key string) {
		t.Helper()
		c, err := directory.Session(role, "test", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return c.AccessKeyID + " " + c.SessionToken.Reveal()
	}
	assume := func(session, role, externalID string) error {
		t.Helper()
		key, token, _ := strings.Cut(session, " ")
		who, _, err := directory.Lookup(key, token)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = directory.AssumeRole(who, iam.AssumeRoleInput{RoleARN: role, SessionName: "test", ExternalID: externalID})
		return err
	}
	const externalID = "poolferry-2026-11-prod"
	if err := assume(caller(function), login, externalID); err != nil {
		t.Errorf("the function cannot assume the login role: %v", err)
	}
	if err := assume(caller(batch), export, externalID); err != nil {
		t.Errorf("seeding cannot assume the export role: %v", err)
	}
	for why, err := range map[string]error{
		"seeding, the login role": assume(caller(batch), login, externalID),
		"without the external id": assume(caller(function), login, ""),
		"with another one":        assume(caller(function), login, "other"),
		"as another role":         assume(caller(stranger), login, externalID),
		"the export role":         assume(caller(function), export, externalID),
	} {
		if err == nil {
			t.Errorf("allowed: %s", why)
		}
	}

	pool := values(t)[LoginRole]["source_pool_arn"]
	for role, allowed := range map[string][]string{
		login:    {"AdminInitiateAuth", "AdminGetUser"},
		loginMFA: {"AdminInitiateAuth", "AdminGetUser", "AdminRespondToAuthChallenge"},
		export:   {"ListUsers", "ListGroups", "ListUsersInGroup", "DescribeUserPool", "DescribeUserPoolClient"},
	} {
		key, token, _ := strings.Cut(caller(role), " ")
		who, _, err := directory.Lookup(key, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, action := range []string{
			"AdminInitiateAuth", "AdminGetUser", "AdminRespondToAuthChallenge", "ListUsers", "ListGroups", "ListUsersInGroup",
			"DescribeUserPool", "DescribeUserPoolClient", "AdminDeleteUser", "AdminSetUserPassword", "UpdateUserPool",
		} {
			err := directory.Authorize(who, "cognito-idp:"+action, pool)
			if want := slices.Contains(allowed, action); (err == nil) != want {
				t.Errorf("%s, %s: %v", role, action, err)
			}
			if directory.Authorize(who, "cognito-idp:"+action, pool+"x") == nil {
				t.Errorf("%s may %s in another pool", role, action)
			}
		}
	}
}
