package fidelity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"poolferry/internal/sandbox/states/data"
)

const anything = "«any»"

// fits reports whether a text is as expected, where «any» stands for any text.
func fits(want, got string) bool {
	if !strings.Contains(want, anything) {
		return want == got
	}
	parts := strings.Split(want, anything)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`).MatchString(got)
}

// difference describes the first difference of two JSON values, "" for none.
func difference(at string, want, got any) string {
	switch w := want.(type) {
	case string:
		if w == anything {
			return ""
		}
		if g, ok := got.(string); ok && fits(w, g) {
			return ""
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			if d := difference(fmt.Sprintf("%s[%d]", at, i), w[i], g[i]); d != "" {
				return d
			}
		}
		return ""
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			other, there := g[name]
			if !there {
				return fmt.Sprintf("%s.%s is missing", at, name)
			}
			if d := difference(at+"."+name, w[name], other); d != "" {
				return d
			}
		}
		for _, name := range slices.Sorted(maps.Keys(g)) {
			if _, there := w[name]; !there {
				return fmt.Sprintf("%s.%s is too much", at, name)
			}
		}
		return ""
	default:
		if data.Equal(want, got) {
			return ""
		}
	}
	return fmt.Sprintf("%s: want %.300s, got %.300s", at, data.Encode(want), data.Encode(got))
}

// differs compares JSON texts.
func differs(at string, want json.RawMessage, got string) string {
	w, err := data.Parse(want)
	if err != nil {
		return fmt.Sprintf("%s: the case is not JSON: %v", at, err)
	}
	g, err := data.Parse([]byte(got))
	if err != nil {
		return fmt.Sprintf("%s: want %.300s, got no JSON: %.300q", at, want, got)
	}
	loosen(w)
	return difference(at, w, g)
}

// loosen frees the Content-Length that an integration reports where the answer
// holds names that the recorder replaced: it is that of the names before.
func loosen(want any) {
	object, ok := want.(map[string]any)
	if !ok {
		return
	}
	replaced := false
	for name, member := range object {
		loosen(member)
		replaced = replaced || !strings.HasPrefix(name, "Sdk") && bytes.Contains(data.Encode(member), []byte(anything))
	}
	metadata, ok := object["SdkHttpMetadata"].(map[string]any)
	if !ok || !replaced {
		return
	}
	for _, headers := range metadata {
		if h, ok := headers.(map[string]any); ok && h["Content-Length"] != nil {
			h["Content-Length"] = anything
		}
	}
}

// eventsDiffer compares histories. Order counts, except between events of
// branches that run beside each other; and where one of those fails, what the
// others still do before they are stopped is chance, so it is not compared.
func eventsDiffer(want, got []event, sorted, concurrent bool) string {
	w, g := texts(want), texts(got)
	if slices.Equal(w, g) {
		return ""
	}
	if sorted || concurrent {
		w, g = settle(w, sorted), settle(g, sorted)
		if slices.Equal(w, g) {
			return ""
		}
	}
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			return fmt.Sprintf("event %d: want %s, got %s", i+1, after(w, i), after(g, i))
		}
	}
	return ""
}

func texts(events []event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.String()
	}
	return out
}

func after(events []string, i int) string {
	if i >= len(events) {
		return "the end"
	}
	return strings.Join(events[i:min(i+3, len(events))], ", ")
}

// settle brings what happens inside of each outermost Map or Parallel into one
// order. sorted says that the recorder did so too; it lost
// ParallelStateSucceeded, which stands at the end of what it sorted.
func settle(events []string, sorted bool) []string {
	var out []string
	for i := 0; i < len(events); i++ {
		out = append(out, events[i])
		kind, name, entered := strings.Cut(events[i], "StateEntered ")
		if !entered || kind != "Map" && kind != "Parallel" {
			continue
		}
		end := slices.IndexFunc(events[i+1:], func(e string) bool {
			return e == kind+"StateExited "+name || strings.HasPrefix(e, "Execution")
		})
		if end < 0 {
			end = len(events) - i - 1
		}
		inside := slices.Clone(events[i+1 : i+1+end])
		i += end
		if sorted {
			inside = slices.DeleteFunc(inside, func(e string) bool { return e == "ParallelStateSucceeded" })
		}
		failed := slices.ContainsFunc(inside, func(e string) bool { return strings.Contains(e, "Aborted") })
		if failed {
			inside = []string{kind + " in which one branch failed and others were stopped"}
		}
		slices.Sort(inside)
		out = append(out, inside...)
	}
	return out
}
