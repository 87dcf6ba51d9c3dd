package demo

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"poolferry/internal/trigger"
)

// explanations say the outcomes of the audit trail for people.
var explanations = map[trigger.Outcome]string{
	trigger.RejectedCredentials: "wrong password, or no password at the source",
	trigger.NotInSource:         "the source knows nobody of this name",
	trigger.Disabled:            "disabled by an administrator",
	trigger.Unconfirmed:         "never confirmed the registration",
	trigger.NeedsReset:          "has to choose a new password first",
	trigger.MfaRefused:          "authenticator code was not sent along",
	trigger.Federated:           "signs in with an identity provider",
	trigger.NoVerifiedContact:   "forgot the password, no verified address",
	trigger.Unmappable:          "the target cannot hold the user",
	trigger.LockedOut:           "too many wrong passwords",
	trigger.Throttled:           "AWS was busy",
	trigger.Deadline:            "AWS was too slow",
	trigger.Unavailable:         "AWS did not answer",
	trigger.Misconfigured:       "role, client or pool is wrong",
}

// WriteText writes the result for a person.
func (r Result) WriteText(w io.Writer) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}})
	s := r.SignIns
	t.AppendRow(table.Row{"users in the source pool", r.Users.Source, ""})
	t.AppendRow(table.Row{"users in the target pool", r.Users.Target, ""})
	t.AppendSeparator()
	if r.Seeding != nil {
		t.AppendRow(table.Row{"profiles staged on S3", r.Seeding.Profiles, fmt.Sprintf("%d parts, %d executions", r.Seeding.Parts, r.Seeding.Executions)})
		t.AppendSeparator()
	}
	t.AppendRow(table.Row{"attempts of people still to move", s.Attempted, "sign-ins and forgotten passwords"})
	t.AppendRow(table.Row{"  moved", s.Migrated, "password kept, or chosen anew with a code"})
	t.AppendRow(table.Row{"  refused", s.Refused, ""})
	for _, outcome := range s.Outcomes() {
		t.AppendRow(table.Row{"    " + outcome, s.RefusedBy[outcome], explanations[trigger.Outcome(outcome)]})
	}
	t.AppendRow(table.Row{"  p50 / p95 / p99", fmt.Sprintf("%.0f / %.0f / %.0f", s.P50, s.P95, s.P99), "ms, as people wait for it"})
	t.AppendRow(table.Row{"later sign-ins", r.Returned, "the source was not asked again"})
	t.AppendRow(table.Row{"registrations refused", r.SignUps.Refused, fmt.Sprintf("under names of people still to come; %d allowed", r.SignUps.Allowed)})
	t.AppendSeparator()
	for i, r := range r.Reconciliation {
		t.AppendRow(table.Row{fmt.Sprintf("reconciliation %d", i+1), fmt.Sprintf("%.1f %%", r.Percent),
			fmt.Sprintf("%d moved, %d imported, %d pending, %d excluded, %d findings", r.Migrated, r.Imported, r.Pending, r.Excluded, r.Findings)})
	}
	if r.Tail != nil {
		t.AppendRow(table.Row{"imported", r.Tail.Imported, fmt.Sprintf("%d came meanwhile, %d failed", r.Tail.Skipped, r.Tail.Failed)})
	}
	if r.Cutover != nil {
		t.AppendRow(table.Row{"cut over", yes(r.Cutover.Done), fmt.Sprintf("sign-in by SRP: %s; rolled back once before: %s", yes(r.Cutover.SRPSignIn), yes(r.Cutover.RolledBack))})
	}
	t.AppendSeparator()
	t.AppendRow(table.Row{"errors", s.Errors, "results that should not have been"})
	t.AppendRow(table.Row{"complete", yes(r.Complete), "everybody has moved, was imported or is excluded"})
	t.AppendRow(table.Row{"passwords found", r.SecretsFound, "in logs, answers and stored data"})
	if _, err := fmt.Fprintln(w, t.Render()); err != nil {
		return err
	}
	for _, surprise := range r.Surprises {
		if _, err := fmt.Fprintln(w, "error:", surprise); err != nil {
			return err
		}
	}
	for _, find := range r.Finds {
		if _, err := fmt.Fprintln(w, "leak:", find); err != nil {
			return err
		}
	}
	return nil
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
