package hook_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/hook"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/lookup"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/userpool"
)

// function begins the ARNs of the triggers.
const function = "arn:aws:lambda:eu-central-1:444455556666:function:"

// town is a target pool of the sandbox with all hooks, and ann and bob, who are
// still to come.
type town struct {
	t      *testing.T
	poolID string
	client string
	api    *cip.Client
	r      *recorder
	people []userpool.User
	pool   userpool.Pool
	hooks  map[string]func(context.Context, []byte) ([]byte, error)
}

func person(name string) userpool.User {
	return userpool.User{
		Sub: userpool.Sub("5e1f-" + name), Username: name, Enabled: true, Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{"email": name + "@example.com", "email_verified": "true", userpool.AttrLegacySub: "5e1f-" + name},
	}
}

func newTown(t *testing.T, migrationSignUp string, frozen cognitoidp.Frozen) *town {
	t.Helper()
	w := &town{t: t, r: &recorder{}, people: []userpool.User{person("ann"), person("bob")},
		pool: userpool.Pool{Aliases: frozen.AliasAttributes, UsernameAttributes: frozen.UsernameAttributes}}
	box := sandbox.New(sandbox.Options{Now: time.Now})
	t.Cleanup(func() { _ = box.Close() })
	pools := cognitoidp.New(cognitoidp.Options{Now: time.Now, Lambda: w, MigrationSignUp: migrationSignUp})
	const account, region = "444455556666", "eu-central-1"
	if err := errors.Join(box.Register(pools), box.AddAccount("target", account)); err != nil {
		t.Fatal(err)
	}
	operator, err := box.IAM.AddUser(account, "operator", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	spec := cognitoidp.PoolSpec{Name: "new", Frozen: frozen, Schema: []cognitoidp.Attribute{{Name: "legacy_sub", AttributeDataType: "String"}}}
	if w.poolID, err = pools.CreatePool(account, region, spec); err != nil {
		t.Fatal(err)
	}
	client, err := pools.CreateClient(w.poolID, cognitoidp.ClientSpec{Settings: cognitoidp.ClientSettings{
		ClientName: "app", ExplicitAuthFlows: []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}, WriteAttributes: []string{"email", "name"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.client = client.ID
	endpoint, err := box.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.api = cip.New(cip.Options{Region: region, BaseEndpoint: &endpoint, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(operator.AccessKeyID, operator.SecretAccessKey.Reveal(), "")})
	w.hooks = map[string]func(context.Context, []byte) ([]byte, error){
		"migrate": w.migrate,
		"guard":   hook.NewGuard(hook.GuardOptions{PoolID: w.poolID, WhenUnsure: hook.UnsureRefuse, Owners: w, Recorder: w.r, Now: time.Now}).Handle,
		"welcome": hook.NewWelcomer(hook.WelcomeOptions{PoolID: w.poolID, Staged: w, Directory: w, Recorder: w.r, Now: time.Now}).Handle,
		"claim":   hook.NewClaim(hook.ClaimOptions{Name: hook.DefaultClaim}).Handle,
	}
	if err := pools.SetTriggers(w.poolID, cognitoidp.Triggers{
		UserMigration: function + "migrate", PreSignUp: function + "guard", PostAuthentication: function + "welcome", PreTokenGeneration: function + "claim",
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

// Invoke is Lambda.
func (w *town) Invoke(ctx context.Context, _, arn string, payload []byte) ([]byte, error) {
	answer, err := w.hooks[strings.TrimPrefix(arn, function)](ctx, payload)
	if reported, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		err = functionError{reported}
	}
	return answer, err
}

// functionError is what a function reports, as Lambda passes it on.
type functionError struct{ messages.InvokeResponse_Error }

func (e functionError) Error() string        { return e.Message }
func (e functionError) ErrorType() string    { return e.Type }
func (e functionError) ErrorMessage() string { return e.Message }

// migrate is the migration trigger: everybody's password is right.
func (w *town) migrate(_ context.Context, payload []byte) ([]byte, error) {
	var event map[string]any
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	typed, _ := event["userName"].(string)
	event["response"] = map[string]any{}
	for _, u := range w.people {
		if typed != u.Username && typed != u.Attributes["email"] {
			continue
		}
		attributes, reason := w.pool.Admit(typed, u, u.Attributes)
		if reason == "" {
			event["response"] = map[string]any{"userAttributes": attributes, "finalUserStatus": "CONFIRMED", "messageAction": "SUPPRESS"}
		}
	}
	return json.Marshal(event)
}

func (w *town) Owners(_ context.Context, u userpool.User) (owners []lookup.Owner, err error) {
	for _, p := range w.people {
		for _, own := range names.Of(p, w.pool) {
			if slices.ContainsFunc(names.Of(u, w.pool), func(n names.Name) bool { return n.Hash() == own.Hash() }) {
				return append(owners, lookup.Owner{Sub: p.Sub, Reason: verdict.NotSignedIn, Kind: own.Kind}), nil
			}
		}
	}
	return nil, nil
}

func (w *town) Pending(_ context.Context, sub userpool.Sub) (reconcile.PendingRow, bool, error) {
	known := slices.ContainsFunc(w.people, func(u userpool.User) bool { return u.Sub == sub })
	return reconcile.PendingRow{Sub: sub, Verdict: verdict.Pending, Reason: verdict.NotSignedIn, Groups: []string{"customers", "vip"}}, known, nil
}

func (w *town) Groups(context.Context) (manifest.Groups, error) {
	return manifest.Groups{}, fault.New(fault.NotFound, "none were staged")
}

func (w *town) AddToGroup(ctx context.Context, username, group string) error {
	_, err := w.api.AdminAddUserToGroup(ctx, &cip.AdminAddUserToGroupInput{UserPoolId: &w.poolID, Username: &username, GroupName: &group})
	if _, is := errors.AsType[*types.ResourceNotFoundException](err); is {
		err = fmt.Errorf("%w: %w", userpool.ErrNoGroup, err)
	}
	return err
}

func (w *town) CreateGroup(ctx context.Context, g manifest.Group) error {
	_, err := w.api.CreateGroup(ctx, &cip.CreateGroupInput{UserPoolId: &w.poolID, GroupName: &g.Name})
	return err
}

func (w *town) signUp(username, email string) error {
	_, err := w.api.SignUp(w.t.Context(), &cip.SignUpInput{ClientId: &w.client, Username: &username, Password: new("Correct-1!"),
		UserAttributes: []types.AttributeType{{Name: new("email"), Value: &email}}})
	return err
}

// signIn returns the claims of the ID token.
func (w *town) signIn(name string) (map[string]any, error) {
	out, err := w.api.InitiateAuth(w.t.Context(), &cip.InitiateAuthInput{ClientId: &w.client, AuthFlow: types.AuthFlowTypeUserPasswordAuth,
		AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": "Right-1!"}})
	if err != nil {
		return nil, err
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(*out.AuthenticationResult.IdToken, ".")[1])
	var claims map[string]any
	return claims, errors.Join(err, json.Unmarshal(text, &claims))
}

func message(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return fmt.Sprint(err)
}

// TestInTheSandbox: strangers are kept from ann's name, whatever the trigger
// source of a migration is, and ann moves with groups and claim all the same.
func TestInTheSandbox(t *testing.T) {
	pools := map[string]cognitoidp.Frozen{
		"aliases": {AliasAttributes: []string{"email"}}, "addresses for names": {UsernameAttributes: []string{"email"}}, "plain": {},
	}
	for kind, frozen := range pools {
		for _, source := range []string{"", "PreSignUp_SignUp", "PreSignUp_ExternalProvider", "PreSignUp_Later", "none"} {
			t.Run(kind+"/"+source, func(t *testing.T) {
				w := newTown(t, source, frozen)
				stranger, name := [2]string{"eve", "ann@example.com"}, "ann@example.com"
				if len(frozen.UsernameAttributes) > 0 {
					stranger[0] = stranger[1]
				}
				if kind == "plain" {
					stranger, name = [2]string{"Ann", "eve@example.com"}, "ann"
				}
				err := w.signUp(stranger[0], stranger[1])
				if want := "UserLambdaValidationException: PreSignUp failed with error " + taken; !strings.HasPrefix(message(err), want) {
					t.Fatalf("%s, want %s", message(err), want)
				}
				free := "carl@example.com"
				if kind != "addresses for names" {
					free = "carl"
				}
				if err := w.signUp(free, "carl@example.com"); err != nil {
					t.Fatal(message(err))
				}
				claims, err := w.signIn(name)
				if err != nil {
					t.Fatal(message(err))
				}
				if claims[hook.DefaultClaim] != "5e1f-ann" {
					t.Errorf("claims %v", claims)
				}
				// Whether the tokens of the first sign-in have the groups is not for us to say.
				claims, err = w.signIn(name)
				if diff := cmp.Diff([]any{"customers", "vip"}, claims["cognito:groups"]); err != nil || claims[hook.DefaultClaim] != "5e1f-ann" || diff != "" {
					t.Errorf("later: %v, %v%s", claims, err, diff)
				}
				if len(w.r.welcomes) != 1 || w.r.welcomes[0].Outcome != hook.Welcomed {
					t.Errorf("%+v", w.r.welcomes)
				}
				// What administrators create is their business.
				bob := "bob"
				if kind == "addresses for names" {
					bob = "bob@example.com"
				}
				if _, err := w.api.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &w.poolID, Username: &bob, MessageAction: types.MessageActionTypeSuppress}); err != nil {
					t.Error(message(err))
				}
				// No client can write what tells a migration from a registration.
				_, err = w.api.SignUp(t.Context(), &cip.SignUpInput{ClientId: &w.client, Username: new("forger@example.com"), Password: new("Correct-1!"),
					UserAttributes: []types.AttributeType{{Name: new("email"), Value: new("forger@example.com")}, {Name: new(userpool.AttrLegacySub), Value: new("5e1f-bob")}}})
				if !strings.HasPrefix(message(err), "NotAuthorizedException") {
					t.Errorf("a forged legacy sub: %s", message(err))
				}
			})
		}
	}
}
