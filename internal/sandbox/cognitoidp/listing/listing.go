// Package listing answers the operations that return pages: users, the users of
// a group, groups, a user's groups, pools and app clients.
//
// Vocabulary: a page is at most 60 items; a token says where the next page
// starts, is opaque, belongs to the request that it came from and is good for an
// hour; only a missing token ends a list, not a short or empty page.
package listing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"poolferry/internal/sandbox/cognitoidp/account"
	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/pool"
)

// Faults say how ListUsers and ListUsersInGroup misbehave, as they may at AWS.
type Faults struct {
	Short        float64  // probability of a page with fewer users than asked for
	Empty        float64  // probability of an empty page before the end; below 1
	RefusePrefix []string // attributes whose ^= filter is refused
	WrongPrefix  []string // attributes whose ^= filter silently matches nobody
}

// Lists answers listing calls. It is safe for concurrent use.
type Lists struct {
	faults Faults
	random *pool.Random
	tokens sealer
	now    func() time.Time
}

// New returns Lists; the seed makes the faults repeatable.
func New(f Faults, seed uint64, now func() time.Time) *Lists {
	return &Lists{faults: f, random: pool.NewRandom(seed), tokens: newSealer(seed), now: now}
}

// pageLimit is the page size where the request names none, and the largest.
const pageLimit = 60

func limit(member string, asked *int, low int) (int, error) {
	switch {
	case asked == nil || *asked == 0 && low == 0:
		return pageLimit, nil
	case *asked < low:
		return 0, pool.Constraint(member, fmt.Sprintf("have value greater than or equal to %d", low))
	case *asked > pageLimit:
		return 0, pool.Constraint(member, "have value less than or equal to 60")
	}
	return *asked, nil
}

// UsersInput is the input of ListUsers.
type UsersInput struct {
	account.OfPool
	AttributesToGet []string
	Filter          string
	Limit           *int
	PaginationToken string
}

// UsersOutput is the answer of ListUsers.
type UsersOutput struct {
	Users           []account.User
	PaginationToken string `json:",omitempty"`
}

// Users is ListUsers.
func (l *Lists) Users(_ context.Context, p *pool.Pool, in UsersInput) (any, error) {
	n, err := limit("limit", in.Limit, 0)
	if err != nil {
		return nil, err
	}
	query, err := ParseFilter(in.Filter)
	if err != nil {
		return nil, err
	}
	set := p.State().Schema
	for _, name := range in.AttributesToGet {
		if _, ok := set.Find(name); !ok {
			return nil, errAttributes()
		}
	}
	if !query.Exact && slices.Contains(l.faults.RefusePrefix, query.Attribute) && in.Filter != "" {
		return nil, pool.Invalid("Invalid filter: prefix search is not supported for %s", query.Attribute)
	}
	request := fmt.Sprintf("ListUsers %q %q %d %q", p.ID, in.Filter, n, in.AttributesToGet)
	place, err := l.tokens.open(request, in.PaginationToken, l.now())
	if err != nil {
		return nil, err
	}
	if !query.Exact && slices.Contains(l.faults.WrongPrefix, query.Attribute) && in.Filter != "" {
		return UsersOutput{Users: []account.User{}}, nil
	}
	page, token, err := l.page(request, place, n, func(after string, n int) ([]*directory.User, string, error) {
		users, next := p.Users.Page(query, after, n)
		return users, next, nil
	})
	if err != nil {
		return nil, err
	}
	out := UsersOutput{Users: make([]account.User, 0, len(page)), PaginationToken: token}
	for _, u := range page {
		shown := account.Describe(u)
		if len(in.AttributesToGet) > 0 {
			if shown.Attributes, err = only(shown.Attributes, in.AttributesToGet); err != nil {
				return nil, err
			}
		}
		out.Users = append(out.Users, shown)
	}
	return out, nil
}

func errAttributes() error { return pool.Invalid("One or more requested attributes do not exist.") }

// only keeps the wanted attributes; a user who lacks one is an error.
func only(all []account.Attribute, wanted []string) ([]account.Attribute, error) {
	kept := slices.DeleteFunc(slices.Clone(all), func(a account.Attribute) bool { return !slices.Contains(wanted, a.Name) })
	if len(kept) < len(slices.Compact(slices.Sorted(slices.Values(wanted)))) {
		return nil, errAttributes()
	}
	return kept, nil
}

// page reads a page of users, shorter or empty where the faults say so, and
// makes the token of the next one.
func (l *Lists) page(request, place string, n int, read func(after string, n int) ([]*directory.User, string, error)) (users []*directory.User, token string, err error) {
	if l.random.Chance(l.faults.Empty) {
		return nil, l.tokens.seal(request, place, l.now()), nil
	}
	if n > 1 && l.random.Chance(l.faults.Short) {
		n = 1 + l.random.Below(n-1)
	}
	users, next, err := read(place, n)
	if err == nil && next != "" {
		token = l.tokens.seal(request, next, l.now())
	}
	return users, token, err
}

// MembersInput is the input of ListUsersInGroup.
type MembersInput struct {
	account.OfGroup
	Limit     *int
	NextToken string
}

// MembersOutput is the answer of ListUsersInGroup.
type MembersOutput struct {
	Users     []account.User
	NextToken string `json:",omitempty"`
}

// Members is ListUsersInGroup.
func (l *Lists) Members(_ context.Context, p *pool.Pool, in MembersInput) (any, error) {
	n, err := limit("limit", in.Limit, 0)
	if err != nil {
		return nil, err
	}
	request := fmt.Sprintf("ListUsersInGroup %q %q %d", p.ID, in.GroupName, n)
	place, err := l.tokens.open(request, in.NextToken, l.now())
	if err != nil {
		return nil, err
	}
	users, token, err := l.page(request, place, n, func(after string, n int) ([]*directory.User, string, error) {
		return p.Users.Members(in.GroupName, after, n)
	})
	if err != nil {
		return nil, pool.UserError(err)
	}
	out := MembersOutput{Users: make([]account.User, 0, len(users)), NextToken: token}
	for _, u := range users {
		out.Users = append(out.Users, account.Describe(u))
	}
	return out, nil
}

// GroupsInput is the input of ListGroups.
type GroupsInput struct {
	account.OfPool
	Limit     *int
	NextToken string
}

// GroupsOutput is the answer of ListGroups and AdminListGroupsForUser.
type GroupsOutput struct {
	Groups    []account.Group
	NextToken string `json:",omitempty"`
}

// Groups is ListGroups.
func (l *Lists) Groups(_ context.Context, p *pool.Pool, in GroupsInput) (any, error) {
	n, err := limit("limit", in.Limit, 0)
	if err != nil {
		return nil, err
	}
	request := fmt.Sprintf("ListGroups %q %d", p.ID, n)
	place, err := l.tokens.open(request, in.NextToken, l.now())
	if err != nil {
		return nil, err
	}
	groups, next := p.Users.Groups(place, n)
	return l.groups(p, request, groups, next), nil
}

func (l *Lists) groups(p *pool.Pool, request string, groups []directory.Group, next string) GroupsOutput {
	out := GroupsOutput{Groups: make([]account.Group, 0, len(groups))}
	for _, g := range groups {
		out.Groups = append(out.Groups, account.DescribeGroup(p, g))
	}
	if next != "" {
		out.NextToken = l.tokens.seal(request, next, l.now())
	}
	return out
}

// GroupsOfInput is the input of AdminListGroupsForUser.
type GroupsOfInput struct {
	account.OfUser
	Limit     *int
	NextToken string
}

// GroupsOf is AdminListGroupsForUser, by precedence.
func (l *Lists) GroupsOf(_ context.Context, p *pool.Pool, in GroupsOfInput) (any, error) {
	n, err := limit("limit", in.Limit, 0)
	if err != nil {
		return nil, err
	}
	u, ok := p.Users.Find(in.Username)
	if !ok {
		return nil, pool.UserError(directory.ErrUserNotFound)
	}
	request := fmt.Sprintf("AdminListGroupsForUser %q %q %d", p.ID, u.Sub, n)
	place, err := l.tokens.open(request, in.NextToken, l.now())
	if err != nil {
		return nil, err
	}
	groups, next := after(p.Users.GroupsOf(u), place, n, func(g directory.Group) string { return g.Name })
	return l.groups(p, request, groups, next), nil
}

// Slice pages through a list that is short enough to be had whole. key names an
// item; the list keeps its order between the calls. asked is MaxResults, from 1.
func Slice[T any](l *Lists, request string, all []T, asked *int, token string, key func(T) string) (items []T, next string, err error) {
	n, err := limit("maxResults", asked, 1)
	if err != nil {
		return nil, "", err
	}
	request = fmt.Sprintf("%s %d", request, n)
	place, err := l.tokens.open(request, token, l.now())
	if err != nil {
		return nil, "", err
	}
	items, next = after(all, place, n, key)
	if next != "" {
		next = l.tokens.seal(request, next, l.now())
	}
	return items, next, nil
}

// after returns up to n items behind the one whose key is place.
func after[T any](all []T, place string, n int, key func(T) string) (items []T, next string) {
	start := 0
	if place != "" {
		start = 1 + slices.IndexFunc(all, func(v T) bool { return key(v) == place })
	}
	items = all[start:min(start+n, len(all))]
	if start+n < len(all) {
		next = key(items[n-1])
	}
	return items, next
}
