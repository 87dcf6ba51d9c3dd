package directory

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"poolferry/internal/sandbox/cognitoidp/schema"
	"poolferry/internal/userpool"
)

// Rules say which names a pool accepts. They are fixed when it is created.
type Rules struct {
	CaseSensitive      bool
	Aliases            []string // email, phone_number, preferred_username: besides the username
	UsernameAttributes []string // email, phone_number: instead of a username
}

// Errors of Insert, Update and the group calls.
var (
	ErrUsernameExists = errors.New("username exists")
	ErrUserNotFound   = errors.New("user not found")
	ErrGroupExists    = errors.New("group exists")
	ErrGroupNotFound  = errors.New("group not found")
)

// AliasError says that another user owns an alias.
type AliasError struct {
	Attribute string
	Owner     userpool.Sub
}

func (e *AliasError) Error() string {
	return fmt.Sprintf("an account with the given %s exists", e.Attribute)
}

// Directory is safe for concurrent use.
type Directory struct {
	rules Rules

	mu      sync.RWMutex
	bySub   map[userpool.Sub]*User
	byName  map[string]userpool.Sub // folded username
	aliases map[string]userpool.Sub // attribute, NUL, folded value
	indexes map[string]*keys        // by searchable attribute; all but sub are built when first asked for
	groups  map[string]*group
	named   keys // group names
}

// New returns an empty directory.
func New(rules Rules) *Directory {
	return &Directory{
		rules:   rules,
		bySub:   map[userpool.Sub]*User{},
		byName:  map[string]userpool.Sub{},
		aliases: map[string]userpool.Sub{},
		indexes: map[string]*keys{"sub": {}},
		groups:  map[string]*group{},
	}
}

// Fold brings a name or alias into the form in which the pool compares it.
func (r Rules) Fold(name string) string {
	if r.CaseSensitive {
		return name
	}
	return strings.ToLower(name)
}

// RefuseUsername says why the pool does not take name as a username, in
// Cognito's words, or "": where e-mail addresses or phone numbers are aliases, a
// username cannot look like one.
func (r Rules) RefuseUsername(name string) string {
	switch {
	case name == "":
		return "Username cannot be empty."
	case slices.Contains(r.Aliases, userpool.AttrEmail) && schema.IsEmail(name):
		return "Username cannot be of email format, since user pool is configured for email alias."
	case slices.Contains(r.Aliases, userpool.AttrPhoneNumber) && schema.IsPhone(name):
		return "Username cannot be of phone number format, since user pool is configured for phone number alias."
	}
	return ""
}

// aliasKeys lists the names, besides the username, under which u is found. An
// e-mail address or phone number is an alias once it is verified; where it
// stands for the username it counts from the start.
func (r Rules) aliasKeys(u *User) []string {
	var found []string
	for _, attribute := range r.UsernameAttributes {
		if u.Attributes[attribute] != "" {
			found = append(found, attribute+"\x00"+r.Fold(u.Attributes[attribute]))
		}
	}
	for _, attribute := range r.Aliases {
		if u.Attributes[attribute] != "" && (attribute == userpool.AttrPreferredUsername || u.Attributes.Verified(attribute)) {
			found = append(found, attribute+"\x00"+r.Fold(u.Attributes[attribute]))
		}
	}
	return found
}

// Insert adds a user. It fails with ErrUsernameExists or, where another user
// owns one of its aliases, with an *AliasError; force takes the alias away from
// the owner, whose attribute is then no longer verified. Groups are not taken
// over: see AddToGroup.
func (d *Directory) Insert(u User, force bool) (*User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.free(&u, force); err != nil {
		return nil, err
	}
	next := u.clone()
	next.Groups = nil
	if err := d.claim(next, nil, force); err != nil {
		return nil, err
	}
	d.byName[d.rules.Fold(u.Username)] = u.Sub
	d.put(nil, next)
	return next, nil
}

// Check returns the error that Insert would return now.
func (d *Directory) Check(u User, force bool) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.free(&u, force)
}

// free reports whose names a new user would take.
func (d *Directory) free(u *User, force bool) error {
	if _, taken := d.byName[d.rules.Fold(u.Username)]; taken {
		return ErrUsernameExists
	}
	if _, taken := d.bySub[u.Sub]; taken {
		return ErrUsernameExists
	}
	_, err := d.losers(u, force)
	return err
}

// Update replaces a user by what change makes of a copy. If change fails or
// would take another user's alias nothing happens. Sub, username and groups
// stay as they are.
func (d *Directory) Update(sub userpool.Sub, change func(*User) error) (*User, error) {
	return d.update(sub, false, change)
}

// UpdateForce is Update that takes aliases away from their owners.
func (d *Directory) UpdateForce(sub userpool.Sub, change func(*User) error) (*User, error) {
	return d.update(sub, true, change)
}

func (d *Directory) update(sub userpool.Sub, force bool, change func(*User) error) (*User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, ok := d.bySub[sub]
	if !ok {
		return nil, ErrUserNotFound
	}
	next := old.clone()
	if err := change(next); err != nil {
		return nil, err
	}
	next.Sub, next.Username, next.Groups = old.Sub, old.Username, old.Groups
	if err := d.claim(next, old, force); err != nil {
		return nil, err
	}
	d.put(old, next)
	return next, nil
}

// claim gives next its aliases and frees those that only old had.
func (d *Directory) claim(next, old *User, force bool) error {
	wanted := d.rules.aliasKeys(next)
	lost, err := d.losers(next, force)
	if err != nil {
		return err
	}
	for _, owner := range lost {
		previous := d.bySub[owner]
		without := previous.clone()
		for _, key := range d.rules.aliasKeys(previous) {
			if slices.Contains(wanted, key) {
				attribute, _, _ := strings.Cut(key, "\x00")
				without.Attributes[attribute+"_verified"] = "false"
			}
		}
		d.put(previous, without)
	}
	if old != nil {
		for _, key := range d.rules.aliasKeys(old) {
			delete(d.aliases, key)
		}
	}
	for _, key := range wanted {
		d.aliases[key] = next.Sub
	}
	return nil
}

// losers lists the users who would lose an alias to u, where force lets them.
func (d *Directory) losers(u *User, force bool) ([]userpool.Sub, error) {
	var lost []userpool.Sub
	for _, key := range d.rules.aliasKeys(u) {
		owner, taken := d.aliases[key]
		if !taken || owner == u.Sub {
			continue
		}
		attribute, _, _ := strings.Cut(key, "\x00")
		if !force || attribute == userpool.AttrPreferredUsername || len(d.rules.UsernameAttributes) > 0 {
			return nil, &AliasError{Attribute: attribute, Owner: owner}
		}
		lost = append(lost, owner)
	}
	return lost, nil
}

// put stores next and moves it in the indexes; nil stands for no user.
func (d *Directory) put(old, next *User) {
	for attribute, index := range d.indexes {
		var before, after string
		if old != nil {
			before = indexKey(old, attribute)
		}
		if next != nil {
			after = indexKey(next, attribute)
		}
		if before == after {
			continue
		}
		if before != "" {
			index.remove(before)
		}
		if after != "" {
			index.insert(after)
		}
	}
	if next != nil {
		d.bySub[next.Sub] = next
	}
}

// indexKey is value, NUL, sub: unique, and sorted by value first.
func indexKey(u *User, attribute string) string {
	value, ok := u.value(attribute)
	if !ok {
		return ""
	}
	return value + "\x00" + string(u.Sub)
}

// Delete removes a user; deleting nobody is ErrUserNotFound.
func (d *Directory) Delete(sub userpool.Sub) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	u, ok := d.bySub[sub]
	if !ok {
		return ErrUserNotFound
	}
	for _, key := range d.rules.aliasKeys(u) {
		delete(d.aliases, key)
	}
	for _, name := range u.Groups {
		d.groups[name].members.remove(string(sub))
	}
	delete(d.byName, d.rules.Fold(u.Username))
	d.put(u, nil)
	delete(d.bySub, sub)
	return nil
}

// Find returns the user whom a typed name means: by username, then by alias,
// then by sub, which the API accepts wherever it takes a username.
func (d *Directory) Find(name string) (*User, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	folded := d.rules.Fold(name)
	if sub, ok := d.byName[folded]; ok {
		return d.bySub[sub], true
	}
	for _, attributes := range [][]string{d.rules.UsernameAttributes, d.rules.Aliases} {
		for _, attribute := range attributes {
			if sub, ok := d.aliases[attribute+"\x00"+folded]; ok {
				return d.bySub[sub], true
			}
		}
	}
	u, ok := d.bySub[userpool.Sub(name)]
	return u, ok
}

// Get returns a user by sub.
func (d *Directory) Get(sub userpool.Sub) (*User, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	u, ok := d.bySub[sub]
	return u, ok
}

// Len counts the users.
func (d *Directory) Len() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.bySub)
}

// All ranges over the users in the order of their subs. The directory is not
// locked while the caller works: users that come or go meanwhile may be missed.
func (d *Directory) All() iter.Seq[*User] {
	return func(yield func(*User) bool) {
		after := ""
		for {
			page, next := d.Page(Query{Attribute: "sub"}, after, 1000)
			for _, u := range page {
				if !yield(u) {
					return
				}
			}
			if next == "" {
				return
			}
			after = next
		}
	}
}
