// Package rehearsal builds the world of a migration on the sandbox: two
// accounts in two regions, a source pool full of awkward users, an empty target
// pool whose migration trigger is the real function, roles with the policies
// that infra deploys, and the poolferry.yaml that ties them together.
//
// Vocabulary: a site is one of the two pools with its account, region and app
// client; an operator is the user of an account as whom a person works there;
// the tap shows every answer that leaves the sandbox to somebody.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/pquerna/otp/totp"

	"poolferry/infra"
	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/cloudwatch"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/cognitoidp/triggers"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/lambda"
	"poolferry/internal/sandbox/logs"
	"poolferry/internal/sandbox/s3"
	"poolferry/internal/sandbox/scheduler"
	"poolferry/internal/sandbox/secretsmanager"
	"poolferry/internal/sandbox/servicequotas"
	"poolferry/internal/sandbox/sns"
	"poolferry/internal/sandbox/states"
	"poolferry/internal/sandbox/states/integration"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// Options says which world to build. The zero value is one without users.
type Options struct {
	Users   int
	Seed    uint64
	Shape   crowd.Shape // of both pools; empty means crowd.Alias
	Latency knobs.Latency
	Faults  string // as knobs.ParseFaults reads it
	Quotas  bool
	Speed   float64 // how many seconds of a state machine's waits pass in one; 0 means 1
	// Schedule is when reconciliations begin by themselves, such as
	// cron(0 * * * ? *); empty means practically never.
	Schedule string
	Addr     string // loopback address; empty means a free port
	Now      func() time.Time

	// SecretsManager keeps the secrets where infra has them; otherwise they are in
	// the environment.
	SecretsManager bool

	// LeastOperator has the target's operator work under the policy that infra has
	// for who runs the command line tool; otherwise operators may do everything.
	LeastOperator bool
	// ImportPace is how fast import jobs are; zero is as fast as by default.
	ImportPace cognitoidp.ImportPace
	// MigrationSignUp is the trigger source with which the guard sees a migration,
	// as cognitoidp.Options has it.
	MigrationSignUp string

	// Change is applied to the configuration; nil changes nothing.
	Change func(*config.Config)
	// Pool is applied to what each pool is made from, target or source; nil
	// changes nothing.
	Pool func(target bool, spec *cognitoidp.PoolSpec)

	FunctionLog io.Writer // what functions and state machines log; nil discards
	RequestLog  io.Writer // a line of JSON per call; nil discards
	// Tap is shown every answer, with the name of its operation. It is called
	// concurrently. World.Endpoint is then not at Addr.
	Tap func(operation string, body []byte)
	// Binaries are the paths of built functions, by name. The others run in
	// process.
	Binaries map[string]string
}

// Site is one pool and how to get there.
type Site struct {
	Label    string // source or target
	Account  string // 12 digits
	Region   string
	PoolID   string
	Client   cognitoidp.Client // at the source that of the migration, at the target that of the app
	Operator iam.Credentials   // of who works with poolferry
	// Administrator may do everything in the account, but is nobody whom roles of the
	// other account trust.
	Administrator iam.Credentials
}

// World is a running rehearsal.
type World struct {
	Endpoint       string
	Sandbox        *sandbox.Sandbox
	Cognito        *cognitoidp.Service
	S3             *s3.Service
	States         *states.Service
	Scheduler      *scheduler.Service
	SNS            *sns.Service
	SecretsManager *secretsmanager.Service
	Logs           *logs.Service
	Quotas         *servicequotas.Service
	CloudWatch     *cloudwatch.Service
	Source         Site
	Target         Site
	People         []crowd.Person
	YAML           []byte // the poolferry.yaml
	Config         *config.Config
	Secrets        config.Secrets

	options        Options
	roleARNs       []string
	secretPolicies []policy // of the migration trigger
	namePolicies   []policy // of whoever hashes names
	calls          *callCounter
	front          *http.Server // of the tap, nil without one
}

const (
	sourceAccount = "111111111111"
	sourceRegion  = "eu-west-1"
	targetAccount = "222222222222"
	targetRegion  = "eu-central-1"
)

// New builds and starts a world. Close it.
func New(ctx context.Context, o Options) (*World, error) {
	faults, err := knobs.ParseFaults(o.Faults)
	if err != nil {
		return nil, err
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	for _, w := range []*io.Writer{&o.FunctionLog, &o.RequestLog} {
		if *w == nil {
			*w = io.Discard
		}
	}
	metrics := cloudwatch.New(cloudwatch.Options{Account: targetAccount, Region: targetRegion, Now: o.Now})
	o.FunctionLog = io.MultiWriter(o.FunctionLog, metrics) // as CloudWatch finds metrics in logs
	w := &World{
		options: o, CloudWatch: metrics,
		Source: Site{Label: "source", Account: sourceAccount, Region: sourceRegion},
		Target: Site{Label: "target", Account: targetAccount, Region: targetRegion},
		calls:  &callCounter{},
	}
	log := slog.New(counting{slog.NewJSONHandler(o.RequestLog, nil), w.calls})
	w.Sandbox = sandbox.New(sandbox.Options{
		Seed: o.Seed, Latency: o.Latency, Home: targetRegion, Quotas: o.Quotas, Faults: faults, Now: o.Now, Log: log,
	})
	w.Cognito = cognitoidp.New(cognitoidp.Options{
		Now: o.Now, Seed: o.Seed, Log: log,
		Lambda:     trigger{w.Sandbox.Lambda},
		Endpoint:   func() string { return w.Endpoint },
		ImportPace: o.ImportPace, MigrationSignUp: o.MigrationSignUp,
		ImportLog: func(d cognitoidp.Destination) (func([]string) error, error) {
			return w.Logs.Open(w.Sandbox.IAM, logs.Delivery{
				Service: cognitoPrincipal, SourceARN: d.PoolARN, RoleARN: d.RoleARN,
				Account: d.Account, Region: d.Region, Group: d.Group, Stream: d.Stream,
			})
		},
	})
	w.S3 = s3.New(o.Now)
	w.SNS = sns.New(o.Now)
	w.SecretsManager = secretsmanager.New(o.Now)
	w.Logs = logs.New(o.Now)
	w.Quotas = servicequotas.New()
	for _, category := range []string{"UserRead", "UserUpdate", "UserResourceRead", "UserResourceUpdate"} {
		w.Quotas.Set(w.Target.Account, w.Target.Region, category, 2*unhurried) // as quota_raised says
	}
	w.Scheduler = scheduler.New(scheduler.Options{
		Now: o.Now, Roles: w.Sandbox.IAM,
		StepFunctions: func(ctx context.Context, call *wire.Call) (*wire.Reply, error) { return w.States.Serve(ctx, call) },
		Inject:        func() knobs.Injection { return w.Sandbox.Inject("scheduler") },
	})
	integrations := map[string]integration.Integration{}
	maps.Copy(integrations, w.SNS.Integrations())
	maps.Copy(integrations, w.Scheduler.Integrations())
	w.States = states.New(states.Options{
		Now: o.Now, Roles: w.Sandbox.IAM, Lambda: w.Sandbox.Lambda, Objects: w.S3, Integrations: integrations, Speed: o.Speed, Logs: o.FunctionLog,
		Inject: func() knobs.Injection { return w.Sandbox.Inject("states") },
	})
	if err := w.build(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("build the rehearsal: %w", err), w.Close())
	}
	return w, nil
}

func (w *World) build(ctx context.Context) error {
	steps := []func() error{
		func() error { return w.Sandbox.Register(w.Cognito) },
		func() error { return w.Sandbox.Register(w.S3) },
		func() error { return w.Sandbox.Register(w.States) },
		func() error { return w.Sandbox.Register(w.Scheduler) },
		func() error { return w.Sandbox.Register(w.SNS) },
		func() error { return w.Sandbox.Register(w.SecretsManager) },
		func() error { return w.Sandbox.Register(w.Logs) },
		func() error { return w.Sandbox.Register(w.Quotas) },
		func() error { return w.Sandbox.Register(w.CloudWatch) },
		func() error { return w.Sandbox.AddAccount(w.Source.Label, w.Source.Account) },
		func() error { return w.Sandbox.AddAccount(w.Target.Label, w.Target.Account) },
		w.createPools,
		w.createSecrets,
		w.createRoles,
		func() error { return w.configure(ctx) },
		w.createBucket,
		w.addFunctions,
		w.addTopic,
		func() error { return w.addMachines(ctx) },
		func() error { return w.addSchedule(ctx) },
		w.listen,
		func() error { return w.settle(ctx) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// createBucket makes the staging bucket as infra does.
func (w *World) createBucket() error {
	bucket := w.Config.Staging.Bucket
	if err := w.S3.CreateBucket(w.Target.Account, w.Target.Region, bucket); err != nil {
		return err
	}
	key := w.stagingKey()
	policy, err := infra.Render(infra.StagingBucket, map[string]string{"staging_bucket_arn": bucketARN, "staging_key_arn": key})
	if err != nil {
		return err
	}
	return w.S3.Configure(bucket, func(c *s3.Configuration) {
		c.Policy, c.KMSKey, c.Versioned = string(policy), key, true
		c.ExpirePrefix, c.ExpireDays, c.ExpireNoncurrent = "runs/", 90, 7
	})
}

// stagingKey is the ARN of the key that encrypts the staging bucket.
func (w *World) stagingKey() string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:key/00000000-0000-4000-8000-000000000001", w.Target.Region, w.Target.Account)
}

// settle puts the people into the source pool.
func (w *World) settle(ctx context.Context) error {
	w.People = slices.Collect(crowd.New(crowd.Spec{Seed: w.options.Seed, Users: w.options.Users, Shape: w.options.Shape}))
	for _, p := range w.People {
		if err := ctx.Err(); err != nil {
			return err
		}
		spec := cognitoidp.UserSpec{
			Username: p.User.Username, Sub: p.User.Sub, Attributes: p.User.Attributes, Password: p.Password,
			Status: p.User.Status, Disabled: !p.User.Enabled, Groups: p.User.Groups,
			SMSMFA: slices.Contains(p.User.MFA, "SMS_MFA"), TOTPSecret: p.TOTP,
		}
		if p.User.Status == userpool.StatusExternalProvider {
			spec.Password = userpool.Secret{} // nobody has one for a federated user
		}
		if len(p.User.MFA) > 0 {
			spec.Preferred = p.User.MFA[0]
		}
		if _, err := w.Cognito.PutUser(w.Source.PoolID, spec); err != nil {
			return fmt.Errorf("%s %d: %w", p.Kind, p.Index, err)
		}
	}
	return nil
}

// listen starts the endpoint. A tap gets one of its own, in front of the
// sandbox's, which is not used then.
func (w *World) listen() (err error) {
	if w.Endpoint, err = w.Sandbox.Start(w.options.Addr); err != nil || w.options.Tap == nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the tap: %w", err)
	}
	w.Endpoint = "http://" + listener.Addr().String()
	w.front = &http.Server{Handler: tapped{w.Sandbox, w.options.Tap}, ReadHeaderTimeout: time.Minute}
	go func() { _ = w.front.Serve(listener) }() // ends with ErrServerClosed
	return nil
}

// Close ends the world.
func (w *World) Close() error {
	var errs []error
	if w.front != nil {
		errs = append(errs, w.front.Close())
	}
	return errors.Join(append(errs, w.Sandbox.Close())...)
}

// App returns the people's app at the target.
func (w *World) App(ctx context.Context) (*cognito.App, error) {
	account, err := cognito.NewAccount(ctx, w.Target.Region, w.env(w.Target.Operator))
	if err != nil {
		return nil, err
	}
	return cognito.NewApp(account, w.Target.Region, w.Target.Client.ID, w.Target.Client.Secret), nil
}

// OperatorEnv is the environment of the target's operator.
func (w *World) OperatorEnv() func(string) (string, bool) {
	env := w.env(w.Target.Operator)
	return func(name string) (string, bool) {
		if name == probePasswordName {
			return w.ProbePassword().Reveal(), true
		}
		return env(name)
	}
}

// env is the environment of a process that works with the credentials.
func (w *World) env(c iam.Credentials) func(string) (string, bool) {
	vars := w.deployed()
	vars["AWS_REGION"] = w.Target.Region
	vars["AWS_ACCESS_KEY_ID"] = c.AccessKeyID
	vars["AWS_SECRET_ACCESS_KEY"] = c.SecretAccessKey.Reveal()
	vars["AWS_SESSION_TOKEN"] = c.SessionToken.Reveal()
	return func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok && value != ""
	}
}

// deployed are the variables that a function's configuration sets; the others
// come from Lambda.
func (w *World) deployed() map[string]string {
	vars := map[string]string{"AWS_ENDPOINT_URL": w.Endpoint, config.EnvName: string(w.YAML)}
	if !w.options.SecretsManager {
		vars[clientSecretName], vars[nameKeyName] = w.Source.Client.Secret.Reveal(), w.Secrets.NameKey.Reveal()
	}
	return vars
}

// LastCode is the code in the last message that the target sent to a person.
func (w *World) LastCode(p crowd.Person) (userpool.Secret, bool) {
	m, ok := w.Cognito.LastMessage(w.Target.PoolID, p.Name)
	return m.Code, ok && !m.Code.Empty()
}

// TOTP is what the person's authenticator app shows now.
func (w *World) TOTP(p crowd.Person) userpool.Secret {
	code, err := totp.GenerateCode(p.TOTP.Reveal(), w.options.Now())
	if err != nil {
		return userpool.Secret{} // a crowd's secrets are base32
	}
	return userpool.NewSecret(code)
}

// Count returns the number of users of both pools.
func (w *World) Count() (source, target int) {
	return w.Cognito.Count(w.Source.PoolID), w.Cognito.Count(w.Target.PoolID)
}

// SourceSignIns is how often anybody tried a password at the source.
func (w *World) SourceSignIns() int { return w.calls.of(w.Source.Account, "AdminInitiateAuth") }

func poolARN(s Site) string {
	return fmt.Sprintf("arn:aws:cognito-idp:%s:%s:userpool/%s", s.Region, s.Account, s.PoolID)
}

// Cognito must recognise what a function reports, or it would not call again.
var _ triggers.FunctionError = (*lambda.FunctionError)(nil)

// cognitoPrincipal is who calls functions and writes logs for a pool.
const cognitoPrincipal = "cognito-idp.amazonaws.com"

// trigger invokes functions as Cognito does on behalf of a pool, so that their
// resource policies count.
type trigger struct{ lambda *lambda.Service }

func (t trigger) Invoke(ctx context.Context, poolARN, arn string, payload []byte) ([]byte, error) {
	return t.lambda.InvokeFrom(ctx, lambda.Source{Service: cognitoPrincipal, ARN: poolARN}, arn, payload)
}
