package readiness_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"poolferry/internal/preflight"
	"poolferry/internal/preflight/staged"
	"poolferry/internal/userpool"
	"poolferry/tools/golden"
	"poolferry/tools/readiness"
)

func said(code preflight.Code, about, detail string) preflight.Finding {
	return preflight.Finding{Code: code, Severity: code.Severity(), About: about, Detail: detail, Meaning: code.Meaning(), Advice: code.Advice()}
}

func TestText(t *testing.T) {
	at := time.Date(2026, 11, 21, 14, 30, 0, 0, time.UTC)
	ready := preflight.Report{
		Version: 1, Run: "2026-11-prod", At: at, Ready: true, Infos: 1, Read: []preflight.Read{},
		Findings: []preflight.Finding{said(preflight.QuotasAssumed, "configuration", "")},
		Profile:  &preflight.Profile{Configured: "lookup", Safe: "lookup", Loses: []string{"custom:plan"}},
	}
	loses := said(preflight.ProfileLoses, "client 1example23456789abcdefghij (poolferry)", "not readable by the client: custom:plan")
	loses.Section, loses.Line = "source", "profile: lookup"
	missing := said(preflight.LegacySubMissing, "target pool eu-west-1_ZyXwVu987", "")
	missing.Fix, missing.Attributes = true, []string{"custom:legacy_sub"}
	refused := said(preflight.ProfilesRefused, "generation 1 of run 2026-11-prod", "3 of 812 users")
	refused.Users, refused.Subs = 3, []userpool.Sub{"5d3c6a1e-0000-4000-8000-000000000001"}
	refused.Counts = []staged.Count{{Attribute: "custom:plan", Rule: "length", Users: 2}, {Attribute: "phone_number", Rule: "format", Users: 1}}
	trouble := preflight.Report{
		Version: 1, Run: "2026-11-prod", At: at, Blockers: 2, Warnings: 2, Read: []preflight.Read{},
		Findings: []preflight.Finding{missing, loses, said(preflight.SelfSignUp, "target pool eu-west-1_ZyXwVu987", ""), refused},
		Profile:  &preflight.Profile{Configured: "id_token", Safe: "lookup", Loses: []string{"custom:plan"}},
		Staged:   &preflight.Checked{Generation: 1, Closed: true, Users: 812, Outlook: map[string]int{"not_signed_in": 790, "federated": 12, "mfa": 10}},
	}
	decide := trouble
	decide.Ready, decide.Blockers, decide.Warnings, decide.Findings, decide.Staged, decide.Profile = true, 0, 1, trouble.Findings[2:3], nil, nil
	for name, r := range map[string]preflight.Report{"ready": ready, "trouble": trouble, "decide": decide} {
		var text bytes.Buffer
		if err := (readiness.Report{Report: r}).WriteText(&text); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, name+".txt", text.Bytes())
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, name+".json", append(data, '\n'))
		for i, line := range bytes.Split(text.Bytes(), []byte("\n")) {
			if len([]rune(string(line))) > 80 && i > 3 {
				t.Errorf("%s: line %d is %d wide", name, i+1, len([]rune(string(line))))
			}
		}
		if err := (readiness.Report{Report: r}).WriteText(full{}); err == nil {
			t.Error("a full disk is no error")
		}
	}
}

// full is a disk that is.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }
