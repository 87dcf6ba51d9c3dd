package erasure_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"poolferry/internal/erasure"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/store"
	"poolferry/internal/userpool"
)

// segments packs users as a reconciliation does.
func segments(side shuffle.Side, users ...userpool.User) string {
	w := shuffle.NewWriter(shuffle.Layout{Buckets: 2, NameBuckets: 1, Side: side, Pool: userpool.Pool{Aliases: []string{"email"}}})
	for _, u := range users {
		must(0, w.Add(u))
	}
	object, _, err := w.Close()
	return string(must(object, err))
}

func claims(u userpool.User) string {
	pool := userpool.Pool{Aliases: []string{"email"}}
	var hashes []uint64
	for _, n := range names.Of(u, pool) {
		hashes = append(hashes, n.Hash(), n.Hash())
	}
	var data []byte
	all := names.StagedClaims(u, pool, names.NewContested(hashes), verdict.Decision{Verdict: verdict.Pending, Reason: verdict.NotSignedIn})
	for _, c := range all {
		data = c.Append(data)
	}
	return string(must(shuffle.PackNames([][]byte{data}, []int{len(all)})))
}

// TestCheck plants traces of all sorts, one at a time, and wants each to be found,
// whatever the key says.
func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, target := person(victim), moved(victim, time.Now())
		sub, other := string(u.Sub), string(person(4).Sub)
		w := newWorld(t)
		w.source.put(u)
		w.target.put(target)
		w.seed(1, true)
		w.reconcile("first", true)
		w.leave()
		time.Sleep(time.Hour)
		if _, err := w.erasure(w.memory).Forget(t.Context(), u.Sub); err != nil {
			t.Fatal(err)
		}
		zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		packer := func(text string) string { return string(packed(text)) }
		for name, tt := range map[string]struct {
			body string
			want string // with spaces between them
		}{
			"text":                    {"x " + sub + ".", erasure.TraceSub},
			"JSON":                    {`{"a":[{"b":"` + sub + `"}]}`, erasure.TraceSub},
			"gzip":                    {packer("a\n" + sub + "\n"), erasure.TraceSub},
			"several gzip members":    {packer("a\n") + packer(sub), erasure.TraceSub},
			"zstd":                    {string(zip.EncodeAll([]byte("a\n"+sub+"\n"), nil)), erasure.TraceSub},
			"base64":                  {"token=" + base64.StdEncoding.EncodeToString([]byte("x|"+sub+"|y")), erasure.TraceSub},
			"base64 for addresses":    {base64.RawURLEncoding.EncodeToString([]byte("??" + sub)), erasure.TraceSub},
			"segments, staged":        {segments(shuffle.Staged, person(4), u), erasure.TraceSub},
			"segments, arrived":       {segments(shuffle.Arrived, moved(4, time.Now()), target), erasure.TraceSub + " " + erasure.TraceTargetSub},
			"segments, memberships":   {segments(shuffle.Members, userpool.User{Sub: u.Sub, Groups: []string{"g"}}), erasure.TraceSub},
			"segments, imported":      {segments(shuffle.Imported, userpool.User{Sub: u.Sub}), erasure.TraceSub},
			"claims":                  {claims(u), erasure.TraceSub},
			"the target's sub":        {"user " + string(target.Sub) + " is odd", erasure.TraceTargetSub},
			"the target's, in gzip":   {packer(`{"sub":"` + string(target.Sub) + `"}`), erasure.TraceTargetSub},
			"username":                {`{"x":{"username":"` + u.Username + `"}}`, erasure.TraceUsername},
			"legacy username":         {packer(`{"legacy_username":"` + u.Username + `","sub":""}` + "\n"), erasure.TraceUsername},
			"username of somebody":    {`{"sub":"` + other + `","username":"` + u.Username + `"}`, ""},
			"a group of that name":    {`{"name":"` + u.Username + `"}`, ""},
			"another username":        {`{"username":"` + u.Username + `0"}`, ""},
			"a longer sub":            {sub + "0 " + sub + "-x", ""},
			"segments of others":      {segments(shuffle.Staged, person(4), person(5)), ""},
			"claims of others":        {claims(person(4)), ""},
			"nothing":                 {"", ""},
			"what only looks like it": {"\x1f", ""},
		} {
			for _, key := range []string{"report.html", "nobody/knows/this", "gen-9/shards/all/commit.json"} {
				for _, old := range []bool{false, true} {
					c := w.filled()
					c.put(key, tt.body)
					if old {
						c.put(key, "{}")
						c.check(c.memory.Delete(t.Context(), "runs/"+runID+"/"+key))
					}
					got, err := c.erasure(c.memory).Check(t.Context(), erasure.Person{Sub: u.Sub, Usernames: []string{u.Username}})
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					var what []string
					for _, trace := range got.Traces {
						what = append(what, trace.What)
						if trace.Key != key || trace.Latest == old {
							t.Errorf("%s in %s, old %v: %+v", name, key, old, trace)
						}
					}
					if strings.Join(what, " ") != tt.want {
						t.Errorf("%s in %s, old %v: got %+v, want %q", name, key, old, got.Traces, tt.want)
					}
				}
			}
		}
		for name, body := range map[string]string{
			"CSV":                  "legacy_sub,sub,legacy_username,username\n,," + u.Username + ",x\n",
			"CSV of somebody else": "legacy_sub,sub,legacy_username,username\n" + other + ",," + u.Username + ",x\n",
		} {
			c := w.filled()
			c.put("some.csv.gz", packer(body))
			got, err := c.erasure(c.memory).Check(t.Context(), erasure.Person{Sub: u.Sub, Usernames: []string{u.Username}})
			if err != nil || (len(got.Traces) > 0) != (name == "CSV") {
				t.Errorf("%s: %+v, %v", name, got.Traces, err)
			}
		}
		c := w.filled()
		c.put("a/"+sub+".json", "{}")
		if got, err := c.erasure(c.memory).Check(t.Context(), erasure.Person{Sub: u.Sub}); err != nil || len(got.Traces) != 1 {
			t.Errorf("in a key: %+v, %v", got, err)
		}
		for name, body := range map[string]string{
			"a torn gzip":     string(packed("abc"))[:15],
			"torn segments":   segments(shuffle.Staged, u)[40:],
			"a torn zstd":     string(zip.EncodeAll([]byte("abcdefgh"), nil))[:6],
			"foreign segment": "x" + shuffle.Magic,
		} {
			c := w.filled()
			c.put("report.html", body)
			if got, err := c.erasure(c.memory).Check(t.Context(), erasure.Person{Sub: u.Sub}); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: nobody can say what is in it, and got %+v, %v", name, got, err)
			}
		}
		if _, err := w.erasure(w.memory).Check(t.Context(), erasure.Person{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("nobody: %v", err)
		}
	})
}

// TestReceiptsHoldNoPersonalData: not even the names of somebody who is called by
// an address.
func TestReceiptsHoldNoPersonalData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fill()
		w.leave()
		_, err := w.erasure(w.memory).Forget(t.Context(), person(victim).Sub)
		w.check(err)
		e := store.NewErasure(w.memory, runID)
		r, err := e.ReadReceipt(t.Context(), erasure.DigestOf(person(victim).Sub))
		w.check(err)
		if len(r.TargetSubsSHA256) != 2 || !slices.Contains(r.TargetSubsSHA256, erasure.DigestOf(moved(victim, time.Now()).Sub)) || r.By != "somebody" ||
			len(r.Generations) != 2 || r.Searched.Versions == 0 || r.Ended.Before(r.Begun) {
			t.Errorf("%+v", r)
		}
		// That nothing of the person is in it is what Check says of every object.
	})
}
