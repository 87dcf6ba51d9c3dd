// Package sts is the sandbox's AWS Security Token Service: AssumeRole and
// GetCallerIdentity, in the query protocol.
//
// Words: as in package iam, which decides.
package sts

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"poolferry/internal/sandbox/iam"
	"poolferry/internal/sandbox/wire"
)

const (
	version   = "2011-06-15"
	namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

	opAssumeRole        = "AssumeRole"
	opGetCallerIdentity = "GetCallerIdentity"
)

// parameters are what each operation takes, beside Action and Version.
var parameters = map[string][]string{
	opAssumeRole:        {"RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId", "Policy"},
	opGetCallerIdentity: nil,
}

// Service is STS in all accounts and regions.
type Service struct{ directory *iam.Directory }

// New returns the STS of a directory.
func New(directory *iam.Directory) *Service { return &Service{directory} }

// Name is the signing name.
func (*Service) Name() string { return "sts" }

// Protocol is the query protocol.
func (*Service) Protocol() wire.Protocol { return wire.Query }

// Operations are the operations of the API that are served.
func (*Service) Operations() []string { return []string{opAssumeRole, opGetCallerIdentity} }

// Home finds nothing: every call must be signed.
func (*Service) Home(string, []byte) (account, region string, ok bool) { return "", "", false }

// Quota is the one rate that STS has for all its operations (IAM User Guide,
// STS quotas).
func (*Service) Quota(string) (category string, perSecond float64) { return "requests", 600 }

// Operation reads the Action of a form.
func (*Service) Operation(r *http.Request, body []byte) (string, error) {
	form, err := wire.Form(body)
	if err != nil {
		return "", err
	}
	action := form.Get("Action")
	if _, known := parameters[action]; !known || r.Method != http.MethodPost {
		return "", wire.Unsupported("STS action", r.Method+" "+action)
	}
	return action, nil
}

// Serve answers a call.
func (s *Service) Serve(_ context.Context, call *wire.Call) (*wire.Reply, error) {
	form, err := wire.Form(call.Body)
	if err != nil {
		return nil, err
	}
	if got := form.Get("Version"); got != version {
		return nil, wire.Unsupported("STS version", got)
	}
	for name, values := range form {
		if name == "Action" || name == "Version" {
			continue
		}
		if !slices.Contains(parameters[call.Operation], name) {
			return nil, wire.Unsupported("parameter", name)
		}
		if len(values) > 1 {
			return nil, invalid("parameter %s is there twice", name)
		}
	}
	switch call.Operation {
	case opAssumeRole:
		return s.assumeRole(call, form)
	case opGetCallerIdentity:
		return xmlReply(struct {
			XMLName   xml.Name `xml:"GetCallerIdentityResponse"`
			Namespace string   `xml:"xmlns,attr"`
			ARN       string   `xml:"GetCallerIdentityResult>Arn"`
			UserID    string   `xml:"GetCallerIdentityResult>UserId"`
			Account   string   `xml:"GetCallerIdentityResult>Account"`
			RequestID string   `xml:"ResponseMetadata>RequestId"`
		}{Namespace: namespace, ARN: call.Caller.ARN, UserID: call.Caller.UserID, Account: call.Caller.Account, RequestID: call.RequestID})
	}
	return nil, wire.Unsupported("STS action", call.Operation)
}

// Shapes of AssumeRole's parameters (STS API reference).
var (
	roleShape       = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)
	sessionShape    = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalIDShape = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`) // and 1,224 characters at most
)

// Lengths in characters.
const (
	maxPolicy     = 2048
	maxExternalID = 1224
)

func (s *Service) assumeRole(call *wire.Call, form url.Values) (*wire.Reply, error) {
	in := iam.AssumeRoleInput{
		RoleARN: form.Get("RoleArn"), SessionName: form.Get("RoleSessionName"), ExternalID: form.Get("ExternalId"),
		Policy: []byte(form.Get("Policy")),
	}
	switch {
	case !roleShape.MatchString(in.RoleARN):
		return nil, invalid("%s is invalid", in.RoleARN)
	case !sessionShape.MatchString(in.SessionName):
		return nil, invalid("1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", in.SessionName)
	case form.Has("ExternalId") && (!externalIDShape.MatchString(in.ExternalID) || len(in.ExternalID) > maxExternalID):
		return nil, invalid("1 validation error detected: Value at 'externalId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@:\\/-]*")
	case len(in.Policy) > maxPolicy:
		return nil, invalid("1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to %d", maxPolicy)
	}
	if form.Has("DurationSeconds") {
		seconds, err := strconv.ParseInt(form.Get("DurationSeconds"), 10, 32)
		if err != nil || seconds <= 0 {
			return nil, invalid("1 validation error detected: Value at 'durationSeconds' is not a positive number")
		}
		in.Duration = time.Duration(seconds) * time.Second
	}
	credentials, session, err := s.directory.AssumeRole(call.Caller, in)
	if err != nil {
		return nil, err
	}
	return xmlReply(struct {
		XMLName         xml.Name `xml:"AssumeRoleResponse"`
		Namespace       string   `xml:"xmlns,attr"`
		AccessKeyID     string   `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
		SecretAccessKey string   `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
		SessionToken    string   `xml:"AssumeRoleResult>Credentials>SessionToken"`
		Expiration      string   `xml:"AssumeRoleResult>Credentials>Expiration"`
		ARN             string   `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
		UserID          string   `xml:"AssumeRoleResult>AssumedRoleUser>AssumedRoleId"`
		RequestID       string   `xml:"ResponseMetadata>RequestId"`
	}{
		Namespace:       namespace,
		AccessKeyID:     credentials.AccessKeyID,
		SecretAccessKey: credentials.SecretAccessKey.Reveal(),
		SessionToken:    credentials.SessionToken.Reveal(),
		Expiration:      credentials.Expiration.Format(time.RFC3339),
		ARN:             session.ARN,
		UserID:          session.UserID,
		RequestID:       call.RequestID,
	})
}

func invalid(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "ValidationError", format, args...)
}

func xmlReply(v any) (*wire.Reply, error) {
	body, err := xml.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return &wire.Reply{Body: body}, nil
}
