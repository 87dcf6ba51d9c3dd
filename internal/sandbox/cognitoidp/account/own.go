package account

import (
	"context"
	"errors"
	"strings"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/signin"
	"poolferry/internal/sandbox/cognitoidp/tokens"
	"poolferry/internal/userpool"
)

// OfToken is embedded in the input of operations that an access token allows.
type OfToken struct {
	AccessToken userpool.Secret
}

// Token returns the access token.
func (o OfToken) Token() userpool.Secret { return o.AccessToken }

// owner is the user of an access token, and the client that it was issued to.
func (a *Accounts) owner(p *pool.Pool, token userpool.Secret) (*directory.User, *pool.Client, error) {
	sub, clientID, err := p.Tokens.Access(token, a.now())
	switch {
	case errors.Is(err, tokens.ErrExpired):
		return nil, nil, pool.NotAuthorized("Access Token has expired")
	case errors.Is(err, tokens.ErrRevoked):
		return nil, nil, pool.NotAuthorized("Access Token has been revoked")
	case err != nil:
		return nil, nil, pool.NotAuthorized("Invalid Access Token")
	}
	c, err := p.Client(clientID)
	if err != nil {
		return nil, nil, pool.NotAuthorized("Invalid Access Token")
	}
	u, ok := p.Users.Get(sub)
	switch {
	case !ok:
		return nil, nil, pool.UserError(directory.ErrUserNotFound)
	case !u.Enabled:
		return nil, nil, pool.NotAuthorized("User is disabled.")
	}
	return u, c, nil
}

// OwnOutput is the answer of GetUser.
type OwnOutput struct {
	Username            string
	UserAttributes      []Attribute
	MFAOptions          []MFAOption `json:",omitempty"`
	PreferredMfaSetting string      `json:",omitempty"`
	UserMFASettingList  []string    `json:",omitempty"`
}

// Own is GetUser: what the access token's client may read of its user.
func (a *Accounts) Own(_ context.Context, p *pool.Pool, in OfToken) (any, error) {
	u, c, err := a.owner(p, in.AccessToken)
	if err != nil {
		return nil, err
	}
	return OwnOutput{Username: u.Username, UserAttributes: Attributes(u, c.Reads), MFAOptions: Options(u),
		PreferredMfaSetting: u.Factors.Preferred, UserMFASettingList: u.Factors.Names()}, nil
}

// ChangeInput is the input of ChangePassword.
type ChangeInput struct {
	OfToken
	PreviousPassword userpool.Secret
	ProposedPassword userpool.Secret
}

// ChangePassword is ChangePassword. The user stays signed in everywhere. Wrong
// passwords count towards the lockout, which has another error here.
func (a *Accounts) ChangePassword(_ context.Context, p *pool.Pool, in ChangeInput) (any, error) {
	u, _, err := a.owner(p, in.AccessToken)
	if err != nil {
		return nil, err
	}
	if err := signin.CheckPolicy(p.State(), in.ProposedPassword); err != nil {
		return nil, err
	}
	if err := a.engine.Prove(p, u, in.PreviousPassword); err != nil {
		if errors.Is(err, signin.ErrLocked) {
			return nil, pool.Fail("LimitExceededException", "Attempt limit exceeded, please try after some time.")
		}
		return nil, err
	}
	_, err = p.Users.Update(u.Sub, func(u *directory.User) error {
		u.Password, u.Modified = p.Hash(u.Username, in.ProposedPassword), a.now()
		return nil
	})
	return struct{}{}, pool.UserError(err)
}

// SignOut is GlobalSignOut: it ends every session of the user.
func (a *Accounts) SignOut(_ context.Context, p *pool.Pool, in OfToken) (any, error) {
	u, _, err := a.owner(p, in.AccessToken)
	if err != nil {
		return nil, err
	}
	p.Tokens.SignOut(u.Sub)
	return struct{}{}, nil
}

// AdminSignOut is AdminUserGlobalSignOut.
func (a *Accounts) AdminSignOut(_ context.Context, p *pool.Pool, in OfUser) (any, error) {
	u, err := find(p, in.Username)
	if err != nil {
		return nil, err
	}
	p.Tokens.SignOut(u.Sub)
	return struct{}{}, nil
}

// RevokeInput is the input of RevokeToken.
type RevokeInput struct {
	ClientId     string
	ClientSecret userpool.Secret
	Token        userpool.Secret
}

// Client returns the app client's id.
func (in RevokeInput) Client() string { return in.ClientId }

// Revoke is RevokeToken: it ends the session that a refresh token belongs to. A
// token that nobody knows is none that had to be revoked (RFC 7009).
func (a *Accounts) Revoke(_ context.Context, p *pool.Pool, c *pool.Client, in RevokeInput) (any, error) {
	switch {
	case in.Token.Empty():
		return nil, pool.Constraint("token", "not be null")
	case !c.Secret.Equal(in.ClientSecret):
		return nil, pool.Fail("UnauthorizedException", "Invalid client secret for client %s", c.ID)
	case !*c.Settings.EnableTokenRevocation:
		return nil, pool.Fail("UnsupportedOperationException", "Token revocation is not enabled for client %s", c.ID)
	case strings.Count(in.Token.Reveal(), ".") == 2: // an ID or access token
		return nil, pool.Fail("UnsupportedTokenTypeException", "The token type is not supported")
	}
	grant, _ := p.Tokens.Refreshed(in.Token, a.now())
	switch grant.ClientID {
	case "":
	case c.ID:
		p.Tokens.Revoke(grant)
	default:
		return nil, pool.Fail("UnauthorizedException", "The token was issued to another client")
	}
	return struct{}{}, nil
}
