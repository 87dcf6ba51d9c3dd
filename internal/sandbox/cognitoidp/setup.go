package cognitoidp

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/imports"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/schema"
	"poolferry/internal/userpool"
)

// The words of the sub-packages that a caller of the Go API needs; what they
// mean is said there.
//
//revive:disable:exported
type (
	Settings       = pool.Settings
	Frozen         = pool.Frozen
	UsernameRules  = pool.UsernameRules
	Triggers       = pool.Triggers
	TokenTrigger   = pool.TokenTrigger
	MFAConfig      = pool.MFAConfig
	EmailMFA       = pool.EmailMFA
	ClientSettings = pool.ClientSettings
	Message        = pool.Message
	Attribute      = schema.Attribute
	StringRange    = schema.StringRange
	PasswordPolicy = schema.PasswordPolicy
	ImportLog      = imports.Log
	ImportPace     = imports.Pace
	Destination    = imports.Destination
)

//revive:enable:exported

// PoolSpec describes a new pool. The zero PoolSpec but for its name is a pool as
// CreateUserPool makes it from a name alone.
type PoolSpec struct {
	Name     string
	Settings Settings // MfaConfiguration included
	Frozen   Frozen   // aliases, username attributes, case sensitivity
	Schema   []Attribute
	MFA      MFAConfig // second factors besides SMS
}

// CreatePool makes a pool and returns its id, REGION_ and nine letters or
// digits, the same for the same seed and order of calls.
func (s *Service) CreatePool(account, region string, spec PoolSpec) (id string, err error) {
	mode := spec.Settings.MfaConfiguration
	spec.Settings.MfaConfiguration = "" // may need a factor that is set next
	p, err := pool.New(account, region, spec.Name, spec.Settings, spec.Frozen, spec.Schema, s.issuer(region), s.random, s.now())
	if err != nil {
		return "", fmt.Errorf("create pool %s: %w", spec.Name, err)
	}
	if err := p.SetMFA(mode, spec.MFA, nil, "", s.now()); err != nil {
		return "", fmt.Errorf("create pool %s: %w", spec.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools[p.ID] = p
	return p.ID, nil
}

// ClientSpec describes a new app client.
type ClientSpec struct {
	Settings ClientSettings
	Secret   bool // generate a client secret
}

// Client is what a caller needs of an app client.
type Client struct {
	ID     string
	Secret userpool.Secret // empty for a public client
}

// CreateClient makes an app client.
func (s *Service) CreateClient(poolID string, spec ClientSpec) (Client, error) {
	p, err := s.known(poolID)
	if err != nil {
		return Client{}, err
	}
	c, err := s.addClient(p, spec.Settings, spec.Secret)
	if err != nil {
		return Client{}, fmt.Errorf("create client %s of pool %s: %w", spec.Settings.ClientName, poolID, err)
	}
	return Client{c.ID, c.Secret}, nil
}

func (s *Service) addClient(p *pool.Pool, settings ClientSettings, secret bool) (*pool.Client, error) {
	c, err := p.AddClient(settings, secret, s.now())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[c.ID] = p
	return c, nil
}

// UserSpec describes a user in any state, also one that no API call can reach.
type UserSpec struct {
	Username   string              // "": made up, as pools with username attributes do
	Sub        userpool.Sub        // "": made up
	Attributes userpool.Attributes // must exist in the schema
	Password   userpool.Secret     // no policy; empty: the user has none
	Status     userpool.Status     // "" means CONFIRMED
	Disabled   bool
	Groups     []string // created where they do not exist
	SMSMFA     bool
	EmailMFA   bool
	TOTPSecret userpool.Secret // base32; set: TOTP is on
	Preferred  string          // SMS_MFA, EMAIL_OTP or SOFTWARE_TOKEN_MFA
	Created    time.Time       // zero means now
}

// PutUser stores a user and returns the sub.
func (s *Service) PutUser(poolID string, spec UserSpec) (userpool.Sub, error) {
	p, err := s.known(poolID)
	if err != nil {
		return "", err
	}
	for name := range spec.Attributes {
		if _, ok := p.State().Schema.Find(name); !ok || name == userpool.AttrSub {
			return "", fmt.Errorf("put user into pool %s: attribute %s is not in its schema", poolID, name)
		}
	}
	u := directory.User{Username: spec.Username, Sub: spec.Sub, Attributes: pool.Present(spec.Attributes), Enabled: !spec.Disabled,
		Status: spec.Status, Created: spec.Created, Modified: s.now(),
		Factors: directory.Factors{SMS: spec.SMSMFA, Email: spec.EmailMFA, TOTP: !spec.TOTPSecret.Empty(),
			TOTPSecret: spec.TOTPSecret, Preferred: spec.Preferred}}
	if u.Sub == "" {
		u.Sub = p.NewSub()
	}
	if u.Username == "" {
		u.Username = string(u.Sub)
	}
	if u.Status == "" {
		u.Status = userpool.StatusConfirmed
	}
	if u.Created.IsZero() {
		u.Created = s.now()
	}
	if u.Status == userpool.StatusForceChangePassword {
		u.PasswordSet = u.Created
	}
	if !spec.Password.Empty() {
		u.Password = p.Hash(u.Username, spec.Password)
	}
	if _, err := p.Users.Insert(u, false); err != nil {
		return "", fmt.Errorf("put user %s into pool %s: %w", u.Sub, poolID, err)
	}
	for _, name := range spec.Groups {
		// Two callers may both create the group: the second finds it there.
		_ = p.Users.CreateGroup(directory.Group{Name: name, Created: s.now(), Modified: s.now()})
		if err := p.Users.AddToGroup(u.Sub, name); err != nil {
			return "", fmt.Errorf("put user %s into group %s: %w", u.Sub, name, err)
		}
	}
	return u.Sub, nil
}

func (s *Service) known(poolID string) (*pool.Pool, error) {
	if p := s.byID(poolID); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("there is no pool %s", poolID)
}

// SetTriggers replaces the triggers of a pool and leaves the other settings
// alone.
func (s *Service) SetTriggers(poolID string, t Triggers) error {
	p, err := s.known(poolID)
	if err != nil {
		return err
	}
	return p.SetTriggers(t, s.now())
}

// ARN is the pool's ARN.
func (s *Service) ARN(poolID string) (string, error) {
	p, err := s.known(poolID)
	if err != nil {
		return "", err
	}
	return p.ARN(), nil
}

// Users ranges over the users of a pool in the order of their subs; over nobody
// where there is no such pool.
func (s *Service) Users(poolID string) iter.Seq[userpool.User] {
	return func(yield func(userpool.User) bool) {
		p := s.byID(poolID)
		if p == nil {
			return
		}
		for u := range p.Users.All() {
			if !yield(u.Public()) {
				return
			}
		}
	}
}

// Count counts the users of a pool.
func (s *Service) Count(poolID string) int {
	if p := s.byID(poolID); p != nil {
		return p.Users.Len()
	}
	return 0
}

// LastMessage is the last message that Cognito would have sent to a user.
func (s *Service) LastMessage(poolID, name string) (Message, bool) {
	p := s.byID(poolID)
	if p == nil {
		return Message{}, false
	}
	u, ok := p.Users.Find(name)
	if !ok {
		return Message{}, false
	}
	return p.Outbox.Last(u.Sub)
}

// Dump writes everything that is stored as JSON, for a search of what must not be
// stored: users with the digests of their passwords, clients, settings, and the
// last messages. Secrets, codes included, print as a placeholder.
func (s *Service) Dump(w io.Writer) error {
	s.mu.RLock()
	pools := slices.Collect(maps.Values(s.pools))
	s.mu.RUnlock()
	slices.SortFunc(pools, func(a, b *pool.Pool) int { return strings.Compare(a.ID, b.ID) })
	enc := json.NewEncoder(w)
	for _, p := range pools {
		if err := enc.Encode(map[string]any{"pool": p.ID, "account": p.Account, "state": p.State(), "frozen": p.Frozen, "clients": p.Clients()}); err != nil {
			return fmt.Errorf("dump pool %s: %w", p.ID, err)
		}
		for u := range p.Users.All() {
			row := map[string]any{"pool": p.ID, "user": u}
			if m, ok := p.Outbox.Last(u.Sub); ok {
				row["last_message"] = m
			}
			if err := enc.Encode(row); err != nil {
				return fmt.Errorf("dump user %s: %w", u.Sub, err)
			}
		}
	}
	return nil
}
