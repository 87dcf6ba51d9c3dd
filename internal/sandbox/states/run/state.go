package run

import (
	"context"
	"math"
	"time"

	"poolferry/internal/sandbox/states/asl"
	"poolferry/internal/sandbox/states/choice"
	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/template"
)

// run does what the state is for and returns its output and the next state,
// "" at the end of the machine.
func (v *visit) run(ctx context.Context) (output any, next string, f *failure) {
	if v.data, f = v.filter(v.state.Input, v.raw); f != nil {
		return nil, "", f
	}
	switch v.state.Type {
	case asl.Pass:
		output, f = v.pass()
	case asl.Wait:
		output, f = v.wait(ctx)
	case asl.Choice:
		return v.choose()
	case asl.Succeed:
		output, f = v.filter(v.state.Output, v.data)
		return output, "", f
	case asl.Fail:
		return nil, "", v.failState()
	case asl.Task:
		return v.protect(ctx, v.task)
	case asl.Parallel:
		return v.protect(ctx, v.parallel)
	case asl.Map:
		if v.state.Distributed != nil {
			return v.protect(ctx, v.distribute)
		}
		return v.protect(ctx, v.mapItems)
	}
	return output, v.state.Next, f
}

// filter applies InputPath or OutputPath.
func (v *visit) filter(filter asl.Filter, value any) (any, *failure) {
	if filter.Discard {
		return map[string]any{}, nil
	}
	if filter.Path == nil {
		return value, nil
	}
	out, err := filter.Path.Get(v.scope(value))
	if err != nil {
		return nil, v.broken(err)
	}
	return out, nil
}

func (v *visit) fill(t *template.Template, value any) (any, *failure) {
	if t == nil {
		return value, nil
	}
	out, err := t.Eval(v.scope(value))
	if err != nil {
		return nil, v.broken(err)
	}
	return out, nil
}

// assign evaluates an Assign; its variables are set when the state is left.
func (v *visit) assign(t *template.Template, value any) *failure {
	if t == nil {
		return nil
	}
	values, f := v.fill(t, value)
	if f != nil {
		return f
	}
	if data.TooLarge(values) {
		return v.tooLarge()
	}
	v.assigned = values.(map[string]any)
	return nil
}

// finish makes the state's output from its result. Assign sees the result as
// it came.
func (v *visit) finish(result any) (any, *failure) {
	if f := v.assign(v.state.Assign, result); f != nil {
		return nil, f
	}
	selected, f := v.fill(v.state.Selector, result)
	if f != nil {
		return nil, f
	}
	placed, f := v.place(v.state.Result, selected)
	if f != nil {
		return nil, f
	}
	return v.filter(v.state.Output, placed)
}

// place applies ResultPath: the result goes into the state's input.
func (v *visit) place(at asl.Filter, result any) (any, *failure) {
	switch {
	case at.Discard:
		return v.raw, nil
	case at.Path == nil:
		return result, nil
	}
	out, err := at.Path.Set(v.raw, result)
	if err != nil {
		return nil, v.fail(resultPathError, "Unable to apply ReferencePath %s to input", at.Path)
	}
	return out, nil
}

func (v *visit) pass() (any, *failure) {
	if v.state.Fixed != nil {
		return v.finish(v.state.Fixed.Value)
	}
	result, f := v.fill(v.state.Template, v.data)
	if f != nil {
		return nil, f
	}
	return v.finish(result)
}

func (v *visit) failState() *failure {
	f := &failure{name: v.state.Error, cause: v.state.Cause}
	for _, dynamic := range []struct {
		from  *template.Expression
		field string
		to    *string
	}{{v.state.ErrorPath, "ErrorPath", &f.name}, {v.state.CausePath, "CausePath", &f.cause}} {
		if dynamic.from == nil {
			continue
		}
		value, err := dynamic.from.Eval(v.scope(v.data))
		if err != nil {
			return v.broken(err)
		}
		text, ok := value.(string)
		if !ok {
			return v.fail(runtimeError, "The %s parameter does not reference a string", dynamic.field)
		}
		*dynamic.to = text
	}
	return f
}

func (v *visit) choose() (any, string, *failure) {
	next, assign := v.state.Next, v.state.Assign
	for _, rule := range v.state.Choices {
		ok, err := rule.Condition.Eval(v.scope(v.data))
		if err != nil {
			return nil, "", v.broken(err)
		}
		if ok {
			next, assign = rule.Next, rule.Assign
			break
		}
	}
	if next == "" {
		return nil, "", v.fail(noChoiceError, "Failed to transition out of the state '%s'. The state does not point to a next state.", v.state.Name)
	}
	if f := v.assign(assign, v.data); f != nil {
		return nil, "", f
	}
	output, f := v.filter(v.state.Output, v.data)
	return output, next, f
}

func (v *visit) wait(ctx context.Context) (any, *failure) {
	delay, f := v.delay()
	if f != nil {
		return nil, f
	}
	if v.Sleep(ctx, delay) != nil {
		return nil, aborted()
	}
	if f := v.assign(v.state.Assign, v.data); f != nil {
		return nil, f
	}
	return v.filter(v.state.Output, v.data)
}

// delay is how long a Wait waits.
func (v *visit) delay() (time.Duration, *failure) {
	at := v.state.Timestamp
	switch {
	case v.state.Until != nil:
		value, err := v.state.Until.Get(v.scope(v.data))
		if err != nil {
			return 0, v.broken(err)
		}
		text, ok := value.(string)
		if _, valid := choice.ParseTimestamp(text); !ok || !valid {
			return 0, v.fail(runtimeError, "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s", v.state.Until, bare(value))
		}
		at = text
	case v.state.Seconds.Path != nil:
		p := v.state.Seconds.Path
		value, err := p.Get(v.scope(v.data))
		if err != nil {
			return 0, v.broken(err)
		}
		seconds, ok := data.Integer(value)
		switch {
		case !ok:
			return 0, v.fail(runtimeError, "The SecondsPath parameter cannot be parsed as a long value: %s == %s", p, bare(value))
		case seconds < 0:
			return 0, v.fail(runtimeError, "The SecondsPath parameter references a negative value: %s == %s", p, bare(value))
		}
		return v.inRange(seconds)
	case at == "":
		return time.Duration(v.state.Seconds.Value) * time.Second, nil
	}
	until, _ := choice.ParseTimestamp(at)
	delay := max(until.Sub(v.Now()), 0)
	if _, f := v.inRange(int64(delay / time.Second)); f != nil {
		return 0, f
	}
	return delay, nil
}

func (v *visit) inRange(seconds int64) (time.Duration, *failure) {
	if seconds > math.MaxInt32 {
		return 0, v.fail(runtimeError, "Wait state delay is too long.")
	}
	return time.Duration(seconds) * time.Second, nil
}

// bare writes a value as it appears in causes: strings without quotes.
func bare(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	return text(value)
}

// amount is the value of a number; what a path finds must not be less than
// least, and can be written as a string.
func (v *visit) amount(q asl.Quantity, field string, least int64) (int64, *failure) {
	if q.Path == nil {
		return int64(q.Value), nil
	}
	value, err := q.Path.Get(v.scope(v.data))
	if err != nil {
		return 0, v.broken(err)
	}
	n, ok := data.Integer(value)
	switch {
	case !ok:
		return 0, v.fail(runtimeError, "The %sPath field refers to value \"%s\" which is not a valid integer: %s", field, bare(value), q.Path)
	case n < least:
		return 0, v.fail(runtimeError, "The %sPath field refers to value \"%d\" which is less than %d: %s", field, n, least, q.Path)
	}
	return n, nil
}
