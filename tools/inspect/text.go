package inspect

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"poolferry/internal/manifest"
	"poolferry/tools/explain"
	"poolferry/tools/typeset"
)

// WriteText writes the inspection for a person.
func (i Inspection) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s\n", i.Run)
	typeset.Row(&b, "from", "%s in %s", i.Plan.Source.ID, i.Plan.Source.Region)
	typeset.Row(&b, "for", "%s in %s", i.Plan.Target.ID, i.Plan.Target.Region)
	typeset.Row(&b, "planned", "%s by %s, for about %d users", when(i.Plan.Created), i.Plan.CreatedBy, i.Plan.Estimate)
	typeset.Row(&b, "mapping", "SHA-256 %s", i.Plan.MappingSHA256)
	t := newTable("generation", "opened", "closed", "users", "groups", "memberships", "shards not by plan")
	for _, g := range i.Generations {
		t.AppendRow(table.Row{g.Generation, when(g.Opened), when(g.Closed), closed(g, g.Profiles), g.Groups, closed(g, g.Members), g.Why})
	}
	b.WriteString(t.Render() + "\n")
	for _, g := range i.Generations {
		if len(g.Shards) > 0 {
			fmt.Fprintf(&b, "\ngeneration %d\n", g.Generation)
			writeShards(&b, g.Shards)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeShards(b *strings.Builder, shards []Shard) {
	t := newTable("shard", "state", "lines", "bytes", "part", "sha-256")
	for _, s := range shards {
		state := string(s.State)
		if s.Commit != nil {
			state = "committed"
		}
		if len(s.Parts) == 0 {
			t.AppendRow(table.Row{s.ID, state, 0, 0, "-", "-"})
		}
		for _, p := range s.Parts {
			t.AppendRow(table.Row{s.ID, state, p.Count, p.Bytes, p.Key, short(p.SHA256)})
		}
	}
	b.WriteString(t.Render() + "\n")
}

// WriteText writes the profile for a person.
func (p Profile) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", explain.Printable(p.Username))
	typeset.Row(&b, "sub", "%s", explain.Printable(string(p.Sub)))
	enabled := "enabled"
	if !p.Enabled {
		enabled = "disabled"
	}
	typeset.Row(&b, "status", "%s, %s", p.Status, enabled)
	typeset.Row(&b, "MFA", "%s", listed(p.MFA))
	typeset.Row(&b, "groups", "%s", listed(p.Groups))
	typeset.Row(&b, "created", "%s, modified %s", when(p.Created), when(p.Modified))
	typeset.Row(&b, "staged in", "generation %d, %s", p.Generation, p.Part)
	t := newTable("attribute", "value")
	for _, name := range slices.Sorted(maps.Keys(p.Attributes)) {
		t.AppendRow(table.Row{explain.Printable(name), explain.Printable(p.Attributes[name])})
	}
	b.WriteString(t.Render() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(header)
	return t
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func closed(g Generation, n int) string {
	if g.Closed.IsZero() {
		return "-"
	}
	return strconv.Itoa(n)
}

func short(d manifest.Digest) string { return fmt.Sprintf("%.12s…", d) }

func listed(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = explain.Printable(word)
	}
	return strings.Join(quoted, ", ")
}
