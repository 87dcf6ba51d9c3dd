package shuffle

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"poolferry/internal/userpool"
)

// A line is one user: the identity, and behind it the rest of the user, both as
// text. A text is its length and its bytes; a length is a uvarint. That of the
// identity is shifted by one bit, which is set for the unlinked.
//
// The format is binary, unlike all that people may want to read: a bucket is
// decoded by every run, and this takes a tenth of the time that JSON takes. It
// never outlives the run but for the index of a generation, which is thrown away
// with the version of the footer.

// Flags of the rest. What repeats the identity is left out.
const (
	flagEnabled = 1 << iota
	flagSubIsIdentity
	flagLegacyIsIdentity
	flagAttributes // there is a map, be it empty

	flagsKnown = flagEnabled | flagSubIsIdentity | flagLegacyIsIdentity | flagAttributes
)

// appendUser appends the rest of a user.
func appendUser(out []byte, identity string, u *userpool.User) []byte {
	var flags byte
	if u.Enabled {
		flags |= flagEnabled
	}
	if string(u.Sub) == identity {
		flags |= flagSubIsIdentity
	}
	legacy, has := u.Attributes[userpool.AttrLegacySub]
	sameLegacy := has && legacy == identity
	if sameLegacy {
		flags |= flagLegacyIsIdentity
	}
	if u.Attributes != nil {
		flags |= flagAttributes
	}
	out = append(out, flags)
	if flags&flagSubIsIdentity == 0 {
		out = appendText(out, string(u.Sub))
	}
	out = appendText(out, u.Username)
	out = appendText(out, string(u.Status))
	var room [32]string
	names := slices.AppendSeq(room[:0], maps.Keys(u.Attributes))
	slices.Sort(names)
	n := len(names)
	if sameLegacy {
		n--
	}
	out = binary.AppendUvarint(out, uint64(n)) //nolint:gosec // not negative
	for _, name := range names {
		if sameLegacy && name == userpool.AttrLegacySub {
			continue
		}
		out = appendText(appendText(out, name), u.Attributes[name])
	}
	out = appendTexts(out, u.Groups)
	out = appendTexts(out, u.MFA)
	return appendTime(appendTime(out, u.Created), u.Modified)
}

func appendText(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

// appendTexts keeps apart a list that is nil and one that is empty.
func appendTexts(out []byte, list []string) []byte {
	if list == nil {
		return append(out, 0)
	}
	out = binary.AppendUvarint(out, uint64(len(list))+1)
	for _, s := range list {
		out = appendText(out, s)
	}
	return out
}

func appendTime(out []byte, t time.Time) []byte {
	out = binary.AppendVarint(out, t.Unix())
	return binary.AppendUvarint(out, uint64(t.Nanosecond())) //nolint:gosec // not negative
}

var errLine = errors.New("a line is not as poolferry writes it")

// decodeUser reads the rest of a user. One copy of it is all that the user's
// texts share.
func decodeUser(identity string, rest []byte) (u userpool.User, err error) {
	r := reader{left: string(rest)}
	flags := r.byte()
	if flags&^flagsKnown != 0 {
		return u, errLine
	}
	u.Enabled = flags&flagEnabled != 0
	if u.Sub = userpool.Sub(identity); flags&flagSubIsIdentity == 0 {
		u.Sub = userpool.Sub(r.text())
	}
	u.Username, u.Status = r.text(), userpool.Status(r.text())
	n := r.count(2)
	if flags&flagAttributes != 0 {
		u.Attributes = make(userpool.Attributes, n+1)
	} else if n > 0 || flags&flagLegacyIsIdentity != 0 {
		return u, errLine
	}
	if flags&flagLegacyIsIdentity != 0 {
		u.Attributes[userpool.AttrLegacySub] = identity
	}
	for last, i := "", 0; i < n; i++ {
		name := r.text()
		if i > 0 && name <= last || name == userpool.AttrLegacySub && flags&flagLegacyIsIdentity != 0 {
			return u, errLine
		}
		last = name
		u.Attributes[name] = r.text()
	}
	u.Groups, u.MFA = r.texts(), r.texts()
	u.Created, u.Modified = r.time(), r.time()
	if r.bad || r.left != "" {
		return u, errLine
	}
	return u, nil
}

// reader takes values from the front of a text. After the first that is not
// there it returns zero values.
type reader struct {
	left string
	bad  bool
}

func (r *reader) fail() { r.left, r.bad = "", true }

func (r *reader) byte() byte {
	if r.left == "" {
		r.fail()
		return 0
	}
	b := r.left[0]
	r.left = r.left[1:]
	return b
}

// uvarint accepts the shortest form only, so that a line has one spelling.
func (r *reader) uvarint() uint64 {
	var n uint64
	for i := 0; i < len(r.left) && i < binary.MaxVarintLen64; i++ {
		b := r.left[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if b == 0 && i > 0 || i == binary.MaxVarintLen64-1 && b > 1 {
				break
			}
			r.left = r.left[i+1:]
			return n
		}
	}
	r.fail()
	return 0
}

// count reads how many things follow, of which each takes at least so many
// bytes.
func (r *reader) count(bytes int) int {
	n := r.uvarint()
	if n > uint64(len(r.left)/bytes) { //nolint:gosec // not negative
		r.fail()
		return 0
	}
	return int(n) //nolint:gosec // at most the length of a text
}

func (r *reader) text() string {
	return r.take(r.count(1))
}

func (r *reader) texts() []string {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	if n-1 > uint64(len(r.left)) {
		r.fail()
		return nil
	}
	list := make([]string, n-1)
	for i := range list {
		list[i] = r.text()
	}
	return list
}

func (r *reader) time() time.Time {
	s := r.stamp()
	if r.bad {
		return time.Time{}
	}
	return time.Unix(s.seconds, s.nanos).UTC()
}
