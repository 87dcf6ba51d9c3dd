package secretsmanager

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

const (
	signingName = "secretsmanager"
	target      = "secretsmanager."
	prefix      = "arn:aws:secretsmanager:"
	maxID       = 2048 // characters of a secret id (Secrets Manager API reference, GetSecretValue)
)

// place is where secrets are.
type place struct{ account, region string }

// version is one value of a secret.
type version struct {
	id    string
	value userpool.Secret
	at    time.Time
}

// secret is a secret; the last version is the current one.
type secret struct {
	name, arn string
	versions  []version
}

// Service is Secrets Manager in all accounts and regions. It is safe for
// concurrent use.
type Service struct {
	now func() time.Time

	mu      sync.Mutex
	secrets map[place]map[string]*secret // by name
}

var _ wire.Service = (*Service)(nil)

// New returns a Service without secrets.
func New(now func() time.Time) *Service {
	return &Service{now: now, secrets: map[place]map[string]*secret{}}
}

// secretName is what a name may consist of (Secrets Manager API reference,
// CreateSecret).
var secretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)

// CreateSecret makes a secret and returns its ARN. The suffix depends on place
// and name only, so that a policy can be written ahead.
func (s *Service) CreateSecret(account, region, name string, value userpool.Secret) (string, error) {
	if !secretName.MatchString(name) {
		return "", wire.Errorf(http.StatusBadRequest, "ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	if value.Empty() {
		return "", invalidParameter("You must provide either SecretString or SecretBinary.")
	}
	p := place{account, region}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secrets[p] == nil {
		s.secrets[p] = map[string]*secret{}
	}
	if s.secrets[p][name] != nil {
		return "", wire.Errorf(http.StatusBadRequest, "ResourceExistsException", "The operation failed because the secret %s already exists.", name)
	}
	partial := prefix + region + ":" + account + ":secret:" + name
	sum := sha256.Sum256([]byte(partial))
	made := &secret{name: name, arn: partial + "-" + base32.StdEncoding.EncodeToString(sum[:])[:6]}
	made.put(value, s.now())
	s.secrets[p][name] = made
	return made.arn, nil
}

// PutSecretValue gives a secret a new current value. id is a secret id of the
// account in the region.
func (s *Service) PutSecretValue(account, region, id string, value userpool.Secret) error {
	if value.Empty() {
		return invalidParameter("You must provide either SecretString or SecretBinary.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.find(place{account, region}, id)
	if known == nil {
		return notFound()
	}
	known.put(value, s.now())
	return nil
}

func (s *secret) put(value userpool.Secret, at time.Time) {
	s.versions = append(s.versions, version{id: wire.NewID(), value: value, at: at})
}

// find returns the secret of an id; s.mu is held.
func (s *Service) find(p place, id string) *secret {
	if known := s.secrets[p][id]; known != nil {
		return known
	}
	for _, known := range s.secrets[p] {
		if id == known.arn || id == known.arn[:strings.LastIndex(known.arn, "-")] {
			return known
		}
	}
	return nil
}

// Name is the signing name.
func (*Service) Name() string { return signingName }

// Protocol is JSON 1.1.
func (*Service) Protocol() wire.Protocol { return wire.JSON11 }

// Home finds nothing: every call must be signed.
func (*Service) Home(string, []byte) (account, region string, ok bool) { return "", "", false }

// Quota is the rate at which secrets can be read (AWS Secrets Manager quotas).
func (*Service) Quota(operation string) (category string, perSecond float64) {
	return operation, 10_000
}

var operations = map[string]func(*Service, *wire.Call) (any, error){
	"GetSecretValue": (*Service).getSecretValue,
}

// Operations are those of the API that are served.
func (*Service) Operations() []string { return slices.Sorted(maps.Keys(operations)) }

// Operation reads X-Amz-Target.
func (*Service) Operation(r *http.Request, _ []byte) (string, error) {
	header := r.Header.Get("X-Amz-Target")
	name, ok := strings.CutPrefix(header, target)
	if operations[name] == nil || !ok {
		return "", wire.Unsupported("operation", header)
	}
	return name, nil
}

// Serve answers a call.
func (s *Service) Serve(_ context.Context, call *wire.Call) (*wire.Reply, error) {
	op := operations[call.Operation]
	if op == nil {
		return nil, wire.Unsupported("operation", call.Operation)
	}
	out, err := op(s, call)
	if err != nil {
		return nil, err
	}
	return wire.JSONReply(out)
}

// getSecretValue asks the caller's policies before it tells whether there is
// such a secret, about its ARN where there is one.
func (s *Service) getSecretValue(call *wire.Call) (any, error) {
	var in struct {
		SecretId     string
		VersionStage string
	}
	if err := wire.Decode(call.Body, &in); err != nil {
		return nil, err
	}
	if n := len(in.SecretId); n < 1 || n > maxID {
		return nil, wire.Errorf(http.StatusBadRequest, "ValidationException",
			"1 validation error detected: Value at 'secretId' failed to satisfy constraint: Member must have length between 1 and %d", maxID)
	}
	p := place{call.Account, call.Region}
	if rest, isARN := strings.CutPrefix(in.SecretId, "arn:"); isARN {
		parts := strings.Split(rest, ":")
		if len(parts) != 6 || parts[0] != "aws" || parts[1] != signingName || parts[4] != "secret" {
			return nil, wire.Errorf(http.StatusBadRequest, "ValidationException", "Invalid ARN.")
		}
		if parts[2] != call.Region {
			return nil, notFound()
		}
		if parts[3] != call.Account { // only a policy of the secret could allow that
			return nil, wire.Unsupported("secret of another account", in.SecretId)
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.find(p, in.SecretId)
	resource := in.SecretId
	switch {
	case known != nil:
		resource = known.arn
	case !strings.HasPrefix(resource, "arn:"):
		resource = prefix + call.Region + ":" + call.Account + ":secret:" + resource
	}
	if err := call.Authorize("secretsmanager:GetSecretValue", resource); err != nil {
		return nil, err
	}
	if known == nil {
		return nil, notFound()
	}
	at, stage := len(known.versions)-1, "AWSCURRENT"
	switch in.VersionStage {
	case "", stage:
	case "AWSPREVIOUS":
		at, stage = at-1, in.VersionStage
	default:
		at = -1
	}
	if at < 0 {
		return nil, wire.Errorf(http.StatusBadRequest, "ResourceNotFoundException",
			"Secrets Manager can't find the specified secret value for staging label: %s", in.VersionStage)
	}
	v := known.versions[at]
	return answer{
		ARN: known.arn, Name: known.name, VersionId: v.id, SecretString: v.value.Reveal(),
		VersionStages: []string{stage}, CreatedDate: float64(v.at.UnixMilli()) / 1000,
	}, nil
}

// answer is that of GetSecretValue.
type answer struct {
	ARN           string
	Name          string
	VersionId     string
	SecretString  string
	VersionStages []string
	CreatedDate   float64 // seconds
}

func notFound() error {
	return wire.Errorf(http.StatusBadRequest, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

func invalidParameter(why string) error {
	return wire.Errorf(http.StatusBadRequest, "InvalidParameterException", "%s", why)
}
