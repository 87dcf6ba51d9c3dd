package scan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/scan"
	"poolferry/internal/userpool"
)

// coded is an error as the SDK has it, with a text that nobody may see.
type coded struct{}

func (coded) Error() string     { return "User: ann@example.com is not authorized" }
func (coded) ErrorCode() string { return "AccessDeniedException" }

func TestJudge(t *testing.T) {
	giveUp := func(kind fault.Kind, reason string) scan.Ruling {
		return scan.Ruling{GiveUp: &manifest.Failure{Kind: kind, Reason: reason}}
	}
	serial, prefix := scan.Serial()[0], scan.Prefixes()[7]
	expired := fault.New(fault.Invalid, "list: %w", scan.ErrCursor)
	for name, c := range map[string]struct {
		err     error
		shard   manifest.Shard
		attempt int
		cursor  manifest.Cursor
		want    scan.Ruling
	}{
		"a refusal":                     {fmt.Errorf("x: %w", &scan.Refusal{Reason: "why"}), serial, 1, "c", giveUp(fault.Invalid, "why")},
		"a cursor too old":              {expired, serial, 1, "c", scan.Ruling{Restart: true}},
		"the same, of a prefix":         {expired, prefix, 4, "c", scan.Ruling{Restart: true}},
		"the fifth time":                {expired, serial, 5, "c", giveUp(fault.Conflict, scan.ReasonCursor)},
		"the sixth time":                {expired, serial, 6, "c", scan.Ruling{Restart: true}},
		"the tenth time":                {expired, serial, 10, "c", giveUp(fault.Conflict, scan.ReasonCursor)},
		"a filter refused":              {fault.New(fault.Invalid, "filter"), prefix, 1, "", giveUp(fault.Invalid, scan.WhyRefused)},
		"invalid, on the way":           {fault.New(fault.Invalid, "odd"), prefix, 1, "c", giveUp(fault.Invalid, "directory: Invalid")},
		"invalid, without a filter":     {fault.New(fault.Invalid, "odd"), serial, 1, "", giveUp(fault.Invalid, "directory: Invalid")},
		"denied":                        {fault.New(fault.Denied, "list: %w", coded{}), serial, 1, "", giveUp(fault.Denied, "directory: AccessDeniedException")},
		"no such pool":                  {fault.New(fault.NotFound, "gone"), serial, 1, "c", giveUp(fault.NotFound, "directory: NotFound")},
		"throttled":                     {fault.New(fault.Throttled, "busy"), serial, 1, "c", scan.Ruling{}},
		"silent":                        {context.DeadlineExceeded, prefix, 1, "", scan.Ruling{}},
		"a bug of ours is not the pool": {errors.New("x"), prefix, 1, "", scan.Ruling{}},
	} {
		if diff := cmp.Diff(c.want, scan.Judge(c.err, c.shard, c.attempt, c.cursor)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCodeWord(t *testing.T) {
	for text, want := range map[string]string{
		"States.Timeout": "States.Timeout", "Lambda.Unknown": "Lambda.Unknown", "": "unrecognised",
		"no such ann@example.com": "unrecognised", strings.Repeat("x", 81): "unrecognised",
	} {
		if got := scan.CodeWord(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestShards(t *testing.T) {
	all, filters := "", scan.Prefixes()
	for _, s := range filters {
		all += s.Prefix()
	}
	if all != "0123456789abcdef" || !scan.ByPrefix(filters) || scan.ByPrefix(scan.Serial()) || scan.Serial()[0].Prefix() != "" {
		t.Errorf("%+v", filters)
	}
}

func TestShare(t *testing.T) {
	open, asked := 0, 0
	count := func(context.Context) (int, error) { asked++; return open, nil }
	for _, c := range []struct {
		concurrency, open int
		want              float64
	}{{1, 9, 12}, {0, 9, 12}, {4, 0, 12}, {4, 1, 12}, {4, 2, 6}, {4, 4, 3}, {4, 16, 3}} {
		open = c.open
		got, err := scan.Share{PerSecond: 12, Concurrency: c.concurrency, Open: count}.Now(t.Context())
		if err != nil || got != c.want {
			t.Errorf("%d at a time, %d open: %v, %v, want %v", c.concurrency, c.open, got, err, c.want)
		}
	}
	if asked != 5 {
		t.Errorf("asked %d times, of which two did not need to know", asked)
	}
}

func TestLimitsWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := scan.Limits{Time: 40 * time.Second, Lines: 1, Bytes: 2}
		for left, want := range map[time.Duration]time.Duration{time.Minute: 40 * time.Second, 50 * time.Second: 35 * time.Second, 10 * time.Second: -5 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			if got := limits.Within(ctx); got != (scan.Limits{Time: want, Lines: 1, Bytes: 2}) {
				t.Errorf("%s left: %+v", left, got)
			}
		}
		if got := limits.Within(t.Context()); got != limits {
			t.Errorf("without a deadline: %+v", got)
		}
	})
}

// book is a directory whose cursors are page numbers.
type book struct {
	pages  [][]userpool.User
	errs   map[manifest.Cursor]error
	stuck  bool // the last page is followed by itself
	listed int
}

func (b *book) Describe(context.Context) (scan.Description, error) { return scan.Description{}, nil }

func (b *book) ListUsers(_ context.Context, _ string, cursor manifest.Cursor) (page scan.Page[userpool.User], err error) {
	b.listed++
	if err := b.errs[cursor]; err != nil {
		return page, err
	}
	n := len(cursor)
	page.Items = slices.Clone(b.pages[n])
	switch {
	case n+1 < len(b.pages):
		page.Next = cursor + "x"
	case b.stuck:
		page.Next = cursor
	}
	return page, nil
}

func users(subs ...userpool.Sub) (all []userpool.User) {
	for i, sub := range subs {
		all = append(all, userpool.User{Sub: sub, Username: fmt.Sprint(sub, i)})
	}
	return all
}

func read(t *testing.T, b *book, enough int) (names []string, out scan.Outcome, err error) {
	t.Helper()
	pace := scan.Share{PerSecond: 1000, Concurrency: 1}
	out, err = scan.Batch[[]userpool.User]{
		From: scan.Users(b, scan.Prefixes()[1]), Share: pace,
		Patience: scan.NewPatience("user_list", pace.PerSecond, time.Minute, time.Now, func() float64 { return 0 }),
		Take: func(_ context.Context, users []userpool.User) (bool, error) {
			for _, u := range users {
				if u.Username == "" {
					return false, errors.New("cannot take a user")
				}
				names = append(names, u.Username)
			}
			return len(names) >= enough, nil
		},
	}.Read(t.Context())
	return names, out, err
}

func TestBatch(t *testing.T) {
	broken := fault.New(fault.Denied, "no")
	pages := [][]userpool.User{users("1a", "1b", "1a"), nil, users("1c"), users("1a")}
	for name, c := range map[string]struct {
		book   book
		enough int
		names  []string
		out    scan.Outcome
		err    string
	}{
		"to the end":            {book{pages: pages}, 100, []string{"1b1", "1a2", "1c0", "1a0"}, scan.Outcome{Pages: 4}, ""},
		"a page may be empty":   {book{pages: [][]userpool.User{nil}}, 100, nil, scan.Outcome{Pages: 1}, ""},
		"broken at once":        {book{pages: pages, errs: map[manifest.Cursor]error{"": broken}}, 100, nil, scan.Outcome{}, "no"},
		"broken later":          {book{pages: pages, errs: map[manifest.Cursor]error{"xx": broken}}, 100, []string{"1b1", "1a2"}, scan.Outcome{Pages: 2, Next: "xx"}, ""},
		"one page":              {book{pages: pages[:1], stuck: true}, 100, []string{"1b1", "1a2"}, scan.Outcome{Pages: 1}, ""},
		"stuck later":           {book{pages: pages[:2], stuck: true}, 100, []string{"1b1", "1a2"}, scan.Outcome{Pages: 1, Next: "x"}, ""},
		"somebody of elsewhere": {book{pages: [][]userpool.User{users("1a"), users("2b")}}, 100, []string{"1a0"}, scan.Outcome{Pages: 1, Next: "x"}, ""},
		"nobody of here":        {book{pages: [][]userpool.User{users("2b")}}, 100, nil, scan.Outcome{}, scan.WhyNotHonoured},
		"somebody is not taken": {book{pages: [][]userpool.User{users("1a"), {{Sub: "1b"}}}}, 100, []string{"1a0"}, scan.Outcome{Pages: 1, Next: "x"}, "cannot take"},
		"enough with the first": {book{pages: pages}, 1, nil, scan.Outcome{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				names, out, err := read(t, &c.book, c.enough)
				if c.enough == 1 { // the next page may be on its way
					if err != nil || out.Pages > 2 || c.book.listed > 3 {
						t.Errorf("%+v, %v after %d pages", out, err, c.book.listed)
					}
					return
				}
				if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("got error %v, want %q", err, c.err)
				}
				if diff := cmp.Diff(c.names, names) + cmp.Diff(c.out, out); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
