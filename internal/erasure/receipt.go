package erasure

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// Note is what is known of a person while they are being forgotten, so that
// whoever goes on after a crash still knows what to look for. It is deleted in the
// end.
type Note struct {
	Version   document.V1     `json:"version"`
	Run       string          `json:"run"`
	SubSHA256 document.Digest `json:"sub_sha256"`
	Begun     time.Time       `json:"begun"`
	Targets   []userpool.Sub  `json:"target_subs"`
	Usernames []string        `json:"usernames"`
}

// Receipt says that a person was forgotten. It holds no personal data: of subs,
// which are random, the SHA-256, and of usernames, which can be guessed, nothing.
type Receipt struct {
	Version   document.V1     `json:"version"`
	Run       string          `json:"run"`
	SubSHA256 document.Digest `json:"sub_sha256"`
	// TargetSubsSHA256 are the person's subs in the target pool, sorted.
	TargetSubsSHA256 []document.Digest `json:"target_subs_sha256"`
	Begun            time.Time         `json:"begun"`
	Ended            time.Time         `json:"ended"`
	By               string            `json:"by"`
	Generations      []Proof           `json:"generations"` // that are closed
	Searched         Searched          `json:"searched"`    // in the end, and the person was nowhere
}

// Proof is the manifest of a generation without the person.
type Proof struct {
	Generation     int             `json:"generation"`
	ManifestSHA256 document.Digest `json:"manifest_sha256"`
}

// PurgeReceipt says what was purged of a run, and how far that is.
type PurgeReceipt struct {
	Version document.V1 `json:"version"`
	Run     string      `json:"run"`
	Begun   time.Time   `json:"begun"`
	By      string      `json:"by"`
	CutOver bool        `json:"cut_over"` // the run was, when it was purged
	// Purged is what there was, by pattern of keys. It is written before anything is
	// deleted.
	Purged []Purged `json:"purged"`
	Total  Amount   `json:"total"`
	// InventorySHA256 is the digest of a list of all versions: lines of key, version,
	// bytes and tag, separated by tabs and sorted.
	InventorySHA256 document.Digest `json:"inventory_sha256"`
	Keys            []string        `json:"encryption_keys"` // of the bucket
	Kept            []string        `json:"kept"`            // keys of objects, sorted
	Ended           time.Time       `json:"ended,omitzero"`  // when nothing of it was left
}

// Purged is what there was of a kind.
type Purged struct {
	Pattern string `json:"pattern"`
	Amount
}

// Amount counts versions.
type Amount struct {
	Objects  int   `json:"objects"`  // keys
	Versions int   `json:"versions"` // delete markers are none
	Markers  int   `json:"markers"`
	Bytes    int64 `json:"bytes"`
}

func (a *Amount) add(b Amount) {
	a.Objects += b.Objects
	a.Versions += b.Versions
	a.Markers += b.Markers
	a.Bytes += b.Bytes
}

// Of returns an error of kind fault.Invalid unless n is the note of a person.
func (n Note) Of(run string, sub document.Digest) error {
	return of("note", n.Run, n.SubSHA256, run, sub)
}

// Of returns an error of kind fault.Invalid unless r is the receipt of a person.
func (r Receipt) Of(run string, sub document.Digest) error {
	return of("receipt", r.Run, r.SubSHA256, run, sub)
}

func of(kind, run string, sub document.Digest, wantRun string, wantSub document.Digest) error {
	if run != wantRun || sub != wantSub {
		return fault.New(fault.Invalid, "%s is of run %q and another person, or of another run", kind, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (n Note) Encode() ([]byte, error) { return document.Encode("note", n, n.check) }

// DecodeNote reads a note.
func DecodeNote(data []byte) (n Note, err error) {
	err = document.Decode("note", data, &n, Note.check)
	return n, err
}

func (n Note) check() error {
	if n.Run == "" || n.Targets == nil || n.Usernames == nil {
		return errors.New("run, target subs or usernames are missing")
	}
	return errors.Join(n.SubSHA256.Check("sub_sha256"), document.CheckTime("begun", n.Begun))
}

// Encode returns the bytes of the document.
func (r Receipt) Encode() ([]byte, error) { return document.Encode("receipt", r, r.check) }

// DecodeReceipt reads the receipt of a person.
func DecodeReceipt(data []byte) (r Receipt, err error) {
	err = document.Decode("receipt", data, &r, Receipt.check)
	return r, err
}

func (r Receipt) check() error {
	if r.Run == "" || r.TargetSubsSHA256 == nil || r.Generations == nil {
		return errors.New("run, target subs or generations are missing")
	}
	errs := []error{r.SubSHA256.Check("sub_sha256"), document.CheckTime("begun", r.Begun), document.CheckTime("ended", r.Ended)}
	for _, d := range r.TargetSubsSHA256 {
		errs = append(errs, d.Check("target_subs_sha256"))
	}
	for _, g := range r.Generations {
		errs = append(errs, g.ManifestSHA256.Check("manifest_sha256"))
	}
	return errors.Join(errs...)
}

// OfRun returns an error of kind fault.Invalid unless r is of a run.
func (r PurgeReceipt) OfRun(run string) error {
	if r.Run != run {
		return fault.New(fault.Invalid, "receipt of a purge is of run %q, not of %q", r.Run, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (r PurgeReceipt) Encode() ([]byte, error) {
	return document.Encode("receipt of a purge", r, r.check)
}

// DecodePurge reads the receipt of a purge.
func DecodePurge(data []byte) (r PurgeReceipt, err error) {
	err = document.Decode("receipt of a purge", data, &r, PurgeReceipt.check)
	return r, err
}

func (r PurgeReceipt) check() error {
	if r.Run == "" || r.Purged == nil || r.Keys == nil || r.Kept == nil || !slices.IsSorted(r.Kept) {
		return errors.New("a member is missing")
	}
	var sum Amount
	for _, p := range r.Purged {
		sum.add(p.Amount)
	}
	if sum != r.Total {
		return fmt.Errorf("total %+v: the kinds have %+v", r.Total, sum)
	}
	err := errors.Join(document.CheckTime("begun", r.Begun), r.InventorySHA256.Check("inventory_sha256"))
	if err == nil && !r.Ended.IsZero() {
		err = document.CheckTime("ended", r.Ended)
	}
	return err
}
