package rehearsal

import (
	"fmt"

	"poolferry/infra"
)

// Names of roles and users, as infra deploys them.
const (
	loginRole  = "poolferry-login"
	exportRole = "poolferry-export"
	lambdaRole = "poolferry-migrate-user"
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
	pool := map[string]string{"source_pool_arn": poolARN(w.Source)}
	trusts := func(who string) map[string]string {
		return map[string]string{"partition": "aws", "target_account": w.Target.Account, "external_id": externalID, "lambda_role_arn": who}
	}
	type policy struct {
		name   string
		values map[string]string
	}
	for _, role := range []struct {
		account, name string
		trust         policy
		policies      []policy
	}{
		{w.Source.Account, loginRole,
			policy{infra.LoginTrust, trusts(roleARN(w.Target.Account, lambdaRole))},
			[]policy{{infra.LoginRole, pool}, {infra.LoginRoleMFA, pool}}},
		{w.Source.Account, exportRole,
			policy{infra.ExportTrust, trusts(fmt.Sprintf("arn:aws:iam::%s:user/%s", w.Target.Account, operator))},
			[]policy{{infra.ExportRole, pool}}},
		{w.Target.Account, lambdaRole,
			policy{infra.LambdaTrust, nil},
			[]policy{{infra.MigrateUser, map[string]string{
				"login_role_arn":  roleARN(w.Source.Account, loginRole),
				"target_pool_arn": poolARN(w.Target),
				"log_group_arn":   fmt.Sprintf("arn:aws:logs:%s:%s:log-group:/aws/lambda/%s", w.Target.Region, w.Target.Account, lambdaRole),
			}}}},
	} {
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

func roleARN(account, name string) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/%s", account, name)
}
