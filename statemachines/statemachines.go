// Package statemachines holds the Step Functions definitions, the very files
// that are deployed, and fills their placeholders.
//
// Vocabulary: a definition is a file of Amazon States Language (ASL) in the
// JSONPath query language; a placeholder, ${name}, stands for what is known only
// when it is deployed, and is filled by Render here and by templatefile in
// Terraform.
package statemachines

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

//go:embed *.asl.json
var files embed.FS

// The definitions.
const (
	Preseed   = "preseed"   // EXPRESS: advances the staging of a run
	Reconcile = "reconcile" // STANDARD: compares the manifest with the target pool
	Tail      = "tail"      // STANDARD: imports who has not signed in
)

var placeholder = regexp.MustCompile(`\$\{([a-z_]+)\}`)

// Render returns a definition with its placeholders filled. It refuses a value
// that is missing, empty or not used.
func Render(name string, values map[string]string) ([]byte, error) {
	text, err := files.ReadFile(name + ".asl.json")
	if err != nil {
		return nil, fmt.Errorf("state machine %s: %w", name, err)
	}
	unused := maps.Clone(values)
	var missing []string
	out := placeholder.ReplaceAllStringFunc(string(text), func(p string) string {
		key := placeholder.FindStringSubmatch(p)[1]
		delete(unused, key)
		if values[key] == "" {
			missing = append(missing, key)
		}
		return jsonText(values[key])
	})
	switch {
	case len(missing) > 0:
		return nil, fmt.Errorf("state machine %s: no value for %s", name, strings.Join(slices.Compact(slices.Sorted(slices.Values(missing))), ", "))
	case len(unused) > 0:
		return nil, fmt.Errorf("state machine %s: has no placeholder %s", name, strings.Join(slices.Sorted(maps.Keys(unused)), ", "))
	}
	return []byte(out), nil
}

// jsonText escapes text for the inside of a JSON string.
func jsonText(text string) string {
	quoted, _ := json.Marshal(text) // a string always marshals
	return string(quoted[1 : len(quoted)-1])
}
