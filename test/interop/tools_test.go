package interop_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// requireEnv names what must not be missing, separated by commas: with interop
// in it a missing tool fails the tests instead of skipping them.
const requireEnv = "POOLFERRY_REQUIRE"

// node returns the path of Node.js, once the packages are installed.
func node(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	for _, name := range []string{"cognito-local", "@aws-sdk/client-cognito-identity-provider", "amazon-cognito-identity-js"} {
		if err == nil {
			_, err = os.Stat("node_modules/" + name + "/package.json")
		}
	}
	if err == nil {
		return path
	}
	why := fmt.Sprintf("%v: install Node.js 20 or newer and run make interop", err)
	for name := range strings.SplitSeq(os.Getenv(requireEnv), ",") {
		if name == "interop" {
			t.Fatal(why)
		}
	}
	t.Skip(why)
	return ""
}

// process is a program that runs until the test ends.
type process struct {
	output *syncBuffer
	stdout *syncBuffer
	exited chan struct{}
}

// start starts a program and ends it with the test. What it printed is shown if
// the test fails.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{output: &syncBuffer{}, stdout: &syncBuffer{}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = io.MultiWriter(p.stdout, p.output), p.output
	leash, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // it is killed
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = leash.Close()
		_ = cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(cmd.Path), p.output.Bytes())
		}
	})
	return p
}

// startLimit is how long a program may take until it serves.
const startLimit = time.Minute

// await waits until the program has printed to stdout what pattern matches and
// returns the match.
func (p *process) await(t *testing.T, pattern *regexp.Regexp) string {
	t.Helper()
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	for {
		written := p.stdout.changed()
		if match := pattern.Find(p.stdout.Bytes()); match != nil {
			return string(match)
		}
		select {
		case <-written:
		case <-p.exited:
			t.Fatalf("the program ended before it printed %s", pattern)
		case <-limit.C:
			t.Fatalf("the program has not printed %s within %s", pattern, startLimit)
		}
	}
}

// syncBuffer keeps what is written to it and tells when there is more.
type syncBuffer struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{}
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
	return b.buf.Write(p)
}

// changed is closed at the next write.
func (b *syncBuffer) changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.more == nil {
		b.more = make(chan struct{})
	}
	return b.more
}

func (b *syncBuffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}
