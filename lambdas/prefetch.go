package lambdas

import (
	"context"
	"log/slog"
	"sync"

	"poolferry/internal/cognito"
	"poolferry/internal/fault"
	"poolferry/internal/telemetry"
)

// prefetch makes, side by side, the calls that the first sign-in would
// otherwise wait for. Failing is no reason not to start: an init error would
// hide from the audit trail what a failed decision shows there. Only what no
// second try can mend is an error: references to secrets that lead nowhere, or to
// something else.
func prefetch(ctx context.Context, log *slog.Logger, source *cognito.Source, target *cognito.Target, vault *vault) error {
	ctx, cancel := context.WithTimeout(ctx, prefetchLimit)
	defer cancel()
	failed := func(err error) {
		if err != nil {
			log.ErrorContext(ctx, "prefetch failed: the first sign-in tries again",
				telemetry.KeyKind, string(fault.KindOf(err)), telemetry.KeyCode, cognito.Code(err), telemetry.KeyError, err.Error())
		}
	}
	var group sync.WaitGroup
	group.Go(func() { failed(source.Prefetch(ctx)) })
	group.Go(func() {
		_, err := target.Pool(ctx)
		failed(err)
	})
	_, err := vault.open(ctx)
	hopeless := err != nil && fault.KindOf(err) == fault.Invalid && cognito.Code(err) == ""
	if !hopeless {
		failed(err)
		err = nil
	}
	group.Wait()
	return err
}
