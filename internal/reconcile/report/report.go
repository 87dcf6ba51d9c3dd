// Package report writes what is known of a migration as one page of HTML for
// people who do not use a terminal: it opens from a file, asks nobody for
// anything, and prints.
//
// Vocabulary: a view is what the page is made of; the figures are those of the
// latest whole reconciliation, or, before there is one, of the latest that
// counted anything; users to move are all who have moved, were imported or are
// pending; the answer is the sentence on top; a chart is drawn in the browser
// from data in the page, and has the same data as a table beside it.
//
// The page holds no personal data and no ids of users, unless View.Identities
// gives some: then it says so on top.
package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"poolferry/internal/manifest"
	"poolferry/internal/reconcile/forecast"
	"poolferry/internal/reconcile/progress"
	"poolferry/internal/reconcile/verdict"
)

// View is what a page is made of.
type View struct {
	Now      time.Time // when the page is made: all ages are counted from here
	Run      string
	Source   manifest.Pool
	Target   manifest.Pool
	History  progress.History // none yet: the page says what to do
	Forecast forecast.Forecast
	// Reasons are those of all verdicts in the latest whole reconciliation;
	// without them the page has the reasons of pending users alone, which the
	// history has.
	Reasons map[verdict.Verdict]map[verdict.Reason]int
	Seeding Seeding
	// Identities are findings with the ids of the users whom they are about, for
	// the operator's own eyes; none by default.
	Identities []verdict.Finding
}

// Seeding is how the staging of the profiles stands.
type Seeding struct {
	Generation int // 0: none was opened yet
	Opened     time.Time
	Closed     time.Time // zero: still open
	Profiles   int
	Estimate   int // users in the source pool, as it says itself; 0 where unknown
	Shards     int
	Committed  int
	Failed     []FailedShard
	Stale      bool // older than the reconciliation accepts
}

// FailedShard is a shard that stopped.
type FailedShard struct {
	Shard  string
	Reason string // word
}

// MaxIdentities is how many findings with ids a page shows; the command line
// tool lists them all.
const MaxIdentities = 500

//go:embed assets
var assets embed.FS

// Render writes the page. The same view is the same bytes.
func Render(w io.Writer, v View) error {
	if err := page.Execute(w, newContent(v)); err != nil {
		return fmt.Errorf("write the report of run %s: %w", v.Run, err)
	}
	return nil
}

// page is the template, with what is the same for every view put in: the
// libraries are longer than all the rest.
var page = parse(
	template.HTML("<style>\n"+asset("style.css")+"</style>"), //nolint:gosec // our own file
	scripts,
	template.HTML("<!--\n"+asset("licences.txt")+"-->"), //nolint:gosec // the licences of the libraries
)

func parse(style, scripts, licences template.HTML) *template.Template {
	return template.Must(template.New("page.tmpl").Funcs(template.FuncMap{
		"number":   number,
		"policy":   func() string { return policy },
		"style":    func() template.HTML { return style },
		"scripts":  func() template.HTML { return scripts },
		"licences": func() template.HTML { return licences },
	}).ParseFS(assets, "assets/page.tmpl"))
}

// scripts are the libraries and what draws with them, in order.
var scripts, policy = func() (template.HTML, string) {
	var elements, hashes strings.Builder
	for _, name := range []string{"d3.min.js", "plot.umd.min.js", "charts.js"} {
		text := asset(name)
		elements.WriteString("<script>" + text + "</script>\n")
		sum := sha256.Sum256([]byte(text))
		hashes.WriteString(" 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")
	}
	// The libraries set styles on what they draw, so those cannot be hashed. What
	// could be done with them needs a request, and there is none.
	return template.HTML(elements.String()), //nolint:gosec // our own files
		"default-src 'none'; script-src" + hashes.String() + "; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
}()

func asset(name string) string {
	data, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // it is compiled in
	}
	return string(data)
}
