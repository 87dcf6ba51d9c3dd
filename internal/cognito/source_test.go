package cognito_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/cognito"
	"poolferry/internal/fault"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

const password = "Canary-source-91!"

// aws answers Cognito calls with scripted answers, in order; the last one
// repeats. It keeps what it was asked.
type aws struct {
	mu      sync.Mutex
	answers []answer
	calls   []call
}

type call struct {
	Operation string
	Body      map[string]any
}

type answer struct {
	status int
	body   string
	hang   bool // never answer
}

func apiError(status int, code, message string) answer {
	body, _ := json.Marshal(map[string]string{"__type": code, "message": message})
	return answer{status: status, body: string(body)}
}

func (a *aws) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	c := call{Operation: strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AWSCognitoIdentityProviderService.")}
	_ = json.Unmarshal(data, &c.Body)
	a.mu.Lock()
	a.calls = append(a.calls, c)
	next := a.answers[0]
	if len(a.answers) > 1 {
		a.answers = a.answers[1:]
	}
	a.mu.Unlock()
	if next.hang {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(next.status)
	_, _ = io.WriteString(w, next.body)
}

// account returns an account whose every call goes to a.
func (a *aws) account(t *testing.T) *cognito.Account {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	env := map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "key", "AWS_ENDPOINT_URL": server.URL}
	account, err := cognito.NewAccount(t.Context(), "eu-west-1", func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// known is a client secret that need not be fetched.
func known(text string) func(context.Context) (userpool.Secret, error) {
	return func(context.Context) (userpool.Secret, error) { return userpool.NewSecret(text), nil }
}

func newSource(t *testing.T, answers ...answer) (*cognito.Source, *aws) {
	t.Helper()
	a := &aws{answers: answers}
	return cognito.NewSource(a.account(t), cognito.SourceOptions{
		Region: "eu-west-1", PoolID: "eu-west-1_OldPool01", ClientID: "client1", ClientSecret: known("shh"),
	}), a
}

// TestStandings holds what Cognito can say about a name and a password (Cognito
// API reference, AdminInitiateAuth; texts from the Developer Guide).
func TestStandings(t *testing.T) {
	tests := []struct {
		answer answer
		want   trigger.Standing
	}{
		{apiError(400, "NotAuthorizedException", "Incorrect username or password."), trigger.WrongPassword},
		{apiError(403, "NotAuthorizedException", "User is disabled."), trigger.UserDisabled},
		{apiError(400, "NotAuthorizedException", "Password attempts exceeded"), trigger.AttemptsExceeded},
		{apiError(400, "NotAuthorizedException", "Temporary password has expired and must be reset by an administrator."), trigger.ResetRequired},
		{apiError(400, "NotAuthorizedException", "A text that nobody has seen yet"), trigger.WrongPassword},
		{apiError(400, "UserNotFoundException", "User does not exist."), trigger.NoSuchUser},
		{apiError(400, "UserNotConfirmedException", "User is not confirmed."), trigger.UserUnconfirmed},
		{apiError(400, "PasswordResetRequiredException", "Password reset required for the user"), trigger.ResetRequired},
		{apiError(400, "UserLambdaValidationException", "PreAuthentication failed with error no."), trigger.WrongPassword},
		{answer{status: 200, body: `{"AuthenticationResult":{"IdToken":"a.b.c"}}`}, trigger.Proven},
		{answer{status: 200, body: `{"AuthenticationResult":{}}`}, trigger.StandingUnknown},
		{answer{status: 200, body: `{}`}, trigger.StandingUnknown},
		{answer{status: 200, body: `{"ChallengeName":"SMS_MFA","Session":"s","ChallengeParameters":{"USER_ID_FOR_SRP":"ann"}}`}, trigger.Challenged},
		{answer{status: 200, body: `{"ChallengeName":"SOMETHING_NEW"}`}, trigger.Challenged},
	}
	for _, tt := range tests {
		t.Run(tt.answer.body, func(t *testing.T) {
			source, aws := newSource(t, tt.answer)
			reply, err := source.Authenticate(t.Context(), "ann", userpool.NewSecret(password))
			if err != nil || reply.Standing != tt.want {
				t.Errorf("standing %d, error %v; want %d", reply.Standing, err, tt.want)
			}
			if len(aws.calls) != 1 {
				t.Errorf("%d calls: what the pool says of a user is never asked twice", len(aws.calls))
			}
		})
	}
}

// TestTrouble holds what is not about the user.
func TestTrouble(t *testing.T) {
	tests := []struct {
		answer   answer
		want     fault.Kind
		attempts int
	}{
		{apiError(400, "TooManyRequestsException", "Rate exceeded"), fault.Throttled, 2},
		{apiError(400, "LimitExceededException", "Attempt limit exceeded"), fault.Throttled, 2},
		{apiError(500, "InternalErrorException", "Something went wrong"), fault.Unavailable, 2},
		{apiError(500, "InternalFailure", "x"), fault.Unavailable, 2},
		{apiError(503, "ServiceUnavailable", "x"), fault.Unavailable, 2},
		{answer{status: 503, body: "<html>"}, fault.Unavailable, 2},
		{apiError(400, "UnexpectedLambdaException", "x"), fault.Unavailable, 1},
		{apiError(400, "InvalidLambdaResponseException", "x"), fault.Unavailable, 1},
		{apiError(400, "NotAuthorizedException", "Unable to verify secret hash for client client1"), fault.Denied, 1},
		{apiError(400, "NotAuthorizedException", "Client client1 is configured with secret but SECRET_HASH was not received"), fault.Denied, 1},
		{apiError(400, "NotAuthorizedException", "User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: cognito-idp:AdminInitiateAuth"), fault.Denied, 1},
		{apiError(400, "AccessDeniedException", "x"), fault.Denied, 1},
		{apiError(400, "UnrecognizedClientException", "x"), fault.Denied, 1},
		{apiError(400, "InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client"), fault.Invalid, 1},
		{apiError(400, "InvalidUserPoolConfigurationException", "x"), fault.Invalid, 1},
		{apiError(400, "InvalidSmsRoleAccessPolicyException", "x"), fault.Invalid, 1},
		{apiError(400, "InvalidSmsRoleTrustRelationshipException", "x"), fault.Invalid, 1},
		{apiError(400, "InvalidEmailRoleAccessPolicyException", "x"), fault.Invalid, 1},
		{apiError(400, "MFAMethodNotFoundException", "x"), fault.Invalid, 1},
		{apiError(400, "OperationNotEnabledException", "x"), fault.Invalid, 1},
		{apiError(400, "UnsupportedOperationException", "x"), fault.Invalid, 1},
		{apiError(400, "ResourceNotFoundException", "User pool client client1 does not exist."), fault.Invalid, 1},
		{apiError(400, "SomethingNewException", "x"), fault.Invalid, 1},
	}
	for _, tt := range tests {
		t.Run(tt.answer.body, func(t *testing.T) {
			source, aws := newSource(t, tt.answer)
			reply, err := source.Authenticate(t.Context(), "ann", userpool.NewSecret(password))
			if fault.KindOf(err) != tt.want || err == nil {
				t.Errorf("kind %s (%v), want %s", fault.KindOf(err), err, tt.want)
			}
			if reply.Standing != trigger.StandingUnknown {
				t.Errorf("standing %d beside an error", reply.Standing)
			}
			if len(aws.calls) != tt.attempts {
				t.Errorf("%d attempts, want %d", len(aws.calls), tt.attempts)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, err), password) {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

func TestSecondAttemptSucceeds(t *testing.T) {
	fine := answer{status: 200, body: `{"AuthenticationResult":{"IdToken":"a.b.c"}}`}
	for name, first := range map[string]answer{
		"after a throttle": apiError(400, "TooManyRequestsException", "Rate exceeded"),
		"after a 5xx":      apiError(500, "InternalErrorException", "x"),
		"after silence":    {hang: true}, // takes one attempt's time limit
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, _ := newSource(t, first, fine)
			reply, err := source.Authenticate(t.Context(), "ann", userpool.NewSecret(password))
			if err != nil || reply.Standing != trigger.Proven {
				t.Errorf("standing %d, error %v", reply.Standing, err)
			}
		})
	}
}

func TestCancelledCallIsADeadline(t *testing.T) {
	source, _ := newSource(t, answer{hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := source.Authenticate(ctx, "ann", userpool.NewSecret(password))
	if fault.KindOf(err) != fault.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of kind %s", err, fault.KindOf(err))
	}
}

// The hash was computed with openssl: printf annclient1 | openssl dgst -sha256
// -hmac shh -binary | base64.
const annHash = "LtLkSc8BUD9kNR/Ilj9rMgi6OpRefpzHev9uexXslRc="

func TestAuthenticateSends(t *testing.T) {
	source, aws := newSource(t, answer{status: 200, body: `{"AuthenticationResult":{"IdToken":"a.b.c"}}`})
	if _, err := source.Authenticate(t.Context(), "ann", userpool.NewSecret(password)); err != nil {
		t.Fatal(err)
	}
	want := []call{{"AdminInitiateAuth", map[string]any{
		"AuthFlow": "ADMIN_USER_PASSWORD_AUTH", "ClientId": "client1", "UserPoolId": "eu-west-1_OldPool01",
		"AuthParameters": map[string]any{"USERNAME": "ann", "PASSWORD": password, "SECRET_HASH": annHash},
	}}}
	if diff := cmp.Diff(want, aws.calls); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAnswer(t *testing.T) {
	tokens := answer{status: 200, body: `{"AuthenticationResult":{"IdToken":"a.b.c"}}`}
	totp := answer{status: 200, body: `{"ChallengeName":"SOFTWARE_TOKEN_MFA","Session":"s2","ChallengeParameters":{}}`}
	challenge := func(name string, choices ...string) trigger.Challenge {
		return trigger.Challenge{Name: name, Session: userpool.NewSecret("s1"), Username: "ann", Choices: choices}
	}
	sent := func(name, session, key, value string) call {
		return call{"AdminRespondToAuthChallenge", map[string]any{
			"ChallengeName": name, "ClientId": "client1", "UserPoolId": "eu-west-1_OldPool01", "Session": session,
			"ChallengeResponses": map[string]any{"USERNAME": "ann", "SECRET_HASH": annHash, key: value},
		}}
	}
	tests := []struct {
		name      string
		challenge trigger.Challenge
		answers   []answer
		want      trigger.Standing
		calls     []call
	}{
		{"TOTP", challenge("SOFTWARE_TOKEN_MFA"), []answer{tokens}, trigger.Proven, []call{sent("SOFTWARE_TOKEN_MFA", "s1", "SOFTWARE_TOKEN_MFA_CODE", "123456")}},
		{"SMS", challenge("SMS_MFA"), []answer{tokens}, trigger.Proven, []call{sent("SMS_MFA", "s1", "SMS_MFA_CODE", "123456")}},
		{"e-mail", challenge("EMAIL_OTP"), []answer{tokens}, trigger.Proven, []call{sent("EMAIL_OTP", "s1", "EMAIL_OTP_CODE", "123456")}},
		{"choice", challenge("SELECT_MFA_TYPE", "SMS_MFA", "SOFTWARE_TOKEN_MFA"), []answer{totp, tokens}, trigger.Proven, []call{
			sent("SELECT_MFA_TYPE", "s1", "ANSWER", "SOFTWARE_TOKEN_MFA"), sent("SOFTWARE_TOKEN_MFA", "s2", "SOFTWARE_TOKEN_MFA_CODE", "123456")}},
		{"wrong code", challenge("SOFTWARE_TOKEN_MFA"), []answer{apiError(400, "CodeMismatchException", "x")}, trigger.WrongCode, nil},
		{"code used before", challenge("SOFTWARE_TOKEN_MFA"), []answer{apiError(400, "ExpiredCodeException", "x")}, trigger.WrongCode, nil},
		{"session expired", challenge("SOFTWARE_TOKEN_MFA"), []answer{apiError(400, "NotAuthorizedException", "Invalid session for the user, session is expired.")}, trigger.WrongCode, nil},
		{"asked to choose again", challenge("SELECT_MFA_TYPE", "SMS_MFA"), []answer{{status: 200, body: `{"ChallengeName":"SELECT_MFA_TYPE"}`}}, trigger.Challenged, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source, aws := newSource(t, tt.answers...)
			reply, err := source.Answer(t.Context(), tt.challenge, userpool.NewSecret("123456"))
			if err != nil || reply.Standing != tt.want {
				t.Errorf("standing %d, error %v; want %d", reply.Standing, err, tt.want)
			}
			if tt.calls != nil {
				if diff := cmp.Diff(tt.calls, aws.calls); diff != "" {
					t.Errorf("calls (-want +got)\n%s", diff)
				}
			}
		})
	}
	source, _ := newSource(t, apiError(500, "InternalErrorException", "x"))
	if _, err := source.Answer(t.Context(), challenge("SMS_MFA"), userpool.NewSecret("1")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a 5xx is %v", err)
	}
}

func TestUser(t *testing.T) {
	source, _ := newSource(t, answer{status: 200, body: `{"Username":"ann","Enabled":true,"UserStatus":"CONFIRMED","UserMFASettingList":["SMS_MFA"],
		"UserAttributes":[{"Name":"sub","Value":"5e1f"},{"Name":"email","Value":"ann@example.com"},{"Name":"custom:empty"}]}`})
	got, err := source.User(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	want := userpool.User{Sub: "5e1f", Username: "ann", Enabled: true, Status: userpool.StatusConfirmed, MFA: []string{"SMS_MFA"},
		Attributes: userpool.Attributes{"email": "ann@example.com", "custom:empty": ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	source, _ = newSource(t, apiError(400, "UserNotFoundException", "User does not exist."))
	if _, err := source.User(t.Context(), "ann"); fault.KindOf(err) != fault.NotFound || strings.Contains(err.Error(), "ann") {
		t.Errorf("error %v", err)
	}
}
