package directory

import (
	"slices"
	"time"

	"poolferry/internal/userpool"
)

// Group is a group of users.
type Group struct {
	Name        string
	Description string
	RoleARN     string
	Precedence  *int // lower wins; nil comes last
	Created     time.Time
	Modified    time.Time
}

type group struct {
	Group
	members keys // subs
}

// CreateGroup adds an empty group, or fails with ErrGroupExists.
func (d *Directory) CreateGroup(g Group) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.groups[g.Name] != nil {
		return ErrGroupExists
	}
	d.groups[g.Name] = &group{Group: g}
	d.named.insert(g.Name)
	return nil
}

// Group returns a group by its name, which is case-sensitive.
func (d *Directory) Group(name string) (Group, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	g, ok := d.groups[name]
	if !ok {
		return Group{}, false
	}
	return g.Group, true
}

// Groups returns up to limit groups in the order of their names; after and next
// as in Page.
func (d *Directory) Groups(after string, limit int) (groups []Group, next string) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	names, more := d.named.page("", after, limit)
	for _, name := range names {
		groups = append(groups, d.groups[name].Group)
	}
	if more && len(names) > 0 {
		return groups, names[len(names)-1]
	}
	return groups, ""
}

// Members returns up to limit users of a group; after and next as in Page.
func (d *Directory) Members(name, after string, limit int) (users []*User, next string, err error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	g, ok := d.groups[name]
	if !ok {
		return nil, "", ErrGroupNotFound
	}
	subs, more := g.members.page("", after, limit)
	for _, sub := range subs {
		users = append(users, d.bySub[userpool.Sub(sub)])
	}
	switch {
	case !more:
		return users, "", nil
	case len(subs) == 0:
		return users, after, nil
	}
	return users, subs[len(subs)-1], nil
}

// AddToGroup adds a user to a group; being there already is no error.
func (d *Directory) AddToGroup(sub userpool.Sub, name string) error {
	return d.regroup(sub, name, func(g *group, groups []string) []string {
		g.members.insert(string(sub))
		if slices.Contains(groups, name) {
			return groups
		}
		groups = append(slices.Clone(groups), name)
		slices.Sort(groups)
		return groups
	})
}

// RemoveFromGroup removes a user from a group; not being there is no error.
func (d *Directory) RemoveFromGroup(sub userpool.Sub, name string) error {
	return d.regroup(sub, name, func(g *group, groups []string) []string {
		g.members.remove(string(sub))
		return slices.DeleteFunc(slices.Clone(groups), func(n string) bool { return n == name })
	})
}

func (d *Directory) regroup(sub userpool.Sub, name string, change func(*group, []string) []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	u, ok := d.bySub[sub]
	if !ok {
		return ErrUserNotFound
	}
	g, ok := d.groups[name]
	if !ok {
		return ErrGroupNotFound
	}
	next := u.clone()
	next.Groups = change(g, next.Groups)
	d.bySub[sub] = next
	return nil
}

// GroupsOf returns a user's groups by precedence, then by name.
func (d *Directory) GroupsOf(u *User) []Group {
	d.mu.RLock()
	defer d.mu.RUnlock()
	groups := make([]Group, 0, len(u.Groups))
	for _, name := range u.Groups {
		if g, ok := d.groups[name]; ok {
			groups = append(groups, g.Group)
		}
	}
	slices.SortStableFunc(groups, func(a, b Group) int { return rank(a) - rank(b) })
	return groups
}

func rank(g Group) int {
	if g.Precedence == nil {
		return 1 << 31
	}
	return *g.Precedence
}
