package rehearsal

import (
	"context"

	"poolferry/internal/cognito"
	"poolferry/internal/cutover"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/userpool"
	"poolferry/lambdas"
	"poolferry/tools/changeover"
)

// The probe is the user of the target pool by whom a cut-over is proven.
const (
	probeName         = "poolferry-probe"
	probePasswordName = "POOLFERRY_PROBE_PASSWORD" //nolint:gosec // the name of a variable
)

// unhurried is a pace in requests per second that nobody waits for: these accounts
// are nobody else's.
const unhurried = 500

// ProbePassword is that of the probe.
func (w *World) ProbePassword() userpool.Secret {
	return userpool.NewSecret("Canary-probe-rehearsal-7!")
}

// AddProbe puts the probe into the target pool, as an operator does before the
// cut-over.
func (w *World) AddProbe() error {
	_, err := w.Cognito.PutUser(w.Target.PoolID, cognitoidp.UserSpec{
		Username: probeName, Password: w.ProbePassword(),
		Attributes: userpool.Attributes{"email": "probe@example.net", "email_verified": "true"},
	})
	return err
}

// Cutover is the run's cut-over as the operator sees it.
func (w *World) Cutover(ctx context.Context) (*cutover.Cutover, error) {
	account, err := cognito.NewAccount(ctx, w.Target.Region, w.OperatorEnv())
	if err != nil {
		return nil, err
	}
	return changeover.New(ctx, w.Config, account, changeover.Options{
		Env: lambdas.Environment{Lookup: w.OperatorEnv(), Now: w.options.Now}, Say: func(string, ...any) {}, PerSecond: unhurried,
	})
}

// SignInSRP signs a person in at the target by SRP, as apps do after the cut-over.
func (w *World) SignInSRP(ctx context.Context, name string, password userpool.Secret) error {
	account, err := cognito.NewAccount(ctx, w.Target.Region, w.OperatorEnv())
	if err != nil {
		return err
	}
	probe := cognito.NewProbe(account, cognito.SettingsOptions{Region: w.Target.Region, PoolID: w.Target.PoolID}, "nobody")
	_, err = probe.SignInSRP(ctx, w.Target.Client.ID, name, password)
	return err
}
