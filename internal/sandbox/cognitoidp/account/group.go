package account

import (
	"context"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// Group is GroupType.
type Group struct {
	GroupName        string
	UserPoolId       string
	Description      string `json:",omitempty"`
	RoleArn          string `json:",omitempty"`
	Precedence       *int   `json:",omitempty"`
	CreationDate     Seconds
	LastModifiedDate Seconds
}

// DescribeGroup shows a group as GroupType.
func DescribeGroup(p *pool.Pool, g directory.Group) Group {
	return Group{GroupName: g.Name, UserPoolId: p.ID, Description: g.Description, RoleArn: g.RoleARN, Precedence: g.Precedence,
		CreationDate: Seconds(g.Created), LastModifiedDate: Seconds(g.Modified)}
}

// OfGroup is embedded in the input of operations on a group.
type OfGroup struct {
	OfPool
	GroupName string
}

// GroupInput is the input of CreateGroup.
type GroupInput struct {
	OfGroup
	Description string
	RoleArn     string
	Precedence  *int
}

type oneGroup struct {
	Group Group
}

// CreateGroup is CreateGroup.
func (a *Accounts) CreateGroup(_ context.Context, p *pool.Pool, in GroupInput) (any, error) {
	if err := pool.CheckName("groupName", in.GroupName); err != nil {
		return nil, err
	}
	if in.Precedence != nil && *in.Precedence < 0 {
		return nil, pool.Constraint("precedence", "have value greater than or equal to 0")
	}
	g := directory.Group{Name: in.GroupName, Description: in.Description, RoleARN: in.RoleArn, Precedence: in.Precedence, Created: a.now(), Modified: a.now()}
	if err := p.Users.CreateGroup(g); err != nil {
		return nil, pool.UserError(err)
	}
	return oneGroup{DescribeGroup(p, g)}, nil
}

// GetGroup is GetGroup.
func (a *Accounts) GetGroup(_ context.Context, p *pool.Pool, in OfGroup) (any, error) {
	g, ok := p.Users.Group(in.GroupName)
	if !ok {
		return nil, pool.UserError(directory.ErrGroupNotFound)
	}
	return oneGroup{DescribeGroup(p, g)}, nil
}

// MemberInput is the input of AdminAddUserToGroup and AdminRemoveUserFromGroup.
type MemberInput struct {
	OfUser
	GroupName string
}

// AddToGroup is AdminAddUserToGroup.
func (a *Accounts) AddToGroup(_ context.Context, p *pool.Pool, in MemberInput) (any, error) {
	return regroup(p, in, p.Users.AddToGroup)
}

// RemoveFromGroup is AdminRemoveUserFromGroup.
func (a *Accounts) RemoveFromGroup(_ context.Context, p *pool.Pool, in MemberInput) (any, error) {
	return regroup(p, in, p.Users.RemoveFromGroup)
}

func regroup(p *pool.Pool, in MemberInput, f func(userpool.Sub, string) error) (any, error) {
	u, err := find(p, in.Username)
	if err != nil {
		return nil, err
	}
	return struct{}{}, pool.UserError(f(u.Sub, in.GroupName))
}

// MFAInput is the input of AdminSetUserMFAPreference.
type MFAInput struct {
	OfUser
	SMSMfaSettings           *FactorSetting
	EmailMfaSettings         *FactorSetting
	SoftwareTokenMfaSettings *FactorSetting
	WebAuthnMfaSettings      *FactorSetting
}

// FactorSetting turns a factor on or off.
type FactorSetting struct {
	Enabled      bool
	PreferredMfa bool
}

// SetMFA is AdminSetUserMFAPreference; factors that it leaves out stay as they
// are.
func (a *Accounts) SetMFA(_ context.Context, p *pool.Pool, in MFAInput) (any, error) {
	if in.WebAuthnMfaSettings != nil {
		return nil, wire.Unsupported("parameter", "WebAuthnMfaSettings")
	}
	_, err := a.change(p, in.Username, func(u *directory.User) error {
		f := &u.Factors
		preferred := ""
		for _, s := range []struct {
			name    string
			setting *FactorSetting
			on      *bool
			can     bool
		}{
			{directory.FactorSMS, in.SMSMfaSettings, &f.SMS, u.Attributes[userpool.AttrPhoneNumber] != ""},
			{directory.FactorEmail, in.EmailMfaSettings, &f.Email, u.Attributes[userpool.AttrEmail] != ""},
			{directory.FactorTOTP, in.SoftwareTokenMfaSettings, &f.TOTP, !f.TOTPSecret.Empty()},
		} {
			if s.setting == nil {
				continue
			}
			if s.setting.Enabled && !s.can {
				return pool.Invalid("User does not have delivery config set to turn on %s", s.name)
			}
			*s.on = s.setting.Enabled
			switch {
			case s.setting.PreferredMfa && (!s.setting.Enabled || preferred != ""):
				return pool.Invalid("Only one enabled factor can be the preferred one")
			case s.setting.PreferredMfa:
				preferred = s.name
			case f.Preferred == s.name:
				f.Preferred = ""
			}
		}
		if preferred != "" {
			f.Preferred = preferred
		}
		return nil
	})
	return struct{}{}, err
}
