// Package erasure takes personal data out of a run for good: one person, who has
// the right to be forgotten, or all that was staged, once the migration is over.
// It knows neither AWS nor what is asked of people; the command line calls Forget,
// Check and Purge.
//
// Vocabulary: a person is a user of the source pool by their sub, and what else
// the run calls them by: the subs of their users in the target pool, and their
// usernames; a trace is a place where the run still says one of these; a kind is
// what all objects of a key pattern are, and its means is how a person is removed
// from them; to redact a line is to leave it where it is, about nobody, for what
// counts lines; a version is what an object is or was, as a bucket with versioning
// keeps it; a receipt is what stays, to show what was erased and when.
//
// Both work while nobody else does: they hold the run's lease. Killed anywhere and
// called again they go on, to the same end.
//
// What is removed by the table of kinds is proved by a search that does not know
// the table: it reads every version of every object of the run, unpacks what is
// packed, and looks for the person.
package erasure

import (
	"context"
	"iter"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/userpool"
)

// Version is a version of an object, or a delete marker.
type Version struct {
	Key    string // relative to the run
	ID     string
	Tag    string
	Bytes  int64
	Latest bool
	Marker bool
}

// Store keeps the objects of one run; store.Erasure says what its methods do. Keys
// are relative to the run.
type Store interface {
	Versions(ctx context.Context) iter.Seq2[Version, error]
	ReadVersion(ctx context.Context, v Version) ([]byte, error)
	DeleteVersion(ctx context.Context, v Version) error

	Read(ctx context.Context, key string) (data []byte, tag string, err error)
	Create(ctx context.Context, key string, data []byte) error
	Replace(ctx context.Context, key string, data []byte, tag string) error
	// Redigested returns the key of an object whose bytes are others now.
	Redigested(key string, stored document.Digest) string

	ReadGeneration(ctx context.Context, generation int) (manifest.Generation, error)
	ReadManifest(ctx context.Context, of manifest.Origin) (manifest.Manifest, error)
	ReplaceManifest(ctx context.Context, m manifest.Manifest) error
	ReadCommit(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Commit, manifest.DocumentRef, error)
	ReplaceCommit(ctx context.Context, c manifest.Commit) error
	LoadCheckpoint(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Checkpoint, string, error)
	SwapCheckpoint(ctx context.Context, next manifest.Checkpoint, tag string) (string, error)
	ReadProfiles(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[userpool.User, error]
	ReadMembers(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[manifest.Member, error]
	WritePart(ctx context.Context, h manifest.Header, stored []byte, ref manifest.PartRef) (manifest.PartRef, error)

	ReadLease(ctx context.Context) (reconcile.Lease, string, error)
	SwapLease(ctx context.Context, next reconcile.Lease, tag string) (string, error)
	ReadBasis(ctx context.Context, id string) (reconcile.Basis, error)
	// Working says in words which work of the run is not done, beside seedings and
	// reconciliations.
	Working(ctx context.Context, now time.Time) ([]string, error)

	ReadNote(ctx context.Context, sub document.Digest) (Note, string, error)
	SwapNote(ctx context.Context, n Note, tag string) error
	WriteReceipt(ctx context.Context, r Receipt) error
	ReadReceipt(ctx context.Context, sub document.Digest) (Receipt, error)
	LoadPurge(ctx context.Context) (PurgeReceipt, string, error)
	SwapPurge(ctx context.Context, r PurgeReceipt, tag string) error
	// EncryptionKeys returns the ids of the keys with which the bucket encrypts.
	EncryptionKeys(ctx context.Context) ([]string, error)
}

// Pool is a user pool that a person must be gone from.
type Pool interface {
	// Find returns the users to whom a username, an address, a number or a sub may
	// belong, by exact match.
	Find(ctx context.Context, name string) ([]userpool.User, error)
}

// Options are what an Erasure needs.
type Options struct {
	Run    string
	By     string // who erases, such as a user and a computer
	Store  Store
	Source Pool // not needed by Purge and Check
	Target Pool // likewise
	// CutOver reports whether the run was cut over; needed by Purge.
	CutOver func(ctx context.Context) (bool, error)
	Tell    func(stage string) // optional: takes what is being done, in words
	Now     func() time.Time
}

// Erasure is the erasing in one run.
type Erasure struct {
	o Options
}

// New returns the erasing in a run. No call is made.
func New(o Options) *Erasure {
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	return &Erasure{o: o}
}

// readers is how many objects are read at a time. Each is in memory as it is
// stored.
const readers = 4

// deleters is how many versions are deleted at a time.
const deleters = 16

func is(err error, kind fault.Kind) bool { return err != nil && fault.KindOf(err) == kind }

// versions lists all versions of the run, by key.
func (e *Erasure) versions(ctx context.Context) (map[string][]Version, error) {
	all := map[string][]Version{}
	for v, err := range e.o.Store.Versions(ctx) {
		if err != nil {
			return nil, err
		}
		all[v.Key] = append(all[v.Key], v)
	}
	return all, nil
}
