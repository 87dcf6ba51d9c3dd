package cognitoidp

import (
	"context"
	"encoding/json"

	"poolferry/internal/sandbox/cognitoidp/account"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/signin"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// ofClient is embedded in the input of unsigned operations.
type ofClient struct {
	ClientId          string
	AnalyticsMetadata json.RawMessage
	UserContextData   json.RawMessage
}

// Client returns the app client's id.
func (o ofClient) Client() string { return o.ClientId }

type initiateInput struct {
	AuthFlow       string
	AuthParameters map[string]userpool.Secret
	ClientMetadata map[string]string
	Session        string // of USER_AUTH, which is refused
}

// start refuses a Session, which only a flow that is not supported has.
func (in initiateInput) start(ctx context.Context, e *signin.Engine, a signin.Attempt) (any, error) {
	if in.Session != "" {
		return nil, wire.Unsupported("parameter", "Session")
	}
	a.Flow, a.Parameters, a.Metadata = in.AuthFlow, in.AuthParameters, in.ClientMetadata
	return outcome(e.Start(ctx, a))
}

type authOutput struct {
	ChallengeName        string            `json:",omitempty"`
	ChallengeParameters  map[string]string `json:""`
	Session              string            `json:",omitempty"`
	AuthenticationResult *authResult       `json:",omitempty"`
}

type authResult struct {
	AccessToken  string
	ExpiresIn    int
	IdToken      string
	RefreshToken string `json:",omitempty"`
	TokenType    string
}

// outcome is where tokens stop being Secrets: they leave the sandbox.
func outcome(o *signin.Outcome, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	out := authOutput{ChallengeName: o.Challenge, ChallengeParameters: o.Parameters, Session: o.Session.Reveal()}
	if out.ChallengeParameters == nil {
		out.ChallengeParameters = map[string]string{}
	}
	if t := o.Tokens; t != nil {
		out.AuthenticationResult = &authResult{AccessToken: t.Access.Reveal(), ExpiresIn: t.ExpiresIn,
			IdToken: t.ID.Reveal(), RefreshToken: t.Refresh.Reveal(), TokenType: "Bearer"}
	}
	return out, nil
}

func (s *Service) initiateAuth(ctx context.Context, p *pool.Pool, c *pool.Client, in struct {
	ofClient
	initiateInput
}) (any, error) {
	return in.start(ctx, s.engine, signin.Attempt{Pool: p, Client: c})
}

func (s *Service) adminInitiateAuth(ctx context.Context, p *pool.Pool, in struct {
	account.OfPool
	ofClient
	ContextData json.RawMessage
	initiateInput
}) (any, error) {
	c, err := p.Client(in.ClientId)
	if err != nil {
		return nil, err
	}
	return in.start(ctx, s.engine, signin.Attempt{Pool: p, Client: c, Admin: true})
}

type respondInput struct {
	ChallengeName      string
	ChallengeResponses map[string]userpool.Secret
	Session            userpool.Secret
	ClientMetadata     map[string]string
}

// answer is what both operations do once pool and client are known.
func (in respondInput) answer(ctx context.Context, e *signin.Engine, p *pool.Pool, c *pool.Client) (any, error) {
	return outcome(e.Answer(ctx, signin.Answer{Pool: p, Client: c, Challenge: in.ChallengeName, Responses: in.ChallengeResponses, Session: in.Session, Metadata: in.ClientMetadata}))
}

func (s *Service) respond(ctx context.Context, p *pool.Pool, c *pool.Client, in struct {
	ofClient
	respondInput
}) (any, error) {
	return in.answer(ctx, s.engine, p, c)
}

func (s *Service) adminRespond(ctx context.Context, p *pool.Pool, in struct {
	account.OfPool
	ofClient
	ContextData json.RawMessage
	respondInput
}) (any, error) {
	c, err := p.Client(in.ClientId)
	if err != nil {
		return nil, err
	}
	return in.answer(ctx, s.engine, p, c)
}

type forgotInput struct {
	ofClient
	Username       string
	SecretHash     string
	ClientMetadata map[string]string
}

// check validates the name and the secret hash.
func (in forgotInput) check(c *pool.Client) error {
	if err := pool.CheckName("username", in.Username); err != nil {
		return err
	}
	return c.CheckHash(in.Username, in.SecretHash)
}

type delivered struct {
	CodeDeliveryDetails signin.Delivery
}

func (s *Service) forgotPassword(ctx context.Context, p *pool.Pool, c *pool.Client, in forgotInput) (any, error) {
	if err := in.check(c); err != nil {
		return nil, err
	}
	d, err := s.engine.Forgot(ctx, p, c, in.Username, in.ClientMetadata)
	if err != nil {
		return nil, err
	}
	return delivered{d}, nil
}

func (s *Service) confirmForgotPassword(ctx context.Context, p *pool.Pool, c *pool.Client, in struct {
	forgotInput
	ConfirmationCode userpool.Secret
	Password         userpool.Secret
}) (any, error) {
	if err := in.check(c); err != nil {
		return nil, err
	}
	if err := s.engine.ConfirmForgot(ctx, p, c, in.Username, in.ConfirmationCode, in.Password, in.ClientMetadata); err != nil {
		return nil, err
	}
	return none{}, nil
}
