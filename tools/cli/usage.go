package cli

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func unknownCommand(root *cobra.Command, name string) error {
	root.SuggestionsMinimumDistance = 2
	return &usageError{
		text: fmt.Sprintf("there is no command %q%s", name, didYouMean(root.SuggestionsFor(name))),
		next: fmt.Sprintf("See '%s --help' for the commands.", root.CommandPath()),
	}
}

// flagError turns pflag's errors into usage errors, with the flag that was
// probably meant. Where a command is mistyped its flags are looked for at what it
// should be below, and the command is what is wrong.
func flagError(cmd *cobra.Command, err error) error {
	if name := cmd.Flags().Arg(0); name != "" && cmd.HasSubCommands() {
		return unknownCommand(cmd, name)
	}
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "unknown flag: --"); ok {
		text = fmt.Sprintf("%s has no flag --%s%s", cmd.CommandPath(), name, didYouMean(similarFlags(cmd, name)))
	}
	return seeHelp(cmd, text)
}

func seeHelp(cmd *cobra.Command, text string) error {
	return &usageError{text: text, next: fmt.Sprintf("See '%s --help'.", cmd.CommandPath())}
}

// arguments wraps a check of positional arguments, so that its failure counts
// as a usage error.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return seeHelp(cmd, err.Error())
		}
		return nil
	}
}

func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(names, " or ") + "?"
}

func similarFlags(cmd *cobra.Command, name string) []string {
	var similar []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if levenshtein.ComputeDistance(f.Name, name) <= 2 || strings.HasPrefix(f.Name, name) {
			similar = append(similar, "--"+f.Name)
		}
	})
	return similar
}
