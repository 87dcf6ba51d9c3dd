package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v3"
)

// read reads a document into c, of which it may already hold defaults. It
// checks shape only: keys, types, one document. It walks the syntax tree itself
// because the decoder's own errors stop at the first unknown key of a section
// and quote values, and a value can be a secret.
func read(name string, data []byte, c *Config) *document {
	d := &document{name: name, lines: map[string]int{}}
	root, err := parse(data)
	if err != nil {
		d.syntax(err)
		return d
	}
	if root == nil || root.ShortTag() == "!!null" {
		d.addf("", "is empty: start from docs/poolferry.sample.yaml")
		return d
	}
	d.shape("", root, reflect.TypeFor[Config]())
	if len(d.problems) > 0 {
		return d
	}
	if err := root.Decode(c); err != nil {
		d.addf("", "cannot be read: %d of its values have the wrong type", typeErrors(err))
	}
	return d
}

var errManyDocuments = errors.New("yaml: has more than one document: remove everything from the second \"---\" on")

// parse returns the content of the only document, nil for none.
func parse(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := dec.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
		return first.Content[0], nil
	case err != nil:
		return nil, err
	}
	return nil, errManyDocuments
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax notes what the YAML parser says, but for the one message of it that
// quotes the document: an alias without anchor, which is also what a literal
// secret looks like that begins with an asterisk.
func (d *document) syntax(err error) {
	text, line := "is not YAML", 0
	if m := syntaxError.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1]) // 0 where there is no line
		text = m[2]
	}
	if strings.Contains(text, "anchor") {
		text = "has an alias: " + writeOut
	}
	d.addLine(line, "", "%s", text)
}

func typeErrors(err error) int {
	if e, ok := errors.AsType[*yaml.TypeError](err); ok {
		return len(e.Errors)
	}
	return 1
}

const writeOut = "anchors and aliases are not read, write the value out; text that begins with & or * needs quotes"

// shape checks that n has the form of t, and notes the line of every field.
func (d *document) shape(field string, n *yaml.Node, t reflect.Type) {
	if field != "" {
		d.lines[field] = n.Line
	}
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.addf(field, "%s", writeOut)
		return
	case n.ShortTag() == "!!null":
		return // as good as absent
	}
	if t == reflect.TypeFor[SecretRef]() && n.ShortTag() != "!!str" {
		d.addf(field, "%s", notReference)
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		d.shape(field, n, t.Elem())
	case reflect.Struct:
		if d.tagged(field, n, "a section of keys", "!!map") {
			d.section(field, n, t)
		}
	case reflect.Slice:
		if d.tagged(field, n, "a list", "!!seq") {
			for i, item := range n.Content {
				d.shape(fmt.Sprintf("%s[%d]", field, i), item, t.Elem())
			}
		}
	case reflect.String:
		// Strict, so that Terraform's yamldecode reads the same text as we do:
		// an account id with a leading zero is another number without quotes.
		d.tagged(field, n, "text", "!!str")
	case reflect.Bool:
		d.tagged(field, n, "true or false", "!!bool")
	case reflect.Int:
		d.number(field, n, t, "a whole number", "!!int")
	case reflect.Float64:
		d.number(field, n, t, "a number", "!!int", "!!float")
	default:
		panic("config: no shape for " + t.String()) // a field of a new type in Config
	}
}

// section checks the keys of a struct.
func (d *document) section(field string, n *yaml.Node, t reflect.Type) {
	members := map[string]reflect.Type{}
	var known []string
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		members[key] = t.Field(i).Type
		known = append(known, key)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		member, ok := members[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
			d.addLine(key.Line, field, "has a key that is not text")
		case !ok:
			d.addLine(key.Line, field, "unknown key %s%s", quote(key.Value), suggest(key.Value, known))
		case seen[key.Value] > 0:
			d.addLine(key.Line, field, "key %q is given twice, first on line %d", key.Value, seen[key.Value])
		default:
			seen[key.Value] = key.Line
			d.shape(strings.TrimPrefix(field+"."+key.Value, "."), value, member)
		}
	}
}

// tagged checks the type that YAML sees in n. It does not show the value.
func (d *document) tagged(field string, n *yaml.Node, want string, tags ...string) bool {
	tag := n.ShortTag()
	if slices.Contains(tags, tag) {
		return true
	}
	hint := ""
	if want == "text" && n.Kind == yaml.ScalarNode {
		hint = ": write it in quotes"
	}
	if field == "" {
		hint = ": start from docs/poolferry.sample.yaml"
	}
	d.addf(field, "is %s, not %s%s", typeName(tag), want, hint)
	return false
}

func (d *document) number(field string, n *yaml.Node, t reflect.Type, want string, tags ...string) {
	if d.tagged(field, n, want, tags...) && n.Decode(reflect.New(t).Interface()) != nil {
		d.addf(field, "is too large a number")
	}
}

func typeName(tag string) string {
	switch tag {
	case "!!map":
		return "a section of keys"
	case "!!seq":
		return "a list"
	case "!!str":
		return "text"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	default:
		return "of a type that poolferry does not read"
	}
}

// suggest names the known key that is nearest to a mistyped one, if any is near.
func suggest(key string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if n := levenshtein.ComputeDistance(key, k); n < least && n < len(k) {
			best, least = k, n
		}
	}
	if best == "" {
		return ": expected one of " + strings.Join(known, ", ")
	}
	return fmt.Sprintf(": did you mean %q?", best)
}
