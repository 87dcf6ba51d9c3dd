package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// version is the one language version that is read: the older one has other
// rules for variables.
const version = "2012-10-17"

// conditionKeys are the condition keys that the sandbox knows a value for, in
// lower case: IAM does not care for the case of keys. The
// last three are known where a service calls on behalf of a resource, or uses a
// key in the caller's name, and absent everywhere else.
var conditionKeys = []string{
	"aws:principalarn", "aws:principalaccount", "aws:userid", "aws:resourceaccount",
	"sts:externalid", "sts:rolesessionname",
	"aws:sourcearn", "aws:sourceaccount", "kms:viaservice",
}

// conditionOperators are the condition operators that the sandbox evaluates.
var conditionOperators = []string{"StringEquals", "StringLike", "ArnEquals", "ArnLike"}

// Kind says what a document is for.
type Kind int

// The kinds: what an identity may do, and who may become a role.
const (
	Identity Kind = iota
	Trust
)

// Document is a parsed policy document.
type Document []statement

type statement struct {
	deny       bool
	actions    []string
	resources  []string    // identity policies only
	principals []principal // trust policies only
	conditions []condition
}

type principal struct {
	kind  string // "AWS" or "Service"
	value string
}

type condition struct {
	operator string
	key      string // lower case
	values   []string
}

// oneOrMany is a JSON string or a list of them, as IAM allows everywhere.
type oneOrMany []string

func (m *oneOrMany) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil && string(data) != "null" {
		*m = oneOrMany{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil || len(many) == 0 {
		return errors.New("want a string or a list of strings with at least one entry")
	}
	*m = many
	return nil
}

type statementJSON struct {
	Sid       string
	Effect    string
	Action    oneOrMany
	Resource  oneOrMany
	Principal json.RawMessage
	Condition map[string]map[string]oneOrMany
}

var (
	sidShape       = regexp.MustCompile(`^[A-Za-z0-9]*$`)
	actionShape    = regexp.MustCompile(`^(\*|[a-z0-9-]+:[A-Za-z0-9*?]+)$`)
	resourceShape  = regexp.MustCompile(`^(\*|arn:[^:]*:[^:]*:[^:]*:[^:]*:.+)$`)
	serviceShape   = regexp.MustCompile(`^[a-z0-9.-]+\.amazonaws\.com$`)
	principalShape = regexp.MustCompile(`^(\*|[0-9]{12}|arn:aws:iam::[0-9]{12}:(root|(user|role)/[\w+=,.@/-]+)|arn:aws:sts::[0-9]{12}:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+)$`)
)

// Parse reads a policy document. Its errors name the statement and the element
// that is wrong or not supported.
func Parse(doc []byte, kind Kind) (Document, error) {
	if err := refuseDuplicates(json.NewDecoder(bytes.NewReader(doc)), ""); err != nil {
		return nil, err
	}
	var top struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := decodeStrictly(doc, &top); err != nil {
		return nil, err
	}
	if top.Version != version {
		return nil, fmt.Errorf("Version %q: write %q", top.Version, version)
	}
	var raw []json.RawMessage
	if trimmed := bytes.TrimSpace(top.Statement); len(trimmed) > 0 && trimmed[0] == '{' {
		raw = []json.RawMessage{trimmed}
	} else if err := json.Unmarshal(top.Statement, &raw); err != nil || len(raw) == 0 {
		return nil, errors.New("Statement: want a statement or a list with at least one")
	}
	sids := map[string]bool{}
	parsed := make(Document, 0, len(raw))
	for i, data := range raw {
		var in statementJSON
		if err := decodeStrictly(data, &in); err != nil {
			return nil, fmt.Errorf("statement %d: %w", i, err)
		}
		s, err := in.parse(kind)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i, err)
		}
		if in.Sid != "" && sids[in.Sid] {
			return nil, fmt.Errorf("statement %d: Sid %q is used twice", i, in.Sid)
		}
		sids[in.Sid] = true
		parsed = append(parsed, s)
	}
	return parsed, nil
}

func (in statementJSON) parse(kind Kind) (statement, error) {
	s := statement{actions: in.Action, resources: in.Resource}
	switch in.Effect {
	case "Allow":
	case "Deny":
		s.deny = true
	default:
		return s, fmt.Errorf("Effect %q: want Allow or Deny", in.Effect)
	}
	if !sidShape.MatchString(in.Sid) {
		return s, fmt.Errorf("Sid %q: only letters and digits", in.Sid)
	}
	if len(in.Action) == 0 {
		return s, errors.New("Action is missing")
	}
	for _, action := range in.Action {
		if !actionShape.MatchString(action) {
			return s, fmt.Errorf("Action %q: want * or service:Name", action)
		}
	}
	switch kind {
	case Identity:
		if in.Principal != nil {
			return s, errors.New("Principal: not in a policy of a user or role")
		}
		if len(in.Resource) == 0 {
			return s, errors.New("Resource is missing")
		}
	case Trust:
		if in.Resource != nil {
			return s, errors.New("Resource: not in a trust policy")
		}
		var err error
		if s.principals, err = parsePrincipal(in.Principal); err != nil {
			return s, err
		}
	}
	for _, resource := range in.Resource {
		if strings.Contains(resource, "${") {
			return s, fmt.Errorf("Resource %q: the sandbox does not support policy variables", resource)
		}
		if !resourceShape.MatchString(resource) {
			return s, fmt.Errorf("Resource %q: want * or an ARN", resource)
		}
	}
	for _, operator := range slices.Sorted(maps.Keys(in.Condition)) {
		if !slices.Contains(conditionOperators, operator) {
			return s, fmt.Errorf("Condition operator %q is not supported by the sandbox (it knows %s)", operator, strings.Join(conditionOperators, ", "))
		}
		for _, key := range slices.Sorted(maps.Keys(in.Condition[operator])) {
			values := in.Condition[operator][key]
			if !slices.Contains(conditionKeys, strings.ToLower(key)) {
				return s, fmt.Errorf("Condition key %q is not supported by the sandbox (it knows %s)", key, strings.Join(conditionKeys, ", "))
			}
			if len(values) == 0 {
				return s, fmt.Errorf("Condition key %q has no value", key)
			}
			for _, value := range values {
				if strings.Contains(value, "${") {
					return s, fmt.Errorf("Condition value %q: the sandbox does not support policy variables", value)
				}
			}
			s.conditions = append(s.conditions, condition{operator: operator, key: strings.ToLower(key), values: values})
		}
	}
	return s, nil
}

func parsePrincipal(data json.RawMessage) ([]principal, error) {
	if data == nil {
		return nil, errors.New("Principal is missing")
	}
	var text string
	if json.Unmarshal(data, &text) == nil {
		if text != "*" {
			return nil, fmt.Errorf("Principal %q: want * or an object", text)
		}
		return []principal{{kind: "AWS", value: "*"}}, nil
	}
	var kinds struct{ AWS, Service oneOrMany }
	if err := decodeStrictly(data, &kinds); err != nil {
		return nil, fmt.Errorf("Principal: %w", err)
	}
	var out []principal
	for _, value := range kinds.AWS {
		if !principalShape.MatchString(value) {
			return nil, fmt.Errorf("Principal %q: want *, an account id, or the ARN of an account root, user, role or role session", value)
		}
		out = append(out, principal{kind: "AWS", value: value})
	}
	for _, value := range kinds.Service {
		if !serviceShape.MatchString(value) {
			return nil, fmt.Errorf("Principal %q: want a service such as lambda.amazonaws.com", value)
		}
		out = append(out, principal{kind: "Service", value: value})
	}
	if len(out) == 0 {
		return nil, errors.New("Principal names nobody")
	}
	return out, nil
}

// decodeStrictly reads one JSON value whose every member v knows.
func decodeStrictly(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return fmt.Errorf("element %s is not supported by the sandbox", name)
		}
		return fmt.Errorf("not a policy document: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("not a policy document: text after its end")
	}
	return nil
}

// refuseDuplicates reads one JSON value and refuses a member that is there
// twice. encoding/json keeps the last one, which in a policy drops a condition
// without a word.
func refuseDuplicates(dec *json.Decoder, path string) error {
	token, err := dec.Token()
	if err != nil {
		return fmt.Errorf("not a policy document: %w", err)
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for i := 0; dec.More(); i++ {
		where := fmt.Sprintf("%s[%d]", path, i)
		if delim == '{' {
			name, err := dec.Token()
			if err != nil {
				return fmt.Errorf("not a policy document: %w", err)
			}
			where = strings.TrimPrefix(fmt.Sprintf("%s.%v", path, name), ".")
			if seen[where] {
				return fmt.Errorf("element %s is there twice", where)
			}
			seen[where] = true
		}
		if err := refuseDuplicates(dec, where); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("not a policy document: %w", err)
	}
	return nil
}
