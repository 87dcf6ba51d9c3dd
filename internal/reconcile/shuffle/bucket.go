package shuffle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// Bucket is one side of a bucket in memory: lines as they are stored, and where
// each begins. The users are decoded when they are asked for.
type Bucket struct {
	side     Side
	contents [][]byte
	keys     []string // of the objects, for errors
	lines    []line
	sorted   bool
}

// line is a line in a content.
type line struct {
	prefix   uint64 // first bytes of the identity
	unlinked bool
	content  int32
	identity int32 // where it begins
	length   int32 // of it
	rest     int32 // where it begins
	end      int32
}

// NewBucket returns a side without users.
func NewBucket(side Side) *Bucket { return &Bucket{side: side} }

// Add adds the content of a segment of an object. Of several
// lines about one user that which is added last counts. The error, of kind
// fault.Invalid, names the key.
func (b *Bucket) Add(key string, s Segment, content []byte) error {
	foreign := func(why string) error {
		return fault.New(fault.Invalid, "segment of %s at %d %s: foreign", key, s.Offset, why)
	}
	if s.Lines == 0 && len(content) == 0 {
		return nil
	}
	content, err := lines(content, s.Lines)
	if err != nil {
		return foreign(err.Error())
	}
	number := int32(len(b.contents)) //nolint:gosec // a segment for each object
	unlinked, at := 0, 0
	b.lines = slices.Grow(b.lines, s.Lines)
	for n := range s.Lines {
		l, ok := lineAt(content, at)
		if !ok {
			return foreign("has a line that is not whole")
		}
		l.content = number
		if n > 0 && b.before(content, l, b.lines[len(b.lines)-1]) {
			return foreign("is not sorted")
		}
		if l.unlinked {
			unlinked++
		}
		at = int(l.end)
		b.lines = append(b.lines, l)
	}
	if at != len(content) || unlinked != s.Unlinked || unlinked > 0 && b.side != Arrived {
		return foreign("does not have the lines that were written")
	}
	b.contents, b.keys, b.sorted = append(b.contents, content), append(b.keys, key), false
	return nil
}

// before reports whether a line belongs in front of the one before it, both of
// one content.
func (b *Bucket) before(content []byte, l, last line) bool {
	if l.unlinked != last.unlinked {
		return last.unlinked
	}
	return bytes.Compare(content[l.identity:l.identity+l.length], content[last.identity:last.identity+last.length]) < 0
}

// lineAt finds the line that begins at an offset.
func lineAt(content []byte, at int) (l line, ok bool) {
	head, n := binary.Uvarint(content[at:])
	if n <= 0 || head>>1 == 0 || head>>1 > uint64(len(content)-at-n) { //nolint:gosec // not negative
		return l, false
	}
	from := at + n
	to := from + int(head>>1) //nolint:gosec // within content
	rest, n := binary.Uvarint(content[to:])
	if n <= 0 || rest > uint64(len(content)-to-n) { //nolint:gosec // not negative
		return l, false
	}
	var prefix [8]byte
	copy(prefix[:], content[from:to])
	return line{
		prefix: binary.BigEndian.Uint64(prefix[:]), unlinked: head&1 != 0,
		identity: int32(from), length: int32(to - from), rest: int32(to + n), end: int32(to + n + int(rest)), //nolint:gosec // at most MaxContent
	}, true
}

// Lines returns how many lines were added.
func (b *Bucket) Lines() int { return len(b.lines) }

// Bytes returns how many bytes of content were added.
func (b *Bucket) Bytes() (n int64) {
	for _, c := range b.contents {
		n += int64(len(c))
	}
	return n
}

func (b *Bucket) identity(l line) []byte {
	return b.contents[l.content][l.identity : l.identity+l.length]
}

// sort puts the linked before the unlinked, each by identity, lines of one
// identity in the order in which they were added.
func (b *Bucket) sort() {
	if b.sorted {
		return
	}
	slices.SortFunc(b.lines, func(x, y line) int {
		if x.unlinked != y.unlinked {
			if y.unlinked {
				return -1
			}
			return 1
		}
		if c := cmp.Compare(x.prefix, y.prefix); c != 0 {
			return c
		}
		if c := bytes.Compare(b.identity(x), b.identity(y)); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(x.content, y.content), cmp.Compare(x.identity, y.identity))
	})
	b.sorted = true
}

// Linked walks over the users with an identity at the source, by identity.
func (b *Bucket) Linked() *Walk {
	b.sort()
	return &Walk{bucket: b, lines: b.lines[:b.linked()]}
}

// Unlinked walks over the others, by their own sub.
func (b *Bucket) Unlinked() *Walk {
	b.sort()
	return &Walk{bucket: b, lines: b.lines[b.linked():]}
}

func (b *Bucket) linked() int {
	n, _ := slices.BinarySearchFunc(b.lines, true, func(l line, _ bool) int {
		if l.unlinked {
			return 0
		}
		return -1
	})
	return n
}

// Walk is a way over a side, one identity at a time.
type Walk struct {
	bucket *Bucket
	lines  []line // that are left, of this identity first
}

// Identity returns where the walk stands; ok is false at its end.
func (w *Walk) Identity() (identity []byte, ok bool) {
	if len(w.lines) == 0 {
		return nil, false
	}
	return w.bucket.identity(w.lines[0]), true
}

// Next returns the users of the identity where the walk stands, each once, the
// last lines about them, sorted by sub, and goes on to the next identity. Only
// several users of the target pool can have one identity.
func (w *Walk) Next() ([]userpool.User, error) {
	if len(w.lines) == 0 {
		return nil, nil
	}
	same := w.lines
	w.Skip()
	same = same[:len(same)-len(w.lines)]
	if w.bucket.side == Staged {
		same = same[len(same)-1:]
	}
	users := make([]userpool.User, 0, len(same))
	for _, l := range same {
		u, err := w.decode(l)
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return lastOfEach(users), nil
}

// Seek goes on to the first identity that is not before the given one, and reports
// whether it is that one.
func (w *Walk) Seek(identity []byte) bool {
	for len(w.lines) > 0 {
		if c := bytes.Compare(w.bucket.identity(w.lines[0]), identity); c >= 0 {
			return c == 0
		}
		w.lines = w.lines[1:]
	}
	return false
}

// Groups returns the groups in all lines about the identity where the walk stands,
// sorted, each once, and goes on to the next identity.
func (w *Walk) Groups() (groups []string, err error) {
	same := w.lines
	w.Skip()
	for _, l := range same[:len(same)-len(w.lines)] {
		u, err := w.decode(l)
		if err != nil {
			return nil, err
		}
		groups = append(groups, u.Groups...)
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

func (w *Walk) decode(l line) (userpool.User, error) {
	identity := w.bucket.identity(l)
	u, err := decodeUser(string(identity), w.bucket.contents[l.content][l.rest:l.end])
	if err != nil {
		return u, fault.New(fault.Invalid, "segment of %s: user %q: %w", w.bucket.keys[l.content], identity, err)
	}
	return u, nil
}

// Skip goes on to the next identity.
func (w *Walk) Skip() {
	if len(w.lines) == 0 {
		return
	}
	identity := w.bucket.identity(w.lines[0])
	n := 1
	for n < len(w.lines) && bytes.Equal(identity, w.bucket.identity(w.lines[n])) {
		n++
	}
	w.lines = w.lines[n:]
}

// lastOfEach keeps the last of the lines about each user.
func lastOfEach(users []userpool.User) []userpool.User {
	if len(users) == 1 {
		return users
	}
	slices.SortStableFunc(users, func(a, b userpool.User) int { return cmp.Compare(a.Sub, b.Sub) })
	kept := users[:0]
	for i, u := range users {
		if i+1 == len(users) || users[i+1].Sub != u.Sub {
			kept = append(kept, u)
		}
	}
	return kept
}
