package imports

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"poolferry/internal/sandbox/wire"
)

// prefix begins the paths to which files are uploaded: the buckets belong to
// Cognito.
const prefix = "/aws-cognito-idp-user-import-"

// Encryption is the header without which S3 refuses a file: it is part of what
// the URL has signed.
const (
	encryptionHeader = "X-Amz-Server-Side-Encryption"
	encryption       = "aws:kms"
)

const signedTime = "20060102T150405Z"

// url is the pre-signed URL of a job, which looks like one of S3's.
func (j *Jobs) url(a *job) string {
	p := a.pool
	path := prefix + p.Region + "/" + p.Account + "/" + p.ID + "/" + a.id
	at := a.created.UTC().Format(signedTime)
	query := url.Values{
		"X-Amz-Algorithm":     {"AWS4-HMAC-SHA256"},
		"X-Amz-Credential":    {"ASIASANDBOX/" + at[:8] + "/" + p.Region + "/s3/aws4_request"},
		"X-Amz-Date":          {at},
		"X-Amz-Expires":       {fmt.Sprint(int(urlLife.Seconds()))},
		"X-Amz-SignedHeaders": {"host;" + strings.ToLower(encryptionHeader)},
		"X-Amz-Signature":     {j.sign(path, at)},
	}
	return strings.TrimSuffix(j.endpoint(p.Region), "/") + path + "?" + query.Encode()
}

func (j *Jobs) sign(path, at string) string {
	mac := hmac.New(sha256.New, j.key[:])
	mac.Write([]byte(path + "?" + at))
	return hex.EncodeToString(mac.Sum(nil))
}

// Uploads reports whether a request is an upload to a pre-signed URL.
func (*Jobs) Uploads(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, prefix)
}

// ServeHTTP takes an upload, as S3 does. A file can be uploaded again while the
// URL is good; a job reads the one that is there when it starts.
func (j *Jobs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := j.upload(w, r); err != nil {
		wire.WriteError(w, wire.RESTXML, wire.NewID(), wire.AsError(err))
		return
	}
	w.Header().Set(encryptionHeader, encryption)
	w.WriteHeader(http.StatusOK)
}

func (j *Jobs) upload(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	at, err := time.Parse(signedTime, query.Get("X-Amz-Date"))
	mismatch := wire.Errorf(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	if err != nil || !hmac.Equal([]byte(query.Get("X-Amz-Signature")), []byte(j.sign(r.URL.Path, query.Get("X-Amz-Date")))) {
		return mismatch
	}
	if !j.now().Before(at.Add(urlLife)) {
		return wire.Errorf(http.StatusForbidden, "AccessDenied", "Request has expired")
	}
	if r.Header.Get(encryptionHeader) != encryption {
		return mismatch
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && name != encryptionHeader {
			return wire.Errorf(http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed")
		}
	}
	if r.ContentLength < 0 {
		return wire.Errorf(http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented")
	}
	// One byte more than a job takes: it is the job that fails.
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBytes+1))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		data, err = make([]byte, mostBytes+1), nil
	}
	if err != nil {
		return wire.Errorf(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	return j.keep(strings.Split(strings.TrimPrefix(r.URL.Path, prefix), "/"), data)
}

// keep stores a file for the job that a path names: REGION/ACCOUNT/POOL/JOB.
func (j *Jobs) keep(path []string, data []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := j.byPool[path[len(path)-2]]
	i := slices.IndexFunc(all, func(a *job) bool { return a.id == path[len(path)-1] })
	if i < 0 {
		return wire.Errorf(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist") // cannot be: the path was signed
	}
	if all[i].state == stateCreated {
		all[i].file = data
	}
	return nil
}
