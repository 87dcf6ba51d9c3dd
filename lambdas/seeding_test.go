package lambdas_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/google/go-cmp/cmp"

	"poolferry/infra"
	"poolferry/internal/config"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/s3"
	"poolferry/internal/seeding"
	"poolferry/internal/userpool"
	"poolferry/lambdas"
)

const (
	sourceAccount, sourceRegion = "111122223333", "us-east-1"
	targetAccount, targetRegion = "444455556666", "eu-west-1"
	runID                       = "2026-11-prod"
	bucket                      = "example-staging"
	externalID                  = "poolferry-test"
)

// canary is a value that must be seen nowhere but in parts.
const canary = "canary-value"

// cloud is a sandbox with a source pool, a bucket, and the roles of infra.
type cloud struct {
	t        *testing.T
	box      *sandbox.Sandbox
	objects  *s3.Service
	endpoint string
	pool     string
	out      bytes.Buffer // what the functions print
}

func newCloud(t *testing.T, users int) *cloud {
	t.Helper()
	c := &cloud{t: t, box: sandbox.New(sandbox.Options{Now: time.Now}), objects: s3.New(time.Now)}
	t.Cleanup(func() { _ = c.box.Close() })
	pools := cognitoidp.New(cognitoidp.Options{Now: time.Now})
	c.check(errors.Join(
		c.box.Register(pools), c.box.Register(c.objects),
		c.box.AddAccount("source", sourceAccount), c.box.AddAccount("target", targetAccount),
		c.objects.CreateBucket(targetAccount, targetRegion, bucket),
	))
	var err error
	c.pool, err = pools.CreatePool(sourceAccount, sourceRegion, cognitoidp.PoolSpec{Name: "old"})
	c.check(err)
	for i := range users {
		spec := cognitoidp.UserSpec{Username: fmt.Sprintf("u%03d", i), Attributes: userpool.Attributes{"name": canary}}
		if i%3 == 0 {
			spec.Groups = []string{"third"}
		}
		_, err := pools.PutUser(c.pool, spec)
		c.check(err)
	}
	c.endpoint, err = c.box.Start("127.0.0.1:0")
	c.check(err)
	return c
}

func (c *cloud) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) render(name string, values map[string]string) []byte {
	c.t.Helper()
	doc, err := infra.Render(name, values)
	c.check(err)
	return doc
}

func roleARN(account, name string) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/poolferry-%s", account, name)
}

// role adds a role of infra.
func (c *cloud) role(account, name string, trust []byte, policy []byte) {
	c.t.Helper()
	_, err := c.box.IAM.AddRole(account, "poolferry-"+name, trust, policy)
	c.check(err)
}

// functions are built as Lambda would: each as its own role.
func (c *cloud) functions() map[string]lambda.Handler {
	c.t.Helper()
	c.role(sourceAccount, "export",
		c.render(infra.ExportTrust, map[string]string{
			"partition": "aws", "target_account": targetAccount, "external_id": externalID,
			"plan_seeding_role_arn": roleARN(targetAccount, "plan-seeding"), "seed_batch_role_arn": roleARN(targetAccount, "seed-batch"),
			"close_seeding_role_arn": roleARN(targetAccount, "close-seeding"), "operator_arn": roleARN(targetAccount, "nobody"),
		}),
		c.render(infra.ExportRole, map[string]string{
			"source_pool_arn": fmt.Sprintf("arn:aws:cognito-idp:%s:%s:userpool/%s", sourceRegion, sourceAccount, c.pool),
		}))
	handlers := map[string]lambda.Handler{}
	for name, build := range map[string]func(context.Context, lambdas.Environment) (lambda.Handler, error){
		"plan-seeding": lambdas.PlanSeeding, "seed-batch": lambdas.SeedBatch, "close-seeding": lambdas.CloseSeeding,
	} {
		c.role(targetAccount, name, c.render(infra.LambdaTrust, nil), c.render(infra.Seeding, map[string]string{
			"export_role_arn": roleARN(sourceAccount, "export"), "staging_bucket_arn": "arn:aws:s3:::" + bucket, "run": runID,
			"log_group_arn": "arn:aws:logs:eu-west-1:444455556666:log-group:/aws/lambda/" + name,
		}))
		session, err := c.box.IAM.Session(roleARN(targetAccount, name), name, time.Hour)
		c.check(err)
		handlers[name], err = build(c.t.Context(), c.environment(session, c.yaml()))
		c.check(err)
	}
	return handlers
}

func (c *cloud) yaml() string {
	return `{"version":1,"run":"` + runID + `","source":{"region":"` + sourceRegion + `","account":"` + sourceAccount + `","pool_id":"` + c.pool + `",
"client_id":"x","login_role_arn":"` + roleARN(sourceAccount, "login") + `","export_role_arn":"` + roleARN(sourceAccount, "export") + `","external_id":"` + externalID + `"},
"target":{"region":"` + targetRegion + `","pool_id":"eu-west-1_New"},"audit":{"name_key":"env:K"},
"pace":{"user_list":1000,"quota_raised":true},"seeding":{"shards":"prefix"},"staging":{"bucket":"` + bucket + `"}}`
}

func (c *cloud) environment(session iam.Credentials, yaml string) lambdas.Environment {
	vars := map[string]string{
		"AWS_ENDPOINT_URL": c.endpoint, "AWS_ACCESS_KEY_ID": session.AccessKeyID, "AWS_SECRET_ACCESS_KEY": session.SecretAccessKey.Reveal(),
		"AWS_SESSION_TOKEN": session.SessionToken.Reveal(), config.EnvName: yaml,
	}
	return lambdas.Environment{
		Lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }, Stdout: &c.out, Now: time.Now,
	}
}

// event is a sample, with members set otherwise.
func event(t *testing.T, path string, change map[string]any) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(data, &members); err != nil {
		t.Fatal(err)
	}
	maps.Copy(members, change)
	data, err = json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSeedingFunctions runs the three functions, as their roles, as the state
// machine does.
func TestSeedingFunctions(t *testing.T) {
	const users = 130
	c := newCloud(t, users)
	handlers := c.functions()
	call := func(name string, payload []byte, out any) map[string]any {
		t.Helper()
		data, err := handlers[name].Invoke(t.Context(), payload)
		c.check(err)
		if strings.Contains(string(data), canary) {
			t.Errorf("%s answers with a user's data: %s", name, data)
		}
		c.check(json.Unmarshal(data, out))
		var members map[string]any
		c.check(json.Unmarshal(data, &members))
		return members
	}
	var plan seeding.PlanOutput
	members := call("plan-seeding", event(t, "plan-seeding/testdata/first-link.json", nil), &plan)
	wantMembers(t, members, "run", "generation", "link", "concurrency", "shards", "done", "stopped")
	if len(plan.Shards) != 17 {
		t.Fatalf("%+v", plan)
	}
	for _, item := range plan.Shards {
		more := seeding.BatchOutput{More: true}
		for more.More {
			members = call("seed-batch", event(t, "seed-batch/testdata/batch.json", map[string]any{"shard": item.Shard}), &more)
			wantMembers(t, members, "more")
		}
	}
	// What has nothing to do does nothing.
	var failed seeding.BatchOutput
	call("seed-batch", event(t, "seed-batch/testdata/failed.json", nil), &failed)
	if failed.Failed != "" {
		t.Errorf("a committed shard was given up: %+v", failed)
	}
	var closed seeding.CloseOutput
	members = call("close-seeding", event(t, "close-seeding/testdata/close.json", nil), &closed)
	wantMembers(t, members, "run", "generation", "link", "done", "continue", "stopped")
	if !closed.Done || closed.Profiles != users || closed.Members != 44 || closed.Link != 17 {
		t.Errorf("%+v", closed)
	}
	c.wantQuiet()
	for line := range bytes.Lines(c.out.Bytes()) {
		if !json.Valid(line) || !bytes.Contains(line, []byte(`"SeededProfiles"`)) {
			t.Errorf("not a metric line: %s", line)
		}
	}
}

// wantMembers checks that an answer has what the state machine selects from it.
func wantMembers(t *testing.T, got map[string]any, want ...string) {
	t.Helper()
	for _, name := range want {
		if got[name] == nil {
			t.Errorf("the answer has no %s: %v", name, slices.Sorted(maps.Keys(got)))
		}
	}
}

// wantQuiet checks that nothing was printed of a user.
func (c *cloud) wantQuiet() {
	c.t.Helper()
	if printed := c.out.String(); strings.Contains(printed, canary) {
		c.t.Errorf("printed: %s", printed)
	}
}

// TestFailureIsRecorded: the other event of seed-batch.
func TestFailureIsRecorded(t *testing.T) {
	c := newCloud(t, 5)
	handlers := c.functions()
	_, err := handlers["plan-seeding"].Invoke(t.Context(), event(t, "plan-seeding/testdata/first-link.json", nil))
	c.check(err)
	data, err := handlers["seed-batch"].Invoke(t.Context(), event(t, "seed-batch/testdata/failed.json", nil))
	c.check(err)
	want := `{"shard":"0","more":false,"stopped":false,"count":0,"parts":0,"attempt":1,"failed":"batch_failed: States.Timeout"}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
}

// TestErrorsHaveKinds: the state machine matches them by name.
func TestErrorsHaveKinds(t *testing.T) {
	c := newCloud(t, 5)
	handlers := c.functions()
	for name, tt := range map[string]struct {
		function string
		payload  []byte
		want     string
	}{
		"another run":           {"plan-seeding", event(t, "plan-seeding/testdata/first-link.json", map[string]any{"run": "other"}), "Invalid"},
		"no generation to open": {"plan-seeding", event(t, "plan-seeding/testdata/later-link.json", nil), "Invalid"},
		"nothing planned":       {"seed-batch", event(t, "seed-batch/testdata/batch.json", nil), "NotFound"},
		"nothing to close":      {"close-seeding", event(t, "close-seeding/testdata/close.json", nil), "NotFound"},
		"no event":              {"close-seeding", []byte(`[]`), "Invalid"},
	} {
		_, err := handlers[tt.function].Invoke(t.Context(), tt.payload)
		// The runtime takes the outermost error only.
		reported, ok := err.(messages.InvokeResponse_Error) //nolint:errorlint // as the runtime looks at it
		if !ok || reported.Type != tt.want {
			t.Errorf("%s: %T %v, want type %s", name, err, err, tt.want)
		}
	}
}

func TestSeedingNeedsTheExportRole(t *testing.T) {
	c := newCloud(t, 0)
	yaml := strings.Replace(c.yaml(), `"export_role_arn":"`+roleARN(sourceAccount, "export")+`",`, "", 1)
	for _, build := range []func(context.Context, lambdas.Environment) (lambda.Handler, error){lambdas.PlanSeeding, lambdas.SeedBatch, lambdas.CloseSeeding} {
		if _, err := build(t.Context(), c.environment(iam.Credentials{}, yaml)); err == nil || !strings.Contains(err.Error(), "source.export_role_arn is missing") {
			t.Error(err)
		}
		if _, err := build(t.Context(), c.environment(iam.Credentials{}, "")); err == nil {
			t.Error("built without a configuration")
		}
	}
}

// TestSamplesAreRead: no sample has a member that the function does not know.
func TestSamplesAreRead(t *testing.T) {
	type failedEvent struct {
		seeding.BatchInput
		Failed string `json:"failed"`
	}
	for pattern, into := range map[string]any{
		"plan-seeding/testdata/*.json": &seeding.PlanInput{}, "seed-batch/testdata/*.json": &failedEvent{}, "close-seeding/testdata/*.json": &seeding.CloseInput{},
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dec := json.NewDecoder(bytes.NewReader(data))
			dec.DisallowUnknownFields()
			if err := dec.Decode(into); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}
