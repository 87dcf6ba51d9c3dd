package cognitoidp_test

import (
	"context"
	"slices"
	"testing"

	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/internal/userpool"
)

const migrateARN = "arn:aws:lambda:eu-central-1:222222222222:function:migrate-user"

// answers makes a migration trigger that fills in the response.
func (w *world) answers(poolID string, response any) {
	w.t.Helper()
	w.lambda.f[migrateARN] = func(_ context.Context, event map[string]any) (any, error) {
		event["response"] = response
		return event, nil
	}
	if err := w.SetTriggers(poolID, cognitoidp.Triggers{UserMigration: migrateARN}); err != nil {
		w.t.Fatal(err)
	}
}

func TestMigrationSignsInAndStoresThePassword(t *testing.T) {
	w := newWorld(t)
	p := w.pool(cognitoidp.PoolSpec{})
	c := w.client(p)
	w.answers(p, map[string]any{"userAttributes": map[string]string{"email": "a@b.example", "email_verified": "true"},
		"finalUserStatus": "CONFIRMED", "messageAction": "SUPPRESS"})
	for range 2 {
		if _, err := w.signIn(c.ID, "ada", "weak"); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.lambda.count(); n != 1 {
		t.Errorf("the trigger ran %d times, want once", n)
	}
	users := slices.Collect(w.Users(p))
	if len(users) != 1 || users[0].Username != "ada" || users[0].Status != userpool.StatusConfirmed || !users[0].Attributes.Verified("email") {
		t.Errorf("users: %+v", users)
	}
}
