package cognito

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

// SourceOptions names the source pool and the app client that passwords are
// tried with.
type SourceOptions struct {
	Region   string
	PoolID   string
	ClientID string
	// ClientSecret is asked before each use of the client, since the secret may
	// have to be fetched from elsewhere first; nil for a client without.
	ClientSecret func(context.Context) (userpool.Secret, error)
	Login        Role
}

// Source is the source pool through its login role. It is safe for concurrent
// use, and keeps one client and one set of credentials.
type Source struct {
	client *cip.Client
	cfg    aws.Config
	o      SourceOptions
}

var _ trigger.Source = (*Source)(nil)

// NewSource returns the source pool as account may use it. No call is made.
func NewSource(account *Account, o SourceOptions) *Source {
	cfg := account.assume(o.Login, o.Region)
	return &Source{client: newClient(cfg), cfg: cfg, o: o}
}

// Prefetch assumes the login role ahead of the first sign-in. After a failure
// the next call tries again by itself.
func (s *Source) Prefetch(ctx context.Context) error { return prefetch(ctx, s.cfg, s.o.Login) }

// Authenticate tries a password by ADMIN_USER_PASSWORD_AUTH.
func (s *Source) Authenticate(ctx context.Context, name string, password userpool.Secret) (trigger.Reply, error) {
	parameters, err := s.parameters(ctx, "USERNAME", name, "PASSWORD", password.Reveal())
	if err != nil {
		return trigger.Reply{}, err
	}
	out, err := s.client.AdminInitiateAuth(ctx, &cip.AdminInitiateAuthInput{
		AuthFlow:       types.AuthFlowTypeAdminUserPasswordAuth,
		UserPoolId:     &s.o.PoolID,
		ClientId:       &s.o.ClientID,
		AuthParameters: parameters,
	})
	if err != nil {
		if standing, ok := refusal(err); ok {
			return trigger.Reply{Standing: standing}, nil
		}
		return trigger.Reply{}, classify(fmt.Errorf("sign in at source pool %s: %w", s.o.PoolID, err))
	}
	return replyOf(out.AuthenticationResult, out.ChallengeName, out.ChallengeParameters, out.Session), nil
}

// Answer answers a second-factor challenge. Where the source asks which factor
// to use, the authenticator app is chosen if there is one: its codes, unlike
// those that are sent, do not belong to a session.
func (s *Source) Answer(ctx context.Context, c trigger.Challenge, code userpool.Secret) (trigger.Reply, error) {
	if c.Name == trigger.ChallengeSelectMFA {
		choice := trigger.ChallengeTOTP
		if !slices.Contains(c.Choices, choice) && len(c.Choices) > 0 {
			choice = c.Choices[0]
		}
		reply, err := s.respond(ctx, c, "ANSWER", choice)
		if err != nil || reply.Standing != trigger.Challenged || reply.Challenge.Name == c.Name {
			return reply, err
		}
		c = reply.Challenge
	}
	return s.respond(ctx, c, c.Name+"_CODE", code.Reveal())
}

func (s *Source) respond(ctx context.Context, c trigger.Challenge, key, value string) (trigger.Reply, error) {
	parameters, err := s.parameters(ctx, "USERNAME", c.Username, key, value)
	if err != nil {
		return trigger.Reply{}, err
	}
	out, err := s.client.AdminRespondToAuthChallenge(ctx, &cip.AdminRespondToAuthChallengeInput{
		ChallengeName:      types.ChallengeNameType(c.Name),
		UserPoolId:         &s.o.PoolID,
		ClientId:           &s.o.ClientID,
		Session:            aws.String(c.Session.Reveal()),
		ChallengeResponses: parameters,
	})
	if err != nil {
		if codeRefusal(err) {
			return trigger.Reply{Standing: trigger.WrongCode}, nil
		}
		if standing, ok := refusal(err); ok {
			return trigger.Reply{Standing: standing}, nil
		}
		return trigger.Reply{}, classify(fmt.Errorf("answer %s at source pool %s: %w", c.Name, s.o.PoolID, err))
	}
	reply := replyOf(out.AuthenticationResult, out.ChallengeName, out.ChallengeParameters, out.Session)
	if reply.Challenge.Username == "" {
		reply.Challenge.Username = c.Username
	}
	return reply, nil
}

// User reads a profile by AdminGetUser.
func (s *Source) User(ctx context.Context, name string) (userpool.User, error) {
	out, err := s.client.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &s.o.PoolID, Username: &name})
	if err != nil {
		// Not the name: an error text may end up in a log.
		return userpool.User{}, classify(fmt.Errorf("read a user of source pool %s: %w", s.o.PoolID, err))
	}
	return userOf(types.UserType{
		Username: out.Username, Attributes: out.UserAttributes, Enabled: out.Enabled, UserStatus: out.UserStatus,
		UserCreateDate: out.UserCreateDate, UserLastModifiedDate: out.UserLastModifiedDate,
	}, out.UserMFASettingList), nil
}

// parameters builds auth parameters from a name and one more pair, and adds the
// SECRET_HASH of a client with a secret: Base64(HMAC-SHA256(secret, name +
// client id)), by the name exactly as sent (Cognito Developer Guide).
func (s *Source) parameters(ctx context.Context, nameKey, name, key, value string) (map[string]string, error) {
	var secret userpool.Secret
	if s.o.ClientSecret != nil {
		var err error
		if secret, err = s.o.ClientSecret(ctx); err != nil {
			return nil, fmt.Errorf("secret of client %s: %w", s.o.ClientID, err)
		}
	}
	return authParameters(s.o.ClientID, secret, nameKey, name, key, value), nil
}

func authParameters(clientID string, secret userpool.Secret, nameKey, name, key, value string) map[string]string {
	parameters := map[string]string{nameKey: name, key: value}
	if hash := secretHash(clientID, secret, name); hash != "" {
		parameters["SECRET_HASH"] = hash
	}
	return parameters
}

func secretHash(clientID string, secret userpool.Secret, name string) string {
	if secret.Empty() {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(name + clientID))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// replyOf reads what both auth operations answer. An answer with neither tokens
// nor challenge proves nothing.
func replyOf(result *types.AuthenticationResultType, challenge types.ChallengeNameType, parameters map[string]string, session *string) trigger.Reply {
	if result != nil && aws.ToString(result.IdToken) != "" {
		return trigger.Reply{Standing: trigger.Proven, IDToken: userpool.NewSecret(*result.IdToken)}
	}
	if challenge == "" {
		return trigger.Reply{}
	}
	c := trigger.Challenge{
		Name:     string(challenge),
		Session:  userpool.NewSecret(aws.ToString(session)),
		Username: parameters["USER_ID_FOR_SRP"],
	}
	// Cognito sends the list as JSON text; a list that cannot be read is no list.
	if json.Unmarshal([]byte(parameters["MFAS_CAN_CHOOSE"]), &c.Choices) != nil {
		c.Choices = nil
	}
	return trigger.Reply{Standing: trigger.Challenged, Challenge: c}
}

// userOf reads a user as ListUsers and AdminGetUser give it.
func userOf(in types.UserType, mfa []string) userpool.User {
	u := userpool.User{
		Username:   aws.ToString(in.Username),
		Attributes: make(userpool.Attributes, len(in.Attributes)),
		Enabled:    in.Enabled,
		Status:     userpool.Status(in.UserStatus),
		MFA:        mfa,
		Created:    aws.ToTime(in.UserCreateDate),
		Modified:   aws.ToTime(in.UserLastModifiedDate),
	}
	for _, a := range in.Attributes {
		name, value := aws.ToString(a.Name), aws.ToString(a.Value)
		if name == userpool.AttrSub {
			u.Sub = userpool.Sub(value)
			continue
		}
		u.Attributes[name] = value
	}
	return u
}
