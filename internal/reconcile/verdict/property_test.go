package verdict_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

// canary is in every value that is made up here.
const canary = "Canary"

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// anyone makes up a source user, as strange as users can be.
func anyone(r *rand.Rand) userpool.User {
	u := userpool.User{
		Sub:      userpool.Sub(pick(r, "s-1", "s-"+strings.Repeat("1", 70))),
		Enabled:  r.IntN(4) > 0,
		Status:   pick(r, userpool.StatusConfirmed, userpool.StatusConfirmed, userpool.StatusUnconfirmed, userpool.StatusResetRequired, userpool.StatusForceChangePassword, userpool.StatusExternalProvider, "ARCHIVED"),
		MFA:      pick(r, nil, nil, []string{"SMS_MFA"}, []string{"SOFTWARE_TOKEN_MFA"}, []string{"SMS_MFA", "EMAIL_OTP"}, []string{canary}),
		Created:  pick(r, time.Time{}, opened.AddDate(0, 0, -1), opened, opened.AddDate(0, 0, 1)),
		Modified: pick(r, time.Time{}, opened.AddDate(0, 0, -1), opened, opened.AddDate(0, 0, 1), opened.AddDate(0, 0, 2)),
	}
	u.Username = pick(r, string(u.Sub), canary+"ann", canary+"@example.com", "+15550100", strings.Repeat(canary, 30))
	u.Attributes = userpool.Attributes{}
	for name, values := range map[string][]string{
		"email":                 {canary + "@example.com", strings.ToLower(canary) + "@example.com", canary, "", "-"},
		"email_verified":        {"true", "false", "-", canary},
		"phone_number":          {"+15550100", "0155" + canary, "-", "-"},
		"phone_number_verified": {"true", "-"},
		"preferred_username":    {canary, canary + "ann", "-"},
		"name":                  {canary, canary + strings.Repeat("x", 20), "-"},
		"locale":                {canary, canary, canary, "-", ""},
		"custom:plan":           {"free", canary, "-"},
		"custom:new":            {canary, "-", "-"},
	} {
		if value := pick(r, values...); value != "-" {
			u.Attributes[name] = value
		}
	}
	return u
}

func anyPool(r *rand.Rand) userpool.Pool {
	p := target()
	p.Schema["preferred_username"] = userpool.AttributeSpec{Name: "preferred_username", Type: userpool.TypeString, Mutable: true}
	p.Aliases = pick(r, nil, []string{"email"}, []string{"email", "phone_number"}, []string{"preferred_username"}, []string{"email", "preferred_username"})
	if p.Aliases == nil {
		p.UsernameAttributes = pick(r, nil, []string{"email"}, []string{"phone_number"}, []string{"email", "phone_number"})
	}
	p.CaseSensitive, p.SMSMFA = r.IntN(2) == 0, r.IntN(2) == 0
	p.MFA = pick(r, userpool.MFAOff, userpool.MFAOptional, userpool.MFAOn)
	if r.IntN(2) == 0 {
		p = anyEmail(p)
	}
	return p
}

// TestAgreesWithTheTrigger: the reason of a pending user is what the trigger
// would do at sign-in, over all names that the user could type.
func TestAgreesWithTheTrigger(t *testing.T) {
	seen := map[verdict.Reason]int{}
	for seed := range uint64(10_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		policy := trigger.Policy{Target: anyPool(r), MFA: pick(r, trigger.MFAVerify, trigger.MFAReset, trigger.MFAAccept)}
		source := anyone(r)
		u := source
		u.Attributes = policy.Mapping.Apply(source)
		got := verdict.Rules{Pool: policy.Target, MFA: string(policy.MFA), GenerationOpened: opened}.Decide(verdict.Case{Staged: &u})
		seen[got.Reason]++

		var right, forgot []trigger.Outcome
		for _, typed := range []string{source.Username, source.Attributes["email"], source.Attributes["phone_number"], source.Attributes["preferred_username"]} {
			if typed == "" || len(typed) > 128 {
				continue
			}
			e := policy.Explain(typed, source)
			right, forgot = append(right, e.RightPassword.Outcome), append(forgot, e.ForgotPassword.Outcome)
		}
		moves := func(outcomes []trigger.Outcome, one ...trigger.Outcome) bool {
			return slices.ContainsFunc(outcomes, func(o trigger.Outcome) bool { return slices.Contains(one, o) })
		}
		only := func(outcomes []trigger.Outcome, all ...trigger.Outcome) bool {
			return !slices.ContainsFunc(outcomes, func(o trigger.Outcome) bool { return !slices.Contains(all, o) })
		}
		resets := source.Status == userpool.StatusResetRequired
		var agrees bool
		switch got.Reason {
		case verdict.Federated:
			agrees = only(right, trigger.Federated) || resets
		case verdict.Disabled:
			agrees = only(right, trigger.Disabled)
		case verdict.Unconfirmed:
			agrees = only(right, trigger.Unconfirmed)
		case verdict.SchemaBlocks, verdict.NoNameCarried, verdict.UsernameUnusable:
			agrees = only(forgot, trigger.Unmappable) && (resets || only(right, trigger.Unmappable))
		case verdict.NoVerifiedContact:
			agrees = resets && only(right, trigger.NeedsReset) && only(forgot, trigger.NoVerifiedContact, trigger.Unmappable)
		case verdict.ResetRequired:
			agrees = resets && only(right, trigger.NeedsReset) && moves(forgot, trigger.Migrated)
		case verdict.TemporaryPassword:
			agrees = moves(right, trigger.NeedsReset) && !moves(right, trigger.Migrated)
		case verdict.MFA:
			agrees = moves(right, trigger.MfaRefused) && !moves(right, trigger.Migrated)
		case verdict.NotSignedIn:
			agrees = moves(right, trigger.Migrated)
		}
		if !agrees {
			t.Fatalf("seed %d: %s, but the trigger says %v, and to a forgotten password %v\nuser %+v\naliases %v, usernames %v", seed, got.Reason, right, forgot, source, policy.Target.Aliases, policy.Target.UsernameAttributes)
		}
	}
	for _, reason := range verdict.PendingReasons() {
		if seen[reason] == 0 {
			t.Errorf("no user was %s: this test does not try it", reason)
		}
	}
}

// TestDecideAnything: every combination has one verdict with a reason that goes
// with it, findings of known kinds, and no value in them; deciding changes
// nothing.
func TestDecideAnything(t *testing.T) {
	goesWith := map[verdict.Verdict][]verdict.Reason{
		verdict.Migrated:        {verdict.SignedIn, verdict.MustReset, verdict.StatusUnconfirmed, verdict.StatusExternal, verdict.StatusUnknown, verdict.NotStaged},
		verdict.Imported:        {verdict.Tail},
		verdict.Pending:         verdict.PendingReasons(),
		verdict.Excluded:        verdict.PendingReasons(),
		verdict.MissingInSource: {verdict.Vanished, verdict.VanishedAfterMoving},
		verdict.TargetOnly:      {verdict.Own},
	}
	seen := map[verdict.FindingKind]int{}
	for seed := range uint64(10_000) {
		r := rand.New(rand.NewPCG(seed, 2))
		rules := verdict.Rules{
			Pool: anyPool(r), MFA: pick(r, "", verdict.MFAVerify, verdict.MFAReset, verdict.MFAAccept, "other"),
			Exclude: pick(r, nil, verdict.DefaultExclude(), verdict.PendingReasons()), GenerationOpened: pick(r, time.Time{}, opened),
		}
		c := verdict.Case{Known: r.IntN(2) == 0, Imported: r.IntN(2) == 0}
		if r.IntN(3) > 0 {
			u := anyone(r)
			u.Attributes = userpool.Mapping{}.Apply(u)
			c.Staged = &u
		}
		for i := range r.IntN(4) {
			u := anyone(r)
			u.Sub = userpool.Sub("t-" + string(rune('0'+i)))
			if u.Attributes["custom:legacy_sub"] = "s-1"; c.Staged == nil && r.IntN(2) == 0 {
				delete(u.Attributes, "custom:legacy_sub")
			}
			c.Arrived = append(c.Arrived, u)
		}
		before, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		d := rules.Decide(c)
		if after, err := json.Marshal(c); err != nil || string(after) != string(before) {
			t.Fatalf("seed %d: deciding has changed the users", seed)
		}
		if !slices.Contains(goesWith[d.Verdict], d.Reason) {
			t.Fatalf("seed %d: verdict %q with reason %q", seed, d.Verdict, d.Reason)
		}
		if (d.Partner != nil) != (len(c.Arrived) > 0) {
			t.Fatalf("seed %d: partner %v of %d", seed, d.Partner, len(c.Arrived))
		}
		for _, f := range d.Findings {
			seen[f.Kind]++
			if f.Severity != f.Kind.Severity() || f.Severity == "" {
				t.Fatalf("seed %d: %s is %q", seed, f.Kind, f.Severity)
			}
			text, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.ToLower(string(text)), strings.ToLower(canary)) {
				t.Fatalf("seed %d: a value in %s", seed, text)
			}
		}
		c.Arrived = slices.Clone(c.Arrived) // Partner is one of them
		slices.Reverse(c.Arrived)
		again := rules.Decide(c)
		if again.Verdict != d.Verdict || again.Reason != d.Reason || len(again.Findings) != len(d.Findings) {
			t.Fatalf("seed %d: in another order %s %s instead of %s %s", seed, again.Verdict, again.Reason, d.Verdict, d.Reason)
		}
		if diff := cmp.Diff(d.Partner, again.Partner); diff != "" {
			t.Fatalf("seed %d: in another order another partner\n%s", seed, diff)
		}
	}
	for _, kind := range []verdict.FindingKind{verdict.Drift, verdict.SourceAhead, verdict.DuplicateTarget, verdict.SchemaViolation, verdict.AttributeDropped, verdict.MFADowngrade, verdict.StatusSurprise} {
		if seen[kind] == 0 {
			t.Errorf("no finding was %s: this test does not try it", kind)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	r := rules()
	u, moved := staged(), arrived()
	for name, c := range map[string]verdict.Case{"pending": {Staged: u}, "migrated": {Staged: u, Arrived: list(moved)}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Decide(c)
			}
		})
	}
}
