// Command plan-seeding plans a seeding: see Plan in package internal/seeding.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/lambdas"
)

func main() {
	handler, err := lambdas.PlanSeeding(context.Background(), lambdas.Process())
	if err != nil {
		fmt.Fprintln(os.Stderr, "start plan-seeding:", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}
