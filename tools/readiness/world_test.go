package readiness_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/preflight"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/lambda"
	"poolferry/tools/readiness"
	"poolferry/tools/rehearsal"
)

// world is a rehearsal, and whoever operates the target.
type world struct {
	*rehearsal.World
	account *cognito.Account
	lookup  func(string) (string, bool)
}

func open(t *testing.T, o rehearsal.Options) world {
	t.Helper()
	o.Now, o.Seed = time.Now, 3
	change := o.Change
	o.Change = func(c *config.Config) {
		// What AWS's default quotas allow: a rehearsal is in more of a hurry.
		c.Pace = config.Pace{UserAuthentication: 40, UserRead: 40, UserList: 30, UserUpdate: 8, UserResourceUpdate: 8, UserResourceRead: 16}
		if change != nil {
			change(c)
		}
	}
	w, err := rehearsal.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	vars := map[string]string{
		"AWS_ENDPOINT_URL": w.Endpoint, "AWS_ACCESS_KEY_ID": w.Target.Operator.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": w.Target.Operator.SecretAccessKey.Reveal(),
	}
	out := world{World: w, lookup: func(name string) (string, bool) { value, ok := vars[name]; return value, ok }}
	if out.account, err = cognito.NewAccount(t.Context(), w.Target.Region, out.lookup); err != nil {
		t.Fatal(err)
	}
	return out
}

// preflight is that of a configuration; nil is the world's own.
func (w world) preflight(t *testing.T, cfg *config.Config) *preflight.Preflight {
	t.Helper()
	if cfg == nil {
		cfg = w.Config
	}
	p, err := readiness.New(t.Context(), cfg, w.account, readiness.Options{Lookup: w.lookup, Now: time.Now, Say: func(string, ...any) {}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w world) look(t *testing.T) preflight.Report {
	t.Helper()
	r, err := w.preflight(t, nil).Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// serious are the codes of the findings that are more than information.
func serious(r preflight.Report) string {
	var codes []string
	for _, f := range r.Findings {
		if f.Severity != preflight.Info {
			codes = append(codes, string(f.Code))
		}
	}
	return strings.Join(codes, " ")
}

// infos are the codes of the others.
func infos(r preflight.Report) string {
	var codes []string
	for _, f := range r.Findings {
		if f.Severity == preflight.Info {
			codes = append(codes, string(f.Code))
		}
	}
	return strings.Join(codes, " ")
}

// broken is a function that never gets as far as an answer.
type broken struct{}

func (broken) Invoke(context.Context, lambda.Invocation) ([]byte, error) {
	return nil, &lambda.FunctionError{Type: "Runtime.ExitError", Message: "exit status 1"}
}

// foreign attaches a function that is not poolferry's as migration trigger.
// Nobody may invoke it.
func foreign(w world) error {
	return strange("theirs", func(t *cognitoidp.Triggers, arn string) { t.UserMigration = arn })(w)
}

// strange adds a function that is not poolferry's and attaches it.
func strange(name string, attach func(t *cognitoidp.Triggers, arn string)) func(world) error {
	return func(w world) error {
		arn, err := w.Sandbox.Lambda.Add(lambda.Function{
			Account: w.Target.Account, Region: w.Target.Region, Name: name, Runner: untouched{},
			Permissions: []lambda.Permission{{Service: "cognito-idp.amazonaws.com"}},
		})
		return errors.Join(err, attached(func(t *cognitoidp.Triggers) { attach(t, arn) })(w))
	}
}

// attached changes the triggers of the target pool.
func attached(change func(*cognitoidp.Triggers)) func(world) error {
	return targetPool(func(s *cognitoidp.Settings) { change(&s.LambdaConfig) })
}

// functionARN is that of a function of the run.
func (w world) functionARN(name string) string {
	return strings.Replace(w.Brief("").Function, "migrate-user", name, 1)
}

type untouched struct{}

func (untouched) Invoke(context.Context, lambda.Invocation) ([]byte, error) {
	panic("a function that is not poolferry's was invoked")
}
