package iam

import (
	"fmt"
	"testing"
	"time"
)

func TestAssumeForService(t *testing.T) {
	const account, other, service = "111122223333", "444455556666", "cognito-idp.amazonaws.com"
	source := "arn:aws:cognito-idp:eu-west-1:" + account + ":userpool/p"
	d := New(time.Now)
	role := func(name, principal, condition string) string {
		t.Helper()
		arn, err := d.AddRole(account, name, fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{%s},"Condition":{%s}}]}`, principal, condition),
			[]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"logs:PutLogEvents","Resource":"*"}}`))
		if err != nil {
			t.Fatal(err)
		}
		return arn
	}
	const admits = `"Service":"` + service + `"`
	for _, tt := range []struct {
		name, role, account string
		ok                  bool
	}{
		{"admitted", role("a", admits, ""), account, true},
		{"for its account", role("b", admits, `"StringEquals":{"aws:SourceAccount":"`+account+`"}`), account, true},
		{"for its pool", role("c", admits, `"ArnLike":{"aws:SourceArn":"`+source+`"}`), account, true},
		{"for another pool", role("d", admits, `"ArnLike":{"aws:SourceArn":"`+source+`x"}`), account, false},
		{"for another account", role("e", admits, `"StringEquals":{"aws:SourceAccount":"`+other+`"}`), account, false},
		{"another service", role("f", `"Service":"lambda.amazonaws.com"`, ""), account, false},
		{"a person", role("g", `"AWS":"`+account+`"`, ""), account, false},
		{"from another account", role("h", admits, ""), other, false},
		{"nobody", "arn:aws:iam::" + account + ":role/none", account, false},
	} {
		caller, err := d.AssumeForService(service, tt.account, source, tt.role, "import", time.Hour)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err == nil && (caller.RoleARN != tt.role || d.Authorize(caller, "logs:PutLogEvents", "arn:aws:logs:r:"+account+":x") != nil) {
			t.Errorf("%s: %+v", tt.name, caller)
		}
	}
	if _, err := d.AssumeForService(service, account, source, "arn:aws:iam::"+account+":role/a", "a b", time.Hour); err == nil {
		t.Error("a session with a space in its name")
	}
	denies, err := d.AddRole(account, "z", []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{`+admits+`}},{"Effect":"Deny","Action":"sts:AssumeRole","Principal":{`+admits+`}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.AssumeForService(service, account, source, denies, "import", time.Hour); err == nil {
		t.Error("a deny is not final")
	}
}
