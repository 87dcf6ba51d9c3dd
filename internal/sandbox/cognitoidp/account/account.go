// Package account manages the users of a pool: creating, reading, changing,
// confirming and deleting them, their second factors and their groups. Its
// inputs and outputs have the member names of the Cognito API.
//
// Vocabulary: an administrator's operation is signed and names the pool; a
// user's own operation names an app client. A name is what finds a user.
package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
	"poolferry/internal/sandbox/cognitoidp/signin"
	"poolferry/internal/userpool"
)

// Accounts carries out the operations.
type Accounts struct {
	engine *signin.Engine
	now    func() time.Time
}

// New returns Accounts.
func New(engine *signin.Engine, now func() time.Time) *Accounts {
	return &Accounts{engine: engine, now: now}
}

// OfPool is embedded in the input of operations on a pool.
type OfPool struct {
	UserPoolId string
}

// PoolID returns the pool's id.
func (o OfPool) PoolID() string { return o.UserPoolId }

// OfUser is embedded in the input of operations on a user.
type OfUser struct {
	OfPool
	Username string
}

// Attribute is AttributeType.
type Attribute struct {
	Name  string
	Value string
}

// Attributes turns a map into a list: sub first, the rest by name.
func Attributes(u *directory.User, keep func(name string) bool) []Attribute {
	list := []Attribute{{"sub", string(u.Sub)}}
	names := make([]string, 0, len(u.Attributes))
	for name := range u.Attributes {
		if keep == nil || keep(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		list = append(list, Attribute{name, u.Attributes[name]})
	}
	return list
}

// collect turns a list into a map; the last of two equal names wins.
func collect(list []Attribute) map[string]string {
	m := make(map[string]string, len(list))
	for _, a := range list {
		m[a.Name] = a.Value
	}
	return m
}

// Seconds is a time as JSON 1.1 writes it: seconds since 1970 with a fraction.
type Seconds time.Time

// MarshalJSON writes milliseconds at most.
func (s Seconds) MarshalJSON() ([]byte, error) {
	t := time.Time(s)
	return fmt.Appendf(nil, "%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond)), nil
}

// find returns the user of a name, or a UserNotFoundException.
func find(p *pool.Pool, name string) (*directory.User, error) {
	if err := pool.CheckName("username", name); err != nil {
		return nil, err
	}
	u, ok := p.Users.Find(name)
	if !ok {
		return nil, pool.UserError(directory.ErrUserNotFound)
	}
	return u, nil
}

// change updates the user of a name and its modification date.
func (a *Accounts) change(p *pool.Pool, name string, f func(*directory.User) error) (*directory.User, error) {
	u, err := find(p, name)
	if err != nil {
		return nil, err
	}
	u, err = p.Users.Update(u.Sub, func(u *directory.User) error {
		u.Modified = a.now()
		return f(u)
	})
	if err != nil {
		return nil, pool.UserError(err)
	}
	return u, nil
}

// GetOutput is the answer of AdminGetUser.
type GetOutput struct {
	Username             string
	UserAttributes       []Attribute
	UserCreateDate       Seconds
	UserLastModifiedDate Seconds
	Enabled              bool
	UserStatus           userpool.Status
	MFAOptions           []MFAOption `json:",omitempty"`
	PreferredMfaSetting  string      `json:",omitempty"`
	UserMFASettingList   []string    `json:",omitempty"`
}

// MFAOption is MFAOptionType, which knows SMS only.
type MFAOption struct {
	DeliveryMedium string
	AttributeName  string
}

// Options lists the MFA options of a user.
func Options(u *directory.User) []MFAOption {
	if !u.Factors.SMS {
		return nil
	}
	return []MFAOption{{"SMS", userpool.AttrPhoneNumber}}
}

// Get is AdminGetUser.
func (a *Accounts) Get(_ context.Context, p *pool.Pool, in OfUser) (any, error) {
	u, err := find(p, in.Username)
	if err != nil {
		return nil, err
	}
	return GetOutput{Username: u.Username, UserAttributes: Attributes(u, nil), UserCreateDate: Seconds(u.Created),
		UserLastModifiedDate: Seconds(u.Modified), Enabled: u.Enabled, UserStatus: u.Status, MFAOptions: Options(u),
		PreferredMfaSetting: u.Factors.Preferred, UserMFASettingList: u.Factors.Names()}, nil
}
