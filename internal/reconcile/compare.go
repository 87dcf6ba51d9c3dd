package reconcile

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/document"
	"poolferry/internal/fault"
	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// CompareInput says which bucket to compare.
type CompareInput struct {
	Run    string `json:"run"`
	ID     string `json:"id"`
	Bucket int    `json:"bucket"`
}

// CompareOutput says what was counted.
type CompareOutput struct {
	Bucket   int `json:"bucket"`
	Staged   int `json:"staged"`
	Arrived  int `json:"arrived"`
	Migrated int `json:"migrated"`
	Pending  int `json:"pending"`
	Deferred int `json:"deferred"`
	Findings int `json:"findings"`
}

// Compare gives the verdict on everybody in a bucket, but for those whose names
// are contested and who have no partner by legacy sub: what they claim is left to
// Close. A bucket that has a result is left as it is. The error is of kind
// fault.Conflict where Match has not said yet where the bucket is, fault.Invalid
// where a segment is damaged: it names the key.
func (r *Reconciliation) Compare(ctx context.Context, in CompareInput) (CompareOutput, error) {
	out := CompareOutput{Bucket: in.Bucket}
	basis, err := r.step(ctx, in.Run, in.ID)
	if err != nil {
		return out, err
	}
	if in.Bucket < 0 || in.Bucket >= basis.Buckets {
		return out, fault.New(fault.Invalid, "reconciliation %s of run %s has no bucket %d", in.ID, in.Run, in.Bucket)
	}
	c, err := r.o.Store.ReadCompared(ctx, in.ID, in.Bucket)
	if is(err, fault.NotFound) {
		c, err = r.compare(ctx, basis, in.Bucket)
	}
	if err != nil {
		return out, fmt.Errorf("compare bucket %d: %w", in.Bucket, err)
	}
	sums := c.Verdicts.Verdicts()
	out.Staged, out.Arrived, out.Deferred = c.Staged, c.Arrived, c.Deferred
	out.Migrated, out.Pending = sums[verdict.Migrated], sums[verdict.Pending]
	for _, n := range c.Findings {
		out.Findings += n
	}
	return out, nil
}

// rules are what verdicts go by.
func (r *Reconciliation) rules(basis Basis) verdict.Rules {
	rules := verdict.Rules{Pool: basis.Target.Pool.Userpool(), MFA: r.o.MFA, Exclude: slices.Concat(r.o.Exclude, basis.Exclude)}
	if basis.Staged != nil {
		rules.GenerationOpened = basis.Staged.Opened
	}
	return rules
}

// comparison is a bucket that is being compared.
type comparison struct {
	reconciliation *Reconciliation
	rules          verdict.Rules
	arrival        arrival
	grouped        bool // groups are known, and so what is to be settled
	contested      names.Contested
	staged         *shuffle.Bucket
	arrived        *shuffle.Bucket
	members        *shuffle.Walk
	imported       *shuffle.Walk
	known          []known  // sorted, each once
	claims         [][]byte // by name bucket
	claimed        []int    // claims in each
	out            *sheets
	result         *Compared
}

// known is an identity that was there earlier.
type known struct {
	identity string
	waited   bool // in the last whole reconciliation: it was not in the target pool
}

func (r *Reconciliation) compare(ctx context.Context, basis Basis, bucket int) (Compared, error) {
	result := Compared{
		Run: basis.Run, ID: basis.ID, Bucket: bucket, Buckets: basis.Buckets, Began: r.o.Now().UTC(),
		Verdicts: Counts{}, Findings: map[verdict.FindingKind]int{}, Sample: []verdict.Finding{},
	}
	m, err := r.o.Store.ReadMatch(ctx, basis.ID)
	if is(err, fault.NotFound) {
		return result, fault.New(fault.Conflict, "reconciliation %s is not matched yet: %w", basis.ID, err)
	}
	if err != nil {
		return result, err
	}
	result.PlanSHA256 = m.Plans[bucket]
	plan, err := r.o.Store.ReadBucketPlan(ctx, basis.ID, bucket, m.Plans[bucket])
	if err != nil {
		return result, err
	}
	var read traffic
	c := comparison{
		reconciliation: r, rules: r.rules(basis), arrival: basis.arrival(), grouped: basis.Staged != nil && basis.Staged.Grouped,
		claims: make([][]byte, m.NameBuckets), claimed: make([]int, m.NameBuckets),
		out: r.sheets(basis.ID, bucket, bucket, basis.Buckets), result: &result,
	}
	if err := r.load(ctx, &c, basis, plan, m, &read); err != nil {
		return result, err
	}
	if err := c.walk(ctx); err != nil {
		return result, err
	}
	if err := c.out.flush(ctx); err != nil {
		return result, err
	}
	result.IDMap = append(c.out.jsonl.refs, c.out.csv.refs...)
	result.Pending, result.FindingRows, result.Settle = c.out.pending.refs, c.out.findings.refs, c.out.settle.refs
	result.Written = c.out.written
	if result.Claims, err = r.writeClaims(ctx, &c); err != nil {
		return result, err
	}
	result.Read, result.Ended = read.sum(), r.o.Now().UTC()
	r.o.Recorder.RecordStep(ctx, StepRecord{
		At: result.Began, Step: StepCompare, Piece: fmt.Sprint(bucket), Lines: result.Staged + result.Arrived, Took: result.Ended.Sub(result.Began),
	})
	return r.o.Store.WriteCompared(ctx, result)
}

// load reads what the comparison is about.
func (r *Reconciliation) load(ctx context.Context, c *comparison, basis Basis, plan BucketPlan, m Matched, read *traffic) (err error) {
	waited := map[string]bool{} // or only staged once
	for row, err := range readRows[PendingRow](ctx, r.o.Store, plan.Previous) {
		if err != nil {
			return err
		}
		if shuffle.BucketOf(string(row.Sub), basis.Buckets) == plan.Bucket {
			waited[string(row.Sub)] = true
		}
	}
	for _, ref := range plan.Previous {
		read.add(int(ref.Bytes))
	}
	for _, piece := range plan.Skipped { // one at a time: of each user only the identity is kept
		b, err := r.side(ctx, shuffle.Staged, []Piece{piece}, read)
		if err != nil {
			return err
		}
		for walk := b.Linked(); ; walk.Skip() {
			identity, ok := walk.Identity()
			if !ok {
				break
			}
			if !waited[string(identity)] {
				waited[string(identity)] = false
			}
		}
	}
	for identity, waited := range waited {
		c.known = append(c.known, known{identity, waited})
	}
	slices.SortFunc(c.known, func(a, b known) int { return strings.Compare(a.identity, b.identity) })
	if at := plan.Contested; at.Names > 0 {
		data, err := r.ranges(read)(ctx, m.Contested.Key, at.Offset, at.Length)
		if err != nil {
			return err
		}
		if document.DigestOf(data) != at.SHA256 {
			return fault.New(fault.Invalid, "contested names %s: those at %d are not what was written: torn, changed or replaced", m.Contested.Key, at.Offset)
		}
		if c.contested, err = names.DecodeContested(data); err != nil {
			return fmt.Errorf("%s: %w", m.Contested.Key, err)
		}
	}
	if c.staged, err = r.side(ctx, shuffle.Staged, plan.Staged, read); err != nil {
		return err
	}
	if c.arrived, err = r.side(ctx, shuffle.Arrived, plan.Arrived, read); err != nil {
		return err
	}
	members, err := r.side(ctx, shuffle.Members, plan.Members, read)
	if err != nil {
		return err
	}
	imported, err := r.side(ctx, shuffle.Imported, plan.Imported, read)
	if err != nil {
		return err
	}
	c.members, c.imported = members.Linked(), imported.Linked()
	return nil
}

// side reads pieces of a bucket.
func (r *Reconciliation) side(ctx context.Context, side shuffle.Side, pieces []Piece, read *traffic) (*shuffle.Bucket, error) {
	contents := make([][]byte, len(pieces))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetches)
	for i, p := range pieces {
		group.Go(func() error {
			stored, err := r.ranges(read)(ctx, p.Key, p.Offset, p.Length)
			if err == nil {
				contents[i], err = shuffle.Unpack(p.Key, p.Segment, stored)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	b := shuffle.NewBucket(side)
	for i, p := range pieces {
		if err := b.Add(p.Key, p.Segment, contents[i]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// walk goes over both sides and those who were known, identity by identity.
func (c *comparison) walk(ctx context.Context) error {
	staged, arrived, known := c.staged.Linked(), c.arrived.Linked(), c.known
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		s, isStaged := staged.Identity()
		a, hasArrived := arrived.Identity()
		var k []byte
		if len(known) > 0 {
			k = []byte(known[0].identity)
		}
		identity := least(s, a, k)
		if identity == nil {
			break
		}
		waited := false
		who := verdict.Case{Imported: c.imported.Seek(identity)}
		if len(known) > 0 && bytes.Equal(k, identity) {
			who.Known, waited, known = true, known[0].waited, known[1:]
		}
		if isStaged && bytes.Equal(s, identity) {
			users, err := staged.Next()
			if err != nil {
				return err
			}
			who.Staged = &users[0]
			c.result.Staged++
		}
		if hasArrived && bytes.Equal(a, identity) {
			var err error
			if who.Arrived, err = arrived.Next(); err != nil {
				return err
			}
			c.result.Arrived += len(who.Arrived)
		}
		if err := c.decide(ctx, userpool.Sub(identity), who, waited); err != nil {
			return err
		}
	}
	for unlinked := c.arrived.Unlinked(); ; {
		if _, ok := unlinked.Identity(); !ok {
			return nil
		}
		users, err := unlinked.Next()
		if err != nil {
			return err
		}
		c.result.Arrived += len(users)
		for _, u := range users {
			if c.touched(u) {
				c.claim(names.ArrivedClaims(u, c.rules.Pool, c.contested))
				c.result.Deferred++
				continue
			}
			d := c.rules.Decide(verdict.Case{Arrived: []userpool.User{u}})
			if err := c.count(ctx, d); err != nil {
				return err
			}
		}
	}
}

// least returns the first of identities in order; nil stands for none.
func least(identities ...[]byte) (first []byte) {
	for _, identity := range identities {
		if identity != nil && (first == nil || bytes.Compare(identity, first) < 0) {
			first = identity
		}
	}
	return first
}

// decide gives the verdict on one identity.
func (c *comparison) decide(ctx context.Context, identity userpool.Sub, who verdict.Case, waited bool) (err error) {
	if who.Staged == nil && len(who.Arrived) == 0 {
		c.result.Carried++
	}
	d := c.rules.Decide(who)
	newly := who.Staged != nil && c.arrival.newly(*who.Staged, waited)
	due := d.Partner != nil && who.Staged != nil && c.grouped && (newly || c.arrival.since(d.Partner.Created))
	if who.Staged != nil && (d.Partner == nil || due) && c.members.Seek([]byte(identity)) {
		if who.Staged.Groups, err = c.members.Groups(); err != nil {
			return err
		}
	}
	for _, u := range who.Arrived {
		if c.touched(u) {
			c.claim(names.ArrivedClaims(u, c.rules.Pool, c.contested))
		}
	}
	if who.Staged != nil && c.touched(*who.Staged) {
		claims := names.StagedClaims(*who.Staged, c.rules.Pool, c.contested, d)
		for i := range claims {
			claims[i].New = newly && d.Partner == nil
		}
		c.claim(claims)
		if d.Partner == nil {
			c.result.Deferred++
			return c.find(ctx, d.Findings)
		}
	}
	if err := c.count(ctx, d); err != nil {
		return err
	}
	if d.Partner == nil {
		row := PendingRow{Sub: identity, Verdict: d.Verdict, Reason: d.Reason}
		if who.Staged != nil {
			row.Groups = who.Staged.Groups
		}
		return c.out.pending.add(ctx, row)
	}
	if due {
		if err := c.settle(ctx, *who.Staged, *d.Partner); err != nil {
			return err
		}
	}
	row := IDRow{LegacySub: identity, Sub: d.Partner.Sub, Username: d.Partner.Username, Verdict: d.Verdict, Reason: d.Reason, JoinedBy: joinedByLegacySub}
	if who.Staged != nil {
		row.LegacyUsername = who.Staged.Username
	}
	return c.out.id(ctx, row)
}

// settle writes what is to be settled of a user, if there is anything.
func (c *comparison) settle(ctx context.Context, staged, partner userpool.User) error {
	row, ok := c.reconciliation.settled(SettleRow{
		LegacySub: staged.Sub, Sub: partner.Sub, Username: partner.Username, Groups: staged.Groups, MFA: staged.MFA,
	}, !staged.Enabled, !partner.Enabled)
	if !ok {
		return nil
	}
	return c.out.settle.add(ctx, row)
}

// touched reports whether a name of the user is contested. Few are.
func (c *comparison) touched(u userpool.User) bool {
	return c.contested.Len() > 0 && slices.ContainsFunc(names.Of(u, c.rules.Pool), func(n names.Name) bool { return c.contested.Has(n.Hash()) })
}

// claim keeps what a user claims.
func (c *comparison) claim(claims []names.Claim) {
	for _, claim := range claims {
		n := shuffle.NameBucketOf(claim.Name.Hash(), len(c.claims))
		c.claims[n] = claim.Append(c.claims[n])
		c.claimed[n]++
	}
}

func (c *comparison) count(ctx context.Context, d verdict.Decision) error {
	c.result.Verdicts.add(d.Verdict, d.Reason, 1)
	return c.find(ctx, d.Findings)
}

func (c *comparison) find(ctx context.Context, findings []verdict.Finding) error {
	for _, f := range findings {
		c.result.Findings[f.Kind]++
		if f.Severity == verdict.Critical {
			c.result.Critical++
		}
		c.result.Sample = sample(c.result.Sample, sampleOfBucket, f)
		if err := c.out.findings.add(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// Findings of each kind that results and reports have, whatever their number.
const (
	sampleOfBucket = 5
	sampleOfAll    = 50
)

// sample keeps a finding unless there are enough of its kind.
func sample(have []verdict.Finding, enough int, f verdict.Finding) []verdict.Finding {
	n := 0
	for _, other := range have {
		if other.Kind == f.Kind {
			n++
		}
	}
	if n >= enough {
		return have
	}
	return append(have, f)
}

// writeClaims writes what is left to Close; nil where there is nothing.
func (r *Reconciliation) writeClaims(ctx context.Context, c *comparison) (*shuffle.Ref, error) {
	count := 0
	for _, n := range c.claimed {
		count += n
	}
	if count == 0 {
		return nil, nil
	}
	object, err := shuffle.PackNames(c.claims, c.claimed)
	if err != nil {
		return nil, err
	}
	ref, err := shuffle.NewRef(object, count)
	if err != nil {
		return nil, err
	}
	c.result.Written += int64(len(object))
	ref, err = r.o.Store.WriteClaims(ctx, c.result.ID, c.result.Bucket, object, ref)
	return &ref, err
}
