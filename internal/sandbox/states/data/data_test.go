package data

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t *testing.T, text string) any {
	t.Helper()
	v, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestParseKeepsNumbers(t *testing.T) {
	const text = `{"a":1.0,"b":12345678901234567890,"c":[1e3,-0.10],"d":"<&>"}`
	if got := string(Encode(mustParse(t, text))); got != text {
		t.Errorf("got %s", got)
	}
}

func TestParseExplains(t *testing.T) {
	tests := map[string]string{
		`{a: 1}`:   "Unexpected character ('a' (code 97)): was expecting double-quote to start field name",
		`{"a" 1}`:  "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
		`{"a":1 2`: "Unexpected character ('2' (code 50)): was expecting comma to separate Object entries",
		`[1 2]`:    "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries",
		`)`:        "Unexpected character (')' (code 41)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
		`{"a":`:    "Unexpected end-of-input",
		``:         "Unexpected end-of-input",
		`1 2`:      "Unexpected text after the end of the JSON value",
	}
	for text, want := range tests {
		_, err := Parse([]byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestEqual(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true}, {`1`, `1e0`, true}, {`0.1`, `0.10`, true}, {`1`, `"1"`, false}, {`1`, `2`, false},
		{`9007199254740993`, `9007199254740992`, false}, {`null`, `null`, true}, {`null`, `false`, false},
		{`[1,[2]]`, `[1.0,[2]]`, true}, {`[1]`, `[1,2]`, false}, {`[1]`, `{"a":1}`, false}, {`"a"`, `[1]`, false},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, true}, {`{"a":1}`, `{"b":1}`, false}, {`{"a":null}`, `{"b":null}`, false},
	}
	for _, tt := range tests {
		if got := Equal(mustParse(t, tt.a), mustParse(t, tt.b)); got != tt.want {
			t.Errorf("%s = %s: %v", tt.a, tt.b, got)
		}
	}
}

// Numbers that no exact arithmetic can hold must not exhaust memory.
func TestCompareHuge(t *testing.T) {
	if Compare("1e999999999", "1") <= 0 || Compare("1", "1e999999999") >= 0 || Compare("1e-999999999", "1") >= 0 {
		t.Error("huge exponents are not ordered")
	}
	if Compare("-1e999999999", "1e999999999") >= 0 {
		t.Error("huge negative numbers are not below huge positive ones")
	}
}

func TestInteger(t *testing.T) {
	tests := []struct {
		v    any
		want int64
		ok   bool
	}{
		{json.Number("5"), 5, true}, {json.Number("5.0"), 5, true}, {json.Number("5e2"), 500, true}, {json.Number("-1"), -1, true}, {"7", 7, true},
		{json.Number("1.5"), 0, false}, {json.Number("1e99"), 0, false}, {json.Number("1e999999999"), 0, false}, {"1/1", 0, false}, {"0x10", 0, false}, {"", 0, false}, {nil, 0, false}, {true, 0, false},
	}
	for _, tt := range tests {
		if got, ok := Integer(tt.v); got != tt.want || ok != tt.ok {
			t.Errorf("%v: %d, %v", tt.v, got, ok)
		}
	}
}

func TestTooLarge(t *testing.T) {
	if TooLarge(strings.Repeat("a", Limit-2)) || !TooLarge(strings.Repeat("a", Limit-1)) || !TooLarge(strings.Repeat("ä", Limit/2)) {
		t.Error("the limit is not 262144 bytes of JSON in UTF-8")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5e3,"x",null,true]}`))
	f.Add([]byte(`{'a'`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(Encode(v))
		if err != nil || !cmp.Equal(v, again) || !Equal(v, again) {
			t.Errorf("%q → %v → %v, %v", text, v, again, err)
		}
	})
}
