package shuffle

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Stored, a segment has columns in place of lines: what is alike stands together
// and compresses to little, and a UUID takes the 16 bytes that it is. A bucket
// that is read has lines again.
//
// In front there are the attribute names, the shapes, which are lists of them, and
// the lengths of the columns. Each column is compressed on its own, so that those
// that hardly compress, such as UUIDs, do not spoil the others.

// Columns, in their order. Those of attributes follow, one for each name.
const (
	colUUIDs = iota
	colTimes
	colFlags
	colTexts // identity, sub, username: mostly the mark of a UUID
	colStatus
	colShapes
	colLists // groups and MFA
	colAttributes
)

// flagUnlinked is beside the flags of a line in colFlags.
const flagUnlinked = 0x80

// table takes columns, line by line.
type table struct {
	names   []string
	places  map[string]int // of names
	shapes  [][]int        // places
	known   map[string]int // shapes by their bytes
	columns [][]byte
	shape   []int
	key     []byte
}

func newTable() *table {
	return &table{places: map[string]int{}, known: map[string]int{}, columns: make([][]byte, colAttributes)}
}

// text appends a text to a column: its length and one more, and its bytes, or 0
// for a UUID, which goes to a column of its own.
func (t *table) text(column int, s string) {
	if id, ok := packUUID(s); ok {
		t.columns[column] = append(t.columns[column], 0)
		t.columns[colUUIDs] = append(t.columns[colUUIDs], id[:]...)
		return
	}
	t.columns[column] = append(binary.AppendUvarint(t.columns[column], uint64(len(s))+1), s...)
}

func (t *table) number(column int, n uint64) {
	t.columns[column] = binary.AppendUvarint(t.columns[column], n)
}

// add takes a line, as Writer has made it.
func (t *table) add(data []byte) error {
	line := reader{left: string(data)}
	head := line.uvarint()
	identity := line.take(int(head >> 1)) //nolint:gosec // a line of ours
	line.uvarint()                        // the length of the rest, which ends the line
	flags := line.byte()
	t.columns[colFlags] = append(t.columns[colFlags], flags|byte(head&1)*flagUnlinked)
	t.text(colTexts, identity)
	if flags&flagSubIsIdentity == 0 {
		t.text(colTexts, line.text())
	}
	t.text(colTexts, line.text())
	t.text(colStatus, line.text())
	t.shape, t.key = t.shape[:0], t.key[:0]
	for range line.count(2) {
		name := line.text()
		place, ok := t.places[name]
		if !ok {
			place = len(t.names)
			t.names, t.places[name], t.columns = append(t.names, name), place, append(t.columns, nil)
		}
		t.shape, t.key = append(t.shape, place), binary.AppendUvarint(t.key, uint64(place)) //nolint:gosec // not negative
		t.text(colAttributes+place, line.text())
	}
	shape, ok := t.known[string(t.key)]
	if !ok {
		shape = len(t.shapes)
		t.shapes, t.known[string(t.key)] = append(t.shapes, slices.Clone(t.shape)), shape
	}
	t.number(colShapes, uint64(shape)) //nolint:gosec // not negative
	for range 2 {
		n := line.uvarint()
		t.number(colLists, n)
		for i := uint64(1); i < n; i++ {
			t.text(colLists, line.text())
		}
	}
	created := line.stamp()
	t.stamp(created, 0)
	t.stamp(line.stamp(), created.millis())
	if line.bad || line.left != "" {
		return errLine
	}
	return nil
}

// stamp is a time as a line has it.
type stamp struct {
	seconds int64
	nanos   int64
}

func (s stamp) millis() int64 { return s.seconds*1000 + s.nanos/1_000_000 }

// stamp appends a time, mostly as milliseconds after another.
func (t *table) stamp(s stamp, after int64) {
	const far = 1 << 40 // seconds: above them milliseconds would overflow
	if s.nanos%1_000_000 == 0 && -far < s.seconds && s.seconds < far {
		t.number(colTimes, zigzag(s.millis()-after)<<1)
		return
	}
	t.number(colTimes, 1)
	t.columns[colTimes] = binary.AppendVarint(t.columns[colTimes], s.seconds)
	t.number(colTimes, uint64(s.nanos)) //nolint:gosec // not negative
}

func zigzag(n int64) uint64 { return uint64(n<<1) ^ uint64(n>>63) } //nolint:gosec // as binary.PutVarint does

func unzigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) } //nolint:gosec // as binary.Varint does

// contents returns the segment: what the columns are, and each of them.
func (t *table) contents() [][]byte {
	about := binary.AppendUvarint(nil, uint64(len(t.names)))
	for _, name := range t.names {
		about = appendText(about, name)
	}
	about = binary.AppendUvarint(about, uint64(len(t.shapes)))
	for _, shape := range t.shapes {
		about = binary.AppendUvarint(about, uint64(len(shape)))
		for _, place := range shape {
			about = binary.AppendUvarint(about, uint64(place)) //nolint:gosec // not negative
		}
	}
	for _, column := range t.columns {
		about = binary.AppendUvarint(about, uint64(len(column)))
	}
	return append([][]byte{about}, t.columns...)
}

var errColumns = errors.New("has columns that are not whole")

// lines returns the lines of a segment that has columns.
func lines(content []byte, count int) (out []byte, err error) {
	in := reader{left: string(content)}
	names := make([]string, in.count(1))
	for i := range names {
		names[i] = in.text()
	}
	shapes := make([][]int, in.count(1))
	for i := range shapes {
		shapes[i] = make([]int, in.count(1))
		for j := range shapes[i] {
			place := in.uvarint()
			// As lines have them: each once, sorted.
			if place >= uint64(len(names)) || j > 0 && names[shapes[i][j-1]] >= names[place] {
				return nil, errColumns
			}
			shapes[i][j] = int(place) //nolint:gosec // it is within names
		}
	}
	columns := make([]reader, colAttributes+len(names))
	in.cut(columns)
	if in.bad || in.left != "" {
		return nil, errColumns
	}
	r := rows{columns: columns, names: names, shapes: shapes}
	out = make([]byte, 0, len(content)*3)
	for range count {
		if out, err = r.line(out); err != nil {
			return nil, err
		}
		if len(out) > MaxContent {
			return nil, errColumns
		}
	}
	for _, c := range columns {
		if c.left != "" {
			return nil, errColumns
		}
	}
	return out, nil
}

// cut takes the lengths of some columns, and then the columns.
func (r *reader) cut(columns []reader) {
	lengths := make([]int, len(columns))
	for i := range lengths {
		lengths[i] = r.count(1)
	}
	for i := range columns {
		columns[i].left = r.take(lengths[i])
	}
}

// rows gives lines from columns.
type rows struct {
	columns []reader
	names   []string
	shapes  [][]int
	rest    []byte
	id      [36]byte
}

// line appends the next line.
func (r *rows) line(out []byte) ([]byte, error) {
	flags := r.columns[colFlags].byte()
	identity := r.text(r.rest[:0], colTexts)
	unlinked := uint64(flags / flagUnlinked)
	_, prefix := binary.Uvarint(identity)
	identity = identity[max(prefix, 0):]
	out = binary.AppendUvarint(out, uint64(len(identity))<<1|unlinked)
	out = append(out, identity...)

	rest := append(r.rest[:0], flags&^flagUnlinked)
	if flags&flagSubIsIdentity == 0 {
		rest = r.text(rest, colTexts)
	}
	rest = r.text(rest, colTexts)
	rest = r.text(rest, colStatus)
	n := r.columns[colShapes].uvarint()
	if n >= uint64(len(r.shapes)) {
		return nil, errColumns
	}
	shape := r.shapes[n]
	rest = binary.AppendUvarint(rest, uint64(len(shape)))
	for _, place := range shape {
		rest = appendText(rest, r.names[place])
		rest = r.text(rest, colAttributes+place)
	}
	for range 2 {
		n := r.columns[colLists].uvarint()
		if n > uint64(len(r.columns[colLists].left))+1 {
			return nil, errColumns
		}
		rest = binary.AppendUvarint(rest, n)
		for i := uint64(1); i < n; i++ {
			rest = r.text(rest, colLists)
		}
	}
	created := r.stamp(0)
	rest = created.append(rest)
	rest = r.stamp(created.millis()).append(rest)
	r.rest = rest
	for i := range r.columns {
		if r.columns[i].bad {
			return nil, errColumns
		}
	}
	out = binary.AppendUvarint(out, uint64(len(rest)))
	return append(out, rest...), nil
}

// text appends the next text of a column, as lines have it.
func (r *rows) text(out []byte, column int) []byte {
	n := r.columns[column].uvarint()
	if n > 0 {
		if n-1 > uint64(len(r.columns[column].left)) {
			r.columns[column].fail()
			return append(out, 0)
		}
		return appendText(out, r.columns[column].take(int(n-1))) //nolint:gosec // within the column
	}
	id := r.columns[colUUIDs].take(16)
	if len(id) != 16 {
		return append(out, 0)
	}
	unpackUUID(&r.id, id)
	return append(append(out, byte(len(r.id))), r.id[:]...)
}

func (r *rows) stamp(after int64) stamp {
	c := &r.columns[colTimes]
	n := c.uvarint()
	if n&1 == 0 {
		millis := after + unzigzag(n>>1)
		s := stamp{millis / 1000, millis % 1000 * 1_000_000}
		if s.nanos < 0 {
			s.seconds, s.nanos = s.seconds-1, s.nanos+1_000_000_000
		}
		return s
	}
	return c.stamp()
}

func (s stamp) append(out []byte) []byte {
	return binary.AppendUvarint(binary.AppendVarint(out, s.seconds), uint64(s.nanos)) //nolint:gosec // not negative
}

// stamp reads a time as lines have it.
func (r *reader) stamp() stamp {
	s := stamp{seconds: unzigzag(r.uvarint())}
	nanos := r.uvarint()
	if nanos >= 1_000_000_000 {
		r.fail()
		return stamp{}
	}
	s.nanos = int64(nanos) //nolint:gosec // below a second
	return s
}

// take reads so many bytes.
func (r *reader) take(n int) string {
	if n > len(r.left) {
		r.fail()
		return ""
	}
	s := r.left[:n]
	r.left = r.left[n:]
	return s
}

const hexDigits = "0123456789abcdef"

// packUUID reads the one spelling of a UUID that Cognito uses: 36 characters,
// lower case.
func packUUID(s string) (id [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, false
	}
	n := 0
	for i := 0; i < len(s); i += 2 {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			i++
		}
		high, low := unhex[s[i]], unhex[s[i+1]]
		if high > 15 || low > 15 {
			return id, false
		}
		id[n] = high<<4 | low
		n++
	}
	return id, true
}

var unhex = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range hexDigits {
		t[hexDigits[i]] = byte(i) //nolint:gosec // below 16
	}
	return t
}()

func unpackUUID(out *[36]byte, id string) {
	at := 0
	for i := range 16 {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out[at] = '-'
			at++
		}
		out[at], out[at+1] = hexDigits[id[i]>>4], hexDigits[id[i]&15]
		at += 2
	}
}
