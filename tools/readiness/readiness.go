// Package readiness connects preflight with a configuration and AWS, and shows
// what it has found.
//
// Vocabulary: a section is a member of poolferry.yaml, or one level below it,
// such as source.profile; a deployed document is the configuration that a
// function runs with; a function goes by a section if it does something else where
// the section is another.
package readiness

import (
	"context"
	"slices"
	"time"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/fault"
	"poolferry/internal/hook"
	"poolferry/internal/manifest"
	"poolferry/internal/preflight"
	"poolferry/internal/preflight/staged"
	"poolferry/internal/reconcile/lookup"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/store"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

// Options are what a preflight is connected with.
type Options struct {
	Lookup func(name string) (string, bool) // environment variables
	Now    func() time.Time
	Say    func(format string, args ...any)
}

// New returns the preflight of a configuration, as account may do it. One call is
// made: whose credentials these are.
func New(ctx context.Context, cfg *config.Config, account *cognito.Account, o Options) (*preflight.Preflight, error) {
	id, _, err := account.Identity(ctx)
	if err != nil {
		return nil, err
	}
	bucket, err := store.OpenS3(ctx, store.S3Options{Bucket: cfg.Staging.Bucket, Region: cfg.Target.Region, Owner: id, Env: o.Lookup})
	if err != nil {
		return nil, err
	}
	run := store.NewRun(bucket, cfg.Run)
	p := preflight.Options{
		Settings: settings(cfg), Account: id,
		Target:    cognito.NewSurvey(account, cfg.Target.Region, cfg.Target.PoolID, cognito.Role{}),
		Functions: cognito.NewFunctions(account, cfg.Target.Region, config.EnvName),
		Buckets:   bucket.Survey(cfg.Run),
		Quotas:    cognito.NewQuotas(account, cfg.Target.Region),
		Run:       run,
		Deployed: func(trigger, document string) preflight.Deployment {
			return deployed(cfg, trigger, document)
		},
		Code:      cognito.Code,
		Names:     opening,
		Outlook:   outlook(cfg),
		Strangers: func(ctx context.Context) (*preflight.Strangers, error) { return strangers(ctx, run) },
		Reconciled: func(ctx context.Context) (bool, error) {
			return reconciled(ctx, lookup.New(lookup.Options{Run: cfg.Run, Store: run, MFA: string(cfg.MFAPolicy), Now: o.Now}))
		},
		Now: o.Now, Say: o.Say,
	}
	if cfg.Source.ExportRoleARN != "" {
		p.Source = cognito.NewSurvey(account, cfg.Source.Region, cfg.Source.PoolID, cognito.Role{
			ARN: cfg.Source.ExportRoleARN, ExternalID: cfg.Source.ExternalID, SessionName: "poolferry-preflight",
		})
	}
	return preflight.New(p), nil
}

// Pools returns the pools of a configuration as a preflight keeps them.
func Pools(cfg *config.Config) (source, target manifest.Pool) {
	return manifest.Pool{Account: cfg.Source.Account, Region: cfg.Source.Region, ID: cfg.Source.PoolID},
		manifest.Pool{Region: cfg.Target.Region, ID: cfg.Target.PoolID}
}

func settings(cfg *config.Config) preflight.Settings {
	s := preflight.Settings{
		Run: cfg.Run, ClientID: cfg.Source.ClientID, ClientSecret: cfg.Source.ClientSecret != "",
		LoginRole: cfg.Source.LoginRoleARN, ExportRole: cfg.Source.ExportRoleARN, Profile: string(cfg.Source.Profile),
		SMSMFA: cfg.Target.SMSMFA, MFAVerify: cfg.MFAPolicy == trigger.MFAVerify, Mapping: cfg.Mapping, StagingBucket: cfg.Staging.Bucket,
		QuotaRaised: cfg.Pace.QuotaRaised, Hooks: hooks(cfg.Run), UnsureAllows: cfg.Guard.WhenUnsure == hook.UnsureAllow,
		ImportLogRole: cfg.Tail.ImportLogRoleARN,
		Paces: []preflight.Pace{
			{Category: "UserAuthentication", Line: "user_authentication", PerSecond: cfg.Pace.UserAuthentication, AtSource: true},
			{Category: "UserRead", Line: "user_read", PerSecond: cfg.Pace.UserRead, AtSource: true},
			{Category: "UserList", Line: "user_list", PerSecond: cfg.Pace.UserList, AtSource: true},
			{Category: "UserList", Line: "user_list", PerSecond: cfg.Pace.UserList}, // reconciliations list the target
			{Category: "UserRead", Line: "user_read", PerSecond: cfg.Pace.UserRead}, // settling reads second factors
			{Category: "UserUpdate", Line: "user_update", PerSecond: cfg.Pace.UserUpdate},
			{Category: "UserResourceUpdate", Line: "user_resource_update", PerSecond: cfg.Pace.UserResourceUpdate},
			{Category: "UserResourceRead", Line: "user_resource_read", PerSecond: cfg.Pace.UserResourceRead},
		},
	}
	if cfg.Settle.Groups.Mode != userpool.GroupsNone {
		s.GroupRoles = cfg.Settle.Groups.Roles
	}
	s.Source, s.Target = Pools(cfg)
	return s
}

// opening returns the names that open a target pool for a user whose attributes
// are mapped.
func opening(u userpool.User, target userpool.Pool) []staged.Name {
	var out []staged.Name
	for _, n := range names.Of(u, target) {
		if !n.Opens {
			continue
		}
		kind := n.Kind
		if kind == names.PreferredUsername { // which is found as a username is
			kind = names.Username
		}
		out = append(out, staged.Name{Value: kind.String() + "\x00" + n.Value, Exact: n.Exact})
	}
	return out
}

// outlook predicts as reconciliations do: the reason for which a user would be
// pending.
func outlook(cfg *config.Config) func(userpool.User, userpool.Pool) string {
	return func(u userpool.User, target userpool.Pool) string {
		rules := verdict.Rules{Pool: target, MFA: string(cfg.MFAPolicy)}
		return string(rules.Decide(verdict.Case{Staged: &u}).Reason)
	}
}

// strangers are those of the latest whole reconciliation; nil where there is none.
func strangers(ctx context.Context, run *store.Run) (*preflight.Strangers, error) {
	history, _, err := run.LoadProgress(ctx)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	id := latestWhole(history)
	if id == "" {
		return nil, nil
	}
	summary, err := run.ReadSummary(ctx, id)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return nil, nil // swept: the history outlives it
	}
	if err != nil {
		return nil, err
	}
	return &preflight.Strangers{Reconciled: true, Users: summary.Joins + summary.Findings[verdict.IdentityTaken]}, nil
}

func latestWhole(h progress.History) string {
	for _, point := range slices.Backward(h.Points) {
		if point.Whole() {
			return point.ID
		}
	}
	return ""
}

// reconciled reports whether the guard can look names up, by doing what it does
// before the first registration.
func reconciled(ctx context.Context, l *lookup.Lookup) (bool, error) {
	err := l.Warm(ctx)
	switch {
	case err == nil:
		return true, nil
	case slices.Contains([]fault.Kind{fault.NotFound, fault.Invalid}, fault.KindOf(err)):
		return false, nil // nothing is reconciled yet, or what there was is gone or damaged
	}
	return false, err
}
