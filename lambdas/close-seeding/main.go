// Command close-seeding closes a generation of the manifest: see Close in package internal/seeding.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/lambdas"
)

func main() {
	handler, err := lambdas.CloseSeeding(context.Background(), lambdas.Process())
	if err != nil {
		fmt.Fprintln(os.Stderr, "start close-seeding:", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}
