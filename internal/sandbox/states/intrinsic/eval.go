package intrinsic

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/path"
)

// Error is a function that cannot do what it was asked for.
type Error struct {
	Call   string
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("The function '%s' had the following error: %s", e.Call, e.Reason)
}

// Eval runs the call. The error is an *Error, or the *path.NotFoundError of an
// argument.
func (c *Call) Eval(s path.Scope) (any, error) {
	values := make([]any, len(c.arguments))
	for i, a := range c.arguments {
		var err error
		if values[i], err = a.eval(s, c.name == format && i == 0); err != nil {
			return nil, err
		}
	}
	out, err := functions[c.name].run(values)
	if err != nil {
		return nil, &Error{Call: c.text, Reason: err.Error()}
	}
	return out, nil
}

// eval returns the argument's value; of a template the text with its escapes,
// since those tell a brace from a place to fill.
func (a argument) eval(s path.Scope, template bool) (any, error) {
	switch {
	case a.call != nil:
		return a.call.Eval(s)
	case a.path != nil:
		return a.path.Get(s)
	case template && a.quoted:
		return a.raw, nil
	}
	return a.literal, nil
}

// function is what a name stands for; most is -1 where there is no limit.
type function struct {
	least, most int
	run         func(args []any) (any, error)
}

const format = "States.Format"

// functions is the table of all intrinsic functions. It is filled by init, as
// the parser that the functions' types refer to reads it.
var functions map[string]function

func init() {
	functions = map[string]function{
		format:                  {1, -1, runFormat},
		"States.StringToJson":   {1, 1, stringToJSON},
		"States.JsonToString":   {1, 1, jsonToString},
		"States.Array":          {0, -1, func(args []any) (any, error) { return args, nil }},
		"States.ArrayPartition": {2, 2, arrayPartition},
		"States.ArrayContains":  {2, 2, arrayContains},
		"States.ArrayRange":     {3, 3, arrayRange},
		"States.ArrayGetItem":   {2, 2, arrayGetItem},
		"States.ArrayLength":    {1, 1, arrayLength},
		"States.ArrayUnique":    {1, 1, arrayUnique},
		"States.Base64Encode":   {1, 1, base64Encode},
		"States.Base64Decode":   {1, 1, base64Decode},
		"States.Hash":           {2, 2, hash},
		"States.JsonMerge":      {3, 3, jsonMerge},
		"States.MathRandom":     {2, 3, mathRandom},
		"States.MathAdd":        {2, 2, mathAdd},
		"States.StringSplit":    {2, 2, stringSplit},
		"States.UUID":           {0, 0, uuid},
	}
}

// runFormat fills the {} of a template.
func runFormat(args []any) (any, error) {
	template, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("the template is not a string")
	}
	var b strings.Builder
	rest := args[1:]
	for i := 0; i < len(template); i++ {
		switch {
		case template[i] == '\\' && i+1 < len(template) && strings.IndexByte(`'{}\`, template[i+1]) >= 0:
			i++
			b.WriteByte(template[i])
		case strings.HasPrefix(template[i:], "{}"):
			i++
			if len(rest) == 0 {
				return nil, fmt.Errorf("the template has more {} than there are arguments")
			}
			b.WriteString(text(rest[0]))
			rest = rest[1:]
		default:
			b.WriteByte(template[i])
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("the template has fewer {} than there are arguments")
	}
	return b.String(), nil
}

// text writes a value as Step Functions does in a template: strings bare, the
// rest as Java prints its maps and lists.
func text(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return x
	case json.Number:
		return x.String()
	case []any:
		parts := make([]string, len(x))
		for i := range x {
			parts[i] = text(x[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(x)) {
			parts = append(parts, name+"="+text(x[name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

func stringToJSON(args []any) (any, error) {
	s, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("the argument is not a string")
	}
	if strings.TrimSpace(s) == "" {
		return nil, nil // so on AWS
	}
	return data.Parse([]byte(s))
}

func jsonToString(args []any) (any, error) { return string(data.Encode(args[0])), nil }
