package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// Report is what a preflight has found: the JSON object of preflight --json.
// Members are only ever added.
type Report struct {
	Version  int       `json:"version"` // 1
	Run      string    `json:"run"`
	At       time.Time `json:"at"`
	Ready    bool      `json:"ready"` // no blockers
	Blockers int       `json:"blockers"`
	Warnings int       `json:"warnings"`
	Infos    int       `json:"infos"`
	Findings []Finding `json:"findings"` // never null
	Profile  *Profile  `json:"profile,omitempty"`
	Staged   *Checked  `json:"staged,omitempty"`
	// Read are digests of what was read, by what it is.
	Read []Read `json:"read"`

	verified Verified
}

// Profile is from where the trigger may read attributes.
type Profile struct {
	Configured string   `json:"configured"`
	Safe       string   `json:"safe"`
	Loses      []string `json:"loses"` // attributes that an ID token would lose; never null
}

// Checked says which profiles were held against the target.
type Checked struct {
	Generation int            `json:"generation"`
	Closed     bool           `json:"closed"`
	Users      int            `json:"users"`
	Outlook    map[string]int `json:"outlook"` // users by reason, as of pending users in status
}

// Read is the digest of something that was read, so that a later change of it is
// noticed.
type Read struct {
	What   string          `json:"what"`
	SHA256 document.Digest `json:"sha256"`
}

// Worst returns the worst severity that was found, empty for none.
func (r Report) Worst() Severity {
	switch {
	case r.Blockers > 0:
		return Blocker
	case r.Warnings > 0:
		return Warning
	case r.Infos > 0:
		return Info
	}
	return ""
}

func (p *Preflight) report(f Facts) Report {
	r := Report{Version: 1, Run: f.Run, At: p.o.Now().UTC(), Findings: Judge(f), Read: []Read{}}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	for _, finding := range r.Findings {
		switch finding.Severity {
		case Blocker:
			r.Blockers++
		case Warning:
			r.Warnings++
		case Info:
			r.Infos++
		}
	}
	r.Ready = r.Blockers == 0
	if safe, loses, ok := f.SafeProfile(); ok {
		r.Profile = &Profile{f.Profile, safe, append([]string{}, loses...)}
	}
	if s := f.Staged; s != nil {
		r.Staged = &Checked{s.Generation, s.Closed, s.Users, s.Outlook}
	}
	for _, read := range []struct {
		what  string
		value any
		there bool
	}{
		{"source pool", f.SourcePool, f.SourcePool != nil}, {"source client", f.SourceClient, f.SourceClient != nil},
		{"target pool", f.TargetPool, f.TargetPool != nil}, {"target factors", f.Factors, f.Factors != nil},
		{"target clients", f.Clients, f.Clients != nil}, {"trigger", f.Function, f.Function != nil}, {"hooks", f.Attached, len(f.Attached) > 0},
		{"bucket", f.Bucket, f.Bucket != nil && f.Bucket.Usable()},
	} {
		if read.there {
			r.Read = append(r.Read, Read{read.what, digestOf(read.value)})
		}
	}
	r.verified = p.verified(f, r)
	return r
}

// digestOf is the digest of a value as JSON; users come and go meanwhile, so
// that their estimated number is not part of a pool's.
func digestOf(v any) document.Digest {
	if pool, ok := v.(*Pool); ok {
		still := *pool
		still.Users = 0
		v = still
	}
	data, err := document.JSON(v)
	if err != nil {
		panic(fmt.Sprintf("preflight: encode %T: %v", v, err)) // of texts, numbers and maps of them
	}
	return document.DigestOf(data)
}

// Verified is what a preflight has verified, as it is kept with the run.
type Verified struct {
	Version       document.V1     `json:"version"`
	Run           string          `json:"run"`
	At            time.Time       `json:"at"`
	Source        manifest.Pool   `json:"source"`
	Target        manifest.Pool   `json:"target"`
	ClientID      string          `json:"client_id"`
	MappingSHA256 manifest.Digest `json:"mapping_sha256"`
	// Profile is from where the trigger may read attributes, and Loses what an ID
	// token would lose.
	Profile  string       `json:"profile"`
	Loses    []string     `json:"loses"` // never null
	Read     []Read       `json:"read"`
	Blockers int          `json:"blockers"`
	Warnings int          `json:"warnings"`
	Codes    map[Code]int `json:"codes"` // findings by code
}

func (p *Preflight) verified(f Facts, r Report) Verified {
	v := Verified{
		Run: f.Run, At: r.At, Source: f.Source, Target: f.Target, ClientID: f.ClientID,
		Read: r.Read, Blockers: r.Blockers, Warnings: r.Warnings, Codes: map[Code]int{}, Loses: []string{},
	}
	if r.Profile != nil {
		v.Profile, v.Loses = r.Profile.Safe, r.Profile.Loses
	}
	for _, finding := range r.Findings {
		v.Codes[finding.Code]++
	}
	return v
}

// ErrUnread means that too little was read to be kept.
var ErrUnread = errors.New("source or target pool could not be read, so nothing was kept")

// Keep writes what was verified into the bucket, in place of what was there. The
// error wraps ErrUnread where one of the pools could not be read.
func (p *Preflight) Keep(ctx context.Context, r Report) error {
	read := func(what string) bool {
		return slices.ContainsFunc(r.Read, func(known Read) bool { return known.What == what })
	}
	if r.Profile == nil || !read("target pool") || !read("bucket") {
		return ErrUnread
	}
	v := r.verified
	var err error
	if v.MappingSHA256, err = manifest.DigestOfMapping(p.o.Mapping); err != nil {
		return err
	}
	return p.o.Run.WritePreflight(ctx, v)
}

// For returns an error of kind fault.Invalid unless v is about a run from source
// to target under a mapping.
func (v Verified) For(run string, source, target manifest.Pool, mapping userpool.Mapping) error {
	digest, err := manifest.DigestOfMapping(mapping)
	switch {
	case err != nil:
		return err
	case v.Run != run || v.Source != source || v.Target.ID != target.ID:
		return fault.New(fault.Invalid, "the preflight of %s was of run %s from %s to %s", v.At.Format(time.RFC3339), v.Run, v.Source.ID, v.Target.ID)
	case v.MappingSHA256 != digest:
		return fault.New(fault.Invalid, "the mapping has changed since the preflight of %s", v.At.Format(time.RFC3339))
	}
	return nil
}

const kind = "preflight"

// Encode returns the bytes of the document.
func (v Verified) Encode() ([]byte, error) { return document.Encode(kind, v, v.check) }

// DecodeVerified reads what a preflight has verified.
func DecodeVerified(data []byte) (v Verified, err error) {
	err = document.Decode(kind, data, &v, Verified.check)
	return v, err
}

func (v Verified) check() error {
	switch {
	case v.Run == "" || v.Source.ID == "" || v.Target.ID == "" || v.ClientID == "":
		return errors.New("run, source, target or client_id is missing")
	case v.At.IsZero() || v.At.Location() != time.UTC:
		return errors.New("at is missing or not in UTC")
	case v.Profile != FromLookup && v.Profile != FromIDToken:
		return fmt.Errorf("profile %q is neither %s nor %s", v.Profile, FromLookup, FromIDToken)
	case (v.Profile == FromIDToken) != (len(v.Loses) == 0):
		return errors.New("profile does not go with what a token loses")
	case v.Loses == nil || v.Codes == nil || len(v.Read) == 0:
		return errors.New("loses, codes or read are missing")
	case v.Blockers < 0 || v.Warnings < 0:
		return errors.New("blockers or warnings is negative")
	}
	for code, n := range v.Codes {
		if code.Severity() == "" || n < 1 {
			return fmt.Errorf("codes: %q is not known, or %d", code, n)
		}
	}
	for _, r := range v.Read {
		if err := r.SHA256.Check("read." + r.What); err != nil {
			return err
		}
	}
	return v.MappingSHA256.Check("mapping_sha256")
}
