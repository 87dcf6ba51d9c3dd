package cognitoidp_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/userpool"
)

const hook = "arn:aws:lambda:eu-central-1:222222222222:function:hook"

// hooked sets triggers that answer with a response, and forgets earlier calls.
func (w *world) hooked(poolID string, t cognitoidp.Triggers, response any) {
	w.t.Helper()
	w.lambda.f[hook] = func(_ context.Context, event map[string]any) (any, error) {
		if response != nil {
			event["response"] = response
		}
		return event, nil
	}
	w.lambda.calls = nil
	if err := w.SetTriggers(poolID, t); err != nil {
		w.t.Fatal(err)
	}
}

// events are those that triggers got, without what is the same in all of them.
func (w *world) events() []map[string]any {
	w.t.Helper()
	var events []map[string]any
	for _, call := range w.lambda.calls {
		var event map[string]any
		if err := json.Unmarshal([]byte(call), &event); err != nil {
			w.t.Fatal(err)
		}
		if event["version"] != "1" || event["region"] != region || event["callerContext"].(map[string]any)["awsSdkVersion"] == "" {
			w.t.Errorf("event %v", event)
		}
		event["clientId"] = event["callerContext"].(map[string]any)["clientId"]
		for _, name := range []string{"version", "region", "callerContext", "userPoolId"} {
			delete(event, name)
		}
		events = append(events, event)
	}
	return events
}

func TestPreSignUpEvents(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	names := w.pool(cognitoidp.PoolSpec{Frozen: cognitoidp.Frozen{UsernameAttributes: []string{"email"}}})
	c, there := w.client(p), w.client(names)
	all := cognitoidp.Triggers{PreSignUp: hook, PostConfirmation: hook}
	untouched := map[string]any{"autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false}

	w.hooked(p, all, nil)
	out, err := w.api.SignUp(ctx, &cip.SignUpInput{ClientId: &c.ID, Username: new("ada"), Password: new("Correct-1!"), UserAttributes: attributes("name", "Ada"),
		ValidationData: attributes("token", "7"), ClientMetadata: map[string]string{"k": "v"}})
	if err != nil || out.UserConfirmed {
		t.Fatal(out, err)
	}
	if _, err := w.api.AdminConfirmSignUp(ctx, &cip.AdminConfirmSignUpInput{UserPoolId: &p, Username: new("ada"), ClientMetadata: map[string]string{"k": "w"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.api.AdminCreateUser(ctx, &cip.AdminCreateUserInput{UserPoolId: &p, Username: new("bob"), MessageAction: "SUPPRESS"}); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"triggerSource": "PreSignUp_SignUp", "userName": "ada", "clientId": c.ID, "response": untouched, "request": map[string]any{
			"userAttributes": map[string]any{"name": "Ada"}, "validationData": map[string]any{"token": "7"}, "clientMetadata": map[string]any{"k": "v"}}},
		{"triggerSource": "PostConfirmation_ConfirmSignUp", "userName": "ada", "clientId": "CLIENT_ID_NOT_APPLICABLE", "response": map[string]any{}, "request": map[string]any{
			"userAttributes": map[string]any{"sub": *out.UserSub, "name": "Ada", "cognito:user_status": "CONFIRMED"}, "clientMetadata": map[string]any{"k": "w"}}},
		{"triggerSource": "PreSignUp_AdminCreateUser", "userName": "bob", "clientId": "CLIENT_ID_NOT_APPLICABLE", "response": untouched, "request": map[string]any{
			"userAttributes": map[string]any{}, "validationData": nil}},
	}
	if diff := cmp.Diff(want, w.events()); diff != "" {
		t.Error(diff)
	}

	w.hooked(names, all, nil)
	out, err = w.api.SignUp(ctx, &cip.SignUpInput{ClientId: &there.ID, Username: new("ada@b.example"), Password: new("Correct-1!")})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.events()[0]; got["userName"] != *out.UserSub || got["request"].(map[string]any)["userAttributes"].(map[string]any)["email"] != "ada@b.example" {
		t.Errorf("event %v, sub %s", got, *out.UserSub)
	}
	if _, err := w.api.AdminCreateUser(ctx, &cip.AdminCreateUserInput{UserPoolId: &p, Username: new("bob"), MessageAction: "RESEND"}); err != nil || len(w.lambda.calls) != 1 {
		t.Errorf("an invitation that is sent again creates nobody: %v", err)
	}
}

func TestPreSignUpDecides(t *testing.T) {
	person := attributes("email", "ada@b.example", "phone_number", "+4915112345678")
	for _, tt := range []struct {
		name     string
		response any
		given    []types.AttributeType
		want     string
		user     map[string]string // where there is no error
		events   int
	}{
		{"nothing", map[string]any{}, person, "", map[string]string{"status": "UNCONFIRMED"}, 1},
		{"null", map[string]any{"autoConfirmUser": nil}, person, "", map[string]string{"status": "UNCONFIRMED"}, 1},
		{"confirm", map[string]any{"autoConfirmUser": true}, person, "", map[string]string{"status": "CONFIRMED"}, 2},
		{"confirm and verify", map[string]any{"autoConfirmUser": true, "autoVerifyEmail": true, "autoVerifyPhone": true}, person, "",
			map[string]string{"status": "CONFIRMED", "email_verified": "true", "phone_number_verified": "true"}, 2},
		{"verify nothing", map[string]any{"autoVerifyEmail": true}, nil, "InvalidLambdaResponseException", nil, 1},
		{"text", map[string]any{"autoConfirmUser": "true"}, person, "InvalidLambdaResponseException: Unrecognizable lambda output", nil, 1},
		{"another member", map[string]any{"autoRefuse": true}, person, "SandboxUnsupported", nil, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.pool(cognitoidp.PoolSpec{Settings: cognitoidp.Settings{AutoVerifiedAttributes: []string{"email"}}})
			c := w.client(p)
			w.hooked(p, cognitoidp.Triggers{PreSignUp: hook, PostConfirmation: hook}, tt.response)
			out, err := w.api.SignUp(ctx, &cip.SignUpInput{ClientId: &c.ID, Username: new("ada"), Password: new("Correct-1!"), UserAttributes: tt.given})
			wants(t, err, tt.want)
			if n := len(w.events()); n != tt.events {
				t.Errorf("%d events, want %d", n, tt.events)
			}
			if err != nil {
				_, err := w.api.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &p, Username: new("ada")})
				wants(t, err, "UserNotFoundException")
				return
			}
			if confirmed := tt.user["status"] == "CONFIRMED"; out.UserConfirmed != confirmed || (out.CodeDeliveryDetails == nil) != confirmed {
				t.Errorf("answer %+v", out)
			}
			got := w.getUser(p, "ada")
			for name, value := range tt.user {
				if got[name] != value {
					t.Errorf("%s is %q, want %q", name, got[name], value)
				}
			}
		})
	}
}

// TestPreSignUpRefuses: a refusal reaches the caller in the guide's words, and
// nobody is created. Whoever exists is not asked about again.
func TestPreSignUpRefuses(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{Frozen: cognitoidp.Frozen{AliasAttributes: []string{"email"}}})
	c := w.client(p)
	w.hooked(p, cognitoidp.Triggers{PreSignUp: hook}, nil)
	w.lambda.f[hook] = func(context.Context, map[string]any) (any, error) {
		return nil, &functionError{"Error", "Please sign in"}
	}
	const refused = "UserLambdaValidationException: PreSignUp failed with error Please sign in."
	_, err := w.api.SignUp(ctx, &cip.SignUpInput{ClientId: &c.ID, Username: new("ada"), Password: new("Correct-1!")})
	wants(t, err, refused)
	_, err = w.api.AdminCreateUser(ctx, &cip.AdminCreateUserInput{UserPoolId: &p, Username: new("ada")})
	wants(t, err, refused)
	if w.Count(p) != 0 || len(w.lambda.calls) != 2 {
		t.Errorf("%d users, %d calls", w.Count(p), len(w.lambda.calls))
	}
	w.user(p, cognitoidp.UserSpec{Username: "ada"})
	_, err = w.api.SignUp(ctx, &cip.SignUpInput{ClientId: &c.ID, Username: new("ada"), Password: new("Correct-1!")})
	wants(t, err, "UsernameExistsException")
	_, err = w.api.SignUp(ctx, &cip.SignUpInput{ClientId: &c.ID, Username: new("bob"), Password: new("weak")})
	wants(t, err, "InvalidPasswordException")
	if len(w.lambda.calls) != 2 {
		t.Errorf("%d calls", len(w.lambda.calls))
	}
}

// TestAutoVerifiedAliasMoves: as the guide warns.
func TestAutoVerifiedAliasMoves(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{Frozen: cognitoidp.Frozen{AliasAttributes: []string{"email"}}})
	c := w.client(p)
	w.user(p, cognitoidp.UserSpec{Username: "old", Attributes: userpool.Attributes{"email": "ada@b.example", "email_verified": "true"}})
	w.hooked(p, cognitoidp.Triggers{PreSignUp: hook}, map[string]any{"autoConfirmUser": true, "autoVerifyEmail": true})
	if _, err := w.api.SignUp(ctx, &cip.SignUpInput{ClientId: &c.ID, Username: new("new"), Password: new("Correct-1!"), UserAttributes: attributes("email", "ada@b.example")}); err != nil {
		t.Fatal(err)
	}
	if got := w.getUser(p, "ada@b.example")["username"]; got != "new" {
		t.Errorf("the address finds %q", got)
	}
	if got := w.getUser(p, "old")["email_verified"]; got != "false" {
		t.Errorf("the previous owner's address is verified: %q", got)
	}
}

func TestPostConfirmation(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{Settings: cognitoidp.Settings{AutoVerifiedAttributes: []string{"email"}}})
	c := w.client(p)
	if _, err := w.api.SignUp(ctx, &cip.SignUpInput{ClientId: &c.ID, Username: new("ada"), Password: new("Correct-1!"), UserAttributes: attributes("email", "ada@b.example")}); err != nil {
		t.Fatal(err)
	}
	w.hooked(p, cognitoidp.Triggers{PostConfirmation: hook}, nil)
	w.lambda.f[hook] = func(context.Context, map[string]any) (any, error) { return nil, &functionError{"Error", "too late"} }
	m, _ := w.LastMessage(p, "ada")
	_, err := w.api.ConfirmSignUp(ctx, &cip.ConfirmSignUpInput{ClientId: &c.ID, Username: new("ada"), ConfirmationCode: new(m.Code.Reveal())})
	wants(t, err, "UserLambdaValidationException: PostConfirmation failed with error too late.")
	if got := w.getUser(p, "ada"); got["status"] != "CONFIRMED" || got["email_verified"] != "true" {
		t.Errorf("user %v", got)
	}
	w.hooked(p, cognitoidp.Triggers{PostConfirmation: hook}, nil)
	if _, err := w.api.ForgotPassword(ctx, &cip.ForgotPasswordInput{ClientId: &c.ID, Username: new("ada")}); err != nil {
		t.Fatal(err)
	}
	m, _ = w.LastMessage(p, "ada")
	if _, err := w.api.ConfirmForgotPassword(ctx, &cip.ConfirmForgotPasswordInput{ClientId: &c.ID, Username: new("ada"), ConfirmationCode: new(m.Code.Reveal()),
		Password: new("Another-2!"), ClientMetadata: map[string]string{"k": "v"}}); err != nil {
		t.Fatal(err)
	}
	events := w.events()
	if len(events) != 1 || events[0]["triggerSource"] != "PostConfirmation_ConfirmForgotPassword" || events[0]["clientId"] != c.ID ||
		events[0]["request"].(map[string]any)["clientMetadata"].(map[string]any)["k"] != "v" {
		t.Errorf("events %v", events)
	}
}

// TestPreSignUpOfAMigration: AWS lists the trigger among those of a sign-in and
// says no more, so that both readings can be had.
func TestPreSignUpOfAMigration(t *testing.T) {
	for source, want := range map[string]string{"": "PreSignUp_AdminCreateUser", "PreSignUp_SignUp": "PreSignUp_SignUp", "PreSignUp_ExternalProvider": "PreSignUp_ExternalProvider", "none": ""} {
		t.Run(source, func(t *testing.T) {
			w := newWorld(t, func(o *cognitoidp.Options) { o.MigrationSignUp = source })
			p := w.pool(cognitoidp.PoolSpec{})
			c := w.client(p)
			w.hooked(p, cognitoidp.Triggers{UserMigration: hook, PreSignUp: hook, PostConfirmation: hook}, nil)
			refuses := false
			w.lambda.f[hook] = func(_ context.Context, event map[string]any) (any, error) {
				if strings.HasPrefix(event["triggerSource"].(string), "PreSignUp_") {
					if refuses {
						return nil, &functionError{"Error", "no"}
					}
					return event, nil
				}
				event["response"] = map[string]any{"userAttributes": map[string]string{"email": "a@b.example"}, "finalUserStatus": "CONFIRMED", "messageAction": "SUPPRESS"}
				return event, nil
			}
			if _, err := w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: &c.ID, AuthFlow: "USER_PASSWORD_AUTH", ClientMetadata: map[string]string{"k": "v"},
				AuthParameters: map[string]string{"USERNAME": "ada", "PASSWORD": "right"}}); err != nil {
				t.Fatal(err)
			}
			var sources []string
			for _, event := range w.events() {
				sources = append(sources, event["triggerSource"].(string))
				if event["clientId"] != c.ID || event["request"].(map[string]any)["validationData"].(map[string]any)["k"] != "v" {
					t.Errorf("event %v", event)
				}
			}
			expected := []string{"UserMigration_Authentication"}
			if want != "" {
				expected = append(expected, want)
			}
			if diff := cmp.Diff(expected, sources); diff != "" {
				t.Error(diff)
			}
			refuses = true
			_, err := w.signIn(c.ID, "bob", "right")
			if want == "" {
				wants(t, err, "")
			} else {
				wants(t, err, "UserLambdaValidationException: PreSignUp failed with error no.")
			}
		})
	}
}

func TestPreTokenGeneration(t *testing.T) {
	const roles = "arn:aws:iam::222222222222:role/"
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p)
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right"), Attributes: userpool.Attributes{"name": "Ada", "email": "a@b.example"}, Groups: []string{"staff"}})
	if _, err := w.api.CreateGroup(ctx, &cip.CreateGroupInput{UserPoolId: &p, GroupName: new("admins"), RoleArn: new(roles + "admin"), Precedence: new(int32(1))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.api.AdminAddUserToGroup(ctx, &cip.AdminAddUserToGroupInput{UserPoolId: &p, Username: new("ada"), GroupName: new("admins")}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		detail any
		id     map[string]any // nil: the claim is not there
		access any            // cognito:groups
	}{
		{"as it is", nil, map[string]any{"cognito:groups": []any{"admins", "staff"}, "cognito:roles": []any{roles + "admin"}, "cognito:preferred_role": roles + "admin"}, []any{"admins", "staff"}},
		{"claims alone", map[string]any{"claimsToAddOrOverride": map[string]string{"name": "Countess", "legacy_sub": "old"}, "claimsToSuppress": []string{"email"}},
			map[string]any{"name": "Countess", "legacy_sub": "old", "email": nil, "cognito:groups": []any{"admins", "staff"}}, []any{"admins", "staff"}},
		{"suppressed wins", map[string]any{"claimsToAddOrOverride": map[string]string{"name": "x"}, "claimsToSuppress": []string{"name"}}, map[string]any{"name": nil}, []any{"admins", "staff"}},
		{"untouchable", map[string]any{"claimsToAddOrOverride": map[string]string{"cognito:username": "eve", "token_use": "access", "aud": "x"}, "claimsToSuppress": []string{"sub", "exp"}},
			map[string]any{"cognito:username": "ada", "token_use": "id"}, []any{"admins", "staff"}},
		{"groups", map[string]any{"groupOverrideDetails": map[string]any{"groupsToOverride": []string{"g"}, "iamRolesToOverride": []string{roles + "r"}, "preferredRole": roles + "r"}},
			map[string]any{"cognito:groups": []any{"g"}, "cognito:roles": []any{roles + "r"}, "cognito:preferred_role": roles + "r"}, []any{"g"}},
		{"groups without roles", map[string]any{"groupOverrideDetails": map[string]any{"groupsToOverride": []string{"g"}}}, map[string]any{"cognito:groups": []any{"g"}, "cognito:roles": nil}, []any{"g"}},
		{"empty suppresses", map[string]any{"groupOverrideDetails": map[string]any{}}, map[string]any{"cognito:groups": nil, "cognito:roles": nil, "cognito:preferred_role": nil}, nil},
		{"null suppresses", map[string]any{"groupOverrideDetails": nil}, map[string]any{"cognito:groups": nil}, nil},
		{"Go's stock struct suppresses", map[string]any{"claimsToAddOrOverride": nil, "claimsToSuppress": nil, "groupOverrideDetails": map[string]any{
			"groupsToOverride": nil, "iamRolesToOverride": nil, "preferredRole": nil}}, map[string]any{"cognito:groups": nil, "name": "Ada"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.hooked(p, cognitoidp.Triggers{PreTokenGeneration: hook}, map[string]any{"claimsOverrideDetails": tt.detail})
			tokens := w.signedIn(c.ID, "ada", "right")
			id, access := w.claims(p, *tokens.IdToken), w.claims(p, *tokens.AccessToken)
			for name, want := range tt.id {
				if diff := cmp.Diff(want, id[name]); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
			if diff := cmp.Diff(tt.access, access["cognito:groups"]); diff != "" {
				t.Error("access token:", diff)
			}
			request := w.events()[0]["request"].(map[string]any)
			want := map[string]any{"groupsToOverride": []any{"admins", "staff"}, "iamRolesToOverride": []any{roles + "admin"}, "preferredRole": roles + "admin"}
			if diff := cmp.Diff(want, request["groupConfiguration"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}
