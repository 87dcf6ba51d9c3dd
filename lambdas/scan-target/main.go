// Command scan-target lists a shard of the target pool: see Scan in package internal/reconcile.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("scan-target", lambdas.ScanTarget) }
