// Command poolferry moves the users of an Amazon Cognito user pool to another
// account and region, with their passwords. This file only connects: package
// cli is the tool.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"poolferry/tools/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first Ctrl-C asks for a clean end; from then on signals have their
	// usual effect, so a second one kills.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
