package cli

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// command is poolferry as pages write it, in a block or between backquotes.
var command = regexp.MustCompile("(?:^|`|\\$ |\\()(?:go run \\./tools/)?poolferry ([a-z][^`#\n|>]*)")

// TestCommandsInTheDocumentation: every command that a page tells to type exists,
// with its flags.
func TestCommandsInTheDocumentation(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../../README.md", "../../infra/README.md")
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			for _, m := range command.FindAllStringSubmatch(strings.TrimSpace(line), -1) {
				found++
				words := strings.Fields(m[1])
				root := newRoot(streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
				cmd, rest, err := root.Find(words)
				if err != nil || cmd == root || cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
					t.Errorf("%s: poolferry %s: there is no such command", page, m[1])
					continue
				}
				flags := slices.DeleteFunc(rest, func(word string) bool { return !strings.HasPrefix(word, "--") })
				for _, flag := range flags {
					name, _, _ := strings.Cut(strings.Trim(flag, "-.,;:)'"), "=")
					if cmd.Flags().Lookup(name) == nil && name != "help" {
						t.Errorf("%s: poolferry %s has no flag --%s", page, cmd.CommandPath(), name)
					}
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("%d commands found: the pattern is wrong", found)
	}
}
