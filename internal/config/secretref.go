package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// SecretRef says where a secret is: "env:NAME", an environment variable, or
// "file:PATH", the content of a file without its last line break. The zero
// value refers to no secret.
type SecretRef string

// MinNameKey is the least length of the audit name key, in bytes.
const MinNameKey = 16

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

const notReference = "is not a reference: put the secret elsewhere and write env:NAME or file:PATH (the value is not shown, it may be the secret)"

// valid reports what is wrong with a reference, in words that do not show it: a
// reference that is wrong may well be the secret itself.
func (r SecretRef) valid() error {
	scheme, where, ok := strings.Cut(string(r), ":")
	switch {
	case ok && scheme == "env" && envName.MatchString(where):
		return nil
	case ok && scheme == "env":
		return errors.New(`refers to an environment variable whose name is not of letters, digits and "_"`)
	case ok && scheme == "file" && where != "" && !strings.ContainsAny(where, "\x00\r\n"):
		return nil
	case ok && scheme == "file":
		return errors.New("refers to a file without a usable path")
	}
	return errors.New(notReference)
}

// Resolve fetches the secret. lookup and read are os.LookupEnv and os.ReadFile,
// or behave like them. Errors name the reference, never the secret.
func (r SecretRef) Resolve(lookup func(string) (string, bool), read func(string) ([]byte, error)) (userpool.Secret, error) {
	text, err := r.fetch(lookup, read)
	return userpool.NewSecret(text), err
}

func (r SecretRef) fetch(lookup func(string) (string, bool), read func(string) ([]byte, error)) (string, error) {
	if err := r.valid(); err != nil {
		return "", fault.New(fault.Invalid, "secret reference %w", err)
	}
	var text string
	if name, ok := strings.CutPrefix(string(r), "env:"); ok {
		if text, ok = lookup(name); !ok {
			return "", fault.New(fault.Invalid, "%s: the environment variable is not set", r)
		}
	} else {
		data, err := read(strings.TrimPrefix(string(r), "file:"))
		if err != nil {
			return "", fault.New(fault.Invalid, "%s: %w", r, err)
		}
		text = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	}
	if text == "" {
		return "", fault.New(fault.Invalid, "%s: the secret is empty", r)
	}
	return text, nil
}

// Secrets are the secrets that a Config refers to.
type Secrets struct {
	Client  userpool.Secret // of the source app client; empty where it has none
	NameKey userpool.Secret // of the audit trail, MinNameKey bytes or more
}

// Secrets resolves every reference, as SecretRef.Resolve does, and reports all
// that fail.
func (c *Config) Secrets(lookup func(string) (string, bool), read func(string) ([]byte, error)) (Secrets, error) {
	var client string
	var clientErr error
	if c.Source.ClientSecret != "" {
		client, clientErr = c.Source.ClientSecret.fetch(lookup, read)
	}
	key, keyErr := c.Audit.NameKey.fetch(lookup, read)
	if keyErr == nil && len(key) < MinNameKey {
		keyErr = fmt.Errorf("%s: the key has %d bytes, at least %d are needed", c.Audit.NameKey, len(key), MinNameKey)
	}
	err := errors.Join(named("source.client_secret", clientErr), named("audit.name_key", keyErr))
	if err != nil {
		return Secrets{}, fault.New(fault.Invalid, "%w", err)
	}
	return Secrets{Client: userpool.NewSecret(client), NameKey: userpool.NewSecret(key)}, nil
}

func named(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", field, err)
}
