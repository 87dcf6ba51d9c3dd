package lookup_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"poolferry/internal/erasure"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/lookup"
	"poolferry/internal/store"
	"poolferry/internal/userpool"
)

// Find implements erasure.Pool.
func (p *pool) Find(_ context.Context, name string) (found []userpool.User, err error) {
	for _, u := range p.users {
		if name == string(u.Sub) || name == u.Username || name == u.Attributes["email"] {
			found = append(found, u)
		}
	}
	return found, nil
}

// forget takes somebody out of the source pool and out of the run.
func (w *world) forget(sub userpool.Sub) {
	w.tb.Helper()
	w.source.users = slices.DeleteFunc(w.source.users, func(u userpool.User) bool { return u.Sub == sub })
	e := erasure.New(erasure.Options{
		Run: runID, By: "somebody", Store: store.NewErasure(w.bucket, runID), Source: w.source, Target: w.target, Now: w.clock.Now,
	})
	if _, err := e.Forget(w.tb.Context(), sub); err != nil {
		w.tb.Fatal(err)
	}
}

// warm is a lookup that has answered about everybody, and remembers it.
func (w *world) warm(people int) *lookup.Lookup {
	w.tb.Helper()
	l := w.lookup()
	for n := range people {
		owners, err := l.Owners(w.tb.Context(), registers("somebody", "email", fmt.Sprintf("person-%d@example.com", n)))
		if err != nil || len(owners) != 1 {
			w.tb.Fatal(owners, err)
		}
	}
	return l
}

// TestForgotten: an instance that is warm when somebody is forgotten goes on
// welcoming the others, and answers for names again once there is another
// reconciliation, though items of the same name have become something else.
func TestForgotten(t *testing.T) {
	const people = 60
	var all []userpool.User
	for n := range people {
		all = append(all, person(n))
	}
	w := newWorld(t, aliasPool(), all...)
	w.seed(0)
	w.reconcile("r1")
	l, cold := w.warm(people), w.lookup()
	if _, err := cold.Summary(t.Context()); err != nil { // knows the reconciliation, and none of its rows
		t.Fatal(err)
	}
	w.clock.add(time.Hour)
	gone := person(17)
	w.forget(gone.Sub)

	_, _, _ = cold.Pending(t.Context(), person(1).Sub) // the first may find out
	for n := range people {
		_, known, err := cold.Pending(t.Context(), person(n).Sub)
		if err != nil || known != (n != 17) {
			t.Fatalf("person %d after forgetting: %v, %v", n, known, err)
		}
	}
	if _, err := l.Owners(t.Context(), registers("new")); err != nil && !isKind(err, fault.Invalid) {
		t.Errorf("names after forgetting: %v", err)
	}

	w.clock.add(time.Hour)
	w.reconcile("r2")
	w.clock.add(time.Minute)
	for _, l := range []*lookup.Lookup{l, cold} {
		_, _ = l.Owners(t.Context(), registers("new")) // the first may find out
		for n := range people {
			owners, err := l.Owners(t.Context(), registers("somebody", "email", fmt.Sprintf("person-%d@example.com", n)))
			if err != nil || (len(owners) == 1) != (n != 17) {
				t.Fatalf("the name of person %d after the next reconciliation: %v, %v", n, owners, err)
			}
		}
	}
}
