package knobs

import (
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Injection is what the rules decided for one call.
type Injection struct {
	Throttle  bool
	Error     bool
	Crash     bool
	AfterWork bool // with Crash: the work was done, only the answer is lost
	Duplicate bool
	Delay     time.Duration
}

// Injector draws faults. It is safe for concurrent use.
type Injector struct {
	rules map[string][]*dice // by target
}

// dice is a rule and its draws.
type dice struct {
	Rule
	draws draws
}

// NewInjector returns an Injector; the same seed gives every rule the same
// sequence of draws.
func NewInjector(faults Faults, seed uint64) *Injector {
	in := &Injector{rules: map[string][]*dice{}}
	for _, r := range faults {
		in.rules[r.Target] = append(in.rules[r.Target], &dice{Rule: r, draws: newDraws(seed, "fault", r.Target, string(r.Kind))})
	}
	return in
}

// Draw decides about one call that several targets apply to.
func (in *Injector) Draw(targets ...string) Injection {
	var out Injection
	for _, target := range targets {
		for _, d := range in.rules[target] {
			draw := d.draws.next()
			if draw >= d.Probability {
				continue
			}
			switch d.Kind {
			case Throttle:
				out.Throttle = true
			case Error:
				out.Error = true
			case Crash:
				out.Crash = true
				// The draw is uniform below the probability: halve it.
				out.AfterWork = draw < d.Probability/2
			case Duplicate:
				out.Duplicate = true
			case Delay:
				out.Delay += d.Delay
			}
		}
	}
	return out
}

// draws is a sequence of uniform numbers in [0, 1) that depends only on a seed
// and a name.
type draws struct {
	seed, stream uint64
	count        *atomic.Uint64
}

func newDraws(seed uint64, name ...string) draws {
	h := fnv.New64a()
	for _, part := range name {
		_, _ = h.Write([]byte(part + "\x00"))
	}
	return draws{seed: seed, stream: h.Sum64(), count: new(atomic.Uint64)}
}

func (d draws) next() float64 {
	n := d.count.Add(1)
	return rand.New(rand.NewPCG(d.seed^d.stream, n)).Float64()
}

// family is a set of draws by name, made when first asked for.
type family struct {
	seed   uint64
	mu     sync.Mutex
	byName map[string]draws
}

func (f *family) next(name string) float64 {
	f.mu.Lock()
	d, ok := f.byName[name]
	if !ok {
		d = newDraws(f.seed, name)
		f.byName[name] = d
	}
	f.mu.Unlock()
	return d.next()
}
