package lambdas

import (
	"context"
	"os"
	"sync/atomic"

	"poolferry/internal/config"
	"poolferry/internal/fault"
	"poolferry/internal/secrets"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

// Secrets reads what the secret references of a configuration lead to, with the
// credentials of the environment: those of a function, or of whoever runs the
// command line tool.
func Secrets(ctx context.Context, cfg *config.Config, env Environment) (config.Secrets, error) {
	return cfg.Secrets(ctx, places(cfg, env))
}

// ProbePassword reads the password of the probe that proves a cut-over.
func ProbePassword(ctx context.Context, cfg *config.Config, env Environment) (userpool.Secret, error) {
	return cfg.ProbePassword(ctx, places(cfg, env))
}

func places(cfg *config.Config, env Environment) config.Places {
	return config.Places{
		Env:  env.Lookup,
		File: os.ReadFile,
		Manager: func(ctx context.Context, id string) ([]byte, error) {
			// Built here, for the configurations that need it pay for it alone.
			manager, err := secrets.New(ctx, cfg.Target.Region, env.Lookup)
			if err != nil {
				return nil, err
			}
			return manager.Value(ctx, id)
		},
	}
}

// vault keeps the secrets of a configuration, once they have been read. Until
// then whoever needs them tries anew.
type vault struct {
	read func(context.Context) (config.Secrets, error)
	kept atomic.Pointer[config.Secrets]
}

func newVault(cfg *config.Config, env Environment) *vault {
	return &vault{read: func(ctx context.Context) (config.Secrets, error) { return Secrets(ctx, cfg, env) }}
}

// open returns the secrets. That there is no such secret is said as a wrong
// configuration: to the trigger, what is not found is a user.
func (v *vault) open(ctx context.Context) (config.Secrets, error) {
	if kept := v.kept.Load(); kept != nil {
		return *kept, nil
	}
	got, err := v.read(ctx)
	if fault.KindOf(err) == fault.NotFound {
		err = fault.New(fault.Invalid, "%w", err)
	}
	if err != nil {
		return config.Secrets{}, err
	}
	v.kept.Store(&got)
	return got, nil
}

// client returns the secret of the source's app client.
func (v *vault) client(ctx context.Context) (userpool.Secret, error) {
	got, err := v.open(ctx)
	return got.Client, err
}

// nameKey returns the key of the audit trail, empty until it is known: what fails
// before that has no name in the trail.
func (v *vault) nameKey() userpool.Secret {
	if kept := v.kept.Load(); kept != nil {
		return kept.NameKey
	}
	return userpool.Secret{}
}

// locked is the source pool, which answers nobody before all secrets are there:
// a decision that the audit trail cannot name is not taken.
type locked struct {
	trigger.Source
	vault *vault
}

// Authenticate implements trigger.Source.
func (l locked) Authenticate(ctx context.Context, name string, password userpool.Secret) (trigger.Reply, error) {
	if _, err := l.vault.open(ctx); err != nil {
		return trigger.Reply{}, err
	}
	return l.Source.Authenticate(ctx, name, password)
}

// User implements trigger.Source.
func (l locked) User(ctx context.Context, name string) (userpool.User, error) {
	if _, err := l.vault.open(ctx); err != nil {
		return userpool.User{}, err
	}
	return l.Source.User(ctx, name)
}
