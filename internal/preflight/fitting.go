package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"poolferry/internal/userpool"
)

const legacySub = userpool.AttrLegacySub

// What a sub needs: a UUID.
const subLength = 36

func (j *judge) legacySub() {
	p := j.TargetPool
	if p == nil {
		return
	}
	spec, there := p.Schema[legacySub]
	if !there {
		f := j.add(LegacySubMissing, j.target(), "")
		f.Fix, f.Attributes = true, []string{legacySub}
		return
	}
	var why string
	switch {
	case spec.Type != userpool.TypeString:
		why = fmt.Sprintf("it is of type %s", spec.Type)
	case spec.Max != nil && *spec.Max < subLength:
		why = fmt.Sprintf("it holds %d characters, a sub has %d", *spec.Max, subLength)
	case spec.Min != nil && *spec.Min > subLength:
		why = fmt.Sprintf("it holds %d characters or more, a sub has %d", *spec.Min, subLength)
	default:
		return
	}
	j.add(LegacySubUnusable, j.target(), why).Attributes = []string{legacySub}
}

// flow is a source attribute that becomes one of the target.
type flow struct {
	from, to userpool.AttributeSpec
	known    bool // the target has it
	ruled    bool // a rule says so: otherwise it is carried under its own name
	fallback bool // where the user has none, a rule gives a value
}

func (f flow) String() string {
	if f.from.Name == f.to.Name {
		return f.to.Name
	}
	return f.from.Name + " → " + f.to.Name
}

// flows lists what the mapping does with the attributes that the source defines,
// as userpool.Mapping.Apply does it with values.
func (j *judge) flows() []flow {
	gone, written, fallback := map[string]bool{}, map[string]bool{}, map[string]bool{}
	var moves []userpool.Move
	for _, r := range j.Mapping.Rules {
		switch {
		case r.Rename != nil:
			gone[r.Rename.From] = true
			moves = append(moves, *r.Rename)
		case r.Copy != nil:
			moves = append(moves, *r.Copy)
		case r.Drop != "":
			gone[r.Drop] = true
		case r.Set != nil:
			written[r.Set.To] = true
		case r.Default != nil:
			fallback[r.Default.To] = true
		}
	}
	schema := j.SourcePool.Schema
	var all []flow
	add := func(from userpool.AttributeSpec, to string, ruled bool) {
		if written[to] {
			return // whatever the user has is written over
		}
		spec, known := j.TargetPool.Schema[to]
		spec.Name = to
		all = append(all, flow{from, spec, known, ruled, fallback[to]})
	}
	for _, name := range slices.Sorted(maps.Keys(schema)) {
		if !gone[name] && !ownedByCognito(name) {
			add(schema[name], name, false)
		}
	}
	for _, m := range moves {
		if from, ok := schema[m.From]; ok {
			add(from, m.To, true)
		}
	}
	return all
}

func ownedByCognito(name string) bool {
	return name == userpool.AttrSub || name == userpool.AttrIdentities || strings.HasPrefix(name, "cognito:")
}

// attributes holds what the mapping writes against the target's schema.
func (j *judge) attributes() {
	if j.TargetPool == nil {
		return
	}
	j.literals()
	if j.SourcePool == nil {
		return
	}
	var left, types, bounds, fixed list
	for _, f := range j.flows() {
		switch name := f.to.Name; {
		case name == legacySub: // the sub goes there, whatever the source has of that name
		case !f.known && f.ruled:
			j.add(AttributeMissing, j.target(), f.String()).Attributes = []string{name}
		case !f.known:
			left.add(name, f.String())
		case f.from.Type != f.to.Type:
			types.add(name, fmt.Sprintf("%s (%s, at the target %s)", f, f.from.Type, f.to.Type))
		case narrower(f.from, f.to):
			bounds.add(name, fmt.Sprintf("%s (%s, at the target %s)", f, span(f.from), span(f.to)))
		case f.from.Mutable && !f.to.Mutable:
			fixed.add(name, f.String())
		}
	}
	for _, of := range []struct {
		code Code
		list
	}{{AttributeLeftOut, left}, {AttributeType, types}, {AttributeBounds, bounds}, {AttributeFixed, fixed}} {
		if len(of.names) > 0 {
			j.add(of.code, j.target(), strings.Join(of.words, ", ")).Attributes = of.names
		}
	}
}

// list is attributes, and what to say of each.
type list struct{ names, words []string }

func (l *list) add(name, words string) {
	l.names, l.words = append(l.names, name), append(l.words, words)
}

// literals holds the values that rules write against the target's schema.
func (j *judge) literals() {
	for _, r := range j.Mapping.Rules {
		literal := r.Set
		if literal == nil {
			literal = r.Default
		}
		if literal == nil {
			continue
		}
		if _, there := j.TargetPool.Schema[literal.To]; !there {
			j.add(AttributeMissing, j.target(), literal.To).Attributes = []string{literal.To}
			continue
		}
		for _, v := range j.TargetPool.Schema.Check(userpool.Attributes{literal.To: literal.Value}) {
			if v.Attribute == literal.To {
				j.add(LiteralUnfit, j.target(), "%s: %s", v.Attribute, v.Detail).Attributes = []string{v.Attribute}
			}
		}
	}
}

// narrower reports whether the target's bounds refuse what the source's allow.
func narrower(from, to userpool.AttributeSpec) bool {
	if to.Type != userpool.TypeString && to.Type != userpool.TypeNumber {
		return false
	}
	low, high := bounds(from)
	toLow, toHigh := bounds(to)
	return toLow > low || toHigh < high
}

// Bounds where a schema has none: those of Cognito for a text (Developer Guide,
// quotas), and those of a whole number that it takes.
const (
	longestText = 2048
	mostNumber  = 1 << 53
)

func bounds(spec userpool.AttributeSpec) (low, high int64) {
	low, high = 0, longestText
	if spec.Type == userpool.TypeNumber {
		low, high = -mostNumber, mostNumber
	}
	if spec.Min != nil {
		low = max(low, *spec.Min)
	}
	if spec.Max != nil {
		high = min(high, *spec.Max)
	}
	return low, high
}

func span(spec userpool.AttributeSpec) string {
	low, high := bounds(spec)
	if spec.Type == userpool.TypeNumber {
		return fmt.Sprintf("%d to %d", low, high)
	}
	return fmt.Sprintf("%d to %d characters", low, high)
}

// required looks for what the target requires and users may lack.
func (j *judge) required() {
	if j.SourcePool == nil || j.TargetPool == nil {
		return
	}
	set := map[string]bool{}
	for _, r := range j.Mapping.Rules {
		switch {
		case r.Set != nil:
			set[r.Set.To] = true
		case r.Default != nil:
			set[r.Default.To] = true
		}
	}
	filled := map[string]bool{}
	always := map[string]bool{}
	for _, f := range j.flows() {
		filled[f.to.Name] = true
		always[f.to.Name] = always[f.to.Name] || f.from.Required
	}
	var unsure []string
	for _, name := range slices.Sorted(maps.Keys(j.TargetPool.Schema)) {
		switch spec := j.TargetPool.Schema[name]; {
		case !spec.Required || ownedByCognito(name) || set[name] || always[name]:
		case !filled[name]:
			j.add(RequiredUnmapped, j.target(), name).Attributes = []string{name}
		default:
			unsure = append(unsure, name)
		}
	}
	if len(unsure) > 0 {
		j.add(RequiredUnsure, j.target(), strings.Join(unsure, ", ")).Attributes = unsure
	}
}

// names compares by what people sign in.
func (j *judge) names() {
	if j.SourcePool == nil || j.TargetPool == nil {
		return
	}
	source, target := j.SourcePool.Pool, j.TargetPool.Pool
	var lost []string
	for _, name := range namesOf(source) {
		if !slices.Contains(namesOf(target), name) {
			lost = append(lost, name)
		}
	}
	if len(lost) > 0 {
		j.add(NamesDiffer, j.target(), "known at the source alone: %s", strings.Join(lost, ", "))
	}
	if source.CaseSensitive != target.CaseSensitive {
		which := "the target tells upper and lower case apart, the source does not"
		if source.CaseSensitive {
			which = "the source tells upper and lower case apart, the target does not"
		}
		j.add(CaseDiffers, j.target(), which)
	}
}

// namesOf lists what a pool finds people by.
func namesOf(p userpool.Pool) []string {
	if len(p.UsernameAttributes) > 0 {
		return p.UsernameAttributes
	}
	return append([]string{"username"}, p.Aliases...)
}

// factors compares second factors.
func (j *judge) factors() {
	if t := j.TargetPool; t != nil && j.Factors != nil {
		asks := j.Factors.SMS && t.MFA != userpool.MFAOff
		switch {
		case j.SMSMFA && !asks:
			f := j.add(SMSWrong, j.target(), "MFA is %s, SMS is %s", t.MFA, onOff(j.Factors.SMS))
			f.Section, f.Line = "target", "sms_mfa: false"
		case asks && !j.SMSMFA:
			f := j.add(SMSUnused, j.target(), "")
			f.Section, f.Line = "target", "sms_mfa: true"
		}
	}
	if j.SourcePool == nil || j.TargetPool == nil {
		return
	}
	source, target := j.SourcePool.MFA, j.TargetPool.MFA
	detail := fmt.Sprintf("MFA is %s, at the source %s", target, source)
	switch rank := slices.Index(mfaModes, target) - slices.Index(mfaModes, source); {
	case rank < 0:
		j.add(MFAWeaker, j.target(), detail)
	case rank > 0 && target == userpool.MFAOn:
		j.add(MFAStricter, j.target(), detail)
	}
}

var mfaModes = []userpool.MFAMode{userpool.MFAOff, userpool.MFAOptional, userpool.MFAOn}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (j *judge) password() {
	if j.SourcePool == nil || j.TargetPool == nil || j.SourcePool.Password == j.TargetPool.Password {
		return
	}
	s, t := j.SourcePool.Password, j.TargetPool.Password
	var differ []string
	if s.MinimumLength != t.MinimumLength {
		differ = append(differ, fmt.Sprintf("at least %d characters, at the source %d", t.MinimumLength, s.MinimumLength))
	}
	for _, of := range []struct {
		name           string
		source, target bool
	}{
		{"upper case", s.Uppercase, t.Uppercase}, {"lower case", s.Lowercase, t.Lowercase}, {"numbers", s.Numbers, t.Numbers},
		{"symbols", s.Symbols, t.Symbols}, {"history", s.History, t.History},
	} {
		if of.source != of.target {
			differ = append(differ, fmt.Sprintf("%s %s, at the source %s", of.name, onOff(of.target), onOff(of.source)))
		}
	}
	j.add(PasswordPolicy, j.target(), strings.Join(differ, "; "))
}
