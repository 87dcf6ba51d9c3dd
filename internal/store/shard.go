package store

import (
	"context"
	"fmt"
	"iter"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// LoadCheckpoint reads how far a shard has come, and the tag with which it can
// be replaced. The error is of kind fault.NotFound where nothing was begun.
func (r *Run) LoadCheckpoint(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Checkpoint, string, error) {
	key := checkpointKey(of.Generation, shard.ID)
	data, tag, err := r.get(ctx, key)
	if err != nil {
		return manifest.Checkpoint{}, "", err
	}
	c, err := manifest.DecodeCheckpoint(data)
	if err == nil {
		err = c.Of(of, shard)
	}
	return c, tag, r.about(key, err)
}

// SwapCheckpoint replaces the checkpoint that has the tag, and returns the new
// tag; an empty tag stands for no checkpoint. Whoever gets an error of kind
// fault.Conflict was not the first: load it again and go on from there.
func (r *Run) SwapCheckpoint(ctx context.Context, next manifest.Checkpoint, tag string) (string, error) {
	data, err := next.Encode()
	if err != nil {
		return "", err
	}
	return r.swap(ctx, checkpointKey(next.Generation, next.Shard.ID), data, tag)
}

// WritePart stores a part that a manifest.PartWriter has written for the header,
// and returns its reference with the key. A part counts once a checkpoint
// refers to it, not before.
func (r *Run) WritePart(ctx context.Context, h manifest.Header, stored []byte, ref manifest.PartRef) (manifest.PartRef, error) {
	ref.Key = partKey(h, ref.SHA256)
	if int64(len(stored)) != ref.Bytes || manifest.DigestOf(stored) != ref.SHA256 {
		return ref, fault.New(fault.Internal, "write part %s: its reference is not about its bytes", ref.Key)
	}
	// Without a condition: whatever is under this key can only be the same.
	_, err := r.bucket.Put(ctx, r.prefix+ref.Key, stored, Condition{})
	return ref, err
}

// ReadProfiles yields the users of a part; see manifest.ReadProfiles. h is the
// header of the part that a checkpoint or commit refers to. A part that is
// missing is an error of kind fault.Invalid, as one that is damaged is.
func (r *Run) ReadProfiles(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[userpool.User, error] {
	return readPart(ctx, r, h, ref, manifest.ReadProfiles)
}

// ReadMembers yields the memberships of a part; otherwise as ReadProfiles.
func (r *Run) ReadMembers(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[manifest.Member, error] {
	return readPart(ctx, r, h, ref, manifest.ReadMembers)
}

func readPart[L any](
	ctx context.Context, r *Run, h manifest.Header, ref manifest.PartRef,
	read func([]byte, manifest.PartRef, manifest.Header) iter.Seq2[L, error],
) iter.Seq2[L, error] {
	return func(yield func(L, error) bool) {
		var none L
		if key := partKey(h, ref.SHA256); ref.Key != key {
			yield(none, fault.New(fault.Invalid, "part %s%s is referred to where %s%s belongs", r.prefix, ref.Key, r.prefix, key))
			return
		}
		stored, _, err := r.get(ctx, ref.Key)
		if fault.KindOf(err) == fault.NotFound {
			err = fault.New(fault.Invalid, "part %s%s is missing: %w", r.prefix, ref.Key, err)
		}
		if err != nil {
			yield(none, err)
			return
		}
		ref.Key = r.prefix + ref.Key // as an operator finds it
		for l, err := range read(stored, ref, h) {
			if !yield(l, err) {
				return
			}
		}
	}
}

// CommitShard writes the final word on a shard. Where there is one it must be
// about the same parts; the one that stands is returned, with a reference to
// it. Otherwise the error is of kind fault.Conflict.
func (r *Run) CommitShard(ctx context.Context, c manifest.Commit) (manifest.Commit, manifest.DocumentRef, error) {
	data, err := c.Encode()
	if err != nil {
		return c, manifest.DocumentRef{}, err
	}
	key := commitKey(c.Generation, c.Shard.ID)
	standing, err := r.createOnce(ctx, key, data)
	if err != nil {
		return c, manifest.DocumentRef{}, err
	}
	first, err := r.decodeCommit(standing, key, c.Origin, c.Shard)
	if err == nil && !first.Agrees(c) {
		err = fault.New(fault.Conflict, "%s is there and is about other parts", r.prefix+key)
	}
	return first, manifest.DocumentRef{Key: key, SHA256: manifest.DigestOf(standing)}, err
}

// ReadCommit reads the final word on a shard, and returns a reference to it.
func (r *Run) ReadCommit(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Commit, manifest.DocumentRef, error) {
	key := commitKey(of.Generation, shard.ID)
	data, _, err := r.get(ctx, key)
	if err != nil {
		return manifest.Commit{}, manifest.DocumentRef{}, err
	}
	c, err := r.decodeCommit(data, key, of, shard)
	return c, manifest.DocumentRef{Key: key, SHA256: manifest.DigestOf(data)}, err
}

func (r *Run) decodeCommit(data []byte, key string, of manifest.Origin, shard manifest.Shard) (manifest.Commit, error) {
	c, err := manifest.DecodeCommit(data)
	if err == nil {
		err = c.Of(of, shard)
	}
	return c, r.about(key, err)
}

// SweepShard deletes what a committed shard has left behind: parts of dead
// attempts, and parts of executions that were not the first. Nothing reads
// them; they only hold personal data longer than needed. It returns how many
// it deleted.
func (r *Run) SweepShard(ctx context.Context, c manifest.Commit) (deleted int, err error) {
	keep := map[string]bool{
		checkpointKey(c.Generation, c.Shard.ID): true,
		commitKey(c.Generation, c.Shard.ID):     true,
	}
	for _, p := range c.Parts {
		keep[p.Key] = true
	}
	folder := r.prefix + shardFolder(c.Generation, c.Shard.ID)
	for entry, err := range r.bucket.List(ctx, folder) {
		if err != nil {
			return deleted, err
		}
		if keep[entry.Key[len(r.prefix):]] {
			continue
		}
		if err := r.bucket.Delete(ctx, entry.Key); err != nil {
			return deleted, fmt.Errorf("sweep shard %s: %w", c.Shard.ID, err)
		}
		deleted++
	}
	return deleted, nil
}
