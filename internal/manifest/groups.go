package manifest

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"poolferry/internal/document"
	"poolferry/internal/fault"
)

// Groups are the groups of the source pool, without their members: those are
// lines of a shard. It is written once per generation.
type Groups struct {
	Version V1 `json:"version"`
	Origin
	Groups []Group   `json:"groups"` // sorted by name
	Listed time.Time `json:"listed"`
}

// Group is a group of a user pool.
type Group struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Precedence decides between the roles of a user's groups: the lowest number
	// wins, none comes last.
	Precedence *int   `json:"precedence,omitempty"`
	RoleARN    string `json:"role_arn,omitempty"`
}

// Of returns an error of kind fault.Invalid unless g are the groups of a
// generation.
func (g Groups) Of(origin Origin) error {
	if why := g.differs(origin); why != "" {
		return fault.New(fault.Invalid, "groups: the document %s", why)
	}
	return nil
}

// Encode returns the bytes of the document.
func (g Groups) Encode() ([]byte, error) { return encode(g) }

// DecodeGroups reads the groups of a generation.
func DecodeGroups(data []byte) (g Groups, err error) {
	err = decode(data, &g)
	return g, err
}

func (Groups) kind() string { return "groups" }

func (g Groups) check() error {
	if err := errors.Join(g.Origin.check(), document.CheckTime("listed", g.Listed)); err != nil {
		return err
	}
	if g.Groups == nil {
		return errors.New("groups are missing")
	}
	last := ""
	for _, group := range g.Groups {
		if group.Name <= last {
			return fmt.Errorf("group %q is not behind %q", group.Name, last)
		}
		if !utf8.ValidString(group.Name) || !utf8.ValidString(group.Description) {
			return fmt.Errorf("group %q is not valid UTF-8", group.Name)
		}
		last = group.Name
	}
	return nil
}
