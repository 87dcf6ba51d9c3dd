package interop_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestStatesGaps: aws-local-stepfunctions 3.0.0 does some things otherwise than
// AWS. For those that the definitions meet states.mjs makes up, and for nothing
// else; the others the definitions must not come to need, or TestStatesAgree
// would blame us. Where a gap is closed its row fails.
func TestStatesGaps(t *testing.T) {
	nodeWith(t, "aws-local-stepfunctions", "@aws-sdk/client-lambda")
	const machine = "arn:aws:states:eu-central-1:222222222222:stateMachine:m"
	for _, g := range []struct {
		name, aws  string
		met        bool // by the definitions
		definition string
		context    string // of the execution
		there      func(e execution, asked string) bool
	}{
		{
			name: "no integrations", met: true, aws: "lambda:invoke invokes Parameters.FunctionName",
			definition: `{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "End": true}`,
			there: func(e execution, asked string) bool {
				return e.Error == "ResourceNotFoundException" && strings.HasSuffix(asked, "/functions/arn:aws:states:::lambda:invoke/invocations")
			},
		},
		{
			name: "no ids in the context object", met: true, aws: "$$.StateMachine.Id and $$.Execution.Id are the ARNs",
			definition: `{"Type": "Pass", "Parameters": {"machine.$": "$$.StateMachine.Id"}, "End": true}`,
			there:      func(e execution, _ string) bool { return e.Error == "States.Runtime" },
		},
		{
			name: "no item in the context object of an iteration", aws: "$$.Map.Item is there in every state of it, not only in the ItemSelector",
			definition: `{"Type": "Map", "ItemsPath": "$.items", "End": true, "ItemProcessor": {"StartAt": "A", "States": {
				"A": {"Type": "Pass", "Parameters": {"item.$": "$$.Map.Item.Value"}, "End": true}}}}`,
			context: `{"StateMachine": {"Id": "` + machine + `"}}`,
			there:   func(e execution, _ string) bool { return e.Error == "States.Runtime" },
		},
		{
			name: "an iteration's input is that of the execution", aws: "$$.Execution.Input is that of the whole execution everywhere",
			definition: `{"Type": "Map", "ItemsPath": "$.items", "End": true, "ItemProcessor": {"StartAt": "A", "States": {
				"A": {"Type": "Pass", "Parameters": {"input.$": "$$.Execution.Input"}, "End": true}}}}`,
			there: func(e execution, _ string) bool {
				return string(marshal(t, e.Output)) == `[{"input":1}]`
			},
		},
	} {
		t.Run(g.name, func(t *testing.T) {
			var asked string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.Path
				w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
				w.WriteHeader(http.StatusNotFound)
				_, _ = w.Write([]byte(`{"message":"there is none"}`))
			}))
			defer server.Close()
			request := map[string]any{
				"definition": json.RawMessage(`{"StartAt": "S", "States": {"S": ` + g.definition + `}}`), "input": map[string]any{"items": []int{1}},
			}
			if g.context != "" {
				request["context"] = json.RawMessage(g.context)
			}
			e, _ := interpret(t, request, "AWS_ENDPOINT_URL="+server.URL, "AWS_REGION=eu-central-1",
				"AWS_ACCESS_KEY_ID=AKIANOBODY0000000000", "AWS_SECRET_ACCESS_KEY=checks-this")
			if !g.there(e, asked) {
				next := ""
				if g.met {
					next = ", and what states.mjs does about it"
				}
				t.Errorf("this gap of aws-local-stepfunctions is closed: remove the row%s; on AWS %s\n%+v, asked for %q", next, g.aws, e, asked)
			}
		})
	}
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
