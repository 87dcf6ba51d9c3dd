package lambda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/lambda/runtimeapi"
)

// Binary runs a function as the executable that is deployed, one process per
// concurrent invocation. A process is kept for later invocations, as on AWS,
// until it crashes, exceeds a timeout or Close is called. One Binary serves
// one Function.
type Binary struct {
	path string
	env  []string
	logs io.Writer

	mu     sync.Mutex
	idle   []*process
	live   map[*process]bool
	closed bool
}

// process is a running executable and the access key that it was started with.
type process struct {
	*runtimeapi.Process
	key string
}

// NewBinary returns a runner for the executable at path. env is the function's
// environment, as KEY=VALUE; nothing else is inherited, so that a process never
// finds the credentials of whoever runs the sandbox. What the processes print
// goes to logs; nil discards it.
func NewBinary(path string, env []string, logs io.Writer) *Binary {
	if logs == nil {
		logs = io.Discard
	}
	return &Binary{path: path, env: slices.Clone(env), logs: &sharedWriter{w: logs}, live: map[*process]bool{}}
}

// Invoke implements Runner. An executable that cannot be started is an error
// that is no *FunctionError.
func (b *Binary) Invoke(ctx context.Context, in Invocation) ([]byte, error) {
	p, err := b.acquire(in)
	if err != nil {
		return nil, err
	}
	done := make(chan outcome, 1)
	go func() {
		out := p.Run(runtimeapi.Work{RequestID: in.RequestID, FunctionARN: in.FunctionARN, Timeout: in.Timeout, Payload: in.Payload})
		b.release(p, out.Reusable)
		done <- outcome{out.Answer, functionError(in, out.Err)}
	}()
	select {
	case out := <-done:
		return out.answer, out.err
	case <-ctx.Done(): // the process works on: it does not learn that its caller went away
		return nil, ctx.Err()
	}
}

// functionError is how Lambda tells the caller about the error of a process.
func functionError(in Invocation, err error) error {
	if err == nil {
		return nil
	}
	if report, ok := errors.AsType[*runtimeapi.Report](err); ok {
		failed := FunctionError(*report)
		return &failed
	}
	if exit, ok := errors.AsType[*runtimeapi.ExitError](err); ok {
		return exited(in, exit.How)
	}
	switch {
	case errors.Is(err, runtimeapi.ErrTooLarge):
		return tooLarge()
	case errors.Is(err, runtimeapi.ErrInitTimeout):
		in.Timeout = runtimeapi.InitTimeout
	}
	return timedOut(in)
}

// acquire takes an idle process or starts one.
func (b *Binary) acquire(in Invocation) (*process, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, fmt.Errorf("function %s: its runner is closed", in.Name)
	}
	for len(b.idle) > 0 {
		p := b.idle[len(b.idle)-1]
		b.idle = b.idle[:len(b.idle)-1]
		if p.Alive() && p.key == in.Credentials.AccessKeyID {
			return p, nil
		}
		p.Kill()
		delete(b.live, p)
	}
	started, err := runtimeapi.Start(b.path, slices.Concat(b.env, environment(in)), b.logs, maxResponse)
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", in.Name, err)
	}
	p := &process{started, in.Credentials.AccessKeyID}
	b.live[p] = true
	return p, nil
}

func (b *Binary) release(p *process, reusable bool) {
	if !reusable {
		p.Kill()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if reusable && !b.closed {
		b.idle = append(b.idle, p)
		return
	}
	delete(b.live, p)
}

// Close kills all processes and waits for their end.
func (b *Binary) Close() error {
	b.mu.Lock()
	b.closed = true
	live := b.live
	b.idle, b.live = nil, map[*process]bool{}
	b.mu.Unlock()
	for p := range live {
		p.Kill()
	}
	return nil
}

// environment is what Lambda sets for a function (Lambda Developer Guide,
// reserved environment variables).
func environment(in Invocation) []string {
	env := []string{
		"AWS_REGION=" + in.Region,
		"AWS_DEFAULT_REGION=" + in.Region,
		"AWS_LAMBDA_FUNCTION_NAME=" + in.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=" + latest,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + in.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=sandbox",
		"_HANDLER=bootstrap",
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"TZ=:UTC",
		// Functions have no instance metadata; without this a missing
		// credential would be looked for on the machine's network.
		"AWS_EC2_METADATA_DISABLED=true",
	}
	if in.Credentials.AccessKeyID != "" {
		env = append(env, credentialEnv(in.Credentials)...)
	}
	return env
}

func credentialEnv(c iam.Credentials) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey.Reveal(),
		"AWS_SESSION_TOKEN=" + c.SessionToken.Reveal(),
	}
}

// sharedWriter lets several processes write to one writer.
type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sharedWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
