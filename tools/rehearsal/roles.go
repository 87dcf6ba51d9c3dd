package rehearsal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"poolferry/infra"
	"poolferry/statemachines"
)

// Names of roles and users, as infra deploys them.
const (
	loginRole  = "poolferry-login"
	exportRole = "poolferry-export"
	importLog  = "poolferry-import-log"
	operator   = "operator"
	admin      = "administrator"
	smsRole    = "sms" // with which pools send SMS
	externalID = "poolferry-rehearsal"
	dnsSuffix  = "amazonaws.com"
	bucketARN  = "arn:aws:s3:::" + stagingBucket
)

// everything is the policy of administrators.
var everything = []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)

// createRoles creates the roles of both accounts from the very policies that
// infra deploys, and an operator and an administrator in each. The export role
// trusts the target's operator, who runs the command line tool.
func (w *World) createRoles() error {
	for _, site := range []*Site{&w.Source, &w.Target} {
		policies, err := w.operatorPolicies(site.Label)
		if err != nil {
			return err
		}
		if site.Operator, err = w.Sandbox.IAM.AddUser(site.Account, operator, policies...); err != nil {
			return err
		}
		if site.Administrator, err = w.Sandbox.IAM.AddUser(site.Account, admin, everything); err != nil {
			return err
		}
	}
	for _, role := range w.roles() {
		if _, err := w.addRole(role); err != nil {
			return err
		}
	}
	return nil
}

// operatorPolicies are what the operator of a site may do.
func (w *World) operatorPolicies(label string) ([][]byte, error) {
	if label != w.Target.Label || !w.options.LeastOperator {
		return [][]byte{everything}, nil
	}
	of := func(definition, what string) string {
		return strings.Replace(w.machineARN(definition), ":stateMachine:", ":"+what+":", 1)
	}
	work, err := infra.Render(infra.Operator, map[string]string{
		"export_role_arn": roleARN(w.Source.Account, exportRole), "staging_bucket_arn": bucketARN, "run": runID, "staging_key_arn": w.stagingKey(),
		"region": w.Target.Region, "dns_suffix": dnsSuffix, "target_pool_arn": poolARN(w.Target),
		"preseed_state_machine_arn":   w.machineARN(statemachines.Preseed),
		"reconcile_state_machine_arn": w.machineARN(statemachines.Reconcile), "reconcile_execution_arn": of(statemachines.Reconcile, "execution"),
		"reconcile_map_run_arn":  of(statemachines.Reconcile, "mapRun"),
		"tail_state_machine_arn": w.machineARN(statemachines.Tail), "tail_execution_arn": of(statemachines.Tail, "execution"),
	})
	if err != nil {
		return nil, err
	}
	sms, err := infra.Render(infra.OperatorSMS, map[string]string{"sms_role_arn": roleARN(w.Target.Account, smsRole)})
	return [][]byte{work, sms}, err
}

// OperatorARN is the target's operator.
func (w *World) OperatorARN() string {
	return fmt.Sprintf("arn:aws:iam::%s:user/%s", w.Target.Account, operator)
}

// addRole creates a role and returns its ARN.
func (w *World) addRole(r role) (string, error) {
	trust, err := infra.Render(r.trust.name, r.trust.values)
	if err != nil {
		return "", err
	}
	var documents [][]byte
	for _, p := range r.policies {
		document, err := infra.Render(p.name, p.values)
		if err != nil {
			return "", err
		}
		documents = append(documents, document)
	}
	arn, err := w.Sandbox.IAM.AddRole(r.account, r.name, trust, documents...)
	w.roleARNs = append(w.roleARNs, arn)
	return arn, err
}

// policy is a policy of package infra and what fills it.
type policy struct {
	name   string
	values map[string]string
}

type role struct {
	account, name string
	trust         policy
	policies      []policy
}

// roles are those of both accounts.
func (w *World) roles() []role {
	pool := map[string]string{"source_pool_arn": poolARN(w.Source)}
	own := func(function string) string { return roleARN(w.Target.Account, roleOf(function)) }
	trust := map[string]string{"partition": "aws", "target_account": w.Target.Account, "external_id": externalID}
	with := func(values map[string]string) map[string]string {
		maps.Copy(values, trust)
		return values
	}
	roles := []role{
		{w.Source.Account, loginRole,
			policy{infra.LoginTrust, with(map[string]string{"lambda_role_arn": own(migrateUser)})},
			[]policy{{infra.LoginRole, pool}, {infra.LoginRoleMFA, pool}}},
		{w.Source.Account, exportRole,
			policy{infra.ExportTrust, with(map[string]string{
				"plan_seeding_role_arn": own(planSeeding), "seed_batch_role_arn": own(seedBatch), "close_seeding_role_arn": own(closeSeeding),
				"operator_arn": w.OperatorARN(),
			})},
			[]policy{{infra.ExportRole, pool}}},
		{w.Target.Account, importLog,
			policy{infra.ImportLogTrust, map[string]string{"target_account": w.Target.Account, "target_pool_arn": poolARN(w.Target)}},
			[]policy{{infra.ImportLog, map[string]string{"partition": "aws", "region": w.Target.Region, "target_account": w.Target.Account}}}},
	}
	for _, d := range deployments {
		var policies []policy
		for _, name := range d.policies {
			policies = append(policies, policy{name, w.policyValues(name, d.name)})
		}
		switch d.name {
		case migrateUser:
			policies = append(policies, w.secretPolicies...)
		case guardSignup:
			policies = append(policies, w.namePolicies...)
		}
		roles = append(roles, role{w.Target.Account, roleOf(d.name), policy{infra.LambdaTrust, nil}, policies})
	}
	return roles
}

// Roles are the ARNs of all roles.
func (w *World) Roles() []string { return slices.Clone(w.roleARNs) }

// policyValues fill a policy of a function's execution role.
func (w *World) policyValues(name, function string) map[string]string {
	log := fmt.Sprintf("arn:aws:logs:%s:%s:log-group:/aws/lambda/%s", w.Target.Region, w.Target.Account, function)
	switch name {
	case infra.MigrateUser:
		return map[string]string{"login_role_arn": roleARN(w.Source.Account, loginRole), "target_pool_arn": poolARN(w.Target), "log_group_arn": log}
	case infra.Seeding:
		return map[string]string{
			"export_role_arn": roleARN(w.Source.Account, exportRole), "staging_bucket_arn": bucketARN, "run": runID, "log_group_arn": log,
		}
	case infra.Reconciliation:
		return map[string]string{"staging_bucket_arn": bucketARN, "run": runID, "log_group_arn": log}
	case infra.ReconciliationSweep, infra.SeedingSweep:
		return map[string]string{"staging_bucket_arn": bucketARN, "run": runID}
	case infra.StagingKeyUse, infra.StagingKeyRead:
		return map[string]string{"staging_key_arn": w.stagingKey(), "region": w.Target.Region, "dns_suffix": dnsSuffix}
	case infra.Settle, infra.WelcomeUser:
		return map[string]string{"staging_bucket_arn": bucketARN, "run": runID, "log_group_arn": log, "target_pool_arn": poolARN(w.Target)}
	case infra.GuardSignup:
		return map[string]string{"staging_bucket_arn": bucketARN, "run": runID, "log_group_arn": log}
	case infra.LogsOnly:
		return map[string]string{"log_group_arn": log}
	case infra.TailJobs:
		return map[string]string{
			"target_pool_arn": poolARN(w.Target), "import_log_role_arn": roleARN(w.Target.Account, importLog),
			"pool_log_group_arn": fmt.Sprintf("arn:aws:logs:%s:%s:log-group:/aws/cognito/userpools/%s", w.Target.Region, w.Target.Account, w.Target.PoolID),
		}
	case infra.TargetDirectory, infra.TargetSettings:
		return map[string]string{"target_pool_arn": poolARN(w.Target)}
	}
	return nil
}

// ownAccount fills the trust of a service that acts for the target account.
func (w *World) ownAccount() map[string]string {
	return map[string]string{"target_account": w.Target.Account}
}

func roleARN(account, name string) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/%s", account, name)
}
