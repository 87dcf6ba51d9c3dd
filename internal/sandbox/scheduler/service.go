package scheduler

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

const (
	signingName   = "scheduler"
	schedulesPath = "/schedules"
	defaultGroup  = "default"
)

// Roles are IAM's: iam.Directory.
type Roles interface {
	Session(roleARN, sessionName string, life time.Duration) (iam.Credentials, error)
	Lookup(accessKey, sessionToken string) (wire.Caller, userpool.Secret, error)
	Authorize(c wire.Caller, action, resource string) error
}

// Options are what a Service needs.
type Options struct {
	Now   func() time.Time
	Roles Roles
	// StepFunctions answers StartExecution, called by the role of a schedule's
	// target: states.Service.Serve. That service is made after this one, whose
	// Integrations it needs.
	StepFunctions func(ctx context.Context, call *wire.Call) (*wire.Reply, error)
	// Inject draws the faults of one firing; nil means none. In a sandbox:
	// func() knobs.Injection { return s.Inject("scheduler") }.
	Inject func() knobs.Injection
	// Speed is how many seconds pass on the clock of the schedules in one second
	// of real time; 0 means 1. That clock starts at Now, and all dates of the API
	// are by it.
	Speed float64
}

// Service is EventBridge Scheduler in all accounts and regions. It is safe for
// concurrent use.
type Service struct {
	o     Options
	epoch time.Time // when the clock of the schedules began to run

	mu        sync.Mutex
	closed    bool
	schedules map[string]*schedule // by ARN
	deleted   map[string]bool      // ARN and client token of deletions
	counts    Counts

	work sync.WaitGroup // deliveries; added to while mu is held and closed is false
	stop context.CancelFunc
	life context.Context //nolint:containedctx // of all deliveries: nobody waits for them
}

// Counts is what schedules have done since the service was made, in the terms
// of the CloudWatch metrics of the service.
type Counts struct {
	Firings      int64 // a copy is none
	Copies       int64 // firings that were delivered twice
	Attempts     int64 // InvocationAttemptCount
	TargetErrors int64 // attempts that the role or the target refused
	Dropped      int64 // InvocationDroppedCount: deliveries that were given up
	DeadLetters  int64 // of these, those that went to the dead-letter queue
}

var _ wire.Service = (*Service)(nil)

// New returns a Service without schedules.
func New(o Options) *Service {
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.Inject == nil {
		o.Inject = func() knobs.Injection { return knobs.Injection{} }
	}
	s := &Service{o: o, epoch: o.Now(), schedules: map[string]*schedule{}, deleted: map[string]bool{}}
	s.life, s.stop = context.WithCancel(context.Background())
	return s
}

// clock is the time of the schedules.
func (s *Service) clock() time.Time {
	return s.epoch.Add(time.Duration(float64(s.o.Now().Sub(s.epoch)) * s.o.Speed))
}

// real is how long a time on the schedules' clock takes.
func (s *Service) real(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.o.Speed)
}

// Counts returns what was done so far.
func (s *Service) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Close stops all schedules and deliveries and waits for their ends.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, sc := range s.schedules {
		sc.disarm()
	}
	s.mu.Unlock()
	s.stop()
	s.work.Wait()
	return nil
}

// Name is the signing name.
func (*Service) Name() string { return signingName }

// Protocol is REST JSON.
func (*Service) Protocol() wire.Protocol { return wire.RESTJSON }

// Home finds nothing: every call must be signed.
func (*Service) Home(string, []byte) (account, region string, ok bool) { return "", "", false }

// Quota is the rate of each operation in the smaller regions (EventBridge
// Scheduler User Guide, quotas).
func (*Service) Quota(operation string) (category string, perSecond float64) { return operation, 250 }

// FaultTargets says that the service as a whole can meet duplicate firings.
func (*Service) FaultTargets() map[string][]knobs.Kind {
	return map[string][]knobs.Kind{"": {knobs.Duplicate}}
}

// operation is what serves a request.
type operation struct {
	method string
	path   *regexp.Regexp
	query  []string // parameters
	serve  func(s *Service, c caller, r request) (any, error)
}

var (
	onePath = regexp.MustCompile(`^` + schedulesPath + `/[^/]+$`)
	allPath = regexp.MustCompile(`^` + schedulesPath + `/?$`)
)

var operations = map[string]operation{
	"CreateSchedule": {http.MethodPost, onePath, nil, (*Service).createCall},
	"DeleteSchedule": {http.MethodDelete, onePath, []string{"clientToken", "groupName"}, (*Service).deleteCall},
	"GetSchedule":    {http.MethodGet, onePath, []string{"groupName"}, (*Service).getCall},
	"ListSchedules":  {http.MethodGet, allPath, []string{"MaxResults", "NamePrefix", "NextToken", "ScheduleGroup", "State"}, (*Service).listCall},
	"UpdateSchedule": {http.MethodPut, onePath, nil, (*Service).updateCall},
}

// Operations are those of the API that are served.
func (*Service) Operations() []string { return slices.Sorted(maps.Keys(operations)) }

// Operation tells the operation from method and path.
func (*Service) Operation(r *http.Request, _ []byte) (string, error) {
	for name, op := range operations {
		if r.Method == op.method && op.path.MatchString(r.URL.EscapedPath()) {
			return name, nil
		}
	}
	return "", wire.Unsupported("Scheduler request", r.Method+" "+r.URL.Path)
}

// caller is who asks: a signed call or a Task.
type caller struct {
	account, region string
	authorize       func(action, resource string) error
}

// arn is that of a schedule.
func (c caller) arn(name string) string {
	return "arn:aws:scheduler:" + c.region + ":" + c.account + ":schedule/" + defaultGroup + "/" + name
}

// request is a call taken apart.
type request struct {
	name  string // of the schedule
	query url.Values
	body  []byte
}

// Serve answers a call.
func (s *Service) Serve(_ context.Context, call *wire.Call) (*wire.Reply, error) {
	op, ok := operations[call.Operation]
	if !ok {
		return nil, wire.Unsupported("Scheduler operation", call.Operation)
	}
	r := request{body: call.Body}
	var err error
	if r.name, err = url.PathUnescape(strings.Trim(strings.TrimPrefix(call.Path, schedulesPath), "/")); err != nil {
		return nil, invalid("malformed path")
	}
	if r.query, err = url.ParseQuery(call.Query); err != nil {
		return nil, invalid("malformed query")
	}
	for name := range r.query {
		if !slices.Contains(op.query, name) {
			return nil, wire.Unsupported("parameter", name)
		}
	}
	out, err := op.serve(s, caller{call.Account, call.Region, call.Authorize}, r)
	if err != nil {
		return nil, err
	}
	return wire.JSONReply(out)
}

func invalid(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "ValidationException", format, args...)
}

func notFound(format string, args ...any) error {
	return wire.Errorf(http.StatusNotFound, "ResourceNotFoundException", format, args...)
}

func conflict(format string, args ...any) error {
	return wire.Errorf(http.StatusConflict, "ConflictException", format, args...)
}
