package explain_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
	"poolferry/tools/explain"
)

type source map[string][]userpool.User

func (s source) Find(_ context.Context, name string) ([]userpool.User, error) {
	if name == "broken" {
		return nil, errors.New("no role")
	}
	return s[name], nil
}

func (source) Describe(context.Context) (userpool.Pool, error) {
	return userpool.Pool{
		ID: "eu-west-1_Source", Aliases: []string{"email", "phone_number", "preferred_username"},
		Schema: userpool.Schema{"sub": {}, "email": {}, "custom:tier": {}, "website": {}},
	}, nil
}

func (source) ClientReads(context.Context, string) ([]string, error) { return []string{"email"}, nil }

func target() userpool.Pool {
	schema := userpool.Schema{}
	for _, name := range []string{"email", "phone_number", "preferred_username", "name", "custom:plan", "custom:legacy_sub"} {
		schema[name] = userpool.AttributeSpec{Name: name, Type: userpool.TypeString, Mutable: true}
	}
	for _, name := range []string{"email_verified", "phone_number_verified"} {
		schema[name] = userpool.AttributeSpec{Name: name, Type: userpool.TypeBoolean, Mutable: true}
	}
	return userpool.Pool{ID: "eu-central-1_Target", Schema: schema, Aliases: []string{"email", "phone_number", "preferred_username"}, MFA: userpool.MFAOptional, SMSMFA: true}
}

func migration(profile trigger.ProfileFrom) explain.Migration {
	policy := trigger.Policy{Target: target(), MFA: trigger.MFAVerify, Mapping: userpool.Mapping{Rules: []userpool.Rule{
		{Rename: &userpool.Move{From: "custom:tier", To: "custom:plan"}},
		{Drop: "website"},
		{Lower: "email"},
	}}}
	return explain.Migration{Policy: policy, ClientID: "client", Profile: profile}
}

func ada() userpool.User {
	return userpool.User{
		Sub: "7c1c0e3a-0000-4000-a000-000000000001", Username: "ada", Enabled: true, Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{
			"email": "Ada@Example.com", "email_verified": "true", "custom:tier": "free", "website": "https://example.com",
			"nickname": "the \x1b[31mred", "name": "Ada",
		},
	}
}

func TestLook(t *testing.T) {
	with := func(change func(*userpool.User)) []userpool.User {
		u := ada()
		change(&u)
		return []userpool.User{u}
	}
	pool := source{
		"ada":             {ada()},
		"Ada@Example.com": {ada()},
		string(ada().Sub): {ada()},
		"+15550000002": with(func(u *userpool.User) {
			u.Attributes["phone_number"], u.Attributes["phone_number_verified"] = "+15550000002", "false"
		}),
		"off":      with(func(u *userpool.User) { u.Username, u.Enabled = "off", false }),
		"google_1": with(func(u *userpool.User) { u.Username, u.Status = "google_1", userpool.StatusExternalProvider }),
		"reset":    with(func(u *userpool.User) { u.Username, u.Status = "reset", userpool.StatusResetRequired }),
		"sms": with(func(u *userpool.User) {
			u.Username, u.MFA = "sms", []string{"SMS_MFA"}
			u.Attributes["phone_number"] = "+15550000001"
		}),
	}
	tests := []struct {
		name    string
		refused bool
		want    []string // in the text
	}{
		{"ada", false, []string{"found by          username", "Migrated: moves, with the password", "custom:plan", "new", "kept as custom:legacy_sub", "ada@example.com", "unknown_attribute"}},
		{"Ada@Example.com", false, []string{"found by          email", "the username at the target"}},
		{string(ada().Sub), false, []string{"found by          sub", "typed name        ada"}},
		{"+15550000002", true, []string{"found by          phone_number", "NotInSource: stays", "(not_a_name_at_source)"}},
		{"off", true, []string{"Disabled: stays", "CONFIRMED, disabled"}},
		{"google_1", true, []string{"Federated: stays"}},
		{"reset", true, []string{"NeedsReset: stays", "forgot password   Migrated: moves, and chooses a new password"}},
		{"sms", false, []string{"asks for the SMS code", "second factor     SMS_MFA"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report, err := explain.Look(t.Context(), tt.name, pool, migration(trigger.FromLookup))
			if err != nil {
				t.Fatal(err)
			}
			if report.Refused() != tt.refused {
				t.Errorf("Refused() = %v, want %v", report.Refused(), tt.refused)
			}
			var text strings.Builder
			if err := report.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if !strings.Contains(text.String(), want) {
					t.Errorf("the text lacks %q:\n%s", want, text.String())
				}
			}
			if strings.Contains(text.String(), "\x1b") {
				t.Error("an attribute value reaches the terminal with its control characters")
			}
		})
	}
}

// TestJSON holds the contract of --json.
func TestJSON(t *testing.T) {
	report, err := explain.Look(t.Context(), "ada", source{"ada": {ada()}}, migration(trigger.FromLookup))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "ada.json")
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}

func TestNobody(t *testing.T) {
	if _, err := explain.Look(t.Context(), "nobody", source{}, migration(trigger.FromLookup)); !errors.Is(err, explain.ErrUnknown) {
		t.Errorf("error %v, want ErrUnknown", err)
	}
	if _, err := explain.Look(t.Context(), "broken", source{}, migration(trigger.FromLookup)); err == nil || errors.Is(err, explain.ErrUnknown) {
		t.Errorf("error %v, want the source's", err)
	}
}

// A token that lacks an attribute is a finding only where the trigger reads it.
func TestTokenThatLoses(t *testing.T) {
	for profile, loses := range map[trigger.ProfileFrom]bool{trigger.FromLookup: false, trigger.FromIDToken: true} {
		report, err := explain.Look(t.Context(), "ada", source{"ada": {ada()}}, migration(profile))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"custom:tier"}, report.IDTokenLoses); diff != "" || report.Loses() != loses {
			t.Errorf("%s: loses %v\n%s", profile, report.Loses(), diff)
		}
		var text strings.Builder
		if err := report.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(text.String(), "do not carry, or may not: custom:tier"); got != loses {
			t.Errorf("%s: said so: %v", profile, got)
		}
	}
}
