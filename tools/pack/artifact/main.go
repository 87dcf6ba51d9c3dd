package artifact

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Main builds all functions of the module in this folder, as the arguments have
// it, and prints a table of what came out.
func Main(ctx context.Context, args []string, stdout io.Writer) error {
	o := Options{Architectures: Architectures}
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.StringVar(&o.Module, "module", ".", "folder of the module")
	flags.StringVar(&o.Out, "out", "dist", "folder of the artifacts")
	flags.StringVar(&o.Go, "go", "go", "the go command")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return fmt.Errorf("read arguments: %w", err)
	case flags.NArg() > 0:
		return fmt.Errorf("read arguments: %q is none", flags.Arg(0))
	}
	var err error
	if o.Functions, err = Functions(o.Module); err != nil {
		return err
	}
	artifacts, err := Build(ctx, o)
	if err != nil {
		return err
	}
	return Write(stdout, artifacts)
}

// Write prints a table of one artifact or more, and what makes digests comparable.
func Write(w io.Writer, artifacts []Artifact) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"function", "arch", "binary", "zip", "sha256 of the zip"})
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 3, Align: text.AlignRight, AlignHeader: text.AlignRight},
		{Number: 4, Align: text.AlignRight, AlignHeader: text.AlignRight},
	})
	for _, a := range artifacts {
		t.AppendRow(table.Row{a.Function, a.Architecture, humanize.IBytes(uint64(a.Binary)), humanize.IBytes(uint64(a.Package)), a.Digest})
	}
	_, err := fmt.Fprintf(w, "%s\n%d packages, built with %s; another Go gives other digests.\n", t.Render(), len(artifacts), artifacts[0].Go)
	return err
}
