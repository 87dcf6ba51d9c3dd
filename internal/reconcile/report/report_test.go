package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/reconcile/report"
	"poolferry/internal/reconcile/report/reporttest"
)

var update = flag.Bool("update", false, "write the golden files")

func render(t testing.TB, v report.View) string {
	t.Helper()
	var page bytes.Buffer
	if err := report.Render(&page, v); err != nil {
		t.Fatal(err)
	}
	return page.String()
}

var (
	licences = regexp.MustCompile(`(?s)<!--.*?-->\n`)
	script   = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	style    = regexp.MustCompile(`(?s)<style>.*?</style>`)
	hash     = regexp.MustCompile(`'sha256-[^']*'`)
)

// own returns a page without what is the same on all of them.
func own(page string) string {
	page = style.ReplaceAllString(licences.ReplaceAllString(page, ""), "<style></style>")
	return hash.ReplaceAllString(script.ReplaceAllString(page, "<script></script>"), "'sha256-'")
}

func TestGolden(t *testing.T) {
	for _, named := range reporttest.Views() {
		if !slices.Contains([]string{"half-done", "partial", "first-run", "no-data"}, named.Name) {
			continue
		}
		t.Run(named.Name, func(t *testing.T) {
			got := own(render(t, named.View))
			golden := filepath.Join("testdata", named.Name+".html")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s (-want +got); -update writes it:\n%s", golden, diff)
			}
		})
	}
}

func TestSameViewSameBytes(t *testing.T) {
	for _, named := range reporttest.Views() {
		first, again := render(t, named.View), render(t, named.View)
		if first != again {
			t.Errorf("%s: two pages of one view differ", named.Name)
		}
	}
}

var (
	link = regexp.MustCompile(`(?i)(src|href|action|data|poster|srcset)\s*=\s*"?([^" >]*)|url\(|@import`)
	uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-`)
)

func TestPageIsCompleteInItself(t *testing.T) {
	for _, named := range reporttest.Views() {
		if named.Name == "hostile" {
			continue // it says links
		}
		page := render(t, named.View)
		for _, found := range link.FindAllStringSubmatch(script.ReplaceAllString(licences.ReplaceAllString(page, ""), ""), -1) {
			if found[2] != "#answer" {
				t.Errorf("%s: %q leads out of the page", named.Name, found[0])
			}
		}
		if len(page) > 700_000 {
			t.Errorf("%s: %d bytes", named.Name, len(page))
		}
		if got, want := uuid.MatchString(own(page)), named.Name == "identities"; got != want {
			t.Errorf("%s: has ids of users: %v, want %v", named.Name, got, want)
		}
		if got, want := strings.Contains(page, "This page contains user ids"), named.Name == "identities"; got != want {
			t.Errorf("%s: says that it has ids of users: %v, want %v", named.Name, got, want)
		}
	}
}

func TestPolicyNamesEveryScript(t *testing.T) {
	page := render(t, reporttest.HalfDone())
	policy, _, _ := strings.Cut(page[strings.Index(page, "Content-Security-Policy"):], ">")
	if !strings.Contains(policy, "default-src &#39;none&#39;; script-src ") || strings.Contains(policy, "http") {
		t.Errorf("policy %s", policy)
	}
	scripts := script.FindAllStringSubmatch(page, -1)
	if len(scripts) != 3 {
		t.Fatalf("%d scripts", len(scripts))
	}
	for _, s := range scripts {
		sum := sha256.Sum256([]byte(s[1]))
		want := strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;")
		if !strings.Contains(policy, "sha256-"+want) {
			t.Errorf("the script %.40q has no hash in %s", s[1], policy)
		}
	}
}

// plain is how many tags a page has that says nothing odd.
var plain = sync.OnceValue(func() int { return tags(reporttest.Saying("plain")) })

// tags counts what a browser could take for markup.
func tags(v report.View) int { return strings.Count(rendered(v), "<") }

func rendered(v report.View) string {
	var page bytes.Buffer
	if err := report.RenderOwn(&page, v); err != nil {
		panic(err) // a buffer takes everything
	}
	return page.String()
}

func checkEscaped(t *testing.T, text string) {
	t.Helper()
	v := reporttest.Saying(text)
	if got := tags(v); got != plain() {
		t.Errorf("%q: %d tags, want %d", text, got, plain())
	}
	_, data, _ := strings.Cut(rendered(v), `<script type="application/json" id="data">`)
	data, _, _ = strings.Cut(data, "</script>")
	if !json.Valid([]byte(data)) {
		t.Errorf("%q: the data of the charts is %q", text, data)
	}
}

func TestTextStaysText(t *testing.T) {
	for _, text := range []string{reporttest.Evil, "</title><script>", "--><script>", "</style>", "\"><b>", "' onmouseover=x", "\x00\xff", "{{.Run}}", "]]>"} {
		checkEscaped(t, text)
	}
	if page := render(t, reporttest.Saying(reporttest.Evil)); strings.Contains(page, "<script>document.title") || !strings.Contains(page, "&lt;script&gt;document.title") {
		t.Error("the hostile text is not on the page as text")
	}
}

func FuzzTextStaysText(f *testing.F) {
	for _, text := range []string{"plain", reporttest.Evil, "a_b", "é", "<!--", "\\u003c/script>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text != "" { // an empty text leaves its place out
			checkEscaped(t, text)
		}
	})
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestRenderSaysThatItCannotWrite(t *testing.T) {
	if err := report.Render(full{}, reporttest.NoData()); !errors.Is(err, errFull) || !strings.Contains(err.Error(), "2027-03-prod") {
		t.Errorf("error %v", err)
	}
}

// TestAssetsAreThoseOfTheTable: which version of a library is in the page, and
// which bytes that is, stands in one table; test/browser has the same versions
// from npm and compares the bytes.
func TestAssetsAreThoseOfTheTable(t *testing.T) {
	readme, err := os.ReadFile("assets/README.md")
	if err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile("../../../test/browser/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var locked struct {
		Packages map[string]struct{ Version string }
	}
	if err := json.Unmarshal(lock, &locked); err != nil {
		t.Fatal(err)
	}
	for file, npm := range map[string]string{"d3.min.js": "d3", "plot.umd.min.js": "@observablehq/plot"} {
		data, err := os.ReadFile("assets/" + file)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		version := locked.Packages["node_modules/"+npm].Version
		want := fmt.Sprintf("| `%s` | `%s` %s | `%s` |", file, npm, version, hex.EncodeToString(sum[:]))
		if version == "" || !strings.Contains(string(readme), want) {
			t.Errorf("assets/README.md has no row %s", want)
		}
		if strings.Contains(string(data), "</script") || strings.Contains(string(data), "<!--") {
			t.Errorf("%s cannot stand in a page", file)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	v := reporttest.Year(10_000_000)
	b.ReportMetric(float64(len(v.History.Points)), "points")
	var page bytes.Buffer
	for b.Loop() {
		page.Reset()
		if err := report.Render(&page, v); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(page.Len()), "bytes/page")
}
