package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// confirmation is the --yes flag of commands that change something.
type confirmation struct{ yes bool }

func (c *confirmation) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask; needed where there is no terminal")
}

// possible refuses, before anything is looked at, what could not be asked.
func (c *confirmation) possible(cmd *cobra.Command, io streams) error {
	if c.yes || isTerminal(io.in) && isTerminal(io.err) {
		return nil
	}
	return &usageError{
		text: cmd.CommandPath() + " asks before it changes anything, and there is no terminal to ask at",
		next: "Add --yes if you mean it.",
	}
}

var errDeclined = errors.New("not confirmed: nothing was changed")

// ask waits for a yes.
func (c *confirmation) ask(ctx context.Context, io streams, question string) error {
	if c.yes {
		return nil
	}
	_, _ = fmt.Fprint(io.err, question+" [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.in).ReadString('\n') // what ends early is no yes
		answer <- line
	}()
	select {
	case <-ctx.Done():
		_, _ = fmt.Fprintln(io.err)
		return ctx.Err()
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return errDeclined
	}
}
