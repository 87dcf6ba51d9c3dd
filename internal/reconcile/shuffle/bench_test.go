package shuffle_test

import (
	"testing"

	"poolferry/internal/reconcile/shuffle"
)

const crowd = 50_000

// BenchmarkWrite deals out one side, as an index item or a batch of a scan does.
func BenchmarkWrite(b *testing.B) {
	users := people(crowd)
	l := shuffle.Layout{Buckets: 128, NameBuckets: 16, Side: shuffle.Staged, Pool: target}
	var size int
	for b.Loop() {
		size = len(write(b, l, users...))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/crowd, "ns/record")
	b.ReportMetric(float64(size)/crowd, "bytes/record")
}

// BenchmarkRead takes up a bucket, as a comparison does.
func BenchmarkRead(b *testing.B) {
	l := shuffle.Layout{Buckets: 1, NameBuckets: 1, Side: shuffle.Staged}
	users := people(crowd)
	o := objects{"a": write(b, l, users[:crowd/2]...), "b": write(b, l, users[crowd/2:]...)}
	var raw int64
	for b.Loop() {
		side := load(b, o, l, 0, "a", "b")
		raw = side.Bytes()
		n := 0
		for walk := side.Linked(); ; n++ {
			if _, ok := walk.Identity(); !ok {
				break
			}
			if _, err := walk.Next(); err != nil {
				b.Fatal(err)
			}
		}
		if n != crowd {
			b.Fatalf("%d users", n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/crowd, "ns/record")
	b.ReportMetric(float64(raw)/crowd, "bytes/record")
}
