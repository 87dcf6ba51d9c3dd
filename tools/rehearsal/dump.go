package rehearsal

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Dump returns everything that the world stores about people, as files of JSON
// lines by name, and its poolferry.yaml.
func (w *World) Dump() (map[string][]byte, error) {
	files := map[string][]byte{"poolferry.yaml": w.YAML}
	for _, site := range []Site{w.Source, w.Target} {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		for u := range w.Cognito.Users(site.PoolID) {
			if err := enc.Encode(u); err != nil {
				return nil, fmt.Errorf("dump the %s pool: %w", site.Label, err)
			}
		}
		files["users-"+site.Label+".jsonl"] = buf.Bytes()
	}
	return files, nil
}
