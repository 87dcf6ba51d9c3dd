package cognito

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"poolferry/internal/account"
)

// Time limits of one call. Two attempts and the pause between them fit into
// trigger.Budget and leave room for a second call.
const (
	attemptTimeout = 1500 * time.Millisecond
	maxAttempts    = 2
	maxBackoff     = 200 * time.Millisecond
)

// sessionLife is the longest that a role assumed by a role may last: role
// chaining ends at one hour (AWS STS API reference, AssumeRole).
const sessionLife = time.Hour

// refreshAhead is how long before their end credentials are renewed, so that no
// call starts with credentials that are about to expire.
const refreshAhead = 5 * time.Minute

// Account is AWS as one set of credentials sees it. One per process is enough:
// its clients share connections.
type Account struct {
	cfg aws.Config
}

// NewAccount reads credentials and endpoint from the environment. No call is
// made.
func NewAccount(ctx context.Context, region string, env account.Environment) (*Account, error) {
	cfg, err := account.Load(ctx, region, env, account.Limits{Attempt: attemptTimeout, Attempts: maxAttempts, Backoff: maxBackoff})
	if err != nil {
		return nil, err
	}
	return &Account{cfg: cfg}, nil
}

// Ready reports whether there are credentials at all.
func (a *Account) Ready(ctx context.Context) error { return account.Ready(ctx, a.cfg) }

// Role is a role in another account.
type Role struct {
	ARN         string
	ExternalID  string
	SessionName string // appears in the other account's CloudTrail
}

// assume returns the account's configuration with a role's credentials, which
// are fetched on first use, kept, and renewed ahead of their end. The STS call
// goes to the account's own region.
func (a *Account) assume(role Role, region string) aws.Config {
	cfg := a.cfg.Copy()
	cfg.Region = region
	if role.ARN == "" {
		return cfg
	}
	provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(a.cfg), role.ARN, func(o *stscreds.AssumeRoleOptions) {
		o.Duration = sessionLife
		o.RoleSessionName = role.SessionName
		if role.ExternalID != "" {
			o.ExternalID = aws.String(role.ExternalID)
		}
	})
	cfg.Credentials = aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow = refreshAhead
		o.ExpiryWindowJitterFrac = 0.5
	})
	return cfg
}

// prefetch fetches the credentials behind cfg, so that no sign-in waits for
// them.
func prefetch(ctx context.Context, cfg aws.Config, role Role) error {
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return classify(fmt.Errorf("assume role %s: %w", role.ARN, err))
	}
	return nil
}

func newClient(cfg aws.Config) *cognitoidentityprovider.Client {
	return cognitoidentityprovider.NewFromConfig(cfg)
}
