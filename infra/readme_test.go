package infra

import (
	"cmp"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var update = flag.Bool("update", false, "write the tables of README.md")

// TestReadmeHasInputsAndOutputs: the tables of README.md are what the modules say
// of themselves; go test ./infra -update writes them.
func TestReadmeHasInputsAndOutputs(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	want := string(data)
	for _, folder := range terraformFolders(t) {
		begin, end := "<!-- "+folder+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(want, begin)
		_, after, ends := strings.Cut(rest, end)
		if !ok || !ends {
			t.Errorf("README.md has no place for the table of %s: write %s%s", folder, begin, end)
			continue
		}
		want = before + begin + table(t, folder) + end + after
	}
	if want == string(data) {
		return
	}
	if !*update {
		t.Fatal("the tables of README.md are not those of the modules: go test ./infra -update writes them")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// table lists inputs and outputs of a folder in the order of its files.
func table(t *testing.T, folder string) string {
	t.Helper()
	var out strings.Builder
	bodies := terraformFiles(t, folder)
	for _, kind := range []struct{ file, block, header string }{
		{"variables.tf", "variable", "| input | what it is | default |\n|---|---|---|\n"},
		{"outputs.tf", "output", "| output | what it is |\n|---|---|\n"},
	} {
		out.WriteString("\n" + kind.header)
		blocks := slices.Clone(bodies[folder+"/"+kind.file].Blocks)
		slices.SortFunc(blocks, func(a, b *hclsyntax.Block) int { return cmp.Compare(a.Range().Start.Line, b.Range().Start.Line) })
		for _, block := range blocks {
			if block.Type != kind.block {
				t.Errorf("%s has a %s", kind.file, block.Type)
				continue
			}
			out.WriteString("| `" + block.Labels[0] + "` | " + explained(t, folder, block))
			if kind.block == "variable" {
				out.WriteString(" | " + defaultOf(t, folder, block))
			}
			out.WriteString(" |\n")
		}
	}
	return out.String() + "\n"
}

// explained is the description of a variable or an output. It may not be empty.
func explained(t *testing.T, folder string, block *hclsyntax.Block) string {
	t.Helper()
	if attribute := block.Body.Attributes["description"]; attribute != nil && text(attribute.Expr) != "" {
		return text(attribute.Expr)
	}
	t.Errorf("%s: %s %s has no description", folder, block.Type, block.Labels[0])
	return ""
}

// defaultOf is the default of a variable as it is written. A variable has a type.
func defaultOf(t *testing.T, folder string, block *hclsyntax.Block) string {
	t.Helper()
	if block.Body.Attributes["type"] == nil {
		t.Errorf("%s: variable %s has no type", folder, block.Labels[0])
	}
	if attribute := block.Body.Attributes["default"]; attribute != nil {
		return "`" + source(t, attribute.Expr) + "`"
	}
	return "needed"
}
