package cli

import (
	"time"

	"github.com/spf13/cobra"

	"poolferry/internal/sandbox/crowd"
	"poolferry/tools/demo"
)

func newDemo(io streams) *cobra.Command {
	var (
		world  worldFlags
		out    string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Move made-up users between two pools of a local AWS",
		Long: `Move made-up users between two pools of a local AWS, as a migration would move
real ones, from the first profile to the cut-over: nothing is needed but this
program.

The source pool is filled with awkward users: names in several scripts, plus
addresses, e-mail, phone and alias names, unverified, unconfirmed and disabled
users, temporary and expired passwords, second factors, federated users, weak
old passwords, 50 attributes. A state machine stages their profiles on S3, and
another one compares both pools, now and after whatever happens.

Strangers try to register at the target with addresses of people who are still to
come: the guard refuses them, and lets in who takes nobody's. Then people sign in
there, in two waves, with right and wrong passwords, and forget some. They find
themselves in their groups. Who has moved signs in once more, without the source.

Who has not come is imported, but for some who sign in just then; some of those
who were imported come back and choose a new password, and who could not be
imported is excluded. When two comparisons in a row find nobody left, the
migration is cut over: the migration trigger is detached, and the app's clients
take SRP in place of passwords. That is rolled back, and done again; each time
people sign in, as they can then and as they cannot. In the end everything that
was logged, stored or returned is searched for every password that was ever typed.

With --json one object is written to stdout. sign_ins counts what was typed at
the target under a name that it did not know yet; refused_by counts the
outcomes of the trigger's audit trail; errors counts results that should not
have been, of anything above. complete says that nobody is left and that the
migration was cut over.` + exitStatus(map[int]string{
			ExitDone:   "every expectation held",
			ExitFailed: "failed, or an expectation did not hold: errors or secrets_found is not 0",
		}, ExitDone, ExitFailed),
		Example: `  poolferry demo
  poolferry demo --users 2000 --json
  poolferry demo --latency wan --faults 'source.AdminInitiateAuth=throttle:2%'
  poolferry demo --users 500 --seed 7 --out /tmp/demo`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			latency, err := world.check(cmd)
			if err != nil {
				return err
			}
			result, err := demo.Run(cmd.Context(), demo.Options{
				Users: world.users, Seed: world.seed, Shape: crowd.Shape(world.shape), Latency: latency,
				Faults: world.faults, Out: out, Now: time.Now,
			}, newTalk(io.err))
			if err != nil {
				return world.refused(cmd, err)
			}
			if asJSON {
				err = writeJSON(io.out, result)
			} else {
				err = result.WriteText(io.out)
			}
			if err == nil && !result.OK() {
				err = demo.ErrDisappointed
			}
			return err
		},
	}
	world.add(cmd, 200)
	cmd.Flags().StringVar(&out, "out", "", "keep the logs, the users and the result in `DIR`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}
