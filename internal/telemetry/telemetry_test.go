package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

var update = flag.Bool("update", false, "write the golden files")

var key = userpool.NewSecret("0123456789abcdef")

// known is a key that need not be fetched.
func known(key userpool.Secret) func() userpool.Secret {
	return func() userpool.Secret { return key }
}

func at() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 123456789, time.UTC) }

func invocation() context.Context {
	return lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "req-1"})
}

// ordinary is a decision with every field filled.
func ordinary() trigger.Decision {
	return trigger.Decision{
		At: at(), TriggerSource: trigger.SourceAuthentication, Outcome: trigger.Migrated, Reason: "mfa_accepted",
		Sub: "6f1c2d3e-0000-4000-8000-000000000001", Name: "ann@example.com", ClientID: "1example23456789abcdefghij",
		Steps: []trigger.Step{
			{Name: trigger.StepLookup, Took: 40 * time.Millisecond},
			{Name: trigger.StepTarget, Took: 0},
			{Name: trigger.StepAuthenticate, Took: 90*time.Millisecond + 1500*time.Nanosecond},
			{Name: trigger.StepLookup, Took: 2 * time.Millisecond},
			{Name: "new_step", Took: time.Millisecond},
		},
		Total: 135 * time.Millisecond, Dropped: []string{"custom:note"}, Code: "",
	}
}

func TestGoldenLines(t *testing.T) {
	var refused trigger.Decision
	refused.Outcome, refused.Code, refused.Total = trigger.Throttled, "TooManyRequestsException", time.Second
	for name, d := range map[string]trigger.Decision{"migrated": ordinary(), "throttled": refused} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			NewRecorder(&got, "2026-11-prod", known(key), at).Record(invocation(), d)
			golden(t, name+".jsonl", got.Bytes())
		})
	}
	t.Run("log", func(t *testing.T) {
		var got bytes.Buffer
		log := slog.New(withoutTime{NewLogger(&got, slog.LevelInfo).Handler()}).With(KeyRun, "2026-11-prod")
		log.DebugContext(invocation(), "below the level")
		log.InfoContext(invocation(), "in an invocation", KeyShard, "0a")
		log.WithGroup("g").Info("outside of one", KeyPart, 7)
		golden(t, "log.jsonl", got.Bytes())
	})
}

// withoutTime makes log lines repeatable.
type withoutTime struct{ slog.Handler }

func (h withoutTime) Handle(ctx context.Context, r slog.Record) error {
	r.Time = time.Time{}
	return h.Handler.Handle(ctx, r)
}
func (h withoutTime) WithAttrs(a []slog.Attr) slog.Handler {
	return withoutTime{h.Handler.WithAttrs(a)}
}
func (h withoutTime) WithGroup(g string) slog.Handler { return withoutTime{h.Handler.WithGroup(g)} }

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

// TestMetricLinesFollowTheSpecification for every outcome, known or not.
func TestMetricLinesFollowTheSpecification(t *testing.T) {
	for _, o := range append(trigger.Outcomes(), "", "ann@example.com") {
		d := ordinary()
		d.Outcome = o
		var out bytes.Buffer
		NewRecorder(&out, strings.Repeat("r", 63), known(key), at).Record(context.Background(), d)
		first, _, _ := bytes.Cut(out.Bytes(), []byte("\n"))
		if err := checkMetricLine(first); err != nil {
			t.Errorf("%s: %v in %s", o, err, first)
		}
	}
}

func TestCheckMetricLineRefuses(t *testing.T) {
	const good = `{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"Poolferry","Dimensions":[["run"]],"Metrics":[{"Name":"A","Unit":"Count"}]}]},"run":"r","A":1}`
	if err := checkMetricLine([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"A":1}`, `"B":1}`}, {`"run":"r"`, `"ran":"r"`}, {`"Count"`, `"Apples"`}, {`"Timestamp":1`, `"Timestamp":"1"`},
		{`[["run"]]`, `[]`}, {`"run":"r"`, `"run":"` + strings.Repeat("x", 1025) + `"`}, {`"A":1}`, `"A":"1"}`}, {`"Poolferry"`, `""`},
		{`{"_aws"`, `x{"_aws"`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good || checkMetricLine([]byte(bad)) == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

// checkMetricLine checks a line against the embedded metric format
// specification of the CloudWatch User Guide.
func checkMetricLine(line []byte) error {
	var root map[string]json.RawMessage
	if err := json.Unmarshal(line, &root); err != nil {
		return err
	}
	var aws struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	}
	dec := json.NewDecoder(bytes.NewReader(root["_aws"]))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&aws); err != nil {
		return err
	}
	if len(line) > 1<<20 || aws.Timestamp <= 0 || len(aws.CloudWatchMetrics) == 0 {
		return errors.New("size, timestamp or metrics")
	}
	for _, d := range aws.CloudWatchMetrics {
		if d.Namespace == "" || len(d.Namespace) > 1024 || len(d.Dimensions) == 0 || len(d.Metrics) == 0 || len(d.Metrics) > 100 {
			return fmt.Errorf("directive %+v", d)
		}
		for _, set := range d.Dimensions {
			if len(set) > 30 {
				return fmt.Errorf("%d dimensions", len(set))
			}
			for _, name := range set {
				var value string
				if err := json.Unmarshal(root[name], &value); err != nil || value == "" || len(value) > 1024 {
					return fmt.Errorf("dimension %s: %d bytes, %w", name, len(value), err)
				}
			}
		}
		for _, m := range d.Metrics {
			var value float64
			if err := json.Unmarshal(root[m.Name], &value); err != nil {
				return fmt.Errorf("metric %s: %w", m.Name, err)
			}
			if m.Unit != "Count" && m.Unit != "Milliseconds" {
				return fmt.Errorf("metric %s has unit %s", m.Name, m.Unit)
			}
		}
	}
	return nil
}

func TestFailuresCountsWhatIsToBeRepaired(t *testing.T) {
	for _, o := range trigger.Outcomes() {
		d := ordinary()
		d.Outcome = o
		var out bytes.Buffer
		NewRecorder(&out, "r", known(key), at).Record(context.Background(), d)
		want := o.Failed() && o != trigger.LockedOut
		if got := strings.Contains(out.String(), `"Failures":1,`); got != want {
			t.Errorf("%s: counted as a failure: %v, want %v", o, got, want)
		}
	}
}

// TestNoPersonalData pushes names, passwords and other people's data through
// every field that takes text.
func TestNoPersonalData(t *testing.T) {
	canaries := []string{"ann@example.com", "+15550100123", "hunter2 hunter2", "Ann Śmith", "\"quoted\"", "line\nbreak"}
	var out bytes.Buffer
	secret := userpool.NewSecret("hunter2 hunter2")
	r := NewRecorder(&out, "r", known(secret), at)
	for _, canary := range canaries {
		r.Record(lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: canary}), trigger.Decision{
			TriggerSource: canary, Outcome: trigger.Outcome(canary), Reason: canary, Sub: userpool.Sub(canary), Name: canary,
			ClientID: canary, Steps: []trigger.Step{{Name: trigger.StepName(canary), Took: 1}}, Dropped: []string{canary}, Code: canary,
		})
	}
	// A name that has the form of a code word still may not pass as a source.
	r.Record(context.Background(), trigger.Decision{TriggerSource: "annsmith", Outcome: "annsmith", Name: "annsmith"})
	log := NewLogger(&out, slog.LevelDebug)
	log.Info("secrets", KeyError, secret, "pointer", &secret, "in", struct{ Password userpool.Secret }{secret})
	log.Info("wrapped", KeyError, fmt.Errorf("with %v %s %q %x %#v", secret, secret, secret, secret, secret))

	for _, canary := range append(canaries, "annsmith", "hunter2") {
		quoted, _ := json.Marshal(canary)
		for _, form := range []string{canary, string(quoted[1 : len(quoted)-1]), fmt.Sprintf("%x", canary)} {
			if form != "\n" && strings.Contains(out.String(), form) {
				t.Errorf("%q is in the output:\n%s", form, out.String())
			}
		}
	}
	for line := range strings.Lines(out.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestNameHash(t *testing.T) {
	// HMAC-SHA256 test vector of RFC 4231, case 2, cut to 128 bits.
	if got, want := NameHash(userpool.NewSecret("Jefe"), "what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c7"; got != want {
		t.Errorf("NameHash = %s, want %s", got, want)
	}
	if NameHash(key, "Ann") == NameHash(key, "ann") {
		t.Error("names are hashed as typed")
	}
	if NameHash(userpool.Secret{}, "ann") != "" || NameHash(key, "") != "" {
		t.Error("without a key or a name there is no hash")
	}
}

// chunks records what each Write got.
type chunks struct {
	mu  sync.Mutex
	all [][]byte
}

func (c *chunks) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, bytes.Clone(p))
	return len(p), nil
}

// plain is a writer that is not safe for concurrent use.
type plain struct{ bytes.Buffer }

func TestConcurrentWritersDoNotMixLines(t *testing.T) {
	const writers, each = 8, 50
	var parts chunks
	var buf plain
	for _, w := range []io.Writer{&parts, &buf} {
		r := NewRecorder(w, "r", known(key), at)
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					r.Record(context.Background(), ordinary())
				}
			})
		}
		wg.Wait()
	}
	if len(parts.all) != writers*each*2 {
		t.Errorf("%d writes for %d lines", len(parts.all), writers*each*2)
	}
	for _, p := range append(parts.all, bytes.SplitAfter(bytes.TrimSuffix(buf.Bytes(), []byte("\n")), []byte("\n"))...) {
		if line := bytes.TrimSuffix(p, []byte("\n")); !json.Valid(line) || bytes.Contains(line, []byte("\n")) {
			t.Fatalf("not one line: %q", p)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("closed") }

// TestBrokenWriter: a sign-in does not fail because its record cannot be kept.
func TestBrokenWriter(t *testing.T) {
	NewRecorder(broken{}, "r", known(key), at).Record(context.Background(), ordinary())
}

func BenchmarkRecord(b *testing.B) {
	r := NewRecorder(io.Discard, "r", known(key), at)
	ctx, d := invocation(), ordinary()
	b.ReportAllocs()
	for b.Loop() {
		r.Record(ctx, d)
	}
}
