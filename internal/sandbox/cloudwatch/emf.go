// Package cloudwatch is the sandbox's Amazon CloudWatch as far as metrics of the
// embedded metric format go: it takes the lines that functions log, and answers
// GetMetricData about them.
//
// Vocabulary: a series is one metric under one set of dimensions, which is what
// CloudWatch calls a metric; a cell is what it keeps of one minute of a series.
package cloudwatch

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
)

// line is as much of the embedded metric format as counts (CloudWatch User
// Guide, embedded metric format specification).
type line struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name string }
		}
	} `json:"_aws"`
}

// Limits of the specification.
const (
	maxLine       = 1 << 20
	maxMetrics    = 100
	maxDimensions = 30
	maxValues     = 100
	maxText       = 1024
)

// Take takes a log line. One that is not in the embedded metric format has no
// metrics; of one that is, what breaks the specification is left out, as
// CloudWatch leaves it out.
func (s *Service) Take(text []byte) {
	if len(text) > maxLine || !bytes.Contains(text, []byte(`"_aws"`)) {
		return
	}
	var l line
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &l) != nil || json.Unmarshal(text, &members) != nil {
		return
	}
	at := time.UnixMilli(l.AWS.Timestamp)
	if now := s.now(); at.Before(now.AddDate(0, 0, -14)) || at.After(now.Add(2*time.Hour)) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, directive := range l.AWS.CloudWatchMetrics {
		if n := len(directive.Namespace); n < 1 || n > maxText || len(directive.Metrics) > maxMetrics {
			continue
		}
		sets := directive.Dimensions
		if len(sets) == 0 {
			sets = [][]string{{}}
		}
		for _, set := range sets {
			dimensions, ok := dimensionsOf(set, members)
			if !ok {
				continue
			}
			for _, m := range directive.Metrics {
				for _, value := range values(members[m.Name]) {
					s.add(seriesKey(directive.Namespace, m.Name, dimensions), at, value)
				}
			}
		}
	}
}

// Write takes whole lines, such as a function's output.
func (s *Service) Write(text []byte) (int, error) {
	for one := range bytes.Lines(text) {
		s.Take(one)
	}
	return len(text), nil
}

// dimension is a name and a value.
type dimension struct{ Name, Value string }

// dimensionsOf looks the values of a set up among the root members; ok is false
// where one has none.
func dimensionsOf(set []string, members map[string]json.RawMessage) (all []dimension, ok bool) {
	if len(set) > maxDimensions {
		return nil, false
	}
	for _, name := range set {
		var value string
		if json.Unmarshal(members[name], &value) != nil || value == "" || len(value) > maxText {
			return nil, false
		}
		all = append(all, dimension{name, value})
	}
	return all, true
}

// values are a number or up to a hundred of them.
func values(member json.RawMessage) []float64 {
	var one float64
	if member == nil || string(member) == "null" {
		return nil
	}
	if json.Unmarshal(member, &one) == nil {
		return []float64{one}
	}
	var many []float64
	if json.Unmarshal(member, &many) != nil || len(many) > maxValues {
		return nil
	}
	return many
}

// seriesKey is the same for the same metric, whatever the order of its
// dimensions.
func seriesKey(namespace, name string, dimensions []dimension) string {
	sorted := slices.SortedFunc(slices.Values(dimensions), func(a, b dimension) int { return strings.Compare(a.Name, b.Name) })
	key, _ := json.Marshal([]any{namespace, name, sorted}) // text always marshals
	return string(key)
}

// cell is one minute of a series, or several of them added up.
type cell struct{ sum, count, least, most float64 }

func (c cell) plus(other cell) cell {
	if c.count == 0 {
		return other
	}
	return cell{c.sum + other.sum, c.count + other.count, math.Min(c.least, other.least), math.Max(c.most, other.most)}
}

// add counts a value. The caller has locked.
func (s *Service) add(key string, at time.Time, value float64) {
	if s.series[key] == nil {
		s.series[key] = map[int64]cell{}
	}
	minute := at.Unix() - floorMod(at.Unix(), 60)
	s.series[key][minute] = s.series[key][minute].plus(cell{value, 1, value, value})
}

func floorMod(n, by int64) int64 { return ((n % by) + by) % by }
