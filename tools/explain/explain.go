// Package explain tells what the migration trigger would do for one user,
// without a password and without changing anything.
//
// Vocabulary: a name is what the person would type at the target; a candidate
// is a source user to whom the name may belong; an answer is what the trigger
// would say to a sign-in with the right password, or to a forgotten password.
package explain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

// ErrUnknown means that no source user has the name.
var ErrUnknown = errors.New("the source pool has nobody of this name")

// Source is the source pool as the export role may read it.
type Source interface {
	// Find returns the users to whom a name may belong.
	Find(ctx context.Context, name string) ([]userpool.User, error)
	// Describe returns the pool's settings.
	Describe(ctx context.Context) (userpool.Pool, error)
	// ClientReads lists the attributes that an app client may read.
	ClientReads(ctx context.Context, clientID string) ([]string, error)
}

// Migration is the trigger's configuration.
type Migration struct {
	Policy   trigger.Policy
	ClientID string              // of the source's app client that passwords are tried with
	Profile  trigger.ProfileFrom // where the trigger reads attributes
}

// Report is the answer for one name: the JSON object of explain --json. Members
// are only ever added.
type Report struct {
	Version int         `json:"version"`
	Name    string      `json:"name"`
	Users   []Candidate `json:"users"`
	// Profile is where the trigger reads attributes; IDTokenLoses lists those
	// that an ID token of the source does not carry, or may not.
	Profile      trigger.ProfileFrom `json:"profile"`
	IDTokenLoses []string            `json:"id_token_loses"`
}

// Candidate is one user to whom the name may belong.
type Candidate struct {
	FoundBy  []string        `json:"found_by"` // the attributes that hold the name
	Typed    string          `json:"typed"`    // the name that the answers are for: Name, but for a sub
	Username string          `json:"username"`
	Sub      userpool.Sub    `json:"sub"`
	Status   userpool.Status `json:"status"`
	Enabled  bool            `json:"enabled"`
	// MFA holds SMS_MFA at most: ListUsers does not tell of other factors, and
	// asking AdminGetUser would bill an active user.
	MFA            []string             `json:"mfa"`
	SignIn         Answer               `json:"sign_in"`
	ForgotPassword Answer               `json:"forgot_password"`
	Attributes     []Change             `json:"attributes"`
	Violations     []userpool.Violation `json:"violations"`
}

// Answer is what the trigger would answer.
type Answer struct {
	Outcome trigger.Outcome `json:"outcome"`
	Reason  string          `json:"reason,omitempty"`
	Meaning string          `json:"meaning"`
	// Creates reports that the user would be created at the target, Keeps that
	// the password moves along.
	Creates bool `json:"creates_user"`
	Keeps   bool `json:"keeps_password"`
	SMSMFA  bool `json:"enables_sms_mfa"`
}

// Change is what becomes of one attribute. An absent side is null.
type Change struct {
	Attribute string  `json:"attribute"`
	Before    *string `json:"before"`
	After     *string `json:"after"`
	Why       string  `json:"why,omitempty"` // where it is not carried as it is
}

// Loses reports whether the trigger would migrate users without attributes that
// they have, because it reads them from a token that lacks them.
func (r Report) Loses() bool { return r.Profile == trigger.FromIDToken && len(r.IDTokenLoses) > 0 }

// Refused reports whether the right password would not move one of the users.
func (r Report) Refused() bool {
	return slices.ContainsFunc(r.Users, func(c Candidate) bool { return !c.SignIn.Keeps })
}

// Look explains a name. It returns ErrUnknown where no user has it.
func Look(ctx context.Context, name string, source Source, m Migration) (Report, error) {
	users, err := source.Find(ctx, name)
	if err != nil {
		return Report{}, err
	}
	if len(users) == 0 {
		return Report{}, fmt.Errorf("explain %q: %w", name, ErrUnknown)
	}
	pool, err := source.Describe(ctx)
	if err != nil {
		return Report{}, err
	}
	reads, err := source.ClientReads(ctx, m.ClientID)
	if err != nil {
		return Report{}, err
	}
	report := Report{
		Version: 1, Name: name, Profile: m.Profile,
		IDTokenLoses: append([]string{}, pool.IDTokenLoses(m.Policy.Mapping, reads)...),
	}
	for _, u := range users {
		report.Users = append(report.Users, candidate(name, u, pool, m.Policy))
	}
	return report, nil
}

func candidate(name string, u userpool.User, source userpool.Pool, policy trigger.Policy) Candidate {
	c := Candidate{
		FoundBy: foundBy(name, u), Typed: name, Username: u.Username, Sub: u.Sub, Status: u.Status,
		Enabled: u.Enabled, MFA: append([]string{}, u.MFA...),
	}
	if slices.Equal(c.FoundBy, []string{userpool.AttrSub}) {
		c.Typed = usualName(u, policy.Target) // nobody types a sub
	}
	e := policy.Explain(c.Typed, u)
	c.SignIn, c.ForgotPassword = answer(e.RightPassword), answer(e.ForgotPassword)
	if !knows(source, c.Typed, u) {
		unknown := Answer{Outcome: trigger.NotInSource, Reason: reasonNoName, Meaning: "stays: the source does not take this name for the user at sign-in; an e-mail or phone is a name once it is verified"}
		c.SignIn, c.ForgotPassword = unknown, unknown
	}
	c.Violations = append([]userpool.Violation{}, e.RightPassword.Violations...)
	after := e.RightPassword.Response.UserAttributes
	if after == nil {
		after = e.ForgotPassword.Response.UserAttributes
	}
	if after == nil {
		after = policy.Mapping.Apply(u)
	}
	c.Attributes = changes(u, after, c.Violations, policy.Mapping)
	return c
}

// reasonNoName: listing finds the user by the attribute, signing in does not.
const reasonNoName = "not_a_name_at_source"

// knows reports whether the source finds the user by the name at sign-in. An
// e-mail address or phone number as an alias must be verified (Cognito Developer
// Guide, user pool attributes).
func knows(source userpool.Pool, name string, u userpool.User) bool {
	if source.SameName(name, u.Username) {
		return true
	}
	for _, attribute := range source.UsernameAttributes {
		if source.SameName(name, u.Attributes[attribute]) {
			return true
		}
	}
	for _, alias := range source.Aliases {
		if source.SameName(name, u.Attributes[alias]) && (alias == userpool.AttrPreferredUsername || u.Attributes.Verified(alias)) {
			return true
		}
	}
	return false
}

// usualName is the name that a user most likely types at the target.
func usualName(u userpool.User, target userpool.Pool) string {
	for _, attribute := range target.UsernameAttributes {
		if value := u.Attributes[attribute]; value != "" {
			return value
		}
	}
	return u.Username
}

func foundBy(name string, u userpool.User) []string {
	var by []string
	if strings.EqualFold(name, u.Username) {
		by = append(by, "username")
	}
	for _, attribute := range []string{userpool.AttrEmail, userpool.AttrPhoneNumber, userpool.AttrPreferredUsername} {
		if strings.EqualFold(name, u.Attributes[attribute]) {
			by = append(by, attribute)
		}
	}
	if strings.EqualFold(name, string(u.Sub)) && !strings.EqualFold(name, u.Username) {
		by = append(by, userpool.AttrSub)
	}
	return by
}

func answer(r trigger.Ruling) Answer {
	return Answer{
		Outcome: r.Outcome, Reason: r.Reason, Meaning: meaning(r),
		Creates: len(r.Response.UserAttributes) > 0,
		Keeps:   r.Response.FinalUserStatus != "",
		SMSMFA:  r.Response.EnableSMSMFA,
	}
}

// meaning says an outcome in a sentence.
func meaning(r trigger.Ruling) string {
	switch r.Outcome {
	case trigger.Migrated:
		if r.Response.FinalUserStatus == "" {
			return "moves, and chooses a new password"
		}
		return "moves, with the password"
	case trigger.NeedsReset:
		if len(r.Response.UserAttributes) > 0 {
			return "moves with a temporary password, which is not carried: chooses a new one"
		}
		return "stays: the source wants a new password first; forgot-password moves the user"
	case trigger.MfaRefused:
		return "stays: the second factor was not proven; the app has to send the code as mfa_code"
	case trigger.Disabled:
		return "stays: disabled at the source"
	case trigger.Unconfirmed:
		return "stays: never confirmed at the source"
	case trigger.Federated:
		return "stays: signs in at an identity provider; link that to the target instead"
	case trigger.NoVerifiedContact:
		return "stays: no verified e-mail or phone to send a code to"
	case trigger.Unmappable:
		return "stays: the target pool cannot hold this user: " + whyUnmappable(r.Reason)
	default:
		return "stays"
	}
}

func whyUnmappable(reason string) string {
	switch reason {
	case userpool.ReasonNameNotCarried:
		return "no attribute that the target signs people in by has the name that was typed"
	case userpool.ReasonUsernameUnusable:
		return "no username can be made for it"
	}
	if rest, ok := strings.CutPrefix(reason, "schema:"); ok {
		at := strings.LastIndex(rest, ":")
		return fmt.Sprintf("attribute %s breaks the rule %s of the target's schema", rest[:at], rest[at+1:])
	}
	return reason
}

// changes lists every attribute of either side by name.
func changes(u userpool.User, after userpool.Attributes, violations []userpool.Violation, mapping userpool.Mapping) []Change {
	before := u.Attributes.Clone()
	if before == nil {
		before = userpool.Attributes{}
	}
	if u.Sub != "" {
		before[userpool.AttrSub] = string(u.Sub)
	}
	names := slices.Collect(maps.Keys(before))
	for name := range after {
		if _, there := before[name]; !there {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := []Change{}
	for _, name := range names {
		c := Change{Attribute: name, Before: valueOf(before, name), After: valueOf(after, name)}
		switch {
		case c.After == nil:
			c.Why = whyGone(name, violations, mapping)
		case name == userpool.UsernameMember:
			c.Why = "the username at the target"
		case name == userpool.AttrLegacySub:
			c.Why = "the sub at the source"
		case c.Before == nil:
			c.Why = "new"
		case *c.Before != *c.After:
			c.Why = "changed"
		}
		out = append(out, c)
	}
	return out
}

func valueOf(attributes userpool.Attributes, name string) *string {
	if value, ok := attributes[name]; ok {
		return &value
	}
	return nil
}

func whyGone(name string, violations []userpool.Violation, mapping userpool.Mapping) string {
	for _, v := range violations {
		if v.Attribute == name {
			return v.Rule + ": " + v.Detail
		}
	}
	for _, r := range mapping.Rules {
		if r.Rename != nil && r.Rename.From == name {
			return "renamed to " + r.Rename.To
		}
	}
	switch {
	case name == userpool.AttrSub:
		return "kept as " + userpool.AttrLegacySub
	case name == userpool.AttrIdentities || strings.HasPrefix(name, "cognito:"):
		return "belongs to Cognito"
	}
	return "dropped by the mapping"
}
