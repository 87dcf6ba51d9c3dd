package sweep_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/userpool"
	"poolferry/tools/demo/sweep"
)

const secret = "Canary-plus-address-a8Kd02mQz91LwXy47!"

func newSweep(t *testing.T) *sweep.Sweep {
	t.Helper()
	s := sweep.New()
	for p := range crowd.New(crowd.Spec{Seed: 5, Users: 200}) {
		if err := s.Add(fmt.Sprint(p.Index), p.Password); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Add("ada", userpool.NewSecret(secret)); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFindsEveryForm(t *testing.T) {
	s := newSweep(t)
	quoted, err := json.Marshal(map[string]string{"password": secret})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, text, form string }{
		{"as it is", "before " + secret + " after", "plain"},
		{"alone", secret, "plain"},
		{"JSON", string(quoted), "plain"},
		{"JSON in JSON", fmt.Sprintf("%q", quoted), "plain"},
		{"JSON with every punctuation escaped", strings.ReplaceAll(secret, "!", `\u0021`), "plain"},
		{"URL", "https://example.com/?p=" + url.QueryEscape(secret), "plain"},
		{"cut short", secret[20:], "plain"},
		{"hex", hex.EncodeToString([]byte(secret)), "hex"},
		{"HEX", fmt.Sprintf("%X", secret), "hex"},
	}
	for offset := range 4 {
		body := strings.Repeat("{", offset) + secret + `","next":1}`
		tests = append(tests,
			struct{ name, text, form string }{"base64", base64.StdEncoding.EncodeToString([]byte(body)), "base64"},
			struct{ name, text, form string }{"base64 for URLs", base64.RawURLEncoding.EncodeToString([]byte(body)), "base64"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Repeated, because a find at the end and in the middle are different code.
			got := s.Data("log", []byte(tt.text+"\n"+tt.text))
			want := []sweep.Find{{Owner: "ada", Place: "log", Form: tt.form}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tt.text, diff)
			}
		})
	}
}

func TestFindsEverybody(t *testing.T) {
	s := newSweep(t)
	for p := range crowd.New(crowd.Spec{Seed: 5, Users: 200}) {
		finds := s.Data("x", []byte("a line\n"+p.Password.Reveal()+"\nanother line"))
		if len(finds) != 1 || finds[0].Owner != fmt.Sprint(p.Index) {
			t.Errorf("%s %d: found %v", p.Kind, p.Index, finds)
		}
	}
}

func TestFindsNothingElse(t *testing.T) {
	s := newSweep(t)
	var innocent strings.Builder
	for p := range crowd.New(crowd.Spec{Seed: 6, Users: 200}) {
		innocent.WriteString(p.Password.Reveal() + p.User.Username)
	}
	for _, data := range []string{"", "short", "[redacted]", innocent.String(), secret[:len(secret)-4]} {
		if finds := s.Data("x", []byte(data)); len(finds) != 0 {
			t.Errorf("found %v in text without canaries", finds)
		}
	}
}

func TestRefusesWhatItCannotFind(t *testing.T) {
	for _, short := range []string{"", "hunter2", "!!!!!!!!!!!!!!!!!!!!!!!!!!", "seventeen letters"} {
		err := sweep.New().Add("ada", userpool.NewSecret(short))
		if err == nil {
			t.Errorf("a secret of %d characters was accepted", len(short))
		} else if short != "" && strings.Contains(err.Error(), short) {
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
}

// FuzzData hides the canary in arbitrary data, in which it must be found, and
// nowhere else.
func FuzzData(f *testing.F) {
	f.Add([]byte("{\"a\":1}"), []byte{}, uint8(0))
	f.Add([]byte{0xff, 0}, []byte("tail"), uint8(2))
	s := sweep.New()
	if err := s.Add("ada", userpool.NewSecret(secret)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, before, after []byte, how uint8) {
		data := slices.Concat(before, []byte(secret), after)
		switch how % 3 {
		case 1:
			data = []byte(base64.StdEncoding.EncodeToString(data))
		case 2:
			data = []byte(hex.EncodeToString(data))
		}
		if len(s.Data("x", data)) == 0 {
			t.Errorf("canary not found in %q", data)
		}
	})
}

func BenchmarkData(b *testing.B) {
	s := sweep.New()
	var log strings.Builder
	for p := range crowd.New(crowd.Spec{Seed: 5, Users: 2000}) {
		for _, secret := range []userpool.Secret{p.Password, p.Wrong, p.Fresh} {
			if err := s.Add(p.User.Username, secret); err != nil {
				b.Fatal(err)
			}
		}
		fmt.Fprintf(&log, "%v\n", p.User)
	}
	data := []byte(log.String())
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		s.Data("log", data)
	}
}
