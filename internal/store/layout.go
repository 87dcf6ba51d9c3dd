package store

import (
	"fmt"

	"poolferry/internal/manifest"
)

// This file builds every key. Keys that documents hold are relative to the run,
// whose objects are all below runPrefix.

func runPrefix(run string) string { return "runs/" + run + "/" }

const (
	planKey = "plan.json"
	stopKey = "stop.json"
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
