package workflow

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"poolferry/internal/fault"
)

// Status is what became of an execution.
type Status string

// The statuses, as Step Functions calls them.
const (
	Running   Status = "RUNNING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	TimedOut  Status = "TIMED_OUT"
	Aborted   Status = "ABORTED"
)

// Execution is a STANDARD execution as it now is.
type Execution struct {
	ARN     string
	Name    string
	Status  Status
	Started time.Time
	Ended   time.Time // zero while it runs
	Output  string    // JSON; empty unless it succeeded
	Error   string    // name; empty unless it failed
	Cause   string
}

// Ended reports whether nothing more will happen.
func (s Status) Ended() bool { return s != Running }

// Arrival is a state that an execution has entered.
type Arrival struct {
	Event int64 // number in the execution's history
	At    time.Time
	State string
}

// ExecutionOf returns the ARN of the execution of a name.
func (w *Workflows) ExecutionOf(ctx context.Context, definition, name string) (string, error) {
	return w.arn(ctx, "execution", Name(w.run, definition)+":"+name)
}

// Describe returns an execution as it now is. The error is of kind NotFound where
// there is none: Step Functions forgets an execution 90 days after its end.
func (w *Workflows) Describe(ctx context.Context, arn string) (Execution, error) {
	out, err := w.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	if err != nil {
		return Execution{}, fault.New(kindOf(err), "describe %s: %w", arn, err)
	}
	return Execution{
		ARN: arn, Name: aws.ToString(out.Name), Status: Status(out.Status),
		Started: aws.ToTime(out.StartDate).UTC(), Ended: aws.ToTime(out.StopDate).UTC(),
		Output: aws.ToString(out.Output), Error: aws.ToString(out.Error), Cause: aws.ToString(out.Cause),
	}, nil
}

// Arrivals returns the states that an execution has entered after an event of its
// history, 0 for all of them, in order. The children of a Distributed Map are
// executions of their own and not among them.
func (w *Workflows) Arrivals(ctx context.Context, arn string, after int64) ([]Arrival, error) {
	// From the end, because a look that follows another one wants little of it.
	pages := sfn.NewGetExecutionHistoryPaginator(w.client, &sfn.GetExecutionHistoryInput{
		ExecutionArn: &arn, ReverseOrder: true, IncludeExecutionData: aws.Bool(false), MaxResults: historyPage,
	})
	var found []Arrival
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fault.New(kindOf(err), "history of %s: %w", arn, err)
		}
		for _, event := range page.Events {
			if event.Id <= after {
				slices.Reverse(found)
				return found, nil
			}
			if state := entered(event); state != "" {
				found = append(found, Arrival{Event: event.Id, At: aws.ToTime(event.Timestamp).UTC(), State: state})
			}
		}
	}
	slices.Reverse(found)
	return found, nil
}

const historyPage = 100

func entered(event types.HistoryEvent) string {
	if event.StateEnteredEventDetails == nil {
		return ""
	}
	return aws.ToString(event.StateEnteredEventDetails.Name)
}

// tries is how many looks in a row may fail for a reason that passes.
const tries = 5

// Follow looks at an execution every interval until it has ended, and returns it
// as it then is. After each look see is told the states that were entered since
// the one before; what it returns ends the following. The error is that of the
// context where that ends first: the execution goes on without anybody who
// follows it.
func (w *Workflows) Follow(ctx context.Context, arn string, interval time.Duration, see func(Execution, []Arrival) error) (Execution, error) {
	return follow(ctx, w, arn, interval, see)
}

// looker is what follow needs of Workflows.
type looker interface {
	Describe(ctx context.Context, arn string) (Execution, error)
	Arrivals(ctx context.Context, arn string, after int64) ([]Arrival, error)
}

func follow(ctx context.Context, l looker, arn string, interval time.Duration, see func(Execution, []Arrival) error) (Execution, error) {
	var (
		last   Execution
		seen   int64
		failed int
	)
	for {
		now, arrivals, err := look(ctx, l, arn, seen)
		kind := fault.KindOf(err)
		switch {
		case ctx.Err() != nil:
			return last, ctx.Err()
		case err != nil && (kind == fault.Throttled || kind == fault.Unavailable):
			if failed++; failed == tries {
				return last, fmt.Errorf("%d looks in a row failed: %w", tries, err)
			}
		case err != nil:
			return last, err
		default:
			last, failed = now, 0
			if n := len(arrivals); n > 0 {
				seen = arrivals[n-1].Event
			}
			if err := see(now, arrivals); err != nil || now.Status.Ended() {
				return now, err
			}
		}
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-time.After(interval):
		}
	}
}

// look describes first: what is entered in between is seen at the next look, and
// nothing is entered after the end.
func look(ctx context.Context, l looker, arn string, after int64) (Execution, []Arrival, error) {
	now, err := l.Describe(ctx, arn)
	if err != nil {
		return now, nil, err
	}
	arrivals, err := l.Arrivals(ctx, arn, after)
	return now, arrivals, err
}
