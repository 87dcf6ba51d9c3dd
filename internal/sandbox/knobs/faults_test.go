package knobs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/wire"
)

func TestParseFaults(t *testing.T) {
	tests := []struct {
		spec string
		want Faults
	}{
		{"", nil},
		{"  ", nil},
		{"source.ListUsers=throttle:10%,s3.PutObject=error:2%,states=duplicate:20%", Faults{
			{Target: "source.ListUsers", Kind: Throttle, Probability: 0.1},
			{Target: "s3.PutObject", Kind: Error, Probability: 0.02},
			{Target: "states", Kind: Duplicate, Probability: 0.2},
		}},
		{"source.AdminInitiateAuth=throttle:5%, error:0.01, delay:3s", Faults{
			{Target: "source.AdminInitiateAuth", Kind: Throttle, Probability: 0.05},
			{Target: "source.AdminInitiateAuth", Kind: Error, Probability: 0.01},
			{Target: "source.AdminInitiateAuth", Kind: Delay, Probability: 1, Delay: 3 * time.Second},
		}},
		{"lambda.migrate-user=crash:1%,delay:1m30s@0.5", Faults{
			{Target: "lambda.migrate-user", Kind: Crash, Probability: 0.01},
			{Target: "lambda.migrate-user", Kind: Delay, Probability: 0.5, Delay: 90 * time.Second},
		}},
	}
	for _, tt := range tests {
		got, err := ParseFaults(tt.spec)
		if err != nil {
			t.Errorf("%q: %v", tt.spec, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q: %s", tt.spec, diff)
		}
	}
}

func TestParseFaultsRefuses(t *testing.T) {
	tests := map[string]string{ // specification → in the error
		"throttle:5%":                          `fault "throttle:5%": no target`,
		"=throttle:5%":                         `target ""`,
		"a.b.c=throttle:5%":                    `target "a.b.c"`,
		"source.*=throttle:5%":                 `target "source.*"`,
		"source.ListUsers=":                    "want KIND:AMOUNT",
		"source.ListUsers=throttle":            "want KIND:AMOUNT",
		"source.ListUsers=slow:5%":             `kind "slow"`,
		"source.ListUsers=throttle:":           `probability ""`,
		"source.ListUsers=throttle:101%":       `probability "101%"`,
		"source.ListUsers=throttle:-1%":        `probability "-1%"`,
		"source.ListUsers=throttle:NaN":        `probability "NaN"`,
		"source.ListUsers=throttle:5":          `probability "5"`,
		"source.ListUsers=delay:5%":            `delay "5%"`,
		"source.ListUsers=delay:-3s":           `delay "-3s"`,
		"source.ListUsers=delay:16m":           `delay "16m"`,
		"source.ListUsers=delay:3s@x":          `probability "x"`,
		"a.b=throttle:5%,error:1%,throttle:6%": `fault "throttle:6%": throttle is given twice for a.b`,
		"a.b=throttle:5%,,":                    `fault ""`,
	}
	for spec, want := range tests {
		if _, err := ParseFaults(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", spec, err, want)
		}
	}
}

func FuzzParseFaults(f *testing.F) {
	f.Add("source.ListUsers=throttle:10%,error:0.02,delay:3s@10%,s3.PutObject=error:2%,states=duplicate:1")
	f.Add("a=delay:1ns@1e-3")
	f.Add(",=:@%")
	f.Fuzz(func(t *testing.T, spec string) {
		faults, err := ParseFaults(spec)
		if err != nil {
			return
		}
		again, err := ParseFaults(faults.String())
		if err != nil || !cmp.Equal(faults, again) {
			t.Errorf("%q → %q → %v, %v", spec, faults, again, err)
		}
		NewInjector(faults, 1).Draw("a", "b.c")
	})
}

func TestCheck(t *testing.T) {
	known := func(target string) []Kind {
		switch target {
		case "source.ListUsers":
			return APIKinds()
		case "states":
			return []Kind{Crash, Duplicate}
		}
		return nil
	}
	tests := map[string]string{ // specification → in the error
		"source.ListUsers=throttle:5%,delay:1s,states=duplicate:20%": "",
		"source.ListUser=throttle:5%":                                `fault target "source.ListUser": no such`,
		"source.ListUsers=crash:5%":                                  "source.ListUsers can only have [throttle error delay]",
		"states=throttle:5%":                                         "states can only have [crash duplicate]",
	}
	for spec, want := range tests {
		faults, err := ParseFaults(spec)
		if err != nil {
			t.Fatal(err)
		}
		err = faults.Check(known)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", spec, err, want)
		}
	}
}

func sequence(spec string, seed uint64, calls int, between func(*Injector)) []Injection {
	faults, err := ParseFaults(spec)
	if err != nil {
		panic(err)
	}
	in := NewInjector(faults, seed)
	var out []Injection
	for range calls {
		out = append(out, in.Draw("a.Op", "a"))
		between(in)
	}
	return out
}

// The faults of a target depend on the seed and its own calls, not on what
// happens to other targets meanwhile.
func TestDrawsAreRepeatable(t *testing.T) {
	const spec = "a.Op=throttle:30%,delay:2s@50%,a=error:20%,crash:10%,b=error:50%"
	quiet := sequence(spec, 7, 200, func(*Injector) {})
	busy := sequence(spec, 7, 200, func(in *Injector) { in.Draw("b") })
	if diff := cmp.Diff(quiet, busy); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(quiet, sequence(spec, 8, 200, func(*Injector) {})) {
		t.Error("another seed gives the same faults")
	}
}

func TestDrawsKeepTheirProbability(t *testing.T) {
	const calls = 20000
	counts := map[string]int{}
	for _, i := range sequence("a.Op=throttle:5%,delay:2s@50%,a=crash:10%,error:0%,duplicate:1", 1, calls, func(*Injector) {}) {
		for name, hit := range map[string]bool{
			"throttle": i.Throttle, "delay": i.Delay == 2*time.Second, "crash": i.Crash, "after work": i.AfterWork, "error": i.Error, "duplicate": i.Duplicate,
		} {
			if hit {
				counts[name]++
			}
		}
	}
	want := map[string]float64{"throttle": 0.05, "delay": 0.5, "crash": 0.1, "after work": 0.05, "error": 0, "duplicate": 1}
	for name, share := range want {
		got := float64(counts[name]) / calls
		if got < share*0.9 || got > share*1.1 {
			t.Errorf("%s: %.4f of the calls, want about %.4f", name, got, share)
		}
	}
}

func TestLatency(t *testing.T) {
	within := func(d, want time.Duration) bool { return d >= want*84/100 && d <= want*116/100 }
	tests := []struct {
		service, operation, region string
		want                       time.Duration
	}{
		{"cognito-idp", "AdminInitiateAuth", "us-east-1", 90 * time.Millisecond},
		{"cognito-idp", "AdminGetUser", "eu-west-1", 12 * time.Millisecond},
		{"sts", "AssumeRole", "eu-west-1", 12 * time.Millisecond},
	}
	for _, tt := range tests {
		var runs [2][]time.Duration
		for run := range runs {
			clock := NewClock(WAN, "eu-west-1", 3)
			for range 50 {
				d := clock.Of(tt.service, tt.operation, tt.region)
				if !within(d, tt.want) {
					t.Errorf("%+v lasts %s", tt, d)
				}
				runs[run] = append(runs[run], d)
			}
		}
		if !cmp.Equal(runs[0], runs[1]) {
			t.Errorf("%+v: the same seed gives other latencies", tt)
		}
		if slices.Max(runs[0]) == slices.Min(runs[0]) {
			t.Errorf("%+v: no jitter", tt)
		}
	}
	if d := NewClock(None, "eu-west-1", 3).Of("sts", "AssumeRole", "us-east-1"); d != 0 {
		t.Errorf("without latency a call lasts %s", d)
	}
}

func TestParseLatency(t *testing.T) {
	for name, want := range map[string]Latency{"": None, "none": None, "wan": WAN} {
		if got, err := ParseLatency(name); err != nil || got != want {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if _, err := ParseLatency("lan"); err == nil || !strings.Contains(err.Error(), `"lan"`) {
		t.Errorf("got %v", err)
	}
}

func TestQuotas(t *testing.T) {
	q, now := NewQuotas(), time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	spend := func(account, region, category string, rate float64) (allowed int) {
		for range 100 {
			if q.Allow(account, region, category, rate, now) {
				allowed++
			}
		}
		return allowed
	}
	steps := []struct {
		after                     time.Duration
		account, region, category string
		rate                      float64
		want                      int
	}{
		{0, "1", "eu", "UserList", 30, 30},
		{0, "1", "eu", "UserList", 30, 0},
		{0, "1", "us", "UserList", 30, 30},
		{0, "2", "eu", "UserList", 30, 30},
		{0, "1", "eu", "UserRead", 40, 40},
		{0, "1", "eu", "Free", 0, 100},
		{100 * time.Millisecond, "1", "eu", "UserList", 30, 3},
		{time.Hour, "1", "eu", "UserList", 30, 30}, // a second's worth, however long the pause
	}
	for _, s := range steps {
		now = now.Add(s.after)
		if got := spend(s.account, s.region, s.category, s.rate); got != s.want {
			t.Errorf("%+v: %d allowed", s, got)
		}
	}
}

func TestAnswersOfAWS(t *testing.T) {
	tests := []struct {
		service           string
		throttled, failed string
	}{
		{"cognito-idp", "400 TooManyRequestsException", "500 InternalErrorException"},
		{"sts", "400 Throttling", "500 InternalFailure"},
		{"lambda", "429 TooManyRequestsException", "500 ServiceException"},
		{"s3", "503 SlowDown", "500 InternalError"},
		{"states", "400 ThrottlingException", "500 InternalFailure"},
		{"scheduler", "429 ThrottlingException", "500 InternalServerException"},
	}
	for _, tt := range tests {
		for want, err := range map[string]*wire.Error{tt.throttled: Throttled(tt.service), tt.failed: Failed(tt.service)} {
			if got := fmt.Sprintf("%d %s", err.Status, err.Code); got != want {
				t.Errorf("%s: %s, want %s", tt.service, got, want)
			}
		}
	}
}
