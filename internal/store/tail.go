package store

import (
	"context"
	"slices"
	"strings"

	"poolferry/internal/document"
	"poolferry/internal/reconcile"
	"poolferry/internal/tail"
)

var _ tail.Store = (*Run)(nil)

// ReadTailLease reads which import of the run is at work, as ReadLease does of
// reconciliations.
func (r *Run) ReadTailLease(ctx context.Context) (reconcile.Lease, string, error) {
	data, tag, err := r.get(ctx, tailLeaseKey)
	if err != nil {
		return reconcile.Lease{}, "", err
	}
	l, err := reconcile.DecodeLease(data)
	if err == nil {
		err = l.Of(r.id)
	}
	return l, tag, r.about(tailLeaseKey, err)
}

// SwapTailLease replaces the lease that has the tag, as SwapLease does.
func (r *Run) SwapTailLease(ctx context.Context, next reconcile.Lease, tag string) (string, error) {
	data, err := next.Encode()
	if err != nil {
		return "", err
	}
	return r.swap(ctx, tailLeaseKey, data, tag)
}

// ListTails returns the ids of imports that have a plan, sorted.
func (r *Run) ListTails(ctx context.Context) (ids []string, err error) {
	folder := r.prefix + tailsFolder
	for entry, err := range r.bucket.List(ctx, folder) {
		if err != nil {
			return nil, err
		}
		if id, found := strings.CutSuffix(strings.TrimPrefix(entry.Key, folder), "/"+tailPlanName); found && !strings.Contains(id, "/") {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// WriteTailPlan writes the plan of an import.
func (r *Run) WriteTailPlan(ctx context.Context, p tail.Plan) (tail.Plan, error) {
	return writeOnce(ctx, r, tailPlanKey(p.ID), p, r.decodeTailPlan(p.ID))
}

// ReadTailPlan reads the plan of an import.
func (r *Run) ReadTailPlan(ctx context.Context, id string) (tail.Plan, error) {
	return read(ctx, r, tailPlanKey(id), r.decodeTailPlan(id))
}

func (r *Run) decodeTailPlan(id string) func([]byte) (tail.Plan, error) {
	return func(data []byte) (tail.Plan, error) {
		p, err := tail.DecodePlan(data)
		if err == nil {
			err = p.Of(r.id, id)
		}
		return p, err
	}
}

// LoadTail reads how far an import is, and the tag with which that can be
// replaced. The error is of kind fault.NotFound where it was not opened.
func (r *Run) LoadTail(ctx context.Context, id string) (tail.State, string, error) {
	key := tailStateKey(id)
	data, tag, err := r.get(ctx, key)
	if err != nil {
		return tail.State{}, "", err
	}
	s, err := tail.DecodeState(data)
	if err == nil {
		err = s.Of(r.id, id)
	}
	return s, tag, r.about(key, err)
}

// SwapTail replaces the state that has the tag, and returns the new tag; an empty
// tag stands for no state. The error is of kind fault.Conflict for whoever was not
// the first.
func (r *Run) SwapTail(ctx context.Context, next tail.State, tag string) (string, error) {
	data, err := next.Encode()
	if err != nil {
		return "", err
	}
	return r.swap(ctx, tailStateKey(next.ID), data, tag)
}

// WriteTailObject stores an object of a file. It counts once something that is
// written once refers to it.
func (r *Run) WriteTailObject(ctx context.Context, id string, file int, kind tail.Kind, data []byte, count int) (tail.Object, error) {
	sum := document.DigestOf(data)
	o := tail.Object{Stored: reconcile.Stored{Key: tailObjectKey(id, file, string(kind), sum), Bytes: int64(len(data)), SHA256: sum}, Count: count}
	_, err := r.bucket.Put(ctx, r.prefix+o.Key, data, Condition{})
	return o, err
}

// ReadTailObject reads an object of a file. One that is missing is an error of
// kind fault.Invalid, as one that is not what was written.
func (r *Run) ReadTailObject(ctx context.Context, o tail.Object) ([]byte, error) {
	return r.ReadRows(ctx, reconcile.RowsRef{Stored: o.Stored})
}

// WriteTailFile writes the final word on a file.
func (r *Run) WriteTailFile(ctx context.Context, f tail.File) (tail.File, error) {
	return writeOnce(ctx, r, tailFileKey(f.ID, f.File), f, r.decodeTailFile(f.ID, f.File))
}

// ReadTailFile reads the final word on a file.
func (r *Run) ReadTailFile(ctx context.Context, id string, file int) (tail.File, error) {
	return read(ctx, r, tailFileKey(id, file), r.decodeTailFile(id, file))
}

func (r *Run) decodeTailFile(id string, file int) func([]byte) (tail.File, error) {
	return func(data []byte) (tail.File, error) {
		f, err := tail.DecodeFile(data)
		if err == nil {
			err = f.OfImport(r.id, id, file)
		}
		return f, err
	}
}

// WriteTailResults writes the final word on what became of a file.
func (r *Run) WriteTailResults(ctx context.Context, results tail.Results) (tail.Results, error) {
	return writeOnce(ctx, r, tailResultsKey(results.ID, results.File), results, r.decodeTailResults(results.ID, results.File))
}

// ReadTailResults reads the final word on what became of a file.
func (r *Run) ReadTailResults(ctx context.Context, id string, file int) (tail.Results, error) {
	return read(ctx, r, tailResultsKey(id, file), r.decodeTailResults(id, file))
}

func (r *Run) decodeTailResults(id string, file int) func([]byte) (tail.Results, error) {
	return func(data []byte) (tail.Results, error) {
		results, err := tail.DecodeResults(data)
		if err == nil {
			err = results.OfImport(r.id, id, file)
		}
		return results, err
	}
}
