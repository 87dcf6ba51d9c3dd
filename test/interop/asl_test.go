package interop_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"poolferry/statemachines"
)

// nodeWith is node, once these packages are installed too.
func nodeWith(t *testing.T, packages ...string) string {
	t.Helper()
	path := node(t)
	for _, name := range packages {
		_, err := os.Stat(filepath.Join("node_modules", filepath.FromSlash(name), "package.json"))
		switch {
		case err == nil:
		case slices.Contains(strings.Split(os.Getenv(requireEnv), ","), "interop"):
			t.Fatalf("%v: run make interop", err)
		default:
			t.Skipf("%v: run make interop", err)
		}
	}
	return path
}

var inDefinition = regexp.MustCompile(`\$\{([a-z_]+)\}`)

// definitions are the files of statemachines by name, as deployed.
func definitions(t *testing.T) map[string]string {
	t.Helper()
	const suffix = ".asl.json"
	files, err := filepath.Glob("../../statemachines/*" + suffix)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d definitions: %v", len(files), err)
	}
	rendered := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]string{}
		for _, match := range inDefinition.FindAllSubmatch(text, -1) {
			values[string(match[1])] = "arn:aws:lambda:eu-central-1:222222222222:function:" + strings.ReplaceAll(string(match[1]), "_", "-")
		}
		name := strings.TrimSuffix(filepath.Base(file), suffix)
		definition, err := statemachines.Render(name, values)
		if err != nil {
			t.Fatal(err)
		}
		rendered[name] = string(definition)
	}
	return rendered
}

// validate gives a definition to asl-validator and returns what is wrong with
// it, "" for nothing.
func validate(t *testing.T, definition string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "definition.json")
	if err := os.WriteFile(file, []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), nodeWith(t, "asl-validator"), "node_modules/asl-validator/dist/bin/asl-validator.js", "--json-path", file).CombinedOutput()
	if err == nil {
		return ""
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Fatalf("asl-validator: %v\n%s", err, out)
	}
	return string(out)
}

// TestASLIsValid: a validator that others wrote has nothing to say against the
// definitions.
func TestASLIsValid(t *testing.T) {
	nodeWith(t, "asl-validator")
	for name, definition := range definitions(t) {
		t.Run(name, func(t *testing.T) {
			if wrong := validate(t, definition); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}

// TestASLValidatorRefuses: the validator sees what an editing slip makes of a
// definition.
func TestASLValidatorRefuses(t *testing.T) {
	nodeWith(t, "asl-validator")
	preseed := definitions(t)[statemachines.Preseed]
	for name, slip := range map[string]struct{ from, to, want string }{
		"a state that does not exist":     {`"Next": "IsThereWork"`, `"Next": "IsThereWrok"`, "MISSING_TRANSITION_TARGET"},
		"a state that nothing leads to":   {`"Default": "ShardsFailed"`, `"Default": "Stopped"`, "ShardsFailed"},
		"a misspelt type":                 {`"Type": "Map"`, `"Type": "Mapp"`, "SCHEMA_VALIDATION_FAILED"},
		"a retry without errors":          {`"ErrorEquals": ["Throttled"],`, ``, "SCHEMA_VALIDATION_FAILED"},
		"an error both said and read":     {`"ErrorPath": "$.failure.Error",`, `"ErrorPath": "$.failure.Error", "Error": "Seeding",`, "FAIL_ERROR_PROPERTY"},
		"a path that is none":             {`"ItemsPath": "$.shards"`, `"ItemsPath": "shards"`, "SCHEMA_VALIDATION_FAILED"},
		"a state that ends and goes on":   {`"ResultPath": null,` + "\n      \"TimeoutSeconds\": 30,", `"ResultPath": null, "End": true,` + "\n      \"TimeoutSeconds\": 30,", "TERMINAL_STATE_WITH_NEXT"},
		"a member that ASL does not know": {`"ItemSelector": {`, `"ItemSelectors": {`, "SCHEMA_VALIDATION_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Count(preseed, slip.from) != 1 {
				t.Fatalf("%q is not once in the definition", slip.from)
			}
			if wrong := validate(t, strings.Replace(preseed, slip.from, slip.to, 1)); !strings.Contains(wrong, slip.want) {
				t.Errorf("asl-validator says %q, want %s", wrong, slip.want)
			}
		})
	}
}
