// Package crowd makes the users of a rehearsal: people who are awkward in every
// way that a real user pool is, each with a password that exists once in the
// world. It is pure and repeatable: person i of a seed is the same in every
// crowd of that seed, however large.
//
// Vocabulary: a kind is the way in which a person is awkward; a name is what
// the person types at sign-in; a canary is a password that can be recognised
// wherever it turns up, because nothing else contains its random part; the
// outcome is what the migration trigger's audit trail should say when the
// person types the name and the right password.
package crowd

import (
	"fmt"
	"iter"
	"math/rand/v2"

	"poolferry/internal/userpool"
)

// Shape is how people of a pool may sign in.
type Shape string

// The shapes that Cognito offers (Cognito Developer Guide, user pool
// attributes): a username plus aliases, or an e-mail address or phone number in
// place of a username, which the pool then generates.
const (
	Alias              Shape = "alias"
	UsernameAttributes Shape = "username-attributes"
)

// Spec says which crowd to make.
type Spec struct {
	Seed  uint64
	Users int
	Shape Shape // empty means Alias
}

// Person is one user of the source pool, and what the user knows and does.
type Person struct {
	Index int
	Kind  Kind

	// User is the user as the source pool holds it. Sub is a UUID that the
	// source pool may take over; where the pool's shape is UsernameAttributes,
	// Username is the same UUID.
	User userpool.User
	// TOTP is the base32 secret of the person's authenticator app; empty for none.
	TOTP userpool.Secret

	Name      string          // what the person types at the target
	Password  userpool.Secret // the right one; a federated person has one that no pool knows
	Wrong     userpool.Secret // what the person types by mistake
	Fresh     userpool.Secret // what the person chooses when asked for a new one
	SendsCode bool            // the person's app sends the TOTP code along with the password

	Outcome    Outcome // of the name and the right password
	ResetMoves bool    // whether the forgot-password flow migrates the person
}

// Migrates reports whether the name and the right password make the person a
// confirmed user of the target pool.
func (p Person) Migrates() bool { return p.Outcome == Migrated }

// Outcome is the trigger's decision as its audit trail names it.
type Outcome string

// The outcomes that a crowd can produce. The same words as the trigger's, written
// again because the sandbox must not agree with the product by sharing its code.
const (
	Migrated            Outcome = "Migrated"
	RejectedCredentials Outcome = "RejectedCredentials"
	Disabled            Outcome = "Disabled"
	Unconfirmed         Outcome = "Unconfirmed"
	NeedsReset          Outcome = "NeedsReset"
	MfaRefused          Outcome = "MfaRefused"
)

// Groups are the groups that people are in; the source pool needs them all.
func Groups() []string { return []string{"admins", "beta-testers", "équipe-müller"} }

// customCount is chosen so that the Fifty kind has 50 attributes together with
// the standard ones, and a target pool still has room for the legacy sub under
// Cognito's limit of 50 custom attributes.
const customCount = 31

// CustomAttributes are the custom attributes that a crowd uses, without the
// custom: prefix. All are strings of at most 2048 characters.
func CustomAttributes() []string {
	names := make([]string, customCount)
	for i := range names {
		names[i] = fmt.Sprintf("field_%02d", i+1)
	}
	return names
}

// New yields the crowd of s, person by person.
func New(s Spec) iter.Seq[Person] {
	return func(yield func(Person) bool) {
		for i := range s.Users {
			if !yield(person(s, i)) {
				return
			}
		}
	}
}

// person makes person i from a random stream of its own.
func person(s Spec, i int) Person {
	rng := rand.New(rand.NewPCG(s.Seed, uint64(i))) // repeatable on purpose: these passwords guard made-up users
	given, family := pick(rng, givenNames), pick(rng, familyNames)
	sub := uuid(rng)
	p := Person{
		Index: i,
		Kind:  kindOf(i),
		User: userpool.User{
			Sub:      userpool.Sub(sub),
			Username: fmt.Sprintf("%s.%s%d", given, family, i),
			Enabled:  true,
			Status:   userpool.StatusConfirmed,
			Attributes: userpool.Attributes{
				"email":                 fmt.Sprintf("%s.%s%d@example.com", given, family, i),
				"email_verified":        "true",
				"phone_number":          fmt.Sprintf("+1555%07d", i),
				"phone_number_verified": "true",
				"given_name":            given,
				"family_name":           family,
				"name":                  given + " " + family,
				"custom:field_01":       pick(rng, []string{"free", "team", "enterprise"}),
			},
		},
		Outcome:    Migrated,
		ResetMoves: true,
	}
	if s.Shape == UsernameAttributes {
		p.User.Username = sub
	}
	if groups := Groups(); rng.IntN(4) == 0 {
		p.User.Groups = groups[:1+rng.IntN(len(groups))]
	}
	p.Password = canary(rng, "Canary", p.Kind)
	p.Wrong = canary(rng, "Wrong", p.Kind)
	p.Fresh = canary(rng, "Fresh", p.Kind)
	types := kinds[p.Kind].make(&p, rng)
	p.Name = p.typed(types, s.Shape)
	return p
}

// form is how a person writes the name.
type form int

const (
	byUsername form = iota
	byEmail
	byPhone
	byPreferred
	byOtherCase
	byAny // whatever the pool is sure to know the person by
)

// typed returns the name in the form f, as far as a pool of the shape knows it:
// where usernames are generated, nobody types them.
func (p Person) typed(f form, shape Shape) string {
	attrs := p.User.Attributes
	if f == byAny {
		f = []form{byUsername, byEmail, byPhone}[p.Index/len(cycle)%3]
	}
	if shape == UsernameAttributes && (f == byUsername || f == byPreferred) {
		f = byEmail
	}
	switch f {
	case byEmail:
		return attrs["email"]
	case byPhone:
		return attrs["phone_number"]
	case byPreferred:
		return attrs["preferred_username"]
	case byOtherCase:
		if shape == UsernameAttributes {
			return otherCase(attrs["email"])
		}
		return otherCase(p.User.Username)
	default:
		return p.User.Username
	}
}

// otherCase turns every other ASCII letter into upper case.
func otherCase(name string) string {
	out := []byte(name)
	for i := 0; i < len(out); i += 2 {
		if 'a' <= out[i] && out[i] <= 'z' {
			out[i] -= 'a' - 'A'
		}
	}
	return string(out)
}

// canary makes a password that meets every policy of Cognito.
func canary(rng *rand.Rand, word string, kind Kind) userpool.Secret {
	return userpool.NewSecret(fmt.Sprintf("%s-%s-%s7!", word, kind, letters(rng, alphanumeric, 16)))
}

const (
	lower        = "abcdefghijklmnopqrstuvwxyz"
	alphanumeric = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	base32       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	hexDigits    = "0123456789abcdef"
)

func letters(rng *rand.Rand, alphabet string, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[rng.IntN(len(alphabet))]
	}
	return string(out)
}

func uuid(rng *rand.Rand) string {
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", letters(rng, hexDigits, 8), letters(rng, hexDigits, 4),
		letters(rng, hexDigits, 3), letters(rng, hexDigits, 3), letters(rng, hexDigits, 12))
}

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }
