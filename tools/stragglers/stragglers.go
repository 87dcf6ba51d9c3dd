// Package stragglers shows imports of the tail to people and to scripts: what a
// plan comes to, how far an import is, and who was not imported. What it shows as
// JSON is a contract; members are only ever added.
//
// Vocabulary: a view is what is shown of a plan; a progress is what is shown of an
// import; its standing says in a word whether anybody works on it.
package stragglers

import (
	"regexp"
	"time"

	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/tail"
)

// View is what a plan comes to.
type View struct {
	Version        int              `json:"version"` // 1
	Run            string           `json:"run"`
	Reconciliation string           `json:"reconciliation"`
	Reconciled     time.Time        `json:"reconciled"`
	AgeSeconds     int64            `json:"age_seconds"` // of the reconciliation
	Reasons        []Reason         `json:"reasons"`
	Exclude        []verdict.Reason `json:"exclude"` // by people, once the import is begun
	Import         Import           `json:"import"`
	Warnings       []Warning        `json:"warnings"`
}

// Reason are the users of one reason.
type Reason struct {
	Reason     verdict.Reason       `json:"reason"`
	Choice     string               `json:"choice"` // wait, import or exclude
	Pending    int                  `json:"pending"`
	Excluded   int                  `json:"excluded"`   // already
	Importable int                  `json:"importable"` // of both
	Refused    map[tail.Refusal]int `json:"refused"`    // by why
}

// Import is what the import comes to.
type Import struct {
	Users   int   `json:"users"`
	Files   int   `json:"files"`
	Bytes   int64 `json:"bytes"`
	Seconds int64 `json:"seconds"` // at Pace
	// ActiveUsers is how many are billed for being imported: nobody.
	ActiveUsers int `json:"active_users"`
	// Messages that are sent when users come back, at the latest once each.
	Emails int `json:"emails"`
	SMS    int `json:"sms"`
	NoCode int `json:"no_code"` // can be sent no code
}

// Pace is how many users a second the time of an import is reckoned with: the
// default quota of Cognito's for creating users. AWS says nothing of how fast
// import jobs are.
const Pace = 50

// Warning is something to think of before an import is begun.
type Warning struct {
	Warning string `json:"warning"`
	Users   int    `json:"users"`
	Text    string `json:"text"`
}

// Words of Warning.Warning.
const (
	WarnDefaultEmail = "default_email"
	WarnNoCode       = "no_code"
	WarnDisabled     = "disabled"
	WarnFactors      = "factors"
	WarnNotSignedIn  = "excludes_not_signed_in"
	WarnLogName      = "log_name"
)

// groupName are the names of log groups (CloudWatch Logs API reference,
// GetLogEvents). Those of pools may have other characters.
var groupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]*$`)

// ViewOf returns what a plan comes to.
func ViewOf(p tail.Plan, now time.Time) View {
	v := View{
		Version: 1, Run: p.Run, Reconciliation: p.Reconciliation, Reconciled: p.Reconciled, AgeSeconds: int64(now.Sub(p.Reconciled).Seconds()),
		Reasons: []Reason{}, Exclude: p.Exclude, Warnings: []Warning{},
		Import: Import{Users: p.Rows, Files: p.Files, Bytes: p.Bytes, Seconds: int64((p.Rows + Pace - 1) / Pace), Emails: p.Email, SMS: p.SMS, NoCode: p.NoCode},
	}
	warn := func(word string, users int, text string) {
		if users > 0 {
			v.Warnings = append(v.Warnings, Warning{word, users, text})
		}
	}
	imported := map[verdict.Reason]int{}
	for _, g := range p.Reasons {
		v.Reasons = append(v.Reasons, Reason{g.Reason, g.Choice, g.Pending, g.Excluded, g.Fit, g.Refused})
		switch g.Choice {
		case tail.Import:
			imported[g.Reason] = g.Fit
		case tail.Leave:
			if g.Reason == verdict.NotSignedIn {
				warn(WarnNotSignedIn, g.Users(), "They can move and have not signed in yet. Once the trigger is detached they have no account at the target.")
			}
		}
	}
	if p.Target.DefaultEmail {
		warn(WarnDefaultEmail, p.Email, "The target pool has Cognito send its e-mail: fifty a day. Give it an address of Amazon SES before these users come back for a password.")
	}
	warn(WarnNoCode, p.NoCode, "The target pool has no way to send them a code that they have verified: only an administrator can set a password for them.")
	warn(WarnDisabled, imported[verdict.Disabled], "Disabled at the source, and enabled once they are imported: settling disables them after the next reconciliation, and never where settle.disabled is off. Until then whoever reads their messages can choose a password and sign in.")
	if !groupName.MatchString(p.Target.Name) {
		warn(WarnLogName, p.Rows, "The target pool's name has characters that no log group may have, and AWS does not say where the log of an import job is then. Without one nobody can tell who has failed. Try it with a few users, or rename the pool first.")
	}
	warn(WarnFactors, imported[verdict.MFA], "They have a second factor that does not come along: the target does not ask for it.")
	return v
}

// Standing is whether anybody works on an import.
type Standing string

// The standings.
const (
	Planned Standing = "planned" // nobody has begun
	Running Standing = "running"
	Failed  Standing = "failed"  // a step has failed; started again, it goes on
	Stopped Standing = "stopped" // whoever worked on it was killed; likewise
	Done    Standing = "done"
)

// Progress is how far an import is.
type Progress struct {
	Version  int       `json:"version"` // 1
	Run      string    `json:"run"`
	ID       string    `json:"id"`
	Standing Standing  `json:"standing"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated,omitzero"`
	Closed   time.Time `json:"closed,omitzero"`
	Failure  string    `json:"failure,omitempty"`
	Planned  int       `json:"planned"` // users, as the plan says
	Written  bool      `json:"written"` // all files are
	Rows     int       `json:"rows"`    // users in files
	Imported int       `json:"imported"`
	Skipped  int       `json:"skipped"`
	Failed   int       `json:"failed"`  // the refused are not among them
	Refused  int       `json:"refused"` // in no file
	Left     int       `json:"left"`    // without an outcome yet
	Files    []File    `json:"files"`
}

// File is how far a file is.
type File struct {
	File     int    `json:"file"`
	Attempt  int    `json:"attempt"`
	Of       int    `json:"of"` // the file that it tries again; its own number for none
	Rows     int    `json:"rows"`
	Done     bool   `json:"done"`
	Job      string `json:"job,omitempty"`
	JobState string `json:"job_state,omitempty"`
	Imported int    `json:"imported"`
	Skipped  int    `json:"skipped"`
	Failed   int    `json:"failed"`
	Left     int    `json:"left"` // into another file
}

// ProgressOf returns how far an import is.
func ProgressOf(s tail.Standing, now time.Time) Progress {
	p := Progress{Version: 1, Run: s.Plan.Run, ID: s.Plan.ID, Standing: Planned, Created: s.Plan.Created, Planned: s.Plan.Rows, Files: []File{}}
	if s.State == nil {
		return p
	}
	sum := s.State.Totals()
	p.Updated, p.Closed, p.Failure, p.Written = s.State.Updated, s.State.Closed, s.State.Failure, s.State.Written
	p.Rows, p.Imported, p.Skipped, p.Failed, p.Refused, p.Left = sum.Rows, sum.Imported, sum.Skipped, sum.Failed, sum.Refused, sum.Left
	for _, f := range s.State.Files {
		file := File{File: f.File, Attempt: f.Attempt, Of: f.Of, Rows: f.Rows, Done: f.Done, Imported: f.Imported, Skipped: f.Skipped, Failed: f.Failed, Left: f.Left}
		if f.Job != nil {
			file.Job, file.JobState = f.Job.ID, string(f.Job.State)
		}
		p.Files = append(p.Files, file)
	}
	held := s.Lease != nil && s.Lease.ID == p.ID && s.Lease.Held(now)
	switch {
	case !p.Closed.IsZero():
		p.Standing = Done
	case held:
		p.Standing = Running
	case p.Failure != "":
		p.Standing = Failed
	default:
		p.Standing = Stopped
	}
	return p
}

// Ended reports whether nobody works on it any more. One that is planned has not
// begun.
func (p Progress) Ended() bool { return p.Standing != Planned && p.Standing != Running }

// Failure is a user who was not imported, as a line of JSON.
type Failure struct {
	Version int `json:"version"` // 1
	tail.Failure
}
