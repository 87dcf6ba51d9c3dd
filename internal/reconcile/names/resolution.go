package names

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// Resolution is what a Resolver has decided. It gives the same for the same
// claims, whatever their order was.
type Resolution struct {
	store *store
}

// Join is a staged and an unlinked arrived user who are one person.
type Join struct {
	Source, Target userpool.Sub
	By             Kind // Email, Phone or Username: the first of them that proves it
}

// Reason returns the reason of the verdict on a joined user, who is migrated.
func (j Join) Reason() verdict.Reason {
	switch j.By {
	case Email:
		return verdict.JoinedByEmail
	case Phone:
		return verdict.JoinedByPhone
	}
	return verdict.JoinedByUsername
}

// Ruling is what was decided on one unlinked user.
type Ruling struct {
	Verdict verdict.Verdict
	Reason  verdict.Reason
	Partner userpool.Sub // of the other side; empty where nobody was joined
}

// Finish ends the resolver's work and returns what it has decided.
func (r *Resolver) Finish() *Resolution {
	r.store.settle()
	return &Resolution{&r.store}
}

// Joins yields the joins, sorted by the source's sub.
func (r *Resolution) Joins() iter.Seq[Join] {
	return func(yield func(Join) bool) {
		for e := range r.users(Staged) {
			if r.joined(e) && !yield(Join{r.store.sub(e.self), r.store.sub(e.other), e.by()}) {
				return
			}
		}
	}
}

// Undecided yields the unlinked staged users whom nobody joined, with the verdict
// that they fall back on, sorted by sub.
func (r *Resolution) Undecided() iter.Seq2[userpool.Sub, Ruling] {
	return func(yield func(userpool.Sub, Ruling) bool) {
		for e := range r.users(Staged) {
			if !r.joined(e) && !yield(r.store.sub(e.self), r.ruling(e)) {
				return
			}
		}
	}
}

// Own yields the unlinked arrived users whom nobody joined, and who stay
// target-only, sorted by sub.
func (r *Resolution) Own() iter.Seq[userpool.Sub] {
	return func(yield func(userpool.Sub) bool) {
		for e := range r.users(Arrived) {
			if !r.joined(e) && !yield(r.store.sub(e.self)) {
				return
			}
		}
	}
}

// Of returns what was decided on one user, false for somebody who is linked or
// has no contested name.
func (r *Resolution) Of(side Side, sub userpool.Sub) (Ruling, bool) {
	look := store{} // a text that is no UUID must not be remembered here
	e, ok := r.store.find(look.ref(side, sub))
	if !ok {
		return Ruling{}, false
	}
	return r.ruling(e), true
}

func (r *Resolution) ruling(e entry) Ruling {
	switch {
	case r.joined(e):
		return Ruling{verdict.Migrated, Join{By: e.by()}.Reason(), r.store.sub(e.other)}
	case e.self.class&classSide == classArrived:
		return Ruling{Verdict: verdict.TargetOnly, Reason: verdict.Own}
	}
	fallback, _ := ofCode(verdictCodes, e.verdict)
	reason, _ := ofCode(reasonCodes, e.reason)
	return Ruling{Verdict: fallback, Reason: reason}
}

// joined reports whether all names of the user lead to one other, and all of
// theirs back.
func (r *Resolution) joined(e entry) bool {
	if e.other.class == 0 || e.flags&isAmbiguous != 0 {
		return false
	}
	other, ok := r.store.find(e.other)
	return ok && other.flags&isAmbiguous == 0
}

// by returns the kind of name that proves most.
func (e entry) by() Kind {
	for _, kind := range []Kind{Email, Phone} {
		if e.kinds&bit(kind) != 0 {
			return kind
		}
	}
	return Username
}

// Findings yields the findings, sorted by the source's sub, the target's and the
// kind; at most one of each kind about a user. The detail holds the kinds of
// names.
func (r *Resolution) Findings() iter.Seq[verdict.Finding] {
	return func(yield func(verdict.Finding) bool) {
		// Findings without a source come first, as the empty sub does.
		for e := range r.users(Arrived) {
			if r.ambiguous(e) && !yield(verdict.NewFinding(verdict.AmbiguousJoin, "", r.store.sub(e.self), e.words())) {
				return
			}
		}
		for e := range r.users(Staged) {
			for _, f := range r.about(e) {
				if !yield(f) {
					return
				}
			}
		}
	}
}

func (r *Resolution) ambiguous(e entry) bool {
	return !r.joined(e) && (e.flags&isAmbiguous != 0 || e.other.class != 0)
}

// about returns the findings on a staged user. Whoever has arrived is in nobody's
// way; whoever is joined with another user holds the name as a linked one does.
func (r *Resolution) about(e entry) []verdict.Finding {
	if r.joined(e) {
		return nil
	}
	byKind := map[verdict.FindingKind]entry{}
	if r.ambiguous(e) {
		only := e
		if e.flags&isAmbiguous != 0 {
			only.other = ref{}
		}
		byKind[verdict.AmbiguousJoin] = only
	}
	on := r.store.shelves[e.self.id[0]].sorted
	at, _ := slices.BinarySearchFunc(on, entry{self: e.self, topic: 1}, entry.compare)
	for ; at < len(on) && on[at].self == e.self; at++ {
		about := on[at]
		kind, open := kindOf(about.topic), about.flags&isOpen != 0
		if kind == verdict.IdentityTaken {
			if holder, ok := r.store.find(about.other); ok && r.joined(holder) {
				if !open {
					continue
				}
				kind = verdict.AliasCollision
			}
		}
		already, is := byKind[kind]
		switch {
		case !is || kind == verdict.IdentityTaken && open && already.flags&isOpen == 0:
			byKind[kind] = about
		case kind == verdict.IdentityTaken && !open && already.flags&isOpen != 0:
		default:
			already.merge(about)
			byKind[kind] = already
		}
	}
	found := make([]verdict.Finding, 0, len(byKind))
	for kind, about := range byKind {
		f := verdict.NewFinding(kind, r.store.sub(e.self), r.store.sub(about.other), about.words())
		if kind == verdict.IdentityTaken && about.flags&isOpen == 0 {
			// The trigger is still called; the name is taken once it is verified.
			f.Severity, f.Detail = verdict.Warning, "unverified:"+f.Detail
		}
		found = append(found, f)
	}
	slices.SortFunc(found, func(a, b verdict.Finding) int {
		return cmp.Or(strings.Compare(string(a.TargetSub), string(b.TargetSub)), strings.Compare(string(a.Kind), string(b.Kind)))
	})
	return found
}

// words lists the kinds of names.
func (e entry) words() string {
	var words []string
	for kind := Email; kind <= PreferredUsername; kind++ {
		if e.kinds&bit(kind) != 0 {
			words = append(words, kind.String())
		}
	}
	return strings.Join(words, ",")
}

// users yields the unlinked users of a side, sorted by sub. Those whose sub is a
// UUID are sorted as they are; the others are merged in.
func (r *Resolution) users(side Side) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		class := byte(classStaged)
		if side == Arrived {
			class = classArrived
		}
		var texts []entry
		for i := range r.store.shelves {
			for _, e := range r.store.shelves[i].sorted {
				if e.topic == 0 && e.self.class == class|classText {
					texts = append(texts, e)
				}
			}
		}
		slices.SortFunc(texts, func(a, b entry) int { return cmp.Compare(r.store.sub(a.self), r.store.sub(b.self)) })
		for i := range r.store.shelves {
			for _, e := range r.store.shelves[i].sorted {
				if e.topic != 0 || e.self.class != class {
					continue
				}
				for len(texts) > 0 && r.store.sub(texts[0].self) < r.store.sub(e.self) {
					if !yield(texts[0]) {
						return
					}
					texts = texts[1:]
				}
				if !yield(e) {
					return
				}
			}
		}
		for _, e := range texts {
			if !yield(e) {
				return
			}
		}
	}
}
