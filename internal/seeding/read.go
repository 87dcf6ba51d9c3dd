package seeding

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// batch is the reading of one batch.
type batch struct {
	seeding    *Seeding
	generation manifest.Generation
	start      manifest.Checkpoint
	limits     Limits
	patience   *patience

	concurrency int
	shared      time.Time // when the share of the pace was right

	// What was read.
	pages int
	lines int
	next  manifest.Cursor
	parts []manifest.PartRef

	full atomic.Bool // a limit of size is reached
}

// page is a page of either content.
type page struct {
	users   []userpool.User
	members []manifest.Member
	next    manifest.Cursor
}

// source returns the page behind a cursor.
type source func(ctx context.Context, cursor manifest.Cursor) (page, error)

// read reads pages, and writes what it has read as parts. While one page is on
// its way the one before is encoded. An error means that there is nothing to
// keep; where a later page fails, those before it are kept, and the next batch
// meets the failure again.
func (b *batch) read(ctx context.Context) error {
	from, err := b.source(ctx)
	if err != nil {
		return err
	}
	var ended error
	pages := make(chan page)
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(pages)
		ended = b.fetch(inner, from, pages)
		return nil
	})
	group.Go(func() error { return b.encode(inner, pages) })
	if err := group.Wait(); err != nil {
		return err
	}
	if b.pages == 0 {
		return ended
	}
	return nil
}

// fetch sends pages until a limit, the end or an error.
func (b *batch) fetch(ctx context.Context, from source, pages chan<- page) error {
	for cursor := b.start.Cursor; ; {
		var p page
		err := b.patience.do(ctx, func(ctx context.Context) (err error) {
			p, err = from(ctx, cursor)
			return err
		})
		if err != nil {
			return err
		}
		if p.next == cursor && cursor != "" {
			return &refusal{reasonStuck}
		}
		b.fitShare(ctx)
		select {
		case pages <- p:
		case <-ctx.Done():
			return ctx.Err()
		}
		cursor = p.next
		if cursor == "" || b.full.Load() || !b.seeding.o.Now().Before(b.patience.until) {
			return nil
		}
	}
}

// fitShare asks anew for the share of the pace, now and then. An answer that
// does not come leaves it as it is.
func (b *batch) fitShare(ctx context.Context) {
	now := b.seeding.o.Now()
	if now.Sub(b.shared) < shareEvery {
		return
	}
	b.shared = now
	if share, err := b.seeding.share(ctx, b.generation, b.concurrency); err == nil {
		b.patience.budget.Refit(share)
	}
}

// encode writes pages into parts. A user who comes up again ends a part, for
// each is in a part once, and the later line counts.
func (b *batch) encode(ctx context.Context, pages <-chan page) error {
	var part *openPart
	var bytes int64
	add := func(write func(*manifest.PartWriter) error) (err error) {
		for range 2 {
			if part == nil {
				if part, err = b.begin(); err != nil {
					return err
				}
			}
			if err = write(part.writer); !is(err, fault.AlreadyExists) {
				break
			}
			bytes += part.writer.ContentBytes()
			if err = b.finish(ctx, part); err != nil {
				return err
			}
			part = nil
		}
		if is(err, fault.Invalid) {
			return &refusal{err.Error()} // names attributes and subs, never values
		}
		return err
	}
	for p := range pages {
		for _, u := range p.users {
			if err := add(func(w *manifest.PartWriter) error { return w.Profile(u) }); err != nil {
				return err
			}
		}
		for _, m := range p.members {
			if err := add(func(w *manifest.PartWriter) error { return w.Member(m) }); err != nil {
				return err
			}
		}
		b.pages++
		b.next = p.next
		lines, size := b.lines, bytes
		if part != nil {
			lines, size = lines+part.writer.Count(), size+part.writer.ContentBytes()
		}
		if lines >= b.limits.Lines || size >= b.limits.Bytes {
			b.full.Store(true)
		}
	}
	if part == nil {
		return nil
	}
	return b.finish(ctx, part)
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

func (b *batch) finish(ctx context.Context, part *openPart) error {
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
	dropped, prefix := s.dropped(), shard.Prefix()
	return func(ctx context.Context, cursor manifest.Cursor) (page, error) {
		listed, err := s.o.Directory.ListUsers(ctx, shard.Filter, cursor)
		if err != nil {
			return page{}, err
		}
		for _, u := range listed.Items {
			if !strings.HasPrefix(string(u.Sub), prefix) {
				return page{}, &refusal{whyNotHonoured}
			}
			for name := range dropped {
				delete(u.Attributes, name)
			}
		}
		return page{users: lastOfEach(listed.Items), next: listed.Next}, nil
	}
}

// lastOfEach keeps the last of the lines about each user.
func lastOfEach(users []userpool.User) []userpool.User {
	last := make(map[userpool.Sub]int, len(users))
	for i, u := range users {
		last[u.Sub] = i
	}
	kept := users[:0]
	for i, u := range users {
		if last[u.Sub] == i {
			kept = append(kept, u)
		}
	}
	return kept
}
