// Command migrate-user is the target pool's user migration trigger: see package
// internal/trigger for what it decides.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/lambdas"
)

func main() {
	handler, err := lambdas.MigrateUser(context.Background(), lambdas.Process())
	if err != nil {
		fmt.Fprintln(os.Stderr, "start migrate-user:", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}
