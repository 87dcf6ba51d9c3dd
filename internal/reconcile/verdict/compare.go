package verdict

import (
	"slices"

	"poolferry/internal/userpool"
)

// compare looks at a user who is on both sides; imported as in Case.
func (r Rules) compare(staged, arrived userpool.User, imported bool) (found []Finding) {
	surprise := func(detail string, is bool) {
		if is {
			found = append(found, NewFinding(StatusSurprise, staged.Sub, arrived.Sub, detail))
		}
	}
	surprise("disabled_at_source_only", !staged.Enabled && arrived.Enabled)
	surprise("disabled_at_target_only", staged.Enabled && !arrived.Enabled)
	federated := staged.Status == userpool.StatusExternalProvider
	switch arrived.Status {
	case userpool.StatusConfirmed, userpool.StatusResetRequired, userpool.StatusForceChangePassword:
		surprise("federated_at_source", federated)
	case userpool.StatusExternalProvider:
		surprise(string(StatusExternal), !federated)
	default:
		surprise(string(reasonOf(arrived.Status)), true)
	}

	if len(staged.MFA) > 0 && len(arrived.MFA) == 0 && r.Pool.MFA != userpool.MFAOn {
		if kept, _, _ := r.fit(staged.Attributes); r.losesFactor(staged, kept) {
			found = append(found, NewFinding(MFADowngrade, staged.Sub, arrived.Sub, "moved_without:"+factors(staged)))
		}
	}
	if f, ok := r.drift(staged, arrived, imported); ok {
		found = append(found, f)
	}
	return found
}

// drift compares the mapped attributes with those at the target. Only a target
// user that was never changed says anything: whatever is written there later
// wins. When both sides differ without that, the source has changed, and the
// times tell whether before the move or after. A CSV file cannot hold every value:
// what an import has left out says nothing of the source.
func (r Rules) drift(staged, arrived userpool.User, imported bool) (Finding, bool) {
	if arrived.Created.IsZero() || arrived.Modified.IsZero() || arrived.Modified.Sub(arrived.Created) > sameWrite {
		return Finding{}, false
	}
	names := r.differences(staged.Attributes, arrived.Attributes)
	if len(names) == 0 {
		return Finding{}, false
	}
	missing := func(name string) bool { return arrived.Attributes[name] == "" }
	if imported && !slices.ContainsFunc(names, func(name string) bool { return !missing(name) }) {
		return NewFinding(Drift, staged.Sub, arrived.Sub, "left_out_by_import", names...), true
	}
	if staged.Modified.After(arrived.Created) || r.GenerationOpened.After(arrived.Created) {
		return NewFinding(SourceAhead, staged.Sub, arrived.Sub, "changed_after_move", names...), true
	}
	return NewFinding(Drift, staged.Sub, arrived.Sub, "changed_before_move", names...), true
}

// differences lists the attributes in which a user's two copies differ, sorted,
// without those in which they may:
//
//   - sub, identities and cognito:*, which are each pool's own;
//   - email_verified and phone_number_verified, which the target writes when a
//     code is entered;
//   - what the target's schema refuses, and so was left out by the trigger;
//   - required attributes that the source has not: Cognito fills them in
//     (Developer Guide, migrate user Lambda trigger);
//   - the case of a name: the trigger creates the user under the name as typed.
func (r Rules) differences(staged, arrived userpool.Attributes) []string {
	var names []string
	kept, _, _ := r.fit(staged)
	for name, want := range kept {
		if own(name) || arrived[name] == want || isName(name) && r.Pool.SameName(arrived[name], want) {
			continue
		}
		names = append(names, name)
	}
	for name, has := range arrived {
		if _, known := staged[name]; !known && has != "" && !own(name) && !r.Pool.Schema[name].Required {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// ownAttributes are those that a pool writes by itself.
var ownAttributes = map[string]bool{
	userpool.AttrSub: true, userpool.AttrIdentities: true, userpool.AttrEmailVerified: true, userpool.AttrPhoneVerified: true,
}

func own(name string) bool {
	return ownAttributes[name] || len(name) > 8 && name[:8] == "cognito:"
}

func isName(name string) bool {
	switch name {
	case userpool.AttrEmail, userpool.AttrPhoneNumber, userpool.AttrPreferredUsername:
		return true
	}
	return false
}
