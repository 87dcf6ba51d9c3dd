package sigv4

import (
	"net/http"
	"regexp"
	"strings"

	"poolferry/internal/sandbox/wire"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
)

// Authorization is a parsed Authorization header.
type Authorization struct {
	AccessKey     string
	Day           string // of the scope, 20060102
	Region        string
	Service       string
	SignedHeaders []string // lower case, sorted
	Signature     string   // 64 hex digits, lower case
}

var (
	dayShape       = regexp.MustCompile(`^[0-9]{8}$`)
	regionShape    = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)
	serviceShape   = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	keyShape       = regexp.MustCompile(`^[\w]{16,128}$`)
	headerShape    = regexp.MustCompile(`^[a-z0-9!#$%&'*+.^_|~-]+$`)
	signatureShape = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Parse reads an Authorization header. Its errors are *wire.Error of code
// IncompleteSignatureException and name the part that is wrong.
func Parse(header string) (Authorization, error) {
	method, fields, _ := strings.Cut(strings.TrimSpace(header), " ")
	if method != algorithm {
		if strings.HasPrefix(method, "AWS4-") {
			return Authorization{}, wire.Unsupported("signing algorithm", method)
		}
		return Authorization{}, incomplete("Authorization header does not start with %q", algorithm)
	}
	parts := map[string]string{}
	for field := range strings.SplitSeq(fields, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(field), "=")
		if !ok {
			return Authorization{}, incomplete("Authorization header has a part without '='")
		}
		if _, twice := parts[name]; twice {
			return Authorization{}, incomplete("Authorization header has two parts %q", name)
		}
		parts[name] = value
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			return Authorization{}, incomplete("Authorization header requires '%s' parameter", name)
		}
	}
	if len(parts) != 3 {
		return Authorization{}, incomplete("Authorization header has unknown parts")
	}
	scope := strings.Split(parts["Credential"], "/")
	if len(scope) != 5 {
		return Authorization{}, incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term")
	}
	a := Authorization{
		AccessKey: scope[0], Day: scope[1], Region: scope[2], Service: scope[3],
		SignedHeaders: strings.Split(parts["SignedHeaders"], ";"),
		Signature:     parts["Signature"],
	}
	switch {
	case scope[4] != terminator:
		return Authorization{}, incomplete("Credential should be scoped with a valid terminator: '%s'", terminator)
	case !keyShape.MatchString(a.AccessKey):
		return Authorization{}, incomplete("Credential has a malformed access key id")
	case !dayShape.MatchString(a.Day):
		return Authorization{}, incomplete("Credential should be scoped to a date YYYYMMDD")
	case !regionShape.MatchString(a.Region):
		return Authorization{}, incomplete("Credential should be scoped to a valid region")
	case !serviceShape.MatchString(a.Service):
		return Authorization{}, incomplete("Credential should be scoped to a valid service")
	case !signatureShape.MatchString(a.Signature):
		return Authorization{}, incomplete("Signature must be 64 lower-case hex digits")
	}
	last := ""
	for _, name := range a.SignedHeaders {
		if !headerShape.MatchString(name) || name <= last {
			return Authorization{}, incomplete("SignedHeaders must be lower-case header names, sorted and separated by ';'")
		}
		last = name
	}
	return a, nil
}

func incomplete(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "IncompleteSignatureException", format, args...)
}
