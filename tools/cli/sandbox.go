package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/sandbox/crowd"
	"poolferry/tools/rehearsal"
)

func newSandbox(io streams) *cobra.Command {
	var (
		world   worldFlags
		addr    string
		quotas  bool
		asJSON  bool
		file    string
		replace bool
		folder  string
	)
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve a local AWS with a source and a target pool, until Ctrl-C",
		Long: `Serve a local AWS with a source pool full of made-up users and an empty target
pool that migrates them, until Ctrl-C. It speaks the wire protocols of Cognito,
STS and Lambda on one loopback endpoint, for two accounts and two regions: the
AWS CLI and every SDK can use it. What it prints is all that they need.

Its passwords, keys and users are made up; none is worth anything elsewhere.` + exitStatus(map[int]string{
			ExitDone: "served until it was told to stop",
		}, ExitDone, ExitFailed),
		Example: `  poolferry sandbox
  poolferry sandbox --users 1000 --quotas --config sandbox.yaml
  poolferry sandbox --addr 127.0.0.1:4566 --json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			latency, err := world.check(cmd)
			if err != nil {
				return err
			}
			if err := mayWrite(file, replace); err != nil {
				return err
			}
			binaries, err := builtFunctions(folder)
			if err != nil {
				return err
			}
			w, err := rehearsal.New(cmd.Context(), rehearsal.Options{
				Users: world.users, Seed: world.seed, Shape: crowd.Shape(world.shape), Latency: latency,
				Faults: world.faults, Quotas: quotas, Addr: addr, Now: time.Now, Binaries: binaries,
			})
			if err != nil {
				return world.refused(cmd, err)
			}
			defer func() { _ = w.Close() }()
			if err := w.AddProbe(); err != nil {
				return err
			}
			if file != "" {
				if err := os.WriteFile(file, w.YAML, 0o600); err != nil {
					return fmt.Errorf("write the configuration: %w", err)
				}
			}
			brief := w.Brief(file)
			if asJSON {
				err = writeJSON(io.out, brief)
			} else {
				err = brief.WriteText(io.out)
			}
			if err != nil {
				return err
			}
			newTalk(io.err).Say("Serving until Ctrl-C.")
			<-cmd.Context().Done()
			return &exitError{code: ExitDone} // this is how it ends, no interruption
		},
	}
	world.add(cmd, 50)
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:0", "loopback `HOST:PORT` to serve at; port 0 takes a free one")
	cmd.Flags().BoolVar(&quotas, "quotas", false, "enforce the request rates of AWS")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout, then serve")
	cmd.Flags().StringVar(&file, "config", "", "write the poolferry.yaml of this migration to `FILE`")
	cmd.Flags().StringVar(&folder, "functions", "", "run the functions that make build left in `DIR`, as processes of their own (Linux)")
	cmd.Flags().BoolVar(&replace, "force", false, "let --config replace a file")
	return cmd
}

// builtFunctions are those in a folder; without one, functions run in process.
func builtFunctions(folder string) (map[string]string, error) {
	if folder == "" {
		return nil, nil
	}
	binaries, err := rehearsal.Binaries(folder)
	if err != nil {
		return nil, &usageError{text: "--functions: " + err.Error(), next: "Build them with make build, and name the folder dist."}
	}
	return binaries, nil
}

// mayWrite refuses to replace a file that may be somebody's work.
func mayWrite(file string, replace bool) error {
	if file == "" || replace {
		return nil
	}
	if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
		return &usageError{text: "--config: " + file + " exists already", next: "Choose another file, or add --force to replace it."}
	}
	return nil
}
