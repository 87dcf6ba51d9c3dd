// Command pack builds every Lambda function, for each processor that Lambda
// has, into dist: what make build calls. Package artifact says what comes out.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"poolferry/tools/pack/artifact"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	if err := artifact.Main(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "pack: %v\n", err)
		os.Exit(1)
	}
}
