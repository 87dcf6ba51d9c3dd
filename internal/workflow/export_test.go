package workflow

import (
	"context"
	"time"
)

// Looker is what Follow needs of Workflows.
type Looker = looker

// FollowWith is Workflows.Follow, asking somebody else.
func FollowWith(ctx context.Context, l Looker, arn string, interval time.Duration, see func(Execution, []Arrival) error) (Execution, error) {
	return follow(ctx, l, arn, interval, see)
}
