package store

import (
	"fmt"
	"time"

	"poolferry/internal/manifest"
)

// This file builds every key. Keys that documents hold are relative to the run,
// whose objects are all below runPrefix.

func runPrefix(run string) string { return "runs/" + run + "/" }

const (
	planKey      = "plan.json"
	stopKey      = "stop.json"
	preflightKey = "preflight.json"
)

func generationKey(generation int) string { return generationFolder(generation) + "generation.json" }
func manifestKey(generation int) string   { return generationFolder(generation) + "manifest.json" }
func groupsKey(generation int) string     { return generationFolder(generation) + "groups.json" }

func checkpointKey(generation int, shard string) string {
	return shardFolder(generation, shard) + "checkpoint.json"
}

func commitKey(generation int, shard string) string {
	return shardFolder(generation, shard) + "commit.json"
}

// partKey is where a part of these bytes is. The digest in it keeps apart what
// two executions of one batch have read.
func partKey(h manifest.Header, stored manifest.Digest) string {
	return fmt.Sprintf("%s%d/part-%05d-%.12s.jsonl.gz", shardFolder(h.Generation, h.Shard), h.Attempt, h.Part, stored)
}

func generationFolder(generation int) string { return fmt.Sprintf("gen-%d/", generation) }

func shardFolder(generation int, shard string) string {
	return generationFolder(generation) + "shards/" + shard + "/"
}

// Keys of reconciliations. What is kept of several of them is below the run,
// the index below the generation that it is about.

const (
	leaseKey    = "lease.json"
	progressKey = "progress.json"
	reportKey   = "report.html" // of the latest reconciliation
)

// indexFolder has the index of a generation for a number of buckets.
func indexFolder(generation, buckets int) string {
	return fmt.Sprintf("%sindex-%d/", generationFolder(generation), buckets)
}

func indexCommitKey(generation, buckets int, item string) string {
	return indexFolder(generation, buckets) + item + ".json"
}

func indexSegmentKey(generation, buckets int, item string, stored manifest.Digest) string {
	return fmt.Sprintf("%s%s-%.12s.seg", indexFolder(generation, buckets), item, stored)
}

const reconciliationsFolder = "reconcile/"

func reconciliationFolder(id string) string { return reconciliationsFolder + id + "/" }

func basisKey(id string) string { return reconciliationFolder(id) + "basis.json" }

// itemsKey is where the items of a Distributed Map are: index, scan or compare.
func itemsKey(id, of string) string { return reconciliationFolder(id) + "items/" + of + ".json" }

func targetFolder(id, shard string) string { return reconciliationFolder(id) + "target/" + shard + "/" }

func scanKey(id, shard string) string { return targetFolder(id, shard) + "scan.json" }

func scanPartKey(id, shard string, attempt, part int, stored manifest.Digest) string {
	return fmt.Sprintf("%s%d/part-%05d-%.12s.seg", targetFolder(id, shard), attempt, part, stored)
}

func matchKey(id string) string     { return reconciliationFolder(id) + "match.json" }
func contestedKey(id string) string { return reconciliationFolder(id) + "contested.bin" }

// bucketName is a bucket's number as keys have it. What Close decides goes under
// contestedName in place of a bucket.
func bucketName(bucket int) string { return fmt.Sprintf("%05d", bucket) }

const contestedName = "contested"

func bucketPlanKey(id, bucket string) string {
	return reconciliationFolder(id) + "plans/" + bucket + ".json"
}

func bucketResultKey(id, bucket string) string {
	return reconciliationFolder(id) + "buckets/" + bucket + ".json"
}

// rowsKey is where rows of a bucket are: idmap, pending, findings or claims, with
// the ending of their format, such as jsonl.gz.
func rowsKey(id, rows, bucket string, stored manifest.Digest, format string) string {
	return fmt.Sprintf("%s%s/%s-%.12s.%s", reconciliationFolder(id), rows, bucket, stored, format)
}

func summaryKey(id string) string { return reconciliationFolder(id) + "summary.json" }
func reconciliationReportKey(id string) string {
	return reconciliationFolder(id) + "report.html"
}

// Keys of decisions, and of who was imported.

const decisionsKey = "decisions.json"

func importRowsKey(id, bucket string, stored manifest.Digest, format string) string {
	return fmt.Sprintf("imports/%s/%s-%.12s.%s", id, bucket, stored, format)
}

// Keys of settling.

const settleKey = "settle.json"

// unsettledKey is where rows are that failed, or were given up.
func unsettledKey(of string, stored manifest.Digest, format string) string {
	return fmt.Sprintf("settle/%s-%.12s.%s", of, stored, format)
}

// Keys of the cut-over.

const (
	cutoverFolder     = "cutover/"
	cutoverJournalKey = cutoverFolder + "journal.json"
)

func cutoverSnapshotKey(id string) string { return cutoverFolder + id + "/snapshot.json" }

// Keys of imports of the tail. The number of a file has five digits.

const (
	tailsFolder  = "tail/"
	tailLeaseKey = tailsFolder + "lease.json"
	tailPlanName = "plan.json"
)

func tailFolder(id string) string   { return tailsFolder + id + "/" }
func tailPlanKey(id string) string  { return tailFolder(id) + tailPlanName }
func tailStateKey(id string) string { return tailFolder(id) + "state.json" }

func tailFileKey(id string, file int) string {
	return fmt.Sprintf("%sfiles/%05d.json", tailFolder(id), file)
}

func tailResultsKey(id string, file int) string {
	return fmt.Sprintf("%sresults/%05d.json", tailFolder(id), file)
}

// tailObjectKey is where an object of a file is: csv, lines, refused or results.
func tailObjectKey(id string, file int, kind string, stored manifest.Digest) string {
	format := "jsonl.gz"
	if kind == "csv" {
		format = "csv.gz"
	}
	return fmt.Sprintf("%s%s/%05d-%.12s.%s", tailFolder(id), kind, file, stored, format)
}

// Keys of what was erased.

// forgettingKey has what is known of a person while they are being forgotten.
func forgettingKey(sub manifest.Digest) string { return "forgetting/" + string(sub) + ".json" }

// forgottenKey has the receipt of a person who was forgotten.
func forgottenKey(sub manifest.Digest) string { return "forgotten/" + string(sub) + ".json" }

const purgedFolder = "purged/"

// purgedKey has the receipt of a purge. The keys sort as the times do.
func purgedKey(begun time.Time) string {
	return purgedFolder + begun.UTC().Format("20060102T150405.000000000Z") + ".json"
}
