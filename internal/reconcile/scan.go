package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/scan"
	"poolferry/internal/userpool"
)

// Scan is how far a shard of the target pool was read, for one reconciliation. It
// is replaced by compare-and-swap only. Once it is complete its parts are final.
type Scan struct {
	Version document.V1    `json:"version"`
	Run     string         `json:"run"`
	ID      string         `json:"id"` // of the reconciliation
	Shard   manifest.Shard `json:"shard"`
	// Attempt counts from 1. A cursor that has expired cannot be renewed: the
	// shard is read again from its beginning, under the next attempt.
	Attempt int               `json:"attempt"`
	State   manifest.State    `json:"state"`
	Cursor  manifest.Cursor   `json:"cursor,omitempty"`
	Parts   []shuffle.Ref     `json:"parts"` // of this attempt, in the order in which they were read
	Count   int               `json:"count"` // lines in all parts
	Failure *manifest.Failure `json:"failure,omitempty"`
	Updated time.Time         `json:"updated"`
}

// NewScan returns the scan of a shard of which nothing was read.
func NewScan(run, id string, shard manifest.Shard, now time.Time) Scan {
	return Scan{Run: run, ID: id, Shard: shard, Attempt: 1, State: manifest.Open, Parts: []shuffle.Ref{}, Updated: now.UTC()}
}

// Advance returns the scan after a batch: its part, if the batch found anybody,
// and the cursor behind its last page. No cursor means that the shard is complete.
func (s Scan) Advance(next manifest.Cursor, now time.Time, parts ...shuffle.Ref) Scan {
	s.Parts = append(append([]shuffle.Ref{}, s.Parts...), parts...)
	for _, p := range parts {
		s.Count += p.Count
	}
	s.Cursor, s.Updated = next, now.UTC()
	if next == "" {
		s.State = manifest.Complete
	}
	return s
}

// Restart returns the scan of the next attempt. Nothing reads the parts of the
// attempts before.
func (s Scan) Restart(now time.Time) Scan {
	next := NewScan(s.Run, s.ID, s.Shard, now)
	next.Attempt = s.Attempt + 1
	return next
}

// Fail returns the scan of a shard that is given up: this reconciliation will
// have nothing to compare with.
func (s Scan) Fail(why manifest.Failure, now time.Time) Scan {
	s.State, s.Failure, s.Updated = manifest.Failed, &why, now.UTC()
	return s
}

// Of returns an error of kind fault.Invalid unless s is the scan of a shard for a
// reconciliation of a run.
func (s Scan) Of(run, id string, shard manifest.Shard) error {
	if s.Run != run || s.ID != id || s.Shard != shard {
		return fault.New(fault.Invalid, "scan is of shard %s for reconciliation %q of run %q, not of %s for %q of %q", s.Shard.ID, s.ID, s.Run, shard.ID, id, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (s Scan) Encode() ([]byte, error) { return document.Encode("scan", s, s.check) }

// DecodeScan reads a scan.
func DecodeScan(data []byte) (s Scan, err error) {
	err = document.Decode("scan", data, &s, Scan.check)
	return s, err
}

func (s Scan) check() error {
	if err := errors.Join(document.CheckID(s.ID), document.CheckTime("updated", s.Updated)); err != nil {
		return err
	}
	switch {
	case s.Run == "" || s.Shard.ID == "" || s.Shard.Content != manifest.Profiles || s.Parts == nil:
		return errors.New("run, shard or parts are missing, or it is no shard of profiles")
	case s.Attempt < 1:
		return fmt.Errorf("attempt %d is below 1", s.Attempt)
	case s.State != manifest.Open && s.State != manifest.Complete && s.State != manifest.Failed:
		return fmt.Errorf("state %q is none of open, complete, failed", s.State)
	case s.State == manifest.Complete && s.Cursor != "":
		return errors.New("it is complete and has a cursor")
	case (s.State == manifest.Failed) != (s.Failure != nil):
		return fmt.Errorf("failure does not go with state %s", s.State)
	case s.State != manifest.Complete && s.Cursor == "" && len(s.Parts) > 0:
		return errors.New("it has parts, no cursor and is not complete")
	}
	count := 0
	for i, p := range s.Parts {
		if err := p.Check(); err != nil {
			return fmt.Errorf("parts[%d]: %w", i, err)
		}
		count += p.Count
	}
	if count != s.Count {
		return fmt.Errorf("count %d: the parts have %d lines", s.Count, count)
	}
	return nil
}

// ScanInput says which shard a batch belongs to.
type ScanInput struct {
	Run         string `json:"run"`
	ID          string `json:"id"`
	Shard       string `json:"shard"`
	Concurrency int    `json:"concurrency,omitempty"` // batches at a time, as Open says; 0 means the configured
}

// ScanOutput says where the shard stands afterwards.
type ScanOutput struct {
	Shard   string `json:"shard"`
	More    bool   `json:"more"`           // there is work for another batch
	Lost    bool   `json:"lost,omitempty"` // another batch moved the shard meanwhile: it is left to that one
	Count   int    `json:"count"`          // lines of the attempt
	Parts   int    `json:"parts"`          // of the attempt
	Attempt int    `json:"attempt"`
	Failed  string `json:"failed,omitempty"` // why the shard was given up, in a word or for an operator
}

// Scan reads the pages of a shard of the target pool that come next, until it
// reaches a limit or the end, writes them as a part and moves the checkpoint.
// Killed anywhere and called again it goes on from the checkpoint. A user who
// comes up twice is in the parts twice; of the lines the later counts.
//
// An error, of kind fault.Throttled or fault.Unavailable, means that nothing at
// all was read and that the same call may work later. What no repetition heals is
// recorded and said in Failed.
func (r *Reconciliation) Scan(ctx context.Context, in ScanInput) (ScanOutput, error) {
	if err := r.checkRun(in.Run); err != nil {
		return ScanOutput{}, err
	}
	if err := r.hold(ctx, in.ID); err != nil {
		return ScanOutput{}, fmt.Errorf("scan shard %s: %w", in.Shard, err)
	}
	basis, err := r.o.Store.ReadBasis(ctx, in.ID)
	if err != nil {
		return ScanOutput{}, err
	}
	shard, ok := basis.Target.Shard(in.Shard)
	if !ok {
		return ScanOutput{}, fault.New(fault.Invalid, "reconciliation %s of run %s has no shard %q", in.ID, in.Run, in.Shard)
	}
	at, err := r.scanned(ctx, in.ID, shard)
	if err == nil && at.State == manifest.Open {
		at, err = r.advance(ctx, basis, at, in.Concurrency)
	}
	if err != nil {
		return ScanOutput{}, fmt.Errorf("scan shard %s: %w", shard.ID, err)
	}
	out := ScanOutput{Shard: shard.ID, More: at.State == manifest.Open && !at.lost, Lost: at.lost, Count: at.Count, Parts: len(at.Parts), Attempt: at.Attempt}
	if at.Failure != nil {
		out.Failed = at.Failure.Reason
	}
	return out, nil
}

// scanned is where a shard stands.
type scanned struct {
	Scan        // a fresh one where nothing was begun
	tag  string // of it, empty where nothing was begun
	lost bool   // somebody else moved it meanwhile
}

func (r *Reconciliation) scanned(ctx context.Context, id string, shard manifest.Shard) (at scanned, err error) {
	at.Scan, at.tag, err = r.o.Store.LoadScan(ctx, id, shard)
	if is(err, fault.NotFound) {
		return scanned{Scan: NewScan(r.o.Run, id, shard, r.o.Now())}, nil
	}
	return at, err
}

// lookups is how many documents are read at a time.
const lookups = 8

// scans returns where each shard of the target stands, in its order.
func (r *Reconciliation) scans(ctx context.Context, b Basis) ([]scanned, error) {
	all := make([]scanned, len(b.Target.Shards))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, shard := range b.Target.Shards {
		group.Go(func() (err error) {
			all[i], err = r.scanned(ctx, b.ID, shard)
			return err
		})
	}
	return all, group.Wait()
}

// advance does the reading and writing of a batch.
func (r *Reconciliation) advance(ctx context.Context, b Basis, at scanned, concurrency int) (scanned, error) {
	began := r.o.Now()
	share := r.share(b, concurrency)
	rate, err := share.Now(ctx)
	if err != nil {
		return at, err
	}
	limits := r.o.Limits.Within(ctx)
	writer := shuffle.NewWriter(b.layout(shuffle.Arrived))
	read, err := scan.Batch[[]userpool.User]{
		From: scan.Users(r.o.Directory, at.Shard), Cursor: at.Cursor, Share: share,
		Patience: scan.NewPatience("user_list", rate, limits.Time, r.o.Now, r.o.Random),
		Take: func(_ context.Context, users []userpool.User) (full bool, err error) {
			for _, u := range users {
				if err := writer.Add(u); is(err, fault.Invalid) {
					return false, &scan.Refusal{Reason: err.Error()} // names no values
				} else if err != nil {
					return false, err
				}
			}
			return writer.Lines() >= limits.Lines || writer.Bytes() >= limits.Bytes, nil
		},
	}.Read(ctx)
	record := StepRecord{At: began, Step: StepScan, Piece: at.Shard.ID, Pages: read.Pages, Throttled: read.Throttled}
	defer func() {
		record.Took = r.o.Now().Sub(began)
		r.o.Recorder.RecordStep(ctx, record)
	}()
	if err != nil {
		return r.endBatch(ctx, at, err)
	}
	parts, err := r.store(ctx, at.Scan, writer)
	if err != nil {
		return at, err
	}
	moved, err := r.swap(ctx, at, at.Advance(read.Next, r.o.Now(), parts...))
	if err == nil && !moved.lost {
		record.Lines = moved.Count - at.Count
	}
	return moved, err
}

// share is what one batch has of the pace.
func (r *Reconciliation) share(b Basis, concurrency int) scan.Share {
	if concurrency <= 0 {
		concurrency = r.o.Concurrency
	}
	return scan.Share{
		PerSecond: r.o.PerSecond, Concurrency: min(concurrency, len(b.Target.Shards)),
		Open: func(ctx context.Context) (open int, err error) {
			all, err := r.scans(ctx, b)
			for _, at := range all {
				if at.State == manifest.Open {
					open++
				}
			}
			return open, err
		},
	}
}

// store writes what a batch has read, if it is anybody, as the next part.
func (r *Reconciliation) store(ctx context.Context, s Scan, writer *shuffle.Writer) ([]shuffle.Ref, error) {
	if writer.Lines() == 0 {
		return nil, nil
	}
	object, count, err := writer.Close()
	if err != nil {
		return nil, err
	}
	ref, err := shuffle.NewRef(object, count)
	if err != nil {
		return nil, err
	}
	ref, err = r.o.Store.WriteScanPart(ctx, s, len(s.Parts), object, ref)
	if err != nil {
		return nil, fmt.Errorf("part %d of attempt %d: %w", len(s.Parts), s.Attempt, err)
	}
	return []shuffle.Ref{ref}, nil
}

// endBatch decides about a batch that has read nothing.
func (r *Reconciliation) endBatch(ctx context.Context, at scanned, err error) (scanned, error) {
	ruling := scan.Judge(err, at.Shard, at.Attempt, at.Cursor)
	switch {
	case ruling.GiveUp != nil:
		return r.swap(ctx, at, at.Fail(*ruling.GiveUp, r.o.Now()))
	case ruling.Restart:
		return r.swap(ctx, at, at.Restart(r.o.Now()))
	}
	return at, err
}

// swap replaces a scan. Where somebody else was first it returns where the shard
// stands now.
func (r *Reconciliation) swap(ctx context.Context, at scanned, next Scan) (scanned, error) {
	tag, err := r.o.Store.SwapScan(ctx, next, at.tag)
	if is(err, fault.Conflict) {
		now, err := r.scanned(ctx, at.ID, at.Shard)
		now.lost = true
		return now, err
	}
	return scanned{Scan: next, tag: tag}, err
}

// tolerance is how much of the users that a pool says to have a scan by prefixes
// may lack: one part in so many, for those who were deleted meanwhile.
const tolerance = 100

// Lacks reports whether a complete scan has found fewer users than the pool has:
// then prefix filters are no use with this pool, though it answers them, and
// whoever is missing would pass for one who has not arrived. A serial scan finds
// what there is. The next reconciliation scans serially.
func (t Target) Lacks(found int) bool {
	return scan.ByPrefix(t.Shards) && (t.Estimate-found)*tolerance > t.Estimate
}
