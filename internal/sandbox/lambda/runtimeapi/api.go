package runtimeapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"poolferry/internal/sandbox/wire"
)

// version is what paths of the Runtime API start with.
const version = "/2018-06-01/runtime/"

func (p *Process) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+version+"invocation/next", p.serveNext)
	mux.HandleFunc("POST "+version+"invocation/{id}/response", p.serveResponse)
	mux.HandleFunc("POST "+version+"invocation/{id}/error", p.serveError)
	mux.HandleFunc("POST "+version+"init/error", p.serveInitError)
	return mux
}

func (p *Process) serveNext(w http.ResponseWriter, r *http.Request) {
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

func (p *Process) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, p.limit))
	out := Outcome{Answer: body}
	if err != nil {
		out = Outcome{Err: ErrTooLarge}
	}
	p.finish(w, r.PathValue("id"), out)
}

func (p *Process) serveError(w http.ResponseWriter, r *http.Request) {
	failure, err := p.reported(w, r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidErrorShape", err.Error())
		return
	}
	p.finish(w, r.PathValue("id"), Outcome{Err: failure})
}

func (p *Process) serveInitError(w http.ResponseWriter, r *http.Request) {
	failure, err := p.reported(w, r)
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

// reported reads the error that a process reports.
func (p *Process) reported(w http.ResponseWriter, r *http.Request) (*Report, error) {
	var failure Report
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, p.limit)).Decode(&failure); err != nil {
		return nil, errors.New("the error report is not JSON")
	}
	return &failure, nil
}

// finish takes the outcome of the current invocation, once.
func (p *Process) finish(w http.ResponseWriter, id string, out Outcome) {
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
