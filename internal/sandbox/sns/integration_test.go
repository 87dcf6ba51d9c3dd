package sns_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/sns"
	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/integration"
)

// task calls sns:publish with parameters, in a role that may publish to the
// topic alone.
func task(t *testing.T, s *sns.Service, parameters string) (any, error) {
	t.Helper()
	directory := iam.New(time.Now)
	role, err := directory.AddRole(account, "machine", []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"states.amazonaws.com"},"Action":"sts:AssumeRole"}}`),
		[]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sns:Publish","Resource":["`+topic+`","`+topic+`-gone"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	session, err := directory.Session(role, "states", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	caller, _, err := directory.Lookup(session.AccessKeyID, session.SessionToken.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	v, err := data.Parse([]byte(parameters))
	if err != nil {
		t.Fatal(err)
	}
	return s.Integrations()["sns:publish"].Call(t.Context(), integration.Request{
		Account: account, Region: region, Parameters: v.(map[string]any),
		Authorize: func(action, resource string) error { return directory.Authorize(caller, action, resource) },
	})
}

func service(t *testing.T) *sns.Service {
	t.Helper()
	s := sns.New(time.Now)
	if _, err := s.CreateTopic(account, region, "ready"); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestIntegration(t *testing.T) {
	s := service(t)
	answer, err := task(t, s, `{"TopicArn":"`+topic+`","Message":{"run":"r1","open":0},"Subject":"done","MessageAttributes":{"n":{"DataType":"Number","StringValue":"7"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	got := s.Messages(topic)
	want := []sns.Message{{Subject: "done", Text: `{"open":0,"run":"r1"}`, Attributes: map[string]sns.Attribute{"n": {Type: "Number", Value: "7"}}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sns.Message{}, "ID", "Time")); diff != "" {
		t.Error(diff)
	}
	members := answer.(map[string]any)
	metadata := members["SdkHttpMetadata"].(map[string]any)
	if members["MessageId"] != got[0].ID || metadata["HttpStatusCode"] != json.Number("200") || members["SdkResponseMetadata"] == nil || len(members) != 3 {
		t.Errorf("answered %v", answer)
	}
	if _, err := task(t, s, `{"TopicArn":"`+topic+`","Message":"{\"default\":\"x\"}","MessageStructure":"json"}`); err != nil {
		t.Error(err)
	}
	if got := s.Messages(topic); len(got) != 2 || got[1].Text != `{"default":"x"}` || got[1].Structure != "json" {
		t.Errorf("kept %v", got)
	}
}

func TestIntegrationFails(t *testing.T) {
	tests := map[string]struct{ parameters, name, cause string }{
		"unknown topic":     {`{"TopicArn":"` + topic + `-gone","Message":"x"}`, "SNS.NotFoundException", "Topic does not exist (Service: AmazonSNS; Status Code: 404; Error Code: NotFound; Request ID: "},
		"denied":            {`{"TopicArn":"` + topic + `2","Message":"x"}`, "SNS.AuthorizationErrorException", "is not authorized to perform: sns:Publish"},
		"invalid":           {`{"TopicArn":"` + topic + `","Message":"x","Subject":"a\nb"}`, "SNS.InvalidParameterException", "Invalid parameter: Subject"},
		"attribute":         {`{"TopicArn":"` + topic + `","Message":"x","MessageAttributes":{"a":{"DataType":"X","StringValue":"1"}}}`, "SNS.InvalidParameterValueException", "'a'"},
		"topic":             {`{"TopicArn":1,"Message":"x"}`, "States.Runtime", "TopicArn"},
		"subject":           {`{"TopicArn":"` + topic + `","Message":"x","Subject":1}`, "States.Runtime", "'Subject'"},
		"structure":         {`{"TopicArn":"` + topic + `","Message":"x","MessageStructure":{}}`, "States.Runtime", "'MessageStructure'"},
		"attributes":        {`{"TopicArn":"` + topic + `","Message":"x","MessageAttributes":[]}`, "States.Runtime", "'MessageAttributes'"},
		"attribute text":    {`{"TopicArn":"` + topic + `","Message":"x","MessageAttributes":{"a":"b"}}`, "States.Runtime", "'MessageAttributes.a'"},
		"attribute number":  {`{"TopicArn":"` + topic + `","Message":"x","MessageAttributes":{"a":{"DataType":"Number","StringValue":1}}}`, "States.Runtime", "'MessageAttributes.a.StringValue'"},
		"attribute unknown": {`{"TopicArn":"` + topic + `","Message":"x","MessageAttributes":{"a":{"Type":"Number"}}}`, "States.Runtime", "'MessageAttributes.a.Type' is not supported"},
	}
	for name, tt := range tests {
		s := service(t)
		_, err := task(t, s, tt.parameters)
		failed, ok := errors.AsType[*integration.Error](err)
		if !ok || failed.Name != tt.name || !strings.Contains(failed.Cause, tt.cause) {
			t.Errorf("%s: got %v, want %s: %s", name, err, tt.name, tt.cause)
		}
		if kept := s.Messages(topic); len(kept) != 0 {
			t.Errorf("%s: kept %v", name, kept)
		}
	}
}
