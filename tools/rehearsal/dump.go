package rehearsal

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"poolferry/internal/document"
	"poolferry/internal/reconcile/shuffle"
)

// Dump returns everything that the world stores about people by file name: users
// as JSON lines, the staging bucket's objects below s3/, and poolferry.yaml.
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
	for key, body := range w.S3.Objects() {
		files["s3/"+key] = body
		if plain, ok := strings.CutSuffix(key, ".gz"); ok {
			text, err := unzip(body)
			if err != nil {
				return nil, fmt.Errorf("dump %s: %w", key, err)
			}
			files["s3/"+plain] = text // what is compressed cannot be searched
		}
		if strings.HasSuffix(key, ".seg") {
			text, err := unpack(key, body)
			if err != nil {
				return nil, fmt.Errorf("dump %s: %w", key, err)
			}
			files["s3/"+key+".txt"] = text
		}
	}
	return files, nil
}

// unpack returns the content of every segment of an object.
func unpack(key string, object []byte) ([]byte, error) {
	text, err := shuffle.FooterBytes(object)
	if err != nil {
		return nil, err
	}
	footer, err := shuffle.DecodeFooter(text, document.DigestOf(text), int64(len(object)))
	if err != nil {
		return nil, err
	}
	var all []byte
	at := int64(0)
	for _, s := range footer.Segments {
		content, err := shuffle.Unpack(key, s, object[at:at+s.Length])
		if err != nil {
			return nil, err
		}
		all, at = append(all, content...), at+s.Length
	}
	return all, nil
}

func unzip(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
