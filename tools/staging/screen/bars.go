package screen

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"poolferry/internal/seeding"
	"poolferry/tools/staging"
)

// Bars shows a bar for each shard, and one for all of them. Close it.
type Bars struct {
	w          io.Writer
	options    []mpb.ContainerOption
	all        *mpb.Progress // nil before there is something to show
	shards     []*bar
	total      *bar
	generation int
}

var _ staging.Screen = (*Bars)(nil)

// NewBars returns bars for the terminal that w writes to.
func NewBars(w io.Writer) *Bars { return newBars(w) }

func newBars(w io.Writer, options ...mpb.ContainerOption) *Bars {
	return &Bars{w: w, options: append(options, mpb.WithOutput(w))}
}

// Show implements staging.Screen.
func (b *Bars) Show(p staging.Progress, _ bool) {
	if b.all == nil || p.Generation != b.generation || len(p.Shards) != len(b.shards) {
		b.Close()
		b.begin(p)
	}
	for i, s := range p.Shards {
		b.shards[i].set(s.Count, p.Share(s), s.State == seeding.ShardCommitted, shardText(s))
	}
	b.total.set(p.Profiles, p.Estimate, p.Done, fmt.Sprintf("%s: %s", p.Standing, p.Summary()))
}

func shardText(s seeding.ShardStatus) string {
	text := fmt.Sprintf("%d %s, %s", s.Count, s.Content, s.State)
	if s.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", s.Attempt)
	}
	if s.Reason != "" {
		text += fmt.Sprintf(": %s (%s)", s.Reason, s.Kind)
	}
	return text
}

// Say implements staging.Screen.
func (b *Bars) Say(format string, args ...any) {
	var w io.Writer = b.all // writes above the bars
	if b.all == nil {
		w = b.w
	}
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}

// Close draws the bars as they now are and leaves them there.
func (b *Bars) Close() {
	if b.all == nil {
		return
	}
	for _, each := range append(b.shards, b.total) {
		each.Abort(false)
	}
	b.all.Wait()
	b.all, b.shards, b.total = nil, nil, nil
}

func (b *Bars) begin(p staging.Progress) {
	b.all, b.generation = mpb.New(b.options...), p.Generation
	for _, s := range p.Shards {
		b.shards = append(b.shards, b.add(s.Shard))
	}
	b.total = b.add("all")
	if p.Generation > 1 {
		b.Say("run %s, generation %d%s", p.Run, p.Generation, because(p))
	}
}

// bar is a bar with a text behind it that changes.
type bar struct {
	*mpb.Bar
	text *atomic.Pointer[string]
}

func (b *Bars) add(name string) *bar {
	text := new(atomic.Pointer[string])
	text.Store(new(string))
	// A total of 0, to be set later: otherwise mpb ends a bar that reaches it, and
	// an estimate is often reached early.
	return &bar{text: text, Bar: b.all.New(0, mpb.BarStyle(),
		mpb.BarWidth(barWidth),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + *text.Load() })),
	)}
}

// barWidth is that of the talk's other bars.
const barWidth = 30

func (b *bar) set(count, total int, complete bool, text string) {
	b.text.Store(&text)
	if complete {
		total = max(1, count)
		count = total
	} else {
		total = max(total, count+1)
	}
	b.SetTotal(int64(total), false)
	b.SetCurrent(int64(count))
}
