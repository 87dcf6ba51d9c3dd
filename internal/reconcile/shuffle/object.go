package shuffle

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"

	"poolferry/internal/document"
	"poolferry/internal/fault"
)

// Magic ends every object.
const Magic = "pfshuf01"

// trailer is what stands behind the footer.
const trailer = 8 + len(Magic)

// MaxContent bounds a segment once it is decompressed.
const MaxContent = 1 << 30

// Segment says where an object has a bucket, and proves its bytes. An empty one
// has none of either.
type Segment struct {
	Offset   int64           `json:"-"`                  // follows from the segments before
	Length   int64           `json:"length,omitempty"`   // as stored
	Content  int64           `json:"content,omitempty"`  // decompressed
	Lines    int             `json:"lines,omitempty"`    // users, names or claims
	Unlinked int             `json:"unlinked,omitempty"` // users among them
	SHA256   document.Digest `json:"sha256,omitempty"`   // of what is stored
}

// Footer says what an object has.
type Footer struct {
	Version     document.V1 `json:"version"`
	Side        Side        `json:"side"`
	Buckets     int         `json:"buckets"`
	NameBuckets int         `json:"name_buckets"`
	Segments    []Segment   `json:"segments"` // the buckets, then the name buckets
}

// Bucket returns the segment of a bucket.
func (f Footer) Bucket(n int) Segment { return f.Segments[n] }

// NameBucket returns the segment of a name bucket.
func (f Footer) NameBucket(n int) Segment { return f.Segments[f.Buckets+n] }

// Users returns how many lines of users the object has.
func (f Footer) Users() (n int) {
	for _, s := range f.Segments[:f.Buckets] {
		n += s.Lines
	}
	return n
}

func (f Footer) check() error {
	for _, n := range []int{f.Buckets, f.NameBuckets} {
		if n < 0 || n > MaxBuckets || bits.OnesCount(uint(n)) > 1 {
			return fmt.Errorf("%d buckets, which is no power of two up to %d", n, MaxBuckets)
		}
	}
	switch {
	case !f.Side.ofUsers() && f.Side != Claimed:
		return fmt.Errorf("side %q is not known", f.Side)
	case len(f.Segments) != f.Buckets+f.NameBuckets || len(f.Segments) == 0:
		return fmt.Errorf("%d segments for %d buckets and %d name buckets", len(f.Segments), f.Buckets, f.NameBuckets)
	}
	for i, s := range f.Segments {
		if err := s.check(); err != nil {
			return fmt.Errorf("segments[%d]: %w", i, err)
		}
	}
	return nil
}

func (s Segment) check() error {
	if s == (Segment{Offset: s.Offset}) {
		return nil
	}
	if s.Length <= 0 || s.Content <= 0 || s.Content > MaxContent || s.Lines <= 0 || s.Unlinked < 0 || s.Unlinked > s.Lines {
		return errors.New("an impossible count or size")
	}
	return s.SHA256.Check("sha256")
}

// locate fills in the offsets and returns the length of all segments.
func (f *Footer) locate() (end int64) {
	for i := range f.Segments {
		f.Segments[i].Offset = end
		end += f.Segments[i].Length
	}
	return end
}

// packer writes an object.
type packer struct {
	footer Footer
	out    []byte
}

// add appends a segment, each of its contents compressed on its own.
func (p *packer) add(lines, unlinked int, contents ...[]byte) error {
	if lines == 0 {
		p.footer.Segments = append(p.footer.Segments, Segment{Offset: int64(len(p.out))})
		return nil
	}
	start, size := len(p.out), 0
	for _, content := range contents {
		if size += len(content); size > MaxContent {
			return fault.New(fault.Invalid, "write segment: %d bytes and more, at most %d: use more buckets", size, MaxContent)
		}
		p.out = encoder().EncodeAll(content, p.out)
	}
	p.footer.Segments = append(p.footer.Segments, Segment{
		Offset: int64(start), Length: int64(len(p.out) - start), Content: int64(size),
		Lines: lines, Unlinked: unlinked, SHA256: document.DigestOf(p.out[start:]),
	})
	return nil
}

func (p *packer) close() ([]byte, error) {
	text, err := document.Encode("footer", p.footer, p.footer.check)
	if err != nil {
		return nil, err
	}
	p.out = append(p.out, text...)
	p.out = binary.BigEndian.AppendUint64(p.out, uint64(len(text)))
	return append(p.out, Magic...), nil
}

// PackNames writes an object that has name buckets only. contents are what
// Unpack gives back, lines how many things are in each.
func PackNames(contents [][]byte, lines []int) ([]byte, error) {
	p := packer{footer: Footer{Side: Claimed, NameBuckets: len(contents)}}
	for i, content := range contents {
		if err := p.add(lines[i], 0, content); err != nil {
			return nil, err
		}
	}
	return p.close()
}

// FooterBytes returns the footer of a whole object, as its digest is to be made
// of it.
func FooterBytes(object []byte) ([]byte, error) {
	length, err := footerLength(object, int64(len(object)))
	if err != nil {
		return nil, err
	}
	return object[int64(len(object)-trailer)-length : len(object)-trailer], nil
}

// footerLength reads the trailer at the end of tail, which is the end of an
// object of so many bytes.
func footerLength(tail []byte, size int64) (int64, error) {
	if len(tail) < trailer || !bytes.HasSuffix(tail, []byte(Magic)) {
		return 0, fault.New(fault.Invalid, "does not end as an object of segments does: torn or foreign")
	}
	length := binary.BigEndian.Uint64(tail[len(tail)-trailer:])
	if length == 0 || length > uint64(size)-uint64(trailer) { //nolint:gosec // size is at least trailer
		return 0, fault.New(fault.Invalid, "has a footer of %d bytes and %d bytes in all: torn or foreign", length, size)
	}
	return int64(length), nil //nolint:gosec // at most size
}

// DecodeFooter reads the footer of an object of so many bytes, of which want is
// the digest; an empty one is any.
func DecodeFooter(text []byte, want document.Digest, size int64) (f Footer, err error) {
	if got := document.DigestOf(text); want != "" && got != want {
		return f, fault.New(fault.Invalid, "footer has SHA-256 %.12s…, not %.12s…: changed or replaced", got, want)
	}
	if err := document.Decode("footer", text, &f, Footer.check); err != nil {
		return f, err
	}
	if end := f.locate(); end+int64(len(text)+trailer) != size {
		return f, fault.New(fault.Invalid, "footer is about %d bytes of segments, the object has another length: torn or replaced", end)
	}
	return f, nil
}

// Range returns so many bytes of an object from an offset on: all of them, or an
// error, of kind fault.Invalid where the object ends before.
type Range func(ctx context.Context, key string, offset, length int64) ([]byte, error)

// lineOfFooter is more than a segment takes in a footer.
const lineOfFooter = 160

// ReadFooter reads the footer of an object, mostly with one request. layout
// helps to guess its length; footer is its digest. The error names the key.
func ReadFooter(ctx context.Context, get Range, key string, size int64, footer document.Digest, segments int) (Footer, error) {
	guess := min(size, int64(segments*lineOfFooter+512+trailer))
	tail, err := get(ctx, key, size-guess, guess)
	if err != nil {
		return Footer{}, err
	}
	length, err := footerLength(tail, size)
	if err != nil {
		return Footer{}, fmt.Errorf("segments %s: %w", key, err)
	}
	if length+int64(trailer) > guess {
		if tail, err = get(ctx, key, size-length-int64(trailer), length+int64(trailer)); err != nil {
			return Footer{}, err
		}
	}
	f, err := DecodeFooter(tail[int64(len(tail)-trailer)-length:len(tail)-trailer], footer, size)
	if err != nil {
		return f, fmt.Errorf("segments %s: %w", key, err)
	}
	return f, nil
}

// Unpack checks the stored bytes of a segment and returns its content. The
// error, of kind fault.Invalid, names the key.
func Unpack(key string, s Segment, stored []byte) ([]byte, error) {
	if s.Length == 0 {
		return nil, nil
	}
	if int64(len(stored)) != s.Length || document.DigestOf(stored) != s.SHA256 {
		return nil, fault.New(fault.Invalid, "segment of %s at %d is not what was written: torn, changed or replaced", key, s.Offset)
	}
	if s.Content > MaxContent {
		return nil, fault.New(fault.Invalid, "segment of %s at %d claims to have %d bytes", key, s.Offset, s.Content)
	}
	content, err := decoder().DecodeAll(stored, make([]byte, 0, s.Content))
	if err != nil || int64(len(content)) != s.Content {
		return nil, fault.New(fault.Invalid, "segment of %s at %d does not decompress to %d bytes: foreign", key, s.Offset, s.Content)
	}
	return content, nil
}

// encoder and decoder are for whole segments only, for which they are safe to
// share. SHA-256 makes their own check sums superfluous.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(false),
			zstd.WithAllLitEntropyCompression(true), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err) // the options are constants
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
		if err != nil {
			panic(err)
		}
		return d
	})
)
