package store

import (
	"context"
	"time"

	"poolferry/internal/account"
	"poolferry/internal/manifest"
)

// Keys returns a key of each kind, relative to the run.
func Keys() []string {
	h := manifest.Header{Origin: manifest.Origin{Generation: 3}, Shard: "0a", Attempt: 2, Part: 7}
	sum := manifest.DigestOf(nil)
	keys := []string{
		planKey, stopKey, preflightKey, leaseKey, progressKey, reportKey,
		generationKey(3), manifestKey(3), groupsKey(3), checkpointKey(3, "0a"), commitKey(3, "0a"), partKey(h, sum),
		indexCommitKey(3, 64, "g00003-s000-i00012"), indexSegmentKey(3, 64, "g00003-s000-i00012", sum),
		basisKey("r1"), itemsKey("r1", "scan"), scanKey("r1", "0a"), scanPartKey("r1", "0a", 2, 7, sum),
		matchKey("r1"), contestedKey("r1"), summaryKey("r1"), reconciliationReportKey("r1"),
	}
	keys = append(keys, decisionsKey, importRowsKey("tail-1", bucketName(17), sum, "jsonl.gz"))
	keys = append(keys, cutoverJournalKey, cutoverSnapshotKey("c1"))
	keys = append(keys, settleKey, unsettledKey("failed", sum, "jsonl.gz"), unsettledKey("given-up", sum, "jsonl.gz"))
	keys = append(keys, tailLeaseKey, tailPlanKey("t1"), tailStateKey("t1"), tailFileKey("t1", 7), tailResultsKey("t1", 7),
		tailObjectKey("t1", 7, "csv", sum), tailObjectKey("t1", 7, "lines", sum), tailObjectKey("t1", 7, "refused", sum), tailObjectKey("t1", 7, "results", sum))
	keys = append(keys, forgettingKey(sum), forgottenKey(sum), purgedKey(time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)))
	for _, bucket := range []string{bucketName(17), contestedName} {
		keys = append(keys, bucketPlanKey("r1", bucket), bucketResultKey("r1", bucket))
		for rows, format := range map[string]string{"idmap": "csv.gz", "pending": "jsonl.gz", "findings": "jsonl.gz", "settle": "jsonl.gz", "claims": "seg", "imported": "seg"} {
			keys = append(keys, rowsKey("r1", rows, bucket, sum, format))
		}
	}
	return keys
}

// OpenImpatiently is OpenS3 with short pauses between attempts.
func OpenImpatiently(ctx context.Context, o S3Options) (*S3, error) {
	return open(ctx, o, account.Limits{Attempt: limits.Attempt, Attempts: limits.Attempts, Backoff: time.Millisecond})
}
