package measure

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"poolferry/internal/trigger"
	"poolferry/tools/demo"
	"poolferry/tools/rehearsal"
)

// start builds the binary that is deployed, but for this machine, and measures
// a sign-in that has to start it: process, credentials, description of the
// target, password.
func start(ctx context.Context) ([]Row, error) {
	const starts = 15
	folder, err := os.MkdirTemp("", "poolferry-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, "bootstrap")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags=-s -w", "-o", path, "./lambdas/migrate-user")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build migrate-user: %w: %s", err, said)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	zipped, err := zipSize(binary)
	if err != nil {
		return nil, err
	}
	var cold, warm []time.Duration
	for range starts {
		c, h, err := firstAndSecond(ctx, path)
		if err != nil {
			return nil, err
		}
		cold, warm = append(cold, c), append(warm, h)
	}
	return []Row{
		{"first answer of a process that has to be started, p50", round(demo.Percentile(cold, 50)), ""},
		{"second answer of the same process, p50", round(demo.Percentile(warm, 50)), ""},
		{"binary, zip", fmt.Sprintf("%.1f MB, %.1f MB", float64(len(binary))/1e6, float64(zipped)/1e6), ""},
	}, nil
}

// firstAndSecond times two sign-ins at a world whose function has not started.
func firstAndSecond(ctx context.Context, path string) (first, second time.Duration, err error) {
	w, err := rehearsal.New(ctx, rehearsal.Options{Users: people, Seed: 1, Now: time.Now, Binaries: map[string]string{"migrate-user": path}})
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = w.Close() }()
	event, err := plainEvent(w)
	if err != nil {
		return 0, 0, err
	}
	for _, took := range []*time.Duration{&first, &second} {
		begin := time.Now()
		if _, err := w.Sandbox.Lambda.Invoke(ctx, w.Brief("").Function, event); err != nil {
			return 0, 0, err
		}
		*took = time.Since(begin)
	}
	return first, second, nil
}

func zipSize(binary []byte) (int, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	f, err := w.Create("bootstrap")
	if err != nil {
		return 0, err
	}
	if _, err := f.Write(binary); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return buf.Len(), nil
}

// failures lets the demo's people sign in while the source fails now and then.
func failures(ctx context.Context) ([]Row, error) {
	r, err := demo.Run(ctx, demo.Options{
		Users: 10_000, Seed: 1, Faults: "source.AdminInitiateAuth=error:1%,source.AdminGetUser=error:1%", Now: time.Now,
	}, quiet{})
	if err != nil {
		return nil, err
	}
	lost := 0
	for _, o := range trigger.Outcomes() {
		if o.Failed() {
			lost += r.SignIns.RefusedBy[string(o)]
		}
	}
	share := float64(r.SignIns.Migrated) / float64(r.SignIns.Migrated+lost+r.SignIns.Errors)
	return []Row{
		{"right passwords migrated within Cognito's three attempts", fmt.Sprintf("%.3f %% of %d", 100*share, r.SignIns.Migrated+lost), "≥ 99.9 %"},
		{"passwords found in logs, answers and stores", fmt.Sprint(r.SecretsFound), "0"},
	}, nil
}

// quiet is a demo's talk that nobody hears.
type quiet struct{}

func (quiet) Say(string, ...any) {}

func (quiet) Progress(string, int) (tick, done func()) { return func() {}, func() {} }
