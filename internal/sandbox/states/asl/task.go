package asl

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

func (r *reader) task(o object, s *State) {
	o.transition(s)
	o.filters(s)
	s.Assign = o.assign()
	o.results(s)
	o.handlers(s)
	s.Timeout = o.quantity("TimeoutSeconds", 1)
	s.Heartbeat = o.quantity("HeartbeatSeconds", 1)
	if s.Timeout.Value > 0 && s.Heartbeat.Value >= s.Timeout.Value {
		r.refuse(o.at, "The value of 'HeartbeatSeconds' must be smaller than that of 'TimeoutSeconds'")
	}
	if o.has("Credentials") {
		o.take("Credentials")
		r.unsupport(o.below("Credentials"), "Credentials")
	}
	parameters := o.fields["Parameters"]
	s.Template = o.template("Parameters")
	s.Resource = Resource{ARN: o.required("Resource")}
	r.resource(o.below("Resource"), &s.Resource)
	if s.Resource.Name != "" {
		r.parameters(o.at, s.Resource.Name, parameters)
	}
}

var (
	functionARN = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9$_-]+)?$`)
	activityARN = regexp.MustCompile(`^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:activity:.+$`)
	serviceARN  = regexp.MustCompile(`^arn:aws[a-z-]*:states:::((?:aws-sdk:)?[a-z0-9]+:[A-Za-z0-9]+)(\.[A-Za-z]+(?::[0-9]+)?)?$`)
)

// resource checks the ARN and finds out what it stands for.
func (r *reader) resource(at string, to *Resource) {
	service := serviceARN.FindStringSubmatch(to.ARN)
	switch {
	case functionARN.MatchString(to.ARN):
		if _, _, ok := r.resources.Parameters("lambda:invoke"); !ok {
			r.unsupport(at, "Resource "+to.ARN)
		}
	case activityARN.MatchString(to.ARN):
		if r.express {
			r.refuse(at, "Express state machine does not support Activity ARN")
		}
		r.unsupport(at, "Resource "+to.ARN)
	case service == nil:
		r.refuse(at, "Value is not a valid resource ARN")
	default:
		if pattern := service[2]; pattern != "" {
			r.pattern(at, to.ARN, pattern)
			return
		}
		to.Name = service[1]
		if _, _, ok := r.resources.Parameters(to.Name); !ok {
			r.unsupport(at, "Resource "+to.ARN)
			to.Name = ""
		}
	}
}

// pattern refuses to wait for jobs and for task tokens.
func (r *reader) pattern(at, arn, pattern string) {
	switch base, _, _ := strings.Cut(pattern, ":"); {
	case base != ".sync" && base != ".waitForTaskToken":
		r.refuse(at, "Value is not a valid resource ARN")
	case r.express && base == ".sync":
		r.refuse(at, "Express state machine does not support '.sync' service integration")
	case r.express:
		r.refuse(at, "Express state machine does not support '.waitForTaskToken' service integration ") // with AWS's blank
	}
	r.unsupport(at, "Resource "+arn)
}

// parameters checks the names of an integration's parameters.
func (r *reader) parameters(at, resource string, raw any) {
	required, optional, _ := r.resources.Parameters(resource)
	r.checkParameters(at, resource, required, optional, raw)
}

// checkParameters does so for what is needed by name.
func (r *reader) checkParameters(at, of string, required, optional []string, raw any) {
	given, ok := raw.(map[string]any)
	if raw != nil && !ok {
		r.refuse(at+"/Parameters", "Expected value of type [Object]")
		return
	}
	names := map[string]bool{}
	for field := range given {
		names[strings.TrimSuffix(field, ".$")] = true
	}
	for _, name := range required {
		if !names[name] {
			r.refuse(at+"/Parameters", "The field %q is required but was missing", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			r.unsupport(at+"/Parameters", "parameter "+name+" of "+of)
		}
	}
}

// maxAttempts is the most that a Retrier may ask for.
const maxAttempts = 99999999

// handlers takes Retry and Catch.
func (o object) handlers(s *State) {
	retriers, catchers := o.list("Retry"), o.list("Catch")
	for i, raw := range retriers {
		if one, ok := o.object(fmt.Sprintf("%s[%d]", o.below("Retry"), i), raw); ok {
			s.Retry = append(s.Retry, one.retrier(i == len(retriers)-1))
			one.done()
		}
	}
	for i, raw := range catchers {
		if one, ok := o.object(fmt.Sprintf("%s[%d]", o.below("Catch"), i), raw); ok {
			s.Catch = append(s.Catch, one.catcher(i == len(catchers)-1))
			one.done()
		}
	}
}

func (o object) retrier(last bool) Retrier {
	o.text("Comment")
	retrier := Retrier{
		Errors:      o.errorEquals(last),
		Interval:    o.number("IntervalSeconds", 1, maxSeconds, 1),
		MaxAttempts: o.number("MaxAttempts", 0, maxAttempts, 3),
		MaxDelay:    o.number("MaxDelaySeconds", 1, 31622400, 0),
		BackoffRate: o.fraction("BackoffRate", 2),
	}
	switch jitter := o.text("JitterStrategy"); jitter {
	case "", "NONE":
	case "FULL":
		retrier.FullJitter = true
	default:
		o.refuse(o.below("JitterStrategy"), "Value is not one of [FULL, NONE]")
	}
	if retrier.MaxDelay > 0 && retrier.MaxDelay <= retrier.Interval {
		o.refuse(o.at, "The value of 'MaxDelaySeconds' must be greater than that of 'IntervalSeconds'")
	}
	return retrier
}

func (o object) catcher(last bool) Catcher {
	o.text("Comment")
	return Catcher{
		Errors: o.errorEquals(last),
		Next:   o.required("Next"),
		Result: o.filter("ResultPath", o.reference),
		Assign: o.assign(),
	}
}

func (o object) errorEquals(last bool) []string {
	raw := o.list("ErrorEquals")
	if len(raw) == 0 {
		o.refuse(o.at, "Missing required field 'ErrorEquals'")
	}
	var names []string
	for i, v := range raw {
		name, ok := v.(string)
		if !ok {
			o.refuse(fmt.Sprintf("%s[%d]", o.below("ErrorEquals"), i), "Expected value of type [String]")
		}
		names = append(names, name)
	}
	if slices.Contains(names, "States.ALL") && (len(names) > 1 || !last) {
		o.refuse(o.below("ErrorEquals"), "States.ALL must appear alone in 'ErrorEquals', and in the last retrier or catcher")
	}
	return names
}
