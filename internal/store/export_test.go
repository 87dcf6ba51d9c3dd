package store

import (
	"context"
	"time"
)

// OpenImpatiently is OpenS3 with short pauses between attempts.
func OpenImpatiently(ctx context.Context, o S3Options) (*S3, error) {
	return open(ctx, o, time.Millisecond)
}
