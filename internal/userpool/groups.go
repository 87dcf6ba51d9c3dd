package userpool

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"
)

// ErrNoGroup is what adding somebody to a group that the pool does not have
// wraps.
var ErrNoGroup = errors.New("the pool has no such group")

// GroupMode says what becomes of a user's groups at the target.
type GroupMode string

// The group modes.
const (
	GroupsAdd    GroupMode = "add"    // put users into their groups, take nobody out; the default
	GroupsMirror GroupMode = "mirror" // and take them out of those that they are no longer in at the source
	GroupsNone   GroupMode = "none"   // leave groups alone
)

// GroupModes lists the modes.
func GroupModes() []GroupMode { return []GroupMode{GroupsAdd, GroupsMirror, GroupsNone} }

// GroupRules say how the groups of a source user become those of a target user.
// What they do not name is carried under its own name, but for the groups that
// Cognito itself makes for the users of an identity provider, POOLID_PROVIDER:
// the target pool makes its own. The zero value carries everything.
type GroupRules struct {
	Mode   GroupMode     `yaml:"mode" json:"mode,omitempty"`
	Ignore []string      `yaml:"ignore" json:"ignore,omitempty"` // source groups that stay behind
	Rename []GroupRename `yaml:"rename" json:"rename,omitempty"`
	Roles  []GroupRole   `yaml:"roles" json:"roles,omitempty"`
}

// GroupRename is a source group and the name that it has at the target. Several
// may go by one name there.
type GroupRename struct {
	From string `yaml:"from" json:"from"`
	To   string `yaml:"to" json:"to"`
}

// GroupRole is the IAM role that a target group gets when it is made. A source
// group's own role is in the source account and is never carried.
type GroupRole struct {
	Group   string `yaml:"group" json:"group"` // at the target
	RoleARN string `yaml:"role_arn" json:"role_arn"`
}

// GroupRuleError says which field of group rules is wrong, and why.
type GroupRuleError struct {
	Field string // such as "rename[0].to"
	Value string
	Why   string
}

func (e *GroupRuleError) Error() string {
	return fmt.Sprintf("groups.%s: %q %s", e.Field, e.Value, e.Why)
}

var (
	// groupName and maxGroupName are those of CreateGroup (Cognito API reference).
	groupName = regexp.MustCompile(`^[\p{L}\p{M}\p{S}\p{N}\p{P}]+$`)
	// providerGroup has the form REGION_ID_PROVIDER.
	providerGroup = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}_[0-9A-Za-z]+_.`)
	groupRole     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,576}$`)
)

const maxGroupName = 128

// Apply returns the target groups of somebody who is in these source groups,
// sorted, each once; nil where there are none.
func (r GroupRules) Apply(source []string) []string {
	if r.Mode == GroupsNone {
		return nil
	}
	var target []string
	for _, name := range source {
		if to, ok := r.carry(name); ok {
			target = append(target, to)
		}
	}
	slices.Sort(target)
	return slices.Compact(target)
}

// carry returns the target group of one source group. A rename wins over the
// form of the name: who writes it down knows what the group is.
func (r GroupRules) carry(name string) (string, bool) {
	if slices.Contains(r.Ignore, name) {
		return "", false
	}
	if i := slices.IndexFunc(r.Rename, func(g GroupRename) bool { return g.From == name }); i >= 0 {
		return r.Rename[i].To, true
	}
	return name, name != "" && !providerGroup.MatchString(name)
}

// RoleOf returns the role that a target group gets, if it gets one.
func (r GroupRules) RoleOf(target string) (arn string, ok bool) {
	i := slices.IndexFunc(r.Roles, func(g GroupRole) bool { return g.Group == target })
	if i < 0 {
		return "", false
	}
	return r.Roles[i].RoleARN, true
}

// Validate checks the rules against each other and against what Cognito allows.
// It returns the first *GroupRuleError.
func (r GroupRules) Validate() error {
	if r.Mode != "" && !slices.Contains(GroupModes(), r.Mode) {
		return &GroupRuleError{"mode", string(r.Mode), "is not one of add, mirror, none"}
	}
	named := map[string]string{} // source group → the field that speaks of it
	name := func(field, value string) error {
		if first := named[value]; first != "" {
			return &GroupRuleError{field, value, "is named by " + first + " already"}
		}
		named[value] = field
		return checkGroupName(field, value)
	}
	for i, ignored := range r.Ignore {
		if err := name(fmt.Sprintf("ignore[%d]", i), ignored); err != nil {
			return err
		}
	}
	for i, g := range r.Rename {
		from, to := fmt.Sprintf("rename[%d].from", i), fmt.Sprintf("rename[%d].to", i)
		if err := name(from, g.From); err != nil {
			return err
		}
		if g.To == g.From {
			return &GroupRuleError{to, g.To, "is the name that the group has already"}
		}
		if err := checkTargetGroup(to, g.To); err != nil {
			return err
		}
	}
	given := map[string]bool{}
	for i, g := range r.Roles {
		group := fmt.Sprintf("roles[%d].group", i)
		if given[g.Group] {
			return &GroupRuleError{group, g.Group, "has a role by an earlier entry already"}
		}
		given[g.Group] = true
		if err := checkTargetGroup(group, g.Group); err != nil {
			return err
		}
		if !groupRole.MatchString(g.RoleARN) {
			return &GroupRuleError{fmt.Sprintf("roles[%d].role_arn", i), g.RoleARN, "is not a role ARN, such as arn:aws:iam::444455556666:role/admins"}
		}
	}
	return nil
}

func checkTargetGroup(field, name string) error {
	if providerGroup.MatchString(name) {
		return &GroupRuleError{field, name, "has the form of a group that Cognito keeps for an identity provider"}
	}
	return checkGroupName(field, name)
}

func checkGroupName(field, name string) error {
	switch {
	case name == "":
		return &GroupRuleError{field, name, "is missing: give the name of a group"}
	case utf8.RuneCountInString(name) > maxGroupName || !groupName.MatchString(name):
		return &GroupRuleError{field, name, "is not a group name of 1 to 128 characters without spaces"}
	}
	return nil
}
