package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/lambda/runtimeapi"
	"poolferry/internal/sandbox/lambda/testdata/probe/behave"
	"poolferry/internal/sandbox/wire"
)

const (
	account = "444455556666"
	region  = "eu-central-1"
	probe   = "arn:aws:lambda:" + region + ":" + account + ":function:probe"
)

// quiet are options without faults and roles.
func quiet() Options {
	return Options{
		Now:    time.Now,
		Inject: func(string) knobs.Injection { return knobs.Injection{} },
	}
}

func add(t *testing.T, s *Service, f Function) {
	t.Helper()
	f.Account, f.Region = account, region
	if f.Name == "" {
		f.Name = "probe"
	}
	if _, err := s.Add(f); err != nil {
		t.Fatal(err)
	}
}

func payload(t *testing.T, in behave.In) []byte {
	t.Helper()
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func invoke(t *testing.T, s *Service, in behave.In) (behave.Out, error) {
	t.Helper()
	answer, err := s.Invoke(t.Context(), probe, payload(t, in))
	if err != nil {
		return behave.Out{}, err
	}
	var out behave.Out
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatal(err)
	}
	return out, nil
}

func failure(t *testing.T, err error) *FunctionError {
	t.Helper()
	failed, ok := errors.AsType[*FunctionError](err)
	if !ok {
		t.Fatalf("got %v, want a FunctionError", err)
	}
	return failed
}

// A handler without the boundary shows the Go type of its outermost error.
func TestInProcessReportsTypeNames(t *testing.T) {
	tests := map[string]error{
		"wrapError":   fmt.Errorf("x: %w", errors.New("y")),
		"errorString": errors.New("x"),
		"joinError":   errors.Join(errors.New("x")),
		"Error":       &wire.Error{Code: "x"},
		"valueError":  valueError{},
	}
	for want, err := range tests {
		s := New(quiet())
		add(t, s, Function{Runner: InProcess(func(context.Context, any) (any, error) { return nil, err })})
		_, got := s.Invoke(t.Context(), probe, nil)
		if failed := failure(t, got); failed.Type != want || failed.Message != err.Error() {
			t.Errorf("got %+v, want %s", failed, want)
		}
	}
}

type valueError struct{}

func (valueError) Error() string { return "value" }

// The handler's context ends at the function's timeout and not with the
// caller; a handler that returns after it is not heard.
func TestInProcessTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended time.Duration
		begin := time.Now()
		s := New(quiet())
		add(t, s, Function{Timeout: 5 * time.Second, Runner: InProcess(func(ctx context.Context, _ any) (any, error) {
			<-ctx.Done()
			ended = time.Since(begin)
			return "too late", nil
		})})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := s.Invoke(ctx, probe, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 2*time.Second {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if ended != 5*time.Second {
			t.Errorf("the handler's context ended after %s", ended)
		}
		begin = time.Now()
		_, err := s.Invoke(t.Context(), probe, nil)
		if failed := failure(t, err); failed.Type != "Sandbox.Timedout" || time.Since(begin) != 5*time.Second {
			t.Errorf("after %s: %v", time.Since(begin), failed)
		}
	})
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name   string
		inject knobs.Injection
		ran    bool
		want   string
	}{
		{"none", knobs.Injection{}, true, ""},
		{"throttle", knobs.Injection{Throttle: true}, false, "TooManyRequestsException: Rate Exceeded."},
		{"error", knobs.Injection{Error: true}, false, "ServiceException: Internal failure"},
		{"crash", knobs.Injection{Crash: true}, false, "Runtime.ExitError: "},
		{"crash after the work", knobs.Injection{Crash: true, AfterWork: true}, true, "Runtime.ExitError: "},
		{"delay", knobs.Injection{Delay: time.Nanosecond}, true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := quiet()
			o.Inject = func(name string) knobs.Injection {
				if name != "probe" {
					t.Errorf("drew for %q", name)
				}
				return tt.inject
			}
			ran := false
			s := New(o)
			add(t, s, Function{Runner: InProcess(func(context.Context, any) (any, error) { ran = true; return nil, nil })})
			_, err := s.Invoke(t.Context(), probe, nil)
			if ran != tt.ran {
				t.Errorf("ran: %v", ran)
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestInvokeRefuses(t *testing.T) {
	s := New(quiet())
	add(t, s, Function{Aliases: []string{"live"}, Runner: InProcess(func(_ context.Context, in any) (any, error) { return in, nil })})
	const secret = "hunter2-canary"
	tests := []struct {
		name, arn, payload, want string
	}{
		{"unknown function", probe + "x", `{}`, "ResourceNotFoundException: Function not found: " + probe + "x"},
		{"unknown alias", probe + ":dev", `{}`, "ResourceNotFoundException: Function not found: " + probe + ":dev"},
		{"another region", strings.Replace(probe, region, "eu-west-1", 1), `{}`, "ResourceNotFoundException"},
		{"no ARN", "probe", `{}`, "ResourceNotFoundException"},
		{"nonsense", "a:b:c:d", `{}`, "ResourceNotFoundException"},
		{"no JSON", probe, `{"password":"` + secret, "InvalidRequestContentException: Could not parse request body into json"},
		{"too large", probe, `"` + strings.Repeat("x", maxRequest) + `"`, "RequestTooLargeException"},
	}
	for _, tt := range tests {
		_, err := s.Invoke(t.Context(), tt.arn, []byte(tt.payload))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, arn := range []string{probe, probe + ":live", probe + ":$LATEST"} {
		if got, err := s.Invoke(t.Context(), arn, []byte(`{"a":1}`)); err != nil || string(got) != "{\"a\":1}" {
			t.Errorf("%s: got %q, %v", arn, got, err)
		}
	}
	if got, err := s.Invoke(t.Context(), probe, nil); err != nil || string(got) != "{}" {
		t.Errorf("without payload: got %q, %v", got, err)
	}
}

func TestInvokeFrom(t *testing.T) {
	pool := Source{Service: "cognito-idp.amazonaws.com", ARN: "arn:aws:cognito-idp:" + region + ":" + account + ":userpool/eu-central-1_x"}
	ok := Permission{Service: pool.Service, SourceARN: pool.ARN, SourceAccount: account}
	with := func(change func(*Permission)) []Permission {
		p := ok
		change(&p)
		return []Permission{p}
	}
	tests := []struct {
		name        string
		permissions []Permission
		arn         string
		allowed     bool
	}{
		{"as deployed", []Permission{ok}, probe, true},
		{"none", nil, probe, false},
		{"any pool", with(func(p *Permission) { p.SourceARN = "arn:aws:cognito-idp:*:" + account + ":userpool/*" }), probe, true},
		{"any source", []Permission{{Service: pool.Service}}, probe, true},
		{"another pool", with(func(p *Permission) { p.SourceARN = pool.ARN + "x" }), probe, false},
		{"another account", with(func(p *Permission) { p.SourceAccount = "111122223333" }), probe, false},
		{"another service", with(func(p *Permission) { p.Service = "events.amazonaws.com" }), probe, false},
		{"on the alias only", with(func(p *Permission) { p.Alias = "live" }), probe, false},
		{"on the alias", with(func(p *Permission) { p.Alias = "live" }), probe + ":live", true},
		{"on the function only", []Permission{ok}, probe + ":live", false},
	}
	for _, tt := range tests {
		s := New(quiet())
		add(t, s, Function{Aliases: []string{"live"}, Permissions: tt.permissions, Runner: InProcess(func(context.Context, any) (any, error) { return nil, nil })})
		_, err := s.InvokeFrom(t.Context(), pool, tt.arn, nil)
		if tt.allowed && err != nil || !tt.allowed && (err == nil || wire.AsError(err).Code != "AccessDeniedException") {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	runner := InProcess(func(context.Context, any) (any, error) { return nil, nil })
	ok := Function{Account: account, Region: region, Name: "f", Runner: runner}
	tests := map[string]func(f *Function){ // in the error → change
		`name "a.b"`:          func(f *Function) { f.Name = "a.b" },
		`account "1"`:         func(f *Function) { f.Account = "1" },
		`region "Europe"`:     func(f *Function) { f.Region = "Europe" },
		"timeout 1ms":         func(f *Function) { f.Timeout = time.Millisecond },
		"timeout 16m0s":       func(f *Function) { f.Timeout = 16 * time.Minute },
		"no runner":           func(f *Function) { f.Runner = nil },
		`alias "7"`:           func(f *Function) { f.Aliases = []string{"7"} },
		`on alias "live"`:     func(f *Function) { f.Permissions = []Permission{{Service: "x", Alias: "live"}} },
		`for service ""`:      func(f *Function) { f.Permissions = []Permission{{}} },
		"no role arn:aws:iam": func(f *Function) { f.RoleARN = "arn:aws:iam::444455556666:role/none" },
		"function:f exists":   func(*Function) {},
	}
	o := quiet()
	o.Session = iam.New(time.Now).Session
	s := New(o)
	if _, err := s.Add(ok); err != nil {
		t.Fatal(err)
	}
	for want, change := range tests {
		f := ok
		change(&f)
		if _, err := s.Add(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A function's credentials are kept while they last and renewed before they
// end.
func TestCredentialsAreRenewed(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	directory := iam.New(func() time.Time { return now })
	role, err := directory.AddRole(account, "exec", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	o := quiet()
	o.Now, o.Session = func() time.Time { return now }, directory.Session
	s := New(o)
	var seen []string
	add(t, s, Function{RoleARN: role, Runner: runnerFunc(func(in Invocation) ([]byte, error) {
		caller, _, err := directory.Lookup(in.Credentials.AccessKeyID, in.Credentials.SessionToken.Reveal())
		if err != nil || caller.RoleARN != role || !strings.HasSuffix(caller.ARN, "/exec/probe") {
			t.Errorf("got %+v, %v", caller, err)
		}
		seen = append(seen, in.Credentials.AccessKeyID)
		return nil, nil
	})})
	for _, pause := range []time.Duration{0, time.Hour, 10*time.Hour + 31*time.Minute} {
		now = now.Add(pause)
		if _, err := s.Invoke(t.Context(), probe, nil); err != nil {
			t.Fatal(err)
		}
	}
	if seen[0] != seen[1] || seen[1] == seen[2] {
		t.Errorf("keys %v", seen)
	}
}

// What a process cannot say itself, Lambda says for it.
func TestFunctionErrors(t *testing.T) {
	in := Invocation{RequestID: "r-1", Timeout: 5 * time.Second}
	tests := map[string]error{
		"Sandbox.Timedout: RequestId: r-1 Error: Task timed out after 5.00 seconds":                                   runtimeapi.ErrTimeout,
		"Sandbox.Timedout: RequestId: r-1 Error: Task timed out after 10.00 seconds":                                  runtimeapi.ErrInitTimeout,
		"Runtime.ExitError: RequestId: r-1 Error: Runtime exited with error: signal: killed":                          &runtimeapi.ExitError{How: "signal: killed"},
		"Runtime.ExitError: RequestId: r-1 Error: Runtime exited without providing a reason":                          &runtimeapi.ExitError{},
		"Function.ResponseSizeTooLarge: Response payload size exceeded maximum allowed payload size (6291556 bytes).": runtimeapi.ErrTooLarge,
		"Throttled: slow down": &runtimeapi.Report{Type: "Throttled", Message: "slow down"},
	}
	for want, err := range tests {
		if got := functionError(in, err); got == nil || got.Error() != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

type runnerFunc func(Invocation) ([]byte, error)

func (f runnerFunc) Invoke(_ context.Context, in Invocation) ([]byte, error) { return f(in) }

func TestParseReference(t *testing.T) {
	tests := []struct {
		text string
		want reference
		ok   bool
	}{
		{"f", reference{account, region, "f", ""}, true},
		{"f:live", reference{account, region, "f", "live"}, true},
		{"111122223333:function:f", reference{"111122223333", region, "f", ""}, true},
		{"111122223333:function:f:$LATEST", reference{"111122223333", region, "f", "$LATEST"}, true},
		{"arn:aws:lambda:us-east-1:111122223333:function:f", reference{"111122223333", "us-east-1", "f", ""}, true},
		{"arn:aws:lambda:us-east-1:111122223333:function:f:live", reference{"111122223333", "us-east-1", "f", "live"}, true},
		{"arn:aws:s3:us-east-1:111122223333:function:f", reference{}, false},
		{"f:", reference{}, false},
		{"f:live:x", reference{}, false},
		{"", reference{}, false},
	}
	for _, tt := range tests {
		got, ok := parseReference(tt.text, account, region)
		if ok != tt.ok || ok && !cmp.Equal(got, tt.want, cmp.AllowUnexported(reference{})) {
			t.Errorf("%q: got %+v, %v", tt.text, got, ok)
		}
	}
}

// A reference that was read names the same function when its ARN is read.
func FuzzParseReference(f *testing.F) {
	f.Add("f:live")
	f.Add(probe + ":$LATEST")
	f.Add("111122223333:function:f")
	f.Fuzz(func(t *testing.T, text string) {
		ref, ok := parseReference(text, account, region)
		if !ok || strings.Contains(ref.account+ref.region, ":") {
			return
		}
		again, ok := parseReference(ref.arn(), "", "")
		if !ok || again != ref {
			t.Errorf("%q → %+v → %q → %+v, %v", text, ref, ref.arn(), again, ok)
		}
	})
}
