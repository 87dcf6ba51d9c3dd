package pool

import (
	"strings"
	"testing"
	"time"

	"poolferry/internal/sandbox/cognitoidp/schema"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func create(s Settings, f Frozen) (*Pool, error) {
	return New("222222222222", "eu-central-1", "p", s, f, nil, func() string { return "https://x" }, NewRandom(1), noon)
}

func TestSettingsAreChecked(t *testing.T) {
	const lambda = "arn:aws:lambda:x"
	for _, c := range []struct {
		name string
		s    Settings
		f    Frozen
		want string
	}{
		{"zero", Settings{}, Frozen{}, ""},
		{"MFA mode", Settings{MfaConfiguration: "SOMETIMES"}, Frozen{}, "'mfaConfiguration'"},
		{"MFA without a factor", Settings{MfaConfiguration: "ON"}, Frozen{}, "SMS configuration"},
		{"tier", Settings{UserPoolTier: "GOLD"}, Frozen{}, "'userPoolTier'"},
		{"protection", Settings{DeletionProtection: "MAYBE"}, Frozen{}, "'deletionProtection'"},
		{"verified", Settings{AutoVerifiedAttributes: []string{"name"}}, Frozen{}, "'autoVerifiedAttributes'"},
		{"short passwords", Settings{Policies: Policies{PasswordPolicy: &schema.PasswordPolicy{MinimumLength: 5}}}, Frozen{}, "between 6 and 99"},
		{"history", Settings{Policies: Policies{PasswordPolicy: &schema.PasswordPolicy{PasswordHistorySize: 25}}}, Frozen{}, "between 0 and 24"},
		{"two names of one limit", Settings{Policies: Policies{PasswordPolicy: &schema.PasswordPolicy{TemporaryPasswordValidityDays: 3}}, AdminCreateUserConfig: AdminCreateUser{UnusedAccountValidityDays: 3}}, Frozen{}, "instead of UnusedAccountValidityDays"},
		{"older name", Settings{AdminCreateUserConfig: AdminCreateUser{UnusedAccountValidityDays: 3}}, Frozen{}, ""},
		{"code and link", Settings{VerificationMessageTemplate: Kept(`{"EmailMessage":"a","EmailMessageByLink":"b"}`)}, Frozen{}, "cannot both be set"},
		{"SNS and End User Messaging", Settings{SmsConfiguration: Kept(`{"SnsCallerArn":"arn:a","EumsSms":{}}`)}, Frozen{}, "cannot both be set"},
		{"no object", Settings{SmsConfiguration: Kept(`7`)}, Frozen{}, "'smsConfiguration'"},
		{"recovery", Settings{AccountRecoverySetting: &Recovery{[]RecoveryOption{{Name: "pigeon"}}}}, Frozen{}, "'accountRecoverySetting'"},
		{"trigger", Settings{LambdaConfig: Triggers{UserMigration: "migrate-user"}}, Frozen{}, "'lambdaConfig.userMigration'"},
		{"token trigger V2", Settings{LambdaConfig: Triggers{PreTokenGenerationConfig: &TokenTrigger{lambda, "V3_0"}}}, Frozen{}, ""},
		{"token trigger of a version to come", Settings{LambdaConfig: Triggers{PreTokenGenerationConfig: &TokenTrigger{lambda, "V9_0"}}}, Frozen{}, "lambdaVersion"},
		{"two token triggers", Settings{LambdaConfig: Triggers{PreTokenGeneration: lambda + "2", PreTokenGenerationConfig: &TokenTrigger{lambda, "V1_0"}}}, Frozen{}, "same function"},
		{"alias", Settings{}, Frozen{AliasAttributes: []string{"name"}}, "'aliasAttributes'"},
		{"username attribute", Settings{}, Frozen{UsernameAttributes: []string{"preferred_username"}}, "'usernameAttributes'"},
		{"both", Settings{}, Frozen{AliasAttributes: []string{"email"}, UsernameAttributes: []string{"email"}}, "Only one of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := create(c.s, c.f)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestClientsAreChecked(t *testing.T) {
	p, err := create(Settings{}, Frozen{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		s    ClientSettings
		want string
	}{
		{"complete", ClientSettings{ClientName: "c"}, ""},
		{"no name", ClientSettings{}, "'clientName'"},
		{"existence errors", ClientSettings{ClientName: "c", PreventUserExistenceErrors: "NO"}, "'preventUserExistenceErrors'"},
		{"session", ClientSettings{ClientName: "c", AuthSessionValidity: 16}, "'authSessionValidity'"},
		{"unit", ClientSettings{ClientName: "c", IdTokenValidity: 1, TokenValidityUnits: &Units{IdToken: "weeks"}}, "idTokenValidity"},
		{"long session", ClientSettings{ClientName: "c", RefreshTokenValidity: 3651}, "refreshTokenValidity"},
		{"unit without a number", ClientSettings{ClientName: "c", TokenValidityUnits: &Units{RefreshToken: "hours"}}, "RefreshTokenValidity is required"},
		{"rotation", ClientSettings{ClientName: "c", RefreshTokenRotation: Kept(`{"Feature":"SOMETIMES"}`)}, "refreshTokenRotation"},
		{"no rotation", ClientSettings{ClientName: "c", RefreshTokenRotation: Kept(`{"Feature":"DISABLED"}`)}, ""},
		{"identities", ClientSettings{ClientName: "c", WriteAttributes: []string{"identities"}}, "identities"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := p.AddClient(c.s, false, noon)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAllows(t *testing.T) {
	for _, c := range []struct {
		flows   []string
		allowed string
	}{
		{nil, "CUSTOM_AUTH REFRESH_TOKEN_AUTH USER_SRP_AUTH"},
		{[]string{"ALLOW_USER_PASSWORD_AUTH"}, "USER_PASSWORD_AUTH"},
		{[]string{"ADMIN_NO_SRP_AUTH"}, "ADMIN_USER_PASSWORD_AUTH REFRESH_TOKEN_AUTH USER_SRP_AUTH"},
		{[]string{"USER_PASSWORD_AUTH"}, "REFRESH_TOKEN_AUTH USER_PASSWORD_AUTH USER_SRP_AUTH"},
		{[]string{"CUSTOM_AUTH_FLOW_ONLY"}, "CUSTOM_AUTH REFRESH_TOKEN_AUTH"},
	} {
		var got []string
		for _, flow := range []string{"ADMIN_USER_PASSWORD_AUTH", "CUSTOM_AUTH", "REFRESH_TOKEN_AUTH", "USER_AUTH", "USER_PASSWORD_AUTH", "USER_SRP_AUTH"} {
			if (&Client{Settings: ClientSettings{ExplicitAuthFlows: c.flows}}).Allows(flow) {
				got = append(got, flow)
			}
		}
		if strings.Join(got, " ") != c.allowed {
			t.Errorf("%v allows %v, want %s", c.flows, got, c.allowed)
		}
	}
}
