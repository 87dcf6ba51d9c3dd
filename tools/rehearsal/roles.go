package rehearsal

import (
	"fmt"
	"maps"

	"poolferry/infra"
)

// Names of roles and users, as infra deploys them.
const (
	loginRole  = "poolferry-login"
	exportRole = "poolferry-export"
	operator   = "operator"
	externalID = "poolferry-rehearsal"
)

// everything is the policy of operators.
var everything = []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)

// createRoles creates the roles of both accounts from the very policies that
// infra deploys, and an operator in each. The export role trusts the target's
// operator, who runs the command line tool.
func (w *World) createRoles() (err error) {
	for _, site := range []*Site{&w.Source, &w.Target} {
		if site.Operator, err = w.Sandbox.IAM.AddUser(site.Account, operator, everything); err != nil {
			return err
		}
	}
	for _, role := range w.roles() {
		trust, err := infra.Render(role.trust.name, role.trust.values)
		if err != nil {
			return err
		}
		var documents [][]byte
		for _, p := range role.policies {
			document, err := infra.Render(p.name, p.values)
			if err != nil {
				return err
			}
			documents = append(documents, document)
		}
		if _, err := w.Sandbox.IAM.AddRole(role.account, role.name, trust, documents...); err != nil {
			return err
		}
	}
	return nil
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
				"operator_arn": fmt.Sprintf("arn:aws:iam::%s:user/%s", w.Target.Account, operator),
			})},
			[]policy{{infra.ExportRole, pool}}},
	}
	for _, d := range deployments {
		values := map[string]string{
			"log_group_arn": fmt.Sprintf("arn:aws:logs:%s:%s:log-group:/aws/lambda/%s", w.Target.Region, w.Target.Account, d.name),
		}
		switch d.policy {
		case infra.MigrateUser:
			values["login_role_arn"], values["target_pool_arn"] = roleARN(w.Source.Account, loginRole), poolARN(w.Target)
		case infra.Seeding:
			values["export_role_arn"], values["staging_bucket_arn"] = roleARN(w.Source.Account, exportRole), "arn:aws:s3:::"+stagingBucket
			values["run"] = runID
		}
		roles = append(roles, role{w.Target.Account, roleOf(d.name), policy{infra.LambdaTrust, nil}, []policy{{d.policy, values}}})
	}
	return roles
}

func roleARN(account, name string) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/%s", account, name)
}
