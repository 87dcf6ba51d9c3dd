package telemetry

import (
	"time"
)

// Namespace is the CloudWatch namespace of all metrics.
const Namespace = "Poolferry"

// The dimensions. There are no others: each combination of values is a metric
// of its own that is paid for.
const (
	dimensionRun     = "run"
	dimensionOutcome = "outcome"
)

// unit is a CloudWatch unit.
type unit string

const (
	count        unit = "Count"
	milliseconds unit = "Milliseconds"
	percent      unit = "Percent"
)

// metric is a metric's name and unit. The type is not exported and its names
// are constants or members of closed lists, so that no text from outside can
// become a metric.
type metric struct {
	Name string `json:"Name"`
	Unit unit   `json:"Unit"`
}

// datum is the value of a metric.
type datum struct {
	metric
	value float64
}

// directive lists metrics under the dimension sets in which they are counted.
type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []metric
}

// metricLine builds a line in the embedded metric format. Each group of data is
// counted under its own dimension sets; dims holds the values of all of them.
func metricLine(at time.Time, dims map[string]string, groups ...group) map[string]any {
	line := map[string]any{}
	for name, value := range dims {
		line[name] = value
	}
	var directives []directive
	for _, g := range groups {
		d := directive{Namespace: Namespace, Dimensions: g.sets}
		for _, datum := range g.data {
			d.Metrics = append(d.Metrics, datum.metric)
			line[datum.Name] = datum.value
		}
		directives = append(directives, d)
	}
	// There is no level member: Lambda's log level filter leaves such lines alone.
	line["_aws"] = map[string]any{"Timestamp": at.UnixMilli(), "CloudWatchMetrics": directives}
	return line
}

// group is data that share dimension sets.
type group struct {
	sets [][]string
	data []datum
}

// ms is d in milliseconds, to the microsecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
