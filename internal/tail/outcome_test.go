package tail

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParseLog(t *testing.T) {
	for text, want := range map[string]said{
		"[SUCCEEDED] Line Number 5956 - The import succeeded.":    {5956, Imported, ""},
		"[SKIPPED] Line Number 5956 - The user already exists.":   {5956, Skipped, ""},
		"[FAILED] Line Number 7 - The User Record does not set…":  {7, Failed, "The User Record does not set…"},
		"[FAILED] Line Number 7 - ann@example.com is taken.":      {7, Failed, "[…] is taken."},
		"[FAILED] Line Number 7 - Number +49 151 1234567 is not.": {7, Failed, "Number […] is not."},
		"[FAILED] Line Number 7":                                  {7, Failed, ""},
		" [SUCCEEDED]  Line Number 0 -":                           {0, Imported, ""},
	} {
		if got, ok := parseLog(text); !ok || got != want {
			t.Errorf("%s: %+v %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "Import started.", "[SUCCEEDED] Line Number x", "[PENDING] Line Number 1 - x", "SUCCEEDED Line Number 1", "[SUCCEEDED] Line Number 99999999999 - x"} {
		if got, ok := parseLog(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestSentence(t *testing.T) {
	if got := sentence(strings.Repeat("ü", 300)); utf8.RuneCountInString(got) != mostWords+1 {
		t.Errorf("%d characters", utf8.RuneCountInString(got))
	}
}

func TestPlace(t *testing.T) {
	lines := func(numbers ...int) (all []said) {
		for _, n := range numbers {
			all = append(all, said{line: n, outcome: Imported})
		}
		return all
	}
	for name, tt := range map[string]struct {
		said []said
		want string // one letter for each of four lines, - for none
	}{
		"nothing":                         {nil, "----"},
		"all":                             {lines(1, 2, 3, 4), "iiii"},
		"in another order":                {lines(4, 2, 1, 3), "iiii"},
		"twice":                           {append(lines(1, 2, 3, 4), said{line: 2, outcome: Skipped}), "iiii"},
		"the beginning":                   {lines(1, 2), "ii--"},
		"without the second":              {lines(1, 3, 4), "i-ii"},
		"the header counts":               {lines(2, 3, 4, 5), "iiii"},
		"the header counts, one is gone":  {lines(2, 5), "i--i"},
		"from 0":                          {lines(0, 1, 2, 3), "iiii"},
		"from 0, the beginning":           {lines(0, 1), "ii--"},
		"nobody knows from where":         {lines(2, 3), "----"},
		"nobody knows, the last is there": {lines(3, 4), "----"},
		"from 0 and too many":             {lines(0, 4), "----"},
		"beyond the file":                 {lines(1, 6), "----"},
		"the header counts, and 1":        {lines(1, 5), "----"},
	} {
		v := place(tt.said, 4)
		got := ""
		for _, o := range v.outcomes {
			got += (string(o) + "-")[:1]
		}
		if got != tt.want || v.known != 4-strings.Count(tt.want, "-") {
			t.Errorf("%s: %s, %d known, want %s", name, got, v.known, tt.want)
		}
	}
	v := place([]said{{1, Failed, "no"}, {2, Imported, ""}}, 2)
	if diff := cmp.Diff(map[int]string{0: "no"}, v.why); diff != "" {
		t.Error(diff)
	}
}

// FuzzParseLog: no line is read as another's, and no address is kept.
func FuzzParseLog(f *testing.F) {
	f.Add("[FAILED] Line Number 12 - An account with the given email already exists.")
	f.Add("[SUCCEEDED] Line Number 1 - The import succeeded.")
	f.Add("[SKIPPED] Line Number 00001")
	f.Add("[FAILED] Line Number 3 - \xff a@b +4915112345678")
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := parseLog(text)
		if !ok {
			return
		}
		if s.line < 0 || !slices.Contains([]Outcome{Imported, Skipped, Failed}, s.outcome) || !strings.Contains(text, fmt.Sprint(s.line)) ||
			utf8.RuneCountInString(s.why) > mostWords+1 || !utf8.ValidString(s.why) || s.outcome != Failed && s.why != "" {
			t.Fatalf("%q: %+v", text, s)
		}
		if personal.MatchString(strings.ReplaceAll(s.why, "[…]", "")) && !strings.Contains(s.why, "[…]") {
			t.Fatalf("%q is kept of %q", s.why, text)
		}
	})
}

// FuzzDocuments: what is read is written just so.
func FuzzDocuments(f *testing.F) {
	f.Add([]byte(`{"version":1,"run":"r","id":"t","opened":"2026-11-21T06:00:00Z","updated":"2026-11-21T06:00:00Z","written":false,"files":[]}` + "\n"))
	f.Add([]byte(`{"version":1,"run":"r","id":"t","file":0,"of":0,"attempt":1,"rows":0,"bytes":0,"why":{}}` + "\n"))
	f.Add([]byte(`{"version":1,"run":"r","id":"t","file":0,"job":"import-1","job_state":"Succeeded","imported":0,"skipped":0,"failed":0,"left":0,"rows":{"key":"","bytes":0,"sha256":"","count":0}}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		type encoder interface{ Encode() ([]byte, error) }
		decoded := []encoder{}
		if p, err := DecodePlan(data); err == nil {
			decoded = append(decoded, p)
		}
		if s, err := DecodeState(data); err == nil {
			decoded = append(decoded, s)
			s.Totals()
			s.current()
		}
		if file, err := DecodeFile(data); err == nil {
			decoded = append(decoded, file)
		}
		if r, err := DecodeResults(data); err == nil {
			decoded = append(decoded, r)
		}
		for _, d := range decoded {
			if again, err := d.Encode(); err != nil || string(again) != string(data) {
				t.Fatalf("%T: read %q, writes %q, %v", d, data, again, err)
			}
		}
	})
}
