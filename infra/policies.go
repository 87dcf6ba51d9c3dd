// Package infra holds what poolferry deploys as far as Go needs it: the IAM
// policies, against which the sandbox checks every call.
//
// Vocabulary: a policy is an IAM policy document; a role's permissions and its
// trust are two policies; a placeholder, ${name}, is a part of a policy that is
// known only when it is deployed, filled by Render here and by templatefile in
// Terraform. One whose name ends in _arns stands for one ARN or more.
package infra

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
)

//go:embed modules/*/policies/*.json
var modules embed.FS

// The policies, by name.
const (
	LoginRole    = "login-role"     // source account: prove a password, read that user
	LoginRoleMFA = "login-role-mfa" // source account: besides, answer a second-factor challenge; for mfa_policy verify
	LoginTrust   = "login-trust"    // source account: who may assume the login role
	ExportRole   = "export-role"    // source account: read the directory and its settings
	ExportTrust  = "export-trust"   // source account: who may assume the export role
	LambdaTrust  = "lambda-trust"   // target account: lets Lambda run as an execution role
	MigrateUser  = "migrate-user"   // target account: what the migration trigger may do
	Seeding      = "seeding"        // target account: what each of the seeding functions may do
	SeedingSweep = "seeding-sweep"  // target account: besides, delete what nobody reads any more
	StatesTrust  = "states-trust"   // target account: lets Step Functions run as the state machine's role
	Preseed      = "preseed"        // target account: what the preseed state machine may do

	Reconciliation      = "reconciliation"       // target account: what each of the reconciliation's functions may do
	ReconciliationSweep = "reconciliation-sweep" // target account: besides, delete what nobody reads any more
	TargetDirectory     = "target-directory"     // target account: besides, list the target pool
	TargetSettings      = "target-settings"      // target account: besides, read its settings
	Reconcile           = "reconcile"            // target account: what the reconcile state machine may do
	SchedulerTrust      = "scheduler-trust"      // target account: lets EventBridge Scheduler run as the schedule's role
	ReconcileSchedule   = "reconcile-schedule"   // target account: what the schedule may do

	StagingBucket       = "staging-bucket"        // target account: whom the staging bucket refuses
	StagingKey          = "staging-key"           // target account: who decides over the key of the staging bucket
	StagingKeyUse       = "staging-key-use"       // target account: besides, read and write what that key encrypts
	StagingKeyRead      = "staging-key-read"      // target account: besides, read what that key encrypts
	OperationsKey       = "operations-key"        // target account: who may use the key of logs and topic
	OperationsKeyUse    = "operations-key-use"    // target account: besides, publish to the topic that it encrypts
	Topic               = "topic"                 // target account: who may publish to the topic
	StatesLogging       = "states-logging"        // target account: besides, log what fails in a state machine
	ScheduleDeadLetters = "schedule-dead-letters" // target account: besides, keep what the schedule could not start
	DeadLetters         = "dead-letters"          // target account: whom the queue of that refuses
	Secrets             = "secrets"               // target account: besides, read a secret of the configuration
	SecretsKey          = "secrets-key"           // target account: besides, decrypt it
	VPC                 = "vpc"                   // target account: besides, be in a VPC

	Settle         = "settle"           // target account: what settle-users may do
	SettleRoles    = "settle-roles"     // target account: besides, give groups the roles that the configuration names
	WelcomeUser    = "welcome-user"     // target account: what the hook of a first sign-in may do
	GuardSignup    = "guard-signup"     // target account: what the hook of a registration may do
	LogsOnly       = "logs-only"        // target account: write the log, for a function that calls nothing
	TailJobs       = "tail-jobs"        // target account: besides, run import jobs and read their log
	ImportLogTrust = "import-log-trust" // target account: lets import jobs of the target pool run as the role of their log
	ImportLog      = "import-log"       // target account: what that role may do
	Tail           = "tail"             // target account: what the tail state machine may do
	Operator       = "operator"         // target account: what who runs the command line tool may do
	OperatorSMS    = "operator-sms"     // target account: besides, name the role by which the target pool sends SMS
)

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// Render fills the placeholders of a policy. It refuses a value that is missing,
// empty or not used, and one with a wildcard or placeholder in it: what fills a
// policy names one thing. The ARNs of a placeholder that stands for several have
// spaces between them.
func Render(name string, values map[string]string) ([]byte, error) {
	template, err := policy(name)
	if err != nil {
		return nil, err
	}
	unused := maps.Clone(values)
	var missing []string
	out := placeholder.ReplaceAllStringFunc(template, func(p string) string {
		key := placeholder.FindStringSubmatch(p)[1]
		delete(unused, key)
		value := values[key]
		if value == "" {
			missing = append(missing, key)
		}
		if strings.HasSuffix(key, "_arns") {
			return strings.Join(strings.Fields(escape(value)), `", "`)
		}
		return escape(value)
	})
	slices.Sort(missing)
	switch {
	case len(missing) > 0:
		return nil, fmt.Errorf("policy %s: no value for %s", name, strings.Join(slices.Compact(missing), ", "))
	case len(unused) > 0:
		return nil, fmt.Errorf("policy %s: has no placeholder %s", name, strings.Join(slices.Sorted(maps.Keys(unused)), ", "))
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if strings.ContainsAny(values[key], "*?$") {
			return nil, fmt.Errorf("policy %s: %s %q has a wildcard or a placeholder in it", name, key, values[key])
		}
	}
	return []byte(out), nil
}

// policy returns the text of a policy.
func policy(name string) (string, error) {
	paths, err := fs.Glob(modules, "modules/*/policies/*.json")
	if err != nil {
		return "", fmt.Errorf("list policies: %w", err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "/"+name+".json") {
			text, err := modules.ReadFile(path)
			return string(text), err
		}
	}
	return "", fmt.Errorf("there is no policy %q", name)
}

// escape writes a value as the inside of a JSON string.
func escape(value string) string {
	quoted, _ := json.Marshal(value) // a string does not fail
	return string(quoted[1 : len(quoted)-1])
}
