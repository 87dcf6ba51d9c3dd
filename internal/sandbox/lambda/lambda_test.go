package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/knobs"
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

// suite is the contract of a Runner: both must report the same.
func suite(t *testing.T, runner Runner) {
	s := New(quiet())
	add(t, s, Function{Timeout: time.Minute, Runner: runner, Aliases: []string{"live"}})
	t.Run("answer", func(t *testing.T) {
		out, err := invoke(t, s, behave.In{Text: "grüße <&>"})
		if err != nil {
			t.Fatal(err)
		}
		if out.Text != "grüße <&>" || out.ARN != probe || len(out.RequestID) != 36 || out.Left <= 0 || out.Left > 60 {
			t.Errorf("got %+v", out)
		}
	})
	t.Run("alias", func(t *testing.T) {
		answer, err := s.Invoke(t.Context(), probe+":live", []byte(`{}`))
		if err != nil || !strings.Contains(string(answer), probe+":live") {
			t.Errorf("got %s, %v", answer, err)
		}
	})
	errorTests := []struct {
		name    string
		payload string
		kind    string
		message string
		stack   bool
	}{
		{"error by kind", `{"do":"throttled"}`, "Throttled", "list users: slow down", false},
		{"error without kind", `{"do":"plain"}`, "Internal", "something else", false},
		{"panic with text", `{"do":"panic"}`, "string", "no way out", true},
		{"panic with error", `{"do":"panic error"}`, "errorString", "no way out", true},
		{"panic of the runtime", `{"do":"panic runtime"}`, "plainError", "assignment to entry in nil map", true},
		{"payload of another type", `{"do":7}`, "UnmarshalTypeError", "json: cannot unmarshal number into Go struct field In.do of type string", false},
	}
	for _, tt := range errorTests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Invoke(t.Context(), probe, []byte(tt.payload))
			failed := failure(t, err)
			if failed.Type != tt.kind || failed.Message != tt.message || (failed.StackTrace != nil) != tt.stack {
				t.Errorf("got %s %q with stack %s", failed.Type, failed.Message, failed.StackTrace)
			}
		})
	}
	t.Run("after a panic", func(t *testing.T) {
		if _, err := invoke(t, s, behave.In{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("answer too large", func(t *testing.T) {
		_, err := invoke(t, s, behave.In{Do: "size", Size: maxResponse})
		if failed := failure(t, err); failed.Type != "Function.ResponseSizeTooLarge" {
			t.Errorf("got %v", failed)
		}
	})
	t.Run("concurrent answers are not mixed up", func(t *testing.T) {
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				for j := range 10 {
					text := fmt.Sprintf("user %d.%d ", i, j) + strings.Repeat("x", 100*i)
					if out, err := invoke(t, s, behave.In{Text: text}); err != nil || out.Text != text {
						t.Errorf("sent %q, got %q, %v", text, out.Text, err)
					}
				}
			})
		}
		group.Wait()
	})
	t.Run("timeout", func(t *testing.T) {
		in := Invocation{RequestID: "r-1", Name: "probe", Region: region, Timeout: 100 * time.Millisecond, Payload: payload(t, behave.In{Do: "sleep"})}
		_, err := runner.Invoke(t.Context(), in)
		want := &FunctionError{Type: "Sandbox.Timedout", Message: "RequestId: r-1 Error: Task timed out after 0.10 seconds"}
		if diff := cmp.Diff(want, failure(t, err)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("after a timeout", func(t *testing.T) {
		if _, err := invoke(t, s, behave.In{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("caller goes away", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		in := Invocation{RequestID: "r-2", Name: "probe", Region: region, Timeout: time.Second, Payload: payload(t, behave.In{Do: "sleep"})}
		if _, err := runner.Invoke(ctx, in); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestInProcess(t *testing.T) { suite(t, InProcess(fault.Boundary(behave.Do))) }

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
