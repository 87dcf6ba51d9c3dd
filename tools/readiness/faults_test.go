package readiness_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"poolferry/infra"
	"poolferry/internal/config"
	"poolferry/internal/fault"
	"poolferry/internal/hook"
	"poolferry/internal/preflight"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/sandbox/lambda"
	"poolferry/internal/sandbox/s3"
	"poolferry/internal/userpool"
	"poolferry/tools/rehearsal"
)

// usual is the information of a rehearsal without faults: nothing is reconciled,
// and it lists as fast as Cognito lets it.
const usual = "guard_unsure pace_takes_most"

// planted is one fault in a world that is otherwise without.
type planted struct {
	world  func(*rehearsal.Options)       // before the world is built
	plant  func(world) error              // after
	config func(*config.Config)           // of preflight alone; the functions have the other
	want   preflight.Code                 // blocker or warning; empty for none
	info   preflight.Code                 // besides what is usual; empty for none
	lacks  preflight.Code                 // of what is usual
	detail string                         // in the finding
	check  func(preflight.Finding) string // what is wrong with the finding
}

const plain = `{"Version":"2012-10-17","Statement":[%s]}`

// policyOf renders a policy of a role of the source pool, without an action.
func policyOf(w world, name, without string) ([]byte, error) {
	document, err := infra.Render(name, map[string]string{"source_pool_arn": w.Config.Source.PoolARN()})
	if err != nil || without == "" {
		return document, err
	}
	text := strings.NewReplacer(`"`+without+`",`, "", `,
        "`+without+`"`, "").Replace(string(document))
	if text == string(document) {
		return nil, fmt.Errorf("%s is not in %s", without, name)
	}
	return []byte(text), nil
}

// export and login take an action from a role.
func export(without string) func(world) error {
	return func(w world) error {
		document, err := policyOf(w, infra.ExportRole, without)
		return errors.Join(err, w.Sandbox.IAM.SetPolicies(w.Config.Source.ExportRoleARN, document))
	}
}

func login(without string, respond bool) func(world) error {
	return func(w world) error {
		document, err := policyOf(w, infra.LoginRole, without)
		documents := [][]byte{document}
		if respond {
			mfa, err := policyOf(w, infra.LoginRoleMFA, "")
			if err != nil {
				return err
			}
			documents = append(documents, mfa)
		}
		return errors.Join(err, w.Sandbox.IAM.SetPolicies(w.Config.Source.LoginRoleARN, documents...))
	}
}

// own gives the operator a policy that denies an action.
func own(action string) func(world) error {
	return func(w world) error {
		return w.Sandbox.IAM.SetPolicies(fmt.Sprintf("arn:aws:iam::%s:user/operator", w.Target.Account),
			fmt.Appendf(nil, plain, `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"`+action+`","Resource":"*"}`))
	}
}

func sourcePool(change func(*cognitoidp.Settings)) func(world) error {
	return func(w world) error { return w.Cognito.ChangePool(w.Source.PoolID, change) }
}

func targetPool(change func(*cognitoidp.Settings)) func(world) error {
	return func(w world) error { return w.Cognito.ChangePool(w.Target.PoolID, change) }
}

func sourceClient(change func(*cognitoidp.ClientSettings)) func(world) error {
	return func(w world) error { return w.Cognito.ChangeClient(w.Source.PoolID, w.Source.Client.ID, change) }
}

func targetClient(change func(*cognitoidp.ClientSettings)) func(world) error {
	return func(w world) error { return w.Cognito.ChangeClient(w.Target.PoolID, w.Target.Client.ID, change) }
}

func bucketIs(change func(*s3.Configuration)) func(world) error {
	return func(w world) error { return w.S3.Configure(w.Config.Staging.Bucket, change) }
}

// pools changes what a pool is made from.
func pools(ofTarget bool, change func(*cognitoidp.PoolSpec)) func(*rehearsal.Options) {
	return func(o *rehearsal.Options) {
		o.Pool = func(target bool, spec *cognitoidp.PoolSpec) {
			if target == ofTarget {
				change(spec)
			}
		}
	}
}

// attribute replaces or adds an attribute of the target.
func attribute(a cognitoidp.Attribute) func(*rehearsal.Options) {
	return pools(true, func(spec *cognitoidp.PoolSpec) {
		spec.Schema = slices.DeleteFunc(spec.Schema, func(b cognitoidp.Attribute) bool { return b.Name == a.Name })
		spec.Schema = append(spec.Schema, a)
	})
}

// without takes an attribute from the target, and from its client.
func without(name string) func(*rehearsal.Options) {
	return pools(true, func(spec *cognitoidp.PoolSpec) {
		spec.Schema = slices.DeleteFunc(spec.Schema, func(a cognitoidp.Attribute) bool { return a.Name == name })
	})
}

func rules(change func([]userpool.Rule) []userpool.Rule) func(*rehearsal.Options) {
	return func(o *rehearsal.Options) {
		o.Change = func(c *config.Config) { c.Mapping.Rules = change(slices.Clone(c.Mapping.Rules)) }
	}
}

func rule(r userpool.Rule) func(*rehearsal.Options) {
	return rules(func(all []userpool.Rule) []userpool.Rule { return append(all, r) })
}

func changed(change func(*config.Config)) func(*rehearsal.Options) {
	return func(o *rehearsal.Options) { o.Change = change }
}

// trigger changes the function that the target pool calls.
func trigger(change func(*lambda.Function)) func(world) error {
	return func(w world) error { return w.Sandbox.Lambda.Replace(w.Brief("").Function, change) }
}

// hookIs changes a function that stands beside the migration trigger.
func hookIs(name string, change func(*lambda.Function)) func(world) error {
	return func(w world) error { return w.Sandbox.Lambda.Replace(w.functionARN(name), change) }
}

// replaced is the document of a function with another word in it.
func replaced(f *lambda.Function, old, changed string) string {
	return strings.Replace(f.Environment[config.EnvName], old, changed, 1)
}

// closeDoors lets nobody register.
func closeDoors(w world) error {
	return targetPool(func(s *cognitoidp.Settings) { s.AdminCreateUserConfig.AllowAdminCreateUserOnly = true })(w)
}

func roles(account string) []userpool.GroupRole {
	return []userpool.GroupRole{{Group: "staff", RoleARN: "arn:aws:iam::" + account + ":role/staff"}}
}

func faults() map[string]planted {
	return map[string]planted{
		"nothing":                                {},
		"nothing, and names in place of aliases": {world: func(o *rehearsal.Options) { o.Shape = crowd.UsernameAttributes }},

		// Roles.
		"no export role":                              {world: changed(func(c *config.Config) { c.Source.ExportRoleARN = "" }), want: preflight.ExportRoleNone},
		"export role not trusted":                     {plant: distrust(func(w world) string { return w.Config.Source.ExportRoleARN }), want: preflight.ExportRoleRefused},
		"login role not trusted":                      {plant: distrust(func(w world) string { return w.Config.Source.LoginRoleARN }), want: preflight.LoginRoleRefused},
		"another external id":                         {world: changed(func(c *config.Config) { c.Source.ExternalID = "another" }), want: "export_role_refused login_role_refused"},
		"export: no ListUsers":                        {plant: export("cognito-idp:ListUsers"), want: preflight.ExportPermission, detail: "cognito-idp:ListUsers"},
		"export: no ListGroups":                       {plant: export("cognito-idp:ListGroups"), want: preflight.ExportPermission, detail: "cognito-idp:ListGroups"},
		"export: no members":                          {plant: export("cognito-idp:ListUsersInGroup"), want: preflight.ExportPermission, detail: "cognito-idp:ListUsersInGroup"},
		"export: no pool":                             {plant: export("cognito-idp:DescribeUserPool"), want: preflight.ExportPermission, detail: "cognito-idp:DescribeUserPool"},
		"export: no client":                           {plant: export("cognito-idp:DescribeUserPoolClient"), want: preflight.ExportPermission, detail: "cognito-idp:DescribeUserPoolClient"},
		"login: no password":                          {plant: login("cognito-idp:AdminInitiateAuth", true), want: preflight.LoginPermission, detail: "cognito-idp:AdminInitiateAuth"},
		"login: no user":                              {plant: login("cognito-idp:AdminGetUser", true), want: preflight.LoginPermission, detail: "cognito-idp:AdminGetUser"},
		"login: no second factor":                     {plant: login("", false), want: preflight.LoginPermission, detail: "cognito-idp:AdminRespondToAuthChallenge"},
		"login: no second factor, and none is proven": {world: changed(func(c *config.Config) { c.MFAPolicy = "reset" }), plant: login("", false)},
		"trigger may not read the target": {
			plant: func(w world) error {
				return w.Sandbox.IAM.SetPolicies(fmt.Sprintf("arn:aws:iam::%s:role/poolferry-migrate-user", w.Target.Account),
					fmt.Appendf(nil, plain, `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"`+w.Config.Source.LoginRoleARN+`"}`))
			},
			want: preflight.LoginPermission, detail: "cognito-idp:DescribeUserPool",
		},
		"own: no target pool":     {plant: own("cognito-idp:DescribeUserPool"), want: preflight.NotChecked, detail: "cognito-idp:DescribeUserPool", lacks: preflight.GuardUnsure},
		"own: no factors":         {plant: own("cognito-idp:GetUserPoolMfaConfig"), want: preflight.NotChecked, detail: "GetUserPoolMfaConfig"},
		"own: no clients":         {plant: own("cognito-idp:ListUserPoolClients"), want: preflight.NotChecked, detail: "ListUserPoolClients"},
		"own: no function":        {plant: own("lambda:GetFunctionConfiguration"), want: preflight.NotChecked, detail: "lambda:GetFunctionConfiguration", lacks: preflight.GuardUnsure},
		"own: no function policy": {plant: own("lambda:GetPolicy"), want: preflight.NotChecked, detail: "lambda:GetPolicy"},
		"own: no trial":           {plant: own("lambda:InvokeFunction"), want: preflight.NotChecked, detail: "lambda:InvokeFunction"},
		"own: no bucket policy":   {plant: own("s3:GetBucketPolicy"), want: preflight.NotChecked, detail: "s3:GetBucketPolicy"},
		"own: no encryption":      {plant: own("s3:GetEncryptionConfiguration"), want: preflight.NotChecked, detail: "s3:GetEncryptionConfiguration"},
		"own: no quotas":          {plant: own("servicequotas:ListServiceQuotas"), info: preflight.QuotasAssumed},
		"own: no list of target":  {plant: own("cognito-idp:ListUsers"), want: preflight.NotChecked, detail: "cognito-idp:ListUsers"},

		// The source.
		"source pool of another id": {world: changed(func(c *config.Config) { c.Source.PoolID = "eu-west-1_AnotherOne" }), want: preflight.SourcePoolRefused},
		"source pool that is gone": {
			world: changed(func(c *config.Config) { c.Source.PoolID = "eu-west-1_AnotherOne" }),
			plant: func(w world) error { return errors.Join(export("")(w), login("", true)(w)) },
			want:  preflight.SourcePoolMissing,
		},
		"source client of another id": {world: changed(func(c *config.Config) { c.Source.ClientID = "another" }), want: preflight.SourceClientMissing},
		"source client without the flow": {
			plant: sourceClient(func(c *cognitoidp.ClientSettings) { c.ExplicitAuthFlows = []string{"ALLOW_USER_SRP_AUTH"} }),
			want:  preflight.SourceFlowOff, detail: "ALLOW_USER_SRP_AUTH",
		},
		"source client by the older name": {
			plant: sourceClient(func(c *cognitoidp.ClientSettings) { c.ExplicitAuthFlows = []string{"ADMIN_NO_SRP_AUTH"} }),
		},
		"source secret not configured": {world: changed(func(c *config.Config) { c.Source.ClientSecret = "" }), want: preflight.SourceSecret},
		"another source secret": {
			world: changed(func(c *config.Config) { c.Source.ClientSecret = "env:POOLFERRY_NAME_KEY" }),
			want:  preflight.LoginFails, detail: "cognito-idp:AdminInitiateAuth: NotAuthorizedException",
		},
		"source client hides users": {
			plant: sourceClient(func(c *cognitoidp.ClientSettings) { c.PreventUserExistenceErrors = "ENABLED" }), info: preflight.SourceClientHides,
		},
		"source client does not read all": {
			plant: sourceClient(func(c *cognitoidp.ClientSettings) { c.ReadAttributes = c.ReadAttributes[1:] }),
			want:  preflight.ProfileLoses, detail: "address",
			check: func(f preflight.Finding) string {
				if f.Section != "source" || f.Line != "profile: lookup" {
					return "the line is " + f.Section + "/" + f.Line
				}
				return ""
			},
		},
		"PreTokenGeneration at the source": {
			plant: func(w world) error {
				return w.Cognito.SetTriggers(w.Source.PoolID, cognitoidp.Triggers{PreTokenGeneration: "arn:aws:lambda:eu-west-1:111111111111:function:tokens"})
			},
			want: preflight.ProfileLoses, detail: "PreTokenGeneration",
		},
		"the round trip could be saved": {world: changed(func(c *config.Config) { c.Source.Profile = "lookup" }), info: preflight.ProfileSaves},
		"source triggers": {
			plant: func(w world) error {
				return w.Cognito.SetTriggers(w.Source.PoolID, cognitoidp.Triggers{PostAuthentication: "arn:aws:lambda:eu-west-1:111111111111:function:after"})
			},
			info: preflight.SourceTriggers,
		},
		"threat protection blocks": {
			plant: sourcePool(func(s *cognitoidp.Settings) { s.UserPoolAddOns = []byte(`{"AdvancedSecurityMode":"ENFORCED"}`) }), want: preflight.ThreatProtection,
		},
		"threat protection records": {
			plant: sourcePool(func(s *cognitoidp.Settings) { s.UserPoolAddOns = []byte(`{"AdvancedSecurityMode":"AUDIT"}`) }), info: preflight.ThreatProtectionLogs,
		},

		// The target.
		"target pool of another id": {config: func(c *config.Config) { c.Target.PoolID = "eu-central-1_AnotherOne" }, want: preflight.TargetPoolMissing, lacks: preflight.GuardUnsure},
		"SRP alone": {
			plant: targetClient(func(c *cognitoidp.ClientSettings) {
				c.ExplicitAuthFlows = []string{"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
			}),
			want: preflight.NoPasswordClient,
		},
		"another client has SRP alone": {
			plant: func(w world) error {
				_, err := w.Cognito.CreateClient(w.Target.PoolID, cognitoidp.ClientSpec{Settings: cognitoidp.ClientSettings{
					ClientName: "legacy app", ExplicitAuthFlows: []string{"ALLOW_USER_SRP_AUTH"}, PreventUserExistenceErrors: "ENABLED",
				}})
				return err
			},
			want: preflight.ClientSRPOnly, detail: "ALLOW_USER_SRP_AUTH",
		},
		"a client that nobody signs in through": {
			plant: func(w world) error {
				_, err := w.Cognito.CreateClient(w.Target.PoolID, cognitoidp.ClientSpec{Settings: cognitoidp.ClientSettings{
					ClientName: "machine", ExplicitAuthFlows: []string{"ALLOW_REFRESH_TOKEN_AUTH"}, PreventUserExistenceErrors: "ENABLED",
				}})
				return err
			},
		},
		"managed login": {
			plant: targetClient(func(c *cognitoidp.ClientSettings) {
				c.ExplicitAuthFlows = []string{"ALLOW_USER_SRP_AUTH"}
				c.AllowedOAuthFlowsUserPoolClient, c.AllowedOAuthFlows, c.SupportedIdentityProviders = true, []string{"code"}, []string{"COGNITO"}
			}),
		},
		"client tells who exists": {
			plant: targetClient(func(c *cognitoidp.ClientSettings) { c.PreventUserExistenceErrors = "LEGACY" }), want: preflight.ClientTellsUsers,
		},
		"client writes legacy_sub": {
			plant: targetClient(func(c *cognitoidp.ClientSettings) { c.WriteAttributes = []string{"email", userpool.AttrLegacySub} }),
			want:  preflight.ClientWritesLegacySub,
		},
		"anybody can register": {
			plant: attached(func(t *cognitoidp.Triggers) { t.PreSignUp = "" }), want: preflight.SelfSignUp, detail: "no PreSignUp", lacks: preflight.GuardUnsure,
		},
		"nobody can register": {
			plant: func(w world) error {
				return errors.Join(attached(func(t *cognitoidp.Triggers) { t.PreSignUp = "" })(w), closeDoors(w))
			},
			lacks: preflight.GuardUnsure,
		},
		"nobody can register, guarded": {plant: closeDoors},
		"guard that lets everybody in": {
			world: changed(func(c *config.Config) { c.Guard.WhenUnsure = hook.UnsureAllow }),
			want:  preflight.SelfSignUp, detail: "guard.when_unsure is allow", lacks: preflight.GuardUnsure,
		},
		"Cognito sends the mail": {plant: targetPool(func(s *cognitoidp.Settings) { s.EmailConfiguration = nil }), want: preflight.EmailLimit},
		"PreSignUp of somebody else's": {
			plant: func(w world) error {
				return errors.Join(strange("theirs", func(t *cognitoidp.Triggers, arn string) { t.PreSignUp = arn })(w), closeDoors(w))
			},
			info: preflight.TargetPreSignUp, lacks: preflight.GuardUnsure,
		},
		"PreSignUp of somebody else's, and anybody can register": {
			plant: strange("theirs", func(t *cognitoidp.Triggers, arn string) { t.PreSignUp = arn }),
			want:  preflight.SelfSignUp, detail: "not the guard", info: preflight.TargetPreSignUp, lacks: preflight.GuardUnsure,
		},
		"others' triggers": {
			plant: strange("theirs", func(t *cognitoidp.Triggers, arn string) { t.PostAuthentication, t.PreTokenGeneration = arn, arn }),
		},
		"no triggers beside it": {
			plant: attached(func(t *cognitoidp.Triggers) { t.PostAuthentication, t.PreTokenGeneration = "", "" }),
		},
		"nobody verifies addresses": {
			plant: targetPool(func(s *cognitoidp.Settings) { s.AutoVerifiedAttributes = nil }), info: preflight.TailNoContact,
		},
		"another feature plan": {plant: sourcePool(func(s *cognitoidp.Settings) { s.UserPoolTier = "PLUS" }), info: preflight.FeaturePlan},
		"another password policy": {
			plant: targetPool(func(s *cognitoidp.Settings) { s.Policies.PasswordPolicy.MinimumLength = 12 }), info: preflight.PasswordPolicy,
		},
		"users who are there already": {
			world: func(o *rehearsal.Options) { o.Users = 3 },
			plant: func(w world) error {
				_, err := w.Cognito.PutUser(w.Target.PoolID, cognitoidp.UserSpec{Username: "squatter", Attributes: userpool.Attributes{"email": w.People[0].User.Attributes["email"]}})
				return err
			},
			want: preflight.AlreadyThere,
			check: func(f preflight.Finding) string {
				if f.Users != 1 || len(f.Subs) != 1 || strings.Contains(fmt.Sprint(f), "@") {
					return fmt.Sprintf("%+v", f)
				}
				return ""
			},
		},
		"users of the target's own": {
			world: func(o *rehearsal.Options) { o.Users = 3 },
			plant: func(w world) error {
				_, err := w.Cognito.PutUser(w.Target.PoolID, cognitoidp.UserSpec{Username: "tester", Attributes: userpool.Attributes{"email": "tester@example.com"}})
				return err
			},
		},

		// The trigger.
		"trigger not attached": {
			plant: attached(func(t *cognitoidp.Triggers) { t.UserMigration = "" }), want: preflight.TriggerNone,
		},
		"trigger that is gone": {
			plant: attached(func(t *cognitoidp.Triggers) { t.UserMigration += "-2" }),
			want:  preflight.TriggerGone, detail: "UserMigration",
		},
		"alias that is gone": {
			plant: attached(func(t *cognitoidp.Triggers) { t.UserMigration += ":live" }), want: preflight.TriggerGone,
		},
		"somebody else's function": {plant: foreign, want: preflight.TriggerForeign},
		"another run's function": {
			plant: trigger(func(f *lambda.Function) {
				f.Environment = map[string]string{config.EnvName: strings.Replace(f.Environment[config.EnvName], `"run":"rehearsal"`, `"run":"another"`, 1)}
			}),
			want: preflight.TriggerForeign, detail: "run",
		},
		"trigger not permitted": {plant: trigger(func(f *lambda.Function) { f.Permissions = nil }), want: preflight.TriggerNotPermitted},
		"permitted for another pool": {
			plant: trigger(func(f *lambda.Function) { f.Permissions[0].SourceARN += "x" }), want: preflight.TriggerNotPermitted,
		},
		"permitted without the alias": {
			plant: func(w world) error {
				return errors.Join(
					trigger(func(f *lambda.Function) { f.Aliases = []string{"live"} })(w),
					attached(func(t *cognitoidp.Triggers) { t.UserMigration += ":live" })(w),
				)
			},
			want: preflight.TriggerNotPermitted,
		},
		"attached by alias": {
			plant: func(w world) error {
				return errors.Join(
					trigger(func(f *lambda.Function) {
						f.Aliases = []string{"live"}
						permission := f.Permissions[0]
						permission.Alias = "live"
						f.Permissions = append(slices.Clone(f.Permissions), permission)
					})(w),
					attached(func(t *cognitoidp.Triggers) { t.UserMigration += ":live" })(w),
				)
			},
		},
		"deployed with another configuration": {
			config: func(c *config.Config) { c.MFAPolicy = "accept" },
			want:   preflight.TriggerDiffers, detail: "mfa_policy (UserMigration, PreSignUp, PostAuthentication)",
		},
		"claim deployed under another name": {
			config: func(c *config.Config) { c.Claim.Name = "old_sub" }, want: preflight.TriggerDiffers, detail: "claim.name (PreTokenGeneration)",
		},
		"welcome deployed with other groups": {
			config: func(c *config.Config) { c.Settle.Groups.Ignore = []string{"beta"} }, want: preflight.TriggerDiffers, detail: "settle.groups (PostAuthentication)",
		},
		"guard deployed otherwise": {
			plant: hookIs("guard-signup", func(f *lambda.Function) {
				f.Environment = map[string]string{config.EnvName: replaced(f, `refuse`, `allow`)}
			}),
			want: preflight.TriggerDiffers, detail: "guard.when_unsure (PreSignUp)",
		},
		"deployed with another pace":  {config: func(c *config.Config) { c.Pace.UserUpdate = 9 }, info: preflight.DeployedDiffers},
		"settled in another way":      {config: func(c *config.Config) { c.Settle.MFA = false }, info: preflight.DeployedDiffers},
		"proven with another probe":   {config: func(c *config.Config) { c.Cutover.ProbeUsername = "another-probe" }},
		"cut over without a probe":    {config: func(c *config.Config) { c.Cutover = config.Cutover{} }},
		"another role of import logs": {config: func(c *config.Config) { c.Tail.ImportLogRoleARN += "-2" }, info: preflight.DeployedDiffers},
		"role of import logs that Terraform has filled in": {
			config: func(c *config.Config) { c.Tail.ImportLogRoleARN = "" }, info: preflight.TailNoLogRole,
			check: func(f preflight.Finding) string {
				if want := "import_log_role_arn: arn:aws:iam::222222222222:role/poolferry-import-log"; f.Section != "tail" || f.Line != want {
					return "the line is " + f.Section + "/" + f.Line
				}
				return ""
			},
		},
		"no role of import logs": {
			world: changed(func(c *config.Config) { c.Tail.ImportLogRoleARN = "" }), info: preflight.TailNoLogRole,
			check: func(f preflight.Finding) string { return f.Line },
		},
		"role of a group in another account": {
			world: changed(func(c *config.Config) { c.Settle.Groups.Roles = roles("111111111111") }),
			want:  preflight.GroupRoleElsewhere, detail: "staff (arn:aws:iam::111111111111:role/staff)",
		},
		"role of a group": {world: changed(func(c *config.Config) { c.Settle.Groups.Roles = roles("222222222222") })},
		"role of a group, and no groups": {
			world: changed(func(c *config.Config) {
				c.Settle.Groups.Roles, c.Settle.Groups.Mode = roles("111111111111"), userpool.GroupsNone
			}),
		},

		// The triggers beside it.
		"guard that is gone": {
			plant: attached(func(t *cognitoidp.Triggers) { t.PreSignUp += ":live" }), want: preflight.TriggerGone, detail: "PreSignUp", lacks: preflight.GuardUnsure,
		},
		"welcome that is gone": {
			plant: attached(func(t *cognitoidp.Triggers) { t.PostAuthentication += ":live" }), want: preflight.TriggerGone, detail: "PostAuthentication: every sign-in",
		},
		"claim that is gone": {
			plant: attached(func(t *cognitoidp.Triggers) { t.PreTokenGeneration += ":live" }), want: preflight.TriggerGone, detail: "PreTokenGeneration: every sign-in",
		},
		"guard that is not permitted": {
			plant: hookIs("guard-signup", func(f *lambda.Function) { f.Permissions = nil }),
			want:  preflight.TriggerNotPermitted, detail: "PreSignUp", lacks: preflight.GuardUnsure,
		},
		"welcome that is not permitted": {
			plant: hookIs("welcome-user", func(f *lambda.Function) { f.Permissions = nil }), want: preflight.TriggerNotPermitted, detail: "PostAuthentication",
		},
		"claim permitted for another pool": {
			plant: hookIs("legacy-claim", func(f *lambda.Function) { f.Permissions[0].SourceARN += "x" }),
			want:  preflight.TriggerNotPermitted, detail: "PreTokenGeneration",
		},
		"guard of another run": {
			plant: hookIs("guard-signup", func(f *lambda.Function) {
				f.Environment = map[string]string{config.EnvName: replaced(f, `"run":"rehearsal"`, `"run":"another"`)}
			}),
			want: preflight.HookForeign, detail: "PreSignUp: run", lacks: preflight.GuardUnsure,
		},
		"welcome that is called so": {
			plant: hookIs("welcome-user", func(f *lambda.Function) { f.Environment = nil }),
			want:  preflight.HookForeign, detail: "PostAuthentication: it has no configuration of poolferry",
		},
		"guard as infra calls it": {
			plant: func(w world) error {
				return strange("poolferry-rehearsal-guard-signup", func(t *cognitoidp.Triggers, arn string) { t.PreSignUp = arn })(w)
			},
			want: preflight.HookForeign, detail: "PreSignUp: it has no", lacks: preflight.GuardUnsure,
		},
		"trigger that fails": {
			plant: trigger(func(f *lambda.Function) { f.Runner = broken{} }), want: preflight.TriggerFails,
		},

		// The schema and the mapping.
		"no legacy_sub":                        {world: without("legacy_sub"), want: preflight.LegacySubMissing},
		"legacy_sub too short":                 {world: attribute(cognitoidp.Attribute{Name: "legacy_sub", StringAttributeConstraints: length("0", "35")}), want: preflight.LegacySubUnusable},
		"legacy_sub a number":                  {world: attribute(cognitoidp.Attribute{Name: "legacy_sub", AttributeDataType: "Number"}), want: preflight.LegacySubUnusable},
		"legacy_sub for good":                  {world: attribute(cognitoidp.Attribute{Name: "legacy_sub", Mutable: new(false)})},
		"target lacks what the mapping writes": {world: without("plan"), want: preflight.AttributeMissing, detail: "custom:field_01 → custom:plan"},
		"target lacks what is set": {
			world: rule(userpool.Rule{Set: &userpool.Literal{To: "custom:nowhere", Value: "x"}}), want: preflight.AttributeMissing, detail: "custom:nowhere",
		},
		"target lacks what is carried": {world: without("field_02"), want: preflight.AttributeLeftOut, detail: "custom:field_02"},
		"another type": {
			world: attribute(cognitoidp.Attribute{Name: "field_02", AttributeDataType: "Number"}), want: preflight.AttributeType, detail: "custom:field_02",
		},
		"too short": {
			world: attribute(cognitoidp.Attribute{Name: "plan", StringAttributeConstraints: length("0", "20")}), want: preflight.AttributeBounds, detail: "at the target 0 to 20",
		},
		"too long": {
			world: attribute(cognitoidp.Attribute{Name: "field_02", StringAttributeConstraints: length("3", "2048")}), want: preflight.AttributeBounds,
		},
		"immutable": {world: attribute(cognitoidp.Attribute{Name: "field_02", Mutable: new(false)}), want: preflight.AttributeFixed, detail: "custom:field_02"},
		"value that does not fit": {
			world: func(o *rehearsal.Options) {
				attribute(cognitoidp.Attribute{Name: "birthdate", StringAttributeConstraints: length("10", "10")})(o)
				rule(userpool.Rule{Default: &userpool.Literal{To: "birthdate", Value: "unknown"}})(o)
			},
			want: preflight.LiteralUnfit, detail: "birthdate",
		},
		"required and dropped": {
			world: func(o *rehearsal.Options) {
				attribute(cognitoidp.Attribute{Name: "family_name", Required: true})(o)
				rule(userpool.Rule{Drop: "family_name"})(o)
			},
			want: preflight.RequiredUnmapped, detail: "family_name",
		},
		"required of some": {world: attribute(cognitoidp.Attribute{Name: "nickname", Required: true}), want: preflight.RequiredUnsure, detail: "nickname"},
		"required, with a default": {
			world: func(o *rehearsal.Options) {
				attribute(cognitoidp.Attribute{Name: "nickname", Required: true})(o)
				rule(userpool.Rule{Default: &userpool.Literal{To: "nickname", Value: "you"}})(o)
			},
		},

		// Names and factors.
		"fewer names": {
			world: pools(true, func(s *cognitoidp.PoolSpec) { s.Frozen.AliasAttributes = []string{"email", "preferred_username"} }),
			want:  preflight.NamesDiffer, detail: "phone_number",
		},
		"names in place of usernames": {
			world: pools(true, func(s *cognitoidp.PoolSpec) {
				s.Frozen.AliasAttributes, s.Frozen.UsernameAttributes = nil, []string{"email", "phone_number"}
			}),
			want: preflight.NamesDiffer, detail: "username, preferred_username",
		},
		"source tells case apart": {
			world: pools(false, func(s *cognitoidp.PoolSpec) { s.Frozen.UsernameConfiguration = nil }), want: preflight.CaseDiffers, detail: "the source tells",
		},
		"target tells case apart": {
			world: pools(true, func(s *cognitoidp.PoolSpec) { s.Frozen.UsernameConfiguration = nil }), want: preflight.CaseDiffers, detail: "the target tells",
		},
		"second factors at the source alone": {
			world: changed(func(c *config.Config) { c.Target.SMSMFA = false }),
			plant: targetPool(func(s *cognitoidp.Settings) { s.MfaConfiguration = "OFF" }), want: preflight.MFAWeaker,
		},
		"second factors demanded": {plant: targetPool(func(s *cognitoidp.Settings) { s.MfaConfiguration = "ON" }), want: preflight.MFAStricter},
		"no SMS at the target": {
			world: pools(true, func(s *cognitoidp.PoolSpec) { s.MFA.TOTP, s.Settings.SmsConfiguration = true, nil }), want: preflight.SMSWrong,
			check: func(f preflight.Finding) string {
				if f.Line != "sms_mfa: false" {
					return f.Line
				}
				return ""
			},
		},
		"SMS is not made use of": {world: changed(func(c *config.Config) { c.Target.SMSMFA = false }), want: preflight.SMSUnused},

		// Quotas.
		"pace above a quota": {
			plant: func(w world) error { w.Quotas.Set(w.Target.Account, w.Target.Region, "UserUpdate", 5); return nil },
			want:  preflight.PaceAbove, detail: "pace.user_update: 8 of 5",
		},
		"quotas were raised": {
			world: changed(func(c *config.Config) { c.Pace.QuotaRaised, c.Pace.UserUpdate = true, 50 }),
			plant: func(w world) error { w.Quotas.Set(w.Target.Account, w.Target.Region, "UserUpdate", 200); return nil },
			info:  preflight.QuotasAssumed, // those of the source's account
		},

		// The bucket.
		"no bucket": {plant: func(w world) error { w.S3.Forget(w.Config.Staging.Bucket); return nil }, want: preflight.BucketMissing, lacks: preflight.GuardUnsure},
		"somebody else's bucket": {
			plant: func(w world) error { return w.S3.Hand(w.Config.Staging.Bucket, "333333333333", w.Target.Region) }, want: preflight.BucketForeign, lacks: preflight.GuardUnsure,
		},
		"bucket in another region": {
			plant: func(w world) error { return w.S3.Hand(w.Config.Staging.Bucket, w.Target.Account, "eu-west-1") }, want: preflight.BucketElsewhere, lacks: preflight.GuardUnsure,
		},
		"plain HTTP":      {plant: bucketIs(func(c *s3.Configuration) { c.Policy = "" }), want: preflight.BucketPlainHTTP},
		"public access":   {plant: bucketIs(func(c *s3.Configuration) { c.PublicAccessOpen = true }), want: preflight.BucketPublic},
		"no key":          {plant: bucketIs(func(c *s3.Configuration) { c.KMSKey = "" }), want: preflight.BucketUnencrypted},
		"nothing expires": {plant: bucketIs(func(c *s3.Configuration) { c.ExpireDays = 0 }), want: preflight.BucketKeeps},
		"others expire":   {plant: bucketIs(func(c *s3.Configuration) { c.ExpirePrefix = "runs/another/" }), want: preflight.BucketKeeps},
		"expiry is off":   {plant: bucketIs(func(c *s3.Configuration) { c.LifecycleDisabled = true }), want: preflight.BucketKeeps},
		"no old versions": {plant: bucketIs(func(c *s3.Configuration) { c.Versioned = false }), info: preflight.BucketUnversioned},
	}
}

func length(low, high string) *cognitoidp.StringRange {
	return &cognitoidp.StringRange{MinLength: low, MaxLength: high}
}

// distrust makes a role one that trusts nobody of the target.
func distrust(role func(world) string) func(world) error {
	return func(w world) error {
		return w.Sandbox.IAM.SetTrust(role(w), fmt.Appendf(nil, plain, `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::333333333333:root"}}`))
	}
}

// TestEachFault plants one fault after the other, and wants it found and nothing
// else.
func TestEachFault(t *testing.T) {
	for name, tt := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := rehearsal.Options{}
			if tt.world != nil {
				tt.world(&o)
			}
			w := open(t, o)
			if tt.plant != nil {
				if err := tt.plant(w); err != nil {
					t.Fatal(err)
				}
			}
			cfg := *w.Config
			if tt.config != nil {
				tt.config(&cfg)
			}
			r, err := w.preflight(t, &cfg).Look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := serious(r); got != string(tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
				for _, f := range r.Findings {
					t.Logf("%s %s: %s", f.Code, f.About, f.Detail)
				}
				return
			}
			want := strings.Fields(usual)
			want = slices.DeleteFunc(want, func(code string) bool { return code == string(tt.lacks) })
			if tt.info != "" {
				want = append(want, string(tt.info))
			}
			if got := strings.Fields(infos(r)); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
				t.Errorf("information %q, want %q", got, want)
			}
			code := cmp.Or(tt.want, tt.info)
			if code == "" {
				return
			}
			f := find(t, r, preflight.Code(strings.Fields(string(code))[0]))
			if !strings.Contains(f.Detail, tt.detail) {
				t.Errorf("detail %q, want %q", f.Detail, tt.detail)
			}
			if tt.check != nil {
				if wrong := tt.check(f); wrong != "" {
					t.Error(wrong)
				}
			}
		})
	}
}

// elsewhere are the codes whose faults take a manifest.
var elsewhere = []preflight.Code{
	preflight.RunPlanDiffers, preflight.StagedPartly, preflight.StagedDamaged, preflight.ProfilesRefused,
	preflight.ProfilesTrimmed, preflight.ProfilesNameless, preflight.NamesShared,
}

// TestEveryCodeIsPlanted: a code without a fault that shows it is not tested.
func TestEveryCodeIsPlanted(t *testing.T) {
	planted := map[preflight.Code]bool{}
	for _, code := range strings.Fields(usual) {
		planted[preflight.Code(code)] = true
	}
	for _, f := range faults() {
		planted[f.want], planted[f.info] = true, true
	}
	for _, code := range preflight.Codes() {
		if planted[code] == slices.Contains(elsewhere, code) {
			t.Errorf("%s: planted %v, among those that are planted elsewhere %v", code, planted[code], !planted[code])
		}
	}
}

// TestSilence: what AWS does not answer is no finding.
func TestSilence(t *testing.T) {
	w := open(t, rehearsal.Options{Faults: "target.DescribeUserPool=error:100%"})
	_, err := w.preflight(t, nil).Look(t.Context())
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error %v", err)
	}
}
