package secretsmanager

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

// FuzzServe answers whatever is asked with JSON or with an error of the caller.
func FuzzServe(f *testing.F) {
	s := New(time.Now)
	arn, err := s.CreateSecret("444455556666", "eu-west-1", "a", userpool.NewSecret("x"))
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{`{"SecretId":"a"}`, `{"SecretId":"` + arn + `","VersionStage":"AWSCURRENT"}`, `{"SecretId":"arn:aws:secretsmanager::::"}`, `{"SecretId":""}`, `[`, ``} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reply, err := s.Serve(t.Context(), &wire.Call{
			Operation: "GetSecretValue", Account: "444455556666", Region: "eu-west-1", Body: body, Authorize: func(string, string) error { return nil },
		})
		if err == nil && json.Unmarshal(reply.Body, new(answer)) != nil {
			t.Errorf("%q: %s", body, reply.Body)
		}
		if err != nil && wire.AsError(err).Status >= http.StatusInternalServerError {
			t.Errorf("%q is our bug: %v", body, err)
		}
	})
}
