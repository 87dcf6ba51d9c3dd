// Package sigv4 checks AWS Signature Version 4 in the Authorization header of
// a request, the way AWS does on its side (IAM User Guide, "Create a signed AWS
// API request").
//
// Words: the scope is the day, region and service that a signature is for; the
// canonical request is the text that both sides hash.
//
// Pre-signed URLs and SigV4A are refused loudly. Bodies that are signed chunk
// by chunk are accepted for S3 with the signature of their headers only.
package sigv4
