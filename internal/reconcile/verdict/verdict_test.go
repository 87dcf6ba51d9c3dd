package verdict_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

var opened = time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)

func size(n int64) *int64 { return &n }

// target is a pool with aliases whose schema has one of everything.
func target() userpool.Pool {
	schema := userpool.Schema{}
	for _, spec := range []userpool.AttributeSpec{
		{Name: "sub", Type: userpool.TypeString, Required: true},
		{Name: "email", Type: userpool.TypeString, Mutable: true, Required: true},
		{Name: "email_verified", Type: userpool.TypeBoolean, Mutable: true},
		{Name: "phone_number", Type: userpool.TypeString, Mutable: true},
		{Name: "phone_number_verified", Type: userpool.TypeBoolean, Mutable: true},
		{Name: "name", Type: userpool.TypeString, Mutable: true, Max: size(10)},
		{Name: "locale", Type: userpool.TypeString, Mutable: true, Required: true},
		{Name: "custom:plan", Type: userpool.TypeString, Max: size(4)}, // immutable
		{Name: "custom:legacy_sub", Type: userpool.TypeString, Max: size(64)},
	} {
		schema[spec.Name] = spec
	}
	return userpool.Pool{Schema: schema, Aliases: []string{"email", "phone_number"}, MFA: userpool.MFAOptional, SMSMFA: true}
}

func rules() verdict.Rules {
	return verdict.Rules{Pool: target(), MFA: verdict.MFAVerify, Exclude: verdict.DefaultExclude(), GenerationOpened: opened}
}

// staged is a user who can move, changed by edits.
func staged(edits ...func(*userpool.User)) *userpool.User {
	u := userpool.User{
		Sub: "s-1", Username: "ann", Enabled: true, Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{
			"email": "ann@example.com", "email_verified": "true", "phone_number": "+15550100", "name": "Ann", "locale": "en", "custom:legacy_sub": "s-1",
		},
		Created: opened.AddDate(-2, 0, 0), Modified: opened.AddDate(-1, 0, 0),
	}
	for _, edit := range edits {
		edit(&u)
	}
	return &u
}

// arrived is the same user at the target, moved a day after the scan.
func arrived(edits ...func(*userpool.User)) userpool.User {
	u := *staged()
	u.Sub, u.Attributes = "t-1", u.Attributes.Clone()
	u.Attributes["sub"] = "t-1"
	u.Created = opened.AddDate(0, 0, 1)
	u.Modified = u.Created.Add(time.Second)
	for _, edit := range edits {
		edit(&u)
	}
	return u
}

func status(s userpool.Status) func(*userpool.User) {
	return func(u *userpool.User) { u.Status = s }
}

func disabled(u *userpool.User) { u.Enabled = false }

func attr(name, value string) func(*userpool.User) {
	return func(u *userpool.User) {
		if value == "" {
			delete(u.Attributes, name)
		} else {
			u.Attributes[name] = value
		}
	}
}

func factor(names ...string) func(*userpool.User) {
	return func(u *userpool.User) { u.MFA = names }
}

func created(t time.Time) func(*userpool.User) {
	return func(u *userpool.User) { u.Created, u.Modified = t, t }
}

func sub(s userpool.Sub) func(*userpool.User) { return func(u *userpool.User) { u.Sub = s } }

func list(users ...userpool.User) []userpool.User { return users }

// TestDecide has a row for each line of the truth table.
func TestDecide(t *testing.T) {
	const must, temporary = userpool.StatusResetRequired, userpool.StatusForceChangePassword
	long := strings.Repeat("x", 129)
	noContact := func(u *userpool.User) { u.Status = must; delete(u.Attributes, "email_verified") }
	tests := []struct {
		name  string
		c     verdict.Case
		want  string // verdict: reason
		finds string // kinds, in the order of Findings
		who   userpool.Sub
	}{
		{"signed in", verdict.Case{Staged: staged(), Arrived: list(arrived())}, "migrated: signed_in", "", "t-1"},
		{"has to reset", verdict.Case{Staged: staged(), Arrived: list(arrived(status(must)))}, "migrated: must_reset", "", "t-1"},
		{"temporary password at the target", verdict.Case{Staged: staged(), Arrived: list(arrived(status(temporary)))}, "migrated: must_reset", "", "t-1"},
		{"imported, not back yet", verdict.Case{Staged: staged(), Arrived: list(arrived(status(must))), Imported: true}, "imported: tail", "", "t-1"},
		{"imported with a temporary password", verdict.Case{Staged: staged(), Arrived: list(arrived(status(temporary))), Imported: true}, "imported: tail", "", "t-1"},
		{"imported and back", verdict.Case{Staged: staged(), Arrived: list(arrived()), Imported: true}, "migrated: signed_in", "", "t-1"},
		{"imported and confirmed at once, without a password", verdict.Case{Staged: staged(), Arrived: list(arrived(func(u *userpool.User) { u.Modified = u.Created })), Imported: true}, "migrated: signed_in", "", "t-1"},
		{"imported, disabled at the source", verdict.Case{Staged: staged(disabled), Arrived: list(arrived(status(must))), Imported: true}, "imported: tail", "status_surprise", "t-1"},
		{"imported and not there", verdict.Case{Staged: staged(), Imported: true}, "pending: not_signed_in", "", ""},
		{"unconfirmed at the target", verdict.Case{Staged: staged(), Arrived: list(arrived(status("UNCONFIRMED")))}, "migrated: status_unconfirmed", "status_surprise", "t-1"},
		{"external at the target", verdict.Case{Staged: staged(), Arrived: list(arrived(status("EXTERNAL_PROVIDER")))}, "migrated: status_external_provider", "status_surprise", "t-1"},
		{"unknown at the target", verdict.Case{Staged: staged(), Arrived: list(arrived(status("ARCHIVED")))}, "migrated: status_unknown", "status_surprise", "t-1"},
		{"several: the oldest counts", verdict.Case{Staged: staged(), Arrived: list(
			arrived(sub("t-2"), created(opened.AddDate(0, 0, 3))), arrived(sub("t-9"), created(opened.AddDate(0, 0, 1)), status(must)), arrived(sub("t-0"), created(time.Time{})),
		)}, "migrated: must_reset", "duplicate_target duplicate_target", "t-9"},
		{"several of one age: the first by sub", verdict.Case{Staged: staged(), Arrived: list(arrived(sub("t-2")), arrived(sub("t-1")))}, "migrated: signed_in", "duplicate_target", "t-1"},
		{"staged and arrived, known from before", verdict.Case{Staged: staged(), Arrived: list(arrived()), Known: true}, "migrated: signed_in", "", "t-1"},

		{"federated", verdict.Case{Staged: staged(status("EXTERNAL_PROVIDER"))}, "excluded: federated", "", ""},
		{"disabled", verdict.Case{Staged: staged(disabled)}, "pending: disabled", "", ""},
		{"unconfirmed", verdict.Case{Staged: staged(status("UNCONFIRMED"))}, "pending: unconfirmed", "", ""},
		{"disabled before unconfirmed", verdict.Case{Staged: staged(disabled, status("UNCONFIRMED"))}, "pending: disabled", "", ""},
		{"federated and disabled", verdict.Case{Staged: staged(disabled, status("EXTERNAL_PROVIDER"))}, "excluded: federated", "", ""},
		{"a required attribute is missing", verdict.Case{Staged: staged(attr("locale", ""))}, "pending: schema_violation", "schema_violation", ""},
		{"an immutable attribute is too long", verdict.Case{Staged: staged(attr("custom:plan", "yearly"))}, "pending: schema_violation", "schema_violation", ""},
		{"the legacy sub does not fit", verdict.Case{Staged: staged(attr("custom:legacy_sub", strings.Repeat("x", 65)))}, "pending: schema_violation", "schema_violation", ""},
		{"blocked, and one more is left out", verdict.Case{Staged: staged(attr("locale", ""), attr("name", "Annabella Maria"))}, "pending: schema_violation", "schema_violation attribute_dropped", ""},
		{"blocked before reset", verdict.Case{Staged: staged(attr("locale", ""), status(must))}, "pending: schema_violation", "schema_violation", ""},
		{"an attribute is left out", verdict.Case{Staged: staged(attr("name", "Annabella Maria"))}, "pending: not_signed_in", "attribute_dropped", ""},
		{"an unknown attribute is left out", verdict.Case{Staged: staged(attr("custom:new", "1"))}, "pending: not_signed_in", "attribute_dropped", ""},
		{"no username can be made", verdict.Case{Staged: staged(func(u *userpool.User) { u.Username = long })}, "pending: username_unusable", "", ""},
		{"has to reset at the source", verdict.Case{Staged: staged(status(must))}, "pending: reset_required", "", ""},
		{"has to reset, and no code can be sent", verdict.Case{Staged: staged(noContact)}, "pending: no_verified_contact", "", ""},
		{"temporary password", verdict.Case{Staged: staged(status(temporary))}, "pending: temporary_password", "", ""},
		{"temporary password and MFA", verdict.Case{Staged: staged(status(temporary), factor("SOFTWARE_TOKEN_MFA"))}, "pending: temporary_password", "", ""},
		{"TOTP", verdict.Case{Staged: staged(factor("SOFTWARE_TOKEN_MFA"))}, "pending: mfa", "", ""},
		{"SMS, which the target can ask for", verdict.Case{Staged: staged(factor("SMS_MFA"))}, "pending: not_signed_in", "", ""},
		{"SMS without a number", verdict.Case{Staged: staged(factor("SMS_MFA"), attr("phone_number", ""))}, "pending: mfa", "", ""},
		{"SMS and another", verdict.Case{Staged: staged(factor("SMS_MFA", "EMAIL_OTP"))}, "pending: mfa", "", ""},
		{"nothing in the way", verdict.Case{Staged: staged()}, "pending: not_signed_in", "", ""},
		{"nothing in the way, known from before", verdict.Case{Staged: staged(), Known: true}, "pending: not_signed_in", "", ""},

		{"vanished", verdict.Case{Known: true}, "missing-in-source: vanished", "", ""},
		{"nobody", verdict.Case{}, "missing-in-source: vanished", "", ""},
		{"moved before he was staged", verdict.Case{Arrived: list(arrived())}, "migrated: not_staged", "", "t-1"},
		{"moved at the very moment", verdict.Case{Arrived: list(arrived(created(opened)))}, "migrated: not_staged", "", "t-1"},
		{"known, gone from the scan, and moved since", verdict.Case{Arrived: list(arrived()), Known: true}, "migrated: not_staged", "", "t-1"},
		{"imported and not staged", verdict.Case{Arrived: list(arrived(status(must))), Imported: true}, "imported: tail", "", "t-1"},
		{"several, not staged", verdict.Case{Arrived: list(arrived(), arrived(sub("t-2")))}, "migrated: not_staged", "duplicate_target", "t-1"},
		{"vanished after moving", verdict.Case{Arrived: list(arrived(created(opened.Add(-time.Second))))}, "missing-in-source: vanished_after_moving", "", "t-1"},
		{"vanished after moving, imported", verdict.Case{Arrived: list(arrived(created(opened.AddDate(0, 0, -1)), status(must))), Imported: true}, "missing-in-source: vanished_after_moving", "", "t-1"},
		{"the target's own", verdict.Case{Arrived: list(arrived(attr("custom:legacy_sub", "")))}, "target-only: own", "", "t-1"},
		{"the target's own, older", verdict.Case{Arrived: list(arrived(attr("custom:legacy_sub", ""), created(opened.AddDate(-1, 0, 0))))}, "target-only: own", "", "t-1"},

		{"disabled after moving", verdict.Case{Staged: staged(disabled), Arrived: list(arrived())}, "migrated: signed_in", "status_surprise", "t-1"},
		{"disabled at the target", verdict.Case{Staged: staged(), Arrived: list(arrived(disabled))}, "migrated: signed_in", "status_surprise", "t-1"},
		{"disabled on both sides", verdict.Case{Staged: staged(disabled), Arrived: list(arrived(disabled))}, "migrated: signed_in", "", "t-1"},
		{"federated, and here with a password", verdict.Case{Staged: staged(status("EXTERNAL_PROVIDER")), Arrived: list(arrived())}, "migrated: signed_in", "status_surprise", "t-1"},
		{"federated on both sides", verdict.Case{Staged: staged(status("EXTERNAL_PROVIDER")), Arrived: list(arrived(status("EXTERNAL_PROVIDER")))}, "migrated: status_external_provider", "", "t-1"},
		{"second factor lost", verdict.Case{Staged: staged(factor("SOFTWARE_TOKEN_MFA")), Arrived: list(arrived())}, "migrated: signed_in", "mfa_downgrade", "t-1"},
		{"second factor enrolled again", verdict.Case{Staged: staged(factor("SOFTWARE_TOKEN_MFA")), Arrived: list(arrived(factor("SMS_MFA")))}, "migrated: signed_in", "", "t-1"},
		{"SMS, which the trigger has switched on", verdict.Case{Staged: staged(factor("SMS_MFA")), Arrived: list(arrived())}, "migrated: signed_in", "", "t-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := rules().Decide(tt.c)
			if got := string(d.Verdict) + ": " + string(d.Reason); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			var kinds []string
			for _, f := range d.Findings {
				kinds = append(kinds, string(f.Kind))
			}
			if got := strings.Join(kinds, " "); got != tt.finds {
				t.Errorf("findings %q, want %q", got, tt.finds)
			}
			var who userpool.Sub
			if d.Partner != nil {
				who = d.Partner.Sub
			}
			if who != tt.who {
				t.Errorf("partner %q, want %q", who, tt.who)
			}
		})
	}
}

func TestDecideByPool(t *testing.T) {
	plain := target()
	plain.Aliases = nil
	byEmail := target()
	byEmail.Aliases, byEmail.UsernameAttributes = nil, []string{"email"}
	byPhone := target()
	byPhone.Aliases, byPhone.UsernameAttributes = nil, []string{"phone_number"}
	generated := func(u *userpool.User) { u.Username = string(u.Sub) }
	onlyAlias := func(u *userpool.User) { u.Username = "other@example.com" }
	tests := []struct {
		name string
		pool userpool.Pool
		user *userpool.User
		want verdict.Reason
	}{
		{"plain pool, by username", plain, staged(), verdict.NotSignedIn},
		{"plain pool, generated username, by address", plain, staged(generated), verdict.NotSignedIn},
		{"plain pool, generated username, no address or number left", anyEmail(plain), staged(generated, attr("email", ""), attr("phone_number", "")), verdict.NoNameCarried},
		{"addresses as usernames", byEmail, staged(), verdict.NotSignedIn},
		{"addresses as usernames, none", anyEmail(byEmail), staged(attr("email", "")), verdict.NoNameCarried},
		{"numbers as usernames, and the number is left out", byPhone, staged(attr("phone_number", "0155")), verdict.NoNameCarried},
		{"aliases, username is an address that is nobody's", target(), staged(onlyAlias), verdict.NotSignedIn},
		{"aliases, no name but an address that is not carried", anyEmail(target()), staged(onlyAlias, attr("email", ""), attr("phone_number", "")), verdict.NoNameCarried},
		{"aliases, the address is too long to be typed", anyEmail(target()), staged(func(u *userpool.User) {
			u.Attributes = userpool.Attributes{"email": strings.Repeat("x", 120) + "@example.com", "locale": "en", "custom:legacy_sub": "s-1"}
			u.Username = u.Attributes["email"]
		}), verdict.NoNameCarried},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := rules()
			r.Pool = tt.pool
			if d := r.Decide(verdict.Case{Staged: tt.user}); d.Verdict != verdict.Pending || d.Reason != tt.want {
				t.Errorf("%s: %s, want %s", d.Verdict, d.Reason, tt.want)
			}
		})
	}
}

// anyEmail is the pool without the need for an e-mail address.
func anyEmail(p userpool.Pool) userpool.Pool {
	schema := userpool.Schema{}
	for key, spec := range p.Schema {
		spec.Required = spec.Required && key != "email"
		schema[key] = spec
	}
	p.Schema = schema
	return p
}

func TestExclude(t *testing.T) {
	tests := []struct {
		name    string
		exclude []verdict.Reason
		user    *userpool.User
		want    string
	}{
		{"nothing excluded", nil, staged(status("EXTERNAL_PROVIDER")), "pending: federated"},
		{"the second reason that applies", []verdict.Reason{verdict.Disabled}, staged(disabled, status("EXTERNAL_PROVIDER")), "excluded: disabled"},
		{"the reason does not apply", []verdict.Reason{verdict.Disabled, verdict.MFA}, staged(), "pending: not_signed_in"},
		{"who can move, as people may decide", []verdict.Reason{verdict.NotSignedIn}, staged(), "excluded: not_signed_in"},
		{"who cannot move is not among them", []verdict.Reason{verdict.NotSignedIn}, staged(disabled), "pending: disabled"},
		{"blocked", []verdict.Reason{verdict.SchemaBlocks}, staged(attr("locale", "")), "excluded: schema_violation"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := rules()
			r.Exclude = tt.exclude
			d := r.Decide(verdict.Case{Staged: tt.user})
			if got := string(d.Verdict) + ": " + string(d.Reason); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if d.Verdict == verdict.Excluded && len(d.Findings) > 0 {
				t.Errorf("findings about somebody who is not to move: %v", d.Findings)
			}
			if d := r.Decide(verdict.Case{Staged: tt.user, Arrived: list(arrived())}); d.Verdict != verdict.Migrated {
				t.Errorf("%s though the user has moved", d.Verdict)
			}
		})
	}
}

func TestMFAPolicies(t *testing.T) {
	tests := []struct {
		policy string
		want   verdict.Reason
		finds  int
	}{
		{verdict.MFAVerify, verdict.MFA, 0},
		{"", verdict.MFA, 0},
		{verdict.MFAReset, verdict.NotSignedIn, 0},
		{verdict.MFAAccept, verdict.NotSignedIn, 1},
	}
	for _, tt := range tests {
		r := rules()
		r.MFA = tt.policy
		d := r.Decide(verdict.Case{Staged: staged(factor("SOFTWARE_TOKEN_MFA"))})
		if d.Reason != tt.want || len(d.Findings) != tt.finds {
			t.Errorf("policy %q: %s, %v", tt.policy, d.Reason, d.Findings)
		}
	}
	r := rules()
	r.Pool.MFA = userpool.MFAOn
	if d := r.Decide(verdict.Case{Staged: staged(factor("EMAIL_OTP")), Arrived: list(arrived())}); len(d.Findings) > 0 {
		t.Errorf("the target asks everybody for a second factor, and still %v", d.Findings)
	}
}

// TestLeftOutByImport: a CSV file cannot hold every value, and what is missing for
// that says nothing of the source. What is otherwise does.
func TestLeftOutByImport(t *testing.T) {
	for want, user := range map[string]userpool.User{
		"left_out_by_import":  arrived(attr("name", "")),
		"changed_before_move": arrived(attr("name", ""), attr("email", "b@example.com")),
	} {
		found := rules().Decide(verdict.Case{Staged: staged(), Arrived: list(user), Imported: true}).Findings
		if len(found) != 1 || found[0].Kind != verdict.Drift || found[0].Detail != want {
			t.Errorf("findings %v, want drift by %s", found, want)
		}
	}
}

func TestDrift(t *testing.T) {
	day := 24 * time.Hour
	later := func(u *userpool.User) { u.Modified = u.Created.Add(6 * time.Second) }
	tests := []struct {
		name    string
		staged  *userpool.User
		arrived userpool.User
		want    string // kind: attributes
	}{
		{"the same", staged(), arrived(), ""},
		{"the source changed before the move", staged(), arrived(attr("name", "Anna")), "drift: name"},
		{"several", staged(), arrived(attr("name", "Anna"), attr("email", "b@example.com"), attr("phone_number", "")), "drift: email phone_number name"},
		{"new at the source before the move", staged(), arrived(attr("custom:plan", "gold")), "drift: custom:plan"},
		{"changed at the target", staged(), arrived(attr("name", "Anna"), later), ""},
		{"within five seconds of creation", staged(), arrived(attr("name", "Anna"), func(u *userpool.User) { u.Modified = u.Created.Add(5 * time.Second) }), "drift: name"},
		{"no times", staged(), arrived(attr("name", "Anna"), created(time.Time{})), ""},
		{"no time of change", staged(), arrived(attr("name", "Anna"), func(u *userpool.User) { u.Modified = time.Time{} }), ""},
		{"the source changed after the move", staged(func(u *userpool.User) { u.Modified = opened.Add(3 * day) }), arrived(attr("name", "Anna")), "source_ahead: name"},
		{"moved before the scan", staged(), arrived(attr("name", "Anna"), created(opened.Add(-day))), "source_ahead: name"},
		{"the target verified the address", staged(attr("email_verified", "false")), arrived(), ""},
		{"the target knows no verified address", staged(), arrived(attr("email_verified", "")), ""},
		{"sub and identities", staged(), arrived(attr("identities", "[]"), attr("cognito:mfa_enabled", "x")), ""},
		{"the trigger left it out", staged(attr("name", "Annabella Maria")), arrived(attr("name", "")), ""},
		{"Cognito filled in what is required", staged(attr("locale", "")), arrived(attr("locale", "default")), ""},
		{"the name as typed", staged(), arrived(attr("email", "ANN@example.com")), ""},
		{"no name as typed", staged(), arrived(attr("locale", "EN")), "drift: locale"},
		{"empty is absent", staged(func(u *userpool.User) { u.Attributes["custom:plan"] = "" }), arrived(), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			for _, f := range rules().Decide(verdict.Case{Staged: tt.staged, Arrived: list(tt.arrived)}).Findings {
				got += string(f.Kind) + ": " + strings.Join(f.Attributes, " ")
				if !slices.IsSorted(f.Attributes) {
					t.Errorf("attributes are not sorted: %v", f.Attributes)
				}
			}
			kind, names, _ := strings.Cut(tt.want, ": ")
			want := strings.Fields(names)
			slices.Sort(want)
			if len(want) > 0 {
				tt.want = kind + ": " + strings.Join(want, " ")
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	sensitive := rules()
	sensitive.Pool.CaseSensitive = true
	if d := sensitive.Decide(verdict.Case{Staged: staged(), Arrived: list(arrived(attr("email", "ANN@example.com")))}); len(d.Findings) != 1 {
		t.Errorf("a pool that tells case apart: %v", d.Findings)
	}
}

func TestFindingSaysWhich(t *testing.T) {
	d := rules().Decide(verdict.Case{Staged: staged(attr("locale", ""), attr("custom:plan", "yearly"), attr("name", strings.Repeat("n", 2049)))})
	want := []verdict.Finding{
		{Kind: verdict.SchemaViolation, Severity: verdict.Warning, SourceSub: "s-1", Attributes: []string{"custom:plan", "locale"}, Detail: "length,required"},
		{Kind: verdict.AttributeDropped, Severity: verdict.Info, SourceSub: "s-1", Attributes: []string{"name"}, Detail: "length"},
	}
	if diff := cmp.Diff(want, d.Findings); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPercent(t *testing.T) {
	of := func(migrated, imported, pending int) map[verdict.Verdict]int {
		return map[verdict.Verdict]int{
			verdict.Migrated: migrated, verdict.Imported: imported, verdict.Pending: pending,
			verdict.Excluded: 7, verdict.TargetOnly: 1_000, verdict.MissingInSource: 3,
		}
	}
	tests := []struct {
		counts map[verdict.Verdict]int
		want   float64
	}{
		{nil, 100},
		{of(0, 0, 0), 100},
		{of(0, 0, 1), 0},
		{of(1, 0, 0), 100},
		{of(0, 1, 0), 100},
		{of(1, 1, 2), 50},
		{of(2, 0, 1), 66.6},
		{of(999_999, 0, 1), 99.9},
		{of(1<<62, 0, 1), 99.9},
		{of(1, 0, 1<<62), 0},
		{of(-1, 0, -1), 100},
	}
	for _, tt := range tests {
		if got := verdict.Percent(tt.counts); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.counts, got, tt.want)
		}
	}
}

// TestWords: every word that can come up is explained.
func TestWords(t *testing.T) {
	for _, v := range verdict.Verdicts() {
		if v.Meaning() == "" {
			t.Errorf("verdict %s means nothing", v)
		}
	}
	for _, r := range verdict.Reasons() {
		if r.Meaning() == "" || r.Advice() == "" {
			t.Errorf("reason %s means nothing, or advises nothing", r)
		}
	}
	for _, k := range verdict.FindingKinds() {
		if k.Meaning() == "" || k.Advice() == "" || !slices.Contains(verdict.Severities(), k.Severity()) {
			t.Errorf("finding %s means or advises nothing, or has no severity", k)
		}
	}
	for _, r := range verdict.PendingReasons() {
		if !slices.Contains(verdict.Reasons(), r) || r.Excludable() != (r != verdict.NotSignedIn) {
			t.Errorf("reason %s of pending users is not a reason, or can be excluded wrongly", r)
		}
	}
	if verdict.SignedIn.Excludable() || verdict.Reason("x").Meaning()+verdict.FindingKind("x").Advice()+verdict.Verdict("x").Meaning() != "" {
		t.Error("a word that is none is known")
	}
}
