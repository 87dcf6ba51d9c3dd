package cognito

import (
	"context"
	"fmt"
	"strings"
	"time"

	srp "github.com/alexrudd/cognito-srp/v4"
	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/cutover"
	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// SignInSRP signs in by USER_SRP_AUTH: the password itself is never sent. What
// comes once it is proven is returned, a challenge too.
func (a *App) SignInSRP(ctx context.Context, poolID, name string, password userpool.Secret) (SignIn, error) {
	var secret *string
	if !a.secret.Empty() {
		secret = aws.String(a.secret.Reveal())
	}
	exchange, err := srp.NewCognitoSRP(name, password.Reveal(), poolID, a.clientID, secret)
	if err != nil {
		return SignIn{}, fault.New(fault.Invalid, "sign in at client %s: %w", a.clientID, err)
	}
	first, err := a.client.InitiateAuth(ctx, &cip.InitiateAuthInput{
		AuthFlow: types.AuthFlowTypeUserSrpAuth, ClientId: &a.clientID, AuthParameters: exchange.GetAuthParams(),
	})
	if err != nil {
		return SignIn{}, classify(fmt.Errorf("begin SRP at client %s: %w", a.clientID, err))
	}
	if first.ChallengeName != types.ChallengeNameTypePasswordVerifier {
		return SignIn{}, fault.New(fault.Unavailable, "begin SRP at client %s: %s came instead of a challenge to prove the password", a.clientID, first.ChallengeName)
	}
	proof, err := exchange.PasswordVerifierChallenge(first.ChallengeParameters, time.Now())
	if err != nil {
		return SignIn{}, fault.New(fault.Unavailable, "prove the password at client %s: %w", a.clientID, err)
	}
	out, err := a.client.RespondToAuthChallenge(ctx, &cip.RespondToAuthChallengeInput{
		ChallengeName: types.ChallengeNameTypePasswordVerifier, ClientId: &a.clientID, ChallengeResponses: proof, Session: first.Session,
	})
	if err != nil {
		return SignIn{}, classify(fmt.Errorf("prove the password at client %s: %w", a.clientID, err))
	}
	return signInOf(first.ChallengeParameters["USERNAME"], out.AuthenticationResult, out.ChallengeName, out.ChallengeParameters, out.Session), nil
}

// Probe signs in at the clients of a pool as people do. It reads the clients'
// secrets where they have any.
type Probe struct {
	account  *Account
	settings *PoolSettings
	region   string
	nobody   string
}

var _ cutover.Prober = (*Probe)(nil)

// NewProbe returns a probe of a pool. nobody is a username that nobody has. No
// call is made.
func NewProbe(account *Account, o SettingsOptions, nobody string) *Probe {
	return &Probe{account: account, settings: NewPoolSettings(account, o), region: o.Region, nobody: nobody}
}

func (p *Probe) app(ctx context.Context, clientID string) (*App, error) {
	secret, err := p.settings.Secret(ctx, clientID)
	if err != nil {
		return nil, err
	}
	return NewApp(p.account, p.region, clientID, secret), nil
}

// SignInSRP signs in by USER_SRP_AUTH.
func (p *Probe) SignInSRP(ctx context.Context, clientID, name string, password userpool.Secret) (challenge string, err error) {
	return p.signIn(ctx, clientID, func(ctx context.Context, app *App) (SignIn, error) {
		return app.SignInSRP(ctx, p.settings.poolID, name, password)
	})
}

// SignInPassword signs in by USER_PASSWORD_AUTH.
func (p *Probe) SignInPassword(ctx context.Context, clientID, name string, password userpool.Secret) (challenge string, err error) {
	return p.signIn(ctx, clientID, func(ctx context.Context, app *App) (SignIn, error) {
		return app.SignIn(ctx, name, password, nil)
	})
}

func (p *Probe) signIn(ctx context.Context, clientID string, by func(context.Context, *App) (SignIn, error)) (challenge string, err error) {
	app, err := p.app(ctx, clientID)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	s, err := by(ctx, app)
	return s.Challenge, err
}

// flowRefused is how Cognito says that a client does not have a flow (re:Post,
// migrating users with Lambda). After any other refusal the flow was taken.
const flowRefused = "flow not enabled for this client"

// TakesPasswords tries USER_PASSWORD_AUTH under a name that nobody has.
func (p *Probe) TakesPasswords(ctx context.Context, clientID string) (bool, error) {
	_, err := p.SignInPassword(ctx, clientID, p.nobody, userpool.NewSecret("Poolferry-probe-1"))
	switch code := Code(err); {
	case err == nil:
		return true, nil
	case code == "InvalidParameterException" && strings.Contains(err.Error(), flowRefused):
		return false, nil
	case code == "UserNotFoundException", code == "NotAuthorizedException" && !isOurFault(err),
		code == "UserLambdaValidationException", code == "UnexpectedLambdaException":
		return true, nil
	}
	return false, fmt.Errorf("try the password flow: %w", err)
}
