package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cli/browser"
	"github.com/spf13/cobra"

	"poolferry/internal/reconcile/report"
	"poolferry/internal/seeding"
	"poolferry/lambdas"
	"poolferry/tools/standing"
)

// toStdout is the value of --out for no file.
const toStdout = "-"

func newReport(io streams) *cobra.Command {
	var (
		file, out               string
		identities, force, open bool
	)
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write where the migration stands as a page for a browser",
		Long: `Write where the migration stands as one HTML page: progress and forecast, users by
verdict and reason, findings with what to do, the last reconciliations, the
seeding. It needs no network, and can be printed or sent to somebody. Each
reconciliation leaves the same page in the bucket.

There is no personal data in it. With --with-identities it lists the findings
with the subs of the users whom they are about: such a page is for your own eyes.

A file that is there is written anew where it is such a page; another one takes
--force.` + exitStatus(map[int]string{
			ExitDone:   "written",
			ExitFailed: "failed; or the file is something else",
			ExitNoRun:  meanings[ExitNoRun],
		}, ExitDone, ExitFailed, ExitNoRun),
		Example: `  poolferry report --open
  poolferry report --out - > migration.html
  poolferry report --with-identities --out findings.html`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case out == "" && cmd.Flags().Changed("out"):
				return seeHelp(cmd, "--out: want a file, or - for stdout")
			case out == toStdout && open:
				return seeHelp(cmd, "--open: there is no file to open with --out -")
			}
			r, err := loadReconciled(cmd.Context(), file)
			if err != nil {
				return err
			}
			if out == "" {
				out = "poolferry-" + r.Run + "-report.html"
			}
			if out != toStdout && !force {
				if err := replaceable(out); err != nil {
					return err
				}
			}
			page, err := r.page(cmd.Context(), newTalk(io.err), identities)
			if err != nil {
				return err
			}
			if out == toStdout {
				_, err = io.out.Write(page)
				return err
			}
			if err := replace(out, page); err != nil {
				return err
			}
			if _, err := fmt.Fprintln(io.out, out); err != nil || !open {
				return err
			}
			browser.Stdout, browser.Stderr = io.err, io.err
			if err := browser.OpenFile(out); err != nil {
				return &adviceError{fmt.Errorf("open a browser: %w", err), "The page is written: open " + out + " yourself."}
			}
			return nil
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&out, "out", "", "`FILE` to write, - for stdout (default poolferry-RUN-report.html)")
	cmd.Flags().BoolVar(&identities, "with-identities", false, "list findings with the subs of users: not to be passed on")
	cmd.Flags().BoolVar(&force, "force", false, "write over a file that is no such page")
	cmd.Flags().BoolVar(&open, "open", false, "open the page in a browser")
	return cmd
}

// page renders the report.
func (r reconciled) page(ctx context.Context, talk *talk, identities bool) ([]byte, error) {
	known, err := r.known(ctx)
	if err != nil {
		return nil, err
	}
	var staged seeding.Status
	if known.Seeding != nil {
		staged = *known.Seeding
	}
	view := lambdas.ReportView(r.Config, known.Summary, known.Reconciled.History, staged, time.Now())
	if identities {
		talk.Say("The page will name users by their subs: it is for your own eyes. Do not pass it on.")
		if known.Summary == nil {
			return nil, r.never("")
		}
		if view.Identities, err = standing.Identities(r.Findings(ctx, known.Summary.ID)); err != nil {
			return nil, err
		}
	}
	var page bytes.Buffer
	err = report.Render(&page, view)
	return page.Bytes(), err
}

// signature is in every report.
const signature = "<p>Made by poolferry on "

// replaceable refuses a file that is there and is no report.
func replaceable(path string) error {
	old, err := os.ReadFile(path) //nolint:gosec // the operator's own file
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !bytes.HasPrefix(old, []byte("<!doctype html>")) || !bytes.Contains(old, []byte(signature)):
		return &adviceError{fmt.Errorf("%s is there, and is no report of poolferry: nothing was written", path), "Name another file with --out FILE, or add --force."}
	}
	return nil
}

// replace writes a file as a whole or not at all.
func replace(path string, data []byte) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".poolferry-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name())
		}
	}()
	_, err = temporary.Write(data)
	if err = errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
