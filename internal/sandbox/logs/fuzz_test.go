package logs

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"poolferry/internal/sandbox/wire"
)

// FuzzServe answers whatever is asked with JSON or with an error of the caller.
func FuzzServe(f *testing.F) {
	for _, body := range []string{`{"logGroupName":"g","logStreamName":"s","nextToken":"f/1/s","limit":1}`, `{"logGroupName":"g","filterPattern":"\"a b\" c"}`,
		`{"logGroupName":"g","orderBy":"LastEventTime","descending":true}`, `{"logGroupName":"g","logStreamName":"s","startTime":-1,"endTime":9e9}`, `[`} {
		for op := range operations {
			f.Add(op, []byte(body))
		}
	}
	s := New(time.Now)
	p := place{"a", "r", "g"}
	s.groups[p] = map[string]*stream{"s": {name: "s"}, "t": {name: "t"}}
	s.append(p, "s", []string{"a b c", "d"})
	f.Fuzz(func(t *testing.T, op string, body []byte) {
		reply, err := s.Serve(t.Context(), &wire.Call{Operation: op, Account: "a", Region: "r", Body: body, Authorize: func(string, string) error { return nil }})
		if err == nil && json.Unmarshal(reply.Body, new(any)) != nil {
			t.Errorf("%s %q: %s", op, body, reply.Body)
		}
		if err != nil && wire.AsError(err).Status >= http.StatusInternalServerError {
			t.Errorf("%s %q is our bug: %v", op, body, err)
		}
	})
}
