package pool

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/schema"
	"poolferry/internal/sandbox/cognitoidp/srp"
	"poolferry/internal/sandbox/cognitoidp/tokens"
	"poolferry/internal/userpool"
)

// Pool is one user pool. It is safe for concurrent use.
type Pool struct {
	Account, Region string
	ID              string // region_XXXXXXXXX
	Frozen          Frozen
	Rules           directory.Rules
	Users           *directory.Directory
	Tokens          *tokens.Issuer
	Outbox          Outbox
	Created         time.Time

	random   *Random
	pretence [32]byte // what Pretend derives from

	mu      sync.RWMutex
	state   State
	clients map[string]*Client
}

// State is what can change about a pool. A State that State returned is a
// snapshot: nobody changes it.
type State struct {
	Name     string
	Settings Settings
	MFA      MFAConfig
	Schema   *schema.Set
	Modified time.Time
}

// New makes a pool. issuer is the base URL in front of the pool's id in the iss
// claim.
func New(account, region, name string, settings Settings, frozen Frozen, attributes []schema.Attribute, issuer func() string, random *Random, now time.Time) (*Pool, error) {
	if name == "" || len(name) > 128 {
		return nil, Constraint("poolName", "have length between 1 and 128")
	}
	if err := settings.complete(); err != nil {
		return nil, err
	}
	rules, err := frozen.rules()
	if err != nil {
		return nil, err
	}
	set, err := schema.New(attributes)
	if err != nil {
		return nil, Invalid("%v", err)
	}
	p := &Pool{Account: account, Region: region, ID: region + "_" + random.Text(9), Frozen: frozen, Rules: rules,
		Users: directory.New(rules), Created: now, random: random,
		state: State{Name: name, Settings: settings, Schema: set, Modified: now}, clients: map[string]*Client{}}
	_, _ = rand.Read(p.pretence[:]) // never fails
	p.Tokens = tokens.New(func() string { return issuer() + "/" + p.ID }, random.UUID)
	return p, p.checkMFA(p.state)
}

// ARN is arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID.
func (p *Pool) ARN() string {
	return fmt.Sprintf("arn:aws:cognito-idp:%s:%s:userpool/%s", p.Region, p.Account, p.ID)
}

// State returns the pool's state.
func (p *Pool) State() State {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.state
}

// Update resets the settings to those given: a member that is left out goes
// back to its default, as UpdateUserPool does. "" keeps the name.
func (p *Pool) Update(name string, settings Settings, now time.Time) error {
	if err := settings.complete(); err != nil {
		return err
	}
	return p.change(now, func(s *State) error {
		s.Settings = settings
		if name != "" {
			s.Name = name
		}
		return p.checkMFA(*s)
	})
}

// SetTriggers changes the LambdaConfig and nothing else.
func (p *Pool) SetTriggers(t Triggers, now time.Time) error {
	if err := t.complete(); err != nil {
		return err
	}
	return p.change(now, func(s *State) error { s.Settings.LambdaConfig = t; return nil })
}

// SetMFA is SetUserPoolMfaConfig; a nil sms leaves the SMS configuration alone.
func (p *Pool) SetMFA(mode string, mfa MFAConfig, sms Kept, smsMessage string, now time.Time) error {
	if mode == "" {
		mode = "OFF"
	}
	if err := each("mfaConfiguration", []string{mode}, "OFF", "OPTIONAL", "ON"); err != nil {
		return err
	}
	return p.change(now, func(s *State) error {
		s.Settings.MfaConfiguration, s.MFA = mode, mfa
		if sms != nil {
			s.Settings.SmsConfiguration = sms
		}
		if smsMessage != "" {
			s.Settings.SmsAuthenticationMessage = smsMessage
		}
		return p.checkMFA(*s)
	})
}

// checkMFA refuses MFA without a factor. The order in which CreateUserPool and
// SetUserPoolMfaConfig are called must not matter, so ON or OPTIONAL needs SMS
// only until another factor is configured.
func (p *Pool) checkMFA(s State) error {
	if s.Settings.MfaConfiguration != "OFF" && len(s.Settings.SmsConfiguration) == 0 && !s.MFA.TOTP && s.MFA.Email == nil {
		return Invalid("SMS configuration and Auto verification for phone_number are required when MFA is required/optional")
	}
	return nil
}

// AddAttributes is AddCustomAttributes.
func (p *Pool) AddAttributes(custom []schema.Attribute, now time.Time) error {
	return p.change(now, func(s *State) error {
		next, err := s.Schema.Add(custom)
		if err != nil {
			return Invalid("%v", err)
		}
		s.Schema = next
		return nil
	})
}

func (p *Pool) change(now time.Time, f func(*State) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.state
	if err := f(&next); err != nil {
		return err
	}
	next.Modified = now
	p.state = next
	return nil
}

// SMSMFA reports whether codes by SMS are a second factor.
func (s State) SMSMFA() bool {
	return s.Settings.MfaConfiguration != "OFF" && len(s.Settings.SmsConfiguration) > 0
}

// TOTPMFA reports whether authenticator apps are a second factor.
func (s State) TOTPMFA() bool { return s.Settings.MfaConfiguration != "OFF" && s.MFA.TOTP }

// EmailMFA reports whether codes by e-mail are a second factor.
func (s State) EmailMFA() bool { return s.Settings.MfaConfiguration != "OFF" && s.MFA.Email != nil }

// AddClient stores a new app client.
func (p *Pool) AddClient(settings ClientSettings, withSecret bool, now time.Time) (*Client, error) {
	if err := settings.complete(p.State().Schema); err != nil {
		return nil, err
	}
	c := &Client{ID: p.random.LowerText(26), Settings: settings, Created: now, Modified: now}
	if withSecret {
		c.Secret = userpool.NewSecret(p.random.LowerText(51))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients[c.ID] = c
	return c, nil
}

// UpdateClient resets a client's settings to those given; "" keeps the name.
func (p *Pool) UpdateClient(id string, settings ClientSettings, now time.Time) (*Client, error) {
	old, err := p.Client(id)
	if err != nil {
		return nil, err
	}
	if settings.ClientName == "" {
		settings.ClientName = old.Settings.ClientName
	}
	if err := settings.complete(p.State().Schema); err != nil {
		return nil, err
	}
	next := *old
	next.Settings, next.Modified = settings, now
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients[id] = &next
	return &next, nil
}

// Client returns an app client, or a ResourceNotFoundException.
func (p *Pool) Client(id string) (*Client, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if c, ok := p.clients[id]; ok {
		return c, nil
	}
	return nil, Fail("ResourceNotFoundException", "User pool client %s does not exist.", id)
}

// DeleteClient takes an app client away.
func (p *Pool) DeleteClient(id string) error {
	if _, err := p.Client(id); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.clients, id)
	return nil
}

// Clients lists the app clients by id.
func (p *Pool) Clients() []*Client {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := make([]*Client, 0, len(p.clients))
	for _, c := range p.clients {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Client) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return all
}

// NewSub makes the sub of a new user.
func (p *Pool) NewSub() userpool.Sub { return userpool.Sub(p.random.UUID()) }

// Identity is a username as passwords are hashed with it: the pool's name in it
// is the id behind the underscore.
func (p *Pool) Identity(username string) srp.Identity {
	return srp.Identity{Pool: strings.TrimPrefix(p.ID, p.Region+"_"), User: username}
}

// Hash salts and hashes the password of a username.
func (p *Pool) Hash(username string, password userpool.Secret) directory.Hash {
	return directory.NewHash(p.random.Bytes(16), p.Identity(username), password)
}

// Pretend makes up bytes for a name that nobody has: the same for the same name
// and purpose, and none that a stranger could tell.
func (p *Pool) Pretend(purpose, name string, n int) []byte {
	key, err := hkdf.Key(sha256.New, p.pretence[:], nil, purpose+"\x00"+p.Rules.Fold(name), n)
	if err != nil {
		panic(fmt.Sprintf("derive %d bytes: %v", n, err)) // HKDF has 8,160
	}
	return key
}

// Random is the pool's source of ids and codes.
func (p *Pool) Random() *Random { return p.random }
