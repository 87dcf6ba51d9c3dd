package seeding_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"poolferry/internal/seeding"
	"poolferry/internal/userpool"
)

func TestSeedsEveryUserOnce(t *testing.T) {
	for _, shards := range []seeding.Sharding{seeding.ShardsSerial, seeding.ShardsPrefix} {
		for _, n := range []int{0, 1, 59, 60, 61, 1000} {
			t.Run(fmt.Sprint(shards, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, people(n)...)
					w.o.Shards = shards
					for i := range min(n, 3) {
						for member := range 20 * i {
							group := fmt.Sprint("group ", i)
							w.pool.groups[group] = append(w.pool.groups[group], person(member).Sub)
						}
						w.pool.groups["empty"] = []userpool.Sub{}
					}
					w.wantAll(w.seed())
				})
			})
		}
	}
}

func TestAwkwardUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, awkward()...)
		w.wantAll(w.seed())
	})
}
