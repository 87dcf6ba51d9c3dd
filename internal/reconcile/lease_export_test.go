package reconcile

import "context"

// Hold is what every step does first.
func (r *Reconciliation) Hold(ctx context.Context, id string) error { return r.hold(ctx, id) }

// Release is what Close does last.
func (r *Reconciliation) Release(ctx context.Context, id string) error { return r.release(ctx, id) }

// ItemsOf slices the n-th shard of a generation.
var ItemsOf = itemsOf

// BucketsFor is how many buckets two sides need.
var BucketsFor = bucketsFor
