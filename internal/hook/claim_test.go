package hook_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/hook"
)

// object decodes JSON for comparison: numbers by their digits.
func object(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var out map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		t.Fatalf("decode %s: %v", data, err)
	}
	return out
}

func TestClaim(t *testing.T) {
	v1, v2 := string(recorded(t)["token-v1.json"]), string(recorded(t)["token-v2.json"])
	v3 := strings.Replace(v2, `"version": "2"`, `"version": "3"`, 1)
	const id = `{"claimsAndScopeOverrideDetails":{"idTokenGeneration":{"claimsToAddOrOverride":{"old_id":"5e1f-ann"}}}}`
	const both = `{"claimsAndScopeOverrideDetails":{"idTokenGeneration":{"claimsToAddOrOverride":{"old_id":"5e1f-ann"}},"accessTokenGeneration":{"claimsToAddOrOverride":{"old_id":"5e1f-ann"}}}}`
	tests := []struct {
		name, event, response string // of the event, where it is another
		access                bool
		want                  string
	}{
		{"version 1", v1, "", false, `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"old_id":"5e1f-ann"}}}`},
		{"version 1 has no access tokens", v1, "", true, `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"old_id":"5e1f-ann"}}}`},
		{"version 1, empty", v1, `{}`, false, `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"old_id":"5e1f-ann"}}}`},
		{"version 1, others' claims", v1, `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"a":"b"},"claimsToSuppress":["email"],"later":7}}`, false,
			`{"claimsOverrideDetails":{"claimsToAddOrOverride":{"a":"b","old_id":"5e1f-ann"},"claimsToSuppress":["email"],"later":7}}`},
		{"groups stay", v1, `{"claimsOverrideDetails":{"groupOverrideDetails":null}}`, false, `{"claimsOverrideDetails":{"claimsToAddOrOverride":{"old_id":"5e1f-ann"}}}`},
		{"version 2", v2, "", false, id},
		{"version 2, access tokens", v2, "", true, both},
		{"version 3", v3, "", false, id},
		{"version 3, access tokens", v3, "", true, both},
		{"version 2, empty", v2, `{}`, false, id},
		{"version 2, others' claims", v2, `{"claimsAndScopeOverrideDetails":{"accessTokenGeneration":{"scopesToAdd":["x"],"claimsToAddOrOverride":null},"groupOverrideDetails":{}},"later":1}`, true,
			`{"claimsAndScopeOverrideDetails":{"idTokenGeneration":{"claimsToAddOrOverride":{"old_id":"5e1f-ann"}},"accessTokenGeneration":{"scopesToAdd":["x"],"claimsToAddOrOverride":{"old_id":"5e1f-ann"}}},"later":1}`},
		{"the member says which, not the version", v1, `{"claimsAndScopeOverrideDetails":{}}`, false, id},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			event := tt.event
			if tt.response != "" {
				event = event[:strings.LastIndex(event, `"response"`)] + `"response":` + tt.response + `}`
			}
			answer, err := hook.NewClaim(hook.ClaimOptions{Name: "old_id", AccessToken: tt.access}).Handle(t.Context(), []byte(event))
			if err != nil {
				t.Fatal(err)
			}
			want := object(t, []byte(event))
			want["response"] = object(t, []byte(tt.want))
			if diff := cmp.Diff(want, object(t, answer)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNothingToClaim: an event goes back as it was where there is nothing to say.
func TestNothingToClaim(t *testing.T) {
	v1 := string(recorded(t)["token-v1.json"])
	for _, event := range []string{
		string(recorded(t)["token-client-credentials.json"]), strings.ReplaceAll(v1, "custom:legacy_sub", "custom:else"),
		strings.ReplaceAll(v1, `"custom:legacy_sub": "5e1f-ann"`, `"custom:legacy_sub": 7`),
		strings.ReplaceAll(v1, `{"claimsOverrideDetails": null}`, `7`), strings.ReplaceAll(v1, `{"claimsOverrideDetails": null}`, `{"claimsOverrideDetails":[]}`),
		strings.ReplaceAll(v1, `{"claimsOverrideDetails": null}`, `{"claimsOverrideDetails":{"claimsToAddOrOverride":"x"}}`), "", "null", "\xff",
	} {
		answer, err := hook.NewClaim(hook.ClaimOptions{Name: hook.DefaultClaim}).Handle(t.Context(), []byte(event))
		if err != nil || string(answer) != event {
			t.Errorf("%s: %s, %v", event, answer, err)
		}
	}
}

func TestCheckClaim(t *testing.T) {
	for _, name := range []string{hook.DefaultClaim, "old-id", "https://example.com/claims/sub"} {
		if err := hook.CheckClaim(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "sub", "cognito:username", "cognito:legacy", "email", "custom:legacy_sub", "scope", "dev:x", "with space", "-x", strings.Repeat("x", 129)} {
		if hook.CheckClaim(name) == nil {
			t.Errorf("%q will do", name)
		}
	}
}

// FuzzClaim feeds anything: what goes back is the event, with a claim more or
// without, and no word about groups that was not there.
func FuzzClaim(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(recorded(f))) {
		f.Add(recorded(f)[name])
	}
	f.Add([]byte(`{"version":"2","request":{"userAttributes":{"custom:legacy_sub":"x"}},"response":{"claimsAndScopeOverrideDetails":{"idTokenGeneration":[]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		answer, err := hook.NewClaim(hook.ClaimOptions{Name: hook.DefaultClaim, AccessToken: true}).Handle(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		if string(answer) == string(data) {
			return
		}
		sent, got := map[string]json.RawMessage{}, map[string]json.RawMessage{}
		if json.Unmarshal(data, &sent) != nil || json.Unmarshal(answer, &got) != nil {
			t.Fatalf("%s for %s", answer, data)
		}
		var details struct {
			V1, V2 map[string]json.RawMessage
		}
		var response map[string]json.RawMessage
		if err := json.Unmarshal(got["response"], &response); err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal(response["claimsOverrideDetails"], &details.V1)
		_ = json.Unmarshal(response["claimsAndScopeOverrideDetails"], &details.V2)
		added := details.V1
		if details.V2 != nil {
			added = details.V2
		}
		if _, is := added["groupOverrideDetails"]; is || added == nil {
			t.Errorf("response %s", got["response"])
		}
		delete(sent, "response")
		delete(got, "response")
		if len(sent) != len(got) {
			t.Errorf("%s for %s", answer, data)
		}
	})
}
