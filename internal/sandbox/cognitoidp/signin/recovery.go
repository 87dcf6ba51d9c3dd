package signin

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/triggers"
	"poolferry/internal/userpool"
)

// recoveryLife is how long the code of ForgotPassword is good (Cognito Developer
// Guide, recovering user accounts).
const recoveryLife = time.Hour

// Delivery is CodeDeliveryDetailsType.
type Delivery struct {
	AttributeName  string
	DeliveryMedium string
	Destination    string
}

// Forgot sends a recovery code, after migrating a user whom the pool does not
// know yet. Where the client hides who exists, users who are unknown, disabled
// or cannot be reached get a simulated delivery (Developer Guide, managing error
// responses).
func (e *Engine) Forgot(ctx context.Context, p *pool.Pool, c *pool.Client, name string, metadata map[string]string) (Delivery, error) {
	u, ok := p.Users.Find(name)
	if !ok {
		var err error
		if u, err = e.migrate(ctx, p, c, triggers.Migration{ClientMetadata: metadata}, name); err != nil {
			return Delivery{}, err
		}
	}
	d, err := e.forgot(p, u)
	if err != nil && c.HidesUsers() {
		return simulated(p, name), nil
	}
	return d, err
}

func (e *Engine) forgot(p *pool.Pool, u *directory.User) (Delivery, error) {
	switch {
	case u == nil:
		return Delivery{}, pool.Fail("UserNotFoundException", "Username/client id combination not found.")
	case !u.Enabled:
		return Delivery{}, errDisabled()
	case u.Status == userpool.StatusForceChangePassword || u.Status == userpool.StatusExternalProvider:
		return Delivery{}, pool.NotAuthorized("User password cannot be reset in the current state.")
	}
	return e.SendRecovery(p, u)
}

// SendRecovery sends a recovery code over the first way that the pool allows and
// the user has verified.
func (e *Engine) SendRecovery(p *pool.Pool, u *directory.User) (Delivery, error) {
	ways := []string{"SMS", "EMAIL"} // without a setting: phone first
	if r := p.State().Settings.AccountRecoverySetting; r != nil {
		ways = nil
		for _, option := range slices.SortedFunc(slices.Values(r.RecoveryMechanisms), func(a, b pool.RecoveryOption) int { return cmp.Compare(a.Priority, b.Priority) }) {
			switch option.Name {
			case "admin_only":
				return Delivery{}, pool.NotAuthorized("Contact administrator to reset password.")
			case "verified_email":
				ways = append(ways, "EMAIL")
			default:
				ways = append(ways, "SMS")
			}
		}
	}
	for _, medium := range ways {
		if attribute := contact(medium); u.Attributes.Verified(attribute) {
			to := u.Attributes[attribute]
			p.Outbox.Send(u.Sub, pool.Message{Medium: medium, Destination: to, Purpose: pool.PurposeRecovery,
				Code: userpool.NewSecret(p.Random().Code()), Sent: e.now()})
			return Delivery{AttributeName: attribute, DeliveryMedium: medium, Destination: pool.Mask(medium, to)}, nil
		}
	}
	return Delivery{}, pool.Invalid("Cannot reset password for the user as there is no registered/verified email or phone_number")
}

// simulated is a delivery that never happens: the same for the same name.
func simulated(p *pool.Pool, name string) Delivery {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s/%s", p.ID, p.Rules.Fold(name))
	a, b := byte('a'+h.Sum64()%26), byte('a'+h.Sum64()/26%26)
	return Delivery{AttributeName: userpool.AttrEmail, DeliveryMedium: "EMAIL", Destination: fmt.Sprintf("%c***@%c***", a, b)}
}

// ConfirmForgot sets a new password with a recovery code; the user is CONFIRMED
// then. A password that breaks the policy leaves the code good.
func (e *Engine) ConfirmForgot(ctx context.Context, p *pool.Pool, c *pool.Client, name string, code, password userpool.Secret, metadata map[string]string) error {
	if err := CheckPolicy(p.State(), password); err != nil {
		return err
	}
	u, ok := p.Users.Find(name)
	switch {
	case (!ok || !u.Enabled) && c.HidesUsers():
		return errCode()
	case !ok:
		return pool.Fail("UserNotFoundException", "Username/client id combination not found.")
	case !u.Enabled:
		return errDisabled()
	}
	if err := e.useCode(p, u, pool.PurposeRecovery, code, recoveryLife); err != nil {
		return err
	}
	hash := p.Hash(u.Username, password)
	u, err := p.Users.Update(u.Sub, func(u *directory.User) error {
		u.Password, u.PasswordSet, u.Status, u.Modified = hash, time.Time{}, userpool.StatusConfirmed, e.now()
		return nil
	})
	if err != nil {
		return pool.UserError(err)
	}
	e.guard.reset(u.Sub)
	return e.PostConfirmation(ctx, p, u, c.ID, triggers.SourceConfirmForgot, metadata)
}

// confirmLife is how long the code of SignUp is good.
const confirmLife = 24 * time.Hour

// UseConfirmCode checks the code of a sign-up.
func (e *Engine) UseConfirmCode(p *pool.Pool, u *directory.User, code userpool.Secret) error {
	return e.useCode(p, u, pool.PurposeConfirm, code, confirmLife)
}

func errCode() error {
	return pool.Fail("CodeMismatchException", "Invalid verification code provided, please try again.")
}

func (e *Engine) useCode(p *pool.Pool, u *directory.User, purpose pool.Purpose, code userpool.Secret, life time.Duration) error {
	expired := pool.Fail("ExpiredCodeException", "Invalid code provided, please request a code again.")
	m, ok := p.Outbox.Pending(u.Sub, purpose)
	switch {
	case !ok || !e.now().Before(m.Sent.Add(life)):
		return expired
	case !m.Code.Equal(code):
		return errCode()
	case !p.Outbox.Use(u.Sub, purpose, code):
		return expired
	}
	return nil
}

// PasswordSet forgets the lockout of a user whose password an administrator has
// set.
func (e *Engine) PasswordSet(u *directory.User) { e.guard.reset(u.Sub) }
