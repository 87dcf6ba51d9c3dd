package lambdas

import (
	"context"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/cognito"
	"poolferry/internal/fault"
	"poolferry/internal/telemetry"
)

// prefetch makes, side by side, the calls that the first sign-in would
// otherwise wait for. Failing is no reason not to start: an init error would
// hide from the audit trail what a failed decision shows there.
func prefetch(ctx context.Context, log *slog.Logger, source *cognito.Source, target *cognito.Target) {
	ctx, cancel := context.WithTimeout(ctx, prefetchLimit)
	defer cancel()
	var g errgroup.Group
	g.Go(func() error { return source.Prefetch(ctx) })
	g.Go(func() error {
		_, err := target.Pool(ctx)
		return err
	})
	if err := g.Wait(); err != nil {
		log.ErrorContext(ctx, "prefetch failed: the first sign-in tries again",
			telemetry.KeyKind, string(fault.KindOf(err)), telemetry.KeyCode, cognito.Code(err), telemetry.KeyError, err.Error())
	}
}
