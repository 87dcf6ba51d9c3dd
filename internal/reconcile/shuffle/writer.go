package shuffle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/userpool"
)

// Writer deals users out into an object. It holds all of them in memory until
// it is closed: end the object by Bytes.
type Writer struct {
	layout Layout
	broken error
	chunks [][]byte
	users  []placed
	names  []names.Record
	bytes  int64
	line   []byte
}

// placed is a line in a chunk.
type placed struct {
	bucket   uint16
	unlinked bool
	chunk    int32
	from, to int32
	identity int32 // length of it, which ends the header of the line
	head     int32 // length of the header
	order    int32
}

const chunkSize = 1 << 20

// NewWriter begins an object. Close it.
func NewWriter(l Layout) *Writer {
	w := &Writer{layout: l}
	if err := l.check(); err != nil {
		w.broken = fault.New(fault.Internal, "write segments: %w", err)
	}
	return w
}

// Add writes one user. Of several lines about one user the last counts. The
// attributes of a staged user are those that the mapping gives. Nothing of u is
// kept.
func (w *Writer) Add(u userpool.User) error {
	if w.broken != nil {
		return w.broken
	}
	identity, linked := w.layout.Side.Identity(u)
	if identity == "" || u.Sub == "" {
		return fault.New(fault.Invalid, "write segments: a user has no sub")
	}
	head := uint64(len(identity)) << 1
	if !linked {
		head |= 1
	}
	line := append(binary.AppendUvarint(w.line[:0], head), identity...)
	p := placed{
		bucket: uint16(BucketOf(identity, w.layout.Buckets)), unlinked: !linked, //nolint:gosec // below MaxBuckets
		identity: int32(len(identity)), head: int32(len(line)), order: int32(len(w.users)), //nolint:gosec // lines are small
	}
	// The length of the rest goes in front of it, in as many bytes as it takes.
	rest := appendUser(line, identity, &u)
	w.line = rest
	p.from = w.room(len(rest) + binary.MaxVarintLen32)
	p.chunk = int32(len(w.chunks) - 1) //nolint:gosec // a chunk is 1 MiB
	chunk := &w.chunks[p.chunk]
	*chunk = append(*chunk, line...)
	*chunk = binary.AppendUvarint(*chunk, uint64(len(rest)-len(line))) //nolint:gosec // not negative
	*chunk = append(*chunk, rest[len(line):]...)
	p.to = int32(len(*chunk)) //nolint:gosec // at most a chunk
	w.users = append(w.users, p)
	w.bytes += int64(p.to - p.from)
	for _, n := range names.Of(u, w.layout.Pool) {
		w.names = append(w.names, names.RecordOf(n, identity))
	}
	return nil
}

// room makes sure that the last chunk takes n bytes and returns its length.
func (w *Writer) room(n int) int32 {
	if last := len(w.chunks) - 1; last < 0 || cap(w.chunks[last])-len(w.chunks[last]) < n {
		w.chunks = append(w.chunks, make([]byte, 0, max(n, chunkSize)))
	}
	return int32(len(w.chunks[len(w.chunks)-1])) //nolint:gosec // at most a chunk
}

// Lines returns how many lines were written.
func (w *Writer) Lines() int { return len(w.users) }

// Bytes returns how many bytes the writer holds: more than the object will have.
func (w *Writer) Bytes() int64 { return w.bytes + int64(len(w.names))*int64(len(names.Record{})) }

// Close returns the object and how many lines it has. The writer is empty
// afterwards.
func (w *Writer) Close() (object []byte, count int, err error) {
	if w.broken != nil {
		return nil, 0, w.broken
	}
	p := packer{footer: Footer{Side: w.layout.Side, Buckets: w.layout.Buckets, NameBuckets: w.layout.NameBuckets}}
	p.out = make([]byte, 0, w.Bytes()/4)
	count = len(w.users)
	if err := w.packUsers(&p); err != nil {
		return nil, 0, err
	}
	w.users, w.chunks, w.bytes = nil, nil, 0
	if err := w.packNames(&p); err != nil {
		return nil, 0, err
	}
	w.names = nil
	object, err = p.close()
	return object, count, err
}

func (w *Writer) packUsers(p *packer) error {
	slices.SortFunc(w.users, func(a, b placed) int {
		if a.bucket != b.bucket {
			return cmp.Compare(a.bucket, b.bucket)
		}
		if a.unlinked != b.unlinked {
			if b.unlinked {
				return -1
			}
			return 1
		}
		if c := bytes.Compare(w.identity(a), w.identity(b)); c != 0 {
			return c
		}
		return cmp.Compare(a.order, b.order)
	})
	next := 0
	for bucket := range w.layout.Buckets {
		first, unlinked := next, 0
		columns := newTable()
		for ; next < len(w.users) && int(w.users[next].bucket) == bucket; next++ {
			u := w.users[next]
			if err := columns.add(w.chunks[u.chunk][u.from:u.to]); err != nil {
				return fault.New(fault.Internal, "write segments: %w", err)
			}
			if u.unlinked {
				unlinked++
			}
		}
		if err := p.add(next-first, unlinked, columns.contents()...); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) identity(p placed) []byte {
	end := p.from + p.head
	return w.chunks[p.chunk][end-p.identity : end]
}

func (w *Writer) packNames(p *packer) error {
	slices.SortFunc(w.names, func(a, b names.Record) int { return bytes.Compare(a[:], b[:]) })
	w.names = slices.Compact(w.names)
	next := 0
	for bucket := range w.layout.NameBuckets {
		first := next
		for next < len(w.names) && NameBucketOf(w.names[next].Hash(), w.layout.NameBuckets) == bucket {
			next++
		}
		if err := p.add(next-first, 0, namesContents(w.names[first:next])...); err != nil {
			return err
		}
	}
	return nil
}
