package reconcile

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// Basis is what a reconciliation compares. It is written once, by Open, and
// everything after that goes by it, whatever becomes of pools and manifest
// meanwhile.
type Basis struct {
	Version   document.V1 `json:"version"`
	Run       string      `json:"run"`
	ID        string      `json:"id"`
	Execution string      `json:"execution"` // that holds the lease
	Opened    time.Time   `json:"opened"`
	// PlanSHA256 is the digest of the run's plan; empty where there is none.
	PlanSHA256 document.Digest `json:"plan_sha256,omitempty"`
	// Staged is the generation that is compared; nil where nothing was staged.
	Staged *Staged `json:"staged,omitempty"`
	// Skipped are generations that were closed after the last whole
	// reconciliation and before Staged, oldest first. They only tell who was known
	// once.
	Skipped []Staged `json:"skipped"`
	// Previous is the last whole reconciliation; nil where there is none.
	Previous *Previous `json:"previous,omitempty"`
	// Items are the index items of Skipped and Staged, sorted by id: of several
	// lines about one user, that of the later item, or further back in it, is the
	// newer.
	Items   []IndexItem `json:"items"`
	Target  Target      `json:"target"`
	Buckets int         `json:"buckets"` // of identities: a power of two
	Seeding Start       `json:"seeding"`
	// Partial says in words why the reconciliation cannot be whole, as far as that
	// is known when it is opened.
	Partial []string `json:"partial"`
	// Exclude and Imported are what people had decided; see Decisions.
	Exclude  []verdict.Reason `json:"exclude,omitempty"`
	Imported []RowsRef        `json:"imported,omitempty"`
}

// Words of Basis.Partial.
const (
	PartialNothingStaged = "nothing_staged" // no generation is closed, and no shard of the latest is committed
	PartialNotClosed     = "not_closed"     // no generation is closed; the committed shards of the latest are compared
	PartialStale         = "stale"          // the generation was opened too long ago to speak for the source pool
)

// Staged is what is known of a generation.
type Staged struct {
	Generation int       `json:"generation"`
	Opened     time.Time `json:"opened"`
	Closed     time.Time `json:"closed,omitzero"` // zero where it is not
	Profiles   int       `json:"profiles"`        // users of the committed shards, each once
	Lines      int       `json:"lines"`           // with those who are there twice
	Bytes      int64     `json:"bytes"`           // of content
	Missing    []string  `json:"missing"`         // shards of profiles without a commit
	// Grouped says that all memberships in groups are among the items. Without them
	// nobody can say which groups a user has.
	Grouped bool `json:"grouped,omitempty"`
}

// Previous is an earlier reconciliation.
type Previous struct {
	ID         string `json:"id"`
	Generation int    `json:"generation"`
	Buckets    int    `json:"buckets"`
	// Opened is when it was, and GenerationOpened when the generation that it
	// compared was. Both are zero where it left no settle rows, so that nobody counts
	// as settled.
	Opened           time.Time `json:"opened,omitzero"`
	GenerationOpened time.Time `json:"generation_opened,omitzero"`
}

// IndexItem is a piece of the manifest that one Lambda shuffles: consecutive
// parts of a shard, of about itemBytes of content. A generation's items are the
// same for every reconciliation, however far the generation is: they are
// numbered within their shard, and a committed shard does not change.
type IndexItem struct {
	ID         string               `json:"id"`
	Generation int                  `json:"generation"`
	Commit     manifest.DocumentRef `json:"commit"` // of the shard
	Shard      manifest.Shard       `json:"shard"`
	First      int                  `json:"first"` // of the commit's parts, from 0
	Parts      int                  `json:"parts"`
	Lines      int                  `json:"lines"`
	Bytes      int64                `json:"bytes"` // of content
}

// Target is what is known of the target pool.
type Target struct {
	Estimate int              `json:"estimate"` // users, as the pool said
	Shards   []manifest.Shard `json:"shards"`
	Why      string           `json:"why,omitempty"` // in a word, why there is one serial shard
	Pool     Pool             `json:"pool"`
}

// Start says whether a seeding is to be started.
type Start struct {
	Start bool `json:"start"`
	// Generation is what the seeding is to be given: 0 for the latest.
	Generation int    `json:"generation,omitempty"`
	Why        string `json:"why"` // in a word, either way
}

// Pool are a pool's settings as a document: what userpool.Pool says.
type Pool struct {
	ID                 string      `json:"id"`
	Schema             []Attribute `json:"schema"` // sorted by name
	Aliases            []string    `json:"aliases,omitempty"`
	UsernameAttributes []string    `json:"username_attributes,omitempty"`
	CaseSensitive      bool        `json:"case_sensitive"`
	MFA                string      `json:"mfa"`
	SMSMFA             bool        `json:"sms_mfa"`
	PreTokenGeneration bool        `json:"pre_token_generation"`
}

// Attribute is one attribute of a schema.
type Attribute struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Mutable  bool   `json:"mutable"`
	Required bool   `json:"required"`
	Min      *int64 `json:"min,omitempty"`
	Max      *int64 `json:"max,omitempty"`
}

func poolDocument(p userpool.Pool) Pool {
	d := Pool{
		ID: p.ID, Schema: []Attribute{}, Aliases: p.Aliases, UsernameAttributes: p.UsernameAttributes, CaseSensitive: p.CaseSensitive,
		MFA: string(p.MFA), SMSMFA: p.SMSMFA, PreTokenGeneration: p.PreTokenGeneration,
	}
	for name, a := range p.Schema {
		d.Schema = append(d.Schema, Attribute{name, string(a.Type), a.Mutable, a.Required, a.Min, a.Max})
	}
	slices.SortFunc(d.Schema, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })
	return d
}

// Userpool returns the settings as the rules want them.
func (d Pool) Userpool() userpool.Pool {
	p := userpool.Pool{
		ID: d.ID, Schema: userpool.Schema{}, Aliases: d.Aliases, UsernameAttributes: d.UsernameAttributes, CaseSensitive: d.CaseSensitive,
		MFA: userpool.MFAMode(d.MFA), SMSMFA: d.SMSMFA, PreTokenGeneration: d.PreTokenGeneration,
	}
	for _, a := range d.Schema {
		p.Schema[a.Name] = userpool.AttributeSpec{
			Name: a.Name, Type: userpool.AttributeType(a.Type), Mutable: a.Mutable, Required: a.Required, Min: a.Min, Max: a.Max,
		}
	}
	return p
}

// Bounds of buckets. A bucket's two sides are decompressed in memory.
const (
	MaxBuckets     = 4096
	maxNameBuckets = 256
	bucketBytes    = 32 << 20
	targetBytes    = 600 // of a user in the target pool, before compression
	itemBytes      = 64 << 20
)

// NameBuckets is how many name buckets go with how many buckets: an index holds
// both, and is kept under the number of buckets.
func NameBuckets(buckets int) int { return min(max(buckets/8, 1), maxNameBuckets) }

// bucketsFor returns how many buckets two sides need. In the end whoever was
// staged has arrived: counting on that from the beginning keeps the number the
// same, and so the index of a generation of use to the next reconciliation.
func bucketsFor(staged, skipped int64, targetUsers int) int {
	both := skipped + staged + max(int64(targetUsers)*targetBytes, staged)
	need := (both + bucketBytes - 1) / bucketBytes
	if need <= 1 {
		return 1
	}
	return min(1<<bits.Len64(uint64(need-1)), MaxBuckets) //nolint:gosec // it is above 1
}

// Item returns the basis' item of an id.
func (b Basis) Item(id string) (IndexItem, bool) {
	i := slices.IndexFunc(b.Items, func(item IndexItem) bool { return item.ID == id })
	if i < 0 {
		return IndexItem{}, false
	}
	return b.Items[i], true
}

// Shard returns the target's shard of an id.
func (t Target) Shard(id string) (manifest.Shard, bool) {
	i := slices.IndexFunc(t.Shards, func(s manifest.Shard) bool { return s.ID == id })
	if i < 0 {
		return manifest.Shard{}, false
	}
	return t.Shards[i], true
}

// generations are Skipped and Staged, oldest first.
func (b Basis) generations() []Staged {
	all := slices.Clone(b.Skipped)
	if b.Staged != nil {
		all = append(all, *b.Staged)
	}
	return all
}

// Origin is where the parts of a generation belong.
func (b Basis) Origin(generation int) manifest.Origin {
	return manifest.Origin{Run: b.Run, Generation: generation, PlanSHA256: b.PlanSHA256}
}

// Of returns an error of kind fault.Invalid unless b is the basis of a
// reconciliation of a run.
func (b Basis) Of(run, id string) error {
	if b.Run != run || b.ID != id {
		return fault.New(fault.Invalid, "basis is of reconciliation %q of run %q, not of %q of %q", b.ID, b.Run, id, run)
	}
	return nil
}

// Encode returns the bytes of the document.
func (b Basis) Encode() ([]byte, error) { return document.Encode("basis", b, b.check) }

// DecodeBasis reads a basis.
func DecodeBasis(data []byte) (b Basis, err error) {
	err = document.Decode("basis", data, &b, Basis.check)
	return b, err
}

func (b Basis) check() error {
	if err := errors.Join(document.CheckID(b.ID), document.CheckTime("opened", b.Opened)); err != nil {
		return err
	}
	switch {
	case b.Run == "" || b.Execution == "":
		return errors.New("run or execution are missing")
	case b.Skipped == nil || b.Items == nil || b.Partial == nil || b.Target.Pool.Schema == nil:
		return errors.New("skipped, items, partial or the target's schema are missing")
	case b.Buckets < 1 || b.Buckets > MaxBuckets || bits.OnesCount(uint(b.Buckets)) != 1:
		return fmt.Errorf("buckets %d is no power of two from 1 to %d", b.Buckets, MaxBuckets)
	case len(b.Target.Shards) == 0:
		return errors.New("shards of the target are missing")
	case b.Staged == nil && len(b.Items) > 0:
		return errors.New("it has items and nothing is staged")
	}
	if b.Staged != nil || b.PlanSHA256 != "" {
		if err := b.PlanSHA256.Check("plan_sha256"); err != nil {
			return err
		}
	}
	generations, last := b.generations(), 0
	for _, g := range generations {
		if g.Generation <= last || g.Missing == nil || g.Profiles < 0 || g.Profiles > g.Lines || g.Bytes < 0 {
			return fmt.Errorf("generation %d: order, missing, profiles, lines or bytes are wrong", g.Generation)
		}
		last = g.Generation
	}
	id := ""
	for i, item := range b.Items {
		known := slices.ContainsFunc(generations, func(g Staged) bool { return g.Generation == item.Generation })
		if item.ID <= id || !known || item.First < 0 || item.Parts < 1 || item.Lines < 0 || item.Bytes < 1 {
			return fmt.Errorf("items[%d]: order, generation or counts are wrong", i)
		}
		id = item.ID
	}
	return errors.Join(checkExclude(b.Exclude), checkRows(b.Imported))
}
