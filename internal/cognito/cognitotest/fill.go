// Package cognitotest fills requests of the SDK, for tests that nothing of one
// gets lost.
//
// Vocabulary: a path is the names of members from the outermost on, such as
// LambdaConfig.UserMigration; a list is filled with one item, which has the path
// of the list.
package cognitotest

import (
	"fmt"
	"reflect"
	"strings"
)

// Fill sets every member of the struct that v points to, and of those below it, to
// something that is no default: members that the SDK has not had when the test was
// written too. given has values by path for members that take only some; nil
// leaves one alone. Paths that v does not have are an error.
func Fill(v any, given map[string]any) error {
	used := map[string]bool{}
	if err := fill(reflect.ValueOf(v).Elem(), "", given, used); err != nil {
		return err
	}
	for path := range given {
		if !used[path] {
			return fmt.Errorf("%T has no member %s", v, path)
		}
	}
	return nil
}

func fill(v reflect.Value, path string, given map[string]any, used map[string]bool) error {
	if value, ok := given[path]; ok {
		used[path] = true
		if value == nil {
			return nil
		}
		return set(v, value, path)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), path, given, used)
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			below := field.Name
			if path != "" {
				below = path + "." + field.Name
			}
			if err := fill(v.Field(i), below, given, used); err != nil {
				return err
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return fill(v.Index(0), path, given, used)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"team": path}).Convert(v.Type()))
	case reflect.String:
		// The update of the factors has a part of the update of the pool.
		v.SetString("text of " + strings.TrimPrefix(path, "SmsMfaConfiguration."))
		if values := v.MethodByName("Values"); values.IsValid() { // an enumeration
			all := values.Call(nil)[0]
			v.Set(all.Index(all.Len() - 1))
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(9)
	default:
		return fmt.Errorf("%s is of type %s, which Fill does not know", path, v.Type())
	}
	return nil
}

// set converts a value, through pointers and into lists.
func set(v reflect.Value, value any, path string) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return set(v.Elem(), value, path)
	}
	given := reflect.ValueOf(value)
	if v.Kind() == reflect.Slice && given.Kind() == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), given.Len(), given.Len()))
		for i := range given.Len() {
			if err := set(v.Index(i), given.Index(i).Interface(), path); err != nil {
				return err
			}
		}
		return nil
	}
	if !given.CanConvert(v.Type()) {
		return fmt.Errorf("%s: %v is no %s", path, value, v.Type())
	}
	v.Set(given.Convert(v.Type()))
	return nil
}

// Unset lists the paths of members that have their zero value.
func Unset(v any) []string { return unset(reflect.ValueOf(v).Elem(), "") }

func unset(v reflect.Value, path string) (paths []string) {
	switch {
	case v.IsZero():
		return []string{path}
	case v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct:
		return unset(v.Elem(), path)
	case v.Kind() != reflect.Struct:
		return nil
	}
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.IsExported() {
			below := field.Name
			if path != "" {
				below = path + "." + field.Name
			}
			paths = append(paths, unset(v.Field(i), below)...)
		}
	}
	return paths
}

// Pool returns given for an UpdateUserPoolInput that Cognito takes. Of members that
// exclude each other it has those of a variant, 0 or 1.
func Pool(variant int) map[string]any {
	const function = "arn:aws:lambda:eu-central-1:222222222222:function:"
	given := map[string]any{
		"AccountRecoverySetting.RecoveryMechanisms.Name":  "verified_phone_number",
		"AutoVerifiedAttributes":                          []string{"phone_number", "email"},
		"DeletionProtection":                              "ACTIVE",
		"MfaConfiguration":                                "OPTIONAL",
		"Policies.PasswordPolicy.MinimumLength":           17,
		"Policies.SignInPolicy.AllowedFirstAuthFactors":   []string{"PASSWORD", "EMAIL_OTP"},
		"UserPoolTier":                                    "PLUS",
		"LambdaConfig.PreTokenGeneration":                 function + "poolferry-r1-legacy-claim:live",
		"LambdaConfig.PreTokenGenerationConfig.LambdaArn": function + "poolferry-r1-legacy-claim:live",
		// Under one name or the other, and the newer one is what a description has.
		"AdminCreateUserConfig.UnusedAccountValidityDays": nil,
	}
	for trigger, name := range map[string]string{
		"UserMigration": "poolferry-r1-migrate-user", "PreSignUp": "poolferry-r1-guard-signup", "PostAuthentication": "poolferry-r1-welcome-user",
		"CustomMessage": "theirs", "PostConfirmation": "theirs", "PreAuthentication": "theirs", "DefineAuthChallenge": "theirs",
		"CreateAuthChallenge": "theirs", "VerifyAuthChallengeResponse": "theirs",
	} {
		given["LambdaConfig."+trigger] = function + name + ":live"
	}
	if variant == 0 {
		given["SmsConfiguration.EumsSms"] = nil
		given["VerificationMessageTemplate.EmailMessageByLink"] = nil
	} else {
		given["SmsConfiguration.SnsCallerArn"] = nil
		given["VerificationMessageTemplate.EmailMessage"] = nil
		given["LambdaConfig.PreSignUp"] = function + "theirs"
	}
	return given
}

// Client returns given for an UpdateUserPoolClientInput that Cognito takes of a
// pool with the attribute custom:plan.
func Client(flows ...string) map[string]any {
	return map[string]any{
		"AccessTokenValidity": 11, "IdTokenValidity": 12, "RefreshTokenValidity": 13,
		"TokenValidityUnits.AccessToken": "minutes", "TokenValidityUnits.IdToken": "minutes", "TokenValidityUnits.RefreshToken": "hours",
		"AuthSessionValidity":          5,
		"EnableTokenRevocation":        false, // the default is true
		"ExplicitAuthFlows":            flows,
		"PreventUserExistenceErrors":   "ENABLED",
		"ReadAttributes":               []string{"email", "custom:plan"},
		"WriteAttributes":              []string{"name", "custom:plan"},
		"RefreshTokenRotation.Feature": "ENABLED",
		"CallbackURLs":                 []string{"https://b.example.com", "https://a.example.com"},
	}
}

// Factors returns given for a SetUserPoolMfaConfigInput that goes with Pool.
func Factors(variant int) map[string]any {
	given := map[string]any{
		"MfaConfiguration": "OPTIONAL",
	}
	if variant == 0 {
		given["SmsMfaConfiguration.SmsConfiguration.EumsSms"] = nil
	} else {
		given["SmsMfaConfiguration.SmsConfiguration.SnsCallerArn"] = nil
	}
	return given
}
