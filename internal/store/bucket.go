package store

import (
	"context"
	"iter"
)

// Bucket is as much of S3 as a run needs. Reads see every write that was
// answered before. Errors have the kinds of package fault and name bucket and
// key.
type Bucket interface {
	// Get returns an object; fault.NotFound where there is none.
	Get(ctx context.Context, key string) (Object, error)

	// GetRange returns length bytes of an object from offset on: all of them, or
	// an error, of kind fault.Invalid where the object ends before. No bytes at all
	// need no object.
	GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error)

	// Put writes an object if the condition holds, and returns its new tag.
	// Where it does not hold the error is of kind fault.AlreadyExists for
	// IfAbsent, and fault.Conflict for IfMatch, also where there is no object
	// any more. A write whose answer was lost may have happened.
	Put(ctx context.Context, key string, body []byte, when Condition) (tag string, err error)

	// List yields the objects whose keys begin with prefix, in the order of the
	// bytes of their keys. An error ends it.
	List(ctx context.Context, prefix string) iter.Seq2[Entry, error]

	// Delete removes an object; that there is none is no error.
	Delete(ctx context.Context, key string) error
}

// Versioned is a Bucket with all that it keeps: whoever erases for good has to
// look at what objects were, too. In a bucket without versioning each object is
// one version.
type Versioned interface {
	Bucket

	// ListVersions yields the versions of the objects whose keys begin with prefix,
	// and their delete markers, key by key but otherwise in no order. An error ends
	// it. Versions that are listed may be deleted on the way.
	ListVersions(ctx context.Context, prefix string) iter.Seq2[Version, error]

	// GetVersion returns a version that is no delete marker; fault.NotFound where
	// there is none.
	GetVersion(ctx context.Context, key, id string) (Object, error)

	// DeleteVersion removes a version, or a delete marker, for good; that there is
	// none is no error. Of the latest version the one before takes the place.
	DeleteVersion(ctx context.Context, key, id string) error
}

// Version is one version of an object in a list.
type Version struct {
	Key    string
	ID     string
	Tag    string // empty for a delete marker
	Bytes  int64
	Latest bool // what Get and List see, unless it is a delete marker
	Marker bool // a delete marker
}

// Object is an object that was read.
type Object struct {
	Body []byte
	Tag  string
}

// Entry is an object in a list.
type Entry struct {
	Key   string
	Bytes int64
}

// Condition is what must hold for a write. The zero value always holds.
type Condition struct {
	absent  bool
	matches bool
	tag     string
}

// IfAbsent holds where there is no object under the key.
func IfAbsent() Condition { return Condition{absent: true} }

// IfMatch holds where the object under the key has the tag.
func IfMatch(tag string) Condition { return Condition{matches: true, tag: tag} }

// Absent reports whether the condition is IfAbsent.
func (c Condition) Absent() bool { return c.absent }

// Tag returns the tag of an IfMatch condition; ok is false for any other.
func (c Condition) Tag() (tag string, ok bool) { return c.tag, c.matches }
