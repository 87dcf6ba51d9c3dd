package signin

import (
	"context"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/triggers"
)

// Created is a user who is about to be created, as the pre sign-up trigger hears
// of it.
type Created struct {
	Source         string // such as PreSignUp_SignUp
	ClientID       string
	ValidationData map[string]string
	Metadata       map[string]string // ClientMetadata
}

// PreSignUp asks the pool's pre sign-up trigger about a user whom the directory
// does not have yet.
func (e *Engine) PreSignUp(ctx context.Context, p *pool.Pool, u *directory.User, c Created) (triggers.SignUp, error) {
	arn := p.State().Settings.LambdaConfig.PreSignUp
	if arn == "" {
		return triggers.SignUp{}, nil
	}
	return e.triggers.PreSignUp(ctx, arn, c.Source, at(p, c.ClientID, u), u.Attributes.Clone(), c.ValidationData, c.Metadata)
}

// PostConfirmation tells the pool's post confirmation trigger that a user was
// confirmed.
func (e *Engine) PostConfirmation(ctx context.Context, p *pool.Pool, u *directory.User, clientID, source string, metadata map[string]string) error {
	arn := p.State().Settings.LambdaConfig.PostConfirmation
	if arn == "" {
		return nil
	}
	return e.triggers.PostConfirmation(ctx, arn, source, at(p, clientID, u), eventAttributes(u), metadata)
}
