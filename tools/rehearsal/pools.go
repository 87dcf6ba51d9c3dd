package rehearsal

import (
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
)

// Attributes that only the target has: the mapping fills them.
var targetOnly = []string{"legacy_sub", "plan"}

// The names of the pools.
const (
	sourcePool = "people"
	targetPool = "people-new"
)

// createPools creates both pools with the same sign-in rules, and their app
// clients. The migration's client at the source may read every attribute, so
// that ID tokens are complete, and tells unknown users from wrong passwords.
func (w *World) createPools() error {
	custom := crowd.CustomAttributes()
	var err error
	if w.Source.PoolID, err = w.Cognito.CreatePool(w.Source.Account, w.Source.Region, w.pool(sourcePool, custom, true)); err != nil {
		return err
	}
	if w.Target.PoolID, err = w.Cognito.CreatePool(w.Target.Account, w.Target.Region, w.pool(targetPool, append(targetOnly, custom...), false)); err != nil {
		return err
	}
	w.Source.Client, err = w.Cognito.CreateClient(w.Source.PoolID, cognitoidp.ClientSpec{Secret: true, Settings: cognitoidp.ClientSettings{
		ClientName:                 "poolferry",
		ExplicitAuthFlows:          []string{"ALLOW_ADMIN_USER_PASSWORD_AUTH"},
		PreventUserExistenceErrors: "LEGACY",
		ReadAttributes:             readable(custom),
	}})
	if err != nil {
		return err
	}
	// The app as it was before the migration.
	if _, err = w.Cognito.CreateClient(w.Source.PoolID, cognitoidp.ClientSpec{Settings: app("people's app", custom)}); err != nil {
		return err
	}
	w.Target.Client, err = w.Cognito.CreateClient(w.Target.PoolID, cognitoidp.ClientSpec{Settings: app("people's app", append(targetOnly, custom...))})
	return err
}

func (w *World) pool(name string, custom []string, totp bool) cognitoidp.PoolSpec {
	spec := cognitoidp.PoolSpec{
		Name: name,
		Settings: cognitoidp.Settings{
			MfaConfiguration:       "OPTIONAL",
			SmsConfiguration:       []byte(`{"SnsCallerArn":"arn:aws:iam::000000000000:role/sms","ExternalId":"sms"}`),
			AutoVerifiedAttributes: []string{"email", "phone_number"},
		},
		Frozen: cognitoidp.Frozen{
			AliasAttributes:       []string{"email", "phone_number", "preferred_username"},
			UsernameConfiguration: &cognitoidp.UsernameRules{CaseSensitive: false},
		},
		MFA: cognitoidp.MFAConfig{TOTP: totp},
	}
	if name == targetPool {
		// As infra/modules/target-pool makes it: nobody registers under the name of
		// one who has not moved, and codes are not limited to fifty a day.
		spec.Settings.AdminCreateUserConfig.AllowAdminCreateUserOnly = true
		spec.Settings.EmailConfiguration = []byte(`{"EmailSendingAccount":"DEVELOPER","SourceArn":"arn:aws:ses:` + targetRegion + `:` + targetAccount + `:identity/example.com"}`)
	}
	if w.options.Shape == crowd.UsernameAttributes {
		spec.Frozen.AliasAttributes, spec.Frozen.UsernameAttributes = nil, []string{"email", "phone_number"}
	}
	for _, name := range custom {
		spec.Schema = append(spec.Schema, cognitoidp.Attribute{Name: name, AttributeDataType: "String"})
	}
	if w.options.Pool != nil {
		w.options.Pool(name == targetPool, &spec)
	}
	return spec
}

func app(name string, custom []string) cognitoidp.ClientSettings {
	return cognitoidp.ClientSettings{
		ClientName:                 name,
		ExplicitAuthFlows:          []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
		PreventUserExistenceErrors: "ENABLED",
		ReadAttributes:             readable(custom),
	}
}

// readable lists the standard attributes and the custom ones.
func readable(custom []string) []string {
	names := []string{
		"address", "birthdate", "email", "email_verified", "family_name", "gender", "given_name", "locale",
		"middle_name", "name", "nickname", "phone_number", "phone_number_verified", "picture",
		"preferred_username", "profile", "updated_at", "website", "zoneinfo",
	}
	for _, name := range custom {
		names = append(names, "custom:"+name)
	}
	return names
}
