package manifest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"poolferry/internal/userpool"
)

// Member says that a user is in a group.
type Member struct {
	Group string       `json:"group"`
	Sub   userpool.Sub `json:"sub"`
}

// profile is a userpool.User as a line. Its members are all that a line may
// have; a password has no place in it.
type profile struct {
	Sub        userpool.Sub        `json:"sub"`
	Username   string              `json:"username"`
	Enabled    bool                `json:"enabled"`
	Status     userpool.Status     `json:"status"`
	Attributes userpool.Attributes `json:"attributes"`
	Groups     []string            `json:"groups,omitempty"`
	MFA        []string            `json:"mfa,omitempty"`
	Created    time.Time           `json:"created,omitzero"`
	Modified   time.Time           `json:"modified,omitzero"`
}

func newProfile(u userpool.User) profile {
	p := profile{u.Sub, u.Username, u.Enabled, u.Status, u.Attributes, u.Groups, u.MFA, u.Created.UTC(), u.Modified.UTC()}
	if p.Attributes == nil {
		p.Attributes = userpool.Attributes{}
	}
	return p
}

func (p profile) user() userpool.User {
	return userpool.User{
		Sub: p.Sub, Username: p.Username, Attributes: p.Attributes, Enabled: p.Enabled, Status: p.Status,
		Groups: p.Groups, MFA: p.MFA, Created: p.Created, Modified: p.Modified,
	}
}

// id is what must be unique within a part.
func (p profile) id() string { return string(p.Sub) }

// check holds for lines that are written and for lines that are read. Its
// errors name members and attributes, never values.
func (p profile) check() error {
	switch {
	case p.Sub == "":
		return errors.New("a profile has no sub")
	case p.Username == "" || p.Status == "" || p.Attributes == nil:
		return fmt.Errorf("profile %q lacks username, status or attributes", p.Sub)
	}
	if sub, ok := p.Attributes[userpool.AttrSub]; ok && sub != string(p.Sub) {
		return fmt.Errorf("profile %q has another sub among its attributes", p.Sub)
	}
	for _, text := range slices.Concat([]string{string(p.Sub), p.Username, string(p.Status)}, p.Groups, p.MFA) {
		if !utf8.ValidString(text) {
			return fmt.Errorf("profile %q: sub, username, status, groups or mfa is not valid UTF-8", p.Sub)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Attributes)) {
		switch {
		case name == "" || !utf8.ValidString(name):
			return fmt.Errorf("profile %q: attribute name %q is empty or not valid UTF-8", p.Sub, name)
		case !utf8.ValidString(p.Attributes[name]):
			return fmt.Errorf("profile %q: attribute %q is not valid UTF-8", p.Sub, name)
		case SecretLike(name):
			return fmt.Errorf("profile %q: attribute %q sounds like a secret, and secrets are never staged", p.Sub, name)
		}
	}
	return nil
}

func (m Member) id() string { return m.Group + "\x00" + string(m.Sub) }

func (m Member) check() error {
	if m.Group == "" || m.Sub == "" || !utf8.ValidString(m.Group) || !utf8.ValidString(string(m.Sub)) {
		return errors.New("a membership lacks group or sub, or they are not valid UTF-8")
	}
	return nil
}

// line is a profile or a Member.
type line interface {
	id() string
	check() error
}
