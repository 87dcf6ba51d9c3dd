// Package staged looks at every profile of a manifest before anybody signs in:
// whom the target's schema refuses, what of whom will be left out, who is in
// whose way. It reads the manifest twice, in memory that grows with those who share
// a name and not with the manifest.
//
// Vocabulary: a refused user cannot be created at the target; a trimmed user
// moves without an attribute; the outlook is what would become of the users, by
// reason; a shared name is one that several users would have at the target,
// where only one of them can have it. Subs are listed, names never.
package staged

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// MostSubs is how many subs are listed of each kind; counts are of all users.
const MostSubs = 1000

// Store reads a manifest; store.Run says what its methods do.
type Store interface {
	LatestGeneration(ctx context.Context) (manifest.Generation, error)
	ReadGeneration(ctx context.Context, generation int) (manifest.Generation, error)
	ReadManifest(ctx context.Context, of manifest.Origin) (manifest.Manifest, error)
	ReadCommit(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Commit, manifest.DocumentRef, error)
	LoadCheckpoint(ctx context.Context, of manifest.Origin, shard manifest.Shard) (manifest.Checkpoint, string, error)
	ReadProfiles(ctx context.Context, h manifest.Header, ref manifest.PartRef) iter.Seq2[userpool.User, error]
}

// Name is a name under which the target would know a user.
type Name struct {
	Value string // the same for two users exactly where the target takes their names for one
	Exact string
}

// Rules are what profiles are held against.
type Rules struct {
	Mapping userpool.Mapping
	Target  userpool.Schema
	// Known are attributes that are said to be missing already: that profiles have
	// them is no news.
	Known map[string]bool
	// Names and Outlook answer for a user whose attributes are mapped: the names
	// that open the target for them, and in one word what would become of them.
	Names   func(userpool.User) []Name
	Outlook func(userpool.User) string
}

// Result is what was found.
type Result struct {
	Generation int
	Opened     time.Time
	Closed     bool // the generation is: otherwise there are users whom nobody has looked at
	Users      int
	Refused    Unfit
	Trimmed    Unfit
	Outlook    map[string]int // users by word
	Shared     Shared
}

// Unfit are users whose profile the target's schema objects to.
type Unfit struct {
	Users  int
	Counts []Count // by attribute and rule
	Subs   []userpool.Sub
}

// Count is how many users break a rule of the schema in an attribute.
type Count struct {
	Attribute string `json:"attribute"`
	Rule      string `json:"rule"`
	Users     int    `json:"users"`
}

// Shared are names that several users would have at the target.
type Shared struct {
	Names  int
	ByCase int // of those, where the names differ only in upper and lower case
	Users  int
	Subs   []userpool.Sub
}

// Check reads the latest generation that is closed, or the latest there is. The
// error is of kind fault.NotFound where there is none, of kind fault.Invalid where
// something of it is damaged.
func Check(ctx context.Context, store Store, rules Rules) (Result, error) {
	c := &check{store: store, rules: rules}
	if err := c.choose(ctx); err != nil {
		return Result{}, err
	}
	lines := 0
	for _, p := range c.parts {
		lines += p.ref.Count
	}
	c.subs, c.names = newFilter(lines), newFilter(2*lines)
	if err := c.each(ctx, c.count); err != nil {
		return Result{}, err
	}
	c.late, c.contested = map[userpool.Sub]finding{}, map[string]*contest{}
	c.tally = tally{outlook: map[string]int{}}
	if err := c.each(ctx, c.look); err != nil {
		return Result{}, err
	}
	return c.result(), nil
}

type check struct {
	store Store
	rules Rules

	generation manifest.Generation
	closed     bool
	parts      []part

	subs, names *filter
	late        map[userpool.Sub]finding // of users who may have several lines: the last counts
	contested   map[string]*contest
	tally       tally
}

type part struct {
	header manifest.Header
	ref    manifest.PartRef
}

// choose takes the latest closed generation, or the latest.
func (c *check) choose(ctx context.Context) error {
	latest, err := c.store.LatestGeneration(ctx)
	if err != nil {
		return err
	}
	c.generation = latest
	for n := latest.Generation; n > 0 && !c.closed; n-- {
		g, err := c.store.ReadGeneration(ctx, n)
		if err != nil {
			return err
		}
		_, err = c.store.ReadManifest(ctx, g.Origin)
		switch {
		case err == nil:
			c.generation, c.closed = g, true
		case fault.KindOf(err) != fault.NotFound:
			return err
		}
	}
	for _, shard := range c.generation.Shards {
		if shard.Content == manifest.Profiles {
			if err := c.open(ctx, shard); err != nil {
				return err
			}
		}
	}
	return nil
}

// open notes the parts of a shard: those of its commit, or as far as it has come.
func (c *check) open(ctx context.Context, shard manifest.Shard) error {
	commit, _, err := c.store.ReadCommit(ctx, c.generation.Origin, shard)
	if err == nil {
		for i, ref := range commit.Parts {
			c.parts = append(c.parts, part{commit.PartHeader(i), ref})
		}
		return nil
	}
	if fault.KindOf(err) != fault.NotFound {
		return err
	}
	checkpoint, _, err := c.store.LoadCheckpoint(ctx, c.generation.Origin, shard)
	if fault.KindOf(err) == fault.NotFound {
		return nil // not begun
	}
	for i, ref := range checkpoint.Parts {
		c.parts = append(c.parts, part{checkpoint.PartHeader(i), ref})
	}
	return err
}

func (c *check) each(ctx context.Context, do func(userpool.User)) error {
	for _, p := range c.parts {
		for u, err := range c.store.ReadProfiles(ctx, p.header, p.ref) {
			if err != nil {
				return err
			}
			u.Attributes = c.rules.Mapping.Apply(u)
			do(u)
		}
	}
	return ctx.Err()
}

// count is the first reading.
func (c *check) count(u userpool.User) {
	c.subs.add(string(u.Sub))
	if u.Status != userpool.StatusExternalProvider { // takes nobody's name: never moves
		for _, n := range c.rules.Names(u) {
			c.names.add(n.Value)
		}
	}
}

// finding is what there is to say of one user.
type finding struct {
	refused, trimmed []userpool.Violation
	outlook          string
	names            []Name // that may be shared
}

// look is the second reading.
func (c *check) look(u userpool.User) {
	f := finding{outlook: c.rules.Outlook(u)}
	for _, v := range c.rules.Target.Check(u.Attributes) {
		switch {
		case c.rules.Known[v.Attribute]:
		case c.rules.Target.Blocks(v):
			f.refused = append(f.refused, v)
		default:
			f.trimmed = append(f.trimmed, v)
		}
	}
	if u.Status != userpool.StatusExternalProvider {
		for _, n := range c.rules.Names(u) {
			if c.names.again(n.Value) {
				f.names = append(f.names, n)
			}
		}
	}
	if c.subs.again(string(u.Sub)) {
		c.late[u.Sub] = f
		return
	}
	c.take(u.Sub, f)
}

// take adds a user up.
func (c *check) take(sub userpool.Sub, f finding) {
	c.tally.users++
	c.tally.outlook[f.outlook]++
	c.tally.refused.add(sub, f.refused)
	c.tally.trimmed.add(sub, f.trimmed)
	for _, n := range f.names {
		known := c.contested[n.Value]
		if known == nil {
			known = &contest{first: sub, exact: n.Exact}
			c.contested[n.Value] = known
		}
		known.add(sub, n.Exact)
	}
}

// contest is a name that may be shared, and by whom.
type contest struct {
	first  userpool.Sub
	others map[userpool.Sub]bool
	exact  string
	byCase bool
}

func (n *contest) add(sub userpool.Sub, exact string) {
	if sub == n.first {
		return
	}
	if n.others == nil {
		n.others = map[userpool.Sub]bool{}
	}
	n.others[sub] = true
	n.byCase = n.byCase || exact != n.exact
}

type tally struct {
	users            int
	outlook          map[string]int
	refused, trimmed unfit
}

type unfit struct {
	users  int
	counts map[[2]string]int
	subs   []userpool.Sub
}

func (t *unfit) add(sub userpool.Sub, violations []userpool.Violation) {
	if len(violations) == 0 {
		return
	}
	t.users++
	if len(t.subs) < MostSubs {
		t.subs = append(t.subs, sub)
	}
	if t.counts == nil {
		t.counts = map[[2]string]int{}
	}
	for _, v := range violations {
		t.counts[[2]string{v.Attribute, v.Rule}]++
	}
}

func (t *unfit) result() Unfit {
	out := Unfit{Users: t.users, Subs: t.subs}
	for by, n := range t.counts {
		out.Counts = append(out.Counts, Count{by[0], by[1], n})
	}
	slices.SortFunc(out.Counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Attribute, b.Attribute), cmp.Compare(a.Rule, b.Rule))
	})
	slices.Sort(out.Subs)
	return out
}

func (c *check) result() Result {
	for _, sub := range slices.Sorted(maps.Keys(c.late)) {
		c.take(sub, c.late[sub])
	}
	out := Result{
		Generation: c.generation.Generation, Opened: c.generation.Opened, Closed: c.closed,
		Users: c.tally.users, Outlook: c.tally.outlook,
		Refused: c.tally.refused.result(), Trimmed: c.tally.trimmed.result(),
	}
	who := map[userpool.Sub]bool{}
	for _, n := range c.contested {
		if len(n.others) == 0 {
			continue
		}
		out.Shared.Names++
		if n.byCase {
			out.Shared.ByCase++
		}
		who[n.first] = true
		for sub := range n.others {
			who[sub] = true
		}
	}
	out.Shared.Users = len(who)
	subs := slices.Sorted(maps.Keys(who))
	out.Shared.Subs = subs[:min(len(subs), MostSubs)]
	return out
}
