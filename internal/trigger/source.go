package trigger

import (
	"context"

	"poolferry/internal/userpool"
)

// Standing is what the source pool says of a name and a password.
type Standing int

// The standings. Everything from WrongPassword on refuses.
const (
	StandingUnknown  Standing = iota // zero value: never a proof
	Proven                           // tokens were issued
	Challenged                       // Reply.Challenge is pending; see Challenge.PasswordProven
	WrongPassword                    // or any refusal that does not say why
	NoSuchUser                       //
	UserDisabled                     //
	UserUnconfirmed                  //
	ResetRequired                    // the source itself demands a new password
	AttemptsExceeded                 // locked out: the password was not looked at
	WrongCode                        // the second factor was not proven
)

// Challenge is a question that the source asks after, or instead of, a password.
type Challenge struct {
	Name     string // ChallengeName on the wire, such as SOFTWARE_TOKEN_MFA
	Session  userpool.Secret
	Username string   // the source's username, where the challenge tells it
	Choices  []string // factors on offer with SELECT_MFA_TYPE
}

// Names of the challenges that the policy knows.
const (
	ChallengeSMS         = "SMS_MFA"
	ChallengeTOTP        = "SOFTWARE_TOKEN_MFA"
	ChallengeEmail       = "EMAIL_OTP"
	ChallengeSelectMFA   = "SELECT_MFA_TYPE"
	ChallengeMFASetup    = "MFA_SETUP"
	ChallengeNewPassword = "NEW_PASSWORD_REQUIRED"
)

// Reply is the source's answer to Authenticate or Answer.
type Reply struct {
	Standing  Standing
	Challenge Challenge
	IDToken   userpool.Secret // with Proven
}

// Source is the source pool as the login role may use it. Errors carry a kind
// of package fault: Throttled and Unavailable pass, Denied, Invalid and
// NotFound mean a wrong role, client or pool. What the pool says about a user
// is a Standing, not an error.
type Source interface {
	// Authenticate tries a password (AdminInitiateAuth,
	// ADMIN_USER_PASSWORD_AUTH).
	Authenticate(ctx context.Context, name string, password userpool.Secret) (Reply, error)
	// Answer answers a second-factor challenge with the code that the user
	// typed (AdminRespondToAuthChallenge).
	Answer(ctx context.Context, challenge Challenge, code userpool.Secret) (Reply, error)
	// User reads a profile (AdminGetUser); NotFound where there is none. It
	// bills an active user at the source: call it only for one who signs in.
	User(ctx context.Context, name string) (userpool.User, error)
}

// Target is the target pool's description.
type Target interface {
	Pool(ctx context.Context) (userpool.Pool, error)
}
