package cognito_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/cognito"
	"poolferry/internal/fault"
	"poolferry/internal/preflight"
	"poolferry/internal/preflight/trial"
	"poolferry/internal/userpool"
)

func survey(t *testing.T, answers ...answer) *cognito.Survey {
	t.Helper()
	a := &aws{answers: answers}
	return cognito.NewSurvey(a.account(t), "eu-west-1", "eu-west-1_OldPool01", cognito.Role{})
}

// TestSurveyDescribes reads what a pool answers that has everything.
func TestSurveyDescribes(t *testing.T) {
	s := survey(t, answer{status: 200, body: `{"UserPool":{"Id":"eu-west-1_OldPool01","EstimatedNumberOfUsers":7,"UserPoolTier":"PLUS","MfaConfiguration":"ON",
		"AliasAttributes":["email"],"AutoVerifiedAttributes":["email"],"UsernameConfiguration":{"CaseSensitive":false},
		"UserPoolAddOns":{"AdvancedSecurityMode":"ENFORCED"},"AdminCreateUserConfig":{"AllowAdminCreateUserOnly":true},
		"EmailConfiguration":{"EmailSendingAccount":"DEVELOPER"},
		"Policies":{"PasswordPolicy":{"MinimumLength":12,"RequireSymbols":true,"PasswordHistorySize":4}},
		"LambdaConfig":{"UserMigration":"arn:f","PreTokenGenerationConfig":{"LambdaArn":"arn:p","LambdaVersion":"V2_0"}},
		"SchemaAttributes":[{"Name":"sub","AttributeDataType":"String","Mutable":false,"Required":true,"StringAttributeConstraints":{"MinLength":"1","MaxLength":"2048"}}]}}`})
	got, err := s.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := preflight.Pool{
		Pool: userpool.Pool{
			ID: "eu-west-1_OldPool01", Aliases: []string{"email"}, MFA: userpool.MFAOn, PreTokenGeneration: true,
			Schema: userpool.Schema{"sub": {Name: "sub", Type: userpool.TypeString, Required: true, Min: new(int64(1)), Max: new(int64(2048))}},
		},
		Users: 7, Plan: "PLUS", ThreatProtection: "ENFORCED", Password: preflight.PasswordRules{MinimumLength: 12, Symbols: true, History: true},
		AutoVerified: []string{"email"}, MigrationTrigger: "arn:f", Triggers: map[string]string{"UserMigration": "arn:f", "PreTokenGeneration": "arn:p"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	s = survey(t, answer{status: 200, body: `{"UserPool":{"Id":"eu-west-1_OldPool01"}}`})
	if got, err = s.Describe(t.Context()); err != nil || !got.SelfSignUp || !got.CognitoSendsMail || got.ThreatProtection != "OFF" || got.Triggers == nil {
		t.Errorf("a pool of which nobody has set anything: %+v, %v", got, err)
	}
}

// TestSurveyIsAbsent: what is not there is not a wrong request.
func TestSurveyIsAbsent(t *testing.T) {
	for body, want := range map[string]fault.Kind{
		"ResourceNotFoundException": fault.NotFound, "AccessDeniedException": fault.Denied, "InvalidParameterException": fault.Invalid,
	} {
		s := survey(t, apiError(400, body, "x"), apiError(400, body, "x"), apiError(400, body, "x"))
		_, err := s.Describe(t.Context())
		if fault.KindOf(err) != want {
			t.Errorf("%s of a pool: %v", body, err)
		}
		if _, err = s.Client(t.Context(), "c1"); fault.KindOf(err) != want {
			t.Errorf("%s of a client: %v", body, err)
		}
		if _, err = s.Factors(t.Context()); fault.KindOf(err) != want {
			t.Errorf("%s of factors: %v", body, err)
		}
	}
}

// TestSurveyNeverKeepsASecret: DescribeUserPoolClient tells it.
func TestSurveyNeverKeepsASecret(t *testing.T) {
	s := survey(t, answer{status: 200, body: `{"UserPoolClient":{"ClientId":"c1","ClientName":"app","ClientSecret":"very-secret","ExplicitAuthFlows":["ALLOW_USER_SRP_AUTH"],
		"PreventUserExistenceErrors":"ENABLED","WriteAttributes":["email"],"AllowedOAuthFlowsUserPoolClient":true,"AllowedOAuthFlows":["client_credentials"],"SupportedIdentityProviders":["COGNITO"]}}`})
	got, err := s.Client(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	want := preflight.Client{
		ID: "c1", Name: "app", Flows: []string{"ALLOW_USER_SRP_AUTH"}, HidesUsers: true, Secret: true,
		Reads: userpool.StandardAttributes(), Writes: []string{"email"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFunctions(t *testing.T) {
	const arn = "arn:aws:lambda:eu-west-1:222222222222:function:f"
	functions := func(answers ...answer) *cognito.Functions {
		a := &aws{answers: answers}
		return cognito.NewFunctions(a.account(t), "eu-west-1", "POOLFERRY_CONFIG")
	}
	f := functions(answer{status: 200, body: `{"Environment":{"Variables":{"POOLFERRY_CONFIG":"version: 1","SECRET":"s"}}}`})
	if got, err := f.Configuration(t.Context(), arn+":live"); err != nil || got != "version: 1" {
		t.Errorf("configuration %q, %v", got, err)
	}
	f = functions(answer{status: 200, body: `{"Environment":{"Error":{"ErrorCode":"AccessDeniedException","Message":"key"}}}`})
	if _, err := f.Configuration(t.Context(), arn); fault.KindOf(err) != fault.Denied || strings.Contains(err.Error(), "key") {
		t.Errorf("an environment that cannot be decrypted: %v", err)
	}
	f = functions(answer{status: 200, body: `{}`})
	if got, err := f.Configuration(t.Context(), arn); err != nil || got != "" {
		t.Errorf("a function without variables: %q, %v", got, err)
	}
	f = functions(apiError(404, "ResourceNotFoundException", "x"), apiError(404, "ResourceNotFoundException", "x"), apiError(403, "AccessDeniedException", "x"))
	if _, err := f.Configuration(t.Context(), arn); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a function that there is not: %v", err)
	}
	if got, err := f.Policy(t.Context(), arn); err != nil || got != "" {
		t.Errorf("a function without a policy: %q, %v", got, err)
	}
	if _, err := f.Policy(t.Context(), arn); fault.KindOf(err) != fault.Denied {
		t.Errorf("a policy that may not be read: %v", err)
	}
}

func TestQuotas(t *testing.T) {
	a := &aws{answers: []answer{{status: 200, body: `{"Quotas":[{"QuotaName":"Rate of UserList requests","Value":30},{"QuotaName":"Rate of UserUpdate requests","Value":250},
		{"QuotaName":"Rate of UserPoolClientRead requests per user pool","Value":5},{"QuotaName":"Groups per user","Value":100},{"QuotaName":"Rate of UserRead requests"}]}`},
		apiError(400, "AccessDeniedException", "x")}}
	q := cognito.NewQuotas(a.account(t), "eu-west-1")
	got, err := q.Quotas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{"UserList": 30, "UserUpdate": 250}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := q.Quotas(t.Context()); fault.KindOf(err) != fault.Denied {
		t.Errorf("error %v", err)
	}
}

// TestTrial: what the pool says of nobody is how it should be, what it says of
// role, client or flow is not.
func TestTrial(t *testing.T) {
	const works, denied, wrong, silent = "", fault.Denied, fault.Invalid, fault.Throttled
	tests := []struct {
		action string
		answer answer
		want   fault.Kind
	}{
		{trial.Authenticate, apiError(400, "UserNotFoundException", "User does not exist."), works},
		{trial.Authenticate, apiError(400, "NotAuthorizedException", "Incorrect username or password."), works},
		{trial.Authenticate, apiError(400, "AccessDeniedException", "x"), denied},
		{trial.Authenticate, apiError(400, "NotAuthorizedException", "Unable to verify secret hash for client client1"), wrong},
		{trial.Authenticate, apiError(400, "InvalidParameterException", "Auth flow not enabled for this client"), wrong},
		{trial.Authenticate, apiError(400, "ResourceNotFoundException", "x"), wrong},
		{trial.Authenticate, apiError(400, "TooManyRequestsException", "x"), silent},
		{trial.Read, apiError(400, "UserNotFoundException", "x"), works},
		{trial.Read, apiError(400, "AccessDeniedException", "x"), denied},
		{trial.Read, apiError(400, "InvalidParameterException", "x"), wrong},
		{trial.Respond, apiError(400, "NotAuthorizedException", "Invalid session for the user."), works},
		{trial.Respond, apiError(400, "CodeMismatchException", "x"), works},
		{trial.Respond, apiError(400, "InvalidParameterException", "x"), works},
		{trial.Respond, apiError(400, "AccessDeniedException", "x"), denied},
		{trial.Respond, apiError(400, "TooManyRequestsException", "x"), silent},
	}
	for _, tt := range tests {
		t.Run(tt.action+" "+tt.answer.body, func(t *testing.T) {
			source, a := newSource(t, tt.answer, tt.answer)
			roles := cognito.NewTrial(source, nil)
			var err error
			switch tt.action {
			case trial.Authenticate:
				err = roles.Authenticate(t.Context())
			case trial.Read:
				err = roles.Read(t.Context())
			case trial.Respond:
				err = roles.Respond(t.Context())
			}
			if got := fault.KindOf(err); err != nil && got != tt.want || err == nil && tt.want != works {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if err == nil && tt.want != works {
				t.Error("no error")
			}
			if len(a.calls) == 0 {
				t.Error("nothing was asked")
			}
		})
	}
}
