package erasure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"poolferry/internal/document"
	"poolferry/internal/fault"
)

// Inventory is what a purge deletes.
type Inventory struct {
	Purged []Purged // by pattern of keys, in the order of the table of kinds
	Total  Amount
	Kept   []string // keys of objects that stay, sorted
	digest document.Digest
	doomed map[string][]Version
}

// foreignPattern stands for what is not poolferry's and is in the run's folder all
// the same.
const foreignPattern = "…"

// Inventory lists what a purge deletes: every version of every object of the run,
// but for the kinds that outlive it.
func (e *Erasure) Inventory(ctx context.Context) (Inventory, error) {
	all, err := e.versions(ctx)
	if err != nil {
		return Inventory{}, err
	}
	out := Inventory{Purged: []Purged{}, Kept: []string{}, doomed: map[string][]Version{}}
	amounts := map[string]*Amount{}
	var lines []string
	for key, versions := range all {
		pattern, of := foreignPattern, KindsOf(key)
		if len(of) > 0 {
			pattern = of[0].Pattern
		}
		if len(of) > 0 && of[0].Kept {
			out.Kept = append(out.Kept, key)
			continue
		}
		out.doomed[key] = versions
		a := amounts[pattern]
		if a == nil {
			a = &Amount{}
			amounts[pattern] = a
		}
		a.Objects++
		for _, v := range versions {
			if v.Marker {
				a.Markers++
			} else {
				a.Versions++
				a.Bytes += v.Bytes
			}
			lines = append(lines, strings.Join([]string{v.Key, v.ID, strconv.FormatInt(v.Bytes, 10), v.Tag}, "\t")+"\n")
		}
	}
	for _, k := range append(slices.Clone(kinds), Kind{Pattern: foreignPattern}) {
		if a := amounts[k.Pattern]; a != nil {
			out.Purged = append(out.Purged, Purged{k.Pattern, *a})
			out.Total.add(*a)
		}
	}
	slices.Sort(out.Kept)
	slices.Sort(lines)
	out.digest = document.DigestOf([]byte(strings.Join(lines, "")))
	return out, nil
}

// ErrNotCutOver says that a run is purged which was not cut over.
var ErrNotCutOver = errors.New("the run was not cut over: whoever has not moved yet cannot be imported any more, and nobody can tell who is left")

// purgeID is whose the lease is while a run is purged.
const purgeID = "purge"

// Purge deletes all that was staged, found out and noted of a run, in every
// version, but for its history, which has counts alone, the settings that a
// cut-over has kept, and receipts. What there is is written down before anything is
// deleted; in the end it is looked again.
//
// The error is ErrNotCutOver unless the run was cut over or early is true, and a
// *HeldError or *BusyError where other work would be disturbed. Killed anywhere and
// called again it goes on; the receipt is about all that was purged. Where there is
// a receipt of a purge that has ended, and something was staged since, another one
// takes its place.
func (e *Erasure) Purge(ctx context.Context, early bool) (PurgeReceipt, error) {
	r, err := e.purge(ctx, early)
	if err != nil {
		err = fmt.Errorf("purge run %s: %w", e.o.Run, err)
	}
	return r, err
}

func (e *Erasure) purge(ctx context.Context, early bool) (PurgeReceipt, error) {
	done, err := e.o.CutOver(ctx)
	if err == nil && !done && !early {
		err = ErrNotCutOver
	}
	if err != nil {
		return PurgeReceipt{}, err
	}
	r, tag, err := e.o.Store.LoadPurge(ctx)
	if err != nil && !is(err, fault.NotFound) {
		return r, err
	}
	known := err == nil
	going := known && r.Ended.IsZero()
	if known && !going {
		left, err := e.Inventory(ctx)
		if err != nil || left.Total == (Amount{}) {
			return r, err
		}
		tag = ""
	}
	h, err := e.take(ctx, purgeID)
	if err != nil {
		return r, err
	}
	// Whoever gives the lease back writes it, so in the end it is deleted instead.
	kept := true
	defer func() {
		if kept {
			h.release(ctx)
		}
	}()
	e.o.Tell("listing every version of every object")
	left, err := e.Inventory(ctx)
	if err != nil {
		return r, err
	}
	if !going {
		keys, err := e.o.Store.EncryptionKeys(ctx)
		if err != nil {
			return r, err
		}
		r = PurgeReceipt{
			Run: e.o.Run, Begun: e.o.Now().UTC(), By: e.o.By, CutOver: done, Purged: left.Purged, Total: left.Total,
			InventorySHA256: left.digest, Keys: append([]string{}, keys...), Kept: left.Kept,
		}
		if err := e.o.Store.SwapPurge(ctx, r, tag); err != nil {
			return r, err
		}
	}
	e.o.Tell("deleting")
	if err := e.deleteInventory(ctx, h, left); err != nil {
		return r, err
	}
	kept = false
	e.o.Tell("listing again")
	for range attempts {
		if left, err = e.Inventory(ctx); err != nil {
			return r, err
		}
		if left.Total == (Amount{}) {
			break
		}
		if err := e.deleteInventory(ctx, nil, left); err != nil {
			return r, err
		}
	}
	if left.Total != (Amount{}) {
		return r, fault.New(fault.Conflict, "%d objects have appeared since: something still works on the run; switch the schedule of reconciliations off and purge again", left.Total.Objects)
	}
	if r, tag, err = e.o.Store.LoadPurge(ctx); err != nil {
		return r, err
	}
	r.Ended = e.o.Now().UTC()
	return r, e.o.Store.SwapPurge(ctx, r, tag)
}

// leaseKey is relative to the run, as store has it. It is deleted last: while it is
// held nobody begins anything.
const leaseKey = "lease.json"

// deleteInventory deletes all versions, those of the lease after all others.
func (e *Erasure) deleteInventory(ctx context.Context, h *hold, i Inventory) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(deleters)
	for key, versions := range i.doomed {
		if inner.Err() != nil {
			break
		}
		if key == leaseKey {
			continue
		}
		if h != nil {
			if err := h.renew(ctx); err != nil {
				return errors.Join(err, group.Wait())
			}
		}
		group.Go(func() error { return e.deleteVersions(inner, versions) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return e.deleteVersions(ctx, i.doomed[leaseKey])
}
