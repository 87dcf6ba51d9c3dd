package e2e_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/tail"
	"poolferry/internal/userpool"
	"poolferry/internal/workflow"
	"poolferry/statemachines"
	"poolferry/tools/rehearsal"
)

const tailID = "tail-1"

// plans begins an import of everybody who can be, without starting it.
func (m *migration) plans() tail.Plan {
	m.t.Helper()
	imports, err := m.Tail(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	plan, err := imports.Plan(m.t.Context(), tail.Choice{Import: tail.Importable()})
	if err != nil {
		m.t.Fatal(err)
	}
	if plan, err = imports.Create(m.t.Context(), tailID, plan); err != nil {
		m.t.Fatal(err)
	}
	return plan
}

// startTail starts an execution of the import.
func (m *migration) startTail() (arn string) {
	m.t.Helper()
	arn, err := m.workflows().Start(m.t.Context(), statemachines.Tail, map[string]string{"run": m.Config.Run, "id": tailID})
	if err != nil {
		m.t.Fatal(err)
	}
	return arn
}

func (m *migration) workflows() *workflow.Workflows {
	m.t.Helper()
	workflows, err := m.Workflows(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return workflows
}

// imported runs the import to its end, and returns what became of everybody.
func (m *migration) imported() tail.Totals {
	m.t.Helper()
	arn := m.startTail()
	if err := m.States.Wait(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	if e, err := m.workflows().Describe(m.t.Context(), arn); err != nil || e.Status != workflow.Succeeded {
		m.t.Fatalf("%+v, %v", e, err)
	}
	imports, err := m.Tail(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	standing, err := imports.Status(m.t.Context(), tailID)
	if err != nil || standing.State == nil || standing.State.Closed.IsZero() {
		m.t.Fatalf("%+v, %v", standing, err)
	}
	return standing.State.Totals()
}

// steps are the state machines as an administrator gets at them.
func (m *migration) steps() *sfn.Client {
	as := m.Target.Administrator
	return sfn.New(sfn.Options{
		Region: m.Target.Region, BaseEndpoint: &m.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(as.AccessKeyID, as.SecretAccessKey.Reveal(), ""),
	})
}

// kill stops an execution.
func (m *migration) kill(arn string) {
	m.t.Helper()
	if _, err := m.steps().StopExecution(m.t.Context(), &sfn.StopExecutionInput{ExecutionArn: &arn}); err != nil {
		m.t.Error(err)
	}
}

// startedJobs is how many import jobs of the target pool were ever started.
func (m *migration) startedJobs() (n int) {
	m.t.Helper()
	out, err := administrator(m.Target, m.Endpoint).ListUserImportJobs(m.t.Context(), &cip.ListUserImportJobsInput{UserPoolId: &m.Target.PoolID, MaxResults: aws.Int32(60)})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, job := range out.UserImportJobs {
		if job.StartDate != nil {
			n++
		}
	}
	return n
}

// left are who is to be imported in the tests of killing.
func left(n int) (all []cognitoidp.UserSpec) {
	for i := range n {
		all = append(all, person(fmt.Sprintf("left-%02d", i), inGroups("readers")))
	}
	return all
}

// imports checks that everybody who was left was imported, once, by one job, and
// that a reconciliation says so.
func (m *migration) everybodyImported(n int, sum tail.Totals) {
	m.t.Helper()
	if sum.Imported != n || sum.Skipped+sum.Failed+sum.Left+sum.Refused != 0 {
		m.t.Errorf("%+v, want %d imported", sum, n)
	}
	if jobs := m.startedJobs(); jobs != 1 {
		m.t.Errorf("%d jobs were started, want 1", jobs)
	}
	for sub, u := range m.here() {
		if u.Status != userpool.StatusResetRequired {
			m.t.Errorf("%s is %s", sub, u.Status)
		}
	}
	m.verdicts(m.reconciles(), map[verdict.Verdict]int{verdict.Imported: n})
}

// TestTailKilledInEveryState: an execution is killed in each of the states that an
// import goes through, one after the other, and each time another takes it up.
func TestTailKilledInEveryState(t *testing.T) {
	t.Parallel()
	const n = 6
	m := staged(t, rehearsal.Options{
		Speed: 40, ImportPace: cognitoidp.ImportPace{Pending: 5 * time.Second},
		Faults: "lambda.open-tail=delay:40ms,lambda.write-tail=delay:40ms,lambda.import-tail=delay:40ms,lambda.close-tail=delay:80ms",
	}, left(n)...)
	m.plans()
	// The other states pass in no time: what is killed is the one that comes after.
	lasting := []string{"OpenTail", "WriteFile", "AdvanceImport", "WaitForImport", "CloseTail"}
	for _, state := range []string{
		"OpenTail", "IsTailHeld", "FirstRound", "WriteFile", "IsFileLeft", "AdvanceImport", "IsImportOver", "WaitForImport", "CountRound",
		"AdvanceImport", "CloseTail", "NotifyTail",
	} {
		for tries := 1; m.killedIn(state) != state && slices.Contains(lasting, state); tries++ {
			if tries == 10 {
				t.Fatalf("no execution was killed in %s", state)
			}
		}
	}
	m.everybodyImported(n, m.imported())
}

// killedIn starts an execution of the import, kills it as soon as it is seen to
// have come to a state, and returns the one that it was in by then, "" where it
// had ended.
func (m *migration) killedIn(state string) string {
	m.t.Helper()
	arn := m.startTail()
	for at := time.Now(); !slices.Contains(m.arrivals(arn), state); time.Sleep(time.Millisecond) {
		if time.Since(at) > time.Minute {
			m.t.Fatalf("no execution comes to %s", state)
		}
	}
	m.kill(arn)
	e, err := m.workflows().Describe(m.t.Context(), arn)
	if err != nil {
		m.t.Fatal(err)
	}
	if e.Status != workflow.Aborted {
		return ""
	}
	states := m.arrivals(arn)
	return states[len(states)-1]
}

// arrivals are the states that an execution has entered, in order.
func (m *migration) arrivals(arn string) (states []string) {
	m.t.Helper()
	pages := sfn.NewGetExecutionHistoryPaginator(m.steps(), &sfn.GetExecutionHistoryInput{ExecutionArn: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(m.t.Context())
		if err != nil {
			m.t.Fatal(err)
		}
		for _, event := range page.Events {
			if entered := event.StateEnteredEventDetails; entered != nil {
				states = append(states, *entered.Name)
			}
		}
	}
	return states
}

// TestTailKilledAtEveryCall: the first execution is killed when the first call of
// its functions is answered, the second one at the second, and so on until one
// gets through. As on AWS the function that made the call goes on, beside the
// next execution.
func TestTailKilledAtEveryCall(t *testing.T) {
	t.Parallel()
	const n = 6
	var tap atomic.Pointer[func()]
	m := staged(t, rehearsal.Options{
		ImportPace: cognitoidp.ImportPace{Pending: time.Millisecond},
		Tap: func(string, []byte) {
			if answered := tap.Load(); answered != nil {
				(*answered)()
			}
		},
	}, left(n)...)
	m.plans()
	ended := workflow.Execution{}
	kills := 0
	for at := int64(1); ended.Status != workflow.Succeeded; at++ {
		if at > 300 {
			t.Fatal("no execution gets through")
		}
		started := make(chan string, 1)
		var calls atomic.Int64
		answered := func() {
			if calls.Add(1) == at {
				m.kill(<-started)
			}
		}
		arn := m.startTail()
		started <- arn
		tap.Store(&answered)
		err := m.States.Wait(t.Context())
		tap.Store(nil)
		if err != nil {
			t.Fatal(err)
		}
		if ended, err = m.workflows().Describe(t.Context(), arn); err != nil {
			t.Fatal(err)
		}
		if ended.Status == workflow.Aborted {
			kills++
		}
	}
	if kills < 10 {
		t.Errorf("%d executions were killed", kills)
	}
	m.everybodyImported(n, m.imported())
}

// TestTailWhereFunctionsDie: nine of ten calls of the function that imports die,
// half of them when it has done its work. Where an execution has to give up it is
// killed while it writes that down, and another goes on.
func TestTailWhereFunctionsDie(t *testing.T) {
	t.Parallel()
	const n = 6
	m := staged(t, rehearsal.Options{
		Seed: 2, Speed: 200, ImportPace: cognitoidp.ImportPace{Pending: time.Millisecond}, Faults: "lambda.import-tail=crash:90%,lambda.close-tail=delay:40ms",
	}, left(n)...)
	m.plans()
	ends := map[workflow.Status]int{}
	for ends[workflow.Succeeded] == 0 {
		if ends[workflow.Failed]+ends[workflow.Aborted] > 100 {
			t.Fatal("no execution gets through")
		}
		arn := m.startTail()
		e := workflow.Execution{Status: workflow.Running}
		for killed := false; !e.Status.Ended(); time.Sleep(time.Millisecond) {
			var err error
			if e, err = m.workflows().Describe(t.Context(), arn); err != nil {
				t.Fatal(err)
			}
			if states := m.arrivals(arn); !killed && ends[workflow.Aborted] == 0 && slices.Contains(states, "RecordFailure") {
				m.kill(arn)
				killed = true
			}
		}
		ends[e.Status]++
	}
	if ends[workflow.Aborted]+ends[workflow.Failed] == 0 {
		t.Errorf("executions ended as %v, want one that did not get through", ends)
	}
	imports, err := m.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	standing, err := imports.Status(t.Context(), tailID)
	if err != nil || standing.State == nil || standing.State.Failure != "" || standing.State.Closed.IsZero() {
		t.Fatalf("%+v, %v", standing.State, err)
	}
	m.everybodyImported(n, standing.State.Totals())
}

// lines are the people of the first file, in its order.
func (m *migration) lines() (subs []userpool.Sub) {
	m.t.Helper()
	for key, body := range m.S3.Objects() {
		if !strings.Contains(key, "/tail/"+tailID+"/lines/") {
			continue
		}
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			m.t.Fatal(err)
		}
		for dec := json.NewDecoder(r); dec.More(); {
			var line tail.Line
			if err := dec.Decode(&line); err != nil {
				m.t.Fatal(err)
			}
			subs = append(subs, userpool.Sub(line.Sub))
		}
	}
	return subs
}

// invokes calls a function of the import as its state machine does.
func (m *migration) invokes(function string) {
	m.t.Helper()
	arn := strings.Replace(m.Brief("").Function, "migrate-user", function, 1)
	if _, err := m.Sandbox.Lambda.Invoke(m.t.Context(), arn, fmt.Appendf(nil, `{"run":%q,"id":%q,"execution":"by-hand"}`, m.Config.Run, tailID)); err != nil {
		m.t.Fatalf("%s: %v", function, err)
	}
}

// TestSignInDuringTheImport: people come at each moment of an import. Everybody
// who does ends with an account that works.
func TestSignInDuringTheImport(t *testing.T) {
	for _, shape := range []crowd.Shape{crowd.Alias, crowd.UsernameAttributes} {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel()
			signInDuringTheImport(t, shape)
		})
	}
}

func signInDuringTheImport(t *testing.T, shape crowd.Shape) {
	t.Helper()
	m := staged(t, rehearsal.Options{
		Shape: shape, Speed: 20, ImportPace: cognitoidp.ImportPace{Pending: 20 * time.Millisecond, RowsPerSecond: 5}, // a row each 200 ms
	}, append(left(10), persons("before-plan", "after-plan", "after-file", "after-import")...)...)
	names := map[userpool.Sub]string{}
	for u := range m.Cognito.Users(m.Source.PoolID) {
		names[u.Sub], _, _ = strings.Cut(u.Attributes["email"], "@")
	}
	moved := map[string]bool{}
	// comes signs somebody in, with another password where the old one is not known.
	comes := func(name string, imported bool) {
		t.Helper()
		_, err := m.signIn(name, passwordOf(name))
		if imported != (err != nil) {
			t.Errorf("%s: imported: %v, sign-in with the old password: %v", name, imported, err)
		}
		if err != nil {
			m.resets(name)
			if _, err := m.signIn(name, anotherOf(name)); err != nil {
				t.Errorf("%s, with the new password: %v", name, err)
			}
		}
		moved[name] = true
	}
	comes("before-plan", false)
	if plan := m.plans(); plan.Rows != 14 { // the reconciliation does not know yet
		t.Errorf("%d rows", plan.Rows)
	}
	comes("after-plan", false)
	m.invokes("open-tail")
	m.invokes("write-tail")
	comes("after-file", false)
	var order []string
	for _, sub := range m.lines() {
		if name := names[sub]; strings.HasPrefix(name, "left-") {
			order = append(order, name)
		}
	}
	if len(order) != 10 {
		t.Fatalf("%d of 10 in the file", len(order))
	}
	m.startTail()
	for at := time.Now(); len(m.here()) < 4; time.Sleep(time.Millisecond) {
		if time.Since(at) > time.Minute {
			t.Fatal("nobody is imported")
		}
	}
	comes(order[len(order)-1], false) // whose row was not read yet
	comes(order[0], true)
	if err := m.States.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	comes("after-import", true)

	sum := m.imported()
	if sum.Imported != 10 || sum.Skipped != 4 || sum.Failed+sum.Left+sum.Refused != 0 {
		t.Errorf("%+v, want 10 imported and 4 who were first", sum)
	}
	for sub, u := range m.here() {
		want := userpool.StatusResetRequired
		if moved[names[sub]] {
			want = userpool.StatusConfirmed
		}
		if u.Status != want {
			t.Errorf("%s is %s, want %s", names[sub], u.Status, want)
		}
	}
	m.verdicts(m.reconciles(), map[verdict.Verdict]int{verdict.Migrated: len(moved), verdict.Imported: 14 - len(moved)})
}
