package iam

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"sync"
	"time"

	"poolferry/internal/sandbox/iam/policy"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// Credentials are what a client signs with. A user's credentials have no
// session token and a zero Expiration.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey userpool.Secret
	SessionToken    userpool.Secret
	Expiration      time.Time
}

// Use is one action on one resource that the policies of Identity allowed.
type Use struct {
	Identity string // ARN of a user or role
	Action   string
	Resource string
}

// Directory holds the users, roles and sessions of all accounts of a sandbox.
// It is safe for concurrent use.
type Directory struct {
	now func() time.Time

	mu         sync.Mutex
	identities map[string]*identity // by ARN
	keys       map[string]key       // by access key id; sessions stay after they expire, so that they are told from strangers
	uses       map[Use]int
}

// identity is a user or a role.
type identity struct {
	account, name, arn, id string
	policies               []policy.Document
	trust                  policy.Document // roles only
	maxSession             time.Duration   // roles only
}

// key is one set of credentials and who it stands for.
type key struct {
	credentials Credentials
	caller      wire.Caller
	identity    *identity
	narrowed    []policy.Document // session policy, where there is one
}

// New returns an empty directory. Sessions expire by now.
func New(now func() time.Time) *Directory {
	return &Directory{now: now, identities: map[string]*identity{}, keys: map[string]key{}, uses: map[Use]int{}}
}

var (
	accountShape = regexp.MustCompile(`^[0-9]{12}$`)
	nameShape    = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
)

// AddUser adds a user with identity policies and returns its credentials.
func (d *Directory) AddUser(account, name string, policies ...[]byte) (Credentials, error) {
	who, err := newIdentity("user", account, name, policies)
	if err != nil {
		return Credentials{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.identities[who.arn] != nil {
		return Credentials{}, fmt.Errorf("%s exists already", who.arn)
	}
	d.identities[who.arn] = who
	credentials := Credentials{AccessKeyID: "AKIA" + randomID(), SecretAccessKey: randomSecret(30)}
	d.keys[credentials.AccessKeyID] = key{
		credentials: credentials,
		caller:      wire.Caller{Account: account, ARN: who.arn, UserID: who.id, AccessKey: credentials.AccessKeyID},
		identity:    who,
	}
	return credentials, nil
}

// AddRole adds a role with its trust policy and identity policies and returns
// its ARN. Its longest session is an hour, as AWS has it by default.
func (d *Directory) AddRole(account, name string, trust []byte, policies ...[]byte) (string, error) {
	who, err := newIdentity("role", account, name, policies)
	if err != nil {
		return "", err
	}
	if who.trust, err = policy.Parse(trust, policy.Trust); err != nil {
		return "", fmt.Errorf("role %s: trust policy: %w", name, err)
	}
	who.maxSession = defaultSession
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.identities[who.arn] != nil {
		return "", fmt.Errorf("%s exists already", who.arn)
	}
	d.identities[who.arn] = who
	return who.arn, nil
}

// SetMaxSession sets the longest session of a role, 1 to 12 hours.
func (d *Directory) SetMaxSession(roleARN string, longest time.Duration) error {
	if longest < defaultSession || longest > longestSession {
		return fmt.Errorf("max session %s of %s: want 1h to 12h", longest, roleARN)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	role, err := d.role(roleARN)
	if err != nil {
		return err
	}
	role.maxSession = longest
	return nil
}

func newIdentity(kind, account, name string, policies [][]byte) (*identity, error) {
	if !accountShape.MatchString(account) {
		return nil, fmt.Errorf("%s %s: account %q: want 12 digits", kind, name, account)
	}
	if !nameShape.MatchString(name) {
		return nil, fmt.Errorf("%s name %q: want 1 to 64 letters, digits or +=,.@_-", kind, name)
	}
	prefix := map[string]string{"user": "AIDA", "role": "AROA"}[kind]
	who := &identity{
		account: account, name: name, id: prefix + randomID(),
		arn: fmt.Sprintf("arn:aws:iam::%s:%s/%s", account, kind, name),
	}
	for i, doc := range policies {
		p, err := policy.Parse(doc, policy.Identity)
		if err != nil {
			return nil, fmt.Errorf("%s %s: policy %d: %w", kind, name, i, err)
		}
		who.policies = append(who.policies, p)
	}
	return who, nil
}

// Lookup finds who signs with an access key, and the secret key to check the
// signature with. It returns UnrecognizedClientException for an unknown key or
// a token that does not belong to it, and ExpiredTokenException.
func (d *Directory) Lookup(accessKey, sessionToken string) (wire.Caller, userpool.Secret, error) {
	d.mu.Lock()
	k, ok := d.keys[accessKey]
	d.mu.Unlock()
	if !ok || !k.credentials.SessionToken.Equal(userpool.NewSecret(sessionToken)) {
		return wire.Caller{}, userpool.Secret{}, wire.Errorf(http.StatusBadRequest, "UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if expires := k.credentials.Expiration; !expires.IsZero() && !d.now().Before(expires) {
		return wire.Caller{}, userpool.Secret{}, wire.Errorf(http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired")
	}
	return k.caller, k.credentials.SecretAccessKey, nil
}

// Authorize asks the caller's policies for an action such as
// "cognito-idp:ListUsers" on a resource ARN. It returns
// AccessDeniedException in AWS's words. A resource of another account is
// denied whatever the policies say: no service of the sandbox has resource
// policies that would let a stranger in; the way is a role of that account.
func (d *Directory) Authorize(c wire.Caller, action, resource string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	k, ok := d.keys[c.AccessKey]
	if !ok {
		return wire.Errorf(http.StatusBadRequest, "MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	switch k.ask(policy.NewRequest(k.caller, action, resource)) {
	case policy.Denied:
		return deny(k.caller, action, resource, "with an explicit deny in an identity-based policy")
	case policy.Silent:
		return deny(k.caller, action, resource, "because no identity-based policy allows the "+action+" action")
	}
	if account := policy.AccountOf(resource); account != "" && account != k.caller.Account {
		return deny(k.caller, action, resource, "because no resource-based policy allows the "+action+" action")
	}
	d.uses[Use{Identity: k.identity.arn, Action: action, Resource: resource}]++
	return nil
}

// ask asks the identity's policies, and the session policy too where there is
// one: a session may do what both allow.
func (k key) ask(r policy.Request) policy.Verdict {
	out := r.Identity(k.identity.policies)
	if k.narrowed == nil || out != policy.Allowed {
		return out
	}
	return r.Identity(k.narrowed)
}

func deny(c wire.Caller, action, resource, why string) error {
	return wire.Errorf(http.StatusBadRequest, "AccessDeniedException", "User: %s is not authorized to perform: %s on resource: %s %s", c.ARN, action, resource, why)
}

// Usage returns what the policies have allowed so far, and how often.
func (d *Directory) Usage() map[Use]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.uses)
}

// Unused lists the permissions of a user or role, as "action on resource" in
// the words of its policies, that no use has needed yet.
func (d *Directory) Unused(arn string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	who := d.identities[arn]
	if who == nil {
		return nil, fmt.Errorf("no user or role %s", arn)
	}
	var unused []string
	for _, document := range who.policies {
		for _, p := range document.Permissions() {
			if !d.used(arn, p) {
				unused = append(unused, p.Action+" on "+p.Resource)
			}
		}
	}
	return unused, nil
}

func (d *Directory) used(arn string, p policy.Permission) bool {
	for use := range d.uses {
		if use.Identity == arn && p.Covers(use.Action, use.Resource) {
			return true
		}
	}
	return false
}

func (d *Directory) role(arn string) (*identity, error) {
	who := d.identities[arn]
	if who == nil || who.trust == nil {
		return nil, fmt.Errorf("no role %s", arn)
	}
	return who, nil
}

// randomID returns 16 characters as AWS uses them in ids.
func randomID() string { return rand.Text()[:16] }

func randomSecret(bytes int) userpool.Secret {
	raw := make([]byte, bytes)
	_, _ = rand.Read(raw) // crypto/rand does not fail
	return userpool.NewSecret(base64.StdEncoding.EncodeToString(raw))
}
