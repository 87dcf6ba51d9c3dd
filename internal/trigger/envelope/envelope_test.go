package envelope_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/trigger/envelope"
)

const event = `{"version":"1","triggerSource":"PreSignUp_SignUp","userPoolId":"p","userName":"ann","callerContext":{"awsSdkVersion":"x","clientId":"c"},` +
	`"request":{"big":12345678901234567890,"password":"Canary-1!"},"response":{"old":true},"later":[null]}`

func TestAnswer(t *testing.T) {
	payload := []byte(event)
	kept := envelope.Keep(payload)
	clear(payload) // the runtime may use it again
	got, err := kept.Answer(map[string]int{"new": 1})
	if err != nil {
		t.Fatal(err)
	}
	var members, want map[string]json.RawMessage
	if json.Unmarshal(got, &members) != nil || json.Unmarshal([]byte(event), &want) != nil {
		t.Fatalf("%s", got)
	}
	want["response"] = json.RawMessage(`{"new":1}`)
	if diff := cmp.Diff(want, members); diff != "" {
		t.Error(diff)
	}
}

func TestRefusals(t *testing.T) {
	var h envelope.Header
	for name, err := range map[string]error{
		"not UTF-8":    envelope.Read("sign-up", []byte("{\"userName\":\"Canary\xff\"}"), &h),
		"another form": envelope.Read("sign-up", []byte(`{"userName":["Canary"]}`), &h),
		"no object":    answer(`["Canary"]`, nil),
		"null":         answer(`null`, nil),
		"torn":         answer(`{"Canary":`, nil),
		"no response":  answer(event, func() {}),
	} {
		if err == nil || strings.Contains(err.Error(), "Canary") {
			t.Errorf("%s: %v", name, err)
		}
		if kind := fault.KindOf(err); kind != fault.Invalid && name != "no response" {
			t.Errorf("%s: kind %s", name, kind)
		}
	}
}

func answer(text string, response any) error {
	_, err := envelope.Keep([]byte(text)).Answer(response)
	return err
}

func TestHeader(t *testing.T) {
	var h envelope.Header
	if err := envelope.Read("sign-up", []byte(event), &h); err != nil {
		t.Fatal(err)
	}
	if h.Version != "1" || h.TriggerSource != "PreSignUp_SignUp" || h.UserPoolID != "p" || h.UserName != "ann" || h.CallerContext.ClientID != "c" {
		t.Errorf("%+v", h)
	}
}

func TestNothingIsPrinted(t *testing.T) {
	kept := envelope.Keep([]byte(event))
	if text := fmt.Sprintf("%v %+v %#v %s %q", kept, kept, kept, kept, kept); strings.Contains(text, "Canary") {
		t.Error(text)
	}
}
