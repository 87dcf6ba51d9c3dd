package cutover_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/cutover"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/store"
	"poolferry/internal/store/storetest"
	"poolferry/internal/userpool"
)

// same compares pictures; the order of lists says nothing.
func same(want, got picture) string {
	return cmp.Diff(want, got, cmp.AllowUnexported(picture{}), cmpopts.SortSlices(func(a, b string) bool { return a < b }),
		cmpopts.SortSlices(func(a, b types.ExplicitAuthFlowsType) bool { return a < b }),
		cmpopts.IgnoreUnexported(types.UserPoolType{}, types.UserPoolClientType{}),
		cmp.FilterPath(func(p cmp.Path) bool { return strings.Contains(p.Last().String(), "noSmithyDocumentSerde") }, cmp.Ignore()),
		cmp.Exporter(func(reflect.Type) bool { return true }))
}

// operator does what the command does: goes on with what there is, or begins.
func operate(ctx context.Context, o cutover.Options) (cutover.Journal, error) {
	c := cutover.New(o)
	j, err := c.Journal(ctx)
	if err != nil {
		return cutover.Journal{}, err
	}
	if j == nil || j.State == cutover.RolledBack {
		p, err := c.Plan(ctx, cutover.Choice{})
		if err == nil {
			err = c.Begin(ctx, p, "ann@host")
		}
		if err != nil {
			return cutover.Journal{}, err
		}
	}
	return c.GoOn(ctx)
}

// operateBack is operate for a roll-back.
func operateBack(ctx context.Context, o cutover.Options, keep bool) (cutover.Journal, error) {
	c := cutover.New(o)
	p, err := c.PlanRollBack(ctx)
	if err == nil {
		err = c.BeginRollBack(ctx, p, "ann@host", keep)
	}
	if err != nil {
		return cutover.Journal{}, err
	}
	return c.GoOn(ctx)
}

// isCutOver checks that everything is as a cut-over leaves it, and nothing else
// was changed.
func (w *world) isCutOver(variant int) {
	w.t.Helper()
	now := w.picture()
	triggers := now.pool.UserPool.LambdaConfig
	guarded := variant == 1 // by a function of their own
	if triggers.UserMigration != nil || triggers.PostAuthentication != nil || (triggers.PreSignUp != nil) != guarded || triggers.PreTokenGeneration == nil {
		w.t.Errorf("triggers %+v", triggers)
	}
	for i, want := range []string{"ALLOW_REFRESH_TOKEN_AUTH ALLOW_USER_SRP_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH ALLOW_REFRESH_TOKEN_AUTH ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH ALLOW_REFRESH_TOKEN_AUTH"} {
		if got := strings.Join(w.flows(i), " "); got != want {
			w.t.Errorf("client %d: %s, want %s", i, got, want)
		}
	}
	// But for what was to change it is as before.
	was := w.before.pool.UserPool.LambdaConfig
	triggers.UserMigration, triggers.PostAuthentication, triggers.PreSignUp = was.UserMigration, was.PostAuthentication, was.PreSignUp
	for i := range now.clients {
		now.clients[i].UserPoolClient.ExplicitAuthFlows = w.before.clients[i].UserPoolClient.ExplicitAuthFlows
	}
	if diff := same(w.before, now); diff != "" {
		w.t.Error(diff)
	}
}

func (w *world) isAsBefore() {
	w.t.Helper()
	if diff := same(w.before, w.picture()); diff != "" {
		w.t.Error(diff)
	}
}

// TestEverySettingSurvives: of a pool and clients of which every setting is set,
// a cut-over changes what it says and nothing else, and a roll-back all of that.
func TestEverySettingSurvives(t *testing.T) {
	for variant := range 2 {
		w := newWorld(t, variant)
		c := cutover.New(w.o)
		p, err := c.Plan(t.Context(), cutover.Choice{})
		w.must(err)
		if !p.Passed || p.ManagedBy != "" || p.Changes() != map[int]int{0: 5, 1: 4}[variant] {
			t.Fatalf("plan %+v", p)
		}
		w.isAsBefore()
		w.must(c.Begin(t.Context(), p, "ann@host"))
		j, err := c.GoOn(t.Context())
		w.must(err)
		if j.State != cutover.CutOver || j.Verified == nil || !j.Verified.SRP || j.Verified.Refusing != 2 || j.Reconciliation != "b" || j.By != "ann@host" {
			t.Errorf("journal %+v", j)
		}
		w.isCutOver(variant)
		for _, key := range w.bucket.Keys() {
			if o, err := w.bucket.Get(t.Context(), key); err != nil || strings.Contains(string(o.Body), w.secret.Reveal()) {
				t.Errorf("%s holds the client's secret, %v", key, err)
			}
		}
		// What is done is done.
		if again, err := c.GoOn(t.Context()); err != nil || again.State != cutover.CutOver || again.Attempts != j.Attempts {
			t.Errorf("again: %+v, %v", again, err)
		}
		if err := c.Begin(t.Context(), p, "bob"); fault.KindOf(err) != fault.AlreadyExists {
			t.Errorf("another one: %v", err)
		}
		if j, err = operateBack(t.Context(), w.o, false); err != nil || j.State != cutover.RolledBack || len(j.Kept) > 0 {
			t.Fatalf("%+v, %v", j, err)
		}
		w.isAsBefore()
		if j, err = operateBack(t.Context(), w.o, false); err != nil || j.State != cutover.RolledBack {
			t.Errorf("rolled back twice: %+v, %v", j, err)
		}
		// And once more.
		if j, err = operate(t.Context(), w.o); err != nil || j.ID == p.At.String() || j.State != cutover.CutOver {
			t.Errorf("%+v, %v", j, err)
		}
		w.isCutOver(variant)
	}
}

// killed plays a process that dies at its n-th call of the bucket, Cognito or a
// sign-in, and then one that does not.
func (w *world) killed(n int, after bool, play func(context.Context, cutover.Options) (cutover.Journal, error)) (j cutover.Journal, died bool, err error) {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	m := mortal{storetest.NewMortal(n, after, cancel), w.o.Pool, w.o.Prober}
	dying := w.o
	dying.Pool, dying.Prober, dying.Store = m, m, store.NewRun(m.Bucket(w.bucket), runID)
	_, err = play(ctx, dying)
	if died = m.Dead(); died && err == nil {
		w.t.Errorf("killed at call %d, and nothing was said", n)
	}
	j, err = play(w.t.Context(), w.o)
	return j, died, err
}

// TestKilledAnywhere kills cut-over and roll-back at every call, and runs them
// again: same end, nothing lost.
func TestKilledAnywhere(t *testing.T) {
	w := newWorld(t, 0)
	kills := 0
	for _, after := range []bool{false, true} {
		for n, died := 1, true; died; n++ {
			w.reset()
			var j cutover.Journal
			var err error
			j, died, err = w.killed(n, after, operate)
			if err != nil || j.State != cutover.CutOver || !j.Verified.SRP {
				t.Fatalf("cut-over killed at call %d, %v: %+v, %v", n, after, j, err)
			}
			w.isCutOver(0)
			j, _, err = w.killed(n, after, func(ctx context.Context, o cutover.Options) (cutover.Journal, error) {
				return operateBack(ctx, o, false)
			})
			if err != nil || j.State != cutover.RolledBack || len(j.Kept) > 0 {
				t.Fatalf("roll-back killed at call %d, %v: %+v, %v", n, after, j, err)
			}
			w.isAsBefore()
			kills++
		}
	}
	if kills < 60 {
		t.Errorf("only %d kills", kills)
	}
	t.Logf("%d kills of each", kills)
}

// TestKilledWhileFailing: the probe cannot sign in afterwards, and whatever is
// killed meanwhile, everything is as before in the end.
func TestKilledWhileFailing(t *testing.T) {
	w := newWorld(t, 0)
	for _, after := range []bool{false, true} {
		for n, died := 1, true; died; n++ {
			w.reset()
			w.o.Prober = locked{actor{w}}
			var j cutover.Journal
			var err error
			j, died, err = w.killed(n, after, func(ctx context.Context, o cutover.Options) (cutover.Journal, error) {
				if j, _ := cutover.New(o).Journal(ctx); j != nil && j.State == cutover.RolledBack {
					return cutover.New(o).GoOn(ctx) // it was rolled back before it could say so
				}
				return operate(ctx, o)
			})
			if j.State != cutover.RolledBack || !strings.Contains(j.Why, "locked out") {
				t.Fatalf("killed at call %d, %v: %+v, %v", n, after, j, err)
			}
			w.isAsBefore()
		}
	}
}

// locked lets nobody sign in by SRP.
type locked struct{ actor }

func (locked) SignInSRP(context.Context, string, string, userpool.Secret) (string, error) {
	return "", fault.New(fault.Denied, "locked out")
}

// failing is a pool that refuses a write of one subject.
type failing struct {
	cutover.Pool
	of string
}

var errRefused = fault.New(fault.Invalid, "refused, as the test wants it")

func (f failing) WritePool(ctx context.Context, s cutover.Settings) error {
	if f.of == "pool" {
		return errRefused
	}
	return f.Pool.WritePool(ctx, s)
}

func (f failing) WriteClient(ctx context.Context, id string, s cutover.Settings) error {
	if f.of == id && !slices.Contains(list(s["ExplicitAuthFlows"]), any("ALLOW_USER_PASSWORD_AUTH")) && !slices.Contains(list(s["ExplicitAuthFlows"]), any("USER_PASSWORD_AUTH")) {
		return errRefused
	}
	return f.Pool.WriteClient(ctx, id, s)
}

func list(v any) []any { l, _ := v.([]any); return l }

// TestRollsBackWhatFails at each step.
func TestRollsBackWhatFails(t *testing.T) {
	w := newWorld(t, 0)
	for _, of := range []string{"pool", w.clients[0], w.clients[1]} {
		w.reset()
		w.o.Pool = failing{w.settings, of}
		j, err := operate(t.Context(), w.o)
		if !strings.Contains(fmt.Sprint(err), "refused, as the test wants it") || j.State != cutover.RolledBack || j.Why == "" {
			t.Errorf("%s: %+v, %v", of, j, err)
		}
		w.isAsBefore()
	}
	// One that still takes passwords, for as long as anybody waits.
	w.reset()
	w.o.Prober = stubborn{actor{w}}
	if j, err := operate(t.Context(), w.o); j.State != cutover.RolledBack || !strings.Contains(fmt.Sprint(err), "still takes passwords") {
		t.Errorf("%+v, %v", j, err)
	}
	w.isAsBefore()
	// One that does so for a moment.
	w.reset()
	tries := 3
	w.o.Prober = late{actor{w}, &tries}
	if j, err := operate(t.Context(), w.o); j.State != cutover.CutOver || err != nil {
		t.Errorf("%+v, %v", j, err)
	}
}

type stubborn struct{ actor }

func (stubborn) TakesPasswords(context.Context, string) (bool, error) { return true, nil }

type late struct {
	actor
	tries *int
}

func (l late) TakesPasswords(ctx context.Context, id string) (bool, error) {
	*l.tries--
	if *l.tries > 0 {
		return true, nil
	}
	return l.actor.TakesPasswords(ctx, id)
}

// resetting is a Cognito whose UpdateUserPool takes the second factors along.
type resetting struct {
	cutover.Pool
	w *world
}

func (r resetting) WritePool(ctx context.Context, s cutover.Settings) error {
	if err := r.Pool.WritePool(ctx, s); err != nil {
		return err
	}
	_, err := r.w.raw.SetUserPoolMfaConfig(ctx, &cip.SetUserPoolMfaConfigInput{UserPoolId: &r.w.poolID, MfaConfiguration: "OPTIONAL",
		SmsMfaConfiguration: r.w.before.factors.SmsMfaConfiguration})
	return err
}

// TestFactorsAreRestored, also where a process dies between an update of the pool
// and its repair.
func TestFactorsAreRestored(t *testing.T) {
	w := newWorld(t, 0)
	for n, died := 1, true; died; n++ {
		w.reset()
		w.o.Pool = resetting{w.settings, w}
		var j cutover.Journal
		var err error
		if j, died, err = w.killed(n, true, operate); err != nil || j.State != cutover.CutOver {
			t.Fatalf("killed at call %d: %+v, %v", n, j, err)
		}
		w.isCutOver(0)
		if j, _, err = w.killed(n, true, func(ctx context.Context, o cutover.Options) (cutover.Journal, error) {
			return operateBack(ctx, o, false)
		}); err != nil || j.State != cutover.RolledBack {
			t.Fatalf("killed at call %d: %+v, %v", n, j, err)
		}
		w.isAsBefore()
	}
}

// TestOthersChangeSomething before, during and after.
func TestOthersChangeSomething(t *testing.T) {
	w := newWorld(t, 0)
	elsewhere := func(s *cognitoidp.ClientSettings) { s.LogoutURLs = []string{"https://other.example.com"} }

	// Between the plan and its yes: nothing of theirs is lost.
	c := cutover.New(w.o)
	p, err := c.Plan(t.Context(), cutover.Choice{})
	w.must(err)
	w.must(c.Begin(t.Context(), p, "ann"))
	w.change(1, elsewhere)
	j, err := c.GoOn(t.Context())
	if j.State != cutover.RolledBack || !strings.Contains(fmt.Sprint(err), "somebody else has changed client "+w.clients[1]+": [LogoutURLs]") {
		t.Errorf("%+v, %v", j, err)
	}
	if diff := cmp.Diff([]string{"client " + w.clients[1] + ": LogoutURLs"}, j.Kept); diff != "" {
		t.Error(diff)
	}
	s, err := w.settings.ReadClient(t.Context(), w.clients[1])
	w.must(err)
	if len(list(s["LogoutURLs"])) != 1 || list(s["LogoutURLs"])[0] != "https://other.example.com" {
		t.Errorf("their change is lost: %v", s["LogoutURLs"])
	}

	// Since the cut-over: refused by field, unless it is to stay.
	w.reset()
	if _, err := operate(t.Context(), w.o); err != nil {
		t.Fatal(err)
	}
	w.change(0, elsewhere)
	w.change(1, func(s *cognitoidp.ClientSettings) { s.ExplicitAuthFlows = []string{"ALLOW_USER_SRP_AUTH"} })
	done := w.picture()
	p2, err := cutover.New(w.o).PlanRollBack(t.Context())
	w.must(err)
	var foreign []string
	for _, subject := range p2.Foreign {
		for _, change := range subject.Changes {
			foreign = append(foreign, subject.Of+" "+change.Field)
		}
	}
	slices.Sort(foreign)
	want := []string{"client " + w.clients[0] + " LogoutURLs", "client " + w.clients[1] + " ExplicitAuthFlows"}
	slices.Sort(want)
	if diff := cmp.Diff(want, foreign); diff != "" || !p2.Refused() {
		t.Error(diff)
	}
	if _, err := operateBack(t.Context(), w.o, false); fault.KindOf(err) != fault.Conflict {
		t.Errorf("not refused: %v", err)
	}
	if diff := same(done, w.picture()); diff != "" {
		t.Errorf("refused, and changed: %s", diff)
	}
	j, err = operateBack(t.Context(), w.o, true)
	if err != nil || j.State != cutover.RolledBack || len(j.Kept) != 2 {
		t.Errorf("%+v, %v", j, err)
	}
	if got := w.flows(0); strings.Join(got, " ") != "ALLOW_REFRESH_TOKEN_AUTH ALLOW_USER_PASSWORD_AUTH" {
		t.Errorf("flows %v", got)
	}
	if got := w.flows(1); strings.Join(got, " ") != "ALLOW_USER_SRP_AUTH" {
		t.Errorf("theirs are lost: %v", got)
	}

	// A client that is gone.
	w.reset()
	if _, err := operate(t.Context(), w.o); err != nil {
		t.Fatal(err)
	}
	_, err = w.raw.DeleteUserPoolClient(t.Context(), &cip.DeleteUserPoolClientInput{UserPoolId: &w.poolID, ClientId: &w.clients[2]})
	w.must(err)
	if _, err := operateBack(t.Context(), w.o, false); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a client is gone: %v", err)
	}
	if j, err = operateBack(t.Context(), w.o, true); err != nil || strings.Join(j.Kept, "") != "client "+w.clients[2]+" (deleted)" {
		t.Errorf("%+v, %v", j, err)
	}
}

// TestTwoProcesses: whoever comes second takes over, and the first stops.
func TestTwoProcesses(t *testing.T) {
	w := newWorld(t, 0)
	second := 0
	o := w.o
	o.Pool = meeting{w.settings, func(string) {
		if second++; second == 1 {
			if j, err := operate(t.Context(), w.o); err != nil || j.State != cutover.CutOver {
				t.Errorf("the second: %+v, %v", j, err)
			}
		}
	}}
	if _, err := operate(t.Context(), o); !errors.Is(err, cutover.ErrTaken) {
		t.Errorf("the first: %v", err)
	}
	w.isCutOver(0)
}

// TestTakenBackMeanwhile: whoever is at work on a cut-over while somebody rolls it
// back leaves nothing behind that was written too late.
func TestTakenBackMeanwhile(t *testing.T) {
	for name, at := range map[string]string{"the pool": "pool", "a client": "client"} {
		w := newWorld(t, 0)
		met := false
		o := w.o
		o.Pool = meeting{w.settings, func(of string) {
			if met || of != at {
				return
			}
			met = true
			if j, err := operateBack(t.Context(), w.o, false); err != nil || j.State != cutover.RolledBack {
				t.Errorf("%s: the second: %+v, %v", name, j, err)
			}
		}}
		if _, err := operate(t.Context(), o); !errors.Is(err, cutover.ErrTaken) {
			t.Errorf("%s: the first: %v", name, err)
		}
		w.isAsBefore()
	}
}

// TestBeginsAtOnce: gates that were judged long ago let nobody through, and of two
// who begin at once one does.
func TestBeginsAtOnce(t *testing.T) {
	w := newWorld(t, 0)
	now := noon
	w.o.Now = func() time.Time { return now }
	c := cutover.New(w.o)
	p, err := c.Plan(t.Context(), cutover.Choice{})
	w.must(err)
	now = noon.Add(cutover.MaxPlanAge + time.Second)
	if err := c.Begin(t.Context(), p, "ann"); fault.KindOf(err) != fault.Conflict || errors.Is(err, cutover.ErrTaken) {
		t.Errorf("a plan of yesterday: %v", err)
	}
	if j, err := c.Journal(t.Context()); j != nil || err != nil {
		t.Errorf("%+v, %v", j, err)
	}
	now = noon.Add(cutover.MaxPlanAge)
	w.must(c.Begin(t.Context(), p, "ann"))
	if err := c.Begin(t.Context(), p, "bob"); !errors.Is(err, cutover.ErrTaken) {
		t.Errorf("a second one: %v", err)
	}
}

// meeting calls somebody before the pool or a client is written.
type meeting struct {
	cutover.Pool
	before func(of string)
}

func (m meeting) WritePool(ctx context.Context, s cutover.Settings) error {
	m.before("pool")
	return m.Pool.WritePool(ctx, s)
}

func (m meeting) WriteClient(ctx context.Context, id string, s cutover.Settings) error {
	m.before("client")
	return m.Pool.WriteClient(ctx, id, s)
}

// TestTerraform: a pool that Terraform owns is left alone, and what Terraform did
// is recorded.
func TestTerraform(t *testing.T) {
	w := newWorld(t, 0)
	w.must(w.cognito.ChangePool(w.poolID, func(s *cognitoidp.Settings) { s.UserPoolTags = map[string]string{"poolferry:managed-by": "terraform"} }))
	c := cutover.New(w.o)
	p, err := c.Plan(t.Context(), cutover.Choice{})
	w.must(err)
	if p.ManagedBy != cutover.Terraform || !p.Passed {
		t.Errorf("plan %+v", p)
	}
	if err := c.Begin(t.Context(), p, "ann"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("begun: %v", err)
	}
	check := func(done bool, state cutover.State) {
		t.Helper()
		got, err := c.Check(t.Context(), "ann", false)
		if err != nil || got.Done != done || done != (got.Verified != nil) || done == (len(got.Left) > 0) {
			t.Errorf("check %+v, %v", got, err)
		}
		j, err := c.Journal(t.Context())
		if err != nil || j == nil && state != "" || j != nil && (j.State != state || j.ManagedBy != cutover.Terraform) {
			t.Errorf("journal %+v, %v, want %s", j, err, state)
		}
	}
	check(false, "")
	w.must(w.cognito.ChangePool(w.poolID, func(s *cognitoidp.Settings) {
		s.LambdaConfig.UserMigration, s.LambdaConfig.PreSignUp, s.LambdaConfig.PostAuthentication = "", "", ""
	}))
	for i := range 2 {
		w.change(i, func(s *cognitoidp.ClientSettings) {
			s.ExplicitAuthFlows = []string{"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
		})
	}
	check(true, cutover.CutOver)
	check(true, cutover.CutOver)
	// That it cannot be proven now does not take it back.
	w.o.Prober = locked{actor{w}}
	if got, err := cutover.New(w.o).Check(t.Context(), "ann", false); err != nil || got.Done || got.Failure == "" {
		t.Errorf("check %+v, %v", got, err)
	}
	if j, err := c.Journal(t.Context()); err != nil || j.State != cutover.CutOver {
		t.Errorf("journal %+v, %v", j, err)
	}
	if _, err := c.PlanRollBack(t.Context()); fault.KindOf(err) != fault.Invalid {
		t.Errorf("nothing can be restored: %v", err)
	}
	w.change(0, func(s *cognitoidp.ClientSettings) {
		s.ExplicitAuthFlows = append(s.ExplicitAuthFlows, "ALLOW_USER_PASSWORD_AUTH")
	})
	check(false, cutover.RolledBack)
}

// TestCheck of a pool that nobody else owns records nothing.
func TestCheck(t *testing.T) {
	w := newWorld(t, 0)
	c := cutover.New(w.o)
	got, err := c.Check(t.Context(), "ann", false)
	if err != nil || got.Done || len(got.Left) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := operate(t.Context(), w.o); err != nil {
		t.Fatal(err)
	}
	if got, err = c.Check(t.Context(), "ann", false); err != nil || !got.Done || got.Verified.Refusing != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	w.o.Prober = locked{actor{w}}
	if got, err = cutover.New(w.o).Check(t.Context(), "ann", false); err != nil || got.Done || !strings.Contains(got.Failure, "locked out") {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = cutover.New(w.o).Check(t.Context(), "ann", true); err != nil || !got.Done || got.Verified.SRP {
		t.Errorf("without proof: %+v, %v", got, err)
	}
}

// TestPlanAsksEverybody: what the gates are judged by comes from everybody who is
// asked, and who stays behind is kept with the journal.
func TestPlanAsksEverybody(t *testing.T) {
	w := newWorld(t, 0)
	behind := map[verdict.Reason]int{verdict.Federated: 3}
	w.o.Reconciled = reconciled{history(pending(done("a", 2), behind), pending(done("b", 1), behind))}
	w.o.Settle, w.o.Tail = activity{Active: true, Left: 4}, activity{Active: true, What: "t1"}
	w.o.Metrics = metrics(nil)
	c := cutover.New(w.o)
	states := func(p cutover.Plan) string {
		var all []string
		for _, g := range p.Gates {
			if g.State != cutover.Passed {
				all = append(all, g.Name+"="+string(g.State))
			}
		}
		return strings.Join(all, " ")
	}
	p, err := c.Plan(t.Context(), cutover.Choice{})
	if want := "complete=blocked agree=blocked error_rate=blocked quiet=blocked settled=warning"; err != nil || states(p) != want {
		t.Errorf("%s, want %s; %v", states(p), want, err)
	}
	w.o.Settle, w.o.Tail, w.o.Metrics = activity{Left: 4}, activity{}, metrics{cutover.MetricDecisions: 10}
	c = cutover.New(w.o)
	p, err = c.Plan(t.Context(), cutover.Choice{Accept: []verdict.Reason{verdict.Federated}, Unproven: true})
	if want := "complete=warning settled=warning probe=warning"; err != nil || states(p) != want {
		t.Errorf("%s, want %s; %v", states(p), want, err)
	}
	w.must(c.Begin(t.Context(), p, "ann"))
	w.o.Prober = locked{actor{w}} // whom nobody asks
	j, err := cutover.New(w.o).GoOn(t.Context())
	if err != nil || j.State != cutover.CutOver || j.Accepted[verdict.Federated] != 3 || !j.Unproven || j.Verified.SRP || j.Verified.Refusing != 2 {
		t.Errorf("%+v, %v", j, err)
	}
}

// TestNotReady: a plan with a blocked gate begins nothing.
func TestNotReady(t *testing.T) {
	w := newWorld(t, 0)
	w.o.Reconciled = reconciled{history(done("a", 2))}
	if _, err := operate(t.Context(), w.o); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "agree") {
		t.Errorf("%v", err)
	}
	if len(w.bucket.Keys()) > 0 {
		t.Errorf("something was written: %v", w.bucket.Keys())
	}
	w.isAsBefore()
}
