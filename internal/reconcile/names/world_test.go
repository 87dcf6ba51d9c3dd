package names_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// world is two small pools.
type world struct {
	pool     userpool.Pool
	staged   []userpool.User
	fallback map[userpool.Sub]verdict.Decision
	arrived  []userpool.User
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func anyPool(r *rand.Rand) userpool.Pool {
	p := userpool.Pool{CaseSensitive: r.IntN(3) == 0}
	if r.IntN(3) == 0 {
		p.UsernameAttributes = pick(r, []string{"email"}, []string{"phone_number"}, []string{"email", "phone_number"})
	} else {
		p.Aliases = pick(r, nil, []string{"email"}, []string{"email", "phone_number"}, []string{"preferred_username"}, []string{"email", "phone_number", "preferred_username"})
	}
	return p
}

// sub makes up the n-th sub of a side: a UUID, or not.
func sub(r *rand.Rand, side string, n int) userpool.Sub {
	if r.IntN(4) == 0 {
		return userpool.Sub(fmt.Sprintf("%s-%d", side, n))
	}
	return userpool.Sub(fmt.Sprintf("%08x-1111-4222-8333-%012x", r.Uint32(), n))
}

func anyone(r *rand.Rand, sub userpool.Sub) userpool.User {
	u := userpool.User{Sub: sub, Enabled: true, Status: pick(r, userpool.StatusConfirmed, userpool.StatusConfirmed, userpool.StatusConfirmed, userpool.StatusUnconfirmed)}
	u.Username = pick(r, string(sub), "ann", "Ann", "bob", "bob", "Kim", "\u212aim", "a@x.yy", "+15550100", fmt.Sprintf("only-%s", sub))
	u.Attributes = userpool.Attributes{}
	for name, values := range map[string][]string{
		"email":                 {"a@x.yy", "A@x.yy", "b@x.yy", " a@x.yy", "c@x.yy", "-", "nothing"},
		"phone_number":          {"+15550100", "+15550101", "+15550102", "-", "-"},
		"email_verified":        {"true", "true", "false"},
		"phone_number_verified": {"true", "true", "-"},
		"preferred_username":    {"ann", "bob", "BOB", "-", "-", "-"},
	} {
		if value := pick(r, values...); value != "-" {
			u.Attributes[name] = value
		}
	}
	return u
}

func anyWorld(seed uint64) world {
	r := rand.New(rand.NewPCG(seed, 3))
	w := world{pool: anyPool(r), fallback: map[userpool.Sub]verdict.Decision{}}
	for i := range r.IntN(6) {
		u := anyone(r, sub(r, "s", i))
		w.staged = append(w.staged, u)
		w.fallback[u.Sub] = pick(r,
			verdict.Decision{Verdict: verdict.Pending, Reason: verdict.NotSignedIn},
			verdict.Decision{Verdict: verdict.Pending, Reason: verdict.Disabled},
			verdict.Decision{Verdict: verdict.Excluded, Reason: verdict.Federated})
	}
	for i := range r.IntN(6) {
		u := anyone(r, sub(r, "t", i))
		switch {
		case len(w.staged) > 0 && r.IntN(4) == 0:
			u.Attributes["custom:legacy_sub"] = string(pick(r, w.staged...).Sub)
		case r.IntN(8) == 0:
			u.Attributes["custom:legacy_sub"] = "gone"
		}
		w.arrived = append(w.arrived, u)
	}
	for _, s := range w.staged {
		for j, t := range w.arrived {
			if t.Attributes["custom:legacy_sub"] == string(s.Sub) {
				w.fallback[s.Sub] = verdict.Decision{Verdict: verdict.Migrated, Reason: verdict.SignedIn, Partner: &w.arrived[j]}
			}
		}
	}
	return w
}

func (w world) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "aliases %v, usernames %v, case-sensitive %v\n", w.pool.Aliases, w.pool.UsernameAttributes, w.pool.CaseSensitive)
	for _, u := range w.staged {
		fmt.Fprintf(&out, "staged  %s %q %v %s\n", u.Sub, u.Username, u.Attributes, w.fallback[u.Sub].Verdict)
	}
	for _, u := range w.arrived {
		fmt.Fprintf(&out, "arrived %s %q %v %s\n", u.Sub, u.Username, u.Attributes, u.Status)
	}
	return out.String()
}

// resolve takes a world all the way: records, contested names, claims, their
// code, name buckets, and the resolver.
func (w world) resolve(t *testing.T, r *rand.Rand) *names.Resolution {
	t.Helper()
	var records []names.Record
	add := func(u userpool.User, identity string) {
		for _, n := range names.Of(u, w.pool) {
			records = append(records, names.RecordOf(n, identity))
		}
	}
	for _, u := range w.staged {
		add(u, string(u.Sub))
	}
	for _, u := range w.arrived {
		add(u, cmp.Or(u.Attributes["custom:legacy_sub"], string(u.Sub)))
	}
	slices.SortFunc(records, func(a, b names.Record) int { return strings.Compare(string(a[:]), string(b[:])) })
	contested, err := names.DecodeContested(names.NewContested(names.Contest(records)).Encode())
	if err != nil {
		t.Fatal(err)
	}
	var claims []names.Claim
	for _, u := range w.staged {
		claims = append(claims, names.StagedClaims(u, w.pool, contested, w.fallback[u.Sub])...)
	}
	for _, u := range w.arrived {
		claims = append(claims, names.ArrivedClaims(u, w.pool, contested)...)
	}
	const buckets = 4
	var data [buckets][]byte
	for _, i := range r.Perm(len(claims)) {
		b := claims[i].Name.Hash() % buckets
		data[b] = claims[i].Append(data[b])
	}
	resolver := names.NewResolver(w.pool)
	for _, b := range r.Perm(buckets) {
		var bucket []names.Claim
		for c, err := range names.ReadClaims(data[b]) {
			if err != nil {
				t.Fatal(err)
			}
			bucket = append(bucket, c)
		}
		if err := resolver.Add(bucket); err != nil {
			t.Fatal(err)
		}
	}
	return resolver.Finish()
}

// The oracle asks the same of every two users, without hashes, claims or
// buckets.

type oracle struct {
	world
	partners  map[userpool.Sub]map[userpool.Sub]names.Kind // by whom a user could be joined: the best kind
	ambiguous map[userpool.Sub]bool
}

func (w world) linkedStaged(u userpool.User) bool { return w.fallback[u.Sub].Partner != nil }
func linkedArrived(u userpool.User) bool          { return u.Attributes["custom:legacy_sub"] != "" }

func isHandle(n names.Name) bool {
	return n.Kind == names.Username || n.Kind == names.PreferredUsername
}

// same reports whether two users' names are one, for a join.
func (w world) same(a, b names.Name) bool {
	switch {
	case isHandle(a) && isHandle(b):
		return w.pool.SameName(a.Exact, b.Exact)
	case a.Kind != b.Kind:
		return false
	}
	return strings.EqualFold(strings.TrimSpace(a.Exact), strings.TrimSpace(b.Exact))
}

// clash reports whether the target takes two users' names for one.
func (w world) clash(a, b names.Name) bool {
	return w.same(a, b) && (!w.pool.CaseSensitive || a.Exact == b.Exact)
}

func (w world) contradict(s, t userpool.User) bool {
	for _, attr := range []string{"email", "phone_number"} {
		a, b := strings.TrimSpace(s.Attributes[attr]), strings.TrimSpace(t.Attributes[attr])
		form := userpool.IsEmail
		if attr == "phone_number" {
			form = userpool.IsPhone
		}
		if form(a) && form(b) && (!strings.EqualFold(a, b) || s.Attributes.Verified(attr) && !t.Attributes.Verified(attr)) {
			return true
		}
	}
	return false
}

// possible reports whether a name that s and t share lets them be one person.
func (w world) possible(s, t userpool.User, a, b names.Name) bool {
	switch {
	case !w.same(a, b) || t.Status == userpool.StatusUnconfirmed:
		return false
	case isHandle(a):
		return a.Kind == names.Username && b.Kind == names.Username && !w.contradict(s, t)
	}
	return a.Verified && b.Verified
}

func (w world) judge() oracle {
	o := oracle{w, map[userpool.Sub]map[userpool.Sub]names.Kind{}, map[userpool.Sub]bool{}}
	for _, s := range w.staged {
		for _, t := range w.arrived {
			if w.linkedStaged(s) || linkedArrived(t) {
				continue
			}
			for _, a := range names.Of(s, w.pool) {
				for _, b := range names.Of(t, w.pool) {
					if !w.possible(s, t, a, b) {
						continue
					}
					if w.crowded(s, t, a) {
						o.ambiguous[s.Sub], o.ambiguous[t.Sub] = true, true
						continue
					}
					o.lead(s.Sub, t.Sub, a.Kind)
					o.lead(t.Sub, s.Sub, a.Kind)
				}
			}
		}
	}
	for who, others := range o.partners {
		if len(others) > 1 {
			o.ambiguous[who] = true
		}
	}
	return o
}

func (o oracle) lead(from, to userpool.Sub, kind names.Kind) {
	if o.partners[from] == nil {
		o.partners[from] = map[userpool.Sub]names.Kind{}
	}
	if best, ok := o.partners[from][to]; !ok || kind < best {
		o.partners[from][to] = kind
	}
}

// crowded reports whether somebody else has the name as well as s and t, so that
// it proves nothing.
func (w world) crowded(s, t userpool.User, n names.Name) bool {
	has := func(u userpool.User) bool {
		return slices.ContainsFunc(names.Of(u, w.pool), func(other names.Name) bool {
			return w.same(n, other) && (isHandle(n) || other.Verified)
		})
	}
	couldBe := func(s, t userpool.User) bool {
		for _, a := range names.Of(s, w.pool) {
			for _, b := range names.Of(t, w.pool) {
				if w.same(n, a) && w.possible(s, t, a, b) {
					return true
				}
			}
		}
		return false
	}
	anybody := func(list []userpool.User, is func(userpool.User) bool) bool { return slices.ContainsFunc(list, is) }
	for _, u := range w.staged {
		switch {
		case u.Sub == s.Sub || !has(u):
		case w.linkedStaged(u), !isHandle(n):
			return true
		case anybody(w.arrived, func(v userpool.User) bool { return !linkedArrived(v) && couldBe(u, v) }):
			return true
		}
	}
	for _, u := range w.arrived {
		switch {
		case u.Sub == t.Sub || !has(u):
		case linkedArrived(u), !isHandle(n) && u.Status != userpool.StatusUnconfirmed:
			return true
		case isHandle(n) && anybody(w.staged, func(v userpool.User) bool { return !w.linkedStaged(v) && couldBe(v, u) }):
			return true
		}
	}
	return false
}

func (o oracle) joined(who userpool.Sub) (userpool.Sub, names.Kind, bool) {
	if o.ambiguous[who] || len(o.partners[who]) != 1 {
		return "", 0, false
	}
	for other, kind := range o.partners[who] {
		return other, kind, !o.ambiguous[other]
	}
	return "", 0, false
}

// findings lists kind and source of the findings that are to be, or kind and
// target of those without a source, sorted.
func (o oracle) findings() []string {
	var all []string
	for _, t := range o.arrived {
		if _, _, is := o.joined(t.Sub); !is && !linkedArrived(t) && (o.ambiguous[t.Sub] || len(o.partners[t.Sub]) > 0) {
			all = append(all, fmt.Sprintf("%s  %s", verdict.AmbiguousJoin, t.Sub))
		}
	}
	for _, s := range o.staged {
		if _, _, is := o.joined(s.Sub); is || o.linkedStaged(s) {
			continue
		}
		if o.ambiguous[s.Sub] || len(o.partners[s.Sub]) > 0 {
			all = append(all, fmt.Sprintf("%s %s", verdict.AmbiguousJoin, s.Sub))
		}
		if o.fallback[s.Sub].Verdict != verdict.Pending {
			continue
		}
		found := map[verdict.FindingKind]bool{}
		for _, a := range names.Of(s, o.pool) {
			if !a.Opens {
				continue
			}
			for _, other := range o.staged {
				for _, b := range names.Of(other, o.pool) {
					if other.Sub != s.Sub && !o.linkedStaged(other) && o.fallback[other.Sub].Verdict == verdict.Pending && b.Opens && o.clash(a, b) {
						found[collision(a, b)] = true
					}
				}
			}
			var open, wanted []userpool.User
			for _, t := range o.arrived {
				for _, b := range names.Of(t, o.pool) {
					switch {
					case !o.clash(a, b):
					case linkedArrived(t):
						if b.Opens {
							found[collision(a, b)] = true
						}
					case o.possible(s, t, a, b):
					case b.Opens:
						open = append(open, t)
					default:
						wanted = append(wanted, t)
					}
				}
			}
			bySub := func(a, b userpool.User) int { return cmp.Compare(a.Sub, b.Sub) }
			slices.SortFunc(open, bySub)
			slices.SortFunc(wanted, bySub)
			// Somebody who turns out to be another source user has the name rightly.
			for i, list := range [][]userpool.User{open, wanted} {
				if len(list) == 0 {
					continue
				}
				_, _, theirs := o.joined(list[0].Sub)
				switch {
				case !theirs:
					found[verdict.IdentityTaken] = true
				case i == 0:
					found[verdict.AliasCollision] = true
				}
				break
			}
		}
		for _, kind := range slices.Sorted(maps.Keys(found)) {
			all = append(all, fmt.Sprintf("%s %s", kind, s.Sub))
		}
	}
	slices.Sort(all)
	return all
}

func collision(a, b names.Name) verdict.FindingKind {
	if a.Exact == b.Exact {
		return verdict.AliasCollision
	}
	return verdict.CaseDuplicate
}
