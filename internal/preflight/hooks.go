package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// isOurs reports whether a function is the one that the run has for a trigger.
// Names tell, as they do at cut-over.
func (s Settings) isOurs(trigger, arn string) bool {
	return slices.ContainsFunc(s.Hooks, func(h Hook) bool {
		return h.Trigger == trigger && slices.Contains(h.Names, functionOf(arn))
	})
}

// functionOf is the name of the function in an ARN,
// arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:ALIAS].
func functionOf(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 {
		return ""
	}
	return parts[6]
}

// hooks is about the functions beside the migration trigger. Where the target
// pool names none, or somebody else's, groups wait for settling and tokens have
// no claim: that is for people to choose.
func (j *judge) hooks() {
	for _, h := range j.Hooks {
		switch f := j.Attached[h.Trigger]; {
		case f == nil:
		case f.Gone:
			j.add(TriggerGone, f.about(), fails[h.Trigger])
		case !f.Ours:
			j.add(HookForeign, f.about(), "%s: %s", h.Trigger, listedOr(f.Differs, notPoolferry))
		default:
			j.permission(h.Trigger, f)
		}
	}
}

// deployments holds what the functions were deployed with against the
// configuration. A section is told once, with those who go by it.
func (j *judge) deployments() {
	matters, others := map[string][]string{}, map[string]bool{}
	look := func(trigger string, f *Function) {
		if f == nil || f.Gone || !f.Ours {
			return // said
		}
		for _, section := range f.Differs {
			matters[section] = append(matters[section], trigger)
		}
		for _, section := range f.Others {
			others[section] = true
		}
	}
	look(UserMigration, j.Function)
	for _, h := range j.Hooks {
		look(h.Trigger, j.Attached[h.Trigger])
	}
	var said []string
	for _, section := range slices.Sorted(maps.Keys(matters)) {
		said = append(said, fmt.Sprintf("%s (%s)", section, strings.Join(matters[section], ", ")))
		delete(others, section)
	}
	if len(said) > 0 {
		j.add(TriggerDiffers, j.target(), strings.Join(said, ", "))
	}
	if len(others) > 0 {
		j.add(DeployedDiffers, j.target(), strings.Join(slices.Sorted(maps.Keys(others)), ", "))
	}
}

// guard is about whether registrations at the target leave those alone who are
// still to come.
func (j *judge) guard() {
	p, guard := j.TargetPool, j.Attached[PreSignUp]
	if p == nil {
		return
	}
	arn := p.Triggers[PreSignUp]
	switch ours := arn != "" && j.isOurs(PreSignUp, arn); {
	case !ours && p.SelfSignUp && arn == "":
		j.add(SelfSignUp, j.target(), "there is no PreSignUp trigger")
	case !ours && p.SelfSignUp:
		j.add(SelfSignUp, j.target(), "the PreSignUp trigger is not the guard of this run")
	case guard == nil || guard.Gone || !guard.Ours || !guard.PolicyUnread && !j.permits(guard):
		return // said, or there is none and nobody registers
	case j.Reconciled == nil || *j.Reconciled:
		return
	case !j.UnsureAllows:
		j.add(GuardUnsure, j.target(), "guard.when_unsure: refuse")
	case p.SelfSignUp:
		j.add(SelfSignUp, j.target(), "the guard has no reconciliation to look names up in, and guard.when_unsure is allow")
	}
}

// groupRoles is about the roles that settling gives to groups. Nobody can pass a
// role of another account (IAM User Guide, granting permissions to pass a role).
func (j *judge) groupRoles() {
	var elsewhere []string
	for _, r := range j.GroupRoles {
		if j.Account != "" && accountOf(r.RoleARN) != j.Account {
			elsewhere = append(elsewhere, fmt.Sprintf("%s (%s)", r.Group, r.RoleARN))
		}
	}
	if len(elsewhere) > 0 {
		j.add(GroupRoleElsewhere, "configuration", strings.Join(elsewhere, ", "))
	}
}

// accountOf is the account in an ARN, arn:PARTITION:SERVICE:REGION:ACCOUNT:….
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// tail is about what an import of those who never sign in needs (Cognito
// Developer Guide, importing users from a CSV file).
func (j *judge) tail() {
	if p := j.TargetPool; p != nil && len(p.AutoVerified) == 0 {
		j.add(TailNoContact, j.target(), "")
	}
	if j.ImportLogRole != "" {
		return
	}
	f := j.add(TailNoLogRole, "configuration", "tail.import_log_role_arn")
	if t := j.Function; t != nil && t.Ours && t.ImportLogRole != "" {
		f.Section, f.Line = "tail", "import_log_role_arn: "+t.ImportLogRole
	}
}
