package reconcile

import (
	"context"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/reconcile/names"
	"poolferry/internal/reconcile/shuffle"
	"poolferry/internal/reconcile/verdict"
	"poolferry/internal/userpool"
)

// claimBytes is how many bytes of claims are taken apart at a time.
const claimBytes = 16 << 20

// decide resolves the claims on contested names, and counts those who were
// deferred. While a bucket is missing nobody is joined: whoever seems to be the
// only one of a name may not be.
func (c *closing) decide(ctx context.Context, deferred int, missing bool) error {
	if deferred == 0 && !missing && !slices.ContainsFunc(c.results, func(result *Compared) bool { return result.Claims != nil }) {
		return nil
	}
	if missing {
		if deferred > 0 {
			c.summary.partial(PartialUndecided)
		}
		return nil
	}
	var read traffic
	objects, err := c.claimObjects(ctx, &read)
	if err != nil {
		return err
	}
	resolver := names.NewResolver(c.basis.Target.Pool.Userpool())
	if err := c.claims(ctx, objects, &read, resolver.Add); err != nil {
		return err
	}
	decided := resolver.Finish()
	out := c.reconciliation.sheets(c.basis.ID, ByClose, 0, 1)
	pending, undecided, err := c.staged(ctx, objects, &read, decided, out)
	if err != nil {
		return err
	}
	own := 0
	for range decided.Own() {
		own++
	}
	s := c.summary
	if own > 0 {
		s.Reasons.add(verdict.TargetOnly, verdict.Own, own)
	}
	for f := range decided.Findings() {
		s.Findings[f.Kind]++
		if f.Severity == verdict.Critical {
			s.Critical++
		}
		s.Sample = sample(s.Sample, sampleOfAll, f)
		if err := out.findings.add(ctx, f); err != nil {
			return err
		}
	}
	if err := out.flush(ctx); err != nil {
		return err
	}
	s.IDMap = append(append(s.IDMap, out.jsonl.refs...), out.csv.refs...)
	s.Pending = append(s.Pending, pending...)
	s.FindingRows = append(s.FindingRows, out.findings.refs...)
	s.Settle = append(s.Settle, out.settle.refs...)
	s.Bytes.Read += read.sum()
	s.Bytes.Written += out.written
	if 2*s.Joins+undecided+own != deferred {
		s.partial(PartialUndecided)
	}
	return nil
}

// claimObjects reads the footers of all objects of claims.
func (c *closing) claimObjects(ctx context.Context, read *traffic) ([]object, error) {
	var all []object
	for _, result := range c.results {
		if result.Claims != nil {
			all = append(all, object{ref: *result.Claims, side: shuffle.Claimed})
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetches)
	for n := range all {
		group.Go(func() (err error) {
			all[n].segments, err = c.reconciliation.footer(ctx, 0, c.match.NameBuckets, all[n], read)
			return err
		})
	}
	return all, group.Wait()
}

// claims hands over all claims of each name, some names at a time: whole name
// buckets where they are small, shares of one by hash where it is large.
func (c *closing) claims(ctx context.Context, objects []object, read *traffic, take func([]names.Claim) error) error {
	for first := 0; first < c.match.NameBuckets; {
		last, size := group(objects, first, c.match.NameBuckets, claimBytes)
		contents := make([][]byte, len(objects))
		fetch, inner := errgroup.WithContext(ctx)
		fetch.SetLimit(fetches)
		for i, o := range objects {
			fetch.Go(func() (err error) {
				var all []byte
				err = c.reconciliation.unpack(inner, o, first, last, read, func(_ int, _ shuffle.Segment, content []byte) error {
					all = append(all, content...)
					return nil
				})
				contents[i] = all
				return err
			})
		}
		if err := fetch.Wait(); err != nil {
			return err
		}
		shares := uint64(1) << bits.Len64(uint64(size/claimBytes)) //nolint:gosec // not negative
		for share := range shares {
			var some []names.Claim
			for i, content := range contents {
				for claim, err := range names.ReadClaims(content) {
					if err != nil {
						return fmt.Errorf("claims %s: %w", objects[i].ref.Key, err)
					}
					if claim.Name.Hash()&(shares-1) == share {
						some = append(some, claim)
					}
				}
			}
			if err := take(some); err != nil {
				return err
			}
		}
		first = last
	}
	return nil
}

// sheetUsers is about how many users share an object of rows, so that whoever
// looks for some of them need not read all.
const sheetUsers = 50_000

// staged counts those of the source pool who were deferred, joined or not, and
// writes their rows: of who is pending by as many buckets as their number is
// worth. Only claims have what the rows say, so these are read again.
func (c *closing) staged(ctx context.Context, objects []object, read *traffic, decided *names.Resolution, out *sheets) (refs []RowsRef, count int, err error) {
	for j := range decided.Joins() {
		c.summary.Reasons.add(verdict.Migrated, j.Reason(), 1)
		c.summary.Joins++
	}
	for _, ruling := range decided.Undecided() {
		c.summary.Reasons.add(ruling.Verdict, ruling.Reason, 1)
		count++
	}
	if c.summary.Joins+count == 0 {
		return nil, 0, nil
	}
	buckets := min(sheetsFor(count), c.basis.Buckets)
	pending := make([]sheet, buckets)
	for bucket := range pending {
		pending[bucket] = out.pending
		pending[bucket].bucket, pending[bucket].of, pending[bucket].refs = bucket, buckets, nil
	}
	err = c.claims(ctx, objects, read, func(claims []names.Claim) error {
		arrived := map[userpool.Sub]names.Claim{}
		for _, claim := range claims {
			if claim.Side == names.Arrived {
				arrived[claim.Sub] = claim
			}
		}
		slices.SortFunc(claims, func(a, b names.Claim) int { return compareSubs(a.Sub, b.Sub) })
		for _, claim := range claims {
			if claim.Side != names.Staged || claim.Linked {
				continue
			}
			ruling, ok := decided.Of(names.Staged, claim.Sub)
			var err error
			switch {
			case ok && ruling.Partner != "":
				err = c.joined(ctx, claim, arrived[ruling.Partner], ruling, out)
			case ok && claim.First:
				row := PendingRow{Sub: claim.Sub, Verdict: ruling.Verdict, Reason: ruling.Reason, Groups: claim.Groups}
				err = pending[shuffle.BucketOf(string(claim.Sub), buckets)].add(ctx, row)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	for bucket := range pending {
		if err == nil {
			err = pending[bucket].flush(ctx)
		}
		refs = append(refs, pending[bucket].refs...)
	}
	return refs, count, err
}

// joined writes the rows of a user who was joined. A pair can have several names
// in common: the one that joins has the rows.
func (c *closing) joined(ctx context.Context, claim, partner names.Claim, ruling names.Ruling, out *sheets) error {
	if (names.Join{By: claim.Name.Kind}).Reason() != ruling.Reason || claim.Name.Kind == names.PreferredUsername {
		return nil
	}
	err := out.id(ctx, IDRow{
		LegacySub: claim.Sub, Sub: ruling.Partner, LegacyUsername: claim.Username, Username: partner.Username,
		Verdict: ruling.Verdict, Reason: ruling.Reason, JoinedBy: claim.Name.Kind.String(),
	})
	grouped := c.basis.Staged != nil && c.basis.Staged.Grouped
	if err != nil || !grouped || !claim.New && !c.basis.arrival().since(partner.Created) {
		return err
	}
	row, ok := c.reconciliation.settled(SettleRow{
		LegacySub: claim.Sub, Sub: ruling.Partner, Username: partner.Username, Groups: claim.Groups, MFA: claim.MFA,
	}, claim.Disabled, partner.Disabled)
	if !ok {
		return nil
	}
	return out.settle.add(ctx, row)
}

func compareSubs(a, b userpool.Sub) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
