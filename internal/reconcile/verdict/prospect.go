package verdict

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"poolferry/internal/userpool"
)

// prospect is what would become of a pending user at sign-in.
type prospect struct {
	reasons  []Reason // all that apply, in the order of PendingReasons; never empty
	findings []Finding
}

// prospect predicts what the trigger would do, as trigger.Policy.Explain does for
// one typed name, over all names that the user has. The staged user's attributes
// are mapped already.
func (r Rules) prospect(u userpool.User) prospect {
	var p prospect
	add := func(reason Reason, applies bool) {
		if applies {
			p.reasons = append(p.reasons, reason)
		}
	}
	add(Federated, u.Status == userpool.StatusExternalProvider)
	add(Disabled, !u.Enabled)
	add(Unconfirmed, u.Status == userpool.StatusUnconfirmed)

	kept, blocking, dropped := r.fit(u.Attributes)
	if len(blocking) > 0 {
		add(SchemaBlocks, true)
		p.findings = append(p.findings, schemaFinding(SchemaViolation, u.Sub, blocking))
	} else if why := r.unreachable(u, kept, len(dropped) > 0); why != "" {
		add(why, true)
	}
	if len(dropped) > 0 {
		p.findings = append(p.findings, schemaFinding(AttributeDropped, u.Sub, dropped))
	}

	reset := u.Status == userpool.StatusResetRequired
	add(NoVerifiedContact, reset && !kept.Verified(userpool.AttrEmail) && !kept.Verified(userpool.AttrPhoneNumber))
	add(ResetRequired, reset)
	add(TemporaryPassword, u.Status == userpool.StatusForceChangePassword)
	if r.losesFactor(u, kept) && u.Status != userpool.StatusForceChangePassword {
		switch r.MFA {
		case MFAReset: // the user moves, and proves to be the owner when resetting
		case MFAAccept:
			p.findings = append(p.findings, NewFinding(MFADowngrade, u.Sub, "", "will_move_without:"+factors(u)))
		default:
			add(MFA, true)
		}
	}
	if len(p.reasons) == 0 {
		p.reasons = []Reason{NotSignedIn}
	}
	return p
}

// fit separates what the target's schema refuses into what makes the user
// impossible to create and what the trigger leaves out because it can be written
// later, and returns the attributes that are left.
func (r Rules) fit(attributes userpool.Attributes) (kept userpool.Attributes, blocking, dropped []userpool.Violation) {
	kept = attributes
	for _, v := range r.Pool.Schema.Check(attributes) {
		if r.Pool.Schema.Blocks(v) {
			blocking = append(blocking, v)
			continue
		}
		if len(dropped) == 0 {
			kept = attributes.Clone()
		}
		delete(kept, v.Attribute)
		delete(kept, v.Attribute+"_verified")
		dropped = append(dropped, v)
	}
	return kept, blocking, dropped
}

// mostTyped is how many characters a name at sign-in may have (Cognito API
// reference, InitiateAuth).
const mostTyped = 128

// unreachable returns why there is no name under which the user could be
// created, empty where there is one.
func (r Rules) unreachable(u userpool.User, kept userpool.Attributes, dropped bool) (why Reason) {
	for _, typed := range []string{
		u.Attributes[userpool.AttrEmail], u.Username, u.Attributes[userpool.AttrPhoneNumber], u.Attributes[userpool.AttrPreferredUsername],
	} {
		if typed == "" || utf8.RuneCountInString(typed) > mostTyped {
			continue
		}
		_, reason := r.Pool.Admit(typed, u, u.Attributes)
		if reason == "" && dropped {
			_, reason = r.Pool.Admit(typed, u, kept)
		}
		switch reason {
		case "":
			return ""
		case userpool.ReasonUsernameUnusable:
			why = UsernameUnusable
		default:
			why = cmp.Or(why, NoNameCarried)
		}
	}
	return cmp.Or(why, NoNameCarried)
}

// losesFactor reports that the source knows a second factor of the user's that
// the target would not ask for after the move.
func (r Rules) losesFactor(u userpool.User, attributes userpool.Attributes) bool {
	if len(u.MFA) == 0 {
		return false
	}
	sms := len(u.MFA) == 1 && u.MFA[0] == "SMS_MFA"
	return !sms || !r.Pool.SMSMFA || attributes[userpool.AttrPhoneNumber] == ""
}

// factors names the second factors of a user as code words: only what Cognito
// documents, in lower case.
func factors(u userpool.User) string {
	var words []string
	for _, factor := range u.MFA {
		switch factor {
		case "SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP":
			words = append(words, strings.ToLower(factor))
		default:
			words = append(words, "other")
		}
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), ",")
}

func schemaFinding(kind FindingKind, sub userpool.Sub, violations []userpool.Violation) Finding {
	var attributes, rules []string
	for _, v := range violations {
		attributes = append(attributes, v.Attribute)
		rules = append(rules, v.Rule)
	}
	slices.Sort(rules)
	return NewFinding(kind, sub, "", strings.Join(slices.Compact(rules), ","), attributes...)
}
