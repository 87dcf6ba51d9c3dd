package pace

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// longest makes every pause as long as it can be.
func longest() float64 { return 1 }

// turns takes n turns and returns how long they took.
func turns(t *testing.T, b *Budget, n int) time.Duration {
	t.Helper()
	began := time.Now()
	for range n {
		if err := b.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.Answered()
	}
	return time.Since(began)
}

func TestRate(t *testing.T) {
	for perSecond, want := range map[float64]time.Duration{
		0.1: 1000 * time.Second, 1: 100 * time.Second, 10: 10 * time.Second, 1000: 100 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := New("user_list", perSecond, time.Now, longest)
			if took := turns(t, b, 101); took.Round(time.Millisecond) != want {
				t.Errorf("101 turns at %g/s took %s, want %s: the first is free", perSecond, took, want)
			}
		})
	}
}

// TestConcurrentCallers are together as fast as one.
func TestConcurrentCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New("user_list", 10, time.Now, longest)
		began := time.Now()
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() { turns(t, b, 10) })
		}
		group.Wait()
		if took := time.Since(began); took.Round(time.Millisecond) != 9900*time.Millisecond {
			t.Errorf("100 turns took %s", took)
		}
	})
}

// TestLateCallerMakesUp: an answer that takes long costs no turn, within limits.
func TestLateCallerMakesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New("user_list", 10, time.Now, longest)
		began := time.Now()
		for i := range 100 {
			turns(t, b, 1)
			time.Sleep([]time.Duration{150, 50}[i%2] * time.Millisecond) // 100 ms on average
		}
		if took := time.Since(began); took > 10050*time.Millisecond {
			t.Errorf("100 turns took %s", took)
		}
		time.Sleep(time.Hour)
		if took := turns(t, b, 13); took < 900*time.Millisecond {
			t.Errorf("after a long time 13 turns took %s: they came together", took)
		}
	})
}

func TestThrottledHalvesAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New("user_list", 8, time.Now, longest)
		b.Throttled()
		if got := b.Rate(); got != 4 {
			t.Errorf("rate %g, want 4", got)
		}
		if took := turns(t, b, 1); took < firstPause {
			t.Errorf("a turn came after %s of a hold-off of %s", took, firstPause)
		}
		before := b.Rate()
		time.Sleep(7500 * time.Millisecond) // a quarter of the recovery: two more
		if got := b.Rate() - before; got < 1.99 || got > 2.01 {
			t.Errorf("the rate grew by %g, want 2", got)
		}
		time.Sleep(time.Minute)
		if got := b.Rate(); got != 8 {
			t.Errorf("rate %g, want 8", got)
		}
		for range 100 {
			b.Throttled()
		}
		if got := b.Rate(); got != leastRate {
			t.Errorf("rate %g, want %g", got, leastRate)
		}
	})
}

// TestSlowBudgetStaysItself: what is slower than the least rate is not sped up.
func TestSlowBudgetStaysItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New("user_list", 0.05, time.Now, longest)
		b.Throttled()
		if got := b.Rate(); got != 0.05 {
			t.Errorf("rate %g", got)
		}
	})
}

func TestPausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New("user_list", 1000, time.Now, longest)
		for _, want := range []time.Duration{250, 500, 1000, 2000, 4000, 8000, 8000} {
			b.Failed()
			began := time.Now()
			if err := b.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != want*time.Millisecond {
				t.Errorf("hold-off %s, want %s", took, want*time.Millisecond)
			}
		}
		if got := b.Rate(); got != 1000 {
			t.Errorf("failures changed the rate to %g", got)
		}
		b.Answered()
		b.Failed()
		if got := b.hold(); got != firstPause {
			t.Errorf("after an answer the hold-off is %s", got)
		}
	})
}

func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[time.Duration]bool{}
		for range 20 {
			b := New("user_list", 10, time.Now, rand.Float64)
			b.Failed()
			hold := b.hold()
			if hold < firstPause/2 || hold > firstPause {
				t.Errorf("hold-off %s", hold)
			}
			seen[hold] = true
		}
		if len(seen) < 10 {
			t.Errorf("%d different hold-offs of 20", len(seen))
		}
	})
}

// TestWaitThatEndsEarly is an error, whatever it was that ended it, and costs no
// turn.
func TestWaitThatEndsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New("user_list", 1, time.Now, longest)
		turns(t, b, 1)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Wait(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: %v", err)
		}
		leaving, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		if err := b.Wait(leaving); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled meanwhile: %v", err)
		}
		short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := b.Wait(short); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 0 {
			t.Errorf("deadline before the turn: %v after %s", err, time.Since(began))
		}
		if took := turns(t, b, 1); took != 900*time.Millisecond {
			t.Errorf("the next turn came after %s, want what is left of a second", took)
		}
		b.Failed()
		if err := b.Wait(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled in a hold-off: %v", err)
		}
	})
}

// TestSharesAQuota: callers that know nothing of each other come to use most of
// a quota that is far below what they want, and each gets some of it.
func TestSharesAQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const quota, callers, seconds = 2.0, 8, 300
		var mu sync.Mutex
		tokens, refilled := quota, time.Now()
		granted := make([]int, callers)
		turnedAway := 0
		ask := func(caller int) bool {
			mu.Lock()
			defer mu.Unlock()
			now := time.Now()
			tokens = min(quota, tokens+quota*now.Sub(refilled).Seconds())
			refilled = now
			if tokens < 1 {
				turnedAway++
				return false
			}
			tokens--
			granted[caller]++
			return true
		}
		ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
		defer cancel()
		var group sync.WaitGroup
		for caller := range callers {
			group.Go(func() {
				b := New("user_list", 10, time.Now, rand.Float64)
				for b.Wait(ctx) == nil {
					if ask(caller) {
						b.Answered()
					} else {
						b.Throttled()
					}
				}
			})
		}
		group.Wait()
		all := 0
		for caller, n := range granted {
			if all += n; float64(n) < seconds*quota/callers/4 {
				t.Errorf("caller %d got %d", caller, n)
			}
		}
		if float64(all) < seconds*quota*3/4 {
			t.Errorf("%d of %g requests granted", all, seconds*quota)
		}
		if turnedAway > 2*all {
			t.Errorf("%d turned away, %d granted", turnedAway, all)
		}
	})
}

func TestRefit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New("user_list", 10, time.Now, longest)
		turns(t, b, 11)
		b.Refit(30)
		if took := turns(t, b, 30).Round(time.Millisecond); took != time.Second {
			t.Errorf("30 turns after the budget grew to 30/s took %s, want 1s", took)
		}
		b.Throttled()
		b.Refit(10)
		if got := b.Rate(); got < 4.99 || got > 5.01 {
			t.Errorf("a halved budget that shrinks to 10/s allows %g/s, want half of it", got)
		}
	})
}
