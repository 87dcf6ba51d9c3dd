package workflow

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"poolferry/internal/fault"
)

// MapRun is what a Distributed Map of an execution has done so far.
type MapRun struct {
	Label   string // of the Map state
	Started time.Time
	Running bool
	Items   int
	Done    int
	Failed  int // timed out and aborted ones too
}

// LatestMapRun returns the Map Run that an execution has started last. The error
// is of kind NotFound where it has started none.
func (w *Workflows) LatestMapRun(ctx context.Context, arn string) (MapRun, error) {
	var latest *types.MapRunListItem
	// The order of the list is not documented (Step Functions API reference,
	// ListMapRuns).
	pages := sfn.NewListMapRunsPaginator(w.client, &sfn.ListMapRunsInput{ExecutionArn: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return MapRun{}, fault.New(kindOf(err), "list the Map Runs of %s: %w", arn, err)
		}
		for i, run := range page.MapRuns {
			if latest == nil || aws.ToTime(run.StartDate).After(aws.ToTime(latest.StartDate)) {
				latest = &page.MapRuns[i]
			}
		}
	}
	if latest == nil {
		return MapRun{}, fault.New(fault.NotFound, "%s has started no Map Run", arn)
	}
	out, err := w.client.DescribeMapRun(ctx, &sfn.DescribeMapRunInput{MapRunArn: latest.MapRunArn})
	if err != nil {
		return MapRun{}, fault.New(kindOf(err), "describe Map Run %s: %w", aws.ToString(latest.MapRunArn), err)
	}
	m := MapRun{Label: label(aws.ToString(latest.MapRunArn)), Started: aws.ToTime(out.StartDate).UTC(), Running: out.Status == types.MapRunStatusRunning}
	if c := out.ItemCounts; c != nil {
		m.Items, m.Done, m.Failed = int(c.Total), int(c.Succeeded), int(c.Failed+c.TimedOut+c.Aborted)
	}
	return m, nil
}

// label is that of the Map state in a Map Run's ARN, which ends with
// :mapRun:MACHINE/LABEL:ID.
func label(arn string) string {
	_, after, _ := strings.Cut(arn, ":mapRun:")
	_, after, _ = strings.Cut(after, "/")
	name, _, _ := strings.Cut(after, ":")
	return name
}
