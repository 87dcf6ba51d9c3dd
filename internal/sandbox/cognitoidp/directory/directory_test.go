package directory

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"poolferry/internal/sandbox/cognitoidp/srp"
	"poolferry/internal/userpool"
)

func put(t testing.TB, d *Directory, username string, attributes userpool.Attributes) {
	t.Helper()
	if _, err := d.Insert(User{Username: username, Sub: userpool.Sub("sub-" + username), Attributes: attributes, Enabled: true}, false); err != nil {
		t.Fatal(err)
	}
}

func found(d *Directory, name string) string {
	u, ok := d.Find(name)
	if !ok {
		return ""
	}
	return u.Username
}

func TestNames(t *testing.T) {
	verified := userpool.Attributes{"email": "Ada@example.org", "email_verified": "true", "phone_number": "+4930123", "preferred_username": "countess"}
	unverified := userpool.Attributes{"email": "bob@example.org", "email_verified": "false"}
	for _, c := range []struct {
		name  string
		rules Rules
		want  map[string]string
	}{
		{"plain", Rules{CaseSensitive: true}, map[string]string{
			"ada": "ada", "Ada": "", "Ada@example.org": "", "sub-ada": "ada", "countess": "", "": ""}},
		{"aliases", Rules{CaseSensitive: true, Aliases: []string{"email", "phone_number", "preferred_username"}}, map[string]string{
			"ada": "ada", "Ada@example.org": "ada", "ada@example.org": "", "+4930123": "", "countess": "ada", "bob@example.org": ""}},
		{"case-insensitive", Rules{Aliases: []string{"email"}}, map[string]string{
			"ADA": "ada", "ada@EXAMPLE.org": "ada", "countess": ""}},
		{"username attributes", Rules{UsernameAttributes: []string{"email", "phone_number"}}, map[string]string{
			"ada@example.org": "ada", "+4930123": "ada", "bob@example.org": "bob"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(c.rules)
			put(t, d, "ada", verified)
			put(t, d, "bob", unverified)
			got := map[string]string{}
			for name := range c.want {
				got[name] = found(d, name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUniqueNames(t *testing.T) {
	mail := func(flag string) userpool.Attributes {
		return userpool.Attributes{"email": "a@example.org", "email_verified": flag}
	}
	d := New(Rules{Aliases: []string{"email"}})
	put(t, d, "ada", mail("true"))
	put(t, d, "twin", mail("false")) // an address that is not verified is nobody's alias
	if _, err := d.Insert(User{Username: "ADA", Sub: "x"}, false); !errors.Is(err, ErrUsernameExists) {
		t.Errorf("second ADA: %v", err)
	}
	if _, err := d.Insert(User{Username: "bob", Sub: "sub-ada"}, false); !errors.Is(err, ErrUsernameExists) {
		t.Errorf("second sub: %v", err)
	}
	taken := func(err error) bool { _, ok := errors.AsType[*AliasError](err); return ok }
	if _, err := d.Insert(User{Username: "bob", Sub: "x", Attributes: mail("true")}, false); !taken(err) || d.Len() != 2 || found(d, "bob") != "" {
		t.Errorf("second owner: %v", err)
	}
	verify := func(u *User) error { u.Attributes["email_verified"] = "true"; return nil }
	if _, err := d.Update("sub-twin", verify); !taken(err) {
		t.Errorf("verified twin: %v", err)
	}
	if _, err := d.UpdateForce("sub-twin", verify); err != nil || found(d, "a@example.org") != "twin" {
		t.Errorf("forced twin: %v, the alias finds %q", err, found(d, "a@example.org"))
	}
	if ada, _ := d.Get("sub-ada"); ada.Attributes.Verified("email") {
		t.Error("the previous owner's address is still verified")
	}
	if err := d.Delete("sub-twin"); err != nil || found(d, "a@example.org") != "" || found(d, "twin") != "" {
		t.Errorf("a deleted user is still found: %v", err)
	}
	if err := d.Delete("sub-twin"); !errors.Is(err, ErrUserNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	stop := errors.New("stop")
	if _, err := d.Update("sub-ada", func(u *User) error { u.Attributes["email"] = "x"; return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if ada, _ := d.Get("sub-ada"); ada.Attributes["email"] != "a@example.org" {
		t.Error("a failed update changed the user")
	}
}

// TestPagesAgreeWithAModel plays random changes and compares every query with a
// scan of a plain map.
func TestPagesAgreeWithAModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	d := New(Rules{CaseSensitive: true})
	model := map[userpool.Sub]string{} // given_name
	names := []string{"", "a", "ab", "abc", "b", "Ba", "ä"}
	for i := range 6000 {
		username := fmt.Sprintf("%03x", rnd.IntN(2000))
		sub, name := userpool.Sub("sub-"+username), names[rnd.IntN(len(names))]
		_, exists := model[sub]
		switch {
		case !exists:
			put(t, d, username, userpool.Attributes{"given_name": name})
			model[sub] = name
		case rnd.IntN(2) == 0:
			if err := d.Delete(sub); err != nil {
				t.Fatal(err)
			}
			delete(model, sub)
		default:
			if _, err := d.Update(sub, func(u *User) error { u.Attributes["given_name"] = name; return nil }); err != nil {
				t.Fatal(err)
			}
			model[sub] = name
		}
		if i%200 != 0 {
			continue
		}
		for _, q := range []Query{{Attribute: "sub"}, {Attribute: "sub", Value: "sub-1"}, {Attribute: "given_name", Value: "a"},
			{Attribute: "given_name", Value: "ab", Exact: true}, {Attribute: "given_name", Value: "zz"}} {
			var want []string
			for sub, name := range model {
				value := name
				if q.Attribute == "sub" {
					value = string(sub)
				}
				if value != "" && (q.Exact && value == q.Value || !q.Exact && strings.HasPrefix(value, q.Value)) {
					want = append(want, value+" "+string(sub))
				}
			}
			slices.Sort(want)
			var got []string
			for after, first := "", true; first || after != ""; first = false {
				var page []*User
				page, after = d.Page(q, after, 7)
				for _, u := range page {
					value, _ := u.value(q.Attribute)
					got = append(got, value+" "+string(u.Sub))
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%+v: %s", q, diff)
			}
		}
	}
}

func TestGroups(t *testing.T) {
	d := New(Rules{})
	put(t, d, "ada", nil)
	put(t, d, "bob", nil)
	for name, precedence := range map[string]*int{"staff": new(5), "admins": new(1), "late": nil} {
		if err := d.CreateGroup(Group{Name: name, Precedence: precedence}); err != nil {
			t.Fatal(err)
		}
		if err := d.AddToGroup("sub-ada", name); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.CreateGroup(Group{Name: "staff"}); !errors.Is(err, ErrGroupExists) {
		t.Errorf("second staff: %v", err)
	}
	if err := d.AddToGroup("sub-ada", "none"); !errors.Is(err, ErrGroupNotFound) {
		t.Errorf("no such group: %v", err)
	}
	if err := d.AddToGroup("none", "staff"); !errors.Is(err, ErrUserNotFound) {
		t.Errorf("no such user: %v", err)
	}
	if err := errors.Join(d.AddToGroup("sub-bob", "staff"), d.AddToGroup("sub-bob", "staff"), d.RemoveFromGroup("sub-ada", "late")); err != nil {
		t.Fatal(err)
	}
	ada, _ := d.Get("sub-ada")
	var order []string
	for _, g := range d.GroupsOf(ada) {
		order = append(order, g.Name)
	}
	if diff := cmp.Diff([]string{"admins", "staff"}, order); diff != "" {
		t.Error(diff)
	}
	members, next, err := d.Members("staff", "", 1)
	if err != nil || len(members) != 1 || next == "" {
		t.Fatalf("first page: %v %q %v", members, next, err)
	}
	rest, next, err := d.Members("staff", next, 1)
	if err != nil || len(rest) != 1 || rest[0].Username != "bob" || next != "" {
		t.Errorf("second page: %v %q %v", rest, next, err)
	}
	if err := d.Delete("sub-bob"); err != nil {
		t.Fatal(err)
	}
	if members, _, _ := d.Members("staff", "", 10); len(members) != 1 {
		t.Errorf("a deleted user is still a member: %v", members)
	}
}

func TestHash(t *testing.T) {
	ada, bob := srp.Identity{Pool: "p", User: "ada"}, srp.Identity{Pool: "p", User: "bob"}
	h := NewHash([]byte("salt"), ada, userpool.NewSecret("right"))
	if !h.Matches(ada, userpool.NewSecret("right")) || h.Matches(ada, userpool.NewSecret("wrong")) ||
		h.Matches(bob, userpool.NewSecret("right")) || (Hash{}).Matches(ada, userpool.NewSecret("")) {
		t.Error("wrong match")
	}
}

// BenchmarkPage reads pages of a pool of 100,000 users.
func BenchmarkPage(b *testing.B) {
	d := New(Rules{})
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		put(b, d, fmt.Sprintf("%016x", rnd.Uint64()), nil)
	}
	after := ""
	for b.Loop() {
		_, after = d.Page(Query{Attribute: "sub"}, after, 60)
	}
}
