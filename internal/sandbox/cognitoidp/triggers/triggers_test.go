package triggers

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// calls runs every trigger but migration, by name.
var calls = map[string]func(context.Context, *Runner) error{
	"PreSignUp": func(ctx context.Context, r *Runner) error {
		_, err := r.PreSignUp(ctx, "arn", SourceSignUp, Context{PoolID: "p"}, nil, nil, nil)
		return err
	},
	"PostConfirmation": func(ctx context.Context, r *Runner) error {
		return r.PostConfirmation(ctx, "arn", SourceConfirmSignUp, Context{PoolID: "p"}, nil, nil)
	},
	"PreAuthentication": func(ctx context.Context, r *Runner) error {
		return r.PreAuthentication(ctx, "arn", Context{PoolID: "p"}, nil, nil)
	},
	"PostAuthentication": func(ctx context.Context, r *Runner) error {
		return r.PostAuthentication(ctx, "arn", Context{PoolID: "p"}, nil, nil)
	},
	"PreTokenGeneration": func(ctx context.Context, r *Runner) error {
		_, err := r.PreTokenGeneration(ctx, "arn", "TokenGeneration_Authentication", Context{PoolID: "p"}, nil, Groups{}, nil)
		return err
	},
}

// counted is a function that counts how often it was called: an attempt that was
// given up may still be on its way.
type counted struct {
	n atomic.Int64
	f func(ctx context.Context, payload []byte) ([]byte, error)
}

func (c *counted) Invoke(ctx context.Context, _, _ string, payload []byte) ([]byte, error) {
	c.n.Add(1)
	return c.f(ctx, payload)
}

// TestAttempts: five seconds, three times, and no second attempt after an answer
// of whatever kind, for each trigger.
func TestAttempts(t *testing.T) {
	for _, tt := range []struct {
		name     string
		f        func(ctx context.Context, payload []byte) ([]byte, error)
		attempts int
		took     time.Duration
		want     string // TRIGGER stands for the name
	}{
		{"echo", func(_ context.Context, payload []byte) ([]byte, error) { return payload, nil }, 1, 0, ""},
		{"in time", func(_ context.Context, payload []byte) ([]byte, error) {
			time.Sleep(5*time.Second - 1)
			return payload, nil
		}, 1, 5*time.Second - 1, ""},
		{"too late", func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, 3, 15 * time.Second, "UnexpectedLambdaException: TRIGGER invocation failed due to error: timed out."},
		{"refuses", func(context.Context, []byte) ([]byte, error) { return nil, echoed("no") }, 1, 0, "UserLambdaValidationException: TRIGGER failed with error no."},
		{"null", func(context.Context, []byte) ([]byte, error) { return []byte("null"), nil }, 1, 0, "InvalidLambdaResponseException: Unrecognizable lambda output"},
	} {
		for name, call := range calls {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, began := &counted{f: tt.f}, time.Now()
					err := call(t.Context(), &Runner{Lambda: c, Timeout: 5 * time.Second, Log: slog.New(slog.DiscardHandler)})
					want := strings.ReplaceAll(tt.want, "TRIGGER", name)
					if err == nil && want != "" || err != nil && err.Error() != want {
						t.Errorf("got %v, want %s", err, want)
					}
					if int(c.n.Load()) != tt.attempts || time.Since(began) != tt.took {
						t.Errorf("%d attempts in %s, want %d in %s", c.n.Load(), time.Since(began), tt.attempts, tt.took)
					}
				})
			})
		}
	}
}

// FuzzAnswers lets the triggers answer anything: what the client sees is one of
// Cognito's errors or a loud refusal, and nothing that cannot be changed changes.
func FuzzAnswers(f *testing.F) {
	const head = `{"version":"1","triggerSource":"SOURCE","userPoolId":"p","response":`
	for _, response := range []string{`{}`, `null`, `{"autoConfirmUser":true,"autoVerifyEmail":1}`, `{"claimsOverrideDetails":null}`,
		`{"claimsOverrideDetails":{"claimsToSuppress":["sub"],"claimsToAddOrOverride":{"aud":"x","a":"b"},"groupOverrideDetails":{"groupsToOverride":null}}}`,
		`{"claimsOverrideDetails":{"claimsToAddOrOverride":{"a":1}}}`, `{"claimsOverrideDetails":[]}`} {
		f.Add([]byte(head + response + `}`))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		invoke := func(_ context.Context, payload []byte) ([]byte, error) {
			var sent struct{ TriggerSource string }
			if err := json.Unmarshal(payload, &sent); err != nil {
				t.Fatal(err)
			}
			return []byte(strings.Replace(string(answer), "SOURCE", sent.TriggerSource, 1)), nil
		}
		r := &Runner{Lambda: &counted{f: invoke}, Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)}
		for name, call := range calls {
			if err := call(t.Context(), r); err != nil && !strings.HasPrefix(err.Error(), "InvalidLambdaResponseException: ") && !strings.HasPrefix(err.Error(), "SandboxUnsupported: ") {
				t.Errorf("%s: %v", name, err)
			}
		}
		change, err := r.PreTokenGeneration(t.Context(), "arn", "TokenGeneration_Authentication", Context{PoolID: "p"}, nil, Groups{}, nil)
		if err != nil {
			return
		}
		claims := map[string]any{"sub": "s", "aud": "c", "cognito:username": "u"}
		change.Apply(claims)
		if claims["sub"] != "s" || claims["aud"] != "c" || claims["cognito:username"] != "u" {
			t.Errorf("changed: %v", claims)
		}
	})
}
