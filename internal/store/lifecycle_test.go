package store

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestExpires: what deletes the run, and what only looks like it.
func TestExpires(t *testing.T) {
	rule := func(change func(*types.LifecycleRule)) []types.LifecycleRule {
		r := types.LifecycleRule{
			Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("runs/")},
			Expiration: &types.LifecycleExpiration{Days: aws.Int32(90)},
		}
		change(&r)
		return []types.LifecycleRule{r}
	}
	tests := map[string]struct {
		change func(*types.LifecycleRule)
		want   bool
	}{
		"as infra sets it": {func(*types.LifecycleRule) {}, true},
		"everything":       {func(r *types.LifecycleRule) { r.Filter.Prefix = nil }, true},
		"no filter":        {func(r *types.LifecycleRule) { r.Filter = nil }, true},
		"on a day":         {func(r *types.LifecycleRule) { r.Expiration = &types.LifecycleExpiration{Date: aws.Time(time.Now())} }, true},
		"off":              {func(r *types.LifecycleRule) { r.Status = types.ExpirationStatusDisabled }, false},
		"another prefix":   {func(r *types.LifecycleRule) { r.Filter.Prefix = aws.String("logs/") }, false},
		"delete markers alone": {func(r *types.LifecycleRule) {
			r.Expiration = &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)}
		}, false},
		"nothing":       {func(r *types.LifecycleRule) { r.Expiration = nil }, false},
		"with a tag":    {func(r *types.LifecycleRule) { r.Filter = &types.LifecycleRuleFilter{Tag: &types.Tag{}} }, false},
		"large objects": {func(r *types.LifecycleRule) { r.Filter.ObjectSizeGreaterThan = aws.Int64(1) }, false},
	}
	for name, tt := range tests {
		if got := expires(rule(tt.change), "runs/r1/"); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
