// Package metrics reads back from CloudWatch what package telemetry writes.
//
// Vocabulary: a sum is that of all values of a metric of a run within a span of
// time.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"poolferry/internal/account"
	"poolferry/internal/cutover"
	"poolferry/internal/fault"
	"poolferry/internal/telemetry"
)

// limits: every call is quick, and repeating one does no harm.
var limits = account.Limits{Attempt: 10 * time.Second, Attempts: 4, Backoff: 2 * time.Second}

// period is that of the data points that are added up: a quarter of an hour, so
// that a day is a hundred of them.
const period = 15 * time.Minute

// Metrics are the metrics of a run.
type Metrics struct {
	client *cloudwatch.Client
	run    string
}

var _ cutover.Metrics = (*Metrics)(nil)

// New returns the metrics of a run in the region of its functions. No call is
// made.
func New(ctx context.Context, region, run string, env account.Environment) (*Metrics, error) {
	cfg, err := account.Load(ctx, region, env, limits)
	if err != nil {
		return nil, err
	}
	return &Metrics{client: cloudwatch.NewFromConfig(cfg), run: run}, nil
}

// Sums adds up metrics by their names: all values from the beginning of since's
// period to until. One that was never written is 0.
func (m *Metrics) Sums(ctx context.Context, since, until time.Time, names ...string) (map[string]float64, error) {
	since = since.UTC().Truncate(period)
	in := &cloudwatch.GetMetricDataInput{StartTime: &since, EndTime: &until}
	byID := map[string]string{}
	sums := map[string]float64{}
	for i, name := range names {
		id := fmt.Sprintf("m%d", i)
		byID[id], sums[name] = name, 0
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
			Metric: &types.Metric{Namespace: aws.String(telemetry.Namespace), MetricName: &name,
				Dimensions: []types.Dimension{{Name: aws.String("run"), Value: &m.run}}},
			Period: aws.Int32(int32(period / time.Second)), Stat: aws.String("Sum"),
		}})
	}
	for pages := cloudwatch.NewGetMetricDataPaginator(m.client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fault.New(kindOf(err), "read metrics of run %s: %w", m.run, err)
		}
		for _, r := range page.MetricDataResults {
			name, asked := byID[aws.ToString(r.Id)]
			if !asked || r.StatusCode == types.StatusCodeInternalError || r.StatusCode == types.StatusCodeForbidden {
				return nil, fault.New(fault.Unavailable, "read metrics of run %s: CloudWatch answers %s for %q", m.run, r.StatusCode, name)
			}
			for _, value := range r.Values {
				if math.IsNaN(value) || math.IsInf(value, 0) {
					return nil, fault.New(fault.Unavailable, "read metrics of run %s: CloudWatch answers with no number for %q", m.run, name)
				}
				sums[name] += value
			}
		}
	}
	return sums, nil
}

// kinds maps CloudWatch's error codes to what a caller can do about them. A code
// that is not here is Invalid if AWS blames the caller, otherwise Unavailable.
var kinds = map[string]fault.Kind{
	"AccessDenied":                fault.Denied,
	"AccessDeniedException":       fault.Denied,
	"ExpiredToken":                fault.Denied,
	"ExpiredTokenException":       fault.Denied,
	"InvalidClientTokenId":        fault.Denied,
	"SignatureDoesNotMatch":       fault.Denied,
	"UnrecognizedClientException": fault.Denied,
	"Throttling":                  fault.Throttled,
	"ThrottlingException":         fault.Throttled,
	"RequestLimitExceeded":        fault.Throttled,
}

func kindOf(err error) fault.Kind {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return fault.Unavailable // no answer at all
	}
	if kind, ok := kinds[api.ErrorCode()]; ok {
		return kind
	}
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && answer.HTTPStatusCode() >= http.StatusInternalServerError {
		return fault.Unavailable
	}
	return fault.Invalid
}
