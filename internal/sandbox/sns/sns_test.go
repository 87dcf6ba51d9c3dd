package sns_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"poolferry/internal/sandbox/sns"
)

func TestPublish(t *testing.T) {
	w := start(t)
	client := w.client(account, "ops", "sns:Publish", topic)
	first, err := client.Publish(t.Context(), &sdk.PublishInput{
		TopicArn: aws.String(topic), Subject: aws.String("ready for <cut-over> & more"), Message: aws.String("line 1\nline 2 – ü"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"run":  {DataType: aws.String("String"), StringValue: aws.String("2026-11")},
			"hash": {DataType: aws.String("Binary"), BinaryValue: []byte{1, 2, 255}},
		},
	})
	w.must(err)
	second, err := client.Publish(t.Context(), &sdk.PublishInput{TopicArn: aws.String(topic), Message: aws.String(`{"default":"x"}`), MessageStructure: aws.String("json")})
	w.must(err)
	want := []sns.Message{
		{ID: *first.MessageId, Subject: "ready for <cut-over> & more", Text: "line 1\nline 2 – ü", Attributes: map[string]sns.Attribute{
			"run": {Type: "String", Value: "2026-11"}, "hash": {Type: "Binary", Value: "AQL/"},
		}},
		{ID: *second.MessageId, Text: `{"default":"x"}`, Structure: "json"},
	}
	got := w.sns.Messages(topic)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sns.Message{}, "Time")); diff != "" {
		t.Error(diff)
	}
	if since := time.Since(got[1].Time); since < 0 || since > time.Minute || got[1].Time.Before(got[0].Time) {
		t.Errorf("published at %s and %s", got[0].Time, got[1].Time)
	}
}

func TestPublishRefuses(t *testing.T) {
	w := start(t)
	client := w.client(account, "ops", "sns:Publish", "*")
	text := func(n int) *string { return aws.String(strings.Repeat("ä", n/2)) }
	attribute := func(name, kind, value string) func(*sdk.PublishInput) {
		return func(in *sdk.PublishInput) {
			in.MessageAttributes = map[string]types.MessageAttributeValue{name: {DataType: &kind, StringValue: &value}}
		}
	}
	tests := []struct {
		name   string
		change func(*sdk.PublishInput)
		want   string
	}{
		{"as it should be", func(*sdk.PublishInput) {}, ""},
		{"largest", func(in *sdk.PublishInput) { in.Message = text(256 << 10) }, ""},
		{"too large", func(in *sdk.PublishInput) { in.Message = aws.String(*text(256 << 10) + "x") }, "400 InvalidParameter: Invalid parameter: Message too long"},
		{"too large with its attributes", func(in *sdk.PublishInput) {
			in.Message = text(256<<10 - 10)
			attribute("name", "String", "x")(in)
		}, "400 InvalidParameter: Invalid parameter: Message too long"},
		{"empty", func(in *sdk.PublishInput) { in.Message = aws.String("") }, "400 InvalidParameter: Invalid parameter: Empty message"},
		{"no UTF-8", func(in *sdk.PublishInput) { in.Message = aws.String("\xff") }, "400 InvalidParameter: Invalid parameter: Message"},
		{"longest subject", func(in *sdk.PublishInput) { in.Subject = text(200) }, ""},
		{"long subject", func(in *sdk.PublishInput) { in.Subject = text(202) }, "400 InvalidParameter: Invalid parameter: Subject"},
		{"subject of two lines", func(in *sdk.PublishInput) { in.Subject = aws.String("a\nb") }, "400 InvalidParameter: Invalid parameter: Subject"},
		{"empty subject", func(in *sdk.PublishInput) { in.Subject = aws.String("") }, "400 InvalidParameter: Invalid parameter: Subject"},
		{"structure", func(in *sdk.PublishInput) { in.MessageStructure = aws.String("xml") }, "400 InvalidParameter: Invalid parameter: MessageStructure"},
		{"structure without JSON", func(in *sdk.PublishInput) { in.MessageStructure = aws.String("json") }, "400 InvalidParameter: Invalid parameter: Message Structure - JSON message body failed to parse"},
		{"structure without default", func(in *sdk.PublishInput) {
			in.MessageStructure, in.Message = aws.String("json"), aws.String(`{"email":"x"}`)
		}, "400 InvalidParameter: Invalid parameter: Message Structure - No default entry in JSON message body"},
		{"attribute type", attribute("a", "Text", "x"), "400 ParameterValueInvalid: The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."},
		{"attribute name", attribute("a b", "String", "x"), "400 ParameterValueInvalid: The message attribute 'a b' has an invalid name."},
		{"attribute without value", attribute("a", "Number.int", ""), "400 ParameterValueInvalid: The message attribute 'a' must contain a non-empty message attribute value for its type."},
		{"unknown topic", func(in *sdk.PublishInput) { in.TopicArn = aws.String(topic + "x") }, "404 NotFound: Topic does not exist"},
		{"no ARN", func(in *sdk.PublishInput) { in.TopicArn = aws.String("ready") }, "400 InvalidParameter: Invalid parameter: TopicArn"},
		{"another region", func(in *sdk.PublishInput) { in.TopicArn = aws.String(strings.Replace(topic, region, "eu-west-1", 1)) }, "400 InvalidParameter: Invalid parameter: TopicArn"},
		{"phone", func(in *sdk.PublishInput) { in.TopicArn, in.PhoneNumber = nil, aws.String("+49123") }, `400 SandboxUnsupported: the poolferry sandbox does not support parameter "PhoneNumber"`},
		{"FIFO", func(in *sdk.PublishInput) { in.MessageGroupId = aws.String("g") }, `400 SandboxUnsupported: the poolferry sandbox does not support parameter "MessageGroupId"`},
	}
	kept := 0
	for _, tt := range tests {
		in := &sdk.PublishInput{TopicArn: aws.String(topic), Message: aws.String("hello")}
		tt.change(in)
		_, err := client.Publish(t.Context(), in)
		if got := failed(t, err); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if tt.want == "" {
			kept++
		}
	}
	if got := len(w.sns.Messages(topic)); got != kept {
		t.Errorf("%d messages are kept, want %d", got, kept)
	}
	_, err := client.PublishBatch(t.Context(), &sdk.PublishBatchInput{TopicArn: aws.String(topic), PublishBatchRequestEntries: []types.PublishBatchRequestEntry{{Id: aws.String("1"), Message: aws.String("x")}}})
	if got := failed(t, err); !strings.HasPrefix(got, "400 SandboxUnsupported") {
		t.Errorf("batch: %s", got)
	}
}

func TestPermissions(t *testing.T) {
	w := start(t)
	in := &sdk.PublishInput{TopicArn: aws.String(topic), Message: aws.String("hello")}
	_, err := w.client(account, "narrow", "sns:Publish", topic+"2").Publish(t.Context(), in)
	if refused, ok := errors.AsType[*types.AuthorizationErrorException](err); !ok || !strings.Contains(*refused.Message, "sns:Publish on resource: "+topic+" because no identity-based policy") {
		t.Errorf("got %v", err)
	}
	_, err = w.client(other, "stranger", "*", "*").Publish(t.Context(), in)
	if refused, ok := errors.AsType[*types.AuthorizationErrorException](err); !ok || !strings.Contains(*refused.Message, "no resource-based policy") {
		t.Errorf("got %v", err)
	}
	reader := w.client(account, "reader", "sns:Publish", topic)
	for name, call := range map[string]func() error{
		"CreateTopic": func() error {
			_, err := reader.CreateTopic(t.Context(), &sdk.CreateTopicInput{Name: aws.String("n")})
			return err
		},
		"DeleteTopic": func() error {
			_, err := reader.DeleteTopic(t.Context(), &sdk.DeleteTopicInput{TopicArn: aws.String(topic)})
			return err
		},
		"GetTopicAttributes": func() error {
			_, err := reader.GetTopicAttributes(t.Context(), &sdk.GetTopicAttributesInput{TopicArn: aws.String(topic)})
			return err
		},
		"ListTopics": func() error { _, err := reader.ListTopics(t.Context(), nil); return err },
	} {
		if got := failed(t, call()); !strings.HasPrefix(got, "403 AuthorizationError: ") || !strings.Contains(got, "sns:"+name) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if kept := w.sns.Messages(topic); len(kept) != 0 {
		t.Errorf("kept %v", kept)
	}
}

func TestTopics(t *testing.T) {
	w := start(t)
	ctx, client := t.Context(), w.client(account, "ops", "sns:*", "*")
	for range 2 {
		created, err := client.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("ready")})
		w.must(err)
		if *created.TopicArn != topic {
			t.Errorf("created %s", *created.TopicArn)
		}
	}
	described, err := client.GetTopicAttributes(ctx, &sdk.GetTopicAttributesInput{TopicArn: aws.String(topic)})
	w.must(err)
	if described.Attributes["TopicArn"] != topic || described.Attributes["Owner"] != account {
		t.Errorf("%v", described.Attributes)
	}
	want := []string{topic}
	for n := range 150 {
		created, err := client.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String(fmt.Sprintf("t%03d", n))})
		w.must(err)
		want = append(want, *created.TopicArn)
	}
	_, err = w.sns.CreateTopic(other, region, "theirs")
	w.must(err)
	var got []string
	pages := sdk.NewListTopicsPaginator(client, &sdk.ListTopicsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		w.must(err)
		if len(page.Topics) > 100 {
			t.Errorf("a page of %d", len(page.Topics))
		}
		for _, one := range page.Topics {
			got = append(got, *one.TopicArn)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		_, err = client.DeleteTopic(ctx, &sdk.DeleteTopicInput{TopicArn: aws.String(topic)})
		w.must(err)
	}
	tests := map[string]struct {
		call func() error
		want string
	}{
		"deleted": {func() error {
			_, err := client.GetTopicAttributes(ctx, &sdk.GetTopicAttributesInput{TopicArn: aws.String(topic)})
			return err
		}, "404 NotFound: Topic does not exist"},
		"no ARN": {func() error {
			_, err := client.DeleteTopic(ctx, &sdk.DeleteTopicInput{TopicArn: aws.String("ready")})
			return err
		}, "400 InvalidParameter: Invalid parameter: TopicArn"},
		"name": {func() error {
			_, err := client.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("a b")})
			return err
		}, "400 InvalidParameter: Invalid parameter: Topic Name"},
		"FIFO": {func() error {
			_, err := client.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("a.fifo")})
			return err
		}, `400 SandboxUnsupported: the poolferry sandbox does not support FIFO topic "a.fifo"`},
		"attributes": {func() error {
			_, err := client.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("a"), Attributes: map[string]string{"DisplayName": "x"}})
			return err
		}, "400 SandboxUnsupported"},
		"token": {func() error {
			_, err := client.ListTopics(ctx, &sdk.ListTopicsInput{NextToken: aws.String("999")})
			return err
		}, "400 InvalidParameter: Invalid parameter: NextToken"},
		"subscribe": {func() error {
			_, err := client.Subscribe(ctx, &sdk.SubscribeInput{TopicArn: aws.String(topic), Protocol: aws.String("email")})
			return err
		}, `400 SandboxUnsupported: the poolferry sandbox does not support SNS action "POST Subscribe"`},
	}
	for name, tt := range tests {
		if got := failed(t, tt.call()); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
