package knobs

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Quotas are the request rates of AWS: one bucket per account, region and
// category, that holds one second's worth of requests. It is safe for
// concurrent use.
type Quotas struct {
	mu      sync.Mutex
	buckets map[bucket]*rate.Limiter
}

type bucket struct{ account, region, category string }

// NewQuotas returns full buckets.
func NewQuotas() *Quotas { return &Quotas{buckets: map[bucket]*rate.Limiter{}} }

// Allow takes one request from a bucket and reports whether there was one.
// Zero per second means unlimited.
func (q *Quotas) Allow(account, region, category string, perSecond float64, now time.Time) bool {
	if perSecond <= 0 {
		return true
	}
	key := bucket{account, region, category}
	q.mu.Lock()
	limiter := q.buckets[key]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(perSecond)))
		q.buckets[key] = limiter
	}
	q.mu.Unlock()
	return limiter.AllowN(now, 1)
}
