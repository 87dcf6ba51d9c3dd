package lookup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// identity stands for a sub: 64 bits of its hash. The first four bytes are those
// that a names.Record has of it. That two of ten million users have the same and
// are in one bucket has a probability of one in a hundred million, and nobody can
// bring it about: Cognito makes subs.
type identity [8]byte

func identityOf(sub string) identity {
	sum := sha256.Sum256([]byte(sub))
	return identity(sum[4:12])
}

// shelf are rows of users who have not arrived, 16 bytes each. Sets of groups are
// few, and kept once.
type shelf struct {
	rows   []row // by identity
	groups [][]string
	texts  int64 // bytes of groups
}

type row struct {
	identity identity
	groups   uint32 // place in groups, from 1 on; 0 is none
	verdict  uint8  // places in the lists of package verdict
	reason   uint8
}

var (
	verdicts = verdict.Verdicts()
	reasons  = verdict.Reasons()
)

func newShelf(rows []reconcile.PendingRow) (*shelf, error) {
	s := &shelf{rows: make([]row, 0, len(rows))}
	sets := map[string]uint32{}
	for _, r := range rows {
		v, why := slices.Index(verdicts, r.Verdict), slices.Index(reasons, r.Reason)
		if v < 0 || why < 0 {
			return nil, fault.New(fault.Invalid, "user %s is %q because of %q, which this poolferry does not know", r.Sub, r.Verdict, r.Reason)
		}
		short := row{identity: identityOf(string(r.Sub)), verdict: uint8(v), reason: uint8(why)} //nolint:gosec // the lists are short
		if len(r.Groups) > 0 {
			key := strings.Join(r.Groups, "\x00")
			set, ok := sets[key]
			if !ok {
				s.groups = append(s.groups, r.Groups)
				s.texts += int64(len(key)) + 16*int64(len(r.Groups))
				set = uint32(len(s.groups)) //nolint:gosec // at most as many as rows
				sets[key] = set
			}
			short.groups = set
		}
		s.rows = append(s.rows, short)
	}
	slices.SortFunc(s.rows, func(a, b row) int { return bytes.Compare(a.identity[:], b.identity[:]) })
	return s, nil
}

func (s *shelf) bytes() int64 { return 16*int64(cap(s.rows)) + 24*int64(cap(s.groups)) + s.texts + 96 }

// find returns the row of a sub.
func (s *shelf) find(sub userpool.Sub) (reconcile.PendingRow, bool) {
	at, ok := slices.BinarySearchFunc(s.rows, identityOf(string(sub)), func(r row, want identity) int {
		return bytes.Compare(r.identity[:], want[:])
	})
	if !ok {
		return reconcile.PendingRow{}, false
	}
	short := s.rows[at]
	found := reconcile.PendingRow{Sub: sub, Verdict: verdicts[short.verdict], Reason: reasons[short.reason]}
	if short.groups > 0 {
		found.Groups = slices.Clone(s.groups[short.groups-1])
	}
	return found, true
}

// candidates appends the identities at the source that a record may be about.
func (s *shelf) candidates(r names.Record, to []identity) []identity {
	at, _ := slices.BinarySearchFunc(s.rows, r[6:], func(r row, want []byte) int { return bytes.Compare(r.identity[:4], want) })
	for ; at < len(s.rows) && bytes.Equal(s.rows[at].identity[:4], r[6:]); at++ {
		if verdicts[s.rows[at].verdict] != verdict.MissingInSource {
			to = append(to, s.rows[at].identity)
		}
	}
	return to
}

// Pending returns the row of somebody who had not arrived; known is false for
// everybody else. Rows that were read before take no request.
func (l *Lookup) Pending(ctx context.Context, sub userpool.Sub) (row reconcile.PendingRow, known bool, err error) {
	shelves, err := ask(ctx, l, func(e *edition) ([]*shelf, error) {
		all, err := l.shelves(ctx, e, shuffle.BucketOf(string(sub), e.basis.Buckets))
		if err != nil {
			return nil, fmt.Errorf("look up user %s: %w", sub, err)
		}
		return all, nil
	})
	if err != nil {
		return row, false, err
	}
	for _, s := range shelves {
		if row, known = s.find(sub); known {
			return row, true, nil
		}
	}
	return row, false, nil
}

// shelves returns the rows in which users of a bucket are, among others.
func (l *Lookup) shelves(ctx context.Context, e *edition, bucket int) (all []*shelf, err error) {
	for _, ref := range e.rows[bucket] {
		s, err := remembered(ctx, l.memory, ref.Key, func() (*shelf, error) {
			rows, err := l.rows(ctx, ref)
			if err != nil {
				return nil, err
			}
			return newShelf(rows)
		})
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (l *Lookup) rows(ctx context.Context, ref reconcile.RowsRef) ([]reconcile.PendingRow, error) {
	data, err := l.o.Store.ReadRows(ctx, ref)
	if err != nil {
		return nil, missing(err)
	}
	return reconcile.DecodeRows[reconcile.PendingRow](data, ref)
}
