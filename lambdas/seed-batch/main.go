// Command seed-batch reads one batch of a shard: see Batch in package internal/seeding.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/lambdas"
)

func main() {
	handler, err := lambdas.SeedBatch(context.Background(), lambdas.Process())
	if err != nil {
		fmt.Fprintln(os.Stderr, "start seed-batch:", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}
