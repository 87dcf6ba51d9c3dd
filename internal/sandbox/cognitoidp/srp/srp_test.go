package srp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	cognitosrp "github.com/alexrudd/cognito-srp/v4"

	"poolferry/internal/userpool"
)

// TestAgainstAClient has somebody else's client prove a password, with salts,
// names and passwords of every shape. A number in 256 has a byte more or less
// than usual: so many rounds meet some.
func TestAgainstAClient(t *testing.T) {
	salts := []string{"00", "0000ff", "80", "7f00000000000000000000000000000000", "ffffffffffffffffffffffffffffffff", "0123456789abcdef0123456789abcdef"}
	people := []struct{ user, password string }{
		{"ada", "Correct-horse-1"}, {"0f1e2d3c-0000-4000-8000-000000000000", "pässwörd ü :"}, {"a:b", ":"}, {"名前", strings.Repeat("x", 256)},
	}
	block := bytes.Repeat([]byte{0xfe}, 48)
	for round := range 48 {
		person, salt := people[round%len(people)], salts[round%len(salts)]
		raw, err := hex.DecodeString(salt)
		if err != nil {
			t.Fatal(err)
		}
		client, err := cognitosrp.NewCognitoSRP(person.user, person.password, "eu-west-1_AbCdEfGhI", "client", nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := Number(client.GetAuthParams()["SRP_A"])
		if err != nil {
			t.Fatal(err)
		}
		who := Identity{"AbCdEfGhI", person.user}
		exchange, err := Begin(who, who.Key(raw, userpool.NewSecret(person.password)), a)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.PasswordVerifierChallenge(map[string]string{"USERNAME": person.user, "USER_ID_FOR_SRP": person.user,
			"SALT": salt, "SRP_B": exchange.B(), "SECRET_BLOCK": base64.StdEncoding.EncodeToString(block)}, time.Unix(int64(round), 0))
		if err != nil {
			t.Fatal(err)
		}
		claim, err := base64.StdEncoding.DecodeString(answer["PASSWORD_CLAIM_SIGNATURE"])
		if err != nil {
			t.Fatal(err)
		}
		at := answer["TIMESTAMP"]
		if !exchange.Proves(claim, block, at) {
			t.Errorf("round %d: %+v with salt %s proves nothing", round, person, salt)
		}
		if exchange.Proves(claim, block[1:], at) || exchange.Proves(claim, block, at+" ") || exchange.Proves(claim[1:], block, at) || exchange.Proves(nil, block, at) {
			t.Errorf("round %d: a changed claim is taken", round)
		}
		other, err := Begin(who, who.Key(raw, userpool.NewSecret("another")), a)
		if err != nil || other.Proves(claim, block, at) {
			t.Errorf("round %d: the claim proves another password (%v)", round, err)
		}
	}
}

func TestPadded(t *testing.T) {
	for n, want := range map[int64]string{0: "00", 20: "14", 56: "38", 127: "7f", 128: "0080", 200: "00c8", 236: "00ec", 256: "0100", 0x8000: "008000"} {
		if got := hex.EncodeToString(padded(big.NewInt(n))); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	twice := new(big.Int).Mul(group, big.NewInt(2))
	for digits, ok := range map[string]bool{"2": true, "ABCdef": true, "0a": true, group.Text(16) + "0": false, "": false, "0": false, "000": false,
		group.Text(16): false, twice.Text(16): false, "-2": false, "+2": false, "0x2": false, "1_0": false, "g": false, " 2": false,
		strings.Repeat("1", 1024): true, strings.Repeat("1", 1025): false} {
		n, err := Number(digits)
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrNumber) || err == nil && n.Sign() <= 0 {
			t.Errorf("%.20q: %v", digits, err)
		}
	}
}

// FuzzExchange lets a client without the password send anything.
func FuzzExchange(f *testing.F) {
	f.Add("2", []byte("claim"), []byte("block"), "Sat Nov 21 12:00:00 UTC 2026")
	f.Add(group.Text(16), []byte{}, []byte{}, "")
	who := Identity{"pool", "ada"}
	x := who.Key([]byte("salt"), userpool.NewSecret("right"))
	f.Fuzz(func(t *testing.T, digits string, claim, block []byte, at string) {
		a, err := Number(digits)
		if err != nil {
			return
		}
		exchange, err := Begin(who, x, a)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := Number(exchange.B()); err != nil || b.Cmp(group) >= 0 {
			t.Errorf("B is %s", exchange.B())
		}
		if exchange.Proves(claim, block, at) {
			t.Errorf("A %s: %x proves a password", digits, claim)
		}
	})
}

func BenchmarkBegin(b *testing.B) {
	who := Identity{"pool", "ada"}
	x := who.Key([]byte("salt"), userpool.NewSecret("right"))
	a := new(big.Int).Rsh(group, 1)
	for b.Loop() {
		if _, err := Begin(who, x, a); err != nil {
			b.Fatal(err)
		}
	}
}
