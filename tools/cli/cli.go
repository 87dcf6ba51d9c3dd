// Package cli is the operator's tool: its commands, flags, help texts and exit
// codes. What a command does is in the packages that it calls.
//
// Vocabulary: stdout is data, what a script reads; stderr is talk, what a
// person reads: progress, warnings and errors. With --json the data is one JSON
// object with "version":1, whose members are only ever added to.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// streams are the three streams of a command.
type streams struct {
	in  io.Reader
	out io.Writer // data
	err io.Writer // talk
}

// Main runs the tool and returns its exit code. args are without the program's
// name; ctx ends with the first Ctrl-C.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	io := streams{in: stdin, out: stdout, err: stderr}
	root := newRoot(io)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	if quiet, ok := errors.AsType[*exitError](err); ok && quiet.cause == nil {
		return code
	}
	switch {
	case code == ExitInterrupted:
		_, _ = fmt.Fprintln(stderr, "poolferry: interrupted")
	case err != nil:
		_, _ = fmt.Fprintln(stderr, "poolferry:", err)
	}
	return code
}

func newRoot(io streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "poolferry",
		Short: "Move the users of a Cognito user pool to another account and region, with their passwords",
		Long: `Poolferry moves the users of an Amazon Cognito user pool to another account and
region, with their passwords.

Cognito never exports a password, so it can only move when its owner types it.
A migration trigger on the target pool does that at sign-in. Everything here can
be rehearsed first on a local AWS, without an account.` + exitStatus(nil, allCodes()...),
		Example: `  # see the whole thing work, on made-up users, in half a minute
  poolferry demo

  # a local AWS with two pools, to point the AWS CLI or your own app at
  poolferry sandbox

  # what would go wrong, before anybody signs in?
  poolferry preflight

  # what would happen to this user?
  poolferry explain --config poolferry.yaml ada@example.com

  # how many have moved, who has not, and when will it end?
  poolferry status`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newDemo(io), newSandbox(io), newExplain(io), newPreflight(io), newSeed(io), newManifest(io), newReconcile(io), newTail(io), newStatus(io), newReport(io), newCutover(io), newRollback(io), newPurge(io), newForget(io))
	return root
}

// allCodes lists the codes of the root's help; usage and interrupted are always
// added at its end.
func allCodes() []int {
	return []int{ExitDone, ExitFailed, ExitFindings, ExitRunning, ExitNoRun, ExitLeaseHeld}
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
