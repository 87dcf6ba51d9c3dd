package seeding

import (
	"context"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
)

// Stop sets the run's stop switch: batches that are under way end, and no other
// begins, whichever execution it belongs to.
func (s *Seeding) Stop(ctx context.Context, by string) error {
	return s.o.Store.WriteStop(ctx, manifest.Stop{Run: s.o.Run, Stopped: s.o.Now().UTC(), StoppedBy: by})
}

// Start takes the run's stop switch away, if it is set. It starts no execution.
func (s *Seeding) Start(ctx context.Context) error { return s.o.Store.ClearStop(ctx) }

// stopped reports whether the stop switch is set.
func (s *Seeding) stopped(ctx context.Context) (bool, error) {
	_, err := s.o.Store.ReadStop(ctx)
	if is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
