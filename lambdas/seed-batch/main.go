// Command seed-batch reads one batch of a shard: see Batch in package internal/seeding.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("seed-batch", lambdas.SeedBatch) }
