package infra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/config"
	"poolferry/internal/workflow"
	"poolferry/statemachines"
)

// sample applies, to a mock of AWS, the run of a module that makes the sample
// configuration, and returns what it leaves.
func sample(t *testing.T, folder string) state {
	t.Helper()
	tf := newTerraform(t)
	tf.init(t, folder)
	states := tf.test(t, folder, "-verbose", "-filter=tests/sample.tftest.hcl")
	if len(states) != 1 {
		t.Fatalf("%s: %d states", folder, len(states))
	}
	return states[0]
}

// document is a policy as JSON has it.
func document(t *testing.T, text any) any {
	t.Helper()
	var out any
	if err := json.Unmarshal([]byte(fmt.Sprint(text)), &out); err != nil {
		t.Fatalf("%v in %v", err, text)
	}
	return out
}

// policies are all policy documents that a state has, by address: of roles and
// who may assume them, of keys, buckets, queues and topics.
func (s state) policies(t *testing.T) map[string]any {
	t.Helper()
	out := map[string]any{}
	s.RootModule.each(func(address, kind string, values map[string]any) {
		switch kind {
		case "aws_iam_role":
			out[address] = document(t, values["assume_role_policy"])
		case "aws_iam_role_policy", "aws_kms_key", "aws_s3_bucket_policy", "aws_sqs_queue_policy", "aws_sns_topic_policy":
			out[address] = document(t, values["policy"])
		case "aws_iam_policy", "aws_iam_role_policy_attachment":
			t.Errorf("%s: permissions that this test does not see", address)
		}
	})
	return out
}

// TestSourceAccountPolicies: every policy of the source account is the file,
// filled as the sandbox fills it, and there is no other.
func TestSourceAccountPolicies(t *testing.T) {
	s := sample(t, "modules/source-account")
	c, err := config.Load("../docs/poolferry.sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pool := map[string]string{"source_pool_arn": c.Source.PoolARN()}
	own := func(function string) string { return roleOf("poolferry-" + c.Run + "-" + function) }
	want := map[string]any{
		"aws_iam_role.login": rendered(t, LoginTrust, map[string]string{
			"partition": "aws", "target_account": targetAccount, "external_id": c.Source.ExternalID, "lambda_role_arn": own("migrate-user"),
		}),
		"aws_iam_role_policy.login":        rendered(t, LoginRole, pool),
		"aws_iam_role_policy.login_mfa[0]": rendered(t, LoginRoleMFA, pool),
		"aws_iam_role.export": rendered(t, ExportTrust, map[string]string{
			"partition": "aws", "target_account": targetAccount, "external_id": c.Source.ExternalID,
			"plan_seeding_role_arn": own("plan-seeding"), "seed_batch_role_arn": own("seed-batch"), "close_seeding_role_arn": own("close-seeding"),
			"operator_arn": roleOf("operators/poolferry"),
		}),
		"aws_iam_role_policy.export": rendered(t, ExportRole, pool),
	}
	if diff := cmp.Diff(want, s.policies(t)); diff != "" {
		t.Errorf("%s", diff)
	}

	var defined, reads []string
	s.RootModule.each(func(_, kind string, values map[string]any) {
		attributes, _ := values["schema_attributes"].([]any)
		for _, a := range attributes {
			defined = append(defined, a.(map[string]any)["name"].(string))
		}
		if kind == "aws_cognito_user_pool_client" {
			reads = list(values["read_attributes"])
		}
	})
	mapped := c.Mapping.Reads(defined)
	slices.Sort(mapped)
	slices.Sort(reads)
	if diff := cmp.Diff(mapped, reads); diff != "" || len(reads) == 0 {
		t.Errorf("the client reads other attributes than the mapping: %s", diff)
	}
}

// What the mock of the target account answers.
const (
	mockRole  = "arn:aws:iam::444455556666:role/poolferry-2026-11-prod-mock"
	mockKey   = "arn:aws:kms:eu-west-1:444455556666:key/00000000-0000-4000-8000-000000000001"
	deployAs  = "poolferry-2026-11-prod"
	inAccount = "eu-west-1:444455556666:"
)

func functionARN(name string) string {
	return "arn:aws:lambda:" + inAccount + "function:" + deployAs + "-" + name
}

func machineARN(name string) string {
	return "arn:aws:states:" + inAccount + "stateMachine:" + workflow.Name("2026-11-prod", name)
}

// TestTargetAccount looks at everything that the sample configuration makes in
// the target account.
func TestTargetAccount(t *testing.T) {
	s := sample(t, target)
	c := given(t)
	t.Run("policies", func(t *testing.T) { checkTargetPolicies(t, s, c) })
	t.Run("definitions", func(t *testing.T) { checkDefinitions(t, s, c) })
	t.Run("functions", func(t *testing.T) { checkFunctions(t, s, c) })
	t.Run("configuration", func(t *testing.T) {
		same(t, c, fmt.Sprint(s.Outputs["configuration"].Value))
	})
	t.Run("alarms", func(t *testing.T) { checkAlarms(t, s) })
}

// given is the sample configuration as its run gets it, with secrets where functions
// find them.
func given(t *testing.T) *config.Config {
	t.Helper()
	data, err := os.ReadFile("../docs/poolferry.sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("sample", bytes.ReplaceAll(data, []byte("env:POOLFERRY"), []byte("secretsmanager:POOLFERRY")))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkTargetPolicies: every policy is the file, filled, and there is no other.
func checkTargetPolicies(t *testing.T, s state, c *config.Config) {
	bucket := "arn:aws:s3:::" + c.Staging.Bucket
	given := map[string]map[string]string{
		StagingKeyUse:       {"staging_key_arn": mockKey, "region": "eu-west-1", "dns_suffix": "amazonaws.com"},
		StagingKeyRead:      {"staging_key_arn": mockKey, "region": "eu-west-1", "dns_suffix": "amazonaws.com"},
		MigrateUser:         {"login_role_arn": c.Source.LoginRoleARN, "target_pool_arn": targetPool},
		Seeding:             {"export_role_arn": c.Source.ExportRoleARN, "staging_bucket_arn": bucket, "run": c.Run},
		Reconciliation:      {"staging_bucket_arn": bucket, "run": c.Run},
		ReconciliationSweep: {"staging_bucket_arn": bucket, "run": c.Run},
		TargetDirectory:     {"target_pool_arn": targetPool},
		TargetSettings:      {"target_pool_arn": targetPool},
		SeedingSweep:        {"staging_bucket_arn": bucket, "run": c.Run},
		Settle:              {"staging_bucket_arn": bucket, "run": c.Run, "target_pool_arn": targetPool},
		WelcomeUser:         {"staging_bucket_arn": bucket, "run": c.Run, "target_pool_arn": targetPool},
		GuardSignup:         {"staging_bucket_arn": bucket, "run": c.Run},
		LogsOnly:            {},
		TailJobs: {
			"target_pool_arn": targetPool, "import_log_role_arn": importLogRole,
			"pool_log_group_arn": "arn:aws:logs:" + inAccount + "log-group:/aws/cognito/userpools/" + c.Target.PoolID,
		},
	}
	secret := rendered(t, Secrets, map[string]string{"secret_arn": "arn:aws:secretsmanager:eu-west-1:444455556666:secret:poolferry/name-key-AbCdEf"})
	want := map[string]any{}
	for name, d := range rehearsed(t) { // so that what the sandbox proves is what is deployed
		address := fmt.Sprintf("module.function[%q].", name)
		want[address+"aws_iam_role.this"] = rendered(t, LambdaTrust, nil)
		for _, policy := range d.Policies {
			values := maps.Clone(given[policy])
			if slices.Contains(placeholdersOf(t, target+"/policies/"+policy+".json"), "log_group_arn") {
				values["log_group_arn"] = "arn:aws:logs:" + inAccount + "log-group:/aws/lambda/" + deployAs + "-" + name
			}
			want[address+fmt.Sprintf("aws_iam_role_policy.this[%q]", policy)] = rendered(t, policy, values)
		}
		if name == "migrate-user" || name == "guard-signup" {
			want[address+`aws_iam_role_policy.this["secret-name_key"]`] = secret
		}
		if roles := groupRoles(c); len(roles) > 0 && (name == "settle-users" || name == "welcome-user") {
			want[address+fmt.Sprintf("aws_iam_role_policy.this[%q]", SettleRoles)] = rendered(t, SettleRoles, map[string]string{"group_role_arns": strings.Join(roles, " ")})
		}
	}
	reconciling := map[string]string{
		"state_machine_arn": machineARN("reconcile"), "execution_arn": strings.Replace(machineARN("reconcile"), ":stateMachine:", ":execution:", 1), "preseed_state_machine_arn": machineARN("preseed"), "staging_bucket_arn": bucket, "run": c.Run,
		"topic_arn": topic, "schedule_arn": "arn:aws:scheduler:" + inAccount + "schedule/default/" + deployAs + "-reconcile", "schedule_role_arn": mockRole,
	}
	for _, name := range []string{"open-reconciliation", "index-manifest", "scan-target", "match-names", "compare-bucket", "close-reconciliation", "settle-users"} {
		reconciling[strings.ReplaceAll(name, "-", "_")+"_function_arn"] = functionARN(name)
	}
	publish := rendered(t, OperationsKeyUse, map[string]string{"operations_key_arn": mockKey, "region": "eu-west-1", "dns_suffix": "amazonaws.com"})
	operations := map[string]string{"partition": "aws", "target_account": targetAccount, "region": "eu-west-1", "dns_suffix": "amazonaws.com", "run": c.Run}
	maps.Copy(want, map[string]any{
		`aws_iam_role.machine["preseed"]`:                             rendered(t, StatesTrust, map[string]string{"target_account": targetAccount}),
		`aws_iam_role.machine["reconcile"]`:                           rendered(t, StatesTrust, map[string]string{"target_account": targetAccount}),
		`aws_iam_role_policy.machine["preseed/states-logging"]`:       rendered(t, StatesLogging, nil),
		`aws_iam_role_policy.machine["reconcile/states-logging"]`:     rendered(t, StatesLogging, nil),
		`aws_iam_role_policy.machine["reconcile/reconcile"]`:          rendered(t, Reconcile, reconciling),
		`aws_iam_role_policy.machine["reconcile/staging-key-use"]`:    rendered(t, StagingKeyUse, given[StagingKeyUse]),
		`aws_iam_role_policy.machine["reconcile/operations-key-use"]`: publish,
		`aws_iam_role.machine["tail"]`:                                rendered(t, StatesTrust, map[string]string{"target_account": targetAccount}),
		`aws_iam_role_policy.machine["tail/states-logging"]`:          rendered(t, StatesLogging, nil),
		`aws_iam_role_policy.machine["tail/operations-key-use"]`:      publish,
		`aws_iam_role_policy.machine["tail/tail"]`: rendered(t, Tail, map[string]string{
			"open_tail_function_arn": functionARN("open-tail"), "write_tail_function_arn": functionARN("write-tail"),
			"import_tail_function_arn": functionARN("import-tail"), "close_tail_function_arn": functionARN("close-tail"), "topic_arn": topic,
		}),
		"aws_iam_role.import_log":        rendered(t, ImportLogTrust, map[string]string{"target_account": targetAccount, "target_pool_arn": targetPool}),
		"aws_iam_role_policy.import_log": rendered(t, ImportLog, map[string]string{"partition": "aws", "region": "eu-west-1", "target_account": targetAccount}),
		`aws_iam_role_policy.machine["preseed/preseed"]`: rendered(t, Preseed, map[string]string{
			"plan_seeding_function_arn": functionARN("plan-seeding"), "seed_batch_function_arn": functionARN("seed-batch"),
			"close_seeding_function_arn": functionARN("close-seeding"), "state_machine_arn": machineARN("preseed"),
		}),
		"aws_iam_role.schedule":                     rendered(t, SchedulerTrust, map[string]string{"target_account": targetAccount}),
		"aws_iam_role_policy.schedule":              rendered(t, ReconcileSchedule, map[string]string{"reconcile_state_machine_arn": machineARN("reconcile")}),
		"aws_iam_role_policy.schedule_dead_letters": rendered(t, ScheduleDeadLetters, map[string]string{"dead_letters_arn": deadLetters}),
		"aws_sqs_queue_policy.dead_letters":         rendered(t, DeadLetters, map[string]string{"dead_letters_arn": deadLetters}),
		"aws_s3_bucket_policy.staging":              rendered(t, StagingBucket, map[string]string{"staging_bucket_arn": bucket, "staging_key_arn": mockKey}),
		"aws_kms_key.staging":                       rendered(t, StagingKey, map[string]string{"partition": "aws", "target_account": targetAccount}),
		"aws_kms_key.operations":                    rendered(t, OperationsKey, operations),
		"aws_sns_topic_policy.this": rendered(t, Topic, map[string]string{
			"topic_arn": topic, "partition": "aws", "target_account": targetAccount, "region": "eu-west-1", "run": c.Run,
		}),
	})
	if diff := cmp.Diff(want, s.policies(t)); diff != "" {
		t.Errorf("%s", diff)
	}
	part := func(name, kind string) string {
		return strings.Replace(machineARN(name), ":stateMachine:", ":"+kind+":", 1)
	}
	operator := statements(rendered(t, Operator, map[string]string{
		"export_role_arn": c.Source.ExportRoleARN, "staging_bucket_arn": bucket, "run": c.Run, "staging_key_arn": mockKey, "region": "eu-west-1", "dns_suffix": "amazonaws.com",
		"preseed_state_machine_arn": machineARN("preseed"), "reconcile_state_machine_arn": machineARN("reconcile"), "tail_state_machine_arn": machineARN("tail"),
		"reconcile_execution_arn": part("reconcile", "execution"), "reconcile_map_run_arn": part("reconcile", "mapRun"),
		"tail_execution_arn": part("tail", "execution"), "target_pool_arn": targetPool,
	}))
	sms := statements(rendered(t, OperatorSMS, map[string]string{"sms_role_arn": roleOf("sms")}))
	if diff := cmp.Diff(slices.Concat(operator, sms), statements(document(t, s.Outputs["operator_policy"].Value))); diff != "" {
		t.Errorf("operators: %s", diff)
	}
}

// statements are those of a policy.
func statements(policy any) []any { return policy.(map[string]any)["Statement"].([]any) }

// groupRoles are the roles of groups that a configuration names, each once.
func groupRoles(c *config.Config) (arns []string) {
	for _, role := range c.Settle.Groups.Roles {
		if !slices.Contains(arns, role.RoleARN) {
			arns = append(arns, role.RoleARN)
		}
	}
	return arns
}

// checkDefinitions: the definitions are the files, filled as the sandbox fills
// them, under the names by which the command line tool starts them.
func checkDefinitions(t *testing.T, s state, c *config.Config) {
	reconciling := map[string]string{
		"preseed_state_machine": machineARN("preseed"), "staging_bucket": c.Staging.Bucket, "topic": topic, "schedule_name": deployAs + "-reconcile",
	}
	for _, name := range []string{"open-reconciliation", "index-manifest", "scan-target", "match-names", "compare-bucket", "close-reconciliation", "settle-users"} {
		reconciling[strings.ReplaceAll(name, "-", "_")+"_function"] = functionARN(name)
	}
	want := map[string]any{}
	for name, values := range map[string]map[string]string{
		statemachines.Preseed: {
			"plan_seeding_function": functionARN("plan-seeding"), "seed_batch_function": functionARN("seed-batch"), "close_seeding_function": functionARN("close-seeding"),
		},
		statemachines.Reconcile: reconciling,
		statemachines.Tail: {
			"open_tail_function": functionARN("open-tail"), "write_tail_function": functionARN("write-tail"),
			"import_tail_function": functionARN("import-tail"), "close_tail_function": functionARN("close-tail"), "topic": topic,
		},
	} {
		text, err := statemachines.Render(name, values)
		if err != nil {
			t.Fatal(err)
		}
		want[workflow.Name(c.Run, name)] = document(t, string(text))
	}
	got := map[string]any{}
	s.RootModule.each(func(_, kind string, values map[string]any) {
		if kind == "aws_sfn_state_machine" {
			got[values["name"].(string)] = document(t, values["definition"])
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s", diff)
	}
}

// checkFunctions: every function has the configuration, and names that others
// build ARNs of.
func checkFunctions(t *testing.T, s state, c *config.Config) {
	var got []string
	s.RootModule.each(func(address, kind string, values map[string]any) {
		if kind != "aws_lambda_function" {
			return
		}
		name := values["function_name"].(string)
		got = append(got, strings.TrimPrefix(name, deployAs+"-"))
		environment := values["environment"].([]any)[0].(map[string]any)["variables"].(map[string]any)
		if len(environment) != 1 {
			t.Errorf("%s: %v", address, slices.Sorted(maps.Keys(environment)))
		}
		same(t, c, environment[config.EnvName].(string))
	})
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(rehearsed(t))), got); diff != "" {
		t.Errorf("%s", diff)
	}
}

// same checks that a document is a configuration.
func same(t *testing.T, want *config.Config, text string) {
	t.Helper()
	got, err := config.Parse("deployed", []byte(text))
	if err != nil {
		t.Errorf("the functions would not start: %v", err)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the functions work with another configuration: %s", diff)
	}
}

// checkAlarms: each single alarm is in the rule of one composite alarm, which
// names no other, and CloudWatch takes them all.
func checkAlarms(t *testing.T, s state) {
	single, heard := map[string]int{}, map[string]int{}
	metrics, composite := 0, 0
	s.RootModule.each(func(_, kind string, values map[string]any) {
		name, _ := values["alarm_name"].(string)
		switch kind {
		case "aws_cloudwatch_metric_alarm":
			single[name]++
			queries, _ := values["metric_query"].([]any)
			metrics += max(len(queries)-1, 1) // one of the queries is the expression
			if values["treat_missing_data"] != "notBreaching" {
				t.Errorf("%s speaks where nothing happens", name)
			}
			checkWindow(t, name, values, queries)
		case "aws_cloudwatch_composite_alarm":
			composite++
			rule := values["alarm_rule"].(string)
			parts := strings.Split(rule, " OR ")
			for _, part := range parts {
				heard[strings.TrimSuffix(strings.TrimPrefix(part, `ALARM("`), `")`)]++
			}
			longest := len(rule) + len(parts)*(longestRun-len(deployAs)+len("poolferry-"))
			if len(parts) > maxParts || longest > maxRule {
				t.Errorf("%s has %d parts and %d characters in a run of the longest name, at most %d and %d", name, len(parts), longest, maxParts, maxRule)
			}
		}
	})
	if diff := cmp.Diff(single, heard); diff != "" || len(single) == 0 {
		t.Errorf("%s", diff)
	}
	if diff := cmp.Diff(alarmNames(t, deployAs), slices.Sorted(maps.Keys(single))); diff != "" {
		t.Errorf("this test reads other names in alarms.tf than Terraform: %s", diff)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	cost := fmt.Sprintf("%d that look at %d metrics, 0.10 each; two composite ones, 0.50 each | %d | %.2f |",
		len(single), metrics, len(single)+composite, float64(metrics)/10+float64(composite)/2)
	if !strings.Contains(string(readme), cost) {
		t.Errorf("README.md does not say what alarms cost: %s", cost)
	}
}

// What CloudWatch takes (CloudWatch API reference, PutMetricAlarm and
// PutCompositeAlarm; CloudWatch User Guide, quotas).
const (
	maxMetrics = 10 // of an expression
	maxParts   = 100
	maxRule    = 10240
	day        = 86400 // seconds that an alarm may look back
	week       = 7 * day
	hour       = 3600 // the period from which on it may look back a week
	longestRun = 33   // a validation of target-account
)

// checkWindow: an alarm looks back no further than it may, at no more metrics.
func checkWindow(t *testing.T, name string, values map[string]any, queries []any) {
	t.Helper()
	period, _ := values["period"].(float64)
	for _, query := range queries {
		for _, metric := range query.(map[string]any)["metric"].([]any) {
			each := metric.(map[string]any)["period"].(float64)
			if period != 0 && period != each {
				t.Errorf("%s counts by periods of %v and %v seconds", name, period, each)
			}
			period = each
		}
	}
	limit := float64(day)
	if period >= hour {
		limit = week
	}
	if window := period * values["evaluation_periods"].(float64); period == 0 || window > limit {
		t.Errorf("%s looks back %v seconds by periods of %v, at most %v", name, window, period, limit)
	}
	if len(queries)-1 > maxMetrics {
		t.Errorf("%s looks at %d metrics, at most %d", name, len(queries)-1, maxMetrics)
	}
}

// TestExampleIsComplete: the file of the example and the ids that its run makes
// are a configuration.
func TestExampleIsComplete(t *testing.T) {
	tf := newTerraform(t)
	tf.init(t, "examples/complete")
	states := tf.test(t, "examples/complete", "-verbose")
	if len(states) != 1 {
		t.Fatalf("%d states", len(states))
	}
	c, err := config.Parse("configuration", []byte(fmt.Sprint(states[0].Outputs["configuration"].Value)))
	if err != nil {
		t.Fatal(err)
	}
	if c.Source.ClientID == "" || c.Target.PoolID == "" || c.Tail.ImportLogRoleARN == "" || c.Cutover.ProbeClientID == "" {
		t.Errorf("%+v", c)
	}
}
