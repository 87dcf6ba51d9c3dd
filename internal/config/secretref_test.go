package config

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"poolferry/internal/fault"
)

func lookup(name string) (string, bool) {
	v, ok := map[string]string{"GOOD": "hunter2-from-env", "SHORT": "hunter2", "EMPTY": ""}[name]
	return v, ok
}

func readFile(path string) ([]byte, error) {
	text, ok := map[string]string{
		"good": "hunter2-from-file\n", "crlf": "hunter2-from-file\r\n", "two": "hunter2-from-file\n\n", "empty": "\n",
	}[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

func TestResolve(t *testing.T) {
	for _, tc := range []struct {
		ref       SecretRef
		want, err string
	}{
		{ref: "env:GOOD", want: "hunter2-from-env"},
		{ref: "file:good", want: "hunter2-from-file"},
		{ref: "file:crlf", want: "hunter2-from-file"},
		{ref: "file:two", want: "hunter2-from-file\n"},
		{ref: "env:ABSENT", err: "env:ABSENT: the environment variable is not set"},
		{ref: "env:EMPTY", err: "env:EMPTY: the secret is empty"},
		{ref: "file:empty", err: "file:empty: the secret is empty"},
		{ref: "file:absent", err: "file:absent: open absent: file does not exist"},
		{ref: "", err: "is not a reference"},
		{ref: "hunter2", err: "is not a reference"},
		{ref: "ENV:GOOD", err: "is not a reference"},
		{ref: "env:hunter2!", err: "whose name is not of letters"},
		{ref: "file:hunter2\n", err: "without a usable path"},
	} {
		got, err := tc.ref.Resolve(lookup, readFile)
		switch {
		case tc.err == "" && (err != nil || got.Reveal() != tc.want):
			t.Errorf("%q: %q, %v", tc.ref, got.Reveal(), err)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || !got.Empty()):
			t.Errorf("%q: error %v does not say %q", tc.ref, err, tc.err)
		case tc.err != "" && (strings.Contains(err.Error(), "hunter2") || fault.KindOf(err) != fault.Invalid):
			t.Errorf("%q: %s error %v", tc.ref, fault.KindOf(err), err)
		}
	}
	if _, err := SecretRef("file:absent").Resolve(lookup, readFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not wrap the cause", err)
	}
}

func TestSecrets(t *testing.T) {
	c := Config{Source: Source{ClientSecret: "file:good"}, Audit: Audit{NameKey: "env:GOOD"}}
	s, err := c.Secrets(lookup, readFile)
	if err != nil || s.Client.Reveal() != "hunter2-from-file" || s.NameKey.Reveal() != "hunter2-from-env" {
		t.Errorf("%q %q %v", s.Client.Reveal(), s.NameKey.Reveal(), err)
	}

	c.Source.ClientSecret = ""
	if s, err := c.Secrets(lookup, readFile); err != nil || !s.Client.Empty() {
		t.Errorf("without a client secret: %v %v", s, err)
	}

	c = Config{Source: Source{ClientSecret: "env:ABSENT"}, Audit: Audit{NameKey: "env:SHORT"}}
	_, err = c.Secrets(lookup, readFile)
	want := "source.client_secret: env:ABSENT: the environment variable is not set\n" +
		"audit.name_key: env:SHORT: the key has 7 bytes, at least 16 are needed"
	if err == nil || err.Error() != want || fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v, want %s", err, want)
	}
}
