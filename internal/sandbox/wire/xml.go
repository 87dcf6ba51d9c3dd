package wire

import (
	"encoding/xml"
	"strings"
)

// xmlText escapes text for an XML element.
func xmlText(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder does not fail
	return b.String()
}
