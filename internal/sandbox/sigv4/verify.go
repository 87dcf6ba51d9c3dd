package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

const (
	timeLayout = "20060102T150405Z"
	// skew is how far a client's clock may be off.
	skew = 15 * time.Minute

	unsignedPayload  = "UNSIGNED-PAYLOAD"
	streamingPayload = "STREAMING-" // and what was streamed how
)

// spaces are runs that count as one space in a signed header.
var spaces = regexp.MustCompile(` +`)

// Verify checks that r, whose body was read as body, was signed with the
// secret key, not more than 15 minutes off now. Its errors are *wire.Error of
// code InvalidSignatureException, or RequestTimeTooSkewed for S3.
func (a Authorization) Verify(r *http.Request, body []byte, secret userpool.Secret, now time.Time) error {
	signed, err := a.signedAt(r.Header)
	if err != nil {
		return err
	}
	if err := a.checkClock(signed, now); err != nil {
		return err
	}
	payload, err := a.payloadHash(r.Header, body)
	if err != nil {
		return err
	}
	canonical, err := a.canonicalRequest(r, payload)
	if err != nil {
		return err
	}
	hashed := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{
		algorithm, signed.Format(timeLayout), strings.Join([]string{a.Day, a.Region, a.Service, terminator}, "/"), hex.EncodeToString(hashed[:]),
	}, "\n")
	key := []byte("AWS4" + secret.Reveal())
	for _, part := range []string{a.Day, a.Region, a.Service, terminator, toSign} {
		key = sum(key, part)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(key)), []byte(a.Signature)) {
		return mismatch("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// signedAt reads when the request was signed, from X-Amz-Date or Date.
func (a Authorization) signedAt(h http.Header) (time.Time, error) {
	var signed time.Time
	var err error
	switch {
	case h.Get("X-Amz-Date") != "":
		signed, err = time.Parse(timeLayout, h.Get("X-Amz-Date"))
	case h.Get("Date") != "":
		signed, err = http.ParseTime(h.Get("Date"))
	default:
		return time.Time{}, incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header")
	}
	if err != nil {
		return time.Time{}, incomplete("Date must be in ISO-8601 'basic format'")
	}
	signed = signed.UTC()
	if signed.Format("20060102") != a.Day {
		return time.Time{}, mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", a.Day, signed.Format("20060102"), signed.Format(timeLayout))
	}
	return signed, nil
}

func (a Authorization) checkClock(signed, now time.Time) error {
	now = now.UTC()
	earliest, latest := now.Add(-skew), now.Add(skew)
	if !signed.Before(earliest) && !signed.After(latest) {
		return nil
	}
	if a.Service == "s3" {
		return wire.Errorf(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	}
	if signed.Before(earliest) {
		return mismatch("Signature expired: %s is now earlier than %s (%s - 15 min.)", signed.Format(timeLayout), earliest.Format(timeLayout), now.Format(timeLayout))
	}
	return mismatch("Signature not yet current: %s is still later than %s (%s + 15 min.)", signed.Format(timeLayout), latest.Format(timeLayout), now.Format(timeLayout))
}

// payloadHash returns what stands for the body in the canonical request. A
// declared hash must be that of the body; only S3 lets it be left out.
func (a Authorization) payloadHash(h http.Header, body []byte) (string, error) {
	declared := h.Get("X-Amz-Content-Sha256")
	if a.Service == "s3" {
		if declared == "" {
			return "", wire.Errorf(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
		}
		if declared == unsignedPayload || strings.HasPrefix(declared, streamingPayload) {
			return declared, nil
		}
	}
	hashed := sha256.Sum256(body)
	actual := hex.EncodeToString(hashed[:])
	if declared == "" || declared == actual {
		return actual, nil
	}
	if a.Service == "s3" {
		return "", wire.Errorf(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return "", mismatch("The x-amz-content-sha256 header does not match the body.")
}

func (a Authorization) canonicalRequest(r *http.Request, payload string) (string, error) {
	if !slices.Contains(a.SignedHeaders, "host") {
		return "", mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	query, err := canonicalQuery(r.URL.RawQuery)
	if err != nil {
		return "", err
	}
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	if a.Service != "s3" {
		// All services but S3 encode the path of the request once more. AWS
		// resolves dot segments and double slashes too; no API that the sandbox
		// serves has such paths.
		path = escape(path, true)
	}
	var b strings.Builder
	for _, line := range []string{r.Method, path, query} {
		b.WriteString(line + "\n")
	}
	for _, name := range a.SignedHeaders {
		values := r.Header[http.CanonicalHeaderKey(name)]
		switch {
		case name == "host":
			values = []string{r.Host}
		case name == "content-length" && values == nil && r.ContentLength >= 0:
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		}
		b.WriteString(name + ":")
		for i, value := range values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(spaces.ReplaceAllString(strings.TrimSpace(value), " "))
		}
		b.WriteByte('\n')
	}
	b.WriteString("\n" + strings.Join(a.SignedHeaders, ";") + "\n" + payload)
	return b.String(), nil
}

// canonicalQuery encodes names and values anew and sorts them by their encoded
// form.
func canonicalQuery(raw string) (string, error) {
	var params []string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return "", incomplete("the query has a malformed escape")
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return "", incomplete("the query has a malformed escape")
		}
		params = append(params, escape(name, false)+"="+escape(value, false))
	}
	// A name sorts before the same name with more to it: compare names first,
	// since '=' sorts after some of the characters that a name can hold.
	slices.SortFunc(params, func(a, b string) int {
		nameA, valueA, _ := strings.Cut(a, "=")
		nameB, valueB, _ := strings.Cut(b, "=")
		if c := strings.Compare(nameA, nameB); c != 0 {
			return c
		}
		return strings.Compare(valueA, valueB)
	})
	return strings.Join(params, "&"), nil
}

// escape percent-encodes every byte but the unreserved ones of RFC 3986, and
// slashes where they are to be kept.
func escape(text string, keepSlash bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0, keepSlash && c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

func sum(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func mismatch(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "InvalidSignatureException", format, args...)
}
