package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"poolferry/tools/cli"
)

// TestMain lets the scripts run poolferry as a command of its own process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"poolferry": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			context.AfterFunc(ctx, stop)
			os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
		"with-sandbox": withSandbox,
	})
}

// TestScripts runs every script in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true})
}

// lines hands over what is written to it, write by write.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// withSandbox is a command for scripts: "with-sandbox ARGS... -- COMMAND ARGS..."
// serves a sandbox, sets the environment as its brief says, runs poolferry with
// the second arguments, where $NAME is the sample user, stops the sandbox and
// exits as poolferry did.
func withSandbox() {
	serve, run := cut(os.Args[1:], "--")
	ctx, stop := context.WithCancel(context.Background())
	brief := make(lines)
	served := make(chan int)
	go func() {
		served <- cli.Main(ctx, append([]string{"sandbox", "--json"}, serve...), os.Stdin, brief, bytes.NewBuffer(nil))
	}()
	var b struct {
		Endpoint string
		Target   struct {
			AccessKeyID     string `json:"access_key_id"`
			SecretAccessKey string `json:"secret_access_key"`
		}
		Sample struct{ Name string } `json:"sample_sign_in"`
	}
	if err := json.Unmarshal([]byte(<-brief), &b); err != nil {
		fmt.Fprintln(os.Stderr, "brief:", err)
		os.Exit(99)
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": b.Endpoint, "AWS_ACCESS_KEY_ID": b.Target.AccessKeyID, "AWS_SECRET_ACCESS_KEY": b.Target.SecretAccessKey,
	} {
		_ = os.Setenv(name, value)
	}
	for i := range run {
		run[i] = strings.ReplaceAll(run[i], "%NAME%", b.Sample.Name)
	}
	code := cli.Main(context.Background(), run, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if end := <-served; end != cli.ExitDone {
		fmt.Fprintln(os.Stderr, "the sandbox did not end well")
		code = 99
	}
	os.Exit(code)
}

func cut(args []string, at string) (before, after []string) {
	for i, arg := range args {
		if arg == at {
			return args[:i], args[i+1:]
		}
	}
	return args, nil
}

// TestInterrupted stops every command that works at its very beginning.
func TestInterrupted(t *testing.T) {
	for _, args := range [][]string{{"demo", "--users", "20", "--json"}, {"demo", "--users", "20"}} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stdout, stderr bytes.Buffer
		if code := cli.Main(ctx, args, strings.NewReader(""), &stdout, &stderr); code != cli.ExitInterrupted {
			t.Errorf("%v: exit %d, want %d; %s", args, code, cli.ExitInterrupted, stderr.String())
		}
		if stdout.Len() > 0 {
			t.Errorf("%v: a stopped command wrote data: %s", args, stdout.String())
		}
		if !strings.Contains(stderr.String(), "interrupted") {
			t.Errorf("%v: nobody was told: %s", args, stderr.String())
		}
	}
}
