package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"poolferry/infra"
	"poolferry/internal/account"
	"poolferry/internal/fault"
	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/sandbox/secretsmanager"
	"poolferry/internal/secrets"
	"poolferry/internal/userpool"
)

const (
	owner  = "444455556666"
	region = "eu-central-1"
	canary = "c4n4ry-of-the-secret"
	gone   = "arn:aws:secretsmanager:us-east-1:" + owner + ":secret:poolferry/gone-AbCdEf"
)

// world is a sandbox with Secrets Manager, and a role as deployed for one secret.
type world struct {
	*sandbox.Sandbox
	endpoint string
	arn      string // of the secret that the deployed policy names
	env      account.Environment
}

func start(t *testing.T, faults string) *world {
	t.Helper()
	parsed, err := knobs.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	manager := secretsmanager.New(time.Now)
	w := &world{Sandbox: sandbox.New(sandbox.Options{Faults: parsed})}
	var elsewhere string
	for _, step := range []func() error{
		func() error { return w.Register(manager) },
		func() (err error) {
			w.arn, err = manager.CreateSecret(owner, region, "poolferry/key", userpool.NewSecret(canary))
			return err
		},
		func() (err error) {
			_, err = manager.CreateSecret(owner, region, "poolferry/other", userpool.NewSecret(canary))
			return err
		},
		func() (err error) {
			elsewhere, err = manager.CreateSecret(owner, "eu-west-1", "poolferry/key", userpool.NewSecret(canary+"-west"))
			return err
		},
		func() (err error) { w.endpoint, err = w.Start("127.0.0.1:0"); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	// The policies of the deployed trigger, of three secrets.
	var documents [][]byte
	for _, arn := range []string{w.arn, elsewhere, gone} {
		document, err := infra.Render(infra.Secrets, map[string]string{"secret_arn": arn})
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, document)
	}
	c, err := w.IAM.AddUser(owner, "trigger", documents...)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{
		"AWS_ENDPOINT_URL": w.endpoint, "AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey.Reveal(),
	}
	w.env = func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	return w
}

func (w *world) manager(t *testing.T) *secrets.Manager {
	t.Helper()
	m, err := secrets.New(t.Context(), region, w.env)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestValue(t *testing.T) {
	w := start(t, "")
	m := w.manager(t)
	for id, want := range map[string]string{
		"poolferry/key": canary,
		w.arn:           canary,
		"arn:aws:secretsmanager:eu-west-1:" + owner + ":secret:poolferry/key": canary + "-west", // the region is the ARN's
	} {
		if got, err := m.Value(t.Context(), id); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}
}

func TestErrors(t *testing.T) {
	w := start(t, "")
	m := w.manager(t)
	for id, want := range map[string]struct {
		kind fault.Kind
		text string
	}{
		"poolferry/other": {fault.Denied, "read secret poolferry/other in eu-central-1: "},
		"poolferry/none":  {fault.Denied, "allow secretsmanager:GetSecretValue on it"}, // the policy names one secret
		gone:              {fault.NotFound, "in us-east-1: "},
	} {
		got, err := m.Value(t.Context(), id)
		if fault.KindOf(err) != want.kind || err == nil || !strings.Contains(err.Error(), want.text) || got != nil {
			t.Errorf("%s: %s %v, want %s %s", id, fault.KindOf(err), err, want.kind, want.text)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Value(ctx, w.arn); fault.KindOf(err) != fault.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %s %v", fault.KindOf(err), err)
	}
}

// One failure is no failure; failing twice is told by its kind.
func TestRetries(t *testing.T) {
	for faults, want := range map[string]fault.Kind{
		"secretsmanager.GetSecretValue=throttle:100%": fault.Throttled,
		"secretsmanager.GetSecretValue=error:100%":    fault.Unavailable,
	} {
		w := start(t, faults)
		if _, err := w.manager(t).Value(t.Context(), w.arn); fault.KindOf(err) != want {
			t.Errorf("%s: %s %v", faults, fault.KindOf(err), err)
		}
	}
	tries := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tries++
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if tries == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintf(w, `{"SecretString":%q}`, canary)
	}))
	defer server.Close()
	if got, err := at(t, server.URL).Value(t.Context(), "x"); err != nil || string(got) != canary || tries != 2 {
		t.Errorf("%d tries: %v", tries, err)
	}
}

// What the sandbox does not say.
func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   fault.Kind
		text   string
	}{
		"bytes":         {200, `{"SecretBinary":"YzRuNHJ5LW9mLXRoZS1zZWNyZXQ="}`, fault.Invalid, "store it as SecretString"},
		"key refuses":   {400, `{"__type":"DecryptionFailure","message":"x"}`, fault.Denied, "kms:Decrypt"},
		"being deleted": {400, `{"__type":"InvalidRequestException","message":"marked for deletion"}`, fault.NotFound, "create it there"},
		"parameter":     {400, `{"__type":"InvalidParameterException","message":"x"}`, fault.Invalid, "correct the reference"},
		"internal":      {500, `{"__type":"InternalServiceError","message":"x"}`, fault.Unavailable, "try again"},
		"no error":      {502, `<html>`, fault.Unavailable, "try again"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		}))
		_, err := at(t, server.URL).Value(t.Context(), "x")
		if fault.KindOf(err) != tt.want || !strings.Contains(fmt.Sprint(err), tt.text) || strings.Contains(fmt.Sprint(err), canary) {
			t.Errorf("%s: %s %v", name, fault.KindOf(err), err)
		}
		server.Close()
	}
}

func at(t *testing.T, endpoint string) *secrets.Manager {
	t.Helper()
	vars := map[string]string{"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"}
	m, err := secrets.New(t.Context(), region, func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return m
}
