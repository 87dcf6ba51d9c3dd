package reconcile_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/reconcile"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/scan"
	"poolferry/internal/userpool"
)

// execution is one execution of the state machine, as reconcile.asl.json has it:
// what fails in a child is tolerated, and found by the step that wants it.
type execution struct {
	*reconcile.Reconciliation
	ctx    context.Context
	p      *place
	id     string
	before func(step, piece string) // hook
}

func (p *place) execution(id string) *execution {
	return &execution{p.reconciliation(), p.t.Context(), p, id, func(string, string) {}}
}

func (e *execution) run() (reconcile.CloseOutput, error) {
	out, err := e.Open(e.ctx, input(e.id))
	if err != nil {
		return e.fail(err)
	}
	if out.Held {
		return reconcile.CloseOutput{}, fault.New(fault.Conflict, "held by %s", out.Holder.ID)
	}
	for _, item := range e.p.items(out.Index) {
		e.before("index", item["item"].(string))
		_, _ = retried(e.ctx, func() (reconcile.IndexOutput, error) {
			return e.Index(e.ctx, reconcile.IndexInput{Run: runID, ID: e.id, Item: item["item"].(string)})
		})
	}
	e.before("scan", "")
	var shards []manifest.Shard
	for _, item := range e.p.items(out.Scan) {
		shards = append(shards, manifest.Shard{ID: item["shard"].(string)})
	}
	_, _ = e.p.scanAll(e.ctx, e.Reconciliation, e.id, shards)
	e.before("match", "")
	match, err := retried(e.ctx, func() (reconcile.MatchOutput, error) {
		return e.Match(e.ctx, reconcile.MatchInput{Run: runID, ID: e.id})
	})
	if err != nil {
		return e.fail(err)
	}
	if !match.Ready {
		if match.Why == "" {
			e.p.t.Error("match is not ready and does not say why")
		}
		return e.close("Unread")
	}
	for _, item := range e.p.items(out.Compare) {
		bucket := int(item["bucket"].(float64))
		e.before("compare", fmt.Sprint(bucket))
		_, _ = retried(e.ctx, func() (reconcile.CompareOutput, error) {
			return e.Compare(e.ctx, reconcile.CompareInput{Run: runID, ID: e.id, Bucket: bucket})
		})
	}
	e.before("close", "")
	closed, err := e.close("")
	if err != nil {
		return e.fail(err)
	}
	return closed, nil
}

func (e *execution) fail(err error) (reconcile.CloseOutput, error) {
	return e.close(string(fault.KindOf(err)))
}

func (e *execution) close(failure string) (reconcile.CloseOutput, error) {
	return retried(e.ctx, func() (reconcile.CloseOutput, error) {
		return e.Close(e.ctx, reconcile.CloseInput{Run: runID, ID: e.id, Failure: failure})
	})
}

// reconcile runs an execution that nothing stands in the way of.
func (p *place) reconcile(id string) reconcile.CloseOutput {
	p.t.Helper()
	out, err := p.execution(id).run()
	if err != nil {
		p.t.Fatalf("reconciliation %s: %v", id, err)
	}
	return out
}

// truth is what a reconciliation has to say, found the plain way: all users in
// maps, and every name a claim.
type truth struct {
	Verdicts reconcile.Counts
	IDMap    []reconcile.IDRow
	Pending  []reconcile.PendingRow
	Findings []verdict.Finding
	Settle   []reconcile.SettleRow
	Joins    int
}

// world is what a reconciliation is about.
type world struct {
	rules           verdict.Rules
	mapping         userpool.Mapping
	staged, arrived map[userpool.Sub]userpool.User
	known           map[userpool.Sub]bool
	imported        map[userpool.Sub]bool
	due             func(staged, partner userpool.User) bool // for a row of what is to be settled
}

func naive(w world) truth {
	rules, mapping, staged, arrived, known := w.rules, w.mapping, w.staged, w.arrived, w.known
	t := truth{Verdicts: reconcile.Counts{}}
	count := func(v verdict.Verdict, r verdict.Reason) {
		if t.Verdicts[v] == nil {
			t.Verdicts[v] = map[verdict.Reason]int{}
		}
		t.Verdicts[v][r]++
	}
	mapped, partners := map[userpool.Sub]userpool.User{}, map[userpool.Sub][]userpool.User{}
	identities := maps.Clone(known)
	var all []uint64
	for sub, u := range staged {
		u.Attributes = mapping.Apply(u)
		mapped[sub], identities[sub] = u, true
	}
	var unlinked []userpool.User
	for _, sub := range slices.Sorted(maps.Keys(arrived)) {
		u := arrived[sub]
		if legacy := userpool.Sub(u.Attributes[userpool.AttrLegacySub]); legacy != "" {
			partners[legacy], identities[legacy] = append(partners[legacy], u), true
		} else {
			unlinked = append(unlinked, u)
		}
	}
	for _, u := range slices.Concat(slices.Collect(maps.Values(mapped)), slices.Collect(maps.Values(arrived))) {
		for _, n := range names.Of(u, rules.Pool) {
			all = append(all, n.Hash())
		}
	}
	contested := names.NewContested(all)
	var claims []names.Claim
	decisions := map[userpool.Sub]verdict.Decision{}
	for sub := range identities {
		who := verdict.Case{Arrived: partners[sub], Known: known[sub], Imported: w.imported[sub]}
		if u, ok := mapped[sub]; ok {
			who.Staged = &u
		}
		d := rules.Decide(who)
		decisions[sub] = d
		t.Findings = append(t.Findings, d.Findings...)
		if who.Staged != nil {
			claims = append(claims, names.StagedClaims(*who.Staged, rules.Pool, contested, d)...)
		}
		for _, u := range who.Arrived {
			claims = append(claims, names.ArrivedClaims(u, rules.Pool, contested)...)
		}
	}
	for _, u := range unlinked {
		claims = append(claims, names.ArrivedClaims(u, rules.Pool, contested)...)
	}
	resolver := names.NewResolver(rules.Pool)
	if err := resolver.Add(claims); err != nil {
		panic(err)
	}
	resolved := resolver.Finish()
	t.Findings = slices.AppendSeq(t.Findings, resolved.Findings())
	for sub, d := range decisions {
		row := reconcile.IDRow{LegacySub: sub, LegacyUsername: staged[sub].Username, Verdict: d.Verdict, Reason: d.Reason, JoinedBy: "legacy_sub"}
		if d.Partner != nil {
			row.Sub, row.Username = d.Partner.Sub, d.Partner.Username
		} else if ruling, ok := resolved.Of(names.Staged, sub); ok && ruling.Partner != "" {
			row.Sub, row.Username, row.Verdict, row.Reason = ruling.Partner, arrived[ruling.Partner].Username, ruling.Verdict, ruling.Reason
			row.JoinedBy = strings.TrimPrefix(string(ruling.Reason), "joined_by_")
			t.Joins++
		}
		count(row.Verdict, row.Reason)
		s, isStaged := staged[sub]
		if row.Sub == "" {
			t.Pending = append(t.Pending, reconcile.PendingRow{Sub: sub, Verdict: row.Verdict, Reason: row.Reason, Groups: s.Groups})
			continue
		}
		t.IDMap = append(t.IDMap, row)
		partner := arrived[row.Sub]
		disabled := !s.Enabled && partner.Enabled
		if isStaged && (len(s.Groups) > 0 || disabled || len(s.MFA) > 0) && w.due(s, partner) {
			t.Settle = append(t.Settle, reconcile.SettleRow{
				LegacySub: sub, Sub: row.Sub, Username: row.Username, Groups: s.Groups, Disabled: disabled, MFA: s.MFA,
			})
		}
	}
	for _, u := range unlinked {
		if ruling, ok := resolved.Of(names.Arrived, u.Sub); !ok || ruling.Partner == "" {
			count(verdict.TargetOnly, verdict.Own)
		}
	}
	t.sort()
	return t
}

func (t *truth) sort() {
	slices.SortFunc(t.IDMap, func(a, b reconcile.IDRow) int { return cmp.Compare(a.LegacySub, b.LegacySub) })
	slices.SortFunc(t.Settle, func(a, b reconcile.SettleRow) int { return cmp.Compare(a.LegacySub, b.LegacySub) })
	slices.SortFunc(t.Pending, func(a, b reconcile.PendingRow) int { return cmp.Compare(a.Sub, b.Sub) })
	slices.SortFunc(t.Findings, func(a, b verdict.Finding) int {
		return cmp.Or(cmp.Compare(a.SourceSub, b.SourceSub), cmp.Compare(a.TargetSub, b.TargetSub), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Detail, b.Detail))
	})
}

// said is what a reconciliation has written.
func (p *place) said(id string) (reconcile.Summary, truth) {
	p.t.Helper()
	r := p.reconciliation()
	s, err := r.Summary(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	t := truth{Verdicts: s.Reasons, Joins: s.Joins}
	for row, err := range r.IDMap(p.t.Context(), id) {
		if err != nil {
			p.t.Fatal(err)
		}
		t.IDMap = append(t.IDMap, row)
	}
	for row, err := range r.Pending(p.t.Context(), id) {
		if err != nil {
			p.t.Fatal(err)
		}
		t.Pending = append(t.Pending, row)
	}
	for f, err := range r.Findings(p.t.Context(), id) {
		if err != nil {
			p.t.Fatal(err)
		}
		t.Findings = append(t.Findings, f)
	}
	for _, ref := range s.Settle {
		rows, err := r.ReadSettleRows(p.t.Context(), ref)
		if err != nil || len(rows) != ref.Count {
			p.t.Fatalf("%d rows of %d, %v", len(rows), ref.Count, err)
		}
		t.Settle = append(t.Settle, rows...)
	}
	t.sort()
	return s, t
}

// chronicle is a place whose history is known.
type chronicle struct {
	*place
	generations []map[userpool.Sub]userpool.User // as they were staged, from 1
	known       map[userpool.Sub]bool            // not in the target pool after the last whole reconciliation
	reconciled  int                              // generation that it compared
	last        string                           // id of it
	imported    map[userpool.Sub]bool            // as was recorded
	excluded    []verdict.Reason                 // as people decided
	partners    map[userpool.Sub]userpool.Sub    // of those who were in the target pool once, and staged
}

func newChronicle(t *testing.T, source, target *pool) *chronicle {
	p := newPlace(t, source, target)
	pool := userpool.Pool(p.o.Pool.(settings))
	for _, name := range []string{"email_verified", "phone_number", "phone_number_verified", "name", userpool.AttrLegacySub} {
		pool.Schema[name] = userpool.AttributeSpec{Name: name, Type: userpool.TypeString, Mutable: true}
	}
	return &chronicle{place: p, known: map[userpool.Sub]bool{}, imported: map[userpool.Sub]bool{}, partners: map[userpool.Sub]userpool.Sub{}}
}

func (c *chronicle) stage() {
	c.t.Helper()
	c.generations = append(c.generations, maps.Clone(c.source.users))
	c.seed(len(c.generations))
}

// check runs a reconciliation and compares what it says with the truth. buckets is
// how many it is to have: the pool is said to have users for that.
func (c *chronicle) check(id string, buckets int) (reconcile.Summary, truth) {
	c.t.Helper()
	c.target.estimate = func(int) int { return buckets * (24 << 20) / 600 }
	if buckets == 1 {
		c.target.estimate = nil
	}
	out := c.reconcile(id)
	s, got := c.said(id)
	basis, err := c.store().ReadBasis(c.t.Context(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	if basis.Buckets != buckets {
		c.t.Fatalf("%d buckets, not the %d that the test is about", basis.Buckets, buckets)
	}
	want := c.truth(basis)
	if diff := gocmp.Diff(want, got); diff != "" {
		c.t.Errorf("reconciliation %s says otherwise:\n%s", id, diff)
	}
	if !out.Whole || len(s.Partial) > 0 || s.TargetUsers != len(c.target.users) || s.Profiles != len(c.generations[len(c.generations)-1]) {
		c.t.Errorf("%+v of %d staged and %d arrived: %+v", out, len(c.generations[len(c.generations)-1]), len(c.target.users), s.Partial)
	}
	found := map[verdict.FindingKind]int{}
	for _, f := range want.Findings {
		found[f.Kind]++
	}
	if diff := gocmp.Diff(found, s.Findings); diff != "" {
		c.t.Errorf("findings of %s: %s", id, diff)
	}
	c.settles(want)
	c.known, c.reconciled, c.last = map[userpool.Sub]bool{}, len(c.generations), id
	for _, row := range got.Pending {
		c.known[row.Sub] = true
	}
	return s, got
}

// truth is what a reconciliation of this basis has to say.
func (c *chronicle) truth(basis reconcile.Basis) truth {
	c.t.Helper()
	known := maps.Clone(c.known)
	for n := c.reconciled; n < len(c.generations)-1; n++ {
		for sub := range c.generations[n] {
			known[sub] = true
		}
	}
	return naive(world{
		rules: verdict.Rules{
			Pool: basis.Target.Pool.Userpool(), MFA: c.o.MFA, Exclude: slices.Concat(c.o.Exclude, c.excluded), GenerationOpened: basis.Staged.Opened,
		},
		mapping: c.o.Mapping, staged: c.generations[len(c.generations)-1], arrived: c.target.users, known: known, imported: c.imported, due: c.due(),
	})
}

// due says who has a row of what is to be settled: all in the first reconciliation,
// later those who were not in the target pool in the last, or came after it began,
// or signed up after its generation did.
func (c *chronicle) due() func(staged, partner userpool.User) bool {
	if c.last == "" {
		return func(userpool.User, userpool.User) bool { return true }
	}
	last := must(c.store().ReadBasis(c.t.Context(), c.last))
	return func(staged, partner userpool.User) bool {
		return c.known[staged.Sub] || c.after(last, staged, partner)
	}
}

// after is due for those who were in the target pool before.
func (c *chronicle) after(last reconcile.Basis, staged, partner userpool.User) bool {
	newer := len(c.generations) > c.reconciled
	return !partner.Created.Before(last.Opened.Add(-time.Hour)) || newer && !staged.Created.Before(last.Staged.Opened.Add(-time.Hour))
}

// settles checks that nobody is lost: who is in the target pool for the first time
// has a row. Who has a row again came within the hour of slack, or has another
// partner, or was away meanwhile.
func (c *chronicle) settles(said truth) {
	c.t.Helper()
	staged := c.generations[len(c.generations)-1]
	rows := map[userpool.Sub]int{}
	for _, row := range said.Settle {
		rows[row.LegacySub]++
	}
	for _, row := range said.IDMap {
		s, isStaged := staged[row.LegacySub]
		if !isStaged {
			continue
		}
		before, seen := c.partners[s.Sub]
		partner := c.target.users[row.Sub]
		something := len(s.Groups) > 0 || len(s.MFA) > 0 || !s.Enabled && partner.Enabled
		switch {
		case rows[s.Sub] > 1:
			c.t.Errorf("%s has %d rows", s.Sub, rows[s.Sub])
		case !seen && something && rows[s.Sub] == 0:
			c.t.Errorf("%s is in the target pool since, and is not settled", s.Sub)
		case seen && before == row.Sub && rows[s.Sub] > 0 && !c.known[s.Sub] &&
			!c.after(must(c.store().ReadBasis(c.t.Context(), c.last)), s, partner):
			c.t.Errorf("%s is settled again", s.Sub)
		}
		c.partners[s.Sub] = row.Sub
	}
}

// people lets people decide: some of those who are left are imported, of whom some
// are not in the target pool after all, and some need not come.
func (c *chronicle) people(random *rand.Rand, next *int) {
	c.t.Helper()
	arrived := map[string]bool{}
	for _, u := range c.target.users {
		arrived[u.Attributes[userpool.AttrLegacySub]] = true
	}
	var subs []userpool.Sub
	for _, sub := range slices.Sorted(maps.Keys(c.source.users)) {
		if arrived[string(sub)] || random.IntN(3) > 0 {
			continue
		}
		*next++
		v := moved(c.source.users[sub], *next, time.Now())
		v.Status, v.Enabled = userpool.StatusResetRequired, true
		if random.IntN(6) == 0 { // as where e-mail codes are enough to sign in
			v.Status = userpool.StatusConfirmed
		}
		if _, there := c.target.users[v.Sub]; !there && random.IntN(6) > 0 {
			c.target.users[v.Sub] = v
		}
		subs, c.imported[sub] = append(subs, sub), true
	}
	r := c.reconciliation()
	cut := random.IntN(len(subs) + 1)
	for n, some := range [][]userpool.Sub{subs[:cut], subs[cut:]} {
		for range 1 + random.IntN(2) {
			if err := r.RecordImport(c.t.Context(), fmt.Sprintf("tail-%d-%d", *next, n), some); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	if random.IntN(2) == 0 {
		c.excluded = [][]verdict.Reason{{}, {verdict.NotSignedIn}, {verdict.Disabled, verdict.MFA}}[random.IntN(3)]
		if _, err := r.Exclude(c.t.Context(), c.excluded); err != nil {
			c.t.Fatal(err)
		}
	}
}

// moved is a user as the trigger makes them.
func moved(u userpool.User, n int, now time.Time) userpool.User {
	u.Attributes = userpool.Mapping{}.Apply(u)
	u.Sub = userpool.Sub(fmt.Sprintf("%x1111111-1111-4000-8000-%012d", (n*7)%16, n))
	u.Attributes["sub"] = string(u.Sub)
	u.Created, u.Modified = now.UTC(), now.UTC()
	return u
}

// populate makes both pools anew, or lets some time pass in them: some appear,
// change, vanish or move, some come to the target in other ways.
func populate(random *rand.Rand, source, target *pool, next *int, how string) {
	now := time.Now()
	add := func(p *pool, u userpool.User) { p.users[u.Sub] = u }
	for range random.IntN(40) {
		*next++
		u := person(*next)
		u.Created = now.UTC()
		u.Attributes["email_verified"] = "true"
		if random.IntN(3) == 0 { // somebody has the same address, be it in other letters
			u.Attributes["email"] = fmt.Sprintf("%s-%d@example.com", []string{"person", "Person"}[random.IntN(2)], random.IntN(*next+1))
		}
		if random.IntN(2) == 0 {
			u.Attributes["phone_number"] = fmt.Sprintf("+4319%07d", random.IntN(200))
			u.Attributes["phone_number_verified"] = fmt.Sprint(random.IntN(2) == 0)
		}
		switch random.IntN(12) {
		case 0:
			u.Status = userpool.StatusUnconfirmed
		case 1:
			u.Enabled = false
		case 2:
			u.Status = userpool.StatusExternalProvider
		case 3:
			delete(u.Attributes, "email")
		case 4:
			u.MFA = []string{"SOFTWARE_TOKEN_MFA"}
		case 6:
			u.Groups = []string{"admins"}
		case 7:
			u.Groups = []string{"admins", "staff", "ünï/code"}
		case 5:
			u.Username = fmt.Sprintf("PERSON-%d", random.IntN(*next+1))
		}
		add(source, u)
	}
	for _, sub := range slices.Sorted(maps.Keys(source.users)) {
		u := source.users[sub]
		*next++
		move := random.IntN(3) == 0
		switch how {
		case "all":
			move = true
		case "none":
			move = false
		}
		if _, there := target.users[moved(u, *next, now).Sub]; move && !there {
			v := moved(u, *next, now)
			v.Enabled = random.IntN(4) > 0
			switch random.IntN(12) {
			case 0: // not by the trigger
				delete(v.Attributes, userpool.AttrLegacySub)
			case 1: // and not verified
				delete(v.Attributes, userpool.AttrLegacySub)
				v.Attributes["email_verified"] = "false"
			case 2:
				v.Status = userpool.StatusResetRequired
			case 3:
				v.Status = userpool.StatusUnconfirmed
			case 4: // changed at the source meanwhile
				v.Attributes["email"] = "new-" + v.Attributes["email"]
			case 5: // twice
				*next++
				add(target, moved(u, *next, now.Add(time.Second)))
			case 6:
				v.Attributes[userpool.AttrLegacySub] = "ffffffff-0000-4000-8000-000000000000" // nobody's
			}
			add(target, v)
		}
		switch random.IntN(15) {
		case 0:
			delete(source.users, sub)
		case 1:
			u.Attributes = u.Attributes.Clone()
			u.Attributes["name"] = fmt.Sprint(random.IntN(9))
			u.Modified = now.UTC()
			add(source, u)
		case 2:
			u.Groups = [][]string{nil, {"staff"}, {"admins", "staff"}}[random.IntN(3)]
			add(source, u)
		}
	}
	for range random.IntN(15) { // the target's own
		*next++
		own := moved(person(*next), *next, now)
		delete(own.Attributes, userpool.AttrLegacySub)
		if random.IntN(3) == 0 {
			own.Attributes["email"] = fmt.Sprintf("person-%d@example.com", random.IntN(*next))
			own.Attributes["email_verified"] = fmt.Sprint(random.IntN(2) == 0)
		}
		add(target, own)
	}
	for _, sub := range slices.Sorted(maps.Keys(target.users)) {
		switch u := target.users[sub]; {
		case random.IntN(25) == 0:
			delete(target.users, sub)
		case u.Attributes[userpool.AttrLegacySub] == "" && random.IntN(6) == 0: // somebody has verified the address
			u.Attributes = u.Attributes.Clone()
			u.Attributes["email_verified"], u.Modified = "true", now.UTC()
			add(target, u)
		case u.Attributes[userpool.AttrLegacySub] == "" && random.IntN(6) == 0: // or has found out who it is
			for _, s := range slices.Sorted(maps.Keys(source.users)) {
				if source.users[s].Username == u.Username {
					u.Attributes = u.Attributes.Clone()
					u.Attributes[userpool.AttrLegacySub], u.Modified = string(s), now.UTC()
					add(target, u)
				}
			}
		case u.Status == userpool.StatusResetRequired && random.IntN(3) == 0: // has chosen a password
			u.Status, u.Modified = userpool.StatusConfirmed, now.UTC()
			add(target, u)
		}
	}
}

// TestSaysTheTruth lets random worlds go on for some generations and
// reconciliations, with other numbers of buckets each time.
func TestSaysTheTruth(t *testing.T) {
	kinds := map[verdict.Reason]int{}
	joins, skipped, settled, byName, grouped := 0, 0, 0, 0, 0
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // repeatable on purpose
			c := newChronicle(t, newPool(), newPool())
			c.o.Shards, c.o.StaleAfter = scan.ShardsSerial, 1000*time.Hour
			c.o.Exclude = [][]verdict.Reason{nil, {verdict.Federated}, {verdict.Federated, verdict.Disabled}}[random.IntN(3)]
			c.o.Limits = scan.Limits{Time: time.Minute, Lines: 1 + random.IntN(40), Bytes: 1 << 20}
			c.source.repeat, c.target.repeat = random.IntN(4), random.IntN(4)
			c.source.pageSize, c.target.pageSize = 5+random.IntN(50), 5+random.IntN(50)
			how := []string{"", "", "", "all", "none"}[random.IntN(5)]
			if random.IntN(3) == 0 {
				c.o.Pool = settings(caseSensitive(userpool.Pool(c.o.Pool.(settings))))
			}
			next := 0
			for n := range 1 + random.IntN(4) {
				populate(random, c.source, c.target, &next, how)
				time.Sleep(time.Hour)
				if n == 0 || random.IntN(3) > 0 {
					c.stage()
				}
				if random.IntN(4) == 0 {
					populate(random, c.source, c.target, &next, how)
					time.Sleep(time.Hour)
					c.stage()
					skipped++
				}
				time.Sleep(time.Hour)
				populate(random, newPool(), c.target, &next, how)
				if random.IntN(2) == 0 {
					c.people(random, &next)
				}
				time.Sleep(time.Duration(random.IntN(90)) * time.Minute)
				_, got := c.check(fmt.Sprintf("r%d", n), 1<<random.IntN(5))
				for _, reasons := range got.Verdicts {
					for reason := range reasons {
						kinds[reason]++
					}
				}
				joins, settled = joins+got.Joins, settled+len(got.Settle)
				for _, row := range got.Settle {
					if slices.ContainsFunc(got.IDMap, func(id reconcile.IDRow) bool { return id.LegacySub == row.LegacySub && id.JoinedBy != "legacy_sub" }) {
						byName++
					}
				}
				for _, row := range got.Pending {
					grouped += len(row.Groups)
				}
				if t.Failed() {
					t.Fatalf("seed %d, reconciliation %d", seed, n)
				}
			}
		})
	}
	for _, reason := range []verdict.Reason{
		verdict.SignedIn, verdict.MustReset, verdict.NotStaged, verdict.JoinedByEmail, verdict.JoinedByUsername, verdict.Vanished,
		verdict.VanishedAfterMoving, verdict.Own, verdict.Federated, verdict.NotSignedIn, verdict.Tail,
	} {
		if kinds[reason] == 0 {
			t.Errorf("no world had anybody %s, only %v", reason, kinds)
		}
	}
	if joins == 0 || skipped == 0 || settled == 0 || byName == 0 || grouped == 0 {
		t.Errorf("%d joins, %d generations skipped, %d to settle, %d of them joined by name, %d groups of pending users", joins, skipped, settled, byName, grouped)
	}
}

func caseSensitive(p userpool.Pool) userpool.Pool {
	p.CaseSensitive = true
	return p
}

// TestWorlds are those that have to be right whatever chance brings.
func TestWorlds(t *testing.T) {
	everybody := func(users []userpool.User) *pool {
		p := newPool()
		for i, u := range users {
			v := moved(u, i, time.Now())
			p.users[v.Sub] = v
		}
		return p
	}
	own := func(n int) (users []userpool.User) {
		for i := range n {
			u := moved(person(5000+i), 5000+i, time.Now())
			delete(u.Attributes, userpool.AttrLegacySub)
			users = append(users, u)
		}
		return users
	}
	for name, c := range map[string]struct {
		source, target func() *pool
		percent        float64
		verdicts       map[verdict.Verdict]int
	}{
		"empty pools": {
			func() *pool { return newPool() }, func() *pool { return newPool() }, 100, map[verdict.Verdict]int{},
		},
		"all migrated": {
			func() *pool { return newPool(people(300, person)...) }, func() *pool { return everybody(people(300, person)) }, 100,
			map[verdict.Verdict]int{verdict.Migrated: 300},
		},
		"none migrated": {
			func() *pool { return newPool(people(300, person)...) }, func() *pool { return newPool() }, 0,
			map[verdict.Verdict]int{verdict.Pending: 300},
		},
		"ten times as many of the target's own": {
			func() *pool { return newPool(people(100, person)...) }, func() *pool { return newPool(own(1000)...) }, 0,
			map[verdict.Verdict]int{verdict.Pending: 100, verdict.TargetOnly: 1000},
		},
		"nobody staged, but some arrived": {
			func() *pool { return newPool() }, func() *pool { return everybody(people(10, person)) }, 100,
			map[verdict.Verdict]int{verdict.MissingInSource: 10},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newChronicle(t, c.source(), c.target())
				w.o.Shards = scan.ShardsSerial
				time.Sleep(time.Hour)
				w.stage()
				s, _ := w.check("r1", 8)
				if diff := gocmp.Diff(c.verdicts, s.Verdicts); diff != "" || s.Percent != c.percent {
					t.Errorf("%v percent, %s", s.Percent, diff)
				}
				if s.Complete {
					t.Error("complete after one reconciliation")
				}
				done := s.Verdicts[verdict.Pending] == 0
				for n, want := range []bool{done, false} { // newly once
					out := w.reconcile(fmt.Sprintf("again-%d", n))
					if out.Complete != done || out.NewlyComplete != want {
						t.Errorf("reconciliation %d: %+v", n+2, out)
					}
				}
			})
		})
	}
}

// TestMovesMeanwhile: a user who moves while the target is being scanned is
// counted once, as moved or as pending, whatever the page.
func TestMovesMeanwhile(t *testing.T) {
	for page := 1; page <= 7; page++ {
		synctest.Test(t, func(t *testing.T) {
			p := newPlace(t, newPool(people(20, person)...), newPool())
			p.o.Shards = scan.ShardsSerial
			p.seed(0)
			for i := range 10 {
				u := moved(person(i), i, time.Now())
				p.target.users[u.Sub] = u
			}
			p.target.pageSize = 2
			move := func() {
				for i := 10; i < 20; i++ {
					u := moved(person(i), i, time.Now())
					p.target.users[u.Sub] = u
				}
			}
			calls := 0
			e := p.execution("r1")
			e.before = func(step, _ string) {
				if step != "scan" {
					return
				}
				p.target.before = func(manifest.Cursor) {
					if calls++; calls == page {
						move()
					}
				}
			}
			if _, err := e.run(); err != nil {
				t.Fatal(err)
			}
			s, said := p.said("r1")
			if n := s.Verdicts[verdict.Migrated] + s.Verdicts[verdict.Pending]; n != 20 || len(said.IDMap)+len(said.Pending) != 20 {
				t.Errorf("page %d: %v", page, s.Verdicts)
			}
			if p.target.before = nil; calls < page {
				move()
			}
			if out := p.reconcile("r2"); out.Percent != 100 || out.Pending != 0 {
				t.Errorf("page %d: then %+v", page, out)
			}
		})
	}
}
