package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// SecretRef says where a secret is: "env:NAME", an environment variable;
// "file:PATH", the content of a file; or "secretsmanager:ID", a secret of AWS
// Secrets Manager by name or ARN, with "#KEY" behind it the member KEY of the
// JSON object that it holds. The last line break of a file or of a whole secret
// is no part of it. The zero value refers to no secret.
type SecretRef string

// MinNameKey is the least length of the audit name key, in bytes.
const MinNameKey = 16

var (
	envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// As Secrets Manager has them (API reference, CreateSecret): neither can hold
	// the "#" that ends them here.
	secretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)
	secretARN  = regexp.MustCompile(`^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,519}$`)
	// What Terraform, too, takes for a reference.
	secretKey = regexp.MustCompile(`^[!-~]+$`)
)

const (
	referenceForms = "env:NAME, file:PATH or secretsmanager:NAME-OR-ARN"
	notReference   = "is not a reference: put the secret elsewhere and write " + referenceForms + " (the value is not shown, it may be the secret)"
)

// place is a reference taken apart; key is "" without one.
type place struct{ scheme, where, key string }

// parse takes a reference apart, or reports what is wrong with it in words that
// do not show it: a reference that is wrong may well be the secret itself.
func (r SecretRef) parse() (place, error) {
	scheme, where, ok := strings.Cut(string(r), ":")
	switch {
	case ok && scheme == "env" && envName.MatchString(where):
		return place{scheme: scheme, where: where}, nil
	case ok && scheme == "env":
		return place{}, errors.New(`refers to an environment variable whose name is not of letters, digits and "_"`)
	case ok && scheme == "file" && where != "" && !strings.ContainsAny(where, "\x00\r\n"):
		return place{scheme: scheme, where: where}, nil
	case ok && scheme == "file":
		return place{}, errors.New("refers to a file without a usable path")
	case ok && scheme == "secretsmanager":
		id, key, keyed := strings.Cut(where, "#")
		if !secretName.MatchString(id) && !secretARN.MatchString(id) {
			return place{}, errors.New("refers to a secret of Secrets Manager that is neither a name, of letters, digits and /_+=.@-, nor the ARN of one")
		}
		if keyed && !secretKey.MatchString(key) {
			return place{}, errors.New(`refers to a secret of Secrets Manager with "#" behind it and no key, of printable ASCII without spaces, behind that`)
		}
		return place{scheme, id, key}, nil
	}
	return place{}, errors.New(notReference)
}

func (r SecretRef) valid() error {
	_, err := r.parse()
	return err
}

// Places are where references lead.
type Places struct {
	Env  func(name string) (string, bool)  // os.LookupEnv, or behaves like it
	File func(path string) ([]byte, error) // os.ReadFile, or behaves like it
	// Manager reads the current value of a secret of Secrets Manager, as
	// secrets.Manager does. Its errors have a kind of package fault.
	Manager func(ctx context.Context, id string) ([]byte, error)
}

// read fetches what a reference refers to. Errors name the reference, never the
// secret.
func (p Places) read(ctx context.Context, r SecretRef) (string, error) {
	at, err := r.parse()
	if err != nil {
		return "", fault.New(fault.Invalid, "secret reference %w", err)
	}
	var text string
	switch at.scheme {
	case "env":
		var set bool
		if text, set = p.Env(at.where); !set {
			return "", fault.New(fault.Invalid, "%s: the environment variable is not set", r)
		}
	case "file":
		data, err := p.File(at.where)
		if err != nil {
			return "", fault.New(fault.Invalid, "%s: %w", r, err)
		}
		text = chomp(data)
	case "secretsmanager":
		data, err := p.Manager(ctx, at.where)
		if err != nil {
			return "", fault.New(fault.KindOf(err), "%s: %w", r, err)
		}
		text = chomp(data)
		if at.key != "" {
			if text, err = member(data, at.key); err != nil {
				return "", fault.New(fault.Invalid, "%s: %w", r, err)
			}
		}
	}
	if text == "" {
		return "", fault.New(fault.Invalid, "%s: the secret is empty", r)
	}
	return text, nil
}

// chomp returns a text without its last line break: editors and shells add one.
func chomp(data []byte) string {
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
}

// member returns a text of a JSON object. Its errors do not quote the object.
func member(data []byte, key string) (string, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil || members == nil {
		return "", errors.New("the secret is not a JSON object, and the reference asks for a member of one")
	}
	value, ok := members[key]
	if !ok {
		return "", errors.New("the JSON object has no such member")
	}
	var text *string
	if json.Unmarshal(value, &text) != nil || text == nil {
		return "", errors.New("the member of the JSON object is not a text")
	}
	return *text, nil
}

// Secrets are the secrets that a Config refers to.
type Secrets struct {
	Client  userpool.Secret // of the source app client; empty where it has none
	NameKey userpool.Secret // of the audit trail, MinNameKey bytes or more
}

// Secrets reads what every reference refers to, side by side, and reports all
// that fail. The error's kind is fault.Invalid where the configuration or a
// secret is wrong, else that of what AWS answers.
func (c *Config) Secrets(ctx context.Context, p Places) (Secrets, error) {
	p.Manager = once(p.Manager)
	var client, key string
	var clientErr, keyErr error
	var group sync.WaitGroup
	if c.Source.ClientSecret != "" {
		group.Go(func() { client, clientErr = p.read(ctx, c.Source.ClientSecret) })
	}
	key, keyErr = p.read(ctx, c.Audit.NameKey)
	group.Wait()
	if keyErr == nil && len(key) < MinNameKey {
		keyErr = fault.New(fault.Invalid, "%s: the key has %d bytes, at least %d are needed", c.Audit.NameKey, len(key), MinNameKey)
	}
	if err := errors.Join(named("source.client_secret", clientErr), named("audit.name_key", keyErr)); err != nil {
		kind := fault.KindOf(err) // of the first
		if keyErr != nil && fault.KindOf(keyErr) == fault.Invalid {
			kind = fault.Invalid
		}
		return Secrets{}, fault.New(kind, "%w", err)
	}
	return Secrets{Client: userpool.NewSecret(client), NameKey: userpool.NewSecret(key)}, nil
}

// ProbePassword reads the password of the cut-over's probe, empty where there is
// no probe.
func (c *Config) ProbePassword(ctx context.Context, p Places) (userpool.Secret, error) {
	if !c.Cutover.Probes() {
		return userpool.Secret{}, nil
	}
	text, err := p.read(ctx, c.Cutover.ProbePassword)
	if err != nil {
		return userpool.Secret{}, fault.New(fault.KindOf(err), "cutover.probe_password: %w", err)
	}
	return userpool.NewSecret(text), nil
}

// once reads a secret to which several references lead but once.
func once(read func(context.Context, string) ([]byte, error)) func(context.Context, string) ([]byte, error) {
	var mu sync.Mutex
	type answer func() ([]byte, error)
	answers := map[string]answer{}
	return func(ctx context.Context, id string) ([]byte, error) {
		mu.Lock()
		if answers[id] == nil {
			answers[id] = sync.OnceValues(func() ([]byte, error) { return read(ctx, id) })
		}
		get := answers[id]
		mu.Unlock()
		return get()
	}
}

func named(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", field, err)
}
