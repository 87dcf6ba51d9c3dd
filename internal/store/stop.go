package store

import (
	"context"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
)

// WriteStop sets the run's stop switch. Where it is set already, the one that
// stands stays.
func (r *Run) WriteStop(ctx context.Context, s manifest.Stop) error {
	data, err := s.Encode()
	if err != nil {
		return err
	}
	_, err = r.createOnce(ctx, stopKey, data)
	return err
}

// ReadStop reads the run's stop switch. The error is of kind fault.NotFound
// where it is not set.
func (r *Run) ReadStop(ctx context.Context) (manifest.Stop, error) {
	data, _, err := r.get(ctx, stopKey)
	if err != nil {
		return manifest.Stop{}, err
	}
	s, err := manifest.DecodeStop(data)
	if err == nil && s.Run != r.id {
		err = fault.New(fault.Invalid, "stop switch is of run %q", s.Run)
	}
	return s, r.about(stopKey, err)
}

// ClearStop takes the run's stop switch away; that there is none is no error.
func (r *Run) ClearStop(ctx context.Context) error {
	return r.bucket.Delete(ctx, r.prefix+stopKey)
}

// DeletePart deletes a part that no checkpoint refers to and none can refer to
// any more: its place was taken by another. Nothing else may be deleted, since
// executions that read the same lines write the same key.
func (r *Run) DeletePart(ctx context.Context, ref manifest.PartRef) error {
	return r.bucket.Delete(ctx, r.prefix+ref.Key)
}
