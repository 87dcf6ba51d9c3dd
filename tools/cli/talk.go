package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// talk tells a person what is going on: on a terminal with progress bars,
// elsewhere in plain lines that read well in a log.
type talk struct {
	w        io.Writer
	terminal bool
	colour   bool
}

func newTalk(w io.Writer) *talk {
	terminal := isTerminal(w)
	_, plain := os.LookupEnv("NO_COLOR") // https://no-color.org
	return &talk{w: w, terminal: terminal, colour: terminal && !plain}
}

func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Say tells one line.
func (t *talk) Say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.w, format+"\n", args...)
}

// Progress starts to count up to total. tick may be called concurrently; done
// ends the count, complete or not.
func (t *talk) Progress(what string, total int) (tick, done func()) {
	if t.terminal {
		return t.bar(what, total)
	}
	return t.lines(what, total)
}

func (t *talk) bar(what string, total int) (tick, done func()) {
	bar := progressbar.NewOptions(total,
		progressbar.OptionSetWriter(t.w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionEnableColorCodes(t.colour),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(30),
	)
	return func() { _ = bar.Add(1) }, func() {
		_ = bar.Exit() // keeps what is there: a bar that stopped half-way shows it
		_, _ = fmt.Fprintln(t.w)
	}
}

// lines tells every fifth of the way.
func (t *talk) lines(what string, total int) (tick, done func()) {
	var (
		mu    sync.Mutex
		count int
		told  int
	)
	step := max(1, total/5)
	return func() {
			mu.Lock()
			defer mu.Unlock()
			count++
			if count%step == 0 && total-count >= step {
				told = count
				t.Say("%s: %d of %d", what, count, total)
			}
		}, func() {
			mu.Lock()
			defer mu.Unlock()
			if told != count || count == 0 {
				t.Say("%s: %d of %d", what, count, total)
			}
		}
}
