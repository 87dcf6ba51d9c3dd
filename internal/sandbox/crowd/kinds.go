package crowd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"poolferry/internal/userpool"
)

// Kind is the way in which a person is awkward. Its text is part of the
// person's passwords and of reports.
type Kind string

// The kinds.
const (
	Plain           Kind = "plain"
	Unicode         Kind = "unicode"          // names in several scripts, combining marks, quotes and markup
	PlusAddress     Kind = "plus-address"     // types an e-mail address with a tag
	EmailName       Kind = "email-name"       // types the e-mail address
	PhoneName       Kind = "phone-name"       // types the phone number
	PreferredName   Kind = "preferred-name"   // types the preferred_username
	OtherCase       Kind = "other-case"       // types the name in another case than the pool holds
	UnverifiedEmail Kind = "unverified-email" // nothing verified: no way to recover a password
	NotConfirmed    Kind = "not-confirmed"    // signed up and never confirmed
	SwitchedOff     Kind = "switched-off"     // disabled by an administrator
	ForcedChange    Kind = "forced-change"    // has a temporary password
	ResetRequired   Kind = "reset-required"   // an administrator asked for a new password
	SMSCode         Kind = "sms-code"         // second factor by text message
	TOTPSent        Kind = "totp-sent"        // authenticator app, and the app sends the code along
	TOTPKept        Kind = "totp-kept"        // authenticator app, code not sent: must be refused
	Federated       Kind = "federated"        // signs in with an external provider, has no password
	WeakPassword    Kind = "weak-password"    // older than the password policy
	FiftyAttributes Kind = "fifty-attributes"
	LongValues      Kind = "long-values" // as long as Cognito allows
)

// trait is a kind's share of a crowd and what it does to a person. make returns
// how the person types the name.
type trait struct {
	share int // of 100 people, at least
	make  func(p *Person, rng *rand.Rand) form
}

var kinds = map[Kind]trait{
	Plain: {24, func(*Person, *rand.Rand) form { return byUsername }},
	Unicode: {6, func(p *Person, rng *rand.Rand) form {
		n := unicodeNames[rng.IntN(len(unicodeNames))]
		if p.User.Username != string(p.User.Sub) {
			p.User.Username = fmt.Sprintf("%s-%d", n.username, p.Index)
		}
		p.User.Attributes["given_name"], p.User.Attributes["family_name"] = n.given, n.family
		p.User.Attributes["name"] = n.given + " " + n.family
		return byUsername
	}},
	PlusAddress: {5, func(p *Person, _ *rand.Rand) form {
		address := p.User.Attributes["email"]
		p.User.Attributes["email"] = strings.Replace(address, "@", "+news.letter@", 1)
		return byEmail
	}},
	EmailName: {10, func(*Person, *rand.Rand) form { return byEmail }},
	PhoneName: {6, func(*Person, *rand.Rand) form { return byPhone }},
	PreferredName: {4, func(p *Person, _ *rand.Rand) form {
		p.User.Attributes["preferred_username"] = fmt.Sprintf("~captain_%d~", p.Index)
		return byPreferred
	}},
	OtherCase: {4, func(*Person, *rand.Rand) form { return byOtherCase }},
	UnverifiedEmail: {4, func(p *Person, _ *rand.Rand) form {
		unverify(p)
		delete(p.User.Attributes, "phone_number")
		delete(p.User.Attributes, "phone_number_verified")
		return byUsername
	}},
	NotConfirmed: {4, func(p *Person, _ *rand.Rand) form {
		unverify(p)
		p.User.Status = userpool.StatusUnconfirmed
		p.Outcome = Unconfirmed
		return byUsername
	}},
	SwitchedOff: {3, func(p *Person, _ *rand.Rand) form {
		p.User.Enabled = false
		p.Outcome, p.ResetMoves = Disabled, false
		return byAny
	}},
	ForcedChange: {3, func(p *Person, _ *rand.Rand) form {
		p.User.Status = userpool.StatusForceChangePassword
		p.Outcome = NeedsReset
		return byAny
	}},
	ResetRequired: {4, func(p *Person, _ *rand.Rand) form {
		p.User.Status = userpool.StatusResetRequired
		p.Outcome = NeedsReset
		return byAny
	}},
	SMSCode: {5, func(p *Person, _ *rand.Rand) form {
		p.User.MFA = []string{"SMS_MFA"}
		return byAny
	}},
	TOTPSent: {4, func(p *Person, rng *rand.Rand) form {
		authenticator(p, rng)
		p.SendsCode = true
		return byAny
	}},
	TOTPKept: {3, func(p *Person, rng *rand.Rand) form {
		authenticator(p, rng)
		p.Outcome = MfaRefused
		return byAny
	}},
	Federated: {3, func(p *Person, _ *rand.Rand) form {
		p.User.Username = fmt.Sprintf("google_1029384756%06d", p.Index)
		p.User.Status = userpool.StatusExternalProvider
		p.User.Attributes["identities"] = fmt.Sprintf(`[{"userId":"1029384756%06d","providerName":"Google","providerType":"Google","primary":"true"}]`, p.Index)
		unverify(p)
		p.Outcome = RejectedCredentials
		return byUsername
	}},
	WeakPassword: {4, func(p *Person, rng *rand.Rand) form {
		p.Password = userpool.NewSecret("canaryweak" + letters(rng, lower, 16))
		return byAny
	}},
	FiftyAttributes: {2, func(p *Person, rng *rand.Rand) form {
		fill(p, rng, 20)
		return byUsername
	}},
	LongValues: {2, func(p *Person, rng *rand.Rand) form {
		if p.User.Username != string(p.User.Sub) {
			p.User.Username += "." + letters(rng, lower, maxName-1-len(p.User.Username))
		}
		p.User.Attributes["name"] = letters(rng, lower, maxValue)
		p.User.Attributes["custom:field_02"] = letters(rng, alphanumeric, maxValue)
		return byUsername
	}},
}

// Cognito's limits on names and on attribute values, in characters.
const (
	maxName  = 128
	maxValue = 2048
)

// Kinds returns all kinds in the order in which a crowd first shows them.
func Kinds() []Kind {
	return []Kind{
		Plain, Unicode, PlusAddress, EmailName, PhoneName, PreferredName, OtherCase, UnverifiedEmail,
		NotConfirmed, SwitchedOff, ForcedChange, ResetRequired, SMSCode, TOTPSent, TOTPKept, Federated,
		WeakPassword, FiftyAttributes, LongValues,
	}
}

// cycle is the order of kinds that every hundred people repeat: each kind once,
// then the rest of the shares, spread out.
var cycle = makeCycle()

func makeCycle() []Kind {
	left := make(map[Kind]int, len(kinds))
	for kind, t := range kinds {
		left[kind] = t.share
	}
	var out []Kind
	for before := -1; before != len(out); {
		before = len(out)
		for _, kind := range Kinds() {
			if left[kind] > 0 {
				out = append(out, kind)
				left[kind]--
			}
		}
	}
	return slices.Clip(out)
}

func kindOf(i int) Kind { return cycle[i%len(cycle)] }

// unverify leaves a person no verified way to be reached.
func unverify(p *Person) {
	p.User.Attributes["email_verified"] = "false"
	p.User.Attributes["phone_number_verified"] = "false"
	p.ResetMoves = false
}

func authenticator(p *Person, rng *rand.Rand) {
	p.User.MFA = []string{"SOFTWARE_TOKEN_MFA"}
	p.TOTP = userpool.NewSecret(letters(rng, base32, 32))
}

// fill gives a person every custom attribute and every standard attribute that
// a pool has: 50 in all.
func fill(p *Person, rng *rand.Rand, length int) {
	for _, name := range CustomAttributes() {
		p.User.Attributes["custom:"+name] = letters(rng, alphanumeric, length)
	}
	for name, value := range map[string]string{
		"address":            `{"formatted":"1 Example Street\nSpringfield"}`,
		"birthdate":          "1970-01-01",
		"gender":             "unspecified",
		"locale":             "de-CH",
		"middle_name":        "J.",
		"nickname":           fmt.Sprintf("nick%d", p.Index),
		"picture":            fmt.Sprintf("https://example.com/p/%d.png", p.Index),
		"preferred_username": fmt.Sprintf("fifty_%d", p.Index),
		"profile":            fmt.Sprintf("https://example.com/u/%d", p.Index),
		"updated_at":         "1700000000",
		"website":            "https://example.com/?a=1&b=2#c",
		"zoneinfo":           "Europe/Zurich",
	} {
		p.User.Attributes[name] = value
	}
}
