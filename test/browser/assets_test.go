package browser_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

const assets = "../../internal/reconcile/report/assets/"

// TestAssetsAreThoseOfNPM: the libraries in the report are, byte for byte, those
// that package-lock.json names by hash.
func TestAssetsAreThoseOfNPM(t *testing.T) {
	installed(t)
	for file, published := range map[string]string{
		"d3.min.js":       "node_modules/d3/dist/d3.min.js",
		"plot.umd.min.js": "node_modules/@observablehq/plot/dist/plot.umd.min.js",
	} {
		if !bytes.Equal(read(t, assets+file), read(t, published)) {
			t.Errorf("%s is not %s", file, published)
		}
	}
	ours := words(read(t, assets+"licences.txt"))
	for _, name := range []string{
		"@observablehq/plot", "d3", "d3-ease", "d3-geo", "d3-scale-chromatic", "d3-delaunay", "delaunator", "robust-predicates", "internmap",
		"interval-tree-1d", "binary-search-bounds", "isoformat",
	} {
		if !strings.Contains(ours, words(read(t, "node_modules/"+name+"/LICENSE"))) {
			t.Errorf("licences.txt lacks the licence of %s", name)
		}
	}
}

func words(data []byte) string { return strings.Join(strings.Fields(string(data)), " ") }

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
