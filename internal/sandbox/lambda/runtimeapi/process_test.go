package runtimeapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// probeMode names the variable that turns the test binary into a runtime that
// misbehaves.
const probeMode = "RUNTIMEAPI_PROBE"

func TestMain(m *testing.M) {
	if mode := os.Getenv(probeMode); mode != "" {
		probe(mode, "http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+version)
		return
	}
	os.Exit(m.Run())
}

// probe is a runtime without aws-lambda-go, which never sends what it sends
// here. It answers an invocation with the status that it got for its mistake.
func probe(mode, api string) {
	post := func(path, body string) string {
		response, err := http.Post(api+path, "application/json", strings.NewReader(body)) //nolint:noctx // ends with the process
		if err != nil {
			return err.Error()
		}
		_ = response.Body.Close()
		return response.Status
	}
	next := func() (id, status string) {
		response, err := http.Get(api + "invocation/next") //nolint:noctx // ends with the process
		if err != nil {
			os.Exit(1)
		}
		_ = response.Body.Close()
		return response.Header.Get("Lambda-Runtime-Aws-Request-Id"), response.Status
	}
	if mode == "init error" {
		post("init/error", `{"errorType":"Misconfigured","errorMessage":"no pool"}`)
		time.Sleep(time.Hour) // it is killed
	}
	for {
		id, _ := next()
		answer := ""
		switch mode {
		case "foreign id":
			answer = post("invocation/other/response", "{}")
		case "no id":
			answer = post("invocation//response", "{}")
		case "next while busy":
			_, answer = next()
		case "shapeless error":
			answer = post("invocation/"+id+"/error", "oops")
		case "too large":
			post("invocation/"+id+"/response", strings.Repeat("x", 1001))
			continue
		case "twice":
			post("invocation/"+id+"/response", "first")
			post("invocation/"+id+"/response", "second")
			continue
		case "report and exit":
			post("invocation/"+id+"/error", `{"errorType":"string","errorMessage":"x"}`)
			os.Exit(2)
		}
		post("invocation/"+id+"/response", answer)
	}
}

func start(t *testing.T, mode string) *Process {
	t.Helper()
	p, err := Start(os.Args[0], []string{probeMode + "=" + mode}, io.Discard, 1000)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func work() Work { return Work{RequestID: "r-1", Timeout: time.Minute, Payload: []byte("{}")} }

func TestProcessThatMisbehaves(t *testing.T) {
	tests := []struct {
		mode, answer string
		want         error
	}{
		{"foreign id", "400 Bad Request", nil},
		{"no id", "404 Not Found", nil},
		{"next while busy", "403 Forbidden", nil},
		{"shapeless error", "400 Bad Request", nil},
		{"twice", "first", nil},
		{"too large", "", ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			p := start(t, tt.mode)
			for range 2 { // and it can be used on
				out := p.Run(work())
				if string(out.Answer) != tt.answer && tt.want == nil || !errors.Is(out.Err, tt.want) || !out.Reusable {
					t.Errorf("got %q, %v, reusable %v", out.Answer, out.Err, out.Reusable)
				}
			}
		})
	}
}

func TestProcessThatFails(t *testing.T) {
	for mode, want := range map[string]string{"init error": "Misconfigured: no pool", "report and exit": "string: x"} {
		p := start(t, mode)
		out := p.Run(work())
		if out.Err == nil || out.Err.Error() != want || out.Reusable {
			t.Errorf("%s: got %v, reusable %v", mode, out.Err, out.Reusable)
		}
		p.Kill()
		if p.Alive() {
			t.Errorf("%s: still alive", mode)
		}
		if exit, ok := errors.AsType[*ExitError](p.Run(work()).Err); mode == "report and exit" && (!ok || exit.How != "exit status 2") {
			t.Errorf("%s: after its end: %v", mode, exit)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	if _, err := Start(t.TempDir()+"/none", nil, io.Discard, 1); err == nil || !strings.HasPrefix(err.Error(), "start: ") {
		t.Errorf("got %v", err)
	}
}
