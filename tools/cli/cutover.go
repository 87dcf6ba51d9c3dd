package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"poolferry/internal/cutover"
	"poolferry/internal/reconcile/verdict"
	"poolferry/lambdas"
	"poolferry/tools/changeover"
)

// choiceFlags say what people decide about a cut-over.
type choiceFlags struct {
	accept   []string
	unproven bool
}

func (f *choiceFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.accept, "accept", nil, "pending users of these `REASONS` stay behind, such as federated,disabled")
	f.addUnproven(cmd)
}

func (f *choiceFlags) addUnproven(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.unproven, "unproven", false, "go without the sign-in of a probe")
}

func (f *choiceFlags) choice(cmd *cobra.Command) (cutover.Choice, error) {
	c := cutover.Choice{Unproven: f.unproven}
	for _, reason := range f.accept {
		if err := oneOf(cmd, "accept", reason, verdict.PendingReasons()); err != nil {
			return c, err
		}
		if r := verdict.Reason(reason); !slices.Contains(c.Accept, r) {
			c.Accept = append(c.Accept, r)
		}
	}
	return c, nil
}

func newCutover(io streams) *cobra.Command {
	var (
		file    string
		flags   choiceFlags
		confirm confirmation
		asJSON  bool
	)
	cmd := &cobra.Command{
		Use:   "cutover",
		Short: "End the migration: detach the triggers, switch the apps to SRP",
		Long: `End the migration at the target pool. First the gates are shown, each with its
evidence, and every field that is going to change; the target pool's id has to be
typed. Then every setting of the pool and its app clients is kept in the bucket,
the migration's triggers are detached, app clients that take passwords are
switched to SRP one after the other, and a probe signs in to prove it. What fails
on the way is rolled back.

Killed or interrupted anywhere, the same command goes on where it was; rollback
takes everything back instead. Where Terraform owns the pool nothing is changed:
what to change there is shown, and cutover check looks whether it was done.` + exitStatus(map[int]string{
			ExitDone:      "cut over",
			ExitFailed:    "failed, and rolled back; or not confirmed",
			ExitFindings:  "nothing was changed: a gate is blocked, or Terraform has to do it",
			ExitRunning:   "nothing was changed: something is at work, and all else is ready",
			ExitLeaseHeld: "another process has gone on with this cut-over",
		}, ExitDone, ExitFailed, ExitFindings, ExitRunning, ExitLeaseHeld),
		Example: `  poolferry cutover plan
  poolferry cutover
  poolferry cutover --accept federated,disabled --yes --json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			choice, err := flags.choice(cmd)
			if err != nil {
				return err
			}
			if err := confirm.possible(cmd, io); err != nil {
				return err
			}
			r, c, err := loadCutover(cmd.Context(), io, file, false)
			if err != nil {
				return err
			}
			out, err := r.cutOver(cmd.Context(), io, c, choice, &confirm)
			return show(io, out, asJSON, err)
		},
	}
	configFlag(cmd, &file)
	flags.add(cmd)
	confirm.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	cmd.AddCommand(newCutoverPlan(io), newCutoverCheck(io))
	return cmd
}

func newCutoverPlan(io streams) *cobra.Command {
	var (
		file   string
		flags  choiceFlags
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show whether the run is ready, and what would change",
		Long: `Show the gates, each with its evidence, and every field of the pool and its app
clients that a cut-over would change, under its name in the API. Nothing is
changed; the probe signs in once, to see that it can.` + exitStatus(map[int]string{
			ExitDone:     "ready",
			ExitFindings: "a gate is blocked, or Terraform has to do it",
			ExitRunning:  "something is at work, and all else is ready",
		}, ExitDone, ExitFailed, ExitFindings, ExitRunning),
		Example: `  poolferry cutover plan
  poolferry cutover plan --json | jq -r '.gates[] | select(.state == "blocked") | .found'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			choice, err := flags.choice(cmd)
			if err != nil {
				return err
			}
			r, c, err := loadCutover(cmd.Context(), io, file, flags.unproven)
			if err != nil {
				return err
			}
			p, err := c.Plan(cmd.Context(), choice)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(io.out, p)
			} else {
				err = changeover.WritePlan(io.out, p)
			}
			if err != nil {
				return err
			}
			return r.ready(io, p)
		},
	}
	configFlag(cmd, &file)
	flags.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

func newCutoverCheck(io streams) *cobra.Command {
	var (
		file   string
		flags  choiceFlags
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "check",
		Short: "See whether the run is cut over, whoever has done it",
		Long: `See whether the target pool and its app clients are as a cut-over leaves them,
and prove it: the probe signs in by SRP, and every app client is tried with a
password under a name that nobody has. Nothing is changed. Where Terraform owns
the pool the answer is kept with the run.` + exitStatus(map[int]string{
			ExitDone:     "cut over",
			ExitFindings: "not cut over, or not proven",
		}, ExitDone, ExitFailed, ExitFindings),
		Example: `  poolferry cutover check
  poolferry cutover check --json | jq .left`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, c, err := loadCutover(cmd.Context(), io, file, flags.unproven)
			if err != nil {
				return err
			}
			check, err := c.Check(cmd.Context(), operator(), flags.unproven)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(io.out, check)
			} else {
				err = changeover.WriteCheck(io.out, check)
			}
			if err == nil && !check.Done {
				err = &exitError{code: ExitFindings}
			}
			return err
		},
	}
	configFlag(cmd, &file)
	flags.addUnproven(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object to stdout")
	return cmd
}

// loadCutover is loadRun with the cut-over of the run; unproven where nobody is
// going to sign in.
func loadCutover(ctx context.Context, io streams, file string, unproven bool) (run, *cutover.Cutover, error) {
	r, err := loadRun(ctx, file)
	if err != nil {
		return r, nil, err
	}
	c, err := changeover.New(ctx, r.Config, r.account, changeover.Options{Env: lambdas.Process(), Say: newTalk(io.err).Say, Unproven: unproven})
	return r, c, err
}

// cutOver goes on with what there is, or shows, asks and begins.
func (r run) cutOver(ctx context.Context, io streams, c *cutover.Cutover, choice cutover.Choice, confirm *confirmation) (changeover.Outcome, error) {
	talk := newTalk(io.err)
	j, err := c.Journal(ctx)
	out := changeover.NewOutcome(r.Run, r.Target.PoolID, j)
	switch {
	case err != nil:
		return out, err
	case j != nil && j.State == cutover.CutOver:
		talk.Say("Run %s is cut over already. %s looks whether it still is.", r.Run, r.command("cutover check"))
		return out, nil
	case j != nil && j.State != cutover.RolledBack:
		talk.Say("Cut-over %s was begun %s by %s, and is %s: going on.", j.ID, j.Began.Format("2006-01-02 15:04:05 MST"), j.By, j.State)
		if err := confirm.typed(ctx, io, "Go on?", r.Target.PoolID); err != nil {
			return out, err
		}
		if out, err = r.goOn(ctx, io, c); err == nil && !out.Done {
			err = &adviceError{
				fmt.Errorf("run %s is not cut over: cut-over %s was being rolled back, and that is done now", r.Run, out.ID),
				fmt.Sprintf("To cut over after all, begin again with %s.", r.command("cutover")),
			}
		}
		return out, err
	}
	p, err := c.Plan(ctx, choice)
	if err != nil {
		return out, err
	}
	if err := changeover.WritePlan(io.err, p); err != nil {
		return out, err
	}
	out = changeover.NewOutcome(r.Run, r.Target.PoolID, nil)
	out.Plan, out.ManagedBy = &p, p.ManagedBy
	if err := r.ready(io, p); err != nil {
		return out, err
	}
	if err := confirm.typed(ctx, io, "Cut over?", r.Target.PoolID); err != nil {
		return out, err
	}
	if err := c.Begin(ctx, p, operator()); err != nil {
		return out, r.taken(err)
	}
	out, err = r.goOn(ctx, io, c)
	out.Plan = &p
	if err == nil {
		talk.Say("Run %s is cut over. Should it have to be taken back, %s does.", r.Run, r.command("rollback"))
	}
	return out, err
}

// ready is the end where a plan cannot be carried out, with the next step.
func (r run) ready(io streams, p cutover.Plan) error {
	talk := newTalk(io.err)
	blocked := p.Blocked()
	switch {
	case len(blocked) == 1 && blocked[0] == cutover.GateQuiet:
		talk.Say("Something is at work on the run; all else is ready.")
		return &exitError{code: ExitRunning}
	case len(blocked) > 0:
		talk.Say("Not ready for cut-over: %s.", strings.Join(blocked, ", "))
		return &exitError{code: ExitFindings}
	case p.ManagedBy != "":
		talk.Say("%s", r.terraform("cut-over"))
		return &exitError{code: ExitFindings}
	}
	return nil
}

// terraform says what to change where Terraform owns the pool.
func (r run) terraform(phase string) string {
	return fmt.Sprintf("Terraform owns pool %s, and would take back what is changed here. In the module target-pool set\n\n    phase = %q\n\nand apply it; then %s looks whether it was done.",
		r.Target.PoolID, phase, r.command("cutover check"))
}

// goOn does the work, and says how it ended.
func (r run) goOn(ctx context.Context, io streams, c *cutover.Cutover) (changeover.Outcome, error) {
	j, err := c.GoOn(ctx)
	out := changeover.NewOutcome(r.Run, r.Target.PoolID, &j)
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		newTalk(io.err).Say("Interrupted: it is %s. %s goes on where it was; %s takes it back.", j.State, r.command("cutover"), r.command("rollback"))
		return out, err
	case errors.Is(err, cutover.ErrTaken):
		return out, r.taken(err)
	case out.RolledBack:
		return out, &adviceError{err, fmt.Sprintf("Everything is as before. When the cause is gone, begin again with %s.", r.command("cutover"))}
	}
	return out, &adviceError{err, fmt.Sprintf("It is %s. The same command goes on where it was; %s takes it back.", j.State, r.command("rollback"))}
}

// taken gives the error of a process that another one has overtaken its exit code.
func (r run) taken(err error) error {
	if !errors.Is(err, cutover.ErrTaken) {
		return err
	}
	return &exitError{code: ExitLeaseHeld, cause: &adviceError{err, fmt.Sprintf("See how it ends with %s.", r.command("cutover check"))}}
}

// show writes an outcome, be it that of a failure. Where nothing is known yet, the
// error says it all.
func show(io streams, out changeover.Outcome, asJSON bool, err error) error {
	switch {
	case errors.Is(err, errDeclined), out.Journal == nil && (!asJSON || out.Plan == nil):
		return err
	case asJSON:
		return errors.Join(err, writeJSON(io.out, out))
	}
	return errors.Join(err, out.WriteText(io.out))
}

// typed waits for a word to be typed: for what a yes is too little.
func (c *confirmation) typed(ctx context.Context, io streams, question, word string) error {
	if c.yes {
		return nil
	}
	_, _ = fmt.Fprintf(io.err, "%s Type %s to confirm: ", question, word)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.in).ReadString('\n') // what ends early is not the word
		answer <- line
	}()
	select {
	case <-ctx.Done():
		_, _ = fmt.Fprintln(io.err)
		return ctx.Err()
	case line := <-answer:
		if strings.TrimSpace(line) == word {
			return nil
		}
		return errDeclined
	}
}
