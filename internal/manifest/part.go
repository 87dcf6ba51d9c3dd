package manifest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// Limits of a part. They bound what its writer and its readers hold in memory:
// the stored bytes, one line, and the ids of all lines.
const (
	MaxCount = 100_000  // lines
	MaxBytes = 64 << 20 // stored
	MaxLine  = 2 << 20  // JSON; 50 custom attributes of 2,048 characters, each escaped, are half of it
)

// Header is the first line of a part: where in the manifest it belongs.
type Header struct {
	Version V1 `json:"version"`
	Origin
	Shard   string  `json:"shard"`
	Content Content `json:"content"`
	Attempt int     `json:"attempt"` // from 1
	Part    int     `json:"part"`    // from 0
}

// PartRef refers to a part and proves its bytes.
type PartRef struct {
	Key           string `json:"key"`   // relative to the run
	Count         int    `json:"count"` // lines, the header aside
	Bytes         int64  `json:"bytes"` // as stored
	SHA256        Digest `json:"sha256"`
	ContentBytes  int64  `json:"content_bytes"` // decompressed, the header included
	ContentSHA256 Digest `json:"content_sha256"`
}

// PartWriter writes a part. The same header and the same lines in the same
// order give the same bytes.
type PartWriter struct {
	header  Header
	zip     *gzip.Writer
	stored  meter
	content meter
	seen    map[string]struct{}
	line    bytes.Buffer
	json    *json.Encoder
	broken  error // the first failed write; everything fails after it
}

// NewPartWriter begins a part in w. Close it.
func NewPartWriter(w io.Writer, header Header) (*PartWriter, error) {
	if err := header.check(); err != nil {
		return nil, fault.New(fault.Internal, "write part: %w", err)
	}
	p := &PartWriter{header: header, seen: map[string]struct{}{}}
	p.stored = newMeter(w)
	p.zip = gzip.NewWriter(&p.stored) // without name and time: nothing but the lines decides the bytes
	p.content = newMeter(p.zip)
	p.json = json.NewEncoder(&p.line)
	p.json.SetEscapeHTML(false)
	if err := p.write(header); err != nil {
		return nil, err
	}
	return p, nil
}

// Profile writes one user. The error is of kind fault.AlreadyExists for a sub
// that the part has, fault.Invalid for a user who must not be staged, and then
// the part is as before. The errors of w are passed on.
func (p *PartWriter) Profile(u userpool.User) error { return p.add(Profiles, newProfile(u)) }

// Member writes one membership. The errors are those of Profile.
func (p *PartWriter) Member(m Member) error { return p.add(Members, m) }

// Count returns how many lines were written.
func (p *PartWriter) Count() int { return len(p.seen) }

// ContentBytes returns how many bytes were written, before compression.
func (p *PartWriter) ContentBytes() int64 { return p.content.n }

// Close ends the part and returns what proves it, without a key.
func (p *PartWriter) Close() (PartRef, error) {
	if p.broken != nil {
		return PartRef{}, p.broken
	}
	if err := p.zip.Close(); err != nil {
		return PartRef{}, fmt.Errorf("write part: %w", err)
	}
	if p.stored.n > MaxBytes {
		return PartRef{}, fault.New(fault.Internal, "write part: it has %d bytes, at most %d: end the batch earlier", p.stored.n, MaxBytes)
	}
	return PartRef{
		Count: len(p.seen), Bytes: p.stored.n, SHA256: p.stored.digest(),
		ContentBytes: p.content.n, ContentSHA256: p.content.digest(),
	}, nil
}

func (p *PartWriter) add(content Content, l line) error {
	switch {
	case p.broken != nil:
		return p.broken
	case content != p.header.Content:
		return fault.New(fault.Internal, "write part: it is for %s, not for %s", p.header.Content, content)
	case len(p.seen) >= MaxCount:
		return fault.New(fault.Internal, "write part: it has %d lines already: end the batch earlier", MaxCount)
	}
	if err := l.check(); err != nil {
		return fault.New(fault.Invalid, "write part: %w", err)
	}
	if _, twice := p.seen[l.id()]; twice {
		return fault.New(fault.AlreadyExists, "write part: %q is in it already", l.id())
	}
	if err := p.write(l); err != nil {
		return err
	}
	p.seen[l.id()] = struct{}{}
	return nil
}

func (p *PartWriter) write(v any) error {
	p.line.Reset()
	if err := p.json.Encode(v); err != nil {
		return fault.New(fault.Invalid, "write part: line %d cannot be encoded", len(p.seen)+1)
	}
	if p.line.Len() > MaxLine {
		return fault.New(fault.Invalid, "write part: line %d has %d bytes, at most %d", len(p.seen)+1, p.line.Len(), MaxLine)
	}
	if _, err := p.content.Write(p.line.Bytes()); err != nil {
		p.broken = fmt.Errorf("write part: %w", err)
	}
	return p.broken
}

// meter counts and digests what it passes on.
type meter struct {
	w   io.Writer
	n   int64
	sum hash.Hash
}

func newMeter(w io.Writer) meter { return meter{w: w, sum: sha256.New()} }

func (m *meter) Write(data []byte) (int, error) {
	n, err := m.w.Write(data)
	m.n += int64(n)
	m.sum.Write(data[:n]) // a hash.Hash does not fail
	return n, err
}

func (m *meter) digest() Digest { return Digest(hex.EncodeToString(m.sum.Sum(nil))) }

func (h Header) check() error {
	if err := errors.Join(h.Origin.check(), Shard{ID: h.Shard, Content: h.Content}.check(), checkAttempt(h.Attempt)); err != nil {
		return err
	}
	return checkCount("part", h.Part)
}

func checkAttempt(n int) error {
	if n < 1 {
		return fmt.Errorf("attempt %d is below 1", n)
	}
	return nil
}

// checkParts checks the parts of an attempt against their sum.
func checkParts(attempt int, parts []PartRef, count int) error {
	if err := checkAttempt(attempt); err != nil {
		return err
	}
	if parts == nil {
		return errors.New("parts are missing")
	}
	sum, keys := 0, make(map[string]bool, len(parts))
	for i, p := range parts {
		if err := p.check(); err != nil {
			return fmt.Errorf("parts[%d]: %w", i, err)
		}
		if keys[p.Key] {
			return fmt.Errorf("parts[%d]: key %q is there twice", i, p.Key)
		}
		keys[p.Key] = true
		sum += p.Count
	}
	if sum != count {
		return fmt.Errorf("count %d: the parts have %d lines", count, sum)
	}
	return nil
}

func (r PartRef) check() error {
	if err := errors.Join(checkKey(r.Key), r.SHA256.Check("sha256"), r.ContentSHA256.Check("content_sha256")); err != nil {
		return err
	}
	if r.Count < 0 || r.Count > MaxCount || r.Bytes <= 0 || r.Bytes > MaxBytes || r.ContentBytes <= 0 {
		return fmt.Errorf("part %s has an impossible count or size", r.Key)
	}
	return nil
}
