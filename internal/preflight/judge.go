package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"poolferry/internal/fault"
	"poolferry/internal/preflight/resource"
	"poolferry/internal/preflight/trial"
)

// Judge returns what somebody ought to know, the worst first, and those of one
// severity in the order of Codes.
func Judge(f Facts) []Finding {
	j := &judge{Facts: f}
	for _, rule := range []func(){
		j.refusals, j.sourceClient, j.sourcePool, j.login, j.profile,
		j.targetPool, j.targetClients, j.trigger, j.hooks, j.deployments, j.guard, j.strangers,
		j.legacySub, j.attributes, j.required, j.names, j.factors, j.password,
		j.groupRoles, j.tail, j.paces, j.bucket, j.staged,
	} {
		rule()
	}
	order := Codes()
	slices.SortStableFunc(j.found, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(Severities(), a.Severity), slices.Index(Severities(), b.Severity)),
			cmp.Compare(slices.Index(order, a.Code), slices.Index(order, b.Code)),
			cmp.Compare(a.About, b.About),
		)
	})
	return j.found
}

type judge struct {
	Facts
	found []Finding
}

func (j *judge) add(code Code, about, detail string, args ...any) *Finding {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	j.found = append(j.found, finding(code, about, detail))
	return &j.found[len(j.found)-1]
}

func (j *judge) has(codes ...Code) bool {
	return slices.ContainsFunc(j.found, func(f Finding) bool { return slices.Contains(codes, f.Code) })
}

func (j *judge) source() string { return "source pool " + j.Source.ID }
func (j *judge) target() string { return "target pool " + j.Target.ID }

const describePool = "cognito-idp:DescribeUserPool"

// exportActions are what the export role is tried with.
var exportActions = []string{
	describePool, "cognito-idp:DescribeUserPoolClient", "cognito-idp:ListUsers", "cognito-idp:ListGroups", "cognito-idp:ListUsersInGroup",
}

// refusals is about what could not be read.
func (j *judge) refusals() {
	var denied []string
	var unread []Refusal
	poolGone := false
	for _, r := range j.Refusals {
		switch {
		case r.As == AsOwn && r.Kind == fault.NotFound && r.Action == describePool:
			j.add(TargetPoolMissing, j.target(), "region "+j.Target.Region)
		case r.As == AsOwn:
			unread = append(unread, r)
		case r.Action == trial.Assume:
			j.add(ExportRoleRefused, "role "+j.ExportRole, r.Code)
		case r.Kind == fault.NotFound && strings.HasPrefix(r.About, "client "):
			j.add(SourceClientMissing, "client "+j.ClientID, "")
		case r.Kind == fault.NotFound:
			poolGone = true
		default:
			denied = append(denied, r.Action)
		}
	}
	switch {
	case j.ExportRole == "":
		j.add(ExportRoleNone, "configuration", "source.export_role_arn")
	case poolGone:
		j.add(SourcePoolMissing, j.source(), "region "+j.Source.Region)
	case len(denied) >= len(exportActions)-1: // ListUsersInGroup is not tried without a group
		j.add(SourcePoolRefused, j.source(), "role "+j.ExportRole)
	case len(denied) > 0:
		j.add(ExportPermission, "role "+j.ExportRole, strings.Join(denied, ", "))
	}
	j.unread(unread)
}

// unread says once of an action that it did not go, whatever it was tried on.
func (j *judge) unread(refusals []Refusal) {
	about := map[string][]string{}
	var actions []string
	for _, r := range refusals {
		action := fmt.Sprintf("%s (%s)", r.Action, r.Code)
		if about[action] == nil {
			actions = append(actions, action)
		}
		about[action] = append(about[action], r.About)
	}
	for _, action := range actions {
		if all := about[action]; len(all) > 1 {
			j.add(NotChecked, AsOwn, "%s: %s", action, strings.Join(all, ", "))
		} else {
			j.add(NotChecked, all[0], action)
		}
	}
}

func (j *judge) sourceClient() {
	c := j.SourceClient
	if c == nil {
		return
	}
	about := c.about()
	if !c.allows("ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH") {
		j.add(SourceFlowOff, about, "it allows %s", listed(c.Flows))
	}
	switch {
	case c.Secret && !j.ClientSecret:
		j.add(SourceSecret, about, "the client has a secret, source.client_secret is missing")
	case !c.Secret && j.ClientSecret:
		j.add(SourceSecret, about, "the client has no secret, source.client_secret refers to one")
	}
	if c.HidesUsers {
		j.add(SourceClientHides, about, "")
	}
}

func (c Client) about() string {
	if c.Name == "" {
		return "client " + c.ID
	}
	return fmt.Sprintf("client %s (%s)", c.ID, c.Name)
}

// allows reports whether the client allows a flow, by its name or the older one.
// A client without flows has SRP, custom and refresh (Cognito API reference,
// CreateUserPoolClient).
func (c Client) allows(flow, older string) bool {
	return slices.Contains(c.Flows, "ALLOW_"+flow) || slices.Contains(c.Flows, older)
}

// sourceTriggers are those of the source pool that a sign-in there runs.
var sourceTriggers = []string{"PreAuthentication", "PostAuthentication", "UserMigration"}

func (j *judge) sourcePool() {
	p := j.SourcePool
	if p == nil {
		return
	}
	var runs []string
	for _, name := range sourceTriggers {
		if p.Triggers[name] != "" {
			runs = append(runs, name)
		}
	}
	if len(runs) > 0 {
		j.add(SourceTriggers, j.source(), strings.Join(runs, ", "))
	}
	switch p.ThreatProtection {
	case "ENFORCED":
		j.add(ThreatProtection, j.source(), "")
	case "AUDIT":
		j.add(ThreatProtectionLogs, j.source(), "")
	}
}

// login is about what the trigger has tried with its roles.
func (j *judge) login() {
	if j.Trial == nil {
		return
	}
	about := "role " + j.LoginRole
	if t, ok := j.Trial.Of(trial.Assume); ok && t.Result == trial.Denied {
		j.add(LoginRoleRefused, about, t.Code)
	}
	var denied, wrong []string
	for _, t := range j.Trial.Tries {
		switch {
		case t.Action == trial.Assume && t.Result == trial.Denied: // said above
		case t.Action == trial.DescribeTarget && t.Result == trial.Denied:
			j.add(LoginPermission, "execution role of the migration trigger", t.Action)
		case t.Result == trial.Denied:
			denied = append(denied, t.Action)
		case t.Result == trial.Wrong:
			wrong = append(wrong, fmt.Sprintf("%s: %s", t.Action, t.Code))
		case t.Result == trial.Silent:
			j.add(NotChecked, about, "%s (%s)", t.Action, t.Code)
		}
	}
	// A pool that the export role may do nothing on is not the one of the login
	// role's policy either.
	if len(denied) > 0 && !j.has(SourcePoolRefused, SourcePoolMissing) {
		j.add(LoginPermission, about, strings.Join(denied, ", "))
	}
	if len(wrong) > 0 && !j.has(SourceFlowOff, SourceSecret, SourceClientMissing, SourcePoolMissing, SourcePoolRefused) {
		j.add(LoginFails, about, strings.Join(wrong, ", "))
	}
}

// SafeProfile returns from where the trigger may read attributes, and which of
// them an ID token would lose; ok is false where the source could not be read.
func (f Facts) SafeProfile() (from string, loses []string, ok bool) {
	if f.SourcePool == nil || f.SourceClient == nil {
		return "", nil, false
	}
	if loses = f.SourcePool.IDTokenLoses(f.Mapping, f.SourceClient.Reads); len(loses) > 0 {
		return FromLookup, loses, true
	}
	return FromIDToken, nil, true
}

func (j *judge) profile() {
	safe, loses, ok := j.SafeProfile()
	switch {
	case !ok || safe == j.Profile:
		return
	case safe == FromLookup:
		why := "not readable by the client: " + strings.Join(loses, ", ")
		if j.SourcePool.PreTokenGeneration {
			why = "the source pool has a PreTokenGeneration trigger, which may drop or change any claim"
		}
		f := j.add(ProfileLoses, j.SourceClient.about(), why)
		f.Section, f.Line = "source", "profile: "+FromLookup
	default:
		f := j.add(ProfileSaves, j.SourceClient.about(), "")
		f.Section, f.Line = "source", "profile: "+FromIDToken
	}
}

func (j *judge) targetPool() {
	p := j.TargetPool
	if p == nil {
		return
	}
	if p.CognitoSendsMail {
		j.add(EmailLimit, j.target(), "")
	}
	if arn := p.Triggers[PreSignUp]; arn != "" && !j.isOurs(PreSignUp, arn) {
		j.add(TargetPreSignUp, j.target(), arn)
	}
	if s := j.SourcePool; s != nil && s.Plan != p.Plan && s.Plan != "" && p.Plan != "" {
		j.add(FeaturePlan, j.target(), "%s, the source %s", p.Plan, s.Plan)
	}
}

func (j *judge) targetClients() {
	open := slices.ContainsFunc(j.Clients, Client.migrates)
	if j.Clients != nil && !open {
		j.add(NoPasswordClient, j.target(), "%d clients", len(j.Clients))
	}
	for _, c := range j.Clients {
		about := c.about()
		if open && !c.migrates() && c.signsIn() {
			j.add(ClientSRPOnly, about, "it allows %s", listed(c.Flows))
		}
		if !c.HidesUsers {
			j.add(ClientTellsUsers, about, "")
		}
		if p := j.TargetPool; p != nil && slices.Contains(c.Writes, legacySub) && (p.SelfSignUp || p.Schema[legacySub].Mutable) {
			j.add(ClientWritesLegacySub, about, "")
		}
	}
}

// migrates reports whether signing in through the client can run the migration
// trigger (Cognito Developer Guide, migrate user Lambda trigger).
func (c Client) migrates() bool {
	return c.allows("USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH") || c.allows("ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH") || c.Managed
}

// signsIn reports whether people who have a password can use it at the client.
func (c Client) signsIn() bool {
	return len(c.Flows) == 0 || c.allows("USER_SRP_AUTH", "") || c.allows("USER_AUTH", "")
}

// untried: only the trigger may assume the login role.
const untried = "the login role was not tried: only this run's trigger may assume it"

// trigger is about what stands behind the target's migration trigger.
func (j *judge) trigger() {
	p, f := j.TargetPool, j.Function
	switch {
	case p == nil:
		return
	case p.MigrationTrigger == "":
		j.add(TriggerNone, j.target(), untried)
		return
	case f == nil:
		return // said already that it could not be looked at
	}
	switch {
	case f.Gone:
		j.add(TriggerGone, f.about(), "%s; %s", fails[UserMigration], untried)
		return
	case !f.Ours:
		j.add(TriggerForeign, f.about(), listedOr(f.Differs, notPoolferry))
		return
	case j.TrialFailed:
		j.add(TriggerFails, f.about(), untried)
	}
	j.permission(UserMigration, f)
}

const notPoolferry = "it has no configuration of poolferry"

func (f *Function) about() string { return "function " + f.ARN }

// fails says what fails where a trigger's function cannot be invoked (Cognito
// Developer Guide, Lambda triggers). That PreSignUp runs for users who are being
// migrated is not documented, and not excluded.
var fails = map[string]string{
	UserMigration:      "UserMigration: every unknown name fails",
	PreSignUp:          "PreSignUp: every registration fails, and perhaps the first sign-in of whoever moves",
	PostAuthentication: "PostAuthentication: every sign-in fails",
	PreTokenGeneration: "PreTokenGeneration: every sign-in fails",
}

// permission is about whether Cognito may invoke a function for the target pool.
func (j *judge) permission(trigger string, f *Function) {
	if !f.PolicyUnread && !j.permits(f) {
		j.add(TriggerNotPermitted, f.about(), fails[trigger])
	}
}

func (j *judge) permits(f *Function) bool {
	policy, err := resource.Parse(f.Policy)
	pool := fmt.Sprintf("arn:%s:cognito-idp:%s:%s:userpool/%s", partitionOf(f.ARN), j.Target.Region, j.Account, j.Target.ID)
	return err == nil && policy.Permits("lambda:InvokeFunction", resource.Caller{Service: "cognito-idp.amazonaws.com", ARN: pool, Account: j.Account})
}

func partitionOf(arn string) string {
	parts := strings.SplitN(arn, ":", 3)
	if len(parts) < 3 {
		return "aws"
	}
	return parts[1]
}

func (j *judge) strangers() {
	s := j.Strangers
	if s == nil || s.Users == 0 {
		return
	}
	from := fmt.Sprintf("found in a sample of %d users who were looked up at the source; there may be more", s.Looked)
	if s.Reconciled {
		from = "counted by the last whole reconciliation"
	}
	f := j.add(AlreadyThere, j.target(), from)
	f.Users, f.Subs = s.Users, s.Subs
}

func listed(words []string) string { return listedOr(words, "none by name") }

func listedOr(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}
