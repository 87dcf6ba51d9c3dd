package listing

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp/directory"
)

func TestParseFilter(t *testing.T) {
	for text, want := range map[string]directory.Query{
		``:                                  {Attribute: "sub"},
		`email = "a@b.example"`:             {Attribute: "email", Value: "a@b.example", Exact: true},
		`email="a@b.example"`:               {Attribute: "email", Value: "a@b.example", Exact: true},
		`  sub ^= "0a" `:                    {Attribute: "sub", Value: "0a"},
		`given_name ^= "J\"o\\n"`:           {Attribute: "given_name", Value: `J"o\n`},
		`name = "a=b"`:                      {Attribute: "name", Value: "a=b", Exact: true},
		`name = ""`:                         {Attribute: "name", Exact: true},
		`cognito:user_status = "Confirmed"`: {Attribute: "cognito:user_status", Value: "CONFIRMED", Exact: true},
		`status = "Enabled"`:                {Attribute: "status", Value: "Enabled", Exact: true},
		`username ^= "` + strings.Repeat("é", 240) + `"`: {Attribute: "username", Value: strings.Repeat("é", 240)},
	} {
		got, err := ParseFilter(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestParseFilterRefuses(t *testing.T) {
	const broken = "Error while parsing filter"
	for text, want := range map[string]string{
		`email`: broken, `email =`: broken, `= "a"`: broken, `email = a`: broken, `email = "a`: broken, `email = "a" x`: broken,
		`email = "a""b"`: broken, `email ~ "a"`: broken, `email ^ = "a"`: broken, `email == "a"`: broken, `email = "a\"`: broken,
		`email = "a" and name = "b"`: broken, "email = \"\x00\"": broken, "email = \"\xff\"": broken, ` `: broken,
		`custom:tier = "gold"`: "Invalid search attribute: custom:tier", `birthdate = "x"`: "Invalid search attribute",
		`email = "` + strings.Repeat("x", 250) + `"`: "less than or equal to 256",
	} {
		if got, err := ParseFilter(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v, want %q", text, got, err, want)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{`email = "a"`, `sub ^= "0"`, `name = "a\"b\\"`, `status="`, `=`, `cognito:user_status ^= "con"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := ParseFilter(text)
		if err != nil || text == "" {
			return
		}
		// What was read, written out again, means the same.
		operator := "^="
		if q.Exact {
			operator = "="
		}
		again, err := ParseFilter(q.Attribute + operator + `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(q.Value) + `"`)
		if err != nil && !strings.Contains(err.Error(), "256") {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil && again != q {
			t.Fatalf("%q: %+v became %+v", text, q, again)
		}
	})
}
