package crowd_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/userpool"
)

// bare replaces secrets by their text, so that cmp can look inside.
var bare = cmp.Transformer("reveal", func(s userpool.Secret) string { return s.Reveal() })

func collect(seed uint64, n int, shape crowd.Shape) []crowd.Person {
	return slices.Collect(crowd.New(crowd.Spec{Seed: seed, Users: n, Shape: shape}))
}

func TestSameSeedSamePeople(t *testing.T) {
	small, large := collect(7, 150, crowd.Alias), collect(7, 400, crowd.Alias)
	if diff := cmp.Diff(small, large[:150], bare); diff != "" {
		t.Errorf("a larger crowd of the same seed begins differently (-small +large):\n%s", diff)
	}
	if other := collect(8, 150, crowd.Alias); cmp.Equal(small, other, bare) {
		t.Error("seeds 7 and 8 make the same crowd")
	}
}

func TestNobodyShares(t *testing.T) {
	for _, shape := range []crowd.Shape{crowd.Alias, crowd.UsernameAttributes} {
		t.Run(string(shape), func(t *testing.T) {
			seen := make(map[string]int)
			for p := range crowd.New(crowd.Spec{Seed: 1, Users: 5000, Shape: shape}) {
				// Lower case: the pools of a rehearsal do not tell cases apart. A
				// name is by design one of the person's other values.
				own := map[string]bool{}
				for _, value := range []string{
					p.User.Username, p.User.Attributes["email"], p.User.Attributes["phone_number"],
					p.User.Attributes["preferred_username"], p.Name, string(p.User.Sub),
					p.Password.Reveal(), p.Wrong.Reveal(), p.Fresh.Reveal(), p.TOTP.Reveal(),
				} {
					own[strings.ToLower(value)] = true
				}
				delete(own, "")
				for value := range own {
					if other, taken := seen[value]; taken {
						t.Fatalf("people %d and %d share %q", other, p.Index, value)
					}
					seen[value] = p.Index
				}
			}
		})
	}
}

func TestEveryKindAppears(t *testing.T) {
	var seen []crowd.Kind
	for _, p := range collect(3, len(crowd.Kinds()), crowd.Alias) {
		seen = append(seen, p.Kind)
	}
	if diff := cmp.Diff(crowd.Kinds(), seen); diff != "" {
		t.Errorf("the smallest crowd lacks kinds (-want +got):\n%s", diff)
	}
	count := make(map[crowd.Kind]int)
	for _, p := range collect(3, 1000, crowd.Alias) {
		count[p.Kind]++
	}
	for _, kind := range crowd.Kinds() {
		if count[kind] < 20 {
			t.Errorf("%s: %d of 1000 people, want at least 20", kind, count[kind])
		}
	}
}

var (
	username = regexp.MustCompile(`^[\p{L}\p{M}\p{S}\p{N}\p{P}\x{200d}]{1,128}$`)
	phone    = regexp.MustCompile(`^\+1555\d{7}$`)
	password = regexp.MustCompile(`^\S{8,256}$`)
)

// TestPeopleFitCognito checks every person against Cognito's own limits, so that
// what goes wrong in a rehearsal is the migration and not the crowd.
func TestPeopleFitCognito(t *testing.T) {
	for _, shape := range []crowd.Shape{crowd.Alias, crowd.UsernameAttributes} {
		for _, p := range collect(11, 600, shape) {
			a := p.User.Attributes
			if !username.MatchString(p.User.Username) {
				t.Errorf("%s %d: username %q", p.Kind, p.Index, p.User.Username)
			}
			if n := utf8.RuneCountInString(p.Name); n < 1 || n > 128 {
				t.Errorf("%s %d: name of %d characters", p.Kind, p.Index, n)
			}
			if !strings.HasSuffix(a["email"], "@example.com") {
				t.Errorf("%s %d: email %q is not fictional", p.Kind, p.Index, a["email"])
			}
			if a["phone_number"] != "" && !phone.MatchString(a["phone_number"]) {
				t.Errorf("%s %d: phone number %q", p.Kind, p.Index, a["phone_number"])
			}
			for name, value := range a {
				if n := utf8.RuneCountInString(value); n < 1 || n > 2048 {
					t.Errorf("%s %d: attribute %s of %d characters", p.Kind, p.Index, name, n)
				}
			}
			for _, secret := range []userpool.Secret{p.Password, p.Wrong, p.Fresh} {
				if !password.MatchString(secret.Reveal()) {
					t.Errorf("%s %d: a password that Cognito cannot take", p.Kind, p.Index)
				}
			}
			if p.ResetMoves && !a.Verified("email") && !a.Verified("phone_number") {
				t.Errorf("%s %d: is to be reset without a verified way to reach", p.Kind, p.Index)
			}
			if p.Kind == crowd.FiftyAttributes && len(a) != 50 {
				t.Errorf("person %d has %d attributes, want 50", p.Index, len(a))
			}
			if p.Migrates() && p.User.Status != userpool.StatusConfirmed {
				t.Errorf("%s %d: %s cannot migrate by password", p.Kind, p.Index, p.User.Status)
			}
		}
	}
}
