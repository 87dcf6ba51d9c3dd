package template

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/path"
)

func value(t testing.TB, text string) any {
	t.Helper()
	v, err := data.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestEval(t *testing.T) {
	s := path.Scope{
		Data:      value(t, `{"n":1.0,"null":null,"o":{"p":[1]}}`),
		Context:   value(t, `{"Execution":{"Name":"e"}}`),
		Variables: func(name string) (any, bool) { return "of " + name, name == "v" },
	}
	parsed, err := Parse(value(t, `{
		"a.$": "$.n", "b": {"c.$": "$$.Execution.Name", "$": "kept"}, "d": [{"e.$": "$v"}, "$.n", []], "f.$": "States.Format('{}', $.n)",
		"g.$": "$.null", "h": null, "i": {}, "j.$": "$.o.p[*]", "k.$": "$.none[*]"}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := parsed.Eval(s)
	if err != nil {
		t.Fatal(err)
	}
	want := value(t, `{"a":1.0,"b":{"c":"e","$":"kept"},"d":[{"e":"of v"},"$.n",[]],"f":"1.0","g":null,"h":null,"i":{},"j":[1],"k":[]}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var read []string
	parsed.Variables(func(name string) { read = append(read, name) })
	if diff := cmp.Diff([]string{"v"}, read); diff != "" {
		t.Error(diff)
	}
}

func TestEvalFails(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":[{"b.$":"$.none"}]}`:          `The JSONPath '$.none' specified for the field 'b.$' could not be found in the input '{"n":1}'`,
		`{"b.$":"$nobody"}`:                 `The JSONPath '$nobody' specified for the field 'b.$' could not be found in the input '{"n":1}'`,
		`{"b.$":"States.Array($.none.x)"}`:  `The JSONPath '$.none.x' specified for the field 'b.$' could not be found in the input '{"n":1}'`,
		`{"b.$":"States.ArrayLength($.n)"}`: `The function 'States.ArrayLength($.n)' had the following error: the first argument is not an array`,
	} {
		parsed, err := Parse(value(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsed.Eval(path.Scope{Data: value(t, `{"n":1}`)}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, field := range map[string]string{
		`{"a.$":"text"}`: "a.$", `{"a":[{"b.$":1}]}`: "b.$", `{"a.$":"States.Nope()"}`: "a.$", `{"a.$":"$."}`: "a.$",
	} {
		_, err := Parse(value(t, text))
		if wrong, ok := errors.AsType[*FieldError](err); !ok || wrong.Field != field {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(`{"a.$":"$.n","b":[{"c.$":"States.UUID()"}]}`)
	f.Add(`[{".$":"$"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := data.Parse([]byte(text))
		if err != nil {
			return
		}
		parsed, err := Parse(v)
		if err != nil {
			return
		}
		if out, err := parsed.Eval(path.Scope{Data: value(t, `{"n":1}`)}); err == nil {
			data.Encode(out)
		}
	})
}
