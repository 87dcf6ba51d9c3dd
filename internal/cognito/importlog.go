package cognito

import (
	"context"
	"fmt"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"poolferry/internal/tail"
)

// Log yields the lines of a job's log, the first first. There are none where there
// is no log: a job that cannot write has none (Cognito Developer Guide, viewing
// the user pool import results). The name of a pool may have characters that the
// name of a log group may not: nobody says where its log is then.
func (i *Importer) Log(ctx context.Context, pool string, job tail.Job) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in := &cloudwatchlogs.GetLogEventsInput{
			LogGroupName:  aws.String("/aws/cognito/userpools/" + i.poolID + "/" + pool),
			LogStreamName: aws.String(job.ID + "/" + job.Name),
			StartFromHead: aws.Bool(true),
		}
		for {
			out, err := i.logs.GetLogEvents(ctx, in)
			switch Code(err) {
			case "ResourceNotFoundException", "InvalidParameterException":
				return
			}
			if err != nil {
				yield("", classify(fmt.Errorf("read the log of import job %s of pool %s: %w", job.ID, i.poolID, err)))
				return
			}
			for _, event := range out.Events {
				if !yield(aws.ToString(event.Message), nil) {
					return
				}
			}
			// A page may be empty and not be the last: that is the one whose token is
			// the one that was sent (CloudWatch Logs API reference, GetLogEvents).
			next := aws.ToString(out.NextForwardToken)
			if next == "" || next == aws.ToString(in.NextToken) {
				return
			}
			in.NextToken = &next
		}
	}
}
