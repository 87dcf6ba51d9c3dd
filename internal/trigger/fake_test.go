package trigger_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

const poolID = "eu-central-1_NewPool01"

// source is a source pool with one password per user. Every call is counted.
type source struct {
	mu     sync.Mutex
	users  map[string]person // by every name that finds the user
	fail   map[string]error  // operation → error of every call
	calls  []string
	lookup []string // names that User was asked for
}

type person struct {
	user     userpool.User
	password string
	reply    trigger.Reply // to the right password
	code     string        // right code of the second factor
	answered trigger.Reply // to the right code
}

func (s *source) note(op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, op)
	return s.fail[op]
}

func (s *source) Authenticate(_ context.Context, name string, password userpool.Secret) (trigger.Reply, error) {
	if err := s.note("Authenticate"); err != nil {
		return trigger.Reply{}, err
	}
	p, ok := s.users[name]
	switch {
	case !ok:
		return trigger.Reply{Standing: trigger.NoSuchUser}, nil
	case !password.Equal(userpool.NewSecret(p.password)):
		return trigger.Reply{Standing: trigger.WrongPassword}, nil
	}
	return p.reply, nil
}

func (s *source) Answer(_ context.Context, c trigger.Challenge, code userpool.Secret) (trigger.Reply, error) {
	if err := s.note("Answer"); err != nil {
		return trigger.Reply{}, err
	}
	for _, p := range s.users {
		if c.Session.Equal(p.reply.Challenge.Session) && code.Equal(userpool.NewSecret(p.code)) {
			return p.answered, nil
		}
	}
	return trigger.Reply{Standing: trigger.WrongCode}, nil
}

func (s *source) User(_ context.Context, name string) (userpool.User, error) {
	s.lookup = append(s.lookup, name)
	if err := s.note("User"); err != nil {
		return userpool.User{}, err
	}
	p, ok := s.users[name]
	if !ok {
		return userpool.User{}, fault.New(fault.NotFound, "no such user")
	}
	return p.user, nil
}

// target describes itself, or fails.
type target struct {
	pool userpool.Pool
	err  error
}

func (t target) Pool(context.Context) (userpool.Pool, error) { return t.pool, t.err }

// recorder keeps decisions.
type recorder struct {
	mu        sync.Mutex
	decisions []trigger.Decision
}

func (r *recorder) Record(_ context.Context, d trigger.Decision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.decisions = append(r.decisions, d)
}

func (r *recorder) only(t *testing.T) trigger.Decision {
	t.Helper()
	if len(r.decisions) != 1 {
		t.Fatalf("%d decisions recorded, want 1", len(r.decisions))
	}
	return r.decisions[0]
}

func ptr(n int64) *int64 { return &n }

// targetPool has e-mail and phone aliases, optional SMS MFA, and a schema in
// which custom:legacy_sub is immutable and custom:level small.
func targetPool() userpool.Pool {
	schema := userpool.Schema{}
	for _, name := range []string{"sub", "email", "phone_number", "name", "locale", "custom:dept"} {
		schema[name] = userpool.AttributeSpec{Name: name, Type: userpool.TypeString, Mutable: true, Max: ptr(2048)}
	}
	for _, name := range []string{"email_verified", "phone_number_verified"} {
		schema[name] = userpool.AttributeSpec{Name: name, Type: userpool.TypeBoolean, Mutable: true}
	}
	schema["custom:level"] = userpool.AttributeSpec{Name: "custom:level", Type: userpool.TypeNumber, Mutable: true, Max: ptr(9)}
	schema["custom:legacy_sub"] = userpool.AttributeSpec{Name: "custom:legacy_sub", Type: userpool.TypeString, Max: ptr(64)}
	schema["custom:born"] = userpool.AttributeSpec{Name: "custom:born", Type: userpool.TypeString, Max: ptr(4)}
	return userpool.Pool{
		ID: poolID, Schema: schema, Aliases: []string{"email", "phone_number"}, MFA: userpool.MFAOptional, SMSMFA: true,
	}
}

// ann is a plain user.
func ann() userpool.User {
	return userpool.User{
		Sub: "5e1f-ann", Username: "ann", Enabled: true, Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{"email": "ann@example.com", "email_verified": "true", "phone_number": "+15550100", "name": "Ann"},
	}
}

// migratedAnn is ann at the target, signed in by username.
func migratedAnn() userpool.Attributes {
	a := ann().Attributes
	a["custom:legacy_sub"] = "5e1f-ann"
	return a
}

func challenge(name string) trigger.Reply {
	return trigger.Reply{Standing: trigger.Challenged, Challenge: trigger.Challenge{
		Name: name, Session: userpool.NewSecret("session-" + name), Username: "ann",
	}}
}

// fixedClock never moves.
func fixedClock() time.Time { return time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC) }
