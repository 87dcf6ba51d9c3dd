package telemetry

import (
	"context"
	"io"
	"time"

	"poolferry/internal/hook"
	"poolferry/internal/userpool"
)

// Metrics of the hooks, under the names of their outcomes.
var (
	signUpAllowed = metric{"SignUpAllowed", count}
	signUpRefused = metric{"SignUpRefused", count} // the name belongs to somebody who is still to come
	signUpUnsure  = metric{"SignUpUnsure", count}  // it could not be found out
	welcomed      = metric{"Welcomed", count}
	welcomeFailed = metric{"WelcomeFailed", count} // some of the groups were missed; settling adds them
)

// HookRecorder writes what hooks decide, each as a metric line and an audit line.
// It is safe for concurrent use.
type HookRecorder struct {
	lines lines
	run   string
	key   func() userpool.Secret
}

var _ hook.Recorder = (*HookRecorder)(nil)

// NewHookRecorder returns a HookRecorder for a run; w and key as in NewRecorder.
func NewHookRecorder(w io.Writer, run string, key func() userpool.Secret) *HookRecorder {
	return &HookRecorder{lines: lines{w: w}, run: run, key: key}
}

// hookLine is one line of the audit trail.
type hookLine struct {
	Audit         string    `json:"audit"` // "sign_up" or "welcome"
	Time          time.Time `json:"time"`
	Run           string    `json:"run"`
	TriggerSource string    `json:"trigger_source,omitempty"`
	Outcome       string    `json:"outcome"`
	Reason        string    `json:"reason,omitempty"`
	SourceSub     string    `json:"source_sub,omitempty"`
	OwnerReason   string    `json:"owner_reason,omitempty"`
	OwnerName     string    `json:"owner_name,omitempty"` // of which kind the owner's name is
	Sub           string    `json:"sub,omitempty"`        // at the target
	Groups        []string  `json:"groups,omitempty"`
	Missed        []string  `json:"missed,omitempty"` // groups
	NameHash      string    `json:"name_hash,omitempty"`
	ClientID      string    `json:"client_id,omitempty"`
	RequestID     string    `json:"request_id,omitempty"`
	TotalMS       float64   `json:"total_ms"`
	Code          string    `json:"code,omitempty"`
}

// RecordSignUp writes the two lines of a registration.
func (r *HookRecorder) RecordSignUp(ctx context.Context, s hook.SignUp) {
	m, outcome := signUpUnsure, hook.SignUpUnsure
	switch s.Outcome {
	case hook.SignUpAllowed:
		m, outcome = signUpAllowed, s.Outcome
	case hook.SignUpRefused:
		m, outcome = signUpRefused, s.Outcome
	}
	source := unrecognised
	if s.TriggerSource == hook.SourceSignUp {
		source = s.TriggerSource
	}
	r.write(s.At, m, hookLine{
		Audit: "sign_up", Time: s.At.UTC(), Run: r.run, TriggerSource: source, Outcome: string(outcome), Reason: codeWord(s.Reason),
		SourceSub: codeWord(string(s.Owner)), OwnerReason: codeWord(string(s.OwnerReason)), OwnerName: codeWord(s.Kind),
		NameHash: NameHash(r.key(), s.Name), ClientID: codeWord(s.ClientID), RequestID: codeWord(requestID(ctx)), TotalMS: ms(s.Took), Code: codeWord(s.Code),
	})
}

// RecordWelcome writes the two lines of a welcome. Names of groups that do not
// have the form of a code word are not written.
func (r *HookRecorder) RecordWelcome(ctx context.Context, w hook.Welcome) {
	m, outcome := welcomeFailed, hook.WelcomeFailed
	if w.Outcome == hook.Welcomed {
		m, outcome = welcomed, w.Outcome
	}
	r.write(w.At, m, hookLine{
		Audit: "welcome", Time: w.At.UTC(), Run: r.run, Outcome: string(outcome), SourceSub: codeWord(string(w.LegacySub)), Sub: codeWord(string(w.Sub)),
		Groups: codeWords(w.Groups), Missed: codeWords(w.Missed), RequestID: codeWord(requestID(ctx)), TotalMS: ms(w.Took), Code: codeWord(w.Code),
	})
}

func (r *HookRecorder) write(at time.Time, m metric, audit hookLine) {
	r.lines.write(metricLine(at, map[string]string{dimensionRun: r.run}, group{[][]string{{dimensionRun}}, []datum{{m, 1}}}))
	r.lines.write(audit)
}
