package scheduler

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/wire"
)

const fuzzRole = "arn:aws:iam::444455556666:role/schedule"

// serve sends a request as somebody who may do everything.
func serve(tb testing.TB, s *Service, method, path, query, body string) (string, error) {
	tb.Helper()
	q := httptest.NewRequestWithContext(tb.Context(), method, "/", http.NoBody)
	q.URL.Path = path
	operation, err := s.Operation(q, []byte(body))
	if err != nil {
		return "", err
	}
	reply, err := s.Serve(tb.Context(), &wire.Call{
		Operation: operation, Account: "444455556666", Region: "eu-west-1", Path: q.URL.EscapedPath(), Query: query, Body: []byte(body),
		Authorize: func(string, string) error { return nil },
	})
	if err != nil {
		return "", err
	}
	return string(reply.Body), nil
}

// fresh is a service whose target never answers, with a role.
func fresh(tb testing.TB) *Service {
	tb.Helper()
	directory := iam.New(time.Now)
	if _, err := directory.AddRole("444455556666", "schedule", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"scheduler.amazonaws.com"},"Action":"sts:AssumeRole"}}`)); err != nil {
		tb.Fatal(err)
	}
	return New(Options{Now: time.Now, Roles: directory, StepFunctions: func(context.Context, *wire.Call) (*wire.Reply, error) {
		return nil, wire.Errorf(http.StatusInternalServerError, "InternalFailure", "no")
	}})
}

func TestRequests(t *testing.T) {
	const target = `"Target":{"Arn":"arn:aws:states:eu-west-1:444455556666:stateMachine:m","RoleArn":"` + fuzzRole + `"}`
	const body = `{"ScheduleExpression":"rate(1 day)","FlexibleTimeWindow":{"Mode":"OFF"},` + target + `}`
	tests := []struct{ name, method, path, query, body, want string }{
		{"create", "POST", "/schedules/s", "", body, ""},
		{"list", "GET", "/schedules", "State=ENABLED", "", ""},
		{"method", "PATCH", "/schedules/s", "", body, `Scheduler request "PATCH /schedules/s"`},
		{"no name", "POST", "/schedules/", "", body, `Scheduler request "POST /schedules/"`},
		{"groups", "GET", "/schedule-groups", "", "", `Scheduler request "GET /schedule-groups"`},
		{"query", "GET", "/schedules/s", "verbose=1", "", `parameter "verbose"`},
		{"malformed query", "GET", "/schedules/s", "%zz", "", "ValidationException: malformed query"},
		{"no body", "POST", "/schedules/s", "", "", "SerializationException: empty request"},
		{"unknown member", "POST", "/schedules/s", "", `{"Tags":[]}`, `parameter "Tags"`},
		{"no window", "POST", "/schedules/s", "", strings.Replace(body, `"FlexibleTimeWindow":{"Mode":"OFF"},`, "", 1), "'flexibleTimeWindow'"},
		{"no target", "POST", "/schedules/s", "", strings.Replace(body, ","+target, "", 1), "'target'"},
		{"no expression", "POST", "/schedules/s", "", strings.Replace(body, `"ScheduleExpression":"rate(1 day)",`, "", 1), "'scheduleExpression'"},
		{"date", "POST", "/schedules/s", "", strings.Replace(body, "{", `{"StartDate":"2026-11-21",`, 1), "SerializationException"},
		{"far date", "POST", "/schedules/s", "", strings.Replace(body, "{", `{"EndDate":1e300,`, 1), "SerializationException"},
	}
	for _, tt := range tests {
		s := fresh(t)
		_, err := serve(t, s, tt.method, tt.path, tt.query, tt.body)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzWrite: what is created can be read, and written back as it was read.
func FuzzWrite(f *testing.F) {
	const target = `"Target":{"Arn":"arn:aws:states:eu-west-1:444455556666:stateMachine:m","RoleArn":"` + fuzzRole + `"`
	f.Add(`{"ScheduleExpression":"rate(1 day)","FlexibleTimeWindow":{"Mode":"OFF"},` + target + `}}`)
	f.Add(`{"ScheduleExpression":"cron(0 9 ? * 6L *)","ScheduleExpressionTimezone":"Europe/Berlin","State":"DISABLED","StartDate":4102444800.25,"EndDate":4.2e9,
		"FlexibleTimeWindow":{"Mode":"FLEXIBLE","MaximumWindowInMinutes":5},"ActionAfterCompletion":"DELETE","ClientToken":"t",` + target + `,"Input":"{}","RetryPolicy":{"MaximumRetryAttempts":0}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		s := fresh(t)
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		_, err := serve(t, s, "POST", "/schedules/s", "", body)
		if err != nil {
			if wire.AsError(err).Status >= http.StatusInternalServerError {
				t.Fatalf("%q is our bug: %v", body, err)
			}
			return
		}
		before, err := serve(t, s, "GET", "/schedules/s", "", "")
		if err != nil {
			t.Fatal(err)
		}
		update := before
		for _, member := range []string{"Arn", "CreationDate", "LastModificationDate", "Name"} {
			update = without(t, update, member)
		}
		if _, err := serve(t, s, "PUT", "/schedules/s", "", update); err != nil {
			t.Fatalf("%s cannot be written back: %v", before, err)
		}
		after, err := serve(t, s, "GET", "/schedules/s", "", "")
		if err != nil {
			t.Fatal(err)
		}
		if a, b := without(t, before, "LastModificationDate"), without(t, after, "LastModificationDate"); a != b {
			t.Errorf("%s became %s", a, b)
		}
	})
}

// without removes a member of an object.
func without(t *testing.T, text, member string) string {
	t.Helper()
	v, err := data.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	delete(v.(map[string]any), member)
	return string(data.Encode(v))
}
