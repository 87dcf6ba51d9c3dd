package account

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/schema"
	"poolferry/internal/sandbox/cognitoidp/signin"
	"poolferry/internal/sandbox/cognitoidp/triggers"
	"poolferry/internal/userpool"
)

// User is UserType: no groups, no MFA list, no password.
type User struct {
	Username             string
	Attributes           []Attribute
	UserCreateDate       Seconds
	UserLastModifiedDate Seconds
	Enabled              bool
	UserStatus           userpool.Status
	MFAOptions           []MFAOption `json:",omitempty"`
}

// Describe shows a user as UserType.
func Describe(u *directory.User) User {
	return User{Username: u.Username, Attributes: Attributes(u, nil), UserCreateDate: Seconds(u.Created),
		UserLastModifiedDate: Seconds(u.Modified), Enabled: u.Enabled, UserStatus: u.Status, MFAOptions: Options(u)}
}

// CreateInput is the input of AdminCreateUser.
type CreateInput struct {
	OfUser
	UserAttributes         []Attribute
	TemporaryPassword      userpool.Secret // made up where empty
	MessageAction          string          // SUPPRESS or RESEND
	DesiredDeliveryMediums []string        // EMAIL, SMS; SMS where empty
	ForceAliasCreation     bool
	ClientMetadata         map[string]string // for PreSignUp
	ValidationData         []Attribute       // likewise
}

// Create is AdminCreateUser: the user must change the temporary password.
func (a *Accounts) Create(ctx context.Context, p *pool.Pool, in CreateInput) (any, error) {
	if err := pool.CheckName("username", in.Username); err != nil {
		return nil, err
	}
	for _, medium := range in.DesiredDeliveryMediums {
		if medium != "SMS" && medium != "EMAIL" {
			return nil, pool.Constraint("desiredDeliveryMediums", "satisfy enum value set: [SMS, EMAIL]")
		}
	}
	state := p.State()
	password := in.TemporaryPassword
	if password.Empty() {
		password = userpool.NewSecret("Aa1!" + p.Random().Text(max(12, state.Settings.Policies.PasswordPolicy.MinimumLength)))
	} else if err := signin.CheckPolicy(state, password); err != nil {
		return nil, err
	}
	var u *directory.User
	var err error
	switch in.MessageAction {
	case "RESEND":
		u, err = a.resend(p, in, password)
	case "", "SUPPRESS":
		u, err = a.create(ctx, p, in, password)
	default:
		return nil, pool.Constraint("messageAction", "satisfy enum value set: [RESEND, SUPPRESS]")
	}
	if err != nil {
		return nil, err
	}
	if in.MessageAction != "SUPPRESS" {
		a.invite(p, u, in.DesiredDeliveryMediums, password)
	}
	return struct{ User User }{Describe(u)}, nil
}

// resend gives a user who has not signed in yet a new temporary password.
func (a *Accounts) resend(p *pool.Pool, in CreateInput, password userpool.Secret) (*directory.User, error) {
	return a.change(p, in.Username, func(u *directory.User) error {
		if u.Status != userpool.StatusForceChangePassword {
			return pool.Fail("UnsupportedUserStateException", "Resend not possible. %s status is not FORCE_CHANGE_PASSWORD", u.Sub)
		}
		u.Password, u.PasswordSet = p.Hash(u.Username, password), a.now()
		return nil
	})
}

func (a *Accounts) invite(p *pool.Pool, u *directory.User, mediums []string, password userpool.Secret) {
	if len(mediums) == 0 {
		mediums = []string{"SMS"}
	}
	for _, medium := range mediums {
		attribute := userpool.AttrPhoneNumber
		if medium == "EMAIL" {
			attribute = userpool.AttrEmail
		}
		if to := u.Attributes[attribute]; to != "" {
			p.Outbox.Send(u.Sub, pool.Message{Medium: medium, Destination: to, Purpose: pool.PurposeInvite, Code: password, Sent: a.now()})
		}
	}
}

// create stores a user with a temporary password. The pre sign-up trigger may
// refuse the user; whatever else it answers is ignored.
func (a *Accounts) create(ctx context.Context, p *pool.Pool, in CreateInput, password userpool.Secret) (*directory.User, error) {
	draft, err := a.draft(p, in.Username, collect(in.UserAttributes))
	if err != nil {
		return nil, err
	}
	draft.Status, draft.Password, draft.PasswordSet = userpool.StatusForceChangePassword, p.Hash(draft.Username, password), a.now()
	if err := a.free(p, draft, in.ForceAliasCreation); err != nil {
		return nil, err
	}
	_, err = a.engine.PreSignUp(ctx, p, &draft, signin.Created{Source: triggers.SourceAdminCreate, ClientID: triggers.NoClient,
		ValidationData: collect(in.ValidationData), Metadata: in.ClientMetadata})
	if err != nil {
		return nil, err
	}
	return a.insert(p, draft, in.ForceAliasCreation)
}

// draft is a new user under a name, after the checks that all ways to create one
// share. In a pool with username attributes the name is the value of one of them
// and the username is the sub.
func (a *Accounts) draft(p *pool.Pool, name string, attributes map[string]string) (directory.User, error) {
	username, err := settle(p.Rules, name, attributes)
	if err != nil {
		return directory.User{}, err
	}
	if err := p.State().Schema.Create(attributes); err != nil {
		return directory.User{}, pool.UserError(err)
	}
	u := directory.User{Username: username, Sub: p.NewSub(), Attributes: pool.Present(attributes), Enabled: true, Created: a.now(), Modified: a.now()}
	if u.Username == "" {
		u.Username = string(u.Sub)
	}
	return u, nil
}

// free refuses a user whose names are taken before a trigger is asked, since the
// guide has it run immediately before the user is created.
func (a *Accounts) free(p *pool.Pool, u directory.User, force bool) error {
	return taken(p, p.Users.Check(u, force))
}

func (a *Accounts) insert(p *pool.Pool, u directory.User, force bool) (*directory.User, error) {
	created, err := p.Users.Insert(u, force)
	if err != nil {
		return nil, taken(p, err)
	}
	return created, nil
}

// taken is the error of a user whose names are taken.
func taken(p *pool.Pool, err error) error {
	if alias, ok := errors.AsType[*directory.AliasError](err); ok && len(p.Rules.UsernameAttributes) > 0 {
		return pool.Fail("UsernameExistsException", "An account with the given %s already exists.", alias.Attribute)
	}
	return pool.UserError(err)
}

// settle returns the username for a submitted name, "" where it is made up, and
// adds the name to the attributes where it is one.
func settle(rules directory.Rules, name string, attributes map[string]string) (string, error) {
	if len(rules.UsernameAttributes) == 0 {
		if why := rules.RefuseUsername(name); why != "" {
			return "", pool.Invalid("%s", why)
		}
		return name, nil
	}
	for _, attribute := range rules.UsernameAttributes {
		if attribute == userpool.AttrEmail && schema.IsEmail(name) || attribute == userpool.AttrPhoneNumber && schema.IsPhone(name) {
			if given := attributes[attribute]; given != "" && rules.Fold(given) != rules.Fold(name) {
				return "", pool.Invalid("Username and %s do not match", attribute)
			}
			attributes[attribute] = name
			return "", nil
		}
	}
	if slices.Equal(rules.UsernameAttributes, []string{userpool.AttrEmail}) {
		return "", pool.Invalid("Username should be an email.")
	}
	if slices.Equal(rules.UsernameAttributes, []string{userpool.AttrPhoneNumber}) {
		return "", pool.Invalid("Username should be a phone number.")
	}
	return "", pool.Invalid("Username should be either an email or a phone number.")
}

// PasswordInput is the input of AdminSetUserPassword.
type PasswordInput struct {
	OfUser
	Password  userpool.Secret
	Permanent bool
}

// SetPassword is AdminSetUserPassword: a permanent password confirms the user.
func (a *Accounts) SetPassword(_ context.Context, p *pool.Pool, in PasswordInput) (any, error) {
	if err := signin.CheckPolicy(p.State(), in.Password); err != nil {
		return nil, err
	}
	u, err := a.change(p, in.Username, func(u *directory.User) error {
		if u.Status == userpool.StatusExternalProvider {
			return pool.Invalid("A federated user has no password that could be set.")
		}
		u.Password, u.PasswordSet, u.Status = p.Hash(u.Username, in.Password), time.Time{}, userpool.StatusConfirmed
		if !in.Permanent {
			u.PasswordSet, u.Status = a.now(), userpool.StatusForceChangePassword
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.engine.PasswordSet(u)
	return struct{}{}, nil
}

// Enable is AdminEnableUser.
func (a *Accounts) Enable(_ context.Context, p *pool.Pool, in OfUser) (any, error) {
	_, err := a.change(p, in.Username, func(u *directory.User) error { u.Enabled = true; return nil })
	return struct{}{}, err
}

// Disable is AdminDisableUser.
func (a *Accounts) Disable(_ context.Context, p *pool.Pool, in OfUser) (any, error) {
	_, err := a.change(p, in.Username, func(u *directory.User) error { u.Enabled = false; return nil })
	return struct{}{}, err
}

// Delete is AdminDeleteUser.
func (a *Accounts) Delete(_ context.Context, p *pool.Pool, in OfUser) (any, error) {
	u, err := find(p, in.Username)
	if err != nil {
		return nil, err
	}
	return struct{}{}, pool.UserError(p.Users.Delete(u.Sub))
}

// ResetInput is the input of AdminResetUserPassword.
type ResetInput struct {
	OfUser
	ClientMetadata map[string]string // for CustomMessage, which is not called, and PostConfirmation
}

// Reset is AdminResetUserPassword: it sends a code at once, and the user cannot
// sign in until the code was used.
func (a *Accounts) Reset(_ context.Context, p *pool.Pool, in ResetInput) (any, error) {
	u, err := find(p, in.Username)
	if err != nil {
		return nil, err
	}
	if u.Status == userpool.StatusForceChangePassword || u.Status == userpool.StatusExternalProvider {
		return nil, pool.NotAuthorized("User password cannot be reset in the current state.")
	}
	if _, err := a.engine.SendRecovery(p, u); err != nil {
		return nil, err
	}
	_, err = a.change(p, in.Username, func(u *directory.User) error { u.Status = userpool.StatusResetRequired; return nil })
	return struct{}{}, err
}

// UpdateInput is the input of AdminUpdateUserAttributes.
type UpdateInput struct {
	OfUser
	UserAttributes []Attribute
	ClientMetadata map[string]string // for CustomMessage, which is not called
}

// Update is AdminUpdateUserAttributes. An empty value removes an attribute; an
// e-mail address or phone number that changes is no longer verified unless the
// same call says that it is.
func (a *Accounts) Update(_ context.Context, p *pool.Pool, in UpdateInput) (any, error) {
	values := collect(in.UserAttributes)
	if err := p.State().Schema.Update(values); err != nil {
		return nil, pool.UserError(err)
	}
	_, err := a.change(p, in.Username, func(u *directory.User) error {
		for _, name := range []string{userpool.AttrEmail, userpool.AttrPhoneNumber} {
			value, changes := values[name]
			if _, says := values[name+"_verified"]; changes && !says && value != u.Attributes[name] && u.Attributes[name+"_verified"] != "" {
				u.Attributes[name+"_verified"] = "false"
			}
		}
		for name, value := range values {
			u.Attributes[name] = value
		}
		u.Attributes = pool.Present(u.Attributes)
		for _, name := range p.Rules.UsernameAttributes {
			if len(p.Rules.UsernameAttributes) == 1 && u.Attributes[name] == "" {
				return pool.Invalid("Cannot remove %s, which is the name of the user", strings.ReplaceAll(name, "_", " "))
			}
		}
		return nil
	})
	return struct{}{}, err
}

// Import stores a user of an import job; no trigger hears of it. A user who
// exists is a UsernameExistsException.
func (a *Accounts) Import(p *pool.Pool, name string, attributes map[string]string, complete func(*directory.User)) error {
	u, err := a.draft(p, name, attributes)
	if err != nil {
		return err
	}
	complete(&u)
	_, err = a.insert(p, u, false)
	return err
}
