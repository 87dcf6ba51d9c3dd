package lookup_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/lookup"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/userpool"
)

// registers is somebody who is about to be created.
func registers(username string, attributes ...string) userpool.User {
	u := userpool.User{Username: username, Attributes: userpool.Attributes{}}
	for i := 0; i < len(attributes); i += 2 {
		u.Attributes[attributes[i]] = attributes[i+1]
	}
	return u
}

func TestOwners(t *testing.T) {
	const uuid = "0f3c6a52-1111-4222-8333-444455556666"
	change := func(n int, change func(*userpool.User)) userpool.User {
		u := person(n)
		change(&u)
		return u
	}
	email := func(u userpool.User) userpool.User { return registers(uuid, "email", u.Attributes["email"]) }
	plain := person(1)
	tests := []struct {
		name   string
		pool   userpool.Pool
		staged userpool.User
		u      userpool.User
		want   string // kind and reason; empty for nobody
	}{
		{"alias: address", aliasPool(), plain, registers("somebody", "email", "person-1@example.com"), "email not_signed_in"},
		{"alias: address in capitals", aliasPool(), plain, registers("somebody", "email", "Person-1@EXAMPLE.com"), "email not_signed_in"},
		{"alias: another address", aliasPool(), plain, registers("somebody", "email", "person-2@example.com"), ""},
		{"alias: the address is not verified at the source", aliasPool(),
			change(1, func(u *userpool.User) { u.Attributes["email_verified"] = "false" }), registers("somebody", "email", "person-1@example.com"), ""},
		{"alias: username", aliasPool(), plain, registers("PERSON-1"), "username not_signed_in"},
		{"alias: username, case-sensitive", func() userpool.Pool { p := aliasPool(); p.CaseSensitive = true; return p }(), plain, registers("PERSON-1"), ""},
		{"alias: the same username, case-sensitive", func() userpool.Pool { p := aliasPool(); p.CaseSensitive = true; return p }(), plain, registers("person-1"), "username not_signed_in"},
		{"alias: number", aliasPool(), change(1, func(u *userpool.User) {
			u.Attributes["phone_number"], u.Attributes["phone_number_verified"] = "+4930123", "true"
		}),
			registers("somebody", "phone_number", "+4930123"), "phone not_signed_in"},
		{"alias: nothing", aliasPool(), plain, registers(""), ""},
		{"preferred username, taken as username", userpool.Pool{Aliases: []string{"preferred_username"}, Schema: schema()},
			change(1, func(u *userpool.User) { u.Attributes["preferred_username"] = "countess" }), registers("Countess"), "preferred_username not_signed_in"},
		{"addresses for names", emailPool(), plain, email(plain), "email not_signed_in"},
		{"addresses for names: not verified, and lets in all the same", emailPool(),
			change(1, func(u *userpool.User) { delete(u.Attributes, "email_verified") }), email(plain), "email not_signed_in"},
		{"addresses for names: the username is no name", emailPool(), plain, registers("person-1", "email", "new@example.com"), ""},
		{"plain: username", plainPool(), plain, registers("Person-1", "email", "new@example.com"), "username not_signed_in"},
		{"plain: the address is no name", plainPool(), plain, registers("somebody", "email", "person-1@example.com"), ""},
		{"plain: the source made the username, and knew the address", plainPool(),
			change(1, func(u *userpool.User) { u.Username = string(u.Sub) }), registers("person-1@example.com"), "username not_signed_in"},

		{"disabled", emailPool(), change(1, func(u *userpool.User) { u.Enabled = false }), email(plain), "email disabled"},
		{"unconfirmed", emailPool(), change(1, func(u *userpool.User) { u.Status = userpool.StatusUnconfirmed }), email(plain), "email unconfirmed"},
		{"disabled and unconfirmed", emailPool(), change(1, func(u *userpool.User) { u.Status, u.Enabled = userpool.StatusUnconfirmed, false }), email(plain), "email unconfirmed"},
		{"federated, which is excluded", emailPool(), change(1, func(u *userpool.User) { u.Status = userpool.StatusExternalProvider }), email(plain), "email federated"},
		{"does not fit", emailPool(), change(1, func(u *userpool.User) { u.Attributes["custom:note"] = strings.Repeat("x", 41) }), email(plain), "email schema_violation"},
		{"has to reset", emailPool(), change(1, func(u *userpool.User) { u.Status = userpool.StatusResetRequired }), email(plain), "email reset_required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.pool, tt.staged, person(7), person(8))
			w.seed(0)
			w.reconcile("r1")
			got, err := w.lookup().Owners(t.Context(), tt.u)
			if err != nil {
				t.Fatal(err)
			}
			var text string
			for _, o := range got {
				text += fmt.Sprint(o.Kind, " ", o.Reason)
				if o.Sub != tt.staged.Sub {
					t.Errorf("owner %s", o.Sub)
				}
			}
			if text != tt.want {
				t.Errorf("owners %q, want %q", text, tt.want)
			}
		})
	}
}

// TestAgainstAllUsers asks about every name of crowds with all kinds of trouble,
// and compares with what a look at everybody says.
func TestAgainstAllUsers(t *testing.T) {
	pools := []func() userpool.Pool{aliasPool, emailPool, plainPool}
	for seed := range uint64(30) {
		dice := rand.New(rand.NewPCG(seed, 5)) //nolint:gosec // repeatable on purpose
		p := pools[seed%3]()
		p.CaseSensitive = dice.IntN(3) == 0
		var people []userpool.User
		for n := range 20 + dice.IntN(150) {
			people = append(people, awkward(dice, n))
		}
		w := newWorld(t, p, people...)
		for n, u := range people {
			for range dice.IntN(3) {
				group := fmt.Sprintf("group-%d", dice.IntN(4))
				if !slices.Contains(w.source.groups[group], u.Sub) {
					w.source.groups[group] = append(w.source.groups[group], u.Sub)
				}
			}
			if n%3 == 0 {
				w.move(u.Sub)
			}
		}
		w.seed(0)
		w.reconcile("r1")
		w.compare(seed, people)
	}
}

// awkward shares names with others, in other spellings, in all states.
func awkward(dice *rand.Rand, n int) userpool.User {
	u := person(n)
	shared := fmt.Sprintf("person-%d@example.com", dice.IntN(n+1))
	if dice.IntN(4) == 0 {
		u.Attributes["email"] = shared
	}
	if dice.IntN(4) == 0 {
		u.Attributes["email"] = strings.ToUpper(u.Attributes["email"])
	}
	if dice.IntN(3) == 0 {
		u.Attributes["email_verified"] = "false"
	}
	if dice.IntN(3) == 0 {
		u.Attributes["phone_number"], u.Attributes["phone_number_verified"] = fmt.Sprintf("+4930%03d", dice.IntN(40)), fmt.Sprint(dice.IntN(2) == 0)
	}
	if dice.IntN(5) == 0 {
		u.Username = strings.ToUpper(u.Username)
	}
	if dice.IntN(5) == 0 {
		u.Username = string(u.Sub)
	}
	u.Enabled = dice.IntN(5) > 0
	u.Status = []userpool.Status{userpool.StatusConfirmed, userpool.StatusConfirmed, userpool.StatusUnconfirmed, userpool.StatusExternalProvider, userpool.StatusResetRequired}[dice.IntN(5)]
	return u
}

func (w *world) compare(seed uint64, people []userpool.User) {
	t := w.tb
	t.Helper()
	ctx, l := t.Context(), w.lookup()
	pool := userpool.Pool(w.o.Pool.(settings))
	rows := map[userpool.Sub]reconcile.PendingRow{}
	for row, err := range reconcile.New(w.o).Pending(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		rows[row.Sub] = row
	}
	mapped := map[userpool.Sub]userpool.User{}
	for _, u := range people {
		u.Attributes = w.o.Mapping.Apply(u)
		mapped[u.Sub] = u
		got, known, err := l.Pending(ctx, u.Sub)
		want, pending := rows[u.Sub]
		if err != nil || known != pending || known && cmp.Diff(want, got) != "" {
			t.Errorf("seed %d: pending %s: %+v, %v, %v; want %+v, %v", seed, u.Sub, got, known, err, want, pending)
		}
	}
	for _, u := range people {
		asked := userpool.User{Username: u.Username, Attributes: u.Attributes}
		var want []userpool.Sub
		for sub, owner := range mapped {
			if _, pending := rows[sub]; pending && meet(asked, owner, pool) {
				want = append(want, sub)
			}
		}
		slices.Sort(want)
		owners, err := l.Owners(ctx, asked)
		if err != nil {
			t.Fatal(err)
		}
		var got []userpool.Sub
		for _, o := range owners {
			got = append(got, o.Sub)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d: %+v: %s", seed, asked, diff)
		}
	}
	if groups, err := l.Groups(ctx); err != nil || len(groups.Groups) != len(w.source.groups) {
		t.Errorf("seed %d: groups %+v, %v", seed, groups, err)
	}
	buckets, err := l.Buckets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for bucket := range buckets {
		last := userpool.Sub("")
		for u, err := range l.Users(ctx, bucket) {
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rows[u.Sub], u.PendingRow); diff != "" || u.Sub <= last {
				t.Errorf("seed %d: after %s: %s", seed, last, diff)
			}
			if diff := cmp.Diff(mapped[u.Sub], u.User); diff != "" {
				t.Errorf("seed %d: %s", seed, diff)
			}
			last = u.Sub
			delete(rows, u.Sub)
		}
	}
	if len(rows) > 0 {
		t.Errorf("seed %d: nobody yields %v", seed, rows)
	}
}

// meet is the plain way to find out whether two users have a name in common that
// lets the second into the pool.
func meet(asked, owner userpool.User, pool userpool.Pool) bool {
	for _, a := range names.Of(asked, pool) {
		for _, o := range names.Of(owner, pool) {
			username := func(k names.Kind) bool { return k == names.Username || k == names.PreferredUsername }
			if o.Opens && (a.Kind == o.Kind || username(a.Kind) && username(o.Kind)) && pool.SameName(a.Exact, o.Exact) {
				return true
			}
		}
	}
	return false
}

func TestNothingReconciled(t *testing.T) {
	w := newWorld(t, aliasPool(), person(1))
	l := w.lookup()
	_, err := l.Owners(t.Context(), registers("person-1"))
	if !isKind(err, fault.NotFound) {
		t.Fatal(err)
	}
	calls := w.reads()
	if _, _, err := l.Pending(t.Context(), person(1).Sub); !isKind(err, fault.NotFound) || w.reads() != calls {
		t.Errorf("%v after %d requests", err, w.reads()-calls)
	}
	w.seed(0)
	w.reconcile("r1")
	w.clock.add(time.Minute)
	if owners, err := l.Owners(t.Context(), registers("person-1")); err != nil || len(owners) != 1 {
		t.Errorf("%v, %v", owners, err)
	}
}

// TestNextReconciliation: the next one counts once the time to live is over, what
// cannot be asked then is asked later, and a number holds.
func TestNextReconciliation(t *testing.T) {
	w := newWorld(t, aliasPool(), person(1), person(2))
	w.seed(0)
	w.reconcile("r1")
	l := w.lookup()
	pinned := lookup.New(lookup.Options{Run: runID, Store: w.run(), Now: w.clock.Now, ID: "r1"})
	is := func(l *lookup.Lookup, want bool) {
		t.Helper()
		if _, known, err := l.Pending(t.Context(), person(1).Sub); err != nil || known != want {
			t.Errorf("known %v, %v", known, err)
		}
		if owners, err := l.Owners(t.Context(), registers("person-1")); err != nil || len(owners) == 1 != want {
			t.Errorf("owners %v, %v", owners, err)
		}
	}
	is(l, true)
	is(pinned, true)
	w.clock.add(time.Minute)
	w.move(person(1).Sub)
	w.reconcile("r2")
	is(l, true)
	w.clock.add(lookup.DefaultTTL)
	w.bucket.FailNext(memory.Get, fault.Unavailable, 1)
	is(l, true)
	w.clock.add(time.Minute)
	is(l, false)
	is(pinned, true)
	if s, err := l.Summary(t.Context()); err != nil || s.ID != "r2" {
		t.Errorf("%s, %v", s.ID, err)
	}
}

// TestNextGeneration: names that somebody has given up at the source belong to
// nobody, though what was staged before is still there.
func TestNextGeneration(t *testing.T) {
	w := newWorld(t, aliasPool(), person(1), person(2))
	w.seed(0)
	w.reconcile("r1")
	w.clock.add(time.Hour)
	w.source.users[0].Attributes["email"] = "new@example.com"
	changed := w.source.users[0].Sub
	w.seed(2)
	w.reconcile("r2")
	l := w.lookup()
	for n := range 3 {
		owners, err := l.Owners(t.Context(), registers("somebody", "email", fmt.Sprintf("person-%d@example.com", n)))
		if err != nil || len(owners) == 1 != (n > 0 && person(n).Sub != changed) {
			t.Errorf("person %d: %v, %v", n, owners, err)
		}
	}
	owners, err := l.Owners(t.Context(), registers("somebody", "email", "new@example.com"))
	if err != nil || len(owners) != 1 || owners[0].Sub != changed {
		t.Errorf("%v, %v", owners, err)
	}
}

// TestRemembers: what was asked once takes no request.
func TestRemembers(t *testing.T) {
	var people []userpool.User
	for n := range 300 {
		people = append(people, person(n))
	}
	w := newWorld(t, aliasPool(), people...)
	w.seed(0)
	w.reconcile("r1")
	l := w.lookup()
	if err := l.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls := w.reads()
	for range 3 {
		for n := range 400 {
			if _, known, err := l.Pending(t.Context(), person(n).Sub); err != nil || known != (n < 300) {
				t.Fatal(known, err)
			}
			if owners, err := l.Owners(t.Context(), registers(fmt.Sprint("new-", n))); err != nil || len(owners) > 0 {
				t.Fatal(owners, err)
			}
		}
	}
	if n := w.reads() - calls; n != 2 { // the rows, and the names
		t.Errorf("%d requests", n)
	}
	calls = w.reads()
	if owners, err := l.Owners(t.Context(), registers("person-3")); err != nil || len(owners) != 1 || w.reads()-calls != 1 {
		t.Errorf("%v, %v after %d requests", owners, err, w.reads()-calls)
	}
}

// TestLittleMemory: with room for nothing the answers are the same.
func TestLittleMemory(t *testing.T) {
	var people []userpool.User
	for n := range 50 {
		people = append(people, person(n))
	}
	w := newWorld(t, aliasPool(), people...)
	w.seed(0)
	w.reconcile("r1")
	for _, room := range []int64{1, 3000, 10_000} {
		l := lookup.New(lookup.Options{Run: runID, Store: w.run(), Now: w.clock.Now, Memory: room})
		for n := range 50 {
			owners, err := l.Owners(t.Context(), registers(people[n].Username))
			if err != nil || len(owners) != 1 {
				t.Fatal(room, owners, err)
			}
			if _, known, err := l.Pending(t.Context(), people[n].Sub); err != nil || !known {
				t.Fatal(room, known, err)
			}
		}
	}
}

// TestWhatIsGone: an answer is right or an error, and never that nobody is there.
func TestWhatIsGone(t *testing.T) {
	for _, gone := range []string{"/pending/", "/index-", ".seg"} {
		w := newWorld(t, aliasPool(), person(1))
		w.seed(0)
		w.reconcile("r1")
		for _, key := range w.bucket.Keys() {
			if strings.Contains(key, gone) {
				if err := w.bucket.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := w.lookup().Owners(t.Context(), registers("person-1")); !isKind(err, fault.Invalid) || strings.Contains(err.Error(), "person-1") {
			t.Errorf("without %s: %v", gone, err)
		}
		w = newWorld(t, aliasPool(), person(1))
		w.seed(0)
		w.reconcile("r1")
		for _, key := range w.bucket.Keys() {
			if strings.Contains(key, gone) {
				o, err := w.bucket.Get(t.Context(), key)
				if err == nil {
					o.Body[len(o.Body)/2] ^= 1
					err = w.bucket.Delete(t.Context(), key)
				}
				if err == nil {
					_, err = w.bucket.Put(t.Context(), key, o.Body, store.Condition{})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if owners, err := w.lookup().Owners(t.Context(), registers("person-1")); err == nil && len(owners) != 1 {
			t.Errorf("with damaged %s: %v", gone, owners)
		}
	}
}

// TestManyAskAtOnce, some of whom give up: the others get their answers.
func TestManyAskAtOnce(t *testing.T) {
	var people []userpool.User
	for n := range 100 {
		people = append(people, person(n))
	}
	w := newWorld(t, aliasPool(), people...)
	w.seed(0)
	w.reconcile("r1")
	l := w.lookup()
	var wg sync.WaitGroup
	for n := range 64 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if n%4 == 0 {
				cancel()
			}
			owners, err := l.Owners(ctx, registers(people[n].Username))
			if n%4 > 0 && (err != nil || len(owners) != 1) {
				t.Errorf("%d: %v, %v", n, owners, err)
			}
			if row, known, err := l.Pending(ctx, people[n].Sub); n%4 > 0 && (err != nil || !known || row.Reason != verdict.NotSignedIn) {
				t.Errorf("%d: %+v, %v", n, row, err)
			}
		})
	}
	wg.Wait()
}

func TestUsersOfNoBucket(t *testing.T) {
	w := newWorld(t, aliasPool(), person(1))
	w.seed(0)
	w.reconcile("r1")
	for _, bucket := range []int{-1, 1 << 20} {
		for _, err := range w.lookup().Users(t.Context(), bucket) {
			if !isKind(err, fault.Invalid) {
				t.Error(bucket, err)
			}
		}
	}
	for _, err := range w.lookup().Users(t.Context(), 0) {
		if err != nil {
			t.Error(err)
		}
		break // whoever stops early is left alone
	}
}
