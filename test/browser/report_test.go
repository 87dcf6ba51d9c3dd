package browser_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"poolferry/internal/reconcile/report"
	"poolferry/internal/reconcile/report/reporttest"
)

// requireEnv names what must not be missing, separated by commas. With browser in
// it these tests run, and a missing tool fails them; without, they are skipped,
// for they take as long as all others together.
const requireEnv = "POOLFERRY_REQUIRE"

// shotsEnv names a folder for screenshots and prints, for looking at.
const shotsEnv = "POOLFERRY_SCREENSHOTS"

func missing(t *testing.T, what string) {
	t.Helper()
	if required() {
		t.Fatal(what)
	}
	t.Skip(what)
}

func required() bool { return slices.Contains(strings.Split(os.Getenv(requireEnv), ","), "browser") }

// installed skips, or fails, without the packages of npm.
func installed(t *testing.T) {
	t.Helper()
	if !required() {
		t.Skip("run make browser")
	}
	for _, name := range []string{"playwright-core", "axe-core", "d3", "@observablehq/plot"} {
		if _, err := os.Stat(filepath.Join("node_modules", name, "package.json")); err != nil {
			missing(t, err.Error()+": run make browser")
		}
	}
}

// chromium returns the path of the browser.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "no Chromium: install the package chromium, or set CHROMIUM to the path of one")
	return ""
}

type target struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

type screen struct {
	Name   string `json:"name"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

var screens = []screen{{"desktop", 1280, 900}, {"phone", 390, 844}}

// seen is what look.mjs says about one look.
type seen struct {
	Page, Screen, Scheme      string
	Requests, Console, Errors []string
	Charts                    []struct {
		Name, Label          string
		Width, Height        float64
		Marks                int
		Outside, Overlapping []string
	}
	ScrollWidth     int `json:"scroll_width"`
	OpenScrollWidth int `json:"open_scroll_width"`
	ClientWidth     int `json:"client_width"`
	Language, Title string
	Headings        []int
	Sections        []string
	Tables          int
	Alternatives    int
	Text            string
	Background      string
	FirstFocus      string `json:"first_focus"`
	Violations      []struct {
		Rule, Impact string
		Nodes        []string
	}
	PDF *struct {
		Bytes, Pages int
		Head         string
	}
}

// look opens the pages on all screens in light and dark.
func look(t *testing.T, pages []target) []seen {
	t.Helper()
	installed(t)
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, err.Error()+": install Node.js 20 or newer")
	}
	shots := os.Getenv(shotsEnv)
	if shots != "" {
		if err := os.MkdirAll(shots, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	job, err := json.Marshal(map[string]any{"chromium": chromium(t), "pages": pages, "screens": screens, "shots": shots})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "look.mjs")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it ends the browser too
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdin = bytes.NewReader(job)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("look at the pages: %v\n%s", err, stderr.Bytes())
	}
	var all []seen
	lines := bufio.NewScanner(&stdout)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var s seen
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("look.mjs printed %q: %v", lines.Text(), err)
		}
		all = append(all, s)
	}
	if want := len(pages) * len(screens) * 2; len(all) != want || lines.Err() != nil {
		t.Fatalf("%d looks, want %d; %v", len(all), want, lines.Err())
	}
	return all
}

// faults is what is wrong with any page; chart says which charts it has.
func (s seen) faults() []string {
	var found []string
	bad := func(what ...string) { found = append(found, strings.Join(what, " ")) }
	for _, r := range s.Requests {
		bad("request:", r)
	}
	for _, c := range s.Console {
		bad("console:", c)
	}
	for _, e := range s.Errors {
		bad("script error:", e)
	}
	if s.ScrollWidth > s.ClientWidth || s.OpenScrollWidth > s.ClientWidth {
		bad("scrolls sideways")
	}
	for _, v := range s.Violations {
		if v.Impact == "serious" || v.Impact == "critical" {
			bad("accessibility:", v.Rule, strings.Join(v.Nodes, " "))
		}
	}
	for _, c := range s.Charts {
		if c.Marks == 0 || c.Width < 200 || c.Height < 50 || c.Label == "" {
			bad("chart not drawn:", c.Name)
		}
		for _, text := range c.Outside {
			bad("text outside the card:", c.Name, text)
		}
		for _, text := range c.Overlapping {
			bad("texts overlap:", c.Name, text)
		}
	}
	if s.Alternatives < s.Tables {
		bad("a chart without table")
	}
	for i, level := range s.Headings {
		if i == 0 && level != 1 || i > 0 && (level == 1 || level > s.Headings[i-1]+1) {
			bad("headings out of order")
		}
	}
	if s.Language == "" || s.Title == "" {
		bad("no language or no title")
	}
	return found
}

// charts says which charts a page has.
var charts = map[string][]string{
	"first-run": {"funnel"},
	"no-data":   nil,
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	var pages []target
	for _, named := range reporttest.Views() {
		path := filepath.Join(dir, named.Name+".html")
		var page bytes.Buffer
		if err := report.Render(&page, named.View); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, page.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, target{named.Name, path})
	}
	backgrounds := map[string]string{}
	for _, s := range look(t, pages) {
		t.Run(s.Page+" "+s.Screen+" "+s.Scheme, func(t *testing.T) {
			for _, fault := range s.faults() {
				t.Error(fault)
			}
			want, ok := charts[s.Page]
			if !ok {
				want = []string{"progress", "moves", "funnel"}
			}
			var drawn []string
			for _, c := range s.Charts {
				drawn = append(drawn, c.Name)
			}
			if !slices.Equal(drawn, want) {
				t.Errorf("charts %v, want %v", drawn, want)
			}
			if s.FirstFocus != "To the answer" {
				t.Errorf("the first that Tab reaches is %q", s.FirstFocus)
			}
			if s.Page == "hostile" && (s.Title == "owned" || !strings.Contains(s.Text, "</script><script>")) {
				t.Errorf("text became markup: title %q", s.Title)
			}
			if backgrounds[s.Scheme] == "" {
				backgrounds[s.Scheme] = s.Background
			}
			if s.Screen == screens[0].Name && (s.PDF == nil || s.PDF.Head != "%PDF-" || s.PDF.Pages == 0) {
				t.Errorf("print: %+v", s.PDF)
			}
		})
	}
	if backgrounds["light"] == backgrounds["dark"] {
		t.Errorf("light and dark have the same background, %s", backgrounds["light"])
	}
}

// lure has one of everything that faults is meant to find.
const lure = `<!doctype html><html><head><title></title></head><body>
<h2>Not the first</h2><p style="color:#eee;background:#fff">cannot be read</p><div style="width:3000px">wide</div>
<section><figure><div data-chart="empty"></div></figure><div data-chart="narrow"><svg width="300" height="100" aria-label="x">
<text x="-900" y="20">outside</text><text x="0" y="40">one on</text><text x="4" y="42">the other</text></svg></div></section>
<img src="http://127.0.0.1:9/pixel.png"><script>console.error("said"); throw new Error("thrown")</script></body></html>`

func TestTheLureIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lure.html")
	if err := os.WriteFile(path, []byte(lure), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range look(t, []target{{"lure", path}}) {
		found := strings.Join(s.faults(), "\n")
		for _, want := range []string{
			"request: http://127.0.0.1:9/pixel.png", "console: said", "script error: Error: thrown", "scrolls sideways",
			"accessibility: color-contrast", "chart not drawn: empty", "text outside the card: narrow outside", "texts overlap: narrow one on | the other",
			"a chart without table", "headings out of order", "no language or no title",
		} {
			if !strings.Contains(found, want) {
				t.Errorf("%s %s: %q is not found in:\n%s", s.Screen, s.Scheme, want, found)
			}
		}
	}
}
