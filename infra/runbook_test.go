package infra

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"poolferry/internal/cutover"
	"poolferry/internal/reconcile/verdict"
)

const runbook = "../docs/runbook.md"

// TestRunbookHasEveryAlarm: for each alarm the runbook says what to do, below the
// composite alarm that tells of it, and it speaks of no other.
func TestRunbookHasEveryAlarm(t *testing.T) {
	for composite, listed := range map[string]string{"sign-ins": "sign_in_alarms", "background": "background_alarms"} {
		title := "`poolferry-RUN-" + composite + "`"
		if diff := cmp.Diff(toldBy(t, listed), sorted(rowsBelow(t, title))); diff != "" {
			t.Errorf("%s, %s: the alarms of alarms.tf, and the rows (-alarms +rows):\n%s", runbook, title, diff)
		}
	}
}

// toldBy are the names, without what all begin with, of the alarms in the list
// that a composite alarm goes by.
func toldBy(t *testing.T, listed string) (names []string) {
	t.Helper()
	blocks := terraformFiles(t, target)[target+"/alarms.tf"].Blocks
	var list string
	for _, block := range blocks {
		if attribute := block.Body.Attributes[listed]; block.Type == "locals" && attribute != nil {
			list = source(t, attribute.Expr)
		}
	}
	for _, block := range blocks {
		if block.Type != "resource" || !regexp.MustCompile(regexp.QuoteMeta(strings.Join(block.Labels, "."))+`\b`).MatchString(list) {
			continue
		}
		for key, value := range instances(t, block.Body) {
			name, diagnostics := block.Body.Attributes["alarm_name"].Expr.Value(&hcl.EvalContext{
				Variables: map[string]cty.Value{
					"local": cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("poolferry-RUN")}),
					"each":  cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": value}),
				},
				Functions: map[string]function.Function{"lower": stdlib.LowerFunc},
			})
			if diagnostics.HasErrors() {
				t.Fatal(diagnostics)
			}
			names = append(names, strings.TrimPrefix(name.AsString(), "poolferry-RUN-"))
		}
	}
	if len(names) < 10 {
		t.Fatalf("%s: only %v: alarms.tf is written in another way", listed, names)
	}
	return sorted(names)
}

// TestRunbookHasEverythingThatCanComeUp: what an operator reads in status,
// findings and gates has a row that says what to do.
func TestRunbookHasEverythingThatCanComeUp(t *testing.T) {
	for title, want := range map[string][]string{
		"Who is pending": words(verdict.PendingReasons()),
		"Findings":       words(verdict.FindingKinds()),
		"Gates":          cutover.Gates(),
	} {
		if diff := cmp.Diff(sorted(want), sorted(rowsBelow(t, title))); diff != "" {
			t.Errorf("%s, %s: what there is, and the rows (-code +rows):\n%s", runbook, title, diff)
		}
	}
}

func words[W ~string](of []W) []string {
	out := make([]string, len(of))
	for i, word := range of {
		out[i] = string(word)
	}
	return out
}

func sorted(of []string) []string { return slices.Sorted(slices.Values(of)) }

var (
	heading  = regexp.MustCompile(`^#+ `)
	inQuotes = regexp.MustCompile("`([^`]+)`")
)

// rowsBelow are the names in backquotes in the first column of the tables below a
// heading. Every row says something in all columns.
func rowsBelow(t *testing.T, title string) (names []string) {
	t.Helper()
	page, err := os.ReadFile(runbook)
	if err != nil {
		t.Fatal(err)
	}
	within, found := false, 0
	for _, line := range strings.Split(string(page), "\n") {
		if heading.MatchString(line) {
			if within = strings.HasSuffix(line, "# "+title); within {
				found++
			}
			continue
		}
		if !within || !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) == "" }) {
			t.Errorf("%s: this row leaves something open: %s", runbook, line)
		}
		for _, name := range inQuotes.FindAllStringSubmatch(cells[0], -1) {
			names = append(names, name[1])
		}
	}
	if found != 1 {
		t.Fatalf("%s has %d headings %s", runbook, found, title)
	}
	return names
}
