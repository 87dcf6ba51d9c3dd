package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// Decisions are what people have decided about users of a run, as opposed to what
// was found out: who need not move, and who was imported. There is one document
// per run, and it moves by compare-and-swap only. A reconciliation goes by the
// decisions that stood when it was opened.
type Decisions struct {
	Version document.V1 `json:"version"`
	Run     string      `json:"run"`
	// Exclude are reasons for which pending users are not to move, beside those of
	// the configuration; in the order of verdict.PendingReasons.
	Exclude []verdict.Reason `json:"exclude"`
	Imports []Import         `json:"imports"` // oldest first
	Updated time.Time        `json:"updated"`
}

// Import are users whom one import has put into the target pool.
type Import struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	Count int       `json:"count"` // users, each once
	Rows  []RowsRef `json:"rows"`  // ImportRow
}

// ImportRow is a user who was imported.
type ImportRow struct {
	Sub userpool.Sub `json:"sub"` // at the source
}

// DecisionStore keeps decisions; store.Run says what its methods do.
type DecisionStore interface {
	ReadDecisions(ctx context.Context) (Decisions, string, error)
	SwapDecisions(ctx context.Context, next Decisions, tag string) (string, error)
	WriteImportRows(ctx context.Context, id string, data []byte, ref RowsRef) (RowsRef, error)
}

// MaxImport is how many users one call of RecordImport takes: as many as one
// import job of Cognito's.
const MaxImport = 500_000

// decisionAttempts is how often somebody else may be first.
const decisionAttempts = 8

// Decisions returns what people have decided; nothing where they have not.
func (r *Reconciliation) Decisions(ctx context.Context) (Decisions, error) {
	d, _, err := r.decisions(ctx)
	return d, err
}

func (r *Reconciliation) decisions(ctx context.Context) (Decisions, string, error) {
	d, tag, err := r.o.Store.ReadDecisions(ctx)
	if is(err, fault.NotFound) {
		return Decisions{Run: r.o.Run, Exclude: []verdict.Reason{}, Imports: []Import{}}, "", nil
	}
	return d, tag, err
}

// Exclude decides for which reasons pending users need not move, beside those of
// the configuration, from the next reconciliation on. It replaces what was decided
// before.
//
// NotSignedIn may be among them here, and not in the configuration. Somebody who
// has seen how many are left may decide that they are not coming; a setting that
// is there from the first day would call every migration complete.
func (r *Reconciliation) Exclude(ctx context.Context, reasons []verdict.Reason) (Decisions, error) {
	exclude := []verdict.Reason{}
	for _, reason := range reasons {
		if !slices.Contains(verdict.PendingReasons(), reason) {
			return Decisions{}, fault.New(fault.Invalid, "exclude %q: pending users have the reasons %v", reason, verdict.PendingReasons())
		}
	}
	for _, reason := range verdict.PendingReasons() {
		if slices.Contains(reasons, reason) {
			exclude = append(exclude, reason)
		}
	}
	d, err := r.decide(ctx, func(d *Decisions) (changed bool, err error) {
		changed = !slices.Equal(d.Exclude, exclude)
		d.Exclude = exclude
		return changed, nil
	})
	if err != nil {
		return d, fmt.Errorf("exclude users of run %s: %w", r.o.Run, err)
	}
	return d, nil
}

// RecordImport records that an import has put users into the target pool, by
// their subs at the source. The id is that of the import: what is recorded under
// it is recorded once, and called again the call changes nothing. The error is of
// kind fault.Conflict where another number of users is recorded under it.
func (r *Reconciliation) RecordImport(ctx context.Context, id string, subs []userpool.Sub) error {
	if err := document.CheckID(id); err != nil {
		return fault.New(fault.Invalid, "record import of run %s: %w", r.o.Run, err)
	}
	subs = slices.Clone(subs)
	slices.Sort(subs)
	subs = slices.Compact(subs)
	switch {
	case len(subs) > MaxImport:
		return fault.New(fault.Invalid, "record import %s: %d users, at most %d", id, len(subs), MaxImport)
	case len(subs) > 0 && subs[0] == "":
		return fault.New(fault.Invalid, "record import %s: a user has no sub", id)
	}
	done, err := r.Decisions(ctx)
	if err != nil {
		return fmt.Errorf("record import %s: %w", id, err)
	}
	if known, err := done.recorded(id, len(subs)); known || err != nil {
		return err
	}
	next := Import{ID: id, At: r.o.Now().UTC(), Count: len(subs)}
	if next.Rows, err = r.importRows(ctx, id, subs); err == nil {
		_, err = r.decide(ctx, func(d *Decisions) (changed bool, err error) {
			known, err := d.recorded(id, len(subs))
			if known || err != nil {
				return false, err
			}
			d.Imports = append(slices.Clone(d.Imports), next)
			return true, nil
		})
	}
	if err != nil {
		return fmt.Errorf("record import %s: %w", id, err)
	}
	return nil
}

// recorded reports whether an import is, of as many users.
func (d Decisions) recorded(id string, count int) (bool, error) {
	i := slices.IndexFunc(d.Imports, func(i Import) bool { return i.ID == id })
	if i < 0 {
		return false, nil
	}
	if d.Imports[i].Count != count {
		return true, fault.New(fault.Conflict, "record import %s: it is recorded with %d users, not with %d", id, d.Imports[i].Count, count)
	}
	return true, nil
}

// importRows writes the rows of an import, by as many buckets as their number is
// worth.
func (r *Reconciliation) importRows(ctx context.Context, id string, subs []userpool.Sub) (refs []RowsRef, err error) {
	put := func(ctx context.Context, _ Rows, data []byte, ref RowsRef) (RowsRef, error) {
		return r.o.Store.WriteImportRows(ctx, id, data, ref)
	}
	of := sheetsFor(len(subs))
	all := make([]sheet, of)
	for bucket := range all {
		all[bucket] = sheet{rows: ImportRows, format: FormatJSONL, bucket: bucket, of: of, put: put}
	}
	for _, sub := range subs {
		if err := all[shuffle.BucketOf(string(sub), of)].add(ctx, ImportRow{sub}); err != nil {
			return nil, err
		}
	}
	refs = []RowsRef{}
	for bucket := range all {
		if err := all[bucket].flush(ctx); err != nil {
			return nil, err
		}
		refs = append(refs, all[bucket].refs...)
	}
	return refs, nil
}

// sheetsFor returns by how many buckets so many users' rows are kept where no
// reconciliation says how many there are.
func sheetsFor(count int) int {
	return min(1<<bits.Len64(uint64(count/sheetUsers)), 64) //nolint:gosec // not negative
}

// decide moves the decisions, unless nothing changes.
func (r *Reconciliation) decide(ctx context.Context, change func(*Decisions) (changed bool, err error)) (Decisions, error) {
	for range decisionAttempts {
		d, tag, err := r.decisions(ctx)
		if err != nil {
			return d, err
		}
		changed, err := change(&d)
		if err != nil || !changed {
			return d, err
		}
		d.Updated = r.o.Now().UTC()
		if _, err = r.o.Store.SwapDecisions(ctx, d, tag); !is(err, fault.Conflict) {
			return d, err
		}
	}
	return Decisions{}, fault.New(fault.Conflict, "others were first %d times: try again", decisionAttempts)
}

// Of returns an error of kind fault.Invalid unless d are the decisions of a run.
func (d Decisions) Of(run string) error {
	if d.Run != run {
		return fault.New(fault.Invalid, "decisions are of run %q, not of %q", d.Run, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (d Decisions) Encode() ([]byte, error) { return document.Encode("decisions", d, d.check) }

// DecodeDecisions reads decisions.
func DecodeDecisions(data []byte) (d Decisions, err error) {
	err = document.Decode("decisions", data, &d, Decisions.check)
	return d, err
}

func (d Decisions) check() error {
	if d.Run == "" || d.Exclude == nil || d.Imports == nil {
		return errors.New("run, exclude or imports are missing")
	}
	for n, i := range d.Imports {
		if err := i.check(); err != nil {
			return fmt.Errorf("imports[%d]: %w", n, err)
		}
		if slices.ContainsFunc(d.Imports[:n], func(other Import) bool { return other.ID == i.ID }) {
			return fmt.Errorf("import %s is there twice", i.ID)
		}
	}
	return errors.Join(checkExclude(d.Exclude), document.CheckTime("updated", d.Updated))
}

func (i Import) check() error {
	if i.Rows == nil {
		return errors.New("rows are missing")
	}
	count := 0
	for _, ref := range i.Rows {
		count += ref.Count
	}
	if count != i.Count {
		return fmt.Errorf("count %d: there are %d rows", i.Count, count)
	}
	return errors.Join(document.CheckID(i.ID), document.CheckTime("at", i.At), checkRows(i.Rows))
}

func checkExclude(reasons []verdict.Reason) error {
	for _, reason := range reasons {
		if !slices.Contains(verdict.PendingReasons(), reason) {
			return fmt.Errorf("exclude: %q is no reason of pending users", reason)
		}
	}
	return nil
}
