package e2e_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/google/go-cmp/cmp"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/cognito"
	"poolferry/internal/config"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/sandbox/lambda"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
	"poolferry/tools/rehearsal"
)

// kept is the attribute that a token may lack.
const kept = "custom:field_02"

// carl has everything that is at stake.
func carl() cognitoidp.UserSpec {
	return cognitoidp.UserSpec{
		Username: "carl", Password: userpool.NewSecret("Canary-carl-1!"),
		Attributes: userpool.Attributes{"email": "carl@example.com", "email_verified": "true", "address": "1 Road, Town", "updated_at": "1700000000", kept: "blue"},
	}
}

// source is the source pool as the operator sees it through the export role.
func source(t *testing.T, w *rehearsal.World) *cognito.Directory {
	t.Helper()
	env := map[string]string{
		"AWS_ACCESS_KEY_ID":     w.Target.Operator.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": w.Target.Operator.SecretAccessKey.Reveal(),
		"AWS_ENDPOINT_URL":      w.Endpoint,
	}
	account, err := cognito.NewAccount(t.Context(), w.Target.Region, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return cognito.NewDirectory(account, w.Source.Region, w.Source.PoolID, cognito.Role{
		ARN: w.Config.Source.ExportRoleARN, ExternalID: w.Config.Source.ExternalID, SessionName: "test",
	})
}

// loses asks, as an operator would, what an ID token of the source lacks.
func loses(t *testing.T, w *rehearsal.World) []string {
	t.Helper()
	directory := source(t, w)
	pool, err := directory.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reads, err := directory.ClientReads(t.Context(), w.Source.Client.ID)
	if err != nil {
		t.Fatal(err)
	}
	return pool.IDTokenLoses(w.Config.Mapping, reads)
}

// answerFor returns what the trigger answers to carl, profile read from a place.
func answerFor(t *testing.T, w *rehearsal.World, from trigger.ProfileFrom) trigger.Response {
	t.Helper()
	function, err := w.Function(t.Context(), rehearsal.Variant{Change: func(c *config.Config) { c.Source.Profile = from }})
	if err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(map[string]any{
		"version": "1", "triggerSource": trigger.SourceAuthentication, "region": w.Target.Region, "userPoolId": w.Target.PoolID,
		"userName": "carl", "request": map[string]string{"password": "Canary-carl-1!"}, "response": map[string]any{},
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := function.Invoke(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Response trigger.Response `json:"response"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Response.FinalUserStatus != "CONFIRMED" {
		t.Fatalf("carl was not migrated: %+v", answer.Response)
	}
	return answer.Response
}

func openWith(t *testing.T, users ...cognitoidp.UserSpec) *rehearsal.World {
	t.Helper()
	w, err := rehearsal.New(t.Context(), rehearsal.Options{Seed: 7, Now: time.Now, LeastOperator: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, u := range users {
		if _, err := w.Cognito.PutUser(w.Source.PoolID, u); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func TestProfileFromTokenEqualsLookup(t *testing.T) {
	t.Parallel()
	w := openWith(t, carl())
	if lost := loses(t, w); lost != nil {
		t.Fatalf("the rehearsal's client loses %v", lost)
	}
	token, lookup := answerFor(t, w, trigger.FromIDToken), answerFor(t, w, trigger.FromLookup)
	if diff := cmp.Diff(lookup, token); diff != "" {
		t.Errorf("token and lookup differ (-lookup +token)\n%s", diff)
	}
	for name, want := range map[string]string{kept: "blue", "address": "1 Road, Town", "updated_at": "1700000000", "email_verified": "true"} {
		if got := token.UserAttributes[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// A client that may not read an attribute gets no claim of it: the token path
// loses it, the lookup does not, and IDTokenLoses tells beforehand.
func TestProfileFromTokenLosesWhatTheClientCannotRead(t *testing.T) {
	t.Parallel()
	w := openWith(t, carl())
	restrictClient(t, w, kept)
	if diff := cmp.Diff([]string{kept}, loses(t, w)); diff != "" {
		t.Errorf("loses (-want +got)\n%s", diff)
	}
	compareLoss(t, w)
}

// The same with a trigger of the source pool that suppresses the claim. Nobody
// can know what it suppresses, so every attribute counts as lost.
func TestProfileFromTokenLosesWhatATriggerSuppresses(t *testing.T) {
	t.Parallel()
	w := openWith(t, carl())
	suppress := awslambda.NewHandler(func(_ context.Context, event map[string]any) (map[string]any, error) {
		event["response"] = map[string]any{"claimsOverrideDetails": map[string]any{"claimsToSuppress": []string{kept}}}
		return event, nil
	})
	poolARN, err := w.Cognito.ARN(w.Source.PoolID)
	if err != nil {
		t.Fatal(err)
	}
	trust := []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
	role, err := w.Sandbox.IAM.AddRole(w.Source.Account, "claims", trust)
	if err != nil {
		t.Fatal(err)
	}
	arn, err := w.Sandbox.Lambda.Add(lambda.Function{
		Account: w.Source.Account, Region: w.Source.Region, Name: "claims", Timeout: time.Second, RoleARN: role,
		Permissions: []lambda.Permission{{Service: "cognito-idp.amazonaws.com", SourceARN: poolARN, SourceAccount: w.Source.Account}},
		Runner: lambda.InProcess(func(ctx context.Context, in json.RawMessage) (json.RawMessage, error) {
			return suppress.Invoke(ctx, in)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Cognito.SetTriggers(w.Source.PoolID, cognitoidp.Triggers{PreTokenGeneration: arn}); err != nil {
		t.Fatal(err)
	}
	if lost := loses(t, w); !slices.Contains(lost, kept) || !slices.Contains(lost, "email") {
		t.Errorf("with a PreTokenGeneration trigger only %v count as lost", lost)
	}
	compareLoss(t, w)
}

func compareLoss(t *testing.T, w *rehearsal.World) {
	t.Helper()
	if got := answerFor(t, w, trigger.FromLookup).UserAttributes[kept]; got != "blue" {
		t.Errorf("lookup lost %s: %q", kept, got)
	}
	if got, ok := answerFor(t, w, trigger.FromIDToken).UserAttributes[kept]; ok {
		t.Errorf("the token carries %s: %q, so this test proves nothing", kept, got)
	}
}

// restrictClient takes an attribute away from the migration's app client.
func restrictClient(t *testing.T, w *rehearsal.World, attribute string) {
	t.Helper()
	client := administrator(w.Source, w.Endpoint)
	out, err := client.DescribeUserPoolClient(t.Context(), &cip.DescribeUserPoolClientInput{UserPoolId: &w.Source.PoolID, ClientId: &w.Source.Client.ID})
	if err != nil {
		t.Fatal(err)
	}
	c := out.UserPoolClient
	_, err = client.UpdateUserPoolClient(t.Context(), &cip.UpdateUserPoolClientInput{
		UserPoolId: c.UserPoolId, ClientId: c.ClientId, ClientName: c.ClientName, ExplicitAuthFlows: c.ExplicitAuthFlows,
		PreventUserExistenceErrors: c.PreventUserExistenceErrors,
		ReadAttributes:             slices.DeleteFunc(c.ReadAttributes, func(name string) bool { return name == attribute }),
	})
	if err != nil {
		t.Fatal(err)
	}
}
