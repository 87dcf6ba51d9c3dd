// Package signin is how a user gets tokens from a pool: passwords, lockout,
// challenges and their sessions, refreshing, migration on the way, and resetting
// a forgotten password.
//
// Vocabulary: a flow is what a client asks for (AuthFlow); a challenge is what
// the pool asks back; a session ties the answer to the client, user and
// challenge that it belongs to; the guard is the lockout after wrong passwords.
package signin

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/tokens"
	"poolferry/internal/sandbox/cognitoidp/triggers"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// Engine signs users in. It is safe for concurrent use and holds no lock while
// a trigger runs.
type Engine struct {
	triggers *triggers.Runner
	migrated string // source of PreSignUp for a migrated user, NotCalled for none
	now      func() time.Time
	guard    guard
	sessions sessions
}

// NotCalled in place of a trigger source means that the trigger does not run.
const NotCalled = "none"

// New returns an engine without sessions. migrated is the trigger source with
// which the pre sign-up trigger runs when a migration creates a user, or
// NotCalled: AWS lists that trigger among those of a sign-in and does not say
// more (InitiateAuth reference).
func New(runner *triggers.Runner, migrated string, now func() time.Time) *Engine {
	return &Engine{triggers: runner, migrated: migrated, now: now}
}

// Attempt is one InitiateAuth or AdminInitiateAuth.
type Attempt struct {
	Pool       *pool.Pool
	Client     *pool.Client
	Admin      bool
	Flow       string
	Parameters map[string]userpool.Secret // AuthParameters
	Metadata   map[string]string          // ClientMetadata
}

// Outcome is tokens or a challenge.
type Outcome struct {
	Tokens     *tokens.Set
	Challenge  string
	Parameters map[string]string
	Session    userpool.Secret
}

// Start begins a sign-in.
func (e *Engine) Start(ctx context.Context, a Attempt) (*Outcome, error) {
	switch a.Flow {
	case "ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH":
		if !a.Admin {
			return nil, pool.Invalid("Initiate Auth method not supported.")
		}
		if !a.Client.Allows("ADMIN_USER_PASSWORD_AUTH") {
			return nil, pool.Invalid("Auth flow not enabled for this client")
		}
		return e.password(ctx, a)
	case "USER_PASSWORD_AUTH":
		if !a.Client.Allows(a.Flow) {
			return nil, pool.Invalid("%s flow not enabled for this client", a.Flow)
		}
		return e.password(ctx, a)
	case "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN":
		if !a.Client.Allows("REFRESH_TOKEN_AUTH") {
			return nil, pool.Invalid("REFRESH_TOKEN_AUTH flow not enabled for this client")
		}
		return e.refresh(ctx, a)
	case "USER_SRP_AUTH":
		if !a.Client.Allows(a.Flow) {
			return nil, pool.Invalid("%s flow not enabled for this client", a.Flow)
		}
		return e.srp(ctx, a)
	case "CUSTOM_AUTH", "USER_AUTH":
		if !a.Client.Allows(a.Flow) {
			return nil, pool.Invalid("%s flow not enabled for this client", a.Flow)
		}
		return nil, wire.Unsupported("auth flow", a.Flow)
	}
	return nil, pool.Constraint("authFlow", "satisfy enum value set: [USER_SRP_AUTH, REFRESH_TOKEN_AUTH, REFRESH_TOKEN, CUSTOM_AUTH, ADMIN_NO_SRP_AUTH, USER_PASSWORD_AUTH, ADMIN_USER_PASSWORD_AUTH, USER_AUTH]")
}

// errWrong answers a wrong password, and an unknown user where the client hides
// who exists.
func errWrong() error { return pool.NotAuthorized("Incorrect username or password.") }

func (e *Engine) password(ctx context.Context, a Attempt) (*Outcome, error) {
	if err := known(a.Parameters, "USERNAME", "PASSWORD", "SECRET_HASH"); err != nil {
		return nil, err
	}
	name, password := a.Parameters["USERNAME"].Reveal(), a.Parameters["PASSWORD"]
	switch {
	case name == "":
		return nil, pool.Invalid("Missing required parameter USERNAME")
	case password.Empty():
		return nil, pool.Invalid("Missing required parameter PASSWORD")
	}
	if err := pool.CheckName("username", name); err != nil {
		return nil, err
	}
	if err := pool.CheckPassword("password", password); err != nil {
		return nil, err
	}
	if err := a.Client.CheckHash(name, a.Parameters["SECRET_HASH"].Reveal()); err != nil {
		return nil, err
	}
	u, ok := a.Pool.Users.Find(name)
	if !ok {
		var err error
		u, err = e.migrate(ctx, a.Pool, a.Client, triggers.Migration{Password: password, ValidationData: a.Metadata}, name)
		switch {
		case err != nil:
			return nil, err
		case u == nil && a.Client.HidesUsers():
			return nil, errWrong()
		case u == nil:
			return nil, pool.Fail("UserNotFoundException", "User does not exist.")
		}
	}
	if err := e.preAuthentication(ctx, a, u); err != nil {
		return nil, err
	}
	if resets(a.Client, u) {
		return nil, errReset()
	}
	if err := e.Prove(a.Pool, u, password); err != nil {
		return nil, err
	}
	return e.proven(ctx, a.Pool, a.Client, u, nil)
}

func (e *Engine) preAuthentication(ctx context.Context, a Attempt, u *directory.User) error {
	arn := a.Pool.State().Settings.LambdaConfig.PreAuthentication
	if arn == "" {
		return nil
	}
	return e.triggers.PreAuthentication(ctx, arn, origin(a.Pool, a.Client, u), eventAttributes(u), a.Metadata)
}

// resets reports whether a user is told at once to reset the password: imported
// ones have none that could be compared.
func resets(c *pool.Client, u *directory.User) bool {
	return u.Status == userpool.StatusResetRequired && u.Password.Empty() && !c.HidesUsers()
}

// Prove checks a password as a sign-in does.
func (e *Engine) Prove(p *pool.Pool, u *directory.User, password userpool.Secret) error {
	return e.prove(p, u, func() bool {
		return u.Status != userpool.StatusExternalProvider && u.Password.Matches(p.Identity(u.Username), password)
	})
}

// prove checks the password, and only then what state the user is in. The
// Developer Guide says so for disabled users (managing error responses); for
// unconfirmed users and those who must reset AWS's order is not documented, and
// this one tells a stranger least.
func (e *Engine) prove(p *pool.Pool, u *directory.User, right func() bool) error {
	if err := e.guard.attempt(u.Sub, e.now(), right); err != nil {
		return err
	}
	if !u.Enabled {
		return errDisabled()
	}
	switch u.Status {
	case userpool.StatusUnconfirmed:
		return pool.Fail("UserNotConfirmedException", "User is not confirmed.")
	case userpool.StatusResetRequired:
		return errReset()
	case userpool.StatusForceChangePassword:
		days := p.State().Settings.Policies.PasswordPolicy.TemporaryPasswordValidityDays
		if !e.now().Before(u.PasswordSet.AddDate(0, 0, days)) {
			return pool.NotAuthorized("Temporary password has expired and must be reset by an administrator.")
		}
	}
	return nil
}

func errDisabled() error { return pool.NotAuthorized("User is disabled.") }

func errReset() error {
	return pool.Fail("PasswordResetRequiredException", "Password reset required for the user")
}

// proven goes on after the password was right. metadata is the ClientMetadata of
// a challenge's answer; what came with the first call is not for the triggers
// that run from here on (InitiateAuth reference).
func (e *Engine) proven(ctx context.Context, p *pool.Pool, c *pool.Client, u *directory.User, metadata map[string]string) (*Outcome, error) {
	if u.Status == userpool.StatusForceChangePassword {
		return e.askNewPassword(p, c, u), nil
	}
	if o, err := e.secondFactor(p, c, u); o != nil || err != nil {
		return o, err
	}
	return e.finish(ctx, p, c, u, "TokenGeneration_Authentication", metadata)
}

func (e *Engine) askNewPassword(p *pool.Pool, c *pool.Client, u *directory.User) *Outcome {
	missing := []string{}
	for _, a := range p.State().Schema.Attributes() {
		if a.Required && a.Name != "sub" && u.Attributes[a.Name] == "" {
			missing = append(missing, "userAttributes."+a.Name)
		}
	}
	required, _ := json.Marshal(missing)        // strings always marshal
	attributes, _ := json.Marshal(u.Attributes) // likewise
	return e.challenge(c, u, session{challenge: NewPasswordRequired}, map[string]string{
		"USER_ID_FOR_SRP": u.Username, "requiredAttributes": string(required), "userAttributes": string(attributes)})
}

// finish issues the tokens of a new grant.
func (e *Engine) finish(ctx context.Context, p *pool.Pool, c *pool.Client, u *directory.User, source string, metadata map[string]string) (*Outcome, error) {
	if arn := p.State().Settings.LambdaConfig.PostAuthentication; arn != "" {
		if err := e.triggers.PostAuthentication(ctx, arn, origin(p, c, u), eventAttributes(u), metadata); err != nil {
			return nil, err
		}
	}
	subject, err := e.subject(ctx, p, c, u, source, metadata)
	if err != nil {
		return nil, err
	}
	grant, refresh := p.Tokens.Grant(u.Sub, c.ID, e.now(), c.Settings.RefreshLife())
	set, err := p.Tokens.Issue(grant, subject, e.now())
	if err != nil {
		return nil, err
	}
	set.Refresh = refresh
	return &Outcome{Tokens: &set}, nil
}

func (e *Engine) refresh(ctx context.Context, a Attempt) (*Outcome, error) {
	if err := known(a.Parameters, "REFRESH_TOKEN", "SECRET_HASH"); err != nil {
		return nil, err
	}
	if a.Client.Settings.Rotates() {
		return nil, wire.Unsupported("client setting", "RefreshTokenRotation")
	}
	if a.Parameters["REFRESH_TOKEN"].Empty() {
		return nil, pool.Invalid("Missing required parameter REFRESH_TOKEN")
	}
	grant, err := a.Pool.Tokens.Refreshed(a.Parameters["REFRESH_TOKEN"], e.now())
	switch {
	case grant.ClientID != a.Client.ID:
		return nil, pool.NotAuthorized("Invalid Refresh Token")
	case errors.Is(err, tokens.ErrRevoked):
		return nil, pool.NotAuthorized("Refresh Token has been revoked")
	case err != nil:
		return nil, pool.NotAuthorized("Refresh Token has expired")
	}
	u, ok := a.Pool.Users.Get(grant.Sub)
	switch {
	case !ok:
		return nil, pool.NotAuthorized("Invalid Refresh Token")
	case !u.Enabled:
		return nil, errDisabled()
	}
	hash := a.Parameters["SECRET_HASH"].Reveal()
	if err := a.Client.CheckHash(u.Username, hash); err != nil && a.Client.CheckHash(string(u.Sub), hash) != nil {
		return nil, err
	}
	subject, err := e.subject(ctx, a.Pool, a.Client, u, "TokenGeneration_RefreshTokens", a.Metadata)
	if err != nil {
		return nil, err
	}
	set, err := a.Pool.Tokens.Issue(grant, subject, e.now())
	if err != nil {
		return nil, err
	}
	return &Outcome{Tokens: &set}, nil
}

// known refuses parameters that the sandbox would otherwise ignore, such as
// DEVICE_KEY, without quoting their values. One without a value says nothing:
// clients send null where they have no device.
func known(parameters map[string]userpool.Secret, names ...string) error {
	for name, value := range parameters {
		if !value.Empty() && !slices.Contains(names, name) {
			return wire.Unsupported("auth parameter", name)
		}
	}
	return nil
}

func origin(p *pool.Pool, c *pool.Client, u *directory.User) triggers.Context {
	return at(p, c.ID, u)
}

func at(p *pool.Pool, clientID string, u *directory.User) triggers.Context {
	return triggers.Context{Region: p.Region, PoolID: p.ID, PoolARN: p.ARN(), ClientID: clientID, UserName: u.Username}
}

// eventAttributes is a user as events of triggers show it.
func eventAttributes(u *directory.User) map[string]string {
	attributes := u.Public().Attributes
	attributes["cognito:user_status"] = string(u.Status)
	return attributes
}
