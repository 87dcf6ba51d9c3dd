package preflight

import (
	"slices"

	"poolferry/internal/preflight/staged"
	"poolferry/internal/userpool"
)

// Severity says how much a finding matters.
type Severity string

// The severities.
const (
	Blocker Severity = "blocker" // do not start: people will be turned away, or lose something
	Warning Severity = "warning" // decide before you start
	Info    Severity = "info"    // good to know
)

// Severities lists the severities, the worst first.
func Severities() []Severity { return []Severity{Blocker, Warning, Info} }

// Finding is one thing that somebody ought to know before the migration. It holds
// names of settings and attributes, and subs, never a name or value of a user's.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	About    string   `json:"about"`            // what it is about, such as client 1example23456789
	Detail   string   `json:"detail,omitempty"` // what exactly
	Meaning  string   `json:"meaning"`
	Advice   string   `json:"advice"`
	// Section and Line are what to write into poolferry.yaml.
	Section    string         `json:"section,omitempty"`
	Line       string         `json:"line,omitempty"`
	Fix        bool           `json:"fix,omitempty"`        // --fix can do it
	Attributes []string       `json:"attributes,omitempty"` // of the target
	Users      int            `json:"users,omitempty"`      // whom it is about, where they were counted
	Counts     []staged.Count `json:"counts,omitempty"`
	Subs       []userpool.Sub `json:"subs,omitempty"` // the first 1,000 of them
}

// Code is what a finding is about.
type Code string

// The codes: of the source's side.
const (
	ExportRoleNone       Code = "export_role_none"
	ExportRoleRefused    Code = "export_role_refused"
	ExportPermission     Code = "export_permission_missing"
	SourcePoolRefused    Code = "source_pool_refused"
	SourcePoolMissing    Code = "source_pool_missing"
	SourceClientMissing  Code = "source_client_missing"
	SourceFlowOff        Code = "source_flow_off"
	SourceSecret         Code = "source_secret_mismatch"
	SourceClientHides    Code = "source_client_hides_users"
	SourceTriggers       Code = "source_triggers"
	LoginRoleRefused     Code = "login_role_refused"
	LoginPermission      Code = "login_permission_missing"
	LoginFails           Code = "login_fails"
	ProfileLoses         Code = "profile_loses"
	ProfileSaves         Code = "profile_saves"
	ThreatProtection     Code = "threat_protection"
	ThreatProtectionLogs Code = "threat_protection_logs"
)

// The codes: of the target's side.
const (
	TargetPoolMissing     Code = "target_pool_missing"
	NotChecked            Code = "not_checked"
	NoPasswordClient      Code = "no_password_client"
	ClientSRPOnly         Code = "client_srp_only"
	ClientTellsUsers      Code = "client_tells_users"
	ClientWritesLegacySub Code = "client_writes_legacy_sub"
	SelfSignUp            Code = "self_sign_up"
	TargetPreSignUp       Code = "target_pre_sign_up"
	EmailLimit            Code = "email_limit"
	AlreadyThere          Code = "already_there"
	TriggerNone           Code = "trigger_none"
	TriggerGone           Code = "trigger_gone"
	TriggerForeign        Code = "trigger_foreign"
	TriggerNotPermitted   Code = "trigger_not_permitted"
	TriggerDiffers        Code = "trigger_configured_differently"
	TriggerFails          Code = "trigger_fails"
	HookForeign           Code = "hook_foreign"
	GuardUnsure           Code = "guard_unsure"
	DeployedDiffers       Code = "deployed_differently"
	GroupRoleElsewhere    Code = "group_role_elsewhere"
	TailNoContact         Code = "tail_no_contact"
	TailNoLogRole         Code = "tail_no_log_role"
)

// The codes: of both pools together.
const (
	LegacySubMissing  Code = "legacy_sub_missing"
	LegacySubUnusable Code = "legacy_sub_unusable"
	AttributeMissing  Code = "attribute_missing"
	AttributeLeftOut  Code = "attribute_left_out"
	AttributeType     Code = "attribute_type"
	AttributeBounds   Code = "attribute_bounds"
	AttributeFixed    Code = "attribute_immutable"
	LiteralUnfit      Code = "literal_unfit"
	RequiredUnmapped  Code = "required_unmapped"
	RequiredUnsure    Code = "required_not_always"
	NamesDiffer       Code = "names_differ"
	CaseDiffers       Code = "case_differs"
	MFAWeaker         Code = "mfa_weaker"
	MFAStricter       Code = "mfa_stricter"
	SMSWrong          Code = "sms_mfa_wrong"
	SMSUnused         Code = "sms_mfa_unused"
	PasswordPolicy    Code = "password_policy_differs"
	FeaturePlan       Code = "feature_plan_differs"
	PaceAbove         Code = "pace_above_quota"
	PaceMost          Code = "pace_takes_most"
	QuotasAssumed     Code = "quotas_assumed"
)

// The codes: of the staging bucket, and of what is staged.
const (
	BucketMissing     Code = "bucket_missing"
	BucketForeign     Code = "bucket_foreign"
	BucketElsewhere   Code = "bucket_elsewhere"
	BucketPlainHTTP   Code = "bucket_plain_http"
	BucketPublic      Code = "bucket_public"
	BucketUnencrypted Code = "bucket_unencrypted"
	BucketKeeps       Code = "bucket_keeps"
	BucketUnversioned Code = "bucket_unversioned"
	RunPlanDiffers    Code = "run_plan_differs"
	StagedPartly      Code = "staged_partly"
	StagedDamaged     Code = "staged_damaged"
	ProfilesRefused   Code = "profiles_refused"
	ProfilesTrimmed   Code = "profiles_trimmed"
	ProfilesNameless  Code = "profiles_nameless"
	NamesShared       Code = "names_shared"
)

type words struct {
	code            Code
	severity        Severity
	meaning, advice string
}

// vocabulary holds every code, in the order in which findings of a severity are
// shown.
var vocabulary = []words{
	{ExportRoleNone, Blocker,
		"The configuration names no export role, so the source pool can neither be checked nor staged.",
		"Deploy infra/modules/source-account, or its CloudFormation, and write the role's ARN into poolferry.yaml."},
	{ExportRoleRefused, Blocker,
		"Your credentials may not assume the export role.",
		"Compare role, account and external id with the role's trust policy, whose operator_arn must be who you are."},
	{ExportPermission, Blocker,
		"The export role lacks permissions, so the seeding will fail.",
		"Give the role the policy infra/modules/source-account/policies/export-role.json."},
	{SourcePoolRefused, Blocker,
		"The export role can be assumed and may do nothing on the source pool.",
		"Check source.pool_id, source.region and source.account: the role's policy is for one pool. Or its policy is missing."},
	{SourcePoolMissing, Blocker,
		"There is no such source pool in this region.",
		"Correct source.pool_id or source.region."},
	{SourceClientMissing, Blocker,
		"The source pool has no app client of this id, so no password can be tried.",
		"Write the id of the migration's client, an output of infra/modules/source-account, into poolferry.yaml."},
	{SourceFlowOff, Blocker,
		"The source's app client does not allow ADMIN_USER_PASSWORD_AUTH, so no password can be tried.",
		"Use the migration's own client, or add ALLOW_ADMIN_USER_PASSWORD_AUTH to this one."},
	{SourceSecret, Blocker,
		"The source's app client and the configuration do not agree on whether there is a client secret: every password will be refused.",
		"Add or take away source.client_secret."},
	{LoginRoleRefused, Blocker,
		"The migration trigger may not assume the login role, so nobody can be migrated.",
		"Compare the role's trust policy with infra/modules/source-account/policies/login-trust.json: it names the trigger's execution role and the external id."},
	{LoginPermission, Blocker,
		"The trigger's roles lack permissions.",
		"Give the login role the policies infra/modules/source-account/policies/login-role.json and, for mfa_policy verify, login-role-mfa.json; the trigger's own is infra/modules/target-account/policies/migrate-user.json."},
	{LoginFails, Blocker,
		"The login role is permitted to, and fails.",
		"Check client id, client secret and pool of the source against what AWS answered."},
	{TargetPoolMissing, Blocker,
		"There is no such target pool in this account and region.",
		"Correct target.pool_id or target.region, or use the target account's credentials."},
	{TriggerNone, Blocker,
		"The target pool has no migration trigger: unknown names are refused.",
		"Attach the function's alias as UserMigration: infra/modules/target-pool in phase migrating does."},
	{TriggerGone, Blocker,
		"The target pool calls a function that does not exist: whatever runs it fails with an error.",
		"Deploy infra/modules/target-account, then attach the alias that it outputs."},
	{TriggerForeign, Blocker,
		"The target pool's migration trigger is not this run's.",
		"Attach the alias that infra/modules/target-account outputs. Look at what the other function is for before you detach it."},
	{TriggerNotPermitted, Blocker,
		"A function does not permit Cognito to invoke it for the target pool: whatever runs it fails with an error.",
		"Add the permission to the alias that the pool names (lambda add-permission --qualifier), for this pool and account."},
	{TriggerFails, Blocker,
		"The migration trigger does not answer.",
		"Look into the function's log: it says what is wrong with its configuration or secrets."},
	{NoPasswordClient, Blocker,
		"No app client of the target pool allows USER_PASSWORD_AUTH: the trigger will never get a password.",
		"Add ALLOW_USER_PASSWORD_AUTH to the app's clients until cut-over, and have the app use that flow."},
	{LegacySubMissing, Blocker,
		"The target's schema has no custom:legacy_sub, so the trigger refuses everybody.",
		"Run preflight with --fix, which adds it. An attribute can never be removed again."},
	{LegacySubUnusable, Blocker,
		"The target's custom:legacy_sub cannot hold a sub, so the trigger refuses everybody.",
		"An attribute can be neither changed nor removed: use another target pool."},
	{AttributeMissing, Blocker,
		"The mapping writes an attribute that the target's schema does not have.",
		"Add the attribute to the target pool, or change the rule."},
	{LiteralUnfit, Blocker,
		"The mapping sets a value that the target's schema refuses.",
		"Change the value, or the attribute that it goes to."},
	{RequiredUnmapped, Blocker,
		"The target requires an attribute that the mapping never fills, so the trigger refuses everybody.",
		"Map a source attribute onto it, or give it a default. Whether an attribute is required cannot be changed."},
	{SMSWrong, Blocker,
		"target.sms_mfa says that the target asks for codes by SMS, and it does not: users whose second factor is SMS would fail, or be let in without it.",
		"Turn MFA by SMS on at the target, or correct poolferry.yaml."},
	{ProfileLoses, Blocker,
		"The trigger reads attributes from ID tokens, and they do not hold all of them: users would move without.",
		"Let the trigger look users up, or let the source's app client read the attributes; with a PreTokenGeneration trigger only looking up is safe."},
	{ClientWritesLegacySub, Blocker,
		"An app client of the target may write custom:legacy_sub: whoever can write it can pass for another user. The guard lets in, the welcome puts into groups and the claim names whom the attribute names.",
		"Take the attribute from the client's write attributes."},
	{RunPlanDiffers, Blocker,
		"The run was planned for other pools or another mapping.",
		"Put the configuration back, or begin a new run: change run in poolferry.yaml."},
	{BucketMissing, Blocker, "There is no staging bucket of this name.", "Deploy infra/modules/target-account, or correct staging.bucket."},
	{BucketForeign, Blocker,
		"The staging bucket is another account's, or refuses you: profiles would go to somebody else.",
		"Choose a name that is free, or get the permissions that docs/preflight.md lists."},
	{BucketElsewhere, Blocker,
		"The staging bucket is not in the target's region, where state machines and functions look for it.",
		"Use a bucket in target.region."},
	{StagedDamaged, Blocker,
		"What is staged cannot be read.",
		"See poolferry manifest verify; stage once more with poolferry seed start --generation new."},

	{NotChecked, Warning,
		"Your credentials may not look at something, so it was not checked.",
		"Get the permission, which docs/preflight.md lists, and run preflight once more."},
	{TriggerDiffers, Warning,
		"Functions that the target pool calls were deployed with another configuration than this poolferry.yaml, in sections that they go by.",
		"Apply Terraform with this file, or take the file from terraform output -raw configuration."},
	{HookForeign, Warning,
		"A function that is called like one of this run's was deployed for another run or other pools, or is not poolferry's: it guards and welcomes nobody of this migration, and a claim is the other's.",
		"Attach the alias that infra/modules/target-account outputs. Look at what the other function is for before you detach it."},
	{ClientSRPOnly, Warning,
		"The app client does not allow the password flows: who signs in through it is not migrated.",
		"Add ALLOW_USER_PASSWORD_AUTH until cut-over if people sign in through this client, and have the app use that flow."},
	{ClientTellsUsers, Warning,
		"The app client's errors tell unknown names from wrong passwords.",
		"Set PreventUserExistenceErrors of the client to ENABLED."},
	{SelfSignUp, Warning,
		"Anybody can register at the target under the name of somebody who has not moved yet, who can then never move.",
		"Attach the guard (guard-signup) as PreSignUp and reconcile, or allow only administrators to create users (AllowAdminCreateUserOnly) until cut-over."},
	{AlreadyThere, Warning,
		"The target pool already has users of the source pool that the trigger has not made. They can never move by password.",
		"Find out where they come from. Delete them if nobody uses them, or write custom:legacy_sub and have the people choose new passwords."},
	{AttributeLeftOut, Warning,
		"The source has custom attributes that the target has not: users move without them.",
		"Add them to the target pool, or say drop in the mapping."},
	{AttributeType, Warning,
		"An attribute has another type at the target: values that do not fit are left out, or refuse the user where the attribute is required or immutable.",
		"Map it onto an attribute of the same type."},
	{AttributeBounds, Warning,
		"An attribute's bounds are narrower at the target: values beyond them are left out, or refuse the user where the attribute is required or immutable.",
		"Map it onto a wider attribute. With a manifest, preflight tells whom it concerns."},
	{AttributeFixed, Warning,
		"An attribute that can change at the source cannot be changed at the target; a value that does not fit refuses the user.",
		"Map it onto a mutable attribute if people or apps change it."},
	{RequiredUnsure, Warning,
		"The target requires an attribute that source users may lack; those are refused.",
		"Give it a default in the mapping. With a manifest, preflight tells whom it concerns."},
	{NamesDiffer, Warning,
		"The source lets people in by names that the target does not know: who types such a name cannot move by it.",
		"Tell people which name to use, or use a target pool with the same sign-in options; they cannot be changed."},
	{CaseDiffers, Warning,
		"One pool takes names in upper and lower case for the same, the other does not.",
		"If the target is the one that does, users whose names differ only in case collide: with a manifest, preflight tells who. If it is the source, people must type their names as the target has them. It cannot be changed."},
	{MFAWeaker, Warning,
		"The target asks for second factors less than the source does.",
		"Configure MFA at the target as at the source, or choose mfa_policy knowingly."},
	{MFAStricter, Warning,
		"The target demands a second factor of everybody, the source does not: users have to enrol one at their first sign-in.",
		"Make sure that the app can answer MFA_SETUP, or make MFA optional at the target."},
	{SMSUnused, Warning,
		"The target asks for codes by SMS, and target.sms_mfa does not say so: users whose second factor is SMS are treated by mfa_policy.",
		"Say so in poolferry.yaml."},
	{ThreatProtection, Warning,
		"Threat protection at the source may challenge or block sign-ins, and sees the trigger's address in place of people's.",
		"Except the migration's app client from it (a risk configuration of its own), or set it to audit."},
	{EmailLimit, Warning,
		"The target sends e-mail from Cognito's own account, 50 messages a day: forgotten passwords will wait.",
		"Have the target send through Amazon SES before people are told to choose new passwords."},
	{GroupRoleElsewhere, Warning,
		"settle.groups.roles gives a group a role of another account: Cognito cannot be handed it, so neither the group nor who belongs into it is settled.",
		"Write the ARN of a role in the target account, or take the rule out and give the group its role yourself."},
	{PaceAbove, Warning, "The configured pace is above the quota, so requests will be throttled, production's too.", "Lower the pace, or have the quota raised."},
	{BucketPlainHTTP, Warning, "The staging bucket's policy does not refuse plain HTTP.", "Apply infra/modules/target-account/policies/staging-bucket.json."},
	{BucketPublic, Warning, "Public access to the staging bucket is not blocked.", "Set all four settings of its public access block."},
	{BucketUnencrypted, Warning, "The staging bucket does not encrypt with a KMS key, so reading it takes no permission but S3's.", "Set SSE-KMS with a key of your own, and a bucket key."},
	{BucketKeeps, Warning, "Nothing ever deletes what is in the staging bucket: profiles are personal data.", "Add a lifecycle rule that expires what is below runs/."},
	{StagedPartly, Warning, "What is staged is not of one whole scan, so not everybody was looked at.", "Wait for the seeding, or go on with poolferry seed start; then run preflight once more."},
	{ProfilesRefused, Warning, "The target's schema refuses staged users: they cannot move.", "Change values at the source, the mapping or the target's attributes. poolferry explain shows a user."},
	{ProfilesNameless, Warning, "The target would know staged users under no name that they have: they cannot move.", "Give them an e-mail address, phone number or username that the target accepts, or map one."},
	{NamesShared, Warning, "Several staged users would have the same name at the target, and only one of them can have it.", "Ask whom it belongs to, and change it for the others at the source."},

	{ProfilesTrimmed, Info, "Staged users have values that the target cannot hold, and move without them.", "Map or correct them first if they matter."},
	{SourceClientHides, Info, "The source's app client hides who exists, so metrics cannot tell unknown names from wrong passwords.", "Set PreventUserExistenceErrors of the migration's client to LEGACY: only the trigger sees it."},
	{SourceTriggers, Info, "The source pool's own triggers run at each first sign-in at the target, and during preflight.", "Make sure that they permit sign-ins by the migration's client."},
	{ProfileSaves, Info, "ID tokens of the source hold everything that the mapping reads: the trigger can save a round trip per user.", "Let the trigger read them."},
	{ThreatProtectionLogs, Info, "Threat protection at the source records the trigger's address in place of people's.", "Nothing."},
	{TargetPreSignUp, Info, "The target's PreSignUp trigger may run when a user is migrated.", "Make sure that it refuses no trigger source that it does not know."},
	{GuardUnsure, Info,
		"The guard is attached and has nothing to look names up in: until a reconciliation is whole it refuses every registration.",
		"Reconcile before people are to register: poolferry seed start, then poolferry reconcile run."},
	{DeployedDiffers, Info,
		"Sections differ from the deployed configuration that the target pool's functions do not go by. Seeding, reconciliation, settling and imports go by what was deployed.",
		"Apply Terraform with this file before they run next, if they are to go by it."},
	{TailNoContact, Info,
		"The target pool verifies neither e-mail addresses nor phone numbers by itself, so that nobody who never signs in can be imported: Cognito demands one in each row.",
		"Nothing, if nobody is to be imported. Otherwise set AutoVerifiedAttributes before you plan the tail."},
	{TailNoLogRole, Info,
		"The configuration names no role with which Cognito writes the log of import jobs, so that nobody who never signs in can be imported.",
		"Nothing, if nobody is to be imported. Otherwise write the output import_log_role_arn of infra/modules/target-account into poolferry.yaml before the tail is imported."},
	{PasswordPolicy, Info, "The target's password policy differs. It is not enforced on passwords that move along.", "Nothing, unless weak passwords must not move."},
	{FeaturePlan, Info, "The pools are on different feature plans.", "Check that the target's plan has what the app uses: e-mail MFA and choice-based sign-in take Essentials, threat protection Plus."},
	{PaceMost, Info, "The configured pace takes more than half of a quota that production shares.", "Lower it if people sign in meanwhile."},
	{QuotasAssumed, Info, "Quotas could not be read, so AWS's defaults were assumed.", "Nothing, unless they were lowered. To have those of the target account read, get servicequotas:ListServiceQuotas."},
	{BucketUnversioned, Info, "The staging bucket keeps no old versions, so what is deleted by mistake is gone.", "Turn versioning on."},
}

// Codes lists every code in the order in which findings are shown.
func Codes() []Code {
	all := make([]Code, len(vocabulary))
	for i, w := range vocabulary {
		all[i] = w.code
	}
	return all
}

func (c Code) words() words {
	i := slices.IndexFunc(vocabulary, func(w words) bool { return w.code == c })
	if i < 0 {
		return words{code: c}
	}
	return vocabulary[i]
}

// Severity returns the severity of findings of this code, empty for an unknown
// one.
func (c Code) Severity() Severity { return c.words().severity }

// Meaning returns what findings of this code are, empty for an unknown one.
func (c Code) Meaning() string { return c.words().meaning }

// Advice returns what to do about findings of this code, empty for an unknown
// one.
func (c Code) Advice() string { return c.words().advice }

// finding returns a finding of a code.
func finding(code Code, about, detail string) Finding {
	w := code.words()
	return Finding{Code: code, Severity: w.severity, About: about, Detail: detail, Meaning: w.meaning, Advice: w.advice}
}
