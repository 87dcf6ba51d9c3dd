package iam

import (
	"testing"
	"time"
)

func TestChange(t *testing.T) {
	d := New(time.Now)
	trust := func(account string) []byte {
		return []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::` + account + `:root"}}}`)
	}
	may := func(action string) []byte {
		return []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"` + action + `","Resource":"*"}}`)
	}
	const mine, theirs = "111111111111", "222222222222"
	user, err := d.AddUser(theirs, "ops", may("sts:AssumeRole"))
	if err != nil {
		t.Fatal(err)
	}
	caller, _, err := d.Lookup(user.AccessKeyID, "")
	if err != nil {
		t.Fatal(err)
	}
	role, err := d.AddRole(mine, "reader", trust(mine), may("cognito-idp:ListUsers"))
	if err != nil {
		t.Fatal(err)
	}
	in := AssumeRoleInput{RoleARN: role, SessionName: "s"}
	if _, _, err := d.AssumeRole(caller, in); err == nil {
		t.Fatal("assumed without trust")
	}
	if err := d.SetTrust(role, trust(theirs)); err != nil {
		t.Fatal(err)
	}
	_, session, err := d.AssumeRole(caller, in)
	if err != nil {
		t.Fatal(err)
	}
	const pool = "arn:aws:cognito-idp:eu-west-1:" + mine + ":userpool/eu-west-1_a"
	if err := d.Authorize(session, "cognito-idp:ListUsers", pool); err != nil {
		t.Error(err)
	}
	if err := d.SetPolicies(role, may("cognito-idp:ListGroups")); err != nil {
		t.Fatal(err)
	}
	if d.Authorize(session, "cognito-idp:ListUsers", pool) == nil || d.Authorize(session, "cognito-idp:ListGroups", pool) != nil {
		t.Error("the session has the old policies")
	}
	for name, err := range map[string]error{
		"policy of nobody":     d.SetPolicies(role + "x"),
		"policy that is none":  d.SetPolicies(role, []byte(`{}`)),
		"trust of nobody":      d.SetTrust(role+"x", trust(mine)),
		"trust that is none":   d.SetTrust(role, []byte(`{}`)),
		"trust of a user":      d.SetTrust("arn:aws:iam::"+theirs+":user/ops", trust(mine)),
		"trust, not a policy":  d.SetTrust(role, may("s3:*")),
		"policy, not of trust": d.SetPolicies(role, trust(mine)),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
