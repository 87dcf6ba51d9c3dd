package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"poolferry/infra"
	"poolferry/internal/config"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/lambda"
	"poolferry/lambdas"
)

// The functions, by the names of their folders; faults know them so, as in
// lambda.migrate-user.
const (
	migrateUser  = "migrate-user"
	planSeeding  = "plan-seeding"
	seedBatch    = "seed-batch"
	closeSeeding = "close-seeding"

	openReconciliation  = "open-reconciliation"
	indexManifest       = "index-manifest"
	scanTarget          = "scan-target"
	matchNames          = "match-names"
	compareBucket       = "compare-bucket"
	closeReconciliation = "close-reconciliation"
	settleUsers         = "settle-users"

	openTail   = "open-tail"
	writeTail  = "write-tail"
	importTail = "import-tail"
	closeTail  = "close-tail"

	guardSignup = "guard-signup"
	welcomeUser = "welcome-user"
	legacyClaim = "legacy-claim"
)

// deployment is a function as infra deploys it.
type deployment struct {
	name     string
	policies []string // of its execution role, in package infra
	timeout  time.Duration
	build    func(context.Context, lambdas.Environment) (awslambda.Handler, error)
}

// deployments are all functions. Cognito waits five seconds for those that it calls.
var deployments = []deployment{
	{migrateUser, []string{infra.MigrateUser}, 5 * time.Second, lambdas.MigrateUser},
	{planSeeding, []string{infra.Seeding, infra.StagingKeyUse}, time.Minute, lambdas.PlanSeeding},
	{seedBatch, []string{infra.Seeding, infra.SeedingSweep, infra.StagingKeyUse}, 70 * time.Second, lambdas.SeedBatch},
	{closeSeeding, []string{infra.Seeding, infra.SeedingSweep, infra.StagingKeyUse}, 2 * time.Minute, lambdas.CloseSeeding},
	{openReconciliation, []string{infra.Reconciliation, infra.TargetDirectory, infra.TargetSettings, infra.StagingKeyUse}, 110 * time.Second, lambdas.OpenReconciliation},
	{indexManifest, []string{infra.Reconciliation, infra.StagingKeyUse}, 260 * time.Second, lambdas.IndexManifest},
	{scanTarget, []string{infra.Reconciliation, infra.TargetDirectory, infra.StagingKeyUse}, 270 * time.Second, lambdas.ScanTarget},
	{matchNames, []string{infra.Reconciliation, infra.StagingKeyUse}, 590 * time.Second, lambdas.MatchNames},
	{compareBucket, []string{infra.Reconciliation, infra.StagingKeyUse}, 260 * time.Second, lambdas.CompareBucket},
	{closeReconciliation, []string{infra.Reconciliation, infra.ReconciliationSweep, infra.StagingKeyUse}, 890 * time.Second, lambdas.CloseReconciliation},
	{settleUsers, []string{infra.Settle, infra.StagingKeyUse}, 890 * time.Second, lambdas.SettleUsers},
	{openTail, []string{infra.Reconciliation, infra.StagingKeyUse}, 300 * time.Second, lambdas.OpenTail},
	{writeTail, []string{infra.Reconciliation, infra.StagingKeyUse}, 890 * time.Second, lambdas.WriteTail},
	{importTail, []string{infra.Reconciliation, infra.TailJobs, infra.StagingKeyUse}, 890 * time.Second, lambdas.ImportTail},
	{closeTail, []string{infra.Reconciliation, infra.StagingKeyUse}, 300 * time.Second, lambdas.CloseTail},
	{guardSignup, []string{infra.GuardSignup, infra.StagingKeyRead}, 5 * time.Second, lambdas.GuardSignup},
	{welcomeUser, []string{infra.WelcomeUser, infra.StagingKeyRead}, 5 * time.Second, lambdas.WelcomeUser},
	{legacyClaim, []string{infra.LogsOnly}, 5 * time.Second, lambdas.LegacyClaim},
}

// called are the functions that the target pool calls, while the migration
// lasts.
var called = []string{migrateUser, guardSignup, welcomeUser, legacyClaim}

// Binaries finds the built functions in a folder as make build leaves them,
// FOLDER/NAME-ARCH/bootstrap. The error names the one that is missing.
func Binaries(folder string) (map[string]string, error) {
	paths := make(map[string]string)
	for _, d := range deployments {
		path := filepath.Join(folder, d.name+"-"+runtime.GOARCH, "bootstrap")
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("function %s: %w", d.name, err)
		}
		paths[d.name] = path
	}
	return paths, nil
}

// addFunctions adds the functions, and attaches the triggers to the target pool.
func (w *World) addFunctions() error {
	for _, d := range deployments {
		var permissions []lambda.Permission
		if slices.Contains(called, d.name) {
			permissions = []lambda.Permission{{
				Service: cognitoPrincipal, SourceARN: poolARN(w.Target), SourceAccount: w.Target.Account,
			}}
		}
		_, err := w.Sandbox.Lambda.Add(lambda.Function{
			Account: w.Target.Account, Region: w.Target.Region, Name: d.name, Timeout: d.timeout,
			RoleARN: roleARN(w.Target.Account, roleOf(d.name)), Permissions: permissions, Runner: &function{world: w, deployment: d},
			Environment: map[string]string{config.EnvName: string(w.YAML)},
		})
		if err != nil {
			return err
		}
	}
	return w.Cognito.SetTriggers(w.Target.PoolID, cognitoidp.Triggers{
		UserMigration: w.functionARN(migrateUser), PreSignUp: w.functionARN(guardSignup),
		PostAuthentication: w.functionARN(welcomeUser), PreTokenGeneration: w.functionARN(legacyClaim),
	})
}

// roleOf names the execution role of a function.
func roleOf(function string) string { return "poolferry-" + function }

func (w *World) functionARN(name string) string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", w.Target.Region, w.Target.Account, name)
}

// function runs a deployment, in process or as the built binary. It is built
// when it is first needed, as Lambda starts a process: by then the sandbox has
// an endpoint and the role has credentials.
type function struct {
	world *World
	deployment

	mu      sync.Mutex
	runner  lambda.Runner
	builtBy string // access key of the credentials
}

var _ lambda.Runner = (*function)(nil)

// Invoke implements lambda.Runner.
func (f *function) Invoke(ctx context.Context, in lambda.Invocation) ([]byte, error) {
	runner, err := f.built(ctx, in.Credentials)
	if err != nil {
		return nil, &lambda.FunctionError{Type: "Runtime.ExitError", Message: err.Error()}
	}
	return runner.Invoke(ctx, in)
}

// built returns the running function: a binary takes new credentials by itself,
// in process the function is built anew when they were renewed.
func (f *function) built(ctx context.Context, credentials iam.Credentials) (lambda.Runner, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.world.options
	binary := o.Binaries[f.name]
	switch {
	case f.runner != nil && (binary != "" || f.builtBy == credentials.AccessKeyID):
		return f.runner, nil
	case binary != "":
		var env []string
		for name, value := range f.world.deployed() {
			env = append(env, name+"="+value)
		}
		f.runner = lambda.NewBinary(binary, env, o.FunctionLog)
		return f.runner, nil
	}
	// The function outlives the event that happens to start it.
	handler, err := f.build(context.WithoutCancel(ctx), lambdas.Environment{
		Lookup: f.world.env(credentials), Stdout: o.FunctionLog, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	f.runner, f.builtBy = lambda.InProcess(raw(handler)), credentials.AccessKeyID
	return f.runner, nil
}

// Close ends the binary's processes.
func (f *function) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if closer, ok := f.runner.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// raw is a handler of bytes as one of JSON.
func raw(h awslambda.Handler) func(context.Context, json.RawMessage) (json.RawMessage, error) {
	return func(ctx context.Context, in json.RawMessage) (json.RawMessage, error) { return h.Invoke(ctx, in) }
}
