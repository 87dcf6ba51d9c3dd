package e2e_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"poolferry/infra"
	"poolferry/internal/telemetry"
	"poolferry/internal/userpool"
	"poolferry/tools/rehearsal"
)

// vaulted is a world with carl, whose trigger has its secrets in Secrets Manager.
func vaulted(t *testing.T, binary string) run {
	t.Helper()
	log := &syncBuffer{}
	o := rehearsal.Options{Seed: 1, Now: time.Now, SecretsManager: true, FunctionLog: log}
	if binary != "" {
		o.Binaries = map[string]string{"migrate-user": binary}
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
	if _, err := w.Cognito.PutUser(w.Source.PoolID, carl()); err != nil {
		t.Fatal(err)
	}
	return run{world: w, log: log}
}

func (r run) signIn(t *testing.T) error {
	t.Helper()
	got, err := app(t, r.world).SignIn(t.Context(), "carl@example.com", userpool.NewSecret("Canary-carl-1!"), nil)
	if err == nil && !got.Done {
		t.Errorf("sign-in ended with %+v", got)
	}
	return err
}

// decision is what an audit line says.
type decision struct {
	Audit    string `json:"audit"`
	Outcome  string `json:"outcome"`
	Code     string `json:"code"`
	NameHash string `json:"name_hash"`
}

// decisions are the audit lines of the log, which holds no secret.
func (r run) decisions(t *testing.T) (found []decision) {
	t.Helper()
	log := r.log.String()
	for _, secret := range []userpool.Secret{r.world.Secrets.NameKey, r.world.Secrets.Client} {
		if secret.Empty() || strings.Contains(log, secret.Reveal()) {
			t.Errorf("a secret is empty or in the log:\n%s", log)
		}
	}
	for line := range strings.Lines(log) {
		var d decision
		if json.Unmarshal([]byte(line), &d) == nil && d.Audit == "decision" {
			found = append(found, d)
		}
	}
	return found
}

// As it is deployed: neither environment nor file has a secret, and the role has
// the deployed policy, all of which it needs.
func TestSecretsFromSecretsManager(t *testing.T) {
	t.Parallel()
	for name, binary := range map[string]func(*testing.T) string{"in process": func(*testing.T) string { return "" }, "binary": built} {
		t.Run(name, func(t *testing.T) {
			r := vaulted(t, binary(t))
			if err := r.signIn(t); err != nil {
				t.Fatal(err)
			}
			want := telemetry.NameHash(r.world.Secrets.NameKey, "carl@example.com")
			if d := r.decisions(t); len(d) != 1 || d[0].Outcome != "Migrated" || d[0].NameHash != want {
				t.Errorf("decisions %+v, want one with name hash %s", d, want)
			}
			unused, err := r.world.Sandbox.IAM.Unused("arn:aws:iam::" + r.world.Target.Account + ":role/poolferry-migrate-user")
			if err != nil {
				t.Fatal(err)
			}
			for _, permission := range unused {
				if strings.HasPrefix(permission, "secretsmanager:") {
					t.Errorf("not needed: %s", permission)
				}
			}
		})
	}
}

// What a cold start could not read the next sign-in reads, as soon as it may;
// until then nobody is let in, and the audit trail says why.
func TestSecretsAreTriedAgain(t *testing.T) {
	t.Parallel()
	r := vaulted(t, "")
	w := r.world
	base, err := infra.Render(infra.MigrateUser, map[string]string{
		"login_role_arn": w.Config.Source.LoginRoleARN, "log_group_arn": "arn:aws:logs:x:y:log-group:/aws/lambda/migrate-user",
		"target_pool_arn": "arn:aws:cognito-idp:" + w.Target.Region + ":" + w.Target.Account + ":userpool/" + w.Target.PoolID,
	})
	if err != nil {
		t.Fatal(err)
	}
	role := "arn:aws:iam::" + w.Target.Account + ":role/poolferry-migrate-user"
	policies := [][]byte{base}
	set := func() {
		t.Helper()
		if err := w.Sandbox.IAM.SetPolicies(role, policies...); err != nil {
			t.Fatal(err)
		}
	}
	set()
	if err := r.signIn(t); err == nil {
		t.Fatal("carl got in without the secrets")
	}
	refused := r.decisions(t)
	for _, d := range refused {
		if d.Outcome != "Misconfigured" || d.Code != "AccessDeniedException" || d.NameHash != "" {
			t.Errorf("decision %+v", d)
		}
	}
	if len(refused) == 0 || !strings.Contains(r.log.String(), "allow secretsmanager:GetSecretValue") {
		t.Errorf("%d decisions; the log does not say what to do:\n%s", len(refused), r.log)
	}
	for _, id := range []string{"client-secret", "name-key"} {
		document, err := infra.Render(infra.Secrets, map[string]string{"secret_arn": "arn:aws:secretsmanager:" + w.Target.Region + ":" + w.Target.Account + ":secret:poolferry/" + id + "-X"})
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, document)
	}
	set() // the suffixes are wrong
	if err := r.signIn(t); err == nil {
		t.Fatal("a policy for other secrets is enough")
	}
	for i, name := range []string{"poolferry/client-secret", "poolferry/name-key"} {
		policies[1+i] = bytes.ReplaceAll(policies[1+i], []byte(name+"-X"), []byte(name+"-"+suffix(t, w, name)))
	}
	set()
	if err := r.signIn(t); err != nil {
		t.Fatal(err)
	}
	if d := r.decisions(t); d[len(d)-1].Outcome != "Migrated" || d[len(d)-1].NameHash == "" {
		t.Errorf("last decision %+v", d[len(d)-1])
	}
}

// A secret that is no key is refused at the start, like any wrong configuration.
func TestSecretsThatAreWrong(t *testing.T) {
	t.Parallel()
	r := vaulted(t, "")
	w := r.world
	put := func(value string) {
		t.Helper()
		if err := w.SecretsManager.PutSecretValue(w.Target.Account, w.Target.Region, "poolferry/name-key", userpool.NewSecret(value)); err != nil {
			t.Fatal(err)
		}
	}
	put("too short")
	if err := r.signIn(t); err == nil {
		t.Fatal("carl got in")
	}
	if d := r.decisions(t); len(d) > 0 {
		t.Errorf("decided %+v", d)
	}
	put(w.Secrets.NameKey.Reveal())
	if err := r.signIn(t); err != nil {
		t.Fatal(err)
	}
}

// suffix is what Secrets Manager has added to a name, as the operator sees it.
func suffix(t *testing.T, w *rehearsal.World, name string) string {
	t.Helper()
	out, err := sdk.NewFromConfig(aws.Config{
		Region: w.Target.Region, BaseEndpoint: &w.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(w.Target.Administrator.AccessKeyID, w.Target.Administrator.SecretAccessKey.Reveal(), ""),
	}).GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: &name})
	if err != nil {
		t.Fatal(err)
	}
	return (*out.ARN)[strings.LastIndex(*out.ARN, "-")+1:]
}
