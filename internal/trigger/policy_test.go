package trigger_test

import (
	"testing"

	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

func TestExplain(t *testing.T) {
	tests := []struct {
		name          string
		change        func(*userpool.User)
		right, forgot trigger.Outcome
	}{
		{"plain", func(*userpool.User) {}, trigger.Migrated, trigger.Migrated},
		{"temporary password", func(u *userpool.User) { u.Status = userpool.StatusForceChangePassword }, trigger.NeedsReset, trigger.Migrated},
		{"reset required", func(u *userpool.User) { u.Status = userpool.StatusResetRequired }, trigger.NeedsReset, trigger.Migrated},
		{"disabled, reset required", func(u *userpool.User) { u.Status, u.Enabled = userpool.StatusResetRequired, false }, trigger.Disabled, trigger.Disabled},
		{"SMS", func(u *userpool.User) { u.MFA = []string{"SMS_MFA"} }, trigger.Migrated, trigger.Migrated},
		{"TOTP", func(u *userpool.User) { u.MFA = []string{"SOFTWARE_TOKEN_MFA"} }, trigger.MfaRefused, trigger.Migrated},
		{"both factors", func(u *userpool.User) { u.MFA = []string{"SMS_MFA", "SOFTWARE_TOKEN_MFA"} }, trigger.MfaRefused, trigger.Migrated},
		{"federated", func(u *userpool.User) { u.Status = userpool.StatusExternalProvider }, trigger.Federated, trigger.Federated},
		{"nothing verified", func(u *userpool.User) { u.Attributes["email_verified"] = "false" }, trigger.Migrated, trigger.NoVerifiedContact},
		{"does not fit", func(u *userpool.User) { u.Attributes["custom:born"] = "too long" }, trigger.Unmappable, trigger.Unmappable},
	}
	policy := trigger.Policy{MFA: trigger.MFAVerify, Target: targetPool()}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := ann()
			tt.change(&u)
			got := policy.Explain("ann", u)
			if got.RightPassword.Outcome != tt.right || got.ForgotPassword.Outcome != tt.forgot {
				t.Errorf("right password %s, forgotten %s; want %s, %s", got.RightPassword.Outcome, got.ForgotPassword.Outcome, tt.right, tt.forgot)
			}
		})
	}
}

func TestOutcomesAreComplete(t *testing.T) {
	seen := map[trigger.Outcome]bool{}
	for _, o := range trigger.Outcomes() {
		if seen[o] {
			t.Errorf("%s is listed twice", o)
		}
		seen[o] = true
	}
	for _, o := range []trigger.Outcome{trigger.LockedOut, trigger.Throttled, trigger.Deadline, trigger.Misconfigured, trigger.Unavailable} {
		if !o.Failed() || !seen[o] {
			t.Errorf("%s is no failure, or not listed", o)
		}
	}
	if trigger.RejectedCredentials.Failed() || trigger.Unmappable.Failed() {
		t.Error("a refusal counts as a failure of ours")
	}
}
