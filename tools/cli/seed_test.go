package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"poolferry/internal/store"
	"poolferry/tools/cli"
)

// operator types commands against a sandbox.
type operator struct {
	t      *testing.T
	config string
	bucket *store.S3
}

// newOperator serves a sandbox until the test ends, and sets the environment as
// its brief says.
func newOperator(t *testing.T, users string) *operator {
	t.Helper()
	o := &operator{t: t, config: filepath.Join(t.TempDir(), "poolferry.yaml")}
	ctx, stop := context.WithCancel(t.Context())
	brief, served := make(lines), make(chan int)
	go func() {
		served <- cli.Main(ctx, []string{"sandbox", "--json", "--users", users, "--config", o.config}, strings.NewReader(""), brief, new(bytes.Buffer))
	}()
	t.Cleanup(func() {
		stop()
		if code := <-served; code != cli.ExitDone {
			t.Errorf("the sandbox ended with %d", code)
		}
	})
	var b struct {
		Endpoint string
		Target   struct {
			Region          string
			AccessKeyID     string `json:"access_key_id"`
			SecretAccessKey string `json:"secret_access_key"`
		}
	}
	if err := json.Unmarshal([]byte(<-brief), &b); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ENDPOINT_URL", b.Endpoint)
	t.Setenv("AWS_ACCESS_KEY_ID", b.Target.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", b.Target.SecretAccessKey)
	text, err := os.ReadFile(o.config)
	if err != nil {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(string(text), "bucket: ")
	name, _, _ = strings.Cut(name, "\n")
	o.bucket, err = store.OpenS3(t.Context(), store.S3Options{Bucket: name, Region: b.Target.Region, Env: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// types runs a command, which must end with a code, and write the words to
// stdout or stderr.
func (o *operator) types(command string, code int, words ...string) (stdout string) {
	o.t.Helper()
	var out, talk bytes.Buffer
	got := cli.Main(o.t.Context(), append(strings.Fields(command), "--config", o.config), strings.NewReader(""), &out, &talk)
	if got != code {
		o.t.Fatalf("%s: exit %d, want %d\n%s%s", command, got, code, out.String(), talk.String())
	}
	for _, word := range words {
		if !strings.Contains(out.String()+talk.String(), word) {
			o.t.Errorf("%s does not say %q:\n%s%s", command, word, out.String(), talk.String())
		}
	}
	return out.String()
}

// interrupts types a command and then, as soon as it writes data, Ctrl-C.
func (o *operator) interrupts(command, word string) {
	o.t.Helper()
	ctx, stop := context.WithCancel(o.t.Context())
	defer stop()
	var talk bytes.Buffer
	code := cli.Main(ctx, append(strings.Fields(command), "--config", o.config), strings.NewReader(""), first(stop), &talk)
	if code != cli.ExitInterrupted || !strings.Contains(talk.String(), word) {
		o.t.Errorf("%s, interrupted: exit %d, %s", command, code, talk.String())
	}
}

// first is called when something is written to it.
type first func()

func (f first) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

// key returns the key of the only object that contains the word.
func (o *operator) key(word string) (key string) {
	o.t.Helper()
	for entry, err := range o.bucket.List(o.t.Context(), "runs/") {
		switch {
		case err != nil:
			o.t.Fatal(err)
		case strings.Contains(entry.Key, word) && key != "":
			o.t.Fatalf("%s and %s contain %q", key, entry.Key, word)
		case strings.Contains(entry.Key, word):
			key = entry.Key
		}
	}
	return key
}

func TestSeedAndManifest(t *testing.T) {
	o := newOperator(t, "120")
	for _, early := range []string{"seed status", "seed stop --yes", "manifest verify", "manifest inspect", "manifest diff 1 2"} {
		o.types(early, cli.ExitNoRun, "it was never seeded", "poolferry seed start")
	}
	arn := o.types("seed start --yes", cli.ExitDone,
		"nothing is written to the target pool", "about 120", "about 3 pages", "requests/s", "takes", "poolferry seed watch")
	if !strings.HasPrefix(arn, "arn:aws:states:") || strings.Count(arn, "\n") != 1 {
		t.Errorf("stdout is not the execution's ARN alone: %q", arn)
	}
	o.types("seed watch --interval 100ms", cli.ExitDone, "done: 120 users", "poolferry manifest verify")
	o.types("seed status", cli.ExitDone, "120 users", "committed")
	o.types("seed start --yes --json", cli.ExitDone, `{"version":1,"run":"rehearsal","generation":1,"done":true}`, "nothing was started", "seed start --generation new")
	o.types("seed stop --yes", cli.ExitDone, "there is nothing to stop")
	o.types("seed status --generation 9", cli.ExitNoRun, "no generation 9", "manifest inspect")
	o.types("manifest verify --generation 9", cli.ExitNoRun, "no generation 9")
	o.types("manifest verify", cli.ExitDone, "generation 1: sound")

	o.types("seed start --yes --generation new --json", cli.ExitDone, `"generation":2,"execution":"arn:`, "seed watch --generation 2")
	o.types("seed watch --interval 100ms --generation 2 --json", cli.ExitDone, `"standing":"done"`)
	o.types("manifest diff 1 2", cli.ExitDone, "0 added, 0 removed, 0 changed")
	o.types("manifest inspect --json", cli.ExitDone, `"generations":[{"generation":1,`, `"shards":[`)
}

func TestStopAndGoOn(t *testing.T) {
	o := newOperator(t, "61")
	o.types("seed start --yes", cli.ExitDone)
	o.types("seed watch --interval 100ms", cli.ExitDone)
	// As if the last link had been killed before it could close the generation.
	if err := o.bucket.Delete(t.Context(), o.key("gen-1/manifest.json")); err != nil {
		t.Fatal(err)
	}
	o.types("seed status --json", cli.ExitRunning, `"standing":"running"`)
	o.types("manifest verify", cli.ExitRunning, "not closed yet", "seed start")
	o.types("manifest diff 1 1", cli.ExitRunning, "generation 1 of run rehearsal is not closed yet")
	o.types("seed start --yes --generation new", cli.ExitFailed, "is not closed, so no new one can be opened", "Finish it with")
	o.interrupts("seed watch --json", "The seeding goes on without this command")
	o.types("seed stop --yes", cli.ExitDone, "The stop switch is set", "goes on from the checkpoints")
	o.types("seed stop --yes", cli.ExitDone, "stopped already")
	o.types("seed status", cli.ExitFindings, "stopped", "goes on from the checkpoints")
	o.types("seed watch", cli.ExitFindings, "stopped")
	o.types("seed start --yes", cli.ExitDone, "of whom 61 are staged", "clears       the stop switch")
	o.types("seed watch --interval 100ms", cli.ExitDone)
	o.types("manifest verify --json", cli.ExitDone, `"sound":true`, `"profiles":61`)
}

func TestVerifyNamesWhatIsDamaged(t *testing.T) {
	o := newOperator(t, "61")
	o.types("seed start --yes", cli.ExitDone)
	o.types("seed watch --interval 100ms", cli.ExitDone)
	for _, word := range []string{"shards/all/1/part-00000", "shards/all/commit.json", "gen-1/manifest.json"} {
		key := o.key(word)
		sound, err := o.bucket.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		damaged := bytes.Clone(sound.Body)
		damaged[len(damaged)/2] ^= 1
		o.put(key, damaged)
		o.types("manifest verify", cli.ExitFailed, key, "is not sound", "seed start --generation new")
		if out := o.types("manifest verify --json", cli.ExitFailed); !strings.Contains(out, `"sound":false`) || !strings.Contains(out, key) {
			t.Errorf("%s: %s", key, out)
		}
		o.put(key, sound.Body)
	}
	o.types("manifest verify", cli.ExitDone)
	o.types("manifest inspect --profile nobody", cli.ExitFailed, "nobody of this sub is staged", "poolferry explain NAME")
}

func (o *operator) put(key string, body []byte) {
	o.t.Helper()
	if _, err := o.bucket.Put(o.t.Context(), key, body, store.Condition{}); err != nil {
		o.t.Fatal(err)
	}
}

func TestNotDeployed(t *testing.T) {
	o := newOperator(t, "3")
	text, err := os.ReadFile(o.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.config, bytes.Replace(text, []byte("run: rehearsal"), []byte("run: elsewhere"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	o.types("seed start --yes", cli.ExitFailed, "poolferry-elsewhere-preseed is not deployed", "apply infra/")
	o.types("reconcile run", cli.ExitFailed, "poolferry-elsewhere-reconcile is not deployed", "apply infra/")
}
