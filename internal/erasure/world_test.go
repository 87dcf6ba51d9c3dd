package erasure_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"poolferry/internal/document"
	"poolferry/internal/erasure"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/scan"
	"poolferry/internal/seeding"
	"poolferry/internal/settle"
	"poolferry/internal/store"
	"poolferry/internal/store/memory"
	"poolferry/internal/tail"
	"poolferry/internal/userpool"
)

const runID = "2026-11-prod"

// The compressors of segments are made outside of any bubble, since all bubbles
// share them.
func init() {
	w := shuffle.NewWriter(shuffle.Layout{Buckets: 1, NameBuckets: 1, Side: shuffle.Arrived})
	must(0, w.Add(person(1)))
	object, _, err := w.Close()
	text := must(shuffle.FooterBytes(must(object, err)))
	s := must(shuffle.DecodeFooter(text, document.DigestOf(text), int64(len(object)))).Bucket(0)
	must(shuffle.Unpack("", s, object[s.Offset:s.Offset+s.Length]))
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// pool is a user pool in memory, of which every page has two users, and every
// other one begins with somebody of the page before.
type pool struct {
	users map[userpool.Sub]userpool.User
	lists int
}

func newPool() *pool { return &pool{users: map[userpool.Sub]userpool.User{}} }

func (p *pool) put(u userpool.User) { p.users[u.Sub] = u }

func (p *pool) Describe(context.Context) (scan.Description, error) {
	return scan.Description{Users: len(p.users), Attributes: []string{"sub", "email"}}, nil
}

func (p *pool) ListUsers(_ context.Context, _ string, cursor manifest.Cursor) (page scan.Page[userpool.User], err error) {
	subs := slices.Sorted(maps.Keys(p.users))
	from, _ := slices.BinarySearch(subs, userpool.Sub(cursor+"\x00"))
	if cursor == "" {
		from = 0
	}
	to, first := min(from+2, len(subs)), from
	if p.lists++; p.lists%2 == 0 {
		first = max(0, from-1)
	}
	for _, sub := range subs[first:to] {
		u := p.users[sub]
		u.Attributes, u.Groups = u.Attributes.Clone(), nil
		page.Items = append(page.Items, u)
	}
	if to < len(subs) {
		page.Next = manifest.Cursor(subs[to-1])
	}
	return page, nil
}

func (p *pool) ListGroups(context.Context, manifest.Cursor) (page scan.Page[manifest.Group], err error) {
	names := map[string]bool{}
	for _, u := range p.users {
		for _, name := range u.Groups {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		page.Items = append(page.Items, manifest.Group{Name: name})
	}
	return page, nil
}

func (p *pool) ListUsersInGroup(_ context.Context, group string, _ manifest.Cursor) (page scan.Page[userpool.Sub], err error) {
	for _, sub := range slices.Sorted(maps.Keys(p.users)) {
		if slices.Contains(p.users[sub].Groups, group) {
			page.Items = append(page.Items, sub)
		}
	}
	return page, nil
}

// Find implements erasure.Pool.
func (p *pool) Find(_ context.Context, name string) (found []userpool.User, err error) {
	for _, u := range p.users {
		if slices.Contains([]string{string(u.Sub), u.Username, u.Attributes["email"]}, name) {
			found = append(found, u)
		}
	}
	return found, nil
}

type settings userpool.Pool

func (s settings) Describe(context.Context) (userpool.Pool, error) { return userpool.Pool(s), nil }

// person is the n-th user of the source pool.
func person(n int) userpool.User {
	created := time.Date(2025, 1, 1, 0, 0, n, 0, time.UTC)
	return userpool.User{
		Sub:      userpool.Sub(fmt.Sprintf("%x1f00000-0000-4000-8000-%012d", n%16, n)),
		Username: fmt.Sprintf("person-%d", n), Enabled: true, Status: userpool.StatusConfirmed,
		Attributes: userpool.Attributes{"email": fmt.Sprintf("person-%d@example.com", n), "email_verified": "true"},
		Groups:     []string{"all", fmt.Sprintf("group-%d", n%3)}, Created: created, Modified: created,
	}
}

// moved is the n-th user as the trigger makes them.
func moved(n int, now time.Time) userpool.User {
	u := person(n)
	u.Attributes = userpool.Mapping{}.Apply(u)
	u.Sub = userpool.Sub(fmt.Sprintf("%x2f00000-1111-4000-8000-%012d", n%16, n))
	u.Username = fmt.Sprintf("moved-%d", n)
	u.Attributes["sub"] = string(u.Sub)
	u.Groups, u.Created, u.Modified = nil, now.UTC(), now.UTC()
	return u
}

// world is a run in a versioned bucket, with a bit of everything that others leave
// there.
type world struct {
	t              *testing.T
	source, target *pool
	memory         *memory.Bucket
	run            *store.Run
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, source: newPool(), target: newPool(), memory: memory.NewVersioned()}
	w.run = store.NewRun(w.memory, runID)
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

var (
	sourcePool = manifest.Pool{Account: "111122223333", Region: "eu-west-1", ID: "eu-west-1_old"}
	targetPool = manifest.Pool{Region: "eu-central-1", ID: "eu-central-1_new"}
)

func (w *world) seeding() *seeding.Seeding {
	return seeding.New(seeding.Options{
		Run: runID, Source: sourcePool, Target: targetPool, PerSecond: 1000, Shards: seeding.ShardsSerial, Now: time.Now,
		Limits: seeding.Limits{Time: time.Minute, Lines: 5, Bytes: 1 << 20}, Directory: w.source, Store: w.run,
	})
}

// seed stages a generation; whole is false for one that is left after its first
// batch.
func (w *world) seed(generation int, whole bool) {
	w.t.Helper()
	s := w.seeding()
	plan, err := s.Plan(w.t.Context(), seeding.PlanInput{Run: runID, Generation: generation})
	w.check(err)
	for _, shard := range plan.Shards {
		for {
			out, err := s.Batch(w.t.Context(), seeding.BatchInput{Run: runID, Generation: generation, Shard: shard.Shard})
			w.check(err)
			if !whole {
				return
			}
			if !out.More {
				break
			}
		}
	}
	out, err := s.Close(w.t.Context(), seeding.CloseInput{Run: runID, Generation: generation})
	if err != nil || !out.Done {
		w.t.Fatalf("%+v, %v", out, err)
	}
}

func (w *world) reconciliation() *reconcile.Reconciliation {
	low := int64(1)
	schema := userpool.Schema{"sub": {Name: "sub", Type: userpool.TypeString}}
	for _, name := range []string{"email", "email_verified", userpool.AttrLegacySub} {
		schema[name] = userpool.AttributeSpec{Name: name, Type: userpool.TypeString, Mutable: true}
	}
	schema["email"] = userpool.AttributeSpec{Name: "email", Type: userpool.TypeString, Mutable: true, Required: true, Min: &low}
	return reconcile.New(reconcile.Options{
		Run: runID, Source: sourcePool, Target: targetPool, MFA: "verify", PerSecond: 1000, Shards: scan.ShardsSerial,
		StaleAfter: 1000 * time.Hour, Bucket: "staging", Now: time.Now, Directory: w.target, Store: w.run,
		Pool: settings{ID: targetPool.ID, Aliases: []string{"email"}, MFA: userpool.MFAOptional, Schema: schema},
	})
}

// reconcile runs a reconciliation; its segments stay where it is left before its
// end.
func (w *world) reconcile(id string, whole bool) reconcile.CloseOutput {
	w.t.Helper()
	ctx, r := w.t.Context(), w.reconciliation()
	open, err := r.Open(ctx, reconcile.OpenInput{Run: runID, ID: id, Execution: "arn:aws:states:eu-central-1:444455556666:execution:poolferry-reconcile:" + id})
	if err != nil || open.Held {
		w.t.Fatalf("%+v, %v", open, err)
	}
	for _, item := range w.items(open.Index) {
		_, err := r.Index(ctx, reconcile.IndexInput{Run: runID, ID: id, Item: item["item"].(string)})
		w.check(err)
	}
	for _, item := range w.items(open.Scan) {
		for more := true; more; {
			out, err := r.Scan(ctx, reconcile.ScanInput{Run: runID, ID: id, Shard: item["shard"].(string)})
			w.check(err)
			more = out.More
		}
	}
	match, err := r.Match(ctx, reconcile.MatchInput{Run: runID, ID: id})
	if err != nil || !match.Ready {
		w.t.Fatalf("%+v, %v", match, err)
	}
	for _, item := range w.items(open.Compare) {
		_, err := r.Compare(ctx, reconcile.CompareInput{Run: runID, ID: id, Bucket: int(item["bucket"].(float64))})
		w.check(err)
	}
	if !whole {
		return reconcile.CloseOutput{}
	}
	out, err := r.Close(ctx, reconcile.CloseInput{Run: runID, ID: id})
	w.check(err)
	return out
}

func (w *world) items(list reconcile.Items) (items []map[string]any) {
	w.t.Helper()
	o, err := w.memory.Get(w.t.Context(), list.Key)
	w.check(err)
	w.check(json.Unmarshal(o.Body, &items))
	return items
}

func (w *world) put(key, body string) {
	w.t.Helper()
	_, err := w.memory.Put(w.t.Context(), "runs/"+runID+"/"+key, []byte(body), store.Condition{})
	w.check(err)
}

// settle leaves rows that failed.
func (w *world) settle(users ...int) {
	w.t.Helper()
	var rows []settle.Unsettled
	for _, n := range users {
		u := moved(n, time.Now())
		rows = append(rows, settle.Unsettled{
			SettleRow: reconcile.SettleRow{LegacySub: person(n).Sub, Sub: u.Sub, Username: u.Username, Groups: person(n).Groups, MFA: []string{"SMS_MFA"}},
			Attempts:  1, Kind: "Throttled", Last: time.Now().UTC(),
		})
	}
	data := must(reconcile.EncodeRows(rows))
	state := settle.State{Run: runID, Updated: time.Now().UTC(), Queue: []settle.Entry{}}
	var err error
	state.Failed, err = w.run.WriteUnsettled(w.t.Context(), settle.ToTryAgain, data, reconcile.RowsRef{Count: len(rows), Format: reconcile.FormatJSONL, Of: 1})
	w.check(err)
	_, err = w.run.SwapSettle(w.t.Context(), state, "")
	w.check(err)
}

func packed(text string) []byte {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	must(zip.Write([]byte(text)))
	must(0, zip.Close())
	return out.Bytes()
}

// importTail leaves an import that has ended.
func (w *world) importTail(id string, users ...int) {
	w.t.Helper()
	ctx := w.t.Context()
	var sheet, lines, results strings.Builder
	sheet.WriteString("cognito:username,name,email,custom:legacy_sub\n")
	for i, n := range users {
		u := person(n)
		fmt.Fprintf(&sheet, "%s,Doe\\, %d,%s,%s\n", u.Username, n, u.Attributes["email"], u.Sub)
		fmt.Fprintf(&lines, `{"line":%d,"sub":"%s"}`+"\n", i+1, u.Sub)
		fmt.Fprintf(&results, `{"line":%d,"sub":"%s","outcome":"imported"}`+"\n", i+1, u.Sub)
	}
	object := func(kind tail.Kind, text string) *tail.Object {
		o, err := w.run.WriteTailObject(ctx, id, 0, kind, packed(text), len(users))
		w.check(err)
		return &o
	}
	_, err := w.run.WriteTailFile(ctx, tail.File{
		Run: runID, ID: id, Attempt: 1, Rows: len(users), Bytes: int64(sheet.Len()), CSV: object(tail.CSVRows, sheet.String()),
		Lines: object(tail.SubLines, lines.String()), Why: map[tail.Refusal]int{}, Next: &tail.Cursor{Bucket: 1, Sub: string(person(users[1]).Sub)},
	})
	w.check(err)
	_, err = w.run.WriteTailResults(ctx, tail.Results{Run: runID, ID: id, Job: "job", JobState: tail.JobSucceeded, Imported: len(users), Rows: *object(tail.OutcomeRows, results.String())})
	w.check(err)
	now := time.Now().UTC()
	_, err = w.run.SwapTail(ctx, tail.State{
		Run: runID, ID: id, Opened: now, Updated: now, Closed: now, Written: true,
		Files: []tail.FileState{{Attempt: 1, Rows: len(users), Try: 1, Done: true, Imported: len(users)}},
	}, "")
	w.check(err)
	w.put("tail/"+id+"/plan.json", "{}") // which nobody reads here
	var subs []userpool.Sub
	for _, n := range users {
		subs = append(subs, person(n).Sub)
	}
	w.check(w.reconciliation().RecordImport(ctx, id, subs))
}

// stopTail makes an import one whose file is not done, and that nobody works on.
func (w *world) stopTail(id string, job *tail.JobLook) {
	w.t.Helper()
	s, tag, err := w.run.LoadTail(w.t.Context(), id)
	w.check(err)
	s.Closed, s.Failure = time.Time{}, "Invalid"
	s.Files = []tail.FileState{{Attempt: 1, Rows: s.Files[0].Rows, Try: 1, Job: job}}
	_, err = w.run.SwapTail(w.t.Context(), s, tag)
	w.check(err)
}

// victim is whom the tests forget: moved, with a user too many in the target pool,
// and a name that others have, too.
const victim = 3

// fill makes a run in which the victim is everywhere that people are.
func (w *world) fill() {
	w.t.Helper()
	for n := range 9 {
		w.source.put(person(n))
	}
	w.seed(1, true)
	time.Sleep(time.Hour)
	w.reconcile("first", true) // the victim is pending
	for _, n := range []int{1, victim, 5} {
		w.target.put(moved(n, time.Now()))
	}
	again := moved(victim, time.Now().Add(time.Minute))
	again.Sub, again.Username = "a2f00000-2222-4000-8000-000000000003", "moved-again"
	again.Attributes["email"] = "moved-again@example.com"
	w.target.put(again)
	squatter := moved(7, time.Now())
	squatter.Attributes = userpool.Attributes{"sub": string(squatter.Sub), "email": person(8).Attributes["email"], "email_verified": "true"}
	w.target.put(squatter)
	w.settle(1, victim, 5)
	w.importTail("tail-1", 2, victim, 4)
	time.Sleep(time.Hour)
	w.reconcile("second", true) // the victim has moved, twice
	time.Sleep(time.Hour)
	w.seed(2, true)
	w.reconcile("third", false) // killed: segments, plans and rows stay
	time.Sleep(time.Hour)
	w.seed(3, false) // left: a checkpoint and a part, and no commit
	time.Sleep(time.Hour)
	u := person(victim)
	w.put("reconcile/first/maps/scan/x/FAILED_0.json", `[{"Cause":"user `+string(u.Sub)+` is odd"}]`)
	w.put("reconcile/first/maps/scan/x/SUCCEEDED_0.json", `[{"Output":"{}"}]`)
}

// leave takes the victim out of both pools.
func (w *world) leave() {
	delete(w.source.users, person(victim).Sub)
	maps.DeleteFunc(w.target.users, func(_ userpool.Sub, u userpool.User) bool {
		return u.Attributes[userpool.AttrLegacySub] == string(person(victim).Sub)
	})
}

func (w *world) erasure(bucket store.Versioned) *erasure.Erasure {
	return erasure.New(erasure.Options{
		Run: runID, By: "somebody", Store: store.NewErasure(bucket, runID), Source: w.source, Target: w.target, Now: time.Now,
		CutOver: func(context.Context) (bool, error) { return true, nil },
	})
}

// state is every version of the run but for what tells the time of day of an
// erasure: the lease, and receipts.
func (w *world) state() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	for v, err := range w.memory.ListVersions(w.t.Context(), "") {
		w.check(err)
		key := strings.TrimPrefix(v.Key, "runs/"+runID+"/")
		switch {
		case key == "lease.json":
			continue
		case v.Marker:
			all[key+" deleted"] += "x"
		case strings.HasPrefix(key, "forgotten/") || strings.HasPrefix(key, "purged/"):
			all[key] += "receipt"
		default:
			o, err := w.memory.GetVersion(w.t.Context(), v.Key, v.ID)
			w.check(err)
			all[key] += string(document.DigestOf(o.Body))
		}
	}
	return all
}

func newUnzip(stored []byte) (*gzip.Reader, error) { return gzip.NewReader(bytes.NewReader(stored)) }
