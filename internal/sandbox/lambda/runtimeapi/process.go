package runtimeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// InitTimeout is how long a process may take to ask for its first invocation
// (Lambda Developer Guide, init phase).
const InitTimeout = 10 * time.Second

// Work is one invocation.
type Work struct {
	RequestID   string
	FunctionARN string
	Timeout     time.Duration
	Payload     []byte
}

// Report is an error that a process reports.
type Report struct {
	Type       string          `json:"errorType"`
	Message    string          `json:"errorMessage"`
	StackTrace json.RawMessage `json:"stackTrace,omitempty"`
}

func (r *Report) Error() string { return r.Type + ": " + r.Message }

// ExitError says how a process ended that left its invocation unanswered.
type ExitError struct{ How string } // such as "exit status 3"; empty for status 0

func (e *ExitError) Error() string { return "the process ended: " + e.How }

// How an invocation can fail besides.
var (
	ErrTimeout     = errors.New("the invocation exceeded its timeout")
	ErrInitTimeout = errors.New("the process did not ask for work in time")
	ErrTooLarge    = errors.New("the answer is too large")
)

// Outcome is what became of an invocation.
type Outcome struct {
	Answer []byte
	// Err is a *Report, an *ExitError or one of the errors of this package.
	Err error
	// Reusable says that the process waits for more work. One that is not
	// reusable has ended or must be killed.
	Reusable bool
}

// Process is one running executable and the Runtime API that only it talks to.
type Process struct {
	cmd     *exec.Cmd
	server  *http.Server
	limit   int64         // bytes of an answer
	work    chan Work     // taken by the process when it asks for the next one
	asked   chan struct{} // holds one while the process waits for work
	results chan Outcome
	exited  chan struct{} // closed when it ended; how is set then
	how     string

	mu      sync.Mutex
	current string  // request id of the invocation that it works on
	failed  *Report // of its init
}

// Start starts an executable with a Runtime API of its own. env is its whole
// environment but for the two variables that only Start can know; what it
// prints goes to logs; limit is the largest answer in bytes.
func Start(path string, env []string, logs io.Writer, limit int64) (*Process, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("path of the executable: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the Runtime API: %w", err)
	}
	p := &Process{
		cmd:     exec.Command(path), //nolint:gosec // running the given executable is the purpose
		limit:   limit,
		work:    make(chan Work),
		asked:   make(chan struct{}, 1),
		results: make(chan Outcome, 1),
		exited:  make(chan struct{}),
	}
	p.cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String(), "LAMBDA_TASK_ROOT="+filepath.Dir(path))
	p.cmd.Dir = filepath.Dir(path)
	p.cmd.Stdout, p.cmd.Stderr = logs, logs
	p.cmd.WaitDelay = time.Second // for a child of its that keeps the pipes open
	p.server = &http.Server{Handler: p.api(), ReadHeaderTimeout: InitTimeout}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start: %w", err), listener.Close())
	}
	go func() { _ = p.server.Serve(listener) }() // ends with ErrServerClosed
	go p.wait()
	return p, nil
}

// wait notes how the process ended.
func (p *Process) wait() {
	if err := p.cmd.Wait(); err != nil {
		p.how = err.Error()
	}
	close(p.exited)
	_ = p.server.Close()
}

// Kill ends the process and returns when it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.exited
}

// Alive reports whether the process still runs.
func (p *Process) Alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Run gives the process one invocation and waits until it is through with it,
// which is when it asks for the next one. One Run at a time.
func (p *Process) Run(w Work) Outcome {
	init := time.NewTimer(InitTimeout)
	defer init.Stop()
	select {
	case p.work <- w:
		<-p.asked
	case <-p.exited:
		return Outcome{Err: p.exitError()}
	case <-init.C:
		return Outcome{Err: ErrInitTimeout}
	}
	deadline := time.NewTimer(w.Timeout)
	defer deadline.Stop()
	var out Outcome
	select {
	case out = <-p.results:
	case <-deadline.C:
		return Outcome{Err: ErrTimeout}
	case <-p.exited:
		select { // a panic is reported first and ends the process then
		case out = <-p.results:
			return out
		default:
			return Outcome{Err: p.exitError()}
		}
	}
	select {
	case <-p.asked:
		p.asked <- struct{}{} // it still waits
		out.Reusable = true
	case <-deadline.C:
	case <-p.exited:
	}
	return out
}

// exitError says why an invocation has no answer.
func (p *Process) exitError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return p.failed
	}
	return &ExitError{How: p.how}
}
