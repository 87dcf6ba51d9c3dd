package names_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

func TestOf(t *testing.T) {
	aliases := userpool.Pool{Aliases: []string{"email", "phone_number", "preferred_username"}}
	u := user("0-s", "Ann", "email", " Ann@X.yy", "email_verified", "true", "phone_number", "+15550100", "preferred_username", "Annie")
	generated := u
	generated.Username = "0-s"
	byAddress := u
	byAddress.Username = "Ann@X.yy"
	tests := []struct {
		name string
		pool userpool.Pool
		user userpool.User
		want []names.Name
	}{
		{"aliases", aliases, u, []names.Name{
			{names.Email, "ann@x.yy", " Ann@X.yy", true, true}, {names.Phone, "+15550100", "+15550100", false, false},
			{names.Username, "ann", "Ann", false, true}, {names.PreferredUsername, "annie", "Annie", false, true},
		}},
		{"aliases, username generated at the source", aliases, generated, []names.Name{
			{names.Email, "ann@x.yy", " Ann@X.yy", true, true}, {names.Phone, "+15550100", "+15550100", false, false},
			{names.Username, "0-s", "0-s", false, true}, {names.PreferredUsername, "annie", "Annie", false, true},
		}},
		{"aliases, username is an address: the sub takes its place", aliases, byAddress, []names.Name{
			{names.Email, "ann@x.yy", " Ann@X.yy", true, true}, {names.Phone, "+15550100", "+15550100", false, false},
			{names.Username, "0-s", "0-s", false, true}, {names.PreferredUsername, "annie", "Annie", false, true},
		}},
		{"addresses and numbers as usernames", userpool.Pool{UsernameAttributes: []string{"email", "phone_number"}}, u, []names.Name{
			{names.Email, "ann@x.yy", " Ann@X.yy", true, true}, {names.Phone, "+15550100", "+15550100", false, true},
		}},
		{"no aliases, case-sensitive", userpool.Pool{CaseSensitive: true}, u, []names.Name{
			{names.Email, "ann@x.yy", " Ann@X.yy", true, false}, {names.Phone, "+15550100", "+15550100", false, false},
			{names.Username, "Ann", "Ann", false, true},
		}},
		{"no aliases, username generated at the source: the address is it", userpool.Pool{}, generated, []names.Name{
			{names.Email, "ann@x.yy", " Ann@X.yy", true, false}, {names.Phone, "+15550100", "+15550100", false, false},
			{names.Username, " ann@x.yy", " Ann@X.yy", false, true},
		}},
		{"nothing that is a name", userpool.Pool{}, user("0-s", "0-s", "email", "ann", "phone_number", "0155", "preferred_username", "x"), []names.Name{
			{names.Username, "ann", "ann", false, true},
		}},
		{"nothing", userpool.Pool{}, user("0-s", "0-s"), []names.Name{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, names.Of(tt.user, tt.pool)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestOfAgreesWithAdmit: under a name that opens, the pool admits the user, and
// the username that it makes is the one that is known here.
func TestOfAgreesWithAdmit(t *testing.T) {
	made := 0
	for seed := range uint64(5_000) {
		w := anyWorld(seed)
		for _, u := range w.staged {
			all := names.Of(u, w.pool)
			for _, n := range all {
				if !n.Opens {
					continue
				}
				attributes, reason := w.pool.Admit(n.Exact, u, u.Attributes)
				if reason != "" && !isGenerated(n, u) {
					t.Fatalf("seed %d: %+v opens, and is not admitted: %s\n%s", seed, n, reason, w)
				}
				username, ok := attributes[userpool.UsernameMember]
				if ok && !slices.ContainsFunc(all, func(n names.Name) bool { return n.Kind == names.Username && n.Exact == username }) {
					t.Fatalf("seed %d: %q would be made the username\n%s", seed, username, w)
				}
				if ok {
					made++
				}
			}
		}
	}
	if made == 0 {
		t.Error("no username was made: this test does not try it")
	}
}

// isGenerated reports a username that only the pool knows, and nobody types.
func isGenerated(n names.Name, u userpool.User) bool {
	return n.Kind == names.Username && n.Exact == string(u.Sub)
}

// FuzzSameName: two usernames are one name where the pool takes them for the
// same, and only there.
func FuzzSameName(f *testing.F) {
	for _, pair := range [][2]string{{"ann", "ANN"}, {"\u212aim", "kim"}, {"ſ", "S"}, {"ß", "SS"}, {"İ", "i"}, {"Σ", "ς"}, {"\xff", "\ufffd"}, {"ǅ", "ǆ"}, {"a", "b"}, {"", "x"}, {"ı", "I"}} {
		f.Add(pair[0], pair[1], false)
		f.Add(pair[0], pair[1], true)
	}
	f.Fuzz(func(t *testing.T, a, b string, sensitive bool) {
		if a == "" || b == "" {
			return
		}
		pool := userpool.Pool{CaseSensitive: sensitive}
		x, y := names.Of(user("s", a), pool), names.Of(user("s", b), pool)
		if a == "s" || b == "s" {
			return // a generated username
		}
		if same := x[0].Value == y[0].Value; same != pool.SameName(a, b) {
			t.Errorf("%q and %q are one name: %v, the pool says %v", a, b, same, !same)
		}
	})
}

func TestContest(t *testing.T) {
	name := func(value string) names.Name { return names.Name{Kind: names.Email, Value: value} }
	var records []names.Record
	for _, of := range [][2]string{{"a", "1"}, {"a", "2"}, {"a", "3"}, {"b", "1"}, {"b", "1"}, {"c", "1"}, {"d", "4"}, {"d", "5"}} {
		records = append(records, names.RecordOf(name(of[0]), of[1]))
	}
	slices.SortFunc(records, func(a, b names.Record) int { return bytes.Compare(a[:], b[:]) })
	want := []uint64{name("a").Hash(), name("d").Hash()}
	slices.Sort(want)
	got := names.Contest(records)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	set := names.NewContested(slices.Concat(got, got))
	if set.Len() != 2 || !set.Has(want[0]) || !set.Has(want[1]) || set.Has(name("b").Hash()) {
		t.Errorf("the set of %v has %d", got, set.Len())
	}
	for _, n := range []names.Name{name("a"), name("b")} {
		if r := names.RecordOf(n, "x"); r.Hash() != n.Hash() || n.Hash()>>48 != 0 {
			t.Errorf("the record of %s has hash %x, the name %x", n.Value, r.Hash(), n.Hash())
		}
	}
	if got := names.Contest(nil); got != nil {
		t.Errorf("nobody contests %v", got)
	}
	if (names.Name{Kind: names.Username, Value: "x"}).Hash() != (names.Name{Kind: names.PreferredUsername, Value: "x"}).Hash() {
		t.Error("a preferred username is not looked for among usernames")
	}
}

func FuzzDecodeContested(f *testing.F) {
	f.Add(names.NewContested(nil).Encode())
	f.Add(names.NewContested([]uint64{1, 2, 1<<48 - 1}).Encode())
	f.Add([]byte("pfnames1\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x01"))
	f.Add([]byte("pfnames1\x00"))
	f.Add([]byte("other"))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := names.DecodeContested(data)
		switch {
		case err == nil && !bytes.Equal(set.Encode(), data):
			t.Errorf("%x is read, and written as %x", data, set.Encode())
		case err != nil && fault.KindOf(err) != fault.Invalid:
			t.Errorf("kind %s: %v", fault.KindOf(err), err)
		}
	})
}

func testClaims() []names.Claim {
	created := time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.UTC)
	return []names.Claim{
		{Name: names.Name{Kind: names.Email, Value: "ann@x.yy", Exact: "Ann@x.yy", Verified: true, Opens: true}, Side: names.Staged, Sub: "s-1", Username: "ann",
			Fallback: verdict.Pending, Reason: verdict.NotSignedIn, Created: created, Email: names.Contact{Hash: 1<<48 - 1, Verified: true}, Phone: names.Contact{Hash: 7},
			First: true, Disabled: true, New: true, Groups: []string{"admins", ""}, MFA: []string{"SMS_MFA"}},
		{Name: names.Name{Kind: names.Username, Value: "ann", Exact: "ann", Opens: true}, Side: names.Staged, Sub: "s-2", Linked: true},
		{Name: names.Name{Kind: names.Phone, Value: "+1", Exact: "+1"}, Side: names.Arrived, Sub: "t-1", Linked: true, LegacySub: "s-2", Created: time.Unix(-1, 5).UTC()},
		{Name: names.Name{Kind: names.PreferredUsername, Value: "x", Exact: "x"}, Side: names.Arrived, Sub: "t-2", Unproven: true},
	}
}

func encode(claims ...names.Claim) (data []byte) {
	for _, c := range claims {
		data = c.Append(data)
	}
	return data
}

func TestClaims(t *testing.T) {
	want := testClaims()
	var got []names.Claim
	for c, err := range names.ReadClaims(encode(want...)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestClaimsRefused(t *testing.T) {
	good := testClaims()
	with := func(i int, edit func(*names.Claim)) names.Claim {
		c := good[i]
		edit(&c)
		return c
	}
	const canary = "Canary"
	tests := map[string]names.Claim{
		"no sub":                       with(0, func(c *names.Claim) { c.Sub = "" }),
		"no name":                      with(0, func(c *names.Claim) { c.Name.Value = "" }),
		"no spelling":                  with(0, func(c *names.Claim) { c.Name.Exact = "" }),
		"kind 0":                       with(0, func(c *names.Claim) { c.Name.Kind = 0 }),
		"kind 5":                       with(0, func(c *names.Claim) { c.Name.Kind = 5 }),
		"side 3":                       with(0, func(c *names.Claim) { c.Side = 3 }),
		"not UTF-8":                    with(0, func(c *names.Claim) { c.Name.Exact = canary + "\xff" }),
		"long hash":                    with(0, func(c *names.Claim) { c.Email.Hash = 1 << 48 }),
		"nothing to fall back on":      with(0, func(c *names.Claim) { c.Fallback, c.Reason = "", "" }),
		"a wrong reason":               with(0, func(c *names.Claim) { c.Reason = verdict.SignedIn }),
		"linked and undecided":         with(1, func(c *names.Claim) { c.Fallback = verdict.Pending }),
		"staged with a legacy sub":     with(1, func(c *names.Claim) { c.LegacySub = "x" }),
		"staged and unproven":          with(1, func(c *names.Claim) { c.Unproven = true }),
		"linked without a legacy sub":  with(2, func(c *names.Claim) { c.LegacySub = "" }),
		"unlinked with a legacy sub":   with(3, func(c *names.Claim) { c.LegacySub = "x" }),
		"groups of an arrived user":    with(3, func(c *names.Claim) { c.Groups = []string{"x"} }),
		"factors of a linked user":     with(1, func(c *names.Claim) { c.MFA = []string{"x"} }),
		"a group that is not UTF-8":    with(0, func(c *names.Claim) { c.Groups = []string{canary + "\xff"} }),
		"arrived with something to do": with(3, func(c *names.Claim) { c.Fallback = verdict.Pending }),
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			c.Username = canary
			read := 0
			var err error
			for _, err = range names.ReadClaims(encode(good[0], c)) {
				read++
			}
			if read != 2 || fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), canary) {
				t.Errorf("read %d, error %v", read, err)
			}
			err = names.NewResolver(userpool.Pool{}).Add([]names.Claim{c})
			if err == nil || strings.Contains(err.Error(), canary) {
				t.Errorf("the resolver takes it, or quotes it: %v", err)
			}
		})
	}
}

func FuzzReadClaims(f *testing.F) {
	f.Add([]byte{})
	f.Add(encode(testClaims()...))
	for _, c := range testClaims() {
		f.Add(encode(c))
		f.Add(encode(c)[1:])
		f.Add(encode(c)[:20])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		for c, err := range names.ReadClaims(data) {
			if err != nil {
				if fault.KindOf(err) != fault.Invalid {
					t.Errorf("kind %s: %v", fault.KindOf(err), err)
				}
				return
			}
			again = c.Append(again)
		}
		if !bytes.Equal(again, data) {
			t.Errorf("%x is read, and written as %x", data, again)
		}
	})
}

func BenchmarkRecords(b *testing.B) {
	pool := userpool.Pool{Aliases: []string{"email", "phone_number"}}
	u := user("6f9619ff-8b86-4011-b42d-00c04fc964ff", "ann", "email", "ann.example@example.com", "email_verified", "true", "phone_number", "+15550100")
	b.ReportAllocs()
	for b.Loop() {
		for _, n := range names.Of(u, pool) {
			names.RecordOf(n, string(u.Sub))
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	w := anyWorld(7)
	for i := 0; len(names.Of(w.staged[0], w.pool)) == 0; i++ {
		w = anyWorld(uint64(i))
	}
	r := rand.New(rand.NewPCG(1, 1))
	var claims []names.Claim
	for range 100_000 {
		c := testClaims()[r.IntN(4)]
		c.Sub = sub(r, "x", r.IntN(1<<30))
		c.Name.Value = string(sub(r, "n", 1))
		claims = append(claims, c)
	}
	b.ResetTimer()
	for b.Loop() {
		resolver := names.NewResolver(w.pool)
		if err := resolver.Add(slices.Clone(claims)); err != nil {
			b.Fatal(err)
		}
		for range resolver.Finish().Findings() {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(claims)), "ns/claim")
}
