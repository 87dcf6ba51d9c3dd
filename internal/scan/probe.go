package scan

import (
	"context"
	"slices"
	"strings"
	"time"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/userpool"
)

// LookTime is how long a look at a pool may wait for each of its answers.
const LookTime = 45 * time.Second

// settingsRate are requests per second for a pool's settings, whose quota is 15
// (Cognito Developer Guide, quotas).
const settingsRate = 5

// Look looks at a pool before it is scanned.
type Look struct {
	Directory   Directory
	Shards      Sharding
	PerSecond   float64 // requests to list users
	Concurrency int     // shards at a time
	Now         func() time.Time
	Random      func() float64
}

// Describe asks the pool for its settings.
func (l Look) Describe(ctx context.Context) (pool Description, err error) {
	err = l.Settings().Do(ctx, func(ctx context.Context) (err error) {
		pool, err = l.Directory.Describe(ctx)
		return err
	})
	return pool, err
}

// Settings is the patience for requests about a pool's settings.
func (l Look) Settings() *Patience {
	return NewPatience("user_pool_read", settingsRate, LookTime, l.Now, l.Random)
}

// Choice is how a pool is sliced.
type Choice struct {
	Shards  []manifest.Shard
	Why     string        // in a word, why there is one serial shard; empty where there are prefixes
	Latency time.Duration // of a page
}

// Choose chooses the shards of a pool of so many users, and says why if it is a
// serial one.
//
//	wanted   pool                                      shards
//	serial   any                                       serial
//	any      prefix filters refused or not honoured    serial
//	any      empty, so that nothing can be proven      serial
//	prefix   prefix filters honoured                   prefixes
//	auto     fewer users than pages of all prefixes    serial
//	auto     one chain of pages uses all of the pace   serial
//	auto     otherwise                                 prefixes
func (l Look) Choose(ctx context.Context, estimate int) (Choice, error) {
	p := probe{directory: l.Directory, patience: NewPatience("user_list", l.PerSecond, LookTime, l.Now, l.Random), now: l.Now}
	// Below one page a second a chain needs no help, and probes would take long.
	slow := l.PerSecond <= 1
	sample, err := p.sample(ctx, !slow)
	if err != nil {
		return Choice{}, err
	}
	auto := l.Shards == ShardsAuto
	var why string
	switch {
	case l.Shards == ShardsSerial:
		why = WhyConfigured
	case auto && estimate <= PageSize*len(digits):
		why = WhySmallPool
	case auto && (l.Concurrency == 1 || slow || l.PerSecond*p.latency.Seconds() <= 1):
		why = WhyOneIsEnough
	default:
		why, err = p.prefixes(ctx, sample)
	}
	if err != nil {
		return Choice{}, err
	}
	if why != "" {
		return Choice{Shards: Serial(), Why: why, Latency: p.latency}, nil
	}
	return Choice{Shards: Prefixes(), Latency: p.latency}, nil
}

// probe finds out what the directory can do.
type probe struct {
	directory Directory
	patience  *Patience
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
		if len(sub) < 4 || !strings.ContainsRune(digits, rune(sub[0])) {
			return WhyNotHonoured, nil // not a UUID: no prefix of ours would find it
		}
		prefix := string(sub[:4])
		page, err := p.list(ctx, manifest.PrefixFilter(prefix), "")
		if fault.KindOf(err) == fault.Invalid {
			return WhyRefused, nil
		}
		if err != nil {
			return "", err
		}
		found := func(u userpool.User) bool { return u.Sub == sub }
		strange := func(u userpool.User) bool { return !strings.HasPrefix(string(u.Sub), prefix) }
		if slices.ContainsFunc(page.Items, strange) || page.Next == "" && !slices.ContainsFunc(page.Items, found) {
			return WhyNotHonoured, nil
		}
		proven++
	}
	if proven == 0 {
		return WhyNotProven, nil
	}
	return "", nil
}

func (p *probe) list(ctx context.Context, filter string, cursor manifest.Cursor) (page Page[userpool.User], err error) {
	err = p.patience.Do(ctx, func(ctx context.Context) (err error) {
		began := p.now()
		page, err = p.directory.ListUsers(ctx, filter, cursor)
		if took := p.now().Sub(began); err == nil && (p.latency == 0 || took < p.latency) {
			p.latency = took
		}
		return err
	})
	return page, err
}
