package live

import (
	"archive/zip"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

//go:embed trigger.mjs
var source string

// code is the function's source with its script in it.
func (s script) code() (string, error) {
	text, err := json.Marshal(s)
	return strings.Replace(source, "SCRIPT", string(text), 1), err
}

// zipped is the package of the function.
func (s script) zipped() ([]byte, error) {
	code, err := s.code()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	file, err := w.Create("index.mjs")
	if err == nil {
		_, err = file.Write([]byte(code))
	}
	err = errors.Join(err, w.Close()) // writes the rest
	return out.Bytes(), err
}

// errRaised is a trigger that fails on purpose; its text is the trigger source.
type errRaised string

func (e errRaised) Error() string { return string(e) }

var caseOf = regexp.MustCompile(`poolferry-live-([a-z0-9]+)-`)

// play is trigger.mjs in Go, for the sandbox.
func (s script) play(ctx context.Context, in json.RawMessage) (json.RawMessage, error) {
	var event map[string]json.RawMessage
	var name, trigger string
	if err := errors.Join(json.Unmarshal(in, &event), json.Unmarshal(event["userName"], &name), json.Unmarshal(event["triggerSource"], &trigger)); err != nil {
		return nil, err
	}
	found := caseOf.FindStringSubmatch(name)
	if found == nil {
		return in, nil
	}
	reply, known := s.Cases[found[1]]
	migration := strings.HasPrefix(trigger, "UserMigration_")
	switch {
	case !known:
		return in, nil
	case reply.Raise == trigger:
		return nil, errRaised(trigger)
	}
	if late := reply.At == trigger || reply.At == "" && migration; late && reply.Seconds > 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(reply.Seconds) * time.Second):
		}
	}
	if !migration {
		return in, nil
	}
	if reply.Response != nil {
		event["response"] = bytes.ReplaceAll(reply.Response, []byte("{name}"), []byte(name))
	}
	if reply.ClearPassword {
		var request map[string]json.RawMessage
		if err := json.Unmarshal(event["request"], &request); err != nil {
			return nil, err
		}
		request["password"] = json.RawMessage(`""`)
		var err error
		if event["request"], err = json.Marshal(request); err != nil {
			return nil, err
		}
	}
	return json.Marshal(event)
}

// TestScripts holds the two players of a script against each other. Without
// Node.js only the one is held against what it should do.
func TestScripts(t *testing.T) {
	t.Parallel()
	s := script{Cases: map[string]reply{
		"full":  {Response: migrates(confirmed)},
		"empty": {Response: json.RawMessage(`{}`)},
		"clear": {Response: migrates(confirmed), ClearPassword: true},
		"raise": {Response: migrates(confirmed), Raise: "PreSignUp_AdminCreateUser"},
		"late":  {Response: json.RawMessage(`{}`), Seconds: 1},
		"at":    {Response: json.RawMessage(`{}`), Seconds: 1, At: "PostAuthentication_Authentication"},
	}}
	event := func(trigger, name string) string {
		return `{"version":"1","triggerSource":"` + trigger + `","userName":"` + name + `","request":{"password":"p"},"response":{"a":null}}`
	}
	const migration = "UserMigration_Authentication"
	tests := []struct{ event, want string }{
		{event(migration, "poolferry-live-full-1"), `{"version":"1","triggerSource":"UserMigration_Authentication","userName":"poolferry-live-full-1","request":{"password":"p"},"response":{"userAttributes":{"email":"success+poolferry-live-full-1@simulator.amazonses.com","email_verified":"true"},"messageAction":"SUPPRESS","finalUserStatus":"CONFIRMED"}}`},
		{event(migration, "success+poolferry-live-empty-1@x"), strings.Replace(event(migration, "success+poolferry-live-empty-1@x"), `{"a":null}`, `{}`, 1)},
		{event(migration, "poolferry-live-late-1"), strings.Replace(event(migration, "poolferry-live-late-1"), `{"a":null}`, `{}`, 1)},
		{event(migration, "poolferry-live-at-1"), strings.Replace(event(migration, "poolferry-live-at-1"), `{"a":null}`, `{}`, 1)},
		{event("PostAuthentication_Authentication", "poolferry-live-at-1"), event("PostAuthentication_Authentication", "poolferry-live-at-1")},
		{event(migration, "poolferry-live-none-1"), event(migration, "poolferry-live-none-1")},
		{event(migration, "ann"), event(migration, "ann")},
		{event("PostAuthentication_Authentication", "poolferry-live-full-1"), event("PostAuthentication_Authentication", "poolferry-live-full-1")},
		{event("PreSignUp_AdminCreateUser", "poolferry-live-raise-1"), "PreSignUp_AdminCreateUser"},
		{event(migration, "poolferry-live-clear-1"), `{"version":"1","triggerSource":"UserMigration_Authentication","userName":"poolferry-live-clear-1","request":{"password":""},"response":{"userAttributes":{"email":"success+poolferry-live-clear-1@simulator.amazonses.com","email_verified":"true"},"messageAction":"SUPPRESS","finalUserStatus":"CONFIRMED"}}`},
	}
	players := map[string]func(*testing.T, string) string{"Go": func(t *testing.T, event string) string {
		out, err := s.play(t.Context(), json.RawMessage(event))
		if raised, ok := errors.AsType[errRaised](err); ok {
			return string(raised)
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}}
	if node, err := exec.LookPath("node"); err == nil {
		players["Node.js"] = withNode(t, node, s)
	}
	for name, play := range players {
		for _, tt := range tests {
			if diff := cmp.Diff(plain(tt.want), plain(play(t, tt.event))); diff != "" {
				t.Errorf("%s: %s (-want +got)\n%s", name, tt.event, diff)
			}
		}
	}
}

// plain is JSON as a value, and other text as it is.
func plain(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return v
}

// withNode plays a script as Lambda does.
func withNode(t *testing.T, node string, s script) func(*testing.T, string) string {
	t.Helper()
	packed, err := s.zipped()
	if err != nil {
		t.Fatal(err)
	}
	files, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, files); err != nil {
		t.Fatal(err)
	}
	const run = `import { handler } from "./index.mjs";
const event = JSON.parse(process.argv[2]);
try { console.log(JSON.stringify(await handler(event))); } catch (e) { console.log(e.message); }
`
	if err := os.WriteFile(filepath.Join(folder, "run.mjs"), []byte(run), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, event string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), node, filepath.Join(folder, "run.mjs"), event).CombinedOutput()
		if err != nil {
			t.Fatalf("node: %v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
}
