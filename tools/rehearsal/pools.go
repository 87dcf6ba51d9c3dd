package rehearsal

import (
	"slices"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/userpool"
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
	source := w.pool(w.Source.Account, sourcePool, crowd.CustomAttributes(), true)
	target := w.pool(w.Target.Account, targetPool, append(targetOnly, crowd.CustomAttributes()...), false)
	var err error
	if w.Source.PoolID, err = w.Cognito.CreatePool(w.Source.Account, w.Source.Region, source); err != nil {
		return err
	}
	if w.Target.PoolID, err = w.Cognito.CreatePool(w.Target.Account, w.Target.Region, target); err != nil {
		return err
	}
	w.Source.Client, err = w.Cognito.CreateClient(w.Source.PoolID, cognitoidp.ClientSpec{Secret: true, Settings: cognitoidp.ClientSettings{
		ClientName:                 "poolferry",
		ExplicitAuthFlows:          []string{"ALLOW_ADMIN_USER_PASSWORD_AUTH"},
		PreventUserExistenceErrors: "LEGACY",
		ReadAttributes:             readable(source),
	}})
	if err != nil {
		return err
	}
	// The app as it was before the migration.
	if _, err = w.Cognito.CreateClient(w.Source.PoolID, cognitoidp.ClientSpec{Settings: app("people's app", source)}); err != nil {
		return err
	}
	w.Target.Client, err = w.Cognito.CreateClient(w.Target.PoolID, cognitoidp.ClientSpec{Settings: app("people's app", target)})
	return err
}

func (w *World) pool(account, name string, custom []string, totp bool) cognitoidp.PoolSpec {
	spec := cognitoidp.PoolSpec{
		Name: name,
		Settings: cognitoidp.Settings{
			MfaConfiguration:       "OPTIONAL",
			SmsConfiguration:       []byte(`{"SnsCallerArn":"` + roleARN(account, smsRole) + `","ExternalId":"sms"}`),
			AutoVerifiedAttributes: []string{"email", "phone_number"},
		},
		Frozen: cognitoidp.Frozen{
			AliasAttributes:       []string{"email", "phone_number", "preferred_username"},
			UsernameConfiguration: &cognitoidp.UsernameRules{CaseSensitive: false},
		},
		MFA: cognitoidp.MFAConfig{TOTP: totp},
	}
	if name == targetPool {
		// As infra/modules/target-pool makes it: codes are not limited to fifty a day.
		// People may register, for the guard is there.
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

func app(name string, of cognitoidp.PoolSpec) cognitoidp.ClientSettings {
	return cognitoidp.ClientSettings{
		ClientName:                 name,
		ExplicitAuthFlows:          []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
		PreventUserExistenceErrors: "ENABLED",
		ReadAttributes:             readable(of),
	}
}

// readable lists the standard attributes and the custom ones of a pool.
func readable(of cognitoidp.PoolSpec) []string {
	names := append([]string{}, userpool.StandardAttributes()...)
	for _, a := range of.Schema {
		if !slices.Contains(names, a.Name) {
			names = append(names, "custom:"+a.Name)
		}
	}
	return names
}
