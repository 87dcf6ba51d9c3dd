package account

import (
	"context"
	"slices"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/signin"
	"poolferry/internal/sandbox/cognitoidp/triggers"
	"poolferry/internal/userpool"
)

// OfClient is embedded in the input of a user's own operations.
type OfClient struct {
	ClientId          string
	Username          string
	SecretHash        string
	ClientMetadata    map[string]string // for PreSignUp and PostConfirmation
	AnalyticsMetadata any               // feeds analytics only
	UserContextData   any               // feeds threat protection only
}

// Client returns the app client's id.
func (o OfClient) Client() string { return o.ClientId }

func (o OfClient) check(c *pool.Client) error {
	if err := pool.CheckName("username", o.Username); err != nil {
		return err
	}
	return c.CheckHash(o.Username, o.SecretHash)
}

// SignUpInput is the input of SignUp.
type SignUpInput struct {
	OfClient
	Password       userpool.Secret
	UserAttributes []Attribute
	ValidationData []Attribute // for PreSignUp
}

// SignUpOutput is the answer of SignUp.
type SignUpOutput struct {
	UserConfirmed       bool
	UserSub             userpool.Sub
	CodeDeliveryDetails *signin.Delivery `json:",omitempty"`
}

// SignUp creates an unconfirmed user and sends a code to the first attribute
// that the pool verifies by itself. The pre sign-up trigger may refuse the user,
// or confirm the user at once.
func (a *Accounts) SignUp(ctx context.Context, p *pool.Pool, c *pool.Client, in SignUpInput) (any, error) {
	if err := in.check(c); err != nil {
		return nil, err
	}
	state := p.State()
	if state.Settings.AdminCreateUserConfig.AllowAdminCreateUserOnly {
		return nil, pool.NotAuthorized("SignUp is not permitted for this user pool")
	}
	if err := signin.CheckPolicy(state, in.Password); err != nil {
		return nil, err
	}
	values := collect(in.UserAttributes)
	for name := range values {
		if !c.Writes(name) || name == userpool.AttrEmailVerified || name == userpool.AttrPhoneVerified {
			return nil, pool.NotAuthorized("A client attempted to write unauthorized attribute")
		}
	}
	given := pool.Present(values)
	if _, err := settle(p.Rules, in.Username, given); err != nil {
		return nil, err
	}
	if err := state.Schema.Complete(given); err != nil {
		return nil, pool.UserError(err)
	}
	draft, err := a.draft(p, in.Username, values)
	if err != nil {
		return nil, err
	}
	draft.Status, draft.Password = userpool.StatusUnconfirmed, p.Hash(draft.Username, in.Password)
	if err := a.free(p, draft, false); err != nil {
		return nil, err
	}
	decided, err := a.engine.PreSignUp(ctx, p, &draft, signin.Created{Source: triggers.SourceSignUp, ClientID: c.ID,
		ValidationData: collect(in.ValidationData), Metadata: in.ClientMetadata})
	if err != nil {
		return nil, err
	}
	u, err := a.insert(p, decide(draft, decided), decided.VerifyEmail || decided.VerifyPhone)
	if err != nil {
		return nil, err
	}
	out := SignUpOutput{UserSub: u.Sub, UserConfirmed: decided.Confirm}
	if decided.Confirm {
		return out, a.engine.PostConfirmation(ctx, p, u, c.ID, triggers.SourceConfirmSignUp, in.ClientMetadata)
	}
	for medium, attribute := range verifiable(state, u) {
		p.Outbox.Send(u.Sub, pool.Message{Medium: medium, Destination: u.Attributes[attribute], Purpose: pool.PurposeConfirm,
			Code: userpool.NewSecret(p.Random().Code()), Sent: a.now()})
		out.CodeDeliveryDetails = &signin.Delivery{AttributeName: attribute, DeliveryMedium: medium, Destination: pool.Mask(medium, u.Attributes[attribute])}
	}
	return out, nil
}

// decide does to a new user what a pre sign-up trigger decided. An alias that it
// verifies moves to the new user (Developer Guide, pre sign-up trigger).
func decide(u directory.User, by triggers.SignUp) directory.User {
	if by.Confirm {
		u.Status = userpool.StatusConfirmed
	}
	if by.VerifyEmail {
		u.Attributes[userpool.AttrEmailVerified] = "true"
	}
	if by.VerifyPhone {
		u.Attributes[userpool.AttrPhoneVerified] = "true"
	}
	return u
}

// verifiable is the medium and the attribute by which a new user is confirmed:
// the phone number where the pool verifies both (Developer Guide, signing up).
func verifiable(state pool.State, u *directory.User) map[string]string {
	for _, way := range [][2]string{{"SMS", userpool.AttrPhoneNumber}, {"EMAIL", userpool.AttrEmail}} {
		if slices.Contains(state.Settings.AutoVerifiedAttributes, way[1]) && u.Attributes[way[1]] != "" {
			return map[string]string{way[0]: way[1]}
		}
	}
	return nil
}

// ConfirmInput is the input of ConfirmSignUp.
type ConfirmInput struct {
	OfClient
	ConfirmationCode   userpool.Secret
	ForceAliasCreation bool
}

// Confirm is ConfirmSignUp: the code confirms the user and verifies the
// attribute that it was sent to.
func (a *Accounts) Confirm(ctx context.Context, p *pool.Pool, c *pool.Client, in ConfirmInput) (any, error) {
	if err := in.check(c); err != nil {
		return nil, err
	}
	u, ok := p.Users.Find(in.Username)
	switch {
	case !ok && c.HidesUsers():
		return nil, pool.Fail("ExpiredCodeException", "Invalid code provided, please request a code again.")
	case !ok:
		return nil, pool.Fail("UserNotFoundException", "Username/client id combination not found.")
	case u.Status != userpool.StatusUnconfirmed:
		return nil, pool.NotAuthorized("User cannot be confirmed. Current status is %s", u.Status)
	}
	if err := a.engine.UseConfirmCode(p, u, in.ConfirmationCode); err != nil {
		return nil, err
	}
	update := p.Users.Update
	if in.ForceAliasCreation {
		update = p.Users.UpdateForce
	}
	u, err := update(u.Sub, func(u *directory.User) error {
		u.Status, u.Modified = userpool.StatusConfirmed, a.now()
		for _, attribute := range verifiable(p.State(), u) {
			u.Attributes[attribute+"_verified"] = "true"
		}
		return nil
	})
	if err != nil {
		return nil, pool.UserError(err)
	}
	return struct{}{}, a.engine.PostConfirmation(ctx, p, u, c.ID, triggers.SourceConfirmSignUp, in.ClientMetadata)
}

// AdminConfirm is AdminConfirmSignUp; it verifies no attribute.
func (a *Accounts) AdminConfirm(ctx context.Context, p *pool.Pool, in ResetInput) (any, error) {
	u, err := a.change(p, in.Username, func(u *directory.User) error {
		if u.Status != userpool.StatusUnconfirmed {
			return pool.NotAuthorized("User cannot be confirmed. Current status is %s", u.Status)
		}
		u.Status = userpool.StatusConfirmed
		return nil
	})
	if err != nil {
		return nil, err
	}
	return struct{}{}, a.engine.PostConfirmation(ctx, p, u, triggers.NoClient, triggers.SourceConfirmSignUp, in.ClientMetadata)
}
