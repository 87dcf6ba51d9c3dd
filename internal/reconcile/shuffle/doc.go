// Package shuffle is how a reconciliation run turns two pools of any size into
// buckets that fit into memory: the format of what is written when users are
// dealt out, and of what is read when a bucket is taken up. It is pure.
//
// Vocabulary: a side is which pool a user was found in, staged for the source's
// manifest and arrived for the target pool; an identity is what both sides call
// one person by, the sub at the source; a user of the target pool who says no
// sub of the source is unlinked and goes by their own; a member is a line that
// says of an identity only in which group it is, or only that it was imported; a bucket is the share of
// all identities that have the same low bits of their hash; a name bucket is the
// share of all names that have the same high bits; a segment is what one object
// has of one bucket, compressed on its own, so that a range of the object is
// enough to read it; the footer of an object says where its segments are.
//
// An object is its segments, the identity buckets before the name buckets, then
// the footer as JSON, its length in 8 bytes, big-endian, and the 8 bytes of
// Magic. Whoever knows the digest of the footer can believe every segment.
//
// Hashes, the order of lines and compression depend on nothing but what is
// written: the same users in the same order give the same bytes, in every
// process.
package shuffle

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"poolferry/internal/userpool"
)

// Side is which pool a user was found in.
type Side string

// The sides, and those that are no pool's.
const (
	Staged   Side = "staged"
	Arrived  Side = "arrived"
	Members  Side = "members"  // memberships of the source pool: of a user, the sub and a group
	Imported Side = "imported" // who was imported: of a user, the sub at the source
	Claimed  Side = "claimed"  // claims on names, see PackNames
)

// MaxBuckets bounds buckets and name buckets.
const MaxBuckets = 4096

// Layout says how users are dealt out. The numbers of buckets are powers of two.
type Layout struct {
	Buckets     int
	NameBuckets int
	Side        Side
	Pool        userpool.Pool // the target, which decides by which names it would know a user
}

func (l Layout) check() error {
	for what, n := range map[string]int{"buckets": l.Buckets, "name buckets": l.NameBuckets} {
		if n < 1 || n > MaxBuckets || bits.OnesCount(uint(n)) != 1 {
			return fmt.Errorf("%d %s: want a power of two up to %d", n, what, MaxBuckets)
		}
	}
	if !l.Side.ofUsers() {
		return fmt.Errorf("side %q has no users", l.Side)
	}
	return nil
}

// Identity returns by what u goes on this side, and whether u is linked to a
// user of the source.
func (s Side) Identity(u userpool.User) (identity string, linked bool) {
	if s != Arrived {
		return string(u.Sub), true
	}
	if legacy := u.Attributes[userpool.AttrLegacySub]; legacy != "" {
		return legacy, true
	}
	return string(u.Sub), false
}

// ofUsers reports whether the lines of the side are about users.
func (s Side) ofUsers() bool { return s == Staged || s == Arrived || s == Members || s == Imported }

// BucketOf returns the bucket of an identity where there are so many: the low
// bits of its hash, so that a bucket of half as many is two of these.
func BucketOf(identity string, buckets int) int {
	sum := sha256.Sum256([]byte(identity))
	return int(binary.BigEndian.Uint64(sum[:8]) & uint64(buckets-1)) //nolint:gosec // buckets is small and above 0
}

// hashBits is the length of a name's hash, names.Name.Hash.
const hashBits = 48

// NameBucketOf returns the name bucket of a name's hash where there are so many:
// its high bits, so that name buckets follow each other as hashes do.
func NameBucketOf(hash uint64, nameBuckets int) int {
	return int(hash >> (hashBits - bits.TrailingZeros(uint(nameBuckets)))) //nolint:gosec // below nameBuckets
}
