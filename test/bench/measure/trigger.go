package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"poolferry/internal/config"
	"poolferry/internal/sandbox/crowd"
	"poolferry/internal/sandbox/knobs"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
	"poolferry/tools/demo"
	"poolferry/tools/rehearsal"
)

const people = 100

// newWorld builds a rehearsal whose people do not lose heart: nobody locks
// anybody out.
func newWorld(ctx context.Context, latency knobs.Latency) (*rehearsal.World, error) {
	return rehearsal.New(ctx, rehearsal.Options{Users: people, Seed: 1, Latency: latency, Now: time.Now})
}

// plainEvent is the event of a plain user who types the right password.
func plainEvent(w *rehearsal.World) ([]byte, error) {
	for _, p := range w.People {
		if p.Kind == crowd.Plain {
			return json.Marshal(map[string]any{
				"version": "1", "triggerSource": trigger.SourceAuthentication, "region": w.Target.Region,
				"userPoolId": w.Target.PoolID, "userName": p.Name,
				"callerContext": map[string]string{"awsSdkVersion": "bench", "clientId": w.Target.Client.ID},
				"request":       map[string]any{"password": p.Password.Reveal()},
				"response":      map[string]any{},
			})
		}
	}
	return nil, errors.New("the crowd has no plain user")
}

// signIn invokes the function and checks that it migrates.
func signIn(ctx context.Context, function lambda.Handler, event []byte) (time.Duration, error) {
	begin := time.Now()
	answer, err := function.Invoke(ctx, event)
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	var got struct {
		Response trigger.Response `json:"response"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return 0, err
	}
	if got.Response.FinalUserStatus != "CONFIRMED" {
		return 0, fmt.Errorf("the user was not migrated")
	}
	return took, nil
}

// waiting is a server that adds up the time it takes.
type waiting struct {
	next http.Handler
	took atomic.Int64
}

func (s *waiting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	s.next.ServeHTTP(w, r)
	s.took.Add(int64(time.Since(begin)))
}

// ownTime measures one sign-in at a time: its time less that of the server.
func ownTime(ctx context.Context) ([]Row, error) {
	const signIns = 3000
	w, err := newWorld(ctx, knobs.None)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Close() }()
	server := &waiting{next: w.Sandbox}
	front := httptest.NewServer(server)
	defer front.Close()
	event, err := plainEvent(w)
	if err != nil {
		return nil, err
	}
	function, err := w.Function(ctx, rehearsal.Variant{Endpoint: front.URL})
	if err != nil {
		return nil, err
	}
	var own []time.Duration
	for range signIns {
		before := server.took.Load()
		took, err := signIn(ctx, function, event)
		if err != nil {
			return nil, err
		}
		own = append(own, took-time.Duration(server.took.Load()-before))
	}
	alone := testing.Benchmark(decideOnly)
	return []Row{
		{"own time per sign-in over the waits for AWS, SDK and loopback included, p50", round(demo.Percentile(own, 50)), ""},
		{"the same, p99", round(demo.Percentile(own, 99)), "≤ 2ms"},
		{"our code alone, event in to event out, no SDK", fmt.Sprintf("%s, %d allocations, %d B", time.Duration(alone.NsPerOp()), alone.AllocsPerOp(), alone.AllocedBytesPerOp()), ""},
	}, nil
}

// decideOnly runs the handler over a source that answers at once.
func decideOnly(b *testing.B) {
	pool := userpool.Pool{Aliases: []string{"email"}, Schema: userpool.Schema{}}
	for _, name := range []string{"email", "email_verified", "name", "locale", userpool.AttrLegacySub} {
		pool.Schema[name] = userpool.AttributeSpec{Name: name, Type: userpool.TypeString, Mutable: true}
	}
	h := trigger.New(trigger.Options{
		PoolID: "eu-central-1_Bench", MFA: trigger.MFAVerify, Profile: trigger.FromLookup,
		Source: instant{}, Target: still{pool}, Recorder: silent{}, Now: time.Now,
	})
	event := []byte(`{"version":"1","triggerSource":"UserMigration_Authentication","region":"eu-central-1","userPoolId":"eu-central-1_Bench",
		"userName":"ann@example.com","callerContext":{"awsSdkVersion":"x","clientId":"y"},"request":{"password":"p","validationData":null},"response":{}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Invoke(context.Background(), event); err != nil {
			b.Fatal(err)
		}
	}
}

type instant struct{ trigger.Source }

func (instant) Authenticate(context.Context, string, userpool.Secret) (trigger.Reply, error) {
	return trigger.Reply{Standing: trigger.Proven}, nil
}

func (instant) User(context.Context, string) (userpool.User, error) {
	return userpool.User{Sub: "s", Username: "ann", Enabled: true, Status: userpool.StatusConfirmed, Attributes: userpool.Attributes{
		"email": "ann@example.com", "email_verified": "true", "name": "Ann", "locale": "en"}}, nil
}

type still struct{ pool userpool.Pool }

func (s still) Pool(context.Context) (userpool.Pool, error) { return s.pool, nil }

type silent struct{}

func (silent) Record(context.Context, trigger.Decision) {}

// waits compares three triggers on the same latencies: ours on the common path,
// one that logs in and then reads, and one that also assumes the role for every
// sign-in.
func waits(ctx context.Context) ([]Row, error) {
	const signIns = 60
	w, err := newWorld(ctx, knobs.WAN)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Close() }()
	event, err := plainEvent(w)
	if err != nil {
		return nil, err
	}
	from := func(place trigger.ProfileFrom) rehearsal.Variant {
		return rehearsal.Variant{Change: func(c *config.Config) { c.Source.Profile = place }}
	}
	build := func(v rehearsal.Variant) func() (lambda.Handler, error) {
		return func() (lambda.Handler, error) { return w.Function(ctx, v) }
	}
	kept := func(v rehearsal.Variant) func() (lambda.Handler, error) {
		function, err := w.Function(ctx, v)
		return func() (lambda.Handler, error) { return function, err }
	}
	var medians []time.Duration
	for _, function := range []func() (lambda.Handler, error){
		kept(from(trigger.FromIDToken)), kept(from(trigger.FromLookup)), build(from(trigger.FromLookup)),
	} {
		var times []time.Duration
		for range signIns {
			begin := time.Now()
			f, err := function()
			if err != nil {
				return nil, err
			}
			building := time.Since(begin)
			took, err := signIn(ctx, f, event)
			if err != nil {
				return nil, err
			}
			times = append(times, building+took)
		}
		medians = append(medians, demo.Percentile(times, 50))
	}
	return []Row{
		{"trigger, profile from the ID token, p50", round(medians[0]), ""},
		{"its share of a trigger that logs in and then reads", ratio(medians[0], medians[1]), "≤ 0.6"},
		{"its share of one that also assumes the role each time", ratio(medians[0], medians[2]), ""},
	}, nil
}
