package imports

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// verdict is what the log says of a row.
type verdict string

const (
	succeeded verdict = "SUCCEEDED"
	skipped   verdict = "SKIPPED"
	failed    verdict = "FAILED"
)

// Sentences of the log (Developer Guide, viewing the user pool import results).
const (
	textSucceeded = "The import succeeded."
	textExists    = "The user already exists."
	textVerified  = "The User Record does not set any of the auto verified attributes to true. (Example: email_verified to true)."
)

// importRow creates the user of a line, and says what became of it.
func (j *Jobs) importRow(p *pool.Pool, f file, line string) (verdict, string) {
	values, err := f.row(line)
	if err != nil {
		return failed, err.Error()
	}
	name, mfa := values[columnUsername], values[columnMFA]
	delete(values, columnUsername)
	delete(values, columnMFA)
	state := p.State()
	if why := check(state, name, mfa, values); why != "" {
		return failed, why
	}
	err = j.accounts.Import(p, name, values, func(u *directory.User) {
		u.Status = userpool.StatusResetRequired
		if passwordless(state, u) {
			u.Status = userpool.StatusConfirmed
		}
		u.Factors.SMS = strings.EqualFold(mfa, "true") && state.SMSMFA() && u.Attributes[userpool.AttrPhoneNumber] != ""
	})
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		if refused.Code == "UsernameExistsException" {
			return skipped, textExists
		}
		return failed, refused.Message
	}
	if err != nil {
		return failed, "The user could not be imported due to an internal error."
	}
	return succeeded, textSucceeded
}

// check brings the values of a row into the form in which attributes have them
// and says what the file's own rules have against the row, or "".
func check(state pool.State, name, mfa string, values map[string]string) string {
	switch {
	case name == "":
		return "The User Record does not have a value for cognito:username."
	case pool.CheckName("username", name) != nil:
		return "The value of cognito:username is not valid."
	}
	if !mayHaveMFA(state.Settings.MfaConfiguration, mfa) {
		return "The value of cognito:mfa_enabled does not fit the MFA configuration of the user pool."
	}
	if date, given := values["birthdate"]; given {
		var ok bool
		if values["birthdate"], ok = birthdate(date); !ok {
			return "The value of birthdate is not of the format mm/dd/yyyy."
		}
	}
	if at, given := values["updated_at"]; given {
		if _, err := strconv.ParseUint(at, 10, 63); err != nil {
			return "The value of updated_at is not a number of seconds."
		}
	}
	for _, flag := range []string{userpool.AttrEmailVerified, userpool.AttrPhoneVerified} {
		if value, given := values[flag]; given {
			values[flag] = strings.ToLower(value)
		}
		attribute := strings.TrimSuffix(flag, "_verified")
		if values[flag] == "true" && values[attribute] == "" {
			return "The User Record sets " + flag + " to true and has no " + attribute + "."
		}
	}
	if !slices.ContainsFunc(state.Settings.AutoVerifiedAttributes, func(attribute string) bool { return values[attribute+"_verified"] == "true" }) {
		return textVerified
	}
	if err := state.Schema.Complete(values); err != nil {
		return err.Error()
	}
	return ""
}

// mayHaveMFA holds the column against the pool: true where MFA is required, false
// where it is off, either where it is optional, and empty.
func mayHaveMFA(mode, value string) bool {
	switch strings.ToLower(value) {
	case "":
		return true
	case "true":
		return mode != "OFF"
	case "false":
		return mode != "ON"
	}
	return false
}

// passwordless reports whether a user can sign in with a code sent to what the
// file has verified: such users need no password.
func passwordless(state pool.State, u *directory.User) bool {
	var policy struct{ AllowedFirstAuthFactors []string }
	if json.Unmarshal(state.Settings.Policies.SignInPolicy, &policy) != nil {
		return false
	}
	return slices.Contains(policy.AllowedFirstAuthFactors, "EMAIL_OTP") && u.Attributes.Verified(userpool.AttrEmail) ||
		slices.Contains(policy.AllowedFirstAuthFactors, "SMS_OTP") && u.Attributes.Verified(userpool.AttrPhoneNumber)
}
