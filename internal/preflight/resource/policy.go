// Package resource reads the policies that are attached to a function and to a
// bucket, as far as a migration depends on them.
//
// Vocabulary: a resource policy says who may use the resource that it is
// attached to; a statement permits or refuses, to principals, actions, under
// conditions. What a statement says that this package does not understand makes
// it one that permits nothing and refuses nothing.
package resource

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"poolferry/internal/fault"
)

// Policy is a resource policy.
type Policy struct {
	statements []statement
}

type statement struct {
	Effect    string
	Principal principal
	Action    texts
	NotAction texts
	Resource  texts
	Condition map[string]map[string]texts
	// A statement by exclusion is not understood.
	NotPrincipal json.RawMessage
	NotResource  json.RawMessage
}

// Parse reads a policy document. The error is of kind fault.Invalid.
func Parse(document string) (Policy, error) {
	var in struct{ Statement statements }
	if err := json.Unmarshal([]byte(document), &in); err != nil {
		return Policy{}, fault.New(fault.Invalid, "read resource policy: it is no policy document")
	}
	return Policy{in.Statement}, nil
}

// Caller is a service on behalf of a resource.
type Caller struct {
	Service string // such as cognito-idp.amazonaws.com
	ARN     string // of the resource
	Account string // of the resource
}

// Permits reports whether the service may do an action on the resource that the
// policy is attached to (IAM User Guide, policy evaluation logic: a Deny that
// applies is final).
func (p Policy) Permits(action string, by Caller) bool {
	permitted := false
	for _, s := range p.statements {
		if !s.Principal.names(by.Service) || !s.about(action) || !s.holds(map[string]string{
			"aws:sourcearn": by.ARN, "aws:sourceaccount": by.Account,
		}) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		permitted = permitted || s.Effect == "Allow"
	}
	return permitted
}

// RefusesPlainHTTP reports whether the policy of a bucket refuses everybody who
// comes without TLS, for the bucket and all objects in it (S3 User Guide,
// security best practices).
func (p Policy) RefusesPlainHTTP(bucketARN string) bool {
	refused := func(of string) bool {
		return slices.ContainsFunc(p.statements, func(s statement) bool {
			return s.Effect == "Deny" && s.Principal.everybody && s.about("s3:GetObject") && s.about("s3:PutObject") &&
				s.on(of) && s.only("bool", "aws:securetransport", "false")
		})
	}
	return refused(bucketARN) && refused(bucketARN+"/any/key")
}

// about reports whether a statement is about an action.
func (s statement) about(action string) bool {
	return len(s.NotAction) == 0 && len(s.NotPrincipal) == 0 && len(s.NotResource) == 0 &&
		slices.ContainsFunc(s.Action, func(pattern string) bool { return match(strings.ToLower(pattern), strings.ToLower(action)) })
}

// on reports whether a statement is on a resource.
func (s statement) on(arn string) bool {
	return slices.ContainsFunc(s.Resource, func(pattern string) bool { return match(pattern, arn) })
}

// only reports whether a statement has one condition, and which.
func (s statement) only(operator, key, value string) bool {
	if len(s.Condition) != 1 {
		return false
	}
	for op, keys := range s.Condition {
		for k, values := range keys {
			return strings.EqualFold(op, operator) && len(keys) == 1 && strings.EqualFold(k, key) && slices.Equal(values, texts{value})
		}
	}
	return false
}

// holds reports whether all conditions hold in a context of lower-case keys. One
// that is not understood does not.
func (s statement) holds(context map[string]string) bool {
	for operator, keys := range s.Condition {
		for key, values := range keys {
			has, known := context[strings.ToLower(key)]
			if !known || !slices.ContainsFunc(values, func(want string) bool { return compare(operator, want, has) }) {
				return false
			}
		}
	}
	return true
}

func compare(operator, want, has string) bool {
	switch strings.ToLower(operator) {
	case "stringequals":
		return want == has
	case "stringequalsignorecase":
		return strings.EqualFold(want, has)
	case "arnlike", "arnequals", "stringlike":
		return match(want, has)
	}
	return false
}

// match matches a pattern of * and ?. An ARN's parts are not told apart: that
// matters to whoever writes a policy with a wildcard across them.
func match(pattern, text string) bool {
	// path.Match is right but for its slashes, which a * passes here, and its
	// classes.
	quote := strings.NewReplacer("/", "\x00", `\`, `\\`, "[", `\[`)
	ok, err := path.Match(quote.Replace(pattern), strings.ReplaceAll(text, "/", "\x00"))
	return err == nil && ok
}

// principal is who a statement is about.
type principal struct {
	everybody bool
	services  texts
}

func (p principal) names(service string) bool {
	return p.everybody || slices.Contains(p.services, service) || slices.Contains(p.services, "*")
}

// UnmarshalJSON reads "*" or an object of lists.
func (p *principal) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		p.everybody = text == "*"
		return nil
	}
	var in struct{ AWS, Service texts }
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	p.everybody, p.services = slices.Contains(in.AWS, "*"), in.Service
	return nil
}

// texts is a text or a list of them. A boolean is its text, as IAM has it.
type texts []string

// UnmarshalJSON reads either form.
func (t *texts) UnmarshalJSON(data []byte) error {
	var one any
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	list, ok := one.([]any)
	if !ok {
		list = []any{one}
	}
	for _, item := range list {
		switch v := item.(type) {
		case string:
			*t = append(*t, v)
		case bool:
			*t = append(*t, map[bool]string{true: "true", false: "false"}[v])
		default:
			*t = append(*t, "") // a number is a value of no condition that is understood
		}
	}
	return nil
}

// statements is a statement or a list of them.
type statements []statement

// UnmarshalJSON reads either form.
func (s *statements) UnmarshalJSON(data []byte) error {
	var list []statement
	if json.Unmarshal(data, &list) == nil {
		*s = list
		return nil
	}
	var one statement
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*s = []statement{one}
	return nil
}
