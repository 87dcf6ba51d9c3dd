package document_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"poolferry/internal/document"
	"poolferry/internal/fault"
)

// note is a document.
type note struct {
	Version document.V1     `json:"version"`
	Text    string          `json:"text"`
	Of      document.Digest `json:"of,omitempty"`
	Deep    *note           `json:"deep,omitempty"`
	List    []int           `json:"list"`
}

func (n note) check() error {
	if n.List == nil {
		return errors.New("list is missing")
	}
	if n.Of != "" {
		return n.Of.Check("of")
	}
	return nil
}

func encode(n note) ([]byte, error) { return document.Encode("note", n, n.check) }

func decode(data []byte) (n note, err error) {
	err = document.Decode("note", data, &n, note.check)
	return n, err
}

func TestEncode(t *testing.T) {
	data, err := encode(note{Text: "<a> & b\u2028é", List: []int{1}})
	if want := `{"version":1,"text":"<a> & b\u2028é","list":[1]}` + "\n"; err != nil || string(data) != want {
		t.Errorf("%s, %v", data, err)
	}
	if _, err := encode(note{}); fault.KindOf(err) != fault.Internal || !strings.Contains(err.Error(), "write note: list is missing") {
		t.Errorf("%v", err)
	}
	if _, err := document.Encode("note", make(chan int), func() error { return nil }); fault.KindOf(err) != fault.Internal {
		t.Errorf("%v", err)
	}
}

// TestDecode: nothing but what Encode writes, and no value of it in an error.
func TestDecode(t *testing.T) {
	const fine = `{"version":1,"text":"canary","list":[1]}` + "\n"
	if n, err := decode([]byte(fine)); err != nil || n.Text != "canary" {
		t.Errorf("%+v, %v", n, err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"newer":              {strings.Replace(fine, `:1,`, `:2,`, 1), "is of version 2, this poolferry knows version 1"},
		"newer, and else":    {`{"version":"x","anything":{}}`, `is of version "x"`},
		"no version":         {`{"text":"canary","list":[1]}` + "\n", "has no version"},
		"null version":       {`{"version":null}`, "has no version"},
		"unknown member":     {strings.Replace(fine, `"list"`, `"password":"canary","list"`, 1), `the member "password"`},
		"unknown, deeper":    {strings.Replace(fine, `"list"`, `"deep":{"version":1,"text":"","more":1,"list":[]},"list"`, 1), `the member "more"`},
		"a version, deeper":  {strings.Replace(fine, `"list"`, `"deep":{"version":2,"text":"","list":[]},"list"`, 1), "is not valid"},
		"twice":              {strings.Replace(fine, `"text"`, `"text":"other","text"`, 1), "not as poolferry writes it"},
		"another case":       {strings.Replace(fine, `"text"`, `"Text"`, 1), "not as poolferry writes it"},
		"spaces":             {strings.Replace(fine, `:`, `: `, 1), "not as poolferry writes it"},
		"another order":      {`{"text":"canary","version":1,"list":[1]}` + "\n", "not as poolferry writes it"},
		"another spelling":   {strings.Replace(fine, `canary`, `c\u0061nary`, 1), "not as poolferry writes it"},
		"a number in floats": {strings.Replace(fine, `[1]`, `[1e0]`, 1), "wrong type of value in member"},
		"no line feed":       {strings.TrimSpace(fine), "not as poolferry writes it"},
		"a carriage return":  {strings.Replace(fine, "\n", "\r\n", 1), "not as poolferry writes it"},
		"something behind":   {fine + "{}", "torn or foreign"},
		"torn":               {fine[:12], "torn or foreign"},
		"empty":              {"", "torn or foreign"},
		"an array":           {"[]", "torn or foreign"},
		"null":               {"null", "has no version"},
		"no UTF-8":           {strings.Replace(fine, `canary`, "\xff", 1), "not valid UTF-8"},
		"wrong type":         {strings.Replace(fine, `"canary"`, `7`, 1), `wrong type of value in member "text"`},
		"not checked":        {`{"version":1,"text":"canary","list":null}` + "\n", "note: list is missing"},
		"no digest":          {`{"version":1,"text":"","of":"X","list":[]}` + "\n", "is no SHA-256"},
	} {
		n, err := decode([]byte(c.text))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) || strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("%s: read %+v, %v, want an error with %q", name, n, err, c.want)
		}
	}
}

func TestStrictly(t *testing.T) {
	var line struct {
		A string `json:"a"`
	}
	for text, want := range map[string]string{
		`{"a":"x"}`:     "",
		`{"a":"x"} `:    "",
		`{"a":"x"}{}`:   "something behind its end",
		`{"a":"x"}]`:    "something behind its end",
		`{"b":"x"}`:     `the member "b"`,
		`{"a":1}`:       `member "a"`,
		`{"a":`:         "is not valid",
		"{\"a\":\"\xc3": "not valid UTF-8",
	} {
		err := document.Strictly([]byte(text), &line)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestDigest(t *testing.T) {
	d := document.DigestOf([]byte("abc"))
	if d != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" || d.Check("sum") != nil {
		t.Errorf("%s", d)
	}
	for _, wrong := range []document.Digest{"", d[1:], d + "0", document.Digest(strings.ToUpper(string(d))), " " + d[1:]} {
		if err := wrong.Check("sum"); err == nil || !strings.Contains(err.Error(), "sum") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// FuzzDecode: what is read is written just so.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"text":"a","list":[1]}` + "\n"))
	f.Add([]byte(`{"version":1,"text":"\u2028<","deep":{"version":1,"text":"","list":[]},"list":[]}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := decode(data)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		if again, err := encode(n); err != nil || string(again) != string(data) {
			t.Errorf("read %q, writes %q, %v", data, again, err)
		}
	})
}
