package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/wire"
)

// initTimeout is how long a process may take to ask for its first invocation
// (Lambda Developer Guide, init phase).
const initTimeout = 10 * time.Second

// runtimeAPI is the version that paths of the Runtime API start with.
const runtimeAPI = "/2018-06-01/runtime/"

// process is one running executable and the Runtime API that only it talks to.
type process struct {
	cmd     *exec.Cmd
	server  *http.Server
	keyID   string          // of the credentials that it was started with
	work    chan Invocation // taken by the process when it asks for the next one
	asked   chan struct{}   // holds one while the process waits for work
	results chan outcome
	exited  chan struct{} // closed when it ended; how is set then
	how     string

	mu      sync.Mutex
	current string // request id of the invocation that it works on
	failed  *FunctionError
}

// start starts an executable with a Runtime API of its own.
func start(path string, env []string, logs io.Writer, credentials iam.Credentials) (*process, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("path of the executable: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the Runtime API: %w", err)
	}
	p := &process{
		cmd:     exec.Command(path), //nolint:gosec // running the given executable is the purpose
		keyID:   credentials.AccessKeyID,
		work:    make(chan Invocation),
		asked:   make(chan struct{}, 1),
		results: make(chan outcome, 1),
		exited:  make(chan struct{}),
	}
	p.cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String(), "LAMBDA_TASK_ROOT="+filepath.Dir(path))
	p.cmd.Dir = filepath.Dir(path)
	p.cmd.Stdout, p.cmd.Stderr = logs, logs
	p.cmd.WaitDelay = time.Second // for a child of its that keeps the pipes open
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtimeAPI+"invocation/next", p.serveNext)
	mux.HandleFunc("POST "+runtimeAPI+"invocation/{id}/response", p.serveResponse)
	mux.HandleFunc("POST "+runtimeAPI+"invocation/{id}/error", p.serveError)
	mux.HandleFunc("POST "+runtimeAPI+"init/error", p.serveInitError)
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: initTimeout}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start: %w", err), listener.Close())
	}
	go func() { _ = p.server.Serve(listener) }() // ends with ErrServerClosed
	go p.wait()
	return p, nil
}

// wait notes how the process ended.
func (p *process) wait() {
	if err := p.cmd.Wait(); err != nil {
		p.how = err.Error() // such as "exit status 3"
	}
	close(p.exited)
	_ = p.server.Close()
}

// kill ends the process and returns when it has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.exited
}

// usable reports whether an idle process is alive and holds the credentials
// that the function has now.
func (p *process) usable(credentials iam.Credentials) bool {
	select {
	case <-p.exited:
		return false
	default:
		return p.keyID == credentials.AccessKeyID
	}
}

// run gives the process one invocation and waits until it is through with it,
// which is when it asks for the next one. reusable is false where it has ended
// or must be ended.
func (p *process) run(in Invocation) (answer []byte, err error, reusable bool) { //nolint:revive // reusable is no part of the result
	init := time.NewTimer(initTimeout)
	defer init.Stop()
	select {
	case p.work <- in:
		<-p.asked
	case <-p.exited:
		return nil, p.exitError(in), false
	case <-init.C:
		in.Timeout = initTimeout
		return nil, timedOut(in), false
	}
	deadline := time.NewTimer(in.Timeout)
	defer deadline.Stop()
	var out outcome
	select {
	case out = <-p.results:
	case <-deadline.C:
		return nil, timedOut(in), false
	case <-p.exited:
		select { // a panic is reported first and ends the process then
		case out = <-p.results:
			return out.answer, out.err, false
		default:
			return nil, p.exitError(in), false
		}
	}
	select {
	case <-p.asked:
		p.asked <- struct{}{} // it still waits
		reusable = true
	case <-deadline.C:
	case <-p.exited:
	}
	return out.answer, out.err, reusable
}

// exitError says how a process ended that left an invocation unanswered.
func (p *process) exitError(in Invocation) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return p.failed
	}
	failure := exited(in, p.how)
	if p.how == "" {
		failure.Message = fmt.Sprintf("RequestId: %s Error: Runtime exited without providing a reason", in.RequestID)
	}
	return failure
}

func (p *process) serveNext(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	busy := p.current != ""
	p.mu.Unlock()
	if busy {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "the current invocation has no answer yet")
		return
	}
	select {
	case p.asked <- struct{}{}:
	default:
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "the process waits for an invocation already")
		return
	}
	select {
	case in := <-p.work:
		p.mu.Lock()
		p.current = in.RequestID
		p.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", in.RequestID)
		// The process compares with the clock of the machine, and so does this.
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(in.Timeout).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", in.FunctionARN)
		_, _ = w.Write(in.Payload)
	case <-r.Context().Done(): // the process is gone
	}
}

func (p *process) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResponse))
	out := outcome{answer: body}
	if err != nil {
		out = outcome{err: tooLarge()}
	}
	p.finish(w, r.PathValue("id"), out)
}

func (p *process) serveError(w http.ResponseWriter, r *http.Request) {
	failure, err := reportedBy(w, r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidErrorShape", err.Error())
		return
	}
	p.finish(w, r.PathValue("id"), outcome{err: failure})
}

func (p *process) serveInitError(w http.ResponseWriter, r *http.Request) {
	failure, err := reportedBy(w, r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidErrorShape", err.Error())
		return
	}
	p.mu.Lock()
	p.failed = failure
	p.mu.Unlock()
	accept(w)
	_ = p.cmd.Process.Kill() // an environment whose init failed is not used
}

// reportedBy reads the error that a process reports.
func reportedBy(w http.ResponseWriter, r *http.Request) (*FunctionError, error) {
	var failure FunctionError
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxResponse)).Decode(&failure); err != nil {
		return nil, errors.New("the error report is not JSON")
	}
	return &failure, nil
}

// finish takes the outcome of the current invocation, once.
func (p *process) finish(w http.ResponseWriter, id string, out outcome) {
	p.mu.Lock()
	known := id != "" && id == p.current
	if known {
		p.current = ""
	}
	p.mu.Unlock()
	if !known {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "not the request id of the current invocation")
		return
	}
	p.results <- out // holds one; the next comes only after the next invocation
	accept(w)
}

func accept(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	wire.WriteError(w, wire.RESTJSON, "", wire.Errorf(status, kind, "%s", message))
}
