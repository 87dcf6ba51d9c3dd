// Package measure measures what the design promises: the trigger's own time,
// its waits against simpler triggers, its start, and its success when AWS
// fails.
//
// Vocabulary: a row is one number with its goal; a wait is time spent in the
// sandbox's server, that is, where AWS would be; own time is everything else,
// the SDK and the loopback network included.
package measure

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// Row is one number.
type Row struct {
	What  string
	Value string
	Goal  string // empty where there is none
}

// All runs every measurement and prints the table; talk says what is going on.
func All(ctx context.Context, out, talk io.Writer) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleRounded)
	t.AppendHeader(table.Row{"what", "measured", "goal"})
	for _, m := range []struct {
		name string
		run  func(context.Context) ([]Row, error)
	}{
		{"own time per sign-in", ownTime},
		{"waits, with the latency of two continents", waits},
		{"start of the built binary", start},
		{"seeding against a quota", quotaBound},
		{"seeding against latency", latencyBound},
		{"seeding of 1,000,000 users", million},
		{"reconciling 1,000,000 and 10,000,000 profiles", reconciling},
		{"reconciling 200,000 users on the sandbox", workflow},
		{"the report", reporting},
		{"10,000 sign-ins, 1 % of the source's calls failing", failures},
	} {
		fmt.Fprintf(talk, "measuring: %s\n", m.name)
		rows, err := m.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		t.AppendSeparator()
		for _, r := range rows {
			t.AppendRow(table.Row{r.What, r.Value, r.Goal})
		}
	}
	fmt.Fprintf(out, "%s, %s/%s, %d cores\n%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), t.Render())
	return nil
}

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.2f", a.Seconds()/b.Seconds()) }

func round(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }
