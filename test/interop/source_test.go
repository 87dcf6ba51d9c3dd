package interop_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/cognito"
	"poolferry/internal/fault"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
	"poolferry/tools/rehearsal"
)

// sourcePool is the pool of cognito-local as source.
const sourcePool = "eu-west-1_Interop03"

// right and wrong are what everybody at sourcePool has, and has not, for a
// password.
var (
	right = userpool.NewSecret("Canary-interop-right-1!")
	wrong = userpool.NewSecret("Canary-interop-wrong-2!")
)

// sourceWorld is cognito-local as the source of a migration to the sandbox.
type sourceWorld struct {
	*rehearsal.World
	*local
	function *function
	client   string          // id of the migration's app client
	source   *cognito.Source // the adapter, as the function has it
	app      *cip.Client     // at the sandbox's target pool; public calls only
}

// frozenAt is when the users in cognito-local's database were made.
const frozenAt = "2020-01-02T03:04:05.000Z"

// stored is a user in cognito-local's database whose password is right.
func stored(name, status string, attributes ...localAttribute) localUser {
	return localUser{
		Username: name, Password: right.Reveal(), Enabled: true, UserStatus: status,
		UserCreateDate: frozenAt, UserLastModifiedDate: frozenAt, RefreshTokens: []string{},
		Attributes: append([]localAttribute{{"sub", subOf(name)}}, attributes...),
	}
}

// subOf is the sub of a stored user.
func subOf(name string) string { return "5e1fa0c2-0000-4000-8000-" + (name + "000000000000")[:12] }

func newSourceWorld(t *testing.T) *sourceWorld {
	t.Helper()
	path := node(t)
	disabled := stored("off", "CONFIRMED")
	disabled.Enabled = false
	totp := stored("totp", "CONFIRMED")
	totp.UserMFASettingList = []string{"SOFTWARE_TOKEN_MFA"}
	w := newWorld(t, crowd.Alias, 0)
	l := startLocal(t, path, localSpec{pools: map[string]map[string]localUser{sourcePool: {
		"off": disabled, "totp": totp,
		"new":   stored("new", "UNCONFIRMED"),
		"temp":  stored("temp", "FORCE_CHANGE_PASSWORD"),
		"reset": stored("reset", "RESET_REQUIRED"),
		"unverified": stored("unverified", "CONFIRMED", localAttribute{"email", "unverified@example.com"},
			localAttribute{"email_verified", "false"}, localAttribute{"given_name", "Una"}),
	}}})
	world := &sourceWorld{World: w, local: l, app: client(w.Endpoint, w.Target.Region, "unused", "unused")}
	made, err := l.api.CreateUserPoolClient(t.Context(), &cip.CreateUserPoolClientInput{
		UserPoolId: aws.String(sourcePool), ClientName: aws.String("poolferry"), GenerateSecret: true,
		ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowAdminUserPasswordAuth},
	})
	if err != nil {
		t.Fatal(err)
	}
	world.client = *made.UserPoolClient.ClientId

	endpoint := front(t, w, l, w.Source.Region)
	c := *w.Config
	c.Source.PoolID, c.Source.ClientID, c.Source.Profile = sourcePool, world.client, trigger.FromLookup
	world.function = addFunction(t, w, c, *made.UserPoolClient.ClientSecret, endpoint)
	if err := w.Cognito.SetTriggers(w.Target.PoolID, cognitoidp.Triggers{UserMigration: world.function.arn}); err != nil {
		t.Fatal(err)
	}

	account, err := cognito.NewAccount(t.Context(), w.Target.Region, func(name string) (string, bool) {
		value, ok := map[string]string{
			"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": w.Target.Operator.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY": w.Target.Operator.SecretAccessKey.Reveal(),
		}[name]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	world.source = cognito.NewSource(account, cognito.SourceOptions{
		Region: w.Source.Region, PoolID: sourcePool, ClientID: world.client,
		ClientSecret: func(context.Context) (userpool.Secret, error) {
			return userpool.NewSecret(*made.UserPoolClient.ClientSecret), nil
		},
	})
	return world
}

// create makes a user through the API, as an administrator does, and returns
// the sub.
func (w *sourceWorld) create(t *testing.T, name string, attributes map[string]string) string {
	t.Helper()
	in := &cip.AdminCreateUserInput{UserPoolId: aws.String(sourcePool), Username: &name, MessageAction: types.MessageActionTypeSuppress}
	for name, value := range attributes {
		in.UserAttributes = append(in.UserAttributes, types.AttributeType{Name: &name, Value: &value})
	}
	made, err := w.api.AdminCreateUser(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.api.AdminSetUserPassword(t.Context(), &cip.AdminSetUserPasswordInput{
		UserPoolId: aws.String(sourcePool), Username: &name, Password: aws.String(right.Reveal()), Permanent: true,
	}); err != nil {
		t.Fatal(err)
	}
	for _, a := range made.User.Attributes {
		if *a.Name == "sub" {
			return *a.Value
		}
	}
	t.Fatalf("%s has no sub", name)
	return ""
}

// signIn signs in at the sandbox's target pool.
func (w *sourceWorld) signIn(t *testing.T, name string, password userpool.Secret) (*cip.InitiateAuthOutput, error) {
	return w.app.InitiateAuth(t.Context(), &cip.InitiateAuthInput{
		ClientId: &w.Target.Client.ID, AuthFlow: types.AuthFlowTypeUserPasswordAuth,
		AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password.Reveal()},
	})
}

// arrived returns a user of the sandbox's target pool.
func (w *sourceWorld) arrived(name string) (userpool.User, bool) {
	for u := range w.Cognito.Users(w.Target.PoolID) {
		if u.Username == name {
			return u, true
		}
	}
	return userpool.User{}, false
}

func TestCognitoLocalAsSource(t *testing.T) {
	w := newSourceWorld(t)
	sub := w.create(t, "ann", map[string]string{"email": "Ann@Example.com", "email_verified": "true", "phone_number": "+15550000002", "name": "Änn O'Neil"})

	t.Run("right password", func(t *testing.T) {
		out, err := w.signIn(t, "ann", right)
		if err != nil {
			t.Fatal(err)
		}
		if out.AuthenticationResult == nil {
			t.Fatalf("challenge %q instead of tokens", out.ChallengeName)
		}
		user, ok := w.arrived("ann")
		if !ok || user.Status != userpool.StatusConfirmed {
			t.Fatalf("found %v, status %s", ok, user.Status)
		}
		delete(user.Attributes, "sub") // the target's own
		want := userpool.Attributes{
			"custom:legacy_sub": sub, "email": "ann@example.com", "email_verified": "true", "phone_number": "+15550000002",
			"name": "Änn O'Neil", "locale": "en-GB",
		}
		if diff := cmp.Diff(want, user.Attributes); diff != "" {
			t.Errorf("attributes (-want +got)\n%s", diff)
		}
		if _, err := w.signIn(t, "ann", right); err != nil {
			t.Errorf("second sign-in: %v", err)
		}
		if calls := w.function.takeCalls(); len(calls) != 1 {
			t.Errorf("%d calls of the function, want 1 for two sign-ins", len(calls))
		}
	})

	// What the pool says of these is what AWS says, or is a gap after which the
	// answer is right all the same.
	for name, want := range map[string]string{
		"nobody": "RejectedCredentials", // AWS tells unknown users: NotInSource
		"new":    "Unconfirmed",
		"off":    "Disabled", // AWS refuses at once; here the profile does
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			if _, err := w.signIn(t, name, right); code(err) != "NotAuthorizedException" {
				t.Errorf("got %v, want NotAuthorizedException", err)
			}
			if calls := w.function.takeCalls(); len(calls) != 1 || calls[0].response != "{}" {
				t.Errorf("calls %+v, want one with an empty response", calls)
			}
			if _, ok := w.arrived(name); ok {
				t.Error("the user was created")
			}
			if log := string(w.function.log.Bytes()); !strings.Contains(log, `"outcome":"`+want+`"`) {
				t.Errorf("no audit line with outcome %s", want)
			}
		})
	}

	t.Run("wrong password", func(t *testing.T) {
		w.create(t, "bob", map[string]string{"email": "bob@example.com"})
		if _, err := w.signIn(t, "bob", wrong); err == nil {
			t.Error("signed in")
		}
		if _, ok := w.arrived("bob"); ok {
			t.Error("the user was created")
		}
		if _, err := w.signIn(t, "bob", right); err != nil {
			t.Errorf("right password afterwards: %v", err)
		}
		if _, ok := w.arrived("bob"); !ok {
			t.Error("the right password afterwards does not migrate")
		}
	})

	t.Run("the adapter alone", func(t *testing.T) {
		reply, err := w.source.Authenticate(t.Context(), "ann", right)
		if err != nil || reply.Standing != trigger.Proven {
			t.Fatalf("standing %d, %v", reply.Standing, err)
		}
		user, err := w.source.User(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		if string(user.Sub) != sub || user.Username != "ann" || !user.Enabled || user.Status != userpool.StatusConfirmed || user.Created.IsZero() {
			t.Errorf("user %+v", user)
		}
		if _, err := w.source.User(t.Context(), "nobody"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("unknown user: %v, want kind NotFound", err)
		}
		reply, err = w.source.Authenticate(t.Context(), "new", right)
		if err != nil || reply.Standing != trigger.UserUnconfirmed {
			t.Errorf("unconfirmed: standing %d, %v", reply.Standing, err)
		}
	})

	for _, secret := range []userpool.Secret{right, wrong} {
		if strings.Contains(string(w.function.log.Bytes()), secret.Reveal()) {
			t.Error("a password is in the function's log")
		}
	}
}

func TestGapsAsSource(t *testing.T) {
	w := newSourceWorld(t)
	standing := func(want trigger.Standing, name string) func(*testing.T, *sourceWorld) bool {
		return func(t *testing.T, w *sourceWorld) bool {
			reply, err := w.source.Authenticate(t.Context(), name, right)
			return err == nil && reply.Standing == want
		}
	}
	checkGaps(t, w, func() {}, []gap[*sourceWorld]{
		{
			"a wrong password is InvalidPasswordException",
			"it is NotAuthorizedException: Incorrect username or password. AWS has no InvalidPasswordException here, so the adapter takes it for trouble and the function refuses with an error",
			func(t *testing.T, w *sourceWorld) bool {
				_, err := w.source.Authenticate(t.Context(), "unverified", wrong)
				return cognito.Code(err) == "InvalidPasswordException" && fault.KindOf(err) == fault.Invalid
			},
		},
		{
			"an unknown user is NotAuthorizedException",
			"it is UserNotFoundException for a client that does not hide users",
			standing(trigger.WrongPassword, "nobody"),
		},
		{"a temporary password signs in", "the challenge is NEW_PASSWORD_REQUIRED", standing(trigger.Proven, "temp")},
		{"RESET_REQUIRED signs in", "it is PasswordResetRequiredException", standing(trigger.Proven, "reset")},
		{"a disabled user signs in", "it is NotAuthorizedException: User is disabled.", standing(trigger.Proven, "off")},
		{
			"AdminInitiateAuth asks for no second factor",
			"the challenge is SOFTWARE_TOKEN_MFA; the test of mfa_policy verify against cognito-local would begin here",
			standing(trigger.Proven, "totp"),
		},
		{
			"AdminRespondToAuthChallenge is not there",
			"it answers the challenge",
			func(t *testing.T, w *sourceWorld) bool {
				_, err := w.source.Answer(t.Context(), trigger.Challenge{Name: trigger.ChallengeTOTP, Username: "totp", Session: userpool.NewSecret(strings.Repeat("s", 20))}, userpool.NewSecret("123456"))
				return fault.KindOf(err) == fault.Unavailable && strings.Contains(cognito.Code(err), "Unsupported")
			},
		},
		{
			"the flow need not be allowed",
			"AdminInitiateAuth needs ALLOW_ADMIN_USER_PASSWORD_AUTH: InvalidParameterException",
			func(t *testing.T, w *sourceWorld) bool {
				made, err := w.api.CreateUserPoolClient(t.Context(), &cip.CreateUserPoolClientInput{
					UserPoolId: aws.String(sourcePool), ClientName: aws.String("other"), ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowRefreshTokenAuth},
				})
				if err != nil {
					t.Fatal(err)
				}
				return w.admin(t, *made.UserPoolClient.ClientId, sourcePool) == nil
			},
		},
		{
			"SECRET_HASH is not asked for",
			"a client with a secret must send it: NotAuthorizedException",
			func(t *testing.T, w *sourceWorld) bool { return w.admin(t, w.client, sourcePool) == nil },
		},
		{
			"the pool id is not looked at",
			"a pool that does not exist is ResourceNotFoundException",
			func(t *testing.T, w *sourceWorld) bool { return w.admin(t, w.client, "eu-west-1_Nowhere01") == nil },
		},
		{
			"an ID token carries few attributes, and says that every e-mail is verified",
			"it carries all that the client may read, as they are; profile: id_token would be right then",
			func(t *testing.T, w *sourceWorld) bool {
				reply, err := w.source.Authenticate(t.Context(), "unverified", right)
				if err != nil {
					t.Fatal(err)
				}
				c := claims(t, reply.IDToken.Reveal())
				return c["given_name"] == nil && c["email_verified"] == true
			},
		},
		{
			"aliases do not find a user",
			"alias attributes find the user as the username does",
			func(t *testing.T, w *sourceWorld) bool { return errors.Is(w.aliasSignIn(t), errNoAlias) },
		},
		{
			"ListUsers ignores Limit",
			"it returns as many users as asked for, and a token for the rest",
			func(t *testing.T, w *sourceWorld) bool {
				out, err := w.api.ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: aws.String(sourcePool), Limit: aws.Int32(1)})
				if err != nil {
					t.Fatal(err)
				}
				return len(out.Users) > 1 && out.PaginationToken == nil
			},
		},
	})
}

// admin signs in by AdminInitiateAuth without SECRET_HASH.
func (w *sourceWorld) admin(t *testing.T, clientID, poolID string) error {
	_, err := w.api.AdminInitiateAuth(t.Context(), &cip.AdminInitiateAuthInput{
		UserPoolId: &poolID, ClientId: &clientID, AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth,
		AuthParameters: map[string]string{"USERNAME": "unverified", "PASSWORD": right.Reveal()},
	})
	return err
}

var errNoAlias = errors.New("the alias finds nobody")

// aliasSignIn signs in by the e-mail alias of a user of a new pool.
func (w *sourceWorld) aliasSignIn(t *testing.T) error {
	ctx := t.Context()
	pool, err := w.api.CreateUserPool(ctx, &cip.CreateUserPoolInput{
		PoolName: aws.String("aliases"), AliasAttributes: []types.AliasAttributeType{types.AliasAttributeTypeEmail},
	})
	if err != nil {
		return err
	}
	app, err := w.api.CreateUserPoolClient(ctx, &cip.CreateUserPoolClientInput{UserPoolId: pool.UserPool.Id, ClientName: aws.String("app")})
	if err != nil {
		return err
	}
	user, email, password := aws.String("ann"), "ann@example.com", right.Reveal()
	if _, err = w.api.AdminCreateUser(ctx, &cip.AdminCreateUserInput{
		UserPoolId: pool.UserPool.Id, Username: user, MessageAction: types.MessageActionTypeSuppress,
		UserAttributes: []types.AttributeType{{Name: aws.String("email"), Value: &email}, {Name: aws.String("email_verified"), Value: aws.String("true")}},
	}); err != nil {
		return err
	}
	if _, err = w.api.AdminSetUserPassword(ctx, &cip.AdminSetUserPasswordInput{UserPoolId: pool.UserPool.Id, Username: user, Password: &password, Permanent: true}); err != nil {
		return err
	}
	signIn := func(name string) error {
		_, err := w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{
			ClientId: app.UserPoolClient.ClientId, AuthFlow: types.AuthFlowTypeUserPasswordAuth,
			AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password},
		})
		return err
	}
	if err := signIn(*user); err != nil {
		return err
	}
	if signIn(email) != nil {
		return errNoAlias
	}
	return nil
}
