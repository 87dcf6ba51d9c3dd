package names

import (
	"cmp"
	"slices"
	"strings"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// Resolver decides contested names. It takes the claims of one name bucket at a
// time, in any order of buckets, and keeps about 45 bytes for each unlinked user
// among them, and as much again for each finding.
//
// Two users are joined where a staged and an arrived user, both unlinked, are the
// only ones who have an e-mail address or phone number that is verified on both
// sides; or the only ones who have a username while neither address nor number
// contradicts it. Somebody linked who has the name, too, makes it no proof. All
// names of both have to lead to each other: a user whose names lead to two, and
// all to whom they lead, are findings, and nobody is joined.
//
// A pending user whose name opens the target for somebody else is a finding: see
// verdict.IdentityTaken, AliasCollision and CaseDuplicate.
type Resolver struct {
	pool  userpool.Pool
	store store
}

// NewResolver returns a resolver for names at a target pool.
func NewResolver(pool userpool.Pool) *Resolver { return &Resolver{pool: pool} }

// Add takes all claims of a name bucket: all claims of each name that is in it.
// It sorts them. The error is of kind fault.Internal.
func (r *Resolver) Add(bucket []Claim) error {
	for _, c := range bucket {
		if err := c.check(); err != nil {
			return fault.New(fault.Internal, "resolve names: the claim of %s %w", c.Sub, err)
		}
	}
	slices.SortFunc(bucket, func(a, b Claim) int {
		return cmp.Or(
			cmp.Compare(a.Name.Kind.space(), b.Name.Kind.space()), strings.Compare(a.Name.Value, b.Name.Value),
			cmp.Compare(a.Side, b.Side), cmp.Compare(a.Sub, b.Sub), cmp.Compare(a.Name.Kind, b.Name.Kind), strings.Compare(a.Name.Exact, b.Name.Exact),
		)
	})
	for start := 0; start < len(bucket); {
		end := start + 1
		for end < len(bucket) && shares(bucket[start].Name, bucket[end].Name) {
			end++
		}
		r.group(bucket[start:end])
		start = end
	}
	return nil
}

func shares(a, b Name) bool { return a.Kind.space() == b.Kind.space() && a.Value == b.Value }

// group takes all claims of one name, sorted by side and sub.
func (r *Resolver) group(claims []Claim) {
	for _, c := range claims {
		if !c.Linked {
			r.store.add(entry{self: r.store.ref(c.Side, c.Sub), verdict: codeOf(verdictCodes, c.Fallback), reason: codeOf(reasonCodes, c.Reason)})
		}
	}
	r.join(claims)
	if !r.pool.CaseSensitive {
		r.collide(claims)
		return
	}
	spelled := map[string][]Claim{}
	for _, c := range claims {
		spelled[c.Name.Exact] = append(spelled[c.Name.Exact], c)
	}
	for _, same := range spelled { // in any order: entries are merged by what they are about
		r.collide(same)
	}
}

// join notes whom the name leads to.
func (r *Resolver) join(claims []Claim) {
	byUsername := claims[0].Name.Kind.space() == Username
	var staged, arrived []Claim // unlinked, and proven as far as the kind can be
	linked := false
	for _, c := range claims {
		switch {
		case !byUsername && !c.Name.Verified:
		case c.Linked:
			linked = true
		case c.Side == Staged:
			staged = append(staged, c)
		case !c.Unproven:
			arrived = append(arrived, c)
		}
	}
	staged, arrived = once(staged), once(arrived)
	if byUsername {
		staged, arrived = compatible(staged, arrived)
	}
	if len(staged) == 0 || len(arrived) == 0 {
		return
	}
	kinds := bit(claims[0].Name.Kind.space())
	if len(staged) == 1 && len(arrived) == 1 && !linked {
		s, t := r.store.ref(Staged, staged[0].Sub), r.store.ref(Arrived, arrived[0].Sub)
		r.store.add(entry{self: s, other: t, kinds: kinds})
		r.store.add(entry{self: t, other: s, kinds: kinds})
		return
	}
	for _, c := range slices.Concat(staged, arrived) {
		r.store.add(entry{self: r.store.ref(c.Side, c.Sub), kinds: kinds, flags: isAmbiguous})
	}
}

// once keeps the first claim of each user.
func once(claims []Claim) []Claim {
	return slices.CompactFunc(claims, func(a, b Claim) bool { return a.Sub == b.Sub })
}

// couldBe reports whether the name that two unlinked users share makes it
// possible that they are one person. A preferred username does not: its owner can
// change it at will.
func couldBe(staged, arrived Claim) bool {
	if staged.Name.Kind.space() != Username {
		return staged.Name.Verified && arrived.Name.Verified && !arrived.Unproven
	}
	return staged.Name.Kind == Username && arrived.Name.Kind == Username && !arrived.Unproven && !contradicts(staged, arrived)
}

// compatible keeps those for whom there is somebody on the other side who could
// be the same person.
func compatible(staged, arrived []Claim) (s, t []Claim) {
	fits := make([]bool, len(arrived))
	for _, a := range staged {
		found := false
		for i, b := range arrived {
			if couldBe(a, b) {
				found, fits[i] = true, true
			}
		}
		if found {
			s = append(s, a)
		}
	}
	for i, b := range arrived {
		if fits[i] {
			t = append(t, b)
		}
	}
	return s, t
}

// collide notes who of the pending users is in whose way. The claims are of one
// name as the target tells names apart.
func (r *Resolver) collide(claims []Claim) {
	var waiting, partners, others []Claim // pending; arrived and linked; arrived and not
	for _, c := range claims {
		switch {
		case c.Side == Staged && !c.Linked && c.Fallback == verdict.Pending && c.Name.Opens:
			waiting = append(waiting, c)
		case c.Side == Staged:
		case c.Linked && c.Name.Opens:
			partners = append(partners, c)
		case !c.Linked:
			others = append(others, c)
		}
	}
	if len(waiting) == 0 {
		return
	}
	spelt := spellingsOf(slices.Concat(waiting, partners))
	for _, c := range waiting {
		note := func(kind verdict.FindingKind, target userpool.Sub, flags byte) {
			e := entry{self: r.store.ref(Staged, c.Sub), topic: topicOf(kind, c.Name.Kind), kinds: bit(c.Name.Kind), flags: flags}
			if target != "" {
				e.other = r.store.ref(Arrived, target)
			}
			r.store.add(e)
		}
		if as := spelt.by[c.Name.Exact]; as.users > 1 {
			note(verdict.AliasCollision, as.partner, 0)
		}
		if partner, is := spelt.differently(c); is {
			note(verdict.CaseDuplicate, partner, 0)
		}
		// Whoever could be the same person is joined or ambiguous, and takes nothing.
		for _, open := range []bool{true, false} {
			i := slices.IndexFunc(others, func(other Claim) bool { return other.Name.Opens == open && !couldBe(c, other) })
			if i < 0 {
				continue
			}
			flags := byte(0)
			if open {
				flags = isOpen
			}
			note(verdict.IdentityTaken, others[i].Sub, flags)
			break
		}
	}
}

// spellings are the ways in which users spell a name that the target takes for
// one.
type spellings struct {
	by    map[string]spelling
	pairs int                  // of a user and a spelling
	own   map[userpool.Sub]int // spellings of a staged user
}

type spelling struct {
	users   int
	partner userpool.Sub // an arrived user who has it, the first by sub
}

func spellingsOf(claims []Claim) spellings {
	s := spellings{by: map[string]spelling{}, own: map[userpool.Sub]int{}}
	type pair struct {
		side  Side
		sub   userpool.Sub
		exact string
	}
	seen := make(map[pair]bool, len(claims))
	for _, c := range claims {
		p := pair{c.Side, c.Sub, c.Name.Exact}
		if seen[p] {
			continue
		}
		seen[p] = true
		as := s.by[c.Name.Exact]
		as.users++
		if c.Side == Arrived && (as.partner == "" || c.Sub < as.partner) {
			as.partner = c.Sub
		}
		s.by[c.Name.Exact] = as
		s.pairs++
		if c.Side == Staged {
			s.own[c.Sub]++
		}
	}
	return s
}

// differently reports whether somebody else than a staged user spells the name
// differently, and which arrived user does, the first by sub.
func (s spellings) differently(c Claim) (partner userpool.Sub, is bool) {
	if s.pairs-s.by[c.Name.Exact].users-(s.own[c.Sub]-1) <= 0 {
		return "", false
	}
	for exact, as := range s.by {
		if exact != c.Name.Exact && as.partner != "" && (partner == "" || as.partner < partner) {
			partner = as.partner
		}
	}
	return partner, true
}
