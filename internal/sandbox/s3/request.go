package s3

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"hash/crc32"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"poolferry/internal/sandbox/wire"
)

// The operations that are served.
const (
	opCreateBucket  = "CreateBucket"
	opHeadBucket    = "HeadBucket"
	opListObjects   = "ListObjectsV2"
	opListVersions  = "ListObjectVersions"
	opDeleteObjects = "DeleteObjects"
	opGetObject     = "GetObject"
	opHeadObject    = "HeadObject"
	opPutObject     = "PutObject"
	opDeleteObject  = "DeleteObject"
	opGetPolicy     = "GetBucketPolicy"
	opGetPublic     = "GetPublicAccessBlock"
	opGetEncryption = "GetBucketEncryption"
	opGetVersioning = "GetBucketVersioning"
	opGetLifecycle  = "GetBucketLifecycleConfiguration"
)

// shape is what a request of an operation looks like.
type shape struct {
	method string
	object bool     // of an object, not of a bucket
	marker string   // query parameter that tells it from others of the same method
	query  []string // parameters it may have besides
	header []string // headers it may have, of those that change what happens
}

var shapes = map[string]shape{
	opCreateBucket:  {method: http.MethodPut},
	opHeadBucket:    {method: http.MethodHead},
	opListObjects:   {method: http.MethodGet, marker: "list-type", query: []string{"prefix", "delimiter", "max-keys", "continuation-token", "start-after"}},
	opListVersions:  {method: http.MethodGet, marker: "versions", query: []string{"prefix", "max-keys", "key-marker", "version-id-marker"}},
	opDeleteObjects: {method: http.MethodPost, marker: "delete", header: []string{checksumCRC32, sdkAlgorithm, "Content-Md5"}},
	opGetObject:     {method: http.MethodGet, object: true, query: []string{versionID}, header: []string{"Range", "If-None-Match", checksumMode}},
	opHeadObject:    {method: http.MethodHead, object: true, header: []string{"Range", checksumMode}},
	opPutObject: {method: http.MethodPut, object: true,
		header: []string{"If-Match", "If-None-Match", checksumCRC32, sdkAlgorithm, "Content-Md5", "Content-Disposition"}},
	opDeleteObject: {method: http.MethodDelete, object: true, query: []string{versionID}},

	opGetPolicy:     {method: http.MethodGet, marker: "policy"},
	opGetPublic:     {method: http.MethodGet, marker: "publicAccessBlock"},
	opGetEncryption: {method: http.MethodGet, marker: "encryption"},
	opGetVersioning: {method: http.MethodGet, marker: "versioning"},
	opGetLifecycle:  {method: http.MethodGet, marker: "lifecycle"},
}

// versionID is the parameter of operations on one version of an object.
const versionID = "versionId"

const (
	contentSHA256 = "X-Amz-Content-Sha256"
	expectedOwner = "X-Amz-Expected-Bucket-Owner"
	checksumCRC32 = "X-Amz-Checksum-Crc32"
	checksumMode  = "X-Amz-Checksum-Mode"
	sdkAlgorithm  = "X-Amz-Sdk-Checksum-Algorithm"
	metaPrefix    = "X-Amz-Meta-"
)

// harmless headers change nothing, whatever they say.
var harmless = []string{"X-Amz-Date", contentSHA256, "X-Amz-Security-Token", "X-Amz-User-Agent", "X-Amz-Api-Version", expectedOwner}

// meaningful are headers outside of X-Amz- that change what happens.
var meaningful = []string{
	"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
	"Content-Md5", "Content-Encoding", "Content-Disposition", "Content-Language", "Cache-Control", "Expires",
}

// request is a request to S3, told apart.
type request struct {
	shape
	operation   string
	bucket, key string
	query       url.Values
}

// parse tells which operation a request is. method may be empty where the
// operation is known already.
func parse(method, operation, path, rawQuery string) (request, error) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return request{}, wire.Errorf(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	}
	r := request{query: query}
	r.bucket, err = url.PathUnescape(bucket)
	if err == nil {
		r.key, err = url.PathUnescape(key)
	}
	if err != nil {
		return request{}, wire.Errorf(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	}
	for name, s := range shapes {
		if (name == operation || operation == "" && s.method == method) && s.object == (r.key != "") && (s.marker == "" || query.Has(s.marker)) && r.bucket != "" {
			r.operation, r.shape = name, s
			return r, nil
		}
	}
	return request{}, wire.Unsupported("S3 request", method+" "+path)
}

// check refuses parameters and headers that gofakes3 would ignore.
func (r request) check(h http.Header) error {
	for name, values := range r.query {
		if name != r.marker && name != "x-id" && !slices.Contains(r.shape.query, name) || len(values) > 1 {
			return wire.Unsupported("parameter", name)
		}
	}
	if r.operation == opListObjects && r.query.Get("list-type") != "2" {
		return wire.Unsupported("list-type", r.query.Get("list-type"))
	}
	for name := range h {
		ours := strings.HasPrefix(name, "X-Amz-") && !slices.Contains(harmless, name) || slices.Contains(meaningful, name)
		if ours && !slices.Contains(r.header, name) && (r.operation != opPutObject || !strings.HasPrefix(name, metaPrefix)) {
			return wire.Unsupported("parameter", name)
		}
	}
	if r.query.Has(versionID) && (r.query.Get(versionID) == "" || h.Get("Range") != "" || h.Get("If-None-Match") != "") {
		return wire.Unsupported("parameter", "versionId that is empty, or with Range or If-None-Match")
	}
	if payload := h.Get(contentSHA256); strings.HasPrefix(payload, "STREAMING-") {
		return wire.Unsupported("payload", payload)
	}
	if none := h.Get("If-None-Match"); r.operation == opPutObject && none != "" && (none != "*" || h.Get("If-Match") != "") {
		return wire.Unsupported("parameter If-None-Match", none)
	}
	return nil
}

// checkBody compares the body with the checksum that came with it.
func checkBody(h http.Header, body []byte) error {
	if want := h.Get(checksumCRC32); want != "" && want != crc32Of(body) {
		return wire.Errorf(http.StatusBadRequest, "BadDigest", "The CRC32 you specified did not match the calculated checksum.")
	}
	return nil
}

func crc32Of(body []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}

// deletedKeys are the keys that a DeleteObjects names.
func deletedKeys(body []byte) ([]string, error) {
	var in struct {
		XMLName xml.Name `xml:"Delete"`
		Objects []struct {
			Key       string
			VersionID *string `xml:"VersionId"`
			ETag      *string
			Size      *string
			Modified  *string `xml:"LastModifiedTime"`
		} `xml:"Object"`
	}
	if err := xml.Unmarshal(body, &in); err != nil || len(in.Objects) == 0 || len(in.Objects) > 1000 {
		return nil, wire.Errorf(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	var keys []string
	for _, o := range in.Objects {
		if o.VersionID != nil || o.ETag != nil || o.Size != nil || o.Modified != nil {
			return nil, wire.Unsupported("parameter", "Delete.Object with a condition or version")
		}
		keys = append(keys, o.Key)
	}
	return keys, nil
}

// location is the region that a CreateBucket asks for.
func location(body []byte) (string, error) {
	if len(body) == 0 {
		return "us-east-1", nil
	}
	var in struct {
		XMLName  xml.Name `xml:"CreateBucketConfiguration"`
		Region   string   `xml:"LocationConstraint"`
		Location *string
		Bucket   *string
		Tags     *string
	}
	if err := xml.Unmarshal(body, &in); err != nil {
		return "", wire.Errorf(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	if in.Location != nil || in.Bucket != nil || in.Tags != nil {
		return "", wire.Unsupported("parameter", "CreateBucketConfiguration")
	}
	return in.Region, nil
}
