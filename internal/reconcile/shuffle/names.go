package shuffle

import (
	"encoding/binary"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile/names"
)

// A segment of names has, for each record, by how much its hash is above the one
// before: the low three bytes, which are chance, with the four of the identity,
// and the rest, which is small, in a column in front.
const (
	lowBytes  = 3
	lowBits   = 8 * lowBytes
	tailBytes = lowBytes + 4
)

// BucketOfRecord returns the bucket of the identity that a record is about.
func BucketOfRecord(r names.Record, buckets int) int {
	return int(binary.BigEndian.Uint32(r[6:]) & uint32(buckets-1)) //nolint:gosec // buckets is small and above 0
}

// namesContents returns the segment of some records, which are sorted.
func namesContents(records []names.Record) [][]byte {
	var high []byte
	tails := make([]byte, 0, tailBytes*len(records))
	var last uint64
	for _, r := range records {
		gap := r.Hash() - last
		last = r.Hash()
		high = binary.AppendUvarint(high, gap>>lowBits)
		tails = append(tails, byte(gap>>16), byte(gap>>8), byte(gap)) //nolint:gosec // byte by byte
		tails = append(tails, r[6:]...)
	}
	return [][]byte{binary.AppendUvarint(nil, uint64(len(high))), high, tails}
}

// Names returns the records of a name bucket's content, sorted.
func Names(key string, s Segment, content []byte) ([]names.Record, error) {
	foreign := fault.New(fault.Invalid, "segment of %s at %d does not have %d names: foreign", key, s.Offset, s.Lines)
	if s.Lines == 0 && len(content) == 0 {
		return nil, nil
	}
	in := reader{left: string(content)}
	high := reader{left: in.take(in.count(1))}
	if in.bad || s.Lines < 0 || s.Lines > len(in.left) || len(in.left) != s.Lines*tailBytes {
		return nil, foreign
	}
	records := make([]names.Record, s.Lines)
	var hash uint64
	for i := range records {
		tail := in.take(tailBytes)
		rest := high.uvarint()
		hash += rest<<lowBits | uint64(tail[0])<<16 | uint64(tail[1])<<8 | uint64(tail[2])
		if high.bad || rest >= 1<<(hashBits-lowBits) || hash >= 1<<hashBits {
			return nil, foreign
		}
		var be [8]byte
		binary.BigEndian.PutUint64(be[:], hash)
		copy(records[i][:6], be[2:])
		copy(records[i][6:], tail[lowBytes:])
	}
	if high.left != "" {
		return nil, foreign
	}
	return records, nil
}
