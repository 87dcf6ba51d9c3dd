package telemetry

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
)

// lines writes JSON lines, one Write for each, so that concurrent writers never
// mix theirs.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

// write writes v as one line. An error of the writer is dropped: there is no
// place left to report it, and a sign-in must not fail for it.
func (l *lines) write(v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return // no type that is passed here can fail
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.w.Write(buf.Bytes())
}
