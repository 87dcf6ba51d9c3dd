package policy

import (
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	statement := func(body string) string { return `{"Version":"2012-10-17","Statement":` + body + `}` }
	const ok = `"Effect":"Allow","Action":"s3:GetObject","Resource":"*"`
	tests := []struct {
		name string
		kind Kind
		doc  string
		want string // in the error
	}{
		{"no JSON", Identity, `nope`, "not a policy document"},
		{"text after the end", Identity, statement(`{`+ok+`}`) + `{}`, "text after its end"},
		{"old version", Identity, `{"Version":"2008-10-17","Statement":{` + ok + `}}`, `Version "2008-10-17"`},
		{"no version", Identity, `{"Statement":{` + ok + `}}`, `Version ""`},
		{"no statement", Identity, `{"Version":"2012-10-17"}`, "Statement"},
		{"empty statements", Identity, statement(`[]`), "Statement"},
		{"unknown top element", Identity, `{"Version":"2012-10-17","Statements":[]}`, `"Statements"`},
		{"NotAction", Identity, statement(`{"Effect":"Allow","NotAction":"s3:*","Resource":"*"}`), `"NotAction" is not supported`},
		{"NotResource", Identity, statement(`{"Effect":"Allow","Action":"s3:*","NotResource":"*"}`), `"NotResource" is not supported`},
		{"NotPrincipal", Trust, statement(`{"Effect":"Deny","Action":"sts:AssumeRole","NotPrincipal":"*"}`), `"NotPrincipal" is not supported`},
		{"second statement", Identity, statement(`[{` + ok + `},{"Effect":"Maybe"}]`), `statement 1: Effect "Maybe"`},
		{"Sid shape", Identity, statement(`{"Sid":"a b",` + ok + `}`), `Sid "a b"`},
		{"Sid twice", Identity, statement(`[{"Sid":"a",` + ok + `},{"Sid":"a",` + ok + `}]`), `Sid "a" is used twice`},
		{"no action", Identity, statement(`{"Effect":"Allow","Resource":"*"}`), "Action is missing"},
		{"action without service", Identity, statement(`{"Effect":"Allow","Action":"GetObject","Resource":"*"}`), `Action "GetObject"`},
		{"empty action list", Identity, statement(`{"Effect":"Allow","Action":[],"Resource":"*"}`), "at least one entry"},
		{"number as action", Identity, statement(`{"Effect":"Allow","Action":3,"Resource":"*"}`), "want a string or a list"},
		{"no resource", Identity, statement(`{"Effect":"Allow","Action":"s3:*"}`), "Resource is missing"},
		{"resource shape", Identity, statement(`{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}`), `Resource "bucket"`},
		{"policy variable", Identity, statement(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}"}`), "policy variables"},
		{"principal in identity policy", Identity, statement(`{"Principal":"*",` + ok + `}`), "Principal"},
		{"resource in trust policy", Trust, statement(`{"Principal":"*",` + ok + `}`), "Resource"},
		{"no principal", Trust, statement(`{"Effect":"Allow","Action":"sts:AssumeRole"}`), "Principal is missing"},
		{"empty principal", Trust, statement(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{}}`), "names nobody"},
		{"federated", Trust, statement(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Federated":"x"}}`), `"Federated" is not supported`},
		{"principal text", Trust, statement(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"me"}`), `Principal "me"`},
		{"wildcard in principal", Trust, statement(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::111122223333:role/*"}}`), "Principal"},
		{"service principal", Trust, statement(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda"}}`), `Principal "lambda"`},
		{"condition operator", Identity, statement(`{` + ok + `,"Condition":{"StringNotEquals":{"aws:userid":"x"}}}`), `operator "StringNotEquals" is not supported`},
		{"condition key", Identity, statement(`{` + ok + `,"Condition":{"StringEquals":{"aws:SourceIp":"x"}}}`), `key "aws:SourceIp" is not supported`},
		{"condition variable", Identity, statement(`{` + ok + `,"Condition":{"StringEquals":{"aws:userid":"${x}"}}}`), "policy variables"},
		{"condition null", Identity, statement(`{` + ok + `,"Condition":{"StringEquals":{"aws:userid":null}}}`), "want a string or a list"},
		{"element twice", Identity, statement(`{` + ok + `,"Effect":"Deny"}`), "element Statement.Effect is there twice"},
		{"operator twice", Trust, statement(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Condition":{"StringEquals":{"sts:ExternalId":"a"},"StringEquals":{"aws:userid":"b"}}}`), "Condition.StringEquals is there twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.doc), tt.kind)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:*"],"Resource":"*"}}`))
	f.Add([]byte(`{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"a","Effect":"Deny","Action":"sts:AssumeRole","Principal":{"AWS":["111122223333"],"Service":"lambda.amazonaws.com"},"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"}}}]}`))
	f.Add([]byte(`{"Version":"2012-10-17","Statement":[[[[`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, kind := range []Kind{Identity, Trust} {
			p, err := Parse(doc, kind)
			if err != nil {
				continue
			}
			if len(p) == 0 {
				t.Error("accepted a policy without statements")
			}
			for _, s := range p {
				if len(s.actions) == 0 || len(s.resources)+len(s.principals) == 0 {
					t.Errorf("accepted a statement about nothing: %+v", s)
				}
			}
		}
	})
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"*", "", true}, {"*", "abc", true},
		{"a*c", "abbc", true}, {"a*c", "abb", false}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"*a*b", "xaxbxab", true}, {"*a*b", "xaxbxa", false}, {"a**", "a", true}, {"?*", "", false},
		{"cognito-idp:Admin*", "cognito-idp:AdminGetUser", true}, {"cognito-idp:Admin*", "cognito-idp:ListUsers", false},
	}
	for _, tt := range tests {
		if got := match(tt.pattern, tt.text); got != tt.want {
			t.Errorf("match(%q, %q) = %v", tt.pattern, tt.text, got)
		}
	}
}

func TestMatchARN(t *testing.T) {
	const pool = "arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_abc"
	tests := []struct {
		pattern, arn string
		want         bool
	}{
		{"*", pool, true},
		{pool, pool, true},
		{"arn:aws:cognito-idp:*:111122223333:userpool/*", pool, true},
		{"arn:aws:cognito-idp:*:444455556666:userpool/*", pool, false},
		{"arn:aws:cognito-idp:*:userpool/*", pool, false}, // a * stays within its part
		{"arn:aws:lambda:*:*:function:f:*", "arn:aws:lambda:eu-west-1:111122223333:function:f:live", true},
		{"arn:aws:lambda:*:*:function:f", "arn:aws:lambda:eu-west-1:111122223333:function:f:live", false},
		{pool, "no arn", false},
	}
	for _, tt := range tests {
		if got := MatchARN(tt.pattern, tt.arn); got != tt.want {
			t.Errorf("MatchARN(%q, %q) = %v", tt.pattern, tt.arn, got)
		}
	}
}
