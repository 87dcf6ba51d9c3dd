package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"poolferry/internal/sandbox/wire"
)

// Serve answers a call.
func (s *Service) Serve(ctx context.Context, call *wire.Call) (*wire.Reply, error) {
	r, err := parse("", call.Operation, call.Path, call.Query)
	if err != nil {
		return nil, err
	}
	if err := r.check(call.Header); err != nil {
		return nil, err
	}
	if err := checkBody(call.Header, call.Body); err != nil {
		return nil, err
	}
	if r.operation == opCreateBucket {
		return s.createBucket(call, r)
	}
	if err := s.reach(call, r.bucket); err != nil {
		return nil, err
	}
	if _, ok := configurations[r.operation]; ok {
		return s.configuration(call, r)
	}
	if err := authorize(call, r); err != nil {
		return nil, err
	}
	key := s.keyOf(r.bucket)
	if r.operation == opPutObject && key != "" {
		if err := call.Authorize("kms:GenerateDataKey", key); err != nil {
			return nil, err
		}
	}
	reply, err := s.answer(ctx, call, r)
	if err != nil {
		return nil, hideAbsence(call, r, err)
	}
	if r.operation == opGetObject && key != "" {
		if err := call.Authorize("kms:Decrypt", key); err != nil {
			return nil, err
		}
	}
	return reply, nil
}

// keyOf is the key that S3 uses in the caller's name for the objects of a bucket
// (S3 User Guide, SSE-KMS); empty where that is a key of its own.
func (s *Service) keyOf(bucket string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buckets[bucket].configuration.KMSKey
}

func (s *Service) answer(ctx context.Context, call *wire.Call, r request) (*wire.Reply, error) {
	switch {
	case r.operation == opListVersions:
		return s.listVersions(r)
	case r.query.Has(versionID):
		reply, err := s.oneVersion(r)
		if err == nil && r.operation == opGetObject {
			addChecksum(call, reply.Header, reply.Body)
		}
		return reply, err
	}
	return s.forward(ctx, call, r)
}

func (s *Service) createBucket(call *wire.Call, r request) (*wire.Reply, error) {
	region, err := location(call.Body)
	if err != nil {
		return nil, err
	}
	if err := call.Authorize("s3:CreateBucket", arn(r.bucket, "")); err != nil {
		return nil, err
	}
	if region != call.Region {
		return nil, wire.Errorf(http.StatusBadRequest, "IllegalLocationConstraintException",
			"The %s location constraint is incompatible for the region specific endpoint this request was sent to.", region)
	}
	if err := s.CreateBucket(call.Account, region, r.bucket); err != nil {
		return nil, err
	}
	return &wire.Reply{Header: http.Header{"Location": {"/" + r.bucket}}}, nil
}

// reach refuses buckets that do not exist, are somebody else's or elsewhere.
func (s *Service) reach(call *wire.Call, bucket string) error {
	s.mu.Lock()
	there, ok := s.buckets[bucket]
	s.mu.Unlock()
	switch {
	case !ok:
		return wire.Errorf(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case there.account != call.Account:
		return denied()
	case there.region != call.Region:
		return wire.Errorf(http.StatusBadRequest, "AuthorizationHeaderMalformed",
			"The authorization header is malformed; the region '%s' is wrong; expecting '%s'", call.Region, there.region)
	}
	if want := call.Header.Get(expectedOwner); want != "" && want != there.account {
		return denied()
	}
	return nil
}

// authorize asks for the permissions that S3 asks for (Service Authorization
// Reference; S3 User Guide, conditional writes).
func authorize(call *wire.Call, r request) error {
	switch r.operation {
	case opListObjects, opHeadBucket:
		return call.Authorize("s3:ListBucket", arn(r.bucket, ""))
	case opListVersions:
		return call.Authorize("s3:ListBucketVersions", arn(r.bucket, ""))
	case opGetObject, opHeadObject, opDeleteObject:
		action := "s3:GetObject"
		if r.operation == opDeleteObject {
			action = "s3:DeleteObject"
		}
		if r.query.Has(versionID) {
			action += "Version"
		}
		return call.Authorize(action, arn(r.bucket, r.key))
	case opDeleteObjects:
		// S3 refuses key by key; here one refusal is that of the whole request,
		// which nobody can take for success either.
		keys, err := deletedKeys(call.Body)
		for _, key := range keys {
			err = errors.Join(err, call.Authorize("s3:DeleteObject", arn(r.bucket, key)))
		}
		return err
	case opPutObject:
		err := call.Authorize("s3:PutObject", arn(r.bucket, r.key))
		if err == nil && call.Header.Get("If-Match") != "" {
			err = call.Authorize("s3:GetObject", arn(r.bucket, r.key))
		}
		return err
	}
	return wire.Unsupported("S3 operation", r.operation)
}

// hideAbsence is what S3 does to a caller who may not list a bucket: of a key
// without an object it says that it is denied (S3 API reference, GetObject).
func hideAbsence(call *wire.Call, r request, err error) error {
	if (r.operation == opGetObject || r.operation == opHeadObject) && wire.AsError(err).Status == http.StatusNotFound {
		if call.Authorize("s3:ListBucket", arn(r.bucket, "")) != nil {
			return denied()
		}
	}
	return err
}

func denied() error { return wire.Errorf(http.StatusForbidden, "AccessDenied", "Access Denied") }

// forwarded are the headers that gofakes3 gets. It keeps all that begin with
// X-Amz- and shows them to whoever reads the object, session tokens included.
var forwarded = []string{"Content-Type", "Content-Md5", "Content-Disposition", "If-Match", "If-None-Match", "Range"}

// forward lets gofakes3 answer.
func (s *Service) forward(ctx context.Context, call *wire.Call, r request) (*wire.Reply, error) {
	to := url.URL{Scheme: "http", Host: "s3", Path: "/" + r.bucket, RawQuery: call.Query}
	if r.key != "" {
		to.Path += "/" + r.key
	}
	in, err := http.NewRequestWithContext(ctx, r.method, to.String(), bytes.NewReader(call.Body))
	if err != nil {
		return nil, fmt.Errorf("forward to gofakes3: %w", err)
	}
	in.Header.Set("Content-Length", strconv.Itoa(len(call.Body)))
	for name, values := range call.Header {
		if strings.HasPrefix(name, metaPrefix) {
			in.Header[name] = values
		}
	}
	for _, name := range forwarded {
		if value := call.Header.Get(name); value != "" {
			in.Header.Set(name, value)
		}
	}
	out := &answer{header: http.Header{}, status: http.StatusOK}
	s.handler.ServeHTTP(out, in)
	if out.status >= http.StatusMultipleChoices {
		return nil, out.failure()
	}
	if r.operation == opGetObject && out.status == http.StatusOK {
		addChecksum(call, out.header, out.body.Bytes())
	}
	return &wire.Reply{Status: out.status, Header: out.header, Body: out.body.Bytes()}, nil
}

// addChecksum adds the checksum of a whole object where it is asked for.
func addChecksum(call *wire.Call, header http.Header, body []byte) {
	if call.Header.Get(checksumMode) != "" {
		header.Set(checksumCRC32, crc32Of(body))
		header.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
}

// answer keeps what gofakes3 answers.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the header that is to be sent.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader sets the status.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write adds to the body.
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// failure reads an error of gofakes3; HEAD has it without a body.
func (a *answer) failure() error {
	var failed struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	if a.body.Len() == 0 || xml.Unmarshal(a.body.Bytes(), &failed) != nil {
		failed.Code = strings.ReplaceAll(http.StatusText(a.status), " ", "")
	}
	return wire.Errorf(a.status, failed.Code, "%s", failed.Message)
}
