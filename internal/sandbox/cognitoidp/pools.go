package cognitoidp

import (
	"context"
	"slices"
	"strings"

	"poolferry/internal/sandbox/cognitoidp/account"
	"poolferry/internal/sandbox/cognitoidp/listing"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/schema"
	"poolferry/internal/sandbox/wire"
)

// poolType is UserPoolType.
type poolType struct {
	Id                     string
	Arn                    string
	Name                   string
	CreationDate           account.Seconds
	LastModifiedDate       account.Seconds
	EstimatedNumberOfUsers int
	SchemaAttributes       []schema.Attribute
	pool.Settings
	pool.Frozen
}

func describePool(p *pool.Pool) poolType {
	state := p.State()
	return poolType{Id: p.ID, Arn: p.ARN(), Name: state.Name, CreationDate: account.Seconds(p.Created),
		LastModifiedDate: account.Seconds(state.Modified), EstimatedNumberOfUsers: p.Users.Len(),
		SchemaAttributes: state.Schema.Attributes(), Settings: state.Settings.Described(), Frozen: p.Frozen}
}

func (s *Service) createUserPool(_ context.Context, call *wire.Call, in struct {
	PoolName string
	Schema   []schema.Attribute
	pool.Settings
	pool.Frozen
}) (any, error) {
	if err := call.Authorize("cognito-idp:CreateUserPool", "*"); err != nil {
		return nil, err
	}
	p, err := pool.New(call.Account, call.Region, in.PoolName, in.Settings, in.Frozen, in.Schema, s.issuer(call.Region), s.random, s.now())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.pools[p.ID] = p
	s.mu.Unlock()
	return struct{ UserPool poolType }{describePool(p)}, nil
}

func (s *Service) describeUserPool(_ context.Context, p *pool.Pool, _ account.OfPool) (any, error) {
	return struct{ UserPool poolType }{describePool(p)}, nil
}

// updateUserPool resets what the request leaves out, as AWS warns.
// poolUpdate is the input of UpdateUserPool.
type poolUpdate struct {
	account.OfPool
	PoolName string
	pool.Settings
}

func (s *Service) updateUserPool(p *pool.Pool, in poolUpdate) (any, error) {
	if err := s.imports.Busy(p); err != nil {
		return nil, err
	}
	return none{}, p.Update(in.PoolName, in.Settings, s.now())
}

type poolDescription struct {
	Id               string
	Name             string
	LambdaConfig     pool.Triggers
	CreationDate     account.Seconds
	LastModifiedDate account.Seconds
}

func (s *Service) listUserPools(_ context.Context, call *wire.Call, in struct {
	MaxResults *int
	NextToken  string
}) (any, error) {
	if err := call.Authorize("cognito-idp:ListUserPools", "*"); err != nil {
		return nil, err
	}
	if in.MaxResults == nil {
		return nil, pool.Constraint("maxResults", "not be null")
	}
	var all []*pool.Pool
	s.mu.RLock()
	for _, p := range s.pools {
		if p.Account == call.Account && p.Region == call.Region {
			all = append(all, p)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *pool.Pool) int { return strings.Compare(a.ID, b.ID) })
	page, next, err := listing.Slice(s.lists, "ListUserPools "+call.Account+" "+call.Region, all, in.MaxResults, in.NextToken, func(p *pool.Pool) string { return p.ID })
	if err != nil {
		return nil, err
	}
	out := struct {
		UserPools []poolDescription
		NextToken string `json:",omitempty"`
	}{[]poolDescription{}, next}
	for _, p := range page {
		state := p.State()
		out.UserPools = append(out.UserPools, poolDescription{p.ID, state.Name, state.Settings.LambdaConfig, account.Seconds(p.Created), account.Seconds(state.Modified)})
	}
	return out, nil
}

func (s *Service) addCustomAttributes(_ context.Context, p *pool.Pool, in struct {
	account.OfPool
	CustomAttributes []schema.Attribute
}) (any, error) {
	if n := len(in.CustomAttributes); n < 1 || n > 25 {
		return nil, pool.Constraint("customAttributes", "have length between 1 and 25")
	}
	if err := s.imports.Busy(p); err != nil {
		return nil, err
	}
	return none{}, p.AddAttributes(in.CustomAttributes, s.now())
}

// mfaConfig is the answer of the MfaConfig operations and, with a pool id, the
// input of SetUserPoolMfaConfig.
type mfaConfig struct {
	MfaConfiguration              string         `json:",omitempty"`
	SmsMfaConfiguration           *smsMFA        `json:",omitempty"`
	SoftwareTokenMfaConfiguration *totpMFA       `json:",omitempty"`
	EmailMfaConfiguration         *pool.EmailMFA `json:",omitempty"`
	WebAuthnConfiguration         pool.Kept      `json:",omitempty"`
}

type smsMFA struct {
	SmsAuthenticationMessage string    `json:",omitempty"`
	SmsConfiguration         pool.Kept `json:",omitempty"`
}

type totpMFA struct {
	Enabled bool
}

func (s *Service) getMfaConfig(_ context.Context, p *pool.Pool, _ account.OfPool) (any, error) {
	state := p.State()
	out := mfaConfig{MfaConfiguration: state.Settings.MfaConfiguration, EmailMfaConfiguration: state.MFA.Email, WebAuthnConfiguration: state.MFA.WebAuthn}
	if len(state.Settings.SmsConfiguration) > 0 {
		out.SmsMfaConfiguration = &smsMFA{state.Settings.SmsAuthenticationMessage, state.Settings.SmsConfiguration}
	}
	if state.MFA.TOTP {
		out.SoftwareTokenMfaConfiguration = &totpMFA{true}
	}
	return out, nil
}

func (s *Service) setMfaConfig(ctx context.Context, p *pool.Pool, in struct {
	account.OfPool
	mfaConfig
}) (any, error) {
	mfa := pool.MFAConfig{Email: in.EmailMfaConfiguration, WebAuthn: in.WebAuthnConfiguration,
		TOTP: in.SoftwareTokenMfaConfiguration != nil && in.SoftwareTokenMfaConfiguration.Enabled}
	var sms smsMFA
	if in.SmsMfaConfiguration != nil {
		sms = *in.SmsMfaConfiguration
	}
	if err := p.SetMFA(in.MfaConfiguration, mfa, sms.SmsConfiguration, sms.SmsAuthenticationMessage, s.now()); err != nil {
		return nil, err
	}
	return s.getMfaConfig(ctx, p, in.OfPool)
}

// clientType is UserPoolClientType.
type clientType struct {
	UserPoolId       string
	ClientId         string
	ClientSecret     string `json:",omitempty"`
	CreationDate     account.Seconds
	LastModifiedDate account.Seconds
	pool.ClientSettings
}

type oneClient struct {
	UserPoolClient clientType
}

// describeClient shows the secret: DescribeUserPoolClient does.
func describeClient(p *pool.Pool, c *pool.Client) oneClient {
	return oneClient{clientType{UserPoolId: p.ID, ClientId: c.ID, ClientSecret: c.Secret.Reveal(),
		CreationDate: account.Seconds(c.Created), LastModifiedDate: account.Seconds(c.Modified), ClientSettings: c.Settings}}
}

func (s *Service) createUserPoolClient(_ context.Context, p *pool.Pool, in struct {
	account.OfPool
	GenerateSecret bool
	pool.ClientSettings
}) (any, error) {
	c, err := s.addClient(p, in.ClientSettings, in.GenerateSecret)
	if err != nil {
		return nil, err
	}
	return describeClient(p, c), nil
}

type ofPoolClient struct {
	account.OfPool
	ClientId string
}

func (s *Service) describeUserPoolClient(_ context.Context, p *pool.Pool, in ofPoolClient) (any, error) {
	c, err := p.Client(in.ClientId)
	if err != nil {
		return nil, err
	}
	return describeClient(p, c), nil
}

// updateUserPoolClient resets what the request leaves out, as AWS warns.
func (s *Service) updateUserPoolClient(_ context.Context, p *pool.Pool, in struct {
	ofPoolClient
	pool.ClientSettings
}) (any, error) {
	c, err := p.UpdateClient(in.ClientId, in.ClientSettings, s.now())
	if err != nil {
		return nil, err
	}
	return describeClient(p, c), nil
}

type clientDescription struct {
	ClientId   string
	ClientName string
	UserPoolId string
}

func (s *Service) listUserPoolClients(_ context.Context, p *pool.Pool, in struct {
	account.OfPool
	MaxResults *int
	NextToken  string
}) (any, error) {
	page, next, err := listing.Slice(s.lists, "ListUserPoolClients "+p.ID, p.Clients(), in.MaxResults, in.NextToken, func(c *pool.Client) string { return c.ID })
	if err != nil {
		return nil, err
	}
	out := struct {
		UserPoolClients []clientDescription
		NextToken       string `json:",omitempty"`
	}{[]clientDescription{}, next}
	for _, c := range page {
		out.UserPoolClients = append(out.UserPoolClients, clientDescription{c.ID, c.Settings.ClientName, p.ID})
	}
	return out, nil
}
