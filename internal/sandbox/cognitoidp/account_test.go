package cognitoidp_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/userpool"
)

func attributes(pairs ...string) (list []types.AttributeType) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, types.AttributeType{Name: &pairs[i], Value: &pairs[i+1]})
	}
	return list
}

// get is AdminGetUser as a map of its attributes, with status and username.
func (w *world) getUser(poolID, name string) map[string]string {
	w.t.Helper()
	out := must(w.api.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &poolID, Username: &name}))(w.t)
	m := map[string]string{"status": string(out.UserStatus), "username": aws.ToString(out.Username)}
	for _, a := range out.UserAttributes {
		if *a.Name != "sub" {
			m[*a.Name] = *a.Value
		}
	}
	return m
}

func TestAdminCreateUser(t *testing.T) {
	aliases := cognitoidp.Frozen{AliasAttributes: []string{"email", "phone_number"}, UsernameConfiguration: &cognitoidp.UsernameRules{}}
	names := cognitoidp.Frozen{UsernameAttributes: []string{"email"}, UsernameConfiguration: &cognitoidp.UsernameRules{}}
	ada := cognitoidp.UserSpec{Username: "ada", Attributes: userpool.Attributes{"email": "ada@example.org", "email_verified": "true"}}
	for _, c := range []struct {
		name   string
		frozen cognitoidp.Frozen
		in     cip.AdminCreateUserInput
		want   string
	}{
		{"plain", cognitoidp.Frozen{}, cip.AdminCreateUserInput{Username: new("bob")}, ""},
		{"exists", cognitoidp.Frozen{}, cip.AdminCreateUserInput{Username: new("ada")}, "UsernameExistsException: User account already exists"},
		{"exists in another case", aliases, cip.AdminCreateUserInput{Username: new("ADA")}, "UsernameExistsException"},
		{"weak", cognitoidp.Frozen{}, cip.AdminCreateUserInput{Username: new("bob"), TemporaryPassword: new("weak")}, "InvalidPasswordException: Password did not conform with policy: Password not long enough"},
		{"attribute", cognitoidp.Frozen{}, cip.AdminCreateUserInput{Username: new("bob"), UserAttributes: attributes("custom:x", "y")}, "InvalidParameterException: Attributes did not conform to the schema: custom:x"},
		{"action", cognitoidp.Frozen{}, cip.AdminCreateUserInput{Username: new("bob"), MessageAction: "SHOUT"}, "InvalidParameterException"},
		{"long name", cognitoidp.Frozen{}, cip.AdminCreateUserInput{Username: new(strings.Repeat("b", 129))}, "InvalidParameterException"},
		{"alias taken", aliases, cip.AdminCreateUserInput{Username: new("bob"), UserAttributes: attributes("email", "ADA@example.org", "email_verified", "true")}, "AliasExistsException: An account with the given email already exists."},
		{"alias not verified", aliases, cip.AdminCreateUserInput{Username: new("bob"), UserAttributes: attributes("email", "ada@example.org")}, ""},
		{"alias forced", aliases, cip.AdminCreateUserInput{Username: new("bob"), ForceAliasCreation: true, UserAttributes: attributes("email", "ada@example.org", "email_verified", "true")}, ""},
		{"address for a username in an alias pool", aliases, cip.AdminCreateUserInput{Username: new("b@b.example")}, "InvalidParameterException: Username cannot be of email format"},
		{"address for a username", names, cip.AdminCreateUserInput{Username: new("bob@example.org")}, ""},
		{"no address", names, cip.AdminCreateUserInput{Username: new("bob")}, "InvalidParameterException: Username should be an email."},
		{"address taken", names, cip.AdminCreateUserInput{Username: new("Ada@example.org")}, "UsernameExistsException: An account with the given email already exists."},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.pool(cognitoidp.PoolSpec{Frozen: c.frozen})
			w.user(p, ada)
			c.in.UserPoolId = &p
			out, err := w.api.AdminCreateUser(ctx, &c.in)
			wants(t, err, c.want)
			if err != nil {
				return
			}
			if got := w.getUser(p, *c.in.Username); got["status"] != "FORCE_CHANGE_PASSWORD" || got["username"] != *out.User.Username {
				t.Errorf("user: %v", got)
			}
			if len(c.frozen.UsernameAttributes) > 0 && len(*out.User.Username) != 36 {
				t.Errorf("username %s is not a UUID", *out.User.Username)
			}
		})
	}
}

func TestManageUsers(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{Schema: []cognitoidp.Attribute{{Name: "fixed", Mutable: new(false)}}})
	c := w.client(p).ID
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("old"), Attributes: userpool.Attributes{"email": "ada@example.org", "email_verified": "true", "name": "Ada", "custom:fixed": "1"}})
	update := func(want string, pairs ...string) {
		t.Helper()
		_, err := w.api.AdminUpdateUserAttributes(ctx, &cip.AdminUpdateUserAttributesInput{UserPoolId: &p, Username: new("ada"), UserAttributes: attributes(pairs...)})
		wants(t, err, want)
	}
	update("InvalidParameterException", "custom:fixed", "2")
	update("", "email", "new@example.org", "name", "")
	if diff := cmp.Diff(map[string]string{"status": "CONFIRMED", "username": "ada", "email": "new@example.org", "email_verified": "false", "custom:fixed": "1"}, w.getUser(p, "ada")); diff != "" {
		t.Error(diff)
	}
	_, err := w.api.AdminResetUserPassword(ctx, &cip.AdminResetUserPasswordInput{UserPoolId: &p, Username: new("ada")})
	wants(t, err, "InvalidParameterException: Cannot reset password")
	update("", "email_verified", "true")
	_ = must(w.api.AdminResetUserPassword(ctx, &cip.AdminResetUserPasswordInput{UserPoolId: &p, Username: new("ada")}))(t)
	_, err = w.signIn(c, "ada", "old")
	wants(t, err, "PasswordResetRequiredException")
	set := func(password string, permanent bool, want string) {
		t.Helper()
		_, err := w.api.AdminSetUserPassword(ctx, &cip.AdminSetUserPasswordInput{UserPoolId: &p, Username: new("ada"), Password: &password, Permanent: permanent})
		wants(t, err, want)
	}
	set("weak", true, "InvalidPasswordException")
	set("Permanent1!", true, "")
	for range 5 {
		_, _ = w.signIn(c, "ada", "wrong")
	}
	set("Permanent2!", true, "") // lifts the lockout too
	_, err = w.signIn(c, "ada", "Permanent2!")
	wants(t, err, "")
	_ = must(w.api.AdminDisableUser(ctx, &cip.AdminDisableUserInput{UserPoolId: &p, Username: new("ada")}))(t)
	_, err = w.signIn(c, "ada", "Permanent2!")
	wants(t, err, "NotAuthorizedException: User is disabled.")
	_ = must(w.api.AdminEnableUser(ctx, &cip.AdminEnableUserInput{UserPoolId: &p, Username: new("ada")}))(t)
	_, err = w.signIn(c, "ada", "Permanent2!")
	wants(t, err, "")
	_ = must(w.api.AdminDeleteUser(ctx, &cip.AdminDeleteUserInput{UserPoolId: &p, Username: new("ada")}))(t)
	_, err = w.api.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &p, Username: new("ada")})
	wants(t, err, "UserNotFoundException: User does not exist.")
	if w.Count(p) != 0 {
		t.Error("the user is still there")
	}
}

func TestSignUp(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{Frozen: cognitoidp.Frozen{AliasAttributes: []string{"email"}}, Schema: []cognitoidp.Attribute{{Name: "email", Required: true}},
		Settings: cognitoidp.Settings{AutoVerifiedAttributes: []string{"email"}}})
	c := w.client(p).ID
	sign := func(name, password, want string, pairs ...string) *cip.SignUpOutput {
		t.Helper()
		out, err := w.api.SignUp(ctx, &cip.SignUpInput{ClientId: &c, Username: &name, Password: &password, UserAttributes: attributes(pairs...)})
		wants(t, err, want)
		return out
	}
	sign("ada", "weak", "InvalidPasswordException", "email", "ada@example.org")
	sign("ada", "Password1!", "InvalidParameterException: Attributes did not conform to the schema: email: The attribute is required")
	sign("ada", "Password1!", "NotAuthorizedException: A client attempted to write unauthorized attribute", "email", "ada@example.org", "email_verified", "true")
	out := sign("ada", "Password1!", "", "email", "ada@example.org")
	if out.UserConfirmed || *out.CodeDeliveryDetails.Destination != "a***@e***" {
		t.Errorf("sign-up: %+v", out)
	}
	sign("ada", "Password1!", "UsernameExistsException", "email", "x@example.org")
	confirm := func(code, want string) {
		t.Helper()
		_, err := w.api.ConfirmSignUp(ctx, &cip.ConfirmSignUpInput{ClientId: &c, Username: new("ada"), ConfirmationCode: &code})
		wants(t, err, want)
	}
	confirm("x", "CodeMismatchException")
	m, _ := w.LastMessage(p, "ada")
	confirm(m.Code.Reveal(), "")
	confirm(m.Code.Reveal(), "NotAuthorizedException: User cannot be confirmed. Current status is CONFIRMED")
	_, err := w.signIn(c, "ada@example.org", "Password1!") // verified now, hence an alias
	wants(t, err, "")
	sign("bob", "Password1!", "", "email", "bob@example.org")
	_ = must(w.api.AdminConfirmSignUp(ctx, &cip.AdminConfirmSignUpInput{UserPoolId: &p, Username: new("bob")}))(t)
	if got := w.getUser(p, "bob"); got["status"] != "CONFIRMED" || got["email_verified"] == "true" {
		t.Errorf("bob: %v", got)
	}
	_ = must(w.api.UpdateUserPool(ctx, &cip.UpdateUserPoolInput{UserPoolId: &p, AdminCreateUserConfig: &types.AdminCreateUserConfigType{AllowAdminCreateUserOnly: true}}))(t)
	sign("eve", "Password1!", "NotAuthorizedException: SignUp is not permitted for this user pool", "email", "eve@example.org")
}
