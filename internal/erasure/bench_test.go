package erasure_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"poolferry/internal/manifest"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
)

// large stages users in parts of so many, in a bucket in memory.
func large(tb testing.TB, users, perPart int) *memory.Bucket {
	tb.Helper()
	bucket := memory.NewVersioned()
	run, ctx := store.NewRun(bucket, runID), tb.Context()
	now := time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	all := manifest.Shard{ID: "all", Content: manifest.Profiles}
	digest := must(run.WritePlan(ctx, manifest.Plan{
		Run: runID, Source: sourcePool, Target: targetPool, MappingSHA256: manifest.DigestOf(nil), Shards: []manifest.Shard{all}, Created: now,
	}))
	g := manifest.Generation{Origin: manifest.Origin{Run: runID, Generation: 1, PlanSHA256: digest}, Shards: []manifest.Shard{all}, Opened: now}
	must(run.OpenGeneration(ctx, g))
	c := manifest.NewCheckpoint(g.Origin, all, now)
	var parts []manifest.PartRef
	for from := 0; from < users; from += perPart {
		var buf bytes.Buffer
		h := c.PartHeader(len(parts))
		w := must(manifest.NewPartWriter(&buf, h))
		for n := from; n < min(from+perPart, users); n++ {
			u := person(n)
			u.Sub = userpool.Sub(fmt.Sprintf("%08x-0000-4000-8000-%012d", uint32(n)*2654435761, n))
			u.Groups, u.Attributes["name"], u.Attributes["locale"] = nil, fmt.Sprintf("Person the %d-th", n), "de-AT"
			must(0, w.Profile(u))
		}
		ref := must(w.Close())
		parts = append(parts, must(run.WritePart(ctx, h, buf.Bytes(), ref)))
	}
	c = must(c.Advance("", now, parts...))
	must(run.SwapCheckpoint(ctx, c, ""))
	commit := must(c.Commit(0, now))
	_, ref, err := run.CommitShard(ctx, commit)
	must(0, err)
	m := must(g.Close(map[string]manifest.Commit{"all": commit}, map[string]manifest.DocumentRef{"all": ref}, nil, users, now))
	must(run.WriteManifest(ctx, m))
	return bucket
}

// BenchmarkForget forgets one of many.
func BenchmarkForget(b *testing.B) {
	const users = 200_000
	bucket := large(b, users, 10_000)
	w := &world{source: newPool(), target: newPool()}
	sub := userpool.Sub(fmt.Sprintf("%08x-0000-4000-8000-%012d", uint32(123_456*2654435761%(1<<32)), 123_456))
	for b.Loop() {
		one := bucket.Clone()
		done, err := w.erasure(one).Forget(b.Context(), sub)
		if err != nil || done.Lines != 1 {
			b.Fatalf("%+v, %v", done, err)
		}
		calls := 0
		for _, op := range []memory.Operation{memory.Get, memory.Put, memory.List, memory.Delete, memory.ListVersions, memory.GetVersion, memory.DeleteVersion} {
			calls += one.Calls(op)
		}
		b.ReportMetric(float64(calls), "requests")
		b.ReportMetric(float64(done.Receipt.Searched.Bytes)/1e6, "MB")
	}
	b.ReportMetric(users*float64(b.N)/b.Elapsed().Seconds(), "users/s")
}
