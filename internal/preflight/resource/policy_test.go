package resource

import (
	"fmt"
	"testing"
)

const (
	poolARN = "arn:aws:cognito-idp:eu-central-1:222222222222:userpool/eu-central-1_abc"
	bucket  = "arn:aws:s3:::staging"
)

var cognito = Caller{"cognito-idp.amazonaws.com", poolARN, "222222222222"}

func policyOf(t *testing.T, statements string) Policy {
	t.Helper()
	p, err := Parse(`{"Version":"2012-10-17","Statement":` + statements + `}`)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPermits(t *testing.T) {
	const who = `"Effect":"Allow","Principal":{"Service":"cognito-idp.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:x"`
	when := func(condition string) string { return `[{` + who + `,"Condition":` + condition + `}]` }
	tests := map[string]struct {
		statements string
		want       bool
	}{
		"as infra writes it":     {when(`{"StringEquals":{"AWS:SourceAccount":"222222222222"},"ArnLike":{"AWS:SourceArn":"` + poolARN + `"}}`), true},
		"without condition":      {`[{` + who + `}]`, true},
		"one statement, no list": {`{` + who + `}`, true},
		"any pool":               {when(`{"ArnLike":{"AWS:SourceArn":"arn:aws:cognito-idp:*:222222222222:userpool/*"}}`), true},
		"several accounts":       {when(`{"StringEquals":{"aws:sourceAccount":["111111111111","222222222222"]}}`), true},
		"any action":             {`[{"Effect":"Allow","Principal":{"Service":["cognito-idp.amazonaws.com"]},"Action":["lambda:*"],"Resource":"*"}]`, true},
		"everybody":              {`[{"Effect":"Allow","Principal":"*","Action":"lambda:invokefunction","Resource":"*"}]`, true},
		"nothing":                {`[]`, false},
		"another pool":           {when(`{"ArnLike":{"AWS:SourceArn":"` + poolARN + `d"}}`), false},
		"another account":        {when(`{"StringEquals":{"AWS:SourceAccount":"111111111111"}}`), false},
		"another service":        {`[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction"}]`, false},
		"another action":         {`[{"Effect":"Allow","Principal":{"Service":"cognito-idp.amazonaws.com"},"Action":"lambda:GetFunction"}]`, false},
		"condition not known":    {when(`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), false},
		"operator not known":     {when(`{"StringNotEquals":{"AWS:SourceAccount":"111111111111"}}`), false},
		"a number for a value":   {when(`{"StringEquals":{"AWS:SourceAccount":222222222222}}`), false},
		"by exclusion":           {`[{"Effect":"Allow","NotPrincipal":{"AWS":"x"},"Action":"lambda:*"}]`, false},
		"but denied":             {`[{` + who + `},{"Effect":"Deny","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}]`, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := policyOf(t, tt.statements).Permits("lambda:InvokeFunction", cognito); got != tt.want {
				t.Errorf("permits: %v", got)
			}
		})
	}
}

func TestRefusesPlainHTTP(t *testing.T) {
	deny := func(principal, action, resource, condition string) string {
		return fmt.Sprintf(`[{"Effect":"Deny","Principal":%s,"Action":%s,"Resource":%s,"Condition":%s}]`, principal, action, resource, condition)
	}
	const (
		all   = `["arn:aws:s3:::staging","arn:aws:s3:::staging/*"]`
		plain = `{"Bool":{"aws:SecureTransport":"false"}}`
	)
	tests := map[string]struct {
		statements string
		want       bool
	}{
		"as infra writes it": {deny(`"*"`, `"s3:*"`, all, plain), true},
		"AWS everybody":      {deny(`{"AWS":"*"}`, `"s3:*"`, all, plain), true},
		"a boolean":          {deny(`"*"`, `"s3:*"`, all, `{"Bool":{"aws:SecureTransport":false}}`), true},
		"any resource":       {deny(`"*"`, `"*"`, `"*"`, plain), true},
		"two statements": {`[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::staging","Condition":` + plain + `},
			{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::staging/*","Condition":` + plain + `}]`, true},
		"objects alone":    {deny(`"*"`, `"s3:*"`, `"arn:aws:s3:::staging/*"`, plain), false},
		"another bucket":   {deny(`"*"`, `"s3:*"`, `["arn:aws:s3:::other","arn:aws:s3:::other/*"]`, plain), false},
		"reading alone":    {deny(`"*"`, `"s3:GetObject"`, all, plain), false},
		"one principal":    {deny(`{"AWS":"arn:aws:iam::1:root"}`, `"s3:*"`, all, plain), false},
		"turned round":     {deny(`"*"`, `"s3:*"`, all, `{"Bool":{"aws:SecureTransport":"true"}}`), false},
		"narrowed further": {deny(`"*"`, `"s3:*"`, all, `{"Bool":{"aws:SecureTransport":"false","aws:ViaAWSService":"false"}}`), false},
		"allowed":          {`[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":` + all + `,"Condition":` + plain + `}]`, false},
		"nothing":          {`[]`, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := policyOf(t, tt.statements).RefusesPlainHTTP(bucket); got != tt.want {
				t.Errorf("refuses: %v", got)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "a/b/c", true}, {"a*", "a/b", true}, {"a?c", "a/c", true}, {"a", "b", false},
		{"[a]", "a", false}, {"[a]", "[a]", true}, {`a\*`, `a\b`, true}, {"", "", true},
	} {
		if got := match(tt.pattern, tt.text); got != tt.want {
			t.Errorf("match(%q, %q) = %v", tt.pattern, tt.text, got)
		}
	}
}

// FuzzParse: whatever a bucket or function is set to, reading it ends, and what
// is no policy permits nothing.
func FuzzParse(f *testing.F) {
	f.Add(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`)
	f.Add(`{"Statement":{"Effect":"Deny","Principal":{"AWS":["*"]},"Action":["s3:*"],"Resource":"*","Condition":{"Bool":{"aws:SecureTransport":false}}}}`)
	f.Add(`{"Statement":[[]]}`)
	f.Fuzz(func(t *testing.T, document string) {
		p, err := Parse(document)
		if err != nil && p.statements != nil {
			t.Error("an error and statements")
		}
		if len(p.statements) == 0 && (p.Permits("lambda:InvokeFunction", cognito) || p.RefusesPlainHTTP(bucket)) {
			t.Error("a policy of no statement says something")
		}
	})
}
