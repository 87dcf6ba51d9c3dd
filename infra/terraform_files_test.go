package infra

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

const target = "modules/target-account"

// terraformFolders are all modules and examples.
func terraformFolders(t *testing.T) []string {
	t.Helper()
	var folders []string
	for _, pattern := range []string{"modules/*/versions.tf", "examples/*/versions.tf"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			folders = append(folders, path.Dir(file))
		}
	}
	if len(folders) < 5 {
		t.Fatalf("only %v", folders)
	}
	return folders
}

// terraformFiles are the parsed files of a folder, by path.
func terraformFiles(t *testing.T, folder string) map[string]*hclsyntax.Body {
	t.Helper()
	names, err := filepath.Glob(folder + "/*.tf")
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d files: %v", folder, len(names), err)
	}
	bodies := map[string]*hclsyntax.Body{}
	for _, name := range names {
		file, diagnostics := hclparse.NewParser().ParseHCLFile(name)
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		bodies[name] = file.Body.(*hclsyntax.Body)
	}
	return bodies
}

// local returns the object that a file of target-account gives to a local value.
func local(t *testing.T, name string) *hclsyntax.ObjectConsExpr {
	t.Helper()
	for _, body := range terraformFiles(t, target) {
		for _, block := range body.Blocks {
			if attribute := block.Body.Attributes[name]; block.Type == "locals" && attribute != nil {
				return attribute.Expr.(*hclsyntax.ObjectConsExpr)
			}
		}
	}
	t.Fatalf("%s has no local value %s", target, name)
	return nil
}

// members are the values of an object whose keys are written out.
func members(t *testing.T, object *hclsyntax.ObjectConsExpr) map[string]hclsyntax.Expression {
	t.Helper()
	out := map[string]hclsyntax.Expression{}
	for _, item := range object.Items {
		key, diagnostics := item.KeyExpr.Value(nil)
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		out[key.AsString()] = item.ValueExpr
	}
	return out
}

// text is the value of an expression that is a string written out, "" for others.
func text(expression hcl.Expression) string {
	value, diagnostics := expression.Value(nil)
	if diagnostics.HasErrors() || value.Type() != cty.String {
		return ""
	}
	return value.AsString()
}

// source is the text of an expression as it is written.
func source(t *testing.T, expression hcl.Expression) string {
	t.Helper()
	file, err := os.ReadFile(expression.Range().Filename)
	if err != nil {
		t.Fatal(err)
	}
	return string(expression.Range().SliceBytes(file))
}

// deployed is a row of the table of functions.
type deployed struct {
	Policies []string
	Timeout  time.Duration
}

// functions reads the table of functions.
func functions(t *testing.T) map[string]deployed {
	t.Helper()
	out := map[string]deployed{}
	for name, row := range members(t, local(t, "functions")) {
		columns := members(t, row.(*hclsyntax.ObjectConsExpr))
		timeout, diagnostics := columns["timeout"].Value(nil)
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		seconds, _ := timeout.AsBigFloat().Int64()
		policies, diagnostics := columns["policies"].Value(nil)
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		d := deployed{Timeout: time.Duration(seconds) * time.Second}
		for _, policy := range policies.AsValueSlice() {
			d.Policies = append(d.Policies, policy.AsString())
		}
		out[name] = d
	}
	return out
}

// TestFunctionsAreThoseOfTheCode: what lambdas/ builds is deployed, and nothing
// else.
func TestFunctionsAreThoseOfTheCode(t *testing.T) {
	mains, err := filepath.Glob("../lambdas/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, main := range mains {
		want = append(want, path.Base(path.Dir(main)))
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(functions(t)))); diff != "" {
		t.Errorf("lambdas/ and the table of functions differ: %s", diff)
	}
}

// TestFunctionsAreThoseOfTheSandbox: what a rehearsal proves holds for what is
// deployed only if timeouts and policies are the same.
func TestFunctionsAreThoseOfTheSandbox(t *testing.T) {
	got := functions(t)
	for _, d := range got {
		slices.Sort(d.Policies)
	}
	if diff := cmp.Diff(rehearsed(t), got); diff != "" {
		t.Errorf("tools/rehearsal and the table of functions differ: %s", diff)
	}
}

// rehearsed reads the table of functions of the sandbox.
func rehearsed(t *testing.T) map[string]deployed {
	t.Helper()
	constants := map[string]string{}
	var rows []ast.Expr
	for _, file := range []string{"policies.go", "../tools/rehearsal/function.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) == 0 {
				return true
			}
			switch value := spec.Values[0].(type) {
			case *ast.BasicLit:
				constants[spec.Names[0].Name], _ = strconv.Unquote(value.Value)
			case *ast.CompositeLit:
				if spec.Names[0].Name == "deployments" {
					rows = value.Elts
				}
			}
			return true
		})
	}
	if len(rows) == 0 {
		t.Fatal("tools/rehearsal/function.go has no table deployments")
	}
	out := map[string]deployed{}
	for _, row := range rows {
		columns := row.(*ast.CompositeLit).Elts // name, policies, timeout, constructor
		var d deployed
		for _, policy := range columns[1].(*ast.CompositeLit).Elts {
			d.Policies = append(d.Policies, constants[policy.(*ast.SelectorExpr).Sel.Name])
		}
		slices.Sort(d.Policies)
		d.Timeout = duration(t, columns[2])
		out[constants[columns[0].(*ast.Ident).Name]] = d
	}
	return out
}

// duration is the value of an expression such as 5 * time.Second.
func duration(t *testing.T, e ast.Expr) time.Duration {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		n, _ := constant.Int64Val(constant.MakeFromLiteral(e.Value, e.Kind, 0))
		return time.Duration(n)
	case *ast.BinaryExpr:
		return duration(t, e.X) * duration(t, e.Y)
	case *ast.SelectorExpr:
		switch e.Sel.Name {
		case "Second":
			return time.Second
		case "Minute":
			return time.Minute
		}
	}
	t.Fatalf("%T is no duration that this test reads", e)
	return 0
}

// triggers are the functions that the target pool calls.
var triggers = []string{"migrate-user", "guard-signup", "welcome-user", "legacy-claim"}

// TestFunctionsEndBeforeTheirTask: a state that gives up before its function does
// starts a second one beside it.
func TestFunctionsEndBeforeTheirTask(t *testing.T) {
	limits := map[string]time.Duration{}
	files, err := filepath.Glob("../statemachines/*.asl.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d definitions: %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var definition any
		if err := json.Unmarshal(data, &definition); err != nil {
			t.Fatal(err)
		}
		tasks(definition, func(function string, limit time.Duration) { limits[function] = max(limits[function], limit) })
	}
	for name, d := range functions(t) {
		limit, ok := limits["${"+strings.ReplaceAll(name, "-", "_")+"_function}"]
		if slices.Contains(triggers, name) {
			limit, ok = 5*time.Second, true // Cognito's
		}
		if !ok {
			t.Errorf("no state machine calls %s", name)
		}
		if d.Timeout > limit {
			t.Errorf("%s may take %s, whoever calls it waits %s", name, d.Timeout, limit)
		}
	}
}

// tasks calls visit for each state that calls a function.
func tasks(value any, visit func(function string, limit time.Duration)) {
	switch value := value.(type) {
	case map[string]any:
		parameters, _ := value["Parameters"].(map[string]any)
		seconds, _ := value["TimeoutSeconds"].(float64)
		if name, ok := parameters["FunctionName"].(string); ok {
			visit(name, time.Duration(seconds)*time.Second)
		}
		for _, v := range value {
			tasks(v, visit)
		}
	case []any:
		for _, v := range value {
			tasks(v, visit)
		}
	}
}

// TestReplacements: every map fills the placeholders of its file, all of them and
// no other, which terraform itself finds out only when it plans.
func TestReplacements(t *testing.T) {
	filled := map[string]bool{}
	for _, folder := range terraformFolders(t) {
		for _, body := range terraformFiles(t, folder) {
			_ = hclsyntax.VisitAll(body, func(node hclsyntax.Node) hcl.Diagnostics {
				call, ok := node.(*hclsyntax.FunctionCallExpr)
				if !ok || call.Name != "templatefile" && call.Name != "file" {
					return nil
				}
				name, ok := strings.CutPrefix(source(t, call.Args[0]), `"${path.module}/`)
				name = path.Join(folder, strings.TrimSuffix(name, `"`))
				if !ok || strings.Contains(name, "${") {
					return nil // the table of functions, below; an example's own configuration
				}
				var given []string
				if len(call.Args) > 1 {
					given = slices.Sorted(maps.Keys(members(t, call.Args[1].(*hclsyntax.ObjectConsExpr))))
				}
				if diff := cmp.Diff(placeholdersOf(t, name), given); diff != "" {
					t.Errorf("%s, %s: %s", call.Range(), name, diff)
				}
				filled[name] = true
				return nil
			})
		}
	}
	values := members(t, local(t, "policy_values"))
	used := map[string]bool{}
	for function, d := range functions(t) {
		for _, policy := range d.Policies {
			object, ok := values[policy].(*hclsyntax.ObjectConsExpr)
			if !ok {
				t.Errorf("%s: policy_values has nothing for %s", function, policy)
				continue
			}
			name := target + "/policies/" + policy + ".json"
			used[policy], filled[name] = true, true
			given, want := slices.Collect(maps.Keys(members(t, object))), placeholdersOf(t, name)
			if slices.Contains(want, "log_group_arn") {
				given = append(given, "log_group_arn") // each function's own
			}
			slices.Sort(given)
			if diff := cmp.Diff(want, given); diff != "" {
				t.Errorf("policy_values, %s: %s", policy, diff)
			}
		}
	}
	for policy := range values {
		if !used[policy] {
			t.Errorf("policy_values fills %s, which no function has", policy)
		}
	}
	for _, pattern := range []string{"modules/*/policies/*.json", "../statemachines/*.asl.json", target + "/dashboard.json"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			if !filled[name] {
				t.Errorf("nothing deploys %s", name)
			}
		}
	}
}

// placeholdersOf are the placeholders of a file, sorted.
func placeholdersOf(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, match := range placeholder.FindAllStringSubmatch(string(data), -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// wide are the statements that name everything, and why no other would do.
var wide = map[string]string{
	"staging-key AccountDecides":       "in the policy of a key it means that key (KMS Developer Guide, key policies)",
	"operations-key AccountDecides":    "in the policy of a key it means that key",
	"operations-key LogGroupsOfTheRun": "in the policy of a key it means that key",
	"operations-key AlarmsPublish":     "in the policy of a key it means that key",
	"states-logging DeliverFailuresToLogGroup": "log deliveries have no resource to name " +
		"(Step Functions Developer Guide, logging)",
	"operator ReadErrorRate":          "metrics have no resource to name (Service Authorization Reference, CloudWatch)",
	"vpc NetworkInterfacesOfFunction": "Lambda checks the role before the interfaces exist (Lambda Developer Guide, VPC)",
}

// TestNothingIsWiderThanItHasToBe: no statement allows an action on everything but
// those listed; no list entry is out of use; and nobody but those listed is
// allowed everything.
func TestNothingIsWiderThanItHasToBe(t *testing.T) {
	unused := maps.Clone(wide)
	for name := range values(t) {
		var document struct {
			Statement []struct {
				Sid, Effect      string
				Action, Resource any
			}
		}
		if err := json.Unmarshal(render(t, name), &document); err != nil {
			t.Fatal(err)
		}
		for _, s := range document.Statement {
			if s.Effect != "Allow" {
				continue
			}
			key := name + " " + s.Sid
			for _, resource := range list(s.Resource) {
				if resource != "*" {
					continue
				}
				if wide[key] == "" {
					t.Errorf("%s: allowed on everything: name the resource, or say here why it cannot be named", key)
				}
				delete(unused, key)
			}
			for _, action := range list(s.Action) {
				service, verb, _ := strings.Cut(action, ":")
				if service == "*" || verb == "*" && name != StagingKey && name != OperationsKey {
					t.Errorf("%s: allows %s", key, action)
				}
			}
		}
	}
	for key := range unused {
		t.Errorf("%s is not as wide any more: take it off the list", key)
	}
}

// list is a member of a policy that is a text or a list of them.
func list(value any) []string {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		var out []string
		for _, v := range value {
			out = append(out, fmt.Sprint(v))
		}
		return out
	}
	return nil
}

var fixedPartition = regexp.MustCompile(`arn:aws:`)

// TestNoFixedAccountOrPartition: the modules run in any account and partition.
// What people read has examples.
func TestNoFixedAccountOrPartition(t *testing.T) {
	for _, folder := range terraformFolders(t) {
		for name, body := range terraformFiles(t, folder) {
			attributes(body, func(attribute *hclsyntax.Attribute) {
				if attribute.Name == "description" || attribute.Name == "error_message" {
					return
				}
				written := source(t, attribute.Expr)
				for _, pattern := range []*regexp.Regexp{accountID, fixedPartition} {
					if found := pattern.FindString(written); found != "" {
						t.Errorf("%s:%d: %s", name, attribute.SrcRange.Start.Line, found)
					}
				}
			})
		}
	}
}

// attributes calls visit for every attribute of a body and of the blocks in it.
func attributes(body *hclsyntax.Body, visit func(*hclsyntax.Attribute)) {
	for _, attribute := range body.Attributes {
		visit(attribute)
	}
	for _, block := range body.Blocks {
		attributes(block.Body, visit)
	}
}

// TestEveryValidationIsTested: a validation without a run that it refuses may as
// well accept everything.
func TestEveryValidationIsTested(t *testing.T) {
	for _, folder := range terraformFolders(t) {
		tests, err := filepath.Glob(folder + "/tests/*.tftest.hcl")
		if err != nil || len(tests) == 0 {
			t.Errorf("%s has no tests: %v", folder, err)
			continue
		}
		expected := map[string]int{}
		for _, test := range tests {
			data, err := os.ReadFile(test)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range regexp.MustCompile(`expect_failures = \[([^\]]+)\]`).FindAllStringSubmatch(string(data), -1) {
				expected[match[1]]++
			}
		}
		for name, body := range terraformFiles(t, folder) {
			for _, block := range body.Blocks {
				checks := map[string]int{}
				for _, inner := range block.Body.Blocks {
					switch {
					case block.Type == "variable" && inner.Type == "validation":
						checks["var."+block.Labels[0]]++
					case block.Type == "resource" && inner.Type == "lifecycle":
						for _, condition := range inner.Body.Blocks {
							if condition.Type == "precondition" || condition.Type == "postcondition" {
								checks[strings.Join(block.Labels, ".")]++
							}
						}
					case block.Type == "check" && inner.Type == "assert":
						checks["check."+block.Labels[0]]++
					}
				}
				for object, n := range checks {
					if expected[object] < n {
						t.Errorf("%s: %s has %d conditions, %d runs expect it to fail", name, object, n, expected[object])
					}
				}
			}
		}
	}
}

// native is a value of Terraform's as JSON has it.
func native(t *testing.T, value cty.Value) any {
	t.Helper()
	data, err := ctyjson.Marshal(value, value.Type())
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if number, ok := out.(float64); ok && number == float64(int(number)) {
		return int(number) // as YAML reads it
	}
	return out
}
