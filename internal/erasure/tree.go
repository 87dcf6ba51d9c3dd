package erasure

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// node is a value of a JSON document whose members keep their order, so that what
// is not changed is written as it was.
type node struct {
	members  []member // of an object
	elements []*node  // of an array
	scalar   json.RawMessage
	object   bool
	array    bool
}

type member struct {
	name string
	*node
}

// parseTree reads a document or a line.
func parseTree(data []byte) (*node, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	n, err := parseNode(dec)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return n, nil
		}
	}
	return nil, fault.New(fault.Invalid, "is no JSON document: torn or foreign")
}

func parseNode(dec *json.Decoder) (*node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	n := &node{}
	switch token {
	case json.Delim('{'):
		n.object = true
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return nil, err
			}
			value, err := parseNode(dec)
			if err != nil {
				return nil, err
			}
			n.members = append(n.members, member{name.(string), value}) //nolint:forcetypeassert // nothing else names a member
		}
		_, err = dec.Token()
	case json.Delim('['):
		n.array = true
		for dec.More() {
			value, err := parseNode(dec)
			if err != nil {
				return nil, err
			}
			n.elements = append(n.elements, value)
		}
		_, err = dec.Token()
	default:
		err = n.set(token)
	}
	return n, err
}

// set makes n a text, a number, true, false or null.
func (n *node) set(value any) (err error) {
	data, err := document.JSON(value)
	n.scalar = bytes.TrimSuffix(data, []byte("\n"))
	return err
}

// bytes returns compact JSON without a line feed.
func (n *node) bytes() []byte {
	var out bytes.Buffer
	n.write(&out)
	return out.Bytes()
}

func (n *node) write(out *bytes.Buffer) {
	switch {
	case n.object:
		out.WriteByte('{')
		for i, m := range n.members {
			if i > 0 {
				out.WriteByte(',')
			}
			name := node{}
			_ = name.set(m.name) // a text can be written
			out.Write(name.scalar)
			out.WriteByte(':')
			m.write(out)
		}
		out.WriteByte('}')
	case n.array:
		out.WriteByte('[')
		for i, e := range n.elements {
			if i > 0 {
				out.WriteByte(',')
			}
			e.write(out)
		}
		out.WriteByte(']')
	default:
		out.Write(n.scalar)
	}
}

// member returns a member of an object; nil where there is none.
func (n *node) member(name string) *node {
	if n == nil {
		return nil
	}
	for _, m := range n.members {
		if m.name == name {
			return m.node
		}
	}
	return nil
}

// text returns a text; ok is false for anything else.
func (n *node) text() (s string, ok bool) {
	if n == nil || len(n.scalar) == 0 || n.scalar[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(n.scalar, &s) == nil
}

// number returns a whole number; ok is false for anything else.
func (n *node) number() (i int64, ok bool) {
	if n == nil || n.object || n.array {
		return 0, false
	}
	return i, json.Unmarshal(n.scalar, &i) == nil && string(n.scalar) != "null"
}

// forgotten stands where a person was mentioned.
const forgotten = string(userpool.Forgotten)

// moved is an object of lines in place of another.
type moved struct {
	Key    string
	Bytes  int64
	SHA256 document.Digest
	Count  int
	Text   int64 // bytes before they were packed
}

// edit is how documents are edited.
type edit struct {
	person Person
	moved  map[string]moved // by old keys
}

// document edits a document and reports whether that changed it.
func (e edit) document(data []byte) (edited []byte, changed bool, err error) {
	tree, err := parseTree(data)
	if err != nil {
		return nil, false, err
	}
	if err := e.node(tree); err != nil {
		return nil, false, err
	}
	edited = append(tree.bytes(), '\n')
	return edited, !bytes.Equal(edited, data), nil
}

func (e edit) node(n *node) error {
	if err := e.resize(n); err != nil {
		return err
	}
	n.elements = slices.DeleteFunc(n.elements, func(one *node) bool { return e.person.isAbout(one) || e.emptied(one) })
	n.members = slices.DeleteFunc(n.members, func(m member) bool { return e.emptied(m.node) })
	for _, one := range n.elements {
		if err := e.node(one); err != nil {
			return err
		}
	}
	for _, m := range n.members {
		if err := e.node(m.node); err != nil {
			return err
		}
	}
	if err := e.refer(n); err != nil {
		return err
	}
	if text, ok := n.text(); ok {
		if clean := e.person.redact(text); clean != text {
			return n.set(clean)
		}
	}
	return e.recount(n)
}

// emptied reports whether n refers to lines of which none is left.
func (e edit) emptied(n *node) bool {
	key, ok := n.member("key").text()
	if !ok {
		return false
	}
	to, ok := e.moved[key]
	return ok && to.Key == ""
}

// refer lets a reference follow.
func (e edit) refer(n *node) error {
	key, ok := n.member("key").text()
	if !ok {
		return nil
	}
	to, ok := e.moved[key]
	if !ok {
		return nil
	}
	values := map[string]any{"key": to.Key, "bytes": to.Bytes, "sha256": to.SHA256, "count": to.Count}
	for _, m := range n.members {
		if value, ok := values[m.name]; ok {
			if err := m.set(value); err != nil {
				return err
			}
		}
	}
	return nil
}

// resize corrects the number of bytes that an upload says of its CSV.
func (e edit) resize(n *node) error {
	key, ok := n.member("csv").member("key").text()
	if !ok {
		return nil
	}
	bytes := n.member("bytes")
	if to, ok := e.moved[key]; ok && bytes != nil {
		return bytes.set(to.Text)
	}
	return nil
}

// recount corrects the number of lines that an object says all its rows have.
func (e edit) recount(n *node) error {
	rows, count := n.member("rows"), n.member("count")
	if rows == nil || !rows.array || count == nil {
		return nil
	}
	var sum int64
	for _, ref := range rows.elements {
		lines, ok := ref.member("count").number()
		if !ok {
			return nil
		}
		sum += lines
	}
	return count.set(sum)
}

// subMembers are the names under which lines and documents say whom they are
// about.
var subMembers = []string{"sub", "legacy_sub", "source_sub", "target_sub"}

// isAbout reports whether a JSON object is about the person.
func (p Person) isAbout(n *node) bool {
	return n.object && slices.ContainsFunc(subMembers, func(name string) bool {
		text, ok := n.member(name).text()
		return ok && p.hasSub(text)
	})
}

// redactLine makes a line one about nobody. What numbers it stays.
func (p Person) redactLine(n *node) error {
	n.members = slices.DeleteFunc(n.members, func(m member) bool { return slices.Contains([]string{"groups", "mfa", "why"}, m.name) })
	for _, m := range n.members {
		if slices.Contains(subMembers, m.name) || strings.HasSuffix(m.name, "username") {
			if err := m.set(forgotten); err != nil {
				return err
			}
		}
	}
	return nil
}
