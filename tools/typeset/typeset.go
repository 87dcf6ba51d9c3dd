// Package typeset is how numbers, lines and tables look that commands write for
// people, the same in all of them.
package typeset

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Number returns a number with its thousands apart.
func Number(n int) string { return humanize.Comma(int64(n)) }

// Count returns a number of things, whose plural is regular.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return Number(n) + " " + thing + "s"
}

// Row writes a line that says what something is.
func Row(b *strings.Builder, what, format string, args ...any) {
	fmt.Fprintf(b, "  %-12s %s\n", what, fmt.Sprintf(format, args...))
}

// Table returns a table whose last column has so many characters at most, so that
// most tables fit a terminal; the columns, counted from 1, hold numbers.
func Table(header table.Row, widest int, numbers ...int) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(header)
	columns := []table.ColumnConfig{{Number: len(header), WidthMax: widest, WidthMaxEnforcer: text.WrapSoft}}
	for _, n := range numbers {
		columns = append(columns, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	return t
}
