package seeding

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/scan"
)

// groupRate are requests per second for groups: listing them has a quota of five
// per pool (Cognito Developer Guide, quotas).
const groupRate = 4

// Proposal is a plan that is not made yet, and what to expect of it.
type Proposal struct {
	Plan     manifest.Plan
	Why      string        // in a word, why there is one serial shard; empty where there are prefixes
	Latency  time.Duration // of a page
	Pages    int           // about how many will be read, groups aside
	Rate     float64       // pages per second that pace and latency allow
	Duration time.Duration // of reading them
}

// Propose looks at the source pool and says what a plan would be. It writes
// nothing. The error is of kind fault.Invalid where the pool has an attribute
// that must not be staged and that the mapping does not drop.
func (s *Seeding) Propose(ctx context.Context) (Proposal, error) {
	digest, err := manifest.DigestOfMapping(s.o.Mapping)
	if err != nil {
		return Proposal{}, err
	}
	look := s.look()
	pool, err := look.Describe(ctx)
	if err != nil {
		return Proposal{}, err
	}
	if err := s.checkSchema(pool.Attributes); err != nil {
		return Proposal{}, err
	}
	choice, err := look.Choose(ctx, pool.Users)
	if err != nil {
		return Proposal{}, err
	}
	proposal := Proposal{
		Plan: manifest.Plan{
			Run: s.o.Run, Source: s.o.Source, Target: s.o.Target, MappingSHA256: digest,
			Estimate: pool.Users, Shards: choice.Shards, Created: s.o.Now().UTC(), CreatedBy: s.o.CreatedBy,
		},
		Why: choice.Why, Latency: choice.Latency, Pages: pool.Users/scan.PageSize + len(choice.Shards),
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

// look is how the source pool is looked at before it is scanned.
func (s *Seeding) look() scan.Look {
	return scan.Look{
		Directory: s.o.Directory, Shards: s.o.Shards, PerSecond: s.o.PerSecond, Concurrency: s.o.Concurrency, Now: s.o.Now, Random: s.o.Random,
	}
}

func (s *Seeding) patience(name string, perSecond float64, limit time.Duration) *scan.Patience {
	return scan.NewPatience(name, perSecond, limit, s.o.Now, s.o.Random)
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

// listGroups reads all groups of the pool, sorted by name.
func (s *Seeding) listGroups(ctx context.Context, of manifest.Origin) (manifest.Groups, error) {
	p := s.patience("user_pool_resource_read", groupRate, scan.LookTime)
	groups := manifest.Groups{Origin: of, Groups: []manifest.Group{}, Listed: s.o.Now().UTC()}
	for cursor := manifest.Cursor(""); ; {
		var page Page[manifest.Group]
		err := p.Do(ctx, func(ctx context.Context) (err error) {
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
