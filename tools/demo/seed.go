package demo

import (
	"fmt"
	"time"

	"poolferry/internal/seeding"
	"poolferry/statemachines"
)

// Seeding counts what the preseed state machine has staged.
type Seeding struct {
	Executions int64 `json:"executions"`
	Profiles   int   `json:"profiles"`
	Parts      int   `json:"parts"`
}

// seedingEvery is how often the demo looks how far the seeding has come.
const seedingEvery = 50 * time.Millisecond

// seed stages every profile through the state machine, as an operator does: it
// starts an execution and watches the manifest.
func (d *demo) seed(talk Talk) (*Seeding, error) {
	ctx := d.ctx
	workflows, err := d.world.Workflows(ctx)
	if err != nil {
		return nil, err
	}
	seeder, err := d.world.Seeding(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := workflows.Start(ctx, statemachines.Preseed, map[string]string{"run": d.world.Config.Run}); err != nil {
		return nil, err
	}
	tick, done := talk.Progress("staging profiles", d.options.Users)
	seen := 0
	defer done()
	// Executions follow each other without a gap, so a world in which none runs
	// has come to an end, whichever it is.
	ended := make(chan error, 1)
	go func() { ended <- d.world.States.Wait(ctx) }()
	look := time.NewTicker(seedingEvery)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			// Nothing is staged at first, and a status is only talk here.
			status, err := seeder.Status(ctx, 0)
			for ; err == nil && seen < min(status.Profiles, d.options.Users); seen++ {
				tick()
			}
		case err := <-ended:
			if err != nil {
				return nil, err
			}
			return d.staged(seeder)
		}
	}
}

// staged counts what is there in the end, and notes what should be otherwise.
func (d *demo) staged(seeder *seeding.Seeding) (*Seeding, error) {
	status, err := seeder.Status(d.ctx, 0)
	if err != nil {
		return nil, err
	}
	if source, target := d.world.Count(); !status.Done || status.Profiles != source || target != 0 {
		d.tally.surprise(fmt.Sprintf("seeding: done: %v, %d profiles of %d users, %d users at the target, failed shards %v",
			status.Done, status.Profiles, source, target, status.Failed))
	}
	return &Seeding{Executions: d.world.States.Counts().Executions, Profiles: status.Profiles, Parts: status.Parts}, nil
}
