package staging

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"poolferry/internal/manifest"
	"poolferry/tools/typeset"
)

// WriteText writes the progress for a person.
func (p Progress) WriteText(w io.Writer, now time.Time) error {
	var b strings.Builder
	generation := "no generation yet"
	if p.Generation > 0 {
		generation = fmt.Sprintf("generation %d", p.Generation)
	}
	fmt.Fprintf(&b, "run %s, %s: %s\n", p.Run, generation, p.Standing)
	typeset.Row(&b, "from", "%s", poolText(p.Source))
	typeset.Row(&b, "for", "%s", poolText(p.Target))
	typeset.Row(&b, "staged", "%s, %d memberships in groups, %d parts", p.Summary(), p.Members, p.Parts)
	if p.Why != "" {
		typeset.Row(&b, "not by plan", "%s", p.Why)
	}
	if len(p.Shards) > 0 {
		t := table.NewWriter()
		t.SetStyle(table.StyleLight)
		t.AppendHeader(table.Row{"shard", "lines of", "state", "lines", "parts", "attempt", "moved", ""})
		for _, s := range p.Shards {
			moved := "-"
			if !s.Updated.IsZero() {
				moved = Span(now.Sub(s.Updated)) + " ago"
			}
			why := ""
			if s.Reason != "" {
				why = fmt.Sprintf("%s: %s", s.Kind, s.Reason)
			}
			t.AppendRow(table.Row{s.Shard, s.Content, s.State, s.Count, s.Parts, s.Attempt, moved, why})
		}
		b.WriteString(t.Render() + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func poolText(p manifest.Pool) string {
	if p.Account == "" {
		return fmt.Sprintf("%s in %s", p.ID, p.Region)
	}
	return fmt.Sprintf("%s in %s, account %s", p.ID, p.Region, p.Account)
}
