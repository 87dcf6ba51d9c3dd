package live

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"poolferry/internal/workflow"
	"poolferry/statemachines"
)

// probe asks one question. Its name is that of the subtest.
type probe struct {
	name, question string
	ask            func(t *testing.T, g *ground) (answer string)
}

// probes are the questions that AWS's documentation leaves open, or answers in
// two ways. What depends on the answer says README.md.
var probes = []probe{
	{"final-status", "finalUserStatus empty, RESET_REQUIRED or left out: what becomes of the user, at sign-in and at forgotten password?", finalStatus},
	{"empty-response", "An event that comes back with response {}: what does the app get, by PreventUserExistenceErrors?", emptyResponse},
	{"cleared-password", "May the function clear request.password in the event that it returns?", clearedPassword},
	{"sign-up-trigger", "With which trigger sources do PreSignUp and PostAuthentication run at a migrated sign-in?", signUpTrigger},
	{"choice-based", "Does USER_AUTH with PASSWORD call the migration trigger?", choiceBased},
	{"filters", `Do the filters sub ^= "…" and username ^= "…" work, and do their parts make up the whole?`, filters},
	{"order-of-checks", "Does a wrong password hide that a user is unconfirmed, disabled, or has to reset it?", orderOfChecks},
	{"function-throttled", "The function is throttled: what does the app get?", throttledFunction},
	{"function-late", "The function takes longer than five seconds: what does the app get, and after how many attempts?", lateFunction},
	{"username-returned", "A pool whose usernames are e-mail addresses gets a username in userAttributes: what then?", usernameReturned},
	{"missing-required", "What does Cognito write for a required attribute that the function leaves out?", missingRequired},
	{"lockout-of-nobody", "Does the target lock out, or stop calling the function for, a name that does not exist yet?", lockoutOfNobody},
	{"express-from-standard", "May a STANDARD state machine call aws-sdk:sfn:startSyncExecution?", expressFromStandard},
	{"role-with-external-id", "May a Task have Credentials.RoleArn of a role that asks for an ExternalId?", roleWithExternalID},
	{"unbilled-reads", "Do AdminGetUserAuthFactors and AdminListGroupsForUser work for a user who never signed in? Whether they bill an active user, only the invoice tells.", unbilledReads},
	{"hash-import", "Does a new pool of this account take CSV imports with password hashes?", hashImport},
	{"refusal-texts", "What exactly does NotAuthorizedException say of a disabled user, and of an expired temporary password?", refusalTexts},
	{"flow-before-user", "A client without USER_PASSWORD_AUTH is tried with a password: is the flow refused before anybody looks for the user or at the password?", flowBeforeUser},
	{"update-resets", "Does UpdateUserPool reset the second factors that it has no member for, and what becomes of DeviceConfiguration with both members false?", updateResets},
	{"first-tokens", "Are groups that PostAuthentication adds in the tokens of that very sign-in?", firstTokens},
	{"disable-reset", "Does AdminDisableUser work on users who are RESET_REQUIRED, and are they kept out then?", disableReset},
	{"listed-factor", "Does ListUsers show that a user is asked for a code by SMS?", listedFactor},
	{"import-log", "Which states has an import job, from which number does its log count lines, what does it say of each, and how soon is it whole?", jobLog},
	{"import-username", "What does a pool whose usernames are e-mail addresses want as cognito:username?", importUsername},
	{"import-mfa", "Does a blank cognito:mfa_enabled let AdminSetUserMFAPreference work while a user is RESET_REQUIRED?", importMFA},
	{"import-race", "Does who signs in while an import job has their row end up with an account that works?", importRace},
}

// askAll asks every question and returns a table of the answers.
func askAll(t *testing.T, g *ground) string {
	t.Helper()
	t.Run("probes", func(t *testing.T) {
		for _, p := range probes {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				answers.give(t.Name(), p.ask(t, g))
			})
		}
	})
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Options.SeparateRows = true
	w.SetColumnConfigs([]table.ColumnConfig{
		{Number: 2, WidthMax: 50, WidthMaxEnforcer: text.WrapSoft}, {Number: 3, WidthMax: 90, WidthMaxEnforcer: text.WrapSoft},
	})
	w.AppendHeader(table.Row{"probe", "question", "answer"})
	for _, p := range probes {
		answer := answers.of(t.Name() + "/probes/" + p.name)
		if answer == "" {
			answer = "could not be asked"
		}
		w.AppendRow(table.Row{p.name, p.question, answer})
	}
	return w.Render()
}

// typed is a name that belongs to a case of a script.
func typed(of string) string { return unique(of) }

func finalStatus(t *testing.T, g *ground) string {
	cases := map[string]reply{
		"empty": {Response: migrates(`"finalUserStatus":""`)}, "reset": {Response: migrates(`"finalUserStatus":"RESET_REQUIRED"`)},
		"absent": {Response: migrates("")}, "confirmed": {Response: migrates(confirmed)},
	}
	p := g.scripted(t, script{Cases: cases}, nil)
	client := p.client(telling)
	var parts []string
	for _, of := range slices.Sorted(maps.Keys(cases)) {
		name := typed(of)
		got := p.signIn(client, name, password())
		parts = append(parts, part("sign-in, "+of, got+", then "+p.standing(name)))
		name = typed(of)
		_, err := g.target.ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: &client, Username: &name})
		got = "a code is sent"
		if err != nil {
			got = said(err)
		}
		parts = append(parts, part("forgotten, "+of, got+", then "+p.standing(name)))
	}
	return each(parts...)
}

func emptyResponse(t *testing.T, g *ground) string {
	p := g.scripted(t, script{Cases: map[string]reply{"empty": {Response: json.RawMessage(`{}`)}}}, nil)
	return each(part("LEGACY", p.signIn(p.client(telling), typed("empty"), password())), part("ENABLED", p.signIn(p.client(hiding), typed("empty"), password())))
}

func clearedPassword(t *testing.T, g *ground) string {
	p := g.scripted(t, script{Cases: map[string]reply{"clear": {Response: migrates(confirmed), ClearPassword: true}}}, nil)
	client, name, secret := p.client(telling), typed("clear"), password()
	return each(part("first sign-in", p.signIn(client, name, secret)), part("second", p.signIn(client, name, secret)), part("another password", p.signIn(client, name, password())))
}

func signUpTrigger(t *testing.T, g *ground) string {
	cases := map[string]reply{}
	raise := map[string]string{
		"none": "nothing", "admin": "PreSignUp_AdminCreateUser", "sign": "PreSignUp_SignUp", "external": "PreSignUp_ExternalProvider",
		"after": "PostAuthentication_Authentication", "confirm": "PostConfirmation_ConfirmSignUp",
	}
	for of, trigger := range raise {
		cases[of] = reply{Response: migrates(confirmed), Raise: trigger}
	}
	p := g.scripted(t, script{Cases: cases, Events: true}, nil)
	client := p.client(telling)
	var parts []string
	for _, of := range slices.Sorted(maps.Keys(raise)) {
		parts = append(parts, part(raise[of]+" fails", p.signIn(client, typed(of), password())))
	}
	return each(parts...)
}

func choiceBased(t *testing.T, g *ground) string {
	p := g.scripted(t, script{Cases: map[string]reply{"full": {Response: migrates(confirmed)}}}, nil)
	client, name := p.client(telling, types.ExplicitAuthFlowsTypeAllowUserAuth), typed("full")
	out, err := g.target.InitiateAuth(t.Context(), &cip.InitiateAuthInput{
		ClientId: &client, AuthFlow: types.AuthFlowTypeUserAuth,
		AuthParameters: map[string]string{"USERNAME": name, "PREFERRED_CHALLENGE": "PASSWORD", "PASSWORD": password()},
	})
	got := said(err)
	if err == nil {
		got = ended(out.AuthenticationResult, out.ChallengeName)
	}
	return each(got, part("then", p.standing(name)))
}

// filters compares the users that one list has with those of sixteen.
func filters(t *testing.T, g *ground) string {
	p := g.pool(t, nil)
	const users = 24
	for range users {
		p.user("")
	}
	list := func(filter string) (int, error) {
		n := 0
		in := &cip.ListUsersInput{UserPoolId: &p.id}
		if filter != "" {
			in.Filter = &filter
		}
		for pages := cip.NewListUsersPaginator(g.target, in); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				return 0, err
			}
			n += len(page.Users)
		}
		return n, nil
	}
	g.must(t, g.until(t.Context(), func() error {
		if n, err := list(""); err != nil || n != users {
			return fmt.Errorf("%d of %d users are listed: %w", n, users, err)
		}
		return nil
	}))
	sum := func(attribute, of, before string) string {
		total := 0
		for _, start := range of {
			n, err := list(fmt.Sprintf("%s ^= %q", attribute, before+string(start)))
			if err != nil {
				return said(err)
			}
			total += n
		}
		return fmt.Sprintf("%d of %d users", total, users)
	}
	return each(part("sub, 16 prefixes", sum("sub", "0123456789abcdef", "")), part("username, 32 prefixes", sum("username", strings.ToLower("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), "poolferry-live-user-")))
}

func orderOfChecks(t *testing.T, g *ground) string {
	p := g.pool(t, nil)
	client, secret := p.client(telling), password()
	unconfirmed, disabled, reset := unique("user"), p.user(secret), p.user(secret)
	_, err := g.target.SignUp(t.Context(), &cip.SignUpInput{
		ClientId: &client, Username: &unconfirmed, Password: &secret,
		UserAttributes: []types.AttributeType{{Name: aws.String("email"), Value: aws.String(mailbox(unconfirmed))}},
	})
	g.must(t, err)
	_, err = g.target.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: &p.id, Username: &disabled})
	g.must(t, err)
	_, err = g.target.AdminResetUserPassword(t.Context(), &cip.AdminResetUserPasswordInput{UserPoolId: &p.id, Username: &reset})
	g.must(t, err)
	var parts []string
	for _, u := range []struct{ what, name string }{{"unconfirmed", unconfirmed}, {"disabled", disabled}, {"reset required", reset}} {
		parts = append(parts, part(u.what+", right", p.adminSignIn(client, u.name, secret)), part(u.what+", wrong", p.adminSignIn(client, u.name, password())))
	}
	return each(parts...)
}

func throttledFunction(t *testing.T, g *ground) string {
	p := g.scripted(t, script{Cases: map[string]reply{"full": {Response: migrates(confirmed)}}, Throttled: true}, nil)
	start := time.Now()
	got := p.signIn(p.client(telling), typed("full"), password())
	return each(got, fmt.Sprintf("after %.1f s", time.Since(start).Seconds()))
}

// lateFunction tells the number of attempts from the time that they take.
func lateFunction(t *testing.T, g *ground) string {
	p := g.scripted(t, script{Cases: map[string]reply{"late": {Response: migrates(confirmed), Seconds: 8}}}, nil)
	client, name := p.client(telling), typed("late")
	start := time.Now()
	got := p.signIn(client, name, password())
	took := time.Since(start)
	return each(got, fmt.Sprintf("after %.1f s, which is %d times five seconds", took.Seconds(), int(took/(5*time.Second))), part("then", p.standing(name)))
}

func usernameReturned(t *testing.T, g *ground) string {
	response := func(username string) json.RawMessage {
		return json.RawMessage(`{"userAttributes":{"email":"{name}","email_verified":"true","username":"` + username + `"},"messageAction":"SUPPRESS","finalUserStatus":"CONFIRMED"}`)
	}
	p := g.scripted(t, script{Cases: map[string]reply{"typed": {Response: response("{name}")}, "other": {Response: response("somebody-else")}}}, func(in *cip.CreateUserPoolInput) {
		in.UsernameAttributes = []types.UsernameAttributeType{types.UsernameAttributeTypeEmail}
	})
	client := p.client(telling)
	var parts []string
	for _, of := range []string{"typed", "other"} {
		name := mailbox(typed(of))
		parts = append(parts, part("username "+of, p.signIn(client, name, password())+", then "+p.standing(name)))
	}
	return each(parts...)
}

func missingRequired(t *testing.T, g *ground) string {
	p := g.scripted(t, script{Cases: map[string]reply{"full": {Response: migrates(confirmed)}}}, func(in *cip.CreateUserPoolInput) {
		for _, name := range []string{"given_name", "birthdate"} {
			in.Schema = append(in.Schema, types.SchemaAttributeType{Name: &name, AttributeDataType: types.AttributeDataTypeString, Required: aws.Bool(true), Mutable: aws.Bool(true)})
		}
	})
	name := typed("full")
	parts := []string{p.signIn(p.client(telling), name, password())}
	out, err := g.target.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &p.id, Username: &name})
	if err != nil {
		return each(append(parts, said(err))...)
	}
	for _, name := range []string{"given_name", "birthdate"} {
		value := "absent"
		for _, a := range out.UserAttributes {
			if aws.ToString(a.Name) == name {
				value = fmt.Sprintf("%q", aws.ToString(a.Value))
			}
		}
		parts = append(parts, part(name, value))
	}
	return each(parts...)
}

// lockoutOfNobody tries one name that nobody has until the answer changes, then
// lets the function know it.
func lockoutOfNobody(t *testing.T, g *ground) string {
	const tries = 12
	p := g.scripted(t, script{Cases: map[string]reply{"empty": {Response: json.RawMessage(`{}`)}}}, nil)
	client, name := p.client(telling), typed("empty")
	var parts []string
	last, since := "", 0
	for i := range tries {
		if got := p.signIn(client, name, password()); got != last {
			if i > 0 {
				parts = append(parts, part(fmt.Sprintf("tries %d to %d", since+1, i), last))
			}
			last, since = got, i
		}
	}
	return each(append(parts, part(fmt.Sprintf("tries %d to %d", since+1, tries), last))...)
}

// machine makes a throw-away STANDARD state machine of one Task, in the role of
// the deployed one that seeds, runs it, and returns how it ends.
func (g *ground) machine(t *testing.T, task string) string {
	id, err := g.states.ListStateMachines(t.Context(), &sfn.ListStateMachinesInput{})
	g.must(t, err)
	var preseed *string
	for _, m := range id.StateMachines {
		if aws.ToString(m.Name) == workflow.Name(g.cfg.Run, statemachines.Preseed) {
			preseed = m.StateMachineArn
		}
	}
	if preseed == nil {
		t.Fatalf("run %s has no state machine that seeds", g.cfg.Run)
	}
	deployed, err := g.states.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: preseed})
	g.must(t, err)
	definition := `{"StartAt":"Ask","States":{"Ask":` + strings.ReplaceAll(task, "PRESEED", *preseed) + `}}`
	made, err := g.states.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String(unique("machine")), RoleArn: deployed.RoleArn, Type: sfntypes.StateMachineTypeStandard, Definition: &definition,
	})
	if err != nil {
		return "refused when it is made: " + said(err)
	}
	afterwards(t, "state machine "+*made.StateMachineArn, func(ctx context.Context) error {
		_, err := g.states.DeleteStateMachine(ctx, &sfn.DeleteStateMachineInput{StateMachineArn: made.StateMachineArn})
		return err
	})
	begun, err := g.states.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: made.StateMachineArn})
	g.must(t, err)
	var out *sfn.DescribeExecutionOutput
	g.must(t, g.until(t.Context(), func() (err error) {
		out, err = g.states.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: begun.ExecutionArn})
		if err == nil && out.Status == sfntypes.ExecutionStatusRunning {
			return fmt.Errorf("still running")
		}
		return err
	}))
	return each("made", part(string(out.Status), aws.ToString(out.Error)+" "+aws.ToString(out.Cause)))
}

func expressFromStandard(t *testing.T, g *ground) string {
	return g.machine(t, `{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:startSyncExecution","Parameters":{"StateMachineArn":"PRESEED","Input":"{}"},"TimeoutSeconds":30,"End":true}`)
}

func roleWithExternalID(t *testing.T, g *ground) string {
	return g.machine(t, fmt.Sprintf(`{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:cognitoidentityprovider:describeUserPool","Credentials":{"RoleArn":%q},"Parameters":{"UserPoolId":%q},"TimeoutSeconds":30,"End":true}`,
		g.cfg.Source.ExportRoleARN, g.cfg.Source.PoolID))
}

func unbilledReads(t *testing.T, g *ground) string {
	p := g.pool(t, nil)
	name := p.user("")
	_, groups := g.target.AdminListGroupsForUser(t.Context(), &cip.AdminListGroupsForUserInput{UserPoolId: &p.id, Username: &name})
	_, factors := g.target.AdminGetUserAuthFactors(t.Context(), &cip.AdminGetUserAuthFactorsInput{UserPoolId: &p.id, Username: &name})
	works := func(err error) string {
		if err != nil {
			return said(err)
		}
		return "works"
	}
	return each(part("AdminListGroupsForUser", works(groups)), part("AdminGetUserAuthFactors", works(factors)))
}

// hashImport makes a job that is never started: it expires by itself.
func hashImport(t *testing.T, g *ground) string {
	p := g.pool(t, nil)
	try := func(algorithm types.PasswordHashingAlgorithmType) string {
		_, err := g.target.CreateUserImportJob(t.Context(), &cip.CreateUserImportJobInput{
			UserPoolId: &p.id, JobName: aws.String(unique("job")), PasswordHashingAlgorithm: algorithm,
			CloudWatchLogsRoleArn: &g.role, // it cannot write logs: only whether the two answers differ counts
		})
		if err != nil {
			return said(err)
		}
		return "made"
	}
	return each(part("without hashes", try("")), part("with bcrypt", try(types.PasswordHashingAlgorithmTypeBcrypt)))
}

func refusalTexts(t *testing.T, g *ground) string {
	p := g.pool(t, func(in *cip.CreateUserPoolInput) {
		in.Policies = &types.UserPoolPolicyType{PasswordPolicy: &types.PasswordPolicyType{
			MinimumLength: aws.Int32(8), RequireLowercase: true, RequireNumbers: true, RequireSymbols: true, RequireUppercase: true,
			TemporaryPasswordValidityDays: 0, // expired from the start, if AWS takes it so
		}}
	})
	client, secret := p.client(telling), password()
	disabled := p.user(secret)
	_, err := g.target.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: &p.id, Username: &disabled})
	g.must(t, err)
	temporary := unique("user")
	_, err = g.target.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{
		UserPoolId: &p.id, Username: &temporary, TemporaryPassword: &secret, MessageAction: types.MessageActionTypeSuppress,
	})
	g.must(t, err)
	return each(part("disabled", p.adminSignIn(client, disabled, secret)), part("temporary password, of no days", p.adminSignIn(client, temporary, secret)),
		part("wrong password", p.adminSignIn(client, temporary, password())), part("no such user", p.adminSignIn(client, unique("user"), secret)))
}

// flowBeforeUser tries a client that only takes SRP. The function would create
// whom nobody knows.
func flowBeforeUser(t *testing.T, g *ground) string {
	p := g.scripted(t, script{Cases: map[string]reply{"full": {Response: migrates(confirmed)}}}, nil)
	secret := password()
	known := p.user(secret)
	var parts []string
	for _, existence := range []types.PreventUserExistenceErrorTypes{telling, hiding} {
		client, late := p.client(existence, types.ExplicitAuthFlowsTypeAllowUserSrpAuth), typed("full")
		parts = append(parts, part(string(existence), each(
			part("unknown user", p.signIn(client, unique("nobody"), secret)), part("who could be migrated", p.signIn(client, late, secret)+", then "+p.standing(late)),
			part("wrong password", p.signIn(client, known, password())), part("right password", p.signIn(client, known, secret)),
		)))
	}
	return each(parts...)
}

// updateResets sets what UpdateUserPool has no member for, and updates without and
// with the members that stand near it.
func updateResets(t *testing.T, g *ground) string {
	off := &types.DeviceConfigurationType{}
	p := g.pool(t, func(in *cip.CreateUserPoolInput) { in.DeviceConfiguration = off })
	look := func() string {
		out, err := g.target.DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: &p.id})
		g.must(t, err)
		mfa, err := g.target.GetUserPoolMfaConfig(t.Context(), &cip.GetUserPoolMfaConfigInput{UserPoolId: &p.id})
		g.must(t, err)
		device := "absent"
		if d := out.UserPool.DeviceConfiguration; d != nil {
			device = fmt.Sprintf("%t and %t", d.ChallengeRequiredOnNewDevice, d.DeviceOnlyRememberedOnUserPrompt)
		}
		totp := mfa.SoftwareTokenMfaConfiguration != nil && mfa.SoftwareTokenMfaConfiguration.Enabled
		return fmt.Sprintf("MFA %s, authenticator apps %t, DeviceConfiguration %s", mfa.MfaConfiguration, totp, device)
	}
	set := func() {
		_, err := g.target.SetUserPoolMfaConfig(t.Context(), &cip.SetUserPoolMfaConfigInput{
			UserPoolId: &p.id, MfaConfiguration: types.UserPoolMfaTypeOptional, SoftwareTokenMfaConfiguration: &types.SoftwareTokenMfaConfigType{Enabled: true},
		})
		g.must(t, err)
	}
	update := func(in *cip.UpdateUserPoolInput) string {
		set()
		in.UserPoolId, in.AutoVerifiedAttributes = &p.id, []types.VerifiedAttributeType{types.VerifiedAttributeTypeEmail}
		_, err := g.target.UpdateUserPool(t.Context(), in)
		return cmp.Or(said(err), "works") + ", then " + look()
	}
	parts := []string{part("new", look())}
	set()
	return each(append(parts, part("set", look()),
		part("update with neither", update(&cip.UpdateUserPoolInput{})),
		part("with DeviceConfiguration", update(&cip.UpdateUserPoolInput{DeviceConfiguration: off})),
		part("with both", update(&cip.UpdateUserPoolInput{DeviceConfiguration: off, MfaConfiguration: types.UserPoolMfaTypeOptional})),
	)...)
}

// firstTokens adds a user to a group while PostAuthentication runs, which takes
// its time, and looks at the tokens that come afterwards. Before that another
// user has signed in, so that the function has started.
func firstTokens(t *testing.T, g *ground) string {
	const slow, during = 3, 1500 * time.Millisecond
	p := g.scripted(t, script{Events: true, Cases: map[string]reply{"slow": {Seconds: slow, At: "PostAuthentication_Authentication"}}}, nil)
	client, secret, group := p.client(telling), password(), "poolferry-live"
	_, err := g.target.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: &p.id, GroupName: &group})
	g.must(t, err)
	warm := p.signIn(client, p.user(secret), secret)
	name := p.userOf("slow", secret)
	type answer struct {
		out *cip.InitiateAuthOutput
		err error
	}
	answered, begun := make(chan answer, 1), time.Now()
	go func() {
		out, err := g.target.InitiateAuth(t.Context(), &cip.InitiateAuthInput{
			ClientId: &client, AuthFlow: types.AuthFlowTypeUserPasswordAuth, AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": secret},
		})
		answered <- answer{out, err}
	}()
	timer := time.NewTimer(during)
	defer timer.Stop()
	select {
	case <-timer.C:
	case a := <-answered:
		return "PostAuthentication did not run: " + cmp.Or(said(a.err), "signed in") + fmt.Sprintf(" after %.1f s", time.Since(begun).Seconds())
	}
	_, err = g.target.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: &p.id, Username: &name, GroupName: &group})
	g.must(t, err)
	added := time.Since(begun)
	a := <-answered
	took := time.Since(begun)
	if a.err != nil || a.out.AuthenticationResult == nil {
		return each(part("warm-up", warm), cmp.Or(said(a.err), "no tokens"))
	}
	told := claims(t, aws.ToString(a.out.AuthenticationResult.AccessToken))
	issued, _ := told["iat"].(float64)
	in := "is not in the tokens"
	if groups, _ := told["cognito:groups"].([]any); slices.Contains(groups, any(group)) {
		in = "is in the tokens"
	}
	return each(part("warm-up", warm), fmt.Sprintf("a group of %.1f s after the beginning %s, which came after %.1f s", added.Seconds(), in, took.Seconds()),
		fmt.Sprintf("they say that they were issued %.0f s after the beginning", issued-float64(begun.Unix())))
}

// claims are what a token says.
func claims(t *testing.T, token string) (all map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token+"..", ".")[1])
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		t.Fatal("a token that cannot be read")
	}
	return all
}
