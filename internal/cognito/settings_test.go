package cognito

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/cognito/cognitotest"
	"poolferry/internal/cutover"
	"poolferry/internal/fault"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/userpool"
)

func members(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		if t.Field(i).IsExported() {
			names = append(names, t.Field(i).Name)
		}
	}
	return names
}

// TestTablesOfMembers: each member of a description and of its update is in both,
// or in a table with the reason; a new one of the SDK fails here.
func TestTablesOfMembers(t *testing.T) {
	for _, pair := range []struct{ described, updated reflect.Type }{
		{reflect.TypeFor[types.UserPoolType](), reflect.TypeFor[cip.UpdateUserPoolInput]()},
		{reflect.TypeFor[types.UserPoolClientType](), reflect.TypeFor[cip.UpdateUserPoolClientInput]()},
		{reflect.TypeFor[cip.GetUserPoolMfaConfigOutput](), reflect.TypeFor[cip.SetUserPoolMfaConfigInput]()},
	} {
		described, updated := members(pair.described), members(pair.updated)
		for _, side := range []struct {
			of          string
			mine, other []string
			table       map[string]string
		}{
			{pair.described.Name(), described, updated, describedOnly[pair.described.Name()]},
			{pair.updated.Name(), updated, described, updatedOnly[pair.updated.Name()]},
		} {
			for _, name := range side.mine {
				named := slices.Contains(side.other, name) && name != "ClientId" && name != "UserPoolId"
				if reason := side.table[name]; named == (reason != "") {
					t.Errorf("%s.%s: is a setting %v, and the table says %q", side.of, name, named, reason)
				}
			}
			for name := range side.table {
				if !slices.Contains(side.mine, name) {
					t.Errorf("%s has no member %s any more", side.of, name)
				}
			}
		}
	}
}

// filled is a sandbox with a pool and a client of which every setting is set.
type filled struct {
	*PoolSettings
	raw     *cip.Client
	account *Account
	service *cognitoidp.Service
	poolID  string
	client  cognitoidp.Client
}

const (
	targetAccount = "222222222222"
	targetRegion  = "eu-central-1"
)

func fill[In any](t *testing.T, given map[string]any) In {
	t.Helper()
	var in In
	if err := cognitotest.Fill(&in, given); err != nil {
		t.Fatal(err)
	}
	return in
}

func newFilled(t *testing.T, variant int) *filled {
	t.Helper()
	f := &filled{service: cognitoidp.New(cognitoidp.Options{Seed: 1})}
	box := sandbox.New(sandbox.Options{})
	if err := box.Register(f.service); err != nil {
		t.Fatal(err)
	}
	user, err := box.IAM.AddUser(targetAccount, "ops", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["cognito-idp:*","iam:PassRole"],"Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := box.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	if f.poolID, err = f.service.CreatePool(targetAccount, targetRegion, cognitoidp.PoolSpec{Name: "people", Schema: []cognitoidp.Attribute{{Name: "plan", AttributeDataType: "String"}}}); err != nil {
		t.Fatal(err)
	}
	if f.client, err = f.service.CreateClient(f.poolID, cognitoidp.ClientSpec{Settings: cognitoidp.ClientSettings{ClientName: "app"}, Secret: true}); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": user.AccessKeyID, "AWS_SECRET_ACCESS_KEY": user.SecretAccessKey.Reveal()}
	f.account, err = NewAccount(t.Context(), targetRegion, func(name string) (string, bool) { value, ok := variables[name]; return value, ok })
	if err != nil {
		t.Fatal(err)
	}
	f.PoolSettings = NewPoolSettings(f.account, SettingsOptions{Region: targetRegion, PoolID: f.poolID, PerSecond: 1000})
	f.raw = f.PoolSettings.client

	given := cognitotest.Pool(variant)
	given["UserPoolId"] = f.poolID
	pool := fill[cip.UpdateUserPoolInput](t, given)
	if _, err := f.raw.UpdateUserPool(t.Context(), &pool); err != nil {
		t.Fatal(err)
	}
	given = cognitotest.Factors(variant)
	given["UserPoolId"] = f.poolID
	factors := fill[cip.SetUserPoolMfaConfigInput](t, given)
	if _, err := f.raw.SetUserPoolMfaConfig(t.Context(), &factors); err != nil {
		t.Fatal(err)
	}
	given = cognitotest.Client("ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH")
	given["UserPoolId"], given["ClientId"] = f.poolID, f.client.ID
	client := fill[cip.UpdateUserPoolClientInput](t, given)
	if _, err := f.raw.UpdateUserPoolClient(t.Context(), &client); err != nil {
		t.Fatal(err)
	}
	return f
}

// wanted is what Fill makes of an update, without the ids.
func wanted[In any](t *testing.T, given map[string]any, ids ...string) (cutover.Settings, []string) {
	t.Helper()
	for _, id := range ids {
		given[id] = nil
	}
	in := fill[In](t, given)
	return settingsOf(in), cognitotest.Unset(&in)
}

// TestEverySetting: whatever can be set is read, and what was read can be written
// again and changes nothing.
func TestEverySetting(t *testing.T) {
	for variant := range 2 {
		f := newFilled(t, variant)
		pool, unset := wanted[cip.UpdateUserPoolInput](t, cognitotest.Pool(variant), "UserPoolId")
		if n := map[int]string{
			0: "UserPoolId AdminCreateUserConfig.UnusedAccountValidityDays SmsConfiguration.EumsSms VerificationMessageTemplate.EmailMessageByLink",
			1: "UserPoolId AdminCreateUserConfig.UnusedAccountValidityDays SmsConfiguration.SnsCallerArn VerificationMessageTemplate.EmailMessage",
		}[variant]; strings.Join(unset, " ") != n {
			t.Errorf("variant %d leaves %v unset", variant, unset)
		}
		factors, _ := wanted[cip.SetUserPoolMfaConfigInput](t, cognitotest.Factors(variant), "UserPoolId")
		client, unset := wanted[cip.UpdateUserPoolClientInput](t, cognitotest.Client("ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"), "UserPoolId", "ClientId")
		if strings.Join(unset, " ") != "ClientId UserPoolId" {
			t.Errorf("the client leaves %v unset", unset)
		}
		for round := range 2 {
			for _, subject := range []struct {
				of   string
				want cutover.Settings
				read func() (cutover.Settings, error)
				put  func(cutover.Settings) error
			}{
				{"pool", pool, func() (cutover.Settings, error) { return f.ReadPool(t.Context()) }, func(s cutover.Settings) error { return f.WritePool(t.Context(), s) }},
				{"factors", factors, func() (cutover.Settings, error) { return f.ReadFactors(t.Context()) }, func(s cutover.Settings) error { return f.WriteFactors(t.Context(), s) }},
				{"client", client, func() (cutover.Settings, error) { return f.ReadClient(t.Context(), f.client.ID) }, func(s cutover.Settings) error { return f.WriteClient(t.Context(), f.client.ID, s) }},
			} {
				got, err := subject.read()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cutover.Diff(subject.want, got); len(diff) > 0 {
					t.Errorf("variant %d, round %d, %s:\n%v", variant, round, subject.of, diff)
				}
				if err := subject.put(got); err != nil {
					t.Errorf("variant %d, round %d, %s: %v", variant, round, subject.of, err)
				}
			}
		}
		all, err := f.ReadClients(t.Context())
		if err != nil || len(all) != 1 || all[0].Name != "text of ClientName" || all[0].Settings["ClientSecret"] != nil {
			t.Errorf("clients %v, %v", all, err)
		}
		if secret, err := f.Secret(t.Context(), f.client.ID); err != nil || !secret.Equal(f.client.Secret) {
			t.Errorf("the secret is another: %v", err)
		}
	}
}

// TestOlderNameOfValidity: a pool that has the validity of temporary passwords
// under its older name alone keeps it.
func TestOlderNameOfValidity(t *testing.T) {
	in := cip.UpdateUserPoolInput{}
	if err := carry(&types.UserPoolType{AdminCreateUserConfig: &types.AdminCreateUserConfigType{UnusedAccountValidityDays: 5}}, &in); err != nil || in.AdminCreateUserConfig.UnusedAccountValidityDays != 5 {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestRefusedUpdates(t *testing.T) {
	f := newFilled(t, 0)
	ctx := t.Context()
	pool, err := f.ReadPool(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.WritePool(ctx, cutover.Settings{"Colour": "red"}); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("a field that there is not: %v", err)
	}
	for name, broken := range map[string]func() error{
		"both validities": func() error {
			return f.WritePool(ctx, cutover.Settings{"AdminCreateUserConfig": map[string]any{"UnusedAccountValidityDays": 3}, "Policies": map[string]any{"PasswordPolicy": map[string]any{"TemporaryPasswordValidityDays": 4}}})
		},
		"factors": func() error { return f.WriteFactors(ctx, cutover.Settings{"MfaConfiguration": "SOMETIMES"}) },
		"client": func() error {
			return f.WriteClient(ctx, f.client.ID, cutover.Settings{"ExplicitAuthFlows": []any{"X"}})
		},
	} {
		if err := broken(); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.ReadClient(ctx, "nobody"); err == nil || fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such client: %v", err)
	}
	other := NewPoolSettings(f.account, SettingsOptions{Region: targetRegion, PoolID: targetRegion + "_none", PerSecond: 1000})
	for _, read := range []func() error{
		func() error { _, err := other.ReadPool(ctx); return err },
		func() error { _, err := other.ReadFactors(ctx); return err },
		func() error { _, err := other.ReadClients(ctx); return err },
		func() error { return other.WritePool(ctx, pool) },
	} {
		if err := read(); err == nil || fault.KindOf(err) != fault.NotFound {
			t.Errorf("no such pool: %v", err)
		}
	}
	if err := (&PoolSettings{}).refused("update pool p", &types.UserImportInProgressException{Message: aws.String("x")}); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "users are being imported") {
		t.Errorf("during an import: %v", err)
	}
}

func TestProbe(t *testing.T) {
	f := newFilled(t, 0)
	ctx := t.Context()
	// Without what the sandbox does not play.
	if err := f.service.ChangePool(f.poolID, func(s *cognitoidp.Settings) { s.LambdaConfig, s.MfaConfiguration = cognitoidp.Triggers{}, "OPTIONAL" }); err != nil {
		t.Fatal(err)
	}
	right := userpool.NewSecret("Right-passw0rd")
	for _, u := range []cognitoidp.UserSpec{
		{Username: "probe", Password: right},
		{Username: "phone", Password: right, SMSMFA: true, Attributes: userpool.Attributes{"phone_number": "+4915112345678", "phone_number_verified": "true"}},
	} {
		if _, err := f.service.PutUser(f.poolID, u); err != nil {
			t.Fatal(err)
		}
	}
	public, err := f.service.CreateClient(f.poolID, cognitoidp.ClientSpec{Settings: cognitoidp.ClientSettings{ClientName: "public", ExplicitAuthFlows: []string{"ALLOW_USER_SRP_AUTH"}}})
	if err != nil {
		t.Fatal(err)
	}
	p := NewProbe(f.account, SettingsOptions{Region: targetRegion, PoolID: f.poolID, PerSecond: 1000}, "nobody-at-all")
	for id, want := range map[string]bool{f.client.ID: true, public.ID: false} {
		if takes, err := p.TakesPasswords(ctx, id); err != nil || takes != want {
			t.Errorf("client %s takes passwords: %v, %v", id, takes, err)
		}
	}
	if challenge, err := p.SignInPassword(ctx, f.client.ID, "probe", right); err != nil || challenge != "" {
		t.Errorf("by password: %s, %v", challenge, err)
	}
	if _, err := p.SignInSRP(ctx, f.client.ID, "probe", right); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a client without SRP: %v", err)
	}
	if err := f.service.ChangeClient(f.poolID, f.client.ID, func(s *cognitoidp.ClientSettings) { s.ExplicitAuthFlows = []string{"ALLOW_USER_SRP_AUTH"} }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		client, name, password, challenge string
		kind                              fault.Kind // of an error
	}{
		{f.client.ID, "probe", "Right-passw0rd", "", ""},
		{public.ID, "probe", "Right-passw0rd", "", ""},
		{public.ID, "phone", "Right-passw0rd", "SMS_MFA", ""},
		{public.ID, "probe", "Wrong-passw0rd", "", fault.Denied},
		{"nobody", "probe", "Right-passw0rd", "", fault.NotFound},
	} {
		challenge, err := p.SignInSRP(ctx, c.client, c.name, userpool.NewSecret(c.password))
		if (err != nil) != (c.kind != "") || err != nil && fault.KindOf(err) != c.kind || challenge != c.challenge {
			t.Errorf("%s at %s: %q, %v", c.name, c.client, challenge, err)
		}
	}
	if takes, err := p.TakesPasswords(ctx, f.client.ID); err != nil || takes {
		t.Errorf("after the switch: %v, %v", takes, err)
	}
}
