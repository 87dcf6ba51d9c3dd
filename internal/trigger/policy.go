package trigger

import (
	"slices"

	"poolferry/internal/userpool"
)

// MFAPolicy says what becomes of a user whose password is proven and whose
// second factor is not, where the target cannot ask for it itself.
type MFAPolicy string

// The policies.
const (
	MFAVerify MFAPolicy = "verify" // answer the source's challenge with the code that the app sent as mfa_code; no code: refuse
	MFAReset  MFAPolicy = "reset"  // migrate, but the user has to reset the password
	MFAAccept MFAPolicy = "accept" // migrate on the password alone: a downgrade, to be chosen knowingly
)

// Policy turns a proven source user into an answer. It is pure: the handler
// and Explain ask the same one.
type Policy struct {
	Mapping userpool.Mapping
	MFA     MFAPolicy
	Target  userpool.Pool
}

// Ruling is what a policy decides about one user.
type Ruling struct {
	Outcome    Outcome
	Reason     string
	Response   Response
	Dropped    []string             // attributes left out because the target cannot hold them
	Violations []userpool.Violation // all that the target's schema objects to
}

// proof is how far the source has proven the user.
type proof int

const (
	proofFull     proof = iota // password and every factor that the source asked for
	proofPassword              // password alone
	proofSMS                   // password alone, and the second factor is SMS
	proofTempPass              // an administrator's temporary password
	proofNone                  // nothing: a forgotten password
)

// Migrate rules on a user who signed in under the typed name.
//
//	source status         proof      → outcome      finalUserStatus  enableSMSMFA
//	EXTERNAL_PROVIDER     any        → Federated
//	disabled              any        → Disabled
//	UNCONFIRMED           any        → Unconfirmed
//	other                 full       → Migrated     CONFIRMED
//	other                 SMS        → Migrated     CONFIRMED        true   (target has SMS MFA, user a number)
//	other                 password   → by MFA: accept: Migrated, CONFIRMED; reset: Migrated; verify: MfaRefused
//	other                 temporary  → NeedsReset   (none: the user has to reset)
//	other                 none       → Migrated     (none), only with a verified e-mail or phone
func (p Policy) Migrate(typed string, u userpool.User, how proof) Ruling {
	switch {
	case u.Status == userpool.StatusExternalProvider:
		return Ruling{Outcome: Federated}
	case !u.Enabled:
		return Ruling{Outcome: Disabled}
	case u.Status == userpool.StatusUnconfirmed:
		return Ruling{Outcome: Unconfirmed}
	}
	r := p.profile(typed, u)
	if r.Outcome != Migrated {
		return r
	}
	attributes := r.Response.UserAttributes
	smsReady := p.Target.SMSMFA && attributes[userpool.AttrPhoneNumber] != ""
	switch {
	case how == proofFull:
		r.Response.FinalUserStatus = finalConfirmed
	case how == proofSMS && smsReady:
		r.Response.FinalUserStatus = finalConfirmed
		r.Response.EnableSMSMFA = true
	case how == proofTempPass:
		r.Outcome = NeedsReset
	case how == proofNone:
		if !attributes.Verified(userpool.AttrEmail) && !attributes.Verified(userpool.AttrPhoneNumber) {
			return Ruling{Outcome: NoVerifiedContact}
		}
	case p.MFA == MFAAccept:
		r.Response.FinalUserStatus = finalConfirmed
		r.Reason = "mfa_accepted"
	case p.MFA == MFAReset:
		r.Reason = "mfa_reset"
	default:
		return Ruling{Outcome: MfaRefused, Reason: "no_code"}
	}
	return r
}

// wantsCode reports that the source's own second factor has to be proven before
// the user can be migrated, because nothing at the target will ask for one.
func (p Policy) wantsCode(how proof) bool {
	return p.MFA == MFAVerify && (how == proofPassword || how == proofSMS && !p.Target.SMSMFA)
}

// Explanation is what the trigger would do for a user.
type Explanation struct {
	RightPassword  Ruling // the right password is typed, and no code of a second factor is sent along
	ForgotPassword Ruling
}

// Explain predicts the rulings on a user without a password, from the status
// and second factors that the source records.
func (p Policy) Explain(typed string, u userpool.User) Explanation {
	forgot := p.Migrate(typed, u, proofNone)
	if u.Status == userpool.StatusResetRequired && u.Enabled {
		return Explanation{Ruling{Outcome: NeedsReset, Reason: reasonResetAtSource}, forgot}
	}
	how := proofFull
	switch {
	case u.Status == userpool.StatusForceChangePassword:
		how = proofTempPass
	case slices.Equal(u.MFA, []string{ChallengeSMS}):
		how = proofSMS
	case len(u.MFA) > 0:
		how = proofPassword
	}
	return Explanation{p.Migrate(typed, u, how), forgot}
}

// reasonResetAtSource: the source itself demands a new password.
const reasonResetAtSource = "reset_at_source"

// finalConfirmed and suppress are the only literals that Cognito takes.
const (
	finalConfirmed = "CONFIRMED"
	suppress       = "SUPPRESS"
)

// profile maps the attributes and fits them to the target. An attribute that
// the target cannot hold is left out only if the loss can be repaired later:
// the target requires no value, and can still write one afterwards. Anything
// else makes the user Unmappable, because creation cannot be repeated.
func (p Policy) profile(typed string, u userpool.User) Ruling {
	attributes, reason := p.Target.Admit(typed, u, p.Mapping.Apply(u))
	if reason != "" {
		return Ruling{Outcome: Unmappable, Reason: reason}
	}
	username, named := attributes[userpool.UsernameMember]
	delete(attributes, userpool.UsernameMember)

	r := Ruling{Outcome: Migrated, Violations: p.Target.Schema.Check(attributes)}
	for _, v := range r.Violations {
		if p.Target.Schema.Blocks(v) {
			return Ruling{Outcome: Unmappable, Reason: "schema:" + v.Attribute + ":" + v.Rule, Violations: r.Violations}
		}
		delete(attributes, v.Attribute)
		delete(attributes, v.Attribute+"_verified")
		r.Dropped = append(r.Dropped, v.Attribute)
	}
	if len(r.Dropped) > 0 {
		// What was left out may be the very alias that was typed.
		if _, reason := p.Target.Admit(typed, u, attributes); reason != "" {
			return Ruling{Outcome: Unmappable, Reason: reason, Violations: r.Violations}
		}
	}
	if named {
		attributes[userpool.UsernameMember] = username
	}
	r.Response = Response{UserAttributes: attributes, MessageAction: suppress}
	return r
}
