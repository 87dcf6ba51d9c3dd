package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"poolferry/tools/cli"
)

// person is a throw-away user of the source pool.
type person struct {
	username, email, password string
	sub                       string // at the source
	types                     string // as name at sign-in
}

// tale is one telling of the story.
type tale struct {
	t      *testing.T
	g      *ground
	schema []types.SchemaAttributeType // of the source
	byMail bool                        // the source's usernames are e-mail addresses
	alias  bool                        // an e-mail address is as good as a username
	from   *types.UserPoolType         // the pools as they were
	to     *types.UserPoolType
	client string // the app at the target
	people []*person
	phones int      // how many numbers were given away
	cut    bool     // a cut-over was tried that has not been taken back
	untold []string // what the ground has no room for
}

// story is a migration from first check to roll-back, by the command line tool:
// people of the source are staged, a stranger may not register as one of them,
// some sign in at the target and arrive with their passwords and groups, others
// are refused for the right reason, and a reconciliation knows who is who. One who
// has not come is imported and settled; the run is cut over, people sign in by SRP
// alone, and that is taken back. Everything that it makes is deleted, the results
// of the run included: it wants a run that nobody has begun. Returned is what the
// ground has no room for.
func story(t *testing.T, g *ground) (untold []string) {
	s := &tale{t: t, g: g}
	if _, code := s.types("status", "--json"); code != cli.ExitNoRun {
		t.Fatalf("run %s has begun (poolferry status exits %d): give the deployment a run of its own, whose results may be deleted", g.cfg.Run, code)
	}
	afterwards(t, "results of the run", s.forget)
	ready := read[struct {
		Ready    bool
		Findings []struct{ Code, Severity, Detail string }
	}](s, s.exits([]int{cli.ExitDone, cli.ExitFindings}, "preflight", "--json"))
	for _, f := range ready.Findings {
		t.Logf("preflight: %s %s: %s", f.Severity, f.Code, f.Detail)
	}
	if !ready.Ready {
		t.Fatal("preflight has blockers")
	}

	s.look()
	plain, mail, late, waits := s.settle("plain", true), s.settle("mail", true), s.settle("late", true), s.settle("waits", true)
	off, temporary, gone := s.settle("off", true), s.settle("temporary", false), s.settle("gone", false)
	if s.alias {
		mail.types = mail.email
	}
	s.ask(g.source.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: &g.cfg.Source.PoolID, Username: &off.username}))
	crew, rest := s.group("crew", plain, late), s.group("rest", gone)
	texted := s.texted(temporary) && s.texted(gone)

	s.exits([]int{cli.ExitDone}, "seed", "start", "--yes", "--json")
	s.exits([]int{cli.ExitDone}, "seed", "watch", "--json", "--interval", often)
	s.exits([]int{cli.ExitDone}, "manifest", "verify", "--json")
	for _, p := range s.people {
		staged := s.exits([]int{cli.ExitDone}, "manifest", "inspect", "--profile", p.sub, "--json")
		if !strings.Contains(staged, p.email) || strings.Contains(staged, p.password) {
			t.Errorf("%s is staged as %s", p.username, staged)
		}
		if (p == gone || p == temporary) && texted && !strings.Contains(staged, "SMS_MFA") {
			texted = false
			s.leaves("a second factor by SMS", "the source does not list it, see the probe listed-factor")
		}
	}

	// The hooks go by a reconciliation: this one finds everybody still to come.
	s.compares(map[*person]string{plain: "pending", mail: "pending", temporary: "pending", late: "pending", waits: "pending", gone: "pending", off: "pending disabled"})
	s.registers(late)
	s.signsIn(plain)
	if in := s.groups(plain); g.sandbox && !slices.Contains(in, crew) {
		t.Errorf("%s is welcomed into %v", plain.username, in)
	} else {
		t.Logf("at the first sign-in %s is in groups %v", plain.username, in)
	}
	s.signsIn(mail)
	s.refuses(plain, off, temporary)
	if status := s.target(temporary); status != types.UserStatusTypeResetRequired {
		t.Errorf("a user with a temporary password is %q at the target, want RESET_REQUIRED", status)
	}
	for _, p := range []*person{off, late} {
		if status := s.target(p); status != "" {
			t.Errorf("%s is %s at the target", p.username, status)
		}
	}

	want := map[*person]string{plain: "migrated", mail: "migrated", temporary: "migrated", off: "pending disabled", late: "pending", waits: "pending", gone: "pending temporary_password"}
	s.compares(want)
	s.joins(plain, crew)
	if texted {
		s.asks(temporary, "SMS_MFA") // which settling does: nobody has proven a second factor
	}
	s.signsIn(late)
	want[late] = "migrated"
	s.compares(want)
	s.joins(late, crew)
	s.exits([]int{cli.ExitRunning, cli.ExitFindings}, "status", "--json")
	s.reports()

	if s.imports(gone, rest, want) && texted {
		s.asks(gone, "") // the file has said so, and it is the only one there is
	}
	s.ends(plain, waits)
	return s.untold
}

// often is how often the tool looks at what it follows.
const often = "500ms"

// types runs a command of the tool.
func (s *tale) types(args ...string) (stdout string, code int) {
	s.t.Helper()
	return s.typesIn(s.t.Context(), s.g.file, args...)
}

// typesIn runs a command with another configuration.
func (s *tale) typesIn(ctx context.Context, file string, args ...string) (stdout string, code int) {
	s.t.Helper()
	var out, talk bytes.Buffer
	code = cli.Main(ctx, append(args, "--config", file), strings.NewReader(""), &out, &talk)
	s.t.Logf("poolferry %s: exit %d\n%s", strings.Join(args, " "), code, talk.String())
	return out.String(), code
}

// exits runs a command that must end with one of the codes.
func (s *tale) exits(codes []int, args ...string) string {
	s.t.Helper()
	out, code := s.types(args...)
	if !slices.Contains(codes, code) {
		s.t.Fatalf("poolferry %s: exit %d, want %v\n%s", strings.Join(args, " "), code, codes, out)
	}
	return out
}

// read reads the last line of what a command has written.
func read[T any](s *tale, text string) (v T) {
	s.t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &v); err != nil {
		s.t.Fatalf("%v in %s", err, text)
	}
	return v
}

// ask fails the story where AWS does not do what an administrator may ask for.
func (s *tale) ask(_ any, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(said(err))
	}
}

// look reads how people sign in at the source, and makes an app at the target.
func (s *tale) look() {
	s.t.Helper()
	g := s.g
	out, err := g.source.DescribeUserPool(s.t.Context(), &cip.DescribeUserPoolInput{UserPoolId: &g.cfg.Source.PoolID})
	s.ask(out, err)
	s.from, s.schema = out.UserPool, out.UserPool.SchemaAttributes
	to, err := g.target.DescribeUserPool(s.t.Context(), &cip.DescribeUserPoolInput{UserPoolId: &g.cfg.Target.PoolID})
	s.ask(to, err)
	s.to = to.UserPool
	s.byMail = slices.Contains(out.UserPool.UsernameAttributes, types.UsernameAttributeTypeEmail)
	s.alias = slices.Contains(out.UserPool.AliasAttributes, types.AliasAttributeTypeEmail)
	made, err := g.target.CreateUserPoolClient(s.t.Context(), &cip.CreateUserPoolClientInput{
		UserPoolId: &g.cfg.Target.PoolID, ClientName: aws.String(unique("app")), PreventUserExistenceErrors: hiding,
		ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserPasswordAuth, types.ExplicitAuthFlowsTypeAllowRefreshTokenAuth},
	})
	s.ask(made, err)
	s.client = *made.UserPoolClient.ClientId
	afterwards(s.t, "app client "+s.client, func(ctx context.Context) error {
		_, err := g.target.DeleteUserPoolClient(ctx, &cip.DeleteUserPoolClientInput{UserPoolId: &g.cfg.Target.PoolID, ClientId: &s.client})
		return err
	})
}

// settle makes a user of the source pool, with a password of their own or a
// temporary one. Nobody is sent a message.
func (s *tale) settle(what string, own bool) *person {
	s.t.Helper()
	name := unique(what)
	p := &person{username: name, email: mailbox(name), password: password()}
	if s.byMail {
		p.username = p.email
	}
	p.types = p.username
	out, err := s.g.source.AdminCreateUser(s.t.Context(), &cip.AdminCreateUserInput{
		UserPoolId: &s.g.cfg.Source.PoolID, Username: &p.username, UserAttributes: s.attributes(p.email),
		TemporaryPassword: &p.password, MessageAction: types.MessageActionTypeSuppress,
	})
	s.ask(out, err)
	for _, pool := range s.pools() {
		afterwards(s.t, "user of pool "+pool.id, func(ctx context.Context) error {
			_, err := pool.api.AdminDeleteUser(ctx, &cip.AdminDeleteUserInput{UserPoolId: &pool.id, Username: &p.username})
			return err
		})
	}
	for _, a := range out.User.Attributes {
		if aws.ToString(a.Name) == "sub" {
			p.sub = aws.ToString(a.Value)
		}
	}
	if own {
		s.setPassword(p, p.password)
	}
	s.people = append(s.people, p)
	return p
}

// side is one of the two pools.
type side struct {
	api *cip.Client
	id  string
}

func (s *tale) pools() []side {
	return []side{{s.g.source, s.g.cfg.Source.PoolID}, {s.g.target, s.g.cfg.Target.PoolID}}
}

// attributes are those of a new user, as far as the source wants them.
func (s *tale) attributes(address string) []types.AttributeType {
	attributes := []types.AttributeType{{Name: aws.String("email"), Value: &address}, {Name: aws.String("email_verified"), Value: aws.String("true")}}
	for _, a := range s.schema {
		if value := required[aws.ToString(a.Name)]; aws.ToBool(a.Required) && value != "" {
			attributes = append(attributes, types.AttributeType{Name: a.Name, Value: &value})
		}
	}
	return attributes
}

// required are values of the attributes that a pool may demand.
var required = map[string]string{
	"name": "Throw Away", "given_name": "Throw", "family_name": "Away", "middle_name": "X", "nickname": "T", "gender": "x", "locale": "en-GB", "zoneinfo": "UTC",
	"phone_number": "+15555550100", "birthdate": "1970-01-01", "address": "1 Road", "profile": "https://example.com", "picture": "https://example.com", "website": "https://example.com", "updated_at": "1700000000",
}

func (s *tale) setPassword(p *person, password string) {
	s.t.Helper()
	out, err := s.g.source.AdminSetUserPassword(s.t.Context(), &cip.AdminSetUserPasswordInput{
		UserPoolId: &s.g.cfg.Source.PoolID, Username: &p.username, Password: &password, Permanent: true,
	})
	s.ask(out, err)
}

// attempt is a sign-in at the target.
func (s *tale) attempt(name, password string) string {
	out, err := s.g.target.InitiateAuth(s.t.Context(), &cip.InitiateAuthInput{
		ClientId: &s.client, AuthFlow: types.AuthFlowTypeUserPasswordAuth, AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password},
	})
	if err != nil {
		return said(err)
	}
	return ended(out.AuthenticationResult, out.ChallengeName)
}

// signsIn has a person sign in at the target for the first time. That the
// password has moved is proven by changing it at the source.
func (s *tale) signsIn(p *person) {
	s.t.Helper()
	if got := s.attempt(p.types, p.password); got != "signed in" {
		s.t.Fatalf("%s at the target: %s", p.username, got)
	}
	s.setPassword(p, password())
	if got := s.attempt(p.types, p.password); got != "signed in" {
		s.t.Errorf("%s at the target, with the password that is no longer the source's: %s", p.username, got)
	}
	out, err := s.g.target.AdminGetUser(s.t.Context(), &cip.AdminGetUserInput{UserPoolId: &s.g.cfg.Target.PoolID, Username: &p.username})
	s.ask(out, err)
	got := map[string]string{}
	for _, a := range out.UserAttributes {
		got[aws.ToString(a.Name)] = aws.ToString(a.Value)
	}
	if out.UserStatus != types.UserStatusTypeConfirmed || got["custom:legacy_sub"] != p.sub || got["sub"] == p.sub || got["email"] != p.email || got["email_verified"] != "true" {
		s.t.Errorf("%s arrived %s as %v, and was %s", p.username, out.UserStatus, got, p.sub)
	}
}

// refuses tries who must not get in. Nobody can tell a wrong password from an
// unknown name or a disabled user.
func (s *tale) refuses(moved, off, temporary *person) {
	s.t.Helper()
	unknown := s.attempt(unique("nobody"), password())
	for what, got := range map[string]string{
		"a wrong password": s.attempt(moved.types, password()),
		"a disabled user":  s.attempt(off.types, off.password),
	} {
		if got != unknown {
			s.t.Errorf("%s is told from an unknown name: %q, %q", what, got, unknown)
		}
	}
	if got := s.attempt(temporary.types, temporary.password); got == "signed in" {
		s.t.Error("a temporary password is enough")
	}
}

// target is a person's status at the target, "" for none.
func (s *tale) target(p *person) types.UserStatusType {
	s.t.Helper()
	out, err := s.g.target.AdminGetUser(s.t.Context(), &cip.AdminGetUserInput{UserPoolId: &s.g.cfg.Target.PoolID, Username: &p.username})
	if strings.HasPrefix(said(err), "UserNotFoundException") {
		return ""
	}
	s.ask(out, err)
	return out.UserStatus
}

// compares reconciles until people are accounted for as they should: by a verdict,
// and a reason where it matters. AWS lists a user a little later than it has one.
func (s *tale) compares(want map[*person]string) {
	s.t.Helper()
	err := s.g.until(s.t.Context(), func() error {
		ran := read[struct {
			Reconciliation struct{ State string }
		}](s, s.exits([]int{cli.ExitDone, cli.ExitFindings}, "reconcile", "run", "--json", "--interval", often))
		if ran.Reconciliation.State != "whole" {
			return fmt.Errorf("the reconciliation is %q", ran.Reconciliation.State)
		}
		got := s.accounts()
		for p, verdict := range want {
			if !strings.HasPrefix(got[p.sub], verdict) {
				return fmt.Errorf("%s is %q, want %q", p.username, got[p.sub], verdict)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
}

// accounts is what the latest reconciliation says of everybody, by source sub.
func (s *tale) accounts() map[string]string {
	s.t.Helper()
	got := map[string]string{}
	for line := range strings.Lines(s.exits([]int{cli.ExitDone}, "reconcile", "pending", "--json")) {
		row := read[struct{ Sub, Verdict, Reason string }](s, line)
		got[row.Sub] = row.Verdict + " " + row.Reason
	}
	for line := range strings.Lines(s.exits([]int{cli.ExitDone}, "reconcile", "idmap")) {
		row := read[struct {
			Legacy  string `json:"legacy_sub"`
			Sub     string
			Verdict string
		}](s, line)
		if row.Sub == "" || row.Sub == row.Legacy {
			s.t.Errorf("the id map has %+v", row)
		}
		got[row.Legacy] = row.Verdict
	}
	return got
}

// reports writes the report, which names nobody.
func (s *tale) reports() {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "report.html")
	s.exits([]int{cli.ExitDone}, "report", "--out", file)
	page, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(page) < 1000 {
		s.t.Errorf("a report of %d bytes", len(page))
	}
	for _, p := range s.people {
		for _, secret := range []string{p.username, p.email, p.password} {
			if bytes.Contains(page, []byte(secret)) {
				s.t.Errorf("the report names %s", p.username)
			}
		}
	}
}

// forget deletes what the run has left in the staging bucket.
func (s *tale) forget(ctx context.Context) error {
	bucket := s.g.cfg.Staging.Bucket
	pages := s3.NewListObjectsV2Paginator(s.g.objects, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("runs/" + s.g.cfg.Run + "/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list what the run has left: %w", err)
		}
		for _, o := range page.Contents {
			if _, err := s.g.objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: o.Key}); err != nil {
				return fmt.Errorf("delete %s: %w", *o.Key, err)
			}
		}
	}
	return nil
}
