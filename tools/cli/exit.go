package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The exit codes, the whole table. Scripts rely on them: a code is never given
// a second meaning.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitFindings    = 3
	ExitRunning     = 8
	ExitNoRun       = 10
	ExitLeaseHeld   = 11
	ExitInterrupted = 130
)

// meanings explains the codes in help texts.
var meanings = map[int]string{
	ExitDone:        "done",
	ExitFailed:      "failed",
	ExitUsage:       "usage: a command, flag or argument is wrong",
	ExitFindings:    "finished, with findings that somebody should look at",
	ExitRunning:     "still running",
	ExitNoRun:       "no such run",
	ExitLeaseHeld:   "the run's lease is held by somebody else",
	ExitInterrupted: "interrupted",
}

// exitStatus renders the block of a command's help that says how it ends; every
// command can also end with usage and interrupted.
func exitStatus(own map[int]string, codes ...int) string {
	var b strings.Builder
	b.WriteString("\n\nEXIT STATUS\n")
	for _, code := range append(codes, ExitUsage, ExitInterrupted) {
		meaning := meanings[code]
		if text, ok := own[code]; ok {
			meaning = text
		}
		fmt.Fprintf(&b, "  %-4d %s\n", code, meaning)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// exitError is an error that knows its exit code. A nil cause ends the tool
// without a message, where the output has said it all.
type exitError struct {
	code  int
	cause error
}

func (e *exitError) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.cause.Error()
}

func (e *exitError) Unwrap() error { return e.cause }

// ExitCode implements the interface that Main looks for.
func (e *exitError) ExitCode() int { return e.code }

// usageError is a mistyped command line; next tells what to type instead.
type usageError struct {
	text string
	next string
}

func (e *usageError) Error() string { return e.text + "\n" + e.next }

// ExitCode implements the interface that Main looks for.
func (e *usageError) ExitCode() int { return ExitUsage }

// exitCode finds the code of an error. An error that carries its own wins over
// a cancelled context, because it knows what happened before the interruption.
func exitCode(ctx context.Context, err error) int {
	switch coded, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); {
	case err == nil:
		return ExitDone
	case ok:
		return coded.ExitCode()
	case ctx.Err() != nil:
		return ExitInterrupted
	default:
		return ExitFailed
	}
}
