package e2e_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"poolferry/internal/cognito"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/sandbox/cognitoidp"
	"poolferry/tools/rehearsal"
)

// Whatever Cognito calls a sign-up that is a migration, people move, and nobody
// registers under the name of somebody who can. Who cannot move by signing in may
// register.
func TestGuard(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"", "PreSignUp_SignUp", "PreSignUp_AdminCreateUser", "PreSignUp_ExternalProvider", "PreSignUp_Later", "none"} {
		t.Run("migration is "+source, func(t *testing.T) {
			t.Parallel()
			m := staged(t, rehearsal.Options{MigrationSignUp: source},
				append(persons("ann", "ben"), person("off", disabled), person("unconfirmed", unconfirmed), person("federated", federated))...)
			for username, address := range map[string]string{"stranger-1": "ann@example.com", "stranger-2": "BEN@example.com", "ann": "stranger@example.net", "stranger-3": "off@example.com"} {
				if err := m.registers(username, address); cognito.Code(err) != "UserLambdaValidationException" {
					t.Errorf("%s with %s: %v, want to be refused", username, address, err)
				}
			}
			for username, address := range map[string]string{"stranger": "stranger@example.net", "again": "unconfirmed@example.com", "unfederated": "federated@example.com"} {
				if err := m.registers(username, address); err != nil {
					t.Errorf("%s with %s: %v", username, address, err)
				}
			}
			m.moves("ann", "ben")
			if n := len(m.here()); n != 2 {
				t.Errorf("%d have moved, want 2", n)
			}
			m.reconciles()
		})
	}
}

// TestLegacyClaim: ID tokens of either flow, and of users who have moved either
// way, say who somebody was. Those of others do not.
func TestLegacyClaim(t *testing.T) {
	t.Parallel()
	m := staged(t, rehearsal.Options{}, persons("ann", "ben")...)
	err := m.Cognito.ChangeClient(m.Target.PoolID, m.Target.Client.ID, func(s *cognitoidp.ClientSettings) {
		s.ExplicitAuthFlows = append(s.ExplicitAuthFlows, "ALLOW_USER_SRP_AUTH")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AddProbe(); err != nil {
		t.Fatal(err)
	}
	m.plans() // of both; but ann comes first
	m.moves("ann")
	if sum := m.imported(); sum.Imported != 1 || sum.Skipped != 1 {
		t.Errorf("%+v", sum)
	}
	m.resets("ben")
	for _, p := range []struct {
		name   string
		legacy any
	}{{"ann", string(subOf("ann"))}, {"ben", string(subOf("ben"))}, {"poolferry-probe", nil}} {
		password := passwordOf(p.name)
		switch p.name {
		case "ben":
			password = anotherOf(p.name)
		case "poolferry-probe":
			password = m.ProbePassword()
		}
		byPassword, err := m.signIn(p.name, password)
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		bySRP, err := m.signInSRP(p.name, password)
		if err != nil {
			t.Fatalf("%s, by SRP: %v", p.name, err)
		}
		for flow, got := range map[string]map[string]any{"password": claims(t, byPassword), "SRP": claims(t, bySRP)} {
			if got["legacy_sub"] != p.legacy || got["sub"] == p.legacy || got["sub"] == nil {
				t.Errorf("%s by %s: %v, want legacy_sub %v", p.name, flow, got, p.legacy)
			}
		}
	}
}

// TestRegisteredAnew: who cannot move registers, and proves the address: that is
// them, and the migration is complete without anybody deciding about them.
func TestRegisteredAnew(t *testing.T) {
	t.Parallel()
	m := staged(t, rehearsal.Options{}, person("ann"), person("unconfirmed", unconfirmed, inGroups("members")), person("federated", federated))
	for username, address := range map[string]string{"again": "unconfirmed@example.com", "unfederated": "federated@example.com"} {
		if err := m.registers(username, address); err != nil {
			t.Fatalf("%s: %v", username, err)
		}
		message, _ := m.Cognito.LastMessage(m.Target.PoolID, username)
		_, err := administrator(m.Target, m.Endpoint).ConfirmSignUp(t.Context(), &cip.ConfirmSignUpInput{
			ClientId: &m.Target.Client.ID, Username: &username, ConfirmationCode: aws.String(message.Code.Reveal()),
		})
		if err != nil {
			t.Fatalf("%s: %v", username, err)
		}
	}
	m.moves("ann")
	m.reconciles()
	s := m.reconciles()
	m.verdicts(s, map[verdict.Verdict]int{verdict.Migrated: 3})
	if !s.Complete || s.Joins != 2 || s.Critical != 0 {
		t.Errorf("complete: %v, %d joined, findings %v", s.Complete, s.Joins, s.Findings)
	}
	for u := range m.Cognito.Users(m.Target.PoolID) {
		if u.Username == "again" && !slices.Equal(u.Groups, []string{"members"}) {
			t.Errorf("groups of who has registered anew: %v", u.Groups)
		}
	}
}
