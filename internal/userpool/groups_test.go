package userpool_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/userpool"
)

func TestGroupRulesApply(t *testing.T) {
	rules := userpool.GroupRules{
		Ignore: []string{"beta"},
		Rename: []userpool.GroupRename{{From: "admins", To: "operators"}, {From: "root", To: "operators"}, {From: "eu-west-1_AbCdEf123_SAML", To: "staff"}},
	}
	with := func(mode userpool.GroupMode) userpool.GroupRules {
		r := rules
		r.Mode = mode
		return r
	}
	tests := []struct {
		name   string
		rules  userpool.GroupRules
		source []string
		want   []string
	}{
		{"no rules carry every group", userpool.GroupRules{}, []string{"b", "a"}, []string{"a", "b"}},
		{"each once", userpool.GroupRules{}, []string{"a", "a"}, []string{"a"}},
		{"no groups", rules, nil, nil},
		{"ignored", rules, []string{"beta", "gold"}, []string{"gold"}},
		{"renamed, two onto one", rules, []string{"root", "admins", "gold"}, []string{"gold", "operators"}},
		{"renamed onto one that is carried", rules, []string{"operators", "admins"}, []string{"operators"}},
		{"add", with(userpool.GroupsAdd), []string{"admins"}, []string{"operators"}},
		{"mirror", with(userpool.GroupsMirror), []string{"admins"}, []string{"operators"}},
		{"none", with(userpool.GroupsNone), []string{"admins", "gold"}, nil},
		{"groups of identity providers stay", rules, []string{"us-east-1_AbCdEf123_Google", "us-gov-west-1_x9_My_SAML"}, nil},
		{"unless somebody names them", rules, []string{"eu-west-1_AbCdEf123_SAML"}, []string{"staff"}},
		{"names that only look a little like them", rules, []string{"us-east-1_team", "eu-west-1_AbCdEf123", "region_id_x"}, []string{"eu-west-1_AbCdEf123", "region_id_x", "us-east-1_team"}},
		{"a name that is empty", rules, []string{""}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.rules.Validate(); err != nil {
				t.Fatal(err)
			}
			before := slices.Clone(tt.source)
			if diff := cmp.Diff(tt.want, tt.rules.Apply(tt.source)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(before, tt.source); diff != "" {
				t.Errorf("the source groups were changed\n%s", diff)
			}
		})
	}
}

func TestGroupRulesRoleOf(t *testing.T) {
	const arn = "arn:aws:iam::444455556666:role/path/admins"
	rules := userpool.GroupRules{Roles: []userpool.GroupRole{{Group: "operators", RoleARN: arn}}}
	if err := rules.Validate(); err != nil {
		t.Fatal(err)
	}
	if got, ok := rules.RoleOf("operators"); got != arn || !ok {
		t.Errorf("RoleOf = %q, %v", got, ok)
	}
	if got, ok := rules.RoleOf("gold"); got != "" || ok {
		t.Errorf("RoleOf a group without role = %q, %v", got, ok)
	}
}

func TestGroupRulesValidate(t *testing.T) {
	const arn = "arn:aws:iam::444455556666:role/admins"
	renames := func(pairs ...string) (r userpool.GroupRules) {
		for i := 0; i < len(pairs); i += 2 {
			r.Rename = append(r.Rename, userpool.GroupRename{From: pairs[i], To: pairs[i+1]})
		}
		return r
	}
	tests := []struct {
		name  string
		rules userpool.GroupRules
		want  string
	}{
		{"mode", userpool.GroupRules{Mode: "copy"}, `groups.mode: "copy" is not one of add, mirror, none`},
		{"ignore of nothing", userpool.GroupRules{Ignore: []string{"a", ""}}, `groups.ignore[1]: "" is missing: give the name of a group`},
		{"ignore of no name", userpool.GroupRules{Ignore: []string{"two words"}}, `groups.ignore[0]: "two words" is not a group name of 1 to 128 characters without spaces`},
		{"ignored twice", userpool.GroupRules{Ignore: []string{"a", "a"}}, `groups.ignore[1]: "a" is named by ignore[0] already`},
		{"ignored and renamed", userpool.GroupRules{Ignore: []string{"a"}, Rename: []userpool.GroupRename{{From: "a", To: "b"}}}, `groups.rename[0].from: "a" is named by ignore[0] already`},
		{"renamed twice", renames("a", "b", "a", "c"), `groups.rename[1].from: "a" is named by rename[0].from already`},
		{"renamed to itself", renames("a", "a"), `groups.rename[0].to: "a" is the name that the group has already`},
		{"renamed to nothing", renames("a", ""), `groups.rename[0].to: "" is missing: give the name of a group`},
		{"renamed to too long a name", renames("a", strings.Repeat("é", 129)), `groups.rename[0].to: "` + strings.Repeat("é", 129) + `" is not a group name of 1 to 128 characters without spaces`},
		{"renamed to a provider's group", renames("a", "eu-west-1_AbCdEf123_Google"), `groups.rename[0].to: "eu-west-1_AbCdEf123_Google" has the form of a group that Cognito keeps for an identity provider`},
		{"two roles", userpool.GroupRules{Roles: []userpool.GroupRole{{Group: "a", RoleARN: arn}, {Group: "a", RoleARN: arn}}}, `groups.roles[1].group: "a" has a role by an earlier entry already`},
		{"role of nobody", userpool.GroupRules{Roles: []userpool.GroupRole{{RoleARN: arn}}}, `groups.roles[0].group: "" is missing: give the name of a group`},
		{"role of no form", userpool.GroupRules{Roles: []userpool.GroupRole{{Group: "a", RoleARN: "admins"}}}, `groups.roles[0].role_arn: "admins" is not a role ARN, such as arn:aws:iam::444455556666:role/admins`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.rules.Validate()
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if _, ok := errors.AsType[*userpool.GroupRuleError](err); !ok {
				t.Errorf("%T is no GroupRuleError", err)
			}
		})
	}
}

func FuzzGroupRulesApply(f *testing.F) {
	f.Add("a", "b", "eu-west-1_AbCdEf123_Google", "a b")
	f.Fuzz(func(t *testing.T, ignored, from, to, source string) {
		rules := userpool.GroupRules{Ignore: []string{ignored}, Rename: []userpool.GroupRename{{From: from, To: to}}}
		if rules.Validate() != nil {
			t.Skip()
		}
		got := rules.Apply(append(strings.Fields(source), from, ignored))
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("not sorted, or twice: %q", got)
		}
		if !slices.Contains(got, to) || slices.Contains(got, "") {
			t.Errorf("%q: the renamed group is missing, or one has no name", got)
		}
	})
}
