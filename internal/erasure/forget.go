package erasure

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// subShape is that of subs, as far as they are Cognito's or may stand in a key.
var subShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,127}$`)

// CheckSub returns a plain error unless a sub may be one.
func CheckSub(sub userpool.Sub) error {
	if !subShape.MatchString(string(sub)) {
		return fmt.Errorf("%q is no sub: those have letters, digits and hyphens", sub)
	}
	return nil
}

// ThereError says that a person is still in a pool.
type ThereError struct {
	Where string // source or target
	Sub   userpool.Sub
}

func (t *ThereError) Error() string {
	return fmt.Sprintf("the person is still in the %s pool, as user %s", t.Where, t.Sub)
}

// FoundError says where a person was found after everything was done.
type FoundError struct {
	Traces []Trace
}

func (f *FoundError) Error() string {
	return fmt.Sprintf("%d traces are left, the first in %s", len(f.Traces), f.Traces[0].Key)
}

// Forgotten is what one call of Forget has done.
type Forgotten struct {
	Receipt   Receipt
	Lines     int // of the manifest that were about the person
	Rewritten int // objects of lines
	Edited    int // documents
	Deleted   int // versions and delete markers
}

// Forget takes a person out of the run, for good: out of every generation of the
// manifest, out of what reconciliations, settling and imports have left, and out of
// what the bucket keeps of older versions, of which none is left of anybody. The
// index of the manifest, as far as it was made of other parts, is deleted: the
// next reconciliation makes it anew, and until it has ended nobody can say whose a
// name is. Then every version of every object is searched for the person.
//
// The person must be gone from both pools: otherwise the next seeding brings them
// back. The error is a *ThereError where they are not, a *HeldError or *BusyError
// where other work would be disturbed, a *FoundError where something of them is
// left that Forget cannot decide about, such as what another user's attributes say
// of them. Nothing is changed but where it is a *FoundError.
//
// Killed anywhere and called again it goes on, to the same end.
func (e *Erasure) Forget(ctx context.Context, sub userpool.Sub) (done Forgotten, err error) {
	if err := CheckSub(sub); err != nil {
		return done, fault.New(fault.Invalid, "%w", err)
	}
	h, err := e.take(ctx, fmt.Sprintf("forget-%.12s", DigestOf(sub)))
	if err != nil {
		return done, fmt.Errorf("forget a person of run %s: %w", e.o.Run, err)
	}
	defer h.release(ctx)
	if done, err = e.forget(ctx, h, sub); err != nil {
		err = fmt.Errorf("forget a person of run %s: %w", e.o.Run, err)
	}
	return done, err
}

func (e *Erasure) forget(ctx context.Context, h *hold, sub userpool.Sub) (done Forgotten, err error) {
	e.o.Tell("looking for the person")
	all, err := e.versions(ctx)
	if err != nil {
		return done, err
	}
	p, note, err := e.know(ctx, h, sub, current(all))
	if err != nil {
		return done, err
	}
	e.o.Tell("taking the person out")
	drop, err := e.takeOut(ctx, h, p, current(all), &done)
	if err != nil {
		return done, err
	}
	e.o.Tell("deleting what the bucket keeps of older versions")
	if done.Deleted, err = e.deleteOld(ctx, h, drop); err != nil {
		return done, err
	}
	e.o.Tell("searching every version of every object")
	found, searched, err := e.search(ctx, h, p, nil, noteKey(note.SubSHA256))
	if err != nil {
		return done, err
	}
	if len(found) > 0 {
		return done, &FoundError{found}
	}
	r := &done.Receipt
	r.Run, r.SubSHA256, r.Begun, r.Ended, r.By, r.Searched = e.o.Run, note.SubSHA256, note.Begun, e.o.Now().UTC(), e.o.By, searched
	r.TargetSubsSHA256 = []document.Digest{}
	for _, target := range p.Targets {
		r.TargetSubsSHA256 = append(r.TargetSubsSHA256, DigestOf(target))
	}
	slices.Sort(r.TargetSubsSHA256)
	if err := e.o.Store.WriteReceipt(ctx, *r); err != nil {
		return done, err
	}
	// The note last: without it nobody would know how the person was called.
	return done, e.deleteAll(ctx, func(key string) bool { return key == noteKey(note.SubSHA256) })
}

// noteKey is relative to the run, as store has it.
func noteKey(sub document.Digest) string { return "forgetting/" + string(sub) + ".json" }

// current are the keys of objects that are there, sorted.
func current(all map[string][]Version) (keys []string) {
	for key, versions := range all {
		if slices.ContainsFunc(versions, func(v Version) bool { return v.Latest && !v.Marker }) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// know finds out how the run calls the person, makes sure that both pools do not
// have them, and keeps a note.
func (e *Erasure) know(ctx context.Context, h *hold, sub userpool.Sub, keys []string) (p Person, note Note, err error) {
	p = Person{Sub: sub}
	note, tag, err := e.o.Store.ReadNote(ctx, p.Digest())
	switch {
	case is(err, fault.NotFound):
		note = Note{Run: e.o.Run, SubSHA256: p.Digest(), Begun: e.o.Now().UTC()}
	case err != nil:
		return p, note, err
	}
	for _, target := range note.Targets {
		p.add(target, note.Usernames...)
	}
	p.add("", note.Usernames...)
	known, err := e.discover(ctx, h, &p, keys)
	if err != nil {
		return p, note, err
	}
	if err := e.gone(ctx, p, known); err != nil {
		return p, note, err
	}
	next := note
	next.Targets, next.Usernames = append([]userpool.Sub{}, p.Targets...), append([]string{}, p.Usernames...)
	if tag == "" || !slices.Equal(next.Targets, note.Targets) || !slices.Equal(next.Usernames, note.Usernames) {
		err = e.o.Store.SwapNote(ctx, next, tag)
	}
	return p, next, err
}

// discover reads everything that has lines about users, adds what the person is
// called there, and returns the names by which a pool may know them.
func (e *Erasure) discover(ctx context.Context, h *hold, p *Person, keys []string) (known []string, err error) {
	var mu sync.Mutex
	sub := *p // as it is for all readers
	sub.Targets = nil
	err = e.each(ctx, h, keys, func(ctx context.Context, key string) error {
		means := meansOf(key)
		lines := strings.HasSuffix(key, ".jsonl.gz") && (means == Proved || means == Removed || means == Redacted)
		if !lines {
			return nil
		}
		stored, _, err := e.o.Store.Read(ctx, key)
		if err != nil {
			return err
		}
		text, err := unzip(key, stored)
		if err != nil || !sub.mentioned(text) {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if !sub.mentioned([]byte(line)) {
				continue
			}
			n, err := parseTree([]byte(line))
			if err != nil {
				return fault.New(fault.Invalid, "%s: %w", key, err)
			}
			mu.Lock()
			known = append(known, p.learn(n)...)
			mu.Unlock()
		}
		return nil
	})
	slices.Sort(known)
	return slices.Compact(known), err
}

// duplicate is the kind of findings whose target user is the person's own, too.
const duplicate = "duplicate_target"

// learn adds what a line says of the person, and returns by which names a pool may
// know them.
func (p *Person) learn(n *node) (known []string) {
	text := func(name string) string { s, _ := n.member(name).text(); return s }
	switch string(p.Sub) {
	case text("legacy_sub"):
		p.add(userpool.Sub(text("sub")), text("username"), text("legacy_username"))
	case text("source_sub"):
		if text("kind") == duplicate {
			p.add(userpool.Sub(text("target_sub")))
		}
	case text("sub"):
		p.add("", text("username"))
		for _, name := range []string{"email", "phone_number", "preferred_username"} {
			if value, ok := n.member("attributes").member(name).text(); ok && value != "" {
				known = append(known, value)
			}
		}
	}
	return known
}

// gone makes sure that both pools do not have the person.
func (e *Erasure) gone(ctx context.Context, p Person, known []string) error {
	find := func(pool Pool, name string, is func(userpool.User) bool) (userpool.Sub, error) {
		users, err := pool.Find(ctx, name)
		if i := slices.IndexFunc(users, is); err == nil && i >= 0 {
			return users[i].Sub, nil
		}
		return "", err
	}
	sub, err := find(e.o.Source, string(p.Sub), func(u userpool.User) bool { return u.Sub == p.Sub })
	if err != nil {
		return err
	}
	if sub != "" {
		return &ThereError{"source", sub}
	}
	names := slices.Concat(p.subs()[1:], p.Usernames, known)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		sub, err := find(e.o.Target, name, func(u userpool.User) bool {
			return slices.Contains(p.Targets, u.Sub) || u.Attributes[userpool.AttrLegacySub] == string(p.Sub)
		})
		if err != nil {
			return err
		}
		if sub != "" {
			return &ThereError{"target", sub}
		}
	}
	return nil
}

// takeOut writes everything anew without the person, and returns the keys that are
// to be deleted.
func (e *Erasure) takeOut(ctx context.Context, h *hold, p Person, keys []string, done *Forgotten) (drop map[string]bool, err error) {
	drop = map[string]bool{}
	edits := edit{person: p, moved: map[string]moved{}}
	var mu sync.Mutex
	err = e.each(ctx, h, keys, func(ctx context.Context, key string) error {
		switch means := meansOf(key); means {
		case Removed, Redacted:
			to, changed, err := e.rewrite(ctx, key, means, p)
			if err != nil || !changed {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			edits.moved[key], drop[key] = to, true
			done.Rewritten++
		case Mentioning:
			data, _, err := e.o.Store.Read(ctx, key)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			drop[key] = p.mentioned(data)
		case Bare, Proved, Edited, Derived, Passing:
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = e.each(ctx, h, keys, func(ctx context.Context, key string) error {
		if meansOf(key) != Edited {
			return nil
		}
		data, tag, err := e.o.Store.Read(ctx, key)
		if err != nil {
			return err
		}
		edited, changed, err := edits.document(data)
		if err != nil {
			return fault.New(fault.Invalid, "%s: %w", key, err)
		}
		if !changed {
			return nil
		}
		mu.Lock()
		done.Edited++
		mu.Unlock()
		return e.o.Store.Replace(ctx, key, edited, tag)
	})
	if err != nil {
		return nil, err
	}
	all, err := e.generations(ctx)
	if err != nil {
		return nil, err
	}
	done.Receipt.Generations = []Proof{}
	for _, g := range all {
		folder := fmt.Sprintf("gen-%d/", g.Generation)
		of := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !strings.HasPrefix(key, folder) })
		s, err := e.forgetStaged(ctx, h, p, g, of)
		if err != nil {
			return nil, err
		}
		done.Lines += s.Lines
		if s.Manifest != "" {
			done.Receipt.Generations = append(done.Receipt.Generations, Proof{g.Generation, s.Manifest})
		}
		for _, key := range s.drop {
			drop[key] = true
		}
	}
	return drop, nil
}

// each calls do for every key, some at a time, and keeps the lease.
func (e *Erasure) each(ctx context.Context, h *hold, keys []string, do func(ctx context.Context, key string) error) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for _, key := range keys {
		if inner.Err() != nil {
			break
		}
		if err := h.renew(ctx); err != nil {
			return errors.Join(err, group.Wait())
		}
		group.Go(func() error { return do(inner, key) })
	}
	return group.Wait()
}

// deleteOld deletes the objects of some keys, what nobody needs any more, and all
// versions that are not the latest. It returns how many versions and delete
// markers it deleted.
func (e *Erasure) deleteOld(ctx context.Context, h *hold, drop map[string]bool) (deleted int, err error) {
	all, err := e.versions(ctx)
	if err != nil {
		return 0, err
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(deleters)
	for key, versions := range all {
		if inner.Err() != nil {
			break
		}
		if err := h.renew(ctx); err != nil {
			return deleted, errors.Join(err, group.Wait())
		}
		wholly := drop[key] || meansOf(key) == Passing
		doomed := slices.DeleteFunc(slices.Clone(versions), func(v Version) bool { return v.Latest && !v.Marker && !wholly })
		deleted += len(doomed)
		group.Go(func() error { return e.deleteVersions(inner, doomed) })
	}
	return deleted, group.Wait()
}

// deleteVersions deletes versions of one key. The latest goes last, so that none
// comes back that was hidden.
func (e *Erasure) deleteVersions(ctx context.Context, doomed []Version) error {
	slices.SortStableFunc(doomed, func(a, b Version) int {
		switch {
		case a.Latest == b.Latest:
			return 0
		case a.Latest:
			return 1
		}
		return -1
	})
	for _, v := range doomed {
		if err := e.o.Store.DeleteVersion(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// deleteAll deletes all versions of some keys.
func (e *Erasure) deleteAll(ctx context.Context, doomed func(key string) bool) error {
	all, err := e.versions(ctx)
	if err != nil {
		return err
	}
	for key, versions := range all {
		if doomed(key) {
			if err := e.deleteVersions(ctx, versions); err != nil {
				return err
			}
		}
	}
	return nil
}

// Checked is what Check has found.
type Checked struct {
	Receipt  *Receipt // nil where the person was never forgotten
	Searched Searched
	Traces   []Trace // none where nothing is left
}

// Check searches every version of every object of the run for a person, by their
// sub and what else is given; subs at the target are also known by the receipt. It
// changes nothing. A note about the person is a trace, too.
func (e *Erasure) Check(ctx context.Context, p Person) (out Checked, err error) {
	if err := CheckSub(p.Sub); err != nil {
		return out, fault.New(fault.Invalid, "%w", err)
	}
	var digests []document.Digest
	receipt, err := e.o.Store.ReadReceipt(ctx, p.Digest())
	switch {
	case err == nil:
		out.Receipt, digests = &receipt, receipt.TargetSubsSHA256
	case !is(err, fault.NotFound):
		return out, err
	}
	clean := Person{Sub: p.Sub}
	for _, target := range p.Targets {
		clean.add(target)
	}
	clean.add("", p.Usernames...)
	if out.Traces, out.Searched, err = e.search(ctx, nil, clean, digests, ""); err != nil {
		return out, fmt.Errorf("search run %s for a person: %w", e.o.Run, err)
	}
	if _, _, err := e.o.Store.ReadNote(ctx, p.Digest()); err == nil {
		out.Traces = append(out.Traces, Trace{Key: noteKey(p.Digest()), Latest: true, What: TraceNote})
	} else if !is(err, fault.NotFound) {
		return out, err
	}
	return out, nil
}
