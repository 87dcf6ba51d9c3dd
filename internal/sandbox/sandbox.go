package sandbox

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/lambda"
	"poolferry/internal/sandbox/sts"
	"poolferry/internal/sandbox/wire"
)

// Options are the knobs of a sandbox. The zero value works: no faults, no
// latency, no quotas.
type Options struct {
	Seed    uint64        // makes faults and latency repeatable
	Latency knobs.Latency // empty means knobs.None
	Home    string        // region in which clients and functions run: calls into another one cross the WAN
	Quotas  bool          // enforce the request rates of AWS
	Faults  knobs.Faults  // checked by Start
	Now     func() time.Time
	Log     *slog.Logger // one line per call, never a body; nil means none
}

// Sandbox is the endpoint. Add accounts, services, users, roles and functions,
// then Start it.
type Sandbox struct {
	IAM    *iam.Directory
	Lambda *lambda.Service

	faults   knobs.Faults
	injector *knobs.Injector
	clock    *knobs.Clock
	quotas   *knobs.Quotas // nil where they are off
	now      func() time.Time
	log      *slog.Logger

	services map[string]wire.Service // by signing name
	labels   map[string]string       // account id → label
	server   *http.Server            // nil until started
}

// New returns a sandbox with IAM, STS and Lambda. Other services are
// registered, since they need those.
func New(o Options) *Sandbox {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sandbox{
		IAM:      iam.New(o.Now),
		faults:   o.Faults,
		injector: knobs.NewInjector(o.Faults, o.Seed),
		clock:    knobs.NewClock(o.Latency, o.Home, o.Seed),
		now:      o.Now,
		log:      o.Log,
		labels:   map[string]string{},
	}
	if o.Quotas {
		s.quotas = knobs.NewQuotas()
	}
	s.Lambda = lambda.New(lambda.Options{
		Now:     o.Now,
		Session: s.IAM.Session,
		Inject:  func(function string) knobs.Injection { return s.Inject("lambda."+function, "lambda") },
	})
	s.services = map[string]wire.Service{"lambda": s.Lambda, "sts": sts.New(s.IAM)}
	return s
}

// Register adds a service; before Start. A service may also be
//
//   - an http.Handler, which then answers unsigned GET requests, such as for
//     the keys of a user pool, and what its Uploads(*http.Request) bool, if it
//     has one, calls an upload to a pre-signed URL;
//   - an Operations() []string, which lets faults aim at its operations;
//   - a FaultTargets() map[string][]knobs.Kind: what else of it can meet which
//     faults, "" for the service as a whole, drawn by itself with Inject;
//   - an io.Closer, closed with the sandbox.
func (s *Sandbox) Register(service wire.Service) error {
	name := service.Name()
	if s.services[name] != nil {
		return fmt.Errorf("service %q is registered already", name)
	}
	s.services[name] = service
	return nil
}

var (
	labelShape   = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	accountShape = regexp.MustCompile(`^[0-9]{12}$`)
)

// AddAccount gives an account a label, so that faults can aim at its calls;
// before Start.
func (s *Sandbox) AddAccount(label, id string) error {
	if !labelShape.MatchString(label) || s.services[label] != nil {
		return fmt.Errorf("account label %q: want lower-case letters, digits and -, and not the name of a service", label)
	}
	if !accountShape.MatchString(id) {
		return fmt.Errorf("account %s: id %q: want 12 digits", label, id)
	}
	for known, other := range s.labels {
		if known == id || other == label {
			return fmt.Errorf("account %s (%s): label or id is taken by %s (%s)", label, id, other, known)
		}
	}
	s.labels[id] = label
	return nil
}

// Inject draws the faults of one event that the targets apply to; for services
// that meet faults outside of calls, such as functions and executions.
func (s *Sandbox) Inject(targets ...string) knobs.Injection { return s.injector.Draw(targets...) }

type (
	operationLister interface{ Operations() []string }
	faultTargeter   interface {
		FaultTargets() map[string][]knobs.Kind
	}
)

// faultKinds returns the kinds of faults that a target can meet.
func (s *Sandbox) faultKinds(target string) []knobs.Kind {
	scope, name, _ := strings.Cut(target, ".")
	if slices.Contains(slices.Collect(maps.Values(s.labels)), scope) {
		for _, service := range s.services {
			if name == "" || hasOperation(service, name) {
				return knobs.APIKinds()
			}
		}
		return nil
	}
	service := s.services[scope]
	if own, ok := service.(faultTargeter); ok {
		if kinds := own.FaultTargets()[name]; kinds != nil {
			return kinds
		}
	}
	if service != nil && (name == "" || hasOperation(service, name)) {
		return knobs.APIKinds()
	}
	return nil
}

func hasOperation(service wire.Service, name string) bool {
	lister, ok := service.(operationLister)
	return ok && slices.Contains(lister.Operations(), name)
}

// faultTargets are the targets that apply to a call. The service as a whole is
// left to a service that draws for itself.
func (s *Sandbox) faultTargets(service wire.Service, call *wire.Call) []string {
	targets := []string{service.Name() + "." + call.Operation}
	if own, ok := service.(faultTargeter); !ok || own.FaultTargets()[""] == nil {
		targets = append(targets, service.Name())
	}
	if label := s.labels[call.Account]; label != "" {
		targets = append(targets, label+"."+call.Operation, label)
	}
	return targets
}

// closeServices closes what services hold.
func (s *Sandbox) closeServices() []error {
	var errs []error
	for _, service := range s.services {
		if closer, ok := service.(io.Closer); ok {
			errs = append(errs, closer.Close())
		}
	}
	return errs
}
