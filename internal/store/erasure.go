package store

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"poolferry/internal/document"
	"poolferry/internal/erasure"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
)

// Erasure is a run with all versions of its objects, for those who erase for good.
type Erasure struct {
	*Run
	versioned Versioned
}

var _ erasure.Store = (*Erasure)(nil)

// NewErasure returns a run as Versioned shows it.
func NewErasure(bucket Versioned, id string) *Erasure {
	return &Erasure{NewRun(bucket, id), bucket}
}

// Versions yields all versions of the run's objects, and their delete markers.
func (e *Erasure) Versions(ctx context.Context) iter.Seq2[erasure.Version, error] {
	return func(yield func(erasure.Version, error) bool) {
		for v, err := range e.versioned.ListVersions(ctx, e.prefix) {
			if err != nil {
				yield(erasure.Version{}, err)
				return
			}
			if !yield(erasure.Version{
				Key: strings.TrimPrefix(v.Key, e.prefix), ID: v.ID, Tag: v.Tag, Bytes: v.Bytes, Latest: v.Latest, Marker: v.Marker,
			}, nil) {
				return
			}
		}
	}
}

// ReadVersion reads a version.
func (e *Erasure) ReadVersion(ctx context.Context, v erasure.Version) ([]byte, error) {
	o, err := e.versioned.GetVersion(ctx, e.prefix+v.Key, v.ID)
	return o.Body, err
}

// DeleteVersion deletes a version, or a delete marker, for good.
func (e *Erasure) DeleteVersion(ctx context.Context, v erasure.Version) error {
	return e.versioned.DeleteVersion(ctx, e.prefix+v.Key, v.ID)
}

// Read reads an object by its key relative to the run, and the tag with which it
// can be replaced.
func (e *Erasure) Read(ctx context.Context, key string) (data []byte, tag string, err error) {
	return e.get(ctx, key)
}

// Create writes an object whose key has its digest in it: whatever is there can
// only be the same.
func (e *Erasure) Create(ctx context.Context, key string, data []byte) error {
	_, err := e.bucket.Put(ctx, e.prefix+key, data, Condition{})
	return err
}

// Replace replaces the object that has the tag. The error is of kind fault.Conflict
// where it is another one by now.
func (e *Erasure) Replace(ctx context.Context, key string, data []byte, tag string) error {
	_, err := e.swap(ctx, key, data, tag)
	return e.about(key, err)
}

// ReplaceManifest replaces the final word on a generation by one without somebody.
func (e *Erasure) ReplaceManifest(ctx context.Context, m manifest.Manifest) error {
	data, err := m.Encode()
	if err != nil {
		return err
	}
	return e.over(ctx, manifestKey(m.Generation), data)
}

// ReplaceCommit replaces the final word on a shard by one without somebody.
func (e *Erasure) ReplaceCommit(ctx context.Context, c manifest.Commit) error {
	data, err := c.Encode()
	if err != nil {
		return err
	}
	return e.over(ctx, commitKey(c.Generation, c.Shard.ID), data)
}

// over replaces an object that is there.
func (e *Erasure) over(ctx context.Context, key string, data []byte) error {
	standing, tag, err := e.get(ctx, key)
	if err != nil || bytes.Equal(standing, data) {
		return err
	}
	return e.Replace(ctx, key, data, tag)
}

// digested is where a key has the beginning of the object's digest.
var digested = regexp.MustCompile(`-[0-9a-f]{12}\.`)

// Redigested returns the key of an object whose bytes are others now.
func (e *Erasure) Redigested(key string, stored document.Digest) string {
	at := digested.FindAllStringIndex(key, -1)
	if len(at) == 0 {
		return key
	}
	last := at[len(at)-1]
	return fmt.Sprintf("%s-%.12s.%s", key[:last[0]], stored, key[last[1]:])
}

// Working says in words which work of the run is not done, beside seedings and
// reconciliations.
func (e *Erasure) Working(ctx context.Context, now time.Time) (work []string, err error) {
	s, _, err := e.ReadSettle(ctx)
	switch {
	case err == nil && s.Holder != nil && now.Before(s.Holder.Until):
		work = append(work, fmt.Sprintf("the settling after reconciliation %s, which was alive at %s", s.Holder.ID, s.Updated.Format(time.RFC3339)))
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return nil, err
	}
	imports, err := e.importing(ctx, now)
	return append(work, imports...), err
}

// importing says which imports of the tail are not done. One that nobody works on
// any more is none of them, since it may never go on, unless Cognito may still read
// its file.
func (e *Erasure) importing(ctx context.Context, now time.Time) (work []string, err error) {
	lease, _, err := e.ReadTailLease(ctx)
	held := err == nil && lease.Held(now)
	switch {
	case held:
		work = append(work, fmt.Sprintf("import %s of the tail, which is at work since %s", lease.ID, lease.Taken.Format(time.RFC3339)))
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return nil, err
	}
	tails, err := e.ListTails(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range tails {
		t, _, err := e.LoadTail(ctx, id)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return nil, err
		}
		if job := t.Loose(); job != "" && (!held || id != lease.ID) {
			work = append(work, fmt.Sprintf("import %s of the tail, whose job %s has a file and is not known to have ended: it has to be gone on with", id, job))
		}
	}
	return work, nil
}

// ReadNote reads what is known of a person who is being forgotten, and the tag with
// which it can be replaced.
func (e *Erasure) ReadNote(ctx context.Context, sub document.Digest) (erasure.Note, string, error) {
	key := forgettingKey(sub)
	data, tag, err := e.get(ctx, key)
	if err != nil {
		return erasure.Note{}, "", err
	}
	n, err := erasure.DecodeNote(data)
	if err == nil {
		err = n.Of(e.id, sub)
	}
	return n, tag, e.about(key, err)
}

// SwapNote replaces the note that has the tag; an empty tag stands for no note.
func (e *Erasure) SwapNote(ctx context.Context, n erasure.Note, tag string) error {
	data, err := n.Encode()
	if err == nil {
		_, err = e.swap(ctx, forgettingKey(n.SubSHA256), data, tag)
	}
	return err
}

// WriteReceipt writes that a person was forgotten, in place of what says so of an
// earlier time. One that was written by an execution that was killed afterwards
// stands.
func (e *Erasure) WriteReceipt(ctx context.Context, r erasure.Receipt) error {
	data, err := r.Encode()
	if err != nil {
		return err
	}
	key := forgottenKey(r.SubSHA256)
	standing, tag, err := e.get(ctx, key)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	if err == nil {
		if old, err := erasure.DecodeReceipt(standing); err == nil && old.Begun.Equal(r.Begun) {
			return nil
		}
	}
	_, err = e.swap(ctx, key, data, tag)
	return err
}

// ReadReceipt reads that a person was forgotten.
func (e *Erasure) ReadReceipt(ctx context.Context, sub document.Digest) (erasure.Receipt, error) {
	return read(ctx, e.Run, forgottenKey(sub), func(data []byte) (erasure.Receipt, error) {
		r, err := erasure.DecodeReceipt(data)
		if err == nil {
			err = r.Of(e.id, sub)
		}
		return r, err
	})
}

// LoadPurge reads the receipt of the last purge, and the tag with which it can be
// replaced. The error is of kind fault.NotFound where there was none.
func (e *Erasure) LoadPurge(ctx context.Context) (erasure.PurgeReceipt, string, error) {
	var last string
	for entry, err := range e.bucket.List(ctx, e.prefix+purgedFolder) {
		if err != nil {
			return erasure.PurgeReceipt{}, "", err
		}
		last = strings.TrimPrefix(entry.Key, e.prefix)
	}
	if last == "" {
		return erasure.PurgeReceipt{}, "", fault.New(fault.NotFound, "run %s was never purged", e.id)
	}
	data, tag, err := e.get(ctx, last)
	if err != nil {
		return erasure.PurgeReceipt{}, "", err
	}
	r, err := erasure.DecodePurge(data)
	if err == nil {
		err = r.OfRun(e.id)
	}
	return r, tag, e.about(last, err)
}

// SwapPurge replaces the receipt that has the tag; an empty tag stands for no
// receipt.
func (e *Erasure) SwapPurge(ctx context.Context, r erasure.PurgeReceipt, tag string) error {
	data, err := r.Encode()
	if err == nil {
		_, err = e.swap(ctx, purgedKey(r.Begun), data, tag)
	}
	return err
}

// EncryptionKeys returns the ids of the keys with which the bucket encrypts; of
// S3's own keys the algorithm. In memory nothing is encrypted.
func (e *Erasure) EncryptionKeys(ctx context.Context) ([]string, error) {
	if b, ok := e.versioned.(interface {
		EncryptionKeys(ctx context.Context) ([]string, error)
	}); ok {
		return b.EncryptionKeys(ctx)
	}
	return nil, nil
}

// EncryptionKeys returns the ids of the keys with which the bucket encrypts; of
// S3's own keys the algorithm.
func (b *S3) EncryptionKeys(ctx context.Context) (keys []string, err error) {
	out, err := b.client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &b.bucket, ExpectedBucketOwner: b.owner})
	if err != nil {
		return nil, fault.New(kindOf(err), "read with which keys bucket %s encrypts (s3:GetEncryptionConfiguration): %w", b.bucket, err)
	}
	if out.ServerSideEncryptionConfiguration == nil {
		return nil, nil
	}
	for _, rule := range out.ServerSideEncryptionConfiguration.Rules {
		if d := rule.ApplyServerSideEncryptionByDefault; d != nil {
			key := aws.ToString(d.KMSMasterKeyID)
			if key == "" {
				key = string(d.SSEAlgorithm)
			}
			keys = append(keys, key)
		}
	}
	return keys, nil
}
