package lookup

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/shuffle"
)

// fetches is how many requests are under way at a time.
const fetches = 32

// piece is what an item of the manifest has become: an object of segments, and
// where they are.
type piece struct {
	item   string
	key    string
	footer shuffle.Footer
}

// bytes counts a digest as text, as it is kept.
func (p *piece) bytes() int64 { return 136*int64(len(p.footer.Segments)) + 256 }

// index returns the pieces of the generation, the older lines before the newer.
func (l *Lookup) index(ctx context.Context, e *edition) ([]*piece, error) {
	pieces := make([]*piece, len(e.items))
	err := each(ctx, len(e.items), func(ctx context.Context, n int) (err error) {
		// An item of the same name is another one when its shard was committed anew.
		key := fmt.Sprintf("piece/%d/%s/%s", e.basis.Buckets, e.items[n].ID, e.items[n].Commit.SHA256)
		pieces[n], err = remembered(ctx, l.memory, key, func() (*piece, error) { return l.piece(ctx, e, e.items[n]) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("index of generation %d: %w", e.origin.Generation, err)
	}
	return pieces, nil
}

// each does something for every number below n, some at a time.
func each(ctx context.Context, n int, do func(ctx context.Context, n int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetches)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

func (l *Lookup) piece(ctx context.Context, e *edition, item reconcile.IndexItem) (*piece, error) {
	i, err := l.o.Store.ReadIndexed(ctx, e.origin, e.basis.Buckets, item)
	if err != nil {
		return nil, missing(err)
	}
	nameBuckets := reconcile.NameBuckets(e.basis.Buckets)
	f, err := shuffle.ReadFooter(ctx, l.o.Store.ReadRange, i.Segments.Key, i.Segments.Bytes, i.Segments.Footer, e.basis.Buckets+nameBuckets)
	if err != nil {
		return nil, missing(err)
	}
	if f.Side != shuffle.Staged || f.Buckets != e.basis.Buckets || f.NameBuckets != nameBuckets || i.Target != e.pool.ID {
		return nil, fault.New(fault.Invalid, "segments %s are of another side, other buckets or for another pool: foreign", i.Segments.Key)
	}
	return &piece{item.ID, i.Segments.Key, f}, nil
}

// segment reads a segment of a piece.
func (l *Lookup) segment(ctx context.Context, p *piece, s shuffle.Segment) ([]byte, error) {
	if s.Length == 0 {
		return nil, nil
	}
	stored, err := l.o.Store.ReadRange(ctx, p.key, s.Offset, s.Length)
	if err != nil {
		return nil, missing(err)
	}
	return shuffle.Unpack(p.key, s, stored)
}

// records are the names of a name bucket in one piece, sorted.
type records []names.Record

func (r records) bytes() int64 { return 10*int64(cap(r)) + 64 }

// records returns the names of a name bucket in a piece.
func (l *Lookup) records(ctx context.Context, p *piece, bucket int) (records, error) {
	s := p.footer.NameBucket(bucket)
	if s.Length == 0 {
		return nil, nil
	}
	return remembered(ctx, l.memory, fmt.Sprintf("names/%s/%d", p.key, bucket), func() (records, error) {
		content, err := l.segment(ctx, p, s)
		if err != nil {
			return nil, err
		}
		return shuffle.Names(p.key, s, content)
	})
}

// side reads the staged users of a bucket that some pieces have.
func (l *Lookup) side(ctx context.Context, pieces []*piece, bucket int) (*shuffle.Bucket, error) {
	contents := make([][]byte, len(pieces))
	err := each(ctx, len(pieces), func(ctx context.Context, n int) (err error) {
		contents[n], err = l.segment(ctx, pieces[n], pieces[n].footer.Bucket(bucket))
		return err
	})
	if err != nil {
		return nil, err
	}
	b := shuffle.NewBucket(shuffle.Staged)
	for n, p := range pieces {
		if err := b.Add(p.key, p.footer.Bucket(bucket), contents[n]); err != nil {
			return nil, err
		}
		contents[n] = nil
	}
	return b, nil
}
