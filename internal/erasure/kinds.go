package erasure

import (
	"regexp"
	"strings"
)

// Means is how a person is removed from the objects of a kind.
type Means int

// The means.
const (
	// Bare objects have nobody in them.
	Bare Means = iota + 1
	// Proved objects are the manifest's: lines go, and digests and counts follow from
	// the parts up to the manifest.
	Proved
	// Removed are lines: those about a person go, and the references to the object
	// follow.
	Removed
	// Redacted are lines that others count or number: those about a person say
	// nothing any more.
	Redacted
	// Edited are JSON documents: entries about a person go, references follow, and
	// what else mentions a person does not any more.
	Edited
	// Derived objects are deleted with what they were made from, and made again by
	// the next reconciliation.
	Derived
	// Passing objects are needed by the work that made them and by nobody after it:
	// they are deleted.
	Passing
	// Mentioning objects are read by people alone: those that mention a person are
	// deleted.
	Mentioning
)

// Kind is what all objects of a key pattern are.
type Kind struct {
	// Pattern is the keys', relative to the run. A word in capitals is anything but
	// a folder, … is anything.
	Pattern string
	Means   Means
	// Kept kinds outlive a purge: there is no personal data in them.
	Kept bool

	shape *regexp.Regexp
}

// kinds are all that a run has. A test makes sure that each key of the layout is
// of one of them.
var kinds = shaped([]Kind{
	{Pattern: "plan.json", Means: Bare},
	{Pattern: "stop.json", Means: Bare},
	{Pattern: "preflight.json", Means: Bare},
	{Pattern: "lease.json", Means: Bare},
	{Pattern: "progress.json", Means: Bare, Kept: true},
	{Pattern: "report.html", Means: Bare},
	{Pattern: "decisions.json", Means: Edited},
	{Pattern: "settle.json", Means: Edited},
	{Pattern: "settle/KEPT-D.jsonl.gz", Means: Redacted},
	{Pattern: "imports/ID/B-D.jsonl.gz", Means: Removed},

	{Pattern: "gen-G/generation.json", Means: Bare},
	{Pattern: "gen-G/groups.json", Means: Bare},
	{Pattern: "gen-G/manifest.json", Means: Proved},
	{Pattern: "gen-G/shards/S/checkpoint.json", Means: Proved},
	{Pattern: "gen-G/shards/S/commit.json", Means: Proved},
	{Pattern: "gen-G/shards/S/A/part-N-D.jsonl.gz", Means: Proved},
	{Pattern: "gen-G/index-P/ITEM.json", Means: Derived},
	{Pattern: "gen-G/index-P/ITEM-D.seg", Means: Derived},

	{Pattern: "reconcile/ID/basis.json", Means: Edited},
	{Pattern: "reconcile/ID/items/LIST.json", Means: Bare},
	{Pattern: "reconcile/ID/target/S/scan.json", Means: Edited},
	{Pattern: "reconcile/ID/target/S/A/part-N-D.seg", Means: Passing},
	{Pattern: "reconcile/ID/match.json", Means: Bare},
	{Pattern: "reconcile/ID/contested.bin", Means: Passing},
	{Pattern: "reconcile/ID/plans/B.json", Means: Passing},
	{Pattern: "reconcile/ID/buckets/B.json", Means: Edited},
	{Pattern: "reconcile/ID/idmap/B-D.FORMAT.gz", Means: Removed},
	{Pattern: "reconcile/ID/pending/B-D.jsonl.gz", Means: Removed},
	{Pattern: "reconcile/ID/findings/B-D.jsonl.gz", Means: Removed},
	{Pattern: "reconcile/ID/settle/B-D.jsonl.gz", Means: Redacted},
	{Pattern: "reconcile/ID/claims/B-D.seg", Means: Passing},
	{Pattern: "reconcile/ID/imported/B-D.seg", Means: Passing},
	{Pattern: "reconcile/ID/summary.json", Means: Edited},
	{Pattern: "reconcile/ID/report.html", Means: Bare},
	{Pattern: "reconcile/ID/maps/…", Means: Mentioning}, // as Step Functions writes them

	{Pattern: "tail/lease.json", Means: Bare},
	{Pattern: "tail/ID/plan.json", Means: Bare},
	{Pattern: "tail/ID/state.json", Means: Edited},
	{Pattern: "tail/ID/files/N.json", Means: Edited},
	{Pattern: "tail/ID/results/N.json", Means: Edited},
	{Pattern: "tail/ID/csv/N-D.csv.gz", Means: Redacted},
	{Pattern: "tail/ID/lines/N-D.jsonl.gz", Means: Redacted},
	{Pattern: "tail/ID/refused/N-D.jsonl.gz", Means: Redacted},
	{Pattern: "tail/ID/results/N-D.jsonl.gz", Means: Redacted},

	// Settings of pool and clients, and how far they were changed.
	{Pattern: "cutover/journal.json", Means: Bare, Kept: true},
	{Pattern: "cutover/ID/snapshot.json", Means: Bare, Kept: true},

	{Pattern: "forgetting/D.json", Means: Bare}, // somebody else's, who is being forgotten
	{Pattern: "forgotten/D.json", Means: Bare, Kept: true},
	{Pattern: "purged/TIME.json", Means: Bare, Kept: true},
})

var capitals = regexp.MustCompile(`\b[A-Z]+\b`)

func shaped(kinds []Kind) []Kind {
	for i, k := range kinds {
		text := capitals.ReplaceAllString(regexp.QuoteMeta(k.Pattern), `[^/]+`)
		kinds[i].shape = regexp.MustCompile("^" + strings.ReplaceAll(text, "…", ".+") + "$")
	}
	return kinds
}

// KindsOf returns the kinds that the object of a key is of, by its key relative to
// the run: one, or none for what is not poolferry's.
func KindsOf(key string) (of []Kind) {
	for _, k := range kinds {
		if k.shape.MatchString(key) {
			of = append(of, k)
		}
	}
	return of
}

// means of a key; 0 for what is not poolferry's.
func meansOf(key string) Means {
	if of := KindsOf(key); len(of) > 0 {
		return of[0].Means
	}
	return 0
}
