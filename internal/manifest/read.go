package manifest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// ReadProfiles yields the users of a part. stored are the part's bytes, ref is
// what its checkpoint or commit says of them, and want is the header that it
// must have. The digest is checked first: of a part that is torn, changed or
// foreign nothing is yielded. The error, of kind fault.Invalid, names the key
// and the reason, and is the last that is yielded.
func ReadProfiles(stored []byte, ref PartRef, want Header) iter.Seq2[userpool.User, error] {
	return func(yield func(userpool.User, error) bool) {
		for p, err := range readLines[profile](stored, ref, want, Profiles) {
			if !yield(p.user(), err) {
				return
			}
		}
	}
}

// ReadMembers yields the memberships of a part; see ReadProfiles.
func ReadMembers(stored []byte, ref PartRef, want Header) iter.Seq2[Member, error] {
	return readLines[Member](stored, ref, want, Members)
}

func readLines[L line](stored []byte, ref PartRef, want Header, content Content) iter.Seq2[L, error] {
	return func(yield func(L, error) bool) {
		stopped, err := read(stored, ref, want, content, func(l L) bool { return yield(l, nil) })
		if err != nil && !stopped {
			var none L
			yield(none, fault.New(fault.Invalid, "part %s %w", ref.Key, err))
		}
	}
}

// read calls yield for every line until it returns false.
func read[L line](stored []byte, ref PartRef, want Header, content Content, yield func(L) bool) (stopped bool, err error) {
	if err := ref.check(); err != nil {
		return false, fmt.Errorf("is referred to wrongly: %w", err)
	}
	if want.Content != content {
		return false, fmt.Errorf("has %s, not %s", want.Content, content)
	}
	if err := checkStored(stored, ref, want); err != nil {
		return false, err
	}
	text, err := newContent(stored, ref)
	if err != nil {
		return false, err
	}
	if err := text.header(want); err != nil {
		return false, err
	}
	seen := make(map[string]struct{}, ref.Count)
	for {
		data, err := text.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, err
		}
		var l L
		if err := document.Strictly(data, &l); err != nil {
			return false, fmt.Errorf("line %d %w", text.lines, err)
		}
		if err := l.check(); err != nil {
			return false, fmt.Errorf("line %d: %w", text.lines, err)
		}
		if _, twice := seen[l.id()]; twice {
			return false, fmt.Errorf("line %d: %q is there twice", text.lines, l.id())
		}
		seen[l.id()] = struct{}{}
		if len(seen) > ref.Count {
			break
		}
		if !yield(l) {
			return true, nil
		}
	}
	return false, text.end(len(seen))
}

// checkStored checks the bytes as they are stored. Where they are others, the
// header, if it can be read, may tell whose they are.
func checkStored(stored []byte, ref PartRef, want Header) error {
	if int64(len(stored)) == ref.Bytes && DigestOf(stored) == ref.SHA256 {
		return nil
	}
	if text, err := newContent(stored, PartRef{ContentBytes: MaxLine}); err == nil {
		if err := text.header(want); errors.Is(err, errForeign) {
			return err
		}
	}
	if int64(len(stored)) != ref.Bytes {
		return fmt.Errorf("has %d bytes, not the %d that were written: torn or replaced", len(stored), ref.Bytes)
	}
	return fmt.Errorf("has SHA-256 %.12s…, not %.12s…: changed or replaced", DigestOf(stored), ref.SHA256)
}

// errForeign marks a header that is readable and not the one that was wanted.
var errForeign = errors.New("foreign")

type foreign string

func (f foreign) Error() string      { return string(f) }
func (foreign) Is(target error) bool { return target == errForeign }

// content is the decompressed text of a part, line by line.
type content struct {
	ref   PartRef
	from  *bytes.Reader
	zip   *gzip.Reader
	sum   meter
	lines int // read so far, the header included
	scan  *bufio.Scanner
}

func newContent(stored []byte, ref PartRef) (*content, error) {
	c := &content{ref: ref, from: bytes.NewReader(stored)}
	zip, err := gzip.NewReader(c.from)
	if err != nil {
		return nil, errors.New("is not gzip: torn or foreign")
	}
	zip.Multistream(false)
	c.zip = zip
	c.sum = newMeter(io.Discard)
	// A byte more than there should be is enough to notice that there is more.
	c.scan = bufio.NewScanner(io.TeeReader(io.LimitReader(zip, ref.ContentBytes+1), &c.sum))
	c.scan.Buffer(make([]byte, 0, 64<<10), MaxLine)
	c.scan.Split(wholeLines)
	return c, nil
}

// wholeLines is bufio.ScanLines, but keeps carriage returns and refuses a last
// line without its line feed.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errors.New("the last line is not whole")
	}
	return 0, nil, nil
}

func (c *content) next() ([]byte, error) {
	if !c.scan.Scan() {
		if err := c.scan.Err(); err != nil {
			return nil, fmt.Errorf("ends badly after line %d: %w", c.lines, err)
		}
		return nil, io.EOF
	}
	c.lines++
	return c.scan.Bytes(), nil
}

func (c *content) header(want Header) error {
	data, err := c.next()
	if errors.Is(err, io.EOF) {
		return errors.New("has no header: torn or foreign")
	}
	if err != nil {
		return err
	}
	if err := document.CheckVersion(data); err != nil {
		if json.Valid(data) {
			return foreign(err.Error())
		}
		return err
	}
	var got Header
	if err := document.Strictly(data, &got); err != nil {
		return fmt.Errorf("header %w", err)
	}
	if why := got.differs(want.Origin); why != "" {
		return foreign(why)
	}
	if got != want {
		return foreign(fmt.Sprintf("is part %d of attempt %d of shard %s (%s), not part %d of attempt %d of shard %s (%s)",
			got.Part, got.Attempt, got.Shard, got.Content, want.Part, want.Attempt, want.Shard, want.Content))
	}
	return nil
}

// end checks what can only be known when everything was read.
func (c *content) end(count int) error {
	switch {
	case count != c.ref.Count:
		return fmt.Errorf("does not have the %d lines that were written", c.ref.Count)
	case c.sum.n != c.ref.ContentBytes:
		return fmt.Errorf("does not have the %d bytes of content that were written", c.ref.ContentBytes)
	case c.sum.digest() != c.ref.ContentSHA256:
		return fmt.Errorf("has content of SHA-256 %.12s…, not %.12s…", c.sum.digest(), c.ref.ContentSHA256)
	case c.from.Len() > 0:
		return errors.New("has something behind its end")
	}
	return nil
}
