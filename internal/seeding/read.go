package seeding

import (
	"bytes"
	"context"
	"fmt"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/scan"
	"poolferry/internal/userpool"
)

// batch is the reading of one batch.
type batch struct {
	seeding    *Seeding
	generation manifest.Generation
	start      manifest.Checkpoint
	limits     scan.Limits
	share      scan.Share
	patience   *scan.Patience

	part  *openPart // that is being written
	bytes int64     // of the parts before

	// What was read.
	lines int
	parts []manifest.PartRef
}

// page is a page of either content.
type page struct {
	users   []userpool.User
	members []manifest.Member
}

// source returns the page behind a cursor.
type source = scan.Source[page]

// read reads pages, and writes what it has read as parts.
func (b *batch) read(ctx context.Context) (scan.Outcome, error) {
	from, err := b.source(ctx)
	if err != nil {
		return scan.Outcome{}, err
	}
	reading := scan.Batch[page]{From: from, Cursor: b.start.Cursor, Patience: b.patience, Share: b.share, Take: b.write}
	read, err := reading.Read(ctx)
	if err != nil || b.part == nil {
		return read, err
	}
	return read, b.finish(ctx)
}

// write writes a page, and reports whether a limit of size is reached.
func (b *batch) write(ctx context.Context, p page) (full bool, err error) {
	for _, u := range p.users {
		if err := b.add(ctx, func(w *manifest.PartWriter) error { return w.Profile(u) }); err != nil {
			return false, err
		}
	}
	for _, m := range p.members {
		if err := b.add(ctx, func(w *manifest.PartWriter) error { return w.Member(m) }); err != nil {
			return false, err
		}
	}
	lines, size := b.lines, b.bytes
	if b.part != nil {
		lines, size = lines+b.part.writer.Count(), size+b.part.writer.ContentBytes()
	}
	return lines >= b.limits.Lines || size >= b.limits.Bytes, nil
}

// add writes a line. A user who comes up again ends a part, for each is in a part
// once, and the later line counts.
func (b *batch) add(ctx context.Context, line func(*manifest.PartWriter) error) (err error) {
	for range 2 {
		if b.part == nil {
			if b.part, err = b.begin(); err != nil {
				return err
			}
		}
		if err = line(b.part.writer); !is(err, fault.AlreadyExists) {
			break
		}
		if err = b.finish(ctx); err != nil {
			return err
		}
	}
	if is(err, fault.Invalid) {
		return &scan.Refusal{Reason: err.Error()} // names attributes and subs, never values
	}
	return err
}

// openPart is a part that is being written.
type openPart struct {
	header manifest.Header
	stored bytes.Buffer
	writer *manifest.PartWriter
}

func (b *batch) begin() (part *openPart, err error) {
	part = &openPart{header: b.start.PartHeader(len(b.start.Parts) + len(b.parts))}
	part.writer, err = manifest.NewPartWriter(&part.stored, part.header)
	return part, err
}

// finish stores the part.
func (b *batch) finish(ctx context.Context) error {
	part := b.part
	ref, err := part.writer.Close()
	if err != nil {
		return err
	}
	ref, err = b.seeding.o.Store.WritePart(ctx, part.header, part.stored.Bytes(), ref)
	if err != nil {
		return fmt.Errorf("part %d of attempt %d: %w", part.header.Part, part.header.Attempt, err)
	}
	b.parts = append(b.parts, ref)
	b.lines += ref.Count
	b.bytes += part.writer.ContentBytes()
	b.part = nil
	return nil
}

// source returns what lists the shard.
func (b *batch) source(ctx context.Context) (source, error) {
	if b.start.Shard.Content == manifest.Members {
		groups, _, err := b.seeding.o.Store.ReadGroups(ctx, b.generation.Origin)
		if err != nil {
			return nil, err
		}
		return members{b.seeding.o.Directory, groups.Groups}.page, nil
	}
	return b.seeding.profiles(b.start.Shard), nil
}

// profiles lists the users of a shard, without the attributes that the mapping
// drops.
func (s *Seeding) profiles(shard manifest.Shard) source {
	dropped, listed := s.dropped(), scan.Users(s.o.Directory, shard)
	return func(ctx context.Context, cursor manifest.Cursor) (page, manifest.Cursor, error) {
		users, next, err := listed(ctx, cursor)
		for _, u := range users {
			for name := range dropped {
				delete(u.Attributes, name)
			}
		}
		return page{users: users}, next, err
	}
}
