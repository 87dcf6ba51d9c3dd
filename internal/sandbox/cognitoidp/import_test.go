package cognitoidp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

const logRole = "arn:aws:iam::" + acct + ":role/import"

// journal is a CloudWatch Logs that keeps everything.
type journal struct {
	mu      sync.Mutex
	opened  []cognitoidp.Destination
	lines   []string
	refuses bool // to be opened
	breaks  int  // how many messages it takes; 0 means any number
}

func (j *journal) open(d cognitoidp.Destination) (func([]string) error, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.refuses {
		return nil, errors.New("role does not trust")
	}
	j.opened = append(j.opened, d)
	return func(messages []string) error {
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.breaks > 0 && len(j.lines)+len(messages) > j.breaks {
			return errors.New("access denied")
		}
		j.lines = append(j.lines, messages...)
		return nil
	}, nil
}

// importing is a world whose jobs take no time.
func importing(t *testing.T) (*world, *journal) {
	t.Helper()
	j := &journal{}
	return newWorld(t, func(o *cognitoidp.Options) {
		o.ImportLog, o.ImportPace = j.open, cognitoidp.ImportPace{Pending: 1, RowsPerSecond: 1e9}
	}), j
}

func (w *world) createJob(poolID string) *types.UserImportJobType {
	w.t.Helper()
	return must(w.api.CreateUserImportJob(ctx, &cip.CreateUserImportJobInput{UserPoolId: &poolID, JobName: new("tail 1"), CloudWatchLogsRoleArn: new(logRole)}))(w.t).UserImportJob
}

// upload puts a file where a job wants it, as curl -T does, and returns the status
// and the error code.
func (w *world) upload(url, body string, headers ...string) string {
	w.t.Helper()
	q, err := http.NewRequest(http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	q.Header.Set("X-Amz-Server-Side-Encryption", "aws:kms")
	for i := 0; i < len(headers); i += 2 {
		if q.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			q.Header.Del(headers[i])
		}
	}
	if q.Header.Get("Transfer-Encoding") != "" {
		q.Header.Del("Transfer-Encoding")
		q.Body, q.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(body))), -1
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(answer), "<Code>")
	code, _, _ = strings.Cut(code, "</Code>")
	return strings.TrimSpace(fmt.Sprint(r.StatusCode, " ", code))
}

func (w *world) describeJob(poolID, id string) *types.UserImportJobType {
	w.t.Helper()
	return must(w.api.DescribeUserImportJob(ctx, &cip.DescribeUserImportJobInput{UserPoolId: &poolID, JobId: &id}))(w.t).UserImportJob
}

// imports runs a whole job and returns how it ended.
func (w *world) imports(poolID, file string) *types.UserImportJobType {
	w.t.Helper()
	job := w.createJob(poolID)
	if got := w.upload(*job.PreSignedUrl, file); got != "200" {
		w.t.Fatalf("upload: %s", got)
	}
	started := must(w.api.StartUserImportJob(ctx, &cip.StartUserImportJobInput{UserPoolId: &poolID, JobId: job.JobId}))(w.t).UserImportJob
	if started.Status != "Pending" || started.StartDate == nil {
		w.t.Errorf("started: %+v", started)
	}
	w.WaitImports()
	return w.describeJob(poolID, *job.JobId)
}

// csv writes a file with the header of a pool; a row is pairs of column and value,
// as they are to stand in the file.
func (w *world) csv(poolID string, rows ...string) string {
	w.t.Helper()
	header := must(w.api.GetCSVHeader(ctx, &cip.GetCSVHeaderInput{UserPoolId: &poolID}))(w.t).CSVHeader
	lines := []string{strings.Join(header, ",")}
	for _, row := range rows {
		values := make([]string, len(header))
		for pair := range strings.SplitSeq(row, "; ") {
			column, value, _ := strings.Cut(pair, "=")
			values[slices.Index(header, column)] = value
		}
		lines = append(lines, strings.Join(values, ","))
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestImport(t *testing.T) {
	w, log := importing(t)
	p := w.pool(cognitoidp.PoolSpec{Name: "people", Settings: cognitoidp.Settings{AutoVerifiedAttributes: []string{"email"}}, Schema: []cognitoidp.Attribute{{Name: "plan"}},
		Frozen: cognitoidp.Frozen{AliasAttributes: []string{"email"}}})
	c, hides := w.client(p, srpWith), w.client(p, srpWith, hiding)
	w.user(p, cognitoidp.UserSpec{Username: "here", Password: secret("right")})
	w.user(p, cognitoidp.UserSpec{Username: "owner", Attributes: userpool.Attributes{"email": "taken@b.example", "email_verified": "true"}})
	w.hooked(p, cognitoidp.Triggers{PreSignUp: hook, PostConfirmation: hook, UserMigration: hook}, nil)

	job := w.imports(p, w.csv(p,
		`cognito:username=ada; cognito:mfa_enabled=FALSE; email= ada@b.example ; email_verified=TRUE; birthdate=02/01/1985; updated_at=1471453471; address=1 Way\, Town; custom:plan="gold"`,
		`cognito:username=here; cognito:mfa_enabled=false; email=here@b.example; email_verified=true`,
		`cognito:username=eve; cognito:mfa_enabled=false; email=eve@b.example; email_verified=false`,
		`cognito:username=bob; email=bob@b.example; email_verified=true`,
		`cognito:username=mallory; cognito:mfa_enabled=false; email=taken@b.example; email_verified=true`,
		`cognito:username=zoe; cognito:mfa_enabled=false; email=zoe@b.example; email_verified=true`,
	))
	if job.Status != "Succeeded" || job.ImportedUsers != 3 || job.SkippedUsers != 1 || job.FailedUsers != 2 || job.CompletionDate == nil || job.CompletionMessage != nil {
		t.Errorf("job %+v", job)
	}
	want := []string{
		"[SUCCEEDED] Line Number 1 - The import succeeded.",
		"[SKIPPED] Line Number 2 - The user already exists.",
		"[FAILED] Line Number 3 - The User Record does not set any of the auto verified attributes to true. (Example: email_verified to true).",
		"[SUCCEEDED] Line Number 4 - The import succeeded.",
		"[FAILED] Line Number 5 - An account with the given email already exists.",
		"[SUCCEEDED] Line Number 6 - The import succeeded.",
	}
	if diff := cmp.Diff(want, log.lines); diff != "" {
		t.Error(diff)
	}
	arn := must(w.ARN(p))(t)
	if diff := cmp.Diff([]cognitoidp.Destination{{PoolARN: arn, RoleARN: logRole, Account: acct, Region: region,
		Group: "/aws/cognito/userpools/" + p + "/people", Stream: *job.JobId + "/tail 1"}}, log.opened); diff != "" {
		t.Error(diff)
	}
	if n := w.lambda.count(); n != 0 {
		t.Errorf("%d triggers ran", n)
	}
	if diff := cmp.Diff(map[string]string{"username": "ada", "status": "RESET_REQUIRED", "email": "ada@b.example", "email_verified": "true", "birthdate": "1985-02-01",
		"updated_at": "1471453471", "address": "1 Way, Town", "custom:plan": `"gold"`}, w.getUser(p, "ada@b.example")); diff != "" {
		t.Error(diff)
	}

	// An imported user resets the password, and then has an account like any other.
	const reset = "PasswordResetRequiredException"
	_, err := w.signIn(c.ID, "ada", "any")
	wants(t, err, reset)
	_, err = w.signIn(hides.ID, "ada", "any")
	wants(t, err, wrong)
	_, err = w.proves(p, c, "ada", "any")
	wants(t, err, reset)
	_, err = w.proves(p, hides, "ada", "any")
	wants(t, err, wrong)
	if _, err := w.api.ForgotPassword(ctx, &cip.ForgotPasswordInput{ClientId: &c.ID, Username: new("ada@b.example")}); err != nil {
		t.Fatal(err)
	}
	m, _ := w.LastMessage(p, "ada")
	if _, err := w.api.ConfirmForgotPassword(ctx, &cip.ConfirmForgotPasswordInput{ClientId: &c.ID, Username: new("ada"), ConfirmationCode: new(m.Code.Reveal()), Password: new("Correct-1!")}); err != nil {
		t.Fatal(err)
	}
	_, err = w.proves(p, hides, "ada@b.example", "Correct-1!")
	wants(t, err, "")

	// Importing the same file again imports nobody twice.
	again := w.imports(p, w.csv(p, `cognito:username=ada; cognito:mfa_enabled=false; email=ada@b.example; email_verified=true`))
	if again.Status != "Succeeded" || again.SkippedUsers != 1 || w.getUser(p, "ada")["status"] != "CONFIRMED" {
		t.Errorf("again: %+v", again)
	}
	list := must(w.api.ListUserImportJobs(ctx, &cip.ListUserImportJobsInput{UserPoolId: &p, MaxResults: new(int32(1))}))(t)
	next := must(w.api.ListUserImportJobs(ctx, &cip.ListUserImportJobsInput{UserPoolId: &p, MaxResults: new(int32(1)), PaginationToken: list.PaginationToken}))(t)
	if len(list.UserImportJobs) != 1 || *list.UserImportJobs[0].JobId != *again.JobId || len(next.UserImportJobs) != 1 || *next.UserImportJobs[0].JobId != *job.JobId || next.PaginationToken != nil {
		t.Errorf("list: %+v, then %+v", list.UserImportJobs, next.UserImportJobs)
	}
}

// TestImportRows has a row for each rule of a file.
func TestImportRows(t *testing.T) {
	const good = "cognito:username=ada; cognito:mfa_enabled=false; email=ada@b.example; email_verified=true"
	const verified = "The User Record does not set any of the auto verified attributes to true."
	with := func(pairs string) string { return good + "; " + pairs }
	for name, tt := range map[string]struct {
		auto   []string
		mode   string
		spec   cognitoidp.PoolSpec
		row    string
		failed string // why, "" for none
		status string // "" means RESET_REQUIRED
	}{
		"plain":                       {row: good},
		"no name":                     {row: "email=ada@b.example; email_verified=true", failed: "The User Record does not have a value for cognito:username."},
		"name with a space":           {row: "cognito:username=a b; email=ada@b.example; email_verified=true", failed: "The value of cognito:username is not valid."},
		"name with a tab":             {row: "cognito:username=a\tb; email=ada@b.example; email_verified=true", failed: "The value of cognito:username is not valid."},
		"any Unicode":                 {row: "cognito:username=名前; email=ada@b.example; email_verified=true"},
		"verified without an address": {row: "cognito:username=ada; email_verified=true", failed: "The User Record sets email_verified to true and has no email."},
		"nothing verified":            {row: "cognito:username=ada; email=ada@b.example", failed: verified},
		"the wrong one is verified":   {auto: []string{"phone_number"}, row: good, failed: verified},
		"one of two":                  {auto: []string{"phone_number", "email"}, row: good},
		"MFA where it is off":         {row: with("cognito:mfa_enabled=true"), failed: "The value of cognito:mfa_enabled does not fit"},
		"MFA left empty":              {row: with("cognito:mfa_enabled=")},
		"MFA optional":                {mode: "OPTIONAL", row: with("cognito:mfa_enabled=TRUE")},
		"no MFA, optional":            {mode: "OPTIONAL", row: good},
		"no MFA where it is required": {mode: "ON", row: good, failed: "The value of cognito:mfa_enabled does not fit"},
		"MFA required, left empty":    {mode: "ON", row: with("cognito:mfa_enabled=")},
		"MFA maybe":                   {mode: "OPTIONAL", row: with("cognito:mfa_enabled=yes"), failed: "The value of cognito:mfa_enabled does not fit"},
		"date of the attribute":       {row: with("birthdate=1985-02-01"), failed: "The value of birthdate is not of the format mm/dd/yyyy."},
		"time":                        {row: with("updated_at=2016-08-17T17:04:31Z"), failed: "The value of updated_at is not a number of seconds."},
		"address of no one":           {row: with("email=ada"), failed: "Invalid email address format."},
		"number of no one":            {row: with("phone_number=0151 1234"), failed: "Invalid phone number format."},
		"attribute required":          {spec: cognitoidp.PoolSpec{Schema: []cognitoidp.Attribute{{Name: "name", Required: true}}}, row: good, failed: "Attributes did not conform to the schema: name: The attribute is required"},
		"too long":                    {row: with("name=" + strings.Repeat("x", 2049)), failed: "Attributes did not conform to the schema: name"},
		"flag":                        {row: with("phone_number_verified=maybe"), failed: "Attributes did not conform to the schema: phone_number_verified"},
		"address for a username":      {spec: cognitoidp.PoolSpec{Frozen: cognitoidp.Frozen{AliasAttributes: []string{"email"}}}, row: with("cognito:username=ada@b.example"), failed: "Username cannot be of email format"},
		"address is the username":     {spec: cognitoidp.PoolSpec{Frozen: cognitoidp.Frozen{UsernameAttributes: []string{"email"}}}, row: with("cognito:username=ada@b.example")},
		"another address":             {spec: cognitoidp.PoolSpec{Frozen: cognitoidp.Frozen{UsernameAttributes: []string{"email"}}}, row: with("cognito:username=eve@b.example"), failed: "Username and email do not match"},
		"no address where it must be": {spec: cognitoidp.PoolSpec{Frozen: cognitoidp.Frozen{UsernameAttributes: []string{"email"}}}, row: good, failed: "Username should be an email."},
		"passwordless":                {spec: cognitoidp.PoolSpec{Settings: cognitoidp.Settings{Policies: pool.Policies{SignInPolicy: []byte(`{"AllowedFirstAuthFactors":["PASSWORD","EMAIL_OTP"]}`)}}}, row: good, status: "CONFIRMED"},
		"passwordless by another way": {spec: cognitoidp.PoolSpec{Settings: cognitoidp.Settings{Policies: pool.Policies{SignInPolicy: []byte(`{"AllowedFirstAuthFactors":["PASSWORD","SMS_OTP"]}`)}}}, row: good},
	} {
		t.Run(name, func(t *testing.T) {
			w, log := importing(t)
			if tt.auto == nil {
				tt.auto = []string{"email"}
			}
			tt.spec.Settings.AutoVerifiedAttributes, tt.spec.Settings.MfaConfiguration = tt.auto, tt.mode
			tt.spec.Settings.SmsConfiguration = []byte(`{"SnsCallerArn":"arn:aws:iam::222222222222:role/sms"}`)
			p := w.pool(tt.spec)
			job := w.imports(p, w.csv(p, tt.row))
			want := "[SUCCEEDED] Line Number 1 - The import succeeded."
			if tt.failed != "" {
				want = "[FAILED] Line Number 1 - " + tt.failed
			}
			if job.Status != "Succeeded" || len(log.lines) != 1 || !strings.HasPrefix(log.lines[0], want) || strings.Contains(log.lines[0], "ada") {
				t.Errorf("%s: %q, want %q", job.Status, log.lines, want)
			}
			if tt.failed != "" {
				if job.FailedUsers != 1 || w.Count(p) != 0 {
					t.Errorf("%d failed, %d users", job.FailedUsers, w.Count(p))
				}
				return
			}
			if tt.status == "" {
				tt.status = "RESET_REQUIRED"
			}
			for u := range w.Users(p) {
				if string(u.Status) != tt.status || u.Attributes["email"] != "ada@b.example" || !u.Created.Equal(w.clock.now()) || !u.Enabled {
					t.Errorf("user %+v", u)
				}
			}
		})
	}
}

func TestImportMFA(t *testing.T) {
	w, _ := importing(t)
	p := w.pool(cognitoidp.PoolSpec{Settings: cognitoidp.Settings{MfaConfiguration: "OPTIONAL", AutoVerifiedAttributes: []string{"email", "phone_number"},
		SmsConfiguration: []byte(`{"SnsCallerArn":"arn:aws:iam::222222222222:role/sms"}`)}})
	w.imports(p, w.csv(p,
		"cognito:username=yes; cognito:mfa_enabled=true; phone_number=+4915112345678; phone_number_verified=true",
		"cognito:username=no; cognito:mfa_enabled=false; phone_number=+4915112345679; phone_number_verified=true",
		"cognito:username=mail; cognito:mfa_enabled=true; email=a@b.example; email_verified=true"))
	for u := range w.Users(p) {
		if (len(u.MFA) == 1) != (u.Username == "yes") {
			t.Errorf("%s has %v", u.Username, u.MFA)
		}
	}
}

// TestImportFails: what ends a job, and with what.
func TestImportFails(t *testing.T) {
	bad := func(n int) (rows []string) {
		for i := range n {
			rows = append(rows, fmt.Sprintf("cognito:username=bad%d", i))
		}
		return rows
	}
	good := func(n int) (rows []string) {
		for i := range n {
			rows = append(rows, fmt.Sprintf("cognito:username=good%d; email=g%d@b.example; email_verified=true", i, i))
		}
		return rows
	}
	for name, tt := range map[string]struct {
		rows    []string
		change  func(j *journal, file string) string
		state   string
		message string
		counts  [2]int // imported, failed
	}{
		"all but four":       {rows: bad(4), state: "Succeeded", counts: [2]int{0, 4}},
		"five of five":       {rows: bad(5), state: "Failed", message: "Too many users have failed or been skipped during the import.", counts: [2]int{0, 5}},
		"half":               {rows: append(good(5), bad(5)...), state: "Succeeded", counts: [2]int{5, 5}},
		"more than half":     {rows: append(good(5), bad(6)...), state: "Failed", message: "Too many users", counts: [2]int{5, 6}},
		"no rows":            {state: "Succeeded"},
		"header":             {change: func(*journal, string) string { return "name\n" }, state: "Failed", message: "The CSV file could not be parsed: the header is not the one of the user pool."},
		"byte order mark":    {change: func(_ *journal, file string) string { return "\ufeff" + file }, state: "Failed", message: "The CSV file could not be parsed: the file begins with a byte order mark."},
		"too large":          {change: func(_ *journal, file string) string { return file + strings.Repeat("x", 100_000_001) }, state: "Failed", message: "The CSV file could not be parsed: the file is larger than 100000000 bytes."},
		"role":               {rows: good(1), change: func(j *journal, file string) string { j.refuses = true; return file }, state: "Failed", message: "The CloudWatch Logs role cannot be assumed"},
		"role, in the midst": {rows: good(3), change: func(j *journal, file string) string { j.breaks = 2; return file }, state: "Failed", message: "The CloudWatch Logs role may no longer"},
	} {
		t.Run(name, func(t *testing.T) {
			w, log := importing(t)
			p := w.pool(cognitoidp.PoolSpec{Settings: cognitoidp.Settings{AutoVerifiedAttributes: []string{"email"}}})
			file := w.csv(p, tt.rows...)
			if tt.change != nil {
				file = tt.change(log, file)
			}
			job := w.imports(p, file)
			if string(job.Status) != tt.state || !strings.HasPrefix(aws.ToString(job.CompletionMessage), tt.message) || job.ImportedUsers != int64(tt.counts[0]) || job.FailedUsers != int64(tt.counts[1]) {
				t.Errorf("job %+v: %s", job, aws.ToString(job.CompletionMessage))
			}
			// The account is free for the next job.
			log.refuses, log.breaks = false, 0
			if next := w.imports(p, w.csv(p, good(1)...)); next.Status != "Succeeded" {
				t.Errorf("next job: %+v", next)
			}
		})
	}
}

func TestUpload(t *testing.T) {
	w, _ := importing(t)
	p := w.pool(cognitoidp.PoolSpec{Settings: cognitoidp.Settings{AutoVerifiedAttributes: []string{"email"}}})
	job := w.createJob(p)
	url, other := *job.PreSignedUrl, *w.createJob(p).PreSignedUrl
	_, query, _ := strings.Cut(other, "?")
	bare, _, _ := strings.Cut(url, "?")
	for _, tt := range []struct {
		name, url string
		headers   []string
		want      string
	}{
		{"no encryption", url, []string{"X-Amz-Server-Side-Encryption", ""}, "403 SignatureDoesNotMatch"},
		{"another encryption", url, []string{"X-Amz-Server-Side-Encryption", "AES256"}, "403 SignatureDoesNotMatch"},
		{"a header that was not signed", url, []string{"X-Amz-Acl", "public-read"}, "403 AccessDenied"},
		{"without a length", url, []string{"Transfer-Encoding", "chunked"}, "501 NotImplemented"},
		{"no signature", bare, nil, "403 SignatureDoesNotMatch"},
		{"another job's signature", bare + "?" + query, nil, "403 SignatureDoesNotMatch"},
		{"another time", strings.Replace(url, "X-Amz-Date=2026", "X-Amz-Date=2027", 1), nil, "403 SignatureDoesNotMatch"},
		{"no time", strings.Replace(url, "X-Amz-Date=2026", "X-Amz-Date=x", 1), nil, "403 SignatureDoesNotMatch"},
		{"", url, []string{"Content-Type", "text/csv"}, "200"},
		{"again", url, nil, "200"},
	} {
		if got := w.upload(tt.url, "x", tt.headers...); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	w.clock.move(15*time.Minute - time.Second)
	if got := w.upload(url, "x"); got != "200" {
		t.Errorf("at the end: %s", got)
	}
	w.clock.move(time.Second)
	if got := w.upload(url, "x"); got != "403 AccessDenied" {
		t.Errorf("expired: %s", got)
	}
}

func TestImportRefuses(t *testing.T) {
	w, _ := importing(t)
	p := w.pool(cognitoidp.PoolSpec{Settings: cognitoidp.Settings{AutoVerifiedAttributes: []string{"email"}}})
	without := w.pool(cognitoidp.PoolSpec{})
	start := func(poolID, id, want string) {
		t.Helper()
		_, err := w.api.StartUserImportJob(ctx, &cip.StartUserImportJobInput{UserPoolId: &poolID, JobId: &id})
		wants(t, err, want)
	}
	stop := func(poolID, id, want string) {
		t.Helper()
		_, err := w.api.StopUserImportJob(ctx, &cip.StopUserImportJobInput{UserPoolId: &poolID, JobId: &id})
		wants(t, err, want)
	}
	for name, tt := range map[string]struct {
		in   cip.CreateUserImportJobInput
		want string
	}{
		"name":    {cip.CreateUserImportJobInput{JobName: new("a/b"), CloudWatchLogsRoleArn: new(logRole)}, "InvalidParameterException: 1 validation error"},
		"no name": {cip.CreateUserImportJobInput{JobName: new(""), CloudWatchLogsRoleArn: new(logRole)}, "InvalidParameterException"},
		"role":    {cip.CreateUserImportJobInput{JobName: new("a"), CloudWatchLogsRoleArn: new("arn:aws:iam::1:user/x")}, "InvalidParameterException"},
		"hashes":  {cip.CreateUserImportJobInput{JobName: new("a"), CloudWatchLogsRoleArn: new(logRole), PasswordHashingAlgorithm: "BCRYPT"}, "SandboxUnsupported"},
	} {
		tt.in.UserPoolId = &p
		_, err := w.api.CreateUserImportJob(ctx, &tt.in)
		t.Run(name, func(t *testing.T) { wants(t, err, tt.want) })
	}
	w.denied["iam:PassRole"] = true
	_, err := w.api.CreateUserImportJob(ctx, &cip.CreateUserImportJobInput{UserPoolId: &p, JobName: new("a"), CloudWatchLogsRoleArn: new(logRole)})
	wants(t, err, "AccessDeniedException: not authorized to perform: iam:PassRole on resource: "+logRole)
	w.denied = map[string]bool{"cognito-idp:CreateUserImportJob": true}
	_, err = w.api.CreateUserImportJob(ctx, &cip.CreateUserImportJobInput{UserPoolId: &p, JobName: new("a"), CloudWatchLogsRoleArn: new(logRole)})
	wants(t, err, "AccessDeniedException")
	w.denied = map[string]bool{}

	job := w.createJob(p)
	start(p, *job.JobId, "PreconditionNotMetException: No csv file was uploaded for "+*job.JobId)
	start(p, "import-none", "ResourceNotFoundException")
	start(p, "none", "InvalidParameterException")
	start(without, *job.JobId, "ResourceNotFoundException")
	stop(p, *job.JobId, "PreconditionNotMetException")
	unverified := w.createJob(without)
	if got := w.upload(*unverified.PreSignedUrl, "x"); got != "200" {
		t.Fatal(got)
	}
	start(without, *unverified.JobId, "PreconditionNotMetException: The user pool must have at least one auto verified attribute")
	if got := w.upload(*job.PreSignedUrl, w.csv(p)); got != "200" {
		t.Fatal(got)
	}
	w.clock.move(24 * time.Hour)
	if got := w.describeJob(p, *job.JobId).Status; got != "Expired" {
		t.Errorf("after a day: %s", got)
	}
	start(p, *job.JobId, "PreconditionNotMetException: User import job "+*job.JobId+" cannot be started: its status is Expired")
	_, err = w.api.ListUserImportJobs(ctx, &cip.ListUserImportJobsInput{UserPoolId: &p, MaxResults: new(int32(61))})
	wants(t, err, "InvalidParameterException")
	for range 1000 - 1 {
		w.createJob(p)
	}
	_, err = w.api.CreateUserImportJob(ctx, &cip.CreateUserImportJobInput{UserPoolId: &p, JobName: new("a"), CloudWatchLogsRoleArn: new(logRole)})
	wants(t, err, "LimitExceededException")
}

// direct calls an operation without HTTP, which has no place in a bubble of
// synctest.
func direct(t *testing.T, s *cognitoidp.Service, operation string, in map[string]any) (map[string]any, error) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := s.Serve(t.Context(), &wire.Call{Operation: operation, Account: acct, Region: region, Body: body, Authorize: func(string, string) error { return nil }})
	if err != nil {
		return nil, err
	}
	var out struct{ UserImportJob map[string]any }
	if err := json.Unmarshal(reply.Body, &out); err != nil {
		t.Fatal(err)
	}
	return out.UserImportJob, nil
}

// TestImportTakesTime follows jobs through their states on the service's clock.
func TestImportTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &journal{}
		s := cognitoidp.New(cognitoidp.Options{ImportLog: log.open, ImportPace: cognitoidp.ImportPace{Pending: 5 * time.Second, RowsPerSecond: 10}})
		defer func() { _ = s.Close() }()
		var pools []string
		for range 2 {
			pools = append(pools, must(s.CreatePool(acct, region, cognitoidp.PoolSpec{Name: "p", Settings: cognitoidp.Settings{AutoVerifiedAttributes: []string{"email"}}}))(t))
		}
		file := "name,given_name,family_name,middle_name,nickname,preferred_username,profile,picture,website,email,email_verified,gender,birthdate,zoneinfo,locale,phone_number,phone_number_verified,address,updated_at,cognito:mfa_enabled,cognito:username\n"
		for i := range 100 {
			file += fmt.Sprintf(",,,,,,,,,u%d@b.example,true,,,,,,,,,false,u%d\n", i, i)
		}
		job := func(p string) string {
			t.Helper()
			made, err := direct(t, s, "CreateUserImportJob", map[string]any{"UserPoolId": p, "JobName": "j", "CloudWatchLogsRoleArn": logRole})
			if err != nil {
				t.Fatal(err)
			}
			_, path, _ := strings.Cut(made["PreSignedUrl"].(string), "//")
			_, path, _ = strings.Cut(path, "/")
			q := httptest.NewRequest(http.MethodPut, "/"+path, bytes.NewBufferString(file))
			q.Header.Set("X-Amz-Server-Side-Encryption", "aws:kms")
			rec := httptest.NewRecorder()
			if s.ServeHTTP(rec, q); rec.Code != http.StatusOK {
				t.Fatal(rec.Body)
			}
			return made["JobId"].(string)
		}
		ask := func(operation, p, id, state string, imported float64) map[string]any {
			t.Helper()
			got, err := direct(t, s, operation, map[string]any{"UserPoolId": p, "JobId": id})
			if err != nil {
				t.Fatal(err)
			}
			if got["Status"] != state || got["ImportedUsers"] != imported {
				t.Errorf("%s: %v, %v imported, want %s and %v", operation, got["Status"], got["ImportedUsers"], state, imported)
			}
			return got
		}
		refused := func(operation, want string, in map[string]any) {
			t.Helper()
			_, err := direct(t, s, operation, in)
			wantsWire(t, err, want)
		}
		first, second := job(pools[0]), job(pools[1])
		ask("StartUserImportJob", pools[0], first, "Pending", 0)
		refused("StartUserImportJob", "PreconditionNotMetException: User import job", map[string]any{"UserPoolId": pools[0], "JobId": first})
		refused("StartUserImportJob", "PreconditionNotMetException: Only one user import job can be active at a time per account", map[string]any{"UserPoolId": pools[1], "JobId": second})
		refused("UpdateUserPool", "UserImportInProgressException", map[string]any{"UserPoolId": pools[0]})
		refused("AddCustomAttributes", "UserImportInProgressException", map[string]any{"UserPoolId": pools[0], "CustomAttributes": []any{map[string]any{"Name": "x"}}})
		if _, err := direct(t, s, "UpdateUserPool", map[string]any{"UserPoolId": pools[1], "AutoVerifiedAttributes": []string{"email"}}); err != nil {
			t.Errorf("another pool: %v", err)
		}
		time.Sleep(5*time.Second + time.Millisecond)
		synctest.Wait()
		ask("DescribeUserImportJob", pools[0], first, "InProgress", 1)
		// Somebody signs up while the job runs: the row is skipped.
		if _, err := s.PutUser(pools[0], cognitoidp.UserSpec{Username: "u99", Password: secret("right")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4900 * time.Millisecond)
		synctest.Wait()
		ask("DescribeUserImportJob", pools[0], first, "InProgress", 50)
		time.Sleep(5100 * time.Millisecond)
		synctest.Wait()
		if done := ask("DescribeUserImportJob", pools[0], first, "Succeeded", 99); done["SkippedUsers"] != 1.0 || done["CompletionDate"] == nil {
			t.Errorf("done: %v", done)
		}
		if _, err := direct(t, s, "UpdateUserPool", map[string]any{"UserPoolId": pools[0], "AutoVerifiedAttributes": []string{"email"}}); err != nil {
			t.Errorf("afterwards: %v", err)
		}

		ask("StartUserImportJob", pools[1], second, "Pending", 0)
		time.Sleep(6*time.Second + time.Millisecond)
		synctest.Wait()
		ask("StopUserImportJob", pools[1], second, "Stopping", 11)
		refused("StopUserImportJob", "PreconditionNotMetException", map[string]any{"UserPoolId": pools[1], "JobId": second})
		time.Sleep(time.Second)
		synctest.Wait()
		stopped := ask("DescribeUserImportJob", pools[1], second, "Stopped", 11)
		if stopped["CompletionMessage"] != "The Import Job was stopped by the developer." || s.Count(pools[1]) != 11 {
			t.Errorf("stopped: %v, %d users", stopped, s.Count(pools[1]))
		}
		refused("StartUserImportJob", "PreconditionNotMetException: User import job "+second+" cannot be started: its status is Stopped", map[string]any{"UserPoolId": pools[1], "JobId": second})

		last := job(pools[1])
		ask("StartUserImportJob", pools[1], last, "Pending", 0)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		ask("DescribeUserImportJob", pools[1], last, "Stopped", 0)
		final := job(pools[1])
		refused("StartUserImportJob", "InternalErrorException", map[string]any{"UserPoolId": pools[1], "JobId": final})
	})
}

// wantsWire is wants for an error that came without an SDK.
func wantsWire(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestImportWithoutLogs: a sandbox without CloudWatch Logs fails every job.
func TestImportWithoutLogs(t *testing.T) {
	w := newWorld(t, func(o *cognitoidp.Options) { o.ImportPace.Pending = 1 })
	p := w.pool(cognitoidp.PoolSpec{Settings: cognitoidp.Settings{AutoVerifiedAttributes: []string{"email"}}})
	if job := w.imports(p, w.csv(p)); job.Status != "Failed" {
		t.Errorf("job %+v", job)
	}
	if _, err := w.api.DescribeUserImportJob(context.Background(), &cip.DescribeUserImportJobInput{UserPoolId: &p, JobId: new("import-none")}); err == nil {
		t.Error("described a job that is none")
	}
}
