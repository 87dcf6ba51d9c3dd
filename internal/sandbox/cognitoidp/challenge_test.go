package cognitoidp_test

import (
	"testing"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp/totp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/userpool"
)

const totpSecret = "JBSWY3DPEHPK3PXP"

// mfaPool is a pool with all three second factors.
func (w *world) mfaPool(mode string) string {
	return w.pool(cognitoidp.PoolSpec{Settings: cognitoidp.Settings{MfaConfiguration: mode, SmsConfiguration: []byte(`{"SnsCallerArn":"arn:aws:iam::222222222222:role/sms"}`)},
		MFA: cognitoidp.MFAConfig{TOTP: true, Email: &cognitoidp.EmailMFA{}}})
}

func (w *world) answer(client, challenge string, session *string, responses map[string]string) (*cip.RespondToAuthChallengeOutput, error) {
	return w.api.RespondToAuthChallenge(ctx, &cip.RespondToAuthChallengeInput{ClientId: &client, ChallengeName: types.ChallengeNameType(challenge), Session: session, ChallengeResponses: responses})
}

func TestSecondFactors(t *testing.T) {
	reach := userpool.Attributes{"phone_number": "+4915112345678", "email": "ada@example.org"}
	for _, c := range []struct {
		name, mode string
		user       cognitoidp.UserSpec
		challenge  string
		parameters map[string]string
	}{
		{"off", "OFF", cognitoidp.UserSpec{SMSMFA: true, TOTPSecret: secret(totpSecret)}, "", map[string]string{}},
		{"optional, none", "OPTIONAL", cognitoidp.UserSpec{}, "", map[string]string{}},
		{"sms", "OPTIONAL", cognitoidp.UserSpec{SMSMFA: true}, "SMS_MFA", map[string]string{
			"USER_ID_FOR_SRP": "ada", "CODE_DELIVERY_DELIVERY_MEDIUM": "SMS", "CODE_DELIVERY_DESTINATION": "+*******5678"}},
		{"email", "OPTIONAL", cognitoidp.UserSpec{EmailMFA: true}, "EMAIL_OTP", map[string]string{
			"USER_ID_FOR_SRP": "ada", "CODE_DELIVERY_DELIVERY_MEDIUM": "EMAIL", "CODE_DELIVERY_DESTINATION": "a***@e***"}},
		{"totp", "OPTIONAL", cognitoidp.UserSpec{TOTPSecret: secret(totpSecret)}, "SOFTWARE_TOKEN_MFA", map[string]string{"USER_ID_FOR_SRP": "ada"}},
		{"two", "OPTIONAL", cognitoidp.UserSpec{SMSMFA: true, TOTPSecret: secret(totpSecret)}, "SELECT_MFA_TYPE", map[string]string{
			"USER_ID_FOR_SRP": "ada", "MFAS_CAN_CHOOSE": `["SMS_MFA","SOFTWARE_TOKEN_MFA"]`}},
		{"two, preferred", "OPTIONAL", cognitoidp.UserSpec{SMSMFA: true, TOTPSecret: secret(totpSecret), Preferred: "SOFTWARE_TOKEN_MFA"}, "SOFTWARE_TOKEN_MFA",
			map[string]string{"USER_ID_FOR_SRP": "ada"}},
		{"on, phone", "ON", cognitoidp.UserSpec{}, "SMS_MFA", map[string]string{
			"USER_ID_FOR_SRP": "ada", "CODE_DELIVERY_DELIVERY_MEDIUM": "SMS", "CODE_DELIVERY_DESTINATION": "+*******5678"}},
		{"on, nothing", "ON", cognitoidp.UserSpec{Attributes: userpool.Attributes{"name": "Ada"}}, "MFA_SETUP", map[string]string{
			"USER_ID_FOR_SRP": "ada", "MFAS_CAN_SETUP": `["SOFTWARE_TOKEN_MFA","SMS_MFA","EMAIL_OTP"]`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.mfaPool(c.mode)
			client := w.client(p).ID
			c.user.Username, c.user.Password = "ada", secret("right")
			if c.user.Attributes == nil {
				c.user.Attributes = reach
			}
			w.user(p, c.user)
			out := must(w.signIn(client, "ada", "right"))(t)
			if diff := cmp.Diff(c.parameters, out.ChallengeParameters); diff != "" || string(out.ChallengeName) != c.challenge {
				t.Errorf("challenge %s: %s", out.ChallengeName, diff)
			}
			if (out.AuthenticationResult != nil) != (c.challenge == "") || (out.Session == nil) != (c.challenge == "") {
				t.Errorf("tokens or a challenge, not both: %+v", out)
			}
			responses := map[string]string{"USERNAME": "ada"}
			session := out.Session
			if c.challenge == "SELECT_MFA_TYPE" {
				responses["ANSWER"] = "EMAIL_OTP"
				_, err := w.answer(client, c.challenge, session, responses)
				wants(t, err, "InvalidParameterException")
				responses["ANSWER"] = "SMS_MFA"
				next := must(w.answer(client, c.challenge, session, responses))(t)
				c.challenge, session = string(next.ChallengeName), next.Session
				delete(responses, "ANSWER")
			}
			field := map[string]string{"SMS_MFA": "SMS_MFA_CODE", "EMAIL_OTP": "EMAIL_OTP_CODE", "SOFTWARE_TOKEN_MFA": "SOFTWARE_TOKEN_MFA_CODE"}[c.challenge]
			switch {
			case c.challenge == "MFA_SETUP":
				_, err := w.answer(client, c.challenge, session, responses)
				wants(t, err, "SandboxUnsupported")
				return
			case field == "":
				return
			}
			responses[field] = "000000"
			_, err := w.answer(client, c.challenge, session, responses)
			wants(t, err, "CodeMismatchException")
			if c.challenge == "SOFTWARE_TOKEN_MFA" {
				responses[field] = must(totp.GenerateCode(totpSecret, w.clock.now()))(t)
			} else {
				m, _ := w.LastMessage(p, "ada")
				responses[field] = m.Code.Reveal()
			}
			done := must(w.answer(client, c.challenge, session, responses))(t)
			if done.AuthenticationResult == nil {
				t.Error("no tokens")
			}
			_, err = w.answer(client, c.challenge, session, responses)
			if c.challenge == "SOFTWARE_TOKEN_MFA" {
				wants(t, err, "NotAuthorizedException: Invalid session for the user, session can only be used once.")
				fresh := must(w.signIn(client, "ada", "right"))(t)
				_, err = w.answer(client, c.challenge, fresh.Session, responses)
				wants(t, err, "ExpiredCodeException: Your software token has already been used once.")
				w.clock.move(time.Minute)
				responses[field] = must(totp.GenerateCode(totpSecret, w.clock.now().Add(-30*time.Second)))(t) // one step late
				_ = must(w.answer(client, c.challenge, fresh.Session, responses))(t)
				return
			}
			wants(t, err, "NotAuthorizedException: Invalid session for the user, session can only be used once.")
		})
	}
}

func TestSessionsAreBound(t *testing.T) {
	w := newWorld(t)
	p := w.mfaPool("OPTIONAL")
	client, other := w.client(p).ID, w.client(p).ID
	for _, name := range []string{"ada", "bob"} {
		w.user(p, cognitoidp.UserSpec{Username: name, Password: secret("right"), SMSMFA: true, Attributes: userpool.Attributes{"phone_number": "+4915112345678"}})
	}
	session := must(w.signIn(client, "ada", "right"))(t).Session
	m, _ := w.LastMessage(p, "ada")
	sms := map[string]string{"USERNAME": "ada", "SMS_MFA_CODE": m.Code.Reveal()}
	try := func(client, challenge string, session *string, responses map[string]string, want string) {
		t.Helper()
		_, err := w.answer(client, challenge, session, responses)
		wants(t, err, want)
	}
	const invalid = "NotAuthorizedException: Invalid session for the user"
	try(other, "SMS_MFA", session, sms, invalid)
	try(client, "EMAIL_OTP", session, sms, invalid)
	try(client, "SMS_MFA", session, map[string]string{"USERNAME": "bob", "SMS_MFA_CODE": m.Code.Reveal()}, invalid)
	try(client, "SMS_MFA", new("made up but long enough"), sms, invalid)
	try(client, "SMS_MFA", nil, sms, "InvalidParameterException: Missing required parameter Session")
	try(client, "SMS_MFA", session, map[string]string{"USERNAME": "ada"}, "InvalidParameterException: Missing required parameter SMS_MFA_CODE")
	w.clock.move(3 * time.Minute)
	try(client, "SMS_MFA", session, sms, invalid+", session is expired.")
	session = must(w.signIn(client, "ada", "right"))(t).Session
	if _, err := w.api.AdminDisableUser(ctx, &cip.AdminDisableUserInput{UserPoolId: &p, Username: new("ada")}); err != nil {
		t.Fatal(err)
	}
	try(client, "SMS_MFA", session, sms, "NotAuthorizedException: User is disabled.")
}

func TestNewPassword(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{Schema: []cognitoidp.Attribute{{Name: "name", Required: true}}})
	client := w.client(p).ID
	created, err := w.api.AdminCreateUser(ctx, &cip.AdminCreateUserInput{UserPoolId: &p, Username: new("ada"), TemporaryPassword: new("Temporary1!"), MessageAction: "SUPPRESS"})
	if err != nil || created.User.UserStatus != "FORCE_CHANGE_PASSWORD" {
		t.Fatal(created, err)
	}
	out := must(w.signIn(client, "ada", "Temporary1!"))(t)
	if diff := cmp.Diff(map[string]string{"USER_ID_FOR_SRP": "ada", "requiredAttributes": `["userAttributes.name"]`, "userAttributes": "{}"}, out.ChallengeParameters); diff != "" {
		t.Error(diff)
	}
	responses := map[string]string{"USERNAME": "ada", "NEW_PASSWORD": "short"}
	step := func(want string) {
		t.Helper()
		_, err := w.answer(client, "NEW_PASSWORD_REQUIRED", out.Session, responses)
		wants(t, err, want)
	}
	step("InvalidPasswordException: Password did not conform with policy")
	responses["NEW_PASSWORD"] = "Permanent1!"
	step("InvalidParameterException: Attributes did not conform to the schema: name")
	responses["userAttributes.name"] = "Ada"
	responses["userAttributes.custom:x"] = "y"
	step("NotAuthorizedException: A client attempted to write unauthorized attribute")
	delete(responses, "userAttributes.custom:x")
	step("")
	if _, err := w.signIn(client, "ada", "Permanent1!"); err != nil {
		t.Error(err)
	}
	// A temporary password does not live for ever; RESEND gives another week.
	if _, err := w.api.AdminSetUserPassword(ctx, &cip.AdminSetUserPasswordInput{UserPoolId: &p, Username: new("ada"), Password: new("Temporary2!")}); err != nil {
		t.Fatal(err)
	}
	w.clock.move(7 * 24 * time.Hour)
	_, err = w.signIn(client, "ada", "Temporary2!")
	wants(t, err, "NotAuthorizedException: Temporary password has expired and must be reset by an administrator.")
	resend := &cip.AdminCreateUserInput{UserPoolId: &p, Username: new("ada"), TemporaryPassword: new("Temporary3!"), MessageAction: "RESEND"}
	_ = must(w.api.AdminCreateUser(ctx, resend))(t)
	if out := must(w.signIn(client, "ada", "Temporary3!"))(t); out.ChallengeName != "NEW_PASSWORD_REQUIRED" {
		t.Errorf("challenge %s", out.ChallengeName)
	}
	w.user(p, cognitoidp.UserSpec{Username: "bob"})
	resend.Username = new("bob")
	_, err = w.api.AdminCreateUser(ctx, resend)
	wants(t, err, "UnsupportedUserStateException")
}

// TestAdminAnswersChallenge goes through the signed operations.
func TestAdminAnswersChallenge(t *testing.T) {
	w := newWorld(t)
	p := w.mfaPool("ON")
	c := w.client(p).ID
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("right"), Attributes: userpool.Attributes{"phone_number": "+4915112345678"}})
	out := must(w.api.AdminInitiateAuth(ctx, &cip.AdminInitiateAuthInput{UserPoolId: &p, ClientId: &c, AuthFlow: "ADMIN_USER_PASSWORD_AUTH",
		AuthParameters: map[string]string{"USERNAME": "ada", "PASSWORD": "right"}}))(t)
	m, _ := w.LastMessage(p, "ada")
	done := must(w.api.AdminRespondToAuthChallenge(ctx, &cip.AdminRespondToAuthChallengeInput{UserPoolId: &p, ClientId: &c, ChallengeName: out.ChallengeName,
		Session: out.Session, ChallengeResponses: map[string]string{"USERNAME": "ada", "SMS_MFA_CODE": m.Code.Reveal()}}))(t)
	if done.AuthenticationResult == nil {
		t.Error("no tokens")
	}
}
