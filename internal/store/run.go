package store

import (
	"bytes"
	"context"
	"fmt"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
)

// Run is one run's objects in a bucket. Its errors have the kinds of package
// fault; NotFound always means that the thing asked for was not written yet.
type Run struct {
	bucket Bucket
	id     string
	prefix string
}

// NewRun returns a run, which need not exist. The id must be valid, as config
// makes sure.
func NewRun(bucket Bucket, id string) *Run {
	return &Run{bucket: bucket, id: id, prefix: runPrefix(id)}
}

// ID returns the run's id.
func (r *Run) ID() string { return r.id }

// WritePlan writes the plan of a run that has none. The error is of kind
// fault.AlreadyExists where there is one, be it the same: read it and see.
func (r *Run) WritePlan(ctx context.Context, p manifest.Plan) (manifest.Digest, error) {
	data, err := p.Encode()
	if err != nil {
		return "", err
	}
	standing, err := r.createOnce(ctx, planKey, data)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(standing, data) {
		return "", fault.New(fault.AlreadyExists, "run %s has a plan already", r.id)
	}
	return manifest.DigestOf(data), nil
}

// ReadPlan reads the plan and its digest.
func (r *Run) ReadPlan(ctx context.Context) (manifest.Plan, manifest.Digest, error) {
	data, _, err := r.get(ctx, planKey)
	if err != nil {
		return manifest.Plan{}, "", err
	}
	p, err := manifest.DecodePlan(data)
	if err == nil && p.Run != r.id {
		err = fault.New(fault.Invalid, "plan is of run %q", p.Run)
	}
	return p, manifest.DigestOf(data), r.about(planKey, err)
}

// OpenGeneration writes the opening of a generation and returns the one that
// stands: of several, the first.
func (r *Run) OpenGeneration(ctx context.Context, g manifest.Generation) (manifest.Generation, error) {
	data, err := g.Encode()
	if err != nil {
		return g, err
	}
	key := generationKey(g.Generation)
	standing, err := r.createOnce(ctx, key, data)
	if err != nil {
		return g, err
	}
	return r.decodeGeneration(standing, key, g.Generation)
}

// ReadGeneration reads the opening of a generation.
func (r *Run) ReadGeneration(ctx context.Context, generation int) (manifest.Generation, error) {
	key := generationKey(generation)
	data, _, err := r.get(ctx, key)
	if err != nil {
		return manifest.Generation{}, err
	}
	return r.decodeGeneration(data, key, generation)
}

func (r *Run) decodeGeneration(data []byte, key string, generation int) (manifest.Generation, error) {
	g, err := manifest.DecodeGeneration(data)
	if err == nil && (g.Run != r.id || g.Generation != generation) {
		err = fault.New(fault.Invalid, "generation is %d of run %q", g.Generation, g.Run)
	}
	return g, r.about(key, err)
}

// LatestGeneration reads the opening of the last generation there is. The error
// is of kind fault.NotFound where there is none.
func (r *Run) LatestGeneration(ctx context.Context) (latest manifest.Generation, err error) {
	for n := 1; ; n++ {
		next, err := r.ReadGeneration(ctx, n)
		if fault.KindOf(err) == fault.NotFound && n > 1 {
			return latest, nil
		}
		if err != nil {
			return latest, err
		}
		latest = next
	}
}

// WriteGroups writes the groups of a generation and returns a reference to
// those that stand: of several lists, the first.
func (r *Run) WriteGroups(ctx context.Context, g manifest.Groups) (manifest.DocumentRef, error) {
	data, err := g.Encode()
	if err != nil {
		return manifest.DocumentRef{}, err
	}
	key := groupsKey(g.Generation)
	standing, err := r.createOnce(ctx, key, data)
	if err != nil {
		return manifest.DocumentRef{}, err
	}
	_, err = r.decodeGroups(standing, key, g.Origin)
	return manifest.DocumentRef{Key: key, SHA256: manifest.DigestOf(standing)}, err
}

// ReadGroups reads the groups of a generation and returns a reference to them.
func (r *Run) ReadGroups(ctx context.Context, of manifest.Origin) (manifest.Groups, manifest.DocumentRef, error) {
	key := groupsKey(of.Generation)
	data, _, err := r.get(ctx, key)
	if err != nil {
		return manifest.Groups{}, manifest.DocumentRef{}, err
	}
	g, err := r.decodeGroups(data, key, of)
	return g, manifest.DocumentRef{Key: key, SHA256: manifest.DigestOf(data)}, err
}

func (r *Run) decodeGroups(data []byte, key string, of manifest.Origin) (manifest.Groups, error) {
	g, err := manifest.DecodeGroups(data)
	if err == nil {
		err = g.Of(of)
	}
	return g, r.about(key, err)
}

// WriteManifest writes the final word on a generation. Where there is one it
// must be about the same commits; the one that stands is returned. Otherwise
// the error is of kind fault.Conflict.
func (r *Run) WriteManifest(ctx context.Context, m manifest.Manifest) (manifest.Manifest, error) {
	data, err := m.Encode()
	if err != nil {
		return m, err
	}
	key := manifestKey(m.Generation)
	standing, err := r.createOnce(ctx, key, data)
	if err != nil {
		return m, err
	}
	first, err := r.decodeManifest(standing, key, m.Origin)
	if err == nil && !first.Agrees(m) {
		err = fault.New(fault.Conflict, "%s is there and is about other commits", r.prefix+key)
	}
	return first, err
}

// ReadManifest reads the final word on a generation.
func (r *Run) ReadManifest(ctx context.Context, of manifest.Origin) (manifest.Manifest, error) {
	key := manifestKey(of.Generation)
	data, _, err := r.get(ctx, key)
	if err != nil {
		return manifest.Manifest{}, err
	}
	return r.decodeManifest(data, key, of)
}

func (r *Run) decodeManifest(data []byte, key string, of manifest.Origin) (manifest.Manifest, error) {
	m, err := manifest.DecodeManifest(data)
	if err == nil {
		err = m.Of(of)
	}
	return m, r.about(key, err)
}

// get reads an object by its key relative to the run.
func (r *Run) get(ctx context.Context, key string) (data []byte, tag string, err error) {
	o, err := r.bucket.Get(ctx, r.prefix+key)
	return o.Body, o.Tag, err
}

// createOnce writes an object that is never written again, and returns what
// stands there: data, or what somebody else wrote before.
func (r *Run) createOnce(ctx context.Context, key string, data []byte) (standing []byte, err error) {
	_, err = r.bucket.Put(ctx, r.prefix+key, data, IfAbsent())
	if fault.KindOf(err) == fault.AlreadyExists {
		standing, _, err = r.get(ctx, key)
		return standing, err
	}
	return data, err
}

// swap replaces the object that has the tag, and returns the new tag; an empty
// tag stands for no object. The error is of kind fault.Conflict for whoever was
// not the first.
func (r *Run) swap(ctx context.Context, key string, data []byte, tag string) (string, error) {
	when := IfAbsent()
	if tag != "" {
		when = IfMatch(tag)
	}
	swapped, err := r.bucket.Put(ctx, r.prefix+key, data, when)
	switch fault.KindOf(err) {
	case fault.AlreadyExists, fault.Conflict:
		// A write whose answer was lost is repeated by the SDK, and meets itself.
		standing, tag, readErr := r.get(ctx, key)
		if readErr == nil && bytes.Equal(standing, data) {
			return tag, nil
		}
		return "", fault.New(fault.Conflict, "swap: somebody else was first: %w", err)
	}
	return swapped, err
}

// about names the object that an error is about; its kind stays.
func (r *Run) about(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", r.prefix+key, err)
}
