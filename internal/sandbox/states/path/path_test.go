package path

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/states/data"
)

func value(t *testing.T, text string) any {
	t.Helper()
	v, err := data.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func scope(t *testing.T) Scope {
	variables := map[string]any{"run": value(t, `{"id":"r1","n":[1,2]}`), "größe": value(t, `3`)}
	return Scope{
		Data:    value(t, `{"a":{"b-c":[10,20,30],"d e":{"f":null}},"users":[{"n":1.0,"g":"x"},{"n":2,"g":"y"},{"n":12345678901234567890}],"it's":1,"q\"q":2,"b\\s":3,"":4,"1":5,"_id":6}`),
		Context: value(t, `{"Execution":{"Input":{"run":"r2"}},"Map":{"Item":{"Index":0}}}`),
		Variables: func(name string) (any, bool) {
			v, ok := variables[name]
			return v, ok
		},
	}
}

func TestGet(t *testing.T) {
	tests := map[string]string{ // path → value
		"$.a.b-c":                           `[10,20,30]`,
		"$.a.b-c[1]":                        `20`,
		"$.a.b-c[-1]":                       `30`,
		"$.a.b-c[0:2]":                      `[10,20]`,
		"$.a.b-c[1:]":                       `[20,30]`,
		"$.a.b-c[*]":                        `[10,20,30]`,
		"$.a.b-c[2,0]":                      `[30,10]`,
		"$.a.b-c[0,2]":                      `[10,30]`,
		"$['a']['d e'].f":                   `null`,
		`$["a"]["d e"]`:                     `{"f":null}`,
		"$['it\\'s']":                       `1`,
		`$['q"q']`:                          `2`,
		`$['b\\s']`:                         `3`,
		"$.1":                               `5`,
		"$._id":                             `6`,
		"$.users[*].n":                      `[1.0,2,12345678901234567890]`,
		"$.users[?(@.g == 'y')]":            `[{"n":2,"g":"y"}]`,
		"$.users[?(@.n == 1)]":              `[{"n":1.0,"g":"x"}]`,
		"$.users[?(@.n < 2 || @.g == 'y')]": `[{"n":1.0,"g":"x"},{"n":2,"g":"y"}]`,
		"$.users[?(@.g)].n":                 `[1.0,2]`,
		"$.a.*":                             `[[10,20,30],{"f":null}]`,
		"$..n":                              `[1.0,2,12345678901234567890]`,
		"$..['g']":                          `["x","y"]`,
		"$.none[*]":                         `[]`,
		"$.none[1:].x":                      `[]`,
		"$$.Execution.Input.run":            `"r2"`,
		"$$.Map.Item.Index":                 `0`,
		"$run.id":                           `"r1"`,
		"$run.n[1]":                         `2`,
		"$run['n'][0]":                      `1`,
		"$größe":                            `3`,
	}
	s := scope(t)
	for text, want := range tests {
		p, err := Parse(text)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := p.Get(s)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(value(t, want), got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for text, want := range map[string]any{"$": s.Data, "$$": s.Context, "$run": value(t, `{"id":"r1","n":[1,2]}`)} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Get(s); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestNotFound(t *testing.T) {
	tests := map[string]string{ // path → reason
		"$.none":          "No results for path: $['none']",
		"$.none.b":        "Missing property in path $['none']",
		"$.a.none.c.d":    "Missing property in path $['a']['none']",
		"$.a.b-c[7]":      "No results for path: $['a']['b-c'][7]",
		"$.1.x":           "Expected to find an object with property ['x'] in path $['1'] but found 'java.lang.Number'",
		"$.users.n":       "Expected to find an object with property ['n'] in path $['users'] but found 'java.util.List'",
		"$['d e']":        "No results for path: $['d e']",
		"$.a['d e'].f.g":  "Expected to find an object with property ['g'] in path $['a']['d e']['f'] but found 'null'",
		"$nobody":         "No variable 'nobody' is assigned",
		"$$.Task.Token":   "Missing property in path $['Task']",
		"$run.id.x":       "Expected to find an object with property ['x'] in path $['id'] but found 'java.lang.String'",
		"$$.Execution.No": "No results for path: $['Execution']['No']",
	}
	for text, want := range tests {
		p, err := Parse(text)
		if err != nil {
			t.Error(err)
			continue
		}
		_, err = p.Get(scope(t))
		missing, ok := errors.AsType[*NotFoundError](err)
		if !ok || missing.Reason != want || missing.Path != text {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	if _, err := mustParse(t, "$x").Get(Scope{}); err == nil {
		t.Error("a scope without variables has one")
	}
}

func mustParse(t *testing.T, text string) Path {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "a", ".a", "$.", "$..", "$.a.", "$[", "$['a'", "$['a]", "$.a b", "$.a b.c", "$x y", "$.list.length()", "$.a]", "$.a[?(", "$[(@.length-1)]", "$.a:b", "$ .a", "x$.a", "$a-b", "$$$",
	} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%q is taken as %v", text, p)
		}
	}
	for _, text := range []string{"$.a[*]", "$..a", "$.a[1:2]", "$.a[0,1]", "$.a[?(@.b)]", "$.*"} {
		if _, err := ParseReference(text); err == nil {
			t.Errorf("%q is taken as a reference path", text)
		}
		if p := mustParse(t, text); p.Definite() {
			t.Errorf("%q is taken as definite", text)
		}
	}
}

func TestSet(t *testing.T) {
	tests := []struct{ doc, path, want string }{
		{`{"a":1}`, "$", `"new"`},
		{`{"a":1}`, "$.b", `{"a":1,"b":"new"}`},
		{`{"a":1}`, "$.a", `{"a":"new"}`},
		{`{"a":1}`, "$.b.c['d e']", `{"a":1,"b":{"c":{"d e":"new"}}}`},
		{`{"a":{"b":1,"c":2}}`, "$.a.b", `{"a":{"b":"new","c":2}}`},
		{`{"a":[1,2]}`, "$.a[1]", `{"a":[1,"new"]}`},
		{`{"a":null}`, "$.a.b", `{"a":{"b":"new"}}`},
		{`null`, "$.a", `{"a":"new"}`},
	}
	for _, tt := range tests {
		doc := value(t, tt.doc)
		got, err := mustParse(t, tt.path).Set(doc, "new")
		if err != nil {
			t.Errorf("%s in %s: %v", tt.path, tt.doc, err)
		}
		if diff := cmp.Diff(value(t, tt.want), got); diff != "" {
			t.Errorf("%s in %s: %s", tt.path, tt.doc, diff)
		}
		if !cmp.Equal(doc, value(t, tt.doc)) {
			t.Errorf("%s changed the original", tt.path)
		}
	}
	for _, tt := range []struct{ doc, path string }{
		{`"text"`, "$.a"}, {`{"a":1}`, "$.a.b"}, {`{"a":[1]}`, "$.a[1]"}, {`{"a":{}}`, "$.a[0]"}, {`{}`, "$$.a"}, {`{}`, "$x"}, {`{"a":[1]}`, "$.a[*]"},
	} {
		if got, err := mustParse(t, tt.path).Set(value(t, tt.doc), "new"); err == nil {
			t.Errorf("%s in %s: %v", tt.path, tt.doc, got)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, text := range []string{"$.a.b-c[0]", "$..n", "$['it\\'s'][?(@.x == 'y' && @.z < 3)]", "$$.Execution.Id", "$run.n[1:2]", "$[(", "$..[*]", "$['\\\\']"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		s := scope(t)
		found, err := p.Get(s)
		if err != nil && found != nil {
			t.Errorf("%q: both %v and %v", text, found, err)
		}
		if !p.Definite() || p.Context() || p.Variable() != "" {
			return
		}
		// What was set is there.
		if doc, err := p.Set(s.Data, "new"); err == nil {
			if got, err := p.Get(Scope{Data: doc}); err != nil || got != "new" {
				t.Errorf("%q: set, then got %v, %v", text, got, err)
			}
		}
	})
}
