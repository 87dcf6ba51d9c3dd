// Package changeover connects the cut-over with a configuration and AWS, and
// shows it.
//
// Vocabulary: an outcome is what a command has done, as its JSON object.
package changeover

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/cutover"
	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/settle"
	"poolferry/internal/store"
	"poolferry/internal/telemetry/metrics"
	"poolferry/internal/workflow"
	"poolferry/lambdas"
)

// Options are what a cut-over is connected with.
type Options struct {
	Env lambdas.Environment
	Say func(format string, args ...any)
	// PerSecond is how often an operation on app clients may be called; 0 means two
	// times, of five that AWS allows.
	PerSecond float64
	// Unproven leaves the probe's password unread, for what signs nobody in, such as a
	// roll-back: it must not fail because of it.
	Unproven bool
}

// New returns the cut-over of a configuration's run, as account may do it. The
// password of the probe is read, from where the configuration has it, unless it is
// not wanted; no other call is made.
func New(ctx context.Context, cfg *config.Config, account *cognito.Account, o Options) (*cutover.Cutover, error) {
	var probe *cutover.Probe
	if cfg.Cutover.Probes() && !o.Unproven {
		password, err := lambdas.ProbePassword(ctx, cfg, o.Env)
		if err != nil {
			return nil, err
		}
		probe = &cutover.Probe{Username: cfg.Cutover.ProbeUsername, Password: password, ClientID: cfg.Cutover.ProbeClientID}
	}
	bucket, err := store.OpenS3(ctx, store.S3Options{Bucket: cfg.Staging.Bucket, Region: cfg.Target.Region, Env: o.Env.Lookup})
	if err != nil {
		return nil, err
	}
	reconciled, err := lambdas.NewReconciliation(ctx, cfg, o.Env, nil)
	if err != nil {
		return nil, err
	}
	seeded, err := lambdas.NewSeeding(ctx, cfg, o.Env, nil)
	if err != nil {
		return nil, err
	}
	figures, err := metrics.New(ctx, cfg.Target.Region, cfg.Run, o.Env.Lookup)
	if err != nil {
		return nil, err
	}
	run := store.NewRun(bucket, cfg.Run)
	// Half the pace each: both ask about the clients.
	pool := cognito.SettingsOptions{Region: cfg.Target.Region, PoolID: cfg.Target.PoolID, PerSecond: cmp.Or(o.PerSecond, 2)}
	return cutover.New(cutover.Options{
		Run: cfg.Run, PoolID: cfg.Target.PoolID, ManagedBy: cfg.Cutover.ManagedBy, Probe: probe,
		Ours: cutover.Ours{
			Migration: names(cfg.Run, "migrate-user"), Guard: names(cfg.Run, "guard-signup"), Welcome: names(cfg.Run, "welcome-user"),
		},
		Pool:       cognito.NewPoolSettings(account, pool),
		Prober:     cognito.NewProbe(account, pool, "poolferry-nobody-"+random(8)),
		Store:      run,
		Reconciled: reconciled,
		Seeded:     seeded,
		Settle:     settling{settle.New(settle.Options{Run: cfg.Run, Store: run, Now: o.Env.Now}), o.Env.Now},
		Tail:       importing{run, o.Env.Now},
		Metrics:    figures,
		StaleAfter: time.Duration(cfg.Reconcile.StaleAfterHours) * time.Hour,
		Now:        o.Env.Now,
		NewID:      func() string { return document.NewID("cutover", o.Env.Now()) },
		Say:        o.Say,
	}), nil
}

// names are those of a function: as infra deploys it, and as the sandbox does.
func names(run, function string) []string { return []string{workflow.Name(run, function), function} }

func random(n int) string {
	bytes := make([]byte, n)
	_, _ = rand.Read(bytes) // never fails
	return hex.EncodeToString(bytes)
}

// settling tells of the users who are being settled.
type settling struct {
	*settle.Settle
	now func() time.Time
}

var _ cutover.Worker = settling{}

// Activity implements cutover.Worker.
func (s settling) Activity(ctx context.Context) (cutover.Activity, error) {
	status, err := s.Status(ctx)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return cutover.Activity{}, nil
	}
	a := cutover.Activity{Left: status.Left + status.Failed}
	if h := status.Holder; h != nil && s.now().Before(h.Until) {
		a.Active, a.What = true, "after "+h.ID
	}
	return a, err
}

// importing tells of the import of the tail.
type importing struct {
	run *store.Run
	now func() time.Time
}

var _ cutover.Worker = importing{}

// Activity implements cutover.Worker.
func (i importing) Activity(ctx context.Context) (cutover.Activity, error) {
	lease, _, err := i.run.ReadTailLease(ctx)
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound:
		return cutover.Activity{}, nil
	case err != nil:
		return cutover.Activity{}, err
	case lease.Held(i.now()):
		return cutover.Activity{Active: true, What: lease.ID}, nil
	}
	return cutover.Activity{}, nil
}
