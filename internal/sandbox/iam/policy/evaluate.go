package policy

import (
	"slices"
	"strings"

	"poolferry/internal/sandbox/wire"
)

// Verdict is what policies say of a request. IAM starts from silence, which
// denies, an Allow lifts it and a Deny is final.
type Verdict int

// The verdicts.
const (
	Silent Verdict = iota
	Allowed
	Denied
)

// Request is one question to a policy.
type Request struct {
	Caller   wire.Caller
	Action   string
	Resource string
	Context  map[string]string // condition key in lower case → value
}

// NewRequest returns a request with the condition keys that every one has.
func NewRequest(caller wire.Caller, action, resource string) Request {
	context := map[string]string{
		"aws:principalaccount": caller.Account,
		"aws:userid":           caller.UserID,
		// For a session this is the ARN of its role, not that of the session
		// (IAM User Guide, condition key aws:PrincipalArn).
		"aws:principalarn": caller.ARN,
	}
	if caller.RoleARN != "" {
		context["aws:principalarn"] = caller.RoleARN
	}
	if account := AccountOf(resource); account != "" {
		context["aws:resourceaccount"] = account
	}
	if parts := strings.Split(resource, ":"); strings.HasPrefix(action, "kms:") && len(parts) > 3 {
		// Nobody can call KMS in the sandbox: it is S3 that uses keys (KMS Developer
		// Guide, condition key kms:ViaService).
		context["kms:viaservice"] = "s3." + parts[3] + ".amazonaws.com"
	}
	return Request{Caller: caller, Action: action, Resource: resource, Context: context}
}

// Identity asks identity policies: may the caller do it?
func (r Request) Identity(policies []Document) Verdict {
	out := Silent
	for _, p := range policies {
		for _, s := range p {
			if !s.covers(r.Action) || !slices.ContainsFunc(s.resources, func(pattern string) bool { return MatchARN(pattern, r.Resource) }) || !s.conditionsHold(r.Context) {
				continue
			}
			if s.deny {
				return Denied
			}
			out = Allowed
		}
	}
	return out
}

// Trust asks a trust policy: may the caller become the role? direct says that
// the policy names the caller and not only its account, which inside one
// account is enough without an identity policy.
func (r Request) Trust(p Document) (out Verdict, direct bool) {
	for _, s := range p {
		if !s.covers(r.Action) || !s.conditionsHold(r.Context) {
			continue
		}
		for _, who := range s.principals {
			matches, byName := who.is(r.Caller)
			if !matches {
				continue
			}
			if s.deny {
				return Denied, false
			}
			out, direct = Allowed, direct || byName
		}
	}
	return out, direct
}

// TrustsService asks a trust policy: may a service of AWS become the role?
func (r Request) TrustsService(p Document, service string) bool {
	out := false
	for _, s := range p {
		if s.covers(r.Action) && s.conditionsHold(r.Context) && slices.Contains(s.principals, principal{kind: "Service", value: service}) {
			if s.deny {
				return false
			}
			out = true
		}
	}
	return out
}

func (s statement) covers(action string) bool {
	return slices.ContainsFunc(s.actions, func(pattern string) bool { return matchAction(pattern, action) })
}

// matchAction compares actions, which have no case.
func matchAction(pattern, action string) bool {
	return match(strings.ToLower(pattern), strings.ToLower(action))
}

// conditionsHold reports whether all conditions hold; one holds if any of its
// values does. A key without a value in the request does not match.
func (s statement) conditionsHold(context map[string]string) bool {
	for _, c := range s.conditions {
		value, ok := context[c.key]
		if !ok || !slices.ContainsFunc(c.values, func(want string) bool { return c.holds(want, value) }) {
			return false
		}
	}
	return true
}

func (c condition) holds(want, value string) bool {
	switch c.operator {
	case "StringEquals":
		return want == value
	case "StringLike":
		return match(want, value)
	default: // ArnEquals and ArnLike behave alike (IAM User Guide, condition operators)
		return MatchARN(want, value)
	}
}

// is reports whether the principal is the caller, and whether by name.
func (p principal) is(c wire.Caller) (matches, byName bool) {
	if p.kind != "AWS" {
		return false, false
	}
	if p.value == "*" {
		return true, true
	}
	if p.value == c.Account || p.value == "arn:aws:iam::"+c.Account+":root" {
		return true, false
	}
	byName = p.value == c.ARN || p.value == c.RoleARN
	return byName, byName
}

// MatchARN compares ARNs part by part, so that a * for the region does not
// swallow the account. The last part is the rest, colons included.
func MatchARN(pattern, arn string) bool {
	if pattern == "*" {
		return true
	}
	patterns, parts := strings.SplitN(pattern, ":", arnParts), strings.SplitN(arn, ":", arnParts)
	if len(patterns) != arnParts || len(parts) != arnParts {
		return false
	}
	for i := range patterns {
		if !match(patterns[i], parts[i]) {
			return false
		}
	}
	return true
}

const arnParts = 6 // arn:partition:service:region:account:resource

// AccountOf returns the account of an ARN, empty where it names none (an S3
// object) or where the text is no ARN.
func AccountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", arnParts); len(parts) == arnParts {
		return parts[4]
	}
	return ""
}

// match compares text with a pattern of * (any text) and ? (one byte). It keeps
// one place to return to, so it takes len(pattern)·len(text) steps at worst.
func match(pattern, text string) bool {
	p, t := 0, 0
	star, from := -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// Permission is one action pattern on one resource pattern that a document
// allows.
type Permission struct{ Action, Resource string }

// Permissions lists what the document allows, in its own words.
func (d Document) Permissions() []Permission {
	var out []Permission
	for _, s := range d {
		if s.deny {
			continue
		}
		for _, action := range s.actions {
			for _, resource := range s.resources {
				out = append(out, Permission{action, resource})
			}
		}
	}
	return out
}

// Covers reports whether the permission is about an action on a resource.
func (p Permission) Covers(action, resource string) bool {
	return matchAction(p.Action, action) && MatchARN(p.Resource, resource)
}
