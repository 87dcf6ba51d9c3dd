package names_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// TestResolverAgainstOracle: over random small worlds the resolver comes to what
// comparing every two users comes to.
func TestResolverAgainstOracle(t *testing.T) {
	var joins, ambiguous, findings int
	for seed := range uint64(20_000) {
		w := anyWorld(seed)
		o := w.judge()
		got := w.resolve(t, rand.New(rand.NewPCG(seed, 4)))

		for j := range got.Joins() {
			joins++
			if other, kind, is := o.joined(j.Source); !is || other != j.Target || kind != j.By {
				t.Fatalf("seed %d: joined %s with %s by %s; the oracle has %s by %s, %v\n%s", seed, j.Source, j.Target, j.By, other, kind, is, w)
			}
		}
		undecided := map[userpool.Sub]bool{}
		for sub, ruling := range got.Undecided() {
			undecided[sub] = true
			if want := w.fallback[sub]; ruling.Verdict != want.Verdict || ruling.Reason != want.Reason || ruling.Partner != "" {
				t.Fatalf("seed %d: %s falls back on %+v instead of %s %s", seed, sub, ruling, want.Verdict, want.Reason)
			}
		}
		for _, s := range w.staged {
			other, kind, is := o.joined(s.Sub)
			ruling, known := got.Of(names.Staged, s.Sub)
			switch {
			case is && (undecided[s.Sub] || ruling.Verdict != verdict.Migrated || ruling.Partner != other || ruling.Reason != (names.Join{By: kind}).Reason()):
				t.Fatalf("seed %d: %s is to be joined with %s by %s, not %+v\n%s", seed, s.Sub, other, kind, ruling, w)
			case w.linkedStaged(s) && known:
				t.Fatalf("seed %d: %s has a partner and was decided: %+v", seed, s.Sub, ruling)
			case o.ambiguous[s.Sub]:
				ambiguous++
			}
		}
		own := slices.Collect(got.Own())
		if !slices.IsSorted(own) {
			t.Fatalf("seed %d: own users are not sorted: %v", seed, own)
		}
		for _, u := range w.arrived {
			_, _, is := o.joined(u.Sub)
			if ruling, known := got.Of(names.Arrived, u.Sub); known && (slices.Contains(own, u.Sub) == is || linkedArrived(u) || is != (ruling.Verdict == verdict.Migrated)) {
				t.Fatalf("seed %d: %s is %+v, own: %v\n%s", seed, u.Sub, ruling, slices.Contains(own, u.Sub), w)
			}
		}

		var found []string
		for f := range got.Findings() {
			findings++
			if f.SourceSub == "" {
				found = append(found, fmt.Sprintf("%s  %s", f.Kind, f.TargetSub))
			} else {
				found = append(found, fmt.Sprintf("%s %s", f.Kind, f.SourceSub))
			}
		}
		want := o.findings()
		slices.Sort(found)
		if diff := cmp.Diff(want, found); diff != "" {
			t.Fatalf("seed %d: findings (-want +got)\n%s\n%s", seed, diff, w)
		}
	}
	t.Logf("%d joins, %d ambiguous, %d findings", joins, ambiguous, findings)
	if joins < 1_000 || ambiguous < 1_000 || findings < 1_000 {
		t.Errorf("%d joins, %d ambiguous, %d findings: these worlds try too little", joins, ambiguous, findings)
	}
}

// TestResolverForgetsOrder: the same worlds, in two orders of claims and name
// buckets, give the same, down to details.
func TestResolverForgetsOrder(t *testing.T) {
	for seed := range uint64(3_000) {
		w := anyWorld(seed)
		var all [2]string
		for i := range all {
			got := w.resolve(t, rand.New(rand.NewPCG(seed, uint64(i))))
			for j := range got.Joins() {
				all[i] += fmt.Sprintln(j)
			}
			for sub, ruling := range got.Undecided() {
				all[i] += fmt.Sprintln(sub, ruling)
			}
			for sub := range got.Own() {
				all[i] += fmt.Sprintln(sub)
			}
			for f := range got.Findings() {
				all[i] += fmt.Sprintln(f)
			}
		}
		if diff := cmp.Diff(all[0], all[1]); diff != "" {
			t.Fatalf("seed %d: another order gives another result\n%s", seed, diff)
		}
	}
}

func user(sub userpool.Sub, username string, attributes ...string) userpool.User {
	u := userpool.User{Sub: sub, Username: username, Enabled: true, Status: userpool.StatusConfirmed, Attributes: userpool.Attributes{}}
	for i := 0; i+1 < len(attributes); i += 2 {
		u.Attributes[attributes[i]] = attributes[i+1]
	}
	return u
}

func email(address string) []string { return []string{"email", address, "email_verified", "true"} }
func phone(number string) []string {
	return []string{"phone_number", number, "phone_number_verified", "true"}
}

func TestResolver(t *testing.T) {
	aliases := userpool.Pool{Aliases: []string{"email", "phone_number"}}
	addresses := userpool.Pool{UsernameAttributes: []string{"email"}}
	const a, b = "a@x.yy", "b@x.yy"
	both := slices.Concat(email(a), phone("+15550100"))
	tests := []struct {
		name     string
		pool     userpool.Pool
		staged   []userpool.User
		arrived  []userpool.User
		joins    []names.Join
		findings []verdict.Finding
	}{
		{"by address, however it is written", aliases,
			[]userpool.User{user("s1", "one", email("A@X.yy")...)}, []userpool.User{user("t1", "other", email(a)...)},
			[]names.Join{{"s1", "t1", names.Email}}, nil},
		{"by number", aliases,
			[]userpool.User{user("s1", "one", phone("+15550100")...)}, []userpool.User{user("t1", "other", phone("+15550100")...)},
			[]names.Join{{"s1", "t1", names.Phone}}, nil},
		{"by username", aliases,
			[]userpool.User{user("s1", "Ann")}, []userpool.User{user("t1", "ann")},
			[]names.Join{{"s1", "t1", names.Username}}, nil},
		{"by all: the best is named", aliases,
			[]userpool.User{user("s1", "ann", both...)}, []userpool.User{user("t1", "ann", both...)},
			[]names.Join{{"s1", "t1", names.Email}}, nil},
		{"by address though the target pool has no aliases", userpool.Pool{},
			[]userpool.User{user("s1", "one", email(a)...)}, []userpool.User{user("t1", "other", email(a)...)},
			[]names.Join{{"s1", "t1", names.Email}}, nil},
		{"mail leads to one, number to another", aliases,
			[]userpool.User{user("s1", "one", both...)},
			[]userpool.User{user("t1", "x", email(a)...), user("t2", "y", phone("+15550100")...)},
			nil, []verdict.Finding{
				verdict.NewFinding(verdict.AmbiguousJoin, "", "t1", "email"),
				verdict.NewFinding(verdict.AmbiguousJoin, "", "t2", "phone"),
				verdict.NewFinding(verdict.AmbiguousJoin, "s1", "", "email,phone"),
			}},
		{"a chain of four", aliases,
			[]userpool.User{user("s1", "one", both...), user("s2", "two", phone("+15550102")...)},
			[]userpool.User{user("t1", "x", email(a)...), user("t2", "y", slices.Concat(phone("+15550100"), email(b))...), user("t3", "z", phone("+15550102")...)},
			[]names.Join{{"s2", "t3", names.Phone}}, []verdict.Finding{
				verdict.NewFinding(verdict.AmbiguousJoin, "", "t1", "email"),
				verdict.NewFinding(verdict.AmbiguousJoin, "", "t2", "phone"),
				verdict.NewFinding(verdict.AmbiguousJoin, "s1", "", "email,phone"),
			}},
		{"two at the source, one at the target", aliases,
			[]userpool.User{user("s1", "one", email(a)...), user("s2", "two", email(a)...)}, []userpool.User{user("t1", "x", email(a)...)},
			nil, []verdict.Finding{
				verdict.NewFinding(verdict.AmbiguousJoin, "", "t1", "email"),
				verdict.NewFinding(verdict.AliasCollision, "s1", "", "email"),
				verdict.NewFinding(verdict.AmbiguousJoin, "s1", "", "email"),
				verdict.NewFinding(verdict.AliasCollision, "s2", "", "email"),
				verdict.NewFinding(verdict.AmbiguousJoin, "s2", "", "email"),
			}},
		{"the address is somebody's who has moved, too", aliases,
			[]userpool.User{user("s2", "two", email(a)...)},
			[]userpool.User{user("t1", "one", "email", a, "email_verified", "true", "custom:legacy_sub", "s1"), user("t2", "x", email(a)...)},
			nil, []verdict.Finding{
				verdict.NewFinding(verdict.AmbiguousJoin, "", "t2", "email"),
				verdict.NewFinding(verdict.AmbiguousJoin, "s2", "", "email"),
				verdict.NewFinding(verdict.AliasCollision, "s2", "t1", "email"),
			}},
		{"squatted: the address is the username, and unverified", addresses,
			[]userpool.User{user("s1", "s1", email(a)...)}, []userpool.User{user("t1", "t1", "email", a)},
			nil, []verdict.Finding{verdict.NewFinding(verdict.IdentityTaken, "s1", "t1", "email")}},
		{"an unverified alias takes nothing yet", aliases,
			[]userpool.User{user("s1", "one", email(a)...)}, []userpool.User{user("t1", "x", "email", a)},
			nil, []verdict.Finding{{Kind: verdict.IdentityTaken, Severity: verdict.Warning, SourceSub: "s1", TargetSub: "t1", Detail: "unverified:email"}}},
		{"squatted: the username, with another address", aliases,
			[]userpool.User{user("s1", "ann", email(a)...)}, []userpool.User{user("t1", "ann", email(b)...)},
			nil, []verdict.Finding{verdict.NewFinding(verdict.IdentityTaken, "s1", "t1", "username")}},
		{"squatted: the username, with the right address unverified", aliases,
			[]userpool.User{user("s1", "ann", email(a)...)}, []userpool.User{user("t1", "ann", "email", a)},
			nil, []verdict.Finding{verdict.NewFinding(verdict.IdentityTaken, "s1", "t1", "username")}},
		{"squatted: never confirmed", aliases,
			[]userpool.User{user("s1", "ann")},
			[]userpool.User{func() userpool.User { u := user("t1", "ann"); u.Status = userpool.StatusUnconfirmed; return u }()},
			nil, []verdict.Finding{verdict.NewFinding(verdict.IdentityTaken, "s1", "t1", "username")}},
		{"the username is somebody else's, who is joined", aliases,
			[]userpool.User{user("s1", "ann", email(a)...), user("s2", "two", email(b)...)}, []userpool.User{user("t2", "ann", email(b)...)},
			[]names.Join{{"s2", "t2", names.Email}}, []verdict.Finding{verdict.NewFinding(verdict.AliasCollision, "s1", "t2", "username")}},
		{"usernames that differ in case", aliases,
			[]userpool.User{user("s1", "Ann"), user("s2", "ann")}, nil,
			nil, []verdict.Finding{verdict.NewFinding(verdict.CaseDuplicate, "s1", "", "username"), verdict.NewFinding(verdict.CaseDuplicate, "s2", "", "username")}},
		{"usernames that differ in case, and one has moved", aliases,
			[]userpool.User{user("s2", "ann")}, []userpool.User{user("t1", "Ann", "custom:legacy_sub", "s1")},
			nil, []verdict.Finding{verdict.NewFinding(verdict.CaseDuplicate, "s2", "t1", "username")}},
		{"usernames that the target tells apart", userpool.Pool{CaseSensitive: true},
			[]userpool.User{user("s1", "Ann"), user("s2", "ann")}, []userpool.User{user("t1", "ANN")}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := world{pool: tt.pool, staged: tt.staged, arrived: tt.arrived, fallback: map[userpool.Sub]verdict.Decision{}}
			for _, u := range tt.staged {
				w.fallback[u.Sub] = verdict.Decision{Verdict: verdict.Pending, Reason: verdict.NotSignedIn}
			}
			got := w.resolve(t, rand.New(rand.NewPCG(1, 1)))
			if diff := cmp.Diff(tt.joins, slices.Collect(got.Joins())); diff != "" {
				t.Errorf("joins (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tt.findings, slices.Collect(got.Findings())); diff != "" {
				t.Errorf("findings (-want +got)\n%s", diff)
			}
		})
	}
}

// TestResolverMemory: a user takes at most 48 bytes, however many names they
// have.
func TestResolverMemory(t *testing.T) {
	const users = 300_000
	const each, bucket = 2, 3_000 // claims of a user, users of a bucket
	r := names.NewResolver(userpool.Pool{Aliases: []string{"email", "phone_number"}})
	random := rand.New(rand.NewPCG(1, 2))
	uuid := func() userpool.Sub {
		return userpool.Sub(fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", random.Uint32(), random.Uint32N(1<<16), random.Uint32N(1<<12), random.Uint32N(1<<12), random.Uint64N(1<<48)))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := 0; i < users; i += bucket {
		var claims []names.Claim
		for j := 0; j < bucket; j += 2 {
			s := names.Claim{Side: names.Staged, Sub: uuid(), Fallback: verdict.Pending, Reason: verdict.NotSignedIn}
			a := names.Claim{Side: names.Arrived, Sub: uuid()}
			for k := range each {
				value := fmt.Sprintf("%d-%d", i, j)
				n := names.Name{Kind: names.Kind(k + 1), Value: value, Exact: value, Verified: true, Opens: true}
				s.Name, a.Name = n, n
				claims = append(claims, s, a)
			}
		}
		if err := r.Add(claims); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	bytes := float64(after.HeapAlloc-before.HeapAlloc) / users
	t.Logf("%.1f bytes for each user", bytes)
	if bytes > 48 {
		t.Errorf("%.1f bytes for each user", bytes)
	}
	joins := 0
	for range r.Finish().Joins() {
		joins++
	}
	if joins != users/2 {
		t.Errorf("%d joins", joins)
	}
}
