package lookup

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
)

// Buckets returns into how many buckets users are dealt. Give Options.ID where
// the number is to hold for longer than a moment.
func (l *Lookup) Buckets(ctx context.Context) (int, error) {
	e, err := l.current(ctx)
	if err != nil {
		return 0, err
	}
	return e.basis.Buckets, nil
}

// Users yields the users of a bucket who were staged and had not arrived, pending
// or excluded, with what was staged of them, sorted by sub. The bucket is in
// memory as a whole: 32 MiB of both sides at most, as the reconciliation made it.
// An error is the last that is yielded.
func (l *Lookup) Users(ctx context.Context, bucket int) iter.Seq2[reconcile.PendingUser, error] {
	return func(yield func(reconcile.PendingUser, error) bool) {
		if err := l.users(ctx, bucket, func(u reconcile.PendingUser) bool { return yield(u, nil) }); err != nil {
			yield(reconcile.PendingUser{}, fmt.Errorf("users of bucket %d: %w", bucket, err))
		}
	}
}

func (l *Lookup) users(ctx context.Context, bucket int, yield func(reconcile.PendingUser) bool) error {
	e, err := l.current(ctx)
	if err != nil {
		return err
	}
	if bucket < 0 || bucket >= e.basis.Buckets {
		return fault.New(fault.Invalid, "reconciliation %s has %d buckets", e.summary.ID, e.basis.Buckets)
	}
	rows, err := l.pending(ctx, e, bucket)
	if err != nil || len(rows) == 0 {
		return err
	}
	pieces, err := l.index(ctx, e)
	if err != nil {
		return err
	}
	side, err := l.side(ctx, pieces, bucket)
	if err != nil {
		return err
	}
	walk := side.Linked()
	for _, row := range rows {
		sub, ok := walk.Identity()
		for ; ok && string(sub) < string(row.Sub); sub, ok = walk.Identity() {
			walk.Skip()
		}
		if !ok || string(sub) != string(row.Sub) {
			return fault.New(fault.Invalid, "user %s is %s and not staged: the rows are of another generation", row.Sub, row.Verdict)
		}
		users, err := walk.Next()
		if err != nil {
			return err
		}
		if !yield(reconcile.PendingUser{PendingRow: row, User: users[0]}) {
			return nil
		}
	}
	return nil
}

// pending returns the rows of a bucket's staged users, sorted by sub.
func (l *Lookup) pending(ctx context.Context, e *edition, bucket int) (all []reconcile.PendingRow, err error) {
	for _, ref := range e.rows[bucket] {
		rows, err := l.rows(ctx, ref)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if row.Verdict != verdict.MissingInSource && shuffle.BucketOf(string(row.Sub), e.basis.Buckets) == bucket {
				all = append(all, row)
			}
		}
	}
	slices.SortFunc(all, func(a, b reconcile.PendingRow) int { return strings.Compare(string(a.Sub), string(b.Sub)) })
	return all, nil
}
