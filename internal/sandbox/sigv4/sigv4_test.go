package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/wire"
	"poolferry/internal/userpool"
)

var (
	signedAt = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	keys     = aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: "token/with+signs=="}
	secret   = userpool.NewSecret(keys.SecretAccessKey)
)

func hexHash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// sign makes a request with the SDK's own signer.
func sign(t *testing.T, method, target, body, service, payloadHash string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.ListUsers")
	r.Header.Set("X-Odd", "  two   spaces\t and a tab ")
	r.Header["X-Many"] = []string{"one", " two "}
	if payloadHash == "" {
		payloadHash = hexHash(body)
	} else {
		r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if err := signer.SignHTTP(t.Context(), keys, r, payloadHash, service, "eu-west-1", signedAt); err != nil {
		t.Fatal(err)
	}
	return r
}

// over sends a request over real HTTP, so that Verify sees what a server sees.
func over(t *testing.T, send func(endpoint string) *http.Request, now time.Time) error {
	t.Helper()
	var verified error
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		signature, err := Parse(r.Header.Get("Authorization"))
		if err != nil {
			verified = err
			return
		}
		verified = signature.Verify(r, body, secret, now)
	}))
	defer server.Close()
	response, err := server.Client().Do(send(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return verified
}

func TestVerifyAcceptsTheSDK(t *testing.T) {
	paths := []string{
		"", "/", "/?a=1&a=0&B=2&empty&x=%2F%20%2B+&z=a-b&z=a%2Fb&%C3%BC=%E2%9C%93&ab=1&a-b=1&a=%3D",
		"/2015-03-31/functions/migrate-user/invocations?Qualifier=live",
		"/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A111122223333%3Afunction%3Af/invocations",
		"/a%20b/c%2Fd/%C3%BC/~x/(y)/it's/e=mc2/a+b/*",
	}
	for _, service := range []string{"cognito-idp", "lambda", "s3"} {
		for _, path := range paths {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				body := ""
				if method == http.MethodPost {
					body = `{"UserPoolId":"eu-west-1_abc"}`
				}
				payload := ""
				if service == "s3" {
					payload = hexHash(body)
				}
				err := over(t, func(endpoint string) *http.Request { return sign(t, method, endpoint+path, body, service, payload) }, signedAt)
				if err != nil {
					t.Errorf("%s %s %s: %v", service, method, path, err)
				}
			}
		}
	}
}

func TestVerifyPayload(t *testing.T) {
	tests := []struct {
		name, service, payload, want string
	}{
		{"declared", "lambda", hexHash("body"), ""},
		{"declared wrongly", "lambda", hexHash("other"), "InvalidSignatureException"},
		{"unsigned", "lambda", "UNSIGNED-PAYLOAD", "InvalidSignatureException"},
		{"s3 declared wrongly", "s3", hexHash("other"), "XAmzContentSHA256Mismatch"},
		{"s3 unsigned", "s3", "UNSIGNED-PAYLOAD", ""},
		{"s3 streaming", "s3", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ""},
		{"s3 streaming unsigned with trailer", "s3", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", ""},
	}
	for _, tt := range tests {
		err := over(t, func(endpoint string) *http.Request {
			return sign(t, "POST", endpoint+"/x", "body", tt.service, tt.payload)
		}, signedAt)
		if got := code(err); got != tt.want {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return wire.AsError(err).Code
}

func TestVerifyRefusesWhatWasChanged(t *testing.T) {
	const text = "The request signature we calculated does not match the signature you provided."
	tests := []struct {
		name   string
		change func(r *http.Request)
		want   string
	}{
		{"nothing", func(*http.Request) {}, ""},
		{"method", func(r *http.Request) { r.Method = "PUT" }, text},
		{"path", func(r *http.Request) { r.URL.Path += "x" }, text},
		{"query", func(r *http.Request) { r.URL.RawQuery = "a=2" }, text},
		{"malformed query", func(r *http.Request) { r.URL.RawQuery = "a=%zz" }, "malformed escape"},
		{"host", func(r *http.Request) { r.Host = "elsewhere" }, text},
		{"signed header", func(r *http.Request) { r.Header.Set("X-Amz-Target", "Other") }, text},
		{"token", func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "other") }, text},
		{"body", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("xody")) }, text},
		{"unsigned header", func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") }, ""},
		{"no date", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, "either a 'X-Amz-Date' or a 'Date'"},
		{"date shape", func(r *http.Request) { r.Header.Set("X-Amz-Date", "today") }, "ISO-8601"},
		{"another day", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20261122T000000Z") }, "'20261121' != '20261122'"},
		{"scope", func(r *http.Request) {
			h := r.Header.Get("Authorization")
			r.Header.Set("Authorization", strings.Replace(h, "eu-west-1", "us-east-1", 1))
		}, text},
		{"host not signed", func(r *http.Request) {
			h := r.Header.Get("Authorization")
			r.Header.Set("Authorization", strings.Replace(h, "host;", "", 1))
		}, "must be a 'SignedHeader'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := sign(t, "POST", "http://127.0.0.1:1/x?a=1", "body", "cognito-idp", "")
			tt.change(r)
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			signature, err := Parse(r.Header.Get("Authorization"))
			if err != nil {
				t.Fatal(err)
			}
			err = signature.Verify(r, body, secret, signedAt)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestVerifyClock(t *testing.T) {
	tests := []struct {
		service string
		off     time.Duration
		want    string
	}{
		{"sts", 15 * time.Minute, ""},
		{"sts", -15 * time.Minute, ""},
		{"sts", 15*time.Minute + time.Second, "InvalidSignatureException: Signature expired: 20261121T090000Z is now earlier than 20261121T090001Z (20261121T091501Z - 15 min.)"},
		{"sts", -15*time.Minute - time.Second, "InvalidSignatureException: Signature not yet current: 20261121T090000Z is still later than 20261121T085959Z (20261121T084459Z + 15 min.)"},
		{"s3", time.Hour, "RequestTimeTooSkewed: The difference between the request time and the current time is too large."},
	}
	for _, tt := range tests {
		r := sign(t, "GET", "http://127.0.0.1:1/", "", tt.service, hexHash(""))
		signature, err := Parse(r.Header.Get("Authorization"))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := signature.Verify(r, nil, secret, signedAt.Add(tt.off)); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.service, tt.off, got, tt.want)
		}
	}
}

// Header names come as the client wrote them, and the Authorization header with
// or without spaces.
func TestVerifyIsTolerantOfHeaders(t *testing.T) {
	r := sign(t, "POST", "http://127.0.0.1:1/", "body", "lambda", "")
	lower := http.Header{}
	for name, values := range r.Header {
		for _, value := range values {
			lower.Add(strings.ToLower(name), value) // as net/http does when it reads a request
		}
	}
	r.Header = lower
	signature, err := Parse("  " + strings.ReplaceAll(r.Header.Get("authorization"), ", ", ",") + " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := signature.Verify(r, []byte("body"), secret, signedAt); err != nil {
		t.Error(err)
	}
}

const validHeader = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261121/eu-west-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=" +
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParse(t *testing.T) {
	got, err := Parse(validHeader)
	if err != nil {
		t.Fatal(err)
	}
	want := Authorization{
		AccessKey: "AKIAIOSFODNN7EXAMPLE", Day: "20261121", Region: "eu-west-1", Service: "sts",
		SignedHeaders: []string{"host", "x-amz-date"}, Signature: strings.Repeat("0123456789abcdef", 4),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	replace := func(old, with string) string { return strings.Replace(validHeader, old, with, 1) }
	refused := map[string]string{
		"":                                            "does not start with",
		"Bearer x":                                    "does not start with",
		"AWS4-HMAC-SHA256":                            "without '='",
		"AWS4-ECDSA-P256-SHA256 x":                    "does not support signing algorithm",
		replace("Credential=", "Cred="):               "requires 'Credential'",
		replace(", Signature=", ", X="):               "requires 'Signature'",
		replace("host;x-amz-date", ""):                "requires 'SignedHeaders'",
		validHeader + ", Extra=1":                     "unknown parts",
		validHeader + ", Signature=1":                 `two parts "Signature"`,
		replace("/sts/", "/"):                         "5 slash-delimited",
		replace("aws4_request", "aws5"):               "valid terminator",
		replace("AKIAIOSFODNN7EXAMPLE", "short"):      "access key id",
		replace("20261121", "2026-11-"):               "YYYYMMDD",
		replace("eu-west-1", "Europe"):                "valid region",
		replace("/sts/", "/S T S/"):                   "valid service",
		replace("Signature=0", "Signature=X"):         "64 lower-case hex",
		replace("host;x-amz-date", "x-amz-date;host"): "sorted",
		replace("host;x-amz-date", "host;host"):       "sorted",
		replace("host;x-amz-date", "Host"):            "lower-case",
	}
	for header, want := range refused {
		if _, err := Parse(header); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", header, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(validHeader)
	f.Add("AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;;, Signature=")
	f.Add("AWS4-HMAC-SHA256 =,=,=")
	f.Fuzz(func(t *testing.T, header string) {
		a, err := Parse(header)
		if err != nil {
			if c := code(err); c != "IncompleteSignatureException" && c != "SandboxUnsupported" {
				t.Errorf("refused with %q", c)
			}
			return
		}
		again := "AWS4-HMAC-SHA256 Credential=" + strings.Join([]string{a.AccessKey, a.Day, a.Region, a.Service, "aws4_request"}, "/") +
			",SignedHeaders=" + strings.Join(a.SignedHeaders, ";") + ",Signature=" + a.Signature
		b, err := Parse(again)
		if err != nil || !cmp.Equal(a, b) {
			t.Errorf("%q reads as %+v, written anew as %+v, %v", header, a, b, err)
		}
	})
}

// Whatever query a client signs, both sides must see the same text.
func FuzzCanonicalQuery(f *testing.F) {
	f.Add("a=1&a=0&b")
	f.Add("x=%2F%20+&=&&%C3%BC=%zz")
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := canonicalQuery(raw)
		if err != nil {
			return
		}
		again, err := canonicalQuery(got)
		if err != nil || again != got {
			t.Errorf("%q → %q → %q, %v", raw, got, again, err)
		}
		if _, err := url.ParseQuery(got); err != nil {
			t.Errorf("%q → %q: %v", raw, got, err)
		}
		if bytes.ContainsAny([]byte(got), " +\r\n") {
			t.Errorf("%q → %q is not encoded", raw, got)
		}
	})
}
