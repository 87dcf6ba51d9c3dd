// Package artifact builds the Lambda functions as they are deployed: the same
// sources and the same Go give the same bytes, in whatever folder and on
// whatever machine, so that Terraform deploys nothing anew that has not changed,
// and anybody can tell that what runs is what the sources say.
//
// Vocabulary: an artifact is one function for one architecture, NAME-ARCH; its
// binary is NAME-ARCH/bootstrap, which the sandbox runs; its package is
// NAME-ARCH.zip, which Lambda runs, and holds nothing but the binary; the
// digests of all packages are in SHA256SUMS, as sha256sum -c reads them.
package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Architectures are those that Lambda has, by Go's names.
var Architectures = []string{"arm64", "amd64"}

// sums is the file of digests.
const sums = "SHA256SUMS"

// Options say what to build.
type Options struct {
	Module        string   // folder of the module
	Out           string   // folder of the artifacts, made where it is missing
	Functions     []string // by the names of their folders in lambdas
	Architectures []string
	Go            string   // the go command; empty means go
	Env           []string // of the go command, beside that of this process
}

// Artifact is what was built.
type Artifact struct {
	Function, Architecture string
	Binary, Package        int64  // bytes
	Digest                 string // SHA-256 of the package, in hex
	Go                     string // version that the binary says it was built with
}

// Name is NAME-ARCH.
func (a Artifact) Name() string { return a.Function + "-" + a.Architecture }

// Functions lists the functions of a module.
func Functions(module string) ([]string, error) {
	mains, err := filepath.Glob(filepath.Join(module, "lambdas", "*", "main.go"))
	if err != nil || len(mains) == 0 {
		return nil, fmt.Errorf("list functions: no lambdas/*/main.go in %s: run it in the module's folder (%w)", module, fs.ErrNotExist)
	}
	for i, name := range mains {
		mains[i] = filepath.Base(filepath.Dir(name))
	}
	return mains, nil
}

// Build builds the artifacts and writes their digests. They come in the order of
// functions and architectures that the options have. What is in Out and not among
// them stays.
func Build(ctx context.Context, o Options) ([]Artifact, error) {
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	// In Out, so that what was built is moved and not copied.
	scratch, err := os.MkdirTemp(o.Out, ".building-")
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // a folder that is left over does no harm

	for _, arch := range o.Architectures {
		if err := compile(ctx, o, arch, filepath.Join(scratch, arch)); err != nil {
			return nil, err
		}
	}
	var artifacts []Artifact
	for _, function := range o.Functions {
		for _, arch := range o.Architectures {
			artifacts = append(artifacts, Artifact{Function: function, Architecture: arch})
		}
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range artifacts {
		a := &artifacts[i]
		g.Go(func() error { return a.pack(o.Out, filepath.Join(scratch, a.Architecture, a.Function)) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return artifacts, writeSums(o.Out, artifacts)
}

// compile has one go command build the functions into a folder: it works on
// several at a time, and compiles once what they share.
func compile(ctx context.Context, o Options, arch, folder string) error {
	arguments := []string{
		"build", "-o", folder + string(filepath.Separator),
		"-tags", "lambda.norpc", // without the server of the runtime that AWS has retired
		// Neither the folder, nor the commit, nor a build id of a cache.
		"-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=",
	}
	for _, function := range o.Functions {
		arguments = append(arguments, "./lambdas/"+function)
	}
	command := o.Go
	if command == "" {
		command = "go"
	}
	// Not through a variable of the environment either: the instruction sets and
	// experiments are Go's defaults, which Lambda's processors all have.
	cmd := exec.CommandContext(ctx, command, arguments...)
	cmd.Dir = o.Module
	cmd.Env = append(append(os.Environ(), o.Env...),
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOARM64=v8.0", "GOAMD64=v1", "GOEXPERIMENT=", "GOFIPS140=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build for %s: %w\n%s", arch, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// pack moves a binary to where it belongs and writes the package.
func (a *Artifact) pack(out, binary string) error {
	data, err := os.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("pack %s: %w", a.Name(), err)
	}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("pack %s: %w", a.Name(), err)
	}
	packed, err := pack(data)
	if err != nil {
		return fmt.Errorf("pack %s: %w", a.Name(), err)
	}
	a.Go, a.Binary, a.Package = info.GoVersion, int64(len(data)), int64(len(packed))
	digest := sha256.Sum256(packed)
	a.Digest = hex.EncodeToString(digest[:])

	folder := filepath.Join(out, a.Name())
	zipped := folder + ".zip"
	part := binary + ".zip" // renamed when whole: whoever reads dist meanwhile sees the old one
	steps := []func() error{
		func() error { return os.MkdirAll(folder, 0o755) },
		func() error { return os.Rename(binary, filepath.Join(folder, entry)) },
		func() error { return os.WriteFile(part, packed, 0o644) },
		func() error { return os.Rename(part, zipped) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("pack %s: %w", a.Name(), err)
		}
	}
	return nil
}

// writeSums writes the digests, sorted by name.
func writeSums(out string, artifacts []Artifact) error {
	sorted := slices.SortedFunc(slices.Values(artifacts), func(a, b Artifact) int { return strings.Compare(a.Name(), b.Name()) })
	var text []byte
	for _, a := range sorted {
		text = fmt.Appendf(text, "%s  %s.zip\n", a.Digest, a.Name())
	}
	if err := os.WriteFile(filepath.Join(out, sums), text, 0o644); err != nil {
		return fmt.Errorf("write digests: %w", err)
	}
	return nil
}
