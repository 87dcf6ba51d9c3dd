package imports

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp/schema"
)

func TestHeader(t *testing.T) {
	set, err := schema.New([]schema.Attribute{{Name: "plan"}})
	if err != nil {
		t.Fatal(err)
	}
	// The sample of the Developer Guide, and a custom attribute where it stands in
	// the answers that people publish.
	want := strings.Fields(`name given_name family_name middle_name nickname preferred_username profile picture website email email_verified
		gender birthdate zoneinfo locale phone_number phone_number_verified address updated_at custom:plan cognito:mfa_enabled cognito:username`)
	if diff := cmp.Diff(want, Header(set)); diff != "" {
		t.Error(diff)
	}
}

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                 {""},
		"a":                {"a"},
		"a,b":              {"a", "b"},
		",":                {"", ""},
		`a\,b,c`:           {"a,b", "c"},
		`\,`:               {","},
		`a\\,b`:            {`a\,b`},
		`a\`:               {`a\`},
		`a\b,\n`:           {`a\b`, `\n`},
		`"a,b"`:            {`"a`, `b"`},
		"  a b ,\tc\u00a0": {"a b", "c"},
		`a\,,b`:            {"a,", "b"},
	} {
		if diff := cmp.Diff(want, split(line)); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
}

func TestOpen(t *testing.T) {
	header := []string{"name", "email", columnMFA, columnUsername}
	const head = "cognito:username,name,cognito:mfa_enabled,email\n"
	for name, tt := range map[string]struct {
		data  string
		rows  int
		wrong string
	}{
		"any order":        {head + "a,b,c,d\n", 1, ""},
		"no rows":          {head, 0, ""},
		"no line end":      {head + "a,b,c,d", 1, ""},
		"CRLF":             {strings.ReplaceAll(head+"a,b,c,d\ne,f,g,h\n", "\n", "\r\n"), 2, ""},
		"blank lines":      {head + "a,b,c,d\n\ne,f,g,h\n\n\n", 3, ""},
		"most rows":        {head + strings.Repeat("a\n", mostRows), mostRows, ""},
		"spaces":           {" name, email ,cognito:mfa_enabled,cognito:username \n", 0, ""},
		"empty":            {"", 0, "header"},
		"column missing":   {"cognito:username,name,email\n", 0, "header"},
		"column twice":     {"cognito:username,name,email,email\n", 0, "header"},
		"column too many":  {"cognito:username,name,cognito:mfa_enabled,email,x\n", 0, "header"},
		"quoted":           {`"cognito:username","name","cognito:mfa_enabled","email"` + "\n", 0, "header"},
		"byte order mark":  {"\ufeff" + head, 0, "byte order mark"},
		"Latin-1":          {head + "a,J\xf6rg,c,d\n", 0, "UTF-8"},
		"one row too many": {head + strings.Repeat("a\n", mostRows+1), 0, "500001 rows"},
		"too large":        {head + strings.Repeat("a", mostBytes), 0, "larger"},
	} {
		f, err := open([]byte(tt.data), header)
		switch {
		case tt.wrong == "" && err != nil, tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)):
			t.Errorf("%s: %v, want %q", name, err, tt.wrong)
		case err == nil && f.count() != tt.rows:
			t.Errorf("%s: %d rows, want %d", name, f.count(), tt.rows)
		}
	}
}

func TestRow(t *testing.T) {
	f := file{columns: []string{"name", "email", columnUsername}}
	for name, tt := range map[string]struct {
		line  string
		want  map[string]string
		wrong string
	}{
		"values":         {`Doe\, Jane, ,jane`, map[string]string{"name": "Doe, Jane", columnUsername: "jane"}, ""},
		"too few":        {"a,b", nil, "The row has 2 columns, the header has 3."},
		"too many":       {"a,b,c,d", nil, "The row has 4 columns, the header has 3."},
		"longest":        {strings.Repeat("ü", mostCharacters-2) + ",,", map[string]string{"name": strings.Repeat("ü", mostCharacters-2)}, ""},
		"one more":       {strings.Repeat("ü", mostCharacters-1) + ",,", nil, "The row is longer than 16000 characters."},
		"nothing at all": {"", nil, "The row has 1 columns, the header has 3."},
	} {
		got, err := f.row(tt.line)
		if diff := cmp.Diff(tt.want, got); diff != "" || (err == nil) != (tt.wrong == "") || err != nil && err.Error() != tt.wrong {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestBirthdate(t *testing.T) {
	for value, want := range map[string]string{"02/01/1985": "1985-02-01", "12/31/2000": "2000-12-31", "02/29/2024": "2024-02-29",
		"1985-02-01": "", "2/1/1985": "", "13/01/1985": "", "02/30/1985": "", "02/01/85": "", "": "", "02/01/1985x": ""} {
		if got, ok := birthdate(value); got != want || ok != (want != "") {
			t.Errorf("%s: %q %v, want %q", value, got, ok, want)
		}
	}
}

// FuzzFile reads any file. What it reads out of one that was written by the rules
// is what was written, and no error has a value of a row in it.
func FuzzFile(f *testing.F) {
	f.Add([]byte("name,email,cognito:mfa_enabled,cognito:username\na,b,c,d\n"), "x, y", `back\slash`)
	f.Add([]byte("cognito:username,name,email,cognito:mfa_enabled\r\n\\,,,,\r\n\r\n"), "", ",,")
	f.Add([]byte("\xff"), " ", `\`)
	header := []string{"name", "email", columnMFA, columnUsername}
	f.Fuzz(func(t *testing.T, data []byte, name, user string) {
		if parsed, err := open(data, header); err == nil {
			rows := 0
			for number, line := range parsed.lines() {
				rows++
				row, err := parsed.row(line)
				if number != rows || strings.ContainsAny(line, "\n") || err == nil && len(row) > len(header) {
					t.Fatalf("line %d: %q %v", number, line, row)
				}
				if err != nil && len(line) > 8 && strings.Contains(err.Error(), line) {
					t.Fatalf("the error tells the line: %v", err)
				}
			}
			if rows != parsed.count() || bytes.Count(data, []byte("\n")) < rows {
				t.Fatalf("%d rows counted, %d read", parsed.count(), rows)
			}
		}
		written := map[string]string{"name": name, columnUsername: user}
		for column, value := range written {
			if !utf8.ValidString(value) || strings.ContainsAny(value, "\r\n") || strings.HasSuffix(strings.TrimSpace(value), `\`) || utf8.RuneCountInString(value) > 5000 {
				return // cannot be written
			}
			if written[column] = strings.TrimSpace(value); written[column] == "" {
				delete(written, column)
			}
		}
		escape := strings.NewReplacer(",", `\,`).Replace
		parsed, err := open(fmt.Appendf(nil, "name,cognito:username,email,cognito:mfa_enabled\n%s,%s,x,\n", escape(name), escape(user)), header)
		if err != nil {
			t.Fatal(err)
		}
		lines := maps.Collect(parsed.lines())
		row, err := parsed.row(lines[1])
		written["email"] = "x"
		if err != nil || len(lines) != 1 || !maps.Equal(row, written) {
			t.Fatalf("wrote %q, read %q %v", written, row, err)
		}
	})
}
