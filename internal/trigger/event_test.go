package trigger_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// meaning decodes JSON for comparison: numbers by their digits, and members
// that are null in a response as absent, which is what they mean there.
func meaning(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var out map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		t.Fatalf("decode %s: %v", data, err)
	}
	if response, ok := out["response"].(map[string]any); ok {
		for name, value := range response {
			if value == nil {
				delete(response, name)
			}
		}
	}
	return out
}

// recorded returns the event files beside the function.
func recorded(tb testing.TB) map[string][]byte {
	files, err := filepath.Glob("../../lambdas/migrate-user/testdata/*.json")
	if err != nil || len(files) < 4 {
		tb.Fatalf("found %d recorded events: %v", len(files), err)
	}
	events := make(map[string][]byte)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		events[filepath.Base(file)] = data
	}
	return events
}

func TestEventRoundTrip(t *testing.T) {
	for name, data := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			event, err := trigger.ParseEvent(data)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(event)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(meaning(t, data), meaning(t, got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestEventMembers(t *testing.T) {
	event, err := trigger.ParseEvent(recorded(t)["authentication-mfa-code.json"])
	if err != nil {
		t.Fatal(err)
	}
	if event.UserName != "bob" || event.ClientID != "3n4b5urk1ft4fl3mg5e62d9ado" || event.Password.Reveal() != "Canary-recorded-2!" {
		t.Errorf("name %q, client %q", event.UserName, event.ClientID)
	}
	// Both maps count: the same app sends its metadata through either.
	if diff := cmp.Diff(map[string]string{"mfa_code": "123456", "k": "v"}, event.Metadata); diff != "" {
		t.Error(diff)
	}
}

func TestEmptyResponseIsAnEmptyObject(t *testing.T) {
	event, err := trigger.ParseEvent(recorded(t)["answered.json"])
	if err != nil {
		t.Fatal(err)
	}
	event.Response = trigger.Response{}
	data, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if string(out["response"]) != "{}" {
		t.Errorf("response %s, want {}", out["response"])
	}
}

// FuzzEvent feeds the handler anything: it must decide or refuse, never panic,
// never answer in part.
func FuzzEvent(f *testing.F) {
	for _, data := range recorded(f) {
		f.Add(data)
	}
	f.Add([]byte(`{"userName":null,"request":null,"response":null}`))
	f.Add([]byte(`{"request":{"validationData":{"mfa_code":1}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorld(person{user: ann(), password: "Canary-recorded-1!", reply: trigger.Reply{Standing: trigger.Proven}})
		out, err := w.handler().Invoke(t.Context(), data)
		if len(w.recorder.decisions) != 1 {
			t.Errorf("%d decisions", len(w.recorder.decisions))
		}
		if err != nil {
			if out != nil {
				t.Errorf("an answer beside the error %v", err)
			}
			return
		}
		var answer struct {
			Response struct {
				UserAttributes  userpool.Attributes `json:"userAttributes"`
				FinalUserStatus string              `json:"finalUserStatus"`
				MessageAction   string              `json:"messageAction"`
			} `json:"response"`
		}
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatalf("answer is not JSON: %v", err)
		}
		r := answer.Response
		if r.UserAttributes == nil && (r.FinalUserStatus != "" || r.MessageAction != "") {
			t.Errorf("a partial answer: %s", out)
		}
	})
}
