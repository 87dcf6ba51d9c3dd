package cloudwatch_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox"
	"poolferry/internal/sandbox/cloudwatch"
	"poolferry/internal/sandbox/wire"
)

const (
	account = "444455556666"
	region  = "eu-central-1"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// emf is a line with the metrics A (a number) and B (several).
func emf(at time.Time, run string, a float64, b string) []byte {
	return fmt.Appendf(nil, `{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"N","Dimensions":[["run"],["run","outcome"]],"Metrics":[{"Name":"A","Unit":"Count"},{"Name":"B"}]}]},"run":%q,"outcome":"x","A":%v,"B":%s}`+"\n",
		at.UnixMilli(), run, a, b)
}

// start serves a sandbox and returns a client of an operator with the actions.
func start(t *testing.T, actions string) (*cloudwatch.Service, *sdk.Client) {
	t.Helper()
	s := cloudwatch.New(cloudwatch.Options{Account: account, Region: region, Now: func() time.Time { return noon }})
	box := sandbox.New(sandbox.Options{})
	if err := box.Register(s); err != nil {
		t.Fatal(err)
	}
	user, err := box.IAM.AddUser(account, "ops", fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":"*"}}`, actions))
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := box.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	return s, sdk.New(sdk.Options{Region: region, BaseEndpoint: &endpoint, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey.Reveal(), "")})
}

func stat(id, name, statistic string, dimensions ...string) types.MetricDataQuery {
	m := types.Metric{Namespace: aws.String("N"), MetricName: &name}
	for i := 0; i < len(dimensions); i += 2 {
		m.Dimensions = append(m.Dimensions, types.Dimension{Name: &dimensions[i], Value: &dimensions[i+1]})
	}
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{Metric: &m, Period: aws.Int32(300), Stat: &statistic}}
}

func TestGetMetricData(t *testing.T) {
	s, client := start(t, "cloudwatch:GetMetricData")
	if n, err := s.Write(append(emf(noon.Add(-10*time.Minute), "r1", 1, "[1,2]"), emf(noon.Add(-9*time.Minute), "r1", 2, "3")...)); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	s.Take(emf(noon.Add(-2*time.Minute), "r1", 4, "5"))
	s.Take(emf(noon.Add(-2*time.Minute), "r2", 100, "5"))
	for _, ignored := range []string{
		"plain text", `{"level":"INFO"}`, `{"_aws":7}`, `{"_aws":{"Timestamp":1}}`,
		string(emf(noon.AddDate(0, 0, -15), "r1", 1000, "1")), // too old
		strings.Replace(string(emf(noon, "r1", 1000, "1")), `"run":"r1"`, `"run":7`, 1),
	} {
		s.Take([]byte(ignored))
	}
	in := &sdk.GetMetricDataInput{StartTime: aws.Time(noon.Add(-time.Hour)), EndTime: &noon, MetricDataQueries: []types.MetricDataQuery{
		stat("a", "A", "Sum", "run", "r1"), stat("b", "B", "SampleCount", "outcome", "x", "run", "r1"), stat("c", "B", "Maximum", "run", "r1"),
		stat("d", "B", "Minimum", "run", "r1"), stat("e", "B", "Average", "run", "r1"), stat("none", "A", "Sum", "run", "r3"),
	}}
	want := map[string][]float64{"a": {4, 3}, "b": {1, 3}, "c": {5, 3}, "d": {5, 1}, "e": {5, 2}, "none": {}}
	for _, most := range []int32{0, 1, 2, 3} {
		got := map[string][]float64{}
		if in.MaxDatapoints = nil; most > 0 {
			in.MaxDatapoints = &most
		}
		pages := 0
		for all := sdk.NewGetMetricDataPaginator(client, in); all.HasMorePages(); pages++ {
			page, err := all.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.MetricDataResults {
				if got[*r.Id] == nil {
					got[*r.Id] = []float64{}
				}
				got[*r.Id] = append(got[*r.Id], r.Values...)
				if len(r.Values) != len(r.Timestamps) {
					t.Errorf("%d values at %d times", len(r.Values), len(r.Timestamps))
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d points a page: %s", most, diff)
		}
		if most == 1 && pages < 10 {
			t.Errorf("%d pages", pages)
		}
	}
	in.MaxDatapoints, in.ScanBy = nil, types.ScanByTimestampAscending
	out, err := client.GetMetricData(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if a := out.MetricDataResults[0]; a.Values[0] != 3 || !a.Timestamps[0].Equal(noon.Add(-10*time.Minute)) {
		t.Errorf("ascending: %+v", a)
	}
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestRefusals(t *testing.T) {
	_, client := start(t, "cloudwatch:GetMetricData")
	for want, change := range map[string]func(*sdk.GetMetricDataInput){
		"ValidationError": func(in *sdk.GetMetricDataInput) { in.EndTime = in.StartTime },
		"ValidationError: ids": func(in *sdk.GetMetricDataInput) {
			in.MetricDataQueries = append(in.MetricDataQueries, in.MetricDataQueries...)
		},
		"ValidationError: period":               func(in *sdk.GetMetricDataInput) { in.MetricDataQueries[0].MetricStat.Period = aws.Int32(61) },
		"SandboxUnsupported: percentile":        func(in *sdk.GetMetricDataInput) { in.MetricDataQueries[0].MetricStat.Stat = aws.String("p99") },
		"SandboxUnsupported: expression":        func(in *sdk.GetMetricDataInput) { in.MetricDataQueries[0].Expression = aws.String("1+1") },
		"SandboxUnsupported: label options":     func(in *sdk.GetMetricDataInput) { in.LabelOptions = &types.LabelOptions{Timezone: aws.String("+0000")} },
		"ValidationError: made-up token":        func(in *sdk.GetMetricDataInput) { in.NextToken = aws.String("x") },
		"ValidationError: too many data points": func(in *sdk.GetMetricDataInput) { in.MaxDatapoints = aws.Int32(1_000_000) },
	} {
		in := &sdk.GetMetricDataInput{StartTime: aws.Time(noon.Add(-time.Hour)), EndTime: &noon, MetricDataQueries: []types.MetricDataQuery{stat("a", "A", "Sum")}}
		change(in)
		_, err := client.GetMetricData(t.Context(), in)
		if wanted, _, _ := strings.Cut(want, ":"); code(err) != wanted {
			t.Errorf("%s: %v", want, err)
		}
	}
	_, stranger := start(t, "cloudwatch:PutMetricData")
	in := &sdk.GetMetricDataInput{StartTime: aws.Time(noon.Add(-time.Hour)), EndTime: &noon, MetricDataQueries: []types.MetricDataQuery{stat("a", "A", "Sum")}}
	if _, err := stranger.GetMetricData(t.Context(), in); code(err) != "AccessDeniedException" {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := client.ListMetrics(t.Context(), &sdk.ListMetricsInput{}); code(err) != "SandboxUnsupported" {
		t.Errorf("another operation: %v", err)
	}
}

// FuzzTake: whatever is logged, and asked, there is an answer.
func FuzzTake(f *testing.F) {
	f.Add(emf(noon, "r", 1, "[1,2,3]"), []byte{0xa0})
	f.Add([]byte(`{"_aws":{"Timestamp":1795262400000,"CloudWatchMetrics":[{"Namespace":"N","Metrics":[{"Name":"A"}]}]},"A":null}`), []byte("x"))
	in, err := cbor.Marshal(map[string]any{"StartTime": noon.Add(-time.Hour).Unix(), "EndTime": noon.Unix(), "MetricDataQueries": []any{map[string]any{"Id": "a", "MetricStat": map[string]any{"Period": 60, "Stat": "Sum", "Metric": map[string]any{"Namespace": "N", "MetricName": "A"}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("{"), in)
	s := cloudwatch.New(cloudwatch.Options{Account: "a", Region: "r", Now: func() time.Time { return noon }})
	f.Fuzz(func(t *testing.T, line, body []byte) {
		s.Take(line)
		reply, err := s.Serve(t.Context(), &wire.Call{Operation: "GetMetricData", Account: "a", Region: "r", Body: body, Authorize: func(string, string) error { return nil }})
		if err == nil && cbor.Wellformed(reply.Body) != nil {
			t.Errorf("%x: %x", body, reply.Body)
		}
		if err != nil && wire.AsError(err).Status >= http.StatusInternalServerError {
			t.Errorf("%x is our bug: %v", body, err)
		}
	})
}
