package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/userpool"
	"poolferry/tools/cli"
)

// probePassword is the variable with the password of who proves the cut-over.
const probePassword = "POOLFERRY_LIVE_PROBE_PASSWORD" //nolint:gosec // the name of a variable

// leaves out a part of the story that the ground has no room for. Nothing is
// proven about it.
func (s *tale) leaves(what, why string) {
	s.untold = append(s.untold, what)
	s.t.Logf("NOT TOLD: %s: %s", what, why)
}

// group makes a group of the source pool that nobody else has, with people in it.
func (s *tale) group(what string, people ...*person) string {
	s.t.Helper()
	name := unique(what)
	out, err := s.g.source.CreateGroup(s.t.Context(), &cip.CreateGroupInput{
		UserPoolId: &s.g.cfg.Source.PoolID, GroupName: &name, Description: aws.String("throw-away"), Precedence: aws.Int32(77),
	})
	s.ask(out, err)
	for _, pool := range s.pools() {
		afterwards(s.t, "group "+name+" of pool "+pool.id, func(ctx context.Context) error {
			_, err := pool.api.DeleteGroup(ctx, &cip.DeleteGroupInput{UserPoolId: &pool.id, GroupName: &name})
			return err
		})
	}
	for _, p := range people {
		out, err := s.g.source.AdminAddUserToGroup(s.t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: &s.g.cfg.Source.PoolID, Username: &p.username, GroupName: &name})
		s.ask(out, err)
	}
	return name
}

// texted has a person be asked for a code by SMS at the source, where both pools
// can ask for one and poolferry is to bring that along. The number is one of those
// that are nobody's.
func (s *tale) texted(p *person) (ok bool) {
	s.t.Helper()
	const what = "a second factor by SMS"
	cfg := s.g.cfg
	switch {
	case !sends(s.from) || !sends(s.to):
		s.leaves(what, "one of the pools asks nobody for codes by SMS")
		return false
	case !cfg.Target.SMSMFA || !cfg.Settle.MFA:
		s.leaves(what, "target.sms_mfa or settle.mfa is off")
		return false
	}
	number := fmt.Sprintf("+120255501%02d", s.phones)
	s.phones++
	_, err := s.g.source.AdminUpdateUserAttributes(s.t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: &cfg.Source.PoolID, Username: &p.username, UserAttributes: []types.AttributeType{
		{Name: aws.String("phone_number"), Value: &number}, {Name: aws.String("phone_number_verified"), Value: aws.String("true")},
	}})
	if err == nil {
		_, err = s.g.source.AdminSetUserMFAPreference(s.t.Context(), &cip.AdminSetUserMFAPreferenceInput{
			UserPoolId: &cfg.Source.PoolID, Username: &p.username, SMSMfaSettings: &types.SMSMfaSettingsType{Enabled: true, PreferredMfa: true},
		})
	}
	if err != nil {
		s.leaves(what, "the source refuses it: "+said(err))
	}
	return err == nil
}

// sends reports whether a pool asks people for codes by SMS.
func sends(pool *types.UserPoolType) bool {
	return pool.MfaConfiguration != types.UserPoolMfaTypeOff && pool.MfaConfiguration != "" && pool.SmsConfiguration != nil
}

// registers tries to take the address of somebody who has not moved yet, and one
// of nobody's.
func (s *tale) registers(owner *person) {
	s.t.Helper()
	switch {
	case s.to.LambdaConfig == nil || aws.ToString(s.to.LambdaConfig.PreSignUp) == "":
		s.leaves("registrations", "the target pool has no pre sign-up trigger")
		return
	case s.to.AdminCreateUserConfig != nil && s.to.AdminCreateUserConfig.AllowAdminCreateUserOnly:
		s.leaves("registrations", "nobody may register at the target pool")
		return
	}
	signUp := func(address string) string {
		name := unique("stranger")
		if s.byMail {
			name = address
		}
		afterwards(s.t, "user "+name, func(ctx context.Context) error {
			if name == owner.username {
				return nil // who is deleted as such
			}
			_, err := s.g.target.AdminDeleteUser(ctx, &cip.AdminDeleteUserInput{UserPoolId: &s.g.cfg.Target.PoolID, Username: &name})
			return err
		})
		attributes := s.attributes(address)
		attributes = slices.DeleteFunc(attributes, func(a types.AttributeType) bool { return strings.HasSuffix(*a.Name, "_verified") })
		_, err := s.g.target.SignUp(s.t.Context(), &cip.SignUpInput{ClientId: &s.client, Username: &name, Password: aws.String(password()), UserAttributes: attributes})
		return said(err)
	}
	// A guard that has just started may not find out in time, and says so.
	sure := func(address func() string) (got string) {
		_ = s.g.until(s.t.Context(), func() error {
			if got = signUp(address()); strings.Contains(got, "not available at the moment") {
				return errors.New("the guard is unsure")
			}
			return nil
		})
		return got
	}
	if got := sure(func() string { return owner.email }); !strings.HasPrefix(got, "UserLambdaValidationException") || !strings.Contains(got, "There is already an account") {
		s.t.Errorf("a stranger registers under the address of somebody who has not moved: %q", got)
	}
	if got := sure(func() string { return mailbox(unique("stranger")) }); got != "" {
		s.t.Errorf("a stranger registers under nobody's address: %s", got)
	}
}

// joins waits until a person is in a group at the target. Where the target has a
// hook that welcomes people it may be so at once.
func (s *tale) joins(p *person, group string) {
	s.t.Helper()
	if s.g.cfg.Settle.Groups.Mode == userpool.GroupsNone {
		s.leaves("groups", "settle.groups.mode is none")
		return
	}
	err := s.g.until(s.t.Context(), func() error {
		if !slices.Contains(s.groups(p), group) {
			return fmt.Errorf("%s is in %v, and not in %s", p.username, s.groups(p), group)
		}
		return nil
	})
	if err != nil {
		s.t.Error(err)
		return
	}
	out, err := s.g.target.GetGroup(s.t.Context(), &cip.GetGroupInput{UserPoolId: &s.g.cfg.Target.PoolID, GroupName: &group})
	s.ask(out, err)
	if g := out.Group; aws.ToString(g.Description) != "throw-away" || aws.ToInt32(g.Precedence) != 77 {
		s.t.Errorf("group %s was made with %q and %d", group, aws.ToString(g.Description), aws.ToInt32(g.Precedence))
	}
}

// groups are those of a person at the target.
func (s *tale) groups(p *person) (names []string) {
	s.t.Helper()
	out, err := s.g.target.AdminListGroupsForUser(s.t.Context(), &cip.AdminListGroupsForUserInput{UserPoolId: &s.g.cfg.Target.PoolID, Username: &p.username})
	s.ask(out, err)
	for _, g := range out.Groups {
		names = append(names, aws.ToString(g.GroupName))
	}
	return names
}

// imports imports one person, who has a temporary password and has not come, by
// the machine of the tail, and has a reconciliation settle a group that the target
// does not have. It reports whether the person could be imported.
func (s *tale) imports(p *person, group string, others map[*person]string) bool {
	s.t.Helper()
	const reason = "temporary_password"
	plan := read[struct {
		Import   struct{ Users int }
		Reasons  []struct{ Reason, Choice string }
		Warnings []struct{ Text string }
	}](s, s.exits([]int{cli.ExitDone}, "tail", "plan", "--import", reason, "--json"))
	for _, w := range plan.Warnings {
		s.t.Logf("tail: %s", w.Text)
	}
	switch {
	case s.g.cfg.Tail.ImportLogRoleARN == "":
		s.leaves("the import of the tail", "tail.import_log_role_arn is not set")
		return false
	case plan.Import.Users != 1:
		s.t.Errorf("%d users would be imported for reason %s, and the story has one: %+v", plan.Import.Users, reason, plan.Reasons)
		return false
	}
	begun := read[struct{ ID string }](s, s.exits([]int{cli.ExitDone}, "tail", "start", "--import", reason, "--yes", "--json"))
	s.exits([]int{cli.ExitDone}, "tail", "watch", begun.ID, "--json", "--interval", often)
	ended := read[struct {
		Standing                        string
		Imported, Skipped, Failed, Left int
	}](s, s.exits([]int{cli.ExitDone}, "tail", "status", begun.ID, "--json"))
	if ended.Standing != "done" || ended.Imported != 1 || ended.Skipped+ended.Failed+ended.Left != 0 {
		s.t.Errorf("the import of one user: %+v", ended)
	}
	if status := s.target(p); status != types.UserStatusTypeResetRequired {
		s.t.Errorf("%s is %q after the import, want RESET_REQUIRED", p.username, status)
	}
	if got := s.attempt(p.types, p.password); got == "signed in" {
		s.t.Errorf("%s signs in with a password that was not imported", p.username)
	}
	others = maps.Clone(others)
	others[p] = "imported"
	s.compares(others)
	s.joins(p, group)
	return true
}

// asks waits until a person is asked for a code by SMS at the target, preferred or
// not.
func (s *tale) asks(p *person, preferred string) {
	s.t.Helper()
	err := s.g.until(s.t.Context(), func() error {
		out, err := s.g.target.AdminGetUser(s.t.Context(), &cip.AdminGetUserInput{UserPoolId: &s.g.cfg.Target.PoolID, Username: &p.username})
		s.ask(out, err)
		if got := aws.ToString(out.PreferredMfaSetting); !slices.Contains(out.UserMFASettingList, "SMS_MFA") || got != preferred {
			return fmt.Errorf("%s has second factors %v, preferred %q", p.username, out.UserMFASettingList, got)
		}
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
}

// ends cuts over, rolls back, and proves both by somebody who has moved and
// somebody who has not.
func (s *tale) ends(moved, waits *person) {
	s.t.Helper()
	file := s.provenBy(moved)
	s.unmanaged()
	before := s.settings()
	afterwards(s.t, "cut-over of pool "+s.g.cfg.Target.PoolID+", take it back by poolferry rollback", func(ctx context.Context) error {
		if !s.cut {
			return nil
		}
		if _, code := s.typesIn(ctx, file, "rollback", "--yes"); code != cli.ExitDone && code != cli.ExitNoRun {
			return fmt.Errorf("poolferry rollback: exit %d", code)
		}
		return nil
	})
	left := strings.Join(slices.Sorted(maps.Keys(s.reasons())), ",")
	var out string
	err := s.g.until(s.t.Context(), func() error {
		// Two reconciliations in a row have to agree, and nobody may wait to be settled.
		s.exits([]int{cli.ExitDone, cli.ExitFindings}, "reconcile", "run", "--json", "--interval", often)
		s.cut = true
		answer, code := s.typesIn(s.t.Context(), file, "cutover", "--accept", left, "--yes", "--json")
		out = answer
		switch code {
		case cli.ExitDone:
			return nil
		case cli.ExitRunning, cli.ExitFindings:
			return fmt.Errorf("poolferry cutover: exit %d, a gate is shut", code)
		}
		s.t.Fatalf("poolferry cutover: exit %d\n%s", code, answer)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if done := read[struct {
		Done      bool
		SRPSignIn bool `json:"srp_sign_in"`
	}](s, out); !done.Done || !done.SRPSignIn {
		s.t.Errorf("the cut-over: %s", out)
	}
	if _, code := s.typesIn(s.t.Context(), file, "cutover", "check", "--json"); code != cli.ExitDone {
		s.t.Errorf("poolferry cutover check: exit %d", code)
	}
	s.opens(moved, "SRP")
	s.claims(moved)
	if got := s.bySRP(waits).err; got == "" || s.target(waits) != "" {
		s.t.Errorf("%s, who has not moved, after the cut-over: %q, and is %q at the target", waits.username, got, s.target(waits))
	}

	if _, code := s.typesIn(s.t.Context(), file, "rollback", "--yes", "--json"); code != cli.ExitDone {
		s.t.Fatalf("poolferry rollback: exit %d", code)
	}
	s.cut = false
	err = s.g.until(s.t.Context(), func() error {
		if diff := cmp.Diff(before, s.settings()); diff != "" {
			return fmt.Errorf("settings before the cut-over and after the roll-back (-before +after)\n%s", diff)
		}
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
	s.opens(moved, "password")
	s.signsIn(waits)
}

// provenBy writes the configuration with which the story is cut over: the probe is
// somebody who has moved, at the story's own app.
func (s *tale) provenBy(p *person) (file string) {
	s.t.Helper()
	cfg := *s.g.cfg
	cfg.Cutover = config.Cutover{ProbeUsername: p.username, ProbePassword: "env:" + probePassword, ProbeClientID: s.client}
	s.t.Setenv(probePassword, p.password)
	text, err := cfg.Marshal()
	if err != nil {
		s.t.Fatal(err)
	}
	file = filepath.Join(s.t.TempDir(), "poolferry.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// unmanaged takes the tags by which Terraform owns the pool from it, for as long as
// the story lasts: poolferry changes no such pool, and all is as before when
// Terraform looks again.
func (s *tale) unmanaged() {
	s.t.Helper()
	owned := map[string]string{}
	for key, value := range s.to.UserPoolTags {
		if strings.HasSuffix(key, "managed-by") && strings.EqualFold(value, "terraform") {
			owned[key] = value
		}
	}
	if len(owned) == 0 {
		return
	}
	arn := aws.ToString(s.to.Arn)
	afterwards(s.t, fmt.Sprintf("tags %v of pool %s are gone", owned, s.g.cfg.Target.PoolID), func(ctx context.Context) error {
		_, err := s.g.target.TagResource(ctx, &cip.TagResourceInput{ResourceArn: &arn, Tags: owned})
		return err
	})
	out, err := s.g.target.UntagResource(s.t.Context(), &cip.UntagResourceInput{ResourceArn: &arn, TagKeys: slices.Collect(maps.Keys(owned))})
	s.ask(out, err)
}

// settings are everything that a cut-over could change, as AWS describes it.
func (s *tale) settings() map[string]any {
	s.t.Helper()
	ctx, id := s.t.Context(), s.g.cfg.Target.PoolID
	all := map[string]any{}
	keep := func(of string, described any) {
		text, err := json.Marshal(described)
		var members map[string]any
		if err = errors.Join(err, json.Unmarshal(text, &members)); err != nil {
			s.t.Fatal(err)
		}
		for _, name := range []string{"LastModifiedDate", "EstimatedNumberOfUsers", "ResultMetadata", "ClientSecret"} {
			delete(members, name)
		}
		all[of] = members
	}
	pool, err := s.g.target.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &id})
	s.ask(pool, err)
	keep("pool", pool.UserPool)
	factors, err := s.g.target.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: &id})
	s.ask(factors, err)
	keep("factors", factors)
	for pages := cip.NewListUserPoolClientsPaginator(s.g.target, &cip.ListUserPoolClientsInput{UserPoolId: &id}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		s.ask(page, err)
		for _, c := range page.UserPoolClients {
			client, err := s.g.target.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &id, ClientId: c.ClientId})
			s.ask(client, err)
			keep("client "+*c.ClientId, client.UserPoolClient)
		}
	}
	return all
}

// reasons are those for which people are pending.
func (s *tale) reasons() map[string]bool {
	s.t.Helper()
	all := map[string]bool{}
	for _, account := range s.accounts() {
		if reason, pending := strings.CutPrefix(account, "pending "); pending {
			all[reason] = true
		}
	}
	return all
}

// srp is a sign-in by SRP: the ID token, or what AWS says.
type srp struct {
	token userpool.Secret
	err   string
}

// bySRP signs in at the target by SRP, as the product does.
func (s *tale) bySRP(p *person) srp {
	s.t.Helper()
	account, err := cognito.NewAccount(s.t.Context(), s.g.cfg.Target.Region, os.LookupEnv)
	if err != nil {
		s.t.Fatal(err)
	}
	app := cognito.NewApp(account, s.g.cfg.Target.Region, s.client, userpool.Secret{})
	in, err := app.SignInSRP(s.t.Context(), s.g.cfg.Target.PoolID, p.types, userpool.NewSecret(p.password))
	switch {
	case err != nil:
		return srp{err: said(err)}
	case !in.Done:
		return srp{err: "challenge " + in.Challenge}
	}
	return srp{token: in.IDToken}
}

// opens tries both ways into the target: the one opens, the other one is refused.
// AWS may take a while until a client is everywhere what it was made.
func (s *tale) opens(p *person, way string) {
	s.t.Helper()
	shut := func(said string) bool {
		return strings.HasPrefix(said, "InvalidParameterException") && strings.Contains(said, "not enabled")
	}
	err := s.g.until(s.t.Context(), func() error {
		bySRP := s.bySRP(p).err
		byPassword := strings.TrimSuffix(s.attempt(p.types, p.password), "signed in")
		one, other := bySRP, byPassword
		if way == "password" {
			one, other = byPassword, bySRP
		}
		if one != "" || !shut(other) {
			return fmt.Errorf("%s should sign in by %s alone: SRP %q, password %q", p.username, way, bySRP, byPassword)
		}
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
}

// claims looks for the source's sub in a token.
func (s *tale) claims(p *person) {
	s.t.Helper()
	if c := s.to.LambdaConfig; c == nil || aws.ToString(c.PreTokenGeneration) == "" && c.PreTokenGenerationConfig == nil {
		s.leaves("the claim", "the target pool has no pre token generation trigger")
		return
	}
	name := s.g.cfg.Claim.Name
	if got := claims(s.t, s.bySRP(p).token.Reveal())[name]; got != p.sub {
		s.t.Errorf("claim %s of %s is %v, want %s", name, p.username, got, p.sub)
	}
}
