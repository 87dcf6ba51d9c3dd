package live

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"

	"poolferry/internal/config"
)

// ground is two accounts as their administrators see them. The operator of the
// command line tool is whoever the environment of the process says.
type ground struct {
	cfg     *config.Config
	file    string      // poolferry.yaml
	source  *cip.Client // in the source's region
	target  *cip.Client
	states  *sfn.Client // of the target account
	objects *s3.Client
	logs    *cloudwatchlogs.Client
	role    string // ARN of the deployed trigger's role, for throw-away functions
	// importLog is the ARN of a role with which Cognito may write the logs of import
	// jobs of any pool of the target account; empty for none.
	importLog string
	sandbox   bool
	// deploy makes a function that plays a script, which user pools of the target
	// account may call, and returns its ARN and how to delete it.
	deploy func(ctx context.Context, name string, s script) (arn string, remove func(context.Context) error, err error)
	// usable is for how long AWS may take until everybody knows what was made;
	// patience is the same for an import job, and tick is how often one looks.
	usable, patience, tick time.Duration
}

// TestMain lets more tests run at a time than there are processors: they wait, for
// AWS or for a clock.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// importLogRole is the variable that names ground.importLog.
const importLogRole = "POOLFERRY_LIVE_IMPORT_LOG_ROLE"

// unique is a name that nobody has.
func unique(what string) string {
	return "poolferry-live-" + what + "-" + strings.ToLower(rand.Text()[:10])
}

// mailbox is an address that takes every message and has no reader (Amazon SES
// Developer Guide, mailbox simulator).
func mailbox(name string) string { return "success+" + name + "@simulator.amazonses.com" }

// password is one that any policy takes.
func password() string { return rand.Text() + "aA1!" }

// afterwards does something when the test is over, however it ends.
func afterwards(t *testing.T, what string, do func(context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		err := do(ctx)
		switch code, _, _ := strings.Cut(said(err), ":"); code {
		case "", "ResourceNotFoundException", "UserNotFoundException":
		case refused: // it goes with the sandbox
		default:
			t.Errorf("left over: %s: %s", what, said(err))
		}
	})
}

// said is what an answer of AWS says: "Code: text" of an error, "" without.
func said(err error) string {
	if err == nil {
		return ""
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return err.Error()
}

// until tries until it works, for as long as things need to become usable.
func (g *ground) until(ctx context.Context, try func() error) error {
	return within(ctx, g.usable, g.tick, try)
}

// within tries until it works, once in a while, and returns the last error.
func within(ctx context.Context, long, every time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// pool is a throw-away user pool with the app clients of its probe.
type pool struct {
	t        *testing.T
	g        *ground
	id, name string
}

// pool makes a pool in the target account.
func (g *ground) pool(t *testing.T, change func(*cip.CreateUserPoolInput)) *pool {
	t.Helper()
	in := &cip.CreateUserPoolInput{
		PoolName:               aws.String(unique("pool")),
		AutoVerifiedAttributes: []types.VerifiedAttributeType{types.VerifiedAttributeTypeEmail},
		AccountRecoverySetting: &types.AccountRecoverySettingType{RecoveryMechanisms: []types.RecoveryOptionType{
			{Name: types.RecoveryOptionNameTypeVerifiedEmail, Priority: aws.Int32(1)},
		}},
	}
	if change != nil {
		change(in)
	}
	out, err := g.target.CreateUserPool(t.Context(), in)
	g.must(t, err)
	p := &pool{t, g, *out.UserPool.Id, *in.PoolName}
	afterwards(t, "user pool "+p.id, func(ctx context.Context) error {
		_, err := g.target.DeleteUserPool(ctx, &cip.DeleteUserPoolInput{UserPoolId: &p.id})
		return err
	})
	return p
}

// scripted makes a pool whose triggers are a function that plays a script. change
// may be nil, and need not say what the triggers are.
func (g *ground) scripted(t *testing.T, s script, change func(in *cip.CreateUserPoolInput)) *pool {
	t.Helper()
	name := unique("function")
	arn, remove, err := g.deploy(t.Context(), name, s)
	if remove != nil {
		afterwards(t, "function "+name, remove)
	}
	g.must(t, err)
	return g.pool(t, func(in *cip.CreateUserPoolInput) {
		in.LambdaConfig = &types.LambdaConfigType{UserMigration: &arn}
		if s.Events {
			in.LambdaConfig.PreSignUp, in.LambdaConfig.PostAuthentication, in.LambdaConfig.PostConfirmation = &arn, &arn, &arn
		}
		if change != nil {
			change(in)
		}
	})
}

// hiding and telling are what an app client makes of users whom there are not.
const (
	hiding  = types.PreventUserExistenceErrorTypesEnabled
	telling = types.PreventUserExistenceErrorTypesLegacy
)

// client makes an app client and returns its id.
func (p *pool) client(existence types.PreventUserExistenceErrorTypes, flows ...types.ExplicitAuthFlowsType) string {
	p.t.Helper()
	if len(flows) == 0 {
		flows = []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserPasswordAuth, types.ExplicitAuthFlowsTypeAllowAdminUserPasswordAuth}
	}
	out, err := p.g.target.CreateUserPoolClient(p.t.Context(), &cip.CreateUserPoolClientInput{
		UserPoolId: &p.id, ClientName: aws.String(unique("client")), PreventUserExistenceErrors: existence,
		ExplicitAuthFlows: append(flows, types.ExplicitAuthFlowsTypeAllowRefreshTokenAuth),
	})
	p.g.must(p.t, err)
	return *out.UserPoolClient.ClientId
}

// user makes a user with an e-mail address of nobody, and returns the name. With
// a password it is CONFIRMED, without it has a temporary one that is not known.
func (p *pool) user(password string) string {
	p.t.Helper()
	return p.userOf("user", password)
}

// userOf is user whose name belongs to a case of a script.
func (p *pool) userOf(of, password string) string {
	p.t.Helper()
	name := typed(of)
	_, err := p.g.target.AdminCreateUser(p.t.Context(), &cip.AdminCreateUserInput{
		UserPoolId: &p.id, Username: &name, MessageAction: types.MessageActionTypeSuppress,
		UserAttributes: []types.AttributeType{{Name: aws.String("email"), Value: aws.String(mailbox(name))}, {Name: aws.String("email_verified"), Value: aws.String("true")}},
	})
	p.g.must(p.t, err)
	if password != "" {
		_, err = p.g.target.AdminSetUserPassword(p.t.Context(), &cip.AdminSetUserPasswordInput{UserPoolId: &p.id, Username: &name, Password: &password, Permanent: true})
		p.g.must(p.t, err)
	}
	return name
}

// signIn is what a sign-in by password ends with: "signed in", a challenge, or
// what AWS says.
func (p *pool) signIn(client, name, password string) string {
	out, err := p.g.target.InitiateAuth(p.t.Context(), &cip.InitiateAuthInput{
		ClientId: &client, AuthFlow: types.AuthFlowTypeUserPasswordAuth, AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password},
	})
	if err != nil {
		return said(err)
	}
	return ended(out.AuthenticationResult, out.ChallengeName)
}

// adminSignIn is signIn by the call that the migration trigger makes.
func (p *pool) adminSignIn(client, name, password string) string {
	out, err := p.g.target.AdminInitiateAuth(p.t.Context(), &cip.AdminInitiateAuthInput{
		UserPoolId: &p.id, ClientId: &client, AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth, AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password},
	})
	if err != nil {
		return said(err)
	}
	return ended(out.AuthenticationResult, out.ChallengeName)
}

func ended(result *types.AuthenticationResultType, challenge types.ChallengeNameType) string {
	if result != nil {
		return "signed in"
	}
	return "challenge " + string(challenge)
}

// standing is a user's status, or that there is none.
func (p *pool) standing(name string) string {
	out, err := p.g.target.AdminGetUser(p.t.Context(), &cip.AdminGetUserInput{UserPoolId: &p.id, Username: &name})
	switch code, _, _ := strings.Cut(said(err), ":"); {
	case code == "UserNotFoundException":
		return "no user"
	case err != nil:
		return said(err)
	}
	return string(out.UserStatus)
}

// script is what a throw-away function does, by the case that a user's name has:
// poolferry-live-CASE-… .
type script struct {
	Cases     map[string]reply `json:"cases"`
	Events    bool             `json:"-"` // it is also asked at sign-up, confirmation and authentication
	Throttled bool             `json:"-"` // it may never run
}

// reply is what becomes of a migration event.
type reply struct {
	Response      json.RawMessage `json:"response,omitempty"` // in place of the event's; {name} is what was typed
	ClearPassword bool            `json:"clear_password,omitempty"`
	Seconds       int             `json:"seconds,omitempty"` // before it answers
	At            string          `json:"at,omitempty"`      // the trigger source that Seconds are about; "" is a migration
	Raise         string          `json:"raise,omitempty"`   // the trigger source that fails, and says so
}

// migrates is a response that creates the user; more are further members.
func migrates(more string) json.RawMessage {
	if more != "" {
		more = "," + more
	}
	return json.RawMessage(`{"userAttributes":{"email":"success+{name}@simulator.amazonses.com","email_verified":"true"},"messageAction":"SUPPRESS"` + more + `}`)
}

const confirmed = `"finalUserStatus":"CONFIRMED"`

// refused is an answer of the sandbox that it plays no such thing.
const refused = "SandboxUnsupported"

// must ends a probe that could not ask its question. Where the sandbox refuses,
// that is the answer.
func (g *ground) must(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if g.sandbox && strings.HasPrefix(said(err), refused) {
		answers.give(t.Name(), said(err))
		t.SkipNow()
	}
	t.Fatal(said(err))
}

// answers are those of all probes, by the name of the test.
var answers = answerBook{}

type answerBook struct {
	mu   sync.Mutex
	text map[string]string
}

func (b *answerBook) give(test, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.text == nil {
		b.text = map[string]string{}
	}
	if strings.Contains(text, refused) {
		text = "refused by the sandbox: " + text
	}
	b.text[test] = text
}

func (b *answerBook) of(test string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text[test]
}

// each is an answer of several parts.
func each(parts ...string) string { return strings.Join(parts, "; ") }

// part is one of them.
func part(of, answer string) string { return fmt.Sprintf("%s: %s", of, answer) }
