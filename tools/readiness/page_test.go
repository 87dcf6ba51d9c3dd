package readiness_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"poolferry/internal/preflight"
)

// TestPageHasEveryCode: docs/preflight.md says of each code what the tool says, in
// its section.
func TestPageHasEveryCode(t *testing.T) {
	page, err := os.ReadFile("../../docs/preflight.md")
	if err != nil {
		t.Fatal(err)
	}
	_, findings, ok := strings.Cut(string(page), "\n## Findings\n")
	if !ok {
		t.Fatal("the page has no findings")
	}
	titles := map[preflight.Severity]string{preflight.Blocker: "Blockers", preflight.Warning: "Warnings", preflight.Info: "Information"}
	var rows []string
	for _, severity := range preflight.Severities() {
		_, section, ok := strings.Cut(findings, "### "+titles[severity]+"\n")
		if !ok {
			t.Fatalf("the page has no section %s", titles[severity])
		}
		section, _, _ = strings.Cut(section, "\n### ")
		for line := range strings.Lines(section) {
			if strings.HasPrefix(line, "| `") {
				rows = append(rows, string(severity)+" "+strings.TrimSpace(line))
			}
		}
	}
	for _, code := range preflight.Codes() {
		want := fmt.Sprintf("%s | `%s` | %s | %s |", code.Severity(), code, code.Meaning(), code.Advice())
		if i := slices.Index(rows, want); i < 0 {
			t.Errorf("the page lacks the row\n%s", want)
		} else {
			rows = slices.Delete(rows, i, i+1)
		}
	}
	for _, row := range rows {
		t.Errorf("the page has a row too many\n%s", row)
	}
}
