package preflight

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/preflight/staged"
	"poolferry/internal/preflight/trial"
	"poolferry/internal/userpool"
)

// schemaOf is a schema of mutable attributes of up to 2,048 characters.
func schemaOf(names ...string) userpool.Schema {
	s := userpool.Schema{}
	for _, name := range append(names, "sub", "email", "identities") {
		s[name] = userpool.AttributeSpec{Name: name, Type: userpool.TypeString, Mutable: true}
	}
	return s
}

// sound are facts with nothing to say about.
func sound() Facts {
	pool := userpool.Pool{Schema: schemaOf("name"), Aliases: []string{"email"}, MFA: userpool.MFAOff}
	target := pool
	target.Schema = schemaOf("name", legacySub)
	return Facts{
		Settings: Settings{
			Run: "r1", Source: manifest.Pool{Account: "111111111111", Region: "eu-west-1", ID: "eu-west-1_a"},
			Target: manifest.Pool{Region: "eu-central-1", ID: "eu-central-1_b"}, ClientID: "c1",
			LoginRole: "arn:aws:iam::111111111111:role/login", ExportRole: "arn:aws:iam::111111111111:role/export", Profile: FromIDToken,
			Hooks: []Hook{{PreSignUp, []string{"run-guard", "guard"}}, {PostAuthentication, []string{"welcome"}}, {PreTokenGeneration, []string{"claim"}}}, ImportLogRole: "arn:aws:iam::222222222222:role/log",
			StagingBucket: "staging", Paces: []Pace{{"UserList", "user_list", 10, true}},
		},
		Account: "222222222222", Quotas: map[string]float64{"UserList": 30},
		SourcePool:   &Pool{Pool: pool, Plan: "ESSENTIALS"},
		SourceClient: &Client{ID: "c1", Flows: []string{"ALLOW_ADMIN_USER_PASSWORD_AUTH"}, Reads: []string{"name", "email"}},
		TargetPool:   &Pool{Pool: target, Plan: "ESSENTIALS", AutoVerified: []string{"email"}, MigrationTrigger: migrates, Triggers: map[string]string{UserMigration: migrates}},
		Factors:      &Factors{},
		Clients:      []Client{{ID: "app", Flows: []string{"ALLOW_USER_PASSWORD_AUTH"}, HidesUsers: true}},
		Function:     open(migrates),
		Bucket: &Bucket{PublicBlocked: true, KMS: true, Versioned: true, Expires: true,
			Policy: `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}}`},
		Strangers: &Strangers{},
	}
}

const (
	migrates = "arn:aws:lambda:eu-central-1:222222222222:function:f"
	guards   = "arn:aws:lambda:eu-central-1:222222222222:function:run-guard:live"
)

// open is a function of the run that Cognito may invoke.
func open(arn string) *Function {
	return &Function{ARN: arn, Deployment: Deployment{Ours: true},
		Policy: `{"Statement":{"Effect":"Allow","Principal":{"Service":"cognito-idp.amazonaws.com"},"Action":"lambda:InvokeFunction"}}`}
}

// guarded are facts in which people may register and the guard looks, changed.
func guarded(change func(*Facts, *Function)) func(*Facts) {
	return func(f *Facts) {
		guard := open(guards)
		f.TargetPool.SelfSignUp, f.TargetPool.Triggers[PreSignUp] = true, guards
		f.Attached, f.Reconciled = map[string]*Function{PreSignUp: guard}, new(true)
		change(f, guard)
	}
}

func codes(found []Finding) string {
	var words []string
	for _, f := range found {
		words = append(words, string(f.Code))
	}
	return strings.Join(words, " ")
}

// TestJudge holds rules that no sandbox can break one by one; the others are
// tested where there is one.
func TestJudge(t *testing.T) {
	tries := func(results ...trial.Try) func(*Facts) {
		return func(f *Facts) { f.Trial = &trial.Answer{Run: "r1", Tries: results} }
	}
	spec := func(change func(*userpool.AttributeSpec)) func(*Facts) {
		return func(f *Facts) {
			s := f.TargetPool.Schema["name"]
			change(&s)
			f.TargetPool.Schema = maps.Clone(f.TargetPool.Schema)
			f.TargetPool.Schema["name"] = s
		}
	}
	tests := map[string]struct {
		change func(*Facts)
		want   string
		detail string
	}{
		"nothing":          {func(*Facts) {}, "", ""},
		"nothing was read": {func(f *Facts) { *f = Facts{Settings: f.Settings, Quotas: f.Quotas} }, "", ""},

		"guarded":                                      {guarded(func(*Facts, *Function) {}), "", ""},
		"guard whose policy is unread":                 {guarded(func(_ *Facts, g *Function) { g.Policy, g.PolicyUnread = "", true }), "", ""},
		"guard that was not read":                      {guarded(func(f *Facts, _ *Function) { delete(f.Attached, PreSignUp) }), "", ""},
		"nobody knows what is reconciled":              {guarded(func(f *Facts, _ *Function) { f.Reconciled = nil }), "", ""},
		"nothing reconciled":                           {guarded(func(f *Facts, _ *Function) { f.Reconciled = new(false) }), "guard_unsure", "refuse"},
		"nothing reconciled, and the doors are closed": {guarded(func(f *Facts, _ *Function) { f.Reconciled, f.TargetPool.SelfSignUp = new(false), false }), "guard_unsure", ""},
		"nothing reconciled, and all are let in":       {guarded(func(f *Facts, _ *Function) { f.Reconciled, f.UnsureAllows = new(false), true }), "self_sign_up", "allow"},
		"nothing reconciled, all are let in, and the doors are closed": {guarded(func(f *Facts, _ *Function) {
			f.Reconciled, f.UnsureAllows, f.TargetPool.SelfSignUp = new(false), true, false
		}), "", ""},
		"reconciled, and all are let in":     {guarded(func(f *Facts, _ *Function) { f.UnsureAllows = true }), "", ""},
		"guard that is gone is no open door": {guarded(func(f *Facts, g *Function) { *g, f.Reconciled = Function{ARN: guards, Gone: true}, nil }), "trigger_gone", "every registration"},
		"guard that nobody may invoke":       {guarded(func(f *Facts, g *Function) { g.Policy, f.Reconciled = "", new(false) }), "trigger_not_permitted", "every registration"},
		"guard of another run":               {guarded(func(f *Facts, g *Function) { g.Ours, g.Differs = false, []string{"run"} }), "hook_foreign", "PreSignUp: run"},
		"welcome in the place of the guard": {guarded(func(f *Facts, _ *Function) {
			f.TargetPool.Triggers[PreSignUp] = strings.Replace(guards, "run-guard", "welcome", 1)
			delete(f.Attached, PreSignUp)
		}), "self_sign_up target_pre_sign_up", "not the guard"},
		"no name of a function": {guarded(func(f *Facts, _ *Function) { f.TargetPool.Triggers[PreSignUp] = "guard" }), "self_sign_up target_pre_sign_up", "not the guard"},
		"a section is told once": {guarded(func(f *Facts, g *Function) {
			f.Function.Differs, f.Function.Others = []string{"audit.name_key"}, []string{"guard.when_unsure", "pace.user_list"}
			g.Differs, g.Others = []string{"audit.name_key", "guard.when_unsure"}, []string{"pace.user_list"}
		}), "trigger_configured_differently deployed_differently", "audit.name_key (UserMigration, PreSignUp), guard.when_unsure (PreSignUp)"},
		"what others go by": {func(f *Facts) { f.Function.Others = []string{"pace.user_list"} }, "deployed_differently", "pace.user_list"},

		"one action on two": {func(f *Facts) {
			f.Refusals = []Refusal{{AsOwn, "lambda:GetPolicy", "function a", fault.Denied, "AccessDenied"}, {AsOwn, "lambda:GetPolicy", "function b", fault.Denied, "AccessDenied"}}
		}, "not_checked", "lambda:GetPolicy (AccessDenied): function a, function b"},
		"role of the source's account": {func(f *Facts) {
			f.GroupRoles = []userpool.GroupRole{{Group: "ours", RoleARN: "arn:aws:iam::222222222222:role/a"}, {Group: "staff", RoleARN: "arn:aws:iam::111111111111:role/b"}}
		}, "group_role_elsewhere", "staff (arn:aws:iam::111111111111:role/b)"},
		"role, and the account is not known": {func(f *Facts) {
			f.Account, f.GroupRoles = "", []userpool.GroupRole{{Group: "staff", RoleARN: "arn:aws:iam::111111111111:role/b"}}
		}, "", ""},
		"nobody could be imported": {func(f *Facts) { f.TargetPool.AutoVerified, f.ImportLogRole = nil, "" }, "tail_no_contact tail_no_log_role", ""},

		"trial works":          {tries(trial.Try{Action: trial.Assume, Result: trial.Works}), "", ""},
		"no role":              {tries(trial.Try{Action: trial.Assume, Result: trial.Denied, Code: "AccessDenied"}), "login_role_refused", "AccessDenied"},
		"no answer":            {tries(trial.Try{Action: trial.Assume, Result: trial.Silent, Code: "Throttling"}), "not_checked", "sts:AssumeRole (Throttling)"},
		"two permissions":      {tries(trial.Try{Action: trial.Read, Result: trial.Denied}, trial.Try{Action: trial.Respond, Result: trial.Denied}), "login_permission_missing", "cognito-idp:AdminGetUser, cognito-idp:AdminRespondToAuthChallenge"},
		"target not described": {tries(trial.Try{Action: trial.DescribeTarget, Result: trial.Denied}), "login_permission_missing", "cognito-idp:DescribeUserPool"},
		"wrong is said once": {func(f *Facts) {
			tries(trial.Try{Action: trial.Authenticate, Result: trial.Wrong, Code: "InvalidParameterException"})(f)
			f.SourceClient = &Client{ID: "c1", Reads: f.SourceClient.Reads}
		}, "source_flow_off", "none by name"},

		"secret too many": {func(f *Facts) { f.ClientSecret = true }, "source_secret_mismatch", "has no secret"},
		"one refusal after the other": {func(f *Facts) {
			f.SourcePool, f.SourceClient = nil, nil
			for _, action := range exportActions[:4] {
				f.Refusals = append(f.Refusals, Refusal{AsExport, action, "", fault.Denied, "AccessDeniedException"})
			}
		}, "source_pool_refused", ""},

		"claims of a dropped attribute are not missed": {func(f *Facts) {
			f.SourceClient = &Client{ID: "c1", Flows: f.SourceClient.Flows, Reads: []string{"email"}}
			f.Mapping.Rules = []userpool.Rule{{Drop: "name"}}
		}, "", ""},
		"SMS is on and MFA off": {func(f *Facts) { f.Factors = &Factors{SMS: true}; f.SMSMFA = true }, "sms_mfa_wrong", "MFA is OFF, SMS is on"},
		"optional in place of demanded": {func(f *Facts) {
			f.SourcePool.MFA, f.TargetPool.MFA = userpool.MFAOn, userpool.MFAOptional
		}, "mfa_weaker", "MFA is OPTIONAL, at the source ON"},
		"optional in place of none":     {func(f *Facts) { f.TargetPool.MFA = userpool.MFAOptional }, "", ""},
		"legacy_sub that nobody writes": {func(f *Facts) { f.Clients[0].Writes = []string{"email"} }, "", ""},
		"legacy_sub fixed, writable, nobody registers": {func(f *Facts) {
			f.TargetPool.Schema[legacySub] = userpool.AttributeSpec{Name: legacySub, Type: userpool.TypeString}
			f.Clients[0].Writes = []string{legacySub}
		}, "", ""},

		"source's legacy_sub of its own": {func(f *Facts) {
			f.SourcePool.Schema = maps.Clone(f.SourcePool.Schema)
			f.SourcePool.Schema[legacySub] = userpool.AttributeSpec{Name: legacySub, Type: userpool.TypeNumber}
			f.SourceClient.Reads = append(f.SourceClient.Reads, legacySub)
		}, "", ""},
		"shorter":               {spec(func(s *userpool.AttributeSpec) { s.Max = new(int64(2047)) }), "attribute_bounds", "name (0 to 2048 characters, at the target 0 to 2047 characters)"},
		"longer than there are": {spec(func(s *userpool.AttributeSpec) { s.Max = new(int64(4096)) }), "", ""},
		"written over anyway": {func(f *Facts) {
			spec(func(s *userpool.AttributeSpec) { s.Max = new(int64(10)) })(f)
			f.Mapping.Rules = []userpool.Rule{{Set: &userpool.Literal{To: "name", Value: "all"}}}
		}, "", ""},
		"copied onto a shorter one": {func(f *Facts) {
			spec(func(s *userpool.AttributeSpec) { s.Max = new(int64(10)) })(f)
			f.Mapping.Rules = []userpool.Rule{{Drop: "name"}, {Copy: &userpool.Move{From: "email", To: "name"}}}
		}, "attribute_bounds", "email → name"},
		"renamed away": {func(f *Facts) {
			spec(func(s *userpool.AttributeSpec) { s.Required = true })(f)
			f.Mapping.Rules = []userpool.Rule{{Drop: "name"}}
		}, "required_unmapped", "name"},
		"required on both sides": {func(f *Facts) {
			spec(func(s *userpool.AttributeSpec) { s.Required = true })(f)
			f.SourcePool.Schema = maps.Clone(f.TargetPool.Schema)
			delete(f.SourcePool.Schema, legacySub)
		}, "", ""},

		"pace of the source is not held against the target's quota": {func(f *Facts) { f.Quotas["UserList"] = 1 }, "", ""},
		"pace above the default":                                    {func(f *Facts) { f.Paces[0].PerSecond = 31 }, "pace_above_quota", "31 of 30"},
		"no quotas":                                                 {func(f *Facts) { f.Quotas = nil }, "quotas_assumed", ""},
		"policy of the bucket not known":                            {func(f *Facts) { f.Bucket.Policy, f.Bucket.PolicyUnread = "", true }, "", ""},
		"nothing said of a missing bucket":                          {func(f *Facts) { f.Bucket = &Bucket{Missing: true} }, "bucket_missing", ""},
		"in China":                                                  {func(f *Facts) { f.Function.ARN = strings.Replace(f.Function.ARN, "aws", "aws-cn", 1) }, "", ""},

		"damaged": {func(f *Facts) { f.StagedError = errors.New("part x is torn") }, "staged_damaged", "part x is torn"},
		"several to say": {func(f *Facts) {
			f.TargetPool.SelfSignUp, f.Bucket.Versioned, f.Clients = true, false, []Client{}
			f.Staged = &staged.Result{Generation: 2, Users: 9, Closed: true, Outlook: map[string]int{"username_unusable": 2, "no_name_carried": 1}}
		}, "no_password_client self_sign_up profiles_nameless bucket_unversioned", "0 clients"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := sound()
			tt.change(&f)
			found := Judge(f)
			if got := codes(found); got != tt.want {
				t.Fatalf("found %q, want %q: %+v", got, tt.want, found)
			}
			if len(found) > 0 && !strings.Contains(found[0].Detail, tt.detail) {
				t.Errorf("detail %q, want %q", found[0].Detail, tt.detail)
			}
		})
	}
}

// TestVocabulary: every code has words of its own, and codes of one severity
// stand together.
func TestVocabulary(t *testing.T) {
	seen := map[string]Code{}
	severities := Severities()
	at := 0
	for _, code := range Codes() {
		w := code.words()
		for _, text := range []string{string(code), w.meaning} {
			if other, twice := seen[text]; twice || text == "" {
				t.Errorf("%s: %q is that of %s, too", code, text, other)
			}
			seen[text] = code
		}
		for _, text := range []string{w.meaning, w.advice} {
			if !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q is no sentence", code, text)
			}
		}
		i := slices.Index(severities, code.Severity())
		if i < at {
			t.Errorf("%s stands behind codes that are less severe", code)
		}
		at = i
	}
	if Code("nothing").Severity() != "" || Code("nothing").Meaning() != "" || Code("nothing").Advice() != "" {
		t.Error("an unknown code has words")
	}
}
