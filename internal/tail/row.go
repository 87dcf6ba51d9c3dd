package tail

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// Columns beside the attributes.
const (
	columnUsername = "cognito:username"
	columnMFA      = "cognito:mfa_enabled"
)

const attrBirthdate = "birthdate"

// Refusal is why a user can be in no file.
type Refusal string

// The refusals.
const (
	RefusedDisabled   Refusal = "disabled"            // at the source, and the choice does not name that
	RefusedNoUsername Refusal = "no_username"         // the target could not name the user
	RefusedSchema     Refusal = "schema_violation"    // the schema refuses what may not be left out
	RefusedNoContact  Refusal = "no_verified_contact" // no address is verified that the pool verifies by itself
	RefusedValue      Refusal = "value_unwritable"    // a CSV of Cognito's cannot hold what may not be left out
	RefusedLong       Refusal = "row_too_long"
)

// Refusals lists the refusals in the order in which they are looked for.
func Refusals() []Refusal {
	return []Refusal{RefusedDisabled, RefusedNoUsername, RefusedSchema, RefusedNoContact, RefusedValue, RefusedLong}
}

// Meaning returns one sentence for an operator, empty for an unknown refusal.
func (r Refusal) Meaning() string {
	switch r {
	case RefusedDisabled:
		return "The user is disabled at the source, and would be enabled once imported: choose disabled by name to do it all the same."
	case RefusedNoUsername:
		return "The target pool can give the user no username."
	case RefusedSchema:
		return "The target's schema refuses an attribute that may not be left out."
	case RefusedNoContact:
		return "The user has no verified e-mail address or phone number of the kind that the target pool verifies by itself."
	case RefusedValue:
		return "An attribute that may not be left out has a value that the file cannot hold: a line break, a backslash at its end or before a comma, or no date."
	case RefusedLong:
		return "The user's row would be longer than Cognito reads."
	}
	return ""
}

// rules are what rows are made by.
type rules struct {
	pool         userpool.Pool
	header       []string
	autoVerified []string
	recovery     []string
	limit        int  // characters of a row
	disabled     bool // whether those are imported who are disabled
}

// medium is how a user would be sent a code for a new password.
type medium string

const (
	byEmail medium = "email"
	bySMS   medium = "sms"
	byNone  medium = "none" // only an administrator can help
)

// row returns the line of a user, whose attributes are mapped already, without a
// line break; or why there is none.
//
// What the schema refuses is left out where it may be, as the trigger does it.
// So is what a file of Cognito's cannot hold: nothing escapes a line break, nor a
// backslash before a comma. Space around a value is
// dropped, since the reader does.
func (r rules) row(u userpool.User) (string, Refusal) {
	kept, ok := r.fit(u)
	if !ok {
		return "", RefusedSchema
	}
	name, reason := r.pool.ImportName(u, kept)
	if reason != "" || !escapable(name) {
		return "", RefusedNoUsername
	}
	if !slices.ContainsFunc(r.autoVerified, kept.Verified) {
		return "", RefusedNoContact
	}
	var line strings.Builder
	for i, column := range r.header {
		if i > 0 {
			line.WriteByte(',')
		}
		value, writable := r.value(column, name, u, kept)
		if !writable {
			if spec := r.pool.Schema[column]; spec.Required || column == userpool.AttrLegacySub {
				return "", RefusedValue
			}
			value = ""
		}
		line.WriteString(strings.ReplaceAll(value, ",", `\,`))
	}
	text := line.String()
	if utf8.RuneCountInString(text) > r.limit {
		return "", RefusedLong
	}
	return text, ""
}

// fit leaves out what the target's schema, or the header, does not have or
// refuses. ok is false where that may not be left out.
func (r rules) fit(u userpool.User) (kept userpool.Attributes, ok bool) {
	kept = u.Attributes.Clone()
	if kept == nil {
		kept = userpool.Attributes{}
	}
	kept[userpool.AttrLegacySub] = string(u.Sub)
	for _, v := range r.pool.Schema.Check(kept) {
		if r.pool.Schema.Blocks(v) {
			return nil, false
		}
		delete(kept, v.Attribute)
		delete(kept, v.Attribute+"_verified")
	}
	return kept, slices.Contains(r.header, userpool.AttrLegacySub)
}

// value is what stands in a column, before it is escaped.
func (r rules) value(column, name string, u userpool.User, kept userpool.Attributes) (value string, writable bool) {
	switch column {
	case columnUsername:
		return name, true
	case columnMFA:
		return r.mfa(u, kept), true
	case userpool.AttrEmailVerified, userpool.AttrPhoneVerified:
		attribute := strings.TrimSuffix(column, "_verified")
		switch {
		case kept[attribute] == "":
			return "", true
		case kept.Verified(attribute):
			return "true", true
		}
		return "false", true
	case attrBirthdate:
		return date(kept[column])
	}
	value = strings.TrimSpace(kept[column])
	return value, !strings.ContainsAny(value, "\r\n\x00") && escapable(value)
}

// escapable reports whether a value has no backslash before a comma, or before the
// one that ends it: nobody says whether a reader would take it for the escape of
// the comma, or for one that is escaped itself.
func escapable(value string) bool { return !strings.Contains(value+",", `\,`) }

// mfa is true where the user has to give a code: of everybody where the pool wants
// it so, and where it leaves the choice, of those whose second factor is SMS at
// the source and can be at the target.
func (r rules) mfa(u userpool.User, kept userpool.Attributes) string {
	switch {
	case r.pool.MFA == userpool.MFAOn:
		return "true"
	case r.pool.MFA == userpool.MFAOptional && r.pool.SMSMFA && slices.Contains(u.MFA, "SMS_MFA") && kept[userpool.AttrPhoneNumber] != "":
		return "true"
	}
	return "false"
}

// date turns a date of an attribute, yyyy-mm-dd, into that of a file, mm/dd/yyyy.
func date(value string) (string, bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return "", true
	}
	for _, layout := range []string{time.DateOnly, dateInFile} {
		if day, err := time.Parse(layout, value); err == nil && len(value) == len(layout) {
			return day.Format(dateInFile), true
		}
	}
	return "", false
}

const dateInFile = "01/02/2006"

// sends tells how a user of the file would be sent a code.
func (r rules) sends(u userpool.User) medium {
	for _, attribute := range r.recovery {
		if u.Attributes.Verified(attribute) {
			if attribute == userpool.AttrEmail {
				return byEmail
			}
			return bySMS
		}
	}
	return byNone
}

// take returns the line of a user who is left, or why there is none.
//
// A file cannot say that a user is disabled. Whoever is, and is imported, can
// choose a password and sign in until they are settled: so they are imported where
// people name that, and for no other reason that they have beside it.
func (r rules) take(u reconcile.PendingUser) (string, Refusal) {
	if !u.User.Enabled && u.Reason != verdict.Disabled && !r.disabled {
		return "", RefusedDisabled
	}
	return r.row(u.User)
}

// head is the first line of a file, without a line break.
func (r rules) head() string { return strings.Join(r.header, ",") }
