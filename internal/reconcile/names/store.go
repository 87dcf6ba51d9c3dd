package names

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// ref is a user of one side in 17 bytes: the UUID that a sub is. Any other text
// is hashed, and the text kept beside.
type ref struct {
	id    [16]byte
	class byte // 0 is nobody
}

const (
	classStaged  = 1
	classArrived = 2
	classSide    = classStaged | classArrived
	classText    = 4 // the sub is no UUID
)

func (r ref) compare(other ref) int {
	return cmp.Or(bytes.Compare(r.id[:], other.id[:]), cmp.Compare(r.class, other.class))
}

// entry is what is known of a user (topic 0), or of a finding about one, in 40
// bytes. Entries of one user and topic are merged, in any order to the same.
type entry struct {
	self, other     ref
	topic           byte // 0, or of which finding: see topicOf
	kinds           byte // bits of kinds of names
	flags           byte
	verdict, reason byte // codes
}

const (
	isAmbiguous = 1 << iota // the user's names lead to several
	isOpen                  // the name opens the target for the other
)

func bit(k Kind) byte { return 1 << (k - 1) }

var topics = verdict.FindingKinds()

// topicOf is the kind of a finding and, above that, the kind of name that it is
// about: whether a finding holds is decided for each name.
func topicOf(kind verdict.FindingKind, of Kind) byte { return codeOf(topics, kind) | byte(of)<<4 }

func kindOf(topic byte) verdict.FindingKind {
	kind, _ := ofCode(topics, topic&15)
	return kind
}

func (e entry) compare(other entry) int {
	return cmp.Or(e.self.compare(other.self), cmp.Compare(e.topic, other.topic))
}

func (e *entry) merge(with entry) {
	e.kinds |= with.kinds
	if e.topic == 0 && e.other.class != 0 && with.other.class != 0 && e.other != with.other {
		e.flags |= isAmbiguous
	}
	if e.other.class == 0 || with.other.class != 0 && with.other.compare(e.other) < 0 {
		e.other = with.other
	}
	e.flags |= with.flags
	e.verdict, e.reason = max(e.verdict, with.verdict), max(e.reason, with.reason)
}

// store holds entries, at most one for each user and topic but for those that
// were added last. It is in shelves, by the first byte of the sub, so that little
// has to be copied at a time.
type store struct {
	shelves [256]shelf
	texts   map[[16]byte]userpool.Sub
}

// shelf holds sorted entries, and some that are not sorted yet.
type shelf struct {
	sorted, fresh []entry
}

// The unsorted entries of a shelf are at most a sixteenth of the sorted ones, or
// as many as cost nothing.
const (
	freshPart  = 16
	freshFloor = 64
)

func (s *store) ref(side Side, sub userpool.Sub) ref {
	r := ref{class: classStaged}
	if side == Arrived {
		r.class = classArrived
	}
	if id, ok := uuid(string(sub)); ok {
		r.id = id
		return r
	}
	sum := sha256.Sum256([]byte(sub))
	r.id, r.class = [16]byte(sum[:16]), r.class|classText
	if s.texts == nil {
		s.texts = map[[16]byte]userpool.Sub{}
	}
	s.texts[r.id] = sub
	return r
}

// sub returns the sub of a user, empty for nobody.
func (s *store) sub(r ref) userpool.Sub {
	switch {
	case r.class == 0:
		return ""
	case r.class&classText != 0:
		return s.texts[r.id]
	}
	text := hex.EncodeToString(r.id[:])
	return userpool.Sub(text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:])
}

func (s *store) add(e entry) {
	on := &s.shelves[e.self.id[0]]
	if on.fresh = append(on.fresh, e); len(on.fresh) >= max(freshFloor, len(on.sorted)/freshPart) {
		on.settle()
	}
}

// settle sorts the fresh entries in.
func (s *shelf) settle() {
	if len(s.fresh) == 0 {
		return
	}
	slices.SortFunc(s.fresh, entry.compare)
	fresh := s.fresh[:1]
	for _, e := range s.fresh[1:] {
		if last := &fresh[len(fresh)-1]; last.compare(e) == 0 {
			last.merge(e)
		} else {
			fresh = append(fresh, e)
		}
	}
	known := 0
	i := 0
	for _, e := range fresh {
		for i < len(s.sorted) && s.sorted[i].compare(e) < 0 {
			i++
		}
		if i < len(s.sorted) && s.sorted[i].compare(e) == 0 {
			known++
		}
	}
	size := len(s.sorted) + len(fresh) - known
	into := s.sorted
	if size > cap(into) {
		into = make([]entry, 0, size+size/freshPart)
	}
	// From the back, so that it can be done in place.
	into = into[:size]
	for at, i, k := size-1, len(s.sorted)-1, len(fresh)-1; at >= 0; at-- {
		order := 1
		if i < 0 {
			order = -1
		} else if k >= 0 {
			order = s.sorted[i].compare(fresh[k])
		}
		switch {
		case order > 0:
			into[at] = s.sorted[i]
			i--
		case order < 0:
			into[at] = fresh[k]
			k--
		default:
			both := s.sorted[i]
			both.merge(fresh[k])
			into[at] = both
			i, k = i-1, k-1
		}
	}
	s.sorted, s.fresh = into, s.fresh[:0]
}

// settle sorts everything; find and each want it.
func (s *store) settle() {
	for i := range s.shelves {
		s.shelves[i].settle()
		s.shelves[i].fresh = nil
	}
}

// find returns what is known of a user.
func (s *store) find(r ref) (entry, bool) {
	on := s.shelves[r.id[0]].sorted
	at, found := slices.BinarySearchFunc(on, entry{self: r}, entry.compare)
	if !found {
		return entry{}, false
	}
	return on[at], true
}

// uuid reads the one spelling of a UUID that Cognito uses: 36 characters, lower
// case.
func uuid(text string) (id [16]byte, ok bool) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, false
	}
	n := 0
	for i := 0; i < len(text); i += 2 {
		if text[i] == '-' {
			i++
		}
		high, low := nibble(text[i]), nibble(text[i+1])
		if high > 15 || low > 15 {
			return id, false
		}
		id[n] = high<<4 | low
		n++
	}
	return id, true
}

// nibble returns the value of a lower-case hex digit, 16 for anything else.
func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}
