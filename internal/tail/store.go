package tail

import (
	"context"

	"poolferry/internal/reconcile"
)

// Store keeps the objects of one run; store.Run says what its methods do. What is
// written once is returned as it stands: of several, the first.
type Store interface {
	ReadBasis(ctx context.Context, id string) (reconcile.Basis, error)
	// ReadLease reads which reconciliation of the run is at work.
	ReadLease(ctx context.Context) (reconcile.Lease, string, error)

	ReadTailLease(ctx context.Context) (reconcile.Lease, string, error)
	SwapTailLease(ctx context.Context, next reconcile.Lease, tag string) (string, error)
	// ListTails returns the ids of imports that have a plan, sorted.
	ListTails(ctx context.Context) ([]string, error)
	WriteTailPlan(ctx context.Context, p Plan) (Plan, error)
	ReadTailPlan(ctx context.Context, id string) (Plan, error)
	LoadTail(ctx context.Context, id string) (State, string, error)
	SwapTail(ctx context.Context, next State, tag string) (string, error)

	WriteTailObject(ctx context.Context, id string, file int, kind Kind, data []byte, count int) (Object, error)
	ReadTailObject(ctx context.Context, o Object) ([]byte, error)
	WriteTailFile(ctx context.Context, f File) (File, error)
	ReadTailFile(ctx context.Context, id string, file int) (File, error)
	WriteTailResults(ctx context.Context, r Results) (Results, error)
	ReadTailResults(ctx context.Context, id string, file int) (Results, error)
}
