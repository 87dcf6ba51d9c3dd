package states

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/s3"
	"poolferry/internal/sandbox/states/integration"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

const (
	signingName = "states"
	targetStart = "AWSStepFunctions."
)

// Roles are IAM's: iam.Directory.
type Roles interface {
	Session(roleARN, sessionName string, life time.Duration) (iam.Credentials, error)
	Lookup(accessKey, sessionToken string) (wire.Caller, userpool.Secret, error)
	Authorize(c wire.Caller, action, resource string) error
}

// Objects is S3 on behalf of an account in a region: s3.Service. Errors are
// *wire.Error.
type Objects interface {
	GetObject(account, region, bucket, key string) ([]byte, error)
	ListObjects(account, region, bucket, prefix string) ([]s3.Object, error)
	PutObject(ctx context.Context, account, region, bucket, key string, body []byte) error
}

// Options are what a Service needs.
type Options struct {
	Now   func() time.Time
	Roles Roles
	// Lambda answers lambda:invoke and Tasks whose resource is a function; nil
	// means that definitions with these are refused.
	Lambda integration.Functions
	// Integrations answer further resources, by the part of the ARN after
	// "arn:aws:states:::", such as "sns:publish" or
	// "aws-sdk:scheduler:updateSchedule".
	Integrations map[string]integration.Integration
	// Objects is S3 for ItemReader and ResultWriter; nil means that definitions
	// with these are refused.
	Objects Objects
	// Inject draws the faults of one asynchronous EXPRESS execution; nil means
	// none. In a sandbox: func() knobs.Injection { return s.Inject("states") }.
	Inject func() knobs.Injection
	// Speed is how many seconds of Wait states and of delays before retries pass
	// in one second of real time; 0 means 1. Timeouts keep their length.
	Speed float64
	// Logs gets the history of EXPRESS executions as CloudWatch Logs would get
	// it, one JSON object per line, as far as the machine's loggingConfiguration
	// asks for it; nil means nowhere.
	Logs io.Writer
}

// Service is Step Functions in all accounts and regions. It is safe for
// concurrent use.
type Service struct {
	o         Options
	resources resources

	logs sync.Mutex // held while writing to Options.Logs

	mu         sync.Mutex
	closed     bool
	machines   map[string]*machine   // by ARN
	executions map[string]*execution // STANDARD, by ARN
	mapRuns    map[string]*mapRun    // by ARN
	running    int                   // copies of executions that have not ended
	idle       chan struct{}         // closed when none is running
	stop       context.CancelFunc
	life       context.Context //nolint:containedctx // of all executions: they outlive the calls that start them
	counts     Counts
}

// Counts is what executions have done since the service was made.
type Counts struct {
	Executions  int64 // started, EXPRESS and STANDARD, children as well; a copy is none
	Children    int64 // of these, started by Map Runs
	Copies      int64 // EXPRESS executions that were delivered twice
	Transitions int64 // states entered by executions that have ended
}

// New returns a Service without machines.
func New(o Options) *Service {
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.Inject == nil {
		o.Inject = func() knobs.Injection { return knobs.Injection{} }
	}
	s := &Service{o: o, machines: map[string]*machine{}, executions: map[string]*execution{}, mapRuns: map[string]*mapRun{}, idle: make(chan struct{})}
	close(s.idle)
	s.life, s.stop = context.WithCancel(context.Background())
	s.resources = resources{all: s.own(), s3: o.Objects != nil}
	if o.Lambda != nil {
		s.resources.all["lambda:invoke"] = integration.Lambda(o.Lambda, o.Now)
	}
	maps.Copy(s.resources.all, o.Integrations)
	return s
}

// resources are what definitions may name.
type resources struct {
	all map[string]integration.Integration
	s3  bool
}

// Parameters are those that a resource takes.
func (r resources) Parameters(name string) (required, optional []string, ok bool) {
	i, ok := r.all[name]
	return i.Required, i.Optional, ok
}

// Objects reports whether there is an S3.
func (r resources) Objects() bool { return r.s3 }

// Counts returns what was done so far.
func (s *Service) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Close stops all executions and waits for their ends. No execution can be
// started afterwards.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	return s.Wait(context.Background())
}

// Wait returns when no execution is running, or with ctx.
func (s *Service) Wait(ctx context.Context) error {
	s.mu.Lock()
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for executions: %w", ctx.Err())
	}
}

// enter and leave count the copies that run; s.mu is held.
func (s *Service) enter() {
	if s.running == 0 {
		s.idle = make(chan struct{})
	}
	s.running++
}

func (s *Service) leave() {
	if s.running--; s.running == 0 {
		close(s.idle)
	}
}

// sleep waits for Wait states and before retries.
func (s *Service) sleep(ctx context.Context, d time.Duration) error {
	return knobs.Sleep(ctx, time.Duration(float64(d)/s.o.Speed))
}

func random() float64 { return rand.Float64() } //nolint:gosec // jitter

// Name is the signing name.
func (*Service) Name() string { return signingName }

// Protocol is JSON 1.0.
func (*Service) Protocol() wire.Protocol { return wire.JSON10 }

// Home finds nothing: every call must be signed.
func (*Service) Home(string, []byte) (account, region string, ok bool) { return "", "", false }

// Quota is the bucket of StartExecution's refill, as for STANDARD in the large
// regions; other operations are not limited (Step Functions quotas).
func (*Service) Quota(operation string) (category string, perSecond float64) {
	if operation == "StartExecution" {
		return operation, 300
	}
	return "", 0
}

// FaultTargets says that the service as a whole can meet duplicate executions.
func (*Service) FaultTargets() map[string][]knobs.Kind {
	return map[string][]knobs.Kind{"": {knobs.Duplicate}}
}

// Operations are those of the API that are served.
func (*Service) Operations() []string { return slices.Sorted(maps.Keys(operations)) }

// Operation reads X-Amz-Target.
func (*Service) Operation(r *http.Request, _ []byte) (string, error) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetStart)
	if _, known := operations[name]; !ok || !known {
		return "", wire.Unsupported("Step Functions operation", r.Header.Get("X-Amz-Target"))
	}
	return name, nil
}

type operation func(s *Service, ctx context.Context, call *wire.Call) (any, error)

var operations = map[string]operation{
	"CreateStateMachine":             handle((*Service).createStateMachine),
	"UpdateStateMachine":             handle((*Service).updateStateMachine),
	"DeleteStateMachine":             handle((*Service).deleteStateMachine),
	"DescribeStateMachine":           handle((*Service).describeStateMachine),
	"ListStateMachines":              handle((*Service).listStateMachines),
	"ValidateStateMachineDefinition": handle((*Service).validateDefinition),
	"StartExecution":                 handle((*Service).startExecution),
	"StartSyncExecution":             handle((*Service).startSyncExecution),
	"StopExecution":                  handle((*Service).stopExecution),
	"DescribeExecution":              handle((*Service).describeExecution),
	"ListExecutions":                 handle((*Service).listExecutions),
	"GetExecutionHistory":            handle((*Service).getExecutionHistory),
	"ListMapRuns":                    handle((*Service).listMapRuns),
	"DescribeMapRun":                 handle((*Service).describeMapRun),
	"UpdateMapRun":                   handle((*Service).updateMapRun),
}

func handle[In any](serve func(*Service, context.Context, *wire.Call, In) (any, error)) operation {
	return func(s *Service, ctx context.Context, call *wire.Call) (any, error) {
		var in In
		if err := wire.Decode(call.Body, &in); err != nil {
			return nil, err
		}
		return serve(s, ctx, call, in)
	}
}

// Serve answers a call.
func (s *Service) Serve(ctx context.Context, call *wire.Call) (*wire.Reply, error) {
	serve, ok := operations[call.Operation]
	if !ok {
		return nil, wire.Unsupported("Step Functions operation", call.Operation)
	}
	out, err := serve(s, ctx, call)
	if err != nil {
		return nil, err
	}
	return wire.JSONReply(out)
}

func refuse(code, format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, code, format, args...)
}

var errClosed = errors.New("the sandbox is closing")
