package run

import (
	"context"
	"errors"
	"maps"
	"strconv"

	"poolferry/internal/sandbox/states/asl"
	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/history"
	"poolferry/internal/sandbox/states/integration"
	"poolferry/internal/sandbox/states/items"
	"poolferry/internal/sandbox/states/template"
)

// Distribution is what a Distributed Map is to do: its fields as evaluated.
type Distribution struct {
	State     string
	Label     string // empty where the definition gives none
	Processor *asl.Machine
	Express   bool

	Items   []any         // from the state's input, where there is no Source
	Source  *items.Source // from S3
	Owner   string        // whose bucket the source must be; empty: whoever's
	Select  func(index int, item any) (any, error)
	Batcher *items.Batcher
	Writer  *Writer

	Concurrency int64 // 0 means as many as there can be
	Tolerance   Tolerance
}

// Tolerance is how many items may fail before the Map Run does. Where neither
// is given, none may.
type Tolerance struct {
	Count           int64
	Percentage      float64
	CountGiven      bool
	PercentageGiven bool
}

// Exceeded reports whether too many of all items failed.
func (t Tolerance) Exceeded(failed, all int64) bool {
	switch {
	case !t.CountGiven && !t.PercentageGiven:
		return failed > 0
	case t.CountGiven && failed > t.Count:
		return true
	}
	return t.PercentageGiven && float64(failed)*100 > t.Percentage*float64(all)
}

// Writer is where results go, and how they are shown.
type Writer struct {
	Bucket         string // empty: nothing is written
	Prefix         string
	Owner          string
	Transformation asl.Transformation
	Lines          bool
}

// distribute has a Map Run made. It is reported as started before any of its
// items is read.
func (v *visit) distribute(ctx context.Context) (any, *failure) {
	d := v.state.Distributed
	length := 0
	var found []any
	if d.Reader == nil {
		var wrong *failure
		if found, wrong = v.items(); wrong != nil {
			return nil, wrong
		}
		length = len(found)
	}
	v.add("MapStateStarted", history.Details{"length": length})
	plan, wrong := v.plan(d)
	if wrong != nil {
		wrong.silent = true
		return nil, wrong
	}
	plan.Items = found
	output, err := v.Distribute(ctx, plan, func(arn string) { v.add("MapRunStarted", history.Details{"mapRunArn": arn}) })
	switch {
	case err == nil:
		v.add("MapRunSucceeded", nil)
		v.add("MapStateSucceeded", nil)
		return output, nil
	case ctx.Err() != nil:
		v.add("MapRunAborted", nil)
		return nil, aborted()
	}
	wrong = v.runFailure(err)
	v.add("MapRunFailed", wrong.details())
	return nil, wrong
}

// selectError is a failure of ItemSelector on its way through a Map Run.
type selectError struct{ *failure }

func (e selectError) Error() string { return e.name + ": " + e.cause }

// runFailure is how the state fails with its Map Run.
func (v *visit) runFailure(err error) *failure {
	if selected, ok := errors.AsType[selectError](err); ok {
		return selected.failure
	}
	if e, ok := errors.AsType[*integration.Error](err); ok && e.Name == limitError {
		return &failure{name: limitError, cause: e.Cause, fatal: true}
	}
	return v.refused(err)
}

// items finds the items in the state's input.
func (v *visit) items() ([]any, *failure) {
	found, err := v.state.Items.Get(v.scope(v.data))
	if err != nil {
		return nil, v.broken(err)
	}
	list, ok := found.([]any)
	if !ok {
		return nil, v.fail(runtimeError, "Reference path \"%s\" must point to array.", v.state.Items)
	}
	return list, nil
}

// plan evaluates the state's fields.
func (v *visit) plan(d *asl.Distributed) (*Distribution, *failure) {
	p := &Distribution{State: v.state.Name, Label: d.Label, Processor: v.state.Branches[0], Express: d.Express}
	var f *failure
	if p.Concurrency, f = v.amount(v.state.Concurrency, "MaxConcurrency", 0); f != nil {
		return nil, f
	}
	if p.Tolerance, f = v.tolerance(d); f != nil {
		return nil, f
	}
	if v.state.Template != nil {
		p.Select = v.selectItem
	}
	for _, part := range []func(*asl.Distributed, *Distribution) *failure{v.source, v.batcher, v.writer} {
		if f := part(d, p); f != nil {
			return nil, f
		}
	}
	return p, nil
}

func (v *visit) tolerance(d *asl.Distributed) (t Tolerance, f *failure) {
	t = Tolerance{Percentage: d.ToleratedPercentage.Value, CountGiven: d.ToleratedCount.Given, PercentageGiven: d.ToleratedPercentage.Given}
	if t.Count, f = v.amount(d.ToleratedCount, "ToleratedFailureCount", 0); f != nil {
		return t, f
	}
	at := d.ToleratedPercentage.Path
	if at == nil {
		return t, nil
	}
	value, err := at.Get(v.scope(v.data))
	if err != nil {
		return t, v.broken(err)
	}
	if t.Percentage, err = strconv.ParseFloat(bare(value), 64); err != nil {
		return t, v.fail(runtimeError, "The ToleratedFailurePercentagePath field refers to value \"%s\" which is not a valid float: %s", bare(value), at)
	}
	if !(t.Percentage >= 0 && t.Percentage <= 100) { // nor what is no number
		return t, v.fail(runtimeError, "ToleratedFailurePercentage must be between 0 and 100.")
	}
	return t, nil
}

// selectItem makes what a child gets of an item.
func (v *visit) selectItem(index int, item any) (any, error) {
	of := *v
	of.context = maps.Clone(v.context)
	of.context["Map"] = map[string]any{"Item": map[string]any{"Index": data.Number(int64(index)), "Value": item}}
	selected, f := of.fill(v.state.Template, v.data)
	if f != nil {
		return nil, selectError{f}
	}
	return selected, nil
}

func (v *visit) source(d *asl.Distributed, p *Distribution) *failure {
	r := d.Reader
	if r == nil {
		return nil
	}
	limit, f := v.amount(r.MaxItems, "MaxItems", 0)
	if f != nil {
		return f
	}
	at, f := v.location(r.Parameters, "ItemReader")
	if f != nil {
		return f
	}
	p.Source, p.Owner = &items.Source{Bucket: at.bucket, Prefix: at.prefix, Load: r.Load, Format: r.Format, Limit: limit}, at.owner
	if r.List {
		return nil
	}
	if p.Source.Key = at.key; at.key == "" {
		return v.fail(runtimeError, "The parameter 'Key' of ItemReader must be a string that is not empty")
	}
	return nil
}

func (v *visit) batcher(d *asl.Distributed, p *Distribution) (f *failure) {
	if d.Batcher == nil {
		return nil
	}
	b := &items.Batcher{}
	if b.Items, f = v.amount(d.Batcher.Items, "MaxItemsPerBatch", 1); f != nil {
		return f
	}
	if b.Bytes, f = v.amount(d.Batcher.Bytes, "MaxInputBytesPerBatch", 1); f != nil {
		return f
	}
	if d.Batcher.Input != nil {
		if b.Input, f = v.fill(d.Batcher.Input, v.data); f != nil {
			return f
		}
	}
	p.Batcher = b
	return nil
}

func (v *visit) writer(d *asl.Distributed, p *Distribution) *failure {
	if d.Writer == nil {
		p.Writer = &Writer{Transformation: asl.Compact}
		return nil
	}
	p.Writer = &Writer{Transformation: d.Writer.Transformation, Lines: d.Writer.Lines}
	if d.Writer.Parameters == nil {
		return nil
	}
	at, f := v.location(d.Writer.Parameters, "ResultWriter")
	if f != nil {
		return f
	}
	p.Writer.Bucket, p.Writer.Prefix, p.Writer.Owner = at.bucket, at.prefix, at.owner
	return nil
}

// location is what the parameters of an ItemReader or ResultWriter say.
type location struct{ bucket, key, prefix, owner string }

func (v *visit) location(t *template.Template, field string) (at location, f *failure) {
	filled, f := v.fill(t, v.data)
	if f != nil {
		return at, f
	}
	parameters, _ := filled.(map[string]any) // the definition was checked
	for name, to := range map[string]*string{"Bucket": &at.bucket, "Key": &at.key, "Prefix": &at.prefix, "ExpectedBucketOwner": &at.owner} {
		value, given := parameters[name]
		text, ok := value.(string)
		if given && !ok {
			return at, v.fail(runtimeError, "The parameter '%s' of %s must be a string", name, field)
		}
		*to = text
	}
	if at.bucket == "" {
		return at, v.fail(runtimeError, "The parameter 'Bucket' of %s must be a string that is not empty", field)
	}
	return at, nil
}
