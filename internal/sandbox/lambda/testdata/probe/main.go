// Command probe is a Lambda function that goes wrong on request: what it does
// is in package behave, so that the same code runs in process too.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/fault"
	"poolferry/internal/sandbox/lambda/testdata/probe/behave"
)

func main() {
	if os.Getenv("PROBE_INIT") == "exit" {
		os.Exit(7)
	}
	lambda.Start(fault.Boundary(behave.Do))
}
