package choice

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/path"
)

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	v, err := data.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v.(map[string]any)
}

const doc = `{"s":"b","t":"2026-11-21T09:00:00Z","later":"2026-11-21T10:00:00.5+00:00","n":2,"f":2.0,"big":9007199254740993,"yes":true,"null":null,"list":[1],"star":"a*b\\c","file":"part-00001.jsonl.gz"}`

// TestEval has one true and one false condition per operator, and the corners.
func TestEval(t *testing.T) {
	tests := map[string]bool{
		`{"Variable":"$.s","StringEquals":"b"}`:                                                      true,
		`{"Variable":"$.s","StringEquals":"B"}`:                                                      false,
		`{"Variable":"$.n","StringEquals":"2"}`:                                                      false,
		`{"Variable":"$.s","StringEqualsPath":"$.s"}`:                                                true,
		`{"Variable":"$.s","StringLessThan":"c"}`:                                                    true,
		`{"Variable":"$.s","StringLessThan":"b"}`:                                                    false,
		`{"Variable":"$.s","StringLessThanPath":"$.t"}`:                                              false,
		`{"Variable":"$.s","StringGreaterThan":"ab"}`:                                                true,
		`{"Variable":"$.s","StringLessThanEquals":"b"}`:                                              true,
		`{"Variable":"$.s","StringGreaterThanEquals":"ba"}`:                                          false,
		`{"Variable":"$.file","StringMatches":"part-*.jsonl.*"}`:                                     true,
		`{"Variable":"$.file","StringMatches":"part-*.json"}`:                                        false,
		`{"Variable":"$.file","StringMatches":"*00001*00001*"}`:                                      false,
		`{"Variable":"$.star","StringMatches":"a\\*b\\\\*"}`:                                         true,
		`{"Variable":"$.s","StringMatches":"\\*"}`:                                                   false,
		`{"Variable":"$.n","NumericEquals":2.0}`:                                                     true,
		`{"Variable":"$.n","NumericEqualsPath":"$.f"}`:                                               true,
		`{"Variable":"$.big","NumericEquals":9007199254740992}`:                                      false,
		`{"Variable":"$.s","NumericEquals":2}`:                                                       false,
		`{"Variable":"$.n","NumericLessThan":2.1}`:                                                   true,
		`{"Variable":"$.n","NumericGreaterThan":2}`:                                                  false,
		`{"Variable":"$.n","NumericLessThanEquals":2}`:                                               true,
		`{"Variable":"$.n","NumericGreaterThanEquals":3}`:                                            false,
		`{"Variable":"$.yes","BooleanEquals":true}`:                                                  true,
		`{"Variable":"$.yes","BooleanEquals":false}`:                                                 false,
		`{"Variable":"$.null","BooleanEquals":false}`:                                                false,
		`{"Variable":"$.yes","BooleanEqualsPath":"$.yes"}`:                                           true,
		`{"Variable":"$.t","TimestampEquals":"2026-11-21T10:00:00+01:00"}`:                           true,
		`{"Variable":"$.t","TimestampLessThanPath":"$.later"}`:                                       true,
		`{"Variable":"$.t","TimestampGreaterThan":"2026-11-21T09:00:00Z"}`:                           false,
		`{"Variable":"$.t","TimestampLessThanEquals":"2026-11-21T09:00:00.000Z"}`:                    true,
		`{"Variable":"$.t","TimestampGreaterThanEquals":"2027-01-01T00:00:00Z"}`:                     false,
		`{"Variable":"$.s","TimestampEquals":"2026-11-21T09:00:00Z"}`:                                false,
		`{"Variable":"$.null","IsNull":true}`:                                                        true,
		`{"Variable":"$.s","IsNull":false}`:                                                          true,
		`{"Variable":"$.s","IsString":true}`:                                                         true,
		`{"Variable":"$.n","IsString":true}`:                                                         false,
		`{"Variable":"$.f","IsNumeric":true}`:                                                        true,
		`{"Variable":"$.yes","IsBoolean":true}`:                                                      true,
		`{"Variable":"$.t","IsTimestamp":true}`:                                                      true,
		`{"Variable":"$.s","IsTimestamp":true}`:                                                      false,
		`{"Variable":"$.s","IsPresent":true}`:                                                        true,
		`{"Variable":"$.null","IsPresent":true}`:                                                     true,
		`{"Variable":"$.none.deep","IsPresent":true}`:                                                false,
		`{"Variable":"$.none","IsPresent":false}`:                                                    true,
		`{"Variable":"$v","StringEquals":"x"}`:                                                       true,
		`{"Variable":"$$.State.Name","StringEquals":"S"}`:                                            true,
		`{"Not":{"Variable":"$.n","NumericEquals":2}}`:                                               false,
		`{"And":[{"Variable":"$.n","NumericEquals":2},{"Variable":"$.s","StringEquals":"b"}]}`:       true,
		`{"And":[{"Variable":"$.none","IsPresent":true},{"Variable":"$.none","NumericEquals":2}]}`:   false,
		`{"Or":[{"Variable":"$.n","NumericEquals":1},{"Not":{"Variable":"$.n","NumericEquals":1}}]}`: true,
		`{"Or":[{"Variable":"$.n","NumericEquals":1}]}`:                                              false,
	}
	s := path.Scope{
		Data: object(t, doc), Context: object(t, `{"State":{"Name":"S"}}`),
		Variables: func(name string) (any, bool) { return "x", name == "v" },
	}
	for text, want := range tests {
		c, err := Parse(object(t, text))
		if err != nil {
			t.Error(text, err)
			continue
		}
		if got, err := c.Eval(s); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestEvalFails(t *testing.T) {
	const words = "Invalid path '$.none': The choice state's condition path references an invalid value."
	for _, text := range []string{
		`{"Variable":"$.none","StringEquals":"b"}`, `{"Variable":"$.none","IsNull":true}`, `{"Variable":"$.s","StringEqualsPath":"$.none"}`,
		`{"Not":{"Variable":"$.none","NumericEquals":1}}`, `{"And":[{"Variable":"$.none","NumericEquals":1}]}`, `{"Or":[{"Variable":"$.none","NumericEquals":1}]}`,
	} {
		c, err := Parse(object(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Eval(path.Scope{Data: object(t, doc)}); err == nil || err.Error() != words || got {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]string{ // condition → where
		`{}`:                             "",
		`{"StringEquals":"a"}`:           "",
		`{"Variable":"$.a"}`:             "",
		`{"Variable":"a","IsNull":true}`: "/Variable",
		`{"Variable":"$.a","StringEquals":"a","IsNull":true}`:         "",
		`{"Variable":"$.a","StringEquals":1}`:                         "/StringEquals",
		`{"Variable":"$.a","NumericEquals":"1"}`:                      "/NumericEquals",
		`{"Variable":"$.a","TimestampEquals":"yesterday"}`:            "/TimestampEquals",
		`{"Variable":"$.a","IsNull":"yes"}`:                           "/IsNull",
		`{"Variable":"$.a","NumericEqualsPath":"b"}`:                  "/NumericEqualsPath",
		`{"Variable":"$.a","NumericEqualsPath":1}`:                    "/NumericEqualsPath",
		`{"Variable":"$.a","IsNullPath":"$.b"}`:                       "",
		`{"Variable":"$.a","StringMatchesPath":"$.b"}`:                "",
		`{"Variable":"$.a","Equals":1}`:                               "",
		`{"And":[]}`:                                                  "/And",
		`{"And":{}}`:                                                  "/And",
		`{"And":[1]}`:                                                 "/And[0]",
		`{"Or":[{"Variable":"$.a","IsNull":true},{"Variable":"b"}]}`:  "/Or[1]/Variable",
		`{"Not":{"Variable":"$.a","IsNull":true,"Next":"X"}}`:         "/Not",
		`{"Not":{"And":[{"Variable":"$.a","IsString":1}]}}`:           "/Not/And[0]/IsString",
		`{"And":[{"Variable":"$.a","IsNull":true}],"Variable":"$.a"}`: "",
		`{"Not":{"Variable":"$.a","IsNull":true},"NumericEquals":1}`:  "",
	}
	for text, at := range tests {
		_, err := Parse(object(t, text))
		if wrong, ok := errors.AsType[*SchemaError](err); !ok || wrong.At != at {
			t.Errorf("%s: got %v, want a refusal at %q", text, err, at)
		}
	}
	if _, err := Parse(object(t, `{"Variable":"$.a","IsNull":true,"Next":"X","Assign":{}}`), "Next", "Assign"); err != nil {
		t.Errorf("the outer fields are not left alone: %v", err)
	}
}

func TestVariables(t *testing.T) {
	c, err := Parse(object(t, `{"And":[{"Variable":"$a","StringEqualsPath":"$b.x"},{"Not":{"Or":[{"Variable":"$c","IsNull":true}]}},{"Variable":"$.d","IsNull":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	c.Variables(func(name string) { got = append(got, name) })
	if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzCondition(f *testing.F) {
	f.Add(`{"And":[{"Variable":"$.s","StringMatches":"*\\**"},{"Not":{"Variable":"$.n","NumericLessThan":1e3}}]}`)
	f.Add(`{"Variable":"$.t","TimestampEqualsPath":"$.later"}`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := data.Parse([]byte(text))
		o, ok := v.(map[string]any)
		if err != nil || !ok {
			return
		}
		c, err := Parse(o)
		if err != nil {
			return
		}
		if ok, err := c.Eval(path.Scope{Data: object(t, doc)}); ok && err != nil {
			t.Errorf("%s: true and %v", text, err)
		}
	})
}
