package preflight

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/preflight/staged"
	"poolferry/internal/preflight/trial"
	"poolferry/internal/scan"
	"poolferry/internal/userpool"
)

// The interfaces below are all that preflight reads. Their errors have kinds of
// package fault; NotFound means that what was asked for is not there.

// Source is the source pool as the export role may read it.
type Source interface {
	Assume(ctx context.Context) error
	Describe(ctx context.Context) (Pool, error)
	Client(ctx context.Context, id string) (Client, error)
	ListUsers(ctx context.Context, filter string, cursor manifest.Cursor) (scan.Page[userpool.User], error)
	ListGroups(ctx context.Context, cursor manifest.Cursor) (scan.Page[manifest.Group], error)
	ListUsersInGroup(ctx context.Context, group string, cursor manifest.Cursor) (scan.Page[userpool.Sub], error)
}

// Target is the target pool as the operator may read it.
type Target interface {
	Describe(ctx context.Context) (Pool, error)
	Factors(ctx context.Context) (Factors, error)
	Clients(ctx context.Context) ([]Client, error)
	ListUsers(ctx context.Context, filter string, cursor manifest.Cursor) (scan.Page[userpool.User], error)
	// AddAttribute adds a custom attribute, named with its prefix, to the schema.
	AddAttribute(ctx context.Context, spec userpool.AttributeSpec) error
}

// Functions are the functions of the target account.
type Functions interface {
	// Configuration returns the document that a function was deployed with, empty
	// for a function that is not poolferry's.
	Configuration(ctx context.Context, arn string) (string, error)
	// Policy returns the resource policy of a function or alias, empty for none.
	Policy(ctx context.Context, arn string) (string, error)
	// Invoke invokes a function, and returns its answer. That the function fails
	// is an error of kind fault.Invalid.
	Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error)
}

// Buckets tells how a bucket is set.
type Buckets interface {
	Bucket(ctx context.Context) (Bucket, []Refusal, error)
}

// Quotas tells the quotas of the target's account by category of requests.
type Quotas interface {
	Quotas(ctx context.Context) (map[string]float64, error)
}

// Run is what there is of the run already.
type Run interface {
	staged.Store
	ReadPlan(ctx context.Context) (manifest.Plan, manifest.Digest, error)
	WritePreflight(ctx context.Context, v Verified) error
}

// Options are what a Preflight needs.
type Options struct {
	Settings
	Account   string // of the credentials
	Source    Source // nil where the configuration names no export role
	Target    Target
	Functions Functions
	Buckets   Buckets
	Quotas    Quotas
	Run       Run
	// Deployed compares the document of the function that stands behind a trigger
	// with the configuration.
	Deployed func(trigger, document string) Deployment
	// Code tells what AWS said with an error.
	Code func(error) string
	// Names and Outlook are those of staged.Rules, for a target pool.
	Names   func(userpool.User, userpool.Pool) []staged.Name
	Outlook func(userpool.User, userpool.Pool) string
	// Strangers counts target users whom the trigger has not made, as the last
	// whole reconciliation has found them; nil where there is none.
	Strangers func(ctx context.Context) (*Strangers, error)
	// Reconciled reports whether there is what the guard looks names up in.
	Reconciled func(ctx context.Context) (bool, error)
	Now        func() time.Time
	Say        func(format string, args ...any) // what is going on
}

// Preflight looks at a configured migration.
type Preflight struct{ o Options }

// New returns a Preflight. No call is made.
func New(o Options) *Preflight { return &Preflight{o} }

// Look reads everything, and returns what it has found. An error means that it
// could not look: AWS did not answer, or throttled.
func (p *Preflight) Look(ctx context.Context) (Report, error) {
	f := Facts{Settings: p.o.Settings, Account: p.o.Account}
	for _, read := range []struct {
		what string
		do   func(context.Context, *Facts) error
	}{
		{"the source pool", p.readSource},
		{"the target pool", p.readTarget},
		{"the migration trigger", p.readTrigger},
		{"the triggers beside it", p.readHooks},
		{"the staging bucket", p.readBucket},
		{"quotas", p.readQuotas},
		{"what is staged", p.readStaged},
		{"users who are there already", p.readStrangers},
		{"what is reconciled", p.readReconciled},
	} {
		p.o.Say("Looking at %s.", read.what)
		if err := read.do(ctx, &f); err != nil {
			return Report{}, err
		}
	}
	return p.report(f), nil
}

// refused notes an action that did not go, and returns an error that is about
// more than that.
func (p *Preflight) refused(f *Facts, as, action, about string, err error) error {
	switch fault.KindOf(err) {
	case fault.Denied, fault.NotFound:
		f.Refusals = append(f.Refusals, Refusal{as, action, about, fault.KindOf(err), p.o.Code(err)})
		return nil
	}
	return err
}

func (p *Preflight) readSource(ctx context.Context, f *Facts) error {
	s := p.o.Source
	if s == nil {
		return nil
	}
	about := "source pool " + f.Source.ID
	if err := s.Assume(ctx); err != nil {
		return p.refused(f, AsExport, trial.Assume, "role "+f.ExportRole, err)
	}
	pool, err := s.Describe(ctx)
	if err == nil {
		f.SourcePool = &pool
	} else if err := p.refused(f, AsExport, describePool, about, err); err != nil {
		return err
	}
	if len(f.Refusals) > 0 && f.Refusals[len(f.Refusals)-1].Kind == fault.NotFound {
		return nil // one word of it is enough
	}
	client, err := s.Client(ctx, f.ClientID)
	if err == nil {
		f.SourceClient = &client
	} else if err := p.refused(f, AsExport, "cognito-idp:DescribeUserPoolClient", "client "+f.ClientID, err); err != nil {
		return err
	}
	if _, err := s.ListUsers(ctx, "", ""); err != nil {
		if err := p.refused(f, AsExport, "cognito-idp:ListUsers", about, err); err != nil {
			return err
		}
	}
	groups, err := s.ListGroups(ctx, "")
	if err != nil {
		return p.refused(f, AsExport, "cognito-idp:ListGroups", about, err)
	}
	group := nobodysGroup
	if len(groups.Items) > 0 {
		group = groups.Items[0].Name
	}
	_, err = s.ListUsersInGroup(ctx, group, "")
	if fault.KindOf(err) == fault.Denied {
		return p.refused(f, AsExport, "cognito-idp:ListUsersInGroup", about, err)
	}
	if fault.KindOf(err) == fault.NotFound { // of a group, or of one that is gone by now
		err = nil
	}
	return err
}

// nobodysGroup is a group that no pool has: asking for its users tells whether
// one may ask.
const nobodysGroup = "poolferry-preflight-no-such-group"

func (p *Preflight) readTarget(ctx context.Context, f *Facts) error {
	about := "target pool " + f.Target.ID
	pool, err := p.o.Target.Describe(ctx)
	if err != nil {
		return p.refused(f, AsOwn, describePool, about, err)
	}
	f.TargetPool = &pool
	factors, err := p.o.Target.Factors(ctx)
	if err == nil {
		f.Factors = &factors
	} else if err := p.refused(f, AsOwn, "cognito-idp:GetUserPoolMfaConfig", about, err); err != nil {
		return err
	}
	clients, err := p.o.Target.Clients(ctx)
	if err != nil {
		return p.refused(f, AsOwn, "cognito-idp:ListUserPoolClients, cognito-idp:DescribeUserPoolClient", about, err)
	}
	f.Clients = append([]Client{}, clients...)
	return nil
}

func (p *Preflight) readTrigger(ctx context.Context, f *Facts) error {
	if f.TargetPool == nil || f.TargetPool.MigrationTrigger == "" {
		return nil
	}
	function, err := p.readFunction(ctx, f, UserMigration, f.TargetPool.MigrationTrigger)
	if f.Function = function; err != nil || function == nil || !function.Ours { // nothing is sent to another
		return err
	}
	return p.try(ctx, f, function.ARN)
}

// readHooks reads the functions of the run that stand beside the migration
// trigger. Somebody else's are left alone.
func (p *Preflight) readHooks(ctx context.Context, f *Facts) error {
	if f.TargetPool == nil {
		return nil
	}
	f.Attached = map[string]*Function{}
	for _, h := range f.Hooks {
		arn := f.TargetPool.Triggers[h.Trigger]
		if arn == "" || !f.isOurs(h.Trigger, arn) {
			continue
		}
		function, err := p.readFunction(ctx, f, h.Trigger, arn)
		if err != nil {
			return err
		}
		if function != nil {
			f.Attached[h.Trigger] = function
		}
	}
	return nil
}

// readFunction reads how the function behind a trigger is deployed; nil where
// that may not be read. The policy is read of the run's own alone.
func (p *Preflight) readFunction(ctx context.Context, f *Facts, trigger, arn string) (*Function, error) {
	about := "function " + arn
	function := &Function{ARN: arn}
	document, err := p.o.Functions.Configuration(ctx, arn)
	if fault.KindOf(err) == fault.NotFound {
		function.Gone = true
		return function, nil
	}
	if err != nil {
		return nil, p.refused(f, AsOwn, "lambda:GetFunctionConfiguration", about, err)
	}
	if document != "" {
		function.Deployment = p.o.Deployed(trigger, document)
	}
	if !function.Ours {
		return function, nil
	}
	if function.Policy, err = p.o.Functions.Policy(ctx, arn); err != nil {
		function.PolicyUnread = true
		if err := p.refused(f, AsOwn, "lambda:GetPolicy", about, err); err != nil {
			return nil, err
		}
	}
	return function, nil
}

// try has the function try its roles.
func (p *Preflight) try(ctx context.Context, f *Facts, arn string) error {
	data, err := p.o.Functions.Invoke(ctx, arn, trial.Request())
	switch {
	case err != nil && fault.KindOf(err) == fault.Invalid:
		f.TrialFailed = true
		return nil
	case err != nil:
		return p.refused(f, AsOwn, "lambda:InvokeFunction", "function "+arn, err)
	}
	answer, err := trial.Decode(data)
	if err != nil {
		f.TrialFailed = true
		return nil
	}
	f.Trial = &answer
	return nil
}

func (p *Preflight) readBucket(ctx context.Context, f *Facts) error {
	bucket, refusals, err := p.o.Buckets.Bucket(ctx)
	if err != nil {
		return err
	}
	f.Bucket = &bucket
	f.Refusals = append(f.Refusals, refusals...)
	return nil
}

// readQuotas takes what it gets: without an answer the defaults are assumed.
func (p *Preflight) readQuotas(ctx context.Context, f *Facts) error {
	quotas, err := p.o.Quotas.Quotas(ctx)
	if err == nil {
		f.Quotas = quotas
	}
	return ctx.Err()
}

func (p *Preflight) readStaged(ctx context.Context, f *Facts) error {
	if !f.Bucket.Usable() {
		return nil
	}
	plan, _, err := p.o.Run.ReadPlan(ctx)
	switch {
	case err == nil:
		f.RunPlan = plan.For(f.Run, f.Source, f.Target, f.Mapping)
	case fault.KindOf(err) == fault.NotFound:
		return nil // nothing is staged yet
	case fault.KindOf(err) == fault.Denied:
		return p.refused(f, AsOwn, "s3:GetObject", "bucket "+f.StagingBucket, err)
	default:
		return p.damaged(f, err)
	}
	if f.RunPlan != nil || f.TargetPool == nil {
		return nil
	}
	return p.checkStaged(ctx, f)
}

// said are the codes after which it is no news that profiles have an attribute
// that does not fit.
var said = []Code{LegacySubMissing, LegacySubUnusable, AttributeMissing, AttributeLeftOut, RequiredUnmapped, LiteralUnfit}

func (p *Preflight) checkStaged(ctx context.Context, f *Facts) error {
	known := map[string]bool{}
	for _, finding := range Judge(*f) {
		if slices.Contains(said, finding.Code) {
			for _, name := range finding.Attributes {
				known[name] = true
			}
		}
	}
	target := f.TargetPool.Pool
	target.SMSMFA = target.SMSMFA && f.SMSMFA
	result, err := staged.Check(ctx, p.o.Run, staged.Rules{
		Mapping: f.Mapping, Target: target.Schema, Known: known,
		Names:   func(u userpool.User) []staged.Name { return p.o.Names(u, target) },
		Outlook: func(u userpool.User) string { return p.o.Outlook(u, target) },
	})
	switch {
	case err == nil:
		f.Staged = &result
	case fault.KindOf(err) != fault.NotFound: // planned, and nothing read yet
		return p.damaged(f, err)
	}
	return nil
}

// damaged keeps an error that says that something staged is damaged.
func (p *Preflight) damaged(f *Facts, err error) error {
	if err != nil && fault.KindOf(err) == fault.Invalid {
		f.StagedError = err
		return nil
	}
	return err
}

// How many target users are looked at, and of them at most how many are looked up
// at the source, which takes up to three requests each.
const (
	samplePages = 5
	mostLookups = 10
)

// readStrangers asks the last reconciliation, or looks at the first users of the
// target pool.
func (p *Preflight) readStrangers(ctx context.Context, f *Facts) error {
	if f.TargetPool == nil {
		return nil
	}
	if f.Bucket.Usable() {
		known, err := p.o.Strangers(ctx)
		if err == nil && known != nil {
			f.Strangers = known
			return nil
		}
		if err != nil && !slices.Contains([]fault.Kind{fault.Denied, fault.NotFound, fault.Invalid}, fault.KindOf(err)) {
			return err
		}
	}
	if f.SourcePool == nil {
		return nil
	}
	strangers := Strangers{}
	cursor := manifest.Cursor("")
	for range samplePages {
		page, err := p.o.Target.ListUsers(ctx, "", cursor)
		if err != nil {
			return p.refused(f, AsOwn, "cognito-idp:ListUsers", "target pool "+f.Target.ID, err)
		}
		for _, u := range page.Items {
			if u.Attributes[legacySub] != "" || u.Status == userpool.StatusExternalProvider || strangers.Looked >= mostLookups {
				continue
			}
			strangers.Looked++
			is, err := p.known(ctx, u)
			if err != nil {
				return p.refused(f, AsExport, "cognito-idp:ListUsers", "source pool "+f.Source.ID, err)
			}
			if is {
				strangers.Users++
				strangers.Subs = append(strangers.Subs, u.Sub)
			}
		}
		if cursor = page.Next; cursor == "" || strangers.Looked >= mostLookups {
			break
		}
	}
	f.Strangers = &strangers
	return nil
}

// readReconciled asks for what the guard asks for, where there is one. Without
// permission nothing is known; that the bucket may not be read is said already.
func (p *Preflight) readReconciled(ctx context.Context, f *Facts) error {
	if guard := f.Attached[PreSignUp]; guard == nil || !guard.Ours || !f.Bucket.Usable() {
		return nil
	}
	is, err := p.o.Reconciled(ctx)
	switch {
	case err == nil:
		f.Reconciled = &is
	case fault.KindOf(err) != fault.Denied:
		return err
	}
	return nil
}

// known reports whether the source has a user under a name of a target user's.
func (p *Preflight) known(ctx context.Context, u userpool.User) (bool, error) {
	for _, by := range []struct{ attribute, value string }{
		{"email", u.Attributes[userpool.AttrEmail]}, {"phone_number", u.Attributes[userpool.AttrPhoneNumber]}, {"username", u.Username},
	} {
		if by.value == "" || by.attribute == "username" && by.value == string(u.Sub) {
			continue
		}
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(by.value)
		page, err := p.o.Source.ListUsers(ctx, by.attribute+` = "`+quoted+`"`, "")
		if err != nil || len(page.Items) > 0 {
			return len(page.Items) > 0, err
		}
	}
	return false, nil
}

// legacySubSpec is the attribute that Fix adds. It is mutable so that it can be
// written for people who come by another way; no client may write it.
func legacySubSpec() userpool.AttributeSpec {
	low, high := int64(0), int64(256)
	return userpool.AttributeSpec{Name: legacySub, Type: userpool.TypeString, Mutable: true, Min: &low, Max: &high}
}

// ErrNothing means that there is nothing that Fix can do.
var ErrNothing = errors.New("there is nothing that preflight can fix")

// Plan says what Fix would do, in a sentence each; none where there is nothing.
func (p *Preflight) Plan(r Report) []string {
	var steps []string
	for _, f := range r.Findings {
		if f.Code == LegacySubMissing {
			steps = append(steps, "Add the attribute "+legacySub+" to the schema of target pool "+p.o.Settings.Target.ID+
				": a mutable string of up to 256 characters. It can never be removed or changed.")
		}
	}
	return steps
}

// Fix does what Plan says.
func (p *Preflight) Fix(ctx context.Context, r Report) error {
	if len(p.Plan(r)) == 0 {
		return ErrNothing
	}
	return p.o.Target.AddAttribute(ctx, legacySubSpec())
}
