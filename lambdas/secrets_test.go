package lambdas

import (
	"context"
	"errors"
	"testing"

	"poolferry/internal/config"
	"poolferry/internal/fault"
	"poolferry/internal/trigger"
	"poolferry/internal/userpool"
)

// source answers everybody.
type source struct{ trigger.Source }

func (source) Authenticate(context.Context, string, userpool.Secret) (trigger.Reply, error) {
	return trigger.Reply{Standing: trigger.Proven}, nil
}

func (source) User(context.Context, string) (userpool.User, error) {
	return userpool.User{Sub: "s"}, nil
}

func TestVault(t *testing.T) {
	var answer error
	calls := 0
	v := &vault{read: func(context.Context) (config.Secrets, error) {
		calls++
		return config.Secrets{Client: userpool.NewSecret("client"), NameKey: userpool.NewSecret("key")}, answer
	}}
	l := locked{source{}, v}
	try := func() (errs [3]error) {
		_, errs[0] = l.Authenticate(t.Context(), "ann", userpool.Secret{})
		_, errs[1] = l.User(t.Context(), "ann")
		_, errs[2] = v.client(t.Context())
		return errs
	}
	for kind, want := range map[fault.Kind]fault.Kind{
		fault.NotFound:    fault.Invalid, // not found, said of a user, would be a refusal
		fault.Denied:      fault.Denied,
		fault.Unavailable: fault.Unavailable,
	} {
		answer = fault.New(kind, "no")
		for i, err := range try() {
			if fault.KindOf(err) != want || !errors.Is(err, answer) {
				t.Errorf("%s, call %d: %s %v", kind, i, fault.KindOf(err), err)
			}
		}
		if !v.nameKey().Empty() {
			t.Error("a key that could not be read")
		}
	}
	answer, calls = nil, 0
	for range 2 {
		for i, err := range try() {
			if err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
	}
	if client, _ := v.client(t.Context()); client.Reveal() != "client" || v.nameKey().Reveal() != "key" || calls != 1 {
		t.Errorf("read %d times", calls)
	}
}
