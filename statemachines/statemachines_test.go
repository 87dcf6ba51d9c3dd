package statemachines_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"poolferry/internal/fault"
	"poolferry/statemachines"
)

// infra lists what deployments fill, by definition.
var placeholders = map[string][]string{
	statemachines.Preseed: {"plan_seeding_function", "seed_batch_function", "close_seeding_function"},
	statemachines.Reconcile: {
		"open_reconciliation_function", "index_manifest_function", "scan_target_function", "match_names_function",
		"compare_bucket_function", "close_reconciliation_function", "settle_users_function", "preseed_state_machine", "staging_bucket", "topic", "schedule_name",
	},
	statemachines.Tail: {"open_tail_function", "write_tail_function", "import_tail_function", "close_tail_function", "topic"},
}

func values(names []string) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		out[name] = "arn:aws:lambda:eu-central-1:000000000000:function:" + name
	}
	return out
}

// definitions returns every file of the folder, rendered.
func definitions(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob("*.asl.json")
	if err != nil || len(files) != len(placeholders) {
		t.Fatalf("%d definitions for %d known: %v", len(files), len(placeholders), err)
	}
	out := map[string]map[string]any{}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".asl.json")
		text, err := statemachines.Render(name, values(placeholders[name]))
		if err != nil {
			t.Fatal(err)
		}
		var definition map[string]any
		if err := json.Unmarshal(text, &definition); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out[name] = definition
	}
	return out
}

// serviceErrors are names of errors that come from AWS itself.
var serviceErrors = regexp.MustCompile(`^(States|Lambda|Runtime|Sandbox|StepFunctions|SNS|Scheduler)\.[A-Za-z.]+$`)

var kinds = []string{
	string(fault.Throttled), string(fault.NotFound), string(fault.AlreadyExists), string(fault.Denied),
	string(fault.Invalid), string(fault.Conflict), string(fault.Unavailable), string(fault.Internal),
}

// walk calls visit for every state of a definition, those inside Map and
// Parallel included.
func walk(where string, machine map[string]any, visit func(where, name string, state, siblings map[string]any)) {
	states, _ := machine["States"].(map[string]any)
	for name, s := range states {
		state, _ := s.(map[string]any)
		visit(where, name, state, states)
		for _, inner := range []string{"ItemProcessor", "Iterator"} {
			if m, ok := state[inner].(map[string]any); ok {
				walk(where+"/"+name, m, visit)
			}
		}
		branches, _ := state["Branches"].([]any)
		for i, b := range branches {
			if m, ok := b.(map[string]any); ok {
				walk(fmt.Sprintf("%s/%s[%d]", where, name, i), m, visit)
			}
		}
	}
}

func TestStates(t *testing.T) {
	for name, definition := range definitions(t) {
		if definition["Comment"] == nil || definition["QueryLanguage"] != "JSONPath" {
			t.Errorf("%s: want a Comment and QueryLanguage JSONPath at the top", name)
		}
		walk(name, definition, func(where, name string, state, siblings map[string]any) {
			at := where + "/" + name
			if state["QueryLanguage"] != nil {
				t.Errorf("%s: the query language is said once, at the top", at)
			}
			if strings.Contains(strings.ToLower(name), "fail") && state["Type"] != "Fail" && state["Type"] != "Task" {
				t.Errorf("%s: is called a failure and is of type %v", at, state["Type"])
			}
			if next, ok := state["Next"].(string); ok && siblings[next] == nil {
				t.Errorf("%s: next state %q does not exist", at, next)
			}
			if state["Type"] == "Task" {
				checkTask(t, at, state)
			}
			for _, catch := range list(state["Catch"]) {
				if next, _ := catch["Next"].(string); siblings[next] == nil {
					t.Errorf("%s: Catch goes to %q, which does not exist", at, next)
				}
				checkErrors(t, at, catch)
			}
			for _, retry := range list(state["Retry"]) {
				checkErrors(t, at, retry)
				if slices.Contains(names(retry), "States.ALL") {
					t.Errorf("%s: retries everything: an Invalid or Denied does not pass", at)
				}
				if retry["JitterStrategy"] != "FULL" || retry["MaxDelaySeconds"] == nil || retry["MaxAttempts"] == nil {
					t.Errorf("%s: a Retry says MaxAttempts, MaxDelaySeconds and JitterStrategy FULL", at)
				}
			}
			if state["Type"] == "Map" && state["MaxConcurrency"] == nil && state["MaxConcurrencyPath"] == nil {
				t.Errorf("%s: a Map says how many iterations run at once", at)
			}
		})
	}
}

func checkTask(t *testing.T, at string, state map[string]any) {
	t.Helper()
	for _, member := range []string{"Comment", "TimeoutSeconds", "Retry", "Catch"} {
		if state[member] == nil {
			t.Errorf("%s: a Task has a %s", at, member)
		}
	}
}

func list(v any) []map[string]any {
	items, _ := v.([]any)
	var out []map[string]any
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func names(handler map[string]any) []string {
	items, _ := handler["ErrorEquals"].([]any)
	var out []string
	for _, item := range items {
		if name, ok := item.(string); ok {
			out = append(out, name)
		}
	}
	return out
}

func checkErrors(t *testing.T, at string, handler map[string]any) {
	t.Helper()
	if len(names(handler)) == 0 {
		t.Errorf("%s: ErrorEquals is empty", at)
	}
	for _, name := range names(handler) {
		if !serviceErrors.MatchString(name) && !slices.Contains(kinds, name) {
			t.Errorf("%s: nobody reports an error called %q", at, name)
		}
	}
}

var (
	accountID   = regexp.MustCompile(`\b[0-9]{12}\b`)
	placeholder = regexp.MustCompile(`\$\{[^}]*\}`)
)

func TestFilesHoldNothingOfAnAccount(t *testing.T) {
	for name, known := range placeholders {
		data, err := os.ReadFile(name + ".asl.json")
		if err != nil {
			t.Fatal(err)
		}
		if id := accountID.Find(data); id != nil {
			t.Errorf("%s: holds what looks like an account id: %s", name, id)
		}
		if strings.Contains(string(data), "%{") {
			t.Errorf("%s: holds %%{, which Terraform's templatefile takes for itself", name)
		}
		for _, p := range placeholder.FindAllString(string(data), -1) {
			if !slices.Contains(known, strings.Trim(p, "${}")) {
				t.Errorf("%s: placeholder %s is not one that deployments fill", name, p)
			}
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	good := values(placeholders[statemachines.Preseed])
	tests := []struct {
		name, machine, want string
		change              func(map[string]string)
	}{
		{"unknown definition", "nothing", "state machine nothing: ", func(map[string]string) {}},
		{"missing", statemachines.Preseed, "no value for seed_batch_function", func(v map[string]string) { delete(v, "seed_batch_function") }},
		{"empty", statemachines.Preseed, "no value for seed_batch_function", func(v map[string]string) { v["seed_batch_function"] = "" }},
		{"unused", statemachines.Preseed, "has no placeholder other", func(v map[string]string) { v["other"] = "x" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := map[string]string{}
			for k, value := range good {
				v[k] = value
			}
			tt.change(v)
			if _, err := statemachines.Render(tt.machine, v); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestRenderEscapes(t *testing.T) {
	v := values(placeholders[statemachines.Preseed])
	v["seed_batch_function"] = `a"b\c`
	text, err := statemachines.Render(statemachines.Preseed, v)
	if err != nil || !json.Valid(text) || !strings.Contains(string(text), `a\"b\\c`) {
		t.Errorf("error %v, valid %v", err, json.Valid(text))
	}
}
