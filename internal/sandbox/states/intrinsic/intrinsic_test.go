package intrinsic

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/path"
)

func scope(t testing.TB) path.Scope {
	t.Helper()
	doc, err := data.Parse([]byte(`{"name":"Ada","n":3,"half":2.5,"list":[3,1,3,{"a":1},{"a":1.0}],"o":{"x":{"y":1},"z":[true,null]},"csv":"a,b;;c","text":"{\"a\":1}","template":"{} and {}","a,b":"comma","blank":" "}`))
	if err != nil {
		t.Fatal(err)
	}
	return path.Scope{Data: doc, Context: map[string]any{"State": map[string]any{"Name": "S"}}}
}

func eval(t testing.TB, text string) (any, error) {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c.Eval(scope(t))
}

func TestEval(t *testing.T) {
	tests := map[string]string{ // call → value
		`States.Format('Hi {}, {} of {}', $.name, $.n, 10)`:            `"Hi Ada, 3 of 10"`,
		`States.Format('{} {} {}', $.o, $.list[0], null)`:              `"{x={y=1}, z=[true, null]} 3 null"`,
		`States.Format('\{\} it\'s {} \\', $.half)`:                    `"{} it's 2.5 \\"`,
		`States.Format($.template, 'a', $$.State.Name)`:                `"a and S"`,
		`States.Format('no places')`:                                   `"no places"`,
		`States.StringToJson($.text)`:                                  `{"a":1}`,
		`States.StringToJson($.blank)`:                                 `null`,
		`States.JsonToString($.o)`:                                     `"{\"x\":{\"y\":1},\"z\":[true,null]}"`,
		`States.Array()`:                                               `[]`,
		`States.Array(1, 'a', true, $.n, States.Array(-1.5))`:          `[1,"a",true,3,[-1.5]]`,
		`States.ArrayPartition($.list, 2)`:                             `[[3,1],[3,{"a":1}],[{"a":1.0}]]`,
		`States.ArrayPartition($.list, $.half)`:                        `[[3,1,3],[{"a":1},{"a":1.0}]]`,
		`States.ArrayContains($.list, States.StringToJson('{"a":1}'))`: `true`,
		`States.ArrayContains($.list, '3')`:                            `false`,
		`States.ArrayRange(1, 9, 4)`:                                   `[1,5,9]`,
		`States.ArrayRange(3, 1, -1)`:                                  `[3,2,1]`,
		`States.ArrayRange(1, 0, 1)`:                                   `[]`,
		`States.ArrayGetItem($.list, 1)`:                               `1`,
		`States.ArrayLength($.list)`:                                   `5`,
		`States.ArrayUnique($.list)`:                                   `[3,1,{"a":1}]`,
		`States.Base64Encode($.name)`:                                  `"QWRh"`,
		`States.Base64Decode('QWRh')`:                                  `"Ada"`,
		`States.Hash('a', 'MD5')`:                                      `"0cc175b9c0f1b6a831c399e269772661"`,
		`States.Hash($.n, 'SHA-1')`:                                    `"77de68daecd823babbb58edb1c8e14d7106e83bb"`,
		`States.JsonMerge($.o, States.StringToJson('{"x":2}'), false)`: `{"x":2,"z":[true,null]}`,
		`States.MathAdd($.n, -5)`:                                      `-2`,
		`States.MathAdd(0.5, -0.5)`:                                    `1`,
		`States.MathRandom(7, 8)`:                                      `7`,
		`States.StringSplit($.csv, ',;')`:                              `["a","b","c"]`,
		`States.StringSplit('a b', '')`:                                `["a b"]`,
		"States.StringSplit('a\nb', '\n')":                             `["a","b"]`,
		` States.Array( $['a,b'] , 1 ) `:                               `["comma",1]`,
		`States.Array($.list[?(@.a == 1)])`:                            `[[{"a":1},{"a":1.0}]]`,
	}
	for text, want := range tests {
		got, err := eval(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, string(data.Encode(got))); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestRandomness(t *testing.T) {
	a, err := eval(t, `States.UUID()`)
	b, _ := eval(t, `States.UUID()`)
	if shape := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`); err != nil || !shape.MatchString(a.(string)) || a == b {
		t.Errorf("ids %v, %v: %v", a, b, err)
	}
	seeded, err := eval(t, `States.MathRandom(0, 1000000000, 7)`)
	again, _ := eval(t, `States.MathRandom(0, 1000000000, 7)`)
	if err != nil || seeded != again {
		t.Errorf("the same seed gives %v and %v: %v", seeded, again, err)
	}
}

func TestEvalFails(t *testing.T) {
	tests := map[string]string{ // call → in the error
		`States.Format('{} {}', 1)`:                                "more {} than",
		`States.Format('{}', 1, 2)`:                                "fewer {} than",
		`States.Format(1)`:                                         "not a string",
		`States.StringToJson('{')`:                                 "Unexpected end-of-input",
		`States.StringToJson(1)`:                                   "not a string",
		`States.ArrayPartition($.list, 0)`:                         "not positive",
		`States.ArrayPartition($.name, 1)`:                         "not an array",
		`States.ArrayPartition($.list, 'x')`:                       "not a number",
		`States.ArrayRange(1, 2000, 1)`:                            "more than 1000",
		`States.ArrayRange(1, 2, 0)`:                               "zero",
		`States.ArrayRange(1, 1e300, 1)`:                           "too large",
		`States.ArrayGetItem($.list, 5)`:                           "out of bounds",
		`States.ArrayGetItem($.list, -1)`:                          "out of bounds",
		`States.Base64Decode('%')`:                                 "not Base64",
		`States.Base64Encode(1)`:                                   "not a string",
		`States.Hash('a', 'CRC')`:                                  "algorithm",
		`States.JsonMerge($.o, $.o, true)`:                         "not false",
		`States.JsonMerge($.o, 1, false)`:                          "not objects",
		`States.MathRandom(2, 2)`:                                  "not greater",
		`States.MathAdd('1', 2)`:                                   "not a number",
		`States.StringSplit(1, ',')`:                               "not a string",
		`States.Array(States.ArrayGetItem($.n, 0))`:                "The function 'States.ArrayGetItem($.n, 0)' had the following error",
		`States.Hash('` + strings.Repeat("a", 10001) + `', 'MD5')`: "longer than 10000",
	}
	for text, want := range tests {
		_, err := eval(t, text)
		if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %s", text, err, want)
		}
	}
	_, err := eval(t, `States.Array($.none)`)
	if _, ok := errors.AsType[*path.NotFoundError](err); !ok {
		t.Errorf("a path that leads nowhere: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "States.", "States.Nope()", "States.Format", "States.Format(", "States.Format('a'", "States.Format('a' 'b')", "States.Format('a)", "States.Array(a)",
		"States.Array(1,)", "States.UUID() x", "States.UUID(1)", "States.MathAdd(1)", "States.MathAdd(1,2,3)", "States.Array($.a b)", "States.Array($.)", "format('a')",
		strings.Repeat("States.Array(", 11) + strings.Repeat(")", 11),
	} {
		if c, err := Parse(text); err == nil {
			t.Errorf("%q is taken as %v", text, c)
		}
	}
}

func TestVariables(t *testing.T) {
	c, err := Parse(`States.Array($a.x, States.Format('{}', $b), $.c, 'd')`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	c.Variables(func(name string) { got = append(got, name) })
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Error(diff)
	}
	if s := c.String(); s != `States.Array($a.x, States.Format('{}', $b), $.c, 'd')` {
		t.Errorf("the call is written %s", s)
	}
}

func FuzzCall(f *testing.F) {
	for _, text := range []string{
		`States.Format('{} \'{}\'', $.n, $['a,b'])`, `States.ArrayRange(1, 5, -2)`, `States.ArrayPartition($.list, 1e9)`, `States.JsonMerge($.o, $.o, false)`,
		`States.StringSplit($.csv, ',')`, `States.MathAdd(9223372036854775807, 1)`, `States.Array(States.Array($.list[?(@.a)]))`, `States.Hash($.o, 'SHA-512')`,
		`States.MathRandom(-9223372036854775808, 9223372036854775807)`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		v, err := c.Eval(scope(t))
		if err != nil {
			return
		}
		if !json.Valid(data.Encode(v)) {
			t.Errorf("%q gives %v", text, v)
		}
	})
}
