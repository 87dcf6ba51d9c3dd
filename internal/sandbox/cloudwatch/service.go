package cloudwatch

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"poolferry/internal/sandbox/wire"
)

const (
	signingName = "monitoring"
	model       = "GraniteServiceVersion20100801"
	opData      = "GetMetricData"
)

// Options say whose metrics are taken.
type Options struct {
	Account string // of the functions whose lines are taken
	Region  string
	Now     func() time.Time // nil means time.Now
}

// Service is CloudWatch. Everything that it takes belongs to one account and
// region; elsewhere there is nothing. It is safe for concurrent use.
type Service struct {
	o   Options
	now func() time.Time

	mu     sync.Mutex
	series map[string]map[int64]cell // by seriesKey and the second at which a minute begins
}

var _ wire.Service = (*Service)(nil)

// New returns a Service without metrics.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{o: o, now: o.Now, series: map[string]map[int64]cell{}}
}

// Name is the signing name.
func (*Service) Name() string { return signingName }

// Protocol is RPC v2 with CBOR, which is what SDKs speak to CloudWatch.
func (*Service) Protocol() wire.Protocol { return wire.RPCv2CBOR }

// Home finds nothing: every call must be signed.
func (*Service) Home(string, []byte) (account, region string, ok bool) { return "", "", false }

// Quota is that of GetMetricData (CloudWatch User Guide, quotas).
func (*Service) Quota(operation string) (category string, perSecond float64) { return operation, 50 }

// Operations are those of the API that are served.
func (*Service) Operations() []string { return []string{opData} }

// Operation reads the path.
func (*Service) Operation(r *http.Request, _ []byte) (string, error) {
	if name, ok := wire.RPCv2(r, model); ok && name == opData {
		return name, nil
	}
	return "", wire.Unsupported("operation", r.URL.Path)
}

// dataInput is GetMetricDataInput.
type dataInput struct {
	StartTime         time.Time
	EndTime           time.Time
	MetricDataQueries []query
	MaxDatapoints     int
	NextToken         string
	ScanBy            string
}

type query struct {
	Id         string
	Label      string
	ReturnData *bool
	MetricStat *struct {
		Metric struct {
			Namespace  string
			MetricName string
			Dimensions []dimension
		}
		Period int64
		Stat   string
	}
}

type dataOutput struct {
	MetricDataResults []result
	Messages          []string // never any
	NextToken         string   `cbor:",omitempty"`
}

type result struct {
	Id         string
	Label      string
	StatusCode string
	Timestamps []time.Time
	Values     []float64
}

// maxPoints is how many data points a call returns at most (GetMetricData
// reference).
const maxPoints = 100_800

// statistics are those that cells can tell.
var statistics = map[string]func(cell) float64{
	"Sum":         func(c cell) float64 { return c.sum },
	"SampleCount": func(c cell) float64 { return c.count },
	"Average":     func(c cell) float64 { return c.sum / c.count },
	"Minimum":     func(c cell) float64 { return c.least },
	"Maximum":     func(c cell) float64 { return c.most },
}

// Serve answers GetMetricData.
func (s *Service) Serve(_ context.Context, call *wire.Call) (*wire.Reply, error) {
	var in dataInput
	if err := wire.DecodeCBOR(call.Body, &in); err != nil {
		return nil, err
	}
	if err := call.Authorize("cloudwatch:"+opData, "*"); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	from := 0
	if in.NextToken != "" {
		var err error
		if from, err = strconv.Atoi(in.NextToken); err != nil || from < 1 {
			return nil, invalid("The NextToken is not valid")
		}
	}
	left, passed := in.MaxDatapoints, 0
	if left == 0 {
		left = maxPoints
	}
	out := dataOutput{MetricDataResults: []result{}, Messages: []string{}}
	for _, q := range in.MetricDataQueries {
		if q.ReturnData != nil && !*q.ReturnData {
			continue
		}
		r := result{Id: q.Id, Label: q.Label, StatusCode: "Complete", Timestamps: []time.Time{}, Values: []float64{}}
		if r.Label == "" {
			r.Label = q.MetricStat.Metric.MetricName
		}
		for _, p := range s.points(call, in, q) {
			passed++
			switch {
			case passed <= from:
			case left == 0:
				out.NextToken, r.StatusCode = strconv.Itoa(from+len(r.Values)+counted(out)), "PartialData"
			case out.NextToken == "":
				left--
				r.Timestamps, r.Values = append(r.Timestamps, p.at), append(r.Values, p.value)
			}
			if out.NextToken != "" {
				break
			}
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
		if out.NextToken != "" {
			break
		}
	}
	return wire.CBORReply(out)
}

func counted(out dataOutput) (n int) {
	for _, r := range out.MetricDataResults {
		n += len(r.Values)
	}
	return n
}

type point struct {
	at    time.Time
	value float64
}

// points are the data points of a query, in the order that is asked for.
func (s *Service) points(call *wire.Call, in dataInput, q query) []point {
	if call.Account != s.o.Account || call.Region != s.o.Region {
		return nil
	}
	period := q.MetricStat.Period
	metric := q.MetricStat.Metric
	first := in.StartTime.Unix() - floorMod(in.StartTime.Unix(), period)
	cells := map[int64]cell{}
	s.mu.Lock()
	for minute, c := range s.series[seriesKey(metric.Namespace, metric.MetricName, metric.Dimensions)] {
		if begin := minute - floorMod(minute, period); begin >= first && begin < in.EndTime.Unix() {
			cells[begin] = cells[begin].plus(c)
		}
	}
	s.mu.Unlock()
	var all []point
	for _, begin := range slices.Sorted(maps.Keys(cells)) {
		all = append(all, point{time.Unix(begin, 0).UTC(), statistics[q.MetricStat.Stat](cells[begin])})
	}
	if in.ScanBy != "TimestampAscending" {
		slices.Reverse(all)
	}
	return all
}

func (in dataInput) check() error {
	switch {
	case in.StartTime.IsZero() || in.EndTime.IsZero() || !in.StartTime.Before(in.EndTime):
		return invalid("The parameter StartTime must be less than the parameter EndTime.")
	case len(in.MetricDataQueries) < 1 || len(in.MetricDataQueries) > 500:
		return invalid("The collection MetricDataQueries must have between 1 and 500 members.")
	case in.MaxDatapoints < 0 || in.MaxDatapoints > maxPoints:
		return invalid("MaxDatapoints must be at most %d.", maxPoints)
	case in.ScanBy != "" && in.ScanBy != "TimestampAscending" && in.ScanBy != "TimestampDescending":
		return invalid("ScanBy is not valid.")
	}
	seen := map[string]bool{}
	for _, q := range in.MetricDataQueries {
		switch {
		case q.Id == "" || q.Id[0] < 'a' || q.Id[0] > 'z' || seen[q.Id]:
			return invalid("The value for an Id must be unique and begin with a lower-case letter.")
		case q.MetricStat == nil:
			return wire.Unsupported("query", "without MetricStat")
		case q.MetricStat.Period < 60 || q.MetricStat.Period%60 != 0 || q.MetricStat.Period > 86_400:
			return invalid("The period must be a multiple of 60, up to a day.")
		case statistics[q.MetricStat.Stat] == nil:
			return wire.Unsupported("statistic", q.MetricStat.Stat)
		case q.MetricStat.Metric.Namespace == "" || q.MetricStat.Metric.MetricName == "":
			return invalid("Namespace and MetricName must be given.")
		}
		seen[q.Id] = true
	}
	return nil
}

func invalid(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "ValidationError", format, args...)
}
