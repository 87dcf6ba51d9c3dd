package cutover_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go/middleware"

	"poolferry/internal/cognito"
	"poolferry/internal/cognito/cognitotest"
	"poolferry/internal/cutover"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/seeding"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/store/storetest"
	"poolferry/internal/userpool"
)

const (
	account = "222222222222"
	region  = "eu-central-1"
	runID   = "r1"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var ours = cutover.Ours{Migration: []string{"poolferry-r1-migrate-user"}, Guard: []string{"poolferry-r1-guard-signup"}, Welcome: []string{"poolferry-r1-welcome-user"}}

// world is a sandbox with a pool of which every setting is set, and three
// clients: of the newer names for flows, of the older ones, and one that nobody
// signs in through with a password.
type world struct {
	t        *testing.T
	cognito  *cognitoidp.Service
	raw      *cip.Client
	account  *cognito.Account
	settings *cognito.PoolSettings
	bucket   *memory.Bucket
	poolID   string
	clients  []string
	secret   userpool.Secret // of the first client
	before   picture
	initial  []any // updates that make everything what it was
	ids      int
	said     []string
	o        cutover.Options
}

// picture is what AWS describes of all subjects.
type picture struct {
	pool    *cip.DescribeUserPoolOutput
	factors *cip.GetUserPoolMfaConfigOutput
	clients []*cip.DescribeUserPoolClientOutput
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func newWorld(t *testing.T, variant int) *world {
	t.Helper()
	w := &world{t: t, cognito: cognitoidp.New(cognitoidp.Options{Seed: 1})}
	box := sandbox.New(sandbox.Options{})
	w.must(box.Register(w.cognito))
	user, err := box.IAM.AddUser(account, "ops", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["cognito-idp:*","iam:PassRole"],"Resource":"*"}}`))
	w.must(err)
	endpoint, err := box.Start("127.0.0.1:0")
	w.must(err)
	t.Cleanup(func() { _ = box.Close() })
	w.poolID, err = w.cognito.CreatePool(account, region, cognitoidp.PoolSpec{Name: "people", Schema: []cognitoidp.Attribute{{Name: "plan", AttributeDataType: "String"}}})
	w.must(err)
	w.raw = cip.New(cip.Options{Region: region, BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey.Reveal(), "")})
	variables := map[string]string{"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": user.AccessKeyID, "AWS_SECRET_ACCESS_KEY": user.SecretAccessKey.Reveal()}
	w.account, err = cognito.NewAccount(t.Context(), region, func(name string) (string, bool) { value, ok := variables[name]; return value, ok })
	w.must(err)
	w.settings = cognito.NewPoolSettings(w.account, cognito.SettingsOptions{Region: region, PoolID: w.poolID, PerSecond: 1e6})

	pool, factors := new(cip.UpdateUserPoolInput), new(cip.SetUserPoolMfaConfigInput)
	w.must(cognitotest.Fill(pool, cognitotest.Pool(variant)))
	w.must(cognitotest.Fill(factors, cognitotest.Factors(variant)))
	pool.UserPoolId, factors.UserPoolId = &w.poolID, &w.poolID
	w.initial = []any{pool, factors}
	for i, flows := range [][]string{{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}, {"USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"}, {"ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_CUSTOM_AUTH"}} {
		c, err := w.cognito.CreateClient(w.poolID, cognitoidp.ClientSpec{Settings: cognitoidp.ClientSettings{ClientName: fmt.Sprint("app ", i)}, Secret: i == 0})
		w.must(err)
		if i == 0 {
			w.secret = c.Secret
		}
		w.clients = append(w.clients, c.ID)
		in := new(cip.UpdateUserPoolClientInput)
		w.must(cognitotest.Fill(in, cognitotest.Client(flows...)))
		in.UserPoolId, in.ClientId = &w.poolID, &c.ID
		w.initial = append(w.initial, in)
	}
	w.reset()
	w.before = w.picture()
	return w
}

// reset makes everything what it was, with an empty bucket.
func (w *world) reset() {
	w.t.Helper()
	ctx := context.Background()
	for _, in := range w.initial {
		var err error
		switch in := in.(type) {
		case *cip.UpdateUserPoolInput:
			_, err = w.raw.UpdateUserPool(ctx, in)
		case *cip.SetUserPoolMfaConfigInput:
			_, err = w.raw.SetUserPoolMfaConfig(ctx, in)
		case *cip.UpdateUserPoolClientInput:
			_, err = w.raw.UpdateUserPoolClient(ctx, in)
		}
		w.must(err)
	}
	w.bucket = memory.New()
	w.o = cutover.Options{
		Run: runID, PoolID: w.poolID, Ours: ours, Probe: &cutover.Probe{Username: "probe", Password: userpool.NewSecret("right"), ClientID: w.clients[0]},
		Pool: w.settings, Prober: actor{w}, Store: store.NewRun(w.bucket, runID),
		Reconciled: reconciled{history(done("a", 2), done("b", 1))}, Seeded: seeded{}, Metrics: metrics{cutover.MetricDecisions: 1000, cutover.MetricFailures: 3},
		Now: func() time.Time { return noon }, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		NewID: func() string { w.ids++; return fmt.Sprint("cutover-", w.ids) },
		Say:   func(format string, args ...any) { w.said = append(w.said, fmt.Sprintf(format, args...)) },
	}
}

func (w *world) picture() (p picture) {
	w.t.Helper()
	ctx := context.Background()
	var err error
	p.pool, err = w.raw.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &w.poolID})
	w.must(err)
	p.pool.UserPool.LastModifiedDate = nil
	p.factors, err = w.raw.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: &w.poolID})
	w.must(err)
	p.pool.ResultMetadata, p.factors.ResultMetadata = middleware.Metadata{}, middleware.Metadata{}
	for _, id := range w.clients {
		c, err := w.raw.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &w.poolID, ClientId: &id})
		w.must(err)
		c.UserPoolClient.LastModifiedDate, c.ResultMetadata = nil, middleware.Metadata{}
		p.clients = append(p.clients, c)
	}
	return p
}

// flows are those of a client.
func (w *world) flows(client int) []string {
	w.t.Helper()
	s, err := w.settings.ReadClient(context.Background(), w.clients[client])
	w.must(err)
	list, _ := s["ExplicitAuthFlows"].([]any)
	flows := make([]string, len(list))
	for i, flow := range list {
		flows[i], _ = flow.(string)
	}
	slices.Sort(flows)
	return flows
}

// change changes a client beside a cut-over.
func (w *world) change(client int, f func(*cognitoidp.ClientSettings)) {
	w.t.Helper()
	w.must(w.cognito.ChangeClient(w.poolID, w.clients[client], f))
}

// actor signs in as the settings allow it: the pool with all its triggers is one
// that the sandbox signs nobody in at.
type actor struct{ *world }

func (a actor) allows(ctx context.Context, clientID string, flows ...string) (bool, error) {
	out, err := a.raw.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &a.poolID, ClientId: &clientID})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(out.UserPoolClient.ExplicitAuthFlows, func(f types.ExplicitAuthFlowsType) bool { return slices.Contains(flows, string(f)) }), nil
}

func (a actor) SignInSRP(ctx context.Context, clientID, _ string, password userpool.Secret) (string, error) {
	ok, err := a.allows(ctx, clientID, "ALLOW_USER_SRP_AUTH", "USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH")
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", fault.New(fault.Invalid, "the client does not have SRP")
	case !password.Equal(userpool.NewSecret("right")):
		return "", fault.New(fault.Denied, "wrong password")
	}
	return "", nil
}

func (a actor) SignInPassword(ctx context.Context, clientID, _ string, _ userpool.Secret) (string, error) {
	if ok, err := a.TakesPasswords(ctx, clientID); err != nil || !ok {
		return "", fault.New(fault.Invalid, "the client does not have the flow: %v", err)
	}
	return "", nil
}

func (a actor) TakesPasswords(ctx context.Context, clientID string) (bool, error) {
	return a.allows(ctx, clientID, "ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH")
}

// mortal is a process that dies at one of its calls.
type mortal struct {
	*storetest.Mortal
	pool  cutover.Pool
	probe cutover.Prober
}

var (
	_ cutover.Pool   = mortal{}
	_ cutover.Prober = mortal{}
)

func stepped[T any](m mortal, do func() (T, error)) (out T, err error) {
	err = m.Step(func() (err error) { out, err = do(); return err })
	return out, err
}

func (m mortal) ReadPool(ctx context.Context) (cutover.Settings, error) {
	return stepped(m, func() (cutover.Settings, error) { return m.pool.ReadPool(ctx) })
}

func (m mortal) ReadFactors(ctx context.Context) (cutover.Settings, error) {
	return stepped(m, func() (cutover.Settings, error) { return m.pool.ReadFactors(ctx) })
}

func (m mortal) ReadClients(ctx context.Context) ([]cutover.Client, error) {
	return stepped(m, func() ([]cutover.Client, error) { return m.pool.ReadClients(ctx) })
}

func (m mortal) ReadClient(ctx context.Context, id string) (cutover.Settings, error) {
	return stepped(m, func() (cutover.Settings, error) { return m.pool.ReadClient(ctx, id) })
}

func (m mortal) WritePool(ctx context.Context, s cutover.Settings) error {
	return m.Step(func() error { return m.pool.WritePool(ctx, s) })
}

func (m mortal) WriteFactors(ctx context.Context, s cutover.Settings) error {
	return m.Step(func() error { return m.pool.WriteFactors(ctx, s) })
}

func (m mortal) WriteClient(ctx context.Context, id string, s cutover.Settings) error {
	return m.Step(func() error { return m.pool.WriteClient(ctx, id, s) })
}

func (m mortal) SignInSRP(ctx context.Context, clientID, name string, password userpool.Secret) (string, error) {
	return stepped(m, func() (string, error) { return m.probe.SignInSRP(ctx, clientID, name, password) })
}

func (m mortal) SignInPassword(ctx context.Context, clientID, name string, password userpool.Secret) (string, error) {
	return stepped(m, func() (string, error) { return m.probe.SignInPassword(ctx, clientID, name, password) })
}

func (m mortal) TakesPasswords(ctx context.Context, clientID string) (bool, error) {
	return stepped(m, func() (bool, error) { return m.probe.TakesPasswords(ctx, clientID) })
}

// What the gates ask.

type reconciled struct{ standing reconcile.Standing }

func (r reconciled) Status(context.Context) (reconcile.Standing, error) { return r.standing, nil }

type seeded struct{ status *seeding.Status }

func (s seeded) Status(context.Context, int) (seeding.Status, error) {
	if s.status == nil {
		return seeding.Status{}, fault.New(fault.NotFound, "no plan")
	}
	return *s.status, nil
}

type metrics map[string]float64

func (m metrics) Sums(context.Context, time.Time, time.Time, ...string) (map[string]float64, error) {
	if m == nil {
		return nil, fault.New(fault.Denied, "no right")
	}
	return m, nil
}

type activity cutover.Activity

func (a activity) Activity(context.Context) (cutover.Activity, error) {
	return cutover.Activity(a), nil
}

// done is a point at which nobody was pending, so many hours before noon.
func done(id string, hours int) progress.Point {
	return progress.Point{ID: id, Started: noon.Add(-time.Duration(hours) * time.Hour), Ended: noon.Add(-time.Duration(hours) * time.Hour),
		Profiles: 10, Verdicts: map[verdict.Verdict]int{verdict.Migrated: 10}}
}

func pending(p progress.Point, reasons map[verdict.Reason]int) progress.Point {
	p.Reasons, p.Verdicts = reasons, map[verdict.Verdict]int{verdict.Migrated: 5}
	for _, n := range reasons {
		p.Verdicts[verdict.Pending] += n
	}
	return p
}

func history(points ...progress.Point) reconcile.Standing {
	h := progress.New(runID)
	for _, p := range points {
		h = h.Append(p)
	}
	return reconcile.Standing{History: h}
}
