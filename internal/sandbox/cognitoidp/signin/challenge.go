package signin

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// The challenges besides the names of second factors.
const (
	PasswordVerifier    = "PASSWORD_VERIFIER"
	NewPasswordRequired = "NEW_PASSWORD_REQUIRED"
	SelectMFAType       = "SELECT_MFA_TYPE"
	MFASetup            = "MFA_SETUP"
)

// secondFactor asks for a second factor, or returns nil where none is due.
func (e *Engine) secondFactor(p *pool.Pool, c *pool.Client, u *directory.User) (*Outcome, error) {
	state := p.State()
	if state.Settings.MfaConfiguration == "OFF" {
		return nil, nil
	}
	factors := usable(state, u)
	if len(factors) == 0 && state.Settings.MfaConfiguration == "ON" {
		// Where MFA is required every user with a phone number has SMS; others
		// must set a factor up.
		if state.SMSMFA() && u.Attributes[userpool.AttrPhoneNumber] != "" {
			factors = []string{directory.FactorSMS}
		} else {
			return e.askSetup(state, c, u), nil
		}
	}
	switch {
	case len(factors) == 0:
		return nil, nil
	case len(factors) == 1:
		return e.askFactor(p, c, u, factors[0])
	case slices.Contains(factors, u.Factors.Preferred):
		return e.askFactor(p, c, u, u.Factors.Preferred)
	}
	choices, _ := json.Marshal(factors) // strings always marshal
	return e.challenge(c, u, session{challenge: SelectMFAType, choices: factors},
		map[string]string{"MFAS_CAN_CHOOSE": string(choices), "USER_ID_FOR_SRP": u.Username}), nil
}

// usable lists the factors that the user has and the pool offers.
func usable(state pool.State, u *directory.User) []string {
	var factors []string
	if u.Factors.SMS && state.SMSMFA() && u.Attributes[userpool.AttrPhoneNumber] != "" {
		factors = append(factors, directory.FactorSMS)
	}
	if u.Factors.TOTP && state.TOTPMFA() {
		factors = append(factors, directory.FactorTOTP)
	}
	if u.Factors.Email && state.EmailMFA() && u.Attributes[userpool.AttrEmail] != "" {
		factors = append(factors, directory.FactorEmail)
	}
	return factors
}

func (e *Engine) askSetup(state pool.State, c *pool.Client, u *directory.User) *Outcome {
	offered := []string{}
	if state.TOTPMFA() {
		offered = append(offered, directory.FactorTOTP)
	}
	if state.SMSMFA() {
		offered = append(offered, directory.FactorSMS)
	}
	if state.EmailMFA() {
		offered = append(offered, directory.FactorEmail)
	}
	can, _ := json.Marshal(offered) // strings always marshal
	return e.challenge(c, u, session{challenge: MFASetup}, map[string]string{"MFAS_CAN_SETUP": string(can), "USER_ID_FOR_SRP": u.Username})
}

func (e *Engine) askFactor(p *pool.Pool, c *pool.Client, u *directory.User, factor string) (*Outcome, error) {
	parameters := map[string]string{"USER_ID_FOR_SRP": u.Username}
	v := session{challenge: factor}
	if factor != directory.FactorTOTP {
		medium := "SMS"
		if factor == directory.FactorEmail {
			medium = "EMAIL"
		}
		to := u.Attributes[contact(medium)]
		v.code = userpool.NewSecret(p.Random().Code())
		p.Outbox.Send(u.Sub, pool.Message{Medium: medium, Destination: to, Purpose: pool.PurposeSignIn, Code: v.code, Sent: e.now()})
		parameters["CODE_DELIVERY_DELIVERY_MEDIUM"] = medium
		parameters["CODE_DELIVERY_DESTINATION"] = pool.Mask(medium, to)
	}
	return e.challenge(c, u, v, parameters), nil
}

// Answer is one RespondToAuthChallenge or AdminRespondToAuthChallenge.
type Answer struct {
	Pool      *pool.Pool
	Client    *pool.Client
	Challenge string
	Responses map[string]userpool.Secret // ChallengeResponses
	Session   userpool.Secret
	Metadata  map[string]string // ClientMetadata
}

// Answer checks the answer to a challenge and goes on with the sign-in.
func (e *Engine) Answer(ctx context.Context, a Answer) (*Outcome, error) {
	switch a.Challenge {
	case PasswordVerifier:
		return e.verify(ctx, a)
	case directory.FactorSMS, directory.FactorTOTP, directory.FactorEmail, NewPasswordRequired, SelectMFAType:
	default:
		return nil, wire.Unsupported("challenge answer", a.Challenge)
	}
	name := a.Responses["USERNAME"].Reveal()
	switch {
	case name == "":
		return nil, pool.Invalid("Missing required parameter USERNAME")
	case a.Session.Empty():
		return nil, pool.Invalid("Missing required parameter Session")
	}
	if err := a.Client.CheckHash(name, a.Responses["SECRET_HASH"].Reveal()); err != nil {
		return nil, err
	}
	v, err := e.sessions.find(a.Session, a.Client.ID, a.Challenge, e.now())
	if err != nil {
		return nil, err
	}
	u, ok := a.Pool.Users.Get(v.sub)
	if named, found := a.Pool.Users.Find(name); !ok || !found || named.Sub != u.Sub {
		return nil, pool.NotAuthorized("Invalid session for the user.")
	}
	if !u.Enabled {
		return nil, errDisabled()
	}
	switch a.Challenge {
	case NewPasswordRequired:
		return e.newPassword(ctx, a, u)
	case SelectMFAType:
		choice := a.Responses["ANSWER"].Reveal()
		if err := known(a.Responses, "USERNAME", "SECRET_HASH", "ANSWER"); err != nil {
			return nil, err
		}
		if !slices.Contains(v.choices, choice) {
			return nil, pool.Invalid("Invalid MFA type selected")
		}
		if !e.sessions.end(a.Session) {
			return nil, errUsed()
		}
		return e.askFactor(a.Pool, a.Client, u, choice)
	}
	if err := e.code(a, v, u); err != nil {
		return nil, err
	}
	return e.finish(ctx, a.Pool, a.Client, u, "TokenGeneration_Authentication", a.Metadata)
}

func errUsed() error {
	return pool.NotAuthorized("Invalid session for the user, session can only be used once.")
}

// code checks the code of a second factor and closes the session.
func (e *Engine) code(a Answer, v session, u *directory.User) error {
	field := map[string]string{directory.FactorSMS: "SMS_MFA_CODE", directory.FactorEmail: "EMAIL_OTP_CODE",
		directory.FactorTOTP: "SOFTWARE_TOKEN_MFA_CODE"}[a.Challenge]
	if err := known(a.Responses, "USERNAME", "SECRET_HASH", field); err != nil {
		return err
	}
	code := a.Responses[field]
	if code.Empty() {
		return pool.Invalid("Missing required parameter %s", field)
	}
	if a.Challenge == directory.FactorTOTP {
		if err := e.totp(a.Pool, u, code); err != nil {
			return err
		}
	} else if !v.code.Equal(code) {
		return pool.Fail("CodeMismatchException", "Invalid code or auth state for the user.")
	}
	if !e.sessions.end(a.Session) {
		return errUsed()
	}
	return nil
}

// totp checks a code of an authenticator app: 30 s steps, one step of tolerance
// on either side. A step is used up by its code, and so are the steps before it.
func (e *Engine) totp(p *pool.Pool, u *directory.User, code userpool.Secret) error {
	step := e.now().Unix() / 30
	matched := int64(0)
	for candidate := step - 1; candidate <= step+1; candidate++ {
		ok, err := hotp.ValidateCustom(code.Reveal(), uint64(candidate), u.Factors.TOTPSecret.Reveal(),
			hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && ok { // an error is a code that has not six digits
			matched = candidate
			break
		}
	}
	if matched == 0 {
		return pool.Fail("CodeMismatchException", "Invalid code received for user")
	}
	_, err := p.Users.Update(u.Sub, func(u *directory.User) error {
		if matched <= u.Factors.TOTPUsed {
			return pool.Fail("ExpiredCodeException", "Your software token has already been used once.")
		}
		u.Factors.TOTPUsed = matched
		return nil
	})
	return err
}

// newPassword replaces a temporary password and sets attributes that the answer
// brings as userAttributes.NAME.
func (e *Engine) newPassword(ctx context.Context, a Answer, u *directory.User) (*Outcome, error) {
	state := a.Pool.State()
	password := a.Responses["NEW_PASSWORD"]
	if password.Empty() {
		return nil, pool.Invalid("Missing required parameter NEW_PASSWORD")
	}
	added := map[string]string{}
	for key, value := range a.Responses {
		if name, ok := strings.CutPrefix(key, "userAttributes."); ok {
			added[name] = value.Reveal()
		} else if key != "USERNAME" && key != "SECRET_HASH" && key != "NEW_PASSWORD" {
			return nil, wire.Unsupported("challenge response", key)
		}
	}
	if err := CheckPolicy(state, password); err != nil {
		return nil, err
	}
	// The user is being completed: attributes that are still empty may be set even
	// if they are immutable, others only if they are not.
	changed := map[string]string{}
	for name, value := range added {
		if !a.Client.Writes(name) {
			return nil, pool.NotAuthorized("A client attempted to write unauthorized attribute")
		}
		if u.Attributes[name] != "" {
			changed[name] = value
		}
	}
	if err := state.Schema.Create(added); err != nil {
		return nil, pool.UserError(err)
	}
	if err := state.Schema.Update(changed); err != nil {
		return nil, pool.UserError(err)
	}
	merged := u.Attributes.Clone()
	if merged == nil {
		merged = userpool.Attributes{}
	}
	for name, value := range added {
		merged[name] = value
	}
	if err := state.Schema.Complete(merged); err != nil {
		return nil, pool.UserError(err)
	}
	if !e.sessions.end(a.Session) {
		return nil, errUsed()
	}
	hash := a.Pool.Hash(u.Username, password)
	u, err := a.Pool.Users.Update(u.Sub, func(u *directory.User) error {
		u.Attributes = pool.Present(merged)
		u.Password, u.PasswordSet, u.Status, u.Modified = hash, time.Time{}, userpool.StatusConfirmed, e.now()
		return nil
	})
	if err != nil {
		return nil, pool.UserError(err)
	}
	if o, err := e.secondFactor(a.Pool, a.Client, u); o != nil || err != nil {
		return o, err
	}
	return e.finish(ctx, a.Pool, a.Client, u, "TokenGeneration_NewPasswordChallenge", a.Metadata)
}

// CheckPolicy checks a new password against the pool's policy.
func CheckPolicy(state pool.State, password userpool.Secret) error {
	if err := pool.CheckPassword("password", password); err != nil {
		return err
	}
	if state.Settings.Policies.PasswordPolicy.PasswordHistorySize > 0 {
		return wire.Unsupported("pool setting for a new password", "PasswordHistorySize")
	}
	if why := state.Settings.Policies.PasswordPolicy.Check(password.Reveal()); why != "" {
		return pool.Fail("InvalidPasswordException", "%s", why)
	}
	return nil
}
