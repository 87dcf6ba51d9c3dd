// Command open-reconciliation begins a reconciliation: see Open in package internal/reconcile.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("open-reconciliation", lambdas.OpenReconciliation) }
