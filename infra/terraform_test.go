package infra

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// requireEnv names what must not be missing, separated by commas. Without infra
// in it the tests that need Terraform are skipped: on a machine that has it they
// would still fetch the provider, half a gigabyte.
const requireEnv = "POOLFERRY_REQUIRE"

// pluginEnv names a folder that holds providers; without it they come from the
// registry.
const pluginEnv = "TF_PLUGIN_DIR"

// terraform runs Terraform on a copy of what it reads, so that it leaves nothing
// in the checkout.
type terraform struct {
	root    string
	plugins string
	cache   string // of what the registry gave, for all tests and for the next time
}

func newTerraform(t *testing.T) *terraform {
	t.Helper()
	if !slices.Contains(strings.Split(os.Getenv(requireEnv), ","), "infra") {
		t.Skip("needs Terraform: run make infra")
	}
	tf := &terraform{root: t.TempDir(), plugins: os.Getenv(pluginEnv), cache: filepath.Join(os.TempDir(), "poolferry-terraform-plugins")}
	if err := os.MkdirAll(tf.cache, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"infra/modules", "infra/examples", "statemachines", "docs"} {
		if err := os.CopyFS(filepath.Join(tf.root, folder), clean{os.DirFS(filepath.Join("..", folder))}); err != nil {
			t.Fatal(err)
		}
	}
	return tf
}

// clean is a tree without what Terraform leaves in it.
type clean struct{ fs.FS }

// ReadDir implements fs.ReadDirFS.
func (c clean) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(c.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".terraform") }), err
}

// run runs a command in a folder of infra and returns what it prints. A command
// that fails says why in what it prints.
func (tf *terraform) run(t *testing.T, folder string, arguments ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "terraform", arguments...)
	cmd.Dir = filepath.Join(tf.root, "infra", folder)
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_PLUGIN_CACHE_DIR="+tf.cache, "TF_CLI_CONFIG_FILE=",
		"AWS_EC2_METADATA_DISABLED=true") // no test asks AWS anything
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if _, exit := errors.AsType[*exec.ExitError](err); err != nil && !exit {
		t.Fatalf("terraform: %v: install Terraform 1.9 or newer", err)
	}
	return append(out, stderr.Bytes()...), err
}

func (tf *terraform) init(t *testing.T, folder string) {
	t.Helper()
	arguments := []string{"init", "-input=false", "-no-color", "-backend=false"}
	if tf.plugins != "" {
		arguments = append(arguments, "-plugin-dir="+tf.plugins)
	}
	if out, err := tf.run(t, folder, arguments...); err != nil {
		t.Fatalf("%s: %s", folder, out)
	}
}

// event is a line that terraform test prints. Diagnostic is set where something
// is wrong, State in verbose runs that apply.
type event struct {
	Type    string `json:"type"`
	TestRun struct {
		Path, Run, Progress, Status string
	} `json:"test_run"`
	Diagnostic *struct {
		Severity, Summary, Detail string
	} `json:"diagnostic"`
	State *state `json:"test_state"`
}

// test runs the tests of a folder, reports what fails, and returns the states that
// runs left.
func (tf *terraform) test(t *testing.T, folder string, arguments ...string) (states []state) {
	t.Helper()
	out, err := tf.run(t, folder, append([]string{"test", "-json"}, arguments...)...)
	passed := 0
	lines := bufio.NewReader(bytes.NewReader(out))
	for {
		line, readErr := lines.ReadBytes('\n')
		var e event
		if len(bytes.TrimSpace(line)) > 0 && json.Unmarshal(line, &e) != nil {
			t.Errorf("%s: %s", folder, line)
		}
		switch {
		case e.Diagnostic != nil:
			t.Errorf("%s: %s: %s %s", folder, e.Diagnostic.Severity, e.Diagnostic.Summary, e.Diagnostic.Detail)
		case e.Type == "test_state":
			states = append(states, *e.State)
		case e.Type == "test_run" && e.TestRun.Progress == "complete":
			if passed++; e.TestRun.Status != "pass" {
				t.Errorf("%s: %s: %s: %s", folder, e.TestRun.Path, e.TestRun.Run, e.TestRun.Status)
			}
		}
		if readErr != nil {
			break
		}
	}
	if err != nil && !t.Failed() {
		t.Errorf("%s: %v: %s", folder, err, out)
	}
	if passed == 0 {
		t.Errorf("%s: no run", folder)
	}
	return states
}

// state is what a run left behind, as terraform show -json has it.
type state struct {
	Outputs    map[string]struct{ Value any } `json:"outputs"`
	RootModule module                         `json:"root_module"`
}

type module struct {
	Resources []struct {
		Address, Type string
		Values        map[string]any
	}
	ChildModules []module `json:"child_modules"`
}

// each calls visit for every resource.
func (m module) each(visit func(address, kind string, values map[string]any)) {
	for _, r := range m.Resources {
		visit(r.Address, r.Type, r.Values)
	}
	for _, child := range m.ChildModules {
		child.each(visit)
	}
}

// TestTerraform formats, validates and tests every module and example.
func TestTerraform(t *testing.T) {
	tf := newTerraform(t)
	if out, err := tf.run(t, ".", "fmt", "-check", "-recursive", "-diff", "-no-color"); err != nil {
		t.Errorf("terraform fmt: %s", out)
	}
	for _, folder := range terraformFolders(t) {
		t.Run(folder, func(t *testing.T) {
			tf.init(t, folder)
			if out, err := tf.run(t, folder, "validate", "-no-color"); err != nil {
				t.Fatalf("%s", out)
			}
			tf.test(t, folder)
		})
	}
}
