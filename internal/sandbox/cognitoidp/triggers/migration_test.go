package triggers

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"poolferry/internal/sandbox/cognitoidp/directory"
	"poolferry/internal/sandbox/cognitoidp/schema"
	"poolferry/internal/userpool"
)

// returning is a function that returns the same bytes whatever it is sent.
type returning []byte

func (r returning) Invoke(context.Context, string, string, []byte) ([]byte, error) { return r, nil }

// FuzzMigrate lets a trigger answer anything: either the client sees a
// UserNotFoundException, or nobody is known, or the user fits the pool.
func FuzzMigrate(f *testing.F) {
	const head = `{"version":"1","triggerSource":"UserMigration_Authentication","userPoolId":"p","response":`
	for _, response := range []string{`{}`, `null`, `{"userAttributes":{"email":"a@b.example"},"finalUserStatus":"CONFIRMED"}`,
		`{"userAttributes":{"username":"x","name":"y"}}`, `{"userAttributes":{"name":null}}`, `{"userAttributes":[],"desiredDeliveryMediums":["SMS"]}`,
		`{"userAttributes":{"phone_number":"+49301234"},"enableSMSMFA":true,"messageAction":"SUPPRESS"}`} {
		f.Add([]byte(head + response + `}`))
	}
	f.Add([]byte(`[`))
	set, err := schema.New(nil)
	if err != nil {
		f.Fatal(err)
	}
	target := Target{Schema: set, Rules: directory.Rules{Aliases: []string{"email"}}, SMSMFA: true}
	const password = "canary-password"
	f.Fuzz(func(t *testing.T, answer []byte) {
		r := &Runner{Lambda: returning(answer), Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)}
		m, err := r.Migrate(t.Context(), "arn:aws:lambda:x", Migration{Context: Context{PoolID: "p", ClientID: "c", UserName: "ada"}, Password: userpool.NewSecret(password)}, target)
		switch {
		case err != nil:
			if !strings.HasPrefix(err.Error(), "UserNotFoundException: ") {
				t.Fatalf("error %v", err)
			}
		case m != nil:
			if err := set.Create(m.Attributes); err != nil || len(m.Attributes) == 0 || target.Rules.RefuseUsername(m.Username) != "" {
				t.Fatalf("%+v: %v", m, err)
			}
			if m.SMSMFA && m.Attributes["phone_number"] == "" || slices.Contains(m.Mediums, "") {
				t.Fatalf("%+v", m)
			}
		}
	})
}

// TestLogHasNoPassword looks at what a failing trigger leaves in the log.
func TestLogHasNoPassword(t *testing.T) {
	var log strings.Builder
	r := &Runner{Lambda: echo{}, Timeout: time.Minute, Log: slog.New(slog.NewJSONHandler(&log, nil))}
	_, err := r.Migrate(t.Context(), "arn:aws:lambda:x", Migration{Context: Context{ClientID: "c", UserName: "ada"}, Password: userpool.NewSecret("canary-password")}, Target{})
	if err == nil || strings.Contains(log.String()+err.Error(), "canary") || strings.Contains(log.String(), "ada") || strings.Count(log.String(), "trigger failed") != 3 {
		t.Errorf("%v\n%s", err, log.String())
	}
}

// echo fails with everything that it was sent.
type echo struct{}

func (echo) Invoke(_ context.Context, _, _ string, payload []byte) ([]byte, error) {
	return nil, echoed(payload)
}

type echoed json.RawMessage

func (e echoed) Error() string        { return string(e) }
func (e echoed) ErrorType() string    { return "Echo" }
func (e echoed) ErrorMessage() string { return string(e) }
