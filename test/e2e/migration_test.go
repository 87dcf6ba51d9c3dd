package e2e_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"poolferry/internal/cognito"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/settle"
	"poolferry/internal/store"
	"poolferry/internal/userpool"
	"poolferry/statemachines"
	"poolferry/tools/cli"
	"poolferry/tools/rehearsal"
)

// asTool is the variable that makes this test's binary the command line tool, so
// that the tool has an environment of its own while other tests run.
const asTool = "POOLFERRY_E2E_TOOL"

func TestMain(m *testing.M) {
	if os.Getenv(asTool) != "" {
		os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	// Most of the time these tests wait: for state machines, import jobs, processes.
	if err := flag.Set("test.parallel", "5"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// migration is a world whose operator may do what infra's policy says and no
// more, with a clock that can be put forward.
type migration struct {
	*rehearsal.World
	t      *testing.T
	config string        // path of its poolferry.yaml
	shape  crowd.Shape   // of both pools
	ahead  *atomic.Int64 // of the clock, in nanoseconds
}

// migrate builds a world with people at the source.
func migrate(t *testing.T, o rehearsal.Options, people ...cognitoidp.UserSpec) *migration {
	t.Helper()
	m := &migration{t: t, config: filepath.Join(t.TempDir(), "poolferry.yaml"), shape: o.Shape, ahead: &atomic.Int64{}}
	o.LeastOperator, o.Seed, o.Speed = true, cmp.Or(o.Seed, 9), cmp.Or(o.Speed, 100)
	o.Now = func() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }
	var err error
	if m.World, err = rehearsal.New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	m.put(people...)
	if err := os.WriteFile(m.config, m.YAML, 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// staged is a migration in which everybody is staged and nobody has moved yet at
// the time of the first reconciliation.
func staged(t *testing.T, o rehearsal.Options, people ...cognitoidp.UserSpec) *migration {
	t.Helper()
	m := migrate(t, o, people...)
	execute(t, m.World, statemachines.Preseed)
	m.reconciles()
	return m
}

// person is a user of the source who is called so, with an e-mail address and a
// password that follow from the name.
func person(name string, with ...func(*cognitoidp.UserSpec)) cognitoidp.UserSpec {
	p := cognitoidp.UserSpec{
		Username: name, Sub: subOf(name), Password: passwordOf(name),
		Attributes: userpool.Attributes{"email": name + "@example.com", "email_verified": "true"},
	}
	for _, change := range with {
		change(&p)
	}
	return p
}

// persons are people of these names.
func persons(names ...string) (all []cognitoidp.UserSpec) {
	for _, name := range names {
		all = append(all, person(name))
	}
	return all
}

func subOf(name string) userpool.Sub {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return userpool.Sub(fmt.Sprintf("5e1f%04x-0000-4000-8000-%012x", h.Sum64()>>48, h.Sum64()&(1<<48-1)))
}

func passwordOf(name string) userpool.Secret { return userpool.NewSecret("Canary-" + name + "-1!") }

// anotherOf is the password that somebody chooses who needs another one.
func anotherOf(name string) userpool.Secret { return userpool.NewSecret("Canary-" + name + "-2!") }

func inGroups(groups ...string) func(*cognitoidp.UserSpec) {
	return func(p *cognitoidp.UserSpec) { p.Groups = groups }
}

func disabled(p *cognitoidp.UserSpec) { p.Disabled = true }

// texted is somebody who is asked for a code by SMS.
func texted(p *cognitoidp.UserSpec) {
	p.Attributes["phone_number"], p.Attributes["phone_number_verified"] = fmt.Sprintf("+4915%09d", len(p.Username)*7919), "true"
	p.SMSMFA, p.Preferred = true, "SMS_MFA"
}

func unconfirmed(p *cognitoidp.UserSpec) { p.Status = userpool.StatusUnconfirmed }

func federated(p *cognitoidp.UserSpec) {
	p.Status, p.Password = userpool.StatusExternalProvider, userpool.Secret{}
}

// put adds people to the source.
func (m *migration) put(people ...cognitoidp.UserSpec) {
	m.t.Helper()
	for _, p := range people {
		if m.shape == crowd.UsernameAttributes {
			p.Username = ""
		}
		if _, err := m.Cognito.PutUser(m.Source.PoolID, p); err != nil {
			m.t.Fatal(err)
		}
	}
}

// group makes a group of the source.
func (m *migration) group(name, description string, precedence int32) {
	m.t.Helper()
	_, err := administrator(m.Source, m.Endpoint).CreateGroup(m.t.Context(), &cip.CreateGroupInput{
		UserPoolId: &m.Source.PoolID, GroupName: &name, Description: &description, Precedence: &precedence,
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// lookupForgets is longer than the hooks remember which reconciliation is the last
// whole one.
const lookupForgets = 6 * time.Minute

// hooksForget puts the clock forward until the hooks look again: nobody waits for that.
func (m *migration) hooksForget() { m.ahead.Add(int64(lookupForgets)) }

// types has the operator type a command, which must end with a code and write the
// words.
func (m *migration) types(command string, code int, words ...string) (stdout string) {
	m.t.Helper()
	tool := exec.CommandContext(m.t.Context(), os.Args[0], append(strings.Fields(command), "--config", m.config)...)
	tool.Env = []string{asTool + "=1", "HOME=" + m.t.TempDir()}
	for _, name := range []string{
		"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"POOLFERRY_CLIENT_SECRET", "POOLFERRY_NAME_KEY", "POOLFERRY_PROBE_PASSWORD",
	} {
		if value, ok := m.OperatorEnv()(name); ok {
			tool.Env = append(tool.Env, name+"="+value)
		}
	}
	var out, talk bytes.Buffer
	tool.Stdout, tool.Stderr = &out, &talk
	err := tool.Run()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		m.t.Fatal(err)
	}
	if got := tool.ProcessState.ExitCode(); got != code {
		m.t.Fatalf("%s: exit %d, want %d\n%s%s", command, got, code, &out, &talk)
	}
	for _, word := range words {
		if !strings.Contains(out.String()+talk.String(), word) {
			m.t.Errorf("%s does not say %q:\n%s%s", command, word, &out, &talk)
		}
	}
	return out.String()
}

// reconciles runs a reconciliation, which must be whole, and what comes after it.
func (m *migration) reconciles() reconcile.Summary {
	m.t.Helper()
	execute(m.t, m.World, statemachines.Reconcile)
	r, err := m.Reconciliation(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	status, err := r.Status(m.t.Context())
	if err != nil || status.Last == nil || status.Last.Failure != "" || len(status.Last.Partial) > 0 {
		m.t.Fatalf("the reconciliation is not whole: %+v, %v", status.Last, err)
	}
	return *status.Last
}

// verdicts fails unless a reconciliation has found so many of each.
func (m *migration) verdicts(s reconcile.Summary, want map[verdict.Verdict]int) {
	m.t.Helper()
	for v, n := range want {
		if s.Verdicts[v] != n {
			m.t.Errorf("%s: %v, want %d %s", s.ID, s.Verdicts, n, v)
		}
	}
}

// settled is how the settling stands.
func (m *migration) settled() settle.Status {
	m.t.Helper()
	bucket, err := store.OpenS3(m.t.Context(), store.S3Options{Bucket: m.Config.Staging.Bucket, Region: m.Target.Region, Env: m.OperatorEnv()})
	if err != nil {
		m.t.Fatal(err)
	}
	status, err := settle.New(settle.Options{Run: m.Config.Run, Store: store.NewRun(bucket, m.Config.Run), Now: time.Now}).Status(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return status
}

// called is what somebody types as their name.
func (m *migration) called(name string) string {
	if m.shape == crowd.UsernameAttributes {
		return name + "@example.com"
	}
	return name
}

// signIn returns the ID token of a sign-in by password. What asks for more is an
// error.
func (m *migration) signIn(name string, password userpool.Secret) (userpool.Secret, error) {
	m.t.Helper()
	got, err := app(m.t, m.World).SignIn(m.t.Context(), m.called(name), password, nil)
	return whole(got, err)
}

// signInSRP is signIn by SRP.
func (m *migration) signInSRP(name string, password userpool.Secret) (userpool.Secret, error) {
	m.t.Helper()
	got, err := app(m.t, m.World).SignInSRP(m.t.Context(), m.Target.PoolID, m.called(name), password)
	return whole(got, err)
}

func whole(s cognito.SignIn, err error) (userpool.Secret, error) {
	if err == nil && !s.Done {
		err = fmt.Errorf("asked for %s", s.Challenge)
	}
	return s.IDToken, err
}

// moves has somebody sign in with the password of the source.
func (m *migration) moves(names ...string) {
	m.t.Helper()
	for _, name := range names {
		if _, err := m.signIn(name, passwordOf(name)); err != nil {
			m.t.Fatalf("%s: %v", name, err)
		}
	}
}

// resets has somebody choose another password, as one who has forgotten theirs.
func (m *migration) resets(name string) {
	m.t.Helper()
	client := app(m.t, m.World)
	if err := client.ForgotPassword(m.t.Context(), m.called(name), nil); err != nil {
		m.t.Fatalf("%s: %v", name, err)
	}
	message, ok := m.Cognito.LastMessage(m.Target.PoolID, m.called(name))
	if !ok {
		m.t.Fatalf("%s got no code", name)
	}
	if err := client.ConfirmForgotPassword(m.t.Context(), m.called(name), message.Code, anotherOf(name)); err != nil {
		m.t.Fatalf("%s: %v", name, err)
	}
}

// registers has a stranger register under an address.
func (m *migration) registers(username, address string) error {
	m.t.Helper()
	return app(m.t, m.World).SignUp(m.t.Context(), username, userpool.NewSecret("Canary-stranger-1!"), userpool.Attributes{"email": address})
}

// here are the users of the target that came from the source, by their sub there.
// Nobody may be there twice.
func (m *migration) here() map[userpool.Sub]userpool.User {
	m.t.Helper()
	all := map[userpool.Sub]userpool.User{}
	for u := range m.Cognito.Users(m.Target.PoolID) {
		if legacy := userpool.Sub(u.Attributes[userpool.AttrLegacySub]); legacy != "" {
			if other, twice := all[legacy]; twice {
				m.t.Errorf("%s is there twice, as %s and %s", legacy, u.Username, other.Username)
			}
			slices.Sort(u.Groups)
			all[legacy] = u
		}
	}
	return all
}

// deletes has the administrators delete somebody from both pools.
func (m *migration) deletes(name string) {
	m.t.Helper()
	m.deletesAt(m.Source, name)
	m.deletesAt(m.Target, name)
}

func (m *migration) deletesAt(site rehearsal.Site, name string) {
	m.t.Helper()
	_, err := administrator(site, m.Endpoint).AdminDeleteUser(m.t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &site.PoolID, Username: &name})
	if err != nil {
		m.t.Fatal(err)
	}
}

// claims are those of a token.
func claims(t *testing.T, token userpool.Secret) (all map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token.Reveal()+"..", ".")[1])
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}
