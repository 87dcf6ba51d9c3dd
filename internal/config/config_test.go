package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/hook"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/seeding"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

var update = flag.Bool("update", false, "write the golden files")

const sample = "../../docs/poolferry.sample.yaml"

// secret stands in the broken samples wherever somebody might paste one.
const secret = "hunter2"

func TestSample(t *testing.T) {
	got, err := Load(sample)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Version: 1,
		Run:     "2026-11-prod",
		Source: Source{
			Region: "us-east-1", Account: "111122223333", PoolID: "us-east-1_AbCdEf123",
			ClientID: "1example23456789abcdefghij", ClientSecret: "env:POOLFERRY_CLIENT_SECRET",
			LoginRoleARN:  "arn:aws:iam::111122223333:role/poolferry-login",
			ExportRoleARN: "arn:aws:iam::111122223333:role/poolferry-export",
			ExternalID:    "poolferry-2026-11-prod", Profile: trigger.FromLookup,
		},
		Target: Target{Region: "eu-west-1", PoolID: "eu-west-1_ZyXwVu987", SMSMFA: true},
		Mapping: userpool.Mapping{Rules: []userpool.Rule{
			{Rename: &userpool.Move{From: "custom:plan", To: "custom:subscription"}},
			{Copy: &userpool.Move{From: "email", To: "custom:contact"}},
			{Drop: "custom:internal_note"},
			{Set: &userpool.Literal{To: "custom:migrated", Value: "yes"}},
			{Default: &userpool.Literal{To: "locale", Value: "en-GB"}},
			{Lower: "email"},
		}},
		MFAPolicy: trigger.MFAVerify,
		Audit:     Audit{NameKey: "env:POOLFERRY_NAME_KEY"},
		Pace:      defaultPace(),
		Staging:   Staging{Bucket: "example-poolferry-staging"},
		Seeding:   Seeding{Shards: seeding.ShardsAuto, Concurrency: 16},
		Reconcile: Reconcile{StaleAfterHours: 24, Exclude: []verdict.Reason{verdict.Federated}, Concurrency: 40},
		Settle: Settle{Disabled: true, MFA: true, Groups: userpool.GroupRules{
			Mode: userpool.GroupsAdd, Ignore: []string{"beta-testers"},
			Rename: []userpool.GroupRename{{From: "admins", To: "operators"}},
			Roles:  []userpool.GroupRole{{Group: "operators", RoleARN: "arn:aws:iam::444455556666:role/operators"}},
		}},
		Tail:    Tail{ImportLogRoleARN: "arn:aws:iam::444455556666:role/poolferry-2026-11-prod-import-log"},
		Guard:   Guard{WhenUnsure: hook.UnsureRefuse},
		Claim:   Claim{Name: "legacy_sub", AccessToken: true},
		Cutover: Cutover{ProbeUsername: "poolferry-probe", ProbePassword: "env:POOLFERRY_PROBE_PASSWORD", ProbeClientID: "2example23456789abcdefghij"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, want := got.Source.PoolARN(), "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_AbCdEf123"; got != want {
		t.Errorf("PoolARN() = %s, want %s", got, want)
	}
}

// TestDefaults also shows that what is optional may be absent.
func TestDefaults(t *testing.T) {
	c, err := Load("testdata/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c.Source.Profile != trigger.FromLookup || c.MFAPolicy != trigger.MFAVerify || c.Pace != defaultPace() {
		t.Errorf("defaults: %+v", c)
	}
	if want := (Seeding{Shards: seeding.ShardsAuto, Concurrency: 16}); c.Seeding != want {
		t.Errorf("defaults: %+v", c.Seeding)
	}
	if diff := cmp.Diff(Reconcile{StaleAfterHours: 24, Exclude: verdict.DefaultExclude(), Concurrency: 40}, c.Reconcile); diff != "" {
		t.Errorf("defaults: %s", diff)
	}
	if diff := cmp.Diff(Settle{Groups: userpool.GroupRules{Mode: userpool.GroupsAdd}, Disabled: true, MFA: true}, c.Settle); diff != "" {
		t.Errorf("defaults: %s", diff)
	}
	if c.Guard != (Guard{WhenUnsure: hook.UnsureRefuse}) || c.Claim != (Claim{Name: "legacy_sub"}) {
		t.Errorf("defaults: %+v, %+v", c.Guard, c.Claim)
	}
	if c.Cutover != (Cutover{}) || c.Cutover.Probes() {
		t.Errorf("defaults: %+v", c.Cutover)
	}
	if c.Source.ClientSecret != "" || c.Source.ExportRoleARN != "" || c.Mapping.Rules != nil {
		t.Errorf("absent fields: %+v", c)
	}
}

// TestBroken parses every sample in testdata/broken and compares the error with
// the .err file beside it. "go test -update" writes those.
func TestBroken(t *testing.T) {
	samples, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(samples) == 0 {
		t.Fatal("no samples", err)
	}
	for _, path := range samples {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Parse("poolferry.yaml", data)
			if err == nil {
				t.Fatalf("parsed: %+v", c)
			}
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("kind %s", fault.KindOf(err))
			}
			if ps, ok := errors.AsType[Problems](err); !ok || len(ps) == 0 {
				t.Errorf("%T is not Problems", err)
			}
			got := err.Error() + "\n"
			if strings.Contains(got, secret) || strings.Contains(got, "8675309") {
				t.Errorf("the error shows the secret:\n%s", got)
			}
			golden := strings.TrimSuffix(path, ".yaml") + ".err"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoStrayGoldenFile(t *testing.T) {
	goldens, _ := filepath.Glob("testdata/broken/*.err")
	for _, path := range goldens {
		if _, err := os.Stat(strings.TrimSuffix(path, ".err") + ".yaml"); err != nil {
			t.Errorf("%s has no sample: remove it", path)
		}
	}
}

func TestLoadMissingFile(t *testing.T) {
	_, err := Load("testdata/absent.yaml")
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "testdata/absent.yaml") {
		t.Errorf("got %v", err)
	}
}

func TestFromEnv(t *testing.T) {
	data, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Parse(sample, data)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	minimal, err := os.ReadFile("testdata/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		env map[string]string
		err string // part of the error
	}{
		"json":      {env: map[string]string{EnvName: string(compact)}},
		"yaml":      {env: map[string]string{EnvName: string(minimal)}},
		"missing":   {env: nil, err: "POOLFERRY_CONFIG is missing"},
		"empty":     {env: map[string]string{EnvName: " \n"}, err: "POOLFERRY_CONFIG is missing"},
		"too large": {env: map[string]string{EnvName: string(compact) + strings.Repeat(" ", MaxEnv)}, err: "Lambda allows 4096"},
		"invalid":   {env: map[string]string{EnvName: `{"version":1}`}, err: "POOLFERRY_CONFIG: run: is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := FromEnv(func(name string) (string, bool) { v, ok := tc.env[name]; return v, ok })
			switch {
			case tc.err == "" && (err != nil || c == nil):
				t.Fatal(err)
			case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("error %v does not say %q", err, tc.err)
			case tc.err != "" && fault.KindOf(err) != fault.Invalid:
				t.Errorf("kind %s", fault.KindOf(err))
			}
		})
	}
}

// roundTrip checks that Parse of Marshal gives an equal Config.
func roundTrip(t *testing.T, c *Config) {
	t.Helper()
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("again", text)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if diff := cmp.Diff(c, again); diff != "" {
		t.Errorf("%s\n%s", diff, text)
	}
}

func TestMarshalRoundTrip(t *testing.T) {
	c, err := Load(sample)
	if err != nil {
		t.Fatal(err)
	}
	c.Pace.UserList = 0.25
	c.Mapping.Rules[3].Set.Value = "<&> \" \\ \t\r\n \x00\x7f\u0085\u2028\ufeff\ufffe é 😀"
	roundTrip(t, c)
	c.Mapping.Rules = nil
	roundTrip(t, c)
	if text, _ := c.Marshal(); strings.ContainsAny(string(text), "\n") {
		t.Errorf("not compact: %s", text)
	}
}

// TestTags: YAML and JSON name every field alike, so that the document in a
// Lambda's environment is the document in the file.
func TestTags(t *testing.T) {
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Slice, reflect.Pointer:
			walk(typ.Elem())
		case reflect.Struct:
			for i := range typ.NumField() {
				f := typ.Field(i)
				y, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
				j, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if y == "" || y != j {
					t.Errorf("%s.%s: yaml %q, json %q", typ, f.Name, y, j)
				}
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

func FuzzParse(f *testing.F) {
	paths, _ := filepath.Glob("testdata/broken/*.yaml")
	for _, path := range append(paths, sample, "testdata/minimal.yaml") {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data)
		if err != nil {
			if c != nil || fault.KindOf(err) != fault.Invalid {
				t.Errorf("config %v, kind %s", c, fault.KindOf(err))
			}
			return
		}
		roundTrip(t, c)
	})
}
