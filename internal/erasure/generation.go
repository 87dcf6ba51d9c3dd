package erasure

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
)

// staged is a generation without the person, and what of it is to be deleted.
type staged struct {
	Generation int
	Manifest   document.Digest // empty where it is not closed
	Lines      int             // that were about the person
	drop       []string        // keys
}

// shardWork is a shard as it is, and as it is to be.
type shardWork struct {
	shard      manifest.Shard
	commit     *manifest.Commit // nil where there is none
	was, now   document.Digest  // of the commit
	checkpoint *manifest.Checkpoint
	tag        string
	parts      map[string]manifest.PartRef // by the keys that were
	changed    bool                        // the checkpoint is another one
	lines      int
}

// forgetStaged takes the person out of a generation. New parts are written beside
// the old ones, then the manifest, then the commits that it speaks of, then the
// checkpoints: whoever is killed on the way finds, called again, in every document
// either what was or what it would write.
func (e *Erasure) forgetStaged(ctx context.Context, h *hold, p Person, g manifest.Generation, keys []string) (staged, error) {
	out := staged{Generation: g.Generation}
	work := make([]shardWork, len(g.Shards))
	for i, shard := range g.Shards {
		var err error
		if work[i], err = e.withoutPerson(ctx, h, p, g.Origin, shard); err != nil {
			return out, fmt.Errorf("generation %d, shard %s: %w", g.Generation, shard.ID, err)
		}
		out.Lines += work[i].lines
	}
	final, err := e.o.Store.ReadManifest(ctx, g.Origin)
	closed := err == nil
	if err != nil && !is(err, fault.NotFound) {
		return out, err
	}
	if closed {
		next, err := nextManifest(final, work)
		if err != nil {
			return out, fmt.Errorf("generation %d: %w", g.Generation, err)
		}
		data, err := next.Encode()
		if err != nil {
			return out, err
		}
		if out.Manifest = document.DigestOf(data); !next.Agrees(final) {
			if err := e.o.Store.ReplaceManifest(ctx, next); err != nil {
				return out, err
			}
		}
	}
	for _, w := range work {
		if w.commit != nil && w.was != w.now {
			if err := e.o.Store.ReplaceCommit(ctx, *w.commit); err != nil {
				return out, err
			}
		}
		if w.changed {
			if _, err := e.o.Store.SwapCheckpoint(ctx, *w.checkpoint, w.tag); err != nil {
				return out, err
			}
		}
	}
	out.drop, err = e.leftBehind(ctx, h, p, work, keys)
	return out, err
}

// withoutPerson reads a shard, and writes the parts that it is to have.
func (e *Erasure) withoutPerson(ctx context.Context, h *hold, p Person, of manifest.Origin, shard manifest.Shard) (w shardWork, err error) {
	w = shardWork{shard: shard, parts: map[string]manifest.PartRef{}}
	removed := map[string]int{} // lines by key of the part
	ids := map[string]map[string]bool{}
	anew := func(header manifest.Header, ref manifest.PartRef) (manifest.PartRef, error) {
		if next, known := w.parts[ref.Key]; known {
			return next, nil
		}
		if err := h.renew(ctx); err != nil {
			return ref, err
		}
		next, gone, err := e.part(ctx, p, header, ref)
		w.parts[ref.Key], ids[ref.Key] = next, map[string]bool{}
		for _, id := range gone {
			ids[ref.Key][id] = true
		}
		removed[ref.Key] = len(gone)
		w.lines += len(gone)
		return next, err
	}
	commit, ref, err := e.o.Store.ReadCommit(ctx, of, shard)
	switch {
	case err == nil:
		next, all := commit, map[string]bool{}
		next.Parts = slices.Clone(commit.Parts)
		for i, part := range commit.Parts {
			if next.Parts[i], err = anew(commit.PartHeader(i), part); err != nil {
				return w, err
			}
			next.Count -= removed[part.Key]
			next.Repeats -= removed[part.Key]
			maps.Copy(all, ids[part.Key])
		}
		next.Repeats += len(all) // of each user, and each membership, the last line is no repeat
		data, err := next.Encode()
		if err != nil {
			return w, err
		}
		w.commit, w.was, w.now = &next, ref.SHA256, document.DigestOf(data)
	case !is(err, fault.NotFound):
		return w, err
	}
	checkpoint, tag, err := e.o.Store.LoadCheckpoint(ctx, of, shard)
	if is(err, fault.NotFound) {
		return w, nil
	}
	if err != nil {
		return w, err
	}
	next := checkpoint
	next.Parts = slices.Clone(checkpoint.Parts)
	for i, part := range checkpoint.Parts {
		if next.Parts[i], err = anew(checkpoint.PartHeader(i), part); err != nil {
			return w, err
		}
		next.Count -= removed[part.Key]
	}
	if f := checkpoint.Failure; f != nil {
		next.Failure = &manifest.Failure{Kind: f.Kind, Reason: p.redact(f.Reason)}
		w.changed = *next.Failure != *f
	}
	w.changed = w.changed || !slices.Equal(next.Parts, checkpoint.Parts)
	if said := (traces{}); checkpoint.State != manifest.Complete {
		// A token that speaks of the person cannot be cleaned: the shard is read again.
		// That is no step of a seeding, so the time stays.
		if newWanted(p, nil).text([]byte(string(checkpoint.Cursor)), said); len(said) > 0 {
			if next, err = next.Restart(checkpoint.Updated); err != nil {
				return w, err
			}
			w.changed = true
		}
	}
	w.checkpoint, w.tag = &next, tag
	return w, nil
}

// part writes a part without the person and returns its reference, and the ids of
// the lines that are gone: none, and the reference that was, where there are none.
func (e *Erasure) part(ctx context.Context, p Person, h manifest.Header, ref manifest.PartRef) (manifest.PartRef, []string, error) {
	stored, _, err := e.o.Store.Read(ctx, ref.Key)
	if is(err, fault.NotFound) { // the bucket lets objects expire, parts before commits
		return ref, nil, nil
	}
	if err == nil && document.DigestOf(stored) != ref.SHA256 {
		err = fault.New(fault.Invalid, "part %s is not what was written: torn, changed or replaced", ref.Key)
	}
	if err != nil {
		return ref, nil, err
	}
	text, err := unzip(ref.Key, stored)
	if err != nil || indexWord(text, string(p.Sub), 0) < 0 {
		return ref, nil, err
	}
	var (
		buf  bytes.Buffer
		gone []string
	)
	w, err := manifest.NewPartWriter(&buf, h)
	if err != nil {
		return ref, nil, err
	}
	if h.Content == manifest.Members {
		for m, err := range e.o.Store.ReadMembers(ctx, h, ref) {
			if err == nil && m.Sub != p.Sub {
				err = w.Member(m)
			} else if err == nil {
				gone = append(gone, m.Group)
			}
			if err != nil {
				return ref, nil, err
			}
		}
	} else {
		for u, err := range e.o.Store.ReadProfiles(ctx, h, ref) {
			if err == nil && u.Sub != p.Sub {
				err = w.Profile(u)
			} else if err == nil {
				gone = append(gone, string(u.Sub))
			}
			if err != nil {
				return ref, nil, err
			}
		}
	}
	if len(gone) == 0 { // somebody else's attribute mentions the person
		return ref, nil, nil
	}
	next, err := w.Close()
	if err == nil {
		next, err = e.o.Store.WritePart(ctx, h, buf.Bytes(), next)
	}
	return next, gone, err
}

// nextManifest is the manifest of the commits that are to be. Of each shard it has
// to have the commit that there is, or that which is to be: any other was changed
// by somebody else.
func nextManifest(m manifest.Manifest, work []shardWork) (manifest.Manifest, error) {
	next := m
	next.Shards = slices.Clone(m.Shards)
	next.Profiles, next.Members = 0, 0
	for i, s := range m.Shards {
		at := slices.IndexFunc(work, func(w shardWork) bool { return w.shard.ID == s.ID })
		if at < 0 || work[at].commit == nil {
			return m, fault.New(fault.Invalid, "the manifest speaks of shard %s, which has no commit", s.ID)
		}
		w := work[at]
		if s.Commit.SHA256 != w.was && s.Commit.SHA256 != w.now {
			return m, fault.New(fault.Invalid, "the commit of shard %s is not what the manifest speaks of: changed by somebody else", s.ID)
		}
		s.Commit.SHA256, s.Parts, s.Count, s.Repeats = w.now, len(w.commit.Parts), w.commit.Count, w.commit.Repeats
		next.Shards[i] = s
		if s.Content == manifest.Profiles {
			next.Profiles += s.Count - s.Repeats
		} else {
			next.Members += s.Count - s.Repeats
		}
	}
	return next, nil
}

// leftBehind are the keys of a generation that are to be deleted: parts that
// nobody refers to any more, and the index, unless it is one of these very
// commits.
func (e *Erasure) leftBehind(ctx context.Context, h *hold, p Person, work []shardWork, keys []string) (drop []string, err error) {
	refers, committed := map[string]bool{}, map[string]bool{}
	commits := map[string]document.Digest{}
	for _, w := range work {
		if w.commit != nil {
			committed[w.shard.ID] = true
			commits[w.shard.ID] = w.now
			for _, part := range w.commit.Parts {
				refers[part.Key] = true
			}
		}
		if w.checkpoint != nil {
			for _, part := range w.checkpoint.Parts {
				refers[part.Key] = true
			}
		}
	}
	var index []string
	fresh, segments := true, map[string]bool{}
	for _, key := range keys {
		if err := h.renew(ctx); err != nil {
			return nil, err
		}
		switch {
		case meansOf(key) == Derived:
			index = append(index, key)
			if strings.HasSuffix(key, ".json") {
				item, object, err := e.indexed(ctx, key)
				if err != nil {
					return nil, err
				}
				fresh = fresh && commits[item.shard] == item.commit
				segments[object] = true
			}
		case strings.HasSuffix(key, ".gz") && !refers[key]:
			// Of a shard that is not committed it may be a part that is being written.
			if gone, err := e.unwanted(ctx, p, key, committed); err != nil {
				return nil, err
			} else if gone {
				drop = append(drop, key)
			}
		}
	}
	for _, key := range index {
		if !fresh || strings.HasSuffix(key, ".seg") && !segments[key] {
			drop = append(drop, key)
		}
	}
	return drop, nil
}

// unwanted reports whether a part that nobody refers to can go.
func (e *Erasure) unwanted(ctx context.Context, p Person, key string, committed map[string]bool) (bool, error) {
	if folders := strings.Split(key, "/"); len(folders) > 2 && committed[folders[2]] {
		return true, nil
	}
	stored, _, err := e.o.Store.Read(ctx, key)
	if is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	text, err := unzip(key, stored)
	return err != nil || p.mentioned(text), nil
}

// indexOf is what an item of an index was made from.
type indexOf struct {
	shard  string
	commit document.Digest
}

// indexed reads what an item of an index was made from, and where its segments
// are. An item that cannot be read was made from nothing.
func (e *Erasure) indexed(ctx context.Context, key string) (from indexOf, segments string, err error) {
	data, _, err := e.o.Store.Read(ctx, key)
	if err != nil {
		return from, "", err
	}
	tree, err := parseTree(data)
	if err != nil {
		return from, "", nil //nolint:nilerr // it goes with the index
	}
	item := tree.member("item")
	from.shard, _ = item.member("shard").member("id").text()
	commit, _ := item.member("commit").member("sha256").text()
	from.commit = document.Digest(commit)
	segments, _ = tree.member("segments").member("key").text()
	return from, segments, nil
}
