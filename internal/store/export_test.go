package store

import (
	"context"
	"time"

	"poolferry/internal/account"
)

// OpenImpatiently is OpenS3 with short pauses between attempts.
func OpenImpatiently(ctx context.Context, o S3Options) (*S3, error) {
	return open(ctx, o, account.Limits{Attempt: limits.Attempt, Attempts: limits.Attempts, Backoff: time.Millisecond})
}
