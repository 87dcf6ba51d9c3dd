// Command bench measures the numbers of docs/numbers.md on this machine and
// prints them as a table. Times are compared with others of the same run only.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"poolferry/test/bench/measure"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure.All(ctx, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // stop only restores signals, and the process ends here
	}
}
