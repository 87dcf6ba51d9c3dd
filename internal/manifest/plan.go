package manifest

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// Plan is what a run copies from where. It is written once and never changed.
type Plan struct {
	Version       V1     `json:"version"`
	Run           string `json:"run"` // run id, such as 2026-11-prod
	Source        Pool   `json:"source"`
	Target        Pool   `json:"target"`
	MappingSHA256 Digest `json:"mapping_sha256"` // as DigestOfMapping
	// Estimate is how many users the source pool said to have when the plan was
	// made (EstimatedNumberOfUsers of DescribeUserPool: not exact).
	Estimate int       `json:"estimate"`
	Shards   []Shard   `json:"shards"` // of a generation, unless it has reasons for others
	Created  time.Time `json:"created"`
	// CreatedBy is who made the plan, such as the ARN of a role session.
	CreatedBy string `json:"created_by"`
}

// Pool names a user pool.
type Pool struct {
	Account string `json:"account,omitempty"` // 12 digits, where known
	Region  string `json:"region"`
	ID      string `json:"id"` // REGION_ID
}

// Content is what the lines of a shard are.
type Content string

// The contents.
const (
	Profiles Content = "profiles"
	Members  Content = "members" // who is in which group
)

// Shard is a disjoint slice of what a generation scans.
type Shard struct {
	ID      string  `json:"id"` // lower-case letters, digits and hyphens; part of keys
	Content Content `json:"content"`
	// Filter is the filter of ListUsers, such as sub ^= "0"; empty for all
	// users.
	Filter string `json:"filter,omitempty"`
}

// Generation opens one scan of the source pool. It is written once, so that two
// executions that begin a generation scan the same shards.
type Generation struct {
	Version V1 `json:"version"`
	Origin
	Shards []Shard `json:"shards"`
	// Why says in a word why the shards are not the plan's, such as
	// counts_disagree; empty where they are.
	Why    string    `json:"why,omitempty"`
	Opened time.Time `json:"opened"`
}

// Origin says which generation of which run something belongs to. Whatever is
// found in the bucket with another origin is foreign.
type Origin struct {
	Run        string `json:"run"`
	Generation int    `json:"generation"` // from 1
	PlanSHA256 Digest `json:"plan_sha256"`
}

// For returns an error of kind fault.Invalid unless p is the plan of a run from
// source to target under a mapping: half of what is done would be about one thing
// and half about another.
func (p Plan) For(run string, source, target Pool, mapping userpool.Mapping) error {
	const next = "; to go on under this configuration begin a new run: change run in poolferry.yaml"
	for _, pool := range []struct {
		what         string
		plan, config Pool
	}{{"source", p.Source, source}, {"target", p.Target, target}} {
		if pool.plan != pool.config {
			return fault.New(fault.Invalid, "the plan of run %s is for %s pool %s of account %q, the configuration has %s of account %q%s",
				run, pool.what, pool.plan.ID, pool.plan.Account, pool.config.ID, pool.config.Account, next)
		}
	}
	digest, err := DigestOfMapping(mapping)
	if err != nil {
		return err
	}
	if digest != p.MappingSHA256 {
		return fault.New(fault.Invalid, "the mapping has changed since the plan of run %s was made (%.12s, now %.12s)%s", run, p.MappingSHA256, digest, next)
	}
	return nil
}

// Encode returns the bytes of the document.
func (p Plan) Encode() ([]byte, error) { return encode(p) }

// Encode returns the bytes of the document.
func (g Generation) Encode() ([]byte, error) { return encode(g) }

// DecodePlan reads a plan.
func DecodePlan(data []byte) (p Plan, err error) {
	err = decode(data, &p)
	return p, err
}

// DecodeGeneration reads the opening of a generation.
func DecodeGeneration(data []byte) (g Generation, err error) {
	err = decode(data, &g)
	return g, err
}

// Shard returns the generation's shard of an id.
func (g Generation) Shard(id string) (Shard, bool) {
	i := slices.IndexFunc(g.Shards, func(s Shard) bool { return s.ID == id })
	if i < 0 {
		return Shard{}, false
	}
	return g.Shards[i], true
}

func (Plan) kind() string       { return "plan" }
func (Generation) kind() string { return "generation" }

// Shapes of ids; both become parts of keys.
var (
	runShape   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)
	shardShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
)

func (p Plan) check() error {
	return errors.Join(
		checkRun(p.Run),
		p.Source.check("source"), p.Target.check("target"),
		p.MappingSHA256.Check("mapping_sha256"),
		checkCount("estimate", p.Estimate),
		checkShards(p.Shards),
		document.CheckTime("created", p.Created),
	)
}

func (g Generation) check() error {
	return errors.Join(g.Origin.check(), checkShards(g.Shards), document.CheckTime("opened", g.Opened))
}

func (o Origin) check() error {
	if err := checkRun(o.Run); err != nil {
		return err
	}
	if o.Generation < 1 {
		return fmt.Errorf("generation %d is below 1", o.Generation)
	}
	return o.PlanSHA256.Check("plan_sha256")
}

// differs says how an origin that was found is not the one that was wanted;
// empty where it is.
func (o Origin) differs(want Origin) string {
	switch {
	case o.Run != want.Run:
		return fmt.Sprintf("is of run %q, not of %q", o.Run, want.Run)
	case o.Generation != want.Generation:
		return fmt.Sprintf("is of generation %d, not of %d", o.Generation, want.Generation)
	case o.PlanSHA256 != want.PlanSHA256:
		return fmt.Sprintf("is of the plan %.12s, not of %.12s: the run id was used before", o.PlanSHA256, want.PlanSHA256)
	}
	return ""
}

// Same returns an error of no kind that says how o is not want.
func (o Origin) Same(want Origin) error {
	if why := o.differs(want); why != "" {
		return errors.New(why)
	}
	return nil
}

func (p Pool) check(member string) error {
	if p.Region == "" || p.ID == "" {
		return fmt.Errorf("%s is without region or id", member)
	}
	return nil
}

func (s Shard) check() error {
	if !shardShape.MatchString(s.ID) {
		return fmt.Errorf("shard id %q: want 1 to 32 lower-case letters, digits and hyphens", s.ID)
	}
	if s.Content != Profiles && s.Content != Members {
		return fmt.Errorf("shard %s: content %q is neither profiles nor members", s.ID, s.Content)
	}
	return nil
}

func checkShards(shards []Shard) error {
	if len(shards) == 0 {
		return errors.New("shards are missing")
	}
	seen := map[string]bool{}
	for _, s := range shards {
		if err := s.check(); err != nil {
			return err
		}
		if seen[s.ID] {
			return fmt.Errorf("shard %s is there twice", s.ID)
		}
		seen[s.ID] = true
	}
	return nil
}

func checkRun(id string) error {
	if !runShape.MatchString(id) {
		return fmt.Errorf("run %q: want 2 to 63 lower-case letters, digits and hyphens", id)
	}
	return nil
}

func checkCount(member string, n int) error {
	if n < 0 {
		return fmt.Errorf("%s %d is below 0", member, n)
	}
	return nil
}

// checkKey accepts a key relative to the run that stays inside of it.
func checkKey(key string) error {
	if key == "" || key != path.Clean(key) || strings.HasPrefix(key, "/") || strings.HasPrefix(key, "..") {
		return fmt.Errorf("key %q is not relative to the run", key)
	}
	return nil
}
