package interop_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/tools/rehearsal"
)

// outcome is what a call of the other SDK came to.
type outcome struct {
	OK      bool
	Name    string // of the error
	Message string
	Typed   string // the class of the SDK that the error is of
	Service bool   // whether it is one of the service at all
}

// report is what client.mjs prints.
type report struct {
	Pages                                                   []int
	SourceSub                                               string
	Stranger, Before, Wrong, StillBefore, Again, WrongAfter outcome
	IDToken                                                 struct{ Use, Audience, Username, LegacySub string }
	AccessToken                                             struct {
		Use, Client string
		SameSub     bool
	}
	Migrated struct {
		Username, Status, LegacySub string
		Enabled                     bool
	}
	Self string
}

// TestSecondClient is the AWS SDK for JavaScript against "poolferry sandbox", as
// somebody uses the two who has never seen our code.
func TestSecondClient(t *testing.T) {
	path := node(t)
	tool := filepath.Join(t.TempDir(), "poolferry")
	if runtime.GOOS == "windows" {
		tool += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", tool, "poolferry/tools/poolferry").CombinedOutput(); err != nil {
		t.Fatalf("build poolferry: %v\n%s", err, out)
	}
	cmd := exec.Command(tool, "sandbox", "--json", "--users", "70")
	sandbox := start(t, cmd)
	line := sandbox.await(t, regexp.MustCompile(`(?m)^\{.*\}$`))
	var brief rehearsal.Brief
	if err := json.Unmarshal([]byte(line), &brief); err != nil {
		t.Fatal(err)
	}
	name := brief.Sample.Name

	input, err := json.Marshal(struct {
		rehearsal.Brief
		Wrong string `json:"wrong"`
	}{brief, "Canary-other-sdk-1!"})
	if err != nil {
		t.Fatal(err)
	}
	script := exec.CommandContext(t.Context(), path, "client.mjs")
	script.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	script.Stderr = &stderr
	data, err := script.Output()
	if err != nil {
		t.Fatalf("client.mjs: %v\n%s", err, stderr.Bytes())
	}
	var got report
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}

	refused := outcome{Name: "NotAuthorizedException", Message: "Incorrect username or password.", Typed: "NotAuthorizedException", Service: true}
	absent := outcome{Name: "UserNotFoundException", Message: "User does not exist.", Typed: "UserNotFoundException", Service: true}
	want := report{
		Pages: []int{60, 10}, SourceSub: got.SourceSub,
		Stranger: outcome{Name: "UnrecognizedClientException", Message: "The security token included in the request is invalid.", Service: true},
		Before:   absent, Wrong: refused, StillBefore: absent,
		Again: outcome{OK: true}, WrongAfter: refused, Self: name,
	}
	want.IDToken.Use, want.IDToken.Audience, want.IDToken.Username, want.IDToken.LegacySub = "id", brief.Target.ClientID, name, got.SourceSub
	want.AccessToken.Use, want.AccessToken.Client, want.AccessToken.SameSub = "access", brief.Target.ClientID, true
	want.Migrated.Username, want.Migrated.Status, want.Migrated.Enabled, want.Migrated.LegacySub = name, "CONFIRMED", true, got.SourceSub
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got.SourceSub == "" {
		t.Error("the source user has no sub")
	}

	if runtime.GOOS == "windows" {
		return // has no interrupt to send
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-sandbox.exited
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the sandbox ended with %d after Ctrl-C, want 0", code)
	}
}
