package cognito_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/infra"
	"poolferry/internal/cognito"
	"poolferry/internal/fault"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/logs"
	"poolferry/internal/tail"
	"poolferry/internal/userpool"
)

// TestImporterInASandbox goes all the way with the very policies that infra
// deploys: columns, a job, its file, its end and its log.
func TestImporterInASandbox(t *testing.T) {
	const acct, region = "444455556666", "eu-west-1"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	front := sandbox.New(sandbox.Options{})
	var endpoint string
	journals := logs.New(time.Now)
	pools := cognitoidp.New(cognitoidp.Options{
		Endpoint: func() string { return endpoint }, ImportPace: cognitoidp.ImportPace{Pending: time.Millisecond, RowsPerSecond: 1e9},
		ImportLog: func(d cognitoidp.Destination) (func([]string) error, error) {
			return journals.Open(front.IAM, logs.Delivery{Service: "cognito-idp.amazonaws.com", SourceARN: d.PoolARN, RoleARN: d.RoleARN,
				Account: d.Account, Region: d.Region, Group: d.Group, Stream: d.Stream})
		},
	})
	must(front.Register(pools))
	must(front.Register(journals))
	var err error
	endpoint, err = front.Start("127.0.0.1:0")
	must(err)
	t.Cleanup(func() { _ = front.Close() })
	p, err := pools.CreatePool(acct, region, cognitoidp.PoolSpec{Name: "people", Settings: cognitoidp.Settings{AutoVerifiedAttributes: []string{"email"}}, Schema: []cognitoidp.Attribute{{Name: "legacy_sub"}}})
	must(err)
	poolARN, err := pools.ARN(p)
	must(err)
	render := func(name string, values map[string]string) []byte {
		t.Helper()
		doc, err := infra.Render(name, values)
		must(err)
		return doc
	}
	role, err := front.IAM.AddRole(acct, "import-log", render(infra.ImportLogTrust, map[string]string{"target_account": acct, "target_pool_arn": poolARN}),
		render(infra.ImportLog, map[string]string{"partition": "aws", "region": region, "target_account": acct}))
	must(err)
	user, err := front.IAM.AddUser(acct, "import-tail",
		render(infra.TailJobs, map[string]string{"target_pool_arn": poolARN, "import_log_role_arn": role, "pool_log_group_arn": fmt.Sprintf("arn:aws:logs:%s:%s:log-group:/aws/cognito/userpools/%s", region, acct, p)}),
		render(infra.TargetSettings, map[string]string{"target_pool_arn": poolARN}))
	must(err)
	env := map[string]string{"AWS_ACCESS_KEY_ID": user.AccessKeyID, "AWS_SECRET_ACCESS_KEY": user.SecretAccessKey.Reveal(), "AWS_ENDPOINT_URL": endpoint}
	account, err := cognito.NewAccount(t.Context(), region, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	must(err)
	importer := cognito.NewImporter(account, region, p)

	s, err := importer.Settings(t.Context())
	if err != nil || s.Name != "people" || !slices.Contains(s.Header, "custom:legacy_sub") || !slices.Contains(s.Header, "cognito:username") || !s.DefaultEmail ||
		!slices.Equal(s.AutoVerified, []string{"email"}) || !slices.Equal(s.Recovery, []string{"phone_number", "email"}) {
		t.Fatalf("%+v, %v", s, err)
	}
	row := func(values map[string]string) string {
		cells := make([]string, len(s.Header))
		for column, value := range values {
			cells[slices.Index(s.Header, column)] = value
		}
		return strings.Join(cells, ",") + "\n"
	}
	file := strings.Join(s.Header, ",") + "\n" +
		row(map[string]string{"cognito:username": "ann", "cognito:mfa_enabled": "false", "email": "ann@example.com", "email_verified": "true"}) +
		row(map[string]string{"cognito:username": "bob", "cognito:mfa_enabled": "false", "email": "bob@example.com", "email_verified": "false"})
	job, err := importer.CreateJob(t.Context(), "tail-1", role)
	if err != nil || job.State != tail.JobCreated || job.URL.Empty() || job.Name != "tail-1" {
		t.Fatalf("%+v, %v", job, err)
	}
	if _, err := importer.StartJob(t.Context(), job.ID); fault.KindOf(err) != fault.Conflict {
		t.Errorf("started without a file: %v", err)
	}
	again, err := importer.Job(t.Context(), job.ID)
	if err != nil || !again.URL.Equal(job.URL) {
		t.Errorf("%v", err)
	}
	must(importer.Upload(t.Context(), again.URL, int64(len(file)), strings.NewReader(file)))
	if _, err = importer.StartJob(t.Context(), job.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := importer.StartJob(t.Context(), job.ID); fault.KindOf(err) != fault.Conflict {
		t.Errorf("started twice: %v", err)
	}
	pools.WaitImports()
	job, err = importer.Job(t.Context(), job.ID)
	if err != nil || job.State != tail.JobSucceeded || job.Imported != 1 || job.Failed != 1 {
		t.Errorf("%+v, %v", job, err)
	}
	var lines []string
	for line, err := range importer.Log(t.Context(), s.Name, job) {
		must(err)
		lines = append(lines, line)
	}
	if len(lines) != 2 || lines[0] != "[SUCCEEDED] Line Number 1 - The import succeeded." || !strings.HasPrefix(lines[1], "[FAILED] Line Number 2 - ") {
		t.Errorf("%q", lines)
	}
	for line, err := range importer.Log(t.Context(), s.Name, tail.Job{ID: "import-none", Name: "none"}) {
		t.Errorf("a log that is not there has %q, %v", line, err)
	}
	if _, err := importer.Job(t.Context(), "import-none"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	for range jobsPages {
		_, err := importer.CreateJob(t.Context(), "idle", role)
		must(err)
	}
	found := 0
	for j, err := range importer.Jobs(t.Context()) {
		must(err)
		if found++; found > jobsPages && j.Name != "tail-1" {
			t.Errorf("the oldest job is %s", j.Name)
		}
	}
	if found != jobsPages+1 {
		t.Errorf("%d jobs", found)
	}
}

// jobsPages is more than one page.
const jobsPages = 61

func newImporter(t *testing.T, answers ...answer) *cognito.Importer {
	t.Helper()
	a := &aws{answers: answers}
	return cognito.NewImporter(a.account(t), "eu-west-1", "eu-west-1_NewPool01")
}

func TestImporterSettings(t *testing.T) {
	const header = `{"CSVHeader":["email","cognito:username"]}`
	for body, want := range map[string]tail.Settings{
		`{"UserPool":{"Name":"people"}}`: {Name: "people", Recovery: []string{"phone_number", "email"}, DefaultEmail: true},
		`{"UserPool":{"Name":"people","AutoVerifiedAttributes":["email","phone_number"],"EmailConfiguration":{"EmailSendingAccount":"DEVELOPER"},
			"AccountRecoverySetting":{"RecoveryMechanisms":[{"Name":"verified_phone_number","Priority":2},{"Name":"verified_email","Priority":1}]}}}`: {
			Name: "people", AutoVerified: []string{"email", "phone_number"}, Recovery: []string{"email", "phone_number"}},
		`{"UserPool":{"Name":"people","EmailConfiguration":{"EmailSendingAccount":"COGNITO_DEFAULT"},"AccountRecoverySetting":{"RecoveryMechanisms":[{"Name":"admin_only","Priority":1}]}}}`: {Name: "people", DefaultEmail: true},
	} {
		want.Header = []string{"email", "cognito:username"}
		got, err := newImporter(t, answer{status: 200, body: body}, answer{status: 200, body: header}).Settings(t.Context())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	}
	if _, err := newImporter(t, answer{status: 200, body: `{"UserPool":{}}`}, answer{status: 200, body: `{}`}).Settings(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestImporterErrors(t *testing.T) {
	for code, want := range map[string]fault.Kind{
		"PreconditionNotMetException": fault.Conflict, "UserImportInProgressException": fault.Conflict, "TooManyRequestsException": fault.Throttled,
		"LimitExceededException": fault.Throttled, "AccessDeniedException": fault.Denied, "InvalidParameterException": fault.Invalid,
	} {
		if _, err := newImporter(t, apiError(400, code, "x")).StartJob(t.Context(), "import-1"); fault.KindOf(err) != want {
			t.Errorf("%s: %v", code, err)
		}
	}
	if _, err := newImporter(t, answer{status: 200, body: `{}`}).CreateJob(t.Context(), "tail", "arn:aws:iam::444455556666:role/import-log"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
	for _, err := range newImporter(t, apiError(400, "AccessDeniedException", "x")).Jobs(t.Context()) {
		if fault.KindOf(err) != fault.Denied {
			t.Errorf("%v", err)
		}
	}
	for _, err := range newImporter(t, apiError(400, "AccessDeniedException", "x")).Log(t.Context(), "people", tail.Job{ID: "import-1", Name: "tail"}) {
		if fault.KindOf(err) != fault.Denied {
			t.Errorf("%v", err)
		}
	}
}

// TestImporterLogHasPages: one that is empty is not the last.
func TestImporterLogHasPages(t *testing.T) {
	importer := newImporter(t, answer{status: 200, body: `{"events":[{"message":"a"}],"nextForwardToken":"1"}`}, answer{status: 200, body: `{"events":[],"nextForwardToken":"2"}`},
		answer{status: 200, body: `{"events":[{"message":"b"}],"nextForwardToken":"3"}`}, answer{status: 200, body: `{"events":[],"nextForwardToken":"3"}`})
	var lines string
	for line, err := range importer.Log(t.Context(), "people", tail.Job{ID: "import-1", Name: "tail"}) {
		if err != nil {
			t.Fatal(err)
		}
		lines += line
	}
	if lines != "ab" {
		t.Errorf("%q", lines)
	}
}

// TestImporterLogHasNoName: pools have names that no log group can have.
func TestImporterLogHasNoName(t *testing.T) {
	for code, want := range map[string]fault.Kind{"InvalidParameterException": "", "ResourceNotFoundException": "", "InvalidArgument": fault.Invalid} {
		var got fault.Kind
		for _, err := range newImporter(t, apiError(400, code, "Value 'my people' at 'logGroupName' failed to satisfy constraint")).Log(t.Context(), "my people", tail.Job{ID: "import-1", Name: "tail"}) {
			got = fault.KindOf(err)
		}
		if (got == "") != (want == "") {
			t.Errorf("%s: %q", code, got)
		}
	}
}

// TestUpload: what S3 may answer, and that nobody is told the URL.
func TestUpload(t *testing.T) {
	const signature = "X-Amz-Signature=very-secret"
	for status, want := range map[int]fault.Kind{200: "", 403: fault.Denied, 400: fault.Invalid, 404: fault.Invalid, 500: fault.Unavailable, 503: fault.Throttled} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPut || r.ContentLength != 3 || r.Header.Get("X-Amz-Server-Side-Encryption") != "aws:kms" || r.Header.Get("Authorization") != "" {
				t.Errorf("%s %d %v", r.Method, r.ContentLength, r.Header)
			}
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "<Error><Code>Told</Code><Resource>%s</Resource></Error>", r.URL)
		}))
		err := newImporter(t, answer{}).Upload(t.Context(), userpool.NewSecret(server.URL+"/file?"+signature), 3, strings.NewReader("abc"))
		server.Close()
		if want == "" && err != nil || want != "" && (fault.KindOf(err) != want || !strings.Contains(err.Error(), fmt.Sprintf("%d Told", status)) || strings.Contains(err.Error(), "very-secret")) {
			t.Errorf("%d: %v", status, err)
		}
	}
	for _, url := range []string{"http://127.0.0.1:1/file?" + signature, "::" + signature, "\x7f" + signature} {
		if err := newImporter(t, answer{}).Upload(t.Context(), userpool.NewSecret(url), 3, strings.NewReader("abc")); err == nil || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%v", err)
		}
	}
}
