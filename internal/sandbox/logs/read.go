package logs

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"poolferry/internal/sandbox/wire"
)

// Limits of the API reference.
const (
	mostEvents  = 10_000
	mostBytes   = 1 << 20 // of the events of one answer
	perEvent    = 26      // what an event counts beside its message
	mostStreams = 50
)

func bounded(asked *int, most int) (int, error) {
	switch {
	case asked == nil:
		return most, nil
	case *asked < 1 || *asked > most:
		return 0, invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value between 1 and %d", most)
	}
	return *asked, nil
}

// window is a span of time in milliseconds; the end is not in it.
type window struct {
	StartTime, EndTime *int64
}

func (w window) holds(e event) bool {
	return (w.StartTime == nil || e.at >= *w.StartTime) && (w.EndTime == nil || e.at < *w.EndTime)
}

type outputEvent struct {
	Timestamp     int64  `json:"timestamp"`
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
}

// getEvents is GetLogEvents. A forward token stands before an event and a
// backward token behind one; at an end of the stream the token that comes back is
// the one that was sent.
func (s *Service) getEvents(call *wire.Call) (any, error) {
	var in struct {
		LogGroupName, LogStreamName, NextToken string
		Limit                                  *int
		StartFromHead                          bool
		window
	}
	if err := wire.Decode(call.Body, &in); err != nil {
		return nil, err
	}
	limit, err := bounded(in.Limit, mostEvents)
	if err != nil {
		return nil, err
	}
	streams, err := s.streams(call, in.LogGroupName, in.LogStreamName)
	if err != nil {
		return nil, err
	}
	of, ok := streams[in.LogStreamName]
	if !ok {
		return nil, notFound("stream")
	}
	forward, at := in.StartFromHead, len(of.events)
	if forward {
		at = 0
	}
	if in.NextToken != "" {
		if forward, at, ok = parseToken(in.NextToken, len(of.events)); !ok {
			return nil, invalid("The specified nextToken is invalid.")
		}
	}
	page, from, to := readPage(of.events, in.window, forward, at, limit)
	out := struct {
		Events            []outputEvent `json:"events"`
		NextForwardToken  string        `json:"nextForwardToken"`
		NextBackwardToken string        `json:"nextBackwardToken"`
	}{[]outputEvent{}, token("f", to), token("b", from)}
	for _, e := range page {
		out.Events = append(out.Events, outputEvent{e.at, e.message, e.at})
	}
	return out, nil
}

// readPage reads events forward from one, or backward from before it, and says
// which span it has looked at.
func readPage(events []event, w window, forward bool, at, limit int) (page []event, from, to int) {
	from, to = at, at
	for size := 0; len(page) < limit; {
		var e event
		switch {
		case forward && to < len(events):
			e = events[to]
		case !forward && from > 0:
			e = events[from-1]
		default:
			return page, from, to
		}
		if w.holds(e) {
			if size += len(e.message) + perEvent; size > mostBytes && len(page) > 0 {
				return page, from, to
			}
			if forward {
				page = append(page, e)
			} else {
				page = slices.Insert(page, 0, e)
			}
		}
		if forward {
			to++
		} else {
			from--
		}
	}
	return page, from, to
}

func token(direction string, at int) string { return fmt.Sprintf("%s/%056d/s", direction, at) }

func parseToken(text string, most int) (forward bool, at int, ok bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || parts[0] != "f" && parts[0] != "b" || parts[2] != "s" {
		return false, 0, false
	}
	at, err := strconv.Atoi(parts[1])
	return parts[0] == "f", at, err == nil && at >= 0 && at <= most
}

type outputStream struct {
	LogStreamName       string `json:"logStreamName"`
	CreationTime        int64  `json:"creationTime"`
	FirstEventTimestamp *int64 `json:"firstEventTimestamp,omitempty"`
	LastEventTimestamp  *int64 `json:"lastEventTimestamp,omitempty"`
	LastIngestionTime   *int64 `json:"lastIngestionTime,omitempty"`
	ARN                 string `json:"arn"`
	StoredBytes         int64  `json:"storedBytes"` // 0 since 2019, says the API reference
}

// describeStreams is DescribeLogStreams. Its tokens count streams.
func (s *Service) describeStreams(call *wire.Call) (any, error) {
	var in struct {
		LogGroupName, LogStreamNamePrefix, OrderBy, NextToken string
		Descending                                            bool
		Limit                                                 *int
	}
	if err := wire.Decode(call.Body, &in); err != nil {
		return nil, err
	}
	limit, err := bounded(in.Limit, mostStreams)
	if err != nil {
		return nil, err
	}
	streams, err := s.streams(call, in.LogGroupName, "")
	if err != nil {
		return nil, err
	}
	var order func(a, b stream) int
	switch in.OrderBy {
	case "", "LogStreamName":
		order = func(a, b stream) int { return cmp.Compare(a.name, b.name) }
	case "LastEventTime":
		if in.LogStreamNamePrefix != "" {
			return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
		}
		order = func(a, b stream) int { return cmp.Or(cmp.Compare(a.last(), b.last()), cmp.Compare(a.name, b.name)) }
	default:
		return nil, invalid("1 validation error detected: Value at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]")
	}
	found := slices.SortedFunc(maps.Values(streams), order)
	found = slices.DeleteFunc(found, func(a stream) bool { return !strings.HasPrefix(a.name, in.LogStreamNamePrefix) })
	if in.Descending {
		slices.Reverse(found)
	}
	at := 0
	if in.NextToken != "" {
		var ok bool
		if _, at, ok = parseToken(in.NextToken, len(found)); !ok {
			return nil, invalid("The specified nextToken is invalid.")
		}
	}
	out := struct {
		LogStreams []outputStream `json:"logStreams"`
		NextToken  string         `json:"nextToken,omitempty"`
	}{LogStreams: []outputStream{}}
	for _, a := range found[at:min(at+limit, len(found))] {
		shown := outputStream{LogStreamName: a.name, CreationTime: a.created, ARN: arn(place{call.Account, call.Region, in.LogGroupName}, a.name)}
		if len(a.events) > 0 {
			shown.FirstEventTimestamp, shown.LastEventTimestamp, shown.LastIngestionTime = &a.events[0].at, new(a.last()), new(a.last())
		}
		out.LogStreams = append(out.LogStreams, shown)
	}
	if at+limit < len(found) {
		out.NextToken = token("f", at+limit)
	}
	return out, nil
}

// last is the time of the last event, or 0.
func (a stream) last() int64 {
	if len(a.events) == 0 {
		return 0
	}
	return a.events[len(a.events)-1].at
}

type filteredEvent struct {
	LogStreamName string `json:"logStreamName"`
	outputEvent
	EventID string `json:"eventId"`
}

// filterEvents is FilterLogEvents with patterns of terms, which a message must
// all contain. Its tokens name the last event of a page.
func (s *Service) filterEvents(call *wire.Call) (any, error) {
	var in struct {
		LogGroupName, LogStreamNamePrefix, FilterPattern, NextToken string
		LogStreamNames                                              []string
		Limit                                                       *int
		Interleaved                                                 bool // ignored by AWS: always so
		window
	}
	if err := wire.Decode(call.Body, &in); err != nil {
		return nil, err
	}
	limit, err := bounded(in.Limit, mostEvents)
	if err != nil {
		return nil, err
	}
	terms, err := parsePattern(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	if len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != "" {
		return nil, invalid("logStreamNames and logStreamNamePrefix exclude each other.")
	}
	after := 0
	if in.NextToken != "" {
		var ok bool
		if _, after, ok = parseToken(in.NextToken, int(s.written())); !ok {
			return nil, invalid("The specified nextToken is invalid.")
		}
	}
	streams, err := s.streams(call, in.LogGroupName, "")
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range streams {
		if strings.HasPrefix(name, in.LogStreamNamePrefix) && (len(in.LogStreamNames) == 0 || slices.Contains(in.LogStreamNames, name)) {
			names = append(names, name)
		}
	}
	for _, name := range in.LogStreamNames {
		if _, ok := streams[name]; !ok {
			return nil, notFound("stream")
		}
	}
	type hit struct {
		event
		stream string
	}
	var hits []hit
	for _, name := range names {
		for _, e := range streams[name].events {
			if e.number > int64(after) && in.holds(e) && !slices.ContainsFunc(terms, func(term string) bool { return !strings.Contains(e.message, term) }) {
				hits = append(hits, hit{e, name})
			}
		}
	}
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.number, b.number) })
	out := struct {
		Events             []filteredEvent `json:"events"`
		SearchedLogStreams []string        `json:"searchedLogStreams"` // empty since 2020, says the API reference
		NextToken          string          `json:"nextToken,omitempty"`
	}{Events: []filteredEvent{}, SearchedLogStreams: []string{}}
	size := 0
	for i, h := range hits {
		if size += len(h.message) + perEvent; i == limit || size > mostBytes && i > 0 {
			out.NextToken = token("f", int(hits[i-1].number))
			break
		}
		out.Events = append(out.Events, filteredEvent{h.stream, outputEvent{h.at, h.message, h.at}, fmt.Sprintf("%056d", h.number)})
	}
	return out, nil
}

// written is the number of the last event.
func (s *Service) written() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// parsePattern reads the terms of a filter pattern: words, and text in quotes.
func parsePattern(pattern string) ([]string, error) {
	var terms []string
	for rest := strings.TrimSpace(pattern); rest != ""; rest = strings.TrimSpace(rest) {
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			term, behind, closed := strings.Cut(quoted, `"`)
			if !closed || strings.Contains(term, `\`) {
				return nil, wire.Unsupported("filter pattern", pattern)
			}
			terms, rest = append(terms, term), behind
			continue
		}
		word, behind, _ := strings.Cut(rest, " ")
		if strings.ContainsAny(word, `"{}[]()?%$*-\`) {
			return nil, wire.Unsupported("filter pattern", pattern)
		}
		terms, rest = append(terms, word), behind
	}
	return terms, nil
}
