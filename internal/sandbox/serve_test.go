package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/userpool"
)

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// The access key decides the account and the credential scope the region.
func TestCallsKnowAccountAndRegion(t *testing.T) {
	r := run(t, Options{})
	for _, tt := range []struct{ account, region string }{{source, sourceRegion}, {source, "us-east-1"}} {
		client := cip.NewFromConfig(r.client(r.user(t, tt.account, "ops-"+tt.region, everything), tt.region))
		out, err := client.ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: aws.String("eu-west-1_x")})
		if err != nil {
			t.Fatal(err)
		}
		want := tt.account + " " + tt.region + " arn:aws:iam::" + tt.account + ":user/ops-" + tt.region
		if got := aws.ToString(out.PaginationToken); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestPoliciesAreAsked(t *testing.T) {
	r := run(t, Options{})
	tests := []struct {
		name    string
		account string
		policy  []byte
		want    string
	}{
		{"allowed", source, everything, ""},
		{"nothing allowed", source, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`), "AccessDeniedException"},
		{"another account", target, everything, "AccessDeniedException"},
	}
	for _, tt := range tests {
		client := cip.NewFromConfig(r.client(r.user(t, tt.account, strings.ReplaceAll(tt.name, " ", "-"), tt.policy), sourceRegion))
		_, err := client.ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: aws.String("eu-west-1_x")})
		if got := code(t, err); got != tt.want {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

// A public operation belongs to the app client that it names, whether the
// client signs it or not.
func TestPublicOperations(t *testing.T) {
	r := run(t, Options{})
	ops := r.user(t, source, "ops")
	client := cip.NewFromConfig(r.client(ops, sourceRegion))
	in := &cip.InitiateAuthInput{AuthFlow: types.AuthFlowTypeUserPasswordAuth, ClientId: aws.String("target-client"), AuthParameters: map[string]string{"USERNAME": "u", "PASSWORD": "canary-1"}}
	if _, err := client.InitiateAuth(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if call := r.cognito.last(t); call.Caller.Signed() || call.Account != target || call.Region != targetRegion {
		t.Errorf("unsigned: %q in %q by %q", call.Account, call.Region, call.Caller.ARN)
	}
	q := sign(t, r.request(t, "InitiateAuth", `{"ClientId":"target-client"}`), ops, "cognito-idp", sourceRegion, time.Now())
	if status, _, body := send(t, q); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if call := r.cognito.last(t); !call.Caller.Signed() || call.Account != target || call.Region != targetRegion {
		t.Errorf("signed: %q in %q by %q", call.Account, call.Region, call.Caller.ARN)
	}
}

func TestRefusedRequests(t *testing.T) {
	r := run(t, Options{})
	ops := r.user(t, source, "ops", everything)
	forged, stranger := ops, ops
	forged.SecretAccessKey = userpool.NewSecret("other")
	stranger.AccessKeyID = "AKIAAAAAAAAAAAAAAAAA"
	signed := func(c iam.Credentials, service, operation string, at time.Time) func(*testing.T) *http.Request {
		return func(t *testing.T) *http.Request {
			return sign(t, r.request(t, operation, `{}`), c, service, sourceRegion, at)
		}
	}
	changed := func(change func(*http.Request)) func(*testing.T) *http.Request {
		return func(t *testing.T) *http.Request {
			q := r.request(t, "ListUsers", `{}`)
			change(q)
			return q
		}
	}
	tests := []struct {
		name    string
		request func(*testing.T) *http.Request
		status  int
		want    string
	}{
		{"signed", signed(ops, "cognito-idp", "ListUsers", time.Now()), 200, ""},
		{"unsigned", changed(func(*http.Request) {}), 400, "MissingAuthenticationTokenException"},
		{"unsigned, no target", changed(func(q *http.Request) { q.Header.Del("X-Amz-Target") }), 400, "MissingAuthenticationTokenException"},
		{"unsigned STS", changed(func(q *http.Request) { q.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}} }), 403, "MissingAuthenticationToken"},
		{"wrong secret", signed(forged, "cognito-idp", "ListUsers", time.Now()), 400, "InvalidSignatureException"},
		{"wrong secret, STS", signed(forged, "sts", "ListUsers", time.Now()), 403, "SignatureDoesNotMatch"},
		{"wrong secret, Lambda", signed(forged, "lambda", "ListUsers", time.Now()), 403, "InvalidSignatureException"},
		{"unknown key", signed(stranger, "cognito-idp", "ListUsers", time.Now()), 400, "UnrecognizedClientException"},
		{"unknown key, STS", signed(stranger, "sts", "ListUsers", time.Now()), 403, "InvalidClientTokenId"},
		{"unknown key, Lambda", signed(stranger, "lambda", "ListUsers", time.Now()), 403, "UnrecognizedClientException"},
		{"old signature", signed(ops, "cognito-idp", "ListUsers", time.Now().Add(-16*time.Minute)), 400, "InvalidSignatureException"},
		{"malformed header", changed(func(q *http.Request) { q.Header.Set("Authorization", "AWS4-HMAC-SHA256 x") }), 400, "IncompleteSignatureException"},
		{"bearer", changed(func(q *http.Request) { q.Header.Set("Authorization", "Bearer x") }), 400, "IncompleteSignatureException"},
		{"pre-signed", changed(func(q *http.Request) { q.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256" }), 400, "SandboxUnsupported"},
		{"unknown service", signed(ops, "ec2", "ListUsers", time.Now()), 400, "SandboxUnsupported"},
		{"unknown operation", signed(ops, "cognito-idp", "DeleteEverything", time.Now()), 400, "SandboxUnsupported"},
		{"bug", func(t *testing.T) *http.Request {
			return sign(t, r.request(t, "ListUsers", `{"x":"bug"}`), ops, "cognito-idp", sourceRegion, time.Now())
		}, 500, "InternalFailure"},
		{"body too large", func(t *testing.T) *http.Request { return r.request(t, "InitiateAuth", strings.Repeat("x", maxBody+1)) }, 413, "RequestEntityTooLargeException"},
		{"body at the limit", func(t *testing.T) *http.Request { return r.request(t, "InitiateAuth", strings.Repeat("x", maxBody)) }, 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, header, body := send(t, tt.request(t))
			if status != tt.status || tt.want != "" && !strings.Contains(body+header.Get("X-Amzn-Errortype"), tt.want) {
				t.Errorf("got %d %s, want %d %s", status, body, tt.status, tt.want)
			}
			if len(header.Get("X-Amzn-Requestid")) != 36 {
				t.Errorf("request id %q", header.Get("X-Amzn-Requestid"))
			}
		})
	}
}

// The clock of the sandbox is that of signatures, sessions and the Date header.
func TestClock(t *testing.T) {
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	r := run(t, Options{Now: func() time.Time { return now }})
	role, err := r.IAM.AddRole(source, "login", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}}`), everything)
	if err != nil {
		t.Fatal(err)
	}
	session, err := r.IAM.Session(role, "s", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{{0, ""}, {59 * time.Minute, ""}, {time.Hour, "ExpiredTokenException"}} {
		now = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC).Add(tt.after)
		status, header, body := send(t, sign(t, r.request(t, "ListUsers", `{}`), session, "cognito-idp", sourceRegion, now))
		if tt.want == "" && status != http.StatusOK || !strings.Contains(body, tt.want) {
			t.Errorf("after %s: %d %s", tt.after, status, body)
		}
		if got := header.Get("Date"); got != now.Format(http.TimeFormat) {
			t.Errorf("Date: %s", got)
		}
	}
}

func TestPagesAndHealth(t *testing.T) {
	r := run(t, Options{})
	for path, want := range map[string]string{
		"/eu-west-1_x/.well-known/jwks.json": "page /eu-west-1_x/.well-known/jwks.json",
		"/_sandbox/health":                   `{"services":["cognito-idp","lambda","sts"],"status":"ok"}`,
	} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.endpoint+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, body := send(t, q); status != http.StatusOK || body != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// One line per call, and nothing of what was sent or answered.
func TestLog(t *testing.T) {
	r := run(t, Options{})
	ops := r.user(t, source, "ops", everything)
	send(t, sign(t, r.request(t, "ListUsers", `{"Filter":"canary-2"}`), ops, "cognito-idp", sourceRegion, time.Now()))
	send(t, r.request(t, "InitiateAuth", `{"ClientId":"target-client","PASSWORD":"canary-3"}`))
	send(t, r.request(t, "ListUsers", `{"Filter":"canary-4"}`))
	if err := r.Close(); err != nil { // every line is written now
		t.Fatal(err)
	}
	if strings.Contains(r.log.String(), "canary") {
		t.Errorf("the log holds a body: %s", r.log)
	}
	var got []map[string]any
	for line := range strings.Lines(r.log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		got = append(got, entry)
	}
	want := []map[string]any{
		{"service": "cognito-idp", "operation": "ListUsers", "account": source, "region": sourceRegion, "caller": "arn:aws:iam::" + source + ":user/ops", "status": 200.0, "code": ""},
		{"service": "cognito-idp", "operation": "InitiateAuth", "account": target, "region": targetRegion, "caller": "", "status": 200.0, "code": ""},
		{"service": "cognito-idp", "operation": "ListUsers", "account": "", "region": "", "caller": "", "status": 400.0, "code": "MissingAuthenticationTokenException"},
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i := range want {
		for key, value := range want[i] {
			if got[i][key] != value {
				t.Errorf("line %d: %s is %v, want %v", i, key, got[i][key], value)
			}
		}
	}
}

// recorded serves a request without a network, so that time can be faked.
func (r *running) recorded(q *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.ServeHTTP(w, q)
	return w
}

func TestFaultsOfCalls(t *testing.T) {
	tests := []struct {
		faults string
		status int
		code   string
		lasts  time.Duration
	}{
		{"", 200, "", 0},
		{"source.ListUsers=throttle:1", 400, "TooManyRequestsException", 0},
		{"source=error:1", 500, "InternalErrorException", 0},
		{"cognito-idp.ListUsers=throttle:100%,error:100%,delay:3s", 400, "TooManyRequestsException", 3 * time.Second},
		{"cognito-idp=delay:2s", 200, "", 2 * time.Second},
		{"target.ListUsers=throttle:1,target=error:1,cognito-idp.InitiateAuth=error:1", 200, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.faults, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				faults, err := knobs.ParseFaults(tt.faults)
				if err != nil {
					t.Fatal(err)
				}
				r := build(t, Options{Faults: faults})
				ops := r.user(t, source, "ops", everything)
				begin := time.Now()
				w := r.recorded(sign(t, r.request(t, "ListUsers", `{}`), ops, "cognito-idp", sourceRegion, begin))
				if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.code) || time.Since(begin) != tt.lasts {
					t.Errorf("got %d %s after %s", w.Code, w.Body, time.Since(begin))
				}
			})
		})
	}
}

func TestLatencyOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t, Options{Latency: knobs.WAN, Home: targetRegion, Seed: 1})
		ops := r.user(t, source, "ops", everything)
		for region, want := range map[string]time.Duration{sourceRegion: 90 * time.Millisecond, targetRegion: 12 * time.Millisecond} {
			begin := time.Now()
			if w := r.recorded(sign(t, r.request(t, "ListUsers", `{}`), ops, "cognito-idp", region, begin)); w.Code != http.StatusOK {
				t.Fatal(w.Body)
			}
			if took := time.Since(begin); took < want*84/100 || took > want*116/100 {
				t.Errorf("%s: %s, want about %s", region, took, want)
			}
		}
	})
}

// A bucket belongs to account, region and category, so that the source's
// traffic does not throttle the target's.
func TestQuotasOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t, Options{Quotas: true})
		r.cognito.quota = 3
		ops := r.user(t, source, "ops", everything)
		count := func(region string) (ok int) {
			for range 5 {
				if w := r.recorded(sign(t, r.request(t, "ListUsers", `{}`), ops, "cognito-idp", region, time.Now())); w.Code == http.StatusOK {
					ok++
				} else if !strings.Contains(w.Body.String(), "TooManyRequestsException") {
					t.Fatal(w.Body)
				}
			}
			return ok
		}
		for _, want := range []int{3, 0, 3} {
			if got := count(sourceRegion); got != want {
				t.Errorf("%d calls got through, want %d", got, want)
			}
			if want == 0 {
				time.Sleep(time.Second)
			}
		}
		if got := count(targetRegion); got != 3 {
			t.Errorf("another region: %d calls got through", got)
		}
	})
}
