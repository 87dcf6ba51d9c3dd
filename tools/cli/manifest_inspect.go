package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"poolferry/internal/fault"
	"poolferry/internal/seeding/census"
	"poolferry/internal/store"
	"poolferry/internal/userpool"
	"poolferry/tools/inspect"
)

// texter is what a command can show a person.
type texter interface{ WriteText(w io.Writer) error }

func newManifestInspect(io streams) *cobra.Command {
	var (
		file       string
		generation int
		profile    string
		asJSON     bool
	)
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Show what the manifest consists of",
		Long: `Show the plan, the generations, and the shards and parts of one of them, with
their counts, sizes and digests. No part is opened, and nothing that is shown is
personal data.

With --profile one user is shown as staged, attributes and groups: for your own
eyes. All parts that the user can be in are read.` + exitStatus(map[int]string{
			ExitFailed: "failed; also where nobody of this sub is staged",
			ExitNoRun:  "no such run, or no such generation",
		}, ExitDone, ExitFailed, ExitNoRun),
		Example: `  poolferry manifest inspect
  poolferry manifest inspect --json | jq -r '.generations[].shards[]?.parts[].key'
  poolferry manifest inspect --profile 5d3c6a1e-0000-4000-8000-000000000001`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkGeneration(cmd, generation); err != nil {
				return err
			}
			r, staged, err := loadManifest(cmd.Context(), file)
			if err != nil {
				return err
			}
			var found texter
			if profile != "" {
				n, err := r.latest(cmd.Context(), staged, generation)
				if err != nil {
					return err
				}
				found, err = r.find(cmd.Context(), staged, n, userpool.Sub(profile))
				if err != nil {
					return err
				}
			} else if found, err = r.inspect(cmd.Context(), staged, generation); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(io.out, found)
			}
			return found.WriteText(io.out)
		},
	}
	configFlag(cmd, &file)
	generationFlag(cmd, &generation)
	cmd.Flags().StringVar(&profile, "profile", "", "show the profile of the user with this `SUB`: personal data")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

func (r run) inspect(ctx context.Context, staged *store.Run, generation int) (inspect.Inspection, error) {
	found, err := inspect.Look(ctx, staged, generation)
	return found, r.missing(err, generation)
}

func (r run) find(ctx context.Context, staged *store.Run, generation int, sub userpool.Sub) (inspect.Profile, error) {
	g, err := staged.ReadGeneration(ctx, generation)
	if err != nil {
		return inspect.Profile{}, r.missing(err, generation)
	}
	found, err := inspect.Find(ctx, staged, g, sub)
	if errors.Is(err, inspect.ErrNobody) {
		err = &adviceError{err, "A sub is that of the source pool; 'poolferry explain NAME' finds it by name."}
	}
	return found, err
}

func newManifestDiff(io streams) *cobra.Command {
	var (
		file   string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "diff FROM TO",
		Short: "Compare two closed generations",
		Long: `Compare two closed generations: who was added, removed or changed, users and
memberships in groups. Counted is what is staged; of several lines about a user
the last counts.

With --json a line is written for each change, with the sub of the user, and a
last one with the counts.` + exitStatus(map[int]string{
			ExitDone:     "both are the same",
			ExitFindings: "they differ",
			ExitRunning:  "one of them is not closed yet",
			ExitNoRun:    "no such run, or no such generation",
		}, ExitDone, ExitFailed, ExitFindings, ExitRunning, ExitNoRun),
		Example: `  poolferry manifest diff 1 2
  poolferry manifest diff 1 2 --json | jq -r 'select(.kind == "removed") | .sub'`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var generations [2]int
			for i, text := range args {
				n, err := strconv.Atoi(text)
				if err != nil || n < 1 {
					return seeHelp(cmd, fmt.Sprintf("%q is no generation: they count from 1", text))
				}
				generations[i] = n
			}
			r, staged, err := loadManifest(cmd.Context(), file)
			if err != nil {
				return err
			}
			return r.diff(cmd.Context(), io, staged, generations[0], generations[1], asJSON)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write a JSON object per change to stdout, and one of counts")
	return cmd
}

func (r run) diff(ctx context.Context, io streams, staged *store.Run, from, to int, asJSON bool) error {
	for _, n := range []int{from, to} { // so that the error can say which
		g, err := staged.ReadGeneration(ctx, n)
		if err == nil {
			_, err = staged.ReadManifest(ctx, g.Origin)
			if fault.KindOf(err) == fault.NotFound {
				err = fault.New(fault.Conflict, "%w", err)
			}
		}
		if err != nil {
			return r.closed(err, n)
		}
	}
	d := inspect.Difference{Version: 1, Run: r.Run, From: from, To: to}
	for change, err := range census.Diff(ctx, staged, from, to) {
		if err == nil && asJSON {
			err = writeJSON(io.out, inspect.Change{Version: 1, Change: change})
		}
		if err != nil {
			return err
		}
		d.Add(change)
	}
	var err error
	if asJSON {
		err = writeJSON(io.out, d)
	} else {
		err = d.WriteText(io.out)
	}
	if err == nil && !d.Same() {
		err = &exitError{code: ExitFindings}
	}
	return err
}
