package memory_test

import (
	"slices"
	"testing"

	"poolferry/internal/fault"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/store/storetest"
)

func TestBucket(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Bucket { return memory.New() })
}

func TestVersions(t *testing.T) {
	storetest.RunVersions(t, func(_ *testing.T, versioning bool) store.Versioned {
		if versioning {
			return memory.NewVersioned()
		}
		return memory.New()
	})
}

func TestMishaps(t *testing.T) {
	b := memory.New()
	b.FailNext(memory.Put, fault.Throttled, 2)
	b.LoseNext(memory.Put, fault.Unavailable, 1)
	for i, want := range []fault.Kind{fault.Throttled, fault.Throttled, fault.Unavailable, fault.AlreadyExists} {
		if _, err := b.Put(t.Context(), "k", nil, store.IfAbsent()); fault.KindOf(err) != want {
			t.Errorf("put %d: got %v, want %s", i, err, want)
		}
	}
	b.FailNext(memory.Get, fault.Denied, 1)
	b.LoseNext(memory.List, fault.Denied, 1)
	b.LoseNext(memory.Delete, fault.Denied, 1)
	_, err := b.Get(t.Context(), "k")
	errs := []error{err, b.Delete(t.Context(), "k")}
	for _, err := range b.List(t.Context(), "") {
		errs = append(errs, err)
	}
	for i, err := range errs {
		if fault.KindOf(err) != fault.Denied {
			t.Errorf("%d: got %v", i, err)
		}
	}
	if len(errs) != 3 || b.Calls(memory.Put) != 4 || len(b.Keys()) != 0 {
		t.Errorf("got %v, %d puts, keys %q", errs, b.Calls(memory.Put), b.Keys())
	}
	if _, err := b.Put(t.Context(), "k", nil, store.Condition{}); err != nil || !slices.Equal(b.Keys(), []string{"k"}) {
		t.Errorf("got %v and keys %q", err, b.Keys())
	}
}
