package tail_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/store/memory"
	"poolferry/internal/tail"
	"poolferry/internal/userpool"
)

// endless are so many users, made as they are asked for.
type endless struct{ users, buckets int }

func (e endless) Buckets(context.Context) (int, error) { return e.buckets, nil }

func (e endless) Users(_ context.Context, bucket int) iter.Seq2[reconcile.PendingUser, error] {
	return func(yield func(reconcile.PendingUser, error) bool) {
		each := e.users / e.buckets
		for n := bucket * each; n < (bucket+1)*each; n++ {
			u := user(n, "someone.with.a.name.", verdict.NotSignedIn, byPhone)
			u.User.Attributes["name"], u.User.Attributes["birthdate"] = fmt.Sprintf("Someone With, A Name %d", n), "1985-02-01"
			u.User.Attributes["custom:legacy_sub"] = string(u.Sub)
			if !yield(u, nil) {
				return
			}
		}
	}
}

// BenchmarkTail imports half a million users, as many as a job takes: the plan,
// the file, and what is read of its log. The job itself takes no time.
func BenchmarkTail(b *testing.B) {
	const users = 500_000
	for b.Loop() {
		w := &world{memory: memory.New(), pool: newPool(), now: time.Now, people: &people{ended: time.Now()}}
		w.options = tail.Options{Run: runID, LogRoleARN: logRole, Now: time.Now}
		w.pool.end = func(j *job) {
			j.lines = make([]string, 0, len(j.file))
			for n := range j.file[1:] {
				j.lines = append(j.lines, fmt.Sprintf("[SUCCEEDED] Line Number %d - The import succeeded.", n+1))
			}
			j.Imported, j.State, j.file = len(j.file)-1, tail.JobSucceeded, []string{}
		}
		o := w.options
		o.Store, o.Pool, o.Reconciliations = w.store(w.memory), quiet{w.pool}, w.people
		o.Users = func(string) tail.Users { return endless{users, 16} }
		of := tail.New(o)
		w.put(b)
		timed := func(what string, do func() error) {
			b.Helper()
			runtime.GC()
			stop, peak := make(chan struct{}), make(chan uint64)
			go func() {
				ticks, most := time.NewTicker(5*time.Millisecond), uint64(0)
				defer ticks.Stop()
				for {
					sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
					metrics.Read(sample)
					most = max(most, sample[0].Value.Uint64())
					select {
					case <-ticks.C:
					case <-stop:
						peak <- most
						return
					}
				}
			}()
			began := time.Now()
			if err := do(); err != nil {
				b.Fatal(err)
			}
			took := time.Since(began)
			close(stop)
			b.ReportMetric(users/took.Seconds(), what+"-users/s")
			b.ReportMetric(float64(<-peak)/(1<<20), what+"-MiB") // the bucket in memory included
		}
		var p tail.Plan
		timed("plan", func() (err error) {
			p, err = of.Plan(b.Context(), tail.Choice{Import: []verdict.Reason{verdict.NotSignedIn}})
			return err
		})
		must(of.Create(b.Context(), tailID, p))
		must(of.Open(b.Context(), tail.OpenInput{Run: runID, ID: tailID, Execution: "arn"}))
		in := tail.ImportInput{Run: runID, ID: tailID}
		files := 0
		timed("write", func() error {
			for {
				out, err := of.Write(b.Context(), tail.WriteInput(in))
				if files = out.Files; err != nil || !out.More {
					return err
				}
			}
		})
		timed("import", func() error {
			for {
				if out, err := of.Import(b.Context(), in); err != nil || !out.More {
					return err
				}
			}
		})
		b.ReportMetric(float64(files), "files")
		b.ReportMetric(float64(p.Bytes)/users, "bytes/user")
		if out := must(of.Close(b.Context(), tail.CloseInput{Run: runID, ID: tailID})); out.Imported != users {
			b.Fatalf("%+v", out)
		}
	}
}

// quiet is a pool that keeps no more of a file than the number of its lines.
type quiet struct{ *pool }

func (q quiet) Upload(_ context.Context, url userpool.Secret, size int64, file io.Reader) error {
	data, err := io.ReadAll(file)
	if err != nil || int64(len(data)) != size {
		return fmt.Errorf("%d bytes, not %d: %w", len(data), size, err)
	}
	for _, j := range q.jobs {
		if j.URL.Equal(url) {
			j.file = make([]string, strings.Count(string(data), "\n"))
		}
	}
	return nil
}
