// Command compare-bucket compares the two sides of a bucket: see Compare in package internal/reconcile.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("compare-bucket", lambdas.CompareBucket) }
