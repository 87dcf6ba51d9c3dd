package run

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"poolferry/internal/sandbox/states/asl"
	"poolferry/internal/sandbox/states/history"
	"poolferry/internal/sandbox/states/integration"
)

// protect makes attempts until one succeeds or Retry is exhausted, and then
// asks Catch.
func (v *visit) protect(ctx context.Context, attempt func(context.Context) (any, *failure)) (any, string, *failure) {
	used, retries := make([]int, len(v.state.Retry)), 0
	for {
		started := v.previous
		result, f := attempt(ctx)
		begun := v.state.Type != asl.Task && v.previous != started
		if f == nil {
			begun = false
			var output any
			if output, f = v.finish(result); f == nil {
				return output, v.state.Next, nil
			}
		}
		if !f.fatal {
			if delay, again := v.retry(f, used); again {
				if v.Sleep(ctx, delay) != nil {
					return nil, "", aborted()
				}
				retries++
				v.retried(retries)
				continue
			}
		}
		if begun && !f.aborted && !f.silent {
			v.add(string(v.state.Type)+"StateFailed", f.details())
		}
		if !f.fatal {
			if output, next, caught := v.catch(f); caught {
				return output, next, nil
			}
		}
		return nil, "", f
	}
}

// retry finds the Retrier for a failure and how long it waits this time.
func (v *visit) retry(f *failure, used []int) (time.Duration, bool) {
	for i, r := range v.state.Retry {
		if !f.matches(r.Errors) {
			continue
		}
		if used[i] >= r.MaxAttempts {
			return 0, false
		}
		seconds := float64(r.Interval) * math.Pow(r.BackoffRate, float64(used[i]))
		if r.MaxDelay > 0 {
			seconds = min(seconds, float64(r.MaxDelay))
		}
		if r.FullJitter {
			seconds *= v.Random()
		}
		used[i]++
		return time.Duration(min(seconds, math.MaxInt32) * float64(time.Second)), true
	}
	return 0, false
}

// catch finds the Catcher for a failure.
func (v *visit) catch(f *failure) (output any, next string, caught bool) {
	for _, c := range v.state.Catch {
		if !f.matches(c.Errors) {
			continue
		}
		v.assigned = nil
		if wrong := v.assign(c.Assign, f.output()); wrong != nil {
			*f = *wrong
			return nil, "", false
		}
		output, wrong := v.place(c.Result, f.output())
		if wrong != nil {
			*f = *wrong
			return nil, "", false
		}
		return output, c.Next, true
	}
	return nil, "", false
}

// errTimeout and errHeartbeat are the causes of a task's context that ends with
// the task's time.
var (
	errTimeout   = errors.New(timeoutError)
	errHeartbeat = errors.New(heartbeatError)
)

func (v *visit) task(ctx context.Context) (any, *failure) {
	input, f := v.fill(v.state.Template, v.data)
	if f != nil {
		return nil, f
	}
	timeout, f := v.amount(v.state.Timeout, "TimeoutSeconds", 1)
	if f != nil {
		return nil, f
	}
	heartbeat, f := v.amount(v.state.Heartbeat, "HeartbeatSeconds", 1)
	if f != nil {
		return nil, f
	}
	events := v.events(input, timeout)
	events.scheduled()
	// What answers a request cannot send heartbeats, so the time between two of
	// them is over when the task has taken that long.
	call, cancel := limited(ctx, timeout, errTimeout)
	defer cancel()
	call, cancelHeartbeat := limited(call, heartbeat, errHeartbeat)
	defer cancelHeartbeat()
	events.started()
	result, err := v.Call(call, v.state.Resource, input)
	if ctx.Err() != nil {
		return nil, aborted()
	}
	if late := context.Cause(call); late != nil {
		events.timedOut(&failure{name: late.Error()})
		return nil, &failure{name: late.Error()}
	}
	if err != nil {
		f := v.refused(err)
		events.failed(f)
		return nil, f
	}
	events.succeeded(result)
	return result, nil
}

func limited(ctx context.Context, seconds int64, cause error) (context.Context, context.CancelFunc) {
	if seconds == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, time.Duration(min(seconds, math.MaxInt32))*time.Second, cause)
}

// refused is the failure of a call.
func (v *visit) refused(err error) *failure {
	if e, ok := errors.AsType[*integration.Error](err); ok {
		if e.Name == runtimeError {
			return v.fail(runtimeError, "%s", e.Cause)
		}
		return &failure{name: e.Name, cause: e.Cause}
	}
	return &failure{name: taskFailed, cause: err.Error()}
}

// taskEvents records a call under the names that its kind of resource has.
type taskEvents struct {
	*visit
	prefix  string // "Task" or "LambdaFunction"
	common  history.Details
	request history.Details
}

func (v *visit) events(input any, timeout int64) taskEvents {
	e := taskEvents{visit: v, prefix: "LambdaFunction", common: history.Details{}}
	e.request = history.Details{"resource": v.state.Resource.ARN, "input": text(input), "inputDetails": whole()}
	if name := v.state.Resource.Name; name != "" {
		i := strings.LastIndexByte(name, ':')
		e.prefix = "Task"
		e.common = history.Details{"resourceType": name[:i], "resource": name[i+1:]}
		e.request = e.with(history.Details{"region": v.Region, "parameters": text(input)})
	}
	if timeout > 0 {
		e.request["timeoutInSeconds"] = timeout
	}
	return e
}

func (e taskEvents) with(d history.Details) history.Details {
	for name, value := range e.common {
		d[name] = value
	}
	return d
}

func (e taskEvents) scheduled() { e.add(e.prefix+"Scheduled", e.request) }

func (e taskEvents) started() {
	if e.prefix == "Task" {
		e.add("TaskStarted", e.with(history.Details{}))
		return
	}
	e.add(e.prefix+"Started", nil)
}

func (e taskEvents) succeeded(result any) {
	e.add(e.prefix+"Succeeded", e.with(history.Details{"output": text(result), "outputDetails": whole()}))
}
func (e taskEvents) failed(f *failure)   { e.add(e.prefix+"Failed", e.with(f.details())) }
func (e taskEvents) timedOut(f *failure) { e.add(e.prefix+"TimedOut", e.with(f.details())) }
