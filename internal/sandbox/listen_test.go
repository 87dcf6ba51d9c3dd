package sandbox

import (
	"net/http"
	"strings"
	"testing"

	"poolferry/internal/sandbox/knobs"
)

func TestStartRefuses(t *testing.T) {
	tests := []struct{ addr, faults, want string }{
		{"0.0.0.0:0", "", "only loopback"},
		{":0", "", "only loopback"},
		{"192.0.2.1:0", "", "only loopback"},
		{"example.com:80", "", "only loopback"},
		{"127.0.0.1", "", "want HOST:PORT"},
		{"127.0.0.1:0", "source.ListUser=throttle:1%", `fault target "source.ListUser"`},
		{"127.0.0.1:0", "sorce.ListUsers=throttle:1%", `fault target "sorce.ListUsers"`},
		{"127.0.0.1:0", "s3.PutObject=error:1%", `fault target "s3.PutObject"`},
		{"127.0.0.1:0", "lambda.none=crash:1%", `fault target "lambda.none"`},
		{"127.0.0.1:0", "source.ListUsers=crash:1%", "can only have [throttle error delay]"},
		{"127.0.0.1:0", "lambda=duplicate:1%", "can only have [throttle error delay crash]"},
		{"127.0.0.1:0", "sts.AssumeRole=delay:1s,lambda.Invoke=error:1%,lambda=crash:1%,target=throttle:1%,cognito-idp=error:1%", ""},
	}
	for _, tt := range tests {
		faults, err := knobs.ParseFaults(tt.faults)
		if err != nil {
			t.Fatal(err)
		}
		r := build(t, Options{Faults: faults})
		_, err = r.Start(tt.addr)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s %s: got %v, want %q", tt.addr, tt.faults, err, tt.want)
		}
		if err == nil {
			if _, err := r.Start(tt.addr); err == nil {
				t.Error("started twice")
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStartOnOtherLoopbacks(t *testing.T) {
	r := build(t, Options{})
	endpoint, err := r.Start("localhost:0")
	if err != nil || !strings.HasPrefix(endpoint, "http://") {
		t.Fatalf("%q, %v", endpoint, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// Close lets a running call end.
func TestCloseWaits(t *testing.T) {
	r := run(t, Options{})
	r.cognito.block = make(chan struct{})
	status := make(chan int)
	go func() {
		response, err := http.DefaultClient.Do(r.request(t, "InitiateAuth", `{}`))
		if err != nil {
			status <- 0
			return
		}
		_ = response.Body.Close()
		status <- response.StatusCode
	}()
	<-r.cognito.block
	closed := make(chan error)
	go func() { closed <- r.Close() }()
	close(r.cognito.block)
	if got := <-status; got != http.StatusOK {
		t.Errorf("the running call got %d", got)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestAddAccountRefuses(t *testing.T) {
	r := build(t, Options{})
	for _, tt := range []struct{ label, id, want string }{
		{"Source", "777788889999", `label "Source"`},
		{"sts", "777788889999", "not the name of a service"},
		{"third", "12", `id "12"`},
		{"source", "777788889999", "is taken by source"},
		{"third", source, "is taken by source"},
	} {
		if err := r.AddAccount(tt.label, tt.id); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v", tt, err)
		}
	}
	if err := r.Register(&fake{name: "sts"}); err == nil {
		t.Error("a second STS was registered")
	}
}
