package cognito

import (
	"context"
	"fmt"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/userpool"
)

// App is an app client of a pool as the people's own app uses it: public,
// unsigned calls. Its errors have kinds; Code tells what Cognito said.
type App struct {
	client   *cip.Client
	clientID string
	secret   userpool.Secret
}

// NewApp returns an app client.
func NewApp(account *Account, region, clientID string, secret userpool.Secret) *App {
	cfg := account.cfg.Copy()
	cfg.Region = region
	cfg.Credentials = aws.AnonymousCredentials{}
	// An app waits as long as Cognito may take for three calls of a trigger.
	cfg.HTTPClient = nil
	return &App{client: newClient(cfg), clientID: clientID, secret: secret}
}

// SignIn is the state of a sign-in: done, or waiting for the answer to a
// challenge.
type SignIn struct {
	Done        bool
	AccessToken userpool.Secret
	IDToken     userpool.Secret
	Challenge   string // ChallengeName, unless Done

	username string
	session  userpool.Secret
}

// SignIn signs in by USER_PASSWORD_AUTH, the flow that reaches a migration
// trigger. metadata goes to the trigger as ClientMetadata.
func (a *App) SignIn(ctx context.Context, name string, password userpool.Secret, metadata map[string]string) (SignIn, error) {
	out, err := a.client.InitiateAuth(ctx, &cip.InitiateAuthInput{
		AuthFlow:       types.AuthFlowTypeUserPasswordAuth,
		ClientId:       &a.clientID,
		AuthParameters: authParameters(a.clientID, a.secret, "USERNAME", name, "PASSWORD", password.Reveal()),
		ClientMetadata: maps.Clone(metadata),
	})
	if err != nil {
		return SignIn{}, classify(fmt.Errorf("sign in at client %s: %w", a.clientID, err))
	}
	return signInOf(name, out.AuthenticationResult, out.ChallengeName, out.ChallengeParameters, out.Session), nil
}

// Answer answers the challenge that a sign-in waits for with the code that the
// person typed.
func (a *App) Answer(ctx context.Context, s SignIn, code userpool.Secret) (SignIn, error) {
	out, err := a.client.RespondToAuthChallenge(ctx, &cip.RespondToAuthChallengeInput{
		ChallengeName:      types.ChallengeNameType(s.Challenge),
		ClientId:           &a.clientID,
		Session:            aws.String(s.session.Reveal()),
		ChallengeResponses: authParameters(a.clientID, a.secret, "USERNAME", s.username, s.Challenge+"_CODE", code.Reveal()),
	})
	if err != nil {
		return SignIn{}, classify(fmt.Errorf("answer %s at client %s: %w", s.Challenge, a.clientID, err))
	}
	return signInOf(s.username, out.AuthenticationResult, out.ChallengeName, out.ChallengeParameters, out.Session), nil
}

func signInOf(name string, result *types.AuthenticationResultType, challenge types.ChallengeNameType, parameters map[string]string, session *string) SignIn {
	if result != nil {
		return SignIn{
			Done:        true,
			AccessToken: userpool.NewSecret(aws.ToString(result.AccessToken)),
			IDToken:     userpool.NewSecret(aws.ToString(result.IdToken)),
		}
	}
	if id := parameters["USER_ID_FOR_SRP"]; id != "" {
		name = id
	}
	return SignIn{Challenge: string(challenge), username: name, session: userpool.NewSecret(aws.ToString(session))}
}

// ForgotPassword asks Cognito to send a code to the person's verified e-mail or
// phone.
func (a *App) ForgotPassword(ctx context.Context, name string, metadata map[string]string) error {
	_, err := a.client.ForgotPassword(ctx, &cip.ForgotPasswordInput{
		ClientId: &a.clientID, Username: &name, SecretHash: a.hash(name), ClientMetadata: maps.Clone(metadata),
	})
	if err != nil {
		return classify(fmt.Errorf("ask for a new password at client %s: %w", a.clientID, err))
	}
	return nil
}

// ConfirmForgotPassword sets a new password with the code that was sent.
func (a *App) ConfirmForgotPassword(ctx context.Context, name string, code, password userpool.Secret) error {
	_, err := a.client.ConfirmForgotPassword(ctx, &cip.ConfirmForgotPasswordInput{
		ClientId: &a.clientID, Username: &name, SecretHash: a.hash(name),
		ConfirmationCode: aws.String(code.Reveal()), Password: aws.String(password.Reveal()),
	})
	if err != nil {
		return classify(fmt.Errorf("confirm a new password at client %s: %w", a.clientID, err))
	}
	return nil
}

func (a *App) hash(name string) *string {
	if hash := secretHash(a.clientID, a.secret, name); hash != "" {
		return &hash
	}
	return nil
}
