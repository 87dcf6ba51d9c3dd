package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/scan"
	"poolferry/internal/userpool"
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

	ReadLease(ctx context.Context) (Lease, string, error)
	SwapLease(ctx context.Context, next Lease, tag string) (string, error)
	ReadBasis(ctx context.Context, id string) (Basis, error)
	WriteBasis(ctx context.Context, b Basis) (Basis, error)
	WriteItems(ctx context.Context, id, of string, data []byte) (key string, standing []byte, err error)
	ListIndexed(ctx context.Context, generation, buckets int) (map[string]bool, error)
	LoadScan(ctx context.Context, id string, shard manifest.Shard) (Scan, string, error)
	SwapScan(ctx context.Context, next Scan, tag string) (string, error)
	WriteScanPart(ctx context.Context, s Scan, part int, object []byte, ref shuffle.Ref) (shuffle.Ref, error)
}

// OpenInput says which reconciliation to open.
type OpenInput struct {
	Run       string `json:"run"`
	ID        string `json:"id"`        // name of the execution
	Execution string `json:"execution"` // its ARN
}

// OpenOutput says what is to be done. It has all members always.
type OpenOutput struct {
	Run  string `json:"run"`
	ID   string `json:"id"`
	Held bool   `json:"held"` // another reconciliation is at work: nothing was done
	// Holder has the lease: this reconciliation, or the other.
	Holder Holder `json:"holder"`
	// StartSeeding is to be done beside the comparison, which does not wait for it.
	StartSeeding      bool        `json:"start_seeding"`
	SeedingGeneration int         `json:"seeding_generation"` // 0 for the latest
	Index             Items       `json:"index"`
	Scan              Items       `json:"scan"`
	Compare           Items       `json:"compare"`
	Concurrency       Concurrency `json:"concurrency"`
	StagingBucket     string      `json:"staging_bucket"`
	Partial           []string    `json:"partial"` // as the basis says; never null
}

// Holder is who has the lease.
type Holder struct {
	ID    string    `json:"id"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// Items are the items of a Distributed Map: a JSON array in the bucket.
type Items struct {
	Key   string `json:"key"` // from the beginning of the bucket
	Count int    `json:"count"`
}

// Concurrency is how many children of each Distributed Map run at a time.
type Concurrency struct {
	Index   int `json:"index"`
	Scan    int `json:"scan"`
	Compare int `json:"compare"`
}

// Names of lists of items.
const (
	itemsIndex   = "index"
	itemsScan    = "scan"
	itemsCompare = "compare"
)

// indexEntry, scanEntry and compareEntry are items: the inputs of the children.
type indexEntry struct {
	Run  string `json:"run"`
	ID   string `json:"id"`
	Item string `json:"item"`
}

type scanEntry struct {
	Run         string `json:"run"`
	ID          string `json:"id"`
	Shard       string `json:"shard"`
	Concurrency int    `json:"concurrency"`
}

type compareEntry struct {
	Run    string `json:"run"`
	ID     string `json:"id"`
	Bucket int    `json:"bucket"`
}

// Open takes the lease, looks at the seeding, chooses the basis and lists what is
// to be indexed, scanned and compared. Killed anywhere and called again it goes
// on; called by the holder it answers the same. That another reconciliation is at
// work is no error. The error is of kind fault.Invalid where the configuration is
// not that of the run's plan, and fault.Conflict where this reconciliation is
// over, or has lost its lease.
func (r *Reconciliation) Open(ctx context.Context, in OpenInput) (OpenOutput, error) {
	began := r.o.Now()
	if err := r.checkRun(in.Run); err != nil {
		return OpenOutput{}, err
	}
	if err := document.CheckID(in.ID); err != nil {
		return OpenOutput{}, fault.New(fault.Invalid, "open reconciliation: %w", err)
	}
	out, err := r.open(ctx, in)
	if err != nil {
		return OpenOutput{}, fmt.Errorf("open reconciliation %s of run %s: %w", in.ID, in.Run, err)
	}
	r.o.Recorder.RecordStep(ctx, StepRecord{At: began, Step: StepOpen, Took: r.o.Now().Sub(began)})
	return out, nil
}

func (r *Reconciliation) open(ctx context.Context, in OpenInput) (OpenOutput, error) {
	out := OpenOutput{Run: in.Run, ID: in.ID, StagingBucket: r.o.Bucket, Partial: []string{}}
	basis, err := r.o.Store.ReadBasis(ctx, in.ID)
	chosen := err == nil
	switch {
	case chosen && basis.Execution != in.Execution:
		return out, fault.New(fault.Invalid, "the id is that of another execution, %s: start one of another name", basis.Execution)
	case chosen:
		// The lease may be over: whoever has a basis does not take it again.
		if err := r.hold(ctx, in.ID); err != nil {
			return out, err
		}
	case !is(err, fault.NotFound):
		return out, err
	}
	lease, held, err := r.take(ctx, in.ID, in.Execution)
	out.Held, out.Holder = held, Holder{lease.ID, lease.Taken, lease.Until}
	if err != nil || held {
		return out, err
	}
	if !chosen {
		if basis, err = r.choose(ctx, in, lease); err == nil {
			basis, err = r.o.Store.WriteBasis(ctx, basis)
		}
		if is(err, fault.Invalid) || is(err, fault.Denied) {
			// A person has to act, and whoever comes after that is not to wait.
			_ = r.release(ctx, in.ID)
		}
		if err != nil {
			return out, err
		}
	}
	out.StartSeeding, out.SeedingGeneration, out.Partial = basis.Seeding.Start, basis.Seeding.Generation, basis.Partial
	out.Concurrency = Concurrency{Index: r.o.Workers, Scan: min(r.o.Concurrency, len(basis.Target.Shards)), Compare: r.o.Workers}
	return out, r.list(ctx, basis, &out)
}

// choose makes the basis.
func (r *Reconciliation) choose(ctx context.Context, in OpenInput, lease Lease) (Basis, error) {
	b := Basis{
		Run: in.Run, ID: in.ID, Execution: in.Execution, Opened: r.o.Now().UTC(),
		Skipped: []Staged{}, Items: []IndexItem{}, Partial: []string{},
	}
	if err := r.chooseStaged(ctx, &b); err != nil {
		return b, err
	}
	decided, err := r.Decisions(ctx)
	if err != nil {
		return b, err
	}
	b.Exclude = decided.Exclude
	for _, i := range decided.Imports {
		b.Imported = append(b.Imported, i.Rows...)
	}
	if err := r.chooseTarget(ctx, &b, lease.Before); err != nil {
		return b, fmt.Errorf("target pool %s: %w", r.o.Target.ID, err)
	}
	var staged, skipped int64
	if b.Staged != nil {
		staged = b.Staged.Bytes
	}
	for _, s := range b.Skipped {
		skipped += s.Bytes
	}
	for _, item := range b.Items {
		if item.Shard.Content == manifest.Members {
			skipped += item.Bytes
		}
	}
	b.Buckets = bucketsFor(staged, skipped, b.Target.Estimate)
	return b, nil
}

// chooseTarget looks at the target pool and chooses the shards of its scan.
func (r *Reconciliation) chooseTarget(ctx context.Context, b *Basis, before string) error {
	look := scan.Look{
		Directory: r.o.Directory, Shards: r.o.Shards, PerSecond: r.o.PerSecond, Concurrency: r.o.Concurrency, Now: r.o.Now, Random: r.o.Random,
	}
	about, err := look.Describe(ctx)
	if err != nil {
		return err
	}
	var pool userpool.Pool
	err = look.Settings().Do(ctx, func(ctx context.Context) (err error) {
		pool, err = r.o.Pool.Describe(ctx)
		return err
	})
	if err != nil {
		return err
	}
	b.Target = Target{Estimate: about.Users, Pool: poolDocument(pool)}
	if b.Target.Why, err = r.serialSince(ctx, before); err != nil || b.Target.Why != "" {
		b.Target.Shards = scan.Serial()
		return err
	}
	choice, err := look.Choose(ctx, about.Users)
	b.Target.Shards, b.Target.Why = choice.Shards, choice.Why
	return err
}

// serialSince says in a word why prefixes are no use with the target pool, as far
// as the reconciliation before has shown it; empty where it has not. What one has
// found out all those after it go by.
func (r *Reconciliation) serialSince(ctx context.Context, before string) (why string, err error) {
	if before == "" {
		return "", nil
	}
	last, err := r.o.Store.ReadBasis(ctx, before)
	switch {
	case is(err, fault.NotFound):
		return "", nil
	case err != nil:
		return "", err
	case scan.WantsSerial(last.Target.Why) || last.Target.Why == scan.WhyDisagree:
		return last.Target.Why, nil
	case !scan.ByPrefix(last.Target.Shards):
		return "", nil
	}
	all, err := r.scans(ctx, last)
	if err != nil {
		return "", err
	}
	found, complete := 0, true
	for _, at := range all {
		if at.Failure != nil && scan.WantsSerial(at.Failure.Reason) {
			return at.Failure.Reason, nil
		}
		found += at.Count
		complete = complete && at.State == manifest.Complete
	}
	if complete && last.Target.Lacks(found) {
		return scan.WhyDisagree, nil
	}
	return "", nil
}

// list writes the lists of items, or takes those that stand.
func (r *Reconciliation) list(ctx context.Context, b Basis, out *OpenOutput) (err error) {
	done := map[string]bool{}
	for _, g := range b.generations() {
		indexed, err := r.o.Store.ListIndexed(ctx, g.Generation, b.Buckets)
		if err != nil {
			return err
		}
		for item := range indexed {
			done[item] = true
		}
	}
	index, scans, compare := []indexEntry{}, []scanEntry{}, []compareEntry{}
	for _, item := range b.Items {
		if !done[item.ID] {
			index = append(index, indexEntry{b.Run, b.ID, item.ID})
		}
	}
	for _, shard := range b.Target.Shards {
		scans = append(scans, scanEntry{b.Run, b.ID, shard.ID, out.Concurrency.Scan})
	}
	for bucket := range b.Buckets {
		compare = append(compare, compareEntry{b.Run, b.ID, bucket})
	}
	if out.Index, err = r.writeItems(ctx, b.ID, itemsIndex, index); err != nil {
		return err
	}
	if out.Scan, err = r.writeItems(ctx, b.ID, itemsScan, scans); err != nil {
		return err
	}
	out.Compare, err = r.writeItems(ctx, b.ID, itemsCompare, compare)
	return err
}

func (r *Reconciliation) writeItems(ctx context.Context, id, of string, list any) (Items, error) {
	data, err := document.JSON(list)
	if err != nil {
		return Items{}, fault.New(fault.Internal, "write items of %s: %w", of, err)
	}
	key, standing, err := r.o.Store.WriteItems(ctx, id, of, data)
	if err != nil {
		return Items{}, err
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(standing, &entries); err != nil {
		return Items{}, fault.New(fault.Invalid, "%s is no list of items: changed by somebody else", key)
	}
	return Items{Key: key, Count: len(entries)}, nil
}
