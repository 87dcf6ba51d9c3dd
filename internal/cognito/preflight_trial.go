package cognito

import (
	"context"
	"crypto/rand"
	"slices"

	"poolferry/internal/fault"
	"poolferry/internal/preflight/trial"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

// Trial tries what the migration trigger may do, as nobody: with a name that no
// user has, and a session that there is not.
type Trial struct {
	source *Source
	target *Target
	name   string
}

var _ trial.Roles = (*Trial)(nil)

// NewTrial returns a trial of a trigger's source and target. Every one has a name
// of its own.
func NewTrial(source *Source, target *Target) *Trial {
	return &Trial{source, target, "poolferry-preflight-" + rand.Text()}
}

// Assume assumes the login role.
func (t *Trial) Assume(ctx context.Context) error { return t.source.Prefetch(ctx) }

// Authenticate tries a random password. That the pool refuses it is how it should
// be.
func (t *Trial) Authenticate(ctx context.Context) error {
	_, err := t.source.Authenticate(ctx, t.name, userpool.NewSecret(rand.Text()))
	return tried(err)
}

// Read asks for a user whom there is not.
func (t *Trial) Read(ctx context.Context) error {
	_, err := t.source.User(ctx, t.name)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return tried(err)
}

// Respond answers a challenge that nobody has asked. Whatever the pool objects to
// comes after the question whether the role may.
func (t *Trial) Respond(ctx context.Context) error {
	challenge := trigger.Challenge{Name: trigger.ChallengeTOTP, Session: userpool.NewSecret("poolferry-preflight-no-such-session"), Username: t.name}
	_, err := t.source.Answer(ctx, challenge, userpool.NewSecret("000000"))
	if err = tried(err); err != nil && fault.KindOf(err) != fault.Invalid {
		return err
	}
	return nil
}

// DescribeTarget reads the target's schema.
func (t *Trial) DescribeTarget(ctx context.Context) error {
	_, err := t.target.Pool(ctx)
	return err
}

// byPolicy are the codes with which a policy refuses. Cognito refuses a client
// secret with a code that is otherwise about users.
var byPolicy = []string{"AccessDenied", "AccessDeniedException"}

// tried tells a role that may not from a client that is wrong.
func tried(err error) error {
	if fault.KindOf(err) == fault.Denied && err != nil && !slices.Contains(byPolicy, Code(err)) {
		return &fault.Error{Kind: fault.Invalid, Err: err}
	}
	return err
}
