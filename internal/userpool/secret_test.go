package userpool_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"poolferry/internal/userpool"
)

const canary = "Canary-secret-7f3a"

// holder keeps a Secret where fmt cannot call its methods.
type holder struct {
	Name  string
	inner userpool.Secret
}

func TestSecretCannotPrint(t *testing.T) {
	s := userpool.NewSecret(canary)
	h := holder{"n", s}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%08v", "% x"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", h)
		fmt.Fprintf(&out, verb+"\n", &h)
		fmt.Fprintf(&out, verb+"\n", []userpool.Secret{s})
		fmt.Fprintf(&out, verb+"\n", map[string]userpool.Secret{"k": s})
	}
	fmt.Fprintln(&out, errors.Join(fmt.Errorf("sign in: %v", s)), reflect.ValueOf(s), reflect.ValueOf(h))
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		log := slog.New(handler)
		log.Info("m", "secret", s, "pointer", &s, "holder", h, "group", slog.GroupValue(slog.Any("s", s)))
	}
	for _, v := range []any{s, &s, h, map[string]any{"a": s}, []any{s}} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("marshal %T: %v", v, err)
		}
		out.Write(data)
	}
	text, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	var binary bytes.Buffer
	if err := gob.NewEncoder(&binary).Encode(s); err == nil {
		out.Write(binary.Bytes())
	}
	if strings.Contains(out.String(), canary) || strings.Contains(out.String(), fmt.Sprintf("%x", canary)) {
		t.Errorf("a secret was printed:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "[redacted]") {
		t.Error("the placeholder was never printed: this test prints nothing")
	}
}

func TestSecretCannotBeCompared(t *testing.T) {
	if reflect.TypeFor[userpool.Secret]().Comparable() {
		t.Error("Secret is comparable: == and map keys would compile")
	}
	a, b := userpool.NewSecret(canary), userpool.NewSecret(canary)
	if !a.Equal(b) || a.Equal(userpool.NewSecret("other")) || a.Equal(userpool.Secret{}) {
		t.Error("Equal does not compare the texts")
	}
}

func TestSecretZeroAndJSON(t *testing.T) {
	if s := userpool.NewSecret(""); !s.Empty() || s.Reveal() != "" {
		t.Error("an empty text is not an empty secret")
	}
	var in struct{ P, Q userpool.Secret }
	if err := json.Unmarshal([]byte(`{"P":"`+canary+`","Q":null}`), &in); err != nil {
		t.Fatal(err)
	}
	if in.P.Reveal() != canary || !in.Q.Empty() {
		t.Errorf("read %q and %q", in.P.Reveal(), in.Q.Reveal())
	}
	err := json.Unmarshal([]byte(`{"P":["`+canary+`"]}`), &in)
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("a list as secret: %v", err)
	}
}
