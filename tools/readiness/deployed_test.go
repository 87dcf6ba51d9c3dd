package readiness

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"poolferry/internal/config"
	"poolferry/internal/preflight"
)

// reader finds the sections that functions read.
type reader struct {
	functions map[string]*ast.FuncDecl
	seen      map[string]bool
	sections  map[string]bool
}

// builders parses the functions that build handlers.
func builders(t *testing.T) map[string]*ast.FuncDecl {
	t.Helper()
	paths, err := filepath.Glob("../../lambdas/*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*ast.FuncDecl{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				out[f.Name.Name] = f
			}
		}
	}
	return out
}

// read notes what a function reads of its configuration, which is called cfg
// throughout, and goes on with the functions that it hands it to.
func (r *reader) read(function string) {
	f := r.functions[function]
	if f == nil || r.seen[function] {
		return
	}
	r.seen[function] = true
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name, ok := n.Fun.(*ast.Ident); ok && slices.ContainsFunc(n.Args, leadsToConfig) {
				r.read(name.Name)
			}
		case *ast.SelectorExpr:
			if section := sectionOf(n); section != "" {
				r.sections[section] = true
				return false
			}
		}
		return true
	})
}

// leadsToConfig reports the configuration, or the environment that it is read from.
func leadsToConfig(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "env" || isConfig(e)
}

func isConfig(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "cfg"
}

// sectionOf is the section that a selector such as cfg.Source.Region names; empty
// for another one, and for a method.
func sectionOf(n *ast.SelectorExpr) string {
	var path []string
	var e ast.Expr = n
	for {
		s, ok := e.(*ast.SelectorExpr)
		if !ok {
			break
		}
		path, e = append(path, s.Sel.Name), s.X
	}
	if !isConfig(e) {
		return ""
	}
	slices.Reverse(path)
	var words []string
	of := reflect.TypeFor[config.Config]()
	for _, name := range path[:min(len(path), 2)] {
		if of.Kind() != reflect.Struct {
			break
		}
		field, ok := of.FieldByName(name)
		if !ok {
			break // a method
		}
		word, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		words, of = append(words, word), field.Type
	}
	return strings.Join(words, ".")
}

// TestGoesBy: whatever a function reads of its configuration, a difference in it
// is about that function.
func TestGoesBy(t *testing.T) {
	functions := builders(t)
	for _, c := range called {
		name := ""
		for _, word := range strings.Split(c.function, "-") {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		r := &reader{functions, map[string]bool{}, map[string]bool{}}
		r.read(name)
		if len(r.sections) < 2 {
			t.Errorf("%s: reads %v: is the builder another one?", name, r.sections)
		}
		for section := range r.sections {
			if !goBy(c.goesBy, section) {
				t.Errorf("%s reads %s", c.function, section)
			}
		}
		for _, section := range c.goesBy {
			if goBy(ownSections, section) || !slices.ContainsFunc(known(t), func(s string) bool { return goBy([]string{section}, s) }) {
				t.Errorf("%s: there is no section %s for functions", c.function, section)
			}
		}
	}
}

// known lists the sections of the sample, which has all.
func known(t *testing.T) (names []string) {
	t.Helper()
	cfg, err := config.Load("../../docs/poolferry.sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name := range sections(cfg) {
		names = append(names, name)
	}
	return names
}

// TestDeployed: a document of this run tells what matters from what does not; of
// another one, everything that differs is told.
func TestDeployed(t *testing.T) {
	cfg, err := config.Load("../../docs/poolferry.sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	other := *cfg
	other.Cutover, other.Pace.UserList, other.Source.ExportRoleARN, other.Claim.Name = config.Cutover{}, 7, "", "old_sub"
	document, err := other.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	d := deployed(cfg, preflight.PreTokenGeneration, string(document))
	if !d.Ours || !slices.Equal(d.Differs, []string{"claim.name"}) || !slices.Equal(d.Others, []string{"pace.user_list", "source.export_role_arn"}) {
		t.Errorf("of the claim: %+v", d)
	}
	d = deployed(cfg, preflight.UserMigration, string(document))
	if len(d.Differs) != 0 || !slices.Equal(d.Others, []string{"claim.name", "pace.user_list", "source.export_role_arn"}) {
		t.Errorf("of the migration trigger: %+v", d)
	}
	other.Run = "another"
	if document, err = other.Marshal(); err != nil {
		t.Fatal(err)
	}
	d = deployed(cfg, preflight.UserMigration, string(document))
	if d.Ours || !slices.Contains(d.Differs, "run") || !slices.Contains(d.Differs, "cutover.probe_username") || d.Others != nil {
		t.Errorf("of another run: %+v", d)
	}
	if d = deployed(cfg, preflight.UserMigration, "version: 2"); d.Ours || len(d.Differs) != 1 {
		t.Errorf("of another version: %+v", d)
	}
}
