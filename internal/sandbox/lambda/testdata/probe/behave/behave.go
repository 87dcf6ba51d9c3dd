// Package behave is the handler of the probe function of the tests.
package behave

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"poolferry/internal/fault"
)

// In says what to do, and with what.
type In struct {
	Do   string `json:"do"`
	Text string `json:"text"`
	Size int    `json:"size"`
}

// Out is what the function saw.
type Out struct {
	Text      string            `json:"text"`
	PID       int               `json:"pid"`
	RequestID string            `json:"requestId"`
	ARN       string            `json:"arn"`
	Left      float64           `json:"left"` // seconds until the deadline
	Env       map[string]string `json:"env,omitempty"`
}

// Do does it.
func Do(ctx context.Context, in In) (Out, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	out := Out{Text: in.Text, PID: os.Getpid(), RequestID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn, Left: time.Until(deadline).Seconds()}
	switch in.Do {
	case "":
		return out, nil
	case "env":
		out.Env = map[string]string{}
		for _, pair := range os.Environ() {
			name, value, _ := strings.Cut(pair, "=")
			out.Env[name] = value
		}
		return out, nil
	case "size":
		out.Text = strings.Repeat("x", in.Size)
		return out, nil
	case "print":
		fmt.Println("stdout " + in.Text)
		fmt.Fprintln(os.Stderr, "stderr "+in.Text)
		return out, nil
	case "throttled":
		return out, fmt.Errorf("list users: %w", fault.New(fault.Throttled, "slow down"))
	case "plain":
		return out, errors.New("something else")
	case "panic":
		panic("no way out")
	case "panic error":
		panic(errors.New("no way out"))
	case "panic runtime":
		var none map[string]string
		none["x"] = "y" //nolint:staticcheck // the panic is wanted
	case "sleep": // until long after any deadline, deaf to the context
		time.Sleep(time.Hour)
	case "wait": // as a handler should
		<-ctx.Done()
		return out, ctx.Err()
	case "exit":
		os.Exit(in.Size)
	}
	return out, fmt.Errorf("unknown %q", in.Do)
}
