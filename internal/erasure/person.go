package erasure

import (
	"bytes"
	"slices"

	"poolferry/internal/document"
	"poolferry/internal/userpool"
)

// Person is a user of the source pool, and what else a run calls them by.
type Person struct {
	Sub       userpool.Sub
	Targets   []userpool.Sub // of their users in the target pool, sorted
	Usernames []string       // at the source and at the target, sorted
}

// Digest stands for the person where nothing else may: the SHA-256 of the sub.
// Subs are random, so nobody can find one by trying.
func (p Person) Digest() document.Digest { return DigestOf(p.Sub) }

// DigestOf is Person.Digest of the person of a sub.
func DigestOf(sub userpool.Sub) document.Digest { return document.DigestOf([]byte(sub)) }

// subs are all subs of the person.
func (p Person) subs() []string {
	all := []string{string(p.Sub)}
	for _, sub := range p.Targets {
		all = append(all, string(sub))
	}
	return all
}

func (p Person) hasSub(sub string) bool {
	return sub != "" && (sub == string(p.Sub) || slices.Contains(p.Targets, userpool.Sub(sub)))
}

// add adds what else the person is called by.
func (p *Person) add(target userpool.Sub, usernames ...string) {
	if target != "" && target != p.Sub {
		p.Targets = insert(p.Targets, target)
	}
	for _, name := range usernames {
		if name != "" && !p.hasSub(name) { // a sub that is a username is searched for as a sub
			p.Usernames = insert(p.Usernames, name)
		}
	}
	p.Usernames = slices.DeleteFunc(p.Usernames, p.hasSub)
}

func insert[S ~string](list []S, one S) []S {
	at, there := slices.BinarySearch(list, one)
	if there {
		return list
	}
	return slices.Insert(slices.Clone(list), at, one)
}

// mentioned reports whether a text has one of the person's subs in it.
func (p Person) mentioned(text []byte) bool {
	return slices.ContainsFunc(p.subs(), func(sub string) bool { return indexWord(text, sub, 0) >= 0 })
}

// redact takes the person's subs out of a text.
func (p Person) redact(text string) string {
	for _, sub := range p.subs() {
		for at := indexWord([]byte(text), sub, 0); at >= 0; at = indexWord([]byte(text), sub, at+len(forgotten)) {
			text = text[:at] + forgotten + text[at+len(sub):]
		}
	}
	return text
}

// indexWord returns where a word stands in a text, from an offset on, -1 where it
// does not: sub-1 is not in sub-10.
func indexWord(text []byte, word string, from int) int {
	for from <= len(text)-len(word) && word != "" {
		at := bytes.Index(text[from:], []byte(word))
		if at < 0 {
			return -1
		}
		at += from
		end := at + len(word)
		if (at == 0 || !isWord(text[at-1])) && (end == len(text) || !isWord(text[end])) {
			return at
		}
		from = at + 1
	}
	return -1
}

func isWord(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '-'
}
