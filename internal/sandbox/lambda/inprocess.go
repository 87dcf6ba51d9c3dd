package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// InProcess runs a handler, as it is given to lambda.Start, in this process,
// with the context and the error names that the Go runtime of Lambda gives it
// (aws-lambda-go, lambda/errors.go and lambda/invoke_loop.go).
//
// Two things differ from a process of its own. A handler that ignores its
// context beyond the timeout is abandoned, not killed: Invoke returns the
// timeout and the goroutine lives on until the handler returns. And a handler
// that calls os.Exit ends the whole sandbox; Binary is for those.
func InProcess[In, Out any](handler func(context.Context, In) (Out, error)) Runner {
	return &inProcess{idle: sync.Pool{New: func() any { return awslambda.NewHandler(handler) }}}
}

// inProcess keeps one aws-lambda-go handler per concurrent invocation, as AWS
// keeps one process. Sharing one would mix up answers: its Invoke returns bytes
// of a buffer that it has put back into a pool, so the next invocation of the
// same handler writes over them (aws-lambda-go v1.55.1, lambda/handler.go).
type inProcess struct{ idle sync.Pool }

type outcome struct {
	answer []byte
	err    error
}

func (p *inProcess) Invoke(ctx context.Context, in Invocation) ([]byte, error) {
	// The function does not learn that its caller went away.
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.Timeout)
	work = lambdacontext.NewContext(work, &lambdacontext.LambdaContext{AwsRequestID: in.RequestID, InvokedFunctionArn: in.FunctionARN})
	done := make(chan outcome, 1)
	go func() {
		answer, err := p.call(work, in.Payload)
		if errors.Is(work.Err(), context.DeadlineExceeded) {
			// Lambda stops a function at its deadline: what it returns
			// afterwards, even at the same moment, nobody hears.
			answer, err = nil, timedOut(in)
		}
		cancel()
		done <- outcome{answer, err}
	}()
	timer := time.NewTimer(in.Timeout)
	defer timer.Stop()
	select {
	case out := <-done:
		return out.answer, out.err
	case <-timer.C:
		return nil, timedOut(in)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *inProcess) call(ctx context.Context, payload []byte) (answer []byte, err error) {
	defer func() {
		if value := recover(); value != nil {
			answer, err = nil, panicked(value)
		}
	}()
	handler := p.idle.Get().(awslambda.Handler) // a handler that panics is not put back
	answer, err = handler.Invoke(ctx, payload)
	answer = bytes.Clone(answer)
	p.idle.Put(handler)
	if err != nil {
		return nil, reported(err)
	}
	return answer, nil
}

// reported is the error that the runtime reports for err: the type name of the
// outermost error, unless the handler chose the name itself.
func reported(err error) *FunctionError {
	if chosen, ok := err.(messages.InvokeResponse_Error); ok { //nolint:errorlint // the runtime does not unwrap either
		return fromRuntime(chosen)
	}
	return &FunctionError{Type: typeName(err), Message: err.Error()}
}

// panicked is the error that the runtime reports for a panic.
func panicked(value any) *FunctionError {
	if chosen, ok := value.(messages.InvokeResponse_Error); ok {
		return fromRuntime(chosen)
	}
	return fromRuntime(messages.InvokeResponse_Error{Type: typeName(value), Message: fmt.Sprint(value), StackTrace: stack()})
}

func fromRuntime(e messages.InvokeResponse_Error) *FunctionError {
	out := &FunctionError{Type: e.Type, Message: e.Message}
	if len(e.StackTrace) > 0 {
		out.StackTrace, _ = json.Marshal(e.StackTrace) // strings and numbers only
	}
	return out
}

func typeName(value any) string {
	t := reflect.TypeOf(value)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// stack is the stack of the panic that is being recovered.
func stack() []*messages.InvokeResponse_Error_StackFrame {
	const hidden, depth = 4, 32 // runtime.Callers, stack, panicked, the deferred function
	pcs := make([]uintptr, depth)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(hidden, pcs)])
	var out []*messages.InvokeResponse_Error_StackFrame
	for {
		frame, more := frames.Next()
		out = append(out, &messages.InvokeResponse_Error_StackFrame{Path: frame.File, Line: int32(frame.Line), Label: frame.Function}) //nolint:gosec // a line number fits
		if !more {
			return out
		}
	}
}
