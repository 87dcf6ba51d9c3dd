package knobs

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what goes wrong.
type Kind string

// The kinds.
const (
	Throttle  Kind = "throttle"  // answered as if the quota were exhausted
	Error     Kind = "error"     // answered with the service's internal error
	Delay     Kind = "delay"     // answered late
	Crash     Kind = "crash"     // a function or execution dies, half of the time after its work was done
	Duplicate Kind = "duplicate" // an execution is started twice
)

// APIKinds are the kinds that every API operation can meet.
func APIKinds() []Kind { return []Kind{Throttle, Error, Delay} }

// longestDelay is the longest Lambda timeout; a longer delay only hangs.
const longestDelay = 15 * time.Minute

// Rule is one kind of fault with its amount for one target.
type Rule struct {
	Target      string // "SCOPE" or "SCOPE.NAME", such as "source.ListUsers", "s3.PutObject", "lambda.migrate-user", "states"
	Kind        Kind
	Probability float64       // 0 to 1
	Delay       time.Duration // for Delay only
}

// Faults are rules in the order in which they were written.
type Faults []Rule

var targetShape = regexp.MustCompile(`^[A-Za-z][\w-]*(\.[A-Za-z][\w-]*)?$`)

// ParseFaults reads a specification
//
//	TARGET=KIND:AMOUNT[,KIND:AMOUNT...][,TARGET=...]
//
// such as "source.ListUsers=throttle:10%,s3.PutObject=error:2%,delay:3s@10%".
// AMOUNT is a probability, 5% or 0.05; for delay a duration, 3s or 3s@10%. An
// empty specification has no faults. Errors name the token that is wrong.
func ParseFaults(spec string) (Faults, error) {
	if strings.TrimSpace(spec) == "" {
		return nil, nil
	}
	var faults Faults
	target := ""
	for token := range strings.SplitSeq(spec, ",") {
		token = strings.TrimSpace(token)
		what := token
		if name, rest, ok := strings.Cut(token, "="); ok {
			if !targetShape.MatchString(name) {
				return nil, fmt.Errorf("fault %q: target %q: want SCOPE or SCOPE.NAME, e.g. source.ListUsers", token, name)
			}
			target, what = name, rest
		}
		if target == "" {
			return nil, fmt.Errorf("fault %q: no target before it: write TARGET=KIND:AMOUNT, e.g. source.ListUsers=throttle:5%%", token)
		}
		rule, err := parseRule(target, what)
		if err != nil {
			return nil, fmt.Errorf("fault %q: %w", token, err)
		}
		if slices.ContainsFunc(faults, func(r Rule) bool { return r.Target == rule.Target && r.Kind == rule.Kind }) {
			return nil, fmt.Errorf("fault %q: %s is given twice for %s", token, rule.Kind, rule.Target)
		}
		faults = append(faults, rule)
	}
	return faults, nil
}

func parseRule(target, what string) (Rule, error) {
	kind, amount, ok := strings.Cut(what, ":")
	rule := Rule{Target: target, Kind: Kind(kind), Probability: 1}
	if !ok {
		return rule, fmt.Errorf("want KIND:AMOUNT, e.g. throttle:5%%")
	}
	var err error
	switch rule.Kind {
	case Throttle, Error, Crash, Duplicate:
		rule.Probability, err = parseProbability(amount)
	case Delay:
		duration, share, shared := strings.Cut(amount, "@")
		if rule.Delay, err = time.ParseDuration(duration); err != nil || rule.Delay <= 0 || rule.Delay > longestDelay {
			return rule, fmt.Errorf("delay %q: want a duration over 0 and up to %s, e.g. 3s", duration, longestDelay)
		}
		if shared {
			rule.Probability, err = parseProbability(share)
		}
	default:
		return rule, fmt.Errorf("kind %q: want throttle, error, delay, crash or duplicate", kind)
	}
	return rule, err
}

func parseProbability(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	p, err := strconv.ParseFloat(number, 64)
	if percent {
		p /= 100
	}
	if err != nil || math.IsNaN(p) || p < 0 || p > 1 {
		return 0, fmt.Errorf("probability %q: want 0%% to 100%% or 0 to 1", text)
	}
	return p, nil
}

// String writes the faults as ParseFaults reads them.
func (f Faults) String() string {
	var b strings.Builder
	for i, r := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		share := strconv.FormatFloat(r.Probability, 'g', -1, 64)
		b.WriteString(r.Target + "=" + string(r.Kind) + ":")
		if r.Kind == Delay {
			b.WriteString(r.Delay.String() + "@")
		}
		b.WriteString(share)
	}
	return b.String()
}

// TargetError is a fault that the sandbox cannot inject, though it is written
// correctly.
type TargetError struct{ text string }

func (e *TargetError) Error() string { return e.text }

// Check refuses rules for targets that do not exist or do not have the kind.
// kinds returns the kinds of faults that a target can meet, none for an unknown
// target.
func (f Faults) Check(kinds func(target string) []Kind) error {
	for _, r := range f {
		can := kinds(r.Target)
		if len(can) == 0 {
			return &TargetError{fmt.Sprintf("fault target %q: no such account, service, operation or function", r.Target)}
		}
		if !slices.Contains(can, r.Kind) {
			return &TargetError{fmt.Sprintf("fault %s=%s: %s can only have %v", r.Target, r.Kind, r.Target, can)}
		}
	}
	return nil
}
