package cutover

import (
	"fmt"
	"slices"
	"strings"
)

// Ours are the names that the functions of the run may have, by the trigger of a
// pool that they are for.
type Ours struct {
	Migration []string // UserMigration
	Guard     []string // PreSignUp
	Welcome   []string // PostAuthentication
}

// detached returns the pool's settings without what only a migration needs, and
// what somebody should know about it. A trigger of somebody else stays, but for
// UserMigration, which would go on creating users. The claim of the legacy sub,
// PreTokenGeneration, stays too: applications re-key in their own time.
func (o Ours) detached(pool Settings) (after Settings, notes []string) {
	after = pool
	for _, trigger := range []struct {
		name   string
		ours   []string
		always bool
	}{{"UserMigration", o.Migration, true}, {"PreSignUp", o.Guard, false}, {"PostAuthentication", o.Welcome, false}} {
		switch arn := pool.text("LambdaConfig", trigger.name); {
		case arn == "":
		case slices.Contains(trigger.ours, functionOf(arn)):
			after = after.with(nil, "LambdaConfig", trigger.name)
		case trigger.always:
			after = after.with(nil, "LambdaConfig", trigger.name)
			notes = append(notes, fmt.Sprintf("LambdaConfig.%s is no function of this run, %s: it is detached all the same.", trigger.name, functionOf(arn)))
		default:
			notes = append(notes, fmt.Sprintf("LambdaConfig.%s is a function of your own, %s: it stays.", trigger.name, functionOf(arn)))
		}
	}
	return after, notes
}

// functionOf is the name of the function in an ARN,
// arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:ALIAS].
func functionOf(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 {
		return arn
	}
	return parts[6]
}

// Flows in ExplicitAuthFlows. A client has names of one generation (Cognito API
// reference, UpdateUserPoolClient).
const (
	allowPassword = "ALLOW_USER_PASSWORD_AUTH"
	allowSRP      = "ALLOW_USER_SRP_AUTH"
	allowRefresh  = "ALLOW_REFRESH_TOKEN_AUTH"
	allowAdmin    = "ALLOW_ADMIN_USER_PASSWORD_AUTH"
	allowCustom   = "ALLOW_CUSTOM_AUTH"
	allowChoice   = "ALLOW_USER_AUTH"

	legacyPassword = "USER_PASSWORD_AUTH"
	legacyAdmin    = "ADMIN_NO_SRP_AUTH"
	legacyCustom   = "CUSTOM_AUTH_FLOW_ONLY"
)

// switched returns a client's settings without the flow that sends passwords and
// with SRP in its place, and what somebody should know about it. A client that
// does not have that flow stays as it is.
func switched(client Settings) (after Settings, notes []string) {
	const field = "ExplicitAuthFlows"
	flows := client.texts(field)
	if slices.Contains(flows, allowAdmin) || slices.Contains(flows, legacyAdmin) {
		notes = append(notes, "Servers sign users in through it with passwords, by ADMIN_USER_PASSWORD_AUTH: that stays.")
	}
	if slices.Contains(flows, allowChoice) {
		notes = append(notes, "USER_AUTH stays, and with it people may still choose to send their password.")
	}
	var next []any
	add := func(flow string) {
		if !slices.Contains(next, any(flow)) {
			next = append(next, flow)
		}
	}
	switch {
	case slices.Contains(flows, allowPassword):
		for _, flow := range flows {
			if flow == allowPassword {
				flow = allowSRP
			}
			add(flow)
		}
	case slices.Contains(flows, legacyPassword):
		// What the older names allow besides, clients of the newer ones have to be
		// given: to refresh, and SRP.
		for _, flow := range flows {
			if newer, ok := map[string]string{legacyPassword: allowSRP, legacyAdmin: allowAdmin, legacyCustom: allowCustom}[flow]; ok {
				flow = newer
			}
			add(flow)
		}
		add(allowRefresh)
		notes = append(notes, "Its flows have the older names, which cannot stand beside ALLOW_USER_SRP_AUTH: all of them get the newer ones.")
	default:
		return client, notes
	}
	return client.with(next, field), notes
}

// takesPasswords reports whether a client has the flow that sends passwords.
func takesPasswords(client Settings) bool {
	flows := client.texts("ExplicitAuthFlows")
	return slices.Contains(flows, allowPassword) || slices.Contains(flows, legacyPassword)
}

// Marks that say who changes a pool.
const (
	Terraform = "terraform"
	tagOurs   = "poolferry:managed-by" // set by infra/modules/target-pool
	tagOthers = "managed-by"
)

// managedBy returns Terraform where a pool's tags say that it owns the pool.
func managedBy(pool Settings) string {
	for _, tag := range []string{tagOurs, tagOthers} {
		if strings.EqualFold(pool.text("UserPoolTags", tag), Terraform) {
			return Terraform
		}
	}
	return ""
}
