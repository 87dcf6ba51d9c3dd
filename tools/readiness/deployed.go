package readiness

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"poolferry/internal/config"
	"poolferry/internal/preflight"
	"poolferry/internal/workflow"
)

// attached is a function that the target pool calls.
type attached struct {
	trigger  string
	function string   // the folder of it in lambdas
	goesBy   []string // sections, or all below one
}

// called are the functions of a run that the target pool calls.
var called = []attached{
	{preflight.UserMigration, "migrate-user", []string{
		"run", "source.region", "source.pool_id", "source.client_id", "source.client_secret", "source.login_role_arn", "source.external_id", "source.profile",
		"target", "mapping", "mfa_policy", "audit",
	}},
	{preflight.PreSignUp, "guard-signup", []string{"run", "target.region", "target.pool_id", "mfa_policy", "audit", "staging", "guard"}},
	{preflight.PostAuthentication, "welcome-user", []string{"run", "target.region", "target.pool_id", "mfa_policy", "staging", "settle.groups"}},
	{preflight.PreTokenGeneration, "legacy-claim", []string{"claim"}},
}

// ownSections are those by which no function goes: the command line tool alone
// reads them, or whoever checks a configuration.
var ownSections = []string{"cutover", "pace.user_authentication", "pace.quota_raised"}

// hooks are the functions beside the migration trigger, by the names that infra
// and the sandbox deploy them under.
func hooks(run string) (all []preflight.Hook) {
	for _, c := range called {
		if c.trigger != preflight.UserMigration {
			all = append(all, preflight.Hook{Trigger: c.trigger, Names: []string{workflow.Name(run, c.function), c.function}})
		}
	}
	return all
}

// goBy reports whether a section is among some, or below one of them.
func goBy(some []string, section string) bool {
	return slices.ContainsFunc(some, func(s string) bool { return section == s || strings.HasPrefix(section, s+".") })
}

// deployed compares the document of the function behind a trigger with a
// configuration. It is of the same migration where run and pools are the same.
func deployed(cfg *config.Config, trigger, document string) preflight.Deployment {
	other, err := config.Parse("the function's "+config.EnvName, []byte(document))
	if err != nil {
		return preflight.Deployment{Differs: []string{"its configuration is not valid for this poolferry"}}
	}
	d := preflight.Deployment{
		Ours:          other.Run == cfg.Run && other.Source.PoolID == cfg.Source.PoolID && other.Target.PoolID == cfg.Target.PoolID,
		ImportLogRole: other.Tail.ImportLogRoleARN,
	}
	mine := *cfg
	if mine.Tail.ImportLogRoleARN == "" { // Terraform has filled it in
		mine.Tail.ImportLogRoleARN = other.Tail.ImportLogRoleARN
	}
	i := slices.IndexFunc(called, func(c attached) bool { return c.trigger == trigger })
	for _, section := range differing(other, &mine) {
		switch {
		case !d.Ours, goBy(called[i].goesBy, section):
			d.Differs = append(d.Differs, section)
		case !goBy(ownSections, section):
			d.Others = append(d.Others, section)
		}
	}
	return d
}

// differing lists the sections in which two configurations differ.
func differing(x, y *config.Config) (differ []string) {
	a, b := sections(x), sections(y)
	for name := range b {
		if a[name] != b[name] {
			differ = append(differ, name)
		}
		delete(a, name)
	}
	differ = slices.AppendSeq(differ, maps.Keys(a))
	slices.Sort(differ)
	return differ
}

// sections are the values of a configuration by section, two levels deep.
func sections(cfg *config.Config) map[string]string {
	out := map[string]string{}
	document, err := cfg.Marshal()
	if err != nil {
		return out // a Config that was parsed can be written
	}
	var top map[string]json.RawMessage
	_ = json.Unmarshal(document, &top) // what Marshal wrote is an object
	for name, value := range top {
		var below map[string]json.RawMessage
		if json.Unmarshal(value, &below) != nil || below == nil {
			out[name] = string(value)
		}
		for member, value := range below {
			out[name+"."+member] = string(value)
		}
	}
	return out
}
