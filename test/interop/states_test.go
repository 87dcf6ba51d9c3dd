package interop_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"poolferry/internal/fault"
	"poolferry/internal/sandbox/lambda"
	"poolferry/internal/seeding"
)

const ordinaryInput = `{"run":"rehearsal"}`

// unlucky is the shard that mishaps happen to.
const unlucky = "7"

// failing is a mishap of its batches: failures by number of the call.
func failing(failures ...string) mishap {
	return func(call int, in batch) (string, *lambda.FunctionError) {
		if in.Shard != unlucky || in.Failed != "" || call > len(failures) || failures[call-1] == "" {
			return "", nil
		}
		return "", &lambda.FunctionError{Type: failures[call-1], Message: "as the test wants it"}
	}
}

// TestStatesAgree: the very definition, run by an interpreter that others wrote
// and by the sandbox's Step Functions, each in a world of its own with the same
// people. The executions come to the same, link by link, call the functions as
// often, and leave the same manifest.
func TestStatesAgree(t *testing.T) {
	nodeWith(t, "aws-local-stepfunctions", "@aws-sdk/client-lambda")
	for _, test := range []struct {
		name    string
		mishap  mishap
		stopped bool     // the stop switch is set
		inputs  []string // of executions one after the other; none means ordinaryInput
		want    []string // how the executions ended: status, error
		calls   map[string]int
	}{
		{
			name: "ordinary",
			want: []string{"SUCCEEDED"}, calls: map[string]int{unlucky: 2, "groups": 2},
		},
		{
			name: "closed before", inputs: []string{ordinaryInput, ordinaryInput, `{"run":"rehearsal","generation":1,"link":2}`},
			want: []string{"SUCCEEDED", "SUCCEEDED", "SUCCEEDED"}, calls: map[string]int{unlucky: 2},
		},
		{
			name: "throttled twice", mishap: failing("Throttled", "Throttled"),
			want: []string{"SUCCEEDED"}, calls: map[string]int{unlucky: 4},
		},
		{
			name: "each retrier counts for itself",
			mishap: failing("Throttled", "Unavailable", "Throttled", "Unavailable", "Throttled", "Conflict",
				"Throttled", "Lambda.Unknown"),
			want: []string{"SUCCEEDED"}, calls: map[string]int{unlucky: 10},
		},
		{
			name: "throttled until the retries are used up", mishap: failing(slices.Repeat([]string{"Throttled"}, 100)...),
			want: []string{"FAILED ShardsFailed"}, calls: map[string]int{unlucky: 5, unlucky + "!": 1, "8": 2},
		},
		{
			name: "a failure that is not retried", mishap: failing("Denied"),
			want: []string{"FAILED ShardsFailed"}, calls: map[string]int{unlucky: 1, unlucky + "!": 1, "8": 2},
		},
		{
			name: "started again after a failure", mishap: failing("Denied"), inputs: []string{ordinaryInput, ordinaryInput},
			want: []string{"FAILED ShardsFailed", "SUCCEEDED"}, calls: map[string]int{unlucky: 3, unlucky + "!": 1, "8": 2},
		},
		{
			name: "a failure that cannot be recorded either",
			mishap: func(call int, in batch) (string, *lambda.FunctionError) {
				if in.Shard == unlucky && call == 1 {
					return "", &lambda.FunctionError{Type: "Denied", Message: "as the test wants it"}
				}
				return "", nil
			},
			want: []string{"SUCCEEDED", "SUCCEEDED"}, calls: map[string]int{unlucky: 3, unlucky + "!": 1, "8": 2},
		},
		{
			name: "more than an execution can do",
			mishap: func(call int, in batch) (string, *lambda.FunctionError) {
				if in.Shard == unlucky && call <= 8 { // time was up before a page was read
					return `{"shard":"` + unlucky + `","more":true,"stopped":false,"count":0,"parts":0,"attempt":1}`, nil
				}
				return "", nil
			},
			want: []string{"SUCCEEDED", "SUCCEEDED", "SUCCEEDED"}, calls: map[string]int{unlucky: 10, "8": 2},
		},
		{
			name: "stopped", stopped: true,
			want: []string{"SUCCEEDED"}, calls: map[string]int{},
		},
		{
			name: "of another run", inputs: []string{`{"run":"another"}`},
			want: []string{"FAILED Invalid"}, calls: map[string]int{},
		},
		{
			name: "a chain that is too long", inputs: []string{`{"run":"rehearsal","generation":0,"link":401}`},
			want: []string{"FAILED ChainTooLong"}, calls: map[string]int{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.inputs == nil {
				test.inputs = []string{ordinaryInput}
			}
			play := func(run func(*staging, *testing.T, []string) []execution) result {
				s := newStaging(t, test.mishap)
				if test.stopped {
					s.stop(t)
				}
				return s.result(t, run(s, t, test.inputs))
			}
			ours, theirs := play((*staging).inSandbox), play((*staging).byInterpreter)
			if diff := cmp.Diff(ours, theirs, cmpopts.IgnoreTypes(time.Time{})); diff != "" {
				t.Errorf("the interpreters disagree (-sandbox +aws-local-stepfunctions)\n%s", diff)
			}
			if diff := cmp.Diff(test.want, ours.ends()); diff != "" {
				t.Errorf("the executions ended otherwise (-want +got)\n%s\n%+v", diff, ours.Executions)
			}
			for shard, want := range test.calls {
				if got := ours.Calls[shard]; got != want {
					t.Errorf("seed-batch was called %d times for %s, want %d", got, shard, want)
				}
			}
			if len(test.calls) == 0 && len(ours.Calls) > 0 {
				t.Errorf("seed-batch was called: %v", ours.Calls)
			}
		})
	}
}

// result is what executions left behind.
type result struct {
	Executions []execution
	Calls      map[string]int // as staging.calls
	Status     seeding.Status
	Objects    map[string]string // of the staging bucket: key → text
}

// ends are how the executions ended.
func (r result) ends() []string {
	var ends []string
	for _, e := range r.Executions {
		ends = append(ends, strings.TrimSpace(e.Status+" "+e.Error))
	}
	return ends
}

// result takes stock after the executions.
func (s *staging) result(t *testing.T, executions []execution) result {
	t.Helper()
	r := result{Executions: executions, Calls: s.calls, Objects: s.objects(t)}
	for i, e := range executions {
		// The document of a function's error: the order of its members means nothing.
		var document map[string]any
		if json.Unmarshal([]byte(e.Cause), &document) == nil {
			executions[i].Cause = fmt.Sprint(document)
		}
		by, ok := e.Input.(map[string]any)["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"]
		if !ok {
			continue
		}
		if arn, _ := by.(string); !strings.HasPrefix(arn, strings.Replace(s.machine, ":stateMachine:", ":express:", 1)+":") {
			t.Errorf("a successor was started by %v, want an execution of %s", by, s.machine)
		}
		delete(e.Input.(map[string]any), "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID") // differs by nature
	}
	operator, err := s.Seeding(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Status, err = operator.Status(t.Context(), 0); err != nil && fault.KindOf(err) != fault.NotFound {
		t.Fatal(err)
	}
	return r
}

func (s *staging) stop(t *testing.T) {
	t.Helper()
	operator, err := s.Seeding(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := operator.Stop(t.Context(), "the test"); err != nil {
		t.Fatal(err)
	}
}

// vary are what differs between two worlds: times, and whatever is made of them.
var vary = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "DIGEST"},
	{regexp.MustCompile(`(part-\d+)-[0-9a-f]{12}`), "$1-DIGEST"},
	{regexp.MustCompile(`"(bytes|content_bytes)":\d+`), `"$1":0`},
}

// objects are those of the staging bucket, without what varies.
func (s *staging) objects(t *testing.T) map[string]string {
	t.Helper()
	files, err := s.Dump()
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]string{}
	for name, body := range files {
		key, ok := strings.CutPrefix(name, "s3/")
		if !ok || strings.HasSuffix(key, ".gz") {
			continue // no object, or one that the dump has decompressed too
		}
		text := string(body)
		for _, v := range vary {
			key, text = v.what.ReplaceAllString(key, v.as), v.what.ReplaceAllString(text, v.as)
		}
		if _, twice := objects[key]; twice {
			t.Errorf("two objects are called %s but for what varies", key)
		}
		objects[key] = text
	}
	return objects
}
