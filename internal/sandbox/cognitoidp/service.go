// Package cognitoidp is Amazon Cognito user pools in the sandbox: the JSON 1.1
// API, the user-migration trigger, tokens and lockout, as far as a migration
// meets them. What it does not do it refuses loudly.
//
// Vocabulary: an operation is one API action; a signed operation is checked
// against the caller's policies on the pool's ARN, an unsigned one belongs to
// the app client or access token that it names. The sub-packages hold the
// parts: pool (settings, clients), schema, directory (users, groups), signin,
// tokens, srp, triggers, account (managing users), imports (from CSV files),
// listing (pages and filters).
//
// Known limits: no custom or choice-based flow, no devices, no passkeys, no
// threat protection; password history, rotation of refresh tokens and token
// triggers of version 2 on are kept as settings, and refused where they would
// count; CustomMessage and the sender triggers are stored but not
// called; AnalyticsMetadata, ContextData and
// UserContextData are accepted and ignored, since they only feed analytics and
// threat protection.
package cognitoidp

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"poolferry/internal/sandbox/cognitoidp/account"
	"poolferry/internal/sandbox/cognitoidp/imports"
	"poolferry/internal/sandbox/cognitoidp/listing"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/signin"
	"poolferry/internal/sandbox/cognitoidp/tokens"
	"poolferry/internal/sandbox/cognitoidp/triggers"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// Options of a Service. The zero Options work.
type Options struct {
	Now            func() time.Time // nil means time.Now
	Lambda         triggers.Invoker // nil: every trigger fails to start
	Seed           uint64           // makes ids, codes and listing faults repeatable
	Endpoint       func() string    // base URL of the sandbox in front of /POOL_ID in iss; nil means AWS's
	Log            *slog.Logger     // trigger failures; nil discards. Never a password.
	TriggerTimeout time.Duration    // of one attempt; 0 means Cognito's 5 s
	ImportLog      ImportLog        // CloudWatch Logs; nil: every import job fails
	ImportPace     ImportPace       // how fast import jobs are
	// MigrationSignUp is the trigger source with which PreSignUp runs when a
	// migration creates a user, or "none". AWS does not document it; "" means
	// PreSignUp_AdminCreateUser.
	MigrationSignUp string
	Listing         listing.Faults // how ListUsers misbehaves
}

// Service implements wire.Service. It is safe for concurrent use.
type Service struct {
	now      func() time.Time
	endpoint func() string
	random   *pool.Random
	engine   *signin.Engine
	accounts *account.Accounts
	lists    *listing.Lists
	imports  *imports.Jobs
	ops      map[string]operation

	mu      sync.RWMutex
	pools   map[string]*pool.Pool // by id
	clients map[string]*pool.Pool // by client id
}

var _ wire.Service = (*Service)(nil)

// New returns a service without pools.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.TriggerTimeout == 0 {
		o.TriggerTimeout = 5 * time.Second
	}
	if o.MigrationSignUp == "" {
		o.MigrationSignUp = triggers.SourceAdminCreate
	}
	random := pool.NewRandom(o.Seed)
	engine := signin.New(&triggers.Runner{Lambda: o.Lambda, Timeout: o.TriggerTimeout, Log: o.Log}, o.MigrationSignUp, o.Now)
	s := &Service{now: o.Now, endpoint: o.Endpoint, random: random, engine: engine,
		accounts: account.New(engine, o.Now), lists: listing.New(o.Listing, o.Seed, o.Now),
		pools: map[string]*pool.Pool{}, clients: map[string]*pool.Pool{}}
	s.imports = imports.New(s.accounts, s.lists, o.ImportLog, o.ImportPace, s.uploads, o.Now)
	s.ops = s.operations()
	return s
}

// Name is the signing name.
func (*Service) Name() string { return "cognito-idp" }

// Protocol is JSON 1.1.
func (*Service) Protocol() wire.Protocol { return wire.JSON11 }

// target is the prefix of X-Amz-Target.
const target = "AWSCognitoIdentityProviderService."

// Operation reads X-Amz-Target.
func (s *Service) Operation(r *http.Request, _ []byte) (string, error) {
	header := r.Header.Get("X-Amz-Target")
	name, ok := strings.CutPrefix(header, target)
	if _, known := s.ops[name]; !ok || !known {
		return "", wire.Unsupported("operation", header)
	}
	return name, nil
}

// Operations lists what is implemented.
func (s *Service) Operations() []string { return slices.Sorted(maps.Keys(s.ops)) }

// Quota is the request-rate category of an operation and its default rate per
// second, account and region (Cognito quotas page).
func (s *Service) Quota(name string) (string, float64) {
	category := s.ops[name].category
	return category, map[string]float64{
		"UserAuthentication": 120, "UserCreation": 50, "UserAccountRecovery": 30, "UserRead": 120, "UserUpdate": 25,
		"UserToken": 120, "UserResourceRead": 50, "UserResourceUpdate": 25, "UserList": 30,
		"UserPoolRead": 15, "UserPoolUpdate": 15, "UserPoolResourceRead": 20, "UserPoolResourceUpdate": 15,
		"UserPoolClientRead": 15, "UserPoolClientUpdate": 15,
	}[category]
}

// Home finds the pool of an unsigned call by its client id or access token. For
// one that names no known pool it returns empty strings, and Serve the error.
func (s *Service) Home(name string, body []byte) (account, region string, ok bool) {
	if !s.ops[name].unsigned {
		return "", "", false
	}
	var in struct {
		ClientId    string
		AccessToken userpool.Secret
	}
	_ = json.Unmarshal(body, &in) // Serve reports a broken body
	p := s.ofClient(in.ClientId)
	if in.ClientId == "" {
		p = s.ofToken(in.AccessToken)
	}
	if p == nil {
		return "", "", true
	}
	return p.Account, p.Region, true
}

// Serve answers a call.
func (s *Service) Serve(ctx context.Context, call *wire.Call) (*wire.Reply, error) {
	op, ok := s.ops[call.Operation]
	if !ok {
		return nil, wire.Unsupported("operation", call.Operation)
	}
	out, err := op.run(ctx, call)
	if err != nil {
		return nil, err
	}
	return wire.JSONReply(out)
}

// pool returns the pool of an id, which must be of the call's account and
// region, after the caller's policies allow the operation on it.
func (s *Service) pool(call *wire.Call, id string) (*pool.Pool, error) {
	if id == "" {
		return nil, pool.Constraint("userPoolId", "not be null")
	}
	arn := "arn:aws:cognito-idp:" + call.Region + ":" + call.Account + ":userpool/" + id
	if err := call.Authorize("cognito-idp:"+call.Operation, arn); err != nil {
		return nil, err
	}
	p := s.byID(id)
	if p == nil || p.Account != call.Account || p.Region != call.Region {
		return nil, pool.Fail("ResourceNotFoundException", "User pool %s does not exist.", id)
	}
	return p, nil
}

func (s *Service) byID(id string) *pool.Pool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.pools[id]
}

func (s *Service) ofClient(id string) *pool.Pool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.clients[id]
}

func (s *Service) ofToken(token userpool.Secret) *pool.Pool {
	issuer, ok := tokens.IssuerOf(token)
	if !ok {
		return nil
	}
	return s.byID(issuer[strings.LastIndexByte(issuer, '/')+1:])
}

// issuer is the base URL of a region's pools.
func (s *Service) issuer(region string) func() string {
	return func() string {
		if s.endpoint != nil {
			return strings.TrimSuffix(s.endpoint(), "/")
		}
		return "https://cognito-idp." + region + ".amazonaws.com"
	}
}

// uploads is the base URL to which the CSV files of import jobs go.
func (s *Service) uploads(region string) string {
	if s.endpoint != nil {
		return s.endpoint()
	}
	return "https://s3." + region + ".amazonaws.com"
}

// Uploads reports whether a request is an upload that ServeHTTP takes.
func (s *Service) Uploads(r *http.Request) bool { return s.imports.Uploads(r) }

// WaitImports waits until no import job is active.
func (s *Service) WaitImports() { s.imports.Wait() }

// Close ends the import jobs that are running.
func (s *Service) Close() error {
	s.imports.Close()
	return nil
}

// ServeHTTP serves /POOL_ID/.well-known/jwks.json and openid-configuration, and
// takes the files of import jobs.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Uploads(r) {
		s.imports.ServeHTTP(w, r)
		return
	}
	id, file, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	p := s.byID(id)
	if p == nil || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	var document []byte
	switch file {
	case ".well-known/jwks.json":
		document = p.Tokens.JWKS()
	case ".well-known/openid-configuration":
		document = p.Tokens.Configuration()
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document)
}
