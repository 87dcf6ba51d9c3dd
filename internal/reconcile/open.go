package reconcile

import (
	"context"

	"poolferry/internal/manifest"
)

// OpenStore keeps what Open and Scan read and leave; store.Run says what its
// methods do.
type OpenStore interface {
	ReadPlan(ctx context.Context) (manifest.Plan, manifest.Digest, error)
	LatestGeneration(ctx context.Context) (manifest.Generation, error)
	ReadGeneration(ctx context.Context, generation int) (manifest.Generation, error)
	ReadManifest(ctx context.Context, of manifest.Origin) (manifest.Manifest, error)
	ReadCommit(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Commit, manifest.DocumentRef, error)
	LoadCheckpoint(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Checkpoint, string, error)
	ReadStop(ctx context.Context) (manifest.Stop, error)

	ReadBasis(ctx context.Context, id string) (Basis, error)
	WriteBasis(ctx context.Context, b Basis) (Basis, error)
}
