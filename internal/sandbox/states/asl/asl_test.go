package asl

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// known are the integrations of these tests.
type known struct{}

func (known) Parameters(resource string) (required, optional []string, ok bool) {
	return []string{"FunctionName"}, []string{"Payload"}, resource == "lambda:invoke"
}

func (known) Objects() bool { return true }

// states wraps states into a machine that starts at A.
func states(text string) string { return `{"StartAt":"A","States":{` + text + `}}` }

const (
	end      = `"End":true`
	function = `"Resource":"arn:aws:lambda:eu-central-1:444455556666:function:f"`
)

func task(fields string) string {
	return states(`"A":{"Type":"Task",` + function + `,` + end + `,` + fields + `}`)
}

// mapped is a Map with further fields, each with a comma behind it.
func mapped(config, fields string) string {
	return states(`"A":{"Type":"Map","End":true,` + fields + `"ItemProcessor":{"ProcessorConfig":{` + config + `},"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`)
}

func distributed(fields string) string {
	return mapped(`"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"`, fields)
}

func TestRefusals(t *testing.T) {
	tests := []struct{ definition, want string }{
		{``, `SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object`},
		{` `, `SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object`},
		{`[]`, `SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object`},
		{`{`, `INVALID_JSON_DESCRIPTION: Unexpected end-of-input`},
		{`{}`, `SCHEMA_VALIDATION_FAILED: Missing required field 'StartAt', SCHEMA_VALIDATION_FAILED: Missing required field 'States'`},
		{states(``), `The state machine must have at least one state at /States`},
		{`{"StartAt":"A","States":[]}`, `Expected value of type [Object] at /States`},
		{`{"StartAt":1,"States":{}}`, `Expected value of type [String] at /StartAt`},
		{`{"StartAt":"A","Version":"2.0","States":{"A":{"Type":"Succeed"}}}`, `Value must be '1.0' at /Version`},
		{`{"StartAt":"A","Nonsense":1,"States":{"A":{"Type":"Succeed"}}}`, `Field 'Nonsense' is not supported`},
		{`{"StartAt":"A","QueryLanguage":"SQL","States":{"A":{"Type":"Succeed"}}}`, `at /QueryLanguage`},
		{`{"StartAt":"A","TimeoutSeconds":0,"States":{"A":{"Type":"Succeed"}}}`, `at /TimeoutSeconds`},
		{states(`"A":{"Type":"Nope"}`), `at /States/A/Type`},
		{states(`"A":{}`), `Missing required field 'Type' at /States/A`},
		{states(`"A":1`), `Expected value of type [Object] at /States/A`},
		{states(`"` + strings.Repeat("n", 81) + `":{"Type":"Succeed"}`), `must not be longer than 80 characters`},
		{states(`"A":{"Type":"Pass"}`), `Exactly one of 'Next' and 'End' is required at /States/A`},
		{states(`"A":{"Type":"Pass","End":true,"Next":"A"}`), `Exactly one of 'Next' and 'End' is required at /States/A`},
		{states(`"A":{"Type":"Pass","End":true,"TimeoutSeconds":1}`), `Field 'TimeoutSeconds' is not supported at /States/A`},
		{states(`"A":{"Type":"Wait","Seconds":1,"End":true,"Retry":[]}`), `Field 'Retry' is not supported at /States/A`},
		{states(`"A":{"Type":"Pass","End":true,"Output":{}}`), `The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/A`},
		{states(`"A":{"Type":"Pass","End":true,"InputPath":"x"}`), `Value must be a valid JSONPath. at /States/A/InputPath`},
		{states(`"A":{"Type":"Pass","End":true,"ResultPath":"$.a[*]"}`), `Value must be a valid JSONPath. at /States/A/ResultPath`},
		{states(`"A":{"Type":"Pass","End":true,"Parameters":{"x":[{"y.$":"z"}]}}`), `The value for the field 'y.$' must be a valid JSONPath or a valid intrinsic function call at /States/A/Parameters`},
		{states(`"A":{"Type":"Pass","End":true,"Assign":{"1x":1}}`), `'1x' is not a valid variable name at /States/A/Assign`},
		{states(`"A":{"Type":"Pass","End":true,"Assign":{"states":1}}`), `'states' is not a valid variable name at /States/A/Assign`},
		{states(`"A":{"Type":"Pass","End":true,"Assign":[]}`), `Expected value of type [Object] at /States/A/Assign`},
		{states(`"A":{"Type":"Wait","End":true}`), `is required at /States/A`},
		{states(`"A":{"Type":"Wait","End":true,"Seconds":1,"SecondsPath":"$.a"}`), `at /States/A`},
		{states(`"A":{"Type":"Wait","End":true,"Seconds":-1}`), `at /States/A/Seconds`},
		{states(`"A":{"Type":"Wait","End":true,"Seconds":1.5}`), `Expected value of type [Integer] at /States/A/Seconds`},
		{states(`"A":{"Type":"Wait","End":true,"Timestamp":"tomorrow"}`), `String does not match RFC3339 timestamp at /States/A/Timestamp`},
		{states(`"A":{"Type":"Fail","Error":"E","ErrorPath":"$.e"}`), `Only one of 'Error' and 'ErrorPath' is allowed at /States/A`},
		{states(`"A":{"Type":"Fail","CausePath":"cause"}`), `at /States/A/CausePath`},
		{states(`"A":{"Type":"Choice","Choices":[]}`), `at /States/A/Choices`},
		{states(`"A":{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true}]}`), `Missing required field 'Next' at /States/A/Choices[0]`},
		{states(`"A":{"Type":"Choice","Choices":[{"And":[{"Variable":"a"}],"Next":"A"}]}`), `Value must be a valid JSONPath. at /States/A/Choices[0]/And[0]/Variable`},
		{states(`"A":{"Type":"Choice","Choices":[{"Condition":"{% true %}","Next":"A"}]}`), `field 'Condition' is only supported`},
		{states(`"A":{"Type":"Parallel","End":true,"Branches":[]}`), `at /States/A/Branches`},
		{states(`"A":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}]}`), `DUPLICATE_STATE_NAME: Duplicate State name: A`},
		{states(`"A":{"Type":"Map","End":true}`), `Missing required field 'ItemProcessor' at /States/A`},
		{states(`"A":{"Type":"Map","End":true,"ItemsPath":"$.a[*]","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`), `at /States/A/ItemsPath`},
		{states(`"A":{"Type":"Map","End":true,"MaxConcurrency":-1,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`), `at /States/A/MaxConcurrency`},
		{states(`"A":{"Type":"Map","End":true,"ItemProcessor":{"QueryLanguage":"JSONPath","StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`), `Field 'QueryLanguage' is not supported at /States/A/ItemProcessor`},
		{states(`"A":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","Next":"C"}}}}`), `Missing 'Next' target: C at /States/A/ItemProcessor/States/B/Next`},
		{states(`"A":{"Type":"Task","End":true}`), `Missing required field 'Resource' at /States/A`},
		{states(`"A":{"Type":"Task","End":true,"Resource":"f"}`), `Value is not a valid resource ARN at /States/A/Resource`},
		{states(`"A":{"Type":"Task","End":true,"Resource":"arn:aws:states:::lambda:invoke.later"}`), `Value is not a valid resource ARN at /States/A/Resource`},
		{states(`"A":{"Type":"Task","End":true,"Resource":"arn:aws:states:::lambda:invoke","Parameters":{}}`), `The field "FunctionName" is required but was missing at /States/A/Parameters`},
		{states(`"A":{"Type":"Task","End":true,"Resource":"arn:aws:states:::lambda:invoke","Parameters":[]}`), `Expected value of type [Object] at /States/A/Parameters`},
		{task(`"TimeoutSeconds":1,"TimeoutSecondsPath":"$.a"`), `Only one of 'TimeoutSeconds' and 'TimeoutSecondsPath' is allowed at /States/A`},
		{task(`"TimeoutSeconds":5,"HeartbeatSeconds":5`), `at /States/A`},
		{task(`"ResultSelector":1`), `at /States/A/ResultSelector`},
		{task(`"Retry":[{}]`), `Missing required field 'ErrorEquals' at /States/A/Retry[0]`},
		{task(`"Retry":[{"ErrorEquals":["States.ALL"]},{"ErrorEquals":["E"]}]`), `States.ALL must appear alone`},
		{task(`"Retry":[{"ErrorEquals":["States.ALL","E"]}]`), `States.ALL must appear alone`},
		{task(`"Retry":[{"ErrorEquals":["E"],"IntervalSeconds":0}]`), `at /States/A/Retry[0]/IntervalSeconds`},
		{task(`"Retry":[{"ErrorEquals":["E"],"BackoffRate":0.5}]`), `at /States/A/Retry[0]/BackoffRate`},
		{task(`"Retry":[{"ErrorEquals":["E"],"IntervalSeconds":5,"MaxDelaySeconds":5}]`), `'MaxDelaySeconds' must be greater`},
		{task(`"Retry":[{"ErrorEquals":["E"],"JitterStrategy":"SOME"}]`), `at /States/A/Retry[0]/JitterStrategy`},
		{task(`"Retry":[{"ErrorEquals":[1]}]`), `at /States/A/Retry[0]/ErrorEquals[0]`},
		{task(`"Retry":{}`), `Expected value of type [Array] at /States/A/Retry`},
		{task(`"Retry":[{"ErrorEquals":["E"],"Attempts":1}]`), `Field 'Attempts' is not supported at /States/A/Retry[0]`},
		{task(`"Catch":[{"ErrorEquals":["E"]}]`), `Missing required field 'Next' at /States/A/Catch[0]`},
		{task(`"Catch":[{"ErrorEquals":["E"],"Next":"B"}]`), `MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Catch[0]/Next`},
		{`{"StartAt":"B","States":{"A":{"Type":"Succeed"}}}`, `MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /StartAt`},
		{states(`"A":{"Type":"Succeed"},"B":{"Type":"Succeed"}`), `MISSING_TRANSITION_TARGET: State "B" is not reachable. at /States/B`},
		{states(`"A":{"Type":"Pass","Next":"A"}`), `MISSING_END_STATE: Workflow has no terminal state`},
		{states(`"A":{"Type":"Pass","Next":"B"}`), `MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next, MISSING_END_STATE: Workflow has no terminal state`},
		{states(`"A":{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"X"}],"Default":"Y"},"B":{"Type":"Succeed"}`),
			`Missing 'Next' target: X at /States/A/Choices[0]/Next, MISSING_TRANSITION_TARGET: Missing 'Next' target: Y at /States/A/Default`},
		{states(`"A":{"Type":"Pass","Assign":{"x":1},"Next":"M"},"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","End":true,"Assign":{"x":2}}}}}`),
			`Variable 'x' is assigned in an outer scope at /States/M/ItemProcessor/States/B/Assign`},
		{`{"Comment":"` + strings.Repeat("x", 1<<20) + `"}`, `Definition must not be longer than`},
	}
	for _, tt := range tests {
		_, err := Parse([]byte(tt.definition), false, known{})
		if _, ok := errors.AsType[*DefinitionError](err); !ok || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.300s:\n got %v\nwant %s", tt.definition, err, tt.want)
		}
	}
}

func TestDistributedRefusals(t *testing.T) {
	reader := func(fields string) string { return `"ItemReader":{` + fields + `},` }
	config := func(config string) string {
		return reader(`"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key":"k"},"ReaderConfig":{` + config + `}`)
	}
	writer := func(fields string) string { return `"ResultWriter":{` + fields + `},` }
	const put = `"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b"}`
	tests := []struct{ definition, want string }{
		{mapped(`"Mode":"DISTRIBUTED"`, ``), `Missing required field 'ExecutionType' at /States/A/ItemProcessor/ProcessorConfig`},
		{mapped(`"Mode":"DISTRIBUTED","ExecutionType":"FAST"`, ``), `Value is not one of [STANDARD, EXPRESS] at /States/A/ItemProcessor/ProcessorConfig/ExecutionType`},
		{mapped(`"Mode":"SPREAD"`, ``), `Value is not one of [INLINE, DISTRIBUTED] at /States/A/ItemProcessor/ProcessorConfig/Mode`},
		{mapped(`"Mode":"INLINE"`, `"ItemReader":{},`), `Field 'ItemReader' is not supported in 'INLINE' mode at /States/A`},
		{mapped(``, `"ToleratedFailureCountPath":"$.a",`), `Field 'ToleratedFailureCountPath' is not supported in 'INLINE' mode at /States/A`},
		{mapped(`"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS","Speed":1`, ``), `Field 'Speed' is not supported at /States/A/ItemProcessor/ProcessorConfig`},
		{distributed(`"Label":"",`), `1 to 40 characters and no special ones at /States/A/Label`},
		{distributed(`"Label":"a b",`), `at /States/A/Label`},
		{distributed(`"Label":"` + strings.Repeat("l", 41) + `",`), `at /States/A/Label`},
		{distributed(`"Label":7,`), `Expected value of type [String] at /States/A/Label`},
		{strings.Replace(distributed(`"Label":"l",`), `"States":{"B"`, `"States":{"C":{"Type":"Map","Label":"l","Next":"B","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"D","States":{"D":{"Type":"Succeed"}}}},"B"`, 1), `Value must be unique within the state machine definition`},
		{distributed(`"ToleratedFailureCount":-1,`), `at /States/A/ToleratedFailureCount`},
		{distributed(`"ToleratedFailureCount":1,"ToleratedFailureCountPath":"$.a",`), `Only one of 'ToleratedFailureCount' and 'ToleratedFailureCountPath' is allowed`},
		{distributed(`"ToleratedFailurePercentage":100.5,`), `Value must be between 0 and 100 at /States/A/ToleratedFailurePercentage`},
		{distributed(`"ToleratedFailurePercentage":"1",`), `Value must be between 0 and 100 at /States/A/ToleratedFailurePercentage`},
		{distributed(`"ToleratedFailurePercentage":1,"ToleratedFailurePercentagePath":"$.a",`), `Only one of 'ToleratedFailurePercentage' and 'ToleratedFailurePercentagePath' is allowed`},
		{distributed(reader(``)), `Missing required field 'Resource' at /States/A/ItemReader`},
		{distributed(`"ItemReader":1,`), `Expected value of type [Object] at /States/A/ItemReader`},
		{distributed(reader(`"Resource":"arn:aws:states:::s3:putObject"`)), `Value is not one of [arn:aws:states:::s3:getObject, arn:aws:states:::s3:listObjectsV2] at /States/A/ItemReader/Resource`},
		{distributed(reader(`"Resource":"arn:aws:states:::s3:listObjectsV2"`)), `Missing required field 'Parameters' at /States/A/ItemReader`},
		{distributed(reader(`"Resource":"arn:aws:states:::s3:listObjectsV2","Parameters":{"Prefix":"p"}`)), `The field "Bucket" is required but was missing at /States/A/ItemReader/Parameters`},
		{distributed(reader(`"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key":"k"}`)), `Missing required field 'ReaderConfig' at /States/A/ItemReader`},
		{distributed(config(``)), `Missing required field 'InputType' at /States/A/ItemReader/ReaderConfig`},
		{distributed(config(`"InputType":"XML"`)), `Value is not one of [CSV, JSON, JSONL, PARQUET, MANIFEST] at /States/A/ItemReader/ReaderConfig/InputType`},
		{distributed(config(`"InputType":"JSON","MaxItems":100000001`)), `Value must be between 0 and 100000000 at /States/A/ItemReader/ReaderConfig/MaxItems`},
		{distributed(config(`"InputType":"JSON","CSVHeaders":[]`)), `Field 'CSVHeaders' is not supported at /States/A/ItemReader/ReaderConfig`},
		{distributed(config(`"InputType":"JSON","Transformation":"LOAD_AND_FLATTEN"`)), `LOAD_AND_FLATTEN is only supported for arn:aws:states:::s3:listObjectsV2`},
		{distributed(config(`"InputType":"JSON","Transformation":"X"`)), `Value is not one of [NONE, LOAD_AND_FLATTEN]`},
		{distributed(config(`"InputType":"CSV"`)), `Missing required field 'CSVHeaderLocation'`},
		{distributed(config(`"InputType":"CSV","CSVHeaderLocation":"GIVEN"`)), `Missing required field 'CSVHeaders'`},
		{distributed(config(`"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":[1]`)), `Expected value of type [String] at /States/A/ItemReader/ReaderConfig/CSVHeaders[0]`},
		{distributed(config(`"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW","CSVDelimiter":";"`)), `Value is not one of [COMMA, PIPE, SEMICOLON, SPACE, TAB]`},
		{distributed(`"ItemBatcher":{},`), `At least one of 'MaxItemsPerBatch' and 'MaxInputBytesPerBatch' is required at /States/A/ItemBatcher`},
		{distributed(`"ItemBatcher":{"MaxItemsPerBatch":0},`), `at /States/A/ItemBatcher/MaxItemsPerBatch`},
		{distributed(`"ItemBatcher":{"MaxInputBytesPerBatch":262145},`), `Value must be between 1 and 262144 at /States/A/ItemBatcher/MaxInputBytesPerBatch`},
		{distributed(writer(``)), `Missing required field 'WriterConfig', or 'Resource' and 'Parameters' at /States/A/ResultWriter`},
		{distributed(writer(`"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b"}`)), `Value is not one of [arn:aws:states:::s3:putObject] at /States/A/ResultWriter/Resource`},
		{distributed(writer(`"Parameters":{"Bucket":"b"}`)), `Missing required field 'Resource' at /States/A/ResultWriter`},
		{distributed(writer(put + `,"WriterConfig":{}`)), `Missing required field 'Transformation' at /States/A/ResultWriter/WriterConfig`},
		{distributed(writer(put + `,"WriterConfig":{"Transformation":"ZIP"}`)), `Value is not one of [NONE, COMPACT, FLATTEN]`},
		{distributed(writer(put + `,"WriterConfig":{"Transformation":"NONE","OutputType":"CSV"}`)), `Value is not one of [JSON, JSONL]`},
		{strings.Replace(distributed(``), `"B":{"Type":"Succeed"}`, `"B":{"Type":"Task","End":true,"Resource":"arn:aws:states:::sns:publish.waitForTaskToken"}`, 1), `Express state machine does not support '.waitForTaskToken' service integration  at /States/A/ItemProcessor/States/B/Resource`},
	}
	for _, tt := range tests {
		_, err := Parse([]byte(tt.definition), false, known{})
		if _, ok := errors.AsType[*DefinitionError](err); !ok || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s:\n got %v\nwant %s", tt.definition, err, tt.want)
		}
	}
}

func TestDistributedReferences(t *testing.T) {
	m, err := Parse([]byte(distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:listObjectsV2","Parameters":{"Bucket.$":"$bucket"},"ReaderConfig":{"MaxItemsPath":"$most"}},
		"ItemBatcher":{"MaxItemsPerBatchPath":"$items","MaxInputBytesPerBatchPath":"$bytes","BatchInput":{"a.$":"$input"}},
		"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket.$":"$target"}},
		"ToleratedFailureCountPath":"$count","ToleratedFailurePercentagePath":"$percentage",`)), false, known{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"A": {"bucket", "bytes", "count", "input", "items", "most", "percentage", "target"}}
	if diff := cmp.Diff(want, m.References()); diff != "" {
		t.Error(diff)
	}
}

func TestExpressRefusals(t *testing.T) {
	tests := map[string]string{ // resource → message
		"arn:aws:states:eu-central-1:444455556666:activity:a": "Express state machine does not support Activity ARN at /States/A/Resource",
		"arn:aws:states:::states:startExecution.sync:2":       "Express state machine does not support '.sync' service integration at /States/A/Resource",
		"arn:aws:states:::sns:publish.waitForTaskToken":       "Express state machine does not support '.waitForTaskToken' service integration  at /States/A/Resource",
	}
	for resource, want := range tests {
		definition := []byte(states(`"A":{"Type":"Task","End":true,"Resource":"` + resource + `"}`))
		if _, err := Parse(definition, true, known{}); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", resource, err, want)
		}
		_, err := Parse(definition, false, known{})
		if missing, ok := errors.AsType[*UnsupportedError](err); !ok || missing.Field != "Resource "+resource {
			t.Errorf("%s: got %v, want it to be unsupported", resource, err)
		}
	}
}

func TestUnsupported(t *testing.T) {
	tests := map[string]string{ // definition → field and place
		distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key":"k"},"ReaderConfig":{"InputType":"PARQUET"}},`):                                "InputType PARQUET at /States/A/ItemReader/ReaderConfig/InputType",
		distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key":"k"},"ReaderConfig":{"InputType":"MANIFEST","ManifestType":"S3_INVENTORY"}},`): "ManifestType at /States/A/ItemReader/ReaderConfig/ManifestType",
		distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key":"k","VersionId":"v"},"ReaderConfig":{"InputType":"JSON"}},`):                   "parameter VersionId of ItemReader at /States/A/ItemReader/Parameters",
		distributed(`"ResultWriter":{"WriterConfig":{"Transformation":"FLATTEN","OutputType":"JSONL"}},`):                                                                                     "OutputType JSONL without Resource at /States/A/ResultWriter/WriterConfig/OutputType",
		states(`"A":{"Type":"Pass","QueryLanguage":"JSONata","End":true}`):                                                                                                                    "QueryLanguage JSONata at /States/A/QueryLanguage",
		`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Succeed"}}}`:                                                                                                         "QueryLanguage JSONata at /QueryLanguage",
		task(`"Credentials":{}`): "Credentials at /States/A/Credentials",
		states(`"A":{"Type":"Task","End":true,"Resource":"arn:aws:states:::sqs:sendMessage"}`):                                                   "Resource arn:aws:states:::sqs:sendMessage at /States/A/Resource",
		states(`"A":{"Type":"Task","End":true,"Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f","LogType.$":"$.t"}}`): "parameter LogType of lambda:invoke at /States/A/Parameters",
	}
	for definition, want := range tests {
		_, err := Parse([]byte(definition), false, known{})
		if _, ok := errors.AsType[*UnsupportedError](err); !ok || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", definition, err, want)
		}
	}
}

const full = `{
  "Comment": "every field", "StartAt": "P", "TimeoutSeconds": 60, "Version": "1.0", "QueryLanguage": "JSONPath",
  "States": {
    "P": {"Type": "Pass", "Comment": "c", "InputPath": "$.a", "Parameters": {"x.$": "$v1"}, "Result": 1, "ResultPath": "$.r", "OutputPath": null, "Assign": {"v1": 1, "v2.$": "$$.State.Name"}, "Next": "T"},
    "T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f", "Payload": {"y.$": "States.Array($v2)"}}, "ResultSelector": {"z.$": "$.Payload"},
      "TimeoutSecondsPath": "$v1", "HeartbeatSeconds": 3, "Retry": [{"Comment": "c", "ErrorEquals": ["E"], "IntervalSeconds": 2, "MaxAttempts": 0, "BackoffRate": 1.5, "MaxDelaySeconds": 9, "JitterStrategy": "FULL"}, {"ErrorEquals": ["States.ALL"]}],
      "Catch": [{"Comment": "c", "ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Assign": {"v1.$": "$.Error"}, "Next": "F"}], "Next": "C"},
    "C": {"Type": "Choice", "Choices": [{"Variable": "$v2", "IsNull": true, "Assign": {"v3": 1}, "Next": "W"}], "Assign": {"v3": 2}, "Default": "M"},
    "W": {"Type": "Wait", "SecondsPath": "$v3", "Next": "M"},
    "M": {"Type": "Map", "ItemsPath": "$v4.items", "ItemSelector": {"i.$": "$$.Map.Item.Value"}, "MaxConcurrencyPath": "$v5",
      "ItemProcessor": {"Comment": "c", "ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "MP", "States": {"MP": {"Type": "Pass", "Assign": {"inner.$": "$v1"}, "End": true}}}, "Next": "L"},
    "L": {"Type": "Parallel", "Parameters": {}, "Branches": [{"Comment": "c", "StartAt": "B1", "States": {"B1": {"Type": "Succeed"}}}, {"StartAt": "B2", "States": {"B2": {"Type": "Wait", "TimestampPath": "$until", "End": true}}}], "Next": "S"},
    "S": {"Type": "Succeed", "InputPath": "$.x", "OutputPath": "$v6"},
    "F": {"Type": "Fail", "ErrorPath": "$.Error", "CausePath": "States.Format('{}', $v7)"}
  }
}`

func TestParseAndReferences(t *testing.T) {
	m, err := Parse([]byte(full), true, known{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"P": {"v1"}, "T": {"v1", "v2"}, "C": {"v2"}, "W": {"v3"}, "M": {"v4", "v5"}, "MP": {"v1"}, "B2": {"until"}, "S": {"v6"}, "F": {"v7"},
	}
	if diff := cmp.Diff(want, m.References()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Retrier{
		{Errors: []string{"E"}, Interval: 2, BackoffRate: 1.5, MaxDelay: 9, FullJitter: true},
		{Errors: []string{"States.ALL"}, Interval: 1, MaxAttempts: 3, BackoffRate: 2},
	}, m.States["T"].Retry); diff != "" {
		t.Error(diff)
	}
	if got := fmt.Sprintf("%d %s %v %v", m.Timeout, m.StartAt, m.States["T"].Resource, m.States["P"].Output.Discard); got != "60 P {arn:aws:states:::lambda:invoke lambda:invoke} true" {
		t.Errorf("read %s", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full)
	f.Add(states(`"A":{"Type":"Pass","Next":"A"}`))
	f.Add(task(`"Retry":[{"ErrorEquals":["States.ALL"],"BackoffRate":1e400}]`))
	f.Add(distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key.$":"$k"},"ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["h"]}},
		"ItemBatcher":{"MaxItemsPerBatch":2,"BatchInput":{}},"ResultWriter":{"WriterConfig":{"Transformation":"FLATTEN"}},"Label":"l","ToleratedFailurePercentage":0.5,`))
	f.Fuzz(func(t *testing.T, definition string) {
		for _, express := range []bool{false, true} {
			m, err := Parse([]byte(definition), express, known{})
			if (m == nil) == (err == nil) {
				t.Errorf("%q: machine %v, error %v", definition, m, err)
			}
			if m != nil {
				m.References()
			}
		}
	})
}
