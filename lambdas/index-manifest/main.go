// Command index-manifest sorts parts of the manifest into buckets: see Index in package internal/reconcile.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("index-manifest", lambdas.IndexManifest) }
