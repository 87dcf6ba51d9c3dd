package cognitoidp_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/wire"
)

const (
	signedOut = "NotAuthorizedException: Access Token has been revoked"
	revoked   = "NotAuthorizedException: Refresh Token has been revoked"
)

// signedIn is a user's tokens.
func (w *world) signedIn(client, name, password string) *types.AuthenticationResultType {
	w.t.Helper()
	return must(w.signIn(client, name, password))(w.t).AuthenticationResult
}

func (w *world) refresh(client string, token *string) error {
	_, err := w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: &client, AuthFlow: "REFRESH_TOKEN_AUTH", AuthParameters: map[string]string{"REFRESH_TOKEN": *token}})
	return err
}

func (w *world) self(token *string) error {
	_, err := w.api.GetUser(ctx, &cip.GetUserInput{AccessToken: token})
	return err
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p, srpWith)
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("Correct-1!")})
	tokens := w.signedIn(c.ID, "ada", "Correct-1!")
	change := func(token *string, from, to, want string) {
		t.Helper()
		_, err := w.api.ChangePassword(ctx, &cip.ChangePasswordInput{AccessToken: token, PreviousPassword: &from, ProposedPassword: &to})
		wants(t, err, want)
	}
	change(tokens.AccessToken, "wrong", "Another-2!", wrong)
	change(tokens.AccessToken, "Correct-1!", "short", "InvalidPasswordException: Password did not conform with policy: Password not long enough")
	change(tokens.IdToken, "Correct-1!", "Another-2!", "NotAuthorizedException: Invalid Access Token")
	change(new("junk"), "Correct-1!", "Another-2!", "NotAuthorizedException: Invalid Access Token")
	change(tokens.AccessToken, "Correct-1!", "Another-2!", "")
	for _, sign := range []func(string) error{
		func(password string) error { _, err := w.signIn(c.ID, "ada", password); return err },
		func(password string) error { _, err := w.proves(p, c, "ada", password); return err },
	} {
		wants(t, sign("Correct-1!"), wrong)
		wants(t, sign("Another-2!"), "")
	}
	if err := w.self(tokens.AccessToken); err != nil {
		t.Errorf("a session ended with the old password: %v", err)
	}
	for range 5 {
		change(tokens.AccessToken, "wrong", "Third-3!", wrong)
	}
	change(tokens.AccessToken, "Another-2!", "Third-3!!", "LimitExceededException: Attempt limit exceeded, please try after some time.")
	w.clock.move(time.Second)
	change(tokens.AccessToken, "Another-2!", "Third-3!!", "")
	if _, err := w.api.AdminDisableUser(ctx, &cip.AdminDisableUserInput{UserPoolId: &p, Username: new("ada")}); err != nil {
		t.Fatal(err)
	}
	change(tokens.AccessToken, "Third-3!!", "Fourth-4!", "NotAuthorizedException: User is disabled.")
}

func TestGlobalSignOut(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p)
	for _, name := range []string{"ada", "bob"} {
		w.user(p, cognitoidp.UserSpec{Username: name, Password: secret("right")})
	}
	first, second, bobs := w.signedIn(c.ID, "ada", "right"), w.signedIn(c.ID, "ada", "right"), w.signedIn(c.ID, "bob", "right")
	if _, err := w.api.GlobalSignOut(ctx, &cip.GlobalSignOutInput{AccessToken: first.AccessToken}); err != nil {
		t.Fatal(err)
	}
	for _, tokens := range []*types.AuthenticationResultType{first, second} {
		wants(t, w.self(tokens.AccessToken), signedOut)
		wants(t, w.refresh(c.ID, tokens.RefreshToken), revoked)
	}
	_, err := w.api.GlobalSignOut(ctx, &cip.GlobalSignOutInput{AccessToken: first.AccessToken})
	wants(t, err, signedOut)
	wants(t, w.self(bobs.AccessToken), "")
	again := w.signedIn(c.ID, "ada", "right")
	wants(t, w.refresh(c.ID, again.RefreshToken), "")
	if _, err := w.api.AdminUserGlobalSignOut(ctx, &cip.AdminUserGlobalSignOutInput{UserPoolId: &p, Username: new("ada")}); err != nil {
		t.Fatal(err)
	}
	wants(t, w.self(again.AccessToken), signedOut)
	_, err = w.api.AdminUserGlobalSignOut(ctx, &cip.AdminUserGlobalSignOutInput{UserPoolId: &p, Username: new("nobody")})
	wants(t, err, "UserNotFoundException")
}

// TestNoDevice: amazon-cognito-identity-js refreshes with the device that it does
// not have.
func TestNoDevice(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p)
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right")})
	token := *w.signedIn(c.ID, "ada", "right").RefreshToken
	for device, want := range map[string]string{"null": "", `""`: "", `"key"`: `SandboxUnsupported: the poolferry sandbox does not support auth parameter "DEVICE_KEY"`} {
		body := fmt.Sprintf(`{"ClientId":%q,"AuthFlow":"REFRESH_TOKEN_AUTH","AuthParameters":{"REFRESH_TOKEN":%q,"DEVICE_KEY":%s}}`, c.ID, token, device)
		_, err := w.Serve(ctx, &wire.Call{Operation: "InitiateAuth", Body: []byte(body)})
		if want != "" || err != nil {
			wantsWire(t, err, want)
		}
	}
}

func TestRevokeToken(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c, other := w.client(p), w.client(p)
	keyed := w.client(p, func(s *cognitoidp.ClientSpec) { s.Secret = true })
	without := w.client(p, func(s *cognitoidp.ClientSpec) { s.Settings.EnableTokenRevocation = new(false) })
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right")})
	first, second := w.signedIn(c.ID, "ada", "right"), w.signedIn(c.ID, "ada", "right")
	for _, tt := range []struct {
		name, client string
		token        *string
		secret, want string
	}{
		{"access token", c.ID, first.AccessToken, "", "UnsupportedTokenTypeException"},
		{"another client", other.ID, first.RefreshToken, "", "UnauthorizedException"},
		{"a secret that is none", c.ID, first.RefreshToken, "x", "UnauthorizedException"},
		{"no secret", keyed.ID, first.RefreshToken, "", "UnauthorizedException"},
		{"not enabled", without.ID, first.RefreshToken, "", "UnsupportedOperationException"},
		{"unknown", keyed.ID, new("nobody's"), keyed.Secret.Reveal(), ""},
		{"no client", "nope", first.RefreshToken, "", "ResourceNotFoundException"},
		{"", c.ID, first.RefreshToken, "", ""},
		{"twice", c.ID, first.RefreshToken, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &cip.RevokeTokenInput{ClientId: &tt.client, Token: tt.token}
			if tt.secret != "" {
				in.ClientSecret = &tt.secret
			}
			_, err := w.api.RevokeToken(ctx, in)
			wants(t, err, tt.want)
			if tt.want != "" {
				wants(t, w.self(first.AccessToken), "")
			}
		})
	}
	wants(t, w.self(first.AccessToken), signedOut)
	wants(t, w.refresh(c.ID, first.RefreshToken), revoked)
	wants(t, w.self(second.AccessToken), "")
	if parts := strings.Count(*second.RefreshToken, "."); parts == 2 {
		t.Error("a refresh token looks like a signed one")
	}
}
