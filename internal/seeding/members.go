package seeding

import (
	"context"
	"encoding/json"
	"slices"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// members lists who is in which group: group by group, in the order of their
// names.
type members struct {
	directory Directory
	groups    []manifest.Group
}

// place is where a list of members goes on.
type place struct {
	Group string `json:"group"`
	Token string `json:"token,omitempty"` // of the directory; empty for the group's first page
}

func (p place) cursor() manifest.Cursor {
	text, _ := json.Marshal(p) // two strings do not fail
	return manifest.Cursor(text)
}

func (m members) page(ctx context.Context, cursor manifest.Cursor) (page, manifest.Cursor, error) {
	at, err := m.place(cursor)
	if err != nil || at.Group == "" {
		return page{}, "", err
	}
	listed, err := m.directory.ListUsersInGroup(ctx, at.Group, manifest.Cursor(at.Token))
	if is(err, fault.NotFound) { // deleted since the groups were listed, so nobody is in it
		listed, err = Page[userpool.Sub]{}, nil
	}
	if err != nil {
		return page{}, "", err
	}
	var out page
	slices.Sort(listed.Items)
	for _, sub := range slices.Compact(listed.Items) {
		out.members = append(out.members, manifest.Member{Group: at.Group, Sub: sub})
	}
	return out, m.next(at, listed.Next), nil
}

// place reads a cursor. There is no group where there are no groups.
func (m members) place(cursor manifest.Cursor) (at place, err error) {
	if cursor == "" {
		if len(m.groups) > 0 {
			at.Group = m.groups[0].Name
		}
		return at, nil
	}
	if err := json.Unmarshal([]byte(cursor), &at); err != nil || m.index(at.Group) < 0 {
		return at, fault.New(fault.Invalid, "%w: it is not of this list of members", ErrCursor)
	}
	return at, nil
}

// next is the cursor behind a page; empty behind the last page of the last
// group.
func (m members) next(at place, token manifest.Cursor) manifest.Cursor {
	if token != "" {
		return place{at.Group, string(token)}.cursor()
	}
	i := m.index(at.Group) + 1
	if i == len(m.groups) {
		return ""
	}
	return place{Group: m.groups[i].Name}.cursor()
}

func (m members) index(group string) int {
	return slices.IndexFunc(m.groups, func(g manifest.Group) bool { return g.Name == group })
}
