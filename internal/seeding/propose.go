package seeding

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// pageSize is the most that Cognito lists in a page.
const pageSize = 60

// planTime is how long a plan may wait for the directory.
const planTime = 45 * time.Second

// Requests per second in categories that poolferry hardly uses. Reading a pool's
// settings has a quota of 15, listing groups one of five per pool (Cognito
// Developer Guide, quotas).
const (
	settingsRate = 5
	groupRate    = 4
)

// Proposal is a plan that is not made yet, and what to expect of it.
type Proposal struct {
	Plan     manifest.Plan
	Why      string        // in a word, why there is one serial shard; empty where there are prefixes
	Latency  time.Duration // of a page
	Pages    int           // about how many will be read, groups aside
	Rate     float64       // pages per second that pace and latency allow
	Duration time.Duration // of reading them
}

// Reasons for a serial shard.
const (
	whyConfigured  = "configured"
	whySmallPool   = "small_pool"
	whyOneIsEnough = "one_chain_uses_the_pace"
	whyRefused     = "filter_refused"
	whyNotHonoured = "filter_not_honoured"
	whyNotProven   = "filter_not_proven"
	whyDisagree    = "counts_disagree"
)

// Propose looks at the source pool and says what a plan would be. It writes
// nothing. The error is of kind fault.Invalid where the pool has an attribute
// that must not be staged and that the mapping does not drop.
func (s *Seeding) Propose(ctx context.Context) (Proposal, error) {
	digest, err := manifest.DigestOfMapping(s.o.Mapping)
	if err != nil {
		return Proposal{}, err
	}
	pool, err := s.describe(ctx)
	if err != nil {
		return Proposal{}, err
	}
	if err := s.checkSchema(pool.Attributes); err != nil {
		return Proposal{}, err
	}
	shards, why, latency, err := s.choose(ctx, pool.Users)
	if err != nil {
		return Proposal{}, err
	}
	proposal := Proposal{
		Plan: manifest.Plan{
			Run: s.o.Run, Source: s.o.Source, Target: s.o.Target, MappingSHA256: digest,
			Estimate: pool.Users, Shards: shards, Created: s.o.Now().UTC(), CreatedBy: s.o.CreatedBy,
		},
		Why: why, Latency: latency, Pages: pool.Users/pageSize + len(shards),
	}
	proposal.expect(s.o.PerSecond, s.o.Concurrency)
	return proposal, nil
}

func (p *Proposal) expect(perSecond float64, concurrency int) {
	p.Rate = perSecond
	if p.Latency > 0 {
		p.Rate = min(perSecond, float64(min(concurrency, len(p.Plan.Shards)))/p.Latency.Seconds())
	}
	p.Duration = time.Duration(float64(p.Pages) / p.Rate * float64(time.Second))
}

// describe asks the pool for its settings.
func (s *Seeding) describe(ctx context.Context) (pool Description, err error) {
	err = s.patience("user_pool_read", settingsRate, planTime).do(ctx, func(ctx context.Context) (err error) {
		pool, err = s.o.Directory.Describe(ctx)
		return err
	})
	return pool, err
}

// checkSchema refuses a pool whose users cannot be staged, before the first of
// them fails.
func (s *Seeding) checkSchema(attributes []string) error {
	dropped := s.dropped()
	var names []string
	for _, name := range attributes {
		if manifest.SecretLike(name) && !dropped[name] {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fault.New(fault.Invalid, "source pool %s has attributes that sound like secrets, which are never staged: %s; add a drop rule for each to mapping.rules, or rename them at the source",
		s.o.Source.ID, strings.Join(names, ", "))
}

// dropped are the attributes that the mapping has no use for. They are not
// staged.
func (s *Seeding) dropped() map[string]bool {
	dropped := map[string]bool{}
	for _, r := range s.o.Mapping.Rules {
		if r.Drop != "" {
			dropped[r.Drop] = true
		}
	}
	for _, r := range s.o.Mapping.Rules {
		if r.Copy != nil {
			delete(dropped, r.Copy.From)
		}
	}
	return dropped
}

// choose chooses the shards, and says why if it is a serial one.
//
//	wanted   pool                                      shards
//	serial   any                                       serial
//	any      prefix filters refused or not honoured    serial
//	any      empty, so that nothing can be proven      serial
//	prefix   prefix filters honoured                   prefixes
//	auto     fewer users than pages of all prefixes    serial
//	auto     one chain of pages uses all of the pace   serial
//	auto     otherwise                                 prefixes
func (s *Seeding) choose(ctx context.Context, estimate int) (shards []manifest.Shard, why string, latency time.Duration, err error) {
	probe := probe{directory: s.o.Directory, patience: s.patience("user_list", s.o.PerSecond, planTime), now: s.o.Now}
	// Below one page a second a chain needs no help, and probes would take long.
	slow := s.o.PerSecond <= 1
	sample, err := probe.sample(ctx, !slow)
	if err != nil {
		return nil, "", 0, err
	}
	auto := s.o.Shards == ShardsAuto
	switch {
	case s.o.Shards == ShardsSerial:
		why = whyConfigured
	case auto && estimate <= pageSize*len(prefixes()):
		why = whySmallPool
	case auto && (s.o.Concurrency == 1 || slow || s.o.PerSecond*probe.latency.Seconds() <= 1):
		why = whyOneIsEnough
	default:
		why, err = probe.prefixes(ctx, sample)
	}
	if err != nil {
		return nil, "", 0, err
	}
	if why != "" {
		return serial(), why, probe.latency, nil
	}
	return prefixes(), "", probe.latency, nil
}

// probe finds out what the directory can do.
type probe struct {
	directory Directory
	patience  *patience
	now       func() time.Time
	latency   time.Duration // the least of all pages
}

// probed is how many users have to be found by their prefix.
const probed = 3

// sample returns the users of a page, or of two. The second is there to be
// measured: the first answer takes longer, for connections and credentials are
// made for it.
func (p *probe) sample(ctx context.Context, two bool) ([]userpool.User, error) {
	first, err := p.list(ctx, "", "")
	if err != nil || first.Next == "" || !two {
		return first.Items, err
	}
	second, err := p.list(ctx, "", first.Next)
	return append(first.Items, second.Items...), err
}

// prefixes says in a word why prefix filters are no use; "" where they are.
func (p *probe) prefixes(ctx context.Context, sample []userpool.User) (why string, err error) {
	proven := 0
	for i := 0; i < len(sample) && proven < probed; i += max(1, len(sample)/probed) {
		sub := sample[i].Sub
		if len(sub) < 4 || !strings.ContainsRune("0123456789abcdef", rune(sub[0])) {
			return whyNotHonoured, nil // not a UUID: no prefix of ours would find it
		}
		prefix := string(sub[:4])
		page, err := p.list(ctx, manifest.PrefixFilter(prefix), "")
		if is(err, fault.Invalid) {
			return whyRefused, nil
		}
		if err != nil {
			return "", err
		}
		found := func(u userpool.User) bool { return u.Sub == sub }
		strange := func(u userpool.User) bool { return !strings.HasPrefix(string(u.Sub), prefix) }
		if slices.ContainsFunc(page.Items, strange) || page.Next == "" && !slices.ContainsFunc(page.Items, found) {
			return whyNotHonoured, nil
		}
		proven++
	}
	if proven == 0 {
		return whyNotProven, nil
	}
	return "", nil
}

func (p *probe) list(ctx context.Context, filter string, cursor manifest.Cursor) (page Page[userpool.User], err error) {
	err = p.patience.do(ctx, func(ctx context.Context) (err error) {
		began := p.now()
		page, err = p.directory.ListUsers(ctx, filter, cursor)
		if took := p.now().Sub(began); err == nil && (p.latency == 0 || took < p.latency) {
			p.latency = took
		}
		return err
	})
	return page, err
}

// listGroups reads all groups of the pool, sorted by name.
func (s *Seeding) listGroups(ctx context.Context, of manifest.Origin) (manifest.Groups, error) {
	p := s.patience("user_pool_resource_read", groupRate, planTime)
	groups := manifest.Groups{Origin: of, Groups: []manifest.Group{}, Listed: s.o.Now().UTC()}
	for cursor := manifest.Cursor(""); ; {
		var page Page[manifest.Group]
		err := p.do(ctx, func(ctx context.Context) (err error) {
			page, err = s.o.Directory.ListGroups(ctx, cursor)
			return err
		})
		if err != nil {
			return groups, fmt.Errorf("list groups: %w", err)
		}
		groups.Groups = append(groups.Groups, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	slices.SortFunc(groups.Groups, func(a, b manifest.Group) int { return strings.Compare(a.Name, b.Name) })
	groups.Groups = slices.CompactFunc(groups.Groups, func(a, b manifest.Group) bool { return a.Name == b.Name })
	return groups, nil
}
