package cognitoidp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	cognitosrp "github.com/alexrudd/cognito-srp/v4"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp/totp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/userpool"
)

// srpWith lets a client use SRP.
func srpWith(s *cognitoidp.ClientSpec) {
	s.Settings.ExplicitAuthFlows = append(s.Settings.ExplicitAuthFlows, "ALLOW_USER_SRP_AUTH")
}

// prover is somebody else's client, which proves a password.
func (w *world) prover(poolID string, c cognitoidp.Client, name, password string) *cognitosrp.CognitoSRP {
	w.t.Helper()
	var secret *string
	if !c.Secret.Empty() {
		secret = new(c.Secret.Reveal())
	}
	return must(cognitosrp.NewCognitoSRP(name, password, poolID, c.ID, secret))(w.t)
}

// begin is InitiateAuth with SRP.
func (w *world) begin(p *cognitosrp.CognitoSRP) (*cip.InitiateAuthOutput, error) {
	return w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: new(p.GetClientId()), AuthFlow: types.AuthFlowTypeUserSrpAuth,
		AuthParameters: p.GetAuthParams()})
}

// claim is what a client answers to PASSWORD_VERIFIER.
func (w *world) claim(p *cognitosrp.CognitoSRP, out *cip.InitiateAuthOutput) map[string]string {
	w.t.Helper()
	return must(p.PasswordVerifierChallenge(out.ChallengeParameters, w.clock.now()))(w.t)
}

// proves is a whole sign-in with SRP, up to the answer to PASSWORD_VERIFIER.
func (w *world) proves(poolID string, c cognitoidp.Client, name, password string) (*cip.RespondToAuthChallengeOutput, error) {
	w.t.Helper()
	p := w.prover(poolID, c, name, password)
	out, err := w.begin(p)
	if err != nil {
		return nil, err
	}
	if out.ChallengeName != types.ChallengeNameTypePasswordVerifier || out.Session != nil {
		w.t.Fatalf("challenge %s, session %v", out.ChallengeName, out.Session)
	}
	return w.answer(c.ID, "PASSWORD_VERIFIER", nil, w.claim(p, out))
}

func TestSRP(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{Frozen: cognitoidp.Frozen{AliasAttributes: []string{"email"}}})
	legacy, hides := w.client(p, srpWith), w.client(p, srpWith, hiding)
	secretive := w.client(p, srpWith, func(s *cognitoidp.ClientSpec) { s.Secret = true })
	for _, u := range []cognitoidp.UserSpec{
		{Username: "ada", Password: secret("right"), Attributes: userpool.Attributes{"email": "Ada@b.example", "email_verified": "true"}},
		{Username: "off", Password: secret("right"), Disabled: true},
		{Username: "new", Password: secret("right"), Status: userpool.StatusUnconfirmed},
		{Username: "reset", Password: secret("right"), Status: userpool.StatusResetRequired},
		{Username: "imported", Status: userpool.StatusResetRequired},
		{Username: "without"},
		{Username: "google_1", Status: userpool.StatusExternalProvider, Password: secret("right")},
	} {
		w.user(p, u)
	}
	for _, c := range []struct{ name, password, legacy, hides string }{
		{"ada", "right", "", ""},
		{"Ada@b.example", "right", "", ""},
		{"ada", "wrong", wrong, wrong},
		{"nobody", "right", "UserNotFoundException: User does not exist.", wrong},
		{"off", "right", "NotAuthorizedException: User is disabled.", "NotAuthorizedException: User is disabled."},
		{"off", "wrong", wrong, wrong},
		{"new", "right", "UserNotConfirmedException", "UserNotConfirmedException"},
		{"new", "wrong", wrong, wrong},
		{"reset", "right", "PasswordResetRequiredException", "PasswordResetRequiredException"},
		{"reset", "wrong", wrong, wrong},
		{"imported", "any", "PasswordResetRequiredException", wrong},
		{"without", "any", wrong, wrong},
		{"google_1", "right", wrong, wrong},
		{"ADA", "right", "UserNotFoundException", wrong},
		{"a b", "right", "InvalidParameterException: 1 validation error", "InvalidParameterException"},
	} {
		t.Run(c.name+"/"+c.password, func(t *testing.T) {
			for _, try := range []struct {
				client cognitoidp.Client
				want   string
			}{{legacy, c.legacy}, {hides, c.hides}, {secretive, c.legacy}} {
				out, err := w.proves(p, try.client, c.name, c.password)
				wants(t, err, try.want)
				if err == nil && w.claims(p, *out.AuthenticationResult.IdToken)["cognito:username"] != c.name && c.name == "ada" {
					t.Error("the ID token is another user's")
				}
			}
		})
	}
	if n := w.lambda.count(); n != 0 {
		t.Errorf("%d triggers were called", n)
	}
}

// TestSRPKnowsNobody: an unknown name gets the same simulated answer every time,
// where the client hides who exists.
func TestSRPKnowsNobody(t *testing.T) {
	w := newWorld(t)
	p, other := w.pool(cognitoidp.PoolSpec{}), w.pool(cognitoidp.PoolSpec{})
	c, there := w.client(p, srpWith, hiding), w.client(other, srpWith, hiding)
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right")})
	seen := map[string]string{}
	for _, name := range []string{"nobody", "nobody", "noone"} {
		out := must(w.begin(w.prover(p, c, name, "x")))(t).ChallengeParameters
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(out["USER_ID_FOR_SRP"]) || out["USERNAME"] != out["USER_ID_FOR_SRP"] {
			t.Errorf("user id %q", out["USER_ID_FOR_SRP"])
		}
		id := out["USER_ID_FOR_SRP"] + out["SALT"]
		if seen[name] != "" && seen[name] != id {
			t.Errorf("another answer for %s", name)
		}
		seen[name] = id
	}
	elsewhere := must(w.begin(w.prover(other, there, "nobody", "x")))(t).ChallengeParameters
	if seen["nobody"] == seen["noone"] || seen["nobody"] == elsewhere["USER_ID_FOR_SRP"]+elsewhere["SALT"] {
		t.Error("the simulated answer does not depend on name and pool")
	}
	real := must(w.begin(w.prover(p, c, "ada", "x")))(t).ChallengeParameters
	fake := must(w.begin(w.prover(p, c, "nobody", "x")))(t).ChallengeParameters
	for name := range real {
		if fake[name] == "" {
			t.Errorf("the simulated answer has no %s", name)
		}
	}
	if len(real) != len(fake) || len(real["SALT"]) != len(fake["SALT"]) || len(real["SECRET_BLOCK"]) != len(fake["SECRET_BLOCK"]) {
		t.Errorf("a real answer looks otherwise: %v, %v", real, fake)
	}
}

// TestSRPNeverMigrates: the pool sees no password that it could show the trigger.
func TestSRPNeverMigrates(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p, srpWith)
	const arn = "arn:aws:lambda:eu-central-1:222222222222:function:migrate"
	w.lambda.f[arn] = func(_ context.Context, event map[string]any) (any, error) {
		event["response"] = map[string]any{"userAttributes": map[string]string{"email": "a@b.example"}, "finalUserStatus": "CONFIRMED", "messageAction": "SUPPRESS"}
		return event, nil
	}
	if err := w.SetTriggers(p, cognitoidp.Triggers{UserMigration: arn}); err != nil {
		t.Fatal(err)
	}
	_, err := w.proves(p, c, "ada", "right")
	wants(t, err, "UserNotFoundException")
	if n := w.lambda.count(); n != 0 {
		t.Errorf("the migration trigger ran %d times", n)
	}
	_ = must(w.signIn(c.ID, "ada", "right"))(t)
	if out, err := w.proves(p, c, "ada", "right"); err != nil || out.AuthenticationResult == nil {
		t.Errorf("after migration: %v", err)
	}
	_, err = w.proves(p, c, "ada", "wrong")
	wants(t, err, wrong)
}

func TestSRPRefuses(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c, other := w.client(p, srpWith), w.client(p, srpWith)
	without := w.client(p)
	keyed := w.client(p, srpWith, func(s *cognitoidp.ClientSpec) { s.Secret = true })
	for _, name := range []string{"ada", "bob"} {
		w.user(p, cognitoidp.UserSpec{Username: name, Password: secret("right")})
	}
	_, err := w.begin(w.prover(p, without, "ada", "right"))
	wants(t, err, "InvalidParameterException: USER_SRP_AUTH flow not enabled for this client")
	for _, tt := range []struct {
		name   string
		client cognitoidp.Client
		change map[string]string
		want   string
	}{
		{"no name", c, map[string]string{"USERNAME": ""}, "InvalidParameterException: Missing required parameter USERNAME"},
		{"no number", c, map[string]string{"SRP_A": ""}, "InvalidParameterException: Missing required parameter SRP_A"},
		{"zero", c, map[string]string{"SRP_A": "0"}, "InvalidParameterException"},
		{"no digits", c, map[string]string{"SRP_A": "-1"}, "InvalidParameterException"},
		{"password", c, map[string]string{"PASSWORD": "right"}, `SandboxUnsupported: the poolferry sandbox does not support auth parameter "PASSWORD"`},
		{"device", c, map[string]string{"DEVICE_KEY": "x"}, "SandboxUnsupported"},
		{"hash", keyed, map[string]string{"SECRET_HASH": "x"}, "NotAuthorizedException: Unable to verify secret hash for client " + keyed.ID},
		{"no hash", keyed, map[string]string{"SECRET_HASH": ""}, "NotAuthorizedException: Client " + keyed.ID + " is configured with secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := w.prover(p, tt.client, "ada", "right").GetAuthParams()
			for name, value := range tt.change {
				in[name] = value
				if value == "" {
					delete(in, name)
				}
			}
			_, err := w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: &tt.client.ID, AuthFlow: "USER_SRP_AUTH", AuthParameters: in})
			wants(t, err, tt.want)
		})
	}
	const invalid = "NotAuthorizedException: Invalid session for the user"
	for _, tt := range []struct {
		name, client string
		change       map[string]string
		session      *string
		want         string
	}{
		{"no signature", c.ID, map[string]string{"PASSWORD_CLAIM_SIGNATURE": ""}, nil, "InvalidParameterException: Missing required parameter PASSWORD_CLAIM_SIGNATURE"},
		{"no block", c.ID, map[string]string{"PASSWORD_CLAIM_SECRET_BLOCK": ""}, nil, "InvalidParameterException: Missing required parameter PASSWORD_CLAIM_SECRET_BLOCK"},
		{"no time", c.ID, map[string]string{"TIMESTAMP": ""}, nil, "InvalidParameterException: Missing required parameter TIMESTAMP"},
		{"no name", c.ID, map[string]string{"USERNAME": ""}, nil, "InvalidParameterException: Missing required parameter USERNAME"},
		{"ISO time", c.ID, map[string]string{"TIMESTAMP": "2026-11-01T12:00:00Z"}, nil, "InvalidParameterException: TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english"},
		{"another time", c.ID, map[string]string{"TIMESTAMP": "Sun Nov 1 12:00:01 UTC 2026"}, nil, wrong},
		{"no base64", c.ID, map[string]string{"PASSWORD_CLAIM_SIGNATURE": "*"}, nil, wrong},
		{"block made up", c.ID, map[string]string{"PASSWORD_CLAIM_SECRET_BLOCK": base64.StdEncoding.EncodeToString(make([]byte, 48))}, nil, invalid},
		{"another user", c.ID, map[string]string{"USERNAME": "bob"}, nil, invalid},
		{"nobody", c.ID, map[string]string{"USERNAME": "nobody"}, nil, invalid},
		{"another client", other.ID, nil, nil, invalid},
		{"a session", c.ID, nil, new("made up but long enough"), invalid},
		{"device", c.ID, map[string]string{"DEVICE_KEY": "x"}, nil, "SandboxUnsupported"},
	} {
		t.Run("verifier/"+tt.name, func(t *testing.T) {
			prover := w.prover(p, c, "ada", "right")
			in := w.claim(prover, must(w.begin(prover))(t))
			for name, value := range tt.change {
				in[name] = value
				if value == "" {
					delete(in, name)
				}
			}
			_, err := w.answer(tt.client, "PASSWORD_VERIFIER", tt.session, in)
			wants(t, err, tt.want)
		})
	}
	w.clock.move(time.Hour) // what the failures above have locked

	// A secret block is good for one right answer, for three minutes, and for the
	// password that the user has.
	prover := w.prover(p, c, "ada", "right")
	in := w.claim(prover, must(w.begin(prover))(t))
	if _, err := w.answer(c.ID, "PASSWORD_VERIFIER", nil, in); err != nil {
		t.Fatal(err)
	}
	_, err = w.answer(c.ID, "PASSWORD_VERIFIER", nil, in)
	wants(t, err, invalid+", session can only be used once.")
	in = w.claim(prover, must(w.begin(prover))(t))
	w.clock.move(3 * time.Minute)
	_, err = w.answer(c.ID, "PASSWORD_VERIFIER", nil, in)
	wants(t, err, invalid+", session is expired.")
	in = w.claim(prover, must(w.begin(prover))(t))
	if _, err := w.api.AdminSetUserPassword(ctx, &cip.AdminSetUserPasswordInput{UserPoolId: &p, Username: new("ada"), Password: new("Another-1!"), Permanent: true}); err != nil {
		t.Fatal(err)
	}
	_, err = w.answer(c.ID, "PASSWORD_VERIFIER", nil, in)
	wants(t, err, wrong)
	in = w.claim(prover, must(w.begin(prover))(t))
	if _, err := w.api.AdminDeleteUser(ctx, &cip.AdminDeleteUserInput{UserPoolId: &p, Username: new("ada")}); err != nil {
		t.Fatal(err)
	}
	_, err = w.answer(c.ID, "PASSWORD_VERIFIER", nil, in)
	wants(t, err, wrong)
}

// TestSRPLockout: wrong proofs and wrong passwords count together.
func TestSRPLockout(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p, srpWith)
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right")})
	for range 4 {
		_, err := w.proves(p, c, "ada", "wrong")
		wants(t, err, wrong)
	}
	_, err := w.signIn(c.ID, "ada", "wrong")
	wants(t, err, wrong)
	_, err = w.proves(p, c, "ada", "right")
	wants(t, err, "NotAuthorizedException: Password attempts exceeded")
	w.clock.move(time.Second)
	_, err = w.proves(p, c, "ada", "right")
	wants(t, err, "")
}

// TestSRPGoesOn: what follows a password follows a proof, through the signed
// operations too.
func TestSRPGoesOn(t *testing.T) {
	w := newWorld(t)
	p := w.mfaPool("OPTIONAL")
	c := w.client(p, srpWith, func(s *cognitoidp.ClientSpec) { s.Secret = true })
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right"), TOTPSecret: secret(totpSecret)})
	w.user(p, cognitoidp.UserSpec{Username: "new", Password: secret("Temporary1!"), Status: userpool.StatusForceChangePassword})
	hash := func(name string) string { return pool.SecretHash(c.Secret, name, c.ID) }

	prover := w.prover(p, c, "ada", "right")
	begun, err := w.api.AdminInitiateAuth(ctx, &cip.AdminInitiateAuthInput{UserPoolId: &p, ClientId: &c.ID, AuthFlow: "USER_SRP_AUTH", AuthParameters: prover.GetAuthParams()})
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.api.AdminRespondToAuthChallenge(ctx, &cip.AdminRespondToAuthChallengeInput{UserPoolId: &p, ClientId: &c.ID, ChallengeName: "PASSWORD_VERIFIER",
		ChallengeResponses: must(prover.PasswordVerifierChallenge(begun.ChallengeParameters, w.clock.now()))(t)})
	if err != nil || out.ChallengeName != "SOFTWARE_TOKEN_MFA" {
		t.Fatal(out, err)
	}
	done, err := w.answer(c.ID, "SOFTWARE_TOKEN_MFA", out.Session, map[string]string{"USERNAME": "ada", "SECRET_HASH": hash("ada"),
		"SOFTWARE_TOKEN_MFA_CODE": must(totp.GenerateCode(totpSecret, w.clock.now()))(t)})
	if err != nil || done.AuthenticationResult == nil {
		t.Fatal(err)
	}

	next := must(w.proves(p, c, "new", "Temporary1!"))(t)
	if next.ChallengeName != "NEW_PASSWORD_REQUIRED" {
		t.Fatalf("challenge %s", next.ChallengeName)
	}
	done, err = w.answer(c.ID, "NEW_PASSWORD_REQUIRED", next.Session, map[string]string{"USERNAME": "new", "SECRET_HASH": hash("new"), "NEW_PASSWORD": "Permanent1!"})
	if err != nil || done.AuthenticationResult == nil {
		t.Fatal(err)
	}
	_, err = w.proves(p, c, "new", "Temporary1!")
	wants(t, err, wrong)
	_, err = w.proves(p, c, "new", "Permanent1!")
	wants(t, err, "")
	w.clock.move(8 * 24 * time.Hour)
	w.user(p, cognitoidp.UserSpec{Username: "late", Password: secret("Temporary1!"), Status: userpool.StatusForceChangePassword, Created: w.clock.now().AddDate(0, 0, -8)})
	_, err = w.proves(p, c, "late", "Temporary1!")
	wants(t, err, "NotAuthorizedException: Temporary password has expired")
}

// TestSRPTriggers: PreAuthentication hears of the first call, the others of the
// second.
func TestSRPTriggers(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p, srpWith, hiding)
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right")})
	const arn = "arn:aws:lambda:eu-central-1:222222222222:function:all"
	w.lambda.f[arn] = func(_ context.Context, event map[string]any) (any, error) { return event, nil }
	if err := w.SetTriggers(p, cognitoidp.Triggers{PreAuthentication: arn, PostAuthentication: arn, PreTokenGeneration: arn, UserMigration: arn}); err != nil {
		t.Fatal(err)
	}
	prover := w.prover(p, c, "ada", "right")
	begun, err := w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: &c.ID, AuthFlow: "USER_SRP_AUTH", AuthParameters: prover.GetAuthParams(), ClientMetadata: map[string]string{"at": "first"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.api.RespondToAuthChallenge(ctx, &cip.RespondToAuthChallengeInput{ClientId: &c.ID, ChallengeName: "PASSWORD_VERIFIER",
		ChallengeResponses: w.claim(prover, begun), ClientMetadata: map[string]string{"at": "second"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.begin(w.prover(p, c, "nobody", "x")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, call := range w.lambda.calls {
		var event struct {
			TriggerSource string
			Request       struct{ ValidationData, ClientMetadata map[string]string }
		}
		if err := json.Unmarshal([]byte(call), &event); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join([]string{event.TriggerSource, event.Request.ValidationData["at"], event.Request.ClientMetadata["at"]}, " "))
	}
	want := []string{"PreAuthentication_Authentication first ", "PostAuthentication_Authentication  second", "TokenGeneration_Authentication  second"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
