package userpool

import (
	"unicode"
	"unicode/utf8"
)

// ImportName returns the cognito:username under which an import job is to create
// a user of the source, so that it is the user whom the migration trigger would
// have created: who has moved meanwhile is skipped by the job, and who was
// imported is found by the trigger's pool. The rules follow Admit:
//
//   - pools with username attributes make the username up; the column holds an
//     address or number that is among the attributes, a verified one where there
//     is one (Cognito Developer Guide, importing users from a CSV file, says of
//     such pools only what sign-up says: the name is the address or number);
//   - pools with alias attributes refuse usernames that look like one: the source
//     sub stands in, as in the trigger;
//   - otherwise it is the source's username, or, where the source made it up, the
//     address or number.
//
// It returns a reason from Admit's list, empty where there is a name.
func (p Pool) ImportName(source User, attributes Attributes) (name, reason string) {
	if len(p.UsernameAttributes) > 0 {
		for _, verified := range []bool{true, false} {
			for _, attribute := range p.UsernameAttributes {
				if value := attributes[attribute]; value != "" && (attributes.Verified(attribute) || !verified) {
					return usable(value)
				}
			}
		}
		return "", ReasonNameNotCarried
	}
	name = p.usernameFor(source)
	if p.onlyAlias(name) {
		name = string(source.Sub)
	}
	return usable(name)
}

// usable refuses what no username can be: a name that is empty, longer than 128
// characters or has white space in it.
func usable(name string) (string, string) {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxUsername {
		return "", ReasonUsernameUnusable
	}
	for _, r := range name {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return "", ReasonUsernameUnusable
		}
	}
	return name, ""
}
