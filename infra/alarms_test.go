package infra

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// named are the single alarms of a run, without poolferry-RUN-. Runbooks, tickets
// and what people have built upon alarms go by these names.
var named = []string{
	"close-reconciliation-errors", "close-reconciliation-metrics-lost", "close-seeding-errors", "close-tail-errors",
	"close-tail-metrics-lost", "compare-bucket-errors", "compare-bucket-metrics-lost", "critical-findings", "deadline",
	"failure-rate", "guard-signup-metrics-lost", "guard-signup-throttled", "guard-undecided", "guard-unsure", "import-tail-errors",
	"import-tail-metrics-lost", "index-manifest-errors", "index-manifest-metrics-lost", "legacy-claim-errors",
	"legacy-claim-throttled", "lockedout", "match-names-errors", "match-names-metrics-lost", "migrate-user-metrics-lost",
	"misconfigured", "open-reconciliation-errors", "open-reconciliation-metrics-lost", "open-tail-errors", "plan-seeding-errors",
	"preseed-executions", "reconcile-executions", "reconciliation-failed", "reconciliation-partial", "reconciliation-stalled",
	"reconciliation-throttled", "scan-target-errors", "scan-target-metrics-lost", "schedule-dead-letters", "seed-batch-errors",
	"seed-batch-metrics-lost", "seeding-stalled", "seeding-throttled", "settle-failed", "settle-users-errors",
	"settle-users-metrics-lost", "slow-p95", "slow-p99", "tail-executions", "tail-failed", "throttled", "trigger-throttled",
	"unavailable", "undecided", "unmappable", "welcome-failed", "welcome-user-errors", "welcome-user-metrics-lost",
	"welcome-user-throttled", "write-tail-errors",
}

// TestAlarmsKeepTheirNames: names are only ever added.
func TestAlarmsKeepTheirNames(t *testing.T) {
	var names []string
	for _, name := range alarmNames(t, "poolferry-RUN") {
		names = append(names, strings.TrimPrefix(name, "poolferry-RUN-"))
	}
	if diff := cmp.Diff(named, names); diff != "" {
		t.Errorf("alarms have other names, by which people know them: take the old one again, or add the new alarm to this list: %s", diff)
	}
	var composite []string
	for _, block := range terraformFiles(t, target)[target+"/alarms.tf"].Blocks {
		if block.Type == "resource" && block.Labels[0] == "aws_cloudwatch_composite_alarm" {
			composite = append(composite, source(t, block.Body.Attributes["alarm_name"].Expr))
		}
	}
	if diff := cmp.Diff([]string{`"${local.name}-sign-ins"`, `"${local.name}-background"`}, composite); diff != "" {
		t.Errorf("the alarms that speak have other names: %s", diff)
	}
}

// alarmNames are the names of the single alarms in alarms.tf, sorted, where
// local.name is prefix.
func alarmNames(t *testing.T, prefix string) (names []string) {
	t.Helper()
	for _, block := range terraformFiles(t, target)[target+"/alarms.tf"].Blocks {
		if block.Type != "resource" || block.Labels[0] != "aws_cloudwatch_metric_alarm" {
			continue
		}
		for key, value := range instances(t, block.Body) {
			name, diagnostics := block.Body.Attributes["alarm_name"].Expr.Value(&hcl.EvalContext{
				Variables: map[string]cty.Value{
					"local": cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(prefix)}),
					"each":  cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": value}),
				},
				Functions: map[string]function.Function{"lower": stdlib.LowerFunc},
			})
			if diagnostics.HasErrors() {
				t.Fatal(diagnostics)
			}
			names = append(names, name.AsString())
		}
	}
	slices.Sort(names)
	return names
}

// instances are what an alarm is made for, by key; one without a key where it is
// made once.
func instances(t *testing.T, alarm *hclsyntax.Body) map[string]cty.Value {
	t.Helper()
	attribute := alarm.Attributes["for_each"]
	if attribute == nil {
		return map[string]cty.Value{"": cty.EmptyObjectVal}
	}
	out := map[string]cty.Value{}
	switch source(t, attribute.Expr) {
	case "local.functions_in_background":
		for name := range functions(t) {
			if !slices.Contains(triggers, name) {
				out[name] = cty.EmptyObjectVal
			}
		}
	case "local.functions_with_metrics":
		for name, row := range members(t, local(t, "functions")) {
			metrics, diagnostics := members(t, row.(*hclsyntax.ObjectConsExpr))["metrics"].Value(nil)
			if diagnostics.HasErrors() {
				t.Fatal(diagnostics)
			}
			if metrics.True() {
				out[name] = cty.EmptyObjectVal
			}
		}
	default:
		value, diagnostics := attribute.Expr.Value(nil)
		if diagnostics.HasErrors() {
			t.Fatal(diagnostics)
		}
		maps.Copy(out, value.AsValueMap())
	}
	return out
}
