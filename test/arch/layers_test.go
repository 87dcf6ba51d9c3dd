package arch

import (
	"slices"
	"strings"
	"testing"
)

// layer is a set of packages, folders with all below them, and the layers that
// they may import.
type layer struct {
	name     string
	packages []string
	may      []string
	sdk      sdkRule
}

// sdkRule says how far a layer may know AWS's SDK.
type sdkRule int

const (
	never    sdkRule = iota // not even through what it imports
	indirect                // through the adapters
	direct
)

// layers are those of the design. A new package goes into the line of the work
// that it does: pure words and rules, decisions, AWS, or programs. The sandbox
// imports no adapter, so that it cannot agree with a bug of one; a Lambda
// function imports no sandbox, so that none is ever deployed.
var layers = []layer{
	{"pure", []string{"internal/userpool", "internal/manifest", "internal/fault", "internal/pace", "internal/document", "internal/scan", "infra", "statemachines"}, []string{"pure"}, never},
	{"domain", []string{"internal/trigger", "internal/seeding", "internal/reconcile", "internal/preflight"}, []string{"pure"}, never},
	// What goes by what a reconciliation has found.
	{"ending", []string{"internal/settle", "internal/hook", "internal/tail", "internal/cutover", "internal/erasure"}, []string{"pure", "domain"}, never},
	{"account", []string{"internal/account"}, []string{"pure"}, direct}, // what the adapters build their clients from
	{"adapter", []string{"internal/cognito", "internal/store", "internal/workflow", "internal/config", "internal/secrets", "internal/telemetry"}, []string{"pure", "domain", "ending", "account"}, direct},
	{"sandbox", []string{"internal/sandbox"}, []string{"pure", "sandbox"}, never},
	{"lambda", []string{"lambdas"}, []string{"pure", "domain", "ending", "adapter", "lambda"}, indirect},
	{"tool", []string{"tools"}, []string{"pure", "domain", "ending", "adapter", "sandbox", "lambda", "tool"}, indirect},
	{"test", []string{"test"}, []string{"pure", "domain", "ending", "adapter", "sandbox", "lambda", "tool", "test"}, indirect},
}

func layerOf(path string) (layer, bool) {
	for _, l := range layers {
		for _, folder := range l.packages {
			if isIn(path, folder) {
				return l, true
			}
		}
	}
	return layer{}, false
}

// isOneFolder reports whether two packages are of one folder of a layer, such as
// an adapter and its stand-in for tests.
func isOneFolder(l layer, a, b string) bool {
	return slices.ContainsFunc(l.packages, func(folder string) bool { return isIn(a, folder) && isIn(b, folder) })
}

func TestLayers(t *testing.T) {
	for _, p := range packages(t) {
		l, ok := layerOf(p.path())
		if !ok {
			t.Errorf("%s is in no layer: add it to the line of layers in test/arch/layers_test.go that says what it does", p.path())
			continue
		}
		for _, imported := range p.Imports {
			path, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			if below, ok := layerOf(path); ok && !slices.Contains(l.may, below.name) && !isOneFolder(l, p.path(), path) {
				t.Errorf("%s (layer %s) imports %s (layer %s): declare the interface that it needs where it is used, and connect the two in a program",
					p.path(), l.name, path, below.name)
			}
		}
	}
}

// sdks are the modules that speak to AWS. aws-lambda-go is not among them: it
// describes what Lambda hands to a function and calls nobody.
var sdks = []string{"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go", "github.com/aws/aws-sdk-go"}

func isSDK(imported string) bool {
	return slices.ContainsFunc(sdks, func(sdk string) bool { return isIn(imported, sdk) })
}

func TestOnlyAdaptersKnowTheSDK(t *testing.T) {
	for _, p := range packages(t) {
		l, _ := layerOf(p.path())
		imported := p.Imports
		if l.sdk == never {
			imported = p.Deps
		}
		if i := slices.IndexFunc(imported, isSDK); i >= 0 && l.sdk != direct {
			t.Errorf("%s (layer %s) knows %s: only the adapters do", p.path(), l.name, imported[i])
		}
	}
}

// reveals lists who may turn a Secret into text: who makes it, who hands it to
// AWS or plays AWS, who keys a hash with it, and who searches for leaks of it.
var reveals = []string{
	"internal/userpool", "internal/trigger", "internal/cognito", "internal/telemetry", "internal/sandbox",
	"tools/demo", "tools/rehearsal", "test/bench", // they play people, who type passwords
}

func TestWhoRevealsSecrets(t *testing.T) {
	for _, p := range packages(t) {
		if slices.ContainsFunc(reveals, func(folder string) bool { return isIn(p.path(), folder) }) {
			continue
		}
		for _, name := range p.GoFiles {
			for _, selector := range selectors(t, p.file(name)) {
				if selector == "Reveal" {
					t.Errorf("%s/%s calls Secret.Reveal: pass the Secret on, or argue for the package in test/arch/layers_test.go", p.path(), name)
				}
			}
		}
	}
}
