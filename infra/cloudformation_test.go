package infra

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"poolferry/internal/config"
)

// stack evaluates a CloudFormation template as far as ours goes: parameters,
// pseudo parameters, Fn::Sub, Ref, Fn::If, Fn::Equals and Fn::GetAtt. Anything
// else fails the test.
type stack struct {
	t          *testing.T
	values     map[string]any // of parameters and pseudo parameters
	conditions map[string]bool
	resources  map[string]bool
	used       map[string]bool // parameters
}

// absent is AWS::NoValue.
type absent struct{}

var inSub = regexp.MustCompile(`\$\{([^}]+)\}`)

// value evaluates a node.
func (s *stack) value(n *yaml.Node) any {
	s.t.Helper()
	switch n.Tag {
	case "!Ref":
		return s.ref(n.Value)
	case "!Sub":
		return inSub.ReplaceAllStringFunc(n.Value, func(p string) string {
			text, ok := s.ref(inSub.FindStringSubmatch(p)[1]).(string)
			if !ok {
				s.t.Errorf("line %d: %s is no text", n.Line, p)
			}
			return text
		})
	case "!If":
		condition, ok := s.conditions[n.Content[0].Value]
		if !ok {
			s.t.Errorf("line %d: there is no condition %s", n.Line, n.Content[0].Value)
		}
		if condition {
			return s.value(n.Content[1])
		}
		return s.value(n.Content[2])
	case "!Equals":
		return cmp.Equal(s.value(n.Content[0]), s.value(n.Content[1]))
	case "!GetAtt":
		resource, _, _ := strings.Cut(n.Value, ".")
		return s.ref(resource)
	}
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		s.t.Fatalf("line %d: this test does not know %s", n.Line, n.Tag)
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			if v := s.value(n.Content[i+1]); v != (absent{}) {
				out[n.Content[i].Value] = v
			}
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, item := range n.Content {
			if v := s.value(item); v != (absent{}) {
				out = append(out, v)
			}
		}
		return out
	}
	var v any
	if err := n.Decode(&v); err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s *stack) ref(name string) any {
	s.t.Helper()
	if name == "AWS::NoValue" {
		return absent{}
	}
	if v, ok := s.values[name]; ok {
		s.used[name] = true
		return v
	}
	if s.resources[name] {
		return "ref-of-" + name
	}
	s.t.Errorf("there is no parameter or resource %s", name)
	return ""
}

// template is the part of a template that is evaluated.
type template struct {
	Parameters map[string]struct {
		AllowedPattern string   `yaml:"AllowedPattern"`
		AllowedValues  []string `yaml:"AllowedValues"`
		Default        string   `yaml:"Default"`
	} `yaml:"Parameters"`
	Conditions map[string]yaml.Node `yaml:"Conditions"`
	Resources  map[string]struct {
		Type       string    `yaml:"Type"`
		Properties yaml.Node `yaml:"Properties"`
	} `yaml:"Resources"`
	Outputs map[string]struct {
		Value yaml.Node `yaml:"Value"`
	} `yaml:"Outputs"`
}

func sourceTemplate(t *testing.T) template {
	t.Helper()
	data, err := os.ReadFile("cloudformation/source-account.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out template
	if err := yaml.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// parameters are those of a stack for the migration of the sample configuration.
func parameters(t *testing.T) (map[string]any, *config.Config) {
	t.Helper()
	c, err := config.Load("../docs/poolferry.sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"SourcePoolId": c.Source.PoolID, "TargetAccountId": targetAccount, "Run": c.Run, "ExternalId": c.Source.ExternalID,
		"OperatorArn": roleOf("operator"), "AnswerSecondFactors": "true", "ReadAttributes": []any{"email", "custom:plan"},
		"LoginRoleName": "poolferry-login", "ExportRoleName": "poolferry-export",
	}, c
}

// roleOf is a role of the target account.
func roleOf(name string) string { return "arn:aws:iam::" + targetAccount + ":role/" + name }

// evaluate returns the properties of every resource, and fails for parameters
// that nothing uses.
func evaluate(t *testing.T, given map[string]any, c *config.Config) map[string]map[string]any {
	t.Helper()
	file := sourceTemplate(t)
	s := &stack{t: t, values: maps.Clone(given), conditions: map[string]bool{}, resources: map[string]bool{}, used: map[string]bool{}}
	maps.Copy(s.values, map[string]any{"AWS::Partition": "aws", "AWS::Region": c.Source.Region, "AWS::AccountId": c.Source.Account})
	for name := range file.Resources {
		s.resources[name] = true
	}
	for name, node := range file.Conditions {
		s.conditions[name], _ = s.value(&node).(bool)
	}
	out := map[string]map[string]any{}
	for name, resource := range file.Resources {
		out[name] = s.value(&resource.Properties).(map[string]any)
		out[name]["Type"] = resource.Type
	}
	for _, output := range file.Outputs {
		s.value(&output.Value)
	}
	for name := range file.Parameters {
		if !s.used[name] {
			t.Errorf("nothing uses the parameter %s", name)
		}
	}
	for name := range given {
		if _, ok := file.Parameters[name]; !ok {
			t.Errorf("the template has no parameter %s", name)
		}
	}
	return out
}

// rendered is a policy of the module, filled with the names that it deploys.
func rendered(t *testing.T, name string, values map[string]string) any {
	t.Helper()
	text, err := Render(name, values)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return document
}

// TestCloudFormationGrantsWhatTheModuleGrants compares the two roles' policies.
func TestCloudFormationGrantsWhatTheModuleGrants(t *testing.T) {
	given, c := parameters(t)
	pool := map[string]string{"source_pool_arn": c.Source.PoolARN()}
	trust := func(more map[string]string) map[string]string {
		maps.Copy(more, map[string]string{"partition": "aws", "target_account": targetAccount, "external_id": c.Source.ExternalID})
		return more
	}
	own := func(function string) string { return roleOf("poolferry-" + c.Run + "-" + function) }
	type role struct {
		Name, Path any
		Trust      any
		Policies   map[string]any
	}
	want := map[string]role{
		"LoginRole": {
			Name: "poolferry-login", Trust: rendered(t, LoginTrust, trust(map[string]string{"lambda_role_arn": own("migrate-user")})),
			Policies: map[string]any{LoginRole: rendered(t, LoginRole, pool), LoginRoleMFA: rendered(t, LoginRoleMFA, pool)},
		},
		"ExportRole": {
			Name: "poolferry-export", Trust: rendered(t, ExportTrust, trust(map[string]string{
				"plan_seeding_role_arn": own("plan-seeding"), "seed_batch_role_arn": own("seed-batch"),
				"close_seeding_role_arn": own("close-seeding"), "operator_arn": roleOf("operator"),
			})),
			Policies: map[string]any{ExportRole: rendered(t, ExportRole, pool)},
		},
	}
	roles := func(given map[string]any) map[string]role {
		out := map[string]role{}
		for name, properties := range evaluate(t, given, c) {
			if properties["Type"] != "AWS::IAM::Role" {
				continue
			}
			r := role{Name: properties["RoleName"], Path: properties["Path"], Trust: properties["AssumeRolePolicyDocument"], Policies: map[string]any{}}
			for _, p := range properties["Policies"].([]any) {
				policy := p.(map[string]any)
				r.Policies[policy["PolicyName"].(string)] = policy["PolicyDocument"]
			}
			out[name] = r
		}
		return out
	}
	if diff := cmp.Diff(want, roles(given)); diff != "" {
		t.Errorf("the template grants something else: %s", diff)
	}
	given["AnswerSecondFactors"] = "false"
	delete(want["LoginRole"].Policies, LoginRoleMFA)
	if diff := cmp.Diff(want, roles(given)); diff != "" {
		t.Errorf("without second factors: %s", diff)
	}
}

// TestCloudFormationClientIsTheModules compares the app client, setting by
// setting, with the module's.
func TestCloudFormationClientIsTheModules(t *testing.T) {
	given, c := parameters(t)
	got := evaluate(t, given, c)["MigrationClient"]
	delete(got, "Type")
	body := terraformFiles(t, "modules/source-account")["modules/source-account/client.tf"]
	want := map[string]any{
		"ClientName": "poolferry-" + c.Run, "UserPoolId": c.Source.PoolID, "ReadAttributes": given["ReadAttributes"], // expressions in the module
	}
	for _, block := range body.Blocks {
		if block.Type != "resource" || block.Labels[0] != "aws_cognito_user_pool_client" {
			continue
		}
		for name, attribute := range block.Body.Attributes {
			if value, diagnostics := attribute.Expr.Value(nil); !diagnostics.HasErrors() {
				want[pascal(name)] = native(t, value)
			}
		}
		for _, inner := range block.Body.Blocks {
			if inner.Type == "lifecycle" {
				continue
			}
			members := map[string]any{}
			for name, attribute := range inner.Body.Attributes {
				members[pascal(name)] = text(attribute.Expr)
			}
			want[pascal(inner.Type)] = members
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the template makes another client: %s", diff)
	}
}

// pascal is a name of Terraform's as CloudFormation writes it.
func pascal(name string) string {
	var out string
	for word := range strings.SplitSeq(name, "_") {
		out += strings.ToUpper(word[:1]) + word[1:]
	}
	return out
}

// TestCloudFormationTakesTheSample: the patterns of the parameters accept what
// the configuration accepts, and refuse what would reach further.
func TestCloudFormationTakesTheSample(t *testing.T) {
	given, _ := parameters(t)
	refused := map[string]string{
		"SourcePoolId": "*", "TargetAccountId": "1234", "Run": "Prod*", "ExternalId": "a b", "OperatorArn": "arn:aws:iam::444455556666:role/*",
		"LoginRoleName": "a/b", "ExportRoleName": "a/b",
	}
	for name, parameter := range sourceTemplate(t).Parameters {
		value, ok := given[name].(string)
		if parameter.AllowedPattern == "" {
			if ok && !slices.Contains(parameter.AllowedValues, value) {
				t.Errorf("%s: %q is not allowed", name, value)
			}
			continue
		}
		// Go knows no repeat count above 1000.
		pattern := regexp.MustCompile("^(?:" + strings.ReplaceAll(parameter.AllowedPattern, "{2,1224}", "{2,}") + ")$")
		if !pattern.MatchString(value) || refused[name] == "" || pattern.MatchString(refused[name]) {
			t.Errorf("%s: %s takes %q: %t, and %q: %t", name, pattern, value, pattern.MatchString(value), refused[name], pattern.MatchString(refused[name]))
		}
		if parameter.Default != "" && !pattern.MatchString(parameter.Default) {
			t.Errorf("%s: the default %q is not allowed", name, parameter.Default)
		}
	}
}
