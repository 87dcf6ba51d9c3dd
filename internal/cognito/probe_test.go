package cognito_test

import (
	"testing"

	"poolferry/internal/cognito"
)

// TestTakesPasswords: only who has looked at the password has the flow. That our
// secret is wrong says nothing of it.
func TestTakesPasswords(t *testing.T) {
	client := answer{status: 200, body: `{"UserPoolClient":{"ClientId":"app","ClientSecret":"s"}}`}
	for _, c := range []struct {
		code, message  string
		takes, trouble bool
	}{
		{"InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client", false, false},
		{"InvalidParameterException", "1 validation error detected", false, true},
		{"NotAuthorizedException", "Incorrect username or password.", true, false},
		{"NotAuthorizedException", "Unable to verify secret hash for client app", false, true},
		{"NotAuthorizedException", "Client app is configured with secret but SECRET_HASH was not received", false, true},
		{"UserNotFoundException", "User does not exist.", true, false},
		{"UserLambdaValidationException", "PreAuthentication failed with error no.", true, false},
		{"ForbiddenException", "Request not allowed due to WAF block.", false, true},
	} {
		a := &aws{answers: []answer{client, apiError(400, c.code, c.message)}}
		p := cognito.NewProbe(a.account(t), cognito.SettingsOptions{Region: "eu-west-1", PoolID: "eu-west-1_NewPool01", PerSecond: 1000}, "nobody")
		if takes, err := p.TakesPasswords(t.Context(), "app"); takes != c.takes || (err != nil) != c.trouble {
			t.Errorf("%s, %s: %v, %v", c.code, c.message, takes, err)
		}
	}
}
