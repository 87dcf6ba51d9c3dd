package signin

import (
	"context"
	"errors"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/triggers"
	"poolferry/internal/userpool"
)

// migrate asks the pool's user-migration trigger for a name that the pool does
// not know, and creates the user. A nil user without an error means that nobody
// knows the name. The password is stored without a check of the policy, as
// Cognito does.
func (e *Engine) migrate(ctx context.Context, p *pool.Pool, c *pool.Client, m triggers.Migration, name string) (*directory.User, error) {
	state := p.State()
	arn := state.Settings.LambdaConfig.UserMigration
	if arn == "" {
		return nil, nil
	}
	m.Context = triggers.Context{Region: p.Region, PoolID: p.ID, PoolARN: p.ARN(), ClientID: c.ID, UserName: name}
	answer, err := e.triggers.Migrate(ctx, arn, m, triggers.Target{Schema: state.Schema, Rules: p.Rules, SMSMFA: state.SMSMFA()})
	if err != nil || answer == nil {
		return nil, err
	}
	now := e.now()
	u := directory.User{Username: answer.Username, Sub: p.NewSub(), Enabled: true, Created: now, Modified: now,
		Status: userpool.StatusResetRequired, Attributes: pool.Present(answer.Attributes)}
	if u.Username == "" {
		u.Username = string(u.Sub)
	}
	if answer.Confirmed {
		u.Status = userpool.StatusConfirmed
	}
	if !m.Password.Empty() {
		u.Password = p.Hash(u.Username, m.Password)
	}
	if answer.SMSMFA {
		u.Factors.SMS, u.Factors.Preferred = true, directory.FactorSMS
	}
	if e.migrated != NotCalled {
		// What it would confirm or verify the migration trigger has said already.
		if _, err := e.PreSignUp(ctx, p, &u, Created{Source: e.migrated, ClientID: c.ID, ValidationData: m.ValidationData, Metadata: m.ClientMetadata}); err != nil {
			return nil, err
		}
	}
	created, err := p.Users.Insert(u, answer.ForceAlias)
	if err != nil {
		// Another sign-in of the same name may have been faster: then this one goes
		// on with the user that it made.
		if existing, ok := p.Users.Find(name); ok {
			return existing, nil
		}
		if taken, ok := errors.AsType[*directory.AliasError](err); ok {
			return nil, pool.Fail("UserNotFoundException", "Error in migration: An account with the given %s already exists.", taken.Attribute)
		}
		return nil, pool.Fail("UserNotFoundException", "Error in migration: invalid username: User account already exists.")
	}
	if !answer.Suppress {
		e.welcome(p, created, answer.Mediums)
	}
	return created, nil
}

// welcome sends the message of a migration that did not suppress it; by SMS
// unless the answer says otherwise.
func (e *Engine) welcome(p *pool.Pool, u *directory.User, mediums []string) {
	if len(mediums) == 0 {
		mediums = []string{"SMS"}
	}
	for _, medium := range mediums {
		if to := u.Attributes[contact(medium)]; to != "" {
			p.Outbox.Send(u.Sub, pool.Message{Medium: medium, Destination: to, Purpose: pool.PurposeWelcome, Sent: e.now()})
		}
	}
}

// contact is the attribute that a medium reaches.
func contact(medium string) string {
	if medium == "EMAIL" {
		return userpool.AttrEmail
	}
	return userpool.AttrPhoneNumber
}
