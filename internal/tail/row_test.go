package tail

import (
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/userpool"
)

// header is that of the Developer Guide's sample, with custom attributes.
var header = strings.Fields(`name given_name family_name middle_name nickname preferred_username profile picture website email email_verified
	gender birthdate zoneinfo locale phone_number phone_number_verified address updated_at custom:legacy_sub custom:plan cognito:mfa_enabled cognito:username`)

const annSub = "5d3c6a1e-0000-4000-8000-000000000001"

func schema() userpool.Schema {
	s := userpool.Schema{"custom:legacy_sub": {Name: "custom:legacy_sub", Type: userpool.TypeString, Mutable: true}, "custom:plan": {Name: "custom:plan", Type: userpool.TypeString, Mutable: true}}
	for _, name := range userpool.StandardAttributes() {
		spec := userpool.AttributeSpec{Name: name, Type: userpool.TypeString, Mutable: true}
		switch name {
		case "email_verified", "phone_number_verified":
			spec.Type = userpool.TypeBoolean
		case "updated_at":
			spec.Type = userpool.TypeNumber
		case "birthdate":
			spec.Min, spec.Max = new(int64(10)), new(int64(10))
		}
		s[name] = spec
	}
	return s
}

func someRules(change ...func(*rules)) rules {
	r := rules{pool: userpool.Pool{Schema: schema(), MFA: userpool.MFAOff}, header: header, autoVerified: []string{"email"},
		recovery: []string{"phone_number", "email"}, limit: 16_000}
	for _, c := range change {
		c(&r)
	}
	return r
}

func ann(change ...func(*userpool.User)) userpool.User {
	u := userpool.User{Sub: annSub, Username: "ann", Enabled: true, Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{"email": "ann@example.com", "email_verified": "true", "custom:legacy_sub": annSub}}
	for _, c := range change {
		c(&u)
	}
	return u
}

func with(pairs ...string) func(*userpool.User) {
	return func(u *userpool.User) {
		for i := 0; i < len(pairs); i += 2 {
			u.Attributes[pairs[i]] = pairs[i+1]
		}
	}
}

// read takes a line apart by the rules of the Developer Guide: a backslash before
// a comma makes it part of the value, nothing else is escaped, space around a
// value is dropped. Empty values are left out.
func read(t *testing.T, columns []string, line string) map[string]string {
	t.Helper()
	var values []string
	for rest := strings.ReplaceAll(line, `\,`, "\x00"); ; {
		value, behind, more := strings.Cut(rest, ",")
		values, rest = append(values, strings.TrimSpace(strings.ReplaceAll(value, "\x00", ","))), behind
		if !more {
			break
		}
	}
	if len(values) != len(columns) {
		t.Fatalf("%d values for %d columns: %q", len(values), len(columns), line)
	}
	row := map[string]string{}
	for i, value := range values {
		if value != "" {
			row[columns[i]] = value
		}
	}
	return row
}

func TestRow(t *testing.T) {
	plain := map[string]string{"email": "ann@example.com", "email_verified": "true", "custom:legacy_sub": annSub, "cognito:mfa_enabled": "false", "cognito:username": "ann"}
	but := func(pairs ...string) map[string]string {
		row := maps.Clone(plain)
		for i := 0; i < len(pairs); i += 2 {
			if row[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
				delete(row, pairs[i])
			}
		}
		return row
	}
	required := func(name string) func(*rules) {
		return func(r *rules) {
			spec := r.pool.Schema[name]
			spec.Required = true
			r.pool.Schema[name] = spec
		}
	}
	mode := func(mode userpool.MFAMode, sms bool) func(*rules) {
		return func(r *rules) { r.pool.MFA, r.pool.SMSMFA = mode, sms }
	}
	none := func(*rules) {}
	factor := func(u *userpool.User) { u.MFA = []string{"SMS_MFA"} }
	phone := with("phone_number", "+15550100", "phone_number_verified", "true")
	for name, tt := range map[string]struct {
		user    userpool.User
		rules   rules
		want    map[string]string
		refused Refusal
	}{
		"plain":                           {ann(), someRules(), plain, ""},
		"without the legacy sub":          {ann(func(u *userpool.User) { delete(u.Attributes, "custom:legacy_sub") }), someRules(), plain, ""},
		"commas":                          {ann(with("name", "Lee, Ann", "address", `{"street":"1, The Way","town":"X"}`)), someRules(), but("name", "Lee, Ann", "address", `{"street":"1, The Way","town":"X"}`), ""},
		"a comma at either end":           {ann(with("name", ",Ann,")), someRules(), but("name", ",Ann,"), ""},
		"quotes mean nothing":             {ann(with("name", `"Ann"`)), someRules(), but("name", `"Ann"`), ""},
		"space":                           {ann(with("name", " Ann \t")), someRules(), but("name", "Ann"), ""},
		"backslashes":                     {ann(with("name", `a\b`)), someRules(), but("name", `a\b`), ""},
		"scripts":                         {ann(with("name", "名前 Jörg 🚢")), someRules(), but("name", "名前 Jörg 🚢"), ""},
		"a date":                          {ann(with("birthdate", "1985-02-01")), someRules(), but("birthdate", "02/01/1985"), ""},
		"a date as files have it":         {ann(with("birthdate", "02/01/1985")), someRules(), but("birthdate", "02/01/1985"), ""},
		"no date":                         {ann(with("birthdate", "1. Feb. 85")), someRules(), plain, ""},
		"no date, required":               {ann(with("birthdate", "1. Feb. 85")), someRules(required("birthdate")), nil, RefusedValue},
		"a time":                          {ann(with("updated_at", "1471453471")), someRules(), but("updated_at", "1471453471"), ""},
		"no time":                         {ann(with("updated_at", "yesterday")), someRules(), plain, ""},
		"a line break":                    {ann(with("address", "1 Way\nTown")), someRules(), plain, ""},
		"a carriage return":               {ann(with("address", "1 Way\rTown")), someRules(), plain, ""},
		"a line break at the end":         {ann(with("address", "1 Way\n")), someRules(), but("address", "1 Way"), ""},
		"a line break, required":          {ann(with("address", "1 Way\nTown")), someRules(required("address")), nil, RefusedValue},
		"a backslash at the end":          {ann(with("name", `Ann\`)), someRules(), plain, ""},
		"a backslash before a comma":      {ann(with("name", `Lee\,Ann`)), someRules(), plain, ""},
		"a name with both":                {ann(func(u *userpool.User) { u.Username = `lee\,ann` }), someRules(), nil, RefusedNoUsername},
		"unknown attribute":               {ann(with("custom:other", "x")), someRules(), plain, ""},
		"refused, and left out":           {ann(with("phone_number", "0151", "phone_number_verified", "true")), someRules(), plain, ""},
		"refused, and required":           {ann(with("phone_number", "0151")), someRules(required("phone_number")), nil, RefusedSchema},
		"required and missing":            {ann(), someRules(required("name")), nil, RefusedSchema},
		"unverified":                      {ann(with("email_verified", "false")), someRules(), nil, RefusedNoContact},
		"verified in capitals":            {ann(with("email_verified", "true", "phone_number", "+15550100", "phone_number_verified", "false")), someRules(), but("phone_number", "+15550100", "phone_number_verified", "false"), ""},
		"the other one is verified":       {ann(with("email_verified", "false"), phone), someRules(), nil, RefusedNoContact},
		"one of two is verified":          {ann(with("email_verified", "false"), phone), someRules(func(r *rules) { r.autoVerified = []string{"email", "phone_number"} }), but("email_verified", "false", "phone_number", "+15550100", "phone_number_verified", "true"), ""},
		"verified without an address":     {ann(with("email", "")), someRules(), nil, RefusedNoContact},
		"nothing is verified by itself":   {ann(), someRules(func(r *rules) { r.autoVerified = nil }), nil, RefusedNoContact},
		"MFA required":                    {ann(), someRules(mode(userpool.MFAOn, true)), but("cognito:mfa_enabled", "true"), ""},
		"MFA optional":                    {ann(), someRules(mode(userpool.MFAOptional, true)), plain, ""},
		"MFA optional, has SMS":           {ann(factor, phone), someRules(mode(userpool.MFAOptional, true)), but("cognito:mfa_enabled", "true", "phone_number", "+15550100", "phone_number_verified", "true"), ""},
		"MFA optional, no number":         {ann(factor), someRules(mode(userpool.MFAOptional, true)), plain, ""},
		"MFA optional, no SMS":            {ann(factor, phone), someRules(mode(userpool.MFAOptional, false)), but("phone_number", "+15550100", "phone_number_verified", "true"), ""},
		"MFA off, has SMS":                {ann(factor, phone), someRules(mode(userpool.MFAOff, false)), but("phone_number", "+15550100", "phone_number_verified", "true"), ""},
		"the address is the name":         {ann(), someRules(func(r *rules) { r.pool.UsernameAttributes = []string{"email"} }), but("cognito:username", "ann@example.com"), ""},
		"a name that is none":             {ann(func(u *userpool.User) { u.Username = "ann lee" }), someRules(), nil, RefusedNoUsername},
		"a name with a comma":             {ann(func(u *userpool.User) { u.Username = "lee,ann" }), someRules(), but("cognito:username", "lee,ann"), ""},
		"a name that ends in a backslash": {ann(func(u *userpool.User) { u.Username = `ann\` }), someRules(), nil, RefusedNoUsername},
		"a long row":                      {ann(with("name", strings.Repeat("ü", 1000))), someRules(func(r *rules) { r.limit = 1000 }), nil, RefusedLong},
		"no legacy sub in the header":     {ann(), someRules(func(r *rules) { r.header = []string{"email", columnUsername} }), nil, RefusedSchema},
		"no attributes":                   {userpool.User{Sub: annSub, Username: "ann"}, someRules(none), nil, RefusedNoContact},
	} {
		line, refused := tt.rules.row(tt.user)
		if refused != tt.refused {
			t.Errorf("%s: refused %q, want %q", name, refused, tt.refused)
			continue
		}
		if refused != "" {
			if line != "" || refused.Meaning() == "" {
				t.Errorf("%s: %q", name, line)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, read(t, tt.rules.header, line)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestRowIsAsLongAsCanBe: the limit counts characters.
func TestRowIsAsLongAsCanBe(t *testing.T) {
	line, _ := someRules().row(ann(with("name", "üü")))
	for limit, want := range map[int]Refusal{utf8.RuneCountInString(line): "", utf8.RuneCountInString(line) - 1: RefusedLong} {
		if _, got := someRules(func(r *rules) { r.limit = limit }).row(ann(with("name", "üü"))); got != want {
			t.Errorf("limit %d: %q", limit, got)
		}
	}
}

func TestSends(t *testing.T) {
	both := ann(with("phone_number", "+15550100", "phone_number_verified", "true"))
	for _, tt := range []struct {
		user     userpool.User
		recovery []string
		want     medium
	}{
		{both, []string{"phone_number", "email"}, bySMS},
		{both, []string{"email", "phone_number"}, byEmail},
		{both, []string{"email"}, byEmail},
		{ann(), []string{"phone_number", "email"}, byEmail},
		{ann(), []string{"phone_number"}, byNone},
		{both, nil, byNone},
	} {
		if got := someRules(func(r *rules) { r.recovery = tt.recovery }).sends(tt.user); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.recovery, got, tt.want)
		}
	}
}

// FuzzRow: what is written is read again, value for value, whatever the values
// are; and a row is one line.
func FuzzRow(f *testing.F) {
	f.Add("Lee, Ann", `back\slash`, "1985-02-01", "ann", "x")
	f.Add(`\,`, `,\`, "0000-01-01", `a,b`, " \n")
	f.Add("\u2028", "\x00", "", "\ufeff", `"`)
	f.Add("", "", "", "\xfa", "")
	f.Fuzz(func(t *testing.T, name, address, birthdate, username, plan string) {
		u := ann(with("name", name, "address", address, "birthdate", birthdate, "custom:plan", plan))
		u.Username = username
		r := someRules()
		line, refused := r.row(u)
		if refused != "" {
			if line != "" || refused.Meaning() == "" {
				t.Fatalf("%q %q", refused, line)
			}
			return
		}
		if strings.ContainsAny(line, "\r\n") || !utf8.ValidString(line) || utf8.RuneCountInString(line) > r.limit {
			t.Fatalf("no line: %q", line)
		}
		want := map[string]string{"email": "ann@example.com", "email_verified": "true", "custom:legacy_sub": annSub, columnMFA: "false", columnUsername: username}
		for attribute, value := range map[string]string{"name": name, "address": address, "custom:plan": plan} {
			value = strings.TrimSpace(value)
			if value != "" && utf8.ValidString(value) && len(u.Attributes[attribute]) <= 2048 && !strings.ContainsAny(value, "\r\n\x00") && !strings.HasSuffix(value, `\`) && !strings.Contains(value, `\,`) {
				want[attribute] = value
			}
		}
		if day, ok := date(birthdate); ok && day != "" && utf8.RuneCountInString(birthdate) == 10 {
			want["birthdate"] = day
		}
		if diff := cmp.Diff(want, read(t, r.header, line)); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", line, diff)
		}
	})
}
