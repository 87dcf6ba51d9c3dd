// Package items is what a Distributed Map runs over: where items come from and
// how they are put together for its children.
//
// Words: a source is an object, a list of objects or all objects of a list,
// one after another; a format is how an object holds items; a batch is what one
// child gets where items are not handed out one by one.
package items

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"

	"poolferry/internal/sandbox/s3"
	"poolferry/internal/sandbox/states/data"
)

// Objects is S3 as it is for a state machine's role.
type Objects interface {
	Get(ctx context.Context, bucket, key string) ([]byte, error)
	List(ctx context.Context, bucket, prefix string) ([]s3.Object, error)
}

// Kind is a format's name, ReaderConfig's InputType.
type Kind string

// The kinds.
const (
	JSON  Kind = "JSON"
	JSONL Kind = "JSONL"
	CSV   Kind = "CSV"
)

// MaxItems is the most that an ItemReader hands on (Step Functions Developer
// Guide, ItemReader).
const MaxItems = 100_000_000

// Format says how an object holds items.
type Format struct {
	Kind      Kind
	Headers   []string // of CSV; nil means that they are in the first row
	Delimiter rune     // of CSV
}

// Error is why an object's items cannot be read, in the words of the failure
// that Step Functions reports.
type Error struct{ text string }

func (e *Error) Error() string { return e.text }

func unreadable(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Source is an ItemReader of which all is known.
type Source struct {
	Bucket string
	Key    string // of the one object; empty for a list
	Prefix string // of a list
	Load   bool   // the items are in the list's objects
	Format Format // of the object, or of those that are loaded
	Limit  int64  // 0 means all
}

// Read returns the items. Objects that are gzip are unpacked. The error is an
// *Error, or that of objects.
func (s Source) Read(ctx context.Context, objects Objects) ([]any, error) {
	if s.Key != "" {
		return s.object(ctx, objects, s.Key, s.most())
	}
	list, err := objects.List(ctx, s.Bucket, s.Prefix)
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, o := range list {
		left := s.most() - int64(len(all))
		if left <= 0 {
			break
		}
		if !s.Load {
			all = append(all, listed(o))
			continue
		}
		more, err := s.object(ctx, objects, o.Key, left)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// most is how many items are wanted.
func (s Source) most() int64 {
	if s.Limit <= 0 || s.Limit > MaxItems {
		return MaxItems
	}
	return s.Limit
}

func (s Source) object(ctx context.Context, objects Objects, key string, limit int64) ([]any, error) {
	body, err := objects.Get(ctx, s.Bucket, key)
	if err != nil {
		return nil, err
	}
	return s.Format.Parse(body, limit)
}

// listed is an object as an item (Step Functions Developer Guide, ItemReader).
func listed(o s3.Object) any {
	return map[string]any{
		"Etag": o.ETag, "Key": o.Key, "LastModified": data.Number(o.LastModified.Unix()),
		"Size": data.Number(o.Size), "StorageClass": o.StorageClass,
	}
}

// Parse reads up to limit items from an object. The error is an *Error.
func (f Format) Parse(body []byte, limit int64) ([]any, error) {
	body, err := unpacked(body)
	if err != nil {
		return nil, err
	}
	switch f.Kind {
	case JSONL:
		return parseLines(body, limit)
	case CSV:
		return f.parseCSV(body, limit)
	}
	return parseArray(body, limit)
}

var gzipMagic = []byte{0x1f, 0x8b}

func unpacked(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, gzipMagic) {
		return body, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, unreadable("Unable to read GZIP data: %v", err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, unreadable("Unable to read GZIP data: %v", err)
	}
	return plain, nil
}

func parseArray(body []byte, limit int64) ([]any, error) {
	v, err := data.Parse(body)
	if err != nil {
		return nil, unreadable("Unable to parse JSON data: %v", err)
	}
	all, ok := v.([]any)
	if !ok {
		return nil, unreadable("Attempting to map over non-iterable node.")
	}
	return all[:min(int64(len(all)), limit)], nil
}

func parseLines(body []byte, limit int64) ([]any, error) {
	all, number := []any{}, 0
	for line := range bytes.Lines(body) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if int64(len(all)) >= limit {
			break
		}
		v, err := data.Parse(line)
		if err != nil {
			return nil, unreadable("Unable to parse JSON data at line %d: %v", number, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// parseCSV makes an object of every row. A row can be shorter or longer than
// the headers: what is missing is empty, what is too much is left out.
func (f Format) parseCSV(body []byte, limit int64) ([]any, error) {
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord, r.LazyQuotes, r.Comma = -1, true, f.Delimiter
	headers := f.Headers
	if headers == nil {
		first, err := r.Read()
		if errors.Is(err, io.EOF) {
			return []any{}, nil
		}
		if err != nil {
			return nil, unreadable("Unable to parse CSV data: %v", err)
		}
		headers = first
	}
	if sorted := slices.Sorted(slices.Values(headers)); len(slices.Compact(sorted)) < len(headers) {
		return nil, unreadable("CSV headers cannot contain duplicates.")
	}
	all := []any{}
	for int64(len(all)) < limit {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unreadable("Unable to parse CSV data: %v", err)
		}
		item := map[string]any{}
		for i, name := range headers {
			item[name] = ""
			if i < len(row) {
				item[name] = row[i]
			}
		}
		all = append(all, item)
	}
	return all, nil
}
