package cognito

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"golang.org/x/time/rate"

	"poolferry/internal/account"
	"poolferry/internal/fault"
	"poolferry/internal/preflight"
	"poolferry/internal/userpool"
)

// Identity asks STS whose credentials the account's are: the account id, and the
// partition of its ARNs.
func (a *Account) Identity(ctx context.Context) (id, partition string, err error) {
	return account.Identity(ctx, a.cfg)
}

// Survey is a pool as preflight looks at it: settings and clients, and the
// directory as Listing has it. Errors have kinds of package fault, NotFound for a
// pool or client that is not there.
type Survey struct {
	*Listing
	client *cip.Client
	cfg    aws.Config
	role   Role
	poolID string
	turns  *rate.Limiter
}

var (
	_ preflight.Source = (*Survey)(nil)
	_ preflight.Target = (*Survey)(nil)
)

// clientsPerSecond is how often an operation on the clients of one pool may be
// called: five per second (Cognito Developer Guide, quotas), of which the app's
// deployments want some.
const clientsPerSecond = 4

// NewSurvey returns a pool as account, or the role it assumes, may look at it. No
// call is made.
func NewSurvey(account *Account, region, poolID string, role Role) *Survey {
	cfg := account.assume(role, region)
	cfg.RetryMaxAttempts = describeAttempts // of a handful of requests: no pace has to know of them
	cfg.HTTPClient = awshttp.NewBuildableClient().WithTimeout(listTimeout)
	client := newClient(cfg)
	return &Survey{
		Listing: &Listing{client: client, poolID: poolID}, client: client, cfg: cfg, role: role, poolID: poolID,
		turns: rate.NewLimiter(clientsPerSecond, clientsPerSecond),
	}
}

// Assume assumes the role, where there is one.
func (s *Survey) Assume(ctx context.Context) error {
	if s.role.ARN == "" {
		return nil
	}
	return prefetch(ctx, s.cfg, s.role)
}

// absent classifies an error, with NotFound for what is not there.
func absent(err error) error {
	if err != nil && Code(err) == "ResourceNotFoundException" {
		return &fault.Error{Kind: fault.NotFound, Err: err}
	}
	return classify(err)
}

// Describe reads all settings that preflight knows.
func (s *Survey) Describe(ctx context.Context) (preflight.Pool, error) {
	out, err := s.client.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &s.poolID})
	if err != nil {
		return preflight.Pool{}, absent(fmt.Errorf("describe pool %s: %w", s.poolID, err))
	}
	if out.UserPool == nil {
		return preflight.Pool{}, fault.New(fault.Unavailable, "describe pool %s: empty answer", s.poolID)
	}
	in := out.UserPool
	pool, err := poolOf(s.poolID, in)
	if err != nil {
		return preflight.Pool{}, err
	}
	p := preflight.Pool{
		Pool: pool, Users: int(in.EstimatedNumberOfUsers), Plan: string(in.UserPoolTier), ThreatProtection: string(types.AdvancedSecurityModeTypeOff),
		SelfSignUp:       in.AdminCreateUserConfig == nil || !in.AdminCreateUserConfig.AllowAdminCreateUserOnly,
		CognitoSendsMail: in.EmailConfiguration == nil || in.EmailConfiguration.EmailSendingAccount != types.EmailSendingAccountTypeDeveloper,
		Triggers:         triggersOf(in.LambdaConfig),
	}
	p.MigrationTrigger = p.Triggers[preflight.UserMigration]
	for _, attribute := range in.AutoVerifiedAttributes {
		p.AutoVerified = append(p.AutoVerified, string(attribute))
	}
	if in.UserPoolAddOns != nil && in.UserPoolAddOns.AdvancedSecurityMode != "" {
		p.ThreatProtection = string(in.UserPoolAddOns.AdvancedSecurityMode)
	}
	if in.Policies != nil && in.Policies.PasswordPolicy != nil {
		rules := in.Policies.PasswordPolicy
		p.Password = preflight.PasswordRules{
			MinimumLength: int(aws.ToInt32(rules.MinimumLength)), Uppercase: rules.RequireUppercase, Lowercase: rules.RequireLowercase,
			Numbers: rules.RequireNumbers, Symbols: rules.RequireSymbols, History: aws.ToInt32(rules.PasswordHistorySize) > 0,
		}
	}
	return p, nil
}

func triggersOf(in *types.LambdaConfigType) map[string]string {
	out := map[string]string{}
	if in == nil {
		return out
	}
	for name, arn := range map[string]*string{
		"PreSignUp": in.PreSignUp, "CustomMessage": in.CustomMessage, "PostConfirmation": in.PostConfirmation,
		"PreAuthentication": in.PreAuthentication, "PostAuthentication": in.PostAuthentication,
		"PreTokenGeneration": in.PreTokenGeneration, "UserMigration": in.UserMigration,
		"DefineAuthChallenge": in.DefineAuthChallenge, "CreateAuthChallenge": in.CreateAuthChallenge,
		"VerifyAuthChallengeResponse": in.VerifyAuthChallengeResponse,
	} {
		if aws.ToString(arn) != "" {
			out[name] = *arn
		}
	}
	if in.PreTokenGenerationConfig != nil {
		out["PreTokenGeneration"] = aws.ToString(in.PreTokenGenerationConfig.LambdaArn)
	}
	return out
}

// Factors reads which second factors the pool asks for.
func (s *Survey) Factors(ctx context.Context) (preflight.Factors, error) {
	out, err := s.client.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: &s.poolID})
	if err != nil {
		return preflight.Factors{}, absent(fmt.Errorf("read second factors of pool %s: %w", s.poolID, err))
	}
	return preflight.Factors{
		SMS:   out.SmsMfaConfiguration != nil && out.SmsMfaConfiguration.SmsConfiguration != nil,
		TOTP:  out.SoftwareTokenMfaConfiguration != nil && out.SoftwareTokenMfaConfiguration.Enabled,
		Email: out.EmailMfaConfiguration != nil,
	}, nil
}

// Client reads an app client.
func (s *Survey) Client(ctx context.Context, id string) (preflight.Client, error) {
	out, err := s.client.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &s.poolID, ClientId: &id})
	if err != nil {
		return preflight.Client{}, absent(fmt.Errorf("describe client %s of pool %s: %w", id, s.poolID, err))
	}
	in := out.UserPoolClient
	if in == nil {
		return preflight.Client{}, fault.New(fault.Unavailable, "describe client %s of pool %s: empty answer", id, s.poolID)
	}
	c := preflight.Client{
		ID: id, Name: aws.ToString(in.ClientName), HidesUsers: in.PreventUserExistenceErrors == types.PreventUserExistenceErrorTypesEnabled,
		Secret: aws.ToString(in.ClientSecret) != "", Reads: readsOf(in), Writes: in.WriteAttributes, Managed: managed(in),
	}
	for _, flow := range in.ExplicitAuthFlows {
		c.Flows = append(c.Flows, string(flow))
	}
	return c, nil
}

// managed reports whether people type passwords of the pool into managed login,
// which calls a migration trigger whatever flows the client allows (Cognito
// Developer Guide, Lambda triggers).
func managed(in *types.UserPoolClientType) bool {
	return aws.ToBool(in.AllowedOAuthFlowsUserPoolClient) && slices.Contains(in.SupportedIdentityProviders, "COGNITO") &&
		slices.ContainsFunc(in.AllowedOAuthFlows, func(f types.OAuthFlowType) bool { return f != types.OAuthFlowTypeClientCredentials })
}

// Clients reads all app clients.
func (s *Survey) Clients(ctx context.Context) ([]preflight.Client, error) {
	var all []preflight.Client
	pages := cip.NewListUserPoolClientsPaginator(s.client, &cip.ListUserPoolClientsInput{UserPoolId: &s.poolID, MaxResults: aws.Int32(60)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, absent(fmt.Errorf("list clients of pool %s: %w", s.poolID, err))
		}
		for _, description := range page.UserPoolClients {
			if err := s.turns.Wait(ctx); err != nil {
				return nil, fault.New(fault.Unavailable, "list clients of pool %s: %w", s.poolID, err)
			}
			c, err := s.Client(ctx, aws.ToString(description.ClientId))
			if fault.KindOf(err) == fault.NotFound {
				continue // deleted meanwhile
			}
			if err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// AddAttribute adds a custom attribute to the schema, for good.
func (s *Survey) AddAttribute(ctx context.Context, spec userpool.AttributeSpec) error {
	in := types.SchemaAttributeType{
		// Cognito puts custom: in front.
		Name: aws.String(spec.Name[len("custom:"):]), AttributeDataType: types.AttributeDataType(spec.Type), Mutable: &spec.Mutable,
	}
	if spec.Type == userpool.TypeString {
		in.StringAttributeConstraints = &types.StringAttributeConstraintsType{MinLength: text(spec.Min), MaxLength: text(spec.Max)}
	}
	_, err := s.client.AddCustomAttributes(ctx, &cip.AddCustomAttributesInput{UserPoolId: &s.poolID, CustomAttributes: []types.SchemaAttributeType{in}})
	if err != nil {
		return absent(fmt.Errorf("add attribute %s to pool %s: %w", spec.Name, s.poolID, err))
	}
	return nil
}

func text(n *int64) *string {
	if n == nil {
		return nil
	}
	return aws.String(fmt.Sprint(*n))
}
