package interop_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"poolferry/internal/store"
	"poolferry/internal/store/storetest"
)

// The S3 gateway under test, a Go program that others wrote.
const versitygw = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

const (
	gatewayRegion = "eu-central-1"
	gatewayKey    = "AKIAINTEROP000000000"
	gatewaySecret = "interop-secret"
)

// buildGateway builds the gateway from the Go module proxy. It takes a minute
// the first time, so it is only done where interop tests are asked for.
func buildGateway(t *testing.T) string {
	t.Helper()
	if !slices.Contains(strings.Split(os.Getenv(requireEnv), ","), "interop") {
		t.Skip("building " + versitygw + " takes a minute: run make interop")
	}
	bin := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "install", versitygw)
	cmd.Env = append(os.Environ(), "GOBIN="+bin, "CGO_ENABLED=0", "GOFLAGS=")
	cmd.Dir = bin // outside of our module
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go install %s: %v\n%s", versitygw, err, out)
	}
	return filepath.Join(bin, "versitygw")
}

// startGateway serves a folder as S3, each of its folders as a bucket, and
// returns the endpoint.
func startGateway(t *testing.T, root string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(buildGateway(t), "--port", addr, "--region", gatewayRegion, "posix", "--sidecar", t.TempDir(), root)
	cmd.Env = []string{"ROOT_ACCESS_KEY=" + gatewayKey, "ROOT_SECRET_KEY=" + gatewaySecret}
	start(t, cmd).await(t, regexp.MustCompile(regexp.QuoteMeta(addr)))
	return "http://" + addr
}

// TestStoreOnVersitygw: what the manifest needs of S3, conditional writes above
// all, from a gateway that keeps objects as files.
func TestStoreOnVersitygw(t *testing.T) {
	root := t.TempDir()
	env := map[string]string{
		"AWS_ENDPOINT_URL": startGateway(t, root), "AWS_ACCESS_KEY_ID": gatewayKey, "AWS_SECRET_ACCESS_KEY": gatewaySecret,
	}
	n := 0
	storetest.Run(t, func(t *testing.T) store.Bucket {
		n++
		name := fmt.Sprintf("bucket-%d", n)
		if err := os.Mkdir(filepath.Join(root, name), 0o750); err != nil {
			t.Fatal(err)
		}
		b, err := store.OpenS3(t.Context(), store.S3Options{
			Bucket: name, Region: gatewayRegion, Env: func(key string) (string, bool) { value, ok := env[key]; return value, ok },
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}
