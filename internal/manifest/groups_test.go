package manifest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

func TestGroupsAtTarget(t *testing.T) {
	one, two := 1, 2
	const role = "arn:aws:iam::444455556666:role/ops"
	groups := manifest.Groups{Groups: []manifest.Group{
		{Name: "admins", Description: "first", Precedence: &one, RoleARN: "arn:aws:iam::111122223333:role/old"},
		{Name: "beta"}, {Name: "ops", Description: "its own", Precedence: &two}, {Name: "owners", Description: "second"},
		{Name: "eu-west-1_AbCdEf123_Corporate"},
	}}
	rules := userpool.GroupRules{
		Ignore: []string{"beta"}, Rename: []userpool.GroupRename{{From: "admins", To: "ops"}, {From: "owners", To: "ops"}},
		Roles: []userpool.GroupRole{{Group: "ops", RoleARN: role}, {Group: "new", RoleARN: role}},
	}
	want := map[string]manifest.Group{"ops": {Name: "ops", Description: "its own", Precedence: &two, RoleARN: role}}
	if diff := cmp.Diff(want, groups.AtTarget(rules)); diff != "" {
		t.Error(diff)
	}
	rules.Rename = append(rules.Rename, userpool.GroupRename{From: "ops", To: "staff"})
	if got := groups.TargetGroup("ops", rules); got.Description != "first" || got.RoleARN != role {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(manifest.Group{Name: "new", RoleARN: role}, groups.TargetGroup("new", rules)); diff != "" {
		t.Error(diff)
	}
	rules.Mode = userpool.GroupsNone
	if got := groups.AtTarget(rules); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}
