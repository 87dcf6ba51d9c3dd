package erasure

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/userpool"
)

// Trace is a place where the run says something of a person.
type Trace struct {
	Key     string `json:"key"`
	Version string `json:"version"`
	Latest  bool   `json:"latest"`
	What    string `json:"what"` // one of Trace…
}

// What a trace is.
const (
	TraceSub       = "sub"
	TraceTargetSub = "target_sub"
	TraceUsername  = "username"
	TraceNote      = "note" // that the person is being forgotten, and how they are called
)

// Searched is what was looked at.
type Searched struct {
	Objects  int   `json:"objects"`  // keys
	Versions int   `json:"versions"` // that were read
	Bytes    int64 `json:"bytes"`    // of them, as stored
}

// search reads every version of every object of the run, but for those of one key,
// and looks for the person. It goes by what objects look like and not by where
// they are. digests are those of further subs at the target. The lease, where there
// is one, is kept.
//
// A sub is looked for anywhere, in text as a word, in segments also as the 16 bytes
// that it is, and in base64. A username is looked for where somebody says that it
// is one, in a member or a column of such a name, unless that is said of somebody
// else: usernames are given again, and are words of many languages. In segments it
// always stands beside the sub.
func (e *Erasure) search(ctx context.Context, h *hold, p Person, digests []document.Digest, except string) (found []Trace, done Searched, err error) {
	all, err := e.versions(ctx)
	if err != nil {
		return nil, done, err
	}
	wanted := newWanted(p, digests)
	var mu sync.Mutex
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for key, versions := range all {
		if key == except {
			continue
		}
		done.Objects++
		for _, v := range versions {
			if v.Marker {
				continue
			}
			if h != nil {
				if err := h.renew(ctx); err != nil {
					return nil, done, errors.Join(err, group.Wait())
				}
			}
			done.Versions++
			done.Bytes += v.Bytes
			group.Go(func() error {
				data, err := e.o.Store.ReadVersion(inner, v)
				if is(err, fault.NotFound) { // deleted since it was listed
					return nil
				}
				if err != nil {
					return err
				}
				what, err := wanted.in(key, data)
				if err != nil {
					return fault.New(fault.Invalid, "search %s: %w", key, err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, one := range what {
					found = append(found, Trace{key, v.ID, v.Latest, one})
				}
				return nil
			})
		}
	}
	err = group.Wait()
	slices.SortFunc(found, func(a, b Trace) int {
		return strings.Compare(a.Key+"\x00"+a.Version+"\x00"+a.What, b.Key+"\x00"+b.Version+"\x00"+b.What)
	})
	return found, done, err
}

// wanted is what is looked for.
type wanted struct {
	person  Person
	digests map[document.Digest]bool
	packed  map[string][]byte   // subs as 16 bytes
	base64  map[string][][]byte // subs as base64, wherever they begin
}

func newWanted(p Person, digests []document.Digest) wanted {
	w := wanted{p, map[document.Digest]bool{}, map[string][]byte{}, map[string][][]byte{}}
	for _, d := range digests {
		w.digests[d] = true
	}
	for _, sub := range p.subs() {
		if raw, err := hex.DecodeString(strings.ReplaceAll(sub, "-", "")); err == nil && uuid.MatchString(sub) && len(raw) == 16 {
			w.packed[sub] = raw
		}
		for shift := range 3 {
			text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), sub...))
			// The first and the last characters are also of what stands beside.
			if from, to := (8*shift+5)/6, len(text)-1; to-from > 8 {
				w.base64[sub] = append(w.base64[sub], []byte(text[from:to]))
			}
		}
	}
	return w
}

var uuid = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)

var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// in returns what an object says of the person.
func (w wanted) in(key string, data []byte) ([]string, error) {
	found := traces{}
	w.text([]byte(key), found)
	switch {
	case bytes.HasSuffix(data, []byte(shuffle.Magic)):
		err := w.segments(key, data, found)
		return found.list(), err
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		text, err := unzip(key, data)
		if err != nil {
			return nil, err
		}
		data = text
	case bytes.HasPrefix(data, zstdMagic):
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		if data, err = r.DecodeAll(data, nil); err != nil {
			return nil, errors.New("ends badly: torn or foreign")
		}
	}
	w.text(data, found)
	if len(w.person.Usernames) > 0 {
		w.usernames(key, data, found)
	}
	return found.list(), nil
}

type traces map[string]bool

func (t traces) list() (all []string) {
	for what := range t {
		all = append(all, what)
	}
	slices.Sort(all)
	return all
}

func (w wanted) what(sub string) string {
	if sub == string(w.person.Sub) {
		return TraceSub
	}
	return TraceTargetSub
}

// text looks for subs.
func (w wanted) text(data []byte, found traces) {
	for _, sub := range w.person.subs() {
		hit := indexWord(data, sub, 0) >= 0
		for _, text := range w.base64[sub] {
			hit = hit || bytes.Contains(data, text)
		}
		if hit {
			found[w.what(sub)] = true
		}
	}
	if len(w.digests) == 0 {
		return
	}
	for _, at := range uuid.FindAllIndex(data, -1) {
		if w.digests[document.DigestOf(data[at[0]:at[1]])] {
			found[TraceTargetSub] = true
		}
	}
}

// segments unpacks a segment object: bytes first, then users, memberships and
// claims as reconciliations read them.
func (w wanted) segments(key string, data []byte, found traces) error {
	text, err := shuffle.FooterBytes(data)
	if err != nil {
		return err
	}
	f, err := shuffle.DecodeFooter(text, "", int64(len(data)))
	if err != nil {
		return err
	}
	for n, s := range f.Segments {
		content, err := shuffle.Unpack(key, s, data[s.Offset:s.Offset+s.Length])
		if err != nil {
			return err
		}
		w.text(content, found)
		for sub, raw := range w.packed {
			if bytes.Contains(content, raw) {
				found[w.what(sub)] = true
			}
		}
		switch {
		case f.Side == shuffle.Claimed:
			err = w.claims(content, found)
		case n < f.Buckets:
			err = w.users(key, f.Side, s, content, found)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w wanted) sub(sub string, found traces) {
	if w.person.hasSub(sub) {
		found[w.what(sub)] = true
	} else if w.digests[document.DigestOf([]byte(sub))] {
		found[TraceTargetSub] = true
	}
}

func (w wanted) claims(content []byte, found traces) error {
	for c, err := range names.ReadClaims(content) {
		if err != nil {
			return err
		}
		w.sub(string(c.Sub), found)
		w.sub(string(c.LegacySub), found)
	}
	return nil
}

func (w wanted) users(key string, side shuffle.Side, s shuffle.Segment, content []byte, found traces) error {
	b := shuffle.NewBucket(side)
	if err := b.Add(key, s, content); err != nil {
		return err
	}
	for _, walk := range []*shuffle.Walk{b.Linked(), b.Unlinked()} {
		for {
			identity, more := walk.Identity()
			if !more {
				break
			}
			w.sub(string(identity), found)
			if side == shuffle.Members || side == shuffle.Imported {
				walk.Skip() // there is nothing else
				continue
			}
			users, err := walk.Next()
			if err != nil {
				return err
			}
			for _, u := range users {
				w.sub(string(u.Sub), found)
				w.sub(u.Attributes[userpool.AttrLegacySub], found)
			}
		}
	}
	return nil
}

// usernames looks for usernames in JSON and CSV.
func (w wanted) usernames(key string, data []byte, found traces) {
	if !slices.ContainsFunc(w.person.Usernames, func(name string) bool { return bytes.Contains(data, []byte(name)) }) {
		return
	}
	if isCSV(key) || strings.HasSuffix(key, ".csv") {
		w.records(data, found)
		return
	}
	for line := range bytes.Lines(data) {
		if n, err := parseTree(line); err == nil && !w.isAboutAnother(n) && w.says(n, "") {
			found[TraceUsername] = true
		}
	}
}

// isAboutAnother reports whether a line says a sub that is not the person's.
func (w wanted) isAboutAnother(n *node) bool {
	return slices.ContainsFunc(subMembers, func(name string) bool {
		text, ok := n.member(name).text()
		return ok && text != "" && text != forgotten && !w.person.hasSub(text)
	})
}

// says reports whether a value under a name, or anything in it, is a username of
// the person.
func (w wanted) says(n *node, name string) bool {
	if text, ok := n.text(); ok {
		return isUsername(name) && slices.Contains(w.person.Usernames, text)
	}
	return slices.ContainsFunc(n.elements, func(one *node) bool { return w.says(one, name) }) ||
		slices.ContainsFunc(n.members, func(m member) bool { return w.says(m.node, m.name) })
}

func isUsername(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "username") || strings.HasSuffix(name, "usernames")
}

func (w wanted) records(data []byte, found traces) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	header, err := r.Read()
	header = slices.Clone(header)
	for err == nil {
		var record []string
		if record, err = r.Read(); err != nil {
			break
		}
		another := slices.ContainsFunc(record, func(field string) bool { return uuid.MatchString(field) && !w.person.hasSub(field) })
		for i, field := range record {
			if !another && i < len(header) && isUsername(header[i]) && slices.Contains(w.person.Usernames, field) {
				found[TraceUsername] = true
			}
		}
	}
	if !errors.Is(err, io.EOF) { // no CSV that anybody can read: any mention counts
		found[TraceUsername] = true
	}
}
