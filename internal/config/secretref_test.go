package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"poolferry/internal/fault"
)

const arn = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:poolferry/key-AbCdEf"

// places have a few secrets, all of which begin with hunter2.
var places = Places{
	Env: func(name string) (string, bool) {
		v, ok := map[string]string{"GOOD": "hunter2-from-env", "SHORT": "hunter2", "EMPTY": ""}[name]
		return v, ok
	},
	File: func(path string) ([]byte, error) {
		text, ok := map[string]string{
			"good": "hunter2-from-file\n", "crlf": "hunter2-from-file\r\n", "two": "hunter2-from-file\n\n", "empty": "\n",
		}[path]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	},
	Manager: func(_ context.Context, id string) ([]byte, error) {
		text, ok := map[string]string{
			"good": "hunter2-from-manager\n", arn: "hunter2-by-arn-of-it", "empty": "",
			"json": `{"key":"hunter2-from-json\n","hunter2":1,"empty":"","null":null}`, "null": "null", "list": `["hunter2"]`,
		}[id]
		switch {
		case id == "denied":
			return nil, fault.New(fault.Denied, "read secret: refused")
		case id == "late":
			return nil, fault.New(fault.Unavailable, "read secret: %w", context.DeadlineExceeded)
		case !ok:
			return nil, fault.New(fault.NotFound, "read secret: there is none")
		}
		return []byte(text), nil
	},
}

func TestRead(t *testing.T) {
	for _, tc := range []struct {
		ref       SecretRef
		want, err string
		kind      fault.Kind // empty means Invalid
	}{
		{ref: "env:GOOD", want: "hunter2-from-env"},
		{ref: "file:good", want: "hunter2-from-file"},
		{ref: "file:crlf", want: "hunter2-from-file"},
		{ref: "file:two", want: "hunter2-from-file\n"},
		{ref: "secretsmanager:good", want: "hunter2-from-manager"},
		{ref: "secretsmanager:" + arn, want: "hunter2-by-arn-of-it"},
		{ref: "secretsmanager:json#key", want: "hunter2-from-json\n"},
		{ref: "env:ABSENT", err: "env:ABSENT: the environment variable is not set"},
		{ref: "env:EMPTY", err: "env:EMPTY: the secret is empty"},
		{ref: "file:empty", err: "file:empty: the secret is empty"},
		{ref: "file:absent", err: "file:absent: open absent: file does not exist"},
		{ref: "secretsmanager:empty", err: "secretsmanager:empty: the secret is empty"},
		{ref: "secretsmanager:json#empty", err: "secretsmanager:json#empty: the secret is empty"},
		{ref: "secretsmanager:json#none", err: "json#none: the JSON object has no such member"},
		{ref: "secretsmanager:json#null", err: "json#null: the member of the JSON object is not a text"},
		{ref: "secretsmanager:good#key", err: "good#key: the secret is not a JSON object"},
		{ref: "secretsmanager:null#key", err: "null#key: the secret is not a JSON object"},
		{ref: "secretsmanager:list#0", err: "list#0: the secret is not a JSON object"},
		{ref: "secretsmanager:absent", err: "secretsmanager:absent: read secret: there is none", kind: fault.NotFound},
		{ref: "secretsmanager:denied", err: "refused", kind: fault.Denied},
		{ref: "secretsmanager:late#key", err: "deadline exceeded", kind: fault.Unavailable},
		{ref: "", err: "is not a reference"},
		{ref: "hunter2", err: "is not a reference"},
		{ref: "ENV:GOOD", err: "is not a reference"},
		{ref: "SecretsManager:good", err: "is not a reference"},
		{ref: "env:hunter2!", err: "whose name is not of letters"},
		{ref: "file:hunter2\n", err: "without a usable path"},
		{ref: "secretsmanager:", err: "neither a name"},
		{ref: "secretsmanager:#hunter2", err: "neither a name"},
		{ref: "secretsmanager:hunter2 x", err: "neither a name"},
		{ref: "secretsmanager:arn:aws:secretsmanager:eu-west-1:4444:secret:hunter2", err: "neither a name"},
		{ref: "secretsmanager:hunter2#", err: `with "#" behind it and no key`},
		{ref: "secretsmanager:hunter2#a b", err: `with "#" behind it and no key`},
	} {
		got, err := places.read(t.Context(), tc.ref)
		want := tc.kind
		if want == "" {
			want = fault.Invalid
		}
		switch {
		case tc.err == "" && (err != nil || got != tc.want):
			t.Errorf("%q: %q, %v", tc.ref, got, err)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || got != ""):
			t.Errorf("%q: error %v does not say %q", tc.ref, err, tc.err)
		case tc.err != "" && (strings.Contains(err.Error(), "hunter2") || fault.KindOf(err) != want):
			t.Errorf("%q: %s error %v, want %s", tc.ref, fault.KindOf(err), err, want)
		}
	}
	if _, err := places.read(t.Context(), "file:absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not wrap the cause", err)
	}
}

func TestSecrets(t *testing.T) {
	c := Config{Source: Source{ClientSecret: "file:good"}, Audit: Audit{NameKey: "env:GOOD"}}
	s, err := c.Secrets(t.Context(), places)
	if err != nil || s.Client.Reveal() != "hunter2-from-file" || s.NameKey.Reveal() != "hunter2-from-env" {
		t.Errorf("%q %q %v", s.Client.Reveal(), s.NameKey.Reveal(), err)
	}

	c.Source.ClientSecret = ""
	if s, err := c.Secrets(t.Context(), places); err != nil || !s.Client.Empty() {
		t.Errorf("without a client secret: %v %v", s, err)
	}
}

func TestSecretsReportsAll(t *testing.T) {
	const short = "audit.name_key: env:SHORT: the key has 7 bytes, at least 16 are needed"
	for _, tt := range []struct {
		client, key SecretRef
		want        string
		kind        fault.Kind
	}{
		{"env:ABSENT", "env:SHORT", "source.client_secret: env:ABSENT: the environment variable is not set\n" + short, fault.Invalid},
		{"secretsmanager:denied", "env:SHORT", "source.client_secret: secretsmanager:denied: read secret: refused\n" + short, fault.Invalid},
		{"secretsmanager:denied", "secretsmanager:absent", "source.client_secret: secretsmanager:denied: read secret: refused\naudit.name_key: secretsmanager:absent: read secret: there is none", fault.Denied},
		{"env:GOOD", "secretsmanager:absent", "audit.name_key: secretsmanager:absent: read secret: there is none", fault.NotFound},
	} {
		c := Config{Source: Source{ClientSecret: tt.client}, Audit: Audit{NameKey: tt.key}}
		got, err := c.Secrets(t.Context(), places)
		if err == nil || err.Error() != tt.want || fault.KindOf(err) != tt.kind {
			t.Errorf("%s, %s: got %s %v, want %s %s", tt.client, tt.key, fault.KindOf(err), err, tt.kind, tt.want)
		}
		if !got.Client.Empty() || !got.NameKey.Empty() {
			t.Errorf("%s, %s: secrets beside an error", tt.client, tt.key)
		}
	}
}

// Both members of one secret cost one call, and two secrets are not read one
// after the other.
func TestSecretsAreReadOnceAndSideBySide(t *testing.T) {
	var calls atomic.Int32
	both := make(chan struct{})
	p := places
	p.Manager = func(_ context.Context, id string) ([]byte, error) {
		if calls.Add(1) == 2 {
			close(both)
		}
		if id != "json" {
			<-both
		}
		return json.Marshal(map[string]string{"client": "c", "key": strings.Repeat("k", MinNameKey)})
	}
	c := Config{Source: Source{ClientSecret: "secretsmanager:json#client"}, Audit: Audit{NameKey: "secretsmanager:json#key"}}
	if s, err := c.Secrets(t.Context(), p); err != nil || s.Client.Reveal() != "c" || calls.Load() != 1 {
		t.Errorf("one secret: %d calls, %v", calls.Load(), err)
	}
	calls.Store(0)
	c = Config{Source: Source{ClientSecret: "secretsmanager:a#client"}, Audit: Audit{NameKey: "secretsmanager:b#key"}}
	if s, err := c.Secrets(t.Context(), p); err != nil || s.NameKey.Empty() {
		t.Errorf("two secrets: %v", err)
	}
}

func TestProbePassword(t *testing.T) {
	c := Config{}
	if s, err := c.ProbePassword(t.Context(), places); err != nil || !s.Empty() {
		t.Errorf("no probe: %v", err)
	}
	c.Cutover = Cutover{ProbeUsername: "probe", ProbePassword: "env:NOT_SET", ProbeClientID: "app"}
	if _, err := c.ProbePassword(t.Context(), places); err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "cutover.probe_password: env:NOT_SET") {
		t.Errorf("not set: %v", err)
	}
	p := places
	p.Env = func(string) (string, bool) { return "a password", true }
	if s, err := c.ProbePassword(t.Context(), p); err != nil || s.Reveal() != "a password" {
		t.Errorf("set: %v", err)
	}
}

// FuzzSecretRef: what is wrong with a reference does not show it, and no text of
// a secret gets into an error.
func FuzzSecretRef(f *testing.F) {
	for _, ref := range []string{"env:NAME", "file:a/b", "secretsmanager:poolferry/key#name_key", "secretsmanager:" + arn, "secretsmanager:arn:", "x", ":"} {
		f.Add(ref, `{"name_key":"secret"}`)
	}
	f.Add("secretsmanager:a#b", `{"b":{"c":"secret"}}`)
	f.Fuzz(func(t *testing.T, ref, content string) {
		const marker = "c4n4ry-in-content"
		data := []byte(strings.ReplaceAll(content, "secret", marker))
		p := Places{
			Env:     func(string) (string, bool) { return string(data), true },
			File:    func(string) ([]byte, error) { return data, nil },
			Manager: func(context.Context, string) ([]byte, error) { return data, nil },
		}
		text, err := p.read(t.Context(), SecretRef(ref))
		switch wrong := SecretRef(ref).valid(); {
		case (err == nil) == (text == ""):
			t.Errorf("%q: %d bytes and %v", ref, len(text), err)
		case wrong != nil && err == nil:
			t.Errorf("%q is wrong (%v) and leads somewhere", ref, wrong)
		case wrong != nil && len(ref) > 20 && strings.Contains(wrong.Error(), ref):
			t.Errorf("%q is shown in %v", ref, wrong)
		case err != nil && strings.Contains(fmt.Sprintf("%+v", err), marker) && !strings.Contains(ref, marker):
			t.Errorf("%q: the secret is in %v", ref, err)
		}
	})
}
