package manifest

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// Groups are the groups of the source pool, without their members: those are
// lines of a shard. It is written once per generation.
type Groups struct {
	Version V1 `json:"version"`
	Origin
	Groups []Group   `json:"groups"` // sorted by name
	Listed time.Time `json:"listed"`
}

// Group is a group of a user pool.
type Group struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Precedence decides between the roles of a user's groups: the lowest number
	// wins, none comes last.
	Precedence *int   `json:"precedence,omitempty"`
	RoleARN    string `json:"role_arn,omitempty"`
}

// AtTarget returns the groups as they are made at the target, by the name that
// they have there. Of several source groups of one name there, the one that has
// it already counts, and otherwise the first. The role is that of the rules: a
// source group's own is in the source account.
func (g Groups) AtTarget(rules userpool.GroupRules) map[string]Group {
	made := map[string]Group{}
	for _, group := range g.Groups {
		for _, name := range rules.Apply([]string{group.Name}) {
			if _, ok := made[name]; ok && group.Name != name {
				continue
			}
			made[name] = Group{Name: name, Description: group.Description, Precedence: group.Precedence}.withRole(rules)
		}
	}
	return made
}

// TargetGroup returns the group of a name as AtTarget has it, and one without
// description or precedence where the source has none that becomes it.
func (g Groups) TargetGroup(name string, rules userpool.GroupRules) Group {
	if group, ok := g.AtTarget(rules)[name]; ok {
		return group
	}
	return Group{Name: name}.withRole(rules)
}

func (g Group) withRole(rules userpool.GroupRules) Group {
	g.RoleARN, _ = rules.RoleOf(g.Name)
	return g
}

// Of returns an error of kind fault.Invalid unless g are the groups of a
// generation.
func (g Groups) Of(origin Origin) error {
	if why := g.differs(origin); why != "" {
		return fault.New(fault.Invalid, "groups: the document %s", why)
	}
	return nil
}

// Encode returns the bytes of the document.
func (g Groups) Encode() ([]byte, error) { return encode(g) }

// DecodeGroups reads the groups of a generation.
func DecodeGroups(data []byte) (g Groups, err error) {
	err = decode(data, &g)
	return g, err
}

func (Groups) kind() string { return "groups" }

func (g Groups) check() error {
	if err := errors.Join(g.Origin.check(), document.CheckTime("listed", g.Listed)); err != nil {
		return err
	}
	if g.Groups == nil {
		return errors.New("groups are missing")
	}
	last := ""
	for _, group := range g.Groups {
		if group.Name <= last {
			return fmt.Errorf("group %q is not behind %q", group.Name, last)
		}
		if !utf8.ValidString(group.Name) || !utf8.ValidString(group.Description) {
			return fmt.Errorf("group %q is not valid UTF-8", group.Name)
		}
		last = group.Name
	}
	return nil
}
