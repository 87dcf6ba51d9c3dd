package lambdas

import (
	"context"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/fault"
	"poolferry/internal/hook"
	"poolferry/internal/reconcile/lookup"
	"poolferry/internal/store"
	"poolferry/internal/telemetry"
	"poolferry/internal/userpool"
)

// answer is a function that takes an event as it is and makes its own errors.
type answer func(ctx context.Context, event []byte) ([]byte, error)

// Invoke implements lambda.Handler.
func (a answer) Invoke(ctx context.Context, event []byte) ([]byte, error) { return a(ctx, event) }

// GuardSignup builds the function that keeps people from registering under a name
// of somebody who is still to come.
func GuardSignup(ctx context.Context, env Environment) (lambda.Handler, error) {
	cfg, err := config.FromEnv(env.Lookup)
	if err != nil {
		return nil, err
	}
	_, run, err := open(ctx, cfg, env)
	if err != nil {
		return nil, err
	}
	names := *cfg
	names.Source.ClientSecret = "" // this function may read the key of the audit trail alone
	vault := newVault(&names, env)
	l := newLookup(cfg, run, env)
	warm(ctx, env, "registration", l, func(ctx context.Context) error { _, err := vault.open(ctx); return err })
	guard := hook.NewGuard(hook.GuardOptions{
		PoolID:     cfg.Target.PoolID,
		WhenUnsure: cfg.Guard.WhenUnsure,
		Owners:     lockedOwners{l, vault},
		Recorder:   telemetry.NewHookRecorder(env.Stdout, cfg.Run, vault.nameKey),
		Now:        env.Now,
	})
	return answer(guard.Handle), nil
}

// WelcomeUser builds the function that puts somebody who has just moved into their
// groups. One that cannot be built gives events back: settling does its work.
func WelcomeUser(ctx context.Context, env Environment) (lambda.Handler, error) {
	handler, err := welcomeUser(ctx, env)
	return orIdle(env, "welcome-user", handler, err), nil
}

func welcomeUser(ctx context.Context, env Environment) (lambda.Handler, error) {
	cfg, err := config.FromEnv(env.Lookup)
	if err != nil {
		return nil, err
	}
	account, run, err := open(ctx, cfg, env)
	if err != nil {
		return nil, err
	}
	l := newLookup(cfg, run, env)
	warm(ctx, env, "sign-in", l)
	welcomer := hook.NewWelcomer(hook.WelcomeOptions{
		PoolID:    cfg.Target.PoolID,
		Rules:     cfg.Settle.Groups,
		Staged:    l,
		Directory: cognito.NewSettler(account, cfg.Target.Region, cfg.Target.PoolID),
		Recorder:  telemetry.NewHookRecorder(env.Stdout, cfg.Run, func() userpool.Secret { return userpool.Secret{} }), // it names nobody
		Now:       env.Now,
	})
	return answer(welcomer.Handle), nil
}

// LegacyClaim builds the function that puts the source sub into tokens. One that
// cannot be built gives events back.
func LegacyClaim(_ context.Context, env Environment) (lambda.Handler, error) {
	cfg, err := config.FromEnv(env.Lookup)
	if err != nil {
		return orIdle(env, "legacy-claim", nil, err), nil
	}
	return answer(hook.NewClaim(hook.ClaimOptions{Name: cfg.Claim.Name, AccessToken: cfg.Claim.AccessToken}).Handle), nil
}

// orIdle is the handler or, where there is an error instead, one that says so with
// each event and gives it back. Everybody's sign-in passes these functions, moved
// or not, and one that does not start fails them all.
func orIdle(env Environment, name string, handler lambda.Handler, err error) lambda.Handler {
	if err == nil {
		return handler
	}
	log := telemetry.NewLogger(env.Stdout, nil)
	return answer(func(ctx context.Context, event []byte) ([]byte, error) {
		log.ErrorContext(ctx, name+" cannot start and does nothing", telemetry.KeyKind, string(fault.KindOf(err)), telemetry.KeyError, err.Error())
		return event, nil
	})
}

func newLookup(cfg *config.Config, run *store.Run, env Environment) *lookup.Lookup {
	return lookup.New(lookup.Options{Run: cfg.Run, Store: run, MFA: string(cfg.MFAPolicy), Now: env.Now, Memory: memoryOf(env) * 3 / 8})
}

// memoryOf is how many bytes of memory the function has; 0 where nothing says so.
// What lookups remember may take three eighths of it: the collector lets a heap
// grow to twice what is in use. In 512 MB there is room for all rows of ten million
// users.
func memoryOf(env Environment) int64 {
	text, _ := env.Lookup("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") // in MB
	megabytes, err := strconv.ParseInt(text, 10, 32)
	if err != nil || megabytes < 0 {
		return 0
	}
	return megabytes << 20
}

// warm makes the calls that the first event would otherwise wait for; failing is
// no reason not to start.
func warm(ctx context.Context, env Environment, first string, l *lookup.Lookup, more ...func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, prefetchLimit)
	defer cancel()
	for _, fetch := range append(more, l.Warm) {
		if err := fetch(ctx); err != nil && fault.KindOf(err) != fault.NotFound { // nothing is reconciled yet
			telemetry.NewLogger(env.Stdout, nil).ErrorContext(ctx, "prefetch failed: the first "+first+" tries again",
				telemetry.KeyKind, string(fault.KindOf(err)), telemetry.KeyError, err.Error())
		}
	}
}

// lockedOwners answers nobody before there is a key: a decision that the audit
// trail cannot name is not taken.
type lockedOwners struct {
	lookup *lookup.Lookup
	vault  *vault
}

// Owners implements hook.Owners.
func (l lockedOwners) Owners(ctx context.Context, u userpool.User) ([]lookup.Owner, error) {
	if _, err := l.vault.open(ctx); err != nil {
		return nil, err
	}
	return l.lookup.Owners(ctx, u)
}
