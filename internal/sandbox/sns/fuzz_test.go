package sns

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"poolferry/internal/sandbox/wire"
)

// serve sends a form as somebody who may do everything.
func serve(tb testing.TB, s *Service, method, form string) (string, error) {
	tb.Helper()
	operation, err := s.Operation(httptest.NewRequestWithContext(tb.Context(), method, "/", http.NoBody), []byte(form))
	if err != nil {
		return "", err
	}
	reply, err := s.Serve(tb.Context(), &wire.Call{
		Operation: operation, Account: "444455556666", Region: "eu-west-1", Body: []byte(form),
		Authorize: func(string, string) error { return nil },
	})
	if err != nil {
		return "", err
	}
	return string(reply.Body), nil
}

const publish = "Action=Publish&Version=2010-03-31&TopicArn=arn:aws:sns:eu-west-1:444455556666:t&Message=m"

func TestServe(t *testing.T) {
	const attribute = "&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=x"
	tests := []struct{ name, method, form, want string }{
		{"attribute", "POST", publish + attribute, ""},
		{"GET", "GET", publish, `SNS action "GET Publish"`},
		{"no action", "POST", "", "SandboxUnsupported"},
		{"malformed", "POST", "Action=%zz", "MalformedQueryString"},
		{"version", "POST", strings.Replace(publish, "2010", "2011", 1), `SNS version "2011-03-31"`},
		{"twice", "POST", publish + "&Message=n", "InvalidParameter: Invalid parameter: Message is there twice"},
		{"parameter of another operation", "POST", publish + "&NextToken=1", `parameter "NextToken"`},
		{"attribute left out", "POST", publish + strings.ReplaceAll(attribute, "entry.1", "entry.2"), "InvalidParameter: Invalid parameter: MessageAttributes"},
		{"attribute twice", "POST", publish + attribute + strings.ReplaceAll(attribute, "entry.1", "entry.2"), "InvalidParameter: Invalid parameter: MessageAttributes"},
		{"no base64", "POST", publish + "&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=Binary&MessageAttributes.entry.1.Value.BinaryValue=*", "ParameterValueInvalid"},
	}
	for _, tt := range tests {
		s := New(time.Now)
		if _, err := s.CreateTopic("444455556666", "eu-west-1", "t"); err != nil {
			t.Fatal(err)
		}
		_, err := serve(t, s, tt.method, tt.form)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func FuzzServe(f *testing.F) {
	f.Add(publish + "&Subject=s&MessageStructure=json")
	f.Add(publish + "&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=Binary&MessageAttributes.entry.1.Value.BinaryValue=AQ==")
	f.Add("Action=CreateTopic&Version=2010-03-31&Name=t2")
	f.Add("Action=ListTopics&Version=2010-03-31&NextToken=0")
	f.Fuzz(func(t *testing.T, form string) {
		s := New(time.Now)
		arn, err := s.CreateTopic("444455556666", "eu-west-1", "t")
		if err != nil {
			t.Fatal(err)
		}
		got, err := serve(t, s, "POST", form)
		switch {
		case err == nil && xml.Unmarshal([]byte(got), new(any)) != nil:
			t.Errorf("answered %q", got)
		case err != nil && wire.AsError(err).Status >= http.StatusInternalServerError:
			t.Errorf("%q is our bug: %v", form, err)
		}
		if kept := s.Messages(arn); (err != nil) && len(kept) != 0 {
			t.Errorf("%q was refused and kept: %v", form, kept)
		}
	})
}
