package infra

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"poolferry/internal/telemetry"
	"poolferry/internal/trigger"
)

// written are the names of the metrics that the code writes: those that
// internal/telemetry declares, and one for each outcome.
func written(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := filepath.Glob("../internal/telemetry/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok || len(literal.Elts) == 0 {
				return true
			}
			if kind, ok := literal.Type.(*ast.Ident); !ok || kind.Name != "metric" {
				return true
			}
			if name, ok := literal.Elts[0].(*ast.BasicLit); ok {
				unquoted, _ := strconv.Unquote(name.Value)
				names[unquoted] = true
			}
			return true
		})
	}
	if !names["Decisions"] || !names["SeedPages"] {
		t.Fatalf("internal/telemetry declares its metrics in another way: %v", names)
	}
	for _, outcome := range trigger.Outcomes() {
		names[string(outcome)] = true
	}
	return names
}

// alarmed are the names of our own metrics that alarms look at, with the places.
func alarmed(t *testing.T) map[string][]string {
	t.Helper()
	names := map[string][]string{}
	for _, body := range terraformFiles(t, target) {
		for _, block := range body.Blocks {
			if block.Type == "resource" && block.Labels[0] == "aws_cloudwatch_metric_alarm" {
				for _, name := range metricsOf(t, block.Body, block.Body) {
					names[name] = append(names[name], block.Labels[1])
				}
			}
		}
	}
	return names
}

// metricsOf are the metrics of our namespace in a body of an alarm; each.key is
// each of the keys that the alarm is made for.
func metricsOf(t *testing.T, alarm, body *hclsyntax.Body) (names []string) {
	t.Helper()
	if name := body.Attributes["metric_name"]; name != nil && text(body.Attributes["namespace"].Expr) == telemetry.Namespace {
		switch written := source(t, name.Expr); {
		case text(name.Expr) != "":
			names = append(names, text(name.Expr))
		case written == "each.key":
			names = append(names, slices.Collect(maps.Keys(members(t, alarm.Attributes["for_each"].Expr.(*hclsyntax.ObjectConsExpr))))...)
		default:
			t.Errorf("%s: %s is no name of a metric that this test reads", name.SrcRange, written)
		}
		if dimensions := source(t, body.Attributes["dimensions"].Expr); dimensions != "{ run = local.run }" {
			t.Errorf("%s: our metrics are counted by run, not by %s", name.SrcRange, dimensions)
		}
	}
	for _, block := range body.Blocks {
		names = append(names, metricsOf(t, alarm, block.Body)...)
	}
	return names
}

// shown are the names of our own metrics on the dashboard.
func shown(t *testing.T) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(target + "/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Widgets []struct {
			Properties struct {
				Title   string
				Metrics [][]any
			}
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, widget := range dashboard.Widgets {
		for _, metric := range widget.Properties.Metrics {
			if metric[0] != telemetry.Namespace {
				continue
			}
			names[metric[1].(string)] = true
			if metric[2] != "run" || metric[3] != "${run}" {
				t.Errorf("dashboard, %s: our metrics are counted by run, not by %v", widget.Properties.Title, metric[2:])
			}
		}
	}
	return names
}

// TestMetricsAreWritten: an alarm on a metric that nobody writes never goes off.
func TestMetricsAreWritten(t *testing.T) {
	known := written(t)
	for name, alarms := range alarmed(t) {
		if !known[name] {
			t.Errorf("the code does not write %s, which the alarms %v look at", name, alarms)
		}
	}
	for name := range shown(t) {
		if !known[name] {
			t.Errorf("the code does not write %s, which is on the dashboard", name)
		}
	}
}

// trouble is in the name of every metric of trouble that is no outcome.
var trouble = regexp.MustCompile(`Fail|Unsure|Throttl|Partial|Critical|Error|Lost|Stalled`)

// TestTroubleHasAnAlarm: every metric that counts trouble has an alarm, and every
// metric is somewhere to be seen.
func TestTroubleHasAnAlarm(t *testing.T) {
	alarms, dashboard := alarmed(t), shown(t)
	for name := range written(t) {
		if (trouble.MatchString(name) || trigger.Outcome(name).Failed()) && len(alarms[name]) == 0 {
			t.Errorf("%s counts trouble and has no alarm: add one to alarms.tf", name)
		}
		if !dashboard[name] {
			t.Errorf("%s is not on the dashboard: add it to dashboard.json", name)
		}
	}
}

// TestEveryAlarmIsHeard: an alarm that no composite alarm looks at is one that
// nobody hears of.
func TestEveryAlarmIsHeard(t *testing.T) {
	var heard string
	for _, name := range []string{"sign_in_alarms", "background_alarms"} {
		for _, body := range terraformFiles(t, target) {
			for _, block := range body.Blocks {
				if attribute := block.Body.Attributes[name]; block.Type == "locals" && attribute != nil {
					heard += source(t, attribute.Expr)
				}
			}
		}
	}
	for _, body := range terraformFiles(t, target) {
		for _, block := range body.Blocks {
			if block.Type != "resource" || block.Labels[0] != "aws_cloudwatch_metric_alarm" {
				continue
			}
			if reference := "aws_cloudwatch_metric_alarm." + block.Labels[1]; !regexp.MustCompile(regexp.QuoteMeta(reference) + `\b`).MatchString(heard) {
				t.Errorf("%s is in no composite alarm", reference)
			}
		}
	}
}
