package infra

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCutoverKnowsTheModule: the pool of target-pool has the tag by which poolferry
// cutover leaves it to Terraform, and what it says instead is an input of the module
// and of the example.
func TestCutoverKnowsTheModule(t *testing.T) {
	known := stringsOf(t, "../internal/cutover/change.go")
	var tags map[string]string
	for _, block := range terraformFiles(t, "modules/target-pool")["modules/target-pool/main.tf"].Blocks {
		if block.Type != "resource" || block.Labels[0] != "aws_cognito_user_pool" {
			continue
		}
		value, diagnostics := block.Body.Attributes["tags"].Expr.Value(nil)
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		tags = map[string]string{}
		for key, v := range value.AsValueMap() {
			tags[key] = v.AsString()
		}
	}
	if diff := cmp.Diff(map[string]string{known["tagOurs"]: known["Terraform"]}, tags); diff != "" {
		t.Errorf("internal/cutover looks for another tag than target-pool sets: %s", diff)
	}

	var said strings.Builder
	for _, file := range []string{"../tools/cli/cutover.go", "../tools/cli/rollback.go"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		said.Write(data)
	}
	name := regexp.MustCompile(`In the module target-pool set\\n\\n +(\w+) = %q`).FindStringSubmatch(said.String())
	if name == nil {
		t.Fatal("tools/cli does not say any more what to set in target-pool")
	}
	phases := map[string]bool{}
	for _, m := range regexp.MustCompile(`\.terraform\("([^"]+)"\)`).FindAllStringSubmatch(said.String(), -1) {
		phases[m[1]] = true
	}
	var accepted []string
	for _, folder := range []string{"modules/target-pool", "examples/complete"} {
		found := false
		for _, block := range terraformFiles(t, folder)[folder+"/variables.tf"].Blocks {
			if block.Type != "variable" || block.Labels[0] != name[1] {
				continue
			}
			found = true
			for _, inner := range block.Body.Blocks {
				for _, m := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(source(t, inner.Body.Attributes["condition"].Expr), -1) {
					accepted = append(accepted, m[1])
				}
			}
		}
		if !found {
			t.Errorf("%s has no variable %s, which poolferry cutover says to set", folder, name[1])
		}
	}
	slices.Sort(accepted)
	if diff := cmp.Diff(accepted, slices.Sorted(maps.Keys(phases))); diff != "" {
		t.Errorf("poolferry says to set %s to something else than target-pool accepts: %s", name[1], diff)
	}
}

// stringsOf are the constants of a Go file that are strings.
func stringsOf(t *testing.T, file string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				out[spec.Names[0].Name], _ = strconv.Unquote(literal.Value)
			}
		}
		return true
	})
	return out
}
