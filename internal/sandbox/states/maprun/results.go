package maprun

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"poolferry/internal/sandbox/states/asl"
	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/integration"
	"poolferry/internal/sandbox/states/run"
)

// pending is the status of a child that was never started.
const pending run.Status = "PENDING"

// results writes what the children returned, or returns it.
func (r *Run) results(ctx context.Context, children []child) (any, error) {
	w := r.o.Plan.Writer
	if w.Bucket == "" {
		all := []any{}
		for i := range children {
			all = append(all, r.shown(&children[i])...)
		}
		if data.TooLarge(all) {
			return nil, integration.TooLarge(r.o.Plan.State)
		}
		r.written()
		return all, nil
	}
	key, err := r.write(ctx, w, children)
	if err != nil {
		return nil, refused(writerFailed, err)
	}
	r.written()
	return map[string]any{"MapRunArn": r.o.ARN, "ResultWriterDetails": map[string]any{"Bucket": w.Bucket, "Key": key}}, nil
}

// written counts the results of all children that were started.
func (r *Run) written() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.executions.ResultsWritten = r.executions.Total() - r.executions.Pending
	r.items.ResultsWritten = r.items.Total() - r.items.Pending
}

// shown is what the results have of a child. Those that did not succeed are
// records whatever the transformation.
func (r *Run) shown(c *child) []any {
	if c.Outcome.Status != run.Succeeded {
		return []any{r.record(c)}
	}
	switch r.o.Plan.Writer.Transformation {
	case asl.Compact:
		return []any{c.Outcome.Output}
	case asl.Flatten:
		if list, ok := c.Outcome.Output.([]any); ok {
			return list
		}
		return []any{c.Outcome.Output}
	}
	return []any{r.record(c)}
}

// record is a child as result files show it (Step Functions Developer Guide,
// ResultWriter). Input and output are JSON in strings.
func (r *Run) record(c *child) map[string]any {
	included := map[string]any{"Included": true}
	out := map[string]any{
		"Input": string(data.Encode(c.Input)), "InputDetails": included, "StateMachineArn": r.o.MachineARN, "Status": string(c.status()),
	}
	if !c.begun {
		return out
	}
	out["ExecutionArn"], out["Name"] = c.ARN, c.Name
	out["StartDate"], out["StopDate"] = clock(c.Started), clock(c.Ended)
	out["RedriveCount"] = data.Number(0)
	if c.Outcome.Status == run.Succeeded {
		out["Output"], out["OutputDetails"] = string(data.Encode(c.Outcome.Output)), included
		out["RedriveStatus"], out["RedriveStatusReason"] = "NOT_REDRIVABLE", "Execution is SUCCEEDED and cannot be redriven"
		return out
	}
	out["RedriveStatus"] = "REDRIVABLE_BY_MAP_RUN"
	if c.Outcome.Error != "" {
		out["Error"] = c.Outcome.Error
	}
	if c.Outcome.Cause != "" {
		out["Cause"] = c.Outcome.Cause
	}
	return out
}

func (c *child) status() run.Status {
	if !c.begun {
		return pending
	}
	return c.Outcome.Status
}

// files are the result files: which they hold is told by the status alone.
var files = []struct {
	name   string
	status []run.Status
}{
	{"FAILED", []run.Status{run.Failed, run.TimedOut, run.Aborted}},
	{"PENDING", []run.Status{pending}},
	{"SUCCEEDED", []run.Status{run.Succeeded}},
}

// write writes the result files and then the manifest, and returns its key. All
// children of one kind are in one file: the 5 GB at which Step Functions begins
// the next are more than a sandbox holds.
func (r *Run) write(ctx context.Context, w *run.Writer, children []child) (string, error) {
	folder := r.o.ID + "/"
	if prefix := strings.TrimSuffix(w.Prefix, "/"); prefix != "" {
		folder = prefix + "/" + folder
	}
	extension := ".json"
	if w.Lines {
		extension = ".jsonl"
	}
	listed := map[string]any{}
	for _, f := range files {
		body, some := r.file(w, children, f.status)
		listed[f.name] = []any{}
		if !some {
			continue
		}
		key := folder + f.name + "_0" + extension
		if err := r.o.Target.Put(ctx, w.Bucket, key, body); err != nil {
			return "", err
		}
		listed[f.name] = []any{map[string]any{"Key": key, "Size": data.Number(int64(len(body)))}}
	}
	key := folder + "manifest.json"
	return key, r.o.Target.Put(ctx, w.Bucket, key, data.Encode(map[string]any{
		"DestinationBucket": w.Bucket, "MapRunArn": r.o.ARN, "ResultFiles": listed,
	}))
}

// file is the content of one result file; some is false where it would be of no
// child.
func (r *Run) file(w *run.Writer, children []child, of []run.Status) (body []byte, some bool) {
	open, between, end := "[", ",", "]"
	if w.Lines {
		open, between, end = "", "\n", "\n"
	}
	var out bytes.Buffer
	out.WriteString(open)
	for i := range children {
		if !slices.Contains(of, children[i].status()) {
			continue
		}
		some = true
		for _, one := range r.shown(&children[i]) {
			if out.Len() > len(open) {
				out.WriteString(between)
			}
			out.Write(data.Encode(one))
		}
	}
	out.WriteString(end)
	return out.Bytes(), some
}

// clock writes a time as result files do.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
