package hook

import (
	"encoding/json"

	"poolferry/internal/userpool"
)

// attributes are the attributes of an event. Cognito sends text; whatever else
// were there would be no reason to fail anybody, and is left out.
type attributes userpool.Attributes

// UnmarshalJSON reads what is text.
func (a *attributes) UnmarshalJSON(data []byte) error {
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	*a = make(attributes, len(all))
	for name, value := range all {
		if text, ok := value.(string); ok {
			(*a)[name] = text
		}
	}
	return nil
}
