package explain

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
)

// maxShown is how much of a long attribute value a table shows, in characters.
const maxShown = 40

// WriteText writes the report for a person.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	for i, c := range r.Users {
		if i > 0 {
			b.WriteString("\n")
		}
		c.write(&b)
	}
	if r.Loses() {
		fmt.Fprintf(&b, "\nsource.profile is id_token, and the source's tokens do not carry, or may not: %s.\nUsers would move without them. Let the app client read them, or set source.profile: lookup.\n", strings.Join(r.IDTokenLoses, ", "))
	}
	if len(r.Users) > 1 {
		fmt.Fprintf(&b, "\n%d source users may be meant. The one who signs in is the one who knows the password.\n", len(r.Users))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c Candidate) write(b *strings.Builder) {
	enabled := "enabled"
	if !c.Enabled {
		enabled = "disabled"
	}
	fmt.Fprintf(b, "%s\n", Printable(c.Username))
	fmt.Fprintf(b, "  found by          %s\n", strings.Join(c.FoundBy, ", "))
	fmt.Fprintf(b, "  sub               %s\n", c.Sub)
	fmt.Fprintf(b, "  status            %s, %s\n", c.Status, enabled)
	mfa := strings.Join(c.MFA, ", ")
	if mfa == "" {
		mfa = "no SMS; ListUsers does not tell of an authenticator app"
	}
	fmt.Fprintf(b, "  second factor     %s\n", mfa)
	if c.FoundBy == nil || c.Typed != "" && len(c.FoundBy) == 1 && c.FoundBy[0] == "sub" {
		fmt.Fprintf(b, "  typed name        %s\n", Printable(c.Typed))
	}
	c.SignIn.write(b, "right password")
	c.ForgotPassword.write(b, "forgot password")

	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"attribute", "source", "target", ""})
	for _, change := range c.Attributes {
		t.AppendRow(table.Row{change.Attribute, shown(change.Before), shown(change.After), change.Why})
	}
	b.WriteString(t.Render() + "\n")
}

func (a Answer) write(b *strings.Builder, when string) {
	fmt.Fprintf(b, "  %-17s %s: %s", when, a.Outcome, a.Meaning)
	if a.Reason != "" {
		fmt.Fprintf(b, " (%s)", a.Reason)
	}
	if a.SMSMFA {
		b.WriteString("; the target asks for the SMS code from now on")
	}
	b.WriteString("\n")
}

func shown(value *string) string {
	if value == nil {
		return "-"
	}
	text := []rune(Printable(*value))
	if len(text) > maxShown {
		return fmt.Sprintf("%s… (%d characters)", string(text[:maxShown]), len([]rune(*value)))
	}
	return string(text)
}

// Printable escapes what would disturb a terminal: an attribute is text that a
// stranger has chosen.
func Printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
