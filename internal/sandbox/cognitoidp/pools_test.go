package cognitoidp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// full is a CreateUserPool with most members.
func full() *cip.CreateUserPoolInput {
	return &cip.CreateUserPoolInput{
		PoolName: new("full"), AliasAttributes: []types.AliasAttributeType{"email"}, UsernameConfiguration: &types.UsernameConfigurationType{CaseSensitive: new(false)},
		Schema:                 []types.SchemaAttributeType{{Name: new("tier"), AttributeDataType: "String", Mutable: new(true), StringAttributeConstraints: &types.StringAttributeConstraintsType{MaxLength: new("9")}}},
		AutoVerifiedAttributes: []types.VerifiedAttributeType{"email"}, DeletionProtection: "ACTIVE", UserPoolTier: "PLUS",
		LambdaConfig:                &types.LambdaConfigType{UserMigration: new(migrateARN), PreSignUp: new("arn:aws:lambda:x")},
		MfaConfiguration:            "OPTIONAL",
		SmsConfiguration:            &types.SmsConfigurationType{SnsCallerArn: new("arn:aws:iam::222222222222:role/sms"), ExternalId: new("x")},
		AdminCreateUserConfig:       &types.AdminCreateUserConfigType{AllowAdminCreateUserOnly: true},
		AccountRecoverySetting:      &types.AccountRecoverySettingType{RecoveryMechanisms: []types.RecoveryOptionType{{Name: "verified_email", Priority: aws.Int32(1)}}},
		Policies:                    &types.UserPoolPolicyType{PasswordPolicy: &types.PasswordPolicyType{MinimumLength: aws.Int32(10), RequireNumbers: true, TemporaryPasswordValidityDays: 3}},
		EmailConfiguration:          &types.EmailConfigurationType{EmailSendingAccount: "COGNITO_DEFAULT"},
		DeviceConfiguration:         &types.DeviceConfigurationType{ChallengeRequiredOnNewDevice: true},
		UserAttributeUpdateSettings: &types.UserAttributeUpdateSettingsType{AttributesRequireVerificationBeforeUpdate: []types.VerifiedAttributeType{"email"}},
		VerificationMessageTemplate: &types.VerificationMessageTemplateType{DefaultEmailOption: "CONFIRM_WITH_CODE"},
		UserPoolTags:                map[string]string{"team": "x"},
	}
}

func TestPoolRoundTrip(t *testing.T) {
	w := newWorld(t)
	in := full()
	made := must(w.api.CreateUserPool(ctx, in))(t).UserPool
	if !regexp.MustCompile(`^eu-central-1_[A-Za-z0-9]{9}$`).MatchString(*made.Id) || *made.Arn != "arn:aws:cognito-idp:eu-central-1:222222222222:userpool/"+*made.Id {
		t.Errorf("id %s, ARN %s", *made.Id, *made.Arn)
	}
	describe := func() *types.UserPoolType {
		return must(w.api.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: made.Id}))(t).UserPool
	}
	got := describe()
	same := func(name string, want, got any) {
		t.Helper()
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		if diff := cmp.Diff(string(a), string(b)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	same("LambdaConfig", in.LambdaConfig, got.LambdaConfig)
	same("SmsConfiguration", in.SmsConfiguration, got.SmsConfiguration)
	in.AdminCreateUserConfig.UnusedAccountValidityDays = 3 // of the password policy, under its older name
	same("AdminCreateUserConfig", in.AdminCreateUserConfig, got.AdminCreateUserConfig)
	same("AccountRecoverySetting", in.AccountRecoverySetting, got.AccountRecoverySetting)
	same("EmailConfiguration", in.EmailConfiguration, got.EmailConfiguration)
	same("DeviceConfiguration", in.DeviceConfiguration, got.DeviceConfiguration)
	same("UserAttributeUpdateSettings", in.UserAttributeUpdateSettings, got.UserAttributeUpdateSettings)
	same("VerificationMessageTemplate", in.VerificationMessageTemplate, got.VerificationMessageTemplate)
	same("tags and enums", []any{in.UserPoolTags, in.MfaConfiguration, in.DeletionProtection, in.UserPoolTier, in.AutoVerifiedAttributes, in.AliasAttributes, in.UsernameConfiguration},
		[]any{got.UserPoolTags, got.MfaConfiguration, got.DeletionProtection, got.UserPoolTier, got.AutoVerifiedAttributes, got.AliasAttributes, got.UsernameConfiguration})
	if p := got.Policies.PasswordPolicy; *p.MinimumLength != 10 || !p.RequireNumbers || p.RequireSymbols || p.TemporaryPasswordValidityDays != 3 {
		t.Errorf("policy: %+v", p)
	}
	if len(got.SchemaAttributes) != 22 { // 20 standard ones, identities, custom:tier
		t.Errorf("%d schema attributes", len(got.SchemaAttributes))
	}
	// An update resets what it leaves out, but for what cannot change.
	w.clock.move(time.Minute)
	_ = must(w.api.UpdateUserPool(ctx, &cip.UpdateUserPoolInput{UserPoolId: made.Id, UserPoolTags: map[string]string{"team": "y"}}))(t)
	got = describe()
	if got.LambdaConfig.UserMigration != nil || got.MfaConfiguration != "OFF" || got.SmsConfiguration != nil || got.DeletionProtection != "INACTIVE" ||
		got.UserPoolTier != "ESSENTIALS" || got.AdminCreateUserConfig.AllowAdminCreateUserOnly || got.AccountRecoverySetting != nil || got.EmailConfiguration != nil ||
		len(got.AutoVerifiedAttributes) != 0 || got.DeviceConfiguration != nil || *got.Policies.PasswordPolicy.MinimumLength != 8 || !got.Policies.PasswordPolicy.RequireSymbols {
		t.Errorf("not reset: %+v", got)
	}
	if len(got.SchemaAttributes) != 22 || len(got.AliasAttributes) != 1 || *got.UsernameConfiguration.CaseSensitive || got.UserPoolTags["team"] != "y" || *got.Name != "full" || !got.LastModifiedDate.Equal(w.clock.now()) {
		t.Errorf("changed: %+v", got)
	}
	_ = must(w.api.AddCustomAttributes(ctx, &cip.AddCustomAttributesInput{UserPoolId: made.Id, CustomAttributes: []types.SchemaAttributeType{{Name: new("legacy_sub"), AttributeDataType: "String"}}}))(t)
	if n := len(describe().SchemaAttributes); n != 23 {
		t.Errorf("%d schema attributes", n)
	}
	_, err := w.api.AddCustomAttributes(ctx, &cip.AddCustomAttributesInput{UserPoolId: made.Id, CustomAttributes: []types.SchemaAttributeType{{Name: new("legacy_sub"), AttributeDataType: "String"}}})
	wants(t, err, "InvalidParameterException: custom:legacy_sub: existing attribute")
}

func TestMfaConfig(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	_, err := w.api.SetUserPoolMfaConfig(ctx, &cip.SetUserPoolMfaConfigInput{UserPoolId: &p, MfaConfiguration: "ON"})
	wants(t, err, "InvalidParameterException")
	_ = must(w.api.SetUserPoolMfaConfig(ctx, &cip.SetUserPoolMfaConfigInput{UserPoolId: &p, MfaConfiguration: "OPTIONAL",
		SoftwareTokenMfaConfiguration: &types.SoftwareTokenMfaConfigType{Enabled: true}, EmailMfaConfiguration: &types.EmailMfaConfigType{Subject: new("code")},
		SmsMfaConfiguration: &types.SmsMfaConfigType{SmsConfiguration: &types.SmsConfigurationType{SnsCallerArn: new("arn:aws:iam::222222222222:role/sms")}}}))(t)
	got := must(w.api.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: &p}))(t)
	if got.MfaConfiguration != "OPTIONAL" || !got.SoftwareTokenMfaConfiguration.Enabled || *got.EmailMfaConfiguration.Subject != "code" || got.SmsMfaConfiguration.SmsConfiguration == nil {
		t.Errorf("got %+v", got)
	}
	w.user(p, cognitoidp.UserSpec{Username: "ada", Attributes: userpool.Attributes{"phone_number": "+4915112345678"}})
	prefer := func(in cip.AdminSetUserMFAPreferenceInput, want string) {
		t.Helper()
		in.UserPoolId, in.Username = &p, new("ada")
		_, err := w.api.AdminSetUserMFAPreference(ctx, &in)
		wants(t, err, want)
	}
	prefer(cip.AdminSetUserMFAPreferenceInput{SoftwareTokenMfaSettings: &types.SoftwareTokenMfaSettingsType{Enabled: true}}, "InvalidParameterException")
	prefer(cip.AdminSetUserMFAPreferenceInput{SMSMfaSettings: &types.SMSMfaSettingsType{Enabled: true, PreferredMfa: true}}, "")
	user := must(w.api.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &p, Username: new("ada")}))(t)
	if *user.PreferredMfaSetting != "SMS_MFA" || !slices.Equal(user.UserMFASettingList, []string{"SMS_MFA"}) || len(user.MFAOptions) != 1 {
		t.Errorf("user: %+v", user)
	}
	prefer(cip.AdminSetUserMFAPreferenceInput{SMSMfaSettings: &types.SMSMfaSettingsType{}}, "")
	prefer(cip.AdminSetUserMFAPreferenceInput{WebAuthnMfaSettings: &types.WebAuthnMfaSettingsType{Enabled: true}}, "SandboxUnsupported")
}

func TestClients(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	made := must(w.api.CreateUserPoolClient(ctx, &cip.CreateUserPoolClientInput{UserPoolId: &p, ClientName: new("app"), GenerateSecret: true,
		ExplicitAuthFlows: []types.ExplicitAuthFlowsType{"ALLOW_USER_PASSWORD_AUTH"}, PreventUserExistenceErrors: "ENABLED", ReadAttributes: []string{"email"}, WriteAttributes: []string{"email"},
		AccessTokenValidity: aws.Int32(10), TokenValidityUnits: &types.TokenValidityUnitsType{AccessToken: "minutes"}, CallbackURLs: []string{"https://x.example"}, AuthSessionValidity: aws.Int32(5)}))(t).UserPoolClient
	got := must(w.api.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &p, ClientId: made.ClientId}))(t).UserPoolClient
	if len(*got.ClientId) != 26 || len(*got.ClientSecret) != 51 || got.PreventUserExistenceErrors != "ENABLED" || *got.AccessTokenValidity != 10 || got.RefreshTokenValidity != 30 ||
		!slices.Equal(got.ReadAttributes, []string{"email"}) || !*got.EnableTokenRevocation || *got.AuthSessionValidity != 5 {
		t.Errorf("client: %+v", got)
	}
	reset := must(w.api.UpdateUserPoolClient(ctx, &cip.UpdateUserPoolClientInput{UserPoolId: &p, ClientId: made.ClientId}))(t).UserPoolClient
	if reset.PreventUserExistenceErrors != "LEGACY" || len(reset.ExplicitAuthFlows)+len(reset.ReadAttributes)+len(reset.WriteAttributes)+len(reset.CallbackURLs) != 0 ||
		reset.AccessTokenValidity != nil || reset.TokenValidityUnits != nil || *reset.ClientSecret != *got.ClientSecret || *reset.ClientName != "app" {
		t.Errorf("not reset: %+v", reset)
	}
	for range 3 {
		w.client(p)
	}
	n := 0
	for pages := cip.NewListUserPoolClientsPaginator(w.api, &cip.ListUserPoolClientsInput{UserPoolId: &p, MaxResults: aws.Int32(3)}); pages.HasMorePages(); {
		n += len(must(pages.NextPage(ctx))(t).UserPoolClients)
	}
	if n != 4 {
		t.Errorf("%d clients", n)
	}
	for want, in := range map[string]cip.CreateUserPoolClientInput{
		"InvalidParameterException: Cannot specify both":     {ExplicitAuthFlows: []types.ExplicitAuthFlowsType{"ALLOW_USER_AUTH", "ADMIN_NO_SRP_AUTH"}},
		"InvalidParameterException: 1 validation error":      {ExplicitAuthFlows: []types.ExplicitAuthFlowsType{"ALLOW_MAGIC"}},
		"InvalidParameterException: Invalid attribute":       {ReadAttributes: []string{"custom:none"}},
		"InvalidParameterException: Invalid range for token": {AccessTokenValidity: aws.Int32(25)},
		"SandboxUnsupported":                                 {ClientSecret: new("a secret of my own, long enough")},
	} {
		in.UserPoolId, in.ClientName = &p, new("app")
		_, err := w.api.CreateUserPoolClient(ctx, &in)
		wants(t, err, want)
	}
}

// TestKeptSettingsAreRefusedAtUse: what the sandbox keeps and does not play is
// refused by whoever comes to it, not ignored.
func TestKeptSettingsAreRefusedAtUse(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p)
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("Right-passw0rd")})
	tokens := must(w.signIn(c.ID, "ada", "Right-passw0rd"))(t).AuthenticationResult
	if err := w.ChangeClient(p, c.ID, func(s *cognitoidp.ClientSettings) {
		s.RefreshTokenRotation = []byte(`{"Feature":"ENABLED","RetryGracePeriodSeconds":10}`)
	}); err != nil {
		t.Fatal(err)
	}
	_, err := w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: &c.ID, AuthFlow: "REFRESH_TOKEN_AUTH", AuthParameters: map[string]string{"REFRESH_TOKEN": *tokens.RefreshToken}})
	wants(t, err, "SandboxUnsupported")
	if err := w.ChangePool(p, func(s *cognitoidp.Settings) {
		policy := *s.Policies.PasswordPolicy
		policy.PasswordHistorySize = 4
		s.Policies.PasswordPolicy = &policy
		s.LambdaConfig.PreTokenGenerationConfig = &cognitoidp.TokenTrigger{LambdaArn: "arn:aws:lambda:x", LambdaVersion: "V2_0"}
	}); err != nil {
		t.Fatal(err)
	}
	_, err = w.api.AdminSetUserPassword(ctx, &cip.AdminSetUserPasswordInput{UserPoolId: &p, Username: new("ada"), Password: new("Other-passw0rd"), Permanent: true})
	wants(t, err, "SandboxUnsupported")
	_, err = w.signIn(c.ID, "ada", "Right-passw0rd")
	wants(t, err, "SandboxUnsupported")
}

// TestAccountsAndRegions has pools of two accounts and two regions.
func TestAccountsAndRegions(t *testing.T) {
	w := newWorld(t)
	here := w.pool(cognitoidp.PoolSpec{})
	there := must(w.CreatePool(acct, "us-east-1", cognitoidp.PoolSpec{Name: "p"}))(t)
	theirs := must(w.CreatePool("111111111111", region, cognitoidp.PoolSpec{Name: "p"}))(t)
	for id, want := range map[string]string{here: "", there: "ResourceNotFoundException", theirs: "ResourceNotFoundException"} {
		_, err := w.api.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &id})
		wants(t, err, want)
	}
	list := must(w.api.ListUserPools(ctx, &cip.ListUserPoolsInput{MaxResults: aws.Int32(60)}))(t)
	if len(list.UserPools) != 1 || *list.UserPools[0].Id != here {
		t.Errorf("pools: %+v", list.UserPools)
	}
	w.denied["cognito-idp:AdminGetUser"] = true
	_, err := w.api.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &here, Username: new("ada")})
	wants(t, err, "AccessDeniedException: not authorized to perform: cognito-idp:AdminGetUser on resource: arn:aws:cognito-idp:eu-central-1:222222222222:userpool/"+here)
	// Unsigned calls find their pool by the client; unknown ones reach Serve.
	c := must(w.CreateClient(theirs, cognitoidp.ClientSpec{Settings: cognitoidp.ClientSettings{ClientName: "c"}}))(t)
	for body, want := range map[string][3]any{`{"ClientId":"` + c.ID + `"}`: {"111111111111", region, true}, `{"ClientId":"x"}`: {"", "", true}, `{`: {"", "", true}} {
		account, at, ok := w.Home("InitiateAuth", []byte(body))
		if got := [3]any{account, at, ok}; got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
	if _, _, ok := w.Home("ListUsers", nil); ok {
		t.Error("ListUsers must be signed")
	}
}

func TestLoudRefusals(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	_, err := w.api.DeleteGroup(ctx, &cip.DeleteGroupInput{UserPoolId: &p, GroupName: new("g")})
	wants(t, err, `SandboxUnsupported: the poolferry sandbox does not support operation "AWSCognitoIdentityProviderService.DeleteGroup"`)
	call := &wire.Call{Operation: "AdminGetUser", Account: acct, Region: region, Authorize: func(string, string) error { return nil }}
	for body, want := range map[string]string{
		`{"UserPoolId":"` + p + `","Username":"ada","Colour":"red"}`: `SandboxUnsupported: the poolferry sandbox does not support parameter "Colour"`,
		`{"UserPoolId":"` + p + `","Username":7}`:                    "SerializationException",
		`{"Username":"ada"}`:                                         "InvalidParameterException: 1 validation error",
		``:                                                           "SerializationException",
	} {
		call.Body = []byte(body)
		if _, err := w.Serve(context.Background(), call); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
	for path, want := range map[string]int{"/none/.well-known/jwks.json": 404, "/" + p + "/.well-known/none": 404, "/" + p + "/.well-known/jwks.json": 200} {
		r, err := http.Get(w.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
}

func TestQuotas(t *testing.T) {
	w := newWorld(t)
	for _, op := range w.Operations() {
		if category, rate := w.Quota(op); category == "" || rate == 0 {
			t.Errorf("%s has no quota", op)
		}
	}
	for op, want := range map[string]float64{"InitiateAuth": 120, "ListUsers": 30, "ListUsersInGroup": 30, "AdminSetUserPassword": 30, "AdminGetUser": 120, "DescribeUserPool": 15, "ListGroups": 20} {
		if _, rate := w.Quota(op); rate != want {
			t.Errorf("%s: %v per second, want %v", op, rate, want)
		}
	}
}

// TestDump looks for passwords in everything that is stored.
func TestDump(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p, func(s *cognitoidp.ClientSpec) { s.Secret = true })
	w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("canary-password"), TOTPSecret: secret(totpSecret), Attributes: userpool.Attributes{"email": "ada@example.org"}})
	_ = must(w.api.AdminCreateUser(ctx, &cip.AdminCreateUserInput{UserPoolId: &p, Username: new("bob"), TemporaryPassword: new("Canary-temp0rary"), DesiredDeliveryMediums: []types.DeliveryMediumType{"EMAIL"},
		UserAttributes: []types.AttributeType{{Name: new("email"), Value: new("bob@example.org")}}}))(t)
	if m, ok := w.LastMessage(p, "bob"); !ok || m.Code.Reveal() != "Canary-temp0rary" || m.Destination != "bob@example.org" {
		t.Errorf("invitation: %+v", m)
	}
	var b strings.Builder
	if err := w.Dump(&b); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"ada@example.org", "bob@example.org", c.ID, p} {
		if !strings.Contains(b.String(), text) {
			t.Errorf("the dump lacks %s", text)
		}
	}
	for _, text := range []string{"canary-password", "Canary-temp0rary", totpSecret, c.Secret.Reveal()} {
		if strings.Contains(b.String(), text) {
			t.Errorf("the dump has %s", text)
		}
	}
	if os.Getenv("SHOW_DUMP") != "" {
		t.Log(b.String())
	}
}

// TestSameSeed makes the same ids twice.
func TestSameSeed(t *testing.T) {
	ids := func() []string {
		w := newWorld(t)
		p := w.pool(cognitoidp.PoolSpec{})
		return []string{p, w.client(p).ID, string(w.user(p, cognitoidp.UserSpec{Username: "ada", Password: secret("x")}))}
	}
	if diff := cmp.Diff(ids(), ids()); diff != "" {
		t.Error(diff)
	}
}
