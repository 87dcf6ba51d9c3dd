package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"poolferry/internal/erasure"
	"poolferry/internal/manifest"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
)

// TestEveryKeyIsOfAKind: whoever adds a key to the layout has to say how a person
// is removed from what is there.
func TestEveryKeyIsOfAKind(t *testing.T) {
	for _, key := range store.Keys() {
		if of := erasure.KindsOf(key); len(of) != 1 {
			t.Errorf("%s is of %d kinds: say in internal/erasure/kinds.go how a person is removed from it", key, len(of))
		}
	}
	for _, key := range []string{"new.json", "gen-1/new.json", "reconcile/r1/new/00017-abc.jsonl.gz", "settle/x/y-abc.jsonl.gz"} {
		if of := erasure.KindsOf(key); len(of) > 0 {
			t.Errorf("%s is %s", key, of[0].Pattern)
		}
	}
}

// TestKeysHasEveryKeyOfTheLayout: each function and each constant of layout.go that
// makes a key is used for Keys, so that no test which goes by it overlooks one.
func TestKeysHasEveryKeyOfTheLayout(t *testing.T) {
	names := func(file string, of func(ast.Node) []string) (all []string) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			all = append(all, of(n)...)
			return true
		})
		return all
	}
	declared := names("layout.go", func(n ast.Node) (keys []string) {
		switch d := n.(type) {
		case *ast.FuncDecl:
			keys = append(keys, d.Name.Name)
		case *ast.ValueSpec:
			for _, name := range d.Names {
				keys = append(keys, name.Name)
			}
		}
		return slices.DeleteFunc(keys, func(name string) bool { return !strings.HasSuffix(name, "Key") })
	})
	used := names("export_test.go", func(n ast.Node) []string {
		if id, ok := n.(*ast.Ident); ok {
			return []string{id.Name}
		}
		return nil
	})
	if len(declared) < 25 {
		t.Fatalf("layout.go declares %q", declared)
	}
	for _, key := range declared {
		if !slices.Contains(used, key) {
			t.Errorf("%s of layout.go is not in Keys of export_test.go", key)
		}
	}
}

func TestRedigested(t *testing.T) {
	e, sum := store.NewErasure(memory.New(), runID), manifest.DigestOf([]byte("other"))
	for key, want := range map[string]string{
		"gen-1/shards/all/1/part-00000-0123456789ab.jsonl.gz":    "gen-1/shards/all/1/part-00000-" + string(sum[:12]) + ".jsonl.gz",
		"reconcile/x-0123456789ab.y/idmap/a-0123456789ab.csv.gz": "reconcile/x-0123456789ab.y/idmap/a-" + string(sum[:12]) + ".csv.gz",
		"gen-1/manifest.json": "gen-1/manifest.json",
	} {
		if got := e.Redigested(key, sum); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}
