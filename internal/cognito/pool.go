package cognito

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/fault"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

// TargetOptions names the target pool.
type TargetOptions struct {
	Region string
	PoolID string
	// SMSMFA says that the pool asks for codes by SMS. DescribeUserPool tells
	// only whether it could; the operation that knows, GetUserPoolMfaConfig, is
	// limited to five requests per second and cannot serve a burst of cold
	// starts (Cognito Developer Guide, quotas).
	SMSMFA bool
}

// describeAttempts is how often a description is asked for. Cold starts come in
// bursts and DescribeUserPool is limited to 15 requests per second, so a new
// process waits its turn, within the caller's deadline.
const describeAttempts = 8

// Target is the target pool's description: read once, then kept for the life of
// the process. What matters to a migration (schema, aliases, case) cannot
// change but by adding attributes, and a new Lambda process comes soon enough.
type Target struct {
	client *cip.Client
	o      TargetOptions

	mu   sync.Mutex
	pool *userpool.Pool
}

var _ trigger.Target = (*Target)(nil)

// NewTarget returns the description of a pool of the account. No call is made.
func NewTarget(account *Account, o TargetOptions) *Target {
	cfg := account.assume(Role{}, o.Region)
	cfg.RetryMaxAttempts = describeAttempts
	return &Target{client: newClient(cfg), o: o}
}

// Pool returns the description. A failed read is not kept.
func (t *Target) Pool(ctx context.Context) (userpool.Pool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pool == nil {
		pool, err := describe(ctx, t.client, t.o.PoolID)
		if err != nil {
			return userpool.Pool{}, err
		}
		pool.SMSMFA = pool.SMSMFA && t.o.SMSMFA
		t.pool = &pool
	}
	return *t.pool, nil
}

// Directory is a pool as the export role may read it. Reading it makes nobody
// an active user.
type Directory struct {
	client *cip.Client
	poolID string
}

// NewDirectory returns a pool as account, or the role it assumes, may read it.
func NewDirectory(account *Account, region, poolID string, role Role) *Directory {
	return &Directory{client: newClient(account.assume(role, region)), poolID: poolID}
}

// Describe reads the pool's settings.
func (d *Directory) Describe(ctx context.Context) (userpool.Pool, error) {
	return describe(ctx, d.client, d.poolID)
}

// ClientReads lists the attributes that an app client may read, and so the
// claims that its ID tokens can carry. A client without a list of its own reads
// the standard attributes and no custom ones (Cognito API reference,
// UserPoolClientType).
func (d *Directory) ClientReads(ctx context.Context, clientID string) ([]string, error) {
	out, err := d.client.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &d.poolID, ClientId: &clientID})
	if err != nil {
		return nil, classify(fmt.Errorf("describe client %s of pool %s: %w", clientID, d.poolID, err))
	}
	if out.UserPoolClient == nil {
		return nil, fault.New(fault.Unavailable, "describe client %s of pool %s: empty answer", clientID, d.poolID)
	}
	return readsOf(out.UserPoolClient), nil
}

func readsOf(client *types.UserPoolClientType) []string {
	if reads := client.ReadAttributes; len(reads) > 0 {
		return reads
	}
	return userpool.StandardAttributes()
}

// nameAttributes are the attributes that a person's name may stand in.
var nameAttributes = []string{"username", "email", "phone_number", "preferred_username", "sub"}

// Find returns the users to whom a name may belong, by exact match on each
// attribute that can be a name, without duplicates. ListUsers is eventually
// consistent.
func (d *Directory) Find(ctx context.Context, name string) ([]userpool.User, error) {
	var found []userpool.User
	for _, attribute := range nameAttributes {
		filter := attribute + ` = "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
		pages := cip.NewListUsersPaginator(d.client, &cip.ListUsersInput{UserPoolId: &d.poolID, Filter: &filter})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, classify(fmt.Errorf("find a user of pool %s by %s: %w", d.poolID, attribute, err))
			}
			for _, u := range page.Users {
				user := userOf(u, mfaOptions(u.MFAOptions))
				if !slices.ContainsFunc(found, func(f userpool.User) bool { return f.Sub == user.Sub }) {
					found = append(found, user)
				}
			}
		}
	}
	return found, nil
}

// mfaOptions reads the one second factor that ListUsers tells of: SMS.
func mfaOptions(options []types.MFAOptionType) []string {
	for _, o := range options {
		if o.DeliveryMedium == types.DeliveryMediumTypeSms {
			return []string{trigger.ChallengeSMS}
		}
	}
	return nil
}

func describe(ctx context.Context, client *cip.Client, poolID string) (userpool.Pool, error) {
	out, err := client.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &poolID})
	if err != nil {
		return userpool.Pool{}, classify(fmt.Errorf("describe pool %s: %w", poolID, err))
	}
	if out.UserPool == nil {
		return userpool.Pool{}, fault.New(fault.Unavailable, "describe pool %s: empty answer", poolID)
	}
	return poolOf(poolID, out.UserPool)
}

func poolOf(poolID string, in *types.UserPoolType) (userpool.Pool, error) {
	pool := userpool.Pool{
		ID:     poolID,
		Schema: make(userpool.Schema, len(in.SchemaAttributes)),
		MFA:    userpool.MFAMode(in.MfaConfiguration),
		SMSMFA: in.MfaConfiguration != types.UserPoolMfaTypeOff && in.MfaConfiguration != "" && in.SmsConfiguration != nil,
		// Pools without UsernameConfiguration are the older, case-sensitive ones.
		CaseSensitive: in.UsernameConfiguration == nil || aws.ToBool(in.UsernameConfiguration.CaseSensitive),
	}
	for _, a := range in.AliasAttributes {
		pool.Aliases = append(pool.Aliases, string(a))
	}
	for _, a := range in.UsernameAttributes {
		pool.UsernameAttributes = append(pool.UsernameAttributes, string(a))
	}
	if l := in.LambdaConfig; l != nil {
		pool.PreTokenGeneration = aws.ToString(l.PreTokenGeneration) != "" || l.PreTokenGenerationConfig != nil
	}
	for _, a := range in.SchemaAttributes {
		spec, err := specOf(a)
		if err != nil {
			return userpool.Pool{}, fault.New(fault.Unavailable, "describe pool %s: attribute %s: %w", poolID, aws.ToString(a.Name), err)
		}
		pool.Schema[spec.Name] = spec
	}
	return pool, nil
}

func specOf(a types.SchemaAttributeType) (userpool.AttributeSpec, error) {
	spec := userpool.AttributeSpec{
		Name:     aws.ToString(a.Name),
		Type:     userpool.AttributeType(a.AttributeDataType),
		Mutable:  aws.ToBool(a.Mutable),
		Required: aws.ToBool(a.Required),
	}
	var err error
	if c := a.StringAttributeConstraints; c != nil {
		if spec.Min, err = bound(c.MinLength); err == nil {
			spec.Max, err = bound(c.MaxLength)
		}
	}
	if c := a.NumberAttributeConstraints; c != nil && err == nil {
		if spec.Min, err = bound(c.MinValue); err == nil {
			spec.Max, err = bound(c.MaxValue)
		}
	}
	return spec, err
}

// bound reads a constraint, which Cognito sends as text.
func bound(text *string) (*int64, error) {
	if aws.ToString(text) == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(*text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("constraint %q is not a whole number", *text)
	}
	return &n, nil
}
