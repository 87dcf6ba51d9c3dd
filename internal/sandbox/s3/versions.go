package s3

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/johannesboyne/gofakes3"

	"poolferry/internal/sandbox/wire"
)

// unversioned is the id of the version that an object is while its bucket keeps
// none, or was before it did (S3 User Guide, how S3 Versioning works).
const unversioned = "null"

// versions keeps what buckets with versioning have of objects that were replaced
// or deleted. gofakes3 has versions of its own, but an object whose latest version
// is deleted breaks it, where S3 brings the one before back. So gofakes3 has what
// is current, and nothing else.
type versions struct {
	gofakes3.Backend
	now func() time.Time

	mu      sync.Mutex // held for every write to a bucket with versioning
	last    uint64     // version that was made
	buckets map[string]history
}

// history are the versions of each key, the latest first. A key without any has at
// most the object from before versioning.
type history map[string][]version

type version struct {
	id       string
	marker   bool // that the object was deleted
	modified time.Time
	etag     string
	size     int64
	// What gofakes3 does not have, because it is not the latest.
	body []byte
	meta map[string]string
}

func newVersions(backend gofakes3.Backend, now func() time.Time) *versions {
	return &versions{Backend: backend, now: now, buckets: map[string]history{}}
}

// enable makes a bucket one with versions, for good.
func (v *versions) enable(bucket string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.buckets[bucket] == nil {
		v.buckets[bucket] = history{}
	}
}

// lock holds back writers where a bucket has versions; without it returns nil.
func (v *versions) lock(bucket string) (h history, unlock func()) {
	v.mu.Lock()
	h = v.buckets[bucket]
	if h == nil {
		v.mu.Unlock()
		return nil, func() {}
	}
	return h, v.mu.Unlock
}

// id makes the id of a version. They sort as a list shows them: the latest first,
// that from before versioning last.
func (v *versions) id() string {
	v.last++
	return fmt.Sprintf("%016x", ^v.last)
}

// behind reports whether a version stands behind that of an id in a list.
func behind(id, marker string) bool {
	switch {
	case marker == unversioned:
		return false
	case id == unversioned:
		return true
	}
	return id > marker
}

// PutObject writes an object.
func (v *versions) PutObject(
	bucket, key string, meta map[string]string, body io.Reader, size int64, when *gofakes3.PutConditions,
) (gofakes3.PutObjectResult, error) {
	h, unlock := v.lock(bucket)
	defer unlock()
	if h == nil {
		return v.Backend.PutObject(bucket, key, meta, body, size, when)
	}
	before, err := v.latest(h, bucket, key)
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	out, err := v.Backend.PutObject(bucket, key, meta, body, size, when)
	if err != nil {
		return out, err
	}
	head, err := v.HeadObject(bucket, key)
	if err != nil {
		return out, err
	}
	next := version{id: v.id(), modified: v.now(), etag: tagOf(head.Hash), size: head.Size}
	h[key] = append([]version{next}, before...)
	out.VersionID = gofakes3.VersionID(next.id)
	return out, nil
}

// DeleteObject puts a delete marker in front of an object's versions.
func (v *versions) DeleteObject(bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	h, unlock := v.lock(bucket)
	defer unlock()
	if h == nil {
		return v.Backend.DeleteObject(bucket, key)
	}
	before, err := v.latest(h, bucket, key)
	if err != nil {
		return gofakes3.ObjectDeleteResult{}, err
	}
	if _, err := v.Backend.DeleteObject(bucket, key); err != nil {
		return gofakes3.ObjectDeleteResult{}, err
	}
	marker := version{id: v.id(), marker: true, modified: v.now()}
	h[key] = append([]version{marker}, before...)
	return gofakes3.ObjectDeleteResult{IsDeleteMarker: true, VersionID: gofakes3.VersionID(marker.id)}, nil
}

// DeleteMulti is DeleteObject for several keys.
func (v *versions) DeleteMulti(bucket string, keys ...string) (out gofakes3.MultiDeleteResult, err error) {
	for _, key := range keys {
		if _, err := v.DeleteObject(bucket, key); err != nil {
			return out, err
		}
		out.Deleted = append(out.Deleted, gofakes3.ObjectID{Key: key})
	}
	return out, nil
}

// latest returns the versions of a key, of which the first has all that gofakes3
// has of it, so that it can be replaced there.
func (v *versions) latest(h history, bucket, key string) ([]version, error) {
	all := slices.Clone(h[key])
	if len(all) > 0 && all[0].marker {
		return all, nil
	}
	o, err := v.GetObject(bucket, key, nil)
	if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	defer o.Contents.Close() //nolint:errcheck // memory
	body, err := io.ReadAll(o.Contents)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		all = []version{{id: unversioned, modified: v.now(), etag: tagOf(o.Hash), size: o.Size}}
	}
	all[0].body, all[0].meta = body, o.Metadata
	return all, nil
}

// get returns a version that is an object.
func (v *versions) get(bucket, key, id string) (version, error) {
	h, unlock := v.lock(bucket)
	defer unlock()
	all, err := v.latest(h, bucket, key)
	if err != nil {
		return version{}, err
	}
	i := slices.IndexFunc(all, func(one version) bool { return one.id == id })
	switch {
	case i < 0:
		return version{}, wire.Errorf(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.")
	case all[i].marker:
		return version{}, wire.Errorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	}
	return all[i], nil
}

// remove deletes a version for good; that there is none is no error. Of the latest
// the one before takes the place.
func (v *versions) remove(bucket, key, id string) (marker bool, err error) {
	h, unlock := v.lock(bucket)
	defer unlock()
	if h == nil {
		if id == unversioned {
			_, err = v.Backend.DeleteObject(bucket, key)
		}
		return false, err
	}
	all, err := v.latest(h, bucket, key)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(all, func(one version) bool { return one.id == id })
	if i < 0 {
		return false, nil
	}
	marker = all[i].marker
	rest := slices.Delete(slices.Clone(all), i, i+1)
	if i == 0 {
		if _, err := v.Backend.DeleteObject(bucket, key); err != nil {
			return marker, err
		}
		if len(rest) > 0 && !rest[0].marker {
			if _, err := v.Backend.PutObject(bucket, key, rest[0].meta, bytes.NewReader(rest[0].body), rest[0].size, nil); err != nil {
				return marker, err
			}
		}
	}
	if len(rest) > 0 {
		rest[0].body, rest[0].meta = nil, nil
		h[key] = rest
	} else {
		delete(h, key)
	}
	return marker, nil
}

// listed is a version in a list.
type listed struct {
	version
	key    string
	latest bool
}

// list returns the versions of all keys with a prefix, as S3 orders them.
func (v *versions) list(bucket, prefix string) ([]listed, error) {
	h, unlock := v.lock(bucket)
	defer unlock()
	begins := gofakes3.NewPrefix(&prefix, nil)
	current, err := v.ListBucket(bucket, &begins, gofakes3.ListBucketPage{})
	if err != nil {
		return nil, err
	}
	var all []listed
	for _, o := range current.Contents {
		if len(h[o.Key]) == 0 {
			all = append(all, listed{version{id: unversioned, modified: o.LastModified.Time, etag: o.ETag, size: o.Size}, o.Key, true})
		}
	}
	for key, of := range h {
		if strings.HasPrefix(key, prefix) {
			for i, one := range of {
				all = append(all, listed{one, key, i == 0})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b listed) int { return cmp.Compare(a.key, b.key) })
	return all, nil
}

func tagOf(hash []byte) string { return `"` + hex.EncodeToString(hash) + `"` }

// mostVersions is how many versions a page has at most.
const mostVersions = 1000

// listVersions answers ListObjectVersions.
func (s *Service) listVersions(r request) (*wire.Reply, error) {
	most := mostVersions
	if text := r.query.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, wire.Errorf(http.StatusBadRequest, "InvalidArgument", "Provided max-keys not an integer or within integer range")
		}
		most = min(n, most)
	}
	key, id := r.query.Get("key-marker"), r.query.Get("version-id-marker")
	if id != "" && key == "" {
		return nil, wire.Errorf(http.StatusBadRequest, "InvalidArgument", "A version-id marker cannot be specified without a key marker.")
	}
	all, err := s.objects.list(r.bucket, r.query.Get("prefix"))
	if err != nil {
		return nil, direct(err)
	}
	// From the markers on, be what they name deleted by now.
	if key != "" {
		all = slices.DeleteFunc(all, func(one listed) bool {
			return one.key < key || one.key == key && (id == "" || !behind(one.id, id))
		})
	}
	type entry struct {
		XMLName      xml.Name
		Key          string
		VersionID    string `xml:"VersionId"`
		IsLatest     bool
		LastModified string
		ETag         string `xml:",omitempty"`
		Size         *int64 `xml:",omitempty"`
		StorageClass string `xml:",omitempty"`
	}
	out := struct {
		XMLName             xml.Name `xml:"ListVersionsResult"`
		Name                string
		Prefix              string
		KeyMarker           string
		VersionIDMarker     string `xml:"VersionIdMarker"`
		NextKeyMarker       string `xml:",omitempty"`
		NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
		MaxKeys             int
		IsTruncated         bool
		Entries             []entry
	}{Name: r.bucket, Prefix: r.query.Get("prefix"), KeyMarker: key, VersionIDMarker: id, MaxKeys: most}
	if out.IsTruncated = len(all) > most; out.IsTruncated {
		all = all[:most]
		out.NextKeyMarker, out.NextVersionIDMarker = all[most-1].key, all[most-1].id
	}
	for _, one := range all {
		e := entry{
			XMLName: xml.Name{Local: "Version"}, Key: one.key, VersionID: one.id, IsLatest: one.latest,
			LastModified: one.modified.UTC().Format("2006-01-02T15:04:05.000Z"), ETag: one.etag, Size: &one.size, StorageClass: "STANDARD",
		}
		if one.marker {
			e.XMLName.Local, e.ETag, e.Size, e.StorageClass = "DeleteMarker", "", nil, ""
		}
		out.Entries = append(out.Entries, e)
	}
	return inXML(out)
}

// oneVersion answers GetObject and DeleteObject of a version.
func (s *Service) oneVersion(r request) (*wire.Reply, error) {
	id := r.query.Get(versionID)
	header := http.Header{"X-Amz-Version-Id": {id}}
	if r.operation == opDeleteObject {
		marker, err := s.objects.remove(r.bucket, r.key, id)
		if err != nil {
			return nil, direct(err)
		}
		if marker {
			header.Set("X-Amz-Delete-Marker", "true")
		}
		return &wire.Reply{Status: http.StatusNoContent, Header: header}, nil
	}
	one, err := s.objects.get(r.bucket, r.key, id)
	if err != nil {
		return nil, direct(err)
	}
	for name, value := range one.meta {
		if name == "Content-Type" || strings.HasPrefix(name, metaPrefix) {
			header.Set(name, value)
		}
	}
	header.Set("Etag", one.etag)
	header.Set("Last-Modified", one.modified.UTC().Format(http.TimeFormat))
	header.Set("Content-Length", strconv.Itoa(len(one.body)))
	return &wire.Reply{Status: http.StatusOK, Header: header, Body: one.body}, nil
}
