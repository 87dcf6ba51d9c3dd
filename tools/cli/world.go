package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/sandbox/knobs"
)

// worldFlags are the flags of every command that builds a sandbox.
type worldFlags struct {
	users   int
	seed    uint64
	shape   string
	latency string
	faults  string
}

func (f *worldFlags) add(cmd *cobra.Command, users int) {
	cmd.Flags().IntVar(&f.users, "users", users, "`N` users in the source pool")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "`N` makes users, faults and latency repeatable")
	cmd.Flags().StringVar(&f.shape, "shape", string(crowd.Alias), "how people sign in: alias (username and aliases) or username-attributes (e-mail or phone)")
	cmd.Flags().StringVar(&f.latency, "latency", string(knobs.None), "how far apart the regions are: none or wan")
	cmd.Flags().StringVar(&f.faults, "faults", "", "`SPEC` of faults, such as 'source.AdminInitiateAuth=throttle:2%,error:1%'")
}

// refused turns what only a built sandbox can find wrong with the flags into an
// error of usage; other errors stay what they are.
func (f *worldFlags) refused(cmd *cobra.Command, err error) error {
	if target, ok := errors.AsType[*knobs.TargetError](err); ok {
		return seeHelp(cmd, "--faults: "+target.Error())
	}
	return err
}

// maxUsers keeps a slip of the finger from filling the memory.
const maxUsers = 1_000_000

// check refuses values that no flag parser can.
func (f *worldFlags) check(cmd *cobra.Command) (knobs.Latency, error) {
	latency, err := knobs.ParseLatency(f.latency)
	if err != nil {
		return "", seeHelp(cmd, "--latency: "+err.Error())
	}
	if _, err := knobs.ParseFaults(f.faults); err != nil {
		return "", seeHelp(cmd, "--faults: "+err.Error())
	}
	if f.users < 1 || f.users > maxUsers {
		return "", seeHelp(cmd, fmt.Sprintf("--users: %d, want 1 to %d", f.users, maxUsers))
	}
	switch crowd.Shape(f.shape) {
	case crowd.Alias, crowd.UsernameAttributes:
		return latency, nil
	}
	return "", seeHelp(cmd, fmt.Sprintf("--shape: %q, want %s or %s", f.shape, crowd.Alias, crowd.UsernameAttributes))
}
